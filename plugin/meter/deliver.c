#include "config.h"

#include "meter/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/address.h"
#include "core/file.h"

void deliver_init(struct deliver *deliver, const char *where, const char *munge_socket, int lock_fd)
{
    *deliver = (struct deliver){ .lock_fd = lock_fd };
    snprintf(deliver->dir, sizeof(deliver->dir), "%s", where);
    snprintf(deliver->munge_socket, sizeof(deliver->munge_socket), "%s", munge_socket);
}

static bool is_carbond(const struct deliver *deliver)
{
    return strncmp(deliver->dir, CARBOND_SCHEME, strlen(CARBOND_SCHEME)) == 0;
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

/* --- in the child, to carbond ----------------------------------------------------------------- */

/* carbon-deliver, in SpoolDir, without the meter's capabilities; it ends with its parent. */
static void __attribute__((noreturn)) become(const struct deliver *deliver, int spool_fd,
                                             size_t count, pid_t parent, int out_fd, int err_fd)
{
    const char *dir = getenv("SLURM_CARBON_LIBEXEC"); /* of tests */
    const char *argv[DELIVER_MAX + 4] = { "carbon-deliver", deliver->dir + strlen(CARBOND_SCHEME),
                                          deliver->munge_socket };
    char path[PATH_MAX];
    sigset_t none;

    for (size_t i = 0; i < count; i++)
        argv[i + 3] = deliver->names[i];
    snprintf(path, sizeof(path), "%s/carbon-deliver", dir ? dir : LIBEXECDIR "/slurm-carbon");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && fchdir(spool_fd) == 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
        dup2(err_fd, STDERR_FILENO) >= 0)
        execv(path, (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", path, strerror(errno));
    _exit(127);
}

/* ret: what it says on its standard output and on its error output; -1 where there is none. */
static int spawn(const struct deliver *deliver, int spool_fd, size_t count, int ret[2],
                 pid_t *ret_pid)
{
    int out[2], err[2], rc = 0;
    pid_t parent = getpid();

    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(err, O_CLOEXEC) < 0) {
        rc = -errno;
        close(out[0]);
        close(out[1]);
        return rc;
    }
    *ret_pid = fork();
    if (*ret_pid == 0)
        become(deliver, spool_fd, count, parent, out[1], err[1]);
    if (*ret_pid < 0)
        rc = -errno;
    close(out[1]);
    close(err[1]);
    ret[0] = out[0];
    ret[1] = err[0];
    return rc;
}

/* Each name that it prints is of a batch that carbond has on its disk. */
static int take_receipts(const struct deliver *deliver, int spool_fd, size_t count, bool keep_last,
                         int receipts_fd, struct deliver_result *result)
{
    FILE *receipts = fdopen(receipts_fd, "r");
    char line[BATCH_NAME_SIZE + 2];
    int rc = receipts ? 0 : error_set(&result->err, -ENOMEM, "no memory for receipts");

    while (rc == 0 && result->delivered < count && fgets(line, sizeof(line), receipts)) {
        const char *name = deliver->names[result->delivered];

        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, name) != 0)
            rc = error_set(&result->err, -EBADMSG, "carbon-deliver: a receipt of another batch");
        else if (!(keep_last && result->delivered == count - 1))
            rc = remove_one(spool_fd, name, &result->err);
        result->delivered += rc == 0;
    }
    if (receipts)
        fclose(receipts);
    else
        close(receipts_fd);
    return rc;
}

/* One line, cut to what there is room for. */
static void read_reason(int fd, char *reason, size_t size)
{
    ssize_t got = read(fd, reason, size - 1);

    if (got > 0)
        reason[got] = '\0';
    reason[strcspn(reason, "\n")] = '\0';
}

int deliver_send(const struct deliver *deliver, int spool_fd, size_t count, bool keep_last,
                 struct deliver_result *ret_result)
{
    struct deliver_result result = { 0 };
    char reason[ERROR_TEXT_SIZE - 100] = "carbon-deliver ended without a word";
    int fds[2] = { -1, -1 }, rc = 0;
    pid_t pid = -1;

    if (fsync(spool_fd) < 0)
        rc = error_set_errno(&result.err, -errno, "cannot sync SpoolDir");
    else if ((rc = spawn(deliver, spool_fd, count, fds, &pid)) < 0)
        error_set_errno(&result.err, rc, "cannot start carbon-deliver");
    if (rc == 0)
        rc = take_receipts(deliver, spool_fd, count, keep_last, fds[0], &result);
    if (rc == 0 && result.delivered < count) {
        read_reason(fds[1], reason, sizeof(reason));
        rc = error_set(&result.err, -EIO, "cannot deliver to %.60s: %s", deliver->dir, reason);
    }
    if (pid > 0) {
        kill(pid, SIGKILL); /* it has ended, but where this side has failed */
        waitpid(pid, NULL, 0);
    }
    if (fds[1] >= 0)
        close(fds[1]);
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

    if (is_carbond(work->deliver))
        return deliver_send(work->deliver, work->spool_fd, work->deliver->count, work->keep_last,
                            report);
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
                  ? is_carbond(deliver) ? "%s did not take all within %d s; is carbond up?"
                  : "DeliverDir %s did not answer within %d s; is its file system up?"
                  : "the delivery to %s died (within %d s)", deliver->dir, DELIVER_DEADLINE_S);
    }
    *ret_result = result;
    return true;
}
