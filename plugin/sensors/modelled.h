/*
 * modelled.h - energy of a package without a counter, from its busy CPU time
 *
 * The model is linear between idle and full power (SPECpower-like curves are close to it on
 * today's servers; Cloud Carbon Footprint uses the same):
 *
 *     E = idle x t + (full - idle) x busy / CPUs
 *
 * with t = CLOCK_BOOTTIME and busy = the busy CPU time since boot of the package's CPUs. It is a
 * pure function of what the kernel keeps, so it goes on after a restart of the meter as a real
 * counter would.
 */
#ifndef CARBON_SENSORS_MODELLED_H
#define CARBON_SENSORS_MODELLED_H

#include <stdint.h>

/*
 * GPUs are modelled where nothing measures any: their board's watts (power_models.h) when full, an
 * eighth of them when idle, and
 *
 *     held = idle + utilisation x (full - idle)
 *
 * while a job holds one, with carbon.conf's GpuUtilisation.
 *
 * The eighth is a round figure for what was measured: 11.6 % of the board of an A100 SXM4 40GB
 * (46.5 W: Davy, Building an AWS EC2 Carbon Emissions Dataset, 2021), 14.5 % of an MI210's (43.5 W:
 * ROCm/amdsmi issue 38), 10 % of an A40's (30 W: NVIDIA/open-gpu-kernel-modules issue 874).
 */
#define MODELLED_GPU_IDLE_PART 8

/* Of a 3D controller that power_models.c does not know: what most cards of today's servers have. */
#define MODELLED_GPU_BOARD_W 300

/*
 * Default power per physical core of a processor that power_models.c does not know, when
 * carbon.conf has no IdleWatts and FullWatts: 1.48 W idle and 7.00 W at full load.
 *
 * Source: Cloud Carbon Footprint, methodology, "Compute": averages over the SPECpower_ssj2008
 * results of the processors used by AWS, 0.74 W idle and 3.50 W at full load per hardware thread;
 * two threads a core. These are shares of a whole server's power at the wall without overhead of
 * the room, so they err high for a package alone (an EPYC 7763 of 64 cores and 280 W has 4.4 W a
 * core, a Xeon 8380 of 40 cores and 270 W has 6.8 W). Processors differ by a factor of two both
 * ways: a site should set IdleWatts and FullWatts.
 */
#define MODELLED_IDLE_UW_PER_CORE UINT64_C(1480000)
#define MODELLED_FULL_UW_PER_CORE UINT64_C(7000000)

/*
 * Energy since boot in µJ, rounded down once: exact integer arithmetic in 128 bits. Needs
 * full_uw >= idle_uw and cpus > 0; grows with boottime_ns and busy_ns and never falls.
 */
uint64_t modelled_energy_uj(uint64_t idle_uw, uint64_t full_uw, uint32_t cpus, uint64_t boottime_ns,
                            uint64_t busy_ns);

#endif
