/*
 * options.h - the command line of a tool: one table of options from which the parser, --help and
 * --usage are fed
 */
#ifndef CARBON_CLI_OPTIONS_H
#define CARBON_CLI_OPTIONS_H

#include <getopt.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define OPTIONS_MAX 64

struct cli_option {
    int code;             /* its letter, or a number above 255 */
    const char *name;     /* "jobs" */
    const char *argument; /* "LIST" in --help; "[=FORM]": may be left out; NULL: none */
    const char *help;
};

/* getopt's view of a table, which ends with name NULL. Messages are ours: the short form begins
   with a colon. */
struct cli_getopt {
    struct option longs[OPTIONS_MAX];
    char shorts[2 * OPTIONS_MAX];
};
void cli_options_describe(const struct cli_option *table, struct cli_getopt *ret);

/* What getopt_long() did not like: code is '?' or ':'. Always -EINVAL. */
int cli_options_refuse(const char *program, int code, char **argv, struct error *err);

/*
 * Hand on each option of a command line, with its value or NULL, and then each operand, with option
 * NULL; argv is permuted as getopt_long(3) does it. What `take` returns, if not 0, ends it. -EINVAL
 * where the line is none of this table's. Not for several threads at once.
 */
typedef int cli_option_taker(void *context, const struct cli_option *option, const char *value,
                             struct error *err);
MUST_CHECK int cli_options_walk(const struct cli_option *table, int argc, char **argv,
                                cli_option_taker *take, void *context, struct error *err);

/* Text in lines of 100, each but the first begun with `indent` blanks. */
void cli_wrap(struct buf *buf, const char *text, size_t indent);
/* The options' lines of --help */
void cli_options_help(const struct cli_option *table, struct buf *buf);
/* "Usage: PROGRAM [-a] [--b=B] … OPERANDS" */
void cli_options_usage(const char *program, const struct cli_option *table, const char *operands,
                       struct buf *buf);

/*
 * Whether fields can be told apart by this text of --delimiter: -EINVAL for none, and for one with
 * what escapes in names are written with, as names could add fields then.
 */
MUST_CHECK int cli_check_delimiter(const char *text, struct error *err);

#endif
