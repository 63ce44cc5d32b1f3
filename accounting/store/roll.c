#include "store/roll.h"

#include <errno.h>

#include "store/db.h"
#include "store/sums.h"

#define WINDOW_S ((int64_t)31 * ROLL_DAY_S) /* of one node, in one statement */

int64_t roll_hour(int64_t hour_s, int64_t before_s)
{
    return hour_s < before_s ? hour_s - hour_s % ROLL_DAY_S : hour_s;
}

/* --- notes ----------------------------------------------------------------------------------- */

#define SWEPT "energy_rolled_s"

int roll_before(struct store *store, int64_t *ret_s, struct error *err)
{
    return store_integer(store, "SELECT " ROLLED_BEFORE, ret_s, err);
}

int roll_init(struct store *store, struct roll *roll, uint32_t keep_days, int64_t now_s,
              bool only_new, struct error *err)
{
    int64_t before_s = now_s - (int64_t)keep_days * ROLL_DAY_S;
    int rc;

    *roll = (struct roll){ .before_s = before_s > 0 ? before_s - before_s % ROLL_DAY_S : 0 };
    if (!only_new)
        return 0;
    rc = store_noted(store, SWEPT, &roll->from_s, err);
    return rc < 0 ? rc : 0;
}

/* --- one node -------------------------------------------------------------------------------- */

static const char SQL_FIRST_HOUR[] =
    "SELECT MIN(hour_s) FROM ("
    "SELECT MIN(hour_s) AS hour_s FROM energy WHERE node_key = ?1 AND hour_s >= ?2 AND hour_s < ?3"
    " UNION ALL SELECT MIN(hour_s) FROM node_total"
    "  WHERE node_key = ?1 AND hour_s >= ?2 AND hour_s < ?3) AS firsts";

/* ?1 the node, ?2 and ?3 from which day to which; O4 */
#define OLD(table) \
    " FROM " table " WHERE node_key = ?1 AND hour_s >= ?2 AND hour_s < ?3 AND NOT EXISTS" \
    " (SELECT 1 FROM backfill WHERE backfill.node_key = ?1" \
    "  AND backfill.end_ns > " DAY_OF(table ".hour_s") " * 1000000000" \
    "  AND backfill.begin_ns < (" DAY_OF(table ".hour_s") " + 86400) * 1000000000)"
#define OLD_ENERGY OLD("energy") " AND sensor NOT LIKE 'lost %'"
#define OLD_TOTALS OLD("node_total")
#define LATER " AND hour_s % 86400 <> 0" /* than the hour that the day's row has */
#define DAYS " GROUP BY node_key, " DAY_OF("hour_s") ", component"
#define ENERGY_DAYS DAYS ", job_key, step_id, quality, sensor"

static const char SQL_COUNT[] =
    "SELECT COALESCE(SUM(hours - 1), 0) FROM ("
    "SELECT COUNT(*) AS hours" OLD_ENERGY ENERGY_DAYS
    " UNION ALL SELECT COUNT(*)" OLD_TOTALS DAYS ") AS days";

static const char *const steps[] = {
    "INSERT INTO energy (node_key, hour_s, job_key, step_id, component, quality, sensor, active_mj,"
    " idle_mj, metered_ms, elapsed_ms) SELECT node_key, " DAY_OF("hour_s") ", job_key, step_id,"
    " component, quality, sensor, SUM(active_mj), SUM(idle_mj), SUM(metered_ms), SUM(elapsed_ms)"
    OLD_ENERGY LATER ENERGY_DAYS
    " ON CONFLICT (node_key, hour_s, job_key, step_id, component, quality, sensor) DO UPDATE SET "
    ADDED("energy", "active_mj") ", " ADDED("energy", "idle_mj") ", "
    ADDED("energy", "metered_ms") ", " ADDED("energy", "elapsed_ms"),
    "DELETE" OLD_ENERGY LATER,
    "INSERT INTO node_total (node_key, hour_s, component, counted_mj)"
    " SELECT node_key, " DAY_OF("hour_s") ", component, SUM(counted_mj)" OLD_TOTALS LATER DAYS
    " ON CONFLICT (node_key, hour_s, component) DO UPDATE SET " ADDED("node_total", "counted_mj"),
    "DELETE" OLD_TOTALS LATER,
};

static struct stmt *of_node(struct store *store, const char *sql, int64_t node_key, int64_t from_s,
                            int64_t to_s, struct error *err)
{
    struct stmt *stmt = store_statement(store, sql, err);

    if (!stmt)
        return NULL;
    stmt_bind_int(stmt, 1, node_key);
    stmt_bind_int(stmt, 2, from_s);
    stmt_bind_int(stmt, 3, to_s);
    return stmt;
}

/* The number that it gives; 1, 0 when there is none, or an errno. */
static int ask(struct store *store, struct stmt *stmt, int64_t *ret, struct error *err)
{
    int rc = stmt ? store_step(store, stmt, err) : -EIO;

    if (rc <= 0)
        return rc;
    rc = !stmt_is_null(stmt, 0);
    *ret = stmt_int(stmt, 0);
    stmt_reset(stmt);
    return rc;
}

/* Days of one node: a window of them. */
static int roll_window(struct store *store, struct roll *roll, int64_t to_s, struct error *err)
{
    int64_t rows = 0;
    int rc = ask(store, of_node(store, SQL_COUNT, roll->node_key, roll->next_s, to_s, err), &rows,
                 err);

    for (size_t i = 0; rc >= 0 && !roll->dry_run && i < sizeof(steps) / sizeof(steps[0]); i++) {
        const int64_t values[] = { roll->node_key, roll->next_s, to_s };

        rc = store_run_with(store, steps[i], values, 3, err);
    }
    roll->rows += (uint64_t)rows;
    roll->next_s = to_s;
    return rc < 0 ? rc : 0;
}

/* --- a pass ---------------------------------------------------------------------------------- */

/* The next window that has rows, or roll->done. Returns 1 when a node was ended. */
static int step(struct store *store, struct roll *roll, struct error *err)
{
    int64_t to_s, first_s = 0;
    int rc = store_next_node(store, roll->node_key, &to_s, err);

    roll->done = rc == 0;
    if (rc <= 0)
        return rc;
    if (to_s != roll->node_key || roll->next_s < roll->from_s) {
        roll->node_key = to_s;
        roll->next_s = roll->from_s;
    }
    rc = ask(store, of_node(store, SQL_FIRST_HOUR, roll->node_key, roll->next_s, roll->before_s,
                            err), &first_s, err);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        roll->node_key++;
        roll->next_s = roll->from_s;
        return 1;
    }
    roll->next_s = first_s - first_s % ROLL_DAY_S;
    to_s = roll->next_s + WINDOW_S < roll->before_s ? roll->next_s + WINDOW_S : roll->before_s;
    return roll_window(store, roll, to_s, err);
}

static int pass(struct store *store, struct roll *roll, struct error *err)
{
    const uint64_t rows = roll->rows;
    int rc = 0, nodes = 0;

    if (!roll->dry_run)
        rc = store_note(store, ROLLED_BEFORE_NAME, roll->before_s, true, err);
    while (rc >= 0 && !roll->done &&
           (roll->dry_run || (roll->rows - rows < ROLL_ROWS && nodes < ROLL_NODES))) {
        rc = step(store, roll, err);
        nodes += rc > 0;
    }
    return rc < 0 ? rc : 0;
}

int roll_pass(struct store *store, struct roll *roll, struct error *err)
{
    struct roll next = *roll;
    int rc = store_begin(store, err);

    if (rc == 0)
        rc = pass(store, &next, err);
    if (rc == 0 && next.done)
        rc = store_note(store, SWEPT, next.before_s, true, err);
    if (rc == 0)
        rc = store_commit(store, err);
    if (rc < 0) {
        store_rollback(store);
        return rc;
    }
    *roll = next;
    return 0;
}

int roll_count(struct store *store, struct roll *roll, struct error *err)
{
    roll->dry_run = true;
    return pass(store, roll, err);
}
