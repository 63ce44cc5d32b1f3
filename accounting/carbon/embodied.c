/*
 * In named steps: the service of each asset in the period, as exact sums; the nodes' time; the
 * shared assets to the pools; then all of it is rounded once, to milligrams.
 *
 * Within, a mass is an integer of 2^-32 mg, so that a sum over any number of assets is rounded as
 * if it were exact. INVENTORY_MG_MAX (2^60 mg) over 2^32 s of service (136 years) needs 124 of the
 * 128 bits before it is divided by its lifetime, and 92 after.
 */
#include "carbon/embodied.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define FINE_PER_MG ((exact)1 << FINE_BITS)
#define MS_PER_S 1000
#define MS_PER_HOUR UINT64_C(3600000)

const char *const pool_names[] = { "GPU", "CPU", NULL };
const char *const embodied_mode_names[] = { "capacity", "share", "planned", NULL };

/* The three estimates of a mass, in the order of range_fine. */
enum { LOW, CENTRAL, HIGH, ESTIMATES };

static uint64_t *estimate(struct range_mg *range, unsigned i)
{
    return i == LOW ? &range->low : i == CENTRAL ? &range->central : &range->high;
}

void range_add(struct range_mg *sum, const struct range_mg *amount)
{
    sum->low += amount->low;
    sum->central += amount->central;
    sum->high += amount->high;
}

void range_fine_add(struct range_fine *sum, const struct range_fine *amount)
{
    for (unsigned i = 0; i < ESTIMATES; i++)
        sum->of[i] += amount->of[i];
}

/* To the nearest milligram, half up. */
static uint64_t nearest_mg(exact fine)
{
    return (uint64_t)((fine + FINE_PER_MG / 2) >> FINE_BITS);
}

struct range_mg range_fine_mg(const struct range_fine *amount)
{
    return (struct range_mg){ nearest_mg(amount->of[LOW]), nearest_mg(amount->of[CENTRAL]),
                              nearest_mg(amount->of[HIGH]) };
}

static int64_t min_s(int64_t a_s, int64_t b_s)
{
    return a_s < b_s ? a_s : b_s;
}

double fine_g(exact fine)
{
    return (double)fine / (double)FINE_PER_MG / 1000;
}

/* Seconds that [begin, end) has within [from, to). */
static uint64_t overlap_s(int64_t begin_s, int64_t end_s, int64_t from_s, int64_t to_s)
{
    begin_s = begin_s > from_s ? begin_s : from_s;
    end_s = min_s(end_s, to_s);
    return end_s > begin_s ? (uint64_t)(end_s - begin_s) : 0;
}

/* --- assets ----------------------------------------------------------------------------------- */

/* A period in the making: what is not rounded yet. */
struct making {
    const struct inventory *inventory;
    struct embodied_period *period;
    struct range_fine *fines;             /* of parts, one each */
    struct range_fine shared;
    struct error *err;
};

static uint64_t life_s(const struct asset *asset)
{
    return asset->lifetime_h * S_PER_HOUR;
}

static int64_t end_of_life_s(const struct asset *asset)
{
    return asset->in_service_s + (int64_t)life_s(asset);
}

/* All pieces for so long, of their lifetime. */
static struct range_fine mass_of(const struct asset *asset, uint64_t pieces, uint64_t served_s)
{
    uint64_t piece_mg[ESTIMATES] = { asset->low_mg, asset->central_mg, asset->high_mg };
    struct range_fine mass;

    for (unsigned i = 0; i < ESTIMATES; i++)
        mass.of[i] = (((exact)piece_mg[i] * pieces * served_s) << FINE_BITS) / life_s(asset);
    return mass;
}

static bool is_sane(const struct asset *asset, uint64_t pieces)
{
    exact high_mg = (exact)asset->high_mg * pieces;

    return asset->lifetime_h > 0 && life_s(asset) <= UINT32_MAX && high_mg <= INVENTORY_MG_MAX &&
           asset->low_mg <= asset->central_mg && asset->central_mg <= asset->high_mg &&
           asset->retired_s >= asset->in_service_s;
}

static int refuse_asset(const struct making *making, const struct asset *asset)
{
    return error_set(making->err, -ERANGE, "inventory.conf, line %u: asset \"%s\" needs a lifetime "
                     "of at most 136 years, low <= central <= high, a retirement after its begin "
                     "of service, and at most 10^12 kg in all its pieces; correct it",
                     asset->line, asset->name);
}

/* What the retirement of an asset in the period left, and what its begin of service acquired. */
static void add_edges(struct asset_part *part, uint64_t pieces, int64_t from_s, int64_t to_s)
{
    const struct asset *asset = part->asset;
    int64_t retired_s = asset->retired_s, life_end_s = end_of_life_s(asset);

    struct range_mg whole = { asset->low_mg * pieces, asset->central_mg * pieces,
                              asset->high_mg * pieces };

    if (retired_s >= from_s && retired_s < to_s && retired_s < life_end_s) {
        uint64_t served_s = (uint64_t)(retired_s - asset->in_service_s);
        struct range_fine served = mass_of(asset, pieces, served_s);
        struct range_mg amortised = range_fine_mg(&served);

        /* a difference, so that both are the whole, however the first was rounded */
        part->written_off = (struct range_mg){ whole.low - amortised.low,
                                               whole.central - amortised.central,
                                               whole.high - amortised.high };
    }
    if (asset->in_service_s >= from_s && asset->in_service_s < to_s)
        part->acquired = whole;
    if (life_end_s < to_s && retired_s >= to_s)
        part->amortised_pieces = pieces;
}

/* Add the asset's part, unless it was not there in the period. */
static int add_asset(struct making *making, const struct asset *asset, int type, uint64_t pieces)
{
    struct embodied_period *period = making->period;
    struct asset_part *part = &period->parts[period->n_parts];
    struct range_fine *fine = &making->fines[period->n_parts];
    uint64_t served_s;

    if (!is_sane(asset, pieces))
        return refuse_asset(making, asset);
    if (pieces == 0 || asset->in_service_s >= period->to_s || asset->retired_s < period->from_s)
        return 0;
    served_s = overlap_s(asset->in_service_s, min_s(asset->retired_s, end_of_life_s(asset)),
                         period->from_s, period->to_s);
    *part = (struct asset_part){
        .asset = asset, .type = type,
        .pieces = asset->retired_s > period->from_s ? pieces : 0,
        .service_ms = pieces * served_s * MS_PER_S,
    };
    *fine = mass_of(asset, pieces, served_s);
    add_edges(part, pieces, period->from_s, period->to_s);
    range_add(&period->written_off, &part->written_off);
    range_add(&period->acquired, &part->acquired);
    period->n_parts++;
    return 0;
}

/* Is one of the type's assets of this class? */
static bool has_class(const struct node_type *type, unsigned class)
{
    for (size_t i = 0; i < type->n_assets; i++)
        if (type->assets[i].class == class)
            return true;
    return false;
}

enum pool_kind embodied_pool_of(const struct inventory *inventory, const struct embodied_node *node)
{
    const struct node_type *type = node->type >= 0 ? &inventory->types[node->type] : NULL;

    if (type && type->n_assets > 0)
        return has_class(type, ASSET_GPU) ? POOL_GPU : POOL_CPU;
    return node->gpus > 0 ? POOL_GPU : POOL_CPU;
}

bool embodied_counts(const struct inventory *inventory, const struct embodied_node *node)
{
    const struct node_type *type = node->type >= 0 ? &inventory->types[node->type] : NULL;

    return type && (has_class(type, ASSET_GPU) || has_class(type, ASSET_CPU));
}

static int add_type(struct making *making, int index)
{
    const struct node_type *type = &making->inventory->types[index];
    enum pool_kind kind = has_class(type, ASSET_GPU) ? POOL_GPU : POOL_CPU;
    struct pool *pool = &making->period->pools[kind];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < type->n_assets; i++) {
        const struct asset *asset = &type->assets[i];
        size_t n_nodes = asset->nodes.count ? asset->nodes.count : type->nodes.count;
        size_t n_before = making->period->n_parts;

        rc = add_asset(making, asset, index, (uint64_t)asset->count * n_nodes);
        if (rc == 0 && making->period->n_parts > n_before)
            range_fine_add(asset->class == ASSET_SHARED ? &making->shared : &pool->fine,
                     &making->fines[n_before]);
    }
    return rc;
}

static int add_assets(struct making *making)
{
    const struct inventory *inventory = making->inventory;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < inventory->n_types; i++)
        rc = add_type(making, (int)i);
    for (size_t i = 0; rc == 0 && i < inventory->n_shared; i++) {
        size_t n_before = making->period->n_parts;

        rc = add_asset(making, &inventory->shared[i], -1, inventory->shared[i].count);
        if (rc == 0 && making->period->n_parts > n_before)
            range_fine_add(&making->shared, &making->fines[n_before]);
    }
    return rc;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static uint32_t devices_of(const struct embodied_node *node, enum pool_kind pool)
{
    return pool == POOL_GPU ? node->gpus : node->cores;
}

/* For each type the most devices that one of its nodes reported. */
static uint32_t *most_devices(const struct making *making, const struct embodied_node *nodes,
                              size_t n_nodes)
{
    uint32_t *most = calloc(making->inventory->n_types + 1, sizeof(*most));

    for (size_t i = 0; most && i < n_nodes; i++) {
        uint32_t devices = devices_of(&nodes[i], embodied_pool_of(making->inventory, &nodes[i]));

        if (nodes[i].type >= 0 && devices > most[nodes[i].type])
            most[nodes[i].type] = devices;
    }
    return most;
}

static int refuse_node(const struct making *making, const struct embodied_node *node,
                       enum pool_kind pool)
{
    const struct node_type *type = &making->inventory->types[node->type];
    const char *what = pool == POOL_GPU ? "gpus" : "cores";

    return error_set(making->err, -EINVAL, "node %s: the number of its %s is not known, since no "
                     "node of its type reported any; add %s = N to node_type \"%s\" (line %u of "
                     "inventory.conf)%s", node->name, what, what, type->name, type->line,
                     pool == POOL_GPU ? ", or make its assets of class CPU" : "");
}

static int add_node(struct making *making, const struct embodied_node *node, uint32_t most)
{
    enum pool_kind kind = embodied_pool_of(making->inventory, node);
    struct pool *pool = &making->period->pools[kind];
    uint32_t devices = devices_of(node, kind);
    const struct node_type *type;
    uint64_t service_ms;

    if (!embodied_counts(making->inventory, node))
        return 0;
    type = &making->inventory->types[node->type];
    service_ms = overlap_s(type->in_service_s, type->retired_s, making->period->from_s,
                           making->period->to_s) * MS_PER_S;
    if (devices == 0)
        devices = most;
    if (devices == 0 && service_ms > 0)
        return refuse_node(making, node, kind);
    pool->node_ms += service_ms;
    pool->available_ms += devices * service_ms;
    return 0;
}

static int add_nodes(struct making *making, const struct embodied_node *nodes, size_t n_nodes)
{
    uint32_t *most = most_devices(making, nodes, n_nodes);
    int rc = most ? 0 : error_set_errno(making->err, -ENOMEM, "embodied emissions of %zu nodes",
                                        n_nodes);

    for (size_t i = 0; rc == 0 && i < n_nodes; i++)
        rc = add_node(making, &nodes[i], nodes[i].type >= 0 ? most[nodes[i].type] : 0);
    free(most);
    return rc;
}

/* --- rounding --------------------------------------------------------------------------------- */

/* Shared assets to the pools by node-time; the CPU pool takes the rest, so that nothing is lost. */
static void share_out(struct making *making)
{
    struct embodied_period *period = making->period;
    uint64_t gpu_ms = period->pools[POOL_GPU].node_ms, cpu_ms = period->pools[POOL_CPU].node_ms;
    exact node_ms = (exact)gpu_ms + cpu_ms;

    period->shared = range_fine_mg(&making->shared);
    period->shared_unassigned = node_ms == 0 && making->shared.of[HIGH] > 0;
    for (unsigned i = 0; node_ms > 0 && i < ESTIMATES; i++) {
        /* in two parts: the product of 2^92 and 2^64 does not fit */
        exact whole = making->shared.of[i] / node_ms, rest = making->shared.of[i] % node_ms;
        exact to_gpu = whole * gpu_ms + rest * gpu_ms / node_ms;

        period->pools[POOL_GPU].fine.of[i] += to_gpu;
        period->pools[POOL_CPU].fine.of[i] += making->shared.of[i] - to_gpu;
    }
}

/*
 * Largest remainders of two amounts may cross: with more to hand out, one share can become less
 * (the Alabama paradox). Put those back that are on the wrong side of the central shares, and take
 * as much from others that have room, a unit each.
 */
static void hold_side(uint64_t *shares, const uint64_t *central, size_t count, bool below)
{
    uint64_t moved = 0, left = 1;

    for (size_t i = 0; i < count; i++) {
        if (below ? shares[i] > central[i] : shares[i] < central[i]) {
            moved += below ? shares[i] - central[i] : central[i] - shares[i];
            shares[i] = central[i];
        }
    }
    while (moved > 0 && left > 0) {
        left = 0;
        for (size_t i = 0; i < count && moved > 0; i++) {
            if (below ? shares[i] < central[i] : shares[i] > central[i]) {
                shares[i] += below ? UINT64_C(1) : UINT64_MAX; /* one more or, modulo, one less */
                moved--;
                left++;
            }
        }
    }
}

static void hold_sides(uint64_t *shares, size_t count)
{
    hold_side(&shares[LOW * count], &shares[CENTRAL * count], count, true);
    hold_side(&shares[HIGH * count], &shares[CENTRAL * count], count, false);
}

/* Round to milligrams that add up to `total`. ret_shares is [ESTIMATES][count]. */
static bool round_fines(const struct range_fine *fines, size_t count, struct range_mg total,
                        uint64_t *ret_shares)
{
    exact *remainders = calloc(count + 1, sizeof(*remainders));
    bool good = remainders != NULL;

    for (unsigned e = 0; good && e < ESTIMATES; e++) {
        for (size_t i = 0; i < count; i++) {
            ret_shares[e * count + i] = (uint64_t)(fines[i].of[e] >> FINE_BITS);
            remainders[i] = fines[i].of[e] & (FINE_PER_MG - 1);
        }
        good = exact_raise(*estimate(&total, e), &ret_shares[e * count], remainders, count);
    }
    free(remainders);
    return good;
}

static int no_memory(const struct making *making)
{
    return error_set_errno(making->err, -ENOMEM, "embodied emissions of %zu assets",
                           making->period->n_parts);
}

/* What is one of POOL_COUNT pools, or behind them what is shared without a pool. */
static struct range_mg *amount_of(struct embodied_period *period, unsigned i)
{
    return i < POOL_COUNT ? &period->pools[i].amount : &period->shared;
}

/*
 * The period is rounded, and pools add up to it. Low and high are brought to the central figure
 * where they would cross it: each pool stays next to its own exact value, which its users' shares
 * need, and the period's low is what its pools' are.
 */
static int round_pools(struct making *making)
{
    struct embodied_period *period = making->period;
    struct range_fine fines[POOL_COUNT + 1] = { 0 }, sum = { 0 };
    uint64_t shares[ESTIMATES * (POOL_COUNT + 1)];
    unsigned count = POOL_COUNT + (period->shared_unassigned ? 1 : 0);

    for (unsigned i = 0; i < count; i++) {
        fines[i] = i < POOL_COUNT ? period->pools[i].fine : making->shared;
        range_fine_add(&sum, &fines[i]);
    }
    if (!round_fines(fines, count, range_fine_mg(&sum), shares))
        return no_memory(making);
    for (unsigned i = 0; i < count; i++) {
        uint64_t low = shares[LOW * count + i], central = shares[CENTRAL * count + i];
        uint64_t high = shares[HIGH * count + i];

        *amount_of(period, i) = (struct range_mg){ low < central ? low : central, central,
                                                   high > central ? high : central };
    }
    return 0;
}

static int round_parts(struct making *making)
{
    struct embodied_period *period = making->period;
    size_t count = period->n_parts;
    uint64_t *shares = calloc(ESTIMATES * count + 1, sizeof(*shares));
    struct range_mg total = { 0 };
    bool good;

    for (unsigned i = 0; i < POOL_COUNT + (period->shared_unassigned ? 1u : 0u); i++)
        range_add(&total, amount_of(period, i));
    good = shares && round_fines(making->fines, count, total, shares);
    if (good)
        hold_sides(shares, count);
    for (unsigned e = 0; good && e < ESTIMATES; e++)
        for (size_t i = 0; i < count; i++)
            *estimate(&period->parts[i].amount, e) = shares[e * count + i];
    free(shares);
    return good ? 0 : no_memory(making);
}

/* --- the period ------------------------------------------------------------------------------- */

static int make_period(struct making *making, const struct embodied_node *nodes, size_t n_nodes)
{
    int rc = add_assets(making);

    if (rc == 0)
        rc = add_nodes(making, nodes, n_nodes);
    if (rc < 0)
        return rc;
    share_out(making);
    rc = round_pools(making);
    return rc == 0 ? round_parts(making) : rc;
}

int embodied_period_of(const struct inventory *inventory, const struct embodied_node *nodes,
                       size_t n_nodes, int64_t from_s, int64_t to_s, struct embodied_period *ret,
                       struct error *err)
{
    struct making making = { .inventory = inventory, .period = ret, .err = err };
    size_t n_assets = inventory->n_shared;
    int rc;

    *ret = (struct embodied_period){ .from_s = from_s, .to_s = to_s };
    for (size_t i = 0; i < inventory->n_types; i++)
        n_assets += inventory->types[i].n_assets;
    ret->parts = calloc(n_assets + 1, sizeof(*ret->parts));
    making.fines = calloc(n_assets + 1, sizeof(*making.fines));
    if (!ret->parts || !making.fines)
        rc = error_set_errno(err, -ENOMEM, "embodied emissions of %zu assets", n_assets);
    else
        rc = make_period(&making, nodes, n_nodes);
    free(making.fines);
    if (rc < 0)
        embodied_clear(ret);
    return rc;
}

void embodied_clear(struct embodied_period *period)
{
    free(period->parts);
    *period = (struct embodied_period){ 0 };
}

/* --- users ------------------------------------------------------------------------------------ */

/* A part of a pool: weight / of. */
struct quota {
    exact weight, of; /* below 2^83 */
};

/* What a user of so many hours has of the pool. */
static struct quota quota_of(const struct pool *pool, enum embodied_mode mode,
                             uint64_t utilisation_ppm, uint64_t used_ms, uint64_t total_used_ms)
{
    if (mode == MODE_SHARE)
        return (struct quota){ used_ms, total_used_ms };
    if (mode == MODE_PLANNED)
        return (struct quota){ (exact)used_ms * PPM, (exact)pool->available_ms * utilisation_ppm };
    return (struct quota){ used_ms, pool->available_ms };
}

/*
 * fine * weight / of in whole milligrams, and the remainder over (of * FINE_PER_MG). Whole
 * milligrams and the fraction apart, since the product of all would not fit:
 *     (whole * 2^32 + fraction) * weight = (q * of + r) * 2^32 + fraction * weight
 */
static uint64_t part_mg(exact fine, const struct quota *quota, exact *ret_remainder)
{
    exact remainder, divisor = quota->of << FINE_BITS;
    uint64_t mg = exact_mul_div((uint64_t)(fine >> FINE_BITS), quota->weight, quota->of,
                                &remainder);

    remainder = (remainder << FINE_BITS) + (fine & (FINE_PER_MG - 1)) * quota->weight;
    for (int i = 0; i < 2 && remainder >= divisor; i++) { /* so it is of a part below the whole */
        remainder -= divisor;
        mg++;
    }
    if (remainder >= divisor) {
        mg += (uint64_t)(remainder / divisor);
        remainder %= divisor;
    }
    *ret_remainder = remainder;
    return mg;
}

static uint64_t nearest_part_mg(exact fine, const struct quota *quota)
{
    exact remainder;
    uint64_t mg;

    if (quota->of == 0)
        return 0;
    mg = part_mg(fine, quota, &remainder);
    return mg + (remainder >= (quota->of << FINE_BITS) - remainder);
}

struct range_mg embodied_of_one(const struct pool *pool, enum embodied_mode mode,
                                uint64_t utilisation_ppm, uint64_t used_ms, uint64_t total_used_ms)
{
    struct quota quota = quota_of(pool, mode, utilisation_ppm, used_ms, total_used_ms);

    return (struct range_mg){ nearest_part_mg(pool->fine.of[LOW], &quota),
                              nearest_part_mg(pool->fine.of[CENTRAL], &quota),
                              nearest_part_mg(pool->fine.of[HIGH], &quota) };
}

/* part_mg() of an estimate, with the remainder as a fraction of a milligram. */
static exact fine_part(exact fine, const struct quota *quota)
{
    exact remainder;
    uint64_t mg;

    if (quota->of == 0)
        return 0;
    mg = part_mg(fine, quota, &remainder);
    return ((exact)mg << FINE_BITS) + remainder / quota->of;
}

struct range_fine embodied_fine_of_one(const struct pool *pool, enum embodied_mode mode,
                                       uint64_t utilisation_ppm, uint64_t used_ms,
                                       uint64_t total_used_ms)
{
    struct quota quota = quota_of(pool, mode, utilisation_ppm, used_ms, total_used_ms);

    return (struct range_fine){ { fine_part(pool->fine.of[LOW], &quota),
                                  fine_part(pool->fine.of[CENTRAL], &quota),
                                  fine_part(pool->fine.of[HIGH], &quota) } };
}

static int check_used(const struct pool *pool, enum pool_kind kind, uint64_t used_ms,
                      struct error *err)
{
    const char *device = kind == POOL_GPU ? "GPU" : "core";
    /* in thousandths of an hour, apart even where the difference is a millisecond */
    uint64_t used_mh = (used_ms + MS_PER_HOUR / 1000 - 1) / (MS_PER_HOUR / 1000);
    uint64_t available_mh = pool->available_ms / (MS_PER_HOUR / 1000);

    if (used_ms <= pool->available_ms)
        return 0;
    return error_set(err, -ERANGE, "the %s pool: jobs used %" PRIu64 ".%03" PRIu64 " %s-hours of %"
                     PRIu64 ".%03" PRIu64 " available; look in inventory.conf for node types with "
                     "too few %s, with an in_service date that is too late or a retired date that "
                     "is too early, and with `carbonctl audit` for jobs whose end is missing",
                     pool_names[kind], used_mh / 1000, used_mh % 1000, device, available_mh / 1000,
                     available_mh % 1000, kind == POOL_GPU ? "gpus" : "cores");
}

/* The split of a pool in the making: the users, and behind them nobody. */
struct dealing {
    const struct pool *pool;
    enum embodied_mode mode;
    uint64_t utilisation_ppm;
    const uint64_t *used_ms; /* [count - 1] */
    uint64_t total_used_ms;
    struct quota nobody;
    exact *remainders;
    uint64_t *shares; /* [ESTIMATES][count] */
    size_t count;
};

static bool dealing_init(struct dealing *dealing)
{
    dealing->remainders = calloc(dealing->count, sizeof(*dealing->remainders));
    dealing->shares = calloc(ESTIMATES * dealing->count, sizeof(*dealing->shares));
    return dealing->remainders && dealing->shares;
}

static void dealing_clear(struct dealing *dealing)
{
    free(dealing->remainders);
    free(dealing->shares);
}

/* Nobody's quota: what is available still, or all without any user. */
static struct quota nobodys(const struct dealing *dealing)
{
    uint64_t available_ms = dealing->pool->available_ms;

    if (dealing->mode != MODE_PLANNED && dealing->total_used_ms == 0)
        return (struct quota){ 1, 1 };
    if (dealing->mode == MODE_CAPACITY)
        return (struct quota){ available_ms - dealing->total_used_ms, available_ms };
    return (struct quota){ 0 };
}

/* Deal one estimate out, so that it adds up to total_mg. */
static bool deal(struct dealing *dealing, unsigned e, uint64_t total_mg)
{
    uint64_t *shares = &dealing->shares[e * dealing->count];
    size_t nobody = dealing->count - 1;

    for (size_t i = 0; i < dealing->count; i++) {
        const struct quota quota =
            i == nobody ? dealing->nobody
                        : quota_of(dealing->pool, dealing->mode, dealing->utilisation_ppm,
                                   dealing->used_ms[i], dealing->total_used_ms);

        if (quota.weight > 0)
            shares[i] = part_mg(dealing->pool->fine.of[e], &quota, &dealing->remainders[i]);
    }
    return exact_raise(total_mg, shares, dealing->remainders, dealing->count);
}

static bool deal_all(struct dealing *dealing, const struct range_mg *total)
{
    bool good = deal(dealing, LOW, total->low) && deal(dealing, CENTRAL, total->central) &&
                deal(dealing, HIGH, total->high);

    if (good)
        hold_sides(dealing->shares, dealing->count);
    return good;
}

static struct range_mg dealt(const struct dealing *dealing, size_t index)
{
    return (struct range_mg){ dealing->shares[LOW * dealing->count + index],
                              dealing->shares[CENTRAL * dealing->count + index],
                              dealing->shares[HIGH * dealing->count + index] };
}

int embodied_split(const struct pool *pool, enum pool_kind kind, enum embodied_mode mode,
                   uint64_t utilisation_ppm, const uint64_t *used_ms, size_t count,
                   void (*take)(void *arg, size_t user, const struct range_mg *share), void *arg,
                   struct range_mg *ret_unallocated, int64_t *ret_recovery_mg, struct error *err)
{
    struct dealing dealing = { .pool = pool, .mode = mode, .utilisation_ppm = utilisation_ppm,
                               .used_ms = used_ms, .count = count + 1 };
    struct range_mg total = pool->amount;
    uint64_t total_used_ms = 0;
    int rc;

    for (size_t i = 0; i < count; i++)
        total_used_ms += used_ms[i];
    rc = check_used(pool, kind, total_used_ms, err);
    if (rc < 0)
        return rc;
    if (mode == MODE_PLANNED)
        total = embodied_of_one(pool, mode, utilisation_ppm, total_used_ms, 0);
    dealing.total_used_ms = total_used_ms;
    dealing.nobody = nobodys(&dealing);
    if (dealing_init(&dealing)) {
        rc = deal_all(&dealing, &total) ? 0 : -ENOMEM;
    } else {
        rc = -ENOMEM;
    }
    if (rc == 0) {
        for (size_t i = 0; i < count; i++) {
            struct range_mg share = dealt(&dealing, i);

            take(arg, i, &share);
        }
        *ret_unallocated = dealt(&dealing, count);
        *ret_recovery_mg = (int64_t)(total.central - pool->amount.central); /* but planned: 0 */
    }
    dealing_clear(&dealing);
    return rc == 0 ? 0 : error_set_errno(err, rc, "embodied emissions of %zu jobs", count);
}
