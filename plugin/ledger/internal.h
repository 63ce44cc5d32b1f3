/*
 * internal.h - what ledger.c (the window) and split.c (the rules) share
 */
#ifndef CARBON_LEDGER_INTERNAL_H
#define CARBON_LEDGER_INTERNAL_H

#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "ledger/rows.h"
#include "ledger/series.h"

#define OPEN_END UINT64_MAX

/* What one owner is given of one counter in one slice, before it is booked. */
struct part {
    uint64_t active_uj, idle_uj;
    bool touched; /* the owner has a part in it, even of 0 uJ: its time counts */
};

struct lstep {
    struct batch_step record;
    uint64_t from, to; /* effective: inside the window they were fed in */
    bool end_implied;  /* by the job's end; a mark may still come */
    bool cpu_known;    /* its CPU time was read at least once */
    struct series cpu; /* CPU time in ns */
    struct rows rows;
    /* scratch of the slice at hand */
    bool live;
    uint64_t cpu_growth_ns;
    struct part part;
};

/* What a job was given of one component's counters in one slice. */
struct lpower {
    uint64_t energy_uj;
    uint64_t metered_ns; /* of the counter that was known longest */
};

struct ljob {
    struct batch_job record;
    uint64_t from, to;
    struct lstep **steps; /* sorted by step_id */
    size_t n_steps;
    struct rows rows; /* of the remainder */
    struct batch_power *powers;
    size_t n_powers;
    /* scratch of the slice at hand */
    bool live;
    struct part part; /* the remainder's */
    struct lpower power[COMPONENT_COUNT];
};

struct lpackage {
    struct series busy;
    uint64_t job_debt_ns;
    /* scratch of the slice at hand */
    uint64_t busy_growth_ns;
};

struct clock_point {
    uint64_t at;
    int64_t wall_ns;
};

struct ledger {
    struct ledger_node node;
    uint16_t *core_package;
    uint32_t *package_cores; /* cores of each package */
    struct counter *counters;
    size_t n_counters;
    struct lpackage *packages;
    struct ljob **jobs; /* sorted by (job_id, ref) */
    size_t n_jobs;
    struct clock_point *clocks; /* sorted by at */
    size_t n_clocks, room_clocks;
    uint64_t begin, batch_begin;
    int64_t batch_begin_wall_ns;
    bool batch_begin_known;
    uint64_t next_ref;
    /* books since the last seal */
    struct rows system, unallocated;
    struct batch_total *totals;
    size_t n_totals;
    uint64_t counted_uj[COMPONENT_COUNT], counted_begin_uj[COMPONENT_COUNT];
    /* scratch */
    struct part system_part, unallocated_part;
    uint16_t *core_holders; /* [cores]: live jobs that hold each */
    uint64_t *cuts;
    size_t n_cuts, room_cuts;
    uint64_t *weights, *shares;
    size_t room_weights;
};

/* A stretch of time within one UTC minute in which nobody comes or goes. */
struct slice {
    uint64_t from, to; /* boottime, ns */
    int64_t minute_s;  /* the UTC minute, seconds since 1970 */
};

struct ljob *find_job(const struct ledger *ledger, uint64_t ref);
struct lstep *find_step(const struct ljob *job, uint32_t step_id);

/* split.c: book one slice of every counter by the rules. 0 or -ENOMEM. */
int split_slice(struct ledger *ledger, const struct slice *slice);

/* split.c: book a slice of closed time in which the counter was silent, as unallocated. */
int book_silence(struct ledger *ledger, struct counter *counter, const struct slice *slice);

#endif
