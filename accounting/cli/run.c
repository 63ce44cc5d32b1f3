#include "config.h"

#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

#define LOOK_MS 20

extern char **environ;

/* Ours, with what says how Slurm writes times and words. */
static char **make_environment(void)
{
    static char zone[] = "TZ=UTC", words[] = "LC_ALL=C", times[] = "SLURM_TIME_FORMAT=%s";
    char *const set[] = { zone, words, times, NULL };
    size_t count = 0, n = 0;
    char **list;

    while (environ[count])
        count++;
    list = calloc(count + sizeof(set) / sizeof(set[0]), sizeof(*list));
    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "TZ=", 3) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0 &&
            strncmp(environ[i], "SLURM_TIME_FORMAT=", 18) != 0 &&
            strncmp(environ[i], "SACCT_", 6) != 0)
            list[n++] = environ[i];
    for (size_t i = 0; set[i]; i++)
        list[n++] = set[i];
    return list;
}

static bool is_above(int fd, uint64_t most_bytes)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (uint64_t)st.st_size > most_bytes;
}

/* Wait for it, and end it when it takes too long or prints too much: its status, or -ETIMEDOUT or
   -EFBIG. */
static int await(pid_t pid, unsigned deadline_s, int out_fd, uint64_t most_bytes)
{
    uint64_t end_ns = clock_boottime_ns() + deadline_s * NS_PER_S;
    int status, rc = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_boottime_ns() >= end_ns)
            rc = -ETIMEDOUT;
        else if (is_above(out_fd, most_bytes))
            rc = -EFBIG;
        if (rc < 0) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return rc;
        }
        poll(NULL, 0, LOOK_MS);
    }
    if (is_above(out_fd, most_bytes))
        return -EFBIG;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int start(const char *const argv[], int out_fd, bool quiet, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    char **environment = make_environment();
    int rc;

    if (!environment)
        return ENOMEM;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (rc == 0 && quiet)
        rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
                          environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return rc;
}

int run_command(const char *const argv[], unsigned deadline_s, uint64_t most_bytes, bool quiet,
                FILE **ret_file, struct error *err)
{
    FILE *file = tmpfile();
    pid_t pid;
    int rc;

    if (!file)
        return error_set_errno(err, -errno, "cannot make a temporary file");
    (void)fcntl(fileno(file), F_SETFD, FD_CLOEXEC); /* other children have no business with it */
    rc = start(argv, fileno(file), quiet, &pid);
    if (rc == ENOENT)
        rc = error_set(err, -ENOENT, "%s is not in PATH", argv[0]);
    else if (rc)
        rc = error_set_errno(err, -rc, "cannot start %s", argv[0]);
    else
        rc = await(pid, deadline_s, fileno(file), most_bytes);
    if (rc == -ETIMEDOUT)
        error_set(err, rc, "%s took longer than %u s", argv[0], deadline_s);
    else if (rc == -EFBIG)
        error_set(err, rc, "%s printed more than %llu bytes", argv[0],
                  (unsigned long long)most_bytes);
    else if (rc > 0)
        rc = error_set(err, -EIO, "%s failed (status %d)", argv[0], rc);
    if (rc < 0) {
        fclose(file);
        return rc;
    }
    rewind(file);
    *ret_file = file;
    return 0;
}
