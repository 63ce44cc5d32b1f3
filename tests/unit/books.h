/*
 * books.h - an empty database in a temporary directory, and questions to it
 */
#ifndef CARBON_TESTS_BOOKS_H
#define CARBON_TESTS_BOOKS_H

#include "store/audit.h"
#include "store/db.h"
#include "tree.h"

struct books {
    struct tree tree;
    char database[PATH_MAX]; /* its name: "sqlite:/…/carbon.db" */
    struct store *store;     /* open for writing */
};

void books_open(struct books *books);
void books_close(struct books *books);

/* Of SQLite; else of PostgreSQL. */
bool books_are_a_file(const struct books *books);

/* From here on a row may name what is not there. */
void books_unbind(struct books *books);

/* Load one batch in a transaction of its own; the outcome, or a negative errno. */
int books_load(struct books *books, const struct batch *batch, struct error *err);

/* The single number that a query gives; INT64_MIN for NULL. */
int64_t books_number(struct books *books, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* How many findings the audit has: of one rule, or of all (NULL). `failures`: only those. */
unsigned books_audit(struct books *books, const char *rule, bool failures);

#endif
