/*
 * The meter, with each call of its to the kernel failing in turn, killed before it, or with the
 * power gone before it: N = 1, 2, … until it works to its end. After each it goes on, or its
 * successor does, and every joule that the counters saw is in the delivered batches once.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "meter_world.h"

#define BEGIN_RAW_UJ UINT64_C(5000000)

static struct world w;

/* What the child that works and the test both know. */
static struct {
    uint64_t now, raw_uj;
    int64_t wall_ns;
    uint64_t sealed_ns; /* up to here a seal was acknowledged */
} *shared;

/* --- the node: what the meter writes is below disk/ ------------------------------------------ */

static char below[PATH_MAX], mirror[PATH_MAX];

static void make_dir(const char *name, char ret_path[PATH_MAX])
{
    tree_mkdir(&w.tree, name);
    assert_non_null(realpath(w.tree.path, ret_path));
    strncat(ret_path, "/", PATH_MAX - strlen(ret_path) - 1);
    strncat(ret_path, name, PATH_MAX - strlen(ret_path) - 1);
}

static void make(void)
{
    world_make(&w);
    make_dir("disk", below);
    make_dir("mirror", mirror);
    make_dir("disk/marks", w.conf.mark_dir);
    make_dir("disk/spool", w.conf.spool_dir);
    make_dir("disk/deliver", w.conf.deliver_dir);
    shared->sealed_ns = w.now;
}

static void pass(uint64_t ns)
{
    faults_pause(true);
    world_pass(&w, ns);
    faults_pause(false);
    shared->now = w.now;
    shared->wall_ns = w.wall_ns;
    shared->raw_uj = w.raw_uj;
}

static void edge(enum mark_edge edge, uint32_t job_id, uint32_t step_id)
{
    faults_pause(true);
    world_edge(&w, edge, job_id, step_id);
    faults_pause(false);
}

/* --- as meterd does, with a supervisor that starts it again ---------------------------------- */

static int open_meter(void)
{
    struct meter_options options = { .conf = &w.conf, .node = WORLD_NODE, .boot_id = w.boot_id,
                                     .topology = &w.topology, .lock_fd = -1 };
    const struct sensor_options sensors = { .root_fd = w.tree.fd, .list = w.conf.sensors,
                                            .topology = &w.topology };
    struct error err = { "" };
    int rc = sensors_open(&sensors, &w.sensors, &err);

    options.sensors = w.sensors;
    if (rc == 0)
        rc = meter_open(&options, w.now, w.wall_ns, &w.meter, &err);
    if (rc < 0) {
        w.sensors = sensors_close(w.sensors);
        if (err.text[0] == '\0')
            fail_msg("the meter does not start and does not say why");
    }
    return rc;
}

static void start(void)
{
    for (int tries = 0; open_meter() < 0; tries++) {
        pass(SECOND);
        if (tries == 5)
            faults_disarm(); /* somebody made room */
        assert_true(tries < 10);
    }
}

static void restart(void)
{
    world_kill(&w);
    start();
}

static void tick(void)
{
    pass(SECOND);
    meter_tick(w.meter, w.now, w.wall_ns, true);
    if (meter_has_failed(w.meter))
        restart();
}

static void ticks(unsigned times)
{
    while (times--)
        tick();
}

static void deliver(void)
{
    meter_deliver(w.meter, w.now, w.wall_ns);
    while (!meter_reap(w.meter, w.now, w.wall_ns))
        poll(NULL, 0, 1);
}

static int seal(void)
{
    struct meter_state state;
    int rc = meter_seal(w.meter, w.wall_ns, NULL);

    assert_int_not_equal(rc, -EPROTO); /* whatever fails, the books balance */
    meter_describe(w.meter, &state);
    if (rc == 0 && !state.has_unwritten && state.next_seq > 1)
        shared->sealed_ns = state.closed_ns;
    deliver();
    return rc;
}

static void work(void)
{
    edge(MARK_JOB_BEGIN, 7, 0);
    edge(MARK_STEP_BEGIN, 7, STEP_BATCH);
    ticks(2);
    edge(MARK_STEP_BEGIN, 7, 0);
    pass(SECOND / 5);
    edge(MARK_STEP_END, 7, 0);
    ticks(2);
    (void)seal();
    tick();
    edge(MARK_STEP_END, 7, STEP_BATCH);
    edge(MARK_JOB_END, 7, 0);
    edge(MARK_JOB_BEGIN, 8, 0);
    edge(MARK_STEP_BEGIN, 8, STEP_BATCH);
    ticks(2);
    (void)seal();
    ticks(2);
    (void)seal();
}

/* What is left is booked and delivered, by a meter whom nothing fails any more. */
static void finish(void)
{
    edge(MARK_JOB_END, 7, 0); /* told twice, where it was */
    edge(MARK_JOB_BEGIN, 8, 0);
    edge(MARK_STEP_END, 8, STEP_BATCH);
    edge(MARK_JOB_END, 8, 0);
    ticks(9);
    meter_last_tick(w.meter, w.now, w.wall_ns);
    assert_int_equal(seal(), 0); /* what could not be written before … */
    assert_int_equal(seal(), 0); /* … and what came after it */
    world_kill(&w);
}

static void assert_complete(const struct world_books *books, const char *name, uint64_t at)
{
    uint64_t counted_uj = 2 * (w.raw_uj - BEGIN_RAW_UJ);
    unsigned ended = 0;

    for (size_t i = 0; i < books->n_jobs; i++)
        ended += (books->jobs[i].has & JOB_HAS_END) != 0;
    if (books->cpu_uj != counted_uj || books->memory_uj != counted_uj || books->streams != 1 ||
        ended != 2 || books->n_jobs != 2 || world_files(&w, "disk/marks", ".mark"))
        fail_msg("%s at call %llu: %llu of %llu uJ, %u streams, %u of %zu jobs ended, %u marks",
                 name, (unsigned long long)at, (unsigned long long)books->cpu_uj,
                 (unsigned long long)counted_uj, books->streams, ended, books->n_jobs,
                 world_files(&w, "disk/marks", ".mark"));
}

/* --- one fault, at the Nth call -------------------------------------------------------------- */

/* In a child: work while it strikes, then, if it lives, go on as if it had passed. */
static void __attribute__((noreturn)) work_with(const struct faults *faults, bool from_the_start)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion ends this process, not the test */
    if (!from_the_start) {
        start();
        ticks(9);
        assert_int_equal(seal(), 0);
        assert_true(shared->sealed_ns > w.now - 9 * SECOND);
    }
    if (faults->mirror)
        faults_mirror(below, mirror);
    faults_arm(faults);
    if (from_the_start)
        start();
    work();
    faults_disarm();
    finish();
    _exit(0);
}

/* True when the child died of it, so that a successor is to go on. */
static bool run_child(const struct faults *faults, bool from_the_start, bool *ret_hit)
{
    pid_t pid;
    int status;

    faults_arm(&(struct faults){ 0 }); /* the counts are shared from before the fork on */
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        work_with(faults, from_the_start);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *ret_hit = faults_hit();
    w.now = shared->now;
    w.wall_ns = shared->wall_ns;
    w.raw_uj = shared->raw_uj;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || faults->fault != FAULT_KILL)
        fail_msg("at call %llu the meter ended with status %x", (unsigned long long)faults->at,
                 (unsigned)status);
    return true;
}

static struct faults plan(const struct faults_row *row, uint64_t at)
{
    struct faults faults = row->faults;

    make();
    faults.at = at;
    faults.below = below;
    if (faults.mirror)
        faults.mirror = mirror;
    return faults;
}

/* Returns whether it struck. */
static bool try_once(const struct faults_row *row, uint64_t at, bool from_the_start)
{
    struct faults faults = plan(row, at);
    struct world_books books;
    bool hit;

    if (run_child(&faults, from_the_start, &hit)) {
        pass(3 * SECOND);
        start();
        finish();
    }
    world_books(&w, "disk/deliver", &books);
    if (!from_the_start)
        assert_complete(&books, row->name, at);
    world_free(&w);
    return hit;
}

static bool try_midway(const struct faults_row *row, uint64_t at)
{
    return try_once(row, at, false);
}

static bool try_at_start(const struct faults_row *row, uint64_t at)
{
    return try_once(row, at, true);
}

static void test_whatever_fails_when_each_joule_is_delivered_once(void **state)
{
    (void)state;
    faults_loop(faults_of_files, 1, 50, 3, try_midway);
}

/* Before the first checkpoint what is not booked cannot be known; what is booked must be right. */
static void test_whatever_fails_at_the_start_the_books_are_right(void **state)
{
    (void)state;
    faults_loop(faults_of_files, 1, 50, 3, try_at_start);
}

static void test_out_of_memory_each_joule_is_delivered_once(void **state)
{
    (void)state;
    if (!faults_have_memory()) {
        print_message("skipped: out of memory: a sanitizer has malloc()\n");
        skip();
    }
    faults_loop(faults_of_memory, 1, 50, 3, try_midway);
}

/* --- the power goes --------------------------------------------------------------------------- */

/* What the disk has takes the place of what the meter saw; MarkDir was in memory. */
static void lose_power(void)
{
    char command[3 * PATH_MAX];

    snprintf(command, sizeof(command), "cd '%s' && rm -rf disk && cp -R mirror/tree disk && "
             "rm -f disk/marks/*", w.tree.path);
    assert_int_equal(system(command), 0);
    w.boot_id = WORLD_BOOT_2;
    w.now = SECOND; /* the clock of the new boot */
    w.raw_uj = 0;
}

static bool lose_power_at(const struct faults_row *row, uint64_t at)
{
    struct faults faults = plan(row, at);
    uint64_t began_ns = w.now, sealed_uj, counted_uj, booked_uj;
    struct world_books books;
    bool hit;

    if (run_child(&faults, false, &hit)) {
        sealed_uj = 2 * (WORLD_UW / 1000000) * ((shared->sealed_ns - began_ns) / 1000);
        counted_uj = 2 * (shared->raw_uj - BEGIN_RAW_UJ);
        lose_power();
        start();
        finish();
        world_books(&w, "disk/deliver", &books);
        booked_uj = books.cpu_uj - 2 * w.raw_uj;
        if (books.streams != 2 || booked_uj < sealed_uj || booked_uj > counted_uj)
            fail_msg("%s at call %llu: %u streams, %llu uJ booked, %llu sealed, %llu counted",
                     row->name, (unsigned long long)at, books.streams,
                     (unsigned long long)booked_uj, (unsigned long long)sealed_uj,
                     (unsigned long long)counted_uj);
    }
    world_free(&w);
    return hit;
}

static void test_what_was_sealed_outlives_the_power(void **state)
{
    (void)state;
    faults_loop(faults_of_power, 1, 50, 3, lose_power_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_fails_when_each_joule_is_delivered_once),
        cmocka_unit_test(test_whatever_fails_at_the_start_the_books_are_right),
        cmocka_unit_test(test_out_of_memory_each_joule_is_delivered_once),
        cmocka_unit_test(test_what_was_sealed_outlives_the_power),
    };

    faults_use_memory();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                  0);
    return shared == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
