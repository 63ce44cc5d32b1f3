#include "spank/job_script.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <slurm/spank.h>

#include "core/parse.h"
#include "spank/edge.h"

#define TEXT(name, member, bit) \
    { name, offsetof(struct mark, member), sizeof(((struct mark *)0)->member), bit }
#define NUMBER(name, member, bit) { name, offsetof(struct mark, member), 0, bit }

/* Variables that are one field each: text where there is a size, else a uint32_t. */
static const struct variable {
    const char *name;
    size_t offset, size;
    uint32_t has;
} variables[] = {
    TEXT("SLURM_CLUSTER_NAME", cluster, MARK_HAS_CLUSTER),
    TEXT("SLURM_JOB_USER", user, MARK_HAS_USER),
    TEXT("SLURM_JOB_ACCOUNT", account, MARK_HAS_ACCOUNT),
    TEXT("SLURM_JOB_PARTITION", partition, MARK_HAS_PARTITION),
    TEXT("SLURM_JOB_QOS", qos, MARK_HAS_QOS),
    TEXT("SLURM_JOB_NAME", job_name, MARK_HAS_JOB_NAME),
    TEXT("SLURM_JOB_SLUID", sluid, MARK_HAS_SLUID),
    NUMBER("SLURM_JOB_RESTART_COUNT", restart_count, MARK_HAS_RESTARTS),
    NUMBER("SLURM_JOB_NUM_NODES", node_count, MARK_HAS_NODES),
    NUMBER("SLURM_CPUS_ON_NODE", cpu_count, MARK_HAS_CPUS),
};

/* Variables that mean something only together. */
static const struct pair {
    const char *names[2];
    size_t offsets[2];
    uint32_t has;
} pairs[] = {
    { { "SLURM_JOB_UID", "SLURM_JOB_GID" },
      { offsetof(struct mark, uid), offsetof(struct mark, gid) }, MARK_HAS_UID },
    { { "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID" },
      { offsetof(struct mark, array_job_id), offsetof(struct mark, array_task_id) },
      MARK_HAS_ARRAY },
};

static bool read_number(const char *name, void *ret_number)
{
    const char *text = getenv(name);

    return text && parse_u32(text, 0, UINT32_MAX, ret_number) == 0;
}

/* A text that does not fit is left out: half a name would be another name. */
static bool read_text(const char *name, char *room, size_t size)
{
    const char *text = getenv(name);
    size_t len = text ? strlen(text) : 0;

    if (len == 0 || len >= size)
        return false;
    memcpy(room, text, len + 1);
    return true;
}

static void read_variable(const struct variable *variable, struct mark *mark)
{
    void *at = (char *)mark + variable->offset;

    if (variable->size ? read_text(variable->name, at, variable->size)
                       : read_number(variable->name, at))
        mark->has |= variable->has;
}

static void read_pair(const struct pair *pair, struct mark *mark)
{
    if (read_number(pair->names[0], (char *)mark + pair->offsets[0]) &&
        read_number(pair->names[1], (char *)mark + pair->offsets[1]))
        mark->has |= pair->has;
}

/*
 * "4" and "4(x2)" say 4 CPUs on this node; "4(x2),3" does not say which nodes have 4, so it is
 * passed over.
 */
static void read_cpus_per_node(struct mark *mark)
{
    const char *text = getenv("SLURM_JOB_CPUS_PER_NODE");
    char count[11]; /* of a uint32_t */
    size_t len = text ? strcspn(text, "(") : 0;

    if (len == 0 || len >= sizeof(count) || strchr(text, ','))
        return;
    memcpy(count, text, len);
    count[len] = '\0';
    if (parse_u32(count, 1, UINT32_MAX, &mark->cpu_count) == 0)
        mark->has |= MARK_HAS_CPUS;
}

/*
 * Slurm names a component's leader but not its number (22.05, 24.11). It gives the components of a
 * heterogeneous job consecutive job ids, beginning with the leader's.
 */
static void read_het(struct mark *mark)
{
    if (!read_number("SLURM_HET_JOB_ID", &mark->het_job_id) || mark->het_job_id == 0 ||
        mark->het_job_id > mark->job_id)
        return;
    mark->het_offset = mark->job_id - mark->het_job_id;
    mark->has |= MARK_HAS_HET;
}

static void read_gpus(struct mark *mark)
{
    const char *text = getenv("SLURM_JOB_GPUS");

    if (text && idset_parse(text, &mark->job_gpus) == 0)
        mark->has |= MARK_HAS_JOB_GPUS;
}

/* In wait(2)'s form already: 1280 for exit 5, 9 for SIGKILL (seen on 22.05 and 24.11). */
static void read_exit_code(struct mark *mark)
{
    const char *text = getenv("SLURM_JOB_EXIT_CODE");

    if (text && parse_i64(text, 0, INT32_MAX, &mark->exit_status) == 0)
        mark->has |= MARK_HAS_EXIT;
}

int job_script_read_environment(struct mark *mark)
{
    if (!read_number("SLURM_JOB_ID", &mark->job_id))
        return -ENOENT;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        read_variable(&variables[i], mark);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        read_pair(&pairs[i], mark);
    if (!(mark->has & MARK_HAS_CPUS))
        read_cpus_per_node(mark);
    read_gpus(mark);
    read_het(mark);
    if (mark->edge == MARK_JOB_END)
        read_exit_code(mark);
    return 0;
}

static int leave_mark(enum mark_edge which, int ac, char *const av[], struct error *err)
{
    struct gather_zones zones = { 0 };
    char node[NODE_NAME_SIZE];
    struct settings settings;
    struct edge edge;
    int rc;

    memset(&edge.mark, 0, sizeof(edge.mark));
    edge.mark.edge = which;
    rc = job_script_read_environment(&edge.mark);
    if (rc < 0)
        return error_set(err, rc, "this Slurm sets no SLURM_JOB_ID for its SPANK plugins");
    gather_node(node);
    settings_load(ac, av, node, &settings);
    rc = edge_open(&edge, which, node, &settings, &zones, err);
    return rc < 0 ? rc : edge_close(&edge, err);
}

void job_script_mark(enum mark_edge which, int ac, char *const av[])
{
    static bool done; /* plugstack.conf may list the plugin twice: one loaded copy, two calls */
    struct error err;

    if (done)
        return;
    done = true;
    if (leave_mark(which, ac, av, &err) < 0)
        slurm_info("spank_carbon: no %s mark: %s", mark_edge_names[which], err.text);
}
