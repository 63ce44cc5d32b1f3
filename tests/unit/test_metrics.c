/* MetricsFile: what is in it, that it adds up to the batches, and what a bad directory costs */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "meter/metrics.h"
#include "meter_world.h"

static struct world w;
static struct metrics metrics;
static const struct tally nothing;

static int make(void **state)
{
    char path[PATH_MAX + 16];

    (void)state;
    world_make(&w);
    world_start(&w);
    tree_mkdir(&w.tree, "prom");
    snprintf(path, sizeof(path), "%s/prom/n1.prom", w.tree.path);
    metrics_init(&metrics, path, -1, w.now + 60 * SECOND);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    metrics_end(&metrics);
    world_free(&w);
    return 0;
}

static struct buf format(const struct tally *before)
{
    struct buf text;

    buf_init(&text);
    metrics_format(&text, w.meter, before);
    assert_false(buf_failed(&text));
    return text;
}

/* The value of a series, in millionths; the test fails when it is not there. */
static uint64_t micro_of(const char *text, const char *series)
{
    char line[256];
    const char *at;
    uint64_t whole, part = 0;
    char *end;

    snprintf(line, sizeof(line), "\n%s ", series);
    at = strstr(text, line);
    if (!at)
        fail_msg("no %s in:\n%s", series, text);
    whole = strtoull(at + strlen(line), &end, 10);
    if (*end == '.')
        part = strtoull(end + 1, NULL, 10);
    return whole * 1000000 + part;
}

#define ENERGY(component, share) "slurm_carbon_energy_joules_total{component=\"" component \
    "\",quality=\"measured\",share=\"" share "\"}"

static void a_job_on_half_the_node(void)
{
    world_ticks(&w, 9);
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_ticks(&w, 20);
    world_edge(&w, MARK_JOB_END, 7, 0);
    world_ticks(&w, 9);
    world_seal(&w);
}

static void test_energy_is_that_of_the_batches(void **state)
{
    struct world_books books;
    struct buf text;

    (void)state;
    a_job_on_half_the_node();
    world_ticks(&w, 9);
    world_seal(&w);
    text = format(&nothing);
    world_books(&w, "spool", &books);
    assert_true(books.job_uj > 0 && books.batches == 2);
    assert_int_equal(micro_of(text.data, ENERGY("cpu", "jobs")), books.job_uj);
    assert_int_equal(micro_of(text.data, ENERGY("cpu", "jobs")) +
                     micro_of(text.data, ENERGY("cpu", "system")) +
                     micro_of(text.data, ENERGY("cpu", "unallocated")), books.cpu_uj);
    assert_int_equal(micro_of(text.data, ENERGY("memory", "jobs")) +
                     micro_of(text.data, ENERGY("memory", "system")) +
                     micro_of(text.data, ENERGY("memory", "unallocated")), books.memory_uj);
    assert_int_equal(micro_of(text.data, "slurm_carbon_batches_sealed_total"), 2000000);
    assert_int_equal(micro_of(text.data, "slurm_carbon_batches_waiting"), 2000000);
    assert_int_equal(micro_of(text.data, "slurm_carbon_power_watts{component=\"cpu\"}"),
                     2 * WORLD_UW);
    buf_free(&text);
}

static void test_nobody_is_named(void **state)
{
    struct buf text;

    (void)state;
    a_job_on_half_the_node();
    text = format(&nothing);
    assert_null(strstr(text.data, "alice"));
    for (const char *p = text.data; (p = strchr(p, '{')); p++)
        ROW_HOLDS(p - text.data, !strncmp(p, "{component=", 11) || !strncmp(p, "{sensor=", 8) ||
                                 !strncmp(p, "{version=", 9));
    assert_null(strstr(text.data, "job="));
    assert_null(strstr(text.data, "user"));
    buf_free(&text);
}

/* What a double of Prometheus' would round is written all the same. */
static void test_no_digit_is_lost(void **state)
{
    struct tally *tally = (struct tally *)(uintptr_t)meter_tally(w.meter);
    struct buf text;

    (void)state;
    tally->energy_uj[COMPONENT_CPU][QUALITY_MEASURED][SHARE_JOBS] = UINT64_C(12345678901234567891);
    text = format(&nothing);
    assert_non_null(strstr(text.data, ENERGY("cpu", "jobs") " 12345678901234.567891\n"));
    buf_free(&text);
}

static void test_what_is_not_known_is_left_out(void **state)
{
    struct buf text = format(&nothing);

    (void)state;
    assert_int_equal(micro_of(text.data, ENERGY("cpu", "jobs")), 0); /* a counter begins at 0 */
    assert_null(strstr(text.data, "power_watts"));
    assert_null(strstr(text.data, "last_delivery"));
    assert_null(strstr(text.data, "component=\"gpu\""));
    assert_int_equal(micro_of(text.data, "slurm_carbon_start_timestamp_seconds"),
                     UINT64_C(1790000000000000));
    buf_free(&text);
}

static void test_a_counter_that_falls_silent_is_counted(void **state)
{
    static const char kind[] = "{sensor=\"powercap\",component=\"memory\",quality=\"measured\"}";
    char series[128];
    struct buf text;

    (void)state;
    tree_write(&w.tree, "sys/class/powercap/intel-rapl:1:0/energy_uj", "no number\n");
    for (unsigned i = 0; i < 4; i++) /* one of them is full */
        meter_tick(w.meter, w.now += SECOND, w.wall_ns, true);
    text = format(&nothing);
    snprintf(series, sizeof(series), "slurm_carbon_sensors%s", kind);
    assert_int_equal(micro_of(text.data, series), 2000000);
    snprintf(series, sizeof(series), "slurm_carbon_sensors_failing%s", kind);
    assert_int_equal(micro_of(text.data, series), 1000000);
    buf_free(&text);
}

/* Look again and again until the child has ended; alarm() ends a test that cannot end. */
static void settle(uint64_t now)
{
    const struct timespec nap = { .tv_nsec = 1000000 };

    while (child_is_busy(&metrics.child)) {
        nanosleep(&nap, NULL);
        metrics_look(&metrics, w.meter, now);
    }
}

static size_t file_text(char *text, size_t size)
{
    size_t len;

    assert_int_equal(file_read_small(w.tree.fd, "prom/n1.prom", text, size, &len), 0);
    return len;
}

static void test_it_is_written_once_a_minute(void **state)
{
    struct stat st, later;
    char text[8192];

    (void)state;
    world_ticks(&w, 59);
    metrics_look(&metrics, w.meter, w.now);
    assert_false(child_is_busy(&metrics.child));
    world_ticks(&w, 1);
    world_seal(&w);
    umask(077);
    metrics_look(&metrics, w.meter, w.now);
    assert_true(child_is_busy(&metrics.child));
    settle(w.now);
    assert_int_equal(fstatat(w.tree.fd, "prom/n1.prom", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    file_text(text, sizeof(text));
    assert_non_null(strstr(text, "slurm_carbon_build_info{version=\"" PACKAGE_VERSION "\"} 1\n"));
    world_ticks(&w, 59);
    world_seal(&w);
    metrics_look(&metrics, w.meter, w.now);
    assert_false(child_is_busy(&metrics.child));
    world_ticks(&w, 1);
    metrics_look(&metrics, w.meter, w.now);
    settle(w.now);
    assert_int_equal(fstatat(w.tree.fd, "prom/n1.prom", &later, 0), 0);
    assert_int_not_equal(st.st_ino, later.st_ino); /* renamed into place */
    assert_int_equal(world_files(&w, "prom", ""), 1);
}

static void test_power_is_of_what_was_booked_last(void **state)
{
    struct tally before;
    char told[8192];
    struct buf text;

    (void)state;
    world_ticks(&w, 9);
    world_seal(&w);
    before = *meter_tally(w.meter);
    assert_true(before.booked_ns > 0);
    text = format(&before);
    assert_null(strstr(text.data, "power_watts")); /* nothing was booked since */
    buf_free(&text);
    world_ticks(&w, 9);
    world_seal(&w);
    text = format(&before);
    assert_int_equal(micro_of(text.data, "slurm_carbon_power_watts{component=\"memory\"}"),
                     2 * WORLD_UW);
    buf_free(&text);
    for (unsigned i = 1; i <= 3; i++) { /* with a seal an hour it stays until the next */
        metrics_look(&metrics, w.meter, w.now + i * 60 * SECOND);
        settle(w.now + i * 60 * SECOND);
        file_text(told, sizeof(told));
        assert_int_equal(micro_of(told, "slurm_carbon_power_watts{component=\"memory\"}"),
                         2 * WORLD_UW);
    }
}

/* A directory that is away costs the file, and the meter not a tick. */
static void test_a_directory_that_is_away_is_an_error_and_no_more(void **state)
{
    char path[PATH_MAX + 16], text[8192];
    struct error err = { "" };
    struct buf buf = format(&nothing);

    (void)state;
    snprintf(path, sizeof(path), "%s/away/n1.prom", w.tree.path);
    metrics_init(&metrics, path, -1, w.now + 60 * SECOND);
    assert_int_equal(metrics_write(metrics.path, &buf, &err), -ENOENT);
    assert_non_null(strstr(err.text, "cannot open the directory of MetricsFile"));
    buf_free(&buf);
    metrics_look(&metrics, w.meter, w.now + 60 * SECOND);
    settle(w.now + 60 * SECOND);
    assert_true(metrics.is_failing);
    tree_mkdir(&w.tree, "away");
    metrics_look(&metrics, w.meter, w.now + 120 * SECOND);
    settle(w.now + 120 * SECOND);
    assert_false(metrics.is_failing);
    assert_int_equal(file_read_small(w.tree.fd, "away/n1.prom", text, sizeof(text),
                                     &(size_t){ 0 }), 0);
}

static void test_a_directory_that_hangs_is_given_up_and_tried_again(void **state)
{
    uint64_t begin = w.now + 60 * SECOND;
    int fds[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause(); /* as in the kernel, waiting for a server */
    close(fds[1]);
    metrics.child = (struct child){ .pid = pid, .report_fd = fds[0], .begin_ns = begin };
    metrics.due_ns = begin;
    metrics_look(&metrics, w.meter, begin + METRICS_DEADLINE_S * SECOND - 1);
    assert_int_equal(metrics.child.pid, pid); /* no second one beside it */
    assert_int_equal(world_files(&w, "prom", ".prom"), 0);
    while (metrics.child.pid == pid)
        metrics_look(&metrics, w.meter, begin + METRICS_DEADLINE_S * SECOND);
    assert_true(metrics.is_failing);
    settle(begin + METRICS_DEADLINE_S * SECOND);
    assert_false(metrics.is_failing);
    assert_int_equal(world_files(&w, "prom", ".prom"), 1);
}

static void test_without_the_key_nothing_is_written(void **state)
{
    (void)state;
    metrics_init(&metrics, "", -1, w.now);
    metrics_look(&metrics, w.meter, w.now + 600 * SECOND);
    assert_false(child_is_busy(&metrics.child));
}

int main(void)
{
#define ON_A_NODE(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        ON_A_NODE(test_energy_is_that_of_the_batches),
        ON_A_NODE(test_nobody_is_named),
        ON_A_NODE(test_no_digit_is_lost),
        ON_A_NODE(test_what_is_not_known_is_left_out),
        ON_A_NODE(test_a_counter_that_falls_silent_is_counted),
        ON_A_NODE(test_it_is_written_once_a_minute),
        ON_A_NODE(test_power_is_of_what_was_booked_last),
        ON_A_NODE(test_a_directory_that_is_away_is_an_error_and_no_more),
        ON_A_NODE(test_a_directory_that_hangs_is_given_up_and_tried_again),
        ON_A_NODE(test_without_the_key_nothing_is_written),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
