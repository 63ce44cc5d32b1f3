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
enum { FACT_BEGIN, FACT_FIRST, FACT_LAST = 14, FACT_EXIT, FACT_FLAGS, FACTS };

#define FACT_IS_TEXT(fact) ((fact) == 2 || ((fact) >= 5 && (fact) <= 9)) /* sluid; user to name */

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
    bool waits;                          /* row is to be booked: known_wait() */
    struct known_allocation *next;       /* that waits */
    struct cell row[ALLOCATION_COLUMNS]; /* of into_allocations */
};

extern const struct insert into_allocations, into_batches, into_steps;
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

/* *ret is NULL when there is none; else good until known_forget(). */
MUST_CHECK int known_allocation(struct store *store, int64_t node_key, const char *stream,
                                int64_t ref, struct known_allocation **ret, struct error *err);

/* Was it expected, and found to be open? */
bool known_is_open(struct store *store, const struct batch_head *head, uint64_t ref);

/* Have its row booked. */
void known_wait(struct store *store, struct known_allocation *known);

/* Have a row of into_steps booked: that of the highest seen_seq stays. -ENOMEM. */
MUST_CHECK int known_add_step(struct store *store, const struct cell row[STEP_COLUMNS]);

/* Someone changed allocations or their jobs in the tables. Nothing waits. */
void known_forget(struct store *store);

/* For pending.c: book what waits; all of it goes. */
MUST_CHECK int known_book_allocations(struct store *store, struct error *err);
MUST_CHECK int known_book_steps(struct store *store, struct error *err);
void known_drop(struct pending *pending);

#endif
