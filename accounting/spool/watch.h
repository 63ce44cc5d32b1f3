/*
 * watch.h - wait for files to come into a directory
 *
 * inotify tells of what this machine puts there; what another machine puts on a shared file system
 * it never sees, so that a caller looks again after a while in any case.
 */
#ifndef CARBON_SPOOL_WATCH_H
#define CARBON_SPOOL_WATCH_H

#include <signal.h>

#include "core/error.h"

/* A descriptor to wait on and close(), or a negative errno. */
MUST_CHECK int watch_open(const char *dir, struct error *err);

/*
 * Wait until a file came, `patience_ms` passed, or a signal arrived that `wait_mask` lets through.
 * What came in the short time after the first is waited for too, so that a burst is one round.
 * watch_fd -1: only the time and signals.
 */
void watch_wait(int watch_fd, int patience_ms, const sigset_t *wait_mask);

#endif
