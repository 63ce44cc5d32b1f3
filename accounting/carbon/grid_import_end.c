#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "carbon/grid_import_file.h"
#include "core/clock.h"

/* --- the end: order, duplicates, overlaps, gaps ----------------------------------------------- */

struct sortable {
    struct grid_interval interval;
    struct grid_origin origin;
};

static int by_time(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;

    if (x->interval.begin_s != y->interval.begin_s)
        return x->interval.begin_s < y->interval.begin_s ? -1 : 1;
    if (x->origin.file != y->origin.file)
        return x->origin.file < y->origin.file ? -1 : 1;
    return x->origin.place < y->origin.place ? -1 : x->origin.place > y->origin.place;
}

/* Sort the intervals from `from` on, with their origins. */
static int sort_series(struct grid_import_series *series, size_t from, struct error *err)
{
    size_t count = series->count - from;
    struct sortable *sortables = calloc(count ? count : 1, sizeof(*sortables));

    if (!sortables)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        sortables[i] = (struct sortable){ series->intervals[from + i], series->origins[from + i] };
    qsort(sortables, count, sizeof(*sortables), by_time);
    for (size_t i = 0; i < count; i++) {
        series->intervals[from + i] = sortables[i].interval;
        series->origins[from + i] = sortables[i].origin;
    }
    free(sortables);
    return 0;
}

static int duplicate_error(const struct grid_import *import, const struct grid_import_series *of,
                           struct grid_origin first, struct grid_origin second, int64_t begin_s,
                           struct error *err)
{
    char at[PLACE_SIZE], before[PLACE_SIZE], time[CLOCK_TEXT_SIZE];

    clock_format_utc(begin_s, time);
    return error_set(err, -EBADMSG, "%s: a second %s value of %s for %s, after %s: remove one",
                     import_place(import, second, at), of->basis, of->zone, time,
                     import_place(import, first, before));
}

static int overlap_error(const struct grid_import *import, struct grid_origin first,
                         const struct grid_interval *earlier, struct grid_origin second,
                         const struct grid_interval *later, struct error *err)
{
    char at[PLACE_SIZE], before[PLACE_SIZE], begins[CLOCK_TEXT_SIZE], ends[CLOCK_TEXT_SIZE];

    clock_format_utc(later->begin_s, begins);
    clock_format_utc(earlier->end_s, ends);
    return error_set(err, -EBADMSG, "%s: begins at %s and overlaps %s, which lasts until %s: "
                     "correct or remove one", import_place(import, second, at), begins,
                     import_place(import, first, before), ends);
}

static bool same_value(const struct grid_interval *a, const struct grid_interval *b)
{
    return a->begin_s == b->begin_s && a->end_s == b->end_s && a->ug_per_kwh == b->ug_per_kwh &&
           a->estimated == b->estimated;
}

/* The series is sorted: drop what two files say alike, refuse what contradicts. */
static int check_overlaps(const struct grid_import *import, struct grid_import_series *series,
                          struct error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < series->count; i++) {
        const struct grid_interval *earlier = kept ? &series->intervals[kept - 1] : NULL;
        const struct grid_interval *later = &series->intervals[i];
        struct grid_origin from = series->origins[kept ? kept - 1 : 0];
        struct grid_origin to = series->origins[i];

        if (earlier && from.file != to.file && same_value(earlier, later))
            continue;
        if (earlier && earlier->begin_s == later->begin_s)
            return duplicate_error(import, series, from, to, later->begin_s, err);
        if (earlier && earlier->end_s > later->begin_s)
            return overlap_error(import, from, earlier, to, later, err);
        series->intervals[kept] = *later;
        series->origins[kept++] = to;
    }
    series->count = kept;
    return 0;
}

/* Two sources of the same kind would be two values for one time. Both are sorted. */
static int check_sources(const struct grid_import *import, const struct grid_import_series *a,
                         const struct grid_import_series *b, struct error *err)
{
    size_t i = 0, j = 0;

    while (i < a->count && j < b->count) {
        if (a->intervals[i].end_s <= b->intervals[j].begin_s)
            i++;
        else if (b->intervals[j].end_s <= a->intervals[i].begin_s)
            j++;
        else
            return overlap_error(import, a->origins[i], &a->intervals[i], b->origins[j],
                                 &b->intervals[j], err);
    }
    return 0;
}

/* "30 min", "2 h", "1 h 30 min" */
static void span_text(int64_t span_s, char *text, size_t size)
{
    int64_t hours = span_s / S_PER_HOUR, minutes = span_s % S_PER_HOUR / 60;

    if (hours && minutes)
        snprintf(text, size, "%" PRId64 " h %" PRId64 " min", hours, minutes);
    else if (hours)
        snprintf(text, size, "%" PRId64 " h", hours);
    else
        snprintf(text, size, "%" PRId64 " min", minutes);
}

static int gap_error(const struct grid_import *import, const struct grid_import_series *series,
                     size_t later, struct error *err)
{
    int64_t from_s = series->intervals[later - 1].end_s;
    int64_t to_s = series->intervals[later].begin_s;
    char at[PLACE_SIZE], from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE], span[48];

    clock_format_utc(from_s, from);
    clock_format_utc(to_s, to);
    span_text(to_s - from_s, span, sizeof(span));
    return error_set(err, -EBADMSG, "%s: a gap of %s before this: no %s value of %s from %s to %s: "
                     "get what is missing, or give --allow-gaps: the gap then takes the annual "
                     "value, and is flagged", import_place(import, series->origins[later], at),
                     span, series->basis, series->zone, from, to);
}

static int sum_up(const struct grid_import *import, struct grid_import_series *series,
                  struct error *err)
{
    uint64_t sum = 0, total_s = 0; /* 2e9 ug x 3e9 s, a century, is 6e18 */

    series->min_ug = UINT64_MAX;
    for (size_t i = 0; i < series->count; i++) {
        const struct grid_interval *interval = &series->intervals[i];
        uint64_t length_s = (uint64_t)(interval->end_s - interval->begin_s);

        if (i && series->intervals[i - 1].end_s < interval->begin_s) {
            if (!import->options.allow_gaps)
                return gap_error(import, series, i, err);
            series->missing_s += interval->begin_s - series->intervals[i - 1].end_s;
        }
        series->estimated += interval->estimated;
        series->min_ug = interval->ug_per_kwh < series->min_ug ? interval->ug_per_kwh
                                                                : series->min_ug;
        series->max_ug = interval->ug_per_kwh > series->max_ug ? interval->ug_per_kwh
                                                                : series->max_ug;
        sum += interval->ug_per_kwh * length_s;
        total_s += length_s;
    }
    series->mean_ug = (sum + total_s / 2) / total_s;
    return 0;
}

int grid_import_end(struct grid_import *import, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < import->count; i++) {
        rc = sort_series(&import->series[i], 0, err);
        if (rc == 0)
            rc = check_overlaps(import, &import->series[i], err);
        if (rc == 0)
            rc = sum_up(import, &import->series[i], err);
    }
    for (size_t i = 0; rc == 0 && i < import->count; i++)
        for (size_t j = 0; rc == 0 && j < i; j++)
            if (import_same_kind(&import->series[i], &import->series[j]))
                rc = check_sources(import, &import->series[j], &import->series[i], err);
    return rc;
}

/* --- ends from the spacing -------------------------------------------------------------------- */

#define S_PER_DAY 86400
#define STEP_MONTH (-1)
#define STEP_YEAR (-2)

static int64_t next_of(int64_t begin_s, int64_t step)
{
    time_t at = (time_t)begin_s;
    struct tm tm;

    if (step > 0)
        return begin_s + step;
    gmtime_r(&at, &tm);
    tm.tm_mon += step == STEP_MONTH ? 1 : 12;
    return timegm(&tm);
}

static bool begins_month(int64_t begin_s)
{
    time_t at = (time_t)begin_s;
    struct tm tm;

    gmtime_r(&at, &tm);
    return tm.tm_mday == 1 && begin_s % S_PER_DAY == 0;
}

/* The step of sorted values from `from` on; 0 when it is not plain. */
static int64_t find_step(const struct grid_import_series *series, size_t from)
{
    static const int64_t steps[] = { 300, 900, 1800, 3600, S_PER_DAY, STEP_MONTH, STEP_YEAR };
    size_t pairs = series->count - from - 1;

    for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
        size_t fitting = 0, closer = 0;

        if (steps[s] < 0 && !begins_month(series->intervals[from].begin_s))
            continue;
        for (size_t i = from; i + 1 < series->count; i++) {
            int64_t next_s = next_of(series->intervals[i].begin_s, steps[s]);

            fitting += series->intervals[i + 1].begin_s == next_s;
            closer += series->intervals[i + 1].begin_s < next_s &&
                      series->intervals[i + 1].begin_s != series->intervals[i].begin_s;
        }
        if (closer == 0 && 2 * fitting > pairs)
            return steps[s];
    }
    return 0;
}

static int spread_series(struct import_file *file, struct grid_import_series *series, size_t from)
{
    int64_t step;
    int rc = sort_series(series, from, file->err);

    if (rc < 0)
        return rc;
    step = find_step(series, from);
    if (step == 0)
        return error_set(file->err, -EBADMSG, "%s: how long each value lasts is unclear: its times "
                         "are not mostly 5, 15, 30 or 60 minutes, a day, a month or a year apart; "
                         "write it as csv, with start_utc and end_utc", file->name);
    for (size_t i = from; i < series->count; i++)
        series->intervals[i].end_s = next_of(series->intervals[i].begin_s, step);
    return 0;
}

int import_spread(struct import_file *file)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < file->import->count; i++) {
        struct grid_import_series *series = &file->import->series[i];
        size_t from = series->count;

        while (from > 0 && series->origins[from - 1].file == file->index)
            from--;
        if (from < series->count)
            rc = spread_series(file, series, from);
    }
    return rc;
}
