#include "config.h"

#include "store/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

int store_insert(struct store *store, const struct insert *insert, const struct cell *cells,
                 size_t count, struct error *err)
{
    return count ? store->backend->insert(store, insert, cells, count, err) : 0;
}

static size_t columns_of(const struct adds *adds)
{
    return strlen(adds->insert->types);
}

int adds_row(struct adds *adds, const struct cell *row)
{
    size_t columns = columns_of(adds);

    if (adds->count == adds->room) {
        size_t room = adds->room ? adds->room * 2 : 64;
        struct cell *grown = reallocarray(adds->cells, room * columns, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        adds->cells = grown;
        adds->room = room;
    }
    memcpy(&adds->cells[adds->count++ * columns], row, columns * sizeof(*row));
    return 0;
}

void adds_clear(struct adds *adds)
{
    free(adds->cells);
    adds->cells = NULL;
    adds->count = adds->room = 0;
}

static int compare_cells(const struct cell *x, const struct cell *y)
{
    if (x->kind == CELL_TEXT)
        return x->text == y->text ? 0 : strcmp(x->text, y->text);
    return x->number < y->number ? -1 : x->number > y->number;
}

static int compare_keys(const void *a, const void *b, void *keys)
{
    const struct cell *x = a, *y = b;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < *(unsigned *)keys; i++)
        rc = compare_cells(&x[i], &y[i]);
    return rc;
}

/* One row for each key, in order. */
static void fold(struct adds *adds)
{
    size_t columns = columns_of(adds), kept = 0;
    unsigned keys = adds->insert->keys;

    qsort_r(adds->cells, adds->count, columns * sizeof(*adds->cells), compare_keys, &keys);
    for (size_t i = 1; i < adds->count; i++) {
        struct cell *last = &adds->cells[kept * columns], *row = &adds->cells[i * columns];

        if (compare_keys(last, row, &keys) != 0)
            memmove(&adds->cells[++kept * columns], row, columns * sizeof(*row));
        else
            for (size_t j = keys; j < columns; j++)
                last[j].number += row[j].number;
    }
    adds->count = kept + 1;
}

int adds_book(struct adds *adds, struct store *store, struct error *err)
{
    int rc;

    if (adds->count == 0)
        return 0;
    fold(adds);
    rc = store_insert(store, adds->insert, adds->cells, adds->count, err);
    adds->count = 0;
    return rc;
}
