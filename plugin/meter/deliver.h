/*
 * deliver.h - copying sealed batches to DeliverDir or sending them to carbond, in a process of its
 * own
 *
 * DeliverDir is often on the site's shared file system, which may hang for minutes or for ever, and
 * so may a network: a child (child.h) does the work, one at a time. To carbond it is a child of the
 * child, carbon-deliver, that sends: libcurl and libmunge are not in the meter, nor are the meter's
 * capabilities in them.
 */
#ifndef CARBON_METER_DELIVER_H
#define CARBON_METER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "meter/child.h"

#define DELIVER_MAX 64       /* batches by one child */
#define DELIVER_DEADLINE_S 60
#define DELIVERED_MODE 0640  /* of a batch in DeliverDir: user names are in it */

struct deliver {
    char dir[4096];  /* DeliverDir, or carbond's address behind "carbond://" */
    char munge_socket[4096];
    int lock_fd;     /* not to be held by a child that hangs on; -1: none */
    struct child child;
    size_t count;    /* of names[] that the child was given */
    char names[DELIVER_MAX][BATCH_NAME_SIZE];
};

struct deliver_result {
    size_t delivered;         /* of deliver->names, from the first on */
    struct error err;         /* "" when all were */
};

/* `where` is DeliverDir, or "carbond://…" (core/address.h); munge_socket may be "". */
void deliver_init(struct deliver *deliver, const char *where, const char *munge_socket,
                  int lock_fd);

/*
 * Start a child on deliver->names[0..count), which lie in spool_fd. Each is copied, synced, renamed
 * into place, and deleted from the spool, except the last when keep_last (it is the checkpoint).
 * A batch that is no longer in the spool counts as delivered. Negative errno when no child could
 * be made.
 */
MUST_CHECK int deliver_start(struct deliver *deliver, int spool_fd, size_t count, bool keep_last,
                             uint64_t now);

/* Whether a child is at work. */
bool deliver_is_busy(const struct deliver *deliver);

/*
 * Look after the child: kill it when its time is over. Returns true, with the result, once it has
 * ended. Never waits.
 */
bool deliver_reap(struct deliver *deliver, uint64_t now, struct deliver_result *ret_result);

/* The child's work, in this process: for tests. Returns 0 or a negative errno. */
MUST_CHECK int deliver_copy(const char *dir, int spool_fd, char (*names)[BATCH_NAME_SIZE],
                            size_t count, bool keep_last, struct deliver_result *ret_result);

/* The same to carbond: as deliver->dir says, deliver->names[0..count). */
MUST_CHECK int deliver_send(const struct deliver *deliver, int spool_fd, size_t count,
                            bool keep_last, struct deliver_result *ret_result);

#endif
