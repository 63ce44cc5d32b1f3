#include "hardware.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t date_s(int year, int month, int day)
{
    struct tm parts = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

    return (int64_t)timegm(&parts);
}

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "hardware: %s\n", what);
        abort();
    }
}

struct node_type *hardware_type(struct hardware *hardware, const char *nodes, uint32_t gpus,
                                uint32_t cores, int64_t in_service_s)
{
    size_t index = hardware->inventory.n_types++;
    struct node_type *type = &hardware->types[index];

    require(index < HARDWARE_TYPES, "too many types");
    hardware->inventory.types = hardware->types;
    *type = (struct node_type){ .gpus = gpus, .cores = cores, .in_service_s = in_service_s,
                                .retired_s = NEVER_S, .assets = hardware->assets[index],
                                .line = 3 };
    snprintf(type->name, sizeof(type->name), "type%zu", index);
    require(hostlist_expand(nodes, &type->nodes, NULL) == 0, "a bad hostlist");
    for (size_t i = 0; i < type->nodes.count; i++) {
        require(hardware->n_nodes < HARDWARE_NODES, "too many nodes");
        hardware->nodes[hardware->n_nodes++] =
            (struct embodied_node){ type->nodes.names[i], (int)index, gpus, cores };
    }
    return type;
}

struct asset *hardware_asset(struct hardware *hardware, unsigned class, uint64_t mg,
                             uint64_t lifetime_h)
{
    struct node_type *type = &hardware->types[hardware->inventory.n_types - 1];
    struct asset *asset = &type->assets[type->n_assets++];

    require(type->n_assets <= HARDWARE_ASSETS, "too many assets");
    *asset = (struct asset){ .name = "server", .class = class, .count = 1, .low_mg = mg,
                             .central_mg = mg, .high_mg = mg, .lifetime_h = lifetime_h,
                             .in_service_s = type->in_service_s, .retired_s = type->retired_s,
                             .line = 7 };
    for (size_t i = 0; i < type->nodes.count; i++)
        require(hostlist_expand(type->nodes.names[i], &asset->nodes, NULL) == 0, "no memory");
    return asset;
}

struct asset *hardware_shared(struct hardware *hardware, uint32_t count, uint64_t mg,
                              uint64_t lifetime_h, int64_t in_service_s)
{
    struct asset *asset = &hardware->shared[hardware->inventory.n_shared++];

    require(hardware->inventory.n_shared <= HARDWARE_ASSETS, "too many shared assets");
    hardware->inventory.shared = hardware->shared;
    *asset = (struct asset){ .name = "switch", .class = ASSET_SHARED, .count = count, .low_mg = mg,
                             .central_mg = mg, .high_mg = mg, .lifetime_h = lifetime_h,
                             .in_service_s = in_service_s, .retired_s = NEVER_S, .line = 9 };
    return asset;
}

struct embodied_period hardware_period(const struct hardware *hardware, int64_t from_s,
                                       int64_t to_s)
{
    struct embodied_period period;
    struct error err = { "" };
    int rc = embodied_period_of(&hardware->inventory, hardware->nodes, hardware->n_nodes, from_s,
                                to_s, &period, &err);

    require(rc == 0, err.text);
    return period;
}

void hardware_clear(struct hardware *hardware)
{
    for (size_t i = 0; i < hardware->inventory.n_types; i++) {
        hostlist_clear(&hardware->types[i].nodes);
        for (size_t j = 0; j < hardware->types[i].n_assets; j++)
            hostlist_clear(&hardware->types[i].assets[j].nodes);
    }
    *hardware = (struct hardware){ 0 };
}

void take_share(void *arg, size_t user, const struct range_mg *share)
{
    ((struct range_mg *)arg)[user] = *share;
}
