/*
 * period_json.c - the report as JSON: everything, whole numbers, units in the keys, null for what
 * is not known. docs/formats/sreport-carbon.schema.json describes it.
 */
#include <errno.h>

#include "core/clock.h"
#include "report/json_doc.h"
#include "report/month.h"
#include "report/period_fields.h"
#include "store/viewer.h"

static json_t *known(bool is_known, uint64_t number)
{
    return is_known ? json_integer((json_int_t)number) : json_null();
}

static json_t *range_of(struct json_doc *doc, bool is_known, const struct range_mg *range)
{
    json_t *object;

    if (!is_known)
        return json_null();
    object = json_object();
    json_put_integer(doc, object, "low_mg", range->low);
    json_put_integer(doc, object, "central_mg", range->central);
    json_put_integer(doc, object, "high_mg", range->high);
    return object;
}

static json_t *millionths(bool is_known, uint64_t number)
{
    return is_known ? json_real((double)number / 1e6) : json_null();
}

static json_t *text_or_null(struct json_doc *doc, const char *text)
{
    json_t *holder = json_object(), *content;

    json_put_text(doc, holder, "text", *text != '\0' ? text : NULL);
    content = json_incref(json_object_get(holder, "text"));
    json_decref(holder);
    return content;
}

static void put_date(struct json_doc *doc, json_t *object, const char *key, int64_t instant_s,
                     size_t len)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    json_put(doc, object, key, json_stringn(text, len));
}

/* Each field in its group: "energy", "quality", "held", "co2e", or beside them. */
static void put_amounts(struct json_doc *doc, json_t *object, const struct period_report *report,
                        const struct amounts *amounts)
{
    for (const struct amounts_field *field = amounts_fields; field->name; field++) {
        json_t *group = field->group ? json_object_get(object, field->group) : object;

        if (!group) {
            json_put(doc, object, field->group, json_object());
            group = json_object_get(object, field->group);
        }
        json_put(doc, group, field->name, known(field_is_known(report, field->needs),
                                                field->get(amounts)));
    }
}

static json_t *amounts_of(struct json_doc *doc, const struct period_report *report,
                          const struct amounts *amounts)
{
    json_t *object = json_object();

    put_amounts(doc, object, report, amounts);
    return object;
}

/* --- method ----------------------------------------------------------------------------------- */

static json_t *period_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *object = json_object();

    json_put_instant(doc, object, "from_utc", report->period.from_s);
    json_put_instant(doc, object, "to_utc", report->period.to_s);
    json_put_integer(doc, object, "hours", (uint64_t)(report->period.to_s - report->period.from_s) /
                     S_PER_HOUR);
    json_put(doc, object, "so_far", json_boolean(report->so_far));
    return object;
}

static json_t *annual_of(struct json_doc *doc, const struct grid *grid)
{
    json_t *array = json_array();

    for (size_t i = 0; i < grid->n_annual; i++) {
        json_t *object = json_object();

        json_put_integer(doc, object, "year", grid->annual[i].year);
        json_put(doc, object, "intensity_g_per_kwh", millionths(true, grid->annual[i].ug_per_kwh));
        json_put_text(doc, object, "basis", grid->annual[i].basis);
        json_put_text(doc, object, "source", grid->annual[i].source);
        json_add(doc, array, object);
    }
    return array;
}

static json_t *grid_of(struct json_doc *doc, const struct period_report *report)
{
    const struct grid *grid = &report->basis->grid;
    json_t *object;

    if (!report->has_grams)
        return json_null();
    object = json_object();
    json_put_text(doc, object, "zone", grid->zone);
    json_put(doc, object, "zone_name", text_or_null(doc, grid->name));
    json_put(doc, object, "basis", text_or_null(doc, grid->basis));
    json_put(doc, object, "scope", text_or_null(doc, grid->scope));
    json_put(doc, object, "hourly_source", text_or_null(doc, grid->source));
    json_put(doc, object, "mean_intensity_g_per_kwh",
             millionths(report->counted_mj > 0, report->ug_per_kwh));
    json_put(doc, object, "annual_values", annual_of(doc, grid));
    return object;
}

static json_t *pue_of(struct json_doc *doc, const struct period_report *report)
{
    const struct grid *grid = &report->basis->grid;
    json_t *object = json_object(), *periods = json_array();

    json_put(doc, object, "mean", millionths(report->counted_mj > 0, report->pue_ppm));
    json_put(doc, object, "outside_of_periods", millionths(true, grid->pue_ppm));
    for (size_t i = 0; i < grid->n_pues; i++) {
        json_t *item = json_object();

        json_put_instant(doc, item, "from_utc", grid->pues[i].from_s);
        json_put_instant(doc, item, "to_utc", grid->pues[i].to_s);
        json_put(doc, item, "pue", millionths(true, grid->pues[i].pue_ppm));
        json_put_text(doc, item, "source", grid->pues[i].source);
        json_add(doc, periods, item);
    }
    json_put(doc, object, "periods", periods);
    return object;
}

static json_t *method_of(struct json_doc *doc, const struct period_report *report)
{
    const struct basis *basis = report->basis;
    json_t *object = json_object(), *set = json_object();

    json_put_integer(doc, set, "number", (uint64_t)basis->set.number);
    json_put_instant(doc, set, "made_utc", basis->set.made_s);
    json_put_text(doc, set, "made_by", basis->set.made_by);
    json_put(doc, object, "factor_set", set);
    json_put_text(doc, object, "embodied_mode",
                  basis->has_inventory ? embodied_mode_names[basis->mode] : NULL);
    json_put(doc, object, "expected_utilisation",
             millionths(basis->has_inventory && basis->mode == MODE_PLANNED,
                        basis->utilisation_ppm));
    json_put_text(doc, object, "idle_policy", basis->spread_idle ? "spread" : "separate");
    json_put(doc, object, "grid", grid_of(doc, report));
    json_put(doc, object, "pue", pue_of(doc, report));
    return object;
}

/* --- totals ----------------------------------------------------------------------------------- */

static json_t *energy_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *object = json_object();

    json_put_integer(doc, object, "counted_mj", report->counted_mj);
    json_put_integer(doc, object, "jobs_active_mj", report->active_mj);
    json_put_integer(doc, object, "jobs_idle_mj", report->idle_mj);
    json_put_integer(doc, object, "system_mj", report->system_mj);
    json_put_integer(doc, object, "unallocated_mj", report->unallocated_mj);
    json_put_integer(doc, object, "measured_mj", report->measured_mj);
    json_put_integer(doc, object, "modelled_mj", report->modelled_mj);
    json_put_integer(doc, object, "metered_domain_ms", report->metered_ms);
    json_put_integer(doc, object, "elapsed_domain_ms", report->elapsed_ms);
    json_put_integer(doc, object, "gap_domain_ms", report->gap_ms);
    if (report->backfilled_jobs > 0) {
        json_put_integer(doc, object, "backfilled_jobs", report->backfilled_jobs);
        json_put_integer(doc, object, "backfilled_jobs_mj", report->backfilled_mj);
    }
    return object;
}

/* The lines that add up to the cluster's total. */
static json_t *co2e_of(struct json_doc *doc, const struct period_report *report)
{
    bool grams = report->has_grams, embodied = report->basis->has_inventory;
    bool planned = embodied && report->basis->mode == MODE_PLANNED;
    json_t *object = json_object();

    json_put(doc, object, "jobs_operational_mg",
             known(grams, amounts_operational_mg(&report->jobs)));
    json_put(doc, object, "system_mg", known(grams, report->system_mg));
    json_put(doc, object, "system_overhead_mg", known(grams, report->system_overhead_mg));
    json_put(doc, object, "unallocated_mg", known(grams, report->unallocated_mg));
    json_put(doc, object, "unallocated_overhead_mg",
             known(grams, report->unallocated_overhead_mg));
    json_put(doc, object, "jobs_embodied", range_of(doc, embodied, &report->jobs.embodied));
    json_put(doc, object, "unallocated_embodied",
             range_of(doc, embodied, &report->unallocated_embodied));
    json_put(doc, object, "written_off", range_of(doc, embodied, &report->embodied.written_off));
    json_put(doc, object, "recovery_mg", planned ? json_integer(report->recovery_mg)
                                                  : json_null());
    json_put(doc, object, "total", range_of(doc, grams && embodied, &report->total));
    return object;
}

static json_t *scopes_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *object = json_object();

    json_put(doc, object, "scope2_location_mg",
             known(report->has_grams, report->scope2_location_mg));
    json_put(doc, object, "scope2_market_mg", known(report->has_market, report->scope2_market_mg));
    json_put(doc, object, "scope3_category2_acquired_do_not_add",
             range_of(doc, report->basis->has_inventory, &report->embodied.acquired));
    return object;
}

static json_t *pools_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *object;

    if (!report->basis->has_inventory)
        return json_null();
    object = json_object();
    for (int i = 0; i < POOL_COUNT; i++) {
        const struct pool *pool = &report->embodied.pools[i];
        json_t *item = json_object();

        json_put(doc, item, "embodied", range_of(doc, true, &pool->amount));
        json_put_integer(doc, item, "available_device_ms", pool->available_ms);
        json_put_integer(doc, item, "node_ms", pool->node_ms);
        json_put(doc, object, pool_names[i], item);
    }
    json_put(doc, object, "shared_without_pool",
             range_of(doc, report->embodied.shared_unassigned, &report->embodied.shared));
    return object;
}

/* --- lists ------------------------------------------------------------------------------------ */

static json_t *group_of(struct json_doc *doc, const struct period_report *report,
                        const struct report_group *group, bool tree)
{
    json_t *array = json_array();

    for (size_t i = 0; i < group->count; i++) {
        const struct report_line *line = &group->lines[i];
        json_t *object = json_object();

        json_put_text(doc, object, "name", line->name);
        if (line->hidden)
            json_put(doc, object, "not_shown", json_true());
        if (tree) {
            json_put_text(doc, object, "parent", line->parent);
            json_put_integer(doc, object, "depth", line->depth);
            json_put(doc, object, "tree", amounts_of(doc, report, &line->tree));
        }
        json_put(doc, object, "own", amounts_of(doc, report, &line->own));
        json_add(doc, array, object);
    }
    return array;
}

static json_t *types_of(struct json_doc *doc, const struct period_report *report)
{
    bool embodied = report->basis->has_inventory;
    json_t *array = json_array();

    for (size_t i = 0; i < report->n_types; i++) {
        const struct report_type *type = &report->types[i];
        json_t *object = json_object();

        json_put(doc, object, "name", text_or_null(doc, type->name));
        json_put_text(doc, object, "pool", report_pool_name(type->pool));
        json_put_integer(doc, object, "nodes", type->nodes);
        json_put_integer(doc, object, "counted_mj", type->counted_mj);
        json_put_integer(doc, object, "jobs_active_mj", type->active_mj);
        json_put_integer(doc, object, "jobs_idle_mj", type->idle_mj);
        json_put_integer(doc, object, "system_mj", type->system_mj);
        json_put_integer(doc, object, "unallocated_mj", type->unallocated_mj);
        json_put(doc, object, "operational_mg", known(report->has_grams, type->operational_mg));
        json_put_integer(doc, object, "used_device_ms", type->used_ms);
        json_put(doc, object, "available_device_ms", known(embodied, type->available_ms));
        json_put(doc, object, "own_embodied", range_of(doc, type->has_embodied, &type->embodied));
        json_add(doc, array, object);
    }
    return array;
}

static json_t *jobs_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->n_top; i++) {
        const struct report_job *job = &report->top[i];
        json_t *object = json_object();

        json_put_text(doc, object, "job", job->job_id);
        json_put_integer(doc, object, "job_id", job->job.job_id);
        json_put_integer(doc, object, "restart_count", job->job.restart_count);
        json_put_text(doc, object, "name", job->job.name);
        json_put_text(doc, object, "user", job->job.user);
        json_put_text(doc, object, "account", job->job.account);
        json_put_text(doc, object, "partition", job->job.partition);
        json_put_text(doc, object, "qos", job->job.qos);
        json_put_text(doc, object, "state", job->state);
        json_put_instant(doc, object, "begin_utc", job->job.begin_s);
        if (job->job.end_s.has)
            json_put_instant(doc, object, "end_utc", job->job.end_s.value);
        else
            json_put(doc, object, "end_utc", json_null());
        json_put(doc, object, "own", amounts_of(doc, report, &job->amounts));
        json_add(doc, array, object);
    }
    return array;
}

static json_t *days_of(struct json_doc *doc, const struct period_report *report)
{
    bool grams = report->has_grams;
    json_t *array = json_array();

    for (size_t i = 0; i < report->n_days; i++) {
        const struct report_day *day = &report->days[i];
        json_t *object = json_object();

        put_date(doc, object, "day_utc", day->day_s, 10);
        json_put_integer(doc, object, "counted_mj", day->counted_mj);
        json_put(doc, object, "operational_mg", known(grams, day->operational_mg));
        json_put(doc, object, "mean_intensity_g_per_kwh",
                 millionths(grams && day->counted_mj > 0, day->ug_per_kwh));
        json_put_integer(doc, object, "hours_with_energy", day->hours);
        json_put(doc, object, "annual_value_hours", known(grams, day->annual_hours));
        json_add(doc, array, object);
    }
    return array;
}

static json_t *trend_of(struct json_doc *doc, const struct period_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->n_trend; i++) {
        const struct report_month *month = &report->trend[i];
        bool grams = report->has_grams && month->has;
        bool embodied = report->basis->has_inventory && month->has;
        json_t *object = json_object();

        put_date(doc, object, "month_utc", month->month_s, 7);
        json_put(doc, object, "counted_mj", known(month->has, month->counted_mj));
        json_put(doc, object, "measured_mj", known(month->has, month->measured_mj));
        json_put(doc, object, "active_mg", known(grams, month->active_mg));
        json_put(doc, object, "idle_mg", known(grams, month->idle_mg));
        json_put(doc, object, "system_mg", known(grams, month->system_mg));
        json_put(doc, object, "unallocated_mg", known(grams, month->unallocated_mg));
        json_put(doc, object, "overhead_mg", known(grams, month->overhead_mg));
        json_put(doc, object, "embodied", range_of(doc, embodied, &month->embodied));
        json_put(doc, object, "total_mg", known(grams && embodied, month->total_mg));
        json_add(doc, array, object);
    }
    return array;
}

static json_t *assets_of(struct json_doc *doc, const struct period_report *report)
{
    const struct embodied_period *embodied = &report->embodied;
    const struct inventory *inventory = &report->basis->inventory;
    json_t *array = json_array();

    for (size_t i = 0; i < embodied->n_parts; i++) {
        const struct asset_part *part = &embodied->parts[i];
        json_t *object = json_object();

        json_put_text(doc, object, "node_type",
                      part->type >= 0 ? inventory->types[part->type].name : NULL);
        json_put_text(doc, object, "asset", part->asset->name);
        json_put_text(doc, object, "class", asset_class_names[part->asset->class]);
        json_put_integer(doc, object, "pieces", part->pieces);
        json_put_integer(doc, object, "service_ms", part->service_ms);
        json_put(doc, object, "amortised", range_of(doc, true, &part->amount));
        json_put(doc, object, "written_off", range_of(doc, true, &part->written_off));
        json_put(doc, object, "acquired_do_not_add", range_of(doc, true, &part->acquired));
        json_put_integer(doc, object, "fully_amortised_pieces", part->amortised_pieces);
        json_put_text(doc, object, "source", part->asset->source);
        json_add(doc, array, object);
    }
    return array;
}

static json_t *names_of(struct json_doc *doc, const struct hostlist *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_add(doc, array, text_or_null(doc, list->names[i]));
    return array;
}

static json_t *warnings_of(struct json_doc *doc, const struct period_report *report)
{
    bool grams = report->has_grams, embodied = report->basis->has_inventory;
    json_t *object = json_object();

    json_put_integer(doc, object, "hours_with_energy", report->hours);
    json_put(doc, object, "annual_value_hours", known(grams, report->annual_hours));
    json_put(doc, object, "estimated_hours", known(grams, report->estimated_hours));
    json_put(doc, object, "other_basis_hours", known(grams, report->other_basis_hours));
    json_put(doc, object, "silent_node_hours", known(embodied, report->nodes_silent_hours));
    json_put(doc, object, "unknown_nodes", names_of(doc, &report->unknown_nodes));
    json_put(doc, object, "silent_nodes", names_of(doc, &report->silent_nodes));
    json_put(doc, object, "fully_amortised_pieces",
             known(embodied, report->fully_amortised_pieces));
    return object;
}

/* Who is told names of, by rule; absent where all are named. */
static void put_viewer(struct json_doc *doc, json_t *root, const struct viewer *viewer)
{
    json_t *object;

    if (!viewer)
        return;
    object = json_object();
    json_put(doc, object, "uid", known(viewer->has_uid, viewer->uid));
    json_put_text(doc, object, "user", viewer->user);
    json_put(doc, object, "accounts", names_of(doc, &viewer->accounts));
    json_put(doc, root, "restricted_to", object);
}

/* --- the document ----------------------------------------------------------------------------- */

int period_report_json(const struct period_report *report, struct buf *buf, struct error *err)
{
    struct json_doc doc = { false };
    json_t *root = json_object();

    json_put(&doc, root, "format", json_string("sreport-carbon-1"));
    json_put_text(&doc, root, "cluster", report->period.cluster);
    json_put(&doc, root, "period", period_of(&doc, report));
    put_viewer(&doc, root, report->viewer);
    json_put(&doc, root, "method", method_of(&doc, report));
    json_put(&doc, root, "energy", energy_of(&doc, report));
    json_put(&doc, root, "co2e", co2e_of(&doc, report));
    json_put(&doc, root, "scopes", scopes_of(&doc, report));
    json_put(&doc, root, "pools", pools_of(&doc, report));
    json_put(&doc, root, "jobs", amounts_of(&doc, report, &report->jobs));
    json_put(&doc, root, "accounts", group_of(&doc, report, &report->accounts, true));
    json_put(&doc, root, "users", group_of(&doc, report, &report->users, false));
    json_put(&doc, root, "partitions", group_of(&doc, report, &report->partitions, false));
    json_put(&doc, root, "states", group_of(&doc, report, &report->states, false));
    json_put(&doc, root, "node_types", types_of(&doc, report));
    json_put(&doc, root, "top_jobs", jobs_of(&doc, report));
    json_put(&doc, root, "days", days_of(&doc, report));
    json_put(&doc, root, "trend", trend_of(&doc, report));
    json_put(&doc, root, "assets", assets_of(&doc, report));
    json_put(&doc, root, "budgets", budgets_json(&doc, &report->budgets));
    json_put(&doc, root, "warnings", warnings_of(&doc, report));
    json_doc_write(&doc, root, buf);
    return doc.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the JSON") : 0;
}
