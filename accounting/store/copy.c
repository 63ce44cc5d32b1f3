#include "store/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ours alone: one that was left by a copy that was killed is taken over. */
static int take_file(int fd, const char *path, struct error *err)
{
    struct stat own, named;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &own) < 0 || lstat(path, &named) < 0 ||
        own.st_ino != named.st_ino || !S_ISREG(own.st_mode))
        return error_set(err, -EBUSY, "another process makes %s; wait until it has ended", path);
    if (ftruncate(fd, 0) < 0)
        return error_set_errno(err, -errno, "cannot empty %s", path);
    return 0;
}

static int create_copy(const char *path, const struct stat *like, int *ret_fd, struct error *err)
{
    int rc, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    mode_t mode = like->st_mode & 07777;

    if (fd < 0)
        return error_set_errno(err, -errno, "cannot create %s, the copy of the database", path);
    rc = take_file(fd, path, err);
    /* who cannot give it to the owner or group of the database keeps it to himself */
    if (rc == 0 && fchown(fd, like->st_uid, like->st_gid) < 0)
        mode &= 0600;
    if (rc == 0 && fchmod(fd, mode) < 0) {
        rc = error_set_errno(err, -errno, "cannot set the mode of %s", path);
        unlink(path);
    }
    if (rc < 0)
        close(fd);
    else
        *ret_fd = fd;
    return rc;
}

/* By a handle of its own: a connection that is about to write is none to copy from. */
static int copy_pages(const struct store *store, struct store *copy, struct error *err)
{
    struct store source = { .backend = &sqlite_backend, .lock_fd = -1 };
    sqlite3_backup *backup;
    int rc;

    memcpy(source.path, store->path, sizeof(source.path));
    rc = store_open_handle(&source, STORE_READ, err);
    if (rc == 0)
        rc = store_open_handle(copy, STORE_WRITE, err);
    if (rc == 0) /* it is synced, or removed, as a whole */
        rc = store_exec(copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
    if (rc == 0) {
        backup = sqlite3_backup_init(copy->db, "main", source.db, "main");
        if (backup)
            sqlite3_backup_step(backup, -1);
        if (!backup || sqlite3_backup_finish(backup) != SQLITE_OK)
            rc = store_failed(copy, "cannot copy the database to it", err);
    }
    sqlite3_close(copy->db);
    copy->db = NULL;
    sqlite3_close(source.db);
    return rc;
}

static int check_number(struct store *copy, const char *sql, int64_t expected, struct error *err)
{
    int64_t number = -1;
    int rc = store_integer(copy, sql, &number, err);

    if (rc < 0 || number == expected)
        return rc;
    return error_set(err, -EUCLEAN, "%s does not hold what was copied; is its disk sound?",
                     copy->path);
}

int copy_check(struct store *copy, struct error *err)
{
    int64_t faults = 0;
    int rc = store_integer(copy, "SELECT COUNT(*) FROM pragma_integrity_check"
                                 " WHERE integrity_check <> 'ok'", &faults, err);

    if (rc < 0 || faults == 0)
        return rc;
    return error_set(err, -EUCLEAN, "%s is damaged: SQLite's integrity check fails", copy->path);
}

/* Is it a database, sound, of the version, and of as many batches? Read again from the file. */
static int check_again(struct store *copy, int64_t version, int64_t batches, struct error *err)
{
    int rc = store_open_handle(copy, STORE_READ, err);

    if (rc == 0)
        rc = check_number(copy, "PRAGMA application_id", STORE_APPLICATION_ID, err);
    if (rc == 0)
        rc = check_number(copy, "PRAGMA user_version", version, err);
    if (rc == 0)
        rc = check_number(copy, "SELECT COUNT(*) FROM batch", batches, err);
    if (rc == 0)
        rc = copy_check(copy, err);
    sqlite3_close(copy->db);
    copy->db = NULL;
    return rc;
}

int copy_make(struct store *store, const char *path, int64_t version, struct error *err)
{
    struct store copy = { .backend = &sqlite_backend, .lock_fd = -1 };
    int64_t batches = 0;
    struct stat st;
    int fd = -1, rc;

    if ((size_t)snprintf(copy.path, sizeof(copy.path), "%s", path) >= sizeof(copy.path))
        return error_set(err, -ENAMETOOLONG, "the path of the copy %s is too long; shorten it",
                         path);
    if (stat(store->path, &st) < 0)
        return error_set_errno(err, -errno, "cannot look at %s", store->path);
    rc = create_copy(path, &st, &fd, err);
    if (rc < 0)
        return rc;
    /* before the pages: it is the first read of a transaction that keeps writers out */
    rc = store_integer(store, "SELECT COUNT(*) FROM batch", &batches, err);
    if (rc == 0)
        rc = copy_pages(store, &copy, err);
    if (rc == 0)
        rc = check_again(&copy, version, batches, err);
    if (rc == 0)
        return fd;
    unlink(path);
    close(fd);
    return rc;
}

/* fsync of the file, rename, fsync of the directory */
int copy_place(int fd, const char *path, const char *name, struct error *err)
{
    char dir[PATH_MAX + 64] = ".";
    const char *slash = strrchr(name, '/');
    int dir_fd, rc = 0;

    if (slash)
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name + 1), name);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || fsync(fd) < 0 || renameat(AT_FDCWD, path, AT_FDCWD, name) < 0 ||
        fsync(dir_fd) < 0) {
        rc = error_set_errno(err, -errno, "cannot put the copy of the database on the disk as %s",
                             name);
        unlink(path);
    }
    if (dir_fd >= 0)
        close(dir_fd);
    close(fd);
    return rc;
}
