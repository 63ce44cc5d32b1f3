/*
 * Time from the node's clocks to the books: whatever the wall clock is told, a job lasts as long as
 * it lasted, each joule is in one hour, and the audit finds nothing.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "core/clock.h"
#include "meter_world.h"
#include "spool/ingest.h"

#define HOUR_S INT64_C(3600)
#define YEAR_S (INT64_C(31556952)) /* of the Gregorian calendar, on average */
#define JOB_S 60
#define TICK_MJ ((int64_t)(WORLD_COUNTERS * (WORLD_UW / 1000)))

struct clock_row {
    const char *name;
    int64_t begin_s;      /* the wall clock when the job begins */
    int64_t step_s;       /* what it is set forth by, in the midst of the job … */
    int64_t back_s;       /* … and back by, later */
    uint64_t suspended_s; /* in the midst of it the node slept */
};

#define NOW_S INT64_C(1790000000) /* 2026-09-21T14:13:20Z */

static const struct clock_row rows[] = {
    { "nothing", NOW_S, 0, 0, 0 },
    { "an hour forth", NOW_S, HOUR_S, 0, 0 },
    { "an hour back", NOW_S, -HOUR_S, 0, 0 },
    { "an hour forth and back", NOW_S, HOUR_S, HOUR_S, 0 },
    { "ten years forth", NOW_S, 10 * YEAR_S, 0, 0 },
    { "ten years back", NOW_S, -10 * YEAR_S, 0, 0 },
    { "ten years forth and back", NOW_S, 10 * YEAR_S, 10 * YEAR_S, 0 },
    { "ten years back and forth", NOW_S, -10 * YEAR_S, -10 * YEAR_S, 0 },
    { "a dead battery", 90, NOW_S - 90, 0, 0 },
    { "a night's sleep", NOW_S, 0, 0, 8 * HOUR_S },
    { "a sleep over a month's border", INT64_C(1790812780), 0, 0, 8 * HOUR_S },
    { "a month's border", INT64_C(1769903970), 0, 0, 0 },   /* 2026-01-31T23:59:30Z */
    { "a year's border", INT64_C(1798761570), 0, 0, 0 },    /* 2026-12-31T23:59:30Z */
    { "into a leap day", INT64_C(1835395170), 0, 0, 0 },    /* 2028-02-28T23:59:30Z */
    { "out of a leap day", INT64_C(1835481570), 0, 0, 0 },  /* 2028-02-29T23:59:30Z */
    { "2038", INT64_C(2147483617), 0, 0, 0 },               /* 2038-01-19T03:13:37Z */
    { "summer time begins", INT64_C(1774745970), 0, 0, 0 }, /* in Paris, 2026-03-29T00:59:30Z */
    { "summer time ends", INT64_C(1792889970), 0, 0, 0 },   /* in Paris, 2026-10-25T00:59:30Z */
};

static struct world w;
static struct books books;

/* --- from the meter to the books ------------------------------------------------------------- */

static void seal(void)
{
    struct error err = { "" };

    if (meter_seal(w.meter, w.wall_ns, &err) < 0)
        fail_msg("%s", err.text);
}

static void ticks(unsigned times)
{
    world_ticks(&w, times);
    seal();
}

static void set_clock(int64_t by_s)
{
    w.wall_ns += by_s * (int64_t)SECOND;
}

static void sleep_for(uint64_t s)
{
    w.now += s * SECOND;
    w.wall_ns += (int64_t)(s * SECOND);
}

static void live(const struct clock_row *row)
{
    w.wall_ns = (row->begin_s - 9) * (int64_t)SECOND;
    world_start(&w);
    ticks(9);
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    ticks(20);
    set_clock(row->step_s);
    ticks(10);
    sleep_for(row->suspended_s);
    ticks(10);
    set_clock(-row->back_s);
    ticks(20);
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_edge(&w, MARK_JOB_END, 7, 0);
    ticks(9);
    world_stop(&w);
}

static void load(size_t row, uint64_t batches)
{
    char spool[PATH_MAX];
    const struct ingest ingest = { .store = books.store, .deliver_dir = spool };
    struct ingest_report report = { 0 };
    struct error err = { "" };

    snprintf(spool, sizeof(spool), "%.4000s/spool", w.tree.path);
    if (ingest_round(&ingest, &report, &err) < 0)
        fail_msg("%s", err.text);
    ROW_HOLDS(row, report.quarantined == 0 && report.left == 0);
    ROW_HOLDS(row, report.loaded >= batches);
}

static void check(size_t row)
{
    int64_t lasted_ns = (int64_t)((JOB_S + rows[row].suspended_s) * SECOND);
    int64_t counted_mj = (int64_t)(4 * (w.raw_uj - 5000000) / 1000), booked_mj, gap_ms;

    ROW_HOLDS(row, books_audit(&books, NULL, false) == 0);
    ROW_HOLDS(row, books_number(&books, "SELECT end_ns - begin_ns FROM allocation") == lasted_ns);
    ROW_HOLDS(row, books_number(&books, "SELECT end_ns - begin_ns FROM step") == lasted_ns);
    ROW_HOLDS(row, books_number(&books, "SELECT end_ns FROM allocation") / (int64_t)SECOND ==
                   rows[row].begin_s + JOB_S + rows[row].step_s - rows[row].back_s +
                       (int64_t)rows[row].suspended_s);
    booked_mj = books_number(&books, "SELECT SUM(active_mj + idle_mj) FROM energy");
    gap_ms = books_number(&books, "SELECT COALESCE(SUM(elapsed_ms), 0) FROM energy WHERE"
                                  " step_id = 0 AND component = 'cpu' AND quality = 'gap'");
    if (rows[row].suspended_s) { /* the counters may have wrapped: unknown, from tick to tick */
        ROW_HOLDS(row, gap_ms >= (int64_t)rows[row].suspended_s * 1000);
        ROW_HOLDS(row, counted_mj - booked_mj == TICK_MJ * (gap_ms / 1000 -
                                                            (int64_t)rows[row].suspended_s));
    } else {
        ROW_HOLDS(row, booked_mj == counted_mj && gap_ms == 0);
    }
    ROW_HOLDS(row, books_number(&books, "SELECT SUM(elapsed_ms) FROM energy WHERE step_id = 0 AND"
                                        " component = 'cpu'") == lasted_ns / 1000000);
    ROW_HOLDS(row, books_number(&books, "SELECT COUNT(*) FROM energy WHERE hour_s %% 3600 <> 0") ==
                   0);
}

static void a_job_lasts_as_long_as_it_lasted_whatever_the_clock_is_set_to(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Paris", 1);
    for (size_t row = 0; row < LENGTH(rows); row++) {
        print_message("  %s\n", rows[row].name);
        world_make(&w);
        books_open(&books);
        live(&rows[row]);
        load(row, 7);
        check(row);
        books_close(&books);
        world_free(&w);
    }
}

/* A hook that is put off between reading one clock and the other gets a label that is late. */
static void edge_read_late(unsigned edge, int64_t late_ns)
{
    w.wall_ns += late_ns;
    world_edge(&w, edge, 7, 0);
    w.wall_ns -= late_ns;
}

static void a_step_lies_in_its_job_whenever_their_labels_were_read(void **state)
{
    (void)state;
    world_make(&w);
    books_open(&books);
    world_start(&w);
    ticks(9);
    edge_read_late(MARK_JOB_BEGIN, 30000000);
    edge_read_late(MARK_STEP_BEGIN, 10000000);
    ticks(9);
    edge_read_late(MARK_STEP_END, 20000000);
    edge_read_late(MARK_JOB_END, 0);
    ticks(9);
    world_stop(&w);
    load(0, 4);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM step JOIN allocation AS a"
                                          " USING (allocation_key) WHERE step.begin_ns = a.begin_ns"
                                          " AND step.end_ns = a.end_ns"), 1);
    books_close(&books);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_lasts_as_long_as_it_lasted_whatever_the_clock_is_set_to),
        cmocka_unit_test(a_step_lies_in_its_job_whenever_their_labels_were_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
