/* loading batches: exactly once, in any order, each allocation to the right run of its job */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"

#define T FAKE_BEGIN_S
#define NS INT64_C(1000000000)

static int set_up(void **state)
{
    static struct books books;

    books_open(&books);
    *state = &books;
    return 0;
}

static int tear_down(void **state)
{
    books_close(*state);
    return 0;
}

static void load(struct books *books, const struct batch *batch)
{
    struct error err = { "" };
    int rc = books_load(books, batch, &err);

    if (rc != STORE_LOADED)
        fail_msg("seq %d of %s gives %d: %s", (int)batch->head.seq, batch->head.node, rc, err.text);
}

/* --- exactly once ---------------------------------------------------------------------------- */

static void a_batch_counts_once_however_often_it_comes(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch batch;
    int64_t before_mj;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &batch);
    load(books, &batch);
    before_mj = books_number(books, "SELECT SUM(active_mj + idle_mj) FROM energy");
    assert_int_equal(books_load(books, &batch, NULL), STORE_DUPLICATE);
    assert_int_equal(books_number(books, "SELECT SUM(active_mj + idle_mj) FROM energy"), before_mj);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 1);
    assert_int_equal(books_audit(books, NULL, false), 0);
    batch_clear(&batch);
}

static void other_bytes_under_a_known_id_change_nothing(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch batch;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &batch);
    load(books, &batch);
    batch.head.packages = 7;
    batch.head.next_ref++;
    assert_int_equal(books_load(books, &batch, NULL), STORE_CONFLICTING);
    assert_int_equal(books_number(books, "SELECT packages FROM node"), 2);
    assert_int_equal(books_audit(books, NULL, false), 0);
    batch_clear(&batch);
}

static void what_cannot_be_loaded_leaves_nothing_behind(void **state)
{
    struct books *books = *state;
    struct error err = { "" };
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch batch;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &batch);
    batch.energies[batch.n_energies - 1].hour_s += 1;
    assert_int_equal(books_load(books, &batch, &err), -EBADMSG);
    assert_string_equal(err.text, "hour_s of an energy row is not the begin of an hour");
    batch.energies[batch.n_energies - 1].hour_s -= 1;
    batch.components[0].end_uj = UINT64_MAX;
    assert_int_equal(books_load(books, &batch, &err), -EBADMSG);
    batch.components[0].end_uj = batch.components[0].begin_uj;
    batch.steps[0].ref = 4711;
    assert_int_equal(books_load(books, &batch, &err), -EBADMSG);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM node"), 0);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM energy"), 0);
    batch_clear(&batch);
}

/* a constraint that breaks in mid-batch undoes the whole of it, and none of the others */
static void a_batch_that_breaks_in_the_middle_is_undone_alone(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch good, bad;
    enum store_outcome outcome;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &good);
    fake_meter_random(&meter, &random, &bad);
    batch_push(&bad.components, &bad.n_components, sizeof(bad.components[0]),
               &(struct batch_component){ .component = bad.components[0].component });
    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(store_load(books->store, &good, "00000001", &outcome, NULL), 0);
    assert_int_equal(store_load(books->store, &bad, "00000002", &outcome, NULL), -EBADMSG);
    assert_int_equal(store_commit(books->store, NULL), 0);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 1);
    assert_int_equal(books_audit(books, NULL, false), 0);
    batch_clear(&good);
    batch_clear(&bad);
}

/* a batch set aside for the database's fault would be lost to the books */
static void a_broken_database_is_not_the_batchs_fault(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch batch;
    char garbage[4096 * 8];
    FILE *file;
    int rc;

    if (!books_are_a_file(books))
        skip();
    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &batch);
    load(books, &batch);
    batch_clear(&batch);
    books->store = store_close(books->store);
    memset(garbage, 0xa5, sizeof(garbage));
    file = fopen(books->database + 7, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096 * 4, SEEK_SET), 0); /* behind the schema's pages */
    assert_int_equal(fwrite(garbage, 1, sizeof(garbage), file), sizeof(garbage));
    fclose(file);
    assert_int_equal(store_open(books->database, STORE_WRITE, NULL, &books->store, NULL), 0);
    fake_meter_random(&meter, &random, &batch);
    assert_int_equal(store_begin(books->store, NULL), 0);
    rc = store_load(books->store, &batch, "00000002", &(enum store_outcome){ 0 }, NULL);
    assert_int_equal(rc, -EUCLEAN);
    store_rollback(books->store);
    batch_clear(&batch);
}

/* SQLite undoes the statement alone; PostgreSQL takes a COMMIT then, and rolls back */
static void what_is_committed_after_a_failure_is_told(void **state)
{
    struct books *books = *state;
    int kept = books_are_a_file(books);

    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(store_exec(books->store, "INSERT INTO meta VALUES ('a', 'b')", NULL), 0);
    assert_true(store_exec(books->store, "INSERT INTO meta VALUES ('a', 'b')", NULL) < 0);
    assert_int_equal(store_commit(books->store, NULL), kept ? 0 : -EIO);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM meta WHERE name = 'a'"), kept);
}

/* A server has so many locks for all; a file has no others to keep anything from. */
static void who_loads_beside_others_is_told_when_it_keeps_enough_from_them(void **state)
{
    struct books *books = *state;
    const struct store_turn turn = { .who = "a test", .shared = true };
    uint64_t random = 5;
    int nodes = 0;

    books->store = store_close(books->store);
    assert_int_equal(store_open_in_turn(books->database, &turn, &books->store, NULL), 0);
    assert_int_equal(store_begin(books->store, NULL), 0);
    for (; nodes < 1100 && !store_has_enough(books->store); nodes++) {
        struct fake_meter meter;
        struct batch batch;
        const struct batch *next = &batch;
        enum store_outcome outcome;
        bool mine = false;
        char name[16];

        snprintf(name, sizeof(name), "n%d", nodes);
        fake_meter_init(&meter, name, (uint64_t)nodes + 1, T);
        fake_meter_random(&meter, &random, &batch);
        assert_int_equal(store_expect(books->store, &next, 1, &mine, NULL), 0);
        assert_true(mine);
        assert_int_equal(store_load(books->store, &batch, "00000001", &outcome, NULL), 0);
        batch_clear(&batch);
    }
    assert_int_equal(nodes == 1100, books_are_a_file(books));
    if (nodes < 1100)
        assert_in_range(books_number(books, "SELECT COUNT(*) FROM pg_locks WHERE locktype ="
                                     " 'advisory' AND pid = pg_backend_pid()"), 500, 1100);
    store_rollback(books->store);
}

/* --- in any order ---------------------------------------------------------------------------- */

#define STREAMS 3
#define BATCHES 30

static void make_batches(struct batch *batches)
{
    uint64_t random = 99;

    for (int s = 0; s < STREAMS; s++) {
        struct fake_meter meter;
        char node[8] = { 'n', (char)('1' + s), '\0' };

        fake_meter_init(&meter, node, (uint64_t)s + 1, T);
        for (int i = 0; i < BATCHES; i++)
            fake_meter_random(&meter, &random, &batches[s * BATCHES + i]);
    }
}

static void shuffle(const struct batch **order, size_t count, uint64_t *random)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = (size_t)fake_random(random, i + 1);
        const struct batch *swap = order[i];

        order[i] = order[other];
        order[other] = swap;
    }
}

/* All that the books say, without the keys that depend on the order of loading, as one number. */
static int64_t digest(struct books *books)
{
    static const char *const queries[] = {
        "SELECT j.job_id || ':' || j.begin_s || ':' || COALESCE(CAST(j.end_s AS TEXT), '-') ||"
        " ':' || j.flags || ':' || COALESCE(CAST(j.exit_status AS TEXT), '-') || ':' ||"
        " j.restart_count || COALESCE(j.sluid, '-') FROM job j ORDER BY 1",
        "SELECT n.name || a.ref || ':' || j.job_id || ':' || a.begin_ns || ':' ||"
        " COALESCE(CAST(a.end_ns AS TEXT), '-') || ':' || a.seen_seq"
        " FROM allocation a JOIN node n ON n.node_key = a.node_key"
        " JOIN job j ON j.job_key = a.job_key ORDER BY 1",
        "SELECT n.name || j.job_id || s.step_id || ':' || s.cpu_ns ||"
        " COALESCE(CAST(s.end_ns AS TEXT), '-') FROM step s"
        " JOIN allocation a ON a.allocation_key = s.allocation_key JOIN node n"
        " ON n.node_key = a.node_key JOIN job j ON j.job_key = s.job_key ORDER BY 1",
        "SELECT n.name || ':' || e.hour_s || ':' || COALESCE(j.job_id, 0) || ':' || e.step_id ||"
        " component || quality || ':' || active_mj || ':' || idle_mj || ':' || metered_ms || ':' ||"
        " elapsed_ms FROM energy e JOIN node n ON n.node_key = e.node_key"
        " LEFT JOIN job j ON j.job_key = e.job_key ORDER BY 1",
        "SELECT j.job_id || ':' || h.hour_s || ':' || h.active_mj || ':' || h.idle_mj || ':' ||"
        " h.measured_mj || ':' || h.modelled_mj || ':' || h.metered_ms || ':' || h.elapsed_ms ||"
        " ':' || h.gap_ms FROM job_hour h JOIN job j ON j.job_key = h.job_key ORDER BY 1",
        "SELECT cluster || ':' || hour_s || ':' || counted_mj || ':' || system_mj || ':' ||"
        " unallocated_mj FROM cluster_hour ORDER BY 1",
        "SELECT j.job_id || ':' || minute_s || component || ':' || energy_mj || ':' || span_ms"
        " FROM power p"
        " JOIN job j ON j.job_key = p.job_key ORDER BY 1",
    };
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (size_t i = 0; i < LENGTH(queries); i++) {
        struct error err;
        struct stmt *stmt;
        int rc;

        assert_int_equal(store_prepare(books->store, queries[i], &stmt, NULL), 0);
        while ((rc = store_step(books->store, stmt, &err)) > 0)
            for (const char *p = stmt_text(stmt, 0); *p; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        if (rc < 0)
            fail_msg("%s", err.text);
        stmt_free(stmt);
    }
    return (int64_t)hash;
}

/* In one transaction, a few at a time, as ingest does. */
static void load_together(struct books *books, const struct batch *const *batches, size_t count)
{
    enum store_outcome outcome;
    bool mine[7];

    assert_int_equal(store_begin(books->store, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        if (i % LENGTH(mine) == 0)
            assert_int_equal(store_expect(books->store, batches + i,
                                          count - i < LENGTH(mine) ? count - i : LENGTH(mine), mine,
                                          NULL), 0);
        assert_int_equal(store_load(books->store, batches[i], "00000000", &outcome, NULL), 0);
        assert_int_equal(outcome, STORE_LOADED);
    }
    assert_int_equal(store_commit(books->store, NULL), 0);
}

static void any_order_of_arrival_gives_the_same_books(void **state)
{
    struct batch *batches = calloc(STREAMS * BATCHES, sizeof(*batches));
    const struct batch *order[STREAMS * BATCHES];
    int64_t first = 0;
    uint64_t random = 5;

    (void)state;
    make_batches(batches);
    for (size_t i = 0; i < LENGTH(order); i++)
        order[i] = &batches[i];
    for (int round = 0; round < 12; round++) {
        struct books books;

        books_open(&books);
        for (size_t i = 0; round % 2 == 0 && i < LENGTH(order); i++)
            load(&books, order[i]);
        if (round % 2)
            load_together(&books, order, LENGTH(order));
        assert_int_equal(books_audit(&books, NULL, false), 0);
        if (round == 0)
            first = digest(&books);
        assert_int_equal(digest(&books), first);
        books_close(&books);
        shuffle(order, LENGTH(order), &random);
    }
    for (size_t i = 0; i < LENGTH(order); i++)
        batch_clear(&batches[i]);
    free(batches);
}

static void nothing_known_is_lost_and_the_latest_batch_wins(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    struct batch one, two;
    struct batch_job *job;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_begin(&meter, 60, &one);
    job = fake_meter_job(&one, 1, 7, T);
    job->has |= JOB_HAS_ACCOUNT | JOB_HAS_USER;
    strcpy(job->account, "old");
    strcpy(job->user, "alice");
    fake_meter_step(&one, 1, 0, T)->cpu_ns = 10;
    fake_meter_seal(&meter, &one);
    fake_meter_begin(&meter, 60, &two);
    job = fake_meter_job(&two, 1, 7, T);
    job->has |= JOB_HAS_ACCOUNT | JOB_HAS_CORES;
    strcpy(job->account, "new");
    idset_add(&job->cores, 3);
    job->flags = FLAG_END_LATE;
    fake_meter_end_job(job, T + 90);
    job->exit_status = 256;
    fake_meter_step(&two, 1, 0, T)->cpu_ns = 20;
    fake_meter_seal(&meter, &two);
    load(books, &two);
    load(books, &one);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM job WHERE account = 'new' AND"
                                  " user_name = 'alice' AND exit_status = 256 AND flags = 2"
                                  " AND end_s = %lld", (long long)T + 90), 1);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM allocation WHERE core_list = '3'"
                                  " AND cores = 1 AND seen_seq = 2"), 1);
    assert_int_equal(books_number(books, "SELECT cpu_ns FROM step"), 20);
    batch_clear(&one);
    batch_clear(&two);
}

static void the_newest_batch_says_what_a_node_is(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    struct batch batches[3];

    fake_meter_init(&meter, "n1", 1, T);
    for (unsigned i = 0; i < 3; i++) {
        fake_meter_begin(&meter, 60, &batches[i]);
        batches[i].head.gpus = i;
        fake_meter_seal(&meter, &batches[i]);
    }
    load(books, &batches[0]);
    load(books, &batches[2]);
    assert_int_equal(books_number(books, "SELECT gpus FROM node"), 2);
    load(books, &batches[1]);
    assert_int_equal(books_number(books, "SELECT gpus FROM node"), 2);
    for (unsigned i = 0; i < 3; i++)
        batch_clear(&batches[i]);
}

/* --- which run of a job ---------------------------------------------------------------------- */

struct part {
    const char *node;
    uint64_t stream, ref;
    int64_t begin_s, end_s; /* after T; end_s 0: open */
    uint32_t restarts, flags;
    const char *sluid;
};

static void make_part(const struct part *part, uint64_t seq, struct batch *ret_batch)
{
    struct fake_meter meter;
    struct batch_job *job;

    fake_meter_init(&meter, part->node, part->stream, T + part->begin_s);
    meter.seq = seq;
    fake_meter_begin(&meter, part->end_s ? part->end_s - part->begin_s : 60, ret_batch);
    job = fake_meter_job(ret_batch, part->ref, 7, T + part->begin_s);
    job->restart_count = part->restarts;
    job->flags = part->flags;
    if (part->end_s)
        fake_meter_end_job(job, T + part->end_s);
    if (part->sluid) {
        job->has |= JOB_HAS_SLUID;
        strcpy(job->sluid, part->sluid);
    }
    fake_meter_energy(ret_batch, OWNER_REMAINDER, part->ref, 0, COMPONENT_CPU, 1000, 0);
    fake_meter_seal(&meter, ret_batch);
}

static void load_part(struct books *books, const struct part *part, uint64_t seq)
{
    struct batch batch;

    make_part(part, seq, &batch);
    load(books, &batch);
    batch_clear(&batch);
}

#define DAY 86400

static void allocations_join_the_run_they_belong_to(void **state)
{
    static const struct row {
        const char *what;
        struct part first, second;
        int runs;
    } rows[] = {
        { "two nodes at once", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "b", 2, 1, 5, 0, 0, 0, NULL }, 1 },
        { "two nodes, both ended", { "a", 1, 1, 0, 100, 0, 0, NULL },
          { "b", 2, 1, 1, 101, 0, 0, NULL }, 1 },
        { "a node begins within 300 s of the end", { "a", 1, 1, 0, 100, 0, 0, NULL },
          { "b", 2, 1, 400, 500, 0, 0, NULL }, 1 },
        { "a node begins later than that: the id was used again", { "a", 1, 1, 0, 100, 0, 0, NULL },
          { "b", 2, 1, 401, 500, 0, 0, NULL }, 2 },
        { "the older run arrives last", { "a", 1, 1, 5000, 6000, 0, 0, NULL },
          { "b", 2, 1, 0, 100, 0, 0, NULL }, 2 },
        { "same node, another reference, after the end", { "a", 1, 1, 0, 100, 0, 0, NULL },
          { "a", 1, 2, 110, 0, 0, 0, NULL }, 2 },
        { "requeued", { "a", 1, 1, 0, 100, 0, 0, NULL }, { "b", 2, 1, 110, 0, 1, 0, NULL }, 2 },
        { "an open run that was heard of long ago", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "b", 2, 1, 8 * DAY, 0, 0, 0, NULL }, 2 },
        { "an open run, next node days later", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "b", 2, 1, 6 * DAY, 0, 0, 0, NULL }, 1 },
        { "checkpoint lost, the same mark read again", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "a", 2, 1, 0, 0, 0, 0, NULL }, 1 },
        { "checkpoint lost, begin lost", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "a", 2, 1, 4000, 0, 0, FLAG_BEGIN_LOST, NULL }, 1 },
        { "begin lost, but the row had ended", { "a", 1, 1, 0, 100, 0, 0, NULL },
          { "a", 2, 1, 4000, 0, 0, FLAG_BEGIN_LOST, NULL }, 2 },
        { "begin lost, weeks after", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "a", 2, 1, 20 * DAY, 0, 0, FLAG_BEGIN_LOST, NULL }, 2 },
        { "another begin on the node while the first is open", { "a", 1, 1, 0, 0, 0, 0, NULL },
          { "a", 2, 1, 500, 0, 0, 0, NULL }, 2 },
        { "same SLUID, hours apart", { "a", 1, 1, 0, 100, 0, 0, "sAAA" },
          { "b", 2, 1, 9000, 0, 0, 0, "sAAA" }, 1 },
        { "other SLUID, at once", { "a", 1, 1, 0, 0, 0, 0, "sAAA" },
          { "b", 2, 1, 0, 0, 0, 0, "sBBB" }, 2 },
    };

    (void)state;
    for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
        const bool together = i >= LENGTH(rows);
        const struct row *row = &rows[i % LENGTH(rows)];
        struct batch batches[2];
        struct books books;

        books_open(&books);
        make_part(&row->first, 1, &batches[0]);
        make_part(&row->second, row->first.stream == row->second.stream ? 2 : 1, &batches[1]);
        if (together)
            load_together(&books, (const struct batch *[]){ &batches[0], &batches[1] }, 2);
        for (int j = 0; j < 2; j++) {
            if (!together)
                load(&books, &batches[j]);
            batch_clear(&batches[j]);
        }
        if (books_number(&books, "SELECT COUNT(*) FROM job") != row->runs)
            fail_msg("%s%s: %d runs expected, %lld found", row->what,
                     together ? " (together)" : "", row->runs,
                     (long long)books_number(&books, "SELECT COUNT(*) FROM job"));
        assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM allocation"), 2);
        assert_int_equal(books_audit(&books, "A1", false), 0);
        books_close(&books);
    }
}

static void a_job_ends_when_its_last_node_does(void **state)
{
    struct books *books = *state;

    load_part(books, &(struct part){ "a", 1, 1, 0, 0, 0, 0, NULL }, 1);
    load_part(books, &(struct part){ "b", 2, 1, 2, 100, 0, FLAG_END_LATE, NULL }, 1);
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), INT64_MIN);
    load_part(books, &(struct part){ "a", 1, 1, 0, 90, 0, FLAG_BEGIN_LATE, NULL }, 2);
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), T + 100);
    assert_int_equal(books_number(books, "SELECT begin_s FROM job"), T);
    assert_int_equal(books_number(books, "SELECT flags FROM job"), FLAG_BEGIN_LATE | FLAG_END_LATE);
}

static void compare_together(const struct part *parts, size_t count)
{
    struct batch batches[10];
    const struct batch *order[10];
    uint64_t random = 11;

    for (size_t i = 0; i < count; i++) {
        uint64_t seq = 1;

        for (size_t j = 0; j < i; j++)
            seq += parts[j].stream == parts[i].stream;
        make_part(&parts[i], seq, &batches[i]);
        order[i] = &batches[i];
    }
    for (int round = 0; round < 50; round++) {
        struct books one_by_one, together;

        books_open(&one_by_one);
        books_open(&together);
        for (size_t i = 0; i < count; i++)
            load(&one_by_one, order[i]);
        load_together(&together, order, count);
        ROW_HOLDS(round, digest(&one_by_one) == digest(&together));
        books_close(&one_by_one);
        books_close(&together);
        shuffle(order, count, &random);
    }
    for (size_t i = 0; i < count; i++)
        batch_clear(&batches[i]);
}

static void what_is_said_of_a_run_in_one_transaction_is_kept(void **state)
{
    /* one begins it, others join and say more, one ends it, and some come when it has ended */
    static const struct part parts[] = {
        { "a", 1, 1, 10, 0, 0, 0, NULL }, { "b", 2, 1, 7, 0, 0, FLAG_BEGIN_LATE, NULL },
        { "c", 3, 1, 12, 0, 0, 0, "sAAA" }, { "d", 4, 1, 12, 0, 0, 0, "sBBB" },
        { "c", 3, 1, 12, 100, 0, 0, "sAAA" }, { "e", 5, 1, 11, 0, 0, FLAG_END_LATE, NULL },
        { "a", 1, 1, 10, 101, 1, 0, NULL }, { "f", 6, 1, 12, 90, 0, 0, "sAAA" },
        { "f", 6, 2, 95, 0, 1, 0, NULL }, { "g", 7, 1, 80000000, 0, 0, 0, NULL },
    };
    /* its last node ends it, and its id is used again at once */
    static const struct part again[] = {
        { "a", 1, 1, 0, 0, 0, 0, NULL }, { "a", 1, 1, 0, 100, 0, 0, NULL },
        { "b", 2, 1, 401, 0, 0, 0, NULL },
    };

    (void)state;
    compare_together(parts, LENGTH(parts));
    compare_together(again, LENGTH(again));
}

/* --- what a newer stream left behind --------------------------------------------------------- */

static void empty_batch(struct books *books, const char *node, uint64_t stream, int64_t begin_s,
                        const char *boot_id)
{
    struct fake_meter meter;
    struct batch batch;

    fake_meter_init(&meter, node, stream, T + begin_s);
    strcpy(meter.boot_id, boot_id);
    fake_meter_begin(&meter, 60, &batch);
    fake_meter_seal(&meter, &batch);
    load(books, &batch);
    batch_clear(&batch);
}

static void a_reboot_closes_what_was_open_on_the_node(void **state)
{
    struct books *books = *state;

    load_part(books, &(struct part){ "a", 1, 1, 0, 0, 0, 0, NULL }, 1);
    empty_batch(books, "b", 3, 500, "boot-1");
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), INT64_MIN);
    empty_batch(books, "a", 2, 500, "boot-2");
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), T + 60);
    assert_int_equal(books_number(books, "SELECT flags FROM job"), FLAG_END_LOST | FLAG_REBOOT);
    /* a late batch of the old stream moves the end, and takes nothing back */
    load_part(books, &(struct part){ "a", 1, 1, 60, 0, 0, 0, NULL }, 2);
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), T + 120);
    /* and one that knows the end says it */
    load_part(books, &(struct part){ "a", 1, 1, 120, 150, 0, 0, NULL }, 3);
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), T + 150);
    assert_int_equal(books_number(books, "SELECT flags FROM job"), 0);
}

static void a_job_that_goes_on_in_the_next_stream_has_lost_no_end(void **state)
{
    struct books *books = *state;

    load_part(books, &(struct part){ "a", 1, 1, 0, 0, 0, 0, NULL }, 1);
    empty_batch(books, "a", 2, 100, "boot-1");
    assert_int_equal(books_number(books, "SELECT flags FROM job"), FLAG_END_LOST);
    load_part(books, &(struct part){ "a", 2, 1, 160, 0, 0, FLAG_BEGIN_LOST, NULL }, 2);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM job"), 1);
    assert_int_equal(books_number(books, "SELECT flags FROM job"), FLAG_BEGIN_LOST);
    assert_int_equal(books_number(books, "SELECT end_s FROM job"), INT64_MIN);
    assert_int_equal(books_number(books, "SELECT begin_s FROM job"), T);
}

/* --- sums and months ------------------------------------------------------------------------- */

#define SEP INT64_C(1788220800) /* 2026-09-01T00:00:00Z */
#define OCT INT64_C(1790812800)
#define NOV INT64_C(1793491200)

/* A batch of stream 1 of node "a", about one job that began at begin_s; end_s 0: open. */
struct life {
    uint64_t seq;
    int64_t batch_begin_s, batch_end_s, begin_s, end_s;
};

static void load_life(struct books *books, const struct life *life)
{
    struct fake_meter meter;
    struct batch batch;
    struct batch_job *job;

    fake_meter_init(&meter, "a", 1, life->batch_begin_s);
    meter.seq = life->seq;
    fake_meter_begin(&meter, life->batch_end_s - life->batch_begin_s, &batch);
    job = fake_meter_job(&batch, 1, 7, life->begin_s);
    if (life->end_s)
        fake_meter_end_job(job, life->end_s);
    fake_meter_energy(&batch, OWNER_REMAINDER, 1, 0, COMPONENT_CPU, 1000, 0);
    fake_meter_seal(&meter, &batch);
    load(books, &batch);
    batch_clear(&batch);
}

/* Bits: 1 September, 2 October, 4 November; 8 any other. */
static int64_t months(struct books *books)
{
    return books_number(books, "SELECT COALESCE(SUM(CASE month_s WHEN %lld THEN 1 WHEN %lld THEN 2"
                        " WHEN %lld THEN 4 ELSE 8 END), 0) FROM allocation_month", (long long)SEP,
                        (long long)OCT, (long long)NOV);
}

static void an_allocation_is_of_the_months_it_touched(void **state)
{
    static const struct {
        struct life life;
        int64_t months;
    } rows[] = {
        { { 1, SEP, SEP + 60, SEP, SEP + 60 }, 1 },
        { { 1, OCT - 60, OCT - 1, OCT - 60, OCT - 1 }, 1 },
        { { 1, OCT - 60, OCT, OCT - 60, OCT }, 3 },           /* to midnight of the first */
        { { 1, OCT, OCT + 60, OCT, OCT + 60 }, 2 },           /* from it */
        { { 1, OCT, OCT + 60, OCT, OCT }, 2 },                /* at it */
        { { 1, OCT - 60, OCT + 60, OCT - 60, OCT + 60 }, 3 },
        { { 1, OCT - 60, NOV + 60, OCT - 60, NOV + 60 }, 7 }, /* a whole one between */
        { { 1, OCT - 60, OCT + 60, OCT - 60, 0 }, 3 },        /* open: to the batch's end */
        { { 1, OCT - 60, OCT - 1, OCT - 60, 0 }, 1 },
        { { 1, OCT - 60, OCT + 60, OCT + 30, OCT - 30 }, 2 }, /* a clock went backwards */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct books books;

        books_open(&books);
        load_life(&books, &rows[i].life);
        ROW_HOLDS(i, months(&books) == rows[i].months);
        ROW_HOLDS(i, books_audit(&books, "A7", false) == 0);
        books_close(&books);
    }
}

static void its_months_follow_what_later_batches_say(void **state)
{
    struct books *books = *state;

    load_life(books, &(struct life){ 1, OCT - 120, OCT - 60, OCT - 120, 0 });
    assert_int_equal(months(books), 1);
    load_life(books, &(struct life){ 3, OCT, NOV + 60, OCT - 120, 0 });
    assert_int_equal(months(books), 7);
    /* older news that come later are no news */
    load_life(books, &(struct life){ 2, OCT - 60, OCT, OCT - 120, 0 });
    assert_int_equal(months(books), 7);
    /* the end was before the batch's begin, and the begin later than was thought */
    load_life(books, &(struct life){ 4, NOV + 60, NOV + 120, OCT, NOV - 10 });
    assert_int_equal(months(books), 2);
    load_life(books, &(struct life){ 5, NOV + 120, NOV + 180, OCT - 10, NOV });
    assert_int_equal(months(books), 7);
    assert_int_equal(books_audit(books, "A7", false), 0);
}

static void closing_what_was_left_open_keeps_its_months(void **state)
{
    struct books *books = *state;

    load_life(books, &(struct life){ 1, OCT - 60, OCT + 60, OCT - 60, 0 });
    empty_batch(books, "a", 2, NOV - T, "boot-2");
    assert_int_equal(books_number(books, "SELECT end_ns / 1000000000 FROM allocation"), OCT + 60);
    assert_int_equal(months(books), 3);
    /* a late batch of the old stream opens it, and it is closed again, later */
    load_life(books, &(struct life){ 2, OCT + 60, NOV + 60, OCT - 60, 0 });
    assert_int_equal(books_number(books, "SELECT end_ns / 1000000000 FROM allocation"), NOV + 60);
    assert_int_equal(months(books), 7);
    assert_int_equal(books_audit(books, "A7", false), 0);
}

/* one change for each key of a batch, and the sums are of all rows whatever their parts */
static void sums_are_over_nodes_steps_components_and_qualities(void **state)
{
    struct books *books = *state;
    int64_t hour_s = T / 3600 * 3600;

    for (uint64_t n = 1; n <= 2; n++) {
        char name[8] = { 'n', (char)('0' + n), '\0' };
        struct fake_meter meter;
        struct batch batch;

        fake_meter_init(&meter, name, n, T);
        fake_meter_begin(&meter, 60, &batch);
        fake_meter_job(&batch, 1, 7, T);
        fake_meter_step(&batch, 1, 0, T);
        fake_meter_energy(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 5000, 4000);
        fake_meter_energy(&batch, OWNER_STEP, 1, 0, COMPONENT_GPU, 1000, 0)->quality =
            QUALITY_MODELLED;
        fake_meter_energy(&batch, OWNER_REMAINDER, 1, 0, COMPONENT_CPU, 1000, 2000)->quality =
            QUALITY_GAP;
        fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 7000, 0);
        fake_meter_energy(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_CPU, 0, 11000);
        for (size_t i = 0; i < batch.n_energies; i++) {
            batch.energies[i].metered_ns = UINT64_C(1000000) << i;
            batch.energies[i].elapsed_ns = UINT64_C(3000000) << i;
        }
        fake_meter_seal(&meter, &batch);
        load(books, &batch);
        batch_clear(&batch);
    }
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM job_hour WHERE hour_s = %lld AND"
                                  " active_mj = 14 AND idle_mj = 12 AND measured_mj = 18 AND"
                                  " modelled_mj = 2 AND metered_ms = 14 AND elapsed_ms = 42 AND"
                                  " gap_ms = 24", (long long)hour_s), 1);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM node_hour WHERE hour_s = %lld AND"
                                  " counted_mj = 31 AND active_mj = 7 AND idle_mj = 6 AND"
                                  " system_mj = 7 AND unallocated_mj = 11 AND measured_mj = 27 AND"
                                  " modelled_mj = 1 AND metered_ms = 31 AND elapsed_ms = 93 AND"
                                  " gap_ms = 12", (long long)hour_s), 2);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM cluster_hour WHERE counted_mj = 62"
                                  " AND active_mj = 14 AND idle_mj = 12 AND system_mj = 14 AND"
                                  " unallocated_mj = 22 AND measured_mj = 54 AND modelled_mj = 2"
                                  " AND metered_ms = 62 AND elapsed_ms = 186 AND gap_ms = 24"), 1);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

static void a_rolled_back_batch_leaves_no_sums(void **state)
{
    struct books *books = *state;
    struct fake_meter meter;
    uint64_t random = 1;
    struct batch batch;
    enum store_outcome outcome;

    fake_meter_init(&meter, "n1", 1, T);
    fake_meter_random(&meter, &random, &batch);
    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(store_load(books->store, &batch, "00000001", &outcome, NULL), 0);
    assert_true(books_number(books, "SELECT COUNT(*) FROM batch") > 0);
    store_rollback(books->store);
    assert_int_equal(books_number(books, "SELECT (SELECT COUNT(*) FROM node_hour) +"
                                  " (SELECT COUNT(*) FROM cluster_hour) +"
                                  " (SELECT COUNT(*) FROM job_hour) +"
                                  " (SELECT COUNT(*) FROM allocation_month)"), 0);
    load(books, &batch);
    assert_int_equal(books_audit(books, NULL, false), 0);
    batch_clear(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_batch_counts_once_however_often_it_comes),
        TEST(other_bytes_under_a_known_id_change_nothing),
        TEST(what_cannot_be_loaded_leaves_nothing_behind),
        TEST(a_batch_that_breaks_in_the_middle_is_undone_alone),
        TEST(a_broken_database_is_not_the_batchs_fault),
        TEST(what_is_committed_after_a_failure_is_told),
        TEST(who_loads_beside_others_is_told_when_it_keeps_enough_from_them),
        cmocka_unit_test(any_order_of_arrival_gives_the_same_books),
        TEST(nothing_known_is_lost_and_the_latest_batch_wins),
        TEST(the_newest_batch_says_what_a_node_is),
        cmocka_unit_test(allocations_join_the_run_they_belong_to),
        cmocka_unit_test(what_is_said_of_a_run_in_one_transaction_is_kept),
        TEST(a_job_ends_when_its_last_node_does),
        TEST(a_reboot_closes_what_was_open_on_the_node),
        TEST(a_job_that_goes_on_in_the_next_stream_has_lost_no_end),
        cmocka_unit_test(an_allocation_is_of_the_months_it_touched),
        TEST(its_months_follow_what_later_batches_say),
        TEST(closing_what_was_left_open_keeps_its_months),
        TEST(sums_are_over_nodes_steps_components_and_qualities),
        TEST(a_rolled_back_batch_leaves_no_sums),
    };

    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
