/*
 * jobid.h - how users name jobs and steps: 123, 123.0, 123.batch, 123_4, 123_[1-4], 123+1, SLUIDs
 */
#ifndef CARBON_CLI_JOBID_H
#define CARBON_CLI_JOBID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SLUID_LEN 14 /* "s" and 13 base32 characters */

/* What follows the number: the whole job (all tasks, all components), or some of either. */
enum jobid_part { JOBID_WHOLE, JOBID_TASKS, JOBID_HET };

/* Tasks first, first + stride, … up to last. */
struct jobid_range {
    uint32_t first, last, stride;
};

struct jobid {
    char text[64];              /* as the user wrote it, cut when longer: for messages */
    char sluid[SLUID_LEN + 1];  /* "" when a number names the job; lower case */
    uint32_t job_id;            /* 0 with a SLUID */
    enum jobid_part part;
    struct jobid_range *ranges; /* of tasks or of component offsets; malloc'ed */
    size_t n_ranges;
    bool has_step;
    int64_t step_id;            /* Slurm's number, or STEP_REMAINDER */
};

/* Read one id. -EINVAL with what is wrong and the forms there are; -ENOMEM. *ret is empty then. */
MUST_CHECK int jobid_parse(const char *text, struct jobid *ret, struct error *err);
void jobid_clear(struct jobid *id);

/* Ids between commas; commas inside brackets are part of an id. Appends; clear with the list. */
struct jobid_list {
    struct jobid *ids;
    size_t count;
};
MUST_CHECK int jobid_list_add(struct jobid_list *list, const char *text, struct error *err);
void jobid_list_clear(struct jobid_list *list);

/* A job as the database knows it; absent numbers are -1, an absent SLUID is NULL. */
struct jobid_subject {
    int64_t job_id, array_job_id, array_task_id, het_job_id, het_offset;
    const char *sluid;
};
/* Does the id name this job (whatever its step)? */
bool jobid_matches(const struct jobid *id, const struct jobid_subject *subject);

#endif
