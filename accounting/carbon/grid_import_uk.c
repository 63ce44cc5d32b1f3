/*
 * JSON of the Carbon Intensity API of Great Britain: national (/intensity/…), or one region of the
 * network (/regional/…/regionid/N), which has forecasts alone. "actual" is estimated from metered
 * generation and null for what is still to come; then the forecast is taken, and flagged.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "carbon/grid_import_file.h"

/* A number as text, for the same checks as everywhere. */
static int take_number(struct import_file *file, unsigned place, const char *field,
                       const json_t *number, uint64_t *ret_ug)
{
    char text[64];

    if (json_is_integer(number))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(number));
    else
        snprintf(text, sizeof(text), "%.6f", json_real_value(number));
    return import_grams(file, place, field, text, ret_ug);
}

static int take_intensity(struct import_file *file, unsigned place, const json_t *intensity,
                          struct grid_interval *interval)
{
    const json_t *actual = json_object_get(intensity, "actual");
    const json_t *forecast = json_object_get(intensity, "forecast");

    interval->estimated = !json_is_number(actual);
    if (json_is_number(actual))
        return take_number(file, place, "intensity.actual", actual, &interval->ug_per_kwh);
    if (json_is_number(forecast))
        return take_number(file, place, "intensity.forecast", forecast, &interval->ug_per_kwh);
    return error_set(file->err, -EBADMSG, "%s: data[%u]: intensity: neither actual nor forecast "
                     "is a number: remove the element, or fetch the file again", file->name, place);
}

static int take_time(struct import_file *file, unsigned place, const json_t *element,
                     const char *field, int64_t *ret_s)
{
    const char *text = json_string_value(json_object_get(element, field));

    if (!text)
        return error_set(file->err, -EBADMSG, "%s: data[%u]: %s is missing: fetch the file again "
                         "from /intensity/FROM/TO", file->name, place, field);
    return import_time(file, place, field, text, false, ret_s);
}

static int take_element(struct import_file *file, unsigned place, const json_t *element,
                        const char *zone)
{
    struct import_row row = { .place = place, .zone = zone };
    int rc;

    if (json_object_get(element, "regions"))
        return error_set(file->err, -EBADMSG, "%s: data[%u]: regions: all regions in one file; "
                         "fetch the national one from /intensity/FROM/TO, or one region from "
                         "/regional/intensity/FROM/TO/regionid/N", file->name, place);
    rc = take_time(file, place, element, "from", &row.interval.begin_s);
    if (rc == 0)
        rc = take_time(file, place, element, "to", &row.interval.end_s);
    if (rc == 0)
        rc = import_length(file, place, "to", json_string_value(json_object_get(element, "to")),
                           &row.interval);
    if (rc == 0)
        rc = take_intensity(file, place, json_object_get(element, "intensity"), &row.interval);
    return rc == 0 ? import_add(file, &row) : rc;
}

static int take_data(struct import_file *file, const json_t *data, const char *zone)
{
    size_t i;
    json_t *element;
    int rc = 0;

    if (!json_is_array(data))
        return error_set(file->err, -EBADMSG, "%s: data is no list: give the JSON of "
                         "/intensity/FROM/TO as it came", file->name);
    json_array_foreach(data, i, element) {
        rc = take_element(file, (unsigned)i, element, zone);
        if (rc < 0)
            break;
    }
    return rc;
}

/* {"data": [...]}, or of a region {"data": {"regionid": 13, "data": [...]}}, maybe in a list */
static int take_document(struct import_file *file, const json_t *root)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *region = json_is_array(data) && json_array_size(data) == 1
                               ? json_array_get(data, 0) : data;
    const json_t *message = json_object_get(json_object_get(root, "error"), "message");
    const json_t *id = json_object_get(region, "regionid");
    char zone[32] = "GB";

    if (json_is_string(message))
        return error_set(file->err, -EBADMSG, "%s holds an error of the API, \"%.200s\": fetch it "
                         "again", file->name, json_string_value(message));
    if (!json_is_integer(id))
        return take_data(file, data, zone);
    if (json_integer_value(id) != 18) /* 18 is Great Britain */
        snprintf(zone, sizeof(zone), "GB-%" JSON_INTEGER_FORMAT, json_integer_value(id));
    return take_data(file, json_object_get(region, "data"), zone);
}

int grid_import_uk(struct import_file *file)
{
    json_error_t fault;
    json_t *root;
    int rc;

    if (strstr(file->text, "\"marginal") || strstr(file->text, "\"moer"))
        return error_set(file->err, -ENOTSUP, "%s: %s; import averages", file->name,
                         GRID_MARGINAL_REASON);
    root = json_loadb(file->text, file->len, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return error_set(file->err, -EBADMSG, "%s:%d: the JSON breaks off or is wrong at column "
                         "%d: the file is cut off or damaged; fetch it again", file->name,
                         fault.line, fault.column);
    rc = take_document(file, root);
    json_decref(root);
    return rc;
}
