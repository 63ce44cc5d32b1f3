#include "config.h"

#include "spool/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS 100 /* nodes deliver at the same second: take them together */
#define NS_PER_MS 1000000

int watch_open(const char *dir, struct error *err)
{
    int rc, fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return error_set_errno(err, -errno, "cannot watch %s", dir);
    if (inotify_add_watch(fd, dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) >= 0)
        return fd;
    rc = error_set_errno(err, -errno, "cannot watch %s", dir);
    close(fd);
    return rc;
}

static int wait_ms(int fd, int patience_ms, const sigset_t *wait_mask)
{
    struct timespec patience = { patience_ms / 1000, (long)(patience_ms % 1000) * NS_PER_MS };
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    return ppoll(&poll_fd, 1, &patience, wait_mask);
}

void watch_wait(int watch_fd, int patience_ms, const sigset_t *wait_mask)
{
    char events[4096];

    if (wait_ms(watch_fd, patience_ms, wait_mask) <= 0)
        return;
    if (wait_ms(-1, SETTLE_MS, wait_mask) < 0)
        return;
    while (read(watch_fd, events, sizeof(events)) > 0)
        continue; /* which file it was does not matter: the whole directory is looked at */
}
