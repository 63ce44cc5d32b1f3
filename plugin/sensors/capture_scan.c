#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"
#include "sensors/capture.h"

/* What of a file is captured; the rest is nobody's business, or a great deal. */
enum part { ALL, CPU_LINES, MEMORY_LINES, CPUINFO_HEAD, NVIDIA_LINES, PSEUDONYM };

#define PCI_FILES \
    "class vendor device subsystem_vendor subsystem_device revision numa_node local_cpulist " \
    "driver physfn"
#define GPU_HWMON_FILES \
    "name device in1_label power*_label power*_cap power*_cap_max power*_max power*_rated_max " \
    "power*_crit energy*_label"
#define GPU_HWMON_COUNTERS "power*_average power*_input energy*_input"

/*
 * The one table of what a capture holds. Patterns are those of fnmatch(3), name by name. What tells
 * one machine from another of its model (serial numbers, UUIDs, addresses of networks, names) and
 * what users do is not in it, and must not come into it.
 */
static const struct capture_row {
    const char *dir;      /* directories */
    const char *files;    /* of them: files, and links that are kept as such */
    const char *counters; /* files that are read again at later instants */
    enum part part;
} rows[] = {
    { "proc", "", "stat", CPU_LINES },
    { "proc", "meminfo", "", MEMORY_LINES },
    { "proc", "cpuinfo", "", CPUINFO_HEAD },
    { "proc/sys/kernel", "osrelease", "", ALL },
    { "proc/driver/nvidia", "version", "", NVIDIA_LINES },
    { "proc/driver/nvidia/gpus/*", "information", "", NVIDIA_LINES },
    { "sys/class/dmi/id", "sys_vendor product_name", "", ALL },
    { "sys/devices/system/cpu", "online possible", "", ALL },
    { "sys/devices/system/cpu/cpu[0-9]*", "online", "", ALL },
    { "sys/devices/system/cpu/cpu[0-9]*/topology",
      "physical_package_id core_id die_id thread_siblings core_siblings die_cpus", "", ALL },
    /* which tells Arm from others */
    { "sys/devices/system/cpu/cpu0/regs/identification", "midr_el1", "", ALL },
    { "sys/devices/system/node", "online possible", "", ALL },
    { "sys/devices/system/node/node[0-9]*", "cpumap cpulist", "", ALL },
    { "sys/devices/system/node/node[0-9]*", "meminfo", "", MEMORY_LINES },
    { "sys/class/powercap/*:*",
      "name enabled max_energy_range_uj constraint_?_name constraint_?_max_power_uw", "energy_uj",
      ALL },
    { "sys/bus/event_source/devices/power", "type cpumask", "", ALL },
    { "sys/bus/event_source/devices/power/*", "energy-* event", "", ALL }, /* events, format */
    { "sys/class/hwmon/*", "name device power*_label power*_oem_info power*_cap power*_cap_max "
      "power*_max energy*_label", "power*_average power*_input energy*_input", ALL },
    /* acpi_power_meter has its attributes at the device */
    { "sys/class/hwmon/*/device", "name power*_oem_info power*_cap power*_cap_max "
      "power*_average_interval power*_is_battery", "power*_average power*_input", ALL },
    { "sys/bus/pci/drivers/amdgpu/*:*", PCI_FILES " product_name current_compute_partition",
      "gpu_metrics", ALL },
    { "sys/bus/pci/drivers/amdgpu/*:*", "unique_id", "", PSEUDONYM },
    { "sys/bus/pci/drivers/amdgpu/*:*/hwmon/*", GPU_HWMON_FILES, GPU_HWMON_COUNTERS, ALL },
    { "sys/bus/pci/drivers/xe/*:*", PCI_FILES, "", ALL },
    { "sys/bus/pci/drivers/xe/*:*/hwmon/*", GPU_HWMON_FILES, GPU_HWMON_COUNTERS, ALL },
    { "sys/bus/pci/drivers/i915/*:*", PCI_FILES, "", ALL },
    { "sys/bus/pci/drivers/i915/*:*/hwmon/*", GPU_HWMON_FILES, GPU_HWMON_COUNTERS, ALL },
    { "sys/bus/pci/drivers/nvidia/*:*", PCI_FILES, "", ALL },
    { "sys/bus/pci/devices/*:*", PCI_FILES, "", ALL }, /* of GPUs alone: is_of_interest() */
    { "sys/class/drm/card[0-9]", "device", "", ALL },
    { "sys/class/drm/card[0-9][0-9]", "device", "", ALL },
    { "sys/cray/pm_counters", "version generation raw_scan_hz startup",
      "freshness *power* *energy*", ALL },
    { "sys/class/ipmi/*", "dev", "", ALL },
    { "sys/module/nvidia", "version", "", ALL },
    { "sys/module/amdgpu", "version", "", ALL },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

#define LINKS_MAX 16 /* followed on the way to one directory, so that a loop ends */
#define PSEUDONYMS_MAX 64
#define ID_SIZE 64

struct scan {
    int root_fd;
    struct capture *capture;
    const struct capture_row *row;
    char *room; /* CAPTURE_FILE_MAX + 1 */
    char ids[PSEUDONYMS_MAX][ID_SIZE];
    size_t n_ids;
    int rc;
};

/* --- what of a file is captured --------------------------------------------------------------- */

static bool begins_with(const char *text, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (strncmp(text, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

static bool keeps_line(enum part part, const char *line)
{
    static const char *const cpu_lines[] = { "cpu", NULL };
    static const char *const cpuinfo[] = {
        "processor", "vendor_id", "cpu family", "model\t", "model name", "stepping",
        "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", NULL
    };
    static const char *const nvidia[] = { "NVRM", "Model", "Bus Location", "Device Minor", NULL };

    switch (part) {
    case CPU_LINES:
        return begins_with(line, cpu_lines);
    case CPUINFO_HEAD:
        return begins_with(line, cpuinfo);
    case NVIDIA_LINES:
        return begins_with(line, nvidia);
    case MEMORY_LINES:
        return strstr(line, "MemTotal:") != NULL;
    default:
        return true;
    }
}

/* Keep some lines, in place. Of cpuinfo the first CPU's: the others are like it. */
static void keep_lines(enum part part, char *text, size_t *len)
{
    char *to = text, *line = text, *end;

    for (; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (part == CPUINFO_HEAD && *line == '\n')
            break;
        if (*end) { /* a line alone, for strstr() */
            char next = *end;

            *end = '\0';
            if (keeps_line(part, line)) {
                memmove(to, line, (size_t)(end - line));
                to += end - line;
            }
            *end = next;
        } else if (keeps_line(part, line)) {
            memmove(to, line, (size_t)(end - line));
            to += end - line;
        }
    }
    *to = '\0';
    *len = (size_t)(to - text);
}

/* The same id becomes the same number, so that what belongs together still does. */
static void hide_id(struct scan *scan, char *text, size_t *len)
{
    char id[ID_SIZE];
    size_t i = 0;

    snprintf(id, sizeof(id), "%s", text);
    while (i < scan->n_ids && strcmp(scan->ids[i], id) != 0)
        i++;
    if (i == scan->n_ids && i < PSEUDONYMS_MAX)
        memcpy(scan->ids[scan->n_ids++], id, sizeof(id));
    *len = (size_t)snprintf(text, ID_SIZE, "%016zx\n", i + 1);
}

static void take_file(struct scan *scan, const char *path, bool is_counter)
{
    size_t len = 0;
    int code = file_read_small(scan->root_fd, path, scan->room, CAPTURE_FILE_MAX + 1, &len);

    if (code == -EISDIR)
        return;
    if (code == 0 && scan->row->part == PSEUDONYM)
        hide_id(scan, scan->room, &len);
    else if (code == 0 && scan->row->part != ALL)
        keep_lines(scan->row->part, scan->room, &len);
    scan->rc = capture_add(scan->capture, code < 0 ? CAPTURE_UNREADABLE : CAPTURE_FILE, path,
                           scan->room, code < 0 ? 0 : len, NULL);
    if (scan->rc < 0)
        return;
    scan->capture->records[scan->capture->n_records - 1].code = code;
    scan->capture->records[scan->capture->n_records - 1].is_counter = is_counter;
}

/* --- finding the files ------------------------------------------------------------------------ */

static bool matches(const char *name, const char *patterns)
{
    char pattern[64];
    size_t len;

    for (; *patterns; patterns += len, patterns += strspn(patterns, " ")) {
        len = strcspn(patterns, " ");
        snprintf(pattern, sizeof(pattern), "%.*s", (int)len, patterns);
        if (fnmatch(pattern, name, FNM_PERIOD) == 0)
            return true;
    }
    return false;
}

static DIR *open_dir(int root_fd, const char *path)
{
    int fd = openat(root_fd, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

static bool join(char *path, const char *dir, const char *name)
{
    int len = snprintf(path, PATH_MAX, "%s%s%s", dir, dir[0] ? "/" : "", name);

    return len > 0 && len <= CAPTURE_PATH_MAX;
}

/* A link that would lead out of the tree is not captured; sysfs has none. */
static void take_link(struct scan *scan, const char *path, const char *target)
{
    int rc = capture_add(scan->capture, CAPTURE_LINK, path, target, strlen(target), NULL);

    if (rc < 0 && rc != -EINVAL)
        scan->rc = rc;
}

/* The target of a link, or "" when it is none. */
static void read_link(int root_fd, const char *path, char target[PATH_MAX])
{
    ssize_t len = readlinkat(root_fd, path, target, PATH_MAX - 1);

    target[len > 0 ? len : 0] = '\0';
}

static size_t take_files(struct scan *scan, const char *dir_path)
{
    char path[PATH_MAX], target[PATH_MAX];
    struct dirent *entry;
    size_t before = scan->capture->n_records;
    DIR *dir = open_dir(scan->root_fd, dir_path);

    while (dir && scan->rc == 0 && (entry = readdir(dir)) != NULL) {
        bool is_counter = matches(entry->d_name, scan->row->counters);

        if ((!is_counter && !matches(entry->d_name, scan->row->files)) ||
            !join(path, dir_path, entry->d_name))
            continue;
        read_link(scan->root_fd, path, target);
        if (target[0])
            take_link(scan, path, target);
        else
            take_file(scan, path, is_counter);
    }
    if (dir)
        closedir(dir);
    return scan->capture->n_records - before;
}

/* Of all PCI devices, those of the classes display and processing accelerator. */
static bool is_of_interest(const struct scan *scan, const char *dir)
{
    char path[PATH_MAX], class[32];

    if (strcmp(scan->row->dir, "sys/bus/pci/devices/*:*") != 0)
        return true;
    return join(path, dir, "class") &&
           file_read_small(scan->root_fd, path, class, sizeof(class), NULL) == 0 &&
           (strncmp(class, "0x03", 4) == 0 || strncmp(class, "0x12", 4) == 0);
}

static size_t walk(struct scan *scan, const char *at, const char *rest, int links);

/* One name further: it is a directory, or a link whose target is gone through first. */
static size_t step(struct scan *scan, const char *at, const char *name, const char *rest, int links)
{
    char path[PATH_MAX], target[PATH_MAX], further[2 * PATH_MAX];
    size_t found;

    if (!join(path, at, name))
        return 0;
    read_link(scan->root_fd, path, target);
    if (!target[0])
        return walk(scan, path, rest, links);
    if (target[0] == '/' || links == LINKS_MAX)
        return 0;
    snprintf(further, sizeof(further), "%s%s%s", target, rest[0] ? "/" : "", rest);
    found = walk(scan, at, further, links + 1);
    if (found > 0 && scan->rc == 0)
        take_link(scan, path, target);
    return found;
}

static size_t step_each(struct scan *scan, const char *at, const char *pattern, const char *rest,
                        int links)
{
    DIR *dir = open_dir(scan->root_fd, at);
    struct dirent *entry;
    size_t found = 0;

    while (dir && scan->rc == 0 && (entry = readdir(dir)) != NULL)
        if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0)
            found += step(scan, at, entry->d_name, rest, links);
    if (dir)
        closedir(dir);
    return found;
}

/*
 * Go on from `at`, which has no link in it, by the names and patterns of `rest`. Returns how many
 * records that brought: a link is worth keeping only where it leads to something.
 */
static size_t walk(struct scan *scan, const char *at, const char *rest, int links)
{
    size_t len = strcspn(rest, "/");
    char name[NAME_MAX + 1], above[PATH_MAX];
    const char *after = rest + len + (rest[len] == '/');

    if (rest[0] == '\0')
        return is_of_interest(scan, at) ? take_files(scan, at) : 0;
    if (len > NAME_MAX)
        return 0;
    memcpy(name, rest, len);
    name[len] = '\0';
    if (strcmp(name, "..") == 0) {
        const char *slash = strrchr(at, '/');

        if (at[0] == '\0') /* above the root */
            return 0;
        snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - at) : 0, at);
        return walk(scan, above, after, links);
    }
    if (len == 0 || strcmp(name, ".") == 0)
        return walk(scan, at, after, links);
    if (strpbrk(name, "*?["))
        return step_each(scan, at, name, after, links);
    return step(scan, at, name, after, links);
}

/* --- in order --------------------------------------------------------------------------------- */

static int compare_records(const void *a, const void *b)
{
    return compare_numbered(((const struct capture_record *)a)->path,
                            ((const struct capture_record *)b)->path);
}

/* Several rows, and several ways by links, lead to one file. */
static void sort_and_unite(struct capture *capture)
{
    struct capture_record *records = capture->records;
    size_t kept = 0;

    if (capture->n_records == 0)
        return;
    qsort(records, capture->n_records, sizeof(*records), compare_records);
    for (size_t i = 1; i < capture->n_records; i++) {
        if (strcmp(records[i].path, records[kept].path) != 0) {
            records[++kept] = records[i];
            continue;
        }
        records[kept].is_counter = records[kept].is_counter || records[i].is_counter;
        free(records[i].path);
        free(records[i].data);
    }
    capture->n_records = kept + 1;
}

static int finish(struct scan *scan, struct error *err)
{
    free(scan->room);
    if (scan->rc == -E2BIG)
        return error_set(err, scan->rc, "this node has more in /sys than a capture can hold");
    return scan->rc < 0 ? error_set_errno(err, scan->rc, "capture") : 0;
}

int capture_scan(int root_fd, struct capture *capture, struct error *err)
{
    struct scan *scan = calloc(1, sizeof(*scan));
    int rc;

    if (!scan)
        return error_set_errno(err, -ENOMEM, "capture");
    scan->root_fd = root_fd;
    scan->capture = capture;
    scan->room = malloc(CAPTURE_FILE_MAX + 1);
    scan->rc = scan->room ? 0 : -ENOMEM;
    for (size_t i = 0; i < ROWS && scan->rc == 0; i++) {
        scan->row = &rows[i];
        walk(scan, "", rows[i].dir, 0);
    }
    sort_and_unite(capture);
    rc = finish(scan, err);
    free(scan);
    return rc;
}

static bool is_same(const struct capture_record *a, const struct capture_record *b)
{
    return a->type == b->type && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

int capture_scan_again(int root_fd, uint64_t after_ns, struct capture *capture, struct error *err)
{
    static const struct capture_row whole = { "", "", "", ALL }, cpus = { "", "", "", CPU_LINES };
    size_t count = capture->n_instants > 1 ? capture->instants[1].begin : capture->n_records;
    struct scan scan = { .root_fd = root_fd, .capture = capture };

    scan.rc = capture_begin_instant(capture, after_ns);
    scan.room = malloc(CAPTURE_FILE_MAX + 1);
    if (!scan.room)
        scan.rc = -ENOMEM;
    for (size_t i = 0; i < count && scan.rc == 0; i++) {
        struct capture_record *last;

        if (!capture->records[i].is_counter)
            continue;
        scan.row = strcmp(capture->records[i].path, "proc/stat") == 0 ? &cpus : &whole;
        take_file(&scan, capture->records[i].path, true);
        last = &capture->records[capture->n_records - 1];
        if (scan.rc == 0 && is_same(last, &capture->records[i])) {
            free(last->path);
            free(last->data);
            capture->n_records--;
        }
    }
    return finish(&scan, err);
}
