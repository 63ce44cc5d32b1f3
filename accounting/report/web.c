#include "config.h"

#include "report/web.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/month.h"

/* --- the headline ----------------------------------------------------------------------------- */

/* A round amount as people say it: the unit in smaller letters. */
static void write_total(const struct web_page *page)
{
    const struct scale *scale = page->grams ? &page->mass : &page->energy;
    bool something = page->grams ? page->report->total_mg > 0 : page->report->counted_mj > 0;

    buf_printf(page->buf, "<p class=\"total\">");
    scale_write(page->buf, scale, page->grams ? page->total_ticks : page->energy_ticks[4],
                something);
    buf_printf(page->buf, " <span>%s%s</span></p>\n", scale->unit->name,
               page->grams ? " CO₂e" : " of electricity");
}

/* "Between 28.1 and 36.0 t" */
static void write_low_high(const struct web_page *page)
{
    const struct range_mg *total = &page->report->total;
    struct scale scale = scale_of(mass_units, NULL, (double)total->high * 1000);

    buf_printf(page->buf, "Between ");
    scale_write(page->buf, &scale, scale_ticks(&scale, (double)total->low * 1000), false);
    buf_printf(page->buf, " and ");
    scale_write(page->buf, &scale, scale_ticks(&scale, (double)total->high * 1000), false);
    buf_printf(page->buf, " %s, as published figures for making the hardware differ.",
               scale.unit->name);
}

static void write_range(const struct web_page *page)
{
    const struct range_mg *total = &page->report->total;

    buf_printf(page->buf, "<p class=\"range\">");
    if (!page->grams) {
        buf_printf(page->buf, "What that emitted is not known: no grid zone is set.");
        if (page->hardware) {
            buf_printf(page->buf, " Making the hardware: ");
            web_mass(page->buf, (double)page->report->total_mg);
            buf_printf(page->buf, " CO₂e for this period.");
        }
    } else if (!page->hardware) {
        buf_printf(page->buf, "Electricity alone: making the machines is not in it, as there is no "
                   "inventory of them.");
    } else if (total->low < total->high) {
        write_low_high(page);
    } else {
        buf_printf(page->buf, "Electricity and making of the machines.");
    }
    buf_printf(page->buf, "</p>\n");
}

static int compare_parts(const void *va, const void *vb)
{
    const struct web_part *a = va, *b = vb;

    if (a->amount != b->amount)
        return a->amount > b->amount ? -1 : 1;
    return strcmp(a->name, b->name);
}

#define SAID_PARTS 3 /* more than three numbers in a sentence are not read */

/* "Of every 100 kg, 48 came from …, 17 from … and 35 from everything else." */
static void write_sentence(const struct web_page *page)
{
    struct web_part parts[WEB_PARTS_MAX];
    size_t said = page->n_parts <= SAID_PARTS + 1 ? page->n_parts : SAID_PARTS;
    bool kilos = page->report->total_mg >= UINT64_C(100000000);
    unsigned long long rest = 100;

    if (page->n_parts == 0) {
        buf_printf(page->buf, "<p class=\"lead\">No energy was counted in this period%s.</p>\n",
                   page->hardware ? ", and no hardware was in service" : "");
        return;
    }
    memcpy(parts, page->parts, sizeof(parts));
    qsort(parts, page->n_parts, sizeof(*parts), compare_parts);
    buf_printf(page->buf, "<p class=\"lead\">Of every 100 %s, ",
               !page->grams ? page->energy.unit->name : kilos ? "kg" : "g");
    for (size_t i = 0; i < said; i++) {
        const char *glue = i == 0 ? "" : i + 1 == page->n_parts ? " and " : ", ";

        rest -= parts[i].percent;
        buf_printf(page->buf, "%s<b>%s%llu</b> %s %s", glue, parts[i].percent ? "" : "less than ",
                   (unsigned long long)(parts[i].percent ? parts[i].percent : 1),
                   i == 0 ? (page->grams ? "came from" : "went to") : page->grams ? "from" : "to",
                   parts[i].phrase);
    }
    if (said < page->n_parts)
        buf_printf(page->buf, " and <b>%llu</b> %s everything else", rest,
                   page->grams ? "from" : "to");
    buf_printf(page->buf, ".</p>\n");
}

/* --- tiles ------------------------------------------------------------------------------------ */

static void tile_energy(const struct web_page *page)
{
    unsigned long long jobs = page->report->jobs.jobs;

    buf_printf(page->buf, "<li><b>");
    if (page->grams) {
        web_energy(page->buf, (double)page->report->counted_mj);
        buf_printf(page->buf, "</b><span>electricity of the machines, %llu %s</span></li>\n", jobs,
                   jobs == 1 ? "job" : "jobs");
    } else {
        buf_printf(page->buf, "%llu</b><span>%s</span></li>\n", jobs, jobs == 1 ? "job" : "jobs");
    }
}

/* "+12 %", to at most three figures */
static void write_change(struct buf *buf, double now, double before)
{
    double percent = (now - before) / before * 100;
    double size = percent < 0 ? -percent : percent;

    if (size < 0.05)
        buf_printf(buf, "the same");
    else
        buf_printf(buf, size < 9.95 ? "%s%.1f %%" : "%s%.0f %%", percent < 0 ? "−" : "+", size);
}

static double month_amount(const struct web_page *page, const struct report_month *month)
{
    return (double)(page->grams ? month->total_mg : month->counted_mj);
}

static void write_amount(const struct web_page *page, double amount)
{
    if (page->grams)
        web_mass(page->buf, amount);
    else
        web_energy(page->buf, amount);
}

static void tile_change(const struct web_page *page, double now, double before, const char *label)
{
    buf_printf(page->buf, "<li><b>");
    write_change(page->buf, now, before);
    buf_printf(page->buf, "</b><span>against %s (", label);
    write_amount(page, before);
    buf_printf(page->buf, ")</span></li>\n");
}

/* Against the month before, and the mean of the twelve before: of whole months alone, and of those
   with energy (before the first meter there is hardware alone). */
static void tiles_trend(const struct web_page *page)
{
    const struct period_report *report = page->report;
    size_t last = report->n_trend - 1, known = 0;
    double now, sum = 0;
    char label[64];
    struct buf room;

    if (!page->is_month || report->so_far || report->n_trend < 2 ||
        report->trend[last].month_s != report->period.from_s)
        return;
    now = month_amount(page, &report->trend[last]);
    for (size_t i = 0; i < last; i++) {
        known += report->trend[i].counted_mj > 0;
        sum += report->trend[i].counted_mj > 0 ? month_amount(page, &report->trend[i]) : 0;
    }
    if (now > 0 && report->trend[last - 1].counted_mj > 0 &&
        month_amount(page, &report->trend[last - 1]) > 0) {
        int year, month, day;

        month_parts(report->trend[last - 1].month_s, &year, &month, &day);
        tile_change(page, now, month_amount(page, &report->trend[last - 1]), month_names[month]);
    }
    if (now <= 0 || known < 2 || sum <= 0)
        return;
    buf_init_fixed(&room, label, sizeof(label));
    if (known == 12)
        buf_printf(&room, "the mean of the 12 months before");
    else
        buf_printf(&room, "the mean of the %zu months known before", known);
    tile_change(page, now, sum / (double)known, label);
}

/* How much of the machines jobs held: free ones emit for nothing. */
static void tile_held(const struct web_page *page)
{
    uint64_t used_ms[POOL_COUNT] = { 0 }, available_ms[POOL_COUNT] = { 0 };
    enum pool_kind pool;

    for (size_t i = 0; i < page->report->n_types; i++) {
        const struct report_type *type = &page->report->types[i];

        if (type->available_ms > 0) {
            used_ms[type->pool] += type->used_ms;
            available_ms[type->pool] += type->available_ms;
        }
    }
    pool = available_ms[POOL_GPU] > 0 ? POOL_GPU : POOL_CPU;
    if (available_ms[pool] == 0)
        return;
    buf_printf(page->buf, "<li><b>");
    buf_printf(page->buf, "%.0f %%",
               (double)used_ms[pool] / (double)available_ms[pool] * 100);
    buf_printf(page->buf, "</b><span>of the %s in service were held by jobs</span></li>\n",
               pool == POOL_GPU ? "GPU-hours" : "core-hours");
}

static void write_header(struct web_page *page)
{
    struct buf *buf = page->buf;

    buf_printf(buf, "<header>\n<h1>Carbon report of cluster ");
    html_name(buf, page->report->period.cluster);
    buf_printf(buf, ", %s</h1>\n", page->period);
    write_total(page);
    write_range(page);
    write_sentence(page);
    buf_printf(buf, "<ul class=\"tiles\">\n");
    tile_energy(page);
    tiles_trend(page);
    tile_held(page);
    buf_printf(buf, "</ul>\n");
    if (page->n_notes > 0)
        buf_printf(buf, "<p class=\"notice\"><a href=\"#notes\">%zu %s to know</a> about these "
                   "figures, at the end of this page.</p>\n", page->n_notes,
                   page->n_notes == 1 ? "thing" : "things");
    buf_printf(buf, "</header>\n");
}

/* --- the page --------------------------------------------------------------------------------- */

static void section(struct buf *buf, const char *id, const char *title)
{
    buf_printf(buf, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, title);
}

static void section_end(struct buf *buf)
{
    buf_printf(buf, "</section>\n");
}

static void figure(const struct web_page *page, void (*plot)(const struct web_page *page),
                   const char *caption)
{
    buf_printf(page->buf, "<figure>\n<figcaption>%s</figcaption>\n", caption);
    plot(page);
    buf_printf(page->buf, "</figure>\n");
}

static void write_nav(const struct web_page *page)
{
    struct buf *buf = page->buf;

    buf_printf(buf,
               "<nav aria-label=\"On this page\">\n<ul>\n"
               "<li><a href=\"#made-of\">What it is made of</a></li>\n"
               "<li><a href=\"#who\">Accounts</a></li>\n"
               "%s"
               "<li><a href=\"#when\">Days</a></li>\n"
               "<li><a href=\"#trend\">Months</a></li>\n"
               "<li><a href=\"#tables\">Tables</a></li>\n"
               "<li><a href=\"#balance\">Balance</a></li>\n"
               "<li><a href=\"#method\">Method</a></li>\n"
               "</ul>\n</nav>\n",
               page->report->budgets.count > 0
               ? "<li><a href=\"#budgets\">Budgets</a></li>\n" : "");
}

static void write_parts(const struct web_page *page)
{
    section(page->buf, "made-of", "What it is made of");
    if (page->n_parts > 0)
        figure(page, web_parts_plot,
               !page->grams ? "Energy only: no grid zone is set, so that it cannot be told in "
                              "grams."
               : page->hardware ? "Electricity is emitted by power stations while the machines run "
                                  "(operational emissions); hardware is what making the machines "
                                  "emitted, spread over their lifetime (embodied emissions)."
                                : "Electricity alone: what making the machines emitted is not "
                                  "known.");
    web_parts_table(page);
    section_end(page->buf);
}

static void write_who(const struct web_page *page)
{
    section(page->buf, "who", "By account");
    if (page->report->accounts.count == 0)
        buf_printf(page->buf, "<p>No jobs ran in this period.</p>\n");
    else
        figure(page, web_accounts_plot,
               "What each account’s own jobs took; what no job held is not in it.");
    section_end(page->buf);
}

/* Only where accounts have budgets. */
static void write_budgets(const struct web_page *page)
{
    if (page->report->budgets.count == 0)
        return;
    section(page->buf, "budgets", "Budgets");
    web_budgets(page);
    section_end(page->buf);
}

static bool has_empty_day(const struct period_report *report)
{
    for (size_t i = 0; i < report->n_days; i++) {
        if (report->days[i].counted_mj == 0)
            return true;
    }
    return false;
}

static void write_when(const struct web_page *page)
{
    const struct period_report *report = page->report;
    char caption[320];
    struct buf room;

    section(page->buf, "when", "Day by day");
    buf_init_fixed(&room, caption, sizeof(caption));
    buf_printf(&room, !page->grams ? "Electricity of all machines."
               : report->annual_hours < report->hours
               ? "Electricity of all machines, and how much each kilowatt-hour of it emitted that "
                 "day: work done while the line is low emits less."
               : "Electricity of all machines. The line is flat, as no hourly grid intensity is "
                 "known: it is the zone’s value of a whole year.");
    if (has_empty_day(report))
        buf_printf(&room, " A day without a column has no figures.");
    if (report->counted_mj == 0)
        buf_printf(page->buf, "<p>No energy was counted in this period.</p>\n");
    else if (report->n_days > 1)
        figure(page, web_days_plot, caption);
    else
        buf_printf(page->buf, "<p>The period is one day; its figures are in the table of days."
                   "</p>\n");
    section_end(page->buf);
}

/* What a reader of the months must know. */
static void describe_trend(const struct web_page *page, struct buf *caption)
{
    bool hole = false, unmetered = false;

    for (size_t i = 0; i < page->report->n_trend; i++) {
        const struct report_month *month = &page->report->trend[i];

        hole |= !month->has;
        unmetered |= month->has && month->counted_mj == 0;
    }
    buf_printf(caption, "The twelve months before, by the same factors.");
    if (page->report->so_far)
        buf_printf(caption, " The last month goes on; its column will grow.");
    if (hole)
        buf_printf(caption, " A dash stands for a month without figures.");
    if (unmetered && page->grams)
        buf_printf(caption, " A column of hardware alone is a month whose energy was not "
                            "recorded.");
}

static void write_trend(const struct web_page *page)
{
    char text[320];
    struct buf caption;
    bool any = false;

    for (size_t i = 0; i < page->report->n_trend; i++)
        any |= month_amount(page, &page->report->trend[i]) > 0;
    section(page->buf, "trend", "Month by month");
    buf_init_fixed(&caption, text, sizeof(text));
    describe_trend(page, &caption);
    if (any)
        figure(page, web_trend_plot, text);
    else
        buf_printf(page->buf, "<p>No month has figures yet.</p>\n");
    section_end(page->buf);
}

static void write_books(const struct web_page *page)
{
    struct buf *buf = page->buf;

    section(buf, "tables", "Tables");
    web_tables(page);
    section_end(buf);
    section(buf, "protocol-title", "Greenhouse Gas Protocol");
    web_protocol(page);
    section_end(buf);
    section(buf, "hardware", "Hardware");
    web_hardware(page);
    section_end(buf);
    section(buf, "balance", "The balance");
    buf_printf(buf, "<p>Nothing is lost and nothing counted twice: the parts add up to the total. "
               "That was checked to the last milligram before this page was written; here they are "
               "rounded so that they still add up.</p>\n<div class=\"pair\">\n");
    web_balance_tables(page);
    buf_printf(buf, "</div>\n");
    section_end(buf);
}

static void write_head(const struct web_page *page)
{
    buf_printf(page->buf,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\"/>\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'\"/>\n<title>Carbon report of cluster ");
    html_text(page->buf, page->report->period.cluster);
    buf_printf(page->buf, ", %s</title>\n<style>\n%s</style>\n</head>\n<body>\n%s", page->period,
               web_style, web_patterns);
}

static void write_page(struct web_page *page, const struct buf *notes)
{
    struct buf *buf = page->buf;

    write_head(page);
    write_header(page);
    buf_printf(buf, "<main>\n");
    write_nav(page);
    write_parts(page);
    write_who(page);
    write_budgets(page);
    write_when(page);
    write_trend(page);
    write_books(page);
    section(buf, "method", "How these figures were made");
    web_method(page);
    section_end(buf);
    section(buf, "notes", "What to know about these figures");
    if (notes->len > 0)
        buf_printf(buf, "<ul>\n%s</ul>\n", notes->data);
    else
        buf_printf(buf, "<p>Nothing stands against them: every node reported, every hour has its "
                   "grid intensity.</p>\n");
    section_end(buf);
    buf_printf(buf, "</main>\n<footer>\n<p>" PACKAGE_NAME " " PACKAGE_VERSION
               ". Figures have at most three significant digits: no sensor knows more.</p>\n"
               "</footer>\n</body>\n</html>\n");
}

int period_report_html(const struct period_report *report, struct buf *buf, struct error *err)
{
    struct web_page page = { .report = report, .buf = buf };
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before;
    struct buf notes;

    if (plain == (locale_t)0)
        return error_set_errno(err, -ENOMEM, "cannot write the report as HTML");
    before = uselocale(plain); /* numbers have points, whatever the reader's language */
    buf_init(&notes);
    web_figures(&page);
    web_notes(&page, &notes);
    write_page(&page, &notes);
    buf->failed |= buf_failed(&notes);
    buf_free(&notes);
    uselocale(before);
    freelocale(plain);
    return buf_failed(buf) ? error_set_errno(err, -ENOMEM, "cannot write the report as HTML") : 0;
}
