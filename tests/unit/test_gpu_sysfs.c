/* AMD and Intel GPUs in a fake sysfs: what is found, what counts, and what failures do. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "metrics.h"
#include "sensors/pci.h"
#include "sensors/sensors.h"
#include "sensors/source.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNITS_PER_J UINT64_C(65536)
#define ONES UINT64_MAX

/* --- two packages of four CPUs, and their RAPL counters --- */

static uint16_t core_package[] = {0, 0, 1, 1};
static int32_t package_os[] = {0, 1};
static uint32_t package_cpus[] = {4, 4};
static int16_t cpu_package[] = {0, 0, 1, 1, 0, 0, 1, 1};

static const struct topology two_sockets = {
    .n_packages = 2, .n_cores = 4, .n_cpus = 8, .core_package = core_package,
    .package_os = package_os, .package_cpus = package_cpus, .cpu_package = cpu_package,
    .cpu_limit = 8, .memory_mb = 4096};

static void set_package(struct tree *tree, int package, uint64_t energy_j)
{
    char file[96];

    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%d/name", package);
    tree_write(tree, file, "package-%d\n", package);
    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%d/max_energy_range_uj", package);
    tree_write(tree, file, "65532610987\n");
    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%d/energy_uj", package);
    tree_write(tree, file, "%ju\n", (uintmax_t)energy_j * 1000000);
}

/* --- devices --- */

#define DEVICES "sys/devices/pci0000:00"

/* An attribute of the device at an address, where its driver's link leads. */
static void set(struct tree *tree, const char *address, const char *attribute, const char *text)
{
    char file[128];

    snprintf(file, sizeof(file), DEVICES "/%s/%s", address, attribute);
    tree_write(tree, file, "%s\n", text);
}

static void drop(struct tree *tree, const char *address, const char *attribute)
{
    char file[128];

    snprintf(file, sizeof(file), DEVICES "/%s/%s", address, attribute);
    tree_remove(tree, file);
}

static void add_device(struct tree *tree, const char *driver, const char *address,
                       const char *vendor, const char *device)
{
    char link[96], target[96];

    set(tree, address, "vendor", vendor);
    set(tree, address, "device", device);
    snprintf(link, sizeof(link), "sys/bus/pci/drivers/%s/%s", driver, address);
    snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", address);
    tree_link(tree, link, target);
    snprintf(link, sizeof(link), "sys/bus/pci/drivers/%s/bind", driver);
    tree_write(tree, link, "%s", "");
}

static void set_bytes(struct tree *tree, const char *address, const uint8_t *bytes, size_t size)
{
    char file[128];

    snprintf(file, sizeof(file), DEVICES "/%s/gpu_metrics", address);
    tree_write_bytes(tree, file, bytes, size);
}

static void set_metrics(struct tree *tree, const char *address, unsigned content,
                        uint64_t energy_units, unsigned power_w, unsigned partitions)
{
    const struct metrics_values values = {energy_units, (uint16_t)power_w, (uint16_t)partitions};
    uint8_t room[METRICS_ROOM];
    size_t size = content == 9 ? metrics_list_make(room, &values)
                               : metrics_make(room, metrics_find(content), &values);

    set_bytes(tree, address, room, size);
}

static void set_format(struct tree *tree, const char *address, unsigned format, unsigned content,
                       size_t size)
{
    uint8_t room[METRICS_ROOM];

    set_bytes(tree, address, room, metrics_make_other(room, format, content, size));
}

static void add_amd(struct tree *tree, const char *address, const char *device)
{
    add_device(tree, "amdgpu", address, "0x1002", device);
    set(tree, address, "hwmon/hwmon5/name", "amdgpu");
}

/* --- sensors --- */

static int try_open(struct tree *tree, const char *list, struct sensors **ret_sensors,
                    struct error *err)
{
    struct sensor_options options = {
        .root_fd = tree->fd, .list = list, .topology = &two_sockets};

    return sensors_open(&options, ret_sensors, err);
}

static struct sensors *open_sensors(struct tree *tree, const char *list)
{
    struct sensors *sensors = NULL;
    struct error err = {""};

    if (try_open(tree, list, &sensors, &err) < 0)
        fail_msg("%s", err.text);
    return sensors;
}

static void assert_gpu(const struct sensors *sensors, size_t index, const char *source,
                       unsigned domain)
{
    const struct sensor_counter *counter = sensors_counter(sensors, index);

    assert_string_equal(counter->source, source);
    assert_int_equal(counter->component, COMPONENT_GPU);
    assert_int_equal(counter->quality, QUALITY_MEASURED);
    assert_int_equal(counter->domain, domain);
    assert_int_equal(counter->range_uj, 0);
}

static const char *reason_of(const struct sensors *sensors, const char *source)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(sensors, &list);

    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].source, source) == 0)
            return list[i].reason;
    fail_msg("%s is not left out", source);
    return NULL;
}

static void assert_reason(const struct sensors *sensors, const char *source, const char *text)
{
    if (!strstr(reason_of(sensors, source), text))
        fail_msg("%s: '%s' is not in '%s'", source, text, reason_of(sensors, source));
}

static int read_counter(struct sensors *sensors, size_t index, uint64_t *ret_raw_uj)
{
    const struct sensor_reading *reading;

    sensors_take(sensors, clock_boottime_ns(), 0);
    reading = sensors_reading(sensors, index);
    if (reading->code == 0)
        *ret_raw_uj = reading->raw_uj;
    return reading->code;
}

static void assert_energy(struct sensors *sensors, size_t index, uint64_t expected_uj)
{
    uint64_t raw_uj = 0;

    assert_int_equal(read_counter(sensors, index, &raw_uj), 0);
    assert_int_equal(raw_uj, expected_uj);
}

/* --- addresses --- */

static void test_addresses_sort_as_the_bus_does(void **state)
{
    static const char *const in_order[] = {"0000:00:02.0", "0000:03:00.0", "0000:03:00.1",
                                           "0000:0a:00.0", "0000:c1:00.0", "0000:c1:1f.7",
                                           "0001:00:00.0", "10000:e1:00.0"};
    static const char *const none[] = {"",              "bind",          "module",
                                       "0000:c1:00",    "0000:c1:00.0x", "0000:C1:00.0",
                                       "0000:c1:000.0", ":c1:00.0",      "0000:c1:00.",
                                       "0000:c1:00.00"};
    uint64_t last = 0, order;

    (void)state;
    for (size_t i = 0; i < COUNT(in_order); i++) {
        assert_true(pci_parse_address(in_order[i], &order));
        assert_true(order > last);
        last = order;
    }
    for (size_t i = 0; i < COUNT(none); i++)
        assert_false(pci_parse_address(none[i], &order));
}

static void test_more_devices_than_room_are_an_error(void **state)
{
    struct pci_device devices[PCI_DEVICES_MAX];
    struct tree *tree = *state;
    char address[32];

    for (unsigned i = 0; i < PCI_DEVICES_MAX; i++) {
        snprintf(address, sizeof(address), "0000:%02x:00.0", 0xff - i);
        add_device(tree, "amdgpu", address, "0x1002", "0x74a1");
    }
    assert_int_equal(pci_list(tree->fd, "amdgpu", devices, 0), PCI_DEVICES_MAX);
    assert_string_equal(pci_address(devices[0].name), "0000:c0:00.0");
    add_device(tree, "amdgpu", "0000:01:00.0", "0x1002", "0x74a1");
    assert_int_equal(pci_list(tree->fd, "amdgpu", devices, 0), -EOVERFLOW);
}

/* --- AMD --- */

static void test_mi300x_cards_count_in_bus_order(void **state)
{
    static const char *const addresses[] = {"0000:05:00.0", "0000:26:00.0", "0000:46:00.0",
                                            "0000:65:00.0", "0000:85:00.0", "0000:a6:00.0",
                                            "0000:c6:00.0", "0000:e5:00.0"};
    struct tree *tree = *state;
    struct sensors *sensors;
    char source[64];

    for (size_t i = COUNT(addresses); i-- > 0;) {
        add_amd(tree, addresses[i], "0x74a1");
        set_metrics(tree, addresses[i], i % 2 ? 8 : 9, (i + 1) * 1000 * UNITS_PER_J, 140, 1);
        set(tree, addresses[i], "product_name", "AMD Instinct MI300X OAM");
        set(tree, addresses[i], "current_compute_partition", "SPX");
        set(tree, addresses[i], "hwmon/hwmon5/power1_cap_max", "750000000");
    }
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 8);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(source, sizeof(source), "amdgpu:%s", addresses[i]);
        assert_gpu(sensors, i, source, i);
        assert_energy(sensors, i, (i + 1) * UINT64_C(1000000000));
        assert_string_equal(sensors_counter(sensors, i)->device, "AMD Instinct MI300X OAM");
        assert_int_equal(sensors_counter(sensors, i)->max_uw, 1125000000);
        assert_false(sensors_counter(sensors, i)->fresh);
    }
    sensors_close(sensors);
}

/* As on a node with four cards: the second die of each has no figures of its own. */
static void test_dies_of_a_card_have_half_each(void **state)
{
    static const char *const addresses[] = {"0000:c1:00.0", "0000:c6:00.0", "0000:c9:00.0",
                                            "0000:ce:00.0", "0000:d1:00.0", "0000:d6:00.0",
                                            "0000:d9:00.0", "0000:de:00.0"};
    struct tree *tree = *state;
    struct sensors *sensors;
    char text[96];

    for (size_t i = 0; i < COUNT(addresses); i++) {
        add_amd(tree, addresses[i], "0x7408");
        snprintf(text, sizeof(text), "%zx", 0x9000 + i);
        set(tree, addresses[i], "unique_id", text);
        set_metrics(tree, addresses[i], 3, i % 2 ? 0 : (i + 1) * UNITS_PER_J, i % 2 ? 0 : 89, 1);
        set(tree, addresses[i], "hwmon/hwmon5/power1_average", i % 2 ? "0" : "89000000");
        set(tree, addresses[i], "hwmon/hwmon5/power1_cap_max", i % 2 ? "0" : "560000000");
    }
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 8);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "amdgpu:%s/%u", addresses[i & ~1U], i % 2);
        assert_gpu(sensors, i, text, i);
        assert_energy(sensors, i, (i / 2 * 2 + 1) * UINT64_C(500000));
        snprintf(text, sizeof(text), "1002:7408, die at %s", addresses[i]);
        assert_string_equal(sensors_counter(sensors, i)->device, text);
        assert_int_equal(sensors_counter(sensors, i)->max_uw, 420000000);
        assert_false(sensors_counter(sensors, i)->fresh);
    }
    sensors_close(sensors);
}

static void test_die_without_its_other_is_told(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;

    add_amd(tree, "0000:01:00.0", "0x740c"); /* a second die alone */
    set_metrics(tree, "0000:01:00.0", 3, 0, 0, 1);
    add_amd(tree, "0000:02:00.0", "0x740c"); /* a first die alone */
    set_metrics(tree, "0000:02:00.0", 3, 1000, 90, 1);
    add_amd(tree, "0000:03:00.0", "0x740c"); /* a card */
    set_metrics(tree, "0000:03:00.0", 3, 2048, 90, 1);
    add_amd(tree, "0000:04:00.0", "0x740c");
    set_metrics(tree, "0000:04:00.0", 3, 0, 0, 1);
    add_amd(tree, "0000:05:00.0", "0x740c"); /* a second die again */
    set_metrics(tree, "0000:05:00.0", 3, 0, 0, 1);
    add_amd(tree, "0000:06:00.0", "0x740f"); /* MI210: one die, all of it */
    set_metrics(tree, "0000:06:00.0", 3, 1024, 90, 1);
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 4);
    assert_gpu(sensors, 0, "amdgpu:0000:02:00.0/0", 1);
    assert_energy(sensors, 0, 7629);
    assert_gpu(sensors, 1, "amdgpu:0000:03:00.0/0", 2);
    assert_gpu(sensors, 2, "amdgpu:0000:03:00.0/1", 3);
    assert_energy(sensors, 2, 15625);
    assert_gpu(sensors, 3, "amdgpu:0000:06:00.0", 5);
    assert_energy(sensors, 3, 15625);
    assert_reason(sensors, "amdgpu:0000:01:00.0", "other die");
    assert_reason(sensors, "amdgpu:0000:05:00.0", "other die");
    sensors_close(sensors);
}

static void test_dies_without_accumulator_share_the_gauge(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t raw_uj = 1;

    add_amd(tree, "0000:c1:00.0", "0x7408");
    set(tree, "0000:c1:00.0", "hwmon/hwmon5/power1_average", "90000000");
    add_amd(tree, "0000:c6:00.0", "0x7408"); /* new kernels: the attribute is not there */
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 2);
    assert_true(sensors_counter(sensors, 0)->fresh && sensors_counter(sensors, 1)->fresh);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_counter(sensors, i, &raw_uj), 0);
        sensors->slots[i].gauge = (struct gauge){
            .has = true, .at_ns = clock_boottime_ns() - 10 * NS_PER_S, .power_uw = 90000000};
    }
    assert_int_equal(read_counter(sensors, 1, &raw_uj), 0);
    assert_in_range(raw_uj, 450000000, 540000000);
    sensors_close(sensors);
}

/* The Radeon's accumulator has no stated unit; the MI100's stands still. */
static void test_cards_without_a_known_accumulator_use_their_gauge(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t raw_uj = 1;

    add_amd(tree, "0000:03:00.0", "0x744c");
    set_metrics(tree, "0000:03:00.0", 3, 123456, 9, 1);
    set(tree, "0000:03:00.0", "hwmon/hwmon5/power1_average", "100000000");
    set(tree, "0000:03:00.0", "hwmon/hwmon5/power1_input", "200000000");
    set(tree, "0000:03:00.0", "product_name", "");
    add_amd(tree, "0000:04:00.0", "0x738c"); /* MI100 */
    set_metrics(tree, "0000:04:00.0", 1, 65628, 36, 1);
    set(tree, "0000:04:00.0", "hwmon/hwmon5/power1_input", "36000000");
    set(tree, "0000:04:00.0", "hwmon/hwmon5/power1_cap_max", "290000000");
    add_amd(tree, "0000:05:00.0", "0x74a1"); /* a layout of next year's */
    set_format(tree, "0000:05:00.0", 1, 10, 100);
    set(tree, "0000:05:00.0", "hwmon/hwmon5/power1_input", "140000000");
    add_amd(tree, "0000:06:00.0", "0x67df"); /* nothing at all */
    add_amd(tree, "0000:07:00.0", "0x74a1"); /* the kernel knows no energy */
    set_metrics(tree, "0000:07:00.0", 5, ONES, 140, 1);
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 3);
    for (unsigned i = 0; i < 3; i++) {
        char source[64];

        snprintf(source, sizeof(source), "amdgpu:0000:0%u:00.0", i + 3);
        assert_gpu(sensors, i, source, i);
        assert_true(sensors_counter(sensors, i)->fresh);
    }
    assert_string_equal(sensors_counter(sensors, 0)->device, "1002:744c");
    assert_int_equal(sensors_counter(sensors, 0)->max_uw, 1680000000);
    assert_int_equal(sensors_counter(sensors, 1)->max_uw, 435000000);
    assert_energy(sensors, 0, 0);
    sensors->slots[0].gauge.at_ns = clock_boottime_ns() - 10 * NS_PER_S;
    assert_int_equal(read_counter(sensors, 0, &raw_uj), 0);
    assert_in_range(raw_uj, 1000000000, 1200000000);
    assert_reason(sensors, "amdgpu:0000:06:00.0", "gpu_metrics: No such file");
    assert_reason(sensors, "amdgpu:0000:06:00.0", "no power gauge");
    assert_reason(sensors, "amdgpu:0000:07:00.0", "v1.5 has no energy");
    sensors_close(sensors);
}

static void test_gpu_inside_a_processor_never_counts(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors = NULL;
    struct error err;

    add_amd(tree, "0000:02:00.0", "0x1638");
    set_format(tree, "0000:02:00.0", 2, 2, 128);
    set(tree, "0000:02:00.0", "hwmon/hwmon5/power1_average", "15000000");
    add_amd(tree, "0000:04:00.0", "0x9874"); /* an old one without gpu_metrics */
    set(tree, "0000:04:00.0", "hwmon/hwmon5/in1_label", "vddnb");
    set(tree, "0000:04:00.0", "hwmon/hwmon5/power1_average", "15000000");
    assert_int_equal(try_open(tree, "amdgpu", &sensors, &err), -ENODEV);
    assert_non_null(strstr(err.text, "amdgpu: no GPU"));
    add_amd(tree, "0000:05:00.0", "0x744c");
    set(tree, "0000:05:00.0", "hwmon/hwmon5/in1_label", "vddgfx");
    set(tree, "0000:05:00.0", "hwmon/hwmon5/power1_average", "100000000");
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 1);
    assert_gpu(sensors, 0, "amdgpu:0000:05:00.0", 0); /* they take no index */
    assert_reason(sensors, "amdgpu:0000:02:00.0", "inside the processor's package");
    assert_reason(sensors, "amdgpu:0000:04:00.0", "inside the processor's package");
    sensors_close(sensors);
}

static void add_module(struct tree *tree, const char *address, const char *cpus, const char *node)
{
    add_amd(tree, address, "0x74a0");
    set_metrics(tree, address, 6, 1000 * UNITS_PER_J, 200, 1);
    set(tree, address, "numa_node", node);
    set(tree, address, "local_cpulist", cpus);
}

/* What the cores draw is in both counters: it is told once. */
static void test_module_counts_less_its_package(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;

    set_package(tree, 0, 10);
    set_package(tree, 1, 20);
    add_module(tree, "0000:01:00.0", "0-1,4-5", "0");
    add_module(tree, "0001:01:00.0", "2,6", "1");
    sensors = open_sensors(tree, "powercap,amdgpu");
    assert_int_equal(sensors_count(sensors), 4);
    assert_gpu(sensors, 2, "amdgpu:0000:01:00.0", 0);
    assert_gpu(sensors, 3, "amdgpu:0001:01:00.0", 1);
    assert_int_equal(sensors->slots[2].package, 0);
    assert_int_equal(sensors->slots[3].package, 1);
    assert_energy(sensors, 3, 0); /* a difference begins at 0 */
    set_package(tree, 1, 30);
    set_metrics(tree, "0001:01:00.0", 6, 1100 * UNITS_PER_J, 200, 1);
    assert_energy(sensors, 3, 90000000);
    sensors_close(sensors);
}

static void test_module_of_an_unknown_package_is_left_out(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;

    add_module(tree, "0000:01:00.0", "0-7", "-1");
    add_module(tree, "0000:02:00.0", "99", "0");
    add_module(tree, "0000:03:00.0", "", "0");
    add_module(tree, "0000:04:00.0", "0-1,4-5", "0");
    set_metrics(tree, "0000:04:00.0", 6, 1, 200, 6);
    add_module(tree, "0000:05:00.0", "0-1,4-5", "0");
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 1);
    for (int i = 1; i < 4; i++) {
        char source[64];

        snprintf(source, sizeof(source), "amdgpu:0000:0%d:00.0", i);
        assert_reason(sensors, source, "package that its module contains");
    }
    assert_reason(sensors, "amdgpu:0000:04:00.0", "module in partitions");
    assert_gpu(sensors, 0, "amdgpu:0000:05:00.0", 9); /* six indices are the partitions' */
    sensors_close(sensors);
}

static void test_modelled_package_inside_a_module_does_not_count(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;

    tree_write(tree, "proc/stat", "cpu 0\ncpu0 1 0 0 0\ncpu2 1 0 0 0\nbtime 1\n");
    add_module(tree, "0000:01:00.0", "0-1,4-5", "0");
    sensors = open_sensors(tree, "amdgpu,modelled");
    assert_int_equal(sensors_count(sensors), 2);
    assert_gpu(sensors, 0, "amdgpu:0000:01:00.0", 0);
    assert_energy(sensors, 0, 1000000000); /* all of it: nothing else measures the cores */
    assert_string_equal(sensors_counter(sensors, 1)->source, "modelled:1");
    assert_reason(sensors, "modelled:0", "module that contains it");
    sensors_close(sensors);
}

static void test_partitions_share_their_card(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t sum_uj = 0, raw_uj = 0;

    add_amd(tree, "0000:01:00.0", "0x74a1");
    set_metrics(tree, "0000:01:00.0", 9, 8 * UNITS_PER_J, 140, 8);
    add_amd(tree, "0000:02:00.0", "0x74a1");
    set_metrics(tree, "0000:02:00.0", 5, UNITS_PER_J, 140, 1);
    set(tree, "0000:02:00.0", "current_compute_partition", "DPX");
    add_amd(tree, "0000:03:00.0", "0x74a1");
    set_metrics(tree, "0000:03:00.0", 5, UNITS_PER_J, 140, 1);
    set(tree, "0000:03:00.0", "current_compute_partition", "CPX");
    sensors = open_sensors(tree, "amdgpu");
    assert_int_equal(sensors_count(sensors), 10);
    assert_gpu(sensors, 7, "amdgpu:0000:01:00.0/7", 7);
    assert_gpu(sensors, 8, "amdgpu:0000:02:00.0/0", 8);
    assert_gpu(sensors, 9, "amdgpu:0000:02:00.0/1", 9);
    assert_energy(sensors, 9, 500000);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(read_counter(sensors, i, &raw_uj), 0);
        sum_uj += raw_uj;
    }
    assert_int_equal(sum_uj, 8000000);
    assert_reason(sensors, "amdgpu:0000:03:00.0", "partitions");
    sensors_close(sensors);
}

static void test_nothing_here_names_the_remedy(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors = NULL;
    struct error err;

    assert_int_equal(try_open(tree, "amdgpu", &sensors, &err), -ENODEV);
    assert_non_null(strstr(err.text, "load amdgpu"));
    assert_int_equal(try_open(tree, "intelgpu", &sensors, &err), -ENODEV);
    assert_non_null(strstr(err.text, "neither xe nor i915"));
    tree_write(tree, "sys/bus/pci/drivers/amdgpu/bind", "%s", "");
    tree_write(tree, "sys/bus/pci/drivers/xe/bind", "%s", "");
    assert_int_equal(try_open(tree, "amdgpu", &sensors, &err), -ENODEV);
    assert_int_equal(try_open(tree, "intelgpu", &sensors, &err), -ENODEV);
}

/* --- Intel --- */

static void add_intel(struct tree *tree, const char *driver, const char *address,
                      const char *device)
{
    add_device(tree, driver, address, "0x8086", device);
    set(tree, address, "hwmon/hwmon3/name", driver);
}

static void test_max_cards_count_by_their_one_counter(void **state)
{
    static const char *const addresses[] = {"0000:29:00.0", "0000:3a:00.0", "0000:9a:00.0",
                                            "0000:ca:00.0"};
    struct tree *tree = *state;
    struct sensors *sensors;
    char text[64];

    for (size_t i = COUNT(addresses); i-- > 0;) {
        add_intel(tree, "xe", addresses[i], "0x0bd5");
        snprintf(text, sizeof(text), "%zu", i + 5);
        set(tree, addresses[i], "hwmon/hwmon3/energy2_input", text);
        set(tree, addresses[i], "hwmon/hwmon3/energy2_label", "pkg");
        set(tree, addresses[i], "hwmon/hwmon3/power2_max", "0"); /* no limit set */
        set(tree, addresses[i], "hwmon/hwmon3/power2_rated_max", "600000000");
    }
    sensors = open_sensors(tree, "intelgpu");
    assert_int_equal(sensors_count(sensors), 4);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "intelgpu:%s", addresses[i]);
        assert_gpu(sensors, i, text, i);
        assert_energy(sensors, i, i + 5);
        assert_int_equal(sensors_counter(sensors, i)->max_uw, 900000000);
        assert_string_equal(sensors_counter(sensors, i)->device, "8086:0bd5");
        assert_false(sensors_counter(sensors, i)->fresh);
    }
    sensors_close(sensors);
}

static void test_card_counts_and_what_is_inside_it_does_not(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;

    add_device(tree, "xe", "0000:00:02.0", "0x8086", "0xa780"); /* the processor's own */
    add_intel(tree, "xe", "0000:03:00.0", "0xe20b");            /* Arc B580 */
    set(tree, "0000:03:00.0", "hwmon/hwmon3/energy1_input", "2000000");
    set(tree, "0000:03:00.0", "hwmon/hwmon3/energy2_input", "1000000");
    add_intel(tree, "i915", "0000:04:00.0", "0x56a0"); /* Arc A770 */
    set(tree, "0000:04:00.0", "hwmon/hwmon3/energy1_input", "18446744073709551615");
    add_intel(tree, "i915", "0000:05:00.0", "0x0bd5"); /* Max, with i915's tiles */
    set(tree, "0000:05:00.0", "hwmon/hwmon3/energy1_input", "5000000");
    set(tree, "0000:05:00.0", "hwmon/hwmon1/name", "i915_gt0");
    set(tree, "0000:05:00.0", "hwmon/hwmon1/energy1_input", "2400000");
    set(tree, "0000:05:00.0", "hwmon/hwmon2/name", "i915_gt1");
    set(tree, "0000:05:00.0", "hwmon/hwmon2/energy1_input", "2400000");
    add_device(tree, "xe", "0000:06:00.1", "0x8086", "0xe20b"); /* a virtual function */
    add_intel(tree, "i915", "0000:07:00.0", "0x4905");          /* DG1: no energy */
    add_intel(tree, "xe", "0000:08:00.0", "0xe20b");
    set(tree, "0000:08:00.0", "hwmon/hwmon3/energy1_input", "7");
    sensors = open_sensors(tree, "intelgpu");
    assert_int_equal(sensors_count(sensors), 4);
    assert_gpu(sensors, 0, "intelgpu:0000:03:00.0", 0);
    assert_energy(sensors, 0, 2000000);
    assert_int_equal(sensors_counter(sensors, 0)->max_uw, 720000000);
    assert_gpu(sensors, 1, "intelgpu:0000:04:00.0", 1);
    assert_energy(sensors, 1, UINT64_MAX);
    assert_gpu(sensors, 2, "intelgpu:0000:05:00.0", 2);
    assert_energy(sensors, 2, 5000000);
    assert_gpu(sensors, 3, "intelgpu:0000:08:00.0", 5);
    assert_reason(sensors, "intelgpu:0000:00:02.0", "inside the processor's package");
    assert_reason(sensors, "intelgpu:0000:03:00.0/package", "the card's counter contains it");
    assert_reason(sensors, "intelgpu:0000:05:00.0/i915_gt0", "the card's counter contains it");
    assert_reason(sensors, "intelgpu:0000:05:00.0/i915_gt1", "the card's counter contains it");
    assert_reason(sensors, "intelgpu:0000:06:00.1", "no energy");
    assert_reason(sensors, "intelgpu:0000:07:00.0", "no energy");
    sensors_close(sensors);
}

static void test_processor_graphics_alone_are_no_gpu(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors = NULL;
    struct error err;

    add_device(tree, "i915", "0000:00:02.0", "0x8086", "0xa780");
    assert_int_equal(try_open(tree, "intelgpu", &sensors, &err), -ENODEV);
    assert_non_null(strstr(err.text, "energy counter"));
}

/* --- in a process of their own --- */

static void test_apart_they_are_found_and_read_the_same(void **state)
{
    struct tree *tree = *state;
    struct sensor_options options = {.root_fd = tree->fd, .apart = true, .topology = &two_sockets,
                                     .list = "amdgpu,intelgpu"};
    static const uint64_t expected_uj[] = {500000, 500000};
    struct sensors *sensors = NULL;
    struct error err = {""};

    add_amd(tree, "0000:00:08.0", "0x1638");
    set_format(tree, "0000:00:08.0", 2, 2, 128);
    add_amd(tree, "0000:c1:00.0", "0x7408");
    set_metrics(tree, "0000:c1:00.0", 3, UNITS_PER_J, 89, 1);
    add_amd(tree, "0000:c6:00.0", "0x7408");
    set_metrics(tree, "0000:c6:00.0", 3, 0, 0, 1);
    add_intel(tree, "xe", "0000:e1:00.0", "0xe20b");
    set(tree, "0000:e1:00.0", "hwmon/hwmon3/energy1_input", "77");
    if (sensors_open(&options, &sensors, &err) < 0)
        fail_msg("%s", err.text);
    /* of two vendors' device 0 the first kind's counts, and the other is told */
    assert_int_equal(sensors_count(sensors), 2);
    assert_reason(sensors, "intelgpu:0000:e1:00.0", "amdgpu counts this device already");
    assert_reason(sensors, "amdgpu:0000:00:08.0", "inside the processor's package");
    for (size_t i = 0; i < sensors_count(sensors); i++) {
        uint64_t now_ns = clock_boottime_ns();
        const struct sensor_reading *reading = sensors_reading(sensors, i);

        sensors_ask(sensors, now_ns, false);
        sensors_take(sensors, now_ns, now_ns + 10 * NS_PER_S);
        assert_int_equal(reading->code, 0);
        assert_int_equal(reading->raw_uj, expected_uj[i]);
    }
    sensors_close(sensors);
}

/* --- failures --- */

/* One device whose counter is 1 J, 2 J and so on in one attribute. */
static const struct kind {
    const char *list, *address, *attribute;
    void (*add)(struct tree *tree, const char *address);
    void (*set_j)(struct tree *tree, const char *address, uint64_t energy_j);
} kinds[3];

static void add_accumulating(struct tree *tree, const char *address)
{
    add_amd(tree, address, "0x74a1");
    set(tree, address, "unique_id", "c1f4a0b2d3e4f506");
}

static void set_accumulator(struct tree *tree, const char *address, uint64_t energy_j)
{
    set_metrics(tree, address, 7, energy_j * UNITS_PER_J, 140, 1);
}

static void add_xe(struct tree *tree, const char *address)
{
    add_intel(tree, "xe", address, "0xe20b");
}

static void set_xe(struct tree *tree, const char *address, uint64_t energy_j)
{
    char text[32];

    snprintf(text, sizeof(text), "%ju", (uintmax_t)energy_j * 1000000);
    set(tree, address, "hwmon/hwmon3/energy1_input", text);
}

static void add_i915(struct tree *tree, const char *address)
{
    add_intel(tree, "i915", address, "0x56a0");
}

static const struct kind kinds[3] = {
    {"amdgpu", "0000:c1:00.0", "gpu_metrics", add_accumulating, set_accumulator},
    {"intelgpu", "0000:3a:00.0", "hwmon/hwmon3/energy1_input", add_xe, set_xe},
    {"intelgpu", "0000:3b:00.0", "hwmon/hwmon3/energy1_input", add_i915, set_xe},
};

enum fault { IS_EIO, IS_LOOP, IS_DIR, IS_EMPTY, IS_TEXT, IS_LONG, IS_DENIED };

static void break_file(struct tree *tree, const char *address, const char *attribute,
                       enum fault fault)
{
    char file[128], long_text[9000];

    snprintf(file, sizeof(file), DEVICES "/%s/%s", address, attribute);
    tree_remove(tree, file);
    memset(long_text, '7', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    switch (fault) {
    case IS_EIO: /* nothing is mapped at 0 */
        tree_link(tree, file, "/proc/self/mem");
        break;
    case IS_LOOP:
        tree_link(tree, file, strrchr(file, '/') + 1);
        break;
    case IS_DIR:
        tree_mkdir(tree, file);
        break;
    case IS_EMPTY:
        tree_write(tree, file, "%s", "");
        break;
    case IS_TEXT:
        tree_write(tree, file, "%s", "-12 joules\n");
        break;
    case IS_LONG:
        tree_write(tree, file, "%s\n", long_text);
        break;
    case IS_DENIED:
        tree_write(tree, file, "%s", "1\n");
        assert_int_equal(fchmodat(tree->fd, file, 0, 0), 0);
        break;
    }
}

static const struct {
    enum fault fault;
    int rc;
} faults[] = {
    {IS_EIO, -EIO},         {IS_LOOP, -ELOOP},      {IS_DIR, -EISDIR},     {IS_EMPTY, -EBADMSG},
    {IS_TEXT, -EBADMSG},    {IS_LONG, -EBADMSG},    {IS_DENIED, -EACCES},
};

static void test_failed_readings_are_errors_and_pass(void **state)
{
    struct tree *tree = *state;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        const struct kind *kind = &kinds[k];
        struct fd_count before = count_fds();
        struct sensors *sensors;

        kind->add(tree, kind->address);
        kind->set_j(tree, kind->address, 1);
        sensors = open_sensors(tree, kind->list);
        for (size_t i = 0; i < COUNT(faults); i++) {
            size_t index = sensors_count(sensors) - 1; /* behind those of kinds before */
            uint64_t raw_uj = 42;

            if (faults[i].fault == IS_DENIED && geteuid() == 0)
                continue;
            break_file(tree, kind->address, kind->attribute, faults[i].fault);
            assert_int_equal(read_counter(sensors, index, &raw_uj), faults[i].rc);
            assert_int_equal(raw_uj, 42);
            drop(tree, kind->address, kind->attribute);
            kind->set_j(tree, kind->address, i + 2);
            assert_energy(sensors, index, (i + 2) * 1000000);
        }
        sensors_close(sensors);
        assert_int_equal(count_fds().all, before.all);
        assert_int_equal(count_fds().inherited, before.inherited);
    }
}

/* Raw readings: what they mean is the ledger's matter. */
static void test_steps_and_spikes_are_handed_on(void **state)
{
    static const uint64_t readings_j[] = {100, 100, 100100, 101, 7, 0, 8};
    struct tree *tree = *state;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        const struct kind *kind = &kinds[k];
        struct sensors *sensors;

        kind->add(tree, kind->address);
        kind->set_j(tree, kind->address, 99);
        sensors = open_sensors(tree, kind->list);
        for (size_t i = 0; i < COUNT(readings_j); i++) {
            kind->set_j(tree, kind->address, readings_j[i]);
            assert_energy(sensors, sensors_count(sensors) - 1, readings_j[i] * 1000000);
        }
        sensors_close(sensors);
    }
}

static void test_vanished_device_is_taken_up_when_it_is_the_same(void **state)
{
    struct tree *tree = *state;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        const struct kind *kind = &kinds[k];
        struct sensors *sensors;
        struct sensor_slot *slot;
        uint64_t raw_uj = 42;
        size_t index;

        kind->add(tree, kind->address);
        kind->set_j(tree, kind->address, 1);
        sensors = open_sensors(tree, kind->list);
        index = sensors_count(sensors) - 1;
        slot = &sensors->slots[index];
        drop(tree, kind->address, "");
        assert_int_equal(read_counter(sensors, index, &raw_uj), -ENODEV);
        assert_true(slot->retry_ns > clock_boottime_ns());
        /* it is back, but is not looked for at every tick */
        set(tree, kind->address, "vendor", "0x1002");
        set(tree, kind->address, "device", "0x9999");
        kind->set_j(tree, kind->address, 5);
        assert_int_equal(read_counter(sensors, index, &raw_uj), -ENODEV);
        /* another model at this address */
        slot->retry_ns = 1;
        assert_int_equal(read_counter(sensors, index, &raw_uj), -ENODEV);
        assert_int_equal(raw_uj, 42);
        drop(tree, kind->address, "");
        drop(tree, "..", "../bus/pci/drivers");
        kind->add(tree, kind->address);
        kind->set_j(tree, kind->address, 6);
        slot->retry_ns = 1;
        assert_energy(sensors, index, 6000000);
        sensors_close(sensors);
    }
}

static void test_other_card_of_the_same_model_is_not_taken_up(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t raw_uj = 42;

    add_accumulating(tree, "0000:c1:00.0");
    set_accumulator(tree, "0000:c1:00.0", 1);
    sensors = open_sensors(tree, "amdgpu");
    drop(tree, "0000:c1:00.0", "gpu_metrics");
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    set(tree, "0000:c1:00.0", "unique_id", "c1f4a0b2d3e4f507");
    set_accumulator(tree, "0000:c1:00.0", 2);
    sensors->slots[0].retry_ns = 1;
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    set(tree, "0000:c1:00.0", "unique_id", "c1f4a0b2d3e4f506");
    sensors->slots[0].retry_ns = 1;
    assert_energy(sensors, 0, 2000000);
    sensors_close(sensors);
}

static void test_metrics_that_change_are_no_reading(void **state)
{
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t raw_uj = 42;

    add_accumulating(tree, "0000:c1:00.0");
    set_accumulator(tree, "0000:c1:00.0", 1);
    sensors = open_sensors(tree, "amdgpu");
    set_metrics(tree, "0000:c1:00.0", 7, ONES, 140, 1);
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODATA);
    set_metrics(tree, "0000:c1:00.0", 7, ONES - 1, 140, 1);
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -EBADMSG);
    set_format(tree, "0000:c1:00.0", 1, 77, 2208);
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -EPROTONOSUPPORT);
    assert_int_equal(raw_uj, 42);
    set_accumulator(tree, "0000:c1:00.0", 3);
    assert_energy(sensors, 0, 3000000);
    sensors_close(sensors);
}

static void test_gauge_follows_its_chip_and_refuses_nonsense(void **state)
{
    static const char *const nonsense[] = {"-5", "", "12 W", "17592186044416",
                                           "99999999999999999999"};
    struct tree *tree = *state;
    struct sensors *sensors;
    uint64_t raw_uj = 42;

    add_amd(tree, "0000:03:00.0", "0x744c");
    set(tree, "0000:03:00.0", "hwmon/hwmon5/power1_average", "100000000");
    sensors = open_sensors(tree, "amdgpu");
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        set(tree, "0000:03:00.0", "hwmon/hwmon5/power1_average", nonsense[i]);
        assert_int_equal(read_counter(sensors, 0, &raw_uj), -EBADMSG);
    }
    for (size_t i = 0; i < COUNT(faults); i++) {
        if (faults[i].fault == IS_DENIED && geteuid() == 0)
            continue;
        break_file(tree, "0000:03:00.0", "hwmon/hwmon5/power1_average", faults[i].fault);
        assert_int_equal(read_counter(sensors, 0, &raw_uj), faults[i].rc);
        drop(tree, "0000:03:00.0", "hwmon/hwmon5/power1_average");
    }
    assert_int_equal(raw_uj, 42);
    drop(tree, "0000:03:00.0", "hwmon/hwmon5");
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    set(tree, "0000:03:00.0", "hwmon/hwmon11/name", "amdgpu"); /* numbered anew */
    set(tree, "0000:03:00.0", "hwmon/hwmon11/power1_average", "100000000");
    sensors->slots[0].retry_ns = 1;
    assert_energy(sensors, 0, 0);
    sensors_close(sensors);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_sort_as_the_bus_does),
        TEST(test_more_devices_than_room_are_an_error),
        TEST(test_mi300x_cards_count_in_bus_order),
        TEST(test_dies_of_a_card_have_half_each),
        TEST(test_die_without_its_other_is_told),
        TEST(test_dies_without_accumulator_share_the_gauge),
        TEST(test_cards_without_a_known_accumulator_use_their_gauge),
        TEST(test_gpu_inside_a_processor_never_counts),
        TEST(test_module_counts_less_its_package),
        TEST(test_module_of_an_unknown_package_is_left_out),
        TEST(test_modelled_package_inside_a_module_does_not_count),
        TEST(test_partitions_share_their_card),
        TEST(test_nothing_here_names_the_remedy),
        TEST(test_max_cards_count_by_their_one_counter),
        TEST(test_card_counts_and_what_is_inside_it_does_not),
        TEST(test_processor_graphics_alone_are_no_gpu),
        TEST(test_apart_they_are_found_and_read_the_same),
        TEST(test_failed_readings_are_errors_and_pass),
        TEST(test_steps_and_spikes_are_handed_on),
        TEST(test_vanished_device_is_taken_up_when_it_is_the_same),
        TEST(test_other_card_of_the_same_model_is_not_taken_up),
        TEST(test_metrics_that_change_are_no_reading),
        TEST(test_gauge_follows_its_chip_and_refuses_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
