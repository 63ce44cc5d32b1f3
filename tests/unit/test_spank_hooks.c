/* The real spank_carbon.so, its hooks called as slurmd and slurmstepd call them */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mark.h"
#include "fake_slurm.h"
#include "plugin_world.h"
#include "spank/mark_dir.h"

static int set_up(void **state)
{
    (void)state;
    plugin_world_make();
    fake_load();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_unload();
    plugin_world_free();
    return 0;
}

/* Every hook that slurmstepd calls, for a step of one task. */
static void walk_step(void)
{
    static const char *const hooks[] = { "init", "init_post_opt", "user_init",
                                         "task_init_privileged", "task_init", "task_post_fork",
                                         "task_exit", "exit" };

    for (size_t i = 0; i < LENGTH(hooks); i++)
        ROW_HOLDS(i, fake_call(hooks[i], world.arguments) == 0);
}

static void assert_cores(const struct idset *set, const char *expected)
{
    char text[IDSET_TEXT_SIZE];

    idset_format(set, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void a_step_leaves_begin_and_end_with_its_fields(void **state)
{
    const struct mark *begin = &world.found[0].mark, *end = &world.found[1].mark;
    char name[MARK_NAME_SIZE];

    (void)state;
    fake_task_status = 3 << 8;
    walk_step();
    assert_int_equal(plugin_world_read(), 2);
    assert_int_equal(begin->edge, MARK_STEP_BEGIN);
    assert_int_equal(begin->job_id, 7);
    assert_int_equal(begin->step_id, 0);
    assert_int_equal(begin->uid, 1000);
    assert_int_equal(begin->gid, 100);
    assert_string_equal(begin->node, "n1");
    assert_cores(&begin->job_cores, "0-3");
    assert_cores(&begin->step_cores, "0,2");
    assert_cores(&begin->step_gpus, "1");
    assert_int_equal(begin->memory_mb, 4000);
    assert_int_equal(begin->stepd_pid, getpid());
    assert_true(begin->stepd_start_ticks > 0);
    assert_false(begin->has & (MARK_HAS_CPU | MARK_HAS_EXIT | MARK_HAS_ARRAY | MARK_HAS_JOB_GPUS));
    assert_int_equal(end->edge, MARK_STEP_END);
    assert_int_equal(end->job_id, 7);
    assert_true(end->has & MARK_HAS_CPU);
    assert_int_equal(end->exit_status, 3 << 8);
    assert_true(end->boottime_ns >= begin->boottime_ns);
    mark_file_name(begin, name);
    assert_string_equal(world.found[0].name, name);
}

static void a_mark_holds_the_counters_that_count(void **state)
{
    (void)state;
    assert_int_equal(fake_call("init_post_opt", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 1);
    assert_int_equal(world.found[0].count, 2);
    assert_string_equal(world.found[0].readings[0].source, "intel-rapl:0");
    assert_int_equal(world.found[0].readings[0].raw_uj, 1234567);
    assert_string_equal(world.found[0].readings[1].source, "intel-rapl:0:0");
    assert_int_equal(world.found[0].readings[1].raw_uj, 89);
}

static void the_end_reads_its_own_counters_and_leaves_out_one_that_fails(void **state)
{
    (void)state;
    assert_int_equal(fake_call("init_post_opt", world.arguments), 0);
    plugin_world_zone("intel-rapl:0", "package-0", "2222222");
    plugin_world_zone("intel-rapl:0:0", "dram", "no number");
    assert_int_equal(fake_call("exit", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 2);
    assert_int_equal(world.found[1].count, 1);
    assert_int_equal(world.found[1].readings[0].raw_uj, 2222222);
}

static void a_node_without_counters_leaves_marks_without_readings(void **state)
{
    (void)state;
    tree_remove(&world.tree, "root");
    walk_step();
    assert_int_equal(plugin_world_read(), 2);
    assert_int_equal(world.found[0].count, 0);
    assert_int_equal(world.found[1].count, 0);
}

static void a_batch_step_has_array_ids_and_the_jobs_gpus(void **state)
{
    (void)state;
    fake_step.step_id = STEP_BATCH;
    fake_step.array_job_id = 5;
    fake_step.array_task_id = 3;
    walk_step();
    assert_int_equal(plugin_world_read(), 2);
    assert_int_equal(world.found[0].mark.step_id, STEP_BATCH);
    assert_int_equal(world.found[0].mark.array_job_id, 5);
    assert_int_equal(world.found[0].mark.array_task_id, 3);
    assert_cores(&world.found[0].mark.step_gpus, "0-1");
}

static void array_ids_that_the_user_can_set_are_not_believed(void **state)
{
    (void)state;
    fake_step.array_job_id = 999;
    fake_step.array_task_id = 5;
    walk_step();
    assert_int_equal(plugin_world_read(), 2);
    assert_false(world.found[0].mark.has & MARK_HAS_ARRAY);
}

static void an_extern_step_holds_no_gpus(void **state)
{
    (void)state;
    fake_step.step_id = STEP_EXTERN;
    fake_call("init_post_opt", world.arguments);
    fake_call("task_post_fork", world.arguments);
    fake_call("exit", world.arguments);
    assert_int_equal(plugin_world_read(), 2);
    assert_false(world.found[0].mark.has & MARK_HAS_STEP_GPUS);
    assert_false(world.found[1].mark.has & MARK_HAS_EXIT);
}

static void unknown_cores_and_odd_gpu_claims_are_absent(void **state)
{
    static const char *const environment[] = { "SLURM_STEP_GPUS=0,1;rm -rf", NULL };

    (void)state;
    fake_step.job_cores = fake_step.step_cores = NULL;
    fake_step.environment = environment;
    fake_step.memory_mb = 0;
    walk_step();
    assert_int_equal(plugin_world_read(), 2);
    assert_false(world.found[0].mark.has & (MARK_HAS_JOB_CORES | MARK_HAS_STEP_CORES |
                                            MARK_HAS_STEP_GPUS | MARK_HAS_MEMORY));
}

static void the_worst_task_is_the_steps_exit_status(void **state)
{
    static const int statuses[] = { 0, 200 << 8, 9, 3 << 8, 0 };

    (void)state;
    fake_call("init_post_opt", world.arguments);
    for (size_t i = 0; i < LENGTH(statuses); i++) {
        fake_task_status = statuses[i];
        assert_int_equal(fake_call("task_exit", world.arguments), 0);
    }
    fake_call("exit", world.arguments);
    assert_int_equal(plugin_world_read(), 2);
    assert_int_equal(world.found[1].mark.exit_status, 9);
}

static void listed_twice_it_marks_once(void **state)
{
    static const char *const hooks[] = { "init_post_opt", "task_exit", "exit" };

    (void)state;
    for (size_t i = 0; i < LENGTH(hooks); i++)
        for (int copy = 0; copy < 2; copy++)
            assert_int_equal(fake_call(hooks[i], world.arguments), 0);
    assert_int_equal(plugin_world_read(), 2);
}

static void the_prolog_leaves_what_slurmd_tells_it(void **state)
{
    const struct mark *mark = &world.found[0].mark;

    (void)state;
    plugin_world_job_environment();
    fake_context = S_CTX_JOB_SCRIPT;
    assert_int_equal(fake_call("job_prolog", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 1);
    assert_int_equal(mark->edge, MARK_JOB_BEGIN);
    assert_int_equal(mark->job_id, 7);
    assert_int_equal(mark->uid, 1000);
    assert_int_equal(mark->gid, 100);
    assert_string_equal(mark->user, "alice");
    assert_string_equal(mark->partition, "main");
    assert_string_equal(mark->cluster, "carbon");
    assert_cores(&mark->job_gpus, "2-3");
    assert_int_equal(mark->node_count, 2);
    assert_int_equal(mark->restart_count, 1);
    assert_int_equal(mark->cpu_count, 4);
    assert_false(mark->has & (MARK_HAS_EXIT | MARK_HAS_STEP | MARK_HAS_ACCOUNT | MARK_HAS_ARRAY));
    assert_int_equal(world.found[0].count, 2);
}

static void the_epilog_adds_the_exit_code(void **state)
{
    (void)state;
    plugin_world_job_environment();
    fake_context = S_CTX_JOB_SCRIPT;
    assert_int_equal(fake_call("job_epilog", world.arguments), 0);
    assert_int_equal(fake_call("job_epilog", world.arguments), 0); /* listed twice */
    assert_int_equal(plugin_world_read(), 1);
    assert_int_equal(world.found[0].mark.edge, MARK_JOB_END);
    assert_int_equal(world.found[0].mark.exit_status, 1280);
}

static void cpus_of_this_node_are_taken_only_where_unambiguous(void **state)
{
    static const struct {
        const char *per_node, *on_node;
        uint32_t expected; /* 0: absent */
    } rows[] = {
        { "4", NULL, 4 },         { "4(x2)", NULL, 4 }, { "4(x2),3", NULL, 0 },
        { "4,3", NULL, 0 },       { "", NULL, 0 },      { "(x2)", NULL, 0 },
        { "many", NULL, 0 },      { "4,3", "3", 3 },    { NULL, NULL, 0 },
        { "99999999999", NULL, 0 },
    };

    (void)state;
    fake_context = S_CTX_JOB_SCRIPT;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        plugin_world_job_environment();
        unsetenv("SLURM_JOB_CPUS_PER_NODE");
        if (rows[i].per_node)
            setenv("SLURM_JOB_CPUS_PER_NODE", rows[i].per_node, 1);
        if (rows[i].on_node)
            setenv("SLURM_CPUS_ON_NODE", rows[i].on_node, 1);
        fake_unload();
        fake_load();
        tree_remove(&world.tree, "marks");
        tree_mkdir(&world.tree, "marks");
        assert_int_equal(fake_call("job_prolog", world.arguments), 0);
        assert_int_equal(plugin_world_read(), 1);
        ROW_HOLDS(i, !!(world.found[0].mark.has & MARK_HAS_CPUS) == (rows[i].expected != 0));
        ROW_HOLDS(i, rows[i].expected == 0 || world.found[0].mark.cpu_count == rows[i].expected);
    }
}

static void a_component_is_numbered_from_its_leader(void **state)
{
    static const struct {
        const char *leader;
        bool is_het;
        uint32_t job_id, offset;
    } rows[] = {
        { "7", true, 7, 0 }, { "5", true, 5, 2 }, { "8", false, 0, 0 }, { "0", false, 0, 0 },
        { "", false, 0, 0 }, { "x", false, 0, 0 },
    };

    (void)state;
    fake_context = S_CTX_JOB_SCRIPT;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        plugin_world_job_environment(); /* of job 7 */
        setenv("SLURM_HET_JOB_ID", rows[i].leader, 1);
        fake_unload();
        fake_load();
        tree_remove(&world.tree, "marks");
        tree_mkdir(&world.tree, "marks");
        assert_int_equal(fake_call("job_prolog", world.arguments), 0);
        assert_int_equal(plugin_world_read(), 1);
        ROW_HOLDS(i, !!(world.found[0].mark.has & MARK_HAS_HET) == rows[i].is_het);
        ROW_HOLDS(i, !rows[i].is_het || (world.found[0].mark.het_job_id == rows[i].job_id &&
                                         world.found[0].mark.het_offset == rows[i].offset));
    }
}

static void without_a_job_id_there_is_no_mark(void **state)
{
    (void)state;
    plugin_world_job_environment();
    unsetenv("SLURM_JOB_ID");
    fake_context = S_CTX_JOB_SCRIPT;
    assert_int_equal(fake_call("job_prolog", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 0);
    assert_int_equal(fake_infos, 1);
}

static void nothing_happens_in_the_users_own_processes(void **state)
{
    static const enum spank_context contexts[] = { S_CTX_LOCAL, S_CTX_ALLOCATOR, S_CTX_SLURMD,
                                                   S_CTX_ERROR };

    (void)state;
    plugin_world_job_environment();
    for (size_t i = 0; i < LENGTH(contexts); i++) {
        fake_context = contexts[i];
        walk_step();
        assert_int_equal(fake_call("job_prolog", world.arguments), 0);
        assert_int_equal(fake_call("job_epilog", world.arguments), 0);
        assert_int_equal(fake_call("slurmd_exit", world.arguments), 0);
        ROW_HOLDS(i, plugin_world_read() == 0);
        ROW_HOLDS(i, fake_errors + fake_infos + fake_debugs == 0);
    }
}

static void make_missing(void) { tree_remove(&world.tree, "marks"); }
static void make_full(void) { tree_write(&world.tree, "marks/full", "%s", ""); }

static void make_writable(void)
{
    char path[PATH_MAX + 8];

    snprintf(path, sizeof(path), "%s/marks", world.tree.path);
    assert_int_equal(chmod(path, 0777), 0);
}

static void make_file(void)
{
    tree_remove(&world.tree, "marks");
    tree_write(&world.tree, "marks", "%s", "");
}

static void make_link(void)
{
    tree_remove(&world.tree, "marks");
    tree_mkdir(&world.tree, "elsewhere");
    tree_link(&world.tree, "marks", "elsewhere");
}

/* Only root can give a directory away; for others the row repeats the missing directory. */
static void make_foreign(void)
{
    char path[PATH_MAX + 8];

    snprintf(path, sizeof(path), "%s/marks", world.tree.path);
    if (chown(path, 65534, 65534) < 0)
        tree_remove(&world.tree, "marks");
}

static void put_mark_dir(const char *dir)
{
    tree_write(&world.tree, "carbon.conf", "MarkDir=%s\n", dir);
}

static void put_below(const char *dir)
{
    char path[PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/%s", world.tree.path, dir);
    put_mark_dir(path);
}

static void make_above(const char *dir)
{
    char marks[64];

    snprintf(marks, sizeof(marks), "%s/marks", dir);
    tree_mkdir(&world.tree, marks);
    put_below(marks);
}

static void make_off_tmpfs(void) { put_mark_dir("/proc/self"); }
static void make_dotted(void) { put_below("../marks"); }
static void make_above_missing(void) { put_below("none/marks"); }

static void make_link_with_slash(void)
{
    make_link();
    put_below("marks/");
}

static void make_above_link(void)
{
    tree_mkdir(&world.tree, "elsewhere/marks");
    tree_link(&world.tree, "above", "elsewhere");
    put_below("above/marks");
}

static void make_above_writable(void)
{
    make_above("above");
    assert_int_equal(fchmodat(world.tree.fd, "above", 0775, 0), 0);
}

static void make_above_foreign(void)
{
    make_above("above");
    if (fchownat(world.tree.fd, "above", 65534, 65534, 0) < 0)
        make_above_missing();
}

static void (*const bad_dirs[])(void) = {
    make_missing,       make_full,           make_writable,     make_file,
    make_link,          make_foreign,        make_off_tmpfs,    make_dotted,
    make_above_missing, make_above_writable, make_above_link,   make_above_foreign,
    make_link_with_slash,
};

static void a_bad_directory_gets_no_mark_and_one_line_that_no_user_sees(void **state)
{
    for (size_t i = 0; i < LENGTH(bad_dirs); i++) {
        bad_dirs[i]();
        walk_step();
        ROW_HOLDS(i, plugin_world_read() == 0);
        ROW_HOLDS(i, fake_errors + fake_infos == 0);
        ROW_HOLDS(i, fake_debugs == 1);
        ROW_HOLDS(i, strstr(fake_last_line, "MarkDir"));
        tear_down(state);
        set_up(state);
    }
}

static void a_bad_directory_is_told_to_slurmds_log_by_the_prolog(void **state)
{
    for (size_t i = 0; i < LENGTH(bad_dirs); i++) {
        bad_dirs[i]();
        plugin_world_job_environment();
        fake_context = S_CTX_JOB_SCRIPT;
        ROW_HOLDS(i, fake_call("job_prolog", world.arguments) == 0);
        ROW_HOLDS(i, plugin_world_read() == 0);
        ROW_HOLDS(i, fake_infos == 1 && fake_errors == 0);
        tear_down(state);
        set_up(state);
    }
}

/* Entries are cheap to make as links to one file. */
static void a_tmpfs_that_nobody_empties_gets_no_more_marks(void **state)
{
    char first[PATH_MAX + 32], next[PATH_MAX + 32];

    (void)state;
    tree_write(&world.tree, "marks/0", "%s", "");
    snprintf(first, sizeof(first), "%s/marks/0", world.tree.path);
    for (int i = 1; i < MARK_DIR_MARKS_MAX - 1; i++) {
        snprintf(next, sizeof(next), "%s/marks/%d", world.tree.path, i);
        assert_int_equal(link(first, next), 0);
    }
    assert_int_equal(fake_call("init_post_opt", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 1);
    assert_int_equal(fake_call("exit", world.arguments), 0);
    assert_int_equal(plugin_world_read(), 1);
    assert_non_null(strstr(fake_last_line, "full"));
}

static void a_slurm_that_answers_nothing_gets_no_mark(void **state)
{
    (void)state;
    fake_step.refuse_all = true;
    walk_step();
    assert_int_equal(plugin_world_read(), 0);
}

static void a_missing_configuration_is_no_failure(void **state)
{
    static const char *const nowhere[] = { "config=/nonexistent/carbon.conf", NULL };

    (void)state;
    assert_int_equal(fake_call("init_post_opt", nowhere), 0);
    assert_int_equal(fake_call("exit", nowhere), 0);
    assert_int_equal(fake_errors + fake_infos, 0);
}

static void an_unknown_argument_is_named_once_when_slurmd_starts(void **state)
{
    const char *const odd[] = { world.config, "confg=/x", "colour=green", NULL };

    (void)state;
    fake_context = S_CTX_SLURMD;
    assert_int_equal(fake_call("init", odd), 0);
    assert_int_equal(fake_errors, 1);
    assert_non_null(strstr(fake_last_line, "confg=/x"));
    fake_context = S_CTX_REMOTE;
    assert_int_equal(fake_call("init", odd), 0);
    assert_int_equal(fake_call("init_post_opt", odd), 0);
    assert_int_equal(fake_errors, 1);
    assert_int_equal(plugin_world_read(), 1);
}

static void marks_are_roots_to_read_whatever_the_umask(void **state)
{
    char path[PATH_MAX + NAME_MAX + 16];
    mode_t mask = umask(0277);
    struct stat st;

    (void)state;
    assert_int_equal(fake_call("init_post_opt", world.arguments), 0);
    umask(mask);
    assert_int_equal(plugin_world_read(), 1);
    snprintf(path, sizeof(path), "%s/marks/%s", world.tree.path, world.found[0].name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_step_leaves_begin_and_end_with_its_fields),
        TEST(a_mark_holds_the_counters_that_count),
        TEST(the_end_reads_its_own_counters_and_leaves_out_one_that_fails),
        TEST(a_node_without_counters_leaves_marks_without_readings),
        TEST(a_batch_step_has_array_ids_and_the_jobs_gpus),
        TEST(array_ids_that_the_user_can_set_are_not_believed),
        TEST(an_extern_step_holds_no_gpus),
        TEST(unknown_cores_and_odd_gpu_claims_are_absent),
        TEST(the_worst_task_is_the_steps_exit_status),
        TEST(listed_twice_it_marks_once),
        TEST(the_prolog_leaves_what_slurmd_tells_it),
        TEST(the_epilog_adds_the_exit_code),
        TEST(cpus_of_this_node_are_taken_only_where_unambiguous),
        TEST(a_component_is_numbered_from_its_leader),
        TEST(without_a_job_id_there_is_no_mark),
        TEST(nothing_happens_in_the_users_own_processes),
        TEST(a_bad_directory_gets_no_mark_and_one_line_that_no_user_sees),
        TEST(a_bad_directory_is_told_to_slurmds_log_by_the_prolog),
        TEST(a_tmpfs_that_nobody_empties_gets_no_more_marks),
        TEST(a_slurm_that_answers_nothing_gets_no_mark),
        TEST(a_missing_configuration_is_no_failure),
        TEST(an_unknown_argument_is_named_once_when_slurmd_starts),
        TEST(marks_are_roots_to_read_whatever_the_umask),
    };

    if (!plugin_world_is_possible())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
