/* the basis of figures: one factor set, read and parsed */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "report/basis.h"

#define HOUR 3600
#define T0 INT64_C(1795168800) /* 2026-11-20T10:00:00Z */

#define GRID_HEAD "zone,name,gco2e_per_kwh,year,basis,source\n"
#define GRID GRID_HEAD "FR,France,44,2024,lifecycle,s\nDE,Germany,300,2024,lifecycle,s\n" \
                       "GB,Britain,131,2024,direct,s\n"
#define EMBODIED "component,unit,kgco2e_per_unit,low_kgco2e_per_unit,high_kgco2e_per_unit," \
                 "year,source,evidence\n" \
                 "GPU A,gpu,150,127.6,273.4,2025,s,paper\n"
#define EQUIVALENCES "name,kgco2e_per_one,year,source\nflights,1112,2024,s\n"
#define SETTINGS "Zone=FR\nPUE=1.25\nGridBasis=lifecycle\nIdlePolicy=spread\n" \
                 "EmbodiedMode=planned\nExpectedUtilisation=0.7\n"
#define INVENTORY                                                                                \
    "node_type \"g\" {\n nodes = \"g[1-2]\"\n gpus = 4\n cores = 8\n"                            \
    " in_service = \"2026-01-01\"\n"                                                             \
    " asset \"GPU\" { class = GPU count = 4 factor = \"GPU A\" lifetime_years = 5 }\n}\n"        \
    "pue \"late\" { from = \"2026-11-20T12:00Z\" to = \"2027-01-01\" value = 1.5"             \
    " source = \"s\" }\n"

static const struct grid_series fr = { .zone = "FR", .basis = "lifecycle", .scope = "consumption",
                                       .source = "an import" };

static void put(struct books *books, const char *name, const char *text)
{
    struct factor_change *change = factors_change_new(books->store, "a test");
    struct error err = { "" };

    assert_non_null(change);
    assert_int_equal(store_begin(books->store, NULL), 0);
    if (factors_put_document(change, name, text, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(books->store, NULL), 0);
    factors_change_free(change);
}

static void import(struct books *books, const struct grid_series *series, int64_t begin_s,
                   uint64_t g)
{
    const struct grid_interval interval = { begin_s, begin_s + HOUR, g * 1000000, false };
    struct factor_change *change = factors_change_new(books->store, "a test");
    struct factors_import did;

    assert_int_equal(store_begin(books->store, NULL), 0);
    assert_int_equal(factors_put_intervals(change, series, &interval, 1, false, &did, NULL), 0);
    assert_int_equal(store_commit(books->store, NULL), 0);
    factors_change_free(change);
}

/* Sets 1 to 5: settings, then one table after the other, the inventory last. */
static void open_books(struct books *books)
{
    books_open(books);
    put(books, FACTORS_SETTINGS, SETTINGS);
    put(books, FACTORS_GRID, GRID);
    put(books, FACTORS_EMBODIED, EMBODIED);
    put(books, FACTORS_EQUIVALENCES, EQUIVALENCES);
    put(books, FACTORS_INVENTORY, INVENTORY);
}

static void load(struct books *books, int64_t number, const char *zone, struct basis *basis)
{
    struct error err = { "" };

    if (basis_load(books->store, number, zone, T0, T0 + 24 * HOUR, basis, &err) < 0)
        fail_msg("%s", err.text);
}

static void everything_of_the_set_is_there(void **state)
{
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books);
    load(&books, 0, NULL, &basis);
    assert_int_equal(basis.set.number, 5);
    assert_string_equal(basis.settings.zone, "FR");
    assert_int_equal(basis.mode, MODE_PLANNED);
    assert_int_equal(basis.utilisation_ppm, 700000);
    assert_true(basis.spread_idle);
    assert_true(basis.has_inventory);
    assert_int_equal(basis.inventory.n_types, 1);
    assert_int_equal(basis.inventory.types[0].assets[0].central_mg, 150000000);
    assert_string_equal(basis.inventory_text, INVENTORY);
    assert_int_equal(basis.embodied.count, 1);
    assert_int_equal(basis.equivalences.count, 1);
    assert_true(basis.grid.has_intensity);
    assert_string_equal(basis.grid.name, "France");
    basis_clear(&basis);
    books_close(&books);
}

static void the_modes_are_in_the_order_of_carbon_conf(void **state)
{
    struct books books;

    (void)state;
    books_open(&books);
    for (size_t i = 0; embodied_mode_names[i]; i++) {
        struct basis basis;
        char text[64];

        snprintf(text, sizeof(text), "EmbodiedMode=%s\n", embodied_mode_names[i]);
        put(&books, FACTORS_SETTINGS, text);
        load(&books, 0, NULL, &basis);
        ROW_HOLDS(i, basis.mode == (enum embodied_mode)i);
        basis_clear(&basis);
    }
    books_close(&books);
}

static void an_hour_is_of_the_import_else_of_the_table_and_its_pue_of_the_period(void **state)
{
    struct grid_hour hour;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books);
    import(&books, &fr, T0 + HOUR, 20);
    load(&books, 0, "fr", &basis);
    assert_true(grid_hour(&basis.grid, T0, &hour));
    assert_int_equal(hour.ug_per_kwh, 44000000);
    assert_int_equal(hour.pue_ppm, 1250000);
    assert_int_equal(hour.flags, HOUR_ANNUAL);
    assert_true(grid_hour(&basis.grid, T0 + HOUR, &hour));
    assert_int_equal(hour.ug_per_kwh, 20000000);
    assert_int_equal(hour.flags, 0);
    assert_true(grid_hour(&basis.grid, T0 + 2 * HOUR, &hour));
    assert_int_equal(hour.pue_ppm, 1500000);
    assert_string_equal(basis.grid.source, "an import");
    assert_string_equal(basis.grid.scope, "consumption");
    basis_clear(&basis);
    /* the set before knows nothing of it */
    load(&books, 5, NULL, &basis);
    assert_true(grid_hour(&basis.grid, T0 + HOUR, &hour));
    assert_int_equal(hour.ug_per_kwh, 44000000);
    assert_string_equal(basis.grid.source, "");
    basis_clear(&basis);
    books_close(&books);
}

static void a_set_without_zone_or_inventory_says_so(void **state)
{
    struct basis basis;
    struct books books;

    (void)state;
    books_open(&books);
    put(&books, FACTORS_SETTINGS, "PUE=1.25\n");
    load(&books, 0, NULL, &basis);
    assert_false(basis.grid.has_intensity);
    assert_int_equal(basis.grid.pue_ppm, 1250000);
    assert_false(basis.has_inventory);
    assert_null(basis.inventory_text);
    assert_int_equal(basis.utilisation_ppm, 850000); /* not in the document: the default */
    basis_clear(&basis);
    books_close(&books);
}

static void what_is_not_there_is_named_with_what_is(void **state)
{
    static const struct {
        int64_t set;
        const char *zone, *message;
        int rc;
    } cases[] = {
        { 9, NULL, "there is no factor set 9: there are 1 to 6", -ENOENT },
        { 0, "Frace", "no zone \"Frace\" in factor set 6's grid_intensity.csv; nearest: FR",
          -ENOENT },
        { 1, "FR", "no zone \"FR\": there is no grid_intensity.csv", -ENOENT },
        { 0, "XX", "zone XX has no lifecycle figures, only imported ones of the other basis",
          -ENOENT },
    };
    struct grid_series direct = fr;
    struct books books;

    (void)state;
    open_books(&books);
    snprintf(direct.zone, sizeof(direct.zone), "XX");
    snprintf(direct.basis, sizeof(direct.basis), "direct");
    import(&books, &direct, T0, 10);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct error err = { "" };
        struct basis basis;

        ROW_HOLDS(i, basis_load(books.store, cases[i].set, cases[i].zone, T0, T0 + HOUR, &basis,
                                &err) == cases[i].rc);
        if (!strstr(err.text, cases[i].message))
            fail_msg("row %zu: %s", i, err.text);
        basis_clear(&basis);
    }
    books_close(&books);
}

static void a_zone_that_was_imported_needs_no_row_in_the_table(void **state)
{
    struct grid_series own = fr;
    struct grid_hour hour;
    struct basis basis;
    struct books books;

    (void)state;
    open_books(&books);
    snprintf(own.zone, sizeof(own.zone), "XX-1");
    import(&books, &own, T0, 10);
    load(&books, 0, "xx-1", &basis);
    assert_string_equal(basis.grid.zone, "XX-1");
    assert_true(grid_hour(&basis.grid, T0, &hour));
    assert_int_equal(hour.ug_per_kwh, 10000000);
    assert_false(grid_hour(&basis.grid, T0 + HOUR, &hour));
    basis_clear(&basis);
    books_close(&books);
}

static void documents_are_checked_before_they_are_a_set(void **state)
{
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        { FACTORS_SETTINGS, "Zone=Frace\n", "Zone: no zone \"Frace\" in file; nearest: FR" },
        { FACTORS_SETTINGS, "PUE=0.9\n", "file: PUE: 0.9 is below 1" },
        { FACTORS_SETTINGS, "Colour=red\n", "\"Colour=red\" is no setting" },
        { FACTORS_GRID, GRID_HEAD "FR,x\n", "file:2" },
        { FACTORS_EMBODIED, "component\n", "file" },
        { FACTORS_EQUIVALENCES, "name\n", "file" },
        { FACTORS_INVENTORY, "node_type \"x\" {\n", "file" },
    };
    struct books books;

    (void)state;
    books_open(&books);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct basis_document documents[] = {
            { cases[i].name, "file", cases[i].text }, /* the first of a name counts */
            { FACTORS_SETTINGS, "file", SETTINGS }, { FACTORS_GRID, "file", GRID },
            { FACTORS_EMBODIED, "file", EMBODIED }, { FACTORS_EQUIVALENCES, "file", EQUIVALENCES },
            { FACTORS_INVENTORY, "file", INVENTORY },
        };
        struct error err = { "" };

        assert_int_equal(basis_check(books.store, documents + 1, 5, &err), 0);
        ROW_HOLDS(i, basis_check(books.store, documents, 6, &err) < 0);
        if (!strstr(err.text, cases[i].message))
            fail_msg("row %zu: %s", i, err.text);
    }
    books_close(&books);
}

static void carbon_conf_that_differs_from_the_set_is_told_apart(void **state)
{
    struct conf conf;
    struct basis basis;
    struct books books;
    char text[512];
    struct buf buf;

    (void)state;
    open_books(&books);
    load(&books, 0, NULL, &basis);
    assert_int_equal(conf_load("", "", &conf, NULL, NULL), 0);
    snprintf(conf.inventory, sizeof(conf.inventory), "%.4000s/inventory.conf", books.tree.path);
    tree_write(&books.tree, "inventory.conf", "%s", INVENTORY);
    snprintf(conf.zone, sizeof(conf.zone), "FR");
    conf.pue_ppm = 1250000;
    conf.idle_policy = IDLE_SPREAD;
    conf.embodied_mode = MODE_PLANNED;
    conf.utilisation_ppm = 700000;
    assert_false(basis_differs(&basis, &conf, text, sizeof(text)));
    assert_string_equal(text, "");
    buf_init(&buf);
    basis_settings_write(&conf, &buf);
    assert_string_equal(buf.data, SETTINGS);
    buf_free(&buf);
    conf.pue_ppm = 1300000;
    conf.zone[0] = '\0';
    tree_write(&books.tree, "inventory.conf", "%s", "other");
    assert_true(basis_differs(&basis, &conf, text, sizeof(text)));
    assert_non_null(strstr(text, "Zone is not set in carbon.conf and FR in factor set 5; PUE is 1.3"
                                 " in carbon.conf and 1.25 in factor set 5; "));
    assert_non_null(strstr(text, "inventory.conf differs from that of factor set 5"));
    basis_clear(&basis);
    books_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_of_the_set_is_there),
        cmocka_unit_test(the_modes_are_in_the_order_of_carbon_conf),
        cmocka_unit_test(an_hour_is_of_the_import_else_of_the_table_and_its_pue_of_the_period),
        cmocka_unit_test(a_set_without_zone_or_inventory_says_so),
        cmocka_unit_test(what_is_not_there_is_named_with_what_is),
        cmocka_unit_test(a_zone_that_was_imported_needs_no_row_in_the_table),
        cmocka_unit_test(documents_are_checked_before_they_are_a_set),
        cmocka_unit_test(carbon_conf_that_differs_from_the_set_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
