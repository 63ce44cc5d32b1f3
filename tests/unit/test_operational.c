#include <errno.h>
#include <math.h>
#include <string.h>

#include "unit.h"

#include "carbon/operational.h"

#define WH_MJ UINT64_C(3600000) /* millijoules in a watt-hour */

/* Exact results of an independent calculator, in micrograms: what a double must reach. */
static const struct {
    const char *name;
    uint64_t active_mj, idle_mj, pue_ppm, ug_per_kwh;
    int64_t active_ug, idle_ug, overhead_ug, total_ug;
} cases[] = {
    { "BLOOM's training at PUE 1.2, without idle: the paper's 30 t", 433196000 * WH_MJ, 0, 1200000,
      57000000, INT64_C(24692172000000), 0, INT64_C(4938434400000), INT64_C(29630606400000) },
    { "BLOOM's training at PUE 1: 24.69 t", 433196000 * WH_MJ, 0, 1000000, 57000000,
      INT64_C(24692172000000), 0, 0, INT64_C(24692172000000) },
    { "100 kWh at the machines", 100000 * WH_MJ, 0, 1200000, 57000000, INT64_C(5700000000), 0,
      INT64_C(1140000000), INT64_C(6840000000) },
    { "100 kWh at the facility's meter", 100000 * WH_MJ, 0, 1000000, 57000000, INT64_C(5700000000),
      0, 0, INT64_C(5700000000) },
    { "shared node, job A", UINT64_C(8443440000), 0, 1200000, 57000000, 133687800, 0, 26737560,
      160425360 },
    { "shared node, job B", UINT64_C(3861720000), 0, 1200000, 57000000, 61143900, 0, 12228780,
      73372680 },
    { "shared node, system", UINT64_C(51840000), 0, 1200000, 57000000, 820800, 0, 164160, 984960 },
    { "shared node, unallocated: all of it idle", 0, UINT64_C(2043000000), 1200000, 57000000, 0,
      32347500, 6469500, 38817000 },
    { "CPU node, J1 at PUE 1.3 in Great Britain", 4500 * WH_MJ, 0, 1300000, 215790000, 971055000, 0,
      291316500, 1262371500 },
    { "nothing", 0, 0, 1200000, 57000000, 0, 0, 0, 0 },
};

static int near(double grams, int64_t micrograms)
{
    double expected = (double)micrograms / 1e6;

    return fabs(grams - expected) <= 1e-12 * fabs(expected);
}

static void grams_match_the_independent_calculator(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct operational grams;

        assert_int_equal(operational_of(cases[i].active_mj, cases[i].idle_mj, cases[i].pue_ppm,
                                        cases[i].ug_per_kwh, &grams, NULL), 0);
        ROW_HOLDS(i, near(grams.active_g, cases[i].active_ug));
        ROW_HOLDS(i, near(grams.idle_g, cases[i].idle_ug));
        ROW_HOLDS(i, near(grams.overhead_g, cases[i].overhead_ug));
        ROW_HOLDS(i, near(grams.total_g, cases[i].total_ug));
    }
}

static void a_pue_below_one_is_refused_and_changes_nothing(void **state)
{
    struct operational grams = { .total_g = -7 };
    struct error err = { "" };

    (void)state;
    assert_int_equal(operational_of(1, 1, 990000, 57000000, &grams, &err), -ERANGE);
    assert_true(grams.total_g == -7);
    assert_non_null(strstr(err.text, "0.99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grams_match_the_independent_calculator),
        cmocka_unit_test(a_pue_below_one_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
