/*
 * hardware.h - inventories made by hand, for tests of what embodied.h works out
 */
#ifndef CARBON_TESTS_HARDWARE_H
#define CARBON_TESTS_HARDWARE_H

#include <stddef.h>
#include <stdint.h>

#include "carbon/embodied.h"

#define KG_MG UINT64_C(1000000)
#define HOUR_MS UINT64_C(3600000)
#define YEAR_H UINT64_C(8760)

#define HARDWARE_TYPES 8
#define HARDWARE_ASSETS 8
#define HARDWARE_NODES 64

/* An inventory with room; zeroed it is empty. */
struct hardware {
    struct inventory inventory;
    struct node_type types[HARDWARE_TYPES];
    struct asset assets[HARDWARE_TYPES][HARDWARE_ASSETS];
    struct asset shared[HARDWARE_ASSETS];
    struct embodied_node nodes[HARDWARE_NODES];
    size_t n_nodes;
};

int64_t date_s(int year, int month, int day); /* 00:00 UTC */

/* Add a type with its nodes, as "g[1-4]"; in service from in_service_s on. */
struct node_type *hardware_type(struct hardware *hardware, const char *nodes, uint32_t gpus,
                                uint32_t cores, int64_t in_service_s);
/* Add an asset to the newest type, in service as the type: one piece in each of its nodes. */
struct asset *hardware_asset(struct hardware *hardware, unsigned class, uint64_t mg,
                             uint64_t lifetime_h);
/* Add a shared asset of the cluster. */
struct asset *hardware_shared(struct hardware *hardware, uint32_t count, uint64_t mg,
                              uint64_t lifetime_h, int64_t in_service_s);
/* Works out a period; a failure fails the test. */
struct embodied_period hardware_period(const struct hardware *hardware, int64_t from_s,
                                       int64_t to_s);
void hardware_clear(struct hardware *hardware);

/* For embodied_split(): arg is an array of shares, one for each user. */
void take_share(void *arg, size_t user, const struct range_mg *share);

#endif
