/*
 * apportionment.c - what the arithmetic of emissions promises, held against random clusters
 *
 * Each case is a random cluster (node types, assets, shared assets, retirements) and a random
 * period with users. The letters are those of the promises:
 *   a  conservation: users and unallocated are their pool, assets and pools the period, for low,
 *      central and high alike
 *   b  low <= central <= high, everywhere
 *   c  however the period is cut, times, write-offs and acquisitions add up exactly, and masses to
 *      a milligram for each cut
 *   d  over the months of its life an asset is amortised and written off exactly once
 *   e  while nothing changes in the cluster, planned and capacity parts of the cuts add up
 *   f  a user cut in two has the same sum
 *   g  the order of users does not matter, but to ties of remainders
 *   h  more used than available is an error and changes nothing
 *   i  operational emissions add up exactly however energy is cut, and double with the intensity;
 *      their shares add up too, in any order
 *
 * apportionment [--seed N] [--count N]
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/operational.h"
#include "core/parse.h"
#include "hardware.h"

#define HOUR_S 3600
#define USERS_MAX 40
#define CUTS_MAX 6
#define UTILISATION_PPM 850000

static uint64_t seed_now;

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "FAIL --seed %" PRIu64 " --count 1: ", seed_now);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    exit(1);
}

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t chance_state;

/* xorshift64*, Vigna 2016 */
static uint64_t chance(void)
{
    chance_state ^= chance_state >> 12;
    chance_state ^= chance_state << 25;
    chance_state ^= chance_state >> 27;
    return chance_state * UINT64_C(2685821657736338717);
}

/* 0 .. below - 1 */
static uint64_t below(uint64_t limit)
{
    return (chance() >> 11) % limit;
}

static bool percent(unsigned of)
{
    return below(100) < of;
}

/* --- a random cluster ------------------------------------------------------------------------- */

struct world {
    struct hardware hardware;
    int64_t from_s, to_s;
    bool steady; /* nothing begins or ends in the period */
    size_t n_users[POOL_COUNT];
    uint64_t used_ms[POOL_COUNT][USERS_MAX];
    struct embodied_period period;
};

/* At a full hour, most often years before the period, sometimes in it or after it. */
static int64_t chance_begin_s(const struct world *world)
{
    int64_t hours = (world->to_s - world->from_s) / HOUR_S;

    if (world->steady || percent(60))
        return world->from_s - (int64_t)below(7 * YEAR_H) * HOUR_S;
    return world->from_s + (int64_t)below((uint64_t)hours + 48) * HOUR_S;
}

static void chance_masses(struct asset *asset)
{
    uint64_t most_mg = percent(20) ? 50 : 4000 * KG_MG; /* so little that each milligram shows */

    asset->central_mg = below(most_mg);
    asset->low_mg = percent(40) ? asset->central_mg : below(asset->central_mg + 1);
    asset->high_mg = asset->central_mg + (percent(40) ? 0 : below(most_mg));
}

static void chance_retirement(const struct world *world, struct asset *asset)
{
    if (!world->steady && percent(25))
        asset->retired_s = asset->in_service_s + (int64_t)(1 + below(7 * YEAR_H)) * HOUR_S;
}

/* In a steady world an asset amortises throughout. */
static uint64_t chance_lifetime_h(const struct world *world, int64_t in_service_s)
{
    uint64_t lifetime_h = percent(80) ? (3 + below(5)) * YEAR_H : 1 + below(9 * YEAR_H);

    if (world->steady)
        lifetime_h += (uint64_t)(world->to_s - in_service_s) / HOUR_S;
    return lifetime_h;
}

static void chance_type(struct world *world, unsigned index)
{
    struct hardware *hardware = &world->hardware;
    bool gpu = percent(50);
    char nodes[64];
    struct node_type *type;

    snprintf(nodes, sizeof(nodes), "t%un[1-%u]", index, (unsigned)(1 + below(6)));
    type = hardware_type(hardware, nodes, gpu ? (uint32_t)(1 + below(8)) : 0,
                         (uint32_t)(1 + below(128)), chance_begin_s(world));
    for (unsigned i = 0, n = (unsigned)below(4); i < n; i++) {
        unsigned class = percent(10) ? ASSET_SHARED : gpu && percent(80) ? ASSET_GPU : ASSET_CPU;
        struct asset *asset = hardware_asset(hardware, class, 0, 1);

        if (percent(20))
            asset->in_service_s = chance_begin_s(world);
        asset->lifetime_h = chance_lifetime_h(world, asset->in_service_s);
        asset->count = (uint32_t)(1 + below(8));
        chance_masses(asset);
        chance_retirement(world, asset);
    }
    if (!world->steady && percent(15))
        type->retired_s = type->in_service_s + (int64_t)(1 + below(8 * YEAR_H)) * HOUR_S;
}

/* Users of a pool: some of what is available, in unlike parts, some of nothing. */
static void chance_users(struct world *world, enum pool_kind kind)
{
    uint64_t left_ms = world->period.pools[kind].available_ms;

    world->n_users[kind] = below(USERS_MAX + 1);
    if (percent(70))
        left_ms = below(left_ms + 1);
    for (size_t i = 0; i < world->n_users[kind]; i++) {
        uint64_t used_ms = percent(10) ? 0 : below(left_ms / (1 + below(8)) + 1);

        if (percent(30))
            used_ms -= used_ms % HOUR_MS; /* alike enough for ties */
        world->used_ms[kind][i] = used_ms;
        left_ms -= used_ms;
    }
    if (percent(5) && world->n_users[kind] > 0 && world->period.pools[kind].available_ms > 0)
        world->used_ms[kind][0] += left_ms;
}

static void make_world(struct world *world, uint64_t seed)
{
    *world = (struct world){ 0 };
    chance_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->from_s = date_s(2026, 1 + (int)below(12), 1);
    world->to_s = world->from_s + (int64_t)(percent(80) ? 24 * (28 + below(4)) : 2 + below(9000)) *
                                      HOUR_S;
    world->steady = percent(30);
    for (unsigned i = 0, n = (unsigned)(1 + below(5)); i < n; i++)
        chance_type(world, i);
    for (unsigned i = 0, n = (unsigned)below(4); i < n; i++) {
        int64_t begin_s = chance_begin_s(world);
        struct asset *asset = hardware_shared(&world->hardware, (uint32_t)(1 + below(20)), 0,
                                              chance_lifetime_h(world, begin_s), begin_s);

        chance_masses(asset);
        chance_retirement(world, asset);
    }
    world->period = hardware_period(&world->hardware, world->from_s, world->to_s);
    for (unsigned kind = 0; kind < POOL_COUNT; kind++)
        chance_users(world, kind);
}

static void clear_world(struct world *world)
{
    embodied_clear(&world->period);
    hardware_clear(&world->hardware);
}

/* --- helpers ---------------------------------------------------------------------------------- */

struct outcome {
    struct range_mg shares[USERS_MAX + 1], unallocated;
    int64_t recovery_mg;
};

static struct outcome split(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode,
                            const uint64_t *used_ms, size_t count)
{
    struct outcome outcome;
    struct error err = { "" };

    if (embodied_split(pool, kind, mode, UTILISATION_PPM, used_ms, count, take_share,
                       outcome.shares, &outcome.unallocated, &outcome.recovery_mg, &err) < 0)
        fail("%s", err.text);
    return outcome;
}

static bool same(const struct range_mg *a, const struct range_mg *b)
{
    return a->low == b->low && a->central == b->central && a->high == b->high;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void check_order(const struct range_mg *range, const char *what)
{
    if (range->low > range->central || range->central > range->high)
        fail("b: %s is %" PRIu64 " <= %" PRIu64 " <= %" PRIu64 " mg", what, range->low,
             range->central, range->high);
}

/* The pools, and what is shared without one. */
static struct range_mg total_of(const struct embodied_period *period)
{
    struct range_mg total = { 0 };

    for (unsigned kind = 0; kind < POOL_COUNT; kind++)
        range_add(&total, &period->pools[kind].amount);
    if (period->shared_unassigned)
        range_add(&total, &period->shared);
    return total;
}

static uint64_t sum_of(const uint64_t *values, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* --- a, b: conservation ----------------------------------------------------------------------- */

static void check_period(const struct embodied_period *period)
{
    struct range_mg total = total_of(period), parts = { 0 }, written_off = { 0 }, acquired = { 0 };

    for (size_t i = 0; i < period->n_parts; i++) {
        check_order(&period->parts[i].amount, "an asset's part");
        check_order(&period->parts[i].written_off, "a write-off");
        range_add(&parts, &period->parts[i].amount);
        range_add(&written_off, &period->parts[i].written_off);
        range_add(&acquired, &period->parts[i].acquired);
    }
    for (unsigned kind = 0; kind < POOL_COUNT; kind++)
        check_order(&period->pools[kind].amount, "a pool");
    if (!same(&parts, &total))
        fail("a: assets are %" PRIu64 " mg, pools %" PRIu64 " mg", parts.central, total.central);
    if (!same(&written_off, &period->written_off) || !same(&acquired, &period->acquired))
        fail("a: write-offs or acquisitions do not add up");
}

static void check_split(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode,
                        const uint64_t *used_ms, size_t count)
{
    struct outcome outcome = split(pool, kind, mode, used_ms, count);
    struct range_mg sum = outcome.unallocated;
    uint64_t total_used_ms = sum_of(used_ms, count);

    check_order(&outcome.unallocated, "unallocated");
    for (size_t i = 0; i < count; i++) {
        struct range_mg one = embodied_of_one(pool, mode, UTILISATION_PPM, used_ms[i],
                                              total_used_ms);

        check_order(&outcome.shares[i], "a share");
        range_add(&sum, &outcome.shares[i]);
        if (apart(one.central, outcome.shares[i].central) > 1)
            fail("a: user %zu has %" PRIu64 " mg, and %" PRIu64 " mg alone", i,
                 outcome.shares[i].central, one.central);
        if (used_ms[i] == 0 && outcome.shares[i].high > 0)
            fail("a: user %zu carries something for nothing", i);
    }
    if (sum.central != pool->amount.central + (uint64_t)outcome.recovery_mg)
        fail("a: shares are %" PRIu64 " mg of a pool of %" PRIu64 " mg, recovery %" PRId64 " mg",
             sum.central, pool->amount.central, outcome.recovery_mg);
    if (mode != MODE_PLANNED && !same(&sum, &pool->amount))
        fail("a: low or high shares do not add up to their pool");
    if (mode == MODE_PLANNED && outcome.unallocated.high > 0)
        fail("a: planned mode leaves something unallocated");
    if (mode == MODE_SHARE && total_used_ms > 0 && outcome.unallocated.high > 0)
        fail("a: share mode leaves something unallocated");
}

/* --- c, e: cuts ------------------------------------------------------------------------------- */

/* Full hours from from_s to to_s, n_cuts + 1 of them, rising. */
static size_t chance_cuts(int64_t from_s, int64_t to_s, int64_t cuts_s[CUTS_MAX + 1])
{
    uint64_t hours = (uint64_t)(to_s - from_s) / HOUR_S;
    size_t n_cuts = 1 + below(hours < CUTS_MAX ? hours : CUTS_MAX);

    cuts_s[0] = from_s;
    for (size_t i = 1; i < n_cuts; i++) { /* leave an hour for each that follows */
        uint64_t room = (uint64_t)(to_s - cuts_s[i - 1]) / HOUR_S - (n_cuts - i);

        cuts_s[i] = cuts_s[i - 1] + (int64_t)(1 + below(room)) * HOUR_S;
    }
    cuts_s[n_cuts] = to_s;
    return n_cuts;
}

struct sums {
    struct range_mg total, written_off, acquired;
    uint64_t available_ms[POOL_COUNT], node_ms[POOL_COUNT], service_ms;
};

static void sums_add(struct sums *sums, const struct embodied_period *period)
{
    struct range_mg total = total_of(period);

    range_add(&sums->total, &total);
    range_add(&sums->written_off, &period->written_off);
    range_add(&sums->acquired, &period->acquired);
    for (unsigned kind = 0; kind < POOL_COUNT; kind++) {
        sums->available_ms[kind] += period->pools[kind].available_ms;
        sums->node_ms[kind] += period->pools[kind].node_ms;
    }
    for (size_t i = 0; i < period->n_parts; i++)
        sums->service_ms += period->parts[i].service_ms;
}

static void check_sums(const struct sums *whole, const struct sums *cut, size_t n_cuts)
{
    if (memcmp(whole->available_ms, cut->available_ms, sizeof(whole->available_ms)) != 0 ||
        memcmp(whole->node_ms, cut->node_ms, sizeof(whole->node_ms)) != 0 ||
        whole->service_ms != cut->service_ms)
        fail("c: times of %zu cuts do not add up", n_cuts);
    if (!same(&whole->written_off, &cut->written_off) || !same(&whole->acquired, &cut->acquired))
        fail("c: write-offs or acquisitions of %zu cuts do not add up", n_cuts);
    if (apart(whole->total.low, cut->total.low) > n_cuts ||
        apart(whole->total.central, cut->total.central) > n_cuts ||
        apart(whole->total.high, cut->total.high) > n_cuts)
        fail("c: %" PRIu64 " mg cut in %zu are %" PRIu64 " mg", whole->total.central, n_cuts,
             cut->total.central);
}

/* A user of the same share of each cut as of the whole. */
static void check_steady(const struct world *world, const struct embodied_period *cuts,
                         size_t n_cuts)
{
    static const enum embodied_mode modes[] = { MODE_CAPACITY, MODE_PLANNED };

    for (unsigned kind = 0; kind < POOL_COUNT; kind++) {
        uint64_t used_ms = 0, sums_mg[2] = { 0 };

        for (size_t i = 0; i < n_cuts; i++) {
            const struct pool *pool = &cuts[i].pools[kind];
            uint64_t cut_ms = below(pool->available_ms + 1);

            used_ms += cut_ms;
            for (size_t m = 0; m < 2; m++)
                sums_mg[m] += embodied_of_one(pool, modes[m], UTILISATION_PPM, cut_ms, 0).central;
        }
        for (size_t m = 0; m < 2; m++) {
            uint64_t mg = embodied_of_one(&world->period.pools[kind], modes[m], UTILISATION_PPM,
                                          used_ms, 0).central;

            if (apart(mg, sums_mg[m]) > n_cuts)
                fail("e: %s of %" PRIu64 " mg is %" PRIu64 " mg in %zu cuts",
                     embodied_mode_names[modes[m]], mg, sums_mg[m], n_cuts);
        }
    }
}

static void check_cuts(const struct world *world)
{
    int64_t cuts_s[CUTS_MAX + 1];
    size_t n_cuts = chance_cuts(world->from_s, world->to_s, cuts_s);
    struct embodied_period periods[CUTS_MAX];
    struct sums whole = { 0 }, cut = { 0 };

    sums_add(&whole, &world->period);
    for (size_t i = 0; i < n_cuts; i++) {
        periods[i] = hardware_period(&world->hardware, cuts_s[i], cuts_s[i + 1]);
        check_period(&periods[i]);
        sums_add(&cut, &periods[i]);
    }
    check_sums(&whole, &cut, n_cuts);
    if (world->steady)
        check_steady(world, periods, n_cuts);
    for (size_t i = 0; i < n_cuts; i++)
        embodied_clear(&periods[i]);
}

/* --- d: a life -------------------------------------------------------------------------------- */

/* One asset alone, from its first hour to beyond its last, in one go and month by month. */
static void check_life(const struct asset *asset)
{
    struct asset alone = *asset;
    struct inventory inventory = { .shared = &alone, .n_shared = 1 };
    uint64_t life_ms = alone.lifetime_h * HOUR_MS, service_ms = 0, amortised_mg = 0;
    uint64_t whole_mg = alone.central_mg * alone.count, n_months = 0, n_written_off = 0;
    int64_t to_s = alone.in_service_s + (int64_t)(life_ms / 1000) + 40 * 24 * HOUR_S;
    struct embodied_period period;

    if (embodied_period_of(&inventory, NULL, 0, alone.in_service_s, to_s, &period, NULL) < 0)
        fail("d: no period");
    if (period.shared.central + period.written_off.central != whole_mg ||
        period.acquired.central != whole_mg)
        fail("d: %" PRIu64 " mg amortised and %" PRIu64 " mg written off of %" PRIu64 " mg",
             period.shared.central, period.written_off.central, whole_mg);
    embodied_clear(&period);
    for (int64_t month_s = alone.in_service_s; month_s < to_s; n_months++) {
        int64_t next_s = month_s + (int64_t)(28 + below(4)) * 24 * HOUR_S;

        if (embodied_period_of(&inventory, NULL, 0, month_s, next_s, &period, NULL) < 0)
            fail("d: no month");
        service_ms += period.n_parts > 0 ? period.parts[0].service_ms : 0;
        amortised_mg += period.shared.central + period.written_off.central;
        n_written_off += period.n_parts > 0 && alone.retired_s >= month_s &&
                         alone.retired_s < next_s;
        embodied_clear(&period);
        month_s = next_s;
    }
    if (alone.retired_s < alone.in_service_s + (int64_t)(life_ms / 1000)) {
        life_ms = (uint64_t)(alone.retired_s - alone.in_service_s) * 1000;
        if (n_written_off != 1)
            fail("d: written off %" PRIu64 " times", n_written_off);
    }
    if (service_ms != life_ms * alone.count)
        fail("d: in service for %" PRIu64 " ms of %" PRIu64, service_ms, life_ms * alone.count);
    if (apart(amortised_mg, whole_mg) > n_months)
        fail("d: %" PRIu64 " mg of %" PRIu64 " mg in %" PRIu64 " months", amortised_mg, whole_mg,
             n_months);
}

/* --- f, g, h: users --------------------------------------------------------------------------- */

/* f: the last user is cut in two. */
static void check_cut_user(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode,
                           const uint64_t *used_ms, size_t count)
{
    struct outcome whole = split(pool, kind, mode, used_ms, count), cut;
    uint64_t cut_ms[USERS_MAX + 1], sum_mg;

    memcpy(cut_ms, used_ms, count * sizeof(*cut_ms));
    cut_ms[count] = below(used_ms[count - 1] + 1);
    cut_ms[count - 1] -= cut_ms[count];
    cut = split(pool, kind, mode, cut_ms, count + 1);
    sum_mg = cut.shares[count - 1].central + cut.shares[count].central;
    if (apart(sum_mg, whole.shares[count - 1].central) > 2 ||
        cut.recovery_mg != whole.recovery_mg ||
        apart(cut.unallocated.central, whole.unallocated.central) > 1)
        fail("f: %" PRIu64 " mg cut in two are %" PRIu64 " mg", whole.shares[count - 1].central,
             sum_mg);
}

/* g: turned by some places */
static void check_turned(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode,
                         const uint64_t *used_ms, size_t count)
{
    struct outcome straight = split(pool, kind, mode, used_ms, count), turned;
    uint64_t turned_ms[USERS_MAX];
    size_t by = below(count);

    for (size_t i = 0; i < count; i++)
        turned_ms[(i + by) % count] = used_ms[i];
    turned = split(pool, kind, mode, turned_ms, count);
    if (turned.recovery_mg != straight.recovery_mg)
        fail("g: the recovery depends on the order");
    for (size_t i = 0; i < count; i++)
        if (apart(straight.shares[i].central, turned.shares[(i + by) % count].central) > 1)
            fail("g: user %zu has %" PRIu64 " mg, in another order %" PRIu64 " mg", i,
                 straight.shares[i].central, turned.shares[(i + by) % count].central);
}

/* h */
static void check_too_much(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode)
{
    uint64_t used_ms[2] = { pool->available_ms, 1 + below(HOUR_MS) };
    struct range_mg shares[2] = { { 1, 2, 3 }, { 4, 5, 6 } }, unallocated = { 7, 8, 9 };
    int64_t recovery_mg = 10;

    if (embodied_split(pool, kind, mode, UTILISATION_PPM, used_ms, 2, take_share, shares,
                       &unallocated, &recovery_mg, NULL) != -ERANGE)
        fail("h: more used than available went through");
    if (shares[0].low != 1 || shares[1].high != 6 || unallocated.central != 8 || recovery_mg != 10)
        fail("h: something changed");
}

static void check_users(const struct world *world)
{
    static const enum embodied_mode modes[] = { MODE_CAPACITY, MODE_SHARE, MODE_PLANNED };

    for (unsigned kind = 0; kind < POOL_COUNT; kind++) {
        const struct pool *pool = &world->period.pools[kind];
        const uint64_t *used_ms = world->used_ms[kind];
        size_t count = world->n_users[kind];

        for (size_t m = 0; m < 3; m++) {
            check_split(pool, kind, modes[m], used_ms, count);
            check_too_much(pool, kind, modes[m]);
            if (count > 0) {
                check_cut_user(pool, kind, modes[m], used_ms, count);
                check_turned(pool, kind, modes[m], used_ms, count);
            }
        }
    }
}

/* --- i: operational --------------------------------------------------------------------------- */

/* Two remainders alike: then the order may decide who gets the last milligram. */
static bool has_tie(uint64_t amount, const exact *weights, size_t count)
{
    exact remainders[USERS_MAX], total = 0;

    for (size_t i = 0; i < count; i++)
        total += weights[i];
    for (size_t i = 0; total > 0 && i < count; i++) {
        exact_mul_div(amount, weights[i], total, &remainders[i]);
        for (size_t j = 0; j < i; j++)
            if (remainders[i] == remainders[j])
                return true;
    }
    return false;
}

static void check_shares(const exact *weights, size_t count, uint64_t amount_mg)
{
    exact turned[USERS_MAX];
    uint64_t shares[USERS_MAX], turned_shares[USERS_MAX];
    size_t by = below(count);
    bool failed, tie = has_tie(amount_mg, weights, count);

    for (size_t i = 0; i < count; i++)
        turned[(i + by) % count] = weights[i];
    if (apportion_exact(amount_mg, weights, count, shares, &failed) !=
        amount_mg - sum_of(shares, count))
        fail("i: shares do not add up");
    if (apportion_exact(amount_mg, turned, count, turned_shares, &failed) !=
        amount_mg - sum_of(turned_shares, count))
        fail("i: turned shares do not add up");
    for (size_t i = 0; i < count; i++)
        if (apart(shares[i], turned_shares[(i + by) % count]) > tie)
            fail("i: the order decides on job %zu", i);
}

static void check_operational(void)
{
    struct operational_exact whole = { 0 }, cut = { 0 }, doubled = { 0 };
    size_t count = 1 + below(USERS_MAX);
    exact jobs[USERS_MAX], sum = 0;

    for (size_t job = 0; job < count; job++) {
        struct operational_exact mine = { 0 };

        for (uint64_t hour = 0, hours = below(6); hour < hours; hour++) {
            uint64_t active_mj = below(UINT64_C(1) << (1 + below(44)));
            uint64_t idle_mj = below(UINT64_C(1) << (1 + below(44)));
            uint64_t pue_ppm = PPM + below(PPM), ug = below(UINT64_C(1000000000));
            uint64_t a_mj = below(active_mj + 1), i_mj = below(idle_mj + 1);

            operational_add(&mine, active_mj, idle_mj, pue_ppm, ug);
            operational_add(&whole, active_mj, idle_mj, pue_ppm, ug);
            operational_add(&doubled, active_mj, idle_mj, pue_ppm, 2 * ug);
            operational_add(&cut, a_mj, idle_mj - i_mj, pue_ppm, ug);
            operational_add(&cut, active_mj - a_mj, i_mj, pue_ppm, ug);
        }
        jobs[job] = operational_sum(&mine);
        sum += jobs[job];
    }
    if (sum != operational_sum(&whole) || sum != operational_sum(&cut) ||
        whole.active != cut.active || whole.overhead != cut.overhead)
        fail("i: emissions of parts do not add up");
    if (doubled.active != 2 * whole.active || doubled.idle != 2 * whole.idle ||
        doubled.overhead != 2 * whole.overhead)
        fail("i: twice the intensity is not twice the emissions");
    check_shares(jobs, count, exact_mg(sum));
}

/* --- main ------------------------------------------------------------------------------------- */

static void check_case(uint64_t seed)
{
    struct world world;
    const struct inventory *inventory = &world.hardware.inventory;

    seed_now = seed;
    make_world(&world, seed);
    check_period(&world.period);
    check_cuts(&world);
    if (inventory->n_shared > 0)
        check_life(&inventory->shared[0]);
    if (inventory->types[0].n_assets > 0)
        check_life(&inventory->types[0].assets[0]);
    check_users(&world);
    check_operational();
    clear_world(&world);
}

static int usage(void)
{
    fprintf(stderr, "usage: apportionment [--seed N] [--count N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "count", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    uint64_t seed = 1, count = DEFAULT_COUNT;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        uint64_t *value = option == 's' ? &seed : option == 'c' ? &count : NULL;

        if (!value || parse_u64(optarg, 1, UINT64_MAX / 2, value) < 0)
            return usage();
    }
    for (uint64_t i = 0; i < count; i++)
        check_case(seed + i);
    printf("%" PRIu64 " clusters from seed %" PRIu64 " on\n", count, seed);
    return 0;
}
