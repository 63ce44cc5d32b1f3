#include "config.h"

#include "report/web.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "report/html.h"
#include "report/month.h"
#include "report/plot.h"
#include "report/svg.h"

#define UG_PER_MG 1000.0
#define SHOWN_ACCOUNTS 12

void web_swatch(struct buf *buf, const char *class)
{
    buf_printf(buf, "<svg class=\"swatch\" viewBox=\"0 0 20 14\" aria-hidden=\"true\">"
               "<rect class=\"%s\" x=\"1\" y=\"1\" width=\"18\" height=\"12\"/></svg>", class);
}

/* Text of a fixed room, cut where it does not fit. */
static struct buf room_of(char *text, size_t size)
{
    struct buf room;

    buf_init_fixed(&room, text, size);
    return room;
}

/* Ticks with their unit: "4.10 t" */
static void write_ticks(char *text, size_t size, const struct scale *scale, uint64_t ticks,
                        bool something)
{
    struct buf room = room_of(text, size);

    scale_write(&room, scale, ticks, something);
    buf_printf(&room, " %s", scale->unit->name);
}

/* --- the parts -------------------------------------------------------------------------------- */

/* One stacked bar with brackets above and percentages below. */
struct parts_plot {
    const struct web_page *page;
    double width, total;
};

static double part_width(const struct parts_plot *plot, const struct web_part *part)
{
    return plot->total > 0 ? (plot->width - 2) * (double)part->amount / plot->total : 0;
}

/* A bracket over the parts of one kind, "Electricity 4.1 t", where there are any. */
static void draw_bracket(const struct parts_plot *plot, bool hardware)
{
    const struct web_page *page = plot->page;
    double x = 1, from = -1, to = 0;
    uint64_t ticks = 0;
    char value[48], text[96];
    struct buf room;

    for (size_t i = 0; i < page->n_parts; i++) {
        double width = part_width(plot, &page->parts[i]);

        if (page->parts[i].is_hardware == hardware) {
            from = from < 0 ? x : from;
            to = x + width;
            ticks += page->parts[i].ticks;
        }
        x += width;
    }
    if (from < 0)
        return;
    write_ticks(value, sizeof(value), page->grams ? &page->mass : &page->energy, ticks, true);
    room = room_of(text, sizeof(text));
    buf_printf(&room, "%s %s", hardware ? "Hardware" : "Electricity", value);
    svg_text(page->buf, hardware ? "t b end" : "t b", hardware ? plot->width - 1 : 1, 15, text);
    buf_printf(page->buf, "<path class=\"bracket\" d=\"M%.1f 30V23H%.1fV30\"/>\n", from + 1,
               to - 1);
}

static void draw_parts(const struct web_page *page, bool narrow, const char *desc)
{
    struct parts_plot plot = { .page = page, .width = narrow ? PLOT_NARROW : PLOT_WIDE };
    double x = 1;

    for (size_t i = 0; i < page->n_parts; i++)
        plot.total += (double)page->parts[i].amount;
    svg_begin(page->buf, narrow ? "plot-parts-narrow" : "plot-parts-wide",
              narrow ? "plot narrow" : "plot wide", plot.width, 116,
              page->grams ? "What the emissions are made of" : "What the energy went to", desc);
    draw_bracket(&plot, false);
    draw_bracket(&plot, true);
    for (size_t i = 0; i < page->n_parts; i++) {
        const struct web_part *part = &page->parts[i];
        double width = part_width(&plot, part);
        char text[32];
        struct buf room = room_of(text, sizeof(text));

        svg_rect(page->buf, part->class, x, 34, width, 52, part->name);
        buf_printf(&room, "%llu %%", (unsigned long long)part->percent);
        if (svg_text_width(text, PLOT_TEXT) < width + 4)
            svg_text(page->buf, "t mid", x + width / 2, 106, text);
        x += width;
    }
    svg_end(page->buf);
}

void web_parts_plot(const struct web_page *page)
{
    struct buf desc;

    if (page->n_parts == 0)
        return;
    buf_init(&desc);
    for (size_t i = 0; i < page->n_parts; i++) {
        const struct web_part *part = &page->parts[i];

        buf_printf(&desc, "%s%s %llu percent", i > 0 ? ", " : "", part->name,
                   (unsigned long long)part->percent);
    }
    buf_printf(&desc, ". The table that follows has the amounts.");
    if (!buf_failed(&desc)) {
        draw_parts(page, false, desc.data);
        draw_parts(page, true, desc.data);
    }
    page->buf->failed |= buf_failed(&desc);
    buf_free(&desc);
}

/* --- accounts --------------------------------------------------------------------------------- */

static const struct plot_series job_series[] = {
    { "p-active", "Electricity (operational)" },
    { "p-used", "Hardware (embodied)" },
};
static const struct plot_series energy_series[] = { { "p-active", "Energy" } };
static const struct plot_series day_series[] = { { "p-day", "Energy" } };

/* An account with its rounded amounts. */
struct account {
    const struct report_line *line;
    struct web_cells cells;
    uint64_t amount; /* to sort by */
    size_t index;
};

static int compare_accounts(const void *va, const void *vb)
{
    const struct account *a = va, *b = vb;

    if (a->amount != b->amount)
        return a->amount > b->amount ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* All accounts by their own amount, greatest first; NULL: no memory. */
static struct account *sorted_accounts(const struct web_page *page)
{
    const struct report_group *group = &page->report->accounts;
    struct account *accounts = calloc(group->count + 1, sizeof(*accounts));
    struct web_cells *cells = calloc(group->count + 1, sizeof(*cells));
    bool ok = accounts && cells && web_share_out(page, group->lines, group->count, cells);

    for (size_t i = 0; ok && i < group->count; i++)
        accounts[i] = (struct account){ &group->lines[i], cells[i],
                                        web_amount_of(page, &group->lines[i].own), i };
    if (ok)
        qsort(accounts, group->count, sizeof(*accounts), compare_accounts);
    free(cells);
    if (ok)
        return accounts;
    free(accounts);
    return NULL;
}

static void add_account(const struct web_page *page, struct plot_bar *bar,
                        const struct account *account)
{
    const struct amounts *own = &account->line->own;

    bar->amounts[0] += page->grams ? amounts_operational_mg(own) : own->active_mj + own->idle_mj;
    bar->amounts[1] += page->grams ? own->embodied.central : 0;
}

static void value_account(const struct web_page *page, struct plot_bar *bar,
                          const struct web_cells *cells)
{
    write_ticks(bar->value, sizeof(bar->value),
                page->grams ? &page->jobs.mass : &page->jobs.energy,
                page->grams ? cells->electricity + cells->hardware : cells->energy,
                bar->amounts[0] + bar->amounts[1] > 0);
}

/* The greatest accounts, and one bar for all others. Returns the number of bars. */
static size_t account_bars(const struct web_page *page, const struct account *accounts,
                           size_t count, struct plot_bar *bars)
{
    size_t shown = count <= SHOWN_ACCOUNTS + 1 ? count : SHOWN_ACCOUNTS;
    struct web_cells rest = { 0 };
    struct plot_bar *others = &bars[shown];
    struct buf room = room_of(others->text, sizeof(others->text));

    for (size_t i = 0; i < shown; i++) {
        const char *name = accounts[i].line->name;

        bars[i].label = name && *name ? name : "(none)";
        add_account(page, &bars[i], &accounts[i]);
        value_account(page, &bars[i], &accounts[i].cells);
    }
    if (shown == count)
        return shown;
    for (size_t i = shown; i < count; i++) {
        add_account(page, others, &accounts[i]);
        rest.energy += accounts[i].cells.energy;
        rest.electricity += accounts[i].cells.electricity;
        rest.hardware += accounts[i].cells.hardware;
    }
    buf_printf(&room, "%zu other accounts", count - shown);
    value_account(page, others, &rest);
    return shown + 1;
}

static void describe_bars(struct buf *desc, const struct plot_bar *bars, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(desc, "%s%s: %s", i > 0 ? "; " : "",
                   bars[i].label ? bars[i].label : bars[i].text, bars[i].value);
}

void web_accounts_plot(const struct web_page *page)
{
    struct plot_bar bars[SHOWN_ACCOUNTS + 2] = { 0 };
    struct plot plot = {
        .id = "plot-accounts", .bars = bars, .labels_above = true,
        .title = page->grams ? "Emissions of each account’s jobs"
                             : "Energy of each account’s jobs",
        .series = page->grams ? job_series : energy_series,
        .n_series = page->grams && page->hardware ? 2 : 1,
    };
    struct account *accounts = sorted_accounts(page);
    size_t all = page->report->accounts.count, count = 0;
    struct buf desc;

    while (accounts && count < all && (accounts[count].amount > 0 || all == 1))
        count++; /* those without anything are in the table alone */
    buf_init(&desc);
    if (accounts && count > 0) {
        plot.count = account_bars(page, accounts, count, bars);
        describe_bars(&desc, bars, plot.count);
        buf_printf(&desc, ". The table of accounts has all of them.");
        plot.desc = desc.data ? desc.data : "";
        plot_lying(page->buf, &plot, false);
        plot_lying(page->buf, &plot, true);
    }
    page->buf->failed |= !accounts || buf_failed(&desc);
    buf_free(&desc);
    free(accounts);
}

/* --- days ------------------------------------------------------------------------------------- */

static double g_per_kwh(uint64_t ug_per_kwh)
{
    return (double)ug_per_kwh / 1e6;
}

static void day_bar(const struct web_page *page, const struct report_day *day, struct plot_bar *bar)
{
    struct buf room = room_of(bar->text, sizeof(bar->text));
    int year, month, number;

    month_parts(day->day_s, &year, &month, &number);
    if (page->report->n_days > 31)
        buf_printf(&room, "%d %.3s", number, month_names[month]);
    else
        buf_printf(&room, "%d", number);
    bar->amounts[0] = day->counted_mj;
    bar->line = page->grams ? g_per_kwh(day->ug_per_kwh) : 0;
    room = room_of(bar->tip, sizeof(bar->tip));
    web_energy(&room, (double)day->counted_mj);
    if (bar->line > 0) {
        buf_printf(&room, " at ");
        format_number(&room, bar->line);
        buf_printf(&room, " g/kWh");
    }
}

static const struct report_day *greatest_day(const struct period_report *report)
{
    const struct report_day *best = &report->days[0];

    for (size_t i = 1; i < report->n_days; i++) {
        if (report->days[i].counted_mj > best->counted_mj)
            best = &report->days[i];
    }
    return best;
}

static void describe_days(const struct web_page *page, struct buf *desc)
{
    const struct report_day *best = greatest_day(page->report);
    double low = 0, high = 0;

    for (size_t i = 0; page->grams && i < page->report->n_days; i++) {
        double line = g_per_kwh(page->report->days[i].ug_per_kwh);

        low = line > 0 && (low <= 0 || line < low) ? line : low;
        high = line > high ? line : high;
    }
    buf_printf(desc, "%zu days; the most energy, ", page->report->n_days);
    web_energy(desc, (double)best->counted_mj);
    buf_printf(desc, ", on ");
    web_day(desc, best->day_s);
    if (high > 0) {
        buf_printf(desc, "; the grid’s intensity between ");
        format_number(desc, low);
        buf_printf(desc, " and ");
        format_number(desc, high);
        buf_printf(desc, " g CO₂e per kWh");
    }
    buf_printf(desc, ". The table of days has each.");
}

void web_days_plot(const struct web_page *page)
{
    const struct period_report *report = page->report;
    struct plot_bar *bars = calloc(report->n_days + 1, sizeof(*bars));
    char axis[32];
    struct buf desc, room = room_of(axis, sizeof(axis));
    const struct unit *unit;

    buf_init(&desc);
    for (size_t i = 0; bars && i < report->n_days; i++)
        day_bar(page, &report->days[i], &bars[i]);
    if (bars && report->n_days > 0) {
        unit = unit_choose(energy_units, (double)greatest_day(report)->counted_mj);
        buf_printf(&room, "%s a day", unit->name);
        describe_days(page, &desc);
        struct plot plot = {
            .id = "plot-days", .title = "Energy and grid intensity, day by day",
            .desc = desc.data ? desc.data : "", .series = day_series, .n_series = 1,
            .bars = bars, .count = report->n_days, .axis = axis, .axis_size = unit->size,
            .line = page->grams ? "Grid intensity" : NULL,
            .line_axis = page->grams ? "g CO₂e per kWh" : NULL,
        };

        plot_standing(page->buf, &plot, false);
        plot_standing(page->buf, &plot, true);
    }
    page->buf->failed |= !bars || buf_failed(&desc);
    buf_free(&desc);
    free(bars);
}

/* --- trend ------------------------------------------------------------------------------------ */

static const struct plot_series trend_series[] = {
    { "p-active", "Electricity of jobs" },
    { "p-free", "Free machines, system" },
    { "p-overhead", "Cooling and power supply" },
    { "p-used", "Hardware" },
};

static uint64_t month_amount(const struct web_page *page, const struct report_month *month)
{
    return page->grams ? month->total_mg : month->counted_mj;
}

static void month_bar(const struct web_page *page, const struct report_month *month, bool first,
                      const struct scale *scale, struct plot_bar *bar)
{
    struct buf room = room_of(bar->text, sizeof(bar->text));
    int year, number, day;
    double factor = page->grams ? UG_PER_MG : 1;
    uint64_t amount = month_amount(page, month);

    month_parts(month->month_s, &year, &number, &day);
    buf_printf(&room, "%.3s", month_names[number]);
    if (first || number == 1) {
        room = room_of(bar->below, sizeof(bar->below));
        buf_printf(&room, "%d", year);
    }
    bar->strong = month->month_s == clock_month_begin_s(page->report->period.to_s - 1);
    room = room_of(bar->value, sizeof(bar->value));
    bar->dim = !month->has;
    if (bar->dim)
        buf_printf(&room, "–");
    else
        scale_write(&room, scale, scale_ticks(scale, (double)amount * factor), amount > 0);
    if (!page->grams) {
        bar->amounts[0] = month->counted_mj;
        return;
    }
    bar->amounts[0] = month->active_mg + month->idle_mg;
    bar->amounts[1] = month->system_mg + month->unallocated_mg;
    bar->amounts[2] = month->overhead_mg;
    bar->amounts[3] = month->embodied.central;
}

static struct scale trend_scale(const struct web_page *page)
{
    uint64_t max = 0;

    for (size_t i = 0; i < page->report->n_trend; i++) {
        uint64_t amount = month_amount(page, &page->report->trend[i]);

        max = amount > max ? amount : max;
    }
    return scale_of(page->grams ? mass_units : energy_units, NULL,
                    (double)max * (page->grams ? UG_PER_MG : 1));
}

/* Lying, on a telephone, the label carries the year and the value its unit. */
static void lay_down(const struct web_page *page, struct plot_bar *bars, const char *unit)
{
    for (size_t i = 0; i < page->report->n_trend; i++) {
        struct buf room = room_of(bars[i].text, sizeof(bars[i].text));
        char value[sizeof(bars[i].value)];

        web_month_short(&room, page->report->trend[i].month_s);
        memcpy(value, bars[i].value, sizeof(value));
        room = room_of(bars[i].value, sizeof(bars[i].value));
        buf_printf(&room, bars[i].dim ? "%s" : "%s %s", value, unit);
    }
}

void web_trend_plot(const struct web_page *page)
{
    const struct period_report *report = page->report;
    struct plot_bar *bars = calloc(report->n_trend + 1, sizeof(*bars));
    struct scale scale = trend_scale(page);
    char axis[48];
    struct buf desc, room = room_of(axis, sizeof(axis));
    struct plot plot = {
        .id = "plot-trend", .bars = bars, .count = report->n_trend, .axis = axis,
        .title = page->grams ? "Emissions, month by month" : "Energy, month by month",
        .series = page->grams ? trend_series : energy_series,
        .n_series = page->grams ? (page->hardware ? 4 : 3) : 1,
        .axis_size = scale.unit->size / (page->grams ? UG_PER_MG : 1),
    };

    buf_printf(&room, page->grams ? "%s CO₂e a month" : "%s a month", scale.unit->name);
    buf_init(&desc);
    for (size_t i = 0; bars && i < report->n_trend; i++)
        month_bar(page, &report->trend[i], i == 0, &scale, &bars[i]);
    if (bars && report->n_trend > 0) {
        buf_printf(&desc, "In %s: ", axis);
        describe_bars(&desc, bars, report->n_trend);
        buf_printf(&desc, ". The table of months has the parts.");
        plot.desc = desc.data ? desc.data : "";
        plot_standing(page->buf, &plot, false);
        lay_down(page, bars, scale.unit->name);
        plot_lying(page->buf, &plot, true);
    }
    page->buf->failed |= !bars || buf_failed(&desc);
    buf_free(&desc);
    free(bars);
}
