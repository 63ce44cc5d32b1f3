/*
 * Every machine of this folder, replayed: NAME.capture is laid out in a directory (capture-1.md),
 * the sensors look at it as carbon-meterd has them do, and what they use, leave out and count from
 * the first instant to the last must be what NAME.expect says:
 *
 *   used SOURCE COMPONENT DOMAIN QUALITY counted_uj=N | power_uw=N |
 *                                                with_package_uj=N | -
 *                       power_uw: of a power gauge, which is integrated over the test's own time
 *                       with_package_uj: with what the counters of package 0 counted, N
 *   sum COMPONENT counted_uj=N     of all counters of a component
 *   left_out SOURCE REASON         kinds of sensor that have nothing here need no line
 *   moving FILE                    its number grows while the sensors are looked for
 *
 * A capture that is made of the directory must replay to the same.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "sensors/capture.h"
#include "sensors/sensors.h"
#include "tree.h"
#include "unit.h"

#define LINES_MAX 256
#define PATIENCE_NS (20 * NS_PER_S) /* of a loaded machine under valgrind */
#define GAUGE_MS 250
/* The edges of a gauge's interval are not at the reading's instant: of 250 ms, 25. */
#define GAUGE_TOLERANCE 10

/* --- what is expected ------------------------------------------------------------------------- */

struct expectation {
    char *text;
    char *lines[LINES_MAX]; /* without those that tell nothing */
    size_t count;
    bool has_gauges;
};

static void read_expectation(const char *path, struct expectation *expected)
{
    struct error err = { "" };
    char *line, *rest;
    size_t len;

    memset(expected, 0, sizeof(*expected));
    if (file_read(AT_FDCWD, path, 65536, &expected->text, &len, &err) < 0)
        fail_msg("%s", err.text);
    rest = expected->text;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] == '\0' || line[0] == '#')
            continue;
        assert_true(expected->count < LINES_MAX);
        expected->lines[expected->count++] = line;
        expected->has_gauges = expected->has_gauges || strstr(line, " power_uw=");
    }
}

static size_t count_lines(const struct expectation *expected, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < expected->count; i++)
        count += strncmp(expected->lines[i], kind, strlen(kind)) == 0;
    return count;
}

/* What follows `head` in the line that begins with it, or NULL. */
static const char *find_line(const struct expectation *expected, const char *head)
{
    for (size_t i = 0; i < expected->count; i++)
        if (strncmp(expected->lines[i], head, strlen(head)) == 0)
            return expected->lines[i] + strlen(head);
    return NULL;
}

/* --- a file whose number grows ---------------------------------------------------------------- */

struct runner {
    pthread_t thread;
    atomic_bool stop;
    int fd;
    uint64_t value;
};

/* 1000 W, in steps of a millisecond: as RAPL counters do. All digits stay in place. */
static void *run_counter(void *arg)
{
    struct runner *runner = arg;
    char text[32];

    while (!atomic_load(&runner->stop)) {
        int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", ++runner->value);

        if (pwrite(runner->fd, text, (size_t)len, 0) != len)
            break;
        poll(NULL, 0, 1);
    }
    return NULL;
}

static bool start_runner(struct runner *runner, const struct expectation *expected, int root_fd)
{
    const char *file = find_line(expected, "moving ");
    char text[32];

    if (!file)
        return false;
    assert_int_equal(file_read_small(root_fd, file, text, sizeof(text), NULL), 0);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(parse_u64(text, 0, UINT64_MAX, &runner->value), 0);
    runner->fd = openat(root_fd, file, O_WRONLY | O_CLOEXEC);
    assert_true(runner->fd >= 0);
    atomic_init(&runner->stop, false);
    assert_int_equal(pthread_create(&runner->thread, NULL, run_counter, runner), 0);
    return true;
}

static void stop_runner(struct runner *runner)
{
    atomic_store(&runner->stop, true);
    pthread_join(runner->thread, NULL);
    close(runner->fd);
}

/* --- a machine that runs ---------------------------------------------------------------------- */

struct played {
    const char *name;
    const struct capture *capture;
    const struct expectation *expected;
    struct tree tree;
    struct topology *topology;
    struct sensors *sensors;
    uint64_t *busy_ns;
    struct sensor_reading first[LINES_MAX];
};

/* What vendors' libraries say is beside sys and proc; the fake ones are told where. */
static void tell_fake_libraries(const struct played *played)
{
    static const char *const folders[][2] = {
        { "FAKE_NVML_DIR", "nvml" }, { "FAKE_IPMI_DIR", "ipmi" },
    };
    char path[PATH_MAX + 16];

    for (size_t i = 0; i < LENGTH(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", played->tree.path, folders[i][1]);
        setenv(folders[i][0], path, 1);
    }
}

static void unpack(struct played *played, size_t instant)
{
    struct error err = { "" };

    if (capture_unpack(played->capture, instant, played->tree.fd, &err) < 0)
        fail_msg("%s: %s", played->name, err.text);
}

static void open_machine(struct played *played)
{
    struct sensor_options options = { .list = "auto", .apart = true };
    struct error err = { "" };
    struct runner runner;
    bool runs;

    tree_make(&played->tree);
    unpack(played, 0);
    tell_fake_libraries(played);
    if (topology_load(played->tree.path, &played->topology, &err) < 0)
        fail_msg("%s: %s", played->name, err.text);
    options.root_fd = played->tree.fd;
    options.topology = played->topology;
    runs = start_runner(&runner, played->expected, played->tree.fd);
    if (sensors_open(&options, &played->sensors, &err) < 0)
        fail_msg("%s: %s", played->name, err.text);
    if (runs)
        stop_runner(&runner);
    unpack(played, 0);
    played->busy_ns = calloc(played->topology->n_packages, sizeof(*played->busy_ns));
    assert_non_null(played->busy_ns);
    assert_true(sensors_count(played->sensors) <= LINES_MAX);
}

static void close_machine(struct played *played)
{
    sensors_close(played->sensors);
    topology_free(played->topology);
    free(played->busy_ns);
    tree_free(&played->tree);
}

static void read_machine(struct played *played)
{
    uint64_t now_ns = clock_boottime_ns();

    assert_int_equal(sensors_read_busy(played->sensors, played->busy_ns), 0);
    sensors_ask(played->sensors, now_ns, false);
    sensors_take(played->sensors, now_ns, now_ns + PATIENCE_NS);
    for (size_t i = 0; i < sensors_count(played->sensors); i++)
        if (sensors_reading(played->sensors, i)->code < 0)
            fail_msg("%s: %s: %s", played->name, sensors_counter(played->sensors, i)->source,
                     sensors_error_text(sensors_reading(played->sensors, i)->code));
}

/* --- whether it is as expected ---------------------------------------------------------------- */

static void print_used(const struct played *played)
{
    for (size_t i = 0; i < sensors_count(played->sensors); i++) {
        const struct sensor_counter *counter = sensors_counter(played->sensors, i);

        print_error("%s: used %s %s %u %s\n", played->name, counter->source,
                    component_names[counter->component], counter->domain,
                    quality_names[counter->quality]);
    }
}

static uint64_t grown_uj(const struct played *played, size_t i)
{
    uint64_t first_uj = played->first[i].raw_uj;
    uint64_t last_uj = sensors_reading(played->sensors, i)->raw_uj;

    return last_uj >= first_uj ? last_uj - first_uj
                               : sensors_counter(played->sensors, i)->range_uj - first_uj + last_uj;
}

static void check_gauge(const struct played *played, size_t i, uint64_t power_uw)
{
    uint64_t span_ns = sensors_reading(played->sensors, i)->at_ns - played->first[i].at_ns;
    uint64_t expected_uj = power_uw * (span_ns / 1000) / 1000000;
    uint64_t found_uj = grown_uj(played, i), room_uj = expected_uj / GAUGE_TOLERANCE;

    if (found_uj + room_uj < expected_uj || found_uj > expected_uj + room_uj)
        fail_msg("%s: %s counted %" PRIu64 " uJ in %" PRIu64 " ns, not %" PRIu64, played->name,
                 sensors_counter(played->sensors, i)->source, found_uj, span_ns, expected_uj);
}

/* A module's counter is told less its package's, so together they are what the module counted. */
static void check_module(const struct played *played, size_t i, uint64_t module_uj)
{
    uint64_t sum_uj = grown_uj(played, i);

    for (size_t k = 0; k < sensors_count(played->sensors); k++) {
        const struct sensor_counter *counter = sensors_counter(played->sensors, k);

        if (counter->domain == 0 && (counter->component == COMPONENT_CPU ||
                                     counter->component == COMPONENT_MEMORY))
            sum_uj += grown_uj(played, k);
    }
    if (sum_uj != module_uj)
        fail_msg("%s: %s and its package counted %" PRIu64 " uJ, not %" PRIu64, played->name,
                 sensors_counter(played->sensors, i)->source, sum_uj, module_uj);
}

static void check_counter(const struct played *played, size_t i)
{
    const struct sensor_counter *counter = sensors_counter(played->sensors, i);
    const char *tail;
    char head[256];
    uint64_t number;

    snprintf(head, sizeof(head), "used %s %s %u %s ", counter->source,
             component_names[counter->component], counter->domain, quality_names[counter->quality]);
    tail = find_line(played->expected, head);
    if (!tail) {
        print_used(played);
        fail_msg("%s: not expected: %s", played->name, head);
    }
    if (strcmp(tail, "-") == 0)
        return;
    if (strncmp(tail, "counted_uj=", 11) == 0) {
        assert_int_equal(parse_u64(tail + 11, 0, UINT64_MAX, &number), 0);
        if (grown_uj(played, i) != number)
            fail_msg("%s: %s counted %" PRIu64 " uJ, not %" PRIu64, played->name, counter->source,
                     grown_uj(played, i), number);
        return;
    }
    if (strncmp(tail, "with_package_uj=", 16) == 0) {
        assert_int_equal(parse_u64(tail + 16, 0, UINT64_MAX, &number), 0);
        check_module(played, i, number);
        return;
    }
    assert_int_equal(strncmp(tail, "power_uw=", 9), 0);
    assert_int_equal(parse_u64(tail + 9, 0, UINT64_MAX / 1000000000, &number), 0);
    check_gauge(played, i, number);
}

static void check_sums(const struct played *played)
{
    for (int component = 0; component < COMPONENT_COUNT; component++) {
        char head[64];
        const char *tail;
        uint64_t expected_uj, sum_uj = 0;

        snprintf(head, sizeof(head), "sum %s counted_uj=", component_names[component]);
        tail = find_line(played->expected, head);
        if (!tail)
            continue;
        for (size_t i = 0; i < sensors_count(played->sensors); i++)
            if (sensors_counter(played->sensors, i)->component == (enum component)component)
                sum_uj += grown_uj(played, i);
        assert_int_equal(parse_u64(tail, 0, UINT64_MAX, &expected_uj), 0);
        if (sum_uj != expected_uj)
            fail_msg("%s: %s counted %" PRIu64 " uJ in all, not %" PRIu64, played->name,
                     component_names[component], sum_uj, expected_uj);
    }
}

static bool is_kind(const char *source)
{
    for (size_t i = 0; sensors_kind(i); i++)
        if (strcmp(sensors_kind(i), source) == 0)
            return true;
    return false;
}

static void check_left_out(const struct played *played)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(played->sensors, &list), kinds = 0;

    for (size_t i = 0; i < count; i++) {
        char line[SOURCE_NAME_SIZE + sizeof(list[i].reason) + 16];

        snprintf(line, sizeof(line), "left_out %s %s", list[i].source, list[i].reason);
        assert_true(list[i].reason[0] != '\0');
        if (find_line(played->expected, line))
            continue;
        if (!is_kind(list[i].source))
            fail_msg("%s: not expected: %s", played->name, line);
        kinds++;
    }
    if (count - kinds != count_lines(played->expected, "left_out "))
        fail_msg("%s: %zu are left out, not %zu", played->name, count - kinds,
                 count_lines(played->expected, "left_out "));
}

/* --- the tests -------------------------------------------------------------------------------- */

/* Add to a capture what is not of /sys and /proc, which the fake libraries read. */
static void add_libraries(const struct capture *from, struct capture *to)
{
    size_t end = from->n_instants > 1 ? from->instants[1].begin : from->n_records;

    for (size_t i = to->n_instants > 1 ? end : 0; i < (to->n_instants > 1 ? from->n_records : end);
         i++) {
        const struct capture_record *record = &from->records[i];

        if (strncmp(record->path, "sys/", 4) != 0 && strncmp(record->path, "proc/", 5) != 0)
            assert_int_equal(capture_add(to, record->type, record->path, record->data, record->len,
                                         NULL), 0);
    }
}

static void check_scan(int rc, const struct error *err)
{
    if (rc < 0)
        fail_msg("%s", err->text);
}

/* Replays from the first instant to the last, and captures on the way. */
static void play(const char *name, const struct capture *capture,
                 const struct expectation *expected, struct capture *ret_again)
{
    static struct played played;
    struct error err = { "" };

    played = (struct played){ .name = name, .capture = capture, .expected = expected };
    open_machine(&played);
    read_machine(&played);
    for (size_t i = 0; i < sensors_count(played.sensors); i++)
        played.first[i] = *sensors_reading(played.sensors, i);
    capture_init(ret_again);
    check_scan(capture_scan(played.tree.fd, ret_again, &err), &err);
    add_libraries(capture, ret_again);
    if (expected->has_gauges)
        poll(NULL, 0, GAUGE_MS);
    for (size_t i = 1; i < capture->n_instants; i++)
        unpack(&played, i);
    read_machine(&played);
    check_scan(capture_scan_again(played.tree.fd, NS_PER_S, ret_again, &err), &err);
    add_libraries(capture, ret_again);
    for (size_t i = 0; i < sensors_count(played.sensors); i++)
        check_counter(&played, i);
    if (sensors_count(played.sensors) != count_lines(expected, "used ")) {
        print_used(&played);
        fail_msg("%s: %zu counters are used, not %zu", name, sensors_count(played.sensors),
                 count_lines(expected, "used "));
    }
    check_sums(&played);
    check_left_out(&played);
    close_machine(&played);
}

/* Through its text, as it would come by mail. */
static void play_text_of(const char *name, struct capture *capture,
                         const struct expectation *expected)
{
    struct capture read, again;
    struct error err = { "" };
    struct buf text;

    buf_init(&text);
    capture_format(capture, &text);
    assert_false(buf_failed(&text));
    if (capture_parse(name, text.data, text.len, &read, &err) < 0)
        fail_msg("%s", err.text);
    play(name, &read, expected, &again);
    capture_clear(&again);
    capture_clear(&read);
    buf_free(&text);
}

static void test_machine(void **state)
{
    const char *name = *state;
    static struct expectation expected;
    struct capture capture, again;
    struct error err = { "" };
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/tests/machines/%s.expect", getenv("top_srcdir"), name);
    read_expectation(path, &expected);
    snprintf(path, sizeof(path), "%s/tests/machines/%s.capture", getenv("top_srcdir"), name);
    if (capture_load(path, &capture, &err) < 0)
        fail_msg("%s", err.text);
    play(name, &capture, &expected, &again);
    play_text_of(name, &again, &expected);
    capture_clear(&again);
    capture_clear(&capture);
    free(expected.text);
}

#define MACHINES_MAX 64

static int is_capture(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 8 && strcmp(entry->d_name + len - 8, ".capture") == 0;
}

/* The dynamic linker takes LD_LIBRARY_PATH at a program's start, so this one starts again. */
static void find_fake_libraries(char **argv)
{
    const char *build = getenv("top_builddir");
    char self[PATH_MAX] = "", path[2 * PATH_MAX];

    if (getenv("TEST_MACHINES_AGAIN") || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return;
    snprintf(path, sizeof(path), "%s/tests/fake/nvml/.libs:%s/tests/fake/ipmi/.libs",
             build ? build : ".", build ? build : ".");
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("TEST_MACHINES_AGAIN", "1", 1);
    execv(self, argv);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[MACHINES_MAX];
    struct dirent **entries = NULL;
    char path[PATH_MAX];
    size_t n_tests = 0;
    int count, failed;

    find_fake_libraries(argv);
    if (!getenv("top_srcdir"))
        setenv("top_srcdir", ".", 1);
    snprintf(path, sizeof(path), "%s/tests/machines", getenv("top_srcdir"));
    count = scandir(path, &entries, is_capture, alphasort);
    if (count <= 0) {
        fprintf(stderr, "no machines in %s\n", path);
        return 99;
    }
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 8] = '\0';
        if (n_tests < MACHINES_MAX && (argc < 2 || strcmp(argv[1], entries[i]->d_name) == 0))
            tests[n_tests++] = (struct CMUnitTest){ entries[i]->d_name, test_machine, NULL, NULL,
                                                    entries[i]->d_name };
    }
    failed = _cmocka_run_group_tests("machines", tests, n_tests, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
