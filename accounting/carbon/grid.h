/*
 * grid.h - the grid's intensity and the building's PUE, hour by hour
 *
 * An hour's intensity is the time-weighted mean of the intervals in it. The part of an hour without
 * an interval takes the zone's annual value, and the hour is flagged. Only average intensities
 * exist here: marginal ones are refused where they would come in. Pure.
 */
#ifndef CARBON_CARBON_GRID_H
#define CARBON_CARBON_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/intensity.h"
#include "core/error.h"

#define S_PER_HOUR 3600
#define UG_PER_KWH_MAX UINT64_C(2000000000) /* more than any grid: 2000 g/kWh is refused above */

struct grid_interval {
    int64_t begin_s, end_s;
    uint64_t ug_per_kwh; /* micrograms CO2e per kWh */
    bool estimated;      /* a forecast, or estimated by the source */
};

struct pue_period {
    int64_t from_s, to_s; /* at full hours */
    uint64_t pue_ppm;
    char source[192];
};

/* What one report or card uses. Owned arrays; a zeroed struct knows no intensity and PUE 0. */
struct grid {
    bool has_intensity;          /* else no zone is set: no grams */
    char zone[32], name[96];
    char basis[16];              /* asked for, and of the intervals: "lifecycle" | "direct" */
    char scope[16];              /* of the intervals: "generation" | "consumption" */
    char source[256];            /* of the intervals; "" without */
    struct intensity *annual;    /* by rising year, one a year: intensity_years() */
    size_t n_annual;
    struct grid_interval *intervals; /* sorted, no overlap */
    size_t n_intervals;
    uint64_t pue_ppm;            /* outside of all periods */
    struct pue_period *pues;     /* sorted, no overlap */
    size_t n_pues;
};
void grid_clear(struct grid *grid);

enum {
    HOUR_ANNUAL = 1 << 0,      /* no interval for (a part of) the hour: annual value */
    HOUR_ESTIMATED = 1 << 1,   /* a forecast, or estimated by the source */
    HOUR_OTHER_BASIS = 1 << 2, /* the annual value is of another basis than was asked for */
};

struct grid_hour {
    uint64_t ug_per_kwh;
    uint64_t pue_ppm;
    unsigned flags;
};

/*
 * The hour that begins at hour_s (a full UTC hour), to the nearest ug/kWh. The annual value is that
 * of the hour's own year, else of the newest year before it, else of the oldest; of a zone without
 * any, the rest of an hour is taken as the part that is known, and flagged as estimated. False when
 * nothing is known of the hour: ug_per_kwh and flags are 0 then, the PUE is set all the same.
 */
bool grid_hour(const struct grid *grid, int64_t hour_s, struct grid_hour *ret);

#endif
