#include "sensors/cpuinfo.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first CPU's fields that anybody asks for are within its first few lines. */
#define BEGINNING 1024

static void read_beginning(int root_fd, char text[BEGINNING])
{
    int fd = openat(root_fd, "proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, text, BEGINNING - 1);

    if (fd >= 0)
        close(fd);
    text[len < 0 ? 0 : len] = '\0';
}

void cpuinfo_field(int root_fd, const char *key, char *ret_text, size_t size)
{
    char text[BEGINNING], *line, *next;
    size_t len = strlen(key);

    read_beginning(root_fd, text);
    ret_text[0] = '\0';
    for (line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (strncmp(line, key, len) == 0 && line[len + strspn(line + len, " \t")] == ':') {
            line = strchr(line + len, ':') + 1;
            snprintf(ret_text, size, "%s", line + strspn(line, " \t"));
            return;
        }
    }
}

bool cpuinfo_is_rapids(int root_fd)
{
    char vendor[16], family[8], model[8];

    cpuinfo_field(root_fd, "vendor_id", vendor, sizeof(vendor));
    cpuinfo_field(root_fd, "cpu family", family, sizeof(family));
    cpuinfo_field(root_fd, "model", model, sizeof(model));
    return strcmp(vendor, "GenuineIntel") == 0 && strcmp(family, "6") == 0 &&
           (strcmp(model, "143") == 0 || strcmp(model, "207") == 0);
}
