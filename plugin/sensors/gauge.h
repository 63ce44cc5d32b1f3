/*
 * gauge.h - energy from a power gauge: the trapezoid under its readings
 *
 * Between two readings power is taken to have run in a straight line. A stretch longer than
 * GAUGE_PATIENCE_NS is not bridged: what was drawn in it is unknown, and the counter begins anew at
 * 0, which the ledger sees as a reset and states as a gap.
 */
#ifndef CARBON_SENSORS_GAUGE_H
#define CARBON_SENSORS_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#define GAUGE_PATIENCE_NS UINT64_C(30000000000)

struct gauge {
    bool has;
    uint64_t at_ns, power_uw;
    uint64_t energy_uj;
    uint64_t rest_fj; /* below 1 uJ */
};

/*
 * A reading of power_uw (below 2^44 uW, 17 MW) at at_ns, CLOCK_BOOTTIME. Returns the energy since
 * the first reading in uJ, 0 at the first. A reading not after the last changes nothing.
 */
uint64_t gauge_add(struct gauge *gauge, uint64_t at_ns, uint64_t power_uw);

#endif
