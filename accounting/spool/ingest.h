/*
 * ingest.h - delivered batches into the books, each exactly once
 *
 * Invariants:
 *   N1  a file is removed from DeliverDir only after the commit that says what became of it
 *   N2  killed at any instant, the next round comes to the same books: a batch that was committed
 *       and not yet removed is found to be a duplicate
 *   N3  a bad file never stops or undoes another: it is moved to DeliverDir/quarantine, with its
 *       reason beside it (NAME.reason) and in the books; quarantine.h has what may be done with it
 *   N4  what an ordinary user could have put there is not loaded: nothing from a DeliverDir that
 *       everybody may write, and no file that is not root's, DeliverDir's owner's or our own, that
 *       everybody may write, or that has a second name
 */
#ifndef CARBON_SPOOL_INGEST_H
#define CARBON_SPOOL_INGEST_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define INGEST_GROUP_BATCHES 2000 /* loaded by one commit, at most … */
#define INGEST_GROUP_MS 1000      /* … and begun within this time */

struct ingest_report {
    uint64_t loaded, duplicates, quarantined;
    uint64_t left; /* could not be read or moved, and stay where they are: of the last round, and
                      of those before it that had more to do */
    bool more;     /* the last round ended before it had looked at all: there is more to do … */
    char after[256]; /* … and the next one begins behind this name */
};

struct ingest {
    struct store *store; /* open for writing */
    const char *deliver_dir;
    const volatile sig_atomic_t *stop; /* not 0: end after the batch in hand; may be NULL */
    int64_t turn_ms; /* begin no group of batches after this time; 0: any */
    size_t group_batches; /* 0: INGEST_GROUP_BATCHES */
    void (*say)(const char *text); /* one line for each file that was not simply loaded; or NULL */
};

/* Is there a batch in DeliverDir? 1 or 0, or a negative errno; the database is not asked. */
MUST_CHECK int ingest_is_due(const struct ingest *ingest, struct error *err);

/*
 * One round: load what lies in DeliverDir now, in the order of (node, stream, seq), and add what
 * was done to *report. An error is the database's or the directory's; what was committed before
 * it stays, and a later round goes on. -EBUSY: readers did not let the commit through.
 */
MUST_CHECK int ingest_round(const struct ingest *ingest, struct ingest_report *report,
                            struct error *err);

#endif
