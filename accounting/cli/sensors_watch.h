/*
 * sensors_watch.h - look at a node's counters for a short time: what they show now, how often they
 * change, and what a reading costs
 */
#ifndef CARBON_CLI_SENSORS_WATCH_H
#define CARBON_CLI_SENSORS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensors/capture.h"
#include "sensors/sensors.h"

#define WATCH_COSTS_MAX 512

/* What was seen of one counter. */
struct watched {
    int code;              /* of its last reading; 0 when there was a good one at all */
    uint64_t raw_uj;       /* of its last good reading … */
    uint64_t at_ns;        /* … and its instant; 0: none */
    uint64_t grown_uj;     /* over span_ns; wraps are unwound */
    uint64_t span_ns;
    bool has_power;
    uint64_t power_uw;     /* mean over span_ns */
    bool has_period;
    uint64_t period_ns;    /* between two changes */
    uint64_t below_ns;     /* without a period: it changed at each look, this far apart; or 0 */
    uint64_t costs_ns[WATCH_COSTS_MAX];
    size_t n_costs;
    /* while it is polled */
    uint64_t polled_uj, first_ns, last_ns, first_change_ns, last_change_ns;
    size_t polls, changes;
};

/* An array of sensors_count() of them, zeroed, to be freed; NULL without memory. */
struct watched *watch_new(const struct sensors *sensors);

/*
 * Read now and then for span_ns, quietly, so that the looking does not heat what it looks at: the
 * power. busy_ns has room for as many packages as the topology has.
 */
void watch_power(struct sensors *sensors, struct watched *list, uint64_t *busy_ns,
                 uint64_t span_ns);

/* Read as fast as it goes for span_ns: the periods. */
void watch_periods(struct sensors *sensors, struct watched *list, uint64_t *busy_ns,
                   uint64_t span_ns);

/*
 * The power between the instants of a capture, of which the first is laid out in dir_fd and open in
 * `sensors`: the later ones are laid out and read. Time is the capture's own.
 */
MUST_CHECK int watch_capture(struct sensors *sensors, struct watched *list, uint64_t *busy_ns,
                             const struct capture *capture, int dir_fd, struct error *err);

/* Median of the costs; 0 when there are none. */
uint64_t watch_cost_ns(const struct watched *watched);

#endif
