#include "store/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "store/db.h"

#define NAMES_MAX 900 /* bound texts in one statement: SQLite 3.26 takes 999 */

const char *const profile_component_names[] = { "cpu", "memory", "gpu", "other", "all", NULL };

/* --- rows ------------------------------------------------------------------------------------- */

static int prepare(struct store *store, const struct profile_filter *filter, struct stmt **ret,
                   struct error *err)
{
    struct buf sql;
    int rc = 0;

    if (filter->nodes.count > NAMES_MAX)
        return error_set(err, -E2BIG, "more than %d nodes in one question: name fewer", NAMES_MAX);
    buf_init(&sql);
    buf_printf(&sql, "SELECT p.minute_s, n.name, p.component, p.energy_mj, p.span_ms FROM power p"
                     " JOIN node n ON n.node_key = p.node_key WHERE p.job_key = %lld"
                     " AND p.minute_s >= %lld AND p.minute_s < %lld AND p.span_ms <> 0",
               (long long)filter->job_key, (long long)filter->from_s, (long long)filter->to_s);
    for (size_t i = 0; i < filter->nodes.count; i++)
        buf_printf(&sql, "%s", i == 0 ? " AND n.name IN (?" : ",?");
    buf_printf(&sql, "%s ORDER BY p.minute_s, n.name, CASE p.component WHEN 'cpu' THEN 0"
                     " WHEN 'memory' THEN 1 WHEN 'gpu' THEN 2 WHEN 'other' THEN 3 ELSE 4 END",
               filter->nodes.count > 0 ? ")" : "");
    if (buf_failed(&sql))
        rc = error_set(err, -ENOMEM, "no memory to read the database");
    else
        rc = store_prepare(store, sql.data, ret, err);
    buf_free(&sql);
    for (size_t i = 0; rc == 0 && i < filter->nodes.count; i++)
        stmt_bind_text(*ret, (int)i + 1, filter->nodes.names[i]);
    return rc;
}

static int read_row(struct stmt *stmt, struct profile_row *row, struct error *err)
{
    const char *component = stmt_text(stmt, 2);
    int64_t energy_mj = stmt_int(stmt, 3), span_ms = stmt_int(stmt, 4);

    *row = (struct profile_row){
        .minute_s = stmt_int(stmt, 0),
        .node = stmt_text(stmt, 1),
        .energy_mj = (uint64_t)energy_mj,
        .span_ms = (uint64_t)span_ms,
    };
    while (component && row->component < PROFILE_COMPONENTS &&
           strcmp(component, profile_component_names[row->component]) != 0)
        row->component++;
    if (!component || !row->node || row->component == PROFILE_COMPONENTS || energy_mj < 0 ||
        span_ms < 0)
        return error_set(err, -EBADMSG, "the job has power that cannot be (below zero, or of an "
                         "unknown component): run carbonctl audit");
    return 0;
}

int profile_each(struct store *store, const struct profile_filter *filter,
                 int (*take)(void *arg, const struct profile_row *row), void *arg,
                 struct error *err)
{
    struct stmt *stmt = NULL;
    int rc = prepare(store, filter, &stmt, err), step = 0;

    while (rc == 0 && (step = store_step(store, stmt, err)) > 0) {
        struct profile_row row;

        rc = read_row(stmt, &row, err);
        if (rc == 0)
            rc = take(arg, &row);
    }
    stmt_free(stmt);
    return rc == 0 ? step : rc;
}

/* --- minutes ---------------------------------------------------------------------------------- */

struct reading {
    struct profile *profile;
    char node[256]; /* of the row before: rows of a node come together */
    struct error *err;
};

static int take_row(void *arg, const struct profile_row *row)
{
    struct reading *reading = arg;
    struct profile *profile = reading->profile;
    struct profile_minute *minute =
        profile->n_minutes ? &profile->minutes[profile->n_minutes - 1] : NULL;

    if (!minute || minute->minute_s != row->minute_s) {
        struct profile_minute fresh = { .minute_s = row->minute_s };

        minute = batch_push(&profile->minutes, &profile->n_minutes, sizeof(fresh), &fresh);
        if (!minute)
            return error_set(reading->err, -ENOMEM, "no memory for the job's minutes");
        reading->node[0] = '\0';
    }
    if (strcmp(reading->node, row->node) != 0)
        minute->nodes++;
    snprintf(reading->node, sizeof(reading->node), "%s", row->node);
    minute->energy_mj[row->component] += row->energy_mj;
    if (minute->span_ms < row->span_ms)
        minute->span_ms = row->span_ms;
    profile->components |= 1u << row->component;
    return 0;
}

int profile_read(struct store *store, const struct profile_filter *filter, struct profile *ret,
                 struct error *err)
{
    struct reading reading = { .profile = ret, .err = err };
    int rc;

    *ret = (struct profile){ 0 };
    rc = profile_each(store, filter, take_row, &reading, err);
    if (rc < 0)
        profile_clear(ret);
    return rc;
}

void profile_clear(struct profile *profile)
{
    free(profile->minutes);
    *profile = (struct profile){ 0 };
}
