/*
 * What can go wrong with a source of energy readings, for every kind of source: one matrix, which
 * docs/accuracy.md shows under "Faults".
 *
 * Each cell is a node with two counters of the kind and two of another kind beside it. Each of the
 * first two packages and GPUs belongs to a job. A minute of ticks, the fault in the middle; what is
 * read goes through the sensors and the ledger into batches, as in the meter, and is compared with
 * what was drawn, tick by tick.
 */
#include "config.h"

#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "board_rig.h"
#include "core/apportion.h"
#include "core/clock.h"
#include "core/file.h"
#include "ledger/ledger.h"
#include "metrics.h"
#include "perf_kernel.h"

#define S NS_PER_S
#define W UINT64_C(1000000)
#define J UINT64_C(1000000)
#define ORIGIN_NS (3500 * S) /* since when the counters count */
#define WALL_NS (INT64_C(1790000000) * (int64_t)S)
#define PATIENCE_NS (60 * S) /* the meter's, with counters that are silent */
#define BACK_NS (10 * S)     /* within which a counter is read again */
#define COUNTERS 4

/* --- the columns ----------------------------------------------------------------------------- */

enum fault {
    FAULT_EIO, FAULT_EACCES, FAULT_ENODATA, FAULT_GONE, FAULT_GARBAGE, FAULT_EMPTY, FAULT_STUCK,
    FAULT_SPIKE, FAULT_BACK, FAULT_ANEW, FAULT_LIBRARY, FAULT_SLOW, FAULT_COUNT
};

static const struct {
    const char *name;
    int code; /* of the readings meanwhile; 0: they go on */
} faults[FAULT_COUNT] = {
    [FAULT_EIO] = { "EIO", -EIO },
    [FAULT_EACCES] = { "EACCES", -EACCES },
    [FAULT_ENODATA] = { "ENODATA", -ENODATA },
    [FAULT_GONE] = { "gone", -ENODEV },
    [FAULT_GARBAGE] = { "garbage", -EBADMSG },
    [FAULT_EMPTY] = { "empty", -EBADMSG },
    [FAULT_STUCK] = { "stuck", 0 },
    [FAULT_SPIKE] = { "spike", 0 },
    [FAULT_BACK] = { "back", 0 },
    [FAULT_ANEW] = { "anew", 0 },
    [FAULT_LIBRARY] = { "library", 0 },
    [FAULT_SLOW] = { "slow", -ETIMEDOUT },
};

/* --- what a reading of a file can do --------------------------------------------------------- */

/* The file that cannot be read, whoever has it open. Shared with the helpers. */
static struct broken {
    dev_t dev;
    ino_t ino;
    _Atomic int code; /* an errno, or 0 */
    _Atomic bool hangs;
} *broken;

static bool is_broken(int fd)
{
    struct stat st;

    return broken && (broken->code || broken->hangs) && fstat(fd, &st) == 0 &&
           st.st_dev == broken->dev && st.st_ino == broken->ino;
}

static void pause_ms(long ms)
{
    const struct timespec span = { .tv_nsec = ms * 1000000 };

    nanosleep(&span, NULL);
}

static bool fails(int fd)
{
    while (is_broken(fd) && broken->hangs)
        pause_ms(1);
    if (!is_broken(fd))
        return false;
    errno = broken->code;
    return true;
}

/* In the place of libc's, for all that is linked into the test. */
ssize_t read(int fd, void *room, size_t size)
{
    const struct iovec place = { room, size };

    return fails(fd) ? -1 : readv(fd, &place, 1);
}

ssize_t pread(int fd, void *room, size_t size, off_t at)
{
    const struct iovec place = { room, size };

    return fails(fd) ? -1 : preadv(fd, &place, 1, at);
}

/* --- the rows -------------------------------------------------------------------------------- */

struct level {
    uint64_t energy_uj, power_uw;
};

struct source {
    const char *name, *beside;
    unsigned units;         /* counters, of packages or GPUs 0 and 1; the fault is of the first */
    uint64_t power_uw[2];
    uint64_t ramp_uw;       /* power grows by this much each second */
    bool gauge;             /* tells power, which is integrated */
    bool shared;            /* what cannot be read is of both units */
    const char *file;       /* of the first unit; NULL: a perf event */
    void (*add)(struct tree *tree, unsigned unit); /* or NULL: it is there */
    void (*show)(struct tree *tree, unsigned unit, const struct level *level);
    const char *cells[FAULT_COUNT]; /* as in docs/accuracy.md */
};

__attribute__((format(printf, 1, 2))) static const char *name(const char *format, ...)
{
    static char text[128];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return text;
}

#define RANGE_UJ UINT64_C(262143328911) /* of max_energy_range_uj 262143328850 */

static void add_powercap(struct tree *tree, unsigned unit)
{
    tree_write(tree, name("sys/class/powercap/intel-rapl:%u/name", unit), "package-%u\n", unit);
    tree_write(tree, name("sys/class/powercap/intel-rapl:%u/max_energy_range_uj", unit),
               "262143328850\n");
}

static void show_powercap(struct tree *tree, unsigned unit, const struct level *level)
{
    tree_write(tree, name("sys/class/powercap/intel-rapl:%u/energy_uj", unit), "%ju\n",
               (uintmax_t)level->energy_uj % RANGE_UJ);
}

#define PMU "sys/bus/event_source/devices/power"

/* Of each package the event that is open, and what was drawn by its first count, which is 0. */
static struct {
    const struct perf_kernel_event *event;
    uint64_t begin_uj;
} counting[2];

static void add_perf(struct tree *tree, unsigned unit)
{
    counting[unit].event = NULL;
    tree_write(tree, "proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
    tree_write(tree, PMU "/type", "25\n");
    tree_write(tree, PMU "/cpumask", "0,2\n");
    tree_write(tree, PMU "/events/energy-pkg", "event=0x02");
    tree_write(tree, PMU "/events/energy-pkg.scale", "2.3283064365386962890625e-10");
}

static void show_perf(struct tree *tree, unsigned unit, const struct level *level)
{
    const struct perf_kernel_event *event = NULL;

    (void)tree;
    for (size_t i = 0; i < perf_kernel.count; i++)
        if (perf_kernel.events[i].cpu == 2 * (int)unit)
            event = &perf_kernel.events[i];
    if (!event || event->in < 0)
        return;
    if (event != counting[unit].event)
        counting[unit].begin_uj = level->energy_uj;
    counting[unit].event = event;
    perf_kernel_set_count((size_t)(event - perf_kernel.events),
                          mul_div(level->energy_uj - counting[unit].begin_uj,
                                  UINT64_C(1) << 32, J));
}

static void add_grace(struct tree *tree, unsigned unit)
{
    tree_write(tree, name("sys/class/hwmon/hwmon%u/name", unit), "power_meter\n");
    tree_write(tree, name("sys/class/hwmon/hwmon%u/power1_oem_info", unit),
               "Grace Power Socket %u\n", unit);
}

static void show_grace(struct tree *tree, unsigned unit, const struct level *level)
{
    tree_write(tree, name("sys/class/hwmon/hwmon%u/power1_average", unit), "%ju\n",
               (uintmax_t)level->power_uw);
}

static void add_nvml(struct tree *tree, unsigned unit)
{
    tree_write(tree, "proc/driver/nvidia/version", "NVRM version: fake\n");
    tree_write(tree, name("fake/gpu%u/uuid", unit), "GPU-%u\n", unit);
    tree_write(tree, name("fake/gpu%u/name", unit), "NVIDIA H100 80GB HBM3\n");
    tree_write(tree, name("fake/gpu%u/bus_id", unit), "00000000:1%u:00.0\n", unit);
    tree_write(tree, name("fake/gpu%u/minor", unit), "%u\n", unit);
    tree_write(tree, name("fake/gpu%u/power_limit_mw", unit), "700000\n");
}

static void show_nvml(struct tree *tree, unsigned unit, const struct level *level)
{
    tree_write(tree, name("fake/gpu%u/energy_mj", unit), "%ju\n",
               (uintmax_t)level->energy_uj / 1000);
}

#define AMD "sys/bus/pci/drivers/amdgpu/0000:c%u:00.0"

static void add_amdgpu(struct tree *tree, unsigned unit)
{
    tree_write(tree, name(AMD "/vendor", unit), "0x1002\n");
    tree_write(tree, name(AMD "/device", unit), "0x74a1\n");
    tree_write(tree, name(AMD "/unique_id", unit), "7%u\n", unit);
}

static void show_amdgpu(struct tree *tree, unsigned unit, const struct level *level)
{
    const struct metrics_values values = { mul_div(level->energy_uj, 65536, J), 100, 1 };
    uint8_t room[METRICS_ROOM];
    size_t size = metrics_make(room, metrics_find(6), &values);

    tree_write_bytes(tree, name(AMD "/gpu_metrics", unit), room, size);
}

#define INTEL "sys/bus/pci/drivers/xe/0000:0%u:00.0"

static void add_intelgpu(struct tree *tree, unsigned unit)
{
    tree_write(tree, name(INTEL "/vendor", unit + 3), "0x8086\n");
    tree_write(tree, name(INTEL "/device", unit + 3), "0xe20b\n");
    tree_write(tree, name(INTEL "/hwmon/hwmon3/name", unit + 3), "xe\n");
}

static void show_intelgpu(struct tree *tree, unsigned unit, const struct level *level)
{
    tree_write(tree, name(INTEL "/hwmon/hwmon3/energy1_input", unit + 3), "%ju\n",
               (uintmax_t)level->energy_uj);
}

static void add_cray(struct tree *tree, unsigned unit)
{
    (void)unit;
    tree_mkdir(tree, "sys/cray/pm_counters");
}

/* The controller goes on refreshing the second package's. */
static void show_cray(struct tree *tree, unsigned unit, const struct level *level)
{
    tree_write(tree, name("sys/cray/pm_counters/cpu%u_energy", unit), "%ju J 1 us\n",
               (uintmax_t)(level->energy_uj / J));
    if (unit == 1)
        tree_write(tree, "sys/cray/pm_counters/freshness", "%ju\n", (uintmax_t)level->energy_uj);
}

static void add_ipmi(struct tree *tree, unsigned unit)
{
    (void)unit;
    tree_mkdir(tree, "sys/class/ipmi/ipmi0");
}

static void show_ipmi(struct tree *tree, unsigned unit, const struct level *level)
{
    (void)unit;
    tree_write(tree, "watts", "%ju\n", (uintmax_t)(level->power_uw / W));
}

#define IDLE_UW (50 * W)
#define FULL_UW (150 * W)

/* Two CPUs a package, and 100 ticks a second: what is above idle is their part of 100 W. */
static void show_modelled(struct tree *tree, unsigned unit, const struct level *level)
{
    static uint64_t ticks[2];
    uint64_t per_s = unit == 0 ? 50 : 10;

    ticks[unit] = level->energy_uj / (IDLE_UW + per_s * W) * per_s;
    tree_write(tree, "proc/stat",
               "cpu0 %ju 0 0 0\ncpu1 %ju 0 0 0\ncpu2 %ju 0 0 0\ncpu3 %ju 0 0 0\nbtime 1\n",
               (uintmax_t)ticks[0], (uintmax_t)ticks[0], (uintmax_t)ticks[1],
               (uintmax_t)ticks[1]);
}

/*
 * What the figures show, as the document explains it:
 * "="     all that was drawn; nothing is lost
 * "gap"   what was drawn from the last reading to the next is not booked
 * "idle"  what is above idle is not booked any more
 * a letter: there can be no such thing, and why
 */
static const struct source sources[] = {
    { .name = "powercap", .beside = "nvml", .units = 2, .power_uw = { 100 * W, 60 * W },
      .file = "sys/class/powercap/intel-rapl:0/energy_uj",
      .add = add_powercap, .show = show_powercap,
      .cells = { "=", "=", "=", "=", "=", "=", "=", "=", "=", "gap", "a", "=" } },
    { .name = "perf", .beside = "nvml", .units = 2, .power_uw = { 100 * W, 60 * W },
      .add = add_perf, .show = show_perf,
      .cells = { "=", "=", "=", "gap", "=", "c", "=", "=", "=", "gap", "a", "d" } },
    { .name = "grace", .beside = "nvml", .units = 2, .power_uw = { 100 * W, 60 * W },
      .ramp_uw = 2000, .gauge = true, .file = "sys/class/hwmon/hwmon0/power1_average",
      .add = add_grace, .show = show_grace,
      .cells = { "=", "=", "=", "=", "=", "=", "gap", "gap", "e", "e", "a", "=" } },
    { .name = "nvml", .beside = "powercap", .units = 2, .power_uw = { 300 * W, 200 * W },
      .file = "fake/gpu0/energy_mj", .add = add_nvml, .show = show_nvml,
      .cells = { "=", "=", "b", "=", "=", "b", "=", "=", "=", "gap", "=", "=" } },
    { .name = "amdgpu", .beside = "powercap", .units = 2, .power_uw = { 300 * W, 200 * W },
      .file = "sys/bus/pci/drivers/amdgpu/0000:c0:00.0/gpu_metrics",
      .add = add_amdgpu, .show = show_amdgpu,
      .cells = { "=", "=", "=", "=", "=", "=", "=", "=", "=", "gap", "a", "=" } },
    { .name = "intelgpu", .beside = "powercap", .units = 2, .power_uw = { 300 * W, 200 * W },
      .file = "sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/energy1_input",
      .add = add_intelgpu, .show = show_intelgpu,
      .cells = { "=", "=", "=", "=", "=", "=", "=", "=", "=", "gap", "a", "=" } },
    { .name = "cray", .beside = "nvml", .units = 2, .power_uw = { 100 * W, 60 * W },
      .file = "sys/cray/pm_counters/cpu0_energy", .add = add_cray, .show = show_cray,
      .cells = { "=", "=", "=", "=", "=", "=", "=", "=", "=", "gap", "a", "=" } },
    { .name = "ipmi", .beside = "powercap", .units = 1, .power_uw = { 400 * W },
      .gauge = true, .file = "watts", .add = add_ipmi, .show = show_ipmi,
      .cells = { "=", "b", "=", "=", "b", "b", "f", "gap", "e", "e", "=", "=" } },
    { .name = "modelled", .beside = "nvml", .units = 2, .power_uw = { 100 * W, 60 * W },
      .shared = true, .file = "proc/stat", .show = show_modelled,
      .cells = { "=", "=", "=", "g", "=", "=", "g", "idle", "=", "g", "a", "d" } },
};

/* What a library or its device answers, where there is one: files of tests/fake's. */
static const struct answer {
    const char *source;
    enum fault fault;
    const char *file, *text;
    int code;
} answers[] = {
    { "nvml", FAULT_EIO, "fake/gpu0/error", "999", -EIO },
    { "nvml", FAULT_EACCES, "fake/gpu0/error", "4", -EACCES },
    { "nvml", FAULT_GONE, "fake/gpu0/error", "15", -ENODEV }, /* it fell off its bus */
    { "nvml", FAULT_GARBAGE, "fake/gpu0/energy_mj", "18446744073709551615", -EBADMSG },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "1", -ENODEV },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "2", -ENODEV },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "3", -EOPNOTSUPP },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "6", -ENODEV },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "9", -ENODEV },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "10", -ETIMEDOUT },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "16", -ENODEV }, /* it has to be reset */
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "18", -ENODEV }, /* another driver */
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "20", -ENOMEM },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "28", -ENODEV },
    { "nvml", FAULT_LIBRARY, "fake/gpu0/error", "12345", -EIO }, /* one of years to come */
    { "ipmi", FAULT_EIO, "error", "24", -EIO },
    { "ipmi", FAULT_ENODATA, "inactive", "", -ENODATA },
    { "ipmi", FAULT_GONE, "error", "18", -ENODEV },
    { "ipmi", FAULT_LIBRARY, "error", "2", -ENODEV },
    { "ipmi", FAULT_LIBRARY, "error", "16", -ENODEV },
    { "ipmi", FAULT_LIBRARY, "error", "21", -EIO }, /* a message timed out */
    { "ipmi", FAULT_LIBRARY, "error", "27", -EIO }, /* busy */
    { "ipmi", FAULT_LIBRARY, "error", "33", -ENODEV },
    { "ipmi", FAULT_LIBRARY, "watts", "0", -ENODATA },
};

static const struct source *find_source(const char *wanted)
{
    for (size_t i = 0; i < LENGTH(sources); i++)
        if (strcmp(sources[i].name, wanted) == 0)
            return &sources[i];
    fail_msg("no source %s", wanted);
    return NULL;
}

static uint64_t drawn_uj(const struct source *source, unsigned unit, uint64_t at_ns)
{
    uint64_t ms = (at_ns - ORIGIN_NS) / 1000000;

    return source->power_uw[unit] * ms / 1000 + source->ramp_uw * ms * ms / 2000000;
}

/* GPUs that are modules with a package of powercap's in each. */
static void add_module(struct tree *tree, unsigned unit)
{
    add_amdgpu(tree, unit);
    tree_write(tree, name(AMD "/device", unit), "0x74a0\n"); /* MI300A */
    tree_write(tree, name(AMD "/numa_node", unit), "%u\n", unit);
    tree_write(tree, name(AMD "/local_cpulist", unit), "%u-%u\n", 2 * unit, 2 * unit + 1);
}

static void show_module(struct tree *tree, unsigned unit, const struct level *level)
{
    struct level both = *level;

    both.energy_uj += drawn_uj(find_source("powercap"), unit, clock_boottime_ns());
    show_amdgpu(tree, unit, &both);
}

static const struct source modules = {
    .name = "amdgpu", .units = 2, .power_uw = { 300 * W, 200 * W },
    .add = add_module, .show = show_module,
};

/* --- a run ----------------------------------------------------------------------------------- */

/* A counter, and what the batches say of it and of its job. */
struct line {
    const struct source *source;
    unsigned unit;
    bool struck;       /* the fault is of this one, too */
    uint64_t first_uj; /* drawn by the run's begin */
    uint64_t last_ns, back_ns; /* readings: the last before the fault, the first behind its begin */
    uint64_t booked_uj, elapsed_ns, metered_ns, gap_ns;
    bool answered;
};

struct run {
    struct board_rig *rig;
    const struct source *source, *beside;
    enum fault fault;
    const struct answer *answer; /* or NULL */
    bool striking;
    unsigned ticks;   /* of the fault so far */
    uint64_t begin_ns, struck_ns; /* … and its first tick */
    uint64_t anew_uj; /* of FAULT_ANEW: what it begins at */
    struct ledger *ledger;
    struct line lines[COUNTERS];
    size_t n_lines;
};

static void show(struct run *run, const struct source *source, unsigned unit)
{
    bool is_struck = source == run->source && unit == 0;
    uint64_t at_ns = is_struck && run->striking && run->fault == FAULT_STUCK
                         ? run->struck_ns - S /* the tick before */
                         : clock_boottime_ns();
    struct level level = { drawn_uj(source, unit, at_ns),
                           source->power_uw[unit] +
                               source->ramp_uw * ((at_ns - ORIGIN_NS) / 1000000) / 1000 };

    if (is_struck && run->striking && run->fault == FAULT_SPIKE)
        level = (struct level){ level.energy_uj * 1000, level.power_uw * 1000 };
    if (is_struck && run->striking && run->fault == FAULT_BACK)
        level.energy_uj /= 2;
    if (is_struck)
        level.energy_uj -= run->anew_uj;
    source->show(&run->rig->tree, unit, &level);
}

/* What the first counter is read from fails from now on. */
static void break_reading(struct run *run, int code)
{
    const char *file = run->source->file;
    struct stat st;

    if (file)
        assert_int_equal(fstatat(run->rig->tree.fd, file, &st, 0), 0);
    else
        assert_int_equal(fstat(run->rig->sensors->slots[0].fd, &st), 0);
    broken->dev = st.st_dev;
    broken->ino = st.st_ino;
    broken->code = code;
}

/* A fault that is no value of the counter: what there is in its place. */
static void spoil(struct run *run)
{
    const char *file = run->source->file;
    struct tree *tree = &run->rig->tree;

    if (run->answer) {
        tree_write(tree, run->answer->file, "%s\n", run->answer->text);
    } else if (run->fault == FAULT_GARBAGE && file) {
        tree_write(tree, file, "garbage\n");
    } else if (run->fault == FAULT_GARBAGE) {
        assert_int_equal(write(counting[0].event->in, "abc", 3), 3);
    } else if (run->fault == FAULT_EMPTY) {
        tree_write(tree, file, "%s", "");
    } else if (run->ticks == 0 && run->fault == FAULT_GONE && !file) {
        perf_kernel_end_event((size_t)(counting[0].event - perf_kernel.events));
        perf_kernel.open_errno = ENODEV;
    } else if (run->ticks == 0) {
        break_reading(run, -faults[run->fault].code);
        if (run->fault == FAULT_GONE) /* who has it open is told so */
            tree_remove(tree, file);
    }
}

static bool is_value(enum fault fault)
{
    return fault == FAULT_STUCK || fault == FAULT_SPIKE || fault == FAULT_BACK ||
           fault == FAULT_ANEW || fault == FAULT_SLOW;
}

static void show_all(struct run *run)
{
    bool spoilt = run->striking && !is_value(run->fault);

    if (run->striking && run->ticks == 0 && run->fault == FAULT_ANEW)
        run->anew_uj = drawn_uj(run->source, 0, clock_boottime_ns());
    for (unsigned unit = 0; unit < run->source->units; unit++)
        if (!spoilt || (unit > 0 && !run->source->shared))
            show(run, run->source, unit);
    for (unsigned unit = 0; unit < run->beside->units; unit++)
        show(run, run->beside, unit);
    if (spoilt)
        spoil(run);
}

/* The other way round, before what is good is shown again. */
static void mend(struct run *run)
{
    run->striking = false;
    perf_kernel.open_errno = 0;
    broken->code = 0;
    if (run->answer)
        tree_remove(&run->rig->tree, run->answer->file);
}

/* Of what is read by processes of their own: the reading at hand takes as long as this is so. */
static void hold_up(struct run *run, bool hangs)
{
    if (hangs) {
        break_reading(run, 0);
        tree_write(&run->rig->tree, "hang", "\n"); /* fake_freeipmi.c */
    } else {
        tree_remove(&run->rig->tree, "hang");
    }
    broken->hangs = hangs;
}

/* --- books ----------------------------------------------------------------------------------- */

static bool is_node_meter(const struct line *line)
{
    return strcmp(line->source->name, "ipmi") == 0;
}

/* What was drawn of a counter's own; a node's meter is what is left of it. */
static uint64_t truth_uj(const struct run *run, const struct line *line, uint64_t at_ns)
{
    uint64_t uj = drawn_uj(line->source, line->unit, at_ns) - line->first_uj;

    for (size_t i = 0; is_node_meter(line) && i < run->n_lines; i++)
        if (&run->lines[i] != line)
            uj -= truth_uj(run, &run->lines[i], at_ns);
    return uj;
}

static void add_row(struct line *line, const struct batch_energy *row)
{
    line->elapsed_ns += row->elapsed_ns;
    line->metered_ns += row->metered_ns;
    if (row->quality == QUALITY_GAP)
        line->gap_ns += row->elapsed_ns;
}

static void add_batch(struct run *run, const struct batch *batch)
{
    for (size_t i = 0; i < run->n_lines; i++) {
        struct line *line = &run->lines[i];
        const struct sensor_counter *counter = sensors_counter(run->rig->sensors, i);

        assert_true(is_node_meter(line) || batch->counters[i].counted_uj >= line->booked_uj);
        if (!is_node_meter(line))
            line->booked_uj = batch->counters[i].counted_uj;
        for (size_t k = 0; k < batch->n_components; k++)
            if (is_node_meter(line) && batch->components[k].component == COMPONENT_OTHER)
                line->booked_uj = batch->components[k].end_uj;
        for (size_t k = 0; k < batch->n_energies; k++) /* of the job that has package and GPU */
            if (batch->energies[k].component == counter->component &&
                batch->energies[k].has & ENERGY_HAS_REF &&
                batch->energies[k].ref == counter->domain + 1)
                add_row(line, &batch->energies[k]);
    }
}

/* What is booked is never more than was drawn, and all of it where nothing is wrong. */
static void check_books(const struct run *run)
{
    uint64_t begin_ns = ledger_begin(run->ledger);
    /* an answer that took seconds is of the middle of them: so much later it is true */
    uint64_t slack_ns = run->fault == FAULT_SLOW ? 5 * S / 2 : 0;

    for (size_t i = 0; i < run->n_lines; i++) {
        const struct line *line = &run->lines[i];

        if (is_node_meter(line) && line->source == run->beside)
            continue; /* what a silent part drew is in it, until that is back */
        if (line->booked_uj > truth_uj(run, line, begin_ns + slack_ns))
            fail_msg("%s %u: %ju uJ booked, %ju drawn", line->source->name, line->unit,
                     (uintmax_t)line->booked_uj, (uintmax_t)truth_uj(run, line, begin_ns));
        if (!line->struck)
            assert_int_equal(line->booked_uj, truth_uj(run, line, begin_ns));
    }
}

static void close_books(struct run *run)
{
    struct batch batch;
    struct error err = { "" };

    assert_int_equal(ledger_close(run->ledger, ledger_ready(run->ledger, clock_boottime_ns(),
                                                            PATIENCE_NS)),
                     0);
    assert_int_equal(ledger_seal(run->ledger, &batch), 0);
    if (batch_check(&batch, &err) < 0)
        fail_msg("%s", err.text);
    add_batch(run, &batch);
    batch_clear(&batch);
    check_books(run);
}

/* --- ticks ----------------------------------------------------------------------------------- */

static void check_code(const struct run *run, const struct line *line,
                       const struct sensor_reading *reading)
{
    int code = run->answer ? run->answer->code : faults[run->fault].code;
    uint64_t since_ns = clock_boottime_ns() - run->struck_ns;

    if (!line->struck || !run->striking)
        return;
    if (run->fault == FAULT_STUCK) /* the reading before was the first of its value */
        code = since_ns + S >= SENSORS_STUCK_NS ? -ESTALE : 0;
    if (run->ticks > 0 && code < 0 && reading->code == -ENODEV)
        return; /* what fails for a while is looked for anew */
    if (reading->code != code)
        fail_msg("%s: %d in place of %d", run->source->name, reading->code, code);
}

/* Each reading that there is goes to the ledger. */
static void take(struct run *run, uint64_t now_ns)
{
    sensors_take(run->rig->sensors, now_ns, now_ns);
    for (size_t i = 0; i < run->n_lines; i++) {
        const struct sensor_reading *reading = sensors_reading(run->rig->sensors, i);
        struct line *line = &run->lines[i];

        if (reading->code == -ETIMEDOUT && run->fault == FAULT_SLOW)
            continue;
        line->answered = true;
        check_code(run, line, reading);
        if (reading->code < 0 && !line->struck)
            fail_msg("%s %u: %d", line->source->name, line->unit, reading->code);
        if (reading->code < 0)
            continue;
        if (!run->struck_ns)
            line->last_ns = reading->at_ns;
        else if (run->fault == FAULT_STUCK && run->striking)
            line->last_ns = reading->at_ns;
        else if (!line->back_ns)
            line->back_ns = reading->at_ns;
        assert_int_equal(ledger_reading(run->ledger, reading->at_ns, i, reading->raw_uj), 0);
    }
}

static bool has_answers(const struct run *run)
{
    for (size_t i = 0; i < run->n_lines; i++)
        if (!run->lines[i].answered && !(run->striking && run->lines[i].struck))
            return false;
    return true;
}

static void tick(struct run *run)
{
    uint64_t busy_ns[2], now_ns;

    show_all(run);
    if (run->fault == FAULT_SLOW && run->striking != broken->hangs)
        hold_up(run, run->striking);
    now_ns = clock_boottime_ns();
    assert_true(sensors_read_busy(run->rig->sensors, busy_ns) == 0 || run->striking);
    assert_int_equal(ledger_clock(run->ledger, now_ns, WALL_NS + (int64_t)now_ns), 0);
    for (size_t i = 0; i < run->n_lines; i++)
        run->lines[i].answered = false;
    sensors_ask(run->rig->sensors, now_ns, false);
    take(run, now_ns);
    for (int tries = 0; !has_answers(run); tries++) { /* processes of their own */
        assert_true(tries < 20000);
        pause_ms(1);
        take(run, now_ns);
    }
    close_books(run);
    run->ticks += run->striking;
}

static void ticks(struct run *run, unsigned times)
{
    while (times--) {
        board_rig_pass_ms(1000);
        tick(run);
    }
}

/* --- a node ---------------------------------------------------------------------------------- */

static void begin_job(struct ledger *ledger, uint32_t number, const char *cores)
{
    struct batch_job job = { .ref = number + 1, .job_id = number + 1,
                             .begin_boottime_ns = clock_boottime_ns(),
                             .has = JOB_HAS_CORES | JOB_HAS_GPUS };

    assert_int_equal(idset_parse(cores, &job.cores), 0);
    idset_add(&job.gpus, number);
    assert_int_equal(ledger_job_begin(ledger, &job), 0);
}

/* Whether it is of all counters of the kind. */
static bool is_of_all(const struct run *run)
{
    return run->fault == FAULT_SLOW || (run->source->shared && faults[run->fault].code < 0);
}

static void begin_ledger(struct run *run)
{
    struct board_rig *rig = run->rig;
    const struct ledger_node node = { 2, 4, 2, rig->topology->core_package, 4096 };
    struct ledger_counter counters[COUNTERS] = { { .source = "" } };

    run->n_lines = sensors_count(rig->sensors);
    assert_int_equal(run->n_lines, run->source->units + run->beside->units);
    for (size_t i = 0; i < run->n_lines; i++) {
        const struct sensor_counter *from = sensors_counter(rig->sensors, i);
        struct line *line = &run->lines[i];

        snprintf(counters[i].source, sizeof(counters[i].source), "%s", from->source);
        snprintf(counters[i].sensor, sizeof(counters[i].sensor), "%s", from->sensor);
        counters[i].component = from->component;
        counters[i].quality = from->quality;
        counters[i].domain = from->domain;
        counters[i].range_uj = from->range_uj;
        counters[i].max_uw = from->max_uw;
        counters[i].fresh = from->fresh;
        line->source = strcmp(from->sensor, run->source->name) == 0 ? run->source : run->beside;
        line->unit = from->domain;
        line->first_uj = drawn_uj(line->source, line->unit, run->begin_ns);
        line->struck = line->unit == 0 ? line->source == run->source || run->beside == &modules
                                       : line->source == run->source && is_of_all(run);
    }
    run->ledger = ledger_new(&node, counters, run->n_lines, run->begin_ns);
    assert_non_null(run->ledger);
    begin_job(run->ledger, 0, "0-1");
    begin_job(run->ledger, 1, "2-3");
}

static void begin(struct run *run)
{
    struct sensor_options options = { .idle_uw = IDLE_UW, .full_uw = FULL_UW,
                                      .apart = run->fault == FAULT_SLOW };
    struct board_rig *rig;
    struct error err = { "" };
    char list[64], fake[PATH_MAX + 8];
    void *state;

    memset(&perf_kernel, 0, sizeof(perf_kernel));
    perf_kernel.sysfs = true;
    board_rig_setup(&state);
    run->rig = rig = state;
    run->begin_ns = clock_boottime_ns();
    snprintf(fake, sizeof(fake), "%s/fake", rig->tree.path);
    setenv("FAKE_NVML_DIR", fake, 1);
    setenv("FAKE_IPMI_DIR", rig->tree.path, 1);
    for (unsigned unit = 0; unit < 2; unit++) {
        if (unit < run->source->units && run->source->add)
            run->source->add(&rig->tree, unit);
        run->beside->add(&rig->tree, unit);
    }
    tree_write(&rig->tree, "proc/stat", "cpu0 0 0 0 0\ncpu1 0 0 0 0\nbtime 1\n");
    show_all(run);
    snprintf(list, sizeof(list), "%s,%s", run->source->name, run->beside->name);
    options.root_fd = rig->tree.fd;
    options.list = list;
    options.topology = rig->topology;
    if (sensors_open(&options, &rig->sensors, &err) < 0)
        fail_msg("%s", err.text);
    begin_ledger(run);
}

static void end(struct run *run)
{
    void *state = run->rig;

    ledger_free(run->ledger);
    board_rig_close(run->rig);
    perf_kernel_forget();
    assert_int_equal(board_rig_teardown(&state), 0);
}

/* --- the matrix ------------------------------------------------------------------------------ */

/* The reading from which the counter is believed again; what was drawn up to it may be a gap. */
static uint64_t believed_ns(const struct run *run, const struct line *line)
{
    if (run->fault == FAULT_SPIKE && run->source->gauge)
        return run->struck_ns + S; /* half of the spike is in the reading behind it */
    return line->back_ns;
}

static void check_end(const struct run *run, const struct line *line, const char *cell)
{
    uint64_t end_ns = ledger_begin(run->ledger), lost_uj = 0, gap_ns = 0, slack_uj = 0;
    uint64_t to_ns = believed_ns(run, line), span_ns = to_ns - line->last_ns;

    assert_int_equal(end_ns, clock_boottime_ns());
    assert_int_equal(line->elapsed_ns, end_ns - run->begin_ns);
    assert_int_equal(line->metered_ns + line->gap_ns, line->elapsed_ns);
    if (line->struck && strcmp(cell, "=") != 0) {
        lost_uj = truth_uj(run, line, to_ns) - truth_uj(run, line, line->last_ns);
        gap_ns = span_ns;
    } else if (line->struck && span_ns > PATIENCE_NS + S) {
        gap_ns = span_ns - S; /* not waited for; what it has counted meanwhile is nobody's */
    }
    if (line->struck && strcmp(cell, "idle") == 0)
        lost_uj += truth_uj(run, line, end_ns) - truth_uj(run, line, to_ns) -
                   mul_div(IDLE_UW, end_ns - to_ns, S);
    if (line->struck && run->fault == FAULT_STUCK) /* at what it stood, until that was noticed */
        slack_uj = run->source->ramp_uw * 60 * 60 / 2;
    assert_int_equal(line->gap_ns, gap_ns);
    assert_in_range(line->booked_uj + lost_uj, truth_uj(run, line, end_ns) - slack_uj,
                    truth_uj(run, line, end_ns));
}

static void check_fault(const struct source *source, const struct source *beside, enum fault fault,
                        const struct answer *answer, unsigned fault_s, unsigned after_s)
{
    struct run run = { .source = source, .beside = beside, .fault = fault,
                       .answer = answer };
    const char *cell = source->cells[fault];
    uint64_t mended_ns;

    if (source->gauge && fault_s > 30 && strcmp(cell, "=") == 0)
        cell = "gap"; /* too long to be bridged */
    begin(&run);
    tick(&run);
    ticks(&run, 10);
    board_rig_pass_ms(1000);
    run.striking = true;
    run.struck_ns = clock_boottime_ns();
    tick(&run);
    ticks(&run, fault_s - 1);
    board_rig_pass_ms(1000);
    mend(&run);
    mended_ns = clock_boottime_ns();
    tick(&run);
    ticks(&run, after_s);
    for (size_t i = 0; i < run.n_lines; i++) {
        assert_true(run.lines[i].back_ns <= mended_ns + BACK_NS);
        check_end(&run, &run.lines[i], cell);
    }
    end(&run);
}

struct cell {
    const struct source *source;
    enum fault fault;
};

static void test_cell(void **state)
{
    const struct cell *cell = *state;
    const struct source *source = cell->source, *beside = find_source(source->beside);
    enum fault fault = cell->fault;
    bool passes = fault == FAULT_SPIKE || fault == FAULT_BACK || fault == FAULT_ANEW;
    const struct answer *answer = NULL; /* the last */

    for (size_t i = 0; i < LENGTH(answers); i++)
        if (strcmp(answers[i].source, source->name) == 0 && answers[i].fault == fault) {
            answer = &answers[i];
            check_fault(source, beside, fault, answer, 10, 15);
        }
    if (!answer && fault != FAULT_STUCK)
        check_fault(source, beside, fault, NULL,
                    passes ? 1 : fault == FAULT_SLOW ? 5 : 10, 15);
    if (fault == FAULT_STUCK || fault == FAULT_EIO || fault == FAULT_GONE)
        check_fault(source, beside, fault, answer, 150, 15); /* longer than is waited for */
}

/* Nobody knows then what of the node is the part's. */
static void test_silent_part_is_in_other_until_it_is_back(void **state)
{
    const struct source *parts = find_source("powercap"), *node = find_source("ipmi");

    (void)state;
    check_fault(parts, node, FAULT_EIO, NULL, 10, 15);
    check_fault(parts, node, FAULT_EIO, NULL, 150, 100);
    check_fault(parts, node, FAULT_SPIKE, NULL, 1, 15);
}

static void test_module_is_silent_with_its_part_and_loses_nothing(void **state)
{
    const struct source *parts = find_source("powercap");

    (void)state;
    check_fault(parts, &modules, FAULT_EIO, NULL, 10, 15);
    check_fault(parts, &modules, FAULT_EIO, NULL, 150, 15);
    check_fault(parts, &modules, FAULT_GONE, NULL, 10, 15);
    check_fault(parts, &modules, FAULT_ANEW, NULL, 1, 15); /* then both begin anew */
}

/* --- the document ---------------------------------------------------------------------------- */

/* The section's line that begins so, without its end; fails when there is none. */
static const char *line_of(char *section, const char *begin)
{
    static char line[512];
    const char *at = section - 1;

    while (at && strncmp(at + 1, begin, strlen(begin)) != 0)
        at = strchr(at + 1, '\n');
    if (!at)
        fail_msg("docs/accuracy.md, Faults: no line begins with \"%s\"", begin);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    return line;
}

static void check_row(char *section, const char *first, const char *const *cells)
{
    char row[512];
    size_t used = (size_t)snprintf(row, sizeof(row), "| %s |", first);

    for (size_t i = 0; i < FAULT_COUNT; i++)
        used += (size_t)snprintf(row + used, sizeof(row) - used, " %s |", cells[i]);
    assert_string_equal(line_of(section, name("| %s |", first)), row);
    for (size_t i = 0; i < FAULT_COUNT; i++)
        if (strcmp(first, "source") != 0)
            line_of(section, name("- `%s`: ", cells[i]));
}

static void test_document_has_this_matrix_and_every_kind_of_source(void **state)
{
    const char *top = getenv("top_srcdir"), *columns[FAULT_COUNT];
    char path[PATH_MAX], *text, *section, *end;
    struct error err = { "" };
    size_t len;

    (void)state;
    snprintf(path, sizeof(path), "%s/docs/accuracy.md", top ? top : ".");
    if (file_read(AT_FDCWD, path, 1 << 20, &text, &len, &err) < 0)
        fail_msg("%s", err.text);
    section = strstr(text, "\n## Faults\n");
    assert_non_null(section);
    end = strstr(++section, "\n## ");
    if (end)
        *end = '\0';
    for (size_t i = 0; i < FAULT_COUNT; i++)
        columns[i] = faults[i].name;
    check_row(section, "source", columns);
    for (size_t i = 0; i < LENGTH(sources); i++) {
        assert_string_equal(sources[i].name, sensors_kind(i));
        check_row(section, sources[i].name, sources[i].cells);
    }
    assert_null(sensors_kind(LENGTH(sources)));
    free(text);
}

/* Found by name, since they are there already: by LD_LIBRARY_PATH this had to be begun anew. */
static void load(const char *library)
{
    if (!dlopen(library, RTLD_NOW | RTLD_LOCAL)) {
        fprintf(stderr, "%s\n", dlerror());
        exit(99);
    }
}

#define OTHERS 3 /* tests beside the matrix */

int main(void)
{
    static struct cell cells[LENGTH(sources) * FAULT_COUNT];
    static char names[LENGTH(sources) * FAULT_COUNT][32];
    static struct CMUnitTest tests[OTHERS + LENGTH(sources) * FAULT_COUNT] = {
        cmocka_unit_test(test_silent_part_is_in_other_until_it_is_back),
        cmocka_unit_test(test_module_is_silent_with_its_part_and_loses_nothing),
        cmocka_unit_test(test_document_has_this_matrix_and_every_kind_of_source),
    };
    size_t count = 0;

    broken = mmap(NULL, sizeof(*broken), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (broken == MAP_FAILED)
        return 99;
    load(FAKE_NVML_LIBRARY);
    load(FAKE_IPMI_LIBRARY);
    for (size_t i = 0; i < LENGTH(sources); i++)
        for (unsigned fault = 0; fault < FAULT_COUNT; fault++) {
            const char *text = sources[i].cells[fault];

            if (strlen(text) == 1 && *text != '=')
                continue;
            cells[count] = (struct cell){ &sources[i], (enum fault)fault };
            snprintf(names[count], sizeof(names[count]), "%s: %s", sources[i].name,
                     faults[fault].name);
            tests[OTHERS + count] = (struct CMUnitTest){ names[count], test_cell, NULL, NULL,
                                                    &cells[count] };
            count++;
        }
    return _cmocka_run_group_tests("faults", tests, OTHERS + count, NULL, NULL);
}
