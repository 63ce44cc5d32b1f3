#include "report/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "report/json_doc.h"

#define NS_PER_S_SIGNED ((int64_t)NS_PER_S)

/* --- parts ------------------------------------------------------------------------------------ */

static json_t *amount_of(struct json_doc *doc, uint64_t active_mj, uint64_t idle_mj)
{
    json_t *object = json_object();

    json_put_integer(doc, object, "active_mj", active_mj);
    json_put_integer(doc, object, "idle_mj", idle_mj);
    json_put_integer(doc, object, "total_mj", active_mj + idle_mj);
    json_put(doc, object, "total_kwh",
             json_real((double)(active_mj + idle_mj) / (double)MJ_PER_KWH));
    return object;
}

static json_t *energy_of(struct json_doc *doc, const struct usage *usage)
{
    json_t *object;

    if (!usage->has)
        return json_null();
    object = amount_of(doc, usage_active_mj(usage), usage_idle_mj(usage));
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        bool known = usage->components & 1u << i;

        json_put(doc, object, component_names[i],
                 known ? amount_of(doc, usage->active_mj[i], usage->idle_mj[i]) : json_null());
    }
    return object;
}

static json_t *grams_of(struct json_doc *doc, const struct row *row)
{
    json_t *object;

    if (!row->has_grams)
        return json_null();
    object = json_object();
    json_put(doc, object, "active_g", json_real(row->grams.active_g));
    json_put(doc, object, "idle_g", json_real(row->grams.idle_g));
    json_put(doc, object, "overhead_g", json_real(row->grams.overhead_g));
    json_put(doc, object, "total_g", json_real(row->grams.total_g));
    json_put(doc, object, "mean_intensity_g_per_kwh", json_real((double)row->ug_per_kwh / 1e6));
    json_put(doc, object, "mean_pue", json_real((double)row->pue_ppm / (double)PPM));
    return object;
}

static json_t *sensors_of(struct json_doc *doc, const char *sensors)
{
    json_t *array = json_array();

    while (*sensors != '\0') {
        size_t len = strcspn(sensors, ",");

        if (json_array_append_new(array, json_stringn(sensors, len)) != 0)
            doc->failed = true;
        sensors += len;
        sensors += strspn(sensors, ", ");
    }
    return array;
}

static json_t *quality_of(struct json_doc *doc, const struct usage *usage)
{
    json_t *object = json_object();

    json_put_integer(doc, object, "measured_mj", usage->quality_mj[QUALITY_MEASURED]);
    json_put_integer(doc, object, "modelled_mj", usage->quality_mj[QUALITY_MODELLED]);
    json_put_integer(doc, object, "gap_mj", usage->quality_mj[QUALITY_GAP]);
    json_put_integer(doc, object, "metered_domain_ms", usage->metered_ms);
    json_put_integer(doc, object, "elapsed_domain_ms", usage->elapsed_ms);
    json_put_integer(doc, object, "gap_domain_ms", usage->gap_ms);
    json_put(doc, object, "coverage_ratio",
             usage->elapsed_ms > 0
                 ? json_real((double)usage->metered_ms / (double)usage->elapsed_ms)
                 : json_null());
    json_put(doc, object, "sensors", sensors_of(doc, usage->sensors));
    return object;
}

static json_t *power_of(struct json_doc *doc, const struct row *row)
{
    json_t *object = json_object();
    uint64_t mw;

    json_put(doc, object, "average_mw", row_average_mw(row, &mw) ? json_integer((json_int_t)mw)
             : json_null());
    if (row->step)
        return object;
    json_put(doc, object, "peak_mw", row_peak_mw(row, &mw) ? json_integer((json_int_t)mw)
             : json_null());
    if (row->job->peak_mw.has)
        json_put_instant(doc, object, "peak_minute_utc", row->job->peak_minute_s);
    else
        json_put(doc, object, "peak_minute_utc", json_null());
    return object;
}

static json_t *flags_of(struct json_doc *doc, uint32_t flags)
{
    json_t *array = json_array();

    for (unsigned bit = 0; flag_names[bit]; bit++) {
        if ((flags & 1u << bit) && json_array_append_new(array, json_string(flag_names[bit])) != 0)
            doc->failed = true;
    }
    return array;
}

/* What a job and a step have in common. */
static void put_common(struct json_doc *doc, json_t *object, const struct row *row)
{
    const struct state *state = row_state(row);
    bool timed = row_has_times(row);
    bool ended = timed && !row_is_open(row);

    if (timed)
        json_put_instant(doc, object, "begin_utc", row_begin_ns(row) / NS_PER_S_SIGNED);
    else
        json_put(doc, object, "begin_utc", json_null());
    if (ended)
        json_put_instant(doc, object, "end_utc", row_end_ns(row) / NS_PER_S_SIGNED);
    else
        json_put(doc, object, "end_utc", json_null());
    json_put(doc, object, "elapsed_ms", timed ? json_integer((json_int_t)row_elapsed_ms(row))
             : json_null());
    json_put_text(doc, object, "state", state ? state->name : NULL);
    json_put_maybe(doc, object, "exit_status",
                   row->step ? row->step->exit_status : row->job->exit_status);
    json_put(doc, object, "energy", energy_of(doc, row->usage));
    json_put(doc, object, "power", power_of(doc, row));
    json_put(doc, object, "operational_co2e", grams_of(doc, row));
    json_put(doc, object, "quality", quality_of(doc, row->usage));
    json_put(doc, object, "flags", flags_of(doc, row_flags(row)));
}

static json_t *step_of(struct json_doc *doc, const struct row *row)
{
    json_t *object = json_object();
    struct buf text;

    buf_init(&text);
    step_name(row->step->step_id, &text);
    json_put_buf(doc, object, "step", &text);
    put_common(doc, object, row);
    if (!row->step->has_record)
        return object;
    json_put_integer(doc, object, "nodes", row->step->nodes);
    json_put_integer(doc, object, "cores", row->step->cores);
    json_put_integer(doc, object, "gpus", row->step->gpus);
    json_put_integer(doc, object, "cpu_ns", row->step->cpu_ns);
    return object;
}

static json_t *nodes_of(struct json_doc *doc, const struct row *row)
{
    const struct query_job *job = row->job;
    json_t *object = json_object(), *array = json_array();
    struct buf text;

    json_put_maybe(doc, object, "allocated", job->node_count);
    json_put_integer(doc, object, "reported", job->n_nodes);
    buf_init(&text);
    row_node_list(row, &text);
    json_put_buf(doc, object, "list", &text);
    for (size_t i = 0; i < job->n_nodes; i++) {
        const struct query_node *node = &job->nodes[i];
        json_t *item = json_object();

        json_put_text(doc, item, "name", node->name);
        json_put(doc, item, "cores", node->cores > 0 ? json_integer(node->cores) : json_null());
        json_put_integer(doc, item, "gpus", node->gpus);
        json_put(doc, item, "memory_mb", node->memory_mb > 0
                 ? json_integer((json_int_t)node->memory_mb) : json_null());
        json_put_instant(doc, item, "as_of_utc", node->seen_ns / NS_PER_S_SIGNED);
        if (json_array_append_new(array, item) != 0)
            doc->failed = true;
    }
    json_put(doc, object, "each", array);
    return object;
}

static json_t *job_of(struct json_doc *doc, const struct row *row)
{
    const struct query_job *job = row->job;
    json_t *object = json_object();
    struct buf text;

    buf_init(&text);
    row_job_id(row, false, &text);
    json_put_buf(doc, object, "job", &text);
    json_put_integer(doc, object, "job_id", job->job_id);
    json_put_text(doc, object, "cluster", job->cluster);
    json_put_integer(doc, object, "restart_count", job->restart_count);
    json_put_text(doc, object, "sluid", job->sluid);
    json_put_maybe(doc, object, "array_job_id", job->array_job_id);
    json_put_maybe(doc, object, "array_task_id", job->array_task_id);
    json_put_maybe(doc, object, "het_job_id", job->het_job_id);
    json_put_maybe(doc, object, "het_offset", job->het_offset);
    json_put_text(doc, object, "name", job->name);
    json_put_text(doc, object, "user", job->user);
    json_put_maybe(doc, object, "uid", job->uid);
    json_put_maybe(doc, object, "gid", job->gid);
    json_put_text(doc, object, "account", job->account);
    json_put_text(doc, object, "partition", job->partition);
    json_put_text(doc, object, "qos", job->qos);
    json_put(doc, object, "nodes", nodes_of(doc, row));
    json_put_instant(doc, object, "as_of_utc", job_as_of_s(job));
    put_common(doc, object, row);
    json_put(doc, object, "complete", json_boolean(job_is_complete(job)));
    return object;
}

static void put_set(struct json_doc *doc, json_t *object, const struct report_method *method)
{
    if (method->factor_set > 0) {
        json_put(doc, object, "factor_set", json_integer(method->factor_set));
        json_put_instant(doc, object, "factor_set_made_utc", method->made_s);
    } else {
        json_put(doc, object, "factor_set", json_null());
        json_put(doc, object, "factor_set_made_utc", json_null());
    }
}

/* What is the same for all hours, else null: each row has its means. */
static json_t *method_of(struct json_doc *doc, const struct report_method *method)
{
    const struct grid *grid = method->grid;
    bool known = grid->has_intensity;
    const struct intensity *figure = known ? method_figure(method) : NULL;
    json_t *object = json_object();
    struct buf source;

    json_put(doc, object, "formula", json_string("energy_kwh x pue x intensity_g_per_kwh"));
    put_set(doc, object, method);
    json_put(doc, object, "pue", grid->n_pues > 0 || grid->pue_ppm == 0
             ? json_null() : json_real((double)grid->pue_ppm / (double)PPM));
    json_put_text(doc, object, "zone", known ? grid->zone : NULL);
    json_put_text(doc, object, "zone_name", known ? grid->name : NULL);
    json_put(doc, object, "intensity_g_per_kwh",
             figure ? json_real((double)figure->ug_per_kwh / 1e6) : json_null());
    json_put(doc, object, "intensity_year", figure ? json_integer(figure->year) : json_null());
    json_put_text(doc, object, "intensity_basis",
                  figure ? figure->basis : known ? grid->basis : NULL);
    buf_init(&source);
    if (known)
        method_write_source(method, true, &source);
    json_put_text(doc, object, "intensity_source", source.data);
    buf_free(&source);
    json_put(doc, object, "not_included",
             json_pack("[ss]", "embodied emissions", "unallocated idle energy of the cluster"));
    return object;
}

/* --- the document ----------------------------------------------------------------------------- */

/* A job's object when the row is of another job than the one before. */
static json_t *steps_for(struct json_doc *doc, json_t *jobs, const struct row *row)
{
    struct row job_row = row_of(row->job, NULL, row->method, row->style);
    json_t *job = job_of(doc, &job_row);
    json_t *steps = json_array();

    json_put(doc, job, "steps", steps);
    if (json_array_append_new(jobs, job) != 0)
        doc->failed = true;
    return steps;
}

int json_write(const struct row *rows, size_t count, const struct report_method *method,
               struct buf *buf, struct error *err)
{
    struct json_doc doc = { false };
    json_t *root = json_object(), *jobs = json_array(), *steps = NULL;

    json_put(&doc, root, "format", json_string("sacct-carbon-1"));
    json_put(&doc, root, "method", method_of(&doc, method));
    if (count > 0 && rows[0].style->clipped) {
        json_put_instant(&doc, root, "clipped_from_utc", rows[0].style->from_s);
        json_put_instant(&doc, root, "clipped_to_utc", rows[0].style->to_s);
    }
    json_put(&doc, root, "jobs", jobs);
    for (size_t i = 0; i < count && !doc.failed; i++) {
        if (i == 0 || rows[i].job != rows[i - 1].job)
            steps = steps_for(&doc, jobs, &rows[i]);
        if (rows[i].step && json_array_append_new(steps, step_of(&doc, &rows[i])) != 0)
            doc.failed = true;
    }
    json_doc_write(&doc, root, buf);
    return doc.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the JSON") : 0;
}
