/*
 * CSV of Electricity Maps' data portal. Headings as of 2021 to 2025: "Zone Id" became "Zone id",
 * "Carbon Intensity gCO2eq/kWh (LCA)" became "Carbon intensity gCO2eq/kWh (Life cycle)", the 2 a
 * subscript in most. Times begin what a row is of.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "carbon/grid_import_file.h"

enum column { TIME, ZONE, DIRECT, LIFECYCLE, ESTIMATED, METHOD };

static const struct import_column columns[] = {
    [TIME] = { "Datetime (UTC)", { "datetime(utc)" }, true },
    [ZONE] = { "Zone id", { "zoneid" }, true },
    [DIRECT] = { "Carbon intensity gCO2eq/kWh (direct)",
                 { "carbonintensitygco2eq/kwh(direct)" }, false },
    [LIFECYCLE] = { "Carbon intensity gCO2eq/kWh (Life cycle)",
                    { "carbonintensitygco2eq/kwh(lifecycle)", "carbonintensitygco2eq/kwh(lca)",
                      "carbonintensitygco2eq/kwh(life-cycle)",
                      "carbonintensitygco2eq/kwh(lifecycleassessment)" }, false },
    [ESTIMATED] = { "Data estimated", { "dataestimated" }, false },
    [METHOD] = { "Data estimation method", { "dataestimationmethod" }, false },
};

static bool is_wanted(const struct import_file *file, const char *basis)
{
    return !file->options->basis || strcasecmp(file->options->basis, basis) == 0;
}

static int take_estimated(struct import_file *file, const struct import_line *line, bool *ret)
{
    const char *method = line->fields[METHOD];

    /* What their API returns without a paid key: figures made up for tests. */
    if (method && strstr(method, "SANDBOX"))
        return import_field_error(file, line->line, "Data estimation method", method,
                                  "made up by Electricity Maps for tests: import real data");
    *ret = method && *method;
    if (!line->fields[ESTIMATED] || line->fields[ESTIMATED][0] == '\0')
        return 0;
    return import_truth(file, line->line, "Data estimated", line->fields[ESTIMATED], ret);
}

/* An empty value is none. */
static int take_value(struct import_file *file, const struct import_line *line, enum column column,
                      const char *basis, struct import_row *row)
{
    const char *text = line->fields[column];
    int rc;

    if (!text || *text == '\0' || !is_wanted(file, basis))
        return 0;
    rc = import_grams(file, line->line, columns[column].name, text, &row->interval.ug_per_kwh);
    row->basis = basis;
    return rc == 0 ? import_add(file, row) : rc;
}

static int check_columns(struct import_file *file, const struct import_line *line)
{
    if ((line->fields[DIRECT] && is_wanted(file, "direct")) ||
        (line->fields[LIFECYCLE] && is_wanted(file, "lifecycle")))
        return 0;
    return error_set(file->err, -EBADMSG, "%s:1: the header has no column \"%s\": give another "
                     "--basis or file", file->name,
                     columns[is_wanted(file, "lifecycle") ? LIFECYCLE : DIRECT].name);
}

static int take_line(void *arg, const struct import_line *line)
{
    struct import_file *file = arg;
    struct import_row row = { .place = line->line, .zone = line->fields[ZONE] };
    int rc = check_columns(file, line);

    if (rc == 0)
        rc = import_time(file, line->line, "Datetime (UTC)", line->fields[TIME], true,
                         &row.interval.begin_s);
    if (rc == 0)
        rc = take_estimated(file, line, &row.interval.estimated);
    if (rc == 0)
        rc = take_value(file, line, LIFECYCLE, "lifecycle", &row);
    if (rc == 0)
        rc = take_value(file, line, DIRECT, "direct", &row);
    return rc;
}

int grid_import_electricitymaps(struct import_file *file)
{
    int rc = import_table(file, columns, sizeof(columns) / sizeof(*columns), false, take_line,
                          file);

    return rc == 0 ? import_spread(file) : rc;
}
