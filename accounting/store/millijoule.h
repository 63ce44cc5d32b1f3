/*
 * millijoule.h - a batch's microjoules as the store's millijoules, without drift
 *
 * Rounding each row would lose up to half a millijoule a row and never balance. Instead the
 * cumulative count is rounded: a stretch from `begin` to `end` microjoules is floor(end / 1000) -
 * floor(begin / 1000) millijoules, so that stretches add up and a whole stream is off by less than
 * one millijoule in all, in whatever order its batches are loaded. Hours of a batch follow each
 * other in the order of time, and the rows of an hour share its millijoules by largest remainder.
 */
#ifndef CARBON_STORE_MILLIJOULE_H
#define CARBON_STORE_MILLIJOULE_H

#include <stdint.h>

#include "core/batch.h"

struct millijoule_row {
    uint64_t active_mj, idle_mj;
};

/* One item of rows per item of batch->energies, and of totals_mj per item of batch->totals. */
struct millijoules {
    struct millijoule_row *rows;
    uint64_t *totals_mj;
};

/* The batch must satisfy B1 and B2. -ENOMEM; else end it with millijoules_clear(). */
MUST_CHECK int millijoules_of(const struct batch *batch, struct millijoules *ret);
void millijoules_clear(struct millijoules *millijoules);

#endif
