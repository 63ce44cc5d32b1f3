/*
 * embodied.h - the manufacture of the hardware, by GPU-hours and core-hours
 *
 * METHOD (docs/method.md): an asset emits kg / lifetime an hour for exactly its lifetime from
 * in_service on, then nothing (fully amortised); what an early retirement leaves is written off in
 * the period that holds it, on a line of its own. Pools are apart: GPU (by GPU-hours) and CPU (by
 * core-hours); shared assets are split between them by in-service node-hours. A job without GPUs
 * carries nothing of the GPU pool, a job on CPU nodes nothing of it either.
 *
 * A node is of one pool, with all its assets: the GPU pool where one of them is of class GPU. Nodes
 * whose assets are all of class shared (storage, login) are of none: their assets are split like
 * switches. A node is in service while its type is, [in_service_s, retired_s), down or not, and
 * stays so when its assets are fully amortised.
 *
 * Three modes: capacity (pool x used / available, the rest unallocated), share (the whole pool over
 * the hours used; without any everything is unallocated) and planned (pool x used / (available x
 * expected utilisation), whose sum recovers too much or too little). Pure, integers throughout:
 * milligrams, milliseconds. The period is rounded once, to the nearest milligram; pools, assets and
 * users add up to that by largest remainder of their own exact values.
 */
#ifndef CARBON_CARBON_EMBODIED_H
#define CARBON_CARBON_EMBODIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/inventory.h"
#include "carbon/operational.h"
#include "core/error.h"

enum pool_kind { POOL_GPU, POOL_CPU, POOL_COUNT };
extern const char *const pool_names[]; /* "GPU", "CPU"; ends with NULL */

enum embodied_mode { MODE_CAPACITY, MODE_SHARE, MODE_PLANNED };
extern const char *const embodied_mode_names[]; /* "capacity", "share", "planned"; ends with NULL */

struct range_mg {
    uint64_t low, central, high;
};
void range_add(struct range_mg *sum, const struct range_mg *amount);

/* The same before rounding: low, central, high in 2^-32 mg. */
#define FINE_BITS 32
struct range_fine {
    exact of[3];
};
void range_fine_add(struct range_fine *sum, const struct range_fine *amount);
struct range_mg range_fine_mg(const struct range_fine *amount); /* to the nearest, half up */
double fine_g(exact fine);

/* A node of the period, as inventory and reports say. */
struct embodied_node {
    const char *name;
    int type;             /* index of its node type, or -1: unknown */
    uint32_t gpus, cores; /* of the type where it says so, else as reported; 0: not known */
};

/*
 * One asset's part of a period, for --explain and the report's list. The amounts of all parts add
 * up to the pools' (and to `shared` where it is unassigned).
 */
struct asset_part {
    const struct asset *asset;
    int type;                  /* index of its node type, or -1: a shared asset of the cluster */
    uint64_t pieces;           /* in service at any time of the period */
    uint64_t service_ms;       /* over pieces: in service, before the end of life, in the period */
    struct range_mg amount;    /* amortised in the period; shared ones before the split */
    struct range_mg written_off; /* what a retirement in the period left */
    struct range_mg acquired;  /* in full, if put in service in the period: scope 3 category 2 */
    uint64_t amortised_pieces; /* fully amortised before the period's end, in service at its end */
};

struct pool {
    struct range_mg amount;    /* with its part of the shared assets; without write-offs */
    uint64_t available_ms;     /* GPU- or core-milliseconds in service, down time included */
    uint64_t node_ms;          /* node-milliseconds in service: the key for shared assets */
    struct range_fine fine;    /* amount before rounding */
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
 * hold unknown ones, which are skipped). A node that never said how many GPUs it has is taken to
 * have as many as the others of its type (likewise cores). -EINVAL when none of them did, naming
 * node and remedy; -ERANGE for an asset that inventory_parse() would have refused, without a
 * lifetime and the like; -ENOMEM.
 * embodied_clear() ends *ret, which is zeroed on failure.
 */
MUST_CHECK int embodied_period_of(const struct inventory *inventory,
                                  const struct embodied_node *nodes, size_t n_nodes,
                                  int64_t from_s, int64_t to_s, struct embodied_period *ret,
                                  struct error *err);
void embodied_clear(struct embodied_period *period);

/* Which pool a node's use belongs to: POOL_GPU where its type has an asset of class GPU (or, of an
   unknown type or one without assets, where it has GPUs). */
enum pool_kind embodied_pool_of(const struct inventory *inventory,
                                const struct embodied_node *node);

/* Is a node's time part of a pool: of a known type with an asset of class GPU or CPU? What jobs
   hold of other nodes is not used_ms: they lack a part, missing_embodied. */
bool embodied_counts(const struct inventory *inventory, const struct embodied_node *node);

/*
 * A pool split over users: used_ms[i] device-milliseconds of user i, of nodes that embodied_counts.
 * take() is given each user's share, in their order, once all went well (low, central and high each
 * add up; central is the largest remainder, low and high are too but never on its wrong side), and
 * *ret_unallocated is the rest; in planned mode *ret_recovery_mg is what was attributed minus the
 * pool's central amount, and nothing is unallocated. utilisation_ppm (> 0) is of planned mode.
 * -ERANGE in every mode when more was used than available, with both figures; -ENOMEM. Exact for
 * sums of used_ms below 2^63.
 */
MUST_CHECK int embodied_split(const struct pool *pool, enum pool_kind kind,
                              enum embodied_mode mode, uint64_t utilisation_ppm,
                              const uint64_t *used_ms, size_t count,
                              void (*take)(void *arg, size_t user, const struct range_mg *share),
                              void *arg, struct range_mg *ret_unallocated,
                              int64_t *ret_recovery_mg, struct error *err);

/*
 * One user's part without the others', its exact value to the nearest milligram (in a report, where
 * all add up, it may differ by one). total_used_ms is of share mode alone. 0 where the divisor is.
 */
struct range_mg embodied_of_one(const struct pool *pool, enum embodied_mode mode,
                                uint64_t utilisation_ppm, uint64_t used_ms,
                                uint64_t total_used_ms);
/* The same rounded down to 2^-32 mg, so that sums over any cut of the time are the whole's. */
struct range_fine embodied_fine_of_one(const struct pool *pool, enum embodied_mode mode,
                                       uint64_t utilisation_ppm, uint64_t used_ms,
                                       uint64_t total_used_ms);

#endif
