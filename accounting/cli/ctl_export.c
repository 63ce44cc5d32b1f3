/*
 * carbonctl export: a line for each run of a job that ended in a period, for other programs
 *
 * Jobs go through it by a few hundred, each few hundred read in a transaction of their own: neither
 * memory nor how long ingest waits grows with their number.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/carbonctl.h"
#include "core/clock.h"
#include "core/parse.h"
#include "core/timespec.h"
#include "report/export.h"
#include "report/job_rows.h"

#define FAR_S INT64_C(9000000000) /* after any job */

struct export {
    int64_t now_s, from_s, to_s, factor_set;
    bool json;
    struct store *store;
    struct job_rows *rows;
    struct buf out;
    struct error *err;
};

static int take(void *arg, const struct row *row)
{
    struct export *export = arg;

    return export->json ? export_json(row, &export->out, export->err)
                        : export_csv(row, &export->out, export->err);
}

/* What was written so far leaves; a reader that went away (head) is no error worth a word. */
static int flush_out(struct export *export)
{
    struct buf *out = &export->out;
    size_t len = out->len;
    bool written = len == 0 || fwrite(out->data, 1, len, stdout) == len;

    buf_free(out);
    buf_init(out);
    if (written)
        return 0;
    return error_set(export->err, errno == EPIPE ? -EPIPE : -EIO, "cannot write: %s",
                     strerror(errno));
}

/* The next few hundred; 0 when there are none left, else 1. */
static int export_some(struct export *export, struct query_place *place)
{
    struct query_result result = { .n_jobs = 0 };
    int rc = store_begin(export->store, export->err);
    bool any;

    if (rc == 0)
        rc = query_next_ended(export->store, export->from_s, export->to_s, place, &result,
                              export->err);
    any = result.n_jobs > 0;
    if (rc == 0 && any)
        rc = query_details(export->store, &result, 0, 0, FAR_S, export->err);
    if (rc == 0 && any)
        rc = job_rows_each(export->rows, export->store, &result, take, export, export->err);
    store_rollback(export->store);
    query_clear(&result);
    if (rc == 0)
        rc = flush_out(export);
    return rc < 0 ? rc : any;
}

static int export_all(struct export *export)
{
    struct query_place place = { .begin_s = 0 };
    int rc;

    export->rows = job_rows_new(export->factor_set);
    if (!export->rows)
        return error_set(export->err, -ENOMEM, "no memory for the export");
    buf_init(&export->out);
    if (!export->json)
        export_csv_head(&export->out);
    do {
        rc = export_some(export, &place);
    } while (rc > 0);
    buf_free(&export->out);
    job_rows_free(export->rows);
    return rc;
}

static int take_option(struct export *export, int option, struct error *err)
{
    switch (option) {
    case 'S':
        return error_prefix(err, timespec_parse(optarg, export->now_s, &export->from_s, err),
                            "--starttime");
    case 'E':
        return error_prefix(err, timespec_parse(optarg, export->now_s, &export->to_s, err),
                            "--endtime");
    case 'f':
        export->json = strcasecmp(optarg, "jsonl") == 0;
        if (export->json || strcasecmp(optarg, "csv") == 0)
            return 0;
        return error_set(err, -EINVAL, "--format %.40s: write csv or jsonl", optarg);
    default:
        if (parse_i64(optarg, 1, INT64_MAX, &export->factor_set) == 0)
            return 0;
        return error_set(err, -EINVAL, "--set: \"%.20s\" is no number of a factor set; "
                         "carbonctl factors list has them", optarg);
    }
}

/* Until now, from midnight on, as sacct has it. */
static int default_times(struct export *export, struct error *err)
{
    int rc = 0;

    if (export->from_s < 0)
        rc = timespec_parse("midnight", export->now_s, &export->from_s, err);
    if (export->to_s < 0)
        export->to_s = export->now_s;
    if (rc == 0 && export->to_s < export->from_s)
        rc = error_set(err, -EINVAL, "--endtime is before --starttime (midnight, when it is not "
                       "named): write them in order");
    return rc;
}

static int export_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "starttime", required_argument, NULL, 'S' },
        { "endtime", required_argument, NULL, 'E' },
        { "format", required_argument, NULL, 'f' },
        { "set", required_argument, NULL, 's' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct error err = { "" };
    struct export export = { .now_s = clock_wall_ns() / (int64_t)NS_PER_S, .from_s = -1,
                             .to_s = -1, .err = &err };
    struct conf conf;
    int option, rc = 0;

    while (rc == 0 && (option = next_option(command, argc, argv, options)) != -1) {
        if (option == OPTION_HELP || option == '?')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        rc = take_option(&export, option, &err);
    }
    if (rc == 0 && refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    if (rc == 0)
        rc = default_times(&export, &err);
    if (rc == 0 && load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    if (rc == 0)
        rc = store_open(conf.database, STORE_READ, NULL, &export.store, &err);
    if (rc == 0)
        rc = export_all(&export);
    store_close(export.store);
    if (rc < 0 && rc != -EPIPE)
        complain("export: %s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

const struct command command_export = {
    .name = "export",
    .usage = "[--starttime TIME] [--endtime TIME] [--format csv|jsonl] [OPTIONS]",
    .summary = "print a line for each run of a job that ended in a period, for other programs",
    .help = "All users' jobs, with the figures of sacct-carbon and units in the names; what is\n"
            "not known is empty (CSV) or null (JSON). cluster, job_id_raw and submit_s are\n"
            "slurmdbd's key of a run; submit_s is known once `carbonctl reconcile` asked it.\n"
            "Always the same fields, in the order of the runs' begins.\n\n"
            "  -S, --starttime TIME\n"
            "                     runs that ended at this time or later (midnight unless told)\n"
            "  -E, --endtime TIME\n"
            "                     runs that ended before this time (now unless told)\n"
            "  --format csv|jsonl\n"
            "                     a table with a header (csv unless told), or an object a line\n"
            "  --set N            grams by this factor set, else by the newest\n",
    .exec = export_exec,
};
