/*
 * Reading inventory.conf, in named steps: sections and fields with their lines (conf_sections.h);
 * each section to a struct, field by field; what concerns several together: nodes of two types,
 * periods that overlap, accounts in a ring, the sum of everything.
 */
#include "config.h"

#include "carbon/inventory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carbon/conf_sections.h"
#include "carbon/factor_table.h"
#include "carbon/operational.h"
#include "core/clock.h"
#include "core/nearest.h"
#include "core/parse.h"

#define H_PER_YEAR UINT64_C(8760)
#define YEARS_MAX UINT64_C(100)
#define KG_MAX UINT64_C(10000000) /* of one piece: the steel of a large building */
#define COUNT_MAX 1000000u
#define GPUS_MAX 1024u
#define CORES_MAX 65536u
#define WATTS_MAX UINT64_C(10000)
#define PUE_MAX_PPM (10 * PPM)
#define BUDGET_MAX UINT64_C(1000000000) /* kg or kWh; as millijoules below INT64_MAX */
#define MJ_PER_MILLIONTH_KWH 3600
#define S_PER_DAY INT64_C(86400)

const char *const asset_class_names[] = { "GPU", "CPU", "shared", NULL };

static const char *const asset_keys[] = {
    "class", "nodes", "count", "kg", "kg_low", "kg_high", "factor", "lifetime_years", "in_service",
    "retired", "source", NULL,
};
static const char *const shared_keys[] = {
    "count", "kg", "kg_low", "kg_high", "factor", "lifetime_years", "in_service", "retired",
    "source", NULL,
};
static const char *const node_type_keys[] = { "nodes", "gpus", "cores", "core_watts", "gpu_watts",
                                              "in_service", "retired", NULL };
static const char *const pue_keys[] = { "from", "to", "value", "source", NULL };
static const char *const market_keys[] = { "from", "to", "gco2e_per_kwh", "source", NULL };
static const char *const account_keys[] = { "parent", NULL };
static const char *const budget_keys[] = { "account", "period", "kgco2e", "kwh", "from", "to",
                                           NULL };
static const struct conf_spec node_type_sections[] = { { "asset", asset_keys, NULL },
                                                       { NULL, NULL, NULL } };
static const struct conf_spec file_sections[] = {
    { "node_type", node_type_keys, node_type_sections },
    { "shared", shared_keys, NULL },
    { "pue", pue_keys, NULL },
    { "market", market_keys, NULL },
    { "account", account_keys, NULL },
    { "budget", budget_keys, NULL },
    { NULL, NULL, NULL },
};
static const struct conf_spec file_spec = { "", NULL, file_sections };

/* What every step needs. */
struct reader {
    const char *name;
    const struct factor_table *table;
    struct error *err;
    struct inventory *inventory;
    const struct conf_section **types; /* sections of the inventory's types, by their index */
};

/* --- errors ----------------------------------------------------------------------------------- */

static int wrong(const struct reader *r, const struct conf_section *section, const char *key,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* "file:line: kind "title": key: …"; the line is the field's, else the section's. */
static int wrong(const struct reader *r, const struct conf_section *section, const char *key,
                 const char *fmt, ...)
{
    const struct conf_field *field = key ? conf_section_field(section, key) : NULL;
    char text[ERROR_TEXT_SIZE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return error_set(r->err, -EINVAL, "%s:%u: %s \"%.96s\": %s%s%s", r->name,
                     field ? field->line : section->line, section->kind, section->title,
                     key ? key : "", key ? ": " : "", text);
}

static int no_memory(const struct reader *r)
{
    return error_set(r->err, -ENOMEM, "%s: out of memory", r->name);
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool has(const struct conf_section *section, const char *key)
{
    return conf_section_field(section, key) != NULL;
}

static const char *value_of(const struct conf_section *section, const char *key)
{
    const struct conf_field *field = conf_section_field(section, key);

    return field ? field->value : "";
}

static int need(const struct reader *r, const struct conf_section *section, const char *key,
                const char *example)
{
    if (has(section, key))
        return 0;
    return wrong(r, section, NULL, "%s is missing; write %s = %s", key, key, example);
}

static int take_title(const struct reader *r, const struct conf_section *section, char *room,
                      size_t size)
{
    size_t len = strlen(section->title);

    if (len == 0)
        return wrong(r, section, NULL, "an empty title; give it a name");
    if (len >= size)
        return wrong(r, section, NULL, "the title is longer than %zu bytes; shorten it", size - 1);
    memcpy(room, section->title, len + 1);
    return 0;
}

static int take_text(const struct reader *r, const struct conf_section *section, const char *key,
                     const char *example, char *room, size_t size)
{
    int rc = need(r, section, key, example);
    const char *text = value_of(section, key);

    if (rc < 0)
        return rc;
    if (*text == '\0')
        return wrong(r, section, key, "empty; write %s = %s", key, example);
    if (strlen(text) >= size)
        return wrong(r, section, key, "longer than %zu bytes; shorten it", size - 1);
    memcpy(room, text, strlen(text) + 1);
    return 0;
}

/* Without the key *ret stays. */
static int take_u32(const struct reader *r, const struct conf_section *section, const char *key,
                    uint32_t max, uint32_t *ret)
{
    if (has(section, key) && parse_u32(value_of(section, key), 1, max, ret) < 0)
        return wrong(r, section, key, "\"%.40s\": write a whole number from 1 to %" PRIu32
                     ", or leave %s out", value_of(section, key), max, key);
    return 0;
}

static int take_kg(const struct reader *r, const struct conf_section *section, const char *key,
                   uint64_t *ret_mg)
{
    if (has(section, key) && parse_decimal(value_of(section, key), 6, KG_MAX * 1000000, ret_mg) < 0)
        return wrong(r, section, key, "\"%.40s\": write kilograms of CO2e of one piece, such as "
                     "2500 or 33.98, at most %" PRIu64, value_of(section, key), KG_MAX);
    return 0;
}

/* --- times ------------------------------------------------------------------------------------ */

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool two_digits(const char *p, unsigned *ret)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
    return true;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_to(unsigned year, unsigned month, unsigned day)
{
    static const unsigned before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    int64_t days = 0;

    for (unsigned y = 1970; y < year; y++)
        days += is_leap(y) ? 366 : 365;
    days += before[month - 1] + (month > 2 && is_leap(year));
    return days + day - 1;
}

/* "YYYY-MM-DD", or with "THH:00Z" behind; from 1970 to 2199. */
static bool parse_time(const char *text, int64_t *ret_s)
{
    static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    size_t len = strlen(text);
    unsigned century, rest, month, day, hour = 0, year;

    if ((len != 10 && len != 17) || !two_digits(text, &century) || !two_digits(text + 2, &rest) ||
        text[4] != '-' || !two_digits(text + 5, &month) || text[7] != '-' ||
        !two_digits(text + 8, &day))
        return false;
    if (len == 17 && (text[10] != 'T' || !two_digits(text + 11, &hour) ||
                      strcmp(text + 13, ":00Z") != 0))
        return false;
    year = century * 100 + rest;
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || hour > 23 ||
        day > lengths[month - 1] + (month == 2 && is_leap(year)))
        return false;
    *ret_s = days_to(year, month, day) * S_PER_DAY + (int64_t)hour * 3600;
    return true;
}

/* Without the key *ret stays. */
static int take_time(const struct reader *r, const struct conf_section *section, const char *key,
                     int64_t *ret_s)
{
    if (has(section, key) && !parse_time(value_of(section, key), ret_s))
        return wrong(r, section, key, "\"%.40s\": write a day of the calendar, or a full hour, in "
                     "UTC, such as \"2024-01-01\" or \"2024-01-01T06:00Z\"",
                     value_of(section, key));
    return 0;
}

static int take_period(const struct reader *r, const struct conf_section *section,
                       int64_t *ret_from_s, int64_t *ret_to_s)
{
    int rc = need(r, section, "from", "\"2026-01-01\"");

    *ret_to_s = NEVER_S;
    if (rc == 0)
        rc = take_time(r, section, "from", ret_from_s);
    if (rc == 0)
        rc = take_time(r, section, "to", ret_to_s);
    if (rc == 0 && *ret_to_s <= *ret_from_s)
        rc = wrong(r, section, "to", "not after from; the period ends before the day that `to` "
                   "names, so write a later one, or leave `to` out while it goes on");
    return rc;
}

/* --- hostlists -------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first name that stands twice in a list, or NULL. *ret_failed: out of memory. */
static const char *find_twice(const struct hostlist *list, bool *ret_failed)
{
    const char **sorted = malloc((list->count + 1) * sizeof(*sorted));
    const char *twice = NULL;

    *ret_failed = !sorted;
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = list->names[i];
    qsort(sorted, list->count, sizeof(*sorted), compare_texts);
    for (size_t i = 1; i < list->count && !twice; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            twice = sorted[i];
    free(sorted);
    return twice;
}

static int take_nodes(const struct reader *r, const struct conf_section *section,
                      struct hostlist *list)
{
    const char *text = value_of(section, "nodes"), *twice;
    struct error inner = { "" };
    bool failed;
    int rc = hostlist_expand(text, list, &inner);

    if (rc == -ENOMEM)
        return no_memory(r);
    if (rc < 0)
        return wrong(r, section, "nodes", "%s", inner.text);
    for (size_t i = 0; i < list->count; i++)
        if (list->names[i][strcspn(list->names[i], " \t=;/\"'")] != '\0')
            return wrong(r, section, "nodes", "\"%.60s\" is no name of a node; write them as Slurm "
                         "does, without blanks: \"n[001-128],login1\"", list->names[i]);
    twice = find_twice(list, &failed);
    if (failed)
        return no_memory(r);
    if (twice)
        return wrong(r, section, "nodes", "%s stands in it twice; name each node once", twice);
    return 0;
}

static int copy_nodes(const struct reader *r, const struct hostlist *from, struct hostlist *to)
{
    to->names = calloc(from->count + 1, sizeof(*to->names));
    if (!to->names)
        return no_memory(r);
    for (; to->count < from->count; to->count++) {
        to->names[to->count] = strdup(from->names[to->count]);
        if (!to->names[to->count])
            return no_memory(r);
    }
    return 0;
}

/* --- assets ----------------------------------------------------------------------------------- */

/* The factor that comes nearest: one that has the words in it, else by edits. */
static const char *nearest_factor(const struct factor_table *table, const char *component)
{
    const char *nearest = NULL;
    unsigned least = 0;

    for (size_t i = 0; i < table->count; i++) {
        const char *name = table->factors[i].component;
        unsigned edits = strcasestr(name, component) ? 0 : edit_distance(component, name);

        if (!nearest || edits < least) {
            nearest = name;
            least = edits;
        }
    }
    return nearest;
}

static int take_factor(const struct reader *r, const struct conf_section *section,
                       struct asset *asset)
{
    static const char *const replaced[] = { "kg", "kg_low", "kg_high", "source" };
    const char *component = value_of(section, "factor");
    const struct embodied_factor *factor =
        r->table ? factor_table_find(r->table, component) : NULL;
    const char *nearest = r->table && !factor ? nearest_factor(r->table, component) : NULL;

    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++)
        if (has(section, replaced[i]))
            return wrong(r, section, replaced[i], "the row that `factor` names gives it; leave out "
                         "one of the two");
    if (!factor)
        return wrong(r, section, "factor", "\"%.96s\" is no component of embodied_factors.csv%s%s"
                     "%s; write the name as it stands there, or give kg and source", component,
                     nearest ? " (nearest: \"" : "", nearest ? nearest : "", nearest ? "\")" : "");
    asset->low_mg = factor->low_mg;
    asset->central_mg = factor->central_mg;
    asset->high_mg = factor->high_mg;
    snprintf(asset->source, sizeof(asset->source), "%s", factor->source);
    return 0;
}

static int take_masses(const struct reader *r, const struct conf_section *section,
                       struct asset *asset)
{
    int rc = need(r, section, "kg", "2500 (of one piece, in kg CO2e), or a factor");

    if (rc == 0)
        rc = take_kg(r, section, "kg", &asset->central_mg);
    asset->low_mg = asset->high_mg = asset->central_mg;
    if (rc == 0)
        rc = take_kg(r, section, "kg_low", &asset->low_mg);
    if (rc == 0)
        rc = take_kg(r, section, "kg_high", &asset->high_mg);
    if (rc == 0 && asset->central_mg == 0)
        rc = wrong(r, section, "kg", "0; nothing is made without emissions, so write what making "
                   "one piece emitted");
    if (rc == 0 && asset->low_mg > asset->central_mg)
        rc = wrong(r, section, "kg_low", "more than kg; it is the least that it may have been");
    if (rc == 0 && asset->high_mg < asset->central_mg)
        rc = wrong(r, section, "kg_high", "less than kg; it is the most that it may have been");
    if (rc == 0)
        rc = take_text(r, section, "source", "\"who says so, and when\"", asset->source,
                       sizeof(asset->source));
    return rc;
}

static int take_lifetime(const struct reader *r, const struct conf_section *section,
                         struct asset *asset)
{
    uint64_t years_ppm;
    int rc = need(r, section, "lifetime_years", "6");

    if (rc < 0)
        return rc;
    if (parse_decimal(value_of(section, "lifetime_years"), 6, YEARS_MAX * PPM, &years_ppm) == 0)
        asset->lifetime_h = (years_ppm * H_PER_YEAR + PPM / 2) / PPM;
    if (asset->lifetime_h == 0)
        return wrong(r, section, "lifetime_years", "\"%.40s\": write the years that it will serve, "
                     "such as 6 or 4.5, more than 0 and at most %" PRIu64,
                     value_of(section, "lifetime_years"), YEARS_MAX);
    return 0;
}

/* Begin and end of service; begin_s and end_s hold what serves where nothing is said. */
static int take_service(const struct reader *r, const struct conf_section *section,
                        int64_t *begin_s, int64_t *end_s)
{
    int64_t end_at_most_s = *end_s;
    int rc = take_time(r, section, "in_service", begin_s);

    if (rc == 0)
        rc = take_time(r, section, "retired", end_s);
    if (rc == 0 && *end_s > end_at_most_s)
        rc = wrong(r, section, "retired", "later than its node_type is retired; where it serves on "
                   "in other nodes, write it there as well, with that day as its in_service");
    if (rc == 0 && *end_s <= *begin_s)
        rc = wrong(r, section, has(section, "retired") ? "retired" : "in_service",
                   "retired before its service began; correct one of the two days");
    return rc;
}

static int take_asset_values(const struct reader *r, const struct conf_section *section,
                             struct asset *asset)
{
    int rc = take_title(r, section, asset->name, sizeof(asset->name));

    asset->line = section->line;
    asset->count = 1;
    if (rc == 0)
        rc = take_u32(r, section, "count", COUNT_MAX, &asset->count);
    if (rc == 0)
        rc = has(section, "factor") ? take_factor(r, section, asset)
                                    : take_masses(r, section, asset);
    if (rc == 0)
        rc = take_lifetime(r, section, asset);
    if (rc == 0)
        rc = take_service(r, section, &asset->in_service_s, &asset->retired_s);
    return rc;
}

static int take_class(const struct reader *r, const struct conf_section *section,
                      struct asset *asset)
{
    const char *text = value_of(section, "class");
    int rc = need(r, section, "class", "GPU, CPU or shared");

    if (rc < 0)
        return rc;
    for (unsigned i = 0; asset_class_names[i]; i++) {
        if (strcasecmp(text, asset_class_names[i]) == 0) {
            asset->class = i;
            return 0;
        }
    }
    return wrong(r, section, "class", "\"%.40s\": write GPU where the nodes' use is counted in "
                 "GPU-hours, CPU where in core-hours, shared where jobs do not run", text);
}

/* Its own nodes, each among its type's, or all of those. */
static int take_asset_nodes(const struct reader *r, const struct conf_section *section,
                            const struct node_type *type, struct asset *asset)
{
    int rc, index = (int)(type - r->inventory->types);

    if (!has(section, "nodes"))
        return copy_nodes(r, &type->nodes, &asset->nodes);
    rc = take_nodes(r, section, &asset->nodes);
    for (size_t i = 0; rc == 0 && i < asset->nodes.count; i++)
        if (inventory_type_of(r->inventory, asset->nodes.names[i]) != index)
            rc = wrong(r, section, "nodes", "%s is no node of node_type \"%s\"; name nodes of its "
                       "own type only", asset->nodes.names[i], type->name);
    return rc;
}

static int take_assets(const struct reader *r, const struct conf_section *section,
                       struct node_type *type)
{
    type->assets = calloc(section->n_sections + 1, sizeof(*type->assets));
    if (!type->assets)
        return no_memory(r);
    for (size_t i = 0; i < section->n_sections; i++) {
        struct asset *asset = &type->assets[type->n_assets++];
        const struct conf_section *of = &section->sections[i];
        int rc = take_class(r, of, asset);

        asset->in_service_s = type->in_service_s;
        asset->retired_s = type->retired_s;
        if (rc == 0)
            rc = take_asset_values(r, of, asset);
        if (rc == 0)
            rc = take_asset_nodes(r, of, type, asset);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int take_shared(const struct reader *r, const struct conf_section *section)
{
    struct asset *asset = &r->inventory->shared[r->inventory->n_shared++];
    int rc = need(r, section, "in_service", "\"2024-01-01\"");

    asset->class = ASSET_SHARED;
    asset->retired_s = NEVER_S;
    return rc == 0 ? take_asset_values(r, section, asset) : rc;
}

/* --- node types ------------------------------------------------------------------------------- */

static int take_watts(const struct reader *r, const struct conf_section *section, const char *key,
                      uint64_t *ret_uw)
{
    if (has(section, key) &&
        parse_decimal(value_of(section, key), 6, WATTS_MAX * 1000000, ret_uw) < 0)
        return wrong(r, section, key, "\"%.40s\" is no power; write watts, up to %" PRIu64
                     ", with at most 6 digits after the point", value_of(section, key), WATTS_MAX);
    return 0;
}

/* All but its assets, which need the nodes of all types. */
static int take_type(struct reader *r, const struct conf_section *section)
{
    struct node_type *type = &r->inventory->types[r->inventory->n_types];
    int rc = take_title(r, section, type->name, sizeof(type->name));

    r->types[r->inventory->n_types++] = section;
    type->line = section->line;
    type->retired_s = NEVER_S;
    if (rc == 0)
        rc = need(r, section, "nodes", "\"n[001-128]\"");
    if (rc == 0)
        rc = take_nodes(r, section, &type->nodes);
    if (rc == 0)
        rc = take_u32(r, section, "gpus", GPUS_MAX, &type->gpus);
    if (rc == 0)
        rc = take_u32(r, section, "cores", CORES_MAX, &type->cores);
    if (rc == 0)
        rc = take_watts(r, section, "core_watts", &type->core_uw);
    if (rc == 0)
        rc = take_watts(r, section, "gpu_watts", &type->gpu_uw);
    if (rc == 0)
        rc = need(r, section, "in_service", "\"2024-01-01\"");
    if (rc == 0)
        rc = take_service(r, section, &type->in_service_s, &type->retired_s);
    return rc;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct inventory_node *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : x->type - y->type;
}

static int overlap(const struct reader *r, int first, int second)
{
    const struct inventory *inventory = r->inventory;
    const char **names = malloc(inventory->n_nodes * sizeof(*names));
    struct buf both;
    size_t count = 0;
    int rc;

    if (!names)
        return no_memory(r);
    for (size_t i = 1; i < inventory->n_nodes; i++)
        if (inventory->nodes[i - 1].type == first && inventory->nodes[i].type == second &&
            strcmp(inventory->nodes[i - 1].name, inventory->nodes[i].name) == 0)
            names[count++] = inventory->nodes[i].name;
    buf_init(&both);
    hostlist_fold(names, count, &both);
    rc = buf_failed(&both) ? no_memory(r)
                           : wrong(r, r->types[second], "nodes", "%.200s: in node_type \"%s\" "
                                   "(line %u) already; a node is of one type, so take it out of "
                                   "one of the two", both.data, inventory->types[first].name,
                                   inventory->types[first].line);
    buf_free(&both);
    free(names);
    return rc;
}

static int index_nodes(const struct reader *r)
{
    struct inventory *inventory = r->inventory;
    size_t count = 0;

    for (size_t t = 0; t < inventory->n_types; t++)
        count += inventory->types[t].nodes.count;
    inventory->nodes = calloc(count + 1, sizeof(*inventory->nodes));
    if (!inventory->nodes)
        return no_memory(r);
    for (size_t t = 0; t < inventory->n_types; t++)
        for (size_t i = 0; i < inventory->types[t].nodes.count; i++)
            inventory->nodes[inventory->n_nodes++] =
                (struct inventory_node){ inventory->types[t].nodes.names[i], (int)t };
    qsort(inventory->nodes, count, sizeof(*inventory->nodes), compare_nodes);
    for (size_t i = 1; i < count; i++)
        if (strcmp(inventory->nodes[i - 1].name, inventory->nodes[i].name) == 0)
            return overlap(r, inventory->nodes[i - 1].type, inventory->nodes[i].type);
    return 0;
}

/* --- periods ---------------------------------------------------------------------------------- */

static int take_pue(const struct reader *r, const struct conf_section *section)
{
    struct pue_period *pue = &r->inventory->pues[r->inventory->n_pues];
    const char *text = value_of(section, "value");
    int rc = take_period(r, section, &pue->from_s, &pue->to_s);

    if (rc == 0)
        rc = need(r, section, "value", "1.2");
    if (rc == 0 && (parse_decimal(text, 6, PUE_MAX_PPM, &pue->pue_ppm) < 0 || pue->pue_ppm < PPM))
        rc = wrong(r, section, "value", "\"%.40s\": write a PUE from 1 (what the meters count is "
                   "all that the building takes) to 10, such as 1.2", text);
    if (rc == 0)
        rc = take_text(r, section, "source", "\"who measured it, and how\"", pue->source,
                       sizeof(pue->source));
    for (size_t i = 0; rc == 0 && i < r->inventory->n_pues; i++)
        if (pue->from_s < r->inventory->pues[i].to_s && r->inventory->pues[i].from_s < pue->to_s)
            rc = wrong(r, section, "from", "its period overlaps that of another pue section; end "
                       "one where the other begins");
    r->inventory->n_pues++;
    return rc;
}

static int take_market(const struct reader *r, const struct conf_section *section)
{
    struct market_period *market = &r->inventory->markets[r->inventory->n_markets];
    const char *text = value_of(section, "gco2e_per_kwh");
    int rc = take_period(r, section, &market->from_s, &market->to_s);

    if (rc == 0)
        rc = need(r, section, "gco2e_per_kwh", "12.5");
    if (rc == 0 && parse_decimal(text, 6, UG_PER_KWH_MAX, &market->ug_per_kwh) < 0)
        rc = wrong(r, section, "gco2e_per_kwh", "\"%.40s\": write grams of CO2e per kWh of the "
                   "contract, from 0 to 2000, such as 12.5", text);
    if (rc == 0)
        rc = take_text(r, section, "source", "\"the contract, or the guarantees of origin\"",
                       market->source, sizeof(market->source));
    for (size_t i = 0; rc == 0 && i < r->inventory->n_markets; i++)
        if (market->from_s < r->inventory->markets[i].to_s &&
            r->inventory->markets[i].from_s < market->to_s)
            rc = wrong(r, section, "from", "its period overlaps that of another market section; "
                       "end one where the other begins");
    r->inventory->n_markets++;
    return rc;
}

static int compare_pues(const void *a, const void *b)
{
    const struct pue_period *x = a, *y = b;

    return x->from_s < y->from_s ? -1 : x->from_s > y->from_s;
}

static int compare_markets(const void *a, const void *b)
{
    const struct market_period *x = a, *y = b;

    return x->from_s < y->from_s ? -1 : x->from_s > y->from_s;
}

/* --- accounts --------------------------------------------------------------------------------- */

static int take_account(const struct reader *r, const struct conf_section *section)
{
    struct account_parent *account = &r->inventory->accounts[r->inventory->n_accounts++];
    int rc = take_title(r, section, account->account, sizeof(account->account));

    if (rc == 0)
        rc = take_text(r, section, "parent", "\"the account above\"", account->parent,
                       sizeof(account->parent));
    return rc;
}

static int compare_accounts(const void *a, const void *b)
{
    return strcmp(((const struct account_parent *)a)->account,
                  ((const struct account_parent *)b)->account);
}

static const struct account_parent *find_account(const struct inventory *inventory,
                                                 const char *name)
{
    struct account_parent key;

    snprintf(key.account, sizeof(key.account), "%s", name);
    return bsearch(&key, inventory->accounts, inventory->n_accounts, sizeof(key),
                   compare_accounts);
}

/* Going up from an account must end within as many steps as there are accounts. */
static int check_account(const struct reader *r, const struct conf_section *section)
{
    const char *name = section->title;

    for (size_t steps = 0; steps <= r->inventory->n_accounts; steps++) {
        const struct account_parent *account = find_account(r->inventory, name);

        if (!account)
            return 0;
        name = account->parent;
        if (strcmp(name, section->title) == 0)
            return wrong(r, section, "parent", "\"%.60s\" is below \"%.60s\" itself; an account "
                         "cannot be its own ancestor", value_of(section, "parent"),
                         section->title);
    }
    return 0; /* the ring is further up: told of one of its own accounts */
}

const char *inventory_parent_of(const struct inventory *inventory, const char *account)
{
    const struct account_parent *found =
        strlen(account) < sizeof(found->account) ? find_account(inventory, account) : NULL;

    return found ? found->parent : NULL;
}

bool inventory_has_account(const struct inventory *inventory, const char *account)
{
    for (size_t i = 0; i < inventory->n_accounts; i++)
        if (strcmp(inventory->accounts[i].account, account) == 0 ||
            strcmp(inventory->accounts[i].parent, account) == 0)
            return true;
    return false;
}

bool inventory_is_within(const struct inventory *inventory, const char *account, const char *above)
{
    while (account && strcmp(account, above) != 0)
        account = inventory_parent_of(inventory, account);
    return account != NULL;
}

/* --- budgets ---------------------------------------------------------------------------------- */

int64_t budget_begin_s(const struct budget *budget, int64_t instant_s)
{
    return budget->is_yearly ? clock_year_begin_s(instant_s) : clock_month_begin_s(instant_s);
}

int64_t budget_next_s(const struct budget *budget, int64_t instant_s)
{
    return budget->is_yearly ? clock_year_next_s(instant_s) : clock_month_next_s(instant_s);
}

static int take_budget_period(const struct reader *r, const struct conf_section *section,
                              struct budget *budget)
{
    const char *text = value_of(section, "period");
    int rc = need(r, section, "period", "year");

    if (rc < 0)
        return rc;
    budget->is_yearly = strcasecmp(text, "year") == 0;
    if (!budget->is_yearly && strcasecmp(text, "month") != 0)
        return wrong(r, section, "period", "\"%.40s\": write year or month", text);
    return 0;
}

static int take_budget_amount(const struct reader *r, const struct conf_section *section,
                              struct budget *budget)
{
    bool is_energy = has(section, "kwh");
    const char *key = is_energy ? "kwh" : "kgco2e", *text = value_of(section, key);
    uint64_t millionths;

    if (is_energy && has(section, "kgco2e"))
        return wrong(r, section, "kwh", "beside kgco2e; a budget is of one of the two, so write "
                     "another one for the other, with a title of its own and account = \"%.40s\"",
                     budget->account);
    if (!is_energy && !has(section, "kgco2e"))
        return wrong(r, section, NULL, "kgco2e or kwh is missing; write kgco2e = 500, or "
                     "kwh = 12000");
    if (parse_decimal(text, 6, BUDGET_MAX * 1000000, &millionths) < 0 || millionths == 0)
        return wrong(r, section, key, "\"%.40s\": write %s, above 0 and at most %" PRIu64
                     ", such as 500", text, is_energy ? "kilowatt-hours" : "kilograms of CO2e",
                     BUDGET_MAX);
    if (is_energy)
        budget->energy_mj = millionths * MJ_PER_MILLIONTH_KWH;
    else
        budget->co2e_mg = millionths;
    return 0;
}

/* A period has one budget from its first day to its last. */
static int check_budget_border(const struct reader *r, const struct conf_section *section,
                               const char *key, const struct budget *budget, int64_t border_s)
{
    if (!has(section, key) || budget_begin_s(budget, border_s) == border_s)
        return 0;
    return wrong(r, section, key, "not the first day of a %s; a budget is of whole ones, so write "
                 "the first day of one, such as \"%s\"", budget->is_yearly ? "year" : "month",
                 budget->is_yearly ? "2027-01-01" : "2027-03-01");
}

static int take_budget_times(const struct reader *r, const struct conf_section *section,
                             struct budget *budget)
{
    int rc = take_time(r, section, "from", &budget->from_s);

    budget->to_s = NEVER_S;
    if (rc == 0)
        rc = take_time(r, section, "to", &budget->to_s);
    if (rc == 0)
        rc = check_budget_border(r, section, "from", budget, budget->from_s);
    if (rc == 0)
        rc = check_budget_border(r, section, "to", budget, budget->to_s);
    if (rc == 0 && budget->to_s <= budget->from_s)
        rc = wrong(r, section, "to", "not after from; the last period ends before the day that "
                   "`to` names, so write a later one, or leave `to` out while it goes on");
    return rc;
}

/* One account may have a year's and a month's budget, of emissions and of energy. */
static int check_budget_others(const struct reader *r, const struct conf_section *section,
                               const struct budget *budget)
{
    const struct budget *others = r->inventory->budgets;

    for (size_t i = 0; i < r->inventory->n_budgets; i++) {
        if (strcmp(others[i].account, budget->account) == 0 &&
            others[i].is_yearly == budget->is_yearly &&
            (others[i].energy_mj > 0) == (budget->energy_mj > 0) &&
            budget->from_s < others[i].to_s && others[i].from_s < budget->to_s)
            return wrong(r, section, NULL, "account \"%.60s\" has a %s budget in %s of that time "
                         "already (line %u); keep one of the two, or end one (to) where the other "
                         "begins (from)", budget->account, budget->is_yearly ? "yearly" : "monthly",
                         budget->energy_mj > 0 ? "kwh" : "kgco2e", others[i].line);
    }
    return 0;
}

static int take_budget(const struct reader *r, const struct conf_section *section)
{
    struct budget *budget = &r->inventory->budgets[r->inventory->n_budgets];
    int rc;

    budget->line = section->line;
    if (has(section, "account"))
        rc = take_text(r, section, "account", "\"an account\"", budget->account,
                       sizeof(budget->account));
    else
        rc = take_title(r, section, budget->account, sizeof(budget->account));
    if (rc == 0)
        rc = take_budget_period(r, section, budget);
    if (rc == 0)
        rc = take_budget_amount(r, section, budget);
    if (rc == 0)
        rc = take_budget_times(r, section, budget);
    if (rc == 0)
        rc = check_budget_others(r, section, budget);
    r->inventory->n_budgets++;
    return rc;
}

static int compare_budgets(const void *a, const void *b)
{
    const struct budget *x = a, *y = b;
    int order = strcmp(x->account, y->account);

    if (order == 0)
        order = (int)y->is_yearly - (int)x->is_yearly;
    if (order == 0)
        order = x->from_s < y->from_s ? -1 : x->from_s > y->from_s;
    return order != 0 ? order : (x->energy_mj > 0) - (y->energy_mj > 0);
}

/* --- the whole file --------------------------------------------------------------------------- */

static int allocate(const struct reader *r, size_t count)
{
    struct inventory *inventory = r->inventory;

    inventory->types = calloc(count + 1, sizeof(*inventory->types));
    inventory->shared = calloc(count + 1, sizeof(*inventory->shared));
    inventory->pues = calloc(count + 1, sizeof(*inventory->pues));
    inventory->markets = calloc(count + 1, sizeof(*inventory->markets));
    inventory->accounts = calloc(count + 1, sizeof(*inventory->accounts));
    inventory->budgets = calloc(count + 1, sizeof(*inventory->budgets));
    if (!r->types || !inventory->types || !inventory->shared || !inventory->pues ||
        !inventory->markets || !inventory->accounts || !inventory->budgets)
        return no_memory(r);
    return 0;
}

static int take_section(struct reader *r, const struct conf_section *section)
{
    if (strcmp(section->kind, "node_type") == 0)
        return take_type(r, section);
    if (strcmp(section->kind, "shared") == 0)
        return take_shared(r, section);
    if (strcmp(section->kind, "pue") == 0)
        return take_pue(r, section);
    if (strcmp(section->kind, "market") == 0)
        return take_market(r, section);
    if (strcmp(section->kind, "budget") == 0)
        return take_budget(r, section);
    return take_account(r, section);
}

static bool add_mass(const struct asset *asset, uint64_t pieces, uint64_t *sum_mg)
{
    uint64_t mass_mg;

    return !__builtin_mul_overflow(asset->high_mg, pieces, &mass_mg) &&
           !__builtin_add_overflow(*sum_mg, mass_mg, sum_mg) && *sum_mg <= INVENTORY_MG_MAX;
}

static int check_sum(const struct reader *r)
{
    const struct inventory *inventory = r->inventory;
    const struct asset *last = NULL;
    uint64_t sum_mg = 0;
    bool fits = true;

    for (size_t i = 0; fits && i < inventory->n_shared; i++) {
        last = &inventory->shared[i];
        fits = add_mass(last, last->count, &sum_mg);
    }
    for (size_t t = 0; t < inventory->n_types; t++) {
        for (size_t i = 0; fits && i < inventory->types[t].n_assets; i++) {
            last = &inventory->types[t].assets[i];
            fits = add_mass(last, (uint64_t)last->count * last->nodes.count, &sum_mg);
        }
    }
    if (fits)
        return 0;
    return error_set(r->err, -EINVAL, "%s:%u: asset \"%s\": with it all pieces together emitted "
                     "more than a thousand million tonnes; correct its kg, count or nodes",
                     r->name, last->line, last->name);
}

static int take_all(struct reader *r, const struct conf_section *root)
{
    struct inventory *inventory = r->inventory;
    int rc = allocate(r, root->n_sections);

    for (size_t i = 0; rc == 0 && i < root->n_sections; i++)
        rc = take_section(r, &root->sections[i]);
    if (rc == 0)
        rc = index_nodes(r);
    for (size_t t = 0; rc == 0 && t < inventory->n_types; t++)
        rc = take_assets(r, r->types[t], &inventory->types[t]);
    if (rc == 0)
        rc = check_sum(r);
    if (rc < 0)
        return rc;
    qsort(inventory->pues, inventory->n_pues, sizeof(*inventory->pues), compare_pues);
    qsort(inventory->markets, inventory->n_markets, sizeof(*inventory->markets), compare_markets);
    qsort(inventory->accounts, inventory->n_accounts, sizeof(*inventory->accounts),
          compare_accounts);
    qsort(inventory->budgets, inventory->n_budgets, sizeof(*inventory->budgets), compare_budgets);
    for (size_t i = 0; rc == 0 && i < root->n_sections; i++)
        if (strcmp(root->sections[i].kind, "account") == 0)
            rc = check_account(r, &root->sections[i]);
    return rc;
}

int inventory_parse(const char *text, const char *name, const struct factor_table *table,
                    struct inventory *ret, struct error *err)
{
    struct inventory inventory = { .types = NULL };
    struct reader reader = { .name = name, .table = table, .err = err, .inventory = &inventory };
    struct conf_section root;
    int rc = conf_sections_parse(text, name, &file_spec, &root, err);

    if (rc < 0)
        return rc;
    reader.types = calloc(root.n_sections + 1, sizeof(*reader.types));
    rc = take_all(&reader, &root);
    free(reader.types);
    conf_sections_clear(&root);
    if (rc < 0) {
        inventory_clear(&inventory);
        return rc;
    }
    *ret = inventory;
    return 0;
}

void inventory_clear(struct inventory *inventory)
{
    for (size_t t = 0; t < inventory->n_types; t++) {
        struct node_type *type = &inventory->types[t];

        for (size_t i = 0; i < type->n_assets; i++)
            hostlist_clear(&type->assets[i].nodes);
        free(type->assets);
        hostlist_clear(&type->nodes);
    }
    free(inventory->types);
    free(inventory->nodes);
    free(inventory->shared);
    free(inventory->pues);
    free(inventory->markets);
    free(inventory->accounts);
    free(inventory->budgets);
    *inventory = (struct inventory){ .types = NULL };
}

int inventory_type_of(const struct inventory *inventory, const char *node)
{
    size_t low = 0, high = inventory->n_nodes;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(node, inventory->nodes[middle].name);

        if (order == 0)
            return inventory->nodes[middle].type;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
