/*
 * sums.h - what schema 2 derives from the rows of a batch; private to accounting/store
 *
 * Everything is summed in memory first: the books then get one change for each (hour, job), one
 * for each (hour, node) and one for each (cluster, hour) of a transaction (pending.h).
 */
#ifndef CARBON_STORE_SUMS_H
#define CARBON_STORE_SUMS_H

#include "store/rows.h"
#include "store/store.h"

#define REMAINDER_STEP (-1)   /* of a job, outside its steps */
#define UNALLOCATED_STEP (-1) /* of job 0 */
#define SYSTEM_STEP (-2)      /* of job 0 */

/* A row of the table energy, as it is booked. */
struct sums_row {
    int64_t hour_s, job_key, step_id;
    enum quality quality;
    int64_t active_mj, idle_mj, metered_ms, elapsed_ms;
};

#define ADDED(table, column) column " = " table "." column " + excluded." column
extern const struct insert into_months, into_totals;
extern const struct insert into_job_hours, into_node_hours, into_cluster_hours;

/* SQL, of job_hour and of node_hour: a row that may go with the last of its rows. It has to be
   looked at because of old days the rows are by the day (roll.h). */
#define SUM_OF_NOTHING "active_mj = 0 AND idle_mj = 0 AND elapsed_ms = 0"
#define NODE_SUM_OF_NOTHING \
    SUM_OF_NOTHING " AND counted_mj = 0 AND system_mj = 0 AND unallocated_mj = 0"

struct sums; /* of one batch */

struct sums *sums_new(void);                /* NULL without memory */
struct sums *sums_free(struct sums *sums); /* takes NULL, returns NULL */

/* Add a row of energy; counted energy of an hour. -ENOMEM. */
MUST_CHECK int sums_add_row(struct sums *sums, const struct sums_row *row);
MUST_CHECK int sums_add_counted(struct sums *sums, int64_t hour_s, int64_t counted_mj);

/* Have what a component counted in an hour of a node booked in row row_s of node_total, and add it
   as sums_add_counted(). The component is a constant. */
MUST_CHECK int sums_book_total(struct sums *sums, struct store *store, int64_t node_key,
                               int64_t hour_s, int64_t row_s, const char *component,
                               int64_t counted_mj, struct error *err);

/* Have them added to job_hour, node_hour and cluster_hour (pending.h). Nothing can be added to them
   any more. */
MUST_CHECK int sums_book(struct sums *sums, struct store *store, int64_t node_key,
                         const char *cluster, struct error *err);

/* When an allocation lived: its end, or up to where it was booked. An end before begin is none. */
struct sums_life {
    int64_t begin_ns, last_ns;
};

/* Have those of a new allocation booked with it; -ENOMEM. */
MUST_CHECK int sums_add_months(struct store *store, int64_t allocation_key,
                               const struct sums_life *life);

/* Make allocation_month that of `now`; `before` is what it was made of, NULL for a new row. */
MUST_CHECK int sums_book_months(struct store *store, int64_t allocation_key,
                                const struct sums_life *before, const struct sums_life *now,
                                struct error *err);

#endif
