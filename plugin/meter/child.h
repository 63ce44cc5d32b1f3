/*
 * child.h - work on a file system that may hang, in a process of its own
 *
 * Metering never waits for a directory on which something is delivered or left for others. A child
 * does the work and reports over a pipe; one that hangs is killed after its deadline (a process in
 * the kernel's uninterruptible sleep stays until the file system answers), and while it is there
 * its owner starts no other. Not for several threads.
 */
#ifndef CARBON_METER_CHILD_H
#define CARBON_METER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

struct child {
    pid_t pid;         /* 0: none */
    int report_fd;
    uint64_t begin_ns;
    bool was_killed;
};

/*
 * What the child does: fills `report`, of the size that child_start() was given, and returns 0 or
 * a negative errno. `context` is as it was when the child was made.
 */
typedef int child_work(void *context, void *report);

/*
 * Start a child that closes lock_fd (-1: none; the meter's successor must not wait for one that
 * hangs), works, and reports report_size bytes, at most PIPE_BUF. `now` is CLOCK_BOOTTIME. Negative
 * errno when no child could be made.
 */
MUST_CHECK int child_start(struct child *child, int lock_fd, child_work *work, void *context,
                           size_t report_size, uint64_t now);

/* Whether it is at work. */
bool child_is_busy(const struct child *child);

/*
 * Look after the child: kill it when it has worked for deadline_s. Never waits. -EAGAIN while it is
 * there or when there is none; 0 once it has ended and reported; -ETIMEDOUT when it was killed,
 * -EIO when it died, both without a report.
 */
MUST_CHECK int child_reap(struct child *child, unsigned deadline_s, uint64_t now, void *ret_report,
                          size_t report_size);

#endif
