/*
 * quarantine.h - what ingest set aside: look at it, try it again, give it up
 *
 * Invariants:
 *   Q1  where a file lies says what becomes of it: in DeliverDir/quarantine it is aside, in
 *       DeliverDir it will be loaded. It is moved by one rename, and reason and note follow it
 *   Q2  a batch is given up in the books before its file is removed: killed in between, it lies
 *       there still, and may be dropped, or retried and then counted, as before
 *   Q3  a note in the books without its file, and a reason without its file, are of a file that was
 *       moved or dropped; quarantine_tidy() removes them, and is called after each such work
 *
 * Whoever changes anything here holds the writer's lock (a store open for writing), so that ingest
 * is not at work.
 */
#ifndef CARBON_SPOOL_QUARANTINE_H
#define CARBON_SPOOL_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/loss.h"
#include "store/store.h"

#define QUARANTINE_DIR "quarantine" /* in DeliverDir */

struct quarantine {
    struct store *store;
    int dir_fd; /* DeliverDir */
    int fd;     /* DeliverDir/quarantine */
};

/* -ENOENT: there is no such directory, so nothing was ever set aside. */
MUST_CHECK int quarantine_open(const char *deliver_dir, struct store *store,
                               struct quarantine *ret_quarantine, struct error *err);
void quarantine_close(struct quarantine *quarantine);

/* Which batch a file is said to be by its name: "n1-0000000000001000-000000000004.batch[.2]". */
struct quarantine_id {
    char node[NODE_NAME_SIZE], stream[17];
    int64_t seq;
};
bool quarantine_parse_name(const char *name, struct quarantine_id *ret_id);

struct quarantine_file {
    const char *name, *reason; /* as they are: not fit for a terminal */
    int64_t since_s;
    bool is_batch;             /* by its name */
    struct quarantine_id id;
};

/* Every file, by name. */
MUST_CHECK int quarantine_list(const struct quarantine *quarantine,
                               void (*take)(void *arg, const struct quarantine_file *file),
                               void *arg, struct error *err);

/*
 * Move a file back to DeliverDir, under the name that it was delivered by; tidy up afterwards.
 * -EINVAL: no name of a file in quarantine, or no regular file; -ENOENT; -EEXIST: DeliverDir has
 * that batch already.
 */
MUST_CHECK int quarantine_retry(const struct quarantine *quarantine, const char *name,
                                struct error *err);

enum quarantine_dropped {
    DROPPED_GIVEN_UP, /* the books state the loss */
    DROPPED_NO_LOSS,  /* the books have a batch of this node, stream and seq */
    DROPPED_NO_NODE,  /* … or none of this node, so that they cannot state it */
    DROPPED_UNCLEAR,  /* … or several such nodes, and cannot tell of which to state it */
    DROPPED_NO_BATCH, /* its name is no batch's */
};

/* Give a file up for good; tidy up afterwards. Errors as of quarantine_retry(). */
MUST_CHECK int quarantine_drop(const struct quarantine *quarantine, const char *name,
                               const struct loss_note *note, enum quarantine_dropped *ret_dropped,
                               struct error *err);

/* Q3 */
MUST_CHECK int quarantine_tidy(const struct quarantine *quarantine, struct error *err);

#endif
