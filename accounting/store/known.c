#include "config.h"

#include "store/known.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/parse.h"
#include "store/db.h"

#define NAMES_MAX 400 /* two texts are bound for each in one statement: SQLite 3.26 takes 999 */
#define STREAM_SIZE 17

struct known_id {
    int64_t node_key, seq;
    const char *stream, *crc32; /* "": there is none */
};

struct known_step {
    struct known_step *next; /* of pending->step_list */
    struct cell row[STEP_COLUMNS];
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "out of memory");
}

static int order(int64_t x, int64_t y)
{
    return x < y ? -1 : x > y;
}

/* The item of a tree that equals *key, or a copy of it put there; NULL without memory. */
static void *have(void **tree, const void *key, size_t size,
                  int (*compare)(const void *, const void *))
{
    void **found = tfind(key, tree, compare), *copy;

    if (found)
        return *found;
    copy = malloc(size);
    if (!copy)
        return NULL;
    memcpy(copy, key, size);
    if (tsearch(copy, tree, compare))
        return copy;
    free(copy);
    return NULL;
}

static void *find(void *const *tree, const void *key, int (*compare)(const void *, const void *))
{
    void **found = tfind(key, tree, compare);

    return found ? *found : NULL;
}

/* --- nodes ----------------------------------------------------------------------------------- */

#define NODE_SELECT \
    "SELECT cluster, name, node_key, packages, cores, gpus, memory_mb," \
    " (SELECT stream || end_wall_ns FROM batch WHERE batch.node_key = node.node_key" \
    "  ORDER BY end_wall_ns DESC, stream DESC LIMIT 1) FROM node WHERE "

static const char SQL_NODE[] = NODE_SELECT "cluster = ?1 AND name = ?2";

static int compare_nodes(const void *a, const void *b)
{
    const struct known_node *x = a, *y = b;
    int rc = strcmp(x->name, y->name);

    return rc ? rc : strcmp(x->cluster, y->cluster);
}

/* What its batch that ended last says: its stream, then the nanosecond. */
static int take_newest(struct pending *pending, struct known_node *node, const char *newest)
{
    char stream[STREAM_SIZE];

    snprintf(stream, sizeof(stream), "%s", newest);
    node->newest_stream = pending_text(pending, stream);
    if (parse_i64(newest + strlen(stream), 0, INT64_MAX, &node->newest_end_ns) < 0)
        node->newest_end_ns = 0;
    return node->newest_stream ? 0 : -ENOMEM;
}

/* A node of this name; without a row (NULL), one that is not in the books. */
static struct known_node *take_node(struct pending *pending, const char *cluster, const char *name,
                                    struct stmt *row)
{
    struct known_node node = { .cluster = pending_text(pending, cluster),
                               .name = pending_text(pending, name) };

    if (row) {
        node.node_key = stmt_int(row, 2);
        node.packages = (uint32_t)stmt_int(row, 3);
        node.cores = (uint32_t)stmt_int(row, 4);
        node.gpus = (uint32_t)stmt_int(row, 5);
        node.memory_mb = stmt_int(row, 6);
    }
    if (row && !stmt_is_null(row, 7) && take_newest(pending, &node, stmt_text(row, 7)) < 0)
        return NULL;
    if (!node.cluster || !node.name)
        return NULL;
    return have(&pending->nodes, &node, sizeof(node), compare_nodes);
}

int known_node(struct store *store, const char *cluster, const char *name, struct known_node **ret,
               struct error *err)
{
    const struct known_node key = { .cluster = cluster, .name = name };
    struct pending *pending = pending_of(store);
    struct stmt *stmt;
    int rc;

    if (!pending)
        return no_memory(err);
    *ret = find(&pending->nodes, &key, compare_nodes);
    if (*ret)
        return 0;
    stmt = store_statement(store, SQL_NODE, err);
    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, cluster);
    stmt_bind_text(stmt, 2, name);
    rc = store_step(store, stmt, err);
    if (rc < 0)
        return rc;
    *ret = take_node(pending, cluster, name, rc > 0 ? stmt : NULL);
    stmt_reset(stmt);
    if (!*ret)
        return no_memory(err);
    (*ret)->left_open = (*ret)->newest_stream;
    return 0;
}

/* The one of a batch, where it was expected; NULL where the books do not have it. */
static struct known_node *node_of(const struct pending *pending, const struct batch_head *head)
{
    const struct known_node key = { .cluster = head->cluster, .name = head->node };
    struct known_node *node = find(&pending->nodes, &key, compare_nodes);

    return node && node->node_key ? node : NULL;
}

static bool is_next_cluster(const struct batch *const *batches, size_t i)
{
    return i == 0 || strcmp(batches[i]->head.cluster, batches[i - 1]->head.cluster) != 0;
}

static int expect_nodes(struct store *store, const struct batch *const *batches, size_t count,
                        struct error *err)
{
    struct stmt *stmt = NULL;
    struct buf sql;
    int rc, n = 0;

    buf_init(&sql);
    buf_printf(&sql, "%sname IN (", NODE_SELECT);
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, "%s?", i ? "," : "");
    buf_printf(&sql, ") AND cluster IN (");
    for (size_t i = 0; i < count; i++)
        if (is_next_cluster(batches, i))
            buf_printf(&sql, "%s?", i ? "," : "");
    buf_printf(&sql, ")");
    rc = buf_failed(&sql) ? no_memory(err) : store_prepare(store, sql.data, &stmt, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        stmt_bind_text(stmt, ++n, batches[i]->head.node);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (is_next_cluster(batches, i))
            stmt_bind_text(stmt, ++n, batches[i]->head.cluster);
    while (rc == 0 && (rc = store_step(store, stmt, err)) > 0)
        rc = take_node(store->pending, stmt_text(stmt, 0), stmt_text(stmt, 1), stmt)
                 ? 0 : no_memory(err);
    for (size_t i = 0; rc == 0 && i < count; i++) /* those that are not there */
        rc = take_node(store->pending, batches[i]->head.cluster, batches[i]->head.node, NULL)
                 ? 0 : no_memory(err);
    stmt_free(stmt);
    buf_free(&sql);
    return rc;
}

/* --- batches --------------------------------------------------------------------------------- */

const struct insert into_batches = {
    "batch", "node_key, stream, seq, crc32, boot_id, version, begin_boottime_ns, end_boottime_ns,"
    " begin_wall_ns, end_wall_ns, marks_bad, batches_dropped, loaded_s", "ititttiiiiiii", 3, "",
};

/* The row that a seq would be in: the first that ends with it, or behind it. */
static const char SQL_BATCH[] =
    "SELECT CASE WHEN seq = ?3 THEN crc32 ELSE '" KNOWN_FOLDED "' END FROM (SELECT * FROM batch"
    " WHERE node_key = ?1 AND stream = ?2 AND seq >= ?3 ORDER BY seq LIMIT 1) AS found"
    " WHERE COALESCE(first_seq, seq) <= ?3";

#define SELECT_CRCS \
    "SELECT v.node_key, v.stream, v.seq, (SELECT CASE WHEN b.seq = v.seq THEN b.crc32" \
    " WHEN b.first_seq <= v.seq THEN '" KNOWN_FOLDED "' END FROM batch AS b" \
    " WHERE b.node_key = v.node_key AND b.stream = v.stream AND b.seq >= v.seq" \
    " ORDER BY b.seq LIMIT 1) FROM v"

static int compare_ids(const void *a, const void *b)
{
    const struct known_id *x = a, *y = b;
    int rc = order(x->node_key, y->node_key);

    rc = rc ? rc : order(x->seq, y->seq);
    return rc ? rc : strcmp(x->stream, y->stream);
}

static struct known_id *take_id(struct pending *pending, int64_t node_key, const char *stream,
                                int64_t seq, const char *crc32)
{
    struct known_id id = { node_key, seq, pending_text(pending, stream),
                           pending_text(pending, crc32) };

    if (!id.stream || !id.crc32)
        return NULL;
    return have(&pending->ids, &id, sizeof(id), compare_ids);
}

int known_batch(struct store *store, int64_t node_key, const char *stream, int64_t seq,
                const char **ret_crc, struct error *err)
{
    const struct known_id key = { node_key, seq, stream, NULL };
    struct known_id *id = find(&store->pending->ids, &key, compare_ids);
    struct stmt *stmt = NULL;
    int rc = 0;

    if (!id) {
        stmt = store_statement(store, SQL_BATCH, err);
        if (!stmt)
            return -EIO;
        stmt_bind_int(stmt, 1, node_key);
        stmt_bind_text(stmt, 2, stream);
        stmt_bind_int(stmt, 3, seq);
        rc = store_step(store, stmt, err);
        if (rc < 0)
            return rc;
        id = take_id(store->pending, node_key, stream, seq, rc > 0 ? stmt_text(stmt, 0) : "");
        stmt_reset(stmt);
    }
    *ret_crc = id ? id->crc32 : "";
    return id ? 0 : no_memory(err);
}

int known_add_batch(struct store *store, struct known_node *node, const char *stream, int64_t seq,
                    const char *crc32, int64_t end_wall_ns)
{
    struct known_id *id = take_id(store->pending, node->node_key, stream, seq, "");

    if (!id || !(id->crc32 = pending_text(store->pending, crc32)))
        return -ENOMEM;
    if (node->newest_stream && (end_wall_ns < node->newest_end_ns ||
                                (end_wall_ns == node->newest_end_ns &&
                                 strcmp(stream, node->newest_stream) <= 0)))
        return 0;
    node->left_open |= node->newest_stream && strcmp(node->newest_stream, stream) != 0;
    node->newest_stream = id->stream;
    node->newest_end_ns = end_wall_ns;
    return 0;
}

/* Which of these are there, and of which others it is known that they are not. */
static int expect_batches(struct store *store, const struct batch *const *batches, size_t count,
                          struct error *err)
{
    struct stmt *stmt = NULL;
    struct buf sql;
    size_t n = 0;
    int rc = 0;

    buf_init(&sql);
    buf_printf(&sql, "WITH v (node_key, stream, seq) AS (VALUES ");
    for (size_t i = 0; i < count; i++) {
        const struct batch_head *head = &batches[i]->head;
        const struct known_node *node = node_of(store->pending, head);

        if (node && head->seq <= INT64_MAX)
            buf_printf(&sql, "%s(%" PRId64 ", '%016" PRIx64 "', %" PRIu64 ")", n++ ? "," : "",
                       node->node_key, head->stream, head->seq);
    }
    buf_printf(&sql, ") " SELECT_CRCS);
    if (n > 0)
        rc = buf_failed(&sql) ? no_memory(err) : store_prepare(store, sql.data, &stmt, err);
    while (n > 0 && rc == 0 && (rc = store_step(store, stmt, err)) > 0)
        rc = take_id(store->pending, stmt_int(stmt, 0), stmt_text(stmt, 1), stmt_int(stmt, 2),
                     stmt_is_null(stmt, 3) ? "" : stmt_text(stmt, 3)) ? 0 : no_memory(err);
    stmt_free(stmt);
    buf_free(&sql);
    return rc;
}

/* --- allocations ----------------------------------------------------------------------------- */

#define ALLOCATION_SELECT \
    "SELECT a.node_key, a.stream, a.ref, a.allocation_key, a.job_key, a.seen_seq, a.end_ns," \
    " a.flags, a.begin_ns, a.seen_ns, CASE WHEN job.state IS NULL THEN 0 ELSE 1 END," \
    " job.begin_s, job.restart_count, job.sluid, job.uid, job.gid, job.user_name, job.account," \
    " job.partition_name, job.qos, job.job_name, job.array_job_id, job.array_task_id," \
    " job.het_job_id, job.het_offset, job.node_count, job.exit_status, job.flags" \
    " FROM allocation AS a JOIN job ON job.job_key = a.job_key WHERE "
#define FACTS_AT 11 /* the column of the first */

static const char SQL_ALLOCATION[] =
    ALLOCATION_SELECT "a.node_key = ?1 AND a.stream = ?2 AND a.ref = ?3";

const struct insert into_allocations = {
    "allocation", "allocation_key, job_key, node_key, stream, ref, begin_ns, end_ns, seen_ns,"
    " seen_seq, cores, core_list, gpus, gpu_list, memory_mb, flags", "iiitiiiiiititii", 1,
    " ON CONFLICT (allocation_key) DO UPDATE SET begin_ns = excluded.begin_ns,"
    " end_ns = excluded.end_ns, seen_ns = excluded.seen_ns, seen_seq = excluded.seen_seq,"
    " cores = excluded.cores, core_list = excluded.core_list, gpus = excluded.gpus,"
    " gpu_list = excluded.gpu_list, memory_mb = excluded.memory_mb, flags = excluded.flags",
};

static int compare_allocations(const void *a, const void *b)
{
    const struct known_allocation *x = a, *y = b;
    int rc = order(x->node_key, y->node_key);

    rc = rc ? rc : order(x->ref, y->ref);
    return rc ? rc : strcmp(x->stream, y->stream);
}

static struct known_allocation *take_allocation(struct pending *pending, struct stmt *row)
{
    struct known_allocation known = {
        .node_key = stmt_int(row, 0),
        .stream = pending_text(pending, stmt_text(row, 1)),
        .ref = stmt_int(row, 2),
        .allocation_key = stmt_int(row, 3),
        .job_key = stmt_int(row, 4),
        .seen_seq = stmt_int(row, 5),
        .open = stmt_is_null(row, 6),
        .end_ns = stmt_int(row, 6),
        .flags = (uint32_t)stmt_int(row, 7),
        .life = { stmt_int(row, 8), stmt_int(row, 9) },
        .job_has_state = stmt_int(row, 10),
    };
    bool failed = !known.stream;

    if (!known.open)
        known.life.last_ns = known.end_ns;
    for (int i = 0; i < FACTS; i++) {
        const char *text = FACT_IS_TEXT(i) ? stmt_text(row, FACTS_AT + i) : NULL;

        if (text && !(text = pending_text(pending, text)))
            failed = true;
        known.facts[i] = FACT_IS_TEXT(i) ? cell_text(text)
                                         : cell_maybe(!stmt_is_null(row, FACTS_AT + i),
                                                      stmt_int(row, FACTS_AT + i));
    }
    return failed ? NULL : have(&pending->allocations, &known, sizeof(known), compare_allocations);
}

int known_allocation(struct store *store, const struct known_allocation *key,
                     const struct known_run *run, struct known_allocation **ret, struct error *err)
{
    struct stmt *stmt;
    int rc;

    *ret = find(&store->pending->allocations, key, compare_allocations);
    if (*ret || known_is_clear(run))
        return 0;
    stmt = store_statement(store, SQL_ALLOCATION, err);
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, key->node_key);
    stmt_bind_text(stmt, 2, key->stream);
    stmt_bind_int(stmt, 3, key->ref);
    rc = store_step(store, stmt, err);
    if (rc <= 0)
        return rc;
    *ret = take_allocation(store->pending, stmt);
    stmt_reset(stmt);
    return *ret ? 0 : no_memory(err);
}

bool known_is_open(struct store *store, const struct batch_head *head, uint64_t ref)
{
    const struct known_node *node = node_of(store->pending, head);
    char stream[STREAM_SIZE];
    struct known_allocation key = { .stream = stream, .ref = (int64_t)ref };

    snprintf(stream, sizeof(stream), "%016" PRIx64, head->stream);
    key.node_key = node ? node->node_key : 0;
    return node && find(&store->pending->allocations, &key, compare_allocations);
}

static int compare_node_keys(const void *a, const void *b)
{
    const struct known_node *const *x = a, *const *y = b;

    return order((*x)->node_key, (*y)->node_key);
}

/* One that is open, and of another stream than its node's last, may have been left so. */
static int take_open(struct pending *pending, struct known_node *const *nodes, size_t count,
                     struct stmt *row)
{
    const struct known_allocation *known = take_allocation(pending, row);
    const struct known_node key = { .node_key = known ? known->node_key : 0 }, *sought = &key;
    struct known_node *const *found = bsearch(&sought, nodes, count, sizeof(*nodes),
                                              compare_node_keys);

    if (found && (*found)->newest_stream && strcmp((*found)->newest_stream, known->stream) != 0)
        (*found)->left_open = true;
    return known ? 0 : -ENOMEM;
}

/* Those that are open on these nodes. */
static int expect_allocations(struct store *store, const struct batch *const *batches,
                              size_t count, struct error *err)
{
    struct known_node *nodes[NAMES_MAX];
    struct stmt *stmt = NULL;
    struct buf sql;
    size_t n = 0;
    int rc = 0;

    buf_init(&sql);
    buf_printf(&sql, "%sa.end_ns IS NULL AND a.node_key%s", ALLOCATION_SELECT,
               store->backend->list_begin);
    for (size_t i = 0; i < count; i++) {
        struct known_node *node = node_of(store->pending, &batches[i]->head);

        if (!node)
            continue;
        buf_printf(&sql, "%s%" PRId64, n ? "," : "", node->node_key);
        nodes[n++] = node;
    }
    buf_printf(&sql, "%s", store->backend->list_end);
    qsort(nodes, n, sizeof(nodes[0]), compare_node_keys);
    if (n > 0)
        rc = buf_failed(&sql) ? no_memory(err) : store_prepare(store, sql.data, &stmt, err);
    while (n > 0 && rc == 0 && (rc = store_step(store, stmt, err)) > 0)
        rc = take_open(store->pending, nodes, n, stmt) < 0 ? no_memory(err) : 0;
    stmt_free(stmt);
    buf_free(&sql);
    return rc;
}

static void drop(void **tree)
{
    tdestroy(*tree, free);
    *tree = NULL;
}

void known_wait(struct store *store, struct known_allocation *known)
{
    if (!known->waits) {
        known->next = store->pending->waiting;
        store->pending->waiting = known;
    }
    known->waits = true;
}

static void forget(struct pending *pending)
{
    drop(&pending->allocations);
    drop(&pending->runs);
    drop(&pending->places);
}

void known_forget(struct store *store)
{
    forget(store->pending);
}

/* --- runs ------------------------------------------------------------------------------------ */

const struct insert into_jobs = {
    "job", "job_key, cluster, job_id, begin_s, restart_count, sluid, uid, gid, user_name, account,"
    " partition_name, qos, job_name, array_job_id, array_task_id, het_job_id, het_offset,"
    " node_count, exit_status, flags", "itiiitiitttttiiiiiii", 1, "",
};

/* A node where a run of this transaction is. */
struct place {
    int64_t job_key, node_key;
};

static int compare_runs(const void *a, const void *b)
{
    const struct known_run *x = a, *y = b;
    int rc = order(x->job_id, y->job_id);

    return rc ? rc : strcmp(x->cluster, y->cluster);
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int rc = order(x->job_key, y->job_key);

    return rc ? rc : order(x->node_key, y->node_key);
}

struct known_run *known_run(struct store *store, const char *cluster, uint32_t job_id)
{
    const struct known_run key = { .cluster = cluster, .job_id = job_id };

    return find(&store->pending->runs, &key, compare_runs);
}

bool known_is_on(struct store *store, const struct known_run *run, int64_t node_key)
{
    const struct place key = { run->job_key, node_key };

    return find(&store->pending->places, &key, compare_places);
}

int known_add_allocation(struct store *store, const struct known_allocation *known)
{
    const struct place place = { known->job_key, known->node_key };
    struct known_allocation *kept = have(&store->pending->allocations, known, sizeof(*known),
                                         compare_allocations);

    if (!kept || !have(&store->pending->places, &place, sizeof(place), compare_places))
        return -ENOMEM;
    known_wait(store, kept);
    return 0;
}

/* Those of a batch that were not asked for yet, into the list of an IN. */
static int add_runs(struct store *store, const struct batch *batch, struct buf *sql, size_t *n)
{
    struct pending *pending = store->pending;

    for (size_t i = 0; i < batch->n_jobs; i++) {
        const struct batch_job *job = &batch->jobs[i];
        struct known_run run = { .job_id = job->job_id };

        if (known_is_open(store, &batch->head, job->ref) ||
            known_run(store, batch->head.cluster, job->job_id))
            continue;
        run.cluster = pending_text(pending, batch->head.cluster);
        if (!run.cluster || !have(&pending->runs, &run, sizeof(run), compare_runs))
            return -ENOMEM;
        buf_printf(sql, "%s%" PRIu32, (*n)++ ? "," : "", job->job_id);
    }
    return 0;
}

int known_expect_runs(struct store *store, const struct batch *const *batches, size_t count,
                      const bool *mine, struct error *err)
{
    struct stmt *stmt = NULL;
    struct buf sql;
    size_t n = 0;
    int rc = 0;

    buf_init(&sql);
    buf_printf(&sql, "SELECT DISTINCT cluster, job_id FROM job WHERE job_id%s",
               store->backend->list_begin);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = mine[i] ? add_runs(store, batches[i], &sql, &n) : 0;
    buf_printf(&sql, "%s", store->backend->list_end);
    if (rc < 0 || buf_failed(&sql))
        rc = no_memory(err);
    else if (n > 0)
        rc = store_prepare(store, sql.data, &stmt, err);
    while (stmt && rc == 0 && (rc = store_step(store, stmt, err)) > 0) {
        struct known_run *run = known_run(store, stmt_text(stmt, 0), (uint32_t)stmt_int(stmt, 1));

        if (run && run->job_key == 0)
            run->unclear = true;
        rc = 0;
    }
    stmt_free(stmt);
    buf_free(&sql);
    return rc;
}

int known_new_key(struct store *store, enum keyed keyed, int64_t *ret_key, struct error *err)
{
    struct new_keys *keys = &store->new_keys[keyed];
    int rc = 0;

    if (keys->used == keys->count) {
        keys->used = keys->count = 0;
        rc = store->backend->new_keys(store, keyed, keys, err);
    }
    if (rc == 0)
        *ret_key = keys->last = keys->keys[keys->used++];
    return rc;
}

/* --- steps ----------------------------------------------------------------------------------- */

const struct insert into_steps = {
    "step", "job_key, step_id, allocation_key, begin_ns, end_ns, seen_seq, cpu_ns, exit_status,"
    " cores, gpus, gpu_list, flags", "iiiiiiiiiiti", 3,
    " ON CONFLICT (job_key, step_id, allocation_key) DO UPDATE SET"
    " begin_ns = excluded.begin_ns, end_ns = excluded.end_ns, seen_seq = excluded.seen_seq,"
    " cpu_ns = excluded.cpu_ns, exit_status = COALESCE(excluded.exit_status, step.exit_status),"
    " cores = excluded.cores, gpus = excluded.gpus, gpu_list = excluded.gpu_list,"
    " flags = excluded.flags"
    " WHERE excluded.seen_seq > step.seen_seq",
};

static int compare_steps(const void *a, const void *b)
{
    const struct known_step *x = a, *y = b;
    int rc = 0;

    for (int i = 0; rc == 0 && i < 3; i++)
        rc = order(x->row[i].number, y->row[i].number);
    return rc;
}

int known_add_step(struct store *store, const struct cell row[STEP_COLUMNS])
{
    struct pending *pending = store->pending;
    struct known_step step = { .next = pending->step_list }, *known;
    struct cell status;

    memcpy(step.row, row, sizeof(step.row));
    known = find(&pending->steps, &step, compare_steps);
    if (!known) {
        known = have(&pending->steps, &step, sizeof(step), compare_steps);
        pending->step_list = known ? known : pending->step_list;
        return known ? 0 : -ENOMEM;
    }
    if (row[STEP_SEEN_SEQ].number <= known->row[STEP_SEEN_SEQ].number)
        return 0;
    status = known->row[STEP_EXIT];
    memcpy(known->row, row, sizeof(known->row));
    if (row[STEP_EXIT].kind == CELL_NULL)
        known->row[STEP_EXIT] = status;
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

int known_expect(struct store *store, const struct batch *const *batches, size_t count,
                 struct error *err)
{
    int rc = pending_of(store) ? 0 : no_memory(err);

    for (size_t done = 0, some; rc == 0 && done < count; done += some) {
        some = count - done < NAMES_MAX ? count - done : NAMES_MAX;
        rc = expect_nodes(store, batches + done, some, err);
        if (rc == 0)
            rc = expect_batches(store, batches + done, some, err);
        if (rc == 0)
            rc = expect_allocations(store, batches + done, some, err);
    }
    return rc;
}

int known_book_allocations(struct store *store, struct error *err)
{
    struct pending *pending = store->pending;
    struct adds adds = { .insert = &into_allocations };
    int rc = 0;

    for (; rc == 0 && pending->waiting; pending->waiting = pending->waiting->next) {
        rc = adds_row(&adds, pending->waiting->row);
        pending->waiting->waits = false;
    }
    rc = rc < 0 ? no_memory(err) : adds_book(&adds, store, err);
    adds_clear(&adds);
    return rc;
}

int known_book_steps(struct store *store, struct error *err)
{
    struct pending *pending = store->pending;
    struct adds adds = { .insert = &into_steps };
    int rc = 0;

    for (const struct known_step *step = pending->step_list; rc == 0 && step; step = step->next)
        rc = adds_row(&adds, step->row);
    rc = rc < 0 ? no_memory(err) : adds_book(&adds, store, err);
    adds_clear(&adds);
    pending->step_list = NULL;
    drop(&pending->steps);
    return rc;
}

void known_drop(struct pending *pending)
{
    drop(&pending->nodes);
    drop(&pending->ids);
    drop(&pending->steps);
    forget(pending);
}
