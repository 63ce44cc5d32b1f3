/* Who looks, as text, and what is his to see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "store/viewer.h"

static void what_is_written_is_read(void **state)
{
    static const char *const texts[] = {
        "all", "all;uid=1000;user=alice", "uid=0", "uid=4294967294;user=a.b_c@d-e+F",
        "uid=1;account=a,b,c", "uid=1000;user=%C3%A9%20%3B%2C%25;account=%01x"
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct viewer viewer;
        struct error err = { "" };
        struct buf buf;

        buf_init(&buf);
        ROW_HOLDS(i, viewer_parse(texts[i], &viewer, &err) == 0);
        viewer_write(&viewer, &buf);
        assert_string_equal(buf.data, texts[i]);
        buf_free(&buf);
        viewer_clear(&viewer);
    }
}

static void names_may_hold_anything(void **state)
{
    const char *names[] = { "", "", "", "" };
    struct viewer viewer, again;
    char every[256];
    struct buf buf;

    (void)state;
    for (int i = 0; i < 255; i++)
        every[i] = (char)(i + 1);
    every[255] = '\0';
    names[0] = every;
    names[1] = "\xff\xfe";
    names[2] = ";uid=0";
    names[3] = ",%41";
    viewer = (struct viewer){ .has_uid = true, .uid = 7, .user = every,
                              .accounts = { (char **)(uintptr_t)names, LENGTH(names) } };
    buf_init(&buf);
    viewer_write(&viewer, &buf);
    assert_int_equal(viewer_parse(buf.data, &again, NULL), 0);
    assert_int_equal(again.uid, 7);
    assert_string_equal(again.user, every);
    assert_int_equal(again.accounts.count, LENGTH(names));
    for (size_t i = 0; i < LENGTH(names); i++)
        ROW_HOLDS(i, viewer_sees_account(&again, names[i]));
    assert_string_equal(again.accounts.names[0], every); /* in order */
    buf_free(&buf);
    viewer_clear(&again);
}

static void an_account_counts_once(void **state)
{
    struct viewer viewer;

    (void)state;
    assert_int_equal(viewer_parse("account=b,a,b,b;uid=5", &viewer, NULL), 0);
    assert_int_equal(viewer.accounts.count, 2);
    assert_string_equal(viewer.accounts.names[0], "a");
    assert_string_equal(viewer.accounts.names[1], "b");
    viewer_clear(&viewer);
}

static void what_is_no_viewer_sees_nothing(void **state)
{
    static const char *const texts[] = {
        "", ";", "ALL", "all;", ";all", "all;all", "alluid=1", "uid=", "uid=x", "uid=-1", "uid=+1",
        "uid= 1", "uid=4294967295", "uid=18446744073709551616", "uid=0000000000000000000001",
        "uid=1;uid=1", "user=alice", "account=a", "user=alice;account=a", "uid=1;user=",
        "uid=1;user=a;user=a", "uid=1;user=a b", "uid=1;user=a\n", "uid=1;user=%6",
        "uid=1;user=%61", "uid=1;user=%c3", "uid=1;user=%00", "uid=1;user=%", "uid=1;account=",
        "uid=1;account=,", "uid=1;account=a,", "uid=1;account=,a", "uid=1;account=a;account=b",
        "all;account=a", "uid=1;gid=1", "uid=1 ", "uid:1", "uid=1,user=a"
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct viewer viewer = { .all = true };
        struct error err = { "" };

        ROW_HOLDS(i, viewer_parse(texts[i], &viewer, &err) == -EINVAL);
        ROW_HOLDS(i, strncmp(err.text, "SLURM_CARBON_VIEWER: ", 21) == 0);
        ROW_HOLDS(i, !viewer.all && !viewer.has_uid && !viewer.user && !viewer.accounts.names);
        ROW_HOLDS(i, !viewer_sees(&viewer, true, 1, "alice", "a"));
    }
}

static void a_viewer_sees_what_is_his(void **state)
{
    static const struct {
        bool has_uid;
        int64_t uid;
        const char *user, *account;
        bool alice, nobody; /* sees it */
    } cases[] = {
        { true, 1000, "alice", "x", true, false },
        { true, 1000, NULL, NULL, true, false },
        { true, 1000, "bob", "x", true, false },      /* a uid goes before a name */
        { true, 1001, "alice", "x", false, false },
        { false, 0, "alice", "x", true, false },
        { false, 0, "alice", NULL, true, false },
        { false, 0, "Alice", NULL, false, false },
        { false, 1000, "bob", "x", false, false },
        { false, 0, "bob", "lab", true, false },
        { true, 1001, NULL, "lab", true, false },
        { true, 1001, "bob", "la", false, false },
        { true, 1001, "bob", "labs", false, false },
        { false, 0, NULL, "lab", false, false },      /* nobody's known */
        { false, 0, NULL, NULL, false, false },
        { true, 1001, "bob", NULL, false, false },
        { true, INT64_C(4294968296), "alice", NULL, false, false }, /* 2^32 + 1000 */
        { true, 9, NULL, NULL, false, true },
    };
    struct viewer alice, nobody;
    const struct viewer all = { .all = true };

    (void)state;
    assert_int_equal(viewer_parse("uid=1000;user=alice;account=a,lab,z", &alice, NULL), 0);
    assert_int_equal(viewer_parse("uid=9", &nobody, NULL), 0);
    for (size_t i = 0; i < LENGTH(cases); i++) {
#define SEES(viewer) \
        viewer_sees(viewer, cases[i].has_uid, cases[i].uid, cases[i].user, cases[i].account)
        ROW_HOLDS(i, SEES(&alice) == cases[i].alice);
        ROW_HOLDS(i, SEES(&nobody) == cases[i].nobody);
        ROW_HOLDS(i, SEES(&all) && SEES(NULL));
    }
    assert_false(viewer_sees_account(&alice, NULL));
    assert_false(viewer_sees_account(&nobody, "lab"));
    assert_true(viewer_sees_account(NULL, "lab"));
    viewer_clear(&alice);
    viewer_clear(&nobody);
}

static void without_one_in_the_environment_all_is_seen(void **state)
{
    struct viewer viewer;

    (void)state;
    unsetenv(VIEWER_ENVIRONMENT);
    assert_int_equal(viewer_of_environment(&viewer, NULL), 0);
    assert_true(viewer.all);
    setenv(VIEWER_ENVIRONMENT, "uid=1000", 1);
    assert_int_equal(viewer_of_environment(&viewer, NULL), 0);
    assert_false(viewer.all);
    viewer_clear(&viewer);
    setenv(VIEWER_ENVIRONMENT, "", 1);
    assert_int_equal(viewer_of_environment(&viewer, NULL), -EINVAL);
    assert_false(viewer.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(names_may_hold_anything),
        cmocka_unit_test(an_account_counts_once),
        cmocka_unit_test(what_is_no_viewer_sees_nothing),
        cmocka_unit_test(a_viewer_sees_what_is_his),
        cmocka_unit_test(without_one_in_the_environment_all_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
