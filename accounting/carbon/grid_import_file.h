/*
 * grid_import_file.h - what the readers of grid formats share; private to carbon/grid_import*.c
 */
#ifndef CARBON_CARBON_GRID_IMPORT_FILE_H
#define CARBON_CARBON_GRID_IMPORT_FILE_H

#include "carbon/grid_import.h"

struct grid_origin {
    unsigned file, place;
};

struct named_file {
    const char *name;
    bool elements; /* place is an element of data[], else a line */
};

struct grid_import {
    struct grid_import_options options;
    struct grid_import_series *series;
    size_t count;
    size_t recent; /* the series that took the last row */
    struct named_file *files;
    unsigned n_files;
};

/* One file while it is read. */
struct import_file {
    struct grid_import *import;
    const struct grid_import_options *options;
    const char *name;
    unsigned index;       /* of the import's files */
    const char *text;     /* without a byte order mark */
    size_t len;
    struct error *err;
};

/* One value. Texts NULL: the file does not say; options and the format's own fill them. */
struct import_row {
    unsigned place;       /* line, or element of data[] */
    const char *zone, *basis, *scope, *source;
    struct grid_interval interval; /* end_s 0: grid_import_spread() finds it */
};

/* --- the readers, one file each --------------------------------------------------------------- */

MUST_CHECK int grid_import_csv(struct import_file *file);
MUST_CHECK int grid_import_electricitymaps(struct import_file *file);
MUST_CHECK int grid_import_uk(struct import_file *file);
MUST_CHECK int grid_import_eco2mix(struct import_file *file);

/* --- series (grid_import_series.c, grid_import_end.c) ----------------------------------------- */

/* Of the same zone, basis and scope. */
bool import_same_kind(const struct grid_import_series *a, const struct grid_import_series *b);

/* "fr.csv:12", or "gb.json: data[3]". Returns text. */
#define PLACE_SIZE 300
const char *import_place(const struct grid_import *import, struct grid_origin origin,
                         char text[PLACE_SIZE]);

/* --- what they use ---------------------------------------------------------------------------- */

/* Add a value to its series. */
MUST_CHECK int import_add(struct import_file *file, const struct import_row *row);

/*
 * Times without ends: each value of this file lasts until the next one of its series. The step must
 * be plain: one of 5, 15, 30, 60 minutes, a day, a calendar month or year. -EBADMSG when it is not.
 */
MUST_CHECK int import_spread(struct import_file *file);

/* -EBADMSG with "file:line: field: "text": remedy". */
MUST_CHECK int import_field_error(const struct import_file *file, unsigned place, const char *field,
                                  const char *text, const char *remedy);

/*
 * "2026-10-25T01:00Z", "…+02:00", a blank for the T, with or without seconds. utc: a time without
 * offset is UTC, since the heading says so; else that is an error.
 */
MUST_CHECK int import_time(const struct import_file *file, unsigned place, const char *field,
                           const char *text, bool utc, int64_t *ret_s);

/* Whether it ends after it begins, and within a year; else an error of the field with its end. */
MUST_CHECK int import_length(const struct import_file *file, unsigned place, const char *field,
                             const char *text, const struct grid_interval *interval);

/* Grams per kWh, 0 to 2000, to micrograms; digits behind the sixth decimal are cut. */
MUST_CHECK int import_grams(const struct import_file *file, unsigned place, const char *field,
                            const char *text, uint64_t *ret_ug);

/* "true" or "false", in a few spellings; "" is false. */
MUST_CHECK int import_truth(const struct import_file *file, unsigned place, const char *field,
                            const char *text, bool *ret);

/* --- tables (grid_import_table.c) ------------------------------------------------------------- */

#define IMPORT_COLUMNS_MAX 16

/* Columns that a format knows: their headings, folded as import_fold() does, and then NULL. */
struct import_column {
    const char *name;          /* for messages, as documented */
    const char *headings[6];
    bool needed;
};

struct import_line {
    unsigned line;
    const char *fields[IMPORT_COLUMNS_MAX]; /* by column; NULL: the file has no such column */
};

/*
 * Hand each row of a table to take(); rows without any text are passed over. The delimiter is ';'
 * where the header holds one, else ','. A heading that speaks of marginal intensities is refused.
 * whole: the last line must end with a newline, since a number cut off there would go unseen.
 */
MUST_CHECK int import_table(struct import_file *file, const struct import_column *columns,
                            size_t count, bool whole,
                            int (*take)(void *arg, const struct import_line *line), void *arg);

/* Lower case, without blanks and quotes, the subscript 2 as a plain one. Cut to size. */
void import_fold(const char *text, size_t len, char *ret, size_t size);

#endif
