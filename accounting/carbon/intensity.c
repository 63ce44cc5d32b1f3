#include "carbon/intensity.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "core/nearest.h"
#include "core/parse.h"

#define TABLE_SIZE_MAX (4u << 20) /* bytes: a year of every zone on earth is a hundredth of it */
#define UG_MAX UINT64_C(10000000000) /* 10 kg/kWh: ten times what the worst plant emits */
#define NEAREST_COUNT 3

enum column { COL_ZONE, COL_NAME, COL_INTENSITY, COL_YEAR, COL_BASIS, COL_SOURCE, COL_COUNT };
static const char *const column_names[] = { "zone", "name", "gco2e_per_kwh", "year", "basis",
                                            "source" };

/* A zone that was not meant, and how far it is from what was asked. */
struct near {
    unsigned distance;
    char zone[32];
};

struct table {
    const char *path;
    const char *wanted;
    unsigned line; /* of the record being read; no field of the table spans lines */
    int index[COL_COUNT]; /* which field of a record; -1: the header has not named it */
    size_t field;
    struct intensity row;
    unsigned seen; /* bits: columns of this row */
    struct intensity *rows; /* of the zone that is wanted, as they stand in the table */
    size_t n_rows;
    struct near nearest[NEAREST_COUNT];
    int code; /* first failure */
    struct error *err;
};

void table_path(const char *file, char ret_path[PATH_MAX])
{
    const char *dir = getenv("CARBON_DATA");

    snprintf(ret_path, PATH_MAX, "%s/%s", dir && *dir ? dir : PKGDATADIR, file);
}

void intensity_path(char ret_path[PATH_MAX])
{
    table_path(INTENSITY_FILE, ret_path);
}

/* --- what comes near -------------------------------------------------------------------------- */

/* People write "France" and "fr-par" for FR: a name, or a longer code, counts as very near. */
static unsigned zone_distance(const char *wanted, const struct intensity *row)
{
    size_t code_len = strlen(row->zone);
    unsigned by_code, by_name;

    if (strncasecmp(wanted, row->zone, code_len) == 0 && wanted[code_len] == '-')
        return 0;
    by_code = edit_distance(wanted, row->zone);
    by_name = edit_distance(wanted, row->name);
    return by_code < by_name ? by_code : by_name;
}

static void note_near(struct table *table)
{
    struct near candidate = { .distance = zone_distance(table->wanted, &table->row) };

    snprintf(candidate.zone, sizeof(candidate.zone), "%s", table->row.zone);
    for (size_t i = 0; i < NEAREST_COUNT; i++) {
        struct near *place = &table->nearest[i];
        struct near pushed;

        if (strcmp(place->zone, candidate.zone) == 0)
            return;
        if (place->zone[0] != '\0' && place->distance <= candidate.distance)
            continue;
        pushed = *place;
        *place = candidate;
        candidate = pushed;
        if (candidate.zone[0] == '\0' || strcmp(candidate.zone, table->row.zone) == 0)
            return;
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static void add_row(struct table *table)
{
    struct intensity *rows;

    if ((table->n_rows & (table->n_rows - 1)) == 0) {
        rows = realloc(table->rows, (table->n_rows ? table->n_rows * 2 : 1) * sizeof(*rows));
        if (!rows) {
            table->code = error_set(table->err, -ENOMEM, "%s: no memory to read it", table->path);
            return;
        }
        table->rows = rows;
    }
    table->rows[table->n_rows++] = table->row;
}

static void bad_field(struct table *table, enum column column, const char *text, const char *remedy)
{
    table->code = error_set(table->err, -EBADMSG, "%s:%u: %s: \"%.40s\": %s", table->path,
                            table->line, column_names[column], text, remedy);
}

static void take_text(struct table *table, enum column column, const char *text, char *room,
                      size_t size)
{
    if (*text == '\0' || strlen(text) >= size)
        bad_field(table, column, text, *text ? "shorten it" : "write something here");
    else
        memcpy(room, text, strlen(text) + 1);
}

static void take_field(struct table *table, enum column column, const char *text)
{
    struct intensity *row = &table->row;

    table->seen |= 1u << column;
    switch (column) {
    case COL_ZONE:
        take_text(table, column, text, row->zone, sizeof(row->zone));
        break;
    case COL_NAME:
        take_text(table, column, text, row->name, sizeof(row->name));
        break;
    case COL_SOURCE:
        take_text(table, column, text, row->source, sizeof(row->source));
        break;
    case COL_BASIS:
        take_text(table, column, text, row->basis, sizeof(row->basis));
        if (!table->code && strcmp(text, "lifecycle") != 0 && strcmp(text, "direct") != 0)
            bad_field(table, column, text, "write lifecycle or direct");
        break;
    case COL_INTENSITY:
        if (parse_decimal(text, 6, UG_MAX, &row->ug_per_kwh) < 0)
            bad_field(table, column, text, "write grams per kWh, such as 44.18, up to 10000");
        break;
    case COL_YEAR:
        if (parse_u32(text, 1900, 2999, &row->year) < 0)
            bad_field(table, column, text, "write a year of four digits");
        break;
    case COL_COUNT:
        break;
    }
}

static void on_field(void *bytes, size_t len, void *data)
{
    struct table *table = data;
    const char *text = bytes ? bytes : "";
    size_t field = table->field++;

    (void)len; /* libcsv appends the NUL that it was asked for */
    if (table->code)
        return;
    for (int column = 0; column < COL_COUNT; column++) {
        if (table->line == 1 && strcasecmp(text, column_names[column]) == 0)
            table->index[column] = (int)field;
        else if (table->line > 1 && table->index[column] == (int)field)
            take_field(table, (enum column)column, text);
    }
}

static void end_header(struct table *table)
{
    for (int column = 0; column < COL_COUNT; column++) {
        if (table->index[column] < 0) {
            table->code = error_set(table->err, -EBADMSG, "%s:1: the header names no column %s: "
                                    "the table that is shipped has zone,name,gco2e_per_kwh,year,"
                                    "basis,source", table->path, column_names[column]);
            return;
        }
    }
}

static void end_row(struct table *table)
{
    for (int column = 0; column < COL_COUNT; column++) {
        if (!(table->seen & 1u << column)) {
            table->code = error_set(table->err, -EBADMSG, "%s:%u: %s is missing: each line has as "
                                    "many fields as the header", table->path, table->line,
                                    column_names[column]);
            return;
        }
    }
    if (strcasecmp(table->row.zone, table->wanted) == 0)
        add_row(table);
    else if (table->n_rows == 0)
        note_near(table);
}

static void on_record(int end, void *data)
{
    struct table *table = data;
    bool empty = table->field == 0;

    (void)end;
    if (!table->code && !empty && table->line == 1)
        end_header(table);
    else if (!table->code && !empty)
        end_row(table);
    table->line++;
    table->field = 0;
    table->seen = 0;
    table->row = (struct intensity){ 0 };
}

/* Parse a table: rows of the zone, or -ENOENT with what comes nearest. The caller frees rows. */
static int read_table(struct table *table, const char *text, size_t len)
{
    struct csv_parser parser;

    for (int column = 0; column < COL_COUNT; column++)
        table->index[column] = -1;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) != 0)
        return error_set(table->err, -ENOMEM, "%s: no memory to read it", table->path);
    if ((csv_parse(&parser, text, len, on_field, on_record, table) != len ||
         csv_fini(&parser, on_field, on_record, table) != 0) && !table->code)
        table->code = error_set(table->err, -EBADMSG, "%s:%u: %s: quote a field that holds a quote "
                                "or a comma, and double a quote inside", table->path, table->line,
                                csv_strerror(csv_error(&parser)));
    csv_free(&parser);
    if (!table->code && table->n_rows == 0)
        return error_set(table->err, -ENOENT, "no zone \"%s\" in %s; nearest: %s, %s, %s. Name "
                         "a zone of that table", table->wanted, table->path,
                         table->nearest[0].zone, table->nearest[1].zone, table->nearest[2].zone);
    return table->code;
}

static bool is_better(const struct intensity *a, const struct intensity *b)
{
    bool a_lifecycle = strcmp(a->basis, "lifecycle") == 0;
    bool b_lifecycle = strcmp(b->basis, "lifecycle") == 0;

    if (a_lifecycle != b_lifecycle)
        return a_lifecycle;
    return a->year > b->year;
}

int intensity_find(const char *path, const char *zone, struct intensity *ret, struct error *err)
{
    struct table table = { .path = path, .wanted = zone, .line = 1, .err = err };
    size_t len, best = 0;
    char *text;
    int rc = file_read(AT_FDCWD, path, TABLE_SIZE_MAX, &text, &len, err);

    if (rc < 0)
        return error_prefix(err, rc, "grid intensities");
    rc = read_table(&table, text, len);
    free(text);
    for (size_t i = 1; rc == 0 && i < table.n_rows; i++) {
        if (is_better(&table.rows[i], &table.rows[best]))
            best = i;
    }
    if (rc == 0)
        *ret = table.rows[best];
    free(table.rows);
    return rc;
}

/* --- years ------------------------------------------------------------------------------------ */

static bool has_basis(const struct table *table, const char *basis)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        if (strcmp(table->rows[i].basis, basis) == 0)
            return true;
    }
    return false;
}

/* Put a row in its place by year among the first `count`; false when its year is there already. */
static bool place_year(struct intensity *rows, size_t count, const struct intensity *row)
{
    struct intensity own = *row;
    size_t place = count;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].year == own.year)
            return false;
    }
    while (place > 0 && rows[place - 1].year > own.year) {
        rows[place] = rows[place - 1];
        place--;
    }
    rows[place] = own;
    return true;
}

int intensity_years(const char *text, const char *name, const char *zone, const char *basis,
                    struct intensity **ret, size_t *ret_count, struct error *err)
{
    struct table table = { .path = name, .wanted = zone, .line = 1, .err = err };
    int rc = read_table(&table, text, strlen(text));
    bool only_basis = rc == 0 && has_basis(&table, basis);
    size_t count = 0;

    for (size_t i = 0; rc == 0 && i < table.n_rows; i++) {
        if (!only_basis || strcmp(table.rows[i].basis, basis) == 0)
            count += place_year(table.rows, count, &table.rows[i]);
    }
    if (rc < 0) {
        free(table.rows);
        return rc;
    }
    *ret = table.rows;
    *ret_count = count;
    return 0;
}
