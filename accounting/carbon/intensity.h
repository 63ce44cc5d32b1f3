/*
 * intensity.h - how much CO2e a kilowatt-hour of a zone's grid stands for
 *
 * The shipped table, grid_intensity.csv, has the columns zone, name, gco2e_per_kwh, year, basis and
 * source, in any order, with a header line; others are ignored. Ember's figures are under CC BY
 * 4.0: whoever prints a figure prints its source too.
 */
#ifndef CARBON_CARBON_INTENSITY_H
#define CARBON_CARBON_INTENSITY_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define INTENSITY_FILE "grid_intensity.csv"

struct intensity {
    char zone[32];          /* "FR", as the table spells it */
    char name[96];          /* "France", UTF-8 */
    char basis[16];         /* "lifecycle" or "direct" */
    char source[192];
    uint32_t year;          /* that the figure is of */
    uint64_t ug_per_kwh;    /* micrograms of CO2e per kWh: 57 g is 57 000 000 */
};

/*
 * Where a shipped table lies: in the directory CARBON_DATA of the environment (tests run from a
 * build tree set it), else where it was installed.
 */
void table_path(const char *file, char ret_path[PATH_MAX]);
void intensity_path(char ret_path[PATH_MAX]); /* of INTENSITY_FILE */

/*
 * The figure of `zone`, matched without case. Where the table has several, lifecycle goes before
 * direct, then the newest year, then the first in the file: one zone, one figure.
 * -ENOENT for a zone that the table does not have, naming those that come nearest; -EBADMSG for a
 * malformed table, with file, line, column and remedy; else the errno of reading it. *ret is
 * untouched on failure.
 */
MUST_CHECK int intensity_find(const char *path, const char *zone, struct intensity *ret,
                              struct error *err);

/*
 * The rows of `zone`, matched without case, in the text of such a table, one a year by rising year
 * (of several the first): those of `basis` when there are any, else those of the other one, so that
 * years of one zone never mix bases. *ret is malloc'ed. `name` is the table's, for messages, which
 * are intensity_find()'s; -ENOMEM.
 */
MUST_CHECK int intensity_years(const char *text, const char *name, const char *zone,
                               const char *basis, struct intensity **ret, size_t *ret_count,
                               struct error *err);

#endif
