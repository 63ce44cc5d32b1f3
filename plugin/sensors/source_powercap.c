#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "sensors/cpuinfo.h"
#include "sensors/powercap.h"
#include "sensors/source.h"

/* A zone that says that it may draw more than PACKAGE_MAX_UW or DRAM_MAX_UW
   (constraint_*_max_power_uw) is believed, up to what no socket can be fed with. */
#define FED_MAX_UW UINT64_C(2000000000)

_Static_assert(sizeof(((struct sensor_slot *)0)->name) >=
                   sizeof(((struct powercap_zone *)0)->name), "one is copied to the other");

#define CONSTRAINTS 4 /* long term, short term, peak power; one to spare */

/*
 * The DRAM unit of Haswell's servers, 15.3 uJ, as it shows in max_energy_range_uj: (2^32 - 1) x it.
 * For the Rapids (cpuinfo_is_rapids()) kernels before 6.1 (of the stable ones, before October 2022:
 * without commit 4c081324df56) take it too, 4 times too little.
 */
#define OLD_DRAM_MAX_UJ UINT64_C(65712999613)

static uint64_t read_constraint_uw(int root_fd, const char *zone, int constraint)
{
    char path[SOURCE_NAME_SIZE + 64], text[32];
    uint64_t max_uw;

    snprintf(path, sizeof(path), "sys/class/powercap/%.*s/constraint_%d_max_power_uw",
             SOURCE_NAME_SIZE, zone, constraint);
    if (file_read_line(root_fd, path, text, sizeof(text)) < 0)
        return 0;
    return parse_u64(text, 0, FED_MAX_UW, &max_uw) < 0 ? 0 : max_uw;
}

static uint64_t believed_uw(int root_fd, const struct powercap_zone *zone)
{
    uint64_t believed = zone->use == POWERCAP_DRAM ? DRAM_MAX_UW : PACKAGE_MAX_UW;

    for (int i = 0; i < CONSTRAINTS; i++) {
        uint64_t max_uw = read_constraint_uw(root_fd, zone->zone, i);

        if (max_uw > believed)
            believed = max_uw;
    }
    return believed;
}

/* hwloc's index of the kernel's package id; where hwloc knows no packages, there is only one. */
static int find_domain(const struct topology *topology, int package_os)
{
    for (unsigned i = 0; i < topology->n_packages; i++)
        if (topology->package_os[i] == package_os)
            return (int)i;
    return topology->n_packages == 1 && topology->package_os[0] < 0 ? 0 : -1;
}

/* A figure that is known to be wrong is none, and what would mend it is told. */
static bool has_wrong_unit(int root_fd, const struct powercap_zone *zone)
{
    return zone->use == POWERCAP_DRAM &&
           zone->range_uj == powercap_range_uj(OLD_DRAM_MAX_UJ) && cpuinfo_is_rapids(root_fd);
}

static int offer_zone(struct sensors *sensors, const struct powercap_zone *zone, int domain)
{
    struct sensor_slot slot = {.source = &powercap_source};

    slot.fd = powercap_open(sensors->options.root_fd, zone->zone);
    if (slot.fd < 0) /* it could be read a moment ago: try again later */
        slot.fd = -1;
    memcpy(slot.counter.source, zone->zone, sizeof(zone->zone));
    memcpy(slot.name, zone->name, sizeof(zone->name));
    slot.part = zone->use == POWERCAP_DRAM ? PART_DRAM : PART_PACKAGE;
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.domain = (unsigned)domain;
    slot.counter.range_uj = zone->range_uj;
    slot.counter.max_uw = believed_uw(sensors->options.root_fd, zone);
    return sensors_offer(sensors, &slot);
}

/* What never counts is offered all the same: rules.c says why. */
static int offer_contained(struct sensors *sensors, const struct powercap_zone *zone,
                           enum sensor_part part)
{
    struct sensor_slot slot = { .source = &powercap_source, .part = part, .fd = -1 };

    memcpy(slot.counter.source, zone->zone, sizeof(zone->zone));
    return sensors_offer(sensors, &slot);
}

/* 1 when the zone was offered, 0 when it is left out. */
static int take_zone(struct sensors *sensors, const struct powercap_zone *zone)
{
    static const struct {
        const char *name;
        enum sensor_part part;
    } contained[] = { { "core", PART_CORES }, { "uncore", PART_GRAPHICS } };
    int domain, rc;

    if (powercap_is_psys(zone->name) && !zone->repeats)
        return offer_contained(sensors, zone, PART_PLATFORM);
    for (size_t i = 0; i < sizeof(contained) / sizeof(contained[0]) && !zone->repeats; i++)
        if (strcmp(zone->name, contained[i].name) == 0)
            return offer_contained(sensors, zone, contained[i].part);
    if (zone->use == POWERCAP_LEFT_OUT)
        return sensors_leave_out(sensors, zone->zone, zone->reason);
    if (has_wrong_unit(sensors->options.root_fd, zone))
        return sensors_leave_out(sensors, zone->zone,
                                 "this kernel reads it 4 times too low: use Linux 6.1 or newer");
    domain = find_domain(sensors->options.topology, zone->package_os);
    if (domain < 0)
        return sensors_leave_out(sensors, zone->zone, "hwloc does not know its package");
    rc = offer_zone(sensors, zone, domain);
    return rc < 0 ? rc : 1;
}

static int powercap_find(struct sensors *sensors, struct error *err)
{
    struct powercap_zone zones[POWERCAP_ZONES_MAX];
    int root_fd = sensors->options.root_fd;
    int count = powercap_list(root_fd, zones, POWERCAP_ZONES_MAX);
    const char *reason = NULL;
    int offered = 0;

    if (count == -ENOENT)
        return error_set(err, -ENODEV,
                         "no zones in sys/class/powercap (load intel_rapl_msr, or set "
                         "Sensors=modelled)");
    if (count < 0)
        return error_set_errno(err, count, "sys/class/powercap");
    powercap_leave_out_mirrors(root_fd, zones, (size_t)count);
    for (int i = 0; i < count; i++) {
        int rc = take_zone(sensors, &zones[i]);

        if (rc < 0)
            return rc;
        offered += rc;
        if (rc == 0 && zones[i].package_os >= 0 && !zones[i].repeats)
            reason = zones[i].reason;
    }
    if (offered == 0)
        return error_set(err, -ENODEV, "no zone can be used%s%s", reason ? ": " : "",
                         reason ? reason : "");
    return offered;
}

/* The same zone again: after the driver was reloaded, a number may mean another package. */
static bool is_same(const struct sensor_slot *slot, const struct powercap_zone *zone)
{
    return zone->use != POWERCAP_LEFT_OUT && strcmp(zone->zone, slot->counter.source) == 0 &&
           strcmp(zone->name, slot->name) == 0 && zone->range_uj == slot->counter.range_uj;
}

static void reopen(struct sensors *sensors, struct sensor_slot *slot)
{
    struct powercap_zone zones[POWERCAP_ZONES_MAX];
    int root_fd = sensors->options.root_fd;
    int count = powercap_list(root_fd, zones, POWERCAP_ZONES_MAX);

    for (int i = 0; i < count; i++)
        if (is_same(slot, &zones[i])) {
            int fd = powercap_open(root_fd, zones[i].zone);

            slot->fd = fd < 0 ? -1 : fd;
        }
}

static int powercap_source_read(struct sensors *sensors, struct sensor_slot *slot,
                                uint64_t *ret_raw_uj)
{
    int rc;

    if (slot->fd < 0) {
        if (!sensors_may_look(slot)) /* it lists all zones: not at every tick */
            return -ENODEV;
        reopen(sensors, slot);
        if (slot->fd < 0)
            return -ENODEV;
    }
    rc = powercap_read(slot->fd, ret_raw_uj);
    if (rc == -ENODEV || rc == -ENOENT) {
        close(slot->fd);
        slot->fd = -1;
        sensors_look_later(slot);
        return -ENODEV;
    }
    return rc;
}

const struct sensor_source powercap_source = {
    .name = "powercap",
    .find = powercap_find,
    .read = powercap_source_read,
};
