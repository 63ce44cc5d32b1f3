/*
 * carbonctl.h - one command a file, one entry each in the table of carbonctl.c
 */
#ifndef CARBON_CLI_CARBONCTL_H
#define CARBON_CLI_CARBONCTL_H

#include <getopt.h>
#include <stdbool.h>

#include "cli/plainf.h"
#include "core/conf.h"
#include "store/store.h"

/* Exit statuses, as --help states them. */
enum {
    EXIT_FINE = 0,
    EXIT_ERROR = 1,      /* it could not be done; audit: energy is missing */
    EXIT_SET_ASIDE = 3,  /* ingest: done, but files were quarantined or left */
};

struct command {
    const char *name;
    const char *usage;   /* its options and operands */
    const char *summary; /* one line */
    const char *help;    /* lines on each option; may be "" */
    int (*exec)(const struct command *command, int argc, char **argv); /* the exit status */
    const struct command *const *parts; /* NULL: none; else ends with NULL, exec is run_part */
};

extern const struct command *const commands[]; /* ends with NULL */
extern const struct command command_audit, command_backfill, command_backup, command_compare,
    command_config, command_doctor, command_estimate, command_export, command_factors, command_grid,
    command_help, command_ingest, command_init, command_inventory, command_migrate_store,
    command_prune,
    command_quarantine, command_reconcile, command_repair, command_sensors, command_status;

/*
 * Every command takes --config and --help, and one that writes the database --wait; these are
 * their values for getopt_long().
 */
#define OPTION_WAIT 1
#define OPTION_CONFIG 'c'
#define OPTION_HELP 'h'
#define COMMON_OPTIONS \
    { "config", required_argument, NULL, OPTION_CONFIG }, { "help", no_argument, NULL, OPTION_HELP }
#define WRITER_OPTIONS { "wait", required_argument, NULL, OPTION_WAIT }, COMMON_OPTIONS
#define WAIT_HELP \
    "  --wait SECONDS     wait so long while another process writes (30 unless told)\n"

/*
 * The next option of a command, as getopt_long() gives it, after --config and --wait were noted;
 * -1 at the end of the options, '?' after an error was printed (return EXIT_ERROR), OPTION_HELP
 * after the help was (return EXIT_FINE). A value that is a capital letter is the option's
 * short form too. Operands may stand before options; at the end they follow optind.
 */
int next_option(const struct command *command, int argc, char **argv, const struct option *options);

/*
 * exec of a command that is made of parts, such as "grid import" and "grid list": the first operand
 * says which. A part's name is both words; it takes --config and --help as commands do, and its
 * argv begins with its second word.
 */
int run_part(const struct command *command, int argc, char **argv);

/* The help of a command, or of a part of one, named by its words; EXIT_ERROR when there is none. */
int print_help_of(char *const *words, int count);

/* 0, or EXIT_ERROR after a message, when something follows the options. */
int refuse_operands(const struct command *command, int argc, char **argv);

/*
 * exec of a command that takes no operands and one flag of its own, options[0]: run() says the exit
 * status, told whether the flag was given.
 */
int run_with_flag(const struct command *command, int argc, char **argv,
                  const struct option *options, int (*run)(const struct conf *conf, bool flag));

/* carbon.conf as --config, the environment or its usual place say. Prints what is wrong. */
int load_conf(struct conf *ret_conf, struct conf_origin *origin);

/* As --wait says; on a terminal it is said that the command waits. `who` is the command. */
struct store_turn writer_turn(const char *who);

/* The node's name, or the short host name; never "". */
const char *own_node_name(void);

/* Who gives the command, for the books: "root (sudo by alice)"; never "". */
const char *own_user_name(void);

/* 0, or EXIT_ERROR after a message, when --reason of a command is no line of text, or NULL. */
int check_reason(const char *command, const char *reason);

/* "carbonctl: <text>" on the error output. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
