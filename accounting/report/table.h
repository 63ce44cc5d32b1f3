/*
 * table.h - rows and columns: aligned for people, or with a delimiter for programs
 */
#ifndef CARBON_REPORT_TABLE_H
#define CARBON_REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/columns.h"
#include "report/row.h"

/*
 * Append the aligned table, with or without its header. Never as wide as the terminal says, as
 * sacct's, but as its content is. -ENOMEM.
 */
MUST_CHECK int table_write(const struct row *rows, size_t count,
                           const struct column_choices *choices, bool header, struct buf *buf,
                           struct error *err);

/*
 * Append the same for programs: values between delimiters, with one after the last where
 * `trailing`. Values are whole, unless a width was named (Energy%12). A delimiter inside text that
 * users chose is escaped as control characters are, so that nobody's job name adds a field.
 */
MUST_CHECK int table_write_parsable(const struct row *rows, size_t count,
                                    const struct column_choices *choices, bool header,
                                    const char *delimiter, bool trailing, struct buf *buf,
                                    struct error *err);

/*
 * Below a table of several jobs: their sum (steps are in it already) and how grams were computed,
 * with equivalences of the sum where `compare`. The rows may hold steps; only rows of jobs, or of
 * all parts of their time, count.
 */
void table_write_summary(const struct row *rows, size_t count, bool compare, struct buf *buf);

#endif
