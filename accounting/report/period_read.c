/*
 * period_read.c - what the database has of a period, into memory: nodes, what jobs held, the hours
 * of all, and whose the jobs are. Everything is a stream; sums of jobs and nodes stay.
 */
#include "report/period_work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/row.h"

#define NS_PER_MS INT64_C(1000000)

/* --- nodes ------------------------------------------------------------------------------------ */

/* NULL without memory */
static struct work_node *add_node(struct work *work, const char *name)
{
    struct work_node *node = work_grow(&work->nodes, &work->n_nodes, sizeof(*node));

    if (node)
        node->name = strdup(name);
    return node && node->name ? node : NULL;
}

static int take_node(void *arg, const struct period_node *given)
{
    struct work *work = arg;
    struct work_node *node = add_node(work, given->name);

    if (!node)
        return -ENOMEM;
    node->node_key = given->node_key;
    node->gpus = given->gpus;
    node->cores = given->cores;
    return key_map_add(&work->node_of, given->node_key, work->n_nodes - 1, NULL);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Nodes of the inventory that never reported are in service all the same. */
static int add_silent_nodes(struct work *work, struct error *err)
{
    const struct inventory *inventory = work_inventory(work);
    size_t n_heard = work->n_nodes;
    const char **names = calloc(n_heard + 1, sizeof(*names));
    int rc = names ? 0 : work_no_memory(err);

    for (size_t i = 0; names && i < n_heard; i++)
        names[i] = work->nodes[i].name;
    if (names)
        qsort(names, n_heard, sizeof(*names), compare_names);
    for (size_t i = 0; rc == 0 && i < inventory->n_types; i++) {
        const struct hostlist *list = &inventory->types[i].nodes;

        for (size_t j = 0; rc == 0 && j < list->count; j++) {
            const char *name = list->names[j];

            if (!bsearch(&name, names, n_heard, sizeof(*names), compare_names) &&
                !add_node(work, name))
                rc = work_no_memory(err);
        }
    }
    free(names);
    return rc;
}

/* The greatest number of devices that a node of each type has told. */
struct told {
    uint32_t gpus, cores;
};

/* Types; the inventory's numbers go before those that nodes reported. */
static void type_nodes(struct work *work, struct told *told)
{
    const struct inventory *inventory = work_inventory(work);

    for (size_t i = 0; i < work->n_nodes; i++) {
        struct work_node *node = &work->nodes[i];
        const struct node_type *type;

        node->type = work->basis->has_inventory ? inventory_type_of(inventory, node->name) : -1;
        if (node->type < 0)
            continue;
        type = &inventory->types[node->type];
        if (type->gpus > 0)
            node->gpus = type->gpus;
        if (type->cores > 0)
            node->cores = type->cores;
        if (node->gpus > told[node->type].gpus)
            told[node->type].gpus = node->gpus;
        if (node->cores > told[node->type].cores)
            told[node->type].cores = node->cores;
    }
}

/* Pools. A node that never told its devices is taken to have as many as its kind. */
static void pool_nodes(struct work *work, const struct told *told)
{
    const struct inventory *inventory = work_inventory(work);

    for (size_t i = 0; i < work->n_nodes; i++) {
        struct work_node *node = &work->nodes[i];
        struct embodied_node *embodied = &work->embodied_nodes[i];

        if (node->type >= 0 && node->gpus == 0)
            node->gpus = told[node->type].gpus;
        if (node->type >= 0 && node->cores == 0)
            node->cores = told[node->type].cores;
        *embodied = (struct embodied_node){ node->name, node->type, node->gpus, node->cores };
        node->pool = embodied_pool_of(inventory, embodied);
        node->counts = embodied_counts(inventory, embodied);
        node->line = node->type >= 0 ? (size_t)node->type : inventory->n_types + node->pool;
    }
}

static int describe_nodes(struct work *work, struct error *err)
{
    size_t n_types = work_inventory(work)->n_types;
    struct told *told = calloc(n_types + 1, sizeof(*told));

    work->embodied_nodes = calloc(work->n_nodes + 1, sizeof(*work->embodied_nodes));
    work->lines = calloc(n_types + POOL_COUNT, sizeof(*work->lines));
    if (told && work->embodied_nodes && work->lines) {
        type_nodes(work, told);
        pool_nodes(work, told);
    }
    free(told);
    return told && work->embodied_nodes && work->lines ? 0 : work_no_memory(err);
}

int work_list_nodes(struct work *work, struct error *err)
{
    int rc = work->basis->has_inventory ? add_silent_nodes(work, err) : 0;

    return rc == 0 ? describe_nodes(work, err) : rc;
}

void work_clear_nodes(struct work *work)
{
    for (size_t i = 0; i < work->n_nodes; i++)
        free(work->nodes[i].name);
    key_map_clear(&work->node_of);
    free(work->nodes);
    free(work->embodied_nodes);
    free(work->lines);
    work->nodes = NULL;
    work->embodied_nodes = NULL;
    work->lines = NULL;
    work->n_nodes = 0;
}

int work_read_nodes(struct work *work, struct error *err)
{
    int rc = period_nodes(work->store, work->report->period.cluster, take_node, work, err);

    if (rc == -ENOMEM)
        return work_no_memory(err);
    return rc == 0 ? work_list_nodes(work, err) : rc;
}

int64_t work_service_s(const struct work *work, const struct work_node *node, int64_t from_s,
                       int64_t to_s)
{
    const struct node_type *type;

    if (node->type < 0)
        return 0;
    type = &work_inventory(work)->types[node->type];
    if (type->in_service_s > from_s)
        from_s = type->in_service_s;
    if (type->retired_s < to_s)
        to_s = type->retired_s;
    return to_s > from_s ? to_s - from_s : 0;
}

/* --- hours ------------------------------------------------------------------------------------ */

static int make_hours(struct work *work, struct error *err)
{
    const struct period *period = &work->report->period;

    work->n_hours = (size_t)((period->to_s - period->from_s) / WORK_HOUR_S);
    work->hours = calloc(work->n_hours + 1, sizeof(*work->hours));
    if (!work->hours)
        return work_no_memory(err);
    for (size_t i = 0; i < work->n_hours; i++) {
        if (!grid_hour(&work->basis->grid, period->from_s + (int64_t)i * WORK_HOUR_S,
                       &work->hours[i]))
            work->hours[i].ug_per_kwh = 0; /* no grams; energy is counted all the same */
    }
    return 0;
}

static const struct grid_hour *hour_of(const struct work *work, int64_t hour_s)
{
    return &work->hours[(hour_s - work->report->period.from_s) / WORK_HOUR_S];
}

static void add_energy(struct operational_exact *sum, const struct grid_hour *hour,
                       uint64_t active_mj, uint64_t idle_mj)
{
    operational_add(sum, active_mj, idle_mj, hour->pue_ppm, hour->ug_per_kwh);
}

/* Hours tell how far it is. */
static void tell_hour(struct work *work, int64_t hour_s)
{
    size_t at = (size_t)((hour_s - work->report->period.from_s) / WORK_HOUR_S);
    unsigned width = work->to_percent - work->from_percent;

    if (work->options->progress)
        work_progress(work, work->from_percent + (unsigned)(at * width / work->n_hours));
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* NULL without memory */
static struct work_job *job_of(struct work *work, int64_t job_key)
{
    size_t at = key_map_find(&work->job_of, job_key);
    struct work_job *job;

    if (at != SIZE_MAX)
        return &work->jobs[at];
    job = work_grow(&work->jobs, &work->n_jobs, sizeof(*job));
    if (!job)
        return NULL;
    job->job_key = job_key;
    return key_map_add(&work->job_of, job_key, work->n_jobs - 1, NULL) < 0 ? NULL : job;
}

/* Devices times milliseconds; floors of both ends, so that a job cut in two has the same sum. */
static int take_use(void *arg, const struct period_use *use)
{
    struct work *work = arg;
    size_t node_at = key_map_find(&work->node_of, use->node_key);
    int64_t ms = use->end_ns / NS_PER_MS - use->begin_ns / NS_PER_MS;
    struct work_node *node;
    struct work_job *job;
    uint64_t device_ms;

    if (node_at == SIZE_MAX)
        return 0; /* of another cluster */
    node = &work->nodes[node_at];
    job = job_of(work, use->job_key);
    if (!job)
        return -ENOMEM;
    if (ms <= 0)
        return 0;
    node->used = true;
    device_ms = (uint64_t)ms * (node->pool == POOL_GPU ? use->gpus : use->cores);
    if (node->pool == POOL_GPU)
        job->gpu_ms += device_ms;
    else
        job->core_ms += device_ms;
    work->lines[node->line].used_ms += device_ms;
    if (node->counts)
        job->counted_ms[node->pool] += device_ms;
    if (!node->counts || (node->pool == POOL_CPU && use->cores == 0))
        job->missing = true;
    return 0;
}

static int take_job_hour(void *arg, const struct period_energy *energy)
{
    struct work *work = arg;
    struct work_job *job = job_of(work, energy->key);

    if (!job)
        return -ENOMEM;
    tell_hour(work, energy->hour_s);
    job->active_mj += energy->active_mj;
    job->idle_mj += energy->idle_mj;
    job->measured_mj += energy->measured_mj;
    job->modelled_mj += energy->modelled_mj;
    job->metered_ms += energy->metered_ms;
    job->elapsed_ms += energy->elapsed_ms;
    job->gap_ms += energy->gap_ms;
    add_energy(&job->exact, hour_of(work, energy->hour_s), energy->active_mj,
               energy->idle_mj);
    return 0;
}

static int compare_jobs(const void *va, const void *vb)
{
    const struct work_job *a = va, *b = vb;

    return a->job_key < b->job_key ? -1 : a->job_key > b->job_key;
}

/* As they came, by allocation, is mostly by key. */
static void sort_jobs(struct work *work)
{
    size_t i = 1;

    key_map_clear(&work->job_of);
    while (i < work->n_jobs && work->jobs[i - 1].job_key < work->jobs[i].job_key)
        i++;
    if (i < work->n_jobs)
        qsort(work->jobs, work->n_jobs, sizeof(*work->jobs), compare_jobs);
}

int work_read_jobs(struct work *work, struct error *err)
{
    int rc = make_hours(work, err);

    work->to_percent = 60;
    if (rc == 0)
        rc = period_uses_and_job_hours(work->store, work->beside, &work->report->period, take_use,
                                       take_job_hour, work, err);
    sort_jobs(work);
    return rc == -ENOMEM ? work_no_memory(err) : rc;
}

/* --- whose they are, and nodes ---------------------------------------------------------------- */

/* Jobs whose rows were read, and where to look for the next; nodes need no place. */
struct rest {
    struct work *work;
    size_t at, count;
};

static int take_job(void *arg, const struct period_job *given)
{
    const struct query_job query = { .end_s = given->end_s, .exit_status = given->exit_status,
                                     .flags = given->flags,
                                     .state = (char *)(uintptr_t)given->dbd_state };
    struct rest *rest = arg;
    struct work *work = rest->work;
    struct work_job *job;
    char number[24] = "";
    int rc;

    while (work->jobs[rest->at].job_key != given->job_key)
        rest->at++;
    job = &work->jobs[rest->at];
    rest->count++;
    work->jobs_mj += job->active_mj + job->idle_mj;
    job->known = true;
    job->hidden = given->hidden;
    if (given->flags & FLAG_BACKFILLED) {
        work->report->backfilled_jobs++;
        work->report->backfilled_mj += job->active_mj + job->idle_mj;
    }
    if (given->uid.has && !given->user)
        snprintf(number, sizeof(number), "%" PRId64, given->uid.value);
    rc = texts_put(&work->texts, given->user ? given->user : number, &job->of[WORK_USER]);
    if (rc == 0)
        rc = texts_put(&work->texts, given->account ? given->account : "", &job->of[WORK_ACCOUNT]);
    if (rc == 0)
        rc = texts_put(&work->texts, given->partition ? given->partition : "",
                       &job->of[WORK_PARTITION]);
    return rc == 0 ? texts_put(&work->texts, job_state(&query)->name, &job->of[WORK_STATE]) : rc;
}

/* Energy by the hour is of all clusters. */
static void drop_others(struct work *work)
{
    size_t kept = 0;

    for (size_t i = 0; i < work->n_jobs; i++) {
        if (!work->jobs[i].known)
            continue;
        if (kept < i)
            work->jobs[kept] = work->jobs[i];
        kept++;
    }
    work->n_jobs = kept;
}

static int take_node_hour(void *arg, const struct period_energy *energy)
{
    struct work *work = ((struct rest *)arg)->work;
    size_t at = key_map_find(&work->node_of, energy->key);
    const struct grid_hour *hour = hour_of(work, energy->hour_s);
    struct work_node *node;
    struct work_line *line;

    tell_hour(work, energy->hour_s);
    if (at == SIZE_MAX)
        return 0;
    node = &work->nodes[at];
    node->heard = true;
    node->hours += work_service_s(work, node, energy->hour_s, energy->hour_s + WORK_HOUR_S) > 0;
    line = &work->lines[node->line];
    line->counted_mj += energy->counted_mj;
    line->active_mj += energy->active_mj;
    line->idle_mj += energy->idle_mj;
    line->system_mj += energy->system_mj;
    line->unallocated_mj += energy->unallocated_mj;
    add_energy(&line->exact, hour, energy->active_mj,
               energy->idle_mj + energy->system_mj + energy->unallocated_mj);
    add_energy(&work->system, hour, 0, energy->system_mj);
    add_energy(&work->unallocated[work_idle_place(work, node)], hour, 0, energy->unallocated_mj);
    return 0;
}

static void count_hour(struct period_report *report, const struct grid_hour *hour)
{
    report->hours++;
    if (!report->has_grams)
        return;
    report->annual_hours += (hour->flags & HOUR_ANNUAL) != 0;
    report->estimated_hours += (hour->flags & HOUR_ESTIMATED) != 0;
    report->other_basis_hours += (hour->flags & HOUR_OTHER_BASIS) != 0;
}

static void count_day(struct work *work, const struct period_energy *energy, uint64_t mj,
                      const struct grid_hour *hour)
{
    struct report_day *days = work->report->days;
    size_t at = (size_t)((energy->hour_s - days[0].day_s) / S_PER_DAY);
    struct operational_exact sum = { 0 };

    add_energy(&sum, hour, 0, mj);
    work->day_exact[at] += operational_sum(&sum);
    work->day_ug[at] += (exact)mj * hour->ug_per_kwh;
    work->energy_ug += (exact)mj * hour->ug_per_kwh;
    work->energy_pue += (exact)mj * hour->pue_ppm;
    days[at].counted_mj += energy->counted_mj;
    days[at].hours += mj > 0;
    days[at].annual_hours += mj > 0 && work->report->has_grams && (hour->flags & HOUR_ANNUAL);
}

/* Scope 2 by contract: the factor of the period that holds the hour. */
static void count_market(struct work *work, int64_t hour_s, uint64_t mj, uint64_t pue_ppm)
{
    const struct inventory *inventory = work_inventory(work);

    for (size_t i = 0; i < inventory->n_markets; i++) {
        const struct market_period *market = &inventory->markets[i];

        if (market->from_s <= hour_s && hour_s < market->to_s) {
            operational_add(&work->market, 0, mj, pue_ppm, market->ug_per_kwh);
            return;
        }
    }
    work->market_missing |= mj > 0;
}

static int take_cluster_hour(void *arg, const struct period_energy *energy)
{
    struct work *work = arg;
    struct period_report *report = work->report;
    const struct grid_hour *hour = hour_of(work, energy->hour_s);
    uint64_t mj = energy->active_mj + energy->idle_mj + energy->system_mj + energy->unallocated_mj;

    report->counted_mj += energy->counted_mj;
    report->active_mj += energy->active_mj;
    report->idle_mj += energy->idle_mj;
    report->system_mj += energy->system_mj;
    report->unallocated_mj += energy->unallocated_mj;
    report->measured_mj += energy->measured_mj;
    report->modelled_mj += energy->modelled_mj;
    report->metered_ms += energy->metered_ms;
    report->elapsed_ms += energy->elapsed_ms;
    report->gap_ms += energy->gap_ms;
    if (mj > 0)
        count_hour(report, hour);
    count_day(work, energy, mj, hour);
    count_market(work, energy->hour_s, mj, hour->pue_ppm);
    return 0;
}

static int make_days(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    int64_t first_s = report->period.from_s / S_PER_DAY * S_PER_DAY;

    report->n_days = (size_t)((report->period.to_s - first_s + S_PER_DAY - 1) / S_PER_DAY);
    report->days = calloc(report->n_days + 1, sizeof(*report->days));
    work->day_exact = calloc(report->n_days + 1, sizeof(*work->day_exact));
    work->day_ug = calloc(report->n_days + 1, sizeof(*work->day_ug));
    if (!report->days || !work->day_exact || !work->day_ug)
        return work_no_memory(err);
    for (size_t i = 0; i < report->n_days; i++)
        report->days[i].day_s = first_s + (int64_t)i * S_PER_DAY;
    return 0;
}

static int read_rest(struct work *work, const int64_t *keys, struct error *err)
{
    const struct period *period = &work->report->period;
    struct rest rest = { .work = work };
    int rc = period_jobs_and_node_hours(work->store, work->beside, period, keys, work->n_jobs,
                                        take_job, take_node_hour, &rest, err);

    if (rc == 0)
        rc = period_cluster_hours(work->store, period, take_cluster_hour, work, err);
    if (rest.count < work->n_jobs)
        drop_others(work);
    return rc == -ENOMEM ? work_no_memory(err) : rc;
}

int work_read_rest(struct work *work, struct error *err)
{
    int64_t *keys = calloc(work->n_jobs + 1, sizeof(*keys));
    int rc = keys ? make_days(work, err) : work_no_memory(err);

    work->from_percent = 60;
    work->to_percent = 90;
    for (size_t i = 0; keys && i < work->n_jobs; i++)
        keys[i] = work->jobs[i].job_key;
    if (rc == 0)
        rc = read_rest(work, keys, err);
    free(keys);
    return rc;
}
