/*
 * NVIDIA GPUs: what is found, which index it has, how it is read, and what happens when it cannot.
 * The program runs itself three times: with the library of tests/fake, with that of an old driver,
 * and with none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "machine.h"
#include "sensors/nvml_api.h"
#include "sensors/sensors.h"
#include "sensors/source.h"
#include "sensors/topology.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct machine one_socket = {
    .packages = 1, .cores = 2, .threads = 1, .memory_mb = 4096};
static const struct machine two_sockets = {
    .packages = 2, .cores = 2, .threads = 1, .memory_mb = 4096};

struct world {
    struct tree tree; /* SensorRoot, and the fake GPUs in fake/ */
    struct topology *topology;
    struct sensors *sensors;
};

static void load_machine(struct world *world, const struct machine *machine)
{
    struct error err = {""};

    machine_write(&world->tree, machine);
    topology_free(world->topology);
    world->topology = NULL;
    if (topology_load(world->tree.path, &world->topology, &err) < 0)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    static struct world world;
    char path[PATH_MAX + 8];

    world = (struct world){.topology = NULL};
    tree_make(&world.tree);
    tree_write(&world.tree, "proc/driver/nvidia/version", "NVRM version: fake\n");
    tree_mkdir(&world.tree, "fake");
    snprintf(path, sizeof(path), "%s/fake", world.tree.path);
    setenv("FAKE_NVML_DIR", path, 1);
    load_machine(&world, &two_sockets);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    sensors_close(world->sensors);
    topology_free(world->topology);
    tree_free(&world->tree);
    return 0;
}

/* One file of a GPU. */
static void set(struct world *world, unsigned gpu, const char *file, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "fake/gpu%u/%s", gpu, file);
    if (text)
        tree_write(&world->tree, path, "%s\n", text);
    else
        tree_remove(&world->tree, path);
}

static void set_number(struct world *world, unsigned gpu, const char *file, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%ju", (uintmax_t)number);
    set(world, gpu, file, text);
}

#define UUID(n) "GPU-00000000-0000-0000-0000-00000000000" n

static void add_gpu(struct world *world, unsigned gpu, const char *name, unsigned bus)
{
    char text[64];

    snprintf(text, sizeof(text), "GPU-00000000-0000-0000-0000-%012u", gpu);
    set(world, gpu, "uuid", text);
    set(world, gpu, "name", name);
    snprintf(text, sizeof(text), "00000000:%02X:00.0", bus);
    set(world, gpu, "bus_id", text);
    set_number(world, gpu, "minor", gpu);
    set_number(world, gpu, "energy_mj", 1000 * (gpu + 1));
    set_number(world, gpu, "power_mw", 100000);
    set_number(world, gpu, "power_limit_mw", 700000);
}

#define H100 "NVIDIA H100 80GB HBM3"

static int try_open(struct world *world, const char *list, bool apart, struct error *err)
{
    struct sensor_options options = {
        .root_fd = world->tree.fd, .list = list, .topology = world->topology, .apart = apart};

    sensors_close(world->sensors);
    world->sensors = NULL;
    return sensors_open(&options, &world->sensors, err);
}

static void open_list(struct world *world, const char *list)
{
    struct error err = {""};

    if (try_open(world, list, false, &err) < 0)
        fail_msg("%s", err.text);
}

static const struct sensor_counter *counter_of(struct world *world, size_t index)
{
    assert_true(index < sensors_count(world->sensors));
    return sensors_counter(world->sensors, index);
}

static struct sensor_reading read_one(struct world *world, size_t index)
{
    sensors_ask(world->sensors, clock_boottime_ns(), false);
    sensors_take(world->sensors, clock_boottime_ns(), 0);
    return *sensors_reading(world->sensors, index);
}

static void assert_reads(struct world *world, size_t index, uint64_t raw_uj)
{
    struct sensor_reading reading = read_one(world, index);

    assert_int_equal(reading.code, 0);
    assert_int_equal(reading.raw_uj, raw_uj);
}

static const char *reason_of(struct world *world, const char *source)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(world->sensors, &list);

    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].source, source) == 0)
            return list[i].reason;
    fail_msg("%s is not left out", source);
    return NULL;
}

/* As after 5 s: a lost device may be looked for. */
static void pass_pause(struct world *world)
{
    for (size_t i = 0; i < world->sensors->n_slots; i++)
        if (world->sensors->slots[i].retry_ns)
            world->sensors->slots[i].retry_ns = 1;
}

/* --- what is found --- */

static void test_gpus_have_the_order_of_their_bus_whatever_their_numbers(void **state)
{
    /* gpu0 … gpu7 are at these */
    static const unsigned bus[] = {0xc1, 0x1b, 0xcb, 0x43, 0x52, 0x9d, 0xdf, 0x61};
    static const unsigned order[] = {1, 3, 4, 7, 5, 0, 2, 6};
    struct world *world = *state;

    for (unsigned gpu = 0; gpu < 8; gpu++)
        add_gpu(world, gpu, H100, bus[gpu]);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 8);
    for (unsigned i = 0; i < 8; i++) {
        const struct sensor_counter *counter = counter_of(world, i);
        char text[96];

        snprintf(text, sizeof(text), "nvml:GPU-00000000-0000-0000-0000-%012u", order[i]);
        assert_string_equal(counter->source, text);
        snprintf(text, sizeof(text), H100 " 0000:%02x:00.0 /dev/nvidia%u", bus[order[i]], order[i]);
        assert_string_equal(counter->device, text);
        assert_string_equal(counter->sensor, "nvml");
        assert_int_equal(counter->domain, i);
        assert_int_equal(counter->component, COMPONENT_GPU);
        assert_int_equal(counter->quality, QUALITY_MEASURED);
        assert_int_equal(counter->range_uj, 0);
        assert_int_equal(counter->max_uw, UINT64_C(1050000000));
        assert_false(counter->fresh);
        assert_int_equal(world->sensors->slots[i].part, PART_GPU);
        assert_reads(world, i, UINT64_C(1000000) * (order[i] + 1));
    }
}

static void test_what_is_believed_follows_the_highest_limit(void **state)
{
    static const struct {
        const char *limit_mw, *max_mw;
        uint64_t max_uw;
    } cases[] = {
        {"300000", "700000", 1050000000}, /* capped now, and may be raised */
        {"700000", NULL, 1050000000},
        {NULL, NULL, 1680000000},
        {"?", NULL, 1680000000},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        add_gpu(world, 0, H100, 1);
        set(world, 0, "power_limit_mw", cases[i].limit_mw);
        set(world, 0, "power_max_mw", cases[i].max_mw);
        open_list(world, "nvml");
        assert_int_equal(counter_of(world, 0)->max_uw, cases[i].max_uw);
    }
}

static void test_nothing_to_read_is_an_error_with_a_remedy(void **state)
{
    static const struct {
        const char *init_error, *error;
        const char *text;
    } cases[] = {
        {NULL, NULL, "no GPU can be read"}, /* there is none */
        {"9", NULL, "modprobe nvidia"},
        {"18", NULL, "different versions"},
        {"4", NULL, "/dev/nvidiactl"},
        {"999", NULL, "error 999"},
        {NULL, "15", "no GPU can be read"},
    };
    struct world *world = *state;
    struct error err = {""};

    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].error) {
            add_gpu(world, 0, H100, 1);
            set(world, 0, "error", cases[i].error);
        }
        tree_write(&world->tree, "fake/init_error", "%s\n",
                   cases[i].init_error ? cases[i].init_error : "0");
        assert_int_equal(try_open(world, "nvml", false, &err), -ENODEV);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    tree_remove(&world->tree, "fake/init_error");
    /* the library is not touched when the tree does not have the driver */
    tree_write(&world->tree, "fake/crash", "1");
    tree_remove(&world->tree, "proc/driver");
    assert_int_equal(try_open(world, "nvml", false, &err), -ENODEV);
    assert_non_null(strstr(err.text, "modprobe nvidia"));
}

static void test_auto_models_the_packages_beside_the_gpus(void **state)
{
    struct world *world = *state;

    tree_write(&world->tree, "proc/stat", "cpu 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\nintr 0\n");
    add_gpu(world, 0, H100, 1);
    open_list(world, "auto");
    assert_int_equal(sensors_count(world->sensors), 3);
    assert_string_equal(counter_of(world, 0)->source, "nvml:" UUID("0"));
    assert_string_equal(counter_of(world, 1)->source, "modelled:0");
}

static void test_gpu_that_is_lost_at_the_start_leaves_the_others_their_index(void **state)
{
    struct world *world = *state;

    for (unsigned gpu = 0; gpu < 3; gpu++)
        add_gpu(world, gpu, H100, 1 + gpu);
    set(world, 1, "error", "15");
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 2);
    assert_int_equal(counter_of(world, 0)->domain, 0);
    assert_int_equal(counter_of(world, 1)->domain, 2);
    assert_string_equal(counter_of(world, 1)->source, "nvml:" UUID("2"));
    assert_non_null(strstr(reason_of(world, "nvml:1"), "fell off"));
}

static void test_garbage_about_a_gpu_is_no_counter_or_no_harm(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    set(world, 0, "uuid", "");
    add_gpu(world, 1, H100, 2);
    set(world, 1, "minor", "many");
    set(world, 1, "bus_id", "xx");
    set(world, 1, "name", "");
    set(world, 1, "mig", "garbage");
    add_gpu(world, 2, "0123456789012345678901234567890123456789012345678901234567890123456789"
                      "01234567890123456789",
            3);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 2);
    assert_string_equal(counter_of(world, 0)->source, "nvml:" UUID("2"));
    assert_string_equal(counter_of(world, 1)->source, "nvml:" UUID("1")); /* "xx" comes last */
    assert_non_null(strstr(reason_of(world, "nvml:0"), "no UUID"));
}

/* --- slices --- */

static void test_slices_share_their_gpus_energy_by_their_size(void **state)
{
    static const uint64_t energy_uj[] = {3000000, 2000000, 1000000, 1000000};
    struct world *world = *state;
    uint64_t sum_uj = 0;

    add_gpu(world, 0, "NVIDIA A100-SXM4-40GB", 1);
    set(world, 0, "mig", "MIG-a 3 20096\nMIG-b 2 9984\nMIG-c 1 4864\nMIG-d 1 4864");
    set_number(world, 0, "energy_mj", 7000);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 4);
    for (unsigned i = 0; i < 4; i++) {
        char source[64];

        snprintf(source, sizeof(source), "nvml:" UUID("0") "/%u", i);
        assert_string_equal(counter_of(world, i)->source, source);
        assert_int_equal(counter_of(world, i)->domain, i);
        assert_int_equal(counter_of(world, i)->max_uw, 1050 * energy_uj[i] / 7);
        assert_reads(world, i, energy_uj[i]);
        sum_uj += energy_uj[i];
    }
    assert_string_equal(counter_of(world, 1)->device, "NVIDIA A100-SXM4-40GB MIG-b");
    assert_int_equal(sum_uj, 7000000);
}

/* As slurmd lists them, with AutoDetect=nvml. */
static void test_slices_are_numbered_as_slurm_does(void **state)
{
    static const struct {
        const char *mig[3]; /* by bus; NULL: no GPU; "": MIG is off */
        const char *order[8];
    } cases[] = {
        {{"M 1 1\nM 1 1", "M 1 1\nM 1 1", NULL}, {"0/0", "1/0", "0/1", "1/1"}},
        {{"M 4 1\nM 2 1\nM 1 1", "", NULL}, {"0/0", "0/1", "1", "0/2"}},
        {{"", "M 4 1\nM 2 1", ""}, {"0", "1/0", "1/1", "2"}},
        {{"", "", ""}, {"0", "1", "2"}},
        /* MIG is on and no slice was made: all of it */
        {{"-", "M 7 1", NULL}, {"0", "1/0"}},
        {{"M 1 1\n-\nM 1 1", NULL, NULL}, {"0/0", "0/2"}},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        tree_remove(&world->tree, "fake");
        for (unsigned gpu = 0; gpu < 3 && cases[i].mig[gpu]; gpu++) {
            add_gpu(world, gpu, H100, 1 + gpu);
            if (cases[i].mig[gpu][0])
                set(world, gpu, "mig", cases[i].mig[gpu]);
        }
        open_list(world, "nvml");
        for (unsigned k = 0; k < COUNT(cases[i].order) && cases[i].order[k]; k++) {
            char source[96];

            snprintf(source, sizeof(source), "nvml:GPU-00000000-0000-0000-0000-00000000000%s",
                     cases[i].order[k]);
            assert_string_equal(counter_of(world, k)->source, source);
            assert_int_equal(counter_of(world, k)->domain, k);
        }
    }
}

static void test_slices_of_unknown_size_share_alike(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    set(world, 0, "mig", "MIG-a 4 1\nMIG-b 0 1");
    set_number(world, 0, "energy_mj", 1001);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 2);
    assert_reads(world, 0, 500500);
    assert_reads(world, 1, 500500);
}

/* --- modules --- */

#define GH200 "NVIDIA GH200 480GB"

/* A counter of a package, through the one other source that this test has. */
static void set_package(struct world *world, unsigned package, uint64_t energy_uj)
{
    char file[96];

    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%u/name", package);
    tree_write(&world->tree, file, "package-%u\n", package);
    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%u/max_energy_range_uj", package);
    tree_write(&world->tree, file, "262143328850\n");
    snprintf(file, sizeof(file), "sys/class/powercap/intel-rapl:%u/energy_uj", package);
    tree_write(&world->tree, file, "%ju\n", (uintmax_t)energy_uj);
}

static void set_node(struct world *world, unsigned bus, const char *node)
{
    char file[96];

    snprintf(file, sizeof(file), "sys/bus/pci/devices/0000:%02x:00.0/numa_node", bus);
    tree_write(&world->tree, file, "%s\n", node);
    tree_write(&world->tree, "sys/devices/system/node/node0/cpulist", "0-1\n");
    tree_write(&world->tree, "sys/devices/system/node/node1/cpulist", "2-3\n");
}

static void test_gh200_is_a_module_and_less_its_package(void **state)
{
    struct world *world = *state;

    load_machine(world, &one_socket);
    set_package(world, 0, 1000000);
    add_gpu(world, 0, GH200, 1);
    open_list(world, "auto");
    assert_int_equal(sensors_count(world->sensors), 2);
    assert_int_equal(world->sensors->slots[1].part, PART_MODULE);
    assert_int_equal(world->sensors->slots[1].package, 0);
    assert_int_equal(counter_of(world, 1)->component, COMPONENT_GPU);
    assert_int_equal(counter_of(world, 1)->max_uw, 1050000000 + 600000000);
    assert_true(counter_of(world, 1)->fresh);
    assert_reads(world, 1, 0);
    set_package(world, 0, 5000000);
    set_number(world, 0, "energy_mj", 11000); /* 10 J more, 4 of them the package's */
    assert_reads(world, 1, 6000000);
    set(world, 0, "error", "15");
    assert_int_equal(read_one(world, 1).code, -ENODEV);
}

static void test_gh200_alone_counts_all_of_its_module(void **state)
{
    struct world *world = *state;

    load_machine(world, &one_socket);
    tree_write(&world->tree, "proc/stat", "cpu 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\nintr 0\n");
    add_gpu(world, 0, GH200, 1);
    open_list(world, "auto");
    assert_int_equal(sensors_count(world->sensors), 1);
    assert_false(counter_of(world, 0)->fresh);
    assert_reads(world, 0, 1000000);
    assert_non_null(strstr(reason_of(world, "modelled:0"), "the module that contains it"));
}

static void test_module_of_a_gpu_is_that_of_its_nearest_package(void **state)
{
    static const struct {
        const char *nodes[2];
        int packages[2]; /* -1: no module is known, so its own power is read */
    } cases[] = {
        {{"1", "0"}, {1, 0}},
        {{"-1", "-1"}, {0, 1}}, /* in their order */
        {{NULL, NULL}, {0, 1}},
        {{"1", "-1"}, {1, -1}},
        {{"0", "0"}, {-1, -1}}, /* two on one package: what their counters hold is not known */
        {{"7", "0"}, {-1, 0}},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        tree_remove(&world->tree, "sys/bus");
        for (unsigned gpu = 0; gpu < 2; gpu++) {
            add_gpu(world, gpu, GH200, 1 + gpu);
            if (cases[i].nodes[gpu])
                set_node(world, 1 + gpu, cases[i].nodes[gpu]);
        }
        open_list(world, "nvml");
        for (unsigned gpu = 0; gpu < 2; gpu++) {
            const struct sensor_slot *slot = &world->sensors->slots[gpu];

            assert_int_equal(slot->part, cases[i].packages[gpu] < 0 ? PART_GPU : PART_MODULE);
            assert_int_equal(slot->counter.fresh, cases[i].packages[gpu] < 0);
            if (cases[i].packages[gpu] >= 0)
                assert_int_equal(slot->package, cases[i].packages[gpu]);
        }
    }
}

static void test_gh200s_slices_share_what_is_left_of_the_module(void **state)
{
    struct world *world = *state;

    load_machine(world, &one_socket);
    set_package(world, 0, 1000000);
    add_gpu(world, 0, GH200, 1);
    set(world, 0, "mig", "MIG-a 3 1\nMIG-b 1 1");
    open_list(world, "auto");
    assert_int_equal(sensors_count(world->sensors), 3);
    assert_reads(world, 1, 0);
    set_package(world, 0, 5000000);
    set_number(world, 0, "energy_mj", 13000); /* 12 J more, 4 of them the package's */
    assert_reads(world, 1, 6000000);
    assert_reads(world, 2, 2000000);
}

static void test_gpu_of_a_shared_module_is_read_by_its_own_power(void **state)
{
    static const struct {
        const char *name, *c2c;
    } cases[] = {{"NVIDIA GB200", NULL}, {"NVIDIA GB300", NULL}, {"NVIDIA of tomorrow", "1"}};
    struct world *world = *state;
    struct sensor_reading reading;

    for (size_t i = 0; i < COUNT(cases); i++) {
        add_gpu(world, 0, cases[i].name, 1);
        if (cases[i].c2c)
            set(world, 0, "c2c", cases[i].c2c);
        open_list(world, "nvml");
        assert_int_equal(world->sensors->slots[0].part, PART_GPU);
        assert_true(counter_of(world, 0)->fresh);
        assert_reads(world, 0, 0);
        poll(NULL, 0, 20);
        reading = read_one(world, 0); /* 100 W, so 2 J in 20 ms */
        assert_int_equal(reading.code, 0);
        assert_in_range(reading.raw_uj, 2000000, 200000000);
    }
}

/* --- without an energy counter --- */

static void test_gpu_without_energy_counter_has_its_power_integrated(void **state)
{
    struct world *world = *state;
    struct sensor_reading reading;

    add_gpu(world, 0, "Tesla P100-PCIE-16GB", 1);
    set(world, 0, "energy_supported", "0");
    add_gpu(world, 1, H100, 2);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 2);
    assert_true(counter_of(world, 0)->fresh);
    assert_false(counter_of(world, 1)->fresh);
    assert_int_equal(counter_of(world, 0)->quality, QUALITY_MEASURED);
    assert_reads(world, 0, 0);
    poll(NULL, 0, 20);
    reading = read_one(world, 0);
    assert_int_equal(reading.code, 0);
    assert_in_range(reading.raw_uj, 2000000, 200000000);
    set(world, 0, "power_mw", "?");
    assert_int_equal(read_one(world, 0).code, -EIO);
    set(world, 0, "power_mw", "100000");
    assert_true(read_one(world, 0).raw_uj >= reading.raw_uj);
}

static void test_gpu_with_neither_is_left_out_with_the_reason(void **state)
{
    struct world *world = *state;

    tree_write(&world->tree, "fake/energy_supported", "0\n");
    add_gpu(world, 0, "GeForce GTX 1050", 1);
    set(world, 0, "power_mw", NULL);
    add_gpu(world, 1, "Tesla P100-PCIE-16GB", 2);
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 1);
    assert_int_equal(counter_of(world, 0)->domain, 1);
    assert_non_null(strstr(reason_of(world, "nvml:" UUID("0")), "neither energy nor power"));
}

/* --- faults --- */

static void test_every_fault_has_its_code_and_passes(void **state)
{
    static const struct {
        const char *error, *energy_mj;
        int code;
    } cases[] = {
        {"15", "1", -ENODEV},                 /* lost */
        {"1", "1", -ENODEV},                  /* not initialised any more */
        {"9", "1", -ENODEV},                  /* the driver is gone */
        {"16", "1", -ENODEV},                 /* must be reset */
        {"18", "1", -ENODEV},                 /* the driver is another one */
        {"2", "1", -ENODEV},                  /* the handle is from before */
        {"4", "1", -EACCES},
        {"3", "1", -EOPNOTSUPP},
        {"10", "1", -ETIMEDOUT},
        {"20", "1", -ENOMEM},
        {"999", "1", -EIO},
        {"4711", "1", -EIO},
        {"0", "garbage", -EIO},
        {"0", "", -EIO},
        {"0", "18446744073709551615", -EBADMSG},
    };
    struct world *world = *state;
    struct fd_count before;

    add_gpu(world, 0, H100, 1);
    add_gpu(world, 1, H100, 2);
    open_list(world, "nvml");
    assert_reads(world, 0, 1000000);
    before = count_fds();
    for (size_t i = 0; i < COUNT(cases); i++) {
        set(world, 0, "error", cases[i].error);
        set(world, 0, "energy_mj", cases[i].energy_mj);
        assert_int_equal(read_one(world, 0).code, cases[i].code);
        assert_reads(world, 1, 2000000); /* the neighbour goes on */
        set(world, 0, "error", NULL);
        set(world, 0, "energy_mj", "2000");
        pass_pause(world);
        assert_reads(world, 0, 2000000);
        assert_reads(world, 1, 2000000);
    }
    assert_int_equal(count_fds().all, before.all);
}

static void test_values_are_told_as_they_are(void **state)
{
    static const uint64_t energy_mj[] = {
        1000, 1000, 1000000, 5, 0, UINT64_MAX / 1000, UINT64_C(1) << 53,
    };
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    for (size_t i = 0; i < COUNT(energy_mj); i++) { /* stuck, spike, driver reloaded */
        set_number(world, 0, "energy_mj", energy_mj[i]);
        assert_reads(world, 0, energy_mj[i] * 1000);
    }
}

static void test_lost_gpu_is_not_looked_for_at_every_tick(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    set(world, 0, "error", "15");
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    set(world, 0, "error", NULL);
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    assert_true(world->sensors->slots[0].retry_ns > clock_boottime_ns());
    pass_pause(world);
    assert_reads(world, 0, 1000000);
}

static void test_gpu_that_fails_for_long_is_looked_for_anew(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    set(world, 0, "error", "999");
    assert_int_equal(read_one(world, 0).code, -EIO);
    assert_int_equal(read_one(world, 0).code, -EIO);
    assert_non_null(world->sensors->slots[0].device);
    pass_pause(world);
    assert_int_equal(read_one(world, 0).code, -EIO);
    assert_null(world->sensors->slots[0].device);
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    set(world, 0, "error", NULL);
    pass_pause(world);
    assert_reads(world, 0, 1000000);
}

static void test_gpu_is_known_by_its_uuid(void **state)
{
    struct world *world = *state;

    add_gpu(world, 1, H100, 2);
    open_list(world, "nvml");
    set(world, 1, "error", "15");
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    /* another one is in its place, and it is in another */
    set(world, 1, "error", NULL);
    set(world, 1, "bus_id", "00000000:09:00.0");
    add_gpu(world, 0, H100, 2);
    pass_pause(world);
    assert_reads(world, 0, 2000000);
    set(world, 1, "error", "15");
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    set(world, 1, "error", NULL);
    set(world, 1, "uuid", "GPU-of-somebody-else");
    pass_pause(world);
    assert_int_equal(read_one(world, 0).code, -ENODEV);
}

/* Initialising as root would load the driver that was unloaded a moment ago. */
static void test_library_is_left_alone_while_the_driver_is_away(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    set(world, 0, "error", "9");
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    tree_remove(&world->tree, "proc/driver");
    tree_write(&world->tree, "fake/init_error", "18\n"); /* would be told as such */
    pass_pause(world);
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    tree_write(&world->tree, "fake/crash", "1\n"); /* whatever is called now ends the test */
    pass_pause(world);
    assert_int_equal(read_one(world, 0).code, -ENODEV);
    tree_remove(&world->tree, "fake/crash");
    tree_remove(&world->tree, "fake/init_error");
    tree_write(&world->tree, "proc/driver/nvidia/version", "NVRM version: newer\n");
    set(world, 0, "error", NULL);
    set(world, 0, "energy_mj", "3");
    pass_pause(world);
    assert_reads(world, 0, 3000);
}

static void test_two_sensors_of_one_process_do_not_disturb_each_other(void **state)
{
    struct world *world = *state;
    struct sensors *first;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    first = world->sensors;
    world->sensors = NULL;
    open_list(world, "nvml");
    assert_reads(world, 0, 1000000);
    sensors_take(first, clock_boottime_ns(), 0);
    assert_int_equal(sensors_reading(first, 0)->code, 0);
    sensors_close(first);
    assert_reads(world, 0, 1000000);
}

static void test_slow_call_is_waited_for_in_this_process(void **state)
{
    struct world *world = *state;

    add_gpu(world, 0, H100, 1);
    open_list(world, "nvml");
    set(world, 0, "delay_ms", "30");
    assert_reads(world, 0, 1000000);
}

/* --- in a process of its own --- */

static uint64_t ahead_ns; /* how far a test's clock is ahead, so as not to wait for pauses */

static int take(struct world *world, size_t index, uint64_t wait_ms)
{
    sensors_ask(world->sensors, clock_boottime_ns() + ahead_ns, false);
    sensors_take(world->sensors, clock_boottime_ns(), clock_boottime_ns() + wait_ms * 1000000);
    return sensors_reading(world->sensors, index)->code;
}

/* Take until a counter's code is this one, for 10 s at most. */
static void wait_for(struct world *world, size_t index, int code)
{
    int last = 0;

    for (int i = 0; i < 100; i++) {
        last = take(world, index, 100);
        if (last == code)
            return;
        poll(NULL, 0, 100);
    }
    fail_msg("counter %zu has code %d, not %d", index, last, code);
}

/* A package and two GPUs, the latter apart. */
static void open_apart(struct world *world)
{
    const struct rlimit no_core = {0, 0};
    struct error err = {""};

    setrlimit(RLIMIT_CORE, &no_core);
    ahead_ns = 0;
    load_machine(world, &one_socket);
    set_package(world, 0, 1000000);
    add_gpu(world, 0, H100, 1);
    add_gpu(world, 1, H100, 2);
    if (try_open(world, "powercap,nvml", true, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sensors_count(world->sensors), 3);
    wait_for(world, 1, 0);
    assert_int_equal(sensors_reading(world->sensors, 1)->raw_uj, 1000000);
}

static void test_slow_gpu_delays_nobody(void **state)
{
    struct world *world = *state;
    uint64_t before_ns;

    open_apart(world);
    set(world, 1, "delay_ms", "5000");
    before_ns = clock_boottime_ns();
    assert_int_equal(take(world, 2, 200), -ETIMEDOUT);
    assert_int_equal(sensors_reading(world->sensors, 0)->code, 0);
    assert_int_equal(take(world, 2, 200), -ETIMEDOUT);
    assert_in_range(clock_boottime_ns() - before_ns, 150000000, UINT64_C(2000000000));
    set(world, 1, "delay_ms", NULL);
    wait_for(world, 2, 0);
}

static void test_crash_of_the_library_leaves_the_others_alone(void **state)
{
    struct world *world = *state;

    open_apart(world);
    tree_write(&world->tree, "fake/crash", "1\n");
    wait_for(world, 1, -ECHILD);
    assert_int_equal(sensors_reading(world->sensors, 0)->code, 0);
    tree_remove(&world->tree, "fake/crash");
    assert_int_equal(take(world, 1, 100), -ECHILD);
    ahead_ns = 6 * NS_PER_S;
    wait_for(world, 1, 0);
    assert_int_equal(sensors_reading(world->sensors, 1)->raw_uj, 1000000);
}

/* Another version of the driver: this process's library is of no use any more. */
static void test_new_driver_is_read_by_a_new_process(void **state)
{
    struct world *world = *state;

    open_apart(world);
    set(world, 0, "error", "18");
    wait_for(world, 1, -ENODEV);
    wait_for(world, 1, -ECHILD);
    assert_int_equal(sensors_reading(world->sensors, 0)->code, 0);
    set(world, 0, "error", NULL);
    ahead_ns = 6 * NS_PER_S;
    wait_for(world, 1, 0);
}

static void test_new_process_that_finds_nothing_is_not_the_last(void **state)
{
    struct world *world = *state;

    open_apart(world);
    set(world, 0, "error", "18");
    tree_write(&world->tree, "fake/init_error", "18\n");
    wait_for(world, 1, -ECHILD);
    ahead_ns = 6 * NS_PER_S; /* begun anew, in vain */
    for (int i = 0; i < 10; i++) {
        int code = take(world, 1, 50); /* no process, or one that found nothing */

        assert_true(code == -ECHILD || code == -ENODEV);
        poll(NULL, 0, 20);
    }
    set(world, 0, "error", NULL);
    tree_remove(&world->tree, "fake/init_error");
    ahead_ns += 11 * NS_PER_S;
    wait_for(world, 1, 0);
    wait_for(world, 2, 0);
}

static void test_descriptors_are_not_inherited_nor_left_open(void **state)
{
    struct world *world = *state;
    struct fd_count before = count_fds();

    open_apart(world);
    assert_int_equal(count_fds().inherited, before.inherited);
    world->sensors = sensors_close(world->sensors);
    open_list(world, "nvml");
    assert_int_equal(count_fds().inherited, before.inherited);
    world->sensors = sensors_close(world->sensors);
    assert_int_equal(count_fds().all, before.all);
}

/* --- with the library of an old driver, and with none --- */

static void test_old_driver_has_its_power_integrated(void **state)
{
    struct world *world = *state;
    struct sensor_reading reading;

    add_gpu(world, 0, "Tesla K80", 1);
    set(world, 0, "mig", "MIG-a 1 1\nMIG-b 1 1");
    add_gpu(world, 1, GH200, 2); /* which it does not know to be one of two in a module */
    open_list(world, "nvml");
    assert_int_equal(sensors_count(world->sensors), 1);
    assert_string_equal(counter_of(world, 0)->source, "nvml:" UUID("0"));
    assert_string_equal(counter_of(world, 0)->device, "Tesla K80 0000:01:00.0 /dev/nvidia0");
    assert_true(counter_of(world, 0)->fresh);
    assert_reads(world, 0, 0);
    poll(NULL, 0, 20);
    reading = read_one(world, 0);
    assert_int_equal(reading.code, 0);
    assert_in_range(reading.raw_uj, 2000000, 200000000);
    assert_non_null(strstr(reason_of(world, "nvml:" UUID("1")), "neither energy nor power"));
}

static void test_missing_library_is_an_error_that_names_its_package(void **state)
{
    struct world *world = *state;
    void *library = dlopen(NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    struct error err = {""};

    if (library) {
        dlclose(library);
        skip();
    }
    add_gpu(world, 0, H100, 1);
    assert_int_equal(try_open(world, "nvml", false, &err), -ENODEV);
    assert_non_null(strstr(err.text, NVML_LIBRARY));
    assert_non_null(strstr(err.text, "libnvidia-ml1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run_new(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gpus_have_the_order_of_their_bus_whatever_their_numbers),
        TEST(test_what_is_believed_follows_the_highest_limit),
        TEST(test_nothing_to_read_is_an_error_with_a_remedy),
        TEST(test_auto_models_the_packages_beside_the_gpus),
        TEST(test_gpu_that_is_lost_at_the_start_leaves_the_others_their_index),
        TEST(test_garbage_about_a_gpu_is_no_counter_or_no_harm),
        TEST(test_slices_share_their_gpus_energy_by_their_size),
        TEST(test_slices_are_numbered_as_slurm_does),
        TEST(test_slices_of_unknown_size_share_alike),
        TEST(test_gh200_is_a_module_and_less_its_package),
        TEST(test_gh200_alone_counts_all_of_its_module),
        TEST(test_module_of_a_gpu_is_that_of_its_nearest_package),
        TEST(test_gh200s_slices_share_what_is_left_of_the_module),
        TEST(test_gpu_of_a_shared_module_is_read_by_its_own_power),
        TEST(test_gpu_without_energy_counter_has_its_power_integrated),
        TEST(test_gpu_with_neither_is_left_out_with_the_reason),
        TEST(test_every_fault_has_its_code_and_passes),
        TEST(test_values_are_told_as_they_are),
        TEST(test_lost_gpu_is_not_looked_for_at_every_tick),
        TEST(test_gpu_that_fails_for_long_is_looked_for_anew),
        TEST(test_gpu_is_known_by_its_uuid),
        TEST(test_library_is_left_alone_while_the_driver_is_away),
        TEST(test_two_sensors_of_one_process_do_not_disturb_each_other),
        TEST(test_slow_call_is_waited_for_in_this_process),
        TEST(test_slow_gpu_delays_nobody),
        TEST(test_crash_of_the_library_leaves_the_others_alone),
        TEST(test_new_driver_is_read_by_a_new_process),
        TEST(test_new_process_that_finds_nothing_is_not_the_last),
        TEST(test_descriptors_are_not_inherited_nor_left_open),
    };

    return cmocka_run_group_tests_name("library", tests, NULL, NULL);
}

static int run_old(void)
{
    const struct CMUnitTest tests[] = {TEST(test_old_driver_has_its_power_integrated)};

    return cmocka_run_group_tests_name("old library", tests, NULL, NULL);
}

static int run_none(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_missing_library_is_an_error_that_names_its_package)};

    return cmocka_run_group_tests_name("no library", tests, NULL, NULL);
}

/* Where a library is looked for is settled when a program starts: so this one starts itself. */
static int run_again_with(const char *variant, const char *folder, char *argv[])
{
    const char *build = getenv("top_builddir");
    char path[PATH_MAX], self[PATH_MAX] = "";
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
            _exit(127);
        snprintf(path, sizeof(path), "%s/tests/fake/%s/.libs", build ? build : ".", folder);
        setenv("LD_LIBRARY_PATH", path, 1);
        setenv("TEST_NVML", variant, 1);
        execv(self, argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char *argv[])
{
    const char *variant = getenv("TEST_NVML");

    (void)argc;
    if (!variant)
        return run_again_with("new", "nvml", argv) + run_again_with("old", "nvml_old", argv) +
               run_again_with("none", "nowhere", argv);
    if (strcmp(variant, "new") == 0)
        return run_new();
    return strcmp(variant, "old") == 0 ? run_old() : run_none();
}
