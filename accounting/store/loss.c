#include "store/loss.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "store/db.h"
#include "store/pending.h"
#include "store/roll.h"
#include "store/sums.h"

#define NS_PER_HOUR (INT64_C(3600) * (int64_t)NS_PER_S)
#define LOST_SIZE 48 /* of the sensor's name: "lost STREAM SEQ", seq of the batch before the hole */

/* The stream that is worked on. */
struct stream {
    struct store *store;
    int64_t node_key;
    const char *cluster, *name;
    struct error *err;
};

/* A hole all of which is given up, between the end of a batch and the begin of the next. */
struct hole {
    int64_t before; /* seq of the batch before it */
    int64_t from_ns, to_ns;
    char lost[LOST_SIZE];
};

static struct stmt *prepare(const struct stream *stream, const char *sql)
{
    return store_statement(stream->store, sql, stream->err);
}

/* As prepare(), with node and stream bound to ?1 and ?2. */
static struct stmt *prepare_of(const struct stream *stream, const char *sql)
{
    struct stmt *stmt = prepare(stream, sql);

    if (!stmt)
        return NULL;
    stmt_bind_int(stmt, 1, stream->node_key);
    stmt_bind_text(stmt, 2, stream->name);
    return stmt;
}

/* One integer; 0 where there is no row. */
static int integer_of(const struct stream *stream, const char *sql, int64_t seq, int64_t *ret)
{
    struct stmt *stmt = prepare_of(stream, sql);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 3, seq);
    rc = store_step(stream->store, stmt, stream->err);
    *ret = rc > 0 ? stmt_int(stmt, 0) : 0;
    stmt_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int64_t hour_of(int64_t ns)
{
    return ns / NS_PER_HOUR * 3600;
}

static int64_t overlap_ns(int64_t from_ns, int64_t to_ns, int64_t begin_ns, int64_t end_ns)
{
    int64_t first = from_ns > begin_ns ? from_ns : begin_ns;
    int64_t last = to_ns < end_ns ? to_ns : end_ns;

    return last > first ? last - first : 0;
}

/* --- the gap rows of a hole ------------------------------------------------------------------ */

static const char SQL_LOST_ROWS[] =
    "SELECT hour_s, job_key, step_id, elapsed_ms FROM energy"
    " WHERE node_key = ?1 AND sensor = ?2 AND hour_s >= ?3";
static const char SQL_DROP_LOST_ROWS[] =
    "DELETE FROM energy WHERE node_key = ?1 AND sensor = ?2 AND hour_s >= ?3";
/* Sums of nothing but such rows. */
static const char SQL_DROP_JOB_SUMS[] =
    "DELETE FROM job_hour WHERE hour_s BETWEEN ?1 AND ?2 AND " SUM_OF_NOTHING " AND NOT EXISTS"
    " (SELECT 1 FROM energy WHERE energy.job_key = job_hour.job_key"
    "  AND energy.hour_s = job_hour.hour_s)";
static const char SQL_DROP_NODE_SUMS[] =
    "DELETE FROM node_hour WHERE hour_s BETWEEN ?1 AND ?2 AND " NODE_SUM_OF_NOTHING
    " AND NOT EXISTS"
    " (SELECT 1 FROM energy WHERE energy.node_key = node_hour.node_key"
    "  AND energy.hour_s = node_hour.hour_s) AND NOT EXISTS"
    " (SELECT 1 FROM node_total WHERE node_total.node_key = node_hour.node_key"
    "  AND node_total.hour_s = node_hour.hour_s)";
static const char SQL_DROP_CLUSTER_SUMS[] =
    "DELETE FROM cluster_hour WHERE hour_s BETWEEN ?1 AND ?2 AND elapsed_ms = 0 AND NOT EXISTS"
    " (SELECT 1 FROM node_hour JOIN node ON node.node_key = node_hour.node_key"
    "  WHERE node_hour.hour_s = cluster_hour.hour_s AND node.cluster = cluster_hour.cluster)";

static struct stmt *prepare_lost(const struct stream *stream, const struct hole *hole,
                                 const char *sql)
{
    struct stmt *stmt = prepare(stream, sql);

    if (!stmt)
        return NULL;
    stmt_bind_int(stmt, 1, stream->node_key);
    stmt_bind_text(stmt, 2, hole->lost);
    stmt_bind_int(stmt, 3, hour_of(hole->from_ns));
    return stmt;
}

static int drop_empty_sums(const struct stream *stream, int64_t first_s, int64_t last_s)
{
    static const char *const sqls[] = { SQL_DROP_JOB_SUMS, SQL_DROP_NODE_SUMS,
                                        SQL_DROP_CLUSTER_SUMS };
    int rc = 0;

    for (size_t i = 0; i < sizeof(sqls) / sizeof(sqls[0]) && rc == 0; i++) {
        struct stmt *stmt = prepare(stream, sqls[i]);

        if (!stmt)
            return -EIO;
        stmt_bind_int(stmt, 1, first_s);
        stmt_bind_int(stmt, 2, last_s);
        rc = store_run(stream->store, stmt, stream->err);
    }
    return rc;
}

/* Take the rows of the hole out of the books again; there may be none. */
static int unbook(const struct stream *stream, const struct hole *hole)
{
    struct stmt *row = prepare_lost(stream, hole, SQL_LOST_ROWS);
    struct sums *sums = sums_new();
    int64_t last_s = -1;
    int rc = !row ? -EIO : sums ? 0 : -ENOMEM;

    while (rc == 0 && (rc = store_step(stream->store, row, stream->err)) > 0) {
        const struct sums_row sum = {
            .hour_s = stmt_int(row, 0), .job_key = stmt_int(row, 1),
            .step_id = stmt_int(row, 2), .quality = QUALITY_GAP,
            .elapsed_ms = -stmt_int(row, 3),
        };

        last_s = sum.hour_s > last_s ? sum.hour_s : last_s;
        rc = sums_add_row(sums, &sum);
    }
    if (row)
        stmt_reset(row);
    if (rc == 0 && last_s >= 0) {
        rc = sums_book(sums, stream->store, stream->node_key, stream->cluster, stream->err);
        if (rc == 0)
            rc = pending_book(stream->store, stream->err);
        row = rc == 0 ? prepare_lost(stream, hole, SQL_DROP_LOST_ROWS) : NULL;
        if (rc == 0)
            rc = row ? store_run(stream->store, row, stream->err) : -EIO;
        if (rc == 0)
            rc = drop_empty_sums(stream, hour_of(hole->from_ns), last_s);
    }
    sums_free(sums);
    return rc;
}

/* --- whose time it was ----------------------------------------------------------------------- */

/*
 * Job 0, the node itself, and the jobs that lived in the hole. One that was open in the batch
 * before and is in none after it ended in the hole, nobody knows when: it counts up to the end.
 */
static const char SQL_OWNERS[] =
    "SELECT 0 AS job_key, ?2 AS from_ns, ?3 AS to_ns UNION ALL"
    " SELECT job_key, MIN(begin_ns), MAX(last_ns) FROM (SELECT job_key, begin_ns, COALESCE(end_ns,"
    "  CASE WHEN stream = ?4 AND seen_seq <= ?5 THEN ?3 ELSE seen_ns END) AS last_ns"
    "  FROM allocation WHERE node_key = ?1 AND begin_ns < ?3) AS lives"
    " GROUP BY job_key HAVING MAX(last_ns) > ?2 ORDER BY 1";

static const char SQL_METERED[] =
    "SELECT begin_wall_ns, end_wall_ns FROM batch"
    " WHERE node_key = ?1 AND end_wall_ns > ?2 AND begin_wall_ns < ?3";

static const char SQL_ELAPSED[] =
    "SELECT component, SUM(elapsed_ms) FROM energy WHERE node_key = ?1 AND hour_s BETWEEN ?2 AND ?3"
    " AND job_key = ?4 AND sensor NOT LIKE 'lost %' GROUP BY component";

static const char SQL_ADD_LOST_ROW[] =
    "INSERT INTO energy (node_key, hour_s, job_key, step_id, component, quality, sensor,"
    " active_mj, idle_mj, metered_ms, elapsed_ms)"
    " VALUES (?1, ?3, ?4, ?5, ?6, 'gap', ?2, 0, 0, 0, ?7)";

/* How much time of its counters goes by in so much of an owner's time, around the hole. */
struct rate {
    int64_t metered_ns;
    size_t count;
    struct {
        char component[16];
        int64_t elapsed_ms;
    } of[COMPONENT_COUNT];
};

struct owner_life {
    int64_t job_key, from_ns, to_ns;
};

static int read_metered(const struct stream *stream, int64_t from_ns, int64_t to_ns,
                        struct rate *rate)
{
    struct stmt *row = prepare(stream, SQL_METERED);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_int(row, 1, stream->node_key);
    stmt_bind_int(row, 2, from_ns);
    stmt_bind_int(row, 3, to_ns);
    while ((rc = store_step(stream->store, row, stream->err)) > 0)
        rate->metered_ns += overlap_ns(from_ns, to_ns, stmt_int(row, 0),
                                       stmt_int(row, 1));
    return rc;
}

/* From the hours that the hole begins and ends in; where they are rolled up, their days. */
static int read_rate(const struct stream *stream, const struct hole *hole,
                     const struct owner_life *owner, struct rate *rate)
{
    int64_t before_s = 0, first_s, last_s, from_ns, to_ns;
    struct stmt *row = prepare(stream, SQL_ELAPSED);
    int rc = row ? roll_before(stream->store, &before_s, stream->err) : -EIO;

    *rate = (struct rate){ .metered_ns = 0 };
    if (rc < 0)
        return rc;
    first_s = roll_hour(hour_of(hole->from_ns), before_s);
    last_s = hour_of(hole->to_ns);
    last_s = last_s < before_s ? roll_hour(last_s, before_s) + ROLL_DAY_S - 3600 : last_s;
    from_ns = first_s * (int64_t)NS_PER_S;
    to_ns = last_s * (int64_t)NS_PER_S + NS_PER_HOUR;
    stmt_bind_int(row, 1, stream->node_key);
    stmt_bind_int(row, 2, first_s);
    stmt_bind_int(row, 3, last_s);
    stmt_bind_int(row, 4, owner->job_key);
    while ((rc = store_step(stream->store, row, stream->err)) > 0) {
        if (rate->count == COMPONENT_COUNT)
            continue;
        snprintf(rate->of[rate->count].component, sizeof(rate->of[0].component), "%s",
                 stmt_text(row, 0));
        rate->of[rate->count++].elapsed_ms = stmt_int(row, 1);
    }
    if (rc < 0)
        return rc;
    if (owner->job_key == 0)
        return read_metered(stream, from_ns, to_ns, rate);
    return read_metered(stream, from_ns > owner->from_ns ? from_ns : owner->from_ns,
                        to_ns < owner->to_ns ? to_ns : owner->to_ns, rate);
}

static int add_row(const struct stream *stream, const struct hole *hole, struct sums *sums,
                   const struct sums_row *sum, const char *component)
{
    struct stmt *stmt = prepare_lost(stream, hole, SQL_ADD_LOST_ROW);

    if (!stmt)
        return -EIO;
    if (sums_add_row(sums, sum) < 0)
        return error_set(stream->err, -ENOMEM, "out of memory");
    stmt_bind_int(stmt, 3, sum->hour_s);
    stmt_bind_int(stmt, 4, sum->job_key);
    stmt_bind_int(stmt, 5, sum->step_id);
    stmt_bind_text(stmt, 6, component);
    stmt_bind_int(stmt, 7, sum->elapsed_ms);
    return store_run(stream->store, stmt, stream->err);
}

static int book_owner(const struct stream *stream, const struct hole *hole,
                      const struct owner_life *owner, struct sums *sums)
{
    struct rate rate;
    int rc = read_rate(stream, hole, owner, &rate);

    for (size_t i = 0; i < rate.count && rate.metered_ns > 0 && rc == 0; i++) {
        for (int64_t hour_s = hour_of(hole->from_ns); hour_s <= hour_of(hole->to_ns) && rc == 0;
             hour_s += 3600) {
            int64_t hour_ns = hour_s * (int64_t)NS_PER_S;
            int64_t from_ns = hole->from_ns > hour_ns ? hole->from_ns : hour_ns;
            int64_t to_ns = hole->to_ns < hour_ns + NS_PER_HOUR ? hole->to_ns
                                                                : hour_ns + NS_PER_HOUR;
            int64_t lost_ns = overlap_ns(from_ns, to_ns, owner->from_ns, owner->to_ns);
            const struct sums_row sum = {
                .hour_s = hour_s, .job_key = owner->job_key, .step_id = REMAINDER_STEP,
                .quality = QUALITY_GAP,
                .elapsed_ms = (int64_t)mul_div((uint64_t)rate.of[i].elapsed_ms, (uint64_t)lost_ns,
                                               (uint64_t)rate.metered_ns),
            };

            if (sum.elapsed_ms > 0)
                rc = add_row(stream, hole, sums, &sum, rate.of[i].component);
        }
    }
    return rc;
}

static int book(const struct stream *stream, const struct hole *hole)
{
    struct stmt *row = prepare(stream, SQL_OWNERS);
    struct sums *sums = sums_new();
    int rc = !row ? -EIO : sums ? 0 : -ENOMEM;

    if (rc == 0) {
        stmt_bind_int(row, 1, stream->node_key);
        stmt_bind_int(row, 2, hole->from_ns);
        stmt_bind_int(row, 3, hole->to_ns);
        stmt_bind_text(row, 4, stream->name);
        stmt_bind_int(row, 5, hole->before);
    }
    while (rc == 0 && (rc = store_step(stream->store, row, stream->err)) > 0) {
        const struct owner_life owner = { stmt_int(row, 0),
                                          stmt_int(row, 1),
                                          stmt_int(row, 2) };

        rc = book_owner(stream, hole, &owner, sums);
    }
    if (row)
        stmt_reset(row);
    if (rc == 0)
        rc = sums_book(sums, stream->store, stream->node_key, stream->cluster, stream->err);
    if (rc == 0)
        rc = pending_book(stream->store, stream->err);
    sums_free(sums);
    return rc;
}

/* --- G2 -------------------------------------------------------------------------------------- */

/* The end of a batch, the begin and seq of the next, and how many between them are given up. */
static const char SQL_HOLE[] =
    "SELECT here.end_wall_ns, there.begin_wall_ns, COALESCE(there.first_seq, there.seq), COALESCE("
    "  (SELECT SUM(last_seq - first_seq + 1) FROM loss WHERE node_key = ?1 AND stream = ?2"
    "  AND first_seq > ?3 AND last_seq < there.seq), 0)"
    " FROM batch AS here LEFT JOIN batch AS there ON there.node_key = ?1 AND there.stream = ?2"
    " AND there.seq = (SELECT MIN(seq) FROM batch WHERE node_key = ?1 AND stream = ?2 AND seq > ?3)"
    " WHERE here.node_key = ?1 AND here.stream = ?2 AND here.seq = ?3";

/* What comes after the batch `before`: where it is a hole and all given up, its time is a gap. */
static int settle_after(const struct stream *stream, int64_t before)
{
    struct stmt *row = prepare_of(stream, SQL_HOLE);
    struct hole hole = { .before = before };
    int64_t next, given_up;
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_int(row, 3, before);
    rc = store_step(stream->store, row, stream->err);
    if (rc <= 0)
        return rc;
    hole.from_ns = stmt_int(row, 0);
    hole.to_ns = stmt_int(row, 1);
    next = stmt_int(row, 2);
    given_up = stmt_int(row, 3);
    stmt_reset(row);
    snprintf(hole.lost, sizeof(hole.lost), "lost %s %" PRId64, stream->name, before);
    rc = unbook(stream, &hole);
    if (rc == 0 && given_up > 0 && given_up == next - before - 1 && hole.to_ns > hole.from_ns)
        rc = book(stream, &hole);
    return rc == -ENOMEM ? error_set(stream->err, rc, "out of memory") : rc;
}

static const char SQL_BATCH_BEFORE[] =
    "SELECT MAX(seq) FROM batch WHERE node_key = ?1 AND stream = ?2 AND seq < ?3";
static const char SQL_LOSSES_AT[] =
    "SELECT COUNT(*) FROM loss WHERE node_key = ?1 AND stream = ?2"
    " AND first_seq <= ?3 + 1 AND last_seq >= ?3 - 1";
static const char SQL_TAKE_BACK[] =
    "DELETE FROM loss WHERE node_key = ?1 AND stream = ?2 AND ?3 BETWEEN first_seq AND last_seq";

static int settle_before(const struct stream *stream, int64_t seq)
{
    int64_t before;
    int rc = integer_of(stream, SQL_BATCH_BEFORE, seq, &before);

    return rc == 0 ? settle_after(stream, before) : rc;
}

int loss_settle(struct store *store, int64_t node_key, const char *cluster, const char *stream_name,
                int64_t seq, struct error *err)
{
    const struct stream stream = { store, node_key, cluster, stream_name, err };
    int64_t losses;
    int rc = integer_of(&stream, SQL_LOSSES_AT, seq, &losses);

    if (rc < 0 || losses == 0)
        return rc;
    rc = integer_of(&stream, SQL_TAKE_BACK, seq, &losses);
    if (rc == 0)
        rc = settle_before(&stream, seq);
    return rc == 0 ? settle_after(&stream, seq) : rc;
}

/* --- giving up ------------------------------------------------------------------------------- */

static const char SQL_ADD_LOSS[] =
    "INSERT INTO loss (node_key, stream, first_seq, last_seq, reason, made_by, made_s)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

static int add_loss(const struct stream *stream, int64_t first_seq, int64_t last_seq,
                    const struct loss_note *note)
{
    struct stmt *stmt = prepare_of(stream, SQL_ADD_LOSS);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 3, first_seq);
    stmt_bind_int(stmt, 4, last_seq);
    stmt_bind_text(stmt, 5, note->reason);
    stmt_bind_text(stmt, 6, note->made_by);
    stmt_bind_int(stmt, 7, clock_wall_ns() / (int64_t)NS_PER_S);
    rc = store_run(stream->store, stmt, stream->err);
    return rc == 0 ? settle_before(stream, first_seq) : rc;
}

/* Nodes of one name in several clusters: first those that have the stream. */
static const char SQL_FIND_NODE[] =
    "SELECT node_key, cluster, EXISTS (SELECT 1 FROM batch"
    " WHERE batch.node_key = node.node_key AND batch.stream = ?2) AS has_stream"
    " FROM node WHERE name = ?1 ORDER BY has_stream DESC LIMIT 2";
static const char SQL_IS_BOOKED[] =
    "SELECT 1 FROM (SELECT COALESCE(first_seq, seq) AS begins FROM batch WHERE node_key = ?1"
    " AND stream = ?2 AND seq >= ?3 ORDER BY seq LIMIT 1) AS found WHERE begins <= ?3";
static const char SQL_IS_GIVEN_UP[] =
    "SELECT 1 FROM loss WHERE node_key = ?1 AND stream = ?2 AND ?3 BETWEEN first_seq AND last_seq";

/* Whose stream it is: LOSS_BOOKED when that is clear, and then node_key and `cluster` are set. */
static int find_node(struct stream *stream, const char *node, char cluster[CLUSTER_NAME_SIZE],
                     enum loss_outcome *ret_outcome)
{
    struct stmt *row = prepare(stream, SQL_FIND_NODE);
    int has_stream, rc;

    if (!row)
        return -EIO;
    stmt_bind_text(row, 1, node);
    stmt_bind_text(row, 2, stream->name);
    rc = store_step(stream->store, row, stream->err);
    *ret_outcome = LOSS_NODE_UNKNOWN;
    if (rc <= 0)
        return rc;
    stream->node_key = stmt_int(row, 0);
    snprintf(cluster, CLUSTER_NAME_SIZE, "%s", stmt_text(row, 1));
    stream->cluster = cluster;
    has_stream = stmt_int(row, 2);
    rc = store_step(stream->store, row, stream->err);
    *ret_outcome = rc > 0 && stmt_int(row, 2) == has_stream ? LOSS_NODE_UNCLEAR
                                                                      : LOSS_BOOKED;
    stmt_reset(row);
    return rc < 0 ? rc : 0;
}

int loss_give_up(struct store *store, const char *node, const char *stream_name, int64_t seq,
                 const struct loss_note *note, enum loss_outcome *ret_outcome, struct error *err)
{
    struct stream stream = { .store = store, .name = stream_name, .err = err };
    char cluster[CLUSTER_NAME_SIZE];
    int64_t is_booked = 0, is_given_up = 0;
    int rc = find_node(&stream, node, cluster, ret_outcome);

    if (rc < 0 || *ret_outcome != LOSS_BOOKED)
        return rc;
    rc = integer_of(&stream, SQL_IS_BOOKED, seq, &is_booked);
    if (rc == 0)
        rc = integer_of(&stream, SQL_IS_GIVEN_UP, seq, &is_given_up);
    if (rc < 0)
        return rc;
    *ret_outcome = is_booked ? LOSS_NONE : is_given_up ? LOSS_THERE_ALREADY : LOSS_BOOKED;
    return *ret_outcome == LOSS_BOOKED ? add_loss(&stream, seq, seq, note) : 0;
}

/* --- every hole of a node -------------------------------------------------------------------- */

/* What is in the books or given up, in the order of the streams. */
static const char SQL_KNOWN[] =
    "SELECT node.node_key, node.cluster, known.stream, known.first_seq, known.last_seq,"
    " known.booked FROM (SELECT node_key, stream, COALESCE(first_seq, seq) AS first_seq,"
    "  seq AS last_seq, 1 AS booked FROM batch"
    "  UNION ALL SELECT node_key, stream, first_seq, last_seq, 0 FROM loss) AS known"
    " JOIN node ON node.node_key = known.node_key"
    " WHERE node.name = ?1 AND (?2 IS NULL OR known.stream = ?2)"
    " AND (?3 IS NULL OR node.cluster = ?3)"
    " ORDER BY node.node_key, known.stream, known.first_seq";

struct missing {
    int64_t node_key, first_seq, last_seq;
    char cluster[CLUSTER_NAME_SIZE], stream[17];
};

struct holes {
    struct missing *items;
    size_t count;   /* of which … */
    size_t certain; /* … a batch comes after */
    struct missing at; /* the stream in hand; first_seq: the next to come */
};

static int add_missing(struct holes *holes, int64_t last_seq)
{
    struct missing *grown = realloc(holes->items, (holes->count + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    holes->items = grown;
    grown[holes->count] = holes->at;
    grown[holes->count++].last_seq = last_seq;
    return 0;
}

static int take_known(struct holes *holes, struct stmt *row)
{
    int64_t node_key = stmt_int(row, 0), first_seq = stmt_int(row, 3);
    const char *stream = stmt_text(row, 2);
    struct missing *at = &holes->at;
    int rc = 0;

    if (at->node_key != node_key || strcmp(at->stream, stream) != 0) {
        *at = (struct missing){ .node_key = node_key, .first_seq = 1 };
        snprintf(at->cluster, sizeof(at->cluster), "%s",
                 stmt_text(row, 1));
        snprintf(at->stream, sizeof(at->stream), "%s", stream);
        holes->count = holes->certain;
    }
    if (first_seq > at->first_seq)
        rc = add_missing(holes, first_seq - 1);
    at->first_seq = stmt_int(row, 4) + 1;
    if (stmt_int(row, 5))
        holes->certain = holes->count;
    return rc;
}

/* What was asked for; NULL: any cluster, all streams. */
struct asked {
    const char *cluster, *node, *stream;
};

/* Whoever does not know of the other cluster means one node, and would give up two. */
static int check_one_node(const struct asked *asked, const struct missing *at, struct stmt *row,
                          struct error *err)
{
    if (at->node_key == 0 || at->node_key == stmt_int(row, 0))
        return 0;
    return error_set(err, -ENOTUNIQ, "a node %s is of cluster %s and of cluster %s; say which by "
                     "--cluster", asked->node, at->cluster,
                     stmt_text(row, 1));
}

static int no_batch(const struct asked *asked, struct error *err)
{
    const char *cluster = asked->cluster, *stream = asked->stream;

    return error_set(err, -ENOENT, "no batch of node %s%s%s%s%s is in the books; `carbonctl "
                     "status` lists the nodes, `carbonctl audit` the streams", asked->node,
                     cluster ? " of cluster " : "", cluster ? cluster : "",
                     stream ? ", stream " : "", stream ? stream : "");
}

static int find_holes(struct store *store, const struct asked *asked, struct holes *holes,
                      struct error *err)
{
    struct stmt *row = store_statement(store, SQL_KNOWN, err);
    int rc;

    if (!row)
        return -EIO;
    stmt_bind_text(row, 1, asked->node);
    stmt_bind_text(row, 2, asked->stream);
    stmt_bind_text(row, 3, asked->cluster);
    while ((rc = store_step(store, row, err)) > 0) {
        rc = check_one_node(asked, &holes->at, row, err);
        if (rc == 0)
            rc = take_known(holes, row);
        if (rc < 0)
            break;
    }
    stmt_reset(row);
    if (rc == -ENOMEM)
        return error_set(err, rc, "out of memory");
    return rc == 0 && holes->at.node_key == 0 ? no_batch(asked, err) : rc;
}

int loss_accept(struct store *store, const char *cluster, const char *node,
                const char *stream_name, const struct loss_note *note,
                void (*take)(void *arg, const struct loss_span *span), void *arg,
                struct error *err)
{
    const struct asked asked = { cluster, node, stream_name };
    struct holes holes = { .items = NULL };
    int rc = find_holes(store, &asked, &holes, err);

    for (size_t i = 0; i < holes.certain && rc == 0; i++) {
        const struct missing *hole = &holes.items[i];
        const struct stream stream = { store, hole->node_key, hole->cluster, hole->stream, err };
        const struct loss_span span = { hole->cluster, node, hole->stream, hole->first_seq,
                                        hole->last_seq };

        rc = add_loss(&stream, span.first_seq, span.last_seq, note);
        if (rc == 0)
            take(arg, &span);
    }
    free(holes.items);
    return rc;
}
