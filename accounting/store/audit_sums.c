/*
 * A6, A7 and A10: what schema 2 derives from the rows is what it should be. Every sum and its rows
 * are read once, in one GROUP BY over both: rows count up, sums down, and what is left is wrong.
 * Of old days the rows are by the day (roll.h), and A10 is A6 of these.
 */
#include <inttypes.h>

#include "core/clock.h"
#include "store/audit_rules.h"
#include "store/roll.h"

/* --- A6 -------------------------------------------------------------------------------------- */

/* `booked` and `summed` say on which side a key is; the rest must come to nothing. */
#define DIFFERS " HAVING MAX(booked) <> MAX(summed) OR SUM(active) <> 0 OR SUM(idle) <> 0" \
    " OR SUM(measured) <> 0 OR SUM(modelled) <> 0 OR SUM(metered) <> 0 OR SUM(elapsed) <> 0" \
    " OR SUM(gap) <> 0"
#define NODE_DIFFERS DIFFERS " OR SUM(counted) <> 0 OR SUM(system) <> 0 OR SUM(unallocated) <> 0"
#define FOUND " hour_s, MAX(booked), MAX(summed), "
#define ROLLED "hour_s < " ROLLED_BEFORE
/* Of the hours that rows and sums have in common. */
#define HOUR(hour) \
    "CASE WHEN " hour " < " ROLLED_BEFORE " THEN " DAY_OF(hour) " ELSE " hour " END AS hour_s"

#define BY_QUALITY \
    " CASE WHEN quality = 'measured' THEN active_mj + idle_mj ELSE 0 END AS measured," \
    " CASE WHEN quality = 'modelled' THEN active_mj + idle_mj ELSE 0 END AS modelled," \
    " metered_ms AS metered, elapsed_ms AS elapsed," \
    " CASE WHEN quality = 'gap' THEN elapsed_ms ELSE 0 END AS gap"
#define NODE_PARTS(sign) sign "counted_mj AS counted, " sign "active_mj AS active, " \
    sign "idle_mj AS idle, " sign "system_mj AS system, " sign "unallocated_mj AS unallocated, " \
    sign "measured_mj AS measured, " sign "modelled_mj AS modelled, " \
    sign "metered_ms AS metered, " sign "elapsed_ms AS elapsed, " sign "gap_ms AS gap"

static const char SQL_JOB_HOURS[] =
    "SELECT 'job_hour', 'job_key ' || job_key," FOUND ROLLED " FROM ("
    "SELECT " HOUR("hour_s") ", job_key, 1 AS booked, 0 AS summed, active_mj AS active,"
    " idle_mj AS idle," BY_QUALITY " FROM energy WHERE job_key > 0"
    " UNION ALL SELECT " HOUR("hour_s") ", job_key, 0, 1, -active_mj, -idle_mj, -measured_mj,"
    " -modelled_mj, -metered_ms, -elapsed_ms, -gap_ms FROM job_hour"
    ") AS parts GROUP BY hour_s, job_key" DIFFERS;

static const char SQL_NODE_HOURS[] =
    "SELECT 'node_hour', MAX(" AUDIT_NODE ")," FOUND ROLLED " FROM ("
    "SELECT " HOUR("hour_s") ", node_key, 1 AS booked, 0 AS summed, 0 AS counted,"
    " CASE WHEN job_key > 0 THEN active_mj ELSE 0 END AS active,"
    " CASE WHEN job_key > 0 THEN idle_mj ELSE 0 END AS idle,"
    " CASE WHEN job_key = 0 AND step_id = -2 THEN active_mj + idle_mj ELSE 0 END AS system,"
    " CASE WHEN job_key = 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END AS unallocated,"
    BY_QUALITY " FROM energy"
    " UNION ALL SELECT " HOUR("hour_s") ", node_key, 1, 0, counted_mj, 0, 0, 0, 0, 0, 0, 0, 0, 0"
    " FROM node_total"
    " UNION ALL SELECT " HOUR("hour_s") ", node_key, 0, 1, " NODE_PARTS("-") " FROM node_hour"
    ") AS parts LEFT JOIN node ON node.node_key = parts.node_key"
    " GROUP BY hour_s, parts.node_key" NODE_DIFFERS;

static const char SQL_CLUSTER_HOURS[] =
    "SELECT 'cluster_hour', 'cluster ' || cluster," FOUND "0 FROM ("
    "SELECT hour_s, node.cluster, 1 AS booked, 0 AS summed, " NODE_PARTS("")
    " FROM node_hour JOIN node ON node.node_key = node_hour.node_key"
    " UNION ALL SELECT hour_s, cluster, 0, 1, " NODE_PARTS("-") " FROM cluster_hour"
    ") AS parts GROUP BY hour_s, cluster" NODE_DIFFERS;

/* What is left to hold the hours of old days against: both are sums of the same energy. */
static const char SQL_JOBS_OF_NODES[] =
    "SELECT hour_s FROM ("
    "SELECT hour_s, active_mj AS active, idle_mj AS idle FROM job_hour WHERE " ROLLED
    " UNION ALL SELECT hour_s, -active_mj, -idle_mj FROM node_hour WHERE " ROLLED
    ") AS parts GROUP BY hour_s HAVING SUM(active) <> 0 OR SUM(idle) <> 0";

static void take_old_hour(const struct audit *audit, struct stmt *row, void *state)
{
    char hour[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(stmt_int(row, 0), hour);
    audit_report(audit, "A10", true, 0, "hour %s: job_hour and node_hour hold different energy of "
                 "jobs", hour);
}

static void take_sum(const struct audit *audit, struct stmt *row, void *state)
{
    bool has_rows = stmt_int(row, 3), has_sum = stmt_int(row, 4), by_day = stmt_int(row, 5);
    char hour[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(stmt_int(row, 2), hour);
    audit_report(audit, by_day ? "A10" : "A6", true, 0, "%s, %s %s, %s: %s", audit_text(row, 1),
                 by_day ? "day of" : "hour", hour, audit_text(row, 0),
                 !has_sum ? "there is no sum of its rows"
                 : !has_rows ? "a sum of rows that are not there" : "not the sum of its rows");
}

int audit_sums(const struct audit *audit)
{
    int rc = audit_for_each(audit, SQL_JOB_HOURS, NULL, take_sum);

    if (rc == 0)
        rc = audit_for_each(audit, SQL_NODE_HOURS, NULL, take_sum);
    if (rc == 0)
        rc = audit_for_each(audit, SQL_CLUSTER_HOURS, NULL, take_sum);
    return rc == 0 ? audit_for_each(audit, SQL_JOBS_OF_NODES, NULL, take_old_hour) : rc;
}

/* --- A7 -------------------------------------------------------------------------------------- */

/* Each allocation's life (column 1 is 0), and after it its months in order (1). */
static const char SQL_MONTHS[] =
    "SELECT allocation_key, 0 AS side, begin_ns / 1000000000 AS first_s,"
    " COALESCE(end_ns, seen_ns) / 1000000000 FROM allocation"
    " UNION ALL SELECT allocation_key, 1, month_s, 0 FROM allocation_month"
    " ORDER BY allocation_key, side, first_s";

/* The allocation in hand, and which month of it comes next. */
struct life {
    int64_t allocation_key;
    int64_t next_s, last_s; /* months; next beyond last: all have come */
};

static void report_month(const struct audit *audit, int64_t allocation_key, int64_t month_s,
                         const char *what)
{
    char month[CLOCK_TEXT_SIZE];

    clock_format_utc(month_s, month);
    audit_report(audit, "A7", true, 0, "allocation_key %" PRId64 ", month of %s: %s",
                 allocation_key, month, what);
}

/* Months before `month_s` that the allocation in hand lived in and that did not come. */
static void report_missing(const struct audit *audit, struct life *life, int64_t month_s)
{
    for (; life->next_s <= life->last_s && life->next_s < month_s;
         life->next_s = clock_month_next_s(life->next_s))
        report_month(audit, life->allocation_key, life->next_s, "it lived then, and is not in "
                     "allocation_month");
}

static void take_month(const struct audit *audit, struct stmt *row, void *state)
{
    struct life *life = state;
    int64_t allocation_key = stmt_int(row, 0), at_s = stmt_int(row, 2);
    int64_t last_s = stmt_int(row, 3);

    if (allocation_key != life->allocation_key) {
        report_missing(audit, life, INT64_MAX);
        *life = (struct life){ allocation_key, 1, 0 }; /* unless it is said: no months */
    }
    if (stmt_int(row, 1) == 0) {
        life->next_s = clock_month_begin_s(at_s);
        life->last_s = clock_month_begin_s(last_s > at_s ? last_s : at_s);
        return;
    }
    report_missing(audit, life, at_s);
    if (life->next_s <= life->last_s && at_s == life->next_s)
        life->next_s = clock_month_next_s(at_s);
    else
        report_month(audit, allocation_key, at_s, "in allocation_month, but it did not live then");
}

int audit_months(const struct audit *audit)
{
    struct life life = { 0, 1, 0 };
    int rc = audit_for_each(audit, SQL_MONTHS, &life, take_month);

    if (rc == 0)
        report_missing(audit, &life, INT64_MAX);
    return rc;
}
