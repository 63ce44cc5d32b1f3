/*
 * store_sqlite.h - what the files of accounting/store share about SQLite; private to them
 */
#ifndef CARBON_STORE_STORE_SQLITE_H
#define CARBON_STORE_STORE_SQLITE_H

#include <limits.h>
#include <sqlite3.h>

#include "store/store.h"

#define STORE_APPLICATION_ID 0x43617262 /* "Carb", in the database's header */
#define STORE_STATEMENTS_MAX 128

struct store {
    sqlite3 *db;
    char path[PATH_MAX];
    char backup_path[PATH_MAX + 32]; /* "" or the copy that an upgrade made */
    int lock_fd; /* of a writer, from lock_take(); else -1 */
    struct {
        const char *sql; /* the constant's address is the key */
        sqlite3_stmt *stmt;
    } statements[STORE_STATEMENTS_MAX];
    size_t n_statements;
};

/*
 * The prepared statement of an SQL constant, prepared at its first use and kept for the life of
 * the store; reset and without bindings. `sql` must be a static constant: its address is the key.
 * NULL with err set when it does not compile.
 */
sqlite3_stmt *store_statement(struct store *store, const char *sql, struct error *err);

/*
 * One step: 1 when there is a row, 0 when there is none left (the statement is then reset), or a
 * negative errno with err set and the statement reset.
 */
MUST_CHECK int store_step(struct store *store, sqlite3_stmt *stmt, struct error *err);

/* Step a statement that gives no rows to its end. */
MUST_CHECK int store_run(struct store *store, sqlite3_stmt *stmt, struct error *err);

/* Run SQL that is not worth keeping: pragmas, BEGIN, schema. */
MUST_CHECK int store_exec(struct store *store, const char *sql, struct error *err);

/* One integer from the first row of `sql`; -ENODATA without a row. */
MUST_CHECK int store_integer(struct store *store, const char *sql, int64_t *ret_integer,
                             struct error *err);

/* The database's last error as a negative errno, with err "<what>: <reason>; <remedy>". */
int store_failed(struct store *store, const char *what, struct error *err);

/* Text of a schema version, all its statements; NULL for one that does not exist. */
const char *store_schema(int version);

/* Make the tables of a version, on those of the version before; in SQLite's words. */
MUST_CHECK int store_apply_schema(struct store *store, int version, struct error *err);

struct store *store_new(void); /* without a path, a handle or the lock; NULL without memory */

/* Is it a database of ours, and of a schema that is known? -EBADMSG, -EPROTO as store_open(). */
MUST_CHECK int store_check_version(struct store *store, int64_t *ret_version, struct error *err);

/* A handle on store->path, set up, with nothing of it read yet. */
MUST_CHECK int store_open_handle(struct store *store, enum store_mode mode, struct error *err);

/* From schema `version` to the newest, inside the writer's lock; see store_open(). */
MUST_CHECK int store_upgrade(struct store *store, int64_t version, struct error *err);

/* Name of a network file system by its magic number (statfs f_type); NULL for a local one. */
const char *store_network_name(long f_type);

#endif
