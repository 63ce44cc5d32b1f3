/*
 * machine.h - CPUs and memory of a fake machine in a test's tree, as Linux shows them and hwloc
 * reads them
 */
#ifndef CARBON_TESTS_MACHINE_H
#define CARBON_TESTS_MACHINE_H

#include "tree.h"

struct machine {
    int packages, cores, threads; /* cores per package, threads per core */
    int first_package_os;         /* physical_package_id of the first, others follow; -1: unknown */
    int interleaved;              /* CPU numbers go round the packages */
    int memory_mb;
};

/* Write sys/devices/system/{cpu,node}, proc/meminfo, proc/cpuinfo; at most 32 CPUs. */
void machine_write(struct tree *tree, const struct machine *machine);

#endif
