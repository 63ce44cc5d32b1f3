/* pruning: old minutes go, and nothing else that anyone can see changes */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"
#include "store/prune.h"
#include "store/query.h"

#define T FAKE_BEGIN_S
#define DAY INT64_C(86400)
#define FAR INT64_C(9000000000)
#define NODES 3
#define BATCHES 40

static int set_up(void **state)
{
    static struct books books;

    books_open(&books);
    *state = &books;
    return 0;
}

static int tear_down(void **state)
{
    books_close(*state);
    return 0;
}

static void run_sql(struct books *books, const char *sql)
{
    struct error err = { "" };

    if (store_exec(books->store, sql, &err) < 0)
        fail_msg("%s", err.text);
}

/* Everything before before_s; returns how many passes that took. */
static unsigned sweep(struct books *books, int64_t before_s, struct prune *ret_prune)
{
    struct error err = { "" };
    struct prune prune;
    unsigned passes = 0;

    prune_init(&prune, 30, before_s + 30 * DAY);
    while (!prune.done) {
        if (prune_pass(books->store, &prune, &err) < 0)
            fail_msg("%s", err.text);
        passes++;
    }
    if (ret_prune)
        *ret_prune = prune;
    return passes;
}

static void read_peaks(struct books *books, int64_t from_s, int64_t to_s, struct query_result *jobs)
{
    const struct query_filter everything = { .job_ids = NULL };
    struct error err = { "" };

    if (query_jobs(books->store, &everything, jobs, &err) < 0 ||
        query_details(books->store, jobs, QUERY_PEAK, from_s, to_s, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_same_peaks(struct books *books, struct books *others)
{
    struct query_result a, b;

    read_peaks(books, 0, FAR, &a);
    read_peaks(others, 0, FAR, &b);
    assert_int_equal(a.n_jobs, b.n_jobs);
    for (size_t i = 0; i < a.n_jobs; i++) {
        assert_int_equal(a.jobs[i].job_id, b.jobs[i].job_id);
        assert_int_equal(a.jobs[i].peak_mw.has, b.jobs[i].peak_mw.has);
        assert_int_equal(a.jobs[i].peak_mw.value, b.jobs[i].peak_mw.value);
        assert_int_equal(a.jobs[i].peak_minute_s, b.jobs[i].peak_minute_s);
    }
    query_clear(&a);
    query_clear(&b);
}

/* Jobs come, live on while their first minutes are pruned, and end; many minutes are short. */
static void a_peak_is_the_same_however_often_its_minutes_are_pruned(void **state)
{
    struct books pruned, whole;
    struct fake_meter meters[NODES];
    uint64_t random = 11, gone = 0;

    (void)state;
    books_open(&pruned);
    books_open(&whole);
    for (int n = 0; n < NODES; n++) {
        char name[8] = { 'n', (char)('1' + n), '\0' };

        fake_meter_init(&meters[n], name, (uint64_t)n + 1, T);
    }
    for (int i = 0; i < BATCHES; i++) {
        for (int n = 0; n < NODES; n++) {
            struct batch batch;

            fake_meter_random(&meters[n], &random, &batch);
            assert_int_equal(books_load(&pruned, &batch, NULL), STORE_LOADED);
            assert_int_equal(books_load(&whole, &batch, NULL), STORE_LOADED);
            batch_clear(&batch);
        }
        if (fake_random(&random, 3) == 0) {
            struct prune prune;

            sweep(&pruned, meters[0].wall_s - 60 * (int64_t)(1 + fake_random(&random, 5)), &prune);
            gone += prune.rows;
        }
        assert_same_peaks(&pruned, &whole);
    }
    assert_true(gone > 100);
    assert_int_equal(books_audit(&pruned, NULL, false), 0);
    assert_int_equal(books_number(&pruned, "SELECT SUM(active_mj + idle_mj) FROM energy"),
                     books_number(&whole, "SELECT SUM(active_mj + idle_mj) FROM energy"));
    books_close(&pruned);
    books_close(&whole);
}

#define INSERT_JOB "INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s)"
#define COUNT_TO(n) \
    "WITH RECURSIVE i (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < " n ")"

/* One job on three nodes: 12 records a minute, 5000 minutes; the highest is minute 100. */
static void add_long_job(struct books *books)
{
    run_sql(books, "INSERT INTO node SELECT i, 'c', 'n' || i, 1, 1, 0, 1 FROM"
                   " (SELECT 1 AS i UNION SELECT 2 UNION SELECT 3) AS three;"
                   INSERT_JOB " VALUES (1, 'c', 1, 0, 0);"
                   COUNT_TO("4999")
                   " INSERT INTO power SELECT 1, node_key, i * 60, component,"
                   " CASE WHEN i = 100 THEN 9000 ELSE i END, 60000 FROM i, node,"
                   " (SELECT 'cpu' AS component UNION SELECT 'memory' UNION SELECT 'gpu'"
                   "  UNION SELECT 'other') AS four");
}

static void work_is_cut_into_passes_at_whole_minutes(void **state)
{
    struct books *books = *state;
    struct error err = { "" };
    struct query_result jobs;
    struct prune prune;
    unsigned passes = 0;

    add_long_job(books);
    prune_init(&prune, 30, 4000 * 60 + 59 + 30 * DAY);
    assert_int_equal(prune.before_s, 4000 * 60);
    while (!prune.done) {
        uint64_t before = prune.rows;

        assert_int_equal(prune_pass(books->store, &prune, &err), 0);
        assert_true(prune.rows - before <= PRUNE_ROWS + 12);
        assert_int_equal(books_number(books, "SELECT COUNT(*) FROM (SELECT 1 FROM power"
                                      " GROUP BY minute_s HAVING COUNT(*) <> 12) AS odd"), 0);
        passes++;
    }
    assert_int_equal(passes, 4000 * 12 / PRUNE_ROWS + 1);
    assert_int_equal(prune.rows, 4000 * 12);
    assert_int_equal(prune.jobs, 1);
    assert_int_equal(books_number(books, "SELECT MIN(minute_s) FROM power"), 4000 * 60);
    read_peaks(books, 0, FAR, &jobs);
    assert_int_equal(jobs.jobs[0].peak_mw.value, 9000 * 12 * 1000 / 60000);
    assert_int_equal(jobs.jobs[0].peak_minute_s, 6000);
    query_clear(&jobs);
}

static void a_minute_of_more_records_than_a_pass_takes_goes_whole(void **state)
{
    struct books *books = *state;
    struct prune prune;

    run_sql(books, INSERT_JOB " VALUES (1, 'c', 1, 0, 0);"
                   COUNT_TO("24999") " INSERT INTO node SELECT i, 'c', 'n' || i, 1, 1, 0, 1 FROM i;"
                   "INSERT INTO power SELECT 1, node_key, 0, 'cpu', 1, 60000 FROM node;"
                   "INSERT INTO power SELECT 1, node_key, 60, 'cpu', 1, 60000 FROM node");
    assert_true(sweep(books, 60, &prune) <= 2);
    assert_int_equal(prune.rows, 25000);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM power WHERE minute_s = 60"), 25000);
}

static void young_jobs_are_passed_over_in_bounded_steps(void **state)
{
    struct books *books = *state;
    struct prune prune;

    run_sql(books, "INSERT INTO node VALUES (1, 'c', 'n1', 1, 1, 0, 1);"
                   COUNT_TO("4999") INSERT_JOB " SELECT i + 1, 'c', i, 0, 0 FROM i;"
                   "INSERT INTO power SELECT job_key, 1, 6000, 'cpu', 1, 60000 FROM job;"
                   "INSERT INTO power SELECT job_key, 1, 0, 'cpu', 1, 60000 FROM job"
                   " WHERE job_key > 4990");
    assert_int_equal(sweep(books, 6000, &prune), 3);
    assert_int_equal(prune.rows, 10);
    assert_int_equal(prune.jobs, 10);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM power"), 5000);
}

static void a_dry_run_says_what_a_sweep_does_and_changes_nothing(void **state)
{
    struct books *books = *state;
    struct error err = { "" };
    struct prune dry, real;
    int64_t kept_since_s;

    add_long_job(books);
    prune_init(&dry, 30, 600 + 30 * DAY);
    assert_int_equal(prune_count(books->store, &dry, &err), 0);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM power"), 60000);
    assert_int_equal(prune_kept_since(books->store, &kept_since_s, &err), 0);
    assert_int_equal(kept_since_s, 0);
    sweep(books, 600, &real);
    assert_int_equal(dry.rows, real.rows);
    assert_int_equal(dry.jobs, real.jobs);
    assert_int_equal(prune_kept_since(books->store, &kept_since_s, &err), 0);
    assert_int_equal(kept_since_s, 600);
    sweep(books, 300, NULL); /* KeepPowerDays was raised: what is gone is gone */
    assert_int_equal(prune_kept_since(books->store, &kept_since_s, &err), 0);
    assert_int_equal(kept_since_s, 600);
}

static void the_peak_of_a_window_that_lost_minutes_is_unknown(void **state)
{
    struct books *books = *state;
    struct query_result jobs;

    add_long_job(books);
    sweep(books, 12000, NULL);
    read_peaks(books, 7200, FAR, &jobs); /* minutes 120 to 199 are gone, and not the highest */
    assert_false(jobs.jobs[0].peak_mw.has);
    query_clear(&jobs);
    read_peaks(books, 3600, FAR, &jobs); /* the highest of all is in it */
    assert_int_equal(jobs.jobs[0].peak_minute_s, 6000);
    query_clear(&jobs);
    read_peaks(books, 14400, FAR, &jobs); /* all of it is there */
    assert_int_equal(jobs.jobs[0].peak_minute_s, 4995 * 60); /* the first of those of 999 mW */
    query_clear(&jobs);
}

/* What is far from the life of its job is of another: only so are old months left alone. */
static void a_peak_lies_where_its_job_lived_and_clocks_may_be_wrong(void **state)
{
    static const struct {
        const char *end_s;
        int64_t minute_s;
        uint32_t flags;
        bool found;
    } cases[] = {
        { "1000000", 900060, 0, true },
        { "1000000", 1000000 - 1000000 % 60, 0, true },
        { "1000000", 1080000, 0, true },   /* a clock was set */
        { "1000000", 816000, 0, true },
        { "1000000", 1200000, 0, false },
        { "1000000", 1200000, FLAG_END_LATE, true },
        { "1000000", 600000, FLAG_END_LATE, false },
        { "NULL", 90000000, 0, true },     /* it runs */
        { "NULL", 600000, 0, false },
        { "500000", 900060, 0, true },     /* set back, by days */
        { "500000", 480000, 0, true },
        { "500000", 60000000, 0, true },
    };
    struct books *books = *state;

    run_sql(books, "INSERT INTO node VALUES (1, 'c', 'n1', 1, 1, 0, 1)");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct query_result jobs;
        char sql[320];

        snprintf(sql, sizeof(sql), "DELETE FROM power; DELETE FROM job; " INSERT_JOB
                 " VALUES (1, 'c', 1, 0, 900000); UPDATE job SET end_s = %s, flags = %u;"
                 " INSERT INTO power VALUES (1, 1, %lld, 'cpu', 60, 60000)", cases[i].end_s,
                 cases[i].flags, (long long)cases[i].minute_s);
        run_sql(books, sql);
        read_peaks(books, 0, FAR, &jobs);
        ROW_HOLDS(i, jobs.jobs[0].peak_mw.has == cases[i].found);
        query_clear(&jobs);
    }
}

static void a_sweep_is_done_once_a_day(void **state)
{
    struct books *books = *state;
    struct prune_daily daily = { .keep_days = 30, .keep_hourly_days = 400 }, other = daily;
    int64_t now_s = 1000 * 60 + 30 * DAY;
    struct error err = { "" };
    int passes = 0;

    add_long_job(books);
    do
        assert_int_equal(prune_daily(books->store, &daily, now_s, &err), 0);
    while (++passes < 10 && daily.active);
    assert_int_equal(passes, 2); /* the second is roll.h's, as the first had much to do */
    assert_int_equal(books_number(books, "SELECT MIN(minute_s) FROM power"), 60000);
    assert_int_equal(prune_daily(books->store, &other, now_s + DAY - 1, &err), 0);
    assert_int_equal(books_number(books, "SELECT MIN(minute_s) FROM power"), 60000);
    assert_int_equal(prune_daily(books->store, &other, now_s + DAY, &err), 0);
    assert_int_equal(books_number(books, "SELECT MIN(minute_s) FROM power"), 60000 + DAY);
    assert_int_equal(prune_is_due(books->store, now_s, &err), 1); /* the clock was set back */
}

int main(void)
{
#define WITH_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peak_is_the_same_however_often_its_minutes_are_pruned),
        WITH_BOOKS(work_is_cut_into_passes_at_whole_minutes),
        WITH_BOOKS(a_minute_of_more_records_than_a_pass_takes_goes_whole),
        WITH_BOOKS(young_jobs_are_passed_over_in_bounded_steps),
        WITH_BOOKS(a_dry_run_says_what_a_sweep_does_and_changes_nothing),
        WITH_BOOKS(the_peak_of_a_window_that_lost_minutes_is_unknown),
        WITH_BOOKS(a_peak_lies_where_its_job_lived_and_clocks_may_be_wrong),
        WITH_BOOKS(a_sweep_is_done_once_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
