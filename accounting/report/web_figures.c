#include "config.h"

#include "report/web.h"

#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "report/month.h"
#include "report/shown.h"

#define UG_PER_MG 1000.0 /* units of mass are told in micrograms */

/* --- time ------------------------------------------------------------------------------------- */

void web_day(struct buf *buf, int64_t instant_s)
{
    int year, month, day, minutes = (int)(instant_s % S_PER_DAY / 60);

    month_parts(instant_s, &year, &month, &day);
    buf_printf(buf, "%d %s %d", day, month_names[month], year);
    if (minutes > 0)
        buf_printf(buf, ", %02d:%02d", minutes / 60, minutes % 60);
}

void web_month_short(struct buf *buf, int64_t instant_s)
{
    int year, month, day;

    month_parts(instant_s, &year, &month, &day);
    buf_printf(buf, "%.3s %d", month_names[month], year);
}

static bool is_midnight(int64_t instant_s)
{
    return instant_s % S_PER_DAY == 0;
}

/* "October 2026", "5 October 2026", "1 October 2026 to 15 October 2026" */
static void name_period(struct web_page *page)
{
    const struct period *period = &page->report->period;
    bool from_first = clock_month_begin_s(period->from_s) == period->from_s;
    struct buf room;

    page->is_month = from_first && clock_month_next_s(period->from_s) == period->to_s;
    buf_init_fixed(&room, page->period, sizeof(page->period));
    if (page->is_month || (from_first && page->report->so_far)) {
        int year, month, day;

        month_parts(period->from_s, &year, &month, &day);
        buf_printf(&room, "%s %d%s", month_names[month], year,
                   page->report->so_far ? ", so far" : "");
        return;
    }
    web_day(&room, period->from_s);
    if (is_midnight(period->from_s) && period->to_s == period->from_s + S_PER_DAY)
        return;
    buf_printf(&room, " to ");
    web_day(&room, is_midnight(period->to_s) ? period->to_s - S_PER_DAY : period->to_s);
}

/* --- amounts ---------------------------------------------------------------------------------- */

void web_mass(struct buf *buf, double mg)
{
    format_amount(buf, mg * UG_PER_MG, mass_units, NULL);
}

void web_energy(struct buf *buf, double mj)
{
    format_amount(buf, mj, energy_units, NULL);
}

uint64_t web_amount_of(const struct web_page *page, const struct amounts *amounts)
{
    return page->grams ? amounts_total_mg(amounts) : amounts->active_mj + amounts->idle_mj;
}

void web_mass_unit(char text[WEB_UNIT_SIZE], const struct scale *scale)
{
    struct buf room;

    buf_init_fixed(&room, text, WEB_UNIT_SIZE);
    buf_printf(&room, "%s CO₂e", scale->unit->name);
}

void web_row_end(struct buf *buf)
{
    buf_printf(buf, "</tr>\n");
}

/* The leaves of the period's emissions: what is shown is a sum of leaves, and each of its ticks
   belongs to one, so that every sum on the page closes. */
enum leaf {
    ACTIVE, IDLE, SPREAD, OVERHEAD, SYSTEM, SYSTEM_OVERHEAD, FREE, FREE_OVERHEAD,
    USED, UNUSED, WRITTEN_OFF, UNDER, LEAVES
};

static void leaves_of(const struct period_report *report, uint64_t amounts_mg[LEAVES])
{
    const struct amounts *jobs = &report->jobs;
    uint64_t over_mg = report->recovery_mg > 0 ? (uint64_t)report->recovery_mg : 0;

    amounts_mg[ACTIVE] = jobs->active_mg;
    amounts_mg[IDLE] = jobs->idle_mg;
    amounts_mg[SPREAD] = jobs->spread_mg;
    amounts_mg[OVERHEAD] = jobs->overhead_mg;
    amounts_mg[SYSTEM] = report->system_mg;
    amounts_mg[SYSTEM_OVERHEAD] = report->system_overhead_mg;
    amounts_mg[FREE] = report->unallocated_mg;
    amounts_mg[FREE_OVERHEAD] = report->unallocated_overhead_mg;
    amounts_mg[USED] = jobs->embodied.central > over_mg ? jobs->embodied.central - over_mg : 0;
    amounts_mg[UNUSED] = report->unallocated_embodied.central;
    amounts_mg[WRITTEN_OFF] = report->embodied.written_off.central;
    amounts_mg[UNDER] = report->recovery_mg < 0 ? (uint64_t)-report->recovery_mg : 0;
}

static void share_ticks(const struct shown_masses *masses, const uint64_t amounts_mg[LEAVES],
                        uint64_t ticks[LEAVES])
{
    uint64_t hardware = masses->used + masses->unused - masses->over;

    (void)apportion(masses->jobs_operation, amounts_mg, SYSTEM, ticks);
    (void)apportion(masses->other_operation, &amounts_mg[SYSTEM], USED - SYSTEM, &ticks[SYSTEM]);
    ticks[USED] = hardware - masses->unused;
    (void)apportion(masses->unused, &amounts_mg[UNUSED], LEAVES - UNUSED, &ticks[UNUSED]);
}

static void balance_of(const struct shown_masses *masses, const uint64_t ticks[LEAVES],
                       struct web_balance *ret)
{
    ret->over = masses->over;
    ret->jobs_electricity = ticks[ACTIVE] + ticks[IDLE] + ticks[SPREAD] + ticks[OVERHEAD];
    ret->system = ticks[SYSTEM] + ticks[SYSTEM_OVERHEAD];
    ret->unallocated = ticks[FREE] + ticks[FREE_OVERHEAD];
    ret->jobs_hardware = ticks[USED] + ret->over;
    ret->free_hardware = ticks[UNUSED];
    ret->written_off = ticks[WRITTEN_OFF];
    ret->under = ticks[UNDER];
}

/* What a part is made of, and what it is called. */
static const struct part_kind {
    enum leaf leaves[4];
    size_t count;
    struct web_part part;
} part_kinds[] = {
    { { ACTIVE }, 1,
      { "p-active", "Work of the jobs", "active, dynamic",
        "Electricity that machines drew for jobs beyond their idle draw.",
        "electricity for the jobs’ work", false, 0, 0, 0 } },
    { { IDLE }, 1,
      { "p-idle", "Idle draw under jobs", "idle",
        "Electricity that the machines held by jobs draw whether or not they compute.",
        "the idle draw of machines that jobs held", false, 0, 0, 0 } },
    { { SPREAD }, 1,
      { "p-spread", "Idle draw of free machines, charged to jobs", "unallocated idle, spread",
        "Electricity of machines that no job held, with cooling, divided among all jobs.",
        "the idle draw of free machines", false, 0, 0, 0 } },
    { { OVERHEAD, SYSTEM_OVERHEAD, FREE_OVERHEAD }, 3,
      { "p-overhead", "Cooling and power supply", "overhead",
        "Electricity of the building beyond the machines.", "cooling and power supply", false, 0, 0,
        0 } },
    { { SYSTEM, FREE }, 2,
      { "p-free", "Free machines and system", "unallocated, system",
        "Electricity of machines that no job held, and of the operating system’s own work.",
        "machines that no job held", false, 0, 0, 0 } },
    { { USED }, 1,
      { "p-used", "Hardware in use", "embodied, used",
        "This period’s share of making the machines, for the time that jobs held them.",
        "making the hardware that jobs used", true, 0, 0, 0 } },
    { { UNUSED, UNDER }, 2,
      { "p-unused", "Hardware not in use", "embodied, unallocated",
        "This period’s share of making the machines, for the time that no job held them.",
        "making hardware that stood free", true, 0, 0, 0 } },
    { { WRITTEN_OFF }, 1,
      { "p-written", "Hardware retired early", "embodied, written off",
        "What was left to account for of hardware taken out of service before its time.",
        "hardware retired before its time", true, 0, 0, 0 } },
};

static void add_part(struct web_page *page, const struct part_kind *kind, const uint64_t *amounts,
                     const uint64_t *ticks)
{
    struct web_part part = kind->part;

    for (size_t i = 0; i < kind->count; i++) {
        part.amount += amounts[kind->leaves[i]];
        part.ticks += ticks[kind->leaves[i]];
    }
    if (part.amount > 0)
        page->parts[page->n_parts++] = part;
}

static void share_percent(struct web_page *page)
{
    uint64_t weights[WEB_PARTS_MAX], percents[WEB_PARTS_MAX];

    for (size_t i = 0; i < page->n_parts; i++)
        weights[i] = page->parts[i].amount;
    (void)apportion(100, weights, page->n_parts, percents);
    for (size_t i = 0; i < page->n_parts; i++)
        page->parts[i].percent = percents[i];
}

static void mass_of(struct web_page *page)
{
    const struct period_report *report = page->report;
    uint64_t amounts_mg[LEAVES], ticks[LEAVES];
    struct shown_masses masses;

    page->mass = scale_of(mass_units, NULL, (double)report->total_mg * UG_PER_MG);
    masses = shown_masses_of(report, &page->mass);
    page->total_ticks = masses.total;
    leaves_of(report, amounts_mg);
    share_ticks(&masses, amounts_mg, ticks);
    balance_of(&masses, ticks, &page->balance);
    page->month[0] = ticks[ACTIVE] + ticks[IDLE];
    page->month[1] = ticks[SYSTEM] + ticks[FREE];
    page->month[2] = ticks[OVERHEAD] + ticks[SYSTEM_OVERHEAD] + ticks[FREE_OVERHEAD];
    page->month[3] = ticks[USED] + ticks[UNUSED] + ticks[WRITTEN_OFF] + ticks[UNDER];
    for (size_t i = 0; page->grams && i < sizeof(part_kinds) / sizeof(*part_kinds); i++)
        add_part(page, &part_kinds[i], amounts_mg, ticks);
}

/* Without a zone the parts are those of energy. */
static void energy_of(struct web_page *page)
{
    const struct period_report *report = page->report;
    uint64_t parts_mj[] = { report->active_mj, report->idle_mj, report->system_mj,
                            report->unallocated_mj };
    uint64_t amounts[LEAVES] = { 0 }, ticks[LEAVES] = { 0 };

    page->energy = scale_of(energy_units, NULL, (double)report->counted_mj);
    page->energy_ticks[4] = scale_ticks(&page->energy, (double)report->counted_mj);
    (void)apportion(page->energy_ticks[4], parts_mj, 4, page->energy_ticks);
    amounts[ACTIVE] = parts_mj[0], ticks[ACTIVE] = page->energy_ticks[0];
    amounts[IDLE] = parts_mj[1], ticks[IDLE] = page->energy_ticks[1];
    amounts[SYSTEM] = parts_mj[2], ticks[SYSTEM] = page->energy_ticks[2];
    amounts[FREE] = parts_mj[3], ticks[FREE] = page->energy_ticks[3];
    for (size_t i = 0; !page->grams && i < sizeof(part_kinds) / sizeof(*part_kinds); i++)
        add_part(page, &part_kinds[i], amounts, ticks);
}

/* --- jobs ------------------------------------------------------------------------------------- */

#define THREE_FIGURES 100 /* ticks */

/* In the cluster's units and ticks, so that tables agree to the last digit; in smaller ones where
   the jobs' part would not be left three significant figures. */
static void jobs_of(struct web_page *page)
{
    const struct amounts *jobs = &page->report->jobs;
    double sum_ug = (double)amounts_total_mg(jobs) * UG_PER_MG;
    double sum_mj = (double)(jobs->active_mj + jobs->idle_mj);
    struct web_jobs *ret = &page->jobs;

    *ret = (struct web_jobs){ page->energy, page->mass,
                               { page->energy_ticks[0] + page->energy_ticks[1],
                                 page->balance.jobs_electricity, page->balance.jobs_hardware } };
    if (ret->total.energy < THREE_FIGURES) {
        ret->energy = scale_of(energy_units, NULL, sum_mj);
        ret->total.energy = scale_ticks(&ret->energy, sum_mj);
    }
    if (ret->total.electricity + ret->total.hardware < THREE_FIGURES) {
        ret->mass = scale_of(mass_units, NULL, sum_ug);
        ret->total.electricity =
            scale_split(&ret->mass, (double)amounts_operational_mg(jobs) * UG_PER_MG, sum_ug,
                        &ret->total.hardware);
    }
}

bool web_share_out(const struct web_page *page, const struct report_line *lines, size_t count,
                   struct web_cells *cells)
{
    const struct web_cells *total = &page->jobs.total;
    uint64_t *weights = calloc(2 * count + 1, sizeof(*weights)), *ticks = weights + count;

    if (!weights)
        return false;
    for (size_t i = 0; i < count; i++)
        weights[i] = lines[i].own.active_mj + lines[i].own.idle_mj;
    (void)apportion(total->energy, weights, count, ticks);
    for (size_t i = 0; i < count; i++) {
        cells[i].energy = ticks[i];
        weights[i] = amounts_operational_mg(&lines[i].own);
    }
    (void)apportion(total->electricity, weights, count, ticks);
    for (size_t i = 0; i < count; i++) {
        cells[i].electricity = ticks[i];
        weights[i] = lines[i].own.embodied.central;
    }
    (void)apportion(total->hardware, weights, count, ticks);
    for (size_t i = 0; i < count; i++)
        cells[i].hardware = ticks[i];
    free(weights);
    return true;
}

void web_sum_trees(const struct report_line *lines, size_t count, const struct web_cells *own,
                   struct web_cells *trees)
{
    for (size_t i = 0; i < count; i++) {
        trees[i] = own[i];
        for (size_t j = i + 1; j < count && lines[j].depth > lines[i].depth; j++) {
            trees[i].energy += own[j].energy;
            trees[i].electricity += own[j].electricity;
            trees[i].hardware += own[j].hardware;
        }
    }
}

void web_figures(struct web_page *page)
{
    page->grams = page->report->has_grams;
    page->hardware = page->report->basis->has_inventory;
    name_period(page);
    mass_of(page);
    energy_of(page);
    share_percent(page);
    jobs_of(page);
}
