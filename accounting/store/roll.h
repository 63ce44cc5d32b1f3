/*
 * roll.h - energy by the hour becomes energy by the day when it is old
 *
 * What figures are made of stays by the hour for ever: job_hour, node_hour and cluster_hour. The
 * rows that they are sums of, by step, component, quality and sensor, are many more; of old days
 * `energy` has one for each of them and `node_total` one for each component, at the day's first
 * hour. Most jobs live within a day: one row is then all that such a step had on a node.
 *
 * Invariants:
 *   O1  *_hour are not touched: no figure of a month, a day or an hour can change
 *   O2  of a node, day and component, node_total = sum of its energy rows, after each pass too
 *   O3  hours before the bound may be in their day's row, and later ones never are: the bound is in
 *       the books before the first row is rolled up, and a batch that comes late goes by it
 *   O4  what may be taken back by the hour stays so: rows of losses, and days of a node with
 *       backfilled jobs
 */
#ifndef CARBON_STORE_ROLL_H
#define CARBON_STORE_ROLL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct store;

#define ROLL_DAY_S 86400

/* In one pass: this many rows go, but for one month of one node more, and nodes looked at. */
#define ROLL_ROWS 20000
#define ROLL_NODES 500

/* SQL: hours before this one may be in their day's row; 0: none is. */
#define ROLLED_BEFORE_NAME "energy_rolled_before_s"
#define ROLLED_BEFORE \
    "COALESCE((SELECT CAST(content AS BIGINT) FROM meta WHERE name = '" ROLLED_BEFORE_NAME "'), 0)"
/* SQL: the first hour of a day. */
#define DAY_OF(hour) "(" hour " - " hour " % 86400)"

/* SQL: the hours of job_hour AS h that days(job_key, day_s) have, each found by its key. */
#define ROLL_HOURS_OF_DAYS \
    "h.job_key = days.job_key AND h.hour_s IN (days.day_s, days.day_s + 3600, days.day_s + 7200," \
    " days.day_s + 10800, days.day_s + 14400, days.day_s + 18000, days.day_s + 21600," \
    " days.day_s + 25200, days.day_s + 28800, days.day_s + 32400, days.day_s + 36000," \
    " days.day_s + 39600, days.day_s + 43200, days.day_s + 46800, days.day_s + 50400," \
    " days.day_s + 54000, days.day_s + 57600, days.day_s + 61200, days.day_s + 64800," \
    " days.day_s + 68400, days.day_s + 72000, days.day_s + 75600, days.day_s + 79200," \
    " days.day_s + 82800)"

MUST_CHECK int roll_before(struct store *store, int64_t *ret_s, struct error *err);

/* The hour of `energy` and `node_total` that an hour's amounts are in; before_s: roll_before(). */
int64_t roll_hour(int64_t hour_s, int64_t before_s);

/* A sweep over all nodes; begin it with roll_init(). */
struct roll {
    int64_t before_s;          /* UTC days that were over before this one begins are rolled up */
    int64_t from_s;            /* earlier ones were */
    int64_t node_key, next_s;  /* where to go on */
    bool dry_run, done;
    uint64_t rows;             /* of both tables: how many fewer there are */
};

/* All days that are old enough, or, with `only_new`, those that no finished sweep has seen. */
MUST_CHECK int roll_init(struct store *store, struct roll *roll, uint32_t keep_days, int64_t now_s,
                         bool only_new, struct error *err);

/* One more pass, a transaction of its own, until roll->done. On failure nothing of it was done. */
MUST_CHECK int roll_pass(struct store *store, struct roll *roll, struct error *err);

/* What a sweep would do: roll->rows, at once and without changing anything. */
MUST_CHECK int roll_count(struct store *store, struct roll *roll, struct error *err);

#endif
