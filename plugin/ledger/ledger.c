/*
 * ledger.c - the window: events in, slices cut, batches out. The rules are in split.c.
 *
 * Invariants
 *   L1  closed is final: nothing before `begin` changes, whatever comes later
 *   L2  a counter's counted value (series.base.value) equals what rows received of it, always
 *   L3  jobs are sorted by (job_id, ref), steps by step_id: ties and output need no further order
 *   L4  an ended job or step lies in no slice after its effective end; it is dropped when sealed
 *   L5  effective times lie inside the window they were booked in; records keep the true times
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "ledger/internal.h"

#define MINUTE_NS (60 * NS_PER_S)
#define MINUTE_S 60

/* --- making and freeing ---------------------------------------------------------------------- */

static int copy_node(struct ledger *ledger, const struct ledger_node *node)
{
    ledger->node = *node;
    ledger->core_package = calloc(node->cores + 1, sizeof(*ledger->core_package));
    ledger->core_holders = calloc(node->cores + 1, sizeof(*ledger->core_holders));
    ledger->package_cores = calloc(node->packages + 1, sizeof(*ledger->package_cores));
    ledger->packages = calloc(node->packages + 1, sizeof(*ledger->packages));
    if (!ledger->core_package || !ledger->core_holders || !ledger->package_cores ||
        !ledger->packages)
        return -ENOMEM;
    for (uint32_t core = 0; core < node->cores; core++) {
        uint16_t package = node->core_package[core];

        ledger->core_package[core] = package < node->packages ? package : 0;
        ledger->package_cores[ledger->core_package[core]]++;
    }
    ledger->node.core_package = ledger->core_package;
    return 0;
}

static void init_counter(struct counter *counter, const struct ledger_counter *from)
{
    memcpy(counter->source, from->source, sizeof(counter->source));
    memcpy(counter->sensor, from->sensor, sizeof(counter->sensor));
    counter->component = from->component;
    counter->quality = from->quality;
    counter->domain = from->domain;
    counter->range_uj = from->range_uj;
    counter->max_uw = from->max_uw;
    counter->fresh = from->fresh;
    counter->at_close = from->at_close;
}

/* Room for `more` counters beyond those named, for ones that are gone but still in the books. */
static struct ledger *make(const struct ledger_node *node, const struct ledger_counter *counters,
                           size_t n_counters, size_t more, uint64_t begin)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (!ledger)
        return NULL;
    ledger->begin = ledger->batch_begin = begin;
    ledger->next_ref = 1;
    ledger->counters = calloc(n_counters + more + 1, sizeof(*ledger->counters));
    if (!ledger->counters || copy_node(ledger, node) < 0)
        return ledger_free(ledger);
    for (size_t i = 0; i < n_counters; i++)
        init_counter(&ledger->counters[i], &counters[i]);
    ledger->n_counters = n_counters;
    return ledger;
}

struct ledger *ledger_new(const struct ledger_node *node, const struct ledger_counter *counters,
                          size_t n_counters, uint64_t begin_boottime_ns)
{
    return make(node, counters, n_counters, 0, begin_boottime_ns);
}

static void free_step(struct lstep *step)
{
    series_free(&step->cpu);
    rows_free(&step->rows);
    free(step);
}

static void free_job(struct ljob *job)
{
    for (size_t i = 0; i < job->n_steps; i++)
        free_step(job->steps[i]);
    free(job->steps);
    rows_free(&job->rows);
    free(job->powers);
    free(job);
}

struct ledger *ledger_free(struct ledger *ledger)
{
    if (!ledger)
        return NULL;
    for (size_t i = 0; i < ledger->n_jobs; i++)
        free_job(ledger->jobs[i]);
    for (size_t i = 0; i < ledger->n_counters; i++)
        counter_free(&ledger->counters[i]);
    for (uint32_t i = 0; ledger->packages && i < ledger->node.packages; i++)
        series_free(&ledger->packages[i].busy);
    free(ledger->jobs);
    free(ledger->counters);
    free(ledger->packages);
    free(ledger->package_cores);
    free(ledger->core_package);
    free(ledger->core_holders);
    free(ledger->clocks);
    free(ledger->cuts);
    free(ledger->totals);
    free(ledger->weights);
    free(ledger->shares);
    rows_free(&ledger->system);
    rows_free(&ledger->unallocated);
    free(ledger);
    return NULL;
}

/* --- resuming -------------------------------------------------------------------------------- */

static void resume_counter(struct counter *counter, const struct batch_counter *from)
{
    counter->counted_begin_uj = from->counted_uj;
    counter->debt_uj = from->debt_uj;
    counter->pending_uj = from->pending_uj;
    if (from->has & COUNTER_HAS_FLOOR) {
        counter->floor_uw = from->floor_uw;
        counter->has_floor = true;
    }
    counter->series.base = (struct point){ from->counted_boottime_ns, from->counted_uj, false };
    counter->series.has_base = from->has & COUNTER_HAS_RAW;
    counter->good = (struct reading){ from->has & COUNTER_HAS_RAW, from->raw_boottime_ns,
                                      from->raw_uj, from->seen_uj };
    if (counter->fresh) /* its first reading ends a gap, and counts on from what is in the books */
        counter->good = (struct reading){ .seen_uj = from->counted_uj };
}

static void resume_counters(struct ledger *ledger, const struct batch *checkpoint)
{
    size_t named = ledger->n_counters;

    for (size_t i = 0; i < checkpoint->n_counters; i++) {
        const struct batch_counter *from = &checkpoint->counters[i];
        struct counter *counter = NULL;

        for (size_t k = 0; k < named && !counter; k++)
            if (strcmp(ledger->counters[k].source, from->source) == 0)
                counter = &ledger->counters[k];
        if (!counter) {
            counter = &ledger->counters[ledger->n_counters++];
            memcpy(counter->source, from->source, sizeof(counter->source));
            memcpy(counter->sensor, from->sensor, sizeof(counter->sensor));
            counter->component = from->component;
            counter->quality = from->quality;
            counter->domain = from->domain;
            counter->gone = true;
        }
        resume_counter(counter, from);
    }
}

static int resume_jobs(struct ledger *ledger, const struct batch *checkpoint)
{
    int rc = 0;

    for (size_t i = 0; i < checkpoint->n_jobs && rc == 0; i++) {
        const struct batch_job *from = &checkpoint->jobs[i];

        if (from->has & JOB_HAS_END)
            continue;
        rc = ledger_job_begin(ledger, from);
        if (rc == 0) /* it began before the window, but in time */
            find_job(ledger, from->ref)->record.flags = from->flags;
    }
    for (size_t i = 0; i < checkpoint->n_steps && rc == 0; i++) {
        const struct batch_step *from = &checkpoint->steps[i];
        struct ljob *job = from->has & STEP_HAS_END ? NULL : find_job(ledger, from->ref);
        struct lstep *step;

        if (!job)
            continue;
        rc = ledger_step_begin(ledger, from);
        step = rc == 0 ? find_step(job, from->step_id) : NULL;
        if (step) {
            step->cpu.base.value = from->cpu_ns;
            step->record.flags = from->flags;
        }
    }
    return rc;
}

struct ledger *ledger_resume(const struct ledger_node *node, const struct ledger_counter *counters,
                             size_t n_counters, const struct batch *checkpoint)
{
    const struct batch_head *head = &checkpoint->head;
    struct ledger *ledger =
        make(node, counters, n_counters, checkpoint->n_counters, head->end_boottime_ns);

    if (!ledger)
        return NULL;
    resume_counters(ledger, checkpoint);
    for (size_t i = 0; i < checkpoint->n_components; i++) {
        const struct batch_component *c = &checkpoint->components[i];

        ledger->counted_uj[c->component] = ledger->counted_begin_uj[c->component] = c->end_uj;
    }
    for (size_t i = 0; i < checkpoint->n_packages; i++) {
        const struct batch_package *from = &checkpoint->packages[i];
        struct lpackage *package =
            from->package < node->packages ? &ledger->packages[from->package] : NULL;

        if (!package)
            continue;
        package->busy.base = (struct point){ ledger->begin, from->busy_ns, false };
        package->busy.has_base = true;
        package->job_debt_ns = from->job_debt_ns;
    }
    if (ledger_clock(ledger, head->end_boottime_ns, head->end_wall_ns) < 0 ||
        resume_jobs(ledger, checkpoint) < 0)
        return ledger_free(ledger);
    ledger->next_ref = head->next_ref;
    ledger->batch_begin_wall_ns = head->end_wall_ns;
    ledger->batch_begin_known = true;
    return ledger;
}

/* --- events ---------------------------------------------------------------------------------- */

static uint64_t clamp(const struct ledger *ledger, uint64_t at)
{
    return at < ledger->begin ? ledger->begin : at;
}

int ledger_reading(struct ledger *ledger, uint64_t at, size_t counter, uint64_t raw_uj)
{
    if (at < ledger->begin || counter >= ledger->n_counters)
        return 0;
    return counter_read(&ledger->counters[counter], at, raw_uj);
}

int ledger_busy(struct ledger *ledger, uint64_t at, uint32_t package, uint64_t busy_ns)
{
    if (at < ledger->begin || package >= ledger->node.packages)
        return 0;
    return series_add(&ledger->packages[package].busy, (struct point){ at, busy_ns, false });
}

void ledger_floor(struct ledger *ledger, size_t counter, uint64_t floor_uw)
{
    if (counter >= ledger->n_counters)
        return;
    ledger->counters[counter].floor_uw = floor_uw;
    ledger->counters[counter].has_floor = true;
}

int ledger_clock(struct ledger *ledger, uint64_t at, int64_t wall_ns)
{
    size_t i = ledger->n_clocks;
    struct clock_point *grown;

    if (at < ledger->begin)
        return 0;
    if (ledger->n_clocks == ledger->room_clocks) {
        size_t room = ledger->room_clocks ? ledger->room_clocks * 2 : 8;

        grown = realloc(ledger->clocks, room * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        ledger->clocks = grown;
        ledger->room_clocks = room;
    }
    while (i > 0 && (ledger->clocks[i - 1].at > at ||
                     (ledger->clocks[i - 1].at == at && ledger->clocks[i - 1].wall_ns > wall_ns)))
        i--;
    memmove(ledger->clocks + i + 1, ledger->clocks + i,
            (ledger->n_clocks - i) * sizeof(*ledger->clocks));
    ledger->clocks[i] = (struct clock_point){ at, wall_ns };
    ledger->n_clocks++;
    return 0;
}

struct ljob *find_job(const struct ledger *ledger, uint64_t ref)
{
    for (size_t i = 0; i < ledger->n_jobs; i++)
        if (ledger->jobs[i]->record.ref == ref)
            return ledger->jobs[i];
    return NULL;
}

struct lstep *find_step(const struct ljob *job, uint32_t step_id)
{
    for (size_t i = 0; i < job->n_steps; i++)
        if (job->steps[i]->record.step_id == step_id)
            return job->steps[i];
    return NULL;
}

/* Grow a pointer array by one place, keeping a sorted position free. */
static void *insert_at(void *array, size_t *count, size_t index)
{
    void **items = realloc(*(void ***)array, (*count + 1) * sizeof(*items));

    if (!items)
        return NULL;
    *(void ***)array = items;
    memmove(items + index + 1, items + index, (*count - index) * sizeof(*items));
    (*count)++;
    return &items[index];
}

static size_t job_position(const struct ledger *ledger, const struct batch_job *job)
{
    size_t i = ledger->n_jobs;

    while (i > 0 && (ledger->jobs[i - 1]->record.job_id > job->job_id ||
                     (ledger->jobs[i - 1]->record.job_id == job->job_id &&
                      ledger->jobs[i - 1]->record.ref > job->ref)))
        i--;
    return i;
}

int ledger_job_begin(struct ledger *ledger, const struct batch_job *record)
{
    struct ljob *job, **place;

    if (find_job(ledger, record->ref))
        return -EEXIST;
    job = calloc(1, sizeof(*job));
    place = job ? insert_at(&ledger->jobs, &ledger->n_jobs, job_position(ledger, record)) : NULL;
    if (!place) {
        free(job);
        return -ENOMEM;
    }
    *place = job;
    job->record = *record;
    job->record.has &= ~(uint32_t)(JOB_HAS_END | JOB_HAS_EXIT);
    job->from = clamp(ledger, record->begin_boottime_ns);
    job->to = OPEN_END;
    if (record->begin_boottime_ns < ledger->begin)
        job->record.flags |= FLAG_BEGIN_LATE;
    if (record->ref >= ledger->next_ref)
        ledger->next_ref = record->ref + 1;
    return 0;
}

/* A step keeps only devices that its job holds. */
static void check_step_gpus(const struct ljob *job, struct lstep *step)
{
    if (!(step->record.has & STEP_HAS_GPUS) || !(job->record.has & JOB_HAS_GPUS) ||
        idset_is_subset(&step->record.gpus, &job->record.gpus))
        return;
    idset_intersect(&step->record.gpus, &job->record.gpus);
    step->record.flags |= FLAG_GPU_REFUSED;
}

int ledger_job_update(struct ledger *ledger, const struct batch_job *record)
{
    struct ljob *job = find_job(ledger, record->ref);
    const uint32_t ending = JOB_HAS_END | JOB_HAS_EXIT;
    struct batch_job old;

    if (!job)
        return -ENOENT;
    old = job->record;
    job->record = *record;
    job->record.has = (record->has & ~ending) | (old.has & ending);
    job->record.begin_boottime_ns = old.begin_boottime_ns;
    job->record.begin_wall_ns = old.begin_wall_ns;
    job->record.end_boottime_ns = old.end_boottime_ns;
    job->record.end_wall_ns = old.end_wall_ns;
    job->record.exit_status = old.exit_status;
    job->record.flags |= old.flags;
    for (size_t i = 0; i < job->n_steps; i++)
        check_step_gpus(job, job->steps[i]);
    return 0;
}

static void end_step(struct ledger *ledger, struct lstep *step, uint64_t at, int64_t wall_ns,
                     uint32_t flags)
{
    step->record.has |= STEP_HAS_END;
    step->record.end_boottime_ns = at;
    step->record.end_wall_ns = wall_ns;
    step->record.flags |= flags | (at < ledger->begin ? FLAG_END_LATE : 0);
    step->to = clamp(ledger, at);
    if (step->to < step->from)
        step->to = step->from;
}

int ledger_job_end(struct ledger *ledger, uint64_t ref, uint64_t at, int64_t wall_ns,
                   const int64_t *exit_status, uint32_t flags)
{
    struct ljob *job = find_job(ledger, ref);

    if (!job || job->record.has & JOB_HAS_END)
        return -ENOENT;
    job->record.has |= JOB_HAS_END | (exit_status ? JOB_HAS_EXIT : 0);
    job->record.exit_status = exit_status ? *exit_status : 0;
    job->record.end_boottime_ns = at;
    job->record.end_wall_ns = wall_ns;
    job->record.flags |= flags | (at < ledger->begin ? FLAG_END_LATE : 0);
    job->to = clamp(ledger, at);
    if (job->to < job->from)
        job->to = job->from;
    for (size_t i = 0; i < job->n_steps; i++) {
        if (job->steps[i]->record.has & STEP_HAS_END)
            continue;
        end_step(ledger, job->steps[i], at, wall_ns, flags | FLAG_END_LOST);
        job->steps[i]->end_implied = true;
    }
    return 0;
}

int ledger_step_begin(struct ledger *ledger, const struct batch_step *record)
{
    struct ljob *job = find_job(ledger, record->ref);
    struct lstep *step, **place;
    size_t i = job ? job->n_steps : 0;

    if (!job || (job->record.has & JOB_HAS_END && job->to <= ledger->begin))
        return -ENOENT;
    if (find_step(job, record->step_id))
        return -EEXIST;
    while (i > 0 && job->steps[i - 1]->record.step_id > record->step_id)
        i--;
    step = calloc(1, sizeof(*step));
    place = step ? insert_at(&job->steps, &job->n_steps, i) : NULL;
    if (!place) {
        free(step);
        return -ENOMEM;
    }
    *place = step;
    step->record = *record;
    step->record.has &= ~(uint32_t)(STEP_HAS_END | STEP_HAS_EXIT);
    step->record.cpu_ns = 0;
    step->from = clamp(ledger, record->begin_boottime_ns);
    step->to = OPEN_END;
    step->cpu.base.at = step->from;
    step->cpu.has_base = true;
    if (record->begin_boottime_ns < ledger->begin)
        step->record.flags |= FLAG_BEGIN_LATE;
    check_step_gpus(job, step);
    if (job->record.has & JOB_HAS_END) {
        end_step(ledger, step, job->record.end_boottime_ns, job->record.end_wall_ns, FLAG_END_LOST);
        step->end_implied = true;
    }
    return 0;
}

int ledger_step_cpu(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at,
                    uint64_t cpu_ns)
{
    struct ljob *job = find_job(ledger, ref);
    struct lstep *step = job ? find_step(job, step_id) : NULL;

    if (!step)
        return -ENOENT;
    step->cpu_known = true;
    return series_add(&step->cpu, (struct point){ clamp(ledger, at), cpu_ns, false });
}

int ledger_step_end(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at,
                    int64_t wall_ns, uint64_t cpu_ns, const int64_t *exit_status, uint32_t flags)
{
    struct ljob *job = find_job(ledger, ref);
    struct lstep *step = job ? find_step(job, step_id) : NULL;

    if (!step || (step->record.has & STEP_HAS_END && !step->end_implied))
        return -ENOENT;
    if (step->end_implied)
        step->record.flags &= ~(uint32_t)FLAG_END_LOST;
    step->end_implied = false;
    if (exit_status) {
        step->record.has |= STEP_HAS_EXIT;
        step->record.exit_status = *exit_status;
    }
    end_step(ledger, step, at, wall_ns, flags);
    return cpu_ns ? series_add(&step->cpu, (struct point){ step->to, cpu_ns, false }) : 0;
}

/* --- closing --------------------------------------------------------------------------------- */

uint64_t ledger_excess_uj(const struct ledger *ledger, size_t counter)
{
    return ledger->counters[counter].debt_uj;
}

bool ledger_gpu_is_held(const struct ledger *ledger, uint32_t device)
{
    for (size_t i = 0; i < ledger->n_jobs; i++)
        if (ledger->jobs[i]->to == OPEN_END && idset_has(&ledger->jobs[i]->record.gpus, device))
            return true;
    return false;
}

uint64_t ledger_begin(const struct ledger *ledger)
{
    return ledger->begin;
}

uint64_t ledger_ready(const struct ledger *ledger, uint64_t now, uint64_t patience_ns)
{
    uint64_t ready = now;

    for (size_t i = 0; i < ledger->n_counters; i++) {
        struct counter *counter = &ledger->counters[i];
        uint64_t last;

        if (counter->gone || counter->at_close || counter_unwrap(counter) < 0)
            continue;
        last = series_last(&counter->series);
        if (last < ready && last + patience_ns >= now && last > 0)
            ready = last;
    }
    return ready;
}

/* Wall clock minus boottime in the stretch that ends at or contains `at`: the clock of the event
   that closes it, for steps of the clock correct an error more often than they make one. */
static int64_t clock_offset(const struct ledger *ledger, uint64_t at)
{
    const struct clock_point *point = NULL;

    for (size_t i = 0; i < ledger->n_clocks; i++) {
        point = &ledger->clocks[i];
        if (point->at >= at)
            break;
    }
    return point ? point->wall_ns - (int64_t)point->at : 0;
}

static int add_cut(struct ledger *ledger, uint64_t at)
{
    if (ledger->n_cuts == ledger->room_cuts) {
        size_t room = ledger->room_cuts ? ledger->room_cuts * 2 : 64;
        uint64_t *grown = realloc(ledger->cuts, room * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        ledger->cuts = grown;
        ledger->room_cuts = room;
    }
    ledger->cuts[ledger->n_cuts++] = at;
    return 0;
}

static int add_cut_inside(struct ledger *ledger, uint64_t at, uint64_t end)
{
    return at > ledger->begin && at < end ? add_cut(ledger, at) : 0;
}

static int compare_u64(const void *va, const void *vb)
{
    const uint64_t *a = va, *b = vb;

    return *a < *b ? -1 : *a > *b;
}

/* Every instant at which someone comes or goes, or the clocks were compared. */
static int cut_at_events(struct ledger *ledger, uint64_t end)
{
    int rc = add_cut(ledger, end);

    for (size_t i = 0; i < ledger->n_clocks && rc == 0; i++)
        rc = add_cut_inside(ledger, ledger->clocks[i].at, end);
    for (size_t i = 0; i < ledger->n_jobs && rc == 0; i++) {
        const struct ljob *job = ledger->jobs[i];

        rc = add_cut_inside(ledger, job->from, end);
        if (rc == 0)
            rc = add_cut_inside(ledger, job->to, end);
        for (size_t k = 0; k < job->n_steps && rc == 0; k++) {
            rc = add_cut_inside(ledger, job->steps[k]->from, end);
            if (rc == 0)
                rc = add_cut_inside(ledger, job->steps[k]->to, end);
        }
    }
    return rc;
}

/* The first UTC minute border behind `at`, as boottime, by the clock of that stretch. */
static uint64_t next_minute(uint64_t at, int64_t offset_ns)
{
    uint64_t wall = (uint64_t)((int64_t)at + offset_ns);

    return at + (MINUTE_NS - wall % MINUTE_NS);
}

static int64_t minute_of(uint64_t at, int64_t offset_ns)
{
    return ((int64_t)at + offset_ns) / (int64_t)MINUTE_NS * MINUTE_S;
}

/* Attribute one stretch without comings and goings, cut at minutes of the wall clock. */
static int close_stretch(struct ledger *ledger, uint64_t from, uint64_t to)
{
    int64_t offset_ns = clock_offset(ledger, to);
    int rc = 0;

    while (from < to && rc == 0) {
        uint64_t border = next_minute(from, offset_ns);
        struct slice slice = { from, border < to ? border : to, minute_of(from, offset_ns) };

        rc = split_slice(ledger, &slice);
        from = slice.to;
    }
    return rc;
}

/*
 * What a counter counted in closed time while it was silent: nobody can be charged for it any
 * more, so it is unallocated, as a gap; the time itself was stated as a gap when it was closed.
 */
static int close_silence(struct ledger *ledger, struct counter *counter)
{
    uint64_t from = counter->series.base.at;
    int64_t offset_ns = clock_offset(ledger, ledger->begin);
    int rc = 0;

    if (!counter->series.has_base || from >= ledger->begin || counter->series.count == 0)
        return 0;
    if (series_known_ns(&counter->series, from, ledger->begin)) /* it can be bridged */
        counter->debt_uj += counter->pending_uj;
    counter->pending_uj = 0;
    while (from < ledger->begin && rc == 0) {
        uint64_t border = next_minute(from, offset_ns);
        struct slice slice = { from, border < ledger->begin ? border : ledger->begin,
                               minute_of(from, offset_ns) };

        rc = book_silence(ledger, counter, &slice);
        from = slice.to;
    }
    return rc;
}

/* Make ready: all series known, silences booked, the cuts in order. */
static int prepare(struct ledger *ledger, uint64_t end)
{
    int rc = 0;

    for (size_t i = 0; i < ledger->n_counters && rc == 0; i++)
        rc = counter_unwrap(&ledger->counters[i]);
    for (int pass = 0; pass < 2; pass++) /* the node meter after its parts */
        for (size_t i = 0; i < ledger->n_counters && rc == 0; i++)
            if ((ledger->counters[i].component == COMPONENT_OTHER) == pass)
                rc = close_silence(ledger, &ledger->counters[i]);
    ledger->n_cuts = 0;
    if (rc == 0)
        rc = cut_at_events(ledger, end);
    if (rc == 0)
        qsort(ledger->cuts, ledger->n_cuts, sizeof(*ledger->cuts), compare_u64);
    return rc;
}

/* Move every series' base, and the window, to `end`. */
static void advance(struct ledger *ledger, uint64_t end)
{
    size_t gone = 0;

    for (size_t i = 0; i < ledger->n_counters; i++)
        counter_advance(&ledger->counters[i], end);
    for (uint32_t i = 0; i < ledger->node.packages; i++)
        series_advance(&ledger->packages[i].busy, end, false);
    for (size_t i = 0; i < ledger->n_jobs; i++)
        for (size_t k = 0; k < ledger->jobs[i]->n_steps; k++) {
            struct lstep *step = ledger->jobs[i]->steps[k];

            if (step->from <= end)
                series_advance(&step->cpu, end, false);
        }
    while (gone + 1 < ledger->n_clocks && ledger->clocks[gone + 1].at <= end)
        gone++;
    if (gone)
        memmove(ledger->clocks, ledger->clocks + gone,
                (ledger->n_clocks - gone) * sizeof(*ledger->clocks));
    ledger->n_clocks -= gone;
    ledger->begin = end;
}

int ledger_close(struct ledger *ledger, uint64_t at)
{
    uint64_t from = ledger->begin;
    int rc;

    if (at <= ledger->begin)
        return 0;
    rc = prepare(ledger, at);
    for (size_t i = 0; i < ledger->n_cuts && rc == 0; i++) {
        if (ledger->cuts[i] == from)
            continue;
        rc = close_stretch(ledger, from, ledger->cuts[i]);
        from = ledger->cuts[i];
    }
    if (rc == 0)
        advance(ledger, at);
    return rc;
}

/* --- sealing --------------------------------------------------------------------------------- */

#define PUSH(batch, array, item) \
    (batch_push(&(batch)->array, &(batch)->n_##array, sizeof(item), &(item)) ? 0 : -ENOMEM)

static int64_t wall_at(const struct ledger *ledger, uint64_t at)
{
    return (int64_t)at + clock_offset(ledger, at);
}

static void seal_head(const struct ledger *ledger, struct batch_head *head)
{
    head->begin_boottime_ns = ledger->batch_begin;
    head->end_boottime_ns = ledger->begin;
    head->begin_wall_ns = ledger->batch_begin_known ? ledger->batch_begin_wall_ns
                                                    : wall_at(ledger, ledger->batch_begin);
    head->end_wall_ns = wall_at(ledger, ledger->begin);
    head->packages = ledger->node.packages;
    head->cores = ledger->node.cores;
    head->gpus = ledger->node.gpus;
    head->memory_mb = ledger->node.memory_mb;
    head->next_ref = ledger->next_ref;
}

static int seal_counters(const struct ledger *ledger, struct batch *batch)
{
    int rc = 0;

    for (size_t i = 0; i < ledger->n_counters && rc == 0; i++) {
        const struct counter *from = &ledger->counters[i];
        struct batch_counter record = {
            .has = (from->good.has && from->series.has_base ? COUNTER_HAS_RAW : 0) |
                   (from->has_floor ? COUNTER_HAS_FLOOR : 0),
            .component = from->component,
            .quality = from->quality,
            .domain = from->domain,
            .range_uj = from->range_uj,
            .max_uw = from->max_uw,
            .floor_uw = from->floor_uw,
            .raw_uj = from->good.raw_uj,
            .raw_boottime_ns = from->good.at,
            .seen_uj = from->good.seen_uj,
            .counted_begin_uj = from->counted_begin_uj,
            .counted_uj = from->series.base.value,
            .counted_boottime_ns = from->series.base.at,
            .debt_uj = from->debt_uj,
            .pending_uj = from->pending_uj,
        };

        memcpy(record.source, from->source, sizeof(record.source));
        memcpy(record.sensor, from->sensor, sizeof(record.sensor));
        rc = PUSH(batch, counters, record);
    }
    return rc;
}

static int seal_packages(const struct ledger *ledger, struct batch *batch)
{
    int rc = 0;

    for (uint32_t i = 0; i < ledger->node.packages && rc == 0; i++) {
        const struct lpackage *from = &ledger->packages[i];
        struct batch_package record = { 0, i, from->busy.base.value, from->job_debt_ns };

        if (from->busy.has_base)
            rc = PUSH(batch, packages, record);
    }
    return rc;
}

static int seal_rows(struct batch *batch, const struct rows *rows, enum owner owner, uint64_t ref,
                     uint32_t step_id)
{
    int rc = 0;

    for (size_t i = 0; i < rows->count && rc == 0; i++) {
        const struct row *from = &rows->rows[i];
        struct batch_energy record = {
            .has = (owner == OWNER_STEP || owner == OWNER_REMAINDER ? ENERGY_HAS_REF : 0) |
                   (owner == OWNER_STEP ? ENERGY_HAS_STEP : 0),
            .hour_s = from->hour_s,
            .owner = owner,
            .ref = ref,
            .step_id = step_id,
            .component = from->component,
            .quality = from->quality,
            .active_uj = from->active_uj,
            .idle_uj = from->idle_uj,
            .metered_ns = from->metered_ns,
            .elapsed_ns = from->elapsed_ns,
        };

        memcpy(record.sensor, from->sensor, sizeof(record.sensor));
        rc = PUSH(batch, energies, record);
    }
    return rc;
}

/* What begins only after the batch's end is the next batch's. */
static bool has_begun(const struct ledger *ledger, uint64_t from)
{
    return from <= ledger->begin;
}

static int seal_step(struct batch *batch, const struct lstep *step, uint64_t end)
{
    struct batch_step record = step->record;

    record.cpu_ns = series_at(&step->cpu, step->to > end ? end : UINT64_MAX);
    if (step->to > end) { /* its end was fed, but lies behind the batch */
        record.has &= ~(uint32_t)(STEP_HAS_END | STEP_HAS_EXIT);
        record.flags &= ~(uint32_t)(FLAG_END_LATE | FLAG_END_LOST);
    } else if (!step->cpu_known && step->cpu.base.value == 0 && step->cpu.count == 0) {
        record.flags |= FLAG_NO_CPU_TIME;
    }
    return PUSH(batch, steps, record);
}

static int seal_job(const struct ledger *ledger, struct batch *batch, const struct ljob *job)
{
    struct batch_job record = job->record;
    int rc;

    if (!has_begun(ledger, job->from))
        return 0;
    if (job->to > ledger->begin) {
        record.has &= ~(uint32_t)(JOB_HAS_END | JOB_HAS_EXIT);
        record.flags &= ~(uint32_t)(FLAG_END_LATE | FLAG_END_LOST);
    }
    rc = PUSH(batch, jobs, record);
    if (rc == 0)
        rc = seal_rows(batch, &job->rows, OWNER_REMAINDER, record.ref, 0);
    for (size_t i = 0; i < job->n_powers && rc == 0; i++)
        rc = PUSH(batch, powers, job->powers[i]);
    for (size_t i = 0; i < job->n_steps && rc == 0; i++) {
        const struct lstep *step = job->steps[i];

        if (!has_begun(ledger, step->from))
            continue;
        rc = seal_step(batch, step, ledger->begin);
        if (rc == 0)
            rc = seal_rows(batch, &step->rows, OWNER_STEP, record.ref, step->record.step_id);
    }
    return rc;
}

static int seal_totals(const struct ledger *ledger, struct batch *batch)
{
    int rc = 0;

    for (size_t i = 0; i < ledger->n_totals && rc == 0; i++)
        rc = PUSH(batch, totals, ledger->totals[i]);
    for (unsigned c = 0; c < COMPONENT_COUNT && rc == 0; c++) {
        struct batch_component record = {
            .component = c,
            .begin_uj = ledger->counted_begin_uj[c],
            .end_uj = ledger->counted_uj[c],
        };

        rc = PUSH(batch, components, record);
    }
    return rc;
}

static void forget_steps(struct ledger *ledger, struct ljob *job)
{
    size_t kept = 0;

    for (size_t i = 0; i < job->n_steps; i++) {
        struct lstep *step = job->steps[i];

        step->rows.count = 0;
        if (step->to <= ledger->begin && has_begun(ledger, step->from))
            free_step(step);
        else
            job->steps[kept++] = step;
    }
    job->n_steps = kept;
}

/* Everything handed out leaves; ended jobs and steps with it. */
static void forget_sealed(struct ledger *ledger)
{
    size_t kept = 0;

    for (size_t i = 0; i < ledger->n_jobs; i++) {
        struct ljob *job = ledger->jobs[i];

        forget_steps(ledger, job);
        job->rows.count = 0;
        job->n_powers = 0;
        if (job->to <= ledger->begin)
            free_job(job);
        else
            ledger->jobs[kept++] = job;
    }
    ledger->n_jobs = kept;
    ledger->system.count = ledger->unallocated.count = 0;
    ledger->n_totals = 0;
    for (size_t i = 0; i < ledger->n_counters; i++)
        ledger->counters[i].counted_begin_uj = ledger->counters[i].series.base.value;
    memcpy(ledger->counted_begin_uj, ledger->counted_uj, sizeof(ledger->counted_uj));
    ledger->batch_begin_wall_ns = wall_at(ledger, ledger->begin);
    ledger->batch_begin_known = true;
    ledger->batch_begin = ledger->begin;
}

int ledger_seal(struct ledger *ledger, struct batch *ret_batch)
{
    struct batch batch = { 0 };
    int rc;

    seal_head(ledger, &batch.head);
    rc = seal_counters(ledger, &batch);
    if (rc == 0)
        rc = seal_packages(ledger, &batch);
    for (size_t i = 0; i < ledger->n_jobs && rc == 0; i++)
        rc = seal_job(ledger, &batch, ledger->jobs[i]);
    if (rc == 0)
        rc = seal_rows(&batch, &ledger->system, OWNER_SYSTEM, 0, 0);
    if (rc == 0)
        rc = seal_rows(&batch, &ledger->unallocated, OWNER_UNALLOCATED, 0, 0);
    if (rc == 0)
        rc = seal_totals(ledger, &batch);
    if (rc < 0) {
        batch_clear(&batch);
        return rc;
    }
    forget_sealed(ledger);
    *ret_batch = batch;
    return 0;
}
