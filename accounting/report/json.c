#include "report/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define NS_PER_S_SIGNED ((int64_t)NS_PER_S)
/*
 * 15 digits: what a double surely holds. ASCII: no character that turns a terminal's direction of
 * writing gets out.
 */
#define FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENSURE_ASCII)

/* jansson's *_set_new functions take what they get, and NULL as failure: one check, at the end. */
struct doc {
    bool failed;
};

static void put(struct doc *doc, json_t *object, const char *key, json_t *content)
{
    if (json_object_set_new(object, key, content) != 0)
        doc->failed = true;
}

static void put_integer(struct doc *doc, json_t *object, const char *key, uint64_t number)
{
    put(doc, object, key, json_integer((json_int_t)number));
}

static void put_maybe(struct doc *doc, json_t *object, const char *key, struct maybe number)
{
    put(doc, object, key, number.has ? json_integer(number.value) : json_null());
}

/* Foreign bytes that are no UTF-8 are escaped; the rest is JSON's to escape. */
static void put_text(struct doc *doc, json_t *object, const char *key, const char *text)
{
    json_t *string = text ? json_string(text) : json_null();
    struct buf clean;

    if (!string) {
        buf_init(&clean);
        format_text(&clean, text, true, NULL);
        string = buf_failed(&clean) ? NULL : json_string(clean.data ? clean.data : "");
        buf_free(&clean);
    }
    put(doc, object, key, string);
}

static void put_instant(struct doc *doc, json_t *object, const char *key, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    put(doc, object, key, json_string(text));
}

static void put_buf(struct doc *doc, json_t *object, const char *key, struct buf *text)
{
    put(doc, object, key, buf_failed(text) ? NULL : json_string(text->data ? text->data : ""));
    buf_free(text);
}

/* --- parts ------------------------------------------------------------------------------------ */

static json_t *amount_of(struct doc *doc, uint64_t active_mj, uint64_t idle_mj)
{
    json_t *object = json_object();

    put_integer(doc, object, "active_mj", active_mj);
    put_integer(doc, object, "idle_mj", idle_mj);
    put_integer(doc, object, "total_mj", active_mj + idle_mj);
    put(doc, object, "total_kwh", json_real((double)(active_mj + idle_mj) / (double)MJ_PER_KWH));
    return object;
}

static json_t *energy_of(struct doc *doc, const struct usage *usage)
{
    json_t *object;

    if (!usage->has)
        return json_null();
    object = amount_of(doc, usage_active_mj(usage), usage_idle_mj(usage));
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        bool known = usage->components & 1u << i;

        put(doc, object, component_names[i],
            known ? amount_of(doc, usage->active_mj[i], usage->idle_mj[i]) : json_null());
    }
    return object;
}

static json_t *grams_of(struct doc *doc, const struct row *row)
{
    json_t *object;

    if (!row->has_grams)
        return json_null();
    object = json_object();
    put(doc, object, "active_g", json_real(row->grams.active_g));
    put(doc, object, "idle_g", json_real(row->grams.idle_g));
    put(doc, object, "overhead_g", json_real(row->grams.overhead_g));
    put(doc, object, "total_g", json_real(row->grams.total_g));
    return object;
}

static json_t *sensors_of(struct doc *doc, const char *sensors)
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

static json_t *quality_of(struct doc *doc, const struct usage *usage)
{
    json_t *object = json_object();

    put_integer(doc, object, "measured_mj", usage->quality_mj[QUALITY_MEASURED]);
    put_integer(doc, object, "modelled_mj", usage->quality_mj[QUALITY_MODELLED]);
    put_integer(doc, object, "gap_mj", usage->quality_mj[QUALITY_GAP]);
    put_integer(doc, object, "metered_domain_ms", usage->metered_ms);
    put_integer(doc, object, "elapsed_domain_ms", usage->elapsed_ms);
    put_integer(doc, object, "gap_domain_ms", usage->gap_ms);
    put(doc, object, "coverage_ratio",
        usage->elapsed_ms > 0 ? json_real((double)usage->metered_ms / (double)usage->elapsed_ms)
                              : json_null());
    put(doc, object, "sensors", sensors_of(doc, usage->sensors));
    return object;
}

static json_t *power_of(struct doc *doc, const struct row *row)
{
    json_t *object = json_object();
    uint64_t mw;

    put(doc, object, "average_mw", row_average_mw(row, &mw) ? json_integer((json_int_t)mw)
                                                            : json_null());
    if (row->step)
        return object;
    put(doc, object, "peak_mw", row_peak_mw(row, &mw) ? json_integer((json_int_t)mw)
                                                      : json_null());
    if (row->job->peak_mw.has)
        put_instant(doc, object, "peak_minute_utc", row->job->peak_minute_s);
    else
        put(doc, object, "peak_minute_utc", json_null());
    return object;
}

static json_t *flags_of(struct doc *doc, uint32_t flags)
{
    json_t *array = json_array();

    for (unsigned bit = 0; flag_names[bit]; bit++) {
        if ((flags & 1u << bit) && json_array_append_new(array, json_string(flag_names[bit])) != 0)
            doc->failed = true;
    }
    return array;
}

/* What a job and a step have in common. */
static void put_common(struct doc *doc, json_t *object, const struct row *row)
{
    const struct state *state = row_state(row);
    bool timed = row_has_times(row);
    bool ended = timed && !row_is_open(row);

    if (timed)
        put_instant(doc, object, "begin_utc", row_begin_ns(row) / NS_PER_S_SIGNED);
    else
        put(doc, object, "begin_utc", json_null());
    if (ended)
        put_instant(doc, object, "end_utc", row_end_ns(row) / NS_PER_S_SIGNED);
    else
        put(doc, object, "end_utc", json_null());
    put(doc, object, "elapsed_ms", timed ? json_integer((json_int_t)row_elapsed_ms(row))
                                         : json_null());
    put_text(doc, object, "state", state ? state->name : NULL);
    put_maybe(doc, object, "exit_status",
              row->step ? row->step->exit_status : row->job->exit_status);
    put(doc, object, "energy", energy_of(doc, row->usage));
    put(doc, object, "power", power_of(doc, row));
    put(doc, object, "operational_co2e", grams_of(doc, row));
    put(doc, object, "quality", quality_of(doc, row->usage));
    put(doc, object, "flags", flags_of(doc, row_flags(row)));
}

static json_t *step_of(struct doc *doc, const struct row *row)
{
    json_t *object = json_object();
    struct buf text;

    buf_init(&text);
    step_name(row->step->step_id, &text);
    put_buf(doc, object, "step", &text);
    put_common(doc, object, row);
    if (!row->step->has_record)
        return object;
    put_integer(doc, object, "nodes", row->step->nodes);
    put_integer(doc, object, "cores", row->step->cores);
    put_integer(doc, object, "gpus", row->step->gpus);
    put_integer(doc, object, "cpu_ns", row->step->cpu_ns);
    return object;
}

static json_t *nodes_of(struct doc *doc, const struct row *row)
{
    const struct query_job *job = row->job;
    json_t *object = json_object(), *array = json_array();
    struct buf text;

    put_maybe(doc, object, "allocated", job->node_count);
    put_integer(doc, object, "reported", job->n_nodes);
    buf_init(&text);
    row_node_list(row, &text);
    put_buf(doc, object, "list", &text);
    for (size_t i = 0; i < job->n_nodes; i++) {
        const struct query_node *node = &job->nodes[i];
        json_t *item = json_object();

        put_text(doc, item, "name", node->name);
        put(doc, item, "cores", node->cores > 0 ? json_integer(node->cores) : json_null());
        put_integer(doc, item, "gpus", node->gpus);
        put(doc, item, "memory_mb", node->memory_mb > 0
            ? json_integer((json_int_t)node->memory_mb) : json_null());
        put_instant(doc, item, "as_of_utc", node->seen_ns / NS_PER_S_SIGNED);
        if (json_array_append_new(array, item) != 0)
            doc->failed = true;
    }
    put(doc, object, "each", array);
    return object;
}

static json_t *job_of(struct doc *doc, const struct row *row)
{
    const struct query_job *job = row->job;
    json_t *object = json_object();
    struct buf text;

    buf_init(&text);
    row_job_id(row, false, &text);
    put_buf(doc, object, "job", &text);
    put_integer(doc, object, "job_id", job->job_id);
    put_text(doc, object, "cluster", job->cluster);
    put_integer(doc, object, "restart_count", job->restart_count);
    put_text(doc, object, "sluid", job->sluid);
    put_maybe(doc, object, "array_job_id", job->array_job_id);
    put_maybe(doc, object, "array_task_id", job->array_task_id);
    put_maybe(doc, object, "het_job_id", job->het_job_id);
    put_maybe(doc, object, "het_offset", job->het_offset);
    put_text(doc, object, "name", job->name);
    put_text(doc, object, "user", job->user);
    put_maybe(doc, object, "uid", job->uid);
    put_maybe(doc, object, "gid", job->gid);
    put_text(doc, object, "account", job->account);
    put_text(doc, object, "partition", job->partition);
    put_text(doc, object, "qos", job->qos);
    put(doc, object, "nodes", nodes_of(doc, row));
    put_instant(doc, object, "as_of_utc", job_as_of_s(job));
    put_common(doc, object, row);
    put(doc, object, "complete", json_boolean(job_is_complete(job)));
    return object;
}

static json_t *method_of(struct doc *doc, const struct report_method *method)
{
    json_t *object = json_object();
    const struct intensity *intensity = &method->intensity;
    bool known = method->has_intensity;

    put(doc, object, "formula", json_string("energy_kwh x pue x intensity_g_per_kwh"));
    put(doc, object, "pue", json_real((double)method->pue_ppm / (double)PPM));
    put_text(doc, object, "zone", known ? intensity->zone : NULL);
    put_text(doc, object, "zone_name", known ? intensity->name : NULL);
    put(doc, object, "intensity_g_per_kwh",
        known ? json_real((double)intensity->ug_per_kwh / 1e6) : json_null());
    put(doc, object, "intensity_year", known ? json_integer(intensity->year) : json_null());
    put_text(doc, object, "intensity_basis", known ? intensity->basis : NULL);
    put_text(doc, object, "intensity_source", known ? intensity->source : NULL);
    put(doc, object, "not_included",
        json_pack("[ss]", "embodied emissions", "unallocated idle energy of the cluster"));
    return object;
}

/* --- the document ----------------------------------------------------------------------------- */

static int append(const char *bytes, size_t len, void *data)
{
    buf_add(data, bytes, len);
    return 0;
}

/* A job's object when the row is of another job than the one before. */
static json_t *steps_for(struct doc *doc, json_t *jobs, const struct row *row)
{
    struct row job_row = row_of(row->job, NULL, row->method, row->style);
    json_t *job = job_of(doc, &job_row);
    json_t *steps = json_array();

    put(doc, job, "steps", steps);
    if (json_array_append_new(jobs, job) != 0)
        doc->failed = true;
    return steps;
}

int json_write(const struct row *rows, size_t count, const struct report_method *method,
               struct buf *buf, struct error *err)
{
    struct doc doc = { false };
    json_t *root = json_object(), *jobs = json_array(), *steps = NULL;

    put(&doc, root, "format", json_string("sacct-carbon-1"));
    put(&doc, root, "method", method_of(&doc, method));
    if (count > 0 && rows[0].style->clipped) {
        put_instant(&doc, root, "clipped_from_utc", rows[0].style->from_s);
        put_instant(&doc, root, "clipped_to_utc", rows[0].style->to_s);
    }
    put(&doc, root, "jobs", jobs);
    for (size_t i = 0; i < count && !doc.failed; i++) {
        if (i == 0 || rows[i].job != rows[i - 1].job)
            steps = steps_for(&doc, jobs, &rows[i]);
        if (rows[i].step && json_array_append_new(steps, step_of(&doc, &rows[i])) != 0)
            doc.failed = true;
    }
    if (!doc.failed && json_dump_callback(root, append, buf,
                                          FLAGS) != 0)
        doc.failed = true;
    buf_printf(buf, "\n");
    json_decref(root);
    return doc.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the JSON") : 0;
}
