#include "carbon/csv_rows.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/parse.h"

#define UNUSED_COLUMN (-1)
#define FIELDS_MAX 64              /* columns of a header */
#define MG_MAX UINT64_C(10000000000000) /* 10 000 t: more than one of anything in such a table */

struct reader {
    const char *name;
    const char *const *columns;
    size_t n_columns;
    int (*take)(void *arg, const struct csv_row *row);
    void *arg;
    struct error *err;
    unsigned line, lines_inside; /* of the record being read; line ends inside its fields */
    bool header_seen;
    int use[FIELDS_MAX];         /* by place in the file: index of columns, or UNUSED_COLUMN */
    size_t width;                /* fields of the header */
    size_t field;                /* of this record, so far */
    char *fields[CSV_COLUMNS_MAX];
    int code;                    /* first failure */
};

/* "?pue" names a column that may be missing. */
static const char *column_name(const char *column)
{
    return column + (column[0] == '?');
}

static void header_field(struct reader *reader, const char *text)
{
    if (reader->field >= FIELDS_MAX) {
        reader->code = error_set(reader->err, -EBADMSG, "%s:%u: a header of more than %d columns; "
                                 "take out those that are not needed", reader->name, reader->line,
                                 FIELDS_MAX);
        return;
    }
    reader->use[reader->field] = UNUSED_COLUMN;
    for (size_t i = 0; i < reader->n_columns; i++) {
        if (strcasecmp(text, column_name(reader->columns[i])) != 0)
            continue;
        for (size_t k = 0; k < reader->field; k++)
            if (reader->use[k] == (int)i)
                reader->code = error_set(reader->err, -EBADMSG, "%s:%u: the header names %s twice; "
                                         "keep one of the two", reader->name, reader->line,
                                         column_name(reader->columns[i]));
        reader->use[reader->field] = (int)i;
    }
}

static void row_field(struct reader *reader, const char *text)
{
    int column = reader->field < reader->width ? reader->use[reader->field] : UNUSED_COLUMN;

    if (column == UNUSED_COLUMN)
        return;
    reader->fields[column] = strdup(text);
    if (!reader->fields[column])
        reader->code = error_set(reader->err, -ENOMEM, "%s: out of memory", reader->name);
}

static void on_field(void *bytes, size_t len, void *arg)
{
    struct reader *reader = arg;
    const char *text = bytes ? bytes : "";

    if (reader->code)
        return;
    for (size_t i = 0; i < len; i++)
        reader->lines_inside += text[i] == '\n';
    if (reader->header_seen)
        row_field(reader, text);
    else
        header_field(reader, text);
    reader->field++;
}

static void end_header(struct reader *reader)
{
    reader->header_seen = true;
    reader->width = reader->field;
    for (size_t i = 0; i < reader->n_columns; i++) {
        bool found = reader->columns[i][0] == '?';

        for (size_t k = 0; k < reader->width; k++)
            found |= reader->use[k] == (int)i;
        if (!found) {
            reader->code = error_set(reader->err, -EBADMSG, "%s:%u: the header names no column "
                                     "%s; a table of this kind has it", reader->name,
                                     reader->line, reader->columns[i]);
            return;
        }
    }
}

static void end_row(struct reader *reader)
{
    const struct csv_row row = { reader->name, reader->columns, reader->line, reader->fields,
                                 reader->err };

    if (reader->field != reader->width)
        reader->code = error_set(reader->err, -EBADMSG, "%s:%u: %zu fields where the header has "
                                 "%zu; quote a field that holds a comma", reader->name,
                                 reader->line, reader->field, reader->width);
    else
        reader->code = reader->take(reader->arg, &row);
}

static void forget_fields(struct reader *reader)
{
    for (size_t i = 0; i < reader->n_columns; i++) {
        free(reader->fields[i]);
        reader->fields[i] = NULL;
    }
}

static void on_record(int end, void *arg)
{
    struct reader *reader = arg;

    (void)end;
    if (!reader->code && reader->field > 0) {
        if (reader->header_seen)
            end_row(reader);
        else
            end_header(reader);
    }
    forget_fields(reader);
    reader->field = 0;
    reader->line += 1 + reader->lines_inside;
    reader->lines_inside = 0;
}

int csv_rows(const char *text, const char *name, const char *const *columns,
             int (*take)(void *arg, const struct csv_row *row), void *arg, struct error *err)
{
    struct reader reader = { .name = name, .columns = columns, .take = take, .arg = arg,
                             .err = err, .line = 1 };
    struct csv_parser parser;
    size_t len = strlen(text);

    while (columns[reader.n_columns])
        reader.n_columns++;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) != 0)
        return error_set(err, -ENOMEM, "%s: out of memory", name);
    if ((csv_parse(&parser, text, len, on_field, on_record, &reader) != len ||
         csv_fini(&parser, on_field, on_record, &reader) != 0) && !reader.code)
        reader.code = error_set(err, -EBADMSG, "%s:%u: %s; quote a field that holds a quote or a "
                                "comma, and double a quote inside", name, reader.line,
                                csv_strerror(csv_error(&parser)));
    forget_fields(&reader);
    csv_free(&parser);
    if (!reader.code && !reader.header_seen)
        reader.code = error_set(err, -EBADMSG, "%s: empty; its first line names the columns", name);
    return reader.code;
}

/* --- for takers ------------------------------------------------------------------------------- */

int csv_bad_field(const struct csv_row *row, size_t column, const char *remedy)
{
    return error_set(row->err, -EBADMSG, "%s:%u: %s: \"%.60s\": %s", row->name, row->line,
                     column_name(row->columns[column]), row->fields[column], remedy);
}

int csv_take_text(const struct csv_row *row, size_t column, char *room, size_t size)
{
    const char *text = row->fields[column];
    size_t len = strlen(text);

    if (len == 0)
        return csv_bad_field(row, column, "write something here");
    if (len >= size)
        return csv_bad_field(row, column, "too long; shorten it");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return csv_bad_field(row, column, "a line end or control byte; write plain text");
    memcpy(room, text, len + 1);
    return 0;
}

int csv_take_kg(const struct csv_row *row, size_t column, uint64_t *ret_mg)
{
    if (parse_decimal(row->fields[column], 6, MG_MAX, ret_mg) < 0)
        return csv_bad_field(row, column, "write kilograms, such as 44.18, up to 10000000");
    return 0;
}

int csv_take_year(const struct csv_row *row, size_t column, uint32_t *ret_year)
{
    if (parse_u32(row->fields[column], 1900, 2999, ret_year) < 0)
        return csv_bad_field(row, column, "write a year of four digits");
    return 0;
}
