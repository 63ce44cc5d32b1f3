/*
 * power_models.h - power of processors by their names and of GPUs by their PCI ids, for the
 * modelled sensor
 *
 * Source of processors: Cloud Carbon Footprint, ccf-coefficients, output/coefficients-aws-use.csv
 * of 2026-03 (averages over SPECpower_ssj2008 results by microarchitecture): watts per hardware
 * thread of whole servers, idle and at full load, two threads a core. One rule for all: a package
 * has twice that per physical core, whether its second threads are switched on or not.
 */
#ifndef CARBON_SENSORS_POWER_MODELS_H
#define CARBON_SENSORS_POWER_MODELS_H

#include <stddef.h>
#include <stdint.h>

struct power_model {
    const char *pattern; /* of proc/cpuinfo's model name: * any text, ? any character, [abc] */
    const char *family;
    uint32_t idle_uw, full_uw; /* of a hardware thread */
};

/* The row for a model name, or NULL when no row knows it. */
const struct power_model *power_models_find(const char *model_name);

/* Row by row, for tests and documents; NULL behind the last. */
const struct power_model *power_models_row(size_t index);

/*
 * Accelerators by their PCI id. Those whose watts hold a processor too have none.
 *
 * Source of the ids: pci.ids of 2023-04-10; of Ada's and Hopper's, devid_names.py of NVIDIA's
 * gpu-admin-tools (2024); of the MI300's, what AMD's own tools print. Of the watts: the vendors'
 * data sheets and product briefs ("max power consumption", TDP, TBP), and where those give two the
 * higher.
 */
struct gpu_model {
    uint16_t vendor, device;
    uint16_t board_w; /* of the whole board; 0: it shares its watts with a processor */
    uint8_t dies;     /* PCI devices that share a board */
    const char *name; /* up to 26 characters */
};

/* The row of a PCI id, or NULL. */
const struct gpu_model *gpu_models_find(uint16_t vendor, uint16_t device);

/* As power_models_row(). */
const struct gpu_model *gpu_models_row(size_t index);

#endif
