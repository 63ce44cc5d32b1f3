/*
 * profile.h - the minutes of one job: energy by node and component
 *
 * Two ways to read them: row by row, or summed over nodes into one struct for each minute. For
 * both, store_begin() gives them and query_details() the same instant.
 */
#ifndef CARBON_STORE_PROFILE_H
#define CARBON_STORE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "store/query.h"

/* enum component, and behind it what meters that did not tell them apart counted. */
#define PROFILE_ALL COMPONENT_COUNT
#define PROFILE_COMPONENTS (COMPONENT_COUNT + 1)
extern const char *const profile_component_names[]; /* component_names, then "all" */

struct profile_filter {
    int64_t job_key;
    int64_t from_s, to_s;     /* minutes that begin in [from_s, to_s) */
    struct query_names nodes; /* these alone; none: all */
};

/* A component of a node in a minute. */
struct profile_row {
    int64_t minute_s;
    const char *node;   /* until take() returns */
    unsigned component; /* of profile_component_names */
    uint64_t energy_mj;
    uint64_t span_ms;   /* of the minute, that the job lived and the component was metered; not 0 */
};

/* Mean power in milliwatts. */
static inline uint64_t profile_mw(uint64_t energy_mj, uint64_t span_ms)
{
    return span_ms ? energy_mj * 1000 / span_ms : 0;
}

/*
 * Give take() each row, in order of minute, node's name and component; below 0 from it ends this
 * and is returned. -EBADMSG: an amount that cannot be; -ENOMEM, -E2BIG, -EIO.
 */
MUST_CHECK int profile_each(struct store *store, const struct profile_filter *filter,
                            int (*take)(void *arg, const struct profile_row *row), void *arg,
                            struct error *err);

/* A minute of the job, summed over nodes. */
struct profile_minute {
    int64_t minute_s;
    uint64_t energy_mj[PROFILE_COMPONENTS];
    uint64_t span_ms; /* the longest of its rows (peak.h) */
    uint32_t nodes;   /* that have a row */
};

struct profile {
    struct profile_minute *minutes; /* in order; one without any row is not there */
    size_t n_minutes;
    unsigned components;            /* bit (1 << component): there was a row of it */
};

/* Errors as of profile_each(). *ret is empty on failure; else profile_clear() ends it. */
MUST_CHECK int profile_read(struct store *store, const struct profile_filter *filter,
                            struct profile *ret, struct error *err);

void profile_clear(struct profile *profile);

#endif
