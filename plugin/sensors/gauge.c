#include "sensors/gauge.h"

#define FJ_PER_UJ UINT64_C(1000000000)

__extension__ typedef unsigned __int128 wide;

uint64_t gauge_add(struct gauge *gauge, uint64_t at_ns, uint64_t power_uw)
{
    uint64_t span_ns;
    wide grown_fj; /* uW x ns = fJ; below 2^45 x 2^35 */

    if (gauge->has && at_ns <= gauge->at_ns)
        return gauge->energy_uj;
    span_ns = at_ns - gauge->at_ns;
    if (!gauge->has || span_ns > GAUGE_PATIENCE_NS) {
        *gauge = (struct gauge){ .has = true };
    } else {
        grown_fj = ((wide)gauge->power_uw + power_uw) * span_ns / 2 + gauge->rest_fj;
        gauge->energy_uj += (uint64_t)(grown_fj / FJ_PER_UJ);
        gauge->rest_fj = (uint64_t)(grown_fj % FJ_PER_UJ);
    }
    gauge->at_ns = at_ns;
    gauge->power_uw = power_uw;
    return gauge->energy_uj;
}
