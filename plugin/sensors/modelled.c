#include "sensors/modelled.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "sensors/cpuinfo.h"
#include "sensors/pci.h"
#include "sensors/power_models.h"
#include "sensors/source.h"

__extension__ typedef unsigned __int128 wide;

/*
 * The model cannot misread, but busy time comes in steps of 10 ms, and from CPUs without a tick
 * later and in one piece: a short interval may show several times full power.
 */
#define BELIEF 10

#define UW_PER_W UINT64_C(1000000)
#define PPM UINT64_C(1000000)

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

static int find_packages(struct sensors *sensors, struct error *err)
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

/* --- GPUs ------------------------------------------------------------------------------------- */

/* Where anything measures a GPU none is modelled: whose index is whose could not be told. */
static bool has_measured_gpu(const struct sensors *sensors)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (sensors->slots[i].counter.component == COMPONENT_GPU)
            return true;
    return false;
}

/* Others' displays are not for computing: a server's controller has one (ASPEED, Matrox). */
static bool is_of_gpu_vendor(const struct pci_device *device)
{
    return device->vendor == PCI_NVIDIA || device->vendor == PCI_AMD || device->vendor == PCI_INTEL;
}

static int offer_gpu(struct sensors *sensors, const struct pci_device *device, unsigned index,
                     const struct gpu_model *model)
{
    struct sensor_slot slot = { .source = &modelled_source, .fd = -1, .part = PART_GPU };
    struct sensor_counter *counter = &slot.counter;

    slot.full_uw = model->board_w * UW_PER_W / model->dies;
    snprintf(counter->source, sizeof(counter->source), "modelled:gpu%u", index);
    counter->quality = QUALITY_MODELLED;
    counter->domain = index;
    counter->max_uw = slot.full_uw;
    counter->floor_uw = slot.full_uw / MODELLED_GPU_IDLE_PART;
    counter->held_uw = counter->floor_uw +
                       mul_div(slot.full_uw - counter->floor_uw,
                               sensors->options.gpu_utilisation_ppm, PPM);
    snprintf(counter->device, sizeof(counter->device),
             "%.26s %.16s, %s%u W board: %u W free, %u W held", model->name, device->name,
             model->dies > 1 ? "half a " : "", model->board_w,
             (uint16_t)(counter->floor_uw / UW_PER_W), (uint16_t)(counter->held_uw / UW_PER_W));
    return sensors_offer(sensors, &slot);
}

static int leave_out_gpu(struct sensors *sensors, const struct pci_device *device,
                         const struct gpu_model *model)
{
    char source[SOURCE_NAME_SIZE], reason[96];

    snprintf(source, sizeof(source), "modelled:%.20s", device->name);
    if (model)
        snprintf(reason, sizeof(reason), "%s shares its watts with the processor of its module",
                 model->name);
    else
        snprintf(reason, sizeof(reason), "%04x:%04x is no accelerator whose watts are known",
                 device->vendor, device->device);
    return sensors_leave_out(sensors, source, reason);
}

/* Indices in the order of the bus, as Slurm has them; what is left out takes none. */
static int find_gpus(struct sensors *sensors)
{
    static const struct gpu_model unknown = { .name = "unknown GPU, default watts", .dies = 1,
                                              .board_w = MODELLED_GPU_BOARD_W };
    struct pci_device devices[PCI_DEVICES_MAX];
    int count = pci_list_gpus(sensors->options.root_fd, devices), rc = 0;
    unsigned offered = 0;

    if (has_measured_gpu(sensors) || count == -ENOENT)
        return 0;
    if (count < 0)
        return sensors_leave_out(sensors, "modelled:gpu", strerror(-count));
    for (int i = 0; i < count && rc == 0; i++) {
        const struct gpu_model *model = gpu_models_find(devices[i].vendor, devices[i].device);

        if (!is_of_gpu_vendor(&devices[i]))
            continue;
        if (!model && devices[i].class >> 8 == PCI_CLASS_3D)
            model = &unknown;
        if (model && model->board_w)
            rc = offer_gpu(sensors, &devices[i], offered++, model);
        else
            rc = leave_out_gpu(sensors, &devices[i], model);
    }
    return rc < 0 ? rc : (int)offered;
}

/* --- both ------------------------------------------------------------------------------------- */

static int modelled_find(struct sensors *sensors, struct error *err)
{
    struct error why = { "" };
    int gpus = find_gpus(sensors), packages = gpus < 0 ? gpus : find_packages(sensors, &why);

    if (packages == -ENODEV && gpus > 0) /* without proc/stat there are GPUs all the same */
        packages = sensors_leave_out(sensors, "modelled", why.text);
    return packages < 0 ? error_set(err, packages, "%s", why.text) : packages + gpus;
}

static int modelled_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    const struct sensor_counter *counter = &slot->counter;

    if (slot->part == PART_GPU) { /* a free one: sensors.h */
        *ret_raw_uj = modelled_energy_uj(counter->floor_uw, counter->floor_uw, 1,
                                         clock_boottime_ns(), 0);
        return 0;
    }
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
