/*
 * counter.h - from raw readings of a wrapping, failing energy counter to a cumulative series
 */
#ifndef CARBON_LEDGER_COUNTER_H
#define CARBON_LEDGER_COUNTER_H

#include "core/batch.h"
#include "ledger/series.h"

/* A raw reading, or the lack of one. */
struct reading {
    bool has;
    uint64_t at, raw_uj, seen_uj; /* seen_uj: cumulative since the stream began (good ones only) */
};

struct counter {
    char source[SOURCE_NAME_SIZE], sensor[SENSOR_NAME_SIZE];
    enum component component;
    enum quality quality;
    uint32_t domain;
    uint64_t range_uj, max_uw, floor_uw;
    bool has_floor;
    uint64_t counted_begin_uj; /* series.base.value when the batch began */
    uint64_t debt_uj;          /* of a node meter: parts in excess of it */
    uint64_t pending_uj;       /* of a node meter: parts counted since it fell silent */
    struct reading good;       /* last believed reading, at or before the window's begin */
    struct reading refused;    /* the reading after it that was not believed, if any */
    struct series raws;        /* raw readings since `good`: value is raw, no base */
    struct series series;      /* believed cumulative energy; its base is what is counted */
    bool fresh;                /* no reading of an earlier process is its base */
    bool at_close;             /* ledger_ready() does not wait for it */
    bool gone;                 /* named by the checkpoint, not on the node any more */
    bool stale;                /* raws changed since `series` was made from them */
};

/* A reading at an instant not before the open window's begin. 0 or -ENOMEM. */
int counter_read(struct counter *counter, uint64_t at, uint64_t raw_uj);

/* Bring `series` up to date with the readings. 0 or -ENOMEM. */
int counter_unwrap(struct counter *counter);

/* The window now begins at `at`: what came before is final. Call after counter_unwrap(). */
void counter_advance(struct counter *counter, uint64_t at);

void counter_free(struct counter *counter);

#endif
