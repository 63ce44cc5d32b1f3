/*
 * floors.h - the idle floor of each counter: known, configured, or learned from quiet ticks
 *
 * A floor is known from the sensor (the modelled one), else set in carbon.conf (IdleWatts, of a
 * package's processors), else learned (ledger/floor.h). While nothing is known of a counter's floor
 * it has none, and all of its energy counts as active.
 */
#ifndef CARBON_METER_FLOORS_H
#define CARBON_METER_FLOORS_H

#include "ledger/ledger.h"
#include "meter/meter.h"

struct floors;

/* Sets what is known of the counters in the ledger. counters[0..count) and topology live on. */
MUST_CHECK int floors_new(const struct meter_counter *counters, size_t count,
                          const struct topology *topology, uint64_t idle_uw,
                          struct ledger *ledger, struct floors **ret_floors);
struct floors *floors_free(struct floors *floors); /* takes NULL, returns NULL */

/* Go on learning where a checkpoint ended. */
void floors_resume(struct floors *floors, const struct batch *checkpoint);

/* After a regular tick at `now` read the counters, and the packages' busy time (or NULL). */
void floors_tick(struct floors *floors, uint64_t now, const uint64_t *busy_ns);

/* Add what was learned to a batch that is to be sealed. 0 or -ENOMEM. */
MUST_CHECK int floors_save(const struct floors *floors, struct batch *batch);

/* The floor in force of a counter, and whether it was learned; false when it has none. */
bool floors_get(const struct floors *floors, size_t index, uint64_t *ret_uw, bool *ret_learned);

#endif
