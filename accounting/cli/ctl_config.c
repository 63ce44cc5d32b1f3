#include <stdio.h>

#include "cli/carbonctl.h"

static void print_origin(const struct conf_origin *origin, size_t index)
{
    if (origin->line[index])
        plainf("%s:%u", origin->file, origin->line[index]);
    else if (index == 0 && origin->slurm_conf[0])
        plainf("%s", origin->slurm_conf);
    else
        plainf("default");
}

static void print_conf(const struct conf *conf, const struct conf_origin *origin)
{
    plainf("# %s\n", origin->file[0] ? origin->file : "no carbon.conf was found: all is default");
    for (size_t i = 0; conf_options[i].key; i++) {
        char text[PATH_MAX];
        int width;

        conf_format(conf, &conf_options[i], text, sizeof(text));
        width = plainf("%s=%s", conf_options[i].key, text);
        plainf("%*s  # ", width < 52 ? 52 - width : 0, "");
        print_origin(origin, i);
        putchar('\n');
    }
}

static int config_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);
    static struct conf_origin origin;
    static struct conf conf;

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (refuse_operands(command, argc, argv) || load_conf(&conf, &origin) < 0)
        return EXIT_ERROR;
    print_conf(&conf, &origin);
    return EXIT_FINE;
}

/* ClusterName, which slurm.conf may give, is the first of the table: see print_origin(). */
const struct command command_config = {
    .name = "config",
    .usage = "[OPTIONS]",
    .summary = "print the settings in force and where each came from",
    .help = "",
    .exec = config_exec,
};
