#include "config.h"

#include "meter/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

static void __attribute__((noreturn)) run(int lock_fd, child_work *work, void *context,
                                          size_t report_size, int report_fd)
{
    char report[PIPE_BUF] = { 0 };
    ssize_t put;
    int rc;

    if (lock_fd >= 0)
        close(lock_fd);
    rc = work(context, report);
    put = write(report_fd, report, report_size); /* up to PIPE_BUF: whole or not at all */
    _exit(rc < 0 || put != (ssize_t)report_size);
}

int child_start(struct child *child, int lock_fd, child_work *work, void *context,
                size_t report_size, uint64_t now)
{
    int fds[2], rc = 0;
    pid_t pid;

    if (report_size > PIPE_BUF)
        return -EINVAL;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        run(lock_fd, work, context, report_size, fds[1]);
    if (pid < 0) {
        rc = -errno;
        close(fds[0]);
    } else {
        *child = (struct child){ .pid = pid, .report_fd = fds[0], .begin_ns = now };
    }
    close(fds[1]);
    return rc;
}

bool child_is_busy(const struct child *child)
{
    return child->pid > 0;
}

int child_reap(struct child *child, unsigned deadline_s, uint64_t now, void *ret_report,
               size_t report_size)
{
    int rc = 0;

    if (!child->pid)
        return -EAGAIN;
    if (!child->was_killed && now - child->begin_ns >= deadline_s * NS_PER_S) {
        kill(child->pid, SIGKILL);
        child->was_killed = true;
    }
    if (waitpid(child->pid, NULL, WNOHANG) == 0)
        return -EAGAIN;
    if (read(child->report_fd, ret_report, report_size) != (ssize_t)report_size)
        rc = child->was_killed ? -ETIMEDOUT : -EIO;
    close(child->report_fd);
    *child = (struct child){ .report_fd = -1 };
    return rc;
}
