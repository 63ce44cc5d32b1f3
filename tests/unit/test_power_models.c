/* Which row of power_models.c serves a processor, and what the model makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_find_their_row),
        cmocka_unit_test(test_rows_make_sense),
        cmocka_unit_test(test_fields_of_the_first_cpu),
        cmocka_unit_test(test_package_is_modelled_by_its_row_unless_watts_are_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
