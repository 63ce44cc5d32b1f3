/*
 * profile.h - a job's power over time: drawn in a terminal, as SVG, as CSV and as JSON
 *
 * All append to a buf. The same minutes give the same bytes, in one time zone.
 */
#ifndef CARBON_REPORT_PROFILE_H
#define CARBON_REPORT_PROFILE_H

#include "core/buf.h"
#include "report/profile_plot.h"

#define PROFILE_WIDTH_MIN 40 /* columns of a terminal; narrower ones get this and wrap */

/* Nothing to draw: -ENODATA, with the reason. Else -ENOMEM. */
MUST_CHECK int profile_draw(const struct profile_view *view, size_t width, struct buf *buf,
                            struct error *err);

/* One file that needs no other, in the colours that its reader prefers, light or dark. */
MUST_CHECK int profile_svg(const struct profile_view *view, struct buf *buf, struct error *err);

/* Tables: one row for each minute, node and component. */
void profile_csv_head(struct buf *buf);
void profile_csv_row(struct buf *buf, const struct profile_row *row);

void profile_json_head(struct buf *buf, const struct row *job_or_step);
void profile_json_row(struct buf *buf, const struct profile_row *row, bool first);
void profile_json_end(struct buf *buf);

/* -ENODATA and why there is nothing to draw. */
int profile_nothing(const struct profile_view *view, struct error *err);

/* "n[1-2]" or "n1"; "so far" and other words on what is drawn, for a title. */
void profile_nodes(const struct profile_view *view, struct buf *buf);

#endif
