/*
 * known.h - what the books know of what a transaction loads; private to accounting/store
 *
 * Each batch asks for its node, for itself and for its allocations. Asked one by one, a database
 * behind a connection answers a few thousand a second; here those of many batches are asked for
 * together (known_expect), and what was not expected is asked for when it is needed. Changes of
 * allocations and steps are gathered beside it: pending_book() puts them into the books.
 */
#ifndef CARBON_STORE_KNOWN_H
#define CARBON_STORE_KNOWN_H

#include "store/db.h"
#include "store/pending.h"
#include "store/sums.h"

struct known_node {
    const char *cluster, *name;
    int64_t node_key; /* 0: not in the books */
    uint32_t packages, cores, gpus;
    int64_t memory_mb;
    const char *newest_stream; /* of the batch that ended last; NULL: it has none */
    int64_t newest_end_ns;
    bool left_open; /* allocations of other streams than the newest may be open */
};

/* What a job's row says that batches tell of, by parameters 2 to 18 of SQL_UPDATE_JOB in load.c. */
enum { FACT_BEGIN, FACT_FIRST, FACT_SLUID, FACT_LAST = 14, FACT_EXIT, FACT_FLAGS, FACTS };

/* sluid; user to name */
#define FACT_IS_TEXT(fact) ((fact) == FACT_SLUID || ((fact) >= 5 && (fact) <= 9))

#define ALLOCATION_COLUMNS 15

struct known_allocation {
    int64_t node_key;
    const char *stream;
    int64_t ref;
    int64_t allocation_key, job_key, seen_seq, end_ns;
    bool open;
    uint32_t flags;
    struct sums_life life;
    bool job_has_state;
    struct cell facts[FACTS];
    struct known_run *run;               /* that this transaction began; or NULL */
    bool waits;                          /* row is to be booked: known_wait() */
    struct known_allocation *next;       /* that waits */
    struct cell row[ALLOCATION_COLUMNS]; /* of into_allocations */
};

/* The runs of a job id. */
struct known_run {
    const char *cluster;
    int64_t job_id;
    bool unclear;    /* the books have one, or may: identity_find() knows */
    bool ended;      /* an allocation of it has */
    int64_t job_key; /* of the only one, which this transaction began; 0: there is none */
    struct cell facts[FACTS];
};

extern const struct insert into_allocations, into_batches, into_jobs, into_steps;
#define STEP_COLUMNS 12
#define STEP_SEEN_SEQ 5 /* places in a row of into_steps */
#define STEP_EXIT 7

/* Ask for all that these batches, which come next, will need. */
MUST_CHECK int known_expect(struct store *store, const struct batch *const *batches, size_t count,
                            struct error *err);

MUST_CHECK int known_node(struct store *store, const char *cluster, const char *name,
                          struct known_node **ret, struct error *err);

#define KNOWN_FOLDED "folded" /* it lies within a run (fold.h), and its checksum is forgotten */

/* *ret_crc: of the batch of this id, or KNOWN_FOLDED; "" when there is none. */
MUST_CHECK int known_batch(struct store *store, int64_t node_key, const char *stream, int64_t seq,
                           const char **ret_crc, struct error *err);
/* It is there from now on; -ENOMEM. */
MUST_CHECK int known_add_batch(struct store *store, struct known_node *node, const char *stream,
                               int64_t seq, const char *crc32, int64_t end_wall_ns);

/* Are all its allocations known? Takes NULL: no. */
static inline bool known_is_clear(const struct known_run *run)
{
    return run && !run->unclear;
}

/* The one of this node, stream and ref, of a job of this run. *ret is NULL when there is none; else
   good until known_forget(). */
MUST_CHECK int known_allocation(struct store *store, const struct known_allocation *key,
                                const struct known_run *run, struct known_allocation **ret,
                                struct error *err);

/* Was it expected, and found to be open? */
bool known_is_open(struct store *store, const struct batch_head *head, uint64_t ref);

/* Have its row booked. */
void known_wait(struct store *store, struct known_allocation *known);

/* Ask for the runs of these batches' jobs that are not open on their nodes, but for those that are
   not mine. After store_claim_jobs(), so that nobody else begins one. */
MUST_CHECK int known_expect_runs(struct store *store, const struct batch *const *batches,
                                 size_t count, const bool *mine, struct error *err);
/* NULL where it was not expected; good until known_forget(). */
struct known_run *known_run(struct store *store, const char *cluster, uint32_t job_id);
/* Has this run, which the transaction began, an allocation on that node? */
bool known_is_on(struct store *store, const struct known_run *run, int64_t node_key);
/* An allocation of such a run, which the books do not have: it is known, and waits. -ENOMEM. */
MUST_CHECK int known_add_allocation(struct store *store, const struct known_allocation *known);

/* A key for a new row. Whoever loads takes all from here. */
MUST_CHECK int known_new_key(struct store *store, enum keyed keyed, int64_t *ret_key,
                             struct error *err);

/* Have a row of into_steps booked: that of the highest seen_seq stays. -ENOMEM. */
MUST_CHECK int known_add_step(struct store *store, const struct cell row[STEP_COLUMNS]);

/* Someone changed allocations or their jobs in the tables. None of them waits. */
void known_forget(struct store *store);

/* For pending.c: book what waits; all of it goes. */
MUST_CHECK int known_book_allocations(struct store *store, struct error *err);
MUST_CHECK int known_book_steps(struct store *store, struct error *err);
void known_drop(struct pending *pending);

#endif
