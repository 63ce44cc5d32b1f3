#include "config.h"

#include "report/web.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "carbon/operational.h"
#include "report/html.h"

/* --- what a reader must know ------------------------------------------------------------------ */

static void note_begin(struct web_page *page, struct buf *notes)
{
    page->n_notes++;
    buf_printf(notes, "<li>");
}

static void note_end(struct buf *notes)
{
    buf_printf(notes, "</li>\n");
}

static void note(struct web_page *page, struct buf *notes, const char *markup)
{
    note_begin(page, notes);
    buf_printf(notes, "%s", markup);
    note_end(notes);
}

#define NAMES_SHOWN 400 /* bytes of a folded list; the text report and JSON have all */

static void note_nodes(struct web_page *page, struct buf *notes, const struct hostlist *nodes,
                       const char *what, const char *remedy)
{
    struct buf list;

    if (nodes->count == 0)
        return;
    buf_init(&list);
    hostlist_fold((const char **)nodes->names, nodes->count, &list);
    note_begin(page, notes);
    buf_printf(notes, "%zu %s %s: <bdi>", nodes->count, nodes->count == 1 ? "node" : "nodes", what);
    if (list.len > NAMES_SHOWN)
        list.data[format_fit(list.data, NAMES_SHOWN)] = '\0';
    html_text(notes, list.data);
    buf_printf(notes, "%s</bdi>. %s", list.len > NAMES_SHOWN ? "…" : "", remedy);
    note_end(notes);
    notes->failed |= buf_failed(&list);
    buf_free(&list);
}

static void note_count(struct web_page *page, struct buf *notes, uint64_t count, const char *one,
                       const char *many)
{
    if (count == 0)
        return;
    note_begin(page, notes);
    buf_printf(notes, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
    note_end(notes);
}

static void note_viewer(struct web_page *page, struct buf *notes)
{
    struct buf words;

    if (!page->report->viewer)
        return;
    buf_init(&words);
    report_write_viewer(page->report->viewer, &words);
    note_begin(page, notes);
    buf_printf(notes, "Only jobs of <bdi>");
    html_text(notes, words.data ? words.data : "");
    buf_printf(notes, "</bdi> are named. Those of others are in all sums; accounts and users have "
               "one line for them.");
    note_end(notes);
    notes->failed |= buf_failed(&words);
    buf_free(&words);
}

static void note_unknowns(struct web_page *page, struct buf *notes)
{
    if (!page->grams)
        note(page, notes, "No grid zone is set, so that emissions of electricity are not known; "
             "only energy is shown. <code>Zone=</code> in carbon.conf sets it.");
    if (!page->hardware)
        note(page, notes, "There is no inventory of the machines, so that what making them emitted "
             "is not known and not in any figure. <code>carbonctl inventory discover</code> begins "
             "one.");
    if (page->report->so_far) {
        note_begin(page, notes);
        buf_printf(notes, "The month goes on: this is what has been delivered up to ");
        web_day(notes, page->report->period.to_s);
        buf_printf(notes, " UTC.");
        note_end(notes);
    }
}

static void note_coverage(struct web_page *page, struct buf *notes)
{
    const struct period_report *report = page->report;

    if (report->elapsed_ms > report->metered_ms) {
        note_begin(page, notes);
        buf_printf(notes, "Jobs were metered for ");
        format_percent(notes, report->metered_ms, report->elapsed_ms);
        buf_printf(notes, " %% of their time; energy of the rest is missing.");
        note_end(notes);
    }
    if (report->embodied.shared_unassigned)
        note(page, notes, "Shared hardware has no node in service that could carry it; it is in "
             "“hardware not in use”.");
    note_count(page, notes, report->nodes_silent_hours,
               "hour of a node in service has no energy figures: its energy is missing.",
               "hours of nodes in service have no energy figures: their energy is missing.");
    note_nodes(page, notes, &report->silent_nodes,
               "in service by the inventory never reported", "Their energy is missing.");
}

static void note_backfilled(struct web_page *page, struct buf *notes)
{
    const struct period_report *report = page->report;

    if (report->backfilled_jobs == 0)
        return;
    note_begin(page, notes);
    format_amount(notes, (double)report->backfilled_mj, energy_units, NULL);
    buf_printf(notes, " of %llu %s not metered, or not wholly, but modelled from what Slurm’s "
               "database knows.", (unsigned long long)report->backfilled_jobs,
               report->backfilled_jobs == 1 ? "job was" : "jobs were");
    note_end(notes);
}

/* Planned mode charges a price that was fixed before. */
static void note_recovery(struct web_page *page, struct buf *notes)
{
    int64_t recovery_mg = page->report->recovery_mg;

    if (recovery_mg == 0)
        return;
    note_begin(page, notes);
    buf_printf(notes, "At the planned price of an hour, jobs were charged ");
    web_mass(notes, (double)(recovery_mg > 0 ? recovery_mg : -recovery_mg));
    buf_printf(notes, " %s for hardware than this period’s share of making it; the total has the "
               "share.", recovery_mg > 0 ? "more" : "less");
    note_end(notes);
}

void web_notes(struct web_page *page, struct buf *notes)
{
    const struct period_report *report = page->report;

    page->n_notes = 0;
    note_viewer(page, notes);
    note_unknowns(page, notes);
    note_coverage(page, notes);
    note_backfilled(page, notes);
    note_recovery(page, notes);
    if (page->hardware) {
        note_nodes(page, notes, &report->unknown_nodes, "of no known type",
                   "Making them is missing in every figure; inventory.conf can name their type.");
        note_count(page, notes, report->jobs.missing_embodied,
                   "job ran on nodes that no hardware for jobs is listed for: its figure is "
                   "too low.",
                   "jobs ran on nodes that no hardware for jobs is listed for: their figures are "
                   "too low.");
        note_count(page, notes, report->fully_amortised_pieces,
                   "piece of hardware is past its lifetime and counts as emission-free.",
                   "pieces of hardware are past their lifetime and count as emission-free.");
    }
    if (page->grams && report->annual_hours > 0) {
        note_begin(page, notes);
        buf_printf(notes, "%llu of %llu hours had no hourly grid intensity and took the zone’s "
                   "value of a whole year.", (unsigned long long)report->annual_hours,
                   (unsigned long long)report->hours);
        note_end(notes);
    }
    if (page->grams)
        note_count(page, notes, report->estimated_hours,
                   "hour has a grid intensity that its source calls a forecast or an estimate.",
                   "hours have a grid intensity that its source calls a forecast or an estimate.");
    if (page->grams)
        note_count(page, notes, report->other_basis_hours,
                   "hour took an annual value of another basis than the hourly ones.",
                   "hours took an annual value of another basis than the hourly ones.");
}

/* --- the method ------------------------------------------------------------------------------- */

static void term(struct buf *buf, const char *name)
{
    buf_printf(buf, "<div><dt>%s</dt><dd>", name);
}

static void term_end(struct buf *buf)
{
    buf_printf(buf, "</dd></div>\n");
}

static void write_set(const struct web_page *page)
{
    const struct factor_set *set = &page->report->basis->set;

    term(page->buf, "Factor set");
    buf_printf(page->buf, "number %lld, made ", (long long)set->number);
    web_day(page->buf, set->made_s);
    buf_printf(page->buf, " (UTC) by “");
    html_text(page->buf, set->made_by);
    buf_printf(page->buf, "”. The same set and the same database give this page again, byte for "
               "byte.");
    term_end(page->buf);
}

static bool uses_annual(const struct period_report *report)
{
    return report->annual_hours > 0;
}

static void write_annual(struct buf *buf, const struct grid *grid, const char *glue)
{
    for (size_t i = 0; i < grid->n_annual; i++) {
        const struct intensity *row = &grid->annual[i];

        buf_printf(buf, "%s%u: ", i == 0 ? glue : "; ", row->year);
        format_number(buf, (double)row->ug_per_kwh / 1e6);
        buf_printf(buf, " g CO₂e per kWh, %s (",
                   strcmp(row->basis, "direct") == 0 ? "direct" : "life cycle");
        html_text(buf, row->source);
        buf_printf(buf, ")");
    }
}

static void write_zone(const struct web_page *page)
{
    const struct period_report *report = page->report;
    const struct grid *grid = &report->basis->grid;
    struct buf *buf = page->buf;

    term(buf, "Electricity grid");
    if (!page->grams) {
        buf_printf(buf, "no zone is set");
        term_end(buf);
        return;
    }
    html_text(buf, grid->name[0] ? grid->name : grid->zone);
    buf_printf(buf, " (zone ");
    html_text(buf, grid->zone);
    buf_printf(buf, ")");
    if (report->ug_per_kwh > 0) {
        buf_printf(buf, ", ");
        format_number(buf, (double)report->ug_per_kwh / 1e6);
        buf_printf(buf, " g CO₂e per kWh on average over the energy used");
    }
    buf_printf(buf, ".");
    if (report->annual_hours < report->hours && grid->n_intervals > 0) {
        buf_printf(buf, " Hour by hour: ");
        html_text(buf, grid->source);
        buf_printf(buf, " (%s, of %s).",
                   strcmp(grid->basis, "direct") == 0 ? "direct" : "life cycle", grid->scope);
    }
    if (uses_annual(report)) {
        write_annual(buf, grid, " Annual values: ");
        buf_printf(buf, ".");
    }
    term_end(buf);
}

static void write_ratio(struct buf *buf, uint64_t ppm)
{
    format_number(buf, (double)ppm / (double)PPM);
}

static void write_pue(const struct web_page *page)
{
    const struct period_report *report = page->report;
    const struct grid *grid = &report->basis->grid;
    struct buf *buf = page->buf;

    term(buf, "Building (PUE)");
    write_ratio(buf, report->pue_ppm > 0 ? report->pue_ppm : grid->pue_ppm);
    buf_printf(buf, ": for each kWh of a machine, the building drew that many. PUE stands for "
               "power usage effectiveness.");
    for (size_t i = 0; i < grid->n_pues; i++) {
        const struct pue_period *pue = &grid->pues[i];

        if (pue->to_s <= report->period.from_s || pue->from_s >= report->period.to_s)
            continue;
        buf_printf(buf, " ");
        write_ratio(buf, pue->pue_ppm);
        buf_printf(buf, " from ");
        web_day(buf, pue->from_s);
        buf_printf(buf, ": ");
        html_text(buf, pue->source);
        buf_printf(buf, ".");
    }
    term_end(buf);
}

static void write_mode(const struct web_page *page)
{
    static const char *const meanings[] = {
        [MODE_CAPACITY] = "jobs carry the hours that they held of those in service; the rest is "
                          "shown as not in use.",
        [MODE_SHARE] = "jobs carry all hardware, by the hours that they held.",
        [MODE_PLANNED] = "jobs carry each hour at the price of the expected use; what that "
                         "recovers too much or too little is a line of its own.",
    };
    const struct basis *basis = page->report->basis;

    term(page->buf, "Hardware");
    if (page->hardware) {
        buf_printf(page->buf, "mode “%s”: %s", embodied_mode_names[basis->mode],
                   meanings[basis->mode]);
        if (basis->mode == MODE_PLANNED) {
            buf_printf(page->buf, " Expected use: ");
            format_percent(page->buf, basis->utilisation_ppm, PPM);
            buf_printf(page->buf, " %%.");
        }
        buf_printf(page->buf, " GPUs and processors are apart: a job without GPUs carries none.");
    } else {
        buf_printf(page->buf, "not known: there is no inventory");
    }
    term_end(page->buf);
}

static void write_share(const struct web_page *page, const char *name, uint64_t part,
                        uint64_t whole, const char *meaning)
{
    term(page->buf, name);
    if (whole > 0) {
        char text[32];
        struct buf room;

        buf_init_fixed(&room, text, sizeof(text));
        format_percent(&room, part, whole);
        html_text(page->buf, text);
        buf_printf(page->buf, " %% %s", meaning);
    } else {
        buf_printf(page->buf, "nothing to measure in this period");
    }
    term_end(page->buf);
}

void web_method(const struct web_page *page)
{
    const struct period_report *report = page->report;

    buf_printf(page->buf, "<dl class=\"method\">\n");
    write_set(page);
    write_zone(page);
    write_pue(page);
    write_mode(page);
    term(page->buf, "Free machines");
    buf_printf(page->buf, report->basis->spread_idle
               ? "the idle electricity of machines that no job held is divided among the jobs, by "
                 "GPU-hours (IdlePolicy=spread)"
               : "the idle electricity of machines that no job held is a line of its own "
                 "(IdlePolicy=separate)");
    term_end(page->buf);
    write_share(page, "Measured", report->measured_mj, report->measured_mj + report->modelled_mj,
                "of the energy comes from meters; the rest is modelled.");
    write_share(page, "Coverage", report->metered_ms, report->elapsed_ms,
                "of the jobs’ time was metered.");
    term(page->buf, "Low and high");
    buf_printf(page->buf, "the range of published figures for making the hardware. Energy and grid "
               "intensity are taken as they are.");
    term_end(page->buf);
    term(page->buf, "CO₂e");
    buf_printf(page->buf, "all greenhouse gases, as the amount of carbon dioxide that warms as "
               "much in a hundred years.");
    term_end(page->buf);
    term(page->buf, "Time");
    buf_printf(page->buf, "days and months are those of UTC.");
    term_end(page->buf);
    buf_printf(page->buf, "</dl>\n");
}
