/* The idle floor: learned from quiet ticks, steady, and kept over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger/floor.h"

#define W UINT64_C(1000000)

static void within(uint64_t value_uw, uint64_t of_uw, unsigned percent)
{
    assert_in_range(value_uw, of_uw * (100 - percent) / 100, of_uw * (100 + percent) / 100);
}

static void no_floor_before_enough_was_seen(void **state)
{
    struct floor floor = { 0 };
    uint64_t uw;

    (void)state;
    for (int i = 0; i < FLOOR_ENOUGH; i++) {
        assert_false(floor_value(&floor, &uw));
        floor_observe(&floor, 40 * W);
    }
    assert_true(floor_value(&floor, &uw));
    within(uw, 40 * W, 3);
}

static void every_power_is_met_within_its_bucket(void **state)
{
    (void)state;
    for (uint64_t power_uw = W / 5; power_uw < 1000 * W; power_uw += power_uw / 37) {
        struct floor floor = { 0 };
        uint64_t uw;

        for (int i = 0; i < FLOOR_ENOUGH; i++)
            floor_observe(&floor, power_uw);
        assert_true(floor_value(&floor, &uw));
        within(uw, power_uw, 3);
    }
}

static void noise_and_odd_readings_do_not_move_it(void **state)
{
    struct floor floor = { 0 };
    uint64_t uw, seed = 1;

    (void)state;
    floor_observe(&floor, 0); /* a stuck counter, once */
    for (int i = 0; i < 3000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        /* half the ticks quiet at 40 W + up to 2 W, half with up to 60 W more */
        floor_observe(&floor, 40 * W + (seed >> 33) % (i % 2 ? 2 * W : 60 * W));
    }
    assert_true(floor_value(&floor, &uw));
    within(uw, 40 * W, 10);
}

static void it_follows_a_change_within_a_day(void **state)
{
    struct floor floor = { 0 };
    uint64_t uw;

    (void)state;
    for (int i = 0; i < 50000; i++)
        floor_observe(&floor, 40 * W);
    for (int i = 0; i < 86400; i++)
        floor_observe(&floor, 55 * W);
    assert_true(floor_value(&floor, &uw));
    within(uw, 55 * W, 3);
}

static void a_checkpoint_keeps_it(void **state)
{
    struct floor floor = { 0 }, back;
    char text[2048];
    uint64_t uw = 0, uw_back = 0;

    (void)state;
    for (uint64_t i = 0; i < 3 * FLOOR_FULL; i++)
        floor_observe(&floor, W / 8 + i * 16000);
    floor_format(&floor, text, sizeof(text));
    assert_int_equal(floor_parse(text, &back), 0);
    assert_memory_equal(&floor, &back, sizeof(floor));
    assert_true(floor_value(&floor, &uw) && floor_value(&back, &uw_back));
    assert_int_equal(uw, uw_back);
}

static void bad_text_is_refused(void **state)
{
    static const char *const texts[] = { "1", "1:", ":1", "1:2,", "208:1", "1:1,1:1", "1:99999999",
                                         "-1:1", "1:1 ", "1:20000,2:1" };
    struct floor floor = { .total = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_not_equal(floor_parse(texts[i], &floor), 0);
    assert_int_equal(floor.total, 7);
    assert_int_equal(floor_parse("", &floor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_floor_before_enough_was_seen),
        cmocka_unit_test(every_power_is_met_within_its_bucket),
        cmocka_unit_test(noise_and_odd_readings_do_not_move_it),
        cmocka_unit_test(it_follows_a_change_within_a_day),
        cmocka_unit_test(a_checkpoint_keeps_it),
        cmocka_unit_test(bad_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
