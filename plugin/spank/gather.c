#include "spank/gather.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"
#include "sensors/powercap.h"

/* Of /proc/PID/stat; 52 numbers of up to 20 digits and a name of 16 bytes are below this. */
#define STAT_SIZE 1280
#define START_TICKS_FIELD 22 /* proc_pid_stat(5): starttime */

static int open_root(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void list_zones(int root_fd, struct gather_zones *zones)
{
    struct powercap_zone found[POWERCAP_ZONES_MAX];
    int found_count = powercap_list_by_name(root_fd, found, POWERCAP_ZONES_MAX);

    zones->listed = true;
    zones->count = 0;
    for (int i = 0; i < found_count && zones->count < MARK_READINGS_MAX; i++)
        if (found[i].use != POWERCAP_LEFT_OUT)
            memcpy(zones->zone[zones->count++], found[i].zone, SOURCE_NAME_SIZE);
}

static int read_zone(int root_fd, const char *zone, struct mark_reading *ret_reading)
{
    int fd = powercap_open(root_fd, zone);
    int rc;

    if (fd < 0)
        return fd;
    rc = powercap_read(fd, &ret_reading->raw_uj);
    close(fd);
    if (rc == 0)
        memcpy(ret_reading->source, zone, SOURCE_NAME_SIZE);
    return rc;
}

size_t gather_readings(const char *sensor_root, struct gather_zones *zones, struct mark *mark,
                       struct mark_reading ret_readings[MARK_READINGS_MAX])
{
    int root_fd = open_root(sensor_root);
    uint64_t before_ns, after_ns;
    size_t count = 0;

    if (root_fd >= 0 && !zones->listed)
        list_zones(root_fd, zones);
    before_ns = clock_boottime_ns();
    for (size_t i = 0; root_fd >= 0 && i < zones->count; i++)
        if (read_zone(root_fd, zones->zone[i], &ret_readings[count]) == 0)
            count++;
    after_ns = clock_boottime_ns();
    mark->boottime_ns = before_ns + (after_ns - before_ns) / 2;
    mark->wall_ns = clock_wall_ns() - (int64_t)(after_ns - mark->boottime_ns);
    if (root_fd >= 0)
        close(root_fd);
    return count;
}

void gather_node(char ret_node[NODE_NAME_SIZE])
{
    const char *name = getenv("SLURMD_NODENAME"); /* of slurmd's making in all contexts we run in */

    ret_node[0] = '\0';
    if (name && *name && strlen(name) < NODE_NAME_SIZE) {
        memcpy(ret_node, name, strlen(name) + 1);
        return;
    }
    if (gethostname(ret_node, NODE_NAME_SIZE) < 0)
        ret_node[0] = '\0';
    ret_node[NODE_NAME_SIZE - 1] = '\0';
    ret_node[strcspn(ret_node, ".")] = '\0';
}

/* The start of field `number` (from 3) of a /proc/PID/stat line, NUL-terminated, or NULL. */
static char *stat_field(char *stat, unsigned number)
{
    /* field 2, the name, may itself hold blanks and parentheses: count from the last one */
    char *at = strrchr(stat, ')');

    for (unsigned i = 2; at && i < number; i++)
        at = strchr(at + 1, ' ');
    if (!at)
        return NULL;
    at++;
    at[strcspn(at, " \n")] = '\0';
    return at;
}

void gather_stepd(struct mark *mark)
{
    char stat[STAT_SIZE];
    const char *ticks;

    if (file_read_small(AT_FDCWD, "/proc/self/stat", stat, sizeof(stat), NULL) < 0)
        return;
    ticks = stat_field(stat, START_TICKS_FIELD);
    if (!ticks || parse_u64(ticks, 0, UINT64_MAX, &mark->stepd_start_ticks) < 0)
        return;
    mark->stepd_pid = (uint32_t)getpid();
    mark->has |= MARK_HAS_STEPD;
}
