#include "config.h"

#include "report/web.h"

#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "report/html.h"
#include "report/row.h"

#define UG_PER_MG 1000.0
#define SHOWN_USERS 50
#define DEEPEST 6 /* classes d0 to d6 of the style sheet indent names */

static void row_head(struct buf *buf, const char *name, unsigned depth)
{
    buf_printf(buf, "<tr><th scope=\"row\"");
    if (depth > 0)
        buf_printf(buf, " class=\"d%u\"", depth > DEEPEST ? DEEPEST : depth);
    buf_printf(buf, ">");
    html_name(buf, name);
    buf_printf(buf, "</th>");
}

/* Text of our own as the head of a row. */
static void row_words(struct buf *buf, const char *words)
{
    buf_printf(buf, "<tr><th scope=\"row\">%s</th>", words);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void part_row(const struct web_page *page, const struct web_part *part,
                     const struct scale *scale)
{
    buf_printf(page->buf, "<tr><th scope=\"row\">");
    web_swatch(page->buf, part->class);
    buf_printf(page->buf, "%s <span class=\"term\">(%s)</span><span class=\"about\">%s</span>"
               "</th>", part->name, part->term, part->meaning);
    html_ticks(page->buf, scale, part->ticks, true);
    buf_printf(page->buf, "<td class=\"n\">%s%llu %%</td></tr>\n", part->percent ? "" : "&lt;",
               (unsigned long long)(part->percent ? part->percent : 1));
}

void web_parts_table(const struct web_page *page)
{
    const struct scale *scale = page->grams ? &page->mass : &page->energy;
    char unit[WEB_UNIT_SIZE];
    const struct html_column columns[] = {
        { "Part", NULL, false }, { "Amount", page->grams ? unit : scale->unit->name, true },
        { "Share", NULL, true },
    };

    web_mass_unit(unit, scale);
    html_table_begin(page->buf, "parts", "The parts", NULL, columns, 3, false);
    for (size_t i = 0; i < page->n_parts; i++)
        part_row(page, &page->parts[i], scale);
    html_table_foot(page->buf);
    row_words(page->buf, "Together");
    html_ticks(page->buf, scale, page->grams ? page->total_ticks : page->energy_ticks[4],
               page->n_parts > 0);
    buf_printf(page->buf, "<td class=\"n\">%d %%</td></tr>\n", page->n_parts > 0 ? 100 : 0);
    html_table_end(page->buf, true);
}

/* --- groups of jobs --------------------------------------------------------------------------- */

struct group_table {
    const char *id, *lead, *rest, *title, *total;
    const struct report_group *group;
    size_t shown;  /* lines; the others are one line at the end */
    const char *others;
    bool is_tree;
};

static bool has_depth(const struct report_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->lines[i].depth > 0)
            return true;
    }
    return false;
}

static void group_begin(const struct web_page *page, const struct group_table *table)
{
    const char *energy = page->jobs.energy.unit->name;
    bool both = page->grams && page->hardware;
    char mass[WEB_UNIT_SIZE];
    const struct html_column columns[] = {
        { table->title, NULL, false },
        { "Jobs", NULL, true },
        { "Energy", energy, true },
        { page->grams ? "Electricity" : NULL, mass, true },
        { page->hardware ? "Hardware" : NULL, mass, true },
        { both ? "Total" : NULL, mass, true },
        { table->is_tree ? "Its own" : NULL, page->grams ? mass : energy, true },
        { "Share", NULL, true },
    };

    web_mass_unit(mass, &page->jobs.mass);
    html_table_begin(page->buf, table->id, table->lead, table->rest, columns,
                     sizeof(columns) / sizeof(*columns), table->group->count > 24);
}

/* The cells behind the name. `own`: of a tree, without what is below; else NULL. */
static void group_cells(const struct web_page *page, const struct amounts *amounts,
                        const struct web_cells *cells, const struct web_cells *own,
                        const struct amounts *own_amounts)
{
    const struct web_jobs *jobs = &page->jobs;
    uint64_t operational_mg = amounts_operational_mg(amounts);
    uint64_t embodied_mg = amounts->embodied.central;
    bool lacks = amounts->missing_embodied > 0;

    html_count(page->buf, amounts->jobs);
    html_ticks(page->buf, &jobs->energy, cells->energy, amounts->active_mj + amounts->idle_mj > 0);
    if (page->grams)
        html_ticks(page->buf, &jobs->mass, cells->electricity, operational_mg > 0);
    if (page->hardware)
        html_known_ticks(page->buf, &jobs->mass, cells->hardware, embodied_mg > 0, lacks);
    if (page->grams && page->hardware)
        html_known_ticks(page->buf, &jobs->mass, cells->electricity + cells->hardware,
                         operational_mg + embodied_mg > 0, lacks);
    if (own)
        html_ticks(page->buf, page->grams ? &jobs->mass : &jobs->energy,
                   page->grams ? own->electricity + own->hardware : own->energy,
                   web_amount_of(page, own_amounts) > 0);
    html_percent(page->buf, web_amount_of(page, amounts),
                 web_amount_of(page, &page->report->jobs));
    web_row_end(page->buf);
}

static void add_line(struct amounts *sum, struct web_cells *cells,
                     const struct report_line *line, const struct web_cells *more)
{
    sum->jobs += line->own.jobs;
    sum->missing_embodied += line->own.missing_embodied;
    sum->active_mj += line->own.active_mj;
    sum->idle_mj += line->own.idle_mj;
    sum->active_mg += amounts_operational_mg(&line->own); /* only the sum is shown */
    sum->embodied.central += line->own.embodied.central;
    cells->energy += more->energy;
    cells->electricity += more->electricity;
    cells->hardware += more->hardware;
}

static void group_others(const struct web_page *page, const struct group_table *table,
                         const struct web_cells *cells)
{
    const struct report_group *group = table->group;
    size_t named = report_named_lines(group);
    struct amounts sum = { 0 };
    struct web_cells rest = { 0 };

    if (named <= table->shown)
        return;
    for (size_t i = table->shown; i < named; i++)
        add_line(&sum, &rest, &group->lines[i], &cells[i]);
    buf_printf(page->buf, "<tr><th scope=\"row\">%zu %s</th>", named - table->shown,
               table->others);
    group_cells(page, &sum, &rest, NULL, NULL);
}

static void group_total(const struct web_page *page, const struct group_table *table)
{
    html_table_foot(page->buf);
    row_words(page->buf, "All jobs");
    group_cells(page, &page->report->jobs, &page->jobs.total,
                table->is_tree ? &page->jobs.total : NULL, &page->report->jobs);
    html_table_end(page->buf, true);
}

static void group_line(const struct web_page *page, const struct group_table *table, size_t at,
                       const struct web_cells *own, const struct web_cells *trees)
{
    const struct report_line *line = &table->group->lines[at];

    row_head(page->buf, line->name, table->is_tree ? line->depth : 0);
    group_cells(page, table->is_tree ? &line->tree : &line->own,
                table->is_tree ? &trees[at] : &own[at], table->is_tree ? &own[at] : NULL,
                &line->own);
}

static void write_group(const struct web_page *page, const struct group_table *table)
{
    const struct report_group *group = table->group;
    size_t named = report_named_lines(group);
    struct web_cells *own = calloc(group->count + 1, sizeof(*own));
    struct web_cells *trees = calloc(group->count + 1, sizeof(*trees));

    if (!own || !trees || !web_share_out(page, group->lines, group->count, own)) {
        page->buf->failed = true;
    } else {
        web_sum_trees(group->lines, table->is_tree ? group->count : 0, own, trees);
        group_begin(page, table);
        for (size_t i = 0; i < named && i < table->shown; i++)
            group_line(page, table, i, own, trees);
        group_others(page, table, own);
        if (named < group->count)
            group_line(page, table, named, own, trees);
        group_total(page, table);
    }
    free(own);
    free(trees);
}

#define WASTE_SIZE 256

/* "Jobs that ended without completing took 1.7 t (14.2 %)." */
static void describe_waste(const struct web_page *page, char text[WASTE_SIZE])
{
    const struct report_group *states = &page->report->states;
    uint64_t amount = 0;
    struct buf room;

    for (size_t i = 0; i < states->count; i++) {
        if (state_is_waste(states->lines[i].name))
            amount += web_amount_of(page, &states->lines[i].own);
    }
    buf_init_fixed(&room, text, WASTE_SIZE);
    buf_printf(&room, "Jobs that ended without completing took ");
    if (amount == 0)
        buf_printf(&room, "nothing.");
    else if (page->grams)
        web_mass(&room, (double)amount);
    else
        web_energy(&room, (double)amount);
    if (amount > 0) {
        char percent[16];
        struct buf share;

        buf_init_fixed(&share, percent, sizeof(percent));
        format_percent(&share, amount, web_amount_of(page, &page->report->jobs));
        buf_printf(&room, ", %s%s %% of what jobs took.", percent[0] == '<' ? "&lt;" : "",
                   percent + (percent[0] == '<'));
    }
    buf_printf(&room, " Where slurmdbd was not asked (<code>carbonctl reconcile</code>), "
               "timeouts and cancellations count by exit status, mostly as FAILED.");
}

static void write_groups(const struct web_page *page)
{
    const struct period_report *report = page->report;
    char waste[WASTE_SIZE];
    bool is_tree = has_depth(&report->accounts);
    const struct group_table tables[] = {
        { "accounts", "Accounts",
          is_tree ? "Each line has everything below it, too; “its own” leaves that out and adds "
                    "up to all jobs." : NULL,
          "Account", NULL, &report->accounts, SIZE_MAX, NULL, is_tree },
        { "users", "Users", NULL, "User", NULL, &report->users, SHOWN_USERS, "other users",
          false },
        { "partitions", "Partitions", NULL, "Partition", NULL, &report->partitions, SIZE_MAX, NULL,
          false },
        { "states", "How jobs ended",
          waste, "State", NULL,
          &report->states, SIZE_MAX, NULL, false },
    };

    if (report->jobs.jobs == 0 && report->accounts.count == 0) {
        buf_printf(page->buf, "<p>No jobs ran in this period: there are no accounts, users, "
                   "partitions or states to list.</p>\n");
        return;
    }
    describe_waste(page, waste);
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        write_group(page, &tables[i]);
}

/* --- node types ------------------------------------------------------------------------------- */

/* "71.2 % of GPU-hours" */
static void type_held(struct buf *buf, const struct report_type *type)
{
    char text[32];
    struct buf room;

    if (type->available_ms == 0) {
        buf_printf(buf, "<td class=\"n\">–</td>");
        return;
    }
    buf_init_fixed(&room, text, sizeof(text));
    format_percent(&room, type->used_ms, type->available_ms);
    buf_printf(buf, "<td class=\"n\">");
    html_text(buf, text);
    buf_printf(buf, " %% <span class=\"u\">of %s-hours</span></td>",
               type->pool == POOL_GPU ? "GPU" : "core");
}

static void type_row(const struct web_page *page, const struct report_type *type)
{
    struct buf *buf = page->buf;

    if (type->name && *type->name)
        row_head(buf, type->name, 0);
    else
        row_words(buf, "(not in the inventory)");
    html_count(buf, type->nodes);
    type_held(buf, type);
    html_ticks(buf, &page->energy, scale_ticks(&page->energy, (double)type->counted_mj),
               type->counted_mj > 0);
    if (page->grams)
        html_ticks(buf, &page->mass,
                   scale_ticks(&page->mass, (double)type->operational_mg * UG_PER_MG),
                   type->operational_mg > 0);
    if (page->hardware && !type->has_embodied)
        buf_printf(buf, "<td class=\"n\">unknown</td>");
    else if (page->hardware)
        html_ticks(buf, &page->mass,
                   scale_ticks(&page->mass, (double)type->embodied.central * UG_PER_MG),
                   type->embodied.central > 0);
    web_row_end(buf);
}

static void write_types(const struct web_page *page)
{
    char mass[WEB_UNIT_SIZE];
    const struct html_column columns[] = {
        { "Node type", NULL, false }, { "Nodes", NULL, true }, { "Held by jobs", NULL, true },
        { "Energy", page->energy.unit->name, true },
        { page->grams ? "Electricity" : NULL, mass, true },
        { page->hardware ? "Hardware" : NULL, mass, true },
    };

    if (page->report->n_types == 0)
        return;
    web_mass_unit(mass, &page->mass);
    html_table_begin(page->buf, "types", "Node types",
                     "Whole machines, held by jobs or not. Hardware is without switches, storage "
                     "and whatever else is shared.",
                     columns, sizeof(columns) / sizeof(*columns), false);
    for (size_t i = 0; i < page->report->n_types; i++)
        type_row(page, &page->report->types[i]);
    html_table_end(page->buf, false);
}

/* --- greatest jobs ---------------------------------------------------------------------------- */

static void job_text(struct buf *buf, const char *text)
{
    buf_printf(buf, "<td>");
    if (text && *text)
        html_name(buf, text);
    else
        buf_printf(buf, "–");
    buf_printf(buf, "</td>");
}

static void job_row(const struct web_page *page, const struct report_job *job,
                    const struct scale *energy, const struct scale *mass)
{
    const struct amounts *amounts = &job->amounts;
    uint64_t weights[] = { amounts_operational_mg(amounts), amounts->embodied.central }, parts[2];
    uint64_t energy_mj = amounts->active_mj + amounts->idle_mj;
    bool lacks = amounts->missing_embodied > 0;
    struct buf *buf = page->buf;

    (void)apportion(scale_ticks(mass, (double)(weights[0] + weights[1]) * UG_PER_MG), weights, 2,
                    parts);
    buf_printf(buf, "<tr><th scope=\"row\">");
    html_text(buf, job->job_id);
    if (job->job.name && *job->job.name) {
        buf_printf(buf, "<span class=\"about\">");
        html_name(buf, job->job.name);
        buf_printf(buf, "</span>");
    }
    buf_printf(buf, "</th>");
    job_text(buf, job->job.user);
    job_text(buf, job->job.account);
    buf_printf(buf, "<td>");
    html_text(buf, job->state);
    buf_printf(buf, "</td>");
    html_ticks(buf, energy, scale_ticks(energy, (double)energy_mj), energy_mj > 0);
    if (page->grams)
        html_ticks(buf, mass, parts[0], weights[0] > 0);
    if (page->hardware)
        html_known_ticks(buf, mass, parts[1], weights[1] > 0, lacks);
    if (page->grams && page->hardware)
        html_known_ticks(buf, mass, parts[0] + parts[1], weights[0] + weights[1] > 0, lacks);
    web_row_end(buf);
}

static void write_jobs(const struct web_page *page)
{
    const struct period_report *report = page->report;
    double most_mj = 0, most_mg = 0;
    struct scale energy, mass;
    char unit[WEB_UNIT_SIZE];

    if (report->n_top == 0)
        return;
    for (size_t i = 0; i < report->n_top; i++) {
        const struct amounts *amounts = &report->top[i].amounts;
        double mj = (double)(amounts->active_mj + amounts->idle_mj);
        double mg = (double)amounts_total_mg(amounts);

        most_mj = mj > most_mj ? mj : most_mj;
        most_mg = mg > most_mg ? mg : most_mg;
    }
    energy = scale_of(energy_units, NULL, most_mj);
    mass = scale_of(mass_units, NULL, most_mg * UG_PER_MG);
    web_mass_unit(unit, &mass);
    const struct html_column columns[] = {
        { "Job", NULL, false }, { "User", NULL, false },
        { "Account", NULL, false }, { "State", NULL, false }, { "Energy", energy.unit->name, true },
        { page->grams ? "Electricity" : NULL, unit, true },
        { page->hardware ? "Hardware" : NULL, unit, true },
        { page->grams && page->hardware ? "Total" : NULL, unit, true },
    };

    html_table_begin(page->buf, "jobs", "The greatest jobs", "What they took in this period.",
                     columns, sizeof(columns) / sizeof(*columns), report->n_top > 24);
    for (size_t i = 0; i < report->n_top; i++)
        job_row(page, &report->top[i], &energy, &mass);
    html_table_end(page->buf, false);
}

/* --- all of them ------------------------------------------------------------------------------ */

void web_tables(const struct web_page *page)
{
    write_groups(page);
    write_types(page);
    write_jobs(page);
    web_days_table(page);
    web_months_table(page);
}
