/* factor sets: what makes a new one, and what an old one still says */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "store/factors.h"

#define HOUR 3600
#define T0 INT64_C(1795168800) /* 2026-11-20T10:00:00Z */

static const struct grid_series fr = { .zone = "fr", .basis = "lifecycle", .scope = "generation",
                                       .source = "a source" };

static struct factor_change *begin(struct books *books)
{
    struct factor_change *change = factors_change_new(books->store, "a test");

    assert_non_null(change);
    assert_int_equal(store_begin(books->store, NULL), 0);
    return change;
}

/* Commit; the set that was made, or 0. */
static int64_t finish(struct books *books, struct factor_change *change)
{
    int64_t set = factors_change_set(change);

    assert_int_equal(store_commit(books->store, NULL), 0);
    factors_change_free(change);
    return set;
}

static int64_t put(struct books *books, const char *name, const char *text)
{
    struct factor_change *change = begin(books);

    assert_int_equal(factors_put_document(change, name, text, NULL), 0);
    return finish(books, change);
}

static void assert_document(struct books *books, int64_t set, const char *name, const char *text)
{
    char *found;

    assert_int_equal(factors_document(books->store, set, name, &found, NULL), 0);
    if (text)
        assert_string_equal(found, text);
    else
        assert_null(found);
    free(found);
}

/* --- sets and documents ----------------------------------------------------------------------- */

static void a_database_without_a_set_says_how_to_make_one(void **state)
{
    struct factor_set set = { .number = 7 };
    struct error err = { "" };
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(factors_newest(books.store, &set, &err), -ENODATA);
    assert_non_null(strstr(err.text, "`carbonctl factors update`"));
    assert_int_equal(factors_get(books.store, 1, &set, &err), -ENODATA);
    assert_int_equal(set.number, 7);
    books_close(&books);
}

static void a_set_is_made_by_what_differs_and_by_nothing_else(void **state)
{
    struct factor_set set;
    struct error err = { "" };
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(put(&books, FACTORS_INVENTORY, NULL), 0);
    assert_int_equal(put(&books, FACTORS_SETTINGS, "PUE=1.2\n"), 1);
    assert_int_equal(put(&books, FACTORS_SETTINGS, "PUE=1.2\n"), 0);
    assert_int_equal(put(&books, FACTORS_INVENTORY, "x"), 2);
    assert_int_equal(put(&books, FACTORS_SETTINGS, "PUE=1.3\n"), 3);
    assert_int_equal(put(&books, FACTORS_INVENTORY, NULL), 4);
    assert_int_equal(put(&books, FACTORS_INVENTORY, NULL), 0);
    assert_int_equal(put(&books, FACTORS_INVENTORY, ""), 5);
    assert_int_equal(factors_newest(books.store, &set, NULL), 0);
    assert_int_equal(set.number, 5);
    assert_string_equal(set.made_by, "a test");
    assert_true(set.made_s > T0 / 2);
    assert_int_equal(factors_get(books.store, 3, &set, NULL), 0);
    assert_int_equal(set.number, 3);
    assert_int_equal(factors_get(books.store, 6, &set, &err), -ENOENT);
    assert_non_null(strstr(err.text, "there are 1 to 5"));
    books_close(&books);
}

static void an_old_set_says_for_ever_what_it_said(void **state)
{
    struct books books;

    (void)state;
    books_open(&books);
    put(&books, FACTORS_SETTINGS, "PUE=1.2\n");
    put(&books, FACTORS_INVENTORY, "x");
    put(&books, FACTORS_SETTINGS, "PUE=1.3\n");
    put(&books, FACTORS_INVENTORY, NULL);
    put(&books, FACTORS_INVENTORY, "y");
    assert_document(&books, 1, FACTORS_SETTINGS, "PUE=1.2\n");
    assert_document(&books, 2, FACTORS_SETTINGS, "PUE=1.2\n");
    assert_document(&books, 3, FACTORS_SETTINGS, "PUE=1.3\n");
    assert_document(&books, 5, FACTORS_SETTINGS, "PUE=1.3\n");
    assert_document(&books, 1, FACTORS_INVENTORY, NULL);
    assert_document(&books, 2, FACTORS_INVENTORY, "x");
    assert_document(&books, 3, FACTORS_INVENTORY, "x");
    assert_document(&books, 4, FACTORS_INVENTORY, NULL);
    assert_document(&books, 5, FACTORS_INVENTORY, "y");
    assert_document(&books, 5, "no such", NULL);
    books_close(&books);
}

static void documents_of_one_change_are_one_set_and_the_last_text_counts(void **state)
{
    struct factor_change *change;
    struct books books;

    (void)state;
    books_open(&books);
    put(&books, FACTORS_SETTINGS, "PUE=1.2\n");
    change = begin(&books);
    assert_int_equal(factors_put_document(change, FACTORS_SETTINGS, "PUE=1.2\n", NULL), 0);
    assert_int_equal(factors_change_set(change), 0);
    assert_int_equal(factors_put_document(change, FACTORS_SETTINGS, "PUE=1.3\n", NULL), 0);
    assert_int_equal(factors_put_document(change, FACTORS_SETTINGS, "PUE=1.4\n", NULL), 0);
    assert_int_equal(factors_put_document(change, FACTORS_GRID, "zone\n", NULL), 0);
    assert_int_equal(factors_put_document(change, FACTORS_EMBODIED, "x", NULL), 0);
    assert_int_equal(factors_put_document(change, FACTORS_EMBODIED, NULL, NULL), 0);
    assert_int_equal(finish(&books, change), 2);
    assert_document(&books, 1, FACTORS_SETTINGS, "PUE=1.2\n");
    assert_document(&books, 2, FACTORS_SETTINGS, "PUE=1.4\n");
    assert_document(&books, 2, FACTORS_GRID, "zone\n");
    assert_document(&books, 2, FACTORS_EMBODIED, NULL);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM factor_document"), 3);
    books_close(&books);
}

static void what_is_rolled_back_leaves_nothing(void **state)
{
    struct factor_change *change;
    struct books books;

    (void)state;
    books_open(&books);
    change = begin(&books);
    assert_int_equal(factors_put_document(change, FACTORS_SETTINGS, "x", NULL), 0);
    store_rollback(books.store);
    factors_change_free(change);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM factor_set"), 0);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM factor_document"), 0);
    books_close(&books);
}

static void count_set(void *arg, const struct factor_set *set)
{
    int64_t *last = arg;

    assert_int_equal(set->number, *last + 1);
    *last = set->number;
}

static void sets_are_listed_oldest_first(void **state)
{
    struct books books;
    int64_t last = 0;

    (void)state;
    books_open(&books);
    put(&books, FACTORS_SETTINGS, "1");
    put(&books, FACTORS_SETTINGS, "2");
    put(&books, FACTORS_SETTINGS, "3");
    assert_int_equal(factors_sets(books.store, count_set, &last, NULL), 0);
    assert_int_equal(last, 3);
    books_close(&books);
}

/* --- grid series ------------------------------------------------------------------------------ */

/* "0-1:50 1-2:60e": hours after T0, grams per kWh, e for an estimate */
static size_t intervals_of(const char *text, struct grid_interval *intervals)
{
    size_t count = 0;

    while (*text != '\0') {
        unsigned begin_h, end_h, g;
        int len;

        assert_int_equal(sscanf(text, "%u-%u:%u%n", &begin_h, &end_h, &g, &len), 3);
        intervals[count++] = (struct grid_interval){
            .begin_s = T0 + begin_h * HOUR, .end_s = T0 + end_h * HOUR,
            .ug_per_kwh = g * UINT64_C(1000000), .estimated = text[len] == 'e' };
        text += len + (text[len] == 'e');
        text += *text == ' ';
    }
    return count;
}

static int import(struct books *books, const struct grid_series *series, const char *text,
                  bool replace, struct factors_import *ret, struct error *err)
{
    struct factor_change *change = begin(books);
    struct grid_interval intervals[16];
    size_t count = intervals_of(text, intervals);
    int rc = factors_put_intervals(change, series, intervals, count, replace, ret, err);

    if (rc < 0)
        store_rollback(books->store);
    else
        assert_int_equal(store_commit(books->store, NULL), 0);
    factors_change_free(change);
    return rc;
}

static void assert_intervals(struct books *books, int64_t set, const char *expected)
{
    struct grid_series series;
    struct grid_interval *intervals;
    char text[256] = "";
    size_t count, used = 0;

    assert_int_equal(factors_intervals(books->store, set, "FR", "lifecycle", T0 - 1000 * HOUR,
                                       T0 + 1000 * HOUR, &series, &intervals, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u-%u:%u%s",
                                 i > 0 ? " " : "", (unsigned)((intervals[i].begin_s - T0) / HOUR),
                                 (unsigned)((intervals[i].end_s - T0) / HOUR),
                                 (unsigned)(intervals[i].ug_per_kwh / 1000000),
                                 intervals[i].estimated ? "e" : "");
    free(intervals);
    assert_string_equal(text, expected);
    assert_int_equal(series.series_key != 0, count > 0);
}

static int64_t newest(struct books *books)
{
    return books_number(books, "SELECT COALESCE(MAX(factor_set), 0) FROM factor_set");
}

static void imports_merge_and_say_what_they_did(void **state)
{
    static const struct {
        const char *before, *import;
        bool replace;
        int rc;
        struct factors_import did;
        int64_t set; /* the newest after it */
        const char *after;
    } cases[] = {
        { "", "", false, 0, { 0, 0, 0 }, 0, "" },
        { "", "0-1:50 1-2:60e", false, 0, { 2, 0, 0 }, 1, "0-1:50 1-2:60e" },
        { "0-1:50 1-2:60", "0-1:50 1-2:60", false, 0, { 0, 2, 0 }, 1, "0-1:50 1-2:60" },
        { "0-1:50 1-2:60", "1-2:60 2-3:70", false, 0, { 1, 1, 0 }, 2, "0-1:50 1-2:60 2-3:70" },
        { "2-3:50", "0-1:40 5-6:60", false, 0, { 2, 0, 0 }, 2, "0-1:40 2-3:50 5-6:60" },
        { "0-1:50", "0-1:51", false, -EEXIST, { 0, 0, 0 }, 1, "0-1:50" },
        { "0-1:50", "0-1:50e", false, -EEXIST, { 0, 0, 0 }, 1, "0-1:50" },
        { "0-2:50", "0-1:50", false, -EEXIST, { 0, 0, 0 }, 1, "0-2:50" },
        { "0-1:50 1-2:60", "0-1:51 1-2:60 2-3:70", true, 0, { 2, 1, 1 }, 2,
          "0-1:51 1-2:60 2-3:70" },
        { "0-1:50e", "0-1:50", true, 0, { 1, 0, 1 }, 2, "0-1:50" },
        { "0-1:50", "0-1:50", true, 0, { 0, 1, 0 }, 1, "0-1:50" },
        /* what the new ones leave of an old one stays */
        { "0-6:50", "1-2:60 4-5:70", true, 0, { 2, 0, 1 }, 2,
          "0-1:50 1-2:60 2-4:50 4-5:70 5-6:50" },
        { "0-2:50 2-4:51 4-6:52", "1-5:60", true, 0, { 1, 0, 3 }, 2, "0-1:50 1-5:60 5-6:52" },
        { "0-1:50", "2-3:60 1-2:50", false, -EINVAL, { 0, 0, 0 }, 1, "0-1:50" },
        { "0-1:50", "2-4:60 3-5:50", false, -EINVAL, { 0, 0, 0 }, 1, "0-1:50" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct factors_import did;
        struct error err = { "" };
        struct books books;

        books_open(&books);
        ROW_HOLDS(i, import(&books, &fr, cases[i].before, false, &did, &err) == 0);
        ROW_HOLDS(i, import(&books, &fr, cases[i].import, cases[i].replace, &did, &err) ==
                         cases[i].rc);
        ROW_HOLDS(i, did.added == cases[i].did.added && did.same == cases[i].did.same &&
                         did.replaced == cases[i].did.replaced);
        ROW_HOLDS(i, newest(&books) == cases[i].set);
        assert_intervals(&books, cases[i].set, cases[i].after);
        if (cases[i].set == 2)
            assert_intervals(&books, 1, cases[i].before);
        books_close(&books);
    }
}

static void another_source_of_the_same_hours_is_a_conflict(void **state)
{
    struct grid_series other = fr, direct = fr, consumption = fr;
    struct factors_import did;
    struct error err = { "" };
    struct books books;

    (void)state;
    snprintf(other.source, sizeof(other.source), "another");
    snprintf(direct.basis, sizeof(direct.basis), "direct");
    snprintf(consumption.scope, sizeof(consumption.scope), "consumption");
    books_open(&books);
    assert_int_equal(import(&books, &fr, "0-1:50 1-2:60", false, &did, &err), 0);
    assert_int_equal(import(&books, &other, "1-2:60 2-3:70", false, &did, &err), -EEXIST);
    assert_non_null(strstr(err.text, "zone FR, lifecycle, generation: 2026-11-20T11:00:00Z to "
                                     "2026-11-20T12:00:00Z"));
    assert_non_null(strstr(err.text, "another source"));
    assert_non_null(strstr(err.text, "--replace"));
    assert_int_equal(import(&books, &other, "2-3:70", false, &did, &err), 0);
    assert_intervals(&books, 2, "0-1:50 1-2:60 2-3:70");
    assert_int_equal(import(&books, &other, "1-2:61", true, &did, &err), 0);
    assert_int_equal(did.replaced, 1);
    assert_intervals(&books, 3, "0-1:50 1-2:61 2-3:70");
    /* these are other series altogether */
    assert_int_equal(import(&books, &direct, "0-1:5", false, &did, &err), 0);
    assert_intervals(&books, 4, "0-1:50 1-2:61 2-3:70");
    assert_int_equal(import(&books, &consumption, "7-8:44", false, &did, &err), 0);
    assert_intervals(&books, 4, "0-1:50 1-2:61 2-3:70");
    assert_intervals(&books, 5, "7-8:44");
    books_close(&books);
}

static void two_imports_of_one_change_are_one_set(void **state)
{
    struct grid_interval intervals[8];
    struct factor_change *change;
    struct factors_import did;
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(import(&books, &fr, "0-4:50", false, &did, NULL), 0);
    change = begin(&books);
    assert_int_equal(factors_put_intervals(change, &fr, intervals,
                                           intervals_of("1-2:60", intervals), true, &did, NULL),
                     0);
    assert_int_equal(factors_put_intervals(change, &fr, intervals,
                                           intervals_of("1-3:70", intervals), true, &did, NULL),
                     0);
    assert_int_equal(finish(&books, change), 2);
    assert_intervals(&books, 1, "0-4:50");
    assert_intervals(&books, 2, "0-1:50 1-3:70 3-4:50");
    books_close(&books);
}

static void only_what_touches_the_period_is_read(void **state)
{
    struct factors_import did;
    struct grid_series series;
    struct grid_interval *intervals;
    struct books books;
    size_t count;

    (void)state;
    books_open(&books);
    assert_int_equal(import(&books, &fr, "0-1:50 1-2:60 2-3:70 3-4:80", false, &did, NULL), 0);
    assert_int_equal(factors_intervals(books.store, 1, "fr", "lifecycle", T0 + HOUR,
                                       T0 + 3 * HOUR, &series, &intervals, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(intervals[0].ug_per_kwh, 60000000);
    assert_string_equal(series.zone, "FR");
    assert_string_equal(series.source, "a source");
    free(intervals);
    assert_int_equal(factors_intervals(books.store, 1, "DE", "lifecycle", 0, INT64_MAX, &series,
                                       &intervals, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(series.series_key, 0);
    free(intervals);
    books_close(&books);
}

static void take_summary(void *arg, const struct grid_series_summary *summary)
{
    *(struct grid_series_summary *)arg = *summary;
}

static void a_series_says_what_it_has_and_what_is_missing(void **state)
{
    struct grid_series_summary summary = { .intervals = 0 };
    struct factors_import did;
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(import(&books, &fr, "0-1:50 1-2:60e 5-6:70", false, &did, NULL), 0);
    assert_int_equal(import(&books, &fr, "8-9:50", false, &did, NULL), 0);
    assert_int_equal(factors_series(books.store, 1, take_summary, &summary, NULL), 0);
    assert_string_equal(summary.series.zone, "FR");
    assert_int_equal(summary.begin_s, T0);
    assert_int_equal(summary.end_s, T0 + 6 * HOUR);
    assert_int_equal(summary.intervals, 3);
    assert_int_equal(summary.estimated, 1);
    assert_int_equal(summary.missing_s, 3 * HOUR);
    books_close(&books);
}

static void take_change(void *arg, const struct grid_series_change *change)
{
    *(struct grid_series_change *)arg = *change;
}

static void two_sets_say_how_their_series_differ(void **state)
{
    struct grid_series_change change = { .ended = 7 };
    struct factors_import did;
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(import(&books, &fr, "0-1:50 1-2:60", false, &did, NULL), 0);
    assert_int_equal(import(&books, &fr, "1-2:61 2-3:70 3-4:80", true, &did, NULL), 0);
    assert_int_equal(factors_series_changes(books.store, 1, 1, take_change, &change, NULL), 0);
    assert_int_equal(change.ended, 7); /* nothing to say */
    assert_int_equal(factors_series_changes(books.store, 1, 2, take_change, &change, NULL), 0);
    assert_string_equal(change.series.zone, "FR");
    assert_int_equal(change.ended, 1);
    assert_int_equal(change.added, 3);
    assert_int_equal(factors_series_changes(books.store, 2, 1, take_change, &change, NULL), 0);
    assert_int_equal(change.ended, 3);
    assert_int_equal(change.added, 1);
    books_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_without_a_set_says_how_to_make_one),
        cmocka_unit_test(a_set_is_made_by_what_differs_and_by_nothing_else),
        cmocka_unit_test(an_old_set_says_for_ever_what_it_said),
        cmocka_unit_test(documents_of_one_change_are_one_set_and_the_last_text_counts),
        cmocka_unit_test(what_is_rolled_back_leaves_nothing),
        cmocka_unit_test(sets_are_listed_oldest_first),
        cmocka_unit_test(imports_merge_and_say_what_they_did),
        cmocka_unit_test(another_source_of_the_same_hours_is_a_conflict),
        cmocka_unit_test(two_imports_of_one_change_are_one_set),
        cmocka_unit_test(only_what_touches_the_period_is_read),
        cmocka_unit_test(a_series_says_what_it_has_and_what_is_missing),
        cmocka_unit_test(two_sets_say_how_their_series_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
