/*
 * From an older schema to the newest: a checked copy of the database beside it, then everything in
 * one transaction.
 *
 * Invariants:
 *   U1  from before the copy until the commit SQLite's RESERVED lock is held: what was copied is
 *       what is upgraded, even where a stranger to the writer's lock wants to write
 *   U2  the database is of the old schema, whole, until the commit, and of the new one from then on
 *   U3  a file "<path>.schema-N.bak" is whole, checked and on the disk; nothing overwrites it
 *   U4  an upgrade that fails takes its copy away again; one that is killed leaves it, or a
 *       ".bak.tmp" that the next one removes
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_sqlite.h"

#define COPIES_MAX 9 /* each is as large as the database: more are left by trouble, not by use */

/* --- the copy -------------------------------------------------------------------------------- */

/* "<path>.schema-1.bak", or with ".2", ".3", … after it where that is taken. */
static int choose_name(const struct store *store, int64_t version,
                       char ret_path[sizeof(store->backup_path)], struct error *err)
{
    struct stat st;

    for (int i = 1; i <= COPIES_MAX; i++) {
        int len = snprintf(ret_path, sizeof(store->backup_path), "%s.schema-%d.bak", store->path,
                           (int)version);

        if (i > 1)
            snprintf(ret_path + len, sizeof(store->backup_path) - (size_t)len, ".%d", i);
        if (lstat(ret_path, &st) < 0 && errno == ENOENT)
            return 0;
    }
    return error_set(err, -EEXIST, "there are %d copies of the database already, up to %s; keep "
                     "the one that is needed and remove the others", COPIES_MAX, ret_path);
}

/* An empty file, as readable as the database and no more. */
static int create_copy(const char *path, const struct stat *like, int *ret_fd, struct error *err)
{
    mode_t mode = like->st_mode & 07777;
    int fd;

    if (unlink(path) < 0 && errno != ENOENT)
        return error_set_errno(err, -errno, "cannot remove %s, left by an upgrade", path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, -errno, "cannot create %s, the copy of the database", path);
    /* who cannot give it to the owner or group of the database keeps it to himself */
    if (fchown(fd, like->st_uid, like->st_gid) < 0)
        mode &= 0600;
    if (fchmod(fd, mode) < 0) {
        int rc = error_set_errno(err, -errno, "cannot set the mode of %s", path);

        close(fd);
        unlink(path);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* By a handle of its own: a connection that is about to write is none to copy from. */
static int copy_pages(const struct store *store, struct store *copy, struct error *err)
{
    struct store source = { .lock_fd = -1 };
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

/* Is it a database, sound, of the version, and of as many batches? Read again from the file. */
static int check_copy(struct store *store, struct store *copy, int64_t version, struct error *err)
{
    int64_t batches = 0;
    int rc = store_integer(store, "SELECT COUNT(*) FROM batch", &batches, err);

    if (rc == 0)
        rc = store_open_handle(copy, STORE_READ, err);
    if (rc == 0)
        rc = check_number(copy, "PRAGMA application_id", STORE_APPLICATION_ID, err);
    if (rc == 0)
        rc = check_number(copy, "PRAGMA user_version", version, err);
    if (rc == 0)
        rc = check_number(copy, "SELECT COUNT(*) FROM batch", batches, err);
    if (rc == 0)
        rc = check_number(copy, "SELECT COUNT(*) FROM pragma_integrity_check"
                                " WHERE integrity_check <> 'ok'", 0, err);
    sqlite3_close(copy->db);
    copy->db = NULL;
    if (rc != -EUCLEAN)
        return rc;
    return error_set(err, rc, "database %s is damaged, or its copy was: it was not upgraded; "
                     "restore it from a backup", store->path);
}

/* fsync of the file, rename, fsync of the directory */
static int put_in_place(int fd, const char *from, const char *to, struct error *err)
{
    char dir[PATH_MAX + 64];
    int dir_fd, rc = 0;

    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(to, '/') - to + 1), to);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || fsync(fd) < 0 || renameat(AT_FDCWD, from, AT_FDCWD, to) < 0 ||
        fsync(dir_fd) < 0)
        rc = error_set_errno(err, -errno, "cannot put the copy of the database on the disk as %s",
                             to);
    if (dir_fd >= 0)
        close(dir_fd);
    return rc;
}

static int make_copy(struct store *store, int64_t version, struct error *err)
{
    struct store copy = { .lock_fd = -1 };
    char path[sizeof(store->backup_path)];
    struct stat st;
    int fd = -1, rc = choose_name(store, version, path, err);

    if (rc < 0)
        return rc;
    if ((size_t)snprintf(copy.path, sizeof(copy.path), "%s.schema-%d.bak.tmp", store->path,
                         (int)version) >= sizeof(copy.path))
        return error_set(err, -ENAMETOOLONG, "the database's path is too long to copy it; shorten "
                         "it");
    if (stat(store->path, &st) < 0)
        return error_set_errno(err, -errno, "cannot look at %s", store->path);
    rc = create_copy(copy.path, &st, &fd, err);
    if (rc < 0)
        return rc;
    rc = copy_pages(store, &copy, err);
    if (rc == 0)
        rc = check_copy(store, &copy, version, err);
    if (rc == 0)
        rc = put_in_place(fd, copy.path, path, err);
    close(fd);
    if (rc < 0)
        unlink(copy.path);
    else
        memcpy(store->backup_path, path, sizeof(path));
    return rc;
}

/* U4: only when the database is the old one still, which the copy is then of no use beside. */
static void remove_copy(struct store *store, int64_t version)
{
    int64_t now = 0;

    if (store->backup_path[0] == '\0')
        return;
    if (store_integer(store, "PRAGMA user_version", &now, NULL) == 0 && now == version)
        unlink(store->backup_path);
    store->backup_path[0] = '\0';
}

/* --- the upgrade ----------------------------------------------------------------------------- */

static int apply(struct store *store, int64_t version, struct error *err)
{
    char mark[64];
    int rc = 0;

    for (int next = (int)version + 1; rc == 0 && next <= STORE_SCHEMA_VERSION; next++)
        rc = store_apply_schema(store, next, err);
    if (rc == 0)
        rc = store_make_sums(store, err);
    snprintf(mark, sizeof(mark), "PRAGMA user_version = %d; COMMIT", STORE_SCHEMA_VERSION);
    return rc == 0 ? store_exec(store, mark, err) : rc;
}

int store_upgrade(struct store *store, int64_t version, struct error *err)
{
    /* tables are rebuilt; rows that name what is not there are for the audit to find */
    int rc = store_exec(store, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE", err);

    if (rc == 0)
        rc = make_copy(store, version, err);
    if (rc == 0)
        rc = apply(store, version, err);
    if (rc < 0) {
        store_rollback(store);
        remove_copy(store, version);
        return error_prefix(err, rc, "upgrade from schema %lld to %d", (long long)version,
                            STORE_SCHEMA_VERSION);
    }
    return store_exec(store, "PRAGMA foreign_keys = ON", err);
}
