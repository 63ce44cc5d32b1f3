#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "cli/factors_update.h"
#include "core/clock.h"
#include "spool/ingest.h"
#include "spool/watch.h"
#include "store/prune.h"

#define POLL_MS 5000         /* for what other machines put on a shared file system */
#define PRUNING_POLL_MS 200 /* while old minutes are left to delete */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* SIGTERM and SIGINT end after the batch in hand, and are let through only while waiting. */
static int catch_signals(sigset_t *ret_wait_mask)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t both;

    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
        sigprocmask(SIG_SETMASK, NULL, ret_wait_mask) < 0)
        return -errno;
    sigdelset(ret_wait_mask, SIGTERM);
    sigdelset(ret_wait_mask, SIGINT);
    return 0;
}

static void say(const char *text)
{
    complain("%s", text);
}

static void print_report(const struct ingest_report *report)
{
    printf("loaded %" PRIu64 ", duplicates %" PRIu64 ", quarantined %" PRIu64 ", left %" PRIu64
           "\n", report->loaded, report->duplicates, report->quarantined, report->left);
    fflush(stdout);
}

static int64_t now_s(void)
{
    return clock_wall_ns() / (int64_t)NS_PER_S;
}

/* --- factors ---------------------------------------------------------------------------------- */

/* What the newest factor set was compared with. */
struct factor_files {
    struct conf_origin origin; /* of the carbon.conf that is read */
    struct conf conf;
    uint64_t stamp;
    bool seen;
};

/*
 * Take changed settings, inventory and tables into a new factor set. A mistake in one of them is
 * said once and stops nothing: batches go on being loaded, and the set of before stays in force.
 */
static void take_factors(struct store *store, struct factor_files *files)
{
    const struct factors_update update = { .conf = &files->conf, .made_by = "carbonctl ingest" };
    uint64_t stamp = factors_files_stamp(&files->conf, files->origin.file);
    struct error err = { "" };
    int64_t set;
    int rc;

    if (files->seen && stamp == files->stamp)
        return;
    if (files->seen && load_conf(&files->conf, &files->origin) < 0)
        rc = error_set(&err, -EINVAL, "carbon.conf cannot be used");
    else
        rc = factors_update_print(store, &update, &set, &err);
    files->seen = true;
    files->stamp = factors_files_stamp(&files->conf, files->origin.file);
    if (rc < 0)
        complain("%s; emissions are still computed with the factors of before", err.text);
    fflush(stdout);
}

/* --- rounds ----------------------------------------------------------------------------------- */

static int ingest_once(const struct ingest *ingest, struct prune_daily *daily)
{
    struct ingest_report report = { 0 };
    struct error err = { "" };
    int rc = ingest_round(ingest, &report, &err);

    print_report(&report);
    do
        rc = rc < 0 ? rc : prune_daily(ingest->store, daily, now_s(), &err);
    while (rc == 0 && daily->active && !stop);
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    return report.quarantined || report.left ? EXIT_SET_ASIDE : EXIT_FINE;
}

/*
 * Round after round until a signal. A full disk or a directory that is away is said once, and
 * tried again: what is delivered meanwhile waits. Old minutes are pruned between rounds, a pass
 * at a time.
 */
static int ingest_watch(const struct ingest *ingest, struct factor_files *files,
                        struct prune_daily *daily, const sigset_t *wait_mask)
{
    struct ingest_report all = { 0 };
    struct error said = { "" };
    int watch_fd = -1;

    while (!stop) {
        struct error err = { "" };

        if (watch_fd < 0)
            watch_fd = watch_open(ingest->deliver_dir, NULL);
        if ((ingest_round(ingest, &all, &err) < 0 ||
             prune_daily(ingest->store, daily, now_s(), &err) < 0) &&
            strcmp(said.text, err.text) != 0)
            complain("%s", err.text);
        said = err;
        if (!stop)
            watch_wait(watch_fd, daily->active ? PRUNING_POLL_MS : POLL_MS, wait_mask);
        if (!stop)
            take_factors(ingest->store, files);
    }
    if (watch_fd >= 0)
        close(watch_fd);
    print_report(&all);
    return EXIT_FINE;
}

static int run_ingest(struct factor_files *files, bool watch)
{
    const struct conf conf = files->conf; /* database and directory stay those of the beginning */
    struct ingest ingest = { .deliver_dir = conf.deliver_dir, .stop = &stop, .say = say };
    struct prune_daily daily = { .keep_days = conf.keep_power_days };
    struct error err = { "" };
    sigset_t wait_mask;
    int status;

    if (catch_signals(&wait_mask) < 0) {
        complain("cannot catch signals: %s", strerror(errno));
        return EXIT_ERROR;
    }
    if (store_open(conf.database, STORE_WRITE, "carbonctl ingest", &ingest.store, &err) < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    if (store_backup(ingest.store))
        complain("the database was upgraded to schema %d; %s is as it was", STORE_SCHEMA_VERSION,
                 store_backup(ingest.store));
    take_factors(ingest.store, files);
    status = watch ? ingest_watch(&ingest, files, &daily, &wait_mask)
                   : ingest_once(&ingest, &daily);
    store_close(ingest.store);
    return status;
}

static int ingest_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "once", no_argument, NULL, 'o' },
        { "watch", no_argument, NULL, 'w' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    bool once = false, watch = false;
    static struct factor_files files;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'o' && option != 'w')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        once |= option == 'o';
        watch |= option == 'w';
    }
    if (once && watch) {
        complain("ingest: --once and --watch exclude each other; give one of them");
        return EXIT_ERROR;
    }
    if (refuse_operands(command, argc, argv) || load_conf(&files.conf, &files.origin) < 0)
        return EXIT_ERROR;
    return run_ingest(&files, watch);
}

const struct command command_ingest = {
    .name = "ingest",
    .usage = "[--once | --watch] [OPTIONS]",
    .summary = "load delivered batches into the database, each exactly once",
    .help = "  --once             load what is in DeliverDir and end (this is the default)\n"
            "  --watch            go on loading until SIGTERM\n",
    .exec = ingest_exec,
};
