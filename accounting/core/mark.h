/*
 * mark.h - what the plugin leaves at each edge of the work (docs/formats/mark-1.md)
 *
 * A mark is one small file in MarkDir: a line "carbon-mark 1", one record `mark`, one record
 * `reading` per counter, and a line "end". Its name is <boottime_ns>-<job>-<step>-<edge>.mark
 * (20, 10, 8 hexadecimal digits of the step, edge word): names sort by time. Libc only.
 */
#ifndef CARBON_CORE_MARK_H
#define CARBON_CORE_MARK_H

#include <stdint.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/idset.h"
#include "core/record.h"

#define MARK_FORMAT 1
#define MARK_NAME_SIZE 80       /* room for mark_file_name() */
#define MARK_SIZE_MAX 32768     /* bytes of one mark file */
#define MARK_READINGS_MAX 64    /* counters in one mark */
#define NODE_NAME_SIZE 65       /* HOST_NAME_MAX + 1 */
#define CLUSTER_NAME_SIZE 65
#define LABEL_SIZE 129          /* user, account, partition names */
#define CGROUP_PATH_SIZE 512
#define SOURCE_NAME_SIZE 64     /* a counter's name: "intel-rapl:0:1" */

/* Slurm's special step ids */
#define STEP_PENDING UINT32_C(0xfffffffd)
#define STEP_EXTERN UINT32_C(0xfffffffc)
#define STEP_BATCH UINT32_C(0xfffffffb)
#define STEP_INTERACTIVE UINT32_C(0xfffffffa)

enum mark_edge { MARK_JOB_BEGIN, MARK_JOB_END, MARK_STEP_BEGIN, MARK_STEP_END };
extern const char *const mark_edge_names[]; /* "job-begin", … */

/* Optional fields of a mark: bits of mark.has */
enum {
    MARK_HAS_CLUSTER = 1 << 0,
    MARK_HAS_STEP = 1 << 1,         /* step_id; in every step mark */
    MARK_HAS_UID = 1 << 2,          /* uid and gid */
    MARK_HAS_USER = 1 << 3,
    MARK_HAS_ACCOUNT = 1 << 4,
    MARK_HAS_PARTITION = 1 << 5,
    MARK_HAS_RESTARTS = 1 << 6,
    MARK_HAS_ARRAY = 1 << 7,        /* array_job_id and array_task_id */
    MARK_HAS_HET = 1 << 8,          /* het_job_id, het_offset */
    MARK_HAS_NODES = 1 << 9,        /* node_count */
    MARK_HAS_JOB_CORES = 1 << 10,   /* Slurm's abstract core ids on this node */
    MARK_HAS_STEP_CORES = 1 << 11,
    MARK_HAS_JOB_GPUS = 1 << 12,    /* this node's device indices */
    MARK_HAS_STEP_GPUS = 1 << 13,
    MARK_HAS_MEMORY = 1 << 14,      /* memory_mb of the job on this node */
    MARK_HAS_CGROUP = 1 << 15,
    MARK_HAS_STEPD = 1 << 16,       /* stepd_pid, stepd_start_ticks */
    MARK_HAS_CPU = 1 << 17,         /* cpu_ns, in step-end */
    MARK_HAS_EXIT = 1 << 18,        /* exit_status as wait(2) gives it; in end marks */
    MARK_HAS_SLUID = 1 << 19,
    MARK_HAS_CPUS = 1 << 20,        /* cpu_count: CPUs allocated on this node */
    MARK_HAS_QOS = 1 << 21,
    MARK_HAS_JOB_NAME = 1 << 22,
};

struct mark {
    uint32_t has;
    unsigned edge; /* enum mark_edge */
    char boot_id[BOOT_ID_SIZE];
    uint64_t boottime_ns; /* of this edge */
    int64_t wall_ns;      /* of the same instant */
    char node[NODE_NAME_SIZE];
    char cluster[CLUSTER_NAME_SIZE];
    uint32_t job_id;
    uint32_t step_id;
    char sluid[32];
    uint32_t uid, gid;
    char user[LABEL_SIZE], account[LABEL_SIZE], partition[LABEL_SIZE], qos[LABEL_SIZE];
    char job_name[LABEL_SIZE];
    uint32_t restart_count;
    uint32_t array_job_id, array_task_id;
    uint32_t het_job_id, het_offset;
    uint32_t node_count;
    uint32_t cpu_count;
    struct idset job_cores, step_cores, job_gpus, step_gpus;
    uint64_t memory_mb;
    char cgroup[CGROUP_PATH_SIZE]; /* "cpuacct:/slurm_n1/uid_0/job_7/step_0" (v1) or "unified:/…" */
    uint32_t stepd_pid;
    uint64_t stepd_start_ticks; /* field 22 of /proc/PID/stat */
    uint64_t cpu_ns;            /* CPU time used by the step on this node */
    int64_t exit_status;
};

/* One counter as read at the mark's instant, not yet unwrapped. */
struct mark_reading {
    char source[SOURCE_NAME_SIZE]; /* the powercap zone: "intel-rapl:0" */
    uint64_t raw_uj;
};

extern const struct record_desc mark_desc, mark_reading_desc;

/* The file's name for this mark. */
void mark_file_name(const struct mark *mark, char ret_name[MARK_NAME_SIZE]);

/* Append the whole text of a mark file. */
void mark_write(struct buf *buf, const struct mark *mark, const struct mark_reading *readings,
                size_t count);

/*
 * Read the text of a mark file (changed in place). At most MARK_READINGS_MAX readings go to
 * ret_readings. -EBADMSG with the reason for a torn, foreign or newer file.
 */
MUST_CHECK int mark_read(char *text, struct mark *ret_mark,
                         struct mark_reading ret_readings[MARK_READINGS_MAX], size_t *ret_count,
                         struct error *err);

#endif
