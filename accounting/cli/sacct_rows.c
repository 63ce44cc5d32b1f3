#include "cli/sacct_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FAR_S INT64_C(9000000000) /* at a full hour, after any job */

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for the report");
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_whole(struct sacct_rows *rows, const struct query_job *job,
                      const struct sacct_options *options, const struct report_style *style,
                      struct sacct_job *ret, struct error *err)
{
    int64_t from_s = 0, to_s = FAR_S;

    if (style->clipped) {
        from_s = style->from_s;
        to_s = (style->to_s + S_PER_HOUR - 1) / S_PER_HOUR * S_PER_HOUR; /* now is seldom full */
    }
    return job_carbon_read(rows->reader, job, from_s, to_s, options->explain, &ret->carbon, err);
}

static int read_parts(struct sacct_rows *rows, bool has_set, const struct query_job *job,
                      enum parts_by by, const struct report_style *style, struct sacct_job *ret,
                      struct error *err)
{
    int rc = parts_of(job, by, style, &ret->parts, &ret->n_parts, err);

    for (size_t i = 0; rc == 0 && has_set && i < ret->n_parts; i++) {
        struct part *part = &ret->parts[i];

        rc = job_carbon_read(rows->reader, job, part->from_s, part->to_s, false, &part->carbon,
                             err);
    }
    return rc;
}

int sacct_rows_read(struct store *store, const struct basis *basis,
                    const struct query_result *result, const struct sacct_options *options,
                    const struct report_style *style, struct sacct_rows *ret, struct error *err)
{
    bool has_set = basis->set.number > 0;
    bool by = options->by != PARTS_NONE && !options->explain;
    int rc = 0;

    *ret = (struct sacct_rows){ .n_jobs = result->n_jobs };
    ret->reader = job_carbon_reader_new(store, basis);
    ret->jobs = calloc(result->n_jobs + 1, sizeof(*ret->jobs));
    if (!ret->reader || !ret->jobs)
        return no_memory(err);
    for (size_t i = 0; rc == 0 && i < result->n_jobs; i++) {
        if (has_set)
            rc = read_whole(ret, &result->jobs[i], options, style, &ret->jobs[i], err);
        if (rc == 0 && by)
            rc = read_parts(ret, has_set, &result->jobs[i], options->by, style, &ret->jobs[i], err);
    }
    return rc;
}

void sacct_rows_clear(struct sacct_rows *rows)
{
    for (size_t i = 0; rows->jobs && i < rows->n_jobs; i++) {
        job_carbon_clear(&rows->jobs[i].carbon);
        parts_free(rows->jobs[i].parts, rows->jobs[i].n_parts);
    }
    free(rows->jobs);
    job_carbon_reader_free(rows->reader);
    *rows = (struct sacct_rows){ .jobs = NULL };
}

/* --- what if ---------------------------------------------------------------------------------- */

int sacct_what_if_gco2(struct basis *basis, uint64_t ug_per_kwh, struct error *err)
{
    struct grid *grid = &basis->grid;
    struct intensity *figure = calloc(1, sizeof(*figure));

    if (!figure)
        return no_memory(err);
    figure->ug_per_kwh = ug_per_kwh;
    snprintf(figure->zone, sizeof(figure->zone), "what-if");
    snprintf(figure->basis, sizeof(figure->basis), "as given");
    snprintf(figure->source, sizeof(figure->source), "given with --gco2");
    free(grid->annual);
    free(grid->intervals);
    grid->annual = figure;
    grid->n_annual = 1;
    grid->intervals = NULL;
    grid->n_intervals = 0;
    snprintf(grid->zone, sizeof(grid->zone), "what-if");
    snprintf(grid->basis, sizeof(grid->basis), "as given");
    grid->name[0] = grid->scope[0] = grid->source[0] = '\0';
    grid->has_intensity = true;
    return 0;
}

void sacct_what_if(const struct sacct_options *options, const struct grid *grid, bool utf8,
                   struct buf *buf)
{
    if (options->has_gco2) {
        buf_printf(buf, "the grid emitted %.10g g/kWh", (double)options->gco2_ug_per_kwh / 1e6);
    } else if (options->grid) {
        buf_printf(buf, "the grid were that of zone %s (", grid->zone);
        format_text(buf, grid->name, utf8, NULL);
        buf_printf(buf, ")");
    }
}
