#include "sensors/powercap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/parse.h"

#define CLASS_DIR "sys/class/powercap"
#define ZONE_PATH_SIZE (sizeof(CLASS_DIR) + SOURCE_NAME_SIZE + 32)

/* A mirror agrees within a round or two, 1 ms apart; 20 leave room for a busy machine. */
#define MIRROR_ROUNDS 20
#define MIRROR_ROUND_NS 1000000L
/* More than a counter can grow between two readings of a round: 1 J is 1000 W for 1 ms. */
#define MIRROR_APART_UJ UINT64_C(1000000)

/* An energy_uj that fails in passing is tried this often before its zone is left out. */
#define FIRST_READ_TRIES 3

static int zone_path(char path[ZONE_PATH_SIZE], const char *zone, const char *file)
{
    int len = snprintf(path, ZONE_PATH_SIZE, CLASS_DIR "/%s/%s", zone, file);

    return len < 0 || (size_t)len >= ZONE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int open_file(int root_fd, const char *zone, const char *file)
{
    char path[ZONE_PATH_SIZE];
    int rc = zone_path(path, zone, file);
    int fd;

    if (rc < 0)
        return rc;
    fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

/*
 * The first line of an open file, without its newline. One read: the kernel gives a whole value to
 * the first one (Documentation/filesystems/sysfs.rst).
 */
static int read_open_line(int fd, char *line, size_t size)
{
    ssize_t len;

    do {
        len = pread(fd, line, size, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0)
        return -errno;
    if ((size_t)len == size)
        return -EFBIG;
    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

static int read_line(int root_fd, const char *zone, const char *file, char *line, size_t size)
{
    int fd = open_file(root_fd, zone, file);
    int rc = fd < 0 ? fd : read_open_line(fd, line, size);

    if (fd >= 0)
        close(fd);
    return rc;
}

static int read_range(int root_fd, const char *zone, uint64_t *ret_range_uj)
{
    char line[32];
    uint64_t max_uj;
    int rc = read_line(root_fd, zone, "max_energy_range_uj", line, sizeof(line));

    if (rc == 0)
        rc = parse_u64(line, 1, UINT64_MAX / 1000, &max_uj);
    if (rc == 0)
        *ret_range_uj = powercap_range_uj(max_uj);
    return rc;
}

int powercap_open(int root_fd, const char *zone)
{
    return open_file(root_fd, zone, "energy_uj");
}

int powercap_read(int fd, uint64_t *ret_raw_uj)
{
    char line[32];
    int rc = read_open_line(fd, line, sizeof(line));

    if (rc < 0)
        return rc == -EFBIG ? -EBADMSG : rc;
    return parse_u64(line, 0, UINT64_MAX, ret_raw_uj) < 0 ? -EBADMSG : 0;
}

uint64_t powercap_range_uj(uint64_t max_energy_range_uj)
{
    const uint64_t top = UINT32_MAX; /* of the hardware's 32-bit register */
    uint64_t max_nj, unit_nj;

    if (max_energy_range_uj > UINT64_MAX / 1001)
        return max_energy_range_uj + 1;
    max_nj = max_energy_range_uj * 1000;
    unit_nj = max_nj / top + (max_nj % top != 0);
    if (unit_nj > UINT32_MAX || top * unit_nj / 1000 != max_energy_range_uj)
        return max_energy_range_uj + 1;
    return (top + 1) * unit_nj / 1000 + ((top + 1) * unit_nj % 1000 >= 500);
}

/* --- what a zone is ------------------------------------------------------ */

static void leave_out(struct powercap_zone *zone, const char *reason)
{
    zone->use = POWERCAP_LEFT_OUT;
    zone->reason = reason;
}

/* On machines of several packages one of them reports it, and not always the first: "psys-1". */
bool powercap_is_psys(const char *name)
{
    return strcmp(name, "psys") == 0 || strncmp(name, "psys-", 5) == 0;
}

/* "package-1" or "package-1-die-0"; die -1 where there is none. */
static bool parse_package(const char *name, int *ret_package, int *ret_die)
{
    char rest;

    *ret_die = -1;
    if (sscanf(name, "package-%4d%c", ret_package, &rest) == 1)
        return *ret_package >= 0;
    return sscanf(name, "package-%4d-die-%4d%c", ret_package, ret_die, &rest) == 2 &&
           *ret_package >= 0 && *ret_die >= 0;
}

/* The zone whose directory holds this one: "intel-rapl:0" of "intel-rapl:0:1". */
static struct powercap_zone *find_parent(struct powercap_zone *zones, size_t count,
                                         const char *zone)
{
    size_t len = (size_t)(strrchr(zone, ':') - zone);

    for (size_t i = 0; i < count; i++)
        if (strncmp(zones[i].zone, zone, len) == 0 && zones[i].zone[len] == '\0')
            return &zones[i];
    return NULL;
}

static bool is_counted(const struct powercap_zone *zones, size_t count, int package_os, int die_os)
{
    for (size_t i = 0; i < count; i++)
        if (zones[i].use == POWERCAP_PACKAGE && zones[i].package_os == package_os &&
            zones[i].die_os == die_os)
            return true;
    return false;
}

static void leave_out_repeat(struct powercap_zone *zone, const char *reason)
{
    leave_out(zone, reason);
    zone->repeats = true;
}

/* zones[0..index) are classified already: a parent comes before its children. */
static void classify_dram(struct powercap_zone *zones, size_t index)
{
    struct powercap_zone *zone = &zones[index];
    const struct powercap_zone *parent = find_parent(zones, index, zone->zone);

    if (!parent || parent->package_os < 0) {
        leave_out(zone, "dram below something that is no package");
    } else if (parent->repeats) {
        leave_out_repeat(zone, parent->reason);
    } else {
        zone->use = POWERCAP_DRAM;
        zone->package_os = parent->package_os;
        zone->die_os = parent->die_os;
    }
}

static void classify_package(struct powercap_zone *zones, size_t index)
{
    struct powercap_zone *zone = &zones[index];

    if (is_counted(zones, index, zone->package_os, zone->die_os))
        leave_out_repeat(zone, "a zone of the same name is counted already");
    else
        zone->use = POWERCAP_PACKAGE;
}

static void classify(struct powercap_zone *zones, size_t index)
{
    struct powercap_zone *zone = &zones[index];

    if (strncmp(zone->zone, "intel-rapl-mmio:", 16) == 0)
        leave_out_repeat(zone, "intel-rapl-mmio repeats a package");
    else if (strncmp(zone->zone, "intel-rapl:", 11) != 0)
        leave_out(zone, "no RAPL zone");
    else if (parse_package(zone->name, &zone->package_os, &zone->die_os))
        classify_package(zones, index);
    else if (strcmp(zone->name, "dram") == 0)
        classify_dram(zones, index);
    else if (powercap_is_psys(zone->name))
        leave_out(zone, "psys contains the packages");
    else if (strcmp(zone->name, "core") == 0 || strcmp(zone->name, "uncore") == 0)
        leave_out(zone, "it is inside its package");
    else
        leave_out(zone, "a zone of this name is not known");
}

/* --- whether it can be read ---------------------------------------------- */

static int try_read(int root_fd, const char *zone)
{
    uint64_t raw_uj;
    int fd = powercap_open(root_fd, zone);
    int rc;

    if (fd < 0)
        return fd;
    rc = powercap_read(fd, &raw_uj);
    for (int i = 1; rc < 0 && i < FIRST_READ_TRIES; i++)
        rc = powercap_read(fd, &raw_uj);
    close(fd);
    return rc;
}

static const char *unreadable_reason(int code)
{
    switch (-code) {
    case EACCES:
    case EPERM:
        return "energy_uj may not be read: run as root or with CAP_DAC_READ_SEARCH";
    case ENOENT:
        return "it has no energy_uj";
    case EIO:
    case ENODATA:
        return "energy_uj fails to read: input/output error";
    case EBADMSG:
        return "energy_uj holds no number";
    default:
        return "energy_uj cannot be read";
    }
}

static void check_readable(int root_fd, struct powercap_zone *zone)
{
    int rc;

    if (read_range(root_fd, zone->zone, &zone->range_uj) < 0) {
        leave_out(zone, "max_energy_range_uj holds no number: its wrap could not be told");
        return;
    }
    rc = try_read(root_fd, zone->zone);
    if (rc < 0)
        leave_out(zone, unreadable_reason(rc));
}

/* --- listing ------------------------------------------------------------- */

static int compare_zones(const void *a, const void *b)
{
    return compare_numbered(((const struct powercap_zone *)a)->zone,
                            ((const struct powercap_zone *)b)->zone);
}

/* Zone names have a colon; entries without one are control types, the parents of zones. */
static int collect(DIR *dir, struct powercap_zone *zones, size_t max)
{
    const struct dirent *entry;
    size_t count = 0;

    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);

        if (!strchr(entry->d_name, ':') || len >= SOURCE_NAME_SIZE)
            continue;
        if (count == max)
            return -EOVERFLOW;
        memset(&zones[count], 0, sizeof(zones[count]));
        memcpy(zones[count++].zone, entry->d_name, len + 1);
    }
    return (int)count;
}

static int list_names(int root_fd, struct powercap_zone *zones, size_t max)
{
    int fd = openat(root_fd, CLASS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir;
    int count;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        count = -errno;
        close(fd);
        return count;
    }
    count = collect(dir, zones, max);
    closedir(dir);
    if (count > 0)
        qsort(zones, (size_t)count, sizeof(*zones), compare_zones);
    return count;
}

static int list_zones(int root_fd, struct powercap_zone *ret_zones, size_t max, bool check)
{
    int count = list_names(root_fd, ret_zones, max);

    if (count == 0)
        return -ENOENT;
    for (int i = 0; i < count; i++) {
        struct powercap_zone *zone = &ret_zones[i];

        zone->package_os = zone->die_os = -1;
        if (read_line(root_fd, zone->zone, "name", zone->name, sizeof(zone->name)) < 0) {
            zone->name[0] = '\0';
            leave_out(zone, "its name cannot be read");
            continue;
        }
        classify(ret_zones, (size_t)i);
        if (check && zone->use != POWERCAP_LEFT_OUT)
            check_readable(root_fd, zone);
    }
    return count;
}

int powercap_list(int root_fd, struct powercap_zone *ret_zones, size_t max)
{
    return list_zones(root_fd, ret_zones, max, true);
}

int powercap_list_by_name(int root_fd, struct powercap_zone *ret_zones, size_t max)
{
    return list_zones(root_fd, ret_zones, max, false);
}

/* --- mirrors ------------------------------------------------------------- */

/* How far the counter went from a to b, forward. */
static uint64_t distance_uj(uint64_t range_uj, uint64_t a, uint64_t b)
{
    return b >= a ? b - a : range_uj - a + b;
}

enum powercap_verdict powercap_mirror_round(struct powercap_mirror *mirror, uint64_t range_uj,
                                            uint64_t first_uj, uint64_t second_uj,
                                            uint64_t first_again_uj)
{
    uint64_t ahead_uj = distance_uj(range_uj, first_uj, second_uj);
    uint64_t behind_uj = distance_uj(range_uj, second_uj, first_again_uj);
    uint64_t width_uj = distance_uj(range_uj, first_uj, first_again_uj);

    if (width_uj > MIRROR_APART_UJ)
        return POWERCAP_UNDECIDED; /* stopped between the readings: nothing to learn */
    if (ahead_uj > MIRROR_APART_UJ && behind_uj > MIRROR_APART_UJ)
        return POWERCAP_SEPARATE;
    if (ahead_uj > width_uj)
        return POWERCAP_UNDECIDED;
    if (mirror->agreed && mirror->at_uj != first_uj)
        return POWERCAP_MIRROR;
    mirror->agreed = true;
    mirror->at_uj = first_uj;
    return POWERCAP_UNDECIDED;
}

static enum powercap_verdict one_round(struct powercap_mirror *mirror, uint64_t range_uj,
                                       int first_fd, int second_fd)
{
    uint64_t first_uj, second_uj, first_again_uj;

    if (powercap_read(first_fd, &first_uj) < 0 || powercap_read(second_fd, &second_uj) < 0 ||
        powercap_read(first_fd, &first_again_uj) < 0)
        return POWERCAP_UNDECIDED;
    return powercap_mirror_round(mirror, range_uj, first_uj, second_uj, first_again_uj);
}

static enum powercap_verdict compare_counters(uint64_t range_uj, int first_fd, int second_fd)
{
    const struct timespec pause = {.tv_nsec = MIRROR_ROUND_NS};
    struct powercap_mirror mirror = {0};
    enum powercap_verdict verdict = POWERCAP_UNDECIDED;

    for (int i = 0; i < MIRROR_ROUNDS && verdict == POWERCAP_UNDECIDED; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        verdict = one_round(&mirror, range_uj, first_fd, second_fd);
    }
    return verdict;
}

static bool is_mirror(int root_fd, const struct powercap_zone *first,
                      const struct powercap_zone *second)
{
    enum powercap_verdict verdict = POWERCAP_UNDECIDED;
    int first_fd = powercap_open(root_fd, first->zone);
    int second_fd = powercap_open(root_fd, second->zone);

    if (first_fd >= 0 && second_fd >= 0)
        verdict = compare_counters(first->range_uj, first_fd, second_fd);
    if (first_fd >= 0)
        close(first_fd);
    if (second_fd >= 0)
        close(second_fd);
    return verdict == POWERCAP_MIRROR;
}

static bool could_mirror(const struct powercap_zone *first, const struct powercap_zone *second)
{
    return first->use == POWERCAP_PACKAGE && second->use == POWERCAP_PACKAGE &&
           first->package_os == second->package_os && first->die_os >= 0 && second->die_os >= 0 &&
           first->range_uj == second->range_uj;
}

static int leave_out_mirror(struct powercap_zone *zones, size_t count, struct powercap_zone *mirror)
{
    const char *reason = "it mirrors the counter of another die of its package";
    int left_out = 1;

    leave_out_repeat(mirror, reason);
    for (size_t i = 0; i < count; i++)
        if (zones[i].use == POWERCAP_DRAM && find_parent(zones, count, zones[i].zone) == mirror) {
            leave_out_repeat(&zones[i], reason);
            left_out++;
        }
    return left_out;
}

int powercap_leave_out_mirrors(int root_fd, struct powercap_zone *zones, size_t count)
{
    int left_out = 0;

    for (size_t second = 1; second < count; second++)
        for (size_t first = 0; first < second; first++)
            if (could_mirror(&zones[first], &zones[second]) &&
                is_mirror(root_fd, &zones[first], &zones[second])) {
                left_out += leave_out_mirror(zones, count, &zones[second]);
                break;
            }
    return left_out;
}
