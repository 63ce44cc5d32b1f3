#include "cli/ctl_grid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report/format.h"

#define UG_PER_G 1000000

const char *grid_basis_name(const struct conf *conf)
{
    return conf->grid_basis == BASIS_DIRECT ? "direct" : "lifecycle";
}

int grid_annual(struct store *store, int64_t set, const char *zone, const char *basis,
                struct intensity *ret, struct error *err)
{
    struct intensity *years = NULL;
    size_t count = 0;
    char *text = NULL;
    int rc = factors_document(store, set, FACTORS_GRID, &text, err);

    if (rc == 0 && !text)
        rc = error_set(err, -ENODATA, "factor set %" PRId64 " has no table of annual intensities; "
                       "carbonctl factors update takes the one that is installed", set);
    if (rc == 0)
        rc = intensity_years(text, INTENSITY_FILE, zone, basis, &years, &count, err);
    if (rc == 0 && count > 0)
        *ret = years[count - 1];
    free(years);
    free(text);
    return rc;
}

void grid_write_grams(struct buf *buf, uint64_t ug_per_kwh, bool whole)
{
    char decimals[8];
    size_t len = 6;

    if (!whole) {
        format_number(buf, (double)ug_per_kwh / UG_PER_G);
        return;
    }
    snprintf(decimals, sizeof(decimals), "%06" PRIu64, ug_per_kwh % UG_PER_G);
    while (len > 0 && decimals[len - 1] == '0')
        len--;
    buf_printf(buf, "%" PRIu64 "%s%.*s", ug_per_kwh / UG_PER_G, len ? "." : "", (int)len,
               decimals);
}

void grid_write_span(struct buf *buf, int64_t span_s)
{
    int64_t hours = span_s / S_PER_HOUR, minutes = span_s % S_PER_HOUR / 60;

    if (hours || !minutes)
        buf_printf(buf, "%" PRId64 " h", hours);
    if (minutes)
        buf_printf(buf, "%s%" PRId64 " min", hours ? " " : "", minutes);
}

void grid_unused(const struct conf *conf, const char *zone, const char *basis, const char *scope,
                 bool has_consumption, struct buf *buf)
{
    if (conf->zone[0] == '\0')
        buf_printf(buf, "Zone is not set");
    else if (strcasecmp(conf->zone, zone) != 0)
        buf_printf(buf, "Zone=%s", conf->zone);
    else if (strcmp(grid_basis_name(conf), basis) != 0)
        buf_printf(buf, "GridBasis=%s", grid_basis_name(conf));
    else if (strcmp(scope, "consumption") != 0 && has_consumption)
        buf_printf(buf, "there are figures of consumption");
}

static void take_summary(void *arg, const struct grid_series_summary *summary)
{
    struct grid_summaries *all = arg;
    struct grid_series_summary *grown = realloc(all->items, (all->count + 1) * sizeof(*grown));

    all->failed = all->failed || !grown;
    if (!grown)
        return;
    all->items = grown;
    grown[all->count++] = *summary;
}

int grid_summaries_read(struct store *store, int64_t set, struct grid_summaries *ret,
                        struct error *err)
{
    int rc = factors_series(store, set, take_summary, ret, err);

    return rc == 0 && ret->failed ? error_set(err, -ENOMEM, "out of memory") : rc;
}

void grid_summaries_clear(struct grid_summaries *summaries)
{
    free(summaries->items);
    *summaries = (struct grid_summaries){ 0 };
}

bool grid_has_consumption(const struct grid_summaries *summaries, const char *zone,
                          const char *basis)
{
    for (size_t i = 0; i < summaries->count; i++) {
        const struct grid_series *series = &summaries->items[i].series;

        if (strcasecmp(series->zone, zone) == 0 && strcmp(series->basis, basis) == 0 &&
            strcmp(series->scope, "consumption") == 0)
            return true;
    }
    return false;
}

static const struct command *const parts[] = { &command_grid_import, &command_grid_list,
                                               &command_grid_show, NULL };

const struct command command_grid = {
    .name = "grid",
    .usage = "import|list|show [OPTIONS]",
    .summary = "take in and show the intensity of grids, hour by hour",
    .help = "",
    .exec = run_part,
    .parts = parts,
};
