#include <errno.h>
#include <string.h>

#include "unit.h"

#include "cli/jobid.h"
#include "core/mark.h"
#include "store/query.h"

static const struct jobid_subject plain = { 123, -1, -1, -1, -1, NULL };
static const struct jobid_subject task = { 130, 123, 4, -1, -1, NULL };
static const struct jobid_subject component = { 124, -1, -1, 123, 1, NULL };
static const struct jobid_subject with_sluid = { 7, -1, -1, -1, -1, "s1f3k9w2x4y6z8" };

enum { PLAIN = 1, TASK = 2, COMPONENT = 4, SLUID = 8 };

static unsigned matches(const struct jobid *id)
{
    return (jobid_matches(id, &plain) ? PLAIN : 0) | (jobid_matches(id, &task) ? TASK : 0) |
           (jobid_matches(id, &component) ? COMPONENT : 0) |
           (jobid_matches(id, &with_sluid) ? SLUID : 0);
}

static void every_form_names_what_sacct_would(void **state)
{
    static const struct {
        const char *text;
        unsigned matches;
        int64_t step_id; /* -9: none */
    } cases[] = {
        { "123", PLAIN | TASK | COMPONENT, -9 },
        { "123.0", PLAIN | TASK | COMPONENT, 0 },
        { "123.17", PLAIN | TASK | COMPONENT, 17 },
        { "123.batch", PLAIN | TASK | COMPONENT, STEP_BATCH },
        { "123.Extern", PLAIN | TASK | COMPONENT, STEP_EXTERN },
        { "123.interactive", PLAIN | TASK | COMPONENT, STEP_INTERACTIVE },
        { "123.remainder", PLAIN | TASK | COMPONENT, STEP_REMAINDER },
        { "130", TASK, -9 },
        { "124", COMPONENT, -9 },
        { "123_4", TASK, -9 },
        { "123_4.batch", TASK, STEP_BATCH },
        { "123_5", 0, -9 },
        { "123_[1-4]", TASK, -9 },
        { "123_[1-3]", 0, -9 },
        { "123_[1,4]", TASK, -9 },
        { "123_[1,3]", 0, -9 },
        { "123_[0-8:4]", TASK, -9 },
        { "123_[1-9:2]", 0, -9 },
        { "123_[1-2,4-9].0", TASK, 0 },
        { "123+1", COMPONENT, -9 },
        { "123+1.0", COMPONENT, 0 },
        { "123+[0-1]", COMPONENT, -9 },
        { "123+0", 0, -9 },
        { "s1f3k9w2x4y6z8", SLUID, -9 },
        { "S1F3K9W2X4Y6Z8.0", SLUID, 0 },
        { "s1f3k9w2x4y6z9", 0, -9 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct jobid id;
        struct error err = { "" };

        if (jobid_parse(cases[i].text, &id, &err) != 0)
            fail_msg("row %zu: %s", i, err.text);
        ROW_HOLDS(i, matches(&id) == cases[i].matches);
        ROW_HOLDS(i, id.has_step == (cases[i].step_id != -9));
        ROW_HOLDS(i, !id.has_step || id.step_id == cases[i].step_id);
        jobid_clear(&id);
    }
}

static void anything_else_is_refused_with_the_forms_there_are(void **state)
{
    static const char *const cases[] = {
        "", "x", "0", "-1", "+1", " 1", "1 ", "1x", "0x1", "99999999999", "123.", "123.x", "123.-1",
        "123.4294967294", "123_", "123_x", "123_1-4", "123_[", "123_[]", "123_[4-1]", "123_[1-4",
        "123_[1-4]x", "123_[1,,2]", "123_[1-4:0]", "123+", "123+x", "123_4_5", "123*4",
        "s123", "s1f3k9w2x4y6zu", "_4", ".0", "123..0", "1\n",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct jobid id;
        struct error err = { "" };

        ROW_HOLDS(i, jobid_parse(cases[i], &id, &err) == -EINVAL);
        ROW_HOLDS(i, strstr(err.text, "123_[1-4]") != NULL);
        ROW_HOLDS(i, id.ranges == NULL);
    }
}

static void a_comma_in_brackets_does_not_end_an_id(void **state)
{
    struct jobid_list list = { 0 };

    (void)state;
    assert_int_equal(jobid_list_add(&list, "1,123_[1,4],2.batch", NULL), 0);
    assert_int_equal(list.count, 3);
    assert_true(jobid_matches(&list.ids[1], &task));
    assert_int_equal(jobid_list_add(&list, "5", NULL), 0);
    assert_int_equal(list.count, 4);
    assert_int_equal(jobid_list_add(&list, "6,", NULL), -EINVAL);
    jobid_list_clear(&list);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_names_what_sacct_would),
        cmocka_unit_test(anything_else_is_refused_with_the_forms_there_are),
        cmocka_unit_test(a_comma_in_brackets_does_not_end_an_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
