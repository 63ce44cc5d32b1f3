/*
 * migrate.h - all books of one database into another, of the same kind or not
 */
#ifndef CARBON_STORE_MIGRATE_H
#define CARBON_STORE_MIGRATE_H

#include "store/store.h"

struct migration {
    const char *from, *to; /* as carbon.conf names databases */
    const struct store_turn *turn; /* at the writer's lock of `from` */
    bool dry_run; /* do everything but write rows and commit; others may write meanwhile */
    /* "copying energy", and how many rows of all were read; of_rows 0: a step without rows */
    void (*progress)(const char *what, int64_t rows, int64_t of_rows);

    /* what it found */
    int64_t tables, rows;
    int64_t bytes;  /* of the values, as texts */
    char moved_before[PATH_MAX]; /* where `from` was moved already; "" */
    int64_t mended; /* texts that `to` keeps with "?" for bytes that are no UTF-8, or up to a NUL */
};

/*
 * Audit the books of `from`, make those of `to` in one transaction, copy every row of every table
 * of the schema, read all again from there and compare, audit it, commit. `from` is only read, but
 * marked at the end: nobody opens it for writing any more, but to move it again (store_moved_to()).
 * On failure `to` has no books; its file is gone if nothing was in it. `from` has no mark then,
 * unless nobody can tell whether `to` was committed: the same again finds out. -EEXIST: `to` has
 * books; -ENOTRECOVERABLE: the books of one of them do not balance; -EUCLEAN: what was read again
 * differs; else as of store_open(). -EBUSY also: a service loads into `from`, and would go on.
 */
MUST_CHECK int store_migrate(struct migration *migration, struct error *err);

#endif
