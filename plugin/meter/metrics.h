/*
 * metrics.h - MetricsFile: what this node's meter counts, for node_exporter's textfile collector
 *
 * Prometheus' text format without timestamps, which is what the collector takes. Written anew once
 * in METRICS_EVERY_S by a temporary file and rename, readable by everybody: so it tells nothing of
 * a job or user, and energy no finer than a minute (docs/security.md). A child writes it (child.h).
 * The first failure of a row is logged, and when it is over; it costs nothing but the file.
 */
#ifndef CARBON_METER_METRICS_H
#define CARBON_METER_METRICS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "meter/child.h"
#include "meter/meter.h"
#include "meter/tally.h"

#define METRICS_EVERY_S 60
#define METRICS_DEADLINE_S 30
#define METRICS_MODE 0644

struct metrics {
    char path[PATH_MAX];   /* "": none is written */
    int lock_fd;           /* not to be held by a child that hangs on; -1: none */
    struct child child;
    uint64_t due_ns;       /* when the next is written; CLOCK_BOOTTIME */
    struct tally before;   /* of the files so far the last that lacks … */
    struct tally latest;   /* … what is booked as of the newest */
    bool is_failing;
};

/* The first file is due at due_ns: once something is booked. */
void metrics_init(struct metrics *metrics, const char *path, int lock_fd, uint64_t due_ns);

/*
 * Append the text. Counters are those of the meter since it started; power is the mean of what was
 * booked since `before`, the tally of an earlier file, and left out when that is nothing.
 */
void metrics_format(struct buf *buf, const struct meter *meter, const struct tally *before);

/* At every tick and SIGCHLD: look after the child, start the next when it is due. Never waits. */
void metrics_look(struct metrics *metrics, const struct meter *meter, uint64_t now);

/* End the child, if there is one. */
void metrics_end(struct metrics *metrics);

/* The child's work, in this process: for tests. Returns 0 or a negative errno. */
MUST_CHECK int metrics_write(const char *path, const struct buf *text, struct error *err);

#endif
