/*
 * loss.h - batches that are given up for good
 *
 * Every batch of a stream counts on from the one before it, so that one that never comes leaves a
 * hole, which the audit fails for until it is written off. A loss that is written off stays in
 * the books: the audit goes on stating it, and the time of the hole is booked as a gap of
 * every job that lived in it and of the node, so that coverage falls. No energy is booked for it.
 *
 * Invariants:
 *   G1  no seq is both in a loss and in the books, nor in two losses
 *   G2  gap rows of sensor "lost" are there for a hole if and only if all of it is given up
 *   G3  a batch that is loaded after all is counted as any: the loss that held it is taken back
 */
#ifndef CARBON_STORE_LOSS_H
#define CARBON_STORE_LOSS_H

#include "store/store.h"

struct loss_note {
    const char *reason;  /* for whoever reads the audit */
    const char *made_by; /* who gives up */
};

/* A stretch of seqs of one stream. */
struct loss_span {
    const char *cluster, *node, *stream;
    int64_t first_seq, last_seq;
};

/*
 * Give up, inside the open transaction, every batch that a node's streams miss (before the newest
 * that is in the books of each), or those of one stream; `take` is told each hole. `cluster` NULL:
 * the one that has such a node, with that stream. -ENOENT: no such node, or stream of it.
 * -ENOTUNIQ: several clusters have one, and nothing is given up. Holes there may be none.
 */
MUST_CHECK int loss_accept(struct store *store, const char *cluster, const char *node,
                           const char *stream, const struct loss_note *note,
                           void (*take)(void *arg, const struct loss_span *span), void *arg,
                           struct error *err);

enum loss_outcome {
    LOSS_BOOKED,
    LOSS_THERE_ALREADY, /* given up before */
    LOSS_NONE,          /* the batch of this seq is in the books */
    LOSS_NODE_UNKNOWN,  /* no batch of the node is in the books: nothing to state it of */
    LOSS_NODE_UNCLEAR,  /* several clusters have such a node, and the stream is not of just one */
};

/*
 * Give up one batch, inside the open transaction. A file's name tells no cluster: of nodes of one
 * name it is the one that has the stream.
 */
MUST_CHECK int loss_give_up(struct store *store, const char *node, const char *stream, int64_t seq,
                            const struct loss_note *note, enum loss_outcome *ret_outcome,
                            struct error *err);

/* For loading alone: a batch was booked, so hold G1 to G3 again. */
MUST_CHECK int loss_settle(struct store *store, int64_t node_key, const char *cluster,
                           const char *stream, int64_t seq, struct error *err);

#endif
