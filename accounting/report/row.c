#include "report/row.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "core/hostlist.h"
#include "report/parts.h"

#define NS_PER_MS INT64_C(1000000)
#define LOSSES (FLAG_END_LOST | FLAG_BEGIN_LOST | FLAG_NO_CPU_TIME | FLAG_REBOOT)

__extension__ typedef unsigned __int128 wide;

/* Sums over the hours of a row. */
struct hours {
    struct operational_exact emitted;
    wide mj_ug, mj_ppm; /* energy x intensity, energy x PUE */
    uint64_t mj;
    struct hour_counts counts; /* of hours with energy */
    bool known; /* the intensity of every hour with energy */
};

static void add_hour(struct hours *hours, const struct usage_hour *hour, const struct grid *grid)
{
    uint64_t mj = hour->active_mj + hour->idle_mj;
    struct grid_hour factors;

    if (!grid_hour(grid, hour->hour_s, &factors) && mj > 0)
        hours->known = false;
    operational_add(&hours->emitted, hour->active_mj, hour->idle_mj, factors.pue_ppm,
                    factors.ug_per_kwh);
    hours->mj_ug += (wide)mj * factors.ug_per_kwh;
    hours->mj_ppm += (wide)mj * factors.pue_ppm;
    hours->mj += mj;
    if (mj > 0)
        hour_counts_note(&hours->counts, factors.flags);
}

/* Means are weighted by energy; of a row without any, they are those of its first hour. */
static void take_means(struct row *row, const struct hours *hours)
{
    struct grid_hour factors;

    if (hours->mj > 0) {
        row->ug_per_kwh = (uint64_t)((hours->mj_ug + hours->mj / 2) / hours->mj);
        row->pue_ppm = (uint64_t)((hours->mj_ppm + hours->mj / 2) / hours->mj);
        return;
    }
    (void)grid_hour(row->method->grid, row->usage->hours[0].hour_s, &factors);
    row->ug_per_kwh = factors.ug_per_kwh;
    row->pue_ppm = factors.pue_ppm;
}

static void take_grams(struct row *row)
{
    const struct usage *usage = row->usage;
    struct hours hours = { .known = true };

    for (size_t i = 0; i < usage->n_hours; i++)
        add_hour(&hours, &usage->hours[i], row->method->grid);
    if (!hours.known || usage->n_hours == 0)
        return;
    row->grams = (struct operational){
        .active_g = exact_g(hours.emitted.active),
        .idle_g = exact_g(hours.emitted.idle),
        .overhead_g = exact_g(hours.emitted.overhead),
        .total_g = exact_g(operational_sum(&hours.emitted)),
    };
    row->hours = hours.counts;
    row->operational_g = row->grams.total_g;
    row->has_grams = true;
    take_means(row, &hours);
}

/* Of a job or a part of it: what nobody else's steps can have. */
static void take_embodied(struct row *row)
{
    const struct job_embodied *embodied = &row->carbon->embodied;
    bool counted = embodied->gpu_ms + embodied->core_ms > 0;

    row->spread_g = fine_g(embodied->spread);
    row->operational_g += row->spread_g;
    row->has_embodied = embodied->has && row->job->n_nodes > 0 && !row->carbon->refusal &&
                        (counted || !embodied->missing);
    row->has_total = row->has_grams && row->has_embodied;
    if (!row->has_embodied)
        return;
    row->embodied = (struct range_g){ fine_g(embodied->amount.of[0]),
                                      fine_g(embodied->amount.of[1]),
                                      fine_g(embodied->amount.of[2]) };
    row->total = (struct range_g){ row->operational_g + row->embodied.low,
                                   row->operational_g + row->embodied.central,
                                   row->operational_g + row->embodied.high };
}

struct row row_of(const struct query_job *job, const struct query_step *step,
                  const struct job_carbon *carbon, const struct report_method *method,
                  const struct report_style *style)
{
    struct row row = { .job = job, .step = step, .method = method, .style = style,
                       .usage = step ? &step->usage : &job->usage, .carbon = carbon };

    if (row.usage->has && method->grid->has_intensity)
        take_grams(&row);
    if (carbon && !step)
        take_embodied(&row);
    return row;
}

struct row row_of_usage(const struct query_job *job, const struct part *part,
                        const struct usage *usage, const struct job_carbon *carbon,
                        const struct report_method *method, const struct report_style *style)
{
    struct row row = { .job = job, .part = part, .method = method, .style = style, .usage = usage,
                       .carbon = carbon };

    if (usage->has && method->grid->has_intensity)
        take_grams(&row);
    take_embodied(&row);
    return row;
}

/* Steps lie in order of their ids: the remainder's -1 first, Slurm's special ones last. */
const struct query_step *row_step(const struct query_job *job, size_t place)
{
    static const int64_t specials[] = { STEP_BATCH, STEP_EXTERN, STEP_INTERACTIVE, STEP_PENDING };
    const struct query_step *steps = job->steps;
    size_t first = job->n_steps > 0 && steps[0].step_id == STEP_REMAINDER;
    size_t last = job->n_steps;

    while (last > first && steps[last - 1].step_id >= STEP_INTERACTIVE)
        last--;
    for (size_t i = 0; i < sizeof(specials) / sizeof(*specials); i++) {
        for (size_t j = last; j < job->n_steps; j++) {
            if (steps[j].step_id == specials[i] && place-- == 0)
                return &steps[j];
        }
    }
    if (place < last - first)
        return &steps[first + place];
    place -= last - first;
    return first && place == 0 && usage_mj(&steps[0].usage) > 0 ? &steps[0] : NULL;
}

/* --- states ----------------------------------------------------------------------------------- */

enum { RUNNING, COMPLETED, FAILED, NODE_FAIL, UNKNOWN };

static const struct state states[] = {
    [RUNNING] = { "RUNNING", "R", true },
    [COMPLETED] = { "COMPLETED", "CD", true },
    [FAILED] = { "FAILED", "F", true },
    [NODE_FAIL] = { "NODE_FAIL", "NF", true },
    [UNKNOWN] = { "UNKNOWN", "UN", true },
    { "BOOT_FAIL", "BF", false },
    { "CANCELLED", "CA", false },
    { "DEADLINE", "DL", false },
    { "OUT_OF_MEMORY", "OOM", false },
    { "PENDING", "PD", false },
    { "PREEMPTED", "PR", false },
    { "REQUEUED", "RQ", false },
    { "RESIZING", "RS", false },
    { "REVOKED", "RV", false },
    { "SUSPENDED", "S", false },
    { "TIMEOUT", "TO", false },
    { NULL, NULL, false },
};

const struct state *state_find(const char *name)
{
    for (const struct state *state = states; state->name; state++) {
        if (strcasecmp(name, state->name) == 0 || strcasecmp(name, state->abbreviation) == 0)
            return state;
    }
    return NULL;
}

bool state_is_waste(const char *name)
{
    static const char *const fine[] = { "COMPLETED", "RUNNING", "SUSPENDED", "PENDING", "UNKNOWN",
                                        "RESIZING" };

    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
        if (strcmp(name, fine[i]) == 0)
            return false;
    }
    return true;
}

static const struct state *state_by(bool open, uint32_t flags, struct maybe exit_status)
{
    if (open)
        return &states[RUNNING];
    if (flags & FLAG_REBOOT)
        return &states[NODE_FAIL];
    if (!exit_status.has)
        return &states[UNKNOWN];
    return &states[exit_status.value == 0 ? COMPLETED : FAILED];
}

/* "running" of a job that has ended since is old news. */
const struct state *job_state(const struct query_job *job)
{
    const struct state *said = job->state ? state_find(job->state) : NULL;

    if (said && !(job->end_s.has && said == &states[RUNNING]))
        return said;
    return state_by(!job->end_s.has, job->flags, job->exit_status);
}

const struct state *row_state(const struct row *row)
{
    const struct query_step *step = row->step;
    struct maybe exit_status;

    if (!step)
        return job_state(row->job);
    if (!step->has_record)
        return NULL;
    exit_status = step->exit_status;
    /* extern has no task that could fail, and so no exit status; sacct says the same of it */
    if (step->step_id == STEP_EXTERN && !(step->flags & FLAG_END_LOST))
        exit_status = (struct maybe){ true, 0 };
    return state_by(!step->end_ns.has, step->flags, exit_status);
}

/* --- times ------------------------------------------------------------------------------------ */

static int64_t clip_ns(const struct row *row, int64_t instant_ns)
{
    const struct report_style *style = row->style;

    if (!style->clipped)
        return instant_ns;
    if (instant_ns / (int64_t)NS_PER_S < style->from_s)
        return style->from_s * (int64_t)NS_PER_S;
    if (instant_ns / (int64_t)NS_PER_S >= style->to_s)
        return style->to_s * (int64_t)NS_PER_S;
    return instant_ns;
}

bool row_has_times(const struct row *row)
{
    return !row->step || row->step->has_record;
}

int64_t row_begin_ns(const struct row *row)
{
    const struct query_job *job = row->job;
    int64_t begin_ns = job->begin_s * (int64_t)NS_PER_S;

    if (row->step)
        return clip_ns(row, row->step->begin_ns);
    for (size_t i = 0; i < job->n_nodes; i++) {
        if (i == 0 || job->nodes[i].begin_ns < begin_ns)
            begin_ns = job->nodes[i].begin_ns;
    }
    return clip_ns(row, begin_ns);
}

static int64_t job_end_ns(const struct query_job *job)
{
    int64_t end_ns = 0;

    for (size_t i = 0; i < job->n_nodes; i++) {
        const struct query_node *node = &job->nodes[i];
        int64_t node_ns = node->end_ns.has ? node->end_ns.value : node->seen_ns;

        if (node_ns > end_ns)
            end_ns = node_ns;
    }
    if (end_ns == 0)
        end_ns = (job->end_s.has ? job->end_s.value : job->begin_s) * (int64_t)NS_PER_S;
    return end_ns;
}

bool row_is_open(const struct row *row)
{
    if (row->step)
        return row->step->has_record && !row->step->end_ns.has;
    if (row->part && job_end_ns(row->job) > row->part->to_s * (int64_t)NS_PER_S)
        return false; /* a part of the past */
    return !row->job->end_s.has;
}

int64_t row_end_ns(const struct row *row)
{
    if (row->step && row->step->end_ns.has)
        return clip_ns(row, row->step->end_ns.value);
    return clip_ns(row, job_end_ns(row->job));
}

uint64_t row_elapsed_ms(const struct row *row)
{
    int64_t elapsed_ns = row_end_ns(row) - row_begin_ns(row);

    return elapsed_ns > 0 ? (uint64_t)(elapsed_ns / NS_PER_MS) : 0;
}

int64_t job_as_of_s(const struct query_job *job)
{
    int64_t as_of_ns = job_end_ns(job);

    for (size_t i = 0; i < job->n_nodes; i++) {
        if (!job->nodes[i].end_ns.has && job->nodes[i].seen_ns < as_of_ns)
            as_of_ns = job->nodes[i].seen_ns;
    }
    return as_of_ns / (int64_t)NS_PER_S;
}

/* --- amounts ---------------------------------------------------------------------------------- */

bool row_average_mw(const struct row *row, uint64_t *ret_mw)
{
    const struct usage *usage = row->usage;
    uint64_t metered_ms;

    if (!usage->has || !row_has_times(row) || usage->elapsed_ms == 0 || usage->metered_ms == 0)
        return false;
    metered_ms = mul_div(row_elapsed_ms(row), usage->metered_ms, usage->elapsed_ms);
    if (metered_ms == 0)
        return false;
    *ret_mw = mul_div(usage_mj(usage), 1000, metered_ms);
    return true;
}

bool row_peak_mw(const struct row *row, uint64_t *ret_mw)
{
    if (row->step || row->part || !row->job->peak_mw.has)
        return false;
    *ret_mw = (uint64_t)row->job->peak_mw.value;
    return true;
}

uint32_t row_flags(const struct row *row)
{
    uint32_t flags = row->job->flags;

    if (row->step)
        return row->step->flags;
    for (size_t i = 0; i < row->job->n_steps; i++)
        flags |= row->job->steps[i].flags;
    return flags;
}

const char *row_carbon_flag(const struct row *row, size_t place)
{
    const struct {
        bool has;
        const char *name;
    } flags[] = {
        { !row->step && row->carbon && row->carbon->embodied.missing, "missing_embodied" },
        { row->hours.annual > 0, "annual_intensity" },
        { row->hours.estimated > 0, "estimated_intensity" },
        { row->hours.other_basis > 0, "other_basis" },
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (flags[i].has && place-- == 0)
            return flags[i].name;
    }
    return NULL;
}

void row_write_flags(const struct row *row, struct buf *buf)
{
    uint32_t flags = row_flags(row);
    const char *glue = "";

    for (unsigned bit = 0; flag_names[bit]; bit++) {
        if (flags & 1u << bit) {
            buf_printf(buf, "%s%s", glue, flag_names[bit]);
            glue = ",";
        }
    }
    for (size_t i = 0; row_carbon_flag(row, i); i++) {
        buf_printf(buf, "%s%s", glue, row_carbon_flag(row, i));
        glue = ",";
    }
}

const char *flag_words(unsigned bit)
{
    static const char *const words[] = {
        "its begin was noted late: a little of its energy is booked elsewhere",
        "its end was noted late: a little energy after it is booked here",
        "its end was never noted (slurmstepd or a node died): the end is as it was noticed",
        "its begin was never noted: the begin is as first seen",
        "a step claimed a GPU that the job does not hold; the claim was ignored",
        "the CPU time of a step could not be read: its part of the job is an estimate",
        "a node rebooted under it: energy since that node's last delivery is lost",
        "nobody metered it, or a part of it: `carbonctl backfill` booked it, as a model has it",
    };

    return bit < sizeof(words) / sizeof(*words) ? words[bit] : NULL;
}

bool job_is_complete(const struct query_job *job)
{
    struct row row = { .job = job };
    const struct usage *usage = &job->usage;

    if (!usage->has || usage->gap_ms > 0 || usage->metered_ms < usage->elapsed_ms)
        return false;
    if (job->node_count.has && (int64_t)job->n_nodes < job->node_count.value)
        return false;
    return !(row_flags(&row) & LOSSES);
}

/* --- names ------------------------------------------------------------------------------------ */

void step_name(int64_t step_id, struct buf *buf)
{
    switch (step_id) {
    case STEP_BATCH:
        buf_printf(buf, "batch");
        break;
    case STEP_EXTERN:
        buf_printf(buf, "extern");
        break;
    case STEP_INTERACTIVE:
        buf_printf(buf, "interactive");
        break;
    case STEP_PENDING:
        buf_printf(buf, "pending");
        break;
    case STEP_REMAINDER:
        buf_printf(buf, "remainder");
        break;
    default:
        buf_printf(buf, "%lld", (long long)step_id);
    }
}

void row_job_id(const struct row *row, bool raw, struct buf *buf)
{
    const struct query_job *job = row->job;

    if (!raw && job->array_job_id.has && job->array_task_id.has)
        buf_printf(buf, "%lld_%lld", (long long)job->array_job_id.value,
                   (long long)job->array_task_id.value);
    else if (!raw && job->het_job_id.has && job->het_offset.has)
        buf_printf(buf, "%lld+%lld", (long long)job->het_job_id.value,
                   (long long)job->het_offset.value);
    else
        buf_printf(buf, "%u", job->job_id);
    if (row->step) {
        buf_printf(buf, ".");
        step_name(row->step->step_id, buf);
    }
}

void row_node_list(const struct row *row, struct buf *buf)
{
    const struct query_job *job = row->job;
    const char **names = calloc(job->n_nodes + 1, sizeof(*names));

    if (!names) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < job->n_nodes; i++)
        names[i] = job->nodes[i].name ? job->nodes[i].name : "";
    hostlist_fold(names, job->n_nodes, buf);
    free(names);
}

/* --- embodied --------------------------------------------------------------------------------- */

void row_write_missing_nodes(const struct row *row, struct buf *buf)
{
    const struct inventory *inventory = &row->method->basis->inventory;
    const struct query_job *job = row->job;
    const char **names = calloc(job->n_nodes + 1, sizeof(*names));
    size_t count = 0;

    if (!names) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < job->n_nodes; i++) {
        const char *name = job->nodes[i].name ? job->nodes[i].name : "";
        const struct embodied_node node = { name, inventory_type_of(inventory, name), 0, 0 };

        if (!embodied_counts(inventory, &node))
            names[count++] = name;
    }
    hostlist_fold(names, count, buf);
    free(names);
}

void row_write_embodied_unknown(const struct row *row, struct buf *buf)
{
    const struct basis *basis = row->method->basis;
    struct buf nodes;

    buf_init(&nodes);
    if (!row->carbon || basis->set.number == 0)
        buf_printf(buf, "no factor set in the database");
    else if (!basis->has_inventory)
        buf_printf(buf, "no inventory (inventory.conf) in factor set %lld",
                   (long long)basis->set.number);
    else if (row->carbon->refusal)
        buf_printf(buf, "%s", row->carbon->refusal);
    else if (row->job->n_nodes == 0)
        buf_printf(buf, "none of its nodes has reported");
    else
        row_write_missing_nodes(row, &nodes);
    if (nodes.data)
        buf_printf(buf, "inventory.conf has no asset of class GPU or CPU for %s (factor set %lld)",
                   nodes.data, (long long)basis->set.number);
    buf->failed |= buf_failed(&nodes);
    buf_free(&nodes);
}
