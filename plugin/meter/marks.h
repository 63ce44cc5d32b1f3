/*
 * marks.h - the directory of marks, read in order of time
 *
 * A mark passes through three states: it lies in MarkDir unread; it is held in memory, in order of
 * its instant, until the meter closes the ledger's window up to that instant; it is applied, that
 * is, in the ledger, and lies on in MarkDir until a batch that names it is on disk. Then it is
 * deleted. The invariants are at the top of marks.c.
 */
#ifndef CARBON_METER_MARKS_H
#define CARBON_METER_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/mark.h"
#include "sensors/cputime.h"

/* Bounds of one marks_look(), so that a full directory never stops a tick. */
#define MARKS_ENTRIES_PER_LOOK 4096 /* directory entries: about 1 ms on tmpfs */
#define MARKS_FOUND_MAX 4096        /* names kept of one pass, the oldest */
#define MARKS_HELD_MAX 256          /* marks in memory, 3 KiB each */
/* A batch is sealed early when this many marks wait for it. */
#define MARKS_APPLIED_MANY 1024
/* No more are applied while this many wait: the spool cannot be written. 24 bytes each. */
#define MARKS_APPLIED_MAX 65536

struct marks;

struct marks_options {
    const char *dir;     /* MarkDir */
    const char *node;    /* marks of another node are bad */
    const char *boot_id; /* marks of another boot are discarded */
    struct cputime_node *cputime; /* not owned */
};

struct marks_counts {
    uint64_t seen;       /* well-formed marks of this boot and node */
    uint64_t bad;        /* refused: torn, foreign, no regular file, … */
    uint64_t other_boot; /* left by an earlier boot, deleted */
};

/* A mark held in memory. */
struct marks_item {
    struct mark mark;
    struct mark_reading *readings;
    size_t n_readings;
    /* Of a step-begin: opened as soon as the mark is seen, because a short step's cgroup is soon
       gone. The one who applies the mark may take it (and set this to NULL). NULL: not readable. */
    struct cputime *cpu;
};

/*
 * Open the directory and watch it. -EPERM when others than root and this process could write
 * there. node and boot_id are copied.
 */
MUST_CHECK int marks_open(const struct marks_options *options, struct marks **ret_marks,
                          struct error *err);
struct marks *marks_close(struct marks *marks); /* takes NULL, returns NULL */

/* Poll this for reading, then call marks_drain(). -1 when inotify is not to be had: then every
   look reads the directory. */
int marks_fd(const struct marks *marks);
void marks_drain(struct marks *marks);
/* The directory was deleted or renamed: no mark will come any more. */
bool marks_is_gone(const struct marks *marks);

/*
 * Read new marks into memory, within the bounds above. `now` is CLOCK_BOOTTIME in ns.
 * Marks of another boot are deleted; bad ones are set aside as ".bad-NN" (the last 16 are kept),
 * counted and logged, and never stop the others. What a killed writer left unfinished is deleted
 * after a minute.
 */
void marks_look(struct marks *marks, uint64_t now);

/* Up to this instant every mark that lies in the directory is held or applied. */
uint64_t marks_horizon(const struct marks *marks);
/* There is more to read than one look could take, and room for it. */
bool marks_behind(const struct marks *marks);

/* The earliest held mark, or NULL. Valid until it is applied. */
struct marks_item *marks_first(struct marks *marks);
/* The held marks in order of time: index from 0 to marks_held() - 1. */
const struct marks_item *marks_peek(const struct marks *marks, size_t index);
/* Whether one more can be applied: ask before feeding it to the ledger. -ENOMEM; -ENOBUFS while
   MARKS_APPLIED_MAX are waiting for a batch. */
MUST_CHECK int marks_room(struct marks *marks);
/* The earliest held mark is in the ledger now. */
void marks_applied(struct marks *marks);
size_t marks_waiting(const struct marks *marks); /* applied and not yet deleted */
size_t marks_held(const struct marks *marks);
/* Whether a held mark ends this step, or its job. */
bool marks_tell_end(const struct marks *marks, uint32_t job_id, uint32_t step_id);

/* Append the names of all applied marks to batch->consumed. -ENOMEM. */
MUST_CHECK int marks_consume(const struct marks *marks, struct batch *batch);
/* `batch` is on disk: delete the marks that it names and forget them. What cannot be deleted stays
   applied, and will be named by the next batch too. */
void marks_forget(struct marks *marks, const struct batch *batch);
/* On start: the marks that `checkpoint` names took effect in it; never read them again. -ENOMEM. */
MUST_CHECK int marks_resume(struct marks *marks, const struct batch *checkpoint);

const struct marks_counts *marks_count(const struct marks *marks);

#endif
