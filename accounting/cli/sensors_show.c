#include "cli/sensors_show.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/meter_status.h"
#include "cli/plainf.h"
#include "cli/table.h"
#include "core/apportion.h"
#include "core/clock.h"

#define TEXT_SIZE 64
#define UW_PER_MW UINT64_C(1000)
#define UW_PER_W UINT64_C(1000000)

/* What is said of one counter, whichever way. */
struct facts {
    const struct sensor_counter *counter;
    const struct watched *watched;
    bool has_wrap, has_wrap_now;
    uint64_t wrap_s, wrap_now_s; /* at the highest power believed, and at the present one */
    bool has_floor, floor_learned;
    uint64_t floor_uw;
};

static struct facts collect(const struct sensors_shown *shown, size_t index)
{
    struct facts facts = { .counter = sensors_counter(shown->sensors, index),
                           .watched = &shown->watched[index] };
    const struct sensor_counter *counter = facts.counter;

    facts.has_wrap = counter->range_uj > 0 && counter->max_uw > 0;
    if (facts.has_wrap)
        facts.wrap_s = counter->range_uj / counter->max_uw;
    facts.has_wrap_now = counter->range_uj > 0 && facts.watched->has_power &&
                         facts.watched->power_uw > 0;
    if (facts.has_wrap_now)
        facts.wrap_now_s = counter->range_uj / facts.watched->power_uw;
    facts.has_floor = meter_find_floor(shown->status, counter->source, &facts.floor_uw,
                                       &facts.floor_learned);
    if (!facts.has_floor && counter->floor_uw > 0) {
        facts.has_floor = true;
        facts.floor_uw = counter->floor_uw;
    }
    return facts;
}

bool sensors_need_root(const struct sensors_shown *shown)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(shown->sensors, &list);

    for (size_t i = 0; i < count; i++)
        if (strstr(list[i].reason, "root"))
            return true;
    for (size_t i = 0; i < sensors_count(shown->sensors); i++)
        if (shown->watched[i].code == -EACCES || shown->watched[i].code == -EPERM)
            return true;
    return false;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* "package 0", "device 3", "node": in the words of those who use Slurm. */
static void format_domain(const struct sensor_counter *counter, char text[TEXT_SIZE])
{
    if (counter->component == COMPONENT_OTHER)
        snprintf(text, TEXT_SIZE, "node");
    else
        snprintf(text, TEXT_SIZE, "%s %u",
                 counter->component == COMPONENT_GPU ? "GPU" : "package", counter->domain);
}

static void format_power(const struct facts *facts, char text[TEXT_SIZE])
{
    uint64_t power_dw = facts->watched->power_uw / (UW_PER_W / 10);

    if (facts->watched->has_power)
        snprintf(text, TEXT_SIZE, "%" PRIu64 ".%" PRIu64, power_dw / 10, power_dw % 10);
}

static void format_period(const struct facts *facts, char text[TEXT_SIZE])
{
    const struct watched *watched = facts->watched;
    uint64_t tenths = (watched->has_period ? watched->period_ns : watched->below_ns) / 100000;

    if (watched->has_period || watched->below_ns)
        snprintf(text, TEXT_SIZE, "%s%" PRIu64 ".%" PRIu64, watched->has_period ? "" : "<",
                 tenths / 10, tenths % 10 + (watched->has_period ? 0 : 1));
}

static void format_floor(const struct facts *facts, char text[TEXT_SIZE])
{
    uint64_t floor_dw = facts->floor_uw / (UW_PER_W / 10);

    if (facts->has_floor)
        snprintf(text, TEXT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", floor_dw / 10, floor_dw % 10,
                 facts->floor_learned ? "learned" : "known");
}

static void format_number(bool has, uint64_t number, char text[TEXT_SIZE])
{
    if (has)
        snprintf(text, TEXT_SIZE, "%" PRIu64, number);
}

enum column { SOURCE, SENSOR, COMPONENT, OF, QUALITY, POWER, PERIOD, WRAP_NOW, WRAP, COST, FLOOR,
              DEVICE, COLUMNS };

static const struct table_column used_columns[] = {
    [SOURCE] = { "SOURCE", false },   [SENSOR] = { "SENSOR", false },
    [COMPONENT] = { "COUNTS", false }, [OF] = { "OF", false },
    [QUALITY] = { "QUALITY", false }, [POWER] = { "POWER W", true },
    [PERIOD] = { "REFRESH ms", true }, [WRAP_NOW] = { "WRAPS IN s", true },
    [WRAP] = { "AT LEAST s", true },  [COST] = { "READ us", true },
    [FLOOR] = { "IDLE FLOOR W", true }, [DEVICE] = { "DEVICE", false },
    [COLUMNS] = { NULL, false },
};

static bool add_counter(struct table *table, const struct facts *facts)
{
    const struct sensor_counter *counter = facts->counter;
    const struct watched *watched = facts->watched;
    char room[COLUMNS][TEXT_SIZE];
    const char *texts[COLUMNS];

    for (size_t i = 0; i < COLUMNS; i++) {
        snprintf(room[i], sizeof(room[i]), "-");
        texts[i] = room[i];
    }
    texts[SOURCE] = counter->source;
    texts[SENSOR] = counter->sensor;
    texts[COMPONENT] = component_names[counter->component];
    format_domain(counter, room[OF]);
    texts[QUALITY] = quality_names[counter->quality];
    format_power(facts, room[POWER]);
    format_period(facts, room[PERIOD]);
    format_number(facts->has_wrap_now, facts->wrap_now_s, room[WRAP_NOW]);
    format_number(facts->has_wrap, facts->wrap_s, room[WRAP]);
    format_number(watched->n_costs > 0, (watch_cost_ns(watched) + 999) / 1000, room[COST]);
    format_floor(facts, room[FLOOR]);
    if (counter->device[0])
        texts[DEVICE] = counter->device;
    return table_add(table, texts);
}

static int print_used(const struct sensors_shown *shown, struct error *err)
{
    struct table *table = table_new(used_columns);
    size_t count = sensors_count(shown->sensors);
    bool fine = table != NULL;

    for (size_t i = 0; i < count && fine; i++) {
        struct facts facts = collect(shown, i);

        fine = add_counter(table, &facts);
    }
    if (fine) {
        plainf("Counters in use on %s: %zu\n\n", shown->node, count);
        table_print(table);
    }
    table_free(table);
    return fine ? 0 : error_set_errno(err, -ENOMEM, "sensors");
}

static void print_failures(const struct sensors_shown *shown)
{
    for (size_t i = 0; i < sensors_count(shown->sensors); i++)
        if (shown->watched[i].code < 0)
            plainf("%s could not be read: %s\n", sensors_counter(shown->sensors, i)->source,
                   sensors_error_text(shown->watched[i].code));
}

static void print_legend(const struct sensors_shown *shown)
{
    uint64_t tenths = shown->span_ns / (NS_PER_S / 10);

    plainf("\n");
    print_failures(shown);
    if (shown->is_captured_once)
        plainf("The capture has one instant: it tells no power.\n");
    else
        plainf("POWER: mean of %" PRIu64 ".%" PRIu64 " s. ", tenths / 10, tenths % 10);
    if (shown->is_capture)
        plainf("REFRESH, READ and power of a model cannot be told from a capture.\n");
    else
        plainf("REFRESH: how often the counter was seen to change. READ: time of one reading.\n");
    plainf("WRAPS IN: seconds until it begins anew at this power; AT LEAST: at the highest power "
           "believed.\n\"-\": not seen, or does not happen.\n");
}

static void print_floor_note(const struct sensors_shown *shown)
{
    switch (shown->life) {
    case METER_NOT_ASKED:
        return;
    case METER_RUNS:
        plainf("IDLE FLOOR: as carbon-meterd, which runs here, has it now; \"-\" while it still "
               "learns.\n");
        return;
    case METER_STOPPED:
        plainf("IDLE FLOOR: the last word of carbon-meterd, which does not run here now.\n");
        return;
    case METER_ABSENT:
        plainf("IDLE FLOOR: learned ones come from carbon-meterd, which does not run here (nothing "
               "in SpoolDir %s).\n", shown->spool_dir);
        return;
    case METER_UNREADABLE:
        plainf("IDLE FLOOR: learned ones are in carbon-meterd's status in SpoolDir %s, which you "
               "may not read: run as root.\n", shown->spool_dir);
        return;
    }
}

static int print_left_out(const struct sensors_shown *shown, struct error *err)
{
    static const struct table_column columns[] = { { "NOT USED", false }, { "WHY", false },
                                                   { NULL, false } };
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(shown->sensors, &list);
    struct table *table = table_new(columns);
    bool fine = table != NULL;

    for (size_t i = 0; i < count && fine; i++) {
        const char *texts[] = { list[i].source, list[i].reason };

        fine = table_add(table, texts);
    }
    if (fine && count > 0) {
        plainf("\n");
        table_print(table);
    }
    table_free(table);
    return fine ? 0 : error_set_errno(err, -ENOMEM, "sensors");
}

int sensors_show_tables(const struct sensors_shown *shown, struct error *err)
{
    int rc = print_used(shown, err);

    if (rc < 0)
        return rc;
    print_legend(shown);
    print_floor_note(shown);
    return print_left_out(shown, err);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *number_or_null(bool has, uint64_t number)
{
    return has && number <= INT64_MAX ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_or_null(const char *text)
{
    json_t *string = text && text[0] ? json_string(text) : NULL;

    return string ? string : json_null(); /* what is no UTF-8 is not known */
}

static json_t *json_of_counter(const struct facts *facts)
{
    const struct sensor_counter *counter = facts->counter;
    const struct watched *watched = facts->watched;
    const char *floor = facts->floor_learned ? "learned" : "known";
    bool has_domain = counter->component != COMPONENT_OTHER;

    return json_pack(
        "{s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "source", text_or_null(counter->source), "sensor", counter->sensor, "component",
        component_names[counter->component], "domain", number_or_null(has_domain, counter->domain),
        "quality", quality_names[counter->quality], "device", text_or_null(counter->device),
        "raw_uj", number_or_null(watched->at_ns > 0, watched->raw_uj), "power_uw",
        number_or_null(watched->has_power, watched->power_uw), "refresh_ns",
        number_or_null(watched->has_period, watched->period_ns), "refresh_below_ns",
        number_or_null(watched->below_ns > 0, watched->below_ns), "range_uj",
        number_or_null(counter->range_uj > 0, counter->range_uj), "max_uw",
        number_or_null(counter->max_uw > 0, counter->max_uw), "wraps_in_s",
        number_or_null(facts->has_wrap_now, facts->wrap_now_s), "wraps_in_at_least_s",
        number_or_null(facts->has_wrap, facts->wrap_s), "read_ns",
        number_or_null(watched->n_costs > 0, watch_cost_ns(watched)), "idle_floor_uw",
        number_or_null(facts->has_floor, facts->floor_uw), "idle_floor",
        text_or_null(facts->has_floor ? floor : NULL), "error",
        text_or_null(watched->code < 0 ? sensors_error_text(watched->code) : NULL));
}

static const char *life_text(enum meter_life life)
{
    switch (life) {
    case METER_RUNS:
        return "runs";
    case METER_STOPPED:
    case METER_ABSENT:
        return "does not run";
    default:
        return NULL;
    }
}

int sensors_show_json(const struct sensors_shown *shown, struct error *err)
{
    json_t *used = json_array(), *unused = json_array(), *all;
    const struct sensor_left_out *list;
    size_t n_left_out = sensors_left_out(shown->sensors, &list);
    int rc = 0;

    for (size_t i = 0; i < sensors_count(shown->sensors); i++) {
        struct facts facts = collect(shown, i);

        rc |= json_array_append_new(used, json_of_counter(&facts));
    }
    for (size_t i = 0; i < n_left_out; i++)
        rc |= json_array_append_new(unused, json_pack("{s:o, s:o}", "source",
                                                      text_or_null(list[i].source), "reason",
                                                      text_or_null(list[i].reason)));
    all = json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "node", text_or_null(shown->node),
                    "root", text_or_null(shown->root), "capture", shown->is_capture,
                    "power_span_ns",
                    number_or_null(!shown->is_captured_once, shown->span_ns), "meter",
                    text_or_null(life_text(shown->life)), "used", used, "left_out", unused);
    if (rc != 0 || !all || json_dumpf(all, stdout, JSON_INDENT(2)) < 0)
        rc = error_set(err, -ENOMEM, "out of memory");
    else
        putchar('\n');
    json_decref(all);
    return rc;
}
