#include "report/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for the table");
}

/* --- cells ------------------------------------------------------------------------------------ */

/* Cut at the choice's width, with a + for what was cut. */
static void cut(struct buf *cell, const struct column_choice *choice)
{
    size_t width = (size_t)choice->width;

    if (width == 0 || format_width(cell->data) <= width)
        return;
    cell->len = format_fit(cell->data, width - 1);
    cell->data[cell->len] = '\0';
    buf_printf(cell, "+");
}

/* The row's value, safe to print, instead of what is in the cell. */
static void write_cell(const struct row *row, const struct column *column, const char *escaped,
                       struct buf *cell)
{
    struct buf raw;

    cell->len = 0;
    buf_add(cell, "", 0);
    if (!column->foreign) {
        column->write(row, cell);
        return;
    }
    buf_init(&raw);
    column->write(row, &raw);
    format_text(cell, raw.data, row->style->utf8, escaped);
    cell->failed |= buf_failed(&raw);
    buf_free(&raw);
}

/* --- for people ------------------------------------------------------------------------------- */

static int add_column(struct libscols_table *table, const struct column_choice *choice, bool colour)
{
    int flags = choice->left ? 0 : SCOLS_FL_RIGHT;
    double width = choice->fixed ? choice->width : 0;
    struct libscols_column *column;

    if (choice->fixed)
        flags |= SCOLS_FL_STRICTWIDTH | SCOLS_FL_TRUNC;
    column = scols_table_new_column(table, choice->column->name, width, flags);
    if (!column)
        return -ENOMEM;
    return colour ? scols_cell_set_color(scols_column_get_header(column), "bold") : 0;
}

static int add_row(struct libscols_table *table, const struct row *row,
                   const struct column_choices *choices, struct buf *cell)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    int rc = line ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < choices->count; i++) {
        write_cell(row, choices->choices[i].column, NULL, cell);
        if (!buf_failed(cell))
            cut(cell, &choices->choices[i]);
        rc = buf_failed(cell) ? -ENOMEM : scols_line_set_data(line, i, cell->data);
    }
    return rc;
}

int table_write(const struct row *rows, size_t count, const struct column_choices *choices,
                bool header, struct buf *buf, struct error *err)
{
    bool colour = count > 0 && rows[0].style->colour;
    struct libscols_table *table = scols_new_table();
    char *text = NULL;
    struct buf cell;
    int rc = table ? 0 : -ENOMEM;

    buf_init(&cell);
    for (size_t i = 0; rc == 0 && i < choices->count; i++)
        rc = add_column(table, &choices->choices[i], colour);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_row(table, &rows[i], choices, &cell);
    if (rc == 0) {
        scols_table_enable_noheadings(table, !header);
        scols_table_enable_noencoding(table, 1); /* format_text() made it safe */
        scols_table_enable_colors(table, colour);
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
        rc = scols_print_table_to_string(table, &text);
    }
    if (rc == 0 && text && *text != '\0')
        buf_printf(buf, "%s\n", text);
    free(text);
    buf_free(&cell);
    scols_unref_table(table);
    return rc < 0 || buf_failed(buf) ? no_memory(err) : 0;
}

/* --- for programs ----------------------------------------------------------------------------- */

static void end_field(size_t i, size_t count, const char *delimiter, bool trailing, struct buf *buf)
{
    buf_printf(buf, "%s%s", i + 1 < count || trailing ? delimiter : "", i + 1 < count ? "" : "\n");
}

int table_write_parsable(const struct row *rows, size_t count, const struct column_choices *choices,
                         bool header, const char *delimiter, bool trailing, struct buf *buf,
                         struct error *err)
{
    struct buf cell;

    buf_init(&cell);
    for (size_t i = 0; header && i < choices->count; i++) {
        buf_printf(buf, "%s", choices->choices[i].column->name);
        end_field(i, choices->count, delimiter, trailing, buf);
    }
    for (size_t i = 0; i < count * choices->count; i++) {
        const struct column_choice *choice = &choices->choices[i % choices->count];

        write_cell(&rows[i / choices->count], choice->column, delimiter, &cell);
        if (!buf_failed(&cell) && choice->fixed)
            cut(&cell, choice);
        buf_printf(buf, "%s", cell.data ? cell.data : "");
        buf->failed |= buf_failed(&cell);
        end_field(i % choices->count, choices->count, delimiter, trailing, buf);
    }
    buf_free(&cell);
    return buf_failed(buf) ? no_memory(err) : 0;
}

/* --- below ------------------------------------------------------------------------------------ */

/* What a sum over jobs must carry along. */
struct total {
    size_t jobs, running, incomplete, unknown;
    size_t no_embodied, missing; /* unknown altogether, or of some nodes */
    uint64_t mj;
    double operational_g;
    struct range_g embodied;
    struct hour_counts hours;
};

/* Rows of one job, the parts of its time, come one after another. */
static void count_job(struct total *total, const struct row *row)
{
    total->jobs++;
    total->running += row_is_open(&(struct row){ .job = row->job });
    total->unknown += !row->job->usage.has;
    total->incomplete += row->job->usage.has && !job_is_complete(row->job);
    total->no_embodied += !row->has_embodied;
    total->missing += row->has_embodied && row->carbon->embodied.missing;
}

static struct total total_of(const struct row *rows, size_t count)
{
    struct total total = { 0 };

    for (size_t i = 0; i < count; i++) {
        if (rows[i].step)
            continue;
        if (i == 0 || rows[i].job != rows[i - 1].job)
            count_job(&total, &rows[i]);
        total.mj += usage_mj(rows[i].usage);
        total.operational_g += rows[i].has_grams ? rows[i].operational_g : 0;
        total.embodied.low += rows[i].embodied.low;
        total.embodied.central += rows[i].embodied.central;
        total.embodied.high += rows[i].embodied.high;
        hour_counts_add(&total.hours, &rows[i].hours);
    }
    return total;
}

static void write_doubts(const struct total *total, bool has_inventory, struct buf *buf)
{
    const struct {
        size_t count;
        const char *words;
    } doubts[] = {
        { total->running, "still running" },
        { total->incomplete, "with incomplete data" },
        { total->unknown, "of unknown energy, not in the sum" },
        { has_inventory ? total->no_embodied : 0, "of unknown embodied emissions, not in the sum" },
        { total->missing, "partly on nodes of unknown embodied emissions" },
    };

    for (size_t i = 0; i < sizeof(doubts) / sizeof(*doubts); i++) {
        if (doubts[i].count > 0)
            buf_printf(buf, "; %zu %s", doubts[i].count, doubts[i].words);
    }
    buf_printf(buf, "\n");
}

static void write_mass(double mass_g, struct buf *buf)
{
    format_amount(buf, mass_g * 1e6, mass_units, NULL);
}

/* ", 53.0 g operational + 11.2 g embodied = 64.2 g CO2e (61.2 g to 67.2 g)" */
static void write_sum(const struct total *total, bool has_inventory, struct buf *buf)
{
    double total_g = total->operational_g + total->embodied.central;

    buf_printf(buf, ", ");
    write_mass(total->operational_g, buf);
    if (!has_inventory || total->no_embodied == total->jobs) {
        buf_printf(buf, " CO2e operational");
        return;
    }
    buf_printf(buf, " operational + ");
    write_mass(total->embodied.central, buf);
    buf_printf(buf, " embodied = ");
    write_mass(total_g, buf);
    buf_printf(buf, " CO2e");
    if (total->embodied.low >= total->embodied.high)
        return;
    buf_printf(buf, " (");
    write_mass(total->operational_g + total->embodied.low, buf);
    buf_printf(buf, " to ");
    write_mass(total->operational_g + total->embodied.high, buf);
    buf_printf(buf, ")");
}

/* Of running them nothing is known: ", 11.2 g CO2e embodied (10.7 g to 21.5 g)" */
static void write_embodied_sum(const struct total *total, bool has_inventory, struct buf *buf)
{
    if (!has_inventory || total->no_embodied == total->jobs)
        return;
    buf_printf(buf, ", ");
    write_mass(total->embodied.central, buf);
    buf_printf(buf, " CO2e embodied");
    if (total->embodied.low < total->embodied.high) {
        buf_printf(buf, " (");
        write_mass(total->embodied.low, buf);
        buf_printf(buf, " to ");
        write_mass(total->embodied.high, buf);
        buf_printf(buf, ")");
    }
}

static void write_method_embodied(const struct report_method *method, struct buf *buf)
{
    if (!method->basis->has_inventory) {
        buf_printf(buf, "Embodied unknown: no inventory (inventory.conf) in the factor set.\n");
        return;
    }
    buf_printf(buf, "Embodied: inventory.conf of the factor set; ");
    method_write_mode(method, buf);
    buf_printf(buf, ".\n");
}

/* How grams were computed. */
static void write_method(const struct row *row, const struct total *total, struct buf *buf)
{
    const struct report_method *method = row->method;
    const char *words[NOT_INCLUDED_MAX];

    if (!method->grid->has_intensity) {
        buf_printf(buf, "%s unknown: %s\n",
                   method->basis->has_inventory ? "Operational" : "CO2e", method->remedy);
        if (method->basis->has_inventory)
            write_method_embodied(method, buf);
        return;
    }
    buf_printf(buf, "Operational: energy x PUE ");
    method_write_pue(method, buf);
    buf_printf(buf, " x grid intensity (");
    method_write_grid(method, &total->hours, 0, row->style->utf8, buf);
    buf_printf(buf, "), by ");
    method_write_set(method, buf);
    buf_printf(buf, ".\nSource: ");
    method_write_source(method, &total->hours, row->style->utf8, buf);
    buf_printf(buf, ".\n");
    write_method_embodied(method, buf);
    if (method_not_included(method, words) > 0) {
        buf_printf(buf, "Not included: ");
        method_write_not_included(method, buf);
        buf_printf(buf, ".\n");
    }
}

static void write_compared(const struct row *row, const struct total *total, bool has_inventory,
                           struct buf *buf)
{
    bool whole = has_inventory && total->no_embodied == 0;

    buf_printf(buf, "\nCompared: %s is as much as any one of\n",
               whole ? "all of it" : "the operational part");
    method_write_compared(row->method, total->operational_g + (whole ? total->embodied.central : 0),
                          2, row->style->utf8, buf);
}

void table_write_summary(const struct row *rows, size_t count, bool compare, struct buf *buf)
{
    struct total total = total_of(rows, count);
    const struct report_method *method = count > 0 ? rows[0].method : NULL;
    bool has_inventory = method && method->basis->has_inventory;
    bool has_grams = method && method->grid->has_intensity && total.unknown < total.jobs;

    if (total.jobs == 0)
        return;
    buf_printf(buf, "\n%zu job%s: ", total.jobs, total.jobs == 1 ? "" : "s");
    if (total.unknown < total.jobs)
        format_amount(buf, (double)total.mj, energy_units, rows[0].style->energy_unit);
    else
        buf_printf(buf, "unknown energy");
    if (has_grams)
        write_sum(&total, has_inventory, buf);
    else
        write_embodied_sum(&total, has_inventory, buf);
    write_doubts(&total, has_inventory, buf);
    if (method->what_if)
        buf_printf(buf, "WHAT IF %s: not what was emitted.\n", method->what_if);
    write_method(&rows[0], &total, buf);
    if (compare && has_grams)
        write_compared(&rows[0], &total, has_inventory, buf);
    else if (compare)
        buf_printf(buf, "\nCompared with nothing: the operational emissions are unknown.\n");
}
