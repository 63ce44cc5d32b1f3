/* The power meters of NVIDIA Grace: which counts, how watts become joules, and what fails how. */
#include <errno.h>
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

#define HWMON "sys/class/hwmon/"
#define MAX_METERS 8

/* As Linux shows one: the class entry is a link, and the meter's files are on the ACPI device. */
static void add_meter(struct board_rig *rig, int number, const char *label, const char *power_uw)
{
    char acpi[64], path[128], target[128];

    snprintf(acpi, sizeof(acpi), "sys/devices/LNXSYSTM:00/ACPI000D:%02d", number);
    snprintf(path, sizeof(path), "%s/name", acpi);
    tree_write(&rig->tree, path, "power_meter\n");
    snprintf(path, sizeof(path), "%s/power1_oem_info", acpi);
    tree_write(&rig->tree, path, "%s\n", label);
    snprintf(path, sizeof(path), "%s/power1_average", acpi);
    tree_write(&rig->tree, path, "%s", power_uw);
    snprintf(path, sizeof(path), "%s/power1_average_interval", acpi);
    tree_write(&rig->tree, path, "50\n");
    snprintf(path, sizeof(path), "%s/hwmon/hwmon%d/device", acpi, number);
    snprintf(target, sizeof(target), "../../../ACPI000D:%02d", number);
    tree_link(&rig->tree, path, target);
    snprintf(path, sizeof(path), HWMON "hwmon%d", number);
    snprintf(target, sizeof(target), "../../devices/LNXSYSTM:00/ACPI000D:%02d/hwmon/hwmon%d",
             number, number);
    tree_link(&rig->tree, path, target);
}

static void set_power(struct board_rig *rig, int number, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), HWMON "hwmon%d/device/power1_average", number);
    tree_remove(&rig->tree, path);
    tree_write(&rig->tree, path, "%s", text);
}

static void remove_meter(struct board_rig *rig, int number)
{
    char path[128];

    snprintf(path, sizeof(path), HWMON "hwmon%d", number);
    tree_remove(&rig->tree, path);
    snprintf(path, sizeof(path), "sys/devices/LNXSYSTM:00/ACPI000D:%02d", number);
    tree_remove(&rig->tree, path);
}

/* --- which counts --- */

struct node_case {
    const char *name;
    int packages, first_package_os;
    const char *labels[MAX_METERS];
    struct {
        const char *source;
        enum component component;
        unsigned domain;
    } counted[MAX_METERS];
    struct {
        const char *source, *reason;
    } left_out[MAX_METERS];
};

static const struct node_case node_cases[] = {
    {"Grace Hopper", 1, -1,
     {"Module Power Socket 0", "Grace Power Socket 0", "CPU Power Socket 0",
      "SysIO Power Socket 0"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:module-socket-0", "its GPU"},
      {"grace:cpu-socket-0", "inside the Grace socket"},
      {"grace:sysio-socket-0", "inside the Grace socket"}}},
    {"Grace superchip: two sockets, CPU rails first", 2, 0,
     {"CPU Power Socket 1", "CPU Power Socket 0", "Grace Power Socket 1", "Grace Power Socket 0"},
     {{"grace:grace-socket-1", COMPONENT_CPU, 1}, {"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:cpu-socket-0", "inside"}, {"grace:cpu-socket-1", "inside"}}},
    {"package ids that are no socket numbers", 2, 36,
     {"Grace Power Socket 0", "Grace Power Socket 1"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}, {"grace:grace-socket-1", COMPONENT_CPU, 1}},
     {{NULL, NULL}}},
    {"package ids of which one looks like a socket: all by their order", 2, 1,
     {"Grace Power Socket 0", "Grace Power Socket 1"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}, {"grace:grace-socket-1", COMPONENT_CPU, 1}},
     {{NULL, NULL}}},
    {"a socket that hwloc does not know", 2, 0,
     {"Grace Power Socket 0", "Grace Power Socket 2"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:grace-socket-2", "hwloc"}}},
    {"the CPU rail alone is the package", 1, 0,
     {"CPU Power Socket 0", "SysIO Power Socket 0"},
     {{"grace:cpu-socket-0", COMPONENT_CPU, 0}},
     {{"grace:sysio-socket-0", "inside"}}},
    {"memory beside the CPU rail counts", 1, 0,
     {"CPU Power Socket 0", "DRAM Power Socket 0"},
     {{"grace:cpu-socket-0", COMPONENT_CPU, 0}, {"grace:dram-socket-0", COMPONENT_MEMORY, 0}},
     {{NULL, NULL}}},
    {"memory inside Grace's meter does not", 1, 0,
     {"DRAM Power Socket 0", "Grace Power Socket 0"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:dram-socket-0", "inside the Grace socket"}}},
    {"a label twice", 2, 0,
     {"Grace Power Socket 0", "Grace Power Socket 0"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:hwmon1", "same label"}}},
    {"meters of other firmware, in who knows which unit", 1, 0,
     {"Grace Power Socket 0", "Total Power in uW socket 0", "Total CPU Energy In uJ socket 0",
      "Grace Power Socket 0x1", "Some server's input"},
     {{"grace:grace-socket-0", COMPONENT_CPU, 0}},
     {{"grace:hwmon1", "unknown"}, {"grace:hwmon2", "unknown"}}},
};

static void check_node(struct board_rig *rig, const struct node_case *node)
{
    const struct machine machine = {.packages = node->packages, .cores = 2, .threads = 1,
                                    .first_package_os = node->first_package_os, .memory_mb = 64};
    const struct sensor_left_out *list;
    size_t counted = 0, left_out = 0;

    print_message("  %s\n", node->name);
    board_rig_machine(rig, &machine);
    for (int i = 0; i < MAX_METERS && node->labels[i]; i++)
        add_meter(rig, i, node->labels[i], "123456000\n");
    board_rig_open(rig, "grace");
    for (; counted < MAX_METERS && node->counted[counted].source; counted++) {
        board_rig_expect_counter(rig, counted, node->counted[counted].source,
                                 node->counted[counted].component, node->counted[counted].domain);
        assert_true(sensors_counter(rig->sensors, counted)->fresh);
    }
    for (; left_out < MAX_METERS && node->left_out[left_out].source; left_out++)
        board_rig_expect_left_out(rig, node->left_out[left_out].source,
                                  node->left_out[left_out].reason);
    assert_int_equal(sensors_count(rig->sensors), counted);
    assert_int_equal(sensors_left_out(rig->sensors, &list), left_out);
    for (int i = 0; i < MAX_METERS && node->labels[i]; i++)
        remove_meter(rig, i);
}

static void test_each_joule_of_a_socket_counts_once(void **state)
{
    for (size_t i = 0; i < COUNT(node_cases); i++)
        check_node(*state, &node_cases[i]);
}

static void test_meter_says_what_it_is(void **state)
{
    struct board_rig *rig = *state;

    add_meter(rig, 3, "Grace Power Socket 1", "90000000\n");
    board_rig_open(rig, "grace");
    assert_string_equal(sensors_counter(rig->sensors, 0)->device,
                        "Grace Power Socket 1, mean of 50 ms");
    assert_string_equal(sensors_counter(rig->sensors, 0)->sensor, "grace");
}

static void test_files_in_the_class_directory_itself_are_found(void **state)
{
    struct board_rig *rig = *state;

    tree_write(&rig->tree, HWMON "hwmon12/name", "power_meter\n");
    tree_write(&rig->tree, HWMON "hwmon12/power1_oem_info", "Grace Power Socket 1\n");
    tree_write(&rig->tree, HWMON "hwmon12/power1_average", "1000000\n");
    tree_write(&rig->tree, HWMON "hwmon2/name", "amdgpu\n");
    tree_write(&rig->tree, HWMON "hwmon2/power1_oem_info", "Grace Power Socket 0\n");
    board_rig_open(rig, "grace");
    assert_int_equal(sensors_count(rig->sensors), 1);
    board_rig_expect_counter(rig, 0, "grace:grace-socket-1", COMPONENT_CPU, 1);
    board_rig_expect(rig, 0, 0);
}

static void test_node_without_such_meters_is_told_what_to_do(void **state)
{
    struct board_rig *rig = *state;

    board_rig_refuse(rig, "grace", -ENODEV, "acpi_power_meter");
    add_meter(rig, 0, "A server's input", "300000000\n");
    board_rig_refuse(rig, "grace", -ENODEV, "acpi_power_meter");
    add_meter(rig, 1, "SysIO Power Socket 0", "300000000\n");
    board_rig_refuse(rig, "grace", -ENODEV, "none of the 1 power meters");
    add_meter(rig, 2, "Grace Power Socket 0", "broken\n");
    board_rig_refuse(rig, "grace", -ENODEV, "none of the 2 power meters");
    tree_remove(&rig->tree, "sys/class/hwmon");
    tree_write(&rig->tree, "sys/class/hwmon", "a file\n");
    board_rig_refuse(rig, "grace", -ENODEV, "hwmon");
}

/* Another source may then count the package. */
static void test_meter_that_cannot_be_read_at_first_is_left_out(void **state)
{
    struct board_rig *rig = *state;

    add_meter(rig, 0, "Grace Power Socket 0", "4294967295000\n");
    add_meter(rig, 1, "Grace Power Socket 1", "80000000\n");
    board_rig_open(rig, "grace");
    assert_int_equal(sensors_count(rig->sensors), 1);
    board_rig_expect_left_out(rig, "grace:grace-socket-0", "no reading");
}

/* --- readings --- */

static void test_power_is_integrated_exactly(void **state)
{
    struct board_rig *rig = *state;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    board_rig_pass_ms(5000); /* before the first reading nothing is known */
    board_rig_expect(rig, 0, 0);
    board_rig_pass_ms(1000);
    set_power(rig, 0, "200000000\n");
    board_rig_expect(rig, 0, 150000000); /* (100 W + 200 W) / 2 for 1 s */
    board_rig_expect(rig, 0, 150000000); /* at the same instant */
    board_rig_pass_ms(500);
    set_power(rig, 0, "200001000\n");
    board_rig_expect(rig, 0, 250000250);
}

struct fault_case {
    const char *text;
    int code;
};

static const struct fault_case fault_cases[] = {
    {"", -EBADMSG},
    {"\n", -EBADMSG},
    {"garbage\n", -EBADMSG},
    {"-5000000\n", -EBADMSG},
    {"12.5\n", -EBADMSG},
    {"100000000 uW\n", -EBADMSG},
    {"0\n", -EBADMSG},                    /* what firmware says before its first reading */
    {"4294967295000\n", -EBADMSG},        /* 2^32 - 1 mW: not available */
    {"18446744073709550616\n", -EBADMSG}, /* 2^64 - 1 mW, in the arithmetic of old kernels */
    {"99999999999999999999999999999999999999999\n", -EBADMSG},
};

static void test_failed_reading_is_an_error_and_passes(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42, expected_uj = 0;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    board_rig_expect(rig, 0, 0);
    for (size_t i = 0; i < COUNT(fault_cases); i++) {
        set_power(rig, 0, fault_cases[i].text);
        board_rig_pass_ms(1000);
        assert_int_equal(board_rig_read(rig, 0, &raw_uj), fault_cases[i].code);
        assert_int_equal(raw_uj, 42);
        set_power(rig, 0, "100000000\n");
        board_rig_pass_ms(1000);
        expected_uj += 200000000; /* the two seconds are bridged */
        board_rig_expect(rig, 0, expected_uj);
    }
}

static void test_failing_file_is_an_error_and_passes(void **state)
{
    const char *file = HWMON "hwmon0/device/power1_average";
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    board_rig_expect(rig, 0, 0);
    tree_remove(&rig->tree, file);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    tree_link(&rig->tree, file, "/proc/self/mem"); /* at 0 nothing is mapped */
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EIO);
    tree_remove(&rig->tree, file);
    tree_mkdir(&rig->tree, file);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EISDIR);
    tree_remove(&rig->tree, file);
    tree_write(&rig->tree, file, "100000000\n");
    assert_int_equal(fchmodat(rig->tree.fd, file, 0, 0), 0);
    board_rig_become_nobody();
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EACCES);
    board_rig_become_self();
    assert_int_equal(raw_uj, 42);
    assert_int_equal(fchmodat(rig->tree.fd, file, 0444, 0), 0);
    board_rig_pass_ms(1000);
    board_rig_expect(rig, 0, 100000000);
}

/* The ledger does not believe it; what matters here is that it is over when it is over. */
static void test_spike_is_told_and_does_not_last(void **state)
{
    struct board_rig *rig = *state;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    board_rig_expect(rig, 0, 0);
    board_rig_pass_ms(1000);
    set_power(rig, 0, "100000000000\n");
    board_rig_expect(rig, 0, 50050000000);
    assert_true(50050000000 > sensors_counter(rig->sensors, 0)->max_uw);
    board_rig_pass_ms(1000);
    set_power(rig, 0, "100000000\n");
    board_rig_expect(rig, 0, 100100000000);
    board_rig_pass_ms(1000);
    board_rig_expect(rig, 0, 100200000000);
}

static void test_meter_that_stands_still_is_stale_and_begins_anew(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    for (int second = 0; second < 60; second++) {
        board_rig_expect(rig, 0, (uint64_t)second * 100000000);
        board_rig_pass_ms(1000);
    }
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ESTALE);
    board_rig_pass_ms(60000);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ESTALE);
    assert_int_equal(raw_uj, 42);
    set_power(rig, 0, "100001000\n");
    board_rig_expect(rig, 0, 0); /* nobody knows what was drawn: the counter is reset */
}

static void test_failure_is_not_counted_as_standing_still(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj;

    add_meter(rig, 0, "Grace Power Socket 0", "100000000\n");
    board_rig_open(rig, "grace");
    board_rig_expect(rig, 0, 0);
    board_rig_pass_ms(59000);
    set_power(rig, 0, "broken\n");
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -EBADMSG);
    board_rig_pass_ms(59000);
    set_power(rig, 0, "100000000\n");
    board_rig_expect(rig, 0, 0); /* too long a stretch to bridge */
}

static void test_meter_is_taken_up_again_when_it_is_the_same(void **state)
{
    struct board_rig *rig = *state;
    uint64_t raw_uj = 42;

    add_meter(rig, 1, "Grace Power Socket 0", "100000000\n");
    add_meter(rig, 2, "CPU Power Socket 0", "50000000\n");
    board_rig_open(rig, "grace");
    board_rig_expect(rig, 0, 0);
    /* the driver is loaded anew: numbers are dealt anew */
    remove_meter(rig, 1);
    remove_meter(rig, 2);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    add_meter(rig, 1, "CPU Power Socket 0", "50000000\n");
    board_rig_pass_ms(5000);
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    add_meter(rig, 7, "Grace Power Socket 0", "100000000\n");
    board_rig_pass_ms(4999); /* it is not looked for at every tick */
    assert_int_equal(board_rig_read(rig, 0, &raw_uj), -ENODEV);
    assert_int_equal(raw_uj, 42);
    board_rig_pass_ms(1);
    board_rig_expect(rig, 0, 1000000000); /* ten seconds, bridged */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_rig_setup, board_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_joule_of_a_socket_counts_once),
        TEST(test_meter_says_what_it_is),
        TEST(test_files_in_the_class_directory_itself_are_found),
        TEST(test_node_without_such_meters_is_told_what_to_do),
        TEST(test_meter_that_cannot_be_read_at_first_is_left_out),
        TEST(test_power_is_integrated_exactly),
        TEST(test_failed_reading_is_an_error_and_passes),
        TEST(test_failing_file_is_an_error_and_passes),
        TEST(test_spike_is_told_and_does_not_last),
        TEST(test_meter_that_stands_still_is_stale_and_begins_anew),
        TEST(test_failure_is_not_counted_as_standing_still),
        TEST(test_meter_is_taken_up_again_when_it_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
