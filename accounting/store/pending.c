#include "config.h"

#include "store/pending.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"
#include "store/known.h"
#include "store/sums.h"

static const struct insert into_components = {
    "batch_component", "node_key, stream, seq, component, begin_uj, end_uj", "ititii", 4, "",
};

static const struct insert into_energy = {
    "energy", "node_key, hour_s, job_key, step_id, component, quality, sensor, active_mj, idle_mj,"
    " metered_ms, elapsed_ms", "iiiitttiiii", 7,
    " ON CONFLICT (node_key, hour_s, job_key, step_id, component, quality, sensor) DO UPDATE SET "
    ADDED("energy", "active_mj") ", " ADDED("energy", "idle_mj") ", "
    ADDED("energy", "metered_ms") ", " ADDED("energy", "elapsed_ms"),
};

static const struct insert into_power = {
    "power", "job_key, minute_s, node_key, component, energy_mj, span_ms", "iiitii", 4,
    " ON CONFLICT (job_key, minute_s, node_key, component) DO UPDATE SET "
    ADDED("power", "energy_mj") ", " ADDED("power", "span_ms"),
};

struct pending *pending_of(struct store *store)
{
    if (store->pending)
        return store->pending;
    store->pending = calloc(1, sizeof(*store->pending));
    if (!store->pending)
        return NULL;
    store->pending->jobs.insert = &into_jobs;
    store->pending->months.insert = &into_months;
    store->pending->batches.insert = &into_batches;
    store->pending->components.insert = &into_components;
    store->pending->energy.insert = &into_energy;
    store->pending->power.insert = &into_power;
    store->pending->totals.insert = &into_totals;
    store->pending->job_hours.insert = &into_job_hours;
    store->pending->node_hours.insert = &into_node_hours;
    store->pending->cluster_hours.insert = &into_cluster_hours;
    return store->pending;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *pending_text(struct pending *pending, const char *text)
{
    char **found = tfind(text, &pending->texts, compare), *copy;

    if (found)
        return *found;
    copy = strdup(text);
    if (copy && !tsearch(copy, &pending->texts, compare)) {
        free(copy);
        return NULL;
    }
    return copy;
}

/* Whoever else ends a part of it waits here, and looks at its allocations after us. */
static const char SQL_HOLD_JOB[] = "UPDATE job SET end_s = end_s WHERE job_key = ?1";

static const char SQL_END_JOB[] =
    "UPDATE job SET end_s = CASE WHEN EXISTS"
    " (SELECT 1 FROM allocation WHERE job_key = ?1 AND end_ns IS NULL) THEN NULL"
    " ELSE (SELECT MAX(end_ns) / 1000000000 FROM allocation WHERE job_key = ?1) END"
    " WHERE job_key = ?1";

int pending_end_job(struct pending *pending, int64_t job_key)
{
    int64_t *grown = reallocarray(pending->ended.keys, pending->ended.count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    grown[pending->ended.count++] = job_key;
    pending->ended.keys = grown;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int end_jobs(struct store *store, struct ended *ended, struct error *err)
{
    int rc = 0;

    if (ended->count)
        qsort(ended->keys, ended->count, sizeof(*ended->keys), compare_keys);
    for (size_t i = 0; rc == 0 && i < ended->count; i++) {
        if (i > 0 && ended->keys[i] == ended->keys[i - 1])
            continue;
        if (store->shared)
            rc = store_run_with(store, SQL_HOLD_JOB, &ended->keys[i], 1, err);
        if (rc == 0)
            rc = store_run_with(store, SQL_END_JOB, &ended->keys[i], 1, err);
    }
    ended->count = 0;
    return rc;
}

int pending_book_runs(struct store *store, struct error *err)
{
    return adds_book(&store->pending->jobs, store, err);
}

int pending_book_jobs(struct store *store, struct error *err)
{
    struct pending *pending = store->pending;
    int rc;

    if (!pending)
        return 0;
    rc = pending_book_runs(store, err);
    if (rc == 0)
        rc = adds_book(&pending->batches, store, err);
    if (rc == 0)
        rc = known_book_allocations(store, err);
    if (rc == 0)
        rc = adds_book(&pending->months, store, err);
    return rc == 0 ? end_jobs(store, &pending->ended, err) : rc;
}

/* In one order for all who load: what many of them add to comes last, and is held shortest. */
int pending_book(struct store *store, struct error *err)
{
    struct pending *pending = store->pending;
    int rc = pending_book_jobs(store, err);

    if (!pending)
        return 0;
    struct adds *const amounts[] = { &pending->components, &pending->energy, &pending->totals,
                                     &pending->power, &pending->node_hours, &pending->job_hours,
                                     &pending->cluster_hours };
    if (rc == 0)
        rc = known_book_steps(store, err);
    for (size_t i = 0; rc == 0 && i < sizeof(amounts) / sizeof(amounts[0]); i++)
        rc = adds_book(amounts[i], store, err);
    return rc;
}

void pending_drop(struct store *store)
{
    struct pending *pending = store->pending;

    if (!pending)
        return;
    adds_clear(&pending->jobs);
    adds_clear(&pending->months);
    adds_clear(&pending->batches);
    adds_clear(&pending->components);
    adds_clear(&pending->energy);
    adds_clear(&pending->totals);
    adds_clear(&pending->power);
    adds_clear(&pending->job_hours);
    adds_clear(&pending->node_hours);
    adds_clear(&pending->cluster_hours);
    known_drop(pending);
    free(pending->ended.keys);
    tdestroy(pending->texts, free);
    free(pending);
    store->pending = NULL;
}
