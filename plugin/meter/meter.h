/*
 * meter.h - the heart of carbon-meterd: ticks, marks and seals of one node
 *
 * All time is given by the caller, so that tests can make any history; the loop, the signals and
 * the lock are in meterd.c. One meter per MarkDir and SpoolDir.
 */
#ifndef CARBON_METER_METER_H
#define CARBON_METER_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/conf.h"
#include "meter/deliver.h"
#include "meter/tally.h"
#include "sensors/sensors.h"

struct meter;

struct meter_options {
    const struct conf *conf;         /* must live on, as all that is pointed to */
    const char *node;
    const char *boot_id;
    const struct topology *topology;
    struct sensors *sensors;         /* not owned */
    int lock_fd;                     /* kept from delivering children; -1: none */
};

/* How the meter began, for the log. */
enum meter_start { METER_RESUMED, METER_NEW_STREAM };

struct meter_state {                 /* for the status file */
    enum meter_start start;
    uint64_t stream;
    uint64_t next_seq;
    uint64_t since_ns;               /* the meter's start; CLOCK_BOOTTIME */
    int64_t since_wall_ns;
    uint64_t tick_ns;                /* the last tick */
    int64_t tick_wall_ns;
    uint64_t closed_ns;              /* attributed up to here */
    unsigned streams_closed;         /* of earlier boots, on start */
    size_t jobs, steps;
    uint64_t marks_seen, marks_bad, marks_other_boot, marks_late, marks_repeated, marks_stray,
        ends_lost;
    size_t marks_held, marks_waiting;
    size_t undelivered;
    uint64_t undelivered_bytes, batches_dropped;
    bool has_unwritten;              /* a sealed batch that could not be written yet */
    int64_t delivered_wall_ns;       /* the last success; 0: none yet */
    struct error last_error;
    int64_t last_error_wall_ns;
};

/* What a counter said last. */
struct meter_counter {
    const struct sensor_counter *counter;
    int code;            /* 0, or the negative errno of the last read */
    bool has_raw;
    uint64_t raw_uj;
    uint64_t read_ns;
    uint64_t power_uw;   /* between the last two good readings; 0 when unknown */
    uint64_t excess_uj;  /* of a node meter: what its parts counted more, as of the last seal */
    bool below_parts;    /* so much that the two cannot both be right */
};

/*
 * Start: close what an earlier boot left open, resume from the newest batch of this boot or begin a
 * new stream, take up the marks that lie there, and do a first regular tick. Errors say what to do.
 */
MUST_CHECK int meter_open(const struct meter_options *options, uint64_t now, int64_t wall_ns,
                          struct meter **ret_meter, struct error *err);
struct meter *meter_close(struct meter *meter); /* takes NULL, returns NULL; seals nothing */

/*
 * One tick at `now`: read the counters and take in marks. A full tick (meter.c, T1: always while
 * marks come or wait, else every fourth) also reads the steps' CPU time and closes the window, up
 * to the full regular tick before it, so that a mark that races with a tick is in time; an extra
 * one (a mark has come, there is a backlog) closes no further either. Trouble is logged and
 * passed on to the next tick; only memory that runs out half-way ends it: meter_has_failed().
 */
void meter_tick(struct meter *meter, uint64_t now, int64_t wall_ns, bool regular);

/* A last tick that closes up to `now`, before the final seal. */
void meter_last_tick(struct meter *meter, uint64_t now, int64_t wall_ns);

/* Marks lie unread, beyond what one tick may read: tick again soon. */
bool meter_is_behind(const struct meter *meter);
/* So many marks wait for a batch that one should be sealed early. */
bool meter_wants_seal(const struct meter *meter);

/*
 * Seal what was closed since the last seal, write it, and delete the marks that it names. 0: done,
 * or nothing new. -EPROTO: the books do not balance (a bug; the batch is kept as *.bad; the caller
 * should end and begin again from the last checkpoint). Other errors: kept in memory, call again.
 */
MUST_CHECK int meter_seal(struct meter *meter, int64_t wall_ns, struct error *err);

/* Start delivering what is undelivered, unless a delivery is under way. */
void meter_deliver(struct meter *meter, uint64_t now, int64_t wall_ns);
/* Look after the delivery under way. True when none is (any more). */
bool meter_reap(struct meter *meter, uint64_t now, int64_t wall_ns);

int meter_fd(const struct meter *meter); /* poll it for reading; -1: none */
void meter_wake(struct meter *meter);

/* A tick failed half-way: nothing more is sealed. End, and begin again from the last checkpoint. */
bool meter_has_failed(const struct meter *meter);    /* something is to be read from meter_fd() */
/* MarkDir was deleted or renamed: end, and begin again with a new one. */
bool meter_is_stranded(const struct meter *meter);

void meter_describe(const struct meter *meter, struct meter_state *ret_state);
/* What the batches that were written since the start add up to. */
const struct tally *meter_tally(const struct meter *meter);
size_t meter_counters(const struct meter *meter);
const struct meter_counter *meter_counter(const struct meter *meter, size_t index);
/* The idle floor in force of a counter, and whether it was learned; false when it has none. */
bool meter_floor(const struct meter *meter, size_t index, uint64_t *ret_uw, bool *ret_learned);
int meter_spool_fd(const struct meter *meter);

#endif
