/* Energy from a power gauge: exact, and never across a stretch that nobody saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensors/gauge.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)
#define W UINT64_C(1000000)

struct step {
    uint64_t at_ns, power_uw, energy_uj;
};

static void assert_steps(const struct step *steps, size_t count)
{
    struct gauge gauge = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_int_equal(gauge_add(&gauge, steps[i].at_ns, steps[i].power_uw), steps[i].energy_uj);
}

static void test_power_runs_in_a_straight_line_between_readings(void **state)
{
    static const struct step steps[] = {
        { 100 * S, 50 * W, 0 },
        { 101 * S, 50 * W, 50 * W },
        { 103 * S, 150 * W, 250 * W }, /* 2 s at 100 W on average */
        { 103 * S + 1, 0, 250 * W },   /* 0.075 uJ: below the unit, and kept */
        { 104 * S + 1, 0, 250 * W },
    };

    (void)state;
    assert_steps(steps, COUNT(steps));
}

static void test_nothing_is_lost_below_the_unit(void **state)
{
    struct gauge gauge = { 0 };
    uint64_t energy_uj = 0;

    (void)state;
    for (uint64_t i = 0; i <= 1000000; i++) /* 1 W in steps of 333 ns: a third of a uJ each */
        energy_uj = gauge_add(&gauge, 7 + i * 333, W);
    assert_int_equal(energy_uj, 333000);
}

static void test_reading_that_is_not_after_the_last_changes_nothing(void **state)
{
    static const struct step steps[] = {
        { 10 * S, 10 * W, 0 },        { 11 * S, 10 * W, 10 * W },
        { 11 * S, 5000 * W, 10 * W }, { 9 * S, 5000 * W, 10 * W },
        { 12 * S, 10 * W, 20 * W },
    };

    (void)state;
    assert_steps(steps, COUNT(steps));
}

static void test_what_nobody_saw_is_not_bridged(void **state)
{
    static const struct step steps[] = {
        { 10 * S, 10 * W, 0 },
        { 20 * S, 10 * W, 100 * W },
        { 20 * S + GAUGE_PATIENCE_NS, 10 * W, 400 * W }, /* just short enough */
        { 20 * S + 2 * GAUGE_PATIENCE_NS + 1, 10 * W, 0 },
        { 21 * S + 2 * GAUGE_PATIENCE_NS + 1, 30 * W, 20 * W },
    };

    (void)state;
    assert_steps(steps, COUNT(steps));
}

static void test_first_reading_may_be_at_any_time(void **state)
{
    static const struct step at_zero[] = { { 0, 10 * W, 0 }, { S, 10 * W, 10 * W } };
    static const struct step at_end[] = {
        { UINT64_MAX - S, 10 * W, 0 }, { UINT64_MAX, 10 * W, 10 * W },
    };

    (void)state;
    assert_steps(at_zero, COUNT(at_zero));
    assert_steps(at_end, COUNT(at_end));
}

static void test_highest_power_over_the_longest_stretch_does_not_overflow(void **state)
{
    const uint64_t power_uw = (UINT64_C(1) << 44) - 1;
    struct gauge gauge = { 0 };

    (void)state;
    gauge_add(&gauge, 1, power_uw);
    assert_int_equal(gauge_add(&gauge, 1 + GAUGE_PATIENCE_NS, power_uw), 30 * power_uw);
}

static void test_node_of_30_kw_is_counted_for_ten_years(void **state)
{
    const uint64_t stretches = UINT64_C(3650) * 86400 / 30;
    struct gauge gauge = { 0 };
    uint64_t energy_uj = 0;

    (void)state;
    for (uint64_t i = 0; i <= stretches; i++)
        energy_uj = gauge_add(&gauge, 1 + i * 30 * S, 30000 * W);
    assert_int_equal(energy_uj, stretches * 30 * 30000 * W);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_runs_in_a_straight_line_between_readings),
        cmocka_unit_test(test_nothing_is_lost_below_the_unit),
        cmocka_unit_test(test_reading_that_is_not_after_the_last_changes_nothing),
        cmocka_unit_test(test_what_nobody_saw_is_not_bridged),
        cmocka_unit_test(test_first_reading_may_be_at_any_time),
        cmocka_unit_test(test_highest_power_over_the_longest_stretch_does_not_overflow),
        cmocka_unit_test(test_node_of_30_kw_is_counted_for_ten_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
