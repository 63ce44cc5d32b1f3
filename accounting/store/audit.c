#include "store/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "store/audit_rules.h"

#define UJ_PER_MJ 1000

void audit_report(const struct audit *audit, const char *rule, bool fails, int64_t missing_mj,
                  const char *fmt, ...)
{
    struct audit_finding finding = { .rule = rule, .fails = fails, .missing_mj = missing_mj };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(finding.text, sizeof(finding.text), fmt, ap);
    va_end(ap);
    audit->sink->finding(audit->sink->arg, &finding);
}

const char *audit_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text ? text : "";
}

int audit_for_each(const struct audit *audit, const char *sql, void *state,
                   void (*take)(const struct audit *audit, sqlite3_stmt *row, void *state))
{
    sqlite3_stmt *row = store_statement(audit->store, sql, audit->err);
    int rc;

    if (!row)
        return -EIO;
    while ((rc = store_step(audit->store, row, audit->err)) > 0)
        take(audit, row, state);
    return rc;
}

/* --- A1 and the balance: one pass over all hours --------------------------------------------- */

static const char SQL_HOURS[] =
    "SELECT node.cluster, node.name, parts.hour_s, parts.component, SUM(counted), SUM(active),"
    " SUM(idle), SUM(remainder), SUM(system), SUM(unallocated) FROM ("
    "SELECT node_key, hour_s, component, counted_mj AS counted, 0 AS active, 0 AS idle,"
    " 0 AS remainder, 0 AS system, 0 AS unallocated FROM node_total"
    " UNION ALL SELECT node_key, hour_s, component, 0,"
    " CASE WHEN job_key > 0 AND step_id >= 0 THEN active_mj ELSE 0 END,"
    " CASE WHEN job_key > 0 AND step_id >= 0 THEN idle_mj ELSE 0 END,"
    " CASE WHEN job_key > 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END,"
    " CASE WHEN job_key = 0 AND step_id = -2 THEN active_mj + idle_mj ELSE 0 END,"
    " CASE WHEN job_key = 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END FROM energy"
    ") AS parts LEFT JOIN node ON node.node_key = parts.node_key"
    " GROUP BY parts.node_key, parts.hour_s, parts.component"
    " ORDER BY node.cluster, node.name, parts.hour_s, parts.component";

/* The month in hand; names are copies, since a row's texts end with the row. */
struct month {
    char cluster[CLUSTER_NAME_SIZE], node[NODE_NAME_SIZE];
    struct audit_balance balance;
};

static void month_end(const struct audit *audit, struct month *month)
{
    struct audit_balance *b = &month->balance;

    if (b->year == 0)
        return;
    b->cluster = month->cluster;
    b->node = month->node;
    audit->sink->balance(audit->sink->arg, b);
    *month = (struct month){ .cluster = "" };
}

/* Hand the month out when this row is of another. */
static void month_begin(const struct audit *audit, struct month *month, const char *cluster,
                        const char *node, int64_t hour_s)
{
    time_t second = (time_t)hour_s;
    struct tm utc;
    unsigned year, number;

    if (!gmtime_r(&second, &utc))
        return;
    year = (unsigned)utc.tm_year + 1900;
    number = (unsigned)utc.tm_mon + 1;
    if (month->balance.year == year && month->balance.month == number &&
        strcmp(month->node, node) == 0 && strcmp(month->cluster, cluster) == 0)
        return;
    month_end(audit, month);
    month->balance.year = year;
    month->balance.month = number;
    snprintf(month->cluster, sizeof(month->cluster), "%s", cluster);
    snprintf(month->node, sizeof(month->node), "%s", node);
}

static void take_hour(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    struct month *month = state;
    struct audit_balance *b = &month->balance;
    const char *node = audit_text(row, 1), *component = audit_text(row, 3);
    int64_t hour_s = sqlite3_column_int64(row, 2), counted_mj = sqlite3_column_int64(row, 4);
    int64_t parts_mj[5], difference_mj = counted_mj;
    char hour[CLOCK_TEXT_SIZE];

    for (int i = 0; i < 5; i++) {
        parts_mj[i] = sqlite3_column_int64(row, 5 + i);
        difference_mj -= parts_mj[i];
    }
    month_begin(audit, month, audit_text(row, 0), node, hour_s);
    b->counted_mj += counted_mj;
    b->active_mj += parts_mj[0];
    b->idle_mj += parts_mj[1];
    b->remainder_mj += parts_mj[2];
    b->system_mj += parts_mj[3];
    b->unallocated_mj += parts_mj[4];
    b->difference_mj += difference_mj;
    if (difference_mj == 0)
        return;
    clock_format_utc(hour_s, hour);
    audit_report(audit, "A1", true, difference_mj, "node %s, hour %s, %s: counted %" PRId64
                 " mJ, its rows hold %" PRId64 " mJ: %" PRId64 " mJ %s", node, hour, component,
                 counted_mj, counted_mj - difference_mj, difference_mj > 0 ? difference_mj
                 : -difference_mj, difference_mj > 0 ? "missing" : "too much");
}

static int check_hours(const struct audit *audit)
{
    struct month month = { .cluster = "" };
    int rc = audit_for_each(audit, SQL_HOURS, &month, take_hour);

    if (rc == 0)
        month_end(audit, &month);
    return rc;
}

/* --- A2: the chain of each stream ------------------------------------------------------------ */

static const char SQL_CHAIN[] =
    "SELECT node.name, batch.stream, batch.seq, batch.batches_dropped, c.component, c.begin_uj,"
    " c.end_uj FROM batch JOIN node ON node.node_key = batch.node_key"
    " LEFT JOIN batch_component AS c ON c.node_key = batch.node_key AND c.stream = batch.stream"
    " AND c.seq = batch.seq"
    " ORDER BY batch.node_key, batch.stream, batch.seq, c.component";

struct chain {
    char node[NODE_NAME_SIZE], stream[17];
    int64_t seq;     /* of the batch in hand */
    int64_t missing; /* batches before it */
    int64_t end_uj[COMPONENT_COUNT];
};

static int component_index(const char *name)
{
    for (int i = 0; i < COMPONENT_COUNT; i++)
        if (strcmp(component_names[i], name) == 0)
            return i;
    return -1;
}

static void take_next_batch(const struct audit *audit, struct chain *chain, int64_t seq,
                            int64_t dropped)
{
    chain->missing = seq - chain->seq - 1;
    if (chain->missing > 0)
        audit_report(audit, "A2", false, 0, "node %s, stream %s: %" PRId64 " batch%s missing "
                     "before seq %" PRId64 "; %s", chain->node, chain->stream, chain->missing,
                     chain->missing == 1 ? "" : "es", seq,
                     dropped ? "its meter gave up batches, as its spool was full"
                             : "late, lost, or in quarantine");
    chain->seq = seq;
}

static void take_link(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    struct chain *chain = state;
    const char *node = audit_text(row, 0), *stream = audit_text(row, 1);
    const char *component = audit_text(row, 4);
    int64_t seq = sqlite3_column_int64(row, 2), begin_uj = sqlite3_column_int64(row, 5);
    int64_t jump_mj;
    int index;

    if (strcmp(chain->stream, stream) != 0 || strcmp(chain->node, node) != 0) {
        *chain = (struct chain){ .seq = 0 };
        snprintf(chain->node, sizeof(chain->node), "%s", node);
        snprintf(chain->stream, sizeof(chain->stream), "%s", stream);
    }
    if (seq != chain->seq)
        take_next_batch(audit, chain, seq, sqlite3_column_int64(row, 3));
    index = component_index(component);
    if (index < 0)
        return; /* a batch that counted nothing */
    jump_mj = begin_uj / UJ_PER_MJ - chain->end_uj[index] / UJ_PER_MJ;
    if (begin_uj != chain->end_uj[index])
        audit_report(audit, "A2", jump_mj != 0 || chain->missing == 0, jump_mj,
                     "node %s, stream %s, seq %" PRId64 ", %s: begins at %" PRId64
                     " uJ where the batch before it ended at %" PRId64 " uJ: %" PRId64 " mJ %s",
                     node, stream, seq, component, begin_uj, chain->end_uj[index],
                     jump_mj < 0 ? -jump_mj : jump_mj, jump_mj < 0 ? "too much" : "missing");
    chain->end_uj[index] = sqlite3_column_int64(row, 6);
}

static int check_chains(const struct audit *audit)
{
    struct chain chain = { .seq = 0 };

    return audit_for_each(audit, SQL_CHAIN, &chain, take_link);
}

/* --- A3 to A5 -------------------------------------------------------------------------------- */

static const char SQL_STREAMS_AND_HOURS[] =
    "SELECT node.name, parts.component, SUM(streams), SUM(hours) FROM ("
    "SELECT node_key, component, end_uj / 1000 - begin_uj / 1000 AS streams, 0 AS hours"
    " FROM batch_component"
    " UNION ALL SELECT node_key, component, 0, counted_mj FROM node_total"
    ") AS parts LEFT JOIN node ON node.node_key = parts.node_key"
    " GROUP BY parts.node_key, parts.component HAVING SUM(streams) <> SUM(hours)";

static void take_sum(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    int64_t streams_mj = sqlite3_column_int64(row, 2), hours_mj = sqlite3_column_int64(row, 3);

    (void)state;
    audit_report(audit, "A3", true, streams_mj - hours_mj, "node %s, %s: its batches counted %"
                 PRId64 " mJ, its hours hold %" PRId64 " mJ", audit_text(row, 0),
                 audit_text(row, 1), streams_mj, hours_mj);
}

static const char SQL_ORPHANS[] =
    "SELECT node.name, energy.hour_s, energy.component, energy.job_key, energy.step_id"
    " FROM energy LEFT JOIN node ON node.node_key = energy.node_key"
    " WHERE node.node_key IS NULL"
    " OR (energy.job_key = 0 AND energy.step_id NOT IN (-1, -2))"
    " OR (energy.job_key <> 0 AND (energy.step_id < -1 OR NOT EXISTS"
    "  (SELECT 1 FROM job WHERE job.job_key = energy.job_key)))"
    " OR (energy.job_key <> 0 AND energy.step_id >= 0 AND NOT EXISTS"
    "  (SELECT 1 FROM step WHERE step.job_key = energy.job_key"
    "   AND step.step_id = energy.step_id))";

static void take_orphan(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    char hour[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(sqlite3_column_int64(row, 1), hour);
    audit_report(audit, "A4", true, 0, "node %s, hour %s, %s: a row belongs to job_key %lld, "
                 "step_id %lld, which is not there", audit_text(row, 0), hour, audit_text(row, 2),
                 (long long)sqlite3_column_int64(row, 3), (long long)sqlite3_column_int64(row, 4));
}

static const char SQL_BAD_ENERGY[] =
    "SELECT node.name, energy.hour_s, energy.component,"
    " 'an energy row of job_key ' || energy.job_key || ', step_id ' || energy.step_id"
    " FROM energy LEFT JOIN node ON node.node_key = energy.node_key"
    " WHERE active_mj < 0 OR idle_mj < 0 OR metered_ms < 0 OR metered_ms > elapsed_ms"
    " OR CAST(active_mj AS BIGINT) <> active_mj OR CAST(idle_mj AS BIGINT) <> idle_mj";

static const char SQL_BAD_TOTAL[] =
    "SELECT node.name, hour_s, component, 'its total' FROM node_total"
    " LEFT JOIN node ON node.node_key = node_total.node_key"
    " WHERE counted_mj < 0 OR CAST(counted_mj AS BIGINT) <> counted_mj";

static const char SQL_BAD_POWER[] =
    "SELECT node.name, minute_s, 'power', 'power of job_key ' || power.job_key FROM power"
    " LEFT JOIN node ON node.node_key = power.node_key"
    " WHERE energy_mj < 0 OR span_ms < 0 OR CAST(energy_mj AS BIGINT) <> energy_mj"
    " OR component NOT IN ('cpu', 'memory', 'gpu', 'other', 'all')";

static const char SQL_BAD_COMPONENT[] =
    "SELECT node.name, batch.end_wall_ns / 1000000000, component,"
    " 'stream ' || c.stream || ', seq ' || c.seq FROM batch_component AS c"
    " JOIN node ON node.node_key = c.node_key JOIN batch ON batch.node_key = c.node_key"
    " AND batch.stream = c.stream AND batch.seq = c.seq WHERE begin_uj < 0 OR end_uj < begin_uj";

static void take_bad(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    char hour[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(sqlite3_column_int64(row, 1), hour);
    audit_report(audit, "A5", true, 0, "node %s, %s, %s: %s is negative, no integer, of no "
                 "component, or covers more than its time", audit_text(row, 0), hour,
                 audit_text(row, 2), audit_text(row, 3));
}

static int check_amounts(const struct audit *audit)
{
    int rc = audit_for_each(audit, SQL_BAD_ENERGY, NULL, take_bad);

    if (rc == 0)
        rc = audit_for_each(audit, SQL_BAD_TOTAL, NULL, take_bad);
    if (rc == 0)
        rc = audit_for_each(audit, SQL_BAD_POWER, NULL, take_bad);
    return rc == 0 ? audit_for_each(audit, SQL_BAD_COMPONENT, NULL, take_bad) : rc;
}

/* --- the database itself --------------------------------------------------------------------- */

static const char SQL_INTEGRITY[] = "PRAGMA integrity_check";
static const char SQL_FOREIGN_KEYS[] = "PRAGMA foreign_key_check";

static void take_integrity(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    (void)state;
    if (strcmp(audit_text(row, 0), "ok") != 0)
        audit_report(audit, "DB", true, 0, "%s", audit_text(row, 0));
}

static void take_foreign_key(const struct audit *audit, sqlite3_stmt *row, void *state)
{
    (void)state;
    audit_report(audit, "DB", true, 0, "row %lld of table %s names a row of %s that is not there",
                 (long long)sqlite3_column_int64(row, 1), audit_text(row, 0), audit_text(row, 2));
}

static int check_database(const struct audit *audit)
{
    int rc = audit_for_each(audit, SQL_INTEGRITY, NULL, take_integrity);

    return rc == 0 ? audit_for_each(audit, SQL_FOREIGN_KEYS, NULL, take_foreign_key) : rc;
}

int store_audit(struct store *store, bool deep, const struct audit_sink *sink, struct error *err)
{
    const struct audit audit = { store, sink, err };
    int rc = store_begin(store, err);

    if (rc == 0)
        rc = check_hours(&audit);
    if (rc == 0)
        rc = check_chains(&audit);
    if (rc == 0)
        rc = audit_for_each(&audit, SQL_STREAMS_AND_HOURS, NULL, take_sum);
    if (rc == 0)
        rc = audit_for_each(&audit, SQL_ORPHANS, NULL, take_orphan);
    if (rc == 0)
        rc = check_amounts(&audit);
    if (rc == 0)
        rc = audit_sums(&audit);
    if (rc == 0)
        rc = audit_months(&audit);
    if (rc == 0)
        rc = audit_factors(&audit);
    if (rc == 0 && deep)
        rc = check_database(&audit);
    store_rollback(store);
    return rc;
}
