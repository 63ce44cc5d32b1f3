/*
 * row.h - what a line of a report is about, and what is worked out for it
 *
 * A row is a job, one of its steps, its remainder, or what it was in an hour, day or month. Steps
 * are parts of their job: whoever adds rows up adds jobs (or the parts of their time) only.
 */
#ifndef CARBON_REPORT_ROW_H
#define CARBON_REPORT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "carbon/grid.h"
#include "carbon/operational.h"
#include "core/buf.h"
#include "report/format.h"
#include "report/job_carbon.h"
#include "report/method.h"
#include "store/query.h"

struct part;

/* How things are written. */
struct report_style {
    bool utf8, colour;
    const char *time_format; /* SLURM_TIME_FORMAT, or NULL */
    int64_t now_s;
    const struct unit *energy_unit; /* NULL: the best for each amount */
    bool base_units;                /* --noconvert: J, W and g, whatever the amount */
    bool clipped;                   /* -T: times and energy only of [from_s, to_s) */
    int64_t from_s, to_s;
};

struct range_g {
    double low, central, high;
};

struct row {
    const struct query_job *job;
    const struct query_step *step; /* NULL: the row is the job's, or a part's */
    const struct part *part;       /* of its time; NULL: it is whole */
    const struct usage *usage;
    const struct job_carbon *carbon; /* of the job or part, of a step its job's; NULL: not read */
    bool has_grams;               /* operational ones */
    struct operational grams;     /* of its own energy */
    double spread_g;              /* its part of idle energy that no job held, IdlePolicy=spread */
    double operational_g;         /* grams.total_g and spread_g */
    bool has_embodied, has_total; /* of jobs and parts alone */
    struct range_g embodied, total;
    uint64_t ug_per_kwh, pue_ppm; /* means of its hours, weighted by energy */
    struct hour_counts hours;     /* with energy */
    const struct report_method *method;
    const struct report_style *style;
};

/* A job's row (step NULL) or a step's. */
struct row row_of(const struct query_job *job, const struct query_step *step,
                  const struct job_carbon *carbon, const struct report_method *method,
                  const struct report_style *style);
/* That of a part of a job's time: row_of_part() of parts.h. */
struct row row_of_usage(const struct query_job *job, const struct part *part,
                        const struct usage *usage, const struct job_carbon *carbon,
                        const struct report_method *method, const struct report_style *style);

/* Steps as reports list them: batch, extern, interactive, 0, 1, …, remainder (when it has energy).
   `place` counts from 0; NULL after the last. */
const struct query_step *row_step(const struct query_job *job, size_t place);

/* --- states ----------------------------------------------------------------------------------- */

/* What Slurm calls states. Some are slurmdbd's alone to tell. */
struct state {
    const char *name, *abbreviation; /* "RUNNING", "R" */
    bool known; /* can be told from energy records; else where slurmdbd was asked */
};

/* By name or abbreviation, without case; NULL: Slurm has no such state. */
const struct state *state_find(const char *name);
/* Jobs that go on, or whose end is not known, wasted nothing yet; those that completed did not. */
bool state_is_waste(const char *name);
/*
 * As slurmdbd says; where it was not asked RUNNING; NODE_FAIL when a node rebooted under it;
 * COMPLETED and FAILED by the exit status; else UNKNOWN. Of a remainder: NULL.
 */
const struct state *row_state(const struct row *row);
const struct state *job_state(const struct query_job *job);

/* --- times ------------------------------------------------------------------------------------ */

bool row_has_times(const struct row *row);  /* not of a remainder */
int64_t row_begin_ns(const struct row *row);
bool row_is_open(const struct row *row);    /* running still; of parts, the last alone */
int64_t row_end_ns(const struct row *row);  /* of an open one: booked up to here */
uint64_t row_elapsed_ms(const struct row *row);
/* Up to when every node has delivered a running job's energy. */
int64_t job_as_of_s(const struct query_job *job);

/* --- amounts; false: unknown ------------------------------------------------------------------ */

/* Mean over the metered part of the elapsed time, milliwatts. */
bool row_average_mw(const struct row *row, uint64_t *ret_mw);
bool row_peak_mw(const struct row *row, uint64_t *ret_mw); /* of jobs only */

/* FLAG_* of the row; of a job, those of its steps too. */
uint32_t row_flags(const struct row *row);
/* Flags of its grams: "missing_embodied", "annual_intensity", …; by place, NULL at the end. */
const char *row_carbon_flag(const struct row *row, size_t place);
/* The names of both kinds: "end_late,annual_intensity" */
void row_write_flags(const struct row *row, struct buf *buf);
/* The flag's meaning for its reader, in words. */
const char *flag_words(unsigned bit);
/* Is everything there: all nodes, full coverage, no gap, nothing lost? */
bool job_is_complete(const struct query_job *job);

/* "123", "123_4.batch", "123+1.0"; raw: without array and component. */
void row_job_id(const struct row *row, bool raw, struct buf *buf);
/* "batch", "0", "remainder" */
void step_name(int64_t step_id, struct buf *buf);
/* "n[1-2]" */
void row_node_list(const struct row *row, struct buf *buf);

/* Why the embodied emissions of a job are unknown, in words that follow "unknown: ". */
void row_write_embodied_unknown(const struct row *row, struct buf *buf);
/* "n[1-2]": the job's nodes that are in no pool of the inventory. */
void row_write_missing_nodes(const struct row *row, struct buf *buf);

#endif
