/* RAPL through perf events: which events of which CPUs, the exact scale, and whose tree it is. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "board_rig.h"
#include "core/clock.h"
#include "perf_kernel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PMU "sys/bus/event_source/devices/power"
#define SCALE "2.3283064365386962890625e-10"
#define ITEMS 10

static int setup(void **state)
{
    memset(&perf_kernel, 0, sizeof(perf_kernel));
    perf_kernel.sysfs = true;
    return board_rig_setup(state);
}

static int teardown(void **state)
{
    perf_kernel_forget();
    return board_rig_teardown(state);
}

/* --- a PMU --- */

static void add_event(struct board_rig *rig, const char *name, const char *text, const char *scale)
{
    char path[128];

    snprintf(path, sizeof(path), PMU "/events/%s", name);
    tree_write(&rig->tree, path, "%s", text); /* the kernel writes no newline here */
    snprintf(path, sizeof(path), PMU "/events/%s.scale", name);
    tree_write(&rig->tree, path, "%s", scale);
}

static void add_pmu(struct board_rig *rig, const char *cpumask)
{
    tree_write(&rig->tree, PMU "/type", "25\n");
    tree_write(&rig->tree, PMU "/cpumask", "%s\n", cpumask);
    tree_write(&rig->tree, PMU "/format/event", "config:0-7\n");
}

static void add_cpuinfo(struct board_rig *rig, const char *vendor)
{
    tree_write(&rig->tree, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: %s\n", vendor);
}

/* --- which count --- */

struct node_case {
    const char *name, *vendor, *cpumask;
    const char *events[6];
    struct {
        const char *source;
        enum component component;
        unsigned domain;
        int cpu;
        uint64_t config;
    } counted[ITEMS];
    struct {
        const char *source, *reason;
    } left_out[ITEMS];
};

/* Two packages; CPUs 0 and 1 are of the first. */
static const struct node_case node_cases[] = {
    {"an Intel server", "GenuineIntel", "0,2",
     {"energy-pkg", "energy-ram", "energy-cores", "energy-gpu", "energy-psys"},
     {{"perf:package-0", COMPONENT_CPU, 0, 0, 2},
      {"perf:package-1", COMPONENT_CPU, 1, 2, 2},
      {"perf:dram-0", COMPONENT_MEMORY, 0, 0, 3},
      {"perf:dram-1", COMPONENT_MEMORY, 1, 2, 3}},
     {{"perf:energy-cores", "inside its package"},
      {"perf:energy-gpu", "inside its package"},
      {"perf:energy-psys", "contains the packages"}}},
    {"AMD", "AuthenticAMD", "1,3",
     {"energy-pkg"},
     {{"perf:package-0", COMPONENT_CPU, 0, 1, 2}, {"perf:package-1", COMPONENT_CPU, 1, 3, 2}},
     {{NULL, NULL}}},
    {"dies of Intel add up", "GenuineIntel", "0-3",
     {"energy-pkg"},
     {{"perf:package-0", COMPONENT_CPU, 0, 0, 2},
      {"perf:package-0-die-1", COMPONENT_CPU, 0, 1, 2},
      {"perf:package-1", COMPONENT_CPU, 1, 2, 2},
      {"perf:package-1-die-1", COMPONENT_CPU, 1, 3, 2}},
     {{NULL, NULL}}},
    {"complexes of AMD repeat their package", "AuthenticAMD", "0-3",
     {"energy-pkg"},
     {{"perf:package-0", COMPONENT_CPU, 0, 0, 2}, {"perf:package-1", COMPONENT_CPU, 1, 2, 2}},
     {{"perf:package-0-die-1", "repeats"}, {"perf:package-1-die-1", "repeats"}}},
    {"a CPU that hwloc does not know", "GenuineIntel", "0,77",
     {"energy-pkg"},
     {{"perf:package-0", COMPONENT_CPU, 0, 0, 2}},
     {{"perf:package-of-cpu-77", "hwloc"}}},
};

static const char *event_text(const char *name)
{
    static const char *const texts[][2] = {
        {"energy-cores", "event=0x01"}, {"energy-pkg", "event=0x02"}, {"energy-ram", "event=0x03"},
        {"energy-gpu", "event=0x04"},   {"energy-psys", "event=0x05"},
    };

    for (size_t i = 0; i < COUNT(texts); i++)
        if (strcmp(texts[i][0], name) == 0)
            return texts[i][1];
    fail_msg("no event %s", name);
    return NULL;
}

static void check_node(struct board_rig *rig, const struct node_case *node)
{
    const struct sensor_left_out *list;
    size_t counted = 0, left_out = 0;

    print_message("  %s\n", node->name);
    add_cpuinfo(rig, node->vendor);
    add_pmu(rig, node->cpumask);
    for (size_t i = 0; i < COUNT(node->events) && node->events[i]; i++)
        add_event(rig, node->events[i], event_text(node->events[i]), SCALE);
    board_rig_open(rig, "perf");
    for (; counted < ITEMS && node->counted[counted].source; counted++) {
        board_rig_expect_counter(rig, counted, node->counted[counted].source,
                                 node->counted[counted].component, node->counted[counted].domain);
        assert_true(sensors_counter(rig->sensors, counted)->fresh);
        assert_int_equal(perf_kernel.events[counted].type, 25);
        assert_int_equal(perf_kernel.events[counted].cpu, node->counted[counted].cpu);
        assert_int_equal(perf_kernel.events[counted].config, node->counted[counted].config);
    }
    for (; left_out < ITEMS && node->left_out[left_out].source; left_out++)
        board_rig_expect_left_out(rig, node->left_out[left_out].source,
                                  node->left_out[left_out].reason);
    assert_int_equal(sensors_count(rig->sensors), counted);
    assert_int_equal(perf_kernel.count, counted); /* what never counts is not opened */
    assert_int_equal(sensors_left_out(rig->sensors, &list), left_out);
    board_rig_close(rig);
    perf_kernel_forget();
    tree_remove(&rig->tree, "sys/bus");
}

static void test_each_joule_of_a_package_counts_once(void **state)
{
    for (size_t i = 0; i < COUNT(node_cases); i++)
        check_node(*state, &node_cases[i]);
}

static void test_powercap_comes_first_and_nothing_stays_open(void **state)
{
    struct board_rig *rig = *state;

    add_cpuinfo(rig, "GenuineIntel");
    add_pmu(rig, "0,2");
    add_event(rig, "energy-pkg", "event=0x02", SCALE);
    tree_write(&rig->tree, "sys/class/powercap/intel-rapl:0/name", "package-0\n");
    tree_write(&rig->tree, "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
               "262143328850\n");
    tree_write(&rig->tree, "sys/class/powercap/intel-rapl:0/energy_uj", "1\n");
    board_rig_open(rig, "powercap,perf");
    assert_int_equal(sensors_count(rig->sensors), 2);
    board_rig_expect_counter(rig, 1, "perf:package-1", COMPONENT_CPU, 1);
    board_rig_expect_left_out(rig, "perf:package-0", "powercap counts");
}

static const struct {
    const char *model, *release;
    bool counts;
} rapids_cases[] = {
    {"143", "6.1.0-18-amd64\n", true},
    {"143", "6.10.3\n", true},
    {"207", "10.0.0\n", true},
    {"143", "7.0-rc1\n", true},
    {"143", "6.0.19\n", false},
    {"143", "5.14.0-427.13.1.el9_4.x86_64\n", false},
    {"207", "5.15.0\n", false},
    {"143", "\n", false},
    {"143", "6\n", false},
    {"143", "6.\n", false},
    {"143", "six.one\n", false},
    {"143", NULL, false},
    {"106", "5.14.0\n", true}, /* Ice Lake counts in the old unit itself */
};

static void test_memory_in_a_unit_that_may_be_wrong_is_left_out(void **state)
{
    struct board_rig *rig = *state;

    add_pmu(rig, "0,2");
    add_event(rig, "energy-pkg", "event=0x02", SCALE);
    add_event(rig, "energy-ram", "event=0x03", SCALE);
    for (size_t i = 0; i < COUNT(rapids_cases); i++) {
        print_message("  %s on %s", rapids_cases[i].model,
                      rapids_cases[i].release ? rapids_cases[i].release : "no release\n");
        tree_write(&rig->tree, "proc/cpuinfo",
                   "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: %s\n",
                   rapids_cases[i].model);
        if (rapids_cases[i].release)
            tree_write(&rig->tree, "proc/sys/kernel/osrelease", "%s", rapids_cases[i].release);
        else
            tree_remove(&rig->tree, "proc/sys/kernel/osrelease");
        board_rig_open(rig, "perf");
        assert_int_equal(sensors_count(rig->sensors), rapids_cases[i].counts ? 4 : 2);
        board_rig_expect_counter(rig, 1, "perf:package-1", COMPONENT_CPU, 1);
        if (!rapids_cases[i].counts)
            board_rig_expect_left_out(rig, "perf:energy-ram", "before 6.1");
        board_rig_close(rig);
        perf_kernel_forget();
    }
}

struct refused_case {
    const char *file, *text; /* written over the PMU's; NULL text: removed */
    bool copied;
    int open_errno;
    const char *reason;
};

static const struct refused_case refused_cases[] = {
    {"", NULL, false, 0, "load the kernel's module rapl"},
    {NULL, NULL, true, 0, "is a copy"},
    {NULL, NULL, false, EACCES, "CAP_PERFMON"},
    {NULL, NULL, false, EPERM, "kernel.perf_event_paranoid"},
    {NULL, NULL, false, ENODEV, "No such device"},
    {"/events/energy-pkg", NULL, false, 0, "no event"},
    {"/events/energy-pkg.scale", "1e-9", false, 0, "2^-32 J"},
    {"/events/energy-pkg.scale", NULL, false, 0, "2^-32 J"},
    {"/events/energy-pkg", "event=2", false, 0, "no reading"},
    {"/events/energy-pkg", "event=0x02,umask=0x1", false, 0, "no reading"},
    {"/events/energy-pkg", "event=0xg2", false, 0, "no reading"},
    {"/events/power-pkg", "event=0x01", false, 0, "power, not energy"},
    {"/type", "x\n", false, 0, "power/type"},
    {"/type", NULL, false, 0, "power/type"},
    {"/cpumask", "\n", false, 0, "power/cpumask"},
    {"/cpumask", "0-\n", false, 0, "power/cpumask"},
    {"/cpumask", NULL, false, 0, "power/cpumask"},
};

static void test_what_cannot_be_used_is_told_why(void **state)
{
    struct board_rig *rig = *state;

    add_cpuinfo(rig, "GenuineIntel");
    for (size_t i = 0; i < COUNT(refused_cases); i++) {
        const struct refused_case *refused = &refused_cases[i];
        char path[128];

        add_pmu(rig, "0,2");
        add_event(rig, "energy-pkg", "event=0x02", SCALE);
        snprintf(path, sizeof(path), PMU "%s", refused->file ? refused->file : "");
        if (refused->file && refused->text)
            tree_write(&rig->tree, path, "%s", refused->text);
        else if (refused->file)
            tree_remove(&rig->tree, path);
        perf_kernel.sysfs = !refused->copied;
        perf_kernel.open_errno = refused->open_errno;
        board_rig_refuse(rig, "perf", -ENODEV, refused->reason);
        assert_int_equal(perf_kernel.count, 0);
        tree_remove(&rig->tree, "sys/bus");
    }
}

/* --- readings --- */

static void open_two(struct board_rig *rig)
{
    add_cpuinfo(rig, "GenuineIntel");
    add_pmu(rig, "0,2");
    add_event(rig, "energy-pkg", "event=0x02", SCALE);
    board_rig_open(rig, "perf");
    assert_int_equal(sensors_count(rig->sensors), 2);
}

static void test_counts_become_microjoules_exactly(void **state)
{
    static const struct {
        uint64_t count, raw_uj;
    } cases[] = {
        {0, 0},
        {4294, 0},                        /* 0.99979 uJ */
        {4295, 1},                        /* 1.00002 uJ */
        {UINT64_C(1) << 18, 61},          /* one unit of most Intel processors */
        {UINT64_C(1) << 32, 1000000},
        {UINT64_C(3) << 31, 1500000},
        {UINT64_C(1) << 60, UINT64_C(268435456000000)},
        {UINT64_MAX, UINT64_C(4294967295999999)},
        {5, 0},                           /* back: told as it is */
    };
    struct board_rig *rig = *state;

    open_two(rig);
    for (size_t i = 0; i < COUNT(cases); i++) {
        perf_kernel_set_count(1, cases[i].count);
        board_rig_expect(rig, 1, cases[i].raw_uj);
    }
}

static void test_failed_reading_is_an_error_and_passes(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42, count = UINT64_C(5) << 32;
    struct sensor_slot *slot;
    int dir, kept;

    open_two(rig);
    slot = &rig->sensors->slots[0];
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EAGAIN); /* an empty pipe */
    assert_int_equal(write(perf_kernel.events[0].in, &count, 3), 3);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EBADMSG);
    dir = openat(rig->tree.fd, PMU, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kept = slot->fd;
    slot->fd = dir;
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EISDIR);
    slot->fd = kept;
    close(dir);
    assert_int_equal(raw_uj, 42);
    perf_kernel_set_count(0, count);
    board_rig_expect(rig, 0, 5000000);
}

static void test_event_that_ended_is_opened_anew(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    open_two(rig);
    perf_kernel_set_count(0, UINT64_C(9) << 32);
    board_rig_expect(rig, 0, 9000000);
    perf_kernel_end_event(0);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    board_rig_pass_ms(4999); /* it is not tried at every tick */
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    assert_int_equal(perf_kernel.count, 2);
    board_rig_pass_ms(1);
    perf_kernel.open_errno = ENODEV;
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    perf_kernel.open_errno = 0;
    board_rig_pass_ms(5000);
    perf_kernel.sysfs = false; /* it is the machine's no more */
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    perf_kernel.sysfs = true;
    board_rig_pass_ms(5000);
    tree_write(&rig->tree, PMU "/type", "31\n");
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EAGAIN); /* open, an empty pipe */
    assert_int_equal(raw_uj, 42);
    assert_int_equal(perf_kernel.count, 3);
    assert_int_equal(perf_kernel.events[2].type, 31);
    assert_int_equal(perf_kernel.events[2].cpu, 0);
    assert_int_equal(perf_kernel.events[2].config, 2);
    perf_kernel_set_count(2, UINT64_C(1) << 32);
    board_rig_expect(rig, 0, 1000000);
    perf_kernel_set_count(1, UINT64_C(7) << 32);
    board_rig_expect(rig, 1, 7000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_joule_of_a_package_counts_once),
        TEST(test_powercap_comes_first_and_nothing_stays_open),
        TEST(test_memory_in_a_unit_that_may_be_wrong_is_left_out),
        TEST(test_what_cannot_be_used_is_told_why),
        TEST(test_counts_become_microjoules_exactly),
        TEST(test_failed_reading_is_an_error_and_passes),
        TEST(test_event_that_ended_is_opened_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
