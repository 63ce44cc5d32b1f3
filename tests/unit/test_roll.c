/* rolling up: rows of old hours become rows of their days, and no figure that is shown changes */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "core/buf.h"
#include "fake_meter.h"
#include "store/period.h"
#include "store/prune.h"
#include "store/query.h"

#define DAY INT64_C(86400)
#define T (FAKE_BEGIN_S - FAKE_BEGIN_S % DAY) /* a midnight */
#define FAR INT64_C(9000000000)
#define NODES 3
#define BATCHES 60
#define KEEP 32 /* days */

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

/* All days before before_s; returns how many passes that took. */
static unsigned sweep(struct books *books, int64_t before_s, bool only_new, struct roll *ret)
{
    struct error err = { "" };
    struct roll roll;
    unsigned passes = 0;

    if (roll_init(books->store, &roll, KEEP, before_s + KEEP * DAY, only_new, &err) < 0)
        fail_msg("%s", err.text);
    while (!roll.done) {
        if (roll_pass(books->store, &roll, &err) < 0)
            fail_msg("%s", err.text);
        passes++;
    }
    if (ret)
        *ret = roll;
    return passes;
}

static int64_t rows_of(struct books *books)
{
    return books_number(books, "SELECT (SELECT COUNT(*) FROM energy)"
                               " + (SELECT COUNT(*) FROM node_total)");
}

/* All rows of a query, as text. */
static char *dump(struct books *books, const char *sql, int columns)
{
    struct error err = { "" };
    struct stmt *stmt;
    struct buf text;
    int rc;

    buf_init(&text);
    if (store_prepare(books->store, sql, &stmt, &err) < 0)
        fail_msg("%s", err.text);
    while ((rc = store_step(books->store, stmt, &err)) > 0) {
        for (int i = 0; i < columns; i++)
            buf_printf(&text, "%s ", stmt_text(stmt, i) ? stmt_text(stmt, i) : "NULL");
        buf_printf(&text, "\n");
    }
    stmt_free(stmt);
    assert_int_equal(rc, 0);
    assert_false(buf_failed(&text));
    return text.data;
}

static void assert_same_rows(struct books *books, struct books *others, const char *sql,
                             int columns)
{
    char *a = dump(books, sql, columns), *b = dump(others, sql, columns);

    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void read_jobs(struct books *books, int64_t from_s, int64_t to_s, unsigned want,
                      struct query_result *jobs)
{
    const struct query_filter everything = { .job_ids = NULL };
    struct error err = { "" };

    if (query_jobs(books->store, &everything, jobs, &err) < 0 ||
        query_details(books->store, jobs, want, from_s, to_s, &err) < 0)
        fail_msg("%s", err.text);
}

static uint64_t sum_of_hours(const struct usage *usage)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < usage->n_hours; i++)
        sum += usage->hours[i].active_mj + usage->hours[i].idle_mj;
    return sum;
}

/* In whole days: what a job or a step has is the same, by component and quality. */
static void assert_same_usage(const struct usage *a, const struct usage *b)
{
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        assert_int_equal(a->active_mj[i], b->active_mj[i]);
        assert_int_equal(a->idle_mj[i], b->idle_mj[i]);
    }
    for (int i = 0; i < QUALITY_COUNT; i++)
        assert_int_equal(a->quality_mj[i], b->quality_mj[i]);
    assert_int_equal(a->components, b->components);
    assert_int_equal(a->metered_ms, b->metered_ms);
    assert_int_equal(a->elapsed_ms, b->elapsed_ms);
    assert_int_equal(a->gap_ms, b->gap_ms);
    assert_int_equal(sum_of_hours(a), sum_of_hours(b));
}

static void assert_same_hours(const struct usage *a, const struct usage *b)
{
    assert_int_equal(a->n_hours, b->n_hours);
    for (size_t i = 0; i < a->n_hours; i++) {
        assert_int_equal(a->hours[i].hour_s, b->hours[i].hour_s);
        assert_int_equal(a->hours[i].active_mj, b->hours[i].active_mj);
        assert_int_equal(a->hours[i].idle_mj, b->hours[i].idle_mj);
    }
}

/* The details of an hour are shares, each within a millijoule for each row of what it was. */
static void assert_details_hold(const struct usage *usage)
{
    uint64_t sums[COMPONENT_COUNT] = { 0 };

    for (size_t i = 0; i < usage->n_hours; i++)
        for (int c = 0; c < COMPONENT_COUNT; c++)
            sums[c] += usage->details[i].active_mj[c] + usage->details[i].idle_mj[c];
    for (int c = 0; c < COMPONENT_COUNT; c++)
        assert_int_equal(sums[c], usage->active_mj[c] + usage->idle_mj[c]);
}

static void assert_same_jobs(struct books *books, struct books *others)
{
    struct query_result a, b;

    read_jobs(books, 0, FAR, QUERY_HOURLY, &a);
    read_jobs(others, 0, FAR, QUERY_HOURLY, &b);
    assert_int_equal(a.n_jobs, b.n_jobs);
    for (size_t i = 0; i < a.n_jobs; i++) {
        assert_same_usage(&a.jobs[i].usage, &b.jobs[i].usage);
        assert_same_hours(&a.jobs[i].usage, &b.jobs[i].usage);
        assert_details_hold(&a.jobs[i].usage);
        assert_int_equal(a.jobs[i].n_steps, b.jobs[i].n_steps);
        for (size_t j = 0; j < a.jobs[i].n_steps; j++)
            assert_same_usage(&a.jobs[i].steps[j].usage, &b.jobs[i].steps[j].usage);
    }
    query_clear(&a);
    query_clear(&b);
}

/* Of a window that cuts days too. */
static void assert_same_window(struct books *books, struct books *others, int64_t from_s,
                               int64_t to_s)
{
    struct query_result a, b;

    read_jobs(books, from_s, to_s, 0, &a);
    read_jobs(others, from_s, to_s, 0, &b);
    assert_int_equal(a.n_jobs, b.n_jobs);
    for (size_t i = 0; i < a.n_jobs; i++)
        assert_same_hours(&a.jobs[i].usage, &b.jobs[i].usage);
    query_clear(&a);
    query_clear(&b);
}

static int take_hour(void *arg, const struct period_energy *energy)
{
    buf_printf(arg, "%lld %llu %llu %llu %llu %llu %llu %llu\n", (long long)energy->hour_s,
               (unsigned long long)energy->active_mj, (unsigned long long)energy->idle_mj,
               (unsigned long long)energy->measured_mj, (unsigned long long)energy->modelled_mj,
               (unsigned long long)energy->metered_ms, (unsigned long long)energy->elapsed_ms,
               (unsigned long long)energy->gap_ms);
    return 0;
}

static char *hours_of_account(struct books *books, const struct period *period, const char *account)
{
    struct error err = { "" };
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "hours of %s\n", account);
    if (period_hours_of_account(books->store, period, account, take_hour, &text, &err) < 0)
        fail_msg("%s", err.text);
    return text.data;
}

static void assert_same_accounts(struct books *books, struct books *others, int64_t from_s,
                                 int64_t to_s)
{
    const struct period period = { "c", from_s, to_s };
    const char *const accounts[] = { "odd", "even" };

    for (size_t i = 0; i < 2; i++) {
        char *a = hours_of_account(books, &period, accounts[i]);
        char *b = hours_of_account(others, &period, accounts[i]);

        assert_string_equal(a, b);
        free(a);
        free(b);
    }
}

/* What reports are made of, row by row. */
static void assert_same_sums(struct books *books, struct books *others)
{
    assert_same_rows(books, others, "SELECT hour_s, job_key, active_mj, idle_mj, measured_mj,"
                     " modelled_mj, metered_ms, elapsed_ms, gap_ms FROM job_hour ORDER BY 1, 2", 9);
    assert_same_rows(books, others, "SELECT hour_s, node_key, counted_mj, active_mj, idle_mj,"
                     " system_mj, unallocated_mj, measured_mj, modelled_mj, metered_ms, elapsed_ms,"
                     " gap_ms FROM node_hour ORDER BY 1, 2", 12);
    assert_same_rows(books, others, "SELECT cluster, hour_s, counted_mj, active_mj, idle_mj,"
                     " system_mj, unallocated_mj, measured_mj, modelled_mj, metered_ms, elapsed_ms,"
                     " gap_ms FROM cluster_hour ORDER BY 1, 2", 12);
    assert_same_rows(books, others, "SELECT node_key, component, SUM(counted_mj) FROM node_total"
                     " GROUP BY node_key, component ORDER BY 1, 2", 3);
}

/* A minute of each node, and some hours without any; into both books. */
static void load_round(struct books *books, struct books *others, struct fake_meter *meters,
                       uint64_t *random)
{
    static const char by_account[] =
        "UPDATE job SET account = CASE WHEN job_id % 2 = 1 THEN 'odd' ELSE 'even' END";

    for (int n = 0; n < NODES; n++) {
        struct batch batch;

        fake_meter_random(&meters[n], random, &batch);
        assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
        if (others)
            assert_int_equal(books_load(others, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
        meters[n].wall_s += (int64_t)fake_random(random, 5) * 3600;
    }
    run_sql(books, by_account);
    if (others)
        run_sql(others, by_account);
}

static void begin_meters(struct fake_meter *meters)
{
    for (int n = 0; n < NODES; n++) {
        char name[8] = { 'n', (char)('1' + n), '\0' };

        fake_meter_init(&meters[n], name, (uint64_t)n + 1, T + 1000);
    }
}

/* Days are rolled up while batches of them are still to come. */
static void no_figure_changes_however_often_days_are_rolled_up(void **state)
{
    struct books rolled, whole;
    struct fake_meter meters[NODES];
    uint64_t random = 17, gone = 0;
    int64_t bound_s = 0;

    (void)state;
    books_open(&rolled);
    books_open(&whole);
    begin_meters(meters);
    for (int i = 0; i < BATCHES; i++) {
        load_round(&rolled, &whole, meters, &random);
        if (fake_random(&random, 4) == 0) {
            struct roll roll;

            sweep(&rolled, meters[i % NODES].wall_s, i % 2, &roll);
            gone += roll.rows;
            bound_s = roll.before_s > bound_s ? roll.before_s : bound_s;
        }
    }
    assert_true(gone > 300 && bound_s > T + 3 * DAY);
    assert_int_equal(books_number(&rolled, "SELECT COUNT(*) FROM energy WHERE hour_s < %lld"
                                  " AND hour_s %% 86400 <> 0", (long long)bound_s), 0);
    assert_true(rows_of(&whole) - rows_of(&rolled) > 300);
    assert_int_equal(books_audit(&rolled, NULL, false), 0);
    assert_same_sums(&rolled, &whole);
    assert_same_jobs(&rolled, &whole);
    assert_same_window(&rolled, &whole, T + DAY + 5 * 3600, bound_s + 7 * 3600);
    assert_same_window(&rolled, &whole, T + 3600, T + 6 * 3600);
    assert_same_accounts(&rolled, &whole, 0, FAR);
    assert_same_accounts(&rolled, &whole, T + DAY + 5 * 3600, bound_s + 7 * 3600);
    books_close(&rolled);
    books_close(&whole);
}

static void fill(struct books *books)
{
    struct fake_meter meters[NODES];
    uint64_t random = 5;

    begin_meters(meters);
    for (int i = 0; i < 20; i++)
        load_round(books, NULL, meters, &random);
}

static void a_dry_run_says_what_a_sweep_does_and_changes_nothing(void **state)
{
    struct books *books = *state;
    struct error err = { "" };
    struct roll dry, real;
    int64_t before, bound_s;

    fill(books);
    before = rows_of(books);
    assert_int_equal(roll_init(books->store, &dry, KEEP, T + (KEEP + 1) * DAY, false, &err), 0);
    assert_int_equal(roll_count(books->store, &dry, &err), 0);
    assert_int_equal(rows_of(books), before);
    assert_int_equal(roll_before(books->store, &bound_s, &err), 0);
    assert_int_equal(bound_s, 0);
    sweep(books, T + DAY, false, &real);
    assert_true(real.rows > 50);
    assert_int_equal(dry.rows, real.rows);
    assert_int_equal(before - rows_of(books), real.rows);
    sweep(books, T + DAY, false, &real);
    assert_int_equal(real.rows, 0);
}

/* Killed in between, the books are those of the passes that were committed. */
static void a_sweep_is_cut_into_passes(void **state)
{
    struct books *books = *state;
    struct error err = { "" };
    struct roll roll;

    run_sql(books, "INSERT INTO node"
                   " WITH RECURSIVE i (i) AS"
                   "  (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 1200)"
                   " SELECT i, 'c', 'm' || i, 1, 1, 0, 1 FROM i;"
                   "INSERT INTO energy SELECT node_key, hour * 3600, 0, -1, 'cpu', 'measured', 's',"
                   " 1, 0, 1000, 1000 FROM node, (SELECT 1 AS hour UNION SELECT 2 UNION SELECT 30)"
                   " AS hours WHERE node_key > 0;"
                   "INSERT INTO node_total SELECT node_key, hour_s, component, active_mj"
                   " FROM energy");
    assert_int_equal(roll_init(books->store, &roll, KEEP, (KEEP + 1) * DAY, true, &err), 0);
    assert_int_equal(roll_pass(books->store, &roll, &err), 0);
    assert_false(roll.done);
    assert_true(roll.rows > 0 && roll.rows < 2400);
    assert_int_equal(books_number(books, "SELECT SUM(active_mj) FROM energy"), 3600);
    assert_int_equal(books_audit(books, "A1", true), 0);
    /* whoever comes next begins where no sweep ended, and finds what is left */
    assert_int_equal(sweep(books, DAY, true, &roll), 3);
    assert_int_equal(rows_of(books), 4800);
    assert_int_equal(books_number(books, "SELECT SUM(active_mj) FROM energy WHERE hour_s = 0"),
                     2400);
    assert_int_equal(books_audit(books, "A1", true), 0);
}

/* Hours that are all that is left of a day. */
static void a_sum_of_an_old_hour_that_was_changed_is_found(void **state)
{
    struct books *books = *state;
    char sql[768];
    int64_t job_key;

    fill(books);
    sweep(books, T + DAY, false, NULL);
    assert_int_equal(books_audit(books, NULL, false), 0);
    run_sql(books, "UPDATE job_hour SET idle_mj = idle_mj + 1 WHERE hour_s ="
                   " (SELECT MIN(hour_s) FROM job_hour)");
    assert_true(books_audit(books, "A10", true) > 0);
    assert_int_equal(books_audit(books, "A6", true), 0);
    run_sql(books, "UPDATE job_hour SET idle_mj = idle_mj - 1 WHERE hour_s ="
                   " (SELECT MIN(hour_s) FROM job_hour)");
    assert_int_equal(books_audit(books, NULL, false), 0);
    /* moved within the day: its jobs and its nodes do not agree any more */
    job_key = books_number(books, "SELECT MIN(job_key) FROM (SELECT job_key FROM job_hour"
                           " WHERE hour_s < %lld AND idle_mj > 0 GROUP BY job_key"
                           " HAVING COUNT(*) > 1) AS several", (long long)(T + DAY));
    assert_true(job_key > 0);
    snprintf(sql, sizeof(sql), "UPDATE job_hour SET idle_mj = idle_mj + CASE WHEN hour_s ="
             " (SELECT MIN(hour_s) FROM job_hour WHERE job_key = %lld AND idle_mj > 0) THEN -1"
             " ELSE 1 END WHERE job_key = %lld AND hour_s IN (SELECT hour_s FROM job_hour WHERE"
             " job_key = %lld AND idle_mj > 0 AND hour_s < %lld ORDER BY hour_s LIMIT 2)",
             (long long)job_key, (long long)job_key, (long long)job_key, (long long)(T + DAY));
    run_sql(books, sql);
    assert_true(books_audit(books, "A10", true) > 0);
}

static void a_step_without_sums_is_shown_at_its_day(void **state)
{
    struct books *books = *state;
    struct query_result jobs;
    uint64_t before = 0, after = 0;

    fill(books);
    sweep(books, T + DAY, false, NULL);
    read_jobs(books, 0, FAR, 0, &jobs);
    for (size_t i = 0; i < jobs.n_jobs; i++)
        before += usage_mj(&jobs.jobs[i].usage);
    query_clear(&jobs);
    run_sql(books, "DELETE FROM job_hour");
    read_jobs(books, 0, FAR, 0, &jobs);
    for (size_t i = 0; i < jobs.n_jobs; i++)
        after += usage_mj(&jobs.jobs[i].usage);
    query_clear(&jobs);
    assert_int_equal(before, after);
}

static void a_day_rolls_up_after_power_is_pruned(void **state)
{
    struct books *books = *state;
    struct prune_daily daily = { .keep_days = 30, .keep_hourly_days = KEEP };
    struct error err = { "" };
    int64_t bound_s, now_s = T + (KEEP + 1) * DAY;
    int passes = 0;

    fill(books);
    do
        assert_int_equal(prune_daily(books->store, &daily, now_s, &err), 0);
    while (++passes < 10 && daily.active);
    assert_int_equal(passes, 1);
    assert_int_equal(roll_before(books->store, &bound_s, &err), 0);
    assert_int_equal(bound_s, T + DAY);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM energy WHERE hour_s < %lld"
                                  " AND hour_s %% 86400 <> 0", (long long)bound_s), 0);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

int main(void)
{
#define WITH_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_figure_changes_however_often_days_are_rolled_up),
        WITH_BOOKS(a_dry_run_says_what_a_sweep_does_and_changes_nothing),
        WITH_BOOKS(a_sweep_is_cut_into_passes),
        WITH_BOOKS(a_sum_of_an_old_hour_that_was_changed_is_found),
        WITH_BOOKS(a_step_without_sums_is_shown_at_its_day),
        WITH_BOOKS(a_day_rolls_up_after_power_is_pruned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
