/*
 * store.h - the books: one interface over the database that keeps them
 *
 * A database is named as in carbon.conf: "sqlite:/absolute/path", with "?network=yes" after it to
 * allow a network file system, or by a URI of libpq, "postgresql://host/database". Everything
 * stored is a 64-bit integer or text (schema-*.sql say what); energies are millijoules.
 *
 * One process writes at a time, holding the writer's lock (<database>.lock beside a file, an
 * advisory lock of PostgreSQL's) as long as its store is open; any number read. In PostgreSQL those
 * that load batches share it: each takes nodes that no other has in hand. Whoever goes on writing
 * for long, as a service does, opens the store for some seconds of work and closes it again, so
 * that others get their turn. A store belongs to one thread.
 */
#ifndef CARBON_STORE_STORE_H
#define CARBON_STORE_STORE_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"

#define STORE_SCHEMA_VERSION 6

struct store;
struct viewer;

/* --- opening --------------------------------------------------------------------------------- */

/* How a writer gets its turn while another process writes. */
struct store_turn {
    const char *who; /* the command as the lock should name it: "carbonctl ingest" */
    int patience_ms; /* how long to wait; 0: not at all */
    bool shared; /* only batches are loaded, and others may do so too, where the database can */
    bool moved;  /* also books that were moved to another database */
    void (*waits)(const char *holder, int patience_ms); /* told once, before it waits; or NULL */
    const volatile sig_atomic_t *stop; /* not 0: wait no longer (-EINTR); may be NULL */
};

/*
 * Create the database with the newest schema, or find it there already, of whatever schema:
 * *ret_created says which (may be NULL). It has mode 0640 and the owner of its directory, also when
 * root makes it; the directory is there, and only its owner may write in it. Errors as
 * store_open(); -ENOENT or -EPERM for the directory. A turn of NULL does not wait.
 */
MUST_CHECK int store_create(const char *database, const struct store_turn *turn,
                            bool *ret_created, struct error *err);

enum store_mode {
    STORE_READ,  /* read-only; waits up to 5 s for a commit to pass */
    STORE_WRITE, /* takes the writer's lock, if free, and waits up to 60 s for readers */
};

/*
 * Open a database that is there. `who` is the command as the lock should name it ("carbonctl
 * ingest"), for STORE_WRITE.
 *
 * A database of an older schema is upgraded by STORE_WRITE: a checked copy of it is put beside it
 * (store_backup() names it), then all happens in one transaction, so that whatever interrupts it
 * leaves the old schema or the new, whole. STORE_READ refuses it and says what to run.
 *
 * -ENOENT: no such database. -EBUSY: another process writes; the text names it. -EACCES.
 * -EXDEV: on a network file system. -EBADMSG: a file, but not one of ours. -EPROTO: written by a
 * newer slurm-carbon, or, for a reader, by an older one. -EINVAL: the name is no database's.
 * -ECONNREFUSED: PostgreSQL does not let us in. -ENOTSUP: built without it. -ESTALE: to a writer,
 * whose turn is not of such: the books were moved (migrate.h); the text says where to.
 */
MUST_CHECK int store_open(const char *database, enum store_mode mode, const char *who,
                          struct store **ret_store, struct error *err);

/* As store_open() with STORE_WRITE, after waiting for the lock; -EINTR: turn->stop was set. */
MUST_CHECK int store_open_in_turn(const char *database, const struct store_turn *turn,
                                  struct store **ret_store, struct error *err);

struct store *store_close(struct store *store); /* takes NULL, returns NULL; rolls back */

/*
 * The lock of the one process that goes on loading into a database that is there: kept while it
 * lives, beside the writer's lock that it takes for each piece of work (<database>.ingest.lock).
 * A descriptor for store_unlock_service(), or an errno as of store_open(), at once.
 */
MUST_CHECK int store_lock_service(const char *database, const char *who, struct error *err);
void store_unlock_service(int lock); /* -1 is no lock */

/* Is it open for writing, and nobody else can be? */
bool store_is_alone(const struct store *store);

/*
 * From now on jobs are read for this viewer (viewer.h), who lives as long as the store:
 * query_jobs() finds those alone that are his to see, and period_jobs() names no others. NULL: for
 * everybody.
 */
void store_set_viewer(struct store *store, const struct viewer *viewer);
const struct viewer *store_viewer(const struct store *store); /* NULL: who sees all */

/* Of the database's file; where it is none, its name, without a password. */
const char *store_path(const struct store *store);
bool store_is_file(const struct store *store);

/* Where the books were moved, as carbon.conf names it: 1; or 0 when they were not. */
MUST_CHECK int store_moved_to(struct store *store, char ret_database[PATH_MAX], struct error *err);

/* The copy of the old database, when this opening upgraded it; else NULL. Say so to the user. */
const char *store_backup(const struct store *store);

/* --- transactions ---------------------------------------------------------------------------- */

/* For a reader: everything read until the end is of one instant. */
MUST_CHECK int store_begin(struct store *store, struct error *err);
/* What was written is on the disk when this returns 0. -EBUSY: readers did not make room. */
MUST_CHECK int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

/*
 * Another connection, within the transaction of `store`, which reads: it sees the same instant, and
 * a server works for both at once. NULL where that is not to be had (a file, a server that has no
 * room): then read one after the other. store_close() ends it.
 */
struct store *store_open_beside(struct store *store);

/*
 * Ask ahead for what will be read. From store_ask_ahead() to store_ask_done() whatever reads only
 * notes its questions: it finds nothing, and what it returns means nothing. Then a server is asked
 * all of them together, and works on them until one is read for real; so they cost one wait and
 * not one each. False, and then everything reads at once: a file answers without a wait, and
 * answers are kept only within a reader's transaction.
 */
bool store_ask_ahead(struct store *store);
void store_ask_done(struct store *store);

/* --- loading (accounting/store/load.c) ------------------------------------------------------- */

enum store_outcome {
    STORE_LOADED,
    STORE_DUPLICATE,   /* loaded before, the same bytes, or folded since: nothing to do */
    STORE_CONFLICTING, /* its id is taken by other bytes: nothing was changed */
};

/*
 * Load a checked batch inside the open transaction; crc32 is the 8 digits of its end line. Its
 * amounts are in the tables after the commit, not before. -EBADMSG: this batch cannot be loaded,
 * whatever is tried, err says why, and nothing was changed. Any other error is the database's
 * (-EUCLEAN: its file is damaged), here or at the commit, and the transaction is to be rolled back;
 * -EEXIST: it refuses what one of the transaction's batches would write.
 */
MUST_CHECK int store_load(struct store *store, const struct batch *batch, const char *crc32,
                          enum store_outcome *ret_outcome, struct error *err);

/*
 * Inside the open transaction: these come next. Of those with ret_mine[i] nobody else loads any of
 * their node until the transaction ends; others are not to be loaded: their node is in other hands.
 */
MUST_CHECK int store_expect(struct store *store, const struct batch *const *batches, size_t count,
                            bool *ret_mine, struct error *err);
/* Does the open transaction keep so many nodes and jobs from others that it is time to commit? */
bool store_has_enough(const struct store *store);

/*
 * Make every sum (job_hour, node_hour, cluster_hour, allocation_month) anew from the rows, inside
 * the open transaction: what the audit finds wrong in A6 and A7 is right after it.
 */
MUST_CHECK int store_make_sums(struct store *store, struct error *err);

/* Note that a file was set aside and why; a second note on the same name replaces the first. */
MUST_CHECK int store_note_quarantine(struct store *store, const char *file_name,
                                     const char *reason, struct error *err);

#endif
