#include "store/nodes.h"

#include <errno.h>

#include "core/clock.h"
#include "store/store_sqlite.h"

static const char SQL_NODES[] =
    "SELECT node.cluster, node.name,"
    " COALESCE((SELECT MAX(end_wall_ns) FROM batch WHERE batch.node_key = node.node_key), 0),"
    " COALESCE((SELECT loaded_s FROM batch WHERE batch.node_key = node.node_key"
    "  ORDER BY end_wall_ns DESC LIMIT 1), 0),"
    " COUNT(s.stream), COALESCE(SUM(s.batches), 0), COALESCE(SUM(s.span - s.batches), 0),"
    " COALESCE(SUM(s.bad), 0), COALESCE(SUM(s.dropped), 0)"
    " FROM node LEFT JOIN ("
    "SELECT node_key, stream, COUNT(*) AS batches, MAX(seq) - MIN(seq) + 1 AS span,"
    " MAX(marks_bad) AS bad, MAX(batches_dropped) AS dropped"
    " FROM batch WHERE end_wall_ns >= ?1 GROUP BY node_key, stream"
    ") AS s ON s.node_key = node.node_key"
    " GROUP BY node.node_key ORDER BY node.cluster, node.name";

int store_nodes(struct store *store, int64_t since_s,
                void (*take)(void *arg, const struct node_status *status), void *arg,
                struct error *err)
{
    sqlite3_stmt *row = store_statement(store, SQL_NODES, err);
    int rc;

    if (!row)
        return -EIO;
    sqlite3_bind_int64(row, 1, since_s * (int64_t)NS_PER_S);
    while ((rc = store_step(store, row, err)) > 0) {
        struct node_status status = {
            .cluster = (const char *)sqlite3_column_text(row, 0),
            .node = (const char *)sqlite3_column_text(row, 1),
            .last_s = sqlite3_column_int64(row, 2) / (int64_t)NS_PER_S,
            .loaded_s = sqlite3_column_int64(row, 3),
            .streams = sqlite3_column_int64(row, 4),
            .batches = sqlite3_column_int64(row, 5),
            .missing = sqlite3_column_int64(row, 6),
            .marks_bad = sqlite3_column_int64(row, 7),
            .batches_dropped = sqlite3_column_int64(row, 8),
        };

        take(arg, &status);
    }
    return rc;
}

int store_quarantined(struct store *store, int64_t *ret_count, struct error *err)
{
    return store_integer(store, "SELECT COUNT(*) FROM quarantine", ret_count, err);
}
