/*
 * identity.h - which run of a job an allocation belongs to; private to accounting/store
 *
 * Slurm's job ids repeat: by requeue (told apart by the restart count) and when the counter wraps
 * or is reset. An allocation, as a node's batch tells of it, belongs to a row of `job` of the same
 * cluster, job id and restart count when both have the same SLUID, or, where one has none, when
 *
 *   I1  on its own node the row has no other allocation, or only ones that it continues: begun at
 *       the same mark (a meter that lost its checkpoint read it again), or broken off without an
 *       end less than JOB_SILENT_S away, while this one was found without a begin;
 *   I2  it does not begin more than JOB_APART_S after the row ended, nor end more than that before
 *       the row began: the nodes of one run start and stop together;
 *   I3  where the row is open, it has been heard of within JOB_SILENT_S: a node that died never
 *       reports an end.
 *
 * The newest row that fits is taken; none fits: a new run.
 */
#ifndef CARBON_STORE_IDENTITY_H
#define CARBON_STORE_IDENTITY_H

#include "store/store.h"

#define JOB_APART_S 300
#define JOB_SILENT_S (7 * 86400)
#define SAME_MARK_NS 1000000000 /* two conversions of one instant to wall time differ by less */

struct identity {
    const char *cluster;
    int64_t node_key;
    const struct batch_job *job;
    int64_t seen_ns; /* booked up to here, wall clock */
};

/* A run, the only one of its job id: it has not ended, and is not on this node. */
struct identity_run {
    int64_t begin_s, restart_count;
    const char *sluid; /* or NULL */
};

/* identity_find() would surely take it; false: it may or may not. */
bool identity_joins(const struct identity *identity, const struct identity_run *run);

/* *ret_job_key is 0 for a new run. */
MUST_CHECK int identity_find(struct store *store, const struct identity *identity,
                             int64_t *ret_job_key, struct error *err);

#endif
