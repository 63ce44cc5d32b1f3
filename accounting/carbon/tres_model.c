#include "carbon/tres_model.h"

#include "core/apportion.h"

#define LEAST_MS 60000 /* two polls of Slurm's energy plugins, at their default of 30 s */
#define LEAST_NODE_W 10
#define LEAST_GPU_W 20
#define MOST_NODE_W 500
#define MOST_CPU_W 12
#define MOST_GPU_W 1200

/* 1.48 W, and half of what 7.00 W are above it; 300 W / 8, and half of what 300 W are above it. */
const struct tres_rates tres_default_rates = {
    .core_active_uw[COMPONENT_CPU] = 2760000,
    .core_idle_uw[COMPONENT_CPU] = 1480000,
    .gpu_active_uw = 131250000,
    .gpu_idle_uw = 37500000,
};

uint64_t tres_energy_mj(const struct tres_energy *energy)
{
    uint64_t total = 0;

    for (int i = 0; i < COMPONENT_COUNT; i++)
        total += energy->active_mj[i] + energy->idle_mj[i];
    return total;
}

/* uW x ms is nJ. */
static uint64_t mj_of(uint64_t uw, uint32_t count, uint64_t elapsed_ms)
{
    return mul_div(uw * count, elapsed_ms, 1000000);
}

struct tres_energy tres_model(const struct tres_rates *rates, uint32_t cores, uint32_t gpus,
                              uint64_t elapsed_ms)
{
    struct tres_energy energy;

    for (int i = 0; i < COMPONENT_COUNT; i++) {
        energy.active_mj[i] = mj_of(rates->core_active_uw[i], cores, elapsed_ms);
        energy.idle_mj[i] = mj_of(rates->core_idle_uw[i], cores, elapsed_ms);
    }
    energy.active_mj[COMPONENT_GPU] += mj_of(rates->gpu_active_uw, gpus, elapsed_ms);
    energy.idle_mj[COMPONENT_GPU] += mj_of(rates->gpu_idle_uw, gpus, elapsed_ms);
    return energy;
}

struct tres_energy tres_scale(const struct tres_energy *model, uint64_t total_mj)
{
    uint64_t weights[2 * COMPONENT_COUNT], shares[2 * COMPONENT_COUNT];
    struct tres_energy energy;

    for (int i = 0; i < COMPONENT_COUNT; i++) {
        weights[i] = model->active_mj[i];
        weights[COMPONENT_COUNT + i] = model->idle_mj[i];
    }
    total_mj = apportion(total_mj, weights, 2 * COMPONENT_COUNT, shares);
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        energy.active_mj[i] = shares[i];
        energy.idle_mj[i] = shares[COMPONENT_COUNT + i];
    }
    energy.active_mj[COMPONENT_OTHER] += total_mj; /* the model has nothing to go by */
    return energy;
}

const char *tres_doubt(int64_t consumed_j, uint32_t nodes, uint64_t cpus, uint64_t gpus,
                       uint64_t elapsed_ms, bool shared)
{
    uint64_t least_w = LEAST_NODE_W * (uint64_t)nodes + LEAST_GPU_W * gpus;
    uint64_t most_w = MOST_NODE_W * (uint64_t)nodes + MOST_CPU_W * cpus + MOST_GPU_W * gpus;
    uint64_t w;

    if (consumed_j <= 0)
        return "slurmdbd has none";
    if (elapsed_ms < LEAST_MS)
        return "too short to have been polled twice";
    if (shared)
        return "others were on its nodes";
    w = mul_div((uint64_t)consumed_j, 1000, elapsed_ms);
    return w < least_w ? "too few watts" : w > most_w ? "too many watts" : NULL;
}
