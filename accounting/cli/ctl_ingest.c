#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
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

#define POLL_MS 5000     /* for what other machines put on a shared file system */
#define TURN_MS 5000     /* then other writers, which wait for longer, get their turn */
#define GAP_MS 100       /* between two turns: lock.c looks every 20 ms */
#define KEPT_BYTES (64 << 20)
#define PRUNE_LOOK_S 3600 /* how often to look whether the day's pruning is due */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* SIGTERM and SIGINT end after the batch in hand. */
static int catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0)
        return -errno;
    return 0;
}

/* A signal that comes between the look at `stop` and the wait ends the wait. */
static void wait_unless_stopped(int watch_fd, int patience_ms)
{
    sigset_t both, before, wait_mask;

    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, &before);
    wait_mask = before;
    sigdelset(&wait_mask, SIGTERM);
    sigdelset(&wait_mask, SIGINT);
    if (!stop)
        watch_wait(watch_fd, patience_ms, &wait_mask);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void say(const char *text)
{
    complain("%s", text);
}

static void print_report(const struct ingest_report *report)
{
    plainf("loaded %" PRIu64 ", duplicates %" PRIu64 ", quarantined %" PRIu64 ", left %" PRIu64
           "\n", report->loaded, report->duplicates, report->quarantined, report->left);
    fflush(stdout);
}

static int64_t now_s(void)
{
    return clock_wall_ns() / (int64_t)NS_PER_S;
}

/* --- factors ---------------------------------------------------------------------------------- */

/* What the newest factor set was compared with; seen: it was. */
struct factor_files {
    struct conf_origin origin; /* of the carbon.conf that is read */
    struct conf conf;
    uint64_t stamp;
    bool seen;
};

static bool factors_are_due(const struct factor_files *files)
{
    return !files->seen ||
           factors_files_stamp(&files->conf, files->origin.file) != files->stamp;
}

/*
 * Take changed settings, inventory and tables into a new factor set. A mistake in one of them is
 * said once and stops nothing: batches go on being loaded, and the set of before stays in force.
 * The files are stamped before they are read: what changes meanwhile is due again.
 * -EBUSY: readers did not let the commit through; it is for the next turn.
 */
static int take_factors(struct store *store, struct factor_files *files, struct error *err)
{
    const struct factors_update update = { .conf = &files->conf, .made_by = "carbonctl ingest" };
    uint64_t stamp;
    int64_t set;
    int rc;

    if (!factors_are_due(files))
        return 0;
    stamp = factors_files_stamp(&files->conf, files->origin.file);
    if (load_conf(&files->conf, &files->origin) < 0)
        rc = error_set(err, -EINVAL, "carbon.conf cannot be used");
    else
        rc = factors_update_print(store, &update, &set, err);
    fflush(stdout);
    if (rc == -EBUSY)
        return rc;
    files->seen = true;
    files->stamp = stamp;
    if (rc < 0)
        complain("%s; emissions are still computed with the factors of before", err->text);
    return 0;
}

/* --- turns ------------------------------------------------------------------------------------ */

/* One that loads; database and directory stay those of the beginning. */
struct loader {
    const char *database;
    struct store_turn turn;
    bool was_open; /* the database could be opened once */
    struct ingest ingest;
    struct ingest_report report;
    struct factor_files *files;
    struct prune_daily daily;
    int64_t done_s; /* when a turn was last ended without an error … */
    int64_t alone_s; /* … and when one that did the chores */
};

static int work(struct loader *loader, struct error *err)
{
    struct store *store = loader->ingest.store;
    int rc = 0;

    if (store_backup(store))
        complain("the database was upgraded to schema %d; %s is as it was", STORE_SCHEMA_VERSION,
                 store_backup(store));
    if (!loader->turn.shared)
        rc = take_factors(store, loader->files, err);
    /* alone where others could load too: no longer than it takes */
    loader->ingest.turn_ms = store_is_alone(store) && !store_is_file(store) ? 1 : TURN_MS;
    if (rc == 0)
        rc = ingest_round(&loader->ingest, &loader->report, err);
    if (rc == 0 && !loader->turn.shared)
        rc = prune_daily(store, &loader->daily, now_s(), err);
    return rc;
}

/* Is there more to do than to load? That is done alone. */
static bool has_chores(const struct loader *loader)
{
    int64_t since_s = now_s() - loader->alone_s;

    return loader->daily.active || factors_are_due(loader->files) || since_s < 0 ||
           since_s >= PRUNE_LOOK_S; /* below 0: the clock was set back */
}

/*
 * Some seconds of work, with the database open, and so the writer's lock held, for no longer. Its
 * schema is looked at anew each time, and a database put in its place is found.
 */
static int take_turn(struct loader *loader, struct error *err)
{
    int rc;

    loader->turn.shared = !has_chores(loader);
    rc = store_open_in_turn(loader->database, &loader->turn, &loader->ingest.store, err);
    if (rc == 0) {
        loader->was_open = true;
        rc = work(loader, err);
        if (rc == 0 && !loader->turn.shared)
            loader->alone_s = now_s();
        loader->ingest.store = store_close(loader->ingest.store);
    }
    loader->done_s = rc == 0 ? now_s() : 0;
    return rc;
}

/* There is more to do at once. */
static bool has_more(const struct loader *loader)
{
    return loader->report.more || loader->daily.active;
}

/* Is there anything to open the database for? 1 or 0, or a negative errno. */
static int is_due(const struct loader *loader, struct error *err)
{
    if (has_more(loader) || loader->done_s == 0 || has_chores(loader))
        return 1;
    return ingest_is_due(&loader->ingest, err);
}

static int ingest_once(struct loader *loader)
{
    struct error err = { "" };
    int rc;

    while ((rc = take_turn(loader, &err)) == 0 && has_more(loader) && !stop)
        wait_unless_stopped(-1, GAP_MS);
    if (loader->was_open)
        print_report(&loader->report);
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    return loader->report.quarantined || loader->report.left ? EXIT_SET_ASIDE : EXIT_FINE;
}

/*
 * What waiting does not mend: a database that was never there, a schema that a newer program made,
 * which is to be started in the place of this one, and books that were moved, of which carbon.conf
 * knows by the next start.
 */
static bool is_hopeless(const struct loader *loader, int rc)
{
    return rc == -EPROTO || rc == -ESTALE ||
           (rc < 0 && !loader->was_open && rc != -EBUSY && rc != -EINTR);
}

/*
 * Turn after turn until a signal. A full disk, another writer that takes long, or a directory that
 * is away is said once, and tried again: what is delivered meanwhile waits.
 */
static int watch(struct loader *loader)
{
    struct error said = { "" };
    int rc = 0, watch_fd = -1;

    while (!stop && !is_hopeless(loader, rc)) {
        struct error err = { "" };

        if (watch_fd < 0)
            watch_fd = watch_open(loader->ingest.deliver_dir, NULL);
        rc = is_due(loader, &err);
        if (rc > 0)
            rc = take_turn(loader, &err);
        if (rc < 0 && rc != -EINTR && strcmp(said.text, err.text) != 0)
            complain("%s", err.text);
        said = err;
        if (!is_hopeless(loader, rc))
            wait_unless_stopped(watch_fd, rc == 0 && has_more(loader) ? GAP_MS : POLL_MS);
    }
    if (watch_fd >= 0)
        close(watch_fd);
    print_report(&loader->report);
    return is_hopeless(loader, rc) ? EXIT_ERROR : EXIT_FINE;
}

/* Two services would load the same, and say each fault twice. */
static int ingest_watch(struct loader *loader)
{
    struct error err = { "" };
    int status, lock;

    loader->turn.who = "carbonctl ingest --watch";
    lock = store_lock_service(loader->database, loader->turn.who, &err);
    if (lock < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    status = watch(loader);
    store_unlock_service(lock);
    return status;
}

static int run_ingest(struct factor_files *files, bool watching)
{
    const struct conf conf = files->conf;
    struct loader loader = {
        .database = conf.database,
        .turn = writer_turn("carbonctl ingest"),
        .ingest = { .deliver_dir = conf.deliver_dir, .stop = &stop, .say = say },
        .files = files,
        .daily = { .keep_days = conf.keep_power_days,
                   .keep_hourly_days = conf.keep_hourly_days },
    };

    loader.turn.stop = &stop;
    /* each transaction wants as much memory as the one before: the kernel need not clear it anew */
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    if (catch_signals() < 0) {
        complain("cannot catch signals: %s", strerror(errno));
        return EXIT_ERROR;
    }
    return watching ? ingest_watch(&loader) : ingest_once(&loader);
}

static int ingest_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "once", no_argument, NULL, 'o' },
        { "watch", no_argument, NULL, 'w' },
        WRITER_OPTIONS,
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
            "  --watch            go on loading until SIGTERM; others may write in between\n"
            WAIT_HELP,
    .exec = ingest_exec,
};
