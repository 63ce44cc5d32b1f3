#include <locale.h>
#include <string.h>

#include "unit.h"

#include "report/format.h"

#define EXPECT(i, expected, call)                              \
    do {                                                       \
        char room_[256];                                       \
        struct buf buf_, *out = &buf_;                         \
                                                               \
        buf_init_fixed(out, room_, sizeof(room_));             \
        call;                                                  \
        if (strcmp(room_, (expected)) != 0)                    \
            fail_msg("row %zu: \"%s\"", (size_t)(i), room_);   \
    } while (0)

static void numbers_have_three_significant_figures_and_no_exponent(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0, "0" },          { 1, "1.00" },       { 12.345, "12.3" },   { 99.95, "100" },
        { 999.6, "1000" },   { 1234, "1230" },    { 1e9, "1000000000" }, { 0.12345, "0.123" },
        { 0.0099999, "0.0100" }, { 0.00012345, "0.000123" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        EXPECT(i, cases[i].text, format_number(out, cases[i].number));
}

static void the_unit_is_the_one_that_reads_best(void **state)
{
    static const struct {
        const struct unit *units;
        double amount;
        const char *text;
    } cases[] = {
        { energy_units, 0, "0 J" },           { energy_units, 1, "0.00100 J" },
        { energy_units, 999.4e3, "999 J" },   { energy_units, 999.6e3, "1.00 kJ" },
        { energy_units, 35.9e6, "35.9 kJ" },  { energy_units, 36e6, "10.0 Wh" },
        { energy_units, 3.6e9, "1.00 kWh" },  { energy_units, 3.6e12, "1.00 MWh" },
        { energy_units, 433196 * 3.6e9, "433 MWh" }, { energy_units, 9e18, "2500 GWh" },
        { power_units, 1500, "1.50 W" },      { power_units, 999.6e3, "1.00 kW" },
        { power_units, 2e9, "2.00 MW" },      { mass_units, 0, "0 g" },
        { mass_units, 12345, "12.3 mg" },     { mass_units, 5.7e6, "5.70 g" },
        { mass_units, 29630606.4e9, "29600 t" }, { mass_units, 999.6e6, "1.00 kg" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        EXPECT(i, cases[i].text, format_amount(out, cases[i].amount, cases[i].units, NULL));
}

static void units_are_found_by_name_and_unknown_ones_are_not(void **state)
{
    (void)state;
    assert_string_equal(unit_find(energy_units, "kWh")->name, "kWh");
    assert_string_equal(unit_find(energy_units, "KWH")->name, "kWh");
    assert_string_equal(unit_find(energy_units, "MJ")->name, "MJ");
    assert_null(unit_find(energy_units, "K"));
    assert_null(unit_find(energy_units, ""));
}

static void a_share_is_100_only_when_whole_and_0_only_when_nothing(void **state)
{
    static const struct {
        uint64_t part, whole;
        const char *text;
    } cases[] = {
        { 5, 5, "100" },       { 0, 5, "0" },     { 99999999, 100000000, "99.9" },
        { 1, 100000, "<0.1" }, { 4, 5, "80.0" },  { 999, 1000, "99.9" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        EXPECT(i, cases[i].text, format_percent(out, cases[i].part, cases[i].whole));
}

static void durations_read_as_slurms_and_as_words(void **state)
{
    static const struct {
        uint64_t ms;
        const char *elapsed, *words;
    } cases[] = {
        { 0, "00:00:00", "0 s" },
        { 200, "00:00:00", "0.200 s" },
        { 59999, "00:00:59", "60.0 s" },
        { 61000, "00:01:01", "1 min 1 s" },
        { 3600000, "01:00:00", "1 h" },
        { 9000000, "02:30:00", "2 h 30 min" },
        { UINT64_C(90061000), "1-01:01:01", "1 d 1 h" },
        { UINT64_C(8640000000), "100-00:00:00", "100 d" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        EXPECT(i, cases[i].elapsed, format_elapsed(out, cases[i].ms));
        EXPECT(i, cases[i].words, format_duration(out, cases[i].ms));
    }
}

static void no_text_of_others_reaches_a_terminal_raw(void **state)
{
    static const struct {
        const char *text;
        bool utf8;
        const char *also, *safe;
    } cases[] = {
        { "train-1", true, NULL, "train-1" },
        { "caf\xc3\xa9", true, NULL, "caf\xc3\xa9" },
        { "caf\xc3\xa9", false, NULL, "caf\\xe9" },
        { "\xe2\x82\xac", false, NULL, "\\u20ac" },
        { "\xf0\x9f\x8c\xb1", false, NULL, "\\U0001f331" },
        { "\033[31m", true, NULL, "\\x1b[31m" },
        { "a\nb\tc\177", true, NULL, "a\\x0ab\\x09c\\x7f" },
        { "\xc2\x9b" "31m", true, NULL, "\\x9b31m" },        /* C1: another way to write ESC [ */
        { "\xe2\x80\xae", true, NULL, "\\u202e" },          /* right to left from here */
        { "\xe2\x81\xa6", true, NULL, "\\u2066" },
        { "\xe2\x80\x8b", true, NULL, "\\u200b" },
        { "\xff\xc3", true, NULL, "\\xff\\xc3" },
        { "\xc0\x9b", true, NULL, "\\xc0\\x9b" },           /* overlong */
        { "\xed\xa0\x80", true, NULL, "\\xed\\xa0\\x80" },  /* surrogate */
        { "a|b", true, "|", "a\\x7cb" },
        { NULL, true, NULL, "" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        EXPECT(i, cases[i].safe, format_text(out, cases[i].text, cases[i].utf8, cases[i].also));
}

static void width_counts_columns_not_bytes(void **state)
{
    (void)state;
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    assert_int_equal(format_width("caf\xc3\xa9"), 4);
    assert_int_equal(format_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide characters */
    assert_int_equal(format_fit("caf\xc3\xa9s", 4), 5);
    assert_int_equal(format_fit("\xe6\x97\xa5\xe6\x9c\xac", 3), 3);
    assert_int_equal(format_fit("abc", 9), 3);
}

static void parts_share_the_unit_and_decimals_of_their_sum(void **state)
{
    struct scale scale = scale_of(energy_units, NULL, 12.34 * 3.6e6);

    (void)state;
    assert_string_equal(scale.unit->name, "Wh");
    assert_int_equal(scale.decimals, 1);
    assert_int_equal(scale_ticks(&scale, 12.34 * 3.6e6), 123);
    assert_int_equal(scale_ticks(&scale, 7.0496 * 3.6e6), 70); /* once: not 7.05, 7.1 */
    EXPECT(0, "12.3", scale_write(out, &scale, 123, true));
    EXPECT(1, "0.4", scale_write(out, &scale, 4, true));
    EXPECT(2, "<0.1", scale_write(out, &scale, 0, true));
    EXPECT(3, "0", scale_write(out, &scale, 0, false));
}

static void parts_of_a_long_sum_have_no_digit_that_the_sum_does_not_have(void **state)
{
    struct scale scale = scale_of(mass_units, NULL, 12345 * 1e12);

    (void)state;
    assert_string_equal(scale.unit->name, "t");
    assert_int_equal(scale_ticks(&scale, 12345 * 1e12), 123);
    EXPECT(0, "12300", scale_write(out, &scale, 123, true));
    EXPECT(1, "4700", scale_write(out, &scale, 47, true));
    EXPECT(2, "<100", scale_write(out, &scale, 0, true));
}

/* By largest remainder 1.4437 + 0.3427 = 1.79 would be shown as 1.45, though 1.44 by itself. */
static void the_first_of_two_parts_reads_as_it_does_alone(void **state)
{
    static const struct {
        double first, sum;
        uint64_t ticks, rest;
    } cases[] = {
        { 1.4437, 1.7864, 144, 35 }, { 1.3529, 2.0871, 135, 74 }, { 0, 1.79, 0, 179 },
        { 1.786, 1.786, 179, 0 },    { 1.7859, 1.786, 179, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct scale scale = scale_of(mass_units, NULL, cases[i].sum * 1e12);
        uint64_t rest;

        assert_int_equal(scale_split(&scale, cases[i].first * 1e12, cases[i].sum * 1e12, &rest),
                         cases[i].ticks);
        assert_int_equal(rest, cases[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_three_significant_figures_and_no_exponent),
        cmocka_unit_test(the_unit_is_the_one_that_reads_best),
        cmocka_unit_test(units_are_found_by_name_and_unknown_ones_are_not),
        cmocka_unit_test(a_share_is_100_only_when_whole_and_0_only_when_nothing),
        cmocka_unit_test(durations_read_as_slurms_and_as_words),
        cmocka_unit_test(no_text_of_others_reaches_a_terminal_raw),
        cmocka_unit_test(width_counts_columns_not_bytes),
        cmocka_unit_test(parts_share_the_unit_and_decimals_of_their_sum),
        cmocka_unit_test(parts_of_a_long_sum_have_no_digit_that_the_sum_does_not_have),
        cmocka_unit_test(the_first_of_two_parts_reads_as_it_does_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
