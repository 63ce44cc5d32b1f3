/* Topology, busy time, the modelled sensor, and which sensor counts what. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "machine.h"
#include "sensors/busy.h"
#include "sensors/modelled.h"
#include "sensors/sensors.h"
#include "sensors/source.h"
#include "sensors/topology.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct machine two_sockets = {
    .packages = 2, .cores = 2, .threads = 2, .interleaved = 1, .memory_mb = 4096};

static struct topology *load(struct tree *tree, const struct machine *machine)
{
    struct topology *topology = NULL;
    struct error err = {""};

    machine_write(tree, machine);
    if (topology_load(tree->path, &topology, &err) < 0)
        fail_msg("%s", err.text);
    return topology;
}

/* One counter as it is now: 0, or the code of the reading. */
static int read_counter(struct sensors *sensors, size_t index, uint64_t *ret_raw_uj)
{
    const struct sensor_reading *reading;

    sensors_ask(sensors, clock_boottime_ns(), false);
    sensors_take(sensors, clock_boottime_ns(), 0);
    reading = sensors_reading(sensors, index);
    if (reading->code == 0)
        *ret_raw_uj = reading->raw_uj;
    return reading->code;
}

/* --- topology --- */

static void test_cores_are_numbered_package_by_package(void **state)
{
    static const uint16_t core_package[] = {0, 0, 1, 1};
    static const int16_t cpu_package[] = {0, 1, 0, 1, 0, 1, 0, 1};
    struct topology *topology = load(*state, &two_sockets);

    assert_int_equal(topology->n_packages, 2);
    assert_int_equal(topology->n_cores, 4);
    assert_int_equal(topology->n_cpus, 8);
    assert_int_equal(topology->cpu_limit, 8);
    assert_int_equal(topology->memory_mb, 4096);
    assert_memory_equal(topology->core_package, core_package, sizeof(core_package));
    assert_memory_equal(topology->cpu_package, cpu_package, sizeof(cpu_package));
    assert_int_equal(topology->package_os[0], 0);
    assert_int_equal(topology->package_os[1], 1);
    assert_int_equal(topology->package_cpus[0], 4);
    assert_int_equal(topology->package_cpus[1], 4);
    topology_free(topology);
}

static void test_machine_of_unknown_packages_has_one(void **state)
{
    const struct machine machine = {
        .packages = 1, .cores = 3, .threads = 1, .first_package_os = -1, .memory_mb = 100};
    struct topology *topology = load(*state, &machine);

    assert_int_equal(topology->n_packages, 1);
    assert_int_equal(topology->n_cores, 3);
    assert_int_equal(topology->core_package[2], 0);
    assert_int_equal(topology->cpu_package[2], 0);
    assert_int_equal(topology->package_cpus[0], 3);
    topology_free(topology);
}

static void test_loading_leaves_the_environment_as_it_was(void **state)
{
    static const char *const names[] = {"HWLOC_FSROOT", "HWLOC_PLUGINS_PATH"};

    setenv("HWLOC_FSROOT", "/elsewhere", 1);
    unsetenv("HWLOC_PLUGINS_PATH");
    topology_free(load(*state, &two_sockets));
    assert_string_equal(getenv(names[0]), "/elsewhere");
    assert_null(getenv(names[1]));
    unsetenv("HWLOC_FSROOT");
}

static void test_tree_without_cpus_is_an_error_that_names_it(void **state)
{
    struct topology *topology = NULL;
    struct tree *tree = *state;
    struct error err;

    assert_int_equal(topology_load(tree->path, &topology, &err), -ENOENT);
    assert_non_null(strstr(err.text, tree->path));
    assert_non_null(strstr(err.text, "sys/devices/system/cpu"));
    assert_null(topology);
}

static void test_this_machine_has_a_topology(void **state)
{
    struct topology *topology = NULL;
    struct error err = {""};

    (void)state;
    if (topology_load("/", &topology, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(topology->n_cpus, sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(topology->n_packages >= 1 && topology->n_cores >= topology->n_packages);
    assert_true(topology->memory_mb > 0);
    topology_free(topology);
}

/* --- busy time --- */

/* Ticks of 10 ms: USER_HZ is 100 wherever Linux runs Slurm; asked all the same. */
static uint64_t ticks_ns(uint64_t ticks)
{
    return ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

struct busy_case {
    const char *stat;
    int rc;
    uint64_t ticks[2]; /* of the packages, after this reading */
};

/* Each reads the file anew, in one reader: offline CPUs keep what they had. */
static const struct busy_case busy_cases[] = {
    /* CPU 0, 2, … on package 0; idle, iowait and guest do not count */
    {"cpu  9 9 9 9 9 9 9 9 9 9\n"
     "cpu0 1 2 4 1000 1000 8 16 32 1000 1000\n"
     "cpu1 100 0 0 0 0 0 0 0 0 0\n"
     "cpu2 200 0 0 0 0 0 0 0 0 0\n"
     "intr 5 cpu3 7\n",
     0,
     {263, 100}},
    /* CPU 2 went offline, CPU 3 came */
    {"cpu  9\ncpu0 70 0 0 0 0 0 0 0\ncpu1 101 0 0 0 0 0 0 0\ncpu3 5 0 0 0 0 0 0 0\nctxt 1\n",
     0,
     {270, 106}},
    /* CPU 2 is back with its count */
    {"cpu0 70\ncpu2 210 0 1 0\nbtime 1\n", 0, {281, 106}},
    /* numbers do not go back */
    {"cpu0 1 0 0 0\nbtime 1\n", 0, {281, 106}},
    /* CPUs that hwloc does not know belong to no package */
    {"cpu0 71 0 0 0\ncpu99 1000 0 0 0\nbtime 1\n", 0, {282, 106}},
    {"", -EBADMSG, {0, 0}},
    {"intr 1 2 3\n", -EBADMSG, {0, 0}},
    /* a file that ends with the CPU lines, and one cut within a line */
    {"cpu0 72 0 0 0\n", 0, {283, 106}},
    {"cpu0 7300", -EBADMSG, {0, 0}},
};

static void test_busy_time_counts_work_and_never_steps_back(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = load(tree, &two_sockets);
    struct busy *busy = NULL;

    tree_write(tree, "proc/stat", "%s", "");
    assert_int_equal(busy_open(tree->fd, topology, &busy), 0);
    for (size_t i = 0; i < COUNT(busy_cases); i++) {
        uint64_t busy_ns[2] = {0, 0};

        tree_write(tree, "proc/stat", "%s", busy_cases[i].stat);
        assert_int_equal(busy_read(busy, busy_ns), busy_cases[i].rc);
        assert_int_equal(busy_ns[0], ticks_ns(busy_cases[i].ticks[0]));
        assert_int_equal(busy_ns[1], ticks_ns(busy_cases[i].ticks[1]));
    }
    busy_close(busy);
    topology_free(topology);
}

static void test_more_cpu_lines_than_room_are_read_to_their_end(void **state)
{
    static char text[65536];
    struct tree *tree = *state;
    struct topology *topology = load(tree, &two_sockets);
    uint64_t busy_ns[2] = {0, 0};
    struct busy *busy = NULL;
    size_t used = 0;

    for (int cpu = 1000; cpu > 0; cpu--)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "cpu%d %d 0 0 5000000 0 0 0 0 0 0\n", cpu, cpu);
    snprintf(text + used, sizeof(text) - used, "intr 1\n");
    tree_write(tree, "proc/stat", "%s", text);
    assert_int_equal(busy_open(tree->fd, topology, &busy), 0);
    assert_int_equal(busy_read(busy, busy_ns), 0);
    assert_int_equal(busy_ns[0], ticks_ns(2 + 4 + 6));
    assert_int_equal(busy_ns[1], ticks_ns(1 + 3 + 5 + 7));
    busy_close(busy);
    topology_free(topology);
}

/* --- the model --- */

static void test_modelled_energy_is_exact(void **state)
{
    static const struct {
        uint64_t idle_uw, full_uw;
        uint32_t cpus;
        uint64_t boottime_ns, busy_ns, energy_uj;
    } cases[] = {
        {10000000, 50000000, 4, NS_PER_S, 0, 10000000},                /* 10 W, 1 s */
        {10000000, 50000000, 4, NS_PER_S, 4 * NS_PER_S, 50000000},     /* all busy */
        {10000000, 50000000, 4, NS_PER_S, NS_PER_S, 20000000},         /* one of four */
        {7, 7, 1, NS_PER_S, 123456789, 7},                             /* no range */
        {1, 2, 3, NS_PER_S, NS_PER_S, 1},                              /* 1.33: rounded once */
        {1, 2, 3, NS_PER_S * 3, NS_PER_S * 3, 4},                      /* 3 + 1 */
        {0, 1000000, 7, 1, 1, 0},
        /* ten years of a package of 1 kW and 1024 CPUs, 1 % busy: (100 + 9) W x 315360000 s */
        {100000000, 1000000000, 1024, UINT64_C(315360000) * NS_PER_S,
         UINT64_C(315360000) * 1024 * (NS_PER_S / 100), UINT64_C(34374240000000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(modelled_energy_uj(cases[i].idle_uw, cases[i].full_uw, cases[i].cpus,
                                            cases[i].boottime_ns, cases[i].busy_ns),
                         cases[i].energy_uj);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* However a history is cut into readings, the differences add up to the whole: no drift. */
static void test_modelled_energy_grows_and_adds_up(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int history = 0; history < 200; history++) {
        uint64_t idle_uw = next_random(&seed) % 100000000;
        uint64_t full_uw = idle_uw + next_random(&seed) % 400000000;
        uint32_t cpus = 1 + (uint32_t)(next_random(&seed) % 256);
        uint64_t boottime_ns = 0, busy_ns = 0, last_uj = 0;

        for (int step = 0; step < 200; step++) {
            uint64_t passed_ns = next_random(&seed), uj;

            boottime_ns += passed_ns;
            busy_ns += next_random(&seed) % (passed_ns * cpus + 1);
            uj = modelled_energy_uj(idle_uw, full_uw, cpus, boottime_ns, busy_ns);
            assert_true(uj >= last_uj);
            /* between all idle and all busy over the whole, within the one rounding */
            assert_true(uj >= modelled_energy_uj(idle_uw, full_uw, cpus, boottime_ns, 0));
            assert_true(uj <= modelled_energy_uj(idle_uw, full_uw, cpus, boottime_ns,
                                                 boottime_ns * cpus));
            last_uj = uj;
        }
    }
}

/* --- which sensor counts what --- */

static void add_zone(struct tree *tree, const char *zone, const char *name, const char *raw_uj)
{
    char file[128];

    snprintf(file, sizeof(file), "sys/class/powercap/%s/name", zone);
    tree_write(tree, file, "%s\n", name);
    snprintf(file, sizeof(file), "sys/class/powercap/%s/max_energy_range_uj", zone);
    tree_write(tree, file, "262143328850\n");
    snprintf(file, sizeof(file), "sys/class/powercap/%s/energy_uj", zone);
    tree_write(tree, file, "%s\n", raw_uj);
}

static void add_constraint(struct tree *tree, const char *zone, int number, const char *max_uw)
{
    char file[128];

    snprintf(file, sizeof(file), "sys/class/powercap/%s/constraint_%d_max_power_uw", zone, number);
    tree_write(tree, file, "%s\n", max_uw);
}

/* Zones are numbered against the packages; proc/stat has 100 ticks for each of eight CPUs. */
static struct topology *add_machine(struct tree *tree)
{
    struct topology *topology = load(tree, &two_sockets);
    char stat[1024] = "cpu 0\n";

    for (int cpu = 0; cpu < 8; cpu++) {
        size_t used = strlen(stat);

        snprintf(stat + used, sizeof(stat) - used, "cpu%d 100 0 0 0 0 0 0 0\n", cpu);
    }
    tree_write(tree, "proc/stat", "%sbtime 1\n", stat);
    return topology;
}

static void add_rapl(struct tree *tree)
{
    add_zone(tree, "intel-rapl:0", "package-1", "1001");
    add_zone(tree, "intel-rapl:0:0", "dram", "1002");
    add_zone(tree, "intel-rapl:1", "package-0", "1003");
    add_zone(tree, "intel-rapl:1:0", "core", "1004");
    add_zone(tree, "intel-rapl:1:1", "dram", "1005");
    add_zone(tree, "intel-rapl:2", "psys", "1006");
}

static struct sensor_options options_for(struct tree *tree, const struct topology *topology,
                                         const char *list)
{
    return (struct sensor_options){.root_fd = tree->fd, .list = list, .topology = topology};
}

static struct sensors *open_sensors(struct tree *tree, const struct topology *topology,
                                    const char *list)
{
    struct sensor_options options = options_for(tree, topology, list);
    struct sensors *sensors = NULL;
    struct error err = {""};

    if (sensors_open(&options, &sensors, &err) < 0)
        fail_msg("%s", err.text);
    return sensors;
}

static void assert_counter(struct sensors *sensors, size_t index, const char *source,
                           enum component component, unsigned domain)
{
    const struct sensor_counter *counter = sensors_counter(sensors, index);

    assert_string_equal(counter->source, source);
    assert_int_equal(counter->component, component);
    assert_int_equal(counter->domain, domain);
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

static void test_auto_counts_packages_and_dram_of_powercap(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;
    uint64_t raw_uj;

    add_rapl(tree);
    add_constraint(tree, "intel-rapl:0", 0, "350000000");
    add_constraint(tree, "intel-rapl:0", 1, "764000000");
    add_constraint(tree, "intel-rapl:1", 0, "4000000000");
    sensors = open_sensors(tree, topology, "auto");
    assert_int_equal(sensors_count(sensors), 4);
    assert_counter(sensors, 0, "intel-rapl:0", COMPONENT_CPU, 1);
    assert_counter(sensors, 1, "intel-rapl:0:0", COMPONENT_MEMORY, 1);
    assert_counter(sensors, 2, "intel-rapl:1", COMPONENT_CPU, 0);
    assert_counter(sensors, 3, "intel-rapl:1:1", COMPONENT_MEMORY, 0);
    assert_string_equal(sensors_counter(sensors, 0)->sensor, "powercap");
    assert_int_equal(sensors_counter(sensors, 0)->quality, QUALITY_MEASURED);
    assert_int_equal(sensors_counter(sensors, 0)->range_uj, UINT64_C(262143328911));
    /* a zone may draw more than the default; what no socket can be fed with is not believed */
    assert_int_equal(sensors_counter(sensors, 0)->max_uw, 764000000);
    assert_int_equal(sensors_counter(sensors, 1)->max_uw, 300000000);
    assert_int_equal(sensors_counter(sensors, 2)->max_uw, 600000000);
    for (size_t i = 0; i < 4; i++) {
        static const uint64_t expected_uj[] = {1001, 1002, 1003, 1005};

        assert_int_equal(read_counter(sensors, i, &raw_uj), 0);
        assert_int_equal(raw_uj, expected_uj[i]);
    }
    assert_non_null(strstr(reason_of(sensors, "intel-rapl:2"), "psys"));
    assert_non_null(strstr(reason_of(sensors, "modelled:0"), "powercap counts"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_auto_models_the_package_whose_counter_fails(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;

    add_zone(tree, "intel-rapl:0", "package-0", "1001");
    add_zone(tree, "intel-rapl:1", "package-1", "broken");
    sensors = open_sensors(tree, topology, "AUTO");
    assert_int_equal(sensors_count(sensors), 2);
    assert_counter(sensors, 0, "intel-rapl:0", COMPONENT_CPU, 0);
    assert_counter(sensors, 1, "modelled:1", COMPONENT_CPU, 1);
    assert_int_equal(sensors_counter(sensors, 1)->quality, QUALITY_MODELLED);
    assert_non_null(strstr(reason_of(sensors, "intel-rapl:1"), "no number"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_auto_without_powercap_models_and_says_why(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors = open_sensors(tree, topology, "auto");
    const struct sensor_counter *counter = sensors_counter(sensors, 1);

    assert_int_equal(sensors_count(sensors), 2);
    assert_counter(sensors, 1, "modelled:1", COMPONENT_CPU, 1);
    assert_int_equal(counter->floor_uw, 2 * MODELLED_IDLE_UW_PER_CORE);
    assert_true(counter->max_uw >= 2 * MODELLED_FULL_UW_PER_CORE);
    assert_int_equal(counter->range_uj, 0);
    assert_non_null(strstr(reason_of(sensors, "powercap"), "intel_rapl_msr"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_list_in_its_order_decides_who_counts(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;

    add_rapl(tree);
    sensors = open_sensors(tree, topology, " modelled, powercap");
    assert_int_equal(sensors_count(sensors), 4);
    assert_counter(sensors, 0, "modelled:0", COMPONENT_CPU, 0);
    assert_counter(sensors, 1, "modelled:1", COMPONENT_CPU, 1);
    assert_counter(sensors, 2, "intel-rapl:0:0", COMPONENT_MEMORY, 1);
    assert_counter(sensors, 3, "intel-rapl:1:1", COMPONENT_MEMORY, 0);
    assert_non_null(strstr(reason_of(sensors, "intel-rapl:0"), "modelled counts"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_what_cannot_be_opened_is_an_error_with_the_reason(void **state)
{
    static const struct {
        const char *list;
        uint64_t idle_uw, full_uw;
        int rc;
        const char *text;
    } cases[] = {
        {"powercap", 0, 0, -ENODEV, "intel_rapl_msr"},
        {"modelled,powercap", 0, 0, -ENODEV, "powercap"},
        {"rapl", 0, 0, -EINVAL, "'rapl'; known are auto, powercap, "},
        {"auto,ipmi", 0, 0, -ENODEV, "no BMC"},
        {"-rapl", 0, 0, -EINVAL, "'rapl'"},
        {"modelled powercapx", 0, 0, -EINVAL, "'powercapx'"},
        {"modelled", 100000000, 50000000, -EINVAL, "IdleWatts"},
        {"modelled", 100000000, 0, -EINVAL, "FullWatts"},
        {"auto", 100000000, 50000000, -EINVAL, "FullWatts"},
        {"", 0, 0, -ENODEV, "no sensor"},
    };
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sensor_options options = options_for(tree, topology, cases[i].list);
        struct sensors *sensors = NULL;
        struct error err = {""};

        options.idle_uw = cases[i].idle_uw;
        options.full_uw = cases[i].full_uw;
        assert_int_equal(sensors_open(&options, &sensors, &err), cases[i].rc);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_null(sensors);
    }
    topology_free(topology);
}

static void test_auto_passes_over_a_kind_that_fails_and_says_why(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;

    tree_write(tree, "sys/class/powercap", "no directory\n");
    sensors = open_sensors(tree, topology, "auto");
    assert_int_equal(sensors_count(sensors), 2);
    assert_non_null(strstr(reason_of(sensors, "powercap"), "sys/class/powercap"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_lists_choose(void **state)
{
    static const struct {
        const char *list;
        size_t packages, modelled; /* counters of each kind; all others are for memory */
    } cases[] = {
        { "auto", 2, 0 },
        { "AUTO", 2, 0 },
        { "auto,-ipmi", 2, 0 },
        { "-ipmi", 2, 0 },
        { "-powercap", 0, 2 },
        { "auto -powercap", 0, 2 },
        { "powercap,modelled", 2, 0 },
        { "modelled\tPowercap", 0, 2 },
        { "powercap", 2, 0 },
        { "modelled", 0, 2 },
    };
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);

    add_rapl(tree);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sensors *sensors = open_sensors(tree, topology, cases[i].list);
        size_t packages = 0, modelled = 0;

        for (size_t j = 0; j < sensors_count(sensors); j++) {
            const struct sensor_counter *counter = sensors_counter(sensors, j);
            bool is_modelled = strcmp(counter->sensor, "modelled") == 0;

            modelled += is_modelled;
            packages += !is_modelled && counter->component == COMPONENT_CPU;
        }
        assert_int_equal(packages, cases[i].packages);
        assert_int_equal(modelled, cases[i].modelled);
        sensors_close(sensors);
    }
    topology_free(topology);
}

static void test_idle_watts_alone_are_no_mistake_where_counters_measure(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensor_options options = options_for(tree, topology, "auto");
    struct sensors *sensors;
    struct error err;

    add_rapl(tree);
    options.idle_uw = 100000000; /* above what the model takes for full power of this package */
    assert_int_equal(sensors_open(&options, &sensors, &err), 0);
    assert_int_equal(sensors_count(sensors), 4);
    assert_non_null(strstr(reason_of(sensors, "modelled:0"), "powercap counts"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_machine_without_any_source_is_an_error(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = load(tree, &two_sockets);
    struct sensor_options options = options_for(tree, topology, "auto");
    struct sensors *sensors = NULL;
    struct error err;

    assert_int_equal(sensors_open(&options, &sensors, &err), -ENODEV);
    assert_non_null(strstr(err.text, "proc/stat"));
    topology_free(topology);
}

static void test_package_that_hwloc_does_not_know_is_left_out(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;

    add_zone(tree, "intel-rapl:0", "package-0", "1");
    add_zone(tree, "intel-rapl:1", "package-7", "1");
    sensors = open_sensors(tree, topology, "powercap");
    assert_int_equal(sensors_count(sensors), 1);
    assert_non_null(strstr(reason_of(sensors, "intel-rapl:1"), "hwloc"));
    sensors_close(sensors);
    topology_free(topology);
}

static void test_dram_in_the_wrong_unit_is_left_out(void **state)
{
    static const char cpuinfo[] = "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %d\n"
                                  "model\t\t: %d\nmodel name\t: Intel(R) Xeon(R)\n";
    static const struct {
        const char *vendor;
        int family, model;
        const char *max_uj;
        size_t counters; /* 2: with its DRAM */
    } cases[] = {
        { "GenuineIntel", 6, 143, "65712999613", 1 },  /* Sapphire Rapids, old kernel */
        { "GenuineIntel", 6, 207, "65712999613", 1 },  /* Emerald Rapids */
        { "GenuineIntel", 6, 143, "262143328850", 2 }, /* the kernel knows its unit */
        { "GenuineIntel", 6, 106, "65712999613", 2 },  /* Ice Lake: the right unit */
        { "GenuineIntel", 15, 143, "65712999613", 2 },
        { "AuthenticAMD", 6, 143, "65712999613", 2 },
    };
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);

    add_zone(tree, "intel-rapl:0", "package-0", "1");
    add_zone(tree, "intel-rapl:0:0", "dram", "1");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sensors *sensors;

        tree_write(tree, "proc/cpuinfo", cpuinfo, cases[i].vendor, cases[i].family,
                   cases[i].model);
        tree_write(tree, "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "%s\n",
                   cases[i].max_uj);
        sensors = open_sensors(tree, topology, "powercap");
        assert_int_equal(sensors_count(sensors), cases[i].counters);
        if (cases[i].counters == 1)
            assert_non_null(strstr(reason_of(sensors, "intel-rapl:0:0"), "Linux 6.1"));
        sensors_close(sensors);
    }
    topology_free(topology);
}

static void test_failed_reading_is_an_error_and_no_number(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;
    uint64_t raw_uj = 42, busy_ns[2] = {1, 2};

    add_rapl(tree);
    sensors = open_sensors(tree, topology, "modelled,powercap");
    tree_write(tree, "sys/class/powercap/intel-rapl:0:0/energy_uj", "?\n");
    assert_int_equal(read_counter(sensors, 2, &raw_uj), -EBADMSG);
    tree_write(tree, "proc/stat", "nonsense\n");
    assert_int_equal(sensors_read_busy(sensors, busy_ns), -EBADMSG);
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -EBADMSG);
    assert_int_equal(raw_uj, 42);
    assert_int_equal(busy_ns[1], 2);
    tree_write(tree, "proc/stat", "cpu1 100\nbtime 1\n");
    assert_int_equal(sensors_read_busy(sensors, busy_ns), 0);
    assert_int_equal(read_counter(sensors, 0, &raw_uj), 0);
    assert_int_equal(busy_ns[1], ticks_ns(400)); /* as before: 100 ticks for each of 4 CPUs */
    sensors_close(sensors);
    topology_free(topology);
}

/* A second opening knows nothing of the first, and the counter goes on. */
static void test_modelled_counter_goes_on_after_a_restart(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    uint64_t before_uj = 0, after_uj = 0, begin_ns, end_ns;
    struct sensors *sensors;

    begin_ns = clock_boottime_ns();
    sensors = open_sensors(tree, topology, "modelled");
    assert_int_equal(read_counter(sensors, 0, &before_uj), 0);
    sensors_close(sensors);
    sensors = open_sensors(tree, topology, "modelled");
    assert_int_equal(read_counter(sensors, 0, &after_uj), 0);
    sensors_close(sensors);
    end_ns = clock_boottime_ns();
    assert_true(before_uj <= after_uj);
    assert_true(before_uj >= modelled_energy_uj(2960000, 14000000, 4, begin_ns, ticks_ns(400)));
    assert_true(after_uj <= modelled_energy_uj(2960000, 14000000, 4, end_ns, ticks_ns(400)));
    topology_free(topology);
}

/* As after the driver was unloaded: the slot has lost its file. */
static void lose_file(struct sensors *sensors, size_t index)
{
    close(sensors->slots[index].fd);
    sensors->slots[index].fd = -1;
    sensors->slots[index].retry_ns = 0;
}

static void test_vanished_zone_is_taken_up_again_when_it_is_the_same(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct sensors *sensors;
    uint64_t raw_uj = 42;

    add_rapl(tree);
    sensors = open_sensors(tree, topology, "powercap");
    lose_file(sensors, 0);
    tree_remove(tree, "sys/class");
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    /* it is back, but is not looked for at every tick */
    add_zone(tree, "intel-rapl:0", "package-1", "5");
    assert_true(sensors->slots[0].retry_ns > clock_boottime_ns());
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    assert_int_equal(raw_uj, 42);
    /* the same number, another package */
    sensors->slots[0].retry_ns = 0;
    add_zone(tree, "intel-rapl:0", "package-0", "5");
    assert_int_equal(read_counter(sensors, 0, &raw_uj), -ENODEV);
    sensors->slots[0].retry_ns = 0;
    add_zone(tree, "intel-rapl:0", "package-1", "5");
    assert_int_equal(read_counter(sensors, 0, &raw_uj), 0);
    assert_int_equal(raw_uj, 5);
    sensors_close(sensors);
    topology_free(topology);
}

static void test_descriptors_are_not_inherited_nor_left_open(void **state)
{
    struct tree *tree = *state;
    struct topology *topology = add_machine(tree);
    struct fd_count before = count_fds();
    struct sensors *sensors;

    add_rapl(tree);
    sensors = open_sensors(tree, topology, "auto");
    assert_true(count_fds().all > before.all);
    assert_int_equal(count_fds().inherited, before.inherited);
    sensors_close(sensors);
    assert_int_equal(count_fds().all, before.all);
    topology_free(topology);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cores_are_numbered_package_by_package),
        TEST(test_machine_of_unknown_packages_has_one),
        TEST(test_loading_leaves_the_environment_as_it_was),
        TEST(test_tree_without_cpus_is_an_error_that_names_it),
        cmocka_unit_test(test_this_machine_has_a_topology),
        TEST(test_busy_time_counts_work_and_never_steps_back),
        TEST(test_more_cpu_lines_than_room_are_read_to_their_end),
        cmocka_unit_test(test_modelled_energy_is_exact),
        cmocka_unit_test(test_modelled_energy_grows_and_adds_up),
        TEST(test_auto_counts_packages_and_dram_of_powercap),
        TEST(test_auto_models_the_package_whose_counter_fails),
        TEST(test_auto_without_powercap_models_and_says_why),
        TEST(test_list_in_its_order_decides_who_counts),
        TEST(test_what_cannot_be_opened_is_an_error_with_the_reason),
        TEST(test_auto_passes_over_a_kind_that_fails_and_says_why),
        TEST(test_lists_choose),
        TEST(test_idle_watts_alone_are_no_mistake_where_counters_measure),
        TEST(test_machine_without_any_source_is_an_error),
        TEST(test_package_that_hwloc_does_not_know_is_left_out),
        TEST(test_dram_in_the_wrong_unit_is_left_out),
        TEST(test_failed_reading_is_an_error_and_no_number),
        TEST(test_modelled_counter_goes_on_after_a_restart),
        TEST(test_vanished_zone_is_taken_up_again_when_it_is_the_same),
        TEST(test_descriptors_are_not_inherited_nor_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
