#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "carbon/intensity.h"

#define HEAD "zone,name,gco2e_per_kwh,year,basis,source\n"

/* A table of our own, for one test. */
static char own_table[] = "/tmp/test_intensity.XXXXXX";

static int make_table(void **state)
{
    int fd = mkstemp(own_table);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_table(void **state)
{
    (void)state;
    return unlink(own_table);
}

static void write_table(const char *text)
{
    FILE *file = fopen(own_table, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void the_shipped_table_answers(void **state)
{
    static const struct {
        const char *zone, *found;
        uint64_t ug_per_kwh;
        uint32_t year;
        const char *basis;
    } cases[] = {
        { "FR", "FR", 44180000, 2024, "lifecycle" },
        { "fr", "FR", 44180000, 2024, "lifecycle" },
        { "FR-BLOOM", "FR-BLOOM", 57000000, 2022, "lifecycle" },
        { "GB", "GB", 215790000, 2024, "lifecycle" }, /* it has a newer one, of basis direct */
        { "world", "WORLD", 472940000, 2024, "lifecycle" },
    };
    char path[PATH_MAX];

    (void)state;
    intensity_path(path);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct intensity row;
        struct error err = { "" };

        ROW_HOLDS(i, intensity_find(path, cases[i].zone, &row, &err) == 0);
        ROW_HOLDS(i, strcmp(row.zone, cases[i].found) == 0);
        ROW_HOLDS(i, row.ug_per_kwh == cases[i].ug_per_kwh);
        ROW_HOLDS(i, row.year == cases[i].year);
        ROW_HOLDS(i, strcmp(row.basis, cases[i].basis) == 0);
        ROW_HOLDS(i, row.source[0] != '\0');
    }
}

static void an_unknown_zone_names_the_nearest_and_the_file(void **state)
{
    static const struct {
        const char *zone, *near;
    } cases[] = { { "France", "FR" }, { "germany", "DE" }, { "FR-PAR", "FR" }, { "Sveden", "SE" } };
    char path[PATH_MAX];

    (void)state;
    intensity_path(path);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct intensity row = { .year = 7 };
        struct error err = { "" };
        char nearest[64];

        ROW_HOLDS(i, intensity_find(path, cases[i].zone, &row, &err) == -ENOENT);
        snprintf(nearest, sizeof(nearest), "nearest: %s,", cases[i].near);
        if (!strstr(err.text, nearest) || !strstr(err.text, path))
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(row.year, 7);
    }
}

static void of_several_figures_lifecycle_then_the_newest_counts(void **state)
{
    struct intensity row;

    (void)state;
    write_table(HEAD "XX,X,1,2026,direct,s\nXX,X,2,2020,lifecycle,s\nXX,X,3.5,2022,lifecycle,s\n"
                "XX,X,4,2022,lifecycle,t\n");
    assert_int_equal(intensity_find(own_table, "xx", &row, NULL), 0);
    assert_int_equal(row.ug_per_kwh, 3500000);
}

static void columns_stand_in_any_order(void **state)
{
    struct intensity row;

    (void)state;
    write_table("note,Source,basis,year,GCO2e_per_kWh,name,zone\n"
                "a,\"b, \"\"c\"\"\",direct,2020,12,Y,YY\n");
    assert_int_equal(intensity_find(own_table, "YY", &row, NULL), 0);
    assert_string_equal(row.source, "b, \"c\"");
    assert_int_equal(row.ug_per_kwh, 12000000);
}

static void a_malformed_table_names_line_and_column(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "zone,name,year,basis,source\n", ":1: the header names no column gco2e_per_kwh" },
        { HEAD "FR,France,1e2,2024,direct,s\n", ":2: gco2e_per_kwh: \"1e2\"" },
        { HEAD "FR,France,-1,2024,direct,s\n", ":2: gco2e_per_kwh: \"-1\"" },
        { HEAD "FR,France,99999,2024,direct,s\n", ":2: gco2e_per_kwh: \"99999\"" },
        { HEAD "FR,France,1,24,direct,s\n", ":2: year: \"24\"" },
        { HEAD "FR,France,1,2024,marginal,s\n", ":2: basis: \"marginal\"" },
        { HEAD "FR,France,1,2024,direct,\n", ":2: source: \"\"" },
        { HEAD "\nFR,France,1\n", ":3: year is missing" },
        { HEAD "FR,France,1,2024,direct,\"s\n", ": quote a field" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct intensity row;
        struct error err = { "" };

        write_table(cases[i].text);
        ROW_HOLDS(i, intensity_find(own_table, "FR", &row, &err) == -EBADMSG);
        if (!strstr(err.text, cases[i].message))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void a_table_that_is_not_there_is_an_error(void **state)
{
    struct intensity row;
    struct error err = { "" };

    (void)state;
    assert_int_equal(intensity_find("/nonexistent/g.csv", "FR", &row, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/g.csv"));
}

static void the_table_lies_where_it_was_installed_or_where_carbon_data_says(void **state)
{
    char path[PATH_MAX];

    (void)state;
    setenv("CARBON_DATA", "/x", 1);
    intensity_path(path);
    assert_string_equal(path, "/x/grid_intensity.csv");
    unsetenv("CARBON_DATA");
    intensity_path(path);
    assert_string_equal(path, PKGDATADIR "/grid_intensity.csv");
}

static void a_zone_has_one_row_a_year_and_never_mixes_bases(void **state)
{
    static const char text[] = HEAD "XX,x,30,2026,lifecycle,s\nYY,y,1,2026,lifecycle,s\n"
                               "XX,x,10,2024,lifecycle,s\nXX,x,7,2025,direct,s\n"
                               "XX,x,11,2024,lifecycle,again\nXX,x,20,2025,lifecycle,s\n";
    static const struct {
        const char *zone, *basis;
        size_t count;
        unsigned years[3];
        uint64_t g[3];
    } cases[] = {
        { "xx", "lifecycle", 3, { 2024, 2025, 2026 }, { 10, 20, 30 } },
        { "XX", "direct", 1, { 2025 }, { 7 } },
        { "YY", "direct", 1, { 2026 }, { 1 } }, /* all that there is */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct intensity *rows;
        size_t count;

        ROW_HOLDS(i, intensity_years(text, "t", cases[i].zone, cases[i].basis, &rows, &count,
                                     NULL) == 0);
        ROW_HOLDS(i, count == cases[i].count);
        for (size_t j = 0; j < count; j++) {
            ROW_HOLDS(i, rows[j].year == cases[i].years[j]);
            ROW_HOLDS(i, rows[j].ug_per_kwh == cases[i].g[j] * 1000000);
        }
        free(rows);
    }
}

static void years_of_a_text_fail_as_those_of_a_file(void **state)
{
    struct intensity *rows = NULL;
    struct error err = { "" };
    size_t count;

    (void)state;
    assert_int_equal(intensity_years(HEAD "XX,x,1,2026,lifecycle,s\n", "t.csv", "XY", "direct",
                                     &rows, &count, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no zone \"XY\" in t.csv; nearest: XX"));
    assert_int_equal(intensity_years(HEAD "XX,x,-1,2026,lifecycle,s\n", "t.csv", "XX", "direct",
                                     &rows, &count, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "t.csv:2: gco2e_per_kwh"));
    assert_null(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_table_answers),
        cmocka_unit_test(an_unknown_zone_names_the_nearest_and_the_file),
        cmocka_unit_test(of_several_figures_lifecycle_then_the_newest_counts),
        cmocka_unit_test(columns_stand_in_any_order),
        cmocka_unit_test(a_malformed_table_names_line_and_column),
        cmocka_unit_test(a_table_that_is_not_there_is_an_error),
        cmocka_unit_test(the_table_lies_where_it_was_installed_or_where_carbon_data_says),
        cmocka_unit_test(a_zone_has_one_row_a_year_and_never_mixes_bases),
        cmocka_unit_test(years_of_a_text_fail_as_those_of_a_file),
    };

    return cmocka_run_group_tests(tests, make_table, remove_table);
}
