#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "carbon/grid_import.h"

#define OCT 1792886400 /* 2026-10-25T00:00:00Z, a day of 25 hours in Paris */
#define HOUR 3600

#define OWN "start_utc,end_utc,gco2e_per_kwh\n"
#define OWN_ALL "start_utc,end_utc,gco2e_per_kwh,zone,basis,scope,source,estimated\n"
#define LINE(begin, end, grams) "2026-10-25T" begin "Z,2026-10-25T" end "Z," grams "\n"
#define MAPS                                                                                      \
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO\xe2\x82\x82"                   \
    "eq/kWh (direct),Carbon intensity gCO\xe2\x82\x82"                                            \
    "eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%)," \
    "Data source,Data estimated,Data estimation method\n"
#define MAPS_LINE(time, direct, lifecycle, estimated) \
    "2026-10-25 " time ",France,France,FR," direct "," lifecycle ",90,25,x.org," estimated ",\n"
#define ECO2MIX "\xef\xbb\xbfperimetre;nature;date;heure;date_heure;consommation;taux_co2;gaz\n"
#define ECO2MIX_LINE(nature, time, grams) "France;" nature ";2026-10-25;x;2026-10-25T" time ";5;" \
                                          grams ";1\n"
#define DEF "Donn\xc3\xa9" "es d\xc3\xa9" "finitives"
#define LIVE "Donn\xc3\xa9" "es temps r\xc3\xa9" "el"
#define UK(elements) "{\"data\":[" elements "]}"
#define UK_HALF(from, to, forecast, actual)                                            \
    "{\"from\":\"2026-10-25T" from "Z\",\"to\":\"2026-10-25T" to "Z\",\"intensity\":{" \
    "\"forecast\":" forecast ",\"actual\":" actual ",\"index\":\"low\"}}"

/* What is missing in a plain file of our own. */
static const struct grid_import_options own = {
    .zone = "fr", .basis = "lifecycle", .scope = "consumption", .source = "us",
};
static const struct grid_import_options none;

static struct grid_import *import;

static int clean(void **state)
{
    (void)state;
    import = grid_import_free(import);
    return 0;
}

static int read_text(const struct grid_import_options *options, const char *name, const char *text,
                     enum grid_format *ret_format, struct error *err)
{
    if (!import)
        import = grid_import_new(options);
    assert_non_null(import);
    return grid_import_read(import, name, text, strlen(text), ret_format, err);
}

/* Read one file whole; its only or first series. */
static const struct grid_import_series *must_read(const struct grid_import_options *options,
                                                  const char *text)
{
    struct error err = { "" };

    if (read_text(options, "f", text, NULL, &err) < 0 || grid_import_end(import, &err) < 0)
        fail_msg("%s", err.text);
    return grid_import_at(import, 0);
}

static void must_be(const struct grid_import_series *series, const char *zone, const char *basis,
                    const char *scope, const char *source)
{
    assert_string_equal(series->zone, zone);
    assert_string_equal(series->basis, basis);
    assert_string_equal(series->scope, scope);
    assert_string_equal(series->source, source);
}

static void must_hold(const struct grid_import_series *series, size_t index, int64_t begin_s,
                      int64_t end_s, uint64_t ug_per_kwh, bool estimated)
{
    const struct grid_interval *interval = &series->intervals[index];

    assert_true(index < series->count);
    assert_int_equal(interval->begin_s, begin_s);
    assert_int_equal(interval->end_s, end_s);
    assert_int_equal(interval->ug_per_kwh, ug_per_kwh);
    assert_int_equal(interval->estimated, estimated);
}

/* --- what is read ----------------------------------------------------------------------------- */

static void the_format_is_told_from_the_content(void **state)
{
    static const struct {
        const char *text;
        enum grid_format format;
    } cases[] = {
        { OWN LINE("00:00", "01:00", "1"), GRID_CSV },
        { MAPS MAPS_LINE("00:00:00", "1", "2", "") MAPS_LINE("01:00:00", "1", "2", ""),
          GRID_ELECTRICITYMAPS },
        { "\n " UK(UK_HALF("00:00", "00:30", "1", "2")), GRID_UK },
        { ECO2MIX ECO2MIX_LINE(DEF, "00:00:00Z", "9") ECO2MIX_LINE(DEF, "00:30:00Z", "9"),
          GRID_ECO2MIX },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct error err = { "" };
        enum grid_format format = GRID_ANY;

        clean(NULL);
        if (read_text(i ? &none : &own, "f", cases[i].text, &format, &err) < 0)
            fail_msg("row %zu: %s", i, err.text);
        ROW_HOLDS(i, format == cases[i].format);
        ROW_HOLDS(i, grid_format_find(grid_format_name(format)) == format);
    }
    assert_int_equal(grid_format_find("xml"), GRID_FORMATS);
}

static void our_own_csv_says_all_in_columns_or_options(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&own, OWN LINE("00:00", "01:00", "44.18") LINE("01:00", "01:30", "0"));
    must_be(series, "FR", "lifecycle", "consumption", "us");
    assert_int_equal(series->count, 2);
    must_hold(series, 0, OCT, OCT + HOUR, 44180000, false);
    must_hold(series, 1, OCT + HOUR, OCT + HOUR + 1800, 0, false);
    clean(NULL);
    series = must_read(&none, OWN_ALL
                       "2026-10-25 00:00Z,2026-10-25T01:00Z,2000,de,Direct,GENERATION,a b,true\r\n"
                       "2026-10-25 01:00Z,2026-10-25T02:00Z,1,de,direct,generation,a b,\r\n");
    must_be(series, "DE", "direct", "generation", "a b");
    must_hold(series, 0, OCT, OCT + HOUR, 2000000000, true);
    must_hold(series, 1, OCT + HOUR, OCT + 2 * HOUR, 1000000, false);
}

static void sums_tell_minimum_maximum_and_the_mean_by_time(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&own, OWN LINE("00:00", "03:00", "40") LINE("03:00", "04:00", "80"));
    assert_int_equal(series->min_ug, 40000000);
    assert_int_equal(series->mean_ug, 50000000);
    assert_int_equal(series->max_ug, 80000000);
    assert_int_equal(series->missing_s, 0);
}

static void lines_may_stand_in_any_order(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&own, OWN LINE("02:00", "03:00", "3") LINE("00:00", "01:00", "1")
                       LINE("01:00", "02:00", "2"));
    for (size_t i = 0; i < 3; i++)
        must_hold(series, i, OCT + (int64_t)i * HOUR, OCT + (int64_t)(i + 1) * HOUR,
                  (i + 1) * 1000000, false);
}

static void a_local_day_of_25_or_23_hours_has_them_all(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&own, OWN
                       "2026-10-25T02:00+02:00,2026-10-25T02:00+01:00,1\n"
                       "2026-10-25T02:00+01:00,2026-10-25T03:00+01:00,2\n");
    must_hold(series, 0, OCT, OCT + HOUR, 1000000, false);
    must_hold(series, 1, OCT + HOUR, OCT + 2 * HOUR, 2000000, false);
    clean(NULL);
    series = must_read(&own, OWN
                       "2026-03-29T01:00+01:00,2026-03-29T03:00+02:00,1\n"
                       "2026-03-29T03:00+0200,2026-03-29T04:00+02,2\n");
    assert_int_equal(series->count, 2);
    assert_int_equal(series->intervals[0].end_s - series->intervals[0].begin_s, HOUR);
    assert_int_equal(series->missing_s, 0);
}

static void electricity_maps_gives_a_series_for_each_basis(void **state)
{
    const char *text = MAPS MAPS_LINE("00:00:00", "17.5", "40.25", "false")
                           MAPS_LINE("01:00:00", "18", "41.1234567", "true");
    struct grid_import_options options = none;
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&none, text);
    assert_int_equal(grid_import_count(import), 2);
    must_be(series, "FR", "lifecycle", "consumption", "Electricity Maps, data portal, ODbL");
    must_hold(series, 0, OCT, OCT + HOUR, 40250000, false);
    must_hold(series, 1, OCT + HOUR, OCT + 2 * HOUR, 41123456, true);
    assert_int_equal(series->estimated, 1);
    must_be(grid_import_at(import, 1), "FR", "direct", "consumption",
            "Electricity Maps, data portal, ODbL");
    must_hold(grid_import_at(import, 1), 1, OCT + HOUR, OCT + 2 * HOUR, 18000000, true);
    clean(NULL);
    options.basis = "direct";
    options.source = "mine";
    series = must_read(&options, text);
    assert_int_equal(grid_import_count(import), 1);
    must_be(series, "FR", "direct", "consumption", "mine");
}

static void electricity_maps_headings_of_every_year_are_known(void **state)
{
    static const char *const headings[] = {
        "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO\xe2\x82\x82"
        "eq/kWh (direct),Carbon Intensity gCO\xe2\x82\x82" "eq/kWh (LCA)",
        "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO2eq/kWh (direct),"
        "Carbon intensity gCO2eq/kWh (Life cycle)",
        "datetime (utc),COUNTRY,zone NAME,zone ID,\"CARBON INTENSITY gCO2eq/kWh (Direct)\","
        "carbon intensity gco\xe2\x82\x82" "eq/kwh (life cycle assessment)",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(headings); i++) {
        const struct grid_import_series *series;
        char text[600];

        clean(NULL);
        snprintf(text, sizeof(text), "%s\n2026-10-25 00:00:00,F,F,FR,1,2\n"
                 "2026-10-25 01:00:00,F,F,FR,1,2\n", headings[i]);
        series = must_read(&none, text);
        ROW_HOLDS(i, grid_import_count(import) == 2);
        ROW_HOLDS(i, strcmp(series->basis, "lifecycle") == 0);
        ROW_HOLDS(i, series->intervals[0].ug_per_kwh == 2000000);
    }
}

static void electricity_maps_rows_last_as_far_as_the_next(void **state)
{
    static const struct {
        const char *times[3];
        int64_t last_s; /* length of the last */
    } cases[] = {
        { { "2026-10-25 00:00:00", "2026-10-25 00:05:00", "2026-10-25 00:10:00" }, 300 },
        { { "2026-10-25 00:00:00", "2026-10-25 00:15:00", "2026-10-25 00:30:00" }, 900 },
        { { "2026-10-25 00:00:00", "2026-10-25 01:00:00", "2026-10-25 02:00:00" }, 3600 },
        { { "2026-02-27 00:00:00", "2026-02-28 00:00:00", "2026-03-01 00:00:00" }, 86400 },
        { { "2026-01-01 00:00:00", "2026-02-01 00:00:00", "2026-03-01 00:00:00" }, 31 * 86400 },
        { { "2022-01-01 00:00:00", "2023-01-01 00:00:00", "2024-01-01 00:00:00" }, 366 * 86400 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct grid_import_series *series;
        char text[600];

        clean(NULL);
        snprintf(text, sizeof(text), "Datetime (UTC),Zone id,Carbon intensity gCO2eq/kWh (direct)"
                 "\n%s,FR,1\n%s,FR,2\n%s,FR,3\n", cases[i].times[0], cases[i].times[1],
                 cases[i].times[2]);
        series = must_read(&none, text);
        ROW_HOLDS(i, series->count == 3);
        ROW_HOLDS(i, series->intervals[2].end_s - series->intervals[2].begin_s == cases[i].last_s);
        ROW_HOLDS(i, series->missing_s == 0);
    }
}

static void uk_takes_the_forecast_where_there_is_no_actual(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&none, UK(UK_HALF("00:00", "00:30", "99", "101") ","
                                 UK_HALF("00:30", "01:00", "99.5", "null")));
    must_be(series, "GB", "direct", "consumption", "NESO Carbon Intensity API, CC BY 4.0");
    must_hold(series, 0, OCT, OCT + 1800, 101000000, false);
    must_hold(series, 1, OCT + 1800, OCT + HOUR, 99500000, true);
}

static void uk_regions_are_parts_of_the_zone(void **state)
{
    static const char *const shapes[] = {
        "{\"data\":{\"regionid\":13,\"shortname\":\"London\",\"data\":[%s]}}",
        "{\"data\":[{\"regionid\":13,\"shortname\":\"London\",\"data\":[%s]}]}",
    };
    struct grid_import_options options = { .zone = "GB" };

    (void)state;
    for (size_t i = 0; i < LENGTH(shapes); i++) {
        const struct grid_import_series *series;
        char text[600];

        snprintf(text, sizeof(text), shapes[i], UK_HALF("00:00", "00:30", "99", "null"));
        clean(NULL);
        series = must_read(&none, text);
        assert_string_equal(series->zone, "GB-13");
        clean(NULL);
        series = must_read(&options, text);
        must_be(series, "GB", "direct", "consumption",
                "NESO Carbon Intensity API, CC BY 4.0 (zone GB-13)");
        must_hold(series, 0, OCT, OCT + 1800, 99000000, true);
    }
}

static void eco2mix_passes_over_rows_without_a_value(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&none, ECO2MIX
                       ECO2MIX_LINE(DEF, "02:00:00+02:00", "21") "\n"
                       ECO2MIX_LINE(DEF, "02:15:00+02:00", "") ";;;;;;;\n"
                       ECO2MIX_LINE(DEF, "02:30:00+02:00", "22")
                       ECO2MIX_LINE(DEF, "02:45:00+02:00", "")
                       ECO2MIX_LINE(LIVE, "02:00:00+01:00", "23")
                       ECO2MIX_LINE(LIVE, "02:15:00+01:00", "ND"));
    must_be(series, "FR", "direct", "generation", "RTE eCO2mix");
    assert_int_equal(series->count, 3);
    must_hold(series, 0, OCT, OCT + 1800, 21000000, false);
    must_hold(series, 1, OCT + 1800, OCT + HOUR, 22000000, false);
    must_hold(series, 2, OCT + HOUR, OCT + HOUR + 1800, 23000000, true);
}

static void eco2mix_is_known_by_its_labels_too(void **state)
{
    const struct grid_import_series *series;

    (void)state;
    series = must_read(&none, "P\xc3\xa9rim\xc3\xa8tre;Nature;Date et Heure;Taux de CO2 (g/kWh)\n"
                       "France;x;2026-10-25T00:00:00+00:00;21\n"
                       "France;x;2026-10-25T00:15:00+00:00;22\n");
    must_hold(series, 1, OCT + 900, OCT + 1800, 22000000, false);
}

static void a_part_of_a_zone_is_taken_for_it_when_asked_and_says_so(void **state)
{
    const char *text = "Datetime (UTC),Zone id,Carbon intensity gCO2eq/kWh (direct)\n"
                       "2026-10-25 00:00:00,US-CAR-CPLE,1\n2026-10-25 01:00:00,US-CAR-CPLE,2\n";
    struct grid_import_options options = { .zone = "us" };

    (void)state;
    must_be(must_read(&options, text), "US", "direct", "consumption",
            "Electricity Maps, data portal, ODbL (zone US-CAR-CPLE)");
}

static void gaps_are_counted_when_they_are_allowed(void **state)
{
    struct grid_import_options options = own;
    const struct grid_import_series *series;

    (void)state;
    options.allow_gaps = true;
    series = must_read(&options, OWN LINE("00:00", "01:00", "1") LINE("03:30", "04:00", "2"));
    assert_int_equal(series->count, 2);
    assert_int_equal(series->missing_s, 5 * HOUR / 2);
}

static void files_that_share_a_border_count_it_once(void **state)
{
    struct error err = { "" };

    (void)state;
    assert_int_equal(read_text(&own, "a", OWN LINE("00:00", "01:00", "1")
                               LINE("01:00", "02:00", "2"), NULL, &err), 0);
    assert_int_equal(read_text(&own, "b", OWN LINE("01:00", "02:00", "2")
                               LINE("02:00", "03:00", "3"), NULL, &err), 0);
    assert_int_equal(grid_import_end(import, &err), 0);
    assert_int_equal(grid_import_at(import, 0)->count, 3);
}

static void files_that_contradict_each_other_are_both_named(void **state)
{
    struct error err = { "" };

    (void)state;
    assert_int_equal(read_text(&own, "a", OWN LINE("00:00", "01:00", "1"), NULL, &err), 0);
    assert_int_equal(read_text(&own, "b", OWN LINE("00:00", "01:00", "2"), NULL, &err), 0);
    assert_int_equal(grid_import_end(import, &err), -EBADMSG);
    assert_string_equal(err.text, "b:2: a second lifecycle value of FR for 2026-10-25T00:00:00Z, "
                        "after a:2: remove one");
}

/* A transfer that broke off: what is left must not pass for the whole. */
static void a_file_that_is_cut_anywhere_is_refused_unless_its_lines_are_whole(void **state)
{
    static const struct {
        const struct grid_import_options *options;
        const char *text;
        bool lines; /* it may end after any line */
    } cases[] = {
        { &own, OWN LINE("00:00", "01:00", "41.25") LINE("01:00", "02:00", "42.5"), true },
        { &none, UK(UK_HALF("00:00", "00:30", "1", "2") "," UK_HALF("00:30", "01:00", "1", "2")),
          false },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        for (size_t len = 0; len < strlen(cases[i].text); len++) {
            struct error err = { "" };
            char text[1024];
            bool may = cases[i].lines && len > strlen(OWN) && cases[i].text[len - 1] == '\n';
            int rc;

            clean(NULL);
            snprintf(text, sizeof(text), "%.*s", (int)len, cases[i].text);
            rc = read_text(cases[i].options, "f", text, NULL, &err);
            if ((rc == 0) != may)
                fail_msg("row %zu, cut at byte %zu: %d %s", i, len, rc, err.text);
        }
    }
}

/* --- what is refused -------------------------------------------------------------------------- */

struct refusal {
    const char *text, *message;
};

/* Each text is refused with its message and code, whole. */
static void must_refuse(const struct grid_import_options *options, int code,
                        const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error err = { "" };
        int rc;

        clean(NULL);
        rc = read_text(options, "f", cases[i].text, NULL, &err);
        if (rc == 0)
            rc = grid_import_end(import, &err);
        if (strcmp(err.text, cases[i].message) != 0)
            fail_msg("row %zu:\nexpected: %s\n   found: %s", i, cases[i].message, err.text);
        ROW_HOLDS(i, rc == code);
    }
}

static void times_and_values_that_cannot_be_are_refused(void **state)
{
    static const struct refusal cases[] = {
        { OWN LINE("00:00", "01:00", "1") LINE("03:00", "04:00", "1"),
          "f:3: a gap of 2 h before this: no lifecycle value of FR from 2026-10-25T01:00:00Z to "
          "2026-10-25T03:00:00Z: get what is missing, or give --allow-gaps: the gap then takes the "
          "annual value, and is flagged" },
        { OWN LINE("00:00", "01:00", "1") LINE("00:30", "01:30", "1"),
          "f:3: begins at 2026-10-25T00:30:00Z and overlaps f:2, which lasts until "
          "2026-10-25T01:00:00Z: correct or remove one" },
        { OWN LINE("00:00", "01:00", "1") LINE("01:00", "02:00", "1") LINE("00:00", "01:00", "1"),
          "f:4: a second lifecycle value of FR for 2026-10-25T00:00:00Z, after f:2: remove one" },
        { OWN LINE("00:00", "01:00", "-0.5"),
          "f:2: gco2e_per_kwh: \"-0.5\": an average intensity lies between 0 and 2000 g/kWh: "
          "correct or remove it" },
        { OWN LINE("00:00", "01:00", "2000.000001"),
          "f:2: gco2e_per_kwh: \"2000.000001\": an average intensity lies between 0 and 2000 "
          "g/kWh: correct or remove it" },
        { OWN LINE("00:00", "01:00", "99999999999999999999999999999999999"),
          "f:2: gco2e_per_kwh: \"99999999999999999999999999999999999\": write grams per kWh with a "
          "decimal point, such as 44.18" },
        { OWN LINE("00:00", "01:00", "1e3"),
          "f:2: gco2e_per_kwh: \"1e3\": write grams per kWh with a decimal point, such as 44.18" },
        { OWN LINE("00:00", "01:00", ""),
          "f:2: gco2e_per_kwh: \"\": write grams per kWh with a decimal point, such as 44.18" },
        { "start_utc;end_utc;gco2e_per_kwh\n2026-10-25T00:00Z;2026-10-25T01:00Z;44,18\n",
          "f:2: gco2e_per_kwh: \"44,18\": write grams per kWh with a decimal point, such as "
          "44.18" },
        { OWN "2026-10-25T00:00,2026-10-25T01:00,1\n",
          "f:2: start_utc: \"2026-10-25T00:00\": a time without an offset may be local: write "
          "2026-10-25T01:00Z, or 2026-10-25T02:00+01:00" },
        { OWN "2026-02-29T00:00Z,2026-03-01T00:00Z,1\n",
          "f:2: start_utc: \"2026-02-29T00:00Z\": write a time such as 2026-10-25T01:00Z" },
        { OWN "25/10/2026 00:00,2026-03-01T00:00Z,1\n",
          "f:2: start_utc: \"25/10/2026 00:00\": write a time such as 2026-10-25T01:00Z" },
        { OWN "2026-10-25T00:00:30Z,2026-10-25T01:00Z,1\n",
          "f:2: start_utc: \"2026-10-25T00:00:30Z\": write a time on a full minute, such as "
          "2026-10-25T01:00Z" },
        { OWN LINE("01:00", "00:00", "1"),
          "f:2: end_utc: \"2026-10-25T00:00Z\": the interval ends before it has begun: correct "
          "one of its times" },
        { OWN LINE("01:00", "01:00", "1"),
          "f:2: end_utc: \"2026-10-25T01:00Z\": the interval ends before it has begun: correct "
          "one of its times" },
        { OWN "2024-10-25T00:00Z,2026-10-25T01:00Z,1\n",
          "f:2: end_utc: \"2026-10-25T01:00Z\": the interval is longer than a year: correct it or "
          "divide it" },
    };

    (void)state;
    must_refuse(&own, -EBADMSG, cases, LENGTH(cases));
}

static void damaged_and_foreign_files_are_refused(void **state)
{
    static const struct refusal cases[] = {
        { "", "f is empty: fetch it again" },
        { "\xef\xbb\xbf\n \n", "f is empty: fetch it again" },
        { OWN, "f holds no value: fetch it again" },
        { "zone,grams\nFR,1\n",
          "f:1: \"zone,grams\" is the header of no format that is known: csv has "
          "start_utc,end_utc,gco2e_per_kwh; electricitymaps Datetime (UTC),…; eco2mix "
          "date_heure;…;taux_co2; uk is JSON" },
        { "start_utc,gco2e_per_kwh\n",
          "f:1: the header has no column \"end_utc\": add it, or choose another --format" },
        { "start_utc,end_utc,gco2e_per_kwh,gco2e_per_kwh\n",
          "f:1: gco2e_per_kwh: \"gco2e_per_kwh\": a column that is there already: remove one" },
        { OWN LINE("00:00", "01:00", "1") "2026-10-25T01:00Z,2026-10-",
          "f:3: 2 fields where the header has 3: the file is cut off or damaged; fetch it again" },
        { OWN LINE("00:00", "01:00", "1") "2026-10-25T01:00Z,2026-10-25T02:00Z,4",
          "f:3: the last line does not end: the file may be cut off; fetch it again, or end the "
          "line" },
        { OWN LINE("00:00", "01:00", "1") "\"2026-10-25T01:00Z",
          "f:3: a quote is not closed, or not doubled inside: the file is cut off or damaged; "
          "fetch it again" },
        { "PK\003\004", "f is a zip archive or a spreadsheet: unpack it, or save it as CSV in "
          "UTF-8" },
        { "\x1f\x8b\b", "f is compressed: unpack it with gunzip first" },
    };
    static const char zero[] = "start_utc\0x";
    struct error err = { "" };

    (void)state;
    must_refuse(&own, -EBADMSG, cases, LENGTH(cases));
    clean(NULL);
    import = grid_import_new(&own);
    assert_int_equal(grid_import_read(import, "f", zero, sizeof(zero), NULL, &err), -EBADMSG);
    assert_string_equal(err.text, "f is no text (byte 10 is zero): save it as CSV in UTF-8, or "
                        "fetch it again");
}

static void what_is_not_said_is_asked_for(void **state)
{
    static const struct refusal cases[] = {
        { OWN LINE("00:00", "01:00", "1"),
          "f does not say its zone, basis, scope, source: give --zone ZONE --basis "
          "lifecycle|direct --scope consumption|generation --source TEXT, or columns of these "
          "names" },
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,,generation,us,\n",
          "f does not say its basis: give --basis lifecycle|direct, or columns of this name" },
    };

    (void)state;
    must_refuse(&none, -EINVAL, cases, LENGTH(cases));
}

static void what_a_line_says_must_be_right(void **state)
{
    static const struct refusal cases[] = {
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,location,generation,us,\n",
          "f:2: basis: \"location\": write lifecycle or direct" },
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,F R,direct,generation,us,\n",
          "f:2: zone: \"F R\": write a zone such as FR or US-CAR-CPLE: letters, digits and -" },
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,direct,generation,\xff,\n",
          "f:2: source: \"?\": say in one line of UTF-8 whose figures these are" },
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,direct,generation,us,maybe\n",
          "f:2: estimated: \"maybe\": write true or false" },
        { OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,direct,generation,us,\n"
          "2026-10-25T00:30Z,2026-10-25T01:00Z,1,FR,direct,generation,them,\n",
          "f:3: begins at 2026-10-25T00:30:00Z and overlaps f:2, which lasts until "
          "2026-10-25T01:00:00Z: correct or remove one" },
    };

    (void)state;
    must_refuse(&none, -EBADMSG, cases, LENGTH(cases));
}

static void a_zone_basis_or_scope_that_was_not_asked_for_is_refused(void **state)
{
    static const struct {
        struct grid_import_options options;
        const char *text, *message;
    } cases[] = {
        { { .zone = "DE" }, MAPS MAPS_LINE("00:00:00", "1", "2", ""),
          "f:2: zone: \"FR\": --zone asks for DE: take a file of that zone, or leave --zone out" },
        { { .zone = "US" }, UK(UK_HALF("00:00", "00:30", "1", "1")),
          "f: data[0]: zone: \"GB\": --zone asks for US: take a file of that zone, or leave "
          "--zone out" },
        { { .basis = "lifecycle" }, UK(UK_HALF("00:00", "00:30", "1", "1")),
          "f: --basis lifecycle: figures of uk are direct; leave --basis out" },
        { { .scope = "consumption" }, ECO2MIX ECO2MIX_LINE(DEF, "00:00:00Z", "9"),
          "f: --scope consumption: figures of eco2mix are of generation; leave --scope out" },
        { { .basis = "lifecycle" }, "Datetime (UTC),Zone id,Carbon intensity gCO2eq/kWh (direct)\n"
          "2026-10-25 00:00:00,FR,1\n",
          "f:1: the header has no column \"Carbon intensity gCO2eq/kWh (Life cycle)\": give "
          "another --basis or file" },
        { { .basis = "direct" },
          OWN_ALL "2026-10-25T00:00Z,2026-10-25T01:00Z,1,FR,lifecycle,generation,us,\n",
          "f:2: basis: \"lifecycle\": --basis asks for direct; leave it out, the file says it" },
        { { .format = GRID_ECO2MIX }, OWN LINE("00:00", "01:00", "1"),
          "f:1: the header has no column \"date_heure\": add it, or choose another --format" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct error err = { "" };

        clean(NULL);
        ROW_HOLDS(i, read_text(&cases[i].options, "f", cases[i].text, NULL, &err) < 0);
        if (strcmp(err.text, cases[i].message) != 0)
            fail_msg("row %zu:\nexpected: %s\n   found: %s", i, cases[i].message, err.text);
    }
}

static void marginal_intensities_are_refused_with_the_reason(void **state)
{
    static const struct refusal cases[] = {
        { "start_utc,end_utc,gco2e_per_kwh,Marginal_rate\n",
          "f:1: \"Marginal_rate\": " GRID_MARGINAL_REASON "; import a file of averages" },
        { "start_utc,end_utc,gco2e_per_kwh,kind\n2026-10-25T00:00Z,2026-10-25T01:00Z,1,marginal\n",
          "f:2: kind: \"marginal\": " GRID_MARGINAL_REASON "; import averages" },
        { "Datetime (UTC),Zone id,Marginal carbon intensity gCO2eq/kWh\n",
          "f:1: \"Marginal carbon intensity gCO2eq/kWh\": " GRID_MARGINAL_REASON
          "; import a file of averages" },
    };

    static const struct refusal json = {
        "{\"data\":[],\"marginal\":1}", "f: " GRID_MARGINAL_REASON "; import averages",
    };

    (void)state;
    must_refuse(&own, -ENOTSUP, cases, LENGTH(cases));
    must_refuse(&none, -ENOTSUP, &json, 1);
}

static void json_that_is_not_the_api_s_is_refused(void **state)
{
    static const struct refusal cases[] = {
        { "{\"data\":[" UK_HALF("00:00", "00:30", "1", "1") ",\n",
          "f:2: the JSON breaks off or is wrong at column 0: the file is cut off or damaged; fetch "
          "it again" },
        { "{\"data\":{}}", "f: data is no list: give the JSON of /intensity/FROM/TO as it came" },
        { "[]", "f: data is no list: give the JSON of /intensity/FROM/TO as it came" },
        { UK(""), "f holds no value: fetch it again" },
        { UK(UK_HALF("00:00", "00:30", "null", "null")),
          "f: data[0]: intensity: neither actual nor forecast is a number: remove the element, or "
          "fetch the file again" },
        { UK(UK_HALF("00:00", "00:30", "1", "-1")),
          "f: data[0]: intensity.actual: \"-1\": an average intensity lies between 0 and 2000 "
          "g/kWh: correct or remove it" },
        { UK(UK_HALF("00:00", "00:30", "2001", "null")),
          "f: data[0]: intensity.forecast: \"2001\": an average intensity lies between 0 and 2000 "
          "g/kWh: correct or remove it" },
        { UK(UK_HALF("00:30", "00:00", "1", "1")),
          "f: data[0]: to: \"2026-10-25T00:00Z\": the interval ends before it has begun: correct "
          "one of its times" },
        { UK("{\"from\":\"2024-10-25T00:00Z\",\"to\":\"2026-10-25T00:30Z\"}"),
          "f: data[0]: to: \"2026-10-25T00:30Z\": the interval is longer than a year: correct it "
          "or divide it" },
        { UK("{\"from\":\"2026-10-25T00:00\",\"to\":\"2026-10-25T00:30Z\"}"),
          "f: data[0]: from: \"2026-10-25T00:00\": a time without an offset may be local: write "
          "2026-10-25T01:00Z, or 2026-10-25T02:00+01:00" },
        { UK("{\"to\":\"2026-10-25T00:30Z\"}"),
          "f: data[0]: from is missing: fetch the file again from /intensity/FROM/TO" },
        { UK("{\"from\":\"x\",\"to\":\"y\",\"regions\":[]}"),
          "f: data[0]: regions: all regions in one file; fetch the national one from "
          "/intensity/FROM/TO, or one region from /regional/intensity/FROM/TO/regionid/N" },
        { "{\"error\":{\"code\":\"400\",\"message\":\"Please enter a valid date\"}}",
          "f holds an error of the API, \"Please enter a valid date\": fetch it again" },
        { UK(UK_HALF("00:00", "00:30", "1", "1") "," UK_HALF("01:00", "01:30", "1", "1")),
          "f: data[1]: a gap of 30 min before this: no direct value of GB from "
          "2026-10-25T00:30:00Z to 2026-10-25T01:00:00Z: get what is missing, or give "
          "--allow-gaps: the gap then takes the annual value, and is flagged" },
    };

    (void)state;
    must_refuse(&none, -EBADMSG, cases, LENGTH(cases));
}

static void tables_of_others_are_checked_as_strictly(void **state)
{
    static const struct refusal cases[] = {
        { MAPS MAPS_LINE("00:00:00", "1", "2", "") MAPS_LINE("01:00:00", "1", "2", "")
          MAPS_LINE("02:00:00", "1", "2", "") MAPS_LINE("04:00:00", "1", "2", ""),
          "f:5: a gap of 1 h before this: no lifecycle value of FR from 2026-10-25T03:00:00Z to "
          "2026-10-25T04:00:00Z: get what is missing, or give --allow-gaps: the gap then takes the "
          "annual value, and is flagged" },
        { MAPS MAPS_LINE("00:00:00", "1", "2", "") MAPS_LINE("00:00:00", "1", "2", "")
          MAPS_LINE("01:00:00", "1", "2", "") MAPS_LINE("02:00:00", "1", "2", ""),
          "f:3: a second lifecycle value of FR for 2026-10-25T00:00:00Z, after f:2: remove one" },
        { MAPS MAPS_LINE("00:00:00", "1", "2", ""),
          "f: how long each value lasts is unclear: its times are not mostly 5, 15, 30 or 60 "
          "minutes, a day, a month or a year apart; write it as csv, with start_utc and end_utc" },
        { MAPS MAPS_LINE("00:00:00", "1", "2", "") MAPS_LINE("02:00:00", "1", "2", ""),
          "f: how long each value lasts is unclear: its times are not mostly 5, 15, 30 or 60 "
          "minutes, a day, a month or a year apart; write it as csv, with start_utc and end_utc" },
        { MAPS "2026-10-25 00:00:00,France,France,FR,1,2,3,4,x,true,SANDBOX_MODE_DATA\n",
          "f:2: Data estimation method: \"SANDBOX_MODE_DATA\": made up by Electricity Maps for "
          "tests: import real data" },
        { MAPS MAPS_LINE("00:00:00", "1", "2", "") "2026-10-25 01:00:00,France,Fra",
          "f:3: 3 fields where the header has 11: the file is cut off or damaged; fetch it again" },
        { ECO2MIX "Bretagne;x;x;x;2026-10-25T00:00:00Z;5;9;1\n",
          "f:2: perimetre: \"Bretagne\": only the national file of eCO2mix has intensities: take "
          "that of France" },
        { ECO2MIX ECO2MIX_LINE(DEF, "00:00:00", "9"),
          "f:2: date_heure: \"2026-10-25T00:00:00\": a time without an offset may be local: write "
          "2026-10-25T01:00Z, or 2026-10-25T02:00+01:00" },
        { ECO2MIX ECO2MIX_LINE(DEF, "00:00:00Z", ""), "f holds no value: fetch it again" },
    };

    (void)state;
    must_refuse(&none, -EBADMSG, cases, LENGTH(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_format_is_told_from_the_content, clean),
        cmocka_unit_test_teardown(our_own_csv_says_all_in_columns_or_options, clean),
        cmocka_unit_test_teardown(sums_tell_minimum_maximum_and_the_mean_by_time, clean),
        cmocka_unit_test_teardown(lines_may_stand_in_any_order, clean),
        cmocka_unit_test_teardown(a_local_day_of_25_or_23_hours_has_them_all, clean),
        cmocka_unit_test_teardown(electricity_maps_gives_a_series_for_each_basis, clean),
        cmocka_unit_test_teardown(electricity_maps_headings_of_every_year_are_known, clean),
        cmocka_unit_test_teardown(electricity_maps_rows_last_as_far_as_the_next, clean),
        cmocka_unit_test_teardown(uk_takes_the_forecast_where_there_is_no_actual, clean),
        cmocka_unit_test_teardown(uk_regions_are_parts_of_the_zone, clean),
        cmocka_unit_test_teardown(eco2mix_passes_over_rows_without_a_value, clean),
        cmocka_unit_test_teardown(eco2mix_is_known_by_its_labels_too, clean),
        cmocka_unit_test_teardown(a_part_of_a_zone_is_taken_for_it_when_asked_and_says_so, clean),
        cmocka_unit_test_teardown(gaps_are_counted_when_they_are_allowed, clean),
        cmocka_unit_test_teardown(files_that_share_a_border_count_it_once, clean),
        cmocka_unit_test_teardown(files_that_contradict_each_other_are_both_named, clean),
        cmocka_unit_test_teardown(
            a_file_that_is_cut_anywhere_is_refused_unless_its_lines_are_whole, clean),
        cmocka_unit_test_teardown(times_and_values_that_cannot_be_are_refused, clean),
        cmocka_unit_test_teardown(damaged_and_foreign_files_are_refused, clean),
        cmocka_unit_test_teardown(what_is_not_said_is_asked_for, clean),
        cmocka_unit_test_teardown(what_a_line_says_must_be_right, clean),
        cmocka_unit_test_teardown(a_zone_basis_or_scope_that_was_not_asked_for_is_refused, clean),
        cmocka_unit_test_teardown(marginal_intensities_are_refused_with_the_reason, clean),
        cmocka_unit_test_teardown(json_that_is_not_the_api_s_is_refused, clean),
        cmocka_unit_test_teardown(tables_of_others_are_checked_as_strictly, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
