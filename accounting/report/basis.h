/*
 * basis.h - what the figures of a report rest on: one factor set, read and parsed
 */
#ifndef CARBON_REPORT_BASIS_H
#define CARBON_REPORT_BASIS_H

#include <stdbool.h>
#include <stdint.h>

#include "carbon/embodied.h"
#include "carbon/factor_table.h"
#include "carbon/grid.h"
#include "carbon/inventory.h"
#include "core/buf.h"
#include "core/conf.h"
#include "core/error.h"
#include "store/factors.h"

struct basis {
    struct factor_set set;
    struct conf settings;      /* only the keys of FACTORS_SETTINGS mean anything */
    enum embodied_mode mode;
    uint64_t utilisation_ppm;  /* ExpectedUtilisation, of planned mode */
    bool spread_idle;          /* IdlePolicy=spread */
    bool has_inventory;        /* else embodied emissions are unknown, not 0 */
    char *inventory_text;      /* inventory.conf as the set has it; NULL: it has none */
    struct inventory inventory;
    struct factor_table embodied;
    struct equivalences equivalences;
    struct grid grid;          /* for the hours asked for */
};

/*
 * Set `number` (0: the newest) with the grid's hours of [from_s, to_s). zone NULL: that of the
 * settings; else the what-if of another zone. -ENODATA without any set, -ENOENT for a set or zone
 * that is not there, with what there is. basis_clear() ends *ret, after failure too. The store may
 * be within a transaction or not.
 */
MUST_CHECK int basis_load(struct store *store, int64_t number, const char *zone, int64_t from_s,
                          int64_t to_s, struct basis *ret, struct error *err);
void basis_clear(struct basis *basis);

/* A document of a set that is not made yet. */
struct basis_document {
    const char *name; /* of store/factors.h */
    const char *file; /* where it is from, for messages */
    const char *text; /* NULL: there is none */
};

/*
 * Would a set of these documents, with the grid series of the newest set, serve? 0, or the error of
 * basis_load(), naming file and line. What is not among the documents does not exist.
 */
MUST_CHECK int basis_check(struct store *store, const struct basis_document *documents,
                           size_t count, struct error *err);

/* The document FACTORS_SETTINGS of these settings: "Zone=FR\nPUE=1.2\n…". */
void basis_settings_write(const struct conf *conf, struct buf *buf);

/* Their keys, in that order; ends with NULL. */
extern const char *const basis_setting_keys[];
/* The value of a key in such a document; "" where it is not set or there is no document. */
void basis_setting(const char *text, const char *key, char *ret_value, size_t size);

/*
 * Do the settings of carbon.conf (and inventory.conf) differ from the set's? Writes "PUE is 1.3 in
 * carbon.conf and 1.2 in factor set 4" into text (one after another with "; ") and returns true.
 * An inventory that cannot be read is not compared.
 */
bool basis_differs(const struct basis *basis, const struct conf *conf, char *text, size_t size);

/*
 * Embodied emissions of single jobs of one cluster: the pools of a calendar month (UTC), worked out
 * when first asked for. Share mode and spread idle energy need what all jobs of the month used, and
 * read it. Texts and numbers of the basis are used until the end; NULL without memory.
 */
struct basis_months; /* a cache, belongs to one store and basis */
struct basis_months *basis_months_new(struct store *store, const struct basis *basis,
                                      const char *cluster);
struct basis_months *basis_months_free(struct basis_months *months); /* takes NULL */

struct job_embodied {
    bool has;                 /* false: no inventory; amount and the two below are 0 */
    struct range_mg amount;
    uint64_t gpu_ms, core_ms; /* that the pools count */
    bool missing;             /* a part was on nodes of no known type: missing_embodied */
    uint64_t spread_mg;       /* its part of unallocated idle energy, with IdlePolicy=spread */
};

/* One line of a calculation by hand: what a job held of one pool in one month. */
struct embodied_line {
    int64_t from_s, to_s;     /* the month, clipped to what was asked for */
    enum pool_kind pool;
    uint64_t used_ms, available_ms, total_used_ms; /* total in share mode alone */
    struct range_mg pool_amount, amount;
};
/*
 * The embodied emissions of what a job held within [from_s, to_s), at full hours (-EINVAL); they
 * need not be full months, and where they are not, the pool is that of the clipped month. So to_s
 * of a month that goes on is where the books end, as in its report; from_s may be 0, months that
 * the job does not touch cost nothing. The job is of the cluster. With IdlePolicy=spread, the basis
 * has the grid's hours of all of these months. `line` may be NULL, and may return a negative errno
 * to stop. As period_report has it, but for a milligram of rounding. -ERANGE when it (in share
 * mode: all jobs) held more than there was, with what to correct.
 */
MUST_CHECK int basis_job_embodied(struct basis_months *months, int64_t job_key, int64_t from_s,
                                  int64_t to_s,
                                  int (*line)(void *arg, const struct embodied_line *line),
                                  void *arg, struct job_embodied *ret, struct error *err);

#endif
