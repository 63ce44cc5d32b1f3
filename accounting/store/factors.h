/*
 * factors.h - factor sets: everything besides the books that a figure rests on, versioned
 *
 * A set is numbered from 1. The newest is in force; any older one can be read again for ever. Facts
 * are documents (whole texts of files) and intervals of grid series. Writing makes a new set,
 * inside the caller's transaction, and none when nothing would change.
 */
#ifndef CARBON_STORE_FACTORS_H
#define CARBON_STORE_FACTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/grid.h"
#include "core/error.h"

struct store;

/* Names of documents. SETTINGS: lines Key=Value of those keys of carbon.conf that change figures
   (Zone, PUE, GridBasis, IdlePolicy, EmbodiedMode, ExpectedUtilisation), in that order, values as
   conf_format(). The others are the texts of the files of that name. */
#define FACTORS_SETTINGS "settings"
#define FACTORS_INVENTORY "inventory.conf"
#define FACTORS_GRID "grid_intensity.csv"
#define FACTORS_EMBODIED "embodied_factors.csv"
#define FACTORS_EQUIVALENCES "equivalences.csv"

struct factor_set {
    int64_t number;
    int64_t made_s;
    char made_by[256];
};

/* The newest set. -ENODATA: there is none yet ("carbonctl factors update" makes it). */
MUST_CHECK int factors_newest(struct store *store, struct factor_set *ret, struct error *err);
/* Set `number`. -ENOENT with the range that there is. */
MUST_CHECK int factors_get(struct store *store, int64_t number, struct factor_set *ret,
                           struct error *err);
/* All sets, oldest first. */
MUST_CHECK int factors_sets(struct store *store,
                            void (*take)(void *arg, const struct factor_set *set), void *arg,
                            struct error *err);

/* A document of a set, malloc'ed; *ret_text is NULL when the set has none of that name. */
MUST_CHECK int factors_document(struct store *store, int64_t set, const char *name,
                                char **ret_text, struct error *err);
/* All documents of a set (INT64_MAX: the newest) at one go; the texts are take()'s while it runs,
   and it returns 0 or -ENOMEM. */
MUST_CHECK int factors_each_document(struct store *store, int64_t set,
                                     int (*take)(void *arg, const char *name, const char *text),
                                     void *arg, struct error *err);

/* --- writing: inside a transaction of a store opened with STORE_WRITE ------------------------- */

struct factor_change; /* a set in the making */

/* Begin a new set. Nothing is written before something differs. NULL without memory. */
struct factor_change *factors_change_new(struct store *store, const char *made_by);
struct factor_change *factors_change_free(struct factor_change *change); /* takes NULL */
/* Put a document; NULL text ends it. Same text as in force: nothing happens. A text that was put
   before in this change is replaced. */
MUST_CHECK int factors_put_document(struct factor_change *change, const char *name,
                                    const char *text, struct error *err);
/* The set that was made: its number, or 0 when nothing differed. */
int64_t factors_change_set(const struct factor_change *change);

/* --- grid series ------------------------------------------------------------------------------ */

struct grid_series {
    int64_t series_key; /* 0: not in the database yet */
    char zone[32], basis[16], scope[16], source[256];
};

struct factors_import {
    size_t added, same; /* of the new intervals */
    size_t replaced;    /* of those in force, ended */
};

/*
 * Add sorted intervals that do not overlap each other (-EINVAL). One that is in force already, with
 * the same bounds, figures and source, is left. Others in force of the same zone, basis and scope
 * that overlap them: -EEXIST naming the first, before anything is written; unless `replace`, which
 * ends them from the new set on (what they covered beyond the new ones stays in force). The caller
 * rolls back on failure. The zone is kept in upper case.
 */
MUST_CHECK int factors_put_intervals(struct factor_change *change, const struct grid_series *series,
                                     const struct grid_interval *intervals, size_t count,
                                     bool replace, struct factors_import *ret, struct error *err);

/* A series of a set, with what it has. */
struct grid_series_summary {
    struct grid_series series;
    int64_t begin_s, end_s; /* first and last */
    size_t intervals, estimated;
    int64_t missing_s;      /* seconds in between without a value */
};
MUST_CHECK int factors_series(struct store *store, int64_t set,
                              void (*take)(void *arg, const struct grid_series_summary *series),
                              void *arg, struct error *err);

/* A series whose intervals of two sets differ. */
struct grid_series_change {
    struct grid_series series;
    size_t ended, added; /* intervals of the one set that the other does not have */
};
/* From set `old` to set `new`, whichever is the older. By zone, basis, scope and source. */
MUST_CHECK int factors_series_changes(struct store *store, int64_t old, int64_t new,
                                      void (*take)(void *arg,
                                                   const struct grid_series_change *change),
                                      void *arg, struct error *err);

/*
 * Intervals of a zone (without case) and basis that touch [from_s, to_s), in order, as of a set.
 * Where the set has both scopes of them, at whatever time, consumption alone: a job's card and its
 * month's report agree on the scope. *ret is malloc'ed; *ret_series names the first interval's (key
 * 0: there is none).
 */
MUST_CHECK int factors_intervals(struct store *store, int64_t set, const char *zone,
                                 const char *basis, int64_t from_s, int64_t to_s,
                                 struct grid_series *ret_series, struct grid_interval **ret,
                                 size_t *ret_count, struct error *err);

#endif
