/* what is given up is stated by audit and coverage, and is taken back when it comes after all */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"
#include "store/loss.h"
#include "store/roll.h"

#define BATCHES 12
#define MINUTE_NS (60 * UINT64_C(1000000000))
#define BEGIN_S (FAKE_BEGIN_S / 3600 * 3600 + 3300) /* the hour ends after five batches */
#define STREAM "0000000000000001"
#define ELAPSED_MS "SELECT COALESCE(SUM(elapsed_ms), 0) FROM energy"

static const struct loss_note note = { "a test", "tester" };

static void ignore_span(void *arg, const struct loss_span *span)
{
    (void)span;
    ++*(unsigned *)arg;
}

/* Batches of a minute: node and job 1, which lives in all of them, each metered all of the time. */
static void make(struct batch *batches)
{
    struct fake_meter meter;

    fake_meter_init(&meter, "n1", 1, BEGIN_S);
    for (int i = 0; i < BATCHES; i++) {
        struct batch_energy *row;

        fake_meter_begin(&meter, 60, &batches[i]);
        fake_meter_job(&batches[i], 1, 7, BEGIN_S);
        fake_meter_step(&batches[i], 1, 0, BEGIN_S);
        row = fake_meter_energy(&batches[i], OWNER_STEP, 1, 0, COMPONENT_CPU, 5000000, 0);
        row->metered_ns = row->elapsed_ns = MINUTE_NS;
        row = fake_meter_energy(&batches[i], OWNER_UNALLOCATED, 0, 0, COMPONENT_CPU, 0, 3000000);
        row->metered_ns = row->elapsed_ns = 2 * MINUTE_NS; /* of two packages */
        fake_meter_seal(&meter, &batches[i]);
    }
}

struct site {
    struct books books;
    struct batch batches[BATCHES];
};

static int set_up(void **state)
{
    static struct site site;

    books_open(&site.books);
    make(site.batches);
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

/* How many holes were given up. */
static unsigned accept(struct site *site, const char *stream)
{
    struct error err = { "" };
    unsigned holes = 0;

    assert_int_equal(store_begin(site->books.store, NULL), 0);
    if (loss_accept(site->books.store, NULL, "n1", stream, &note, ignore_span, &holes, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(site->books.store, NULL), 0);
    return holes;
}

static enum loss_outcome give_up(struct site *site, int64_t seq)
{
    enum loss_outcome outcome;

    assert_int_equal(store_begin(site->books.store, NULL), 0);
    assert_int_equal(loss_give_up(site->books.store, "n1", STREAM, seq, &note, &outcome, NULL), 0);
    assert_int_equal(store_commit(site->books.store, NULL), 0);
    return outcome;
}

static int64_t lost_ms(struct site *site, int job)
{
    return books_number(&site->books, ELAPSED_MS " WHERE sensor LIKE 'lost %%' AND job_key %s 0",
                        job ? ">" : "=");
}

/* All of these days. */
static void roll_up(struct site *site)
{
    struct error err = { "" };
    struct roll roll;
    int rc = roll_init(site->books.store, &roll, 0, FAKE_BEGIN_S + 2 * ROLL_DAY_S, false, &err);

    while (rc == 0 && !roll.done)
        rc = roll_pass(site->books.store, &roll, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
}

static unsigned failures(struct site *site)
{
    return books_audit(&site->books, NULL, true);
}

static void a_hole_fails_until_it_is_given_up(void **state)
{
    struct site *site = *state;

    load(site, 1, 3);
    load(site, 6, 12);
    assert_int_equal(failures(site), 1);
    assert_int_equal(lost_ms(site, 1), 0);
    assert_int_equal(accept(site, NULL), 1);
    assert_int_equal(failures(site), 0);
    assert_int_equal(books_audit(&site->books, "A2", false), 2); /* who and why; how much */
    assert_int_equal(accept(site, NULL), 0);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss WHERE reason = 'a test'"
                                  " AND made_by = 'tester' AND first_seq = 4 AND last_seq = 5"), 1);
}

/* two minutes: the job is on one package, the node has two, and no energy is booked for it */
static void coverage_falls_by_the_time_of_the_hole(void **state)
{
    struct site *site = *state;

    load(site, 1, 4);
    load(site, 7, 12);
    assert_int_equal(accept(site, STREAM), 1);
    assert_int_equal(lost_ms(site, 1), 120000);
    assert_int_equal(lost_ms(site, 0), 240000);
    /* the hour ends between them */
    assert_int_equal(books_number(&site->books, "SELECT COUNT(DISTINCT hour_s) FROM energy"
                                  " WHERE sensor LIKE 'lost %%'"), 2);
    assert_int_equal(books_number(&site->books, "SELECT SUM(active_mj + idle_mj + metered_ms)"
                                  " FROM energy WHERE sensor LIKE 'lost %%'"), 0);
    assert_int_equal(books_number(&site->books, "SELECT SUM(gap_ms) FROM job_hour"), 120000);
    assert_int_equal(books_number(&site->books, "SELECT SUM(elapsed_ms) FROM cluster_hour"),
                     12 * 3 * 60000);
    assert_int_equal(failures(site), 0);
}

static void of_days_that_were_rolled_up_coverage_falls_as_much(void **state)
{
    struct site *site = *state;

    load(site, 1, 4);
    load(site, 7, 12);
    roll_up(site);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(DISTINCT hour_s) FROM energy"), 1);
    assert_int_equal(accept(site, STREAM), 1);
    assert_int_equal(lost_ms(site, 1), 120000);
    assert_int_equal(lost_ms(site, 0), 240000);
    assert_int_equal(failures(site), 0);
    roll_up(site);
    load(site, 5, 6);
    assert_int_equal(lost_ms(site, 1) + lost_ms(site, 0), 0);
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
}

static void a_new_loss_is_a_failure_again(void **state)
{
    struct site *site = *state;

    load(site, 1, 3);
    load(site, 5, 8);
    assert_int_equal(accept(site, NULL), 1);
    load(site, 10, 12);
    assert_int_equal(failures(site), 1);
    assert_int_equal(give_up(site, 9), LOSS_BOOKED);
    assert_int_equal(failures(site), 0);
}

static void a_hole_half_given_up_fails(void **state)
{
    struct site *site = *state;

    load(site, 1, 3);
    load(site, 6, 12);
    assert_int_equal(give_up(site, 5), LOSS_BOOKED);
    assert_int_equal(give_up(site, 5), LOSS_THERE_ALREADY);
    assert_int_equal(give_up(site, 6), LOSS_NONE);
    assert_int_equal(failures(site), 1);
    assert_int_equal(lost_ms(site, 1), 0);
    assert_int_equal(accept(site, NULL), 1);
    assert_int_equal(failures(site), 0);
    assert_int_equal(lost_ms(site, 1), 120000);
}

/* nobody knows how long the hole is until the batch after it is there */
static void what_is_given_up_at_the_end_is_booked_when_the_stream_goes_on(void **state)
{
    struct site *site = *state;

    load(site, 1, 3);
    assert_int_equal(give_up(site, 4), LOSS_BOOKED);
    assert_int_equal(lost_ms(site, 1), 0);
    assert_int_equal(failures(site), 0);
    load(site, 5, 6);
    assert_int_equal(lost_ms(site, 1), 60000);
    assert_int_equal(failures(site), 0);
}

/* a job that is not heard of again may have lived to the end of the hole */
static void a_job_that_ends_in_the_hole_is_covered_by_none_of_it(void **state)
{
    struct site *site = *state;

    for (int i = 5; i < BATCHES; i++) {
        struct batch *batch = &site->batches[i];

        batch->n_jobs = batch->n_steps = 0;
        batch->energies[0].owner = OWNER_SYSTEM;
        batch->energies[0].has = 0;
    }
    load(site, 1, 3);
    load(site, 6, 12);
    assert_int_equal(accept(site, NULL), 1);
    assert_int_equal(lost_ms(site, 1), 120000);
}

static void a_batch_that_comes_after_all_is_counted(void **state)
{
    struct site *site = *state;

    load(site, 1, 3);
    load(site, 7, 12);
    assert_int_equal(accept(site, NULL), 1);
    load(site, 5, 5);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss"), 0);
    assert_int_equal(lost_ms(site, 1) + lost_ms(site, 0), 0);
    assert_int_equal(failures(site), 2); /* seqs 4 and 6 are failures anew */
    load(site, 4, 4);
    load(site, 6, 6);
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
}

static void whom_nobody_knows_is_refused(void **state)
{
    struct site *site = *state;
    struct error err = { "" };
    enum loss_outcome outcome;
    unsigned holes = 0;

    load(site, 1, 3);
    assert_int_equal(loss_accept(site->books.store, NULL, "n2", NULL, &note, ignore_span, &holes,
                                 &err), -ENOENT);
    assert_non_null(strstr(err.text, "no batch of node n2 is in the books"));
    assert_int_equal(loss_accept(site->books.store, NULL, "n1", "ffffffffffffffff", &note,
                                 ignore_span, &holes, &err), -ENOENT);
    assert_int_equal(loss_accept(site->books.store, "d", "n1", NULL, &note, ignore_span, &holes,
                                 &err), -ENOENT);
    assert_non_null(strstr(err.text, "no batch of node n1 of cluster d is in the books"));
    assert_int_equal(loss_give_up(site->books.store, "n2", STREAM, 4, &note, &outcome, NULL), 0);
    assert_int_equal(outcome, LOSS_NODE_UNKNOWN);
}

/* Batches 1, 2 and 5 of the node n1 of another cluster, "d"; stream 1 is that of "c" too. */
static void load_namesake(struct site *site, uint64_t stream)
{
    struct fake_meter meter;

    fake_meter_init(&meter, "n1", stream, BEGIN_S);
    snprintf(meter.cluster, sizeof(meter.cluster), "d");
    for (int seq = 1; seq <= 5; seq++) {
        struct batch batch;

        fake_meter_begin(&meter, 60, &batch);
        fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 5000000, 0);
        fake_meter_seal(&meter, &batch);
        if (seq < 3 || seq == 5)
            assert_int_equal(books_load(&site->books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
}

static void of_two_nodes_of_one_name_only_the_named_one_gives_up(void **state)
{
    struct site *site = *state;
    struct error err = { "" };
    unsigned holes = 0;

    load(site, 1, 3);
    load(site, 6, 12);
    load_namesake(site, 1);
    assert_int_equal(failures(site), 2);
    for (int with_stream = 0; with_stream < 2; with_stream++) {
        assert_int_equal(loss_accept(site->books.store, NULL, "n1", with_stream ? STREAM : NULL,
                                     &note, ignore_span, &holes, &err), -ENOTUNIQ);
        assert_non_null(strstr(err.text, "a node n1 is of cluster c and of cluster d"));
    }
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss"), 0);
    assert_int_equal(loss_accept(site->books.store, "d", "n1", NULL, &note, ignore_span, &holes,
                                 NULL), 0);
    assert_int_equal(holes, 1);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss WHERE node_key = 2"), 1);
    assert_int_equal(failures(site), 1);
    assert_int_equal(books_number(&site->books, ELAPSED_MS " WHERE sensor LIKE 'lost %%'"
                                  " AND node_key = 1"), 0);
    assert_int_equal(loss_accept(site->books.store, "c", "n1", STREAM, &note, ignore_span, &holes,
                                 NULL), 0);
    assert_int_equal(holes, 2);
    assert_int_equal(failures(site), 0);
}

/* A stream that one of them has is no riddle. */
static void of_two_nodes_of_one_name_that_of_the_stream_gives_up(void **state)
{
    struct site *site = *state;

    load_namesake(site, 2);
    load(site, 1, 3);
    load(site, 5, 12);
    assert_int_equal(failures(site), 2);
    assert_int_equal(give_up(site, 4), LOSS_BOOKED);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss JOIN node ON"
                                  " node.node_key = loss.node_key WHERE cluster = 'c'"), 1);
    assert_int_equal(failures(site), 1);
    assert_int_equal(accept(site, "0000000000000002"), 1);
    assert_int_equal(failures(site), 0);
}

/* It would be stated of the wrong one every other time. */
static void a_loss_that_may_be_of_two_nodes_is_stated_of_none(void **state)
{
    struct site *site = *state;
    enum loss_outcome outcome;

    load(site, 1, 3);
    load_namesake(site, 2);
    assert_int_equal(loss_give_up(site->books.store, "n1", "ffffffffffffffff", 1, &note, &outcome,
                                  NULL), 0);
    assert_int_equal(outcome, LOSS_NODE_UNCLEAR);
    load_namesake(site, 1);
    assert_int_equal(give_up(site, 4), LOSS_NODE_UNCLEAR);
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM loss"), 0);
}

/* Loaded and given up in any order: the sums hold at every instant, and once all is there, nothing
   is left that tells of it. */
static void any_order_of_loading_and_giving_up_comes_to_the_same(void **state)
{
    struct site *site = *state;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t random = seed;
        bool loaded[BATCHES] = { false };

        tear_down(state);
        set_up(state);
        load(site, 1, 1);
        loaded[0] = true;
        for (int i = 0; i < 25; i++) {
            int at = (int)fake_random(&random, BATCHES);

            if (fake_random(&random, 8) == 0)
                roll_up(site);
            else if (fake_random(&random, 2))
                give_up(site, at + 1);
            else if (!loaded[at])
                load(site, at + 1, at + 1), loaded[at] = true;
            ROW_HOLDS(seed, books_audit(&site->books, "A6", false) == 0);
            ROW_HOLDS(seed, books_audit(&site->books, "A10", false) == 0);
        }
        accept(site, NULL);
        ROW_HOLDS(seed, failures(site) == 0);
        for (int i = 0; i < BATCHES; i++)
            if (!loaded[i])
                load(site, i + 1, i + 1);
        ROW_HOLDS(seed, books_audit(&site->books, NULL, false) == 0);
        ROW_HOLDS(seed, books_number(&site->books, "SELECT COUNT(*) FROM loss") == 0);
        ROW_HOLDS(seed, lost_ms(site, 1) + lost_ms(site, 0) == 0);
        ROW_HOLDS(seed, books_number(&site->books, "SELECT COUNT(*) FROM job_hour") == 2);
    }
}

#define LOSS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOSS_TEST(a_hole_fails_until_it_is_given_up),
        LOSS_TEST(coverage_falls_by_the_time_of_the_hole),
        LOSS_TEST(of_days_that_were_rolled_up_coverage_falls_as_much),
        LOSS_TEST(a_new_loss_is_a_failure_again),
        LOSS_TEST(a_hole_half_given_up_fails),
        LOSS_TEST(what_is_given_up_at_the_end_is_booked_when_the_stream_goes_on),
        LOSS_TEST(a_job_that_ends_in_the_hole_is_covered_by_none_of_it),
        LOSS_TEST(a_batch_that_comes_after_all_is_counted),
        LOSS_TEST(whom_nobody_knows_is_refused),
        LOSS_TEST(of_two_nodes_of_one_name_only_the_named_one_gives_up),
        LOSS_TEST(of_two_nodes_of_one_name_that_of_the_stream_gives_up),
        LOSS_TEST(a_loss_that_may_be_of_two_nodes_is_stated_of_none),
        LOSS_TEST(any_order_of_loading_and_giving_up_comes_to_the_same),
    };

    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
