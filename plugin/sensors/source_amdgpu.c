/*
 * AMD GPUs: the energy accumulator in sysfs' gpu_metrics, or the power gauge of their hwmon.
 *
 * Devices are those that amdgpu drives, in PCI bus order, which is the order of Slurm's indices;
 * they count from 0 here as in every source of GPUs, for a node has GPUs of one vendor.
 *
 * The accumulator is believed where the kernel states its unit (v1.4 and later: MI300 and its
 * successors) and on Aldebaran (MI210, MI250, MI250X), whose firmware counts 64 bits in the same
 * unit (ROCm's rsmi_dev_energy_count_get: 15.3 uJ; issue 38 of github.com/ROCm/amdsmi has an idle
 * MI210 at 43.5 W by it). Not elsewhere: the MI100's was seen to stand still until the node booted
 * again (same issue), the Radeons' have 32 bits of no stated unit. These are read by their gauge.
 *
 * An MI250 or MI250X is two devices with one counter for both. Nothing in sysfs names the pair
 * (unique_id is each die's own), but the firmware's figures do: the first die has those of the card
 * and the second has 0 W and 0 J (aldebaran_get_gpu_metrics() of aldebaran_ppt.c), and the second
 * follows the first on the bus. Each die is given half. A first die alone, in a virtual machine,
 * has half as well: the card's other half is not this node's.
 *
 * An MI300A is a module: its socket's counter contains the processor's cores (SocketEnergyAcc of
 * smu_v13_0_6_ppt.c), so what its package counts is taken off. Other GPUs inside a processor (APU)
 * are in their package's counter and never count, nor do they take an index.
 *
 * A card that shows itself as several compute partitions (CPX and so on) gives each an equal share,
 * in the order of their numbers; the partitions are those at the meter's start.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/parse.h"
#include "sensors/gpu_metrics.h"
#include "sensors/pci.h"
#include "sensors/source.h"

/*
 * What is believed: half more than the card's own limit, or a fifth more than the highest board
 * limit of today (MI355X, 1400 W). A limit beyond 10 kW is none.
 */
#define BOARD_MAX_UW UINT64_C(1680000000)
#define LIMIT_MAX_UW UINT64_C(10000000000)

#define POWER_MAX_UW ((UINT64_C(1) << 44) - 1) /* gauge.h */
#define PARTITIONS_MAX 16

/* slot->scratch */
enum { GAUGE_NUMBER = PCI_OWN };

/* Of GAUGE_NUMBER; the filtered one first, for it misses less between two readings. */
static const char *const gauges[] = { NULL, "power1_average", "power1_input" };

#define N_GAUGES (sizeof(gauges) / sizeof(gauges[0]))

enum chip {
    CHIP_ANY,
    CHIP_DIES,   /* two devices, one counter */
    CHIP_KNOWN,  /* one, whose accumulator has the known unit */
    CHIP_MODULE, /* with the processor's cores */
};

/* PCI ids of amdgpu_drv.c that need more than the kernel's word; vendor 1002. */
static const struct {
    uint16_t device;
    enum chip chip;
} chips[] = {
    { 0x7408, CHIP_DIES },   /* MI250X */
    { 0x740c, CHIP_DIES },   /* MI250X, MI250 */
    { 0x740f, CHIP_KNOWN },  /* MI210 */
    { 0x74a0, CHIP_MODULE }, /* MI300A */
};

struct card {
    struct pci_device pci;
    enum chip chip;
    struct gpu_metrics metrics;
    bool has_metrics, accumulates;
    unsigned gauge;    /* of gauges[], 0: none that answers */
    uint64_t power_uw; /* as it said */
    char why[96];      /* not accumulates */
};

static enum chip find_chip(const struct pci_device *device)
{
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++)
        if (device->vendor == PCI_AMD && device->device == chips[i].device)
            return chips[i].chip;
    return CHIP_ANY;
}

static int read_metrics(int root_fd, const char *name, struct gpu_metrics *ret_metrics,
                        struct error *err)
{
    uint8_t bytes[GPU_METRICS_SIZE_MAX + 1];
    size_t len;
    int rc = pci_read_bytes(root_fd, name, "gpu_metrics", bytes, sizeof(bytes), &len);

    if (rc < 0)
        return error_set_errno(err, rc, "gpu_metrics");
    return gpu_metrics_parse(bytes, len, ret_metrics, err);
}

/* --- finding ---------------------------------------------------------------- */

static void probe_metrics(int root_fd, struct card *card)
{
    const struct gpu_metrics *metrics = &card->metrics;
    struct error err = { "" };
    uint64_t energy_uj;

    card->has_metrics = read_metrics(root_fd, card->pci.name, &card->metrics, &err) == 0;
    if (!card->has_metrics)
        snprintf(card->why, sizeof(card->why), "%.95s", err.text);
    else if (!metrics->has_energy || gpu_metrics_energy_uj(metrics->energy_units, &energy_uj) < 0)
        snprintf(card->why, sizeof(card->why), "gpu_metrics v%u.%u has no energy", metrics->format,
                 metrics->content);
    else if (!metrics->unit_stated && card->chip != CHIP_DIES && card->chip != CHIP_KNOWN)
        snprintf(card->why, sizeof(card->why), "gpu_metrics v%u.%u states no unit of its energy",
                 metrics->format, metrics->content);
    else
        card->accumulates = true;
}

static void probe_gauge(int root_fd, struct card *card)
{
    struct pci_hwmon hwmon;

    if (pci_find_hwmon(root_fd, card->pci.name, "amdgpu", &hwmon) < 0)
        return;
    for (unsigned i = 1; i < N_GAUGES && !card->gauge; i++)
        if (pci_read_hwmon(root_fd, card->pci.name, &hwmon, gauges[i], POWER_MAX_UW,
                           &card->power_uw) == 0)
            card->gauge = i;
}

/* Only processors have a vddnb (hwmon_attributes_visible() of amdgpu_pm.c), MI300A excepted. */
static bool has_vddnb(int root_fd, const char *name)
{
    struct pci_hwmon hwmon;
    char attribute[48], text[16];

    if (pci_find_hwmon(root_fd, name, "amdgpu", &hwmon) < 0)
        return false;
    snprintf(attribute, sizeof(attribute), "%s/in1_label", hwmon.dir);
    return pci_read_text(root_fd, name, attribute, text, sizeof(text)) == 0 &&
           strcmp(text, "vddnb") == 0;
}

static bool is_in_processor(int root_fd, const struct card *card)
{
    if (card->chip == CHIP_MODULE)
        return false;
    return (card->has_metrics && card->metrics.in_processor) || has_vddnb(root_fd, card->pci.name);
}

static bool is_second_die(const struct card *card)
{
    if (card->chip != CHIP_DIES)
        return false;
    if (card->has_metrics && (card->metrics.energy_units > 0 || card->metrics.power_w > 0))
        return false;
    return card->power_uw == 0;
}

/* How many devices a card is; 0 when it does not say. */
static uint32_t count_partitions(int root_fd, const struct card *card)
{
    static const char *const modes[] = { "", "SPX", "DPX", "TPX", "QPX" };
    char mode[16];

    if (card->has_metrics && card->metrics.has_partitions)
        return card->metrics.partitions <= PARTITIONS_MAX ? card->metrics.partitions : 0;
    if (pci_read_text(root_fd, card->pci.name, "current_compute_partition", mode,
                      sizeof(mode)) < 0)
        return 1; /* chips that have no partitions */
    for (uint32_t i = 1; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(mode, modes[i]) == 0)
            return i;
    return 0;
}

static uint64_t believed_uw(int root_fd, const char *name, uint32_t shares)
{
    struct pci_hwmon hwmon;
    uint64_t limit_uw;

    if (pci_find_hwmon(root_fd, name, "amdgpu", &hwmon) < 0 ||
        pci_read_hwmon(root_fd, name, &hwmon, "power1_cap_max", LIMIT_MAX_UW, &limit_uw) < 0 ||
        limit_uw == 0)
        return BOARD_MAX_UW / shares;
    return limit_uw * 3 / 2 / shares;
}

/* The package that a module's cores are, by the CPUs that are near to it; -1 when unknown. */
static int find_package(const struct sensors *sensors, const char *name)
{
    const struct topology *topology = sensors->options.topology;
    char text[1024];
    uint64_t node;

    if (topology->n_packages == 1)
        return 0;
    if (pci_read_u64(sensors->options.root_fd, name, "numa_node", INT32_MAX, &node) < 0)
        return -1; /* "-1": then all CPUs are near */
    if (pci_read_text(sensors->options.root_fd, name, "local_cpulist", text, sizeof(text)) < 0)
        return -1;
    return topology_package_of_list(topology, text);
}

/* What is the same for all shares of a card's counter. */
static struct sensor_slot make_slot(struct sensors *sensors, const struct card *card,
                                    uint32_t shares)
{
    int root_fd = sensors->options.root_fd;
    struct sensor_slot slot = { .source = &amdgpu_source, .part = PART_GPU, .fd = -1 };

    memcpy(slot.name, card->pci.name, sizeof(card->pci.name));
    snprintf(slot.counter.source, sizeof(slot.counter.source), "amdgpu:%s",
             pci_address(card->pci.name));
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.max_uw = believed_uw(root_fd, card->pci.name, shares);
    slot.counter.fresh = !card->accumulates;
    pci_describe(root_fd, &card->pci, slot.counter.device, sizeof(slot.counter.device));
    pci_remember(root_fd, &slot);
    slot.scratch[GAUGE_NUMBER] = card->accumulates ? 0 : card->gauge;
    slot.share = shares > 1;
    slot.shares = shares > 1 ? shares : 0;
    return slot;
}

static void add_number(struct sensor_slot *slot, uint32_t number)
{
    size_t len = strlen(slot->counter.source);

    snprintf(slot->counter.source + len, sizeof(slot->counter.source) - len, "/%u", number);
}

static int leave_out(struct sensors *sensors, const struct card *card, const char *reason)
{
    char source[SOURCE_NAME_SIZE];

    snprintf(source, sizeof(source), "amdgpu:%s", pci_address(card->pci.name));
    return sensors_leave_out(sensors, source, reason);
}

static int leave_out_unread(struct sensors *sensors, const struct card *card)
{
    char reason[128];

    snprintf(reason, sizeof(reason), "%.70s; no power gauge", card->why);
    return leave_out(sensors, card, reason);
}

/* 1 when it counts, 0 when it is left out. The counter is the first die's. */
static int offer_die(struct sensors *sensors, const struct card *card, const struct card *first,
                     unsigned domain)
{
    struct sensor_slot slot;
    size_t len;
    int rc;

    if (!first)
        return leave_out(sensors, card, "the card's counter is on its other die, not here");
    if (!first->accumulates && !first->gauge)
        return leave_out_unread(sensors, first);
    slot = make_slot(sensors, first, 2);
    add_number(&slot, card != first);
    len = strlen(slot.counter.device);
    snprintf(slot.counter.device + len, sizeof(slot.counter.device) - len, ", die at %s",
             pci_address(card->pci.name));
    slot.counter.domain = domain;
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : 1;
}

static int offer_module(struct sensors *sensors, const struct card *card, uint32_t partitions,
                        unsigned domain)
{
    struct sensor_slot slot = make_slot(sensors, card, 1);
    int package = find_package(sensors, card->pci.name);
    int rc;

    if (partitions != 1) /* its package would be taken off each */
        return leave_out(sensors, card, "a module in partitions cannot be told from its package");
    if (package < 0)
        return leave_out(sensors, card, "the package that its module contains is not known");
    slot.part = PART_MODULE;
    slot.package = (unsigned)package;
    slot.counter.domain = domain;
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : 1;
}

static int offer_card(struct sensors *sensors, const struct card *card, uint32_t partitions,
                      unsigned domain)
{
    int rc = 0;

    if (!card->accumulates && !card->gauge)
        return leave_out_unread(sensors, card);
    if (card->chip == CHIP_MODULE)
        return offer_module(sensors, card, partitions, domain);
    if (partitions == 0)
        return leave_out(sensors, card, "how many devices its partitions are is not known");
    for (uint32_t i = 0; i < partitions && rc == 0; i++) {
        struct sensor_slot slot = make_slot(sensors, card, partitions);

        if (partitions > 1)
            add_number(&slot, i);
        slot.counter.domain = domain + i;
        rc = sensors_offer(sensors, &slot);
    }
    return rc < 0 ? rc : 1;
}

/* What never counts is offered all the same: rules.c says why. */
static int offer_in_processor(struct sensors *sensors, const struct card *card)
{
    struct sensor_slot slot = { .source = &amdgpu_source, .part = PART_GRAPHICS, .fd = -1 };

    snprintf(slot.counter.source, sizeof(slot.counter.source), "amdgpu:%s",
             pci_address(card->pci.name));
    return sensors_offer(sensors, &slot);
}

static int offer_all(struct sensors *sensors, const struct card *cards, size_t count)
{
    int root_fd = sensors->options.root_fd;
    const struct card *first = NULL; /* die, whose second has not come yet */
    unsigned domain = 0;
    int offered = 0, rc;

    for (size_t i = 0; i < count; i++) {
        const struct card *card = &cards[i];
        uint32_t partitions = 1;

        if (is_in_processor(root_fd, card)) {
            rc = offer_in_processor(sensors, card);
            if (rc < 0)
                return rc;
            continue;
        }
        if (card->chip == CHIP_DIES) {
            bool second = is_second_die(card);

            rc = offer_die(sensors, card, second ? first : card, domain);
            first = second ? NULL : card;
        } else {
            partitions = count_partitions(root_fd, card);
            rc = offer_card(sensors, card, partitions, domain);
            first = NULL;
        }
        if (rc < 0)
            return rc;
        offered += rc;
        domain += partitions ? partitions : 1;
    }
    return offered;
}

static int amdgpu_find(struct sensors *sensors, struct error *err)
{
    struct pci_device devices[PCI_DEVICES_MAX];
    struct card cards[PCI_DEVICES_MAX];
    int root_fd = sensors->options.root_fd;
    int count = pci_list(root_fd, "amdgpu", devices, 0);
    int offered;

    if (count == -ENOENT || count == 0)
        return error_set(err, -ENODEV, "amdgpu drives no device (load amdgpu, or leave it out of "
                         "Sensors where there is no AMD GPU)");
    if (count < 0)
        return error_set_errno(err, count, "sys/bus/pci/drivers/amdgpu");
    for (int i = 0; i < count; i++) {
        cards[i] = (struct card){ .pci = devices[i], .chip = find_chip(&devices[i]) };
        probe_metrics(root_fd, &cards[i]);
        probe_gauge(root_fd, &cards[i]);
    }
    offered = offer_all(sensors, cards, (size_t)count);
    if (offered == 0)
        return error_set(err, -ENODEV, "no GPU that amdgpu drives can be used (carbonctl sensors "
                         "says why of each)");
    return offered;
}

/* --- reading ---------------------------------------------------------------- */

static int read_accumulator(int root_fd, const char *name, uint64_t *ret_raw_uj)
{
    struct gpu_metrics metrics;
    int rc = read_metrics(root_fd, name, &metrics, NULL);

    if (rc < 0)
        return rc;
    if (!metrics.has_energy)
        return -ENODATA;
    return gpu_metrics_energy_uj(metrics.energy_units, ret_raw_uj);
}

static int read_gauge(int root_fd, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    struct pci_hwmon hwmon;
    uint64_t power_uw;
    int rc = pci_find_hwmon(root_fd, slot->name, "amdgpu", &hwmon);

    if (rc == 0)
        rc = pci_read_hwmon(root_fd, slot->name, &hwmon, gauges[slot->scratch[GAUGE_NUMBER]],
                            POWER_MAX_UW, &power_uw);
    if (rc == 0)
        *ret_raw_uj = gauge_add(&slot->gauge, clock_boottime_ns(), power_uw);
    return rc;
}

static int amdgpu_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    int root_fd = sensors->options.root_fd;
    uint64_t raw_uj;
    int rc;

    if (!pci_is_there(root_fd, slot))
        return -ENODEV;
    rc = slot->scratch[GAUGE_NUMBER] > 0 ? read_gauge(root_fd, slot, &raw_uj)
                                         : read_accumulator(root_fd, slot->name, &raw_uj);
    if (rc < 0)
        return pci_note_failure(slot, rc);
    *ret_raw_uj = sensors_share(slot, raw_uj);
    return 0;
}

const struct sensor_source amdgpu_source = {
    .name = "amdgpu",
    .find = amdgpu_find,
    .read = amdgpu_read,
};
