/*
 * Loading a batch, in named steps: what it holds must fit; its id is taken; its node, what its
 * counters counted, its jobs and steps, its energy and power are booked; what a newer stream of
 * the node left behind is closed; what was given up around it is settled.
 *
 * Invariants:
 *   L1  everything happens inside one savepoint: a batch is loaded whole or not at all
 *   L2  amounts are only ever added; states (end, exit, names, flags) are taken from the batch of
 *       the highest seq of the stream, whatever the order of arrival, and nothing known is lost
 *   L3  for every (node, hour, component): node_total = sum of its energy rows
 *   L4  the tables *_hour are the sums of energy and node_total, and allocation_month the months of
 *       the allocations, after every batch
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/backfill.h"
#include "store/identity.h"
#include "store/loss.h"
#include "store/millijoule.h"
#include "store/db.h"
#include "store/sums.h"

#define STREAM_SIZE 17
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_MINUTE 60

/* One batch on its way into the books. */
struct load {
    struct store *store;
    const struct batch *batch;
    const char *crc32;
    char stream[STREAM_SIZE];
    int64_t node_key;
    struct millijoules mj;
    struct sums *sums;
    struct booked {
        int64_t job_key, allocation_key;
    } *booked; /* by index of batch->jobs */
    struct texts { /* bound where they are: a copy could fail for want of memory, and be NULL */
        char cores[IDSET_TEXT_SIZE], gpus[IDSET_TEXT_SIZE];
    } *texts;
    struct error *err;
};

static int refuse(const struct load *load, const char *what)
{
    return error_set(load->err, -EBADMSG, "%s", what);
}

static struct stmt *prepare(const struct load *load, const char *sql)
{
    return store_statement(load->store, sql, load->err);
}

/* A statement that could not be prepared is the database's trouble, never the batch's. */
static int run(const struct load *load, struct stmt *stmt)
{
    return stmt ? store_run(load->store, stmt, load->err) : -EIO;
}

static void bind_optional(struct stmt *stmt, int index, bool known, int64_t number)
{
    if (known)
        stmt_bind_int(stmt, index, number);
    else
        stmt_bind_null(stmt, index);
}

static void bind_optional_text(struct stmt *stmt, int index, bool known, const char *text)
{
    stmt_bind_text(stmt, index, known ? text : NULL);
}

/* --- what it holds must fit ------------------------------------------------------------------ */

/*
 * A node and a cluster are named by those who run them, without control characters. Users choose
 * what else is text here, and no energy is refused for what they chose.
 */
static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return *text != '\0';
}

static int check_head(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;

    if (!is_name(head->node))
        return refuse(load, "its node has no name, or one with control characters");
    if (!is_name(head->cluster))
        return refuse(load, "its cluster has no name, or one with control characters");
    if (head->seq == 0 || head->seq > INT64_MAX)
        return refuse(load, "its seq is not one of 1, 2, …");
    if (head->begin_boottime_ns > INT64_MAX || head->end_boottime_ns > INT64_MAX ||
        head->begin_wall_ns < 0 || head->end_wall_ns < 0)
        return refuse(load, "its times are out of range");
    if (head->memory_mb > INT64_MAX || head->marks_bad > INT64_MAX ||
        head->batches_dropped > INT64_MAX)
        return refuse(load, "a count in its head is out of range");
    return 0;
}

static int check_rows(const struct load *load)
{
    const struct batch *batch = load->batch;

    for (size_t i = 0; i < batch->n_components; i++)
        if (batch->components[i].end_uj > INT64_MAX)
            return refuse(load, "a component counts more than 2^63 uJ");
    for (size_t i = 0; i < batch->n_totals; i++)
        if (batch->totals[i].hour_s < 0 || batch->totals[i].hour_s % SECONDS_PER_HOUR)
            return refuse(load, "hour_s of a total is not the begin of an hour");
    for (size_t i = 0; i < batch->n_energies; i++)
        if (batch->energies[i].hour_s < 0 || batch->energies[i].hour_s % SECONDS_PER_HOUR)
            return refuse(load, "hour_s of an energy row is not the begin of an hour");
    for (size_t i = 0; i < batch->n_powers; i++)
        if (batch->powers[i].minute_s < 0 || batch->powers[i].minute_s % SECONDS_PER_MINUTE)
            return refuse(load, "minute_s of a power row is not the begin of a minute");
    return 0;
}

static int check_jobs(const struct load *load)
{
    const struct batch *batch = load->batch;

    for (size_t i = 0; i < batch->n_jobs; i++) {
        const struct batch_job *job = &batch->jobs[i];

        if (job->ref > INT64_MAX || job->memory_mb > INT64_MAX || job->begin_wall_ns < 0 ||
            ((job->has & JOB_HAS_END) && job->end_wall_ns < 0))
            return refuse(load, "a number of a job is out of range");
    }
    for (size_t i = 0; i < batch->n_steps; i++) {
        const struct batch_step *step = &batch->steps[i];

        if (step->cpu_ns > INT64_MAX || step->begin_wall_ns < 0)
            return refuse(load, "a number of a step is out of range");
        if (!batch_find_job(batch, step->ref))
            return refuse(load, "a step names a job reference that is not here");
    }
    return 0;
}

/* --- its id and its node --------------------------------------------------------------------- */

static const char SQL_FIND_NODE[] =
    "SELECT node_key, packages, cores, gpus, memory_mb FROM node WHERE cluster = ?1 AND name = ?2";

static const char SQL_ADD_NODE[] =
    "INSERT INTO node (cluster, name, packages, cores, gpus, memory_mb)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/* The newest batch says what the node is now. */
static const char SQL_UPDATE_NODE[] =
    "UPDATE node SET packages = ?3, cores = ?4, gpus = ?5, memory_mb = ?6"
    " WHERE cluster = ?1 AND name = ?2 AND NOT EXISTS"
    " (SELECT 1 FROM batch WHERE batch.node_key = node.node_key AND end_wall_ns > ?7)";

static const char SQL_FIND_BATCH[] =
    "SELECT crc32 FROM batch WHERE node_key = ?1 AND stream = ?2 AND seq = ?3";

static const char SQL_ADD_BATCH[] =
    "INSERT INTO batch (node_key, stream, seq, crc32, boot_id, version, begin_boottime_ns,"
    " end_boottime_ns, begin_wall_ns, end_wall_ns, marks_bad, batches_dropped, loaded_s)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

static const char SQL_ADD_COMPONENT[] =
    "INSERT INTO batch_component (node_key, stream, seq, component, begin_uj, end_uj)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

static void bind_node(struct stmt *stmt, const struct batch_head *head)
{
    stmt_bind_text(stmt, 1, head->cluster);
    stmt_bind_text(stmt, 2, head->node);
    stmt_bind_int(stmt, 3, head->packages);
    stmt_bind_int(stmt, 4, head->cores);
    stmt_bind_int(stmt, 5, head->gpus);
    stmt_bind_int(stmt, 6, (int64_t)head->memory_mb);
}

/* 1: found, and *ret_same says whether its facts are those of the head; 0: not there. */
static int find_node(struct load *load, bool *ret_same)
{
    const struct batch_head *head = &load->batch->head;
    struct stmt *stmt = prepare(load, SQL_FIND_NODE);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, head->cluster);
    stmt_bind_text(stmt, 2, head->node);
    rc = store_step(load->store, stmt, load->err);
    if (rc <= 0)
        return rc;
    load->node_key = stmt_int(stmt, 0);
    *ret_same = stmt_int(stmt, 1) == head->packages &&
                stmt_int(stmt, 2) == head->cores &&
                stmt_int(stmt, 3) == head->gpus &&
                stmt_int(stmt, 4) == (int64_t)head->memory_mb;
    stmt_reset(stmt);
    return 1;
}

static int book_node(struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    bool same = false;
    struct stmt *stmt;
    int rc, found = find_node(load, &same);

    if (found < 0 || same)
        return found < 0 ? found : 0;
    stmt = prepare(load, found ? SQL_UPDATE_NODE : SQL_ADD_NODE);
    if (!stmt)
        return -EIO;
    bind_node(stmt, head);
    if (found)
        stmt_bind_int(stmt, 7, head->end_wall_ns);
    rc = run(load, stmt);
    if (rc == 0 && !found)
        load->node_key = store_inserted(load->store);
    return rc;
}

/* node, stream and seq, which begin the keys of several tables */
static void bind_id(struct stmt *stmt, const struct load *load)
{
    stmt_bind_int(stmt, 1, load->node_key);
    stmt_bind_text(stmt, 2, load->stream);
    stmt_bind_int(stmt, 3, (int64_t)load->batch->head.seq);
}

static int look_up_batch(struct load *load, enum store_outcome *ret_outcome)
{
    struct stmt *stmt = prepare(load, SQL_FIND_BATCH);
    int rc;

    if (!stmt)
        return -EIO;
    bind_id(stmt, load);
    rc = store_step(load->store, stmt, load->err);
    if (rc < 0)
        return rc;
    *ret_outcome = STORE_LOADED;
    if (rc > 0)
        *ret_outcome = strcmp(stmt_text(stmt, 0), load->crc32) == 0
                           ? STORE_DUPLICATE
                           : STORE_CONFLICTING;
    stmt_reset(stmt);
    return 0;
}

static int book_batch(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    struct stmt *stmt = prepare(load, SQL_ADD_BATCH);

    if (!stmt)
        return -EIO;
    bind_id(stmt, load);
    stmt_bind_text(stmt, 4, load->crc32);
    stmt_bind_text(stmt, 5, head->boot_id);
    stmt_bind_text(stmt, 6, head->version);
    stmt_bind_int(stmt, 7, (int64_t)head->begin_boottime_ns);
    stmt_bind_int(stmt, 8, (int64_t)head->end_boottime_ns);
    stmt_bind_int(stmt, 9, head->begin_wall_ns);
    stmt_bind_int(stmt, 10, head->end_wall_ns);
    stmt_bind_int(stmt, 11, (int64_t)head->marks_bad);
    stmt_bind_int(stmt, 12, (int64_t)head->batches_dropped);
    stmt_bind_int(stmt, 13, clock_wall_ns() / (int64_t)NS_PER_S);
    return run(load, stmt);
}

static int book_components(const struct load *load)
{
    int rc = 0;

    for (size_t i = 0; i < load->batch->n_components && rc == 0; i++) {
        const struct batch_component *component = &load->batch->components[i];
        struct stmt *stmt = prepare(load, SQL_ADD_COMPONENT);

        if (!stmt)
            return -EIO;
        bind_id(stmt, load);
        stmt_bind_text(stmt, 4, component_names[component->component]);
        stmt_bind_int(stmt, 5, (int64_t)component->begin_uj);
        stmt_bind_int(stmt, 6, (int64_t)component->end_uj);
        rc = run(load, stmt);
    }
    return rc;
}

/* --- its jobs -------------------------------------------------------------------------------- */

#define JOB_COLUMNS(x) \
    x("restart_count", 3) x("sluid", 4) x("uid", 5) x("gid", 6) x("user_name", 7) \
    x("account", 8) x("partition_name", 9) x("qos", 10) x("job_name", 11) \
    x("array_job_id", 12) x("array_task_id", 13) x("het_job_id", 14) x("het_offset", 15) \
    x("node_count", 16)

/* 1 job_key, 2 begin_s, 17 exit_status, 18 flags. exit_status: the worst, the largest, stays. */
#define JOB_REST \
    " begin_s = CASE WHEN begin_s > ?2 THEN ?2 ELSE begin_s END," \
    " exit_status = CASE WHEN ?17 IS NULL OR (exit_status IS NOT NULL AND exit_status >= ?17)" \
    "  THEN exit_status ELSE ?17 END," \
    " flags = flags | ?18 WHERE job_key = ?1"

/* What slurmdbd said of a job (state is there then) is better than what a node says. */
#define NEW_WINS(column, number) \
    column " = CASE WHEN state IS NULL THEN COALESCE(?" #number ", " column ")" \
    " ELSE COALESCE(" column ", ?" #number ") END,"
#define OLD_WINS(column, number) column " = COALESCE(" column ", ?" #number "),"

static const char SQL_UPDATE_JOB[] = "UPDATE job SET " JOB_COLUMNS(NEW_WINS) JOB_REST;
static const char SQL_COMPLETE_JOB[] = "UPDATE job SET " JOB_COLUMNS(OLD_WINS) JOB_REST;

static const char SQL_ADD_JOB[] =
    "INSERT INTO job (cluster, job_id, restart_count, begin_s) VALUES (?1, ?2, ?3, ?4)";

static const char SQL_END_JOB[] =
    "UPDATE job SET end_s = CASE WHEN EXISTS"
    " (SELECT 1 FROM allocation WHERE job_key = ?1 AND end_ns IS NULL) THEN NULL"
    " ELSE (SELECT MAX(end_ns) / 1000000000 FROM allocation WHERE job_key = ?1) END"
    " WHERE job_key = ?1";

static const char SQL_FLAGS_OF_JOB[] = "SELECT flags FROM allocation WHERE job_key = ?1";
static const char SQL_SET_FLAGS[] = "UPDATE job SET flags = ?2 WHERE job_key = ?1";

static const char SQL_FIND_ALLOCATION[] =
    "SELECT allocation_key, job_key, seen_seq, end_ns, flags, begin_ns, seen_ns FROM allocation"
    " WHERE node_key = ?1 AND stream = ?2 AND ref = ?3";

static const char SQL_ADD_ALLOCATION[] =
    "INSERT INTO allocation (begin_ns, end_ns, seen_ns, seen_seq, cores, core_list, gpus,"
    " gpu_list, memory_mb, flags, job_key, node_key, stream, ref)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

static const char SQL_UPDATE_ALLOCATION[] =
    "UPDATE allocation SET begin_ns = ?1, end_ns = ?2, seen_ns = ?3, seen_seq = ?4, cores = ?5,"
    " core_list = ?6, gpus = ?7, gpu_list = ?8, memory_mb = ?9, flags = ?10"
    " WHERE allocation_key = ?11";

/* An allocation as it stands in the books. */
struct known {
    bool there, open;
    int64_t allocation_key, job_key, seen_seq, end_ns;
    uint32_t flags;
    struct sums_life life;
};

static int find_allocation(const struct load *load, uint64_t ref, struct known *ret_known)
{
    struct stmt *stmt = prepare(load, SQL_FIND_ALLOCATION);
    int rc;

    *ret_known = (struct known){ 0 };
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, load->node_key);
    stmt_bind_text(stmt, 2, load->stream);
    stmt_bind_int(stmt, 3, (int64_t)ref);
    rc = store_step(load->store, stmt, load->err);
    if (rc <= 0)
        return rc;
    *ret_known = (struct known){
        .there = true,
        .allocation_key = stmt_int(stmt, 0),
        .job_key = stmt_int(stmt, 1),
        .seen_seq = stmt_int(stmt, 2),
        .open = stmt_is_null(stmt, 3),
        .end_ns = stmt_int(stmt, 3),
        .flags = (uint32_t)stmt_int(stmt, 4),
        .life.begin_ns = stmt_int(stmt, 5),
        .life.last_ns = stmt_int(stmt, 6),
    };
    if (!ret_known->open)
        ret_known->life.last_ns = ret_known->end_ns;
    stmt_reset(stmt);
    return 0;
}

static int64_t begin_of_job_s(const struct batch_job *job)
{
    return job->begin_wall_ns / (int64_t)NS_PER_S;
}

static int add_job(const struct load *load, const struct batch_job *job, int64_t *ret_job_key)
{
    struct stmt *stmt = prepare(load, SQL_ADD_JOB);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, load->batch->head.cluster);
    stmt_bind_int(stmt, 2, job->job_id);
    stmt_bind_int(stmt, 3, job->has & JOB_HAS_RESTARTS ? job->restart_count : 0);
    stmt_bind_int(stmt, 4, begin_of_job_s(job));
    rc = run(load, stmt);
    if (rc == 0)
        *ret_job_key = store_inserted(load->store);
    return rc;
}

/* L2: fresh news win over what is known, old news only fill what is not. */
static int update_job(const struct load *load, const struct batch_job *job, int64_t job_key,
                      bool fresh)
{
    struct stmt *stmt = prepare(load, fresh ? SQL_UPDATE_JOB : SQL_COMPLETE_JOB);
    uint32_t has = job->has;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    stmt_bind_int(stmt, 2, begin_of_job_s(job));
    bind_optional(stmt, 3, has & JOB_HAS_RESTARTS, job->restart_count);
    bind_optional_text(stmt, 4, has & JOB_HAS_SLUID, job->sluid);
    bind_optional(stmt, 5, has & JOB_HAS_UID, job->uid);
    bind_optional(stmt, 6, has & JOB_HAS_UID, job->gid);
    bind_optional_text(stmt, 7, has & JOB_HAS_USER, job->user);
    bind_optional_text(stmt, 8, has & JOB_HAS_ACCOUNT, job->account);
    bind_optional_text(stmt, 9, has & JOB_HAS_PARTITION, job->partition);
    bind_optional_text(stmt, 10, has & JOB_HAS_QOS, job->qos);
    bind_optional_text(stmt, 11, has & JOB_HAS_NAME, job->name);
    bind_optional(stmt, 12, has & JOB_HAS_ARRAY, job->array_job_id);
    bind_optional(stmt, 13, has & JOB_HAS_ARRAY, job->array_task_id);
    bind_optional(stmt, 14, has & JOB_HAS_HET, job->het_job_id);
    bind_optional(stmt, 15, has & JOB_HAS_HET, job->het_offset);
    bind_optional(stmt, 16, has & JOB_HAS_NODES, job->node_count);
    bind_optional(stmt, 17, has & JOB_HAS_EXIT, job->exit_status);
    stmt_bind_int(stmt, 18, fresh ? job->flags : 0);
    return run(load, stmt);
}

/* job.end_s, after an allocation of it came, ended or opened again */
static int end_job(const struct load *load, int64_t job_key)
{
    struct stmt *stmt = prepare(load, SQL_END_JOB);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    return run(load, stmt);
}

/* job.flags anew from its allocations: needed only when one of them lost a flag */
static int collect_flags(const struct load *load, int64_t job_key)
{
    struct stmt *stmt = prepare(load, SQL_FLAGS_OF_JOB);
    int64_t flags = 0;
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    while ((rc = store_step(load->store, stmt, load->err)) > 0)
        flags |= stmt_int(stmt, 0);
    stmt = rc == 0 ? prepare(load, SQL_SET_FLAGS) : NULL;
    if (!stmt)
        return rc < 0 ? rc : -EIO;
    stmt_bind_int(stmt, 1, job_key);
    stmt_bind_int(stmt, 2, flags);
    return run(load, stmt);
}

/* As bind_allocation() books it. Closing what was left open changes nothing of it. */
static struct sums_life life_of(const struct load *load, const struct batch_job *job)
{
    return (struct sums_life){ job->begin_wall_ns, job->has & JOB_HAS_END
                                                       ? job->end_wall_ns
                                                       : load->batch->head.end_wall_ns };
}

/* Parameters 1 to 10 of SQL_ADD_ALLOCATION and SQL_UPDATE_ALLOCATION. */
static void bind_allocation(struct stmt *stmt, const struct load *load,
                            const struct batch_job *job)
{
    struct texts *texts = load->texts;
    bool ended = job->has & JOB_HAS_END;
    const struct batch_head *head = &load->batch->head;

    idset_format(&job->cores, texts->cores, sizeof(texts->cores));
    idset_format(&job->gpus, texts->gpus, sizeof(texts->gpus));
    stmt_bind_int(stmt, 1, job->begin_wall_ns);
    bind_optional(stmt, 2, ended, job->end_wall_ns);
    stmt_bind_int(stmt, 3, ended ? job->end_wall_ns : head->end_wall_ns);
    stmt_bind_int(stmt, 4, (int64_t)head->seq);
    stmt_bind_int(stmt, 5, idset_count(&job->cores));
    stmt_bind_text(stmt, 6, texts->cores);
    stmt_bind_int(stmt, 7, idset_count(&job->gpus));
    stmt_bind_text(stmt, 8, texts->gpus);
    stmt_bind_int(stmt, 9, (int64_t)job->memory_mb);
    stmt_bind_int(stmt, 10, job->flags);
}

static int add_allocation(const struct load *load, const struct batch_job *job,
                          struct booked *booked)
{
    const struct sums_life life = life_of(load, job);
    struct stmt *stmt = prepare(load, SQL_ADD_ALLOCATION);
    int rc;

    if (!stmt)
        return -EIO;
    bind_allocation(stmt, load, job);
    stmt_bind_int(stmt, 11, booked->job_key);
    stmt_bind_int(stmt, 12, load->node_key);
    stmt_bind_text(stmt, 13, load->stream);
    stmt_bind_int(stmt, 14, (int64_t)job->ref);
    rc = run(load, stmt);
    if (rc < 0)
        return rc;
    booked->allocation_key = store_inserted(load->store);
    return sums_book_months(load->store, booked->allocation_key, NULL, &life, load->err);
}

static const char SQL_UNBREAK[] =
    "UPDATE allocation SET flags = flags - 4 WHERE job_key = ?1 AND node_key = ?2"
    " AND stream <> ?3 AND (flags & 4) <> 0";
_Static_assert(FLAG_END_LOST == 4, "SQL_UNBREAK takes it off");

/* An allocation came that goes on with one of an older stream of its node: that did not end. */
static int unbreak(const struct load *load, int64_t job_key)
{
    struct stmt *stmt = prepare(load, SQL_UNBREAK);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    stmt_bind_int(stmt, 2, load->node_key);
    stmt_bind_text(stmt, 3, load->stream);
    rc = run(load, stmt);
    if (rc == 0 && store_changed(load->store) > 0)
        rc = collect_flags(load, job_key);
    return rc;
}

/* An allocation that the books do not have: find or open its run. */
static int book_new_allocation(const struct load *load, const struct batch_job *job,
                               struct booked *booked)
{
    const struct identity identity = { load->batch->head.cluster, load->node_key, job,
                                       load->batch->head.end_wall_ns };
    int rc = identity_find(load->store, &identity, &booked->job_key, load->err);

    if (rc == 0 && booked->job_key == 0)
        rc = add_job(load, job, &booked->job_key);
    else if (rc == 0)
        rc = unbreak(load, booked->job_key);
    if (rc == 0)
        rc = add_allocation(load, job, booked);
    if (rc == 0)
        rc = update_job(load, job, booked->job_key, true);
    return rc == 0 ? end_job(load, booked->job_key) : rc;
}

static int book_news(const struct load *load, const struct batch_job *job,
                     const struct known *known)
{
    const struct sums_life life = life_of(load, job);
    bool ended = job->has & JOB_HAS_END;
    struct stmt *stmt = prepare(load, SQL_UPDATE_ALLOCATION);
    int rc;

    if (!stmt)
        return -EIO;
    bind_allocation(stmt, load, job);
    stmt_bind_int(stmt, 11, known->allocation_key);
    rc = run(load, stmt);
    if (rc == 0)
        rc = sums_book_months(load->store, known->allocation_key, &known->life, &life, load->err);
    if (rc == 0)
        rc = update_job(load, job, known->job_key, true);
    if (rc == 0 && (known->open == ended || (ended && known->end_ns != job->end_wall_ns)))
        rc = end_job(load, known->job_key);
    if (rc == 0 && (known->flags & ~job->flags))
        rc = collect_flags(load, known->job_key);
    return rc;
}

static int book_job(const struct load *load, const struct batch_job *job, struct booked *booked)
{
    struct known known;
    int rc = find_allocation(load, job->ref, &known);

    if (rc < 0)
        return rc;
    if (!known.there)
        return book_new_allocation(load, job, booked);
    *booked = (struct booked){ known.job_key, known.allocation_key };
    if ((int64_t)load->batch->head.seq > known.seen_seq)
        return book_news(load, job, &known);
    return update_job(load, job, known.job_key, false);
}

static int book_jobs(const struct load *load)
{
    int rc = 0;

    for (size_t i = 0; i < load->batch->n_jobs && rc == 0; i++)
        rc = book_job(load, &load->batch->jobs[i], &load->booked[i]);
    return rc;
}

static const struct booked *booked_of(const struct load *load, uint64_t ref)
{
    return &load->booked[batch_find_job(load->batch, ref) - load->batch->jobs];
}

/* --- its steps ------------------------------------------------------------------------------- */

static const char SQL_BOOK_STEP[] =
    "INSERT INTO step (job_key, step_id, allocation_key, begin_ns, end_ns, seen_seq, cpu_ns,"
    " exit_status, cores, gpus, gpu_list, flags)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    " ON CONFLICT (job_key, step_id, allocation_key) DO UPDATE SET"
    " begin_ns = excluded.begin_ns, end_ns = excluded.end_ns, seen_seq = excluded.seen_seq,"
    " cpu_ns = excluded.cpu_ns, exit_status = COALESCE(excluded.exit_status, step.exit_status),"
    " cores = excluded.cores, gpus = excluded.gpus, gpu_list = excluded.gpu_list,"
    " flags = excluded.flags"
    " WHERE excluded.seen_seq > step.seen_seq";

static int book_step(const struct load *load, const struct batch_step *step)
{
    const struct booked *booked = booked_of(load, step->ref);
    struct stmt *stmt = prepare(load, SQL_BOOK_STEP);
    char *gpus = load->texts->gpus;

    if (!stmt)
        return -EIO;
    idset_format(&step->gpus, gpus, sizeof(load->texts->gpus));
    stmt_bind_int(stmt, 1, booked->job_key);
    stmt_bind_int(stmt, 2, step->step_id);
    stmt_bind_int(stmt, 3, booked->allocation_key);
    stmt_bind_int(stmt, 4, step->begin_wall_ns);
    bind_optional(stmt, 5, step->has & STEP_HAS_END, step->end_wall_ns);
    stmt_bind_int(stmt, 6, (int64_t)load->batch->head.seq);
    stmt_bind_int(stmt, 7, (int64_t)step->cpu_ns);
    bind_optional(stmt, 8, step->has & STEP_HAS_EXIT, step->exit_status);
    stmt_bind_int(stmt, 9, idset_count(&step->cores));
    stmt_bind_int(stmt, 10, idset_count(&step->gpus));
    stmt_bind_text(stmt, 11, gpus);
    stmt_bind_int(stmt, 12, step->flags);
    return run(load, stmt);
}

static int book_steps(const struct load *load)
{
    int rc = 0;

    for (size_t i = 0; i < load->batch->n_steps && rc == 0; i++)
        rc = book_step(load, &load->batch->steps[i]);
    return rc;
}

/* --- its energy and power -------------------------------------------------------------------- */

static const char SQL_BOOK_ENERGY[] =
    "INSERT INTO energy (node_key, hour_s, job_key, step_id, component, quality, sensor,"
    " active_mj, idle_mj, metered_ms, elapsed_ms)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    " ON CONFLICT (node_key, hour_s, job_key, step_id, component, quality, sensor) DO UPDATE SET"
    " active_mj = energy.active_mj + excluded.active_mj,"
    " idle_mj = energy.idle_mj + excluded.idle_mj,"
    " metered_ms = energy.metered_ms + excluded.metered_ms,"
    " elapsed_ms = energy.elapsed_ms + excluded.elapsed_ms";

static const char SQL_BOOK_POWER[] =
    "INSERT INTO power (job_key, node_key, minute_s, component, energy_mj, span_ms)"
    " VALUES (?1, ?2, ?3, ?6, ?4, ?5)"
    " ON CONFLICT (job_key, minute_s, node_key, component) DO UPDATE SET"
    " energy_mj = power.energy_mj + excluded.energy_mj, span_ms = power.span_ms + excluded.span_ms";

/* To the nearest, half up: monotonic, so metered <= elapsed survives it. */
static int64_t rounded(uint64_t amount, uint64_t unit)
{
    return (int64_t)(amount / unit + (amount % unit >= unit / 2));
}

static int64_t ms_of(uint64_t ns)
{
    return rounded(ns, UINT64_C(1000000));
}

static int64_t job_key_of(const struct load *load, const struct batch_energy *row)
{
    return row->has & ENERGY_HAS_REF ? booked_of(load, row->ref)->job_key : 0;
}

static int64_t step_id_of(const struct batch_energy *row)
{
    return row->owner == OWNER_STEP        ? (int64_t)row->step_id
           : row->owner == OWNER_REMAINDER ? REMAINDER_STEP
           : row->owner == OWNER_SYSTEM    ? SYSTEM_STEP
                                           : UNALLOCATED_STEP;
}

static int book_energy(const struct load *load, size_t index)
{
    const struct batch_energy *row = &load->batch->energies[index];
    const struct sums_row sum = {
        .hour_s = row->hour_s,
        .job_key = job_key_of(load, row),
        .step_id = step_id_of(row),
        .quality = row->quality,
        .active_mj = (int64_t)load->mj.rows[index].active_mj,
        .idle_mj = (int64_t)load->mj.rows[index].idle_mj,
        .metered_ms = ms_of(row->metered_ns),
        .elapsed_ms = ms_of(row->elapsed_ns),
    };
    struct stmt *stmt = prepare(load, SQL_BOOK_ENERGY);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, load->node_key);
    stmt_bind_int(stmt, 2, sum.hour_s);
    stmt_bind_int(stmt, 3, sum.job_key);
    stmt_bind_int(stmt, 4, sum.step_id);
    stmt_bind_text(stmt, 5, component_names[row->component]);
    stmt_bind_text(stmt, 6, quality_names[row->quality]);
    stmt_bind_text(stmt, 7, row->sensor);
    stmt_bind_int(stmt, 8, sum.active_mj);
    stmt_bind_int(stmt, 9, sum.idle_mj);
    stmt_bind_int(stmt, 10, sum.metered_ms);
    stmt_bind_int(stmt, 11, sum.elapsed_ms);
    if (sums_add_row(load->sums, &sum) < 0)
        return error_set(load->err, -ENOMEM, "out of memory");
    return run(load, stmt);
}

static int book_total(const struct load *load, size_t index)
{
    const struct batch_total *total = &load->batch->totals[index];

    return sums_book_total(load->sums, load->store, load->node_key, total->hour_s,
                           component_names[total->component],
                           (int64_t)load->mj.totals_mj[index], load->err);
}

/* The first meters did not tell components apart. */
static int book_power(const struct load *load, const struct batch_power *power)
{
    struct stmt *stmt = prepare(load, SQL_BOOK_POWER);
    const char *component =
        power->has & POWER_HAS_COMPONENT ? component_names[power->component] : "all";

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, booked_of(load, power->ref)->job_key);
    stmt_bind_int(stmt, 2, load->node_key);
    stmt_bind_int(stmt, 3, power->minute_s);
    stmt_bind_int(stmt, 4, rounded(power->energy_uj, 1000));
    stmt_bind_int(stmt, 5, ms_of(power->span_ns));
    stmt_bind_text(stmt, 6, component);
    return run(load, stmt);
}

static int book_amounts(const struct load *load)
{
    int rc = 0;

    for (size_t i = 0; i < load->batch->n_energies && rc == 0; i++)
        rc = book_energy(load, i);
    for (size_t i = 0; i < load->batch->n_totals && rc == 0; i++)
        rc = book_total(load, i);
    for (size_t i = 0; i < load->batch->n_powers && rc == 0; i++)
        rc = book_power(load, &load->batch->powers[i]);
    if (rc == 0)
        rc = sums_book(load->sums, load->store, load->node_key, load->batch->head.cluster,
                       load->err);
    return rc;
}

/* --- what a newer stream left behind --------------------------------------------------------- */

/*
 * A stream ends without a word when its node reboots, or when a meter comes up without its
 * checkpoint. Nothing more will be heard of its open allocations, so once a newer stream of the
 * node is in the books they are closed where they were last seen. That is derived state: should a
 * later batch of the old stream still arrive, it overwrites it, and the rule is applied again.
 */
static const char SQL_NEWEST_STREAM[] =
    "SELECT stream, boot_id FROM batch WHERE node_key = ?1"
    " ORDER BY end_wall_ns DESC, stream DESC LIMIT 1";

static const char SQL_LEFT_OPEN[] =
    "SELECT allocation_key, job_key, flags,"
    " (SELECT boot_id FROM batch WHERE batch.node_key = old.node_key AND batch.stream = old.stream"
    "  LIMIT 1),"
    " EXISTS (SELECT 1 FROM allocation AS new WHERE new.job_key = old.job_key"
    "  AND new.node_key = old.node_key AND new.stream = ?2)"
    " FROM allocation AS old WHERE node_key = ?1 AND end_ns IS NULL AND stream <> ?2 LIMIT 1";

static const char SQL_CLOSE_ALLOCATION[] =
    "UPDATE allocation SET end_ns = seen_ns, flags = flags | ?2 WHERE allocation_key = ?1";

static const char SQL_CLOSE_STEPS[] =
    "UPDATE step SET end_ns = (SELECT seen_ns FROM allocation WHERE allocation_key = ?1),"
    " flags = flags | ?2 WHERE allocation_key = ?1 AND job_key = ?3 AND end_ns IS NULL";

static const char SQL_ADD_FLAGS[] = "UPDATE job SET flags = flags | ?2 WHERE job_key = ?1";

static int run_with_flags(const struct load *load, const char *sql, int64_t key, uint32_t flags,
                          int64_t job_key)
{
    struct stmt *stmt = prepare(load, sql);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, key);
    stmt_bind_int(stmt, 2, flags);
    if (job_key)
        stmt_bind_int(stmt, 3, job_key);
    return run(load, stmt);
}

static int close_allocation(const struct load *load, int64_t allocation_key, int64_t job_key,
                            uint32_t flags)
{
    int rc = run_with_flags(load, SQL_CLOSE_ALLOCATION, allocation_key, flags, 0);

    if (rc == 0)
        rc = run_with_flags(load, SQL_CLOSE_STEPS, allocation_key, flags, job_key);
    if (rc == 0)
        rc = run_with_flags(load, SQL_ADD_FLAGS, job_key, flags, 0);
    return rc == 0 ? end_job(load, job_key) : rc;
}

/* 1 when one was closed, 0 when none is left. */
static int close_one_left_open(const struct load *load, const char *stream, const char *boot_id)
{
    struct stmt *stmt = prepare(load, SQL_LEFT_OPEN);
    int64_t allocation_key, job_key;
    uint32_t flags;
    bool rebooted, goes_on;
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, load->node_key);
    stmt_bind_text(stmt, 2, stream);
    rc = store_step(load->store, stmt, load->err);
    if (rc <= 0)
        return rc;
    allocation_key = stmt_int(stmt, 0);
    job_key = stmt_int(stmt, 1);
    rebooted = strcmp(stmt_text(stmt, 3), boot_id) != 0;
    goes_on = stmt_int(stmt, 4);
    stmt_reset(stmt);
    flags = (goes_on ? 0 : FLAG_END_LOST) | (rebooted ? FLAG_REBOOT : 0);
    rc = close_allocation(load, allocation_key, job_key, flags);
    return rc < 0 ? rc : 1;
}

static int close_left_open(const struct load *load)
{
    struct stmt *stmt = prepare(load, SQL_NEWEST_STREAM);
    char stream[STREAM_SIZE], boot_id[BOOT_ID_SIZE];
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, load->node_key);
    rc = store_step(load->store, stmt, load->err);
    if (rc <= 0)
        return rc;
    snprintf(stream, sizeof(stream), "%s", stmt_text(stmt, 0));
    snprintf(boot_id, sizeof(boot_id), "%s", stmt_text(stmt, 1));
    stmt_reset(stmt);
    do
        rc = close_one_left_open(load, stream, boot_id);
    while (rc > 0);
    return rc;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int book(struct load *load, enum store_outcome *ret_outcome)
{
    int rc = book_node(load);

    if (rc == 0)
        rc = look_up_batch(load, ret_outcome);
    if (rc < 0 || *ret_outcome != STORE_LOADED)
        return rc;
    rc = book_batch(load);
    if (rc == 0)
        rc = backfill_settle(load->store, load->node_key, load->batch->head.begin_wall_ns,
                             load->batch->head.end_wall_ns, load->err);
    if (rc == 0)
        rc = book_components(load);
    if (rc == 0)
        rc = book_jobs(load);
    if (rc == 0)
        rc = book_steps(load);
    if (rc == 0)
        rc = book_amounts(load);
    if (rc == 0)
        rc = close_left_open(load);
    return rc == 0 ? loss_settle(load->store, load->node_key, load->batch->head.cluster,
                                 load->stream, (int64_t)load->batch->head.seq, load->err)
                   : rc;
}

/* L1 */
static int book_in_savepoint(struct load *load, enum store_outcome *ret_outcome)
{
    int rc = store_exec(load->store, "SAVEPOINT batch", load->err);

    if (rc < 0)
        return rc;
    rc = book(load, ret_outcome);
    if (rc == 0 && *ret_outcome == STORE_LOADED)
        return store_exec(load->store, "RELEASE batch", load->err);
    /* a database that is full or broken has rolled everything back by itself; nothing to undo */
    if (store_in_transaction(load->store)) {
        int undone = store_exec(load->store, "ROLLBACK TO batch; RELEASE batch",
                                rc < 0 ? NULL : load->err);

        if (rc == 0)
            rc = undone;
    }
    /* a constraint of the schema that it does not satisfy is the batch's own fault */
    return rc == -EEXIST ? -EBADMSG : rc;
}

int store_load(struct store *store, const struct batch *batch, const char *crc32,
               enum store_outcome *ret_outcome, struct error *err)
{
    struct texts texts;
    struct load load = { .store = store, .batch = batch, .crc32 = crc32, .texts = &texts,
                         .err = err };
    enum store_outcome outcome = STORE_LOADED;
    int rc = check_head(&load);

    if (rc == 0)
        rc = check_rows(&load);
    if (rc == 0)
        rc = check_jobs(&load);
    if (rc < 0)
        return rc;
    snprintf(load.stream, sizeof(load.stream), "%016" PRIx64, batch->head.stream);
    load.booked = calloc(batch->n_jobs + 1, sizeof(*load.booked));
    load.sums = sums_new();
    if (!load.booked || !load.sums || millijoules_of(batch, &load.mj) < 0)
        rc = error_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = book_in_savepoint(&load, &outcome);
    free(load.booked);
    sums_free(load.sums);
    millijoules_clear(&load.mj);
    if (rc == 0)
        *ret_outcome = outcome;
    return rc;
}

static const char SQL_NOTE_QUARANTINE[] =
    "INSERT INTO quarantine (file_name, reason, since_s) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (file_name) DO UPDATE SET reason = excluded.reason, since_s = excluded.since_s";

int store_note_quarantine(struct store *store, const char *file_name, const char *reason,
                          struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NOTE_QUARANTINE, err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, file_name);
    stmt_bind_text(stmt, 2, reason);
    stmt_bind_int(stmt, 3, clock_wall_ns() / (int64_t)NS_PER_S);
    return store_run(store, stmt, err);
}
