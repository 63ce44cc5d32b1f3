/*
 * clock.h - the two clocks: CLOCK_BOOTTIME for durations, wall time as a label
 */
#ifndef CARBON_CORE_CLOCK_H
#define CARBON_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define NS_PER_S UINT64_C(1000000000)
#define BOOT_ID_SIZE 37        /* a UUID in text, with its NUL */
#define CLOCK_TEXT_SIZE 32     /* room for clock_format_utc() */

uint64_t clock_boottime_ns(void); /* since boot, suspended time included; never steps */
int64_t clock_wall_ns(void);      /* since 1970-01-01T00:00:00Z; may step */

/* /proc/sys/kernel/random/boot_id. On failure the text is "unknown" and the errno is returned. */
int clock_boot_id(char ret_boot_id[BOOT_ID_SIZE]);

/* "2026-11-23T04:06:00Z", for any second since 1970 */
void clock_format_utc(int64_t wall_s, char ret_text[CLOCK_TEXT_SIZE]);

/* First second of the UTC month that a second since 1970 lies in, and of the month after it. */
int64_t clock_month_begin_s(int64_t wall_s);
int64_t clock_month_next_s(int64_t wall_s);
/* The same of UTC years. */
int64_t clock_year_begin_s(int64_t wall_s);
int64_t clock_year_next_s(int64_t wall_s);

#endif
