/*
 * query.h - the read side of the store: jobs, their steps and nodes, energy and power
 *
 * Two calls: query_jobs() finds the runs of jobs that a filter lets through, query_details() fills
 * in what belongs to those that the caller kept. Each takes a constant number of statements for
 * each few hundred jobs, never one for each job. Between the two the caller may drop jobs with
 * query_keep(); store_begin() gives both the same instant. Amounts are integer millijoules; an
 * absent number is a struct maybe without `has`.
 */
#ifndef CARBON_STORE_QUERY_H
#define CARBON_STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"
#include "store/peak.h"

struct store;

/* The part of a job outside its steps, as the table `energy` numbers it. */
#define STEP_REMAINDER INT64_C(-1)

/* A number that may be unknown. */
struct maybe {
    bool has;
    int64_t value;
};

/* Energy in the UTC hour that begins at hour_s. */
struct usage_hour {
    int64_t hour_s;
    uint64_t active_mj, idle_mj;
};

/* What else is known of an hour, where it was wanted: QUERY_HOURLY. */
struct usage_detail {
    uint64_t active_mj[COMPONENT_COUNT];
    uint64_t idle_mj[COMPONENT_COUNT];
    unsigned components;
    uint64_t quality_mj[QUALITY_COUNT];
    uint64_t metered_ms, elapsed_ms, gap_ms;
};

/* Energy of a job or a step, and how well it is known. */
struct usage {
    bool has;                           /* any row at all; else everything below is unknown */
    uint64_t active_mj[COMPONENT_COUNT];
    uint64_t idle_mj[COMPONENT_COUNT];
    unsigned components;                /* bit (1 << component): there was a row of it */
    uint64_t quality_mj[QUALITY_COUNT]; /* active and idle, by how it was got */
    uint64_t metered_ms, elapsed_ms;    /* domain-milliseconds: metered / elapsed is the coverage */
    uint64_t gap_ms;                    /* those of elapsed_ms in rows of quality gap */
    char sensors[96];                   /* names, in order, with ", " between */
    struct usage_hour *hours;           /* by rising hour; their sum is active_mj and idle_mj */
    size_t n_hours;
    struct usage_detail *details;       /* of each hour, of jobs alone; NULL: not wanted */
};

uint64_t usage_active_mj(const struct usage *usage);
uint64_t usage_idle_mj(const struct usage *usage);
uint64_t usage_mj(const struct usage *usage); /* both */
/* The part in hours of [from_s, to_s); needs details. Its hours and details lie in the whole's. */
struct usage usage_within(const struct usage *usage, int64_t from_s, int64_t to_s);

/* A job on one node. */
struct query_node {
    int64_t node_key;
    char *name;
    int64_t begin_ns, seen_ns; /* wall clock since 1970; booked up to seen_ns */
    struct maybe end_ns;       /* not while open */
    uint32_t cores, gpus;      /* cores 0: unknown */
    uint64_t memory_mb;        /* 0: unknown */
};

/* A step over all its nodes, or the job's remainder. */
struct query_step {
    int64_t step_id;            /* Slurm's number, or STEP_REMAINDER */
    bool has_record;            /* false: energy alone is known (always so of the remainder) */
    int64_t begin_ns;           /* earliest on any node, and below the latest */
    struct maybe end_ns;        /* not while open on any node */
    uint64_t cpu_ns;
    struct maybe exit_status;   /* the worst, as wait(2) gives it */
    uint32_t nodes, cores, gpus;
    uint32_t flags;             /* FLAG_* */
    struct usage usage;
};

/* One run of a job. Texts are NULL when unknown. */
struct query_job {
    int64_t job_key;
    char *cluster;
    uint32_t job_id, restart_count;
    char *sluid;
    struct maybe uid, gid;
    char *user, *account, *partition, *qos, *name;
    char *state, *alloc_tres;   /* slurmdbd's: NULL until it was asked (reconcile.h) */
    struct maybe submit_s;      /* the same */
    struct maybe array_job_id, array_task_id, het_job_id, het_offset;
    struct maybe node_count;    /* as Slurm said; those that reported are n_nodes */
    int64_t begin_s;
    struct maybe end_s, exit_status;
    uint32_t flags;
    /* from here on by query_details(); what is of the peak where it was wanted */
    struct query_node *nodes;
    size_t n_nodes;
    struct query_step *steps;   /* by step_id: remainder, 0, 1, …, interactive, batch, extern */
    size_t n_steps;
    struct usage usage;         /* the sum of its steps' and remainder's, counted once */
    struct maybe peak_mw;       /* highest minute of all nodes together (peak.h), milliwatts */
    int64_t peak_minute_s;      /* when it was */
    int64_t peak_span_ms;       /* how long that minute was */
    bool has_pruned_peak;       /* minutes of it were pruned; their highest is counted in */
    struct peak pruned_peak;
};

struct query_result {
    struct query_job *jobs;
    size_t n_jobs;
    int64_t rolled_before_s; /* roll_before(), of the instant when they were found */
};

struct query_names {
    const char *const *names;
    size_t count; /* 0: no condition */
};

/* Conditions; all must hold. Zeroed: every job. Ids: a job whose id, array or het id is listed. */
struct query_filter {
    const uint32_t *job_ids;
    size_t n_job_ids;
    struct query_names sluids;  /* with job_ids: either may match */
    struct query_names users;
    const uint32_t *uids;       /* either a user or a uid may match */
    size_t n_uids;
    struct query_names accounts, partitions, qos, clusters, nodes;
    bool has_window;
    int64_t from_s, to_s;       /* ran at some time in [from_s, to_s) */
};

/*
 * All runs that the filter and the store's viewer let through, in order of cluster, id (tasks of an
 * array and components of a heterogeneous job together) and begin. -ENOMEM, -E2BIG for a filter of
 * too many names, -EIO with the database's message. *ret is empty on failure; else query_clear()
 * ends it.
 */
MUST_CHECK int query_jobs(struct store *store, const struct query_filter *filter,
                          struct query_result *ret, struct error *err);

/* Behind which job to go on; zeroed: before the first. */
struct query_place {
    int64_t begin_s, job_key;
};

/*
 * The next few hundred runs that ended in [from_s, to_s), in order of begin (of equal ones as they
 * came into the books), and *place moves behind them; none when there are no more. So any number of
 * jobs passes through little memory, and each call may be in a transaction of its own. Errors and
 * *ret are query_jobs()'s; -EPERM for a store with a viewer.
 */
MUST_CHECK int query_next_ended(struct store *store, int64_t from_s, int64_t to_s,
                                struct query_place *place, struct query_result *ret,
                                struct error *err);

/* Drop the jobs for which keep() is false. */
void query_keep(struct query_result *result, bool (*keep)(const struct query_job *job, void *data),
                void *data);

/* Peak power too: reads a row for each minute, node and component. Of a window whose begin was
   pruned it is unknown, unless the job's peak over its whole life lies in it. */
enum {
    QUERY_PEAK = 1 << 0,
    QUERY_HOURLY = 1 << 1, /* details of each hour of a job */
};

/*
 * Fill in nodes, steps and energy of all jobs of the result. Only energy of UTC hours in
 * [from_s, to_s) counts. The result is undefined on failure, but for query_clear().
 */
MUST_CHECK int query_details(struct store *store, struct query_result *result, unsigned want,
                             int64_t from_s, int64_t to_s, struct error *err);

void query_clear(struct query_result *result);

/* Is a job that runs on one of this job's nodes beside it, now? 1 or 0, or a negative errno. */
MUST_CHECK int query_shares_a_node(struct store *store, int64_t job_key, struct error *err);

/* Does the database know this cluster? 1 or 0, or a negative errno. */
MUST_CHECK int query_has_cluster(struct store *store, const char *cluster, struct error *err);

#endif
