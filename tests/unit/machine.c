#include "machine.h"

#include <stdint.h>
#include <stdio.h>

#define CPU_DIR "sys/devices/system/cpu"

/*
 * Linux numbers first threads first: cpu = thread x all cores + the core's place, where the places
 * go package by package or round the packages.
 */
static int package_of(const struct machine *machine, int cpu)
{
    int place = cpu % (machine->packages * machine->cores);

    return machine->interleaved ? place % machine->packages : place / machine->cores;
}

static int core_of(const struct machine *machine, int cpu)
{
    int place = cpu % (machine->packages * machine->cores);

    return machine->interleaved ? place / machine->packages : place % machine->cores;
}

/* The CPUs of cpu's package, or with same_core only of its core. */
static uint32_t siblings(const struct machine *machine, int cpus, int cpu, int same_core)
{
    uint32_t mask = 0;

    for (int other = 0; other < cpus; other++)
        if (package_of(machine, other) == package_of(machine, cpu) &&
            (!same_core || core_of(machine, other) == core_of(machine, cpu)))
            mask |= UINT32_C(1) << other;
    return mask;
}

static void write_cpu(struct tree *tree, const struct machine *machine, int cpus, int cpu)
{
    int package = machine->first_package_os < 0 ? -1
                                                : machine->first_package_os +
                                                      package_of(machine, cpu);
    char file[128];

    snprintf(file, sizeof(file), CPU_DIR "/cpu%d/topology/physical_package_id", cpu);
    tree_write(tree, file, "%d\n", package);
    snprintf(file, sizeof(file), CPU_DIR "/cpu%d/topology/core_id", cpu);
    tree_write(tree, file, "%d\n", core_of(machine, cpu));
    snprintf(file, sizeof(file), CPU_DIR "/cpu%d/topology/thread_siblings", cpu);
    tree_write(tree, file, "%08x\n", siblings(machine, cpus, cpu, 1));
    snprintf(file, sizeof(file), CPU_DIR "/cpu%d/topology/core_siblings", cpu);
    tree_write(tree, file, "%08x\n", siblings(machine, cpus, cpu, 0));
}

void machine_write(struct tree *tree, const struct machine *machine)
{
    int cpus = machine->packages * machine->cores * machine->threads;

    for (int cpu = 0; cpu < cpus; cpu++)
        write_cpu(tree, machine, cpus, cpu);
    tree_write(tree, CPU_DIR "/online", "0-%d\n", cpus - 1);
    tree_write(tree, CPU_DIR "/possible", "0-%d\n", cpus - 1);
    tree_write(tree, "sys/devices/system/node/online", "0\n");
    tree_write(tree, "sys/devices/system/node/node0/cpumap", "%08x\n",
               cpus == 32 ? UINT32_MAX : (UINT32_C(1) << cpus) - 1);
    tree_write(tree, "sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: %d kB\n",
               machine->memory_mb * 1024);
    tree_write(tree, "proc/meminfo", "MemTotal: %d kB\n", machine->memory_mb * 1024);
    tree_write(tree, "proc/cpuinfo", "%s", "\n");
}
