/*
 * The golden cases of docs/method.md, figures of an independent calculator, to their last digit.
 * Where a case begins with counters, the ledger's part of it, energy to jobs and to hours, is held
 * by golden_case_2_shared_node and golden_case_7_hour_border of test_ledger.c; here it goes on from
 * those joules.
 */
#include <errno.h>
#include <string.h>

#include "unit.h"

#include "carbon/operational.h"
#include "hardware.h"

#define WH_MJ UINT64_C(3600000) /* millijoules in a watt-hour */
#define G UINT64_C(1000000)     /* micrograms in a gram */
#define PUE(hundredths) ((hundredths) * PPM / 100)

static exact emissions(uint64_t active_mj, uint64_t idle_mj, uint64_t pue_ppm, uint64_t ug_per_kwh)
{
    struct operational_exact sum = { 0 };

    operational_add(&sum, active_mj, idle_mj, pue_ppm, ug_per_kwh);
    return operational_sum(&sum);
}

/* Cases print grams and kilograms with six digits: micrograms and milligrams must be those. */
static uint64_t ug_of(exact amount)
{
    return exact_mg(amount * 1000);
}

static uint64_t to_g(uint64_t mg)
{
    return (mg + 500) / 1000;
}

struct split {
    struct range_mg shares[8], unallocated;
    int64_t recovery_mg;
};

static struct split split_of(const struct embodied_period *period, enum pool_kind kind,
                             enum embodied_mode mode, const uint64_t *used_ms, size_t count)
{
    struct split split = { .recovery_mg = -7 };
    struct error err = { "" };

    if (embodied_split(&period->pools[kind], kind, mode, 850000, used_ms, count, take_share,
                       split.shares, &split.unallocated, &split.recovery_mg, &err) < 0)
        fail_msg("%s", err.text);
    return split;
}

/* --- 1: BLOOM's training ---------------------------------------------------------------------- */

static struct embodied_period bloom_period(uint64_t server_mg, uint64_t gpu_mg)
{
    struct hardware hardware = { 0 };
    struct embodied_period period;

    hardware_type(&hardware, "jz[001-048]", 8, 40, date_s(2022, 1, 1));
    hardware_asset(&hardware, ASSET_GPU, server_mg, 6 * YEAR_H);
    hardware_asset(&hardware, ASSET_GPU, gpu_mg, 6 * YEAR_H)->count = 8;
    period = hardware_period(&hardware, date_s(2022, 3, 11), date_s(2022, 3, 11) + 118 * 86400);
    hardware_clear(&hardware);
    return period;
}

static uint64_t bloom_planned_mg(uint64_t server_mg, uint64_t gpu_mg)
{
    static const uint64_t used_ms[] = { 1082990 * HOUR_MS };
    struct embodied_period period = bloom_period(server_mg, gpu_mg);
    struct split split = split_of(&period, POOL_GPU, MODE_PLANNED, used_ms, 1);

    assert_int_equal(period.pools[POOL_GPU].available_ms, 118 * 24 * 384 * HOUR_MS);
    assert_int_equal(split.unallocated.central, 0);
    assert_int_equal(split.recovery_mg, (int64_t)split.shares[0].central -
                                            (int64_t)period.pools[POOL_GPU].amount.central);
    embodied_clear(&period);
    return split.shares[0].central;
}

static void case_1_bloom_training(void **state)
{
    /* (27 + 64) kW for 1 082 990 / 384 hours */
    uint64_t idle_mj = 91000 * WH_MJ / 384 * 1082990 + 91000 * WH_MJ % 384 * 1082990 / 384;
    uint64_t dynamic_mj = 433196000 * WH_MJ;
    exact dynamic = emissions(dynamic_mj, 0, PPM, 57 * G);
    exact idle = emissions(0, idle_mj, PPM, 57 * G);
    uint64_t servers_mg = bloom_planned_mg(2500 * KG_MG, 0);
    uint64_t gpus_mg = bloom_planned_mg(0, 150 * KG_MG);

    (void)state;
    assert_int_equal((idle_mj + WH_MJ / 2) / WH_MJ, 256646068);
    assert_int_equal(to_g(exact_mg(dynamic)), 24692172);
    assert_int_equal(to_g(exact_mg(idle)), 14628826);
    assert_int_equal(to_g(servers_mg), 7575306);
    assert_int_equal(to_g(gpus_mg), 3636147);
    assert_int_equal(to_g(exact_mg(dynamic + idle) + servers_mg + gpus_mg), 50532451);
    assert_int_equal(to_g(exact_mg(dynamic + idle) + bloom_planned_mg(2500 * KG_MG, 150 * KG_MG)),
                     50532451);
    assert_int_equal(to_g(exact_mg(emissions(dynamic_mj, 0, PUE(120), 57 * G))), 29630606);
}

/* --- 2: a shared node ------------------------------------------------------------------------- */

static void case_2_shared_node(void **state)
{
    static const struct {
        uint64_t energy_mj, ug;
    } rows[] = {
        { 2345400 * (WH_MJ / 1000), 160425360 }, /* A */
        { 1072700 * (WH_MJ / 1000), 73372680 },  /* B */
        { 14400 * (WH_MJ / 1000), 984960 },      /* system */
        { 567500 * (WH_MJ / 1000), 38817000 },   /* unallocated */
    };
    exact parts[LENGTH(rows)], sum = 0;
    uint64_t shares_mg[LENGTH(rows)], sum_mg = 0;
    bool failed;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        parts[i] = emissions(rows[i].energy_mj, 0, PUE(120), 57 * G);
        ROW_HOLDS(i, ug_of(parts[i]) == rows[i].ug);
        sum += parts[i];
    }
    assert_true(sum == emissions(4000 * WH_MJ, 0, PUE(120), 57 * G));
    assert_int_equal(apportion_exact(exact_mg(sum), parts, LENGTH(rows), shares_mg, &failed), 0);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        ROW_HOLDS(i, shares_mg[i] == (rows[i].ug + 500) / 1000);
        sum_mg += shares_mg[i];
    }
    assert_int_equal(sum_mg, 273600);
}

/* --- 3: a CPU node ---------------------------------------------------------------------------- */

static void case_3_cpu_node(void **state)
{
    static const uint64_t used_ms[] = { 960 * HOUR_MS, 41040 * HOUR_MS };
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct split split;

    (void)state;
    hardware_type(&hardware, "c1", 0, 128, date_s(2026, 1, 1));
    hardware_asset(&hardware, ASSET_CPU, 1313 * KG_MG, 5 * YEAR_H);
    period = hardware_period(&hardware, date_s(2026, 9, 1), date_s(2026, 10, 1));
    assert_int_equal(period.pools[POOL_CPU].amount.central, 21583562);
    assert_int_equal(period.pools[POOL_CPU].available_ms, 720 * 128 * HOUR_MS);
    assert_int_equal(period.pools[POOL_GPU].available_ms, 0);

    split = split_of(&period, POOL_CPU, MODE_CAPACITY, used_ms, 2);
    assert_int_equal(split.shares[0].central, 224829);
    assert_int_equal(split.shares[1].central, 9611430);
    assert_int_equal(split.unallocated.central, 11747303);
    split = split_of(&period, POOL_CPU, MODE_SHARE, used_ms, 2);
    assert_int_equal(split.shares[0].central, 493339);
    assert_int_equal(split.shares[1].central, 21090223);
    assert_int_equal(split.unallocated.central, 0);

    assert_int_equal(exact_mg(emissions(4500 * WH_MJ, 0, PUE(130), 215790000)), 1262372);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

/* --- 5: a node added in the middle of a month ------------------------------------------------- */

static uint64_t capacity_mg(const struct pool *pool, uint64_t used_ms)
{
    return embodied_of_one(pool, MODE_CAPACITY, 0, used_ms, 0).central;
}

static void case_5_node_added_mid_month(void **state)
{
    int64_t from_s = date_s(2026, 9, 1), b_begin_s = date_s(2026, 8, 31) + 18 * 3600;
    int64_t b_end_s = date_s(2026, 9, 1) + 6 * 3600;
    uint64_t b_hours = (uint64_t)(b_end_s - (b_begin_s > from_s ? b_begin_s : from_s)) / 3600;
    uint64_t used_ms[] = { 3000 * HOUR_MS, 8 * b_hours * HOUR_MS, 1500 * HOUR_MS };
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct split split;

    (void)state;
    hardware_type(&hardware, "n1", 8, 64, date_s(2025, 1, 1));
    hardware_asset(&hardware, ASSET_GPU, 3812 * KG_MG, 5 * YEAR_H);
    hardware_type(&hardware, "n2", 8, 64, date_s(2026, 9, 16));
    hardware_asset(&hardware, ASSET_GPU, 3812 * KG_MG, 5 * YEAR_H);
    period = hardware_period(&hardware, from_s, date_s(2026, 10, 1));
    assert_int_equal(period.pools[POOL_GPU].amount.central, 93994521);
    assert_int_equal(period.pools[POOL_GPU].available_ms, 8640 * HOUR_MS);
    assert_int_equal(period.acquired.central, 3812 * KG_MG);

    split = split_of(&period, POOL_GPU, MODE_SHARE, used_ms, 3);
    assert_int_equal(split.shares[0].central, 62001663);
    assert_int_equal(split.shares[1].central, 992027);
    assert_int_equal(split.shares[2].central, 31000831);
    assert_int_equal(split.unallocated.central, 0);
    /* the case prints each figure by itself, ... */
    assert_int_equal(capacity_mg(&period.pools[POOL_GPU], 3000 * HOUR_MS), 32636986);
    assert_int_equal(capacity_mg(&period.pools[POOL_GPU], 4092 * HOUR_MS), 44516849);
    /* ... .301, .781, .151 and .315 of a milligram; as rows they add up, and the last takes one */
    split = split_of(&period, POOL_GPU, MODE_CAPACITY, used_ms, 3);
    assert_int_equal(split.shares[0].central, 32636986);
    assert_int_equal(split.shares[1].central, 522192);
    assert_int_equal(split.shares[2].central, 16318493);
    assert_int_equal(split.unallocated.central, 44516850);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

/* --- 7: an hour's border ---------------------------------------------------------------------- */

/* Microgram of the ledger's three hours under a grid. */
static uint64_t case_7_ug(const struct grid *grid, int64_t hour_s, unsigned *ret_flags)
{
    static const uint64_t hours_wh[] = { 350, 1000, 200 };
    struct operational_exact sum = { 0 };

    *ret_flags = 0;
    for (size_t i = 0; i < LENGTH(hours_wh); i++) {
        struct grid_hour hour;

        assert_true(grid_hour(grid, hour_s + (int64_t)i * 3600, &hour));
        operational_add(&sum, hours_wh[i] * WH_MJ, 0, hour.pue_ppm, hour.ug_per_kwh);
        *ret_flags |= hour.flags;
    }
    return ug_of(operational_sum(&sum));
}

static void case_7_hour_border(void **state)
{
    int64_t hour_s = date_s(2026, 10, 1) + 10 * 3600;
    struct grid_interval intervals[] = {
        { hour_s, hour_s + 3600, 40 * G, false },
        { hour_s + 3600, hour_s + 7200, 80 * G, false },
        { hour_s + 7200, hour_s + 10800, 200 * G, false },
    };
    struct intensity annual = { .basis = "lifecycle", .year = 2026, .ug_per_kwh = 57 * G };
    struct grid grid = { .has_intensity = true, .basis = "lifecycle", .annual = &annual,
                         .n_annual = 1, .intervals = intervals, .n_intervals = 3,
                         .pue_ppm = PPM };
    unsigned flags;

    (void)state;
    assert_int_equal(case_7_ug(&grid, hour_s, &flags), 134 * G);
    assert_int_equal(flags, 0);
    grid.n_intervals = 2;
    assert_int_equal(case_7_ug(&grid, hour_s, &flags), 105400000);
    assert_int_equal(flags, HOUR_ANNUAL);
}

/* --- 8: PUE ----------------------------------------------------------------------------------- */

static void case_8_pue(void **state)
{
    struct operational_exact sum = { 0 };
    struct operational grams;
    struct error err = { "" };

    (void)state;
    operational_add(&sum, 100000 * WH_MJ, 0, PUE(120), 57 * G);
    assert_int_equal(exact_mg(sum.active), 5700000);
    assert_int_equal(exact_mg(sum.overhead), 1140000);
    assert_int_equal(exact_mg(operational_sum(&sum)), 6840000);
    assert_int_equal(exact_mg(emissions(100000 * WH_MJ, 0, PPM, 57 * G)), 5700000);
    assert_int_equal(operational_of(1, 1, PUE(99), 57 * G, &grams, &err), -ERANGE);
}

/* --- 10: conservation ------------------------------------------------------------------------- */

static void case_10_hardware(struct hardware *hardware)
{
    hardware_type(hardware, "g1", 8, 64, date_s(2024, 1, 1));
    hardware_asset(hardware, ASSET_GPU, 3700 * KG_MG, 6 * YEAR_H);
    hardware_type(hardware, "g2", 8, 64, date_s(2026, 10, 11));
    hardware_asset(hardware, ASSET_GPU, 3700 * KG_MG, 6 * YEAR_H);
    hardware_type(hardware, "c1", 0, 128, date_s(2021, 10, 20));
    hardware_asset(hardware, ASSET_CPU, 1313 * KG_MG, 5 * YEAR_H);
    hardware_shared(hardware, 1, 280 * KG_MG, 6 * YEAR_H, date_s(2024, 1, 1));
}

static void case_10_conservation(void **state)
{
    static const uint64_t gpu_ms[] = { 3000 * HOUR_MS, 25005 * HOUR_MS / 10,
                                       120025 * HOUR_MS / 100 };
    static const uint64_t core_ms[] = { 20000 * HOUR_MS, 10000 * HOUR_MS };
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct split gpu, cpu;

    (void)state;
    case_10_hardware(&hardware);
    period = hardware_period(&hardware, date_s(2026, 10, 1), date_s(2026, 11, 1));
    assert_int_equal(period.pools[POOL_GPU].amount.central + period.pools[POOL_CPU].amount.central,
                     104767489);
    assert_int_equal(period.n_parts, 4);
    assert_int_equal(period.parts[2].amortised_pieces, 1); /* 1825 days end on 19 October */
    assert_int_equal(period.parts[2].service_ms, 18 * 24 * HOUR_MS);

    gpu = split_of(&period, POOL_GPU, MODE_CAPACITY, gpu_ms, 3);
    cpu = split_of(&period, POOL_CPU, MODE_CAPACITY, core_ms, 2);
    assert_int_equal(gpu.shares[0].central, 27144537);
    assert_int_equal(gpu.shares[1].central, 22624972);
    assert_int_equal(gpu.shares[2].central, 10860077);
    assert_int_equal(gpu.unallocated.central, 29707434);
    assert_int_equal(cpu.shares[0].central, 3030592);
    assert_int_equal(cpu.shares[1].central, 1515296);
    assert_int_equal(cpu.unallocated.central, 9884581);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_1_bloom_training),
        cmocka_unit_test(case_2_shared_node),
        cmocka_unit_test(case_3_cpu_node),
        cmocka_unit_test(case_5_node_added_mid_month),
        cmocka_unit_test(case_7_hour_border),
        cmocka_unit_test(case_8_pue),
        cmocka_unit_test(case_10_conservation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
