#include "spank/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/file.h"

/*
 * What a directory of tmpfs grows by with each entry, "." and ".." among them (BOGO_DIRENT_SIZE of
 * Linux's mm/shmem.c): its size tells their number without reading them.
 */
#define TMPFS_ENTRY_SIZE 20

static int check_owner(const struct stat *st, const char *path, struct error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(err, -EPERM, "MarkDir %s belongs to user %u: chown it to root", path,
                         (unsigned)st->st_uid);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "others may write to MarkDir %s: chmod go-w it", path);
    return 0;
}

static bool is_full(int dir_fd, const struct stat *st)
{
    struct statfs fs;

    if (faccessat(dir_fd, EDGE_FULL_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (fstatfs(dir_fd, &fs) < 0)
        return false; /* the write will tell */
    if (fs.f_type == TMPFS_MAGIC && st->st_size / TMPFS_ENTRY_SIZE >= EDGE_MARKS_MAX + 2)
        return true;
    /* a tmpfs without limits reports no blocks and no files at all */
    return (fs.f_blocks > 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < EDGE_RESERVE_BYTES) ||
           (fs.f_files > 0 && fs.f_ffree < EDGE_RESERVE_FILES);
}

static int check_dir(int dir_fd, const char *path, struct error *err)
{
    struct stat st;
    int rc;

    if (fstat(dir_fd, &st) < 0)
        return error_set_errno(err, -errno, "cannot look at MarkDir %s", path);
    rc = check_owner(&st, path, err);
    if (rc == 0 && is_full(dir_fd, &st))
        rc = error_set(err, -ENOSPC, "MarkDir %s is full: is carbon-meterd running?", path);
    return rc;
}

static int open_dir(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return error_set_errno(err, -errno, "cannot open MarkDir %s (carbon-meterd makes it)",
                               path);
    rc = check_dir(fd, path, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int edge_open(struct edge *edge, enum mark_edge which, const char *node,
              const struct settings *settings, struct gather_zones *zones, struct error *err)
{
    int dir_fd = open_dir(settings->mark_dir, err);

    if (dir_fd < 0)
        return dir_fd;
    edge->dir_fd = dir_fd;
    edge->mark.edge = which;
    edge->count = gather_readings(settings->sensor_root, zones, &edge->mark, edge->readings);
    memcpy(edge->mark.node, node, strlen(node) + 1);
    if (!*edge->mark.boot_id) /* an end has its begin's */
        clock_boot_id(edge->mark.boot_id);
    return 0;
}

static int write_mark(const struct edge *edge)
{
    char text[MARK_SIZE_MAX], name[MARK_NAME_SIZE];
    struct buf buf;

    buf_init_fixed(&buf, text, sizeof(text));
    mark_write(&buf, &edge->mark, edge->readings, edge->count);
    if (buf_failed(&buf))
        return -EMSGSIZE;
    mark_file_name(&edge->mark, name);
    return file_write_atomic(edge->dir_fd, name, buf.data, buf.len, 0600, 0);
}

int edge_close(struct edge *edge, struct error *err)
{
    int rc = write_mark(edge);

    edge_drop(edge);
    return rc < 0 ? error_set_errno(err, rc, "cannot write into MarkDir") : 0;
}

void edge_drop(struct edge *edge)
{
    close(edge->dir_fd);
}
