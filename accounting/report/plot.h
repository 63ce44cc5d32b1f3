/*
 * plot.h - stacked bars, lying or standing, as SVG in two sizes
 *
 * Every plot is drawn twice, for screens and paper (class "wide") and for telephones ("narrow");
 * the style sheet shows one. A plot is an image with a title and a description: its figures must
 * stand in a table of the page too.
 */
#ifndef CARBON_REPORT_PLOT_H
#define CARBON_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define PLOT_SERIES_MAX 5
#define PLOT_WIDE 840.0   /* user units */
#define PLOT_NARROW 328.0 /* 360 pixels without the margins */
#define PLOT_TEXT 14.0    /* sizes of text, as in the style sheet */
#define PLOT_SMALL 12.5

/* What one colour of a stack stands for. */
struct plot_series {
    const char *class; /* of the style sheet */
    const char *name;
};

/* One stacked bar. */
struct plot_bar {
    const char *label;  /* anyone's text; NULL: `text` */
    char text[32];
    char below[8];      /* of a standing one: a second line under the label */
    char value[32];     /* at its end */
    uint64_t amounts[PLOT_SERIES_MAX];
    char tip[96];       /* beside the pointer, behind the label; "": the value */
    bool dim;           /* nothing is known */
    bool strong;        /* of a standing one: what the page is about */
    double line;        /* of a standing one: on the second axis; 0: no point */
};

struct plot {
    const char *id, *title, *desc;  /* plain text */
    const struct plot_series *series;
    size_t n_series;
    const struct plot_bar *bars;
    size_t count;
    bool labels_above;              /* of lying bars on a telephone */
    const char *axis;               /* of standing bars: the axis' title */
    double axis_size;               /* amounts in one of its units */
    const char *line, *line_axis;   /* NULL: no line */
};

void plot_lying(struct buf *buf, const struct plot *plot, bool narrow);
void plot_standing(struct buf *buf, const struct plot *plot, bool narrow);

#endif
