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
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/copy.h"

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

static int make_copy(struct store *store, int64_t version, struct error *err)
{
    char path[sizeof(store->backup_path)], temporary[sizeof(store->backup_path)];
    int rc = choose_name(store, version, path, err);

    if (rc < 0)
        return rc;
    snprintf(temporary, sizeof(temporary), "%s.schema-%d.bak.tmp", store->path, (int)version);
    rc = copy_make(store, temporary, version, err);
    if (rc == -EUCLEAN)
        return error_set(err, rc, "database %s is damaged, or its copy was: it was not upgraded; "
                         "restore it from a backup", store->path);
    if (rc >= 0)
        rc = copy_place(rc, temporary, path, err);
    if (rc == 0)
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
    if (rc == 0 && version < 2) /* which sums are of */
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
