/*
 * stopwatch.c - time one command again and again, each time when told to
 *
 *     stopwatch COMMAND [ARGUMENT]...
 *
 * For every line on standard input, run COMMAND, wait for it, and print the nanoseconds that took
 * (CLOCK_MONOTONIC, from just before the process is made until it has been waited for) and the most
 * memory that it held, KiB. Ends with the input. A command that fails prints nothing and ends it
 * with 1. scripts/bench-step starts one inside each cluster, so that entering it is no part
 * of a figure.
 */
#include <inttypes.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static uint64_t now_ns(void)
{
    struct timespec ts = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* The command's standard input is empty and its output goes to ours for errors. */
static int prepare(posix_spawn_file_actions_t *actions)
{
    int rc = posix_spawn_file_actions_init(actions);

    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", 0, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, 2, 1);
    return rc;
}

static int run(char *const argv[], const posix_spawn_file_actions_t *actions, uint64_t *ret_ns,
               long *ret_kib)
{
    struct rusage usage = { 0 };
    uint64_t begin_ns = now_ns();
    int status = 0;
    pid_t pid;
    int rc = posix_spawnp(&pid, argv[0], actions, NULL, argv, environ);

    if (rc != 0) {
        fprintf(stderr, "stopwatch: cannot run %s: %s\n", argv[0], strerror(rc));
        return -1;
    }
    if (wait4(pid, &status, 0, &usage) != pid)
        return -1;
    *ret_ns = now_ns() - begin_ns;
    *ret_kib = usage.ru_maxrss;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "stopwatch: %s failed (wait status %d)\n", argv[0], status);
        return -1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    posix_spawn_file_actions_t actions;
    char line[16];
    uint64_t took_ns;
    long most_kib;

    if (argc < 2 || prepare(&actions) != 0) {
        fprintf(stderr, "usage: stopwatch COMMAND [ARGUMENT]...\n");
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        if (run(argv + 1, &actions, &took_ns, &most_kib) < 0)
            return 1;
        printf("%" PRIu64 " %ld\n", took_ns, most_kib);
        fflush(stdout);
    }
    return 0;
}
