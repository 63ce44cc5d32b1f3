#include "config.h" /* memfd_create(), strsep() */

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_broken(const char *file, int line, const char *promise)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
    abort();
}

bool fuzz_failed(int rc, const struct error *err)
{
    PROMISE(rc <= 0);
    PROMISE(rc == 0 || err->text[0] != '\0');
    for (const char *c = rc < 0 ? err->text : ""; *c; c++)
        PROMISE((unsigned char)*c >= ' ' && *c != 0x7f); /* one line, which moves no terminal */
    return rc < 0;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    PROMISE(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

char *fuzz_line(char **text)
{
    char *line = strsep(text, "\n");

    if (!*text)
        *text = line + strlen(line);
    return line;
}

void fuzz_file(const void *data, size_t size, char ret_path[FUZZ_PATH_SIZE])
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    PROMISE(fd >= 0);
    PROMISE(ftruncate(fd, 0) == 0);
    PROMISE(pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(ret_path, FUZZ_PATH_SIZE, "/proc/self/fd/%d", fd);
}
