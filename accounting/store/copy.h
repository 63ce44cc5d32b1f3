/*
 * copy.h - a checked copy of a database, beside the place where it is to be; private to
 * accounting/store
 */
#ifndef CARBON_STORE_COPY_H
#define CARBON_STORE_COPY_H

#include "store/sqlite.h"

/*
 * Copy the database of `store` into the file `path`, as readable as the database and no more, and
 * read again from it that it is sound, of that schema, and of as many batches. The caller has a
 * transaction open that keeps writers out. Returns a descriptor that holds the file for its maker:
 * give it to copy_place(), or remove the file and close it. On failure there is no file; -EUCLEAN:
 * the database is damaged, or its copy was; -EBUSY: another process makes this copy.
 */
MUST_CHECK int copy_make(struct store *store, const char *path, int64_t version,
                         struct error *err);

/* Put it on the disk under its name, in place of what had it. The descriptor is closed; on failure
   the file is gone. */
MUST_CHECK int copy_place(int fd, const char *path, const char *name, struct error *err);

/* Is the database of a handle sound? -EUCLEAN: no. */
MUST_CHECK int copy_check(struct store *copy, struct error *err);

#endif
