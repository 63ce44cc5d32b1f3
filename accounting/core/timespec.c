#include "core/timespec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/parse.h"

#define S_PER_DAY 86400
#define SPAN_MAX_S (INT64_C(400) * 366 * S_PER_DAY) /* four centuries from now is far enough */
#define FORMS "write 2026-11-23T04:06, 11/23, 04:06, today, noon, now-2days …"

static const struct {
    const char *name;
    int day, hour; /* days from today */
} words[] = {
    { "today", 0, 0 },      { "tomorrow", 1, 0 }, { "midnight", 0, 0 }, { "elevenses", 0, 11 },
    { "noon", 0, 12 },      { "fika", 0, 15 },    { "teatime", 0, 16 },
};

static const struct {
    const char *name;
    size_t least; /* letters that suffice */
    int64_t length_s;
} units[] = {
    { "seconds", 1, 1 },    { "minutes", 1, 60 },       { "hours", 1, 3600 },
    { "days", 1, S_PER_DAY }, { "weeks", 1, 7 * S_PER_DAY },
};

static bool read_number(const char **text, size_t min_digits, size_t max_digits, int *ret)
{
    size_t digits = strspn(*text, "0123456789");
    int number = 0;

    if (digits < min_digits || digits > max_digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + ((*text)[i] - '0');
    *text += digits;
    *ret = number;
    return true;
}

/* HH:MM[:SS][ AM|PM], to the end of the text */
static bool read_time_of_day(const char *text, struct tm *tm)
{
    int hour, minute, second = 0;

    if (!read_number(&text, 1, 2, &hour) || *text++ != ':' || !read_number(&text, 2, 2, &minute))
        return false;
    if (*text == ':') {
        text++;
        if (!read_number(&text, 2, 2, &second))
            return false;
    }
    while (*text == ' ')
        text++;
    if (strcasecmp(text, "am") == 0 || strcasecmp(text, "pm") == 0) {
        if (hour < 1 || hour > 12)
            return false;
        hour = hour % 12 + (strcasecmp(text, "pm") == 0 ? 12 : 0);
        text += 2;
    }
    if (*text != '\0' || hour > 23 || minute > 59 || second > 60)
        return false;
    tm->tm_hour = hour;
    tm->tm_min = minute;
    tm->tm_sec = second;
    return true;
}

static bool set_date(struct tm *tm, int year, int month, int day)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/* YYYY-MM-DD; leaves *text behind it */
static bool read_iso_date(const char **text, struct tm *tm)
{
    const char *at = *text;
    int year, month, day;

    if (!read_number(&at, 4, 4, &year) || *at++ != '-' || !read_number(&at, 1, 2, &month) ||
        *at++ != '-' || !read_number(&at, 1, 2, &day) || !set_date(tm, year, month, day))
        return false;
    *text = at;
    return true;
}

/* MM/DD[/YY] and the same with points */
static bool read_us_date(const char **text, struct tm *tm)
{
    const char *at = *text;
    int year = tm->tm_year + 1900, month, day;
    char mark;

    if (!read_number(&at, 1, 2, &month) || (*at != '/' && *at != '.'))
        return false;
    mark = *at++;
    if (!read_number(&at, 1, 2, &day))
        return false;
    if (*at == mark) {
        size_t digits = strspn(at + 1, "0123456789");

        at++;
        if ((digits != 2 && digits != 4) || !read_number(&at, 2, 4, &year))
            return false;
        year += digits == 2 ? 2000 : 0;
    }
    *text = at;
    return set_date(tm, year, month, day);
}

/* MMDD[YY] */
static bool read_digit_date(const char **text, struct tm *tm)
{
    size_t digits = strspn(*text, "0123456789");
    int number, year = tm->tm_year + 1900;

    if ((digits != 4 && digits != 6) || !read_number(text, 4, 6, &number))
        return false;
    if (digits == 6) {
        year = 2000 + number % 100;
        number /= 100;
    }
    return set_date(tm, year, number / 100, number % 100);
}

static bool read_date_time(const char *text, struct tm *tm)
{
    if (read_time_of_day(text, tm))
        return true;
    tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
    if (!read_iso_date(&text, tm) && !read_us_date(&text, tm) && !read_digit_date(&text, tm))
        return false;
    if (*text == '\0')
        return true;
    if (*text != 'T' && *text != 't' && *text != '-' && *text != ' ')
        return false;
    return read_time_of_day(text + 1, tm);
}

/* What follows "now": nothing, or {+|-}N[unit] */
static bool read_offset(const char *text, int64_t *ret_s)
{
    char number_text[20];
    size_t digits;
    uint64_t number;
    int64_t unit_s = 1;
    int64_t sign = *text == '-' ? -1 : 1;

    *ret_s = 0;
    if (*text == '\0')
        return true;
    if (*text != '+' && *text != '-')
        return false;
    text++;
    digits = strspn(text, "0123456789");
    if (digits == 0 || digits >= sizeof(number_text))
        return false;
    memcpy(number_text, text, digits);
    number_text[digits] = '\0';
    text += digits;
    if (*text != '\0') {
        size_t len = strlen(text);

        unit_s = 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
            if (len >= units[i].least && strncasecmp(text, units[i].name, len) == 0)
                unit_s = units[i].length_s;
        }
    }
    if (unit_s == 0 || parse_u64(number_text, 0, (uint64_t)(SPAN_MAX_S / unit_s), &number) < 0)
        return false;
    *ret_s = sign * (int64_t)number * unit_s;
    return true;
}

static int bad_time(const char *text, struct error *err)
{
    return error_set(err, -EINVAL, "time \"%.40s\" is not understood: " FORMS, text);
}

int timespec_parse(const char *text, int64_t now_s, int64_t *ret_s, struct error *err)
{
    time_t now = (time_t)now_s, instant;
    struct tm tm;
    int64_t offset_s;

    if (strncasecmp(text, "now", 3) == 0) {
        if (!read_offset(text + 3, &offset_s))
            return bad_time(text, err);
        *ret_s = now_s + offset_s;
        return 0;
    }
    if (strncasecmp(text, "uts", 3) == 0) {
        if (parse_i64(text + 3, 0, SPAN_MAX_S, &offset_s) < 0)
            return bad_time(text, err);
        *ret_s = offset_s;
        return 0;
    }
    if (!localtime_r(&now, &tm))
        return bad_time(text, err);
    tm.tm_isdst = -1;
    tm.tm_sec = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcasecmp(text, words[i].name) == 0) {
            tm.tm_mday += words[i].day;
            tm.tm_hour = words[i].hour;
            tm.tm_min = 0;
            *ret_s = mktime(&tm);
            return 0;
        }
    }
    if (!read_date_time(text, &tm))
        return bad_time(text, err);
    instant = mktime(&tm);
    if (instant < 0)
        return bad_time(text, err);
    *ret_s = instant;
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Whole days from one instant's date to the other's. */
static int days_between(const struct tm *from, const struct tm *to)
{
    struct tm a = { .tm_year = from->tm_year, .tm_mon = from->tm_mon, .tm_mday = from->tm_mday };
    struct tm b = { .tm_year = to->tm_year, .tm_mon = to->tm_mon, .tm_mday = to->tm_mday };

    return (int)((timegm(&b) - timegm(&a)) / S_PER_DAY);
}

static const char *relative_format(const struct tm *tm, const struct tm *now)
{
    int days = days_between(now, tm);

    if (days == 0)
        return "%H:%M:%S";
    if (days == -1)
        return "Ystday %H:%M";
    if (days == 1)
        return "Tomorr %H:%M";
    if (days > -7 && days < 7)
        return "%a %H:%M";
    return tm->tm_year == now->tm_year ? "%d %b %H:%M" : "%d %b %Y";
}

void timespec_format(int64_t instant_s, const char *format, int64_t now_s,
                     char ret_text[TIMESPEC_SIZE])
{
    time_t instant = (time_t)instant_s, now = (time_t)now_s;
    struct tm tm, now_tm;

    if (!localtime_r(&instant, &tm) || !localtime_r(&now, &now_tm)) {
        snprintf(ret_text, TIMESPEC_SIZE, "Unknown");
        return;
    }
    if (format && strcmp(format, "relative") == 0)
        format = relative_format(&tm, &now_tm);
    else if (format && strcmp(format, "standard") == 0)
        format = NULL;
    if (!format || *format == '\0' || strftime(ret_text, TIMESPEC_SIZE, format, &tm) == 0)
        strftime(ret_text, TIMESPEC_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
}
