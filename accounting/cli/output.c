#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

/* Into an open directory, as file_write_atomic() does it. */
static int put(const char *option, const char *path, int dirfd, const char *name,
               mode_t mode, const struct buf *text, struct error *err)
{
    struct stat old;
    int rc;

    if (*name == '\0')
        return error_set(err, -EINVAL, "%s: %s names no file", option, path);
    if (fstatat(dirfd, name, &old, 0) == 0 && !S_ISREG(old.st_mode))
        return error_set(err, -EINVAL, "%s: %s is no regular file: name another, or - for "
                         "standard output", option, path);
    rc = file_write_atomic(dirfd, name, text->data, text->len, mode, 0);
    return rc < 0 ? error_set_errno(err, rc, "%s: cannot write %s", option, path) : 0;
}

int output_write(const char *option, const char *path, mode_t mode, const struct buf *text,
                 struct error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char dir[PATH_MAX] = ".";
    int dirfd, rc;

    if (slash && (size_t)(name - path) < sizeof(dir))
        snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
    dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_set_errno(err, -errno, "%s: cannot open the directory %s", option, dir);
    rc = put(option, path, dirfd, name, mode, text, err);
    close(dirfd);
    return rc;
}
