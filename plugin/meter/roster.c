/*
 * Invariants of the roster:
 *   R1  Every job and step that is open here is open in the ledger under the same reference, and
 *       the other way round.
 *   R2  At most one open job has a given job id.
 *   R3  A reference is given once in a stream: next_ref only grows, and is in every batch.
 *   R4  A step is in the roster before its energy can be split: its job is begun first, with
 *       FLAG_BEGIN_LOST when no prolog told of it.
 *   R5  Nothing stays open for ever: a step ends by its mark, with its job, or when its slurmstepd
 *       is gone; a job by its mark, by the next begin of its id, or, when no prolog announced it,
 *       some time after its last step.
 *
 * What ended is remembered for a while (the last ENDED_MAX of each), so that a mark told twice, as
 * by a plugin that is listed twice, changes nothing.
 */
#include "meter/roster.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "meter/log.h"

#define ENDED_MAX 1024

struct roster_job {
    struct batch_job job;
    bool implicit;         /* no prolog told of it */
    unsigned n_steps;      /* open */
    uint64_t idle_since_ns; /* when its last open step ended, or it began */
    int64_t idle_since_wall_ns;
};

struct roster_step {
    uint64_t ref;
    uint32_t step_id;
    struct cputime *cpu;   /* NULL: its CPU time comes with the end mark only */
    bool is_over;          /* cpu is NULL because nothing of it was left when it was looked for */
    uint64_t cpu_ns;       /* last read */
    bool was_gone;         /* at the last look */
    uint64_t alive_ns;     /* last known alive */
    int64_t alive_wall_ns;
};

struct ended_job {
    uint32_t job_id;
    uint32_t restart_count;
};

struct ended_step {
    uint64_t ref;
    uint32_t step_id;
};

struct roster {
    struct ledger *ledger;
    struct cputime_node *cputime;
    uint64_t next_ref;
    uint64_t looked_ns; /* when steps were last looked for */
    struct roster_job *jobs;
    struct roster_step *steps;
    size_t n_jobs, n_steps, jobs_room, steps_room;
    struct ended_job ended_jobs[ENDED_MAX];
    struct ended_step ended_steps[ENDED_MAX];
    uint64_t n_ended_jobs, n_ended_steps; /* ever */
    struct roster_counts counts;
};

/* --- looking up ------------------------------------------------------------------------------ */

static struct roster_job *find_job(struct roster *roster, uint32_t job_id)
{
    for (size_t i = 0; i < roster->n_jobs; i++)
        if (roster->jobs[i].job.job_id == job_id)
            return &roster->jobs[i];
    return NULL;
}

static struct roster_job *find_ref(struct roster *roster, uint64_t ref)
{
    for (size_t i = 0; i < roster->n_jobs; i++)
        if (roster->jobs[i].job.ref == ref)
            return &roster->jobs[i];
    return NULL;
}

static struct roster_step *find_step(struct roster *roster, uint64_t ref, uint32_t step_id)
{
    for (size_t i = 0; i < roster->n_steps; i++)
        if (roster->steps[i].ref == ref && roster->steps[i].step_id == step_id)
            return &roster->steps[i];
    return NULL;
}

static bool job_has_ended(const struct roster *roster, uint32_t job_id)
{
    for (uint64_t i = 0; i < ENDED_MAX && i < roster->n_ended_jobs; i++)
        if (roster->ended_jobs[i].job_id == job_id)
            return true;
    return false;
}

static bool step_has_ended(const struct roster *roster, uint64_t ref, uint32_t step_id)
{
    for (uint64_t i = 0; i < ENDED_MAX && i < roster->n_ended_steps; i++)
        if (roster->ended_steps[i].ref == ref && roster->ended_steps[i].step_id == step_id)
            return true;
    return false;
}

static int grow(void *items, size_t count, size_t *room, size_t item_size)
{
    void **array = items;
    size_t wanted = *room ? *room * 2 : 16;
    void *grown;

    if (count < *room)
        return 0;
    grown = realloc(*array, wanted * item_size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *room = wanted;
    return 0;
}

/* --- facts about a job ----------------------------------------------------------------------- */

/* Which bit of a job a bit of a mark tells, where the facts are copied. */
#define COPY_TEXT(JOB_BIT, MARK_BIT, to, from)                                              \
    do {                                                                                    \
        if ((mark->has & (MARK_BIT)) && !(job->has & (JOB_BIT))) {                          \
            _Static_assert(sizeof(job->to) == sizeof(mark->from), "texts of one size");     \
            memcpy(job->to, mark->from, sizeof(job->to));                                   \
            job->has |= (JOB_BIT);                                                          \
        }                                                                                   \
    } while (0)

static void copy_texts(struct batch_job *job, const struct mark *mark)
{
    COPY_TEXT(JOB_HAS_SLUID, MARK_HAS_SLUID, sluid, sluid);
    COPY_TEXT(JOB_HAS_USER, MARK_HAS_USER, user, user);
    COPY_TEXT(JOB_HAS_ACCOUNT, MARK_HAS_ACCOUNT, account, account);
    COPY_TEXT(JOB_HAS_PARTITION, MARK_HAS_PARTITION, partition, partition);
    COPY_TEXT(JOB_HAS_QOS, MARK_HAS_QOS, qos, qos);
    COPY_TEXT(JOB_HAS_NAME, MARK_HAS_JOB_NAME, name, job_name);
}

/* Whether the mark tells what the job does not know yet; notes that it knows now. */
static bool is_news(struct batch_job *job, uint32_t job_bit, const struct mark *mark,
                    uint32_t mark_bit)
{
    if (!(mark->has & mark_bit) || (job->has & job_bit))
        return false;
    job->has |= job_bit;
    return true;
}

static void copy_numbers(struct batch_job *job, const struct mark *mark)
{
    if (is_news(job, JOB_HAS_UID, mark, MARK_HAS_UID)) {
        job->uid = mark->uid;
        job->gid = mark->gid;
    }
    if (is_news(job, JOB_HAS_RESTARTS, mark, MARK_HAS_RESTARTS))
        job->restart_count = mark->restart_count;
    if (is_news(job, JOB_HAS_ARRAY, mark, MARK_HAS_ARRAY)) {
        job->array_job_id = mark->array_job_id;
        job->array_task_id = mark->array_task_id;
    }
    if (is_news(job, JOB_HAS_HET, mark, MARK_HAS_HET)) {
        job->het_job_id = mark->het_job_id;
        job->het_offset = mark->het_offset;
    }
    if (is_news(job, JOB_HAS_NODES, mark, MARK_HAS_NODES))
        job->node_count = mark->node_count;
    if (is_news(job, JOB_HAS_CPUS, mark, MARK_HAS_CPUS))
        job->cpu_count = mark->cpu_count;
}

/* Cores and memory follow the newest mark: a job can be shrunk. Devices come from the prolog only:
   a step's environment is the user's. */
static void copy_resources(struct batch_job *job, const struct mark *mark)
{
    if (mark->has & MARK_HAS_JOB_CORES) {
        job->has |= JOB_HAS_CORES;
        job->cores = mark->job_cores;
    }
    if (mark->has & MARK_HAS_MEMORY) {
        job->has |= JOB_HAS_MEMORY;
        job->memory_mb = mark->memory_mb;
    }
    if ((mark->has & MARK_HAS_JOB_GPUS) && mark->edge == MARK_JOB_BEGIN) {
        job->has |= JOB_HAS_GPUS;
        job->gpus = mark->job_gpus;
    }
}

/* Take over what the mark tells about the job. True when that was something new. */
static bool learn(struct batch_job *job, const struct mark *mark)
{
    struct batch_job before = *job;

    copy_texts(job, mark);
    copy_numbers(job, mark);
    copy_resources(job, mark);
    return job->has != before.has || job->memory_mb != before.memory_mb ||
           !idset_equal(&job->cores, &before.cores) || !idset_equal(&job->gpus, &before.gpus);
}

static int learn_and_tell(struct roster *roster, struct roster_job *at, const struct mark *mark)
{
    struct batch_job job = at->job;
    int rc;

    if (!learn(&job, mark))
        return 0;
    rc = ledger_job_update(roster->ledger, &job);
    if (rc == 0)
        at->job = job;
    return rc;
}

/* --- ending ---------------------------------------------------------------------------------- */

/* The step has left the ledger. */
static void forget_step(struct roster *roster, struct roster_step *step, uint64_t at,
                        int64_t wall_ns)
{
    struct roster_job *job = find_ref(roster, step->ref);

    roster->ended_steps[roster->n_ended_steps++ % ENDED_MAX] =
        (struct ended_step){ step->ref, step->step_id };
    if (job && --job->n_steps == 0) {
        job->idle_since_ns = at;
        job->idle_since_wall_ns = wall_ns;
    }
    cputime_close(step->cpu);
    *step = roster->steps[--roster->n_steps];
}

/* The job has left the ledger, with its steps. */
static void forget_job(struct roster *roster, struct roster_job *job, uint64_t at, int64_t wall_ns)
{
    for (size_t i = roster->n_steps; i-- > 0;)
        if (roster->steps[i].ref == job->job.ref)
            forget_step(roster, &roster->steps[i], at, wall_ns);
    *job = roster->jobs[--roster->n_jobs];
}

static void remember_ended_job(struct roster *roster, const struct batch_job *job)
{
    roster->ended_jobs[roster->n_ended_jobs++ % ENDED_MAX] =
        (struct ended_job){ job->job_id, job->restart_count };
}

static int read_step_cpu(struct roster *roster, struct roster_step *step, uint64_t now)
{
    uint64_t cpu_ns;

    if (!step->cpu || cputime_read(step->cpu, &cpu_ns) < 0 || cpu_ns < step->cpu_ns)
        return 0;
    step->cpu_ns = cpu_ns;
    return ledger_step_cpu(roster->ledger, step->ref, step->step_id, now, cpu_ns);
}

static int end_job(struct roster *roster, struct roster_job *job, uint64_t at, int64_t wall_ns,
                   const int64_t *exit_status, uint32_t flags)
{
    int rc = ledger_job_end(roster->ledger, job->job.ref, at, wall_ns, exit_status, flags);

    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (flags & FLAG_END_LOST)
        roster->counts.lost++;
    /* an implicit job that fell silent may have more steps: it begins anew then */
    if (!(job->implicit && (flags & FLAG_END_LOST)))
        remember_ended_job(roster, &job->job);
    forget_job(roster, job, at, wall_ns);
    return 0;
}

static int end_step(struct roster *roster, struct roster_step *step, uint64_t at, int64_t wall_ns,
                    uint64_t cpu_ns, const int64_t *exit_status, uint32_t flags)
{
    uint64_t most = cpu_ns > step->cpu_ns ? cpu_ns : step->cpu_ns;
    int rc = ledger_step_end(roster->ledger, step->ref, step->step_id, at, wall_ns, most,
                             exit_status, flags);

    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (flags & FLAG_END_LOST)
        roster->counts.lost++;
    forget_step(roster, step, at, wall_ns);
    return 0;
}

/* --- beginning ------------------------------------------------------------------------------- */

static int begin_job(struct roster *roster, const struct mark *mark, bool implicit,
                     struct roster_job **ret_job)
{
    struct roster_job job = {
        .job = {
            .ref = roster->next_ref,
            .job_id = mark->job_id,
            .begin_boottime_ns = mark->boottime_ns,
            .begin_wall_ns = mark->wall_ns,
            .flags = implicit ? FLAG_BEGIN_LOST : 0,
        },
        .implicit = implicit,
        .idle_since_ns = mark->boottime_ns,
        .idle_since_wall_ns = mark->wall_ns,
    };
    int rc = grow(&roster->jobs, roster->n_jobs, &roster->jobs_room, sizeof(job));

    if (rc < 0)
        return rc;
    learn(&job.job, mark);
    rc = ledger_job_begin(roster->ledger, &job.job);
    if (rc < 0)
        return rc;
    roster->next_ref++;
    roster->jobs[roster->n_jobs] = job;
    *ret_job = &roster->jobs[roster->n_jobs++];
    return 0;
}

static struct batch_step step_of_mark(const struct mark *mark, uint64_t ref)
{
    struct batch_step step = {
        .ref = ref,
        .step_id = mark->step_id,
        .begin_boottime_ns = mark->boottime_ns,
        .begin_wall_ns = mark->wall_ns,
        .cores = mark->step_cores,
        .gpus = mark->step_gpus,
        .stepd_pid = mark->stepd_pid,
        .stepd_start_ticks = mark->stepd_start_ticks,
    };

    memcpy(step.cgroup, mark->cgroup, sizeof(step.cgroup));
    step.has = (mark->has & MARK_HAS_STEP_CORES ? STEP_HAS_CORES : 0u) |
               (mark->has & MARK_HAS_STEP_GPUS ? STEP_HAS_GPUS : 0u) |
               (mark->has & MARK_HAS_CGROUP ? STEP_HAS_CGROUP : 0u) |
               (mark->has & MARK_HAS_STEPD ? STEP_HAS_STEPD : 0u);
    return step;
}

/* Follow the step's CPU time, if that is possible, and it was not opened before. */
static void watch(struct roster *roster, struct roster_step *step, const struct batch_step *record)
{
    int rc;

    if (step->cpu)
        return;
    rc = cputime_open(roster->cputime, record->cgroup, record->stepd_pid,
                      record->stepd_start_ticks, &step->cpu, NULL);
    if (rc < 0)
        step->cpu = NULL;
    /* when the mark named no process, its absence proves nothing */
    step->is_over = rc == -ESRCH && record->has & STEP_HAS_STEPD;
}

/* Begin a step in the ledger and here. *cpu is taken. */
static int begin_step(struct roster *roster, struct roster_job *job, const struct mark *mark,
                      uint32_t flags, struct cputime **cpu)
{
    struct batch_step step = step_of_mark(mark, job->job.ref);
    int rc = grow(&roster->steps, roster->n_steps, &roster->steps_room, sizeof(*roster->steps));

    step.flags = flags;
    if (rc == 0)
        rc = ledger_step_begin(roster->ledger, &step);
    if (rc < 0)
        return rc;
    roster->steps[roster->n_steps] = (struct roster_step){
        .ref = step.ref,
        .step_id = step.step_id,
        .cpu = *cpu,
        .alive_ns = mark->boottime_ns,
        .alive_wall_ns = mark->wall_ns,
    };
    *cpu = NULL;
    if (mark->edge == MARK_STEP_BEGIN)
        watch(roster, &roster->steps[roster->n_steps], &step);
    roster->n_steps++;
    job->n_steps++;
    return 0;
}

/* --- the four edges -------------------------------------------------------------------------- */

/* Whether a begin of a job that is open tells the same begin once more. */
static bool is_same_begin(const struct roster_job *job, const struct mark *mark)
{
    const struct batch_job *open = &job->job;

    if (job->implicit)
        return true; /* its prolog's mark came after its first step's */
    if ((mark->has & MARK_HAS_RESTARTS) && (open->has & JOB_HAS_RESTARTS) &&
        mark->restart_count != open->restart_count)
        return false;
    if ((mark->has & MARK_HAS_SLUID) && (open->has & JOB_HAS_SLUID) &&
        strcmp(mark->sluid, open->sluid) != 0)
        return false;
    /* ids come again when slurmctld was set up anew */
    return job->n_steps || mark->boottime_ns <= open->begin_boottime_ns + ROSTER_REPEAT_NS;
}

static int apply_job_begin(struct roster *roster, const struct mark *mark)
{
    struct roster_job *job = find_job(roster, mark->job_id);
    int rc = 0;

    if (job && is_same_begin(job, mark)) {
        roster->counts.repeated += !job->implicit;
        job->implicit = false;
        return learn_and_tell(roster, job, mark);
    }
    if (job) /* its epilog never told */
        rc = end_job(roster, job, mark->boottime_ns, mark->wall_ns, NULL, FLAG_END_LOST);
    return rc < 0 ? rc : begin_job(roster, mark, false, &job);
}

static int apply_job_end(struct roster *roster, const struct mark *mark)
{
    struct roster_job *job = find_job(roster, mark->job_id);

    if (!job) {
        if (job_has_ended(roster, mark->job_id))
            roster->counts.repeated++;
        else
            roster->counts.stray++;
        return 0;
    }
    return end_job(roster, job, mark->boottime_ns, mark->wall_ns,
                   mark->has & MARK_HAS_EXIT ? &mark->exit_status : NULL, 0);
}

/* The open job of a step's mark; *ret_job is NULL when the job is over. */
static int job_of_step(struct roster *roster, const struct mark *mark, struct roster_job **ret_job)
{
    *ret_job = find_job(roster, mark->job_id);
    if (*ret_job)
        return learn_and_tell(roster, *ret_job, mark);
    if (!job_has_ended(roster, mark->job_id))
        return begin_job(roster, mark, true, ret_job);
    roster->counts.stray++;
    return 0;
}

static int apply_step_begin(struct roster *roster, const struct mark *mark, struct cputime **cpu)
{
    struct roster_job *job;
    int rc = job_of_step(roster, mark, &job);

    if (rc < 0 || !job)
        return rc;
    if (find_step(roster, job->job.ref, mark->step_id) ||
        step_has_ended(roster, job->job.ref, mark->step_id)) {
        roster->counts.repeated++;
        return 0;
    }
    return begin_step(roster, job, mark, 0, cpu);
}

static int apply_step_end(struct roster *roster, const struct mark *mark)
{
    const int64_t *exit_status = mark->has & MARK_HAS_EXIT ? &mark->exit_status : NULL;
    struct roster_job *job;
    struct roster_step *step;
    struct cputime *none = NULL;
    int rc = job_of_step(roster, mark, &job);

    if (rc < 0 || !job)
        return rc;
    step = find_step(roster, job->job.ref, mark->step_id);
    if (!step && step_has_ended(roster, job->job.ref, mark->step_id)) {
        roster->counts.repeated++;
        return 0;
    }
    if (!step) { /* it was here, but nobody knows since when: present, with no length */
        rc = begin_step(roster, job, mark, FLAG_BEGIN_LOST, &none);
        if (rc < 0)
            return rc;
        step = &roster->steps[roster->n_steps - 1];
    }
    return end_step(roster, step, mark->boottime_ns, mark->wall_ns,
                    mark->has & MARK_HAS_CPU ? mark->cpu_ns : 0, exit_status, 0);
}

int roster_foresee(struct roster *roster, const struct mark *mark)
{
    struct roster_job *job = find_job(roster, mark->job_id);
    struct roster_step *step = NULL;

    if (job && mark->edge == MARK_STEP_END && mark->has & MARK_HAS_CPU)
        step = find_step(roster, job->job.ref, mark->step_id);
    return step ? ledger_step_cpu(roster->ledger, step->ref, step->step_id, mark->boottime_ns,
                                  mark->cpu_ns)
                : 0;
}

int roster_apply(struct roster *roster, const struct mark *mark, struct cputime **cpu)
{
    switch ((enum mark_edge)mark->edge) {
    case MARK_JOB_BEGIN:
        return apply_job_begin(roster, mark);
    case MARK_JOB_END:
        return apply_job_end(roster, mark);
    case MARK_STEP_BEGIN:
        return apply_step_begin(roster, mark, cpu);
    case MARK_STEP_END:
        return apply_step_end(roster, mark);
    }
    return 0;
}

/* --- between the edges ----------------------------------------------------------------------- */

int roster_read_cpu(struct roster *roster, uint64_t now)
{
    for (size_t i = 0; i < roster->n_steps; i++) {
        int rc = read_step_cpu(roster, &roster->steps[i], now);

        if (rc < 0 && rc != -ENOENT)
            return rc;
    }
    return 0;
}

/* Look for the steps' processes. */
static int check_steps(struct roster *roster, const struct marks *marks, uint64_t now,
                       int64_t wall_ns)
{
    for (size_t i = roster->n_steps; i-- > 0;) {
        struct roster_step *step = &roster->steps[i];
        const struct roster_job *job = find_ref(roster, step->ref);
        int rc;

        if (!step->cpu && !step->is_over)
            continue; /* cannot be known; it ends with its job */
        if (step->cpu && cputime_alive(step->cpu)) {
            step->was_gone = false;
            step->alive_ns = now;
            step->alive_wall_ns = wall_ns;
            continue;
        }
        if (!step->was_gone) {
            step->was_gone = true;
            continue;
        }
        if (job && marks_tell_end(marks, job->job.job_id, step->step_id))
            continue;
        rc = end_step(roster, step, step->alive_ns, step->alive_wall_ns, 0, NULL, FLAG_END_LOST);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_jobs(struct roster *roster, const struct marks *marks, uint64_t now)
{
    for (size_t i = roster->n_jobs; i-- > 0;) {
        struct roster_job *job = &roster->jobs[i];
        int rc;

        if (!job->implicit || job->n_steps || now - job->idle_since_ns < ROSTER_IMPLICIT_NS ||
            marks_tell_end(marks, job->job.job_id, STEP_PENDING))
            continue;
        rc = end_job(roster, job, job->idle_since_ns, job->idle_since_wall_ns, NULL, FLAG_END_LOST);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int roster_check_alive(struct roster *roster, const struct marks *marks, uint64_t now,
                       int64_t wall_ns)
{
    uint64_t lost = roster->counts.lost;
    int rc;

    if (now - roster->looked_ns < ROSTER_ALIVE_NS)
        return 0;
    roster->looked_ns = now;
    rc = check_steps(roster, marks, now, wall_ns);
    if (rc == 0)
        rc = check_jobs(roster, marks, now);
    if (roster->counts.lost > lost)
        log_line(LOG_LEVEL_NOTICE, "%llu steps or jobs ended without an end mark; booked up to "
                 "when they were last seen, flagged end_lost",
                 (unsigned long long)(roster->counts.lost - lost));
    return rc;
}

/* --- start and end --------------------------------------------------------------------------- */

struct roster *roster_new(struct ledger *ledger, struct cputime_node *cputime)
{
    struct roster *roster = calloc(1, sizeof(*roster));

    if (roster) {
        roster->ledger = ledger;
        roster->cputime = cputime;
        roster->next_ref = 1;
    }
    return roster;
}

struct roster *roster_free(struct roster *roster)
{
    if (!roster)
        return NULL;
    for (size_t i = 0; i < roster->n_steps; i++)
        cputime_close(roster->steps[i].cpu);
    free(roster->jobs);
    free(roster->steps);
    free(roster);
    return NULL;
}

static int resume_job(struct roster *roster, const struct batch_job *job)
{
    int rc = grow(&roster->jobs, roster->n_jobs, &roster->jobs_room, sizeof(*roster->jobs));

    if (job->has & JOB_HAS_END) {
        remember_ended_job(roster, job);
        return 0;
    }
    if (rc < 0)
        return rc;
    roster->jobs[roster->n_jobs++] = (struct roster_job){
        .job = *job,
        .implicit = job->flags & FLAG_BEGIN_LOST,
    };
    return 0;
}

static int resume_step(struct roster *roster, const struct batch *checkpoint,
                       const struct batch_step *step)
{
    struct roster_job *job = find_ref(roster, step->ref);
    int rc = grow(&roster->steps, roster->n_steps, &roster->steps_room, sizeof(*roster->steps));

    if (step->has & STEP_HAS_END) {
        roster->ended_steps[roster->n_ended_steps++ % ENDED_MAX] =
            (struct ended_step){ step->ref, step->step_id };
        return 0;
    }
    if (!job)
        return 0; /* its job ended, and it with it */
    if (rc < 0)
        return rc;
    roster->steps[roster->n_steps] = (struct roster_step){
        .ref = step->ref,
        .step_id = step->step_id,
        .cpu_ns = step->cpu_ns,
        .alive_ns = checkpoint->head.end_boottime_ns,
        .alive_wall_ns = checkpoint->head.end_wall_ns,
    };
    watch(roster, &roster->steps[roster->n_steps++], step);
    job->n_steps++;
    return 0;
}

int roster_resume(struct roster *roster, const struct batch *checkpoint)
{
    int rc = 0;

    for (size_t i = 0; i < checkpoint->n_jobs && rc == 0; i++)
        rc = resume_job(roster, &checkpoint->jobs[i]);
    for (size_t i = 0; i < roster->n_jobs; i++) {
        roster->jobs[i].idle_since_ns = checkpoint->head.end_boottime_ns;
        roster->jobs[i].idle_since_wall_ns = checkpoint->head.end_wall_ns;
    }
    for (size_t i = 0; i < checkpoint->n_steps && rc == 0; i++)
        rc = resume_step(roster, checkpoint, &checkpoint->steps[i]);
    roster->next_ref = checkpoint->head.next_ref ? checkpoint->head.next_ref : 1;
    return rc;
}

size_t roster_jobs(const struct roster *roster)
{
    return roster->n_jobs;
}

size_t roster_steps(const struct roster *roster)
{
    return roster->n_steps;
}

uint64_t roster_next_ref(const struct roster *roster)
{
    return roster->next_ref;
}

const struct roster_counts *roster_count(const struct roster *roster)
{
    return &roster->counts;
}
