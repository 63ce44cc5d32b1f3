/*
 * backfill.h - jobs that were not metered, booked from what slurmdbd knows of them
 *
 * The unit is a run of a job on one node: an allocation of stream "backfill", with a row in
 * `backfill`. Its energy is modelled, whatever the source, and spread evenly over its time.
 *
 * Invariants:
 *   K1  no joule twice: no batch of the node is of any of its time. A node whose meter ran has the
 *       job's energy in its books already, if only as unallocated
 *   K2  a batch that comes later takes its place (backfill_settle()); never the other way
 *   K3  for every (node, hour, component): node_total = sum of its energy rows, and for every node
 *       and component: node_total = batches + backfill_component; sums are kept as with batches
 *   K4  at no instant are more cores or GPUs of a node held than it has, where that is known:
 *       Slurm's CPUs may be threads, and how a job's GPUs lay on its nodes slurmdbd forgets
 */
#ifndef CARBON_STORE_BACKFILL_H
#define CARBON_STORE_BACKFILL_H

#include "carbon/tres_model.h"
#include "store/reconcile.h"

enum backfill_source { BACKFILL_CONSUMED_ENERGY, BACKFILL_TRES };

/* A run on one node. Its times are UTC seconds. */
struct backfill_part {
    const struct dbd_job *job;
    const char *node;
    int64_t begin_s, end_s;
    uint32_t cores, gpus;            /* held; no more than are left is booked: K4 */
    uint32_t node_cores, node_gpus;  /* of the node; 0: not known */
    uint64_t memory_mb;
    struct tres_energy energy;
    enum backfill_source source;
    const char *made_by;
};

/* One answer of slurmdbd on its way into the books. */
struct backfill {
    struct store *store;
    int64_t now_s;     /* when slurmdbd was asked */
    int64_t longest_s; /* of the runs that were noted */
};

/* Before the rest, inside a transaction of the caller. */
MUST_CHECK int backfill_begin(struct backfill *backfill, struct store *store, int64_t now_s,
                              struct error *err);

/* Every run has to be noted, on every node, before any backfill_shared() and backfill_book(). */
MUST_CHECK int backfill_note(struct backfill *backfill, const struct dbd_job *job,
                             const char *node, struct error *err);

/* Was another run that was noted on this node while this one was? 1 or 0, or a negative errno. */
MUST_CHECK int backfill_shared(const struct backfill *backfill, const struct dbd_job *job,
                               const char *node, struct error *err);

/* Until when after begin_s was the node not metered, before end_s? begin_s: it was then. */
MUST_CHECK int backfill_free_until(struct store *store, const char *cluster, const char *node,
                                   int64_t begin_s, int64_t end_s, int64_t *ret_free_s,
                                   struct error *err);

/*
 * What jobs drew on a node (NULL: all of the cluster), of those since since_s that were measured
 * from end to end; added up. Of those that slurmdbd named: Slurm's CPUs, and the cores they were.
 */
struct backfill_learned {
    uint64_t cpus, cores;
    uint64_t core_ms, gpu_ms;
    uint64_t active_mj[COMPONENT_COUNT], idle_mj[COMPONENT_COUNT];
};
MUST_CHECK int backfill_learn(struct store *store, const char *cluster, const char *node,
                              int64_t since_s, struct backfill_learned *sum, struct error *err);

/*
 * Book it, and the run if it is not there. 1: booked; 0: the run has an allocation on that node
 * already. reconcile_begin() comes before.
 */
MUST_CHECK int backfill_book(const struct backfill *backfill, const struct backfill_part *part,
                             struct error *err);

/* Take back what was booked of a cluster and began in [from_s, to_s): how many in *ret_count. */
MUST_CHECK int backfill_drop(struct store *store, const char *cluster, int64_t from_s, int64_t to_s,
                             int64_t *ret_count, struct error *err);

/* For loading alone: hold K2, now that a batch of this time of the node is here. */
MUST_CHECK int backfill_settle(struct store *store, int64_t node_key, int64_t begin_ns,
                               int64_t end_ns, struct error *err);

#endif
