/* the report of a period: figures of METHOD's golden cases, the tree, and what does not close */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "report/cells.h"
#include "report/month.h"
#include "report/period_report.h"
#include "report/period_work.h"

#define TEN INT64_C(1792922400) /* 2026-10-25T10:00:00Z */
#define DAY_FROM (TEN - 10 * 3600)
#define WH UINT64_C(3600000)    /* millijoules */

/* --- months ----------------------------------------------------------------------------------- */

static void test_months_are_read_in_two_forms_and_refused_in_others(void **state)
{
    static const char *const bad[] = { "", "2026", "2026-1", "2026-13", "2026-00", "26-10",
                                       "2026-10-01", "2026/10", "1969-12", "2026--10", "202610x" };
    struct error err = { "" };
    int64_t month_s = 7;

    (void)state;
    assert_int_equal(month_parse("2026-10", &month_s, &err), 0);
    assert_int_equal(month_s, 1790812800);
    assert_int_equal(month_parse("202610", &month_s, &err), 0);
    assert_int_equal(month_s, 1790812800);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        month_s = 7;
        ROW_HOLDS(i, month_parse(bad[i], &month_s, &err) == -EINVAL && month_s == 7);
    }
}

static void test_months_are_added_over_years(void **state)
{
    static const struct {
        int64_t from_s;
        int months;
        int64_t expected_s;
    } rows[] = {
        { 1790812800, 0, 1790812800 },  /* 2026-10 */
        { 1793491199, 0, 1790812800 },  /* its last second */
        { 1790812800, -12, 1759276800 }, /* 2025-10 */
        { 1790812800, 3, 1798761600 },   /* 2027-01 */
        { 1709210096, 1, 1709251200 },   /* 2024-02-29 to 2024-03 */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        ROW_HOLDS(i, month_add(rows[i].from_s, rows[i].months) == rows[i].expected_s);
}

/* --- what the report is made with ------------------------------------------------------------- */

static void test_cells_are_as_wide_as_their_column_must_be(void **state)
{
    struct cells cells = { 0 };
    struct error err = { "" };
    struct buf buf;

    (void)state;
    buf_init(&buf);
    cells_column(&cells, false);
    cells_column(&cells, true);
    cells_column(&cells, false);
    cells_text(&cells, "name");
    cells_text(&cells, "kg");
    cells_text(&cells, "why");
    cells_text(&cells, "\xc3\xa9t\xc3\xa9"); /* three columns, five bytes */
    cells_text(&cells, "1000");
    cells_text(&cells, "");
    cells_text(&cells, "");
    cells_text(&cells, "2");
    cells_text(&cells, "x");
    assert_int_equal(cells_write(&cells, true, true, false, &buf, &err), 0);
    assert_string_equal(buf.data, "  name    kg  why\n"
                                  "  \xc3\xa9t\xc3\xa9   1000\n"
                                  "           2  x\n");
    buf_free(&buf);
}

static void test_keys_are_found_where_they_were_put(void **state)
{
    struct key_map map = { 0 };
    struct error err = { "" };

    (void)state;
    assert_int_equal(key_map_find(&map, 1), SIZE_MAX);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(key_map_add(&map, (int64_t)(i * 1024) - 70000, i, &err), 0);
    for (size_t i = 0; i < 5000; i++)
        ROW_HOLDS(i, key_map_find(&map, (int64_t)(i * 1024) - 70000) == i);
    assert_int_equal(key_map_find(&map, 1), SIZE_MAX);
    key_map_clear(&map);
}

static void test_the_same_text_is_kept_once(void **state)
{
    struct texts texts = { 0 };
    uint32_t first, number;
    char name[32];

    (void)state;
    assert_int_equal(texts_put(&texts, "user7", &first), 0);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(texts_put(&texts, name, &number), 0);
        assert_string_equal(texts.items[number], name);
    }
    assert_int_equal(texts_put(&texts, "user7", &number), 0);
    assert_int_equal(number, first);
    assert_int_equal(texts.count, 3000);
    texts_clear(&texts);
}

/* --- reports of a database -------------------------------------------------------------------- */

/* A day of one node, and what it rests on. */
struct world {
    struct books books;
    struct intensity annual;
    struct grid_interval intervals[3];
    struct account_parent parents[3];
    struct basis basis;
    struct period_report report;
};

static void sql(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void sql(struct world *world, const char *fmt, ...)
{
    struct error err = { "" };
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (store_exec(world->books.store, text, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static int setup(void **state)
{
    static struct world world;

    world = (struct world){ .annual = { .zone = "FR", .year = 2024, .ug_per_kwh = 57000000,
                                        .basis = "lifecycle" } };
    books_open(&world.books);
    world.basis = (struct basis){ .set = { .number = 1 }, .utilisation_ppm = 850000 };
    world.basis.grid = (struct grid){ .has_intensity = true, .zone = "FR", .basis = "lifecycle",
                                      .annual = &world.annual, .n_annual = 1,
                                      .pue_ppm = 1200000 };
    sql(&world, "INSERT INTO node VALUES (1, 'c', 'n1', 2, 64, 8, 1000)");
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    period_report_clear(&world->report);
    books_close(&world->books);
    return 0;
}

/* A job on n1 from ten to eleven. */
static void add_job(struct world *world, int key, const char *account, int gpus)
{
    sql(world, "INSERT INTO job (job_key, cluster, job_id, restart_count, account, begin_s, end_s,"
        " exit_status) VALUES (%d, 'c', %d, 0, '%s', %lld, %lld, 0)", key, 100 + key, account,
        (long long)TEN, (long long)TEN + 3600);
    sql(world, "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref, begin_ns,"
        " end_ns, seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb) VALUES (%d, %d,"
        " 1, 'a', %d, %lld000000000, %lld000000000, 0, 1, 8, '', %d, '', 0)", key, key, key,
        (long long)TEN, (long long)TEN + 3600, gpus);
    sql(world, "INSERT INTO allocation_month VALUES (1790812800, %d)", key);
}

static void add_job_hour(struct world *world, int key, int64_t hour_s, uint64_t active_mj)
{
    sql(world, "INSERT INTO job_hour VALUES (%lld, %d, %llu, 0, %llu, 0, 1000, 1000, 0)",
        (long long)hour_s, key, (unsigned long long)active_mj, (unsigned long long)active_mj);
}

/* An hour of the node, which is the cluster's too. */
static void add_hour(struct world *world, int64_t hour_s, uint64_t active_mj, uint64_t system_mj,
                     uint64_t unallocated_mj)
{
    unsigned long long counted = active_mj + system_mj + unallocated_mj;

    sql(world, "INSERT INTO node_hour VALUES (%lld, 1, %llu, %llu, 0, %llu, %llu, %llu, 0, 1000,"
        " 1000, 0)", (long long)hour_s, counted, (unsigned long long)active_mj,
        (unsigned long long)system_mj, (unsigned long long)unallocated_mj, counted);
    sql(world, "INSERT INTO cluster_hour VALUES ('c', %lld, %llu, %llu, 0, %llu, %llu, %llu, 0,"
        " 1000, 1000, 0)", (long long)hour_s, counted, (unsigned long long)active_mj,
        (unsigned long long)system_mj, (unsigned long long)unallocated_mj, counted);
}

static int build(struct world *world, struct error *err)
{
    const struct period day = { "c", DAY_FROM, DAY_FROM + 86400 };

    return period_report_build(world->books.store, &day, &world->basis, NULL, &world->report, err);
}

static const struct report_line *line_named(const struct report_group *group, const char *name)
{
    for (size_t i = 0; i < group->count; i++) {
        if (strcmp(group->lines[i].name, name) == 0)
            return &group->lines[i];
    }
    fail_msg("no line %s", name);
    return NULL;
}

/* METHOD's golden case 2; without a split, as ingest books it */
static void add_shared_node(struct world *world)
{
    add_job(world, 1, "a", 4);
    add_job(world, 2, "b", 2);
    add_job_hour(world, 1, TEN, 2345400 * WH / 1000);
    add_job_hour(world, 2, TEN, 1072700 * WH / 1000);
    add_hour(world, TEN, (2345400 + 1072700) * WH / 1000, 14400 * WH / 1000, 567500 * WH / 1000);
}

static void test_a_shared_node_gives_the_golden_grams(void **state)
{
    struct world *world = *state;
    struct error err = { "" };
    const struct period_report *report = &world->report;

    add_shared_node(world);
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(report->counted_mj, 4000 * WH);
    assert_int_equal(amounts_operational_mg(&line_named(&report->accounts, "a")->own), 160425);
    assert_int_equal(amounts_operational_mg(&line_named(&report->accounts, "b")->own), 73373);
    assert_int_equal(report->system_mg + report->system_overhead_mg, 985);
    assert_int_equal(report->unallocated_mg + report->unallocated_overhead_mg, 38817);
    assert_int_equal(report->total_mg, 273600); /* 4 kWh x 1.2 x 57 g */
    assert_int_equal(report->annual_hours, 1);
    assert_false(report->has_market);
}

static void test_unallocated_energy_is_spread_by_gpu_hours(void **state)
{
    struct world *world = *state;
    struct error err = { "" };
    const struct report_group *accounts = &world->report.accounts;

    add_shared_node(world);
    world->basis.spread_idle = true;
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(world->report.unallocated_mg + world->report.unallocated_overhead_mg, 0);
    assert_int_equal(line_named(accounts, "a")->own.spread_mg, 25878); /* 4 of 6, 38817 */
    assert_int_equal(line_named(accounts, "b")->own.spread_mg, 12939);
    assert_int_equal(world->report.total_mg, 273600);
}

static void test_spread_energy_stays_where_no_job_held_a_gpu(void **state)
{
    struct world *world = *state;
    struct error err = { "" };

    add_shared_node(world);
    sql(world, "UPDATE allocation SET gpus = 0");
    world->basis.spread_idle = true;
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(world->report.unallocated_mg + world->report.unallocated_overhead_mg, 38817);
    assert_int_equal(world->report.jobs.spread_mg, 0);
}

/* METHOD's golden case 7: 0.35 kWh at 40, 1.0 at 80 and 0.2 at 200 g/kWh; or without the last */
static void test_each_hour_has_its_own_intensity(void **state)
{
    static const uint64_t wh[] = { 350, 1000, 200 };
    struct world *world = *state;
    struct error err = { "" };

    add_job(world, 1, "a", 0);
    for (int i = 0; i < 3; i++) {
        world->intervals[i] = (struct grid_interval){ TEN + i * 3600, TEN + (i + 1) * 3600,
                                                      (i == 2 ? 200 : i == 1 ? 80 : 40) *
                                                      UINT64_C(1000000), false };
        add_job_hour(world, 1, TEN + i * 3600, wh[i] * WH);
        add_hour(world, TEN + i * 3600, wh[i] * WH, 0, 0);
    }
    world->basis.grid.intervals = world->intervals;
    world->basis.grid.n_intervals = 3;
    world->basis.grid.pue_ppm = PPM;
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(world->report.total_mg, 134000);
    assert_int_equal(world->report.annual_hours, 0);
    assert_int_equal(world->report.trend[12].total_mg, 134000);
    period_report_clear(&world->report);
    world->basis.grid.n_intervals = 2;
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(world->report.total_mg, 105400);
    assert_int_equal(world->report.annual_hours, 1);
    assert_int_equal(world->report.days[0].annual_hours, 1);
}

static void test_an_account_has_those_below_it_in_its_tree(void **state)
{
    struct world *world = *state;
    struct error err = { "" };
    const struct report_group *accounts = &world->report.accounts;

    world->parents[0] = (struct account_parent){ "a", "group" };
    world->parents[1] = (struct account_parent){ "b", "site" };
    world->parents[2] = (struct account_parent){ "group", "site" };
    world->basis.inventory.accounts = world->parents;
    world->basis.inventory.n_accounts = 3;
    add_shared_node(world);
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(accounts->count, 4);
    assert_string_equal(accounts->lines[0].name, "site");
    assert_string_equal(accounts->lines[1].name, "group");
    assert_string_equal(accounts->lines[2].name, "a");
    assert_string_equal(accounts->lines[3].name, "b");
    assert_int_equal(accounts->lines[2].depth, 2);
    assert_int_equal(accounts->lines[0].own.jobs, 0);
    assert_int_equal(accounts->lines[0].tree.jobs, 2);
    assert_int_equal(amounts_operational_mg(&accounts->lines[1].tree), 160425);
}

static void test_a_job_of_another_cluster_is_left_out(void **state)
{
    struct world *world = *state;
    struct error err = { "" };

    add_shared_node(world);
    sql(world, "INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s) VALUES"
        " (9, 'd', 9, 0, %lld)", (long long)TEN);
    add_job_hour(world, 9, TEN, 1000);
    assert_int_equal(build(world, &err), 0);
    assert_int_equal(world->report.jobs.jobs, 2);
}

static void test_books_that_do_not_close_give_no_report(void **state)
{
    struct world *world = *state;
    struct error err = { "" };

    add_shared_node(world);
    sql(world, "UPDATE job_hour SET active_mj = active_mj + 1 WHERE job_key = 1");
    assert_int_equal(build(world, &err), -EPROTO);
    assert_non_null(strstr(err.text, "carbonctl audit"));
    assert_int_equal(world->report.n_days, 0); /* cleared */
}

static void test_a_report_that_was_changed_is_found_out(void **state)
{
    struct world *world = *state;
    struct period_report *report = &world->report;
    struct error err = { "" };

    add_shared_node(world);
    assert_int_equal(build(world, &err), 0);
    uint64_t *const figures[] = {
        &report->counted_mj, &report->system_mj, &report->system_mg, &report->total_mg,
        &report->total.low, &report->jobs.active_mg, &report->jobs.gpu_ms,
        &report->accounts.lines[0].own.jobs, &report->users.lines[0].own.embodied.high,
        &report->partitions.lines[0].own.core_ms, &report->states.lines[0].own.measured_mj,
        &report->days[0].operational_mg, &report->types[0].counted_mj,
    };
    for (size_t i = 0; i < LENGTH(figures); i++) {
        *figures[i] += 1;
        ROW_HOLDS(i, period_report_check(report, &err) == -EPROTO);
        *figures[i] -= 1;
        ROW_HOLDS(i, period_report_check(report, &err) == 0);
    }
}

static void note_progress(void *arg, unsigned percent)
{
    unsigned *last = arg;

    assert_true(percent > *last && percent <= 100);
    *last = percent;
}

static void test_progress_rises_to_100(void **state)
{
    struct world *world = *state;
    struct error err = { "" };
    const struct period day = { "c", DAY_FROM, DAY_FROM + 86400 };
    unsigned last = 0;
    const struct period_report_options options = { .progress = note_progress, .arg = &last };

    add_shared_node(world);
    assert_int_equal(period_report_build(world->books.store, &day, &world->basis, &options,
                                         &world->report, &err), 0);
    assert_int_equal(last, 100);
    assert_int_equal(world->report.n_top, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_months_are_read_in_two_forms_and_refused_in_others),
        cmocka_unit_test(test_months_are_added_over_years),
        cmocka_unit_test(test_cells_are_as_wide_as_their_column_must_be),
        cmocka_unit_test(test_keys_are_found_where_they_were_put),
        cmocka_unit_test(test_the_same_text_is_kept_once),
        cmocka_unit_test_setup_teardown(test_a_shared_node_gives_the_golden_grams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unallocated_energy_is_spread_by_gpu_hours, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_spread_energy_stays_where_no_job_held_a_gpu, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_each_hour_has_its_own_intensity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_account_has_those_below_it_in_its_tree, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_job_of_another_cluster_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_books_that_do_not_close_give_no_report, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_report_that_was_changed_is_found_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_progress_rises_to_100, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
