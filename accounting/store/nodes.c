#include "store/nodes.h"

#include <errno.h>

#include "core/clock.h"
#include "store/db.h"

static const char SQL_NODES[] =
    "SELECT node.cluster, node.name,"
    " COALESCE((SELECT MAX(end_wall_ns) FROM batch WHERE batch.node_key = node.node_key), 0),"
    " COALESCE((SELECT loaded_s FROM batch WHERE batch.node_key = node.node_key"
    "  ORDER BY end_wall_ns DESC LIMIT 1), 0),"
    " COUNT(s.stream), COALESCE(SUM(s.batches), 0), COALESCE(SUM(s.span - s.batches - COALESCE("
    "  (SELECT SUM(last_seq - first_seq + 1) FROM loss WHERE loss.node_key = s.node_key"
    "   AND loss.stream = s.stream AND first_seq > s.first AND last_seq < s.last), 0)), 0),"
    " COALESCE(SUM(s.bad), 0), COALESCE(SUM(s.dropped), 0)"
    " FROM node LEFT JOIN ("
    "SELECT node_key, stream, SUM(seq - COALESCE(first_seq, seq) + 1) AS batches,"
    " MIN(COALESCE(first_seq, seq)) AS first, MAX(seq) AS last,"
    " MAX(seq) - MIN(COALESCE(first_seq, seq)) + 1 AS span,"
    " MAX(marks_bad) AS bad, MAX(batches_dropped) AS dropped"
    " FROM batch WHERE end_wall_ns >= ?1 GROUP BY node_key, stream"
    ") AS s ON s.node_key = node.node_key"
    " WHERE EXISTS (SELECT 1 FROM batch WHERE batch.node_key = node.node_key)"
    " GROUP BY node.node_key ORDER BY node.cluster, node.name";

int store_nodes(struct store *store, int64_t since_s,
                void (*take)(void *arg, const struct node_status *status), void *arg,
                struct error *err)
{
    struct stmt *row = store_statement(store, SQL_NODES, err);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_int(row, 1, since_s * (int64_t)NS_PER_S);
    while ((rc = store_step(store, row, err)) > 0) {
        struct node_status status = {
            .cluster = stmt_text(row, 0),
            .node = stmt_text(row, 1),
            .last_s = stmt_int(row, 2) / (int64_t)NS_PER_S,
            .loaded_s = stmt_int(row, 3),
            .streams = stmt_int(row, 4),
            .batches = stmt_int(row, 5),
            .missing = stmt_int(row, 6),
            .marks_bad = stmt_int(row, 7),
            .batches_dropped = stmt_int(row, 8),
        };

        take(arg, &status);
    }
    return rc;
}

int store_quarantined(struct store *store, int64_t *ret_count, struct error *err)
{
    return store_integer(store, "SELECT COUNT(*) FROM quarantine", ret_count, err);
}

static const char SQL_NOTES[] =
    "SELECT file_name, reason, since_s FROM quarantine ORDER BY file_name";
static const char SQL_FORGET[] = "DELETE FROM quarantine WHERE file_name = ?1";

int store_quarantine_notes(struct store *store,
                           int (*take)(void *arg, const char *file_name, const char *reason,
                                       int64_t since_s),
                           void *arg, struct error *err)
{
    struct stmt *row = store_statement(store, SQL_NOTES, err);
    int rc;

    if (!row)
        return -EIO;
    while ((rc = store_step(store, row, err)) > 0) {
        rc = take(arg, stmt_text(row, 0),
                  stmt_text(row, 1), stmt_int(row, 2));
        if (rc < 0)
            break;
    }
    stmt_reset(row);
    return rc;
}

int store_forget_quarantine(struct store *store, const char *file_name, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_FORGET, err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, file_name);
    return store_run(store, stmt, err);
}
