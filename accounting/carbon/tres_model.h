/*
 * tres_model.h - energy of a job that nobody metered, from what slurmdbd kept of it
 *
 * Two witnesses: AllocTRES (how many CPUs, GPUs, for how long), times what one of them draws; and
 * ConsumedEnergy of Slurm's own energy plugins, where it can be believed. Neither is as good as a
 * meter, and what comes of them is marked as modelled. Pure; docs/method.md has the arithmetic.
 */
#ifndef CARBON_CARBON_TRES_MODEL_H
#define CARBON_CARBON_TRES_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"

/* What an allocated core draws, in microwatts of each component, and a GPU of its own. */
struct tres_rates {
    uint64_t core_active_uw[COMPONENT_COUNT], core_idle_uw[COMPONENT_COUNT];
    uint64_t gpu_active_uw, gpu_idle_uw;
};

/*
 * Of hardware that nothing is known of, half busy: a core 1.48 W idle and 7.00 W full, the meter's
 * own for processors without a row (sensors/power_models.h); a GPU of 300 W that idles at an
 * eighth. Memory and the rest of the node are missing, as with every modelled figure.
 */
extern const struct tres_rates tres_default_rates;

struct tres_energy {
    uint64_t active_mj[COMPONENT_COUNT], idle_mj[COMPONENT_COUNT];
};

uint64_t tres_energy_mj(const struct tres_energy *energy);

/* Of so many cores and GPUs for so long. */
struct tres_energy tres_model(const struct tres_rates *rates, uint32_t cores, uint32_t gpus,
                              uint64_t elapsed_ms);

/* `total_mj` in the proportions of `model`, exactly; all of it as active energy of the component
   other where the model has none. */
struct tres_energy tres_scale(const struct tres_energy *model, uint64_t total_mj);

/*
 * May ConsumedEnergy of a job be believed? NULL, or why not, as a few words. It covers whole nodes
 * (nobody else may have been on them: `shared`), comes from polls half a minute apart, and is
 * known to be 0, 2^64 - 2, or several steps' sum of the same joules; so the mean power of a node
 * has to lie between 10 W + 20 W a GPU and 500 W + 12 W a CPU + 1200 W a GPU. Cores and GPUs are of
 * all nodes together; -1: slurmdbd has none.
 */
const char *tres_doubt(int64_t consumed_j, uint32_t nodes, uint64_t cpus, uint64_t gpus,
                       uint64_t elapsed_ms, bool shared);

#endif
