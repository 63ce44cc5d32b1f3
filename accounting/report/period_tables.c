/*
 * period_tables.c - the tables of the plain-text report
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "report/month.h"
#include "report/period_text.h"
#include "report/row.h"

#define LINES_MAX 15   /* of a table among others; a section alone has all its lines */
#define NAME_WIDTH 24
#define BAR_WIDTH 24

#define MS_PER_HOUR 3600000

static const struct unit hour_units[] = { { "h", MS_PER_HOUR, 0 }, { NULL, 0, 0 } };

/* --- figures of lines that add up ------------------------------------------------------------- */

enum { FIGURE_GPU, FIGURE_CORE, FIGURE_ENERGY, FIGURE_OPERATIONAL, FIGURE_EMBODIED, FIGURE_PERCENT,
       FIGURE_COUNT };

/* All figures of a table of jobs: ticks of each line's own, by figure. */
struct figures {
    const struct period_report *report;
    struct scale scales[FIGURE_COUNT];
    uint64_t wholes[FIGURE_COUNT]; /* ticks of the sum */
    uint64_t *ticks[FIGURE_COUNT];
    uint64_t *weights;
};

static uint64_t figure_of(const struct figures *figures, const struct amounts *amounts, int figure)
{
    const struct period_report *report = figures->report;

    switch (figure) {
    case FIGURE_GPU:
        return amounts->gpu_ms;
    case FIGURE_CORE:
        return amounts->core_ms;
    case FIGURE_ENERGY:
        return amounts->active_mj + amounts->idle_mj;
    case FIGURE_OPERATIONAL:
        return amounts_operational_mg(amounts);
    case FIGURE_EMBODIED:
        return amounts->embodied.central;
    default: /* of mass where any is known, else of energy */
        return ptext_knows_mass(report) ? amounts_total_mg(amounts)
                                       : amounts->active_mj + amounts->idle_mj;
    }
}

static bool shows(const struct figures *figures, int figure)
{
    const struct period_report *report = figures->report;

    switch (figure) {
    case FIGURE_GPU:
        return report->jobs.gpu_ms > 0;
    case FIGURE_CORE:
        return report->jobs.core_ms > 0;
    case FIGURE_OPERATIONAL:
        return report->has_grams;
    case FIGURE_EMBODIED:
        return report->basis->has_inventory;
    default:
        return true;
    }
}

/* Units by the jobs' sums, and the sums' own ticks. */
static void scale_figures(struct figures *figures)
{
    static const struct unit percent = { "%", 1, 0 };
    const struct amounts *jobs = &figures->report->jobs;
    double mass = (double)amounts_total_mg(jobs) * 1000;
    struct scale mass_scale = scale_of(mass_units, NULL, mass);
    uint64_t rest;

    for (int i = FIGURE_GPU; i <= FIGURE_ENERGY; i++) {
        double sum = (double)figure_of(figures, jobs, i);

        figures->scales[i] = scale_of(i == FIGURE_ENERGY ? energy_units : hour_units,
                                      i == FIGURE_ENERGY ? NULL : hour_units, sum);
        figures->wholes[i] = scale_ticks(&figures->scales[i], sum);
        if (i != FIGURE_ENERGY && figures->scales[i].decimals < 0) {
            figures->scales[i].decimals = 0; /* counted, as jobs are: whole hours */
            figures->wholes[i] = ((uint64_t)sum + MS_PER_HOUR / 2) / MS_PER_HOUR;
        }
    }
    figures->scales[FIGURE_OPERATIONAL] = figures->scales[FIGURE_EMBODIED] = mass_scale;
    figures->wholes[FIGURE_OPERATIONAL] =
        scale_split(&mass_scale, (double)amounts_operational_mg(jobs) * 1000, mass, &rest);
    figures->wholes[FIGURE_EMBODIED] = rest;
    figures->scales[FIGURE_PERCENT] = (struct scale){ &percent, 1 };
    figures->wholes[FIGURE_PERCENT] = 1000;
}

static void figures_clear(struct figures *figures)
{
    for (int i = 0; i < FIGURE_COUNT; i++)
        free(figures->ticks[i]);
    free(figures->weights);
}

static int figures_of(const struct period_report *report, const struct report_group *group,
                      struct figures *ret, struct error *err)
{
    bool failed;

    *ret = (struct figures){ .report = report };
    scale_figures(ret);
    ret->weights = calloc(group->count + 1, sizeof(*ret->weights));
    failed = !ret->weights;
    for (int i = 0; !failed && i < FIGURE_COUNT; i++) {
        ret->ticks[i] = calloc(group->count + 1, sizeof(*ret->ticks[i]));
        failed = !ret->ticks[i];
        for (size_t j = 0; !failed && j < group->count; j++)
            ret->weights[j] = figure_of(ret, &group->lines[j].own, i);
        if (!failed)
            (void)apportion(ret->wholes[i], ret->weights, group->count, ret->ticks[i]);
    }
    if (failed)
        figures_clear(ret);
    return failed ? error_set(err, -ENOMEM, "no memory for the report") : 0;
}

/* --- a table of jobs' sums -------------------------------------------------------------------- */

static void heading(struct cells *cells, const char *what, const struct scale *scale)
{
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "%s %s", what, scale->unit->name);
    cells_take(cells, &text);
}

static void group_head(struct cells *cells, const struct figures *figures, const char *name)
{
    static const char *const titles[] = { "GPU", "core", "energy", "operational", "embodied", "" };
    bool both = figures->report->has_grams && figures->report->basis->has_inventory;

    cells_column(cells, false);
    cells_column(cells, true);
    for (int i = 0; i < FIGURE_COUNT; i++) {
        if (shows(figures, i))
            cells_column(cells, true);
    }
    if (both)
        cells_column(cells, true);
    cells_text(cells, name);
    cells_text(cells, "jobs");
    for (int i = 0; i < FIGURE_PERCENT; i++) {
        if (shows(figures, i))
            heading(cells, titles[i], &figures->scales[i]);
    }
    if (both)
        heading(cells, "sum", &figures->scales[FIGURE_OPERATIONAL]);
    cells_text(cells, "%");
}

/* Ticks and amounts of one row as shown. */
struct shown {
    uint64_t jobs, missing_embodied, ticks[FIGURE_COUNT];
    bool something[FIGURE_COUNT];
};

static void shown_add(struct shown *shown, const struct figures *figures,
                      const struct report_group *group, size_t line)
{
    const struct amounts *own = &group->lines[line].own;

    shown->jobs += own->jobs;
    shown->missing_embodied += own->missing_embodied;
    for (int i = 0; i < FIGURE_COUNT; i++) {
        shown->ticks[i] += figures->ticks[i][line];
        shown->something[i] |= figure_of(figures, own, i) > 0;
    }
}

static void group_row(struct cells *cells, const struct figures *figures, const struct shown *shown)
{
    bool lacks = shown->missing_embodied > 0;
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "%llu", (unsigned long long)shown->jobs);
    cells_take(cells, &text);
    for (int i = 0; i < FIGURE_PERCENT; i++) {
        if (shows(figures, i))
            ptext_known_ticks(cells, &figures->scales[i], shown->ticks[i], shown->something[i],
                              lacks && i == FIGURE_EMBODIED);
    }
    if (figures->report->has_grams && figures->report->basis->has_inventory)
        ptext_known_ticks(cells, &figures->scales[FIGURE_OPERATIONAL],
                          shown->ticks[FIGURE_OPERATIONAL] + shown->ticks[FIGURE_EMBODIED],
                          shown->something[FIGURE_OPERATIONAL] || shown->something[FIGURE_EMBODIED],
                          lacks);
    ptext_permille(cells, shown->ticks[FIGURE_PERCENT], shown->something[FIGURE_PERCENT]);
}

/* A name that people chose, cut to `width` columns */
static void name_cell(struct cells *cells, const char *name, unsigned depth, bool utf8)
{
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "%*s", (int)depth * 2, "");
    format_text(&text, name && *name != '\0' ? name : "(none)", utf8, NULL);
    if (!buf_failed(&text) && format_width(text.data) > NAME_WIDTH) {
        text.len = format_fit(text.data, NAME_WIDTH - 1);
        text.data[text.len] = '\0';
        buf_printf(&text, "+");
    }
    cells_take(cells, &text);
}

/* How deep a tree is shown: as deep as it fits, the root in any case. */
static unsigned depth_shown(const struct ptext *page, const struct report_group *group)
{
    unsigned depth = 0, deepest = 0;

    for (size_t i = 0; i < group->count; i++)
        deepest = group->lines[i].depth > deepest ? group->lines[i].depth : deepest;
    if (page->style->section)
        return deepest;
    while (depth < deepest) {
        size_t count = 0;

        for (size_t i = 0; i < group->count; i++)
            count += group->lines[i].depth <= depth + 1;
        if (count > LINES_MAX)
            break;
        depth++;
    }
    return depth;
}

/* Lines of a group, deep ones and those after the first few in one line for all the others. */
static void group_lines(struct ptext *page, const struct report_group *group,
                        const struct figures *figures, struct cells *cells)
{
    unsigned depth = depth_shown(page, group);
    struct shown others = { 0 };
    size_t shown_lines = 0, hidden = 0, hidden_below = 0;
    bool hides = false;

    for (size_t i = 0; i < group->count; i++) {
        struct shown shown = { 0 };
        const struct report_line *line = &group->lines[i];

        if (line->depth == 0)
            hides = !line->hidden && !page->style->section && shown_lines >= LINES_MAX &&
                    i + 1 < report_named_lines(group);
        if (hides) {
            shown_add(&others, figures, group, i);
            hidden++;
        }
        hidden_below += !hides && line->depth > depth;
        if (hides || line->depth > depth)
            continue;
        shown_add(&shown, figures, group, i);
        for (size_t j = i + 1; j < group->count && group->lines[j].depth > line->depth; j++)
            shown_add(&shown, figures, group, j);
        name_cell(cells, line->name, line->depth, page->style->utf8);
        group_row(cells, figures, &shown);
        shown_lines++;
    }
    if (hidden > 0) {
        char text[48];

        snprintf(text, sizeof(text), "%zu others", hidden);
        cells_text(cells, text);
        group_row(cells, figures, &others);
    }
    page->hidden = hidden + hidden_below;
}

static void all_row(const struct period_report *report, const struct figures *figures,
                    struct cells *cells)
{
    struct shown shown = { .jobs = report->jobs.jobs,
                           .missing_embodied = report->jobs.missing_embodied };

    for (int i = 0; i < FIGURE_COUNT; i++) {
        shown.ticks[i] = figures->wholes[i];
        shown.something[i] = figure_of(figures, &report->jobs, i) > 0;
    }
    if (!shown.something[FIGURE_PERCENT])
        shown.ticks[FIGURE_PERCENT] = 0;
    cells_text(cells, "all jobs");
    group_row(cells, figures, &shown);
}

static int write_group(struct ptext *page, const struct report_group *group, const char *title,
                       const char *name, struct error *err)
{
    struct cells cells = { 0 };
    struct figures figures;
    int rc;

    ptext_title(page, title);
    if (group->count == 0) {
        buf_printf(page->buf, "  no job in this period\n");
        return 0;
    }
    rc = figures_of(page->report, group, &figures, err);
    if (rc < 0)
        return rc;
    group_head(&cells, &figures, name);
    group_lines(page, group, &figures, &cells);
    if (group->count > 1)
        all_row(page->report, &figures, &cells);
    figures_clear(&figures);
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void say_hidden(struct ptext *page, const char *section)
{
    if (page->hidden > 0)
        buf_printf(page->buf, "  (%zu more line%s: --section %s)\n", page->hidden,
                   page->hidden == 1 ? "" : "s", section);
    page->hidden = 0;
}

static int write_accounts(struct ptext *page, struct error *err)
{
    int rc = write_group(page, &page->report->accounts, "By account", "account", err);

    for (size_t i = 0; rc == 0 && i < page->report->accounts.count; i++) {
        if (page->report->accounts.lines[i].depth > 0) {
            buf_printf(page->buf, "  an account has those set in below it in its figures\n");
            break;
        }
    }
    say_hidden(page, "account");
    return rc;
}

static int write_users(struct ptext *page, struct error *err)
{
    int rc = write_group(page, &page->report->users, "By user", "user", err);

    say_hidden(page, "user");
    return rc;
}

static int write_partitions(struct ptext *page, struct error *err)
{
    int rc = write_group(page, &page->report->partitions, "By partition", "partition", err);

    say_hidden(page, "partition");
    return rc;
}

/* What failed gave no result: the share of it that a reader looks for. */
static void write_waste(struct ptext *page)
{
    struct amounts waste = { 0 };
    const struct report_group *states = &page->report->states;
    bool mass = ptext_knows_mass(page->report);
    uint64_t part, whole;

    for (size_t i = 0; i < states->count; i++) {
        const struct amounts *own = &states->lines[i].own;

        if (!state_is_waste(states->lines[i].name))
            continue;
        waste.jobs += own->jobs;
        waste.active_mg += mass ? amounts_total_mg(own) : own->active_mj + own->idle_mj;
    }
    if (waste.jobs == 0)
        return;
    part = waste.active_mg;
    whole = mass ? amounts_total_mg(&page->report->jobs)
                 : page->report->jobs.active_mj + page->report->jobs.idle_mj;
    buf_printf(page->buf, "  jobs that ended without completing: ");
    if (mass)
        ptext_mass(page, part);
    else
        format_amount(page->buf, (double)part, energy_units, NULL);
    buf_printf(page->buf, ", ");
    format_percent(page->buf, part, whole);
    buf_printf(page->buf, " %% of what jobs used\n");
}

static int write_states(struct ptext *page, struct error *err)
{
    int rc = write_group(page, &page->report->states, "By how jobs ended", "state", err);

    if (rc < 0 || page->report->states.count == 0)
        return rc;
    write_waste(page);
    buf_printf(page->buf, "  where slurmdbd was not asked (carbonctl reconcile), timeouts and "
               "cancellations count by exit status,\n  mostly as FAILED\n");
    return 0;
}

/* --- node types ------------------------------------------------------------------------------- */

static void percent_cell(struct cells *cells, uint64_t part, uint64_t whole)
{
    struct buf text;

    buf_init(&text);
    if (whole > 0)
        format_percent(&text, part, whole);
    cells_take(cells, &text);
}

static void count_cell(struct cells *cells, uint64_t count)
{
    struct buf text;

    buf_init(&text);
    buf_printf(&text, "%llu", (unsigned long long)count);
    cells_take(cells, &text);
}

/* Ticks of one amount by itself */
static void amount_cell(struct cells *cells, const struct scale *scale, double amount)
{
    ptext_ticks(cells, scale, scale_ticks(scale, amount), amount > 0);
}

/* All that is known of what a job emitted. */
static void mass_cell(struct cells *cells, const struct scale *scale, const struct amounts *own)
{
    double total_ug = (double)amounts_total_mg(own) * 1000;

    ptext_known_ticks(cells, scale, scale_ticks(scale, total_ug), total_ug > 0,
                      own->missing_embodied > 0);
}

static void type_head(struct ptext *page, struct cells *cells, const struct scale *energy,
                      const struct scale *mass)
{
    const struct period_report *report = page->report;

    for (int i = 0; i < 7; i++)
        cells_column(cells, i >= 2);
    cells_text(cells, "node type");
    cells_text(cells, "pool");
    cells_text(cells, "nodes");
    heading(cells, "energy", energy);
    if (report->has_grams)
        heading(cells, "operational", mass);
    else
        cells_text(cells, "");
    if (report->basis->has_inventory)
        heading(cells, "own hardware", mass);
    else
        cells_text(cells, "");
    cells_text(cells, report->basis->has_inventory ? "hours held %" : "");
}

static int write_types(struct ptext *page, struct error *err)
{
    const struct period_report *report = page->report;
    struct scale energy = scale_of(energy_units, NULL, (double)report->counted_mj);
    size_t count = report->n_types;
    uint64_t *weights = calloc(2 * count + 2, sizeof(*weights)), *ticks;
    struct cells cells = { 0 };

    if (!weights)
        return error_set(err, -ENOMEM, "no memory for the report");
    ticks = weights + count + 1;
    ptext_title(page, "By node type, with what no job held");
    if (count == 0) {
        buf_printf(page->buf, "  no node in this period\n");
        free(weights);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        weights[i] = report->types[i].counted_mj;
    (void)apportion(scale_ticks(&energy, (double)report->counted_mj), weights, count, ticks);
    type_head(page, &cells, &energy, &page->scale);
    for (size_t i = 0; i < count; i++) {
        const struct report_type *type = &report->types[i];

        name_cell(&cells, *type->name != '\0' ? type->name
                          : report->basis->has_inventory ? "(of no type)" : "(all)", 0,
                  page->style->utf8);
        cells_text(&cells, report_pool_name(type->pool));
        count_cell(&cells, type->nodes);
        ptext_ticks(&cells, &energy, ticks[i], type->counted_mj > 0);
        if (report->has_grams)
            amount_cell(&cells, &page->scale, (double)type->operational_mg * 1000);
        else
            cells_text(&cells, "");
        if (report->basis->has_inventory && !type->has_embodied)
            cells_text(&cells, "unknown");
        else if (report->basis->has_inventory)
            amount_cell(&cells, &page->scale, (double)type->embodied.central * 1000);
        else
            cells_text(&cells, "");
        percent_cell(&cells, type->used_ms, type->available_ms);
    }
    free(weights);
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void job_head(struct ptext *page, struct cells *cells, const struct scale *energy,
                     const struct scale *mass)
{
    for (int i = 0; i < 8; i++)
        cells_column(cells, i >= 5);
    cells_text(cells, "job");
    cells_text(cells, "name");
    cells_text(cells, "user");
    cells_text(cells, "account");
    cells_text(cells, "state");
    heading(cells, "energy", energy);
    if (ptext_knows_mass(page->report))
        heading(cells, page->co2e, mass);
    else
        cells_text(cells, "");
    cells_text(cells, "%");
}

static int write_jobs(struct ptext *page, struct error *err)
{
    const struct period_report *report = page->report;
    const struct amounts *jobs = &report->jobs;
    bool known = ptext_knows_mass(report), utf8 = page->style->utf8;
    double most_mj = 0, most_mg = 0;
    struct scale energy, mass;
    struct cells cells = { 0 };

    if (report->n_top == 0)
        return 0;
    for (size_t i = 0; i < report->n_top; i++) {
        const struct amounts *own = &report->top[i].amounts;
        double mj = (double)(own->active_mj + own->idle_mj), mg = (double)amounts_total_mg(own);

        most_mj = mj > most_mj ? mj : most_mj;
        most_mg = mg > most_mg ? mg : most_mg;
    }
    energy = scale_of(energy_units, NULL, most_mj);
    mass = scale_of(mass_units, NULL, most_mg * 1000);
    ptext_title(page, "Jobs that emitted most");
    job_head(page, &cells, &energy, &mass);
    for (size_t i = 0; i < report->n_top; i++) {
        const struct report_job *job = &report->top[i];
        uint64_t mj = job->amounts.active_mj + job->amounts.idle_mj;

        cells_text(&cells, job->job_id);
        name_cell(&cells, job->job.name, 0, utf8);
        name_cell(&cells, job->job.user, 0, utf8);
        name_cell(&cells, job->job.account, 0, utf8);
        cells_text(&cells, job->state);
        amount_cell(&cells, &energy, (double)mj);
        if (known)
            mass_cell(&cells, &mass, &job->amounts);
        else
            cells_text(&cells, "");
        percent_cell(&cells, known ? amounts_total_mg(&job->amounts) : mj,
                     known ? amounts_total_mg(jobs) : jobs->active_mj + jobs->idle_mj);
    }
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- time ------------------------------------------------------------------------------------- */

static void day_row(struct ptext *page, struct cells *cells, const struct report_day *day,
                    const struct scale *energy, const struct scale *mass)
{
    char text[CLOCK_TEXT_SIZE];
    struct buf intensity;

    clock_format_utc(day->day_s, text);
    text[10] = '\0';
    cells_text(cells, text);
    amount_cell(cells, energy, (double)day->counted_mj);
    buf_init(&intensity);
    if (page->report->has_grams)
        amount_cell(cells, mass, (double)day->operational_mg * 1000);
    else
        cells_text(cells, "");
    if (day->ug_per_kwh > 0)
        format_number(&intensity, (double)day->ug_per_kwh / 1e6);
    cells_take(cells, &intensity);
    count_cell(cells, day->hours);
    count_cell(cells, day->annual_hours);
}

static int write_days(struct ptext *page, struct error *err)
{
    const struct period_report *report = page->report;
    uint64_t most_mj = 0, most_mg = 0;
    struct scale energy, mass;
    struct cells cells = { 0 };

    for (size_t i = 0; i < report->n_days; i++) {
        const struct report_day *day = &report->days[i];

        most_mj = day->counted_mj > most_mj ? day->counted_mj : most_mj;
        most_mg = day->operational_mg > most_mg ? day->operational_mg : most_mg;
    }
    energy = scale_of(energy_units, NULL, (double)most_mj);
    mass = scale_of(mass_units, NULL, (double)most_mg * 1000);
    ptext_title(page, "By day (UTC)");
    for (int i = 0; i < 6; i++)
        cells_column(&cells, i > 0);
    cells_text(&cells, "day");
    heading(&cells, "energy", &energy);
    if (report->has_grams)
        heading(&cells, "operational", &mass);
    else
        cells_text(&cells, "");
    cells_text(&cells, "g/kWh");
    cells_text(&cells, "hours");
    cells_text(&cells, "at annual value");
    for (size_t i = 0; i < report->n_days; i++)
        day_row(page, &cells, &report->days[i], &energy, &mass);
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* A bar of up to BAR_WIDTH columns, by eighths where the terminal can */
static void bar_cell(struct ptext *page, struct cells *cells, uint64_t amount, uint64_t most)
{
    uint64_t eighths = most > 0 ? mul_div(amount, BAR_WIDTH * 8, most) : 0;
    struct buf text;

    if (amount > 0 && eighths == 0)
        eighths = 1;
    buf_init(&text);
    for (; eighths >= 8; eighths -= 8)
        buf_printf(&text, page->style->utf8 ? "\xe2\x96\x88" : "#");
    if (eighths > 0 && page->style->utf8) /* U+2589 is seven eighths, U+258F one */
        buf_printf(&text, "\xe2\x96%c", (char)(0x90 - eighths));
    else if (eighths > 3)
        buf_printf(&text, "#");
    cells_take(cells, &text);
}

static uint64_t operational_mg(const struct report_month *month)
{
    return month->active_mg + month->idle_mg + month->overhead_mg + month->system_mg +
           month->unallocated_mg;
}

/* The most of all months, to which bars and units are scaled. */
struct most {
    uint64_t mj, mg;
    struct scale energy, mass;
};

static struct most most_of(const struct period_report *report)
{
    struct most most = { 0 };

    for (size_t i = 0; i < report->n_trend; i++) {
        const struct report_month *month = &report->trend[i];

        most.mj = month->counted_mj > most.mj ? month->counted_mj : most.mj;
        most.mg = month->total_mg > most.mg ? month->total_mg : most.mg;
    }
    most.energy = scale_of(energy_units, NULL, (double)most.mj);
    most.mass = scale_of(mass_units, NULL, (double)most.mg * 1000);
    return most;
}

static void month_masses(struct ptext *page, struct cells *cells, const struct report_month *month,
                         const struct most *most)
{
    const struct period_report *report = page->report;
    uint64_t mg[2] = { operational_mg(month), month->embodied.central }, ticks[2];
    uint64_t total = scale_ticks(&most->mass, (double)month->total_mg * 1000);

    ticks[0] = scale_split(&most->mass, (double)mg[0] * 1000, (double)month->total_mg * 1000,
                           &ticks[1]);
    if (report->has_grams && month->counted_mj == 0)
        cells_text(cells, "-");
    else if (report->has_grams)
        ptext_ticks(cells, &most->mass, ticks[0], mg[0] > 0);
    if (report->basis->has_inventory)
        ptext_ticks(cells, &most->mass, ticks[1], mg[1] > 0);
    if (report->has_grams && report->basis->has_inventory)
        ptext_ticks(cells, &most->mass, total, month->total_mg > 0);
}

static void month_row(struct ptext *page, struct cells *cells, const struct report_month *month,
                      const struct most *most, bool last)
{
    const struct period_report *report = page->report;
    int year, number, day;
    char text[48];
    bool known = ptext_knows_mass(report);

    month_parts(month->month_s, &year, &number, &day);
    snprintf(text, sizeof(text), "%04d-%02d%s", year, number,
             last && clock_month_next_s(month->month_s) != report->period.to_s ? " (part)" : "");
    cells_text(cells, text);
    if (!month->has) {
        for (size_t i = 1; i + 1 < cells->n_columns; i++)
            cells_text(cells, "-");
        cells_text(cells, "no data");
        return;
    }
    if (month->counted_mj > 0)
        amount_cell(cells, &most->energy, (double)month->counted_mj);
    else
        cells_text(cells, "-");
    month_masses(page, cells, month, most);
    if (month->counted_mj == 0)
        cells_text(cells, "no energy was recorded");
    else
        bar_cell(page, cells, known ? month->total_mg : month->counted_mj,
                 known ? most->mg : most->mj);
}

static int write_trend(struct ptext *page, struct error *err)
{
    const struct period_report *report = page->report;
    bool grams = report->has_grams, inventory = report->basis->has_inventory;
    struct most most = most_of(report);
    struct cells cells = { 0 };
    size_t columns = 3u + grams + inventory + (grams && inventory);

    ptext_title(page, "The last 13 months");
    for (size_t i = 0; i < columns; i++)
        cells_column(&cells, i > 0 && i + 1 < columns);
    cells_text(&cells, "month");
    heading(&cells, "energy", &most.energy);
    if (grams)
        heading(&cells, "operational", &most.mass);
    if (inventory)
        heading(&cells, "embodied", &most.mass);
    if (grams && inventory)
        heading(&cells, "sum", &most.mass);
    cells_text(&cells, "");
    for (size_t i = 0; i < report->n_trend; i++)
        month_row(page, &cells, &report->trend[i], &most, i + 1 == report->n_trend);
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- assets ----------------------------------------------------------------------------------- */

static void asset_row(struct ptext *page, struct cells *cells, const struct asset_part *part,
                      const struct scale *once)
{
    const struct inventory *inventory = &page->report->basis->inventory;

    name_cell(cells, part->type >= 0 ? inventory->types[part->type].name : "(shared)", 0,
              page->style->utf8);
    name_cell(cells, part->asset->name, 0, page->style->utf8);
    cells_text(cells, asset_class_names[part->asset->class]);
    count_cell(cells, part->pieces);
    amount_cell(cells, &page->scale, (double)part->amount.central * 1000);
    amount_cell(cells, once, (double)part->written_off.central * 1000);
    amount_cell(cells, once, (double)part->acquired.central * 1000);
    count_cell(cells, part->amortised_pieces);
}

static int write_assets(struct ptext *page, struct error *err)
{
    const struct embodied_period *embodied = &page->report->embodied;
    static const char *const titles[] = { "node type", "asset", "class", "pieces" };
    double once_mg = (double)(embodied->acquired.central + embodied->written_off.central);
    struct scale once = once_mg > 0 ? scale_of(mass_units, NULL, once_mg * 1000) : page->scale;
    struct cells cells = { 0 };

    ptext_title(page, "Assets in service");
    if (embodied->n_parts == 0) {
        buf_printf(page->buf, "  none: %s\n", page->report->basis->has_inventory
                   ? "the inventory lists no asset" : "no inventory");
        return 0;
    }
    for (int i = 0; i < 8; i++)
        cells_column(&cells, i > 2);
    for (int i = 0; i < 4; i++)
        cells_text(&cells, titles[i]);
    heading(&cells, "amortised", &page->scale);
    heading(&cells, "written off", &once);
    heading(&cells, "acquired", &once);
    cells_text(&cells, "past lifetime");
    for (size_t i = 0; i < embodied->n_parts; i++)
        asset_row(page, &cells, &embodied->parts[i], &once);
    return cells_write(&cells, true, page->style->headings, page->style->colour, page->buf, err);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static int write_budgets(struct ptext *page, struct error *err)
{
    const struct budget_uses *budgets = &page->report->budgets;
    const struct budgets_style style = { page->style->utf8, page->style->colour,
                                         page->style->headings };

    if (budgets->count == 0 && !page->style->section)
        return 0;
    ptext_title(page, "Budgets of accounts");
    if (budgets->count == 0)
        buf_printf(page->buf, "  none: inventory.conf, budget \"...\" { ... }\n");
    return budgets_text(budgets, &style, page->buf, err);
}

const struct ptext_section ptext_sections[] = {
    { "account", write_accounts }, { "budget", write_budgets }, { "user", write_users },
    { "partition", write_partitions }, { "type", write_types }, { "state", write_states },
    { "job", write_jobs }, { "day", write_days }, { "trend", write_trend },
    { "asset", write_assets },
    { NULL, NULL },
};
