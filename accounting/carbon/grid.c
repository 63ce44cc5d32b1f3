#include "carbon/grid.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

__extension__ typedef unsigned __int128 wide;

void grid_clear(struct grid *grid)
{
    free(grid->annual);
    free(grid->intervals);
    free(grid->pues);
    *grid = (struct grid){ 0 };
}

static uint32_t year_of(int64_t instant_s)
{
    time_t instant = (time_t)instant_s;
    struct tm parts;

    return gmtime_r(&instant, &parts) ? (uint32_t)(parts.tm_year + 1900) : 0;
}

/* The row of the hour's year, else of the newest year before it, else the oldest; NULL: none. */
static const struct intensity *annual_of(const struct grid *grid, int64_t hour_s)
{
    uint32_t year = year_of(hour_s);
    size_t i = grid->n_annual;

    if (i == 0)
        return NULL;
    while (i > 1 && grid->annual[i - 1].year > year)
        i--;
    return &grid->annual[i - 1];
}

/* Index of the first interval that ends after instant_s. */
static size_t first_interval(const struct grid *grid, int64_t instant_s)
{
    size_t low = 0, high = grid->n_intervals;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (grid->intervals[middle].end_s > instant_s)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint64_t pue_of(const struct grid *grid, int64_t hour_s)
{
    size_t low = 0, high = grid->n_pues;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (grid->pues[middle].to_s > hour_s)
            high = middle;
        else
            low = middle + 1;
    }
    if (low < grid->n_pues && grid->pues[low].from_s <= hour_s)
        return grid->pues[low].pue_ppm;
    return grid->pue_ppm;
}

/* What the intervals say of an hour: ug/kWh x seconds, and the seconds that they cover. */
static wide sum_intervals(const struct grid *grid, int64_t hour_s, int64_t *ret_covered_s,
                          unsigned *flags)
{
    int64_t hour_end_s = hour_s + S_PER_HOUR;
    wide ug_s = 0;

    *ret_covered_s = 0;
    for (size_t i = first_interval(grid, hour_s);
         i < grid->n_intervals && grid->intervals[i].begin_s < hour_end_s; i++) {
        const struct grid_interval *interval = &grid->intervals[i];
        int64_t begin_s = interval->begin_s > hour_s ? interval->begin_s : hour_s;
        int64_t end_s = interval->end_s < hour_end_s ? interval->end_s : hour_end_s;

        ug_s += (wide)interval->ug_per_kwh * (uint64_t)(end_s - begin_s);
        *ret_covered_s += end_s - begin_s;
        if (interval->estimated)
            *flags |= HOUR_ESTIMATED;
    }
    return ug_s;
}

bool grid_hour(const struct grid *grid, int64_t hour_s, struct grid_hour *ret)
{
    const struct intensity *annual = annual_of(grid, hour_s);
    int64_t covered_s, of_s = S_PER_HOUR;
    wide ug_s;

    *ret = (struct grid_hour){ .pue_ppm = pue_of(grid, hour_s) };
    if (!grid->has_intensity)
        return false;
    ug_s = sum_intervals(grid, hour_s, &covered_s, &ret->flags);
    if (covered_s == 0 && !annual)
        return false;
    if (covered_s < S_PER_HOUR && annual) {
        ug_s += (wide)annual->ug_per_kwh * (uint64_t)(S_PER_HOUR - covered_s);
        ret->flags |= HOUR_ANNUAL;
        if (grid->basis[0] && strcmp(grid->basis, annual->basis) != 0)
            ret->flags |= HOUR_OTHER_BASIS;
    } else if (covered_s < S_PER_HOUR) {
        ret->flags |= HOUR_ESTIMATED; /* the rest of the hour as the part that is known */
        of_s = covered_s;
    }
    ret->ug_per_kwh = (uint64_t)((ug_s + (uint64_t)of_s / 2) / (uint64_t)of_s);
    return true;
}
