#include "carbon/operational.h"

#include <errno.h>


int operational_of(uint64_t active_mj, uint64_t idle_mj, uint64_t pue_ppm,
                   uint64_t intensity_ug_per_kwh, struct operational *ret, struct error *err)
{
    double g_per_kwh = (double)intensity_ug_per_kwh / 1e6;
    double overhead;

    if (pue_ppm < PPM)
        return error_set(err, -ERANGE, "PUE is %.6g; it is at least 1 (facility energy over IT "
                         "energy): correct PUE in carbon.conf", (double)pue_ppm / (double)PPM);
    overhead = (double)(pue_ppm - PPM) / (double)PPM;
    ret->active_g = (double)active_mj / (double)MJ_PER_KWH * g_per_kwh;
    ret->idle_g = (double)idle_mj / (double)MJ_PER_KWH * g_per_kwh;
    ret->overhead_g = (ret->active_g + ret->idle_g) * overhead;
    ret->total_g = ret->active_g + ret->idle_g + ret->overhead_g;
    return 0;
}
