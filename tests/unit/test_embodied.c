#include <errno.h>
#include <string.h>

#include "unit.h"

#include "hardware.h"

#define DAY_S 86400

static const enum embodied_mode modes[] = { MODE_CAPACITY, MODE_SHARE, MODE_PLANNED };

/* September 2026, a month of 30 days */
static int64_t from_s(void)
{
    return date_s(2026, 9, 1);
}

static int64_t to_s(void)
{
    return date_s(2026, 10, 1);
}

/* One node of 8 GPUs with one asset of 30 mg over 30 days, in service from in_service_s on. */
static struct asset *one_node(struct hardware *hardware, int64_t in_service_s)
{
    hardware_type(hardware, "g1", 8, 64, in_service_s);
    return hardware_asset(hardware, ASSET_GPU, 30, 720);
}

static int split(const struct pool *pool, enum embodied_mode mode, const uint64_t *used_ms,
                 size_t count, struct range_mg *shares, struct range_mg *unallocated,
                 int64_t *recovery_mg, struct error *err)
{
    return embodied_split(pool, POOL_GPU, mode, 800000, used_ms, count, take_share, shares,
                          unallocated, recovery_mg, err);
}

/* --- assets ----------------------------------------------------------------------------------- */

static void an_asset_amortises_for_exactly_its_lifetime_and_is_acquired_once(void **state)
{
    static const struct {
        int begin_day; /* from the month's first */
        uint64_t amount_mg, acquired_mg, pieces, amortised;
    } rows[] = {
        { -60, 0, 0, 1, 1 },  /* its life ended before the month: in service still */
        { -30, 0, 0, 1, 1 },  /* with the month's first second */
        { -10, 20, 0, 1, 1 },
        { 0, 30, 30, 1, 0 },
        { 5, 25, 30, 1, 0 },
        { 29, 1, 30, 1, 0 },
        { 30, 0, 0, 0, 0 },   /* next month */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct hardware hardware = { 0 };
        struct embodied_period period;

        one_node(&hardware, from_s() + rows[i].begin_day * DAY_S);
        period = hardware_period(&hardware, from_s(), to_s());
        ROW_HOLDS(i, period.pools[POOL_GPU].amount.central == rows[i].amount_mg);
        ROW_HOLDS(i, period.acquired.central == rows[i].acquired_mg);
        ROW_HOLDS(i, period.n_parts == rows[i].pieces);
        ROW_HOLDS(i, period.n_parts == 0 || period.parts[0].amortised_pieces == rows[i].amortised);
        ROW_HOLDS(i, period.n_parts == 0 ||
                         period.parts[0].service_ms == rows[i].amount_mg * 24 * HOUR_MS);
        ROW_HOLDS(i, period.written_off.central == 0);
        embodied_clear(&period);
        hardware_clear(&hardware);
    }
}

static void a_retirement_writes_the_rest_off_in_its_own_month(void **state)
{
    static const struct {
        int begin_day, retired_day;
        uint64_t amount_mg, written_off_mg;
    } rows[] = {
        { -10, 10, 10, 10 },
        { 0, 30, 30, 0 },    /* at the end of its life, and of the month */
        { 10, 20, 10, 20 },
        { -10, 0, 0, 20 },   /* with the first second of the month */
        { -10, -1, 0, 0 },   /* last month */
        { 10, 35, 20, 0 },   /* next month */
        { -30, 10, 0, 0 },   /* its life was over */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct hardware hardware = { 0 };
        struct embodied_period period;

        one_node(&hardware, from_s() + rows[i].begin_day * DAY_S)->retired_s =
            from_s() + rows[i].retired_day * DAY_S;
        period = hardware_period(&hardware, from_s(), to_s());
        ROW_HOLDS(i, period.pools[POOL_GPU].amount.central == rows[i].amount_mg);
        ROW_HOLDS(i, period.written_off.central == rows[i].written_off_mg);
        embodied_clear(&period);
        hardware_clear(&hardware);
    }
}

/* A third of 10 mg is amortised: 3; 7 remain, not 6.67 rounded by itself. */
static void what_is_amortised_and_written_off_is_the_whole(void **state)
{
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct asset *asset;

    (void)state;
    hardware_type(&hardware, "g1", 8, 64, from_s());
    asset = hardware_asset(&hardware, ASSET_GPU, 10, 720);
    asset->low_mg = 5; /* 1.67 is amortised: 2 and 3 */
    asset->retired_s = from_s() + 10 * DAY_S;
    period = hardware_period(&hardware, from_s(), to_s());
    assert_int_equal(period.pools[POOL_GPU].amount.low, 2);
    assert_int_equal(period.written_off.low, 3);
    assert_int_equal(period.pools[POOL_GPU].amount.central, 3);
    assert_int_equal(period.written_off.central, 7);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

static void assets_of_some_nodes_and_several_pieces_are_counted(void **state)
{
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct asset *asset;

    (void)state;
    hardware_type(&hardware, "g[1-3]", 8, 64, from_s());
    hardware_asset(&hardware, ASSET_GPU, 30, 720)->count = 8;
    asset = hardware_asset(&hardware, ASSET_CPU, 60, 1440);
    hostlist_clear(&asset->nodes);
    assert_int_equal(hostlist_expand("g[2-3]", &asset->nodes, NULL), 0);
    period = hardware_period(&hardware, from_s(), to_s());
    assert_int_equal(period.parts[0].pieces, 24);
    assert_int_equal(period.parts[0].amount.central, 24 * 30);
    assert_int_equal(period.parts[1].pieces, 2);
    assert_int_equal(period.parts[1].amount.central, 2 * 30);
    /* a GPU node is of the GPU pool with all that is in it */
    assert_int_equal(period.pools[POOL_GPU].amount.central, 26 * 30);
    assert_int_equal(period.pools[POOL_CPU].amount.central, 0);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

static void an_asset_that_no_parser_lets_through_is_refused(void **state)
{
    static const struct asset bad[] = {
        { .count = 1, .lifetime_h = 0, .retired_s = NEVER_S },
        { .count = 1, .lifetime_h = UINT64_MAX / 3600, .retired_s = NEVER_S },
        { .count = 1, .lifetime_h = 1, .low_mg = 2, .central_mg = 1, .high_mg = 3,
          .retired_s = NEVER_S },
        { .count = 1, .lifetime_h = 1, .central_mg = 4, .high_mg = 3, .retired_s = NEVER_S },
        { .count = 2, .lifetime_h = 1, .high_mg = INVENTORY_MG_MAX, .retired_s = NEVER_S },
        { .count = 1, .lifetime_h = 1, .in_service_s = 7200, .retired_s = 3600 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        struct asset asset = bad[i];
        struct inventory inventory = { .shared = &asset, .n_shared = 1 };
        struct embodied_period period;
        struct error err = { "" };

        strcpy(asset.name, "switch");
        asset.line = 41;
        ROW_HOLDS(i, embodied_period_of(&inventory, NULL, 0, 0, 3600, &period, &err) == -ERANGE);
        ROW_HOLDS(i, strstr(err.text, "switch") && strstr(err.text, "41"));
        ROW_HOLDS(i, period.parts == NULL && period.n_parts == 0);
    }
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void a_node_is_available_while_its_type_is_in_service(void **state)
{
    static const struct {
        int begin_day, retired_day;
        uint64_t days;
    } rows[] = {
        { -400, 400, 30 }, /* fully amortised long ago: there all the same */
        { 15, 400, 15 }, { -10, 20, 20 }, { 10, 20, 10 }, { -10, 0, 0 }, { 30, 60, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct hardware hardware = { 0 };
        struct embodied_period period;

        one_node(&hardware, from_s() + rows[i].begin_day * DAY_S);
        hardware.types[0].retired_s = from_s() + rows[i].retired_day * DAY_S;
        hardware.assets[0][0].retired_s = hardware.types[0].retired_s;
        period = hardware_period(&hardware, from_s(), to_s());
        ROW_HOLDS(i, period.pools[POOL_GPU].available_ms == rows[i].days * 24 * 8 * HOUR_MS);
        ROW_HOLDS(i, period.pools[POOL_GPU].node_ms == rows[i].days * 24 * HOUR_MS);
        ROW_HOLDS(i, period.pools[POOL_CPU].available_ms == 0);
        embodied_clear(&period);
        hardware_clear(&hardware);
    }
}

static void a_silent_node_has_as_many_devices_as_others_of_its_type(void **state)
{
    struct hardware hardware = { 0 };
    struct embodied_period period;
    struct error err = { "" };

    (void)state;
    hardware_type(&hardware, "g[1-3]", 0, 0, from_s());
    hardware_asset(&hardware, ASSET_GPU, 30, 720);
    hardware.nodes[1].gpus = 4;
    period = hardware_period(&hardware, from_s(), to_s());
    assert_int_equal(period.pools[POOL_GPU].available_ms, 3 * 4 * 720 * HOUR_MS);
    embodied_clear(&period);

    hardware.nodes[1].gpus = 0;
    assert_int_equal(embodied_period_of(&hardware.inventory, hardware.nodes, hardware.n_nodes,
                                        from_s(), to_s(), &period, &err), -EINVAL);
    assert_non_null(strstr(err.text, "g1"));
    assert_non_null(strstr(err.text, "gpus = N"));
    assert_null(period.parts);
    /* before it is in service nobody needs to know */
    assert_int_equal(embodied_period_of(&hardware.inventory, hardware.nodes, hardware.n_nodes, 0,
                                        from_s(), &period, &err), 0);
    embodied_clear(&period);

    hardware.assets[0][0].class = ASSET_CPU;
    assert_int_equal(embodied_period_of(&hardware.inventory, hardware.nodes, hardware.n_nodes,
                                        from_s(), to_s(), &period, &err), -EINVAL);
    assert_non_null(strstr(err.text, "cores = N"));
    hardware_clear(&hardware);
}

static void the_pool_of_a_node_is_that_of_its_types_assets(void **state)
{
    struct hardware hardware = { 0 };
    const struct embodied_node *nodes = hardware.nodes;
    const struct inventory *inventory = &hardware.inventory;
    struct embodied_node unknown = { "x", -1, 0, 64 };

    (void)state;
    hardware_type(&hardware, "g1", 8, 64, from_s());
    hardware_asset(&hardware, ASSET_CPU, 30, 720);
    hardware_asset(&hardware, ASSET_GPU, 30, 720);
    hardware_type(&hardware, "c1", 1, 128, from_s()); /* a GPU for pictures, not of a GPU's class */
    hardware_asset(&hardware, ASSET_CPU, 30, 720);
    hardware_type(&hardware, "s1", 0, 16, from_s());
    hardware_asset(&hardware, ASSET_SHARED, 30, 720);
    hardware_type(&hardware, "e1", 4, 16, from_s());
    assert_int_equal(embodied_pool_of(inventory, &nodes[0]), POOL_GPU);
    assert_int_equal(embodied_pool_of(inventory, &nodes[1]), POOL_CPU);
    assert_int_equal(embodied_pool_of(inventory, &nodes[3]), POOL_GPU);
    assert_int_equal(embodied_pool_of(inventory, &unknown), POOL_CPU);
    unknown.gpus = 1;
    assert_int_equal(embodied_pool_of(inventory, &unknown), POOL_GPU);
    assert_true(embodied_counts(inventory, &nodes[0]));
    assert_true(embodied_counts(inventory, &nodes[1]));
    assert_false(embodied_counts(inventory, &nodes[2]));
    assert_false(embodied_counts(inventory, &nodes[3]));
    assert_false(embodied_counts(inventory, &unknown));
    hardware_clear(&hardware);
}

/* --- shared assets ---------------------------------------------------------------------------- */

static void shared_assets_go_to_the_pools_by_node_hours_in_service(void **state)
{
    struct hardware hardware = { 0 };
    struct embodied_period period;

    (void)state;
    hardware_type(&hardware, "g[1-2]", 8, 64, from_s() - DAY_S);
    hardware_asset(&hardware, ASSET_GPU, 0, 720);
    hardware_type(&hardware, "c1", 0, 128, from_s() + 15 * DAY_S);
    hardware_asset(&hardware, ASSET_CPU, 0, 720);
    hardware_type(&hardware, "storage1", 0, 0, from_s() - DAY_S); /* of no pool: 100 mg a day */
    hardware_asset(&hardware, ASSET_SHARED, 6000, 1440);
    hardware_shared(&hardware, 2, 1000, 720, from_s() + 15 * DAY_S); /* 15 days: 1000 mg */
    period = hardware_period(&hardware, from_s(), to_s());
    /* 60 node-days and 15 */
    assert_int_equal(period.shared.central, 4000);
    assert_false(period.shared_unassigned);
    assert_int_equal(period.pools[POOL_GPU].amount.central, 3200);
    assert_int_equal(period.pools[POOL_CPU].amount.central, 800);
    assert_int_equal(period.parts[period.n_parts - 1].type, -1);
    assert_int_equal(period.parts[period.n_parts - 1].pieces, 2);
    embodied_clear(&period);

    /* before any node of a pool is in service there is nobody to carry them */
    period = hardware_period(&hardware, from_s() - DAY_S / 2, from_s());
    assert_false(period.shared_unassigned);
    embodied_clear(&period);
    hardware.types[0].in_service_s = from_s();
    period = hardware_period(&hardware, from_s() - DAY_S, from_s());
    assert_true(period.shared_unassigned);
    assert_int_equal(period.shared.central, 100);
    assert_int_equal(period.pools[POOL_GPU].amount.central, 0);
    embodied_clear(&period);
    hardware_clear(&hardware);
}

/* --- users ------------------------------------------------------------------------------------ */

static void a_pool_that_nobody_used_is_unallocated(void **state)
{
    static const uint64_t nothing[] = { 0, 0 };
    struct hardware hardware = { 0 };
    struct embodied_period period;

    (void)state;
    one_node(&hardware, from_s());
    period = hardware_period(&hardware, from_s(), to_s());
    for (size_t count = 0; count <= 2; count += 2) {
        for (size_t i = 0; i < LENGTH(modes); i++) {
            struct range_mg shares[2] = { { 7, 7, 7 }, { 7, 7, 7 } }, unallocated;
            int64_t recovery_mg;

            ROW_HOLDS(i, split(&period.pools[POOL_GPU], modes[i], nothing, count, shares,
                               &unallocated, &recovery_mg, NULL) == 0);
            ROW_HOLDS(i, count == 0 || (shares[0].central == 0 && shares[1].high == 0));
            ROW_HOLDS(i, unallocated.central == (modes[i] == MODE_PLANNED ? 0 : 30));
            ROW_HOLDS(i, recovery_mg == (modes[i] == MODE_PLANNED ? -30 : 0));
        }
    }
    embodied_clear(&period);
    hardware_clear(&hardware);
}

static void a_pool_without_hours_hands_nothing_out(void **state)
{
    static const uint64_t nothing[] = { 0 }, something[] = { 1 };
    struct pool pool = { .amount = { 5, 5, 5 } };

    (void)state;
    pool.fine = (struct range_fine){ { (exact)5 << 32, (exact)5 << 32, (exact)5 << 32 } };
    for (size_t i = 0; i < LENGTH(modes); i++) {
        struct range_mg share, unallocated;
        int64_t recovery_mg;

        ROW_HOLDS(i, split(&pool, modes[i], nothing, 1, &share, &unallocated, &recovery_mg,
                           NULL) == 0);
        ROW_HOLDS(i, share.central == 0);
        ROW_HOLDS(i, (int64_t)unallocated.central - recovery_mg == 5);
        ROW_HOLDS(i, embodied_of_one(&pool, modes[i], 800000, 0, 0).central == 0);
        ROW_HOLDS(i, split(&pool, modes[i], something, 1, &share, &unallocated, &recovery_mg,
                           NULL) == -ERANGE);
    }
}

static void more_used_than_available_is_an_error_with_both_figures(void **state)
{
    static const uint64_t used_ms[] = { 5000 * HOUR_MS, 760 * HOUR_MS + 1 };
    struct hardware hardware = { 0 };
    struct embodied_period period;

    (void)state;
    one_node(&hardware, from_s());
    period = hardware_period(&hardware, from_s(), to_s());
    for (size_t i = 0; i < LENGTH(modes); i++) {
        struct range_mg shares[2] = { { 7, 7, 7 }, { 7, 7, 7 } }, unallocated = { 8, 8, 8 };
        int64_t recovery_mg = 9;
        struct error err = { "" };

        ROW_HOLDS(i, split(&period.pools[POOL_GPU], modes[i], used_ms, 2, shares, &unallocated,
                           &recovery_mg, &err) == -ERANGE);
        ROW_HOLDS(i, strstr(err.text, "5760.001 GPU-hours of 5760.000 available"));
        ROW_HOLDS(i, shares[1].central == 7 && unallocated.high == 8 && recovery_mg == 9);
        ROW_HOLDS(i, split(&period.pools[POOL_GPU], modes[i], used_ms, 1, shares, &unallocated,
                           &recovery_mg, &err) == 0);
    }
    embodied_clear(&period);
    hardware_clear(&hardware);
}

/*
 * 6 : 6 : 2 of 10 is 4, 4 and 2 by largest remainder, of 11 it is 5, 5 and 1: the third would have
 * less of more.
 */
static void low_central_and_high_never_cross(void **state)
{
    static const uint64_t used_ms[] = { 6 * HOUR_MS, 6 * HOUR_MS, 2 * HOUR_MS };
    static const uint64_t edges_mg[][3] = { { 10, 11, 11 }, { 10, 10, 11 }, { 11, 11, 11 } };

    (void)state;
    for (size_t i = 0; i < LENGTH(edges_mg); i++) {
        struct hardware hardware = { 0 };
        struct embodied_period period;
        struct range_mg shares[3], unallocated, sum = { 0 };
        struct asset *asset = one_node(&hardware, from_s());
        int64_t recovery_mg;

        asset->low_mg = edges_mg[i][0];
        asset->central_mg = edges_mg[i][1];
        asset->high_mg = edges_mg[i][2];
        period = hardware_period(&hardware, from_s(), to_s());
        ROW_HOLDS(i, split(&period.pools[POOL_GPU], MODE_SHARE, used_ms, 3, shares, &unallocated,
                           &recovery_mg, NULL) == 0);
        for (size_t j = 0; j < 3; j++) {
            ROW_HOLDS(i, shares[j].low <= shares[j].central);
            ROW_HOLDS(i, shares[j].central <= shares[j].high);
            range_add(&sum, &shares[j]);
        }
        ROW_HOLDS(i, shares[2].central == (edges_mg[i][1] == 10 ? 2 : 1));
        ROW_HOLDS(i, sum.low == edges_mg[i][0]);
        ROW_HOLDS(i, sum.central == edges_mg[i][1]);
        ROW_HOLDS(i, sum.high == edges_mg[i][2]);
        embodied_clear(&period);
        hardware_clear(&hardware);
    }
}

static void planned_mode_recovers_what_utilisation_makes_of_it(void **state)
{
    static const struct {
        uint64_t used_h, share_mg;
        int64_t recovery_mg;
    } rows[] = {
        { 4608, 30, 0 }, /* 80 % of 5760: as planned */
        { 2304, 15, -15 },
        { 5760, 38, 8 }, /* 37.5 */
    };
    struct hardware hardware = { 0 };
    struct embodied_period period;

    (void)state;
    one_node(&hardware, from_s());
    period = hardware_period(&hardware, from_s(), to_s());
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t used_ms = rows[i].used_h * HOUR_MS;
        struct range_mg share, unallocated;
        int64_t recovery_mg;

        ROW_HOLDS(i, split(&period.pools[POOL_GPU], MODE_PLANNED, &used_ms, 1, &share,
                           &unallocated, &recovery_mg, NULL) == 0);
        ROW_HOLDS(i, share.central == rows[i].share_mg);
        ROW_HOLDS(i, recovery_mg == rows[i].recovery_mg);
        ROW_HOLDS(i, unallocated.central == 0);
    }
    embodied_clear(&period);
    hardware_clear(&hardware);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_asset_amortises_for_exactly_its_lifetime_and_is_acquired_once),
        cmocka_unit_test(a_retirement_writes_the_rest_off_in_its_own_month),
        cmocka_unit_test(what_is_amortised_and_written_off_is_the_whole),
        cmocka_unit_test(assets_of_some_nodes_and_several_pieces_are_counted),
        cmocka_unit_test(an_asset_that_no_parser_lets_through_is_refused),
        cmocka_unit_test(a_node_is_available_while_its_type_is_in_service),
        cmocka_unit_test(a_silent_node_has_as_many_devices_as_others_of_its_type),
        cmocka_unit_test(the_pool_of_a_node_is_that_of_its_types_assets),
        cmocka_unit_test(shared_assets_go_to_the_pools_by_node_hours_in_service),
        cmocka_unit_test(a_pool_that_nobody_used_is_unallocated),
        cmocka_unit_test(a_pool_without_hours_hands_nothing_out),
        cmocka_unit_test(more_used_than_available_is_an_error_with_both_figures),
        cmocka_unit_test(low_central_and_high_never_cross),
        cmocka_unit_test(planned_mode_recovers_what_utilisation_makes_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
