/*
 * mksite DIR NODES MINUTES [PART [SEED]]: what the meters of a whole site deliver, a batch a minute
 * from each of its nodes, as batch files in DIR/000, DIR/001, …: PART minutes in each (1). For
 * scripts/bench-scale; prints what it made as key=value.
 *
 * Two halves. A scheduler keeps four kinds of nodes full with jobs, drawn from the tables below.
 * Then each node is played by itself: its jobs, steps and counters are fed to a ledger of the
 * meter, and what that seals once a minute is what carbon-meterd would deliver. Nodes are not in
 * step: each seals at a second of the minute that is its own. The same SEED makes the same files.
 *
 * The tables are assumptions, of a site with some of everything: half of the nodes work for
 * parallel jobs that take them whole, a fifth is shared by small ones, a fifth has GPUs, and some
 * are idle. Most jobs are short and small, most of the time is that of few long ones. Published
 * figures were a guide in this: two jobs in five of the cluster of Queen's University Belfast are
 * tasks of arrays and one in four has steps beside its batch script (blogs.qub.ac.uk/dipsa, May
 * 2026); CPU efficiency at King's College London is 60 % (hackmd.io/@kcl-e-research, February
 * 2026).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"
#include "fake_meter.h"
#include "ledger/ledger.h"

#define S UINT64_C(1000000000)
#define BEGIN_S INT64_C(1792058400) /* 2026-10-15T10:00:00Z */
#define UP_S INT64_C(864000)        /* nodes booted so long before */
#define CORES_MAX 128
#define GPUS_MAX 8
#define PACKAGES 2
#define COUNTERS_MAX (2 * PACKAGES + GPUS_MAX + 1)
#define SRUNS_MAX 12

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- assumptions ------------------------------------------------------------------------------ */

/* Of `percent` of the jobs: nodes, and what they have on each. */
struct shape {
    unsigned percent;
    uint32_t nodes, cores, gpus;
};

static const struct shape shared_shapes[] = {
    { 45, 1, 1, 0 }, { 10, 1, 2, 0 }, { 15, 1, 4, 0 }, { 12, 1, 8, 0 }, { 12, 1, 16, 0 },
    { 6, 1, 32, 0 },
};
static const struct shape parallel_shapes[] = {
    { 50, 1, 128, 0 }, { 20, 2, 128, 0 }, { 14, 4, 128, 0 }, { 10, 8, 128, 0 }, { 4, 16, 128, 0 },
    { 2, 64, 128, 0 },
};
static const struct shape gpu_shapes[] = {
    { 65, 1, 8, 1 }, { 10, 1, 16, 2 }, { 10, 1, 32, 4 }, { 10, 1, 64, 8 }, { 3, 2, 64, 8 },
    { 2, 8, 64, 8 },
};

/* `percent` of the jobs are no longer than this; evenly between two. */
struct quantile {
    unsigned percent;
    uint64_t seconds;
};

static const struct quantile durations[] = {
    { 0, 4 }, { 10, 30 }, { 30, 180 }, { 50, 900 }, { 70, 3600 }, { 85, 14400 }, { 95, 43200 },
    { 99, 86400 }, { 100, 172800 },
};

struct kind {
    const char *name; /* of the partition */
    unsigned percent; /* of the nodes */
    uint32_t cores, gpus;
    bool meter; /* of the whole node */
    unsigned held_percent; /* of its cores, or GPUs */
    unsigned array_percent, srun_percent; /* of its jobs: are tasks of arrays; have srun steps */
    const struct shape *shapes;
    size_t n_shapes;
};

static const struct kind kinds[] = {
    { "shared", 20, 128, 0, false, 88, 40, 25, shared_shapes, COUNT(shared_shapes) },
    { "parallel", 55, 128, 0, true, 92, 5, 85, parallel_shapes, COUNT(parallel_shapes) },
    { "gpu", 20, 64, 8, true, 85, 20, 50, gpu_shapes, COUNT(gpu_shapes) },
    { "idle", 5, 128, 0, false, 0, 0, 0, NULL, 0 },
};

static const uint64_t cpu_idle_mw = 60000, cpu_full_mw = 240000; /* of a package */
static const uint64_t memory_idle_mw = 12000, memory_full_mw = 30000;
static const uint64_t gpu_idle_mw = 60000, gpu_full_mw = 400000; /* of a device */
static const uint64_t rest_mw = 150000; /* what a node's meter counts beside all this */

/* --- the site --------------------------------------------------------------------------------- */

struct job {
    const struct kind *kind;
    uint32_t id, array_id, task, uid, node_count, cores, gpus, load_ppt;
    unsigned sruns;
    bool at_once; /* its srun steps, else one after the other */
    uint32_t first_node; /* where its batch script runs */
    int64_t begin_ns, end_ns; /* since BEGIN_S */
    unsigned exit_status;
};

/* A job on a node. */
struct part {
    size_t job;
    uint64_t cores[CORES_MAX / 64], gpus;
};

struct node {
    const struct kind *kind;
    uint64_t free_cores[CORES_MAX / 64], free_gpus; /* now */
    struct part *parts; /* all there ever were */
    size_t n_parts;
};

/* What lives now: a job's part on a node, by index. */
struct live {
    uint32_t node;
    size_t part;
    int64_t end_ns;
};

static struct {
    struct node *nodes;
    size_t n_nodes;
    struct job *jobs;
    size_t n_jobs;
    struct live *lives;
    size_t n_lives;
    uint64_t random;
    uint32_t next_id;
    struct {
        uint64_t held, has; /* cores, or GPUs */
        uint32_t first, count, cursor; /* its nodes */
        struct job array; /* whose tasks are being submitted */
        unsigned tasks_left;
    } of[COUNT(kinds)];
} site;

static struct {
    uint64_t batches, bytes, rows[6], live_jobs, jobs_begun;
} made;
enum { JOBS, STEPS, ENERGIES, POWERS, TOTALS, COMPONENTS };

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "mksite: %s failed\n", what);
    exit(1);
}

static uint64_t below(uint64_t bound)
{
    return fake_random(&site.random, bound);
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

static void *push(void *array, size_t *count, size_t size, const void *item)
{
    void *copy = batch_push(array, count, size, item);

    need(copy != NULL, "malloc");
    return copy;
}

/* --- drawing a job ---------------------------------------------------------------------------- */

static uint64_t draw_seconds(void)
{
    uint64_t ppm = below(1000000);
    size_t i = 1;

    while (durations[i].percent * UINT64_C(10000) <= ppm)
        i++;
    return durations[i - 1].seconds +
           (durations[i].seconds - durations[i - 1].seconds) *
               (ppm - durations[i - 1].percent * UINT64_C(10000)) /
               ((durations[i].percent - durations[i - 1].percent) * UINT64_C(10000));
}

static const struct shape *draw_shape(const struct kind *kind)
{
    uint64_t percent = below(100), sum = 0;
    size_t i = 0;

    for (; i + 1 < kind->n_shapes && percent >= (sum += kind->shapes[i].percent); i++)
        ;
    return &kind->shapes[i];
}

/* A few users have most of the jobs. */
static uint32_t draw_uid(void)
{
    uint64_t users = 50 + site.n_nodes / 4, r = below(1000);

    return (uint32_t)(1000 + users * r * r / 1000 * r / 1000000);
}

static struct job draw_new(const struct kind *kind)
{
    const struct shape *shape = draw_shape(kind);
    struct job job = {
        .kind = kind, .uid = draw_uid(), .node_count = shape->nodes, .cores = shape->cores,
        .gpus = shape->gpus, .load_ppt = 200 + (uint32_t)below(800),
        .exit_status = chance(8) ? 256 : 0,
    };

    if (chance(kind->srun_percent))
        job.sruns = chance(60) ? 1 : 2 + (unsigned)below(SRUNS_MAX - 1);
    job.at_once = job.sruns > 1 && chance(25);
    return job;
}

static struct job draw_job(size_t k)
{
    const struct kind *kind = &kinds[k];

    if (site.of[k].tasks_left == 0 && chance(kind->array_percent) && chance(5)) {
        site.of[k].array = draw_new(kind);
        site.of[k].array.array_id = site.next_id;
        site.of[k].tasks_left = 10 + (unsigned)below(190);
    }
    if (site.of[k].tasks_left > 0 && chance(kind->array_percent * 3 / 2)) {
        site.of[k].tasks_left--;
        site.of[k].array.task++;
        return site.of[k].array;
    }
    return draw_new(kind);
}

/* --- placing it ------------------------------------------------------------------------------- */

static unsigned bits(const uint64_t *words, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (unsigned)__builtin_popcountll(words[i]);
    return sum;
}

static bool fits(const struct node *node, const struct job *job)
{
    return bits(node->free_cores, COUNT(node->free_cores)) >= job->cores &&
           bits(&node->free_gpus, 1) >= job->gpus;
}

static void take_lowest(uint64_t *from, uint64_t *to, uint32_t count)
{
    for (; count > 0; count--) {
        while (*from == 0) {
            from++;
            to++;
        }
        *to |= *from & -*from;
        *from &= *from - 1;
    }
}

static void take(uint32_t index, size_t job_index)
{
    const struct job *job = &site.jobs[job_index];
    struct node *node = &site.nodes[index];
    struct part part = { .job = job_index };
    struct live live = { .node = index, .part = node->n_parts, .end_ns = job->end_ns };

    take_lowest(node->free_cores, part.cores, job->cores);
    take_lowest(&node->free_gpus, &part.gpus, job->gpus);
    push(&node->parts, &node->n_parts, sizeof(part), &part);
    push(&site.lives, &site.n_lives, sizeof(live), &live);
}

/* On the next nodes of its kind that have room; false: there are not enough. */
static bool place(size_t k, const struct job *drawn, int64_t begin_ns, uint64_t seconds)
{
    uint32_t nodes[64], found = 0, i = 0;
    struct job *job;

    for (; i < site.of[k].count && found < drawn->node_count; i++) {
        uint32_t index = site.of[k].first + (site.of[k].cursor + i) % site.of[k].count;

        if (fits(&site.nodes[index], drawn))
            nodes[found++] = index;
    }
    if (found < drawn->node_count)
        return false;
    site.of[k].cursor = (site.of[k].cursor + i) % site.of[k].count;
    job = push(&site.jobs, &site.n_jobs, sizeof(*drawn), drawn);
    job->id = site.next_id++;
    job->first_node = nodes[0];
    job->begin_ns = begin_ns;
    job->end_ns = begin_ns + (int64_t)(seconds * S);
    if (seconds < 2 * (job->sruns + 1))
        job->sruns = job->sruns ? 1 : 0;
    for (i = 0; i < found; i++)
        take(nodes[i], site.n_jobs - 1);
    site.of[k].held += (uint64_t)found * (kinds[k].gpus ? job->gpus : job->cores);
    return true;
}

/* --- the scheduler ---------------------------------------------------------------------------- */

/* How long, and how long ago it began: at first the site is as it is found at any instant, in which
   long jobs are met more often. */
static uint64_t draw_life(bool first, uint64_t *ret_age_s)
{
    uint64_t longest = durations[COUNT(durations) - 1].seconds, seconds = draw_seconds();

    while (first && below(longest) >= seconds)
        seconds = draw_seconds();
    *ret_age_s = first ? below(seconds) : 0;
    return seconds;
}

static void fill(size_t k, int64_t now_ns, bool first)
{
    unsigned misfits = 0, most = first ? 2000 : 20;

    while (site.of[k].held * 100 < site.of[k].has * kinds[k].held_percent && misfits < most) {
        struct job job = draw_job(k);
        uint64_t age_s, seconds = draw_life(first, &age_s);

        if (!place(k, &job, now_ns - (int64_t)(age_s * S) + (int64_t)below(S), seconds))
            misfits++;
        else if (!first)
            made.jobs_begun++;
    }
}

static void release(const struct live *live)
{
    struct node *node = &site.nodes[live->node];
    const struct part *part = &node->parts[live->part];
    size_t k = (size_t)(node->kind - kinds);

    for (size_t i = 0; i < COUNT(part->cores); i++)
        node->free_cores[i] |= part->cores[i];
    node->free_gpus |= part->gpus;
    site.of[k].held -= kinds[k].gpus ? bits(&part->gpus, 1)
                                     : bits(part->cores, COUNT(part->cores));
}

/* Second by second: what ended leaves, and what waits takes its place. */
static void schedule(uint64_t minutes)
{
    for (size_t k = 0; k < COUNT(kinds); k++)
        fill(k, 0, true);
    for (int64_t now_ns = 0; now_ns < (int64_t)((minutes + 1) * 60 * S); now_ns += (int64_t)S) {
        size_t kept = 0;

        for (size_t i = 0; i < site.n_lives; i++) {
            if (site.lives[i].end_ns <= now_ns)
                release(&site.lives[i]);
            else
                site.lives[kept++] = site.lives[i];
        }
        if (kept == site.n_lives)
            continue;
        site.n_lives = kept;
        for (size_t k = 0; k < COUNT(kinds); k++)
            fill(k, now_ns, false);
    }
}

static void make_nodes(void)
{
    uint32_t index = 0;

    site.nodes = calloc(site.n_nodes, sizeof(*site.nodes));
    need(site.nodes != NULL, "calloc");
    for (size_t k = 0, percent = 0; k < COUNT(kinds); k++) {
        percent += kinds[k].percent;
        site.of[k].first = index;
        for (; index < site.n_nodes * percent / 100; index++) {
            struct node *node = &site.nodes[index];

            node->kind = &kinds[k];
            for (uint32_t core = 0; core < kinds[k].cores; core++)
                node->free_cores[core / 64] |= UINT64_C(1) << core % 64;
            node->free_gpus = (UINT64_C(1) << kinds[k].gpus) - 1;
        }
        site.of[k].count = index - site.of[k].first;
        site.of[k].has = (uint64_t)site.of[k].count *
                         (kinds[k].gpus ? kinds[k].gpus : kinds[k].cores);
    }
}

/* --- one node: what happens on it ------------------------------------------------------------- */

struct step {
    const struct part *part;
    uint64_t ref;
    uint32_t id;
    int64_t begin_ns, end_ns;
    uint64_t load_ppt; /* of one core, all its cores together */
    uint64_t cpu_ns;
    bool runs;
};

enum event_kind { JOB_BEGIN, STEP_BEGIN, STEP_END, JOB_END, SEAL };
struct event {
    int64_t at_ns;
    enum event_kind kind;
    size_t index; /* of the part or step */
};

struct play {
    const struct node *node;
    uint32_t number;
    const char *dir;
    uint64_t minutes, part_minutes;
    int64_t begin_ns;
    uint64_t seq;
    int64_t now_ns;
    struct ledger *ledger;
    struct ledger_counter counters[COUNTERS_MAX];
    uint64_t raw_uj[COUNTERS_MAX];
    size_t n_counters;
    uint64_t busy_ns[PACKAGES];
    struct step *steps;
    size_t n_steps;
    struct event *events;
    size_t n_events;
    struct batch_consumed *consumed;
    size_t n_consumed;
    size_t held_gpu_part[GPUS_MAX]; /* + 1; 0: free */
    unsigned live_jobs;
};

static uint64_t boottime(int64_t ns)
{
    return (uint64_t)(ns + UP_S * (int64_t)S);
}

static int64_t wall(int64_t ns)
{
    return ns + BEGIN_S * (int64_t)S;
}

static const struct job *job_of(const struct part *part)
{
    return &site.jobs[part->job];
}

static uint64_t ref_of(const struct play *play, const struct part *part)
{
    return (uint64_t)(part - play->node->parts) + 1;
}

static void add_event(struct play *play, int64_t at_ns, enum event_kind kind, size_t index)
{
    struct event event = { at_ns, kind, index };

    if (at_ns < play->begin_ns) /* it was there when the meter started */
        event.at_ns = play->begin_ns;
    push(&play->events, &play->n_events, sizeof(event), &event);
}

static void add_step(struct play *play, const struct part *part, uint32_t id, int64_t begin_ns,
                     int64_t end_ns)
{
    const struct job *job = job_of(part);
    uint64_t share = job->sruns && job->at_once && id < job->sruns ? job->sruns : 1;
    struct step step = { .part = part, .ref = ref_of(play, part), .id = id, .begin_ns = begin_ns,
                         .end_ns = end_ns };

    if (end_ns <= play->begin_ns)
        return;
    if (id != STEP_EXTERN)
        step.load_ppt = (uint64_t)job->load_ppt * job->cores / share;
    if (id == STEP_BATCH && job->sruns)
        step.load_ppt = 10;
    add_event(play, begin_ns, STEP_BEGIN, play->n_steps);
    add_event(play, end_ns, STEP_END, play->n_steps);
    push(&play->steps, &play->n_steps, sizeof(step), &step);
}

static void add_part(struct play *play, const struct part *part, bool first_node)
{
    const struct job *job = job_of(part);
    int64_t gap_ns = (int64_t)(S / 2), span_ns = job->end_ns - job->begin_ns - gap_ns;

    if (job->end_ns <= play->begin_ns)
        return;
    add_event(play, job->begin_ns, JOB_BEGIN, (size_t)(part - play->node->parts));
    add_event(play, job->end_ns, JOB_END, (size_t)(part - play->node->parts));
    add_step(play, part, STEP_EXTERN, job->begin_ns + 50000000, job->end_ns - 50000000);
    if (first_node || !job->sruns)
        add_step(play, part, STEP_BATCH, job->begin_ns + 100000000, job->end_ns - 100000000);
    for (uint32_t i = 0; i < job->sruns; i++) {
        int64_t each_ns = job->at_once ? span_ns : span_ns / job->sruns;
        int64_t begin_ns = job->begin_ns + gap_ns + (job->at_once ? 0 : (int64_t)i * each_ns);

        add_step(play, part, i, begin_ns, begin_ns + each_ns - gap_ns);
    }
}

static int compare_events(const void *va, const void *vb)
{
    const struct event *a = va, *b = vb;

    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* --- its counters ----------------------------------------------------------------------------- */

static void add_counter(struct play *play, enum component component, uint32_t domain,
                        const char *sensor, uint64_t max_w, uint64_t range_uj)
{
    struct ledger_counter *counter = &play->counters[play->n_counters++];

    *counter = (struct ledger_counter){ .component = component, .domain = domain,
                                        .range_uj = range_uj, .max_uw = max_w * 1000000 };
    snprintf(counter->sensor, sizeof(counter->sensor), "%s", sensor);
    snprintf(counter->source, sizeof(counter->source),
             component == COMPONENT_CPU      ? "intel-rapl:%" PRIu32
             : component == COMPONENT_MEMORY ? "intel-rapl:%" PRIu32 ":0"
             : component == COMPONENT_GPU    ? "nvml:%" PRIu32
                                             : "cray_pm:%" PRIu32,
             domain);
}

static void add_counters(struct play *play)
{
    const struct kind *kind = play->node->kind;

    for (uint32_t p = 0; p < PACKAGES; p++)
        add_counter(play, COMPONENT_CPU, p, "powercap", 600, 262143328850);
    for (uint32_t p = 0; p < PACKAGES; p++)
        add_counter(play, COMPONENT_MEMORY, p, "powercap", 300, 65712999613);
    for (uint32_t gpu = 0; gpu < kind->gpus; gpu++)
        add_counter(play, COMPONENT_GPU, gpu, "nvml", 1000, 0);
    if (kind->meter)
        add_counter(play, COMPONENT_OTHER, 0, "cray_pm", 12000, 0);
}

static uint64_t between(uint64_t idle_mw, uint64_t full_mw, uint64_t ppt)
{
    return idle_mw + (full_mw - idle_mw) * (ppt > 1000 ? 1000 : ppt) / 1000;
}

/* Power of a counter, where so many thousandths of the cores of each package are at work. */
static uint64_t power_mw(const struct play *play, const struct ledger_counter *counter,
                         const uint64_t ppt[PACKAGES])
{
    size_t held_by;

    switch (counter->component) {
    case COMPONENT_CPU:
        return between(cpu_idle_mw, cpu_full_mw, ppt[counter->domain]);
    case COMPONENT_MEMORY:
        return between(memory_idle_mw, memory_full_mw, ppt[counter->domain]);
    case COMPONENT_GPU:
        held_by = play->held_gpu_part[counter->domain];
        return held_by ? between(gpu_idle_mw, gpu_full_mw,
                                 job_of(&play->node->parts[held_by - 1])->load_ppt)
                       : gpu_idle_mw;
    default:
        return 0;
    }
}

/* Let time go by: steps work, counters count. */
static void advance(struct play *play, int64_t to_ns)
{
    uint64_t span_ns = (uint64_t)(to_ns - play->now_ns), load_ppt[PACKAGES] = { 0 };
    uint64_t per_package = play->node->kind->cores / PACKAGES, sum_uj = 0;

    for (size_t i = 0; i < play->n_steps; i++) {
        struct step *step = &play->steps[i];
        uint64_t cores = bits(step->part->cores, COUNT(step->part->cores));

        if (!step->runs)
            continue;
        step->cpu_ns += step->load_ppt * (span_ns / 1000);
        for (uint64_t p = 0; p < PACKAGES; p++)
            for (uint64_t core = p * per_package; core < (p + 1) * per_package; core++)
                if (step->part->cores[core / 64] >> core % 64 & 1)
                    load_ppt[p] += step->load_ppt / cores;
    }
    for (size_t p = 0; p < PACKAGES; p++) {
        load_ppt[p] += 2 * per_package; /* what the system needs */
        play->busy_ns[p] += load_ppt[p] * (span_ns / 1000);
        load_ppt[p] /= per_package;
    }
    for (size_t i = 0; i < play->n_counters; i++) {
        uint64_t mw = power_mw(play, &play->counters[i], load_ppt);
        uint64_t grown_uj = play->counters[i].component == COMPONENT_OTHER
                                ? sum_uj + rest_mw * (span_ns / 1000) / 1000
                                : mw * (span_ns / 1000) / 1000;

        sum_uj += grown_uj;
        play->raw_uj[i] += grown_uj;
    }
    play->now_ns = to_ns;
}

/* --- what the meter sees ---------------------------------------------------------------------- */

static void read_all(struct play *play)
{
    uint64_t at = boottime(play->now_ns);
    int rc = ledger_clock(play->ledger, at, wall(play->now_ns));

    for (size_t i = 0; i < play->n_counters && rc == 0; i++) {
        uint64_t range_uj = play->counters[i].range_uj;

        rc = ledger_reading(play->ledger, at, i,
                            range_uj ? play->raw_uj[i] % range_uj : play->raw_uj[i]);
    }
    for (uint32_t p = 0; p < PACKAGES && rc == 0; p++)
        rc = ledger_busy(play->ledger, at, p, play->busy_ns[p]);
    for (size_t i = 0; i < play->n_steps && rc == 0; i++)
        if (play->steps[i].runs)
            rc = ledger_step_cpu(play->ledger, play->steps[i].ref, play->steps[i].id, at,
                                 play->steps[i].cpu_ns);
    need(rc == 0, "a reading of the ledger");
}

static void note_mark(struct play *play, const struct job *job, uint32_t step_id,
                      enum mark_edge edge)
{
    struct mark mark = { .edge = edge, .boottime_ns = boottime(play->now_ns), .job_id = job->id,
                         .step_id = step_id };
    struct batch_consumed consumed = { 0 };

    if (edge == MARK_STEP_BEGIN || edge == MARK_STEP_END)
        mark.has = MARK_HAS_STEP;
    mark_file_name(&mark, consumed.name);
    push(&play->consumed, &play->n_consumed, sizeof(consumed), &consumed);
}

static void to_idset(const uint64_t *words, size_t count, struct idset *set)
{
    for (unsigned id = 0; id < count * 64; id++)
        if (words[id / 64] >> id % 64 & 1)
            idset_add(set, id);
}

static void begin_job(struct play *play, const struct part *part)
{
    const struct job *job = job_of(part);
    struct batch_job record = {
        .has = JOB_HAS_UID | JOB_HAS_USER | JOB_HAS_ACCOUNT | JOB_HAS_PARTITION | JOB_HAS_QOS |
               JOB_HAS_NAME | JOB_HAS_RESTARTS | JOB_HAS_NODES | JOB_HAS_CORES | JOB_HAS_GPUS |
               JOB_HAS_MEMORY | JOB_HAS_CPUS | (job->array_id ? JOB_HAS_ARRAY : 0),
        .ref = ref_of(play, part), .job_id = job->id, .uid = job->uid, .gid = 100 + job->uid % 40,
        .array_job_id = job->array_id, .array_task_id = job->task, .node_count = job->node_count,
        .cpu_count = job->cores, .memory_mb = (uint64_t)job->cores * 3900,
        .begin_boottime_ns = boottime(job->begin_ns), .begin_wall_ns = wall(job->begin_ns),
    };

    snprintf(record.user, sizeof(record.user), "user%" PRIu32, job->uid);
    snprintf(record.account, sizeof(record.account), "account%" PRIu32, job->uid % 40);
    snprintf(record.partition, sizeof(record.partition), "%s", job->kind->name);
    snprintf(record.qos, sizeof(record.qos), "normal");
    snprintf(record.name, sizeof(record.name), "run-%" PRIu32 ".sh", job->uid * 7919 % 997);
    to_idset(part->cores, COUNT(part->cores), &record.cores);
    to_idset(&part->gpus, 1, &record.gpus);
    need(ledger_job_begin(play->ledger, &record) == 0, "ledger_job_begin");
    note_mark(play, job, 0, MARK_JOB_BEGIN);
    for (size_t gpu = 0; gpu < GPUS_MAX; gpu++)
        if (part->gpus >> gpu & 1)
            play->held_gpu_part[gpu] = record.ref;
    play->live_jobs++;
}

static void end_job(struct play *play, const struct part *part)
{
    int64_t exit_status = job_of(part)->exit_status;

    need(ledger_job_end(play->ledger, ref_of(play, part), boottime(play->now_ns),
                        wall(play->now_ns), &exit_status, 0) == 0, "ledger_job_end");
    note_mark(play, job_of(part), 0, MARK_JOB_END);
    for (size_t gpu = 0; gpu < GPUS_MAX; gpu++)
        if (part->gpus >> gpu & 1)
            play->held_gpu_part[gpu] = 0;
    play->live_jobs--;
}

static void begin_step(struct play *play, struct step *step)
{
    const struct job *job = job_of(step->part);
    struct batch_step record = {
        .has = STEP_HAS_CORES | STEP_HAS_GPUS | STEP_HAS_CGROUP | STEP_HAS_STEPD,
        .ref = step->ref, .step_id = step->id, .begin_boottime_ns = boottime(step->begin_ns),
        .begin_wall_ns = wall(step->begin_ns),
        .stepd_pid = 10000 + (uint32_t)(step->begin_ns / 1000000 % 4000000),
        .stepd_start_ticks = boottime(step->begin_ns) / 10000000,
    };

    to_idset(step->part->cores, COUNT(step->part->cores), &record.cores);
    to_idset(&step->part->gpus, 1, &record.gpus);
    snprintf(record.cgroup, sizeof(record.cgroup),
             "unified:/system.slice/slurmstepd.scope/job_%" PRIu32 "/step_%" PRIu32, job->id,
             step->id);
    need(ledger_step_begin(play->ledger, &record) == 0, "ledger_step_begin");
    note_mark(play, job, step->id, MARK_STEP_BEGIN);
    step->runs = true;
}

static void end_step(struct play *play, struct step *step)
{
    int64_t exit_status = job_of(step->part)->exit_status;

    need(ledger_step_end(play->ledger, step->ref, step->id, boottime(play->now_ns),
                         wall(play->now_ns), step->cpu_ns, &exit_status, 0) == 0,
         "ledger_step_end");
    note_mark(play, job_of(step->part), step->id, MARK_STEP_END);
    step->runs = false;
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* What the learner of idle floors keeps of quiet ticks, as long as it is in life. */
static void add_floors(const struct play *play, struct batch *batch)
{
    for (size_t i = 0; i < play->n_counters; i++) {
        struct batch_floor floor = { .histogram = "140:3,141:61,142:918,143:4120,144:3307,"
                                                  "145:1244,146:402,147:96,148:31,149:8,152:2" };

        if (play->counters[i].component == COMPONENT_OTHER)
            continue;
        memcpy(floor.source, play->counters[i].source, sizeof(floor.source));
        push(&batch->floors, &batch->n_floors, sizeof(floor), &floor);
    }
}

static void write_batch(const struct play *play, const struct batch *batch)
{
    char dir[4096], name[BATCH_NAME_SIZE];
    size_t len;
    char *text = fake_meter_text(batch, &len);
    int fd;

    snprintf(dir, sizeof(dir), "%s/%03" PRIu64, play->dir, (play->seq - 1) / play->part_minutes);
    need(mkdir(dir, 0755) == 0 || errno == EEXIST, dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    batch_file_name(&batch->head, name);
    need(fd >= 0 && file_write_atomic(fd, name, text, len, 0640, 0) == 0, dir);
    close(fd);
    free(text);
    made.bytes += len;
}

static void count_batch(const struct play *play, const struct batch *batch)
{
    made.batches++;
    made.live_jobs += play->live_jobs;
    made.rows[JOBS] += batch->n_jobs;
    made.rows[STEPS] += batch->n_steps;
    made.rows[ENERGIES] += batch->n_energies;
    made.rows[POWERS] += batch->n_powers;
    made.rows[TOTALS] += batch->n_totals;
    made.rows[COMPONENTS] += batch->n_components;
}

static void seal(struct play *play)
{
    struct batch batch;
    struct error err;

    need(ledger_close(play->ledger, boottime(play->now_ns)) == 0, "ledger_close");
    need(ledger_seal(play->ledger, &batch) == 0, "ledger_seal");
    play->seq++;
    batch.head.stream = UINT64_C(0x5ca1e000) + play->number;
    batch.head.seq = play->seq;
    batch.head.next_ref = play->node->n_parts + 1;
    snprintf(batch.head.cluster, sizeof(batch.head.cluster), "site");
    snprintf(batch.head.node, sizeof(batch.head.node), "n%05" PRIu32, play->number);
    snprintf(batch.head.boot_id, sizeof(batch.head.boot_id),
             "60ba7388-a11d-4d7f-92d1-be34%08" PRIx32, play->number);
    snprintf(batch.head.version, sizeof(batch.head.version), "0.1.0");
    batch.consumed = play->consumed;
    batch.n_consumed = play->n_consumed;
    play->consumed = NULL;
    play->n_consumed = 0;
    add_floors(play, &batch);
    if (batch_check(&batch, &err) < 0)
        need(false, err.text);
    write_batch(play, &batch);
    count_batch(play, &batch);
    batch_clear(&batch);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void happen(struct play *play, const struct event *event)
{
    advance(play, event->at_ns);
    read_all(play);
    switch (event->kind) {
    case JOB_BEGIN:
        begin_job(play, &play->node->parts[event->index]);
        break;
    case STEP_BEGIN:
        begin_step(play, &play->steps[event->index]);
        break;
    case STEP_END:
        end_step(play, &play->steps[event->index]);
        break;
    case JOB_END:
        end_job(play, &play->node->parts[event->index]);
        break;
    case SEAL:
        seal(play);
        break;
    }
}

static void start_meter(struct play *play)
{
    uint16_t core_package[CORES_MAX];
    const struct kind *kind = play->node->kind;
    const struct ledger_node facts = {
        .packages = PACKAGES, .cores = kind->cores, .gpus = kind->gpus,
        .core_package = core_package, .memory_mb = (uint64_t)kind->cores * 4000,
    };

    for (uint32_t core = 0; core < kind->cores; core++)
        core_package[core] = (uint16_t)(core / (kind->cores / PACKAGES));
    add_counters(play);
    play->ledger = ledger_new(&facts, play->counters, play->n_counters, boottime(play->begin_ns));
    need(play->ledger != NULL, "ledger_new");
    for (size_t i = 0; i < play->n_counters; i++) {
        static const uint64_t *const idle_mw[COMPONENT_COUNT] = {
            [COMPONENT_CPU] = &cpu_idle_mw, [COMPONENT_MEMORY] = &memory_idle_mw,
            [COMPONENT_GPU] = &gpu_idle_mw,
        };

        if (idle_mw[play->counters[i].component])
            ledger_floor(play->ledger, i, *idle_mw[play->counters[i].component] * 1000);
    }
}

static void play_node(uint32_t number, const char *dir, uint64_t minutes, uint64_t part_minutes)
{
    struct play play = { .node = &site.nodes[number], .number = number, .dir = dir,
                         .minutes = minutes, .part_minutes = part_minutes,
                         .begin_ns = (int64_t)(number * UINT64_C(7919) % 60 * S) };

    play.now_ns = play.begin_ns;
    for (size_t i = 0; i < play.node->n_parts; i++) {
        const struct part *part = &play.node->parts[i];

        add_part(&play, part, site.jobs[part->job].first_node == number);
    }
    for (uint64_t minute = 1; minute <= minutes; minute++)
        add_event(&play, play.begin_ns + (int64_t)(minute * 60 * S), SEAL, 0);
    qsort(play.events, play.n_events, sizeof(*play.events), compare_events);
    start_meter(&play);
    for (size_t i = 0; i < play.n_events && play.seq < minutes; i++)
        happen(&play, &play.events[i]);
    ledger_free(play.ledger);
    free(play.events);
    free(play.steps);
    free(play.consumed);
}

static void print_made(uint64_t minutes)
{
    printf("batches=%" PRIu64 "\nbytes=%" PRIu64 "\n", made.batches, made.bytes);
    printf("jobs=%zu\njobs_begun=%" PRIu64 "\nlive_jobs=%" PRIu64 "\n", site.n_jobs,
           made.jobs_begun, made.live_jobs);
    printf("job_rows=%" PRIu64 "\nstep_rows=%" PRIu64 "\nenergy_rows=%" PRIu64
           "\npower_rows=%" PRIu64 "\ntotal_rows=%" PRIu64 "\ncomponent_rows=%" PRIu64 "\n",
           made.rows[JOBS], made.rows[STEPS], made.rows[ENERGIES], made.rows[POWERS],
           made.rows[TOTALS], made.rows[COMPONENTS]);
    printf("node_hours=%" PRIu64 ".%02" PRIu64 "\n", site.n_nodes * minutes / 60,
           site.n_nodes * minutes % 60 * 100 / 60);
}

int main(int argc, char **argv)
{
    uint64_t nodes, minutes, part_minutes = 1;

    site.random = 1;
    if (argc < 4 || argc > 6 || parse_u64(argv[2], 1, 100000, &nodes) < 0 ||
        parse_u64(argv[3], 1, 100000, &minutes) < 0 ||
        (argc > 4 && parse_u64(argv[4], 1, 100000, &part_minutes) < 0) ||
        (argc > 5 && parse_u64(argv[5], 0, UINT64_MAX, &site.random) < 0)) {
        fprintf(stderr, "usage: mksite DIR NODES MINUTES [PART [SEED]]\n");
        return 1;
    }
    site.n_nodes = nodes;
    site.next_id = 1000;
    make_nodes();
    schedule(minutes);
    for (uint32_t i = 0; i < nodes; i++)
        play_node(i, argv[1], minutes, part_minutes);
    print_made(minutes);
    return 0;
}
