/*
 * prune.h - power per minute is deleted when it is old; nothing else is. What else becomes smaller
 * with age, roll.h and fold.h say.
 *
 * Work is done in passes, each a transaction of its own with an upper bound, so that whoever loads
 * batches in between never waits for long. Killed at any instant, the books are those of the passes
 * that were committed, and the next sweep does the rest.
 *
 * Invariants:
 *   R1  no total changes: energy, node_total and the sums of hours are not touched
 *   R2  a job's peak over its whole life (query.h) is the same before and after: the peak of its
 *       minutes is written into its row, unless a higher one stands there, before they go
 *   R3  of a job, a minute goes for all nodes and components together
 */
#ifndef CARBON_STORE_PRUNE_H
#define CARBON_STORE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "store/fold.h"
#include "store/roll.h"

struct store;

/* In one pass: this many rows are deleted, but for one minute more, and jobs looked at. */
#define PRUNE_ROWS 20000
#define PRUNE_JOBS 2000

/* A sweep over all jobs; begin it with prune_init(). */
struct prune {
    int64_t now_s;
    int64_t before_s;    /* minutes that began earlier go */
    int64_t next_key;    /* where to go on; all jobs below are done */
    bool done;
    uint64_t jobs, rows; /* that had old minutes; of the table: a minute, node and component each */
    int64_t last_key;    /* the last job counted */
};

void prune_init(struct prune *prune, uint32_t keep_days, int64_t now_s);

/* One more pass, until prune->done. On failure nothing of this pass was done. */
MUST_CHECK int prune_pass(struct store *store, struct prune *prune, struct error *err);

/* Have the database's partitions, where it has any, fit a sweep that was begun, or is done. */
MUST_CHECK int prune_partition(struct store *store, const struct prune *prune, struct error *err);

/* What a sweep would do: prune->jobs and rows, at once and without changing anything. */
MUST_CHECK int prune_count(struct store *store, struct prune *prune, struct error *err);

/* Is the last finished sweep a day old, or was there none? 1 or 0, or a negative errno. */
MUST_CHECK int prune_is_due(struct store *store, int64_t now_s, struct error *err);

/* Batches stay by themselves for as long as power per minute does, but not for less than what
   `carbonctl status` tells of them: from which instant on. */
#define PRUNE_BATCH_DAYS 32
int64_t prune_batches_before_s(uint32_t keep_days, int64_t now_s);

/* Sweeps of a day, this one's, roll.h's and fold.h's, in the time that their caller has left.
   Zeroed but for the days to keep, to begin with. */
struct prune_daily {
    uint32_t keep_days, keep_hourly_days;
    bool active; /* there is more to do at once */
    struct prune sweep;
    struct roll roll;
    struct fold fold;
};

/* One pass of the sweeps that are due, if any. */
MUST_CHECK int prune_daily(struct store *store, struct prune_daily *daily, int64_t now_s,
                           struct error *err);

/* Minutes before this one may be missing, since they were pruned; 0: none ever was. */
MUST_CHECK int prune_kept_since(struct store *store, int64_t *ret_s, struct error *err);

#endif
