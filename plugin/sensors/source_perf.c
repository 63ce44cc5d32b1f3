/*
 * source_perf.c - RAPL's energy through perf events, where there is no powercap (measured)
 *
 * The PMU "power" (arch/x86/events/rapl.c) counts the same registers as powercap's zones. Its
 * events are counts of 2^-32 J in 64 bits from 0 on, when they are opened, which the kernel keeps
 * from wrapping; so a counter begins anew with each process. Of sys/bus/event_source/devices/power
 * are read: type, cpumask (one CPU of each package, or die), and in events/ of each energy-pkg,
 * energy-ram and so on the event's number and its scale. Opening one for a CPU needs CAP_PERFMON
 * (CAP_SYS_ADMIN before Linux 5.8), or kernel.perf_event_paranoid at 0 or below.
 *
 * perf_event_open() knows no root directory: it counts on this machine. So it is called only when
 * the PMU's directory is in a sysfs, which is always that of the running kernel. A captured tree's
 * is not, and of it nothing is counted here.
 *
 * Where a package has several CPUs in cpumask they stand for its dies, which add up, on Intel
 * (Cascade Lake-AP). On AMD a package has one counter, and some kernels list each core complex with
 * it: of others than Intel the first alone counts.
 *
 * AMD's PMU of family 15h has the name "power" as well (arch/x86/events/amd/power.c). It counts
 * mean power anew with each reading, in mW, and is no counter of energy: not used.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/apportion.h"
#include "core/file.h"
#include "core/idset.h"
#include "core/parse.h"
#include "sensors/cpuinfo.h"
#include "sensors/source.h"

#define PMU_DIR "sys/bus/event_source/devices/power"

/* 2^-32, exactly, as the kernel writes it. */
#define SCALE "2.3283064365386962890625e-10"
#define COUNTS_PER_J (UINT64_C(1) << 32)
#define UJ_PER_J UINT64_C(1000000)

#define WRONG_UNIT                                                                                 \
    "kernels before 6.1 may count this processor's DRAM 4 times too low: load the module "         \
    "intel_rapl_msr, or update the kernel"

static const struct event {
    const char *name;   /* in events/ */
    const char *source; /* "perf:<source>-<package>" */
    enum sensor_part part;
    uint64_t max_uw;    /* 0: never counts, and is not opened */
} events[] = {
    { "energy-pkg",   "package", PART_PACKAGE,  PACKAGE_MAX_UW },
    { "energy-ram",   "dram",    PART_DRAM,     DRAM_MAX_UW },
    { "energy-cores", NULL,      PART_CORES,    0 },
    { "energy-gpu",   NULL,      PART_GRAPHICS, 0 },
    { "energy-psys",  NULL,      PART_PLATFORM, 0 },
};

#define N_EVENTS (sizeof(events) / sizeof(events[0]))

struct pmu {
    int fd; /* of its directory */
    uint32_t type;
    struct idset cpus;
    char reason[128]; /* why the last that cannot be used cannot; or "" */
};

/* What a slot keeps in its scratch. */
enum { CPU };

/* --- the PMU's directory ------------------------------------------------- */

static int read_type(int pmu_fd, uint32_t *ret_type)
{
    char line[16];
    int rc = file_read_line(pmu_fd, "type", line, sizeof(line));

    if (rc < 0)
        return rc;
    return parse_u32(line, 0, INT32_MAX, ret_type) < 0 ? -EBADMSG : 0;
}

/* "event=0x02": two hexadecimal digits, which are all that the format "config:0-7" has room for. */
static int read_config(int pmu_fd, const char *event, uint64_t *ret_config)
{
    static const char digits[] = "0123456789abcdef", prefix[] = "event=0x";
    char path[64], line[32];
    const char *high, *low;
    int rc;

    snprintf(path, sizeof(path), "events/%s", event);
    rc = file_read_line(pmu_fd, path, line, sizeof(line));
    if (rc < 0)
        return rc;
    if (strlen(line) != strlen(prefix) + 2 || strncmp(line, prefix, strlen(prefix)) != 0)
        return -EBADMSG;
    high = strchr(digits, line[strlen(prefix)]);
    low = strchr(digits, line[strlen(prefix) + 1]);
    if (!high || !low)
        return -EBADMSG;
    *ret_config = (uint64_t)(high - digits) * 16 + (uint64_t)(low - digits);
    return 0;
}

static bool has_scale(int pmu_fd, const char *event)
{
    char path[64], line[64];

    snprintf(path, sizeof(path), "events/%s.scale", event);
    return file_read_line(pmu_fd, path, line, sizeof(line)) == 0 && strcmp(line, SCALE) == 0;
}

/* Whether a directory is the running kernel's own, and no copy of one. */
static bool is_of_kernel(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == SYSFS_MAGIC;
}

static int open_pmu(int root_fd)
{
    int fd = openat(root_fd, PMU_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* --- counters ------------------------------------------------------------ */

/* Opens and enables the event of all that runs on one CPU; its package counts for all of it. */
static int open_event(int pmu_fd, uint32_t type, const char *event, unsigned cpu)
{
    struct perf_event_attr attr = { .type = type, .size = sizeof(attr) };
    uint64_t config;
    int rc = read_config(pmu_fd, event, &config);
    long fd;

    if (rc < 0)
        return rc;
    attr.config = config;
    fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1,
                 (unsigned long)PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

/* The same event of the same CPU, from 0 on. */
static void reopen(int root_fd, struct sensor_slot *slot)
{
    int pmu_fd = open_pmu(root_fd);
    uint32_t type;

    if (pmu_fd < 0)
        return;
    if (is_of_kernel(pmu_fd) && read_type(pmu_fd, &type) == 0 && has_scale(pmu_fd, slot->name))
        slot->fd = open_event(pmu_fd, type, slot->name, (unsigned)slot->scratch[CPU]);
    if (slot->fd < 0)
        slot->fd = -1;
    close(pmu_fd);
}

/* Nothing to read is what the kernel answers when an event is in error: its CPU may be gone. */
static int read_count(int fd, uint64_t *ret_count)
{
    uint64_t count;
    ssize_t got;

    do {
        got = read(fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got == 0)
        return -ENODEV;
    if (got != (ssize_t)sizeof(count))
        return -EBADMSG;
    *ret_count = count;
    return 0;
}

static int perf_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    uint64_t count = 0;
    int rc;

    if (slot->fd < 0) {
        if (!sensors_may_look(slot))
            return -ENODEV;
        reopen(sensors->options.root_fd, slot);
        if (slot->fd < 0)
            return -ENODEV;
    }
    rc = read_count(slot->fd, &count);
    if (rc == -ENODEV) {
        close(slot->fd);
        slot->fd = -1;
        sensors_look_later(slot);
    }
    if (rc == 0)
        *ret_raw_uj = mul_div(count, UJ_PER_J, COUNTS_PER_J);
    return rc;
}

/* --- finding ------------------------------------------------------------- */

static bool is_intel(int root_fd)
{
    char vendor[16];

    cpuinfo_field(root_fd, "vendor_id", vendor, sizeof(vendor));
    return strcmp(vendor, "GenuineIntel") == 0;
}

/* How many CPUs of this one's package come before it in cpumask. */
static unsigned count_before(const struct sensors *sensors, const struct pmu *pmu, unsigned cpu)
{
    const struct topology *topology = sensors->options.topology;
    unsigned count = 0;

    for (int other = idset_next(&pmu->cpus, 0); other >= 0 && other < (int)cpu;
         other = idset_next(&pmu->cpus, (unsigned)other + 1))
        count += topology_package_of(topology, (unsigned)other) ==
                 topology_package_of(topology, cpu);
    return count;
}

/*
 * Kernels before 6.1 take a wrong unit for the DRAM of the Rapids, 4 times too little (without
 * commit 80275ca9e525), and say the same scale of it. One that has the commit from a later kernel
 * does not tell: a figure that may be wrong is none.
 */
static bool may_have_wrong_unit(int root_fd, const struct event *event)
{
    char release[64], *end;
    uint32_t major, minor;

    if (event->part != PART_DRAM || !cpuinfo_is_rapids(root_fd))
        return false;
    if (file_read_line(root_fd, "proc/sys/kernel/osrelease", release, sizeof(release)) < 0)
        return true;
    end = release + strcspn(release, ".");
    if (*end == '\0')
        return true;
    *end++ = '\0';
    end[strspn(end, "0123456789")] = '\0';
    return parse_u32(release, 0, 999, &major) < 0 || parse_u32(end, 0, 999, &minor) < 0 ||
           major < 6 || (major == 6 && minor < 1);
}

static int leave_out(struct sensors *sensors, struct pmu *pmu, const struct sensor_counter *counter,
                     const char *reason)
{
    snprintf(pmu->reason, sizeof(pmu->reason), "%s", reason);
    return sensors_leave_out(sensors, counter->source, reason);
}

static void name_source(struct sensor_counter *counter, const char *what, int package, unsigned die,
                        unsigned cpu)
{
    if (package < 0)
        snprintf(counter->source, sizeof(counter->source), "perf:%s-of-cpu-%u", what, cpu);
    else if (die)
        snprintf(counter->source, sizeof(counter->source), "perf:%s-%d-die-%u", what, package, die);
    else
        snprintf(counter->source, sizeof(counter->source), "perf:%s-%d", what, package);
}

/* One event on one CPU: 1 when it was offered, 0 when it is left out. */
static int take_cpu(struct sensors *sensors, struct pmu *pmu, const struct event *event,
                    unsigned cpu)
{
    struct sensor_slot slot = { .source = &perf_source, .part = event->part };
    int package = topology_package_of(sensors->options.topology, cpu), rc;
    unsigned die = count_before(sensors, pmu, cpu);

    name_source(&slot.counter, event->source, package, die, cpu);
    if (package < 0)
        return leave_out(sensors, pmu, &slot.counter, "hwloc does not know its package");
    if (die && !is_intel(sensors->options.root_fd))
        return leave_out(sensors, pmu, &slot.counter, "repeats its package's counter");
    slot.fd = open_event(pmu->fd, pmu->type, event->name, cpu);
    if (slot.fd == -EACCES || slot.fd == -EPERM)
        return leave_out(sensors, pmu, &slot.counter,
                         "not permitted: needs root, CAP_PERFMON or kernel.perf_event_paranoid=0");
    if (slot.fd < 0)
        return leave_out(sensors, pmu, &slot.counter, sensors_error_text(slot.fd));
    slot.scratch[CPU] = cpu;
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.domain = (unsigned)package;
    slot.counter.max_uw = event->max_uw;
    slot.counter.fresh = true;
    snprintf(slot.name, sizeof(slot.name), "%s", event->name);
    snprintf(slot.counter.device, sizeof(slot.counter.device), "%s on CPU %u", event->name, cpu);
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : 1;
}

/* One event, on every CPU of cpumask: how many were offered, or a negative errno. */
static int take_event(struct sensors *sensors, struct pmu *pmu, const struct event *event)
{
    struct sensor_slot slot = { .source = &perf_source, .part = event->part, .fd = -1 };
    char path[64];
    int offered = 0;

    snprintf(path, sizeof(path), "events/%s", event->name);
    if (faccessat(pmu->fd, path, F_OK, 0) < 0)
        return 0;
    snprintf(slot.counter.source, sizeof(slot.counter.source), "perf:%s", event->name);
    if (event->max_uw == 0)
        return sensors_offer(sensors, &slot);
    if (!has_scale(pmu->fd, event->name))
        return leave_out(sensors, pmu, &slot.counter, "its scale is not 2^-32 J");
    if (may_have_wrong_unit(sensors->options.root_fd, event))
        return leave_out(sensors, pmu, &slot.counter, WRONG_UNIT);
    for (int cpu = idset_next(&pmu->cpus, 0); cpu >= 0;
         cpu = idset_next(&pmu->cpus, (unsigned)cpu + 1)) {
        int rc = take_cpu(sensors, pmu, event, (unsigned)cpu);

        if (rc < 0)
            return rc;
        offered += rc;
    }
    return offered;
}

static int read_pmu(struct pmu *pmu, struct error *err)
{
    char line[IDSET_TEXT_SIZE];
    int rc;

    if (!is_of_kernel(pmu->fd))
        return error_set(err, -ENODEV,
                         PMU_DIR " is a copy: perf events count on the machine itself");
    if (faccessat(pmu->fd, "events/power-pkg", F_OK, 0) == 0)
        return error_set(err, -ENODEV,
                         PMU_DIR " is that of AMD's family 15h, which tells power, not energy");
    rc = read_type(pmu->fd, &pmu->type);
    if (rc < 0)
        return error_set(err, -ENODEV, PMU_DIR "/type: %s", sensors_error_text(rc));
    rc = file_read_line(pmu->fd, "cpumask", line, sizeof(line));
    if (rc == 0 && (idset_parse(line, &pmu->cpus) < 0 || idset_is_empty(&pmu->cpus)))
        rc = -EBADMSG;
    if (rc < 0)
        return error_set(err, -ENODEV, PMU_DIR "/cpumask: %s", sensors_error_text(rc));
    return 0;
}

static int take_events(struct sensors *sensors, struct pmu *pmu, struct error *err)
{
    int offered = 0;

    for (size_t i = 0; i < N_EVENTS; i++) {
        int rc = take_event(sensors, pmu, &events[i]);

        if (rc < 0)
            return rc;
        offered += rc;
    }
    if (offered == 0)
        return error_set(err, -ENODEV, "no event of " PMU_DIR " can be used%s%s",
                         *pmu->reason ? ": " : "", pmu->reason);
    return offered;
}

static int perf_find(struct sensors *sensors, struct error *err)
{
    struct pmu pmu = { .fd = open_pmu(sensors->options.root_fd) };
    int rc;

    if (pmu.fd == -ENOENT || pmu.fd == -ENOTDIR)
        return error_set(err, -ENODEV, "no " PMU_DIR " (on x86: load the kernel's module rapl)");
    if (pmu.fd < 0)
        return error_set(err, -ENODEV, PMU_DIR ": %s", sensors_error_text(pmu.fd));
    rc = read_pmu(&pmu, err);
    if (rc == 0)
        rc = take_events(sensors, &pmu, err);
    close(pmu.fd);
    return rc;
}

const struct sensor_source perf_source = {
    .name = "perf",
    .find = perf_find,
    .read = perf_read,
};
