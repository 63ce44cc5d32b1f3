/*
 * basis_months.c - the month's pools, and one job's part of them
 *
 * Nodes are read and classed as period_report does it, by its own code, so that a job's card and
 * its month's report agree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "report/period_work.h"

#define NS_PER_MS INT64_C(1000000)
#define MS_PER_HOUR 3600000

/* A calendar month, clipped to what was asked for. */
struct month {
    int64_t from_s, to_s;
    struct embodied_period embodied;     /* with an inventory */
    uint64_t used_ms[POOL_COUNT];        /* by all jobs, that the pools count: in share mode */
    uint64_t held_ms[POOL_COUNT];        /* by all jobs: for spread idle energy */
    struct operational_exact unallocated[POOL_COUNT];
};

struct basis_months {
    struct store *store;
    const struct basis *basis;
    char cluster[CLUSTER_NAME_SIZE];
    struct period_report report; /* only its period: whose nodes */
    struct work work;            /* only its nodes */
    bool has_nodes;
    struct month *months;
    size_t n_months;
};

/* What one job, or all of them, held in one month. */
struct held {
    struct basis_months *months;
    struct month *month;
    uint64_t used_ms[POOL_COUNT], held_ms[POOL_COUNT];
    bool missing;
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for embodied emissions");
}

struct basis_months *basis_months_new(struct store *store, const struct basis *basis,
                                      const char *cluster)
{
    struct basis_months *months = calloc(1, sizeof(*months));

    if (!months)
        return NULL;
    months->store = store;
    months->basis = basis;
    snprintf(months->cluster, sizeof(months->cluster), "%s", cluster);
    months->report.period.cluster = months->cluster;
    months->work = (struct work){ .store = store, .basis = basis, .report = &months->report };
    return months;
}

struct basis_months *basis_months_free(struct basis_months *months)
{
    if (!months)
        return NULL;
    for (size_t i = 0; i < months->n_months; i++)
        embodied_clear(&months->months[i].embodied);
    for (size_t i = 0; i < months->work.n_nodes; i++)
        free(months->work.nodes[i].name);
    key_map_clear(&months->work.node_of);
    free(months->work.nodes);
    free(months->work.embodied_nodes);
    free(months->work.lines);
    free(months->months);
    free(months);
    return NULL;
}

/* --- what was held ---------------------------------------------------------------------------- */

/* Add a use, clipped to the month. Floors of both ends, so that a job cut in two has its sum. */
static void add_use(struct held *held, const struct period_use *use)
{
    const struct work *work = &held->months->work;
    size_t at = key_map_find(&work->node_of, use->node_key);
    int64_t begin_ns = held->month->from_s * (int64_t)NS_PER_S;
    int64_t end_ns = held->month->to_s * (int64_t)NS_PER_S;
    const struct work_node *node;
    uint64_t device_ms;

    if (use->begin_ns > begin_ns)
        begin_ns = use->begin_ns;
    if (use->end_ns < end_ns)
        end_ns = use->end_ns;
    if (at == SIZE_MAX || end_ns / NS_PER_MS <= begin_ns / NS_PER_MS)
        return;
    node = &work->nodes[at];
    device_ms = (uint64_t)(end_ns / NS_PER_MS - begin_ns / NS_PER_MS) *
                (node->pool == POOL_GPU ? use->gpus : use->cores);
    held->held_ms[node->pool] += device_ms;
    if (node->counts)
        held->used_ms[node->pool] += device_ms;
    held->missing |= !node->counts || (node->pool == POOL_CPU && use->cores == 0);
}

static int take_use(void *arg, const struct period_use *use)
{
    add_use(arg, use);
    return 0;
}

static int take_node_hour(void *arg, const struct period_energy *energy)
{
    struct held *held = arg;
    const struct work *work = &held->months->work;
    size_t at = key_map_find(&work->node_of, energy->key);
    struct grid_hour hour;

    if (at == SIZE_MAX)
        return 0; /* of another cluster */
    (void)grid_hour(&held->months->basis->grid, energy->hour_s, &hour); /* 0 where unknown */
    operational_add(&held->month->unallocated[work->nodes[at].pool], 0, energy->unallocated_mj,
                    hour.pue_ppm, hour.ug_per_kwh);
    return 0;
}

/* --- months ----------------------------------------------------------------------------------- */

static int read_totals(struct basis_months *months, struct month *month, struct error *err)
{
    const struct period period = { months->cluster, month->from_s, month->to_s };
    struct held all = { .months = months, .month = month };
    bool spread = months->basis->spread_idle;
    int rc = 0;

    if (spread || months->basis->mode == MODE_SHARE)
        rc = period_uses(months->store, &period, take_use, &all, err);
    if (rc == 0 && spread)
        rc = period_node_hours(months->store, &period, take_node_hour, &all, err);
    memcpy(month->used_ms, all.used_ms, sizeof(month->used_ms));
    memcpy(month->held_ms, all.held_ms, sizeof(month->held_ms));
    return rc;
}

static int check_used(const struct month *month, const uint64_t *used_ms, const char *who,
                      struct error *err)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        uint64_t available_ms = month->embodied.pools[pool].available_ms;
        char from[CLOCK_TEXT_SIZE];

        if (used_ms[pool] <= available_ms)
            continue;
        clock_format_utc(month->from_s, from);
        return error_set(err, -ERANGE, "%s held %.1f %s-hours in the month of %.7s, and nodes had "
                         "%.1f in service: correct nodes, gpus, cores, in_service or retired in "
                         "inventory.conf, and run carbonctl factors update", who,
                         (double)used_ms[pool] / MS_PER_HOUR, pool == POOL_GPU ? "GPU" : "core",
                         from, (double)available_ms / MS_PER_HOUR);
    }
    return 0;
}

static int make_month(struct basis_months *months, struct month *month, struct error *err)
{
    const struct basis *basis = months->basis;
    int rc = 0;

    if (basis->has_inventory)
        rc = embodied_period_of(&basis->inventory, months->work.embodied_nodes,
                                months->work.n_nodes, month->from_s, month->to_s,
                                &month->embodied, err);
    if (rc == 0)
        rc = read_totals(months, month, err);
    if (rc == 0 && basis->has_inventory && basis->mode == MODE_SHARE)
        rc = check_used(month, month->used_ms, "all jobs", err);
    if (rc < 0)
        embodied_clear(&month->embodied);
    return rc;
}

/* The month, from the cache or made; valid until the next call. */
static int find_month(struct basis_months *months, int64_t from_s, int64_t to_s,
                      struct month **ret, struct error *err)
{
    struct month month = { .from_s = from_s, .to_s = to_s }, *place;
    int rc;

    for (size_t i = 0; i < months->n_months; i++) {
        if (months->months[i].from_s == from_s && months->months[i].to_s == to_s) {
            *ret = &months->months[i];
            return 0;
        }
    }
    rc = make_month(months, &month, err);
    if (rc < 0)
        return rc;
    place = work_grow(&months->months, &months->n_months, sizeof(*place));
    if (!place) {
        embodied_clear(&month.embodied);
        return no_memory(err);
    }
    *place = month;
    *ret = place;
    return 0;
}

/* --- one job ---------------------------------------------------------------------------------- */

struct job_uses {
    struct period_use *items;
    size_t count;
};

static int keep_use(void *arg, const struct period_use *use)
{
    struct job_uses *uses = arg;
    struct period_use *place = work_grow(&uses->items, &uses->count, sizeof(*place));

    if (!place)
        return -ENOMEM;
    *place = *use;
    return 0;
}

/* part / whole of an amount, to the nearest. whole > 0, part <= whole. */
static uint64_t part_of(uint64_t amount, uint64_t part, uint64_t whole)
{
    return (uint64_t)(((exact)amount * part + whole / 2) / whole);
}

static void add_spread(const struct held *held, struct job_embodied *job)
{
    const struct month *month = held->month;

    for (int pool = 0; pool < POOL_COUNT; pool++) {
        uint64_t mg = exact_mg(operational_sum(&month->unallocated[pool]));

        if (month->held_ms[pool] > 0)
            job->spread_mg += part_of(mg, held->held_ms[pool], month->held_ms[pool]);
    }
}

static struct embodied_line line_of(const struct held *held, enum pool_kind kind)
{
    const struct basis *basis = held->months->basis;
    const struct month *month = held->month;
    const struct pool *pool = &month->embodied.pools[kind];

    return (struct embodied_line){
        .from_s = month->from_s,
        .to_s = month->to_s,
        .pool = kind,
        .used_ms = held->used_ms[kind],
        .available_ms = pool->available_ms,
        .total_used_ms = basis->mode == MODE_SHARE ? month->used_ms[kind] : 0,
        .pool_amount = pool->amount,
        .amount = embodied_of_one(pool, basis->mode, basis->utilisation_ppm, held->used_ms[kind],
                                  month->used_ms[kind]),
    };
}

/* What a job held in a month, into its sum. */
static int add_month(const struct held *held,
                     int (*line)(void *arg, const struct embodied_line *line), void *arg,
                     struct job_embodied *job, struct error *err)
{
    int rc = 0;

    if (held->months->basis->spread_idle)
        add_spread(held, job);
    if (!held->months->basis->has_inventory)
        return 0;
    rc = check_used(held->month, held->used_ms, "the job", err);
    for (int pool = 0; rc == 0 && pool < POOL_COUNT; pool++) {
        struct embodied_line one = line_of(held, (enum pool_kind)pool);

        if (one.used_ms == 0)
            continue;
        range_add(&job->amount, &one.amount);
        rc = line ? line(arg, &one) : 0;
    }
    job->gpu_ms += held->used_ms[POOL_GPU];
    job->core_ms += held->used_ms[POOL_CPU];
    job->missing |= held->missing;
    return rc;
}

static bool touches(const struct job_uses *uses, int64_t from_s, int64_t to_s)
{
    for (size_t i = 0; i < uses->count; i++) {
        if (uses->items[i].begin_ns < to_s * (int64_t)NS_PER_S &&
            uses->items[i].end_ns > from_s * (int64_t)NS_PER_S)
            return true;
    }
    return false;
}

/* Narrow [*first_s, *last_s] to the time in which the job held anything. */
static void narrow(const struct job_uses *uses, int64_t *first_s, int64_t *last_s)
{
    int64_t begin_ns = INT64_MAX, end_ns = 0;

    for (size_t i = 0; i < uses->count; i++) {
        if (uses->items[i].begin_ns < begin_ns)
            begin_ns = uses->items[i].begin_ns;
        if (uses->items[i].end_ns > end_ns)
            end_ns = uses->items[i].end_ns;
    }
    if (begin_ns / (int64_t)NS_PER_S > *first_s)
        *first_s = begin_ns / (int64_t)NS_PER_S;
    if (end_ns / (int64_t)NS_PER_S < *last_s)
        *last_s = end_ns / (int64_t)NS_PER_S;
}

static int add_months(struct basis_months *months, const struct job_uses *uses, int64_t from_s,
                      int64_t to_s, int (*line)(void *arg, const struct embodied_line *line),
                      void *arg, struct job_embodied *job, struct error *err)
{
    int64_t first_s = from_s, last_s = to_s - 1;
    int rc = 0;

    narrow(uses, &first_s, &last_s);
    for (int64_t month_s = clock_month_begin_s(first_s); rc == 0 && month_s <= last_s;
         month_s = clock_month_next_s(month_s)) {
        struct held held = { .months = months };
        int64_t next_s = clock_month_next_s(month_s);
        int64_t begin_s = month_s > from_s ? month_s : from_s;
        int64_t end_s = next_s < to_s ? next_s : to_s;

        if (!touches(uses, begin_s, end_s))
            continue;
        rc = find_month(months, begin_s, end_s, &held.month, err);
        for (size_t i = 0; rc == 0 && i < uses->count; i++)
            add_use(&held, &uses->items[i]);
        if (rc == 0)
            rc = add_month(&held, line, arg, job, err);
    }
    return rc;
}

int basis_job_embodied(struct basis_months *months, int64_t job_key, int64_t from_s, int64_t to_s,
                       int (*line)(void *arg, const struct embodied_line *line), void *arg,
                       struct job_embodied *ret, struct error *err)
{
    struct job_embodied job = { .has = months->basis->has_inventory };
    struct job_uses uses = { NULL, 0 };
    int rc = 0;

    if (from_s < 0 || from_s > to_s || from_s % WORK_HOUR_S != 0 || to_s % WORK_HOUR_S != 0)
        return error_set(err, -EINVAL, "embodied emissions are of full hours (UTC)");
    if (!job.has && !months->basis->spread_idle) {
        *ret = job;
        return 0;
    }
    if (!months->has_nodes)
        rc = work_read_nodes(&months->work, err);
    months->has_nodes = rc == 0;
    if (rc == 0) {
        rc = period_uses_of_job(months->store, job_key, keep_use, &uses, err);
        rc = rc == -ENOMEM ? no_memory(err) : rc;
    }
    if (rc == 0 && uses.count > 0)
        rc = add_months(months, &uses, from_s, to_s, line, arg, &job, err);
    free(uses.items);
    if (rc == 0)
        *ret = job;
    return rc;
}
