/*
 * Power over time as a picture: components stacked on each other, so that the upper edge is the
 * total. Colours are those of Okabe and Ito (2008), told apart by readers of any colour vision.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/timespec.h"
#include "report/html.h"
#include "report/profile.h"
#include "report/svg.h"

#define WIDTH 960.0
#define LEFT 76.0
#define RIGHT 24.0
#define TOP 72.0
#define PLOT_HEIGHT 280.0
#define LEGEND_LINE 24.0
#define COLUMNS_MAX 860
#define TICKS_MAX 11
#define DATE_ROOM 90.0
#define TIME_FORMAT "%Y-%m-%d %H:%M:%S %Z"

static const char style_sheet[] =
    "<style>\n"
    "svg{font:14px system-ui,sans-serif;--bg:#fff;--ink:#1b1b1b;--soft:#595959;--grid:#ddd}\n"
    "@media(prefers-color-scheme:dark){\n"
    "svg{--bg:#16181d;--ink:#ececec;--soft:#a8a8a8;--grid:#3a3d44}}\n"
    ".bg{fill:var(--bg)}text{fill:var(--ink)}.h{font-size:18px;font-weight:600}\n"
    ".s{fill:var(--soft)}.y{fill:var(--soft);text-anchor:end}\n"
    ".x{fill:var(--soft);text-anchor:middle}.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}\n"
    ".gap{fill:var(--grid);opacity:.5}\n"
    ".p0{fill:#0072b2}.p1{fill:#e69f00}.p2{fill:#009e73}.p3{fill:#8c8c8c}.p4{fill:#56b4e9}\n"
    "</style>\n";

struct picture {
    const struct profile_view *view;
    struct profile_plot plot;
    double column_width, top_w, step_w;
    struct buf *buf;
};

/* --- words ------------------------------------------------------------------------------------ */

static void instant(const struct picture *p, int64_t instant_s, struct buf *buf)
{
    const char *format = p->view->row->style->time_format;
    char text[TIMESPEC_SIZE];

    timespec_format(instant_s, format && *format ? format : TIME_FORMAT,
                    p->view->row->style->now_s, text);
    buf_printf(buf, "%s", text);
}

static void local_text(int64_t instant_s, const char *format, char *room, size_t size)
{
    time_t when = (time_t)instant_s;
    struct tm local;

    room[0] = '\0';
    if (localtime_r(&when, &local))
        strftime(room, size, format, &local);
}

static void write_heading(const struct picture *p, struct buf *buf)
{
    const struct row *row = p->view->row;

    buf_printf(buf, "Power of job ");
    row_job_id(row, false, buf);
    if (row->job->name)
        buf_printf(buf, " (%s)", row->job->name); /* html_text() makes it safe */
}

static void write_subheading(const struct picture *p, struct buf *buf)
{
    buf_printf(buf, "mean power ");
    profile_nodes(p->view, buf);
    buf_printf(buf, ", ");
    instant(p, p->view->from_s, buf);
    buf_printf(buf, " to ");
    instant(p, p->view->to_s, buf);
    if (row_is_open(p->view->row) && !p->view->cut)
        buf_printf(buf, ", so far");
}

static void series_words(const struct picture *p, unsigned component, struct buf *buf)
{
    const struct profile_series *series = &p->plot.series[component];

    buf_printf(buf, "average ");
    format_amount(buf, (double)profile_mw(series->energy_mj, p->plot.span_ms), power_units, NULL);
    buf_printf(buf, ", peak ");
    format_amount(buf, (double)series->peak.mw, power_units, NULL);
    buf_printf(buf, " at ");
    instant(p, series->peak.minute_s, buf);
}

static void write_desc(const struct picture *p, struct buf *buf)
{
    buf_printf(buf, "Mean power, components stacked. ");
    for (unsigned c = PROFILE_COMPONENTS + 1; c-- > 0;) {
        if (c < PROFILE_COMPONENTS && !(p->plot.components & 1u << c))
            continue;
        buf_printf(buf, "%s: ", profile_title(c));
        series_words(p, c, buf);
        buf_printf(buf, ". ");
    }
    if (p->plot.missing > 0)
        buf_printf(buf, "No data in %u of %u minutes.", p->plot.missing, p->plot.minutes);
}

/* --- the plot --------------------------------------------------------------------------------- */

static double x_of(const struct picture *p, size_t column)
{
    return LEFT + p->column_width * (double)column;
}

static double y_of(const struct picture *p, double w)
{
    return TOP + PLOT_HEIGHT * (1 - w / p->top_w);
}

static void write_grid(const struct picture *p)
{
    const struct unit *unit = unit_choose(power_units, p->top_w * 1000);

    for (int i = 0; i <= AXIS_STEPS; i++) {
        double w = p->step_w * i, y = y_of(p, w);
        char text[32];
        struct buf room;

        buf_init_fixed(&room, text, sizeof(text));
        format_number(&room, w * 1000 / unit->size);
        buf_printf(&room, " %s", unit->name);
        svg_line(p->buf, i == 0 ? "axis" : "grid", LEFT, y, WIDTH - RIGHT, y);
        svg_text(p->buf, "y", LEFT - 8, y + 5, text);
    }
}

static void write_times(const struct picture *p)
{
    uint32_t step = profile_tick_step(&p->plot, TICKS_MAX);
    double free_x = 0, base = TOP + PLOT_HEIGHT;
    char text[32], date[32] = "", day[32];

    for (size_t i = profile_next_tick(&p->plot, step, 0); i < p->plot.n_columns;
         i = profile_next_tick(&p->plot, step, i + 1)) {
        int64_t tick_s = profile_tick_s(&p->plot, step, i);

        svg_line(p->buf, "axis", x_of(p, i), base, x_of(p, i), base + 6);
        local_text(tick_s, step < 1440 ? "%H:%M" : "%Y-%m-%d", text, sizeof(text));
        svg_text(p->buf, "x", x_of(p, i), base + 22, text);
        local_text(tick_s, "%Y-%m-%d", day, sizeof(day));
        if (step >= 1440 || strcmp(day, date) == 0 || x_of(p, i) < free_x)
            continue;
        svg_text(p->buf, "x", x_of(p, i), base + 40, day);
        free_x = x_of(p, i) + DATE_ROOM;
        memcpy(date, day, sizeof(date));
    }
}

/* Columns that nothing is known of, each run as one box. */
static void write_gaps(const struct picture *p)
{
    for (size_t i = 0; i < p->plot.n_columns; i++) {
        size_t first = i;

        while (i < p->plot.n_columns && p->plot.columns[i].known == 0)
            i++;
        if (i > first)
            svg_rect(p->buf, "gap", x_of(p, first), TOP, p->column_width * (double)(i - first),
                     PLOT_HEIGHT, "no data: not metered, or not delivered");
    }
}

/* Watts of all components up to this one. */
static double stacked_w(const struct profile_column *column, unsigned component)
{
    uint64_t mw = 0;

    for (unsigned c = 0; c <= component; c++)
        mw += profile_column_mw(column, c);
    return (double)mw / 1000;
}

/* A run of known columns: along its upper edge to the right, along its lower one back. */
static void write_run(const struct picture *p, unsigned component, size_t first, size_t behind)
{
    buf_printf(p->buf, "M%.1f %.1f", x_of(p, first), y_of(p, 0));
    for (size_t i = first; i < behind; i++)
        buf_printf(p->buf, "V%.1fH%.1f", y_of(p, stacked_w(&p->plot.columns[i], component)),
                   x_of(p, i + 1));
    for (size_t i = behind; i-- > first;)
        buf_printf(p->buf, "V%.1fH%.1f",
                   y_of(p, component ? stacked_w(&p->plot.columns[i], component - 1) : 0),
                   x_of(p, i));
    buf_printf(p->buf, "Z");
}

static void write_area(const struct picture *p, unsigned component)
{
    buf_printf(p->buf, "<path class=\"p%u\" d=\"", component);
    for (size_t i = 0; i < p->plot.n_columns; i++) {
        size_t first = i;

        while (i < p->plot.n_columns && p->plot.columns[i].known > 0)
            i++;
        if (i > first)
            write_run(p, component, first, i);
    }
    buf_printf(p->buf, "\"><title>%s</title></path>\n", profile_title(component));
}

/* --- the legend ------------------------------------------------------------------------------- */

/* From the top of the stack down, as they lie; the total first. */
static void write_legend(const struct picture *p)
{
    double y = TOP + PLOT_HEIGHT + 72;

    for (unsigned c = PROFILE_COMPONENTS + 1; c-- > 0;) {
        char class[4], text[200];
        struct buf words;

        if (c < PROFILE_COMPONENTS && !(p->plot.components & 1u << c))
            continue;
        snprintf(class, sizeof(class), "p%u", c);
        if (c < PROFILE_COMPONENTS)
            svg_rect(p->buf, class, LEFT, y - 12, 14, 14, NULL);
        svg_text(p->buf, "", LEFT + 24, y, profile_title(c));
        buf_init_fixed(&words, text, sizeof(text));
        series_words(p, c, &words);
        svg_text(p->buf, "s", LEFT + 140, y, text);
        y += LEGEND_LINE;
    }
}

static unsigned legend_lines(const struct picture *p)
{
    unsigned lines = 1;

    for (unsigned c = 0; c < PROFILE_COMPONENTS; c++)
        lines += (p->plot.components >> c) & 1;
    return lines;
}

static void write_notes(const struct picture *p)
{
    double y = TOP + PLOT_HEIGHT + 72 + LEGEND_LINE * legend_lines(p);
    char text[200];
    struct buf words;

    buf_init_fixed(&words, text, sizeof(text));
    buf_printf(&words, "A step is the mean of ");
    format_duration(&words, (uint64_t)p->plot.per_column * 60000);
    if (p->plot.per_column > 1)
        buf_printf(&words, "; peaks are of one minute");
    if (p->plot.missing > 0)
        buf_printf(&words, ". No data in %u of %u minutes (grey)", p->plot.missing,
                   p->plot.minutes);
    if (p->plot.partial > 0)
        buf_printf(&words, ". In %u minutes some nodes are missing: too low",
                   p->plot.partial);
    buf_printf(&words, ".");
    svg_text(p->buf, "s", LEFT, y, text);
    if (p->view->row->job->begin_s >= p->view->kept_since_s)
        return;
    buf_init_fixed(&words, text, sizeof(text));
    buf_printf(&words, "Power per minute is kept since ");
    instant(p, p->view->kept_since_s, &words);
    buf_printf(&words, ".");
    svg_text(p->buf, "s", LEFT, y + LEGEND_LINE, text);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Unlike svg_begin(), which is for pages: a file of its own needs the name space. */
static void write_root(const struct picture *p, double height, const char *title, const char *desc)
{
    buf_printf(p->buf, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
               "viewBox=\"0 0 %.0f %.0f\" aria-labelledby=\"title desc\">\n<title id=\"title\">",
               WIDTH, height);
    html_text(p->buf, title);
    buf_printf(p->buf, "</title>\n<desc id=\"desc\">");
    html_text(p->buf, desc);
    buf_printf(p->buf, "</desc>\n%s", style_sheet);
}

static void begin(const struct picture *p, double height)
{
    struct buf heading, subheading, desc, fitted;

    buf_init(&heading);
    buf_init(&subheading);
    buf_init(&desc);
    buf_init(&fitted);
    write_heading(p, &heading);
    write_subheading(p, &subheading);
    write_desc(p, &desc);
    if (heading.data)
        svg_fit(&fitted, heading.data, 18, WIDTH - LEFT - RIGHT);
    if (heading.data && subheading.data && desc.data && fitted.data) {
        write_root(p, height, heading.data, desc.data);
        svg_rect(p->buf, "bg", 0, 0, WIDTH, height, NULL);
        svg_text(p->buf, "h", LEFT, 30, fitted.data);
        svg_text(p->buf, "s", LEFT, 52, subheading.data);
    }
    p->buf->failed |= buf_failed(&heading) || buf_failed(&subheading) || buf_failed(&desc) ||
                      buf_failed(&fitted);
    buf_free(&heading);
    buf_free(&subheading);
    buf_free(&desc);
    buf_free(&fitted);
}

int profile_svg(const struct profile_view *view, struct buf *buf, struct error *err)
{
    struct picture p = { .view = view, .buf = buf };
    int rc;

    if (view->profile->n_minutes == 0)
        return profile_nothing(view, err);
    rc = profile_plot_make(view, COLUMNS_MAX, &p.plot, err);
    if (rc < 0)
        return rc;
    p.step_w = svg_axis_step((double)profile_plot_highest_mw(&p.plot, PROFILE_COMPONENTS) / 1000);
    p.step_w = p.step_w > 0 ? p.step_w : 0.25;
    p.top_w = p.step_w * AXIS_STEPS;
    p.column_width = (WIDTH - LEFT - RIGHT) / (double)p.plot.n_columns;
    begin(&p, TOP + PLOT_HEIGHT + 72 + LEGEND_LINE * (legend_lines(&p) + 1.5));
    write_gaps(&p);
    write_grid(&p);
    for (unsigned c = 0; c < PROFILE_COMPONENTS; c++)
        if (p.plot.components & 1u << c)
            write_area(&p, c);
    write_times(&p);
    write_legend(&p);
    write_notes(&p);
    svg_end(buf);
    profile_plot_clear(&p.plot);
    return buf_failed(buf) ? error_set(err, -ENOMEM, "no memory to draw") : 0;
}
