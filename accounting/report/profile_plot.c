#include "report/profile_plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

#define MINUTE_S 60
#define SHORT_S 10 /* a part of a minute below this is not missed (store/peak.h) */

static const char *const titles[] = { "processors", "memory", "GPUs", "rest of node",
                                      "not told apart", "total" };

const char *profile_title(unsigned component)
{
    return titles[component];
}

/* --- when the job lived ----------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_viewed(const struct profile_view *view, const char *name)
{
    for (size_t i = 0; i < view->nodes->count; i++)
        if (strcmp(view->nodes->names[i], name) == 0)
            return true;
    return view->nodes->count == 0;
}

/* On how many nodes the job lived in each minute, as changes from one to the next. */
static void add_lives(const struct profile_view *view, const struct profile_plot *plot,
                      int32_t *changes)
{
    const struct query_job *job = view->row->job;
    int64_t behind = 0; /* the minutes of this node that are counted already end here */

    for (size_t i = 0; i < job->n_nodes; i++) {
        const struct query_node *node = &job->nodes[i];
        int64_t begin_s = node->begin_ns / (int64_t)NS_PER_S - plot->begin_s;
        int64_t end_s = (node->end_ns.has ? node->end_ns.value : node->seen_ns) /
                            (int64_t)NS_PER_S - plot->begin_s;
        int64_t first = floor_div(begin_s + SHORT_S - 1, MINUTE_S);
        int64_t last = floor_div(end_s - SHORT_S, MINUTE_S);

        if (!is_viewed(view, node->name))
            continue;
        if (i == 0 || strcmp(job->nodes[i - 1].name, node->name) != 0)
            behind = 0;
        first = first < behind ? behind : first;
        last = last >= plot->minutes ? (int64_t)plot->minutes - 1 : last;
        if (first > last)
            continue;
        changes[first]++;
        changes[last + 1]--;
        behind = last + 1;
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

static void add_to(struct profile_series *series, uint64_t energy_mj,
                   const struct profile_minute *minute)
{
    struct peak peak = { (int64_t)profile_mw(energy_mj, minute->span_ms), minute->minute_s,
                         (int64_t)minute->span_ms };

    series->energy_mj += energy_mj;
    if (series->peak.span_ms == 0 || peak_is_higher(&peak, &series->peak))
        series->peak = peak;
}

static void add_minute(struct profile_plot *plot, const struct profile_minute *minute,
                       struct profile_column *column)
{
    uint64_t sum_mj = 0;

    for (unsigned c = 0; c < PROFILE_COMPONENTS; c++) {
        if (!(plot->components & 1u << c))
            continue;
        column->energy_mj[c] += minute->energy_mj[c];
        add_to(&plot->series[c], minute->energy_mj[c], minute);
        sum_mj += minute->energy_mj[c];
    }
    column->span_ms += minute->span_ms;
    column->known++;
    plot->span_ms += minute->span_ms;
    add_to(&plot->series[PROFILE_COMPONENTS], sum_mj, minute);
}

static void fill(const struct profile_view *view, struct profile_plot *plot, const int32_t *changes)
{
    const struct profile *profile = view->profile;
    size_t next = 0;
    int64_t lived = 0;

    for (uint32_t i = 0; i < plot->minutes; i++) {
        struct profile_column *column = &plot->columns[i / plot->per_column];
        int64_t minute_s = plot->begin_s + (int64_t)i * MINUTE_S;
        uint32_t nodes = 0;

        lived += changes[i];
        while (next < profile->n_minutes && profile->minutes[next].minute_s < minute_s)
            next++;
        if (next < profile->n_minutes && profile->minutes[next].minute_s == minute_s) {
            nodes = profile->minutes[next].nodes;
            add_minute(plot, &profile->minutes[next], column);
        }
        plot->missing += nodes == 0 && lived > 0;
        plot->partial += nodes > 0 && nodes < lived;
        column->partial += nodes > 0 && nodes < lived;
    }
}

int profile_plot_make(const struct profile_view *view, size_t max_columns,
                      struct profile_plot *ret, struct error *err)
{
    int64_t begin_s = floor_div(view->from_s, MINUTE_S) * MINUTE_S;
    int64_t minutes = view->to_s > begin_s ? (view->to_s - begin_s + MINUTE_S - 1) / MINUTE_S : 0;
    struct profile_plot plot = { .begin_s = begin_s, .minutes = (uint32_t)minutes };
    int32_t *changes = calloc((size_t)minutes + 2, sizeof(*changes));

    plot.components = view->profile->components;
    plot.per_column = minutes ? (uint32_t)(((size_t)minutes + max_columns - 1) / max_columns) : 1;
    plot.n_columns = ((size_t)minutes + plot.per_column - 1) / plot.per_column;
    plot.columns = calloc(plot.n_columns + 1, sizeof(*plot.columns));
    if (!changes || !plot.columns) {
        free(changes);
        free(plot.columns);
        *ret = (struct profile_plot){ 0 };
        return error_set(err, -ENOMEM, "no memory to draw %lld minutes", (long long)minutes);
    }
    add_lives(view, &plot, changes);
    fill(view, &plot, changes);
    free(changes);
    *ret = plot;
    return 0;
}

void profile_plot_clear(struct profile_plot *plot)
{
    free(plot->columns);
    *plot = (struct profile_plot){ 0 };
}

uint64_t profile_column_mw(const struct profile_column *column, unsigned component)
{
    uint64_t sum_mj = 0;

    for (unsigned c = 0; c < PROFILE_COMPONENTS; c++)
        if (component == c || component == PROFILE_COMPONENTS)
            sum_mj += column->energy_mj[c];
    return profile_mw(sum_mj, column->span_ms);
}

uint64_t profile_plot_highest_mw(const struct profile_plot *plot, unsigned component)
{
    uint64_t highest_mw = 0;

    for (size_t i = 0; i < plot->n_columns; i++) {
        uint64_t mw = profile_column_mw(&plot->columns[i], component);

        highest_mw = mw > highest_mw ? mw : highest_mw;
    }
    return highest_mw;
}

/* --- the axis of time ------------------------------------------------------------------------- */

uint32_t profile_tick_step(const struct profile_plot *plot, size_t most)
{
    static const uint32_t steps[] = { 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760,
                                      10080, 20160, 43200 };
    size_t i = 0;

    while (i + 1 < sizeof(steps) / sizeof(*steps) && plot->minutes / steps[i] > most)
        i++;
    return steps[i];
}

/* Minutes of the local clock, days and all: what a local hour is a multiple of. */
static int64_t local_minute(int64_t instant_s)
{
    time_t when = (time_t)instant_s;
    struct tm local;

    if (!localtime_r(&when, &local))
        return floor_div(instant_s, MINUTE_S);
    return floor_div(instant_s + local.tm_gmtoff, MINUTE_S);
}

int64_t profile_tick_s(const struct profile_plot *plot, uint32_t step_minutes, size_t column)
{
    int64_t begin_s = plot->begin_s + (int64_t)(column * plot->per_column) * MINUTE_S;
    int64_t behind = local_minute(begin_s) % step_minutes;

    return behind == 0 ? begin_s : begin_s + (step_minutes - behind) * MINUTE_S;
}

size_t profile_next_tick(const struct profile_plot *plot, uint32_t step_minutes, size_t column)
{
    for (; column < plot->n_columns; column++) {
        int64_t end_s = plot->begin_s + (int64_t)((column + 1) * plot->per_column) * MINUTE_S;

        if (profile_tick_s(plot, step_minutes, column) < end_s)
            return column;
    }
    return plot->n_columns;
}
