#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define INSTANTS_MAX 400

uint64_t history_random(struct history *history, uint64_t n)
{
    uint64_t x = history->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    history->random = x;
    return n ? (x * UINT64_C(2685821657736338717) >> 16) % n : 0;
}

static bool chance(struct history *h, unsigned percent)
{
    return history_random(h, 100) < percent;
}

static uint64_t between(struct history *h, uint64_t low, uint64_t high)
{
    return low + history_random(h, high - low + 1);
}

/* --- the node and its counters ---------------------------------------------------------------- */

static void make_node(struct history *h)
{
    uint32_t per_package = (uint32_t)between(h, 1, 16);

    h->node.packages = (uint32_t)between(h, 1, HISTORY_PACKAGES_MAX);
    h->node.cores = h->node.packages * per_package;
    h->node.gpus = chance(h, 60) ? (uint32_t)between(h, 1, HISTORY_GPUS_MAX) : 0;
    h->node.memory_mb = between(h, 1, 1000) * 1000;
    for (uint32_t core = 0; core < h->node.cores; core++)
        h->core_package[core] = (uint16_t)(core / per_package);
    h->node.core_package = h->core_package;
}

static void add_counter(struct history *h, enum component component, uint32_t domain,
                        uint64_t max_w)
{
    struct ledger_counter *facts = &h->facts[h->n_counters];
    struct history_counter *counter = &h->counters[h->n_counters++];

    snprintf(facts->source, sizeof(facts->source), "%s:%" PRIu32, component_names[component],
             domain);
    snprintf(facts->sensor, sizeof(facts->sensor), "fake");
    facts->component = component;
    facts->quality = chance(h, 20) ? QUALITY_MODELLED : QUALITY_MEASURED;
    facts->domain = domain;
    facts->max_uw = max_w * 1000000;
    /* from never over an hour at full power down to a few ticks */
    if (chance(h, 70))
        facts->range_uj = max_w * 1000000 * between(h, 5, chance(h, 50) ? 100 : 3600) *
                          (h->tick_ns / S);
    counter->offset_uj = facts->range_uj ? history_random(h, facts->range_uj)
                                         : history_random(h, UINT64_C(1) << 40);
    counter->floor_uw = chance(h, 60) && component != COMPONENT_OTHER
                            ? history_random(h, facts->max_uw / 2)
                            : 0;
    counter->missing_percent = chance(h, 50) ? 0 : (unsigned)between(h, 1, 40);
    counter->exact = true;
}

static void make_counters(struct history *h)
{
    bool memory = chance(h, 60);

    for (uint32_t p = 0; p < h->node.packages; p++)
        add_counter(h, COMPONENT_CPU, p, between(h, 50, 500));
    for (uint32_t p = 0; p < h->node.packages && memory; p++)
        add_counter(h, COMPONENT_MEMORY, p, between(h, 10, 100));
    for (uint32_t gpu = 0; gpu < h->node.gpus; gpu++)
        if (chance(h, 90))
            add_counter(h, COMPONENT_GPU, gpu, between(h, 100, 1000));
    h->has_meter = chance(h, 50);
    if (h->has_meter)
        add_counter(h, COMPONENT_OTHER, 0, 12000);
    h->has_busy = chance(h, 80);
}

/* --- the jobs and steps ----------------------------------------------------------------------- */

static uint64_t random_instant(struct history *h, uint64_t low, uint64_t high)
{
    return low + history_random(h, (high - low) / MS + 1) * MS;
}

static void pick(struct history *h, struct idset *set, unsigned low, unsigned high)
{
    for (unsigned id = low; id < high; id++)
        if (chance(h, 60))
            idset_add(set, id);
}

/* A part of `of`, or all. */
static struct idset pick_of(struct history *h, const struct idset *of)
{
    struct idset set = *of;

    if (chance(h, 50))
        return set;
    idset_clear(&set);
    pick(h, &set, 0, HISTORY_CORES_MAX);
    idset_intersect(&set, of);
    return set;
}

static void make_step(struct history *h, unsigned job_index, uint32_t step_id)
{
    const struct history_job *job = &h->jobs[job_index];
    struct history_step *step = &h->steps[h->n_steps];
    uint64_t job_end = job->end_ns < h->end_ns ? job->end_ns : h->end_ns;
    uint64_t begin = job->facts.begin_boottime_ns;

    if (h->n_steps == HISTORY_STEPS_MAX)
        return;
    h->n_steps++;
    step->job = job_index;
    step->facts.ref = job->facts.ref;
    step->facts.step_id = step_id;
    step->end_ns = job->end_ns;
    if (step_id < STEP_INTERACTIVE) {
        begin = random_instant(h, begin, job_end);
        step->end_ns = random_instant(h, begin, job_end);
        if (chance(h, 30)) /* shorter than a tick, now and then without any length */
            step->end_ns = begin + (history_random(h, 4)) * 50 * MS;
        if (step->end_ns > job_end)
            step->end_ns = job->end_ns;
    }
    step->facts.begin_boottime_ns = begin;
    step->facts.has = STEP_HAS_CORES | STEP_HAS_GPUS;
    step->facts.cores = pick_of(h, &job->facts.cores);
    if (idset_is_empty(&step->facts.cores))
        step->facts.cores = job->facts.cores;
    if (step_id != STEP_EXTERN)
        step->facts.gpus = pick_of(h, &job->facts.gpus);
    if (chance(h, 10)) /* it did not say: all of its job's */
        step->facts.has &= ~(uint32_t)STEP_HAS_GPUS;
    if (chance(h, 5) && h->node.gpus)
        /* which its job may not hold */
        idset_add(&step->facts.gpus, (unsigned)history_random(h, h->node.gpus));
    if (chance(h, 75))
        step->load_ppt = (uint32_t)between(h, 10, 1000u * idset_count(&step->facts.cores));
    step->end_cpu_known = chance(h, 80);
}

static void make_job(struct history *h, unsigned index, bool exclusive)
{
    struct history_job *job = &h->jobs[index];
    unsigned per_job = h->node.cores / h->n_jobs, gpus_per_job = h->node.gpus / h->n_jobs;
    unsigned sruns = (unsigned)history_random(h, 5);

    job->facts.ref = 100 + index;
    job->facts.job_id = (uint32_t)(chance(h, 50) ? 1000 - index : 1000 + index);
    job->facts.has = JOB_HAS_CORES | JOB_HAS_GPUS;
    if (exclusive && per_job) {
        pick(h, &job->facts.cores, index * per_job, (index + 1) * per_job);
        pick(h, &job->facts.gpus, index * gpus_per_job, (index + 1) * gpus_per_job);
    } else {
        pick(h, &job->facts.cores, 0, h->node.cores);
        pick(h, &job->facts.gpus, 0, h->node.gpus);
    }
    if (idset_is_empty(&job->facts.cores))
        idset_add(&job->facts.cores, exclusive && per_job ? index * per_job : 0);
    if (chance(h, 80)) {
        job->facts.has |= JOB_HAS_MEMORY;
        job->facts.memory_mb = history_random(h, h->node.memory_mb + 1);
        if (chance(h, 80))
            job->facts.memory_mb /= h->n_jobs;
    }
    job->facts.begin_boottime_ns = random_instant(h, h->begin_ns, h->end_ns);
    job->end_ns = chance(h, 25) ? UINT64_MAX
                                : random_instant(h, job->facts.begin_boottime_ns, h->end_ns);
    if (chance(h, 60))
        make_step(h, index, STEP_EXTERN);
    if (chance(h, 70))
        make_step(h, index, chance(h, 80) ? STEP_BATCH : STEP_INTERACTIVE);
    for (unsigned i = 0; i < sruns; i++)
        make_step(h, index, i);
    job->cores_late = chance(h, 20);
}

static void make_jobs(struct history *h)
{
    bool exclusive = chance(h, 60);

    h->n_jobs = (unsigned)history_random(h, HISTORY_JOBS_MAX + 1);
    for (unsigned i = 0; i < h->n_jobs; i++)
        make_job(h, i, exclusive);
}

/* --- the instants ----------------------------------------------------------------------------- */

struct instant {
    uint64_t at_ns;
    bool tick;
};

static int compare_instants(const void *va, const void *vb)
{
    const struct instant *a = va, *b = vb;

    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    return b->tick - a->tick;
}

/* Ticks from the beginning, evenly or not, with a silence of hours now and then. Sets end_ns. */
static size_t make_ticks(struct history *h, struct instant *instants)
{
    static const uint64_t ticks_s[] = { 1, 5, 10, 60, 600 };
    size_t count = between(h, 3, 60);
    bool uneven = chance(h, 40), gaps = chance(h, 15);
    uint64_t at_ns;

    h->tick_ns = ticks_s[history_random(h, 5)] * S;
    h->begin_ns = between(h, 1, 1000000) * S;
    at_ns = h->begin_ns;
    for (size_t i = 0; i < count; i++) {
        instants[i] = (struct instant){ at_ns, true };
        at_ns += uneven ? between(h, 1, 2 * h->tick_ns / MS) * MS : h->tick_ns;
        if (gaps && chance(h, 5))
            at_ns += between(h, 1, 5 * 3600) * S;
    }
    h->end_ns = instants[count - 1].at_ns;
    return count;
}

static size_t add_instant(struct instant *instants, size_t count, uint64_t at_ns)
{
    if (at_ns == UINT64_MAX || count == INSTANTS_MAX)
        return count;
    instants[count] = (struct instant){ at_ns, false };
    return count + 1;
}

static size_t make_instants(struct history *h, struct instant *instants, size_t count)
{
    size_t kept = 1;

    for (unsigned i = 0; i < h->n_jobs; i++) {
        count = add_instant(instants, count, h->jobs[i].facts.begin_boottime_ns);
        count = add_instant(instants, count, h->jobs[i].end_ns);
    }
    for (unsigned i = 0; i < h->n_steps; i++) {
        count = add_instant(instants, count, h->steps[i].facts.begin_boottime_ns);
        count = add_instant(instants, count, h->steps[i].end_ns);
    }
    qsort(instants, count, sizeof(*instants), compare_instants);
    for (size_t i = 1; i < count; i++)
        if (instants[i].at_ns != instants[kept - 1].at_ns)
            instants[kept++] = instants[i];
    return kept;
}

/* --- what goes on between two instants -------------------------------------------------------- */

static bool runs(const struct history_step *step, uint64_t from_ns, uint64_t to_ns)
{
    return step->facts.begin_boottime_ns <= from_ns && step->end_ns >= to_ns;
}

static void advance_counters(struct history *h, uint64_t span_ns)
{
    uint64_t parts_uj = 0;

    for (size_t i = 0; i < h->n_counters; i++) {
        struct history_counter *counter = &h->counters[i];
        uint64_t growth_uj;

        if (chance(h, 50))
            counter->power_uw = chance(h, 10) ? 0 : history_random(h, h->facts[i].max_uw * 9 / 10);
        growth_uj = counter->power_uw / 1000 * (span_ns / MS); /* mW x ms = uJ */
        growth_uj -= growth_uj % 2;
        /* a node meter sees the parts, mostly, and something on top */
        if (h->facts[i].component == COMPONENT_OTHER && chance(h, 85))
            growth_uj = parts_uj + growth_uj / 50 * 2;
        counter->truth_uj += growth_uj;
        parts_uj += growth_uj;
    }
}

static void advance_cpu(struct history *h, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t used_ns[HISTORY_PACKAGES_MAX] = { 0 };
    uint64_t span_ms = (to_ns - from_ns) / MS;

    for (unsigned i = 0; i < h->n_steps; i++) {
        struct history_step *step = &h->steps[i];
        unsigned cores = idset_count(&step->facts.cores);

        if (!runs(step, from_ns, to_ns))
            continue;
        step->cpu_ns += step->load_ppt * span_ms * 1000;
        for (int core = idset_next(&step->facts.cores, 0); core >= 0;
             core = idset_next(&step->facts.cores, (unsigned)core + 1))
            used_ns[h->core_package[core]] += step->load_ppt * span_ms * 1000 / cores;
    }
    for (uint32_t p = 0; p < h->node.packages; p++) {
        uint64_t system_ns = chance(h, 50) ? history_random(h, 500) * span_ms * 1000 : 0;

        /* the kernel's two books do not agree exactly */
        if (chance(h, 20))
            used_ns[p] = used_ns[p] / 100 * between(h, 80, 100);
        h->busy_ns[p] += (used_ns[p] + system_ns) / 2 * 2;
    }
}

/* --- what is seen at an instant --------------------------------------------------------------- */

static struct event *add_event(struct history *h, enum event_kind kind, uint64_t at_ns,
                               unsigned index, uint64_t value)
{
    struct event event = { .kind = kind, .at_ns = at_ns, .index = index, .value = value,
                           .wall_ns = (int64_t)at_ns + h->wall_offset_ns };
    struct event *added = batch_push(&h->events, &h->n_events, sizeof(event), &event);

    if (!added)
        abort();
    return added;
}

/* What could have been counted since the last good reading at most, and a second's worth more. */
static uint64_t most_uj(const struct history *h, size_t i, uint64_t at_ns)
{
    uint64_t span_ns = at_ns - h->counters[i].read_ns + S;

    return (uint64_t)((unsigned __int128)h->facts[i].max_uw * span_ns / S);
}

static uint64_t raw_of(const struct history *h, size_t i)
{
    const struct history_counter *counter = &h->counters[i];
    uint64_t raw_uj = counter->offset_uj + counter->truth_uj - counter->reset_uj;

    return h->facts[i].range_uj ? raw_uj % h->facts[i].range_uj : raw_uj;
}

/* Start anew from 0. Of a counter that wraps nobody can tell that from a wrap, sooner or later. */
static void try_reset(struct history *h, size_t i)
{
    struct history_counter *counter = &h->counters[i];

    if (!counter->reset_pending || !counter->read || counter->spiked)
        return;
    counter->reset_pending = false;
    counter->just_reset = true;
    counter->before_reset_uj = counter->read_raw_uj;
    counter->offset_uj = 0;
    counter->reset_uj = counter->truth_uj;
    counter->exact = false;
    counter->wild = counter->wild || h->facts[i].range_uj != 0;
}

/* A raw value that nobody can believe; 0 when there is none. */
static uint64_t spike_of(const struct history *h, size_t i, uint64_t at_ns, uint64_t raw_uj)
{
    uint64_t range_uj = h->facts[i].range_uj, most = most_uj(h, i, at_ns);

    if (range_uj == 0)
        return raw_uj + 1000 * (most + 1000);
    if (most >= range_uj / 4)
        return 0;
    return (h->counters[i].read_raw_uj + range_uj / 2 + most) % range_uj;
}

static void read_counter(struct history *h, size_t i, uint64_t at_ns)
{
    struct history_counter *counter = &h->counters[i];
    bool was_spiked = counter->spiked, was_reset;
    uint64_t raw_uj, spike_uj;
    struct event *event;

    was_reset = counter->just_reset;
    counter->just_reset = false;
    try_reset(h, i);
    raw_uj = raw_of(h, i);
    if (was_reset && raw_uj >= counter->before_reset_uj)
        counter->hidden = true;
    /* not while it is yet to be believed again: what is a spike then? */
    spike_uj = counter->read && !counter->spiked && !was_reset && !counter->just_reset &&
                       at_ns < h->end_ns && chance(h, 2)
                   ? spike_of(h, i, at_ns, raw_uj)
                   : 0;
    event = add_event(h, EVENT_READING, at_ns, (unsigned)i, spike_uj ? spike_uj : raw_uj);
    event->bad = counter->spiked = spike_uj != 0;
    event->truth_uj = counter->truth_uj;
    counter->ever_spiked = counter->ever_spiked || event->bad;
    if (event->bad)
        return;
    if (!counter->read) {
        counter->first_ns = at_ns;
        counter->first_uj = counter->truth_uj;
    } else if (h->facts[i].range_uj && most_uj(h, i, at_ns) >= h->facts[i].range_uj) {
        counter->exact = false; /* as after a reset, it is the next one that settles it */
        counter->just_reset = true;
        counter->before_reset_uj = UINT64_MAX;
    }
    /* a long while after a spike, what follows may seem to agree with it */
    if (was_spiked && h->facts[i].range_uj && most_uj(h, i, at_ns) >= h->facts[i].range_uj / 4)
        counter->wild = true;
    counter->read = true;
    counter->last_uj = counter->truth_uj;
    counter->read_ns = at_ns;
    counter->read_raw_uj = raw_uj;
}

static void read_counters(struct history *h, uint64_t at_ns, bool tick)
{
    bool last = at_ns == h->end_ns;

    for (size_t i = 0; i < h->n_counters; i++) {
        struct history_counter *counter = &h->counters[i];
        bool at_marks = h->facts[i].component <= COMPONENT_MEMORY;

        if (tick && chance(h, 3) && counter->missing_percent)
            counter->silent = !counter->silent;
        if (chance(h, 1) && counter->missing_percent)
            counter->reset_pending = true;
        if (counter->silent || chance(h, counter->missing_percent) || (!tick && !at_marks))
            if (!last || chance(h, 10))
                continue;
        read_counter(h, i, at_ns);
    }
}

static void see_tick(struct history *h, uint64_t at_ns)
{
    for (uint32_t p = 0; p < h->node.packages && h->has_busy; p++)
        if (at_ns == h->begin_ns || chance(h, 90))
            add_event(h, EVENT_BUSY, at_ns, p, h->busy_ns[p] + 1000000);
    for (unsigned i = 0; i < h->n_steps; i++)
        if (runs(&h->steps[i], at_ns, at_ns) && h->steps[i].end_ns > at_ns &&
            h->steps[i].facts.begin_boottime_ns < at_ns && chance(h, 70))
            add_event(h, EVENT_STEP_CPU, at_ns, i, h->steps[i].cpu_ns);
}

static void see_begins(struct history *h, uint64_t at_ns)
{
    for (unsigned i = 0; i < h->n_jobs; i++)
        if (h->jobs[i].facts.begin_boottime_ns == at_ns) {
            add_event(h, EVENT_JOB_BEGIN, at_ns, i, 0);
            if (h->jobs[i].cores_late)
                add_event(h, EVENT_JOB_UPDATE, at_ns, i, 0);
        }
    for (unsigned i = 0; i < h->n_steps; i++)
        if (h->steps[i].facts.begin_boottime_ns == at_ns)
            add_event(h, EVENT_STEP_BEGIN, at_ns, i, 0);
}

static void see_ends(struct history *h, uint64_t at_ns)
{
    for (unsigned i = 0; i < h->n_steps; i++)
        if (h->steps[i].end_ns == at_ns)
            add_event(h, EVENT_STEP_END, at_ns, i,
                      h->steps[i].end_cpu_known ? h->steps[i].cpu_ns : 0);
    for (unsigned i = 0; i < h->n_jobs; i++)
        if (h->jobs[i].end_ns == at_ns)
            add_event(h, EVENT_JOB_END, at_ns, i, 0);
}

static void see(struct history *h, const struct instant *instant)
{
    if (h->clock_steps && chance(h, 5))
        h->wall_offset_ns += ((int64_t)between(h, 0, 7200000) - 3600000) * (int64_t)MS;
    add_event(h, EVENT_CLOCK, instant->at_ns, 0, 0);
    read_counters(h, instant->at_ns, instant->tick);
    if (instant->tick)
        see_tick(h, instant->at_ns);
    see_begins(h, instant->at_ns);
    see_ends(h, instant->at_ns);
}

/* --- making it -------------------------------------------------------------------------------- */

void history_make(struct history *h, uint64_t seed)
{
    struct instant instants[INSTANTS_MAX];
    size_t count;

    *h = (struct history){ .seed = seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };
    for (int i = 0; i < 8; i++)
        history_random(h, 1);
    make_node(h);
    count = make_ticks(h, instants);
    make_counters(h);
    make_jobs(h);
    count = make_instants(h, instants, count);
    /* from some minutes before an hour's border */
    h->wall_offset_ns = INT64_C(1789999200) * (int64_t)S -
                        (int64_t)between(h, 0, 600000) * (int64_t)MS - (int64_t)h->begin_ns;
    h->clock_steps = chance(h, 20);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            advance_counters(h, instants[i].at_ns - instants[i - 1].at_ns);
            advance_cpu(h, instants[i - 1].at_ns, instants[i].at_ns);
        }
        see(h, &instants[i]);
    }
}

void history_clear(struct history *h)
{
    free(h->events);
    *h = (struct history){ 0 };
}

/* --- telling a ledger ------------------------------------------------------------------------- */

static int feed_job(const struct history *h, struct ledger *ledger, const struct event *event)
{
    const struct history_job *job = &h->jobs[event->index];
    struct batch_job facts = job->facts;
    const int64_t exit_status = 0;

    facts.begin_wall_ns = event->wall_ns;
    if (event->kind == EVENT_JOB_UPDATE)
        return ledger_job_update(ledger, &facts);
    if (event->kind == EVENT_JOB_END)
        return ledger_job_end(ledger, facts.ref, event->at_ns, event->wall_ns, &exit_status, 0);
    if (job->cores_late)
        facts.has &= ~(uint32_t)JOB_HAS_CORES;
    return ledger_job_begin(ledger, &facts);
}

static int feed_step(const struct history *h, struct ledger *ledger, const struct event *event)
{
    struct batch_step facts = h->steps[event->index].facts;

    facts.begin_wall_ns = event->wall_ns;
    if (event->kind == EVENT_STEP_BEGIN)
        return ledger_step_begin(ledger, &facts);
    if (event->kind == EVENT_STEP_CPU)
        return ledger_step_cpu(ledger, facts.ref, facts.step_id, event->at_ns, event->value);
    return ledger_step_end(ledger, facts.ref, facts.step_id, event->at_ns, event->wall_ns,
                           event->value, NULL, 0);
}

int history_feed(const struct history *h, struct ledger *ledger, const struct event *event)
{
    switch (event->kind) {
    case EVENT_CLOCK:
        return ledger_clock(ledger, event->at_ns, event->wall_ns);
    case EVENT_READING:
        return ledger_reading(ledger, event->at_ns, event->index, event->value);
    case EVENT_BUSY:
        return ledger_busy(ledger, event->at_ns, event->index, event->value);
    case EVENT_JOB_BEGIN:
    case EVENT_JOB_UPDATE:
    case EVENT_JOB_END:
        return feed_job(h, ledger, event);
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_CPU:
    case EVENT_STEP_END:
        return feed_step(h, ledger, event);
    }
    return 0;
}

void history_print(const struct history *h)
{
    static const char *const kinds[] = { "clock",      "reading",    "busy",
                                         "job-begin",  "job-update", "step-begin",
                                         "step-cpu",   "step-end",   "job-end" };
    char cores[IDSET_TEXT_SIZE], gpus[IDSET_TEXT_SIZE];

    fprintf(stderr, "seed %" PRIu64 ": %u packages, %u cores, %u gpus, %" PRIu64 " MB\n", h->seed,
            h->node.packages, h->node.cores, h->node.gpus, h->node.memory_mb);
    for (size_t i = 0; i < h->n_counters; i++)
        fprintf(stderr, "counter %zu %s range %" PRIu64 " max %" PRIu64 " uW floor %" PRIu64 "%s\n",
                i, h->facts[i].source, h->facts[i].range_uj, h->facts[i].max_uw,
                h->counters[i].floor_uw, h->counters[i].exact ? "" : " (not exact)");
    for (unsigned i = 0; i < h->n_jobs; i++) {
        idset_format(&h->jobs[i].facts.cores, cores, sizeof(cores));
        idset_format(&h->jobs[i].facts.gpus, gpus, sizeof(gpus));
        fprintf(stderr, "job %u id %u cores %s gpus %s memory %" PRIu64 "%s\n", i,
                h->jobs[i].facts.job_id, cores, gpus, h->jobs[i].facts.memory_mb,
                h->jobs[i].facts.has & JOB_HAS_MEMORY ? "" : " (not known)");
    }
    for (unsigned i = 0; i < h->n_steps; i++) {
        idset_format(&h->steps[i].facts.cores, cores, sizeof(cores));
        idset_format(&h->steps[i].facts.gpus, gpus, sizeof(gpus));
        fprintf(stderr, "step %u of job %u id %u cores %s gpus %s\n", i, h->steps[i].job,
                h->steps[i].facts.step_id, cores, gpus);
    }
    for (size_t i = 0; i < h->n_events; i++)
        fprintf(stderr, "%+15.3f s %s %u %" PRIu64 "%s\n",
                (double)(h->events[i].at_ns - h->begin_ns) / 1e9, kinds[h->events[i].kind],
                h->events[i].index, h->events[i].value, h->events[i].bad ? " spike" : "");
}
