/*
 * fold.h - old batches of a stream that follow each other without a break become one row, a run
 *
 * Nobody asks an old batch for more than a run says too: that it is in the books, from when to when
 * its node was metered, and where the counters stood before and after.
 *
 * Work is done in passes, as in prune.h. A sweep looks at the runs that are there and at what has
 * come since: it costs what is new, not what was folded before.
 *
 * Invariants:
 *   F1  a run holds every seq from first_seq to seq, and no seq is in two rows
 *   F2  two rows become one only where the audit finds nothing between them and in neither: the
 *       later follows the earlier in seq, in boot and wall time and in each counter. What is broken
 *       or missing stays, and stays visible
 *   F3  in the time of a run that is made no other stream of the node ends a batch: of the rows of
 *       a node, the first that ends after an instant still tells whether the node was metered then
 *   F4  a run's last batch keeps its row: number, checksum and ends are its own
 */
#ifndef CARBON_STORE_FOLD_H
#define CARBON_STORE_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"

struct store;

/* In one pass: so many rows of `batch` are read, and nodes looked at. */
#define FOLD_ROWS 20000
#define FOLD_NODES 2000

/* Rows of `batch` that are one, or can become one; of its stream "" there is none. */
struct fold_run {
    char stream[17], boot_id[BOOT_ID_SIZE];
    int64_t first_seq, seq;
    int64_t begin_boottime_ns, end_boottime_ns, begin_wall_ns, end_wall_ns;
    bool dropped; /* its meter had given up batches */
    bool sound;
    struct {
        bool has;
        int64_t begin_uj, end_uj;
    } components[COMPONENT_COUNT];
    uint64_t rows;
    bool counted; /* among fold->runs */
};

/* A sweep over all nodes; begin it with fold_init(). */
struct fold {
    int64_t before_ns;   /* batches that ended earlier are folded */
    uint64_t rows, runs; /* of `batch` that went; that were made, or grew */
    bool done;
    int64_t node_key;    /* where to go on; all nodes below are done */
    struct fold_run run; /* the last row of that node that was read, and those before it */
};

void fold_init(struct fold *fold, int64_t before_s);

/*
 * One more pass, until fold->done, in a store that is alone; others may load between two passes. On
 * failure nothing of this pass was done, and what is left is for a new sweep: the database may be
 * another one. -EUCLEAN: F1 does not hold in the books, see the audit.
 */
MUST_CHECK int fold_pass(struct store *store, struct fold *fold, struct error *err);

/* What a sweep would do: fold->rows and runs, at once and without changing anything. */
MUST_CHECK int fold_count(struct store *store, struct fold *fold, struct error *err);

#endif
