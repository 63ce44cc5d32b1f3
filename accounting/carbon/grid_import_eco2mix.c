/*
 * RTE's eCO2mix as CSV, by the technical names of its columns or by their French labels. One row a
 * quarter of an hour; consolidated and final data have a value in every second row alone, real-time
 * data end in rows still to come: rows without a value are passed over.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "carbon/grid_import_file.h"

enum column { TIME, GRAMS, AREA, NATURE };

static const struct import_column columns[] = {
    [TIME] = { "date_heure", { "date_heure", "dateetheure", "date-heure" }, true },
    [GRAMS] = { "taux_co2", { "taux_co2", "tauxdeco2(g/kwh)", "tauxdeco2" }, true },
    [AREA] = { "perimetre", { "perimetre", "p\xc3\xa9rim\xc3\xa8tre" }, false },
    [NATURE] = { "nature", { "nature" }, false },
};

/* "Données temps réel" are replaced when the meters have been read, a month and a year later. */
static bool is_provisional(const char *nature)
{
    return nature && strstr(nature, "temps r") != NULL;
}

static int take_line(void *arg, const struct import_line *line)
{
    struct import_file *file = arg;
    struct import_row row = { .place = line->line, .zone = "FR" };
    int rc;

    if (line->fields[GRAMS][0] == '\0' || strcasecmp(line->fields[GRAMS], "ND") == 0)
        return 0;
    if (line->fields[AREA] && strcasecmp(line->fields[AREA], "France") != 0)
        return import_field_error(file, line->line, "perimetre", line->fields[AREA],
                                  "only the national file of eCO2mix has intensities: take that "
                                  "of France");
    rc = import_time(file, line->line, "date_heure", line->fields[TIME], false,
                     &row.interval.begin_s);
    if (rc == 0)
        rc = import_grams(file, line->line, "taux_co2", line->fields[GRAMS],
                          &row.interval.ug_per_kwh);
    row.interval.estimated = is_provisional(line->fields[NATURE]);
    return rc == 0 ? import_add(file, &row) : rc;
}

int grid_import_eco2mix(struct import_file *file)
{
    int rc = import_table(file, columns, sizeof(columns) / sizeof(*columns), false, take_line,
                          file);

    return rc == 0 ? import_spread(file) : rc;
}
