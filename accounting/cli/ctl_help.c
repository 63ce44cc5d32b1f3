#include <stdio.h>

#include "cli/carbonctl.h"

static int help_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (optind < argc)
        return print_help_of(argv + optind, argc - optind);
    plainf("Usage: carbonctl [--config FILE] COMMAND [OPTIONS]\n"
           "\n"
           "The administrator's side of slurm-carbon.\n"
           "\n"
           "Commands:\n");
    for (size_t i = 0; commands[i]; i++)
        plainf("  %-13s %s\n", commands[i]->name, commands[i]->summary);
    plainf("\n"
           "Options:\n"
           "  -c, --config FILE  read FILE instead of carbon.conf beside slurm.conf\n"
           "  -h, --help         print this; carbonctl help COMMAND tells more\n"
           "  -V, --version      print the version\n"
           "\n"
           "Exit status: %d when all is well; %d after an error, or when audit finds energy\n"
           "missing; %d when ingest had to set files aside.\n",
           EXIT_FINE, EXIT_ERROR, EXIT_SET_ASIDE);
    return EXIT_FINE;
}

const struct command command_help = {
    .name = "help",
    .usage = "[COMMAND [PART]]",
    .summary = "list the commands, or tell about one",
    .help = "",
    .exec = help_exec,
};
