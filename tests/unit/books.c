#include "books.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_meter.h"

static void need(int rc, const struct error *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, err ? err->text : "");
    abort();
}

/* A file; or, where BOOKS names a database of PostgreSQL by a URI with a parameter, an empty schema
   in it: what holds of the store holds of both. */
static void name_database(struct books *books)
{
    static unsigned last;
    const char *given = getenv("BOOKS");
    char command[PATH_MAX];

    if (!given) {
        snprintf(books->database, sizeof(books->database), "sqlite:%.4000s/carbon.db",
                 books->tree.path);
        return;
    }
    snprintf(command, sizeof(command), "psql -qX -c 'SET client_min_messages = error' "
             "-c 'DROP SCHEMA IF EXISTS books_%u CASCADE' -c 'CREATE SCHEMA books_%u' '%.3000s'",
             last, last, given);
    if (system(command) != 0)
        need(-1, NULL, command);
    snprintf(books->database, sizeof(books->database), "%.3000s&options=-csearch_path%%3Dbooks_%u",
             given, last++);
}

bool books_are_a_file(const struct books *books)
{
    return strncmp(books->database, "sqlite:", 7) == 0;
}

void books_unbind(struct books *books)
{
    struct error err = { "" };

    need(store_exec(books->store, books_are_a_file(books)
                                      ? "PRAGMA foreign_keys = OFF"
                                      : "SET session_replication_role = replica", &err), &err,
         "foreign keys");
}

void books_open(struct books *books)
{
    struct error err = { "" };

    *books = (struct books){ .store = NULL };
    tree_make(&books->tree);
    name_database(books);
    need(store_create(books->database, NULL, NULL, &err), &err, "store_create");
    need(store_open(books->database, STORE_WRITE, "a test", &books->store, &err), &err,
         "store_open");
    /* tests need no power-loss safety, and have many commits */
    if (books_are_a_file(books))
        need(store_exec(books->store, "PRAGMA synchronous = OFF", &err), &err, "pragma");
}

void books_close(struct books *books)
{
    books->store = store_close(books->store);
    tree_free(&books->tree);
}

int books_load(struct books *books, const struct batch *batch, struct error *err)
{
    struct error own = { "" };
    enum store_outcome outcome;
    char crc[9];
    size_t len;
    char *text = fake_meter_text(batch, &len);
    int rc;

    snprintf(crc, sizeof(crc), "%.8s", text + len - 9);
    free(text);
    need(store_begin(books->store, &own), &own, "store_begin");
    rc = store_load(books->store, batch, crc, &outcome, err ? err : &own);
    need(store_commit(books->store, &own), &own, "store_commit");
    return rc < 0 ? rc : (int)outcome;
}

int64_t books_number(struct books *books, const char *fmt, ...)
{
    struct error err = { "" };
    struct stmt *stmt;
    char sql[1024];
    int64_t number;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    need(store_prepare(books->store, sql, &stmt, &err), &err, sql);
    if (store_step(books->store, stmt, &err) <= 0)
        need(-1, &err, sql);
    number = stmt_is_null(stmt, 0) ? INT64_MIN : stmt_int(stmt, 0);
    stmt_free(stmt);
    return number;
}

struct count {
    const char *rule;
    bool failures;
    unsigned found;
};

static void ignore_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

static void count_finding(void *arg, const struct audit_finding *finding)
{
    struct count *count = arg;

    if ((!count->rule || strcmp(count->rule, finding->rule) == 0) &&
        (!count->failures || finding->fails))
        count->found++;
}

unsigned books_audit(struct books *books, const char *rule, bool failures)
{
    struct count count = { rule, failures, 0 };
    const struct audit_sink sink = { &count, ignore_balance, count_finding };
    struct error err = { "" };

    need(store_audit(books->store, true, &sink, &err), &err, "store_audit");
    return count.found;
}
