/*
 * backup.h - a copy of the books in a file of its own, made while others read and write
 */
#ifndef CARBON_STORE_BACKUP_H
#define CARBON_STORE_BACKUP_H

#include "store/store.h"

/* What a copy holds. */
struct backup_facts {
    int64_t schema, nodes, batches;
    int64_t last_s;    /* UTC second up to which its newest batch goes; 0: there is none */
    bool audited;      /* of this program's schema, so that the audit could look at it */
    unsigned failures; /* … and found so many */
};

/*
 * Write a copy of the database into `path`, as readable as the database and no more: beside it as
 * "<path>.tmp", read again and checked, put on the disk, and then renamed. A batch is in it
 * whole or not. A file that is there is replaced when it is an older copy (a database of
 * slurm-carbon other than this one), and else refused: -EEXIST. -EUCLEAN: the database is damaged.
 * Commits wait while the pages are copied.
 */
MUST_CHECK int backup_write(struct store *store, const char *path, struct backup_facts *ret_facts,
                            struct error *err);

/* Check a copy that is there. -EUCLEAN: it is damaged; -EBADMSG, -EPROTO: as store_open(). */
MUST_CHECK int backup_verify(const char *path, struct backup_facts *ret_facts, struct error *err);

#endif
