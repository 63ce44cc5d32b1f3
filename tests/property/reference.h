/*
 * reference.h - the ledger's rules a second time: slow, simple, in long double, without rounding
 *
 * Written from the rules in ledger.h alone. Serves histories whose counters are all exact: it
 * takes the true totals at each good reading and knows nothing of wraps, windows or batches.
 */
#ifndef CARBON_TESTS_REFERENCE_H
#define CARBON_TESTS_REFERENCE_H

#include "history.h"

#define REFERENCE_HOURS_MAX 400
/* Owners by index: steps, then the jobs' remainders, then these two. */
#define OWNER_OF_JOB(job) (HISTORY_STEPS_MAX + (job))
#define OWNER_OF_SYSTEM (HISTORY_STEPS_MAX + HISTORY_JOBS_MAX)
#define OWNER_OF_NOBODY (OWNER_OF_SYSTEM + 1)
#define OWNERS (OWNER_OF_NOBODY + 1)

struct cell {
    long double energy_uj;
    long double slack_uj; /* what rounding to whole microjoules and nanoseconds may have moved */
};

struct books {
    size_t n_hours;
    int64_t hours_s[REFERENCE_HOURS_MAX];
    struct cell cells[REFERENCE_HOURS_MAX][COMPONENT_COUNT][OWNERS];
    bool fragile; /* a decision hangs on a nanosecond: not to be compared */
};

/* The cells of an hour, made when they are not there yet. */
struct cell (*books_hour(struct books *books, int64_t hour_s))[OWNERS];

/*
 * Fill *ret_books, whose n_hours is 0, with what the rules give for the whole history. The
 * instants in `cuts_ns` cut slices too: they change nothing but what is forgiven as rounding.
 */
void reference_run(const struct history *history, const uint64_t *cuts_ns, size_t n_cuts,
                   struct books *ret_books);

#endif
