#include "ledger/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"

static int reserve(struct series *series)
{
    size_t room = series->room ? series->room * 2 : 8;
    struct point *points;

    if (series->count < series->room)
        return 0;
    points = realloc(series->points, room * sizeof(*points));
    if (!points)
        return -ENOMEM;
    series->points = points;
    series->room = room;
    return 0;
}

int series_add(struct series *series, struct point point)
{
    size_t i = series->count;

    if (reserve(series) < 0)
        return -ENOMEM;
    while (i > 0 && (series->points[i - 1].at > point.at ||
                     (series->points[i - 1].at == point.at &&
                      series->points[i - 1].value > point.value)))
        i--;
    memmove(series->points + i + 1, series->points + i,
            (series->count - i) * sizeof(*series->points));
    series->points[i] = point;
    series->count++;
    return 0;
}

uint64_t series_at(const struct series *series, uint64_t at)
{
    struct point last = series->base;
    bool known = series->has_base;

    if (known && at <= last.at)
        return last.value;
    for (size_t i = 0; i < series->count; i++) {
        struct point next = series->points[i];

        if (known && next.value < last.value)
            next.value = last.value;
        if (next.at > at)
            return known ? last.value + mul_div(next.value - last.value, at - last.at,
                                                next.at - last.at)
                         : next.value;
        last = next;
        known = true;
    }
    return known ? last.value : 0;
}

uint64_t series_known_ns(const struct series *series, uint64_t from, uint64_t to)
{
    uint64_t known_ns = 0, last = series->base.at;
    bool has_last = series->has_base;

    for (size_t i = 0; i < series->count && (!has_last || last < to); i++) {
        const struct point *p = &series->points[i];
        uint64_t a = last > from ? last : from, b = p->at < to ? p->at : to;

        if (has_last && p->at <= last)
            continue;
        if (has_last && !p->gap && a < b)
            known_ns += b - a;
        last = p->at;
        has_last = true;
    }
    return known_ns;
}

uint64_t series_last(const struct series *series)
{
    uint64_t base = series->has_base ? series->base.at : 0;
    uint64_t last = series->count ? series->points[series->count - 1].at : 0;

    return last > base ? last : base;
}

void series_advance(struct series *series, uint64_t at, bool hold)
{
    uint64_t last = series_last(series);
    uint64_t to = hold && last < at ? last : at;
    size_t gone = 0;

    if (!series->has_base && (series->count == 0 || series->points[0].at > to))
        return;
    series->base = (struct point){ to, series_at(series, to), false };
    series->has_base = true;
    while (gone < series->count && series->points[gone].at <= to)
        gone++;
    if (gone) /* there may be no array yet */
        memmove(series->points, series->points + gone,
                (series->count - gone) * sizeof(*series->points));
    series->count -= gone;
}

void series_clear(struct series *series)
{
    series->count = 0;
}

void series_free(struct series *series)
{
    free(series->points);
    *series = (struct series){ 0 };
}
