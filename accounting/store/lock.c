#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define NS_PER_MS 1000000
#define POLL_MS 20 /* whoever comes back to the lock at once leaves it free for longer than this */
#define HOLDER_SIZE 128

static void read_holder(int fd, char ret_holder[HOLDER_SIZE])
{
    ssize_t len = pread(fd, ret_holder, HOLDER_SIZE - 1, 0);

    ret_holder[len > 0 ? len : 0] = '\0';
    ret_holder[strcspn(ret_holder, "\n")] = '\0';
    if (!ret_holder[0]) /* it is about to write its name, or has just removed it */
        snprintf(ret_holder, HOLDER_SIZE, "another process");
}

static int write_holder(int fd, const char *path, const char *who, struct error *err)
{
    char text[HOLDER_SIZE], since[CLOCK_TEXT_SIZE];
    int len;

    clock_format_utc(clock_wall_ns() / (int64_t)NS_PER_S, since);
    len = snprintf(text, sizeof(text), "%s, process %ld, since %s\n", who ? who : "a writer",
                   (long)getpid(), since);
    errno = 0;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return error_set_errno(err, errno ? -errno : -EIO, "cannot write %s", path);
    return 0;
}

static int refuse(int fd, const char *path, const struct store_turn *turn, const char *remedy,
                  struct error *err)
{
    char holder[HOLDER_SIZE], waited[48] = "";

    read_holder(fd, holder);
    if (turn->patience_ms > 0)
        snprintf(waited, sizeof(waited), ", and was not free for %d s",
                 turn->patience_ms / 1000);
    return error_set(err, -EBUSY, "%s is held by %s%s; %s", path, holder, waited, remedy);
}

/* flock() has no time limit, and a timer's signal would be the program's, not a library's. */
static int wait_for(int fd, const char *path, const struct store_turn *turn, const char *remedy,
                    struct error *err)
{
    static const struct timespec pause = { 0, POLL_MS * NS_PER_MS };
    uint64_t end_ns = clock_boottime_ns() + (uint64_t)turn->patience_ms * NS_PER_MS;
    bool told = false;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char holder[HOLDER_SIZE];

        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set_errno(err, -errno, "cannot lock %s", path);
        if (turn->stop && *turn->stop)
            return error_set(err, -EINTR, "stopped while waiting for %s", path);
        if (clock_boottime_ns() >= end_ns)
            return refuse(fd, path, turn, remedy, err);
        read_holder(fd, holder);
        if (!told && turn->waits)
            turn->waits(holder, turn->patience_ms);
        told = true;
        nanosleep(&pause, NULL);
    }
    return 0;
}

int lock_give_to_owner(int fd, const char *path)
{
    char dir[PATH_MAX];
    struct stat st;

    if (geteuid() != 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_nlink != 1) /* the directory's owner put a link there to a file of root's */
        return -EMLINK;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path + 1), path);
    return stat(dir, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

int lock_take(const char *path, const struct store_turn *turn, const char *remedy,
              struct error *err)
{
    int rc, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0)
        return error_set_errno(err, -errno, "cannot open the lock file %s", path);
    rc = lock_give_to_owner(fd, path);
    if (rc < 0)
        error_set_errno(err, rc, "cannot give %s to the owner of its directory", path);
    if (rc == 0)
        rc = wait_for(fd, path, turn, remedy, err);
    if (rc == 0)
        rc = write_holder(fd, path, turn->who, err);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

void lock_release(int fd)
{
    if (fd < 0)
        return;
    if (ftruncate(fd, 0) < 0) /* then it names who held it last, which harms nothing */
        errno = 0;
    close(fd);
}
