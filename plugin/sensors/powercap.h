/*
 * powercap.h - Intel and AMD RAPL counters in /sys/class/powercap
 *
 * Source: kernel Documentation/power/powercap/powercap.rst. Shared by the meter and the plugin:
 * libc only, no allocation, no hwloc.
 */
#ifndef CARBON_SENSORS_POWERCAP_H
#define CARBON_SENSORS_POWERCAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"

#define POWERCAP_ZONES_MAX MARK_READINGS_MAX

enum powercap_use { POWERCAP_PACKAGE, POWERCAP_DRAM, POWERCAP_LEFT_OUT };

struct powercap_zone {
    char zone[SOURCE_NAME_SIZE]; /* directory: "intel-rapl:0:1" */
    char name[32];               /* its name file: "dram" */
    enum powercap_use use;
    const char *reason;          /* why it is left out; static text */
    int package_os;              /* physical package id, from "package-N" (of the parent for dram) */
    uint64_t range_uj;           /* max_energy_range_uj + 1 unit: see powercap.c */
};

/*
 * List the zones below root_fd's sys/class/powercap, sorted by name, each with its use: package
 * and dram count; psys, core, uncore, intel-rapl-mmio, unreadable and mirrored ones are left out.
 * Returns the count (at most `max`) or a negative errno (-ENOENT: no powercap here).
 */
int powercap_list(int root_fd, struct powercap_zone *ret_zones, size_t max);

/* Open a zone's energy_uj, O_CLOEXEC. Returns the descriptor or a negative errno. */
int powercap_open(int root_fd, const char *zone);

/* Read an open energy_uj from its start: 0, or a negative errno. */
MUST_CHECK int powercap_read(int fd, uint64_t *ret_raw_uj);

#endif
