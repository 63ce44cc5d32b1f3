/* asking ahead: whatever was asked, and in whichever order it is read, answers are as without it */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "books.h"
#include "store/query.h"

struct reader {
    struct books books;
    struct store *store; /* a reader's, beside books.store */
};

static int set_up(void **state)
{
    static struct reader reader;
    struct error err = { "" };

    books_open(&reader.books);
    if (store_open(reader.books.database, STORE_READ, NULL, &reader.store, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_begin(reader.store, &err), 0);
    *state = &reader;
    return 0;
}

static int tear_down(void **state)
{
    struct reader *reader = *state;

    store_close(reader->store);
    books_close(&reader->books);
    return 0;
}

static struct stmt *prepare(struct store *store, const char *sql)
{
    struct error err = { "" };
    struct stmt *stmt;

    if (store_prepare(store, sql, &stmt, &err) < 0)
        fail_msg("%s", err.text);
    return stmt;
}

/* All rows as digits. */
static int answer(struct store *store, struct stmt *stmt, struct error *err)
{
    int digits = 0, rc;

    while ((rc = store_step(store, stmt, err)) > 0)
        digits = 10 * digits + (int)stmt_int(stmt, 0);
    return rc < 0 ? rc : digits;
}

static int number(struct store *store, const char *sql)
{
    struct stmt *stmt = prepare(store, sql);
    int digits = answer(store, stmt, NULL);

    stmt_free(stmt);
    return digits;
}

static void begin_anew(struct store *store)
{
    store_rollback(store);
    assert_int_equal(store_begin(store, NULL), 0);
}

/* --- order ------------------------------------------------------------------------------------ */

static const char *const sqls[] = { "SELECT 1 UNION ALL SELECT 2", "SELECT 3 WHERE 1 = 0",
                                    "SELECT 4" };
static const int digits[] = { 12, 0, 4 };

static void ask(struct store *store, struct stmt *ret[3])
{
    for (int i = 0; i < 3; i++)
        ret[i] = prepare(store, sqls[i]);
    store_ask(store, ret, 3);
}

static void drop(struct stmt *stmts[3])
{
    for (int i = 0; i < 3; i++)
        stmt_free(stmts[i]);
}

static void each_is_answered_by_itself_in_any_order(void **state)
{
    static const int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
                                     { 2, 0, 1 }, { 2, 1, 0 } };
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *stmts[3];

    for (int i = 0; i < 24; i++) { /* another question before the second, the third, or both */
        ask(store, stmts);
        for (int k = 0; k < 3; k++) {
            const int which = orders[i % 6][k];

            if (k > 0 && i / 6 & k)
                assert_int_equal(number(store, "SELECT 5"), 5);
            assert_int_equal(answer(store, stmts[which], NULL), digits[which]);
        }
        for (int k = 0; k < 3; k++) /* and once more, asked by itself */
            assert_int_equal(answer(store, stmts[k], NULL), digits[k]);
        drop(stmts);
    }
}

static void what_nobody_reads_is_in_nobodys_way(void **state)
{
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *stmts[3];

    ask(store, stmts); /* not even sent */
    drop(stmts);
    assert_int_equal(number(store, "SELECT 5"), 5);
    ask(store, stmts);
    assert_int_equal(answer(store, stmts[0], NULL), 12); /* sent, and the others not taken */
    drop(stmts);
    assert_int_equal(number(store, "SELECT 5"), 5);
    ask(store, stmts);
    assert_int_equal(answer(store, stmts[2], NULL), 4); /* taken, and not read */
    drop(stmts);
    assert_int_equal(number(store, sqls[0]), 12); /* another statement of the same words */
    assert_int_equal(number(store, "SELECT 5"), 5);
}

static void one_is_asked_as_often_as_one_likes(void **state)
{
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *stmts[3];

    ask(store, stmts);
    store_ask(store, stmts, 3);
    assert_int_equal(answer(store, stmts[1], NULL), 0);
    store_ask(store, stmts, 3);
    store_ask(store, stmts + 1, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(answer(store, stmts[i], NULL), digits[i]);
    drop(stmts);
}

static void one_in_the_middle_of_its_rows_is_not_disturbed(void **state)
{
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *many = prepare(store, "SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8");
    struct stmt *stmts[3];

    stmt_many(many);
    assert_int_equal(store_step(store, many, NULL), 1);
    ask(store, stmts);
    assert_int_equal(answer(store, stmts[2], NULL), 4);
    assert_int_equal(answer(store, many, NULL), 78);
    assert_int_equal(answer(store, stmts[0], NULL), 12);
    stmt_stream(many);
    store_ask(store, &many, 1); /* in vain */
    store_ask(store, stmts, 3);
    assert_int_equal(answer(store, many, NULL), 678);
    assert_int_equal(answer(store, stmts[1], NULL), 0);
    drop(stmts);
    stmt_free(many);
}

/* --- parameters ------------------------------------------------------------------------------- */

static void the_parameters_of_now_count(void **state)
{
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *stmt = prepare(store, "SELECT COALESCE(?1, 9)");

    for (int i = 0; i < 2; i++) {
        stmt_bind_int(stmt, 1, 3);
        store_ask(store, &stmt, 1);
        stmt_bind_int(stmt, 1, 4);
        if (i == 1)
            store_ask(store, &stmt, 1);
        assert_int_equal(answer(store, stmt, NULL), 4);
        stmt_bind_int(stmt, 1, 3);
        assert_int_equal(answer(store, stmt, NULL), 3);
        stmt_bind_null(stmt, 1);
        assert_int_equal(answer(store, stmt, NULL), 9);
    }
    stmt_free(stmt);
    stmt = prepare(store, "SELECT 7 WHERE COALESCE(?1, 'x') = 'x'"); /* one that nobody binds */
    store_ask(store, &stmt, 1);
    assert_int_equal(answer(store, stmt, NULL), 7);
    stmt_free(stmt);
}

static void a_text_is_no_more_than_its_characters(void **state)
{
    static const char *const texts[] = { "it's", "\\'", "$1 ?2 \"", "'x' OR 1 = 1; --",
                                          "caf\u00e9" };
    struct store *store = ((struct reader *)*state)->store;
    struct stmt *const stmts[] = { prepare(store, "SELECT 1 WHERE ?1 = ?2"),
                                   prepare(store, "SELECT LENGTH(?1)") };

    for (size_t i = 0; i < LENGTH(texts); i++) {
        stmt_bind_text(stmts[0], 1, texts[i]);
        stmt_bind_text(stmts[0], 2, texts[i]);
        stmt_bind_text(stmts[1], 1, texts[i]);
        store_ask(store, stmts, 2);
        assert_int_equal(answer(store, stmts[1], NULL), i == 4 ? 4 : strlen(texts[i]));
        assert_int_equal(answer(store, stmts[0], NULL), 1);
        stmt_bind_text(stmts[0], 2, "other");
        assert_int_equal(answer(store, stmts[0], NULL), 0);
    }
    stmt_free(stmts[0]);
    stmt_free(stmts[1]);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Fails when it runs, and only then: there is no number that the least one is the negative of. */
#define ONE "COALESCE(LENGTH(content), 1) / COALESCE(LENGTH(content), 1)"
#define FAILS "SELECT ABS(-9223372036854775807 - CAST(" ONE " AS BIGINT)) FROM meta" \
    " UNION ALL SELECT ABS(-9223372036854775807 - CAST(?1 AS BIGINT))"

static struct stmt *prepare_failing(struct store *store)
{
    struct stmt *stmt = prepare(store, "SELECT ABS(-9223372036854775807 - ?1)");

    stmt_bind_int(stmt, 1, 1);
    return stmt;
}

static void an_error_is_the_one_that_it_would_be_alone(void **state)
{
    struct reader *reader = *state;
    struct store *store = reader->store;
    const bool aborts = !books_are_a_file(&reader->books); /* the whole transaction */

    for (int reads = 0; reads < 4; reads++) {
        struct error alone = { "" }, err = { "" };
        struct stmt *stmts[] = { prepare(store, "SELECT 1"), prepare_failing(store),
                                 prepare(store, "SELECT 4") };
        const int rc = answer(store, stmts[1], &alone);

        assert_true(rc < 0);
        begin_anew(store);
        store_ask(store, stmts, 3);
        if (reads < 2) /* what came before it is good */
            assert_int_equal(answer(store, stmts[0], &err), 1);
        /* what comes behind it is lost by it */
        assert_int_equal(answer(store, stmts[reads % 2 && aborts ? 2 : 1], &err), rc);
        assert_string_equal(err.text, alone.text);
        assert_int_equal(answer(store, stmts[2], &err) < 0, aborts);
        begin_anew(store);
        assert_int_equal(answer(store, stmts[0], NULL), 1);
        assert_int_equal(answer(store, stmts[2], NULL), 4);
        drop(stmts);
    }
}

static void one_that_was_not_asked_is_told_of_an_error_too(void **state)
{
    struct reader *reader = *state;
    struct store *store = reader->store;
    struct stmt *stmts[] = { prepare(store, "SELECT 1"), prepare_failing(store) };
    const int rc = answer(store, stmts[1], NULL);

    begin_anew(store);
    store_ask(store, stmts, 2);
    assert_int_equal(answer(store, stmts[0], NULL), 1);
    assert_int_equal(number(store, "SELECT 5"), books_are_a_file(&reader->books) ? 5 : rc);
    begin_anew(store);
    assert_int_equal(number(store, "SELECT 5"), 5);
    stmt_free(stmts[0]);
    stmt_free(stmts[1]);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void note(struct reader *reader, int64_t content)
{
    assert_int_equal(store_note(reader->books.store, "asked", content, false, NULL), 0);
}

static void no_answer_outlives_its_transaction(void **state)
{
    struct reader *reader = *state;
    struct store *store = reader->store;
    struct stmt *stmts[] = {
        prepare(store, "SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'asked'"),
        prepare(store, "SELECT 1"),
    };

    store_rollback(store);
    note(reader, 1);
    for (int i = 1; i < 9; i++) {
        assert_int_equal(store_begin(store, NULL), 0);
        store_ask(store, stmts, 2);
        if (i & 1) /* both are here, and one is not read */
            assert_int_equal(answer(store, stmts[1], NULL), 1);
        if (i & 2)
            assert_int_equal(store_commit(store, NULL), 0);
        else
            store_rollback(store);
        assert_false(store_in_transaction(store));
        note(reader, i + 1);
        if (i & 4)
            assert_int_equal(store_begin(store, NULL), 0);
        assert_int_equal(answer(store, stmts[0], NULL), i + 1);
        store_rollback(store);
    }
    stmt_free(stmts[0]);
    stmt_free(stmts[1]);
}

/* A writer, and who reads without a transaction, reads what is there when he reads it. */
static void only_within_a_readers_transaction_is_anything_asked(void **state)
{
    struct reader *reader = *state;
    struct store *const stores[] = { reader->store, reader->books.store };

    store_rollback(reader->store);
    for (int i = 0; i < 2; i++) {
        struct stmt *stmt = prepare(stores[i], "SELECT CAST(content AS BIGINT) FROM meta"
                                               " WHERE name = 'asked'");

        if (i == 1)
            assert_int_equal(store_begin(stores[i], NULL), 0);
        note(reader, 1);
        assert_false(store_ask_ahead(stores[i]));
        store_ask(stores[i], &stmt, 1);
        assert_int_equal(number(stores[i], "SELECT 5"), 5);
        note(reader, 2);
        assert_int_equal(answer(stores[i], stmt, NULL), 2);
        stmt_free(stmt);
        store_rollback(stores[i]);
    }
}

/* --- noted instead of read -------------------------------------------------------------------- */

static void between_asking_and_done_nothing_is_found(void **state)
{
    struct reader *reader = *state;
    struct store *store = reader->store;
    struct stmt *stmt = prepare(store, sqls[0]);
    bool asks = store_ask_ahead(store);

    assert_int_equal(asks, !books_are_a_file(&reader->books));
    if (asks)
        assert_int_equal(answer(store, stmt, NULL), 0);
    store_ask_done(store);
    assert_int_equal(number(store, "SELECT 5"), 5);
    assert_int_equal(answer(store, stmt, NULL), 12);
    stmt_free(stmt);
}

#define JOBS 2003 /* more than are looked for at one go */
static const char FILL[] =
    "INSERT INTO node VALUES (1, 'c', 'n1', 1, 1, 0, 1);"
    "WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 2003)"
    " INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s, end_s)"
    " SELECT i, 'c', i, 0, 600000, 900000 FROM i;"
    "UPDATE job SET peak_mw = 5, peak_minute_s = 600000, peak_span_ms = 60000 WHERE job_key = 7;"
    "INSERT INTO allocation (job_key, node_key, stream, ref, begin_ns, end_ns, seen_ns, seen_seq,"
    " cores, core_list, gpus, gpu_list, memory_mb) SELECT job_key, 1, 's', job_key,"
    " 600000000000000, 900000000000000, 900000000000000, 1, 1, '0', 0, '', 0 FROM job;"
    "INSERT INTO energy SELECT 1, 604800 - 604800 % 86400, job_key, -1, 'cpu', 'measured', 'x',"
    " job_key, 1, 1, 1 FROM job;" /* the row of a day */
    "INSERT INTO job_hour (job_key, hour_s, active_mj, idle_mj, measured_mj, modelled_mj,"
    " metered_ms, elapsed_ms, gap_ms) SELECT job_key, 604800, job_key, 1, job_key + 1, 0, 1, 1, 0"
    " FROM job;"
    "INSERT INTO energy SELECT 1, 720000, job_key, -1, 'cpu', 'measured', 'x', 1000, 1, 1, 1"
    " FROM job;"
    "INSERT INTO power SELECT job_key, 1, 720000, 'cpu', 60, 60000 FROM job;"
    "INSERT INTO meta (name, content) VALUES ('energy_rolled_before_s', '691200')";

/* Their sums; every job has something of all tables. */
static void read_jobs(struct store *store, bool ahead, int64_t ret_sums[3])
{
    const struct query_filter filter = { .has_window = true, .to_s = 1000000 };
    struct query_result jobs;
    struct error err = { "" };

    if (ahead && store_ask_ahead(store)) {
        assert_true(query_jobs(store, &filter, &jobs, &err) <= 0);
        assert_int_equal(jobs.n_jobs, 0);
        store_ask_done(store);
    }
    assert_int_equal(query_jobs(store, &filter, &jobs, &err), 0);
    assert_int_equal(jobs.n_jobs, JOBS);
    if (ahead && store_ask_ahead(store)) {
        assert_int_equal(query_details(store, &jobs, QUERY_PEAK, 0, 1000000, &err), 0);
        store_ask_done(store);
        assert_int_equal(jobs.jobs[0].n_nodes, 0);
        assert_false(jobs.jobs[6].peak_mw.has);
        assert_int_equal(number(store, "SELECT 5"), 5);
    }
    assert_int_equal(query_details(store, &jobs, QUERY_PEAK, 0, 1000000, &err), 0);
    for (size_t i = 0; i < jobs.n_jobs; i++) {
        assert_int_equal(jobs.jobs[i].n_nodes, 1);
        ret_sums[0] += (int64_t)usage_mj(&jobs.jobs[i].usage);
        ret_sums[1] += jobs.jobs[i].usage.hours[0].hour_s;
        ret_sums[2] += jobs.jobs[i].peak_mw.value;
    }
    query_clear(&jobs);
}

static void jobs_are_as_without_asking(void **state)
{
    struct reader *reader = *state;
    int64_t plain[3] = { 0 }, asked[3] = { 0 };
    struct error err = { "" };

    store_rollback(reader->store);
    if (store_exec(reader->books.store, FILL, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_begin(reader->store, NULL), 0);
    read_jobs(reader->store, false, plain);
    read_jobs(reader->store, true, asked);
    assert_int_equal(plain[0], JOBS * (JOBS + 1) / 2 + JOBS * (1 + 1000 + 1));
    assert_int_equal(plain[1], JOBS * INT64_C(604800));
    assert_memory_equal(plain, asked, sizeof(plain));
}

int main(void)
{
#define WITH_READER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_READER(each_is_answered_by_itself_in_any_order),
        WITH_READER(what_nobody_reads_is_in_nobodys_way),
        WITH_READER(one_is_asked_as_often_as_one_likes),
        WITH_READER(one_in_the_middle_of_its_rows_is_not_disturbed),
        WITH_READER(the_parameters_of_now_count),
        WITH_READER(a_text_is_no_more_than_its_characters),
        WITH_READER(an_error_is_the_one_that_it_would_be_alone),
        WITH_READER(one_that_was_not_asked_is_told_of_an_error_too),
        WITH_READER(no_answer_outlives_its_transaction),
        WITH_READER(only_within_a_readers_transaction_is_anything_asked),
        WITH_READER(between_asking_and_done_nothing_is_found),
        WITH_READER(jobs_are_as_without_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
