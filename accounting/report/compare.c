#include "report/compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

#define S_PER_H 3600.0
#define W_PER_KW 1000.0
/* A CPU that CodeCarbon cannot meter and does not know: half of 85 W (POWER_CONSTANT and
   CONSUMPTION_PERCENTAGE_CONSTANT of its external/hardware.py, versions 2.0 to 3.3). */
#define UNKNOWN_CPU_W 42.5
#define CONSTANT_TOLERANCE 0.02 /* of power x duration: its intervals are not the whole duration */

/* What the reasons are worked out from. */
struct work {
    const struct row *row;
    const struct emissions_row *theirs;
    struct comparison *ret;
    double covered, nodes; /* share of the job's time, and nodes of the job */
    double g_per_kwh;      /* of CodeCarbon, a kWh at the machine with its PUE */
    double unexplained_kwh;
    char unexplained[64];  /* which components that is of */
};

/* --- figures ---------------------------------------------------------------------------------- */

static double kwh(uint64_t mj)
{
    return (double)mj / (double)MJ_PER_KWH;
}

static struct compare_figure component(const struct usage *usage, enum component component,
                                       bool has_theirs, double theirs)
{
    bool has_ours = usage->components & 1u << component;

    return (struct compare_figure){
        has_theirs, has_ours, theirs,
        has_ours ? kwh(usage->active_mj[component] + usage->idle_mj[component]) : 0,
    };
}

static void take_figures(const struct row *row, const struct emissions_row *theirs,
                         struct comparison *ret)
{
    const struct usage *usage = row->usage;
    double facility_kwh = theirs->total_kwh * theirs->pue;

    ret->cpu_kwh = component(usage, COMPONENT_CPU, true, theirs->cpu_kwh);
    ret->memory_kwh = component(usage, COMPONENT_MEMORY, true, theirs->memory_kwh);
    ret->gpu_kwh = component(usage, COMPONENT_GPU, true, theirs->gpu_kwh);
    ret->other_kwh = component(usage, COMPONENT_OTHER, false, 0);
    ret->total_kwh = (struct compare_figure){ true, true, theirs->total_kwh, kwh(usage_mj(usage)) };
    ret->duration_s = (struct compare_figure){ true, true, theirs->duration_s,
                                               (double)row_elapsed_ms(row) / 1000 };
    ret->pue = (struct compare_figure){ true, row->has_grams, theirs->pue,
                                        (double)row->pue_ppm / (double)PPM };
    ret->intensity_g_per_kwh = (struct compare_figure){
        facility_kwh > 0, row->has_grams, facility_kwh > 0 ? theirs->emissions_g / facility_kwh : 0,
        (double)row->ug_per_kwh / 1e6,
    };
    ret->operational_g = (struct compare_figure){ true, row->has_grams, theirs->emissions_g,
                                                  row->operational_g };
    ret->embodied_g = (struct compare_figure){ false, row->has_embodied, 0, row->embodied.central };
    ret->total_g = (struct compare_figure){ true, row->has_total, theirs->emissions_g,
                                            row->total.central };
    ret->difference_kwh = ret->total_kwh.ours - ret->total_kwh.theirs;
    ret->has_difference_g = row->has_grams;
    ret->difference_g = (row->has_total ? row->total.central : row->operational_g) -
                        theirs->emissions_g;
}

/* --- reasons ---------------------------------------------------------------------------------- */

static void add(struct work *work, const char *key, bool has_energy, double amount,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A reason of so many kWh, or of so many grams. Nothing is no reason. */
static void add(struct work *work, const char *key, bool has_energy, double amount,
                const char *fmt, ...)
{
    struct comparison *ret = work->ret;
    struct compare_reason *reason = &ret->reasons[ret->n_reasons];
    va_list ap;

    if (fabs(amount) < 1e-12)
        return;
    *reason = (struct compare_reason){ .key = key, .has_energy = has_energy,
                                       .energy_kwh = has_energy ? amount : 0,
                                       .mass_g = has_energy ? amount * work->g_per_kwh : amount };
    va_start(ap, fmt);
    vsnprintf(reason->words, sizeof(reason->words), fmt, ap);
    va_end(ap);
    ret->n_reasons++;
}

static void leave(struct work *work, const char *what, double amount_kwh)
{
    size_t used = strlen(work->unexplained);

    work->unexplained_kwh += amount_kwh;
    if (what && fabs(amount_kwh) >= 1e-12)
        snprintf(work->unexplained + used, sizeof(work->unexplained) - used, "%s%s",
                 used ? ", " : "", what);
}

/* What is left of a component when time and nodes are the same. */
static double left_kwh(const struct work *work, const struct compare_figure *figure)
{
    return figure->ours * work->covered / work->nodes - figure->theirs;
}

/* A round number of watts that makes the energy: what a table says, not a meter. */
static bool is_constant(double w, double amount_kwh, double duration_s)
{
    double expected_kwh = w * duration_s / S_PER_H / W_PER_KW;

    return w > 0 && fabs(w * 100 - round(w * 100)) < 1e-6 &&
           fabs(amount_kwh - expected_kwh) <= CONSTANT_TOLERANCE * expected_kwh;
}

static double cores_of(const struct query_job *job)
{
    double cores = 0;

    for (size_t i = 0; i < job->n_nodes; i++) {
        if (job->nodes[i].cores == 0)
            return 0;
        cores += job->nodes[i].cores;
    }
    return cores;
}

static double gpus_of(const struct query_job *job)
{
    double gpus = 0;

    for (size_t i = 0; i < job->n_nodes; i++)
        gpus += job->nodes[i].gpus;
    return gpus;
}

/* CodeCarbon's CPUs are threads, of which a core has one or two. */
static void explain_cpu(struct work *work)
{
    const struct emissions_row *theirs = work->theirs;
    double amount_kwh = left_kwh(work, &work->ret->cpu_kwh);
    double cores = cores_of(work->row->job) / work->nodes;

    if (is_constant(theirs->cpu_w, theirs->cpu_kwh, theirs->duration_s))
        add(work, "cpu", true, amount_kwh, "CPU: CodeCarbon took a constant %.10g W%s, no meter",
            theirs->cpu_w, theirs->cpu_w == UNKNOWN_CPU_W
            ? ", its figure for a CPU that it does not know" : "");
    else if (strcmp(theirs->tracking_mode, "machine") == 0 && cores > 0 &&
             theirs->cpu_count > 2 * cores)
        add(work, "cpu", true, amount_kwh, "CPU: CodeCarbon counted the whole machine (%.10g "
            "CPUs), of which the job held %.10g cores", theirs->cpu_count, cores);
    else
        leave(work, "CPU", amount_kwh);
}

/* It has no meter of memory in any version. */
static void explain_memory(struct work *work)
{
    const struct emissions_row *theirs = work->theirs;
    uint32_t major = 0;
    char digits[8];

    snprintf(digits, sizeof(digits), "%.*s", (int)strspn(theirs->version, "0123456789"),
             theirs->version);
    if (parse_u32(digits, 1, UINT32_MAX, &major) < 0)
        major = 0; /* no version that says how */
    add(work, "memory", true, left_kwh(work, &work->ret->memory_kwh),
        "memory: CodeCarbon took %.4g W%s, no meter%s", theirs->memory_w,
        major == 0 ? "" : major < 3 ? ", by 3 W for 8 GB" : ", by its guess of the DIMMs",
        work->ret->memory_kwh.has_ours ? "" : "; nor has slurm-carbon one on this node");
}

static void explain_gpu(struct work *work)
{
    double amount_kwh = left_kwh(work, &work->ret->gpu_kwh);
    double held = gpus_of(work->row->job) / work->nodes, counted = work->theirs->gpu_count;

    if (counted > held)
        add(work, "gpu", true, amount_kwh, "GPUs: CodeCarbon counted %.10g, of which the job held "
            "%.10g", counted, held);
    else if (held > counted)
        add(work, "gpu", true, amount_kwh, "GPUs: CodeCarbon counted %.10g of the %.10g that the "
            "job held", counted, held);
    else
        leave(work, "GPU", amount_kwh);
}

static void explain_energy(struct work *work)
{
    const struct comparison *ret = work->ret;
    const struct emissions_row *theirs = work->theirs;
    double ours_kwh = ret->total_kwh.ours;

    add(work, "span", true, ours_kwh * (1 - work->covered), "time: CodeCarbon ran for %.1f %% of "
        "the job's; the rest at the job's mean power", work->covered * 100);
    add(work, "nodes", true, ours_kwh * work->covered * (1 - 1 / work->nodes), "nodes: the job "
        "held %.10g, CodeCarbon counts the one it runs on; as if they drew alike", work->nodes);
    explain_cpu(work);
    explain_memory(work);
    explain_gpu(work);
    add(work, "other", true, left_kwh(work, &ret->other_kwh), "fans, board, power supply: "
        "CodeCarbon counts none");
    leave(work, NULL, theirs->cpu_kwh + theirs->memory_kwh + theirs->gpu_kwh - theirs->total_kwh);
    add(work, "not_explained", true, work->unexplained_kwh, "not explained%s%s",
        work->unexplained[0] ? ": " : "", work->unexplained);
}

static void explain_intensity(struct work *work)
{
    const struct comparison *ret = work->ret;
    const struct compare_figure *intensity = &ret->intensity_g_per_kwh;
    const struct row *row = work->row;

    add(work, "intensity", false,
        ret->total_kwh.ours * ret->pue.ours * (intensity->ours - intensity->theirs),
        "grid: CodeCarbon took %.4g g/kWh (%.15s), slurm-carbon %.4g (zone %.30s, %zu of %zu h at "
        "the annual value)", intensity->theirs, work->theirs->country, intensity->ours,
        row->method->grid->zone, row->hours.annual, row->hours.hours);
}

/* Without an intensity of CodeCarbon's, as it counted nothing, a kWh is worth 0 g. */
static void explain_mass(struct work *work)
{
    struct comparison *ret = work->ret;
    const struct compare_figure *intensity = &ret->intensity_g_per_kwh, *pue = &ret->pue;
    double rest_g = ret->difference_g;

    if (intensity->has_theirs) {
        explain_intensity(work);
        add(work, "pue", false, ret->total_kwh.ours * (pue->ours - pue->theirs) * intensity->theirs,
            "PUE: CodeCarbon took %.4g, slurm-carbon %.4g", pue->theirs, pue->ours);
    }
    add(work, "spread", false, work->row->spread_g, "idle energy that no job held, spread over all "
        "(IdlePolicy)");
    if (ret->embodied_g.has_ours)
        add(work, "embodied", false, ret->embodied_g.ours, "making the hardware: CodeCarbon counts "
            "none");
    for (size_t i = 0; i < ret->n_reasons; i++)
        rest_g -= ret->reasons[i].mass_g;
    if (fabs(rest_g) > 1e-9 * fabs(ret->operational_g.ours)) /* more than doubles lose */
        add(work, "not_explained", false, rest_g, "not explained: %s", intensity->has_theirs
            ? "PUE and intensity vary together, hour by hour" : "CodeCarbon counted no energy");
}

static void sort_reasons(struct comparison *ret)
{
    for (size_t i = 1; i < ret->n_reasons; i++) {
        struct compare_reason reason = ret->reasons[i];
        double amount = fabs(ret->has_difference_g ? reason.mass_g : reason.energy_kwh);
        size_t at = i;

        while (at > 0 && fabs(ret->has_difference_g ? ret->reasons[at - 1].mass_g
                                                    : ret->reasons[at - 1].energy_kwh) < amount) {
            ret->reasons[at] = ret->reasons[at - 1];
            at--;
        }
        ret->reasons[at] = reason;
    }
}

void compare(const struct row *row, const struct emissions_row *theirs, struct comparison *ret)
{
    struct work work = { .row = row, .theirs = theirs, .ret = ret, .covered = 1, .nodes = 1 };

    *ret = (struct comparison){ .n_reasons = 0 };
    take_figures(row, theirs, ret);
    if (ret->duration_s.theirs < ret->duration_s.ours)
        work.covered = ret->duration_s.theirs / ret->duration_s.ours;
    if (row->job->n_nodes > 1)
        work.nodes = (double)row->job->n_nodes;
    if (ret->intensity_g_per_kwh.has_theirs)
        work.g_per_kwh = ret->intensity_g_per_kwh.theirs * theirs->pue;
    explain_energy(&work);
    if (ret->has_difference_g)
        explain_mass(&work);
    sort_reasons(ret);
}
