/*
 * question.h - a command line of sacct-carbon or sreport-carbon, and what of its surroundings
 * changes what it prints, as JSON
 */
#ifndef CARBON_CARBOND_QUESTION_H
#define CARBON_CARBOND_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "carbond/piece.h"
#include "cli/options.h"
#include "cli/screen.h"

#define QUESTION_ARGUMENTS_MAX 4096
#define QUESTION_TEXT_SIZE 256

struct question {
    const char *tool;       /* "sacct-carbon", "sreport-carbon": of a static table */
    char **arguments;       /* without the tool's name; ends with NULL */
    size_t n_arguments;
    bool csv, html;         /* --csv and --html FILE, which the client writes itself */
    bool colour, utf8;      /* what its terminal and its locale can show */
    unsigned columns;       /* of its terminal; 0: unknown */
    char zone[QUESTION_TEXT_SIZE];        /* TZ; "": unknown */
    char time_format[QUESTION_TEXT_SIZE]; /* SLURM_TIME_FORMAT; "": unset */
    char *format;           /* SACCT_CARBON_FORMAT; NULL or "": unset */
};

/* The tools that may be asked, and their options. */
struct question_tool {
    const char *name;
    const struct cli_option *options;
};
extern const struct question_tool question_tools[]; /* ends with name NULL */
const struct question_tool *question_tool_find(const char *name); /* NULL: none */

/* As a piece holds it. -E2BIG with what to do; -EINVAL where an argument is no UTF-8; -ENOMEM. */
MUST_CHECK int question_write(const struct question *question, struct buf *buf, struct error *err);

/*
 * Strictly: -EBADMSG for anything else than what question_write() writes, -EPERM for a command line
 * with an option that names a file, with what it is. Thread-safe. *ret is to be ended by
 * question_clear() in any case.
 */
MUST_CHECK int question_read(const char *bytes, size_t len, struct question *ret,
                             struct error *err);
void question_clear(struct question *question);

/* Whether TZ can be this: a name or a rule, and no file. */
bool question_is_zone(const char *text);

MUST_CHECK int question_add_argument(struct question *question, const char *text,
                                     struct error *err);

#endif
