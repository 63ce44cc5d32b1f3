/*
 * source_cray.c - the pm_counters of HPE Cray nodes (measured by the node's controller)
 *
 * One file for each counter in sys/cray/pm_counters: "12044825101 J 7810213855886 us", without the
 * time before version 3, in whole joules, which is their resolution, refreshed at 10 Hz.
 *
 *   energy         all of the node, accelerators included: `other` is what the rest leaves of it
 *   cpuN_energy    a processor; where not every package has one:
 *   cpu_energy     all processors together: each package gets an equal part
 *   memory_energy  all memory together: the same
 *   accelN_energy  an accelerator; one of two dies (MI250X) is two devices, each with half of it
 *
 * Equal parts are no measurement of a package: two packages with unlike loads change places by up
 * to what they differ. A counter at 0 J is that of a part that the node lacks.
 *
 * (HPE, User Access to Compute Node Power Data; dumps of nodes that others published: CSCS of a
 * GH200 node, HLRS of a MI300A node.)
 *
 * Left out: accelN_energy on superchips and APUs (Arm with accelerators, MI300A). No document says
 * whether it contains the processor beside the GPU; MI300A nodes have no cpu_energy besides. So is
 * memory_energy on Arm: Grace's own meter contains its memory.
 *
 * `freshness` counts the refreshes. When it has not moved for a second, which is ten of them, what
 * the files say is old: -ESTALE, as for any counter that stands still; not -EAGAIN, which is that
 * nothing was read yet. `generation` counts changes of the power cap and means nothing for energy,
 * so it is not read. Neither is `startup`, the instant at which the controller began to count. It
 * is taken to begin at 0 J (operators say "since boot"; HPE says nothing): then all that a counter
 * shows was drawn after it. Where that is less than before, the ledger sees a reset. Where it is
 * more (the controller restarted early, the meter looked late), the growth that the ledger believes
 * is less than what was drawn, never more. Any other beginning is held to max_uw alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "sensors/pci.h"
#include "sensors/power_models.h"
#include "sensors/source.h"

#define COUNTERS_DIR "sys/cray/pm_counters"
/* Arm's main id register, which other architectures have no file of. */
#define ARM_FILE "sys/devices/system/cpu/cpu0/regs/identification/midr_el1"

#define UJ_PER_J UINT64_C(1000000)
#define FRESH_NS NS_PER_S
#define ACCELERATORS_MAX 16

/*
 * What is believed, of a package and its memory as source.h has it. An accelerator: B200 draws
 * 1200 W, with a quarter on top. A node: four of those, two packages with memory, and a fifth.
 */
#define ACCELERATOR_MAX_UW UINT64_C(1500000000)
#define NODE_MAX_UW UINT64_C(10000000000)

/* What a slot keeps in its scratch: whether the node has `freshness`, its value, and since when. */
enum { HAS_FRESHNESS, FRESHNESS, SINCE_NS };

/* PCI functions of AMD that change what an accelerator's counter is. */
struct pci_count {
    unsigned dies; /* of MI250 and MI250X, two to a card */
    unsigned apus; /* MI300A */
};

/* --- readings ------------------------------------------------------------ */

static int read_line(int root_fd, const char *file, char *line, size_t size)
{
    char path[96];
    int rc;

    snprintf(path, sizeof(path), COUNTERS_DIR "/%s", file);
    rc = file_read_line(root_fd, path, line, size);
    return rc == -ENOENT ? -ENODEV : rc;
}

/* "<number> <unit>" at the end of a line, or before more words: the number, and what follows. */
static int take_number(char *text, const char *unit, uint64_t max, uint64_t *ret_number,
                       char **ret_rest)
{
    char *end = text + strcspn(text, " ");
    size_t len = strlen(unit);

    if (*end == '\0' || strncmp(end + 1, unit, len) != 0)
        return -EBADMSG;
    *end = '\0';
    *ret_rest = end + 1 + len;
    return parse_u64(text, 0, max, ret_number) < 0 ? -EBADMSG : 0;
}

/* "<number> J" or "<number> J <number> us" */
static int read_energy(int root_fd, const char *file, uint64_t *ret_uj)
{
    char line[96], *rest;
    uint64_t energy_j, at_us;
    int rc = read_line(root_fd, file, line, sizeof(line));

    if (rc == 0)
        rc = take_number(line, "J", UINT64_MAX / UJ_PER_J, &energy_j, &rest);
    if (rc == 0 && *rest == ' ')
        rc = take_number(rest + 1, "us", UINT64_MAX, &at_us, &rest);
    if (rc == 0 && *rest)
        rc = -EBADMSG;
    if (rc == 0)
        *ret_uj = energy_j * UJ_PER_J;
    return rc;
}

static int read_freshness(int root_fd, uint64_t *ret_freshness)
{
    char line[64];
    int rc = read_line(root_fd, "freshness", line, sizeof(line));

    if (rc < 0)
        return rc;
    line[strcspn(line, " ")] = '\0'; /* a time may follow */
    return parse_u64(line, 0, UINT64_MAX, ret_freshness) < 0 ? -EBADMSG : 0;
}

/* 0, -ESTALE, or why `freshness` cannot be read any more. */
static int check_freshness(int root_fd, struct sensor_slot *slot)
{
    uint64_t now_ns = clock_boottime_ns(), freshness;
    int rc;

    if (!slot->scratch[HAS_FRESHNESS])
        return 0;
    rc = read_freshness(root_fd, &freshness);
    if (rc < 0)
        return rc;
    if (slot->scratch[SINCE_NS] == 0 || freshness != slot->scratch[FRESHNESS]) {
        slot->scratch[FRESHNESS] = freshness;
        slot->scratch[SINCE_NS] = now_ns;
    }
    return now_ns - slot->scratch[SINCE_NS] >= FRESH_NS ? -ESTALE : 0;
}

static int cray_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    int root_fd = sensors->options.root_fd;
    uint64_t raw_uj;
    int rc = read_energy(root_fd, slot->name, &raw_uj);

    if (rc == 0)
        rc = check_freshness(root_fd, slot);
    if (rc == 0)
        *ret_raw_uj = sensors_share(slot, raw_uj);
    return rc;
}

/* --- finding ------------------------------------------------------------- */

static struct pci_count count_pci(int root_fd)
{
    struct pci_device devices[PCI_DEVICES_MAX];
    struct pci_count count = { 0, 0 };
    int found = pci_list_gpus(root_fd, devices);

    for (int i = 0; i < found; i++) {
        const struct gpu_model *model = gpu_models_find(devices[i].vendor, devices[i].device);

        if (!model || model->vendor != PCI_AMD)
            continue;
        count.dies += model->dies > 1;
        count.apus += model->board_w == 0;
    }
    return count;
}

/* "cray:accel0" of "accel0_energy"; "cray:node" of "energy". Returns its length. */
static size_t name_source(const char *file, char source[SOURCE_NAME_SIZE])
{
    const char *end = strrchr(file, '_');
    int len = end ? snprintf(source, SOURCE_NAME_SIZE, "cray:%.*s", (int)(end - file), file)
                  : snprintf(source, SOURCE_NAME_SIZE, "cray:node");

    return (size_t)len;
}

static bool is_arm(int root_fd)
{
    return faccessat(root_fd, ARM_FILE, F_OK, 0) == 0;
}

static int leave_out(struct sensors *sensors, const char *file, const char *reason)
{
    char source[SOURCE_NAME_SIZE];

    name_source(file, source);
    return sensors_leave_out(sensors, source, reason);
}

/*
 * Whether a counter is there and counts: 1, 0 (left out with the reason, if there is such a file),
 * or -ENOMEM.
 */
static int look_at(struct sensors *sensors, const char *file)
{
    char reason[96];
    uint64_t raw_uj;
    int rc = read_energy(sensors->options.root_fd, file, &raw_uj);

    if (rc == -ENODEV)
        return 0;
    if (rc == 0 && raw_uj > 0)
        return 1;
    snprintf(reason, sizeof(reason), "%s",
             rc < 0 ? sensors_error_text(rc) : "0 J: the node has no such part");
    return leave_out(sensors, file, reason);
}

/*
 * Offer share `index` of `shares` of a counter, for a domain. "cray:accel0" is the whole of it and
 * "cray:cpu/1" its part number 1: 1 or a negative errno.
 */
static int offer(struct sensors *sensors, const char *file, struct sensor_slot slot, unsigned index,
                 unsigned shares)
{
    size_t used = name_source(file, slot.counter.source);
    uint64_t freshness;
    int rc;

    if (shares > 1)
        snprintf(slot.counter.source + used, sizeof(slot.counter.source) - used, "/%u", index);
    snprintf(slot.counter.device, sizeof(slot.counter.device), COUNTERS_DIR "/%s", file);
    snprintf(slot.name, sizeof(slot.name), "%s", file);
    slot.source = &cray_source;
    slot.fd = -1;
    slot.counter.quality = QUALITY_MEASURED;
    slot.share = 1;
    slot.shares = shares;
    slot.scratch[HAS_FRESHNESS] = read_freshness(sensors->options.root_fd, &freshness) == 0;
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : 1;
}

/* Every package gets its part of a counter of all: how many were offered, or a negative errno. */
static int offer_shared(struct sensors *sensors, const char *file, enum sensor_part part,
                        uint64_t max_uw)
{
    unsigned packages = sensors->options.topology->n_packages;
    int rc = look_at(sensors, file);

    if (rc <= 0)
        return rc;
    for (unsigned i = 0; i < packages && rc > 0; i++)
        rc = offer(sensors, file,
                   (struct sensor_slot){ .part = part,
                                         .counter = { .domain = i, .max_uw = max_uw } },
                   i, packages);
    return rc < 0 ? rc : (int)packages;
}

/* cpuN_energy, where every package has one; else their sum. */
static int offer_packages(struct sensors *sensors)
{
    unsigned packages = sensors->options.topology->n_packages;
    uint64_t raw_uj;
    char file[32];
    int rc = 1;

    for (unsigned i = 0; i < packages; i++) {
        snprintf(file, sizeof(file), "cpu%u_energy", i);
        if (read_energy(sensors->options.root_fd, file, &raw_uj) < 0 || raw_uj == 0)
            return offer_shared(sensors, "cpu_energy", PART_PACKAGE, PACKAGE_MAX_UW);
    }
    for (unsigned i = 0; i < packages && rc > 0; i++) {
        snprintf(file, sizeof(file), "cpu%u_energy", i);
        rc = offer(sensors, file,
                   (struct sensor_slot){ .part = PART_PACKAGE,
                                         .counter = { .domain = i, .max_uw = PACKAGE_MAX_UW } },
                   0, 1);
    }
    return rc < 0 ? rc : (int)packages;
}

static int offer_memory(struct sensors *sensors)
{
    static const char file[] = "memory_energy";
    int rc;

    if (is_arm(sensors->options.root_fd)) {
        rc = look_at(sensors, file);
        return rc > 0 ? leave_out(sensors, file, "may be inside the socket of Grace") : rc;
    }
    return offer_shared(sensors, file, PART_DRAM, DRAM_MAX_UW);
}

/*
 * How many devices share an accelerator's counter, or NULL with the reason why that is not known.
 * Slurm's devices are in the order of the PCI bus, and so are the accelerators: its index is N, or
 * 2 N and 2 N + 1.
 */
static unsigned devices_each(int root_fd, unsigned accelerators, const char **ret_reason)
{
    struct pci_count pci = count_pci(root_fd);

    *ret_reason = NULL;
    if (pci.apus || is_arm(root_fd))
        *ret_reason = "may contain the processor beside the GPU";
    else if (pci.dies && pci.dies != 2 * accelerators)
        *ret_reason = "not two MI250 dies to each accelerator: whose it is is not known";
    return pci.dies ? 2 : 1;
}

/* Those up to the first that is missing: behind it Slurm may count devices in another way. */
static int offer_accelerators(struct sensors *sensors)
{
    unsigned count = 0, each;
    const char *reason;
    int offered = 0, rc = 1;
    char file[32];

    while (count < ACCELERATORS_MAX && rc > 0) {
        snprintf(file, sizeof(file), "accel%u_energy", count);
        rc = look_at(sensors, file);
        count += rc > 0;
    }
    each = devices_each(sensors->options.root_fd, count, &reason);
    for (unsigned i = 0; i < count && rc >= 0; i++) {
        snprintf(file, sizeof(file), "accel%u_energy", i);
        if (reason)
            rc = leave_out(sensors, file, reason);
        for (unsigned die = 0; die < each && !reason && rc >= 0; die++) {
            rc = offer(sensors, file,
                       (struct sensor_slot){ .part = PART_GPU,
                                             .counter = { .domain = each * i + die,
                                                          .max_uw = ACCELERATOR_MAX_UW } },
                       die, each);
            offered += rc > 0;
        }
    }
    return rc < 0 ? rc : offered;
}

static int offer_node(struct sensors *sensors)
{
    int rc = look_at(sensors, "energy");

    if (rc <= 0)
        return rc;
    return offer(sensors, "energy",
                 (struct sensor_slot){ .part = PART_NODE, .counter = { .max_uw = NODE_MAX_UW } }, 0,
                 1);
}

static int cray_find(struct sensors *sensors, struct error *err)
{
    int offered = 0, rc;

    if (faccessat(sensors->options.root_fd, COUNTERS_DIR, F_OK, 0) < 0)
        return error_set(err, -ENODEV, "no " COUNTERS_DIR " (HPE Cray nodes alone have it)");
    rc = offer_packages(sensors);
    offered += rc > 0 ? rc : 0;
    if (rc >= 0)
        rc = offer_memory(sensors);
    offered += rc > 0 ? rc : 0;
    if (rc >= 0)
        rc = offer_accelerators(sensors);
    offered += rc > 0 ? rc : 0;
    if (rc >= 0)
        rc = offer_node(sensors);
    offered += rc > 0 ? rc : 0;
    if (rc < 0)
        return rc;
    if (offered == 0)
        return error_set(err, -ENODEV, "no counter in " COUNTERS_DIR " can be used");
    return offered;
}

const struct sensor_source cray_source = {
    .name = "cray",
    .find = cray_find,
    .read = cray_read,
};
