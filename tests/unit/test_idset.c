#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/idset.h"

static void texts_are_read_as_slurm_writes_them(void **state)
{
    static const struct {
        const char *text;
        int rc;
        unsigned count;
        const char *written;
    } rows[] = {
        { "", 0, 0, "" },
        { "0", 0, 1, "0" },
        { "0-3,8", 0, 5, "0-3,8" },
        { "8,0-3", 0, 5, "0-3,8" },
        { "1,2,3", 0, 3, "1-3" },
        { "0-1", 0, 2, "0-1" },
        { "5-5", 0, 1, "5" },
        { "1-3,2-4", 0, 4, "1-4" },
        { "63-64,127-128", 0, 4, "63-64,127-128" },
        { "0-2047", 0, 2048, "0-2047" },
        { "007", 0, 1, "7" },
        { "2048", -ERANGE, 0, NULL },
        { "0-2048", -ERANGE, 0, NULL },
        { "4294967296", -ERANGE, 0, NULL },
        { "99999999999999999999999999", -ERANGE, 0, NULL },
        { "3-1", -EINVAL, 0, NULL },
        { "1-2-3", -EINVAL, 0, NULL },
        { ",", -EINVAL, 0, NULL },
        { "1,", -EINVAL, 0, NULL },
        { ",1", -EINVAL, 0, NULL },
        { "1,,2", -EINVAL, 0, NULL },
        { "1-", -EINVAL, 0, NULL },
        { "-1", -EINVAL, 0, NULL },
        { " 1", -EINVAL, 0, NULL },
        { "1 ", -EINVAL, 0, NULL },
        { "1-2x", -EINVAL, 0, NULL },
        { "a", -EINVAL, 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[IDSET_TEXT_SIZE];
        struct idset set, before;
        int rc;

        memset(&set, 0x5a, sizeof(set));
        before = set;
        rc = idset_parse(rows[i].text, &set);
        ROW_HOLDS(i, rc == rows[i].rc);
        if (rc < 0) {
            ROW_HOLDS(i, idset_equal(&set, &before));
            continue;
        }
        ROW_HOLDS(i, idset_count(&set) == rows[i].count);
        ROW_HOLDS(i, idset_format(&set, text, sizeof(text)) == (int)strlen(rows[i].written));
        ROW_HOLDS(i, strcmp(text, rows[i].written) == 0);
    }
}

static void the_longest_texts_fit_in_the_stated_room(void **state)
{
    (void)state;
    /* every set that has `on` ids of each `period` from the top */
    for (int period = 2; period <= 6; period++) {
        for (int on = 1; on < period; on++) {
            char text[IDSET_TEXT_SIZE];
            struct idset set, again;

            idset_clear(&set);
            for (int id = IDSET_SIZE - 1; id >= 0; id--)
                if ((IDSET_SIZE - 1 - id) % period < on)
                    idset_add(&set, (unsigned)id);
            assert_true(idset_format(&set, text, sizeof(text)) < (int)sizeof(text));
            assert_int_equal(idset_parse(text, &again), 0);
            assert_true(idset_equal(&set, &again));
        }
    }
}

static void a_small_room_cuts_the_text_and_the_length_is_still_told(void **state)
{
    struct idset set;
    char text[16];

    (void)state;
    assert_int_equal(idset_parse("0-3,8,100-200", &set), 0);
    for (size_t size = 0; size <= sizeof(text); size++) {
        memset(text, 'x', sizeof(text));
        assert_int_equal(idset_format(&set, text, size), 13);
        if (size)
            assert_int_equal(strlen(text), size <= 13 ? size - 1 : 13);
        if (size < sizeof(text))
            assert_int_equal(text[size], 'x');
    }
}

static void ids_beyond_the_size_are_ignored_and_absent(void **state)
{
    struct idset set;

    (void)state;
    idset_clear(&set);
    idset_add(&set, IDSET_SIZE);
    idset_add(&set, UINT32_MAX);
    assert_true(idset_is_empty(&set));
    assert_false(idset_has(&set, IDSET_SIZE));
    assert_false(idset_has(&set, UINT32_MAX));
    assert_int_equal(idset_next(&set, IDSET_SIZE), -1);
    assert_int_equal(idset_next(&set, UINT32_MAX), -1);
}

static void next_walks_every_id_once(void **state)
{
    static const unsigned ids[] = { 0, 1, 62, 63, 64, 65, 1000, IDSET_SIZE - 1 };
    struct idset set;
    size_t found = 0;

    (void)state;
    idset_clear(&set);
    for (size_t i = 0; i < LENGTH(ids); i++)
        idset_add(&set, ids[i]);
    for (int id = idset_next(&set, 0); id >= 0; id = idset_next(&set, (unsigned)id + 1))
        assert_int_equal(id, ids[found++]);
    assert_int_equal(found, LENGTH(ids));
}

static void subsets_and_intersections(void **state)
{
    static const struct {
        const char *a, *b, *both;
        bool a_in_b;
    } rows[] = {
        { "", "", "", true },          { "", "1", "", true },
        { "1", "", "", false },        { "0-3", "0-7", "0-3", true },
        { "0-8", "0-7", "0-7", false }, { "64-70", "0-63", "", false },
        { "1,65", "65", "65", false },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct idset a, b, both;

        ROW_HOLDS(i, idset_parse(rows[i].a, &a) == 0);
        ROW_HOLDS(i, idset_parse(rows[i].b, &b) == 0);
        ROW_HOLDS(i, idset_parse(rows[i].both, &both) == 0);
        ROW_HOLDS(i, idset_is_subset(&a, &b) == rows[i].a_in_b);
        idset_intersect(&a, &b);
        ROW_HOLDS(i, idset_equal(&a, &both));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_slurm_writes_them),
        cmocka_unit_test(the_longest_texts_fit_in_the_stated_room),
        cmocka_unit_test(a_small_room_cuts_the_text_and_the_length_is_still_told),
        cmocka_unit_test(ids_beyond_the_size_are_ignored_and_absent),
        cmocka_unit_test(next_walks_every_id_once),
        cmocka_unit_test(subsets_and_intersections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
