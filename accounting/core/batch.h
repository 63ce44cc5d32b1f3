/*
 * batch.h - a sealed batch: what one meter books for one stretch of time (docs/formats/batch-1.md)
 *
 * A batch is a text file: "carbon-batch 1", records (record.h), and "end <crc32>" over all bytes
 * before that line. It is at once the delivery to the store and the meter's own checkpoint: the
 * newest sealed batch says up to where every counter has been attributed and which jobs and steps
 * were open, so that rows and checkpoint can never disagree.
 *
 * Identity: (node, stream, seq). A stream is one unbroken chain of batches of one boot; it begins
 * with seq 1 when a meter starts without a usable checkpoint. Amounts are integer microjoules.
 *
 * Invariants, checked by batch_check():
 *   B1  for every (hour, component): sum of energy rows (active + idle) = its total, exactly
 *   B2  for every component: sum of totals = component.end_uj - component.begin_uj
 *   B3  for cpu, memory, gpu: sum over counters of (counted_uj - counted_begin_uj) = the same
 *   B4  every energy and power row of a job names a job (and step) record of this batch
 */
#ifndef CARBON_CORE_BATCH_H
#define CARBON_CORE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/mark.h"

#define BATCH_FORMAT 1
#define BATCH_SIZE_MAX (64u << 20) /* bytes; a larger file is refused */
#define BATCH_NAME_SIZE 160
#define SENSOR_NAME_SIZE 24

enum component { COMPONENT_CPU, COMPONENT_MEMORY, COMPONENT_GPU, COMPONENT_OTHER, COMPONENT_COUNT };
extern const char *const component_names[]; /* "cpu", "memory", "gpu", "other" */

enum quality { QUALITY_MEASURED, QUALITY_MODELLED, QUALITY_GAP, QUALITY_COUNT };
extern const char *const quality_names[]; /* "measured", "modelled", "gap" */

/* Whom a row of energy belongs to. REMAINDER: of a job, outside its steps. */
enum owner { OWNER_STEP, OWNER_REMAINDER, OWNER_SYSTEM, OWNER_UNALLOCATED };
extern const char *const owner_names[]; /* "step", "remainder", "system", "unallocated" */

/* Things that a reader of a job or step must know: bits of `flags`. */
enum {
    FLAG_BEGIN_LATE = 1 << 0,   /* its begin mark came after the interval was closed: clamped */
    FLAG_END_LATE = 1 << 1,     /* so did its end mark */
    FLAG_END_LOST = 1 << 2,     /* no end mark: slurmstepd or the node died; end as noticed */
    FLAG_BEGIN_LOST = 1 << 3,   /* no begin mark: begin as first seen */
    FLAG_GPU_REFUSED = 1 << 4,  /* the step claimed a GPU that its job does not hold */
    FLAG_NO_CPU_TIME = 1 << 5,  /* its CPU time could not be read while it ran */
    FLAG_REBOOT = 1 << 6,       /* the node rebooted under it */
    FLAG_BACKFILLED = 1 << 7,   /* never in a batch: booked from what slurmdbd knows of it */
};
extern const char *const flag_names[]; /* by bit number */

struct batch_head {
    uint32_t has; /* nothing optional yet */
    char cluster[CLUSTER_NAME_SIZE], node[NODE_NAME_SIZE];
    uint64_t stream; /* random, never 0 */
    uint64_t seq;    /* 1, 2, … without a hole */
    char boot_id[BOOT_ID_SIZE];
    char version[32]; /* of the meter */
    uint64_t begin_boottime_ns, end_boottime_ns;
    int64_t begin_wall_ns, end_wall_ns;
    uint32_t packages, cores, gpus; /* of the node */
    uint64_t memory_mb;
    uint64_t next_ref; /* checkpoint: the next job reference */
    uint64_t marks_bad; /* marks refused since the stream began */
    uint64_t batches_dropped; /* sealed batches given up since the stream began: spool full */
};

enum { COUNTER_HAS_RAW = 1 << 0, COUNTER_HAS_FLOOR = 1 << 1 };

/* One energy counter of the node; a whole-node meter has component other. */
struct batch_counter {
    uint32_t has;
    char source[SOURCE_NAME_SIZE]; /* "intel-rapl:0" */
    char sensor[SENSOR_NAME_SIZE]; /* "powercap" */
    unsigned component;            /* enum component */
    unsigned quality;              /* enum quality */
    uint32_t domain;               /* package index of cpu and memory; device index of gpu */
    uint64_t range_uj;             /* it wraps after this; 0: never */
    uint64_t max_uw;               /* no more than this is believed */
    uint64_t floor_uw;             /* HAS_FLOOR: idle floor in force at the end */
    uint64_t raw_uj;               /* HAS_RAW: last good reading … */
    uint64_t raw_boottime_ns;      /* … its instant … */
    uint64_t seen_uj;              /* … and the counter's total since the stream began, there */
    uint64_t counted_begin_uj;     /* attributed since the stream began, at the batch's begin */
    uint64_t counted_uj;           /* the same at its end, or where the counter fell silent: … */
    uint64_t counted_boottime_ns;  /* HAS_RAW: … counted_uj is its value at this instant */
    uint64_t debt_uj;              /* of a node meter: parts in excess of it, carried forward */
    uint64_t pending_uj;           /* of a node meter: parts counted since it fell silent */
};

/* CPU use of one package, all processes together: a checkpoint of rule 2's `system`. */
struct batch_package {
    uint32_t has;
    uint32_t package;
    uint64_t busy_ns;     /* cumulative busy CPU time at the batch's end */
    uint64_t job_debt_ns; /* jobs' CPU time in excess of it so far, carried forward */
};

enum {
    JOB_HAS_SLUID = 1 << 0, JOB_HAS_UID = 1 << 1, JOB_HAS_USER = 1 << 2, JOB_HAS_ACCOUNT = 1 << 3,
    JOB_HAS_PARTITION = 1 << 4, JOB_HAS_QOS = 1 << 5, JOB_HAS_NAME = 1 << 6,
    JOB_HAS_RESTARTS = 1 << 7, JOB_HAS_ARRAY = 1 << 8, JOB_HAS_HET = 1 << 9,
    JOB_HAS_NODES = 1 << 10, JOB_HAS_CORES = 1 << 11, JOB_HAS_GPUS = 1 << 12,
    JOB_HAS_MEMORY = 1 << 13, JOB_HAS_END = 1 << 14, JOB_HAS_EXIT = 1 << 15,
    JOB_HAS_CPUS = 1 << 16,
};

/* A job's allocation on this node, as far as known at the batch's end. */
struct batch_job {
    uint32_t has;
    uint64_t ref; /* names this allocation within the stream */
    uint32_t job_id;
    char sluid[32];
    uint32_t uid, gid;
    char user[LABEL_SIZE], account[LABEL_SIZE], partition[LABEL_SIZE], qos[LABEL_SIZE];
    char name[LABEL_SIZE];
    uint32_t restart_count;
    uint32_t array_job_id, array_task_id;
    uint32_t het_job_id, het_offset;
    uint32_t node_count;
    uint32_t cpu_count;
    struct idset cores, gpus;
    uint64_t memory_mb;
    uint64_t begin_boottime_ns;
    int64_t begin_wall_ns;
    uint64_t end_boottime_ns; /* HAS_END */
    int64_t end_wall_ns;
    int64_t exit_status; /* HAS_EXIT, as wait(2) gives it */
    uint32_t flags;
};

enum {
    STEP_HAS_CORES = 1 << 0, STEP_HAS_GPUS = 1 << 1, STEP_HAS_END = 1 << 2, STEP_HAS_EXIT = 1 << 3,
    STEP_HAS_CGROUP = 1 << 4, STEP_HAS_STEPD = 1 << 5,
};

/* A step's part on this node. */
struct batch_step {
    uint32_t has;
    uint64_t ref; /* its job's */
    uint32_t step_id;
    struct idset cores, gpus;
    uint64_t begin_boottime_ns;
    int64_t begin_wall_ns;
    uint64_t end_boottime_ns; /* HAS_END */
    int64_t end_wall_ns;
    uint64_t cpu_ns; /* CPU time used so far, at the batch's end */
    int64_t exit_status;
    uint32_t flags;
    char cgroup[CGROUP_PATH_SIZE]; /* checkpoint: where to read on */
    uint32_t stepd_pid;
    uint64_t stepd_start_ticks;
};

enum { ENERGY_HAS_REF = 1 << 0, ENERGY_HAS_STEP = 1 << 1 };

/*
 * Energy of one owner in one UTC hour. Times are domain-seconds: each counter that the owner has a
 * part in adds its own, so that metered_ns / elapsed_ns is the coverage. A gap row has energy only
 * when a counter came back and its bridged energy could no longer be attributed (unallocated).
 */
struct batch_energy {
    uint32_t has;
    int64_t hour_s;      /* begin of the UTC hour, seconds since 1970 */
    unsigned owner;      /* enum owner */
    uint64_t ref;        /* HAS_REF: of OWNER_STEP and OWNER_REMAINDER */
    uint32_t step_id;    /* HAS_STEP: of OWNER_STEP */
    unsigned component;  /* enum component */
    unsigned quality;    /* enum quality */
    char sensor[SENSOR_NAME_SIZE];
    uint64_t active_uj, idle_uj;
    uint64_t metered_ns, elapsed_ns;
};

enum { POWER_HAS_COMPONENT = 1 << 0 };

/*
 * A job's power in one UTC minute: energy_uj over the span_ns of it that the job lived and the
 * component was metered. A job that lived unmetered has no record: 0 uJ is a measured nothing.
 */
struct batch_power {
    uint32_t has;
    unsigned component; /* HAS_COMPONENT, enum component; without it: all of them together */
    int64_t minute_s;
    uint64_t ref;
    uint64_t energy_uj;
    uint64_t span_ns;
};

/* What the node's counters counted in one UTC hour. In order of hour within each component. */
struct batch_total {
    uint32_t has;
    int64_t hour_s;
    unsigned component;
    uint64_t counted_uj;
};

/* Cumulative energy counted since the stream began. */
struct batch_component {
    uint32_t has;
    unsigned component;
    uint64_t begin_uj, end_uj;
};

/* A mark whose effect is in this batch (or an earlier one) and which may still lie in MarkDir. */
struct batch_consumed {
    uint32_t has;
    char name[MARK_NAME_SIZE];
};

/* Learned idle floor of a counter: checkpoint of the learner (plugin/ledger/floor.h). */
struct batch_floor {
    uint32_t has;
    char source[SOURCE_NAME_SIZE];
    char histogram[2048];
};

/* Arrays are malloc'ed, counts in n_*; a zeroed struct is an empty batch. */
struct batch {
    struct batch_head head;
    struct batch_counter *counters;
    struct batch_package *packages;
    struct batch_job *jobs;
    struct batch_step *steps;
    struct batch_energy *energies;
    struct batch_power *powers;
    struct batch_total *totals;
    struct batch_component *components;
    struct batch_consumed *consumed;
    struct batch_floor *floors;
    size_t n_counters, n_packages, n_jobs, n_steps, n_energies, n_powers, n_totals, n_components,
        n_consumed, n_floors;
};

extern const struct record_desc batch_head_desc, batch_counter_desc, batch_package_desc,
    batch_job_desc, batch_step_desc, batch_energy_desc, batch_power_desc, batch_total_desc,
    batch_component_desc, batch_consumed_desc, batch_floor_desc;

/*
 * Append a copy of *item to one of a batch's arrays: batch_push(&b->jobs, &b->n_jobs,
 * sizeof(job), &job). Returns the copy (valid until the next push) or NULL without memory.
 */
void *batch_push(void *array, size_t *count, size_t item_size, const void *item);

/* Frees what the arrays hold and zeroes *batch. */
void batch_clear(struct batch *batch);

/* Append the whole file, with its end line. */
void batch_write(struct buf *buf, const struct batch *batch);

/*
 * Read the text of a batch file (len bytes, NUL-terminated, changed in place) and check its
 * invariants. -EBADMSG with the reason for torn, altered, foreign, newer or unbalanced text;
 * -ENOMEM. *ret_batch is then empty; else the caller ends it with batch_clear().
 */
MUST_CHECK int batch_read(char *text, size_t len, struct batch *ret_batch, struct error *err);

/*
 * Durations are CLOCK_BOOTTIME's. Where the wall clock was set between the begin and the end of a
 * job, its begin is told anew, as far before the end as it was: the later label is the better one,
 * as of a node that boots in 1970 until its clock is set. (A label that a slew of below a second
 * could explain stays as it is, and the end is told from it.) Steps are told from their job's
 * begin, and so lie in its time as they did, whenever each label was read.
 */
void batch_mend_labels(struct batch *batch);

/* Assert B1 to B4: 0, or -EBADMSG with the first that does not hold and where. */
MUST_CHECK int batch_check(const struct batch *batch, struct error *err);

/* "<node>-<stream>-<seq>.batch": 16 hexadecimal digits of the stream, 12 of the seq. */
void batch_file_name(const struct batch_head *head, char ret_name[BATCH_NAME_SIZE]);

const struct batch_job *batch_find_job(const struct batch *batch, uint64_t ref);

#endif
