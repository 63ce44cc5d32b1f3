#include "cli/sacct_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/parse.h"
#include "report/columns.h"

#define FIELD_COLUMN 21

enum {
    OPT_DELIMITER = 256, OPT_UNITS, OPT_NOCONVERT, OPT_JSON, OPT_STRICT, OPT_CONFIG, OPT_USAGE,
    OPT_UID, OPT_FACTOR_SET, OPT_PROFILE,
    OPT_BY, OPT_GRID, OPT_GCO2, OPT_COMPARE, OPT_EXPLAIN,
};

const struct cli_option sacct_option_table[] = {
    { 'j', "jobs", "LIST", "these jobs and steps: 123, 123.0, 123.batch, 123_4, 123_[1-4], 123+1, "
      "SLUIDs; the same as naming them without -j" },
    { 'u', "user", "LIST", "jobs of these users, by name or number" },
    { OPT_UID, "uid", "LIST", "the same as --user" },
    { 'a', "allusers", NULL, "jobs of all users; else your own, unless you are root" },
    { 'A', "accounts", "LIST", "jobs of these accounts, and what is left of the "
      "budgets that they count in (inventory.conf)" },
    { 'r', "partition", "LIST", "jobs in these partitions" },
    { 'q', "qos", "LIST", "jobs of these qualities of service" },
    { 'M', "clusters", "LIST", "jobs of these clusters, or all; else of ClusterName in "
      "carbon.conf, where the database has it" },
    { 'N', "nodelist", "HOSTS", "jobs that ran on any of these nodes: n[1-4,7]" },
    { 's', "state", "LIST", "jobs in these states: RUNNING, COMPLETED, FAILED, NODE_FAIL, UNKNOWN, "
      "or R, CD, F, NF, UN" },
    { 'S', "starttime", "TIME", "jobs that ran after this; else midnight, with -j any time: "
      "2026-11-23[T04:06[:00]], 11/23[/26], 04:06, today, noon, now-2days" },
    { 'E', "endtime", "TIME", "jobs that ran before this; else now" },
    { 'T', "truncate", NULL, "times and energy inside of -S and -E only, which are full hours "
      "then" },
    { 'D', "duplicates", NULL, "all runs of a job that was requeued, and all jobs of one number; "
      "else the newest" },
    { 'X', "allocations", NULL, "jobs without their steps" },
    { 'o', "format", "FIELDS", "these fields, each with %N for N columns to the right or %-N to "
      "the left; else those of SACCT_CARBON_FORMAT; ALL is all" },
    { 'e', "helpformat", NULL, "list the fields" },
    { 'n', "noheader", NULL, "a table without header and summary" },
    { 'p', "parsable", NULL, "fields between |, with one at the end" },
    { 'P', "parsable2", NULL, "fields between |, with none at the end" },
    { OPT_DELIMITER, "delimiter", "TEXT", "this instead of | with -p or -P" },
    { OPT_JSON, "json", NULL, "everything as JSON, units in the keys" },
    { OPT_PROFILE, "profile", "[=FORM]", "one job's power over time, by component; -N, -S and -E "
      "say of which nodes and when; FORM is text (unless you say), csv or svg; "
      "--json goes too" },
    { OPT_BY, "by", "PERIOD", "a row for each hour (UTC), day (local time) or month (UTC) of each "
      "job" },
    { OPT_EXPLAIN, "explain", NULL, "the whole calculation of a job's emissions, line by line, "
      "with every factor and its source; --by hour or --by day says how fine" },
    { OPT_COMPARE, "compare", NULL, "what else emits as much: flights, kilometres by car" },
    { OPT_GRID, "grid", "ZONE", "what if the grid were this zone's: carbonctl grid list" },
    { OPT_GCO2, "gco2", "N", "what if the grid emitted N grams of CO2e per kWh" },
    { OPT_UNITS, "units", "UNIT", "energy in this unit: J, kJ, MJ, Wh, kWh, MWh or GWh" },
    { OPT_NOCONVERT, "noconvert", NULL, "J, W and g, however large" },
    { OPT_FACTOR_SET, "factor-set", "N", "grams by this factor set; else by the newest: carbonctl "
      "factors list" },
    { OPT_STRICT, "strict", NULL, "exit with 3 when the data of a job is incomplete" },
    { OPT_CONFIG, "config", "FILE", "instead of carbon.conf" },
    { 'v', "verbose", NULL, "say on standard error what is read" },
    { 'V', "version", NULL, "print the version" },
    { 'h', "help", NULL, "print this" },
    { OPT_USAGE, "usage", NULL, "print a shorter one" },
    { 0, NULL, NULL, NULL },
};

/* --- lists ------------------------------------------------------------------------------------ */

static int add_text(struct hostlist *list, const char *text, size_t len, struct error *err)
{
    char **names = realloc(list->names, (list->count + 1) * sizeof(*names));

    if (!names)
        return error_set(err, -ENOMEM, "no memory for the options");
    list->names = names;
    names[list->count] = strndup(text, len);
    if (!names[list->count])
        return error_set(err, -ENOMEM, "no memory for the options");
    list->count++;
    return 0;
}

/* Names between commas */
static int add_list(struct hostlist *list, const char *text, const char *option, struct error *err)
{
    int rc = 0;

    for (const char *at = text; rc == 0; at++) {
        size_t len = strcspn(at, ",");

        if (len == 0)
            return error_set(err, -EINVAL, "--%s: an empty name in \"%.40s\": write names between "
                             "commas", option, text);
        rc = add_text(list, at, len, err);
        at += len;
        if (*at == '\0')
            break;
    }
    return rc;
}

static int add_uid(struct sacct_options *options, uint32_t uid, struct error *err)
{
    uint32_t *uids = realloc(options->uids, (options->n_uids + 1) * sizeof(*uids));

    if (!uids)
        return error_set(err, -ENOMEM, "no memory for the options");
    options->uids = uids;
    uids[options->n_uids++] = uid;
    return 0;
}

static int add_users(struct sacct_options *options, const char *text, struct error *err)
{
    struct hostlist list = { 0 };
    uint32_t uid;
    int rc = add_list(&list, text, "user", err);

    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        if (parse_u32(list.names[i], 0, UINT32_MAX, &uid) == 0)
            rc = add_uid(options, uid, err);
        else
            rc = add_text(&options->users, list.names[i], strlen(list.names[i]), err);
    }
    hostlist_clear(&list);
    return rc;
}

static int add_state(struct sacct_options *options, const char *name, struct error *err)
{
    const struct state *state = state_find(name);
    const struct state **grown;

    if (!state)
        return error_set(err, -EINVAL, "--state: \"%.40s\" is no state: write RUNNING, COMPLETED, "
                         "FAILED, NODE_FAIL, UNKNOWN or another of Slurm's", name);
    grown = realloc(options->states, (options->n_states + 1) * sizeof(*grown));
    if (!grown)
        return error_set(err, -ENOMEM, "no memory for the options");
    options->states = grown;
    grown[options->n_states++] = state;
    return 0;
}

static int add_states(struct sacct_options *options, const char *text, struct error *err)
{
    struct hostlist list = { 0 };
    int rc = add_list(&list, text, "state", err);

    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = add_state(options, list.names[i], err);
    hostlist_clear(&list);
    return rc;
}

static int set_output(struct sacct_options *options, enum sacct_output output, struct error *err)
{
    if (options->output != SACCT_TABLE && options->output != output)
        return error_set(err, -EINVAL, "-p, -P and --json exclude each other: write one");
    options->output = output;
    return 0;
}

static int set_unit(struct sacct_options *options, const char *name, struct error *err)
{
    options->energy_unit = unit_find(energy_units, name);
    if (!options->energy_unit)
        return error_set(err, -EINVAL, "--units: \"%.20s\": write J, kJ, MJ, Wh, kWh, MWh or GWh "
                         "(the unit is of energy here, not of memory)", name);
    return 0;
}

static int set_delimiter(struct sacct_options *options, const char *text, struct error *err)
{
    options->delimiter = text;
    return cli_check_delimiter(text, err);
}

static int set_factor_set(struct sacct_options *options, const char *text, struct error *err)
{
    if (parse_i64(text, 1, INT64_MAX, &options->factor_set) < 0)
        return error_set(err, -EINVAL, "--factor-set: \"%.20s\" is no number of a factor set; "
                         "carbonctl factors list has them", text);
    return 0;
}

static int set_by(struct sacct_options *options, const char *text, struct error *err)
{
    for (unsigned i = PARTS_HOUR; parts_by_names[i]; i++) {
        if (strcasecmp(text, parts_by_names[i]) == 0) {
            options->by = (enum parts_by)i;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "--by: \"%.20s\": write hour, day or month", text);
}

static int set_gco2(struct sacct_options *options, const char *text, struct error *err)
{
    if (parse_decimal(text, 6, UG_PER_KWH_MAX, &options->gco2_ug_per_kwh) < 0)
        return error_set(err, -EINVAL, "--gco2: \"%.20s\": write grams of CO2e per kWh, 0 to 2000, "
                         "such as 57", text);
    options->has_gco2 = true;
    return 0;
}

static int set_profile(struct sacct_options *options, const char *form, struct error *err)
{
    static const char *const forms[] = { "text", "csv", "svg" };

    options->profile = form ? SACCT_PROFILE_NONE : SACCT_PROFILE_TEXT;
    for (unsigned i = 0; form && i < sizeof(forms) / sizeof(*forms); i++)
        if (strcasecmp(form, forms[i]) == 0)
            options->profile = (enum sacct_profile_form)(SACCT_PROFILE_TEXT + i);
    if (options->profile == SACCT_PROFILE_NONE)
        return error_set(err, -EINVAL, "--profile=%.20s: write --profile, --profile=csv or "
                         "--profile=svg, or --profile --json", form);
    return 0;
}

/* --- the command line ------------------------------------------------------------------------- */

static int take_list(struct sacct_options *options, int code, const char *text, struct error *err)
{
    switch (code) {
    case 'j':
        return jobid_list_add(&options->jobs, text, err);
    case 'u':
    case OPT_UID:
        return add_users(options, text, err);
    case 'A':
        return add_list(&options->accounts, text, "accounts", err);
    case 'r':
        return add_list(&options->partitions, text, "partition", err);
    case 'q':
        return add_list(&options->qos, text, "qos", err);
    case 'M':
        return add_list(&options->clusters, text, "clusters", err);
    case 'N':
        return error_prefix(err, hostlist_expand(text, &options->nodes, err), "--nodelist");
    default:
        return add_states(options, text, err);
    }
}

static void take_flag(struct sacct_options *options, int code)
{
    options->all_users |= code == 'a';
    options->truncate |= code == 'T';
    options->duplicates |= code == 'D';
    options->allocations |= code == 'X';
    options->no_header |= code == 'n';
    options->base_units |= code == OPT_NOCONVERT;
    options->strict |= code == OPT_STRICT;
    options->compare |= code == OPT_COMPARE;
    options->explain |= code == OPT_EXPLAIN;
    options->verbose += code == 'v';
}

static int take(struct sacct_options *options, int code, const char *text, struct error *err)
{
    switch (code) {
    case 'S':
        options->start = text;
        return 0;
    case 'E':
        options->end = text;
        return 0;
    case 'o':
        buf_printf(&options->format, "%s%s", options->format.len > 0 ? "," : "", text);
        return buf_failed(&options->format) ? error_set(err, -ENOMEM, "no memory for fields") : 0;
    case 'p':
        return set_output(options, SACCT_PARSABLE, err);
    case 'P':
        return set_output(options, SACCT_PARSABLE_BARE, err);
    case OPT_JSON:
        return set_output(options, SACCT_JSON, err);
    case OPT_PROFILE:
        return set_profile(options, text, err);
    case OPT_DELIMITER:
        return set_delimiter(options, text, err);
    case OPT_UNITS:
        return set_unit(options, text, err);
    case OPT_FACTOR_SET:
        return set_factor_set(options, text, err);
    case OPT_CONFIG:
        options->config = text;
        return 0;
    case OPT_BY:
        return set_by(options, text, err);
    case OPT_GRID:
        options->grid = text;
        return 0;
    case OPT_GCO2:
        return set_gco2(options, text, err);
    case 'e':
        options->action = SACCT_HELPFORMAT;
        return 0;
    case 'V':
        options->action = SACCT_VERSION;
        return 0;
    case 'h':
        options->action = SACCT_HELP;
        return 0;
    case OPT_USAGE:
        options->action = SACCT_USAGE;
        return 0;
    default:
        if (text)
            return take_list(options, code, text, err);
        take_flag(options, code);
        return 0;
    }
}

static int check_profile(const struct sacct_options *options, struct error *err)
{
    if (options->jobs.count != 1)
        return error_set(err, -EINVAL, "--profile shows one job: name %s", options->jobs.count
                         ? "no other beside it" : "it");
    if (options->format.len > 0 || options->no_header || options->output == SACCT_PARSABLE ||
        options->output == SACCT_PARSABLE_BARE)
        return error_set(err, -EINVAL, "-o, -n, -p and -P are of tables of jobs: for a table of "
                         "minutes write --profile=csv");
    if (options->output == SACCT_JSON && options->profile != SACCT_PROFILE_TEXT)
        return error_set(err, -EINVAL, "--profile=csv, --profile=svg and --json exclude each "
                         "other: write one");
    if (options->factor_set || options->energy_unit)
        return error_set(err, -EINVAL, "--factor-set is of grams and --units of energy, and a "
                         "profile is of power: leave them out");
    if (options->truncate)
        return error_set(err, -EINVAL, "--truncate: with --profile -S and -E cut at minutes "
                         "already: leave it out");
    return 0;
}

static int check_explain(const struct sacct_options *options, struct error *err)
{
    if (options->jobs.count == 0)
        return error_set(err, -EINVAL, "--explain: name the job: sacct-carbon --explain 123");
    if (options->format.len > 0 || options->output != SACCT_TABLE || options->no_header)
        return error_set(err, -EINVAL, "--explain is text for reading: leave out -o, -n, -p, -P "
                         "and --json; --json --by hour has its figures for programs");
    if (options->energy_unit || options->base_units)
        return error_set(err, -EINVAL, "--explain has joules and grams: leave out --units and "
                         "--noconvert");
    if (options->by == PARTS_MONTH)
        return error_set(err, -EINVAL, "--explain: write --by hour or --by day");
    return 0;
}

/* Of the options that this version of sacct has not. */
static int check_carbon(const struct sacct_options *options, struct error *err)
{
    bool parsable = options->output == SACCT_PARSABLE || options->output == SACCT_PARSABLE_BARE;

    if (options->profile != SACCT_PROFILE_NONE &&
        (options->by || options->grid || options->has_gco2 || options->compare || options->explain))
        return error_set(err, -EINVAL, "--by, --grid, --gco2, --compare and --explain are of "
                         "emissions, and a profile is of power: leave them out");
    if (options->grid && options->has_gco2)
        return error_set(err, -EINVAL, "--grid and --gco2 exclude each other: write one");
    if (options->compare && (parsable || options->no_header || options->format.len > 0))
        return error_set(err, -EINVAL, "--compare goes with a card, the default table or --json: "
                         "leave out -o, -n, -p and -P");
    for (size_t i = 0; (options->by || options->explain) && i < options->jobs.count; i++)
        if (options->jobs.ids[i].has_step)
            return error_set(err, -EINVAL, "--%s is of whole jobs: name no step",
                             options->explain ? "explain" : "by");
    return options->explain ? check_explain(options, err) : 0;
}

static int check(const struct sacct_options *options, struct error *err)
{
    if (check_carbon(options, err) < 0)
        return -EINVAL;
    if (options->profile != SACCT_PROFILE_NONE && check_profile(options, err) < 0)
        return -EINVAL;
    if (options->delimiter && options->output != SACCT_PARSABLE &&
        options->output != SACCT_PARSABLE_BARE)
        return error_set(err, -EINVAL, "--delimiter goes with -p or -P: write one of them too");
    if (options->format.len > 0 && options->output == SACCT_JSON)
        return error_set(err, -EINVAL, "--json has all fields: leave out --format");
    if (options->output == SACCT_JSON && options->no_header)
        return error_set(err, -EINVAL, "--json has no header: leave out --noheader");
    if (options->output == SACCT_JSON && (options->energy_unit || options->base_units))
        return error_set(err, -EINVAL, "--json has its units in the keys: leave out --units and "
                         "--noconvert");
    if (options->energy_unit && options->base_units)
        return error_set(err, -EINVAL, "--units and --noconvert exclude each other: write one");
    return 0;
}

int sacct_options_parse(int argc, char **argv, struct sacct_options *ret, struct error *err)
{
    struct cli_getopt known;
    int code, rc = 0;

    *ret = (struct sacct_options){ 0 };
    buf_init(&ret->format);
    cli_options_describe(sacct_option_table, &known);
    opterr = 0;
    optind = 1;
    while (rc == 0 && (code = getopt_long(argc, argv, known.shorts, known.longs, NULL)) != -1) {
        if (code == '?' || code == ':')
            rc = cli_options_refuse("sacct-carbon", code, argv, err);
        else
            rc = take(ret, code, optarg, err);
        if (rc == 0 && ret->action != SACCT_QUERY)
            return 0;
    }
    for (int i = optind; rc == 0 && i < argc; i++)
        rc = jobid_list_add(&ret->jobs, argv[i], err);
    return rc < 0 ? rc : check(ret, err);
}

void sacct_options_clear(struct sacct_options *options)
{
    jobid_list_clear(&options->jobs);
    hostlist_clear(&options->users);
    hostlist_clear(&options->accounts);
    hostlist_clear(&options->partitions);
    hostlist_clear(&options->qos);
    hostlist_clear(&options->clusters);
    hostlist_clear(&options->nodes);
    free(options->uids);
    free(options->states);
    buf_free(&options->format);
    *options = (struct sacct_options){ 0 };
}

/* --- help ------------------------------------------------------------------------------------- */

void sacct_options_help(struct buf *buf)
{
    buf_printf(buf, "Usage: sacct-carbon [OPTION]... [JOB]...\n\n"
                    "Energy and CO2e of Slurm jobs. One job gives a card, several a table, in which"
                    " steps are\nparts of their job. Options are sacct's.\n\n");
    cli_options_help(sacct_option_table, buf);
    buf_printf(buf, "\nExit: 0 fine, also when nothing was found; 1 an error; 2 every named job is "
                    "unknown;\n3 with --strict: data is incomplete.\n"
                    "Environment: SACCT_CARBON_FORMAT, SLURM_TIME_FORMAT (standard, relative or a "
                    "strftime format),\nSLURM_CARBON_CONF, NO_COLOR, TZ.\n");
}

void sacct_options_usage(struct buf *buf)
{
    cli_options_usage("sacct-carbon", sacct_option_table, "[JOB]...", buf);
}

void sacct_options_helpformat(struct buf *buf)
{
    for (const struct column *column = columns; column->name; column++) {
        buf_printf(buf, "%-*s", FIELD_COLUMN, column->name);
        cli_wrap(buf, column->help, FIELD_COLUMN);
    }
}
