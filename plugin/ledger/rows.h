/*
 * rows.h - energy of one owner, summed by hour, component, quality and sensor
 */
#ifndef CARBON_LEDGER_ROWS_H
#define CARBON_LEDGER_ROWS_H

#include <stdbool.h>

#include "core/batch.h"

struct row {
    int64_t hour_s;
    enum component component;
    enum quality quality;
    char sensor[SENSOR_NAME_SIZE];
    uint64_t active_uj, idle_uj, metered_ns, elapsed_ns;
};

struct rows {
    struct row *rows;
    size_t count, room;
};

/* Add `row` to the one of the same key, or as a new one. 0 or -ENOMEM. */
int rows_add(struct rows *rows, const struct row *row);
void rows_free(struct rows *rows);

#endif
