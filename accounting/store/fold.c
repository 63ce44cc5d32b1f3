#include "store/fold.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db.h"

void fold_init(struct fold *fold, int64_t before_s)
{
    *fold = (struct fold){ .before_ns = before_s * (int64_t)NS_PER_S };
}

/* --- reading --------------------------------------------------------------------------------- */

/* The old rows of a node as they ended, those behind (?3, ?4, ?5): what stands side by side here
   can become one, and has nothing between it. */
static const char SQL_OLD_ROWS[] =
    "SELECT b.stream, b.seq, COALESCE(b.first_seq, b.seq), b.boot_id, b.begin_boottime_ns,"
    " b.end_boottime_ns, b.begin_wall_ns, b.end_wall_ns, b.batches_dropped, c.component,"
    " c.begin_uj, c.end_uj FROM (SELECT * FROM batch WHERE node_key = ?1 AND end_wall_ns < ?2"
    "  AND end_wall_ns >= ?3 AND (end_wall_ns > ?3 OR stream > ?4 OR (stream = ?4 AND seq > ?5))"
    "  ORDER BY end_wall_ns, stream, seq LIMIT ?6) AS b"
    " LEFT JOIN batch_component AS c ON c.node_key = b.node_key AND c.stream = b.stream"
    " AND c.seq = b.seq ORDER BY b.end_wall_ns, b.stream, b.seq";
enum { COLUMN_STREAM, COLUMN_SEQ, COLUMN_FIRST_SEQ, COLUMN_BOOT, COLUMN_BEGIN_BOOT, COLUMN_END_BOOT,
       COLUMN_BEGIN_WALL, COLUMN_END_WALL, COLUMN_DROPPED, COLUMN_COMPONENT, COLUMN_BEGIN_UJ,
       COLUMN_END_UJ };

/* A pass: what it read, and has yet to write. */
struct pass {
    struct store *store;
    struct fold *fold;
    struct fold_run *runs; /* of several rows, of the node in hand */
    size_t count, room;
    struct error *err;
};

static struct fold_run read_head(struct stmt *row)
{
    struct fold_run run = {
        .seq = stmt_int(row, COLUMN_SEQ),
        .first_seq = stmt_int(row, COLUMN_FIRST_SEQ),
        .begin_boottime_ns = stmt_int(row, COLUMN_BEGIN_BOOT),
        .end_boottime_ns = stmt_int(row, COLUMN_END_BOOT),
        .begin_wall_ns = stmt_int(row, COLUMN_BEGIN_WALL),
        .end_wall_ns = stmt_int(row, COLUMN_END_WALL),
        .dropped = stmt_int(row, COLUMN_DROPPED) != 0,
        .rows = 1,
    };

    snprintf(run.stream, sizeof(run.stream), "%s", stmt_text(row, COLUMN_STREAM));
    snprintf(run.boot_id, sizeof(run.boot_id), "%s", stmt_text(row, COLUMN_BOOT));
    run.sound = run.first_seq > 0 && run.first_seq <= run.seq &&
                run.begin_wall_ns <= run.end_wall_ns; /* else its clock was set back */
    return run;
}

static void read_component(struct fold_run *run, struct stmt *row)
{
    const char *name = stmt_text(row, COLUMN_COMPONENT);
    int64_t begin_uj = stmt_int(row, COLUMN_BEGIN_UJ), end_uj = stmt_int(row, COLUMN_END_UJ);
    int i = 0;

    if (!name) /* a batch that counted nothing has none */
        return;
    while (i < COMPONENT_COUNT && strcmp(component_names[i], name) != 0)
        i++;
    if (i == COMPONENT_COUNT || begin_uj < 0 || end_uj < begin_uj) {
        run->sound = false;
        return;
    }
    run->components[i].has = true;
    run->components[i].begin_uj = begin_uj;
    run->components[i].end_uj = end_uj;
}

/* --- what follows what ----------------------------------------------------------------------- */

/* F2 */
static bool goes_on(const struct fold_run *run, const struct fold_run *next)
{
    if (!run->sound || !next->sound || strcmp(run->stream, next->stream) != 0 ||
        strcmp(run->boot_id, next->boot_id) != 0 || next->first_seq != run->seq + 1 ||
        next->begin_boottime_ns != run->end_boottime_ns ||
        next->begin_wall_ns != run->end_wall_ns || next->dropped != run->dropped)
        return false;
    for (int i = 0; i < COMPONENT_COUNT; i++)
        if (next->components[i].has != run->components[i].has ||
            (next->components[i].has &&
             next->components[i].begin_uj != run->components[i].end_uj))
            return false;
    return true;
}

static void add_to(struct fold_run *run, const struct fold_run *next)
{
    run->seq = next->seq;
    run->end_boottime_ns = next->end_boottime_ns;
    run->end_wall_ns = next->end_wall_ns;
    for (int i = 0; i < COMPONENT_COUNT; i++)
        run->components[i].end_uj = next->components[i].end_uj;
    run->rows += next->rows;
}

/* The run in hand has ended, or the pass has: from here on it is one row. */
static int keep_run(struct pass *pass)
{
    struct fold_run *run = &pass->fold->run;

    if (run->rows < 2)
        return 0;
    if (pass->count == pass->room) {
        size_t room = pass->room ? pass->room * 2 : 16;
        struct fold_run *grown = reallocarray(pass->runs, room, sizeof(*grown));

        if (!grown)
            return error_set(pass->err, -ENOMEM, "out of memory");
        pass->runs = grown;
        pass->room = room;
    }
    pass->runs[pass->count++] = *run;
    pass->fold->rows += run->rows - 1;
    pass->fold->runs += !run->counted;
    run->counted = true;
    run->rows = 1;
    return 0;
}

static int take_row(struct pass *pass, const struct fold_run *next)
{
    struct fold_run *run = &pass->fold->run;
    int rc = 0;

    if (goes_on(run, next)) {
        add_to(run, next);
        return 0;
    }
    rc = keep_run(pass);
    *run = *next;
    return rc;
}

/* How many rows of the node there were, up to `limit`. */
static int read_rows(struct pass *pass, int limit)
{
    const struct fold_run from = pass->fold->run;
    struct stmt *row = store_statement(pass->store, SQL_OLD_ROWS, pass->err);
    struct fold_run next = { .rows = 0 };
    int count = 0, rc = 0;

    if (!row)
        return -EIO;
    stmt_bind_int(row, 1, pass->fold->node_key);
    stmt_bind_int(row, 2, pass->fold->before_ns);
    stmt_bind_int(row, 3, from.end_wall_ns);
    stmt_bind_text(row, 4, from.stream);
    stmt_bind_int(row, 5, from.seq);
    stmt_bind_int(row, 6, limit);
    stmt_many(row);
    while (rc == 0 && (rc = store_step(pass->store, row, pass->err)) > 0) {
        rc = 0;
        if (count == 0 || next.seq != stmt_int(row, COLUMN_SEQ) ||
            strcmp(next.stream, stmt_text(row, COLUMN_STREAM)) != 0) {
            rc = count++ > 0 ? take_row(pass, &next) : 0;
            next = read_head(row);
        }
        read_component(&next, row);
    }
    stmt_reset(row);
    if (rc == 0 && count > 0)
        rc = take_row(pass, &next);
    return rc < 0 ? rc : count;
}

/* --- writing --------------------------------------------------------------------------------- */

static const char SQL_BEGIN_RUN[] =
    "UPDATE batch SET first_seq = ?4, begin_boottime_ns = ?5, begin_wall_ns = ?6"
    " WHERE node_key = ?1 AND stream = ?2 AND seq = ?3";
static const char SQL_BEGIN_COMPONENT[] =
    "UPDATE batch_component SET begin_uj = ?4"
    " WHERE node_key = ?1 AND stream = ?2 AND seq = ?3 AND component = ?5";
static const char SQL_DELETE_COMPONENTS[] =
    "DELETE FROM batch_component"
    " WHERE node_key = ?1 AND stream = ?2 AND seq < ?3 AND seq >= ?4";
static const char SQL_DELETE_ROWS[] =
    "DELETE FROM batch WHERE node_key = ?1 AND stream = ?2 AND seq < ?3 AND seq >= ?4";

static struct stmt *prepare(const struct pass *pass, const char *sql, const struct fold_run *run,
                            int64_t number)
{
    struct stmt *stmt = store_statement(pass->store, sql, pass->err);

    if (!stmt)
        return NULL;
    stmt_bind_int(stmt, 1, pass->fold->node_key);
    stmt_bind_text(stmt, 2, run->stream);
    stmt_bind_int(stmt, 3, run->seq);
    stmt_bind_int(stmt, 4, number);
    return stmt;
}

static int run_stmt(const struct pass *pass, struct stmt *stmt)
{
    return stmt ? store_run(pass->store, stmt, pass->err) : -EIO;
}

/* F1: no other row may lie within the run, which would go unseen. */
static int delete_others(const struct pass *pass, const struct fold_run *run)
{
    int rc = run_stmt(pass, prepare(pass, SQL_DELETE_COMPONENTS, run, run->first_seq));

    if (rc == 0)
        rc = run_stmt(pass, prepare(pass, SQL_DELETE_ROWS, run, run->first_seq));
    if (rc == 0 && (uint64_t)store_changed(pass->store) != run->rows - 1)
        rc = error_set(pass->err, -EUCLEAN, "batches %" PRId64 " to %" PRId64 " of stream %s are "
                       "in the books twice: run carbonctl audit", run->first_seq, run->seq,
                       run->stream);
    return rc;
}

/* F4 */
static int write_run(const struct pass *pass, const struct fold_run *run)
{
    struct stmt *stmt = prepare(pass, SQL_BEGIN_RUN, run, run->first_seq);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 5, run->begin_boottime_ns);
    stmt_bind_int(stmt, 6, run->begin_wall_ns);
    rc = run_stmt(pass, stmt);
    for (int i = 0; i < COMPONENT_COUNT && rc == 0; i++) {
        if (!run->components[i].has)
            continue;
        stmt = prepare(pass, SQL_BEGIN_COMPONENT, run, run->components[i].begin_uj);
        if (stmt)
            stmt_bind_text(stmt, 5, component_names[i]);
        rc = run_stmt(pass, stmt);
    }
    return rc == 0 ? delete_others(pass, run) : rc;
}

/* --- a pass ---------------------------------------------------------------------------------- */

/* Some rows of the node in hand; 1 when there are no more. */
static int fold_node(struct pass *pass, int limit, bool writes, int *ret_rows)
{
    int rc = read_rows(pass, limit);

    *ret_rows = rc;
    if (rc >= 0)
        rc = keep_run(pass);
    for (size_t i = 0; i < pass->count && rc == 0 && writes; i++)
        rc = write_run(pass, &pass->runs[i]);
    pass->count = 0;
    return rc < 0 ? rc : *ret_rows < limit;
}

static int fold_nodes(struct pass *pass, bool writes)
{
    struct fold *fold = pass->fold;
    int rc = 0, rows = 0, looked = 0, some;

    while (rc >= 0 && rows < FOLD_ROWS && looked++ < FOLD_NODES) {
        int64_t node_key = fold->node_key;

        rc = store_next_node(pass->store, node_key, &node_key, pass->err);
        fold->done = rc == 0;
        if (rc <= 0)
            break;
        if (node_key != fold->node_key)
            fold->run = (struct fold_run){ .rows = 0 };
        fold->node_key = node_key;
        rc = fold_node(pass, FOLD_ROWS - rows, writes, &some);
        rows += rc >= 0 ? some : 0;
        if (rc > 0) {
            fold->run = (struct fold_run){ .rows = 0 };
            fold->node_key++;
        }
    }
    return rc < 0 ? rc : 0;
}

static int pass_of(struct store *store, struct fold *fold, bool writes, struct error *err)
{
    struct fold next = *fold;
    struct pass pass = { .store = store, .fold = &next, .err = err };
    int rc = store_begin(store, err);

    if (rc == 0)
        rc = fold_nodes(&pass, writes);
    if (rc == 0 && writes)
        rc = store_commit(store, err);
    if (rc < 0 || !writes)
        store_rollback(store);
    free(pass.runs);
    if (rc == 0)
        *fold = next;
    return rc;
}

int fold_pass(struct store *store, struct fold *fold, struct error *err)
{
    return pass_of(store, fold, true, err);
}

int fold_count(struct store *store, struct fold *fold, struct error *err)
{
    int rc = 0;

    while (rc == 0 && !fold->done)
        rc = pass_of(store, fold, false, err);
    return rc;
}
