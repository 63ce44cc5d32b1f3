#include "cli/meter_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"

#define FLOOR_MAX_UW UINT64_C(1000000000000)

int meter_is_alive(int spool_fd)
{
    int fd = openat(spool_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int rc;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    rc = flock(fd, LOCK_SH | LOCK_NB) == 0 ? 0 : errno == EWOULDBLOCK ? 1 : -errno;
    close(fd);
    return rc;
}

int meter_read_status(int spool_fd, char text[METER_STATUS_SIZE])
{
    return file_read_small(spool_fd, "status", text, METER_STATUS_SIZE, NULL);
}

/* The text behind `key` in a line, up to the next blank; false when it is not there. */
static bool find_field(const char *line, size_t line_len, const char *key, char *field, size_t size)
{
    const char *at = strstr(line, key);
    size_t len;

    if (!at || at >= line + line_len)
        return false;
    at += strlen(key);
    len = strcspn(at, " \n");
    return (size_t)snprintf(field, size, "%.*s", (int)len, at) < size;
}

bool meter_find_floor(const char *text, const char *source, uint64_t *ret_floor_uw,
                      bool *ret_learned)
{
    static const char head[] = "counter: ";
    size_t name_len = strlen(source), len;
    char field[32];

    for (; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        if (strncmp(text, head, sizeof(head) - 1) != 0 ||
            strncmp(text + sizeof(head) - 1, source, name_len) != 0 ||
            text[sizeof(head) - 1 + name_len] != ' ')
            continue;
        if (!find_field(text, len, " floor_w=", field, sizeof(field)) ||
            parse_decimal(field, 6, FLOOR_MAX_UW, ret_floor_uw) < 0)
            return false;
        *ret_learned = find_field(text, len, " floor=", field, sizeof(field)) &&
                       strcmp(field, "learned") == 0;
        return true;
    }
    return false;
}
