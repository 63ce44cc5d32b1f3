#include "store/millijoule.h"

#include <errno.h>
#include <stdlib.h>

#include "core/apportion.h"

#define UJ_PER_MJ 1000

static uint64_t stretch_mj(uint64_t begin_uj, uint64_t counted_uj)
{
    return (begin_uj + counted_uj) / UJ_PER_MJ - begin_uj / UJ_PER_MJ;
}

/* The component's cumulative count at the begin of this hour. */
static uint64_t begin_of_hour_uj(const struct batch *batch, const struct batch_total *hour)
{
    uint64_t begin_uj = 0;

    for (size_t i = 0; i < batch->n_components; i++)
        if (batch->components[i].component == hour->component)
            begin_uj = batch->components[i].begin_uj;
    for (size_t i = 0; i < batch->n_totals; i++)
        if (batch->totals[i].component == hour->component && batch->totals[i].hour_s < hour->hour_s)
            begin_uj += batch->totals[i].counted_uj;
    return begin_uj;
}

/* weights and shares have room for two items per row: its active and its idle part. */
static void share_hour(const struct batch *batch, const struct batch_total *hour, uint64_t hour_mj,
                       uint64_t *weights, uint64_t *shares, struct millijoule_row *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        if (row->hour_s != hour->hour_s || row->component != hour->component)
            continue;
        weights[count++] = row->active_uj;
        weights[count++] = row->idle_uj;
    }
    apportion(hour_mj, weights, count, shares);
    count = 0;
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        if (row->hour_s != hour->hour_s || row->component != hour->component)
            continue;
        rows[i].active_mj = shares[count++];
        rows[i].idle_mj = shares[count++];
    }
}

int millijoules_of(const struct batch *batch, struct millijoules *ret)
{
    struct millijoules mj = {
        .rows = calloc(batch->n_energies + 1, sizeof(*mj.rows)),
        .totals_mj = calloc(batch->n_totals + 1, sizeof(*mj.totals_mj)),
    };
    uint64_t *room = calloc(batch->n_energies + 1, 4 * sizeof(*room));

    if (!mj.rows || !mj.totals_mj || !room) {
        free(room);
        millijoules_clear(&mj);
        return -ENOMEM;
    }
    for (size_t i = 0; i < batch->n_totals; i++) {
        const struct batch_total *hour = &batch->totals[i];

        mj.totals_mj[i] = stretch_mj(begin_of_hour_uj(batch, hour), hour->counted_uj);
        share_hour(batch, hour, mj.totals_mj[i], room, room + 2 * batch->n_energies, mj.rows);
    }
    free(room);
    *ret = mj;
    return 0;
}

void millijoules_clear(struct millijoules *millijoules)
{
    free(millijoules->rows);
    free(millijoules->totals_mj);
    *millijoules = (struct millijoules){ 0 };
}
