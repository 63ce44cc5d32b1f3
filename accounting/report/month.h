/*
 * month.h - calendar months in UTC, as seconds since 1970 (core/clock.h has their borders)
 */
#ifndef CARBON_REPORT_MONTH_H
#define CARBON_REPORT_MONTH_H

#include <stdint.h>

#include "core/error.h"

#define S_PER_DAY 86400

/* First second of the month that is `months` after (before: negative) the one of instant_s. */
int64_t month_add(int64_t instant_s, int months);
/* "2026-10" or "202610". -EINVAL with the forms. */
MUST_CHECK int month_parse(const char *text, int64_t *ret_s, struct error *err);
/* Calendar parts; month and day from 1. */
void month_parts(int64_t instant_s, int *ret_year, int *ret_month, int *ret_day);
/* "October", for 1 to 12 */
extern const char *const month_names[];

#endif
