#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"

static void error_set_returns_its_code_and_sets_the_text(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set(&err, -EINVAL, "%s:%d: no", "file", 7), -EINVAL);
    assert_string_equal(err.text, "file:7: no");
}

static void nobody_needs_to_read_the_text(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, -EINVAL, "x"), -EINVAL);
    assert_int_equal(error_set_errno(NULL, -ENOENT, "x"), -ENOENT);
    assert_int_equal(error_prefix(NULL, -EIO, "x"), -EIO);
}

static void error_set_errno_says_what_the_system_says(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set_errno(&err, -ENOENT, "cannot open %s", "f"), -ENOENT);
    assert_string_equal(err.text, "cannot open f: No such file or directory");
}

static void what_is_quoted_stays_in_one_line(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, -1, "'%s' is no key", "a\nb\x1b[2J\x7f\xc3\xa9\t");
    assert_string_equal(err.text, "'a?b?[2J?\xc3\xa9?' is no key");
    error_set(&err, -1, "%s", "\xc2\x9b" "1m \x9b \xff\xc3 \xe2\x80\xae" "txt \xe2\x82\xac");
    assert_string_equal(err.text, "?1m ? ?? ?txt \xe2\x82\xac");
    error_set_errno(&err, -ENOENT, "%s", "a\nb");
    assert_string_equal(err.text, "a?b: No such file or directory");
    error_prefix(&err, -1, "%s", "c\rd");
    assert_string_equal(err.text, "c?d: a?b: No such file or directory");
}

static void a_long_text_is_cut_and_never_overruns(void **state)
{
    char longer[3 * ERROR_TEXT_SIZE];
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(longer); i++)
        longer[i] = "\xe2\x82\xac"[i % 3]; /* none is cut in its middle */
    longer[sizeof(longer) - 1] = '\0';
    error_set(&err, -1, "%s", longer);
    assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "\xe2\x82\xac?");
    memset(longer, 'a', sizeof(longer) - 1);
    error_set(&err, -1, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_set_errno(&err, -ENOENT, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_prefix(&err, -1, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

static void a_prefix_keeps_every_old_text_that_fits(void **state)
{
    char old[ERROR_TEXT_SIZE];
    struct error err;

    (void)state;
    memset(old, 'o', sizeof(old));
    for (size_t len = 1; len + strlen("line 3: ") < ERROR_TEXT_SIZE; len++) {
        error_set(&err, -1, "%.*s", (int)len, old);
        assert_int_equal(error_prefix(&err, -EBADMSG, "line %d", 3), -EBADMSG);
        assert_int_equal(strlen(err.text), len + strlen("line 3: "));
        assert_memory_equal(err.text, "line 3: ooo", len < 3 ? 8 + len : 11);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_set_returns_its_code_and_sets_the_text),
        cmocka_unit_test(nobody_needs_to_read_the_text),
        cmocka_unit_test(error_set_errno_says_what_the_system_says),
        cmocka_unit_test(what_is_quoted_stays_in_one_line),
        cmocka_unit_test(a_long_text_is_cut_and_never_overruns),
        cmocka_unit_test(a_prefix_keeps_every_old_text_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
