#include <config.h> /* nftw() */

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "tree: %s %s: %s\n", what, path, strerror(errno));
    exit(99);
}

void tree_make(struct tree *tree)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(tree->path, sizeof(tree->path), "%s/carbon-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(tree->path) || chmod(tree->path, 0755) < 0)
        die("mkdtemp", tree->path);
    tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree->fd < 0)
        die("open", tree->path);
}

void tree_mkdir(struct tree *tree, const char *dir)
{
    char part[PATH_MAX];
    size_t len = strlen(dir);

    if (len >= sizeof(part)) {
        errno = ENAMETOOLONG;
        die("mkdir", dir);
    }
    for (size_t i = 1; i <= len; i++) {
        if (dir[i] != '/' && dir[i] != '\0')
            continue;
        memcpy(part, dir, i);
        part[i] = '\0';
        if (mkdirat(tree->fd, part, 0755) < 0 && errno != EEXIST)
            die("mkdir", part);
    }
}

static void make_parent(struct tree *tree, const char *file)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(file, '/');

    if (!slash)
        return;
    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - file), file);
    tree_mkdir(tree, dir);
}

static int open_file(struct tree *tree, const char *file)
{
    int fd;

    make_parent(tree, file);
    fd = openat(tree->fd, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        die("create", file);
    return fd;
}

/* Cut only now: of a file that is cut to nothing first, ext4 waits for the disk at each close. */
static void close_file(int fd, const char *file)
{
    if (ftruncate(fd, lseek(fd, 0, SEEK_CUR)) < 0)
        die("cut", file);
    close(fd);
}

void tree_write(struct tree *tree, const char *file, const char *format, ...)
{
    int fd = open_file(tree, file);
    va_list ap;

    va_start(ap, format);
    if (vdprintf(fd, format, ap) < 0)
        die("write", file);
    va_end(ap);
    close_file(fd, file);
}

void tree_write_bytes(struct tree *tree, const char *file, const void *bytes, size_t size)
{
    int fd = open_file(tree, file);

    if (write(fd, bytes, size) != (ssize_t)size)
        die("write", file);
    close_file(fd, file);
}

void tree_link(struct tree *tree, const char *name, const char *target)
{
    make_parent(tree, name);
    if (symlinkat(target, tree->fd, name) < 0)
        die("symlink", name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    if (remove(path) < 0)
        die("remove", path);
    return 0;
}

void tree_remove(struct tree *tree, const char *name)
{
    char path[PATH_MAX * 2];

    snprintf(path, sizeof(path), "%s/%s", tree->path, name);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tree_free(struct tree *tree)
{
    close(tree->fd);
    nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct fd_count count_fds(void)
{
    struct fd_count count = {0, 0};

    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count.all += flags >= 0;
        count.inherited += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

int tree_setup(void **state)
{
    static struct tree tree;

    tree_make(&tree);
    *state = &tree;
    return 0;
}

int tree_teardown(void **state)
{
    tree_free(*state);
    return 0;
}
