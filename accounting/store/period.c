#include "store/period.h"

#include <errno.h>

#include "core/clock.h"
#include "store/db.h"
#include "store/roll.h"
#include "store/viewer.h"

#define SECONDS_PER_HOUR 3600

/* --- what all of them do --------------------------------------------------------------------- */

/* One reading: `read` makes a row into a struct and hands it on. */
struct reading {
    struct store *store;
    const struct period *period; /* NULL: nothing to clip to */
    struct stmt *rows;           /* NULL: what next() asks for */
    int (*next)(struct reading *reading); /* 1, or 0 when all was asked for; NULL: it was */
    int (*read)(struct reading *reading, struct stmt *row);
    union {
        int (*node)(void *arg, const struct period_node *node);
        int (*job)(void *arg, const struct period_job *job);
        int (*key)(void *arg, int64_t job_key);
        int (*use)(void *arg, const struct period_use *use);
        int (*energy)(void *arg, const struct period_energy *energy);
    } take;
    const int64_t *key, *asked, *end; /* jobs: which comes next, which is to be asked for next */
    const char *cluster;              /* jobs: theirs */
    int64_t month_s, since_ns;        /* uses: the month to come, without those of months before */
    void *arg;
    struct error *err;
};

static int check_period(const struct period *period, struct error *err)
{
    if (period->from_s >= 0 && period->from_s < period->to_s &&
        period->from_s % SECONDS_PER_HOUR == 0 && period->to_s % SECONDS_PER_HOUR == 0 &&
        period->to_s <= INT64_MAX / (int64_t)NS_PER_S)
        return 0;
    return error_set(err, -EINVAL, "a period goes from one full UTC hour to a later one");
}

/* The next row: 1, or 0 when all were handed on. */
static int read_row(struct reading *reading)
{
    int rc = 1;

    while (rc > 0) {
        if (!reading->rows)
            rc = reading->next ? reading->next(reading) : 0;
        if (rc <= 0)
            break;
        rc = store_step(reading->store, reading->rows, reading->err);
        if (rc > 0) {
            rc = reading->read(reading, reading->rows);
            return rc < 0 ? rc : 1;
        }
        reading->rows = NULL; /* it is reset */
        rc = rc < 0 ? rc : 1;
    }
    return rc;
}

static int read_all(struct reading *reading)
{
    int rc;

    while ((rc = read_row(reading)) > 0)
        ;
    if (reading->rows)
        stmt_reset(reading->rows);
    return rc;
}

/* One statement's. */
static int read_rows(struct reading *reading, struct stmt *rows)
{
    reading->rows = rows;
    return read_all(reading);
}

#define IN_TURN 200 /* rows */

static bool has_row(struct reading *reading)
{
    return !reading->rows || stmt_is_ready(reading->rows);
}

/* What is there of its rows, and one for which we wait: 1, or 0 at their end. */
static int read_some(struct reading *reading)
{
    int rc = read_row(reading);

    for (int i = 1; rc > 0 && i < IN_TURN && reading->rows && stmt_is_ready(reading->rows); i++)
        rc = read_row(reading);
    return rc;
}

/* In turn, so that two connections are always at work; on one, one after the other. */
static int read_both(struct reading *one, struct reading *other)
{
    int rc_one = 1, rc_other = 1;

    if (one->store == other->store) {
        rc_one = read_all(one);
        return rc_one < 0 ? rc_one : read_all(other);
    }
    while (rc_one >= 0 && rc_other >= 0 && rc_one + rc_other > 0) {
        if (rc_one > 0 && (rc_other == 0 || has_row(one) || !has_row(other)))
            rc_one = read_some(one);
        if (rc_one >= 0 && rc_other > 0 && (rc_one == 0 || has_row(other) || !has_row(one)))
            rc_other = read_some(other);
    }
    if (one->rows)
        stmt_reset(one->rows);
    if (other->rows)
        stmt_reset(other->rows);
    return rc_one < 0 ? rc_one : rc_other;
}

static struct maybe maybe_column(struct stmt *row, int column)
{
    if (stmt_is_null(row, column))
        return (struct maybe){ 0 };
    return (struct maybe){ .has = true, .value = stmt_int(row, column) };
}

/* NULL when absent or empty */
static const char *text_column(struct stmt *row, int column)
{
    const char *text = stmt_text(row, column);

    return text && *text ? text : NULL;
}

/* What is mostly 0: a server has less to write, and NULL is read as 0. */
#define UNLESS_0(column) "CASE WHEN " column " <> 0 THEN " column " END"

/* --- nodes ----------------------------------------------------------------------------------- */

static const char SQL_NODES[] =
    "SELECT node_key, name, packages, cores, gpus FROM node WHERE cluster = ?1 ORDER BY name";

static int read_node(struct reading *reading, struct stmt *row)
{
    const struct period_node node = {
        .node_key = stmt_int(row, 0),
        .name = stmt_text(row, 1),
        .packages = (uint32_t)stmt_int(row, 2),
        .cores = (uint32_t)stmt_int(row, 3),
        .gpus = (uint32_t)stmt_int(row, 4),
    };

    return reading->take.node(reading->arg, &node);
}

int period_nodes(struct store *store, const char *cluster,
                 int (*take)(void *arg, const struct period_node *node), void *arg,
                 struct error *err)
{
    struct reading reading = { .store = store, .read = read_node, .take.node = take,
                               .arg = arg, .err = err };
    struct stmt *rows = store_statement(store, SQL_NODES, err);

    if (!rows)
        return -EIO;
    stmt_bind_text(rows, 1, cluster);
    return read_rows(&reading, rows);
}

/* --- jobs and what they held ----------------------------------------------------------------- */

#define LAST_NS "COALESCE(a.end_ns, a.seen_ns)"
#define USE "a.job_key, a.node_key, a.begin_ns, " LAST_NS ", a.cores, a.gpus"
/* ?5 and ?6: the period in nanoseconds. What only touches a border is left out; an allocation
   without duration lies in the period that has its instant. */
#define LIVES " a.begin_ns < ?6 AND (" LAST_NS " > ?5 OR a.begin_ns >= ?5)"

/* From the list of month ?1, of those that began at ?2 or later. Both lie by the key: in its order
   they are read side by side. */
static const char SQL_USES[] =
    "SELECT " USE " FROM allocation_month m JOIN allocation a"
    " ON a.allocation_key = m.allocation_key WHERE m.month_s = ?1 AND a.begin_ns >= ?2 AND" LIVES
    " ORDER BY m.allocation_key";

static const char SQL_USES_OF_JOB[] =
    "SELECT " USE " FROM allocation a WHERE a.job_key = ?1"
    " ORDER BY a.begin_ns, a.node_key, a.allocation_key";

/* ?1: the cluster, ?2: the account */
static const char SQL_USES_OF_ACCOUNT[] =
    "SELECT " USE
    " FROM job j JOIN allocation a ON a.job_key = j.job_key"
    " WHERE j.cluster = ?1 AND j.account = ?2 AND" LIVES;

static void bind_span(const struct period *period, struct stmt *rows)
{
    stmt_bind_int(rows, 5, period->from_s * (int64_t)NS_PER_S);
    stmt_bind_int(rows, 6, period->to_s * (int64_t)NS_PER_S);
}

/* Sums are for everybody; whose they are and of which job is not. */
static void hide_job(struct period_job *job)
{
    *job = (struct period_job){
        .job_key = job->job_key, .hidden = true, .partition = job->partition,
        .end_s = job->end_s, .exit_status = job->exit_status, .flags = job->flags,
        .dbd_state = job->dbd_state,
    };
}

/* Unless it lies between two that were asked for. Rows and keys both rise. */
static int give_job(struct reading *reading, struct period_job *job)
{
    while (reading->key < reading->end && *reading->key < job->job_key)
        reading->key++;
    if (reading->key == reading->end || *reading->key != job->job_key)
        return 0;
    if (!viewer_sees(reading->store->viewer, job->uid.has, job->uid.value, job->user, job->account))
        hide_job(job);
    return reading->take.job(reading->arg, job);
}

static int read_job(struct reading *reading, struct stmt *row)
{
    struct period_job job = {
        .job_key = stmt_int(row, 0),
        .job_id = (uint32_t)stmt_int(row, 1),
        .restart_count = (uint32_t)stmt_int(row, 2),
        .array_job_id = maybe_column(row, 3),
        .array_task_id = maybe_column(row, 4),
        .het_job_id = maybe_column(row, 5),
        .het_offset = maybe_column(row, 6),
        .uid = maybe_column(row, 7),
        .node_count = maybe_column(row, 8),
        .user = text_column(row, 9),
        .account = text_column(row, 10),
        .partition = text_column(row, 11),
        .qos = text_column(row, 12),
        .name = text_column(row, 13),
        .begin_s = stmt_int(row, 14),
        .end_s = maybe_column(row, 15),
        .exit_status = maybe_column(row, 16),
        .flags = (uint32_t)stmt_int(row, 17),
        .dbd_state = text_column(row, 18),
    };

    return give_job(reading, &job);
}

/* As much of a job as lines of a report need, for months have a million of them. */
static int read_brief_job(struct reading *reading, struct stmt *row)
{
    struct period_job job = {
        .job_key = stmt_int(row, 0),
        .uid = maybe_column(row, 1),
        .user = text_column(row, 2),
        .account = text_column(row, 3),
        .partition = text_column(row, 4),
        .end_s = maybe_column(row, 5),
        .exit_status = maybe_column(row, 6),
        .flags = (uint32_t)stmt_int(row, 7),
        .dbd_state = text_column(row, 8),
    };

    return give_job(reading, &job);
}

#define OF_KEYS " FROM job WHERE cluster = ?1 AND job_key BETWEEN ?2 AND ?3 ORDER BY job_key"
static const char SQL_JOBS[] =
    "SELECT job_key, job_id, restart_count, array_job_id, array_task_id, het_job_id, het_offset,"
    " uid, node_count, user_name, account, partition_name, qos, job_name, begin_s, end_s,"
    " exit_status, flags, state" OF_KEYS;
static const char SQL_BRIEF_JOBS[] =
    "SELECT job_key, uid, user_name, account, partition_name, end_s, exit_status, "
    UNLESS_0("flags") ", state" OF_KEYS;

/* A row that is not asked for is passed over sooner than a statement is begun anew. */
#define KEYS_GAP 16

/* Those that lie near each other go together. */
static int next_jobs(struct reading *reading)
{
    const bool whole = reading->read == read_job;
    const int64_t *from = reading->asked, *next = from;

    if (from == reading->end)
        return 0;
    reading->rows = store_statement(reading->store, whole ? SQL_JOBS : SQL_BRIEF_JOBS,
                                    reading->err);
    if (!reading->rows)
        return -EIO;
    do
        next++;
    while (next < reading->end && next[0] - next[-1] <= KEYS_GAP);
    reading->asked = next;
    stmt_bind_text(reading->rows, 1, reading->cluster);
    stmt_bind_int(reading->rows, 2, *from);
    stmt_bind_int(reading->rows, 3, next[-1]);
    if (next - from > KEYS_GAP)
        stmt_stream(reading->rows);
    return 1;
}

static struct reading jobs_of(struct store *store, const char *cluster, const int64_t *keys,
                              size_t n_keys, bool whole,
                              int (*take)(void *arg, const struct period_job *job), void *arg,
                              struct error *err)
{
    return (struct reading){ .store = store, .next = next_jobs, .cluster = cluster,
                             .read = whole ? read_job : read_brief_job, .take.job = take,
                             .key = keys, .asked = keys, .end = keys + n_keys, .arg = arg,
                             .err = err };
}

int period_jobs(struct store *store, const char *cluster, const int64_t *keys, size_t n_keys,
                bool whole, int (*take)(void *arg, const struct period_job *job), void *arg,
                struct error *err)
{
    struct reading jobs = jobs_of(store, cluster, keys, n_keys, whole, take, arg, err);

    return read_all(&jobs);
}

/* Cut to the period, when there is one. An end before begin, of a clock that was set, is none. */
static int read_use(struct reading *reading, struct stmt *row)
{
    struct period_use use = {
        .job_key = stmt_int(row, 0),
        .node_key = stmt_int(row, 1),
        .begin_ns = stmt_int(row, 2),
        .end_ns = stmt_int(row, 3),
        .cores = (uint32_t)stmt_int(row, 4),
        .gpus = (uint32_t)stmt_int(row, 5),
    };

    if (use.end_ns < use.begin_ns)
        use.end_ns = use.begin_ns;
    if (reading->period) {
        int64_t from_ns = reading->period->from_s * (int64_t)NS_PER_S;
        int64_t to_ns = reading->period->to_s * (int64_t)NS_PER_S;

        use.begin_ns = use.begin_ns < from_ns ? from_ns : use.begin_ns;
        use.end_ns = use.end_ns > to_ns ? to_ns : use.end_ns;
    }
    return reading->take.use(reading->arg, &use);
}

/* One that lived in several months comes with the first of them that the period touches. */
static int next_uses(struct reading *reading)
{
    if (reading->month_s >= reading->period->to_s)
        return 0;
    reading->rows = store_statement(reading->store, SQL_USES, reading->err);
    if (!reading->rows)
        return -EIO;
    stmt_bind_int(reading->rows, 1, reading->month_s);
    stmt_bind_int(reading->rows, 2, reading->since_ns);
    bind_span(reading->period, reading->rows);
    stmt_stream(reading->rows);
    reading->month_s = clock_month_next_s(reading->month_s);
    reading->since_ns = reading->month_s * (int64_t)NS_PER_S;
    return 1;
}

static struct reading uses_of(struct store *store, const struct period *period,
                              int (*take)(void *arg, const struct period_use *use), void *arg,
                              struct error *err)
{
    return (struct reading){ .store = store, .next = next_uses, .period = period, .read = read_use,
                             .take.use = take, .month_s = clock_month_begin_s(period->from_s),
                             .since_ns = INT64_MIN, .arg = arg, .err = err };
}

int period_uses(struct store *store, const struct period *period,
                int (*take)(void *arg, const struct period_use *use), void *arg, struct error *err)
{
    struct reading uses = uses_of(store, period, take, arg, err);
    int rc = check_period(period, err);

    return rc < 0 ? rc : read_all(&uses);
}

int period_uses_of_job(struct store *store, int64_t job_key,
                       int (*take)(void *arg, const struct period_use *use), void *arg,
                       struct error *err)
{
    struct reading reading = { .store = store, .read = read_use, .take.use = take,
                               .arg = arg, .err = err };
    struct stmt *rows = store_statement(store, SQL_USES_OF_JOB, err);

    if (!rows)
        return -EIO;
    stmt_bind_int(rows, 1, job_key);
    return read_rows(&reading, rows);
}

int period_uses_of_account(struct store *store, const struct period *period, const char *account,
                           int (*take)(void *arg, const struct period_use *use), void *arg,
                           struct error *err)
{
    struct reading reading = { .store = store, .read = read_use, .take.use = take,
                               .arg = arg, .err = err };
    int rc = check_period(period, err);
    struct stmt *rows;

    if (rc < 0)
        return rc;
    rows = store_statement(store, SQL_USES_OF_ACCOUNT, err);
    if (!rows)
        return -EIO;
    stmt_bind_text(rows, 1, period->cluster);
    stmt_bind_text(rows, 2, account);
    bind_span(period, rows);
    return read_rows(&reading, rows);
}

/* --- energy by hour -------------------------------------------------------------------------- */

/* Columns 0 and 1 are hour and key; then come the amounts. In no order, for a server reads tables
   as they lie. */
static const char SQL_JOB_HOURS[] =
    "SELECT hour_s, job_key, active_mj, idle_mj, measured_mj, " UNLESS_0("modelled_mj") ","
    " metered_ms, elapsed_ms, " UNLESS_0("gap_ms")
    " FROM job_hour WHERE hour_s >= ?2 AND hour_s < ?3";

static const char SQL_NODE_HOURS[] =
    "SELECT hour_s, node_key, counted_mj, active_mj, idle_mj, system_mj, unallocated_mj"
    " FROM node_hour WHERE hour_s >= ?2 AND hour_s < ?3";

static const char SQL_CLUSTER_HOURS[] =
    "SELECT hour_s, 0, counted_mj, active_mj, idle_mj, system_mj, unallocated_mj, measured_mj,"
    " modelled_mj, metered_ms, elapsed_ms, gap_ms"
    " FROM cluster_hour WHERE cluster = ?1 AND hour_s >= ?2 AND hour_s < ?3 ORDER BY hour_s";

#define ROW_SUMS "SUM(active_mj), SUM(idle_mj)," \
    " SUM(CASE WHEN quality = 'measured' THEN active_mj + idle_mj ELSE 0 END)," \
    " SUM(CASE WHEN quality = 'modelled' THEN active_mj + idle_mj ELSE 0 END)," \
    " SUM(metered_ms), SUM(elapsed_ms)," \
    " SUM(CASE WHEN quality = 'gap' THEN elapsed_ms ELSE 0 END)"

/*
 * From the rows of its jobs: job_hour lies by hour, and knows of a job only where to look. Where
 * the rows are by the day (roll.h), they say which days to look at.
 */
#define ROWS_OF_ACCOUNT \
    " FROM job j JOIN energy e ON e.job_key = j.job_key" \
    " WHERE j.cluster = ?1 AND j.account = ?4 AND e.hour_s < ?3"
static const char SQL_HOURS_OF_ACCOUNT[] =
    "SELECT e.hour_s AS hour_s, 0, " ROW_SUMS ROWS_OF_ACCOUNT
    " AND e.hour_s >= ?2 AND e.hour_s >= " ROLLED_BEFORE " GROUP BY e.hour_s"
    " UNION ALL SELECT h.hour_s, 0, SUM(h.active_mj), SUM(h.idle_mj), SUM(h.measured_mj),"
    "  SUM(h.modelled_mj), SUM(h.metered_ms), SUM(h.elapsed_ms), SUM(h.gap_ms)"
    " FROM (SELECT DISTINCT e.job_key, " DAY_OF("e.hour_s") " AS day_s" ROWS_OF_ACCOUNT
    "  AND e.hour_s >= " DAY_OF("?2") " AND e.hour_s < " ROLLED_BEFORE ") AS days"
    " JOIN job_hour AS h ON " ROLL_HOURS_OF_DAYS
    " WHERE h.hour_s >= ?2 AND h.hour_s < ?3 GROUP BY h.hour_s ORDER BY hour_s";

static int give_hour(struct reading *reading, struct stmt *row,
                     const struct period_energy *energy, uint64_t *const *amounts, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t amount = stmt_int(row, 2 + i);

        if (amount < 0)
            return error_set(reading->err, -EBADMSG, "the database holds an energy below zero: run "
                             "`carbonctl audit`");
        *amounts[i] = (uint64_t)amount;
    }
    return reading->take.energy(reading->arg, energy);
}

static int read_node_hour(struct reading *reading, struct stmt *row)
{
    struct period_energy energy = { .hour_s = stmt_int(row, 0), .key = stmt_int(row, 1) };
    uint64_t *const amounts[] = {
        &energy.counted_mj, &energy.active_mj, &energy.idle_mj, &energy.system_mj,
        &energy.unallocated_mj,
    };

    return give_hour(reading, row, &energy, amounts, sizeof(amounts) / sizeof(amounts[0]));
}

static int read_cluster_hour(struct reading *reading, struct stmt *row)
{
    struct period_energy energy = { .hour_s = stmt_int(row, 0) };
    uint64_t *const amounts[] = {
        &energy.counted_mj, &energy.active_mj, &energy.idle_mj, &energy.system_mj,
        &energy.unallocated_mj, &energy.measured_mj, &energy.modelled_mj, &energy.metered_ms,
        &energy.elapsed_ms, &energy.gap_ms,
    };

    return give_hour(reading, row, &energy, amounts, sizeof(amounts) / sizeof(amounts[0]));
}

static int read_job_hour(struct reading *reading, struct stmt *row)
{
    struct period_energy energy = { .hour_s = stmt_int(row, 0), .key = stmt_int(row, 1) };
    uint64_t *const amounts[] = {
        &energy.active_mj, &energy.idle_mj, &energy.measured_mj, &energy.modelled_mj,
        &energy.metered_ms, &energy.elapsed_ms, &energy.gap_ms,
    };

    return give_hour(reading, row, &energy, amounts, sizeof(amounts) / sizeof(amounts[0]));
}

static int read_hours(struct reading *reading, struct stmt *rows, int64_t from_s,
                      int64_t to_s)
{
    if (!rows)
        return -EIO;
    stmt_bind_int(rows, 2, from_s);
    stmt_bind_int(rows, 3, to_s);
    return read_rows(reading, rows);
}

static int next_hours(struct reading *reading)
{
    reading->next = NULL;
    reading->rows = store_statement(reading->store, reading->read == read_job_hour
                                                        ? SQL_JOB_HOURS : SQL_NODE_HOURS,
                                    reading->err);
    if (!reading->rows)
        return -EIO;
    stmt_bind_int(reading->rows, 2, reading->period->from_s);
    stmt_bind_int(reading->rows, 3, reading->period->to_s);
    stmt_stream(reading->rows);
    return 1;
}

static struct reading hours_of(struct store *store,
                               int (*read)(struct reading *reading, struct stmt *row),
                               const struct period *period,
                               int (*take)(void *arg, const struct period_energy *energy),
                               void *arg, struct error *err)
{
    return (struct reading){ .store = store, .next = next_hours, .period = period, .read = read,
                             .take.energy = take, .arg = arg, .err = err };
}

int period_job_hours(struct store *store, const struct period *period,
                     int (*take)(void *arg, const struct period_energy *energy), void *arg,
                     struct error *err)
{
    struct reading hours = hours_of(store, read_job_hour, period, take, arg, err);
    int rc = check_period(period, err);

    return rc < 0 ? rc : read_all(&hours);
}

int period_node_hours(struct store *store, const struct period *period,
                      int (*take)(void *arg, const struct period_energy *energy), void *arg,
                      struct error *err)
{
    struct reading hours = hours_of(store, read_node_hour, period, take, arg, err);
    int rc = check_period(period, err);

    return rc < 0 ? rc : read_all(&hours);
}

int period_uses_and_job_hours(struct store *store, struct store *beside,
                              const struct period *period,
                              int (*take_use)(void *arg, const struct period_use *use),
                              int (*take_hour)(void *arg, const struct period_energy *energy),
                              void *arg, struct error *err)
{
    struct reading uses = uses_of(store, period, take_use, arg, err);
    struct reading hours = hours_of(beside ? beside : store, read_job_hour, period, take_hour, arg,
                                    err);
    int rc = check_period(period, err);

    return rc < 0 ? rc : read_both(&uses, &hours);
}

int period_jobs_and_node_hours(struct store *store, struct store *beside,
                               const struct period *period, const int64_t *keys, size_t n_keys,
                               int (*take_job)(void *arg, const struct period_job *job),
                               int (*take_hour)(void *arg, const struct period_energy *energy),
                               void *arg, struct error *err)
{
    struct reading jobs = jobs_of(store, period->cluster, keys, n_keys, false, take_job, arg, err);
    struct reading hours = hours_of(beside ? beside : store, read_node_hour, period, take_hour,
                                    arg, err);
    int rc = check_period(period, err);

    return rc < 0 ? rc : read_both(&jobs, &hours);
}

int period_cluster_hours(struct store *store, const struct period *period,
                         int (*take)(void *arg, const struct period_energy *energy), void *arg,
                         struct error *err)
{
    struct reading reading = { .store = store, .period = period, .read = read_cluster_hour,
                               .take.energy = take, .arg = arg, .err = err };
    struct stmt *rows;
    int rc = check_period(period, err);

    if (rc < 0)
        return rc;
    rows = store_statement(store, SQL_CLUSTER_HOURS, err);
    if (rows)
        stmt_bind_text(rows, 1, period->cluster);
    return read_hours(&reading, rows, period->from_s, period->to_s);
}

int period_hours_of_account(struct store *store, const struct period *period, const char *account,
                            int (*take)(void *arg, const struct period_energy *energy), void *arg,
                            struct error *err)
{
    struct reading reading = { .store = store, .period = period, .read = read_job_hour,
                               .take.energy = take, .arg = arg, .err = err };
    int rc = check_period(period, err);
    struct stmt *rows;

    if (rc < 0)
        return rc;
    rows = store_statement(store, SQL_HOURS_OF_ACCOUNT, err);
    if (rows) {
        stmt_bind_text(rows, 1, period->cluster);
        stmt_bind_text(rows, 4, account);
    }
    return read_hours(&reading, rows, period->from_s, period->to_s);
}

static const char SQL_JOBS_OF_ACCOUNT[] =
    "SELECT job_key FROM job WHERE account = ?2 AND cluster = ?1";

static int read_key(struct reading *reading, struct stmt *row)
{
    return reading->take.key(reading->arg, stmt_int(row, 0));
}

int period_jobs_of_account(struct store *store, const char *cluster, const char *account,
                           int (*take)(void *arg, int64_t job_key), void *arg, struct error *err)
{
    struct reading reading = { .store = store, .read = read_key, .take.key = take,
                               .arg = arg, .err = err };
    struct stmt *rows = store_statement(store, SQL_JOBS_OF_ACCOUNT, err);

    if (!rows)
        return -EIO;
    stmt_bind_text(rows, 1, cluster);
    stmt_bind_text(rows, 2, account);
    return read_rows(&reading, rows);
}

static const char SQL_HAS_ACCOUNT[] =
    "SELECT 1 FROM job WHERE account = ?2 AND cluster = ?1 LIMIT 1";

int period_has_account(struct store *store, const char *cluster, const char *account,
                       struct error *err)
{
    struct stmt *row = store_statement(store, SQL_HAS_ACCOUNT, err);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_text(row, 1, cluster);
    stmt_bind_text(row, 2, account);
    rc = store_step(store, row, err);
    stmt_reset(row);
    return rc;
}

int period_last(struct store *store, const char *cluster, bool *ret_has, int64_t *ret_s,
                struct error *err)
{
    static const char sql[] =
        "SELECT hour_s FROM cluster_hour WHERE cluster = ?1 ORDER BY hour_s DESC LIMIT 1";
    struct stmt *row = store_statement(store, sql, err);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_text(row, 1, cluster);
    rc = store_step(store, row, err);
    *ret_has = rc > 0;
    *ret_s = rc > 0 ? stmt_int(row, 0) : 0;
    stmt_reset(row);
    return rc < 0 ? rc : 0;
}

/* Each of the two by itself is one look into the index; both in one SELECT read the cluster. */
static const char SQL_BOUNDS[] =
    "SELECT (SELECT MIN(hour_s) FROM cluster_hour WHERE cluster = ?1),"
    " (SELECT MAX(hour_s) FROM cluster_hour WHERE cluster = ?1)";

int period_bounds(struct store *store, const char *cluster, bool *ret_has, int64_t *ret_first_s,
                  int64_t *ret_last_s, struct error *err)
{
    struct stmt *row = store_statement(store, SQL_BOUNDS, err);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_text(row, 1, cluster);
    rc = store_step(store, row, err);
    if (rc < 0)
        return rc;
    *ret_has = !stmt_is_null(row, 0);
    *ret_first_s = stmt_int(row, 0);
    *ret_last_s = stmt_int(row, 1);
    stmt_reset(row);
    return 0;
}
