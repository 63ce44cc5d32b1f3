/*
 * audit.h - do the books balance
 *
 *   A1  for every (node, hour, component): counted = sum of its energy rows
 *   A2  for every stream: seqs 1, 2, … without a hole, and each component goes on where the batch
 *       before it ended. A hole is stated; energy that was counted in it is missing from the books,
 *       and that fails until all of the hole is given up (loss.h)
 *   A3  for every node and component: the sum of its hours = what its streams' batches counted, and
 *       what was booked of jobs that nobody metered (backfill.h)
 *   A4  every energy row belongs to a job and step that are there
 *   A5  no amount is negative or no integer, and metered <= elapsed
 *   A6  job_hour, node_hour and cluster_hour are the sums of energy and node_total, for every key
 *   A7  allocation_month holds exactly the months that each allocation lived in
 *   A8  facts of factor sets are of sets that are there, and no two of one thing in force at once
 *   A9  what was booked of such a job has its row, and no batch of the node is of that time
 *   DB  (deep) SQLite's own integrity_check and foreign_key_check
 */
#ifndef CARBON_STORE_AUDIT_H
#define CARBON_STORE_AUDIT_H

#include "store/store.h"

/* The books of one node in one month (UTC), in millijoules. */
struct audit_balance {
    const char *cluster, *node;
    unsigned year, month;
    int64_t counted_mj;
    int64_t active_mj, idle_mj; /* of the jobs' steps */
    int64_t remainder_mj;       /* of the jobs, outside their steps */
    int64_t system_mj, unallocated_mj;
    int64_t difference_mj;      /* counted - all the others */
};

struct audit_finding {
    const char *rule;   /* "A1" */
    bool fails;         /* energy is missing or wrong; else worth knowing */
    int64_t missing_mj; /* counted by a meter and in no row (A1, A2, A3); may be negative */
    char text[480];     /* which cluster, node, hour, component, and by how much */
    char batches[400];  /* deep, of what is of one hour: which batches hold rows of it; else "" */
    char remedy[320];   /* what to do, in words; "" where nothing is to be done */
};

struct audit_sink {
    void *arg;
    void (*balance)(void *arg, const struct audit_balance *balance); /* by node, then month */
    void (*finding)(void *arg, const struct audit_finding *finding);
};

/* All rules, inside the transaction that is open, or a read transaction of their own. Findings are
   no errors: 0 when all could be checked. */
MUST_CHECK int store_audit(struct store *store, bool deep, const struct audit_sink *sink,
                           struct error *err);

#endif
