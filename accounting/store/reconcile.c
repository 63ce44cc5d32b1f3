#include "store/reconcile.h"

#include <errno.h>
#include <string.h>

#include "store/db.h"
#include "store/query.h"

/*
 * Slurm's start is the controller's, ours the first mark's on a node, and clocks differ: a run of
 * the books may seem to have begun so long before Slurm started it, or after it was over.
 */
#define MARGIN_S 60

static const char SQL_FROM[] =
    "SELECT begin_s FROM job WHERE reconciled_s IS NULL AND begin_s >= ?1 AND job_key > 0"
    " ORDER BY begin_s LIMIT 1";

static const char SQL_WAITING[] =
    "SELECT COUNT(*) FROM job WHERE reconciled_s IS NULL AND begin_s >= ?1 AND end_s < ?2"
    " AND job_key > 0";

/* How far from slurmdbd's start each run of the books began that was joined by now. */
static const char SQL_JOINED[] =
    "CREATE TEMPORARY TABLE IF NOT EXISTS joined (job_key INTEGER PRIMARY KEY, away_s BIGINT);"
    "DELETE FROM joined";

static const char SQL_FIND[] =
    "SELECT job.job_key, abs(begin_s - ?3) FROM job LEFT JOIN joined USING (job_key)"
    " WHERE cluster = ?1 AND job_id = ?2 AND begin_s BETWEEN ?3 - ?5 AND ?4 + ?5"
    " AND (away_s IS NULL OR away_s >= abs(begin_s - ?3))"
    " ORDER BY abs(begin_s - ?3), begin_s LIMIT 1";

static const char SQL_NOTE[] =
    "INSERT INTO joined (job_key, away_s) VALUES (?1, ?2)"
    " ON CONFLICT (job_key) DO UPDATE SET away_s = excluded.away_s";

#define SAID(column, number) column " = COALESCE(?" #number ", " column ")"

static const char SQL_JOIN[] =
    "UPDATE job SET state = ?2, reconciled_s = ?3, " SAID("submit_s", 4) ", "
    SAID("alloc_tres", 5) ", " SAID("user_name", 6) ", " SAID("account", 7) ", "
    SAID("partition_name", 8) ", " SAID("qos", 9) ", " SAID("job_name", 10) ", "
    SAID("array_job_id", 11) ", " SAID("array_task_id", 12) ", " SAID("het_job_id", 13) ", "
    SAID("het_offset", 14) ", " SAID("node_count", 15) ", " SAID("uid", 16) " WHERE job_key = ?1";

static const char SQL_REST[] =
    "SELECT cluster, job_id, begin_s FROM job LEFT JOIN joined USING (job_key)"
    " WHERE reconciled_s IS NULL AND end_s IS NOT NULL AND begin_s >= ?1 AND job.job_key > 0"
    " AND joined.job_key IS NULL ORDER BY begin_s, job.job_key";

int reconcile_is_here(struct store *store, const char *own_cluster, const struct dbd_job *job,
                      struct error *err)
{
    if (strcmp(job->cluster, own_cluster) == 0)
        return 1;
    return query_has_cluster(store, job->cluster, err);
}

int reconcile_begin(struct store *store, struct error *err)
{
    return store_exec(store, SQL_JOINED, err);
}

/* The one integer that a statement gives; `none` where it gives no row. */
static int take_integer(struct store *store, struct stmt *stmt, int64_t none, int64_t *ret,
                        struct error *err)
{
    int rc = store_step(store, stmt, err);

    *ret = rc > 0 ? stmt_int(stmt, 0) : none;
    stmt_reset(stmt);
    return rc < 0 ? rc : 0;
}

int reconcile_from(struct store *store, int64_t now_s, int64_t *ret_from_s, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_FROM, err);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, now_s - INT64_C(86400) * RECONCILE_DAYS);
    return take_integer(store, stmt, -1, ret_from_s, err);
}

int reconcile_waiting(struct store *store, int64_t over_s, int64_t now_s, int64_t *ret_count,
                      struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_WAITING, err);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, now_s - INT64_C(86400) * RECONCILE_DAYS);
    stmt_bind_int(stmt, 2, over_s);
    return take_integer(store, stmt, 0, ret_count, err);
}

/* The run of the books that began nearest to its start: 1 and its key, or 0. */
static int find_run(struct store *store, const struct dbd_job *job, int64_t now_s,
                    int64_t *ret_key, int64_t *ret_away_s, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_FIND, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, job->cluster);
    stmt_bind_int(stmt, 2, job->job_id);
    stmt_bind_int(stmt, 3, job->start_s);
    stmt_bind_int(stmt, 4, job->end_s >= 0 ? job->end_s : now_s);
    stmt_bind_int(stmt, 5, MARGIN_S);
    rc = store_step(store, stmt, err);
    if (rc > 0) {
        *ret_key = stmt_int(stmt, 0);
        *ret_away_s = stmt_int(stmt, 1);
    }
    stmt_reset(stmt);
    return rc;
}

static int note_joined(struct store *store, int64_t key, int64_t away_s, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NOTE, err);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, key);
    stmt_bind_int(stmt, 2, away_s);
    return store_run(store, stmt, err);
}

static void bind_said(struct stmt *stmt, int number, const char *text)
{
    if (text[0])
        stmt_bind_text(stmt, number, text);
}

static void bind_known(struct stmt *stmt, int number, int64_t value)
{
    if (value >= 0)
        stmt_bind_int(stmt, number, value);
}

static int join(struct store *store, const struct dbd_job *job, int64_t key, int64_t now_s,
                struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_JOIN, err);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, key);
    stmt_bind_bytes(stmt, 2, job->state, strcspn(job->state, " "));
    bind_known(stmt, 3, job->end_s >= 0 ? now_s : -1);
    bind_known(stmt, 4, job->submit_s);
    bind_said(stmt, 5, job->alloc_tres);
    bind_said(stmt, 6, job->user);
    bind_said(stmt, 7, job->account);
    bind_said(stmt, 8, job->partition);
    bind_said(stmt, 9, job->qos);
    bind_said(stmt, 10, job->name);
    bind_known(stmt, 11, job->array_job_id);
    bind_known(stmt, 12, job->array_task_id);
    bind_known(stmt, 13, job->het_job_id);
    bind_known(stmt, 14, job->het_offset);
    bind_known(stmt, 15, job->nodes);
    bind_known(stmt, 16, job->uid);
    return store_run(store, stmt, err);
}

int reconcile_job(struct store *store, const struct dbd_job *job, int64_t now_s,
                  enum reconcile_outcome *ret_outcome, int64_t *ret_key, struct error *err)
{
    int64_t key, away_s;
    int rc;

    *ret_outcome = RECONCILE_NOT_BEGUN;
    if (job->start_s < 0)
        return 0;
    *ret_outcome = RECONCILE_MISSING;
    rc = find_run(store, job, now_s, &key, &away_s, err);
    if (rc <= 0)
        return rc;
    *ret_outcome = RECONCILE_JOINED;
    if (ret_key)
        *ret_key = key;
    rc = note_joined(store, key, away_s, err);
    return rc == 0 ? join(store, job, key, now_s, err) : rc;
}

int reconcile_rest(struct store *store, int64_t from_s,
                   void (*tell)(void *arg, const struct books_only *run), void *arg,
                   struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_REST, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, from_s);
    while ((rc = store_step(store, stmt, err)) > 0) {
        const struct books_only run = {
            .cluster = stmt_text(stmt, 0),
            .job_id = stmt_int(stmt, 1),
            .begin_s = stmt_int(stmt, 2),
        };

        tell(arg, &run);
    }
    return rc;
}
