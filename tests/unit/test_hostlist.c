#include <errno.h>
#include <string.h>

#include "unit.h"

#include "core/hostlist.h"

static void join(const struct hostlist *list, struct buf *buf)
{
    for (size_t i = 0; i < list->count; i++)
        buf_printf(buf, "%s%s", i > 0 ? " " : "", list->names[i]);
}

static void expressions_name_what_slurm_would(void **state)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        { "n1", "n1" },
        { "n1,login", "n1 login" },
        { "n[1-4,7]", "n1 n2 n3 n4 n7" },
        { "n[08-11]", "n08 n09 n10 n11" },
        { "n[1-2]-ib,x", "n1-ib n2-ib x" },
        { "r[1-2]n[3-4]", "r1n3 r1n4 r2n3 r2n4" },
        { "[1-2]", "1 2" },
        { "n[999999999999999998-999999999999999999]", "n999999999999999998 n999999999999999999" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct hostlist list = { 0 };
        struct error err = { "" };
        char room[256];
        struct buf text;

        buf_init_fixed(&text, room, sizeof(room));
        if (hostlist_expand(cases[i].text, &list, &err) != 0)
            fail_msg("row %zu: %s", i, err.text);
        join(&list, &text);
        ROW_HOLDS(i, strcmp(room, cases[i].names) == 0);
        hostlist_clear(&list);
    }
}

static void malformed_and_endless_expressions_are_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        { "", -EINVAL },       { ",", -EINVAL },        { "n1,", -EINVAL },  { "n[", -EINVAL },
        { "n]", -EINVAL },     { "n[]", -EINVAL },      { "n[1-", -EINVAL }, { "n[2-1]", -EINVAL },
        { "n[a-b]", -EINVAL }, { "n[1-2]]", -EINVAL },  { "n[1,]", -EINVAL },
        { "n[1-1000000000000000000]", -EINVAL }, { "n[1-999999999999999999]", -E2BIG },
        { "n[1-999999]", -E2BIG }, { "a[1-999]b[1-999]", -E2BIG },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct hostlist list = { 0 };
        struct error err = { "" };

        ROW_HOLDS(i, hostlist_expand(cases[i].text, &list, &err) == cases[i].code);
        ROW_HOLDS(i, err.text[0] != '\0');
        hostlist_clear(&list);
    }
}

static void names_are_folded_in_order(void **state)
{
    static const struct {
        const char *names[6];
        const char *text;
    } cases[] = {
        { { "n1" }, "n1" },
        { { "n2", "n1" }, "n[1-2]" },
        { { "n10", "n9", "n1", "n2" }, "n[1-2,9-10]" },
        { { "n4", "n2", "n1" }, "n[1-2,4]" },
        { { "n01", "n02", "n10" }, "n[01-02,10]" },
        { { "login", "a1", "a2", "b1" }, "a[1-2],b1,login" },
        { { "n1", "n3" }, "n[1,3]" },
        { { NULL }, "" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *names[6];
        char room[256];
        struct buf text;
        size_t count = 0;

        memcpy(names, cases[i].names, sizeof(names));
        while (count < LENGTH(names) && names[count])
            count++;
        buf_init_fixed(&text, room, sizeof(room));
        hostlist_fold(count > 0 ? names : NULL, count, &text);
        if (strcmp(room, cases[i].text) != 0)
            fail_msg("row %zu: %s", i, room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_name_what_slurm_would),
        cmocka_unit_test(malformed_and_endless_expressions_are_refused),
        cmocka_unit_test(names_are_folded_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
