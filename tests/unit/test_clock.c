#include "unit.h"

#include <string.h>

#include "core/clock.h"

static void utc_is_written_for_any_second_since_1970(void **state)
{
    static const struct {
        int64_t wall_s;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { 951782399, "2000-02-28T23:59:59Z" },
        { 951782400, "2000-02-29T00:00:00Z" },
        { INT64_C(1795406760), "2026-11-23T04:06:00Z" },
        { INT64_C(4294967296), "2106-02-07T06:28:16Z" },
        { INT64_C(253402300800), "10000-01-01T00:00:00Z" },
        { INT64_MAX, "?" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[CLOCK_TEXT_SIZE];

        clock_format_utc(rows[i].wall_s, text);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("row %zu: %s", i, text);
    }
}

static void boottime_never_steps_back(void **state)
{
    uint64_t before = clock_boottime_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_boottime_ns();

        assert_true(now >= before);
        before = now;
    }
    assert_true(before > 0);
}

static void the_wall_clock_counts_from_1970(void **state)
{
    (void)state;
    assert_true(clock_wall_ns() > INT64_C(1500000000) * (int64_t)NS_PER_S);
}

static void the_boot_id_is_a_uuid_and_stays(void **state)
{
    char first[BOOT_ID_SIZE], second[BOOT_ID_SIZE];

    (void)state;
    assert_int_equal(clock_boot_id(first), 0);
    assert_int_equal(clock_boot_id(second), 0);
    assert_int_equal(strlen(first), BOOT_ID_SIZE - 1);
    assert_int_equal(strspn(first, "0123456789abcdef-"), BOOT_ID_SIZE - 1);
    assert_string_equal(first, second);
}

static void months_begin_at_midnight_of_the_first(void **state)
{
    static const struct {
        int64_t at_s, begin_s, next_s;
    } rows[] = {
        { 0, 0, 2678400 },
        { 1790812799, 1788220800, 1790812800 },          /* 2026-09-30T23:59:59Z */
        { 1790812800, 1790812800, 1793491200 },          /* 2026-10-01T00:00:00Z */
        { 1798761599, 1796083200, 1798761600 },          /* 2026-12-31T23:59:59Z */
        { 1835395199, 1832976000, 1835481600 },          /* 2028-02-28T23:59:59Z, of a leap year */
        { 1801440000, 1801440000, 1803859200 },          /* 2027-02-01: 28 days */
        { INT64_C(4107542400), INT64_C(4107542400), INT64_C(4110220800) }, /* 2100-03-01 */
        { INT64_C(4107542399), INT64_C(4105123200), INT64_C(4107542400) }, /* 2100: no leap year */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        ROW_HOLDS(i, clock_month_begin_s(rows[i].at_s) == rows[i].begin_s);
        ROW_HOLDS(i, clock_month_next_s(rows[i].at_s) == rows[i].next_s);
    }
}

static void years_begin_at_midnight_of_the_first_of_january(void **state)
{
    static const struct {
        int64_t at_s, begin_s, next_s;
    } rows[] = {
        { 0, 0, 31536000 },
        { 1798761599, 1767225600, 1798761600 },          /* 2026-12-31T23:59:59Z */
        { 1798761600, 1798761600, 1830297600 },          /* 2027-01-01T00:00:00Z */
        { 1861919999, 1830297600, 1861920000 },          /* 2028-12-31: the 366th day */
        { INT64_C(4107542400), INT64_C(4102444800), INT64_C(4133980800) }, /* 2100: no leap year */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        ROW_HOLDS(i, clock_year_begin_s(rows[i].at_s) == rows[i].begin_s);
        ROW_HOLDS(i, clock_year_next_s(rows[i].at_s) == rows[i].next_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_is_written_for_any_second_since_1970),
        cmocka_unit_test(boottime_never_steps_back),
        cmocka_unit_test(the_wall_clock_counts_from_1970),
        cmocka_unit_test(months_begin_at_midnight_of_the_first),
        cmocka_unit_test(years_begin_at_midnight_of_the_first_of_january),
        cmocka_unit_test(the_boot_id_is_a_uuid_and_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
