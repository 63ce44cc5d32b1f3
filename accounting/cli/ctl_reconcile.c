/*
 * carbonctl reconcile: what slurmdbd knows of jobs, by one call of sacct, into the books; and which
 * jobs only one of the two knows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/carbonctl.h"
#include "cli/dbd.h"
#include "core/clock.h"
#include "core/timespec.h"
#include "store/reconcile.h"
#include "store/store.h"

#define NAMED_MAX 10        /* jobs that are named of each kind */
#define BEFORE_S 3600       /* asked for what began so long before, too */
#define DELIVERED_S 3600    /* a run that ended longer ago should be in the books */

/* Runs of a kind: how many, and the first of them by name. */
struct runs {
    uint64_t count;
    char named[NAMED_MAX][96];
};

struct work {
    struct store *store;
    const char *file; /* --sacct-file, or NULL */
    int64_t from_s, now_s;
    const char *own_cluster;
    uint64_t joined, not_begun, too_new, elsewhere;
    struct runs missing, strange;
    struct error *err;
};

static void name_run(struct runs *runs, const char *cluster, int64_t job_id, int64_t begin_s,
                     const char *state)
{
    char begin[TIMESPEC_SIZE];

    if (runs->count++ >= NAMED_MAX)
        return;
    timespec_format(begin_s, NULL, begin_s, begin);
    snprintf(runs->named[runs->count - 1], sizeof(runs->named[0]), "%.24s job %" PRId64
             ", begun %.24s%s%.16s", cluster, job_id, begin, state[0] ? ", " : "", state);
}

static int take(void *arg, const struct dbd_job *job)
{
    struct work *work = arg;
    enum reconcile_outcome outcome;
    int rc = reconcile_job(work->store, job, work->now_s, &outcome, NULL, work->err);

    if (rc < 0)
        return rc;
    work->joined += outcome == RECONCILE_JOINED;
    work->not_begun += outcome == RECONCILE_NOT_BEGUN;
    if (outcome != RECONCILE_MISSING || job->start_s < work->from_s)
        return 0;
    rc = reconcile_is_here(work->store, work->own_cluster, job, work->err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        work->elsewhere++;
    else if (job->end_s < 0 || job->end_s > work->now_s - DELIVERED_S)
        work->too_new++;
    else
        name_run(&work->missing, job->cluster, job->job_id, job->start_s, job->state);
    return 0;
}

static void tell_rest(void *arg, const struct books_only *run)
{
    struct work *work = arg;

    name_run(&work->strange, run->cluster, run->job_id, run->begin_s, "");
}

static void print_runs(const struct runs *runs, const char *what)
{
    if (!runs->count)
        return;
    plainf("%s: %" PRIu64 "\n", what, runs->count);
    for (size_t i = 0; i < runs->count && i < NAMED_MAX; i++)
        plainf("  %s\n", runs->named[i]);
    if (runs->count > NAMED_MAX)
        plainf("  and %" PRIu64 " more\n", runs->count - NAMED_MAX);
}

static void print_report(const struct work *work)
{
    char from[TIMESPEC_SIZE];

    timespec_format(work->from_s, NULL, work->now_s, from);
    plainf("runs of jobs since %s, as slurmdbd has them\n"
           "joined to the books: %" PRIu64 "\n", from, work->joined);
    if (work->not_begun)
        plainf("never began: %" PRIu64 "\n", work->not_begun);
    if (work->elsewhere)
        plainf("of clusters that are not in this database: %" PRIu64 "\n", work->elsewhere);
    if (work->too_new)
        plainf("running, or over for less than an hour, and not in the books yet: %" PRIu64 "\n",
               work->too_new);
    print_runs(&work->missing, "known to slurmdbd, not in the books (was the plugin on their "
               "nodes, and carbon-meterd alive?)");
    print_runs(&work->strange, "in the books, not known to slurmdbd (yet)");
}

/* slurmdbd is asked before the books are locked: it may take minutes. */
static int find_begin(const struct conf *conf, struct work *work, struct error *err)
{
    struct store *store;
    int64_t from_s;
    int rc = store_open(conf->database, STORE_READ, NULL, &store, err);

    if (rc < 0)
        return rc;
    rc = reconcile_from(store, work->now_s, &from_s, err);
    store_close(store);
    if (rc == 0 && work->from_s < 0)
        work->from_s = from_s >= 0 ? from_s : work->now_s;
    return rc;
}

static int reconcile(const struct conf *conf, struct work *work, struct error *err)
{
    const struct store_turn turn = writer_turn("carbonctl reconcile");
    FILE *file = NULL;
    int rc;

    work->own_cluster = conf->cluster_name;
    rc = find_begin(conf, work, err);
    if (rc == 0)
        rc = dbd_open(work->file, work->from_s - BEFORE_S, work->now_s, &file, err);
    if (rc < 0)
        return rc;
    rc = store_open_in_turn(conf->database, &turn, &work->store, err);
    if (rc == 0)
        rc = store_begin(work->store, err);
    if (rc == 0)
        rc = reconcile_begin(work->store, err);
    if (rc == 0)
        rc = dbd_read(file, work->file ? work->file : "sacct", take, work, err);
    if (rc == 0)
        rc = reconcile_rest(work->store, work->from_s, tell_rest, work, err);
    if (rc == 0)
        rc = store_commit(work->store, err);
    store_close(work->store);
    fclose(file);
    return rc;
}

static int reconcile_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "starttime", required_argument, NULL, 'S' },
        { "sacct-file", required_argument, NULL, 'f' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct error err = { "" };
    struct work work = { .from_s = -1, .now_s = clock_wall_ns() / (int64_t)NS_PER_S, .err = &err };
    struct conf conf;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option == 'S' && timespec_parse(optarg, work.now_s, &work.from_s, &err) < 0) {
            complain("--starttime: %s", err.text);
            return EXIT_ERROR;
        } else if (option == 'f') {
            work.file = optarg;
        } else if (option != 'S') {
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        }
    }
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    if (reconcile(&conf, &work, &err) < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    print_report(&work);
    return EXIT_FINE;
}

const struct command command_reconcile = {
    .name = "reconcile",
    .usage = "[--starttime TIME] [--sacct-file FILE] [OPTIONS]",
    .summary = "take what slurmdbd knows of jobs into the books, and say which job only one has",
    .help = "Account, QOS, state, name, submit time, TRES, and relations of arrays and\n"
            "heterogeneous jobs. One call of sacct asks for all runs since the earliest of the\n"
            "last 30 days that slurmdbd has not said its last of; who calls it must see all\n"
            "users' jobs in sacct. Energy is not touched.\n\n"
            "  -S, --starttime TIME\n"
            "                     ask for jobs since then, a time as sacct takes it\n"
            "  --sacct-file FILE  read what `sacct -P` printed, instead of calling sacct\n"
            WAIT_HELP,
    .exec = reconcile_exec,
};
