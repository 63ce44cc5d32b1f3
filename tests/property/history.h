/*
 * history.h - random histories of one node: what happened, what was seen of it, and the truth
 *
 * A history is made from a seed alone. Time runs over instants (ticks and marks, in whole
 * milliseconds); between two instants every counter, package and step goes on evenly, so the truth
 * is known exactly at each. Amounts are even numbers: a point put halfway between two others lies
 * on their line exactly.
 */
#ifndef CARBON_TESTS_HISTORY_H
#define CARBON_TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/ledger.h"

#define HISTORY_PACKAGES_MAX 4
#define HISTORY_CORES_MAX 64
#define HISTORY_GPUS_MAX 8
#define HISTORY_COUNTERS_MAX (2 * HISTORY_PACKAGES_MAX + HISTORY_GPUS_MAX + 1)
#define HISTORY_JOBS_MAX 6
#define HISTORY_STEPS_MAX 24

enum event_kind {
    EVENT_CLOCK,
    EVENT_READING,
    EVENT_BUSY,
    EVENT_JOB_BEGIN,
    EVENT_JOB_UPDATE,
    EVENT_STEP_BEGIN,
    EVENT_STEP_CPU,
    EVENT_STEP_END,
    EVENT_JOB_END,
};

struct event {
    enum event_kind kind;
    uint64_t at_ns;
    int64_t wall_ns;
    unsigned index;    /* of the counter, package, job or step */
    uint64_t value;    /* raw_uj, busy_ns or cpu_ns */
    uint64_t truth_uj; /* of a reading: the counter's total since the history began */
    bool bad;          /* a spike: to be refused */
};

struct history_counter {
    char source[SOURCE_NAME_SIZE];
    uint64_t floor_uw;
    /* how it is read */
    unsigned missing_percent;
    bool silent;
    /* where it is */
    uint64_t offset_uj; /* raw at the beginning */
    uint64_t truth_uj, reset_uj;
    uint64_t power_uw;
    bool reset_pending;
    bool just_reset;           /* its last reading was the first after a reset */
    uint64_t before_reset_uj;  /* the last good raw value before it */
    /* what was read of it */
    bool read;
    uint64_t read_ns, read_raw_uj; /* last good reading */
    uint64_t first_ns;             /* the first good one … */
    uint64_t first_uj, last_uj;    /* … and the truth at the first and the last */
    bool exact; /* no reset and no interval too long for its range: every joule must be counted */
    bool hidden; /* a reset looked like one bad reading: what it lost need not be stated */
    bool wild;   /* what was read of it may have more than one meaning: no bound holds */
    bool spiked, ever_spiked; /* its last reading was a spike; any was */
};

struct history_job {
    struct batch_job facts;
    uint64_t end_ns; /* UINT64_MAX: still open when the history ends */
    bool cores_late; /* the cores become known with a later update */
};

struct history_step {
    struct batch_step facts;
    unsigned job;
    uint64_t end_ns;
    uint64_t cpu_ns;   /* so far */
    uint32_t load_ppt; /* CPU time per time, in thousandths of a core */
    bool end_cpu_known;
};

struct history {
    uint64_t seed;
    uint64_t random;
    struct ledger_node node;
    uint16_t core_package[HISTORY_CORES_MAX];
    size_t n_counters;
    struct ledger_counter facts[HISTORY_COUNTERS_MAX];
    struct history_counter counters[HISTORY_COUNTERS_MAX];
    bool has_busy, has_meter;
    uint64_t busy_ns[HISTORY_PACKAGES_MAX];
    unsigned n_jobs, n_steps;
    struct history_job jobs[HISTORY_JOBS_MAX];
    struct history_step steps[HISTORY_STEPS_MAX];
    uint64_t begin_ns, end_ns; /* the first and the last instant */
    uint64_t tick_ns;
    int64_t wall_offset_ns;
    bool clock_steps;
    struct event *events; /* sorted by at_ns; of one instant in an order that makes sense */
    size_t n_events;
};

/* A number below n from the history's own generator. */
uint64_t history_random(struct history *history, uint64_t n);

/* Make the history of a seed (never 0). Aborts without memory. Free with history_clear(). */
void history_make(struct history *history, uint64_t seed);
void history_clear(struct history *history);

/* Give one event to a ledger; what the ledger answers. */
int history_feed(const struct history *history, struct ledger *ledger, const struct event *event);

/* Print what happened, for whoever has to find out why a seed fails. */
void history_print(const struct history *history);

#endif
