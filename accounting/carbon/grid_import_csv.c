/* Our own format: one interval a line. */
#include <errno.h>
#include <strings.h>

#include "carbon/grid_import_file.h"

enum column { START, END, GRAMS, ZONE, BASIS, SCOPE, KIND, SOURCE, ESTIMATED };

static const struct import_column columns[] = {
    [START] = { "start_utc", { "start_utc" }, true },
    [END] = { "end_utc", { "end_utc" }, true },
    [GRAMS] = { "gco2e_per_kwh", { "gco2e_per_kwh" }, true },
    [ZONE] = { "zone", { "zone" }, false },
    [BASIS] = { "basis", { "basis" }, false },
    [SCOPE] = { "scope", { "scope" }, false },
    [KIND] = { "kind", { "kind" }, false },
    [SOURCE] = { "source", { "source" }, false },
    [ESTIMATED] = { "estimated", { "estimated" }, false },
};

/* An empty field says as little as no column. */
static const char *told(const struct import_line *line, enum column column)
{
    const char *text = line->fields[column];

    return text && *text ? text : NULL;
}

static int check_kind(struct import_file *file, const struct import_line *line)
{
    const char *kind = told(line, KIND);

    if (!kind || strcasecmp(kind, "average") == 0)
        return 0;
    if (strcasecmp(kind, "marginal") == 0)
        return error_set(file->err, -ENOTSUP, "%s:%u: kind: \"%s\": %s; import averages",
                         file->name, line->line, kind, GRID_MARGINAL_REASON);
    return import_field_error(file, line->line, "kind", kind, "write average");
}

static int take_line(void *arg, const struct import_line *line)
{
    struct import_file *file = arg;
    struct import_row row = { .place = line->line, .zone = told(line, ZONE),
                              .basis = told(line, BASIS), .scope = told(line, SCOPE),
                              .source = told(line, SOURCE) };
    int rc = import_time(file, line->line, "start_utc", line->fields[START], false,
                         &row.interval.begin_s);

    if (rc == 0)
        rc = import_time(file, line->line, "end_utc", line->fields[END], false,
                         &row.interval.end_s);
    if (rc == 0)
        rc = import_length(file, line->line, "end_utc", line->fields[END], &row.interval);
    if (rc == 0)
        rc = import_grams(file, line->line, "gco2e_per_kwh", line->fields[GRAMS],
                          &row.interval.ug_per_kwh);
    if (rc == 0 && line->fields[ESTIMATED])
        rc = import_truth(file, line->line, "estimated", line->fields[ESTIMATED],
                          &row.interval.estimated);
    if (rc == 0)
        rc = check_kind(file, line);
    return rc == 0 ? import_add(file, &row) : rc;
}

int grid_import_csv(struct import_file *file)
{
    return import_table(file, columns, sizeof(columns) / sizeof(*columns), true, take_line, file);
}
