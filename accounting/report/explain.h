/*
 * explain.h - the whole calculation of a job's emissions, so that a reader can redo it by hand
 */
#ifndef CARBON_REPORT_EXPLAIN_H
#define CARBON_REPORT_EXPLAIN_H

#include "core/buf.h"
#include "core/error.h"
#include "report/parts.h"

/*
 * Append every step of the row's (a job's) figures, in full precision, with factors and sources.
 * Energy is by hour, as `by` says; PARTS_NONE: hours that share their factors in one line, and days
 * where that is still too long. The row's job_carbon has its lines. -ENOMEM.
 */
MUST_CHECK int explain_write(const struct row *row, enum parts_by by, struct buf *buf,
                             struct error *err);

#endif
