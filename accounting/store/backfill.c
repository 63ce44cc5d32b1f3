#include "store/backfill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "core/tres.h"
#include "store/db.h"
#include "store/pending.h"
#include "store/sums.h"

#define STREAM "backfill"
#define HOUR_S 3600
#define NS(s) ((s) * (int64_t)NS_PER_S)

static const char *const source_names[] = { "ConsumedEnergy", "TRES" };
static const char *const sensors[] = { STREAM ":ConsumedEnergy", STREAM ":TRES" };

/* --- who was where, as slurmdbd has it ------------------------------------------------------- */

static const char SQL_SEEN[] =
    "CREATE TEMPORARY TABLE IF NOT EXISTS seen (cluster TEXT, node TEXT, begin_s BIGINT,"
    " end_s BIGINT, job_id BIGINT);"
    "CREATE INDEX IF NOT EXISTS seen_by_begin ON seen (cluster, node, begin_s);"
    "DELETE FROM seen";

static const char SQL_NOTE[] =
    "INSERT INTO seen (cluster, node, begin_s, end_s, job_id) VALUES (?1, ?2, ?3, ?4, ?5)";

/* Runs of one job id follow each other: the second of them begins when the first has ended. */
static const char SQL_SHARED[] =
    "SELECT 1 FROM seen WHERE cluster = ?1 AND node = ?2 AND begin_s < ?4 AND begin_s > ?3 - ?6"
    " AND end_s > ?3 AND job_id <> ?5 LIMIT 1";

int backfill_begin(struct backfill *backfill, struct store *store, int64_t now_s,
                   struct error *err)
{
    *backfill = (struct backfill){ store, now_s, 0 };
    return store_exec(store, SQL_SEEN, err);
}

static void bind_place(struct stmt *stmt, const char *cluster, const char *node)
{
    stmt_bind_text(stmt, 1, cluster);
    stmt_bind_text(stmt, 2, node);
}

int backfill_note(struct backfill *backfill, const struct dbd_job *job, const char *node,
                  struct error *err)
{
    int64_t end_s = job->end_s >= 0 ? job->end_s : backfill->now_s;
    struct stmt *stmt = store_statement(backfill->store, SQL_NOTE, err);

    if (!stmt)
        return -EIO;
    if (end_s - job->start_s > backfill->longest_s)
        backfill->longest_s = end_s - job->start_s;
    bind_place(stmt, job->cluster, node);
    stmt_bind_int(stmt, 3, job->start_s);
    stmt_bind_int(stmt, 4, end_s);
    stmt_bind_int(stmt, 5, job->job_id);
    return store_run(backfill->store, stmt, err);
}

int backfill_shared(const struct backfill *backfill, const struct dbd_job *job, const char *node,
                    struct error *err)
{
    struct stmt *stmt = store_statement(backfill->store, SQL_SHARED, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_place(stmt, job->cluster, node);
    stmt_bind_int(stmt, 3, job->start_s);
    stmt_bind_int(stmt, 4, job->end_s);
    stmt_bind_int(stmt, 5, job->job_id);
    stmt_bind_int(stmt, 6, backfill->longest_s);
    rc = store_step(backfill->store, stmt, err);
    stmt_reset(stmt);
    return rc;
}

/* --- what meters know ------------------------------------------------------------------------ */

static const char SQL_FIRST_BATCH[] =
    "SELECT begin_wall_ns FROM batch WHERE node_key ="
    " (SELECT node_key FROM node WHERE cluster = ?1 AND name = ?2) AND end_wall_ns > ?3"
    " ORDER BY end_wall_ns LIMIT 1";

int backfill_free_until(struct store *store, const char *cluster, const char *node,
                        int64_t begin_s, int64_t end_s, int64_t *ret_free_s, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_FIRST_BATCH, err);
    int64_t metered_s;
    int rc;

    if (!stmt)
        return -EIO;
    bind_place(stmt, cluster, node);
    stmt_bind_int(stmt, 3, NS(begin_s));
    rc = store_step(store, stmt, err);
    *ret_free_s = end_s;
    if (rc <= 0)
        return rc;
    metered_s = stmt_int(stmt, 0) / (int64_t)NS_PER_S;
    stmt_reset(stmt);
    if (metered_s < end_s)
        *ret_free_s = metered_s > begin_s ? metered_s : begin_s;
    return 0;
}

/* Allocations measured from end to end: there are rows of energy, and none but measured ones. */
#define MEASURED \
    " FROM allocation AS a JOIN node ON node.node_key = a.node_key" \
    " WHERE node.cluster = ?1 AND (?2 IS NULL OR node.name = ?2) AND a.begin_ns >= ?3" \
    " AND a.end_ns IS NOT NULL AND a.flags = 0 AND a.cores > 0 AND EXISTS" \
    " (SELECT 1 FROM energy WHERE energy.job_key = a.job_key" \
    " AND energy.node_key = a.node_key AND component = 'cpu')" \
    " AND NOT EXISTS (SELECT 1 FROM energy WHERE energy.job_key = a.job_key" \
    " AND energy.node_key = a.node_key AND quality <> 'measured')"

static const char SQL_LEARN_TIME[] =
    "SELECT COALESCE(SUM(a.cores * ((a.end_ns - a.begin_ns) / 1000000)), 0),"
    " COALESCE(SUM(a.gpus * ((a.end_ns - a.begin_ns) / 1000000)), 0)" MEASURED;

static const char SQL_LEARN_ENERGY[] =
    "SELECT component, SUM(active_mj), SUM(idle_mj) FROM energy"
    " JOIN (SELECT DISTINCT a.job_key, a.node_key" MEASURED ") AS whole"
    " ON energy.job_key = whole.job_key AND energy.node_key = whole.node_key GROUP BY component";

/* Jobs of several nodes do not say how many CPUs they had on each. */
static const char SQL_LEARN_CPUS[] =
    "SELECT a.cores, job.alloc_tres FROM allocation AS a JOIN job ON job.job_key = a.job_key"
    " JOIN node ON node.node_key = a.node_key"
    " WHERE node.cluster = ?1 AND (?2 IS NULL OR node.name = ?2) AND a.begin_ns >= ?3"
    " AND a.cores > 0 AND job.alloc_tres IS NOT NULL AND job.node_count = 1"
    " AND a.stream <> '" STREAM "' LIMIT 1000";

static int learn_cpus(struct store *store, const char *cluster, const char *node, int64_t since_s,
                      struct backfill_learned *sum, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_LEARN_CPUS, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_place(stmt, cluster, node);
    stmt_bind_int(stmt, 3, NS(since_s));
    while ((rc = store_step(store, stmt, err)) > 0) {
        sum->cores += (uint64_t)stmt_int(stmt, 0);
        sum->cpus += tres_count(stmt_text(stmt, 1), "cpu");
    }
    return rc;
}

int backfill_learn(struct store *store, const char *cluster, const char *node, int64_t since_s,
                   struct backfill_learned *sum, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_LEARN_TIME, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_place(stmt, cluster, node);
    stmt_bind_int(stmt, 3, NS(since_s));
    rc = store_step(store, stmt, err);
    if (rc <= 0)
        return rc;
    sum->core_ms += (uint64_t)stmt_int(stmt, 0);
    sum->gpu_ms += (uint64_t)stmt_int(stmt, 1);
    stmt_reset(stmt);
    stmt = store_statement(store, SQL_LEARN_ENERGY, err);
    if (!stmt)
        return -EIO;
    bind_place(stmt, cluster, node);
    stmt_bind_int(stmt, 3, NS(since_s));
    while ((rc = store_step(store, stmt, err)) > 0) {
        for (int i = 0; i < COMPONENT_COUNT; i++) {
            if (strcmp(stmt_text(stmt, 0), component_names[i]) != 0)
                continue;
            sum->active_mj[i] += (uint64_t)stmt_int(stmt, 1);
            sum->idle_mj[i] += (uint64_t)stmt_int(stmt, 2);
        }
    }
    return rc == 0 ? learn_cpus(store, cluster, node, since_s, sum, err) : rc;
}

/* --- booking --------------------------------------------------------------------------------- */

/* What is known of a node that never reported is nothing: its counts are 0. */
static const char SQL_ADD_NODE[] =
    "INSERT INTO node (cluster, name, packages, cores, gpus, memory_mb) VALUES (?1, ?2, 0, 0, 0, 0)"
    " ON CONFLICT (cluster, name) DO NOTHING";
static const char SQL_FIND_NODE[] = "SELECT node_key FROM node WHERE cluster = ?1 AND name = ?2";

static const char SQL_ADD_JOB[] =
    "INSERT INTO job (cluster, job_id, restart_count, begin_s) VALUES (?1, ?2, 0, ?3)";

static const char SQL_HAS_ALLOCATION[] =
    "SELECT 1 FROM allocation WHERE job_key = ?1 AND node_key = ?2 AND begin_ns < ?4"
    " AND COALESCE(end_ns, seen_ns) > ?3 LIMIT 1";

/* The most that others held at any instant of it: when it began, or one of them did. */
#define HELD(what) \
    "COALESCE(MAX((SELECT SUM(" what ") FROM allocation AS held WHERE held.node_key = ?1" \
    " AND held.begin_ns <= point.at_ns AND held.begin_ns > ?2 - ?4" \
    " AND COALESCE(held.end_ns, held.seen_ns) > point.at_ns)), 0)"
static const char SQL_HELD[] =
    "SELECT " HELD("cores") ", " HELD("gpus") " FROM (SELECT ?2 AS at_ns UNION"
    " SELECT begin_ns FROM allocation WHERE node_key = ?1 AND begin_ns >= ?2 AND begin_ns < ?3"
    ") AS point";

static const char SQL_ADD_ALLOCATION[] =
    "INSERT INTO allocation (job_key, node_key, stream, ref, begin_ns, end_ns, seen_ns, seen_seq,"
    " cores, core_list, gpus, gpu_list, memory_mb, flags)"
    " VALUES (?1, ?2, '" STREAM "', ?1, ?3, ?4, ?4, 1, ?5, '', ?6, '', ?7, ?8)";

static const char SQL_ADD_BACKFILL[] =
    "INSERT INTO backfill (allocation_key, node_key, begin_ns, end_ns, source, made_by, made_s)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char SQL_ADD_COMPONENT[] =
    "INSERT INTO backfill_component (allocation_key, component, energy_mj) VALUES (?1, ?2, ?3)";

static const char SQL_ADD_ENERGY[] =
    "INSERT INTO energy (node_key, hour_s, job_key, step_id, component, quality, sensor,"
    " active_mj, idle_mj, metered_ms, elapsed_ms)"
    " VALUES (?1, ?2, ?3, ?4, ?5, 'modelled', ?6, ?7, ?8, ?9, ?9)";

/* begin, end and flags of a run, of all its allocations */
static const char SQL_SETTLE_JOB[] =
    "UPDATE job SET begin_s = (SELECT MIN(begin_ns) / 1000000000 FROM allocation"
    "  WHERE allocation.job_key = ?1), end_s = CASE WHEN EXISTS"
    "  (SELECT 1 FROM allocation WHERE allocation.job_key = ?1 AND end_ns IS NULL) THEN NULL"
    "  ELSE (SELECT MAX(end_ns) / 1000000000 FROM allocation WHERE allocation.job_key = ?1) END"
    " WHERE job_key = ?1";
static const char SQL_FLAG_JOB[] = "UPDATE job SET flags = flags | ?2 WHERE job_key = ?1";

struct booking {
    const struct backfill *backfill;
    struct store *store; /* its own */
    const struct backfill_part *part;
    int64_t node_key, job_key;
    struct sums *sums;
    struct error *err;
};

static int find_node(struct booking *booking)
{
    struct stmt *stmt = store_statement(booking->store, SQL_ADD_NODE, booking->err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_place(stmt, booking->part->job->cluster, booking->part->node);
    rc = store_run(booking->store, stmt, booking->err);
    stmt = rc == 0 ? store_statement(booking->store, SQL_FIND_NODE, booking->err) : NULL;
    if (!stmt)
        return rc < 0 ? rc : -EIO;
    bind_place(stmt, booking->part->job->cluster, booking->part->node);
    rc = store_step(booking->store, stmt, booking->err);
    if (rc > 0)
        booking->node_key = stmt_int(stmt, 0);
    stmt_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int add_job(struct booking *booking)
{
    const struct dbd_job *job = booking->part->job;
    struct stmt *stmt = store_statement(booking->store, SQL_ADD_JOB, booking->err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, job->cluster);
    stmt_bind_int(stmt, 2, job->job_id);
    stmt_bind_int(stmt, 3, job->start_s);
    return store_run(booking->store, stmt, booking->err);
}

static int find_run(struct booking *booking)
{
    enum reconcile_outcome outcome = RECONCILE_MISSING;
    int rc = 0;

    for (int tries = 0; rc == 0 && tries < 2 && outcome == RECONCILE_MISSING; tries++) {
        if (tries > 0)
            rc = add_job(booking);
        if (rc == 0)
            rc = reconcile_job(booking->store, booking->part->job, booking->backfill->now_s,
                               &outcome, &booking->job_key, booking->err);
    }
    return rc == 0 && outcome != RECONCILE_JOINED
               ? error_set(booking->err, -EINVAL, "a run of job %lld cannot be told from another",
                           (long long)booking->part->job->job_id)
               : rc;
}

static int has_allocation(const struct booking *booking)
{
    struct stmt *stmt = store_statement(booking->store, SQL_HAS_ALLOCATION, booking->err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, booking->job_key);
    stmt_bind_int(stmt, 2, booking->node_key);
    stmt_bind_int(stmt, 3, NS(booking->part->begin_s));
    stmt_bind_int(stmt, 4, NS(booking->part->end_s));
    rc = store_step(booking->store, stmt, booking->err);
    stmt_reset(stmt);
    return rc;
}

/* K4 */
static int find_room(const struct booking *booking, int64_t *ret_cores, int64_t *ret_gpus)
{
    const struct backfill_part *part = booking->part;
    struct stmt *stmt = store_statement(booking->store, SQL_HELD, booking->err);
    int64_t left;
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, booking->node_key);
    stmt_bind_int(stmt, 2, NS(part->begin_s));
    stmt_bind_int(stmt, 3, NS(part->end_s));
    stmt_bind_int(stmt, 4, NS(booking->backfill->longest_s));
    rc = store_step(booking->store, stmt, booking->err);
    if (rc <= 0)
        return rc;
    left = part->node_cores - stmt_int(stmt, 0);
    *ret_cores = part->node_cores && part->cores > left ? (left > 0 ? left : 0) : part->cores;
    left = part->node_gpus - stmt_int(stmt, 1);
    *ret_gpus = part->node_gpus && part->gpus > left ? (left > 0 ? left : 0) : part->gpus;
    stmt_reset(stmt);
    return 0;
}

static int add_components(const struct booking *booking, int64_t allocation_key)
{
    const struct tres_energy *energy = &booking->part->energy;
    int rc = 0;

    for (int i = 0; rc == 0 && i < COMPONENT_COUNT; i++) {
        uint64_t mj = energy->active_mj[i] + energy->idle_mj[i];
        struct stmt *stmt;

        if (mj == 0)
            continue;
        stmt = store_statement(booking->store, SQL_ADD_COMPONENT, booking->err);
        if (!stmt)
            return -EIO;
        stmt_bind_int(stmt, 1, allocation_key);
        stmt_bind_text(stmt, 2, component_names[i]);
        stmt_bind_int(stmt, 3, (int64_t)mj);
        rc = store_run(booking->store, stmt, booking->err);
    }
    return rc;
}

static int add_allocation(const struct booking *booking)
{
    const struct backfill_part *part = booking->part;
    const struct sums_life life = { NS(part->begin_s), NS(part->end_s) };
    int64_t values[] = { booking->job_key, booking->node_key, life.begin_ns, life.last_ns, 0, 0,
                         (int64_t)part->memory_mb, FLAG_BACKFILLED };
    int rc = find_room(booking, &values[4], &values[5]);
    int64_t key = 0;
    struct stmt *stmt;

    if (rc == 0)
        rc = store_run_with(booking->store, SQL_ADD_ALLOCATION, values, 8, booking->err);
    if (rc == 0)
        key = store_inserted(booking->store);
    if (rc == 0)
        rc = sums_book_months(booking->store, key, NULL, &life, booking->err);
    stmt = rc == 0 ? store_statement(booking->store, SQL_ADD_BACKFILL, booking->err) : NULL;
    if (!stmt)
        return rc < 0 ? rc : -EIO;
    stmt_bind_int(stmt, 1, key);
    stmt_bind_int(stmt, 2, booking->node_key);
    stmt_bind_int(stmt, 3, life.begin_ns);
    stmt_bind_int(stmt, 4, life.last_ns);
    stmt_bind_text(stmt, 5, source_names[part->source]);
    stmt_bind_text(stmt, 6, part->made_by);
    stmt_bind_int(stmt, 7, booking->backfill->now_s);
    rc = store_run(booking->store, stmt, booking->err);
    return rc == 0 ? add_components(booking, key) : rc;
}

/* What of an amount fell before at_s, of one spread evenly over the part's time. */
static uint64_t until(const struct backfill_part *part, uint64_t amount, int64_t at_s)
{
    return mul_div(amount, (uint64_t)(at_s - part->begin_s),
                   (uint64_t)(part->end_s - part->begin_s));
}

/* One component in [from_s, to_s), which lies within an hour. */
static int add_energy(const struct booking *booking, int component, int64_t from_s, int64_t to_s)
{
    const struct backfill_part *part = booking->part;
    uint64_t active_mj = part->energy.active_mj[component];
    uint64_t idle_mj = part->energy.idle_mj[component];
    const struct sums_row row = {
        .hour_s = from_s - from_s % HOUR_S, .job_key = booking->job_key, .step_id = REMAINDER_STEP,
        .quality = QUALITY_MODELLED,
        .active_mj = (int64_t)(until(part, active_mj, to_s) - until(part, active_mj, from_s)),
        .idle_mj = (int64_t)(until(part, idle_mj, to_s) - until(part, idle_mj, from_s)),
        .metered_ms = (to_s - from_s) * 1000, .elapsed_ms = (to_s - from_s) * 1000,
    };
    struct stmt *stmt = store_statement(booking->store, SQL_ADD_ENERGY, booking->err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, booking->node_key);
    stmt_bind_int(stmt, 2, row.hour_s);
    stmt_bind_int(stmt, 3, row.job_key);
    stmt_bind_int(stmt, 4, row.step_id);
    stmt_bind_text(stmt, 5, component_names[component]);
    stmt_bind_text(stmt, 6, sensors[part->source]);
    stmt_bind_int(stmt, 7, row.active_mj);
    stmt_bind_int(stmt, 8, row.idle_mj);
    stmt_bind_int(stmt, 9, row.metered_ms);
    rc = store_run(booking->store, stmt, booking->err);
    if (rc == 0 && sums_add_row(booking->sums, &row) < 0)
        rc = error_set(booking->err, -ENOMEM, "out of memory");
    return rc == 0 ? sums_book_total(booking->sums, booking->store, booking->node_key, row.hour_s,
                                     row.hour_s, component_names[component],
                                     row.active_mj + row.idle_mj, booking->err)
                   : rc;
}

static int add_hours(const struct booking *booking)
{
    const struct backfill_part *part = booking->part;
    int rc = 0;

    for (int64_t from_s = part->begin_s, to_s; rc == 0 && from_s < part->end_s; from_s = to_s) {
        to_s = from_s - from_s % HOUR_S + HOUR_S;
        if (to_s > part->end_s)
            to_s = part->end_s;
        for (int i = 0; rc == 0 && i < COMPONENT_COUNT; i++)
            if (part->energy.active_mj[i] + part->energy.idle_mj[i] > 0)
                rc = add_energy(booking, i, from_s, to_s);
    }
    return rc == 0 ? sums_book(booking->sums, booking->store, booking->node_key,
                               part->job->cluster, booking->err)
                   : rc;
}

int backfill_book(const struct backfill *backfill, const struct backfill_part *part,
                  struct error *err)
{
    struct store *store = backfill->store;
    struct booking booking = { .backfill = backfill, .store = store, .part = part, .err = err };
    int rc = find_node(&booking);

    if (rc == 0)
        rc = find_run(&booking);
    if (rc == 0)
        rc = has_allocation(&booking);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    booking.sums = sums_new();
    if (!booking.sums)
        return error_set(err, -ENOMEM, "out of memory");
    rc = add_allocation(&booking);
    if (rc == 0)
        rc = add_hours(&booking);
    if (rc == 0)
        rc = pending_book(store, err);
    if (rc == 0)
        rc = store_run_with(store, SQL_SETTLE_JOB, &booking.job_key, 1, err);
    if (rc == 0)
        rc = store_run_with(store, SQL_FLAG_JOB,
                            (const int64_t[]){ booking.job_key, FLAG_BACKFILLED }, 2, err);
    sums_free(booking.sums);
    return rc < 0 ? rc : 1;
}

/* --- taking back ----------------------------------------------------------------------------- */

#define OURS "sensor IN ('" STREAM ":ConsumedEnergy', '" STREAM ":TRES')"

static const char SQL_FIND[] =
    "SELECT allocation.job_key, allocation.node_key, allocation.begin_ns, allocation.end_ns,"
    " node.cluster, job.job_id FROM allocation JOIN node ON node.node_key = allocation.node_key"
    " JOIN job ON job.job_key = allocation.job_key WHERE allocation_key = ?1";

static const char SQL_ROWS[] =
    "SELECT hour_s, active_mj, idle_mj, metered_ms, elapsed_ms FROM energy WHERE node_key = ?1"
    " AND job_key = ?2 AND hour_s >= ?3 AND hour_s < ?4 AND " OURS;

/* node, job, first hour, end: the parameters of all of these */
static const char *const take_back_amounts[] = {
    "UPDATE node_total SET counted_mj = counted_mj - (SELECT COALESCE(SUM(active_mj + idle_mj), 0)"
    " FROM energy WHERE energy.node_key = ?1 AND energy.job_key = ?2"
    " AND energy.hour_s = node_total.hour_s AND energy.component = node_total.component"
    " AND " OURS ") WHERE node_key = ?1 AND hour_s >= ?3 AND hour_s < ?4",
    "DELETE FROM energy WHERE node_key = ?1 AND job_key = ?2 AND hour_s >= ?3 AND hour_s < ?4"
    " AND " OURS,
    /* what is a sum of nothing now */
    "DELETE FROM node_total WHERE node_key = ?1 AND hour_s >= ?3 AND hour_s < ?4 AND NOT EXISTS"
    " (SELECT 1 FROM energy WHERE energy.node_key = node_total.node_key"
    "  AND energy.hour_s = node_total.hour_s AND energy.component = node_total.component)",
    "DELETE FROM job_hour WHERE job_key = ?2 AND hour_s >= ?3 AND hour_s < ?4"
    " AND " SUM_OF_NOTHING " AND NOT EXISTS"
    " (SELECT 1 FROM energy WHERE energy.job_key = job_hour.job_key"
    "  AND energy.hour_s = job_hour.hour_s)",
    "DELETE FROM node_hour WHERE node_key = ?1 AND hour_s >= ?3 AND hour_s < ?4"
    " AND " NODE_SUM_OF_NOTHING " AND NOT EXISTS"
    " (SELECT 1 FROM energy WHERE energy.node_key = node_hour.node_key"
    "  AND energy.hour_s = node_hour.hour_s) AND NOT EXISTS"
    " (SELECT 1 FROM node_total WHERE node_total.node_key = node_hour.node_key"
    "  AND node_total.hour_s = node_hour.hour_s)",
    "DELETE FROM cluster_hour WHERE cluster = (SELECT cluster FROM node WHERE node_key = ?1)"
    " AND hour_s >= ?3 AND hour_s < ?4 AND NOT EXISTS"
    " (SELECT 1 FROM node_hour JOIN node ON node.node_key = node_hour.node_key"
    "  WHERE node.cluster = cluster_hour.cluster AND node_hour.hour_s = cluster_hour.hour_s)",
};

/* the allocation; then the job */
static const char *const take_back_rows[] = {
    "DELETE FROM backfill_component WHERE allocation_key = ?1",
    "DELETE FROM backfill WHERE allocation_key = ?1",
    "DELETE FROM allocation_month WHERE allocation_key = ?1",
    "DELETE FROM allocation WHERE allocation_key = ?1",
};
static const char *const leave_job[] = {
    "UPDATE job SET flags = flags - 128 WHERE job_key = ?1 AND (flags & 128) <> 0 AND NOT EXISTS"
    " (SELECT 1 FROM allocation WHERE job_key = ?1 AND stream = '" STREAM "')",
    "DELETE FROM job WHERE job_key = ?1 AND NOT EXISTS"
    " (SELECT 1 FROM allocation WHERE job_key = ?1)",
};
_Static_assert(FLAG_BACKFILLED == 128, "leave_job takes it off");

/* An allocation that goes: its job, node, first hour and end. */
struct going {
    int64_t values[4];
    int64_t begin_ns, job_id;
    char cluster[CLUSTER_NAME_SIZE];
};

static int find_going(struct store *store, int64_t allocation_key, struct going *ret,
                      struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_FIND, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, allocation_key);
    rc = store_step(store, stmt, err);
    if (rc <= 0)
        return rc < 0 ? rc : error_set(err, -EUCLEAN, "a row of backfill without its allocation: "
                                       "run carbonctl audit");
    ret->begin_ns = stmt_int(stmt, 2);
    ret->values[0] = stmt_int(stmt, 1);
    ret->values[1] = stmt_int(stmt, 0);
    ret->values[2] = ret->begin_ns / NS(1) - ret->begin_ns / NS(1) % HOUR_S;
    ret->values[3] = stmt_int(stmt, 3) / NS(1);
    snprintf(ret->cluster, sizeof(ret->cluster), "%s", stmt_text(stmt, 4));
    ret->job_id = stmt_int(stmt, 5);
    stmt_reset(stmt);
    return 0;
}

static int take_back_sums(struct store *store, const struct going *going, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_ROWS, err);
    struct sums *sums = sums_new();
    int rc = stmt && sums ? 0 : error_set(err, -ENOMEM, "out of memory");

    for (int i = 0; rc == 0 && i < 4; i++)
        stmt_bind_int(stmt, 1 + i, going->values[i]);
    while (rc >= 0 && (rc = store_step(store, stmt, err)) > 0) {
        const struct sums_row row = {
            .hour_s = stmt_int(stmt, 0), .job_key = going->values[1],
            .step_id = REMAINDER_STEP, .quality = QUALITY_MODELLED,
            .active_mj = -stmt_int(stmt, 1), .idle_mj = -stmt_int(stmt, 2),
            .metered_ms = -stmt_int(stmt, 3),
            .elapsed_ms = -stmt_int(stmt, 4),
        };

        if (sums_add_row(sums, &row) < 0 ||
            sums_add_counted(sums, row.hour_s, row.active_mj + row.idle_mj) < 0)
            rc = error_set(err, -ENOMEM, "out of memory");
    }
    if (rc == 0)
        rc = sums_book(sums, store, going->values[0], going->cluster, err);
    if (rc == 0)
        rc = pending_book(store, err);
    sums_free(sums);
    return rc;
}

static int take_back(struct store *store, int64_t allocation_key, struct error *err)
{
    struct going going = { .job_id = 0 };
    char name[sizeof(going.cluster) + 24];
    int rc = find_going(store, allocation_key, &going, err);

    snprintf(name, sizeof(name), "%s/%" PRId64, going.cluster, going.job_id);
    if (rc == 0)
        rc = store_claim_jobs(store, (const char *const[]){ name }, 1, err);
    if (rc == 0)
        rc = take_back_sums(store, &going, err);
    for (size_t i = 0; rc == 0 && i < sizeof(take_back_amounts) / sizeof(*take_back_amounts); i++)
        rc = store_run_with(store, take_back_amounts[i], going.values, 4, err);
    for (size_t i = 0; rc == 0 && i < sizeof(take_back_rows) / sizeof(*take_back_rows); i++)
        rc = store_run_with(store, take_back_rows[i], &allocation_key, 1, err);
    for (size_t i = 0; rc == 0 && i < sizeof(leave_job) / sizeof(*leave_job); i++)
        rc = store_run_with(store, leave_job[i], &going.values[1], 1, err);
    return rc == 0 ? store_run_with(store, SQL_SETTLE_JOB, &going.values[1], 1, err) : rc;
}

static const char SQL_OF_CLUSTER[] =
    "SELECT allocation_key FROM backfill JOIN node ON node.node_key = backfill.node_key"
    " WHERE node.cluster = ?1 AND begin_ns >= ?2 AND begin_ns < ?3 LIMIT 1";

static const char SQL_OF_TIME[] =
    "SELECT allocation_key FROM backfill WHERE node_key = ?1 AND end_ns > ?2 AND begin_ns < ?3"
    " LIMIT 1";

struct search {
    struct store *store;
    const char *cluster; /* NULL: by node_key */
    int64_t node_key, from, to;
    struct error *err;
};

static struct stmt *find_next(const struct search *search)
{
    struct stmt *stmt = store_statement(search->store,
                                        search->cluster ? SQL_OF_CLUSTER : SQL_OF_TIME,
                                        search->err);

    if (!stmt)
        return NULL;
    if (search->cluster)
        stmt_bind_text(stmt, 1, search->cluster);
    else
        stmt_bind_int(stmt, 1, search->node_key);
    stmt_bind_int(stmt, 2, search->from);
    stmt_bind_int(stmt, 3, search->to);
    return stmt;
}

/* Every one that the search finds, one after the other. */
static int take_back_all(const struct search *search, int64_t *ret_count)
{
    int rc = 0;

    *ret_count = 0;
    while (rc >= 0) {
        struct stmt *stmt = find_next(search);
        int64_t allocation_key;

        if (!stmt)
            return -EIO;
        rc = store_step(search->store, stmt, search->err);
        if (rc <= 0)
            return rc;
        allocation_key = stmt_int(stmt, 0);
        stmt_reset(stmt);
        rc = take_back(search->store, allocation_key, search->err);
        ++*ret_count;
    }
    return rc;
}

int backfill_drop(struct store *store, const char *cluster, int64_t from_s, int64_t to_s,
                  int64_t *ret_count, struct error *err)
{
    const struct search search = { store, cluster, 0, NS(from_s), NS(to_s), err };

    return take_back_all(&search, ret_count);
}

int backfill_settle(struct store *store, int64_t node_key, int64_t begin_ns, int64_t end_ns,
                    struct error *err)
{
    const struct search search = { store, NULL, node_key, begin_ns, end_ns, err };
    int64_t count;

    return take_back_all(&search, &count);
}
