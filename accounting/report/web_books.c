#include "config.h"

#include "report/web.h"

#include <string.h>

#include "report/html.h"

#define UG_PER_MG 1000.0
#define H_PER_YEAR 8760.0

/* --- Greenhouse Gas Protocol ------------------------------------------------------------------ */

static void protocol_row(struct buf *buf, const char *name, const char *meaning)
{
    buf_printf(buf, "<tr><th scope=\"row\">%s<span class=\"about\">%s</span></th>"
               "<td class=\"n amount\">", name, meaning);
}

static void protocol_end(struct buf *buf)
{
    buf_printf(buf, "</td></tr>\n");
}

void web_protocol(const struct web_page *page)
{
    static const struct html_column columns[] = {
        { "Line", NULL, false }, { "Amount", "CO₂e", true },
    };
    const struct period_report *report = page->report;
    const struct web_balance *balance = &page->balance;
    struct buf *buf = page->buf;

    html_table_begin(buf, "protocol", "Lines for an organisation’s inventory", NULL, columns, 2,
                     false);
    protocol_row(buf, "Scope 2, location-based", "All electricity of this page, at the intensity "
                 "of the grid. It is in the total.");
    if (page->grams) {
        scale_write(buf, &page->mass,
                    balance->jobs_electricity + balance->system + balance->unallocated, false);
        buf_printf(buf, " %s", page->mass.unit->name);
    } else {
        buf_printf(buf, "unknown");
    }
    protocol_end(buf);
    protocol_row(buf, "Scope 2, market-based", "The same electricity, at the intensity of the "
                 "contract for it. Another view of the line above: the two are never added.");
    if (report->has_market)
        web_mass(buf, (double)report->scope2_market_mg);
    else
        buf_printf(buf, "no contract is given for the whole period");
    protocol_end(buf);
    protocol_row(buf, "Scope 3 category 2, acquired in this period", "Hardware put into service "
                 "in this period, in full. <strong>Do not add</strong> it to the total, which "
                 "spreads the making of hardware over its lifetime.");
    if (page->hardware)
        web_mass(buf, (double)report->embodied.acquired.central);
    else
        buf_printf(buf, "unknown");
    protocol_end(buf);
    html_table_end(buf, false);
}

/* --- assets ----------------------------------------------------------------------------------- */

static void write_range(struct buf *buf, const struct scale *scale, const struct range_mg *range)
{
    scale_write(buf, scale, scale_ticks(scale, (double)range->low * UG_PER_MG), false);
    buf_printf(buf, " to ");
    scale_write(buf, scale, scale_ticks(scale, (double)range->high * UG_PER_MG), false);
}

static void asset_name(const struct web_page *page, const struct asset_part *part)
{
    struct buf *buf = page->buf;

    buf_printf(buf, "<tr><th scope=\"row\">");
    html_name(buf, part->asset->name);
    if (part->type >= 0) {
        buf_printf(buf, " <span class=\"term\">of ");
        html_name(buf, page->report->basis->inventory.types[part->type].name);
        buf_printf(buf, "</span>");
    }
    buf_printf(buf, "<span class=\"about\">");
    if (part->written_off.central > 0) {
        buf_printf(buf, "Retired early: ");
        web_mass(buf, (double)part->written_off.central);
        buf_printf(buf, " written off. ");
    }
    if (part->amortised_pieces > 0)
        buf_printf(buf, "%llu past the end of their life, at no emissions. ",
                   (unsigned long long)part->amortised_pieces);
    html_text(buf, part->asset->source);
    buf_printf(buf, "</span></th><td>%s</td>", asset_class_names[part->asset->class]);
}

static void asset_amounts(const struct web_page *page, const struct asset_part *part,
                          const struct scale *scale)
{
    struct buf *buf = page->buf;

    html_count(buf, part->pieces);
    buf_printf(buf, "<td class=\"n\">");
    web_mass(buf, (double)part->asset->central_mg);
    buf_printf(buf, "</td><td class=\"n\">");
    buf_printf(buf, "%.3g years</td>", (double)part->asset->lifetime_h / H_PER_YEAR);
    html_ticks(buf, scale, scale_ticks(scale, (double)part->amount.central * UG_PER_MG),
               part->amount.central > 0);
    buf_printf(buf, "<td class=\"n\">");
    write_range(buf, scale, &part->amount);
    buf_printf(buf, "</td>");
}

static void asset_row(const struct web_page *page, const struct asset_part *part,
                      const struct scale *scale)
{
    struct buf *buf = page->buf;

    asset_name(page, part);
    asset_amounts(page, part, scale);
    buf_printf(buf, "<td class=\"n\">");
    if (part->acquired.central > 0)
        web_mass(buf, (double)part->acquired.central);
    else
        buf_printf(buf, "–");
    buf_printf(buf, "</td></tr>\n");
}

void web_hardware(const struct web_page *page)
{
    const struct embodied_period *embodied = &page->report->embodied;
    uint64_t most_mg = 0;
    struct scale scale;
    char unit[WEB_UNIT_SIZE];

    if (!page->hardware) {
        buf_printf(page->buf, "<p>Not known: the factor set has no inventory of the machines "
                   "(inventory.conf). The total leaves out what making them emitted; that is not "
                   "nothing.</p>\n");
        return;
    }
    for (size_t i = 0; i < embodied->n_parts; i++)
        most_mg = embodied->parts[i].amount.central > most_mg ? embodied->parts[i].amount.central
                                                              : most_mg;
    scale = scale_of(mass_units, NULL, (double)most_mg * UG_PER_MG);
    web_mass_unit(unit, &scale);
    const struct html_column columns[] = {
        { "Asset", NULL, false }, { "Counted with", NULL, false }, { "Pieces", NULL, true },
        { "Making one", "CO₂e", true }, { "Lifetime", NULL, true }, { "This period", unit, true },
        { "Low to high", unit, true }, { "Acquired", "do not add", true },
    };

    html_table_begin(page->buf, "assets", "Assets",
                     "Making one piece, spread evenly over its lifetime.", columns,
                     sizeof(columns) / sizeof(*columns), embodied->n_parts > 16);
    for (size_t i = 0; i < embodied->n_parts; i++)
        asset_row(page, &embodied->parts[i], &scale);
    html_table_end(page->buf, false);
}

/* --- the closing balance ---------------------------------------------------------------------- */

static void balance_row(const struct web_page *page, const struct scale *scale, const char *name,
                        uint64_t ticks, bool something, const char *sign)
{
    char text[64];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    scale_write(&room, scale, ticks, something);
    buf_printf(page->buf, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s", name, sign);
    html_text(page->buf, text);
    buf_printf(page->buf, "</td></tr>\n");
}

static void balance_energy(const struct web_page *page)
{
    const struct period_report *report = page->report;
    const struct scale *scale = &page->energy;
    const uint64_t *ticks = page->energy_ticks;
    const struct html_column columns[] = {
        { "Energy", NULL, false }, { "Amount", scale->unit->name, true },
    };

    html_table_begin(page->buf, "balance-energy", "Where the energy went", NULL, columns, 2,
                     false);
    balance_row(page, scale, "Jobs, active", ticks[0], report->active_mj > 0, "");
    balance_row(page, scale, "Jobs, idle draw", ticks[1], report->idle_mj > 0, "+ ");
    balance_row(page, scale, "System", ticks[2], report->system_mj > 0, "+ ");
    balance_row(page, scale, "Free machines", ticks[3], report->unallocated_mj > 0, "+ ");
    html_table_foot(page->buf);
    balance_row(page, scale, "Counted by the meters", ticks[4], report->counted_mj > 0, "= ");
    html_table_end(page->buf, true);
}

static void balance_hardware(const struct web_page *page)
{
    const struct period_report *report = page->report;
    const struct web_balance *balance = &page->balance;

    balance_row(page, &page->mass, "Hardware of jobs", balance->jobs_hardware,
                report->jobs.embodied.central > 0, page->grams ? "+ " : "");
    balance_row(page, &page->mass, "Hardware not in use", balance->free_hardware,
                report->unallocated_embodied.central > 0, "+ ");
    if (report->embodied.written_off.central > 0)
        balance_row(page, &page->mass, "Hardware retired early", balance->written_off, true, "+ ");
    if (report->recovery_mg < 0)
        balance_row(page, &page->mass, "Charged too little for hardware", balance->under, true,
                    "+ ");
    if (report->recovery_mg > 0)
        balance_row(page, &page->mass, "Charged too much for hardware", balance->over, true, "− ");
}

static void balance_mass(const struct web_page *page)
{
    const struct period_report *report = page->report;
    const struct web_balance *balance = &page->balance;
    char unit[WEB_UNIT_SIZE];
    const struct html_column columns[] = {
        { "Emissions", NULL, false }, { "Amount", unit, true },
    };

    web_mass_unit(unit, &page->mass);
    html_table_begin(page->buf, "balance-emissions", "Where the emissions belong",
                     page->grams ? "Electricity with its part of the building." : NULL, columns, 2,
                     false);
    if (page->grams) {
        balance_row(page, &page->mass, "Electricity of jobs", balance->jobs_electricity,
                    amounts_operational_mg(&report->jobs) > 0, "");
        balance_row(page, &page->mass, "Electricity of the system", balance->system,
                    report->system_mg + report->system_overhead_mg > 0, "+ ");
        balance_row(page, &page->mass, "Electricity of free machines", balance->unallocated,
                    report->unallocated_mg + report->unallocated_overhead_mg > 0, "+ ");
    }
    if (page->hardware)
        balance_hardware(page);
    html_table_foot(page->buf);
    balance_row(page, &page->mass,
                page->grams && page->hardware ? "The cluster’s total"
                : page->grams ? "The cluster’s electricity" : "The cluster’s hardware",
                page->total_ticks, report->total_mg > 0, "= ");
    html_table_end(page->buf, true);
}

void web_balance_tables(const struct web_page *page)
{
    balance_energy(page);
    if (page->grams || page->hardware)
        balance_mass(page);
}
