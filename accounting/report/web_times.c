#include "config.h"

#include "report/web.h"

#include <string.h>

#include "core/apportion.h"
#include "report/html.h"
#include "report/month.h"

#define UG_PER_MG 1000.0

/* --- days ------------------------------------------------------------------------------------- */

static void day_row(const struct web_page *page, const struct report_day *day,
                    const struct scale *energy, const struct scale *mass)
{
    struct buf *buf = page->buf;

    int year, month, number;

    month_parts(day->day_s, &year, &month, &number);
    buf_printf(buf, "<tr><th scope=\"row\" class=\"when\">%d %.3s %d</th>", number,
               month_names[month], year);
    html_ticks(buf, energy, scale_ticks(energy, (double)day->counted_mj), day->counted_mj > 0);
    if (page->grams) {
        html_ticks(buf, mass, scale_ticks(mass, (double)day->operational_mg * UG_PER_MG),
                   day->operational_mg > 0);
        buf_printf(buf, "<td class=\"n\">");
        if (day->ug_per_kwh > 0)
            format_number(buf, (double)day->ug_per_kwh / 1e6);
        else
            buf_printf(buf, "–");
        buf_printf(buf, "</td>");
        html_count(buf, day->annual_hours);
    }
    html_count(buf, day->hours);
    web_row_end(buf);
}

void web_days_table(const struct web_page *page)
{
    const struct period_report *report = page->report;
    double most_mj = 0, most_mg = 0;
    struct scale energy, mass;
    char unit[WEB_UNIT_SIZE];

    if (report->n_days == 0)
        return;
    for (size_t i = 0; i < report->n_days; i++) {
        double mj = (double)report->days[i].counted_mj;
        double mg = (double)report->days[i].operational_mg;

        most_mj = mj > most_mj ? mj : most_mj;
        most_mg = mg > most_mg ? mg : most_mg;
    }
    energy = scale_of(energy_units, NULL, most_mj);
    mass = scale_of(mass_units, NULL, most_mg * UG_PER_MG);
    web_mass_unit(unit, &mass);
    const struct html_column columns[] = {
        { "Day (UTC)", NULL, false }, { "Energy", energy.unit->name, true },
        { page->grams ? "Electricity" : NULL, unit, true },
        { page->grams ? "Grid intensity" : NULL, "g CO₂e/kWh", true },
        { page->grams ? "Hours at annual value" : NULL, NULL, true },
        { "Hours with energy", NULL, true },
    };

    html_table_begin(page->buf, "days", "Days",
                     page->grams ? "Grid intensity is the mean over the day’s energy." : NULL,
                     columns, sizeof(columns) / sizeof(*columns), report->n_days > 31);
    for (size_t i = 0; i < report->n_days; i++)
        day_row(page, &report->days[i], &energy, &mass);
    html_table_end(page->buf, false);
}

/* --- months ----------------------------------------------------------------------------------- */

/* The page has rounded this one's parts already: they are the same to the last digit. */
static bool is_this_month(const struct web_page *page, const struct report_month *month,
                          const struct scale *mass)
{
    return page->is_month && month->month_s == page->report->period.from_s &&
           month->total_mg == page->report->total_mg && page->report->jobs.spread_mg == 0 &&
           mass->unit == page->mass.unit && mass->decimals == page->mass.decimals;
}

/* As a period's: operation by itself, hardware what it lacks to the total. */
static void month_parts_of(const struct scale *mass, const struct report_month *month,
                           const uint64_t weights[4], uint64_t parts[4])
{
    double operation_ug = (double)(weights[0] + weights[1] + weights[2]) * UG_PER_MG;
    uint64_t ticks = scale_split(mass, operation_ug, (double)month->total_mg * UG_PER_MG,
                                 &parts[3]);

    (void)apportion(ticks, weights, 3, parts);
}

static void month_masses(const struct web_page *page, const struct report_month *month,
                         const struct scale *mass)
{
    uint64_t weights[] = { month->active_mg + month->idle_mg,
                           month->system_mg + month->unallocated_mg, month->overhead_mg,
                           month->embodied.central };
    uint64_t ticks = scale_ticks(mass, (double)month->total_mg * UG_PER_MG), parts[4];
    size_t count = page->hardware ? 4 : 3;

    if (is_this_month(page, month, mass))
        memcpy(parts, page->month, sizeof(parts));
    else
        month_parts_of(mass, month, weights, parts);
    for (size_t i = 0; i < count; i++)
        html_ticks(page->buf, mass, parts[i], weights[i] > 0);
    html_ticks(page->buf, mass, ticks, month->total_mg > 0);
}

static void month_row(const struct web_page *page, const struct report_month *month,
                      const struct scale *energy, const struct scale *mass)
{
    struct buf *buf = page->buf;

    buf_printf(buf, "<tr><th scope=\"row\" class=\"when\">");
    web_month_short(buf, month->month_s);
    buf_printf(buf, "</th>");
    if (!month->has) {
        buf_printf(buf, "<td colspan=\"%d\">no figures</td>",
                   page->grams ? (page->hardware ? 7 : 6) : 2);
        web_row_end(buf);
        return;
    }
    html_ticks(buf, energy, scale_ticks(energy, (double)month->counted_mj),
               month->counted_mj > 0);
    html_percent(buf, month->measured_mj, month->counted_mj);
    if (page->grams)
        month_masses(page, month, mass);
    web_row_end(buf);
}

void web_months_table(const struct web_page *page)
{
    const struct period_report *report = page->report;
    double most_mj = 0, most_mg = 0;
    struct scale energy, mass;
    char unit[WEB_UNIT_SIZE];

    if (report->n_trend == 0)
        return;
    for (size_t i = 0; i < report->n_trend; i++) {
        double mj = (double)report->trend[i].counted_mj;
        double mg = (double)report->trend[i].total_mg;

        most_mj = mj > most_mj ? mj : most_mj;
        most_mg = mg > most_mg ? mg : most_mg;
    }
    energy = scale_of(energy_units, NULL, most_mj);
    mass = scale_of(mass_units, NULL, most_mg * UG_PER_MG);
    web_mass_unit(unit, &mass);
    const struct html_column columns[] = {
        { "Month (UTC)", NULL, false }, { "Energy", energy.unit->name, true },
        { "Measured", NULL, true },
        { page->grams ? "Electricity of jobs" : NULL, unit, true },
        { page->grams ? "Free machines, system" : NULL, unit, true },
        { page->grams ? "Cooling and power supply" : NULL, unit, true },
        { page->grams && page->hardware ? "Hardware" : NULL, unit, true },
        { page->grams ? "Total" : NULL, unit, true },
    };

    html_table_begin(page->buf, "months", "Months", NULL, columns,
                     sizeof(columns) / sizeof(*columns), false);
    for (size_t i = 0; i < report->n_trend; i++)
        month_row(page, &report->trend[i], &energy, &mass);
    html_table_end(page->buf, false);
}
