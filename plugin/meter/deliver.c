#include "config.h"

#include "meter/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

void deliver_init(struct deliver *deliver, const char *dir, int lock_fd)
{
    *deliver = (struct deliver){ .lock_fd = lock_fd };
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

/* What deliver_start() gives the child. */
struct work {
    struct deliver *deliver;
    int spool_fd;
    bool keep_last;
};

static int copy_all(void *context, void *report)
{
    const struct work *work = context;

    return deliver_copy(work->deliver->dir, work->spool_fd, work->deliver->names,
                        work->deliver->count, work->keep_last, report);
}

/* --- in the meter ---------------------------------------------------------------------------- */

int deliver_start(struct deliver *deliver, int spool_fd, size_t count, bool keep_last,
                  uint64_t now)
{
    struct work work = { deliver, spool_fd, keep_last };

    deliver->count = count;
    return child_start(&deliver->child, deliver->lock_fd, copy_all, &work,
                       sizeof(struct deliver_result), now);
}

bool deliver_is_busy(const struct deliver *deliver)
{
    return child_is_busy(&deliver->child);
}

bool deliver_reap(struct deliver *deliver, uint64_t now, struct deliver_result *ret_result)
{
    struct deliver_result result;
    int rc = child_reap(&deliver->child, DELIVER_DEADLINE_S, now, &result, sizeof(result));

    if (rc == -EAGAIN)
        return false;
    if (rc < 0) {
        result = (struct deliver_result){ 0 };
        error_set(&result.err, rc, rc == -ETIMEDOUT
                  ? "DeliverDir %s did not answer within %d s; is its file system up?"
                  : "the delivery to %s died (within %d s)", deliver->dir, DELIVER_DEADLINE_S);
    }
    *ret_result = result;
    return true;
}
