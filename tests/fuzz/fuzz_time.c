/*
 * timespec.h: the first line is a time, the second a format of SLURM_TIME_FORMAT. What is read and
 * written as Slurm's standard reads the same, but for the hour that autumn has twice.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/timespec.h"
#include "fuzz.h"

#define NOW_S INT64_C(1792900000) /* the October day when summer time ends */
#define YEAR_10000_S INT64_C(253402300800)

static void try_time(const char *text, const char *format, int64_t doubt_s)
{
    struct error err = { "" };
    int64_t instant_s = -77, again_s;
    char room[TIMESPEC_SIZE];
    int rc = timespec_parse(text, NOW_S, &instant_s, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(instant_s == -77); /* untouched */
        return;
    }
    timespec_format(instant_s, format, NOW_S, room);
    PROMISE(memchr(room, '\0', sizeof(room)));
    timespec_format(instant_s, "relative", NOW_S, room);
    PROMISE(room[0] != '\0' && memchr(room, '\0', sizeof(room)));
    if (instant_s < 0 || instant_s >= YEAR_10000_S)
        return; /* "now-60years" may be before 1970, which no date is */
    timespec_format(instant_s, NULL, NOW_S, room);
    PROMISE(timespec_parse(room, NOW_S, &again_s, &err) == 0);
    PROMISE(again_s >= instant_s - doubt_s && again_s <= instant_s + doubt_s);
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text;
    const char *time = fuzz_line(&rest), *format = fuzz_line(&rest);

    set_zone("UTC0");
    try_time(time, format, 0);
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    try_time(time, format, 3600);
    free(text);
    return 0;
}
