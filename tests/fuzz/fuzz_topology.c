/* topology.h: the input is a capture, of whose tree hwloc makes packages and cores. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sensors/capture.h"
#include "sensors/topology.h"
#include "tree.h"

static void check(const struct topology *topology)
{
    uint32_t cpus = 0;

    PROMISE(topology->n_packages > 0 && topology->n_cores > 0 && topology->n_cpus > 0);
    for (unsigned i = 0; i < topology->n_packages; i++)
        cpus += topology->package_cpus[i];
    PROMISE(cpus <= topology->n_cpus);
    for (unsigned i = 0; i < topology->n_cores; i++)
        PROMISE(topology->core_package[i] < topology->n_packages);
    for (unsigned i = 0; i < topology->cpu_limit + 2; i++) {
        PROMISE(topology_package_of(topology, i) >= -1);
        PROMISE(topology_package_of(topology, i) < (int)topology->n_packages);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology *topology = NULL;
    struct error err = { "" };
    struct capture capture;
    struct tree tree;
    int rc;

    capture_init(&capture);
    if (capture_parse("capture", (const char *)data, size, &capture, &err) == 0) {
        tree_make(&tree);
        rc = capture_unpack(&capture, 0, tree.fd, &err);
        if (!fuzz_failed(rc, &err)) {
            rc = topology_load(tree.path, &topology, &err);
            if (!fuzz_failed(rc, &err))
                check(topology);
        }
        topology_free(topology);
        tree_free(&tree);
    }
    capture_clear(&capture);
    return 0;
}
