#include "report/export.h"

#include <errno.h>

#include "core/clock.h"
#include "report/csv.h"
#include "report/json_doc.h"

#define NS_PER_S_SIGNED ((int64_t)NS_PER_S)

static json_t *maybe(struct maybe number)
{
    return number.has ? json_integer(number.value) : json_null();
}

static json_t *known(bool is_known, double number)
{
    return is_known ? json_real(number) : json_null();
}

/* --- which job -------------------------------------------------------------------------------- */

#define TEXT(name, text) \
    static json_t *get_##name(const struct row *row) \
    { \
        return json_text(text); \
    }
#define MAYBE(name, number) \
    static json_t *get_##name(const struct row *row) \
    { \
        return maybe(number); \
    }

TEXT(cluster, row->job->cluster)
TEXT(sluid, row->job->sluid)
TEXT(user, row->job->user)
TEXT(account, row->job->account)
TEXT(partition, row->job->partition)
TEXT(qos, row->job->qos)
TEXT(state, row_state(row)->name)
MAYBE(submit, row->job->submit_s)
MAYBE(uid, row->job->uid)
MAYBE(nodes, row->job->node_count)

static json_t *get_job_id_raw(const struct row *row)
{
    return json_integer(row->job->job_id);
}

/* What the buf holds, which is freed. */
static json_t *text_of(struct buf *buf)
{
    json_t *text = buf_failed(buf) ? NULL : json_text(buf->data ? buf->data : "");

    buf_free(buf);
    return text;
}

static json_t *get_job_id(const struct row *row)
{
    struct buf id;

    buf_init(&id);
    row_job_id(row, false, &id);
    return text_of(&id);
}

static json_t *get_start(const struct row *row)
{
    return json_integer(row_begin_ns(row) / NS_PER_S_SIGNED);
}

static json_t *get_end(const struct row *row)
{
    return json_integer(row_end_ns(row) / NS_PER_S_SIGNED);
}

static json_t *get_restart_count(const struct row *row)
{
    return json_integer(row->job->restart_count);
}

static json_t *get_nodes_reported(const struct row *row)
{
    return json_integer((json_int_t)row->job->n_nodes);
}

/* --- energy ----------------------------------------------------------------------------------- */

static json_t *joules(const struct row *row, uint64_t mj)
{
    return known(row->usage->has, (double)mj / 1000);
}

static json_t *component_j(const struct row *row, enum component component)
{
    const struct usage *usage = row->usage;

    if (!(usage->components & 1u << component))
        return json_null();
    return joules(row, usage->active_mj[component] + usage->idle_mj[component]);
}

static json_t *get_cpu_energy(const struct row *row)
{
    return component_j(row, COMPONENT_CPU);
}

static json_t *get_memory_energy(const struct row *row)
{
    return component_j(row, COMPONENT_MEMORY);
}

static json_t *get_gpu_energy(const struct row *row)
{
    return component_j(row, COMPONENT_GPU);
}

static json_t *get_other_energy(const struct row *row)
{
    return component_j(row, COMPONENT_OTHER);
}

static json_t *get_active_energy(const struct row *row)
{
    return joules(row, usage_active_mj(row->usage));
}

static json_t *get_idle_energy(const struct row *row)
{
    return joules(row, usage_idle_mj(row->usage));
}

static json_t *get_energy(const struct row *row)
{
    return joules(row, usage_mj(row->usage));
}

static json_t *get_energy_kwh(const struct row *row)
{
    return known(row->usage->has, (double)usage_mj(row->usage) / (double)MJ_PER_KWH);
}

/* --- how well it is known --------------------------------------------------------------------- */

static json_t *get_measured(const struct row *row)
{
    return joules(row, row->usage->quality_mj[QUALITY_MEASURED]);
}

static json_t *get_modelled(const struct row *row)
{
    return joules(row, row->usage->quality_mj[QUALITY_MODELLED]);
}

static json_t *get_gap(const struct row *row)
{
    return joules(row, row->usage->quality_mj[QUALITY_GAP]);
}

static json_t *get_coverage(const struct row *row)
{
    const struct usage *usage = row->usage;

    return usage->has && usage->elapsed_ms > 0
               ? json_real((double)usage->metered_ms / (double)usage->elapsed_ms) : json_null();
}

static json_t *get_complete(const struct row *row)
{
    return json_boolean(job_is_complete(row->job));
}

static json_t *get_flags(const struct row *row)
{
    struct buf flags;

    buf_init(&flags);
    row_write_flags(row, &flags);
    return text_of(&flags);
}

TEXT(sensors, row->usage->has ? row->usage->sensors : NULL)

/* --- grams ------------------------------------------------------------------------------------ */

#define GRAMS(name, is_known, mass_g) \
    static json_t *get_##name(const struct row *row) \
    { \
        return known(is_known, mass_g); \
    }

GRAMS(active_co2e, row->has_grams, row->grams.active_g)
GRAMS(idle_co2e, row->has_grams, row->grams.idle_g)
GRAMS(overhead_co2e, row->has_grams, row->grams.overhead_g)
GRAMS(spread_co2e, row->has_grams, row->spread_g)
GRAMS(operational_co2e, row->has_grams, row->operational_g)
GRAMS(embodied_co2e, row->has_embodied, row->embodied.central)
GRAMS(embodied_low_co2e, row->has_embodied, row->embodied.low)
GRAMS(embodied_high_co2e, row->has_embodied, row->embodied.high)
GRAMS(total_co2e, row->has_total, row->total.central)
GRAMS(intensity, row->has_grams, (double)row->ug_per_kwh / 1e6)
GRAMS(pue, row->has_grams, (double)row->pue_ppm / (double)PPM)
TEXT(zone, row->has_grams ? row->method->grid->zone : NULL)
TEXT(basis, row->has_grams ? row->method->grid->basis : NULL)
TEXT(embodied_mode, row->has_embodied ? embodied_mode_names[row->method->basis->mode] : NULL)

static json_t *get_annual_hours(const struct row *row)
{
    return row->has_grams ? json_integer((json_int_t)row->hours.annual) : json_null();
}

static json_t *get_factor_set(const struct row *row)
{
    int64_t number = row->method->basis->set.number;

    return number > 0 ? json_integer(number) : json_null();
}

/* --- the table -------------------------------------------------------------------------------- */

const struct export_field export_fields[] = {
    { "cluster", get_cluster },
    { "job_id_raw", get_job_id_raw },
    { "submit_s", get_submit },
    { "start_s", get_start },
    { "end_s", get_end },
    { "restart_count", get_restart_count },
    { "job_id", get_job_id },
    { "sluid", get_sluid },
    { "user", get_user },
    { "uid", get_uid },
    { "account", get_account },
    { "partition", get_partition },
    { "qos", get_qos },
    { "state", get_state },
    { "nodes", get_nodes },
    { "nodes_reported", get_nodes_reported },
    { "cpu_energy_j", get_cpu_energy },
    { "memory_energy_j", get_memory_energy },
    { "gpu_energy_j", get_gpu_energy },
    { "other_energy_j", get_other_energy },
    { "active_energy_j", get_active_energy },
    { "idle_energy_j", get_idle_energy },
    { "energy_j", get_energy },
    { "energy_kwh", get_energy_kwh },
    { "measured_energy_j", get_measured },
    { "modelled_energy_j", get_modelled },
    { "gap_energy_j", get_gap },
    { "coverage_ratio", get_coverage },
    { "complete", get_complete },
    { "sensors", get_sensors },
    { "flags", get_flags },
    { "active_co2e_g", get_active_co2e },
    { "idle_co2e_g", get_idle_co2e },
    { "overhead_co2e_g", get_overhead_co2e },
    { "spread_co2e_g", get_spread_co2e },
    { "operational_co2e_g", get_operational_co2e },
    { "embodied_co2e_g", get_embodied_co2e },
    { "embodied_low_co2e_g", get_embodied_low_co2e },
    { "embodied_high_co2e_g", get_embodied_high_co2e },
    { "total_co2e_g", get_total_co2e },
    { "grid_zone", get_zone },
    { "grid_basis", get_basis },
    { "grid_intensity_g_per_kwh", get_intensity },
    { "annual_intensity_hours", get_annual_hours },
    { "pue_ratio", get_pue },
    { "embodied_mode", get_embodied_mode },
    { "factor_set", get_factor_set },
    { NULL, NULL },
};

/* --- lines ------------------------------------------------------------------------------------ */

void export_csv_head(struct buf *buf)
{
    for (const struct export_field *field = export_fields; field->name; field++)
        buf_printf(buf, "%s%s", field == export_fields ? "" : ",", field->name);
    buf_printf(buf, "\n");
}

static void write_text(const char *text, struct buf *buf)
{
    struct buf clean;

    buf_init(&clean);
    format_text(&clean, text, true, NULL);
    csv_text(buf, clean.data ? clean.data : "");
    buf->failed |= buf_failed(&clean);
    buf_free(&clean);
}

static void write_cell(const json_t *cell, struct buf *buf)
{
    switch (json_typeof(cell)) {
    case JSON_INTEGER:
        buf_printf(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(cell));
        break;
    case JSON_REAL:
        buf_printf(buf, "%.15g", json_real_value(cell));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_printf(buf, "%s", json_is_true(cell) ? "true" : "false");
        break;
    case JSON_STRING:
        write_text(json_string_value(cell), buf);
        break;
    default:
        break;
    }
}

int export_csv(const struct row *row, struct buf *buf, struct error *err)
{
    for (const struct export_field *field = export_fields; field->name; field++) {
        json_t *cell = field->value(row);

        buf_printf(buf, "%s", field == export_fields ? "" : ",");
        if (cell)
            write_cell(cell, buf);
        buf->failed |= !cell;
        json_decref(cell);
    }
    buf_printf(buf, "\n");
    return buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the export") : 0;
}

int export_json(const struct row *row, struct buf *buf, struct error *err)
{
    struct json_doc doc = { false };
    json_t *root = json_object();

    for (const struct export_field *field = export_fields; field->name; field++)
        json_put(&doc, root, field->name, field->value(row));
    json_doc_write_line(&doc, root, buf);
    return doc.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the export") : 0;
}
