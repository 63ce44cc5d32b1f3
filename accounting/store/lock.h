/*
 * lock.h - one process at a time: a file that is locked with flock()
 *
 * The lock is the kernel's and goes with the process, however that ends; the file stays. While it
 * is held its text says by whom, for people. Private to accounting/store.
 */
#ifndef CARBON_STORE_LOCK_H
#define CARBON_STORE_LOCK_H

#include "store/store.h"

/*
 * Take the lock, making its file where there is none. The descriptor that holds it, never
 * inherited by a program that is started, or -EBUSY: "<path> is held by <holder>; <remedy>", when
 * turn->patience_ms were not enough; -EINTR: turn->stop was set meanwhile.
 */
MUST_CHECK int lock_take(const char *path, const struct store_turn *turn, const char *remedy,
                         struct error *err);

/*
 * What root makes in the directory of somebody else is that one's: the service's user must be able
 * to go on with it. Returns 0, also when this is not root, or -errno.
 */
MUST_CHECK int lock_give_to_owner(int fd, const char *path);

void lock_release(int fd); /* and empty the file's text; -1 is no lock */

#endif
