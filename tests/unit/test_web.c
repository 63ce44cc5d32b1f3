/*
 * The HTML page of a period report, of reports made by hand. With a folder as argument it writes
 * the samples' pages there instead, for a browser.
 */
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "report/html.h"
#include "report/svg.h"
#include "report/web.h"
#include "report_samples.h"

static struct sample sample;

static struct buf page_of(const char *name)
{
    struct error err = { "" };
    struct buf buf;

    buf_init(&buf);
    sample_make(name, &sample);
    if (period_report_html(&sample.report, &buf, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    return buf;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (text = strstr(text, what); text; text = strstr(text + strlen(what), what))
        count++;
    return count;
}

static bool has(const char *text, const char *what)
{
    return strstr(text, what) != NULL;
}

#define EACH_SAMPLE(name) \
    for (const char *const *at_ = sample_names, *name = *at_; name; name = *++at_)

/* --- markup ----------------------------------------------------------------------------------- */

#define DEPTH 64

/* Tags that are open, and how the page is left when one is read. */
struct reader {
    const char *name;
    char open[DEPTH][32];
    size_t depth;
};

/* At the '<' of a tag; returns what is behind it. Quoted attributes, ends that match begins. */
static const char *read_tag(struct reader *reader, const char *at)
{
    bool closes = at[1] == '/';
    const char *begin = at + 1 + closes, *end = begin;
    size_t len = strspn(begin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    if (len == 0 || len >= 32)
        fail_msg("%s: no tag: %.60s", reader->name, at);
    for (end = begin + len; *end && *end != '>'; end++) {
        if (*end == '<')
            fail_msg("%s: < in a tag: %.60s", reader->name, at);
        if (*end == '"')
            end = strchr(end + 1, '"');
        if (!end)
            fail_msg("%s: a quote stays open: %.60s", reader->name, at);
    }
    if (closes) {
        reader->depth--;
        if (strncmp(reader->open[reader->depth], begin, len) != 0 ||
            reader->open[reader->depth][len] != '\0')
            fail_msg("%s: </%s> is missing at %.60s", reader->name, reader->open[reader->depth],
                     at);
    } else if (end[-1] != '/') {
        assert_true(reader->depth < DEPTH);
        snprintf(reader->open[reader->depth++], 32, "%.*s", (int)len, begin);
    }
    return end + 1;
}

static void every_page_is_well_formed_xml(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);
        struct reader reader = { .name = name };
        const char *at = page.data + strlen("<!DOCTYPE html>");

        while (*at != '\0') {
            if (*at == '<')
                at = read_tag(&reader, at);
            else if (*at == '&' && strcspn(at, ";") > 6)
                fail_msg("%s: a bare &: %.40s", name, at);
            else if ((unsigned char)*at < 0x20 && *at != '\n')
                fail_msg("%s: a control character: %.40s", name, at);
            else
                at++;
        }
        assert_int_equal(reader.depth, 0);
        buf_free(&page);
    }
}

static void a_page_loads_nothing_and_runs_nothing(void **state)
{
    static const char *const banned[] = {
        "<script", "http://", "https://", "@import", "<link", "<img", "<iframe", "<object",
        "<video", "<audio", "<embed", "javascript:", "<base", "@font-face",
    };

    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);

        for (size_t i = 0; i < LENGTH(banned); i++) {
            if (has(page.data, banned[i]))
                fail_msg("%s has %s", name, banned[i]);
        }
        assert_int_equal(count_of(page.data, "url("), count_of(page.data, "url(#"));
        assert_int_equal(count_of(page.data, "<style"), 1);
        assert_true(has(page.data, "content=\"default-src 'none'; style-src 'unsafe-inline'\""));
        buf_free(&page);
    }
}

static void there_is_one_h1_and_no_level_is_skipped(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);
        int level = 0;

        for (const char *at = page.data; (at = strstr(at, "<h")) != NULL; at++) {
            if (at[2] < '1' || at[2] > '6' || (at[3] != '>' && at[3] != ' '))
                continue;
            if (at[2] - '0' > level + 1)
                fail_msg("%s: %.40s after h%d", name, at, level);
            level = at[2] - '0';
        }
        assert_int_equal(count_of(page.data, "<h1>"), 1);
        assert_true(has(page.data, "<html lang=\"en\">"));
        assert_int_equal(count_of(page.data, "<main>"), 1);
        assert_int_equal(count_of(page.data, "<header>"), 1);
        assert_int_equal(count_of(page.data, "<footer>"), 1);
        buf_free(&page);
    }
}

static void tables_have_captions_and_heads_with_a_scope(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);
        size_t tables = count_of(page.data, "<table ");

        assert_true(tables >= 4);
        assert_int_equal(count_of(page.data, "<caption "), tables);
        assert_int_equal(count_of(page.data, "<th "), count_of(page.data, "<th scope=\"col\"") +
                                                          count_of(page.data, "<th scope=\"row\""));
        assert_int_equal(count_of(page.data, "<th>"), 0);
        assert_int_equal(count_of(page.data, "tabindex=\"0\""), tables);
        buf_free(&page);
    }
}

static bool has_id(const char *page, const char *id, size_t len)
{
    char attribute[96];

    snprintf(attribute, sizeof(attribute), " id=\"%.*s\"", (int)len, id);
    return count_of(page, attribute) == 1;
}

static void whatever_names_an_id_finds_one_and_ids_are_unique(void **state)
{
    static const char *const refers[] = { "aria-labelledby=\"", "href=\"#", "url(#" };

    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);

        for (size_t i = 0; i < LENGTH(refers); i++) {
            for (const char *at = page.data; (at = strstr(at, refers[i])) != NULL;) {
                at += strlen(refers[i]);
                for (;;) {
                    size_t len = strcspn(at, " \")");

                    if (!has_id(page.data, at, len))
                        fail_msg("%s: no single id %.*s", name, (int)len, at);
                    at += len;
                    if (*at != ' ')
                        break;
                    at++;
                }
            }
        }
        for (const char *at = page.data; (at = strstr(at, " id=\"")) != NULL;) {
            at += strlen(" id=\"");
            if (!has_id(page.data, at, strcspn(at, "\"")))
                fail_msg("%s: the id %.30s is there twice", name, at);
        }
        buf_free(&page);
    }
}

static void every_plot_has_a_title_and_a_description(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);
        size_t plots = count_of(page.data, "<svg role=\"img\"");

        assert_int_equal(count_of(page.data, "<svg "),
                         plots + count_of(page.data, "aria-hidden=\"true\""));
        assert_int_equal(count_of(page.data, "<desc id="), plots);
        assert_int_equal(count_of(page.data, "<title id="), plots);
        assert_int_equal(count_of(page.data, "plot wide\""), count_of(page.data, "plot narrow\""));
        assert_int_equal(plots, strcmp(name, "zero") == 0 ? 0 : strcmp(name, "empty") == 0 ||
                                strcmp(name, "day") == 0 ? 6 : 8);
        buf_free(&page);
    }
}

/* --- text of others --------------------------------------------------------------------------- */

static void text_of_others_is_escaped(void **state)
{
    static const struct {
        const char *text, *html;
    } cases[] = {
        { "", "" },
        { NULL, "" },
        { "plain", "plain" },
        { "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;" },
        { "&lt;", "&amp;lt;" },
        { "a\nb\tc\033[0m\x7f", "a\\x0ab\\x09c\\x1b[0m\\x7f" },
        { "\xc2\x9b", "\\x9b" },
        { "\xe2\x80\xae \xe2\x80\x8b \xef\xbb\xbf", "\\u202e \\u200b \\ufeff" },
        { "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xc3", "\xef\xbf\xbd" },
        { "\xef\xbf\xbf", "\xef\xbf\xbd" },
        { "\xf0\x9f\xbf\xbe", "\xef\xbf\xbd" },
        { "z\xc3\xbcrich \xf0\x9f\x8c\x8d", "z\xc3\xbcrich \xf0\x9f\x8c\x8d" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct buf buf;

        buf_init(&buf);
        html_text(&buf, cases[i].text);
        ROW_HOLDS(i, strcmp(buf.data ? buf.data : "", cases[i].html) == 0);
        buf_free(&buf);
    }
}

static void hostile_names_stay_text_everywhere(void **state)
{
    struct buf page = page_of("hostile");

    (void)state;
    /* in the table of accounts, the descriptions and, cut, the plots */
    assert_true(count_of(page.data, "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;") >= 3);
    assert_true(has(page.data, "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;") ||
                has(page.data, "&lt;img"));
    assert_false(has(page.data, "<img"));
    assert_false(has(page.data, "</title><script"));
    assert_true(has(page.data, "esc\\x1b[31mred"));
    assert_true(has(page.data, "turned \\u202etxt.exe"));
    assert_true(has(page.data, "broken \xef\xbf\xbd\xef\xbf\xbd utf-8 \xef\xbf\xbd"));
    buf_free(&page);
}

static void a_cluster_with_a_hostile_name_has_a_page(void **state)
{
    struct buf buf;

    (void)state;
    sample_make("month", &sample);
    sample.report.period.cluster = "</title><b>&";
    buf_init(&buf);
    assert_int_equal(period_report_html(&sample.report, &buf, NULL), 0);
    assert_false(has(buf.data, "</title><b>"));
    assert_int_equal(count_of(buf.data, "&lt;/title&gt;&lt;b&gt;&amp;"), 2);
    buf_free(&buf);
}

static void labels_are_cut_to_their_room(void **state)
{
    static const char *const texts[] = {
        "short", "WWWWWWWWWWWWWWWWWWWWWWWWWW", "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii",
        "\xe8\xb6\x85\xe7\xae\x97\xe4\xb8\xad\xe5\xbf\x83\xe7\x9a\x84\xe6\xb0\x94\xe5\x80\x99\xe6",
        "a\033\033\033\033\033\033\033\033\033\033\033\033", "",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct buf buf;

        buf_init(&buf);
        svg_fit(&buf, texts[i], 14, 120);
        ROW_HOLDS(i, svg_text_width(buf.data, 14) <= 120);
        ROW_HOLDS(i, (svg_text_width(texts[i], 14) <= 120) == (strcmp(buf.data, texts[i]) == 0));
        buf_free(&buf);
    }
}

/* --- figures ---------------------------------------------------------------------------------- */

static void samples_are_reports_whose_books_close(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct error err = { "" };

        sample_make(name, &sample);
        if (period_report_check(&sample.report, &err) < 0)
            fail_msg("%s: %s", name, err.text);
    }
}

static void parts_as_shown_add_up_to_the_total_as_shown(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct web_page page = { .report = &sample.report };
        const struct web_balance *balance = &page.balance;
        uint64_t ticks = 0, percent = 0;

        sample_make(name, &sample);
        web_figures(&page);
        for (size_t i = 0; i < page.n_parts; i++) {
            ticks += page.parts[i].ticks;
            percent += page.parts[i].percent;
        }
        assert_int_equal(ticks, page.grams ? page.total_ticks : page.energy_ticks[4]);
        assert_int_equal(percent, page.n_parts > 0 ? 100 : 0);
        assert_int_equal(page.total_ticks + balance->over,
                         balance->jobs_electricity + balance->system + balance->unallocated +
                             balance->jobs_hardware + balance->free_hardware +
                             balance->written_off + balance->under);
        assert_int_equal(page.energy_ticks[0] + page.energy_ticks[1] + page.energy_ticks[2] +
                             page.energy_ticks[3], page.energy_ticks[4]);
        assert_int_equal(page.month[0] + page.month[1] + page.month[2] + page.month[3],
                         page.total_ticks - (sample.report.jobs.spread_mg > 0
                                             ? page.parts[2].ticks : 0));
    }
}

static void lines_as_shown_add_up_in_every_column(void **state)
{
    (void)state;
    EACH_SAMPLE(name) {
        struct web_page page = { .report = &sample.report };
        struct web_cells cells[SAMPLE_LINES], trees[SAMPLE_LINES], sum = { 0 }, roots = { 0 };
        const struct report_group *group = &sample.report.accounts;

        sample_make(name, &sample);
        web_figures(&page);
        assert_true(web_share_out(&page, group->lines, group->count, cells));
        web_sum_trees(group->lines, group->count, cells, trees);
        for (size_t i = 0; i < group->count; i++) {
            sum.energy += cells[i].energy;
            sum.electricity += cells[i].electricity;
            sum.hardware += cells[i].hardware;
            roots.energy += group->lines[i].depth == 0 ? trees[i].energy : 0;
        }
        assert_memory_equal(&sum, &page.jobs.total, sizeof(sum));
        assert_int_equal(roots.energy, page.jobs.total.energy);
    }
}

static void axes_end_above_the_greatest_value_in_round_steps(void **state)
{
    static const struct {
        double max, step;
    } cases[] = {
        { 0, 0 }, { 4, 1 }, { 4.01, 1.5 }, { 7.9, 2 }, { 15.1, 4 }, { 100, 25 }, { 0.031, 0.01 },
        { 1e6, 250000 }, { 0.004, 0.001 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        double step = svg_axis_step(cases[i].max), off = step - cases[i].step;

        ROW_HOLDS(i, off < 1e-9 * step + 1e-12 && -off < 1e-9 * step + 1e-12);
        ROW_HOLDS(i, step * AXIS_STEPS >= cases[i].max * (1 - 1e-9));
    }
}

static void the_same_report_gives_the_same_bytes_in_every_language(void **state)
{
    static const char *const locales[] = { "C.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "ar_EG.UTF-8" };
    struct buf plain = page_of("hostile");

    (void)state;
    for (size_t i = 0; i < LENGTH(locales); i++) {
        struct buf other;

        if (!setlocale(LC_ALL, locales[i]))
            continue; /* not on this machine */
        other = page_of("hostile");
        setlocale(LC_ALL, "C");
        assert_string_equal(plain.data, other.data);
        buf_free(&other);
    }
    buf_free(&plain);
}

/* --- what pages say --------------------------------------------------------------------------- */

static void pages_say_what_a_reader_must_know(void **state)
{
    static const struct {
        const char *sample, *says;
        bool never;
    } cases[] = {
        { "month", "<h1>Carbon report of cluster <bdi>aurora</bdi>, October 2026</h1>", false },
        { "month", "<p class=\"total\">14.5 <span>t CO₂e</span></p>", false },
        { "month", "Between 13.9 and 16.5 t, as published figures for making the hardware differ",
          false },
        { "month", "Of every 100 kg, <b>40</b> came from electricity for the jobs’ work", false },
        { "month", "<b>158 MWh</b>", false },
        { "month", "against September (", false },
        { "month", "against the mean of the 12 months before (", false },
        { "month", "<strong>Do not add</strong>", false },
        { "month", "Retired early: 141 kg written off.", false },
        { "month", "2 nodes of no known type: <bdi>login[1-2]</bdi>", false },
        { "month", "4 jobs ran on nodes that no hardware for jobs is listed for", false },
        { "month", "26 of 744 hours had no hourly grid intensity", false },
        { "month", "Ember yearly electricity data 2024, lifecycle, generation-based, CC BY 4.0",
          false },
        { "month", "mode “capacity”", false },
        { "month", "number 7, made 10 October 2026, 01:00 (UTC) by “carbonctl grid import”",
          false },
        { "month", "(IdlePolicy=separate)", false },
        { "month", "Charged too", true },
        { "accounts60", "47 other accounts: ", false },
        { "accounts60", "<bdi>project-059</bdi>", false },
        { "empty", "No jobs ran in this period", false },
        { "nozone", "What that emitted is not known: no grid zone is set.", false },
        { "nozone", "Making the hardware: 3.14 t CO₂e for this period.", false },
        { "nozone", "<p class=\"total\">158 <span>MWh of electricity</span></p>", false },
        { "nozone", "g CO₂e per kWh", true },
        { "noinventory", "making the machines is not in it, as there is no inventory", false },
        { "noinventory", "<code>carbonctl inventory discover</code>", false },
        { "nothing", "t CO₂e", true },
        { "oneaccount", "Emissions of each account’s jobs", false },
        { "day", "aurora</bdi>, 1 October 2026</h1>", false },
        { "day", "The period is one day", false },
        { "day", "against September", true },
        { "holes", "A dash stands for a month without figures.", false },
        { "holes", "A day without a column has no figures.", false },
        { "holes", "A column of hardware alone is a month whose energy was not recorded.", false },
        { "holes", "against the mean of the 3 months known before", false },
        { "spread", "(IdlePolicy=spread)", false },
        { "spread", "Idle draw of free machines, charged to jobs", false },
        { "planned", "jobs were charged 303 kg more for hardware", false },
        { "planned", "Charged too much for hardware</th><td class=\"n\">− 0.3", false },
        { "planned", "Expected use: 85.0 %", false },
        { "underrecovered", "jobs were charged 1.20 t less for hardware", false },
        { "underrecovered", "Charged too little for hardware</th><td class=\"n\">+ 1.2", false },
        { "sofar", "October 2026, so far</h1>", false },
        { "sofar", "delivered up to 12 October 2026, 13:00 UTC.", false },
        { "sofar", "against September", true },
        { "zero", "No energy was counted in this period", false },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct buf page = page_of(cases[i].sample);

        if (has(page.data, cases[i].says) == cases[i].never)
            fail_msg("%s %s: %s", cases[i].sample, cases[i].never ? "says" : "does not say",
                     cases[i].says);
        buf_free(&page);
    }
}

static int write_pages(const char *folder)
{
    EACH_SAMPLE(name) {
        struct buf page = page_of(name);
        char path[4096];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s.html", folder, name);
        file = fopen(path, "w");
        if (!file || fwrite(page.data, 1, page.len, file) != page.len || fclose(file) != 0) {
            perror(path);
            return 1;
        }
        buf_free(&page);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_well_formed_xml),
        cmocka_unit_test(a_page_loads_nothing_and_runs_nothing),
        cmocka_unit_test(there_is_one_h1_and_no_level_is_skipped),
        cmocka_unit_test(tables_have_captions_and_heads_with_a_scope),
        cmocka_unit_test(whatever_names_an_id_finds_one_and_ids_are_unique),
        cmocka_unit_test(every_plot_has_a_title_and_a_description),
        cmocka_unit_test(text_of_others_is_escaped),
        cmocka_unit_test(hostile_names_stay_text_everywhere),
        cmocka_unit_test(a_cluster_with_a_hostile_name_has_a_page),
        cmocka_unit_test(labels_are_cut_to_their_room),
        cmocka_unit_test(samples_are_reports_whose_books_close),
        cmocka_unit_test(parts_as_shown_add_up_to_the_total_as_shown),
        cmocka_unit_test(lines_as_shown_add_up_in_every_column),
        cmocka_unit_test(axes_end_above_the_greatest_value_in_round_steps),
        cmocka_unit_test(the_same_report_gives_the_same_bytes_in_every_language),
        cmocka_unit_test(pages_say_what_a_reader_must_know),
    };

    if (argc > 1)
        return write_pages(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
