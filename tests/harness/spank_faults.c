/* The real spank_carbon.so when the Nth call that it makes fails, or is its last: N = 1, 2, … */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fake_slurm.h"
#include "faults.h"
#include "plugin_world.h"
#include "walk.h"

/* More than any walk makes: the loop ends. */
#define CALLS_MAX 2000

/* An epilog makes no other calls than a prolog, and extern none that a step does not make. */
static const enum walk walks[] = { WALK_PROLOG, WALK_STEP };

static int set_up(void **state)
{
    (void)state;
    plugin_world_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plugin_world_free();
    return 0;
}

static int is_unfinished(const struct dirent *entry)
{
    return entry->d_name[0] == '.' && strstr(entry->d_name, ".mark.tmp") != NULL;
}

/* Files of that name's form; those with a mark's name are read, which fails when one is torn. */
static unsigned count_unfinished(void)
{
    char dir[PATH_MAX + 8];
    struct dirent **names;
    int count;

    snprintf(dir, sizeof(dir), "%s/marks", world.tree.path);
    count = scandir(dir, &names, is_unfinished, alphasort);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return (unsigned)count;
}

/* One walk with a fault; whether there was a call for it. */
static bool survives(enum walk which, unsigned long at, int kind, bool lasting)
{
    struct walk_report report;
    unsigned unfinished;
    bool killed;

    tree_remove(&world.tree, "marks");
    tree_mkdir(&world.tree, "marks");
    *faults = (struct faults){ .at = at, .kind = kind, .lasting = lasting };
    report = walk(which, NULL);
    killed = kind == FAULT_KILL && faults->struck;
    if (*report.wrong || (killed ? !WIFSIGNALED(report.status) || WTERMSIG(report.status) != SIGKILL
                                 : report.status != 0))
        fail_msg("%s, call %lu (%s), fault %d: %s (status %d)", walk_names[which], at,
                 faults->callee, kind, report.wrong, report.status);
    plugin_world_read();
    unfinished = count_unfinished();
    if (unfinished > (killed || lasting ? 1 : 0))
        fail_msg("%s, call %lu (%s), fault %d: %u unfinished files", walk_names[which], at,
                 faults->callee, kind, unfinished);
    return faults->struck;
}

/* The kinds take turns. */
static void try_each_call(const int *kinds, size_t count, bool lasting)
{
    for (size_t i = 0; i < LENGTH(walks); i++) {
        unsigned long at = 1;

        while (survives(walks[i], at, kinds[at % count], lasting))
            assert_true(++at < CALLS_MAX);
        assert_true(at > 20); /* the faults do meet the plugin's calls */
        assert_in_range(plugin_world_read(), 1, 2);
        print_message("  %s: %lu calls\n", walk_names[walks[i]], at - 1);
    }
}

/* What is done about a failure does not depend on its errno, but for EINTR. */
static void a_call_that_fails_costs_a_mark_at_most(void **state)
{
    static const int kinds[] = { EIO, ENOSPC, EACCES, EDQUOT, ENOMEM };

    (void)state;
    try_each_call(kinds, LENGTH(kinds), false);
}

static void a_call_that_is_interrupted_costs_a_mark_at_most(void **state)
{
    (void)state;
    try_each_call((const int[]){ EINTR }, 1, false);
}

static void when_all_calls_fail_from_one_on_no_mark_is_torn(void **state)
{
    (void)state;
    try_each_call((const int[]){ EIO }, 1, true);
}

static void short_reads_and_writes_are_gone_on_with(void **state)
{
    (void)state;
    try_each_call((const int[]){ FAULT_SHORT }, 1, false);
}

static void a_process_killed_before_any_call_leaves_whole_marks(void **state)
{
    (void)state;
    try_each_call((const int[]){ FAULT_KILL }, 1, false);
}

/* Of memory the loops above say nothing where malloc() is not ours. */
static void memory_that_is_asked_for_is_among_the_calls_that_fail(void **state)
{
    (void)state;
    survives(WALK_STEP, 0, 0, false);
    if (faults->mallocs == 0) {
        print_message("skipped: the sanitizer (or valgrind) has a malloc() of its own\n");
        skip();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_that_fails_costs_a_mark_at_most),
        TEST(a_call_that_is_interrupted_costs_a_mark_at_most),
        TEST(when_all_calls_fail_from_one_on_no_mark_is_torn),
        TEST(short_reads_and_writes_are_gone_on_with),
        TEST(a_process_killed_before_any_call_leaves_whole_marks),
        TEST(memory_that_is_asked_for_is_among_the_calls_that_fail),
    };

    if (!plugin_world_is_possible())
        return 77;
    faults_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
