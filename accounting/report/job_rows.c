#include "report/job_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define FAR_S INT64_C(9000000000) /* at a full hour, after any job */

struct job_rows {
    int64_t factor_set; /* 0: not known yet */
    bool loaded;
    int64_t from_s, to_s; /* the basis has the grid's hours of these */
    struct basis basis;
    struct report_method method;
    struct report_style style;
    struct job_carbon_reader *reader;
};

struct job_rows *job_rows_new(int64_t factor_set)
{
    struct job_rows *rows = calloc(1, sizeof(*rows));

    if (rows)
        *rows = (struct job_rows){ .factor_set = factor_set };
    return rows;
}

static void unload(struct job_rows *rows)
{
    rows->reader = job_carbon_reader_free(rows->reader);
    basis_clear(&rows->basis);
    rows->loaded = false;
}

struct job_rows *job_rows_free(struct job_rows *rows)
{
    if (rows)
        unload(rows);
    free(rows);
    return NULL;
}

static bool has_hours(const struct job_rows *rows, int64_t from_s, int64_t to_s)
{
    return rows->loaded && (from_s >= to_s || (from_s >= rows->from_s && to_s <= rows->to_s));
}

/* Of the hours that were there before, too: the next jobs may be of any of them. */
static int load(struct job_rows *rows, struct store *store, int64_t from_s, int64_t to_s,
                struct error *err)
{
    int rc;

    if (has_hours(rows, from_s, to_s))
        return 0;
    if (rows->from_s < rows->to_s && rows->from_s < from_s)
        from_s = rows->from_s;
    if (rows->to_s > to_s)
        to_s = rows->to_s;
    unload(rows);
    rc = basis_load(store, rows->factor_set, NULL, from_s, to_s, &rows->basis, err);
    if (rc < 0 && (rc != -ENODATA || rows->factor_set > 0))
        return rc;
    rows->factor_set = rows->basis.set.number;
    rows->from_s = rc < 0 ? 0 : from_s; /* without a set there is nothing to read again */
    rows->to_s = rc < 0 ? FAR_S : to_s;
    rows->method = (struct report_method){ .basis = &rows->basis, .grid = &rows->basis.grid };
    rows->reader = job_carbon_reader_new(store, &rows->basis);
    if (!rows->reader)
        return error_set(err, -ENOMEM, "no memory for emissions");
    rows->loaded = true;
    return 0;
}

int job_rows_each(struct job_rows *rows, struct store *store, const struct query_result *result,
                  int (*take)(void *arg, const struct row *row), void *arg, struct error *err)
{
    int64_t from_s, to_s;
    int rc;

    job_carbon_span(result, &from_s, &to_s);
    rc = load(rows, store, from_s, to_s, err);
    for (size_t i = 0; rc == 0 && i < result->n_jobs; i++) {
        struct job_carbon carbon = { .refusal = NULL };
        struct row row;

        if (rows->factor_set > 0)
            rc = job_carbon_read(rows->reader, &result->jobs[i], 0, FAR_S, false, &carbon, err);
        row = row_of(&result->jobs[i], NULL, &carbon, &rows->method, &rows->style);
        if (rc == 0)
            rc = take(arg, &row);
        job_carbon_clear(&carbon);
    }
    return rc;
}
