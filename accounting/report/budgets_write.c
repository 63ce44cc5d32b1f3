/*
 * budgets_write.c - budgets as texts, as a table in plain text, and as JSON
 *
 * What is used and what is left are shown in the unit that the budget reads best in, and add up to
 * it as shown.
 */
#include <errno.h>
#include <stdlib.h>

#include "carbon/inventory.h"
#include "core/clock.h"
#include "report/budgets.h"
#include "report/cells.h"
#include "report/format.h"

/* --- texts ------------------------------------------------------------------------------------ */

static bool is_energy(const struct budget *budget)
{
    return budget->energy_mj > 0;
}

/* As units count: millijoules, or micrograms. */
static double size_of(const struct budget *budget, uint64_t amount)
{
    return is_energy(budget) ? (double)amount : (double)amount * 1000;
}

static struct scale scale_of_use(const struct budget_use *use)
{
    const struct budget *budget = use->budget;
    const struct unit *units = is_energy(budget) ? energy_units : mass_units;
    uint64_t amount = budget_amount(budget), used = budget_used(use);

    return scale_of(units, unit_choose(units, size_of(budget, amount)),
                    size_of(budget, used > amount ? used : amount));
}

static uint64_t ticks_of(const struct budget_use *use, const struct scale *scale, uint64_t amount)
{
    return scale_ticks(scale, size_of(use->budget, amount));
}

/* Is a part of manufacture missing, and what is known too little to be shown? */
static bool is_shown(const struct budget_use *use)
{
    struct scale scale = scale_of_use(use);

    return budget_used_is_known(use) &&
           !(budget_used_lacks(use) && ticks_of(use, &scale, budget_used(use)) == 0);
}

void budget_write_amount(const struct budget_use *use, struct buf *buf)
{
    struct scale scale = scale_of_use(use);

    format_amount(buf, size_of(use->budget, budget_amount(use->budget)), NULL, scale.unit);
}

void budget_write_used(const struct budget_use *use, struct buf *buf)
{
    struct scale scale = scale_of_use(use);
    uint64_t used = budget_used(use);

    if (!is_shown(use)) {
        buf_printf(buf, "unknown");
        return;
    }
    scale_write_known(buf, &scale, ticks_of(use, &scale, used), used > 0, budget_used_lacks(use));
    buf_printf(buf, " %s", scale.unit->name);
}

void budget_write_percent(const struct budget_use *use, struct buf *buf)
{
    if (!is_shown(use)) {
        buf_printf(buf, "-");
        return;
    }
    buf_printf(buf, "%s", budget_used_lacks(use) ? ">" : "");
    format_percent(buf, budget_used(use), budget_amount(use->budget));
}

void budget_write_left(const struct budget_use *use, struct buf *buf)
{
    struct scale scale = scale_of_use(use);
    uint64_t amount = budget_amount(use->budget), used = budget_used(use);
    uint64_t whole = ticks_of(use, &scale, amount), ticks = ticks_of(use, &scale, used);
    bool over = used > amount;

    if (!is_shown(use)) {
        buf_printf(buf, "unknown");
        return;
    }
    buf_printf(buf, "%s%s", over ? "over by " : "",
               !budget_used_lacks(use) ? "" : over ? ">" : "at most ");
    scale_write(buf, &scale, over ? ticks - whole : whole - ticks, used != amount);
    buf_printf(buf, " %s", scale.unit->name);
}

/* --- the table -------------------------------------------------------------------------------- */

static void cell(struct cells *cells, const struct budget_use *use,
                 void (*write)(const struct budget_use *use, struct buf *buf))
{
    struct buf text;

    buf_init(&text);
    write(use, &text);
    cells_take(cells, &text);
}

static void name_cell(struct cells *cells, const char *name, bool utf8)
{
    struct buf text;

    buf_init(&text);
    format_text(&text, name, utf8, NULL);
    cells_take(cells, &text);
}

static void percent_cell(struct cells *cells, uint64_t part, uint64_t whole)
{
    struct buf text;

    buf_init(&text);
    if (whole > 0)
        format_percent(&text, part, whole);
    else
        buf_printf(&text, "-");
    cells_take(cells, &text);
}

static void heads(struct cells *cells)
{
    static const char *const titles[] = { "account", "period", "budget", "used", "used %", "left",
                                          "measured %", "covered %" };

    for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
        cells_column(cells, i > 1);
    for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
        cells_text(cells, titles[i]);
}

static void line(struct cells *cells, const struct budget_use *use, bool utf8)
{
    name_cell(cells, use->budget->account, utf8);
    cells_text(cells, use->label);
    cell(cells, use, budget_write_amount);
    cell(cells, use, budget_write_used);
    cell(cells, use, budget_write_percent);
    cell(cells, use, budget_write_left);
    percent_cell(cells, use->measured_mj, use->energy_mj);
    percent_cell(cells, use->metered_ms, use->elapsed_ms);
}

static void write_notes_of(const struct budget_use *use, bool utf8, struct buf *buf)
{
    if (!use->is_known) {
        buf_printf(buf, "  ");
        format_text(buf, use->budget->account, utf8, NULL);
        buf_printf(buf, ": no job, and no account of inventory.conf, has this name: is it spelled "
                   "as in Slurm?\n");
    }
    if (!budget_used_is_known(use)) {
        buf_printf(buf, "  ");
        format_text(buf, use->budget->account, utf8, NULL);
        buf_printf(buf, ": emissions unknown: ");
        format_text(buf, budget_why_unknown(use), utf8, NULL);
        buf_printf(buf, "\n");
    }
}

static void write_notes(const struct budget_uses *uses, bool utf8, struct buf *buf)
{
    bool uncovered = false, lacks = false;
    char to[CLOCK_TEXT_SIZE];

    clock_format_utc(uses->uses[0].to_s, to);
    buf_printf(buf, "  used by all jobs of the account and of those below it, as delivered up to "
               "%.10s %.5s UTC;\n  masses are total emissions (operation and manufacture), energy "
               "is at the meter\n", to, to + 11);
    if (budget_uses_begin_late(uses)) {
        clock_format_utc(uses->books_from_s, to);
        buf_printf(buf, "  the books begin on %.10s: what was used before is in no figure\n", to);
    }
    for (size_t i = 0; i < uses->count; i++) {
        const struct budget_use *use = &uses->uses[i];

        write_notes_of(use, utf8, buf);
        uncovered |= use->metered_ms < use->elapsed_ms;
        lacks |= budget_used_lacks(use);
    }
    if (uncovered)
        buf_printf(buf, "  what was drawn in time that is not covered is unknown, and in no "
                   "figure: more was used\n");
    if (lacks)
        buf_printf(buf, "  >: a part of manufacture is not known (nodes of no node type): more "
                   "was used\n");
}

int budgets_text(const struct budget_uses *uses, const struct budgets_style *style,
                 struct buf *buf, struct error *err)
{
    struct cells cells = { 0 };
    int rc;

    if (uses->count == 0)
        return 0;
    heads(&cells);
    for (size_t i = 0; i < uses->count; i++)
        line(&cells, &uses->uses[i], style->utf8);
    rc = cells_write(&cells, true, style->headings, style->colour, buf, err);
    write_notes(uses, style->utf8, buf);
    return rc;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *known(bool is_known, uint64_t number)
{
    return is_known ? json_integer((json_int_t)number) : json_null();
}

/* Below 0: over the budget. Both are below 2^62. */
static json_t *left(bool is_known, uint64_t amount, uint64_t used)
{
    return is_known ? json_integer((json_int_t)amount - (json_int_t)used) : json_null();
}

static json_t *used_of(struct json_doc *doc, const struct budget_use *use)
{
    json_t *object = json_object();
    bool hardware = !use->refusal;

    json_put_integer(doc, object, "energy_mj", use->energy_mj);
    json_put(doc, object, "operational_mg", known(use->has_grams, use->operational_mg));
    json_put(doc, object, "embodied_low_mg", known(hardware, use->embodied.low));
    json_put(doc, object, "embodied_mg", known(hardware, use->embodied.central));
    json_put(doc, object, "embodied_high_mg", known(hardware, use->embodied.high));
    json_put(doc, object, "total_mg", known(use->has_grams && hardware,
                                            use->operational_mg + use->embodied.central));
    json_put(doc, object, "missing_embodied", json_boolean(use->missing_embodied));
    return object;
}

static json_t *quality_of(struct json_doc *doc, const struct budget_use *use)
{
    json_t *object = json_object();

    json_put_integer(doc, object, "measured_mj", use->measured_mj);
    json_put_integer(doc, object, "modelled_mj", use->modelled_mj);
    json_put_integer(doc, object, "metered_domain_ms", use->metered_ms);
    json_put_integer(doc, object, "elapsed_domain_ms", use->elapsed_ms);
    json_put_integer(doc, object, "gap_domain_ms", use->gap_ms);
    return object;
}

static json_t *object_of(struct json_doc *doc, const struct budget_uses *uses,
                         const struct budget_use *use)
{
    const struct budget *budget = use->budget;
    bool energy = is_energy(budget), is_known = budget_used_is_known(use);
    json_t *object = json_object();

    json_put_text(doc, object, "account", budget->account);
    json_put_text(doc, object, "period", use->label);
    json_put_text(doc, object, "of_each", budget->is_yearly ? "year" : "month");
    json_put_instant(doc, object, "from_utc", use->from_s);
    json_put_instant(doc, object, "used_to_utc", use->to_s);
    json_put_instant(doc, object, "end_utc", use->end_s);
    if (uses->has_books)
        json_put_instant(doc, object, "books_begin_utc", uses->books_from_s);
    else
        json_put(doc, object, "books_begin_utc", json_null());
    json_put(doc, object, "budget_mg", known(!energy, budget->co2e_mg));
    json_put(doc, object, "budget_mj", known(energy, budget->energy_mj));
    json_put(doc, object, "left_mg", left(!energy && is_known, budget->co2e_mg, budget_used(use)));
    json_put(doc, object, "left_mj", left(energy, budget->energy_mj, budget_used(use)));
    json_put(doc, object, "used", used_of(doc, use));
    json_put(doc, object, "quality", quality_of(doc, use));
    json_put(doc, object, "account_is_known", json_boolean(use->is_known));
    json_put_text(doc, object, "why_unknown", is_known ? NULL : budget_why_unknown(use));
    return object;
}

json_t *budgets_json(struct json_doc *doc, const struct budget_uses *uses)
{
    json_t *array = json_array();

    for (size_t i = 0; i < uses->count; i++)
        json_add(doc, array, object_of(doc, uses, &uses->uses[i]));
    return array;
}
