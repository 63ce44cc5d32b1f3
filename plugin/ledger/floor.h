/*
 * floor.h - learn the idle floor of a counter from what it reads when its package is quiet
 *
 * A histogram of mean power over quiet ticks, in buckets 1/16 octave wide (4.4 %), of which the
 * 5th percentile is the floor: low enough to pass over ticks that were not quite quiet, and not
 * the minimum, which one odd reading would set for ever. Old observations fade: when the histogram
 * is full, every count is halved. Pure; the caller decides what is quiet.
 */
#ifndef CARBON_LEDGER_FLOOR_H
#define CARBON_LEDGER_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define FLOOR_BUCKETS 208            /* 13 octaves from 0.131 W to 1074 W */
#define FLOOR_FULL 20000             /* observations: most of a day of quiet seconds */
#define FLOOR_ENOUGH 30              /* observations before there is a floor at all */
#define FLOOR_QUIET_PERMILLE 20      /* a package busier than this in a tick is not quiet */

struct floor {
    uint16_t counts[FLOOR_BUCKETS];
    uint32_t total;
};

/* One quiet tick's mean power. Beyond the buckets' range it counts in the nearest. */
void floor_observe(struct floor *floor, uint64_t power_uw);

/* The floor in microwatts, within 2.2 % of the percentile; false while too little was observed. */
bool floor_value(const struct floor *floor, uint64_t *ret_uw);

/* "bucket:count,…", as the checkpoint keeps it (batch_floor.histogram): always below 2048 bytes. */
void floor_format(const struct floor *floor, char *text, size_t size);
/* -EINVAL for other text; *ret_floor is untouched then. */
MUST_CHECK int floor_parse(const char *text, struct floor *ret_floor);

#endif
