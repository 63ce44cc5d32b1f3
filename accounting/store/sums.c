#include "store/sums.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "store/db.h"
#include "store/pending.h"

#define NODE 0 /* in place of a job_key: the sum of the whole node */

/* One hour of one job or of the node; amounts by the columns of node_hour. */
enum { COUNTED, ACTIVE, IDLE, SYSTEM, UNALLOCATED, MEASURED, MODELLED, METERED, ELAPSED, GAP,
       AMOUNTS };
struct sum {
    int64_t hour_s, job_key;
    int64_t amounts[AMOUNTS];
};

struct sums {
    struct sum *items;
    size_t count, room;
};

struct sums *sums_new(void)
{
    return calloc(1, sizeof(struct sums));
}

struct sums *sums_free(struct sums *sums)
{
    if (sums)
        free(sums->items);
    free(sums);
    return NULL;
}

static int add(struct sums *sums, const struct sum *sum)
{
    if (sums->count == sums->room) {
        size_t room = sums->room ? sums->room * 2 : 64;
        struct sum *grown = realloc(sums->items, room * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        sums->items = grown;
        sums->room = room;
    }
    sums->items[sums->count++] = *sum;
    return 0;
}

int sums_add_row(struct sums *sums, const struct sums_row *row)
{
    int64_t all_mj = row->active_mj + row->idle_mj;
    struct sum sum = { .hour_s = row->hour_s, .job_key = row->job_key };
    int rc = 0;

    sum.amounts[METERED] = row->metered_ms;
    sum.amounts[ELAPSED] = row->elapsed_ms;
    sum.amounts[MEASURED] = row->quality == QUALITY_MEASURED ? all_mj : 0;
    sum.amounts[MODELLED] = row->quality == QUALITY_MODELLED ? all_mj : 0;
    sum.amounts[GAP] = row->quality == QUALITY_GAP ? row->elapsed_ms : 0;
    if (row->job_key == 0) {
        sum.amounts[row->step_id == SYSTEM_STEP ? SYSTEM : UNALLOCATED] = all_mj;
        return add(sums, &sum);
    }
    sum.amounts[ACTIVE] = row->active_mj;
    sum.amounts[IDLE] = row->idle_mj;
    rc = add(sums, &sum);
    sum.job_key = NODE;
    return rc == 0 ? add(sums, &sum) : rc;
}

int sums_add_counted(struct sums *sums, int64_t hour_s, int64_t counted_mj)
{
    struct sum sum = { .hour_s = hour_s, .job_key = NODE };

    sum.amounts[COUNTED] = counted_mj;
    return add(sums, &sum);
}

static int compare(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;

    if (x->hour_s != y->hour_s)
        return x->hour_s < y->hour_s ? -1 : 1;
    return x->job_key < y->job_key ? -1 : x->job_key > y->job_key;
}

/* One item for each key. */
static void fold(struct sums *sums)
{
    size_t kept = 0;

    if (sums->count == 0)
        return;
    qsort(sums->items, sums->count, sizeof(*sums->items), compare);
    for (size_t i = 1; i < sums->count; i++) {
        if (compare(&sums->items[kept], &sums->items[i]) != 0) {
            sums->items[++kept] = sums->items[i];
            continue;
        }
        for (int j = 0; j < AMOUNTS; j++)
            sums->items[kept].amounts[j] += sums->items[i].amounts[j];
    }
    sums->count = kept + 1;
}

/* --- into the books -------------------------------------------------------------------------- */

const struct insert into_job_hours = {
    "job_hour", "hour_s, job_key, active_mj, idle_mj, measured_mj, modelled_mj, metered_ms,"
    " elapsed_ms, gap_ms", "iiiiiiiii", 2,
    " ON CONFLICT (hour_s, job_key) DO UPDATE SET "
    ADDED("job_hour", "active_mj") ", " ADDED("job_hour", "idle_mj") ", "
    ADDED("job_hour", "measured_mj") ", " ADDED("job_hour", "modelled_mj") ", "
    ADDED("job_hour", "metered_ms") ", " ADDED("job_hour", "elapsed_ms") ", "
    ADDED("job_hour", "gap_ms"),
};

#define NODE_COLUMNS "counted_mj, active_mj, idle_mj, system_mj, unallocated_mj, measured_mj," \
    " modelled_mj, metered_ms, elapsed_ms, gap_ms"
#define NODE_ADDED(table) \
    ADDED(table, "counted_mj") ", " ADDED(table, "active_mj") ", " ADDED(table, "idle_mj") ", " \
    ADDED(table, "system_mj") ", " ADDED(table, "unallocated_mj") ", " \
    ADDED(table, "measured_mj") ", " ADDED(table, "modelled_mj") ", " \
    ADDED(table, "metered_ms") ", " ADDED(table, "elapsed_ms") ", " ADDED(table, "gap_ms")

const struct insert into_node_hours = {
    "node_hour", "hour_s, node_key, " NODE_COLUMNS, "iiiiiiiiiiii", 2,
    " ON CONFLICT (hour_s, node_key) DO UPDATE SET " NODE_ADDED("node_hour"),
};

const struct insert into_cluster_hours = {
    "cluster_hour", "cluster, hour_s, " NODE_COLUMNS, "tiiiiiiiiiii", 2,
    " ON CONFLICT (cluster, hour_s) DO UPDATE SET " NODE_ADDED("cluster_hour"),
};

const struct insert into_totals = {
    "node_total", "node_key, hour_s, component, counted_mj", "iiti", 3,
    " ON CONFLICT (node_key, hour_s, component) DO UPDATE SET " ADDED("node_total", "counted_mj"),
};

/* The two cells of the key, then amounts. */
static int pour_row(struct adds *adds, struct cell first, struct cell second, const struct sum *sum,
                    const int *columns, int count)
{
    struct cell row[2 + AMOUNTS] = { first, second };

    for (int i = 0; i < count; i++)
        row[2 + i] = cell_int(sum->amounts[columns ? columns[i] : i]);
    return adds_row(adds, row);
}

static int pour_sum(const struct sum *sum, struct pending *pending, int64_t node_key,
                    const char *cluster)
{
    static const int of_job[] = { ACTIVE, IDLE, MEASURED, MODELLED, METERED, ELAPSED, GAP };
    struct cell hour = cell_int(sum->hour_s);
    int rc;

    if (sum->job_key != NODE)
        return pour_row(&pending->job_hours, hour, cell_int(sum->job_key), sum, of_job,
                        sizeof(of_job) / sizeof(of_job[0]));
    rc = pour_row(&pending->node_hours, hour, cell_int(node_key), sum, NULL, AMOUNTS);
    if (rc == 0)
        rc = pour_row(&pending->cluster_hours, cell_text(cluster), hour, sum, NULL, AMOUNTS);
    return rc;
}

int sums_book(struct sums *sums, struct store *store, int64_t node_key, const char *cluster,
              struct error *err)
{
    struct pending *pending = pending_of(store);
    int rc = 0;

    fold(sums);
    cluster = pending ? pending_text(pending, cluster) : NULL;
    for (size_t i = 0; cluster && i < sums->count && rc == 0; i++)
        rc = pour_sum(&sums->items[i], pending, node_key, cluster);
    return !cluster || rc < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

int sums_book_total(struct sums *sums, struct store *store, int64_t node_key, int64_t hour_s,
                    int64_t row_s, const char *component, int64_t counted_mj, struct error *err)
{
    struct pending *pending = pending_of(store);
    const struct cell row[] = { cell_int(node_key), cell_int(row_s), cell_text(component),
                                cell_int(counted_mj) };

    if (!pending || adds_row(&pending->totals, row) < 0 ||
        sums_add_counted(sums, hour_s, counted_mj) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return 0;
}

/* --- months ---------------------------------------------------------------------------------- */

const struct insert into_months = {
    "allocation_month", "month_s, allocation_key", "ii", 2, "",
};

static const char SQL_ADD_MONTH[] =
    "INSERT INTO allocation_month (month_s, allocation_key) VALUES (?1, ?2)";
static const char SQL_DROP_MONTH[] =
    "DELETE FROM allocation_month WHERE month_s = ?1 AND allocation_key = ?2";

/* First seconds of its first and last month. */
struct months {
    int64_t first_s, last_s;
};

static struct months months_of(const struct sums_life *life)
{
    int64_t last_ns = life->last_ns > life->begin_ns ? life->last_ns : life->begin_ns;

    return (struct months){ clock_month_begin_s(life->begin_ns / (int64_t)NS_PER_S),
                            clock_month_begin_s(last_ns / (int64_t)NS_PER_S) };
}

/* Run `sql` for every month that `of` has and `without` has not. */
static int for_months(struct store *store, const char *sql, int64_t allocation_key,
                      const struct months *of, const struct months *without, struct error *err)
{
    int rc = 0;

    for (int64_t month_s = of->first_s; month_s <= of->last_s && rc == 0;
         month_s = clock_month_next_s(month_s)) {
        struct stmt *stmt;

        if (without && month_s >= without->first_s && month_s <= without->last_s)
            continue;
        stmt = store_statement(store, sql, err);
        if (!stmt)
            return -EIO;
        stmt_bind_int(stmt, 1, month_s);
        stmt_bind_int(stmt, 2, allocation_key);
        rc = store_run(store, stmt, err);
    }
    return rc;
}

int sums_add_months(struct store *store, int64_t allocation_key, const struct sums_life *life)
{
    const struct months months = months_of(life);
    int rc = 0;

    for (int64_t month_s = months.first_s; month_s <= months.last_s && rc == 0;
         month_s = clock_month_next_s(month_s)) {
        const struct cell row[] = { cell_int(month_s), cell_int(allocation_key) };

        rc = adds_row(&store->pending->months, row);
    }
    return rc;
}

int sums_book_months(struct store *store, int64_t allocation_key, const struct sums_life *before,
                     const struct sums_life *now, struct error *err)
{
    struct months fresh = months_of(now), stale;
    int rc;

    if (!before)
        return for_months(store, SQL_ADD_MONTH, allocation_key, &fresh, NULL, err);
    stale = months_of(before);
    if (stale.first_s == fresh.first_s && stale.last_s == fresh.last_s)
        return 0;
    rc = pending_book_jobs(store, err);
    if (rc == 0)
        rc = for_months(store, SQL_DROP_MONTH, allocation_key, &stale, &fresh, err);
    return rc == 0 ? for_months(store, SQL_ADD_MONTH, allocation_key, &fresh, &stale, err) : rc;
}
