/*
 * sacct_options.h - what sacct-carbon is asked: sacct's options, with sacct's meanings
 */
#ifndef CARBON_CLI_SACCT_OPTIONS_H
#define CARBON_CLI_SACCT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/jobid.h"
#include "cli/options.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/hostlist.h"
#include "report/parts.h"
#include "report/row.h"

/* The master copy: parser, --help, --usage and the tests read this table. */
extern const struct cli_option sacct_option_table[]; /* ends with name NULL */

enum sacct_action { SACCT_QUERY, SACCT_HELP, SACCT_USAGE, SACCT_HELPFORMAT, SACCT_VERSION };
enum sacct_profile_form {
    SACCT_PROFILE_NONE, SACCT_PROFILE_TEXT, SACCT_PROFILE_CSV, SACCT_PROFILE_SVG
};
enum sacct_output { SACCT_TABLE, SACCT_PARSABLE, SACCT_PARSABLE_BARE, SACCT_JSON };

/* Texts, malloc'ed, are in hostlists: names and how many. */
struct sacct_options {
    enum sacct_action action;
    struct jobid_list jobs;
    struct hostlist users, accounts, partitions, qos, clusters, nodes;
    uint32_t *uids;
    size_t n_uids;
    const struct state **states;
    size_t n_states;
    const char *start, *end; /* as written; of argv */
    struct buf format;       /* all -o, with commas between; data NULL: none */
    const char *delimiter, *config;
    int64_t factor_set;      /* 0: the newest */
    enum parts_by by;
    const char *grid;        /* --grid: what if the zone were this; NULL: it is as it was */
    bool has_gco2;           /* --gco2: what if the intensity were this */
    uint64_t gco2_ug_per_kwh;
    bool compare, explain;
    const struct unit *energy_unit;
    enum sacct_output output;
    enum sacct_profile_form profile; /* with SACCT_JSON: the profile as JSON */
    bool all_users, allocations, truncate, duplicates, no_header, base_units, strict;
    unsigned verbose;
};

/*
 * Read the command line. -EINVAL with what is wrong and what to write; -ENOMEM. To be ended with
 * sacct_options_clear() in any case. Keeps pointers into argv.
 */
MUST_CHECK int sacct_options_parse(int argc, char **argv, struct sacct_options *ret,
                                   struct error *err);
void sacct_options_clear(struct sacct_options *options);

void sacct_options_help(struct buf *buf);  /* --help */
void sacct_options_usage(struct buf *buf); /* --usage: one paragraph */
void sacct_options_helpformat(struct buf *buf); /* --helpformat: every field and what it means */

#endif
