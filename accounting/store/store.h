/*
 * store.h - the books: one interface over the database that keeps them
 *
 * A database is named as in carbon.conf: "sqlite:/absolute/path", with "?network=yes" after it to
 * allow a network file system. Everything stored is a 64-bit integer or text (schema-*.sql
 * say what); energies are millijoules.
 *
 * Exactly one process writes, holding a lock file beside the database; any number read. A store
 * belongs to one thread.
 */
#ifndef CARBON_STORE_STORE_H
#define CARBON_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"

#define STORE_SCHEMA_VERSION 2

struct store;

/* --- opening --------------------------------------------------------------------------------- */

/*
 * Create the database (mode 0640, in a directory that is there and that only its owner or group
 * may write) with the newest schema, or find it there already, of whatever schema: *ret_created
 * says which (may be NULL). Errors as store_open(); -ENOENT or -EPERM for the directory.
 */
MUST_CHECK int store_create(const char *database, bool *ret_created, struct error *err);

enum store_mode {
    STORE_READ,  /* read-only; waits up to 5 s for a commit to pass */
    STORE_WRITE, /* takes the writer's lock, and waits up to 60 s for readers */
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
 */
MUST_CHECK int store_open(const char *database, enum store_mode mode, const char *who,
                          struct store **ret_store, struct error *err);

struct store *store_close(struct store *store); /* takes NULL, returns NULL; rolls back */

const char *store_path(const struct store *store); /* of the database's file */

/* The copy of the old database, when this opening upgraded it; else NULL. Say so to the user. */
const char *store_backup(const struct store *store);

/* --- transactions ---------------------------------------------------------------------------- */

/* For a reader: everything read until the end is of one instant. */
MUST_CHECK int store_begin(struct store *store, struct error *err);
/* What was written is on the disk when this returns 0. -EBUSY: readers did not make room. */
MUST_CHECK int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

/* --- loading (accounting/store/load.c) ------------------------------------------------------- */

enum store_outcome {
    STORE_LOADED,
    STORE_DUPLICATE,   /* loaded before, the same bytes: nothing to do */
    STORE_CONFLICTING, /* its id is taken by other bytes: nothing was changed */
};

/*
 * Load a checked batch inside the open transaction; crc32 is the 8 digits of its end line. It is
 * loaded whole or not at all. -EBADMSG: this batch cannot be loaded, whatever is tried, and err
 * says why; any other error is the database's (-EUCLEAN: its file is damaged), and the transaction
 * should be rolled back.
 */
MUST_CHECK int store_load(struct store *store, const struct batch *batch, const char *crc32,
                          enum store_outcome *ret_outcome, struct error *err);

/* Note that a file was set aside and why; a second note on the same name replaces the first. */
MUST_CHECK int store_note_quarantine(struct store *store, const char *file_name,
                                     const char *reason, struct error *err);

#endif
