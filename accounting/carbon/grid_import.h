/*
 * grid_import.h - files of grid intensity, from text to series that can be stored
 *
 * Formats (docs/formats/grid-intensity.md has each with its source):
 *     csv              our own: start_utc,end_utc,gco2e_per_kwh[,zone,basis,scope,source,estimated]
 *     electricitymaps  CSV of Electricity Maps' data portal: hourly, daily, monthly …
 *     uk               JSON of the Carbon Intensity API of Great Britain
 *     eco2mix          CSV of RTE's éCO2mix, France
 *
 * All is checked here, before anything is stored: an import is whole or it is refused, with file,
 * line (JSON: element), field and remedy. Marginal intensities are refused. Pure.
 */
#ifndef CARBON_CARBON_GRID_IMPORT_H
#define CARBON_CARBON_GRID_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/grid.h"
#include "core/error.h"

enum grid_format { GRID_ANY, GRID_CSV, GRID_ELECTRICITYMAPS, GRID_UK, GRID_ECO2MIX, GRID_FORMATS };

/* "any", "csv", …; GRID_FORMATS for a name that is none. */
const char *grid_format_name(enum grid_format format);
enum grid_format grid_format_find(const char *name);

struct grid_import_options {
    enum grid_format format;  /* GRID_ANY: told from the content */
    const char *zone;         /* NULL: as the file says; else the file's, or a wider one (below) */
    const char *basis;        /* NULL: as the file says; electricitymaps: this column alone */
    const char *scope;        /* NULL: as the file says */
    const char *source;       /* NULL: as the file says */
    bool allow_gaps;
};

/* Sorted, without overlaps, checked. */
struct grid_import_series {
    char zone[32], basis[16], scope[16], source[256];
    struct grid_interval *intervals;
    size_t count;
    size_t estimated;           /* of count */
    int64_t missing_s;          /* between the first and the last */
    uint64_t min_ug, mean_ug, max_ug; /* per kWh; the mean is weighted by time */

    struct grid_origin *origins; /* private: where each interval stood */
    size_t room;
};

struct grid_import;

/* NULL without memory. The options' texts must live as long. */
struct grid_import *grid_import_new(const struct grid_import_options *options);
struct grid_import *grid_import_free(struct grid_import *import); /* takes NULL, returns NULL */

/*
 * Read one file's text; `name` is for messages and must live as long as the import. Several files
 * may follow each other, such as one a year. -EBADMSG: it is not as it should be; -EINVAL: an
 * option contradicts it; -ENOTSUP: it is of marginal intensities. After a failure only
 * grid_import_free() is left.
 *
 * A file of a part of a zone ("US-CAR-CPLE", or region 13 of Great Britain, "GB-13") is taken for
 * the whole zone when that is asked for (zone "US"); its source says so then.
 */
MUST_CHECK int grid_import_read(struct grid_import *import, const char *name, const char *text,
                                size_t len, enum grid_format *ret_format, struct error *err);

/*
 * After the last file: sort, and look for duplicates, overlaps and gaps. The same value at the same
 * time in two files counts once: requests for periods that follow each other share their borders.
 * -EBADMSG.
 */
MUST_CHECK int grid_import_end(struct grid_import *import, struct error *err);

/* What was read; of grid_import_end() on. */
size_t grid_import_count(const struct grid_import *import);
const struct grid_import_series *grid_import_at(const struct grid_import *import, size_t index);

/* Why marginal intensities are refused, as one sentence. */
#define GRID_MARGINAL_REASON \
    "marginal intensities are refused: they say what one more kWh would emit, not what those " \
    "used did (GHG Protocol Scope 2 asks for averages)"

#endif
