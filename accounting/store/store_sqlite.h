/*
 * store_sqlite.h - the database as the files of accounting/store see it; private to them
 *
 * Statements are struct stmt everywhere but in store.c and copy.c, the only files that call SQLite.
 */
#ifndef CARBON_STORE_STORE_SQLITE_H
#define CARBON_STORE_STORE_SQLITE_H

#include <limits.h>
#include <sqlite3.h>

#include "store/store.h"

#define STORE_APPLICATION_ID 0x43617262 /* "Carb", in the database's header */
#define STORE_STATEMENTS_MAX 128

struct stmt; /* a prepared statement, with its parameters, and the row that it stands at */

struct store {
    sqlite3 *db;
    char path[PATH_MAX];
    char backup_path[PATH_MAX + 32]; /* "" or the copy that an upgrade made */
    int lock_fd; /* of a writer, from lock_take(); else -1 */
    struct {
        const char *sql; /* the constant's address is the key */
        struct stmt *stmt;
    } statements[STORE_STATEMENTS_MAX];
    size_t n_statements;
};

/*
 * The prepared statement of an SQL constant, prepared at its first use and kept for the life of
 * the store; reset and without bindings. `sql` must be a static constant: its address is the key.
 * NULL with err set when it does not compile.
 */
struct stmt *store_statement(struct store *store, const char *sql, struct error *err);

/* Another one, for the caller to free; its text need not stay. */
MUST_CHECK int store_prepare(struct store *store, const char *sql, struct stmt **ret,
                             struct error *err);
void stmt_free(struct stmt *stmt); /* takes NULL */

/* Parameters are numbered from 1, and NULL unless they are bound. Texts are not copied: they stay
   as they are until the statement was stepped to its end or reset. A NULL text is NULL. */
void stmt_bind_int(struct stmt *stmt, int number, int64_t value);
void stmt_bind_text(struct stmt *stmt, int number, const char *text);
void stmt_bind_bytes(struct stmt *stmt, int number, const char *text, size_t len);
void stmt_bind_null(struct stmt *stmt, int number);
int stmt_parameters(struct stmt *stmt);

/* Columns of the row, numbered from 0. A text is NULL where the column is, and stays until the next
   step; an integer is 0 there, and 0 or 1 of what is true or false. */
int64_t stmt_int(struct stmt *stmt, int column);
const char *stmt_text(struct stmt *stmt, int column);
bool stmt_is_null(struct stmt *stmt, int column);
void stmt_reset(struct stmt *stmt);

/* The key that the last insert was given; how many rows the last statement changed; is there a
   transaction that was begun and has not ended? */
int64_t store_inserted(struct store *store);
int store_changed(struct store *store);
bool store_in_transaction(struct store *store);

/*
 * One step: 1 when there is a row, 0 when there is none left (the statement is then reset), or a
 * negative errno with err set and the statement reset.
 */
MUST_CHECK int store_step(struct store *store, struct stmt *stmt, struct error *err);

/* Step a statement that gives no rows to its end. */
MUST_CHECK int store_run(struct store *store, struct stmt *stmt, struct error *err);

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
