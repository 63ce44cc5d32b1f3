/* What each user may see, by a sacctmgr of the test's own in PATH; the clock is moved on. */
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "cli/roles.h"
#include "core/clock.h"
#include "tree.h"

/* Counts how often it was asked, waits while there is a gate that nobody opened, and fails on
   demand. */
#define FAKE "#!/bin/sh\n" \
    "cd %s || exit 9\n" \
    "echo \"$*\" >>asked\n" \
    "if [ -p gate ]; then read -r _ <gate; fi\n" \
    "[ ! -e broken ] || { echo slurmdbd is down >&2; exit 1; }\n" \
    "case $* in\n" \
    "'-nP show user withcoord format=user,adminlevel,coord') cat people ;;\n" \
    "'-nP show assoc format=user,account') cat associations ;;\n" \
    "*) exit 8 ;;\n" \
    "esac\n"

enum { PLAIN = 1, COORDINATOR = 2, OPERATOR = 3, NAMELESS = 70000 }; /* 1 to 3 have names */

static _Atomic uint64_t passed_ns;

uint64_t __real_clock_boottime_ns(void);
uint64_t __wrap_clock_boottime_ns(void);

uint64_t __wrap_clock_boottime_ns(void)
{
    return __real_clock_boottime_ns() + passed_ns;
}

static void pass(unsigned seconds)
{
    passed_ns += seconds * NS_PER_S;
}

static const char *name_of(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    assert_non_null(user);
    return user->pw_name;
}

static int setup(void **state)
{
    static struct tree tree;
    char path[PATH_MAX + 64], plain[64], coordinator[64], operator[64];

    tree_make(&tree);
    snprintf(plain, sizeof(plain), "%s", name_of(PLAIN));
    snprintf(coordinator, sizeof(coordinator), "%s", name_of(COORDINATOR));
    snprintf(operator, sizeof(operator), "%s", name_of(OPERATOR));
    tree_write(&tree, "bin/sacctmgr", FAKE, tree.path);
    tree_write(&tree, "people", "%s|Operator|\n%s|None|\n%s|None|phys2,physics\nother|None|x\n",
               operator, plain, coordinator);
    tree_write(&tree, "associations", "|root\n%s|a b\n%s|chemistry\n%s|physics\n|physics\n"
               "%s|math\nother|x\n", plain, plain, coordinator, coordinator);
    snprintf(path, sizeof(path), "%s/bin/sacctmgr", tree.path);
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", tree.path);
    setenv("PATH", path, 1);
    *state = &tree;
    return 0;
}

static unsigned times_asked(struct tree *tree)
{
    char path[PATH_MAX + 8];
    unsigned count = 0;
    FILE *file;
    int c;

    snprintf(path, sizeof(path), "%s/asked", tree->path);
    file = fopen(path, "re");
    while (file && (c = getc(file)) != EOF)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

/* The text, and the user's name in it as NAME. */
static void expect(struct roles *roles, unsigned visibility, uid_t uid, const char *before,
                   const char *after)
{
    const struct conf conf = { .visibility = visibility };
    struct error err = { "" };
    char *text = NULL, expected[256];

    snprintf(expected, sizeof(expected), "%suid=%u%s%s%s", before, uid,
             uid == NAMELESS ? "" : ";user=", uid == NAMELESS ? "" : name_of(uid), after);
    assert_int_equal(roles_viewer(roles, &conf, uid, 0, &text, &err), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void each_sees_what_visibility_says(void **state)
{
    struct roles *roles = roles_new();

    (void)state;
    expect(roles, VISIBILITY_OWN, PLAIN, "", "");
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    expect(roles, VISIBILITY_OWN, OPERATOR, "all;", "");
    expect(roles, VISIBILITY_OWN, NAMELESS, "", "");
    expect(roles, VISIBILITY_ACCOUNT, PLAIN, "", ";account=a%20b,chemistry");
    expect(roles, VISIBILITY_ACCOUNT, COORDINATOR, "", ";account=phys2,physics,math,physics");
    expect(roles, VISIBILITY_ACCOUNT, OPERATOR, "all;", "");
    expect(roles, VISIBILITY_ACCOUNT, NAMELESS, "", "");
    roles_free(roles);
}

static void where_all_is_seen_nobody_is_asked(void **state)
{
    struct roles *roles = roles_new();

    expect(roles, VISIBILITY_ALL, PLAIN, "all;", "");
    expect(roles, VISIBILITY_ALL, NAMELESS, "all;", "");
    expect(roles, VISIBILITY_OWN, 0, "all;", "");
    expect(roles, VISIBILITY_OWN, geteuid(), "all;", "");
    expect(roles, VISIBILITY_OWN, NAMELESS, "", ""); /* nobody knows who that is */
    assert_int_equal(times_asked(*state), 0);
    roles_free(roles);
}

static void an_answer_serves_for_five_minutes(void **state)
{
    struct roles *roles = roles_new();

    expect(roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    tree_write(*state, "people", "%s|None|math\n", name_of(COORDINATOR));
    pass(299);
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    expect(roles, VISIBILITY_OWN, PLAIN, "", "");
    assert_int_equal(times_asked(*state), 1);
    pass(2);
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", ";account=math");
    assert_int_equal(times_asked(*state), 2);
    /* who coordinates no more sees no more */
    tree_write(*state, "people", "%s|None|\n", name_of(COORDINATOR));
    pass(301);
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", "");
    roles_free(roles);
}

static void an_old_answer_serves_for_an_hour_without_a_new_one(void **state)
{
    struct roles *roles = roles_new();

    expect(roles, VISIBILITY_OWN, OPERATOR, "all;", "");
    tree_write(*state, "broken", "yes");
    pass(301);
    expect(roles, VISIBILITY_OWN, OPERATOR, "all;", "");
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    assert_int_equal(times_asked(*state), 2); /* not again at once */
    pass(31);
    expect(roles, VISIBILITY_OWN, OPERATOR, "all;", "");
    assert_int_equal(times_asked(*state), 3);
    pass(3300);
    expect(roles, VISIBILITY_OWN, OPERATOR, "", "");
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", "");
    tree_remove(*state, "broken");
    pass(31);
    expect(roles, VISIBILITY_OWN, OPERATOR, "all;", "");
    roles_free(roles);
}

static void without_slurmdbd_users_see_their_own_jobs(void **state)
{
    struct roles *roles = roles_new();

    tree_write(*state, "broken", "yes");
    expect(roles, VISIBILITY_ACCOUNT, OPERATOR, "", "");
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", "");
    expect(roles, VISIBILITY_OWN, PLAIN, "", "");
    assert_int_equal(times_asked(*state), 1);
    setenv("PATH", "/nowhere", 1); /* nor sacctmgr */
    pass(31);
    expect(roles, VISIBILITY_OWN, COORDINATOR, "", "");
    roles_free(roles);
}

static void what_sacctmgr_does_not_write_is_refused(void **state)
{
    static const char *const lines[] = { "%s|Operator\n", "%s|Operator|a|b\n", "%s\n" };

    for (size_t i = 0; i < LENGTH(lines); i++) {
        struct roles *roles = roles_new();

        tree_write(*state, "people", lines[i], name_of(OPERATOR));
        expect(roles, VISIBILITY_OWN, OPERATOR, "", "");
        roles_free(roles);
    }
}

struct asker {
    struct roles *roles;
    _Atomic bool done;
};

static void *ask_once(void *arg)
{
    struct asker *asker = arg;
    const struct conf conf = { .visibility = VISIBILITY_OWN };
    char *text = NULL;
    void *failed = arg;

    if (roles_viewer(asker->roles, &conf, OPERATOR, 0, &text, NULL) == 0 &&
        strncmp(text, "all;", 4) == 0)
        failed = NULL;
    free(text);
    asker->done = true;
    return failed;
}

static void a_hundred_ask_once(void **state)
{
    struct asker asker = { .roles = roles_new() };
    pthread_t threads[100];

    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_once, &asker), 0);
    for (size_t i = 0; i < LENGTH(threads); i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(times_asked(*state), 1);
    roles_free(asker.roles);
}

static void who_has_an_answer_does_not_wait_for_a_slow_one(void **state)
{
    struct tree *tree = *state;
    struct asker asker = { .roles = roles_new() };
    char gate[PATH_MAX + 8];
    pthread_t thread;
    void *failed;
    FILE *file;

    expect(asker.roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    snprintf(gate, sizeof(gate), "%s/gate", tree->path);
    assert_int_equal(mkfifo(gate, 0600), 0);
    pass(301);
    assert_int_equal(pthread_create(&thread, NULL, ask_once, &asker), 0);
    while (times_asked(tree) < 2)
        usleep(1000);
    expect(asker.roles, VISIBILITY_OWN, COORDINATOR, "", ";account=phys2,physics");
    expect(asker.roles, VISIBILITY_OWN, PLAIN, "", "");
    assert_false(asker.done);
    file = fopen(gate, "we");
    assert_non_null(file);
    fprintf(file, "\n");
    fclose(file);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(times_asked(tree), 2);
    roles_free(asker.roles);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_sees_what_visibility_says),
        TEST(where_all_is_seen_nobody_is_asked),
        TEST(an_answer_serves_for_five_minutes),
        TEST(an_old_answer_serves_for_an_hour_without_a_new_one),
        TEST(without_slurmdbd_users_see_their_own_jobs),
        TEST(what_sacctmgr_does_not_write_is_refused),
        TEST(a_hundred_ask_once),
        TEST(who_has_an_answer_does_not_wait_for_a_slow_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
