/*
 * profile_plot.h - a job's minutes as columns of a plot, with averages and peaks
 *
 * A column is one minute or several: its power is the energy of its minutes over their time, so
 * that averages over columns are those over minutes. Peaks are always of one minute (store/peak.h).
 */
#ifndef CARBON_REPORT_PROFILE_PLOT_H
#define CARBON_REPORT_PROFILE_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hostlist.h"
#include "report/row.h"
#include "store/profile.h"

/* What is to be drawn of a job, and what is known of it. */
struct profile_view {
    const struct row *row;        /* of the job, or of a step: then of its time only */
    const struct hostlist *nodes; /* only these; count 0: all */
    const struct profile *profile;
    int64_t from_s, to_s;         /* the time to draw: [from_s, to_s) */
    bool cut;                     /* by -S or -E */
    int64_t kept_since_s;         /* minutes before may have been pruned; 0: never */
};

struct profile_column {
    uint64_t energy_mj[PROFILE_COMPONENTS], span_ms;
    uint32_t known;   /* minutes that something is known of; 0: a gap */
    uint32_t partial; /* of them, those in which a node is missing */
};

struct profile_series {
    uint64_t energy_mj;
    struct peak peak; /* span_ms 0: no minute is known */
};

struct profile_plot {
    int64_t begin_s;            /* of the first column */
    uint32_t minutes;           /* that are drawn … */
    uint32_t per_column;        /* … and so many in each column, but for the last */
    struct profile_column *columns;
    size_t n_columns;
    uint32_t missing, partial;  /* minutes that the job lived in and no, or not every, node has */
    uint64_t span_ms;           /* of all columns */
    struct profile_series series[PROFILE_COMPONENTS + 1]; /* the last: of all together */
    unsigned components;        /* bits: which there are */
};

/* At most max_columns, above 0. -ENOMEM. *ret is empty on failure; else profile_plot_clear(). */
MUST_CHECK int profile_plot_make(const struct profile_view *view, size_t max_columns,
                                 struct profile_plot *ret, struct error *err);
void profile_plot_clear(struct profile_plot *plot);

/* Power of a column in milliwatts, of a component or (PROFILE_COMPONENTS) of all. */
uint64_t profile_column_mw(const struct profile_column *column, unsigned component);
/* The highest column of a component or of all, milliwatts. */
uint64_t profile_plot_highest_mw(const struct profile_plot *plot, unsigned component);

/* "processors"; of PROFILE_COMPONENTS: "total" */
const char *profile_title(unsigned component);

/*
 * Ticks of a local time axis: the smallest step in minutes (a minute to a month of 30 days) of
 * which at most `most` lie in the plot; and the index of the first column at or behind `column`
 * that holds a multiple of it in local time, or n_columns.
 */
uint32_t profile_tick_step(const struct profile_plot *plot, size_t most);
size_t profile_next_tick(const struct profile_plot *plot, uint32_t step_minutes, size_t column);
/* The instant of that multiple. */
int64_t profile_tick_s(const struct profile_plot *plot, uint32_t step_minutes, size_t column);

#endif
