/*
 * SQLite: opening, locking, statements.
 *
 * Invariants of an open store:
 *   S1  application_id and user_version were checked before anything else was read
 *   S2  a writer holds an exclusive flock on <path>.lock from before the first write to close
 *   S3  journal_mode=TRUNCATE and synchronous=FULL: when a commit returns, it is on the disk.
 *       Never WAL: before 3.51.3 two connections that write or checkpoint can corrupt the
 *       database (sqlite.org/wal.html), and sites have those versions.
 *   S4  nobody but its owner can write the database of a writer or put a file beside it
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/lock.h"

#define READER_PATIENCE_MS 5000  /* a commit takes milliseconds */
#define WRITER_PATIENCE_MS 60000 /* an audit or a yearly report may read for long */

/* --- names ----------------------------------------------------------------------------------- */

/* "sqlite:/path?network=yes" into its parts. */
static int parse_database(const char *database, char ret_path[PATH_MAX], bool *ret_network,
                          struct error *err)
{
    static const char network_yes[] = "?network=yes";
    const char *path = database + 7;
    size_t len;

    if (strncmp(database, "sqlite:/", 8) != 0)
        return error_set(err, -EINVAL, "'%s' is no database; give sqlite:/absolute/path", database);
    len = strcspn(path, "?");
    *ret_network = strcmp(path + len, network_yes) == 0;
    if (path[len] && !*ret_network)
        return error_set(err, -EINVAL, "'%s' after the database's path is not known; only %s is",
                         path + len, network_yes);
    if (len >= PATH_MAX - 16) /* room for ".ingest.lock" and SQLite's own "-journal" */
        return error_set(err, -ENAMETOOLONG, "the database's path is too long; shorten it");
    memcpy(ret_path, path, len);
    ret_path[len] = '\0';
    return 0;
}

const char *store_network_name(long f_type)
{
    /* statfs(2), linux/magic.h; Lustre, GPFS and BeeGFS from their own sources */
    static const struct {
        unsigned long type;
        const char *name;
    } networks[] = {
        { 0x6969, "NFS" },        { 0x0bd00bd0, "Lustre" },   { 0x47504653, "GPFS" },
        { 0x00c36400, "CephFS" }, { 0x19830326, "BeeGFS" },   { 0xff534d42, "CIFS" },
        { 0xfe534d42, "SMB" },    { 0x517b, "SMB" },          { 0x5346414f, "AFS" },
    };

    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
        if (((unsigned long)f_type & 0xffffffff) == networks[i].type)
            return networks[i].name;
    return NULL;
}

static int refuse_network(const char *path, bool allowed, struct error *err)
{
    struct statfs fs;
    const char *name;

    if (allowed || statfs(path, &fs) < 0)
        return 0; /* what is not there is reported by whoever opens it */
    name = store_network_name((long)fs.f_type);
    if (!name)
        return 0;
    return error_set(err, -EXDEV, "%s is on %s, whose locks have corrupted databases; put it on a "
                     "local file system, or take the risk with Database=sqlite:%s?network=yes",
                     path, name, path);
}

/* --- errors ---------------------------------------------------------------------------------- */

static int errno_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return -EBADMSG;
    case SQLITE_CORRUPT:
        return -EUCLEAN; /* never -EBADMSG: ingest would blame the batch in hand for it */
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_TOOBIG:
        return -EOVERFLOW;
    default:
        return -EIO;
    }
}

static const char *remedy_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return "; make room on its disk";
    case SQLITE_BUSY:
        return "; another process holds it too long, try again";
    case SQLITE_CORRUPT:
        return "; restore it from a backup";
    case SQLITE_READONLY:
        return sqlite_code == SQLITE_READONLY_ROLLBACK
                   ? "; its writer was interrupted, and the next `carbonctl ingest` repairs it"
                   : "; check who may write it and its directory";
    case SQLITE_NOTADB:
        return "; correct Database in carbon.conf";
    case SQLITE_CANTOPEN:
        return "; check who may read it and its directory";
    default:
        return "";
    }
}

int store_failed(struct store *store, const char *what, struct error *err)
{
    int code = sqlite3_extended_errcode(store->db);

    return error_set(err, errno_of(code), "database %s: %s: %s%s", store->path, what,
                     sqlite3_errmsg(store->db), remedy_of(code));
}

/* --- statements ------------------------------------------------------------------------------ */

struct sqlite_stmt {
    struct stmt stmt;
    sqlite3_stmt *own;
};

static sqlite3_stmt *of(struct stmt *stmt)
{
    return ((struct sqlite_stmt *)stmt)->own;
}

static int prepare(struct store *store, const char *sql, struct stmt **ret, struct error *err)
{
    struct sqlite_stmt *stmt = calloc(1, sizeof(*stmt));

    if (!stmt)
        return error_set(err, -ENOMEM, "out of memory");
    stmt->stmt.backend = &sqlite_backend;
    if (sqlite3_prepare_v2(store->db, sql, -1, &stmt->own, NULL) != SQLITE_OK) {
        free(stmt);
        return store_failed(store, "cannot prepare a statement", err);
    }
    *ret = &stmt->stmt;
    return 0;
}

static void free_stmt(struct stmt *stmt)
{
    sqlite3_finalize(of(stmt));
    free(stmt);
}

static void clear(struct stmt *stmt)
{
    sqlite3_reset(of(stmt));
    sqlite3_clear_bindings(of(stmt));
}

static void reset(struct stmt *stmt)
{
    sqlite3_reset(of(stmt));
}

static void bind_int(struct stmt *stmt, int number, int64_t value)
{
    sqlite3_bind_int64(of(stmt), number, value);
}

static void bind_text(struct stmt *stmt, int number, const char *text, int len)
{
    sqlite3_bind_text(of(stmt), number, text, len, SQLITE_STATIC);
}

static void bind_null(struct stmt *stmt, int number)
{
    sqlite3_bind_null(of(stmt), number);
}

static int parameters(struct stmt *stmt)
{
    return sqlite3_bind_parameter_count(of(stmt));
}

static int64_t get_int(struct stmt *stmt, int column)
{
    return sqlite3_column_int64(of(stmt), column);
}

static size_t get_bytes(struct stmt *stmt, int column)
{
    return (size_t)sqlite3_column_bytes(of(stmt), column);
}

static const char *get_text(struct stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(of(stmt), column);
}

static bool is_null(struct stmt *stmt, int column)
{
    return sqlite3_column_type(of(stmt), column) == SQLITE_NULL;
}

/* The next one, as SQLite itself would choose it. */
static int new_keys(struct store *store, enum keyed keyed, struct new_keys *ret, struct error *err)
{
    static const char *const sql[] = {
        [KEYED_NODE] = "SELECT MAX(node_key) FROM node",
        [KEYED_JOB] = "SELECT MAX(job_key) FROM job",
        [KEYED_ALLOCATION] = "SELECT MAX(allocation_key) FROM allocation",
    };
    struct stmt *stmt = store_statement(store, sql[keyed], err);
    int64_t most;
    int rc;

    if (!stmt)
        return -EIO;
    rc = store_step(store, stmt, err);
    if (rc < 0)
        return rc;
    most = stmt_int(stmt, 0);
    stmt_reset(stmt);
    ret->keys[0] = (most > ret->last ? most : ret->last) + 1;
    ret->count = 1;
    return 0;
}

static int64_t inserted(struct store *store)
{
    return sqlite3_last_insert_rowid(store->db);
}

static int changed(struct store *store)
{
    return sqlite3_changes(store->db);
}

static bool in_transaction(struct store *store)
{
    return !sqlite3_get_autocommit(store->db);
}

static int step(struct store *store, struct stmt *stmt, struct error *err)
{
    int rc = sqlite3_step(of(stmt));

    if (rc == SQLITE_ROW)
        return 1;
    rc = rc == SQLITE_DONE ? 0 : store_failed(store, "cannot run a statement", err);
    sqlite3_reset(of(stmt));
    return rc;
}

static void insert_text(const void *key, struct buf *ret)
{
    const struct insert *insert = key;

    buf_printf(ret, "INSERT INTO %s (%s) VALUES (", insert->table, insert->columns);
    for (size_t i = 0; insert->types[i]; i++)
        buf_printf(ret, "%s?", i ? ", " : "");
    buf_printf(ret, ")%s", insert->rest);
}

/* One after the other: a statement costs no more than its row. */
static int insert(struct store *store, const struct insert *insert, const struct cell *cells,
                  size_t count, struct error *err)
{
    size_t columns = strlen(insert->types);
    struct stmt *stmt = store_statement_of(store, insert, insert_text, err);
    int rc = stmt ? 0 : -EIO;

    for (size_t row = 0; rc == 0 && row < count; row++, cells += columns) {
        for (size_t i = 0; i < columns; i++) {
            if (cells[i].kind == CELL_INT)
                bind_int(stmt, (int)i + 1, cells[i].number);
            else
                bind_text(stmt, (int)i + 1, cells[i].text, -1);
        }
        rc = store_run(store, stmt, err);
    }
    return rc;
}

static int exec(struct store *store, const char *sql, struct error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return store_failed(store, "cannot run a statement", err);
}

/* --- the writer's lock ----------------------------------------------------------------------- */

/* S2 */
static int take_lock(struct store *store, const struct store_turn *turn, struct error *err)
{
    char lock_path[PATH_MAX + 8];
    int fd;

    snprintf(lock_path, sizeof(lock_path), "%s.lock", store->path);
    fd = lock_take(lock_path, turn, "one process writes at a time, so try again when that has "
                   "ended, or end it", err);
    if (fd < 0)
        return fd;
    store->lock_fd = fd;
    return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Whoever can write the directory can replace the books, or put a journal beside them. */
static int check_directory(const char *path, struct error *err)
{
    char dir[PATH_MAX];
    struct stat st;
    size_t len = (size_t)(strrchr(path, '/') - path);

    snprintf(dir, sizeof(dir), "%.*s", (int)(len ? len : 1), path);
    if (stat(dir, &st) < 0)
        return error_set_errno(err, -errno, "cannot use the directory %s of the database; create "
                               "it, owned by the user that runs `carbonctl ingest`", dir);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, -ENOTDIR, "%s is not a directory", dir);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "others than its owner may write in %s and so replace the "
                         "database; chmod go-w %s", dir, dir);
    return 0;
}

/* What would otherwise be SQLite's "unable to open database file". */
static int check_file(const struct store *store, enum store_mode mode, struct error *err)
{
    struct stat st = { 0 };

    if (stat(store->path, &st) < 0 && errno == ENOENT)
        return error_set(err, -ENOENT, "there is no database %s; `carbonctl init` creates it on "
                         "the management node, or Database in carbon.conf names another",
                         store->path);
    if (access(store->path, mode == STORE_WRITE ? R_OK | W_OK : R_OK) < 0)
        return error_set_errno(err, -errno, "cannot %s the database %s",
                               mode == STORE_WRITE ? "write" : "read", store->path);
    if (mode == STORE_WRITE && (st.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, -EPERM, "others than its owner may write the database %s; chmod go-w "
                         "%s", store->path, store->path);
    return mode == STORE_WRITE ? check_directory(store->path, err) : 0;
}

int store_open_handle(struct store *store, enum store_mode mode, struct error *err)
{
    int flags = mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    char *text = NULL;
    int rc;

    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock for each malloc; of no effect later on */
    rc = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK && !store->db)
        return error_set(err, -ENOMEM, "out of memory");
    if (rc != SQLITE_OK)
        return store_failed(store, "cannot open", err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, mode == STORE_WRITE ? WRITER_PATIENCE_MS : READER_PATIENCE_MS);
    /* nothing that someone put into the file may run functions or rewrite the schema */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rc = sqlite3_exec(store->db, "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON;", NULL,
                      NULL, &text);
    sqlite3_free(text);
    return rc == SQLITE_OK ? 0 : store_failed(store, "cannot set it up", err);
}

/* S1 */
int store_check_version(struct store *store, int64_t *ret_version, struct error *err)
{
    int64_t id;
    int rc = store_integer(store, "PRAGMA application_id", &id, err);

    if (rc == 0)
        rc = store_integer(store, "PRAGMA user_version", ret_version, err);
    if (rc < 0)
        return rc;
    if (id != STORE_APPLICATION_ID || *ret_version < 1)
        return error_set(err, -EBADMSG, "%s is not a database of slurm-carbon; `carbonctl init` "
                         "creates one, or Database in carbon.conf names another", store->path);
    if (*ret_version > STORE_SCHEMA_VERSION)
        return error_set(err, -EPROTO, "database %s has schema %lld, and this program knows up to "
                         "%d; install the slurm-carbon that wrote it, or a newer one", store->path,
                         (long long)*ret_version, STORE_SCHEMA_VERSION);
    return 0;
}

static int refuse_older(const struct store *store, int64_t version, struct error *err)
{
    return error_set(err, -EPROTO, "database %s has schema %lld, and this program reads schema %d; "
                     "run `carbonctl init` on the management node: it keeps a copy of the database "
                     "and upgrades it, as the next `carbonctl ingest` does too", store->path,
                     (long long)version, STORE_SCHEMA_VERSION);
}

/* S3 */
static int set_journal(struct store *store, struct error *err)
{
    return store_exec(store, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
                             "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;", err);
}

/* turn: of a writer; NULL: to read */
static int open_store(struct store *store, const char *database, const struct store_turn *turn,
                      struct error *err)
{
    enum store_mode mode = turn ? STORE_WRITE : STORE_READ;
    bool network;
    int64_t version = 0;
    int rc = parse_database(database, store->path, &network, err);

    if (rc == 0)
        rc = check_file(store, mode, err);
    if (rc == 0)
        rc = refuse_network(store->path, network, err);
    if (rc == 0 && mode == STORE_WRITE)
        rc = take_lock(store, turn, err);
    if (rc == 0)
        rc = store_open_handle(store, mode, err);
    if (rc == 0)
        rc = store_check_version(store, &version, err);
    if (rc == 0 && mode == STORE_WRITE)
        rc = set_journal(store, err);
    if (rc < 0 || version == STORE_SCHEMA_VERSION)
        return rc;
    return mode == STORE_WRITE ? store_upgrade(store, version, err)
                               : refuse_older(store, version, err);
}

static void close_store(struct store *store)
{
    sqlite3_close(store->db);
    lock_release(store->lock_fd);
}

/* --- the service's lock ---------------------------------------------------------------------- */

static int lock_service(const char *database, const char *who, struct error *err)
{
    const struct store_turn at_once = { .who = who };
    struct store store = { .lock_fd = -1 };
    char lock_path[PATH_MAX + 16];
    bool network;
    int rc = parse_database(database, store.path, &network, err);

    if (rc == 0)
        rc = check_file(&store, STORE_WRITE, err);
    if (rc == 0)
        rc = refuse_network(store.path, network, err);
    if (rc < 0)
        return rc;
    snprintf(lock_path, sizeof(lock_path), "%s.ingest.lock", store.path);
    return lock_take(lock_path, &at_once, "one service loads a database, so end that one first",
                     err);
}

/* --- creating -------------------------------------------------------------------------------- */

/* The schema in a transaction that is left open, unless it is there. */
static int create_schema(struct store *store, bool *ret_created, struct error *err)
{
    int64_t id, tables;
    char mark[96];
    int rc = store_integer(store, "PRAGMA application_id", &id, err);

    *ret_created = false;
    if (rc == 0)
        rc = store_integer(store, "SELECT COUNT(*) FROM sqlite_master", &tables, err);
    if (rc < 0 || id != 0 || tables != 0)
        return rc;
    snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
    rc = store_exec(store, "BEGIN IMMEDIATE", err);
    for (int version = 1; rc == 0 && version <= STORE_SCHEMA_VERSION; version++)
        rc = store_apply_schema(store, version, err);
    if (rc == 0)
        rc = store_exec(store, mark, err);
    *ret_created = rc == 0;
    return rc;
}

static int create_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0)
        return error_set_errno(err, -errno, "cannot create the database %s", path);
    if (lock_give_to_owner(fd, path) < 0 || fchmod(fd, 0640) < 0) {
        int rc = -errno;

        close(fd);
        return error_set_errno(err, rc, "cannot set the owner and mode of %s", path);
    }
    close(fd);
    return 0;
}

static int create_store(struct store *store, const char *database, const struct store_turn *turn,
                        bool *ret_created, struct error *err)
{
    char dir[PATH_MAX];
    bool network;
    int64_t version;
    int rc = parse_database(database, store->path, &network, err);

    if (rc == 0)
        rc = check_directory(store->path, err);
    if (rc < 0)
        return rc;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(store->path, '/') - store->path + 1),
             store->path);
    rc = refuse_network(dir, network, err);
    if (rc == 0)
        rc = take_lock(store, turn, err);
    if (rc == 0)
        rc = create_file(store->path, err);
    if (rc == 0)
        rc = store_open_handle(store, STORE_WRITE, err);
    if (rc == 0)
        rc = set_journal(store, err);
    if (rc == 0)
        rc = create_schema(store, ret_created, err);
    return rc == 0 ? store_check_version(store, &version, err) : rc;
}

const struct backend sqlite_backend = {
    .scheme = "sqlite:",
    .create = create_store,
    .open = open_store,
    .close = close_store,
    .lock_service = lock_service,
    .begin_reading = "BEGIN",
    .begin_writing = "BEGIN IMMEDIATE",
    .list_begin = " IN (",
    .list_end = ")",
    .integrity = "PRAGMA integrity_check",
    .foreign_keys = "SELECT \"table\", COUNT(*), parent FROM pragma_foreign_key_check"
                    " GROUP BY \"table\", parent",
    .exec = exec,
    .prepare = prepare,
    .step = step,
    .insert = insert,
    .new_keys = new_keys,
    .inserted = inserted,
    .changed = changed,
    .in_transaction = in_transaction,
    .free = free_stmt,
    .clear = clear,
    .reset = reset,
    .bind_int = bind_int,
    .bind_text = bind_text,
    .bind_null = bind_null,
    .parameters = parameters,
    .get_int = get_int,
    .get_text = get_text,
    .is_null = is_null,
    .get_bytes = get_bytes,
};
