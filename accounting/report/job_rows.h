/*
 * job_rows.h - rows of whole jobs for commands that show jobs and take none of sacct-carbon's
 * options: the same figures
 */
#ifndef CARBON_REPORT_JOB_ROWS_H
#define CARBON_REPORT_JOB_ROWS_H

#include <stdint.h>

#include "core/error.h"
#include "report/row.h"
#include "store/query.h"

/* One factor set, however many results are shown by it, and what was read for them. */
struct job_rows;

/* By set `factor_set`; 0: the newest when the first rows are made. NULL without memory. */
struct job_rows *job_rows_new(int64_t factor_set);
struct job_rows *job_rows_free(struct job_rows *rows); /* takes NULL */

/*
 * Hand the row of each job on, in their order. The store is in the transaction that read them with
 * query_details(). Without any factor set energy is known and grams are not. -ENOENT: no such set;
 * -ENOMEM; else take()'s first negative. A row lives while take() runs.
 */
MUST_CHECK int job_rows_each(struct job_rows *rows, struct store *store,
                             const struct query_result *result,
                             int (*take)(void *arg, const struct row *row), void *arg,
                             struct error *err);

#endif
