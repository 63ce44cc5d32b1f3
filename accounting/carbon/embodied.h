/*
 * embodied.h - the manufacture of the hardware, by GPU-hours and core-hours
 *
 * METHOD (docs/method.md): an asset emits kg / (lifetime) an hour for exactly its lifetime from
 * in_service on, then nothing (fully amortised); what an early retirement leaves is written off in
 * the period that holds it, on a line of its own. Pools are apart: GPU (by GPU-hours) and CPU (by
 * core-hours); shared assets are split between them by in-service node-hours. A job without GPUs
 * carries nothing of the GPU pool, a job on CPU nodes nothing of it either.
 *
 * Three modes: capacity (pool x used / available, the rest unallocated), share (the whole pool over
 * the hours used; without any everything is unallocated) and planned (kg / (lifetime x expected
 * utilisation) per hour, whose sum recovers too much or too little). Pure, integers throughout:
 * milligrams, milliseconds.
 */
#ifndef CARBON_CARBON_EMBODIED_H
#define CARBON_CARBON_EMBODIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/inventory.h"
#include "core/error.h"

enum pool_kind { POOL_GPU, POOL_CPU, POOL_COUNT };
extern const char *const pool_names[]; /* "GPU", "CPU" */

enum embodied_mode { MODE_CAPACITY, MODE_SHARE, MODE_PLANNED };
extern const char *const embodied_mode_names[]; /* "capacity", "share", "planned"; ends with NULL */

struct range_mg {
    uint64_t low, central, high;
};

/* A node of the period, as inventory and reports say. */
struct embodied_node {
    const char *name;
    int type;             /* index of its node type, or -1: unknown */
    uint32_t gpus, cores; /* of the type where it says so, else as reported */
};

/* One asset's part of a period, for --explain and the report's list. */
struct asset_part {
    const struct asset *asset;
    uint64_t pieces;           /* in service at any time of the period */
    uint64_t service_ms;       /* sum over pieces of the time in service and before the end of life */
    struct range_mg amount;    /* amortised in the period; shared ones before the split */
    struct range_mg written_off; /* what early retirements in the period left */
    struct range_mg acquired;  /* in full, of pieces put in service in the period: scope 3 category 2 */
    uint64_t amortised_pieces; /* fully amortised before the period's end, in service still */
};

struct pool {
    struct range_mg amount;    /* with its part of the shared assets; without write-offs */
    uint64_t available_ms;     /* GPU- or core-milliseconds in service, down time included */
    uint64_t node_ms;          /* node-milliseconds in service: the key for shared assets */
    /* of planned mode: milligrams per 10^6 device-hours at full utilisation of one lifetime */
    struct range_mg planned_mg_per_mh;
};

struct embodied_period {
    int64_t from_s, to_s;
    struct pool pools[POOL_COUNT];
    struct range_mg shared;      /* in the pools already, unless no node is in service: then here */
    bool shared_unassigned;
    struct range_mg written_off, acquired;
    struct asset_part *parts;    /* of types in order, then shared */
    size_t n_parts;
};

/*
 * The pools of [from_s, to_s). `nodes` must hold every node of the inventory's hostlists (and may
 * hold unknown ones, which are skipped). -EINVAL for a node in service of a type with GPU assets
 * whose number of GPUs is known neither from the inventory nor from the node, naming it and the
 * remedy (likewise cores); -ENOMEM. embodied_clear() ends *ret.
 */
MUST_CHECK int embodied_period_of(const struct inventory *inventory,
                                  const struct embodied_node *nodes, size_t n_nodes,
                                  int64_t from_s, int64_t to_s, struct embodied_period *ret,
                                  struct error *err);
void embodied_clear(struct embodied_period *period);

/* Which pool a node's use belongs to: POOL_GPU where its type has an asset of class GPU (or, of an
   unknown type, where it has GPUs). */
enum pool_kind embodied_pool_of(const struct inventory *inventory, const struct embodied_node *node);

/*
 * A pool split over users: used_ms[i] device-milliseconds of user i. shares[i] (low, central, high
 * each by largest remainder) and *ret_unallocated; in planned mode *ret_recovery_mg is what was
 * attributed minus the pool's central amount, and nothing is unallocated. utilisation_ppm is of
 * planned mode alone. -ERANGE when more was used than available (not in planned mode), with both
 * figures; -ENOMEM.
 */
MUST_CHECK int embodied_split(const struct pool *pool, enum embodied_mode mode,
                              uint64_t utilisation_ppm, const uint64_t *used_ms, size_t count,
                              struct range_mg *ret_shares, struct range_mg *ret_unallocated,
                              int64_t *ret_recovery_mg, struct error *err);

/*
 * One user's part without the others', to the nearest milligram (a report's largest remainder may
 * differ by one). total_used_ms is of share mode alone.
 */
struct range_mg embodied_of_one(const struct pool *pool, enum embodied_mode mode,
                                uint64_t utilisation_ppm, uint64_t used_ms,
                                uint64_t total_used_ms);

#endif
