/*
 * ctl_grid.h - what the parts of "carbonctl grid" share
 */
#ifndef CARBON_CLI_CTL_GRID_H
#define CARBON_CLI_CTL_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/intensity.h"
#include "cli/carbonctl.h"
#include "core/buf.h"
#include "core/error.h"
#include "store/factors.h"
#include "store/store.h"

extern const struct command command_grid_import, command_grid_list, command_grid_show;

/* "lifecycle" or "direct", as GridBasis says. */
const char *grid_basis_name(const struct conf *conf);

/*
 * The newest annual value of a zone in a set's table, of this basis where it has any.
 * -ENOENT names the zones that come near.
 */
MUST_CHECK int grid_annual(struct store *store, int64_t set, const char *zone, const char *basis,
                           struct intensity *ret, struct error *err);

/* Append grams per kWh: to three figures for people, or whole. */
void grid_write_grams(struct buf *buf, uint64_t ug_per_kwh, bool whole);

/* Append "2 h", "45 min", "0 h". */
void grid_write_span(struct buf *buf, int64_t span_s);

/*
 * Why reports made now would not use a series: "" when they would. others: the set has a series of
 * the same zone and basis, of consumption.
 */
void grid_unused(const struct conf *conf, const char *zone, const char *basis, const char *scope,
                 bool has_consumption, struct buf *buf);

/* The series of a set. */
struct grid_summaries {
    struct grid_series_summary *items;
    size_t count;
    bool failed;
};
MUST_CHECK int grid_summaries_read(struct store *store, int64_t set, struct grid_summaries *ret,
                                   struct error *err);
void grid_summaries_clear(struct grid_summaries *summaries);
bool grid_has_consumption(const struct grid_summaries *summaries, const char *zone,
                          const char *basis);

#endif
