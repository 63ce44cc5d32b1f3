/*
 * killat: preloaded into a program, it kills it with SIGKILL before the KILL_AT-th call that
 * changes a file (write, sync, truncate, rename, unlink), so that a test can cut a program short
 * at each of them in turn: N = 1, 2, … until it lives to its end.
 */
#include "config.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/parse.h"

static void maybe_die(void)
{
    static atomic_ullong calls;
    static uint64_t kill_at;
    const char *named = getenv("KILL_AT");

    if (!kill_at && (!named || parse_u64(named, 1, UINT64_MAX, &kill_at) < 0))
        kill_at = UINT64_MAX;
    if (atomic_fetch_add(&calls, 1) + 1 == kill_at)
        kill(getpid(), SIGKILL);
}

/* Define `name` to pass `arguments` on to the next library that has it. */
#define PASS(type, name, parameters, arguments)                             \
    type name parameters;                                                   \
    type name parameters                                                    \
    {                                                                       \
        static type(*next) parameters;                                      \
                                                                            \
        if (!next)                                                          \
            *(void **)(void *)&next = dlsym(RTLD_NEXT, #name);              \
        maybe_die();                                                        \
        return next arguments;                                              \
    }

PASS(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
PASS(ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
PASS(int, fsync, (int fd), (fd))
PASS(int, fdatasync, (int fd), (fd))
PASS(int, ftruncate64, (int fd, off_t len), (fd, len))
PASS(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
PASS(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
PASS(int, unlink, (const char *name), (name))
