#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "unit.h"

#include "cli/sacct_options.h"
#include "report/columns.h"

static void fields_are_found_by_what_they_begin_with(void **state)
{
    static const struct {
        const char *text, *name;
        int width;
        bool fixed, left;
    } cases[] = {
        { "JobID", "JobID", 0, false, true },
        { "jobid", "JobID", 0, false, true }, /* not JobIDRaw */
        { "jobidr", "JobIDRaw", 0, false, true },
        { "elap", "Elapsed", 0, false, false },
        { "stat", "State", 0, false, false },
        { "energy", "Energy", 0, false, false },
        { "ENERGYW", "EnergyWh", 0, false, false },
        { "energyk%12", "EnergyKWh", 12, true, false },
        { "energy%-9", "Energy", 9, true, true },
        { "jobname", "JobName", 16, false, false },
        { "co2e", "CO2e", 0, false, false },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct column_choices choices = { 0 };
        struct error err = { "" };

        if (columns_choose(cases[i].text, &choices, &err) != 0)
            fail_msg("row %zu: %s", i, err.text);
        ROW_HOLDS(i, choices.count == 1);
        ROW_HOLDS(i, strcmp(choices.choices[0].column->name, cases[i].name) == 0);
        ROW_HOLDS(i, choices.choices[0].width == cases[i].width);
        ROW_HOLDS(i, choices.choices[0].fixed == cases[i].fixed);
        ROW_HOLDS(i, choices.choices[0].left == cases[i].left);
        columns_clear(&choices);
    }
}

static void unknown_and_ambiguous_fields_are_refused_by_name(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "foo", "\"foo\"" },          { "job", "JobID, JobIDRaw, JobName" },
        { "jobid%", "width" },         { "jobid%0", "width" },
        { "jobid%x", "width" },        { "jobid%-", "width" },
        { "jobid%9999", "width" },     { "", "no field" },
        { ",", "no field" },           { "%5", "no field" },
        { "jobid,nope", "\"nope\"" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct column_choices choices = { 0 };
        struct error err = { "" };

        ROW_HOLDS(i, columns_choose(cases[i].text, &choices, &err) == -EINVAL);
        if (!strstr(err.text, cases[i].message))
            fail_msg("row %zu: %s", i, err.text);
        columns_clear(&choices);
    }
}

static void all_and_the_default_are_fields_that_exist(void **state)
{
    struct column_choices choices = { 0 };
    size_t count = 0;

    (void)state;
    while (columns[count].name)
        count++;
    assert_int_equal(columns_choose("all", &choices, NULL), 0);
    assert_int_equal(choices.count, count);
    assert_int_equal(columns_choose(COLUMNS_DEFAULT, &choices, NULL), 0);
    assert_true(choices.count > count);
    columns_clear(&choices);
}

static void every_field_is_named_once_and_explained(void **state)
{
    (void)state;
    for (size_t i = 0; columns[i].name; i++) {
        ROW_HOLDS(i, columns[i].help && columns[i].help[0] != '\0');
        ROW_HOLDS(i, columns[i].write != NULL);
        for (size_t j = 0; j < i; j++)
            ROW_HOLDS(i, strcasecmp(columns[i].name, columns[j].name) != 0);
    }
}

static void a_pretty_field_has_a_raw_one(void **state)
{
    static const char *const pretty[] = {
        "JobID", "Start", "End", "Elapsed", "TotalCPU", "Energy", "ActiveEnergy", "IdleEnergy",
        "CPUEnergy", "MemoryEnergy", "GPUEnergy", "OtherEnergy", "AvgPower", "PeakPower", "CO2e",
        "CO2eActive", "CO2eIdle", "CO2eOverhead",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(pretty); i++) {
        struct column_choices choices = { 0 };
        char raw[64];

        snprintf(raw, sizeof(raw), "%s,%sRaw", pretty[i], pretty[i]);
        ROW_HOLDS(i, columns_choose(raw, &choices, NULL) == 0);
        ROW_HOLDS(i, choices.count == 2);
        ROW_HOLDS(i, choices.choices[0].column != choices.choices[1].column);
        columns_clear(&choices);
    }
}

static void help_names_every_option_and_field(void **state)
{
    struct buf help, fields, usage;

    (void)state;
    buf_init(&help);
    buf_init(&fields);
    buf_init(&usage);
    sacct_options_help(&help);
    sacct_options_helpformat(&fields);
    sacct_options_usage(&usage);
    for (size_t i = 0; sacct_option_table[i].name; i++) {
        char name[64];

        snprintf(name, sizeof(name), "--%s", sacct_option_table[i].name);
        ROW_HOLDS(i, strstr(help.data, name) != NULL);
        if (sacct_option_table[i].code < 256)
            snprintf(name, sizeof(name), "[-%c", sacct_option_table[i].code);
        ROW_HOLDS(i, strstr(usage.data, name) != NULL);
    }
    for (size_t i = 0; columns[i].name; i++)
        ROW_HOLDS(i, strstr(fields.data, columns[i].name) != NULL);
    buf_free(&help);
    buf_free(&fields);
    buf_free(&usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_what_they_begin_with),
        cmocka_unit_test(unknown_and_ambiguous_fields_are_refused_by_name),
        cmocka_unit_test(all_and_the_default_are_fields_that_exist),
        cmocka_unit_test(every_field_is_named_once_and_explained),
        cmocka_unit_test(a_pretty_field_has_a_raw_one),
        cmocka_unit_test(help_names_every_option_and_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
