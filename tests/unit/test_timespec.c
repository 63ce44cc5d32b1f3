#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit.h"

#include "core/timespec.h"

/* Now is Monday, 2026-11-23T09:30:15 in Berlin (UTC+1); summer time ended on 25 October. */
#define NOW INT64_C(1795422615)
#define TODAY INT64_C(1795388400) /* 00:00 in Berlin */
#define DAY 86400

static int set_zone(void **state)
{
    (void)state;
    if (setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1) != 0)
        return -1;
    tzset();
    return 0;
}

static void every_form_is_read_as_local_time(void **state)
{
    static const struct {
        const char *text;
        int64_t instant_s;
    } cases[] = {
        { "now", NOW },
        { "now-30", NOW - 30 },
        { "now+30seconds", NOW + 30 },
        { "now-1minute", NOW - 60 },
        { "now-90minutes", NOW - 5400 },
        { "now-2hours", NOW - 7200 },
        { "now-1day", NOW - DAY },
        { "now-2d", NOW - 2 * DAY },
        { "NOW-1week", NOW - 7 * DAY },
        { "today", TODAY },
        { "midnight", TODAY },
        { "Noon", TODAY + 12 * 3600 },
        { "elevenses", TODAY + 11 * 3600 },
        { "fika", TODAY + 15 * 3600 },
        { "teatime", TODAY + 16 * 3600 },
        { "tomorrow", TODAY + DAY },
        { "04:06", TODAY + 4 * 3600 + 6 * 60 },
        { "4:06:07", TODAY + 4 * 3600 + 6 * 60 + 7 },
        { "04:06pm", TODAY + 16 * 3600 + 6 * 60 },
        { "12:00 AM", TODAY },
        { "12:00 PM", TODAY + 12 * 3600 },
        { "23:59", TODAY + DAY - 60 },
        { "2026-11-23", TODAY },
        { "2026-11-23T04:06", TODAY + 4 * 3600 + 6 * 60 },
        { "2026-11-23T04:06:07", TODAY + 4 * 3600 + 6 * 60 + 7 },
        { "2026-10-25", INT64_C(1792879200) }, /* summer time still */
        { "2026-10-26", INT64_C(1792969200) }, /* 25 hours later */
        { "2024-02-29", INT64_C(1709161200) },
        { "11/22", TODAY - DAY },
        { "11/22/26", TODAY - DAY },
        { "11/22/2026", TODAY - DAY },
        { "11.22.26", TODAY - DAY },
        { "11/22-04:06", TODAY - DAY + 4 * 3600 + 6 * 60 },
        { "1122", TODAY - DAY },
        { "112226", TODAY - DAY },
        { "1122-04:06:07", TODAY - DAY + 4 * 3600 + 6 * 60 + 7 },
        { "uts1795422615", NOW },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct error err = { "" };
        int64_t instant_s;

        if (timespec_parse(cases[i].text, NOW, &instant_s, &err) != 0)
            fail_msg("row %zu: %s", i, err.text);
        if (instant_s != cases[i].instant_s)
            fail_msg("row %zu: %s gives %lld", i, cases[i].text, (long long)instant_s);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const cases[] = {
        "", "yesterday", "now-", "now-x", "now-1fortnight", "now*2", "now-99999999999999", "nowish",
        "24:00", "4:60", "4:6", "13:00pm", "0:00am", "2026-13-01", "2026-02-29", "2026-11-31",
        "2026-11", "26-11-23", "2026-11-23T", "2026-11-23T4", "2026-11-23X04:06", "11/32", "0/1",
        "11/22.26", "11/22/226", "1132", "112", "uts", "uts-1", "uts1x", "12:00 XM", "-1",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct error err = { "" };
        int64_t instant_s = 7;

        ROW_HOLDS(i, timespec_parse(cases[i], NOW, &instant_s, &err) == -EINVAL);
        ROW_HOLDS(i, instant_s == 7);
        ROW_HOLDS(i, strstr(err.text, "now-2days") != NULL);
    }
}

static void instants_are_written_as_slurm_time_format_says(void **state)
{
    static const struct {
        int64_t instant_s;
        const char *format, *text;
    } cases[] = {
        { NOW, NULL, "2026-11-23T09:30:15" },
        { NOW, "", "2026-11-23T09:30:15" },
        { NOW, "standard", "2026-11-23T09:30:15" },
        { NOW, "%s", "1795422615" },
        { NOW, "%d.%m.%Y %H Uhr", "23.11.2026 09 Uhr" },
        { NOW, "relative", "09:30:15" },
        { TODAY, "relative", "00:00:00" },
        { TODAY - 1, "relative", "Ystday 23:59" },
        { TODAY + DAY, "relative", "Tomorr 00:00" },
        { TODAY - 3 * DAY, "relative", "Fri 00:00" },
        { TODAY - 30 * DAY, "relative", "24 Oct 01:00" }, /* an hour of summer time */
        { TODAY - 400 * DAY, "relative", "19 Oct 2025" },
        { NOW, "%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y", "2026-11-23T09:30:15" }, /* does not fit */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char text[TIMESPEC_SIZE];

        timespec_format(cases[i].instant_s, cases[i].format, NOW, text);
        if (strcmp(text, cases[i].text) != 0)
            fail_msg("row %zu: %s", i, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read_as_local_time),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(instants_are_written_as_slurm_time_format_says),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
