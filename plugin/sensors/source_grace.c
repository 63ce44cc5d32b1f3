/*
 * source_grace.c - the power meters of NVIDIA Grace (measured; watts, integrated)
 *
 * Grace's firmware shows one ACPI power meter for each part of a socket, and says which in its OEM
 * information. The kernel's driver (drivers/hwmon/acpi_power_meter.c) has their files on the ACPI
 * device, hwmonN/device/: name ("power_meter"), power1_oem_info, power1_average in uW, always of
 * whole mW, and power1_average_interval in ms: the mean of the last 50 ms, or of the last second
 * where an administrator wrote 1000 there. Should they move to hwmonN/ itself they are found too.
 *
 *   "Module Power Socket N"  all of a Grace Hopper module: losses, both memories, the GPU
 *   "Grace Power Socket N"   the socket without the GPU; about twice the two rails below
 *   "CPU Power Socket N"     the rail of the cores
 *   "SysIO Power Socket N"   the rail of the rest of the chip
 *
 * (Grace Performance Tuning Guide, Power Telemetry; NVIDIA's edk2-nvidia,
 * BpmpSsdtSocketN_th500.asl; that Grace's meter is more than the rails, with the memory: NVIDIA's
 * srt-slurm, cpu_rails.py.)
 *
 * So the package is Grace's meter, and with firmware that has none the CPU rail, which is too
 * little, not too much. A DRAM meter counts only where Grace's, which contains it, is missing.
 * "Total Power in uW socket N" and its like, of later firmware, are left out: the driver multiplies
 * by 1000 what may be uW already.
 *
 * In that firmware the meters of one socket share a gate of 50 ms: one read within 50 ms of another
 * repeats what it said itself at its last real reading, however long ago, and 0 before the first.
 * So only the meters that count are read. A meter of a socket that runs this code never is at 0 W,
 * and one of mW does not say the same for a minute: both are no readings. All bits set is ACPI's
 * word for "not available" (ACPI 6.5, 10.4.1); older kernels multiply it like a power.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "sensors/source.h"

#define HWMON_DIR "sys/class/hwmon"
#define METERS_MAX 64 /* eight sockets with eight meters */

/*
 * What is believed is that of other packages and their memory (source.h): a socket of the Grace CPU
 * Superchip (500 W for both, with memory) or of GH200 stays below half of it.
 */

/* 32 bits of ones, which firmware gives where ACPI wants all of them, in mW. */
#define UNAVAILABLE_UW (UINT64_C(0xffffffff) * 1000)

/* A first reading may fall into the gate of someone else's: tried again after it. */
#define FIRST_READ_TRIES 3
#define GATE_NS 60000000L

enum meter_kind { METER_GRACE, METER_CPU, METER_SYSIO, METER_DRAM, METER_MODULE, METER_UNKNOWN };

static const char *const kind_names[] = { "grace", "cpu", "sysio", "dram", "module" };

struct meter {
    char dir[48]; /* "sys/class/hwmon/hwmon3/device" */
    char label[64];
    enum meter_kind kind;
    uint32_t socket;
};

_Static_assert(sizeof(((struct sensor_slot *)0)->name) >= sizeof(((struct meter *)0)->dir),
               "one is copied to the other");

/* What a slot keeps in its scratch. */
enum { KIND, SOCKET, LAST_UW, SINCE_NS };

/* A file of a meter. */
static int read_line(int root_fd, const char *dir, const char *file, char *line, size_t size)
{
    char path[192];

    snprintf(path, sizeof(path), "%.127s/%s", dir, file);
    return file_read_line(root_fd, path, line, size);
}

/* "Grace Power Socket 0"; false for other text. An unknown kind is told where a socket is named. */
static bool parse_label(const char *label, enum meter_kind *ret_kind, uint32_t *ret_socket)
{
    static const char middle[] = " Power Socket ";
    const char *number = strrchr(label, ' ');
    size_t kind_len = strcspn(label, " ");

    *ret_kind = METER_UNKNOWN;
    if (!number || parse_u32(number + 1, 0, UINT16_MAX, ret_socket) < 0)
        return false;
    if (strncasecmp(label + kind_len, middle, sizeof(middle) - 1) == 0 &&
        label + kind_len + sizeof(middle) - 1 == number + 1)
        for (size_t i = 0; i < METER_UNKNOWN; i++)
            if (strlen(kind_names[i]) == kind_len &&
                strncasecmp(label, kind_names[i], kind_len) == 0)
                *ret_kind = (enum meter_kind)i;
    return *ret_kind != METER_UNKNOWN || strstr(label, "ocket ") != NULL;
}

static bool read_label(int root_fd, const char *dir, struct meter *meter)
{
    return read_line(root_fd, dir, "power1_oem_info", meter->label, sizeof(meter->label)) == 0 &&
           parse_label(meter->label, &meter->kind, &meter->socket);
}

static bool is_power_meter(int root_fd, const char *dir)
{
    char name[32];

    return read_line(root_fd, dir, "name", name, sizeof(name)) == 0 &&
           strcmp(name, "power_meter") == 0;
}

static bool look_at(int root_fd, uint32_t number, struct meter *ret_meter)
{
    char parent[48], child[48];

    snprintf(parent, sizeof(parent), HWMON_DIR "/hwmon%u", number);
    snprintf(child, sizeof(child), HWMON_DIR "/hwmon%u/device", number);
    if (!is_power_meter(root_fd, child) && !is_power_meter(root_fd, parent))
        return false;
    memcpy(ret_meter->dir, child, sizeof(child));
    if (read_label(root_fd, child, ret_meter))
        return true;
    memcpy(ret_meter->dir, parent, sizeof(parent));
    return read_label(root_fd, parent, ret_meter);
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* The meters of sockets, in the order of their hwmon numbers: how many, or a negative errno. */
static int list_meters(int root_fd, struct meter *ret_meters)
{
    int fd = openat(root_fd, HWMON_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    uint32_t numbers[256];
    struct dirent *entry;
    size_t n_numbers = 0;
    int count = 0;

    if (!dir) {
        count = -errno;
        if (fd >= 0)
            close(fd);
        return count;
    }
    while (n_numbers < sizeof(numbers) / sizeof(numbers[0]) && (entry = readdir(dir)))
        if (strncmp(entry->d_name, "hwmon", 5) == 0 &&
            parse_u32(entry->d_name + 5, 0, UINT32_MAX, &numbers[n_numbers]) == 0)
            n_numbers++;
    closedir(dir);
    qsort(numbers, n_numbers, sizeof(numbers[0]), by_number);
    for (size_t i = 0; i < n_numbers && count < METERS_MAX; i++)
        count += look_at(root_fd, numbers[i], &ret_meters[count]);
    return count;
}

/* --- what a meter counts as, and of which package ------------------------ */

static bool has_meter(const struct meter *meters, int count, enum meter_kind kind, uint32_t socket)
{
    for (int i = 0; i < count; i++)
        if (meters[i].kind == kind && meters[i].socket == socket)
            return true;
    return false;
}

static enum sensor_part part_of(const struct meter *meters, int count, const struct meter *meter)
{
    bool has_whole = has_meter(meters, count, METER_GRACE, meter->socket);

    switch (meter->kind) {
    case METER_GRACE:
        return PART_PACKAGE;
    case METER_CPU:
        return has_whole ? PART_CORES : PART_PACKAGE;
    case METER_DRAM:
        return has_whole ? PART_IO : PART_DRAM;
    case METER_MODULE:
        return PART_PLATFORM;
    default:
        return PART_IO;
    }
}

static int package_by_os(const struct topology *topology, uint32_t socket)
{
    for (unsigned i = 0; i < topology->n_packages; i++)
        if (topology->package_os[i] == (int32_t)socket)
            return (int)i;
    return -1;
}

/*
 * Whether sockets are the kernel's package ids. Where firmware gives Arm's packages ids of another
 * kind (those of its own table), the sockets are hwloc's packages in their order: never a mixture.
 */
static bool is_by_os(const struct topology *topology, const struct meter *meters, int count)
{
    for (int i = 0; i < count; i++)
        if (meters[i].kind != METER_UNKNOWN && package_by_os(topology, meters[i].socket) < 0)
            return false;
    return true;
}

static int find_domain(const struct topology *topology, bool by_os, uint32_t socket)
{
    if (by_os)
        return package_by_os(topology, socket);
    return socket < topology->n_packages ? (int)socket : -1;
}

/* --- readings ------------------------------------------------------------ */

static int read_power(int root_fd, const char *dir, uint64_t *ret_power_uw)
{
    char line[32];
    int rc = read_line(root_fd, dir, "power1_average", line, sizeof(line));

    if (rc < 0)
        return rc == -ENOENT ? -ENODEV : rc;
    return parse_u64(line, 1, UNAVAILABLE_UW - 1, ret_power_uw) < 0 ? -EBADMSG : 0;
}

static int read_first(int root_fd, const char *dir)
{
    const struct timespec pause = { 0, GATE_NS };
    uint64_t power_uw;
    int rc = read_power(root_fd, dir, &power_uw);

    for (int i = 1; i < FIRST_READ_TRIES && rc < 0; i++) {
        nanosleep(&pause, NULL);
        rc = read_power(root_fd, dir, &power_uw);
    }
    return rc;
}

/* After the driver was loaded anew a number may mean another meter. */
static bool is_same(const struct sensor_slot *slot, const struct meter *meter)
{
    return meter->kind == slot->scratch[KIND] && meter->socket == slot->scratch[SOCKET];
}

/* Make sure that slot->name is the meter's directory still, or find it again: 0 or -ENODEV. */
static int settle(int root_fd, struct sensor_slot *slot)
{
    struct meter meters[METERS_MAX];
    int count;

    if (read_label(root_fd, slot->name, &meters[0]) && is_same(slot, &meters[0]))
        return 0;
    if (!sensors_may_look(slot))
        return -ENODEV;
    count = list_meters(root_fd, meters);
    for (int i = 0; i < count; i++)
        if (is_same(slot, &meters[i])) {
            memcpy(slot->name, meters[i].dir, sizeof(meters[i].dir));
            return 0;
        }
    return -ENODEV;
}

/* A meter that fails repeats its last value in kernels that do not pass the failure on. */
static bool is_stuck(struct sensor_slot *slot, uint64_t now_ns, uint64_t power_uw)
{
    if (slot->scratch[LAST_UW] != power_uw) {
        slot->scratch[LAST_UW] = power_uw;
        slot->scratch[SINCE_NS] = now_ns;
    }
    return now_ns - slot->scratch[SINCE_NS] >= SENSORS_STUCK_NS;
}

static int grace_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    int root_fd = sensors->options.root_fd;
    uint64_t power_uw, now_ns;
    int rc = settle(root_fd, slot);

    if (rc == 0)
        rc = read_power(root_fd, slot->name, &power_uw);
    if (rc < 0) {
        slot->scratch[LAST_UW] = 0;
        return rc;
    }
    now_ns = clock_boottime_ns();
    if (is_stuck(slot, now_ns, power_uw))
        return -ESTALE;
    *ret_raw_uj = gauge_add(&slot->gauge, now_ns, power_uw);
    return 0;
}

/* --- finding ------------------------------------------------------------- */

static void describe(int root_fd, const struct meter *meter, struct sensor_counter *counter)
{
    static const char file[] = "power1_average_interval";
    char interval[16];
    uint32_t interval_ms;

    snprintf(counter->source, sizeof(counter->source), "grace:%s-socket-%u",
             kind_names[meter->kind], meter->socket);
    if (read_line(root_fd, meter->dir, file, interval, sizeof(interval)) == 0 &&
        parse_u32(interval, 1, 1000000, &interval_ms) == 0)
        snprintf(counter->device, sizeof(counter->device), "%s, mean of %u ms", meter->label,
                 interval_ms);
    else
        snprintf(counter->device, sizeof(counter->device), "%s", meter->label);
}

/* 1 when it was offered to count, 0 when it never counts or is left out. */
static int offer(struct sensors *sensors, const struct meter *meter, enum sensor_part part,
                 int domain)
{
    struct sensor_slot slot = { .source = &grace_source, .part = part, .fd = -1 };
    bool counts = part == PART_PACKAGE || part == PART_DRAM;
    char reason[96];
    int rc;

    describe(sensors->options.root_fd, meter, &slot.counter);
    if (counts && domain < 0)
        return sensors_leave_out(sensors, slot.counter.source, "hwloc does not know its package");
    rc = counts ? read_first(sensors->options.root_fd, meter->dir) : 0;
    if (rc < 0) {
        snprintf(reason, sizeof(reason), "power1_average: %s", sensors_error_text(rc));
        return sensors_leave_out(sensors, slot.counter.source, reason);
    }
    memcpy(slot.name, meter->dir, sizeof(meter->dir));
    slot.scratch[KIND] = meter->kind;
    slot.scratch[SOCKET] = meter->socket;
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.domain = domain < 0 ? 0 : (unsigned)domain;
    slot.counter.max_uw = part == PART_DRAM ? DRAM_MAX_UW : PACKAGE_MAX_UW;
    slot.counter.fresh = true;
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : counts;
}

static int take_meter(struct sensors *sensors, const struct meter *meters, int count, int index)
{
    const struct meter *meter = &meters[index];
    const struct topology *topology = sensors->options.topology;
    const char *hwmon = meter->dir + sizeof(HWMON_DIR);
    char source[SOURCE_NAME_SIZE];

    snprintf(source, sizeof(source), "grace:%.*s", (int)strcspn(hwmon, "/"), hwmon);
    if (meter->kind == METER_UNKNOWN)
        return sensors_leave_out(sensors, source, "what it measures, and in what unit, is unknown");
    if (has_meter(meters, index, meter->kind, meter->socket))
        return sensors_leave_out(sensors, source, "a second meter with the same label");
    return offer(sensors, meter, part_of(meters, count, meter),
                 find_domain(topology, is_by_os(topology, meters, count), meter->socket));
}

static int grace_find(struct sensors *sensors, struct error *err)
{
    struct meter meters[METERS_MAX];
    int count = list_meters(sensors->options.root_fd, meters);
    int offered = 0;

    if (count < 0 && count != -ENOENT)
        return error_set(err, -ENODEV, HWMON_DIR ": %s", sensors_error_text(count));
    if (count <= 0)
        return error_set(err, -ENODEV,
                         "no power meter of a Grace socket in " HWMON_DIR " (on Grace: load "
                         "acpi_power_meter, and enable telemetry in the firmware)");
    for (int i = 0; i < count; i++) {
        int rc = take_meter(sensors, meters, count, i);

        if (rc < 0)
            return rc;
        offered += rc;
    }
    if (offered == 0)
        return error_set(err, -ENODEV, "none of the %d power meters in " HWMON_DIR " can be used",
                         count);
    return offered;
}

const struct sensor_source grace_source = {
    .name = "grace",
    .find = grace_find,
    .read = grace_read,
};
