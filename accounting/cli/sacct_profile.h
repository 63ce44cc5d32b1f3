/*
 * sacct_profile.h - sacct-carbon --profile: one job's power over time
 */
#ifndef CARBON_CLI_SACCT_PROFILE_H
#define CARBON_CLI_SACCT_PROFILE_H

#include "cli/sacct_options.h"
#include "report/profile.h"

struct store;

/* What is read, between the two calls; zeroed to begin with. */
struct sacct_profile {
    struct row row;
    struct profile_view view;
    struct profile profile; /* to be drawn */
    struct buf table;       /* written while reading: CSV or JSON */
    size_t table_rows;
};

/*
 * Read the minutes of the one job of the result, inside of the transaction that read it; of none,
 * nothing. `row` is the job's row, or that of the named step, and [from_s, to_s) the window of -S
 * and -E. -EINVAL when the result has several jobs; errors of profile_each().
 */
MUST_CHECK int sacct_profile_read(struct store *store, const struct query_result *result,
                                  const struct row *row, const struct sacct_options *options,
                                  int64_t from_s, int64_t to_s, struct sacct_profile *ret,
                                  struct error *err);

/*
 * Append the drawing or table; that a table is empty is told on the error output. -ENODATA with why
 * there is nothing to draw.
 */
MUST_CHECK int sacct_profile_write(const struct sacct_profile *profile,
                                   const struct sacct_options *options, struct buf *buf,
                                   struct error *err);

void sacct_profile_clear(struct sacct_profile *profile);

#endif
