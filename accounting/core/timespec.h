/*
 * timespec.h - the times that Slurm's commands understand, and how they write them
 *
 * Local time, as the zone in TZ has it. Without a date it is today's, without a year this year's.
 */
#ifndef CARBON_CORE_TIMESPEC_H
#define CARBON_CORE_TIMESPEC_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define TIMESPEC_SIZE 64 /* room for timespec_format() */

/*
 * Seconds since 1970 of
 *     YYYY-MM-DD[THH:MM[:SS]]   MMDD[YY]   MM/DD[/YY]   MM.DD[.YY]   with -HH:MM[:SS] behind
 *     HH:MM[:SS] [AM|PM]   today   tomorrow   midnight   elevenses (11:00)   noon   fika (15:00)
 *     teatime (16:00)   now[{+|-}N[seconds|minutes|hours|days|weeks]]   utsN (seconds since 1970)
 * relative to now_s. -EINVAL with the forms there are.
 */
MUST_CHECK int timespec_parse(const char *text, int64_t now_s, int64_t *ret_s, struct error *err);

/*
 * Write instant_s as `format` (SLURM_TIME_FORMAT) says: NULL, "" or "standard":
 * 2026-11-23T04:06:00; "relative": as short as it can be told apart, seen from now_s; else a
 * format of strftime(3), and standard when that gives nothing. Names are in the locale of LC_TIME.
 */
void timespec_format(int64_t instant_s, const char *format, int64_t now_s,
                     char ret_text[TIMESPEC_SIZE]);

#endif
