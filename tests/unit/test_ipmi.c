/* A node's watts from its BMC, by a FreeIPMI that the test makes (tests/fake/fake_freeipmi.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "machine.h"
#include "sensors/helper.h"
#include "sensors/source.h"
#include "sensors/topology.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)
#define W UINT64_C(1000000)
#define PATIENCE_NS (20 * NS_PER_S)

static const char *self; /* this program */

struct node {
    struct tree tree;
    struct topology *topology;
    struct sensors *sensors;
    struct fd_count before;
};

static int setup(void **state)
{
    static const struct machine machine = { .packages = 1, .cores = 2, .threads = 1,
                                            .memory_mb = 1024 };
    static struct node node;

    tree_make(&node.tree);
    node.before = count_fds();
    machine_write(&node.tree, &machine);
    tree_mkdir(&node.tree, "sys/class/ipmi/ipmi0");
    tree_write(&node.tree, "watts", "400\n");
    setenv("FAKE_IPMI_DIR", node.tree.path, 1);
    assert_int_equal(topology_load(node.tree.path, &node.topology, NULL), 0);
    node.sensors = NULL;
    *state = &node;
    return 0;
}

static int teardown(void **state)
{
    struct node *node = *state;

    sensors_close(node->sensors);
    topology_free(node->topology);
    assert_int_equal(count_fds().all, node->before.all);
    tree_free(&node->tree);
    return 0;
}

static int open_node(struct node *node, bool apart, struct error *err)
{
    struct sensor_options options = { .root_fd = node->tree.fd, .list = "ipmi", .apart = apart,
                                      .topology = node->topology };

    return sensors_open(&options, &node->sensors, err);
}

static int read_node(struct node *node, uint64_t wait_ns)
{
    sensors_ask(node->sensors, clock_boottime_ns(), false);
    sensors_take(node->sensors, clock_boottime_ns(), clock_boottime_ns() + wait_ns);
    return sensors_reading(node->sensors, 0)->code;
}

static void pass_ms(long ms)
{
    const struct timespec span = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&span, NULL);
}

static void test_watts_are_integrated(void **state)
{
    struct node *node = *state;
    uint64_t begin_ns, end_ns, grown_uj;
    const struct sensor_counter *counter;

    assert_int_equal(open_node(node, false, NULL), 0);
    counter = sensors_counter(node->sensors, 0);
    assert_string_equal(counter->source, "ipmi:dcmi");
    assert_int_equal(counter->component, COMPONENT_OTHER);
    assert_int_equal(counter->quality, QUALITY_MEASURED);
    assert_true(counter->fresh && counter->range_uj == 0 && counter->max_uw >= 15000 * W);
    begin_ns = clock_boottime_ns();
    assert_int_equal(read_node(node, 0), 0);
    assert_int_equal(sensors_reading(node->sensors, 0)->raw_uj, 0);
    pass_ms(100);
    assert_int_equal(read_node(node, 0), 0);
    end_ns = clock_boottime_ns();
    grown_uj = sensors_reading(node->sensors, 0)->raw_uj;
    assert_true(grown_uj >= 400 * W / 10 && grown_uj <= 400 * (end_ns - begin_ns) / 1000);
}

struct fault {
    const char *file, *text;
    int code; /* of the reading */
};

static const struct fault faults[] = {
    { "error", "27", -EIO },  /* the BMC is busy */
    { "error", "21", -EIO },  /* a message timed out */
    { "error", "24", -EIO },  /* a completion code that is none of the known */
    { "inactive", "", -ENODATA },
    { "watts", "0", -ENODATA },
    { "delay_ms", "300", 0 }, /* it is only late */
    { "watts", "1", 0 },
    { "watts", "65535", 0 },  /* the ledger's to judge: max_uw */
};

static void test_faults_are_no_readings_and_pass(void **state)
{
    struct node *node = *state;
    uint64_t last_uj;

    assert_int_equal(open_node(node, false, NULL), 0);
    for (size_t i = 0; i < COUNT(faults); i++) {
        assert_int_equal(read_node(node, 0), 0);
        last_uj = sensors_reading(node->sensors, 0)->raw_uj;
        tree_write(&node->tree, faults[i].file, "%s\n", faults[i].text);
        assert_int_equal(read_node(node, 0), faults[i].code);
        tree_remove(&node->tree, faults[i].file);
        tree_write(&node->tree, "watts", "400\n");
        assert_int_equal(read_node(node, 0), 0);
        assert_true(sensors_reading(node->sensors, 0)->raw_uj >= last_uj);
    }
}

static void test_lost_bmc_is_looked_for_every_few_seconds(void **state)
{
    static const char *const lost[] = { "16", "18", "33" };
    struct node *node = *state;

    assert_int_equal(open_node(node, false, NULL), 0);
    for (size_t i = 0; i < COUNT(lost); i++) {
        struct sensor_slot *slot = &node->sensors->slots[0];

        assert_int_equal(read_node(node, 0), 0);
        tree_write(&node->tree, "error", "%s\n", lost[i]);
        assert_int_equal(read_node(node, 0), -ENODEV);
        tree_remove(&node->tree, "error");
        assert_int_equal(read_node(node, 0), -ENODEV); /* not at every tick */
        assert_true(slot->retry_ns > clock_boottime_ns());
        tree_write(&node->tree, "gone", "\n");
        slot->retry_ns = 0;
        assert_int_equal(read_node(node, 0), -ENODEV);
        tree_remove(&node->tree, "gone");
        slot->retry_ns = 0;
        assert_int_equal(read_node(node, 0), 0);
    }
}

static void test_what_cannot_be_found_says_why(void **state)
{
    static const struct {
        const char *file, *text, *why;
    } cases[] = {
        { "gone", "", "fake error 18" },
        { "error", "23", "no DCMI power reading" },
        { "inactive", "", "measures no power" },
        { "watts", "0", "measures no power" },
    };
    struct node *node = *state;
    struct error err;

    for (size_t i = 0; i < COUNT(cases); i++) {
        tree_write(&node->tree, cases[i].file, "%s\n", cases[i].text);
        assert_int_equal(open_node(node, false, &err), -ENODEV);
        assert_non_null(strstr(err.text, cases[i].why));
        tree_remove(&node->tree, cases[i].file);
        tree_write(&node->tree, "watts", "400\n");
    }
    tree_write(&node->tree, "error", "27\n"); /* busy now: offered all the same */
    assert_int_equal(open_node(node, false, &err), 0);
    node->sensors = sensors_close(node->sensors);
    tree_remove(&node->tree, "sys/class/ipmi");
    assert_int_equal(open_node(node, false, &err), -ENODEV);
    assert_non_null(strstr(err.text, "ipmi_devintf"));
}

/* As a program of its own: the loader goes by the environment that it began with. */
static int open_without_library(void)
{
    struct node node;
    struct error err = { "" };
    void *state;
    int rc;

    setup(&state);
    node = *(struct node *)state;
    rc = open_node(&node, false, &err);
    teardown(&state);
    return rc == -ENODEV && strstr(err.text, "libfreeipmi17") ? 0 : 1;
}

static void test_missing_library_has_its_package(void **state)
{
    struct node *node = *state;
    int status;
    pid_t pid;

    tree_write(&node->tree, "libfreeipmi.so.17", "no library\n");
    pid = fork();
    if (pid == 0) {
        setenv("LD_LIBRARY_PATH", node->tree.path, 1);
        execl(self, self, "without", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The real thing: a BMC that does not answer costs the meter nothing but the figure. */
static void test_bmc_that_hangs_is_cut_off_and_comes_back(void **state)
{
    struct node *node = *state;
    uint64_t begin_ns, ahead_ns = HELPER_DEADLINE_NS + NS_PER_S;

    assert_int_equal(open_node(node, true, NULL), 0);
    assert_int_equal(read_node(node, PATIENCE_NS), 0);
    tree_write(&node->tree, "hang", "\n");
    begin_ns = clock_boottime_ns();
    assert_int_equal(read_node(node, 20 * MS), -ETIMEDOUT);
    assert_true(clock_boottime_ns() - begin_ns < 5 * NS_PER_S);
    sensors_ask(node->sensors, clock_boottime_ns() + ahead_ns, false);
    sensors_take(node->sensors, clock_boottime_ns(), 0);
    assert_int_equal(sensors_reading(node->sensors, 0)->code, -ECHILD);
    tree_remove(&node->tree, "hang");
    begin_ns = clock_boottime_ns();
    while (sensors_reading(node->sensors, 0)->code != 0) {
        assert_true(clock_boottime_ns() - begin_ns < PATIENCE_NS);
        pass_ms(5);
        ahead_ns += NS_PER_S / 2;
        sensors_ask(node->sensors, clock_boottime_ns() + ahead_ns, false);
        sensors_take(node->sensors, clock_boottime_ns(), clock_boottime_ns() + 200 * MS);
    }
    assert_int_equal(sensors_reading(node->sensors, 0)->raw_uj, 0); /* it begins anew: fresh */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_watts_are_integrated),
        TEST(test_faults_are_no_readings_and_pass),
        TEST(test_lost_bmc_is_looked_for_every_few_seconds),
        TEST(test_what_cannot_be_found_says_why),
        TEST(test_missing_library_has_its_package),
        TEST(test_bmc_that_hangs_is_cut_off_and_comes_back),
    };
    const char *path = getenv("LD_LIBRARY_PATH");

    self = argv[0];
    if (argc > 1)
        return open_without_library();
    if (!path || strcmp(path, FAKE_IPMI_LIBRARIES) != 0) { /* the loader reads it at the start */
        setenv("LD_LIBRARY_PATH", FAKE_IPMI_LIBRARIES, 1);
        execv(self, argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
