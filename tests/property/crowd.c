/*
 * crowd [FILES]: FILES strange files among the marks, and among the batches, of a node that works
 * on (10000; by hand and before a release a million). Ticks, and turns of ingest, are as many as
 * they have to be, and the books come out as without the crowd.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "books.h"
#include "core/parse.h"
#include "fake_meter.h"
#include "meter_world.h"
#include "spool/ingest.h"

#define STREAMS 20

static uint64_t files = 10000;

static void put(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        fail_msg("cannot create %s", name);
    close(fd);
}

static int open_dir(const struct tree *tree, const char *name)
{
    int fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static long memory_kib(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss;
}

/* --- marks ----------------------------------------------------------------------------------- */

/* Half have no mark's name; half have one, some of before and some of after, and nothing inside. */
static void crowd_marks(const struct world *w)
{
    int dir_fd = open_dir(&w->tree, "marks");
    char name[80];

    for (uint64_t i = 0; i < files; i++) {
        if (i % 2)
            snprintf(name, sizeof(name), "%020" PRIu64 "-%010" PRIu64 "-%08x-job-begin.mark",
                     w->now - files + 2 * i, i, UINT32_MAX);
        else
            snprintf(name, sizeof(name), "stray-%" PRIu64, i);
        put(dir_fd, name);
    }
    close(dir_fd);
}

static bool has_strange_marks(const struct world *w)
{
    DIR *dir = fdopendir(open_dir(&w->tree, "marks"));
    const struct dirent *entry;
    bool found = false;

    assert_non_null(dir);
    while (!found && (entry = readdir(dir)))
        found = entry->d_name[0] != '.';
    closedir(dir);
    return found;
}

/* Ticks until the meter has gone through all: the most that one of them took. */
static uint64_t tick_through(struct world *w, unsigned *ret_ticks)
{
    uint64_t longest_ns = 0;

    for (*ret_ticks = 0; *ret_ticks < 20 + files; ++*ret_ticks) {
        uint64_t begin_ns = cpu_ns(), took_ns;

        if (*ret_ticks % 20 == 0 && !has_strange_marks(w))
            break;
        world_ticks(w, 1);
        took_ns = cpu_ns() - begin_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        if (*ret_ticks % 60 == 59)
            world_seal(w);
    }
    return longest_ns;
}

static void a_crowd_in_mark_dir_costs_the_job_nothing(void **state)
{
    static struct world w;
    static struct world_books books;
    const struct batch_job *job;
    uint64_t begin_uj, longest_ns;
    unsigned ticks;
    long before_kib;

    (void)state;
    world_make(&w);
    world_start(&w);
    world_ticks(&w, 9);
    begin_uj = w.raw_uj;
    world_edge(&w, MARK_JOB_BEGIN, 7, 0);
    world_edge(&w, MARK_STEP_BEGIN, 7, 0);
    crowd_marks(&w);
    before_kib = memory_kib();
    longest_ns = tick_through(&w, &ticks);
    assert_false(has_strange_marks(&w));
    world_edge(&w, MARK_STEP_END, 7, 0);
    world_edge(&w, MARK_JOB_END, 7, 0);
    world_ticks(&w, 9);
    world_stop(&w);
    print_message("  %" PRIu64 " files in MarkDir: %u ticks, the longest %" PRIu64 " ms of CPU; "
                  "%ld KiB more memory\n", files, ticks, longest_ns / 1000000,
                  memory_kib() - before_kib);

    world_books(&w, "spool", &books);
    job = books_job(&books, 7);
    assert_non_null(job);
    assert_int_equal(books.n_jobs, 1);
    assert_int_equal(job->flags, 0);
    assert_true(job->has & JOB_HAS_END);
    assert_int_equal(job->end_boottime_ns - job->begin_boottime_ns, ticks * SECOND);
    assert_int_equal(books.cpu_uj, 2 * (w.raw_uj - begin_uj) + 2 * 9 * WORLD_UW);
    world_free(&w);
}

/* --- batches --------------------------------------------------------------------------------- */

/* Of each hundred: 89 of other names, one that is no batch, ten batches. */
static uint64_t crowd_batches(const struct tree *tree, uint64_t *ret_good)
{
    int dir_fd = open_dir(tree, "deliver");
    struct fake_meter meters[STREAMS];
    uint64_t random = 1, bad = 0;
    char name[80];

    *ret_good = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof(name), "n%u", i + 1);
        fake_meter_init(&meters[i], name, 0x1000 + i, FAKE_BEGIN_S);
    }
    for (uint64_t i = 0; i < files; i++) {
        struct batch batch;
        char room[BATCH_NAME_SIZE], path[PATH_MAX + 16];

        if (i % 100 < 90) {
            snprintf(name, sizeof(name), i % 100 ? "stray-%" PRIu64 : "stray-%" PRIu64 ".batch", i);
            put(dir_fd, name);
            bad += i % 100 == 0;
            continue;
        }
        snprintf(path, sizeof(path), "%s/deliver", tree->path);
        fake_meter_random(&meters[i % STREAMS], &random, &batch);
        fake_meter_deliver(&batch, path, room);
        batch_clear(&batch);
        ++*ret_good;
    }
    close(dir_fd);
    return bad;
}

static void a_crowd_in_deliver_dir_keeps_no_batch_from_the_books(void **state)
{
    struct books books;
    char deliver[PATH_MAX + 16];
    struct ingest ingest = { .deliver_dir = deliver, .turn_ms = 1 };
    struct ingest_report report = { 0 };
    struct error err = { "" };
    uint64_t good, bad, begin_ns = cpu_ns();
    unsigned rounds = 0;
    long before_kib;

    (void)state;
    books_open(&books);
    tree_mkdir(&books.tree, "deliver");
    snprintf(deliver, sizeof(deliver), "%s/deliver", books.tree.path);
    bad = crowd_batches(&books.tree, &good);
    ingest.store = books.store;
    before_kib = memory_kib();
    begin_ns = cpu_ns();
    do {
        if (ingest_round(&ingest, &report, &err) < 0)
            fail_msg("%s", err.text);
        rounds++;
    } while (report.more && rounds < files);
    print_message("  %" PRIu64 " files in DeliverDir: %u turns, %" PRIu64 " ms of CPU; "
                  "%ld KiB more memory\n", files, rounds, (cpu_ns() - begin_ns) / 1000000,
                  memory_kib() - before_kib);
    assert_int_equal(report.loaded, good);
    assert_int_equal(report.quarantined, bad);
    assert_int_equal(report.duplicates + report.left, 0);
    assert_int_equal(books_number(&books, "SELECT COUNT(*) FROM batch"), good);
    assert_int_equal(books_audit(&books, NULL, true), 0);
    books_close(&books);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_in_mark_dir_costs_the_job_nothing),
        cmocka_unit_test(a_crowd_in_deliver_dir_keeps_no_batch_from_the_books),
    };

    if (argc > 1 && parse_u64(argv[1], 1, 10000000, &files) < 0) {
        fprintf(stderr, "usage: crowd [FILES]\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
