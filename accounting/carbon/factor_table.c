#include "carbon/factor_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carbon/csv_rows.h"

/* An array that grows by one; NULL without memory, the old one then stays. */
static void *grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

/* --- embodied_factors.csv --------------------------------------------------------------------- */

enum { COL_COMPONENT, COL_UNIT, COL_CENTRAL, COL_LOW, COL_HIGH, COL_YEAR, COL_SOURCE,
       COL_EVIDENCE };
static const char *const factor_columns[] = {
    "component", "unit", "kgco2e_per_unit", "low_kgco2e_per_unit", "high_kgco2e_per_unit", "year",
    "source", "evidence", NULL,
};

static int read_factor(const struct csv_row *row, struct embodied_factor *factor)
{
    int rc = csv_take_text(row, COL_COMPONENT, factor->component, sizeof(factor->component));

    if (rc == 0)
        rc = csv_take_text(row, COL_UNIT, factor->unit, sizeof(factor->unit));
    if (rc == 0)
        rc = csv_take_kg(row, COL_CENTRAL, &factor->central_mg);
    if (rc == 0)
        rc = csv_take_kg(row, COL_LOW, &factor->low_mg);
    if (rc == 0)
        rc = csv_take_kg(row, COL_HIGH, &factor->high_mg);
    if (rc == 0)
        rc = csv_take_year(row, COL_YEAR, &factor->year);
    if (rc == 0)
        rc = csv_take_text(row, COL_SOURCE, factor->source, sizeof(factor->source));
    if (rc == 0)
        rc = csv_take_text(row, COL_EVIDENCE, factor->evidence, sizeof(factor->evidence));
    if (rc == 0 && factor->central_mg == 0)
        rc = csv_bad_field(row, COL_CENTRAL, "nothing is made without emissions; write what it is");
    if (rc == 0 && factor->low_mg > factor->central_mg)
        rc = csv_bad_field(row, COL_LOW, "more than kgco2e_per_unit; low is the least it may be");
    if (rc == 0 && factor->high_mg < factor->central_mg)
        rc = csv_bad_field(row, COL_HIGH, "less than kgco2e_per_unit; high is the most it may be");
    return rc;
}

static int take_factor(void *arg, const struct csv_row *row)
{
    struct factor_table *table = arg;
    struct embodied_factor factor = { .year = 0 }, *factors;
    int rc = read_factor(row, &factor);

    if (rc < 0)
        return rc;
    if (factor_table_find(table, factor.component))
        return csv_bad_field(row, COL_COMPONENT, "stands above already; keep one of the two");
    factors = grow(table->factors, table->count, sizeof(*factors));
    if (!factors)
        return error_set(row->err, -ENOMEM, "%s: out of memory", row->name);
    table->factors = factors;
    table->factors[table->count++] = factor;
    return 0;
}

int factor_table_parse(const char *text, const char *name, struct factor_table *ret,
                       struct error *err)
{
    struct factor_table table = { NULL, 0 };
    int rc = csv_rows(text, name, factor_columns, take_factor, &table, err);

    if (rc < 0) {
        factor_table_clear(&table);
        return rc;
    }
    *ret = table;
    return 0;
}

void factor_table_clear(struct factor_table *table)
{
    free(table->factors);
    *table = (struct factor_table){ NULL, 0 };
}

const struct embodied_factor *factor_table_find(const struct factor_table *table,
                                                const char *component)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcasecmp(table->factors[i].component, component) == 0)
            return &table->factors[i];
    return NULL;
}

/* --- equivalences.csv ------------------------------------------------------------------------- */

enum { EQ_NAME, EQ_KG, EQ_YEAR, EQ_SOURCE };
static const char *const equivalence_columns[] = { "name", "kgco2e_per_one", "year", "source",
                                                   NULL };

static int take_equivalence(void *arg, const struct csv_row *row)
{
    struct equivalences *all = arg;
    struct equivalence one = { .year = 0 }, *rows;
    int rc = csv_take_text(row, EQ_NAME, one.name, sizeof(one.name));

    if (rc == 0)
        rc = csv_take_kg(row, EQ_KG, &one.mg);
    if (rc == 0)
        rc = csv_take_year(row, EQ_YEAR, &one.year);
    if (rc == 0)
        rc = csv_take_text(row, EQ_SOURCE, one.source, sizeof(one.source));
    if (rc == 0 && one.mg == 0)
        rc = csv_bad_field(row, EQ_KG, "nothing can be compared with zero; write what one emits");
    if (rc < 0)
        return rc;
    rows = grow(all->rows, all->count, sizeof(*rows));
    if (!rows)
        return error_set(row->err, -ENOMEM, "%s: out of memory", row->name);
    all->rows = rows;
    all->rows[all->count++] = one;
    return 0;
}

int equivalences_parse(const char *text, const char *name, struct equivalences *ret,
                       struct error *err)
{
    struct equivalences all = { NULL, 0 };
    int rc = csv_rows(text, name, equivalence_columns, take_equivalence, &all, err);

    if (rc < 0) {
        equivalences_clear(&all);
        return rc;
    }
    *ret = all;
    return 0;
}

void equivalences_clear(struct equivalences *equivalences)
{
    free(equivalences->rows);
    *equivalences = (struct equivalences){ NULL, 0 };
}
