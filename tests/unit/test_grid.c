#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "carbon/grid.h"
#include "carbon/operational.h"

#define HOUR0_S INT64_C(1790762400) /* 2026-09-30T10:00:00Z */
#define G UINT64_C(1000000)         /* ug */

static struct intensity years[] = {
    { .zone = "FR", .basis = "lifecycle", .year = 2024, .ug_per_kwh = 57 * G },
    { .zone = "FR", .basis = "lifecycle", .year = 2026, .ug_per_kwh = 44 * G },
};

/* [0 h, 1 h) in four quarters, [1 h, 1 h 30) alone, a forecast for [3 h, 4 h), [5 h 30, 6 h 30) */
static struct grid_interval intervals[] = {
    { HOUR0_S, HOUR0_S + 900, 10 * G, false },
    { HOUR0_S + 900, HOUR0_S + 1800, 20 * G, false },
    { HOUR0_S + 1800, HOUR0_S + 2700, 30 * G, false },
    { HOUR0_S + 2700, HOUR0_S + 3600, 41 * G, false },
    { HOUR0_S + 3600, HOUR0_S + 5400, 100 * G, false },
    { HOUR0_S + 10800, HOUR0_S + 14400, 80 * G, true },
    { HOUR0_S + 19800, HOUR0_S + 23400, 200 * G, false },
};

static struct pue_period pues[] = {
    { HOUR0_S + 3600, HOUR0_S + 7200, 1300000, "" },
    { HOUR0_S + 10800, HOUR0_S + 14400, 1400000, "" },
};

static struct grid example(void)
{
    return (struct grid){
        .has_intensity = true, .basis = "lifecycle",
        .annual = years, .n_annual = LENGTH(years),
        .intervals = intervals, .n_intervals = LENGTH(intervals),
        .pue_ppm = 1200000, .pues = pues, .n_pues = LENGTH(pues),
    };
}

static void an_hour_is_the_mean_of_what_covers_it_and_the_annual_value_of_the_rest(void **state)
{
    static const struct {
        int hour;
        uint64_t ug_per_kwh;
        unsigned flags;
    } rows[] = {
        { -1, 44 * G, HOUR_ANNUAL },     /* before all intervals */
        { 0, 25250000, 0 },              /* (10 + 20 + 30 + 41) / 4 */
        { 1, 72 * G, HOUR_ANNUAL },      /* (100 + 44) / 2 */
        { 2, 44 * G, HOUR_ANNUAL },
        { 3, 80 * G, HOUR_ESTIMATED },
        { 5, 122 * G, HOUR_ANNUAL },
        { 6, 122 * G, HOUR_ANNUAL },     /* the other half of an interval across the hour */
        { 7, 44 * G, HOUR_ANNUAL },
    };
    struct grid grid = example();

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct grid_hour hour;

        ROW_HOLDS(i, grid_hour(&grid, HOUR0_S + rows[i].hour * 3600, &hour));
        ROW_HOLDS(i, hour.ug_per_kwh == rows[i].ug_per_kwh);
        ROW_HOLDS(i, hour.flags == rows[i].flags);
    }
}

static void the_annual_value_is_of_the_year_or_the_newest_before_or_the_oldest(void **state)
{
    static const struct {
        int64_t hour_s;
        uint64_t ug_per_kwh;
    } rows[] = {
        { 1672531200, 57 * G }, /* 2023-01-01: older than any */
        { 1704067200, 57 * G }, /* 2024-01-01T00 */
        { 1767222000, 57 * G }, /* 2025-12-31T23: no row of 2025 */
        { 1767225600, 44 * G }, /* 2026-01-01T00 */
        { 1893456000, 44 * G }, /* 2030-01-01 */
    };
    struct grid grid = example();

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct grid_hour hour;

        ROW_HOLDS(i, grid_hour(&grid, rows[i].hour_s, &hour));
        ROW_HOLDS(i, hour.ug_per_kwh == rows[i].ug_per_kwh && hour.flags == HOUR_ANNUAL);
    }
}

static void an_annual_value_of_another_basis_is_flagged_only_where_it_serves(void **state)
{
    struct grid grid = example();
    struct grid_hour hour;

    (void)state;
    strcpy(grid.basis, "direct");
    assert_true(grid_hour(&grid, HOUR0_S, &hour));
    assert_int_equal(hour.flags, 0);
    assert_true(grid_hour(&grid, HOUR0_S + 3600, &hour));
    assert_int_equal(hour.flags, HOUR_ANNUAL | HOUR_OTHER_BASIS);
}

static void the_pue_is_that_of_its_period(void **state)
{
    static const uint64_t pue_ppm[] = { 1200000, 1300000, 1200000, 1400000, 1200000 };
    struct grid grid = example();

    (void)state;
    for (size_t i = 0; i < LENGTH(pue_ppm); i++) {
        struct grid_hour hour;

        ROW_HOLDS(i, grid_hour(&grid, HOUR0_S + (int64_t)i * 3600, &hour));
        ROW_HOLDS(i, hour.pue_ppm == pue_ppm[i]);
    }
}

static void without_an_annual_value_a_part_of_an_hour_stands_for_it_and_nothing_for_none(
    void **state)
{
    struct grid grid = example();
    struct grid_hour hour;

    (void)state;
    grid.n_annual = 0;
    assert_true(grid_hour(&grid, HOUR0_S + 3600, &hour));
    assert_int_equal(hour.ug_per_kwh, 100 * G);
    assert_int_equal(hour.flags, HOUR_ESTIMATED);
    assert_false(grid_hour(&grid, HOUR0_S + 7200, &hour));
    assert_int_equal(hour.ug_per_kwh, 0);
    assert_int_equal(hour.flags, 0);
    assert_int_equal(hour.pue_ppm, 1200000);
}

static void without_a_zone_there_is_no_intensity_but_a_pue(void **state)
{
    struct grid grid = example();
    struct grid_hour hour;

    (void)state;
    grid.has_intensity = false;
    assert_false(grid_hour(&grid, HOUR0_S, &hour));
    assert_int_equal(hour.ug_per_kwh, 0);
    assert_int_equal(hour.pue_ppm, 1200000);
}

static void a_cleared_grid_is_empty_and_may_be_cleared_again(void **state)
{
    struct grid grid = { .has_intensity = true, .n_annual = 1, .n_intervals = 1, .n_pues = 1 };

    (void)state;
    grid.annual = calloc(1, sizeof(*grid.annual));
    grid.intervals = calloc(1, sizeof(*grid.intervals));
    grid.pues = calloc(1, sizeof(*grid.pues));
    grid_clear(&grid);
    assert_false(grid.has_intensity);
    assert_null(grid.intervals);
    assert_int_equal(grid.n_intervals, 0);
    grid_clear(&grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_hour_is_the_mean_of_what_covers_it_and_the_annual_value_of_the_rest),
        cmocka_unit_test(the_annual_value_is_of_the_year_or_the_newest_before_or_the_oldest),
        cmocka_unit_test(an_annual_value_of_another_basis_is_flagged_only_where_it_serves),
        cmocka_unit_test(the_pue_is_that_of_its_period),
        cmocka_unit_test(
            without_an_annual_value_a_part_of_an_hour_stands_for_it_and_nothing_for_none),
        cmocka_unit_test(without_a_zone_there_is_no_intensity_but_a_pue),
        cmocka_unit_test(a_cleared_grid_is_empty_and_may_be_cleared_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
