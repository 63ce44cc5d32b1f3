/*
 * reconcile.h - what slurmdbd says of jobs, into the books
 *
 * Slurm's database knows of each run of a job its account, QOS, state, submit time, name, TRES and
 * relations; nodes tell some of it, and of some runs earlier. A run of the books and one of
 * slurmdbd are the same when they are of one cluster and job id and the one began while the other
 * ran. Energy is never touched.
 *
 * What changes them belongs to one transaction of the caller: store_begin() and store_commit().
 */
#ifndef CARBON_STORE_RECONCILE_H
#define CARBON_STORE_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* One run of a job, as slurmdbd has it. Texts are "" where it says nothing. */
struct dbd_job {
    const char *cluster, *user, *account, *partition, *qos, *name, *alloc_tres;
    const char *state;               /* "CANCELLED by 1000": its first word is taken; never "" */
    int64_t job_id;                  /* JobIDRaw */
    int64_t submit_s, start_s, end_s; /* -1: unknown */
    int64_t array_job_id, array_task_id, het_job_id, het_offset, nodes, uid; /* -1: none */
    const char *node_list;           /* hostlist, or as sacct says that there is none */
    int64_t consumed_j;              /* ConsumedEnergyRaw; -1: none, or no amount of energy */
};

enum reconcile_outcome {
    RECONCILE_JOINED,    /* its run in the books has it now */
    RECONCILE_NOT_BEGUN, /* it never ran */
    RECONCILE_MISSING,   /* it ran, and is not in the books */
};

/* A run of the books that slurmdbd did not name. */
struct books_only {
    const char *cluster;
    int64_t job_id, begin_s;
};

#define RECONCILE_DAYS 30

/*
 * When the earliest run of the RECONCILE_DAYS before now_s began that slurmdbd has not said its
 * last of; -1: none. One that slurmdbd has not named for so long it will not name.
 */
MUST_CHECK int reconcile_from(struct store *store, int64_t now_s, int64_t *ret_from_s,
                              struct error *err);

/* How many runs of the last RECONCILE_DAYS that were over by over_s are to be reconciled. */
MUST_CHECK int reconcile_waiting(struct store *store, int64_t over_s, int64_t now_s,
                                 int64_t *ret_count, struct error *err);

/* Is a run of the cluster that carbon.conf names, or of one that the database knows? slurmdbd may
   have others, whose books are elsewhere. 1 or 0, or a negative errno. */
MUST_CHECK int reconcile_is_here(struct store *store, const char *own_cluster,
                                 const struct dbd_job *job, struct error *err);

/* Before the first reconcile_job(). */
MUST_CHECK int reconcile_begin(struct store *store, struct error *err);

/* Take one run; now_s is when slurmdbd was asked. *ret_key, where not NULL, is the job_key of one
   that was joined. */
MUST_CHECK int reconcile_job(struct store *store, const struct dbd_job *job, int64_t now_s,
                             enum reconcile_outcome *ret_outcome, int64_t *ret_key,
                             struct error *err);

/* After all: call `tell` for each run that began at from_s or later, is over, and is still to be
   reconciled. */
MUST_CHECK int reconcile_rest(struct store *store, int64_t from_s,
                              void (*tell)(void *arg, const struct books_only *run), void *arg,
                              struct error *err);

#endif
