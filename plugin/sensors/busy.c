#include "sensors/busy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

/* "cpu1023" and ten numbers: 80 bytes are usual, 210 the most that 20 digits allow. */
#define LINE_BYTES 128
#define ROOM_MAX (1u << 20)

struct busy {
    const struct topology *topology;
    int fd;
    uint64_t ns_per_tick;
    uint64_t *cpu_ticks; /* [cpu_limit]: the most seen of each CPU */
    char *room;          /* for the CPU lines, which come first in the file */
    size_t room_size;
};

int busy_open(int root_fd, const struct topology *topology, struct busy **ret_busy)
{
    struct busy *busy = calloc(1, sizeof(*busy));
    long hz = sysconf(_SC_CLK_TCK);
    int rc;

    if (!busy)
        return -ENOMEM;
    busy->topology = topology;
    busy->ns_per_tick = NS_PER_S / (uint64_t)(hz > 0 ? hz : 100);
    busy->room_size = (topology->cpu_limit + 2) * (size_t)LINE_BYTES;
    busy->cpu_ticks = calloc(topology->cpu_limit, sizeof(*busy->cpu_ticks));
    busy->room = malloc(busy->room_size);
    busy->fd = openat(root_fd, "proc/stat", O_RDONLY | O_CLOEXEC);
    rc = busy->fd < 0 ? -errno : 0;
    if (!busy->cpu_ticks || !busy->room)
        rc = -ENOMEM;
    if (rc < 0) {
        busy_close(busy);
        return rc;
    }
    *ret_busy = busy;
    return 0;
}

struct busy *busy_close(struct busy *busy)
{
    if (busy) {
        if (busy->fd >= 0)
            close(busy->fd);
        free(busy->cpu_ticks);
        free(busy->room);
        free(busy);
    }
    return NULL;
}

/* A number after blanks; moves *p behind it. No number: 0, and *p stays at the line's end. */
static uint64_t next_number(const char **p)
{
    uint64_t number = 0;

    while (**p == ' ')
        (*p)++;
    while (**p >= '0' && **p <= '9')
        number = number * 10 + (uint64_t)(*(*p)++ - '0');
    return number;
}

/* user, nice, system, [idle, iowait,] irq, softirq, steal; older kernels have fewer columns */
static uint64_t busy_ticks(const char *p)
{
    uint64_t column[8];

    for (int i = 0; i < 8; i++)
        column[i] = next_number(&p);
    return column[0] + column[1] + column[2] + column[5] + column[6] + column[7];
}

static void take_line(struct busy *busy, const char *line)
{
    const char *p = line + 3;
    uint64_t cpu, ticks;

    if (*p < '0' || *p > '9')
        return; /* "cpu ", the sum over all */
    cpu = next_number(&p);
    ticks = busy_ticks(p);
    if (cpu < busy->topology->cpu_limit && ticks > busy->cpu_ticks[cpu])
        busy->cpu_ticks[cpu] = ticks;
}

/*
 * Take the lines in room[0..len). Returns whether the CPU lines ended within it: behind them comes
 * a line of another kind, or the file's end.
 */
static bool take_lines(struct busy *busy, size_t len, bool at_end, unsigned *ret_lines)
{
    const char *line = busy->room, *end = busy->room + len;

    for (*ret_lines = 0; line < end; (*ret_lines)++) {
        char *newline = memchr(line, '\n', (size_t)(end - line));

        if (end - line >= 3 && memcmp(line, "cpu", 3) != 0)
            return true;
        if (!newline)
            return false;
        *newline = '\0';
        take_line(busy, line);
        line = newline + 1;
    }
    return at_end;
}

/* Fill the room from the file's start; a pipe-like file may hand it out in pieces. */
static int fill_room(const struct busy *busy, size_t *ret_len, bool *ret_at_end)
{
    size_t used = 0;

    *ret_at_end = false;
    while (used < busy->room_size) {
        ssize_t got = pread(busy->fd, busy->room + used, busy->room_size - used, (off_t)used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        *ret_at_end = got == 0;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *ret_len = used;
    return 0;
}

static int grow_room(struct busy *busy)
{
    char *room;

    if (busy->room_size >= ROOM_MAX)
        return -EFBIG;
    room = realloc(busy->room, busy->room_size * 2);
    if (!room)
        return -ENOMEM;
    busy->room = room;
    busy->room_size *= 2;
    return 0;
}

static int read_cpus(struct busy *busy)
{
    for (;;) {
        unsigned lines = 0;
        bool at_end = false;
        size_t len = 0;
        int rc = fill_room(busy, &len, &at_end);

        if (rc < 0)
            return rc;
        if (take_lines(busy, len, at_end, &lines))
            return lines ? 0 : -EBADMSG;
        if (at_end)
            return -EBADMSG; /* the last line is cut */
        rc = grow_room(busy);
        if (rc < 0)
            return rc;
    }
}

int busy_read(struct busy *busy, uint64_t *ret_busy_ns)
{
    const struct topology *topology = busy->topology;
    int rc = read_cpus(busy);

    if (rc < 0)
        return rc;
    memset(ret_busy_ns, 0, topology->n_packages * sizeof(*ret_busy_ns));
    for (unsigned cpu = 0; cpu < topology->cpu_limit; cpu++)
        if (topology->cpu_package[cpu] >= 0)
            ret_busy_ns[topology->cpu_package[cpu]] += busy->cpu_ticks[cpu] * busy->ns_per_tick;
    return 0;
}
