/*
 * job_carbon.h - what a job's rows need besides its energy: its part of the hardware's manufacture
 * and of idle energy that no job held
 */
#ifndef CARBON_REPORT_JOB_CARBON_H
#define CARBON_REPORT_JOB_CARBON_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "report/basis.h"
#include "store/query.h"

/* Of a whole job, or of a part of its time. */
struct job_carbon {
    struct job_embodied embodied; /* zeros where refused */
    char *refusal;                /* why there is no figure, malloc'ed; NULL: there is */
    struct embodied_line *lines;  /* the calculation, malloc'ed, where it was asked for */
    size_t n_lines;
};
void job_carbon_clear(struct job_carbon *carbon);

/* Months of every cluster that jobs are of. The lines point into it. */
struct job_carbon_reader;
struct job_carbon_reader *job_carbon_reader_new(struct store *store, const struct basis *basis);
struct job_carbon_reader *job_carbon_reader_free(struct job_carbon_reader *reader); /* NULL too */

/*
 * Of [from_s, to_s), full hours. An inventory that cannot be right (-ERANGE, -EINVAL) is a refusal,
 * not a failure: a reader's other jobs and their energy are shown all the same. The store is in the
 * transaction that read the job with query_details(). job_carbon_clear() ends *ret, after failure
 * too.
 */
MUST_CHECK int job_carbon_read(struct job_carbon_reader *reader, const struct query_job *job,
                               int64_t from_s, int64_t to_s, bool lines, struct job_carbon *ret,
                               struct error *err);

/*
 * The UTC months with energy of these jobs, [*ret_from_s, *ret_to_s): what their basis has to have
 * the grid's hours of. Both are 0 where none has energy.
 */
void job_carbon_span(const struct query_result *result, int64_t *ret_from_s, int64_t *ret_to_s);

#endif
