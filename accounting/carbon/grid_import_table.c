#include <csv.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/grid_import_file.h"
#include "core/buf.h"

#define FIELDS_MAX 256 /* eCO2mix has some forty */

struct table {
    struct import_file *file;
    const struct import_column *columns;
    size_t n_columns;
    int (*take)(void *arg, const struct import_line *line);
    void *arg;
    struct buf text;               /* of the record's fields, each with its NUL */
    size_t starts[FIELDS_MAX];     /* of each field in it */
    size_t n_fields, n_headings;
    int index[IMPORT_COLUMNS_MAX]; /* of a column among the fields, or -1 */
    unsigned line;
    int rc;
};

void import_fold(const char *text, size_t len, char *ret, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < len && used + 1 < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == 0xe2 && i + 2 < len && memcmp(text + i, "\xe2\x82\x82", 3) == 0) { /* U+2082 */
            ret[used++] = '2';
            i += 2;
        } else if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] == 0xa0) { /* U+00A0 */
            i++;
        } else if (!isspace(c) && c != '"') {
            ret[used++] = (char)(c < 0x80 ? tolower(c) : c);
        }
    }
    ret[used] = '\0';
}

static bool is_heading(const struct import_column *column, const char *folded)
{
    for (size_t i = 0; column->headings[i]; i++)
        if (strcmp(column->headings[i], folded) == 0)
            return true;
    return false;
}

static int take_heading(struct table *table, size_t field)
{
    const char *text = table->text.data + table->starts[field];
    char folded[128];

    import_fold(text, strlen(text), folded, sizeof(folded));
    if (strstr(folded, "marginal") || strstr(folded, "moer"))
        return error_set(table->file->err, -ENOTSUP, "%s:%u: \"%.60s\": %s; import a file of "
                         "averages", table->file->name, table->line, text, GRID_MARGINAL_REASON);
    for (size_t i = 0; i < table->n_columns; i++) {
        if (!is_heading(&table->columns[i], folded))
            continue;
        if (table->index[i] >= 0)
            return import_field_error(table->file, table->line, table->columns[i].name, text,
                                      "a column that is there already: remove one");
        table->index[i] = (int)field;
    }
    return 0;
}

static int take_header(struct table *table)
{
    int rc = 0;

    table->n_headings = table->n_fields;
    for (size_t i = 0; rc == 0 && i < table->n_fields; i++)
        rc = take_heading(table, i);
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++)
        if (table->columns[i].needed && table->index[i] < 0)
            rc = error_set(table->file->err, -EBADMSG, "%s:%u: the header has no column \"%s\": "
                           "add it, or choose another --format", table->file->name, table->line,
                           table->columns[i].name);
    return rc;
}

static int take_record(struct table *table)
{
    struct import_line line = { .line = table->line };

    if (table->n_fields != table->n_headings)
        return error_set(table->file->err, -EBADMSG, "%s:%u: %zu fields where the header has %zu: "
                         "the file is cut off or damaged; fetch it again", table->file->name,
                         table->line, table->n_fields, table->n_headings);
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->index[i] >= 0)
            line.fields[i] = table->text.data + table->starts[table->index[i]];
    return table->take(table->arg, &line);
}

static void on_field(void *bytes, size_t len, void *data)
{
    struct table *table = data;

    if (table->rc < 0)
        return;
    if (table->n_fields == FIELDS_MAX) {
        table->rc = error_set(table->file->err, -EBADMSG, "%s:%u: more than %d fields: this is no "
                              "file of intensities", table->file->name, table->line, FIELDS_MAX);
        return;
    }
    table->starts[table->n_fields++] = table->text.len;
    buf_add(&table->text, bytes ? bytes : "", len);
    buf_add(&table->text, "", 1);
    if (buf_failed(&table->text))
        table->rc = error_set(table->file->err, -ENOMEM, "out of memory");
}

static bool is_blank(const struct table *table)
{
    for (size_t i = 0; i < table->text.len; i++)
        if (table->text.data[i] != '\0')
            return false;
    return true;
}

static void on_record(int end, void *data)
{
    struct table *table = data;

    (void)end;
    if (table->rc == 0 && !is_blank(table))
        table->rc = table->n_headings ? take_record(table) : take_header(table);
    table->n_fields = 0;
    table->text.len = 0;
}

static int quote_error(struct table *table)
{
    return table->rc ? table->rc
                     : error_set(table->file->err, -EBADMSG, "%s:%u: a quote is not closed, or not "
                                 "doubled inside: the file is cut off or damaged; fetch it again",
                                 table->file->name, table->line);
}

/* Line by line, so that the line of each record is known. */
static int read_lines(struct table *table, struct csv_parser *parser)
{
    const char *at = table->file->text, *end = at + table->file->len;

    for (table->line = 1; at < end && table->rc == 0; table->line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);

        if (csv_parse(parser, at, len, on_field, on_record, table) != len)
            return quote_error(table);
        at += len;
        if (!newline)
            break; /* csv_fini() ends the record on this line */
    }
    if (table->rc == 0 && csv_fini(parser, on_field, on_record, table) != 0)
        return quote_error(table);
    return table->rc;
}

static char delimiter_of(const struct import_file *file)
{
    return memchr(file->text, ';', strcspn(file->text, "\r\n")) ? ';' : ',';
}

static int check_end(const struct import_file *file)
{
    unsigned lines = 1;

    if (file->text[file->len - 1] == '\n')
        return 0;
    for (size_t i = 0; i < file->len; i++)
        lines += file->text[i] == '\n';
    return error_set(file->err, -EBADMSG, "%s:%u: the last line does not end: the file may be cut "
                     "off; fetch it again, or end the line", file->name, lines);
}

int import_table(struct import_file *file, const struct import_column *columns, size_t count,
                 bool whole, int (*take)(void *arg, const struct import_line *line), void *arg)
{
    struct table table = { .file = file, .columns = columns, .n_columns = count, .take = take,
                           .arg = arg };
    struct csv_parser parser;
    int rc;

    for (size_t i = 0; i < IMPORT_COLUMNS_MAX; i++)
        table.index[i] = -1;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return error_set(file->err, -ENOMEM, "out of memory");
    csv_set_delim(&parser, (unsigned char)delimiter_of(file));
    buf_init(&table.text);
    rc = read_lines(&table, &parser);
    if (rc == 0 && whole)
        rc = check_end(file);
    buf_free(&table.text);
    csv_free(&parser);
    return rc;
}
