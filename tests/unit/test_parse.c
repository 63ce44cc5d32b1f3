#include "unit.h"

#include <errno.h>

#include "core/parse.h"

static void unsigned_numbers_are_read_whole_or_refused(void **state)
{
    static const struct {
        const char *text;
        uint64_t min, max;
        int rc;
        uint64_t value;
    } rows[] = {
        { "0", 0, 0, 0, 0 },
        { "42", 0, 100, 0, 42 },
        { "007", 0, 100, 0, 7 },
        { "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
        { "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
        { "99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
        { "99999999999999999999999x", 0, UINT64_MAX, -EINVAL, 0 },
        { "101", 0, 100, -ERANGE, 0 },
        { "9", 10, 100, -ERANGE, 0 },
        { "", 0, 100, -EINVAL, 0 },
        { NULL, 0, 100, -EINVAL, 0 },
        { " 1", 0, 100, -EINVAL, 0 },
        { "1 ", 0, 100, -EINVAL, 0 },
        { "1\n", 0, 100, -EINVAL, 0 },
        { "+1", 0, 100, -EINVAL, 0 },
        { "-1", 0, 100, -EINVAL, 0 },
        { "0x1", 0, 100, -EINVAL, 0 },
        { "1e1", 0, 100, -EINVAL, 0 },
        { "1.0", 0, 100, -EINVAL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t value = 77;
        int rc = parse_u64(rows[i].text, rows[i].min, rows[i].max, &value);

        ROW_HOLDS(i, rc == rows[i].rc);
        ROW_HOLDS(i, value == (rc == 0 ? rows[i].value : 77));
    }
}

static void a_u32_stays_within_32_bits(void **state)
{
    uint32_t value = 77;

    (void)state;
    assert_int_equal(parse_u32("4294967295", 0, UINT32_MAX, &value), 0);
    assert_int_equal(value, UINT32_MAX);
    assert_int_equal(parse_u32("4294967296", 0, UINT32_MAX, &value), -ERANGE);
    assert_int_equal(value, UINT32_MAX);
}

static void signed_numbers_reach_both_ends(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int rc;
        int64_t value;
    } rows[] = {
        { "-1", -5, 5, 0, -1 },
        { "0", -5, 5, 0, 0 },
        { "-0", -5, 5, 0, 0 },
        { "5", -5, 5, 0, 5 },
        { "-6", -5, 5, -ERANGE, 0 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
        { "9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0 },
        { "-9223372036854775807", INT64_MIN, INT64_MAX, 0, -INT64_MAX },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
        { "-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0 },
        { "-", INT64_MIN, INT64_MAX, -EINVAL, 0 },
        { "--1", INT64_MIN, INT64_MAX, -EINVAL, 0 },
        { "", INT64_MIN, INT64_MAX, -EINVAL, 0 },
        { NULL, INT64_MIN, INT64_MAX, -EINVAL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        int64_t value = 77;
        int rc = parse_i64(rows[i].text, rows[i].min, rows[i].max, &value);

        ROW_HOLDS(i, rc == rows[i].rc);
        ROW_HOLDS(i, value == (rc == 0 ? rows[i].value : 77));
    }
}

static void decimals_are_exact(void **state)
{
    static const struct {
        const char *text;
        unsigned digits;
        uint64_t max;
        int rc;
        uint64_t value;
    } rows[] = {
        { "1.2", 6, UINT64_MAX, 0, 1200000 },
        { "1.20", 6, UINT64_MAX, 0, 1200000 },
        { "120", 6, UINT64_MAX, 0, 120000000 },
        { "0.5", 1, UINT64_MAX, 0, 5 },
        { "0.000001", 6, UINT64_MAX, 0, 1 },
        { "0.0000001", 6, UINT64_MAX, -EINVAL, 0 },
        { "7", 0, UINT64_MAX, 0, 7 },
        { "7.0", 0, UINT64_MAX, -EINVAL, 0 },
        { "18446744073709.551615", 6, UINT64_MAX, 0, UINT64_MAX },
        { "18446744073709.551616", 6, UINT64_MAX, -ERANGE, 0 },
        { "0.1", 1, 0, -ERANGE, 0 },
        { ".5", 6, UINT64_MAX, -EINVAL, 0 },
        { "5.", 6, UINT64_MAX, -EINVAL, 0 },
        { ".", 6, UINT64_MAX, -EINVAL, 0 },
        { "1.2.3", 6, UINT64_MAX, -EINVAL, 0 },
        { "1,2", 6, UINT64_MAX, -EINVAL, 0 },
        { "-1", 6, UINT64_MAX, -EINVAL, 0 },
        { "1e3", 6, UINT64_MAX, -EINVAL, 0 },
        { "nan", 6, UINT64_MAX, -EINVAL, 0 },
        { "", 6, UINT64_MAX, -EINVAL, 0 },
        { NULL, 6, UINT64_MAX, -EINVAL, 0 },
        { "11111111112222222222333333333344444444445555555555", 6, UINT64_MAX, -ERANGE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t value = 77;
        int rc = parse_decimal(rows[i].text, rows[i].digits, rows[i].max, &value);

        ROW_HOLDS(i, rc == rows[i].rc);
        ROW_HOLDS(i, value == (rc == 0 ? rows[i].value : 77));
    }
}

static void hexadecimal_is_16_lower_case_digits(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } rows[] = {
        { "0123456789abcdef", 0, UINT64_C(0x0123456789abcdef) },
        { "ffffffffffffffff", 0, UINT64_MAX },
        { "0000000000000000", 0, 0 },
        { "0123456789ABCDEF", -EINVAL, 0 },
        { "123456789abcdef", -EINVAL, 0 },
        { "00123456789abcdef", -EINVAL, 0 },
        { "0x23456789abcdef", -EINVAL, 0 },
        { "0123456789abcdeg", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { NULL, -EINVAL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t value = 77;
        int rc = parse_hex64(rows[i].text, &value);

        ROW_HOLDS(i, rc == rows[i].rc);
        ROW_HOLDS(i, value == (rc == 0 ? rows[i].value : 77));
    }
}

static void test_numbered_names_are_in_the_order_of_their_numbers(void **state)
{
    static const char *const in_order[] = { "",      "cpu",     "cpux",    "cpu2",
                                            "cpu10", "cpu10:2", "cpu10:11" };

    (void)state;
    for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++)
        for (size_t k = 0; k < sizeof(in_order) / sizeof(in_order[0]); k++) {
            int order = compare_numbered(in_order[i], in_order[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbered_names_are_in_the_order_of_their_numbers),
        cmocka_unit_test(unsigned_numbers_are_read_whole_or_refused),
        cmocka_unit_test(a_u32_stays_within_32_bits),
        cmocka_unit_test(signed_numbers_reach_both_ends),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(hexadecimal_is_16_lower_case_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
