/*
 * db.h - the database as the files of accounting/store see it; private to them
 *
 * SQL is written once, in words that every kind of database has. What differs lies behind struct
 * backend: sqlite.c (with copy.c, backup.c and upgrade.c, which are of files) and postgres.c.
 */
#ifndef CARBON_STORE_DB_H
#define CARBON_STORE_DB_H

#include <limits.h>

#include "core/buf.h"
#include "store/rows.h"
#include "store/store.h"

#define STORE_STATEMENTS_MAX 160

/* A prepared statement, with its parameters, and the row that it stands at; more of it is the
   backend's. */
struct stmt {
    const struct backend *backend;
};

/* Tables whose new rows are given a key before they are inserted. */
enum keyed { KEYED_NODE, KEYED_JOB, KEYED_ALLOCATION, KEYED };

#define NEW_KEYS 64 /* at most, at a time */

struct new_keys {
    int64_t keys[NEW_KEYS], last; /* that was used */
    size_t used, count;
};

struct sqlite3;
struct pg_conn;

struct store {
    const struct backend *backend;
    struct sqlite3 *db;     /* of sqlite.c */
    struct pg_conn *pg;     /* of postgres.c */
    char path[PATH_MAX];    /* of the file; else the database's name without a password */
    char backup_path[PATH_MAX + 32]; /* "" or the copy that an upgrade made */
    const struct viewer *viewer; /* NULL: sees all */
    bool writes, shared;    /* shared: so do others */
    int changed;            /* of postgres.c: rows, by the last statement that changed any */
    struct pg_asked *asked; /* of postgres.c: by store_ask() in this transaction, in this order */
    size_t n_asked, n_sent, n_answered;
    struct pg_result *failed; /* of one of them: whoever reads next is told */
    bool asking; /* from store_ask_ahead() to store_ask_done() */
    struct pending *pending; /* of the open transaction; or NULL */
    struct new_keys new_keys[KEYED];
    int lock_fd; /* of a writer, from lock_take(); else -1 */
    struct {
        const void *key; /* the constant's address */
        struct stmt *stmt;
    } statements[STORE_STATEMENTS_MAX];
    size_t n_statements;
};

/* What a kind of database does; all of store.h and of this header that differs. */
struct backend {
    const char *scheme; /* "sqlite:" */
    /* with *ret_created the schema is in a transaction that is open: the caller commits it */
    int (*create)(struct store *store, const char *database, const struct store_turn *turn,
                  bool *ret_created, struct error *err);
    /* turn: of a writer; NULL: to read */
    int (*open)(struct store *store, const char *database, const struct store_turn *turn,
                struct error *err);
    /* NULL: there is nobody who would work beside */
    int (*open_beside)(struct store *store, struct store *beside, struct error *err);
    void (*close)(struct store *store);
    int (*lock_service)(const char *database, const char *who, struct error *err);
    const char *begin_reading, *begin_writing;
    const char *list_begin, *list_end; /* around "1,2,…", the integers that a column may be */
    const char *integrity; /* a query of the audit's rule DB; NULL: it has none */
    const char *foreign_keys; /* another: table, count of rows, and the table where theirs is not */
    int (*exec)(struct store *store, const char *sql, struct error *err);
    int (*prepare)(struct store *store, const char *sql, struct stmt **ret, struct error *err);
    void (*ask)(struct store *store, struct stmt *const *stmts, size_t count); /* NULL: nothing */
    bool (*is_ready)(struct stmt *stmt); /* NULL: always */
    void (*send_asked)(struct store *store);
    int (*step)(struct store *store, struct stmt *stmt, struct error *err);
    /* What ends with the transaction. Each may be NULL: there is nobody else. */
    int (*claim_nodes)(struct store *store, const struct batch *const *batches, size_t count,
                       bool *ret_mine, struct error *err);
    int (*claim_jobs)(struct store *store, const char *const *names, size_t count,
                      struct error *err);
    int (*insert)(struct store *store, const struct insert *insert, const struct cell *cells,
                  size_t count, struct error *err);
    /* as many keys for new rows of a table as is well: above those of all rows, and above last */
    int (*new_keys)(struct store *store, enum keyed keyed, struct new_keys *ret, struct error *err);
    int64_t (*inserted)(struct store *store);
    int (*changed)(struct store *store);
    bool (*in_transaction)(struct store *store);
    void (*free)(struct stmt *stmt);
    void (*clear)(struct stmt *stmt); /* as new: reset, and nothing bound */
    void (*reset)(struct stmt *stmt);
    void (*many)(struct stmt *stmt);   /* NULL: they always do */
    void (*stream)(struct stmt *stmt); /* NULL: as well */
    void (*bind_int)(struct stmt *stmt, int number, int64_t value);
    void (*bind_text)(struct stmt *stmt, int number, const char *text, int len); /* -1: all */
    void (*bind_null)(struct stmt *stmt, int number);
    int (*parameters)(struct stmt *stmt);
    int64_t (*get_int)(struct stmt *stmt, int column);
    const char *(*get_text)(struct stmt *stmt, int column);
    bool (*is_null)(struct stmt *stmt, int column);
    size_t (*get_bytes)(struct stmt *stmt, int column);
    /* have partitions for what comes, and none that minutes before before_s left empty; NULL: it
       has none. In no transaction, in a store that is alone */
    int (*partition)(struct store *store, int64_t now_s, int64_t before_s, struct error *err);
    /* have a key that counts by itself go on behind the rows that are there; NULL: it does so */
    int (*count_on)(struct store *store, const char *table, const char *key, struct error *err);
};
extern const struct backend sqlite_backend, postgres_backend;

/*
 * The prepared statement of an SQL constant, prepared at its first use and kept for the life of
 * the store; reset and without bindings. `sql` must be a static constant: its address is the key.
 * NULL with err set when it does not compile.
 */
struct stmt *store_statement(struct store *store, const char *sql, struct error *err);

/* The same of one that is put together at its first use: text is called once. */
struct stmt *store_statement_of(struct store *store, const void *key,
                                void (*text)(const void *key, struct buf *ret), struct error *err);

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
size_t stmt_bytes(struct stmt *stmt, int column); /* of a text that was asked for */
bool stmt_is_null(struct stmt *stmt, int column);
void stmt_reset(struct stmt *stmt);

/* Its rows may be too many for our memory: within a transaction they come piece by piece. Told
   before its first step, until it is reset. */
void stmt_many(struct stmt *stmt);
/* So may they be here, and they come as fast as they can: till its end nothing else is asked of the
   store. Its numbers are read as integers (no sums), its texts as texts. */
void stmt_stream(struct stmt *stmt);

/*
 * Wait until nobody else has the runs of these job ids ("CLUSTER/ID") in hand, and keep them until
 * the transaction ends: two nodes may tell of a new job at once, and it is one. -EBUSY: each waits
 * for the other.
 */
MUST_CHECK int store_claim_jobs(struct store *store, const char *const *names, size_t count,
                                struct error *err);

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

/* Would the next step wait for nobody? Of a stream that has begun; all others would not. */
bool stmt_is_ready(struct stmt *stmt);

/*
 * These come next, with the parameters that they have now: a server answers at one go all that was
 * asked since something was read. Who then runs the same text with the same parameters, by this
 * statement or another, has that answer, in this transaction, which only reads; else nothing is
 * asked here, and each is run when it is stepped.
 */
void store_ask(struct store *store, struct stmt *const *stmts, size_t count);

/* Step a statement that gives no rows to its end. */
MUST_CHECK int store_run(struct store *store, struct stmt *stmt, struct error *err);

/* Run SQL that is not worth keeping: BEGIN, a schema; several statements, if need be. */
MUST_CHECK int store_exec(struct store *store, const char *sql, struct error *err);

/* One integer from the first row of `sql`; -ENODATA without a row. */
MUST_CHECK int store_integer(struct store *store, const char *sql, int64_t *ret_integer,
                             struct error *err);

/* Run a constant with these numbers as its parameters. */
MUST_CHECK int store_run_with(struct store *store, const char *sql, const int64_t *values,
                              int count, struct error *err);

/* Keep a number in meta, under this name; of one that rises the highest. */
MUST_CHECK int store_note(struct store *store, const char *name, int64_t number, bool rises,
                          struct error *err);
MUST_CHECK int store_note_text(struct store *store, const char *name, const char *text,
                               struct error *err);
/* 1 and what was noted, or 0 when nothing was. */
MUST_CHECK int store_noted(struct store *store, const char *name, int64_t *ret, struct error *err);

#define MOVED_TO "moved_to" /* in meta: see store_moved_to() */

/* The first node from this key on: 1, or 0 when there is none. */
MUST_CHECK int store_next_node(struct store *store, int64_t from_key, int64_t *ret_key,
                               struct error *err);

/* Text of a schema version, all its statements; NULL for one that does not exist. */
const char *store_schema(int version);

/*
 * As store_create(), but open still, with its schema in a transaction that is for the caller to
 * commit. -EEXIST: there are books.
 */
MUST_CHECK int store_begin_new(const char *database, const struct store_turn *turn,
                               struct store **ret_store, struct error *err);

struct store *store_new(void); /* without a path, a handle or the lock; NULL without memory */

#endif
