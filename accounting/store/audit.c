#include "store/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/clock.h"
#include "store/audit_rules.h"

#define UJ_PER_MJ 1000

/* --- findings -------------------------------------------------------------------------------- */

#define RESTORE "restore a backup of before (docs/operations.md, \"Backup and restore\")"

/* What to do about a failure; A2 says more by itself. */
static const struct {
    const char *rule, *remedy;
} remedies[] = {
    { "A1", "its rows were changed or lost after they were loaded: " RESTORE },
    { "A2", "its rows were changed or lost after they were loaded: " RESTORE },
    { "A3", "its hours were changed or lost after they were loaded: " RESTORE },
    { "A4", "jobs or steps were removed after they were loaded: " RESTORE },
    { "A5", "an amount was changed after it was loaded: " RESTORE },
    { "A6", "run `carbonctl repair sums`, which makes all sums anew from their rows" },
    { "A7", "run `carbonctl repair sums`, which makes all sums anew from their rows" },
    { "A8", "factor sets were changed behind carbonctl's back: " RESTORE },
    { "A9", "take the backfilled jobs back by `carbonctl backfill --drop`, and book them again" },
    { "A10", "its sums by the hour were changed or lost after its rows were rolled up: " RESTORE },
    { "DB", "the database's file is damaged: check its disk, and " RESTORE },
};

static struct audit_finding new_finding(const char *rule, bool fails, int64_t missing_mj)
{
    struct audit_finding finding = { .rule = rule, .fails = fails, .missing_mj = missing_mj };

    for (size_t i = 0; fails && i < sizeof(remedies) / sizeof(remedies[0]); i++)
        if (strcmp(remedies[i].rule, rule) == 0)
            snprintf(finding.remedy, sizeof(finding.remedy), "%s", remedies[i].remedy);
    return finding;
}

static void hand_out(const struct audit *audit, const struct audit_finding *finding)
{
    audit->sink->finding(audit->sink->arg, finding);
}

void audit_report(const struct audit *audit, const char *rule, bool fails, int64_t missing_mj,
                  const char *fmt, ...)
{
    struct audit_finding finding = new_finding(rule, fails, missing_mj);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(finding.text, sizeof(finding.text), fmt, ap);
    va_end(ap);
    hand_out(audit, &finding);
}

static const char SQL_BATCHES_OF_HOUR[] =
    "SELECT stream, MIN(COALESCE(first_seq, seq)), MAX(seq) FROM batch"
    " WHERE node_key = ?1 AND end_wall_ns > ?2 AND begin_wall_ns < ?2 + 3600000000000"
    " GROUP BY stream ORDER BY MIN(begin_wall_ns)";

/* An hour of a node: what a row of hours begins with. */
struct place {
    int64_t node_key;
    const char *node; /* as AUDIT_NODE says it */
    int64_t hour_s;
};

static struct place place_of(struct stmt *row)
{
    return (struct place){ stmt_int(row, 0), audit_text(row, 1),
                           stmt_int(row, 2) };
}

/* "seq 3 to 9 of stream 0123456789abcdef, …"; what cannot be read is left out. */
static void name_batches(const struct audit *audit, const struct place *place, char *text,
                         size_t size)
{
    struct stmt *row = audit->deep ? store_statement(audit->store, SQL_BATCHES_OF_HOUR, NULL)
                                    : NULL;
    struct buf buf;

    if (!row)
        return;
    buf_init_fixed(&buf, text, size);
    stmt_bind_int(row, 1, place->node_key);
    stmt_bind_int(row, 2, place->hour_s * (int64_t)NS_PER_S);
    while (store_step(audit->store, row, NULL) > 0) {
        int64_t first = stmt_int(row, 1), last = stmt_int(row, 2);

        buf_printf(&buf, "%sseq %" PRId64, buf.len > 0 ? ", " : "", first);
        if (last > first)
            buf_printf(&buf, " to %" PRId64, last);
        buf_printf(&buf, " of stream %s", audit_text(row, 0));
    }
}

/* As audit_report(), of one hour of a node: with its batches. */
static void __attribute__((format(printf, 5, 6)))
report_hour(const struct audit *audit, const char *rule, const struct place *place,
            int64_t missing_mj, const char *fmt, ...)
{
    struct audit_finding finding = new_finding(rule, true, missing_mj);
    char hour[CLOCK_TEXT_SIZE];
    va_list ap;
    int len;

    clock_format_utc(place->hour_s, hour);
    len = snprintf(finding.text, sizeof(finding.text), "%.160s, hour %s, ", place->node, hour);
    va_start(ap, fmt);
    vsnprintf(finding.text + len, sizeof(finding.text) - (size_t)len, fmt, ap);
    va_end(ap);
    name_batches(audit, place, finding.batches, sizeof(finding.batches));
    hand_out(audit, &finding);
}

const char *audit_text(struct stmt *row, int column)
{
    const char *text = stmt_text(row, column);

    return text ? text : "";
}

int audit_for_each(const struct audit *audit, const char *sql, void *state,
                   void (*take)(const struct audit *audit, struct stmt *row, void *state))
{
    struct stmt *row = store_statement(audit->store, sql, audit->err);
    int rc;

    if (!row)
        return -EIO;
    stmt_many(row);
    while ((rc = store_step(audit->store, row, audit->err)) > 0)
        take(audit, row, state);
    return rc;
}

/* --- A1 and the balance: one pass over all hours --------------------------------------------- */

static const char SQL_HOURS[] =
    "SELECT parts.node_key, " AUDIT_NODE ", parts.hour_s, parts.component, node.cluster, node.name,"
    " SUM(counted), SUM(active), SUM(idle), SUM(remainder), SUM(system), SUM(unallocated) FROM ("
    "SELECT node_key, hour_s, component, counted_mj AS counted, 0 AS active, 0 AS idle,"
    " 0 AS remainder, 0 AS system, 0 AS unallocated FROM node_total"
    " UNION ALL SELECT node_key, hour_s, component, 0,"
    " CASE WHEN job_key > 0 AND step_id >= 0 THEN active_mj ELSE 0 END,"
    " CASE WHEN job_key > 0 AND step_id >= 0 THEN idle_mj ELSE 0 END,"
    " CASE WHEN job_key > 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END,"
    " CASE WHEN job_key = 0 AND step_id = -2 THEN active_mj + idle_mj ELSE 0 END,"
    " CASE WHEN job_key = 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END FROM energy"
    ") AS parts LEFT JOIN node ON node.node_key = parts.node_key"
    " GROUP BY parts.node_key, parts.hour_s, parts.component, node.cluster, node.name"
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

static void take_hour(const struct audit *audit, struct stmt *row, void *state)
{
    struct month *month = state;
    struct audit_balance *b = &month->balance;
    const struct place place = place_of(row);
    int64_t counted_mj = stmt_int(row, 6);
    int64_t parts_mj[5], difference_mj = counted_mj;

    for (int i = 0; i < 5; i++) {
        parts_mj[i] = stmt_int(row, 7 + i);
        difference_mj -= parts_mj[i];
    }
    month_begin(audit, month, audit_text(row, 4), audit_text(row, 5), place.hour_s);
    b->counted_mj += counted_mj;
    b->active_mj += parts_mj[0];
    b->idle_mj += parts_mj[1];
    b->remainder_mj += parts_mj[2];
    b->system_mj += parts_mj[3];
    b->unallocated_mj += parts_mj[4];
    b->difference_mj += difference_mj;
    if (difference_mj == 0)
        return;
    report_hour(audit, "A1", &place, difference_mj, "%s: counted %" PRId64 " mJ, its rows hold %"
                PRId64 " mJ: %" PRId64 " mJ %s", audit_text(row, 3), counted_mj,
                counted_mj - difference_mj, difference_mj > 0 ? difference_mj : -difference_mj,
                difference_mj > 0 ? "missing" : "too much");
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

/* What is given up comes in the place of its last batch, and has no component. */
static const char SQL_CHAIN[] =
    "SELECT node.cluster, node.name, chain.* FROM ("
    "SELECT batch.node_key AS node_key, batch.stream AS stream, batch.seq AS seq,"
    " c.component AS component, batch.batches_dropped, c.begin_uj, c.end_uj, 0 AS given_up,"
    " NULL AS reason, NULL AS made_by, 0 AS made_s, batch.begin_wall_ns, batch.end_wall_ns,"
    " COALESCE(batch.first_seq, batch.seq) FROM batch"
    " LEFT JOIN batch_component AS c ON c.node_key = batch.node_key AND c.stream = batch.stream"
    " AND c.seq = batch.seq"
    " UNION ALL SELECT node_key, stream, last_seq, NULL, 0, 0, 0, last_seq - first_seq + 1, reason,"
    " made_by, made_s, 0, 0, first_seq FROM loss"
    ") AS chain JOIN node ON node.node_key = chain.node_key"
    " ORDER BY chain.node_key, chain.stream, chain.seq, chain.component";
enum { COLUMN_CLUSTER, COLUMN_NODE, COLUMN_NODE_KEY, COLUMN_STREAM, COLUMN_SEQ, COLUMN_COMPONENT,
       COLUMN_DROPPED, COLUMN_BEGIN, COLUMN_END, COLUMN_GIVEN_UP, COLUMN_REASON, COLUMN_MADE_BY,
       COLUMN_MADE, COLUMN_BEGIN_NS, COLUMN_END_NS, COLUMN_FIRST_SEQ };

struct chain {
    int64_t node_key;
    char cluster[CLUSTER_NAME_SIZE], node[NODE_NAME_SIZE], stream[17];
    int64_t first_seq, seq; /* of the row in hand: a batch, or a run of them */
    int64_t missing;        /* batches before it … */
    int64_t given_up;       /* … of which so many are given up */
    int64_t ahead;          /* given up after it */
    int64_t end_s;          /* the last batch before it; 0: none */
    int64_t end_uj[COMPONENT_COUNT];
};

static int component_index(const char *name)
{
    for (int i = 0; i < COMPONENT_COUNT; i++)
        if (strcmp(component_names[i], name) == 0)
            return i;
    return -1;
}

/* What to do about the hole before the batch in hand. */
static void write_remedy(const struct chain *chain, struct audit_finding *finding)
{
    if (finding->fails && chain->missing > 0)
        snprintf(finding->remedy, sizeof(finding->remedy), "look for the batch%s by `carbonctl "
                 "quarantine list` and on the node; if lost, `carbonctl repair loss %s:%s "
                 "--cluster %s --reason TEXT` writes the loss off", chain->missing == 1 ? "" : "es",
                 chain->node, chain->stream, chain->cluster);
}

static void __attribute__((format(printf, 5, 6)))
report_link(const struct audit *audit, const struct chain *chain, bool fails, int64_t missing_mj,
            const char *fmt, ...)
{
    struct audit_finding finding = new_finding("A2", fails, missing_mj);
    va_list ap;
    int len = snprintf(finding.text, sizeof(finding.text), "cluster %s, node %s, stream %s",
                       chain->cluster, chain->node, chain->stream);

    va_start(ap, fmt);
    vsnprintf(finding.text + len, sizeof(finding.text) - (size_t)len, fmt, ap);
    va_end(ap);
    write_remedy(chain, &finding);
    hand_out(audit, &finding);
}

static void take_loss(const struct audit *audit, struct chain *chain, struct stmt *row)
{
    int64_t count = stmt_int(row, COLUMN_GIVEN_UP);
    int64_t last = stmt_int(row, COLUMN_SEQ);
    char range[48] = "", made[CLOCK_TEXT_SIZE];

    if (count > 1)
        snprintf(range, sizeof(range), "%" PRId64 " to ", last - count + 1);
    clock_format_utc(stmt_int(row, COLUMN_MADE), made);
    chain->ahead += count;
    report_link(audit, chain, false, 0, ", seq %s%" PRId64 ": given up by %s at %s: %s", range,
                last, audit_text(row, COLUMN_MADE_BY), made, audit_text(row, COLUMN_REASON));
}

/* ", from 2026-11-23T04:00:00Z to 2026-11-23T04:02:00Z"; nobody knows when a stream began */
static void format_hole(const struct chain *chain, int64_t begin_s, char *text, size_t size)
{
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

    clock_format_utc(chain->end_s, from);
    clock_format_utc(begin_s, to);
    if (chain->end_s)
        snprintf(text, size, ", from %s to %s", from, to);
    else
        snprintf(text, size, ", before %s", to);
}

static void take_next_batch(const struct audit *audit, struct chain *chain, struct stmt *row)
{
    int64_t first_seq = stmt_int(row, COLUMN_FIRST_SEQ);
    char hole[80];

    format_hole(chain, stmt_int(row, COLUMN_BEGIN_NS) / (int64_t)NS_PER_S, hole,
                sizeof(hole));
    chain->missing = first_seq - chain->seq - 1;
    chain->given_up = chain->ahead;
    chain->ahead = 0;
    if (chain->missing > chain->given_up)
        report_link(audit, chain, false, 0, ": %" PRId64 " batch%s missing before seq %" PRId64
                    "%s; %s", chain->missing - chain->given_up,
                    chain->missing - chain->given_up == 1 ? "" : "es", first_seq, hole,
                    stmt_int(row, COLUMN_DROPPED)
                        ? "its meter gave up batches, as its spool was full"
                        : "late, lost, or in quarantine");
    chain->first_seq = first_seq;
    chain->seq = stmt_int(row, COLUMN_SEQ);
    chain->end_s = stmt_int(row, COLUMN_END_NS) / (int64_t)NS_PER_S;
}

static void take_component(const struct audit *audit, struct chain *chain, int index,
                           int64_t begin_uj, int64_t end_uj)
{
    int64_t jump_mj = begin_uj / UJ_PER_MJ - chain->end_uj[index] / UJ_PER_MJ;
    bool is_written_off = chain->missing > 0 && chain->missing == chain->given_up && jump_mj >= 0;

    if (begin_uj != chain->end_uj[index])
        report_link(audit, chain, !is_written_off && (jump_mj != 0 || chain->missing == 0), jump_mj,
                    ", seq %" PRId64 ", %s: begins at %" PRId64 " uJ where the batch before it "
                    "ended at %" PRId64 " uJ: %" PRId64 " mJ %s", chain->first_seq,
                    component_names[index], begin_uj, chain->end_uj[index],
                    jump_mj < 0 ? -jump_mj : jump_mj, jump_mj < 0      ? "too much"
                                                      : is_written_off ? "between them given up"
                                                                       : "missing");
    chain->end_uj[index] = end_uj;
}

static void take_link(const struct audit *audit, struct stmt *row, void *state)
{
    struct chain *chain = state;
    const char *stream = audit_text(row, COLUMN_STREAM);
    int64_t seq = stmt_int(row, COLUMN_SEQ);
    int64_t node_key = stmt_int(row, COLUMN_NODE_KEY);
    int index;

    if (chain->node_key != node_key || strcmp(chain->stream, stream) != 0) {
        *chain = (struct chain){ .node_key = node_key };
        snprintf(chain->cluster, sizeof(chain->cluster), "%s", audit_text(row, COLUMN_CLUSTER));
        snprintf(chain->node, sizeof(chain->node), "%s", audit_text(row, COLUMN_NODE));
        snprintf(chain->stream, sizeof(chain->stream), "%s", stream);
    }
    if (stmt_int(row, COLUMN_GIVEN_UP) > 0) {
        take_loss(audit, chain, row);
        return;
    }
    if (seq != chain->seq)
        take_next_batch(audit, chain, row);
    index = component_index(audit_text(row, COLUMN_COMPONENT));
    if (index >= 0) /* a batch that counted nothing has none */
        take_component(audit, chain, index, stmt_int(row, COLUMN_BEGIN),
                       stmt_int(row, COLUMN_END));
}

static int check_chains(const struct audit *audit)
{
    struct chain chain = { .seq = 0 };

    return audit_for_each(audit, SQL_CHAIN, &chain, take_link);
}

/* --- A3 to A5 -------------------------------------------------------------------------------- */

static const char SQL_STREAMS_AND_HOURS[] =
    "SELECT " AUDIT_NODE ", parts.component, SUM(streams), SUM(hours) FROM ("
    "SELECT node_key, component, end_uj / 1000 - begin_uj / 1000 AS streams, 0 AS hours"
    " FROM batch_component"
    " UNION ALL SELECT backfill.node_key, component, energy_mj, 0 FROM backfill_component"
    " JOIN backfill ON backfill.allocation_key = backfill_component.allocation_key"
    " UNION ALL SELECT node_key, component, 0, counted_mj FROM node_total"
    ") AS parts LEFT JOIN node ON node.node_key = parts.node_key"
    " GROUP BY parts.node_key, parts.component, node.cluster, node.name"
    " HAVING SUM(streams) <> SUM(hours)";

static void take_sum(const struct audit *audit, struct stmt *row, void *state)
{
    int64_t streams_mj = stmt_int(row, 2), hours_mj = stmt_int(row, 3);

    (void)state;
    audit_report(audit, "A3", true, streams_mj - hours_mj, "%s, %s: its batches counted %" PRId64
                 " mJ, its hours hold %" PRId64 " mJ", audit_text(row, 0), audit_text(row, 1),
                 streams_mj, hours_mj);
}

/* What was backfilled is an allocation of that stream, and its node was not metered then. */
static const char SQL_BACKFILL[] =
    "SELECT " AUDIT_NODE ", allocation.begin_ns / 1000000000, allocation.job_key,"
    " CASE WHEN backfill.allocation_key IS NULL THEN 'its row of backfill is not there'"
    " ELSE 'its node was metered then: its energy is counted twice' END"
    " FROM allocation LEFT JOIN backfill ON backfill.allocation_key = allocation.allocation_key"
    " LEFT JOIN node ON node.node_key = allocation.node_key WHERE allocation.stream = 'backfill'"
    " AND (backfill.allocation_key IS NULL OR COALESCE((SELECT begin_wall_ns FROM batch"
    " WHERE batch.node_key = backfill.node_key AND end_wall_ns > backfill.begin_ns"
    " ORDER BY end_wall_ns LIMIT 1), backfill.end_ns) < backfill.end_ns)"
    " UNION ALL SELECT " AUDIT_NODE ", begin_ns / 1000000000, 0,"
    " 'a row of backfill has no allocation'"
    " FROM backfill LEFT JOIN node ON node.node_key = backfill.node_key WHERE NOT EXISTS"
    " (SELECT 1 FROM allocation WHERE allocation.allocation_key = backfill.allocation_key"
    "  AND stream = 'backfill')";

static void take_backfill(const struct audit *audit, struct stmt *row, void *state)
{
    char begin[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(stmt_int(row, 1), begin);
    audit_report(audit, "A9", true, 0, "%s, backfilled job_key %" PRId64 ", begun %s: %s",
                 audit_text(row, 0), (int64_t)stmt_int(row, 2), begin,
                 audit_text(row, 3));
}

static const char SQL_ORPHANS[] =
    "SELECT energy.node_key, " AUDIT_NODE ", energy.hour_s, energy.component, energy.job_key,"
    " energy.step_id FROM energy LEFT JOIN node ON node.node_key = energy.node_key"
    " WHERE node.node_key IS NULL"
    " OR (energy.job_key = 0 AND energy.step_id NOT IN (-1, -2))"
    " OR (energy.job_key <> 0 AND (energy.step_id < -1 OR NOT EXISTS"
    "  (SELECT 1 FROM job WHERE job.job_key = energy.job_key)))"
    " OR (energy.job_key <> 0 AND energy.step_id >= 0 AND NOT EXISTS"
    "  (SELECT 1 FROM step WHERE step.job_key = energy.job_key"
    "   AND step.step_id = energy.step_id))";

static void take_orphan(const struct audit *audit, struct stmt *row, void *state)
{
    const struct place place = place_of(row);

    (void)state;
    report_hour(audit, "A4", &place, 0, "%s: a row belongs to job_key %" PRId64 ", step_id %" PRId64
                ", which is not there", audit_text(row, 3), (int64_t)stmt_int(row, 4),
                (int64_t)stmt_int(row, 5));
}

static const char SQL_BAD_ENERGY[] =
    "SELECT " AUDIT_NODE ", energy.hour_s, energy.component,"
    " 'an energy row of job_key ' || energy.job_key || ', step_id ' || energy.step_id"
    " FROM energy LEFT JOIN node ON node.node_key = energy.node_key"
    " WHERE active_mj < 0 OR idle_mj < 0 OR metered_ms < 0 OR metered_ms > elapsed_ms"
    " OR CAST(active_mj AS BIGINT) <> active_mj OR CAST(idle_mj AS BIGINT) <> idle_mj";

static const char SQL_BAD_TOTAL[] =
    "SELECT " AUDIT_NODE ", hour_s, component, 'its total' FROM node_total"
    " LEFT JOIN node ON node.node_key = node_total.node_key"
    " WHERE counted_mj < 0 OR CAST(counted_mj AS BIGINT) <> counted_mj";

static const char SQL_BAD_POWER[] =
    "SELECT " AUDIT_NODE ", minute_s, 'power', 'power of job_key ' || power.job_key FROM power"
    " LEFT JOIN node ON node.node_key = power.node_key"
    " WHERE energy_mj < 0 OR span_ms < 0 OR CAST(energy_mj AS BIGINT) <> energy_mj"
    " OR component NOT IN ('cpu', 'memory', 'gpu', 'other', 'all')";

static const char SQL_BAD_COMPONENT[] =
    "SELECT " AUDIT_NODE ", batch.end_wall_ns / 1000000000, component,"
    " 'stream ' || c.stream || ', seq ' || c.seq FROM batch_component AS c"
    " JOIN node ON node.node_key = c.node_key JOIN batch ON batch.node_key = c.node_key"
    " AND batch.stream = c.stream AND batch.seq = c.seq WHERE begin_uj < 0 OR end_uj < begin_uj";

static void take_bad(const struct audit *audit, struct stmt *row, void *state)
{
    char hour[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(stmt_int(row, 1), hour);
    audit_report(audit, "A5", true, 0, "%s, %s, %s: %s is negative, no integer, of no component, "
                 "or covers more than its time", audit_text(row, 0), hour, audit_text(row, 2),
                 audit_text(row, 3));
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

static void take_integrity(const struct audit *audit, struct stmt *row, void *state)
{
    (void)state;
    if (strcmp(audit_text(row, 0), "ok") != 0)
        audit_report(audit, "DB", true, 0, "%s", audit_text(row, 0));
}

static void take_foreign_key(const struct audit *audit, struct stmt *row, void *state)
{
    (void)state;
    audit_report(audit, "DB", true, 0, "%lld of the rows of table %s name a row of %s that is not "
                 "there", (long long)stmt_int(row, 1), audit_text(row, 0), audit_text(row, 2));
}

static int check_database(const struct audit *audit)
{
    const struct backend *backend = audit->store->backend;
    int rc = 0;

    if (backend->integrity)
        rc = audit_for_each(audit, backend->integrity, NULL, take_integrity);
    if (rc == 0 && backend->foreign_keys)
        rc = audit_for_each(audit, backend->foreign_keys, NULL, take_foreign_key);
    return rc;
}

int store_audit(struct store *store, bool deep, const struct audit_sink *sink, struct error *err)
{
    const struct audit audit = { store, sink, deep, err };
    const bool begun = store_in_transaction(store);
    int rc = begun ? 0 : store_begin(store, err);

    if (rc == 0)
        rc = check_hours(&audit);
    if (rc == 0)
        rc = check_chains(&audit);
    if (rc == 0)
        rc = audit_for_each(&audit, SQL_STREAMS_AND_HOURS, NULL, take_sum);
    if (rc == 0)
        rc = audit_for_each(&audit, SQL_BACKFILL, NULL, take_backfill);
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
    if (!begun)
        store_rollback(store);
    return rc;
}
