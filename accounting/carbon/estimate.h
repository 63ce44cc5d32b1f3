/*
 * estimate.h - emissions of work that was not metered here: before it runs, or that ran elsewhere
 *
 * METHOD (docs/method.md), mode planned, as Luccioni, Viguier and Ligozat (2022, arXiv 2211.02001)
 * did it for BLOOM:
 *
 *     dynamic      device-hours x watts of a device (or energy that is known)
 *     nodes        nodes x watts of a node besides its devices x duration
 *     idle, infrastructure   constant power x duration
 *     overhead     (PUE - 1) x all of these
 *     embodied     kg / (lifetime x 8760 h x expected utilisation) x node- or device-hours
 *
 * Infrastructure power and a PUE above 1 are alternatives: both would count the building twice.
 * Nothing is measured: every figure is a double, at full precision. Pure.
 */
#ifndef CARBON_CARBON_ESTIMATE_H
#define CARBON_CARBON_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define HOURS_PER_YEAR 8760

/* A figure with its range; low = high = central where nobody gives a range. */
struct range {
    double low, central, high;
};

/* Has: 0 in a field that is not given. */
struct estimate_input {
    double device_hours, devices;  /* GPUs, or cores where `cores` */
    double hours;                  /* duration; else device_hours / devices */
    bool cores;
    double device_w;
    bool has_energy;
    double energy_kwh;             /* instead of device_hours x device_w */
    double nodes, node_w;
    double devices_per_node;
    double idle_kw, infrastructure_kw;
    double pue;                    /* at least 1 */
    bool has_intensity;
    double intensity_g_per_kwh;
    struct range device_kg, node_kg; /* manufacture, of one */
    double lifetime_years, utilisation; /* utilisation in (0, 1] */
};

enum estimate_part {
    PART_DYNAMIC, PART_NODES, PART_IDLE, PART_INFRASTRUCTURE, PART_OVERHEAD,
    PART_EMBODIED_NODES, PART_EMBODIED_DEVICES, PART_COUNT,
};

struct estimate {
    double hours;                       /* 0: not known, and nothing needs it */
    double device_hours, node_hours;
    double energy_kwh[PART_COUNT];      /* 0 of embodied parts */
    struct range mass_kg[PART_COUNT];   /* of energy parts only with an intensity */
    double total_kwh;
    bool has_operational, has_embodied;
    struct range total_kg;
};

/*
 * -EINVAL, naming the option to write, for what is missing or contradicts: no energy at all, idle
 * power without a duration, infrastructure power beside a PUE above 1, embodied without lifetime,
 * nodes' embodied without their hours.
 */
MUST_CHECK int estimate_of(const struct estimate_input *input, struct estimate *ret,
                           struct error *err);

/* The parts of running, and of making, together; 0 where they are not known. */
struct range estimate_operational(const struct estimate *estimate);
struct range estimate_embodied(const struct estimate *estimate);

#endif
