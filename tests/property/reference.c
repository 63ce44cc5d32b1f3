#include "reference.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_NS INT64_C(60000000000)
#define DEBT_PER_CORE_NS 1e8L /* ledger.h, rule 2 */

typedef long double real;

#define LINE_POINTS_MAX 512

struct line {
    size_t count;
    uint64_t at[LINE_POINTS_MAX];
    real value[LINE_POINTS_MAX];
};

/* The slice at hand, and what is carried from one to the next. */
struct state {
    const struct history *h;
    struct books *books;
    struct line readings[HISTORY_COUNTERS_MAX], busy[HISTORY_PACKAGES_MAX], cpu[HISTORY_STEPS_MAX];
    uint64_t from, to;
    int64_t hour_s;
    bool job_live[HISTORY_JOBS_MAX], step_live[HISTORY_STEPS_MAX];
    real step_cpu[HISTORY_STEPS_MAX];
    unsigned core_holders[HISTORY_CORES_MAX];
    real cpu_debt[HISTORY_PACKAGES_MAX], meter_debt;
    unsigned slices;
};

struct cell (*books_hour(struct books *books, int64_t hour_s))[OWNERS]
{
    for (size_t i = 0; i < books->n_hours; i++)
        if (books->hours_s[i] == hour_s)
            return books->cells[i];
    if (books->n_hours == REFERENCE_HOURS_MAX)
        abort();
    books->hours_s[books->n_hours] = hour_s;
    memset(books->cells[books->n_hours], 0, sizeof(books->cells[0]));
    return books->cells[books->n_hours++];
}

/* --- series: straight lines between points ---------------------------------------------------- */

static struct line *line_of(struct state *s, enum event_kind kind, unsigned index)
{
    switch (kind) {
    case EVENT_READING:
        return &s->readings[index];
    case EVENT_BUSY:
        return &s->busy[index];
    default:
        return &s->cpu[index];
    }
}

static void add_point(struct line *line, uint64_t at, uint64_t value)
{
    if (line->count == LINE_POINTS_MAX)
        abort();
    line->at[line->count] = at;
    line->value[line->count++] = (real)value;
}

static void draw_lines(struct state *s)
{
    for (unsigned i = 0; i < s->h->n_steps; i++)
        add_point(&s->cpu[i], s->h->steps[i].facts.begin_boottime_ns, 0);
    for (size_t i = 0; i < s->h->n_events; i++) {
        const struct event *e = &s->h->events[i];

        if (e->kind == EVENT_READING && !e->bad)
            add_point(&s->readings[e->index], e->at_ns, e->truth_uj);
        else if (e->kind == EVENT_BUSY || e->kind == EVENT_STEP_CPU)
            add_point(line_of(s, e->kind, e->index), e->at_ns, e->value);
        else if (e->kind == EVENT_STEP_END && e->value > 0)
            add_point(&s->cpu[e->index], e->at_ns, e->value);
    }
}

/* The value at an instant; before the first point the first, behind the last the last. */
static real value_at(const struct line *line, uint64_t at)
{
    size_t behind = 0;

    while (behind < line->count && line->at[behind] <= at)
        behind++;
    if (behind == 0)
        return line->count ? line->value[0] : 0;
    if (behind == line->count)
        return line->value[behind - 1];
    return line->value[behind - 1] + (line->value[behind] - line->value[behind - 1]) *
                                         (real)(at - line->at[behind - 1]) /
                                         (real)(line->at[behind] - line->at[behind - 1]);
}

static real growth(struct state *s, enum event_kind kind, unsigned index)
{
    const struct line *line = line_of(s, kind, index);

    return value_at(line, s->to) - value_at(line, s->from);
}

/* --- giving ----------------------------------------------------------------------------------- */

static void give(struct state *s, enum component component, unsigned owner, real energy_uj,
                 real slack_uj)
{
    struct cell *cell = &books_hour(s->books, s->hour_s)[component][owner];

    cell->energy_uj += energy_uj;
    cell->slack_uj += slack_uj;
}

static bool is_srun(uint32_t step_id)
{
    return step_id < STEP_INTERACTIVE;
}

static bool holds(const struct state *s, unsigned step, int device)
{
    const struct history_step *st = &s->h->steps[step];
    const struct idset *job_gpus = &s->h->jobs[st->job].facts.gpus;

    if (device < 0)
        return true;
    if (!idset_has(job_gpus, (unsigned)device))
        return false;
    return !(st->facts.has & STEP_HAS_GPUS) || idset_has(&st->facts.gpus, (unsigned)device);
}

/* Idle energy, and a GPU's: srun steps evenly, else batch or interactive, else the remainder. */
static void give_idle(struct state *s, enum component component, unsigned job, real energy_uj,
                      real slack_uj, int device)
{
    for (int pass = 0; pass < 2; pass++) {
        bool matches[HISTORY_STEPS_MAX];
        unsigned count = 0;

        for (unsigned i = 0; i < s->h->n_steps; i++) {
            const struct history_step *step = &s->h->steps[i];

            matches[i] = step->job == job && s->step_live[i] &&
                         (pass == 0 ? is_srun(step->facts.step_id) && holds(s, i, device)
                                    : !is_srun(step->facts.step_id) &&
                                          step->facts.step_id != STEP_EXTERN);
            count += matches[i];
        }
        for (unsigned i = 0; i < s->h->n_steps; i++)
            if (matches[i])
                give(s, component, i, energy_uj / count, slack_uj + 1);
        if (count)
            return;
    }
    give(s, component, OWNER_OF_JOB(job), energy_uj, slack_uj);
}

/* Active energy that a job as a whole was given: by its steps' CPU time. */
static void give_active(struct state *s, enum component component, unsigned job, real energy_uj,
                        real slack_uj)
{
    real sum = 0;
    unsigned users = 0;

    for (unsigned i = 0; i < s->h->n_steps; i++)
        if (s->h->steps[i].job == job && s->step_live[i]) {
            sum += s->step_cpu[i];
            users += s->step_cpu[i] > 0;
        }
    if (sum <= 0) {
        give_idle(s, component, job, energy_uj, slack_uj, -1);
        return;
    }
    for (unsigned i = 0; i < s->h->n_steps; i++)
        if (s->h->steps[i].job == job && s->step_live[i] && s->step_cpu[i] > 0)
            give(s, component, i, energy_uj * s->step_cpu[i] / sum,
                 slack_uj + 1 + energy_uj * (users + 1) / sum);
}

/* --- claims ----------------------------------------------------------------------------------- */

/* How many cores of a package (any: -1) a job holds, a shared one counting in part. */
static real cores_held(const struct state *s, unsigned job, int package)
{
    const struct idset *cores = &s->h->jobs[job].facts.cores;
    real sum = 0;

    for (unsigned core = 0; core < s->h->node.cores; core++)
        if (s->job_live[job] && idset_has(cores, core) &&
            (package < 0 || s->h->core_package[core] == package))
            sum += 1.0L / s->core_holders[core];
    return sum;
}

static real cores_free(const struct state *s, int package)
{
    real sum = 0;

    for (unsigned core = 0; core < s->h->node.cores; core++)
        if (!s->core_holders[core] && (package < 0 || s->h->core_package[core] == package))
            sum++;
    return sum;
}

static unsigned device_holders(const struct state *s, unsigned device)
{
    unsigned count = 0;

    for (unsigned job = 0; job < s->h->n_jobs; job++)
        count += s->job_live[job] && idset_has(&s->h->jobs[job].facts.gpus, device);
    return count;
}

/* Fills a claim for each job and, last, for nobody; returns their sum. */
static real claim_cores(const struct state *s, int package, real *claims)
{
    real sum = claims[s->h->n_jobs] = cores_free(s, package);

    for (unsigned job = 0; job < s->h->n_jobs; job++)
        sum += claims[job] = cores_held(s, job, package);
    return sum;
}

static real claim_memory(const struct state *s, int package, real *claims)
{
    real node_mb = (real)s->h->node.memory_mb, domain_mb = node_mb / s->h->node.packages, held = 0;

    for (unsigned job = 0; job < s->h->n_jobs; job++) {
        const struct batch_job *facts = &s->h->jobs[job].facts;
        real here = cores_held(s, job, package), all = cores_held(s, job, -1);

        claims[job] = 0;
        if (here > 0 && facts->has & JOB_HAS_MEMORY)
            claims[job] = (real)facts->memory_mb * here / all;
        else if (here > 0)
            claims[job] = node_mb * here / s->h->node.cores;
        held += claims[job];
    }
    claims[s->h->n_jobs] = held < domain_mb ? domain_mb - held : 0;
    return held + claims[s->h->n_jobs];
}

static real claim_devices(const struct state *s, unsigned first, unsigned behind, real *claims)
{
    real sum = 0;

    memset(claims, 0, (HISTORY_JOBS_MAX + 1) * sizeof(*claims));
    for (unsigned device = first; device < behind; device++, sum++) {
        unsigned holders = device_holders(s, device);

        claims[s->h->n_jobs] += !holders;
        for (unsigned job = 0; job < s->h->n_jobs; job++)
            if (s->job_live[job] && idset_has(&s->h->jobs[job].facts.gpus, device))
                claims[job] += 1.0L / holders;
    }
    return sum;
}

static void give_claims(struct state *s, enum component component, const real *claims, real sum,
                        real energy_uj, real slack_uj, bool active, int device)
{
    for (unsigned job = 0; job < s->h->n_jobs; job++) {
        real share = energy_uj * claims[job] / sum;
        /* the ledger's claims are whole numbers too */
        real slack = slack_uj + 1 + energy_uj * 1e-7L;

        if (claims[job] <= 0)
            continue;
        if (active && device < 0)
            give_active(s, component, job, share, slack);
        else
            give_idle(s, component, job, share, slack, device);
    }
    if (claims[s->h->n_jobs] > 0)
        give(s, component, OWNER_OF_NOBODY, energy_uj * claims[s->h->n_jobs] / sum,
             slack_uj + 1 + energy_uj * 1e-7L);
}

/* --- the rules -------------------------------------------------------------------------------- */

static real cpu_on(const struct state *s, unsigned step, unsigned package)
{
    const struct idset *cores = &s->h->steps[step].facts.cores;
    unsigned here = 0, all = 0;

    for (unsigned core = 0; core < s->h->node.cores; core++)
        if (idset_has(cores, core)) {
            all++;
            here += s->h->core_package[core] == package;
        }
    return s->step_live[step] ? s->step_cpu[step] * here / all : 0;
}

/* Busy time of a package that was no step's. */
static real system_cpu(struct state *s, unsigned package, real steps, real *ret_debt)
{
    real busy = growth(s, EVENT_BUSY, package), system = busy - steps - s->cpu_debt[package];
    real most = DEBT_PER_CORE_NS * s->h->node.cores / s->h->node.packages;

    *ret_debt = system < 0 ? (-system < most ? -system : most) : 0;
    /* next to nothing, or nothing, from a difference: the ledger's whole numbers may differ */
    if (steps <= 0 && busy > 0 && system > -5000 && system < 5000)
        s->books->fragile = true;
    return system > 0 ? system : 0;
}

static void give_by_cpu(struct state *s, enum component component, unsigned package,
                        real energy_uj, const real *claims, real claimed)
{
    real steps = 0, debt, system, sum, slack;
    unsigned users = 0;

    for (unsigned i = 0; i < s->h->n_steps; i++) {
        steps += cpu_on(s, i, package);
        users += cpu_on(s, i, package) > 0;
    }
    system = system_cpu(s, package, steps, &debt);
    sum = steps + system;
    if (sum <= 0) {
        give_claims(s, component, claims, claimed, energy_uj, 3, true, -1);
        return;
    }
    /* each time is known to a nanosecond, a carried debt to one per slice */
    slack = 3 + energy_uj * (users + 3 + s->slices) / sum;
    for (unsigned i = 0; i < s->h->n_steps; i++)
        if (cpu_on(s, i, package) > 0)
            give(s, component, i, energy_uj * cpu_on(s, i, package) / sum, slack);
    give(s, component, OWNER_OF_SYSTEM, energy_uj * system / sum, slack);
}

static real floor_of(const struct state *s, size_t counter, real energy_uj)
{
    real floor_uj = (real)s->h->counters[counter].floor_uw * (real)(s->to - s->from) / 1e9L;

    return floor_uj < energy_uj ? floor_uj : energy_uj;
}

static void split_counter(struct state *s, size_t i, real *parts)
{
    const struct ledger_counter *facts = &s->h->facts[i];
    real claims[HISTORY_JOBS_MAX + 1], sum, energy = growth(s, EVENT_READING, (unsigned)i), idle;

    *parts += energy;
    if (facts->component == COMPONENT_GPU) {
        sum = claim_devices(s, facts->domain, facts->domain + 1, claims);
        give_claims(s, COMPONENT_GPU, claims, sum, energy, 3, true, (int)facts->domain);
        return;
    }
    sum = facts->component == COMPONENT_CPU ? claim_cores(s, (int)facts->domain, claims)
                                            : claim_memory(s, (int)facts->domain, claims);
    idle = floor_of(s, i, energy);
    give_claims(s, facts->component, claims, sum, idle, 3, false, -1);
    give_by_cpu(s, facts->component, facts->domain, energy - idle, claims, sum);
}

static void split_meter(struct state *s, size_t i, real parts)
{
    real claims[HISTORY_JOBS_MAX + 1], sum, energy = growth(s, EVENT_READING, (unsigned)i);
    const struct line *line = &s->readings[i];
    real other = energy - parts - s->meter_debt;

    /* before its first reading and behind its last, the meter owes nobody anything */
    if (line->count == 0 || s->from < line->at[0] || s->to > line->at[line->count - 1])
        other = 0;
    else
        s->meter_debt = other < 0 ? -other : 0;
    sum = s->h->node.gpus ? claim_devices(s, 0, s->h->node.gpus, claims)
                          : claim_cores(s, -1, claims);
    give_claims(s, COMPONENT_OTHER, claims, sum, other > 0 ? other : 0,
                (real)(s->h->n_counters * 2 + 3), true, -1);
}

static void settle_cpu(struct state *s)
{
    for (unsigned p = 0; p < s->h->node.packages; p++) {
        real steps = 0;

        for (unsigned i = 0; i < s->h->n_steps; i++)
            steps += cpu_on(s, i, p);
        system_cpu(s, p, steps, &s->cpu_debt[p]);
    }
}

/* --- slices ----------------------------------------------------------------------------------- */

static void look(struct state *s)
{
    const struct history *h = s->h;

    memset(s->core_holders, 0, sizeof(s->core_holders));
    for (unsigned job = 0; job < h->n_jobs; job++) {
        s->job_live[job] =
            h->jobs[job].facts.begin_boottime_ns <= s->from && h->jobs[job].end_ns >= s->to;
        for (unsigned core = 0; core < h->node.cores; core++)
            s->core_holders[core] += s->job_live[job] && idset_has(&h->jobs[job].facts.cores, core);
    }
    for (unsigned i = 0; i < h->n_steps; i++) {
        s->step_live[i] =
            h->steps[i].facts.begin_boottime_ns <= s->from && h->steps[i].end_ns >= s->to;
        s->step_cpu[i] = s->step_live[i] ? growth(s, EVENT_STEP_CPU, i) : 0;
    }
}

static void split(struct state *s)
{
    real parts = 0;

    look(s);
    for (size_t i = 0; i < s->h->n_counters; i++)
        if (s->h->facts[i].component != COMPONENT_OTHER)
            split_counter(s, i, &parts);
    for (size_t i = 0; i < s->h->n_counters; i++)
        if (s->h->facts[i].component == COMPONENT_OTHER)
            split_meter(s, i, parts);
    settle_cpu(s);
    s->slices++;
}

void reference_run(const struct history *h, const uint64_t *cuts_ns, size_t n_cuts,
                   struct books *ret_books)
{
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    s->h = h;
    s->books = ret_books;
    draw_lines(s);
    /* every instant is a tick or a mark and brings both clocks: it ends a stretch */
    for (size_t i = 0, last = 0; i < h->n_events; i++) {
        int64_t offset_ns = h->events[i].wall_ns - (int64_t)h->events[i].at_ns;

        if (h->events[i].at_ns == h->events[last].at_ns)
            continue;
        for (s->from = h->events[last].at_ns; s->from < h->events[i].at_ns; s->from = s->to) {
            int64_t wall_ns = (int64_t)s->from + offset_ns;

            s->to = s->from + (uint64_t)(MINUTE_NS - wall_ns % MINUTE_NS);
            if (s->to > h->events[i].at_ns)
                s->to = h->events[i].at_ns;
            for (size_t k = 0; k < n_cuts; k++)
                if (cuts_ns[k] > s->from && cuts_ns[k] < s->to)
                    s->to = cuts_ns[k];
            s->hour_s = wall_ns / MINUTE_NS * 60 / 3600 * 3600;
            split(s);
        }
        last = i;
    }
    free(s);
}
