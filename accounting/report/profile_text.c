/*
 * Power over time in a terminal: one panel for the total and one for each component, each with its
 * own scale, above one axis of local time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/timespec.h"
#include "report/profile.h"

#define LABEL_WIDTH 8                     /* "1.25 kW" right of a blank */
#define AXIS_WIDTH (LABEL_WIDTH + 2)      /* and a blank and the axis */
#define STRETCH_MAX 6                     /* characters that a minute of a short job takes */
#define TICK_WIDTH 8                      /* "10:15" and room between */
#define TOTAL_ROWS 6
#define PART_ROWS 3
#define EIGHTHS 8
#define TIME_FORMAT "%Y-%m-%d %H:%M:%S %Z"
#define MINUTE_S 60

/* What a drawing is made of, in UTF-8 and in ASCII. */
struct glyphs {
    const char *bars[EIGHTHS + 1]; /* nothing to full */
    const char *gap, *side, *corner, *line, *tick, *partial;
};

static const struct glyphs utf8_glyphs = {
    { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }, "·", "│", "└", "─", "┴", "~",
};
static const struct glyphs ascii_glyphs = {
    { " ", ".", ".", ":", ":", ":", "#", "#", "#" }, "?", "|", "+", "-", "+", "~",
};

struct drawing {
    const struct profile_view *view;
    const struct report_style *style;
    const struct glyphs *glyphs;
    struct profile_plot plot;
    size_t stretch; /* characters of a column */
    uint32_t tick_minutes;
    struct buf *buf;
};

/* --- words ------------------------------------------------------------------------------------ */

static void bold(struct drawing *d, const char *text)
{
    buf_printf(d->buf, d->style->colour ? "\033[1m%s\033[0m" : "%s", text);
}

static void label(struct drawing *d, const char *text)
{
    buf_printf(d->buf, "  %-10s", text);
}

static void instant(struct drawing *d, int64_t instant_s)
{
    const char *format = d->style->time_format;
    char text[TIMESPEC_SIZE];

    timespec_format(instant_s, format && *format ? format : TIME_FORMAT, d->style->now_s, text);
    buf_printf(d->buf, "%s", text);
}

static void power(struct drawing *d, uint64_t mw)
{
    format_amount(d->buf, (double)mw, power_units, d->style->base_units ? power_units : NULL);
}

static void write_title(struct drawing *d)
{
    const struct row *row = d->view->row;
    struct buf id;

    buf_init(&id);
    buf_printf(&id, "Job ");
    row_job_id(row, false, &id);
    bold(d, id.data ? id.data : "");
    buf_free(&id);
    if (row->job->name) {
        buf_printf(d->buf, "  ");
        format_text(d->buf, row->job->name, d->style->utf8, NULL);
    }
    buf_printf(d->buf, "  %s\n", row_state(row) ? row_state(row)->name : "");
}

static void write_what(struct drawing *d)
{
    label(d, "Power");
    buf_printf(d->buf, "mean over each minute, ");
    profile_nodes(d->view, d->buf);
    buf_printf(d->buf, "\n");
    if (d->view->row->step) {
        label(d, "");
        buf_printf(d->buf, "of the whole job, in the time of this step: minutes do not tell steps "
                   "apart\n");
    }
    label(d, "Time");
    instant(d, d->view->from_s);
    buf_printf(d->buf, " to ");
    instant(d, d->view->to_s);
    buf_printf(d->buf, ", ");
    format_duration(d->buf, (uint64_t)(d->view->to_s - d->view->from_s) * 1000);
    buf_printf(d->buf, row_is_open(d->view->row) && !d->view->cut ? " so far\n" : "\n");
    if (d->plot.per_column == 1)
        return;
    label(d, "");
    buf_printf(d->buf, "each column is the mean of ");
    format_duration(d->buf, (uint64_t)d->plot.per_column * MINUTE_S * 1000);
    buf_printf(d->buf, "; peaks are of one minute\n");
}

/* What a reader would otherwise take for the job's doing. */
static void write_notes(struct drawing *d)
{
    const struct profile_plot *plot = &d->plot;
    const struct query_job *job = d->view->row->job;

    if (plot->missing > 0)
        buf_printf(d->buf, "  %s no data in %u of %u minutes: not metered, or not delivered\n",
                   d->glyphs->gap, plot->missing, plot->minutes);
    if (plot->partial > 0)
        buf_printf(d->buf, "  %s in %u of %u minutes some of its nodes are missing: power is too "
                   "low there\n", d->glyphs->partial, plot->partial, plot->minutes);
    if (plot->components == 1u << PROFILE_ALL)
        buf_printf(d->buf, "  The meters did not tell components apart\n");
    if (job->begin_s >= d->view->kept_since_s)
        return;
    buf_printf(d->buf, "  Power per minute is kept since ");
    instant(d, d->view->kept_since_s);
    buf_printf(d->buf, " (KeepPowerDays in carbon.conf)");
    if (job->has_pruned_peak && job->peak_mw.has) {
        buf_printf(d->buf, ";\n  the peak of the job's whole life is ");
        power(d, (uint64_t)job->peak_mw.value);
        buf_printf(d->buf, ", ");
        instant(d, job->peak_minute_s);
    }
    buf_printf(d->buf, "\n");
}

/* --- panels ----------------------------------------------------------------------------------- */

static void repeat(struct drawing *d, const char *glyph, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(d->buf, "%s", glyph);
}

static void panel_title(struct drawing *d, unsigned component, const char *title)
{
    const struct profile_series *series = &d->plot.series[component];

    buf_printf(d->buf, "\n");
    bold(d, title);
    buf_printf(d->buf, "%*saverage ", (int)(14 - strlen(title)), "");
    power(d, profile_mw(series->energy_mj, d->plot.span_ms));
    buf_printf(d->buf, ", peak ");
    power(d, (uint64_t)series->peak.mw);
    buf_printf(d->buf, " at ");
    instant(d, series->peak.minute_s);
    buf_printf(d->buf, "\n");
}

/* "1.5 kW │", or blanks before the axis where there is nothing to say */
static void row_label(struct drawing *d, bool shown, uint64_t mw, const struct unit *unit)
{
    char text[32] = "";
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    if (shown)
        format_amount(&room, (double)mw, power_units, unit);
    buf_printf(d->buf, "%*s %s", LABEL_WIDTH, text, d->glyphs->side);
}

/* How much of row `row` of `rows` a column fills, in eighths; whatever is not nothing shows. */
static unsigned eighths_of(uint64_t mw, uint64_t top_mw, size_t rows, size_t row)
{
    uint64_t level = (mw * rows * EIGHTHS + top_mw / 2) / top_mw;

    if (mw > 0 && level == 0)
        level = 1;
    if (level <= row * EIGHTHS)
        return 0;
    level -= row * EIGHTHS;
    return level > EIGHTHS ? EIGHTHS : (unsigned)level;
}

static void panel_row(struct drawing *d, unsigned component, uint64_t top_mw, size_t rows,
                      size_t row)
{
    size_t blanks = 0;

    for (size_t i = 0; i < d->plot.n_columns; i++) {
        const struct profile_column *column = &d->plot.columns[i];
        unsigned eighths =
            eighths_of(profile_column_mw(column, component), top_mw, rows, row);

        if (column->known > 0 ? eighths == 0 : row > 0) {
            blanks += d->stretch;
            continue;
        }
        repeat(d, " ", blanks);
        blanks = 0;
        repeat(d, column->known > 0 ? d->glyphs->bars[eighths] : d->glyphs->gap, d->stretch);
    }
    buf_printf(d->buf, "\n");
}

static void panel_axis(struct drawing *d)
{
    size_t tick = profile_next_tick(&d->plot, d->tick_minutes, 0);

    buf_printf(d->buf, "%*s %s", LABEL_WIDTH, "0", d->glyphs->corner);
    for (size_t i = 0; i < d->plot.n_columns; i++) {
        const char *rest = d->plot.columns[i].partial > 0 ? d->glyphs->partial : d->glyphs->line;

        repeat(d, i == tick ? d->glyphs->tick : rest, 1);
        repeat(d, rest, d->stretch - 1);
        if (i == tick)
            tick = profile_next_tick(&d->plot, d->tick_minutes, i + 1);
    }
    buf_printf(d->buf, "\n");
}

/* The next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 of some power of ten; at least 1 W. */
static uint64_t top_of(uint64_t mw)
{
    static const uint64_t tenths[] = { 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100 };
    uint64_t unit = 100;

    for (; unit * 100 < mw; unit *= 10)
        ;
    for (size_t i = 0; i < sizeof(tenths) / sizeof(*tenths); i++)
        if (tenths[i] * unit >= mw)
            return tenths[i] * unit;
    return mw;
}

static void write_panel(struct drawing *d, unsigned component, const char *title, size_t rows)
{
    uint64_t top_mw = top_of(profile_plot_highest_mw(&d->plot, component));
    const struct unit *unit =
        d->style->base_units ? power_units : unit_choose(power_units, (double)top_mw);

    panel_title(d, component, title);
    for (size_t row = rows; row-- > 0;) {
        bool half = rows % 2 == 0 && row + 1 == rows / 2;

        row_label(d, row + 1 == rows || half, half ? top_mw / 2 : top_mw, unit);
        panel_row(d, component, top_mw, rows, row);
    }
    panel_axis(d);
}

/* --- the axis of time ------------------------------------------------------------------------- */

/* Put text at column `at` of a line, unless it runs into what stands there or over the end. */
static bool put(char *line, size_t width, size_t at, const char *text)
{
    size_t len = strlen(text);

    if (at + len > width || (at > 0 && line[at - 1] != ' '))
        return false;
    for (size_t i = 0; i < len; i++)
        if (line[at + i] != ' ')
            return false;
    memcpy(line + at, text, len);
    return true;
}

static void local_text(int64_t instant_s, const char *format, char *room, size_t size)
{
    time_t when = (time_t)instant_s;
    struct tm local;

    room[0] = '\0';
    if (localtime_r(&when, &local))
        strftime(room, size, format, &local);
}

/* Hours under the ticks and, below, each date where it begins; with steps of days only dates. */
static int write_times(struct drawing *d, struct error *err)
{
    size_t width = d->plot.n_columns * d->stretch + TICK_WIDTH;
    char *hours = calloc(2, width + 1), *dates = hours ? hours + width + 1 : NULL;
    char date[32], last[32] = "", hour[16];
    bool days = d->tick_minutes >= 1440;
    size_t tick;

    if (!hours)
        return error_set(err, -ENOMEM, "no memory to draw");
    memset(hours, ' ', width);
    memset(dates, ' ', width);
    local_text(d->plot.begin_s, "%Y-%m-%d", date, sizeof(date));
    tick = profile_next_tick(&d->plot, d->tick_minutes, 0);
    if (!days && put(dates, width, 0, date))
        memcpy(last, date, sizeof(last));
    for (; tick < d->plot.n_columns;
         tick = profile_next_tick(&d->plot, d->tick_minutes, tick + 1)) {
        int64_t tick_s = profile_tick_s(&d->plot, d->tick_minutes, tick);

        local_text(tick_s, "%H:%M", hour, sizeof(hour));
        local_text(tick_s, "%Y-%m-%d", date, sizeof(date));
        put(hours, width, tick * d->stretch, days ? date : hour);
        if (!days && strcmp(date, last) != 0 && put(dates, width, tick * d->stretch, date))
            memcpy(last, date, sizeof(last));
    }
    for (char *line = hours; line; line = line == hours && !days ? dates : NULL) {
        size_t len = width;

        while (len > 0 && line[len - 1] == ' ')
            len--;
        if (len > 0)
            buf_printf(d->buf, "%*s%.*s\n", AXIS_WIDTH, "", (int)len, line);
    }
    free(hours);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void write_panels(struct drawing *d)
{
    unsigned parts = d->plot.components, only = PROFILE_COMPONENTS;

    for (unsigned c = 0; c < PROFILE_COMPONENTS; c++)
        if (parts == 1u << c)
            only = c;
    if (only < PROFILE_ALL) {
        write_panel(d, only, profile_title(only), TOTAL_ROWS);
        return;
    }
    write_panel(d, PROFILE_COMPONENTS, profile_title(PROFILE_COMPONENTS), TOTAL_ROWS);
    for (unsigned c = 0; c < PROFILE_COMPONENTS && only != PROFILE_ALL; c++)
        if (parts & 1u << c)
            write_panel(d, c, profile_title(c), PART_ROWS);
}

int profile_draw(const struct profile_view *view, size_t width, struct buf *buf, struct error *err)
{
    struct drawing d = {
        .view = view, .style = view->row->style, .buf = buf,
        .glyphs = view->row->style->utf8 ? &utf8_glyphs : &ascii_glyphs,
    };
    size_t room = (width < PROFILE_WIDTH_MIN ? PROFILE_WIDTH_MIN : width) - AXIS_WIDTH;
    int rc;

    if (view->profile->n_minutes == 0)
        return profile_nothing(view, err);
    rc = profile_plot_make(view, room, &d.plot, err);
    if (rc < 0)
        return rc;
    d.stretch = room / d.plot.n_columns;
    d.stretch = d.stretch > STRETCH_MAX ? STRETCH_MAX : d.stretch;
    d.tick_minutes = profile_tick_step(&d.plot, d.plot.n_columns * d.stretch / TICK_WIDTH);
    write_title(&d);
    write_what(&d);
    write_panels(&d);
    rc = write_times(&d, err);
    write_notes(&d);
    profile_plot_clear(&d.plot);
    return rc < 0 || !buf_failed(buf) ? rc : error_set(err, -ENOMEM, "no memory to draw");
}
