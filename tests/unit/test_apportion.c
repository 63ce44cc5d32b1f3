#include "unit.h"

#include <string.h>

#include "core/apportion.h"

static void shares_are_the_largest_remainders(void **state)
{
    static const struct {
        uint64_t amount;
        size_t count;
        uint64_t weights[5], shares[5], left;
    } rows[] = {
        { 10, 3, { 1, 1, 1 }, { 4, 3, 3 }, 0 },              /* tie to the lowest index */
        { 11, 3, { 1, 1, 1 }, { 4, 4, 3 }, 0 },
        { 100, 3, { 1, 2, 3 }, { 17, 33, 50 }, 0 },          /* .67 .33 .00 */
        { 1, 3, { 1, 2, 1 }, { 0, 1, 0 }, 0 },
        { 7, 4, { 0, 5, 0, 5 }, { 0, 4, 0, 3 }, 0 },         /* no weight, no unit */
        { 0, 3, { 1, 2, 3 }, { 0, 0, 0 }, 0 },
        { 9, 3, { 0, 0, 0 }, { 0, 0, 0 }, 9 },               /* nobody to take it */
        { 9, 0, { 0 }, { 0 }, 9 },
        { 9, 1, { UINT64_MAX }, { 9 }, 0 },
        { UINT64_MAX, 1, { 3 }, { UINT64_MAX }, 0 },
        { UINT64_MAX, 2, { 1, 1 }, { UINT64_MAX / 2 + 1, UINT64_MAX / 2 }, 0 },
        { UINT64_MAX, 2, { UINT64_MAX - 1, 1 }, { UINT64_MAX - 1, 1 }, 0 },
        { 1000000, 2, { 999999, 1 }, { 999999, 1 }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t shares[5] = { 77, 77, 77, 77, 77 };

        ROW_HOLDS(i, apportion(rows[i].amount, rows[i].weights, rows[i].count, shares) ==
                         rows[i].left);
        ROW_HOLDS(i, memcmp(shares, rows[i].shares, rows[i].count * sizeof(shares[0])) == 0);
    }
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Any split: the sum is the amount, no share is a unit away from its exact value. */
static void check_split(uint64_t amount, const uint64_t *weights, size_t count)
{
    uint64_t shares[200], total = 0, sum = 0;

    for (size_t i = 0; i < count; i++)
        total += weights[i];
    assert_int_equal(apportion(amount, weights, count, shares), total ? 0 : amount);
    for (size_t i = 0; i < count && total; i++) {
        uint64_t exact = (uint64_t)((unsigned __int128)amount * weights[i] / total);

        assert_true(shares[i] == exact || shares[i] == exact + 1);
        assert_true(weights[i] || shares[i] == 0);
        sum += shares[i];
    }
    assert_int_equal(sum, total ? amount : 0);
}

static void the_shares_always_add_up_to_the_amount(void **state)
{
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t count = next_random(&random) % 200;
        unsigned shift = (unsigned)(8 + next_random(&random) % 56); /* 200 < 2^8: no overflow */
        uint64_t amount = next_random(&random) >> next_random(&random) % 64, weights[200];

        for (size_t i = 0; i < count; i++)
            weights[i] = next_random(&random) % 4 ? next_random(&random) >> shift : 0;
        check_split(amount, weights, count);
    }
}

static void equal_weights_differ_by_one_unit_in_order(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 150; count++) {
        uint64_t weights[150], shares[150];

        for (size_t i = 0; i < count; i++)
            weights[i] = UINT64_C(1) << 50;
        assert_int_equal(apportion(1000, weights, count, shares), 0);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(shares[i], 1000 / count + (i < 1000 % count));
    }
}

static void mul_div_does_not_overflow_in_between(void **state)
{
    static const struct {
        uint64_t a, b, c, result;
    } rows[] = {
        { 7, 3, 2, 10 },
        { 0, UINT64_MAX, 1, 0 },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
        { UINT64_MAX, 1000000000, 1000000001, UINT64_C(18446744055262807559) },
        { UINT64_C(1) << 63, 2, 4, UINT64_C(1) << 62 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        ROW_HOLDS(i, mul_div(rows[i].a, rows[i].b, rows[i].c) == rows[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_the_largest_remainders),
        cmocka_unit_test(the_shares_always_add_up_to_the_amount),
        cmocka_unit_test(equal_weights_differ_by_one_unit_in_order),
        cmocka_unit_test(mul_div_does_not_overflow_in_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
