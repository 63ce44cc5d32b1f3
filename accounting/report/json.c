#include "report/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "report/json_doc.h"
#include "report/parts.h"

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

static json_t *hours_of(struct json_doc *doc, const struct hour_counts *hours)
{
    json_t *object = json_object();

    json_put_integer(doc, object, "with_energy", hours->hours);
    json_put_integer(doc, object, "at_annual_value", hours->annual);
    json_put_integer(doc, object, "estimated", hours->estimated);
    json_put_integer(doc, object, "of_another_basis", hours->other_basis);
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
    if (!row->step)
        json_put(doc, object, "spread_g", json_real(row->spread_g));
    json_put(doc, object, "total_g", json_real(row->operational_g));
    json_put(doc, object, "mean_intensity_g_per_kwh", json_real((double)row->ug_per_kwh / 1e6));
    json_put(doc, object, "mean_pue", json_real((double)row->pue_ppm / (double)PPM));
    json_put(doc, object, "hours", hours_of(doc, &row->hours));
    return object;
}

static json_t *range_of(struct json_doc *doc, bool known, const struct range_g *range)
{
    json_t *object;

    if (!known)
        return json_null();
    object = json_object();
    json_put(doc, object, "low_g", json_real(range->low));
    json_put(doc, object, "central_g", json_real(range->central));
    json_put(doc, object, "high_g", json_real(range->high));
    return object;
}

/* Of jobs and parts of them. */
static void put_embodied(struct json_doc *doc, json_t *object, const struct row *row)
{
    json_t *embodied = range_of(doc, row->has_embodied, &row->embodied);
    struct buf why;

    buf_init(&why);
    if (row->has_embodied) {
        json_put_integer(doc, embodied, "gpu_ms", row->carbon->embodied.gpu_ms);
        json_put_integer(doc, embodied, "core_ms", row->carbon->embodied.core_ms);
    } else {
        row_write_embodied_unknown(row, &why);
    }
    json_put(doc, object, "embodied_co2e", embodied);
    json_put_text(doc, object, "embodied_unknown_because", why.data);
    buf_free(&why);
    json_put(doc, object, "total_co2e", range_of(doc, row->has_total, &row->total));
}

static json_t *sensors_of(struct json_doc *doc, const char *sensors)
{
    char name[SENSOR_NAME_SIZE];
    json_t *array = json_array();

    while (*sensors != '\0') {
        size_t len = strcspn(sensors, ",");

        snprintf(name, sizeof(name), "%.*s", (int)len, sensors);
        json_add_text(doc, array, name);
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
    if (row->step || row->part)
        return object;
    json_put(doc, object, "peak_mw", row_peak_mw(row, &mw) ? json_integer((json_int_t)mw)
             : json_null());
    if (row->job->peak_mw.has)
        json_put_instant(doc, object, "peak_minute_utc", row->job->peak_minute_s);
    else
        json_put(doc, object, "peak_minute_utc", json_null());
    return object;
}

static json_t *flags_of(struct json_doc *doc, const struct row *row)
{
    json_t *array = json_array();
    uint32_t flags = row_flags(row);

    for (unsigned bit = 0; flag_names[bit]; bit++) {
        if ((flags & 1u << bit) && json_array_append_new(array, json_string(flag_names[bit])) != 0)
            doc->failed = true;
    }
    for (size_t i = 0; row_carbon_flag(row, i); i++)
        json_add(doc, array, json_string(row_carbon_flag(row, i)));
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
    if (!row->step)
        put_embodied(doc, object, row);
    json_put(doc, object, "quality", quality_of(doc, row->usage));
    json_put(doc, object, "flags", flags_of(doc, row));
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
    json_put_text(doc, object, "alloc_tres", job->alloc_tres);
    if (job->submit_s.has)
        json_put_instant(doc, object, "submit_utc", job->submit_s.value);
    else
        json_put(doc, object, "submit_utc", json_null());
    json_put(doc, object, "nodes", nodes_of(doc, row));
    json_put_instant(doc, object, "as_of_utc", job_as_of_s(job));
    put_common(doc, object, row);
    json_put(doc, object, "complete", json_boolean(job_is_complete(job)));
    return object;
}

static void put_set(struct json_doc *doc, json_t *object, const struct basis *basis)
{
    bool has = basis->set.number > 0;

    json_put(doc, object, "factor_set", has ? json_integer(basis->set.number) : json_null());
    if (has)
        json_put_instant(doc, object, "factor_set_made_utc", basis->set.made_s);
    else
        json_put(doc, object, "factor_set_made_utc", json_null());
    json_put_text(doc, object, "idle_policy", !has ? NULL : basis->spread_idle ? "spread"
                  : "separate");
    json_put_text(doc, object, "embodied_mode",
                  basis->has_inventory ? embodied_mode_names[basis->mode] : NULL);
    json_put(doc, object, "expected_utilisation",
             basis->has_inventory && basis->mode == MODE_PLANNED
                 ? json_real((double)basis->utilisation_ppm / (double)PPM) : json_null());
}

static json_t *not_included(struct json_doc *doc, const struct report_method *method)
{
    const char *words[NOT_INCLUDED_MAX];
    size_t count = method_not_included(method, words);
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_add(doc, array, json_string(words[i]));
    return array;
}

/* What is the same for all hours, else null: each row has its means. */
static void put_grid(struct json_doc *doc, json_t *object, const struct report_method *method)
{
    const struct grid *grid = method->grid;
    const struct hour_counts any = { 0 };
    bool known = grid->has_intensity;
    const struct intensity *figure = known ? method_figure(method, &any) : NULL;
    struct buf source;

    json_put(doc, object, "pue", grid->n_pues > 0 || grid->pue_ppm == 0
             ? json_null() : json_real((double)grid->pue_ppm / (double)PPM));
    json_put_text(doc, object, "zone", known && grid->name[0] ? grid->zone : NULL);
    json_put_text(doc, object, "zone_name", known && grid->name[0] ? grid->name : NULL);
    json_put(doc, object, "intensity_g_per_kwh",
             figure ? json_real((double)figure->ug_per_kwh / 1e6) : json_null());
    json_put(doc, object, "intensity_year", figure && figure->year
             ? json_integer(figure->year) : json_null());
    json_put_text(doc, object, "intensity_basis",
                  figure ? figure->basis : known ? grid->basis : NULL);
    json_put_text(doc, object, "intensity_scope", grid->scope[0] ? grid->scope : NULL);
    buf_init(&source);
    if (known)
        method_write_source(method, &any, true, &source);
    json_put_text(doc, object, "intensity_source", source.data);
    buf_free(&source);
}

static json_t *method_of(struct json_doc *doc, const struct report_method *method)
{
    json_t *object = json_object();

    json_put(doc, object, "formula", json_string("energy_kwh x pue x intensity_g_per_kwh"));
    json_put_text(doc, object, "what_if", method->what_if);
    put_set(doc, object, method->basis);
    put_grid(doc, object, method);
    json_put(doc, object, "not_included", not_included(doc, method));
    return object;
}

/* --- compared --------------------------------------------------------------------------------- */

/* How many of each thing emit as much as the job's total, or as its operational part. */
static json_t *compared_of(struct json_doc *doc, const struct row *row)
{
    const struct equivalences *all = &row->method->basis->equivalences;
    double mass_g = row->has_total ? row->total.central : row->operational_g;
    json_t *object, *array;

    if (!row->has_grams)
        return json_null();
    object = json_object();
    array = json_array();
    json_put_text(doc, object, "of", row->has_total ? "total" : "operational");
    for (size_t i = 0; i < all->count; i++) {
        const struct equivalence *one = &all->rows[i];
        json_t *item = json_object();

        json_put_text(doc, item, "name", one->name);
        json_put(doc, item, "count", one->mg > 0 ? json_real(mass_g * 1000 / (double)one->mg)
                 : json_null());
        json_put(doc, item, "each_kg", json_real((double)one->mg / 1e6));
        json_put_integer(doc, item, "year", one->year);
        json_put_text(doc, item, "source", one->source);
        json_add(doc, array, item);
    }
    json_put(doc, object, "as_much_as", array);
    return object;
}

/* --- the document ----------------------------------------------------------------------------- */

static json_t *part_of(struct json_doc *doc, const struct row *row)
{
    json_t *object = json_object();

    json_put_text(doc, object, "period", row->part->label);
    json_put_instant(doc, object, "from_utc", row->part->from_s);
    json_put_instant(doc, object, "to_utc", row->part->to_s);
    json_put(doc, object, "energy", energy_of(doc, row->usage));
    json_put(doc, object, "power", power_of(doc, row));
    json_put(doc, object, "operational_co2e", grams_of(doc, row));
    put_embodied(doc, object, row);
    json_put(doc, object, "quality", quality_of(doc, row->usage));
    return object;
}

/* Where rows of the job's steps or parts go. */
struct place {
    json_t *steps, *parts;
};

/* A job's object when the row is of another job than the one before. */
static struct place job_for(struct json_doc *doc, const struct json_options *options, json_t *jobs,
                            const struct row *row)
{
    struct row job_row = row_of(row->job, NULL, row->carbon, row->method, row->style);
    json_t *job = job_of(doc, &job_row);
    struct place place = { NULL, NULL };

    if (options->compare)
        json_put(doc, job, "compared", compared_of(doc, &job_row));
    if (options->by != PARTS_NONE)
        json_put(doc, job, "parts", place.parts = json_array());
    else
        json_put(doc, job, "steps", place.steps = json_array());
    json_add(doc, jobs, job);
    return place;
}

int json_write(const struct row *rows, size_t count, const struct json_options *options,
               const struct report_method *method, struct buf *buf, struct error *err)
{
    struct json_doc doc = { false };
    json_t *root = json_object(), *jobs = json_array();
    struct place place = { NULL, NULL };

    json_put(&doc, root, "format", json_string("sacct-carbon-1"));
    json_put(&doc, root, "method", method_of(&doc, method));
    if (count > 0 && rows[0].style->clipped) {
        json_put_instant(&doc, root, "clipped_from_utc", rows[0].style->from_s);
        json_put_instant(&doc, root, "clipped_to_utc", rows[0].style->to_s);
    }
    if (options->by != PARTS_NONE)
        json_put_text(&doc, root, "by", parts_by_names[options->by]);
    json_put(&doc, root, "jobs", jobs);
    for (size_t i = 0; i < count && !doc.failed; i++) {
        if (i == 0 || rows[i].job != rows[i - 1].job)
            place = job_for(&doc, options, jobs, &rows[i]);
        if (rows[i].step)
            json_add(&doc, place.steps, step_of(&doc, &rows[i]));
        if (rows[i].part)
            json_add(&doc, place.parts, part_of(&doc, &rows[i]));
    }
    if (options->has_budgets)
        json_put(&doc, root, "budgets", options->budgets ? budgets_json(&doc, options->budgets)
                                                         : json_null());
    json_doc_write(&doc, root, buf);
    return doc.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the JSON") : 0;
}
