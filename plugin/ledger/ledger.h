/*
 * ledger.h - the attribution of energy: a pure function from events to rows
 *
 * No clock, no I/O, no globals. The caller feeds events in any order within the open window, then
 * closes the window at an instant; what was closed is final. Rows come out with ledger_seal().
 *
 * The model. Each counter, each package's busy CPU time and each step's CPU time is a series of
 * points (boottime, cumulative value); between two points it grows evenly. Closing cuts the window
 * into slices at every mark, at every UTC minute and at the window's end, so that within a slice
 * nobody comes or goes; a series' growth over a slice is the difference of its interpolated
 * values, so slices always add up to the whole. Each slice is split by the rules:
 *
 *   1. A GPU's energy goes to the jobs that hold the device; inside a job to the srun steps that
 *      hold it, evenly; to its batch or interactive step only while no srun step does; else to the
 *      job's remainder. A free device's goes to unallocated.
 *   2. A package's floor (floor_uw x time, at most the growth) is split over its cores: an
 *      allocated core's part to its job, a free core's to unallocated. The rest is split by CPU
 *      time used on the package: steps, and `system` for what no job used. A step's CPU time is
 *      spread over packages as its cores are (unknown: its job's, else the node's). `system` is the
 *      package's busy time less the steps'; readings are never quite simultaneous, so an excess
 *      of the steps' is carried as debt, up to 0.1 s a core. Where nobody used CPU time, the
 *      rest too is split as the floor, but is active energy.
 *   3. Memory (one DRAM domain per package): floor by allocated memory, a job's memory lying on
 *      the packages as its cores do (unknown memory: as its cores' share of the node's); what
 *      nobody holds of the domain's share of the node's memory is unallocated's. The rest by CPU
 *      time used on that package; where nobody used any, as the floor.
 *   4. other = node meter - all parts, never negative (an excess is carried as debt): by GPU share
 *      on nodes with GPUs (a job without one has a metered 0), by core share elsewhere; the rest
 *      unallocated. Inside a job as rule 5's active energy, by CPU time on all packages.
 *   5. Inside a job, active energy goes to steps by CPU time; idle energy evenly to the srun steps
 *      running, to the batch or interactive step only while none is; with none, to the remainder.
 *      Active energy of a job in which no step used CPU time goes where its idle energy goes.
 *      A core or GPU that several jobs hold counts for each with its part.
 *   6. Largest remainder in integer microjoules, ties to the lowest (job, step) id.
 *
 * Invariant: for every counter, counted_uj only ever grows by what rows received, and at every
 * close it equals the series' value at the close (or at its last good reading, if that is older).
 *
 * A reading is refused when it is implausible (more than max_uw since the last good one, or when
 * the counter could have wrapped twice meanwhile); two refused readings in a row that agree with
 * each other start the counter anew, and the time between is a gap: energy unknown, stated.
 * One that falls short of the last by what 0.2 s at max_uw could be, within 0.2 s of it, was read
 * before it (marks and ticks are read by different processes): no growth, no gap.
 */
#ifndef CARBON_LEDGER_LEDGER_H
#define CARBON_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"

/* Fixed facts about the node. Copied. */
struct ledger_node {
    uint32_t packages, cores, gpus;
    const uint16_t *core_package; /* [cores] */
    uint64_t memory_mb;
};

/* One counter. A whole-node meter has component COMPONENT_OTHER. */
struct ledger_counter {
    char source[SOURCE_NAME_SIZE];
    char sensor[SENSOR_NAME_SIZE];
    enum component component;
    enum quality quality; /* measured or modelled */
    uint32_t domain;
    uint64_t range_uj;    /* 0: never wraps */
    uint64_t max_uw;
    bool fresh;           /* it began anew with this process: a checkpoint's reading is no base */
    bool at_close;        /* it is read for each close, not waited for: ledger_ready() */
};

struct ledger;

/*
 * A ledger whose window begins at begin_boottime_ns with nothing known. Counters are addressed by
 * index in `counters`. NULL without memory.
 */
struct ledger *ledger_new(const struct ledger_node *node, const struct ledger_counter *counters,
                          size_t n_counters, uint64_t begin_boottime_ns);

/*
 * A ledger that goes on where `checkpoint` (a sealed batch of the same boot) ended. Counters are
 * matched by source; one that is new starts unknown; one that is gone is kept, unread, so that
 * its totals stay in the books.
 */
struct ledger *ledger_resume(const struct ledger_node *node, const struct ledger_counter *counters,
                             size_t n_counters, const struct batch *checkpoint);

struct ledger *ledger_free(struct ledger *ledger); /* takes NULL, returns NULL */

/*
 * Events. `at` is CLOCK_BOOTTIME in ns, wall_ns the wall clock at the same instant. An event
 * before the open window's begin is clamped to it (and its job or step flagged late; a reading
 * that old is ignored). All return 0, -ENOMEM, or as said. After an -ENOMEM of an event or of
 * ledger_close() the ledger must be given up: the last sealed batch is where to resume.
 */

/* A counter's raw reading. */
MUST_CHECK int ledger_reading(struct ledger *ledger, uint64_t at, size_t counter, uint64_t raw_uj);

/* Busy CPU time of a package since boot. */
MUST_CHECK int ledger_busy(struct ledger *ledger, uint64_t at, uint32_t package, uint64_t busy_ns);

/* Idle floor of a counter, in force from the open window's begin on. */
void ledger_floor(struct ledger *ledger, size_t counter, uint64_t floor_uw);

/* Relates the two clocks; every tick and mark brings one. It holds for the stretch that ends here
   (a step of the clock mends it more often than it spoils it), and behind the last one. */
MUST_CHECK int ledger_clock(struct ledger *ledger, uint64_t at, int64_t wall_ns);

/*
 * A job begins on the node: job->ref, job_id, begin_boottime_ns, begin_wall_ns and what else is
 * known. -EEXIST when the ref is open already. Copied.
 */
MUST_CHECK int ledger_job_begin(struct ledger *ledger, const struct batch_job *job);
/* More became known of an open job (its cores, with its first step): all fields but times are
   taken over, retroactively within the open window. -ENOENT. */
MUST_CHECK int ledger_job_update(struct ledger *ledger, const struct batch_job *job);
/* Ends the job and every step of it that is still open. exit_status may be NULL. -ENOENT. */
MUST_CHECK int ledger_job_end(struct ledger *ledger, uint64_t ref, uint64_t at, int64_t wall_ns,
                              const int64_t *exit_status, uint32_t flags);

/* A step begins in an open job. -ENOENT: no such job; -EEXIST: the step is open already. Its GPUs
   beyond the job's are dropped and flagged FLAG_GPU_REFUSED. */
MUST_CHECK int ledger_step_begin(struct ledger *ledger, const struct batch_step *step);
/* CPU time the step has used so far; smaller than before is ignored. -ENOENT. */
MUST_CHECK int ledger_step_cpu(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at,
                               uint64_t cpu_ns);
/* -ENOENT. cpu_ns: at the end (0 when unknown: what was known stays), exit_status may be NULL. */
MUST_CHECK int ledger_step_end(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at,
                               int64_t wall_ns, uint64_t cpu_ns, const int64_t *exit_status,
                               uint32_t flags);

uint64_t ledger_begin(const struct ledger *ledger); /* of the open window */

/* By how much the parts of a node meter have counted more than it did, so far: rule 4's debt. */
uint64_t ledger_excess_uj(const struct ledger *ledger, size_t counter);

/* Whether a job that is open now holds the device. */
bool ledger_gpu_is_held(const struct ledger *ledger, uint32_t device);

/*
 * The latest instant up to which every counter that answers is known: close no later than this
 * without need. A counter silent for longer than `patience_ns` before `now` is not waited for.
 */
uint64_t ledger_ready(const struct ledger *ledger, uint64_t now, uint64_t patience_ns);

/* Attribute everything up to `at` (<= window begin: nothing to do) and move the window there. */
MUST_CHECK int ledger_close(struct ledger *ledger, uint64_t at);

/*
 * Hand out everything closed since the last seal, with the checkpoint, into ret_batch (its head's
 * cluster, node, stream, seq, boot_id, version, marks_bad, batches_dropped, and the consumed and
 * floors arrays stay the caller's to fill). What was handed out is forgotten: on failure (-ENOMEM)
 * nothing is. Ended jobs leave the ledger.
 *
 * The batch ends at ledger_begin(): events fed beyond it are not in it. So a mark may be deleted
 * only after a batch is safe whose end_boottime_ns is at or after the mark's instant and that was
 * sealed after the mark was fed; and on resume, marks not consumed are fed again.
 */
MUST_CHECK int ledger_seal(struct ledger *ledger, struct batch *ret_batch);

#endif
