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
#include "store/store.h"

#define NS_PER_MS INT64_C(1000000)
#define MS_PER_HOUR 3600000

/* A calendar month, or what the books have of it. */
struct month {
    int64_t begin_s;                     /* of the calendar's */
    int64_t from_s, to_s;
    int rc;                              /* why there are no figures, once and for all */
    struct error err;
    struct embodied_period embodied;     /* with an inventory */
    uint64_t *available_ms;              /* of each node type, in devices of its pool */
    uint64_t used_ms[POOL_COUNT];        /* by all jobs, that the pools count: in share mode */
    uint64_t held_ms[POOL_COUNT];        /* by all jobs: for spread idle energy */
    struct operational_exact idle[WORK_IDLE_COUNT];
    uint64_t idle_mj[WORK_IDLE_COUNT], idle_mg[WORK_IDLE_COUNT];
    uint64_t spread_mg[WORK_IDLE_COUNT]; /* what is outside shared out */
};

struct basis_months {
    struct store *store;
    const struct basis *basis;
    char cluster[CLUSTER_NAME_SIZE];
    const char *who;             /* held what comes, for messages */
    struct period_report report; /* only its period: whose nodes */
    struct work work;            /* only its nodes */
    bool by_name;                /* these are of the inventory alone … */
    size_t *first;               /* … and this is one of each type */
    bool is_ready;               /* nodes and end_s are read */
    int64_t end_s;               /* of the books */
    struct month **months;
    size_t n_months;
};

/* What one job, or all of them, held in one month. */
struct held {
    struct basis_months *months;
    struct month *month;
    int64_t from_s, to_s;        /* clipped to this */
    uint64_t used_ms[POOL_COUNT], held_ms[POOL_COUNT]; /* and of each type, in work.lines */
    bool missing;
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for embodied emissions");
}

/* Does the inventory say how many devices a node has, whatever the nodes themselves told? Who asks
   for what all jobs held meets nodes of any kind. */
static bool has_all_numbers(const struct basis *basis)
{
    const struct inventory *inventory = &basis->inventory;

    for (size_t i = 0; i < inventory->n_types; i++) {
        const struct node_type *type = &inventory->types[i];
        const struct embodied_node node = { type->name, (int)i, type->gpus, type->cores };

        if (embodied_counts(inventory, &node) &&
            (embodied_pool_of(inventory, &node) == POOL_GPU ? type->gpus : type->cores) == 0)
            return false;
    }
    return basis->has_inventory && !basis->spread_idle && basis->mode != MODE_SHARE;
}

struct basis_months *basis_months_new(struct store *store, const struct basis *basis,
                                      const char *cluster)
{
    struct basis_months *months = calloc(1, sizeof(*months));

    if (!months)
        return NULL;
    months->store = store;
    months->basis = basis;
    months->who = "the job";
    snprintf(months->cluster, sizeof(months->cluster), "%s", cluster);
    months->report.period.cluster = months->cluster;
    months->work = (struct work){ .store = store, .basis = basis, .report = &months->report };
    months->by_name = has_all_numbers(basis);
    return months;
}

struct basis_months *basis_months_free(struct basis_months *months)
{
    if (!months)
        return NULL;
    for (size_t i = 0; i < months->n_months; i++) {
        embodied_clear(&months->months[i]->embodied);
        free(months->months[i]->available_ms);
        free(months->months[i]);
    }
    work_clear_nodes(&months->work);
    free(months->first);
    free(months->months);
    free(months);
    return NULL;
}

void basis_months_name(struct basis_months *months, const char *who)
{
    months->who = who;
}

static void ask_nodes_and_end(struct basis_months *months)
{
    int64_t last_s;
    bool has;
    int rc;

    if (!store_ask_ahead(months->store))
        return;
    rc = period_nodes(months->store, months->cluster, NULL, NULL, NULL);
    rc |= period_last(months->store, months->cluster, &has, &last_s, NULL);
    (void)rc;
    store_ask_done(months->store);
}

static int find_firsts(struct basis_months *months, struct error *err)
{
    const struct work *work = &months->work;

    free(months->first);
    months->first = calloc(work_inventory(work)->n_types + 1, sizeof(*months->first));
    if (!months->first)
        return no_memory(err);
    for (size_t i = work->n_nodes; i-- > 0;)
        months->first[work->nodes[i].type] = i;
    return 0;
}

/* Nodes, and up to when there is anything of the cluster. */
static int make_ready(struct basis_months *months, struct error *err)
{
    int64_t last_s = 0;
    bool has = false;
    int rc;

    if (months->is_ready)
        return 0;
    work_clear_nodes(&months->work); /* of the inventory alone, or of a reading that failed */
    if (months->by_name) {
        rc = work_list_nodes(&months->work, err);
        if (rc == 0)
            rc = find_firsts(months, err);
    } else {
        ask_nodes_and_end(months);
        rc = work_read_nodes(&months->work, err);
    }
    if (rc == 0)
        rc = period_last(months->store, months->cluster, &has, &last_s, err);
    months->end_s = has ? last_s + WORK_HOUR_S : INT64_MAX;
    months->is_ready = rc == 0;
    return rc;
}

/* Any other of its type would do as well, as far as it matters here. */
int basis_months_meet(struct basis_months *months, int64_t node_key, const char *name,
                      struct error *err)
{
    int rc = months->by_name ? make_ready(months, err) : 0, type;

    if (rc < 0 || !months->by_name || key_map_find(&months->work.node_of, node_key) != SIZE_MAX)
        return rc;
    type = inventory_type_of(work_inventory(&months->work), name);
    return type < 0 ? 0 : key_map_add(&months->work.node_of, node_key, months->first[type], err);
}

/* Make ready for these; for a node that was not met, or is of no type, all are read. */
static int make_ready_for(struct basis_months *months, const struct period_use *uses,
                          size_t n_uses, struct error *err)
{
    int rc = make_ready(months, err);

    for (size_t i = 0; rc == 0 && months->by_name && i < n_uses; i++) {
        if (key_map_find(&months->work.node_of, uses[i].node_key) != SIZE_MAX)
            continue;
        months->by_name = months->is_ready = false;
        rc = make_ready(months, err);
    }
    return rc;
}

/* --- what was held ---------------------------------------------------------------------------- */

/* Add a use, clipped. Floors of both ends, so that a job cut in two has its sum. */
static void add_use(struct held *held, const struct period_use *use)
{
    struct work *work = &held->months->work;
    size_t at = key_map_find(&work->node_of, use->node_key);
    int64_t begin_ns = held->from_s * (int64_t)NS_PER_S;
    int64_t end_ns = held->to_s * (int64_t)NS_PER_S;
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
    if (node->counts) {
        held->used_ms[node->pool] += device_ms;
        work->lines[node->line].used_ms += device_ms;
    }
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
    unsigned place;

    if (at == SIZE_MAX)
        return 0; /* of another cluster */
    place = work_idle_place(work, &work->nodes[at]);
    (void)grid_hour(&held->months->basis->grid, energy->hour_s, &hour); /* 0 where unknown */
    operational_add(&held->month->idle[place], 0, energy->unallocated_mj, hour.pue_ppm,
                    hour.ug_per_kwh);
    held->month->idle_mj[place] += energy->unallocated_mj;
    return 0;
}

/* The types' sums are of one month, and of one job or all. */
static void begin_held(struct held *held)
{
    struct work *work = &held->months->work;

    for (size_t i = 0; i < work_inventory(work)->n_types; i++)
        work->lines[i].used_ms = 0;
}

/* --- months ----------------------------------------------------------------------------------- */

/* As the month's report: no type has given more than its nodes had. */
static int check_used(const struct held *held, const char *who, struct error *err)
{
    const struct work *work = &held->months->work;
    const struct month *month = held->month;
    size_t good = 0;

    /* types are few, and each job of a table is looked at */
    while (good < work_inventory(work)->n_types &&
           work->lines[good].used_ms <= month->available_ms[good])
        good++;
    if (good == work_inventory(work)->n_types)
        return 0;
    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];
        uint64_t used_ms = node->counts ? work->lines[node->line].used_ms : 0;
        const struct node_type *type;
        char from[CLOCK_TEXT_SIZE];

        if (used_ms == 0 || used_ms <= month->available_ms[node->line])
            continue;
        type = &work_inventory(work)->types[node->type];
        clock_format_utc(month->from_s, from);
        return error_set(err, -ERANGE, "%s held %.1f %s-hours of node_type \"%s\" in the month of "
                         "%.7s, and its nodes had %.1f in service: correct its nodes, %s, "
                         "in_service or retired in inventory.conf, and run carbonctl factors "
                         "update", who, (double)used_ms / MS_PER_HOUR,
                         node->pool == POOL_GPU ? "GPU" : "core", type->name, from,
                         (double)month->available_ms[node->line] / MS_PER_HOUR,
                         node->pool == POOL_GPU ? "gpus" : "cores");
    }
    return 0;
}

static int count_available(const struct basis_months *months, struct month *month,
                           struct error *err)
{
    const struct work *work = &months->work;

    month->available_ms = calloc(work_inventory(work)->n_types + 1, sizeof(*month->available_ms));
    if (!month->available_ms)
        return no_memory(err);
    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];
        int64_t service_s = work_service_s(work, node, month->from_s, month->to_s);

        if (node->counts)
            month->available_ms[node->line] += (uint64_t)service_s * 1000 *
                                               (node->pool == POOL_GPU ? node->gpus : node->cores);
    }
    return 0;
}

static int read_totals(struct basis_months *months, struct month *month, struct error *err)
{
    const struct period period = { months->cluster, month->from_s, month->to_s };
    struct held all = { .months = months, .month = month, .from_s = month->from_s,
                        .to_s = month->to_s };
    bool spread = months->basis->spread_idle;
    int rc = 0;

    begin_held(&all);
    if (spread || months->basis->mode == MODE_SHARE)
        rc = period_uses(months->store, &period, take_use, &all, err);
    if (rc == 0 && spread)
        rc = period_node_hours(months->store, &period, take_node_hour, &all, err);
    if (rc == 0 && months->basis->has_inventory && months->basis->mode == MODE_SHARE)
        rc = check_used(&all, "all jobs", err);
    memcpy(month->used_ms, all.used_ms, sizeof(month->used_ms));
    memcpy(month->held_ms, all.held_ms, sizeof(month->held_ms));
    for (int i = 0; i < WORK_IDLE_COUNT; i++)
        month->spread_mg[i] = month->idle_mg[i] = exact_mg(operational_sum(&month->idle[i]));
    if (spread)
        work_share_outside(&months->work, month->from_s, month->to_s, month->spread_mg);
    return rc;
}

static int make_month(struct basis_months *months, struct month *month, struct error *err)
{
    const struct basis *basis = months->basis;
    int rc = 0;

    if (basis->has_inventory)
        rc = embodied_period_of(&basis->inventory, months->work.embodied_nodes,
                                months->work.n_nodes, month->from_s, month->to_s,
                                &month->embodied, err);
    if (rc == 0 && basis->has_inventory)
        rc = count_available(months, month, err);
    if (rc == 0)
        rc = read_totals(months, month, err);
    if (rc < 0)
        embodied_clear(&month->embodied);
    return rc;
}

static struct month *add_month(struct basis_months *months, int64_t begin_s)
{
    struct month *month = calloc(1, sizeof(*month));
    struct month **place;

    if (!month)
        return NULL;
    place = work_grow(&months->months, &months->n_months, sizeof(*place));
    if (!place) {
        free(month);
        return NULL;
    }
    month->begin_s = month->from_s = begin_s;
    month->to_s = clock_month_next_s(begin_s);
    if (months->end_s > begin_s && months->end_s < month->to_s)
        month->to_s = months->end_s;
    *place = month;
    return month;
}

/* The month, from the cache or made; what could not be made is not tried again. */
static int find_month(struct basis_months *months, int64_t begin_s, struct month **ret,
                      struct error *err)
{
    struct month *month = NULL;

    for (size_t i = 0; !month && i < months->n_months; i++) {
        if (months->months[i]->begin_s == begin_s)
            month = months->months[i];
    }
    if (!month) {
        month = add_month(months, begin_s);
        if (!month)
            return no_memory(err);
        month->rc = make_month(months, month, &month->err);
    }
    *ret = month;
    return month->rc < 0 ? error_set(err, month->rc, "%s", month->err.text) : 0;
}

/* --- one job ---------------------------------------------------------------------------------- */

/* part / whole of an amount, in 2^-32 mg. part <= whole. */
static exact part_of(uint64_t amount_mg, uint64_t part, uint64_t whole)
{
    exact remainder;
    uint64_t mg;

    if (whole == 0)
        return 0;
    mg = exact_mul_div(amount_mg, part, whole, &remainder);
    return ((exact)mg << FINE_BITS) + (remainder << FINE_BITS) / whole;
}

static struct embodied_line line_of(const struct held *held, enum pool_kind kind)
{
    const struct basis *basis = held->months->basis;
    const struct month *month = held->month;
    bool is_share = basis->mode == MODE_SHARE;

    return (struct embodied_line){
        .from_s = month->from_s,
        .to_s = month->to_s,
        .pool = kind,
        .used_ms = held->used_ms[kind],
        .total_used_ms = is_share ? month->used_ms[kind] : 0,
        .period = &month->embodied,
        .amount = embodied_fine_of_one(&month->embodied.pools[kind], basis->mode,
                                       basis->utilisation_ppm, held->used_ms[kind],
                                       month->used_ms[kind]),
        .held_ms = held->held_ms[kind],
        .total_held_ms = month->held_ms[kind],
        .idle_mj = month->idle_mj[kind],
        .outside_mj = month->idle_mj[WORK_OUTSIDE],
        .idle_mg = month->idle_mg[kind],
        .outside_mg = month->idle_mg[WORK_OUTSIDE],
        .spread_mg = month->spread_mg[kind],
        .spread = part_of(month->spread_mg[kind], held->held_ms[kind], month->held_ms[kind]),
    };
}

/* What a job held in a month, into its sum. */
static int add_held(const struct held *held,
                    int (*line)(void *arg, const struct embodied_line *line), void *arg,
                    struct job_embodied *job, struct error *err)
{
    bool has = held->months->basis->has_inventory;
    int rc = has ? check_used(held, held->months->who, err) : 0;

    for (int pool = 0; rc == 0 && pool < POOL_COUNT; pool++) {
        struct embodied_line one = line_of(held, (enum pool_kind)pool);

        if (one.held_ms == 0)
            continue;
        range_fine_add(&job->amount, &one.amount);
        job->spread += one.spread;
        rc = line ? line(arg, &one) : 0;
    }
    if (has) {
        job->gpu_ms += held->used_ms[POOL_GPU];
        job->core_ms += held->used_ms[POOL_CPU];
        job->missing |= held->missing;
    }
    return rc;
}

/* Narrow [*from_s, *to_s) to the hours in which the job held anything. */
static void narrow(const struct period_use *uses, size_t n_uses, int64_t *from_s, int64_t *to_s)
{
    int64_t begin_s = INT64_MAX, end_s = 0;

    for (size_t i = 0; i < n_uses; i++) {
        int64_t use_end_s = uses[i].end_ns / (int64_t)NS_PER_S + 1;

        if (uses[i].begin_ns / (int64_t)NS_PER_S < begin_s)
            begin_s = uses[i].begin_ns / (int64_t)NS_PER_S;
        if (use_end_s > end_s)
            end_s = use_end_s;
    }
    if (begin_s > *from_s)
        *from_s = begin_s;
    if (end_s < *to_s)
        *to_s = end_s;
}

static int add_months(struct basis_months *months, const struct period_use *uses, size_t n_uses,
                      int64_t from_s, int64_t to_s,
                      int (*line)(void *arg, const struct embodied_line *line), void *arg,
                      struct job_embodied *job, struct error *err)
{
    int64_t first_s = from_s, end_s = to_s;
    int rc = 0;

    narrow(uses, n_uses, &first_s, &end_s);
    for (int64_t month_s = clock_month_begin_s(first_s); rc == 0 && month_s < end_s;
         month_s = clock_month_next_s(month_s)) {
        struct held held = { .months = months };

        rc = find_month(months, month_s, &held.month, err);
        if (rc < 0)
            break;
        held.from_s = from_s > held.month->from_s ? from_s : held.month->from_s;
        held.to_s = to_s < held.month->to_s ? to_s : held.month->to_s;
        begin_held(&held);
        for (size_t i = 0; i < n_uses; i++)
            add_use(&held, &uses[i]);
        rc = add_held(&held, line, arg, job, err);
    }
    return rc;
}

int basis_job_embodied(struct basis_months *months, const struct period_use *uses, size_t n_uses,
                       int64_t from_s, int64_t to_s,
                       int (*line)(void *arg, const struct embodied_line *line), void *arg,
                       struct job_embodied *ret, struct error *err)
{
    struct job_embodied job = { .has = months->basis->has_inventory };
    int rc;

    if (from_s < 0 || from_s > to_s || from_s % WORK_HOUR_S != 0 || to_s % WORK_HOUR_S != 0)
        return error_set(err, -EINVAL, "embodied emissions are of full hours (UTC)");
    if (!job.has && !months->basis->spread_idle) {
        *ret = job;
        return 0;
    }
    rc = make_ready_for(months, uses, n_uses, err);
    if (rc == 0 && n_uses > 0)
        rc = add_months(months, uses, n_uses, from_s, to_s, line, arg, &job, err);
    if (rc == 0)
        *ret = job;
    return rc;
}
