#include "sensors/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"

/* HWLOC_API_VERSION of 2.1, which has components and INCLUDE_DISALLOWED. */
_Static_assert(HWLOC_API_VERSION >= 0x00020100, "hwloc 2.1 or newer");

#define CPU_DIR "sys/devices/system/cpu"
#define BYTES_PER_MB (UINT64_C(1) << 20) /* as Slurm counts RealMemory */

/* --- hwloc's environment, for the time of one load ------------------------ */

/* hwloc takes some settings only from the environment. */
struct env_override {
    const char *name;
    char *old; /* NULL: it was not set */
};

static int env_set(struct env_override *override, const char *name, const char *text)
{
    const char *old = getenv(name);

    override->name = name;
    override->old = NULL;
    if (old) {
        override->old = strdup(old);
        if (!override->old)
            return -ENOMEM;
    }
    if (text)
        return setenv(name, text, 1) < 0 ? -errno : 0;
    unsetenv(name);
    return 0;
}

static void env_restore(struct env_override *override)
{
    if (override->old)
        setenv(override->name, override->old, 1);
    else if (override->name)
        unsetenv(override->name);
    free(override->old);
}

/*
 * Slurm numbers abstract core ids in hwloc's logical order, with caches and misc objects left out
 * and disallowed CPUs kept; the same here, so that the ids mean the same cores. The x86 component
 * would bind this process to every CPU in turn to ask it, and would ask the wrong machine for a
 * captured tree; Linux says the same in /sys.
 */
static int configure(hwloc_topology_t hwloc)
{
    static const hwloc_obj_type_t left_out[] = {
        HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,  HWLOC_OBJ_L3CACHE,  HWLOC_OBJ_L4CACHE,
        HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L1ICACHE, HWLOC_OBJ_L2ICACHE, HWLOC_OBJ_L3ICACHE,
        HWLOC_OBJ_MISC,
    };

    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (hwloc_topology_set_type_filter(hwloc, left_out[i], HWLOC_TYPE_FILTER_KEEP_NONE) < 0)
            return -errno;
    if (hwloc_topology_set_flags(hwloc, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
        hwloc_topology_set_components(hwloc, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86") < 0)
        return -errno;
    return 0;
}

static int load(hwloc_topology_t *ret_hwloc)
{
    hwloc_topology_t hwloc;
    int rc;

    if (hwloc_topology_init(&hwloc) < 0)
        return -errno;
    rc = configure(hwloc);
    if (rc == 0 && hwloc_topology_load(hwloc) < 0)
        rc = errno ? -errno : -EINVAL;
    if (rc < 0) {
        hwloc_topology_destroy(hwloc);
        return rc;
    }
    *ret_hwloc = hwloc;
    return 0;
}

/*
 * hwloc's plugins know GPUs and PCI, which are not asked for here, and would map whole vendor
 * runtimes into a process that is to stay below 8 MiB: the path that they are looked for in is
 * pointed at nothing.
 */
static int load_root(const char *root, hwloc_topology_t *ret_hwloc)
{
    const char *fsroot = strcmp(root, "/") == 0 ? NULL : root;
    struct env_override overrides[2] = {{0}};
    int rc;

    rc = env_set(&overrides[0], "HWLOC_FSROOT", fsroot);
    if (rc == 0)
        rc = env_set(&overrides[1], "HWLOC_PLUGINS_PATH", "/nonexistent");
    if (rc == 0)
        rc = load(ret_hwloc);
    env_restore(&overrides[1]);
    env_restore(&overrides[0]);
    return rc;
}

/* --- from hwloc's objects to arrays --------------------------------------- */

static unsigned count_objects(hwloc_topology_t hwloc, hwloc_obj_type_t type)
{
    int count = hwloc_get_nbobjs_by_type(hwloc, type);

    return count > 0 ? (unsigned)count : 0;
}

/*
 * The logical index of the package that holds an object; 0 where that is not known, as where a
 * strange tree has packages in packages, which hwloc does not count.
 */
static unsigned package_of(hwloc_topology_t hwloc, const struct topology *topology,
                           hwloc_obj_t object)
{
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, object);

    return package && package->logical_index < topology->n_packages ? package->logical_index : 0;
}

static unsigned find_cpu_limit(hwloc_topology_t hwloc)
{
    int last = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(hwloc));

    return last < 0 ? 0 : (unsigned)last + 1;
}

static bool allocate(struct topology *topology)
{
    topology->core_package = calloc(topology->n_cores, sizeof(*topology->core_package));
    topology->package_os = calloc(topology->n_packages, sizeof(*topology->package_os));
    topology->package_cpus = calloc(topology->n_packages, sizeof(*topology->package_cpus));
    topology->cpu_package = calloc(topology->cpu_limit, sizeof(*topology->cpu_package));
    return topology->core_package && topology->package_os && topology->package_cpus &&
           topology->cpu_package;
}

static void fill_packages(hwloc_topology_t hwloc, struct topology *topology)
{
    for (unsigned i = 0; i < topology->n_packages; i++) {
        hwloc_obj_t package = hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, i);

        topology->package_os[i] = package ? (int32_t)package->os_index : -1;
    }
}

static void fill_cpus(hwloc_topology_t hwloc, struct topology *topology)
{
    hwloc_obj_t pu = NULL;

    for (unsigned i = 0; i < topology->cpu_limit; i++)
        topology->cpu_package[i] = -1;
    while ((pu = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_PU, pu))) {
        unsigned package = package_of(hwloc, topology, pu);

        if (pu->os_index >= topology->cpu_limit)
            continue;
        topology->cpu_package[pu->os_index] = (int16_t)package;
        topology->package_cpus[package]++;
    }
}

/* Where Linux does not say which CPUs share a core (some virtual machines), each is one. */
static int fill(hwloc_topology_t hwloc, struct topology *topology)
{
    hwloc_obj_type_t core_type = HWLOC_OBJ_CORE;

    topology->n_cpus = count_objects(hwloc, HWLOC_OBJ_PU);
    topology->n_cores = count_objects(hwloc, HWLOC_OBJ_CORE);
    topology->n_packages = count_objects(hwloc, HWLOC_OBJ_PACKAGE);
    topology->cpu_limit = find_cpu_limit(hwloc);
    topology->memory_mb = hwloc_get_root_obj(hwloc)->total_memory / BYTES_PER_MB;
    if (topology->n_cpus == 0 || topology->cpu_limit == 0)
        return -ENODATA;
    if (topology->n_packages == 0)
        topology->n_packages = 1;
    if (topology->n_cores == 0) {
        core_type = HWLOC_OBJ_PU;
        topology->n_cores = topology->n_cpus;
    }
    if (!allocate(topology))
        return -ENOMEM;
    fill_packages(hwloc, topology);
    fill_cpus(hwloc, topology);
    for (unsigned i = 0; i < topology->n_cores; i++)
        topology->core_package[i] =
            (uint16_t)package_of(hwloc, topology, hwloc_get_obj_by_type(hwloc, core_type, i));
    return 0;
}

/* hwloc itself would make up a machine with this one's number of CPUs. */
static int check_root(const char *root)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/" CPU_DIR, root);

    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    return strcmp(root, "/") == 0 || access(path, X_OK) == 0 ? 0 : -errno;
}

int topology_load(const char *root, struct topology **ret_topology, struct error *err)
{
    struct topology *topology;
    hwloc_topology_t hwloc = NULL;
    int rc;

    rc = check_root(root);
    if (rc < 0)
        return error_set_errno(err, rc, "no machine below %s: " CPU_DIR, root);
    topology = calloc(1, sizeof(*topology));
    if (!topology)
        return error_set_errno(err, -ENOMEM, "topology of %s", root);
    rc = load_root(root, &hwloc);
    if (rc == 0) {
        rc = fill(hwloc, topology);
        hwloc_topology_destroy(hwloc);
    }
    if (rc < 0) {
        topology_free(topology);
        return error_set_errno(err, rc,
                               "hwloc cannot read the CPUs below %s (" CPU_DIR
                               "; compare with lstopo)",
                               root);
    }
    *ret_topology = topology;
    return 0;
}

struct topology *topology_free(struct topology *topology)
{
    if (topology) {
        free(topology->core_package);
        free(topology->package_os);
        free(topology->package_cpus);
        free(topology->cpu_package);
        free(topology);
    }
    return NULL;
}

int topology_package_of(const struct topology *topology, uint32_t cpu)
{
    return cpu < topology->cpu_limit ? topology->cpu_package[cpu] : -1;
}

int topology_package_of_list(const struct topology *topology, char *cpulist)
{
    uint32_t cpu;

    cpulist[strcspn(cpulist, ",-")] = '\0';
    return parse_u32(cpulist, 0, UINT32_MAX, &cpu) < 0 ? -1 : topology_package_of(topology, cpu);
}
