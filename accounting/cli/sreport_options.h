/*
 * sreport_options.h - what sreport-carbon is asked
 */
#ifndef CARBON_CLI_SREPORT_OPTIONS_H
#define CARBON_CLI_SREPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/embodied.h"
#include "cli/options.h"
#include "core/buf.h"
#include "core/error.h"

/* The master copy: parser, --help, --usage and the tests read this table. */
extern const struct cli_option sreport_option_table[]; /* ends with name NULL */

enum sreport_action { SREPORT_REPORT, SREPORT_HELP, SREPORT_USAGE, SREPORT_VERSION };
enum sreport_output { SREPORT_TEXT, SREPORT_PARSABLE, SREPORT_PARSABLE_BARE, SREPORT_JSON,
                      SREPORT_HTML };

#define SREPORT_SECTIONS_MAX 16

/* Texts are of argv, or of static tables. */
struct sreport_options {
    enum sreport_action action;
    enum sreport_output output;
    const char *month, *start, *end; /* as written */
    const char *cluster, *config, *delimiter;
    const char *csv_dir;
    const char *html_file;           /* NULL: none, or standard output */
    const char *sections[SREPORT_SECTIONS_MAX]; /* NULL ends them; none: all */
    int64_t factor_set;              /* 0: the newest */
    bool has_mode;
    enum embodied_mode mode;
    size_t n_top;
    bool no_header, strict;
    unsigned verbose;
};

/* Read the command line. -EINVAL with what is wrong and what to write. Keeps pointers into argv. */
MUST_CHECK int sreport_options_parse(int argc, char **argv, struct sreport_options *ret,
                                     struct error *err);

void sreport_options_help(struct buf *buf);
void sreport_options_usage(struct buf *buf);

#endif
