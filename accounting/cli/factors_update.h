/*
 * factors_update.h - take carbon.conf's settings, inventory.conf and the shipped tables into a new
 * factor set, where they differ from the newest
 */
#ifndef CARBON_CLI_FACTORS_UPDATE_H
#define CARBON_CLI_FACTORS_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/conf.h"
#include "core/error.h"

struct store;

struct factors_update {
    const struct conf *conf;
    const char *made_by; /* "carbonctl ingest" */
    bool dry_run;        /* look only: the store may be open for reading */
};

/*
 * *ret_set is the set that was made, or would have been, 0 when nothing differs; in `changes` each
 * difference is a line of text for people. All is checked before anything is written: a mistake in
 * a file is an error with file and line, and the newest set stays in force. The store is outside
 * of a transaction.
 */
MUST_CHECK int factors_update(struct store *store, const struct factors_update *update,
                              int64_t *ret_set, struct buf *changes, struct error *err);

/* The same, with the changes and the set on the output; nothing is printed when nothing differs. */
MUST_CHECK int factors_update_print(struct store *store, const struct factors_update *update,
                                    int64_t *ret_set, struct error *err);

/*
 * Differences between two texts of a document, as lines; `whole`: with every line that differs.
 * NULL: there is none.
 */
MUST_CHECK int factors_describe(const char *name, const char *old, const char *new, bool whole,
                                struct buf *out, struct error *err);

/* Names of all documents that a set may have; ends with NULL. */
extern const char *const factors_documents[];

/* A number that changes when one of the files that an update reads does. */
uint64_t factors_files_stamp(const struct conf *conf, const char *conf_path);

#endif
