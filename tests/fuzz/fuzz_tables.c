/* factor_table.h and intensity.h: the tables that are shipped, as someone may edit them;
   and emissions.h: CodeCarbon's */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carbon/emissions.h"
#include "carbon/factor_table.h"
#include "carbon/intensity.h"
#include "fuzz.h"

static void try_factors(const char *text)
{
    struct factor_table table = { NULL, 77 };
    struct error err = { "" };
    int rc = factor_table_parse(text, "table", &table, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(table.count == 77); /* untouched */
        return;
    }
    for (size_t i = 0; i < table.count; i++) {
        const struct embodied_factor *factor = &table.factors[i];

        PROMISE(factor->low_mg <= factor->central_mg && factor->central_mg <= factor->high_mg);
        PROMISE(factor->central_mg > 0 && factor->component[0] != '\0');
        PROMISE(factor_table_find(&table, factor->component) == factor); /* no name comes twice */
    }
    factor_table_clear(&table);
}

static void try_equivalences(const char *text)
{
    struct equivalences all = { NULL, 77 };
    struct error err = { "" };
    int rc = equivalences_parse(text, "table", &all, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(all.count == 77);
        return;
    }
    for (size_t i = 0; i < all.count; i++)
        PROMISE(all.rows[i].mg > 0 && all.rows[i].name[0] != '\0');
    equivalences_clear(&all);
}

static void try_intensities(const char *text, const char *basis)
{
    struct intensity *rows = NULL;
    struct error err = { "" };
    size_t count = 0;
    int rc = intensity_years(text, "table", "FR", basis, &rows, &count, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(!rows && count == 0);
        return;
    }
    PROMISE(count > 0);
    for (size_t i = 0; i < count; i++) {
        PROMISE(strcasecmp(rows[i].zone, "FR") == 0 && rows[i].source[0] != '\0');
        PROMISE(strcmp(rows[i].basis, rows[0].basis) == 0); /* never mixed */
        PROMISE(i == 0 || rows[i - 1].year < rows[i].year);
    }
    free(rows);
}

static bool is_amount(double number)
{
    return number >= 0 && number <= 1e15;
}

static void try_emissions(const char *text)
{
    struct emissions_row *rows = NULL;
    struct error err = { "" };
    size_t count = 0;
    int rc = emissions_parse(text, "table", &rows, &count, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(!rows && count == 0);
        return;
    }
    PROMISE(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct emissions_row sum = rows[0];

        PROMISE(rows[i].duration_s > 0 && rows[i].pue >= 1 && is_amount(rows[i].pue));
        PROMISE(is_amount(rows[i].total_kwh) && is_amount(rows[i].cpu_kwh));
        PROMISE(is_amount(rows[i].cpu_w) && rows[i].timestamp[10] == 'T');
        emissions_add(&sum, &rows[i]);
        PROMISE(sum.pue >= 0.999 && sum.total_kwh >= rows[i].total_kwh);
    }
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_emissions(text);
    try_factors(text);
    try_equivalences(text);
    try_intensities(text, "lifecycle");
    try_intensities(text, "direct");
    free(text);
    return 0;
}
