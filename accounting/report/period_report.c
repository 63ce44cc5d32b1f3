/*
 * period_report.c - the steps of a report, what ends it, and the invariants that it must hold
 */
#include "report/period_report.h"

#include <errno.h>
#include <stdlib.h>

#include "report/period_work.h"
#include "store/store.h"

/* --- the steps -------------------------------------------------------------------------------- */

void work_progress(struct work *work, unsigned percent)
{
    if (!work->options->progress || percent <= work->percent)
        return;
    work->percent = percent;
    work->options->progress(work->options->arg, percent);
}

/* The hourly sums of jobs, nodes and the cluster are of the same rows: they must agree (P1). */
static int check_books(const struct work *work, struct error *err)
{
    const struct period_report *report = work->report;
    uint64_t jobs_mj = work->jobs_mj, nodes_mj = 0, sum_mj;

    for (size_t i = 0; i < work_inventory(work)->n_types + POOL_COUNT; i++)
        nodes_mj += work->lines[i].counted_mj;
    sum_mj = jobs_mj + report->system_mj + report->unallocated_mj;
    if (sum_mj != report->counted_mj || nodes_mj != report->counted_mj)
        return error_set(err, -EPROTO, "the books do not close: the counters counted %llu mJ (by "
                         "node: %llu), and jobs (%llu), system and unallocated energy are %llu mJ: "
                         "run carbonctl audit", (unsigned long long)report->counted_mj,
                         (unsigned long long)nodes_mj, (unsigned long long)jobs_mj,
                         (unsigned long long)sum_mj);
    return 0;
}

static int build(struct work *work, struct error *err)
{
    int rc = work_read_nodes(work, err);

    if (rc == 0)
        work->beside = store_open_beside(work->store);
    if (rc == 0)
        rc = work_read_jobs(work, err);
    if (rc == 0)
        rc = work_read_rest(work, err);
    if (rc == 0)
        rc = check_books(work, err);
    if (rc == 0)
        rc = work_operational(work, err);
    if (rc == 0)
        rc = work_spread(work, err);
    if (rc == 0)
        rc = work_embodied(work, err);
    if (rc == 0)
        rc = work_totals(work, err);
    if (rc == 0)
        rc = work_groups(work, err);
    if (rc == 0)
        rc = work_types(work, err);
    if (rc == 0)
        rc = work_top(work, err);
    if (rc == 0)
        rc = work_warnings(work, err);
    work_progress(work, 95);
    if (rc == 0)
        rc = work_trend(work, err);
    return rc == 0 ? budget_uses_read(work->store, work->basis, work->report->period.cluster, NULL,
                                      0, work->report->period.to_s, &work->report->budgets, err)
                   : rc;
}

static void work_clear(struct work *work)
{
    store_close(work->beside);
    work_clear_nodes(work);
    free(work->jobs);
    free(work->hours);
    free(work->day_exact);
    free(work->day_ug);
    key_map_clear(&work->job_of);
    texts_clear(&work->texts);
}

int period_report_build(struct store *store, const struct period *period,
                        const struct basis *basis, const struct period_report_options *options,
                        struct period_report *ret, struct error *err)
{
    static const struct period_report_options usual = { .n_top = 10 };
    struct work work = { .store = store, .basis = basis, .report = ret,
                         .options = options ? options : &usual };
    int rc;

    *ret = (struct period_report){ .period = *period, .basis = basis,
                                   .so_far = work.options->so_far,
                                   .viewer = store_viewer(store),
                                   .has_grams = basis->grid.has_intensity };
    if (period->from_s % WORK_HOUR_S != 0 || period->to_s % WORK_HOUR_S != 0 ||
        period->to_s <= period->from_s)
        return error_set(err, -EINVAL, "a report is of full hours (UTC), and ends after it begins");
    rc = build(&work, err);
    if (rc == 0)
        rc = period_report_check(ret, err);
    if (rc == 0)
        work_progress(&work, 100);
    work_clear(&work);
    if (rc < 0)
        period_report_clear(ret);
    return rc;
}

static void clear_group(struct report_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        free(group->lines[i].name);
        free(group->lines[i].parent);
    }
    free(group->lines);
}

void period_report_clear(struct period_report *report)
{
    clear_group(&report->accounts);
    clear_group(&report->users);
    clear_group(&report->partitions);
    clear_group(&report->states);
    for (size_t i = 0; i < report->n_types; i++)
        free(report->types[i].name);
    for (size_t i = 0; i < report->n_top; i++) {
        struct period_job *job = &report->top[i].job;

        free((char *)job->user);
        free((char *)job->account);
        free((char *)job->partition);
        free((char *)job->qos);
        free((char *)job->name);
    }
    free(report->types);
    free(report->top);
    free(report->days);
    free(report->trend);
    hostlist_clear(&report->unknown_nodes);
    hostlist_clear(&report->silent_nodes);
    embodied_clear(&report->embodied);
    budget_uses_clear(&report->budgets);
    *report = (struct period_report){ 0 };
}

/* --- invariants ------------------------------------------------------------------------------- */

static int broken(struct error *err, const char *what, uint64_t left, uint64_t right)
{
    return error_set(err, -EPROTO, "the report does not close: %s: %llu and %llu; this is a defect "
                     "of slurm-carbon, or of the database (carbonctl audit)", what,
                     (unsigned long long)left, (unsigned long long)right);
}

static int check_energy(const struct period_report *report, struct error *err)
{
    uint64_t sum_mj = report->jobs.active_mj + report->jobs.idle_mj + report->system_mj +
                      report->unallocated_mj;

    if (sum_mj != report->counted_mj)
        return broken(err, "millijoules counted, and those of jobs, system and unallocated",
                      report->counted_mj, sum_mj);
    if (report->jobs.active_mj != report->active_mj)
        return broken(err, "active millijoules of the cluster and of its jobs", report->active_mj,
                      report->jobs.active_mj);
    return 0;
}

/* What jobs and lines carry of embodied emissions; `pick` is low, central or high. */
static uint64_t embodied_lines(const struct period_report *report,
                               uint64_t (*pick)(const struct range_mg *range))
{
    return pick(&report->jobs.embodied) + pick(&report->unallocated_embodied) +
           pick(&report->embodied.written_off);
}

static uint64_t low_of(const struct range_mg *range)
{
    return range->low;
}

static uint64_t central_of(const struct range_mg *range)
{
    return range->central;
}

static uint64_t high_of(const struct range_mg *range)
{
    return range->high;
}

static int check_mass(const struct period_report *report, struct error *err)
{
    uint64_t op_mg = amounts_operational_mg(&report->jobs) + report->system_mg +
                     report->system_overhead_mg + report->unallocated_mg +
                     report->unallocated_overhead_mg;
    uint64_t sum_mg = op_mg + embodied_lines(report, central_of) - (uint64_t)report->recovery_mg;

    if (op_mg != report->scope2_location_mg)
        return broken(err, "operational milligrams of the cluster and of its lines",
                      report->scope2_location_mg, op_mg);
    if (sum_mg != report->total_mg || report->total.central != report->total_mg)
        return broken(err, "milligrams in all, and those of the lines", report->total_mg, sum_mg);
    if (report->basis->mode == MODE_PLANNED)
        return 0; /* its recovery is known of the central figure alone */
    sum_mg = op_mg + embodied_lines(report, low_of);
    if (sum_mg != report->total.low)
        return broken(err, "low milligrams in all, and of the lines", report->total.low, sum_mg);
    sum_mg = op_mg + embodied_lines(report, high_of);
    if (sum_mg != report->total.high)
        return broken(err, "high milligrams in all, and of the lines", report->total.high, sum_mg);
    return 0;
}

/* struct amounts is uint64_t throughout, so that each part can be compared by its place. */
#define AMOUNTS_PARTS (sizeof(struct amounts) / sizeof(uint64_t))

union amounts_parts {
    struct amounts amounts;
    uint64_t parts[AMOUNTS_PARTS];
};

static int check_group(const struct report_group *group, const struct amounts *jobs,
                       const char *what, struct error *err)
{
    union amounts_parts whole = { .amounts = *jobs }, own = { 0 }, roots = { 0 };

    for (size_t i = 0; i < group->count; i++) {
        amounts_add(&own.amounts, &group->lines[i].own);
        if (!group->lines[i].parent)
            amounts_add(&roots.amounts, &group->lines[i].tree);
    }
    for (size_t i = 0; i < AMOUNTS_PARTS; i++) {
        if (own.parts[i] != whole.parts[i])
            return broken(err, what, whole.parts[i], own.parts[i]);
        if (roots.parts[i] != whole.parts[i])
            return broken(err, what, whole.parts[i], roots.parts[i]);
    }
    return 0;
}

static int check_sides(const struct period_report *report, struct error *err)
{
    uint64_t days_mg = 0, types_mg = 0, types_mj = 0;

    for (size_t i = 0; i < report->n_days; i++)
        days_mg += report->days[i].operational_mg;
    for (size_t i = 0; i < report->n_types; i++) {
        types_mg += report->types[i].operational_mg;
        types_mj += report->types[i].counted_mj;
    }
    if (days_mg != report->scope2_location_mg)
        return broken(err, "operational milligrams in all and by day", report->scope2_location_mg,
                      days_mg);
    if (types_mg != report->scope2_location_mg)
        return broken(err, "operational milligrams in all and by node type",
                      report->scope2_location_mg, types_mg);
    if (types_mj != report->counted_mj)
        return broken(err, "millijoules in all and by node type", report->counted_mj, types_mj);
    return 0;
}

int period_report_check(const struct period_report *report, struct error *err)
{
    int rc = check_energy(report, err);

    if (rc == 0)
        rc = check_mass(report, err);
    if (rc == 0)
        rc = check_group(&report->accounts, &report->jobs, "jobs in all and by account", err);
    if (rc == 0)
        rc = check_group(&report->users, &report->jobs, "jobs in all and by user", err);
    if (rc == 0)
        rc = check_group(&report->partitions, &report->jobs, "jobs in all and by partition", err);
    if (rc == 0)
        rc = check_group(&report->states, &report->jobs, "jobs in all and by state", err);
    return rc == 0 ? check_sides(report, err) : rc;
}
