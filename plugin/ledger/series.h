/*
 * series.h - a cumulative quantity known at some instants, growing evenly in between
 *
 * Points are (instant, cumulative value). The base is where the ledger's books stand; points lie
 * behind it, sorted by instant. Values never fall: a smaller later value counts as the larger one
 * before it. A point with `gap` set ends a stretch in which the growth is unknown (and is booked
 * as none).
 */
#ifndef CARBON_LEDGER_SERIES_H
#define CARBON_LEDGER_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct point {
    uint64_t at, value;
    bool gap;
};

struct series {
    bool has_base;
    struct point base;
    struct point *points;
    size_t count, room;
};

/* Insert in order of time; among equal instants the order of arrival is
   indifferent. 0 or -ENOMEM. */
int series_add(struct series *series, struct point point);

/* The value at an instant: interpolated, rounded down; behind the last point its value. */
uint64_t series_at(const struct series *series, uint64_t at);

/* How much of from..to lies between points with no gap between, in ns. */
uint64_t series_known_ns(const struct series *series, uint64_t from, uint64_t to);

/* The instant of the last point, or of the base, or 0. */
uint64_t series_last(const struct series *series);

/*
 * Move the base to `at` and forget the points up to there. With `hold`, a series whose last point
 * is before `at` keeps its base at that point: what it grew since will be known later.
 */
void series_advance(struct series *series, uint64_t at, bool hold);

void series_clear(struct series *series); /* forget the points, not the base; keep the room */
void series_free(struct series *series);

#endif
