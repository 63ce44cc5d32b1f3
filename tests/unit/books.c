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

void books_open(struct books *books)
{
    struct error err = { "" };

    *books = (struct books){ .store = NULL };
    tree_make(&books->tree);
    snprintf(books->database, sizeof(books->database), "sqlite:%.4000s/carbon.db",
             books->tree.path);
    need(store_create(books->database, NULL, NULL, &err), &err, "store_create");
    need(store_open(books->database, STORE_WRITE, "a test", &books->store, &err), &err,
         "store_open");
    /* tests need no power-loss safety, and have many commits */
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
    sqlite3_stmt *stmt;
    char sql[1024];
    int64_t number;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    if (sqlite3_prepare_v2(books->store->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        need(store_failed(books->store, sql, &err), &err, "prepare");
    if (sqlite3_step(stmt) != SQLITE_ROW)
        need(-1, NULL, sql);
    number = sqlite3_column_type(stmt, 0) == SQLITE_NULL ? INT64_MIN
                                                         : sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
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
