#include "cli/sreport_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/parse.h"
#include "report/period_report.h"

#define TOP_USUAL 10
#define TOP_MAX 1000000

enum {
    OPT_MONTH = 256, OPT_FACTOR_SET, OPT_MODE, OPT_TOP, OPT_DELIMITER, OPT_JSON, OPT_CSV,
    OPT_HTML, OPT_SECTION, OPT_STRICT, OPT_USAGE,
};

const struct cli_option sreport_option_table[] = {
    { OPT_MONTH, "month", "YYYY-MM", "this month, in UTC; else the last full one. A month that "
      "goes on is reported up to the last delivered hour" },
    { 'S', "starttime", "TIME", "from this full UTC hour on: 2026-10-01[T00:00], 10/01[/26], "
      "now-7days, in your time zone (TZ)" },
    { 'E', "endtime", "TIME", "up to this full UTC hour; with -S alone: up to the last delivered "
      "hour" },
    { 'M', "cluster", "NAME", "this cluster; else ClusterName of carbon.conf" },
    { OPT_MODE, "mode", "MODE", "how manufacture is shared out: capacity (by what could be used, "
      "the rest is a line of its own), share (by what was used) or planned (by what was meant to "
      "be used); else EmbodiedMode of the factor set" },
    { OPT_FACTOR_SET, "factor-set", "N", "with an older set of factors (carbonctl factors list); "
      "else the newest" },
    { OPT_SECTION, "section", "LIST", "only these, whole: totals, account, user, partition, type, "
      "state, job, day, trend, asset, budget" },
    { OPT_TOP, "top", "N", "the N jobs that emitted most; else 10" },
    { 'p', "parsable", NULL, "fields between |, with one at the end; an empty line between "
      "sections; whole mg, mJ and ms" },
    { 'P', "parsable2", NULL, "fields between |, with none at the end" },
    { OPT_DELIMITER, "delimiter", "TEXT", "this instead of | with -p or -P" },
    { OPT_JSON, "json", NULL, "everything as JSON, units in the keys "
      "(docs/formats/sreport-carbon.schema.json)" },
    { OPT_CSV, "csv", "DIR", "write one CSV file a section into this directory too" },
    { OPT_HTML, "html", "FILE", "write a page to look at, to send and to print into this file too; "
      "- for standard output instead of the text" },
    { 'n', "noheader", NULL, "tables without the report's head and without headings" },
    { OPT_STRICT, "strict", NULL, "exit with 3 when something is missing: energy of a node or an "
      "hour, grams, manufacture" },
    { 'c', "config", "FILE", "instead of carbon.conf" },
    { 'v', "verbose", NULL, "say on standard error what is read" },
    { 'V', "version", NULL, "print the version" },
    { 'h', "help", NULL, "print this" },
    { OPT_USAGE, "usage", NULL, "print a shorter one" },
    { 0, NULL, NULL, NULL },
};

/* --- values ----------------------------------------------------------------------------------- */

static int take_mode(struct sreport_options *options, const char *text, struct error *err)
{
    for (int i = 0; embodied_mode_names[i]; i++) {
        if (strcasecmp(text, embodied_mode_names[i]) == 0) {
            options->mode = (enum embodied_mode)i;
            options->has_mode = true;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "--mode: \"%.40s\": write capacity, share or planned", text);
}

static int take_section(struct sreport_options *options, const char *name, size_t len,
                        struct error *err)
{
    size_t used = 0;

    while (options->sections[used])
        used++;
    for (size_t i = 0; period_report_sections[i]; i++) {
        const char *section = period_report_sections[i];

        if (strlen(section) != len || strncasecmp(section, name, len) != 0)
            continue;
        for (size_t j = 0; j < used; j++) {
            if (options->sections[j] == section)
                return 0;
        }
        options->sections[used] = section; /* there are fewer sections than room */
        return 0;
    }
    return error_set(err, -EINVAL, "--section: \"%.*s\": write totals, account, user, partition, "
                     "type, state, job, day, trend, asset or budget", (int)(len < 40 ? len : 40),
                     name);
}

static int take_sections(struct sreport_options *options, const char *text, struct error *err)
{
    int rc = 0;

    while (rc == 0) {
        size_t len = strcspn(text, ",");

        rc = take_section(options, text, len, err);
        text += len;
        if (*text++ == '\0')
            break;
    }
    return rc;
}

static int take_number(const char *option, const char *text, uint64_t min, uint64_t max,
                       uint64_t *ret, struct error *err)
{
    if (parse_u64(text, min, max, ret) == 0)
        return 0;
    return error_set(err, -EINVAL, "--%s: \"%.40s\": write a number from %llu to %llu", option,
                     text, (unsigned long long)min, (unsigned long long)max);
}

static int set_output(struct sreport_options *options, enum sreport_output output,
                      struct error *err)
{
    if (options->output != SREPORT_TEXT && options->output != output)
        return error_set(err, -EINVAL, "-p, -P, --json and --html - exclude each other: write one");
    options->output = output;
    return 0;
}

/* --- the command line ------------------------------------------------------------------------- */

static int take_text(struct sreport_options *options, int code, const char *text,
                     struct error *err)
{
    uint64_t number = 0;
    int rc = 0;

    switch (code) {
    case OPT_MODE:
        return take_mode(options, text, err);
    case OPT_SECTION:
        return take_sections(options, text, err);
    case OPT_FACTOR_SET:
        rc = take_number("factor-set", text, 1, INT64_MAX, &number, err);
        options->factor_set = (int64_t)number;
        return rc;
    case OPT_TOP:
        rc = take_number("top", text, 0, TOP_MAX, &number, err);
        options->n_top = (size_t)number;
        return rc;
    case OPT_DELIMITER:
        options->delimiter = text;
        return cli_check_delimiter(text, err);
    case OPT_HTML:
        if (strcmp(text, "-") == 0)
            return set_output(options, SREPORT_HTML, err);
        break;
    default:
        break;
    }
    *(code == OPT_MONTH ? &options->month : code == 'S' ? &options->start :
      code == 'E' ? &options->end : code == 'M' ? &options->cluster :
      code == OPT_CSV ? &options->csv_dir : code == OPT_HTML ? &options->html_file :
      &options->config) = text;
    return 0;
}

static int take(struct sreport_options *options, int code, const char *text, struct error *err)
{
    switch (code) {
    case 'p':
        return set_output(options, SREPORT_PARSABLE, err);
    case 'P':
        return set_output(options, SREPORT_PARSABLE_BARE, err);
    case OPT_JSON:
        return set_output(options, SREPORT_JSON, err);
    case 'V':
        options->action = SREPORT_VERSION;
        return 0;
    case 'h':
        options->action = SREPORT_HELP;
        return 0;
    case OPT_USAGE:
        options->action = SREPORT_USAGE;
        return 0;
    default:
        break;
    }
    if (text)
        return take_text(options, code, text, err);
    options->no_header |= code == 'n';
    options->strict |= code == OPT_STRICT;
    options->verbose += code == 'v';
    return 0;
}

static int check(const struct sreport_options *options, struct error *err)
{
    bool parsable = options->output == SREPORT_PARSABLE ||
                    options->output == SREPORT_PARSABLE_BARE;

    if (options->delimiter && !parsable)
        return error_set(err, -EINVAL, "--delimiter goes with -p or -P: write one of them too");
    if (options->month && (options->start || options->end))
        return error_set(err, -EINVAL, "--month and -S, -E exclude each other: write one");
    if (options->end && !options->start)
        return error_set(err, -EINVAL, "-E goes with -S: write when the report begins, too");
    if (options->sections[0] && options->output == SREPORT_JSON)
        return error_set(err, -EINVAL, "--json has all sections: leave out --section");
    if (options->sections[0] && options->output == SREPORT_HTML)
        return error_set(err, -EINVAL, "--html has all sections: leave out --section");
    if (options->no_header && options->output == SREPORT_HTML)
        return error_set(err, -EINVAL, "--html has its header: leave out -n");
    if (options->no_header && options->output == SREPORT_JSON)
        return error_set(err, -EINVAL, "--json has no header: leave out -n");
    return 0;
}

int sreport_options_parse(int argc, char **argv, struct sreport_options *ret, struct error *err)
{
    struct cli_getopt known;
    int code, rc = 0;

    *ret = (struct sreport_options){ .n_top = TOP_USUAL };
    cli_options_describe(sreport_option_table, &known);
    opterr = 0;
    optind = 1;
    while (rc == 0 && (code = getopt_long(argc, argv, known.shorts, known.longs, NULL)) != -1) {
        if (code == '?' || code == ':')
            rc = cli_options_refuse("sreport-carbon", code, argv, err);
        else
            rc = take(ret, code, optarg, err);
        if (rc == 0 && ret->action != SREPORT_REPORT)
            return 0;
    }
    if (rc == 0 && optind < argc)
        rc = error_set(err, -EINVAL, "\"%.40s\": sreport-carbon makes one report and takes options "
                       "alone: sreport-carbon --help", argv[optind]);
    return rc < 0 ? rc : check(ret, err);
}

/* --- help ------------------------------------------------------------------------------------- */

void sreport_options_help(struct buf *buf)
{
    buf_printf(buf, "Usage: sreport-carbon [OPTION]...\n\n"
                    "What a cluster emitted in a period: running and manufacture, by account, user,"
                    " partition,\nnode type and how jobs ended, with 13 months. It adds up: to the "
                    "millijoule and to the milligram.\n\n");
    cli_options_help(sreport_option_table, buf);
    buf_printf(buf, "\nExit: 0 fine; 1 an error, and no report; 2 no energy was recorded in the "
                    "period (the report is\nwritten all the same); 3 with --strict: something is "
                    "missing.\n"
                    "Environment: SLURM_CARBON_CONF, NO_COLOR, TZ.\n");
}

void sreport_options_usage(struct buf *buf)
{
    cli_options_usage("sreport-carbon", sreport_option_table, "", buf);
}
