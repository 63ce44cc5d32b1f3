/*
 * source.h - what a kind of sensor implements, and what sensors.c gives it; for plugin/sensors only
 *
 * To add one: a file with a const struct sensor_source, and an entry in sources[] of sensors.c.
 */
#ifndef CARBON_SENSORS_SOURCE_H
#define CARBON_SENSORS_SOURCE_H

#include "sensors/busy.h"
#include "sensors/sensors.h"

struct sensor_source;

/* One counter in use, with what its source needs to read it. */
struct sensor_slot {
    struct sensor_counter counter;
    const struct sensor_source *source;
    int fd;            /* open file, or -1 */
    uint64_t retry_ns; /* while it is -1: not to be looked for before this CLOCK_BOOTTIME */
    char name[32];     /* powercap: the zone's name, to know it again */
    uint64_t full_uw;  /* modelled: power of its package at full load */
};

struct sensor_source {
    const char *name; /* as in carbon.conf's Sensors */
    /*
     * Offer every counter with sensors_offer() and every one that cannot be used with
     * sensors_leave_out(). Returns how many were offered, or a negative errno: -ENODEV with the
     * remedy in err when there is nothing of this kind, others when something is wrong.
     */
    int (*find)(struct sensors *sensors, struct error *err);
    int (*read)(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj);
};

extern const struct sensor_source powercap_source, modelled_source;

struct sensors {
    struct sensor_options options; /* root_fd is our own duplicate */
    struct sensor_slot *slots;
    size_t n_slots;
    struct sensor_left_out *left_out;
    size_t n_left_out;
    struct busy *busy;
    int busy_rc;       /* of the last busy_read() */
    uint64_t *busy_ns; /* [n_packages], as of the last good one */
};

/* The source that counts this component of this domain already, if it is another one, or NULL. */
const struct sensor_source *sensors_counted_by(const struct sensors *sensors,
                                               const struct sensor_slot *slot);

/*
 * Put a counter to use; the slot's fd is taken over (closed on failure). A component of a domain
 * that an earlier source counts is left out instead: nothing is counted twice. 0 or -ENOMEM.
 */
MUST_CHECK int sensors_offer(struct sensors *sensors, const struct sensor_slot *slot);

/* 0 or -ENOMEM. reason is copied, cut to its room. */
MUST_CHECK int sensors_leave_out(struct sensors *sensors, const char *source, const char *reason);

#endif
