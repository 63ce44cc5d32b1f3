#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "carbon/grid_import_file.h"
#include "core/parse.h"

#define S_PER_YEAR_MAX (366 * 86400)

/* --- times ------------------------------------------------------------------------------------ */

enum time_fault { TIME_FINE, TIME_MALFORMED, TIME_NO_OFFSET, TIME_OFF_MINUTE };

static bool read_digits(const char **text, size_t count, int *ret)
{
    int number = 0;

    for (size_t i = 0; i < count; i++) {
        if (!isdigit((unsigned char)(*text)[i]))
            return false;
        number = number * 10 + ((*text)[i] - '0');
    }
    *text += count;
    *ret = number;
    return true;
}

static bool read_mark(const char **text, char mark)
{
    if (**text != mark)
        return false;
    (*text)++;
    return true;
}

static bool read_date(const char **text, struct tm *tm)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day;

    if (!read_digits(text, 4, &year) || !read_mark(text, '-') || !read_digits(text, 2, &month) ||
        !read_mark(text, '-') || !read_digits(text, 2, &day))
        return false;
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/* HH:MM, and :SS[.SSS] where the seconds must be none */
static enum time_fault read_clock(const char **text, struct tm *tm)
{
    int hour, minute, second = 0;
    bool fraction = false;

    if (!read_digits(text, 2, &hour) || !read_mark(text, ':') || !read_digits(text, 2, &minute))
        return TIME_MALFORMED;
    if (read_mark(text, ':')) {
        if (!read_digits(text, 2, &second))
            return TIME_MALFORMED;
        if (read_mark(text, '.')) {
            size_t digits = strspn(*text, "0123456789");

            fraction = strspn(*text, "0") != digits;
            if (digits == 0)
                return TIME_MALFORMED;
            *text += digits;
        }
    }
    if (hour > 23 || minute > 59 || second > 60)
        return TIME_MALFORMED;
    tm->tm_hour = hour;
    tm->tm_min = minute;
    return second || fraction ? TIME_OFF_MINUTE : TIME_FINE;
}

/* Z, +HH:MM, +HHMM or +HH; the whole rest of the text */
static enum time_fault read_offset(const char *text, bool utc, int64_t *ret_s)
{
    int sign = *text == '-' ? -1 : 1, hours, minutes = 0;

    *ret_s = 0;
    if (*text == '\0')
        return utc ? TIME_FINE : TIME_NO_OFFSET;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return TIME_FINE;
    if (*text != '+' && *text != '-')
        return TIME_MALFORMED;
    text++;
    if (!read_digits(&text, 2, &hours))
        return TIME_MALFORMED;
    if (*text && ((void)read_mark(&text, ':'), !read_digits(&text, 2, &minutes)))
        return TIME_MALFORMED;
    if (*text || hours > 14 || minutes > 59)
        return TIME_MALFORMED;
    *ret_s = sign * (hours * 3600 + minutes * 60);
    return TIME_FINE;
}

static enum time_fault read_time(const char *text, bool utc, int64_t *ret_s)
{
    struct tm tm = { 0 };
    int64_t offset_s;
    enum time_fault fault, clock_fault;

    if (!read_date(&text, &tm) || (*text != 'T' && *text != 't' && *text != ' '))
        return TIME_MALFORMED;
    text++;
    clock_fault = read_clock(&text, &tm);
    if (clock_fault == TIME_MALFORMED)
        return TIME_MALFORMED;
    fault = read_offset(text, utc, &offset_s);
    *ret_s = timegm(&tm) - offset_s;
    return fault != TIME_FINE ? fault : clock_fault;
}

int import_time(const struct import_file *file, unsigned place, const char *field,
                const char *text, bool utc, int64_t *ret_s)
{
    static const char *const remedies[] = {
        [TIME_MALFORMED] = "write a time such as 2026-10-25T01:00Z",
        [TIME_NO_OFFSET] = "a time without an offset may be local: write 2026-10-25T01:00Z, or "
                           "2026-10-25T02:00+01:00",
        [TIME_OFF_MINUTE] = "write a time on a full minute, such as 2026-10-25T01:00Z",
    };
    enum time_fault fault = read_time(text, utc, ret_s);

    return fault ? import_field_error(file, place, field, text, remedies[fault]) : 0;
}

int import_length(const struct import_file *file, unsigned place, const char *field,
                  const char *text, const struct grid_interval *interval)
{
    if (interval->end_s <= interval->begin_s)
        return import_field_error(file, place, field, text, "the interval ends before it has "
                                  "begun: correct one of its times");
    if (interval->end_s - interval->begin_s > S_PER_YEAR_MAX)
        return import_field_error(file, place, field, text, "the interval is longer than a year: "
                                  "correct it or divide it");
    return 0;
}

/* --- numbers, truths -------------------------------------------------------------------------- */

int import_grams(const struct import_file *file, unsigned place, const char *field,
                 const char *text, uint64_t *ret_ug)
{
    bool negative = *text == '-';
    const char *dot = strchr(text, '.');
    size_t len = strlen(text), kept = len;
    char number[32];
    int rc;

    /* below a microgram there is only what a division left behind */
    if (dot && strlen(dot + 1) > 6 && strspn(dot + 1, "0123456789") == strlen(dot + 1))
        kept = (size_t)(dot - text) + 7;
    if (kept >= sizeof(number))
        kept = 0;
    memcpy(number, text, kept);
    number[kept] = '\0';
    rc = parse_decimal(number + (negative && kept > 0), 6, UG_PER_KWH_MAX, ret_ug);
    if (rc == -ERANGE || (rc == 0 && negative))
        return import_field_error(file, place, field, text, "an average intensity lies between 0 "
                                  "and 2000 g/kWh: correct or remove it");
    if (rc < 0)
        return import_field_error(file, place, field, text,
                                  "write grams per kWh with a decimal point, such as 44.18");
    return 0;
}

int import_truth(const struct import_file *file, unsigned place, const char *field,
                 const char *text, bool *ret)
{
    static const struct {
        const char *word;
        bool truth;
    } words[] = {
        { "", false },  { "false", false }, { "0", false }, { "no", false },
        { "true", true }, { "1", true },    { "yes", true },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *ret = words[i].truth;
            return 0;
        }
    }
    return import_field_error(file, place, field, text, "write true or false");
}
