#include "spank/mark_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTS "/proc/self/mounts"
/* A mount point, its type and what is before and after; longer options are cut (getmntent(3)). */
#define MOUNT_SIZE (PATH_MAX + 1024)

/*
 * What a directory of tmpfs grows by with each entry, "." and ".." among them (BOGO_DIRENT_SIZE of
 * Linux's mm/shmem.c): its size tells their number without reading them.
 */
#define TMPFS_ENTRY_SIZE 20

/* --- where it is ----------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *mount_point)
{
    size_t len = strlen(mount_point);

    if (len == 1)
        return true; /* "/" */
    return strncmp(path, mount_point, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/*
 * Whether the innermost mount that path is below is a tmpfs. Of two at one place the later one
 * counts. A file system that hangs would hold up every question about it, this one is answered by
 * the kernel alone.
 */
static int find_tmpfs(const char *path, bool *ret_is_tmpfs)
{
    FILE *mounts = setmntent(MOUNTS, "re");
    char room[MOUNT_SIZE];
    struct mntent mount;
    size_t longest = 0;

    if (!mounts)
        return -errno;
    *ret_is_tmpfs = false;
    while (getmntent_r(mounts, &mount, room, sizeof(room))) {
        size_t len = strlen(mount.mnt_dir);

        if (len < longest || !is_below(path, mount.mnt_dir))
            continue;
        longest = len;
        *ret_is_tmpfs = strcmp(mount.mnt_type, "tmpfs") == 0;
    }
    endmntent(mounts);
    return 0;
}

static int check_place(const char *path, struct error *err)
{
    bool is_tmpfs;
    int rc;

    /* the table of mounts knows one name of each place */
    if (strstr(path, "//") || strstr(path, "/."))
        return error_set(err, -EINVAL, "MarkDir %s: write it without \"//\" and names that begin "
                         "with a dot", path);
    rc = find_tmpfs(path, &is_tmpfs);
    if (rc < 0)
        return error_set_errno(err, rc, "cannot tell what MarkDir %s is on from " MOUNTS, path);
    if (!is_tmpfs)
        return error_set(err, -EXDEV, "MarkDir %s is not on a tmpfs, and elsewhere a job might "
                         "wait for it: put it on one, as the default /run/slurm-carbon/%%n is, "
                         "and name it without symbolic links", path);
    return 0;
}

/* --- whose it is ----------------------------------------------------------------------------- */

static int check_owner(const struct stat *st, const char *path, struct error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(err, -EPERM, "%s belongs to user %u, who could forge marks in MarkDir: "
                         "chown it to root", path, (unsigned)st->st_uid);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "others may write to %s, and so forge marks in MarkDir: "
                         "chmod go-w it", path);
    return 0;
}

/* Whoever may write to a directory above it can put another one in its place. */
static int check_above(const char *path, struct error *err)
{
    char above[PATH_MAX];
    struct stat st;
    int rc = 0;

    for (const char *at = strchr(path + 1, '/'); rc == 0 && at; at = strchr(at + 1, '/')) {
        snprintf(above, sizeof(above), "%.*s", (int)(at - path), path);
        if (lstat(above, &st) < 0)
            return error_set_errno(err, -errno, "cannot look at %s, above MarkDir (carbon-meterd "
                                   "makes it)", above);
        if (!S_ISDIR(st.st_mode))
            return error_set(err, -ENOTDIR, "%s, above MarkDir, is no directory: name MarkDir "
                             "without symbolic links", above);
        if (st.st_mode & S_ISVTX)
            st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
        rc = check_owner(&st, above, err);
    }
    return rc;
}

/* --- what is in it --------------------------------------------------------------------------- */

static bool is_full(int dir_fd, const struct stat *st)
{
    struct statfs fs;

    if (faccessat(dir_fd, MARK_DIR_FULL_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
        st->st_size / TMPFS_ENTRY_SIZE >= MARK_DIR_MARKS_MAX + 2)
        return true;
    if (fstatfs(dir_fd, &fs) < 0)
        return false; /* the write will tell */
    /* a tmpfs without limits reports no blocks and no files at all */
    return (fs.f_blocks > 0 &&
            (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < MARK_DIR_RESERVE_BYTES) ||
           (fs.f_files > 0 && fs.f_ffree < MARK_DIR_RESERVE_FILES);
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

int mark_dir_open(const char *path, struct error *err)
{
    int rc = check_place(path, err);
    int fd;

    if (rc == 0)
        rc = check_above(path, err);
    if (rc < 0)
        return rc;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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
