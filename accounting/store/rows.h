/*
 * rows.h - many rows by one statement; private to accounting/store
 *
 * A database behind a connection takes a thousand rows in one statement about as quickly as one, so
 * what a transaction adds is gathered in memory and booked at once, in the order of its keys: two
 * transactions that book the same sums then never wait for each other in a circle.
 */
#ifndef CARBON_STORE_ROWS_H
#define CARBON_STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct store;

/* A value of a row: an integer, a text (not copied), or neither. */
struct cell {
    enum { CELL_NULL, CELL_INT, CELL_TEXT } kind;
    union {
        int64_t number;
        const char *text;
    };
};

static inline struct cell cell_int(int64_t number)
{
    return (struct cell){ .kind = CELL_INT, .number = number };
}

static inline struct cell cell_text(const char *text) /* NULL is NULL */
{
    return (struct cell){ .kind = text ? CELL_TEXT : CELL_NULL, .text = text };
}

static inline struct cell cell_maybe(bool known, int64_t number)
{
    return (struct cell){ .kind = known ? CELL_INT : CELL_NULL,
                          .number = known ? number : 0 };
}

/* INSERT INTO table (columns) VALUES … rest. A static constant: statements are kept by address. */
struct insert {
    const char *table, *columns;
    const char *types; /* a letter for each column: 'i' an integer, 't' a text */
    unsigned keys;     /* the first so many are the primary key */
    const char *rest;  /* " ON CONFLICT …"; or "" */
};

/* Insert `count` rows, one after the other in `cells`; no two have the same key. An errno. */
MUST_CHECK int store_insert(struct store *store, const struct insert *insert,
                            const struct cell *cells, size_t count, struct error *err);

/* Rows of one table that wait. All that is not of the key is an amount, and added up. */
struct adds {
    const struct insert *insert;
    struct cell *cells;
    size_t count, room; /* rows */
};

/* A copy of one row of cells; -ENOMEM. */
MUST_CHECK int adds_row(struct adds *adds, const struct cell *row);

/* One row for each key into the table; none waits afterwards. */
MUST_CHECK int adds_book(struct adds *adds, struct store *store, struct error *err);

void adds_clear(struct adds *adds); /* none waits; frees */

#endif
