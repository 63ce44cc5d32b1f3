#include "report/period_fields.h"

#define FIELD(member) \
    static uint64_t get_##member(const struct amounts *amounts) \
    { \
        return amounts->member; \
    }

FIELD(jobs)
FIELD(active_mj)
FIELD(idle_mj)
FIELD(measured_mj)
FIELD(modelled_mj)
FIELD(metered_ms)
FIELD(elapsed_ms)
FIELD(gap_ms)
FIELD(gpu_ms)
FIELD(core_ms)
FIELD(active_mg)
FIELD(idle_mg)
FIELD(overhead_mg)
FIELD(spread_mg)
FIELD(missing_embodied)

static uint64_t get_total_mj(const struct amounts *amounts)
{
    return amounts->active_mj + amounts->idle_mj;
}

static uint64_t get_embodied_low(const struct amounts *amounts)
{
    return amounts->embodied.low;
}

static uint64_t get_embodied(const struct amounts *amounts)
{
    return amounts->embodied.central;
}

static uint64_t get_embodied_high(const struct amounts *amounts)
{
    return amounts->embodied.high;
}

const struct amounts_field amounts_fields[] = {
    { "jobs", NULL, get_jobs, FIELD_ALWAYS },
    { "active_mj", "energy", get_active_mj, FIELD_ALWAYS },
    { "idle_mj", "energy", get_idle_mj, FIELD_ALWAYS },
    { "total_mj", "energy", get_total_mj, FIELD_ALWAYS },
    { "measured_mj", "energy", get_measured_mj, FIELD_ALWAYS },
    { "modelled_mj", "energy", get_modelled_mj, FIELD_ALWAYS },
    { "metered_domain_ms", "quality", get_metered_ms, FIELD_ALWAYS },
    { "elapsed_domain_ms", "quality", get_elapsed_ms, FIELD_ALWAYS },
    { "gap_domain_ms", "quality", get_gap_ms, FIELD_ALWAYS },
    { "gpu_ms", "held", get_gpu_ms, FIELD_ALWAYS },
    { "core_ms", "held", get_core_ms, FIELD_ALWAYS },
    { "active_mg", "co2e", get_active_mg, FIELD_GRAMS },
    { "idle_mg", "co2e", get_idle_mg, FIELD_GRAMS },
    { "overhead_mg", "co2e", get_overhead_mg, FIELD_GRAMS },
    { "spread_idle_mg", "co2e", get_spread_mg, FIELD_GRAMS },
    { "operational_mg", "co2e", amounts_operational_mg, FIELD_GRAMS },
    { "embodied_low_mg", "co2e", get_embodied_low, FIELD_EMBODIED },
    { "embodied_mg", "co2e", get_embodied, FIELD_EMBODIED },
    { "embodied_high_mg", "co2e", get_embodied_high, FIELD_EMBODIED },
    { "total_mg", "co2e", amounts_total_mg, FIELD_BOTH },
    { "missing_embodied_jobs", NULL, get_missing_embodied, FIELD_EMBODIED },
    { NULL, NULL, NULL, FIELD_ALWAYS },
};

bool field_is_known(const struct period_report *report, int needs)
{
    bool grams = report->has_grams, inventory = report->basis->has_inventory;

    return needs == FIELD_ALWAYS || (needs == FIELD_GRAMS && grams) ||
           (needs == FIELD_EMBODIED && inventory) || (grams && inventory);
}
