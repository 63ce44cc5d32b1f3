#include "carbond/intake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "carbond/piece.h"

#define DELIVERED_MODE 0640 /* user names are in it */
#define TEMPORARY ".carbond-"
#define STALE_S 600 /* no delivery takes so long */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

void intake_clean(const char *path)
{
    const struct dirent *entry;
    DIR *dir = opendir(path);
    struct stat st;

    while (dir && (entry = readdir(dir)))
        if (strncmp(entry->d_name, TEMPORARY, strlen(TEMPORARY)) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime + STALE_S < time(NULL))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

/* As batch_file_name() makes them: "<node>-<16 digits>-<12 digits>.batch". */
static int take_name(const char *name, size_t len, struct intake *ret, struct error *err)
{
    static const char form[] = "-0123456789abcdef-0123456789ab.batch";
    size_t tail = sizeof(form) - 1;

    if (len <= tail || len >= sizeof(ret->name) || name[0] == '.')
        return error_set(err, -EINVAL, "no name of a batch");
    for (size_t i = 0; i < len; i++)
        if (!name[i] || !strchr(NAME_CHARACTERS, name[i]))
            return error_set(err, -EINVAL, "no name of a batch");
    for (size_t i = 0; i < tail; i++) {
        char wanted = form[i], is = name[len - tail + i];

        if (i < tail - 6 && wanted != '-' ? !strchr("0123456789abcdef", is) : is != wanted)
            return error_set(err, -EINVAL, "no name of a batch");
    }
    memcpy(ret->name, name, len);
    ret->name[len] = '\0';
    return 0;
}

/* Made when missing, but not its parents: a share that is not mounted must not be hidden. */
static int open_dir(const char *dir, struct error *err)
{
    int fd;

    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return error_set_errno(err, -errno, "cannot make DeliverDir %s", dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_set_errno(err, -errno, "cannot open DeliverDir %s", dir) : fd;
}

static int fail(const struct intake *intake, struct error *err)
{
    return error_set_errno(err, errno ? -errno : -EIO, "cannot write %s into DeliverDir",
                           intake->name);
}

int intake_begin(const char *dir, const char *name, size_t len, struct intake *ret,
                 struct error *err)
{
    char nonce[NONCE_SIZE];
    int rc;

    *ret = (struct intake){ .dir_fd = -1, .fd = -1 };
    rc = take_name(name, len, ret, err);
    if (rc == 0)
        rc = nonce_make(nonce);
    if (rc < 0)
        return rc;
    ret->dir_fd = open_dir(dir, err);
    if (ret->dir_fd < 0)
        return ret->dir_fd;
    snprintf(ret->temporary, sizeof(ret->temporary), TEMPORARY "%s", nonce);
    ret->fd = openat(ret->dir_fd, ret->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                     DELIVERED_MODE);
    if (ret->fd < 0 || fchmod(ret->fd, DELIVERED_MODE) < 0) /* whatever the umask */
        return fail(ret, err);
    return 0;
}

int intake_add(struct intake *intake, const char *bytes, size_t len, struct error *err)
{
    intake->size += len;
    if (intake->size > BATCH_SIZE_MAX)
        return error_set(err, -EFBIG, "%s is larger than a batch can be (%u MiB)", intake->name,
                         BATCH_SIZE_MAX >> 20);
    while (len > 0) {
        ssize_t put = write(intake->fd, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail(intake, err);
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

int intake_end(struct intake *intake, struct error *err)
{
    if (fsync(intake->fd) < 0 ||
        renameat(intake->dir_fd, intake->temporary, intake->dir_fd, intake->name) < 0)
        return fail(intake, err);
    intake->temporary[0] = '\0';
    if (fsync(intake->dir_fd) < 0)
        return fail(intake, err);
    intake_drop(intake);
    return 0;
}

void intake_drop(struct intake *intake)
{
    if (intake->fd >= 0 && intake->temporary[0])
        unlinkat(intake->dir_fd, intake->temporary, 0);
    if (intake->fd >= 0)
        close(intake->fd);
    if (intake->dir_fd >= 0)
        close(intake->dir_fd);
    intake->fd = intake->dir_fd = -1;
}
