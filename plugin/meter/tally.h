/*
 * tally.h - what the meter has booked since it started: the sums of its batches, for MetricsFile
 *
 * Pure. Sums only grow, and begin at 0 with the process. Nothing of it tells of one job.
 */
#ifndef CARBON_METER_TALLY_H
#define CARBON_METER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"

/* Whom energy was booked to: all jobs together, what no job used, what no job held. */
enum share { SHARE_JOBS, SHARE_SYSTEM, SHARE_UNALLOCATED, SHARE_COUNT };
extern const char *const share_names[]; /* "jobs", "system", "unallocated" */

struct tally {
    uint64_t batches;
    uint64_t booked_ns; /* CLOCK_BOOTTIME that they cover */
    uint64_t energy_uj[COMPONENT_COUNT][QUALITY_COUNT][SHARE_COUNT];
    bool is_booked[COMPONENT_COUNT][QUALITY_COUNT]; /* there was any of it */
    uint64_t metered_ns[COMPONENT_COUNT], elapsed_ns[COMPONENT_COUNT]; /* as in batch_energy */
};

/* Add a sealed batch. */
void tally_add(struct tally *tally, const struct batch *batch);

/* All of a component, of whatever quality and for whomever. */
uint64_t tally_component_uj(const struct tally *tally, enum component component);

#endif
