/* a job's minutes: read, summed over nodes, and made into columns that keep every joule */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "books.h"
#include "report/profile_plot.h"

#define NS INT64_C(1000000000)
#define FAR INT64_C(9000000000)
#define T0 INT64_C(1795168800) /* 2026-11-20T10:00:00Z */

static void run_sql(struct books *books, const char *sql)
{
    struct error err = { "" };

    if (store_exec(books->store, sql, &err) < 0)
        fail_msg("%s", err.text);
}

/* Two nodes; n2 is half as long in the first minute, away in the second; the fourth is a gap. */
static int set_up(void **state)
{
    static struct books books;

    books_open(&books);
    run_sql(&books, "INSERT INTO node VALUES (7, 'c', 'n1', 1, 1, 0, 1),"
                    " (3, 'c', 'n2', 1, 1, 0, 1);"
                    "INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s)"
                    " VALUES (1, 'c', 1, 0, 1795168800);"
                    "INSERT INTO power VALUES"
                    " (1, 7, 1795168800, 'memory', 600000, 60000),"
                    " (1, 7, 1795168800, 'cpu', 6000000, 60000),"
                    " (1, 3, 1795168800, 'cpu', 3000000, 30000),"
                    " (1, 7, 1795168860, 'cpu', 6000000, 60000),"
                    " (1, 7, 1795168920, 'all', 1000000, 60000),"
                    " (1, 3, 1795168920, 'cpu', 12000000, 60000),"
                    " (1, 7, 1795169040, 'cpu', 500000, 5000)");
    *state = &books;
    return 0;
}

static int tear_down(void **state)
{
    books_close(*state);
    return 0;
}

static struct profile read_profile(struct books *books, struct query_names nodes)
{
    const struct profile_filter filter = { .job_key = 1, .to_s = FAR, .nodes = nodes };
    struct error err = { "" };
    struct profile profile;

    if (profile_read(books->store, &filter, &profile, &err) < 0)
        fail_msg("%s", err.text);
    return profile;
}

static void minutes_are_summed_over_nodes(void **state)
{
    struct profile profile = read_profile(*state, (struct query_names){ NULL, 0 });

    assert_int_equal(profile.n_minutes, 4);
    assert_int_equal(profile.components,
                     1 << COMPONENT_CPU | 1 << COMPONENT_MEMORY | 1 << PROFILE_ALL);
    assert_int_equal(profile.minutes[0].energy_mj[COMPONENT_CPU], 9000000);
    assert_int_equal(profile.minutes[0].energy_mj[COMPONENT_MEMORY], 600000);
    assert_int_equal(profile.minutes[0].span_ms, 60000);
    assert_int_equal(profile.minutes[0].nodes, 2);
    assert_int_equal(profile.minutes[1].nodes, 1);
    assert_int_equal(profile.minutes[2].nodes, 2);
    assert_int_equal(profile.minutes[3].minute_s, T0 + 240);
    profile_clear(&profile);
}

static void only_the_nodes_named_are_read(void **state)
{
    const char *name = "n2", *hostile = "n2') OR 1 = 1 --";
    struct profile profile = read_profile(*state, (struct query_names){ &name, 1 });

    assert_int_equal(profile.n_minutes, 2);
    assert_int_equal(profile.minutes[0].energy_mj[COMPONENT_CPU], 3000000);
    profile_clear(&profile);
    profile = read_profile(*state, (struct query_names){ &hostile, 1 });
    assert_int_equal(profile.n_minutes, 0);
    profile_clear(&profile);
}

struct order {
    unsigned rows;
    struct profile_row last;
    char node[8];
};

static int take_ordered(void *arg, const struct profile_row *row)
{
    struct order *order = arg;
    int later = order->rows == 0 || row->minute_s > order->last.minute_s;
    int other = strcmp(row->node, order->node);

    assert_true(later || (row->minute_s == order->last.minute_s &&
                          (other > 0 || (other == 0 && row->component > order->last.component))));
    order->rows++;
    order->last = *row;
    strcpy(order->node, row->node);
    return 0;
}

/* not by key: n2 has the lower one */
static void rows_come_by_minute_name_and_component(void **state)
{
    const struct profile_filter filter = { .job_key = 1, .to_s = FAR };
    struct books *books = *state;
    struct order order = { 0 };

    assert_int_equal(profile_each(books->store, &filter, take_ordered, &order, NULL), 0);
    assert_int_equal(order.rows, 7);
}

static void power_that_cannot_be_is_an_error(void **state)
{
    static const char *const spoils[] = { "energy_mj = -1", "span_ms = -1",
                                          "component = 'flux' || component" };
    const struct profile_filter filter = { .job_key = 1, .to_s = FAR };
    struct books *books = *state;
    struct profile profile;

    for (size_t i = 0; i < LENGTH(spoils); i++) {
        char sql[128];

        snprintf(sql, sizeof(sql), "BEGIN; UPDATE power SET %s", spoils[i]);
        run_sql(books, sql);
        ROW_HOLDS(i, profile_read(books->store, &filter, &profile, NULL) == -EBADMSG);
        run_sql(books, "ROLLBACK");
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

static const struct hostlist everywhere;

static void columns_keep_every_joule_and_average(void **state)
{
    struct query_node nodes[] = {
        { .name = (char *)"n1", .begin_ns = T0 * NS, .end_ns = { true, (T0 + 245) * NS } },
        { .name = (char *)"n2", .begin_ns = (T0 + 30) * NS, .end_ns = { true, (T0 + 180) * NS } },
    };
    struct query_job job = { .nodes = nodes, .n_nodes = 2 };
    struct row row = { .job = &job };
    struct profile profile = read_profile(*state, (struct query_names){ NULL, 0 });
    struct profile_view view = { .row = &row, .nodes = &everywhere, .profile = &profile,
                                 .from_s = T0, .to_s = T0 + 245 };

    for (size_t most = 1; most <= 8; most++) {
        struct profile_plot plot;
        uint64_t energy_mj = 0, span_ms = 0;

        assert_int_equal(profile_plot_make(&view, most, &plot, NULL), 0);
        ROW_HOLDS(most, plot.n_columns <= most && plot.minutes == 5);
        for (size_t i = 0; i < plot.n_columns; i++) {
            span_ms += plot.columns[i].span_ms;
            for (unsigned c = 0; c < PROFILE_COMPONENTS; c++)
                energy_mj += plot.columns[i].energy_mj[c];
        }
        ROW_HOLDS(most, energy_mj == 29100000 && span_ms == 185000 && plot.span_ms == span_ms);
        ROW_HOLDS(most, plot.series[PROFILE_COMPONENTS].energy_mj == energy_mj);
        ROW_HOLDS(most, plot.series[PROFILE_COMPONENTS].peak.minute_s == T0 + 120 &&
                            plot.series[PROFILE_COMPONENTS].peak.mw == 13000000 / 60);
        ROW_HOLDS(most, plot.missing == 1 && plot.partial == 1);
        profile_plot_clear(&plot);
    }
    profile_clear(&profile);
}

/* 25 October 2026 has 25 hours in Paris, 29 March 23: an hour's ticks stay on the hour. */
static void ticks_are_of_the_local_clock_also_where_it_is_set(void **state)
{
    static const struct {
        int64_t begin_s;
        unsigned hours;
    } days[] = { { 1792879200, 25 }, { 1774738800, 23 } };
    struct query_job job = { .n_nodes = 0 };
    struct row row = { .job = &job };
    struct profile nothing = { NULL, 0, 0 };

    (void)state;
    setenv("TZ", "Europe/Paris", 1);
    tzset();
    for (size_t d = 0; d < LENGTH(days); d++) {
        struct profile_view view = { .row = &row, .nodes = &everywhere, .profile = &nothing,
                                     .from_s = days[d].begin_s,
                                     .to_s = days[d].begin_s + days[d].hours * 3600 };
        struct profile_plot plot;
        unsigned ticks = 0;

        assert_int_equal(profile_plot_make(&view, 700, &plot, NULL), 0);
        for (size_t i = profile_next_tick(&plot, 60, 0); i < plot.n_columns;
             i = profile_next_tick(&plot, 60, i + 1), ticks++) {
            time_t when = (time_t)profile_tick_s(&plot, 60, i);
            struct tm local;

            assert_non_null(localtime_r(&when, &local));
            ROW_HOLDS(d, local.tm_min == 0);
        }
        ROW_HOLDS(d, ticks == days[d].hours);
        profile_plot_clear(&plot);
    }
}

int main(void)
{
#define WITH_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BOOKS(minutes_are_summed_over_nodes),
        WITH_BOOKS(only_the_nodes_named_are_read),
        WITH_BOOKS(rows_come_by_minute_name_and_component),
        WITH_BOOKS(power_that_cannot_be_is_an_error),
        WITH_BOOKS(columns_keep_every_joule_and_average),
        cmocka_unit_test(ticks_are_of_the_local_clock_also_where_it_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
