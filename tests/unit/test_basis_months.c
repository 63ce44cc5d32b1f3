/* one job's part of a month's pools, as the month's report has it */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "report/basis.h"
#include "report/period_report.h"

/* Golden case 10 of docs/method.md: October 2026, and a job that lasts into November. */
#define OCT 1790812800 /* 2026-10-01T00:00:00Z */
#define NOV 1793491200
#define DEC 1796083200

#define INVENTORY                                                                                \
    "node_type \"g\" { nodes = \"g1\" gpus = 8 in_service = \"2024-01-01\"\n"                     \
    " asset \"server\" { class = GPU kg = 3700 lifetime_years = 6 source = \"s\" } }\n"           \
    "node_type \"h\" { nodes = \"g2\" gpus = 8 in_service = \"2026-10-11\"\n"                     \
    " asset \"server\" { class = GPU kg = 3700 lifetime_years = 6 source = \"s\" } }\n"           \
    "node_type \"c\" { nodes = \"c1\" cores = 128 in_service = \"2021-10-20\"\n"                  \
    " asset \"server\" { class = CPU kg = 1313 lifetime_years = 5 source = \"s\" } }\n"           \
    "shared \"switch\" { count = 1 kg = 280 lifetime_years = 6 in_service = \"2024-01-01\"\n"     \
    " source = \"s\" }\n"

enum { J1 = 1, J2, J3, K1, K2, LONG, UNKNOWN, JOBS = UNKNOWN };

/* Jobs by key: node, begin, length in ms, GPUs, cores. Nodes: 1 g1, 2 g2, 3 c1, 4 x1, 5 others'. */
static const struct {
    int node;
    int64_t begin_s, length_ms;
    int gpus, cores;
} jobs[] = {
    [J1] = { 1, OCT, INT64_C(1350000000), 8, 1 },                 /* 3000 GPU-hours */
    [J2] = { 1, OCT + 1400000, INT64_C(1125225000), 8, 1 },       /* 2500.5 */
    [J3] = { 2, OCT + 11 * 86400, INT64_C(540112500), 8, 1 },     /* 1200.25 */
    [K1] = { 3, OCT, INT64_C(562500000), 0, 128 },                /* 20 000 core-hours */
    [K2] = { 3, OCT + 600000, INT64_C(281250000), 0, 128 },       /* 10 000 */
    [LONG] = { 2, NOV - 36000, INT64_C(108000000), 4, 1 },        /* 10 h of October, 20 of Nov. */
    [UNKNOWN] = { 4, OCT, INT64_C(3600000), 0, 4 },
};

static void run(struct books *books, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void run(struct books *books, const char *fmt, ...)
{
    struct error err = { "" };
    char sql[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    if (store_exec(books->store, sql, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
}

static void put(struct books *books, const char *name, const char *text)
{
    struct factor_change *change = factors_change_new(books->store, "a test");

    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(factors_put_document(change, name, text, NULL), 0);
    assert_int_equal(store_commit(books->store, NULL), 0);
    factors_change_free(change);
}

static void add_job(struct books *books, int key)
{
    int64_t begin_ns = jobs[key].begin_s * INT64_C(1000000000);
    int64_t end_ns = begin_ns + jobs[key].length_ms * 1000000;

    run(books, "INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s, end_s, flags)"
        " VALUES (%d, 'c', %d, 0, %lld, %lld, 0)", key, key, (long long)jobs[key].begin_s,
        (long long)(end_ns / 1000000000));
    run(books, "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref, begin_ns,"
        " end_ns, seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb, flags) VALUES"
        " (%d, %d, %d, '00000000000000a1', %d, %lld, %lld, %lld, 1, %d, '', %d, '', 1, 0)", key,
        key, jobs[key].node, key, (long long)begin_ns, (long long)end_ns, (long long)end_ns,
        jobs[key].cores, jobs[key].gpus);
    run(books, "INSERT INTO allocation_month VALUES (%d, %d)", OCT, key);
    if (end_ns / 1000000000 > NOV)
        run(books, "INSERT INTO allocation_month VALUES (%d, %d)", NOV, key);
}

static const char *const nodes[] = { "g1", "g2", "c1", "x1" };

static void open_books(struct books *books, const char *settings, const char *inventory)
{
    books_open(books);
    for (size_t i = 0; i < LENGTH(nodes); i++)
        run(books, "INSERT INTO node VALUES (%zu, 'c', '%s', 2, 64, 0, 1000)", i + 1, nodes[i]);
    run(books, "INSERT INTO node VALUES (5, 'other', 'g1', 2, 64, 8, 1000)");
    for (int key = J1; key <= JOBS; key++)
        add_job(books, key);
    put(books, FACTORS_SETTINGS, settings);
    put(books, FACTORS_GRID, "zone,name,gco2e_per_kwh,year,basis,source\n"
                             "XX,x,100,2026,lifecycle,s\n");
    put(books, FACTORS_INVENTORY, inventory);
}

static void load(struct books *books, struct basis *basis)
{
    struct error err = { "" };

    if (basis_load(books->store, 0, NULL, OCT, DEC, basis, &err) < 0)
        fail_msg("%s", err.text);
}

/* What a job held: one node. */
static struct period_use use_of(int key)
{
    int64_t begin_ns = jobs[key].begin_s * INT64_C(1000000000);

    return (struct period_use){ .job_key = key, .node_key = jobs[key].node, .begin_ns = begin_ns,
                                .end_ns = begin_ns + jobs[key].length_ms * 1000000,
                                .cores = (uint32_t)jobs[key].cores,
                                .gpus = (uint32_t)jobs[key].gpus };
}

static struct job_embodied ask(struct basis_months *months, int key, int64_t from_s, int64_t to_s)
{
    struct period_use use = use_of(key);
    struct job_embodied job = { .has = false };
    struct error err = { "" };

    if (basis_job_embodied(months, &use, 1, from_s, to_s, NULL, NULL, &job, &err) < 0)
        fail_msg("job %d: %s", key, err.text);
    return job;
}

static struct range_mg amount_of(const struct job_embodied *job)
{
    return range_fine_mg(&job->amount);
}

static uint64_t spread_mg(const struct job_embodied *job)
{
    struct range_fine spread = { { 0, job->spread, 0 } };

    return range_fine_mg(&spread).central;
}

static void assert_near(int key, uint64_t expected, uint64_t found)
{
    if (found + 1 < expected || found > expected + 1)
        fail_msg("job %d: %llu mg, expected %llu", key, (unsigned long long)found,
                 (unsigned long long)expected);
}

static void the_golden_case_holds_for_each_job_alone(void **state)
{
    static const struct {
        int key;
        uint64_t mg;
    } cases[] = { { J1, 27144537 }, { J2, 22624972 }, { J3, 10860077 }, { K1, 3030592 },
                  { K2, 1515296 } };
    struct basis_months *months;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "EmbodiedMode=capacity\n", INVENTORY);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct job_embodied job = ask(months, cases[i].key, OCT, NOV);

        assert_true(job.has);
        assert_false(job.missing);
        assert_near(cases[i].key, cases[i].mg, amount_of(&job).central);
        assert_true(job.spread == 0);
    }
    assert_int_equal(ask(months, J1, 0, DEC).gpu_ms, 3000 * INT64_C(3600000));
    assert_int_equal(ask(months, K1, 0, DEC).core_ms, 20000 * INT64_C(3600000));
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

/* Every job of a month's report, by the id that is its key here. */
static void assert_as_report(struct books *books, const struct basis *basis,
                             struct basis_months *months, int64_t from_s, int64_t to_s)
{
    const struct period period = { "c", from_s, to_s };
    const struct period_report_options options = { .n_top = 100 };
    struct period_report report;
    struct error err = { "" };

    if (period_report_build(books->store, &period, basis, &options, &report, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(report.n_top > 0);
    for (size_t i = 0; i < report.n_top; i++) {
        const struct report_job *line = &report.top[i];
        int key = (int)line->job.job_id;
        struct job_embodied job = ask(months, key, from_s, to_s);

        assert_near(key, line->amounts.embodied.central, amount_of(&job).central);
        assert_near(key, line->amounts.embodied.low, amount_of(&job).low);
        assert_near(key, line->amounts.embodied.high, amount_of(&job).high);
        assert_near(key, line->amounts.spread_mg, spread_mg(&job));
        assert_int_equal(job.missing, line->amounts.missing_embodied);
    }
    period_report_clear(&report);
}

static void every_mode_is_as_in_the_months_report(void **state)
{
    static const char *const settings[] = {
        "EmbodiedMode=capacity\n", "EmbodiedMode=share\n",
        "EmbodiedMode=planned\nExpectedUtilisation=0.7\n",
        "EmbodiedMode=share\nIdlePolicy=spread\nZone=XX\n",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(settings); i++) {
        struct basis_months *months;
        struct basis basis;
        struct books books;

        open_books(&books, settings[i], INVENTORY);
        load(&books, &basis);
        months = basis_months_new(books.store, &basis, "c");
        assert_as_report(&books, &basis, months, OCT, NOV);
        assert_as_report(&books, &basis, months, NOV, DEC);
        basis_months_free(months);
        basis_clear(&basis);
        books_close(&books);
    }
}

struct lines {
    struct embodied_line lines[4];
    size_t count;
};

static int take_line(void *arg, const struct embodied_line *line)
{
    struct lines *lines = arg;

    assert_true(lines->count < LENGTH(lines->lines));
    lines->lines[lines->count++] = *line;
    return 0;
}

static void a_job_of_two_months_has_a_line_for_each_that_can_be_redone_by_hand(void **state)
{
    struct lines lines = { .count = 0 };
    struct basis_months *months;
    struct period_use use = use_of(LONG);
    struct range_fine sum = { { 0 } };
    struct job_embodied job;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "EmbodiedMode=share\n", INVENTORY);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_int_equal(basis_job_embodied(months, &use, 1, 0, DEC, take_line, &lines, &job, NULL), 0);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.lines[0].from_s, OCT);
    assert_int_equal(lines.lines[0].to_s, NOV);
    assert_int_equal(lines.lines[0].used_ms, 40 * 3600000);
    assert_int_equal(lines.lines[1].from_s, NOV);
    assert_int_equal(lines.lines[1].to_s, DEC);
    assert_int_equal(lines.lines[1].used_ms, 80 * 3600000);
    assert_int_equal(lines.lines[1].total_used_ms, 80 * 3600000); /* nobody else used it */
    for (size_t i = 0; i < lines.count; i++) {
        const struct embodied_line *line = &lines.lines[i];

        assert_int_equal(line->pool, POOL_GPU);
        assert_near(LONG, (uint64_t)((unsigned __int128)line->period->pools[POOL_GPU].amount.central
                                     * line->used_ms / line->total_used_ms),
                    range_fine_mg(&line->amount).central);
        range_fine_add(&sum, &line->amount);
    }
    assert_true(sum.of[1] == job.amount.of[1]);
    assert_true(ask(months, LONG, OCT, NOV).amount.of[1] == lines.lines[0].amount.of[1]);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

static void meet(struct basis_months *months, int key)
{
    assert_int_equal(basis_months_meet(months, jobs[key].node, nodes[jobs[key].node - 1], NULL), 0);
}

/* The inventory has all numbers here: the cluster's nodes are read for the one alone that it does
   not have, whenever that comes. */
static void nodes_that_are_met_need_not_be_read_and_change_no_figure(void **state)
{
    struct job_embodied expected[JOBS + 1], found;
    struct basis_months *months;
    struct books books;
    struct basis basis;

    (void)state;
    open_books(&books, "Zone=XX\nPUE=1.2\n", INVENTORY);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    for (int key = J1; key <= JOBS; key++)
        expected[key] = ask(months, key, 0, DEC);
    basis_months_free(months);
    assert_true(expected[UNKNOWN].missing);
    for (int i = 0; i < 12; i++) {
        months = basis_months_new(books.store, &basis, "c");
        for (int key = J1; key <= JOBS; key++) {
            int next = (key * (i % 2 ? 3 : 1) + i / 2) % JOBS + 1;

            if (i < 8 || next % 2) /* or some are not met */
                meet(months, next);
            found = ask(months, next, 0, DEC);
            assert_memory_equal(&found, &expected[next], sizeof(found));
        }
        basis_months_free(months);
    }
    run(&books, "UPDATE node SET name = 'another' || node_key");
    months = basis_months_new(books.store, &basis, "c");
    for (int key = J1; key < UNKNOWN; key++) {
        meet(months, key);
        found = ask(months, key, 0, DEC);
        assert_memory_equal(&found, &expected[key], sizeof(found));
    }
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

static void what_no_inventory_knows_is_missing_and_not_nothing(void **state)
{
    struct basis_months *months;
    struct job_embodied job;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "EmbodiedMode=capacity\n", INVENTORY);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    job = ask(months, UNKNOWN, OCT, NOV);
    assert_true(job.has);
    assert_true(job.missing);
    assert_true(job.amount.of[2] == 0);
    assert_int_equal(job.core_ms, 0);
    assert_false(ask(months, UNKNOWN, NOV, DEC).missing); /* it did not run then */
    basis_months_free(months);
    basis_clear(&basis);
    put(&books, FACTORS_INVENTORY, NULL);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_false(ask(months, J1, OCT, NOV).has);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

static void assert_spread(struct basis_months *months, int key, int64_t from_s, int64_t to_s,
                          uint64_t expected_mg)
{
    struct job_embodied job = ask(months, key, from_s, to_s);

    assert_int_equal(spread_mg(&job), expected_mg);
}

static void spread_idle_energy_goes_by_the_hours_held_of_its_own_pool(void **state)
{
    struct basis_months *months;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "Zone=XX\nPUE=1.2\nIdlePolicy=spread\n", INVENTORY);
    /* 1 kWh of g1 in October: 120 g over 6740.75 GPU-hours; 1 kWh of another cluster's node */
    run(&books, "INSERT INTO node_hour VALUES (%d, 1, 3600000000, 0, 0, 0, 3600000000, 0, 0, 0, 0,"
        " 0), (%d, 5, 3600000000, 0, 0, 0, 3600000000, 0, 0, 0, 0, 0)", OCT, OCT);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_spread(months, J1, OCT, NOV, 53407); /* 120 000 x 3000 / 6740.75 */
    assert_spread(months, K1, OCT, NOV, 0);
    assert_spread(months, LONG, NOV, DEC, 0);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

static void more_used_than_there_was_is_an_error(void **state)
{
    struct basis_months *months;
    struct period_use use = use_of(J1);
    struct job_embodied job;
    struct error err = { "" };
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "EmbodiedMode=capacity\n",
               "node_type \"g\" { nodes = \"g1\" gpus = 4 in_service = \"2026-10-10\"\n"
               " asset \"server\" { class = GPU kg = 1 lifetime_years = 6 source = \"s\" } }\n");
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_int_equal(basis_job_embodied(months, &use, 1, OCT, NOV, NULL, NULL, &job, &err),
                     -ERANGE);
    assert_non_null(strstr(err.text, "held 3000.0 GPU-hours of node_type \"g\" in the month of "
                                     "2026-10, and its nodes had 2112.0 in service: correct its"));
    assert_int_equal(basis_job_embodied(months, &use, 1, OCT + 1, NOV, NULL, NULL, &job, &err),
                     -EINVAL);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

/* Storage and what nobody knows: their idle energy reaches the pools by node-hours, as a switch. */
static void spread_idle_energy_of_no_pool_reaches_the_pools_by_node_hours(void **state)
{
    struct basis_months *months;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "Zone=XX\nPUE=1.2\nIdlePolicy=spread\n", INVENTORY
               "node_type \"storage\" { nodes = \"s1\" in_service = \"2024-01-01\" }\n");
    /* g1 and c1 are in service for 744 h, g2 for 504 h: 1248 and 744 of 1992 node-hours. 3 kWh of
       s1 and 1 kWh of x1, of no type, are 480 g: 300.723 g for GPU-hours, 179.277 g for cores. */
    run(&books, "INSERT INTO node VALUES (6, 'c', 's1', 2, 64, 0, 1000)");
    run(&books, "INSERT INTO node_hour VALUES (%d, 6, 10800000000, 0, 0, 0, 10800000000, 0, 0, 0,"
        " 0, 0), (%d, 4, 3600000000, 0, 0, 0, 3600000000, 0, 0, 0, 0, 0)", OCT, OCT);
    run(&books, "INSERT INTO cluster_hour VALUES ('c', %d, 14400000000, 0, 0, 0, 14400000000, 0, 0,"
        " 0, 0, 0), ('c', %d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", OCT, DEC - 3600);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_spread(months, J1, OCT, NOV, 133838); /* 300 722 892 x 3000 / 6740.75, in ug */
    assert_spread(months, K1, OCT, NOV, 119502); /* x1's job has 4 of 30 004 core-hours */
    assert_as_report(&books, &basis, months, OCT, NOV);
    assert_spread(months, LONG, NOV, DEC, 0);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

/* A node added in the month changes what an hour costs: of the month, not of its days. */
static void parts_of_a_job_add_up_to_it_however_they_are_cut(void **state)
{
    static const int64_t cuts_s[] = { 3600, 86400, 7 * 86400, 30 * 86400 };
    static const char *const settings[] = { "EmbodiedMode=capacity\n", "EmbodiedMode=share\n",
                                            "EmbodiedMode=planned\nExpectedUtilisation=0.7\n" };

    (void)state;
    for (size_t i = 0; i < LENGTH(settings); i++) {
        struct basis_months *months;
        struct basis basis;
        struct books books;

        open_books(&books, settings[i], INVENTORY);
        load(&books, &basis);
        months = basis_months_new(books.store, &basis, "c");
        for (size_t j = 0; j < LENGTH(cuts_s); j++) {
            struct job_embodied whole = ask(months, LONG, OCT, DEC);
            exact sum = 0;

            for (int64_t from_s = OCT; from_s < DEC; from_s += cuts_s[j])
                sum += ask(months, LONG, from_s, from_s + cuts_s[j]).amount.of[1];
            assert_true(sum <= whole.amount.of[1]);
            assert_true(sum + 2000 >= whole.amount.of[1]); /* of 2^32 to the milligram */
        }
        basis_months_free(months);
        basis_clear(&basis);
        books_close(&books);
    }
}

static void the_month_that_goes_on_ends_with_the_books(void **state)
{
    struct basis_months *months;
    struct lines lines = { .count = 0 };
    struct period_use use = use_of(LONG);
    struct job_embodied job;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books, "EmbodiedMode=share\n", INVENTORY);
    run(&books, "INSERT INTO cluster_hour VALUES ('c', %d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        NOV + 9 * 3600);
    load(&books, &basis);
    months = basis_months_new(books.store, &basis, "c");
    assert_int_equal(basis_job_embodied(months, &use, 1, 0, DEC, take_line, &lines, &job, NULL), 0);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.lines[0].to_s, NOV);
    assert_int_equal(lines.lines[1].to_s, NOV + 10 * 3600);
    assert_int_equal(lines.lines[1].used_ms, 40 * 3600000);
    basis_months_free(months);
    basis_clear(&basis);
    books_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_case_holds_for_each_job_alone),
        cmocka_unit_test(every_mode_is_as_in_the_months_report),
        cmocka_unit_test(a_job_of_two_months_has_a_line_for_each_that_can_be_redone_by_hand),
        cmocka_unit_test(nodes_that_are_met_need_not_be_read_and_change_no_figure),
        cmocka_unit_test(what_no_inventory_knows_is_missing_and_not_nothing),
        cmocka_unit_test(spread_idle_energy_goes_by_the_hours_held_of_its_own_pool),
        cmocka_unit_test(spread_idle_energy_of_no_pool_reaches_the_pools_by_node_hours),
        cmocka_unit_test(parts_of_a_job_add_up_to_it_however_they_are_cut),
        cmocka_unit_test(the_month_that_goes_on_ends_with_the_books),
        cmocka_unit_test(more_used_than_there_was_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
