#include "store/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db.h"

#define S(ns) ((ns) / (int64_t)NS_PER_S)

static const char SQL_CANDIDATES[] =
    "SELECT job_key, restart_count, sluid, begin_s, end_s FROM job"
    " WHERE job_id = ?1 AND cluster = ?2 ORDER BY begin_s DESC, job_key DESC";

static const char SQL_ON_NODE[] =
    "SELECT begin_ns, end_ns, flags, COALESCE(end_ns, seen_ns) FROM allocation"
    " WHERE job_key = ?1 AND node_key = ?2 AND stream <> 'backfill'";

static const char SQL_LAST_SEEN[] =
    "SELECT MAX(COALESCE(end_ns, seen_ns)) FROM allocation WHERE job_key = ?1";

struct candidate {
    int64_t job_key, begin_s, end_s;
    bool open;
};

enum verdict { SAME_RUN, OTHER_RUN };

/* I1 for one allocation of the row on this node: the columns of SQL_ON_NODE. */
static bool continues(const struct batch_job *job, struct stmt *row)
{
    bool open = stmt_is_null(row, 1);
    uint32_t flags = (uint32_t)stmt_int(row, 2);
    int64_t last_s = S(stmt_int(row, 3));

    if (llabs(job->begin_wall_ns - stmt_int(row, 0)) < SAME_MARK_NS)
        return true;
    return (job->flags & FLAG_BEGIN_LOST) && (open || (flags & FLAG_END_LOST)) &&
           llabs(S(job->begin_wall_ns) - last_s) <= JOB_SILENT_S;
}

/* I1. ret_known: the row has an allocation here, and this is its continuation. */
static int check_node(struct store *store, const struct identity *id, int64_t job_key,
                      enum verdict *ret_verdict, bool *ret_known, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_ON_NODE, err);
    int rc;

    *ret_verdict = SAME_RUN;
    *ret_known = false;
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    stmt_bind_int(stmt, 2, id->node_key);
    while ((rc = store_step(store, stmt, err)) > 0) {
        *ret_known = true;
        if (!continues(id->job, stmt))
            *ret_verdict = OTHER_RUN;
    }
    return rc;
}

/* I3 */
static int check_silence(struct store *store, const struct identity *id,
                         const struct candidate *candidate, enum verdict *ret_verdict,
                         struct error *err)
{
    int64_t begin_s = S(id->job->begin_wall_ns);
    struct stmt *stmt;
    int rc;

    *ret_verdict = SAME_RUN;
    if (begin_s <= candidate->begin_s + JOB_SILENT_S)
        return 0; /* it was heard of at its begin at least: spare the look at all its nodes */
    stmt = store_statement(store, SQL_LAST_SEEN, err);
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, candidate->job_key);
    rc = store_step(store, stmt, err);
    if (rc > 0) {
        if (begin_s > S(stmt_int(stmt, 0)) + JOB_SILENT_S)
            *ret_verdict = OTHER_RUN;
        stmt_reset(stmt);
        rc = 0;
    }
    return rc;
}

/* I2 and I3. */
static int check_times(struct store *store, const struct identity *id,
                       const struct candidate *candidate, enum verdict *ret_verdict,
                       struct error *err)
{
    bool ended = id->job->has & JOB_HAS_END;
    int64_t last_s = ended ? S(id->job->end_wall_ns) : S(id->seen_ns);

    *ret_verdict = OTHER_RUN;
    if (last_s + (ended ? JOB_APART_S : JOB_SILENT_S) < candidate->begin_s)
        return 0;
    if (!candidate->open && S(id->job->begin_wall_ns) > candidate->end_s + JOB_APART_S)
        return 0;
    if (candidate->open)
        return check_silence(store, id, candidate, ret_verdict, err);
    *ret_verdict = SAME_RUN;
    return 0;
}

/* What the row of a candidate says by itself. */
static enum verdict check_names(const char *sluid, int64_t restart_count,
                                const struct batch_job *job, bool *ret_sure)
{
    *ret_sure = false;
    if (sluid && (job->has & JOB_HAS_SLUID)) {
        *ret_sure = strcmp(sluid, job->sluid) == 0;
        return *ret_sure ? SAME_RUN : OTHER_RUN;
    }
    if (!(job->has & JOB_HAS_RESTARTS))
        return SAME_RUN; /* not known (yet): times decide */
    return restart_count == (int64_t)job->restart_count ? SAME_RUN : OTHER_RUN;
}

static int check_candidate(struct store *store, const struct identity *id,
                           const struct candidate *candidate, enum verdict *ret_verdict,
                           struct error *err)
{
    bool known;
    int rc = check_node(store, id, candidate->job_key, ret_verdict, &known, err);

    if (rc < 0 || *ret_verdict == OTHER_RUN || known)
        return rc;
    return check_times(store, id, candidate, ret_verdict, err);
}

bool identity_joins(const struct identity *id, const struct identity_run *run)
{
    const int64_t begin_s = S(id->job->begin_wall_ns), last_s = S(id->seen_ns);
    bool sure;

    return !(id->job->has & JOB_HAS_END) && last_s + JOB_SILENT_S >= run->begin_s &&
           begin_s <= run->begin_s + JOB_SILENT_S &&
           check_names(run->sluid, run->restart_count, id->job, &sure) == SAME_RUN;
}

int identity_find(struct store *store, const struct identity *id, int64_t *ret_job_key,
                  struct error *err)
{
    struct stmt *row = store_statement(store, SQL_CANDIDATES, err);
    int rc;

    *ret_job_key = 0;
    if (!row)
        return -EIO;
    stmt_bind_int(row, 1, id->job->job_id);
    stmt_bind_text(row, 2, id->cluster);
    while ((rc = store_step(store, row, err)) > 0) {
        struct candidate candidate = {
            .job_key = stmt_int(row, 0),
            .begin_s = stmt_int(row, 3),
            .end_s = stmt_int(row, 4),
            .open = stmt_is_null(row, 4),
        };
        bool sure;
        enum verdict verdict = check_names(stmt_text(row, 2), stmt_int(row, 1), id->job, &sure);

        if (verdict == SAME_RUN && !sure)
            rc = check_candidate(store, id, &candidate, &verdict, err);
        if (rc < 0 || verdict == SAME_RUN) {
            if (rc >= 0)
                *ret_job_key = candidate.job_key;
            break;
        }
    }
    stmt_reset(row);
    return rc < 0 ? rc : 0;
}
