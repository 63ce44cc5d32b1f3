/*
 * export.h - a job as one line for other programs: CSV or JSON, units in the names
 *
 * One table of fields feeds both forms; docs/formats/export.md says what each is. Nothing (CSV) or
 * null (JSON) is what is not known, never 0.
 */
#ifndef CARBON_REPORT_EXPORT_H
#define CARBON_REPORT_EXPORT_H

#include <jansson.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/row.h"

struct export_field {
    const char *name; /* with its unit: "energy_j" */
    json_t *(*value)(const struct row *row); /* NULL without memory */
};
extern const struct export_field export_fields[]; /* ends with name NULL */

/* RFC 4180, but for its line ends: the line of names, and that of a job's row. -ENOMEM. */
void export_csv_head(struct buf *buf);
MUST_CHECK int export_csv(const struct row *row, struct buf *buf, struct error *err);

/* One object on one line, in ASCII. -ENOMEM. */
MUST_CHECK int export_json(const struct row *row, struct buf *buf, struct error *err);

#endif
