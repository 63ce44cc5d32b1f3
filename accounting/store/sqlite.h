/*
 * sqlite.h - what the files of accounting/store that are of SQLite alone share
 */
#ifndef CARBON_STORE_SQLITE_H
#define CARBON_STORE_SQLITE_H

#include <sqlite3.h>

#include "store/db.h"

#define STORE_APPLICATION_ID 0x43617262 /* "Carb", in the database's header */

/* The database's last error as a negative errno, with err "<what>: <reason>; <remedy>". */
int store_failed(struct store *store, const char *what, struct error *err);

/* Make the tables of a version, on those of the version before; in SQLite's words. */
MUST_CHECK int store_apply_schema(struct store *store, int version, struct error *err);

/* Is it a database of ours, and of a schema that is known? -EBADMSG, -EPROTO as store_open(). */
MUST_CHECK int store_check_version(struct store *store, int64_t *ret_version, struct error *err);

/* A handle on store->path, set up, with nothing of it read yet. */
MUST_CHECK int store_open_handle(struct store *store, enum store_mode mode, struct error *err);

/* From schema `version` to the newest, inside the writer's lock; see store_open(). */
MUST_CHECK int store_upgrade(struct store *store, int64_t version, struct error *err);

/* Name of a network file system by its magic number (statfs f_type); NULL for a local one. */
const char *store_network_name(long f_type);

#endif
