#include <errno.h>
#include <math.h>
#include <stdlib.h>
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

/* The same cases as integers; of those with whole milligrams, exactly. */
static void exact_sums_match_the_independent_calculator(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct operational_exact sum = { 0 };

        operational_add(&sum, cases[i].active_mj, cases[i].idle_mj, cases[i].pue_ppm,
                        cases[i].ug_per_kwh);
        ROW_HOLDS(i, exact_mg(sum.active) == (uint64_t)(cases[i].active_ug + 500) / 1000);
        ROW_HOLDS(i, exact_mg(sum.idle) == (uint64_t)(cases[i].idle_ug + 500) / 1000);
        ROW_HOLDS(i, exact_mg(sum.overhead) == (uint64_t)(cases[i].overhead_ug + 500) / 1000);
        ROW_HOLDS(i, llabs((int64_t)(exact_mg(operational_sum(&sum)) * 1000) - cases[i].total_ug) <=
                         500);
        ROW_HOLDS(i, near(exact_g(operational_sum(&sum)), cases[i].total_ug));
    }
}

static void exact_sums_add_up_however_energy_is_cut(void **state)
{
    struct operational_exact whole = { 0 }, cut = { 0 };

    (void)state;
    operational_add(&whole, UINT64_C(1000000007), UINT64_C(998244353), 1234567, 44180001);
    for (uint64_t i = 0; i < 1000; i++)
        operational_add(&cut, 1000000 + (i == 0 ? 7 : 0), 998244 + (i == 999 ? 353 : 0), 1234567,
                        44180001);
    assert_true(whole.active == cut.active);
    assert_true(whole.idle == cut.idle);
    assert_true(whole.overhead == cut.overhead);
}

static void a_year_of_the_largest_machine_does_not_overflow(void **state)
{
    struct operational_exact sum = { 0 };

    (void)state;
    for (int hour = 0; hour < 8760; hour++) /* 100 MW for an hour: 3.6e14 mJ */
        operational_add(&sum, UINT64_C(360000000000000), 0, 2000000, UINT64_C(2000000000));
    /* 876 GWh x 2 x 2 kg/kWh */
    assert_int_equal(exact_mg(operational_sum(&sum)), UINT64_C(3504000000000000));
    assert_true(operational_sum(&sum) >> 118 == 0);
}

static void half_a_milligram_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(exact_mg(0), 0);
    assert_int_equal(exact_mg(EXACT_PER_MG / 2 - 1), 0);
    assert_int_equal(exact_mg(EXACT_PER_MG / 2), 1);
    assert_int_equal(exact_mg(EXACT_PER_MG * 3 / 2 - 1), 1);
    assert_int_equal(exact_mg(EXACT_PER_MG * 41), 41);
}

#define E(x) ((exact)(x))
#define E118 (E(1) << 118)

static void exact_shares_are_the_largest_remainders(void **state)
{
    static const struct {
        uint64_t amount;
        size_t count;
        exact weights[5];
        uint64_t shares[5], left;
    } rows[] = {
        { 10, 3, { 1, 1, 1 }, { 4, 3, 3 }, 0 }, /* a tie goes to the lowest index */
        { 100, 3, { 1, 2, 3 }, { 17, 33, 50 }, 0 },
        { 1, 3, { 1, 2, 1 }, { 0, 1, 0 }, 0 },
        { 7, 4, { 0, 5, 0, 5 }, { 0, 4, 0, 3 }, 0 }, /* no weight, no unit */
        { 0, 3, { 1, 2, 3 }, { 0, 0, 0 }, 0 },
        { 9, 3, { 0, 0, 0 }, { 0, 0, 0 }, 9 }, /* nobody to take it */
        { 9, 0, { 0 }, { 0 }, 9 },
        { 10, 3, { E118, E118, E118 }, { 4, 3, 3 }, 0 },
        /* a difference in the last bit of 119 decides */
        { 1, 3, { E118, E118 + 1, E118 }, { 0, 1, 0 }, 0 },
        { UINT64_MAX, 2, { E118, E118 * 2 }, { UINT64_MAX / 3, UINT64_MAX / 3 * 2 }, 0 },
        { UINT64_MAX, 2, { (E(1) << 125), (E(1) << 125) - 1 },
          { UINT64_MAX / 2 + 1, UINT64_MAX / 2 }, 0 },
        { UINT64_MAX, 2, { (E(1) << 126) - 2, 1 }, { UINT64_MAX, 0 }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t shares[5] = { 77, 77, 77, 77, 77 };
        bool failed = true;

        ROW_HOLDS(i, apportion_exact(rows[i].amount, rows[i].weights, rows[i].count, shares,
                                     &failed) == rows[i].left);
        ROW_HOLDS(i, !failed);
        ROW_HOLDS(i, memcmp(shares, rows[i].shares, rows[i].count * sizeof(shares[0])) == 0);
    }
}

/* More jobs than a month has, each with weights of three limbs when multiplied. */
static void a_hundred_thousand_shares_add_up(void **state)
{
    const size_t count = 100000;
    const uint64_t amount = UINT64_C(1) << 40;
    exact *weights = calloc(count, sizeof(*weights));
    uint64_t *shares = calloc(count, sizeof(*shares)), sum = 0;
    bool failed = true;

    (void)state;
    assert_non_null(weights);
    assert_non_null(shares);
    for (size_t i = 0; i < count; i++)
        weights[i] = (E118 >> 17) / (i + 1) + i % 7;
    assert_int_equal(apportion_exact(amount, weights, count, shares, &failed), 0);
    assert_false(failed);
    for (size_t i = 0; i < count; i++) {
        sum += shares[i];
        assert_true(i == 0 || shares[i] <= shares[i - 1] + 1);
    }
    assert_int_equal(sum, amount);
    free(weights);
    free(shares);
}

static uint64_t random_below(uint64_t *state, unsigned bits)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 1 ^ *state >> 31) >> (64 - bits);
}

static exact random_exact(uint64_t *state, unsigned bits)
{
    exact number = bits > 60 ? (exact)random_below(state, 60) << (bits - 60) : 0;

    return number + random_below(state, bits > 60 ? 60 : bits);
}

#define PRIME ((UINT64_C(1) << 61) - 1)

static uint64_t modulo(exact a, exact b)
{
    return (uint64_t)((a % PRIME) * (b % PRIME) % PRIME);
}

/* amount * weight = quotient * total + remainder: by two moduli, as it needs up to 190 bits. */
static void a_product_is_divided_exactly(void **state)
{
    uint64_t random = 3;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        exact total = 1 + random_exact(&random, 1 + (unsigned)i % 126), remainder;
        exact weight = random_exact(&random, 1 + (unsigned)(i / 126) % 126) % (total + 1);
        uint64_t amount = random_below(&random, 1 + (unsigned)(i / 7) % 64);
        uint64_t quotient = exact_mul_div(amount, weight, total, &remainder);

        ROW_HOLDS(i, remainder < total);
        ROW_HOLDS(i, quotient * total + remainder == amount * weight);
        ROW_HOLDS(i, (modulo(quotient, total) + (uint64_t)(remainder % PRIME)) % PRIME ==
                         modulo(amount, weight));
    }
}

struct rest {
    exact remainder;
    size_t index;
};

static int compare_rests(const void *va, const void *vb)
{
    const struct rest *a = va, *b = vb;

    if (a->remainder != b->remainder)
        return a->remainder > b->remainder ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* Many are alike, all are, they rise, they fall: those that are raised are those in front. */
static void the_largest_remainders_are_raised_however_they_lie(void **state)
{
    enum { COUNT = 3000 };
    static struct rest sorted[COUNT];
    static exact remainders[COUNT];
    static uint64_t values[COUNT];
    uint64_t random = 9;

    (void)state;
    for (int i = 0; i < 60; i++) {
        size_t count = i % 3 ? COUNT : 65 + (size_t)random_below(&random, 6), left;
        uint64_t total = 0;

        for (size_t j = 0; j < count; j++) {
            exact rest = i % 5 == 0   ? 1 + random_below(&random, 2)
                         : i % 5 == 1 ? 7
                         : i % 5 == 2 ? j + 1
                         : i % 5 == 3 ? count - j : 1 + random_exact(&random, 100);

            sorted[j] = (struct rest){ rest, j };
            remainders[j] = rest;
            values[j] = 5;
        }
        left = i % 7 == 0 ? 0 : i % 7 == 1 ? count : (size_t)random_below(&random, 20) % count;
        total = 5 * count + left;
        qsort(sorted, count, sizeof(*sorted), compare_rests);
        assert_true(exact_raise(total, values, remainders, count));
        for (size_t j = 0; j < count; j++)
            ROW_HOLDS(i, values[sorted[j].index] == (j < left ? 6 : 5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_is_divided_exactly),
        cmocka_unit_test(the_largest_remainders_are_raised_however_they_lie),
        cmocka_unit_test(grams_match_the_independent_calculator),
        cmocka_unit_test(a_pue_below_one_is_refused_and_changes_nothing),
        cmocka_unit_test(exact_sums_match_the_independent_calculator),
        cmocka_unit_test(exact_sums_add_up_however_energy_is_cut),
        cmocka_unit_test(a_year_of_the_largest_machine_does_not_overflow),
        cmocka_unit_test(half_a_milligram_rounds_up),
        cmocka_unit_test(exact_shares_are_the_largest_remainders),
        cmocka_unit_test(a_hundred_thousand_shares_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
