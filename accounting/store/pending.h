/*
 * pending.h - what the open transaction has yet to book; private to accounting/store
 *
 * Nobody reads amounts while batches are loaded, nor, but for rare cases, their allocations: those
 * of all batches of a transaction go into the books together, when it commits or when someone needs
 * to see them.
 */
#ifndef CARBON_STORE_PENDING_H
#define CARBON_STORE_PENDING_H

#include "store/rows.h"

struct store;

struct known_allocation;
struct known_step;

struct pending {
    struct adds jobs, months; /* of runs and allocations that the transaction began */
    struct adds batches, components, energy, totals, power;
    struct adds job_hours, node_hours, cluster_hours;
    struct ended { /* jobs whose end_s is to be made anew */
        int64_t *keys;
        size_t count;
    } ended;
    void *texts; /* a tree of those that rows point to */
    void *nodes, *ids, *allocations, *runs, *places, *steps; /* trees of known.c */
    struct known_allocation *waiting;
    struct known_step *step_list;
    size_t claims; /* nodes and jobs that nobody else may load meanwhile */
    bool looked, has_losses, has_backfill; /* was looked whether the tables have any rows */
    int64_t rolled_before_s; /* the same: of roll.h */
};

/* Of the open transaction; NULL without memory. */
struct pending *pending_of(struct store *store);

/* A text that stays until what is pending was booked or dropped; NULL without memory. */
const char *pending_text(struct pending *pending, const char *text);

/* The job's end_s follows its allocations, once they are booked; -ENOMEM. */
MUST_CHECK int pending_end_job(struct pending *pending, int64_t job_key);

/* Book the new runs; then what there is of batches, allocations and ends of jobs. */
MUST_CHECK int pending_book_runs(struct store *store, struct error *err);
MUST_CHECK int pending_book_jobs(struct store *store, struct error *err);

/* Book all of it. Whoever reads any of it within a transaction that loads calls this first. */
MUST_CHECK int pending_book(struct store *store, struct error *err);

void pending_drop(struct store *store); /* it was rolled back, or the store closes */

#endif
