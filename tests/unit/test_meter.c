/* What marks do: each test is one history of a node, told by marks, and read from the books. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "meter_world.h"

#define FLAGS_OF_LOSS (FLAG_BEGIN_LOST | FLAG_END_LOST)

static struct world w;

static int make(void **state)
{
    (void)state;
    world_make(&w);
    world_start(&w);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}

static struct world_books end_and_read(void)
{
    struct world_books books;

    world_stop(&w);
    world_books(&w, "spool", &books);
    return books;
}

static struct meter_state describe(void)
{
    struct meter_state state;

    meter_describe(w.meter, &state);
    return state;
}

static void test_a_job_is_booked_from_edge_to_edge(void **state)
{
    uint64_t begin_raw_uj, job_uj;
    struct world_books books;

    (void)state;
    world_ticks(&w, 2);
    world_pass(&w, SECOND / 3);
    begin_raw_uj = w.raw_uj;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    world_ticks(&w, 5);
    world_pass(&w, SECOND / 7);
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_edge(&w, MARK_JOB_END, 7, 0);
    job_uj = w.raw_uj - begin_raw_uj;
    world_ticks(&w, 3);
    books = end_and_read();
    /* nobody used CPU time, so package 0, whose cores it has, is its own */
    assert_int_equal(books.job_uj, job_uj);
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(books.jobs[0].flags, 0);
    assert_true(books.jobs[0].has & JOB_HAS_END);
    assert_int_equal(books.steps[0].flags & ~(uint32_t)FLAG_NO_CPU_TIME, 0);
    assert_int_equal(books.cpu_uj, 2 * (w.raw_uj - 5000000));
    assert_int_equal(books.memory_uj, 2 * (w.raw_uj - 5000000));
}

static void test_a_step_tells_what_the_prolog_did_not_know(void **state)
{
    struct mark mark = world_mark(&w, MARK_JOB_BEGIN, 7, 0);
    const struct batch_job *job;
    struct world_books books;

    (void)state;
    mark.has |= MARK_HAS_ACCOUNT | MARK_HAS_UID;
    mark.uid = 1000;
    snprintf(mark.account, sizeof(mark.account), "physics");
    world_leave(&w, &mark);
    mark = world_mark(&w, MARK_STEP_BEGIN, 7, STEP_BATCH);
    mark.has |= MARK_HAS_JOB_CORES | MARK_HAS_MEMORY | MARK_HAS_ARRAY | MARK_HAS_UID |
                MARK_HAS_ACCOUNT | MARK_HAS_JOB_GPUS;
    mark.uid = 2000; /* the prolog is believed */
    snprintf(mark.account, sizeof(mark.account), "other");
    idset_add(&mark.job_cores, 3);
    idset_add(&mark.job_gpus, 0); /* only the prolog is believed */
    mark.memory_mb = 512;
    mark.array_job_id = 5;
    mark.array_task_id = 2;
    world_leave(&w, &mark);
    world_ticks(&w, 3);
    books = end_and_read();
    job = books_job(&books, 7);
    assert_non_null(job);
    assert_int_equal(job->uid, 1000);
    assert_string_equal(job->account, "physics");
    assert_true(idset_has(&job->cores, 3));
    assert_int_equal(job->memory_mb, 512);
    assert_int_equal(job->array_task_id, 2);
    assert_true(idset_is_empty(&job->gpus));
}

/* --- GPUs that are modelled: an A100 of 400 W, 50 W when free, 225 W when held ---------------- */

#define FREE_W UINT64_C(50)
#define HELD_W UINT64_C(225)

static void start_with_a_modelled_gpu(void)
{
    world_kill(&w);
    tree_write(&w.tree, "sys/bus/pci/devices/0000:07:00.0/class", "0x030200\n");
    tree_write(&w.tree, "sys/bus/pci/devices/0000:07:00.0/vendor", "0x10de\n");
    tree_write(&w.tree, "sys/bus/pci/devices/0000:07:00.0/device", "0x20b2\n");
    snprintf(w.conf.sensors, sizeof(w.conf.sensors), "powercap,modelled");
    w.conf.gpu_utilisation_ppm = 500000;
    world_start(&w);
}

static void leave_gpu_edge(enum mark_edge edge)
{
    struct mark mark = world_mark(&w, edge, 7, 0);

    mark.has |= MARK_HAS_JOB_GPUS;
    idset_add(&mark.job_gpus, 0);
    world_leave(&w, &mark);
}

/* W x ns = nJ. Each stretch is rounded down to 1 uJ. */
static void assert_near(uint64_t found_uj, uint64_t expected_nj)
{
    uint64_t expected_uj = expected_nj / 1000;

    if (found_uj > expected_uj || found_uj + 100 < expected_uj)
        fail_msg("%" PRIu64 " uJ, not %" PRIu64, found_uj, expected_uj);
}

static void test_a_modelled_gpu_draws_by_who_holds_it(void **state)
{
    uint64_t begin_ns = w.now, job_ns;
    struct world_books books;

    (void)state;
    start_with_a_modelled_gpu();
    world_ticks(&w, 10);
    world_pass(&w, SECOND / 3);
    job_ns = w.now;
    leave_gpu_edge(MARK_JOB_BEGIN);
    world_ticks(&w, 13);
    world_pass(&w, SECOND / 7);
    job_ns = w.now - job_ns;
    leave_gpu_edge(MARK_JOB_END);
    world_ticks(&w, 11);
    books = end_and_read();
    assert_near(books.job_gpu_uj, HELD_W * job_ns);
    assert_near(books.job_gpu_idle_uj, FREE_W * job_ns);
    assert_near(books.gpu_uj, HELD_W * job_ns + FREE_W * (w.now - begin_ns - job_ns));
    assert_int_equal(books.gpu_not_modelled, 0);
    assert_int_equal(books.last.gpus, 1);
}

/* What happened while the meter was away is told by the marks. */
static void test_a_modelled_gpu_goes_on_after_a_restart(void **state)
{
    uint64_t begin_ns = w.now, job_ns;
    struct world_books books;

    (void)state;
    start_with_a_modelled_gpu();
    world_ticks(&w, 3);
    job_ns = w.now;
    leave_gpu_edge(MARK_JOB_BEGIN);
    world_ticks(&w, 9);
    world_seal(&w);
    world_ticks(&w, 2);
    world_kill(&w);
    world_pass(&w, 100 * SECOND);
    job_ns = w.now - job_ns;
    leave_gpu_edge(MARK_JOB_END);
    world_pass(&w, 20 * SECOND);
    world_start(&w);
    world_ticks(&w, 9);
    books = end_and_read();
    assert_int_equal(books.streams, 1);
    assert_near(books.job_gpu_uj, HELD_W * job_ns);
    assert_near(books.gpu_uj, HELD_W * job_ns + FREE_W * (w.now - begin_ns - job_ns));
    assert_int_equal(books.gpu_not_modelled, 0);
}

/* A plugin that is listed twice in plugstack.conf tells everything twice, a little later. */
/* A window is closed before the end mark of step 1 is in it, and after the step used CPU time. */
static void test_a_step_that_ends_in_the_next_tick_is_booked_from_its_begin(void **state)
{
    struct mark end;
    struct world_books books;

    (void)state;
    world_ticks(&w, 2);
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0); /* uses nothing */
    world_pass(&w, SECOND / 2);
    world_edge(&w, MARK_STEP_BEGIN, 7, 1);
    world_pass(&w, SECOND / 2);
    world_ticks(&w, 1);
    world_pass(&w, SECOND / 2);
    end = world_mark(&w, MARK_STEP_END, 7, 1);
    end.has |= MARK_HAS_CPU;
    end.cpu_ns = SECOND;
    world_leave(&w, &end);
    world_pass(&w, SECOND / 2);
    world_ticks(&w, 3);
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_edge(&w, MARK_JOB_END, 7, 0);
    books = end_and_read();
    /* all of package 0 for all of its 2 seconds */
    assert_int_equal(books.step_uj[1], 2 * WORLD_UW);
}

static void test_marks_told_twice_change_nothing(void **state)
{
    static const struct { enum mark_edge edge; uint32_t step_id; } edges[] = {
        { MARK_JOB_BEGIN, 0 }, { MARK_STEP_BEGIN, 0 }, { MARK_STEP_END, 0 }, { MARK_JOB_END, 0 },
    };
    struct world_books books;

    (void)state;
    for (size_t i = 0; i < LENGTH(edges); i++) {
        world_edge(&w, edges[i].edge, 7, edges[i].step_id);
        world_pass(&w, 1000000);
        world_edge(&w, edges[i].edge, 7, edges[i].step_id);
        world_ticks(&w, 3);
    }
    assert_int_equal(describe().marks_repeated, 4);
    books = end_and_read();
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(books.n_steps, 1);
    assert_int_equal((books.jobs[0].flags | books.steps[0].flags) & FLAGS_OF_LOSS, 0);
}

static void test_a_requeued_job_without_epilog_is_two_allocations(void **state)
{
    struct mark mark = world_mark(&w, MARK_JOB_BEGIN, 7, 0);
    struct world_books books;

    (void)state;
    mark.has |= MARK_HAS_RESTARTS;
    world_leave(&w, &mark);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    world_ticks(&w, 3);
    mark = world_mark(&w, MARK_JOB_BEGIN, 7, 0);
    mark.has |= MARK_HAS_RESTARTS;
    mark.restart_count = 1;
    world_leave(&w, &mark);
    world_ticks(&w, 3);
    assert_int_equal(describe().jobs, 1);
    assert_int_equal(describe().steps, 0);
    books = end_and_read();
    assert_int_equal(books.n_jobs, 2);
    assert_true(books.jobs[0].flags & FLAG_END_LOST);
    assert_int_equal(books.jobs[0].end_boottime_ns, mark.boottime_ns);
    assert_int_equal(books.jobs[1].flags, 0);
    assert_false(books.jobs[1].has & JOB_HAS_END);
}

static void test_a_step_of_an_unknown_job_begins_the_job(void **state)
{
    struct world_books books;

    (void)state;
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    world_ticks(&w, 3);
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_ticks(&w, 3);
    assert_int_equal(describe().jobs, 1);
    world_ticks(&w, 70); /* no prolog, so no epilog will tell: it is over when it stays silent */
    assert_int_equal(describe().jobs, 0);
    books = end_and_read();
    assert_int_equal(books_job(&books, 7)->flags & FLAGS_OF_LOSS, FLAGS_OF_LOSS);
    assert_int_equal(books_step(&books, 7, 0)->flags & FLAGS_OF_LOSS, 0);
}

static void test_a_prolog_heard_after_its_first_step_is_taken(void **state)
{
    struct world_books books;

    (void)state;
    world_edge(&w, MARK_STEP_BEGIN, 7, STEP_EXTERN);
    world_pass(&w, 1000);
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_ticks(&w, 80);
    world_edge(&w, MARK_JOB_END, 7, 0);
    world_ticks(&w, 3);
    books = end_and_read();
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(books.jobs[0].flags & FLAG_END_LOST, 0);
}

static void test_a_late_step_of_an_ended_job_is_dropped(void **state)
{
    struct world_books books;

    (void)state;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_ticks(&w, 2);
    world_edge(&w, MARK_JOB_END, 7, 0);
    world_ticks(&w, 1);
    world_edge(&w, MARK_STEP_BEGIN, 7, STEP_EXTERN);
    world_ticks(&w, 1);
    world_edge(&w, MARK_STEP_END, 7, STEP_EXTERN);
    world_ticks(&w, 3);
    assert_int_equal(describe().marks_stray, 2);
    assert_int_equal(describe().jobs, 0);
    books = end_and_read();
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(books.n_steps, 0);
}

static void test_a_step_of_which_only_the_end_is_known_is_present(void **state)
{
    struct mark mark = world_mark(&w, MARK_STEP_END, 7, 3);
    const struct batch_step *step;
    struct world_books books;

    (void)state;
    mark.has |= MARK_HAS_CPU | MARK_HAS_EXIT;
    mark.cpu_ns = 77;
    mark.exit_status = 256;
    world_leave(&w, &mark);
    world_ticks(&w, 3);
    books = end_and_read();
    step = books_step(&books, 7, 3);
    assert_non_null(step);
    assert_true(step->flags & FLAG_BEGIN_LOST);
    assert_int_equal(step->begin_boottime_ns, step->end_boottime_ns);
    assert_int_equal(step->exit_status, 256);
}

static void test_an_end_takes_its_steps_with_it(void **state)
{
    struct world_books books;

    (void)state;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, STEP_EXTERN);
    world_ticks(&w, 2);
    world_edge(&w, MARK_JOB_END, 7, 0);
    world_ticks(&w, 3);
    assert_int_equal(describe().steps, 0);
    books = end_and_read();
    assert_int_equal(books.n_steps, 2);
    assert_true(books.steps[0].has & books.steps[1].has & STEP_HAS_END);
}

/* --- a stepd that is killed ------------------------------------------------------------------ */

static uint64_t start_ticks(pid_t pid)
{
    char path[64], text[1024], *at;
    size_t len;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    assert_int_equal(file_read_small(AT_FDCWD, path, text, sizeof(text), &len), 0);
    at = strrchr(text, ')');
    for (int field = 2; field < 22; field++)
        at = strchr(at + 1, ' ');
    return strtoull(at, NULL, 10);
}

static pid_t start_stepd(struct mark *mark)
{
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    mark->has |= MARK_HAS_STEPD;
    mark->stepd_pid = (uint32_t)pid;
    mark->stepd_start_ticks = start_ticks(pid);
    return pid;
}

static void kill_stepd(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_killed_stepd_ends_its_step(void **state)
{
    struct mark mark;
    uint64_t killed_ns;
    struct world_books books;
    pid_t pid;

    (void)state;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    mark = world_mark(&w, MARK_STEP_BEGIN, 7, 0);
    pid = start_stepd(&mark);
    world_leave(&w, &mark);
    world_ticks(&w, 30);
    assert_int_equal(describe().steps, 1);
    kill_stepd(pid);
    killed_ns = w.now;
    world_ticks(&w, 12);
    assert_int_equal(describe().steps, 0);
    assert_int_equal(describe().ends_lost, 1);
    books = end_and_read();
    assert_true(books.steps[0].flags & FLAG_END_LOST);
    assert_in_range(books.steps[0].end_boottime_ns, killed_ns - 5 * SECOND, killed_ns);
}

static void test_a_stepd_killed_while_the_meter_was_down_ends_its_step(void **state)
{
    struct mark mark;
    uint64_t sealed_ns;
    struct world_books books;
    pid_t pid;

    (void)state;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    mark = world_mark(&w, MARK_STEP_BEGIN, 7, 0);
    pid = start_stepd(&mark);
    world_leave(&w, &mark);
    world_ticks(&w, 30);
    sealed_ns = w.now;
    world_stop(&w);
    kill_stepd(pid);
    world_pass(&w, 100 * SECOND);
    world_start(&w);
    assert_int_equal(describe().steps, 1);
    world_ticks(&w, 12);
    assert_int_equal(describe().steps, 0);
    books = end_and_read();
    assert_true(books.steps[0].flags & FLAG_END_LOST);
    assert_int_equal(books.steps[0].end_boottime_ns, sealed_ns);
}

/* --- bad marks ------------------------------------------------------------------------------- */

#define GOOD_NAME "marks/00000000001000000000-0000000009-00000000-step-begin.mark"

static void leave_text(const char *name, const char *text)
{
    tree_write(&w.tree, "marks/.tmp", "%s", text);
    assert_int_equal(renameat(w.tree.fd, "marks/.tmp", w.tree.fd, name), 0);
}

static void leave_empty(void) { leave_text(GOOD_NAME, ""); }
static void leave_torn(void) { leave_text(GOOD_NAME, "carbon-mark 1\nmark edge=step-begin"); }
static void leave_newer(void) { leave_text(GOOD_NAME, "carbon-mark 2\nmark\nend\n"); }
static void leave_other_name(void) { leave_text("marks/readme.txt", "hello\n"); }
static void leave_short_name(void) { leave_text("marks/1-2-3-job-begin.mark", "hello\n"); }
static void leave_directory(void) { tree_mkdir(&w.tree, GOOD_NAME); }
static void leave_link(void) { tree_link(&w.tree, GOOD_NAME, "/etc/passwd"); }
static void leave_fifo(void) { assert_int_equal(mkfifoat(w.tree.fd, GOOD_NAME, 0600), 0); }

static void leave_big(void)
{
    char *text = malloc(MARK_SIZE_MAX + 2);

    memset(text, 'x', MARK_SIZE_MAX + 1);
    text[MARK_SIZE_MAX + 1] = '\0';
    leave_text(GOOD_NAME, text);
    free(text);
}

static void leave_foreign_node(void)
{
    struct mark mark = world_mark(&w, MARK_JOB_BEGIN, 9, 0);

    snprintf(mark.node, sizeof(mark.node), "n2");
    world_leave(&w, &mark);
}

static void leave_misnamed(void)
{
    world_edge(&w, MARK_JOB_BEGIN, 9, 0);
    assert_int_equal(renameat(w.tree.fd,
                              "marks/00000001000000000000-0000000009-ffffffff-job-begin.mark",
                              w.tree.fd, GOOD_NAME), 0);
}

static void test_bad_marks_are_set_aside_and_stop_no_others(void **state)
{
    static void (*const bad[])(void) = { leave_empty, leave_torn, leave_newer, leave_other_name,
                                         leave_short_name, leave_directory, leave_link, leave_fifo,
                                         leave_big, leave_foreign_node, leave_misnamed };

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        unmake(NULL);
        world_make(&w);
        bad[i]();
        world_pass(&w, 1000);
        world_edge(&w, MARK_JOB_BEGIN, 8, 0);
        world_start(&w);
        world_ticks(&w, 9);
        ROW_HOLDS(i, describe().marks_bad == 1);
        ROW_HOLDS(i, describe().jobs == 1);
        world_seal(&w);
        ROW_HOLDS(i, world_files(&w, "marks", "") == 0);
    }
}

static void test_the_file_that_stops_the_plugin_is_left_alone(void **state)
{
    (void)state;
    leave_text("marks/full", "");
    meter_wake(w.meter);
    world_ticks(&w, 3);
    assert_int_equal(describe().marks_bad, 0);
    assert_int_equal(world_files(&w, "marks", "full"), 1);
}

static void test_what_a_killed_writer_left_is_deleted_after_a_minute(void **state)
{
    char name[96];

    (void)state;
    snprintf(name, sizeof(name), "marks/.%020" PRIu64 "-0000000009-00000000-step-begin.mark.tmp",
             w.now);
    leave_text(name, "carbon-mark 1\nmark edge=");
    leave_text("marks/.another.tmp", "");
    meter_wake(w.meter);
    world_ticks(&w, 9);
    assert_int_equal(faccessat(w.tree.fd, name, F_OK, 0), 0); /* it may yet be renamed */
    world_pass(&w, 60 * SECOND);
    world_ticks(&w, 9);
    assert_true(faccessat(w.tree.fd, name, F_OK, 0) < 0);
    assert_int_equal(faccessat(w.tree.fd, "marks/.another.tmp", F_OK, 0), 0);
    assert_int_equal(describe().marks_bad, 0);
}

static void test_marks_of_another_boot_are_discarded(void **state)
{
    struct mark mark = world_mark(&w, MARK_JOB_BEGIN, 9, 0);

    (void)state;
    snprintf(mark.boot_id, sizeof(mark.boot_id), WORLD_BOOT_2);
    world_leave(&w, &mark);
    world_ticks(&w, 3);
    assert_int_equal(describe().marks_other_boot, 1);
    assert_int_equal(describe().marks_bad, 0);
    assert_int_equal(describe().jobs, 0);
    assert_int_equal(world_files(&w, "marks", ".mark"), 0);
}

static void test_a_mark_older_than_the_window_is_late_and_counts(void **state)
{
    struct mark mark = world_mark(&w, MARK_JOB_BEGIN, 7, 0);
    struct world_books books;

    (void)state;
    world_ticks(&w, 9);
    world_leave(&w, &mark);
    world_ticks(&w, 3);
    assert_int_equal(describe().marks_late, 1);
    books = end_and_read();
    assert_true(books.jobs[0].flags & FLAG_BEGIN_LATE);
    assert_int_equal(books.jobs[0].begin_boottime_ns, mark.boottime_ns);
}

/* --- many marks ------------------------------------------------------------------------------ */

/* More marks than fit in memory, left in no order of time, most of them before the meter starts. */
static void test_thousands_of_marks_are_taken_in_order(void **state)
{
    enum { JOBS = 3000, FIRST = 7 };
    struct meter_state told;
    unsigned looks = 0;

    (void)state;
    world_kill(&w);
    for (unsigned i = 0; i < JOBS; i++) {
        struct mark mark = world_mark(&w, i % 2 ? MARK_JOB_BEGIN : MARK_JOB_END, i / 2, 0);
        unsigned at = (i * 7919u) % JOBS; /* a permutation */

        mark.job_id = FIRST + at / 2;
        mark.edge = at % 2 ? MARK_JOB_END : MARK_JOB_BEGIN;
        mark.boottime_ns += at * UINT64_C(1000000);
        mark.wall_ns += at * INT64_C(1000000);
        world_leave(&w, &mark);
    }
    world_pass(&w, 10 * SECOND);
    world_start(&w);
    world_ticks(&w, 2);
    while (meter_is_behind(w.meter) && looks++ < 100) {
        world_pass(&w, SECOND / 20);
        meter_tick(w.meter, w.now, w.wall_ns, false);
    }
    world_ticks(&w, 2);
    told = describe();
    assert_int_equal(told.marks_seen, JOBS);
    assert_int_equal(told.marks_late, 0);
    assert_int_equal(told.marks_stray + told.marks_repeated, 0);
    assert_int_equal(told.jobs, 0);
    assert_true(meter_wants_seal(w.meter));
    world_seal(&w);
    assert_int_equal(world_files(&w, "marks", ".mark"), 0);
}

static void test_a_deleted_mark_directory_is_noticed(void **state)
{
    (void)state;
    assert_false(meter_is_stranded(w.meter));
    tree_remove(&w.tree, "marks");
    assert_true(meter_is_stranded(w.meter));
}

static void test_a_mark_directory_that_others_can_write_is_refused(void **state)
{
    struct meter_options options = { .conf = &w.conf, .node = WORLD_NODE, .boot_id = WORLD_BOOT,
                                     .topology = &w.topology, .lock_fd = -1 };
    struct meter *meter;
    struct error err;

    (void)state;
    options.sensors = w.sensors;
    assert_int_equal(fchmodat(w.tree.fd, "marks", 0777, 0), 0);
    assert_int_equal(meter_open(&options, w.now, w.wall_ns, &meter, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 0700"));
}

/* The counters count 100 W throughout and nobody is busy, so that is the floor. */
static void test_the_idle_floor_is_learned_and_kept_over_restarts_and_reboots(void **state)
{
    uint64_t floor_uw, again_uw;
    bool learned;

    (void)state;
    assert_false(meter_floor(w.meter, 0, &floor_uw, &learned));
    world_ticks(&w, 140); /* quiet: looked at every fourth */
    assert_true(meter_floor(w.meter, 0, &floor_uw, &learned));
    assert_true(learned);
    assert_in_range(floor_uw, WORLD_UW * 97 / 100, WORLD_UW * 103 / 100);
    world_seal(&w);
    world_kill(&w);
    world_start(&w);
    assert_true(meter_floor(w.meter, 0, &again_uw, &learned));
    assert_int_equal(again_uw, floor_uw);
    world_edge(&w, MARK_JOB_BEGIN, 7, 0); /* so that its stream has something to be closed */
    world_ticks(&w, 9);
    world_seal(&w);
    world_kill(&w);
    w.boot_id = WORLD_BOOT_2;
    w.now = 50 * SECOND;
    world_start(&w);
    assert_true(meter_floor(w.meter, 0, &again_uw, &learned));
    assert_true(learned);
    assert_int_equal(again_uw, floor_uw);
}

/* pm_counters of the node, which counts `watts`. */
static void pass_with_node_meter(unsigned seconds, uint64_t watts, uint64_t *node_j)
{
    while (seconds--) {
        *node_j += watts;
        tree_write(&w.tree, "sys/cray/pm_counters/energy", "%" PRIu64 " J 1 us\n", *node_j);
        tree_write(&w.tree, "sys/cray/pm_counters/freshness", "%" PRIu64 "\n", *node_j);
        world_ticks(&w, 1);
    }
    world_seal(&w);
}

/* Its parts count 400 W: at 100 W it cannot be the node's. `other` is then 0, and that is told. */
static void test_a_node_meter_below_its_parts_is_told(void **state)
{
    const struct meter_counter *node;
    uint64_t node_j = 1000000;

    (void)state;
    world_kill(&w);
    snprintf(w.conf.sensors, sizeof(w.conf.sensors), "powercap,cray");
    tree_write(&w.tree, "sys/cray/pm_counters/energy", "%" PRIu64 " J 1 us\n", node_j);
    tree_write(&w.tree, "sys/cray/pm_counters/freshness", "1\n");
    world_start(&w);
    node = meter_counter(w.meter, WORLD_COUNTERS);
    assert_int_equal(node->counter->component, COMPONENT_OTHER);
    pass_with_node_meter(60, 500, &node_j);
    assert_false(node->below_parts);
    pass_with_node_meter(60, 100, &node_j);
    assert_true(node->below_parts);
    assert_in_range(node->excess_uj, 12000 * UINT64_C(1000000), 18000 * UINT64_C(1000000));
    pass_with_node_meter(120, 1000, &node_j); /* it catches up */
    assert_false(node->below_parts);
    assert_int_equal(node->excess_uj, 0);
}

int main(void)
{
#define HISTORY(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        HISTORY(test_a_job_is_booked_from_edge_to_edge),
        HISTORY(test_a_step_tells_what_the_prolog_did_not_know),
        HISTORY(test_a_modelled_gpu_draws_by_who_holds_it),
        HISTORY(test_a_modelled_gpu_goes_on_after_a_restart),
        HISTORY(test_a_step_that_ends_in_the_next_tick_is_booked_from_its_begin),
        HISTORY(test_marks_told_twice_change_nothing),
        HISTORY(test_a_requeued_job_without_epilog_is_two_allocations),
        HISTORY(test_a_step_of_an_unknown_job_begins_the_job),
        HISTORY(test_a_prolog_heard_after_its_first_step_is_taken),
        HISTORY(test_a_late_step_of_an_ended_job_is_dropped),
        HISTORY(test_a_step_of_which_only_the_end_is_known_is_present),
        HISTORY(test_an_end_takes_its_steps_with_it),
        HISTORY(test_a_killed_stepd_ends_its_step),
        HISTORY(test_a_stepd_killed_while_the_meter_was_down_ends_its_step),
        HISTORY(test_bad_marks_are_set_aside_and_stop_no_others),
        HISTORY(test_the_idle_floor_is_learned_and_kept_over_restarts_and_reboots),
        HISTORY(test_the_file_that_stops_the_plugin_is_left_alone),
        HISTORY(test_what_a_killed_writer_left_is_deleted_after_a_minute),
        HISTORY(test_marks_of_another_boot_are_discarded),
        HISTORY(test_a_mark_older_than_the_window_is_late_and_counts),
        HISTORY(test_thousands_of_marks_are_taken_in_order),
        HISTORY(test_a_deleted_mark_directory_is_noticed),
        HISTORY(test_a_mark_directory_that_others_can_write_is_refused),
        HISTORY(test_a_node_meter_below_its_parts_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
