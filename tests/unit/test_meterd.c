/* The program itself, on a small tree: killed again and again, locked, asked, and ended. */
#include "unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "machine.h"
#include "meter_world.h"

/* always 12 digits, so that a write replaces it whole */
#define FIRST_RAW_UJ UINT64_C(500000000000)
#define KILLS 12

static struct world w;
static char boot_id[BOOT_ID_SIZE];
static pid_t meterd;
static int counter_fds[WORLD_COUNTERS];

/* --- the node -------------------------------------------------------------------------------- */

static void write_counters(void)
{
    static const char *const zones[] = { "intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1",
                                         "intel-rapl:1:0" };

    for (size_t i = 0; i < WORLD_COUNTERS; i++) {
        char file[128], text[32];
        int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", w.raw_uj);

        snprintf(file, sizeof(file), "sys/class/powercap/%s/energy_uj", zones[i]);
        if (counter_fds[i] <= 0)
            counter_fds[i] = openat(w.tree.fd, file, O_WRONLY | O_CLOEXEC | O_TRUNC);
        assert_int_equal(pwrite(counter_fds[i], text, (size_t)len, 0), len);
    }
}

/* Real time goes on for a while, and the counters with it. */
static void live(unsigned ms)
{
    const struct timespec nap = { .tv_nsec = 10000000 };
    uint64_t until = clock_boottime_ns() + ms * UINT64_C(1000000);

    while (clock_boottime_ns() < until) {
        nanosleep(&nap, NULL);
        w.raw_uj += 1234567;
        write_counters();
    }
}

static void leave(enum mark_edge edge, uint32_t job_id, uint32_t step_id)
{
    w.now = clock_boottime_ns();
    w.wall_ns = clock_wall_ns();
    world_edge(&w, edge, job_id, step_id);
}

static int make(void **state)
{
    const struct machine machine = { .packages = 2, .cores = 2, .threads = 1, .memory_mb = 4000 };

    (void)state;
    world_make(&w);
    machine_write(&w.tree, &machine);
    assert_int_equal(clock_boot_id(boot_id), 0);
    w.boot_id = boot_id;
    w.raw_uj = FIRST_RAW_UJ;
    for (size_t i = 0; i < WORLD_COUNTERS; i++)
        counter_fds[i] = -1;
    write_counters();
    tree_write(&w.tree, "carbon.conf",
               "MarkDir=%s/marks\nSpoolDir=%s/spool\nDeliverDir=%s/deliver\nSensorRoot=%s\n"
               "CgroupRoot=%s/cgroup\nSensors=powercap\nTickSeconds=0.1\nDeliverSeconds=1\n",
               w.tree.path, w.tree.path, w.tree.path, w.tree.path, w.tree.path);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    if (meterd > 0) {
        kill(meterd, SIGKILL);
        waitpid(meterd, NULL, 0);
        meterd = 0;
    }
    for (size_t i = 0; i < WORLD_COUNTERS; i++)
        close(counter_fds[i]);
    world_free(&w);
    return 0;
}

/* --- the program ----------------------------------------------------------------------------- */

static pid_t spawn(const char *option, const char *argument, const char *log)
{
    const char *top = getenv("top_builddir");
    char program[PATH_MAX], conf[PATH_MAX + 32];
    pid_t pid;

    snprintf(program, sizeof(program), "%s/carbon-meterd", top ? top : ".");
    snprintf(conf, sizeof(conf), "%s/carbon.conf", w.tree.path);
    pid = fork();
    if (pid == 0) {
        int fd = openat(w.tree.fd, log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execl(program, program, "--config", conf, option, argument, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void start(void)
{
    meterd = spawn("--node", WORLD_NODE, "log");
}

static int end_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void kill_meterd(int signal_no)
{
    assert_int_equal(kill(meterd, signal_no), 0);
}

static void read_log(const char *log, char *text, size_t size)
{
    size_t len;

    assert_int_equal(file_read_small(w.tree.fd, log, text, size, &len), 0);
}

/* Wait, without end but the test's own, until there are so many files. */
static void wait_for_files(const char *dir, const char *suffix, unsigned count)
{
    const struct timespec nap = { .tv_nsec = 20000000 };

    while (faccessat(w.tree.fd, dir, F_OK, 0) < 0 || world_files(&w, dir, suffix) < count)
        nanosleep(&nap, NULL);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_killed_again_and_again_it_loses_and_doubles_nothing(void **state)
{
    struct world_books books;

    (void)state;
    start();
    /* the counters stand still until the first checkpoint */
    wait_for_files("deliver", ".batch", 1);
    for (uint32_t i = 0; i < KILLS; i++) {
        leave(MARK_JOB_BEGIN, 1 + i, 0);
        leave(MARK_STEP_BEGIN, 1 + i, 0);
        live(90 * (i % 9));
        kill_meterd(SIGKILL);
        assert_int_equal(end_of(meterd), 1000 + SIGKILL);
        live(i % 2 ? 0 : 120);
        if (i % 3 == 0) {
            leave(MARK_STEP_END, 1 + i, 0);
            leave(MARK_JOB_END, 1 + i, 0);
        }
        start();
        live(50 * (i % 4) + 10);
        if (i % 3) {
            leave(MARK_STEP_END, 1 + i, 0);
            leave(MARK_JOB_END, 1 + i, 0);
        }
    }
    live(700);
    kill_meterd(SIGTERM);
    assert_int_equal(end_of(meterd), 0);
    meterd = 0;
    world_books(&w, "deliver", &books);
    assert_int_equal(books.streams, 1);
    assert_int_equal(books.cpu_uj, 2 * (w.raw_uj - FIRST_RAW_UJ));
    assert_int_equal(books.memory_uj, 2 * (w.raw_uj - FIRST_RAW_UJ));
    assert_int_equal(books.n_jobs, KILLS);
    assert_int_equal(books.n_steps, KILLS);
    for (size_t i = 0; i < books.n_jobs; i++)
        ROW_HOLDS(i, (books.jobs[i].has & JOB_HAS_END) &&
                     !(books.jobs[i].flags & (FLAG_END_LOST | FLAG_BEGIN_LOST)));
    assert_int_equal(world_files(&w, "marks", ".mark"), 0);
    assert_int_equal(world_files(&w, "spool", ".bad"), 0);
}

static void test_a_second_meter_of_the_node_is_refused(void **state)
{
    char text[4096], pid[32];

    (void)state;
    start();
    wait_for_files("spool", "status", 1);
    assert_int_equal(end_of(spawn("--node", WORLD_NODE, "second")), 1);
    read_log("second", text, sizeof(text));
    snprintf(pid, sizeof(pid), "process %d,", (int)meterd);
    assert_non_null(strstr(text, pid));
    assert_non_null(strstr(text, "is metered already"));
    kill_meterd(SIGTERM);
    assert_int_equal(end_of(meterd), 0);
    meterd = 0;
}

static void test_the_status_file_is_written_when_asked(void **state)
{
    char text[8192];

    (void)state;
    start();
    wait_for_files("spool", "status", 1);
    tree_remove(&w.tree, "spool/status");
    kill_meterd(SIGUSR1);
    wait_for_files("spool", "status", 1);
    read_log("spool/status", text, sizeof(text));
    assert_non_null(strstr(text, "node: " WORLD_NODE "\n"));
    assert_non_null(strstr(text, "\ncounter: intel-rapl:1:0 sensor=powercap component=memory "));
    assert_non_null(strstr(text, " raw_uj=500000000000 "));
}

static void test_a_delivery_that_fails_is_told_and_made_up_for(void **state)
{
    char text[4096];

    (void)state;
    tree_write(&w.tree, "deliver", "a file is in the way\n");
    start();
    wait_for_files("spool", ".batch", 2);
    tree_remove(&w.tree, "deliver");
    wait_for_files("deliver", ".batch", 3);
    read_log("log", text, sizeof(text));
    assert_non_null(strstr(text, "cannot open DeliverDir"));
    kill_meterd(SIGTERM);
    assert_int_equal(end_of(meterd), 0);
    meterd = 0;
    assert_int_equal(world_files(&w, "spool", ".batch"), 1);
}

static void test_mistakes_are_errors_that_say_what_to_do(void **state)
{
    static const struct { const char *option, *argument, *says; } rows[] = {
        { "--node", "a/b", "is no name of a node" },
        { "--node", ".", "is no name of a node" },
        { "--what", NULL, "--what" },
        { "more", NULL, "unexpected argument \"more\"" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[4096], log[16];

        snprintf(log, sizeof(log), "log%zu", i);
        ROW_HOLDS(i, end_of(spawn(rows[i].option, rows[i].argument, log)) == 1);
        read_log(log, text, sizeof(text));
        ROW_HOLDS(i, strstr(text, rows[i].says));
    }
}

static void test_help_names_every_option(void **state)
{
    char text[4096];

    (void)state;
    assert_int_equal(end_of(spawn("--help", NULL, "help")), 0);
    read_log("help", text, sizeof(text));
    for (const char *const *option = (const char *const[]){ "--config FILE", "--node NAME",
         "--foreground", "--version", "SIGUSR1", NULL }; *option; option++)
        assert_non_null(strstr(text, *option));
}

int main(void)
{
#define ON_A_NODE(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        ON_A_NODE(test_killed_again_and_again_it_loses_and_doubles_nothing),
        ON_A_NODE(test_a_second_meter_of_the_node_is_refused),
        ON_A_NODE(test_the_status_file_is_written_when_asked),
        ON_A_NODE(test_a_delivery_that_fails_is_told_and_made_up_for),
        ON_A_NODE(test_mistakes_are_errors_that_say_what_to_do),
        ON_A_NODE(test_help_names_every_option),
    };

    alarm(300);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
