#include "config.h"

#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/parse.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_MEMORY 0
#endif
#endif
#ifndef HAVE_MEMORY
#define HAVE_MEMORY 1
#endif

static struct faults armed;
static struct counts { /* shared with children that are forked */
    atomic_ullong calls, hits;
} unarmed, *counts = &unarmed;
static const char *hit_file;
static _Thread_local bool inside; /* our own calls are neither counted nor failed */

/* --- striking -------------------------------------------------------------------------------- */

static void note_hit(void)
{
    long fd;

    if (atomic_fetch_add(&counts->hits, 1) || !hit_file)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, hit_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        syscall(SYS_close, fd);
}

/* Whether this call is one that fails; a kill does not return. */
static bool strikes(void)
{
    uint64_t call = atomic_fetch_add(&counts->calls, 1) + 1;

    if (!armed.fault || call < armed.at || (armed.times && call >= armed.at + armed.times))
        return false;
    note_hit();
    if (armed.fault == FAULT_KILL)
        kill(getpid(), SIGKILL);
    if (armed.fault == FAULT_STOP)
        kill(getpid(), SIGSTOP);
    return armed.fault != FAULT_STOP;
}

/* The path that a call is about; false when it has none (a pipe, a socket). */
static bool path_of(int fd, const char *name, char ret_path[PATH_MAX])
{
    char link[40];
    ssize_t len = 0;

    if (name && name[0] == '/') {
        snprintf(ret_path, PATH_MAX, "%s", name);
        return true;
    }
    if (fd == AT_FDCWD)
        snprintf(link, sizeof(link), "/proc/self/cwd");
    else
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, ret_path, PATH_MAX - 1);
    if (len <= 0 || ret_path[0] != '/')
        return false;
    ret_path[len] = '\0';
    if (name && (size_t)len + strlen(name) + 2 < PATH_MAX)
        snprintf(ret_path + len, (size_t)(PATH_MAX - len), "/%s", name);
    return true;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (len == 0 || path[len] == '/' || path[len] == '\0');
}

/* A call on a file fails now: errno is set. */
static bool file_fails(int fd, const char *name)
{
    char path[PATH_MAX];
    bool concerned;

    if (inside || !armed.below || armed.fault == ENOMEM || armed.fault == FAULT_SHORT)
        return false;
    inside = true;
    concerned = path_of(fd, name, path) && is_below(path, armed.below);
    inside = false;
    if (!concerned || !strikes())
        return false;
    errno = armed.fault;
    return true;
}

/* --- the mirror ------------------------------------------------------------------------------ */

/* What is on disk of a file, by its inode. */
static void ino_path(ino_t ino, char ret_path[PATH_MAX])
{
    snprintf(ret_path, PATH_MAX, "%s/ino/%llu", armed.mirror, (unsigned long long)ino);
}

static void copy_contents(int from, const char *to)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    char data[65536];
    off_t at = 0;
    ssize_t got;

    while (fd >= 0 && from >= 0 && (got = pread(from, data, sizeof(data), at)) > 0) {
        if (syscall(SYS_pwrite64, fd, data, (size_t)got, at) != got)
            abort();
        at += got;
    }
    if (fd < 0)
        abort();
    syscall(SYS_close, fd);
}

static void mirror_file(const char *path, const struct stat *st)
{
    char copy[PATH_MAX];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

    ino_path(st->st_ino, copy);
    if (fd >= 0) {
        copy_contents(fd, copy);
        syscall(SYS_close, fd);
    }
}

/* The mirror's directory of a real one, made when it is not there. */
static void tree_path(const char *dir, char ret_path[PATH_MAX])
{
    int len = snprintf(ret_path, PATH_MAX, "%s/tree%s", armed.mirror, dir + strlen(armed.below));

    for (char *slash = ret_path + strlen(armed.mirror) + 1; len < PATH_MAX && slash; ) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        syscall(SYS_mkdirat, AT_FDCWD, ret_path, 0750);
        if (slash)
            *slash = '/';
    }
}

static void remove_names(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;

    while (list && (entry = readdir(list)))
        if (entry->d_type != DT_DIR)
            syscall(SYS_unlinkat, dirfd(list), entry->d_name, 0);
    if (list)
        closedir(list);
}

/* The names of a directory as they are now; of a file never synced the contents are nothing. */
static void mirror_names(const char *dir)
{
    char tree[PATH_MAX], copy[PATH_MAX], name[2 * PATH_MAX];
    DIR *list = opendir(dir);
    struct dirent *entry;
    struct stat st;

    tree_path(dir, tree);
    remove_names(tree);
    while (list && (entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(list), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", tree, entry->d_name);
        if (S_ISDIR(st.st_mode))
            syscall(SYS_mkdirat, AT_FDCWD, name, 0750);
        if (!S_ISREG(st.st_mode))
            continue;
        ino_path(st.st_ino, copy);
        if (faccessat(AT_FDCWD, copy, F_OK, 0) < 0)
            copy_contents(-1, copy);
        if (linkat(AT_FDCWD, copy, AT_FDCWD, name, 0) < 0)
            abort();
    }
    if (list)
        closedir(list);
}

static void mirror_all(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    char path[PATH_MAX];
    struct stat st;

    while (list && (entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path) ||
            lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            mirror_all(path);
        else if (S_ISREG(st.st_mode))
            mirror_file(path, &st);
    }
    if (list)
        closedir(list);
    mirror_names(dir);
}

void faults_mirror(const char *dir, const char *mirror)
{
    struct faults kept = armed;
    char ino[PATH_MAX];

    inside = true;
    armed.below = dir;
    armed.mirror = mirror;
    snprintf(ino, sizeof(ino), "%s/ino", mirror);
    syscall(SYS_mkdirat, AT_FDCWD, ino, 0750);
    mirror_all(dir);
    armed = kept;
    inside = false;
}

static bool is_mirrored(int fd, const char *name, char ret_path[PATH_MAX])
{
    return armed.mirror && armed.below && path_of(fd, name, ret_path) &&
           is_below(ret_path, armed.below);
}

/* After a sync that succeeded. */
static void on_sync(int fd)
{
    char path[PATH_MAX], copy[PATH_MAX];
    struct stat st;

    if (inside || !armed.mirror)
        return;
    inside = true;
    if (is_mirrored(fd, NULL, path) && fstat(fd, &st) == 0) {
        ino_path(st.st_ino, copy);
        if (S_ISDIR(st.st_mode))
            mirror_names(path);
        else if (S_ISREG(st.st_mode))
            mirror_file(path, &st);
    }
    inside = false;
}

/* After names of a directory changed: of fd and name, the directory that holds it. */
static void on_names(int fd, const char *name)
{
    char path[PATH_MAX], *slash;

    if (inside || !armed.mirror || !armed.names)
        return;
    inside = true;
    if (is_mirrored(fd, name, path) && (slash = strrchr(path, '/'))) {
        *slash = '\0';
        mirror_names(path);
    }
    inside = false;
}

/* A file that is new: what the mirror has under its inode is of one that is gone. */
static void on_create(int dirfd, const char *name, int fd)
{
    char path[PATH_MAX], copy[PATH_MAX];
    struct stat st;

    if (inside || !armed.mirror)
        return;
    inside = true;
    if (is_mirrored(dirfd, name, path) && fstat(fd, &st) == 0) {
        ino_path(st.st_ino, copy);
        syscall(SYS_unlinkat, AT_FDCWD, copy, 0);
    }
    inside = false;
    on_names(dirfd, name);
}

/* --- the environment ------------------------------------------------------------------------- */

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number;

    return text && parse_u64(text, 0, UINT64_MAX, &number) == 0 ? number : otherwise;
}

static int fault_of(const char *name)
{
    static const struct {
        const char *name;
        int fault;
    } faults[] = {
        { "kill", FAULT_KILL }, { "short", FAULT_SHORT }, { "EIO", EIO }, { "ENOSPC", ENOSPC },
        { "EDQUOT", EDQUOT }, { "EINTR", EINTR }, { "EACCES", EACCES }, { "ENOMEM", ENOMEM },
    };

    for (size_t i = 0; name && i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strcmp(faults[i].name, name) == 0)
            return faults[i].fault;
    return 0;
}

static void __attribute__((constructor)) read_environment(void)
{
    struct faults faults = {
        .fault = fault_of(getenv("FAULT")),
        .at = number_of("FAULT_AT", UINT64_MAX),
        .times = number_of("FAULT_FOR", 1),
        .below = getenv("FAULT_BELOW"),
        .mirror = getenv("FAULT_MIRROR"),
        .names = number_of("FAULT_NAMES", 0),
    };

    hit_file = getenv("FAULT_HIT");
    if (faults.fault && !faults.below)
        faults.below = "";
    if (faults.fault)
        faults_arm(&faults);
}

void faults_arm(const struct faults *faults)
{
    if (counts == &unarmed)
        counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
    if (counts == MAP_FAILED)
        abort();
    atomic_store(&counts->calls, 0);
    atomic_store(&counts->hits, 0);
    armed = *faults;
}

void faults_disarm(void)
{
    armed.fault = 0;
}

void faults_pause(bool pause)
{
    inside = pause;
}

bool faults_hit(void)
{
    return atomic_load(&counts->hits) > 0;
}

uint64_t faults_calls(void)
{
    return atomic_load(&counts->calls);
}

const struct faults_row faults_of_files[] = {
    { "kill -9", { .fault = FAULT_KILL, .times = 1 } },
    { "EIO", { .fault = EIO, .times = 1 } },
    { "ENOSPC", { .fault = ENOSPC, .times = 1 } },
    { "EINTR", { .fault = EINTR, .times = 1 } },
    { "EIO from then on", { .fault = EIO } },
    { "ENOSPC from then on", { .fault = ENOSPC } },
    { "EDQUOT from then on", { .fault = EDQUOT } },
    { "short writes", { .fault = FAULT_SHORT } },
    { "a short write", { .fault = FAULT_SHORT, .times = 1 } },
    { NULL, { 0 } },
};

const struct faults_row faults_of_power[] = {
    { "no power, names wait", { .fault = FAULT_KILL, .times = 1, .mirror = "" } },
    { "no power, contents wait",
      { .fault = FAULT_KILL, .times = 1, .mirror = "", .names = true } },
    { NULL, { 0 } },
};

const struct faults_row faults_of_memory[] = {
    { "ENOMEM", { .fault = ENOMEM, .times = 1 } },
    { NULL, { 0 } },
};

void faults_loop(const struct faults_row *rows, uint64_t stride, uint64_t at_least,
                 uint64_t writes_at_least,
                 bool (*try_once)(const struct faults_row *row, uint64_t at))
{
    for (const struct faults_row *row = rows; row->name; row++) {
        uint64_t least = row->faults.fault == FAULT_SHORT ? writes_at_least : at_least, at = 1;

        while (try_once(row, at))
            at += stride;
        printf("  %s: %llu calls\n", row->name, (unsigned long long)at - 1);
        if (at <= least) {
            printf("  that is too few: was it at work?\n");
            abort();
        }
    }
}

void faults_use_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
}

bool faults_have_memory(void)
{
    return HAVE_MEMORY;
}

/* --- in libc's place ------------------------------------------------------------------------- */

int openat(int dirfd, const char *name, int flags, ...)
{
    struct stat st;
    mode_t mode = 0;
    va_list ap;
    bool is_new;
    long fd;

    va_start(ap, flags);
    if (flags & (O_CREAT | O_TMPFILE))
        mode = (mode_t)va_arg(ap, unsigned);
    va_end(ap);
    if (file_fails(dirfd, name))
        return -1;
    is_new = (flags & O_CREAT) && armed.mirror && fstatat(dirfd, name, &st, 0) < 0;
    fd = syscall(SYS_openat, dirfd, name, flags, mode);
    if (fd >= 0 && is_new)
        on_create(dirfd, name, (int)fd);
    return (int)fd;
}

#define OPEN(function, ...)                                                 \
    int function                                                            \
    {                                                                       \
        mode_t mode = 0;                                                    \
        va_list ap;                                                         \
                                                                            \
        va_start(ap, flags);                                                \
        if (flags & (O_CREAT | O_TMPFILE))                                  \
            mode = (mode_t)va_arg(ap, unsigned);                            \
        va_end(ap);                                                         \
        return openat(__VA_ARGS__, flags, mode);                            \
    }

OPEN(open(const char *name, int flags, ...), AT_FDCWD, name)
OPEN(open64(const char *name, int flags, ...), AT_FDCWD, name)
OPEN(openat64(int dirfd, const char *name, int flags, ...), dirfd, name)

/* Half of a write, at least one byte of it. */
static size_t shortened(int fd, size_t len)
{
    char path[PATH_MAX];
    bool concerned;

    if (inside || armed.fault != FAULT_SHORT || len < 2)
        return len;
    inside = true;
    concerned = path_of(fd, NULL, path) && is_below(path, armed.below);
    inside = false;
    return concerned && strikes() ? len / 2 : len;
}

ssize_t write(int fd, const void *data, size_t len)
{
    return file_fails(fd, NULL) ? -1 : syscall(SYS_write, fd, data, shortened(fd, len));
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
    return file_fails(fd, NULL) ? -1 : syscall(SYS_pwrite64, fd, data, shortened(fd, len), at);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return write_at(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t at)
{
    return write_at(fd, data, len, at);
}

static int sync_fd(int fd, long number)
{
    long rc = file_fails(fd, NULL) ? -1 : syscall(number, fd);

    if (rc == 0)
        on_sync(fd);
    return (int)rc;
}

int fsync(int fd)
{
    return sync_fd(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_fd(fd, SYS_fdatasync);
}

static int truncate_fd(int fd, off_t len)
{
    return file_fails(fd, NULL) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate(int fd, off_t len)
{
    return truncate_fd(fd, len);
}

int ftruncate64(int fd, off_t len)
{
    return truncate_fd(fd, len);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    long rc = file_fails(from_fd, from) ? -1 : syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);

    if (rc == 0) {
        on_names(from_fd, from);
        on_names(to_fd, to);
    }
    return (int)rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dirfd, const char *name, int flags)
{
    long rc = file_fails(dirfd, name) ? -1 : syscall(SYS_unlinkat, dirfd, name, flags);

    if (rc == 0)
        on_names(dirfd, name);
    return (int)rc;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int dirfd, const char *name, mode_t mode)
{
    long rc = file_fails(dirfd, name) ? -1 : syscall(SYS_mkdirat, dirfd, name, mode);

    if (rc == 0)
        on_names(dirfd, name);
    return (int)rc;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

static bool socket_fails(int fd)
{
    if (inside || !armed.sockets || !strikes())
        return false;
    shutdown(fd, SHUT_RDWR); /* else it is waited for an answer to what was never sent */
    errno = armed.fault;
    return true;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    return socket_fails(fd) ? -1 : syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    return socket_fails(fd) ? -1 : syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

#if HAVE_MEMORY
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool memory_fails(void)
{
    if (inside || armed.fault != ENOMEM || !strikes())
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return memory_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return memory_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return memory_fails() ? NULL : __libc_realloc(old, size);
}
#endif
