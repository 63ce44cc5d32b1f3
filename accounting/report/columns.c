#include "report/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/parse.h"
#include "core/timespec.h"
#include "report/parts.h"

#define NS_PER_S_SIGNED ((int64_t)NS_PER_S)
#define WIDTH_MAX 1000
#define UNKNOWN "unknown"

/* --- what and who ----------------------------------------------------------------------------- */

static void write_job_id(const struct row *row, struct buf *buf)
{
    row_job_id(row, false, buf);
}

static void write_job_id_raw(const struct row *row, struct buf *buf)
{
    row_job_id(row, true, buf);
}

/* Names of srun's steps are not recorded: nothing is said of them. */
static void write_job_name(const struct row *row, struct buf *buf)
{
    if (!row->step)
        buf_printf(buf, "%s", row->job->name ? row->job->name : "");
    else if (row->step->step_id == STEP_REMAINDER || row->step->step_id >= STEP_INTERACTIVE)
        step_name(row->step->step_id, buf);
}

static void write_text(struct buf *buf, const char *text)
{
    buf_printf(buf, "%s", text ? text : "");
}

static void write_maybe(struct buf *buf, struct maybe number)
{
    if (number.has)
        buf_printf(buf, "%" PRId64, number.value);
}

static void write_account(const struct row *row, struct buf *buf)
{
    write_text(buf, row->job->account);
}

static void write_cluster(const struct row *row, struct buf *buf)
{
    write_text(buf, row->job->cluster);
}

static void write_partition(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_text(buf, row->job->partition);
}

static void write_qos(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_text(buf, row->job->qos);
}

static void write_alloc_tres(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_text(buf, row->job->alloc_tres);
}

static void write_sluid(const struct row *row, struct buf *buf)
{
    write_text(buf, row->job->sluid);
}

static void write_user(const struct row *row, struct buf *buf)
{
    if (row->step)
        return;
    if (row->job->user)
        write_text(buf, row->job->user);
    else
        write_maybe(buf, row->job->uid);
}

static void write_uid(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_maybe(buf, row->job->uid);
}

static void write_gid(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_maybe(buf, row->job->gid);
}

static void write_restarts(const struct row *row, struct buf *buf)
{
    if (!row->step)
        buf_printf(buf, "%u", row->job->restart_count);
}

static void write_period(const struct row *row, struct buf *buf)
{
    if (row->part)
        buf_printf(buf, "%s", row->part->label);
}

/* --- where ------------------------------------------------------------------------------------ */

static void write_node_list(const struct row *row, struct buf *buf)
{
    if (!row->step)
        row_node_list(row, buf);
}

static void write_nnodes(const struct row *row, struct buf *buf)
{
    if (row->step && row->step->has_record)
        buf_printf(buf, "%u", row->step->nodes);
    else if (!row->step && row->job->node_count.has)
        write_maybe(buf, row->job->node_count);
    else if (!row->step)
        buf_printf(buf, UNKNOWN);
}

static void write_nodes_reported(const struct row *row, struct buf *buf)
{
    if (!row->step)
        buf_printf(buf, "%zu", row->job->n_nodes);
}

static void write_cores(const struct row *row, struct buf *buf)
{
    uint64_t cores = row->step ? row->step->cores : 0;
    bool known = row->step ? row->step->cores > 0 : row->job->n_nodes > 0;

    if (row->step && !row->step->has_record)
        return;
    for (size_t i = 0; !row->step && i < row->job->n_nodes; i++) {
        cores += row->job->nodes[i].cores;
        known = known && row->job->nodes[i].cores > 0;
    }
    if (known)
        buf_printf(buf, "%" PRIu64, cores);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_gpus(const struct row *row, struct buf *buf)
{
    uint64_t gpus = row->step ? row->step->gpus : 0;

    if (row->step && !row->step->has_record)
        return;
    for (size_t i = 0; !row->step && i < row->job->n_nodes; i++)
        gpus += row->job->nodes[i].gpus;
    buf_printf(buf, "%" PRIu64, gpus);
}

static void write_memory_mb(const struct row *row, struct buf *buf)
{
    uint64_t memory_mb = 0;
    bool known = row->job->n_nodes > 0;

    if (row->step)
        return;
    for (size_t i = 0; i < row->job->n_nodes; i++) {
        memory_mb += row->job->nodes[i].memory_mb;
        known = known && row->job->nodes[i].memory_mb > 0;
    }
    if (known)
        buf_printf(buf, "%" PRIu64, memory_mb);
    else
        buf_printf(buf, UNKNOWN);
}

/* --- when ------------------------------------------------------------------------------------- */

static void write_instant(const struct row *row, struct buf *buf, int64_t instant_ns)
{
    char text[TIMESPEC_SIZE];

    timespec_format(instant_ns / NS_PER_S_SIGNED, row->style->time_format, row->style->now_s, text);
    buf_printf(buf, "%s", text);
}

static void write_submit(const struct row *row, struct buf *buf)
{
    if (!row->step && row->job->submit_s.has)
        write_instant(row, buf, row->job->submit_s.value * NS_PER_S_SIGNED);
}

static void write_submit_raw(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_maybe(buf, row->job->submit_s);
}

static void write_start(const struct row *row, struct buf *buf)
{
    if (row_has_times(row))
        write_instant(row, buf, row_begin_ns(row));
}

static void write_start_raw(const struct row *row, struct buf *buf)
{
    if (row_has_times(row))
        buf_printf(buf, "%" PRId64, row_begin_ns(row) / NS_PER_S_SIGNED);
}

static void write_end(const struct row *row, struct buf *buf)
{
    if (row_has_times(row) && row_is_open(row))
        buf_printf(buf, "Unknown"); /* sacct's word for the end of what runs */
    else if (row_has_times(row))
        write_instant(row, buf, row_end_ns(row));
}

static void write_end_raw(const struct row *row, struct buf *buf)
{
    if (row_has_times(row) && row_is_open(row))
        buf_printf(buf, "Unknown");
    else if (row_has_times(row))
        buf_printf(buf, "%" PRId64, row_end_ns(row) / NS_PER_S_SIGNED);
}

static void write_as_of(const struct row *row, struct buf *buf)
{
    if (!row->step)
        write_instant(row, buf, job_as_of_s(row->job) * NS_PER_S_SIGNED);
}

static void write_elapsed(const struct row *row, struct buf *buf)
{
    if (row_has_times(row))
        format_elapsed(buf, row_elapsed_ms(row));
}

static void write_elapsed_raw(const struct row *row, struct buf *buf)
{
    if (row_has_times(row))
        buf_printf(buf, "%" PRIu64, row_elapsed_ms(row) / 1000);
}

/* Of a job: the sum over its recorded steps. */
static uint64_t cpu_ns(const struct row *row)
{
    uint64_t total_ns = row->step ? row->step->cpu_ns : 0;

    for (size_t i = 0; !row->step && i < row->job->n_steps; i++)
        total_ns += row->job->steps[i].cpu_ns;
    return total_ns;
}

static void write_total_cpu(const struct row *row, struct buf *buf)
{
    if (row_has_times(row) && !row->part)
        format_elapsed(buf, cpu_ns(row) / 1000000);
}

static void write_total_cpu_raw(const struct row *row, struct buf *buf)
{
    if (row_has_times(row) && !row->part)
        buf_printf(buf, "%" PRIu64 ".%03u", cpu_ns(row) / NS_PER_S,
                   (unsigned)(cpu_ns(row) / 1000000 % 1000));
}

static void write_state(const struct row *row, struct buf *buf)
{
    const struct state *state = row_state(row);

    buf_printf(buf, "%s", state ? state->name : "");
}

static void write_exit_code(const struct row *row, struct buf *buf)
{
    struct maybe exit_status = row->step ? row->step->exit_status : row->job->exit_status;

    if (row->step && !row->step->has_record)
        return;
    if (exit_status.has)
        buf_printf(buf, "%d:%d", (int)(exit_status.value >> 8 & 0xff),
                   (int)(exit_status.value & 0x7f));
    else
        buf_printf(buf, UNKNOWN);
}

/* --- energy ----------------------------------------------------------------------------------- */

static void write_energy_mj(const struct row *row, struct buf *buf, bool known, uint64_t mj)
{
    const struct unit *unit = row->style->energy_unit;

    if (!unit && row->style->base_units)
        unit = energy_units;
    if (known)
        format_amount(buf, (double)mj, energy_units, unit);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_raw(struct buf *buf, bool known, uint64_t amount)
{
    if (known)
        buf_printf(buf, "%" PRIu64, amount);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_in(const struct row *row, struct buf *buf, double unit_mj)
{
    if (row->usage->has)
        format_number(buf, (double)usage_mj(row->usage) / unit_mj);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_energy(const struct row *row, struct buf *buf)
{
    write_energy_mj(row, buf, row->usage->has, usage_mj(row->usage));
}

static void write_energy_raw(const struct row *row, struct buf *buf)
{
    write_raw(buf, row->usage->has, usage_mj(row->usage));
}

static void write_energy_j(const struct row *row, struct buf *buf)
{
    write_in(row, buf, 1e3);
}

static void write_energy_wh(const struct row *row, struct buf *buf)
{
    write_in(row, buf, 3.6e6);
}

static void write_energy_kwh(const struct row *row, struct buf *buf)
{
    write_in(row, buf, 3.6e9);
}

static void write_active(const struct row *row, struct buf *buf)
{
    write_energy_mj(row, buf, row->usage->has, usage_active_mj(row->usage));
}

static void write_active_raw(const struct row *row, struct buf *buf)
{
    write_raw(buf, row->usage->has, usage_active_mj(row->usage));
}

static void write_idle(const struct row *row, struct buf *buf)
{
    write_energy_mj(row, buf, row->usage->has, usage_idle_mj(row->usage));
}

static void write_idle_raw(const struct row *row, struct buf *buf)
{
    write_raw(buf, row->usage->has, usage_idle_mj(row->usage));
}

static bool has_component(const struct row *row, enum component component)
{
    return row->usage->components & 1u << component;
}

static uint64_t component_mj(const struct row *row, enum component component)
{
    return row->usage->active_mj[component] + row->usage->idle_mj[component];
}

#define COMPONENT_WRITERS(name, component)                                                      \
    static void write_##name(const struct row *row, struct buf *buf)                            \
    {                                                                                           \
        write_energy_mj(row, buf, has_component(row, component), component_mj(row, component)); \
    }                                                                                           \
    static void write_##name##_raw(const struct row *row, struct buf *buf)                      \
    {                                                                                           \
        write_raw(buf, has_component(row, component), component_mj(row, component));            \
    }
COMPONENT_WRITERS(cpu, COMPONENT_CPU)
COMPONENT_WRITERS(memory, COMPONENT_MEMORY)
COMPONENT_WRITERS(gpu, COMPONENT_GPU)
COMPONENT_WRITERS(other, COMPONENT_OTHER)

/* --- power ------------------------------------------------------------------------------------ */

static void write_power(const struct row *row, struct buf *buf, bool known, uint64_t mw)
{
    if (known)
        format_amount(buf, (double)mw, power_units, row->style->base_units ? power_units : NULL);
    else if (row_has_times(row))
        buf_printf(buf, UNKNOWN);
}

static void write_avg_power(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_average_mw(row, &mw);

    write_power(row, buf, known, mw);
}

static void write_avg_power_raw(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_average_mw(row, &mw);

    if (row_has_times(row))
        write_raw(buf, known, mw);
}

static void write_watts(const struct row *row, struct buf *buf, bool known, uint64_t mw)
{
    if (known)
        format_number(buf, (double)mw / 1000);
    else if (row_has_times(row))
        buf_printf(buf, UNKNOWN);
}

static void write_avg_power_w(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_average_mw(row, &mw);

    write_watts(row, buf, known, mw);
}

static void write_peak_power_w(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_peak_mw(row, &mw);

    if (!row->step)
        write_watts(row, buf, known, mw);
}

static void write_peak_power(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_peak_mw(row, &mw);

    if (!row->step)
        write_power(row, buf, known, mw);
}

static void write_peak_power_raw(const struct row *row, struct buf *buf)
{
    uint64_t mw = 0;
    bool known = row_peak_mw(row, &mw);

    if (!row->step)
        write_raw(buf, known, mw);
}

/* --- grams ------------------------------------------------------------------------------------ */

static void write_mass(const struct row *row, struct buf *buf, bool known, double mass_g)
{
    const struct unit *unit = row->style->base_units ? &mass_units[1] : NULL;

    if (known)
        format_amount(buf, mass_g * 1e6, mass_units, unit);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_mass_raw(struct buf *buf, bool known, double mass_g)
{
    if (known)
        buf_printf(buf, "%.15g", mass_g);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_mass_g(struct buf *buf, bool known, double mass_g)
{
    if (known)
        format_number(buf, mass_g);
    else
        buf_printf(buf, UNKNOWN);
}

/* Forms of each mass: in the unit that fits, in grams in full, and of some in grams rounded.
   `applies`: else nothing is written. */
#define MASS_WRITERS(name, applies, known, mass_g)                         \
    static void write_##name(const struct row *row, struct buf *buf)       \
    {                                                                      \
        if (applies)                                                       \
            write_mass(row, buf, known, mass_g);                           \
    }                                                                      \
    static void write_##name##_raw(const struct row *row, struct buf *buf) \
    {                                                                      \
        if (applies)                                                       \
            write_mass_raw(buf, known, mass_g);                            \
    }
#define GRAM_WRITER(name, applies, known, mass_g)                        \
    static void write_##name##_g(const struct row *row, struct buf *buf) \
    {                                                                    \
        if (applies)                                                     \
            write_mass_g(buf, known, mass_g);                            \
    }
MASS_WRITERS(operational, true, row->has_grams, row->operational_g)
GRAM_WRITER(operational, true, row->has_grams, row->operational_g)
MASS_WRITERS(co2e_active, true, row->has_grams, row->grams.active_g)
MASS_WRITERS(co2e_idle, true, row->has_grams, row->grams.idle_g)
MASS_WRITERS(co2e_overhead, true, row->has_grams, row->grams.overhead_g)
MASS_WRITERS(spread, !row->step, row->has_grams, row->spread_g)
MASS_WRITERS(embodied, !row->step, row->has_embodied, row->embodied.central)
GRAM_WRITER(embodied, !row->step, row->has_embodied, row->embodied.central)
MASS_WRITERS(embodied_low, !row->step, row->has_embodied, row->embodied.low)
MASS_WRITERS(embodied_high, !row->step, row->has_embodied, row->embodied.high)
MASS_WRITERS(total, !row->step, row->has_total, row->total.central)
GRAM_WRITER(total, !row->step, row->has_total, row->total.central)
MASS_WRITERS(total_low, !row->step, row->has_total, row->total.low)
MASS_WRITERS(total_high, !row->step, row->has_total, row->total.high)

static void write_zone(const struct row *row, struct buf *buf)
{
    buf_printf(buf, "%s", row->method->grid->has_intensity ? row->method->grid->zone : UNKNOWN);
}

static void write_intensity(const struct row *row, struct buf *buf)
{
    const struct grid *grid = row->method->grid;
    const struct intensity *figure = grid->has_intensity ? method_figure(row->method, &row->hours)
                                                         : NULL;

    if (row->has_grams || figure)
        buf_printf(buf, "%.15g",
                   (double)(row->has_grams ? row->ug_per_kwh : figure->ug_per_kwh) / 1e6);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_annual_hours(const struct row *row, struct buf *buf)
{
    if (row->has_grams)
        buf_printf(buf, "%zu/%zu", row->hours.annual, row->hours.hours);
    else
        buf_printf(buf, UNKNOWN);
}

static void write_pue(const struct row *row, struct buf *buf)
{
    const struct grid *grid = row->method->grid;
    uint64_t pue_ppm = row->has_grams ? row->pue_ppm : grid->n_pues > 0 ? 0 : grid->pue_ppm;

    if (pue_ppm > 0)
        buf_printf(buf, "%.7g", (double)pue_ppm / (double)PPM);
    else
        buf_printf(buf, UNKNOWN);
}

/* --- how well it is known --------------------------------------------------------------------- */

static void write_percent(const struct row *row, struct buf *buf, uint64_t part, uint64_t whole)
{
    if (!row->usage->has || whole == 0) {
        buf_printf(buf, UNKNOWN);
        return;
    }
    format_percent(buf, part, whole);
    buf_printf(buf, "%%");
}

static void write_coverage(const struct row *row, struct buf *buf)
{
    write_percent(row, buf, row->usage->metered_ms, row->usage->elapsed_ms);
}

static void write_measured(const struct row *row, struct buf *buf)
{
    write_percent(row, buf, row->usage->quality_mj[QUALITY_MEASURED], usage_mj(row->usage));
}

static void write_modelled(const struct row *row, struct buf *buf)
{
    write_percent(row, buf, row->usage->quality_mj[QUALITY_MODELLED], usage_mj(row->usage));
}

static void write_gap(const struct row *row, struct buf *buf)
{
    write_percent(row, buf, row->usage->gap_ms, row->usage->elapsed_ms);
}

static void write_sensors(const struct row *row, struct buf *buf)
{
    for (const char *at = row->usage->sensors; *at != '\0'; at++) {
        if (*at != ' ')
            buf_add(buf, at, 1);
    }
}

static void write_complete(const struct row *row, struct buf *buf)
{
    if (!row->step)
        buf_printf(buf, "%s", job_is_complete(row->job) ? "yes" : "no");
}

/* --- the table -------------------------------------------------------------------------------- */

const struct column columns[] = {
    { "JobID", 0, true, "job and step: 123, 123_4 of an array, 123+1 of a heterogeneous job, 123.0",
      write_job_id, 0, false },
    { "JobIDRaw", 0, true, "the same with the number that Slurm counts by", write_job_id_raw, 0,
      false },
    { "JobName", 16, false, "the job's name; batch, extern, interactive or remainder of such a "
      "step", write_job_name, 0, true },
    { "Period", 0, false, "with --by: the hour (UTC), day (local time) or month (UTC) that the row "
      "is of", write_period, 0, false },
    { "SLUID", 0, false, "Slurm's unique id of the job, where Slurm has one", write_sluid, 0,
      true },
    { "Cluster", 12, false, "cluster", write_cluster, 0, true },
    { "User", 10, false, "user's name, or number where the name is unknown", write_user, 0, true },
    { "UID", 0, false, "user's number", write_uid, 0, false },
    { "GID", 0, false, "group's number", write_gid, 0, false },
    { "Account", 12, false, "account", write_account, 0, true },
    { "Partition", 12, false, "partition", write_partition, 0, true },
    { "QOS", 12, false, "quality of service", write_qos, 0, true },
    { "Restarts", 0, false, "how often the job was requeued before this run", write_restarts, 0,
      false },
    { "NNodes", 0, false, "nodes, as Slurm said", write_nnodes, 0, false },
    { "NodesReported", 0, false, "nodes whose energy has arrived", write_nodes_reported, 0, false },
    { "NodeList", 20, false, "nodes whose energy has arrived", write_node_list, 0, true },
    { "AllocCores", 0, false, "cores held", write_cores, 0, false },
    { "AllocGPUs", 0, false, "GPUs held", write_gpus, 0, false },
    { "AllocMemMB", 0, false, "memory held, MB", write_memory_mb, 0, false },
    { "AllocTRES", 20, false, "what slurmdbd says the job held", write_alloc_tres, 0, true },
    { "Submit", 0, false, "when it was submitted, as slurmdbd says", write_submit, 0, false },
    { "SubmitRaw", 0, false, "the same, seconds since 1970", write_submit_raw, 0, false },
    { "Start", 0, false, "begin, as SLURM_TIME_FORMAT says", write_start, 0, false },
    { "StartRaw", 0, false, "begin, seconds since 1970", write_start_raw, 0, false },
    { "End", 0, false, "end, or Unknown while it runs", write_end, 0, false },
    { "EndRaw", 0, false, "end, seconds since 1970", write_end_raw, 0, false },
    { "AsOf", 0, false, "up to when the job's energy has arrived", write_as_of, 0, false },
    { "Elapsed", 0, false, "[days-]hours:minutes:seconds; of what runs, up to AsOf", write_elapsed,
      0, false },
    { "ElapsedRaw", 0, false, "the same in seconds", write_elapsed_raw, 0, false },
    { "TotalCPU", 0, false, "CPU time used", write_total_cpu, 0, false },
    { "TotalCPURaw", 0, false, "CPU time used, seconds", write_total_cpu_raw, 0, false },
    { "State", 0, false, "as slurmdbd says, where it was asked (carbonctl reconcile); else "
      "RUNNING; COMPLETED (exit 0); FAILED (other exit, which a cancelled or timed out job has "
      "too); NODE_FAIL (a node rebooted); UNKNOWN (no exit recorded)", write_state, 0, false },
    { "ExitCode", 0, false, "exit code and signal", write_exit_code, 0, false },
    { "Energy", 0, false, "active and idle energy, in the unit that fits or that --units names",
      write_energy, 0, false },
    { "EnergyRaw", 0, false, "the same in millijoules", write_energy_raw, 0, false },
    { "EnergyJ", 0, false, "the same in joules", write_energy_j, 0, false },
    { "EnergyWh", 0, false, "the same in watt-hours", write_energy_wh, 0, false },
    { "EnergyKWh", 0, false, "the same in kilowatt-hours", write_energy_kwh, 0, false },
    { "ActiveEnergy", 0, false, "energy above idle: what the work drew", write_active, 0, false },
    { "ActiveEnergyRaw", 0, false, "the same in millijoules", write_active_raw, 0, false },
    { "IdleEnergy", 0, false, "idle draw of what the job held", write_idle, 0, false },
    { "IdleEnergyRaw", 0, false, "the same in millijoules", write_idle_raw, 0, false },
    { "CPUEnergy", 0, false, "energy of processor packages", write_cpu, 0, false },
    { "CPUEnergyRaw", 0, false, "the same in millijoules", write_cpu_raw, 0, false },
    { "MemoryEnergy", 0, false, "energy of memory", write_memory, 0, false },
    { "MemoryEnergyRaw", 0, false, "the same in millijoules", write_memory_raw, 0, false },
    { "GPUEnergy", 0, false, "energy of GPUs", write_gpu, 0, false },
    { "GPUEnergyRaw", 0, false, "the same in millijoules", write_gpu_raw, 0, false },
    { "OtherEnergy", 0, false, "energy of the rest of the node: fans, board, power supply",
      write_other, 0, false },
    { "OtherEnergyRaw", 0, false, "the same in millijoules", write_other_raw, 0, false },
    { "AvgPower", 0, false, "mean power while metered", write_avg_power, 0, false },
    { "AvgPowerW", 0, false, "the same in watts", write_avg_power_w, 0, false },
    { "AvgPowerRaw", 0, false, "the same in milliwatts", write_avg_power_raw, 0, false },
    { "PeakPower", 0, false, "highest one-minute mean of all nodes together", write_peak_power,
      QUERY_PEAK, false },
    { "PeakPowerW", 0, false, "the same in watts", write_peak_power_w, QUERY_PEAK, false },
    { "PeakPowerRaw", 0, false, "the same in milliwatts", write_peak_power_raw, QUERY_PEAK, false },
    { "CO2eTotal", 0, false, "all that is attributed to the job: operational and embodied; of "
      "jobs, not of steps", write_total, 0, false },
    { "CO2eTotalG", 0, false, "the same in grams, rounded", write_total_g, 0, false },
    { "CO2eTotalRaw", 0, false, "the same in grams, in full", write_total_raw, 0, false },
    { "CO2eTotalLow", 0, false, "total with the low estimate of embodied", write_total_low, 0,
      false },
    { "CO2eTotalLowRaw", 0, false, "the same in grams, in full", write_total_low_raw, 0, false },
    { "CO2eTotalHigh", 0, false, "total with the high estimate of embodied", write_total_high, 0,
      false },
    { "CO2eTotalHighRaw", 0, false, "the same in grams, in full", write_total_high_raw, 0, false },
    { "CO2eOperational", 0, false, "emissions of running: energy x PUE x grid intensity, hour by "
      "hour, and CO2eSpread; embodied is not in it", write_operational, 0, false },
    { "CO2eOperationalG", 0, false, "the same in grams, rounded", write_operational_g, 0, false },
    { "CO2eOperationalRaw", 0, false, "the same in grams, in full", write_operational_raw, 0,
      false },
    { "CO2eActive", 0, false, "of it: active energy, without overhead", write_co2e_active, 0,
      false },
    { "CO2eActiveRaw", 0, false, "the same in grams, in full", write_co2e_active_raw, 0, false },
    { "CO2eIdle", 0, false, "of it: idle energy of what the job held, without overhead",
      write_co2e_idle, 0, false },
    { "CO2eIdleRaw", 0, false, "the same in grams, in full", write_co2e_idle_raw, 0, false },
    { "CO2eOverhead", 0, false, "of it: the facility beyond the machines, (PUE - 1) x energy",
      write_co2e_overhead, 0, false },
    { "CO2eOverheadRaw", 0, false, "the same in grams, in full", write_co2e_overhead_raw, 0,
      false },
    { "CO2eSpread", 0, false, "of it: the job's part of idle energy that no job held, with its "
      "overhead (IdlePolicy=spread, else 0); of jobs, not of steps", write_spread, 0, false },
    { "CO2eSpreadRaw", 0, false, "the same in grams, in full", write_spread_raw, 0, false },
    { "CO2eEmbodied", 0, false, "the job's part of making the hardware, by GPU-hours or "
      "core-hours; of jobs, not of steps", write_embodied, 0, false },
    { "CO2eEmbodiedG", 0, false, "the same in grams, rounded", write_embodied_g, 0, false },
    { "CO2eEmbodiedRaw", 0, false, "the same in grams, in full", write_embodied_raw, 0, false },
    { "CO2eEmbodiedLow", 0, false, "its low estimate", write_embodied_low, 0, false },
    { "CO2eEmbodiedLowRaw", 0, false, "the same in grams, in full", write_embodied_low_raw, 0,
      false },
    { "CO2eEmbodiedHigh", 0, false, "its high estimate", write_embodied_high, 0, false },
    { "CO2eEmbodiedHighRaw", 0, false, "the same in grams, in full", write_embodied_high_raw, 0,
      false },
    { "CO2e", 0, false, "another name of CO2eOperational: WITHOUT embodied", write_operational, 0,
      false },
    { "CO2eGrams", 0, false, "another name of CO2eOperationalG", write_operational_g, 0, false },
    { "CO2eRaw", 0, false, "another name of CO2eOperationalRaw", write_operational_raw, 0, false },
    { "Zone", 0, false, "grid zone of the intensity", write_zone, 0, false },
    { "Intensity", 0, false, "grid intensity, grams CO2e per kWh: mean by energy", write_intensity,
      0, false },
    { "AnnualHours", 0, false, "hours with energy whose intensity is the zone's annual value, of "
      "all: 12/30", write_annual_hours, 0, false },
    { "PUE", 0, false, "facility energy over machine energy: mean by energy", write_pue, 0, false },
    { "Coverage", 0, false, "share of the time that was metered", write_coverage, 0, false },
    { "Measured", 0, false, "share of the energy that was measured", write_measured, 0, false },
    { "Modelled", 0, false, "share of the energy that was modelled", write_modelled, 0, false },
    { "Gap", 0, false, "share of the time in gaps, whose energy is unknown", write_gap, 0, false },
    { "Sensors", 0, false, "what it was read with", write_sensors, 0, true },
    { "Complete", 0, false, "yes: all nodes reported, coverage 100 %, nothing lost (--strict)",
      write_complete, 0, false },
    { "Flags", 0, false, "what a reader must know: end_late and the like of the job, and of its "
      "grams missing_embodied, annual_intensity, estimated_intensity, other_basis",
      row_write_flags, 0, false },
    { NULL, 0, false, NULL, NULL, 0, false },
};

/* --- choosing --------------------------------------------------------------------------------- */

static int add_choice(struct column_choices *choices, struct column_choice choice,
                      struct error *err)
{
    struct column_choice *grown =
        realloc(choices->choices, (choices->count + 1) * sizeof(*grown));

    if (!grown)
        return error_set(err, -ENOMEM, "no memory for fields");
    choices->choices = grown;
    grown[choices->count++] = choice;
    return 0;
}

static bool begins(const char *whole, const char *begin, size_t len)
{
    return strncasecmp(whole, begin, len) == 0;
}

/* Names that begin with the text, for the message. */
static int ambiguous(const char *text, size_t len, struct error *err)
{
    char list[200] = "";
    struct buf names;

    buf_init_fixed(&names, list, sizeof(list));
    for (const struct column *column = columns; column->name; column++) {
        if (begins(column->name, text, len))
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", column->name);
    }
    return error_set(err, -EINVAL, "field \"%.*s\" may be %s: write more of it", (int)len, text,
                     list);
}

static int find_column(const char *text, size_t len, const struct column **ret, struct error *err)
{
    const struct column *found = NULL;

    for (const struct column *column = columns; column->name; column++) {
        if (begins(column->name, text, len) &&
            (!found || strlen(column->name) < strlen(found->name)))
            found = column;
    }
    if (!found || len == 0)
        return error_set(err, -EINVAL, "no field \"%.*s\": sacct-carbon --helpformat lists them",
                         (int)(len < 60 ? len : 60), text);
    for (const struct column *column = columns; column->name; column++) {
        if (begins(column->name, text, len) && strlen(found->name) > len &&
            !begins(column->name, found->name, strlen(found->name)))
            return ambiguous(text, len, err);
    }
    *ret = found;
    return 0;
}

static struct column_choice by_default(const struct column *column)
{
    return (struct column_choice){ column, column->width, false, column->left };
}

/* "Energy%-12": len bytes */
static int choose_one(const char *text, size_t len, struct column_choices *choices,
                      struct error *err)
{
    const char *percent = memchr(text, '%', len);
    size_t name_len = percent ? (size_t)(percent - text) : len;
    char digits[16];
    const struct column *column = NULL;
    uint32_t width;
    bool left;
    int rc = find_column(text, name_len, &column, err);

    if (rc < 0)
        return rc;
    if (!percent)
        return add_choice(choices, by_default(column), err);
    left = percent[1] == '-' && name_len + 1 < len;
    snprintf(digits, sizeof(digits), "%.*s", (int)(len - name_len - 1 - left), percent + 1 + left);
    if (parse_u32(digits, 1, WIDTH_MAX, &width) < 0)
        return error_set(err, -EINVAL, "field \"%.*s\": the width after %% is 1 to %d, with - "
                         "before it for text to the left", (int)(len < 60 ? len : 60), text,
                         WIDTH_MAX);
    return add_choice(choices, (struct column_choice){ column, (int)width, true, left }, err);
}

int columns_choose(const char *format, struct column_choices *choices, struct error *err)
{
    int rc = 0;

    for (const char *at = format; rc == 0 && *at != '\0';) {
        size_t len = strcspn(at, ",");

        if (len == 3 && begins("ALL", at, len)) {
            for (const struct column *column = columns; rc == 0 && column->name; column++)
                rc = add_choice(choices, by_default(column), err);
        } else if (len > 0) { /* sacct takes a comma too many */
            rc = choose_one(at, len, choices, err);
        }
        at += len + (at[len] == ',');
    }
    if (rc == 0 && choices->count == 0)
        return error_set(err, -EINVAL, "no field named: sacct-carbon --helpformat lists them");
    return rc;
}

void columns_clear(struct column_choices *choices)
{
    free(choices->choices);
    *choices = (struct column_choices){ 0 };
}

unsigned columns_need(const struct column_choices *choices)
{
    unsigned needs = 0;

    for (size_t i = 0; i < choices->count; i++)
        needs |= choices->choices[i].column->needs;
    return needs;
}
