#include "spank/stepd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "spank/edge.h"
#include "spank/step_cgroup.h"

#define NO_TASK UINT32_C(0xfffffffe) /* slurm.h: NO_VAL */
#define NS_PER_US UINT64_C(1000)
#define GPU_CLAIM_SIZE 256 /* more than "0,1,…,63" */

/*
 * The step of this process. Slurm loads a plugin once even where plugstack.conf lists it twice, so
 * both calls of a hook meet here and the second finds the work done. (Two copies of the file are
 * two plugins; the ledger passes over the second's marks.)
 */
static struct {
    bool called; /* stepd_begin() was */
    bool open;   /* the step is known, and its end mark still to be left */
    struct settings settings;
    struct gather_zones zones;
    struct mark begin;
    uint64_t cpu_ns;
    int worst_status;
} step;

static bool get_u32(spank_t spank, spank_item_t item, uint32_t *ret_number)
{
    uint32_t number;

    if (spank_get_item(spank, item, &number) != ESPANK_SUCCESS)
        return false;
    *ret_number = number;
    return true;
}

static bool get_cores(spank_t spank, spank_item_t item, struct idset *ret_cores)
{
    char *text = NULL;

    return spank_get_item(spank, item, &text) == ESPANK_SUCCESS && text && *text &&
           idset_parse(text, ret_cores) == 0;
}

static void get_memory(spank_t spank, struct mark *mark)
{
    uint64_t memory_mb = 0;

    if (spank_get_item(spank, S_JOB_ALLOC_MEM, &memory_mb) != ESPANK_SUCCESS || memory_mb == 0)
        return;
    mark->memory_mb = memory_mb;
    mark->has |= MARK_HAS_MEMORY;
}

/*
 * Of the batch step only: there the ids come from slurmctld; an srun step's are read by slurmstepd
 * from the job's environment, and extern has none (22.05).
 */
static void get_array(spank_t spank, struct mark *mark)
{
    uint32_t job_id, task_id;

    if (mark->step_id != STEP_BATCH || !get_u32(spank, S_JOB_ARRAY_ID, &job_id) ||
        !get_u32(spank, S_JOB_ARRAY_TASK_ID, &task_id))
        return;
    if (job_id == 0 || job_id == NO_TASK || task_id == NO_TASK)
        return;
    mark->array_job_id = job_id;
    mark->array_task_id = task_id;
    mark->has |= MARK_HAS_ARRAY;
}

static void get_gpus(spank_t spank, struct mark *mark)
{
    const char *name = "SLURM_STEP_GPUS";
    char claim[GPU_CLAIM_SIZE];

    if (mark->step_id == STEP_EXTERN)
        return;
    if (mark->step_id == STEP_BATCH || mark->step_id == STEP_INTERACTIVE)
        name = "SLURM_JOB_GPUS";
    if (spank_getenv(spank, name, claim, sizeof(claim)) == ESPANK_SUCCESS && *claim &&
        idset_parse(claim, &mark->step_gpus) == 0)
        mark->has |= MARK_HAS_STEP_GPUS;
}

static void get_user(spank_t spank, struct mark *mark)
{
    uid_t uid;
    gid_t gid;

    if (spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
        spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS)
        return;
    mark->uid = uid;
    mark->gid = gid;
    mark->has |= MARK_HAS_UID;
}

static bool get_identity(spank_t spank, struct mark *mark)
{
    if (!get_u32(spank, S_JOB_ID, &mark->job_id) ||
        !get_u32(spank, S_JOB_STEPID, &mark->step_id))
        return false;
    mark->has |= MARK_HAS_STEP;
    get_user(spank, mark);
    if (get_cores(spank, S_JOB_ALLOC_CORES, &mark->job_cores))
        mark->has |= MARK_HAS_JOB_CORES;
    if (get_cores(spank, S_STEP_ALLOC_CORES, &mark->step_cores))
        mark->has |= MARK_HAS_STEP_CORES;
    get_memory(spank, mark);
    get_array(spank, mark);
    get_gpus(spank, mark);
    gather_stepd(mark);
    if (step_cgroup_self(mark->step_id, mark->cgroup) == 0)
        mark->has |= MARK_HAS_CGROUP;
    return true;
}

static int leave_begin(spank_t spank, int ac, char *const av[], struct error *err)
{
    char node[NODE_NAME_SIZE];
    struct edge edge;
    int rc;

    gather_node(node);
    settings_load(ac, av, node, &step.settings);
    memset(&edge.mark, 0, sizeof(edge.mark));
    rc = edge_open(&edge, MARK_STEP_BEGIN, node, &step.settings, &step.zones, err);
    if (rc < 0)
        return rc;
    if (!get_identity(spank, &edge.mark)) {
        edge_drop(&edge);
        return error_set(err, -EINVAL, "slurmstepd tells no job and step id");
    }
    step.begin = edge.mark;
    step.open = true;
    return edge_close(&edge, err);
}

void stepd_begin(spank_t spank, int ac, char *const av[])
{
    struct error err;

    if (step.called)
        return;
    step.called = true;
    /* slurmstepd's messages from info up can reach the job's owner; the prolog's tell the admin */
    if (leave_begin(spank, ac, av, &err) < 0)
        slurm_debug("spank_carbon: no step-begin mark: %s", err.text);
}

/* A death by signal is worse than any exit code, and greater is worse. */
static int badness(int status)
{
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void take_cpu(uint64_t cpu_ns)
{
    if (cpu_ns > step.cpu_ns)
        step.cpu_ns = cpu_ns;
}

static void take_cgroup_cpu(void)
{
    uint64_t cpu_ns;

    if (step.begin.has & MARK_HAS_CGROUP &&
        step_cgroup_cpu_ns(step.settings.cgroup_root, step.begin.cgroup, &cpu_ns) == 0)
        take_cpu(cpu_ns);
}

static uint64_t timeval_ns(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * NS_PER_S + (uint64_t)tv->tv_usec * NS_PER_US;
}

/* CPU time of all tasks that slurmstepd has waited for; it misses what they orphaned. */
static void take_children_cpu(void)
{
    struct rusage used;

    if (getrusage(RUSAGE_CHILDREN, &used) == 0)
        take_cpu(timeval_ns(&used.ru_utime) + timeval_ns(&used.ru_stime));
}

void stepd_task_exit(spank_t spank)
{
    int status;

    if (!step.open)
        return;
    take_cgroup_cpu();
    if (spank_get_item(spank, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS)
        return;
    if (!(step.begin.has & MARK_HAS_EXIT) || badness(status) > badness(step.worst_status))
        step.worst_status = status;
    step.begin.has |= MARK_HAS_EXIT;
}

static int leave_end(struct error *err)
{
    struct edge edge;
    int rc;

    edge.mark = step.begin;
    rc = edge_open(&edge, MARK_STEP_END, step.begin.node, &step.settings, &step.zones, err);
    if (rc < 0)
        return rc;
    take_cgroup_cpu();
    take_children_cpu();
    edge.mark.cpu_ns = step.cpu_ns;
    edge.mark.exit_status = step.worst_status;
    edge.mark.has |= MARK_HAS_CPU;
    return edge_close(&edge, err);
}

void stepd_end(void)
{
    struct error err;

    if (!step.open)
        return;
    step.open = false;
    if (leave_end(&err) < 0)
        slurm_debug("spank_carbon: no step-end mark: %s", err.text);
}
