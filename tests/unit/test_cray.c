/* The pm_counters of Cray nodes: what each counts as, whose it is, and what is old or broken. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "board_rig.h"
#include "core/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DIR "sys/cray/pm_counters"
#define J UINT64_C(1000000)
#define ITEMS 12

static void set_file(struct board_rig *rig, const char *file, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), DIR "/%s", file);
    tree_remove(&rig->tree, path);
    if (text)
        tree_write(&rig->tree, path, "%s", text);
}

/* One refresh later: `freshness` has moved. */
static void refresh(struct board_rig *rig)
{
    static unsigned freshness = 60043284;
    char text[32];

    freshness += 10;
    snprintf(text, sizeof(text), "%u\n", freshness);
    set_file(rig, "freshness", text);
    board_rig_pass_ms(1000);
}

static void add_pci(struct board_rig *rig, unsigned number, const char *vendor, const char *device)
{
    char path[128];

    snprintf(path, sizeof(path), "sys/bus/pci/devices/0000:%02x:00.0/class", number);
    tree_write(&rig->tree, path, "0x038000\n");
    snprintf(path, sizeof(path), "sys/bus/pci/devices/0000:%02x:00.0/vendor", number);
    tree_write(&rig->tree, path, "%s\n", vendor);
    snprintf(path, sizeof(path), "sys/bus/pci/devices/0000:%02x:00.0/device", number);
    tree_write(&rig->tree, path, "%s\n", device);
}

/* --- what counts --- */

struct node_case {
    const char *name;
    int packages;
    struct {
        const char *file, *text;
    } files[ITEMS];
    struct {
        const char *vendor, *device;
    } pci[ITEMS];
    bool arm;
    struct {
        const char *source;
        enum component component;
        unsigned domain;
        uint64_t raw_uj;
    } counted[ITEMS];
    struct {
        const char *source, *reason;
    } left_out[ITEMS];
};

static const struct node_case node_cases[] = {
    {.name = "processors alone, before version 3",
     .packages = 2,
     .files = {{"energy", "1000 J\n"}, {"cpu_energy", "601 J\n"}, {"memory_energy", "103 J\n"},
               {"cpu0_temp", "42 C\n"}, {"power", "180 W\n"}},
     .counted = {{"cray:cpu/0", COMPONENT_CPU, 0, 300500000},
                 {"cray:cpu/1", COMPONENT_CPU, 1, 300500000},
                 {"cray:memory/0", COMPONENT_MEMORY, 0, 51500000},
                 {"cray:memory/1", COMPONENT_MEMORY, 1, 51500000},
                 {"cray:node", COMPONENT_OTHER, 0, 1000 * J}}},
    {.name = "one processor, four GPUs, one of each per accelerator",
     .packages = 1,
     .files = {{"energy", "12044825101 J 7810213855886 us\n"},
               {"cpu_energy", "139431088 J 7810213855886 us\n"},
               {"cpu0_energy", "0 J 7810213855886 us\n"},
               {"memory_energy", "104283458 J 7810213855886 us\n"},
               {"accel0_energy", "10 J 7810213855886 us\n"},
               {"accel1_energy", "11 J 7810213855886 us\n"},
               {"accel0_power", "212 W 7810213855886 us\n"},
               {"capped_energy", "12752953 J 7810213855886 us\n"},
               {"overshoot_energy", "3951201 J 7810213855886 us\n"}},
     .pci = {{"0x10de", "0x20b0"}, {"0x10de", "0x20b0"}, {"0x1002", "0x1479"},
             {"0x8086", "0x7408"}},
     .counted = {{"cray:cpu", COMPONENT_CPU, 0, 139431088 * J},
                 {"cray:memory", COMPONENT_MEMORY, 0, 104283458 * J},
                 {"cray:accel0", COMPONENT_GPU, 0, 10 * J},
                 {"cray:accel1", COMPONENT_GPU, 1, 11 * J},
                 {"cray:node", COMPONENT_OTHER, 0, 12044825101 * J}}},
    {.name = "MI250X: two dies to an accelerator",
     .packages = 1,
     .files = {{"energy", "5 J 1 us\n"}, {"accel0_energy", "101 J 1 us\n"},
               {"accel1_energy", "201 J 1 us\n"}},
     .pci = {{"0x1002", "0x7408"}, {"0x1002", "0x7408"}, {"0x1002", "0x740c"},
             {"0x1002", "0x740c"}},
     .counted = {{"cray:accel0/0", COMPONENT_GPU, 0, 50500000},
                 {"cray:accel0/1", COMPONENT_GPU, 1, 50500000},
                 {"cray:accel1/0", COMPONENT_GPU, 2, 100500000},
                 {"cray:accel1/1", COMPONENT_GPU, 3, 100500000},
                 {"cray:node", COMPONENT_OTHER, 0, 5 * J}}},
    {.name = "MI250X with a die that is not there",
     .packages = 1,
     .files = {{"energy", "5 J 1 us\n"}, {"accel0_energy", "101 J 1 us\n"},
               {"accel1_energy", "201 J 1 us\n"}},
     .pci = {{"0x1002", "0x7408"}, {"0x1002", "0x7408"}, {"0x1002", "0x7408"}},
     .counted = {{"cray:node", COMPONENT_OTHER, 0, 5 * J}},
     .left_out = {{"cray:accel0", "not known"}, {"cray:accel1", "not known"}}},
    {.name = "a GH200 node: each processor has its own",
     .packages = 2,
     .files = {{"energy", "9 J 1 us\n"}, {"cpu_energy", "7 J 1 us\n"},
               {"cpu0_energy", "3 J 1 us\n"}, {"cpu1_energy", "4 J 1 us\n"},
               {"accel0_energy", "1 J 1 us\n"}, {"accel1_energy", "2 J 1 us\n"},
               {"memory_energy", "1 J 1 us\n"}},
     .pci = {{"0x10de", "0x2342"}, {"0x10de", "0x2342"}},
     .arm = true,
     .counted = {{"cray:cpu0", COMPONENT_CPU, 0, 3 * J},
                 {"cray:cpu1", COMPONENT_CPU, 1, 4 * J},
                 {"cray:node", COMPONENT_OTHER, 0, 9 * J}},
     .left_out = {{"cray:accel0", "processor"}, {"cray:accel1", "processor"},
                  {"cray:memory", "Grace"}}},
    {.name = "MI300A: the accelerator is the processor as well",
     .packages = 2,
     .files = {{"energy", "9 J 1 us\n"}, {"accel0_energy", "1 J 1 us\n"},
               {"accel1_energy", "2 J 1 us\n"}},
     .pci = {{"0x1002", "0x74a0"}, {"0x1002", "0x74a0"}},
     .counted = {{"cray:node", COMPONENT_OTHER, 0, 9 * J}},
     .left_out = {{"cray:accel0", "processor"}, {"cray:accel1", "processor"}}},
    {.name = "parts that the node lacks are at 0 J",
     .packages = 1,
     .files = {{"energy", "9 J 1 us\n"}, {"cpu_energy", "0 J 1 us\n"},
               {"accel0_energy", "0 J 0 us\n"}, {"accel1_energy", "0 J 0 us\n"}},
     .counted = {{"cray:node", COMPONENT_OTHER, 0, 9 * J}},
     .left_out = {{"cray:cpu", "0 J"}, {"cray:accel0", "0 J"}}},
    {.name = "what cannot be read is left out, and the rest counts",
     .packages = 2,
     .files = {{"energy", "9 J 1 us\n"}, {"cpu_energy", "9 kJ 1 us\n"}, {"memory_energy", ""},
               {"cpu0_energy", "5 J 1 us\n"}},
     .counted = {{"cray:node", COMPONENT_OTHER, 0, 9 * J}},
     .left_out = {{"cray:cpu", "no reading"}, {"cray:memory", "no reading"}}},
};

static void check_node(struct board_rig *rig, const struct node_case *node)
{
    const struct machine machine = {
        .packages = node->packages, .cores = 2, .threads = 1, .memory_mb = 64};
    const struct sensor_left_out *list;
    size_t counted = 0, left_out = 0;

    print_message("  %s\n", node->name);
    board_rig_machine(rig, &machine);
    for (size_t i = 0; i < ITEMS && node->files[i].file; i++)
        set_file(rig, node->files[i].file, node->files[i].text);
    for (unsigned i = 0; i < ITEMS && node->pci[i].vendor; i++)
        add_pci(rig, i, node->pci[i].vendor, node->pci[i].device);
    if (node->arm)
        tree_write(&rig->tree, "sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
                   "0x00000000410fd4f0\n");
    board_rig_open(rig, "cray");
    for (; counted < ITEMS && node->counted[counted].source; counted++) {
        board_rig_expect_counter(rig, counted, node->counted[counted].source,
                                 node->counted[counted].component, node->counted[counted].domain);
        assert_false(sensors_counter(rig->sensors, counted)->fresh);
        board_rig_expect(rig, counted, node->counted[counted].raw_uj);
    }
    for (; left_out < ITEMS && node->left_out[left_out].source; left_out++)
        board_rig_expect_left_out(rig, node->left_out[left_out].source,
                                  node->left_out[left_out].reason);
    assert_int_equal(sensors_count(rig->sensors), counted);
    assert_int_equal(sensors_left_out(rig->sensors, &list), left_out);
    tree_remove(&rig->tree, "sys/cray");
    tree_remove(&rig->tree, "sys/bus");
}

static void test_each_counter_counts_as_what_it_is(void **state)
{
    for (size_t i = 0; i < COUNT(node_cases); i++)
        check_node(*state, &node_cases[i]);
}

static void test_other_nodes_are_told_that_it_is_nothing_for_them(void **state)
{
    struct board_rig *rig = *state;

    board_rig_refuse(rig, "cray", -ENODEV, "HPE Cray");
    tree_mkdir(&rig->tree, DIR);
    board_rig_refuse(rig, "cray", -ENODEV, "no counter");
}

/* The shares of a counter stay together: rounding never adds up. */
static void test_shares_never_exceed_their_counter(void **state)
{
    const struct machine three = {.packages = 3, .cores = 1, .threads = 1, .memory_mb = 64};
    struct board_rig *rig = *state;
    char text[32];

    board_rig_machine(rig, &three);
    set_file(rig, "cpu_energy", "1 J\n");
    board_rig_open(rig, "cray");
    for (uint64_t energy_j = 0; energy_j < 100; energy_j++) {
        uint64_t sum_uj = 0, raw_uj;

        snprintf(text, sizeof(text), "%" PRIu64 " J\n", energy_j);
        set_file(rig, "cpu_energy", text);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(board_rig_read(rig, i, &raw_uj), 0);
            sum_uj += raw_uj;
        }
        assert_in_range(sum_uj, energy_j ? energy_j * J - 2 : 0, energy_j * J);
    }
}

/* --- readings --- */

static void open_node(struct board_rig *rig)
{
    set_file(rig, "energy", "1000 J 5 us\n");
    refresh(rig);
    board_rig_open(rig, "cray");
    board_rig_expect(rig, 0, 1000 * J);
}

static void test_failed_reading_is_an_error_and_passes(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", -EBADMSG},
        {"\n", -EBADMSG},
        {"garbage\n", -EBADMSG},
        {"-12 J 5 us\n", -EBADMSG},
        {"12\n", -EBADMSG},
        {"12 W 5 us\n", -EBADMSG},
        {"12 kJ 5 us\n", -EBADMSG},
        {"12 Joules\n", -EBADMSG},
        {"12.5 J 5 us\n", -EBADMSG},
        {" 12 J 5 us\n", -EBADMSG},
        {"12 J 5\n", -EBADMSG},
        {"12 J x us\n", -EBADMSG},
        {"12 J 5 us more\n", -EBADMSG},
        {"18446744073709551615 J 5 us\n", -EBADMSG},
        {"1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
         "11111111111111 J\n", -EBADMSG},
        {NULL, -ENODEV},
    };
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    open_node(rig);
    for (size_t i = 0; i < COUNT(cases); i++) {
        refresh(rig);
        set_file(rig, "energy", cases[i].text);
        assert_int_equal(board_rig_read(rig, 0, &raw_uj), cases[i].code);
        assert_int_equal(raw_uj, 42);
        set_file(rig, "energy", "1001 J 6 us\n");
        board_rig_expect(rig, 0, 1001 * J);
    }
}

static void test_failing_file_is_an_error_and_passes(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    open_node(rig);
    refresh(rig);
    set_file(rig, "energy", NULL);
    tree_link(&rig->tree, DIR "/energy", "/proc/self/mem"); /* at 0 nothing is mapped */
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EIO);
    set_file(rig, "energy", "1001 J 6 us\n");
    assert_int_equal(fchmodat(rig->tree.fd, DIR "/energy", 0, 0), 0);
    board_rig_become_nobody();
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EACCES);
    board_rig_become_self();
    tree_remove(&rig->tree, "sys/cray");
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    assert_int_equal(raw_uj, 42);
    set_file(rig, "energy", "1002 J 7 us\n");
    refresh(rig);
    board_rig_expect(rig, 0, 1002 * J);
}

/* Steps back, spikes and resets are the ledger's to judge: they are told as they are. */
static void test_raw_values_are_told_as_they_are(void **state)
{
    static const struct {
        const char *generation, *startup, *text;
        uint64_t energy_j;
    } cases[] = {
        {"16", "1778580757634187", "1000 J 1 us\n", 1000},
        {"17", "1778580757634187", "1100 J 2 us\n", 1100},   /* a power cap was set: no reset */
        {"17", "1778580757634187", "1100000 J 3 us\n", 1100000},
        {"17", "1778580757634187", "1200 J 4 us\n", 1200},
        {"0", "1778590000000000", "3 J 5 us\n", 3},          /* the controller began anew */
    };
    struct board_rig *rig = *state;

    open_node(rig);
    for (size_t i = 0; i < COUNT(cases); i++) {
        refresh(rig);
        set_file(rig, "generation", cases[i].generation);
        set_file(rig, "startup", cases[i].startup);
        set_file(rig, "energy", cases[i].text);
        board_rig_expect(rig, 0, cases[i].energy_j * J);
    }
}

static void test_what_is_not_refreshed_is_stale(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    open_node(rig);
    refresh(rig);
    board_rig_expect(rig, 0, 1000 * J);
    board_rig_pass_ms(999);
    set_file(rig, "energy", "1001 J 6 us\n");
    board_rig_expect(rig, 0, 1001 * J);
    board_rig_pass_ms(1);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ESTALE);
    board_rig_pass_ms(3600000);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ESTALE);
    assert_int_equal(raw_uj, 42);
    set_file(rig, "freshness", "1\n"); /* it moved, if back: the controller began anew */
    board_rig_expect(rig, 0, 1001 * J);
    set_file(rig, "freshness", "nonsense\n");
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EBADMSG);
    set_file(rig, "freshness", NULL);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    set_file(rig, "freshness", "2 1700061210920464 us\n");
    board_rig_expect(rig, 0, 1001 * J);
}

static void test_without_freshness_a_counter_is_read_all_the_same(void **state)
{
    struct board_rig *rig = *state;

    set_file(rig, "energy", "1000 J 5 us\n");
    board_rig_open(rig, "cray");
    board_rig_expect(rig, 0, 1000 * J);
    board_rig_pass_ms(5000);
    board_rig_expect(rig, 0, 1000 * J);
}

/* As in the meter: the shares of a counter come from the source's own process. */
static void test_counters_are_read_in_a_process_of_their_own(void **state)
{
    struct board_rig *rig = *state;
    struct sensor_options options = {
        .root_fd = rig->tree.fd, .list = "cray", .apart = true, .topology = rig->topology};
    struct error err;
    uint64_t now_ns;

    set_file(rig, "energy", "1000 J 5 us\n");
    set_file(rig, "cpu_energy", "601 J 5 us\n");
    refresh(rig);
    assert_int_equal(sensors_open(&options, &rig->sensors, &err), 0);
    assert_int_equal(sensors_count(rig->sensors), 3);
    now_ns = clock_boottime_ns();
    sensors_ask(rig->sensors, now_ns, false);
    sensors_take(rig->sensors, now_ns, now_ns + 10 * NS_PER_S);
    for (size_t i = 0; i < 3; i++) {
        static const uint64_t expected_uj[] = {300500000, 300500000, 1000 * J};

        assert_int_equal(sensors_reading(rig->sensors, i)->code, 0);
        assert_int_equal(sensors_reading(rig->sensors, i)->raw_uj, expected_uj[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_rig_setup, board_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_counter_counts_as_what_it_is),
        TEST(test_other_nodes_are_told_that_it_is_nothing_for_them),
        TEST(test_shares_never_exceed_their_counter),
        TEST(test_failed_reading_is_an_error_and_passes),
        TEST(test_failing_file_is_an_error_and_passes),
        TEST(test_raw_values_are_told_as_they_are),
        TEST(test_what_is_not_refreshed_is_stale),
        TEST(test_without_freshness_a_counter_is_read_all_the_same),
        TEST(test_counters_are_read_in_a_process_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
