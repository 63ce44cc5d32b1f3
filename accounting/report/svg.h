/*
 * svg.h - what the plots of a page are drawn with
 *
 * Lengths are in user units: pixels where the drawing is as wide as its view box. Colours and sizes
 * of text are the style sheet's, by class.
 */
#ifndef CARBON_REPORT_SVG_H
#define CARBON_REPORT_SVG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

/*
 * <svg role="img"> with a title and a description for those who cannot see it (plain text, both
 * escaped here). `id` is unique in the page; `class` is of the style sheet.
 */
void svg_begin(struct buf *buf, const char *id, const char *class, double width, double height,
               const char *title, const char *desc);
void svg_end(struct buf *buf);

/* `tip`: plain text shown beside the pointer; NULL: none. */
void svg_rect(struct buf *buf, const char *class, double x, double y, double width, double height,
              const char *tip);
void svg_line(struct buf *buf, const char *class, double x1, double y1, double x2, double y2);
/* Plain text of anyone's, escaped; y is the base line. */
void svg_text(struct buf *buf, const char *class, double x, double y, const char *text);

/*
 * How wide text will be at `size`, to the safe side: the reader's font is not known, so that these
 * are the widths of a wide one.
 */
double svg_text_width(const char *text, double size);
/* Append text, its end replaced by "…" where it would be wider than `width`. */
void svg_fit(struct buf *buf, const char *text, double size, double width);

/* A linear axis from 0 with AXIS_STEPS equal round steps that reach `max`; of 0 for max 0. */
#define AXIS_STEPS 4
double svg_axis_step(double max);

#endif
