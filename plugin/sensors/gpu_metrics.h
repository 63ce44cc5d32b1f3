/*
 * gpu_metrics.h - what an AMD GPU's firmware tells in sysfs' gpu_metrics; pure
 *
 * The file is a C structure of the kernel's: a header { u16 size in bytes, u8 format, u8 content }
 * and fields whose places depend on both. Formats (kgd_pp_interface.h of Linux and of AMD's
 * own driver packages): 1 is of cards and data centre modules, 2 and 3 of processors with a
 * GPU inside. Content numbers were used again for other layouts (v1.6 has three), so a layout is
 * known by its size as well, and anything else is refused. v1.9 is no structure but a packed list
 * of { u64 what, values }. The kernel fills what it does not know with ones.
 *
 * All little endian: amdgpu drives nothing on big-endian machines that Slurm runs on.
 */
#ifndef CARBON_SENSORS_GPU_METRICS_H
#define CARBON_SENSORS_GPU_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* sysfs gives one page less a byte at most. */
#define GPU_METRICS_SIZE_MAX 4096

struct gpu_metrics {
    unsigned format, content;
    bool in_processor;   /* formats 2 and 3: the GPU of an APU, without an accumulator */
    bool has_energy;
    uint64_t energy_units;
    bool unit_stated;    /* the kernel says what a unit is: 2^-16 J (v1.4 and later) */
    bool has_power;
    uint32_t power_w;    /* of the socket */
    bool has_partitions;
    uint32_t partitions; /* compute partitions that the card shows itself as */
};

/*
 * 0; -EBADMSG when the bytes are not what their own header says, -EPROTONOSUPPORT for a layout that
 * is not known, err says which. *ret_metrics is untouched on failure. For any bytes whatever.
 */
MUST_CHECK int gpu_metrics_parse(const uint8_t *bytes, size_t size, struct gpu_metrics *ret_metrics,
                                 struct error *err);

/*
 * Units of 2^-16 J in microjoules, rounded down: units x 15625 / 1024, exactly. -EBADMSG beyond
 * 2^64 - 1 uJ, 584 years of a megawatt: then what came is no accumulator.
 */
MUST_CHECK int gpu_metrics_energy_uj(uint64_t units, uint64_t *ret_energy_uj);

#endif
