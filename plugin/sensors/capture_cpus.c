#include "config.h" /* strsep() */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"
#include "sensors/capture.h"

#define CPU_DIR "sys/devices/system/cpu"
#define NODE_DIR "sys/devices/system/node"
#define CPUS_MAX 2048

struct layout {
    uint32_t packages, cores, threads; /* cores of a package, threads of a core */
    uint32_t round;                    /* CPU numbers go round the packages */
    uint32_t memory_mb, busy_ticks;
    uint32_t cpus;
};

/*
 * Linux numbers first threads first: CPU = thread x all cores + the core's place, where the places
 * go package by package or round the packages.
 */
static uint32_t package_of(const struct layout *layout, uint32_t cpu)
{
    uint32_t place = cpu % (layout->packages * layout->cores);

    return layout->round ? place % layout->packages : place / layout->cores;
}

static uint32_t core_of(const struct layout *layout, uint32_t cpu)
{
    uint32_t place = cpu % (layout->packages * layout->cores);

    return layout->round ? place / layout->packages : place % layout->cores;
}

static bool are_siblings(const struct layout *layout, uint32_t a, uint32_t b, bool of_core)
{
    return package_of(layout, a) == package_of(layout, b) &&
           (!of_core || core_of(layout, a) == core_of(layout, b));
}

/* As the kernel prints a CPU mask: words of 32 bits, the highest first. */
static void format_siblings(const struct layout *layout, uint32_t cpu, bool of_core,
                            struct buf *buf)
{
    buf->len = 0;
    for (uint32_t word = (layout->cpus + 31) / 32; word-- > 0;) {
        uint32_t mask = 0;

        for (uint32_t bit = 0; bit < 32 && word * 32 + bit < layout->cpus; bit++)
            if (are_siblings(layout, cpu, word * 32 + bit, of_core))
                mask |= UINT32_C(1) << bit;
        buf_printf(buf, "%08" PRIx32 "%s", mask, word > 0 ? "," : "\n");
    }
}

static int __attribute__((format(printf, 3, 4)))
add(struct capture *capture, const char *path, const char *format, ...)
{
    char text[128];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return capture_add(capture, CAPTURE_FILE, path, text, (size_t)len, NULL);
}

static int add_siblings(struct capture *capture, const struct layout *layout, uint32_t cpu,
                        bool of_core)
{
    char path[96], room[CPUS_MAX / 32 * 9 + 1];
    struct buf buf;

    snprintf(path, sizeof(path), CPU_DIR "/cpu%" PRIu32 "/topology/%s", cpu,
             of_core ? "thread_siblings" : "core_siblings");
    buf_init_fixed(&buf, room, sizeof(room));
    format_siblings(layout, cpu, of_core, &buf);
    return capture_add(capture, CAPTURE_FILE, path, buf.data, buf.len, NULL);
}

static int add_cpu(struct capture *capture, const struct layout *layout, uint32_t cpu)
{
    char path[96];
    int rc;

    snprintf(path, sizeof(path), CPU_DIR "/cpu%" PRIu32 "/topology/physical_package_id", cpu);
    rc = add(capture, path, "%" PRIu32 "\n", package_of(layout, cpu));
    snprintf(path, sizeof(path), CPU_DIR "/cpu%" PRIu32 "/topology/core_id", cpu);
    if (rc == 0)
        rc = add(capture, path, "%" PRIu32 "\n", core_of(layout, cpu));
    if (rc == 0)
        rc = add_siblings(capture, layout, cpu, true);
    if (rc == 0)
        rc = add_siblings(capture, layout, cpu, false);
    return rc;
}

static int add_stat(struct capture *capture, const struct layout *layout)
{
    struct buf buf;
    int rc;

    buf_init(&buf);
    buf_printf(&buf, "cpu  %" PRIu64 " 0 0 0 0 0 0 0 0 0\n",
               (uint64_t)layout->busy_ticks * layout->cpus);
    for (uint32_t cpu = 0; cpu < layout->cpus; cpu++)
        buf_printf(&buf, "cpu%" PRIu32 " %" PRIu32 " 0 0 0 0 0 0 0 0 0\n", cpu, layout->busy_ticks);
    rc = -ENOMEM;
    if (!buf_failed(&buf))
        rc = capture_add(capture, CAPTURE_FILE, "proc/stat", buf.data, buf.len, NULL);
    buf_free(&buf);
    return rc;
}

/* All memory is in one NUMA node, whose mask of CPUs must be as long as the others. */
static int add_memory(struct capture *capture, const struct layout *layout)
{
    const struct layout whole = { .packages = 1, .cores = layout->cpus, .threads = 1,
                                  .cpus = layout->cpus };
    uint64_t kb = (uint64_t)layout->memory_mb * 1024;
    char room[CPUS_MAX / 32 * 9 + 1];
    struct buf buf;
    int rc = add(capture, NODE_DIR "/online", "0\n");

    buf_init_fixed(&buf, room, sizeof(room));
    format_siblings(&whole, 0, false, &buf);
    if (rc == 0)
        rc = capture_add(capture, CAPTURE_FILE, NODE_DIR "/node0/cpumap", buf.data, buf.len, NULL);
    if (rc == 0)
        rc = add(capture, NODE_DIR "/node0/cpulist", "0-%" PRIu32 "\n", layout->cpus - 1);
    if (rc == 0)
        rc = add(capture, NODE_DIR "/node0/meminfo", "Node 0 MemTotal: %" PRIu64 " kB\n", kb);
    if (rc == 0)
        rc = add(capture, "proc/meminfo", "MemTotal: %" PRIu64 " kB\n", kb);
    return rc;
}

static int add_all(struct capture *capture, const struct layout *layout)
{
    int rc = add(capture, CPU_DIR "/online", "0-%" PRIu32 "\n", layout->cpus - 1);

    if (rc == 0)
        rc = add(capture, CPU_DIR "/possible", "0-%" PRIu32 "\n", layout->cpus - 1);
    for (uint32_t cpu = 0; rc == 0 && cpu < layout->cpus; cpu++)
        rc = add_cpu(capture, layout, cpu);
    if (rc == 0)
        rc = add_stat(capture, layout);
    if (rc == 0)
        rc = add_memory(capture, layout);
    return rc;
}

static bool read_word(const char *word, struct layout *layout)
{
    const struct {
        const char *key;
        uint32_t *number, min, max;
    } keys[] = {
        { "packages", &layout->packages, 1, 64 },
        { "cores", &layout->cores, 1, CPUS_MAX },
        { "threads", &layout->threads, 1, 8 },
        { "memory_mb", &layout->memory_mb, 0, UINT32_MAX },
        { "busy_ticks", &layout->busy_ticks, 0, UINT32_MAX },
    };
    size_t len = strcspn(word, "=");

    if (strcmp(word, "order=round") == 0)
        layout->round = 1;
    if (strcmp(word, "order=round") == 0 || strcmp(word, "order=blocks") == 0)
        return true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (word[len] == '=' && strlen(keys[i].key) == len && strncmp(word, keys[i].key, len) == 0)
            return parse_u32(word + len + 1, keys[i].min, keys[i].max, keys[i].number) == 0;
    return false;
}

int capture_add_cpus(struct capture *capture, char *words, const char **ret_why)
{
    struct layout layout = { .packages = 1, .cores = 1, .threads = 1, .memory_mb = 1024 };
    char *word;
    int rc;

    *ret_why = "cpus has no such word, or the number after it is out of bounds";
    while ((word = strsep(&words, " ")) != NULL)
        if (word[0] && !read_word(word, &layout))
            return -EINVAL;
    *ret_why = "these are more CPUs than a node has";
    if ((uint64_t)layout.packages * layout.cores * layout.threads > CPUS_MAX)
        return -EINVAL;
    layout.cpus = layout.packages * layout.cores * layout.threads;
    rc = add_all(capture, &layout);
    *ret_why = "there are too many records, or no memory is left";
    return rc;
}
