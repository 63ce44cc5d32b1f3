/* each rule of the audit finds what breaks it, and sound books have no findings */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"

/* Three sets: a document and an interval that changed, the latter for one of another source. */
static const char factors[] =
    "INSERT INTO factor_set VALUES (1, 10, 'x'), (2, 20, 'x'), (3, 30, 'x');"
    "INSERT INTO factor_document VALUES ('a', 1, 2, 'old'), ('a', 2, NULL, 'new'),"
    " ('b', 1, NULL, 'b');"
    "INSERT INTO grid_series VALUES (1, 'FR', 'lifecycle', 'generation', 's'),"
    " (2, 'FR', 'lifecycle', 'generation', 't'), (3, 'FR', 'direct', 'generation', 's');"
    "INSERT INTO grid_intensity VALUES (1, 0, 3600, 5, 0, 1, 2), (2, 0, 3600, 5, 0, 2, NULL),"
    " (1, 3600, 7200, 5, 0, 1, NULL), (1, 7200, 9000, 5, 1, 3, NULL),"
    " (3, 0, 9000, 5, 0, 1, NULL);";

/* Two nodes with twenty batches each. */
static void fill(struct books *books)
{
    uint64_t random = 3;

    books_open(books);
    for (uint64_t n = 1; n <= 2; n++) {
        char name[8] = { 'n', (char)('0' + n), '\0' };
        struct fake_meter meter;

        fake_meter_init(&meter, name, n, FAKE_BEGIN_S);
        for (int i = 0; i < 20; i++) {
            struct batch batch;

            fake_meter_random(&meter, &random, &batch);
            assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
            batch_clear(&batch);
        }
    }
    assert_int_equal(store_exec(books->store, factors, NULL), 0);
    books_unbind(books);
}

/* What someone may have done to the books, and the rule that must find it. */
static const struct {
    const char *rule, *sql;
} rows[] = {
    { "A1", "UPDATE energy SET active_mj = active_mj + 1 WHERE rowid = 5" },
    { "A1", "UPDATE energy SET idle_mj = idle_mj - 1 WHERE idle_mj > 0 AND rowid < 40" },
    { "A1", "DELETE FROM energy WHERE active_mj > 0 AND job_key > 0 AND step_id >= 0"
            " AND node_key = 1" },
    { "A1", "UPDATE node_total SET counted_mj = counted_mj - 1 WHERE rowid = 2" },
    { "A1", "DELETE FROM node_total WHERE rowid = 1" },
    { "A1", "INSERT INTO node_total VALUES (1, 0, 'cpu', 1)" },
    { "A1", "UPDATE energy SET job_key = 0, step_id = -3 WHERE rowid = (SELECT MIN(rowid)"
            " FROM energy WHERE active_mj > 0)" },
    { "A2", "DELETE FROM batch_component WHERE seq = 7 AND stream LIKE '%1' AND component ="
            " 'cpu'" },
    { "A2", "UPDATE batch_component SET begin_uj = begin_uj + 1 WHERE seq = 7" },
    { "A2", "UPDATE batch_component SET end_uj = end_uj + 1 WHERE seq = 7" },
    { "A2", "DELETE FROM batch_component WHERE seq = 7; DELETE FROM batch WHERE seq = 7" },
    { "A2", "DELETE FROM batch_component WHERE seq = 1; DELETE FROM batch WHERE seq = 1" },
    { "A3", "UPDATE node_total SET counted_mj = counted_mj + 1 WHERE rowid = 2" },
    { "A3", "DELETE FROM batch_component WHERE seq = 20 AND component = 'gpu'" },
    { "A4", "DELETE FROM job WHERE job_key = 2" },
    { "A4", "DELETE FROM step WHERE job_key = 2" },
    { "A4", "UPDATE energy SET step_id = 99 WHERE job_key = 2 AND step_id = 0" },
    { "A4", "UPDATE energy SET step_id = -2 WHERE job_key = 2 AND step_id = -1" },
    { "A4", "UPDATE energy SET step_id = -7 WHERE job_key = 0 AND step_id = -2" },
    { "A4", "DELETE FROM node WHERE node_key = 1" },
    { "A5", "UPDATE energy SET active_mj = -1 WHERE rowid = 5" },
    { "A5", "UPDATE energy SET metered_ms = elapsed_ms + 1 WHERE rowid = 5" },
    { "A5", "UPDATE energy SET active_mj = active_mj + 0.5 WHERE rowid = 5" },
    { "A5", "UPDATE node_total SET counted_mj = -1 WHERE rowid = 1" },
    { "A5", "UPDATE power SET energy_mj = -1 WHERE minute_s = (SELECT MIN(minute_s) FROM"
            " power)" },
    { "A5", "UPDATE batch_component SET begin_uj = end_uj + 1 WHERE seq = 3" },
    { "A6", "UPDATE job_hour SET active_mj = active_mj + 1 WHERE job_key = 2" },
    { "A6", "UPDATE job_hour SET gap_ms = gap_ms + 1 WHERE job_key = 2" },
    { "A6", "UPDATE job_hour SET active_mj = active_mj + 1, idle_mj = idle_mj - 1" },
    { "A6", "DELETE FROM job_hour WHERE job_key = 2" },
    { "A6", "INSERT INTO job_hour VALUES (3600, 2, 0, 0, 0, 0, 0, 0, 0)" },
    { "A6", "UPDATE node_hour SET counted_mj = counted_mj - 1 WHERE node_key = 1" },
    { "A6", "UPDATE node_hour SET system_mj = system_mj - 1,"
            " unallocated_mj = unallocated_mj + 1" },
    { "A6", "UPDATE node_hour SET measured_mj = measured_mj + 1" },
    { "A6", "DELETE FROM node_hour WHERE node_key = 2" },
    { "A6", "INSERT INTO node_hour VALUES (3600, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)" },
    { "A6", "UPDATE cluster_hour SET modelled_mj = modelled_mj + 1" },
    { "A6", "DELETE FROM cluster_hour" },
    { "A6", "INSERT INTO cluster_hour VALUES ('x', 3600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)" },
    { "A6", "UPDATE energy SET metered_ms = metered_ms - 1 WHERE metered_ms > 0" },
    { "A6", "UPDATE OR IGNORE energy SET quality = 'gap' WHERE quality = 'measured'" },
    { "A7", "DELETE FROM allocation_month WHERE allocation_key = 1" },
    { "A7", "DELETE FROM allocation_month" },
    { "A7", "INSERT INTO allocation_month VALUES (0, 1)" },
    { "A7", "INSERT INTO allocation_month VALUES (1790812800, 1)" }, /* the month after */
    { "A7", "INSERT INTO allocation_month SELECT month_s + 1, 1 FROM allocation_month"
            " WHERE allocation_key = 1" },
    { "A7", "INSERT INTO allocation_month SELECT MIN(month_s), 9999 FROM allocation_month" },
    { "A7", "UPDATE allocation SET begin_ns = 0 WHERE allocation_key = 3" },
    { "A8", "UPDATE factor_document SET since_set = 9 WHERE name = 'a' AND since_set = 2" },
    { "A8", "UPDATE factor_document SET until_set = 9 WHERE name = 'a' AND since_set = 2" },
    { "A8", "UPDATE factor_document SET until_set = NULL WHERE name = 'a'" },
    { "A8", "UPDATE factor_document SET until_set = 3 WHERE name = 'a' AND since_set = 1" },
    { "A8", "UPDATE factor_document SET until_set = 1 WHERE name = 'a' AND since_set = 1" },
    { "A8", "UPDATE grid_intensity SET since_set = 0 WHERE begin_s = 0 AND since_set = 1" },
    { "A8", "UPDATE grid_intensity SET until_set = NULL" },
    { "A8", "UPDATE grid_intensity SET end_s = end_s + 1 WHERE begin_s = 3600" },
    { "A8", "UPDATE grid_intensity SET end_s = 8000 WHERE begin_s = 0 AND since_set = 2" },
    { "A8", "UPDATE grid_intensity SET begin_s = 7199 WHERE begin_s = 7200" },
    { "A8", "UPDATE grid_intensity SET end_s = begin_s WHERE begin_s = 7200" },
    { "A8", "UPDATE grid_intensity SET ug_per_kwh = -1 WHERE begin_s = 7200" },
    { "A8", "UPDATE grid_intensity SET series_key = 77 WHERE begin_s = 7200" },
    { "A8", "DELETE FROM grid_series WHERE series_key = 2" },
    { "A8", "DELETE FROM factor_set WHERE factor_set = 2" },
    { "DB", "DELETE FROM allocation" },
    { "DB", "UPDATE batch SET node_key = 9999 WHERE seq = 3" },
    { "DB", "UPDATE batch_component SET seq = 9999 WHERE seq = 3" },
    { "DB", "UPDATE allocation SET job_key = 9999 WHERE allocation_key = 1" },
    { "DB", "UPDATE allocation SET node_key = 9999 WHERE allocation_key = 1" },
    { "DB", "UPDATE allocation_month SET allocation_key = 9999 WHERE allocation_key = 1" },
    { "DB", "UPDATE step SET job_key = 9999 WHERE job_key = 1" },
    { "DB", "UPDATE step SET allocation_key = 9999 WHERE allocation_key = 1" },
    { "DB", "UPDATE energy SET node_key = 9999 WHERE node_key = 1" },
    { "DB", "UPDATE node_total SET node_key = 9999 WHERE node_key = 1" },
    { "DB", "UPDATE node_hour SET node_key = 9999 WHERE node_key = 1" },
    { "DB", "UPDATE power SET job_key = 9999 WHERE job_key = 2" },
    { "DB", "UPDATE power SET node_key = 9999 WHERE node_key = 1" },
};

static bool is_of_sqlite(const char *sql)
{
    return strstr(sql, "rowid") || strstr(sql, " OR IGNORE ");
}

static void every_altered_row_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct books books;

        fill(&books);
        if (!books_are_a_file(&books) && is_of_sqlite(rows[i].sql)) {
            books_close(&books);
            continue;
        }
        ROW_HOLDS(i, books_audit(&books, NULL, false) == 0);
        ROW_HOLDS(i, store_exec(books.store, rows[i].sql, NULL) == 0);
        ROW_HOLDS(i, books_audit(&books, rows[i].rule, true) > 0);
        books_close(&books);
    }
}

/* SQL that counts the days of months by itself, against the C library's */
static void sums_made_anew_know_the_months_until_2128(void **state)
{
    struct books books;

    (void)state;
    fill(&books);
    assert_int_equal(store_exec(books.store, "UPDATE allocation SET begin_ns = 0, end_ns ="
                                " 5000000000000000000 WHERE allocation_key = 1", NULL), 0);
    /* to 2128-06, but for one */
    assert_int_equal(books_audit(&books, "A7", true), 158 * 12 + 6 - 1);
    assert_int_equal(store_make_sums(books.store, NULL), 0);
    assert_int_equal(books_audit(&books, "A7", true), 0);
    assert_int_equal(books_audit(&books, "A6", true), 0);
    books_close(&books);
}

struct last {
    struct audit_finding finding;
    unsigned count;
    struct first_failure {
        bool has;
        struct audit_finding finding;
    } first;
};

static void keep_finding(void *arg, const struct audit_finding *finding)
{
    struct last *last = arg;

    last->finding = *finding;
    last->count++;
    if (finding->fails && !last->first.has)
        last->first = (struct first_failure){ true, *finding };
}

static void ignore_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

/* a batch that is late but counted nothing is worth knowing; no joule is missing */
static void a_hole_without_energy_is_stated_and_does_not_fail(void **state)
{
    struct last last = { .count = 0 };
    const struct audit_sink sink = { &last, ignore_balance, keep_finding };
    struct fake_meter meter;
    struct books books;

    (void)state;
    books_open(&books);
    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    for (int i = 0; i < 4; i++) {
        struct batch batch;

        fake_meter_begin(&meter, 60, &batch);
        if (i != 2)
            fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 1500, 0);
        fake_meter_seal(&meter, &batch);
        if (i != 2)
            assert_int_equal(books_load(&books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
    assert_int_equal(store_audit(books.store, false, &sink, NULL), 0);
    assert_int_equal(last.count, 1);
    assert_string_equal(last.finding.rule, "A2");
    assert_false(last.finding.fails);
    assert_non_null(strstr(last.finding.text, "1 batch missing before seq 4"));
    books_close(&books);
}

static void a_hole_with_energy_says_how_much_is_missing(void **state)
{
    struct last last = { .count = 0 };
    const struct audit_sink sink = { &last, ignore_balance, keep_finding };
    struct fake_meter meter;
    struct books books;

    (void)state;
    books_open(&books);
    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    for (int i = 0; i < 4; i++) {
        struct batch batch;

        fake_meter_begin(&meter, 60, &batch);
        fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 1500, 0);
        fake_meter_seal(&meter, &batch);
        if (i != 1)
            assert_int_equal(books_load(&books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
    assert_int_equal(store_audit(books.store, false, &sink, NULL), 0);
    assert_int_equal(last.count, 2);
    assert_true(last.finding.fails);
    assert_int_equal(last.finding.missing_mj, 2); /* 1500 to 3000 uJ: 3 mJ - 1 mJ */
    books_close(&books);
}

/* what an administrator is told besides: where the rows came from, and what to do */
static void a_deep_audit_names_batches_and_remedy(void **state)
{
    static const struct {
        const char *sql, *batches, *remedy;
    } cases[] = {
        { "UPDATE energy SET idle_mj = idle_mj + 1",
          "seq 1 to 2 of stream 0000000000000001, seq 1 of stream 0000000000000002",
          "restore a backup" },
        { "DELETE FROM job_hour", "", "carbonctl repair sums" },
        { "DELETE FROM batch_component WHERE seq = 1; DELETE FROM batch WHERE seq = 1", "",
          "carbonctl repair loss n1:0000000000000001 --cluster c --reason" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct last last = { .count = 0 };
        const struct audit_sink sink = { &last, ignore_balance, keep_finding };
        struct books books;

        books_open(&books);
        for (uint64_t stream = 1; stream <= 2; stream++) { /* the node reboots in between */
            struct fake_meter meter;

            fake_meter_init(&meter, "n1", stream, FAKE_BEGIN_S + 120 * (int64_t)stream);
            for (uint64_t seq = 1; seq <= 3 - stream; seq++) {
                struct batch batch;

                fake_meter_begin(&meter, 60, &batch);
                fake_meter_job(&batch, 1, 7, FAKE_BEGIN_S);
                fake_meter_energy(&batch, OWNER_REMAINDER, 1, 0, COMPONENT_CPU, 5000, 0);
                fake_meter_seal(&meter, &batch);
                assert_int_equal(books_load(&books, &batch, NULL), STORE_LOADED);
                batch_clear(&batch);
            }
        }
        books_unbind(&books);
        assert_int_equal(store_exec(books.store, cases[i].sql, NULL), 0);
        for (int deep = 1; deep >= 0; deep--) {
            struct first_failure *first = &last.first;

            *first = (struct first_failure){ .has = false };
            assert_int_equal(store_audit(books.store, deep, &sink, NULL), 0);
            ROW_HOLDS(i, first->has);
            ROW_HOLDS(i, strcmp(first->finding.batches, deep ? cases[i].batches : "") == 0);
            ROW_HOLDS(i, strstr(first->finding.remedy, cases[i].remedy) != NULL);
        }
        books_close(&books);
    }
}

/* Node n1 of a cluster: three batches of stream 7. */
static void load_namesake(struct books *books, const char *cluster)
{
    struct fake_meter meter;

    fake_meter_init(&meter, "n1", 7, FAKE_BEGIN_S);
    snprintf(meter.cluster, sizeof(meter.cluster), "%s", cluster);
    for (int i = 0; i < 3; i++) {
        struct batch batch;

        fake_meter_begin(&meter, 60, &batch);
        fake_meter_job(&batch, 1, 7, FAKE_BEGIN_S);
        fake_meter_step(&batch, 1, 0, FAKE_BEGIN_S);
        fake_meter_energy(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 5000, 2000);
        fake_meter_seal(&meter, &batch);
        assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
        batch_clear(&batch);
    }
}

static void open_namesakes(struct books *books)
{
    books_open(books);
    load_namesake(books, "alpha");
    load_namesake(books, "beta");
}

/* streams are random numbers, but one that two nodes share is a mistake of neither */
static void nodes_of_one_name_and_stream_in_two_clusters_are_two(void **state)
{
    struct books books;

    (void)state;
    open_namesakes(&books);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM job"), 2);
    assert_int_equal(books_audit(&books, NULL, false), 0);
    books_close(&books);
}

/* Of one rule's failures: how many, how many name beta's node, and the last of these. */
struct named {
    const char *rule;
    unsigned count, right;
    struct audit_finding last;
};

static void keep_named(void *arg, const struct audit_finding *finding)
{
    struct named *named = arg;

    if (!finding->fails || strcmp(finding->rule, named->rule) != 0)
        return;
    named->count++;
    if (strncmp(finding->text, "cluster beta, node n1, ", 23) != 0)
        return;
    named->right++;
    named->last = *finding;
}

static void a_finding_names_the_cluster_of_its_node(void **state)
{
    static const struct {
        const char *rule, *sql, *batches, *remedy;
    } cases[] = {
        { "A1", "UPDATE energy SET idle_mj = idle_mj + 1 WHERE node_key = 2",
          "seq 1 to 3 of stream 0000000000000007", "restore a backup" },
        { "A2", "DELETE FROM batch_component WHERE node_key = 2 AND seq = 1;"
                " DELETE FROM batch WHERE node_key = 2 AND seq = 1", "",
          "`carbonctl repair loss n1:0000000000000007 --cluster beta --reason TEXT`" },
        { "A3", "UPDATE node_total SET counted_mj = counted_mj + 1 WHERE node_key = 2", "",
          "restore a backup" },
        { "A4", "UPDATE energy SET step_id = 9 WHERE node_key = 2",
          "seq 1 to 3 of stream 0000000000000007", "restore a backup" },
        { "A5", "UPDATE energy SET metered_ms = elapsed_ms + 1 WHERE node_key = 2", "",
          "restore a backup" },
        { "A6", "UPDATE node_hour SET gap_ms = gap_ms + 1 WHERE node_key = 2", "",
          "repair sums" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct named named = { .rule = cases[i].rule };
        const struct audit_sink sink = { &named, ignore_balance, keep_named };
        struct books books;

        open_namesakes(&books);
        books_unbind(&books);
        assert_int_equal(store_exec(books.store, cases[i].sql, NULL), 0);
        assert_int_equal(store_audit(books.store, true, &sink, NULL), 0);
        /* the sum of a cluster is not that of its nodes then, either */
        ROW_HOLDS(i, named.right > 0 && named.count - named.right == (i == 5 ? 1 : 0));
        ROW_HOLDS(i, strcmp(named.last.batches, cases[i].batches) == 0);
        ROW_HOLDS(i, strstr(named.last.remedy, cases[i].remedy) != NULL);
        books_close(&books);
    }
}

struct balances {
    struct audit_balance months[4];
    char nodes[4][NODE_NAME_SIZE];
    unsigned count;
};

static void keep_balance(void *arg, const struct audit_balance *balance)
{
    struct balances *balances = arg;

    assert_true(balances->count < 4);
    snprintf(balances->nodes[balances->count], NODE_NAME_SIZE, "%s", balance->node);
    balances->months[balances->count++] = *balance;
}

static void ignore_finding(void *arg, const struct audit_finding *finding)
{
    (void)arg;
    (void)finding;
}

/* 2026-09-30T23:59:00Z and a minute later */
static void the_balance_is_by_node_and_utc_month(void **state)
{
    static const int64_t minutes_s[] = { 1790812740, 1790812800 };
    struct balances balances = { .count = 0 };
    const struct audit_sink sink = { &balances, keep_balance, ignore_finding };
    struct fake_meter meter;
    struct books books;

    (void)state;
    books_open(&books);
    for (uint64_t n = 1; n <= 2; n++) {
        char name[8] = { 'n', (char)('0' + n), '\0' };

        fake_meter_init(&meter, name, n, minutes_s[0]);
        for (unsigned i = 0; i < LENGTH(minutes_s); i++) {
            struct batch batch;

            fake_meter_begin(&meter, 60, &batch);
            fake_meter_job(&batch, 1, 7, minutes_s[0]);
            fake_meter_step(&batch, 1, 0, minutes_s[0]);
            fake_meter_energy(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 5000, 4000);
            fake_meter_energy(&batch, OWNER_REMAINDER, 1, 0, COMPONENT_CPU, 1000, 2000);
            fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_GPU, 7000, 0);
            fake_meter_energy(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_GPU, 0, 9000);
            fake_meter_seal(&meter, &batch);
            assert_int_equal(books_load(&books, &batch, NULL), STORE_LOADED);
            batch_clear(&batch);
        }
    }
    assert_int_equal(store_audit(books.store, false, &sink, NULL), 0);
    assert_int_equal(balances.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        const struct audit_balance *b = &balances.months[i];

        assert_string_equal(balances.nodes[i], i < 2 ? "n1" : "n2");
        assert_int_equal(b->year, 2026);
        assert_int_equal(b->month, i % 2 ? 10 : 9);
        assert_int_equal(b->counted_mj, 28);
        assert_int_equal(b->active_mj, 5);
        assert_int_equal(b->idle_mj, 4);
        assert_int_equal(b->remainder_mj, 3);
        assert_int_equal(b->system_mj, 7);
        assert_int_equal(b->unallocated_mj, 9);
        assert_int_equal(b->difference_mj, 0);
    }
    books_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_altered_row_is_found),
        cmocka_unit_test(sums_made_anew_know_the_months_until_2128),
        cmocka_unit_test(a_hole_without_energy_is_stated_and_does_not_fail),
        cmocka_unit_test(a_hole_with_energy_says_how_much_is_missing),
        cmocka_unit_test(a_deep_audit_names_batches_and_remedy),
        cmocka_unit_test(nodes_of_one_name_and_stream_in_two_clusters_are_two),
        cmocka_unit_test(a_finding_names_the_cluster_of_its_node),
        cmocka_unit_test(the_balance_is_by_node_and_utc_month),
    };

    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
