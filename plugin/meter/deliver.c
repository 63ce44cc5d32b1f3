#include "config.h"

#include "meter/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"

void deliver_init(struct deliver *deliver, const char *dir, int lock_fd)
{
    *deliver = (struct deliver){ .lock_fd = lock_fd, .report_fd = -1 };
    snprintf(deliver->dir, sizeof(deliver->dir), "%s", dir);
}

/* --- in the child ---------------------------------------------------------------------------- */

/* Made when missing, but not its parents: a share that is not mounted must not be hidden. */
static int open_target(const char *dir, struct error *err)
{
    int fd;

    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return error_set_errno(err, -errno, "cannot make DeliverDir %s", dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, -errno, "cannot open DeliverDir %s", dir);
    return fd;
}

static int copy_one(int spool_fd, int target_fd, const char *dir, const char *name,
                    struct error *err)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(spool_fd, name, BATCH_SIZE_MAX, &text, &len, err);

    if (rc == -ENOENT)
        return 0; /* delivered by a child that was killed, or dropped meanwhile */
    if (rc == 0) {
        rc = file_write_atomic(target_fd, name, text, len, DELIVERED_MODE, 1);
        if (rc < 0)
            error_set_errno(err, rc, "cannot write %s/%s", dir, name);
    }
    free(text);
    return rc;
}

/* spool.c, S3: gone for good before the next one is delivered. */
static int remove_one(int spool_fd, const char *name, struct error *err)
{
    if ((unlinkat(spool_fd, name, 0) < 0 && errno != ENOENT) || fsync(spool_fd) < 0)
        return error_set_errno(err, -errno, "cannot delete the delivered %s in SpoolDir", name);
    return 0;
}

int deliver_copy(const char *dir, int spool_fd, char (*names)[BATCH_NAME_SIZE], size_t count,
                 bool keep_last, struct deliver_result *ret_result)
{
    struct deliver_result result = { 0 };
    int target_fd = open_target(dir, &result.err);
    int rc = target_fd < 0 ? target_fd : 0;

    if (rc == 0 && fsync(spool_fd) < 0)
        rc = error_set_errno(&result.err, -errno, "cannot sync SpoolDir");
    while (rc == 0 && result.delivered < count) {
        const char *name = names[result.delivered];

        rc = copy_one(spool_fd, target_fd, dir, name, &result.err);
        if (rc == 0 && !(keep_last && result.delivered == count - 1))
            rc = remove_one(spool_fd, name, &result.err);
        if (rc == 0)
            result.delivered++;
    }
    if (rc == 0)
        result.err.text[0] = '\0'; /* left by a batch that was gone already */
    if (target_fd >= 0)
        close(target_fd);
    *ret_result = result;
    return rc;
}

static void __attribute__((noreturn)) run_child(struct deliver *deliver, int spool_fd,
                                                bool keep_last, int report_fd)
{
    struct deliver_result result;
    ssize_t put;
    int rc;

    if (deliver->lock_fd >= 0)
        close(deliver->lock_fd); /* the meter's successor must not wait for a child that hangs */
    rc = deliver_copy(deliver->dir, spool_fd, deliver->names, deliver->count, keep_last, &result);
    put = write(report_fd, &result, sizeof(result)); /* below PIPE_BUF: whole or not at all */
    _exit(rc < 0 || put != (ssize_t)sizeof(result));
}

/* --- in the meter ---------------------------------------------------------------------------- */

int deliver_start(struct deliver *deliver, int spool_fd, size_t count, bool keep_last,
                  uint64_t now)
{
    int fds[2], rc = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    deliver->count = count;
    pid = fork();
    if (pid == 0)
        run_child(deliver, spool_fd, keep_last, fds[1]);
    if (pid < 0) {
        rc = -errno;
        close(fds[0]);
    } else {
        deliver->pid = pid;
        deliver->report_fd = fds[0];
        deliver->begin_ns = now;
        deliver->was_killed = false;
    }
    close(fds[1]);
    return rc;
}

bool deliver_is_busy(const struct deliver *deliver)
{
    return deliver->pid > 0;
}

bool deliver_reap(struct deliver *deliver, uint64_t now, struct deliver_result *ret_result)
{
    struct deliver_result result = { 0 };

    if (!deliver->pid)
        return false;
    if (!deliver->was_killed && now - deliver->begin_ns >= DELIVER_DEADLINE_S * NS_PER_S) {
        kill(deliver->pid, SIGKILL);
        deliver->was_killed = true;
    }
    if (waitpid(deliver->pid, NULL, WNOHANG) == 0)
        return false;
    if (read(deliver->report_fd, &result, sizeof(result)) != (ssize_t)sizeof(result)) {
        result = (struct deliver_result){ 0 };
        error_set(&result.err, -ETIMEDOUT, deliver->was_killed
                  ? "DeliverDir %s did not answer within %d s; is its file system up?"
                  : "the delivery to %s died (within %d s)", deliver->dir, DELIVER_DEADLINE_S);
    }
    close(deliver->report_fd);
    deliver->report_fd = -1;
    deliver->pid = 0;
    *ret_result = result;
    return true;
}
