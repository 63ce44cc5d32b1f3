/* The real spank_carbon.so in each process of Slurm that loads it, from first hook to last */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "fake_slurm.h"
#include "faults.h"
#include "plugin_world.h"
#include "walk.h"

static int set_up(void **state)
{
    (void)state;
    plugin_world_make();
    *faults = (struct faults){ 0 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plugin_world_free();
    return 0;
}

static void empty_marks(void)
{
    tree_remove(&world.tree, "marks");
    tree_mkdir(&world.tree, "marks");
}

/* --- every process --------------------------------------------------------------------------- */

static void every_process_of_slurms_is_left_as_it_was_by_every_hook(void **state)
{
    static const struct {
        enum walk walk;
        uint32_t step_id;
        unsigned hooks, marks;
    } rows[] = {
        { WALK_SLURMD, 0, 2, 0 },
        { WALK_PROLOG, 0, 1, 1 },
        { WALK_EPILOG, 0, 1, 1 },
        { WALK_STEP, 0, 12, 2 },
        { WALK_STEP, STEP_BATCH, 12, 2 },
        { WALK_STEP, STEP_INTERACTIVE, 12, 2 },
        { WALK_EXTERN, STEP_EXTERN, 4, 2 },
        { WALK_SRUN, 0, 4, 0 },
        { WALK_SBATCH, 0, 3, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct walk_report report;

        fake_step.step_id = rows[i].step_id;
        empty_marks();
        report = walk_well(rows[i].walk);
        ROW_HOLDS(i, report.hooks == rows[i].hooks);
        ROW_HOLDS(i, report.lines == 0);
        ROW_HOLDS(i, plugin_world_read() == rows[i].marks);
        ROW_HOLDS(i, rows[i].marks < 2 || world.found[0].mark.step_id == rows[i].step_id);
    }
}

static void processes_that_no_mark_is_of_are_asked_for_their_context_alone(void **state)
{
    static const enum walk walks[] = { WALK_SRUN, WALK_SBATCH, WALK_SLURMD };

    (void)state;
    for (size_t i = 0; i < LENGTH(walks); i++) {
        struct walk_report report;

        *faults = (struct faults){ 0 };
        report = walk_well(walks[i]);
        ROW_HOLDS(i, faults->calls > 0);
        ROW_HOLDS(i, faults->calls <= report.hooks); /* spank_context() */
    }
}

/* What task_exit learns there is in slurmstepd's memory, and nothing else is done there. */
static void a_step_whose_hooks_are_contained_has_its_tasks_exit_status(void **state)
{
    (void)state;
    if (strstr(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "", "vgpreload")) {
        print_message("skipped: valgrind knows no clone(CLONE_VM) that is no thread\n");
        skip();
    }
    fake_task_status = 9;
    walk_well(WALK_CONTAINED_STEP);
    assert_int_equal(plugin_world_read(), 2);
    assert_true(world.found[1].mark.has & MARK_HAS_EXIT);
    assert_int_equal(world.found[1].mark.exit_status, 9);
}

/* --- the job's environment ------------------------------------------------------------------- */

/* The marks as text, without what differs from one process to the next. */
static char *comparable(void)
{
    size_t count = plugin_world_read();
    struct buf buf;

    buf_init(&buf);
    for (size_t i = 0; i < count; i++) {
        struct found_mark *found = &world.found[i];

        found->mark.cpu_ns = found->mark.stepd_pid = 0;
        found->mark.stepd_start_ticks = 0;
        buf_printf(&buf, "%s\n", found->name);
        mark_write(&buf, &found->mark, found->readings, found->count);
    }
    assert_false(buf_failed(&buf));
    return buf.data;
}

#define LONG_VALUE_SIZE 65536

static void a_jobs_environment_changes_nothing_in_its_marks(void **state)
{
    static char gpus[LONG_VALUE_SIZE], path[LONG_VALUE_SIZE];
    static const char *const none[] = { NULL };
    const char *const hostile[] = {
        gpus, path, "SLURM_JOB_GPUS=0\n1", "SLURM_JOB_ID=8", "SLURM_JOBID=8", "SLURM_JOB_UID=0",
        "SLURM_STEP_ID=9", "SLURMD_NODENAME=../../etc", "SLURM_CARBON_CONF=/tmp/carbon.conf",
        "LD_PRELOAD=/tmp/evil.so", "LD_LIBRARY_PATH=/tmp", "TMPDIR=/tmp", "MALLOC_PERTURB_=255",
        "SLURM_ARRAY_JOB_ID=1", "SLURM_ARRAY_TASK_ID=2", "SLURM_JOB_CPUS_PER_NODE=999",
        "=", "", "\x01\x7f\xff", NULL,
    };
    static const uint32_t steps[] = { 0, STEP_BATCH, STEP_INTERACTIVE, STEP_EXTERN };

    (void)state;
    snprintf(gpus, sizeof(gpus), "SLURM_STEP_GPUS=%0*d", LONG_VALUE_SIZE - 100, 1);
    snprintf(path, sizeof(path), "PATH=%0*d", LONG_VALUE_SIZE - 100, 1);
    for (size_t i = 0; i < LENGTH(steps); i++) {
        char *marks[2];

        fake_step.step_id = steps[i];
        for (int j = 0; j < 2; j++) {
            fake_step.environment = j ? hostile : none;
            empty_marks();
            walk_well(steps[i] == STEP_EXTERN ? WALK_EXTERN : WALK_STEP);
            marks[j] = comparable();
        }
        assert_true(strlen(marks[0]) > 0);
        assert_string_equal(marks[0], marks[1]);
        free(marks[0]);
        free(marks[1]);
    }
}

static void set_hostile_job_names(void)
{
    static char name[LONG_VALUE_SIZE];

    memset(name, 'x', sizeof(name) - 1);
    setenv("SLURM_JOB_NAME", "a job\nend\nedge=job-end \x01\x7f\xff%", 1);
    setenv("SLURM_JOB_ACCOUNT", name, 1);
}

/* slurmd's environment of a prolog can be trusted, but a job's name is its owner's. */
static void a_jobs_name_stays_one_field_of_its_mark(void **state)
{
    struct walk_report report;

    (void)state;
    report = walk(WALK_PROLOG, set_hostile_job_names);
    assert_string_equal(report.wrong, "");
    assert_int_equal(plugin_world_read(), 1);
    assert_int_equal(world.found[0].mark.edge, MARK_JOB_BEGIN);
    assert_string_equal(world.found[0].mark.job_name, "a job\nend\nedge=job-end \x01\x7f\xff%");
    assert_false(world.found[0].mark.has & MARK_HAS_ACCOUNT); /* half a name is another's */
}

/* What a prolog or epilog is told as text, and where its mark keeps it. */
static const struct told {
    const char *name;
    size_t offset, size;
    uint32_t has;
} told[] = {
#define TOLD(name, member, bit) \
    { name, offsetof(struct mark, member), sizeof(((struct mark *)0)->member), bit }
    TOLD("SLURM_CLUSTER_NAME", cluster, MARK_HAS_CLUSTER),
    TOLD("SLURM_JOB_USER", user, MARK_HAS_USER),
    TOLD("SLURM_JOB_ACCOUNT", account, MARK_HAS_ACCOUNT),
    TOLD("SLURM_JOB_PARTITION", partition, MARK_HAS_PARTITION),
    TOLD("SLURM_JOB_QOS", qos, MARK_HAS_QOS),
    TOLD("SLURM_JOB_NAME", job_name, MARK_HAS_JOB_NAME),
    TOLD("SLURM_JOB_SLUID", sluid, MARK_HAS_SLUID),
};

/* None of the texts below is one of these; but an empty list of GPUs is a list. */
static const char *const told_numbers[] = {
    "SLURM_JOB_UID", "SLURM_JOB_GID", "SLURM_JOB_RESTART_COUNT", "SLURM_JOB_NUM_NODES",
    "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
    "SLURM_HET_JOB_ID", "SLURM_JOB_GPUS", "SLURM_JOB_EXIT_CODE",
};
#define HAS_NUMBERS \
    (MARK_HAS_UID | MARK_HAS_RESTARTS | MARK_HAS_NODES | MARK_HAS_CPUS | MARK_HAS_ARRAY | \
     MARK_HAS_HET | MARK_HAS_JOB_GPUS | MARK_HAS_EXIT)

static char long_text[LONG_VALUE_SIZE], text_that_fits[LABEL_SIZE], text_too_long[LABEL_SIZE + 1];
static const char *const texts[] = {
    long_text, text_that_fits, text_too_long, "", " ", "\x1b[31mred\x1b[0m", "a\nend\nb\r\n\tc",
    "\x01\x02\x07\x08\x0b\x0c\x7f", "\xc2\x9b" "31m", "\xff\xfe\xc3", "\xe2\x80\xae" "txt",
    "\"a\",'b',c;d|e\\", "</title><script>alert(1)</script>", "=1+1", "%s%n%00%zz", "../../etc",
};
static const char *text_in_hand;

static void tell_text_for_text(void)
{
    for (size_t i = 0; i < LENGTH(told); i++)
        setenv(told[i].name, text_in_hand, 1);
}

static void tell_text_for_numbers(void)
{
    for (size_t i = 0; i < LENGTH(told_numbers); i++)
        setenv(told_numbers[i], text_in_hand, 1);
}

static void tell_text_for_job_id(void) { setenv("SLURM_JOB_ID", text_in_hand, 1); }
static void tell_text_for_node(void) { setenv("SLURMD_NODENAME", text_in_hand, 1); }

static void make_texts(void)
{
    memset(long_text, 'x', sizeof(long_text) - 1);
    memset(text_too_long, 'x', sizeof(text_too_long) - 1);
    memset(text_that_fits, '\x1b', sizeof(text_that_fits) - 1);
}

/* One mark, or none and a line about it that moves no terminal. */
static void walk_on(size_t row, enum walk which, void (*before)(void), size_t marks)
{
    struct walk_report report;

    empty_marks();
    report = walk(which, before);
    ROW_HOLDS(row, report.status == 0 && !*report.wrong);
    ROW_HOLDS(row, plugin_world_read() == marks);
    ROW_HOLDS(row, report.lines == (marks == 0));
    for (const char *c = report.last_line; *c; c++)
        ROW_HOLDS(row, (unsigned char)*c >= ' ' && *c != 0x7f);
}

/* Whole and byte for byte where there is room for it, else not at all: never a part of it. */
static bool is_kept_or_absent(const struct mark *mark, const struct told *field, const char *text)
{
    const char *kept = (const char *)mark + field->offset;

    if (*text == '\0' || strlen(text) >= field->size)
        return !(mark->has & field->has) && *kept == '\0';
    return mark->has & field->has && strcmp(kept, text) == 0;
}

static void whatever_a_text_of_a_job_holds_its_mark_has_all_of_it_or_none(void **state)
{
    static const enum walk walks[] = { WALK_PROLOG, WALK_EPILOG };

    (void)state;
    make_texts();
    for (size_t i = 0; i < LENGTH(texts) * LENGTH(walks); i++) {
        text_in_hand = texts[i / LENGTH(walks)];
        walk_on(i, walks[i % LENGTH(walks)], tell_text_for_text, 1);
        for (size_t k = 0; k < LENGTH(told); k++)
            ROW_HOLDS(i, is_kept_or_absent(&world.found[0].mark, &told[k], text_in_hand));
        ROW_HOLDS(i, world.found[0].mark.job_id == 7 && world.found[0].mark.uid == 1000);
    }
}

static void what_is_no_number_is_no_field_of_a_mark(void **state)
{
    (void)state;
    make_texts();
    for (size_t i = 0; i < LENGTH(texts); i++) {
        text_in_hand = texts[i];
        walk_on(i, WALK_EPILOG, tell_text_for_numbers, 1);
        ROW_HOLDS(i, (world.found[0].mark.has & HAS_NUMBERS) ==
                         (*texts[i] ? 0 : MARK_HAS_JOB_GPUS));
        walk_on(i, WALK_PROLOG, tell_text_for_job_id, 0);
    }
}

/* A name that no node can have: the host's own takes its place, or the mark says it as it is. */
static void whatever_a_node_is_called_its_mark_is_whole_and_where_it_belongs(void **state)
{
    (void)state;
    make_texts();
    for (size_t i = 0; i < LENGTH(texts); i++) {
        bool usable = *texts[i] && strlen(texts[i]) < NODE_NAME_SIZE;

        text_in_hand = texts[i];
        walk_on(i, WALK_PROLOG, tell_text_for_node, 1);
        ROW_HOLDS(i, usable == (strcmp(world.found[0].mark.node, texts[i]) == 0));
        walk_on(i, WALK_STEP, tell_text_for_node, 2);
    }
    tree_write(&world.tree, "carbon.conf", "MarkDir=%s/%%n\n", world.tree.path);
    for (size_t i = 0; i < LENGTH(texts); i++) {
        text_in_hand = texts[i];
        walk_on(i, WALK_PROLOG, tell_text_for_node, 0);
    }
}

/* --- MarkDir --------------------------------------------------------------------------------- */

static const char *const edges[] = { "step-begin", "step-end" };
static const char victim_text[] = "not to be touched\n";

static void squat_link(const char *name) { tree_link(&world.tree, name, "../victim"); }
static void squat_dangling(const char *name) { tree_link(&world.tree, name, "../new"); }

static void squat_hard_link(const char *name)
{
    assert_int_equal(linkat(world.tree.fd, "victim", world.tree.fd, name, 0), 0);
}

static void squat_fifo(const char *name)
{
    assert_int_equal(mkfifoat(world.tree.fd, name, 0600), 0);
}

static void squat_dir(const char *name) { tree_mkdir(&world.tree, name); }

static void assert_victim_untouched(size_t row)
{
    char text[64];
    struct stat st;

    assert_int_equal(file_read_small(world.tree.fd, "victim", text, sizeof(text), NULL), 0);
    ROW_HOLDS(row, strcmp(text, victim_text) == 0);
    assert_int_equal(fstatat(world.tree.fd, "victim", &st, 0), 0);
    ROW_HOLDS(row, (st.st_mode & 07777) == 0644);
    ROW_HOLDS(row, faccessat(world.tree.fd, "new", F_OK, 0) < 0);
}

/* At the name that a mark is to have, or is to be written under first. */
static void what_lies_at_a_marks_name_is_never_written_through(void **state)
{
    static const struct {
        void (*squat)(const char *name);
        unsigned marks; /* only a directory cannot be replaced */
    } rows[] = {
        { squat_link, 2 }, { squat_dangling, 2 }, { squat_hard_link, 2 }, { squat_fifo, 2 },
        { squat_dir, 0 },
    };
    static const char *const around[][2] = { { "marks/.", ".tmp" }, { "marks/", "" } };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows) * LENGTH(around); i++) {
        const char *const *part = around[i % LENGTH(around)];
        unsigned marks = rows[i / LENGTH(around)].marks;

        empty_marks();
        tree_write(&world.tree, "victim", "%s", victim_text);
        for (size_t edge = 0; edge < LENGTH(edges); edge++) {
            char name[MARK_NAME_SIZE + 16];

            snprintf(name, sizeof(name), "%s%020llu-0000000007-00000000-%s.mark%s", part[0],
                     FAULTS_BOOTTIME_S * 1000000000ULL, edges[edge], part[1]);
            rows[i / LENGTH(around)].squat(name);
        }
        walk_well(WALK_STEP);
        assert_victim_untouched(i);
        if (marks)
            ROW_HOLDS(i, plugin_world_read() == marks);
        tree_remove(&world.tree, "victim");
    }
}

/* Entries are cheap to make as links to one file. */
static void fill_marks(int from, int to)
{
    char name[32];

    tree_write(&world.tree, "marks/0", "%s", "");
    for (int i = from; i < to; i++) {
        snprintf(name, sizeof(name), "marks/%d", i);
        assert_int_equal(linkat(world.tree.fd, "marks/0", world.tree.fd, name, 0), 0);
    }
}

/* A listing would be seen: it takes calls. */
static void a_mark_costs_as_many_calls_among_60000_files_as_alone(void **state)
{
    unsigned long alone;

    (void)state;
    walk_well(WALK_EXTERN);
    alone = faults->calls;
    assert_int_equal(plugin_world_read(), 2);
    empty_marks();
    fill_marks(1, 60000);
    faults->calls = 0;
    walk_well(WALK_EXTERN);
    assert_int_equal(faults->calls, alone);
    assert_int_equal(plugin_world_read(), 2);
    fill_marks(60000, 100000);
    faults->calls = 0;
    walk_well(WALK_EXTERN);
    assert_in_range(faults->calls, 1, alone);
    assert_int_equal(plugin_world_read(), 2);
}

/* --- a MarkDir that never answers ------------------------------------------------------------ */

/*
 * A file system in user space that nobody serves: whoever asks it anything waits until it is
 * aborted, which closing the descriptor does. -1 with a line of output where none can be mounted.
 */
static int mount_hung(const char *path)
{
    char options[96];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
    if (fd >= 0 && mount("hung", path, "fuse", MS_NOSUID | MS_NODEV, options) == 0)
        return fd;
    print_message("skipped: a file system that never answers cannot be mounted: needs root and "
                  "/dev/fuse\n");
    if (fd >= 0)
        close(fd);
    return -1;
}

static void a_mark_directory_that_never_answers_holds_no_hook_up(void **state)
{
    static const char *const dirs[] = { "hung", "hung/", "hung/n1", "hung/a/n1", "link/n1",
                                        "dir/../hung/n1", "dir//hung" };
    static const enum walk walks[] = { WALK_PROLOG, WALK_EPILOG, WALK_STEP, WALK_EXTERN };
    char path[PATH_MAX + 8];
    int fuse_fd;

    (void)state;
    tree_mkdir(&world.tree, "hung");
    tree_mkdir(&world.tree, "dir/hung");
    tree_link(&world.tree, "link", "hung");
    snprintf(path, sizeof(path), "%s/hung", world.tree.path);
    fuse_fd = mount_hung(path);
    if (fuse_fd < 0)
        skip();
    for (size_t i = 0; i < LENGTH(dirs) * LENGTH(walks); i++) {
        enum walk which = walks[i % LENGTH(walks)];
        struct walk_report report;

        tree_write(&world.tree, "carbon.conf", "MarkDir=%s/%s\n", world.tree.path,
                   dirs[i / LENGTH(walks)]);
        report = walk(which, NULL);
        if (*report.wrong || report.status || report.lines != 1) {
            close(fuse_fd);
            umount2(path, MNT_DETACH);
            fail_msg("%s, MarkDir %s: %s in %s: %s", walk_names[which], dirs[i / LENGTH(walks)],
                     report.wrong, report.hook, report.last_line);
        }
    }
    close(fuse_fd);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_process_of_slurms_is_left_as_it_was_by_every_hook),
        TEST(processes_that_no_mark_is_of_are_asked_for_their_context_alone),
        TEST(a_step_whose_hooks_are_contained_has_its_tasks_exit_status),
        TEST(a_jobs_environment_changes_nothing_in_its_marks),
        TEST(a_jobs_name_stays_one_field_of_its_mark),
        TEST(whatever_a_text_of_a_job_holds_its_mark_has_all_of_it_or_none),
        TEST(what_is_no_number_is_no_field_of_a_mark),
        TEST(whatever_a_node_is_called_its_mark_is_whole_and_where_it_belongs),
        TEST(what_lies_at_a_marks_name_is_never_written_through),
        TEST(a_mark_costs_as_many_calls_among_60000_files_as_alone),
        TEST(a_mark_directory_that_never_answers_holds_no_hook_up),
    };

    if (!plugin_world_is_possible())
        return 77;
    faults_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
