#include "config.h"

#include "report/shown.h"

#define UG_PER_MG 1000.0 /* scales of mass count micrograms */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Hardware in `hardware` ticks: what jobs carry, as their own tables have it, and all else. */
static void share_hardware(const struct period_report *report, const struct scale *scale,
                           uint64_t used, uint64_t hardware, struct shown_masses *shown)
{
    uint64_t unused_mg = report->unallocated_embodied.central +
                         report->embodied.written_off.central +
                         (report->recovery_mg < 0 ? (uint64_t)-report->recovery_mg : 0);

    if (report->recovery_mg > 0) { /* what comes off again is the least quoted: it takes the rest */
        shown->unused = least(scale_ticks(scale, (double)unused_mg * UG_PER_MG), hardware);
        shown->used = used + shown->unused > hardware ? used : hardware - shown->unused;
        shown->over = shown->used + shown->unused - hardware;
        return;
    }
    shown->used = unused_mg == 0 ? hardware : least(used, hardware);
    if (report->jobs.embodied.central == 0)
        shown->used = 0;
    shown->unused = hardware - shown->used;
}

struct shown_masses shown_masses_of(const struct period_report *report, const struct scale *scale)
{
    double all_ug = (double)report->scope2_location_mg * UG_PER_MG;
    double total_ug = (double)report->total_mg * UG_PER_MG;
    double jobs_ug = (double)amounts_operational_mg(&report->jobs) * UG_PER_MG;
    double jobs_sum_ug = (double)amounts_total_mg(&report->jobs) * UG_PER_MG;
    struct shown_masses shown = { .total = scale_ticks(scale, total_ug) };
    uint64_t hardware, used, operation = scale_split(scale, all_ug, total_ug, &hardware);

    shown.jobs_operation = scale_split(scale, jobs_ug, jobs_sum_ug, &used);
    shown.jobs_operation = jobs_ug < all_ug ? least(shown.jobs_operation, operation) : operation;
    shown.other_operation = operation - shown.jobs_operation;
    share_hardware(report, scale, used, hardware, &shown);
    return shown;
}
