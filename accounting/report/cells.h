/*
 * cells.h - columns of text for a report in plain text: each as wide as it must be
 */
#ifndef CARBON_REPORT_CELLS_H
#define CARBON_REPORT_CELLS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define CELLS_COLUMNS_MAX 12

struct cells {
    size_t n_columns;
    bool right[CELLS_COLUMNS_MAX]; /* numbers */
    char **texts;                  /* n_columns for each row, malloc'ed; the first row is bold */
    size_t count;
    bool failed;
};

/* Columns are added before any cell. */
void cells_column(struct cells *cells, bool right);
/* The next cell, row by row; takes what the buf holds and frees it. */
void cells_take(struct cells *cells, struct buf *text);
void cells_text(struct cells *cells, const char *text);
/*
 * Append all rows, two blanks in front and between; `heading` says that the first is one, in bold
 * where `colour`, and not shown where not `header`. Frees the cells. -ENOMEM.
 */
MUST_CHECK int cells_write(struct cells *cells, bool heading, bool header, bool colour,
                           struct buf *buf, struct error *err);

#endif
