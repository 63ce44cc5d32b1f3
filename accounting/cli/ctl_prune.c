#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "core/clock.h"
#include "store/prune.h"
#include "store/store.h"

static void show_progress(const char *what, uint64_t rows, bool done)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%" PRIu64 " records %s%s", rows, what, done ? "\r" : "");
}

static int prune_all(struct store *store, struct prune *sweep, struct error *err)
{
    int rc = 0;

    while (rc == 0 && !sweep->done) {
        rc = prune_pass(store, sweep, err);
        show_progress("deleted", sweep->rows, sweep->done);
    }
    return rc == 0 ? prune_partition(store, sweep, err) : rc;
}

static int roll_all(struct store *store, struct roll *roll, struct error *err)
{
    int rc = 0;

    while (rc == 0 && !roll->done) {
        rc = roll_pass(store, roll, err);
        show_progress("rolled up", roll->rows, roll->done);
    }
    return rc;
}

static int fold_all(struct store *store, struct fold *fold, struct error *err)
{
    int rc = 0;

    while (rc == 0 && !fold->done) {
        rc = fold_pass(store, fold, err);
        show_progress("joined", fold->rows, fold->done);
    }
    return rc;
}

static void print_begin(const char *what, int64_t before_s, const char *key, uint32_t days)
{
    char before[CLOCK_TEXT_SIZE];

    clock_format_utc(before_s, before);
    plainf("%s before %s (%s=%" PRIu32 "): ", what, before, key, days);
}

static const char *done_to(uint64_t rows, bool dry_run)
{
    return dry_run ? "would be" : rows == 1 ? "was" : "were";
}

static void print_rolled(const struct roll *roll, uint32_t days)
{
    print_begin("energy by the hour", roll->before_s, "KeepHourlyDays", days);
    if (roll->rows == 0)
        plainf("there is none%s\n", roll->dry_run ? "" : " left");
    else
        plainf("%" PRIu64 " record%s %s rolled up into those of days\n", roll->rows,
               roll->rows == 1 ? "" : "s", done_to(roll->rows, roll->dry_run));
}

static void print_folded(const struct fold *fold, int64_t before_s, bool dry_run)
{
    char before[CLOCK_TEXT_SIZE];

    clock_format_utc(before_s, before);
    plainf("batches before %s: ", before);
    if (fold->rows == 0)
        plainf("none follows another%s\n", dry_run ? "" : " any more");
    else
        plainf("%" PRIu64 " record%s %s joined to the one that follows\n", fold->rows,
               fold->rows == 1 ? "" : "s", done_to(fold->rows, dry_run));
}

static void print_result(const struct prune *sweep, uint32_t days, bool dry_run)
{
    print_begin("power per minute", sweep->before_s, "KeepPowerDays", days);
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
    const int64_t now_s = clock_wall_ns() / (int64_t)NS_PER_S;
    struct prune sweep;
    struct roll roll;
    struct fold fold;
    const int64_t batches_s = prune_batches_before_s(conf->keep_power_days, now_s);
    int rc = dry_run ? store_open(conf->database, STORE_READ, NULL, &store, &err)
                     : store_open_in_turn(conf->database, &turn, &store, &err);

    if (rc < 0) {
        complain("%s", err.text);
        if (rc == -EBUSY)
            complain("`carbonctl ingest` itself prunes once a day");
        return EXIT_ERROR;
    }
    prune_init(&sweep, conf->keep_power_days, now_s);
    rc = dry_run ? prune_count(store, &sweep, &err) : prune_all(store, &sweep, &err);
    if (rc == 0)
        rc = roll_init(store, &roll, conf->keep_hourly_days, now_s, false, &err);
    if (rc == 0)
        rc = dry_run ? roll_count(store, &roll, &err) : roll_all(store, &roll, &err);
    fold_init(&fold, batches_s);
    if (rc == 0)
        rc = dry_run ? fold_count(store, &fold, &err) : fold_all(store, &fold, &err);
    store_close(store);
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    print_result(&sweep, conf->keep_power_days, dry_run);
    print_rolled(&roll, conf->keep_hourly_days);
    print_folded(&fold, batches_s, dry_run);
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
    .summary = "make old records fewer: of power, energy and batches; no figure changes by it",
    .help = "  --dry-run          only say how much that is\n"
            WAIT_HELP,
    .exec = prune_exec,
};
