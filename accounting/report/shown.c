#include "config.h"

#include "report/shown.h"

#define UG_PER_MG 1000.0 /* scales of mass count micrograms */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of hardware: what jobs carry, at least what they carry too much. */
static uint64_t used_of(const struct period_report *report, uint64_t used, uint64_t over,
                        uint64_t hardware)
{
    uint64_t unused_mg = report->unallocated_embodied.central +
                         report->embodied.written_off.central +
                         (report->recovery_mg < 0 ? (uint64_t)-report->recovery_mg : 0);

    if (report->jobs.embodied.central == 0)
        return 0;
    if (unused_mg == 0)
        return hardware;
    return least(used > over ? used : over, hardware);
}

struct shown_masses shown_masses_of(const struct period_report *report, const struct scale *scale)
{
    double all_ug = (double)report->scope2_location_mg * UG_PER_MG;
    double total_ug = (double)report->total_mg * UG_PER_MG;
    double jobs_ug = (double)amounts_operational_mg(&report->jobs) * UG_PER_MG;
    double jobs_sum_ug = (double)amounts_total_mg(&report->jobs) * UG_PER_MG;
    struct shown_masses shown = { .total = scale_ticks(scale, total_ug) };
    uint64_t hardware, operation = scale_split(scale, all_ug, total_ug, &hardware);

    if (report->recovery_mg > 0)
        shown.over = scale_ticks(scale, (double)report->recovery_mg * UG_PER_MG);
    hardware += shown.over;
    shown.jobs_operation = scale_split(scale, jobs_ug, jobs_sum_ug, &shown.used);
    shown.jobs_operation = jobs_ug < all_ug ? least(shown.jobs_operation, operation) : operation;
    shown.other_operation = operation - shown.jobs_operation;
    shown.used = used_of(report, shown.used, shown.over, hardware);
    shown.unused = hardware - shown.used;
    return shown;
}
