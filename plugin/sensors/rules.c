#include "sensors/rules.h"

#include <string.h>

#include "core/batch.h"

/*
 * Measured before modelled; what is nearest to the hardware first: registers of the processor and
 * the devices' own counters, then the node's controllers. Sensors come in this order in sensors.c's
 * sources[] too.
 */
static const struct sensor_rule rules[] = {
    /* sensor      part           counts as */
    { "powercap",  PART_PACKAGE,  COMPONENT_CPU,    NULL },
    { "powercap",  PART_DRAM,     COMPONENT_MEMORY, NULL },
    { "powercap",  PART_CORES,    RULE_NEVER,       "core is inside its package" },
    { "powercap",  PART_GRAPHICS, RULE_NEVER,       "uncore is inside its package" },
    { "powercap",  PART_PLATFORM, RULE_NEVER,       "psys contains the packages" },
    { "perf",      PART_PACKAGE,  COMPONENT_CPU,    NULL },
    { "perf",      PART_DRAM,     COMPONENT_MEMORY, NULL },
    { "perf",      PART_CORES,    RULE_NEVER,       "energy-cores is inside its package" },
    { "perf",      PART_GRAPHICS, RULE_NEVER,       "energy-gpu is inside its package" },
    { "perf",      PART_PLATFORM, RULE_NEVER,       "energy-psys contains the packages" },
    { "grace",     PART_PACKAGE,  COMPONENT_CPU,    NULL },
    { "grace",     PART_DRAM,     COMPONENT_MEMORY, NULL },
    { "grace",     PART_CORES,    RULE_NEVER,       "is inside the Grace socket" },
    { "grace",     PART_IO,       RULE_NEVER,       "is inside the Grace socket" },
    { "grace",     PART_PLATFORM, RULE_NEVER,
      "the module contains its processor and its GPU" },
    { "nvml",      PART_GPU,      COMPONENT_GPU,    NULL },
    { "nvml",      PART_MODULE,   COMPONENT_GPU,    NULL }, /* less its package's counters */
    { "amdgpu",    PART_GPU,      COMPONENT_GPU,    NULL },
    { "amdgpu",    PART_MODULE,   COMPONENT_GPU,    NULL }, /* less its package's counters */
    { "amdgpu",    PART_GRAPHICS, RULE_NEVER,       "is inside the processor's package" },
    { "intelgpu",  PART_GPU,      COMPONENT_GPU,    NULL },
    { "intelgpu",  PART_GRAPHICS, RULE_NEVER,       "is inside the processor's package" },
    { "intelgpu",  PART_IO,       RULE_NEVER,       "the card's counter contains it" },
    { "cray",      PART_PACKAGE,  COMPONENT_CPU,    NULL },
    { "cray",      PART_DRAM,     COMPONENT_MEMORY, NULL },
    { "cray",      PART_GPU,      COMPONENT_GPU,    NULL },
    /* a whole node's meter gives `other`: less all that else counts, in the ledger */
    { "cray",      PART_NODE,     COMPONENT_OTHER,  NULL },
    { "ipmi",      PART_NODE,     COMPONENT_OTHER,  NULL },
    { "modelled",  PART_PACKAGE,  COMPONENT_CPU,    NULL },
    { "modelled",  PART_GPU,      COMPONENT_GPU,    NULL },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

const struct sensor_rule *rules_row(size_t index)
{
    return index < N_RULES ? &rules[index] : NULL;
}

const struct sensor_rule *rules_find(const char *sensor, enum sensor_part part)
{
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].part == part && strcmp(rules[i].sensor, sensor) == 0)
            return &rules[i];
    return NULL;
}
