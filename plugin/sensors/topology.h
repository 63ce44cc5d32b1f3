/*
 * topology.h - packages and cores of the node, from hwloc
 *
 * Cores are numbered in hwloc's logical order, which is how Slurm numbers the abstract core ids
 * that a job is given.
 */
#ifndef CARBON_SENSORS_TOPOLOGY_H
#define CARBON_SENSORS_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct topology {
    unsigned n_packages, n_cores, n_cpus; /* at least 1 each; CPUs are hardware threads */
    uint16_t *core_package;  /* [n_cores]: logical package index of each core */
    int32_t *package_os;     /* [n_packages]: the kernel's physical_package_id, or -1 */
    uint32_t *package_cpus;  /* [n_packages]: its CPUs */
    int16_t *cpu_package;    /* [cpu_limit]: package of each CPU as the kernel numbers it, or -1 */
    unsigned cpu_limit;
    uint64_t memory_mb;      /* MiB, as Slurm's RealMemory */
};

/*
 * Discover the node below `root` ("/" for this machine; else a tree with sys/ and proc/). The
 * hwloc topology itself is freed before returning. A machine whose packages are unknown has one;
 * one whose cores are unknown has one per CPU. CPUs that are offline are not there. -ENOENT when
 * there is no sys/devices/system/cpu below root, -ENODATA or hwloc's errno when it tells nothing.
 * Sets HWLOC_FSROOT and HWLOC_PLUGINS_PATH while it runs and restores them: not for use while
 * another thread reads the environment.
 */
MUST_CHECK int topology_load(const char *root, struct topology **ret_topology, struct error *err);
/* The package of a CPU as the kernel numbers it, or -1. */
int topology_package_of(const struct topology *topology, uint32_t cpu);

/* That of the first CPU of a list as the kernel writes it ("0-15,32-47"; cut short here), or -1. */
int topology_package_of_list(const struct topology *topology, char *cpulist);

struct topology *topology_free(struct topology *topology); /* takes NULL, returns NULL */

#endif
