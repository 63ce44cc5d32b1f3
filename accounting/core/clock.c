#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock_ns(clockid_t id)
{
    struct timespec ts = { 0 };

    clock_gettime(id, &ts); /* cannot fail for these clocks on any kernel since 2.6.39 */
    return (int64_t)ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

uint64_t clock_boottime_ns(void)
{
    return (uint64_t)read_clock_ns(CLOCK_BOOTTIME);
}

int64_t clock_wall_ns(void)
{
    return read_clock_ns(CLOCK_REALTIME);
}

int clock_boot_id(char ret_boot_id[BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_boot_id, BOOT_ID_SIZE - 1);
    int rc = got == BOOT_ID_SIZE - 1 ? 0 : got < 0 ? -errno : -EIO;

    if (fd >= 0)
        close(fd);
    if (rc == 0)
        ret_boot_id[BOOT_ID_SIZE - 1] = '\0';
    else
        memcpy(ret_boot_id, "unknown", sizeof("unknown"));
    return rc;
}

void clock_format_utc(int64_t wall_s, char ret_text[CLOCK_TEXT_SIZE])
{
    time_t t = (time_t)wall_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(ret_text, "?", 2);
}

int64_t clock_month_begin_s(int64_t wall_s)
{
    time_t t = (time_t)wall_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm))
        return 0; /* a year beyond an int: no wall clock in nanoseconds gets there */
    return wall_s - (((tm.tm_mday - 1) * INT64_C(24) + tm.tm_hour) * 60 + tm.tm_min) * 60 -
           tm.tm_sec;
}

int64_t clock_month_next_s(int64_t wall_s)
{
    /* 31 days after the first of any month lie in the next */
    return clock_month_begin_s(clock_month_begin_s(wall_s) + 31 * INT64_C(86400));
}

int64_t clock_year_begin_s(int64_t wall_s)
{
    time_t t = (time_t)wall_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm))
        return 0;
    return wall_s - ((tm.tm_yday * INT64_C(24) + tm.tm_hour) * 60 + tm.tm_min) * 60 - tm.tm_sec;
}

int64_t clock_year_next_s(int64_t wall_s)
{
    /* 366 days after the first of any year lie in the next */
    return clock_year_begin_s(clock_year_begin_s(wall_s) + 366 * INT64_C(86400));
}
