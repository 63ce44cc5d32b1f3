/*
 * sacct_rows.h - the rows of a run of sacct-carbon: embodied emissions of its jobs, their parts in
 * time, and what if the grid were another
 */
#ifndef CARBON_CLI_SACCT_ROWS_H
#define CARBON_CLI_SACCT_ROWS_H

#include "cli/sacct_options.h"
#include "report/parts.h"

/* Of each job of a result, in its order. */
struct sacct_rows {
    struct job_carbon_reader *reader;
    struct sacct_job {
        struct job_carbon carbon;
        struct part *parts; /* with --by */
        size_t n_parts;
    } *jobs;
    size_t n_jobs;
};

/*
 * Read what jobs need besides their energy, within [from_s, to_s) where the style is clipped. Of a
 * basis without a factor set nothing is known. Inside of the transaction that read the jobs.
 * sacct_rows_clear() ends *ret, after failure too.
 */
MUST_CHECK int sacct_rows_read(struct store *store, const struct basis *basis,
                               const struct query_result *result,
                               const struct sacct_options *options,
                               const struct report_style *style, struct sacct_rows *ret,
                               struct error *err);
void sacct_rows_clear(struct sacct_rows *rows);

/* --gco2: the basis's grid has this intensity alone. -ENOMEM. */
MUST_CHECK int sacct_what_if_gco2(struct basis *basis, uint64_t ug_per_kwh, struct error *err);
/* "the grid were that of zone DE (Germany)"; nothing where nothing is supposed. */
void sacct_what_if(const struct sacct_options *options, const struct grid *grid, bool utf8,
                   struct buf *buf);

#endif
