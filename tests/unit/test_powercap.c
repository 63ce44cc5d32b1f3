/* RAPL zones: which are counted, why others are not, and how a counter is read. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sensors/powercap.h"
#include "tree.h"

#define INTEL_MAX UINT64_C(262143328850)
#define AMD_MAX UINT64_C(65532610987)
#define NODE_DIR "sys/devices/virtual/powercap"

/* A zone as the kernel shows it: a directory below its parent's, and a flat link in the class. */
static void add_zone(struct tree *tree, const char *zone, const char *name, uint64_t max_uj,
                     uint64_t raw_uj)
{
    char dir[256] = NODE_DIR, path[512], target[512];
    const char *colon = strchr(zone, ':');

    for (; colon; colon = strchr(colon + 1, ':')) {
        size_t used = strlen(dir);

        snprintf(dir + used, sizeof(dir) - used, "/%.*s", (int)(colon - zone), zone);
    }
    snprintf(path, sizeof(path), "%s/%s/name", dir, zone);
    tree_write(tree, path, "%s\n", name);
    snprintf(path, sizeof(path), "%s/%s/max_energy_range_uj", dir, zone);
    tree_write(tree, path, "%ju\n", (uintmax_t)max_uj);
    snprintf(path, sizeof(path), "%s/%s/energy_uj", dir, zone);
    tree_write(tree, path, "%012ju\n", (uintmax_t)raw_uj);
    snprintf(path, sizeof(path), "sys/class/powercap/%s", zone);
    snprintf(target, sizeof(target), "../../devices/virtual/powercap%s/%s",
             dir + strlen(NODE_DIR), zone);
    tree_link(tree, path, target);
}

static void zone_file(char *path, size_t size, const char *zone, const char *file)
{
    snprintf(path, size, "sys/class/powercap/%s/%s", zone, file);
}

static void add_two_sockets(struct tree *tree)
{
    tree_mkdir(tree, NODE_DIR "/intel-rapl");
    tree_link(tree, "sys/class/powercap/intel-rapl", "../../devices/virtual/powercap/intel-rapl");
    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1000);
    add_zone(tree, "intel-rapl:0:0", "core", INTEL_MAX, 600);
    add_zone(tree, "intel-rapl:0:1", "uncore", INTEL_MAX, 10);
    add_zone(tree, "intel-rapl:0:2", "dram", UINT64_C(65712999613), 300);
    add_zone(tree, "intel-rapl:1", "package-1", INTEL_MAX, 2000);
    add_zone(tree, "intel-rapl:1:0", "dram", UINT64_C(65712999613), 400);
    add_zone(tree, "intel-rapl:2", "psys", INTEL_MAX, 9000);
    add_zone(tree, "intel-rapl-mmio:0", "package-0", INTEL_MAX, 1001);
    add_zone(tree, "intel-rapl-mmio:0:0", "dram", INTEL_MAX, 301);
    add_zone(tree, "dtpm:0", "soc", INTEL_MAX, 5);
}

struct expected_zone {
    const char *zone;
    enum powercap_use use;
    int package_os;
    const char *reason; /* a part of it */
};

static void assert_zones(const struct powercap_zone *zones, int count,
                         const struct expected_zone *expected, size_t n_expected)
{
    assert_int_equal(count, n_expected);
    for (int i = 0; i < count; i++) {
        assert_string_equal(zones[i].zone, expected[i].zone);
        assert_int_equal(zones[i].use, expected[i].use);
        if (expected[i].reason) {
            assert_non_null(zones[i].reason);
            assert_non_null(strstr(zones[i].reason, expected[i].reason));
            assert_true(strlen(zones[i].reason) < 96);
        } else {
            assert_null(zones[i].reason);
            assert_int_equal(zones[i].package_os, expected[i].package_os);
        }
    }
}

#define ASSERT_ZONES(zones, count, expected)                                                       \
    assert_zones(zones, count, expected, sizeof(expected) / sizeof((expected)[0]))

static void test_counts_packages_and_dram_only(void **state)
{
    static const struct expected_zone expected[] = {
        {"dtpm:0", POWERCAP_LEFT_OUT, -1, "no RAPL zone"},
        {"intel-rapl-mmio:0", POWERCAP_LEFT_OUT, -1, "repeats a package"},
        {"intel-rapl-mmio:0:0", POWERCAP_LEFT_OUT, -1, "repeats a package"},
        {"intel-rapl:0", POWERCAP_PACKAGE, 0, NULL},
        {"intel-rapl:0:0", POWERCAP_LEFT_OUT, -1, "inside its package"},
        {"intel-rapl:0:1", POWERCAP_LEFT_OUT, -1, "inside its package"},
        {"intel-rapl:0:2", POWERCAP_DRAM, 0, NULL},
        {"intel-rapl:1", POWERCAP_PACKAGE, 1, NULL},
        {"intel-rapl:1:0", POWERCAP_DRAM, 1, NULL},
        {"intel-rapl:2", POWERCAP_LEFT_OUT, -1, "psys contains the packages"},
    };
    struct powercap_zone zones[POWERCAP_ZONES_MAX];
    struct tree *tree = *state;

    add_two_sockets(tree);
    ASSERT_ZONES(zones, powercap_list(tree->fd, zones, POWERCAP_ZONES_MAX), expected);
    assert_true(zones[3].range_uj == UINT64_C(262143328911));
    assert_true(zones[6].range_uj == UINT64_C(65712999629));
}

static void test_numbers_of_zones_sort_as_numbers(void **state)
{
    static const struct expected_zone expected[] = {
        {"intel-rapl:0", POWERCAP_PACKAGE, 0, NULL},
        {"intel-rapl:2", POWERCAP_PACKAGE, 2, NULL},
        {"intel-rapl:10", POWERCAP_PACKAGE, 10, NULL},
        {"intel-rapl:10:0", POWERCAP_DRAM, 10, NULL},
    };
    struct powercap_zone zones[8];
    struct tree *tree = *state;

    add_zone(tree, "intel-rapl:10:0", "dram", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:10", "package-10", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:2", "package-2", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    ASSERT_ZONES(zones, powercap_list(tree->fd, zones, 8), expected);
}

static void test_zone_of_a_name_counted_already_is_left_out_with_its_dram(void **state)
{
    static const struct expected_zone expected[] = {
        {"intel-rapl:0", POWERCAP_PACKAGE, 0, NULL},
        {"intel-rapl:0:0", POWERCAP_DRAM, 0, NULL},
        {"intel-rapl:1", POWERCAP_LEFT_OUT, 0, "same name"},
        {"intel-rapl:1:0", POWERCAP_LEFT_OUT, 0, "same name"},
    };
    struct powercap_zone zones[8];
    struct tree *tree = *state;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:0:0", "dram", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:1", "package-0", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:1:0", "dram", INTEL_MAX, 1);
    ASSERT_ZONES(zones, powercap_list(tree->fd, zones, 8), expected);
}

static void test_second_zone_of_a_name_is_used_when_the_first_is_unreadable(void **state)
{
    static const struct expected_zone expected[] = {
        {"intel-rapl:0", POWERCAP_LEFT_OUT, 0, "no number"},
        {"intel-rapl:1", POWERCAP_PACKAGE, 0, NULL},
    };
    struct powercap_zone zones[8];
    struct tree *tree = *state;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:1", "package-0", INTEL_MAX, 1);
    tree_write(tree, "sys/class/powercap/intel-rapl:0/energy_uj", "\n");
    ASSERT_ZONES(zones, powercap_list(tree->fd, zones, 8), expected);
}

static void break_file(struct tree *tree, const char *zone, const char *file, const char *text)
{
    char path[128];

    zone_file(path, sizeof(path), zone, file);
    tree_remove(tree, path);
    if (text)
        tree_write(tree, path, "%s", text);
}

static void test_zone_that_cannot_serve_says_why(void **state)
{
    static const struct {
        const char *file, *text, *reason;
    } cases[] = {
        {"name", NULL, "name cannot be read"},
        {"name", "package-x\n", "not known"},
        {"name", "package-1-die\n", "not known"},
        {"name", "core\n", "inside"},
        {"energy_uj", NULL, "no energy_uj"},
        {"energy_uj", "", "no number"},
        {"energy_uj", "12x\n", "no number"},
        {"energy_uj", "-5\n", "no number"},
        {"energy_uj", "99999999999999999999999\n", "no number"},
        {"max_energy_range_uj", NULL, "max_energy_range_uj"},
        {"max_energy_range_uj", "0\n", "max_energy_range_uj"},
    };
    struct powercap_zone zones[4];
    struct tree *tree = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
        break_file(tree, "intel-rapl:0", cases[i].file, cases[i].text);
        assert_int_equal(powercap_list(tree->fd, zones, 4), 1);
        assert_int_equal(zones[0].use, POWERCAP_LEFT_OUT);
        assert_non_null(strstr(zones[0].reason, cases[i].reason));
        tree_remove(tree, "sys");
    }
}

static void test_directory_in_place_of_a_counter_is_no_counter(void **state)
{
    struct powercap_zone zones[4];
    struct tree *tree = *state;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    break_file(tree, "intel-rapl:0", "energy_uj", NULL);
    tree_mkdir(tree, "sys/class/powercap/intel-rapl:0/energy_uj");
    assert_int_equal(powercap_list(tree->fd, zones, 4), 1);
    assert_string_equal(zones[0].reason, "energy_uj cannot be read");
}

static void test_counter_of_root_names_the_capability_it_needs(void **state)
{
    struct powercap_zone zones[4];
    struct tree *tree = *state;
    int root = geteuid() == 0, count;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    assert_int_equal(fchmodat(tree->fd, "sys/class/powercap/intel-rapl:0/energy_uj", 0, 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    count = powercap_list(tree->fd, zones, 4);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(count, 1);
    assert_int_equal(zones[0].use, POWERCAP_LEFT_OUT);
    assert_non_null(strstr(zones[0].reason, "CAP_DAC_READ_SEARCH"));
}

static void test_no_powercap_and_too_many_zones_are_errors(void **state)
{
    struct powercap_zone zones[4];
    struct tree *tree = *state;

    assert_int_equal(powercap_list(tree->fd, zones, 4), -ENOENT);
    tree_mkdir(tree, "sys/class/powercap");
    assert_int_equal(powercap_list(tree->fd, zones, 4), -ENOENT);
    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    add_zone(tree, "intel-rapl:1", "package-1", INTEL_MAX, 1);
    assert_int_equal(powercap_list(tree->fd, zones, 2), 2);
    assert_int_equal(powercap_list(tree->fd, zones, 1), -EOVERFLOW);
}

static void test_modulus_is_two_to_the_32_times_the_unit(void **state)
{
    static const struct {
        uint64_t max_uj, range_uj;
    } cases[] = {
        {UINT64_C(262143328850), UINT64_C(262143328911)}, /* 61035 nJ: 2^32 x it is …911.36 */
        {UINT64_C(65532610987), UINT64_C(65532611002)},   /* 15258 nJ: …002.37 */
        {UINT64_C(65712999613), UINT64_C(65712999629)},   /* 15300 nJ: …628.8 */
        {UINT64_C(4294967295), UINT64_C(4294967296)},     /* 1000 nJ */
        {UINT64_C(1000000), UINT64_C(1000001)},           /* of no unit: largest reading + 1 */
        {UINT64_C(262143328851), UINT64_C(262143328852)},
        {UINT64_MAX - 1, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(powercap_range_uj(cases[i].max_uj) == cases[i].range_uj);
}

static void test_reading_starts_at_the_beginning_each_time(void **state)
{
    struct tree *tree = *state;
    uint64_t raw_uj = 0;
    int fd;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 262143328850);
    fd = powercap_open(tree->fd, "intel-rapl:0");
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(powercap_read(fd, &raw_uj), 0);
    assert_true(raw_uj == UINT64_C(262143328850));
    tree_write(tree, "sys/class/powercap/intel-rapl:0/energy_uj", "7\n");
    assert_int_equal(powercap_read(fd, &raw_uj), 0);
    assert_true(raw_uj == 7);
    close(fd);
}

static void test_failed_read_leaves_the_reading_alone(void **state)
{
    struct tree *tree = *state;
    uint64_t raw_uj = 42;
    int fd;

    add_zone(tree, "intel-rapl:0", "package-0", INTEL_MAX, 1);
    fd = powercap_open(tree->fd, "intel-rapl:0");
    tree_write(tree, "sys/class/powercap/intel-rapl:0/energy_uj", "%s", "");
    assert_int_equal(powercap_read(fd, &raw_uj), -EBADMSG);
    close(fd);
    assert_int_equal(powercap_read(fd, &raw_uj), -EBADF);
    assert_true(raw_uj == 42);
    assert_int_equal(powercap_open(tree->fd, "intel-rapl:9"), -ENOENT);
}

/* --- mirrored dies --- */

static void test_mirror_is_told_by_two_equal_readings_at_different_times(void **state)
{
    static const struct {
        uint64_t round[3][3];
        enum powercap_verdict verdict[3];
    } cases[] = {
        /* the same register, read within one of its steps */
        {{{500, 500, 500}, {700, 700, 700}}, {POWERCAP_UNDECIDED, POWERCAP_MIRROR}},
        /* a step in between */
        {{{500, 600, 600}, {700, 700, 800}}, {POWERCAP_UNDECIDED, POWERCAP_MIRROR}},
        /* a counter that stands still proves nothing */
        {{{500, 500, 500}, {500, 500, 500}, {500, 500, 500}},
         {POWERCAP_UNDECIDED, POWERCAP_UNDECIDED, POWERCAP_UNDECIDED}},
        /* dies close together agree once by chance, not twice */
        {{{500, 500, 500}, {700, 701, 700}, {900, 902, 900}},
         {POWERCAP_UNDECIDED, POWERCAP_UNDECIDED, POWERCAP_UNDECIDED}},
        /* far apart: at once */
        {{{500, 5000500, 500}}, {POWERCAP_SEPARATE}},
        {{{5000500, 500, 5000500}}, {POWERCAP_SEPARATE}},
        /* across the wrap */
        {{{9999900, 5, 5}, {20, 20, 20}}, {POWERCAP_UNDECIDED, POWERCAP_MIRROR}},
        /* a process stopped between the readings learns nothing */
        {{{0, 1500000, 3000000}, {5, 5, 3000000}, {8, 8, 8}},
         {POWERCAP_UNDECIDED, POWERCAP_UNDECIDED, POWERCAP_UNDECIDED}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct powercap_mirror mirror = {0};

        for (int r = 0; r < 3; r++) {
            const uint64_t *round = cases[i].round[r];

            assert_int_equal(
                powercap_mirror_round(&mirror, 10000000, round[0], round[1], round[2]),
                cases[i].verdict[r]);
            if (cases[i].verdict[r] != POWERCAP_UNDECIDED)
                break;
        }
    }
}

static void add_die(struct tree *tree, int number, const char *name, uint64_t raw_uj)
{
    char zone[32];

    snprintf(zone, sizeof(zone), "intel-rapl:%d", number);
    add_zone(tree, zone, name, AMD_MAX, raw_uj);
}

/* Counts the given energy_uj files up, in place, as one write: a reader never sees half of it. */
struct runner {
    pthread_t thread;
    atomic_bool stop;
    int fds[4];
    uint64_t raw_uj[4];
    int count;
};

static void *run_counters(void *argument)
{
    struct runner *runner = argument;
    char text[16];

    while (!atomic_load(&runner->stop))
        for (int i = 0; i < runner->count; i++) {
            snprintf(text, sizeof(text), "%012ju\n", (uintmax_t)(runner->raw_uj[i] += 15258));
            if (pwrite(runner->fds[i], text, 13, 0) != 13)
                return NULL;
            usleep(100);
        }
    return NULL;
}

static void runner_add(struct runner *runner, struct tree *tree, const char *zone, uint64_t raw_uj)
{
    char path[128];
    int fd;

    zone_file(path, sizeof(path), zone, "energy_uj");
    fd = openat(tree->fd, path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    runner->raw_uj[runner->count] = raw_uj;
    runner->fds[runner->count++] = fd;
}

static void runner_stop(struct runner *runner)
{
    atomic_store(&runner->stop, true);
    pthread_join(runner->thread, NULL);
    for (int i = 0; i < runner->count; i++)
        close(runner->fds[i]);
}

static int list_without_mirrors(struct tree *tree, struct powercap_zone *zones, size_t max,
                                int *ret_left_out)
{
    int count = powercap_list(tree->fd, zones, max);

    assert_true(count > 0);
    *ret_left_out = powercap_leave_out_mirrors(tree->fd, zones, (size_t)count);
    return count;
}

/* Die 1 of package 0 shows die 0's file; package 1's dies are two counters, 50 J apart. */
static void test_mirrored_die_is_left_out_and_real_dies_are_kept(void **state)
{
    static const struct expected_zone expected[] = {
        {"intel-rapl:0", POWERCAP_PACKAGE, 0, NULL},
        {"intel-rapl:1", POWERCAP_LEFT_OUT, 0, "mirrors"},
        {"intel-rapl:1:0", POWERCAP_LEFT_OUT, 0, "mirrors"},
        {"intel-rapl:2", POWERCAP_PACKAGE, 1, NULL},
        {"intel-rapl:3", POWERCAP_PACKAGE, 1, NULL},
    };
    struct powercap_zone zones[8];
    struct runner runner = {0};
    struct tree *tree = *state;
    int count = 0, left_out = 0;

    add_die(tree, 0, "package-0-die-0", 1000);
    add_die(tree, 1, "package-0-die-1", 1000);
    add_die(tree, 2, "package-1-die-0", 1000);
    add_die(tree, 3, "package-1-die-1", 50000000);
    add_zone(tree, "intel-rapl:1:0", "dram", AMD_MAX, 5);
    break_file(tree, "intel-rapl:1", "energy_uj", NULL);
    tree_link(tree, "sys/class/powercap/intel-rapl:1/energy_uj", "../intel-rapl:0/energy_uj");
    runner_add(&runner, tree, "intel-rapl:0", 1000);
    runner_add(&runner, tree, "intel-rapl:2", 1000);
    runner_add(&runner, tree, "intel-rapl:3", 50000000);
    assert_int_equal(pthread_create(&runner.thread, NULL, run_counters, &runner), 0);
    /* a writer that got no turn leaves the dies undecided: look again */
    for (int tries = 0; tries < 500 && left_out == 0; tries++)
        count = list_without_mirrors(tree, zones, 8, &left_out);
    runner_stop(&runner);
    assert_int_equal(left_out, 2);
    ASSERT_ZONES(zones, count, expected);
}

static void test_equal_dies_that_stand_still_are_both_kept(void **state)
{
    struct powercap_zone zones[8];
    struct tree *tree = *state;
    int left_out;

    add_die(tree, 0, "package-0-die-0", 1000);
    add_die(tree, 1, "package-0-die-1", 1000);
    assert_int_equal(list_without_mirrors(tree, zones, 8, &left_out), 2);
    assert_int_equal(left_out, 0);
    assert_int_equal(zones[1].use, POWERCAP_PACKAGE);
    assert_int_equal(zones[1].die_os, 1);
}

static void test_packages_that_show_equal_readings_are_never_mirrors(void **state)
{
    struct powercap_zone zones[8];
    struct tree *tree = *state;
    int left_out;

    add_die(tree, 0, "package-0-die-0", 1000);
    add_die(tree, 1, "package-1-die-0", 1000);
    add_die(tree, 2, "package-2", 1000);
    assert_int_equal(list_without_mirrors(tree, zones, 8, &left_out), 3);
    assert_int_equal(left_out, 0);
}

static void test_list_by_name_classifies_alike_and_reads_no_counter(void **state)
{
    struct tree *tree = *state;
    struct powercap_zone full[POWERCAP_ZONES_MAX], quick[POWERCAP_ZONES_MAX];
    int count, quick_count;

    add_two_sockets(tree);
    count = powercap_list(tree->fd, full, POWERCAP_ZONES_MAX);
    tree_remove(tree, NODE_DIR "/intel-rapl/intel-rapl:0/energy_uj");
    tree_remove(tree, NODE_DIR "/intel-rapl/intel-rapl:0/max_energy_range_uj");
    quick_count = powercap_list_by_name(tree->fd, quick, POWERCAP_ZONES_MAX);
    assert_int_equal(quick_count, count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(quick[i].zone, full[i].zone);
        assert_int_equal(quick[i].use, full[i].use);
    }
    assert_int_equal(powercap_list_by_name(tree->fd, quick, 1), -EOVERFLOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counts_packages_and_dram_only),
        TEST(test_list_by_name_classifies_alike_and_reads_no_counter),
        TEST(test_numbers_of_zones_sort_as_numbers),
        TEST(test_zone_of_a_name_counted_already_is_left_out_with_its_dram),
        TEST(test_second_zone_of_a_name_is_used_when_the_first_is_unreadable),
        TEST(test_zone_that_cannot_serve_says_why),
        TEST(test_directory_in_place_of_a_counter_is_no_counter),
        TEST(test_counter_of_root_names_the_capability_it_needs),
        TEST(test_no_powercap_and_too_many_zones_are_errors),
        cmocka_unit_test(test_modulus_is_two_to_the_32_times_the_unit),
        TEST(test_reading_starts_at_the_beginning_each_time),
        TEST(test_failed_read_leaves_the_reading_alone),
        cmocka_unit_test(test_mirror_is_told_by_two_equal_readings_at_different_times),
        TEST(test_mirrored_die_is_left_out_and_real_dies_are_kept),
        TEST(test_equal_dies_that_stand_still_are_both_kept),
        TEST(test_packages_that_show_equal_readings_are_never_mirrors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
