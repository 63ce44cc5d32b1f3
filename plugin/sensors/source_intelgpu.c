/*
 * Intel GPUs: the energy counters of the sensor chips that the xe and i915 drivers make.
 *
 * Devices are those that xe and i915 drive, together in PCI bus order, which is the order of
 * Slurm's indices, and count from 0 here as in every source of GPUs, for a node has GPUs of one
 * vendor. One PCI device is one index: of a Max 1550 both stacks together, as Level Zero has them
 * with ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE. A site whose gres.conf lists the stacks one by one has
 * other indices than these.
 *
 * xe: energy1_input is the card and energy2_input its package, which is inside the card
 * (Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon). Arc A and Max have the second alone; the
 * Max's is its card's all the same (PVC_GT0_PLATFORM_ENERGY_STATUS of xe_hwmon.c). i915: the chip
 * "i915" has energy1_input of the card or, on Arc A, of its package, and the chips "i915_gtN" one
 * of each tile, inside it (sysfs-driver-intel-i915-hwmon).
 *
 * Both drivers sum a register of 32 bits up to 64 at each reading (hwm_energy() of i915_hwmon.c,
 * xe_hwmon_energy_get() of xe_hwmon.c), so the counter never wraps. What a register turned over
 * while nobody read is missing: 262 kJ, 7 minutes of a Max at full power, and can only be too
 * little.
 *
 * Both make a chip for discrete cards alone. The GPU of a processor, always 0000:00:02.0, is in its
 * package's counter and takes no index; another device without a chip (a virtual function) takes
 * one and has no figure.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sensors/pci.h"
#include "sensors/source.h"

/*
 * What is believed: half more than the card's own limits, or a fifth more than the highest board
 * limit (Max 1550, 600 W). A limit beyond 10 kW is none.
 */
#define BOARD_MAX_UW UINT64_C(720000000)
#define LIMIT_MAX_UW UINT64_C(10000000000)

#define INTEGRATED_ORDER 0x20 /* pci_parse_address() of 0000:00:02.0 */

/* slot->scratch */
enum { CHANNEL = PCI_OWN };

static const char *const energy_inputs[] = { NULL, "energy1_input", "energy2_input" };

#define N_CHANNELS 2

#define NO_ENERGY "its driver shows no energy of it"

static const char *driver_of(const char *name)
{
    return strncmp(name, "xe/", 3) == 0 ? "xe" : "i915";
}

static bool is_card_chip(const char *name, const struct pci_hwmon *hwmon)
{
    return strcmp(hwmon->chip, driver_of(name)) == 0;
}

static int read_energy(int root_fd, const char *name, const struct pci_hwmon *hwmon,
                       uint64_t channel, uint64_t *ret_energy_uj)
{
    return pci_read_hwmon(root_fd, name, hwmon, energy_inputs[channel], UINT64_MAX, ret_energy_uj);
}

static bool has_energy(int root_fd, const char *name, const struct pci_hwmon *hwmon,
                       uint64_t channel)
{
    uint64_t energy_uj;
    int rc = read_energy(root_fd, name, hwmon, channel, &energy_uj);

    return rc != -ENOENT && rc != -ENODEV; /* one that fails now is there all the same */
}

static uint64_t believed_uw(int root_fd, const char *name, const struct pci_hwmon *hwmon)
{
    static const char *const limits[] = { "power1_max", "power1_rated_max", "power2_max",
                                          "power2_rated_max" };
    uint64_t believed_uw = 0, limit_uw;

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (pci_read_hwmon(root_fd, name, hwmon, limits[i], LIMIT_MAX_UW, &limit_uw) == 0 &&
            limit_uw > believed_uw)
            believed_uw = limit_uw;
    return believed_uw > 0 ? believed_uw * 3 / 2 : BOARD_MAX_UW;
}

static int offer_counter(struct sensors *sensors, const struct pci_device *device,
                         const struct pci_hwmon *hwmon, uint64_t channel, unsigned domain)
{
    int root_fd = sensors->options.root_fd;
    struct sensor_slot slot = { .source = &intelgpu_source, .part = PART_GPU, .fd = -1 };

    memcpy(slot.name, device->name, sizeof(device->name));
    snprintf(slot.counter.source, sizeof(slot.counter.source), "intelgpu:%s",
             pci_address(device->name));
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.domain = domain;
    slot.counter.max_uw = believed_uw(root_fd, device->name, hwmon);
    pci_describe(root_fd, device, slot.counter.device, sizeof(slot.counter.device));
    pci_remember(root_fd, &slot);
    slot.scratch[CHANNEL] = channel;
    return sensors_offer(sensors, &slot);
}

/* What never counts is offered all the same: rules.c says why. */
static int offer_contained(struct sensors *sensors, const struct pci_device *device,
                           enum sensor_part part, const char *suffix)
{
    struct sensor_slot slot = { .source = &intelgpu_source, .part = part, .fd = -1 };

    snprintf(slot.counter.source, sizeof(slot.counter.source), "intelgpu:%s%s",
             pci_address(device->name), suffix);
    return sensors_offer(sensors, &slot);
}

static int leave_out(struct sensors *sensors, const struct pci_device *device, const char *reason)
{
    char source[SOURCE_NAME_SIZE];

    snprintf(source, sizeof(source), "intelgpu:%s", pci_address(device->name));
    return sensors_leave_out(sensors, source, reason);
}

/* The card's chip: 1 when it counts, 0 when it is left out. */
static int offer_card(struct sensors *sensors, const struct pci_device *device,
                      const struct pci_hwmon *hwmon, unsigned domain)
{
    int root_fd = sensors->options.root_fd;
    bool has[N_CHANNELS + 1] = { false };
    int rc;

    for (uint64_t channel = 1; channel <= N_CHANNELS; channel++)
        has[channel] = has_energy(root_fd, device->name, hwmon, channel);
    if (!has[1] && !has[2])
        return leave_out(sensors, device, NO_ENERGY);
    rc = offer_counter(sensors, device, hwmon, has[1] ? 1 : 2, domain);
    if (rc == 0 && has[1] && has[2])
        rc = offer_contained(sensors, device, PART_IO, "/package");
    return rc < 0 ? rc : 1;
}

static int offer_tiles(struct sensors *sensors, const struct pci_device *device,
                       const struct pci_hwmon *hwmons, int count)
{
    int rc = 0;

    for (int i = 0; i < count && rc == 0; i++) {
        char suffix[32];

        if (is_card_chip(device->name, &hwmons[i]))
            continue;
        snprintf(suffix, sizeof(suffix), "/%s", hwmons[i].chip);
        if (has_energy(sensors->options.root_fd, device->name, &hwmons[i], 1))
            rc = offer_contained(sensors, device, PART_IO, suffix);
    }
    return rc;
}

static const struct pci_hwmon *find_card_chip(const struct pci_device *device,
                                              const struct pci_hwmon *hwmons, int count)
{
    for (int i = 0; i < count; i++)
        if (is_card_chip(device->name, &hwmons[i]))
            return &hwmons[i];
    return NULL;
}

/* Clears *ret_indexed for what takes no index. */
static int offer_device(struct sensors *sensors, const struct pci_device *device, unsigned domain,
                        bool *ret_indexed)
{
    struct pci_hwmon hwmons[PCI_HWMONS_MAX];
    int count = pci_list_hwmons(sensors->options.root_fd, device->name, hwmons);
    const struct pci_hwmon *card = find_card_chip(device, hwmons, count);
    int offered, rc;

    *ret_indexed = card || device->order != INTEGRATED_ORDER;
    if (!*ret_indexed)
        return offer_contained(sensors, device, PART_GRAPHICS, "");
    if (!card)
        return leave_out(sensors, device, NO_ENERGY);
    offered = offer_card(sensors, device, card, domain);
    rc = offered < 0 ? offered : offer_tiles(sensors, device, hwmons, count);
    return rc < 0 ? rc : offered;
}

static int list_devices(int root_fd, struct pci_device *devices)
{
    int count = pci_list(root_fd, "xe", devices, 0);
    int all;

    if (count < 0 && count != -ENOENT)
        return count;
    if (count < 0)
        count = 0;
    all = pci_list(root_fd, "i915", devices, (size_t)count);
    return all == -ENOENT ? count : all;
}

static int intelgpu_find(struct sensors *sensors, struct error *err)
{
    struct pci_device devices[PCI_DEVICES_MAX];
    int count = list_devices(sensors->options.root_fd, devices);
    unsigned domain = 0;
    int offered = 0;

    if (count == 0)
        return error_set(err, -ENODEV, "neither xe nor i915 drives a device (load its driver, or "
                         "leave intelgpu out of Sensors where there is no Intel GPU)");
    if (count < 0)
        return error_set_errno(err, count, "sys/bus/pci/drivers");
    for (int i = 0; i < count; i++) {
        bool indexed;
        int rc = offer_device(sensors, &devices[i], domain, &indexed);

        if (rc < 0)
            return rc;
        offered += rc;
        domain += indexed;
    }
    if (offered == 0)
        return error_set(err, -ENODEV, "no GPU that xe or i915 drives has an energy counter");
    return offered;
}

static int intelgpu_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    int root_fd = sensors->options.root_fd;
    struct pci_hwmon hwmon;
    int rc;

    if (!pci_is_there(root_fd, slot))
        return -ENODEV;
    rc = pci_find_hwmon(root_fd, slot->name, driver_of(slot->name), &hwmon);
    if (rc == 0)
        rc = read_energy(root_fd, slot->name, &hwmon, slot->scratch[CHANNEL], ret_raw_uj);
    return rc < 0 ? pci_note_failure(slot, rc) : 0;
}

const struct sensor_source intelgpu_source = {
    .name = "intelgpu",
    .find = intelgpu_find,
    .read = intelgpu_read,
};
