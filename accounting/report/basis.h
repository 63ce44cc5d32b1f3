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
#include "store/period.h"

struct basis {
    struct factor_set set;
    int64_t as_of;             /* its number, or INT64_MAX: the newest */
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
 * that is not there, with what there is. basis_clear() ends *ret, after failure too. The store is
 * within a transaction, or nobody else writes to it.
 */
MUST_CHECK int basis_load(struct store *store, int64_t number, const char *zone, int64_t from_s,
                          int64_t to_s, struct basis *ret, struct error *err);
/* The same in two steps, for who knows later which hours. */
MUST_CHECK int basis_load_set(struct store *store, int64_t number, const char *zone,
                              struct basis *ret, struct error *err);
MUST_CHECK int basis_load_hours(struct store *store, int64_t from_s, int64_t to_s,
                                struct basis *basis, struct error *err);
void basis_clear(struct basis *basis);
/* For store_ask_ahead(): what basis_load() of the newest set reads, where its Zone and GridBasis
   are these. */
void basis_ask(struct store *store, const char *zone, const struct conf *conf);

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
 * when first asked for. The month that goes on ends where the books do, as its report does. Share
 * mode and spread idle energy need what all jobs of the month used, and read it. Texts and numbers
 * of the basis are used until the end; NULL without memory.
 */
struct basis_months; /* a cache, belongs to one store and basis */
struct basis_months *basis_months_new(struct store *store, const struct basis *basis,
                                      const char *cluster);
struct basis_months *basis_months_free(struct basis_months *months); /* takes NULL */
/* A node that uses come of. Where the inventory says how many devices all nodes have, nothing else
   needs to be known of it; all nodes of the cluster are read for one that was not met, and where
   the inventory leaves numbers to them. */
MUST_CHECK int basis_months_meet(struct basis_months *months, int64_t node_key, const char *name,
                                 struct error *err);
/* Whose uses come next, for messages, until the end; else "the job". */
void basis_months_name(struct basis_months *months, const char *who);

/* Masses are in 2^-32 mg, so that parts of a job add up to it: range_fine_mg(). */
struct job_embodied {
    bool has;                 /* false: no inventory; amount and the two below are 0 */
    struct range_fine amount;
    uint64_t gpu_ms, core_ms; /* that the pools count */
    bool missing;             /* a part was on nodes of no known type: missing_embodied */
    exact spread;             /* its part of unallocated idle energy, with IdlePolicy=spread */
};

/* One line of a calculation by hand: what a job held of one pool in one month. */
struct embodied_line {
    int64_t from_s, to_s;     /* the month, up to the end of the books */
    enum pool_kind pool;
    uint64_t used_ms;         /* by the job, that the pool counts */
    uint64_t total_used_ms;   /* by all jobs: in share mode alone */
    const struct embodied_period *period; /* pools and assets; all 0 without an inventory */
    struct range_fine amount;
    uint64_t held_ms, total_held_ms; /* by it and by all, on any node: with IdlePolicy=spread */
    uint64_t idle_mj;         /* unallocated energy of the pool's nodes, and of those in no pool, */
    uint64_t outside_mj;      /* before the latter is shared out */
    uint64_t idle_mg, outside_mg; /* their emissions */
    uint64_t spread_mg;       /* of the pool with its part of what is outside */
    exact spread;             /* the job's part */
};
/*
 * The embodied emissions of what a job held within [from_s, to_s), at full hours (-EINVAL), each
 * month's by the pools of the whole month. `uses` are all its allocations, not clipped. from_s may
 * be 0 and to_s INT64_MAX rounded down; months that the job does not touch cost nothing. The job is
 * of the cluster. With IdlePolicy=spread, the basis has the grid's hours of all of these months.
 * `line` may be NULL, and may return a negative errno to stop. As the month's report has it, but
 * for a milligram of rounding. -ERANGE when it (in share mode: all jobs) held more than there was,
 * with what to correct.
 */
MUST_CHECK int basis_job_embodied(struct basis_months *months, const struct period_use *uses,
                                  size_t n_uses, int64_t from_s, int64_t to_s,
                                  int (*line)(void *arg, const struct embodied_line *line),
                                  void *arg, struct job_embodied *ret, struct error *err);

#endif
