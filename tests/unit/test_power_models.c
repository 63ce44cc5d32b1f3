/* Which row of power_models.c serves a processor or a GPU, and what the model makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"
#include "sensors/cpuinfo.h"
#include "sensors/modelled.h"
#include "sensors/power_models.h"
#include "sensors/sensors.h"
#include "sensors/topology.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_names_find_their_row(void **state)
{
    static const struct {
        const char *name, *family; /* NULL: none */
    } cases[] = {
        { "AMD EPYC 7601 32-Core Processor", "EPYC 1st generation" },
        { "AMD EPYC 7H12 64-Core Processor", "EPYC 2nd generation" },
        { "AMD EPYC 7763 64-Core Processor", "EPYC 3rd generation" },
        { "AMD EPYC 7A53 64-Core Processor", "EPYC 3rd generation" },
        { "AMD EPYC 9654 96-Core Processor", "EPYC 4th generation" },
        { "AMD EPYC 9965 192-Core Processor", "EPYC 5th generation, as the 4th" },
        { "AMD EPYC Processor", NULL }, /* a virtual machine that hides it */
        { "Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz", "Haswell" },
        { "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz", "Broadwell" },
        { "Intel(R) Xeon(R) Platinum 8168 CPU @ 2.70GHz", "Skylake" },
        { "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", "Skylake" },
        { "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "Cascade Lake" },
        { "Intel(R) Xeon(R) Platinum 9242 CPU @ 2.30GHz", "Cascade Lake" },
        { "Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz", "Ice Lake" },
        { "Intel(R) Xeon(R) Platinum 8480+", "Sapphire Rapids" },
        { "Intel(R) Xeon(R) Platinum 8480CL", "Sapphire Rapids" },
        { "INTEL(R) XEON(R) PLATINUM 8592+", "Emerald Rapids" },
        { "Intel(R) Xeon(R) 6980P", "Granite Rapids" },
        { "Intel(R) Xeon(R) Processor @ 2.10GHz", NULL },
        { "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct power_model *model = power_models_find(cases[i].name);

        if (!cases[i].family)
            assert_null(model);
        else if (!model)
            fail_msg("%s has no row", cases[i].name);
        else
            assert_string_equal(model->family, cases[i].family);
    }
}

static void test_rows_make_sense(void **state)
{
    const struct power_model *row;

    (void)state;
    for (size_t i = 0; (row = power_models_row(i)); i++) {
        assert_true(row->idle_uw > 100000 && row->idle_uw * 2 < row->full_uw);
        assert_true(row->full_uw < 10000000);
        assert_true(strlen(row->family) < 48);
    }
}

static void test_fields_of_the_first_cpu(void **state)
{
    struct tree tree;
    char text[32], small[4];

    (void)state;
    tree_make(&tree);
    cpuinfo_field(tree.fd, "model name", text, sizeof(text));
    assert_string_equal(text, ""); /* no file */
    tree_write(&tree, "proc/cpuinfo", "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\n"
               "model name\t: AMD EPYC 7763\nflags\t\t:\n\nprocessor\t: 1\nmodel\t\t: 9\n");
    cpuinfo_field(tree.fd, "model", text, sizeof(text));
    assert_string_equal(text, "1");
    cpuinfo_field(tree.fd, "model name", text, sizeof(text));
    assert_string_equal(text, "AMD EPYC 7763");
    cpuinfo_field(tree.fd, "model name", small, sizeof(small));
    assert_string_equal(small, "AMD");
    cpuinfo_field(tree.fd, "flags", text, sizeof(text));
    assert_string_equal(text, "");
    cpuinfo_field(tree.fd, "cache size", text, sizeof(text));
    assert_string_equal(text, "");
    tree_free(&tree);
}

static void test_package_is_modelled_by_its_row_unless_watts_are_set(void **state)
{
    static const struct machine machine = { .packages = 1, .cores = 4, .threads = 2,
                                            .memory_mb = 1024 };
    struct topology *topology = NULL;
    struct sensors *sensors = NULL;
    struct sensor_options options = { .list = "modelled" };
    struct tree tree;

    (void)state;
    tree_make(&tree);
    machine_write(&tree, &machine);
    tree_write(&tree, "proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core\n");
    tree_write(&tree, "proc/stat", "cpu0 1 0 0 0\nbtime 1\n");
    assert_int_equal(topology_load(tree.path, &topology, NULL), 0);
    options.root_fd = tree.fd;
    options.topology = topology;
    assert_int_equal(sensors_open(&options, &sensors, NULL), 0);
    assert_int_equal(sensors_counter(sensors, 0)->floor_uw, 2 * 4 * 455625);
    assert_non_null(strstr(sensors_counter(sensors, 0)->device, "EPYC 3rd generation"));
    assert_int_equal(sensors_counter(sensors, 0)->quality, QUALITY_MODELLED);
    sensors = sensors_close(sensors);
    options.idle_uw = 9000000;
    options.full_uw = 90000000;
    assert_int_equal(sensors_open(&options, &sensors, NULL), 0);
    assert_int_equal(sensors_counter(sensors, 0)->floor_uw, 9000000);
    assert_non_null(strstr(sensors_counter(sensors, 0)->device, "carbon.conf"));
    sensors = sensors_close(sensors);
    options.idle_uw = options.full_uw = 0;
    tree_write(&tree, "proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\n");
    assert_int_equal(sensors_open(&options, &sensors, NULL), 0);
    assert_int_equal(sensors_counter(sensors, 0)->floor_uw, 4 * MODELLED_IDLE_UW_PER_CORE);
    assert_non_null(strstr(sensors_counter(sensors, 0)->device, "unknown"));
    sensors_close(sensors);
    topology_free(topology);
    tree_free(&tree);
}

/* --- GPUs ------------------------------------------------------------------------------------- */

struct node {
    struct tree tree;
    struct topology *topology;
    struct sensor_options options;
    struct sensors *sensors; /* NULL: to be opened */
};

static void make_node(struct node *node)
{
    static const struct machine machine = { .packages = 1, .cores = 2, .threads = 1,
                                            .memory_mb = 1024 };

    memset(node, 0, sizeof(*node));
    tree_make(&node->tree);
    machine_write(&node->tree, &machine);
    tree_write(&node->tree, "proc/stat", "cpu0 1 0 0 0\nbtime 1\n");
    assert_int_equal(topology_load(node->tree.path, &node->topology, NULL), 0);
    node->options = (struct sensor_options){ .root_fd = node->tree.fd, .list = "auto",
                                             .topology = node->topology,
                                             .gpu_utilisation_ppm = 500000 };
}

static void free_node(struct node *node)
{
    sensors_close(node->sensors);
    topology_free(node->topology);
    tree_free(&node->tree);
}

static void add_device(struct node *node, const char *address, const char *class,
                       const char *vendor, const char *device)
{
    const char *const attributes[][2] = {
        { "class", class }, { "vendor", vendor }, { "device", device },
    };
    char file[96];

    for (size_t i = 0; i < COUNT(attributes); i++) {
        snprintf(file, sizeof(file), "sys/bus/pci/devices/%s/%s", address, attributes[i][0]);
        tree_write(&node->tree, file, "%s\n", attributes[i][1]);
    }
}

static void open_node(struct node *node)
{
    struct error err = { "" };

    node->sensors = sensors_close(node->sensors);
    if (sensors_open(&node->options, &node->sensors, &err) < 0)
        fail_msg("%s", err.text);
}

/* The counter of a source, or NULL. */
static const struct sensor_counter *find_counter(const struct node *node, const char *source)
{
    for (size_t i = 0; i < sensors_count(node->sensors); i++)
        if (strcmp(sensors_counter(node->sensors, i)->source, source) == 0)
            return sensors_counter(node->sensors, i);
    return NULL;
}

static void assert_gpu(const struct node *node, unsigned index, const char *what, uint64_t free_uw,
                       uint64_t held_uw)
{
    const struct sensor_counter *counter;
    char source[32];

    snprintf(source, sizeof(source), "modelled:gpu%u", index);
    counter = find_counter(node, source);
    if (!counter)
        fail_msg("there is no %s", source);
    assert_int_equal(counter->component, COMPONENT_GPU);
    assert_int_equal(counter->domain, index);
    assert_int_equal(counter->quality, QUALITY_MODELLED);
    assert_int_equal(counter->floor_uw, free_uw);
    assert_int_equal(counter->held_uw, held_uw);
    assert_false(counter->fresh);
    if (!strstr(counter->device, what))
        fail_msg("%s is \"%s\", without \"%s\"", source, counter->device, what);
}

static unsigned count_gpus(const struct node *node)
{
    unsigned count = 0;

    for (size_t i = 0; i < sensors_count(node->sensors); i++)
        count += sensors_counter(node->sensors, i)->component == COMPONENT_GPU;
    return count;
}

static const char *why_left_out(const struct node *node, const char *source)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(node->sensors, &list);

    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].source, source) == 0)
            return list[i].reason;
    return "";
}

static void test_rows_of_gpus_make_sense(void **state)
{
    const struct gpu_model *row;

    (void)state;
    for (size_t i = 0; (row = gpu_models_row(i)); i++) {
        assert_true(row->board_w <= 1000 && (row->board_w == 0 || row->board_w >= 70));
        assert_true(row->dies == 1 || row->dies == 2);
        assert_true(strlen(row->name) <= 26);
        assert_ptr_equal(gpu_models_find(row->vendor, row->device), row); /* no id twice */
    }
    assert_null(gpu_models_find(0x1002, 0x20b2)); /* another vendor's */
}

static void test_gpus_are_modelled_in_the_order_of_the_bus(void **state)
{
    struct node node;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:c7:00.0", "0x030200", "0x10de", "0x20b2");
    add_device(&node, "0000:07:00.0", "0x030200", "0x10de", "0x20b5");
    add_device(&node, "0000:03:00.0", "0x030000", "0x1a03", "0x2000"); /* the controller's screen */
    add_device(&node, "0000:04:00.0", "0x020000", "0x8086", "0x1521"); /* a network */
    add_device(&node, "0001:01:00.0", "0x120000", "0x1002", "0x74a1");
    add_device(&node, "0000:41:00.0", "0x038000", "0x8086", "0x0bd5");
    open_node(&node);
    assert_int_equal(count_gpus(&node), 4);
    assert_non_null(find_counter(&node, "modelled:0")); /* the package */
    assert_gpu(&node, 1, "Intel Max 1550 0000:41:00.0, 600 W board", 75000000, 337500000);
    assert_gpu(&node, 2, "A100 SXM4 80GB 0000:c7:00.0, 400 W board: 50 W free, 225 W held",
               50000000, 225000000);
    assert_gpu(&node, 0, "A100 PCIe 80GB 0000:07:00.0, 300 W board", 37500000, 168750000);
    assert_gpu(&node, 3, "MI300X 0001:01:00.0, 750 W board", 93750000, 421875000);
    assert_string_equal(why_left_out(&node, "modelled:0000:03:00.0"), "");
    free_node(&node);
}

static void test_what_is_no_gpu_of_its_own_takes_no_index(void **state)
{
    struct node node;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:00:02.0", "0x030000", "0x8086", "0xa7a0"); /* inside the processor */
    add_device(&node, "0000:02:00.0", "0x030000", "0x10de", "0x1cb3"); /* a small Quadro */
    add_device(&node, "0000:05:00.0", "0x120000", "0x8086", "0x0d5c"); /* not for computing */
    add_device(&node, "0000:07:00.0", "0x030200", "0x10de", "0x20b2");
    add_device(&node, "0000:07:00.4", "0x030200", "0x10de", "0x20b2");
    tree_link(&node.tree, "sys/bus/pci/devices/0000:07:00.4/physfn", "../0000:07:00.0");
    add_device(&node, "0000:09:00.0", "0x030200", "0x10de", "0x2342"); /* a GH200 */
    add_device(&node, "0000:0b:00.0", "0x030200", "0x10de", "0xffff"); /* newer than the table */
    open_node(&node);
    assert_int_equal(count_gpus(&node), 2);
    assert_gpu(&node, 0, "0000:07:00.0", 50000000, 225000000);
    assert_gpu(&node, 1, "unknown GPU, default watts 0000:0b:00.0, 300 W board", 37500000,
               168750000);
    assert_string_equal(why_left_out(&node, "modelled:0000:00:02.0"),
                        "8086:a7a0 is no accelerator whose watts are known");
    assert_non_null(strstr(why_left_out(&node, "modelled:0000:02:00.0"), "10de:1cb3"));
    assert_non_null(strstr(why_left_out(&node, "modelled:0000:05:00.0"), "8086:0d5c"));
    assert_non_null(strstr(why_left_out(&node, "modelled:0000:09:00.0"), "GH200 shares"));
    free_node(&node);
}

static void test_dies_of_a_board_have_half_of_its_watts_each(void **state)
{
    struct node node;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:c1:00.0", "0x038000", "0x1002", "0x7408");
    add_device(&node, "0000:c6:00.0", "0x038000", "0x1002", "0x7408");
    open_node(&node);
    assert_int_equal(count_gpus(&node), 2);
    assert_gpu(&node, 0, "MI250X 0000:c1:00.0, half a 560 W board", 35000000, 157500000);
    assert_gpu(&node, 1, "MI250X 0000:c6:00.0, half a 560 W board", 35000000, 157500000);
    free_node(&node);
}

static void test_gpus_are_not_modelled_beside_one_that_is_measured(void **state)
{
    struct node node;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:29:00.0", "0x038000", "0x8086", "0x0bd5");
    add_device(&node, "0000:3a:00.0", "0x038000", "0x8086", "0x0bd5");
    tree_write(&node.tree, "sys/bus/pci/drivers/xe/0000:3a:00.0/hwmon/hwmon3/name", "xe\n");
    tree_write(&node.tree, "sys/bus/pci/drivers/xe/0000:3a:00.0/hwmon/hwmon3/energy1_input",
               "5\n");
    open_node(&node);
    assert_int_equal(count_gpus(&node), 1);
    assert_non_null(find_counter(&node, "intelgpu:0000:3a:00.0"));
    node.options.list = "modelled"; /* alone */
    open_node(&node);
    assert_int_equal(count_gpus(&node), 2);
    assert_gpu(&node, 1, "0000:3a:00.0", 75000000, 337500000);
    free_node(&node);
}

static void test_utilisation_goes_from_idle_to_the_boards_watts(void **state)
{
    struct node node;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:07:00.0", "0x030200", "0x10de", "0x2330");
    node.options.idle_uw = 9000000; /* a package's: no matter of GPUs */
    node.options.full_uw = 90000000;
    node.options.gpu_utilisation_ppm = 0;
    open_node(&node);
    assert_gpu(&node, 0, "H100", 87500000, 87500000);
    assert_int_equal(find_counter(&node, "modelled:0")->floor_uw, 9000000);
    node.options.gpu_utilisation_ppm = 1000000;
    open_node(&node);
    assert_gpu(&node, 0, "H100", 87500000, 700000000);
    node.options.gpu_utilisation_ppm = 1;
    open_node(&node);
    assert_gpu(&node, 0, "H100", 87500000, 87500612);
    free_node(&node);
}

/* Busy time is the packages' matter. What sensors read of a GPU is that of a free one. */
static void test_gpus_need_no_busy_time(void **state)
{
    struct node node;
    uint64_t first_uj;

    (void)state;
    make_node(&node);
    add_device(&node, "0000:07:00.0", "0x030200", "0x10de", "0x1eb8");
    tree_remove(&node.tree, "proc/stat");
    open_node(&node);
    assert_int_equal(sensors_count(node.sensors), 1);
    assert_gpu(&node, 0, "T4", 8750000, 39375000);
    assert_non_null(strstr(why_left_out(&node, "modelled"), "proc/stat"));
    sensors_ask(node.sensors, 1, false);
    sensors_take(node.sensors, 1, 1);
    assert_int_equal(sensors_reading(node.sensors, 0)->code, 0);
    first_uj = sensors_reading(node.sensors, 0)->raw_uj;
    sensors_take(node.sensors, 2, 2);
    assert_int_equal(sensors_reading(node.sensors, 0)->code, 0);
    assert_true(first_uj > 0 && sensors_reading(node.sensors, 0)->raw_uj >= first_uj);
    assert_int_equal(sensors_counter(node.sensors, 0)->max_uw, 70000000);
    free_node(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_find_their_row),
        cmocka_unit_test(test_rows_make_sense),
        cmocka_unit_test(test_fields_of_the_first_cpu),
        cmocka_unit_test(test_package_is_modelled_by_its_row_unless_watts_are_set),
        cmocka_unit_test(test_rows_of_gpus_make_sense),
        cmocka_unit_test(test_gpus_are_modelled_in_the_order_of_the_bus),
        cmocka_unit_test(test_what_is_no_gpu_of_its_own_takes_no_index),
        cmocka_unit_test(test_dies_of_a_board_have_half_of_its_watts_each),
        cmocka_unit_test(test_gpus_are_not_modelled_beside_one_that_is_measured),
        cmocka_unit_test(test_utilisation_goes_from_idle_to_the_boards_watts),
        cmocka_unit_test(test_gpus_need_no_busy_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
