#include "report/month.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

const char *const month_names[] = {
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
};

static int64_t first_of(int year, int month)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month, .tm_mday = 1 };

    return (int64_t)timegm(&tm);
}

void month_parts(int64_t instant_s, int *ret_year, int *ret_month, int *ret_day)
{
    time_t t = (time_t)instant_s;
    struct tm tm = { .tm_year = 70, .tm_mday = 1 };

    (void)gmtime_r(&t, &tm);
    *ret_year = tm.tm_year + 1900;
    *ret_month = tm.tm_mon + 1;
    *ret_day = tm.tm_mday;
}

int64_t month_add(int64_t instant_s, int months)
{
    int year, month, day;

    month_parts(instant_s, &year, &month, &day);
    return first_of(year, month - 1 + months); /* timegm() carries months over years */
}

int month_parse(const char *text, int64_t *ret_s, struct error *err)
{
    int digits[6], count = 0, year, month;
    bool dashed = false;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '-' && count == 4 && !dashed)
            dashed = true;
        else if (isdigit((unsigned char)*at) && count < 6)
            digits[count++] = *at - '0';
        else
            count = 7;
        if (count > 6)
            break;
    }
    if (count != 6)
        return error_set(err, -EINVAL, "\"%.40s\" is no month: write YYYY-MM, as 2026-10", text);
    year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3];
    month = digits[4] * 10 + digits[5];
    if (year < 1970 || month < 1 || month > 12)
        return error_set(err, -EINVAL, "\"%.40s\" is no month: years begin at 1970, and months go "
                         "from 01 to 12", text);
    *ret_s = first_of(year, month - 1);
    return 0;
}
