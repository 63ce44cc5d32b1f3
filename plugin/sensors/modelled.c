#include "sensors/modelled.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "sensors/cpuinfo.h"
#include "sensors/power_models.h"
#include "sensors/source.h"

__extension__ typedef unsigned __int128 wide;

/*
 * The model cannot misread, but busy time comes in steps of 10 ms, and from CPUs without a tick
 * later and in one piece: a short interval may show several times full power.
 */
#define BELIEF 10

uint64_t modelled_energy_uj(uint64_t idle_uw, uint64_t full_uw, uint32_t cpus, uint64_t boottime_ns,
                            uint64_t busy_ns)
{
    /* uW x ns = 10^-15 J; over ten years of a 1 kW package of 1000 CPUs this stays below 2^99 */
    wide idle = (wide)idle_uw * boottime_ns * cpus;
    wide active = (wide)(full_uw - idle_uw) * busy_ns;

    return (uint64_t)((idle + active) / ((wide)cpus * NS_PER_S));
}

static uint32_t count_cores(const struct topology *topology, unsigned package)
{
    uint32_t count = 0;

    for (unsigned core = 0; core < topology->n_cores; core++)
        count += topology->core_package[core] == package;
    return count;
}

/* Watts set in carbon.conf win, then the processor's row, then the default. */
static void choose_power(const struct sensor_options *options, uint32_t cores,
                         struct sensor_slot *slot)
{
    struct sensor_counter *counter = &slot->counter;
    const struct power_model *model;
    char name[80];

    cpuinfo_field(options->root_fd, "model name", name, sizeof(name));
    model = power_models_find(name);
    counter->floor_uw = (model ? UINT64_C(2) * model->idle_uw : MODELLED_IDLE_UW_PER_CORE) * cores;
    slot->full_uw = (model ? UINT64_C(2) * model->full_uw : MODELLED_FULL_UW_PER_CORE) * cores;
    snprintf(counter->device, sizeof(counter->device), "%s, %u cores",
             model ? model->family : "unknown processor, default watts", cores);
    if (options->idle_uw || options->full_uw)
        snprintf(counter->device, sizeof(counter->device), "watts of carbon.conf");
    if (options->idle_uw)
        counter->floor_uw = options->idle_uw;
    if (options->full_uw)
        slot->full_uw = options->full_uw;
}

static int set_power(const struct sensor_options *options, struct sensor_slot *slot,
                     struct error *err)
{
    struct sensor_counter *counter = &slot->counter;

    choose_power(options, count_cores(options->topology, counter->domain), slot);
    counter->max_uw = slot->full_uw * BELIEF;
    if (slot->full_uw >= counter->floor_uw)
        return 0;
    return error_set(err, -EINVAL,
                     "package %u would draw %ju W idle and %ju W at full load; set both "
                     "IdleWatts and FullWatts, the first no larger than the second",
                     counter->domain, (uintmax_t)(counter->floor_uw / 1000000),
                     (uintmax_t)(slot->full_uw / 1000000));
}

static int modelled_find(struct sensors *sensors, struct error *err)
{
    const struct sensor_options *options = &sensors->options;
    int offered = 0, rc;

    if (sensors->busy_rc < 0)
        return error_set(err, -ENODEV, "proc/stat: %s", strerror(-sensors->busy_rc));
    for (unsigned package = 0; package < options->topology->n_packages; package++) {
        struct sensor_slot slot = {.source = &modelled_source, .fd = -1};

        if (options->topology->package_cpus[package] == 0)
            continue;
        snprintf(slot.counter.source, sizeof(slot.counter.source), "modelled:%u", package);
        slot.counter.component = COMPONENT_CPU; /* as rules.c says, for sensors_counted_by() */
        slot.part = PART_PACKAGE;
        slot.counter.quality = QUALITY_MODELLED;
        slot.counter.domain = package;
        /* IdleWatts alone, for counters that measure, is no mistake of a model that is not used */
        rc = sensors_counted_by(sensors, &slot) ? 0 : set_power(options, &slot, err);
        if (rc == 0)
            rc = sensors_offer(sensors, &slot);
        if (rc < 0)
            return rc;
        offered++;
    }
    return offered;
}

static int modelled_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    const struct sensor_counter *counter = &slot->counter;

    if (sensors->busy_rc < 0)
        return sensors->busy_rc;
    *ret_raw_uj = modelled_energy_uj(counter->floor_uw, slot->full_uw,
                                     sensors->options.topology->package_cpus[counter->domain],
                                     clock_boottime_ns(), sensors->busy_ns[counter->domain]);
    return 0;
}

const struct sensor_source modelled_source = {
    .name = "modelled",
    .in_process = true,
    .find = modelled_find,
    .read = modelled_read,
};
