/*
 * parts.h - a job cut in time: by hour, day or month
 *
 * Energy is booked by UTC hours, so these are never cut: an hour belongs to the day or month in
 * which it begins. Days are local (TZ), of 23 or 25 hours where clocks change; months are UTC, as
 * in sreport-carbon.
 */
#ifndef CARBON_REPORT_PARTS_H
#define CARBON_REPORT_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "report/job_carbon.h"
#include "report/row.h"

enum parts_by { PARTS_NONE, PARTS_HOUR, PARTS_DAY, PARTS_MONTH };
extern const char *const parts_by_names[]; /* "none", "hour", …; ends with NULL */

/* The name of the part that an hour belongs to. */
#define PART_LABEL_SIZE 24
void part_label(int64_t hour_s, enum parts_by by, char label[PART_LABEL_SIZE]);

struct part {
    int64_t from_s, to_s;      /* at full hours */
    char label[PART_LABEL_SIZE]; /* "2026-11-20T10:00Z", "2026-11-20", "2026-11" */
    struct usage usage;        /* its hours are the job's */
    struct report_style style; /* clipped to it */
    struct job_carbon carbon;
};

/*
 * All parts from a job's begin to its end, without holes; none of a job without time and energy.
 * Cut to the style's window where it is clipped. The job has its hours' details (QUERY_HOURLY).
 * *ret is malloc'ed; `carbon` is left empty. -ENOMEM.
 */
MUST_CHECK int parts_of(const struct query_job *job, enum parts_by by,
                        const struct report_style *style, struct part **ret, size_t *ret_count,
                        struct error *err);
void parts_free(struct part *parts, size_t count);

struct row row_of_part(const struct query_job *job, const struct part *part,
                       const struct report_method *method);

#endif
