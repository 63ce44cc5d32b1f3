#include "config.h" /* RTLD_NEXT */

#include "faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "fake_slurm.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

struct faults *faults;

/* Count a call; whether it is to fail. With errno set. */
static bool strikes(const char *callee)
{
    if (!fake_in_hook || !faults)
        return false;
    faults->calls++;
    if (!faults->at || faults->calls < faults->at ||
        (faults->calls > faults->at && !faults->lasting))
        return false;
    if (!faults->struck)
        snprintf(faults->callee, sizeof(faults->callee), "%s", callee);
    faults->struck = true;
    if (faults->kind == FAULT_KILL)
        kill(getpid(), SIGKILL);
    if (faults->kind > 0)
        errno = faults->kind;
    return faults->kind > 0;
}

static bool cuts(void)
{
    return fake_in_hook && faults && faults->kind == FAULT_SHORT && faults->calls == faults->at;
}

void faults_open(void)
{
    faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (faults == MAP_FAILED) {
        perror("mmap");
        exit(99);
    }
    fake_fails = strikes;
}

/* The next library's function of that name. */
#define NEXT(name)                                                \
    static __typeof__(name) *next;                                \
                                                                  \
    if (!next)                                                    \
        *(void **)(void *)&next = dlsym(RTLD_NEXT, #name)

#define PASS(type, name, parameters, arguments, failure)          \
    type name parameters                                          \
    {                                                             \
        NEXT(name);                                               \
        return strikes(#name) ? failure : next arguments;         \
    }

PASS(DIR *, fdopendir, (int fd), (fd), NULL)
PASS(struct dirent *, readdir, (DIR * dir), (dir), NULL)
PASS(int, faccessat, (int fd, const char *name, int mode, int flags), (fd, name, mode, flags), -1)
PASS(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
PASS(int, fstat, (int fd, struct stat *st), (fd, st), -1)
PASS(int, lstat, (const char *name, struct stat *st), (name, st), -1)
PASS(int, fstatat, (int fd, const char *name, struct stat *st, int flags),
     (fd, name, st, flags), -1)
PASS(int, fstatfs, (int fd, struct statfs *fs), (fd, fs), -1)
PASS(int, fsync, (int fd), (fd), -1)
PASS(int, gethostname, (char *name, size_t size), (name, size), -1)
PASS(int, getrusage, (__rusage_who_t who, struct rusage *used), (who, used), -1)
PASS(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to), -1)
PASS(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags), -1)
PASS(FILE *, setmntent, (const char *name, const char *mode), (name, mode), NULL)
PASS(ssize_t, pread, (int fd, void *room, size_t size, off_t at), (fd, room, size, at), -1)

/* What is closed is closed, whatever the answer (close(2)). */
#define PASS_CLOSE(type, name, parameter, argument, failure)      \
    type name(parameter)                                          \
    {                                                             \
        NEXT(name);                                               \
        int kind = strikes(#name) ? errno : 0;                    \
        type rc = next(argument);                                 \
                                                                  \
        if (kind)                                                 \
            errno = kind;                                         \
        return kind ? failure : rc;                               \
    }

PASS_CLOSE(int, close, int fd, fd, -1)
PASS_CLOSE(int, closedir, DIR *dir, dir, -1)
PASS_CLOSE(int, endmntent, FILE *file, file, 1)

/* A FAULT_SHORT read() or write() does one byte, as those of a pipe may; there is none of 0. */
#define PASS_PART(name, room_type)                                \
    ssize_t name(int fd, room_type *room, size_t size)            \
    {                                                             \
        NEXT(name);                                               \
        if (strikes(#name))                                       \
            return -1;                                            \
        return next(fd, room, size > 1 && cuts() ? 1 : size);     \
    }

PASS_PART(read, void)
PASS_PART(write, const void)

static mode_t mode_of(int flags, va_list ap)
{
    return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int open(const char *name, int flags, ...)
{
    NEXT(open);
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = mode_of(flags, ap);
    va_end(ap);
    return strikes("open") ? -1 : next(name, flags, mode);
}

int openat(int fd, const char *name, int flags, ...)
{
    NEXT(openat);
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = mode_of(flags, ap);
    va_end(ap);
    return strikes("openat") ? -1 : next(fd, name, flags, mode);
}

int clock_gettime(clockid_t id, struct timespec *ret_ts)
{
    NEXT(clock_gettime);
    int rc;

    if (strikes("clock_gettime"))
        return -1;
    rc = next(id, ret_ts);
    if (rc == 0 && fake_in_hook)
        *ret_ts = (struct timespec){
            .tv_sec = id == CLOCK_BOOTTIME ? FAULTS_BOOTTIME_S : FAULTS_WALL_S,
        };
    return rc;
}

#ifndef __SANITIZE_ADDRESS__ /* which has a malloc() of its own */
static void count_malloc(void)
{
    if (fake_in_hook && faults)
        faults->mallocs++;
}

void *malloc(size_t size)
{
    NEXT(malloc);
    count_malloc();
    return strikes("malloc") ? NULL : next(size);
}

void *realloc(void *old, size_t size)
{
    NEXT(realloc);
    count_malloc();
    return strikes("realloc") ? NULL : next(old, size);
}
#endif
