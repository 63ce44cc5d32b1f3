/*
 * csv_rows.h - the rows of a small table with a header line (RFC 4180), by libcsv
 */
#ifndef CARBON_CARBON_CSV_ROWS_H
#define CARBON_CARBON_CSV_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define CSV_COLUMNS_MAX 16

/* One row, while `take` runs. */
struct csv_row {
    const char *name;           /* of the file, for messages */
    const char *const *columns; /* as csv_rows() was given them */
    unsigned line;              /* that the row begins on */
    char **fields;              /* by index of columns; NULL: of a column that is missing */
    struct error *err;
};

/*
 * Hand each row below the header to `take`, its fields in the order of `columns` (which ends with
 * NULL), whatever the order in the file; other columns are ignored, blank lines too. A column named
 * with a ? in front ("?pue") may be missing. -EBADMSG
 * with "name:line: column: what is wrong" for a header without a column, a row with fewer or more
 * fields than the header, bad quoting; else the first negative that take returns; -ENOMEM.
 */
MUST_CHECK int csv_rows(const char *text, const char *name, const char *const *columns,
                        int (*take)(void *arg, const struct csv_row *row), void *arg,
                        struct error *err);

/* For takers: a bad field. Sets "name:line: column: "field": remedy" and returns -EBADMSG. */
int csv_bad_field(const struct csv_row *row, size_t column, const char *remedy);

/* Copy a field that may be neither empty nor longer than size - 1 bytes, nor hold control bytes. */
MUST_CHECK int csv_take_text(const struct csv_row *row, size_t column, char *room, size_t size);
/* Kilograms such as 44.18 to milligrams. */
MUST_CHECK int csv_take_kg(const struct csv_row *row, size_t column, uint64_t *ret_mg);
MUST_CHECK int csv_take_year(const struct csv_row *row, size_t column, uint32_t *ret_year);

#endif
