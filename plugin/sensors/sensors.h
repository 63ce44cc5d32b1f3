/*
 * sensors.h - one interface to every source of energy readings of a node
 *
 * A sensor is a kind of source (powercap, nvml, modelled, …), one file each (source.h). It finds
 * its counters below a root directory, which is / on a node and a fake or captured tree in tests,
 * and reads each as a cumulative number of microjoules. Raw readings only: wraps and resets are the
 * ledger's matter. Which of the counters count is decided by one table, rules.c.
 */
#ifndef CARBON_SENSORS_SENSORS_H
#define CARBON_SENSORS_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "sensors/topology.h"

struct conf;

/*
 * What a counter is. `source` is unique on the node and stable over restarts. A component of one
 * package may have several counters that add up (the dies of a package).
 *
 * A modelled GPU draws held_uw while a job holds it, and floor_uw while it is free. Sensors know of
 * no jobs: what they read of it is that of a free one, and the meter keeps its counter (meter.c).
 */
struct sensor_counter {
    char source[SOURCE_NAME_SIZE]; /* "intel-rapl:0", "modelled:0" */
    const char *sensor;            /* name of its sensor: "powercap" */
    enum component component;
    enum quality quality;          /* measured or modelled */
    unsigned domain;               /* package index (hwloc's logical order) or GPU index */
    uint64_t range_uj;             /* the counter runs 0 … range_uj - 1 … 0; 0: it never wraps */
    uint64_t max_uw;               /* more than this between two readings is not believed */
    uint64_t floor_uw;             /* known idle floor, or 0 when it is to be learned */
    uint64_t held_uw;              /* of a modelled GPU: see below; else 0 */
    bool fresh;                    /* it begins anew with each process that reads it: integrated */
    char device[96];               /* for people: a UUID, a PCI address, a model; or "" */
};

/* A reading, or the lack of one: code is 0 or a negative errno, for sensors_error_text(). */
struct sensor_reading {
    int code;
    uint64_t raw_uj;
    uint64_t at_ns;   /* CLOCK_BOOTTIME of the reading itself */
    uint64_t cost_ns; /* how long it took, in the process that read it */
};

/* A source that was found and not used: for `carbonctl sensors` and meterd's log. */
struct sensor_left_out {
    char source[SOURCE_NAME_SIZE];
    char reason[192]; /* "psys contains the packages" */
};

struct sensor_options {
    int root_fd;               /* directory that holds sys/ and proc/; stays the caller's */
    const char *list;          /* carbon.conf's Sensors: names with commas or blanks, see below */
    bool apart;                /* read what may hang in processes of their own: helper.h */
    uint64_t idle_uw, full_uw; /* of one package, when modelled; 0: the default of modelled.h */
    uint64_t gpu_utilisation_ppm; /* of a modelled GPU that a job holds; up to 10^6 */
    const struct topology *topology; /* must outlive the sensors */
};

/* What carbon.conf says, with `apart`; root_fd and topology are left for the caller to set. */
struct sensor_options sensors_options(const struct conf *conf);

struct sensors; /* all counters in use on this node */

/* The kinds of sensor that there are, by name; NULL behind the last. In the order of "auto". */
const char *sensors_kind(size_t index);

/*
 * Find the counters that count, and open them (O_CLOEXEC, kept open). Of several counters of one
 * component of one package or device the one of the kind that comes first counts.
 *
 * The list: "auto" is all kinds, best first (the order of rules.c); "powercap,modelled" these
 * alone, in this order, and each named must find something, or the error says why not; "-ipmi"
 * leaves one out of auto. -EINVAL for an unknown name, or powers that make no sense; -ENODEV when
 * nothing at all can be used, or a kind that was asked for.
 */
MUST_CHECK int sensors_open(const struct sensor_options *options, struct sensors **ret_sensors,
                            struct error *err);
struct sensors *sensors_close(struct sensors *sensors); /* takes NULL, returns NULL */

size_t sensors_count(const struct sensors *sensors);
const struct sensor_counter *sensors_counter(const struct sensors *sensors, size_t index);
size_t sensors_left_out(const struct sensors *sensors, const struct sensor_left_out **ret_list);

/*
 * Read all counters, in two steps so that others work meanwhile: ask those that read apart, then
 * read the rest as of now_ns (CLOCK_BOOTTIME) and take the answers that are there by until_ns. An
 * answer that was late comes with a later take, with its own time. What cannot be read now is
 * looked for again by later calls, every few seconds, and taken up when the same thing is back.
 *
 * With only_fresh, those alone that are integrated from gauges: they miss what happens between two
 * readings, while a counter counts on unread. The others have no reading then (-EAGAIN).
 */
void sensors_ask(struct sensors *sensors, uint64_t now_ns, bool only_fresh);
void sensors_take(struct sensors *sensors, uint64_t now_ns, uint64_t until_ns);

/*
 * What the last take brought of a counter; code -EAGAIN before the first. -ETIMEDOUT: no answer
 * yet; -ESTALE: it answers and has stood still for SENSORS_STUCK_NS, which no device that draws
 * power does; -ECHILD: the process that reads it is being started anew; others as the source says.
 */
const struct sensor_reading *sensors_reading(const struct sensors *sensors, size_t index);
#define SENSORS_STUCK_NS (60 * NS_PER_S)

/*
 * What a counter grew from one raw value to a later one, over one wrap at most; false when it fell
 * without one: it began anew. For what is shown and learned: what is booked is the ledger's matter.
 */
bool sensors_growth(const struct sensor_counter *counter, uint64_t from_uj, uint64_t to_uj,
                    uint64_t *ret_grown_uj);

/* In words, of a code of a reading: "no answer in time". */
const char *sensors_error_text(int code);

/*
 * Busy CPU time since boot of every package, in ns: busy.h. ret_busy_ns has room for
 * topology->n_packages. Also feeds the modelled sensor: call it once before the sensors_take()
 * of a tick. On failure (a negative errno) modelled counters fail with the same code until it
 * succeeds again.
 */
MUST_CHECK int sensors_read_busy(struct sensors *sensors, uint64_t *ret_busy_ns);

#endif
