/*
 * Loading a batch, in named steps: what it holds must fit; its id is taken; its node, what its
 * counters counted, its jobs and steps, its energy and power are booked; what a newer stream of
 * the node left behind is closed; what was given up around it is settled.
 *
 * Invariants:
 *   L1  a batch is looked at before anything is written, and then nothing of it can be refused but
 *       by the database; the transaction that such an error ends is rolled back: a batch is loaded
 *       whole or not at all
 *   L2  amounts are only ever added; states (end, exit, names, flags) are taken from the batch of
 *       the highest seq of the stream, whatever the order of arrival, and nothing known is lost
 *   L3  for every (node, hour, component): node_total = sum of its energy rows, which of old days
 *       are by the day (roll.h)
 *   L4  the tables *_hour are the sums of energy and node_total, and allocation_month the months of
 *       the allocations, after every commit
 */
#include "config.h"

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
#include "store/known.h"
#include "store/roll.h"
#include "store/sums.h"

#define STREAM_SIZE 17
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_MINUTE 60
#define CLAIMS_ENOUGH 1000 /* PostgreSQL has 6400 locks, if not told otherwise, for all who load */

/* One batch on its way into the books. */
struct load {
    struct store *store;
    const struct batch *batch;
    const char *crc32;
    char stream[STREAM_SIZE];
    struct known_node *node;
    struct millijoules mj;
    struct sums *sums;
    struct pending *pending;
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

static int no_memory(const struct load *load)
{
    return error_set(load->err, -ENOMEM, "out of memory");
}

/* Have a row of one of the tables of pending.h booked. */
static int add(const struct load *load, struct adds *adds, const struct cell *row)
{
    return adds_row(adds, row) < 0 ? no_memory(load) : 0;
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

    for (size_t i = 0; i < batch->n_components; i++) {
        if (batch->components[i].end_uj > INT64_MAX)
            return refuse(load, "a component counts more than 2^63 uJ");
        for (size_t j = 0; j < i; j++)
            if (batch->components[j].component == batch->components[i].component)
                return refuse(load, "it has two lines of one component");
    }
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

static const char SQL_ADD_NODE[] =
    "INSERT INTO node (cluster, name, packages, cores, gpus, memory_mb, node_key)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

static const char SQL_UPDATE_NODE[] =
    "UPDATE node SET packages = ?3, cores = ?4, gpus = ?5, memory_mb = ?6"
    " WHERE cluster = ?1 AND name = ?2";

static void bind_node(struct stmt *stmt, const struct batch_head *head)
{
    stmt_bind_text(stmt, 1, head->cluster);
    stmt_bind_text(stmt, 2, head->node);
    stmt_bind_int(stmt, 3, head->packages);
    stmt_bind_int(stmt, 4, head->cores);
    stmt_bind_int(stmt, 5, head->gpus);
    stmt_bind_int(stmt, 6, (int64_t)head->memory_mb);
}

/* The newest batch says what the node is now. */
static bool is_news_of_node(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    const struct known_node *node = load->node;

    if (node->node_key == 0)
        return true;
    return (!node->newest_stream || node->newest_end_ns <= head->end_wall_ns) &&
           (node->packages != head->packages || node->cores != head->cores ||
            node->gpus != head->gpus || node->memory_mb != (int64_t)head->memory_mb);
}

static int book_node(struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    struct known_node *node = load->node;
    const bool is_new = node->node_key == 0;
    struct stmt *stmt;
    int rc = 0;

    if (!is_news_of_node(load))
        return 0;
    if (is_new)
        rc = known_new_key(load->store, KEYED_NODE, &node->node_key, load->err);
    stmt = rc < 0 ? NULL : prepare(load, is_new ? SQL_ADD_NODE : SQL_UPDATE_NODE);
    if (!stmt)
        return rc < 0 ? rc : -EIO;
    bind_node(stmt, head);
    if (is_new)
        stmt_bind_int(stmt, 7, node->node_key);
    rc = run(load, stmt);
    if (rc < 0)
        return rc;
    node->packages = head->packages;
    node->cores = head->cores;
    node->gpus = head->gpus;
    node->memory_mb = (int64_t)head->memory_mb;
    return 0;
}

static int look_up_batch(struct load *load, enum store_outcome *ret_outcome)
{
    const char *crc32 = "";
    int rc = known_batch(load->store, load->node->node_key, load->stream,
                         (int64_t)load->batch->head.seq, &crc32, load->err);

    *ret_outcome = rc < 0 || !*crc32                  ? STORE_LOADED
                   : strcmp(crc32, KNOWN_FOLDED) == 0 ? STORE_DUPLICATE
                   : strcmp(crc32, load->crc32) == 0  ? STORE_DUPLICATE
                                                      : STORE_CONFLICTING;
    return rc;
}

static int book_batch(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    const struct cell row[] = {
        cell_int(load->node->node_key), cell_text(pending_text(load->pending, load->stream)),
        cell_int((int64_t)head->seq), cell_text(pending_text(load->pending, load->crc32)),
        cell_text(pending_text(load->pending, head->boot_id)),
        cell_text(pending_text(load->pending, head->version)),
        cell_int((int64_t)head->begin_boottime_ns), cell_int((int64_t)head->end_boottime_ns),
        cell_int(head->begin_wall_ns), cell_int(head->end_wall_ns),
        cell_int((int64_t)head->marks_bad), cell_int((int64_t)head->batches_dropped),
        cell_int(clock_wall_ns() / (int64_t)NS_PER_S),
    };

    for (int i = 1; i < 6; i++)
        if (row[i].kind == CELL_NULL)
            return no_memory(load);
    if (known_add_batch(load->store, load->node, load->stream, (int64_t)head->seq, load->crc32,
                        head->end_wall_ns) < 0)
        return no_memory(load);
    return add(load, &load->pending->batches, row);
}

static int book_components(const struct load *load)
{
    const char *stream = pending_text(load->pending, load->stream);
    int rc = stream ? 0 : no_memory(load);

    for (size_t i = 0; i < load->batch->n_components && rc == 0; i++) {
        const struct batch_component *component = &load->batch->components[i];
        const struct cell row[] = {
            cell_int(load->node->node_key), cell_text(stream),
            cell_int((int64_t)load->batch->head.seq),
            cell_text(component_names[component->component]),
            cell_int((int64_t)component->begin_uj), cell_int((int64_t)component->end_uj),
        };

        rc = add(load, &load->pending->components, row);
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


static const char SQL_FLAGS_OF_JOB[] = "SELECT flags FROM allocation WHERE job_key = ?1";
static const char SQL_SET_FLAGS[] = "UPDATE job SET flags = ?2 WHERE job_key = ?1";

static int64_t begin_of_job_s(const struct batch_job *job)
{
    return job->begin_wall_ns / (int64_t)NS_PER_S;
}

/* What it says of its job's row; texts are its own. */
static void facts_of(const struct batch_job *job, bool fresh, struct cell facts[FACTS])
{
    uint32_t has = job->has;
    const struct cell cells[FACTS] = {
        cell_int(begin_of_job_s(job)),
        cell_maybe(has & JOB_HAS_RESTARTS, job->restart_count),
        cell_text(has & JOB_HAS_SLUID ? job->sluid : NULL),
        cell_maybe(has & JOB_HAS_UID, job->uid),
        cell_maybe(has & JOB_HAS_UID, job->gid),
        cell_text(has & JOB_HAS_USER ? job->user : NULL),
        cell_text(has & JOB_HAS_ACCOUNT ? job->account : NULL),
        cell_text(has & JOB_HAS_PARTITION ? job->partition : NULL),
        cell_text(has & JOB_HAS_QOS ? job->qos : NULL),
        cell_text(has & JOB_HAS_NAME ? job->name : NULL),
        cell_maybe(has & JOB_HAS_ARRAY, job->array_job_id),
        cell_maybe(has & JOB_HAS_ARRAY, job->array_task_id),
        cell_maybe(has & JOB_HAS_HET, job->het_job_id),
        cell_maybe(has & JOB_HAS_HET, job->het_offset),
        cell_maybe(has & JOB_HAS_NODES, job->node_count),
        cell_maybe(has & JOB_HAS_EXIT, job->exit_status),
        cell_int(fresh ? job->flags : 0),
    };

    memcpy(facts, cells, sizeof(cells));
}

static bool same_cell(const struct cell *x, const struct cell *y)
{
    return x->kind == y->kind && (x->kind == CELL_NULL ||
                                  (x->kind == CELL_INT ? x->number == y->number
                                                       : strcmp(x->text, y->text) == 0));
}

/* Would the update that these facts are for leave the job's row as it is? */
static bool says_nothing_new(const struct cell *old, const struct cell *facts, bool old_wins)
{
    for (int i = FACT_FIRST; i <= FACT_LAST; i++)
        if (facts[i].kind != CELL_NULL && !same_cell(&facts[i], &old[i]) &&
            !(old_wins && old[i].kind != CELL_NULL))
            return false;
    return old[FACT_BEGIN].number <= facts[FACT_BEGIN].number &&
           (facts[FACT_EXIT].kind == CELL_NULL ||
            (old[FACT_EXIT].kind == CELL_INT &&
             old[FACT_EXIT].number >= facts[FACT_EXIT].number)) &&
           (facts[FACT_FLAGS].number & ~old[FACT_FLAGS].number) == 0;
}

/* L2: fresh news win over what is known, old news only fill what is not. */
static int update_job(const struct load *load, const struct cell *facts, int64_t job_key,
                      bool fresh)
{
    int rc = pending_book_runs(load->store, load->err);
    struct stmt *stmt = rc < 0 ? NULL : prepare(load, fresh ? SQL_UPDATE_JOB : SQL_COMPLETE_JOB);

    if (!stmt)
        return rc < 0 ? rc : -EIO;
    stmt_bind_int(stmt, 1, job_key);
    for (int i = 0; i < FACTS; i++) {
        if (FACT_IS_TEXT(i))
            stmt_bind_text(stmt, 2 + i, facts[i].text);
        else if (facts[i].kind == CELL_INT)
            stmt_bind_int(stmt, 2 + i, facts[i].number);
        else
            stmt_bind_null(stmt, 2 + i);
    }
    return run(load, stmt);
}

/* The facts of a job's row as an allocation knows them. Other allocations of it may know them as
   they were: what they take for news is then written once more, or not, and it stays the same. */
static struct cell *facts_known(struct known_allocation *known)
{
    return known->run ? known->run->facts : known->facts;
}

/* The job's row, where that changes it. */
static int tell_job(const struct load *load, struct cell *known, bool has_state, int64_t job_key,
                    const struct cell *facts, bool fresh)
{
    const bool old_wins = !fresh || has_state;

    if (says_nothing_new(known, facts, old_wins))
        return 0;
    for (int i = 0; i < FACTS; i++) {
        struct cell *old = &known[i], fact = facts[i];

        if (i == FACT_FLAGS)
            fact.number |= old->number;
        else if (fact.kind == CELL_NULL || (i == FACT_BEGIN && fact.number > old->number) ||
                 (i == FACT_EXIT && old->kind == CELL_INT && old->number >= fact.number) ||
                 (i >= FACT_FIRST && i <= FACT_LAST && old_wins && old->kind != CELL_NULL))
            continue;
        if (fact.kind == CELL_TEXT && !(fact.text = pending_text(load->pending, fact.text)))
            return no_memory(load);
        *old = fact;
    }
    return update_job(load, facts, job_key, fresh);
}

/* job.end_s, after an allocation of it came, ended or opened again */
static int end_job(const struct load *load, int64_t job_key)
{
    return pending_end_job(load->pending, job_key) < 0 ? no_memory(load) : 0;
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

/* As row_of() books it. Closing what was left open changes nothing of it. */
static struct sums_life life_of(const struct load *load, const struct batch_job *job)
{
    return (struct sums_life){ job->begin_wall_ns, job->has & JOB_HAS_END
                                                       ? job->end_wall_ns
                                                       : load->batch->head.end_wall_ns };
}

/* A row of into_allocations. */
static int row_of(const struct load *load, const struct batch_job *job,
                  const struct booked *booked, struct cell row[ALLOCATION_COLUMNS])
{
    struct texts *texts = load->texts;
    bool ended = job->has & JOB_HAS_END;
    const struct batch_head *head = &load->batch->head;

    idset_format(&job->cores, texts->cores, sizeof(texts->cores));
    idset_format(&job->gpus, texts->gpus, sizeof(texts->gpus));

    const struct cell cells[ALLOCATION_COLUMNS] = {
        cell_int(booked->allocation_key), cell_int(booked->job_key), cell_int(load->node->node_key),
        cell_text(pending_text(load->pending, load->stream)), cell_int((int64_t)job->ref),
        cell_int(job->begin_wall_ns), cell_maybe(ended, job->end_wall_ns),
        cell_int(ended ? job->end_wall_ns : head->end_wall_ns), cell_int((int64_t)head->seq),
        cell_int(idset_count(&job->cores)), cell_text(pending_text(load->pending, texts->cores)),
        cell_int(idset_count(&job->gpus)), cell_text(pending_text(load->pending, texts->gpus)),
        cell_int((int64_t)job->memory_mb), cell_int(job->flags),
    };

    memcpy(row, cells, sizeof(cells));
    return row[3].text && row[10].text && row[12].text ? 0 : no_memory(load);
}

static int add_allocation(const struct load *load, const struct batch_job *job,
                          struct booked *booked)
{
    const struct sums_life life = life_of(load, job);
    struct cell row[ALLOCATION_COLUMNS];
    int rc = known_new_key(load->store, KEYED_ALLOCATION, &booked->allocation_key, load->err);

    if (rc == 0)
        rc = row_of(load, job, booked, row);
    if (rc == 0)
        rc = store_insert(load->store, &into_allocations, row, 1, load->err);
    return rc < 0 ? rc : sums_book_months(load->store, booked->allocation_key, NULL, &life,
                                          load->err);
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
    stmt_bind_int(stmt, 2, load->node->node_key);
    stmt_bind_text(stmt, 3, load->stream);
    rc = run(load, stmt);
    if (rc < 0 || store_changed(load->store) == 0)
        return rc;
    known_forget(load->store);
    return collect_flags(load, job_key);
}

/* --- of a run that this transaction began ---------------------------------------------------- */

/* Have the row of a new run booked. */
static int begin_run(const struct load *load, struct known_run *run, const struct cell *facts)
{
    struct cell row[3 + FACTS];
    int rc = known_new_key(load->store, KEYED_JOB, &run->job_key, load->err);

    if (rc < 0)
        return rc;
    memcpy(run->facts, facts, sizeof(run->facts));
    if (run->facts[FACT_FIRST].kind == CELL_NULL)
        run->facts[FACT_FIRST] = cell_int(0);
    for (int i = 0; i < FACTS; i++)
        if (run->facts[i].kind == CELL_TEXT &&
            !(run->facts[i].text = pending_text(load->pending, facts[i].text)))
            return no_memory(load);
    row[0] = cell_int(run->job_key);
    row[1] = cell_text(run->cluster);
    row[2] = cell_int(run->job_id);
    memcpy(&row[3], run->facts, sizeof(run->facts));
    return add(load, &load->pending->jobs, row);
}

static bool joins_run(const struct load *load, const struct batch_job *job,
                      const struct known_run *run)
{
    const struct identity identity = { run->cluster, load->node->node_key, job,
                                       load->batch->head.end_wall_ns };
    const struct identity_run of_run = { run->facts[FACT_BEGIN].number,
                                         run->facts[FACT_FIRST].number,
                                         run->facts[FACT_SLUID].text };

    return !run->ended && identity_joins(&identity, &of_run) &&
           !known_is_on(load->store, run, load->node->node_key);
}

static int begin_allocation(const struct load *load, const struct batch_job *job,
                            struct known_run *run, struct booked *booked)
{
    const bool ended = job->has & JOB_HAS_END;
    struct known_allocation known = {
        .node_key = load->node->node_key,
        .stream = pending_text(load->pending, load->stream),
        .ref = (int64_t)job->ref,
        .job_key = run->job_key,
        .seen_seq = (int64_t)load->batch->head.seq,
        .end_ns = ended ? job->end_wall_ns : 0,
        .open = !ended,
        .flags = job->flags,
        .life = life_of(load, job),
        .run = run,
    };
    int rc = known_new_key(load->store, KEYED_ALLOCATION, &known.allocation_key, load->err);

    *booked = (struct booked){ known.job_key, known.allocation_key };
    if (rc == 0)
        rc = row_of(load, job, booked, known.row);
    if (rc < 0)
        return rc;
    run->ended |= ended;
    if (!known.stream || known_add_allocation(load->store, &known) < 0 ||
        sums_add_months(load->store, known.allocation_key, &known.life) < 0)
        return no_memory(load);
    return ended ? end_job(load, run->job_key) : 0;
}

/* --- of any other ---------------------------------------------------------------------------- */

/* Find or begin its run. */
static int find_allocation(const struct load *load, const struct batch_job *job,
                           const struct cell *facts, struct booked *booked)
{
    struct known_run run = { .cluster = load->batch->head.cluster, .job_id = job->job_id };
    const struct identity identity = { run.cluster, load->node->node_key, job,
                                       load->batch->head.end_wall_ns };
    int rc = pending_book_jobs(load->store, load->err);
    bool is_new;

    if (rc == 0)
        rc = identity_find(load->store, &identity, &run.job_key, load->err);
    is_new = run.job_key == 0;
    if (rc == 0)
        rc = is_new ? begin_run(load, &run, facts) : update_job(load, facts, run.job_key, true);
    if (rc == 0)
        rc = pending_book_runs(load->store, load->err);
    booked->job_key = run.job_key;
    if (rc == 0)
        rc = add_allocation(load, job, booked);
    if (rc == 0 && !is_new)
        rc = unbreak(load, run.job_key);
    return rc == 0 ? end_job(load, run.job_key) : rc;
}

/* An allocation that the books do not have. */
static int book_new_allocation(const struct load *load, const struct batch_job *job,
                               struct known_run *run, struct booked *booked)
{
    struct cell facts[FACTS];
    int rc;

    facts_of(job, true, facts);
    if (known_is_clear(run) && (run->job_key == 0 || joins_run(load, job, run))) {
        rc = run->job_key == 0 ? begin_run(load, run, facts)
                               : tell_job(load, run->facts, false, run->job_key, facts, true);
        return rc == 0 ? begin_allocation(load, job, run, booked) : rc;
    }
    if (run)
        run->unclear = true;
    return find_allocation(load, job, facts, booked);
}

/* The books know it as of an older batch of its stream. */
static int book_news(const struct load *load, const struct batch_job *job,
                     struct known_allocation *known, const struct cell *facts)
{
    const struct booked booked = { known->job_key, known->allocation_key };
    const struct sums_life life = life_of(load, job), before = known->life;
    bool ended = job->has & JOB_HAS_END, lost_flags = known->flags & ~job->flags;
    bool end_changed = known->open == ended || (ended && known->end_ns != job->end_wall_ns);
    int rc = row_of(load, job, &booked, known->row);

    if (rc < 0)
        return rc;
    known_wait(load->store, known);
    known->seen_seq = (int64_t)load->batch->head.seq;
    known->open = !ended;
    known->end_ns = ended ? job->end_wall_ns : 0;
    known->flags = job->flags;
    known->life = life;
    if (ended && known->run)
        known->run->ended = true;
    rc = sums_book_months(load->store, booked.allocation_key, &before, &life, load->err);
    if (rc == 0)
        rc = tell_job(load, facts_known(known), known->job_has_state, known->job_key, facts, true);
    if (rc == 0 && end_changed)
        rc = end_job(load, booked.job_key);
    if (rc == 0 && lost_flags) {
        rc = pending_book_jobs(load->store, load->err);
        if (rc == 0)
            rc = collect_flags(load, booked.job_key);
        known_forget(load->store);
    }
    return rc;
}

static int book_job(const struct load *load, const struct batch_job *job, struct booked *booked)
{
    struct known_run *run = known_run(load->store, load->batch->head.cluster, job->job_id);
    const struct known_allocation key = { .node_key = load->node->node_key,
                                          .stream = load->stream, .ref = (int64_t)job->ref };
    struct known_allocation *known;
    struct cell facts[FACTS];
    bool fresh;
    int rc = known_allocation(load->store, &key, run, &known, load->err);

    if (rc < 0)
        return rc;
    if (!known)
        return book_new_allocation(load, job, run, booked);
    *booked = (struct booked){ known->job_key, known->allocation_key };
    fresh = (int64_t)load->batch->head.seq > known->seen_seq;
    facts_of(job, fresh, facts);
    return fresh ? book_news(load, job, known, facts)
                 : tell_job(load, facts_known(known), known->job_has_state, known->job_key, facts,
                            false);
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

static int book_step(const struct load *load, const struct batch_step *step)
{
    const struct booked *booked = booked_of(load, step->ref);
    char *gpus = load->texts->gpus;

    idset_format(&step->gpus, gpus, sizeof(load->texts->gpus));

    const struct cell row[STEP_COLUMNS] = {
        cell_int(booked->job_key), cell_int(step->step_id), cell_int(booked->allocation_key),
        cell_int(step->begin_wall_ns), cell_maybe(step->has & STEP_HAS_END, step->end_wall_ns),
        cell_int((int64_t)load->batch->head.seq), cell_int((int64_t)step->cpu_ns),
        cell_maybe(step->has & STEP_HAS_EXIT, step->exit_status),
        cell_int(idset_count(&step->cores)), cell_int(idset_count(&step->gpus)),
        cell_text(pending_text(load->pending, gpus)), cell_int(step->flags),
    };

    return !row[10].text || known_add_step(load->store, row) < 0 ? no_memory(load) : 0;
}

static int book_steps(const struct load *load)
{
    int rc = 0;

    for (size_t i = 0; i < load->batch->n_steps && rc == 0; i++)
        rc = book_step(load, &load->batch->steps[i]);
    return rc;
}

/* --- its energy and power -------------------------------------------------------------------- */

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
    const struct cell cells[] = {
        cell_int(load->node->node_key),
        cell_int(roll_hour(sum.hour_s, load->pending->rolled_before_s)), cell_int(sum.job_key),
        cell_int(sum.step_id), cell_text(component_names[row->component]),
        cell_text(quality_names[row->quality]),
        cell_text(pending_text(load->pending, row->sensor)), cell_int(sum.active_mj),
        cell_int(sum.idle_mj), cell_int(sum.metered_ms), cell_int(sum.elapsed_ms),
    };

    if (cells[6].kind == CELL_NULL || sums_add_row(load->sums, &sum) < 0)
        return no_memory(load);
    return add(load, &load->pending->energy, cells);
}

static int book_total(const struct load *load, size_t index)
{
    const struct batch_total *total = &load->batch->totals[index];

    return sums_book_total(load->sums, load->store, load->node->node_key, total->hour_s,
                           roll_hour(total->hour_s, load->pending->rolled_before_s),
                           component_names[total->component],
                           (int64_t)load->mj.totals_mj[index], load->err);
}

/* The first meters did not tell components apart. */
static int book_power(const struct load *load, const struct batch_power *power)
{
    const char *component =
        power->has & POWER_HAS_COMPONENT ? component_names[power->component] : "all";
    const struct cell row[] = {
        cell_int(booked_of(load, power->ref)->job_key), cell_int(power->minute_s),
        cell_int(load->node->node_key), cell_text(component),
        cell_int(rounded(power->energy_uj, 1000)), cell_int(ms_of(power->span_ns)),
    };

    return add(load, &load->pending->power, row);
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
        rc = sums_book(load->sums, load->store, load->node->node_key, load->batch->head.cluster,
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
    stmt_bind_int(stmt, 1, load->node->node_key);
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
    char stream[STREAM_SIZE], boot_id[BOOT_ID_SIZE];
    struct stmt *stmt;
    int rc;

    if (!load->node->left_open && strcmp(load->node->newest_stream, load->stream) == 0)
        return 0;
    rc = pending_book_jobs(load->store, load->err);
    if (rc == 0)
        rc = known_book_steps(load->store, load->err);
    known_forget(load->store);
    stmt = rc == 0 ? prepare(load, SQL_NEWEST_STREAM) : NULL;
    if (!stmt)
        return rc < 0 ? rc : -EIO;
    stmt_bind_int(stmt, 1, load->node->node_key);
    rc = store_step(load->store, stmt, load->err);
    if (rc <= 0)
        return rc;
    snprintf(stream, sizeof(stream), "%s", stmt_text(stmt, 0));
    snprintf(boot_id, sizeof(boot_id), "%s", stmt_text(stmt, 1));
    stmt_reset(stmt);
    do
        rc = close_one_left_open(load, stream, boot_id);
    while (rc > 0);
    load->node->left_open = rc < 0;
    return rc;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Once in a transaction: is anything given up, filled in, or rolled up? Loading adds none. */
static int look_around(const struct load *load)
{
    int64_t losses = 0, backfill = 0;
    int rc = 0;

    if (load->pending->looked)
        return 0;
    rc = store_integer(load->store, "SELECT COUNT(*) FROM (SELECT 1 FROM loss LIMIT 1) AS any_one",
                       &losses, load->err);
    if (rc == 0)
        rc = store_integer(load->store, "SELECT COUNT(*) FROM (SELECT 1 FROM backfill LIMIT 1)"
                           " AS any_one", &backfill, load->err);
    if (rc == 0)
        rc = roll_before(load->store, &load->pending->rolled_before_s, load->err);
    load->pending->has_losses = losses > 0;
    load->pending->has_backfill = backfill > 0;
    load->pending->looked = rc == 0;
    return rc;
}

/* Batches make both go: there, what is pending has to be in the books. */
static int settle(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    int rc;

    if (!load->pending->has_losses)
        return 0;
    rc = pending_book(load->store, load->err);
    known_forget(load->store);
    return rc == 0 ? loss_settle(load->store, load->node->node_key, head->cluster, load->stream,
                                 (int64_t)head->seq, load->err)
                   : rc;
}

static int make_way(const struct load *load)
{
    const struct batch_head *head = &load->batch->head;
    int rc;

    if (!load->pending->has_backfill)
        return 0;
    rc = pending_book(load->store, load->err);
    known_forget(load->store);
    return rc == 0 ? backfill_settle(load->store, load->node->node_key, head->begin_wall_ns,
                                     head->end_wall_ns, load->err)
                   : rc;
}

static int book(struct load *load, enum store_outcome *ret_outcome)
{
    const struct batch_head *head = &load->batch->head;
    int rc = known_node(load->store, head->cluster, head->node, &load->node, load->err);

    if (rc == 0 && load->node->node_key)
        rc = look_up_batch(load, ret_outcome);
    if (rc < 0 || *ret_outcome != STORE_LOADED)
        return rc;
    rc = book_node(load);
    if (rc == 0)
        rc = book_batch(load);
    if (rc == 0)
        rc = make_way(load);
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
    return rc == 0 ? settle(load) : rc;
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
    load.pending = pending_of(store);
    if (!load.booked || !load.sums || !load.pending || millijoules_of(batch, &load.mj) < 0)
        rc = error_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = look_around(&load);
    if (rc == 0)
        rc = book(&load, &outcome);
    free(load.booked);
    sums_free(load.sums);
    millijoules_clear(&load.mj);
    if (rc == 0)
        *ret_outcome = outcome;
    return rc;
}

/* Those of jobs that the books do not have open: they may be new to others too. */
static int claim_new_jobs(struct store *store, const struct batch *const *batches, size_t count,
                          const bool *mine, struct error *err)
{
    const char **names = NULL;
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        for (size_t j = 0; mine[i] && j < batches[i]->n_jobs && rc == 0; j++) {
            const struct batch_job *job = &batches[i]->jobs[j];
            char name[sizeof(batches[i]->head.cluster) + 16];
            const char **grown;

            if (known_is_open(store, &batches[i]->head, job->ref))
                continue;
            snprintf(name, sizeof(name), "%s/%" PRIu32, batches[i]->head.cluster, job->job_id);
            grown = reallocarray(names, n + 1, sizeof(*names));
            names = grown ? grown : names;
            if (!grown || !(names[n++] = pending_text(store->pending, name)))
                rc = error_set(err, -ENOMEM, "out of memory");
        }
    }
    if (rc == 0)
        rc = store_claim_jobs(store, names, n, err);
    store->pending->claims += n;
    free(names);
    return rc;
}

/* Those of a node follow each other. */
static int claim_nodes(struct store *store, const struct batch *const *batches, size_t count,
                       bool *ret_mine, struct error *err)
{
    struct pending *pending = pending_of(store);

    if (!pending)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        pending->claims += i == 0 || strcmp(batches[i]->head.node, batches[i - 1]->head.node) != 0;
    return store->backend->claim_nodes(store, batches, count, ret_mine, err);
}

bool store_has_enough(const struct store *store)
{
    return store->pending && store->pending->claims >= CLAIMS_ENOUGH;
}

int store_expect(struct store *store, const struct batch *const *batches, size_t count,
                 bool *ret_mine, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        ret_mine[i] = true;
    if (store->shared)
        rc = claim_nodes(store, batches, count, ret_mine, err);
    if (rc == 0)
        rc = known_expect(store, batches, count, err);
    if (rc == 0 && store->shared)
        rc = claim_new_jobs(store, batches, count, ret_mine, err);
    return rc == 0 ? known_expect_runs(store, batches, count, ret_mine, err) : rc;
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
