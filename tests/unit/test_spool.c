/*
 * The spool's protocol: whenever the meter dies, and whatever it finds when it returns, every joule
 * of the counters is in the batches once.
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meter_world.h"

#define BEGIN_RAW_UJ UINT64_C(5000000)

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

static struct meter_state describe(void)
{
    struct meter_state state;

    meter_describe(w.meter, &state);
    return state;
}

/* Everything that was counted since the world began is in the batches, once. */
static void assert_complete(const struct world_books *books, size_t row)
{
    ROW_HOLDS(row, books->cpu_uj == 2 * (w.raw_uj - BEGIN_RAW_UJ));
    ROW_HOLDS(row, books->memory_uj == 2 * (w.raw_uj - BEGIN_RAW_UJ));
}

/* --- dying ----------------------------------------------------------------------------------- */

/*
 * A seal is: write the batch, then delete its marks one after the other. `batch` and `marks` say
 * how far it came: 0 nothing, 1 everything, for the marks also 2: every second one.
 */
static const struct { int batch, marks; } deaths[] = { { 0, 0 }, { 1, 0 }, { 1, 2 }, { 1, 1 } };

static void some_work(uint32_t job_id)
{
    world_edge(&w, MARK_JOB_BEGIN, job_id, 0);
    world_edge(&w, MARK_STEP_BEGIN, job_id, STEP_BATCH);
    world_ticks(&w, 2);
    world_pass(&w, SECOND / 3);
    world_edge(&w, MARK_STEP_BEGIN, job_id, 0);
    world_pass(&w, SECOND / 5);
    world_edge(&w, MARK_STEP_END, job_id, 0);
    world_ticks(&w, 2);
}

static void end_work(uint32_t job_id)
{
    world_edge(&w, MARK_STEP_END, job_id, STEP_BATCH);
    world_edge(&w, MARK_JOB_END, job_id, 0);
    world_ticks(&w, 2);
}

static void remove_every_second_mark(void)
{
    char command[PATH_MAX + 128];

    snprintf(command, sizeof(command),
             "cd '%s/marks' && ls *.mark | awk 'NR %% 2' | xargs -r rm", w.tree.path);
    assert_int_equal(system(command), 0);
}

static void die_while_sealing(size_t row)
{
    world_copy_dir(&w, "spool", "spool0");
    world_copy_dir(&w, "marks", "marks0");
    world_seal(&w);
    world_copy_dir(&w, "spool", "spool1");
    world_copy_dir(&w, "marks", "marks1");
    world_kill(&w);
    world_copy_dir(&w, deaths[row].batch ? "spool1" : "spool0", "spool");
    world_copy_dir(&w, deaths[row].marks == 1 ? "marks1" : "marks0", "marks");
    if (deaths[row].marks == 2)
        remove_every_second_mark();
}

static void test_death_at_any_step_of_a_seal_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (size_t row = 0; row < LENGTH(deaths); row++) {
        struct world_books books;

        unmake(NULL);
        make(NULL);
        some_work(7);
        world_seal(&w);
        end_work(7);
        some_work(8);
        die_while_sealing(row);
        world_pass(&w, 3 * SECOND);
        world_start(&w);
        world_ticks(&w, 3);
        end_work(8);
        world_stop(&w);
        world_books(&w, "spool", &books);
        assert_complete(&books, row);
        ROW_HOLDS(row, books.streams == 1);
        ROW_HOLDS(row, books.n_jobs == 2 && books.n_steps == 4);
        for (size_t i = 0; i < books.n_jobs; i++)
            ROW_HOLDS(row, (books.jobs[i].has & JOB_HAS_END) && books.jobs[i].flags == 0);
        for (size_t i = 0; i < books.n_steps; i++)
            ROW_HOLDS(row, (books.steps[i].has & STEP_HAS_END) &&
                           !(books.steps[i].flags & (FLAG_BEGIN_LOST | FLAG_END_LOST)));
        ROW_HOLDS(row, world_files(&w, "marks", ".mark") == 0);
    }
}

/* Killed again and again, at every tick, with and without a seal before. */
static void test_dying_at_every_tick_loses_and_doubles_nothing(void **state)
{
    struct world_books books;

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        world_edge(&w, i % 2 ? MARK_JOB_END : MARK_JOB_BEGIN, 7 + i / 2, 0);
        world_ticks(&w, 1 + i % 3);
        if (i % 4 == 0)
            world_seal(&w);
        world_kill(&w);
        world_pass(&w, SECOND / 4);
        world_start(&w);
    }
    world_ticks(&w, 3);
    world_stop(&w);
    world_books(&w, "spool", &books);
    assert_complete(&books, 0);
    assert_int_equal(books.streams, 1);
    assert_int_equal(books.n_jobs, 10);
}

static void test_marks_left_while_the_meter_was_down_are_replayed_exactly(void **state)
{
    uint64_t begin_raw_uj;
    struct world_books books;

    (void)state;
    world_ticks(&w, 3);
    world_stop(&w);
    world_pass(&w, 100 * SECOND);
    begin_raw_uj = w.raw_uj;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    world_pass(&w, 77 * SECOND + 123456789);
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_edge(&w, MARK_JOB_END, 7, 0);
    begin_raw_uj = w.raw_uj - begin_raw_uj;
    world_pass(&w, 100 * SECOND);
    world_start(&w);
    world_ticks(&w, 3);
    world_stop(&w);
    world_books(&w, "spool", &books);
    assert_complete(&books, 0);
    assert_int_equal(books.job_uj, begin_raw_uj);
    assert_int_equal(books.jobs[0].flags, 0);
}

static void test_without_a_checkpoint_the_books_begin_with_the_earliest_mark(void **state)
{
    uint64_t begin_raw_uj, begin_ns;
    struct world_books books;

    (void)state;
    world_kill(&w);
    world_pass(&w, 10 * SECOND);
    begin_raw_uj = w.raw_uj;
    begin_ns = w.now;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_pass(&w, 10 * SECOND);
    world_edge(&w, MARK_JOB_END, 7, 0);
    begin_raw_uj = w.raw_uj - begin_raw_uj;
    world_pass(&w, 10 * SECOND);
    world_start(&w);
    world_ticks(&w, 3);
    world_seal(&w);
    world_books(&w, "spool", &books);
    assert_int_equal(books.job_uj, begin_raw_uj);
    assert_int_equal(books.jobs[0].begin_boottime_ns, begin_ns);
    assert_int_equal(books.jobs[0].flags, 0);
}

/* --- rebooting ------------------------------------------------------------------------------- */

static void test_a_reboot_closes_what_was_open_and_begins_a_new_stream(void **state)
{
    struct world_books books;
    uint64_t counted_uj, end_ns;

    (void)state;
    some_work(7);
    world_seal(&w);
    counted_uj = 0;
    world_books(&w, "spool", &books);
    counted_uj = books.cpu_uj;
    end_ns = books.last.end_boottime_ns;
    world_edge(&w, MARK_JOB_END, 7, 0); /* never read by this boot's meter */
    world_kill(&w);
    w.boot_id = WORLD_BOOT_2;
    w.now = 5 * SECOND;
    w.raw_uj = 1000;
    world_pass(&w, 0);
    world_start(&w);
    assert_int_equal(describe().streams_closed, 1);
    assert_int_equal(describe().marks_other_boot, 1);
    assert_int_equal(describe().jobs, 0);
    world_books(&w, "spool", &books);
    assert_int_equal(books.cpu_uj, counted_uj);
    assert_int_equal(books_job(&books, 7)->flags & (FLAG_END_LOST | FLAG_REBOOT),
                     FLAG_END_LOST | FLAG_REBOOT);
    assert_int_equal(books_job(&books, 7)->end_boottime_ns, end_ns);
    assert_int_equal(books_step(&books, 7, STEP_BATCH)->end_boottime_ns, end_ns);
    /* and when it dies before the new stream's first seal, nothing is closed twice */
    world_kill(&w);
    world_start(&w);
    assert_int_equal(describe().streams_closed, 0);
    world_ticks(&w, 3);
    world_stop(&w);
    world_books(&w, "spool", &books);
    assert_int_equal(books.streams, 2);
    assert_int_equal(books.cpu_uj, counted_uj + 2 * (w.raw_uj - 1000));
}

/* --- damaged files --------------------------------------------------------------------------- */

static void damage_newest(const char *how)
{
    char command[PATH_MAX + 128];

    snprintf(command, sizeof(command), "cd '%s/spool' && f=$(ls *.batch | tail -n1) && %s",
             w.tree.path, how);
    assert_int_equal(system(command), 0);
}

static void test_a_damaged_newest_batch_is_set_aside_and_the_one_before_serves(void **state)
{
    static const char *const damages[] = {
        ": > $f", "head -c 500 $f > t && mv t $f", "sed -i s/seq=2/seq=3/ $f",
        "head -c 100000 /dev/urandom > $f",
    };

    (void)state;
    for (size_t row = 0; row < LENGTH(damages); row++) {
        struct world_books books;

        unmake(NULL);
        make(NULL);
        world_ticks(&w, 9);
        world_seal(&w);
        world_ticks(&w, 9);
        world_seal(&w);
        world_kill(&w);
        damage_newest(damages[row]);
        world_start(&w);
        ROW_HOLDS(row, describe().next_seq == 2 && describe().start == METER_RESUMED);
        world_ticks(&w, 3);
        world_stop(&w);
        ROW_HOLDS(row, world_files(&w, "spool", ".bad") == 1);
        world_books(&w, "spool", &books);
        assert_complete(&books, row);
    }
}

static void test_a_write_that_was_cut_short_is_removed(void **state)
{
    (void)state;
    world_kill(&w);
    tree_write(&w.tree, "spool/.n1-0000000000000001-000000000001.batch.tmp", "half");
    world_start(&w);
    assert_int_not_equal(faccessat(w.tree.fd, "spool/.n1-0000000000000001-000000000001.batch.tmp",
                                   F_OK, 0), 0);
}

/* --- a disk that is full --------------------------------------------------------------------- */

static void assert_seal_fails(void)
{
    struct error err = { "" };

    assert_true(meter_seal(w.meter, w.wall_ns, &err) < 0);
    assert_non_null(strstr(err.text, "tried again"));
}

/* Every write fails: a file-size limit of 0 is a full disk that needs no privilege. */
static void test_a_batch_that_cannot_be_written_is_kept_and_written_later(void **state)
{
    struct rlimit before, none;
    struct world_books books;

    (void)state;
    some_work(7);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        assert_seal_fails();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(describe().has_unwritten);
        world_ticks(&w, 3); /* the ledger goes on */
    }
    assert_true(world_files(&w, "marks", ".mark") > 0);
    world_copy_dir(&w, "spool", "spool0");
    world_copy_dir(&w, "marks", "marks0");
    end_work(7);
    world_seal(&w); /* the one that was kept */
    world_stop(&w); /* and what came since */
    world_books(&w, "spool", &books);
    assert_complete(&books, 0);
    assert_int_equal(books.batches, 2);
    assert_int_equal(world_files(&w, "marks", ".mark"), 0);
    /* had it died while the disk was full: the marks are still there */
    world_copy_dir(&w, "spool0", "spool");
    world_copy_dir(&w, "marks0", "marks");
    world_start(&w);
    world_ticks(&w, 3);
    world_stop(&w);
    world_books(&w, "spool", &books);
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(books.n_steps, 2);
    assert_int_equal(books.jobs[0].flags, 0);
}

static void test_nothing_is_sealed_when_no_time_has_passed(void **state)
{
    (void)state;
    world_ticks(&w, 9);
    world_seal(&w);
    world_seal(&w);
    assert_int_equal(world_files(&w, "spool", ".batch"), 1);
    assert_int_equal(describe().next_seq, 2);
}

static void test_an_idle_node_seals_its_totals(void **state)
{
    struct world_books books;

    (void)state;
    world_ticks(&w, 3);
    world_stop(&w);
    world_books(&w, "spool", &books);
    assert_complete(&books, 0);
    assert_int_equal(books.job_uj, 0);
}

/* --- room ------------------------------------------------------------------------------------ */

static void test_a_full_spool_drops_the_oldest_and_says_so(void **state)
{
    unsigned files;

    (void)state;
    world_kill(&w);
    w.conf.spool_max_mb = 0; /* no room for anything but the checkpoint */
    world_start(&w);
    for (int i = 0; i < 4; i++) {
        world_ticks(&w, 9);
        world_seal(&w);
    }
    files = world_files(&w, "spool", ".batch");
    assert_int_equal(files, 1);
    assert_int_equal(describe().batches_dropped, 3);
    world_kill(&w);
    world_start(&w); /* the newest was not dropped, and it remembers */
    assert_int_equal(describe().next_seq, 5);
    world_ticks(&w, 9);
    assert_int_equal(describe().batches_dropped, 2);
}

int main(void)
{
#define HISTORY(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        HISTORY(test_death_at_any_step_of_a_seal_loses_and_doubles_nothing),
        HISTORY(test_dying_at_every_tick_loses_and_doubles_nothing),
        HISTORY(test_marks_left_while_the_meter_was_down_are_replayed_exactly),
        HISTORY(test_without_a_checkpoint_the_books_begin_with_the_earliest_mark),
        HISTORY(test_a_reboot_closes_what_was_open_and_begins_a_new_stream),
        HISTORY(test_a_damaged_newest_batch_is_set_aside_and_the_one_before_serves),
        HISTORY(test_a_write_that_was_cut_short_is_removed),
        HISTORY(test_a_batch_that_cannot_be_written_is_kept_and_written_later),
        HISTORY(test_nothing_is_sealed_when_no_time_has_passed),
        HISTORY(test_an_idle_node_seals_its_totals),
        HISTORY(test_a_full_spool_drops_the_oldest_and_says_so),
    };

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
