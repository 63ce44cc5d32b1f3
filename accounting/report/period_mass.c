/*
 * period_mass.c - milligrams of everything in a period, such that they add up
 *
 * The cluster's operational total is the exact sum of all hours, to the nearest milligram. Lines
 * (each job, system, unallocated energy of each pool and of nodes that are in none) get their part
 * of it by largest remainder, and then split it into active, idle and overhead in the same way.
 */
#include "report/period_work.h"

#include <errno.h>
#include <stdlib.h>

#include "core/apportion.h"

#define MS_PER_HOUR UINT64_C(3600000)

/* --- operational ------------------------------------------------------------------------------ */

/* A line's milligrams into active, idle, overhead. */
static void split_parts(uint64_t mg, const struct operational_exact *line, uint64_t ret_parts[3])
{
    const exact weights[3] = { line->active, line->idle, line->overhead };
    bool failed;

    (void)apportion_exact(mg, weights, 3, ret_parts, &failed); /* three never fail */
}

static void write_shares(struct work *work, const uint64_t *shares)
{
    struct period_report *report = work->report;
    uint64_t parts[3];

    for (size_t i = 0; i < work->n_jobs; i++) {
        struct work_job *job = &work->jobs[i];

        split_parts(shares[i], &job->exact, parts);
        job->mg.active = parts[0];
        job->mg.idle = parts[1];
        job->mg.overhead = parts[2];
        job->mg.embodied = (struct range_mg){ 0 };
    }
    shares += work->n_jobs;
    split_parts(shares[0], &work->system, parts);
    report->system_mg = parts[1];
    report->system_overhead_mg = parts[2];
    for (int i = 0; i < WORK_IDLE_COUNT; i++) {
        split_parts(shares[1 + i], &work->unallocated[i], parts);
        work->idle_meter_mg[i] = parts[1];
        work->idle_overhead_mg[i] = parts[2];
        report->unallocated_mg += parts[1];
        report->unallocated_overhead_mg += parts[2];
    }
}

int work_operational(struct work *work, struct error *err)
{
    size_t count = work->n_jobs + 1 + WORK_IDLE_COUNT;
    exact *weights = calloc(count, sizeof(*weights)), sum = 0;
    uint64_t *shares = calloc(count, sizeof(*shares));
    bool failed = !weights || !shares;

    for (size_t i = 0; !failed && i < count; i++) {
        const struct operational_exact *line =
            i < work->n_jobs ? &work->jobs[i].exact : i == work->n_jobs ? &work->system :
            &work->unallocated[i - work->n_jobs - 1];

        weights[i] = operational_sum(line);
        sum += weights[i];
    }
    if (!failed) {
        work->operational_mg = exact_mg(sum);
        for (size_t i = 0; sum > 0 && i < count; i++) /* as apportion_exact(), in less memory */
            shares[i] = exact_mul_div(work->operational_mg, weights[i], sum, &weights[i]);
        failed = sum > 0 && !exact_raise(work->operational_mg, shares, weights, count);
    }
    if (!failed)
        write_shares(work, shares);
    free(weights);
    free(shares);
    return failed ? work_no_memory(err) : 0;
}

/* --- unallocated idle energy, spread ---------------------------------------------------------- */

static uint64_t held_ms(const struct work_job *job, int pool)
{
    return pool == POOL_GPU ? job->gpu_ms : job->core_ms;
}

void work_share_outside(const struct work *work, int64_t from_s, int64_t to_s,
                        uint64_t idle_mg[WORK_IDLE_COUNT])
{
    uint64_t service_s[POOL_COUNT] = { 0 }, shares[POOL_COUNT];

    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];

        if (node->counts)
            service_s[node->pool] += (uint64_t)work_service_s(work, node, from_s, to_s);
    }
    idle_mg[WORK_OUTSIDE] = apportion(idle_mg[WORK_OUTSIDE], service_s, POOL_COUNT, shares);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        idle_mg[pool] += shares[pool];
}

/* IdlePolicy=spread: over the pool's jobs by device-hours. Without any it stays unallocated. */
int work_spread(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    uint64_t *weights, *shares;

    if (!work->basis->spread_idle || work->n_jobs == 0)
        return 0;
    work_share_outside(work, report->period.from_s, report->period.to_s, work->idle_meter_mg);
    work_share_outside(work, report->period.from_s, report->period.to_s, work->idle_overhead_mg);
    weights = calloc(work->n_jobs, sizeof(*weights));
    shares = calloc(work->n_jobs, sizeof(*shares));
    for (int pool = 0; weights && shares && pool < POOL_COUNT; pool++) {
        uint64_t mg = work->idle_meter_mg[pool] + work->idle_overhead_mg[pool];

        for (size_t i = 0; i < work->n_jobs; i++)
            weights[i] = held_ms(&work->jobs[i], pool);
        if (apportion(mg, weights, work->n_jobs, shares) == mg)
            continue;
        report->unallocated_mg -= work->idle_meter_mg[pool];
        report->unallocated_overhead_mg -= work->idle_overhead_mg[pool];
        for (size_t i = 0; i < work->n_jobs; i++)
            work->jobs[i].spread_mg += shares[i];
    }
    free(weights);
    free(shares);
    return weights && shares ? 0 : work_no_memory(err);
}

/* --- embodied --------------------------------------------------------------------------------- */

static void count_available(struct work *work)
{
    const struct period *period = &work->report->period;

    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];
        uint64_t s = (uint64_t)work_service_s(work, node, period->from_s, period->to_s);

        if (!node->counts)
            continue;
        work->lines[node->line].available_ms +=
            s * 1000 * (node->pool == POOL_GPU ? node->gpus : node->cores);
    }
}

/* Used above available is a mistake in the inventory or in the books: no figure comes of it. */
static int check_used(const struct work *work, struct error *err)
{
    const struct inventory *inventory = work_inventory(work);

    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];
        const struct work_line *line = &work->lines[node->line];
        const char *device = node->pool == POOL_GPU ? "GPU" : "core";

        if (!node->counts || line->used_ms <= line->available_ms)
            continue;
        return error_set(err, -ERANGE, "node type \"%s\": jobs held %.1f %s-hours in the period, "
                         "and its nodes had %.1f in service: correct nodes, %s, in_service or "
                         "retired of node_type \"%s\" in inventory.conf, and run carbonctl factors "
                         "update", inventory->types[node->type].name,
                         (double)line->used_ms / (double)MS_PER_HOUR, device,
                         (double)line->available_ms / (double)MS_PER_HOUR,
                         node->pool == POOL_GPU ? "gpus" : "cores",
                         inventory->types[node->type].name);
    }
    return 0;
}

/* Whose share comes next: the jobs that held any of the pool. */
struct holders {
    struct work_job *next;
    int pool;
};

static void take_share(void *arg, size_t user, const struct range_mg *share)
{
    struct holders *holders = arg;

    (void)user;
    while (holders->next->counted_ms[holders->pool] == 0)
        holders->next++;
    range_add(&holders->next++->mg.embodied, share);
}

static int split_pool(struct work *work, int pool, struct error *err)
{
    struct period_report *report = work->report;
    const struct basis *basis = work->basis;
    struct holders holders = { work->jobs, pool };
    uint64_t *used_ms = calloc(work->n_jobs + 1, sizeof(*used_ms));
    struct range_mg unallocated = { 0 };
    int64_t recovery_mg = 0;
    size_t count = 0;
    int rc = used_ms ? 0 : work_no_memory(err);

    for (size_t i = 0; rc == 0 && i < work->n_jobs; i++) {
        if (work->jobs[i].counted_ms[pool] > 0)
            used_ms[count++] = work->jobs[i].counted_ms[pool];
    }
    if (rc == 0)
        rc = embodied_split(&report->embodied.pools[pool], pool, basis->mode,
                            basis->utilisation_ppm, used_ms, count, take_share, &holders,
                            &unallocated, &recovery_mg, err);
    range_add(&report->unallocated_embodied, &unallocated);
    report->recovery_mg += recovery_mg;
    free(used_ms);
    return rc;
}

int work_embodied(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    int rc;

    if (!work->basis->has_inventory)
        return 0;
    count_available(work);
    rc = check_used(work, err);
    if (rc == 0)
        rc = embodied_period_of(work_inventory(work), work->embodied_nodes, work->n_nodes,
                                report->period.from_s, report->period.to_s, &report->embodied, err);
    for (int pool = 0; rc == 0 && pool < POOL_COUNT; pool++)
        rc = split_pool(work, pool, err);
    if (report->embodied.shared_unassigned)
        range_add(&report->unallocated_embodied, &report->embodied.shared);
    return rc;
}

/* --- totals ----------------------------------------------------------------------------------- */

/* Days share the operational total as jobs do. */
static int share_days(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    uint64_t *shares = calloc(report->n_days + 1, sizeof(*shares));
    bool failed = !shares;

    if (!failed)
        (void)apportion_exact(work->operational_mg, work->day_exact, report->n_days, shares,
                              &failed);
    for (size_t i = 0; !failed && i < report->n_days; i++) {
        struct report_day *day = &report->days[i];

        day->operational_mg = shares[i];
        if (day->counted_mj > 0)
            day->ug_per_kwh = (uint64_t)((work->day_ug[i] + day->counted_mj / 2) /
                                         day->counted_mj);
    }
    free(shares);
    return failed ? work_no_memory(err) : 0;
}

int work_totals(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    const struct embodied_period *embodied = &report->embodied;
    uint64_t op_mg = work->operational_mg;

    report->total = (struct range_mg){ op_mg, op_mg, op_mg };
    for (int pool = 0; pool < POOL_COUNT; pool++)
        range_add(&report->total, &embodied->pools[pool].amount);
    if (embodied->shared_unassigned)
        range_add(&report->total, &embodied->shared);
    range_add(&report->total, &embodied->written_off);
    report->total_mg = report->total.central;
    report->scope2_location_mg = op_mg;
    report->has_market = report->hours > 0 && !work->market_missing;
    report->scope2_market_mg = report->has_market ? exact_mg(operational_sum(&work->market)) : 0;
    if (report->counted_mj > 0) {
        report->ug_per_kwh = (uint64_t)((work->energy_ug + report->counted_mj / 2) /
                                        report->counted_mj);
        report->pue_ppm = (uint64_t)((work->energy_pue + report->counted_mj / 2) /
                                     report->counted_mj);
    }
    return share_days(work, err);
}
