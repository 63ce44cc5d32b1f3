/*
 * period_work.h - what period_report_build() works with; of the report's own files alone
 *
 * The steps are in period_report.c. Jobs and nodes are found by their key in a hash, as a month's
 * hours name them a million times.
 */
#ifndef CARBON_REPORT_PERIOD_WORK_H
#define CARBON_REPORT_PERIOD_WORK_H

#include "carbon/operational.h"
#include "report/month.h"
#include "report/period_report.h"

#define WORK_HOUR_S 3600
/* Whose nodes' idle energy: that of a pool's, or, as the last, of those of no pool (storage, login,
   of no known type). */
#define WORK_OUTSIDE POOL_COUNT
#define WORK_IDLE_COUNT (POOL_COUNT + 1)

/* Numbers to indices below 2^32 - 1. Keys count up, and what is near in time is so in them: those
   that are near lie together, and a hash finds them. */
#define KEYS_NEAR 16
struct key_map {
    struct key_group {
        uint64_t number; /* of each key, divided by KEYS_NEAR */
        uint32_t places[KEYS_NEAR]; /* index + 1; 0: there is none */
    } *groups;
    uint32_t *slots; /* index of a group + 1; 0: free */
    size_t room, count; /* room, of slots: a power of two */
};
MUST_CHECK int key_map_add(struct key_map *map, int64_t key, size_t index, struct error *err);
/* The index, or SIZE_MAX. */
size_t key_map_find(const struct key_map *map, int64_t key);
void key_map_clear(struct key_map *map);

/* Texts, each kept once, by number. */
struct texts {
    char **items;
    size_t *slots; /* number + 1; 0: free */
    size_t room, count;
};
MUST_CHECK int texts_put(struct texts *texts, const char *text, uint32_t *ret_number); /* -ENOMEM */
void texts_clear(struct texts *texts);

/* What jobs are grouped by. */
enum { WORK_USER, WORK_ACCOUNT, WORK_PARTITION, WORK_STATE, WORK_GROUP_COUNT };

/* There may be millions. */
struct work_job {
    int64_t job_key;
    uint32_t of[WORK_GROUP_COUNT];  /* numbers of texts; "": unknown */
    bool known;                     /* else it is of another cluster */
    bool hidden;                    /* it is not the viewer's to see */
    bool missing;                   /* a part ran on nodes of no known type */
    uint64_t active_mj, idle_mj, measured_mj, modelled_mj; /* as in struct amounts */
    uint64_t metered_ms, elapsed_ms, gap_ms, gpu_ms, core_ms;
    uint64_t counted_ms[POOL_COUNT]; /* of gpu_ms and core_ms, what the pools count */
    uint64_t spread_mg;
    union {
        struct operational_exact exact; /* of which work_operational() makes these */
        struct {
            uint64_t active, idle, overhead;
            struct range_mg embodied;
        } mg;
    };
};

struct work_node {
    int64_t node_key;               /* 0: of the inventory alone */
    char *name;
    int type;                       /* of the inventory, or -1 */
    enum pool_kind pool;
    bool counts;                    /* its time is part of the pool: embodied_counts() */
    uint32_t gpus, cores;
    size_t line;                    /* of work.lines */
    uint64_t hours;                 /* with an energy row, while in service */
    bool heard, used;
};

/* A line of the node types: every type, then nodes of none by pool. */
struct work_line {
    struct operational_exact exact;
    uint64_t nodes;
    uint64_t counted_mj, active_mj, idle_mj, system_mj, unallocated_mj;
    uint64_t used_ms, available_ms;
};

struct work {
    struct store *store, *beside;   /* beside: to read two things at once, or NULL */
    const struct basis *basis;
    const struct period_report_options *options;
    struct period_report *report;
    size_t n_hours;                 /* of the period */
    struct grid_hour *hours;

    struct work_job *jobs;          /* once all are read by job_key, till then as they came */
    size_t n_jobs;
    struct key_map job_of;          /* till then */
    uint64_t jobs_mj;               /* of those that are known */
    struct texts texts;

    struct work_node *nodes;
    size_t n_nodes;
    struct key_map node_of;
    struct embodied_node *embodied_nodes;

    struct work_line *lines;        /* basis->inventory.n_types + POOL_COUNT */
    struct operational_exact system, unallocated[WORK_IDLE_COUNT];
    exact *day_exact, *day_ug;      /* emissions; millijoules times micrograms per kWh */
    exact energy_ug, energy_pue;    /* millijoules times intensity, and PUE */
    struct operational_exact market;
    bool market_missing;            /* an hour with energy has no market factor */
    uint64_t operational_mg;        /* of the cluster */
    /* of unallocated energy */
    uint64_t idle_meter_mg[WORK_IDLE_COUNT], idle_overhead_mg[WORK_IDLE_COUNT];
    unsigned percent;               /* told last */
    unsigned from_percent, to_percent; /* of the hours that are being read */
};

static inline const struct inventory *work_inventory(const struct work *work)
{
    return &work->basis->inventory;
}

/* Seconds of a node's service in [from_s, to_s). */
int64_t work_service_s(const struct work *work, const struct work_node *node, int64_t from_s,
                       int64_t to_s);
/* Place of a node's unallocated energy. Without an inventory pools are by what nodes reported. */
static inline unsigned work_idle_place(const struct work *work, const struct work_node *node)
{
    return node->counts || !work->basis->has_inventory ? (unsigned)node->pool : WORK_OUTSIDE;
}
/*
 * IdlePolicy=spread: what nodes of no pool drew goes to the pools by their node-time in service in
 * [from_s, to_s), as shared assets do. Without any in service it stays where it is.
 */
void work_share_outside(const struct work *work, int64_t from_s, int64_t to_s,
                        uint64_t idle_mg[WORK_IDLE_COUNT]);
void work_progress(struct work *work, unsigned percent);
int work_no_memory(struct error *err);
/* An item appended to an array whose room doubles, zeroed; NULL without memory. */
void *work_grow(void *array, size_t *count, size_t item_size);

/* --- the steps, in order ---------------------------------------------------------------------- */

/* period_read.c: nodes, what jobs held and drew, whose the jobs are, hours of nodes and cluster */
MUST_CHECK int work_read_nodes(struct work *work, struct error *err);
/* Those of the inventory alone, without a look into the store. */
MUST_CHECK int work_list_nodes(struct work *work, struct error *err);
/* As before either of them. */
void work_clear_nodes(struct work *work);
MUST_CHECK int work_read_jobs(struct work *work, struct error *err);
MUST_CHECK int work_read_rest(struct work *work, struct error *err);

/* period_mass.c: milligrams of everything */
MUST_CHECK int work_operational(struct work *work, struct error *err);
MUST_CHECK int work_spread(struct work *work, struct error *err);
MUST_CHECK int work_embodied(struct work *work, struct error *err);
MUST_CHECK int work_totals(struct work *work, struct error *err);

/* period_groups.c: lines of the report */
MUST_CHECK int work_groups(struct work *work, struct error *err);
MUST_CHECK int work_types(struct work *work, struct error *err);
MUST_CHECK int work_top(struct work *work, struct error *err);
MUST_CHECK int work_warnings(struct work *work, struct error *err);
void amounts_add(struct amounts *sum, const struct amounts *part);

/* period_trend.c */
MUST_CHECK int work_trend(struct work *work, struct error *err);

#endif
