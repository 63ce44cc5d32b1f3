#include "store/prune.h"

#include <errno.h>
#include <inttypes.h>

#include "store/peak.h"
#include "store/db.h"

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_DAY 86400
#define FEW_ROWS (PRUNE_ROWS / 2) /* for one turn: there is time for the next sweep */

void prune_init(struct prune *prune, uint32_t keep_days, int64_t now_s)
{
    int64_t before_s = now_s - (int64_t)keep_days * SECONDS_PER_DAY;

    *prune = (struct prune){ .now_s = now_s, .before_s = before_s - before_s % SECONDS_PER_MINUTE };
}

/* --- notes ----------------------------------------------------------------------------------- */

#define KEPT_SINCE "power_kept_since_s"
#define PRUNED "power_pruned_s"

int prune_kept_since(struct store *store, int64_t *ret_s, struct error *err)
{
    int rc;

    *ret_s = 0;
    rc = store_noted(store, KEPT_SINCE, ret_s, err);
    return rc < 0 ? rc : 0;
}

/* A sweep of the future is a clock that was set back: it is due again. */
int prune_is_due(struct store *store, int64_t now_s, struct error *err)
{
    int64_t pruned_s = 0;
    int rc = store_noted(store, PRUNED, &pruned_s, err);

    if (rc <= 0)
        return rc < 0 ? rc : 1;
    return now_s - pruned_s >= SECONDS_PER_DAY || pruned_s > now_s;
}

/* --- which jobs ------------------------------------------------------------------------------ */

/* A job that has minutes, and its first one. */
struct next_job {
    int64_t key, first_s;
};

/*
 * The next ?2 of them. Two steps down the primary key (job_key, minute_s, …) for each, however many
 * minutes; and one statement, for there are millions of jobs.
 */
static const char SQL_NEXT_JOBS[] =
    "WITH RECURSIVE next (job_key, number) AS ("
    " SELECT MIN(job_key), 1 FROM power WHERE job_key >= ?1"
    " UNION ALL SELECT (SELECT MIN(job_key) FROM power WHERE job_key > next.job_key), number + 1"
    "  FROM next WHERE job_key IS NOT NULL AND number < ?2"
    ") SELECT job_key, (SELECT MIN(minute_s) FROM power WHERE power.job_key = next.job_key)"
    " FROM next WHERE job_key IS NOT NULL";

static const char SQL_COUNT[] = "SELECT COUNT(*) FROM power WHERE job_key = ?1 AND minute_s < ?2";

/* Up to PRUNE_JOBS of them; how many, 0 when there is none, or an errno. */
static int next_jobs(struct store *store, int64_t from_key, struct next_job *jobs,
                     struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NEXT_JOBS, err);
    int rc, count = 0;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, from_key);
    stmt_bind_int(stmt, 2, PRUNE_JOBS);
    while ((rc = store_step(store, stmt, err)) > 0)
        jobs[count++] = (struct next_job){ stmt_int(stmt, 0), stmt_int(stmt, 1) };
    return rc < 0 ? rc : count;
}

static void count_job(struct prune *prune, int64_t job_key, int64_t rows)
{
    prune->jobs += prune->jobs == 0 || prune->last_key != job_key;
    prune->last_key = job_key;
    prune->rows += (uint64_t)rows;
}

static int count_old(struct store *store, struct prune *prune, int64_t job_key, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_COUNT, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    stmt_bind_int(stmt, 2, prune->before_s);
    rc = store_step(store, stmt, err);
    if (rc < 0)
        return rc;
    count_job(prune, job_key, stmt_int(stmt, 0));
    stmt_reset(stmt);
    return 0;
}

int prune_count(struct store *store, struct prune *prune, struct error *err)
{
    struct next_job jobs[PRUNE_JOBS];
    int count, rc = 0;

    do {
        count = next_jobs(store, prune->next_key, jobs, err);
        for (int i = 0; rc == 0 && i < count; i++) {
            prune->next_key = jobs[i].key + 1;
            if (jobs[i].first_s < prune->before_s)
                rc = count_old(store, prune, jobs[i].key, err);
        }
    } while (rc == 0 && count > 0);
    prune->done = rc == 0 && count == 0;
    return rc < 0 ? rc : count; /* which may be an errno */
}

/* --- one job --------------------------------------------------------------------------------- */

static const char SQL_MINUTE_BEHIND[] =
    "SELECT minute_s FROM power WHERE job_key = ?1 AND minute_s < ?2"
    " ORDER BY minute_s LIMIT 1 OFFSET ?3";

static const char SQL_MINUTES[] =
    "SELECT " PEAK_COLUMNS " FROM power WHERE job_key = ?1 AND minute_s < ?2 AND span_ms > 0"
    " GROUP BY minute_s";

static const char SQL_NOTED_PEAK[] =
    "SELECT peak_mw, peak_minute_s, peak_span_ms FROM job"
    " WHERE job_key = ?1 AND peak_mw IS NOT NULL";

static const char SQL_NOTE_PEAK[] =
    "UPDATE job SET peak_mw = ?2, peak_minute_s = ?3, peak_span_ms = ?4 WHERE job_key = ?1";

static const char SQL_DELETE[] = "DELETE FROM power WHERE job_key = ?1 AND minute_s < ?2";

static struct stmt *of_job(struct store *store, const char *sql, int64_t job_key, int64_t before_s,
                           struct error *err)
{
    struct stmt *stmt = store_statement(store, sql, err);

    if (!stmt)
        return NULL;
    stmt_bind_int(stmt, 1, job_key);
    if (stmt_parameters(stmt) > 1)
        stmt_bind_int(stmt, 2, before_s);
    return stmt;
}

/* Where to stop for now, so that whole minutes go: at least one, and else not above max_rows. */
static int choose_bound(struct store *store, int64_t job_key, int64_t first_s, int64_t before_s,
                        int max_rows, int64_t *ret_bound_s, struct error *err)
{
    struct stmt *stmt = of_job(store, SQL_MINUTE_BEHIND, job_key, before_s, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 3, max_rows);
    rc = store_step(store, stmt, err);
    if (rc < 0)
        return rc;
    *ret_bound_s = before_s;
    if (rc > 0)
        *ret_bound_s = stmt_int(stmt, 0);
    stmt_reset(stmt);
    if (*ret_bound_s == first_s) /* all of them are of one minute */
        *ret_bound_s += SECONDS_PER_MINUTE;
    return 0;
}

/* The highest of the rows (mw, minute_s, span_ms) of a statement and *peak; 1 when it changed. */
static int raise_peak(struct store *store, struct stmt *stmt, bool *has, struct peak *peak,
                      struct error *err)
{
    int rc, changed = 0;

    if (!stmt)
        return -EIO;
    while ((rc = store_step(store, stmt, err)) > 0) {
        struct peak minute = { stmt_int(stmt, 0), stmt_int(stmt, 1),
                               stmt_int(stmt, 2) };

        if (*has && !peak_is_higher(&minute, peak))
            continue;
        *peak = minute;
        *has = true;
        changed = 1;
    }
    return rc < 0 ? rc : changed;
}

/* R2 */
static int keep_peak(struct store *store, int64_t job_key, int64_t bound_s, struct error *err)
{
    struct peak peak = { 0, 0, 0 };
    bool has = false;
    struct stmt *stmt;
    int rc = raise_peak(store, of_job(store, SQL_NOTED_PEAK, job_key, 0, err), &has, &peak, err);

    if (rc >= 0)
        rc = raise_peak(store, of_job(store, SQL_MINUTES, job_key, bound_s, err), &has, &peak, err);
    if (rc <= 0)
        return rc;
    stmt = of_job(store, SQL_NOTE_PEAK, job_key, peak.mw, err);
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 3, peak.minute_s);
    stmt_bind_int(stmt, 4, peak.span_ms);
    return store_run(store, stmt, err);
}

/* R3; returns how many rows went, and up to when. */
static int prune_job(struct store *store, const struct next_job *job, int64_t before_s,
                     int max_rows, int64_t *ret_bound_s, struct error *err)
{
    struct stmt *stmt;
    int rc = choose_bound(store, job->key, job->first_s, before_s, max_rows, ret_bound_s, err);

    if (rc == 0)
        rc = keep_peak(store, job->key, *ret_bound_s, err);
    if (rc < 0)
        return rc;
    stmt = of_job(store, SQL_DELETE, job->key, *ret_bound_s, err);
    rc = stmt ? store_run(store, stmt, err) : -EIO;
    return rc < 0 ? rc : store_changed(store);
}

/* What a sweep emptied goes with the next one. */
int prune_partition(struct store *store, const struct prune *prune, struct error *err)
{
    if (!store->backend->partition)
        return 0;
    return store->backend->partition(store, prune->now_s, prune->before_s, err);
}

/* --- a pass ---------------------------------------------------------------------------------- */

static int pass(struct store *store, struct prune *prune, struct error *err)
{
    struct next_job jobs[PRUNE_JOBS];
    int rc = store_note(store, KEPT_SINCE, prune->before_s, true, err), rows = 0, count, i = 0;
    bool whole = true;

    if (rc == 0)
        rc = next_jobs(store, prune->next_key, jobs, err);
    for (count = rc; rc >= 0 && i < count && whole && rows < PRUNE_ROWS; i += whole) {
        int64_t bound_s = prune->before_s;

        rc = 0;
        if (jobs[i].first_s < prune->before_s) {
            rc = prune_job(store, &jobs[i], prune->before_s, PRUNE_ROWS - rows, &bound_s, err);
            if (rc >= 0)
                count_job(prune, jobs[i].key, rc);
            rows += rc > 0 ? rc : 0;
        }
        whole = bound_s >= prune->before_s; /* else the rest is for the next pass */
        prune->next_key = jobs[i].key + whole;
    }
    prune->done = rc >= 0 && i == count && count < PRUNE_JOBS;
    return rc < 0 ? rc : 0;
}

int prune_pass(struct store *store, struct prune *prune, struct error *err)
{
    struct prune next = *prune;
    int rc = store_begin(store, err);

    if (rc == 0)
        rc = pass(store, &next, err);
    if (rc == 0 && next.done)
        rc = store_note(store, PRUNED, next.now_s, false, err);
    if (rc == 0)
        rc = store_commit(store, err);
    if (rc < 0) {
        store_rollback(store);
        return rc;
    }
    *prune = next;
    return 0;
}

int64_t prune_batches_before_s(uint32_t keep_days, int64_t now_s)
{
    uint32_t days = keep_days > PRUNE_BATCH_DAYS ? keep_days : PRUNE_BATCH_DAYS;

    return now_s - (int64_t)days * SECONDS_PER_DAY;
}

/* Begun anew by who was stopped in between: each sweep finds what is left. */
static int begin_day(struct store *store, struct prune_daily *daily, int64_t now_s,
                     struct error *err)
{
    int rc = prune_is_due(store, now_s, err);

    if (rc <= 0)
        return rc;
    prune_init(&daily->sweep, daily->keep_days, now_s);
    rc = prune_partition(store, &daily->sweep, err);
    if (rc < 0)
        return rc;
    fold_init(&daily->fold, prune_batches_before_s(daily->keep_days, now_s));
    rc = roll_init(store, &daily->roll, daily->keep_hourly_days, now_s, true, err);
    daily->active = rc == 0;
    return rc;
}

static uint64_t rows_of(const struct prune_daily *daily)
{
    return daily->sweep.rows + daily->roll.rows + daily->fold.rows;
}

/* Where there is little to do, as on most days of a small site, all sweeps are done at once. */
int prune_daily(struct store *store, struct prune_daily *daily, int64_t now_s, struct error *err)
{
    int rc = daily->active ? 0 : begin_day(store, daily, now_s, err);
    const uint64_t rows = rows_of(daily);

    if (rc < 0 || !daily->active)
        return rc;
    if (!daily->sweep.done)
        rc = prune_pass(store, &daily->sweep, err);
    if (rc == 0 && daily->sweep.done && !daily->roll.done && rows_of(daily) - rows < FEW_ROWS)
        rc = roll_pass(store, &daily->roll, err);
    if (rc == 0 && daily->roll.done && !daily->fold.done && rows_of(daily) - rows < FEW_ROWS)
        rc = fold_pass(store, &daily->fold, err);
    daily->active = rc == 0 && !daily->fold.done;
    return rc;
}
