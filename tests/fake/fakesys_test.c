/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated /sys keeps its promises: counters agree with the truth log,
 * faults do what they say and nothing else, hwloc sees the machine asked for.
 * Skipped (77) where /dev/fuse cannot be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <hwloc.h>

#define MAX_ARGUMENTS 24
#define PATH_SIZE 512
#define START_DEADLINE_MS 20000
#define RANGE_UJ UINT64_C(262143328911)

struct fixture {
    char directory[64];
    char mount[96];
    char state[96];
    pid_t pid;
};

static char program[PATH_SIZE];

/* --- running the simulator ------------------------------------------------ */

static void sleep_ms(long ms)
{
    struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

static uint64_t boottime_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void split_arguments(char *text, char **argv, int at)
{
    char *word;

    while ((word = strsep(&text, " ")) != NULL) {
        assert_true(at < MAX_ARGUMENTS);
        argv[at++] = word;
    }
    argv[at] = NULL;
}

/* Starts it with blank-separated options and waits until it is mounted. */
static void start(struct fixture *fixture, const char *options)
{
    char *copy = strdup(options);
    char *argv[MAX_ARGUMENTS + 1] = { program, fixture->mount, (char[]){ "--state" },
                                      fixture->state };
    char pid_path[PATH_SIZE];

    assert_non_null(copy);
    split_arguments(copy, argv, 4);
    fixture->pid = fork();
    assert_true(fixture->pid >= 0);
    if (fixture->pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    free(copy);
    snprintf(pid_path, sizeof(pid_path), "%s/pid", fixture->state);
    for (int waited_ms = 0; access(pid_path, F_OK) != 0; waited_ms += 10) {
        assert_true(waited_ms < START_DEADLINE_MS);
        assert_int_equal(waitpid(fixture->pid, NULL, WNOHANG), 0);
        sleep_ms(10);
    }
}

/* Ends it by SIGTERM; it must leave by itself, with status 0. */
static void stop(struct fixture *fixture)
{
    int status = -1;

    kill(fixture->pid, SIGTERM);
    assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
    fixture->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int set_up(void **state)
{
    const char *options = *state;
    const char *temporary = getenv("TMPDIR");
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/fakesys-XXXXXX",
             temporary && strlen(temporary) < 40 ? temporary : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->mount, sizeof(fixture->mount), "%s/mount", fixture->directory);
    snprintf(fixture->state, sizeof(fixture->state), "%s/state", fixture->directory);
    assert_int_equal(mkdir(fixture->mount, 0755), 0);
    assert_int_equal(mkdir(fixture->state, 0755), 0);
    *state = fixture;
    start(fixture, options);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    static const char *const files[] = { "truth.csv", "busy.csv", "pid" };

    if (fixture->pid > 0)
        stop(fixture);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[PATH_SIZE];

        snprintf(path, sizeof(path), "%s/%s", fixture->state, files[i]);
        unlink(path);
    }
    rmdir(fixture->state);
    assert_int_equal(rmdir(fixture->mount), 0);     /* fails while it is mounted */
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

/* --- talking to it -------------------------------------------------------- */

static int open_below(const struct fixture *fixture, const char *path, int flags)
{
    char whole[PATH_SIZE];

    assert_true((size_t)snprintf(whole, sizeof(whole), "%s/%s", fixture->mount, path) <
                sizeof(whole));
    return open(whole, flags | O_CLOEXEC);
}

/* Descriptor of a zone's energy_uj, "0" or "1:0". */
static int open_zone(const struct fixture *fixture, const char *zone)
{
    char path[PATH_SIZE];
    int fd;

    snprintf(path, sizeof(path), "sys/class/powercap/intel-rapl:%s/energy_uj", zone);
    fd = open_below(fixture, path, O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void command(const struct fixture *fixture, const char *text)
{
    int fd = open_below(fixture, "ctl", O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* One reading as text; the length, or a negative errno. */
static ssize_t read_text(int fd, char *buffer, size_t size)
{
    ssize_t got = pread(fd, buffer, size - 1, 0);

    if (got < 0)
        return -errno;
    buffer[got] = '\0';
    return got;
}

static uint64_t read_uj(int fd)
{
    char text[64];
    char *end;
    unsigned long long value;

    assert_true(read_text(fd, text, sizeof(text)) > 0);
    value = strtoull(text, &end, 10);
    assert_string_equal(end, "\n");
    return value;
}

static void read_below(const struct fixture *fixture, const char *path, char *buffer, size_t size)
{
    int fd = open_below(fixture, path, O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read_text(fd, buffer, size) >= 0);
    close(fd);
}

/* What --truth says of one name. */
static uint64_t truth(const struct fixture *fixture, uint64_t from_ns, uint64_t to_ns,
                      const char *name)
{
    char line[PATH_SIZE * 2];
    unsigned long long value = 0;
    FILE *pipe;

    snprintf(line, sizeof(line), "'%s' --truth '%s' %" PRIu64 " %" PRIu64 " %s", program,
             fixture->state, from_ns, to_ns, name);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%llu", &value), 1);
    assert_int_equal(pclose(pipe), 0);
    return value;
}

/* A reading and the instants just before and after it. */
struct reading {
    uint64_t before_ns;
    uint64_t after_ns;
    uint64_t shown_uj;
};

static struct reading take_reading(int fd)
{
    struct reading reading;

    reading.before_ns = boottime_ns();
    reading.shown_uj = read_uj(fd);
    reading.after_ns = boottime_ns();
    return reading;
}

/* What the counter advanced by lies between the least and the most that is true. */
static void assert_advance(const struct fixture *fixture, const char *name,
                           const struct reading *first, const struct reading *second)
{
    uint64_t advance_uj = (second->shown_uj + RANGE_UJ - first->shown_uj) % RANGE_UJ;

    assert_true(advance_uj >= truth(fixture, first->after_ns, second->before_ns, name));
    assert_true(advance_uj <= truth(fixture, first->before_ns, second->after_ns, name));
}

/* --- energy --------------------------------------------------------------- */

static void counters_advance_by_the_truth(void **state)
{
    static const struct {
        const char *zone;
        const char *name;
    } zones[] = {
        { "0", "package-0" }, { "1", "package-1" }, { "2", "psys" },
        { "0:0", "core-0" },  { "1:1", "dram-1" },
    };
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        int fd = open_zone(fixture, zones[i].zone);
        struct reading readings[4];

        for (size_t k = 0; k < 4; k++) {
            readings[k] = take_reading(fd);
            sleep_ms(60);
        }
        for (size_t k = 1; k < 4; k++)
            assert_advance(fixture, zones[i].name, &readings[0], &readings[k]);
        close(fd);
    }
}

static void constant_power_is_exact(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t from_ns, to_ns;

    command(fixture, "power package-0 120.5\n");
    from_ns = boottime_ns();
    sleep_ms(30);
    to_ns = boottime_ns();
    /* 120.5 W is 241/2000 uJ a nanosecond; whole microjoules at either end. */
    assert_in_range(truth(fixture, from_ns, to_ns, "package-0"),
                    (to_ns - from_ns) * 241 / 2000, (to_ns - from_ns) * 241 / 2000 + 1);
}

static void truth_is_additive(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t instants_ns[4];
    uint64_t sum_uj = 0;

    for (size_t i = 0; i < 4; i++) {
        instants_ns[i] = boottime_ns();
        sleep_ms(70);
    }
    for (size_t i = 1; i < 4; i++)
        sum_uj += truth(fixture, instants_ns[i - 1], instants_ns[i], "package-1");
    assert_true(sum_uj > 0);
    assert_int_equal(sum_uj, truth(fixture, instants_ns[0], instants_ns[3], "package-1"));
}

/* Not through --truth: the log by itself holds together to the last femtojoule. */
static void log_lines_follow_from_each_other(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t at_ns, wall_ns, energy_uj, rest_fj, power_uw;
    uint64_t last_ns = 0, last_uj = 0, last_fj = 0, last_uw = 0;
    char path[PATH_SIZE], line[PATH_SIZE];
    unsigned int changes = 0;
    FILE *log;

    command(fixture, "power package-1 33.333333\n");
    sleep_ms(400);
    snprintf(path, sizeof(path), "%s/truth.csv", fixture->state);
    log = fopen(path, "re");
    assert_non_null(log);
    while (fgets(line, sizeof(line), log)) {
        if (sscanf(line, "%" SCNu64 ",%" SCNu64 ",package-1,%*[a-z],%" SCNu64 ",%" SCNu64
                   ",%" SCNu64, &at_ns, &wall_ns, &energy_uj, &rest_fj, &power_uw) != 5)
            continue;
        if (last_ns > 0) {
            uint64_t grown_fj = (energy_uj - last_uj) * 1000000000 + rest_fj - last_fj;

            assert_true(at_ns >= last_ns);
            assert_int_equal(grown_fj, last_uw * (at_ns - last_ns));
            changes++;
        }
        last_ns = at_ns;
        last_uj = energy_uj;
        last_fj = rest_fj;
        last_uw = power_uw;
    }
    fclose(log);
    assert_true(changes >= 4);
}

static void a_counter_wraps_at_its_range(void **state)
{
    const struct fixture *fixture = *state;
    int fd = open_zone(fixture, "0");
    int max_fd = open_below(fixture, "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
                            O_RDONLY);
    struct reading first, second;

    /* the register's largest value, as Linux shows it: a unit of 61 uJ below the range */
    assert_true(max_fd >= 0);
    assert_true(read_uj(max_fd) == UINT64_C(262143328850));
    close(max_fd);
    command(fixture, "power package-0 1\nnear-wrap package-0 20\n");
    first = take_reading(fd);
    command(fixture, "power package-0 400\n");
    sleep_ms(100);
    second = take_reading(fd);
    assert_true(first.shown_uj >= RANGE_UJ - 20000000);
    assert_true(second.shown_uj < RANGE_UJ / 2);
    assert_advance(fixture, "package-0", &first, &second);
    close(fd);
}

static void a_mirror_shows_the_same_counter(void **state)
{
    const struct fixture *fixture = *state;
    int mirror = open_below(fixture, "sys/class/powercap/intel-rapl-mmio:1/energy_uj", O_RDONLY);
    int fd = open_zone(fixture, "1");
    uint64_t before_uj, between_uj;

    assert_true(mirror >= 0);
    before_uj = read_uj(fd);
    between_uj = read_uj(mirror);
    assert_in_range(between_uj, before_uj, read_uj(fd));
    close(fd);
    close(mirror);
}

static void a_read_further_on_continues_the_content(void **state)
{
    int fd = open_zone(*state, "0");
    char text[64], rest[64];
    ssize_t size = read_text(fd, text, sizeof(text));
    uint64_t later_uj;

    assert_true(size > 3);
    sleep_ms(5);
    assert_int_equal(pread(fd, rest, sizeof(rest), 3), size - 3);
    assert_memory_equal(rest, text + 3, (size_t)size - 3);
    assert_int_equal(pread(fd, rest, sizeof(rest), size), 0);
    later_uj = read_uj(fd);
    assert_true(later_uj > strtoull(text, NULL, 10));
    close(fd);
}

/* --- faults --------------------------------------------------------------- */

static void a_failure_lasts_as_many_readings_as_told(void **state)
{
    int fd = open_zone(*state, "0");
    char text[64];

    command(*state, "fail package-0 EIO 2");
    assert_int_equal(read_text(fd, text, sizeof(text)), -EIO);
    assert_int_equal(read_text(fd, text, sizeof(text)), -EIO);
    read_uj(fd);
    command(*state, "fail package-* ENODATA");
    for (int i = 0; i < 5; i++)
        assert_int_equal(read_text(fd, text, sizeof(text)), -ENODATA);
    command(*state, "ok *");
    read_uj(fd);
    close(fd);
}

static void a_spike_is_one_reading(void **state)
{
    int fd = open_zone(*state, "0");
    uint64_t before_uj = read_uj(fd);
    uint64_t after_uj;

    command(*state, "spike package-0 1000");
    assert_true(read_uj(fd) >= before_uj * 1000);
    after_uj = read_uj(fd);
    assert_in_range(after_uj, before_uj, before_uj + 1000000000);
    close(fd);
}

static void garbage_and_emptiness_are_not_numbers(void **state)
{
    int fd = open_zone(*state, "0");
    char text[64];

    command(*state, "garbage package-0 -17x 1");
    assert_int_equal(read_text(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "-17x\n");
    command(*state, "empty package-0 1");
    assert_int_equal(read_text(fd, text, sizeof(text)), 0);
    read_uj(fd);
    close(fd);
}

static void a_stuck_counter_stands_while_energy_flows(void **state)
{
    int fd = open_zone(*state, "0");
    struct reading before = take_reading(fd);
    struct reading after;
    uint64_t stuck_uj;

    command(*state, "stuck package-0");
    stuck_uj = read_uj(fd);
    sleep_ms(20);
    assert_int_equal(read_uj(fd), stuck_uj);
    command(*state, "ok package-0");
    after = take_reading(fd);
    assert_true(after.shown_uj > stuck_uj);
    assert_advance(*state, "package-0", &before, &after);
    close(fd);
}

static void a_jump_moves_the_counter_not_the_truth(void **state)
{
    int fd = open_zone(*state, "0");
    struct reading before = take_reading(fd);
    struct reading after;

    command(*state, "jump package-0 -5000000");
    after = take_reading(fd);
    after.shown_uj += 5000000;
    assert_advance(*state, "package-0", &before, &after);
    close(fd);
}

static void a_vanished_package_takes_its_subzones(void **state)
{
    const struct fixture *fixture = *state;
    int fd = open_zone(fixture, "0:0");
    char text[64];

    command(fixture, "vanish package-0");
    assert_int_equal(read_text(fd, text, sizeof(text)), -ENODEV);
    assert_int_equal(open_below(fixture, "sys/class/powercap/intel-rapl:0", O_RDONLY), -1);
    assert_int_equal(open_below(fixture, "sys/class/powercap/intel-rapl:0:0", O_RDONLY), -1);
    close(open_zone(fixture, "1"));
    command(fixture, "ok package-0");
    read_uj(fd);
    close(fd);
}

static void a_slow_domain_delays_its_own_readers_only(void **state)
{
    int slow = open_zone(*state, "0");
    int fast = open_zone(*state, "1");
    uint64_t begin_ns;
    pid_t child;

    command(*state, "slow package-0 1.2");
    begin_ns = boottime_ns();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[64];

        _exit(read_text(slow, text, sizeof(text)) > 0 ? 0 : 1);
    }
    sleep_ms(50);
    read_uj(fast);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(boottime_ns() - begin_ns >= 1200000000);
    close(slow);
    close(fast);
}

static void a_refused_command_changes_nothing(void **state)
{
    static const char *const refused[] = {
        "power package-0\n",         "power package-0 -1\n",       "power package-7 1\n",
        "power package-0 1.1234567", "fail package-0 EWHATEVER\n", "jump package-0 -999999999999\n",
        "busy 99 0.5\n",             "busy 0 1.5\n",               "near-wrap package-0 0\n",
        "nonsense\n",                "power package-0 1 2\n",      "fail package-0 EIO 0\n",
    };
    int ctl = open_below(*state, "ctl", O_WRONLY);
    int fd = open_zone(*state, "0");

    assert_true(ctl >= 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct reading before = take_reading(fd);
        struct reading after;

        errno = 0;
        assert_int_equal(write(ctl, refused[i], strlen(refused[i])), -1);
        assert_int_equal(errno, EINVAL);
        after = take_reading(fd);
        assert_advance(*state, "package-0", &before, &after);
    }
    close(ctl);
    close(fd);
}

/* --- CPU time, boots ------------------------------------------------------ */

static uint64_t user_ticks(const struct fixture *fixture, const char *label)
{
    char text[4096];
    const char *line;

    read_below(fixture, "proc/stat", text, sizeof(text));
    line = strstr(text, label);
    assert_non_null(line);
    return strtoull(line + strlen(label), NULL, 10);
}

static void busy_cpus_show_in_proc_stat(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t from_ns, to_ns, least_ns, ticks;

    command(fixture, "busy 0-3 0.5\nbusy 5 1\n");
    from_ns = boottime_ns();
    sleep_ms(400);
    to_ns = boottime_ns();
    ticks = user_ticks(fixture, "cpu2 ");
    least_ns = truth(fixture, from_ns, to_ns, "cpu-2");
    assert_in_range(least_ns, (to_ns - from_ns) / 2 - 1, (to_ns - from_ns) / 2 + 1);
    assert_true(ticks >= least_ns / 10000000);
    assert_true(user_ticks(fixture, "cpu5 ") > ticks);
    assert_int_equal(user_ticks(fixture, "cpu4 "), 0);
    assert_true(user_ticks(fixture, "cpu  ") >= 4 * ticks);
}

static void a_reboot_resets_counters_not_the_truth(void **state)
{
    const struct fixture *fixture = *state;
    int fd = open_zone(fixture, "0");
    char before[64], after[64];
    uint64_t from_ns = boottime_ns();
    uint64_t part_uj;

    read_below(fixture, "proc/sys/kernel/random/boot_id", before, sizeof(before));
    sleep_ms(50);
    part_uj = truth(fixture, from_ns, boottime_ns(), "package-0");
    command(fixture, "reboot\n");
    read_below(fixture, "proc/sys/kernel/random/boot_id", after, sizeof(after));
    assert_int_equal(strlen(after), 37);
    assert_string_not_equal(before, after);
    assert_true(read_uj(fd) < 1000000000);
    assert_true(truth(fixture, from_ns, boottime_ns(), "package-0") > part_uj);
    close(fd);
}

static void a_second_run_goes_on_from_the_totals(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ended_ns, first_uj;

    sleep_ms(30);
    stop(fixture);
    ended_ns = boottime_ns();
    first_uj = truth(fixture, 0, ended_ns, "package-0");
    assert_true(first_uj > 0);
    sleep_ms(30);
    /* Nothing flows while it is stopped. */
    assert_int_equal(truth(fixture, ended_ns, boottime_ns(), "package-0"), 0);
    start(fixture, "--sockets 2");
    sleep_ms(30);
    assert_true(truth(fixture, 0, boottime_ns(), "package-0") > first_uj);
}

/* --- topology ------------------------------------------------------------- */

static void load_topology(const struct fixture *fixture, hwloc_topology_t *ret_topology)
{
    /* Without x86: it would ask the CPU that this test runs on. */
    setenv("HWLOC_COMPONENTS", "linux,stop", 1);
    setenv("HWLOC_FSROOT", fixture->mount, 1);
    assert_int_equal(hwloc_topology_init(ret_topology), 0);
    assert_int_equal(hwloc_topology_load(*ret_topology), 0);
    unsetenv("HWLOC_FSROOT");
    unsetenv("HWLOC_COMPONENTS");
}

static unsigned int package_of_core(hwloc_topology_t topology, unsigned int core)
{
    hwloc_obj_t object = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, core);

    assert_non_null(object);
    object = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, object);
    assert_non_null(object);
    return object->os_index;
}

static void hwloc_sees_the_sockets_and_cores(void **state)
{
    hwloc_topology_t topology;

    load_topology(*state, &topology);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE), 2);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE), 8);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU), 8);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE), 2);
    for (unsigned int i = 0; i < 8; i++)
        assert_int_equal(package_of_core(topology, i), i / 4);
    hwloc_topology_destroy(topology);
}

static void hwloc_orders_interleaved_threads_by_socket(void **state)
{
    hwloc_topology_t topology;

    load_topology(*state, &topology);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE), 80);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU), 160);
    for (unsigned int i = 0; i < 80; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, i);

        assert_int_equal(package_of_core(topology, i), i / 40);
        assert_int_equal(hwloc_bitmap_first(core->cpuset), i % 40 * 2 + i / 40);
        assert_int_equal(hwloc_bitmap_last(core->cpuset), 80 + i % 40 * 2 + i / 40);
    }
    hwloc_topology_destroy(topology);
}

static void zones_need_not_be_numbered_like_packages(void **state)
{
    char name[64];

    read_below(*state, "sys/class/powercap/intel-rapl:0/name", name, sizeof(name));
    assert_string_equal(name, "package-1-die-0\n");
    read_below(*state, "sys/class/powercap/intel-rapl:3/name", name, sizeof(name));
    assert_string_equal(name, "package-0-die-1\n");
    assert_int_equal(open_below(*state, "sys/class/powercap/intel-rapl:0:0", O_RDONLY), -1);
}

#define WITH(test, options) \
    cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, (void *)(uintptr_t)(options))

int main(void)
{
    static const char plain[] = "--sockets 2";
    static const char noisy[] = "--sockets 2 --core --psys --noise=30 --seed 7";
    const struct CMUnitTest tests[] = {
        WITH(counters_advance_by_the_truth, noisy),
        WITH(constant_power_is_exact, plain),
        WITH(truth_is_additive, noisy),
        WITH(log_lines_follow_from_each_other, noisy),
        WITH(a_counter_wraps_at_its_range, noisy),
        WITH(a_mirror_shows_the_same_counter, "--sockets 2 --mmio"),
        WITH(a_read_further_on_continues_the_content, plain),
        WITH(a_failure_lasts_as_many_readings_as_told, plain),
        WITH(a_spike_is_one_reading, plain),
        WITH(garbage_and_emptiness_are_not_numbers, plain),
        WITH(a_stuck_counter_stands_while_energy_flows, noisy),
        WITH(a_jump_moves_the_counter_not_the_truth, plain),
        WITH(a_vanished_package_takes_its_subzones, plain),
        WITH(a_slow_domain_delays_its_own_readers_only, plain),
        WITH(a_refused_command_changes_nothing, plain),
        WITH(busy_cpus_show_in_proc_stat, plain),
        WITH(a_reboot_resets_counters_not_the_truth, plain),
        WITH(a_second_run_goes_on_from_the_totals, plain),
        WITH(hwloc_sees_the_sockets_and_cores, plain),
        WITH(hwloc_orders_interleaved_threads_by_socket,
             "--sockets 2 --cores 40 --threads 2 --interleave"),
        WITH(zones_need_not_be_numbered_like_packages,
             "--sockets 2 --dies 2 --no-dram --reverse-zones"),
    };
    const char *built = getenv("top_builddir");
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        fprintf(stderr, "skipped: /dev/fuse: %s\n", strerror(errno));
        return 77;
    }
    close(fd);
    snprintf(program, sizeof(program), "%s/tests/fake/fakesys", built ? built : ".");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
