/*
 * sensors.h - one interface to every source of energy readings of a node
 *
 * A sensor is a kind of source (powercap, modelled, …), one file each, an entry in sensors_table[].
 * It finds its counters below a root directory, which is / on a node and a fake or captured tree in
 * tests, and reads each as a cumulative number of microjoules. Raw readings only: wraps and resets
 * are the ledger's matter.
 */
#ifndef CARBON_SENSORS_SENSORS_H
#define CARBON_SENSORS_SENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "sensors/topology.h"

/*
 * What a counter is. `source` is unique on the node and stable over restarts. A component of one
 * package may have several counters that add up (the dies of a package).
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
};

/* A source that was found and not used: for `carbonctl sensors` and meterd's log. */
struct sensor_left_out {
    char source[SOURCE_NAME_SIZE];
    char reason[96]; /* "psys contains the packages" */
};

struct sensor_options {
    int root_fd;               /* directory that holds sys/ and proc/; stays the caller's */
    const char *list;          /* carbon.conf's Sensors: "auto", or names with commas or blanks */
    uint64_t idle_uw, full_uw; /* of one package, when modelled; 0: the default of modelled.h */
    const struct topology *topology; /* must outlive the sensors */
};

struct sensors; /* all counters in use on this node */

/* The kinds of sensor that there are, by name; NULL behind the last. In the order of "auto". */
const char *sensors_kind(size_t index);

/*
 * Find the counters that count, and open them (O_CLOEXEC, kept open). A component of a package is
 * counted by the first kind that has it: with "auto" powercap where it can be read, else the
 * modelled sensor; with a list in its order, and then each kind named must find something, or the
 * error says why not. -EINVAL for an unknown name, or powers that make no sense; -ENODEV when
 * nothing at all can be used, or a kind that was asked for.
 */
MUST_CHECK int sensors_open(const struct sensor_options *options, struct sensors **ret_sensors,
                            struct error *err);
struct sensors *sensors_close(struct sensors *sensors); /* takes NULL, returns NULL */

size_t sensors_count(const struct sensors *sensors);
const struct sensor_counter *sensors_counter(const struct sensors *sensors, size_t index);
size_t sensors_left_out(const struct sensors *sensors, const struct sensor_left_out **ret_list);

/*
 * Read counter `index` now: 0 and the raw value, or a negative errno (-EIO, -EACCES, -ENODEV for a
 * vanished file, -EBADMSG for text that is no number); *ret_raw_uj is untouched then. A vanished
 * file is looked for again by later calls, every few seconds, and taken up when the same zone is
 * back.
 */
MUST_CHECK int sensors_read(struct sensors *sensors, size_t index, uint64_t *ret_raw_uj);

/*
 * Busy CPU time since boot of every package, in ns: busy.h. ret_busy_ns has room for
 * topology->n_packages. Also feeds the modelled sensor: call it once before the sensors_read()s of
 * a tick. On failure (a negative errno) modelled counters fail with the same code until it
 * succeeds again.
 */
MUST_CHECK int sensors_read_busy(struct sensors *sensors, uint64_t *ret_busy_ns);

#endif
