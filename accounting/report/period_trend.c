/*
 * period_trend.c - 13 months up to the report's last hour, from hours of the cluster alone
 */
#include "report/period_work.h"

#include <errno.h>
#include <stdlib.h>

#define MONTHS 13

/* One month in the making. */
struct trend_month {
    struct operational_exact active, idle, system, unallocated;
};

struct trend {
    struct work *work;
    struct report_month *months;
    struct trend_month sums[MONTHS];
    size_t at; /* of the hour before: hours come in order */
};

static void add(struct operational_exact *sum, const struct grid_hour *hour, uint64_t mj)
{
    operational_add(sum, 0, mj, hour->pue_ppm, hour->ug_per_kwh);
}

static int take_hour(void *arg, const struct period_energy *energy)
{
    struct trend *trend = arg;
    struct trend_month *sums;
    struct grid_hour hour;

    while (trend->at + 1 < MONTHS && energy->hour_s >= trend->months[trend->at + 1].month_s)
        trend->at++;
    if (!grid_hour(&trend->work->basis->grid, energy->hour_s, &hour))
        hour.ug_per_kwh = 0;
    sums = &trend->sums[trend->at];
    add(&sums->active, &hour, energy->active_mj);
    add(&sums->idle, &hour, energy->idle_mj);
    add(&sums->system, &hour, energy->system_mj);
    add(&sums->unallocated, &hour, energy->unallocated_mj);
    trend->months[trend->at].counted_mj += energy->counted_mj;
    trend->months[trend->at].measured_mj += energy->measured_mj;
    return 0;
}

/* A month's operational milligrams over its parts; largest remainder, as everywhere. */
static void share_month(struct report_month *month, const struct trend_month *sums)
{
    exact overhead = sums->active.overhead + sums->idle.overhead + sums->system.overhead +
                     sums->unallocated.overhead;
    const exact weights[] = { sums->active.idle, sums->idle.idle, sums->system.idle,
                              sums->unallocated.idle, overhead };
    uint64_t shares[5], mg;
    exact sum = 0;
    bool failed;

    for (size_t i = 0; i < 5; i++)
        sum += weights[i];
    mg = exact_mg(sum);
    (void)apportion_exact(mg, weights, 5, shares, &failed); /* five never fail */
    month->active_mg = shares[0];
    month->idle_mg = shares[1];
    month->system_mg = shares[2];
    month->unallocated_mg = shares[3];
    month->overhead_mg = shares[4];
    month->total_mg = mg + month->embodied.central;
}

static int add_embodied(struct work *work, struct report_month *month, int64_t to_s,
                        struct error *err)
{
    struct embodied_period embodied = { 0 };
    int rc;

    if (!work->basis->has_inventory)
        return 0;
    rc = embodied_period_of(work_inventory(work), work->embodied_nodes, work->n_nodes,
                            month->month_s, to_s, &embodied, err);
    for (int pool = 0; rc == 0 && pool < POOL_COUNT; pool++)
        range_add(&month->embodied, &embodied.pools[pool].amount);
    if (rc == 0 && embodied.shared_unassigned)
        range_add(&month->embodied, &embodied.shared);
    if (rc == 0)
        range_add(&month->embodied, &embodied.written_off);
    embodied_clear(&embodied);
    return rc;
}

int work_trend(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    struct trend trend = { .work = work };
    struct period period = report->period;
    int rc = 0;

    report->trend = calloc(MONTHS, sizeof(*report->trend));
    if (!report->trend)
        return work_no_memory(err);
    report->n_trend = MONTHS;
    trend.months = report->trend;
    for (int i = 0; i < MONTHS; i++)
        report->trend[i].month_s = month_add(period.to_s - 1, i - MONTHS + 1);
    period.from_s = report->trend[0].month_s;
    rc = period_cluster_hours(work->store, &period, take_hour, &trend, err);
    for (int i = 0; rc == 0 && i < MONTHS; i++) {
        struct report_month *month = &report->trend[i];
        int64_t to_s = i + 1 < MONTHS ? month[1].month_s : period.to_s;

        rc = add_embodied(work, month, to_s, err);
        share_month(month, &trend.sums[i]);
        month->has = month->counted_mj > 0 || month->embodied.high > 0;
    }
    return rc;
}
