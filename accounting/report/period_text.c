/*
 * period_text.c - the report in plain text: what a manager reads in ten seconds, then the tables
 *
 * Numbers of one table have one unit, and the decimals that give their sum three significant
 * figures; ticks of the last decimal are apportioned, so that rows and columns as shown add up to
 * the sum as shown (report/format.h, report/shown.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/operational.h"
#include "core/apportion.h"
#include "core/clock.h"
#include "core/hostlist.h"
#include "report/cells.h"
#include "report/format.h"
#include "report/month.h"
#include "report/period_report.h"
#include "report/period_text.h"
#include "report/shown.h"

#define WHOLE_MG_SEEN_MG 10000 /* below ten grams, whole milligrams are seen in three figures */
#define S_PER_HOUR_SIGNED 3600
#define MS_PER_HOUR 3600000
#define PERMILLE UINT64_C(1000)

/* Milligrams as mass_units and scales count: micrograms. */
static double mass_of(uint64_t mg)
{
    return (double)mg * 1000;
}

void ptext_bold(struct ptext *page, const char *text)
{
    buf_printf(page->buf, page->style->colour ? "\033[1m%s\033[0m" : "%s", text);
}

void ptext_title(struct ptext *page, const char *title)
{
    if (page->buf->len > 0)
        buf_printf(page->buf, "\n");
    ptext_bold(page, title);
    buf_printf(page->buf, "\n");
}

static void label(struct ptext *page, const char *text)
{
    buf_printf(page->buf, "  %s%*s", text, (int)(PTEXT_LABEL - format_width(text)), "");
}

void ptext_foreign(struct ptext *page, const char *text)
{
    format_text(page->buf, text, page->style->utf8, NULL);
}

/* Three figures of a mass, with its unit */
void ptext_mass(struct ptext *page, uint64_t mg)
{
    format_amount(page->buf, mass_of(mg), mass_units, NULL);
}

/* --- the header ------------------------------------------------------------------------------- */

bool ptext_knows_mass(const struct period_report *report)
{
    return report->has_grams || report->basis->has_inventory;
}

/* "October 2026" for a full calendar month, else nothing */
static void write_month(struct ptext *page)
{
    const struct period *period = &page->report->period;
    int year, month, day;

    if (clock_month_begin_s(period->from_s) != period->from_s ||
        (clock_month_next_s(period->from_s) != period->to_s && !page->report->so_far))
        return;
    month_parts(period->from_s, &year, &month, &day);
    buf_printf(page->buf, " in %s %d%s", month_names[month], year,
               page->report->so_far ? ", so far" : "");
}

static void write_instant(struct ptext *page, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    buf_printf(page->buf, "%.10s %.5s", text, text + 11);
}

static void write_period(struct ptext *page)
{
    const struct period *period = &page->report->period;

    label(page, "Period");
    write_instant(page, period->from_s);
    buf_printf(page->buf, " to ");
    write_instant(page, period->to_s);
    buf_printf(page->buf, " UTC, %lld h", (long long)(period->to_s - period->from_s) /
               S_PER_HOUR_SIGNED);
    if (page->report->so_far)
        buf_printf(page->buf, ", up to the last delivered hour");
    buf_printf(page->buf, "%s\n",
               page->style->says_utc ? " (all of it in UTC, not in your local time)" : "");
}

/* Whose names are told, where not everybody's are. */
static void write_viewer(struct ptext *page)
{
    struct buf words;

    if (!page->report->viewer)
        return;
    label(page, "Shown");
    buf_init(&words);
    report_write_viewer(page->report->viewer, &words);
    buf_printf(page->buf, "jobs of ");
    ptext_foreign(page, words.data ? words.data : "");
    page->buf->failed |= buf_failed(&words);
    buf_free(&words);
    buf_printf(page->buf, "; those of others are in all sums, and not named\n");
}

static bool has_energy(const struct period_report *report)
{
    return report->elapsed_ms > 0 || report->counted_mj > 0;
}

static void write_total(struct ptext *page)
{
    const struct period_report *report = page->report;
    const struct range_mg *total = &report->total;
    struct scale scale = scale_of(mass_units, NULL, mass_of(total->high));

    label(page, "Total");
    if (!ptext_knows_mass(report)) {
        buf_printf(page->buf, "unknown: no zone is set for operation, and no inventory for "
                   "manufacture\n");
        return;
    }
    ptext_mass(page, report->total_mg);
    buf_printf(page->buf, " %s", page->co2e);
    if (!report->has_grams) {
        buf_printf(page->buf, " of manufacture alone; of operation unknown: no zone is set");
    } else if (!has_energy(report) && report->basis->has_inventory) {
        buf_printf(page->buf, " of manufacture alone; of operation unknown: no energy was "
                   "recorded");
    } else if (!report->basis->has_inventory) {
        buf_printf(page->buf, " of operation alone; of manufacture unknown: no inventory");
    }
    if (total->low != total->high) {
        buf_printf(page->buf, "; between ");
        scale_write(page->buf, &scale, scale_ticks(&scale, mass_of(total->low)), total->low > 0);
        buf_printf(page->buf, " and ");
        scale_write(page->buf, &scale, scale_ticks(&scale, mass_of(total->high)), true);
        buf_printf(page->buf, " %s, as figures of manufacture are uncertain", scale.unit->name);
    }
    buf_printf(page->buf, "\n");
}

static void write_energy(struct ptext *page)
{
    const struct period_report *report = page->report;

    label(page, "Energy");
    if (!has_energy(report)) {
        buf_printf(page->buf, "none was recorded in this period\n");
        return;
    }
    format_amount(page->buf, (double)report->counted_mj, energy_units, NULL);
    buf_printf(page->buf, " counted");
    if (report->counted_mj > 0) {
        buf_printf(page->buf, ", ");
        format_percent(page->buf, report->measured_mj, report->counted_mj);
        buf_printf(page->buf, " %% of it measured");
    }
    if (report->elapsed_ms > 0) {
        buf_printf(page->buf, "; ");
        format_percent(page->buf, report->metered_ms, report->elapsed_ms);
        buf_printf(page->buf, " %% of the time covered");
    }
    buf_printf(page->buf, "\n");
}

static void write_pue(struct ptext *page)
{
    const struct period_report *report = page->report;
    uint64_t pue_ppm = report->counted_mj > 0 ? report->pue_ppm : report->basis->grid.pue_ppm;

    buf_printf(page->buf, "PUE %.4g%s\n", (double)pue_ppm / (double)PPM,
               report->basis->grid.n_pues > 0 ? " (mean)" : "");
}

static void write_grid(struct ptext *page)
{
    const struct period_report *report = page->report;
    const struct grid *grid = &report->basis->grid;
    const struct intensity *annual = grid->n_annual > 0 ? &grid->annual[grid->n_annual - 1] : NULL;

    label(page, "Grid");
    if (!report->has_grams) {
        buf_printf(page->buf, "no zone is set: Zone in carbon.conf, then carbonctl factors "
                   "update; ");
        write_pue(page);
        return;
    }
    buf_printf(page->buf, "%s", grid->zone);
    if (grid->name[0] != '\0') {
        buf_printf(page->buf, " (");
        ptext_foreign(page, grid->name);
        buf_printf(page->buf, ")");
    }
    if (report->counted_mj > 0) {
        buf_printf(page->buf, ", mean ");
        format_number(page->buf, (double)report->ug_per_kwh / 1e6);
        buf_printf(page->buf, " g/kWh");
    }
    if (report->hours == 0)
        buf_printf(page->buf, ", no energy to apply it to");
    else if (report->annual_hours < report->hours)
        buf_printf(page->buf, ", by the hour, %s, %s", grid->basis, grid->scope);
    else if (annual)
        buf_printf(page->buf, ", annual value of %u, %s", annual->year, annual->basis);
    buf_printf(page->buf, "; ");
    write_pue(page);
    if (report->hours == 0)
        return;
    label(page, "");
    ptext_foreign(page, report->annual_hours < report->hours || !annual ? grid->source
                                                                        : annual->source);
    buf_printf(page->buf, "\n");
}

static void write_mode(struct ptext *page)
{
    static const char *const words[] = {
        "capacity: jobs carry hardware by device-hours; hours that nobody held are apart",
        "share: jobs carry all of the hardware, by device-hours",
        "planned: jobs carry the hardware as if it were used as planned",
    };
    const struct basis *basis = page->report->basis;

    label(page, "Embodied");
    if (!basis->has_inventory) {
        buf_printf(page->buf, "unknown: no inventory (carbonctl inventory discover prints one)\n");
        return;
    }
    buf_printf(page->buf, "mode %s", words[basis->mode]);
    if (basis->mode == MODE_PLANNED)
        buf_printf(page->buf, " (%.4g %%)", (double)basis->utilisation_ppm / 1e4);
    buf_printf(page->buf, "\n");
}

static void write_factor_set(struct ptext *page)
{
    const struct factor_set *set = &page->report->basis->set;
    char made[CLOCK_TEXT_SIZE];

    clock_format_utc(set->made_s, made);
    label(page, "Factors");
    buf_printf(page->buf, "set %lld of %.10s (", (long long)set->number, made);
    ptext_foreign(page, set->made_by);
    buf_printf(page->buf, ")\n");
}

static void write_header(struct ptext *page)
{
    struct buf title;

    buf_init(&title);
    buf_printf(&title, "%s of cluster ", page->co2e);
    format_text(&title, page->report->period.cluster, page->style->utf8, NULL);
    page->buf->failed |= buf_failed(&title);
    ptext_bold(page, title.data ? title.data : "");
    buf_free(&title);
    write_month(page);
    buf_printf(page->buf, "\n");
    write_period(page);
    write_viewer(page);
    write_total(page);
    write_energy(page);
    write_grid(page);
    write_mode(page);
    write_factor_set(page);
}

/* --- where it comes from ---------------------------------------------------------------------- */

/* The lines that add up to the cluster's total. */
enum { PART_ACTIVE, PART_IDLE, PART_OVERHEAD, PART_SPREAD, PART_SYSTEM, PART_UNALLOCATED,
       PART_EMBODIED, PART_EMBODIED_UNALLOCATED, PART_WRITTEN_OFF, PART_UNRECOVERED, PART_COUNT };

static const struct {
    const char *name, *words;
    bool is_operational;
} part_lines[PART_COUNT] = {
    [PART_ACTIVE] = { "jobs: active", "what the work drew above idle", true },
    [PART_IDLE] = { "jobs: idle", "idle draw of what the jobs held", true },
    [PART_OVERHEAD] = { "jobs: overhead", "cooling and losses of the building, by the PUE", true },
    [PART_SPREAD] = { "jobs: spread idle", "idle draw of what nobody held, by device-hours", true },
    [PART_SYSTEM] = { "system", "what the machines need for themselves, with overhead", true },
    [PART_UNALLOCATED] = { "unallocated", "idle draw of what nobody held, with overhead", true },
    [PART_EMBODIED] = { "embodied: used", "manufacture, by what the jobs held", false },
    [PART_EMBODIED_UNALLOCATED] = { "embodied: unused", "manufacture, of hours that nobody held",
                                    false },
    [PART_WRITTEN_OFF] = { "embodied: written off", "left of what retired before its time", false },
    [PART_UNRECOVERED] = { "embodied: unrecovered", "used less than planned", false },
};

static void parts_of(const struct period_report *report, uint64_t mg[PART_COUNT])
{
    const struct amounts *jobs = &report->jobs;

    mg[PART_ACTIVE] = jobs->active_mg;
    mg[PART_IDLE] = jobs->idle_mg;
    mg[PART_OVERHEAD] = jobs->overhead_mg;
    mg[PART_SPREAD] = jobs->spread_mg;
    mg[PART_SYSTEM] = report->system_mg + report->system_overhead_mg;
    mg[PART_UNALLOCATED] = report->unallocated_mg + report->unallocated_overhead_mg;
    mg[PART_EMBODIED] = jobs->embodied.central;
    mg[PART_EMBODIED_UNALLOCATED] = report->unallocated_embodied.central;
    mg[PART_WRITTEN_OFF] = report->embodied.written_off.central;
    mg[PART_UNRECOVERED] = report->recovery_mg < 0 ? (uint64_t)-report->recovery_mg : 0;
}

void ptext_ticks(struct cells *cells, const struct scale *scale, uint64_t ticks, bool something)
{
    ptext_known_ticks(cells, scale, ticks, something, false);
}

void ptext_known_ticks(struct cells *cells, const struct scale *scale, uint64_t ticks,
                       bool something, bool lacks)
{
    struct buf text;

    buf_init(&text);
    scale_write_known(&text, scale, ticks, something, lacks);
    cells_take(cells, &text);
}

/* Percent with one decimal, of ticks in thousandths */
void ptext_permille(struct cells *cells, uint64_t permille, bool something)
{
    static const struct unit percent = { "%", 1, 0 };
    const struct scale scale = { &percent, 1 };

    if (permille == PERMILLE)
        cells_text(cells, "100");
    else
        ptext_ticks(cells, &scale, permille, something);
}

/* Lines that are 0 by nature of the report are left out, those that happen to be 0 are not. */
static bool shows_part(const struct period_report *report, int part, uint64_t mg)
{
    bool optional = part == PART_SPREAD || part == PART_WRITTEN_OFF || part == PART_UNRECOVERED ||
                    (part == PART_EMBODIED_UNALLOCATED && report->basis->mode == MODE_PLANNED);

    if (part_lines[part].is_operational ? !report->has_grams : !report->basis->has_inventory)
        return false;
    return !optional || mg > 0;
}

static void part_row(struct cells *cells, const char *name, const struct scale *scale,
                     uint64_t ticks, uint64_t permille, bool something, const char *words)
{
    cells_text(cells, name);
    ptext_ticks(cells, scale, ticks, something);
    ptext_permille(cells, permille, something);
    cells_text(cells, words);
}

/* Planned mode may attribute more than accrued: the excess comes off. */
static void over_row(struct ptext *page, struct cells *cells, uint64_t ticks, uint64_t permille)
{
    char text[64];
    struct buf buf;

    cells_text(cells, "embodied: over-recovered");
    buf_init(&buf);
    buf_printf(&buf, "-");
    scale_write(&buf, &page->scale, ticks, true);
    cells_take(cells, &buf);
    buf_init_fixed(&buf, text, sizeof(text));
    buf_printf(&buf, "-%.1f", (double)permille / 10);
    cells_text(cells, text);
    cells_text(cells, "used more than planned: the jobs carry more than accrued");
}

/* What the parts show, here and in the balance: of one split. */
struct shown_parts {
    uint64_t mg[PART_COUNT], ticks[PART_COUNT];
    uint64_t total, over_mg, over; /* ticks of the total, and of what is over-recovered */
};

static struct shown_parts shown_parts_of(const struct ptext *page)
{
    const struct period_report *report = page->report;
    struct shown_masses masses = shown_masses_of(report, &page->scale);
    struct shown_parts shown;

    parts_of(report, shown.mg);
    shown.over_mg = report->recovery_mg > 0 ? (uint64_t)report->recovery_mg : 0;
    shown.total = masses.total;
    shown.over = masses.over;
    (void)apportion(masses.jobs_operation, &shown.mg[PART_ACTIVE], PART_SYSTEM - PART_ACTIVE,
                    &shown.ticks[PART_ACTIVE]);
    (void)apportion(masses.other_operation, &shown.mg[PART_SYSTEM], PART_EMBODIED - PART_SYSTEM,
                    &shown.ticks[PART_SYSTEM]);
    shown.ticks[PART_EMBODIED] = masses.used;
    (void)apportion(masses.unused, &shown.mg[PART_EMBODIED_UNALLOCATED],
                    PART_COUNT - PART_EMBODIED_UNALLOCATED,
                    &shown.ticks[PART_EMBODIED_UNALLOCATED]);
    return shown;
}

static int write_parts(struct ptext *page, struct error *err)
{
    const struct period_report *report = page->report;
    struct shown_parts shown = shown_parts_of(page);
    uint64_t permille[PART_COUNT], over_permille = 0;
    struct cells cells = { 0 };

    if (report->total_mg > 0)
        over_permille = mul_div(shown.over_mg, PERMILLE, report->total_mg);
    (void)apportion(PERMILLE + over_permille, shown.mg, PART_COUNT, permille);
    for (int i = 0; i < 4; i++)
        cells_column(&cells, i == 1 || i == 2);
    cells_text(&cells, "");
    cells_text(&cells, page->mass_heading);
    cells_text(&cells, "%");
    cells_text(&cells, "");
    for (int i = 0; i < PART_COUNT; i++) {
        if (shows_part(report, i, shown.mg[i]))
            part_row(&cells, part_lines[i].name, &page->scale, shown.ticks[i], permille[i],
                     shown.mg[i] > 0, part_lines[i].words);
    }
    if (shown.over_mg > 0)
        over_row(page, &cells, shown.over, over_permille);
    part_row(&cells, "total", &page->scale, shown.total, report->total_mg > 0 ? PERMILLE : 0,
             report->total_mg > 0, "");
    ptext_title(page, "Where it comes from");
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- the balance ------------------------------------------------------------------------------ */

static void write_sum(struct ptext *page, const struct scale *scale, uint64_t ticks, bool something,
                      const char *words)
{
    scale_write(page->buf, scale, ticks, something);
    buf_printf(page->buf, " %s", words);
}

static void write_energy_balance(struct ptext *page)
{
    const struct period_report *report = page->report;
    uint64_t mj[] = { report->active_mj + report->idle_mj, report->system_mj,
                      report->unallocated_mj }, ticks[3];
    struct scale scale = scale_of(energy_units, NULL, (double)report->counted_mj);
    uint64_t total = scale_ticks(&scale, (double)report->counted_mj);

    (void)apportion(total, mj, 3, ticks);
    label(page, "energy");
    write_sum(page, &scale, total, report->counted_mj > 0, scale.unit->name);
    buf_printf(page->buf, " counted = ");
    write_sum(page, &scale, ticks[0], mj[0] > 0, "jobs + ");
    write_sum(page, &scale, ticks[1], mj[1] > 0, "system + ");
    write_sum(page, &scale, ticks[2], mj[2] > 0, "unallocated\n");
}

static void write_mass_balance(struct ptext *page)
{
    static const struct {
        int first, last; /* of the parts */
        const char *words;
    } sums[] = {
        { PART_ACTIVE, PART_SPREAD, "jobs' operation" },
        { PART_SYSTEM, PART_UNALLOCATED, "system and unallocated" },
        { PART_EMBODIED, PART_EMBODIED, "embodied used" },
        { PART_EMBODIED_UNALLOCATED, PART_EMBODIED_UNALLOCATED, "unused" },
        { PART_WRITTEN_OFF, PART_UNRECOVERED, "written off or unrecovered" },
    };
    struct shown_parts shown = shown_parts_of(page);
    const char *glue = " = ";

    label(page, page->co2e);
    write_sum(page, &page->scale, shown.total, page->report->total_mg > 0, page->scale.unit->name);
    buf_printf(page->buf, page->report->has_grams ? " in all" : " of manufacture");
    for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
        uint64_t mg = 0, ticks = 0;

        for (int part = sums[i].first; part <= sums[i].last; part++) {
            mg += shown.mg[part];
            ticks += shown.ticks[part];
        }
        if (mg == 0 && (i > 0 || !page->report->has_grams))
            continue;
        buf_printf(page->buf, "%s", glue);
        glue = " + ";
        write_sum(page, &page->scale, ticks, mg > 0, sums[i].words);
    }
    if (shown.over_mg > 0) {
        buf_printf(page->buf, " - ");
        write_sum(page, &page->scale, shown.over, true, "over-recovered");
    }
    buf_printf(page->buf, "\n");
}

static void write_balance(struct ptext *page)
{
    ptext_title(page, "The books close, to the millijoule and to the milligram");
    write_energy_balance(page);
    if (ptext_knows_mass(page->report))
        write_mass_balance(page);
}

/* --- scopes ----------------------------------------------------------------------------------- */

static void scope_line(struct ptext *page, const char *name)
{
    buf_printf(page->buf, "  %-27s", name);
}

static void write_scopes(struct ptext *page)
{
    const struct period_report *report = page->report;
    const struct range_mg *acquired = &report->embodied.acquired;

    ptext_title(page, "Scopes (GHG Protocol)");
    scope_line(page, "scope 2, location-based");
    if (report->has_grams)
        ptext_mass(page, report->scope2_location_mg);
    buf_printf(page->buf, "%s", report->has_grams ? ", all operation, by the grid's mix\n"
                                                   : "unknown: no zone is set\n");
    scope_line(page, "scope 2, market-based");
    if (report->has_market) {
        ptext_mass(page, report->scope2_market_mg);
        buf_printf(page->buf, ", by contract; the line above stays as it is\n");
    } else {
        buf_printf(page->buf, "%s\n", report->basis->inventory.n_markets > 0 && report->hours > 0
                   ? "unknown: the market factors do not cover all hours: inventory.conf, market"
                   : "no market-based factor given: inventory.conf, market \"...\" { ... }");
    }
    scope_line(page, "scope 3, category 2");
    if (!report->basis->has_inventory) {
        buf_printf(page->buf, "unknown: no inventory\n");
        return;
    }
    ptext_mass(page, acquired->central);
    buf_printf(page->buf, " acquired in this period: do not add (the total has it over its "
               "years)\n");
}

/* --- warnings --------------------------------------------------------------------------------- */

static void note(struct ptext *page, const char *first)
{
    if (!page->noted)
        ptext_title(page, "Worth knowing");
    page->noted = true;
    buf_printf(page->buf, "  - %s", first);
}

static void write_nodes(struct ptext *page, const struct hostlist *list)
{
    const char **names = calloc(list->count + 1, sizeof(*names));
    struct buf text;

    buf_init(&text);
    for (size_t i = 0; names && i < list->count; i++)
        names[i] = list->names[i];
    if (names)
        hostlist_fold(names, list->count, &text);
    page->buf->failed |= !names || buf_failed(&text);
    ptext_foreign(page, text.data ? text.data : "");
    buf_free(&text);
    free(names);
}

static void note_nodes(struct ptext *page)
{
    const struct period_report *report = page->report;

    if (report->unknown_nodes.count > 0) {
        note(page, "");
        write_nodes(page, &report->unknown_nodes);
        buf_printf(page->buf, ": of no node type in inventory.conf, so their manufacture is "
                   "missing here\n");
    }
    for (size_t i = 0; i < report->n_types; i++) {
        if (report->types[i].has_embodied || report->types[i].name[0] == '\0')
            continue;
        note(page, "node type ");
        ptext_foreign(page, report->types[i].name);
        buf_printf(page->buf, ": has no assets in inventory.conf, so its manufacture is missing "
                   "here\n");
    }
    if (report->jobs.missing_embodied > 0) {
        note(page, "");
        buf_printf(page->buf, "%llu job%s held nodes that no asset of class GPU or CPU is in, or "
                   "cores that were not told: embodied is too low there\n",
                   (unsigned long long)report->jobs.missing_embodied,
                   report->jobs.missing_embodied == 1 ? "" : "s");
    }
    if (report->silent_nodes.count > 0) {
        note(page, "");
        write_nodes(page, &report->silent_nodes);
        buf_printf(page->buf, ": in service by inventory.conf, no energy in this period: down, "
                   "without the meter, or gone\n");
    }
    if (report->nodes_silent_hours > 0) {
        note(page, "");
        buf_printf(page->buf, "%llu node-hours in service without energy: what was drawn then is "
                   "unknown, and not in the figures\n",
                   (unsigned long long)report->nodes_silent_hours);
    }
}

static void note_hours(struct ptext *page)
{
    const struct period_report *report = page->report;
    unsigned long long hours = report->hours;

    if (report->annual_hours > 0 && report->annual_hours < report->hours) {
        note(page, "");
        buf_printf(page->buf, "%llu of %llu hours have no hourly intensity, and take the annual "
                   "value\n", (unsigned long long)report->annual_hours, hours);
    }
    if (report->estimated_hours > 0) {
        note(page, "");
        buf_printf(page->buf, "%llu of %llu hours have an intensity that is a forecast, or "
                   "estimated by its source\n", (unsigned long long)report->estimated_hours, hours);
    }
    if (report->other_basis_hours > 0) {
        note(page, "");
        buf_printf(page->buf, "%llu of %llu hours take an annual value of another basis than %s: "
                   "lifecycle and direct are mixed here\n",
                   (unsigned long long)report->other_basis_hours, hours,
                   report->basis->grid.basis);
    }
}

static void write_warnings(struct ptext *page)
{
    const struct period_report *report = page->report;

    note_nodes(page);
    note_hours(page);
    if (report->gap_ms > 0) {
        note(page, "gaps are ");
        format_percent(page->buf, report->gap_ms, report->elapsed_ms);
        buf_printf(page->buf, " %% of the time: their energy is unknown, and not in the figures\n");
    }
    if (report->modelled_mj > 0) {
        note(page, "");
        format_percent(page->buf, report->modelled_mj, report->counted_mj);
        buf_printf(page->buf, " %% of the energy is modelled, not measured\n");
    }
    if (report->backfilled_jobs > 0) {
        note(page, "");
        format_amount(page->buf, (double)report->backfilled_mj, energy_units, NULL);
        buf_printf(page->buf, " of %llu job%s nobody metered, or not wholly: as slurmdbd knows of "
                   "them (carbonctl backfill)\n", (unsigned long long)report->backfilled_jobs,
                   report->backfilled_jobs == 1 ? "" : "s");
    }
    if (report->fully_amortised_pieces > 0) {
        note(page, "");
        buf_printf(page->buf, "%llu asset%s past the planned lifetime: fully amortised, 0 from "
                   "then on\n", (unsigned long long)report->fully_amortised_pieces,
                   report->fully_amortised_pieces == 1 ? " is" : "s are");
    }
    if (amounts_total_mg(&report->jobs) > 0 && amounts_total_mg(&report->jobs) < WHOLE_MG_SEEN_MG)
        note(page, "so little is counted in whole milligrams that add up: a single job may be off "
             "by one or two\n");
    if (report->embodied.shared_unassigned) {
        note(page, "shared assets have no node in service to be carried by: they are in "
             "\"embodied: unused\"\n");
    }
}

/* --- the page --------------------------------------------------------------------------------- */

static bool wants(const struct ptext *page, const char *section)
{
    const char *only = page->style->section;

    return only ? strcmp(only, section) == 0
                : strcmp(section, "day") != 0 && strcmp(section, "asset") != 0;
}

static int write_totals(struct ptext *page, struct error *err)
{
    int rc = ptext_knows_mass(page->report) ? write_parts(page, err) : 0;

    write_balance(page);
    return rc;
}

int period_report_text(const struct period_report *report, const struct period_text_style *style,
                       struct buf *buf, struct error *err)
{
    struct ptext page = { .report = report, .style = style, .buf = buf,
                         .co2e = style->utf8 ? "CO\xe2\x82\x82" "e" : "CO2e" };
    int rc = 0;

    page.scale = scale_of(mass_units, NULL, mass_of(report->total_mg));
    snprintf(page.mass_heading, sizeof(page.mass_heading), "%s %s", page.scale.unit->name,
             page.co2e);
    if (style->head)
        write_header(&page);
    if (wants(&page, "totals"))
        rc = write_totals(&page, err);
    for (size_t i = 0; rc == 0 && ptext_sections[i].name; i++) {
        if (wants(&page, ptext_sections[i].name))
            rc = ptext_sections[i].write(&page, err);
    }
    if (rc == 0 && wants(&page, "totals")) {
        write_scopes(&page);
        write_warnings(&page);
    }
    if (rc == 0 && buf_failed(buf))
        rc = error_set(err, -ENOMEM, "no memory for the report");
    return rc;
}
