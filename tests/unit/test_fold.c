/* folding: old batches become runs, and nothing that anyone can ask has another answer */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"
#include "store/backfill.h"
#include "store/backup.h"
#include "store/fold.h"
#include "store/loss.h"
#include "store/migrate.h"
#include "store/nodes.h"

#define T FAKE_BEGIN_S
#define FAR INT64_C(9000000000)
#define BATCHES 12
#define RUNS "SELECT COUNT(*) FROM batch WHERE first_seq IS NOT NULL"

/* One node's batches of a minute, from T. */
struct site {
    struct books books;
    struct batch batches[BATCHES];
};

static void make(struct fake_meter *meter, struct batch *ret_batch)
{
    fake_meter_begin(meter, 60, ret_batch);
    fake_meter_job(ret_batch, 1, 7, T);
    fake_meter_energy(ret_batch, OWNER_REMAINDER, 1, 0, COMPONENT_CPU, 5001500, 300);
    fake_meter_energy(ret_batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_MEMORY, 0, 1000700);
    fake_meter_seal(meter, ret_batch);
}

static int set_up(void **state)
{
    static struct site site;
    struct fake_meter meter;

    books_open(&site.books);
    fake_meter_init(&meter, "n1", 1, T);
    for (int i = 0; i < BATCHES; i++)
        make(&meter, &site.batches[i]);
    *state = &site;
    return 0;
}

static int tear_down(void **state)
{
    struct site *site = *state;

    for (int i = 0; i < BATCHES; i++)
        batch_clear(&site->batches[i]);
    books_close(&site->books);
    return 0;
}

static void load(struct site *site, int first_seq, int last_seq)
{
    for (int seq = first_seq; seq <= last_seq; seq++)
        assert_int_equal(books_load(&site->books, &site->batches[seq - 1], NULL), STORE_LOADED);
}

static void run_sql(struct books *books, const char *sql)
{
    struct error err = { "" };

    if (store_exec(books->store, sql, &err) < 0)
        fail_msg("%s", err.text);
}

/* What a sweep did, of all that ended before before_s, which a dry run said before; its passes. */
static struct fold sweep(struct books *books, int64_t before_s, unsigned *ret_passes)
{
    int64_t rows = books_number(books, "SELECT COUNT(*) FROM batch");
    struct error err = { "" };
    struct fold fold, dry;
    unsigned passes = 0;

    fold_init(&dry, before_s);
    if (fold_count(books->store, &dry, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), rows);
    fold_init(&fold, before_s);
    for (; !fold.done; passes++)
        if (fold_pass(books->store, &fold, &err) < 0)
            fail_msg("%s", err.text);
    assert_int_equal(dry.rows, fold.rows);
    assert_int_equal(dry.runs, fold.runs);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"),
                     rows - (int64_t)fold.rows);
    if (ret_passes)
        *ret_passes = passes;
    return fold;
}

/* --- what the audit says --------------------------------------------------------------------- */

static void ignore_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

static void add_finding(void *arg, const struct audit_finding *finding)
{
    buf_printf(arg, "%s %d %" PRId64 " %s\n", finding->rule, finding->fails, finding->missing_mj,
               finding->text);
}

/* All findings of a deep audit; free() it. */
static char *findings(struct books *books)
{
    struct error err = { "" };
    struct audit_sink sink = { NULL, ignore_balance, add_finding };
    struct buf buf;

    buf_init(&buf);
    buf_printf(&buf, "found:\n");
    sink.arg = &buf;
    if (store_audit(books->store, true, &sink, &err) < 0)
        fail_msg("%s", err.text);
    return buf.data;
}

static struct fold sweep_unseen(struct books *books, int64_t before_s)
{
    char *before = findings(books), *after;
    struct fold fold = sweep(books, before_s, NULL);

    after = findings(books);
    assert_string_equal(before, after);
    free(before);
    free(after);
    return fold;
}

/* --- what becomes one ------------------------------------------------------------------------ */

static void a_stream_becomes_one_row(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct fold fold;

    load(site, 1, BATCHES);
    fold = sweep(books, FAR, NULL);
    assert_int_equal(fold.rows, BATCHES - 1);
    assert_int_equal(fold.runs, 1);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch WHERE first_seq = 1"
                                  " AND seq = 12 AND begin_wall_ns = %" PRId64 " AND end_wall_ns ="
                                  " %" PRId64 " AND end_boottime_ns - begin_boottime_ns = %" PRId64,
                                  T * (int64_t)NS_PER_S, (T + 720) * (int64_t)NS_PER_S,
                                  720 * (int64_t)NS_PER_S), 1);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch_component WHERE seq = 12"
                                  " AND begin_uj = 0"), COMPONENT_COUNT);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch_component"), COMPONENT_COUNT);
    assert_int_equal(books_number(books, "SELECT end_uj FROM batch_component"
                                  " WHERE component = 'memory'"), 12 * 1000700);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

static void what_is_young_stays_and_a_later_sweep_goes_on(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct fold fold;

    load(site, 1, 6);
    fold = sweep(books, T + 241, NULL); /* the fourth has ended then, and no other */
    assert_int_equal(fold.rows, 3);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch WHERE first_seq IS NULL"), 2);
    load(site, 7, BATCHES);
    fold = sweep(books, T + 601, NULL);
    assert_int_equal(fold.rows, 6);
    assert_int_equal(fold.runs, 1);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch WHERE first_seq = 1"
                                  " AND seq = 10"), 1);
    assert_int_equal(sweep(books, T + 601, NULL).runs, 0);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

/* One batch by itself, and then with those that a round of ingest expects. */
static enum store_outcome load_again(struct books *books, const struct batch *batch, bool expected)
{
    enum store_outcome outcome = STORE_LOADED;
    bool mine;

    assert_int_equal(store_begin(books->store, NULL), 0);
    if (expected)
        assert_int_equal(store_expect(books->store, &batch, 1, &mine, NULL), 0);
    assert_int_equal(store_load(books->store, batch, "00000000", &outcome, NULL), 0);
    assert_int_equal(store_commit(books->store, NULL), 0);
    return outcome;
}

static void a_batch_of_a_run_is_a_duplicate(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    char *before, *after;

    load(site, 3, BATCHES - 1); /* 1, 2 and 12 are still to come */
    sweep(books, FAR, NULL);
    before = findings(books);
    for (int i = 2; i < BATCHES - 1; i++)
        ROW_HOLDS(i, books_load(books, &site->batches[i], NULL) == STORE_DUPLICATE);
    for (int i = 2; i < BATCHES - 2; i++) /* a changed copy cannot be told from the true one … */
        for (int expected = 0; expected < 2; expected++)
            ROW_HOLDS(i, load_again(books, &site->batches[i], expected) == STORE_DUPLICATE);
    /* … but of the last batch of a run */
    assert_int_equal(load_again(books, &site->batches[BATCHES - 2], false), STORE_CONFLICTING);
    assert_int_equal(load_again(books, &site->batches[BATCHES - 2], true), STORE_CONFLICTING);
    after = findings(books);
    assert_string_equal(before, after);
    free(before);
    free(after);
    load(site, 1, 2);
    load(site, BATCHES, BATCHES);
    assert_int_equal(sweep(books, FAR, NULL).rows, 3);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

static void a_late_batch_closes_the_hole_between_two_runs(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    const struct batch *all[BATCHES];
    bool mine[BATCHES];

    load(site, 1, 4);
    load(site, 6, BATCHES);
    sweep_unseen(books, FAR);
    assert_int_equal(books_number(books, RUNS), 2);
    assert_int_equal(books_audit(books, "A2", true), 2); /* cpu and memory */
    assert_int_equal(store_begin(books->store, NULL), 0);
    for (int i = 0; i < BATCHES; i++)
        all[i] = &site->batches[i];
    assert_int_equal(store_expect(books->store, all, BATCHES, mine, NULL), 0);
    for (int i = 0; i < BATCHES; i++) {
        enum store_outcome outcome;

        assert_int_equal(store_load(books->store, all[i], "00000000", &outcome, NULL), 0);
        ROW_HOLDS(i, outcome == (i == 4                       ? STORE_LOADED
                                 : i == 3 || i == BATCHES - 1 ? STORE_CONFLICTING
                                                              : STORE_DUPLICATE));
    }
    assert_int_equal(store_commit(books->store, NULL), 0);
    assert_int_equal(books_audit(books, NULL, false), 0);
    assert_int_equal(sweep(books, FAR, NULL).rows, 2);
    assert_int_equal(books_number(books, RUNS " AND first_seq = 1 AND seq = 12"), 1);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

/* --- what does not --------------------------------------------------------------------------- */

/* Batches 1 to 12, changed by hand at 7: two runs are left, and the same findings. */
static void what_does_not_follow_stays(void **state)
{
    static const struct {
        const char *sql;
        unsigned rows; /* that go of twelve */
    } cases[] = {
        { "UPDATE batch_component SET begin_uj = begin_uj + 1 WHERE seq = 7 AND component = 'cpu'",
          10 },
        { "UPDATE batch_component SET end_uj = end_uj + 1 WHERE seq = 7 AND component = 'cpu'",
          10 },
        { "UPDATE batch_component SET end_uj = end_uj + 1, begin_uj = begin_uj + 1 WHERE seq = 7",
          9 },
        { "UPDATE batch_component SET component = 'x' WHERE seq = 7 AND component = 'gpu'", 9 },
        { "DELETE FROM batch_component WHERE seq = 7 AND component = 'gpu'", 9 },
        { "DELETE FROM batch_component WHERE seq = 7", 9 },
        { "UPDATE batch_component SET end_uj = begin_uj - 1 WHERE seq = 7 AND begin_uj > 0", 9 },
        { "UPDATE batch_component SET end_uj = begin_uj - 1 WHERE seq = 7 AND begin_uj > 0;"
          "UPDATE batch_component SET begin_uj = (SELECT end_uj FROM batch_component AS c WHERE"
          " c.seq = 7 AND c.component = batch_component.component) WHERE seq = 8", 9 },
        { "DELETE FROM batch_component WHERE seq = 7; DELETE FROM batch WHERE seq = 7", 9 },
        /* as if batch 8 were the next after 6, but for its number */
        { "DELETE FROM batch_component WHERE seq = 7; DELETE FROM batch WHERE seq = 7;"
          "UPDATE batch SET begin_wall_ns = begin_wall_ns - 60000000000,"
          " begin_boottime_ns = begin_boottime_ns - 60000000000 WHERE seq = 8;"
          "UPDATE batch_component SET begin_uj = (SELECT end_uj FROM batch_component AS c WHERE"
          " c.seq = 6 AND c.component = batch_component.component) WHERE seq = 8", 9 },
        { "UPDATE batch_component SET stream = '0000000000000002' WHERE seq >= 7;"
          "UPDATE batch SET stream = '0000000000000002' WHERE seq >= 7", 10 },
        { "UPDATE batch SET boot_id = 'boot-2' WHERE seq >= 7", 10 },
        { "UPDATE batch SET begin_boottime_ns = begin_boottime_ns + 1 WHERE seq = 7", 10 },
        { "UPDATE batch SET begin_wall_ns = begin_wall_ns + 1 WHERE seq = 7", 10 },
        { "UPDATE batch SET batches_dropped = 1 WHERE seq >= 7", 10 },
        { "UPDATE batch SET version = '0.2.0' WHERE seq >= 7", 11 },
        { "UPDATE batch SET marks_bad = 1 WHERE seq >= 7", 11 },
        /* the clock is set back by two minutes in the seventh, which ends when the fourth did */
        { "UPDATE batch SET begin_wall_ns = begin_wall_ns - 180000000000 WHERE seq > 7;"
          "UPDATE batch SET end_wall_ns = end_wall_ns - 180000000000 WHERE seq >= 7", 6 },
        /* … by an hour, and it ends before all others do */
        { "UPDATE batch SET begin_wall_ns = begin_wall_ns - 3600000000000 WHERE seq > 7;"
          "UPDATE batch SET end_wall_ns = end_wall_ns - 3600000000000 WHERE seq >= 7", 9 },
    };
    struct site *site = *state;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct books books;

        books_open(&books);
        for (int j = 0; j < BATCHES; j++)
            assert_int_equal(books_load(&books, &site->batches[j], NULL), STORE_LOADED);
        books_unbind(&books);
        run_sql(&books, cases[i].sql);
        ROW_HOLDS(i, sweep_unseen(&books, FAR).rows == cases[i].rows);
        ROW_HOLDS(i, sweep_unseen(&books, FAR).rows == 0);
        books_close(&books);
    }
}

static void a_chain_that_is_broken_after_folding_is_found(void **state)
{
    static const char *const sqls[] = {
        "UPDATE batch_component SET begin_uj = 1 WHERE component = 'cpu' AND seq = 6",
        "UPDATE batch_component SET end_uj = end_uj + 1000 WHERE component = 'cpu' AND seq = 6",
        "UPDATE batch SET first_seq = 2 WHERE seq = 6",
        "UPDATE batch SET first_seq = NULL WHERE seq = 6",
        "DELETE FROM batch_component WHERE seq = 6; DELETE FROM batch WHERE seq = 6",
    };
    struct site *site = *state;

    for (size_t i = 0; i < LENGTH(sqls); i++) {
        struct books books;

        books_open(&books);
        for (int j = 0; j < BATCHES; j++)
            assert_int_equal(books_load(&books, &site->batches[j], NULL), STORE_LOADED);
        sweep(&books, T + 361, NULL); /* a run of six */
        books_unbind(&books);
        run_sql(&books, sqls[i]);
        ROW_HOLDS(i, books_audit(&books, "A2", false) > 0);
        sweep_unseen(&books, FAR);
        books_close(&books);
    }
}

/* by hand: batch 3 once more, within the run of 1 to 6, and counting nothing */
static void what_is_there_twice_is_not_folded_away(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct error err = { "" };
    struct fold fold;

    load(site, 1, BATCHES);
    sweep(books, T + 361, NULL);
    run_sql(books, "INSERT INTO batch SELECT node_key, stream, 3, crc32, boot_id, version,"
                   " begin_boottime_ns, end_boottime_ns, begin_wall_ns, end_wall_ns, marks_bad,"
                   " batches_dropped, loaded_s, NULL FROM batch WHERE seq = 6");
    fold_init(&fold, FAR);
    assert_int_equal(fold_pass(books->store, &fold, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "batches 1 to 12 of stream 0000000000000001 are in the books"
                                     " twice: run carbonctl audit"));
    assert_int_equal(fold.rows, 0);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 8);
}

/* The node reboots, and its first stream's last batch comes after the second's first ones. */
static void streams_are_folded_each_by_itself(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct fake_meter other;

    load(site, 1, BATCHES - 1);
    fake_meter_init(&other, "n1", 2, T + 60 * BATCHES);
    snprintf(other.boot_id, sizeof(other.boot_id), "boot-2");
    for (int i = 0; i < 5; i++) {
        struct batch batch;

        make(&other, &batch);
        assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
    load(site, BATCHES, BATCHES);
    assert_int_equal(sweep_unseen(books, FAR).runs, 2);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 2);
}

/* --- losses ---------------------------------------------------------------------------------- */

static void take_span(void *arg, const struct loss_span *span)
{
    buf_printf(arg, "%s:%s %" PRId64 " to %" PRId64 "\n", span->node, span->stream, span->first_seq,
               span->last_seq);
}

static char *accept_losses(struct books *books)
{
    static const struct loss_note note = { "a test", "tester" };
    struct error err = { "" };
    struct buf buf;

    buf_init(&buf);
    buf_printf(&buf, "given up:\n");
    assert_int_equal(store_begin(books->store, NULL), 0);
    if (loss_accept(books->store, NULL, "n1", NULL, &note, take_span, &buf, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(books->store, NULL), 0);
    return buf.data;
}

static enum loss_outcome give_up(struct books *books, int64_t seq)
{
    static const struct loss_note note = { "a test", "tester" };
    enum loss_outcome outcome;

    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(loss_give_up(books->store, "n1", "0000000000000001", seq, &note, &outcome,
                                  NULL), 0);
    assert_int_equal(store_commit(books->store, NULL), 0);
    return outcome;
}

#define LOST_MS "SELECT SUM(elapsed_ms) FROM energy WHERE sensor LIKE 'lost %%'"

/* folded before they are given up, or after it: the same holes, gaps and findings */
static void losses_are_what_they_were(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books, other;
    char *lost, *others_lost, *audit, *others_audit;

    books_open(&other);
    for (int seq = 2; seq <= BATCHES; seq++) {
        if (seq == 5 || seq == 6 || seq == 10)
            continue;
        load(site, seq, seq);
        assert_int_equal(books_load(&other, &site->batches[seq - 1], NULL), STORE_LOADED);
    }
    assert_int_equal(sweep_unseen(books, FAR).runs, 3);
    for (int64_t seq = 1; seq <= BATCHES; seq++)
        if (seq != 1 && seq != 5 && seq != 6 && seq != 10)
            assert_int_equal(give_up(books, seq), LOSS_NONE);
    lost = accept_losses(books);
    others_lost = accept_losses(&other);
    assert_string_equal(lost, others_lost);
    assert_true(books_number(books, LOST_MS) > 0);
    assert_int_equal(books_number(books, LOST_MS), books_number(&other, LOST_MS));
    sweep_unseen(books, FAR);
    sweep_unseen(&other, FAR);
    audit = findings(books);
    others_audit = findings(&other);
    assert_int_equal(strlen(audit), strlen(others_audit)); /* but for the times of giving up */
    assert_int_equal(books_audit(books, NULL, true), 0);
    load(site, 5, 6); /* they come after all */
    load(site, 10, 10);
    load(site, 1, 1);
    assert_int_equal(sweep_unseen(books, FAR).runs, 1);
    assert_int_equal(books_number(books, LOST_MS), INT64_MIN);
    assert_int_equal(books_audit(books, NULL, false), 0);
    free(lost);
    free(others_lost);
    free(audit);
    free(others_audit);
    books_close(&other);
}

/* --- what else is asked of batches ----------------------------------------------------------- */

static void take_status(void *arg, const struct node_status *status)
{
    struct node_status *copy = arg;

    *copy = *status;
    copy->cluster = copy->node = NULL; /* gone with the row */
}

static void status_counts_batches(void **state)
{
    struct site *site = *state;
    struct node_status before = { .batches = 0 }, after = { .batches = 0 };

    load(site, 1, 4);
    load(site, 6, BATCHES);
    assert_int_equal(store_nodes(site->books.store, 0, take_status, &before, NULL), 0);
    sweep(&site->books, FAR, NULL);
    assert_int_equal(store_nodes(site->books.store, 0, take_status, &after, NULL), 0);
    assert_int_equal(before.batches, BATCHES - 1);
    assert_int_equal(before.missing, 1);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void a_backup_counts_batches(void **state)
{
    struct site *site = *state;
    struct backup_facts facts;
    struct error err = { "" };
    char path[PATH_MAX];

    if (!books_are_a_file(&site->books)) /* pg_dump's to do */
        return;
    load(site, 1, BATCHES);
    sweep(&site->books, T + 361, NULL);
    snprintf(path, sizeof(path), "%.4000s/copy.db", site->books.tree.path);
    if (backup_write(site->books.store, path, &facts, &err) < 0 ||
        backup_verify(path, &facts, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(facts.batches, BATCHES);
    assert_int_equal(facts.failures, 0);
}

/* Of every span of half minutes: until when its node was not metered. */
static char *when_metered(struct books *books)
{
    struct buf buf;

    buf_init(&buf);
    for (int64_t from_s = T - 90; from_s < T + 60 * BATCHES + 90; from_s += 30) {
        for (int64_t to_s = from_s + 30; to_s < T + 60 * BATCHES + 120; to_s += 30) {
            int64_t free_s;

            assert_int_equal(backfill_free_until(books->store, "c", "n1", from_s, to_s, &free_s,
                                                 NULL), 0);
            buf_printf(&buf, "%" PRId64 " ", free_s);
        }
    }
    return buf.data;
}

static void whether_a_node_was_metered_is_what_it_was(void **state)
{
    struct site *site = *state;
    char *before, *after;

    load(site, 2, 4);
    load(site, 7, 7);
    load(site, 9, BATCHES);
    before = when_metered(&site->books);
    sweep(&site->books, FAR, NULL);
    after = when_metered(&site->books);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Its clock was set wrong: in the middle of stream 1 there are batches of stream 2. */
static void a_stream_amid_another_cuts_its_run(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct fake_meter other;
    char *before, *after;

    load(site, 1, BATCHES);
    fake_meter_init(&other, "n1", 2, T + 310);
    for (int i = 0; i < 2; i++) {
        struct batch batch;

        fake_meter_begin(&other, 20, &batch);
        fake_meter_seal(&other, &batch);
        assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
    before = when_metered(books);
    sweep_unseen(books, FAR);
    after = when_metered(books);
    assert_string_equal(before, after);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 3);
    free(before);
    free(after);
}

/* A job that was backfilled is twice in the books if its node was metered then: A9. */
static void the_audit_finds_what_was_metered_in_a_run(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;

    load(site, 1, 4);
    load(site, 7, BATCHES);
    run_sql(books, "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref,"
                   " begin_ns, end_ns, seen_ns, seen_seq, cores, core_list, gpus, gpu_list,"
                   " memory_mb) SELECT 99, job_key, node_key, 'backfill', 1, begin_ns, begin_ns,"
                   " begin_ns, 1, 1, '', 0, '', 0 FROM allocation;"
                   "INSERT INTO backfill SELECT 99, node_key, begin_ns, begin_ns, 'TRES', 'a test',"
                   " 0 FROM allocation WHERE stream <> 'backfill'");
    for (int folded = 0; folded < 2; folded++) {
        for (int minute = -3; minute <= BATCHES; minute++) {
            char sql[160];

            snprintf(sql, sizeof(sql), "UPDATE backfill SET begin_ns = %" PRId64 "000000000,"
                     " end_ns = %" PRId64 "000000000", T + minute * 60 + 10, T + minute * 60 + 50);
            run_sql(books, sql);
            ROW_HOLDS(minute, books_audit(books, "A9", true) ==
                                  (minute >= 0 && minute < BATCHES && minute != 4 && minute != 5));
        }
        sweep(books, FAR, NULL);
    }
}

/* From a file, or from PostgreSQL, into another file: both kinds of rows are there. */
static void runs_move_with_the_books(void **state)
{
    const struct store_turn turn = { .who = "a test" };
    struct site *site = *state;
    struct migration migration = { .from = site->books.database, .turn = &turn };
    struct books moved = { .store = NULL };
    struct error err = { "" };

    load(site, 1, BATCHES);
    sweep(&site->books, T + 361, NULL);
    site->books.store = store_close(site->books.store);
    snprintf(moved.database, sizeof(moved.database), "sqlite:%.4000s/moved.db",
             site->books.tree.path);
    migration.to = moved.database;
    if (store_migrate(&migration, &err) < 0 ||
        store_open(moved.database, STORE_WRITE, "a test", &moved.store, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(books_number(&moved, RUNS " AND first_seq = 1 AND seq = 6"), 1);
    assert_int_equal(books_number(&moved, "SELECT COUNT(*) FROM batch"), 7);
    assert_int_equal(sweep_unseen(&moved, FAR).rows, 6);
    store_close(moved.store);
}

/* --- many ------------------------------------------------------------------------------------ */

#define COUNT_TO(n) \
    "WITH RECURSIVE i (i) AS (SELECT CAST(1 AS BIGINT)" \
    " UNION ALL SELECT i + 1 FROM i WHERE i < " n ")"
#define COMPONENTS "(SELECT 'cpu' AS component UNION SELECT 'memory') AS both_of_them"

/*
 * Of node 1, 10 000 batches of a second, of 1 mJ in each of two components, and 15 000 of its next
 * stream; three of another node. With a tie: when the first FOLD_ROWS have ended another stream of
 * node 1 begins and ends; and at the end there is one more of two batches.
 */
static void add_many(struct books *books, bool tie)
{
    _Static_assert(FOLD_ROWS == 20000, "the tie lies where a pass ends");
    run_sql(books, "INSERT INTO node VALUES (1, 'c', 'n1', 1, 1, 0, 1), (2, 'c', 'n2', 1, 1, 0, 1);"
                   COUNT_TO("25000") " INSERT INTO batch SELECT 1, CASE WHEN i <= 10000 THEN"
                   " 'ffffffffffffffff' ELSE '0000000000000001' END,"
                   " CASE WHEN i <= 10000 THEN i ELSE i - 10000 END,"
                   " '00000000', 'boot-1', '1', (i - 1) * 1000000000, i * 1000000000,"
                   " (i - 1) * 1000000000, i * 1000000000, 0, 0, 0, NULL FROM i;"
                   "INSERT INTO batch SELECT 2, '0000000000000002', seq, crc32, boot_id, version,"
                   " begin_boottime_ns, end_boottime_ns, begin_wall_ns, end_wall_ns, 0, 0, 0, NULL"
                   " FROM batch WHERE seq <= 3 AND stream <> '0000000000000001';"
                   "INSERT INTO batch_component SELECT node_key, stream, seq, component,"
                   " (seq - 1) * 1000, seq * 1000 FROM batch, " COMPONENTS ";"
                   "INSERT INTO node_total SELECT node_key, 0, component, COUNT(*)"
                   " FROM batch_component GROUP BY node_key, component;"
                   "INSERT INTO energy SELECT node_key, 0, 0, -1, component, 'measured', 'x', 0,"
                   " counted_mj, 0, 0 FROM node_total");
    if (tie)
        run_sql(books, "INSERT INTO batch VALUES (1, '0000000000000003', 1, '00000000', 'boot-1',"
                       " '1', 0, 0, 20000000000000, 20000000000000, 0, 0, 0, NULL),"
                       " (1, '0000000000000000', 1, '00000000', 'boot-1',"
                       " '1', 0, 0, 25001000000000, 25001000000000, 0, 0, 0, NULL),"
                       " (1, '0000000000000000', 2, '00000000', 'boot-1',"
                       " '1', 0, 0, 25001000000000, 25001000000000, 0, 0, 0, NULL)");
    assert_int_equal(store_make_sums(books->store, NULL), 0);
}

static void work_is_cut_into_passes_each_of_which_is_whole(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct error err = { "" };
    struct fold fold;

    add_many(books, true);
    assert_int_equal(books_audit(books, NULL, false), 0);
    fold_init(&fold, FAR);
    assert_int_equal(fold_pass(books->store, &fold, &err), 0);
    assert_false(fold.done);
    assert_int_equal(fold.rows, FOLD_ROWS - 2);
    /* whoever is killed here leaves this */
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 25006 - FOLD_ROWS + 2);
    assert_int_equal(books_audit(books, NULL, false), 0);
    while (!fold.done)
        assert_int_equal(fold_pass(books->store, &fold, &err), 0);
    assert_int_equal(fold.rows, 25006 - 6);
    assert_int_equal(fold.runs, 5); /* the second stream is two */
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch"), 6);
    assert_int_equal(books_number(books, "SELECT COUNT(*) FROM batch_component"), 8);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

static void a_sweep_that_was_ended_is_taken_up_by_the_next(void **state)
{
    struct site *site = *state;
    struct books *books = &site->books;
    struct error err = { "" };
    struct fold fold;
    unsigned passes;

    add_many(books, false);
    fold_init(&fold, FAR);
    assert_int_equal(fold_pass(books->store, &fold, &err), 0);
    fold = sweep(books, FAR, &passes);
    assert_int_equal(passes, 1); /* what was folded before is not read again */
    assert_int_equal(fold.rows, 5000 + 2);
    assert_int_equal(fold.runs, 2);
    assert_int_equal(books_number(books, RUNS " AND first_seq = 1"), 3);
    assert_int_equal(books_audit(books, NULL, false), 0);
}

static void a_run_goes_on_over_the_end_of_a_pass(void **state)
{
    struct site *site = *state;
    struct fold fold;
    unsigned passes;

    add_many(&site->books, false);
    fold = sweep(&site->books, FAR, &passes);
    assert_int_equal(passes, 2);
    assert_int_equal(fold.rows, 25003 - 3);
    assert_int_equal(fold.runs, 3);
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
}

/* --- any history ----------------------------------------------------------------------------- */

#define LIVES 60

/* The batches of two meters: what was loaded, and what is still to come, late. */
struct history {
    struct books books;
    uint64_t random;
    struct fake_meter meters[2];
    struct batch loaded[LIVES], late[2];
    size_t n_loaded;
};

static void load_one(struct history *history, struct batch *batch)
{
    assert_int_equal(books_load(&history->books, batch, NULL), STORE_LOADED);
    history->loaded[history->n_loaded++] = *batch;
    *batch = (struct batch){ .n_jobs = 0 };
}

/* One more batch of a meter: it comes, or later, or never. */
static void live_on(struct history *history, int i)
{
    struct fake_meter *meter = &history->meters[i];
    uint64_t *random = &history->random, fate = fake_random(random, 10);
    struct batch batch;

    if (fake_random(random, 12) == 0) { /* another stream, of another boot or the same */
        meter->stream += 16;
        meter->seq = 1;
        memset(meter->counted_uj, 0, sizeof(meter->counted_uj));
        if (fake_random(random, 2))
            snprintf(meter->boot_id, sizeof(meter->boot_id), "boot-%" PRIu64, meter->stream);
    }
    fake_meter_random(meter, random, &batch);
    if (fate < 8) {
        load_one(history, &batch);
        return;
    }
    if (history->late[i].head.seq)
        load_one(history, &history->late[i]);
    if (fate == 8)
        history->late[i] = batch;
    else
        batch_clear(&batch);
}

/* Each is in the books, once: what comes again is a duplicate. */
static void deliver_all_again(struct history *history)
{
    char *before = findings(&history->books), *after;

    for (size_t i = 0; i < history->n_loaded; i++)
        ROW_HOLDS(i, books_load(&history->books, &history->loaded[i], NULL) == STORE_DUPLICATE);
    after = findings(&history->books);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void of_any_history_the_audit_says_the_same(void **state)
{
    static struct history history;
    uint64_t folded = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        history = (struct history){ .random = seed };
        books_open(&history.books);
        fake_meter_init(&history.meters[0], "n1", 1, T);
        fake_meter_init(&history.meters[1], "n2", 2, T);
        for (int i = 0; i < LIVES; i++) {
            live_on(&history, i % 2);
            if (fake_random(&history.random, 8) == 0)
                folded += sweep_unseen(&history.books, history.meters[0].wall_s -
                                       (int64_t)fake_random(&history.random, 600)).rows;
        }
        folded += sweep_unseen(&history.books, FAR).rows;
        assert_int_equal(sweep(&history.books, FAR, NULL).rows, 0);
        deliver_all_again(&history);
        for (size_t i = 0; i < history.n_loaded; i++)
            batch_clear(&history.loaded[i]);
        for (int i = 0; i < 2; i++)
            batch_clear(&history.late[i]);
        books_close(&history.books);
    }
    assert_true(folded > 200);
}

int main(void)
{
#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SITE(a_stream_becomes_one_row),
        WITH_SITE(what_is_young_stays_and_a_later_sweep_goes_on),
        WITH_SITE(a_batch_of_a_run_is_a_duplicate),
        WITH_SITE(a_late_batch_closes_the_hole_between_two_runs),
        WITH_SITE(what_does_not_follow_stays),
        WITH_SITE(a_chain_that_is_broken_after_folding_is_found),
        WITH_SITE(what_is_there_twice_is_not_folded_away),
        WITH_SITE(streams_are_folded_each_by_itself),
        WITH_SITE(losses_are_what_they_were),
        WITH_SITE(status_counts_batches),
        WITH_SITE(a_backup_counts_batches),
        WITH_SITE(whether_a_node_was_metered_is_what_it_was),
        WITH_SITE(a_stream_amid_another_cuts_its_run),
        WITH_SITE(the_audit_finds_what_was_metered_in_a_run),
        WITH_SITE(runs_move_with_the_books),
        WITH_SITE(work_is_cut_into_passes_each_of_which_is_whole),
        WITH_SITE(a_sweep_that_was_ended_is_taken_up_by_the_next),
        WITH_SITE(a_run_goes_on_over_the_end_of_a_pass),
        cmocka_unit_test(of_any_history_the_audit_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
