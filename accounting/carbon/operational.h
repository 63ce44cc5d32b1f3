/*
 * operational.h - from millijoules to grams of CO2e: the emissions of running
 *
 * Formula (docs/method.md; SCI v1.1.0 = ISO/IEC 21031:2024, "O = E x I", with the facility's
 * overhead by PUE, ISO/IEC 30134-2):
 *
 *     grams = energy in kWh x PUE x grid intensity in g/kWh
 *
 * told apart into three parts that add up to it: active and idle energy at the meter, and the
 * facility's overhead, (PUE - 1) of both. Pure: no clock, no I/O, no globals. Energy is an integer
 * up to here; grams are doubles, and need no more than the 53 bits of one.
 */
#ifndef CARBON_CARBON_OPERATIONAL_H
#define CARBON_CARBON_OPERATIONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define PPM UINT64_C(1000000)              /* of a ratio such as PUE: 1.2 is 1 200 000 */
#define MJ_PER_KWH UINT64_C(3600000000)    /* millijoules in a kilowatt-hour */

struct operational {
    double active_g;   /* of active energy, at the meter */
    double idle_g;     /* of idle energy, at the meter */
    double overhead_g; /* of the facility beyond the meter */
    double total_g;    /* their sum */
};

/*
 * Emissions of active_mj + idle_mj at pue_ppm (PUE x 10^6) and intensity_ug_per_kwh (micrograms of
 * CO2e per kWh). A meter that contains the facility already has PUE 1. -ERANGE for a PUE below 1:
 * a facility cannot use less than the machines in it; *ret is untouched then.
 */
MUST_CHECK int operational_of(uint64_t active_mj, uint64_t idle_mj, uint64_t pue_ppm,
                              uint64_t intensity_ug_per_kwh, struct operational *ret,
                              struct error *err);

/* --- exactly ---------------------------------------------------------------------------------- */

/*
 * Emissions as integers without any rounding, so that they add up however they are cut: unit is
 * 1 ug / (MJ_PER_KWH x PPM), that is millijoules x ug/kWh x PPM. A year of a 100 MW machine at
 * 2000 g/kWh is below 2^118.
 */
__extension__ typedef unsigned __int128 exact;
#define EXACT_PER_MG ((exact)MJ_PER_KWH * PPM * 1000)

struct operational_exact {
    exact active, idle, overhead;
};

/* Add energy of one hour to a sum. pue_ppm >= PPM. */
void operational_add(struct operational_exact *sum, uint64_t active_mj, uint64_t idle_mj,
                     uint64_t pue_ppm, uint64_t intensity_ug_per_kwh);
exact operational_sum(const struct operational_exact *sum);

uint64_t exact_mg(exact amount); /* to the nearest milligram, half up */
double exact_g(exact amount);

/* floor(amount * weight / total) and the remainder; 0 < total < 2^126, the result below 2^64. */
uint64_t exact_mul_div(uint64_t amount, exact weight, exact total, exact *ret_remainder);

/*
 * Make values that were rounded down add up to `total`: those with the largest remainders (over a
 * common divisor) are raised by one, ties to the lowest index. A total that lies further off, up or
 * down, is reached by single units from the lowest index on; only values and remainders that are
 * all 0 stay so. False: out of memory (never for count <= 64), nothing has changed.
 */
bool exact_raise(uint64_t total, uint64_t *values, const exact *remainders, size_t count);

/*
 * As apportion() of core, for exact weights: split `amount` (any integer unit) so that shares add
 * up to it, largest remainder, ties to the lowest index. Exact for weights that sum below 2^126.
 * All weights zero: nothing is handed out and `amount` is returned, else 0. *ret_failed: out of
 * memory (never for count <= 64); the shares are zeros then. Time is count * log(count).
 */
uint64_t apportion_exact(uint64_t amount, const exact *weights, size_t count, uint64_t *ret_shares,
                         bool *ret_failed);

#endif
