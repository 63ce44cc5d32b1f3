#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read() until `size` bytes, the end, or an error; EINTR goes on. */
static ssize_t read_full(int fd, char *room, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, room + used, size - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

int file_read_small(int dirfd, const char *path, char *room, size_t size, size_t *ret_len)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read_full(fd, room, size);
    close(fd);
    if (got < 0)
        return (int)got;
    if ((size_t)got >= size)
        return -EFBIG;
    room[got] = '\0';
    if (ret_len)
        *ret_len = (size_t)got;
    return 0;
}

int file_read_line(int dirfd, const char *path, char *room, size_t size)
{
    int rc = file_read_small(dirfd, path, room, size, NULL);

    if (rc < 0)
        return rc == -EFBIG ? -EBADMSG : rc;
    room[strcspn(room, "\n")] = '\0';
    return 0;
}

bool file_is_there(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int read_regular(int fd, size_t max_size, char **ret_data, size_t *ret_len)
{
    struct stat st;
    ssize_t got;
    char *data;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > max_size)
        return -EFBIG;
    data = malloc((size_t)st.st_size + 1);
    if (!data)
        return -ENOMEM;
    got = read_full(fd, data, (size_t)st.st_size);
    if (got < 0) {
        free(data);
        return (int)got;
    }
    data[got] = '\0';
    *ret_data = data;
    *ret_len = (size_t)got;
    return 0;
}

int file_read(int dirfd, const char *path, size_t max_size, char **ret_data, size_t *ret_len,
              struct error *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int rc = fd < 0 ? -errno : read_regular(fd, max_size, ret_data, ret_len);

    if (fd >= 0)
        close(fd);
    if (rc == -EFBIG)
        return error_set(err, rc, "%s is larger than %zu bytes", path, max_size);
    if (rc == -EINVAL)
        return error_set(err, rc, "%s is not a regular file", path);
    if (rc < 0)
        return error_set_errno(err, rc, "cannot read %s", path);
    return 0;
}

static int write_full(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        data += put;
        len -= (size_t)put;
    }
    return 0;
}

/* Write, set the mode, and sync one open file; closes it in any case. */
static int fill_and_close(int fd, const char *data, size_t len, mode_t mode, int sync)
{
    int rc = write_full(fd, data, len);

    if (rc == 0 && fchmod(fd, mode) < 0)
        rc = -errno;
    if (rc == 0 && sync && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno; /* NFS and quotas report a failed write here */
    return rc;
}

/* fsync() of a directory; AT_FDCWD is no descriptor that it would take. */
static int sync_dir(int dirfd)
{
    int fd = dirfd == AT_FDCWD ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : dirfd;
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

    if (fd >= 0 && fd != dirfd)
        close(fd);
    return rc;
}

static int create_new(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? -errno : fd;
}

int file_write_atomic(int dirfd, const char *name, const char *data, size_t len, mode_t mode,
                      int sync)
{
    char tmp[NAME_MAX + 1];
    int fd, rc;

    if ((size_t)snprintf(tmp, sizeof(tmp), ".%s.tmp", name) >= sizeof(tmp))
        return -ENAMETOOLONG;
    fd = create_new(dirfd, tmp);
    if (fd == -EEXIST && unlinkat(dirfd, tmp, 0) == 0) /* of a writer that was killed */
        fd = create_new(dirfd, tmp);
    if (fd < 0)
        return fd;
    rc = fill_and_close(fd, data, len, mode, sync);
    if (rc == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(dirfd, tmp, 0);
        return rc;
    }
    rc = sync ? sync_dir(dirfd) : 0;
    if (rc < 0)
        unlinkat(dirfd, name, 0); /* the caller hears of failure: leave nothing */
    return rc;
}
