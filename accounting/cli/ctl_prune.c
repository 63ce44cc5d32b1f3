#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "core/clock.h"
#include "store/prune.h"
#include "store/store.h"

static void show_progress(const struct prune *sweep)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%" PRIu64 " records deleted%s", sweep->rows, sweep->done ? "\r" : "");
}

static int prune_all(struct store *store, struct prune *sweep, struct error *err)
{
    int rc = 0;

    while (rc == 0 && !sweep->done) {
        rc = prune_pass(store, sweep, err);
        show_progress(sweep);
    }
    return rc;
}

static void print_result(const struct prune *sweep, uint32_t days, bool dry_run)
{
    char before[CLOCK_TEXT_SIZE];

    clock_format_utc(sweep->before_s, before);
    plainf("power per minute before %s (KeepPowerDays=%" PRIu32 "): ", before, days);
    if (sweep->rows == 0)
        plainf("there is none%s\n", dry_run ? "" : " left");
    else
        plainf("%" PRIu64 " record%s of %" PRIu64 " job%s %s\n", sweep->rows,
               sweep->rows == 1 ? "" : "s", sweep->jobs, sweep->jobs == 1 ? "" : "s",
               dry_run ? "would be deleted" : "deleted");
}

static int run_prune(const struct conf *conf, bool dry_run)
{
    struct error err = { "" };
    const struct store_turn turn = writer_turn("carbonctl prune");
    struct store *store;
    struct prune sweep;
    int rc = dry_run ? store_open(conf->database, STORE_READ, NULL, &store, &err)
                     : store_open_in_turn(conf->database, &turn, &store, &err);

    if (rc < 0) {
        complain("%s", err.text);
        if (rc == -EBUSY)
            complain("`carbonctl ingest` itself prunes once a day");
        return EXIT_ERROR;
    }
    prune_init(&sweep, conf->keep_power_days, clock_wall_ns() / (int64_t)NS_PER_S);
    rc = dry_run ? prune_count(store, &sweep, &err) : prune_all(store, &sweep, &err);
    store_close(store);
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    print_result(&sweep, conf->keep_power_days, dry_run);
    return EXIT_FINE;
}

static int prune_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "dry-run", no_argument, NULL, 'n' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };

    return run_with_flag(command, argc, argv, options, run_prune);
}

const struct command command_prune = {
    .name = "prune",
    .usage = "[--dry-run] [OPTIONS]",
    .summary = "delete power per minute that is older than KeepPowerDays; totals and peaks stay",
    .help = "  --dry-run          only say how much that is\n"
            WAIT_HELP,
    .exec = prune_exec,
};
