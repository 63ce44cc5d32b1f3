/*
 * period.h - the read side for reports: everything of one cluster in a period, as streams of rows
 *
 * A period is [from_s, to_s), both at full UTC hours. Each call reads rows in time that grows with
 * the rows of the months it touches, not with the database. `take` may return a negative errno to
 * stop; the call then returns it; it must not call the same function again. Texts live until take
 * returns. store_begin() gives several calls the same instant. Amounts are millijoules and
 * milliseconds. -EINVAL for what is no period, -EBADMSG for amounts below zero.
 */
#ifndef CARBON_STORE_PERIOD_H
#define CARBON_STORE_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "store/query.h"

struct store;

struct period {
    const char *cluster;
    int64_t from_s, to_s;
};

/* A node of the cluster that ever reported. By name. */
struct period_node {
    int64_t node_key;
    const char *name;
    uint32_t packages, cores, gpus; /* of its newest batch */
};
MUST_CHECK int period_nodes(struct store *store, const char *cluster,
                            int (*take)(void *arg, const struct period_node *node), void *arg,
                            struct error *err);

/* NULL texts: unknown. Of a hidden one, which is not the store's viewer's to see, all that would
   tell whose it is or which is unknown, and its numbers are 0. */
struct period_job {
    int64_t job_key;
    bool hidden;
    uint32_t job_id, restart_count;
    struct maybe array_job_id, array_task_id, het_job_id, het_offset;
    struct maybe uid, node_count;
    const char *user, *account, *partition, *qos, *name;
    int64_t begin_s;
    struct maybe end_s, exit_status;
    uint32_t flags;
    const char *dbd_state; /* slurmdbd's; NULL until it was asked (reconcile.h) */
};
/* Those of the cluster that have one of these keys, which rise, by key. Unless they are wanted
   whole, what lines of a report are made by is all that is known: hidden, uid, user, account,
   partition, end_s, exit_status, flags, dbd_state. Which jobs a period has, period_uses() and
   period_job_hours() tell: an end that was noted late leaves energy in the next hour, which may be
   another month's. */
MUST_CHECK int period_jobs(struct store *store, const char *cluster, const int64_t *keys,
                           size_t n_keys, bool whole,
                           int (*take)(void *arg, const struct period_job *job), void *arg,
                           struct error *err);

/* What a job held of a node, clipped to the period. In no order. Nodes of other clusters come too:
   skip those that period_nodes() did not give. One that only touches the period's
   first or last instant is not in it; one without duration is in the period of its instant, and
   comes with begin_ns = end_ns. */
struct period_use {
    int64_t job_key, node_key;
    int64_t begin_ns, end_ns; /* of one that is open: booked up to end_ns */
    uint32_t cores, gpus;     /* cores 0: unknown */
};
MUST_CHECK int period_uses(struct store *store, const struct period *period,
                           int (*take)(void *arg, const struct period_use *use), void *arg,
                           struct error *err);

/* Energy of one job, of a node (jobs, system, unallocated), or of the cluster in one UTC hour. */
struct period_energy {
    int64_t hour_s;
    int64_t key;              /* job_key or node_key; 0 of the cluster */
    uint64_t counted_mj;      /* by the counters: of nodes and cluster */
    uint64_t active_mj, idle_mj; /* of jobs */
    uint64_t system_mj, unallocated_mj; /* of nodes and cluster */
    uint64_t measured_mj, modelled_mj;       /* of jobs and cluster, as what follows */
    uint64_t metered_ms, elapsed_ms, gap_ms;
};
/* In no order; jobs of other clusters come too: skip keys that period_jobs() did not give. */
MUST_CHECK int period_job_hours(struct store *store, const struct period *period,
                                int (*take)(void *arg, const struct period_energy *energy),
                                void *arg, struct error *err);
/* In no order; nodes of other clusters come too. */
MUST_CHECK int period_node_hours(struct store *store, const struct period *period,
                                 int (*take)(void *arg, const struct period_energy *energy),
                                 void *arg, struct error *err);
/* By hour. */
MUST_CHECK int period_cluster_hours(struct store *store, const struct period *period,
                                    int (*take)(void *arg, const struct period_energy *energy),
                                    void *arg, struct error *err);

/*
 * Two of these at once, of what may be millions of rows: `beside` is another connection to the same
 * instant, from store_open_beside(), or NULL where there is none. `arg` is of both.
 */
MUST_CHECK int period_uses_and_job_hours(struct store *store, struct store *beside,
                                         const struct period *period,
                                         int (*take_use)(void *arg, const struct period_use *use),
                                         int (*take_hour)(void *arg,
                                                          const struct period_energy *energy),
                                         void *arg, struct error *err);
/* period_jobs() of the period's cluster, not whole, and period_node_hours(). */
MUST_CHECK int period_jobs_and_node_hours(struct store *store, struct store *beside,
                                          const struct period *period, const int64_t *keys,
                                          size_t n_keys,
                                          int (*take_job)(void *arg, const struct period_job *job),
                                          int (*take_hour)(void *arg,
                                                           const struct period_energy *energy),
                                          void *arg, struct error *err);

/*
 * The same of one account's own jobs: their energy by UTC hour (key = 0), within [from_s, to_s),
 * and their allocations that live in it, not clipped, in no order. Both read the rows of that
 * account's jobs alone, so that an account of a few is quick in a large database.
 */
MUST_CHECK int period_hours_of_account(struct store *store, const struct period *period,
                                       const char *account,
                                       int (*take)(void *arg, const struct period_energy *energy),
                                       void *arg, struct error *err);
MUST_CHECK int period_uses_of_account(struct store *store, const struct period *period,
                                      const char *account,
                                      int (*take)(void *arg, const struct period_use *use),
                                      void *arg, struct error *err);
/* The keys of all of an account's own jobs. */
MUST_CHECK int period_jobs_of_account(struct store *store, const char *cluster, const char *account,
                                      int (*take)(void *arg, int64_t job_key), void *arg,
                                      struct error *err);
/* Has the account ever had a job of its own on the cluster? 1 or 0, or a negative errno. */
MUST_CHECK int period_has_account(struct store *store, const char *cluster, const char *account,
                                  struct error *err);

/* First and last hour with energy of the cluster; *ret_has false when there is none. */
MUST_CHECK int period_bounds(struct store *store, const char *cluster, bool *ret_has,
                             int64_t *ret_first_s, int64_t *ret_last_s, struct error *err);
/* The last of them alone: half of what a server has to plan. */
MUST_CHECK int period_last(struct store *store, const char *cluster, bool *ret_has, int64_t *ret_s,
                           struct error *err);

/* One job's allocations by begin, not clipped. */
MUST_CHECK int period_uses_of_job(struct store *store, int64_t job_key,
                                  int (*take)(void *arg, const struct period_use *use), void *arg,
                                  struct error *err);

#endif
