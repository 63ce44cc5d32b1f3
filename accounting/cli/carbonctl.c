#include "config.h"

#include "cli/carbonctl.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/plainf.h"
#include "core/buf.h"
#include "core/parse.h"
#include "report/format.h"

const struct command *const commands[] = {
    &command_init,    &command_ingest,  &command_audit,     &command_status, &command_prune,
    &command_factors, &command_grid,    &command_inventory, &command_config,
    &command_sensors, &command_estimate, &command_quarantine, &command_repair, &command_reconcile,
    &command_backfill, &command_export, &command_compare, &command_backup,
    &command_migrate_store, &command_doctor, &command_help, NULL,
};

#define COMPLAINT_SIZE 1024 /* more than an error, and the name of its file */
#define REASON_SIZE 201 /* what a finding of the audit has room for */
#define WAIT_S 30 /* longer than ingest's turns, and no longer than somebody looks on */
#define WAIT_MAX_S 86400

static const char *conf_named;   /* --config */
static uint32_t wait_s = WAIT_S; /* --wait */

void complain(const char *fmt, ...)
{
    char text[COMPLAINT_SIZE];
    struct buf plain;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_init(&plain);
    format_text(&plain, text, true, NULL); /* newlines too: each complaint is one line of a log */
    fplainf(stderr, "carbonctl: %s\n", buf_failed(&plain) ? "out of memory" : plain.data);
    buf_free(&plain);
}

const char *own_node_name(void)
{
    static char host[NODE_NAME_SIZE];
    const char *named = getenv("SLURMD_NODENAME");

    if (named && named[0])
        return named;
    if (gethostname(host, sizeof(host)) < 0 || host[0] == '\0')
        return "localhost";
    host[sizeof(host) - 1] = '\0';
    host[strcspn(host, ".")] = '\0';
    return host;
}

const char *own_user_name(void)
{
    static char name[64];
    const char *behind = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *user = getpwuid(geteuid());

    if (user && behind)
        snprintf(name, sizeof(name), "%s (sudo by %s)", user->pw_name, behind);
    else if (user)
        snprintf(name, sizeof(name), "%s", user->pw_name);
    else
        snprintf(name, sizeof(name), "uid %ld", (long)geteuid());
    return name;
}

int check_reason(const char *command, const char *reason)
{
    char room[4 * REASON_SIZE];
    struct buf buf;

    if (!reason || reason[0] == '\0') {
        complain("%s: say why, by --reason TEXT: audit will show it", command);
        return EXIT_ERROR;
    }
    buf_init_fixed(&buf, room, sizeof(room));
    format_text(&buf, reason, true, NULL);
    if (strlen(reason) < REASON_SIZE && strcmp(room, reason) == 0)
        return 0;
    complain("%s: --reason is one line of at most %d bytes of text", command, REASON_SIZE - 1);
    return EXIT_ERROR;
}

int load_conf(struct conf *ret_conf, struct conf_origin *origin)
{
    struct error err = { "" };
    char path[PATH_MAX];
    int rc;

    conf_find(conf_named, path);
    rc = conf_load(path, own_node_name(), ret_conf, origin, &err);
    if (rc < 0)
        complain("%s", err.text);
    return rc;
}

/* --- writing the database -------------------------------------------------------------------- */

static void say_that_it_waits(const char *holder, int patience_ms)
{
    if (isatty(STDERR_FILENO))
        complain("the database is being written by %s; waiting up to %d s", holder,
                 patience_ms / 1000);
}

struct store_turn writer_turn(const char *who)
{
    return (struct store_turn){ .who = who, .patience_ms = (int)wait_s * 1000,
                                .waits = say_that_it_waits };
}

/* --- options --------------------------------------------------------------------------------- */

static void print_parts(const struct command *command)
{
    for (size_t i = 0; command->parts && command->parts[i]; i++)
        plainf("  carbonctl %-18s %s\n", command->parts[i]->name, command->parts[i]->summary);
    if (command->parts)
        putchar('\n');
}

static void print_command_help(const struct command *command)
{
    plainf("Usage: carbonctl %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    print_parts(command);
    plainf("%s"
           "  -c, --config FILE  read FILE instead of carbon.conf beside slurm.conf\n"
           "  -h, --help         print this\n",
           command->help);
}

/* "+:c:hS:E:P": of a command's options those whose value is a capital letter */
static void write_short_options(const struct command *command, const struct option *options,
                                char *text, size_t size)
{
    struct buf buf;

    buf_init_fixed(&buf, text, size);
    /* What follows the name of a part is the part's; else options may follow operands. */
    buf_printf(&buf, "%s:c:h", command->parts ? "+" : "");
    for (; options->name; options++)
        if (options->val >= 'A' && options->val <= 'Z')
            buf_printf(&buf, "%c%s", options->val, options->has_arg ? ":" : "");
}

/* The option that getopt_long() will look at next, for messages. */
static const char *coming_option(int argc, char **argv)
{
    int at = optind > 0 ? optind : 1;

    while (at < argc && (argv[at][0] != '-' || argv[at][1] == '\0'))
        at++;
    return at < argc ? argv[at] : "";
}

static int take_wait(const struct command *command)
{
    if (parse_u32(optarg, 0, WAIT_MAX_S, &wait_s) == 0)
        return 0;
    complain("%s: --wait %.60s is no number of seconds; give 0 to %d", command->name, optarg,
             WAIT_MAX_S);
    return -EINVAL;
}

int next_option(const struct command *command, int argc, char **argv, const struct option *options)
{
    char letters[64];

    write_short_options(command, options, letters, sizeof(letters));
    for (;;) {
        const char *text = coming_option(argc, argv);
        int option = getopt_long(argc, argv, letters, options, NULL);

        if (option == OPTION_CONFIG) {
            conf_named = optarg;
            continue;
        }
        if (option == OPTION_WAIT) {
            if (take_wait(command) < 0)
                return '?';
            continue;
        }
        if (option == OPTION_HELP)
            print_command_help(command);
        if (option == ':')
            complain("%s: %.60s needs an argument; see carbonctl %s --help", command->name, text,
                     command->name);
        if (option == '?')
            complain("%s: option %.60s is not known; see carbonctl %s --help", command->name, text,
                     command->name);
        return option == ':' ? '?' : option;
    }
}

int refuse_operands(const struct command *command, int argc, char **argv)
{
    if (optind >= argc)
        return 0;
    complain("%s: nothing is known to do with '%.60s'; see carbonctl %s --help", command->name,
             argv[optind], command->name);
    return EXIT_ERROR;
}

int run_with_flag(const struct command *command, int argc, char **argv,
                  const struct option *options, int (*run)(const struct conf *conf, bool flag))
{
    bool flag = false;
    struct conf conf;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != options[0].val)
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        flag = true;
    }
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    return run(&conf, flag);
}

static const struct command *find_part(const struct command *command, const char *name)
{
    const char *second;

    for (size_t i = 0; command->parts[i]; i++) {
        second = strchr(command->parts[i]->name, ' ');
        if (second && strcmp(second + 1, name) == 0)
            return command->parts[i];
    }
    return NULL;
}

int run_part(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);
    const struct command *part;

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (optind >= argc) {
        complain("%s: say what to do; carbonctl %s --help lists it", command->name, command->name);
        return EXIT_ERROR;
    }
    part = find_part(command, argv[optind]);
    if (!part) {
        complain("%s: '%.60s' is not known; carbonctl %s --help lists what is", command->name,
                 argv[optind], command->name);
        return EXIT_ERROR;
    }
    argc -= optind;
    argv += optind;
    optind = 0; /* the part's options begin anew */
    return part->exec(part, argc, argv);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int print_help_of(char *const *words, int count)
{
    const struct command *command = find_command(words[0]);

    if (!command) {
        complain("help: '%.60s' is not a command; carbonctl --help lists them", words[0]);
        return EXIT_ERROR;
    }
    if (count > 1 && command->parts && find_part(command, words[1])) {
        command = find_part(command, words[1]);
        words++, count--;
    }
    if (count > 1) {
        complain("help: '%.60s' is no part of carbonctl %s; see carbonctl %s --help", words[1],
                 command->name, command->name);
        return EXIT_ERROR;
    }
    print_command_help(command);
    return EXIT_FINE;
}

/* --- the program ----------------------------------------------------------------------------- */

static int run_command(int argc, char **argv)
{
    const struct command *command = find_command(argv[0]);

    if (!command) {
        complain("'%.60s' is not a command; carbonctl --help lists them", argv[0]);
        return EXIT_ERROR;
    }
    optind = 0; /* the command's own options begin anew; 0 has glibc forget the first pass */
    return command->exec(command, argc, argv);
}

/* A full disk or a closed pipe shows only here. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE)
        complain("cannot write: %s", strerror(errno));
    return EXIT_ERROR;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "version", no_argument, NULL, 'V' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    char *const help[] = { (char *)"help", NULL };
    int option, at = 1;

    umask(022); /* each file is made with a mode of its own, whoever starts this */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:c:hV", options, NULL)) != -1) {
        if (option == 'V') {
            plainf("carbonctl %s\n", PACKAGE_VERSION);
            return finish(EXIT_FINE);
        }
        if (option == OPTION_HELP)
            return finish(run_command(1, (char **)help));
        if (option != OPTION_CONFIG) {
            complain("option %.60s %s; see carbonctl --help", argv[at],
                     option == ':' ? "needs an argument" : "is not known");
            return EXIT_ERROR;
        }
        conf_named = optarg;
        at = optind;
    }
    if (optind >= argc) {
        complain("give a command; carbonctl --help lists them");
        return EXIT_ERROR;
    }
    return finish(run_command(argc - optind, argv + optind));
}
