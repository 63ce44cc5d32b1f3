/*
 * spank/step_cgroup.h and sensors/cputime.h. The first line is a step's cgroup, as in a mark; the
 * rest is what /proc/self/cgroup may say, and what the step's files of CPU time may hold.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sensors/cputime.h"
#include "spank/step_cgroup.h"
#include "tree.h"

/* The files that "cpuacct:/job_1/step_0" and "unified:/job_1/step_0" have below CgroupRoot. */
#define V1_FILE "cpuacct/job_1/step_0/cpuacct.usage"
#define V2_FILE "job_1/step_0/cpu.stat"

static struct tree tree;

static void remove_tree(void)
{
    tree_free(&tree);
}

static void find(const char *text, uint32_t step_id)
{
    char *copy = fuzz_text((const uint8_t *)text, strlen(text)), cgroup[CGROUP_PATH_SIZE] = "";

    if (step_cgroup_find(copy, step_id, cgroup) == 0) {
        const char *step = strstr(cgroup, "/step_");

        PROMISE(strncmp(cgroup, "cpuacct:", 8) == 0 || strncmp(cgroup, "unified:", 8) == 0);
        PROMISE(memchr(cgroup, '\0', sizeof(cgroup)) && step && !strchr(step + 1, '/'));
    } else {
        PROMISE(cgroup[0] == '\0'); /* untouched */
    }
    free(copy);
}

/* Both readers of the plugin's and the meter's say the same time of a file. */
static void read_both(struct cputime_node *node, const char *cgroup)
{
    struct cputime *cputime = NULL;
    struct error err = { "" };
    uint64_t plugin_ns = 77, meter_ns = 77, again_ns = 77;
    int plugin_rc = step_cgroup_cpu_ns(tree.path, cgroup, &plugin_ns);
    int rc = cputime_open(node, cgroup, 0, 0, &cputime, &err);

    PROMISE(plugin_rc == 0 || plugin_ns == 77);
    if (fuzz_failed(rc, &err))
        return;
    PROMISE(cputime_way(cputime) == CPUTIME_CGROUP);
    if (cputime_read(cputime, &meter_ns) == 0) {
        PROMISE(cputime_read(cputime, &again_ns) == 0 && again_ns == meter_ns);
        PROMISE(plugin_rc < 0 || plugin_ns == meter_ns);
    } else {
        PROMISE(meter_ns == 77);
    }
    cputime_close(cputime);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text;
    const char *cgroup = fuzz_line(&rest);
    struct cputime_node *node;

    if (!tree.path[0]) {
        tree_make(&tree);
        atexit(remove_tree);
    }
    find(rest, 0);
    find(rest, STEP_BATCH);
    tree_write_bytes(&tree, V1_FILE, rest, strlen(rest));
    tree_write_bytes(&tree, V2_FILE, rest, strlen(rest));
    node = cputime_node_new(tree.path);
    PROMISE(node);
    read_both(node, cgroup);
    read_both(node, "cpuacct:/job_1/step_0");
    read_both(node, "unified:/job_1/step_0");
    cputime_node_free(node);
    free(text);
    return 0;
}
