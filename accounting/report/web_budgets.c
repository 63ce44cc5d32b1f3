#include "config.h"

#include "report/web.h"

#include "core/clock.h"
#include "report/html.h"

#define BAR_WIDTH 72.0
#define BAR_HEIGHT 12

/* --- one line --------------------------------------------------------------------------------- */

static void write_number(struct buf *buf, const struct budget_use *use,
                         void (*write)(const struct budget_use *use, struct buf *buf))
{
    char text[64];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    write(use, &room);
    html_text(buf, text);
}

static void number_cell(struct buf *buf, const struct budget_use *use,
                        void (*write)(const struct budget_use *use, struct buf *buf))
{
    buf_printf(buf, "<td class=\"n\">");
    write_number(buf, use, write);
    buf_printf(buf, "</td>");
}

/* The budget as a frame, what was used in it; beyond it in dark, with a mark where it ended. */
static void write_bar(struct buf *buf, const struct budget_use *use)
{
    double amount = (double)budget_amount(use->budget), used = (double)budget_used(use);
    double whole = used > amount ? used : amount, end = amount / whole * BAR_WIDTH;
    double within = (used > amount ? amount : used) / whole * BAR_WIDTH;

    buf_printf(buf, "<svg width=\"%.0f\" height=\"%d\" aria-hidden=\"true\" "
               "focusable=\"false\">", BAR_WIDTH + 2, BAR_HEIGHT + 2);
    if (within > 0)
        buf_printf(buf, "<rect class=\"p-day\" x=\"1\" y=\"1\" width=\"%.1f\" height=\"%d\"/>",
                   within, BAR_HEIGHT);
    if (used > amount)
        buf_printf(buf, "<rect class=\"p-active\" x=\"%.1f\" y=\"1\" width=\"%.1f\" "
                   "height=\"%d\"/>", 1 + end, BAR_WIDTH - end, BAR_HEIGHT);
    buf_printf(buf, "<rect class=\"bracket\" x=\"1\" y=\"1\" width=\"%.1f\" height=\"%d\"/>"
               "</svg>", end, BAR_HEIGHT);
}

static void percent_cell(struct buf *buf, const struct budget_use *use)
{
    buf_printf(buf, "<td class=\"n\">");
    write_bar(buf, use);
    buf_printf(buf, " ");
    write_number(buf, use, budget_write_percent);
    buf_printf(buf, "%s</td>", budget_used_is_known(use) ? " %" : "");
}

static void row(struct buf *buf, const struct budget_use *use)
{
    buf_printf(buf, "<tr><th scope=\"row\">");
    html_name(buf, use->budget->account);
    buf_printf(buf, " <span class=\"term when\">%s</span>", use->label);
    buf_printf(buf, "</th>");
    number_cell(buf, use, budget_write_amount);
    number_cell(buf, use, budget_write_used);
    percent_cell(buf, use);
    number_cell(buf, use, budget_write_left);
    html_percent(buf, use->measured_mj, use->energy_mj);
    html_percent(buf, use->metered_ms, use->elapsed_ms);
    web_row_end(buf);
}

/* --- the section ------------------------------------------------------------------------------ */

static void describe(const struct budget_uses *budgets, struct buf *text)
{
    bool uncovered = false, lacks = false;

    buf_printf(text, "What all jobs of the account and of those below it used up to ");
    web_day(text, budgets->uses[0].to_s);
    buf_printf(text, " UTC. Masses are total emissions, electricity and hardware; energy is at the "
               "meter.");
    if (budget_uses_begin_late(budgets)) {
        buf_printf(text, " What was used before the books began, ");
        web_day(text, budgets->books_from_s);
        buf_printf(text, ", is in no figure.");
    }
    for (size_t i = 0; i < budgets->count; i++) {
        uncovered |= budgets->uses[i].metered_ms < budgets->uses[i].elapsed_ms;
        lacks |= budget_used_lacks(&budgets->uses[i]);
    }
    if (uncovered)
        buf_printf(text, " What was drawn in time that is not covered is unknown: more was used.");
    if (lacks)
        buf_printf(text, " With &gt;, a part of hardware is not known: more was used.");
}

static void remark(struct buf *buf, const struct budget_use *use, const char *words,
                   const char *why)
{
    buf_printf(buf, "<p>");
    html_name(buf, use->budget->account);
    buf_printf(buf, ": %s", words);
    html_text(buf, why);
    buf_printf(buf, "</p>\n");
}

/* Below the table: in a row they would have the width of a name. */
static void write_remarks(struct buf *buf, const struct budget_uses *budgets)
{
    for (size_t i = 0; i < budgets->count; i++) {
        const struct budget_use *use = &budgets->uses[i];

        if (!use->is_known)
            remark(buf, use, "no job, and no account of the inventory, has this name: is it "
                   "spelled as in Slurm?", "");
        if (!budget_used_is_known(use))
            remark(buf, use, "emissions unknown: ", budget_why_unknown(use));
    }
}

void web_budgets(const struct web_page *page)
{
    static const struct html_column columns[] = {
        { "Account, period", NULL, false }, { "Budget", NULL, true },
        { "Used", NULL, true }, { "Of budget", NULL, true },
        { "Left", NULL, true }, { "Measured", "of energy", true },
        { "Covered", "of time", true },
    };
    const struct budget_uses *budgets = &page->report->budgets;
    struct buf about;

    buf_init(&about);
    describe(budgets, &about);
    html_table_begin(page->buf, "budget-list", "Budgets of accounts", about.data ? about.data : "",
                     columns, sizeof(columns) / sizeof(*columns), budgets->count > 24);
    for (size_t i = 0; i < budgets->count; i++)
        row(page->buf, &budgets->uses[i]);
    html_table_end(page->buf, false);
    write_remarks(page->buf, budgets);
    page->buf->failed |= buf_failed(&about);
    buf_free(&about);
}
