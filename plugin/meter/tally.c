#include "config.h"

#include "meter/tally.h"

const char *const share_names[] = { "jobs", "system", "unallocated" };

static enum share share_of(unsigned owner)
{
    if (owner == OWNER_SYSTEM)
        return SHARE_SYSTEM;
    return owner == OWNER_UNALLOCATED ? SHARE_UNALLOCATED : SHARE_JOBS;
}

void tally_add(struct tally *tally, const struct batch *batch)
{
    tally->batches++;
    tally->booked_ns += batch->head.end_boottime_ns - batch->head.begin_boottime_ns;
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];
        uint64_t energy_uj = row->active_uj + row->idle_uj;

        tally->energy_uj[row->component][row->quality][share_of(row->owner)] += energy_uj;
        tally->is_booked[row->component][row->quality] |= energy_uj > 0;
        tally->metered_ns[row->component] += row->metered_ns;
        tally->elapsed_ns[row->component] += row->elapsed_ns;
    }
}

uint64_t tally_component_uj(const struct tally *tally, enum component component)
{
    uint64_t sum_uj = 0;

    for (int quality = 0; quality < QUALITY_COUNT; quality++)
        for (int share = 0; share < SHARE_COUNT; share++)
            sum_uj += tally->energy_uj[component][quality][share];
    return sum_uj;
}
