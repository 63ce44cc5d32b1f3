#include "config.h"

#include "report/plot.h"

#include "report/svg.h"

#define LEGEND_ROW 22.0
#define LEGEND_GAP 8.0 /* below the legend */
#define BOLD 1.12      /* how much wider bold text is */

/* --- what both kinds have --------------------------------------------------------------------- */

static double width_of(bool narrow)
{
    return narrow ? PLOT_NARROW : PLOT_WIDE;
}

static uint64_t bar_sum(const struct plot *plot, const struct plot_bar *bar)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < plot->n_series; i++)
        sum += bar->amounts[i];
    return sum;
}

static uint64_t greatest_bar(const struct plot *plot)
{
    uint64_t max = 0;

    for (size_t i = 0; i < plot->count; i++) {
        uint64_t sum = bar_sum(plot, &plot->bars[i]);

        max = sum > max ? sum : max;
    }
    return max;
}

static const char *label_of(const struct plot_bar *bar)
{
    return bar->label ? bar->label : bar->text;
}

static void begin(struct buf *buf, const struct plot *plot, bool narrow, double height)
{
    char id[64];
    struct buf room;

    buf_init_fixed(&room, id, sizeof(id));
    buf_printf(&room, "%s-%s", plot->id, narrow ? "narrow" : "wide");
    svg_begin(buf, id, narrow ? "plot narrow" : "plot wide", width_of(narrow), height, plot->title,
              plot->desc);
}

/* A swatch with a name; buf NULL: only the room it takes. Returns where the next one begins. */
static double legend_entry(struct buf *buf, const char *class, const char *name, double width,
                           double x, double *y)
{
    double need = 26 + svg_text_width(name, PLOT_TEXT);

    if (x > 0 && x + need > width) {
        x = 0;
        *y += LEGEND_ROW;
    }
    if (buf && class)
        svg_rect(buf, class, x + 1, *y + 2, 18, 12, NULL);
    else if (buf)
        svg_line(buf, "line", x + 1, *y + 8, x + 19, *y + 8);
    if (buf)
        svg_text(buf, "t", x + 26, *y + 13, name);
    return x + need + 16;
}

/* The legend at the top, where there is more than one thing to tell apart. Returns its height. */
static double legend(struct buf *buf, const struct plot *plot, bool narrow)
{
    double x = 0, y = 0;

    if (plot->n_series < 2 && !plot->line)
        return 0;
    for (size_t i = 0; i < plot->n_series; i++)
        x = legend_entry(buf, plot->series[i].class, plot->series[i].name, width_of(narrow), x, &y);
    if (plot->line)
        legend_entry(buf, NULL, plot->line, width_of(narrow), x, &y);
    return y + LEGEND_ROW + LEGEND_GAP;
}

/* The text beside the pointer: "Mon 3: 4.1 MWh" */
static void draw_part(struct buf *buf, const struct plot_bar *bar, const char *class, double x,
                      double y, double width, double height)
{
    struct buf tip;

    buf_init(&tip);
    svg_fit(&tip, label_of(bar), 1, 60);
    buf_printf(&tip, ": %s", bar->tip[0] ? bar->tip : bar->value);
    svg_rect(buf, class, x, y, width, height, buf_failed(&tip) ? NULL : tip.data);
    buf->failed |= buf_failed(&tip);
    buf_free(&tip);
}

/* --- lying ------------------------------------------------------------------------------------ */

struct lying {
    double width, label, value, row; /* of the drawing and its columns; height of a row */
    bool above;                      /* the label has a line of its own */
    uint64_t max;
};

static double widest(const struct plot *plot, bool of_values)
{
    double most = 0;

    for (size_t i = 0; i < plot->count; i++) {
        const char *text = of_values ? plot->bars[i].value : label_of(&plot->bars[i]);
        double width = svg_text_width(text, PLOT_TEXT);

        most = width > most ? width : most;
    }
    return of_values ? most * BOLD : most;
}

static struct lying lying_of(const struct plot *plot, bool narrow)
{
    struct lying lying = { .width = width_of(narrow), .above = narrow && plot->labels_above };
    double label = widest(plot, false) + 12, most = lying.width * 0.3;

    lying.max = greatest_bar(plot);
    lying.value = widest(plot, true) + 10;
    lying.label = lying.above ? 0 : label > most ? most : label;
    lying.row = lying.above ? 46 : 30;
    return lying;
}

static void lying_label(struct buf *buf, const struct lying *lying, const struct plot_bar *bar,
                        double y)
{
    double room = lying->above ? lying->width - lying->value : lying->label - 12;
    struct buf label;

    buf_init(&label);
    svg_fit(&label, label_of(bar), PLOT_TEXT, room);
    if (label.data)
        svg_text(buf, lying->above ? "t" : "t end", lying->above ? 0 : room, y + 17, label.data);
    buf->failed |= buf_failed(&label);
    buf_free(&label);
}

static void lying_bar(struct buf *buf, const struct plot *plot, const struct lying *lying,
                      const struct plot_bar *bar, double y)
{
    double room = lying->width - lying->label - (lying->above ? 1 : lying->value);
    double x = lying->label;

    lying_label(buf, lying, bar, y);
    for (size_t i = 0; i < plot->n_series; i++) {
        double width = lying->max ? room * (double)bar->amounts[i] / (double)lying->max : 0;

        if (bar->amounts[i] > 0)
            draw_part(buf, bar, plot->series[i].class, x, y + (lying->above ? 23 : 3), width, 18);
        x += width;
    }
    svg_text(buf, lying->above ? "t end b" : bar->dim ? "t dim" : "t b",
             lying->above ? lying->width : x + 8, y + 17, bar->value);
}

void plot_lying(struct buf *buf, const struct plot *plot, bool narrow)
{
    struct lying lying = lying_of(plot, narrow);
    double y = legend(NULL, plot, narrow);

    begin(buf, plot, narrow, y + lying.row * (double)plot->count);
    (void)legend(buf, plot, narrow);
    for (size_t i = 0; i < plot->count; i++)
        lying_bar(buf, plot, &lying, &plot->bars[i], y + lying.row * (double)i);
    svg_end(buf);
}

/* --- standing --------------------------------------------------------------------------------- */

struct standing {
    double left, right, top, bottom; /* of the field in which the columns stand */
    double slot;                     /* width of a column with its gap */
    double max, line_max;            /* at the top, in units of the axes */
    bool narrow;
};

static double greatest_line(const struct plot *plot)
{
    double max = 0;

    for (size_t i = 0; plot->line && i < plot->count; i++)
        max = plot->bars[i].line > max ? plot->bars[i].line : max;
    return max;
}

static struct standing standing_of(const struct plot *plot, bool narrow)
{
    struct standing field = { .narrow = narrow };

    field.left = 44;
    field.right = width_of(narrow) - (plot->line ? 44 : 4);
    field.top = legend(NULL, plot, narrow) + 30;
    field.bottom = field.top + (narrow ? 180 : 230);
    field.slot = (field.right - field.left) / (double)(plot->count ? plot->count : 1);
    field.max = svg_axis_step((double)greatest_bar(plot) / plot->axis_size) * AXIS_STEPS;
    field.line_max = svg_axis_step(greatest_line(plot)) * AXIS_STEPS;
    return field;
}

static double height_at(const struct standing *field, double part, double max)
{
    return max > 0 ? (field->bottom - field->top) * part / max : 0;
}

static void axis_number(struct buf *buf, const char *class, double x, double y, double number)
{
    char text[32];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    buf_printf(&room, "%.4g", number); /* round, so few figures */
    svg_text(buf, class, x, y, text);
}

static void draw_axes(struct buf *buf, const struct plot *plot, const struct standing *field)
{
    svg_text(buf, "t dim", 0, field->top - 14, plot->axis);
    if (plot->line_axis)
        svg_text(buf, "t dim end", width_of(field->narrow), field->top - 14, plot->line_axis);
    for (int i = 0; i <= AXIS_STEPS; i++) {
        double y = field->bottom - (field->bottom - field->top) * i / AXIS_STEPS;

        svg_line(buf, i > 0 ? "grid" : "base", field->left, y, field->right, y);
        if (field->max > 0 || i == 0)
            axis_number(buf, "s end", field->left - 6, y + 4, field->max * i / AXIS_STEPS);
        if (plot->line && (field->line_max > 0 || i == 0))
            axis_number(buf, "s", field->right + 6, y + 4, field->line_max * i / AXIS_STEPS);
    }
}

static double column_width(const struct standing *field)
{
    double width = field->slot * (field->slot > 8 ? 0.72 : 0.9);

    return width > 56 ? 56 : width;
}

static double column_middle(const struct standing *field, size_t i)
{
    return field->left + field->slot * ((double)i + 0.5);
}

static void draw_column(struct buf *buf, const struct plot *plot, const struct standing *field,
                        size_t i)
{
    const struct plot_bar *bar = &plot->bars[i];
    double width = column_width(field), y = field->bottom, x = column_middle(field, i);

    for (size_t series = 0; series < plot->n_series; series++) {
        double height = height_at(field, (double)bar->amounts[series] / plot->axis_size,
                                  field->max);

        y -= height;
        if (bar->amounts[series] > 0)
            draw_part(buf, bar, plot->series[series].class, x - width / 2, y, width, height);
    }
    if (!plot->line && svg_text_width(bar->value, PLOT_SMALL) < field->slot + 6)
        svg_text(buf, bar->dim ? "t mid dim" : bar->strong ? "s mid b over" : "s mid over", x,
                 y - 5, bar->value);
}

/* Every label, or every second, third, … as they fit. */
static void draw_labels(struct buf *buf, const struct plot *plot, const struct standing *field)
{
    double need = 0;
    size_t every = 1;

    for (size_t i = 0; i < plot->count; i++) {
        double width = svg_text_width(label_of(&plot->bars[i]), PLOT_SMALL) + 6;

        need = width > need ? width : need;
    }
    while ((double)every * field->slot < need && every < plot->count)
        every++;
    for (size_t i = 0; i < plot->count; i += every) {
        double x = column_middle(field, i);

        svg_text(buf, plot->bars[i].strong ? "s mid b" : "s mid", x, field->bottom + 17,
                 label_of(&plot->bars[i]));
        if (plot->bars[i].below[0])
            svg_text(buf, "s mid dim", x, field->bottom + 33, plot->bars[i].below);
    }
}

static double line_at(const struct plot *plot, size_t i)
{
    return i < plot->count ? plot->bars[i].line : 0;
}

/* A line from each point to the next; it is broken where one has none. */
static void draw_line(struct buf *buf, const struct plot *plot, const struct standing *field,
                      const char *class)
{
    bool drawing = false;

    buf_printf(buf, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < plot->count; i++) {
        double y = field->bottom - height_at(field, plot->bars[i].line, field->line_max);

        if (plot->bars[i].line > 0)
            buf_printf(buf, "%c%.1f %.1f", drawing ? 'L' : 'M', column_middle(field, i), y);
        drawing = plot->bars[i].line > 0;
    }
    buf_printf(buf, "\"/>\n");
}

/* Points without neighbours, which no line shows. */
static void draw_points(struct buf *buf, const struct plot *plot, const struct standing *field)
{
    for (size_t i = 0; i < plot->count; i++) {
        double y = field->bottom - height_at(field, plot->bars[i].line, field->line_max);

        if (plot->bars[i].line > 0 && line_at(plot, i - 1) <= 0 && line_at(plot, i + 1) <= 0)
            buf_printf(buf, "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n",
                       column_middle(field, i), y);
    }
}

void plot_standing(struct buf *buf, const struct plot *plot, bool narrow)
{
    struct standing field = standing_of(plot, narrow);
    bool two_lines = false;

    for (size_t i = 0; i < plot->count; i++)
        two_lines |= plot->bars[i].below[0] != '\0';
    begin(buf, plot, narrow, field.bottom + (two_lines ? 40 : 24));
    (void)legend(buf, plot, narrow);
    draw_axes(buf, plot, &field);
    for (size_t i = 0; i < plot->count; i++)
        draw_column(buf, plot, &field, i);
    if (plot->line) {
        draw_line(buf, plot, &field, "halo");
        draw_line(buf, plot, &field, "line");
        draw_points(buf, plot, &field);
    }
    draw_labels(buf, plot, &field);
    svg_end(buf);
}
