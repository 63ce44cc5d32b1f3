/*
 * power_models.h - idle and full power of processors by their names, for the modelled sensor
 *
 * Source: Cloud Carbon Footprint, ccf-coefficients, output/coefficients-aws-use.csv of 2026-03
 * (averages over SPECpower_ssj2008 results by microarchitecture): watts per hardware thread of
 * whole servers, idle and at full load, two threads a core. One rule for all: a package has twice
 * that per physical core, whether its second threads are switched on or not.
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

#endif
