/*
 * The store: which backend a database's name means, and what is the same for all of them.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"
#include "store/lock.h"
#include "store/pending.h"
#include "store/viewer.h"

static const struct backend *const backends[] = {
    &sqlite_backend,
#ifdef HAVE_LIBPQ
    &postgres_backend,
#endif
};

static int find_backend(const char *database, const struct backend **ret, struct error *err)
{
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        *ret = backends[i];
        if (strncmp(database, backends[i]->scheme, strlen(backends[i]->scheme)) == 0)
            return 0;
    }
    if (strncmp(database, "postgresql:", 11) == 0)
        return error_set(err, -ENOTSUP, "this slurm-carbon was built without PostgreSQL (libpq); "
                         "install one that has it, or use sqlite:/absolute/path");
    return error_set(err, -EINVAL, "'%s' is no database; give sqlite:/absolute/path or "
                     "postgresql://HOST/DATABASE", database);
}

/* --- opening --------------------------------------------------------------------------------- */

struct store *store_new(void)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store) {
        store->backend = &sqlite_backend;
        store->lock_fd = -1;
    }
    return store;
}

/* Of the backend that the name means, not open yet. */
static int new_of(const char *database, const struct store_turn *turn, struct store **ret,
                  struct error *err)
{
    const struct backend *backend;
    int rc = find_backend(database, &backend, err);

    if (rc < 0)
        return rc;
    *ret = store_new();
    if (!*ret)
        return error_set(err, -ENOMEM, "out of memory");
    (*ret)->backend = backend;
    (*ret)->writes = turn;
    (*ret)->shared = turn && turn->shared && backend->claim_nodes;
    return 0;
}

int store_moved_to(struct store *store, char ret_database[PATH_MAX], struct error *err)
{
    static const char sql[] = "SELECT content FROM meta WHERE name = '" MOVED_TO "'";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc = stmt ? store_step(store, stmt, err) : -EIO;

    ret_database[0] = '\0';
    if (rc <= 0)
        return rc;
    snprintf(ret_database, PATH_MAX, "%s", stmt_text(stmt, 0) ? stmt_text(stmt, 0) : "");
    stmt_reset(stmt);
    return 1;
}

/* Looked for once the lock is held, which who moves them has to himself until they are marked. */
static int refuse_moved(struct store *store, struct error *err)
{
    char to[PATH_MAX];
    int rc = store_moved_to(store, to, err);

    if (rc <= 0)
        return rc;
    return error_set(err, -ESTALE, "the books of %s were moved, and nobody reads what is written "
                     "here: write Database=%s into carbon.conf and start this again; if there are "
                     "none, run carbonctl migrate-store again", store->path, to);
}

static int open_new(const char *database, const struct store_turn *turn, struct store **ret_store,
                    struct error *err)
{
    struct store *store;
    int rc = new_of(database, turn, &store, err);

    if (rc < 0)
        return rc;
    rc = store->backend->open(store, database, turn, err);
    if (rc == 0 && turn && !turn->moved)
        rc = refuse_moved(store, err);
    if (rc < 0) {
        store_close(store);
        return rc;
    }
    *ret_store = store;
    return 0;
}

int store_open(const char *database, enum store_mode mode, const char *who,
               struct store **ret_store, struct error *err)
{
    const struct store_turn at_once = { .who = who };

    return open_new(database, mode == STORE_WRITE ? &at_once : NULL, ret_store, err);
}

int store_open_in_turn(const char *database, const struct store_turn *turn,
                       struct store **ret_store, struct error *err)
{
    return open_new(database, turn, ret_store, err);
}

int store_create(const char *database, const struct store_turn *turn, bool *ret_created,
                 struct error *err)
{
    static const struct store_turn at_once = { .who = "carbonctl init" };
    struct store *store;
    bool created = false;
    int rc = new_of(database, turn ? turn : &at_once, &store, err);

    if (rc < 0)
        return rc;
    rc = store->backend->create(store, database, turn ? turn : &at_once, &created, err);
    if (rc == 0 && created)
        rc = store_commit(store, err);
    store_close(store);
    if (rc == 0 && ret_created)
        *ret_created = created;
    return rc;
}

int store_begin_new(const char *database, const struct store_turn *turn, struct store **ret_store,
                    struct error *err)
{
    struct store *store;
    bool created = false;
    int rc = new_of(database, turn, &store, err);

    if (rc < 0)
        return rc;
    rc = store->backend->create(store, database, turn, &created, err);
    if (rc == 0 && !created)
        rc = error_set(err, -EEXIST, "database %s has books already; name one that has none",
                       store->path);
    if (rc < 0)
        store_close(store);
    else
        *ret_store = store;
    return rc;
}

struct store *store_close(struct store *store)
{
    if (!store)
        return NULL;
    pending_drop(store);
    for (size_t i = 0; i < store->n_statements; i++)
        stmt_free(store->statements[i].stmt);
    store->backend->close(store);
    free(store);
    return NULL;
}

bool store_is_alone(const struct store *store)
{
    return store->writes && !store->shared;
}

void store_set_viewer(struct store *store, const struct viewer *viewer)
{
    store->viewer = viewer && !viewer->all ? viewer : NULL;
}

const struct viewer *store_viewer(const struct store *store)
{
    return store->viewer;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

bool store_is_file(const struct store *store)
{
    return store->backend == &sqlite_backend;
}

const char *store_backup(const struct store *store)
{
    return store->backup_path[0] ? store->backup_path : NULL;
}

int store_lock_service(const char *database, const char *who, struct error *err)
{
    const struct backend *backend;
    int rc = find_backend(database, &backend, err);

    return rc < 0 ? rc : backend->lock_service(database, who, err);
}

void store_unlock_service(int lock)
{
    lock_release(lock);
}

/* --- transactions ---------------------------------------------------------------------------- */

int store_begin(struct store *store, struct error *err)
{
    return store_exec(store, store->writes ? store->backend->begin_writing
                                           : store->backend->begin_reading, err);
}

int store_commit(struct store *store, struct error *err)
{
    int rc = pending_book(store, err);

    if (rc == 0)
        rc = store_exec(store, "COMMIT", err);
    if (rc == 0)
        pending_drop(store);
    return rc;
}

void store_rollback(struct store *store)
{
    struct error ignored = { "" };

    pending_drop(store);
    if (store_in_transaction(store) && store_exec(store, "ROLLBACK", &ignored) < 0)
        return; /* closing ends it too */
}

struct store *store_open_beside(struct store *store)
{
    struct error ignored = { "" };
    struct store *beside = store->backend->open_beside ? store_new() : NULL;

    if (!beside)
        return NULL;
    beside->backend = store->backend;
    beside->viewer = store->viewer;
    return store->backend->open_beside(store, beside, &ignored) < 0 ? store_close(beside) : beside;
}

/* --- statements ------------------------------------------------------------------------------ */

int store_prepare(struct store *store, const char *sql, struct stmt **ret, struct error *err)
{
    *ret = NULL;
    return store->backend->prepare(store, sql, ret, err);
}

static struct stmt *kept(struct store *store, const void *key)
{
    for (size_t i = 0; i < store->n_statements; i++) {
        struct stmt *stmt = store->statements[i].stmt;

        if (store->statements[i].key != key)
            continue;
        stmt->backend->clear(stmt);
        return stmt;
    }
    return NULL;
}

static struct stmt *keep(struct store *store, const void *key, const char *sql, struct error *err)
{
    struct stmt *stmt;

    if (store->n_statements == STORE_STATEMENTS_MAX) {
        error_set(err, -ENOBUFS, "more than %d statements: raise STORE_STATEMENTS_MAX",
                  STORE_STATEMENTS_MAX);
        return NULL;
    }
    if (store_prepare(store, sql, &stmt, err) < 0)
        return NULL;
    store->statements[store->n_statements].key = key;
    store->statements[store->n_statements++].stmt = stmt;
    return stmt;
}

struct stmt *store_statement(struct store *store, const char *sql, struct error *err)
{
    struct stmt *stmt = kept(store, sql);

    return stmt ? stmt : keep(store, sql, sql, err);
}

struct stmt *store_statement_of(struct store *store, const void *key,
                                void (*text)(const void *key, struct buf *ret), struct error *err)
{
    struct stmt *stmt = kept(store, key);
    struct buf sql;

    if (stmt)
        return stmt;
    buf_init(&sql);
    text(key, &sql);
    if (buf_failed(&sql))
        error_set(err, -ENOMEM, "out of memory");
    else
        stmt = keep(store, key, sql.data, err);
    buf_free(&sql);
    return stmt;
}

/* --- asking ahead ---------------------------------------------------------------------------- */

static bool can_ask(struct store *store)
{
    return store->backend->ask && !store->writes && store_in_transaction(store);
}

void store_ask(struct store *store, struct stmt *const *stmts, size_t count)
{
    if (can_ask(store))
        store->backend->ask(store, stmts, count);
}

bool store_ask_ahead(struct store *store)
{
    store->asking = can_ask(store);
    return store->asking;
}

void store_ask_done(struct store *store)
{
    if (store->asking)
        store->backend->send_asked(store);
    store->asking = false;
}

/* --- running --------------------------------------------------------------------------------- */

bool stmt_is_ready(struct stmt *stmt)
{
    return !stmt->backend->is_ready || stmt->backend->is_ready(stmt);
}

int store_step(struct store *store, struct stmt *stmt, struct error *err)
{
    if (store->asking) {
        store_ask(store, &stmt, 1);
        stmt_reset(stmt);
        return 0;
    }
    return stmt->backend->step(store, stmt, err);
}

int store_run(struct store *store, struct stmt *stmt, struct error *err)
{
    int rc = store_step(store, stmt, err);

    if (rc > 0) {
        stmt_reset(stmt);
        rc = 0;
    }
    return rc;
}

int store_exec(struct store *store, const char *sql, struct error *err)
{
    return store->backend->exec(store, sql, err);
}

int store_integer(struct store *store, const char *sql, int64_t *ret_integer, struct error *err)
{
    struct stmt *stmt;
    int rc = store_prepare(store, sql, &stmt, err);

    if (rc < 0)
        return rc;
    rc = store_step(store, stmt, err);
    if (rc > 0)
        *ret_integer = stmt_int(stmt, 0);
    else if (rc == 0)
        rc = error_set(err, -ENODATA, "database %s: nothing to read", store->path);
    stmt_free(stmt);
    return rc < 0 ? rc : 0;
}

int store_run_with(struct store *store, const char *sql, const int64_t *values, int count,
                   struct error *err)
{
    struct stmt *stmt = store_statement(store, sql, err);

    if (!stmt)
        return -EIO;
    for (int i = 0; i < count; i++)
        stmt_bind_int(stmt, 1 + i, values[i]);
    return store_run(store, stmt, err);
}

#define NOTE(content) \
    "INSERT INTO meta (name, content) VALUES (?1, " content ")" \
    " ON CONFLICT (name) DO UPDATE SET content = excluded.content"
#define OF_NUMBER "CAST(?2 AS TEXT)"
static const char SQL_NOTE_TEXT[] = NOTE("?2");
static const char SQL_NOTE[] = NOTE(OF_NUMBER);
static const char SQL_NOTE_RISING[] =
    NOTE(OF_NUMBER) " WHERE CAST(meta.content AS BIGINT) < CAST(excluded.content AS BIGINT)";
static const char SQL_NOTED[] = "SELECT CAST(content AS BIGINT) FROM meta WHERE name = ?1";

int store_note_text(struct store *store, const char *name, const char *text, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NOTE_TEXT, err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, name);
    stmt_bind_text(stmt, 2, text);
    return store_run(store, stmt, err);
}

int store_note(struct store *store, const char *name, int64_t number, bool rises, struct error *err)
{
    struct stmt *stmt = store_statement(store, rises ? SQL_NOTE_RISING : SQL_NOTE, err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, name);
    stmt_bind_int(stmt, 2, number);
    return store_run(store, stmt, err);
}

/* The number in the first row; the statement has its parameters. */
static int read_number(struct store *store, struct stmt *stmt, int64_t *ret, struct error *err)
{
    int rc = store_step(store, stmt, err);

    if (rc <= 0)
        return rc;
    *ret = stmt_int(stmt, 0);
    stmt_reset(stmt);
    return 1;
}

int store_noted(struct store *store, const char *name, int64_t *ret, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NOTED, err);

    if (!stmt)
        return -EIO;
    stmt_bind_text(stmt, 1, name);
    return read_number(store, stmt, ret, err);
}

static const char SQL_NEXT_NODE[] =
    "SELECT node_key FROM node WHERE node_key >= ?1 ORDER BY node_key LIMIT 1";

int store_next_node(struct store *store, int64_t from_key, int64_t *ret_key, struct error *err)
{
    struct stmt *stmt = store_statement(store, SQL_NEXT_NODE, err);

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, from_key);
    return read_number(store, stmt, ret_key, err);
}

int store_claim_jobs(struct store *store, const char *const *names, size_t count,
                     struct error *err)
{
    return store->shared && count ? store->backend->claim_jobs(store, names, count, err) : 0;
}

int64_t store_inserted(struct store *store)
{
    return store->backend->inserted(store);
}

int store_changed(struct store *store)
{
    return store->backend->changed(store);
}

bool store_in_transaction(struct store *store)
{
    return store->backend->in_transaction(store);
}

void stmt_free(struct stmt *stmt)
{
    if (stmt)
        stmt->backend->free(stmt);
}

void stmt_reset(struct stmt *stmt)
{
    stmt->backend->reset(stmt);
}

void stmt_many(struct stmt *stmt)
{
    if (stmt->backend->many)
        stmt->backend->many(stmt);
}

void stmt_stream(struct stmt *stmt)
{
    if (stmt->backend->stream)
        stmt->backend->stream(stmt);
}

void stmt_bind_int(struct stmt *stmt, int number, int64_t value)
{
    stmt->backend->bind_int(stmt, number, value);
}

void stmt_bind_text(struct stmt *stmt, int number, const char *text)
{
    stmt->backend->bind_text(stmt, number, text, -1);
}

void stmt_bind_bytes(struct stmt *stmt, int number, const char *text, size_t len)
{
    stmt->backend->bind_text(stmt, number, text, (int)len);
}

void stmt_bind_null(struct stmt *stmt, int number)
{
    stmt->backend->bind_null(stmt, number);
}

int stmt_parameters(struct stmt *stmt)
{
    return stmt->backend->parameters(stmt);
}

int64_t stmt_int(struct stmt *stmt, int column)
{
    return stmt->backend->get_int(stmt, column);
}

const char *stmt_text(struct stmt *stmt, int column)
{
    return stmt->backend->get_text(stmt, column);
}

size_t stmt_bytes(struct stmt *stmt, int column)
{
    return stmt->backend->get_bytes(stmt, column);
}

bool stmt_is_null(struct stmt *stmt, int column)
{
    return stmt->backend->is_null(stmt, column);
}
