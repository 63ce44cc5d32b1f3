/*
 * period_sections.c - the report for programs and spreadsheets: one table a section, whole numbers
 * in milligrams, millijoules and milliseconds, nothing where a figure is unknown
 *
 * Each writer names a column and gives its value in one call; the header line is the same walk with
 * names written instead, so that the two cannot part.
 */
#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "report/csv.h"
#include "report/format.h"
#include "report/month.h"
#include "report/period_fields.h"

/* The table in the making. */
struct sheet {
    const struct period_report *report;
    struct buf *buf;
    const char *delimiter;
    bool csv, names; /* names: the header line */
    size_t column;
};

/* --- cells ------------------------------------------------------------------------------------ */

/* The next column; true when its value is wanted, not its name. */
static bool column(struct sheet *sheet, const char *name)
{
    if (sheet->column++ > 0)
        buf_printf(sheet->buf, "%s", sheet->csv ? "," : sheet->delimiter);
    if (sheet->names)
        buf_printf(sheet->buf, "%s", name);
    return !sheet->names;
}

static void put_text(struct sheet *sheet, const char *name, const char *text)
{
    struct buf clean;

    if (!column(sheet, name) || !text)
        return;
    buf_init(&clean);
    format_text(&clean, text, true, sheet->csv ? NULL : sheet->delimiter);
    sheet->buf->failed |= buf_failed(&clean);
    if (sheet->csv)
        csv_text(sheet->buf, clean.data ? clean.data : "");
    else
        buf_printf(sheet->buf, "%s", clean.data ? clean.data : "");
    buf_free(&clean);
}

static void put_known(struct sheet *sheet, const char *name, bool known, uint64_t number)
{
    if (column(sheet, name) && known)
        buf_printf(sheet->buf, "%llu", (unsigned long long)number);
}

static void put_number(struct sheet *sheet, const char *name, uint64_t number)
{
    put_known(sheet, name, true, number);
}

static void put_signed(struct sheet *sheet, const char *name, bool known, int64_t number)
{
    if (column(sheet, name) && known)
        buf_printf(sheet->buf, "%lld", (long long)number);
}

static void put_instant(struct sheet *sheet, const char *name, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    put_text(sheet, name, text);
}

/* "2026-10-25", or "2026-10" */
static void put_date(struct sheet *sheet, const char *name, int64_t instant_s, size_t len)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    text[len] = '\0';
    put_text(sheet, name, text);
}

/* Millionths as a decimal */
static void put_millionths(struct sheet *sheet, const char *name, bool known, uint64_t millionths)
{
    if (column(sheet, name) && known)
        buf_printf(sheet->buf, "%llu.%06llu", (unsigned long long)(millionths / 1000000),
                   (unsigned long long)(millionths % 1000000));
}

static void put_amounts(struct sheet *sheet, const struct amounts *amounts)
{
    for (const struct amounts_field *field = amounts_fields; field->name; field++)
        put_known(sheet, field->name, field_is_known(sheet->report, field->needs),
                  field->get(amounts));
}

/* --- totals ----------------------------------------------------------------------------------- */

static void put_method(struct sheet *sheet)
{
    const struct period_report *report = sheet->report;
    const struct basis *basis = report->basis;

    put_text(sheet, "cluster", report->period.cluster);
    put_instant(sheet, "from_utc", report->period.from_s);
    put_instant(sheet, "to_utc", report->period.to_s);
    put_text(sheet, "so_far", report->so_far ? "yes" : "no");
    put_text(sheet, "mode", embodied_mode_names[basis->mode]);
    put_text(sheet, "idle_policy", basis->spread_idle ? "spread" : "separate");
    put_number(sheet, "factor_set", (uint64_t)basis->set.number);
    put_instant(sheet, "factor_set_made_utc", basis->set.made_s);
    put_text(sheet, "zone", report->has_grams ? basis->grid.zone : NULL);
    put_text(sheet, "basis", report->has_grams ? basis->grid.basis : NULL);
    put_millionths(sheet, "mean_intensity_g_per_kwh", report->has_grams && report->counted_mj > 0,
                   report->ug_per_kwh);
    put_millionths(sheet, "mean_pue", report->counted_mj > 0, report->pue_ppm);
}

static void put_lines(struct sheet *sheet)
{
    const struct period_report *report = sheet->report;
    bool grams = report->has_grams, embodied = report->basis->has_inventory;

    put_number(sheet, "system_mj", report->system_mj);
    put_number(sheet, "unallocated_mj", report->unallocated_mj);
    put_number(sheet, "counted_mj", report->counted_mj);
    put_known(sheet, "system_mg", grams, report->system_mg);
    put_known(sheet, "system_overhead_mg", grams, report->system_overhead_mg);
    put_known(sheet, "unallocated_mg", grams, report->unallocated_mg);
    put_known(sheet, "unallocated_overhead_mg", grams, report->unallocated_overhead_mg);
    put_known(sheet, "unallocated_embodied_low_mg", embodied, report->unallocated_embodied.low);
    put_known(sheet, "unallocated_embodied_mg", embodied, report->unallocated_embodied.central);
    put_known(sheet, "unallocated_embodied_high_mg", embodied, report->unallocated_embodied.high);
    put_known(sheet, "written_off_mg", embodied, report->embodied.written_off.central);
    put_signed(sheet, "recovery_mg", embodied && report->basis->mode == MODE_PLANNED,
               report->recovery_mg);
    put_known(sheet, "cluster_low_mg", grams && embodied, report->total.low);
    put_known(sheet, "cluster_mg", grams && embodied, report->total_mg);
    put_known(sheet, "cluster_high_mg", grams && embodied, report->total.high);
    put_known(sheet, "scope2_location_mg", grams, report->scope2_location_mg);
    put_known(sheet, "scope2_market_mg", report->has_market, report->scope2_market_mg);
    put_known(sheet, "scope3_category2_acquired_do_not_add_mg", embodied,
              report->embodied.acquired.central);
    put_number(sheet, "hours_with_energy", report->hours);
    put_known(sheet, "annual_value_hours", grams, report->annual_hours);
    put_known(sheet, "estimated_hours", grams, report->estimated_hours);
    put_known(sheet, "other_basis_hours", grams, report->other_basis_hours);
    put_known(sheet, "silent_node_hours", embodied, report->nodes_silent_hours);
    put_known(sheet, "unknown_nodes", embodied, report->unknown_nodes.count);
    put_known(sheet, "fully_amortised_pieces", embodied, report->fully_amortised_pieces);
}

static void write_totals(struct sheet *sheet, size_t i)
{
    (void)i;
    put_method(sheet);
    put_amounts(sheet, &sheet->report->jobs);
    put_lines(sheet);
}

/* --- groups ----------------------------------------------------------------------------------- */

/* A line of no table, whose header is written all the same */
static const struct report_line no_line;

static const struct report_line *line_of(const struct sheet *sheet,
                                         const struct report_group *group, size_t i)
{
    return sheet->names ? &no_line : &group->lines[i];
}

static void write_account(struct sheet *sheet, size_t i)
{
    const struct report_line *line = line_of(sheet, &sheet->report->accounts, i);
    const struct period_report *report = sheet->report;

    put_text(sheet, "account", line->name);
    put_text(sheet, "parent", line->parent);
    put_number(sheet, "depth", line->depth);
    put_amounts(sheet, &line->own);
    put_number(sheet, "tree_jobs", line->tree.jobs);
    put_number(sheet, "tree_total_mj", line->tree.active_mj + line->tree.idle_mj);
    put_known(sheet, "tree_operational_mg", report->has_grams,
              amounts_operational_mg(&line->tree));
    put_known(sheet, "tree_embodied_mg", report->basis->has_inventory,
              line->tree.embodied.central);
    put_known(sheet, "tree_total_mg", field_is_known(report, FIELD_BOTH),
              amounts_total_mg(&line->tree));
}

static void write_user(struct sheet *sheet, size_t i)
{
    const struct report_line *line = line_of(sheet, &sheet->report->users, i);

    put_text(sheet, "user", line->name);
    put_amounts(sheet, &line->own);
}

static void write_partition(struct sheet *sheet, size_t i)
{
    const struct report_line *line = line_of(sheet, &sheet->report->partitions, i);

    put_text(sheet, "partition", line->name);
    put_amounts(sheet, &line->own);
}

static void write_state(struct sheet *sheet, size_t i)
{
    const struct report_line *line = line_of(sheet, &sheet->report->states, i);

    put_text(sheet, "state", line->name);
    put_amounts(sheet, &line->own);
}

static void write_type(struct sheet *sheet, size_t i)
{
    static const struct report_type none;
    const struct report_type *type = sheet->names ? &none : &sheet->report->types[i];
    bool embodied = sheet->report->basis->has_inventory;

    put_text(sheet, "node_type", type->name);
    put_text(sheet, "pool", report_pool_name(type->pool));
    put_number(sheet, "nodes", type->nodes);
    put_number(sheet, "active_mj", type->active_mj);
    put_number(sheet, "idle_mj", type->idle_mj);
    put_number(sheet, "system_mj", type->system_mj);
    put_number(sheet, "unallocated_mj", type->unallocated_mj);
    put_number(sheet, "counted_mj", type->counted_mj);
    put_known(sheet, "operational_mg", sheet->report->has_grams, type->operational_mg);
    put_number(sheet, "used_device_ms", type->used_ms);
    put_known(sheet, "available_device_ms", embodied, type->available_ms);
    put_known(sheet, "embodied_low_mg", type->has_embodied, type->embodied.low);
    put_known(sheet, "embodied_mg", type->has_embodied, type->embodied.central);
    put_known(sheet, "embodied_high_mg", type->has_embodied, type->embodied.high);
}

static void write_job(struct sheet *sheet, size_t i)
{
    static const struct report_job none;
    const struct report_job *job = sheet->names ? &none : &sheet->report->top[i];

    put_text(sheet, "job", job->job_id);
    put_number(sheet, "job_id", job->job.job_id);
    put_number(sheet, "restart_count", job->job.restart_count);
    put_text(sheet, "name", job->job.name);
    put_text(sheet, "user", job->job.user);
    put_text(sheet, "account", job->job.account);
    put_text(sheet, "partition", job->job.partition);
    put_text(sheet, "qos", job->job.qos);
    put_text(sheet, "state", job->state);
    put_instant(sheet, "begin_utc", job->job.begin_s);
    if (job->job.end_s.has)
        put_instant(sheet, "end_utc", job->job.end_s.value);
    else
        put_text(sheet, "end_utc", NULL);
    put_amounts(sheet, &job->amounts);
}

/* --- time and assets -------------------------------------------------------------------------- */

static void write_day(struct sheet *sheet, size_t i)
{
    static const struct report_day none;
    const struct report_day *day = sheet->names ? &none : &sheet->report->days[i];
    bool grams = sheet->report->has_grams;

    put_date(sheet, "day_utc", day->day_s, strlen("2026-10-25"));
    put_number(sheet, "counted_mj", day->counted_mj);
    put_known(sheet, "operational_mg", grams, day->operational_mg);
    put_millionths(sheet, "mean_intensity_g_per_kwh", grams && day->counted_mj > 0,
                   day->ug_per_kwh);
    put_number(sheet, "hours_with_energy", day->hours);
    put_known(sheet, "annual_value_hours", grams, day->annual_hours);
}

static void write_month(struct sheet *sheet, size_t i)
{
    static const struct report_month none;
    const struct report_month *month = sheet->names ? &none : &sheet->report->trend[i];
    bool grams = sheet->report->has_grams && month->has;
    bool embodied = sheet->report->basis->has_inventory && month->has;

    put_date(sheet, "month_utc", month->month_s, strlen("2026-10"));
    put_known(sheet, "counted_mj", month->has, month->counted_mj);
    put_known(sheet, "measured_mj", month->has, month->measured_mj);
    put_known(sheet, "active_mg", grams, month->active_mg);
    put_known(sheet, "idle_mg", grams, month->idle_mg);
    put_known(sheet, "system_mg", grams, month->system_mg);
    put_known(sheet, "unallocated_mg", grams, month->unallocated_mg);
    put_known(sheet, "overhead_mg", grams, month->overhead_mg);
    put_known(sheet, "embodied_low_mg", embodied, month->embodied.low);
    put_known(sheet, "embodied_mg", embodied, month->embodied.central);
    put_known(sheet, "embodied_high_mg", embodied, month->embodied.high);
    put_known(sheet, "total_mg", grams && embodied, month->total_mg);
}

static void write_asset(struct sheet *sheet, size_t i)
{
    static const struct asset no_asset;
    static const struct asset_part none = { .asset = &no_asset, .type = -1 };
    const struct asset_part *part = sheet->names ? &none : &sheet->report->embodied.parts[i];
    const struct inventory *inventory = &sheet->report->basis->inventory;

    put_text(sheet, "node_type", part->type >= 0 ? inventory->types[part->type].name : NULL);
    put_text(sheet, "asset", part->asset->name);
    put_text(sheet, "class", asset_class_names[part->asset->class]);
    put_number(sheet, "pieces", part->pieces);
    put_number(sheet, "service_ms", part->service_ms);
    put_number(sheet, "amortised_low_mg", part->amount.low);
    put_number(sheet, "amortised_mg", part->amount.central);
    put_number(sheet, "amortised_high_mg", part->amount.high);
    put_number(sheet, "written_off_mg", part->written_off.central);
    put_number(sheet, "acquired_do_not_add_mg", part->acquired.central);
    put_number(sheet, "fully_amortised_pieces", part->amortised_pieces);
    put_text(sheet, "source", part->asset->source);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static void put_left(struct sheet *sheet, const char *name, bool known, uint64_t amount,
                     uint64_t used)
{
    put_signed(sheet, name, known, (int64_t)amount - (int64_t)used);
}

static void write_budget(struct sheet *sheet, size_t i)
{
    static const struct budget no_budget;
    static const struct budget_use none = { .budget = &no_budget };
    const struct budget_use *use = sheet->names ? &none : &sheet->report->budgets.uses[i];
    const struct budget *budget = use->budget;
    bool energy = budget->energy_mj > 0, known = budget_used_is_known(use);

    put_text(sheet, "account", budget->account);
    put_text(sheet, "period", use->label);
    put_instant(sheet, "from_utc", use->from_s);
    put_instant(sheet, "used_to_utc", use->to_s);
    put_instant(sheet, "end_utc", use->end_s);
    put_known(sheet, "budget_mg", !energy, budget->co2e_mg);
    put_known(sheet, "budget_mj", energy, budget->energy_mj);
    put_left(sheet, "left_mg", !energy && known, budget->co2e_mg, budget_used(use));
    put_left(sheet, "left_mj", energy, budget->energy_mj, budget_used(use));
    put_number(sheet, "used_mj", use->energy_mj);
    put_known(sheet, "used_operational_mg", use->has_grams, use->operational_mg);
    put_known(sheet, "used_embodied_low_mg", !use->refusal, use->embodied.low);
    put_known(sheet, "used_embodied_mg", !use->refusal, use->embodied.central);
    put_known(sheet, "used_embodied_high_mg", !use->refusal, use->embodied.high);
    put_known(sheet, "used_total_mg", use->has_grams && !use->refusal,
              use->operational_mg + use->embodied.central);
    put_text(sheet, "missing_embodied", use->missing_embodied ? "yes" : "no");
    put_number(sheet, "measured_mj", use->measured_mj);
    put_number(sheet, "modelled_mj", use->modelled_mj);
    put_number(sheet, "metered_domain_ms", use->metered_ms);
    put_number(sheet, "elapsed_domain_ms", use->elapsed_ms);
    put_number(sheet, "gap_domain_ms", use->gap_ms);
    put_text(sheet, "account_is_known", use->is_known ? "yes" : "no");
}

/* --- sections --------------------------------------------------------------------------------- */

static size_t one(const struct period_report *report)
{
    (void)report;
    return 1;
}

#define COUNT(name, expression) \
    static size_t count_##name(const struct period_report *report) \
    { \
        return report->expression; \
    }

COUNT(account, accounts.count)
COUNT(user, users.count)
COUNT(partition, partitions.count)
COUNT(type, n_types)
COUNT(state, states.count)
COUNT(job, n_top)
COUNT(day, n_days)
COUNT(trend, n_trend)
COUNT(asset, embodied.n_parts)
COUNT(budget, budgets.count)

static const struct section {
    const char *name;
    size_t (*count)(const struct period_report *report);
    void (*write)(struct sheet *sheet, size_t i);
} sections[] = {
    { "totals", one, write_totals },
    { "account", count_account, write_account },
    { "user", count_user, write_user },
    { "partition", count_partition, write_partition },
    { "type", count_type, write_type },
    { "state", count_state, write_state },
    { "job", count_job, write_job },
    { "day", count_day, write_day },
    { "trend", count_trend, write_month },
    { "asset", count_asset, write_asset },
    { "budget", count_budget, write_budget },
};
#define SECTIONS (sizeof(sections) / sizeof(*sections))

const char *const period_report_sections[] = {
    "totals", "account", "user", "partition", "type", "state", "job", "day", "trend", "asset",
    "budget", NULL,
};
_Static_assert(sizeof(period_report_sections) / sizeof(*period_report_sections) == SECTIONS + 1,
               "each section has its name");

static const char *end_of_line(const struct sheet *sheet)
{
    return sheet->csv ? "\r\n" : "\n";
}

int period_report_section(const struct period_report *report, const char *section,
                          const struct period_section_style *style, struct buf *buf,
                          struct error *err)
{
    struct sheet sheet = { .report = report, .buf = buf, .delimiter = style->delimiter,
                           .csv = style->csv };
    const struct section *found = NULL;

    for (size_t i = 0; i < SECTIONS; i++)
        found = strcmp(sections[i].name, section) == 0 ? &sections[i] : found;
    if (!found)
        return error_set(err, -EINVAL, "no section \"%.40s\"", section);
    for (size_t i = style->header ? 0 : 1; i < found->count(report) + 1; i++) {
        sheet.names = i == 0;
        sheet.column = 0;
        found->write(&sheet, i - (i > 0));
        if (style->trailing)
            buf_printf(buf, "%s", style->delimiter);
        buf_printf(buf, "%s", end_of_line(&sheet));
    }
    return buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the report") : 0;
}
