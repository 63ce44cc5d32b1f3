#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/audit.h"
#include "store/copy.h"

/* --- what a copy holds ----------------------------------------------------------------------- */

static void ignore_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

static void count_failure(void *arg, const struct audit_finding *finding)
{
    struct backup_facts *facts = arg;

    facts->failures += finding->fails;
}

/* `check`: whether it is sound as well, which copy_make() looks at already. */
static int read_facts(struct store *copy, bool check, struct backup_facts *facts,
                      struct error *err)
{
    const struct audit_sink sink = { facts, ignore_balance, count_failure };
    int rc = store_check_version(copy, &facts->schema, err);

    if (rc == 0 && check)
        rc = copy_check(copy, err);
    if (rc == 0)
        rc = store_integer(copy, "SELECT COUNT(*) FROM node", &facts->nodes, err);
    if (rc == 0)
        rc = store_integer(copy, facts->schema < 6 ? "SELECT COUNT(*) FROM batch"
                                                   : "SELECT COALESCE(SUM(seq - COALESCE(first_seq,"
                                                     " seq) + 1), 0) FROM batch",
                           &facts->batches, err);
    if (rc == 0)
        rc = store_integer(copy, "SELECT COALESCE(MAX(end_wall_ns), 0) FROM batch", &facts->last_s,
                           err);
    facts->last_s /= (int64_t)NS_PER_S;
    facts->audited = facts->schema == STORE_SCHEMA_VERSION;
    return rc == 0 && facts->audited ? store_audit(copy, false, &sink, err) : rc;
}

static int look_at(const char *path, bool check, struct backup_facts *ret_facts, struct error *err)
{
    struct backup_facts facts = { 0 };
    struct store *copy = store_new();
    int rc = copy ? 0 : error_set(err, -ENOMEM, "out of memory");

    if (rc == 0 && (size_t)snprintf(copy->path, sizeof(copy->path), "%s", path) >=
                       sizeof(copy->path))
        rc = error_set(err, -ENAMETOOLONG, "the path %s is too long; shorten it", path);
    if (rc == 0)
        rc = store_open_handle(copy, STORE_READ, err);
    if (rc == 0)
        rc = read_facts(copy, check, &facts, err);
    store_close(copy);
    if (rc == 0)
        *ret_facts = facts;
    return rc;
}

/* --- files --------------------------------------------------------------------------------- */

/* By the first 100 bytes of the file: https://www.sqlite.org/fileformat.html, 1.3 */
static bool is_database_of_ours(const char *path)
{
    static const unsigned char id[] = {
        STORE_APPLICATION_ID >> 24, STORE_APPLICATION_ID >> 16 & 255,
        STORE_APPLICATION_ID >> 8 & 255, STORE_APPLICATION_ID & 255,
    };
    char head[100] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t len = fd < 0 ? -1 : read(fd, head, sizeof(head));

    if (fd >= 0)
        close(fd);
    return len == (ssize_t)sizeof(head) && memcmp(head, "SQLite format 3", 16) == 0 &&
           memcmp(head + 68, id, sizeof(id)) == 0;
}

int backup_verify(const char *path, struct backup_facts *ret_facts, struct error *err)
{
    if (access(path, R_OK) < 0)
        return error_set_errno(err, -errno, "cannot read %s", path);
    if (!is_database_of_ours(path))
        return error_set(err, -EBADMSG, "%s is no backup of slurm-carbon; take another", path);
    return look_at(path, true, ret_facts, err);
}

/* --- writing --------------------------------------------------------------------------------- */

static int check_target(const struct store *store, const char *path, struct error *err)
{
    struct stat there, own;

    if (lstat(path, &there) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, -errno, "cannot look at %s", path);
    if (stat(store->path, &own) < 0)
        return error_set_errno(err, -errno, "cannot look at %s", store->path);
    if (own.st_dev == there.st_dev && own.st_ino == there.st_ino)
        return error_set(err, -EEXIST, "%s is the database itself; name another file", path);
    if (!S_ISREG(there.st_mode) || !is_database_of_ours(path))
        return error_set(err, -EEXIST, "%s is there and is no backup of slurm-carbon; name "
                         "another file, or remove it", path);
    return 0;
}

int backup_write(struct store *store, const char *path, struct backup_facts *ret_facts,
                 struct error *err)
{
    char temporary[PATH_MAX];
    int fd, rc;

    if (!store_is_file(store))
        return error_set(err, -ENOTSUP, "%s is PostgreSQL's to copy: pg_dump, or what the site has "
                         "for its databases", store->path);
    rc = check_target(store, path, err);
    if (rc < 0)
        return rc;
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= sizeof(temporary))
        return error_set(err, -ENAMETOOLONG, "the path %s is too long; shorten it", path);
    rc = store_begin(store, err);
    if (rc < 0)
        return rc;
    fd = copy_make(store, temporary, STORE_SCHEMA_VERSION, err);
    store_rollback(store);
    if (fd < 0)
        return fd;
    rc = look_at(temporary, false, ret_facts, err);
    if (rc == 0)
        return copy_place(fd, temporary, path, err);
    unlink(temporary);
    close(fd);
    return rc;
}
