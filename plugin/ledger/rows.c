#include "ledger/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_key(const struct row *a, const struct row *b)
{
    return a->hour_s == b->hour_s && a->component == b->component && a->quality == b->quality &&
           strcmp(a->sensor, b->sensor) == 0;
}

int rows_add(struct rows *rows, const struct row *row)
{
    /* the newest are last, and are the ones that grow */
    for (size_t i = rows->count; i-- > 0;) {
        struct row *old = &rows->rows[i];

        if (!same_key(old, row))
            continue;
        old->active_uj += row->active_uj;
        old->idle_uj += row->idle_uj;
        old->metered_ns += row->metered_ns;
        old->elapsed_ns += row->elapsed_ns;
        return 0;
    }
    if (rows->count == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 4;
        struct row *grown = realloc(rows->rows, room * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        rows->rows = grown;
        rows->room = room;
    }
    rows->rows[rows->count++] = *row;
    return 0;
}

void rows_free(struct rows *rows)
{
    free(rows->rows);
    *rows = (struct rows){ 0 };
}
