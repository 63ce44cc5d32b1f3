#include "cli/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/format.h"

struct table {
    struct libscols_table *scols;
    size_t n_columns, n_lines;
};

struct table *table_new(const struct table_column *columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->scols = scols_new_table();
    if (!table->scols)
        return table_free(table);
    scols_table_enable_noencoding(table->scols, 1); /* table_add() makes texts safe */
    for (; columns[table->n_columns].heading; table->n_columns++) {
        const struct table_column *column = &columns[table->n_columns];

        if (!scols_table_new_column(table->scols, column->heading, 0,
                                    column->right ? SCOLS_FL_RIGHT : 0))
            return table_free(table);
    }
    return table;
}

struct table *table_free(struct table *table)
{
    if (table && table->scols)
        scols_unref_table(table->scols);
    free(table);
    return NULL;
}

/* The line's next text, fit for a terminal. */
static bool set_text(struct libscols_line *line, size_t column, const char *text)
{
    struct buf plain;
    bool done;

    buf_init(&plain);
    format_text(&plain, text, format_locale_is_utf8(), NULL);
    done = !buf_failed(&plain) &&
           scols_line_set_data(line, column, plain.data ? plain.data : "") == 0;
    buf_free(&plain);
    return done;
}

bool table_add(struct table *table, const char *const *texts)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);

    for (size_t i = 0; line && i < table->n_columns; i++)
        if (!set_text(line, i, texts[i]))
            return false;
    table->n_lines += line != NULL;
    return line != NULL;
}

bool table_is_empty(const struct table *table)
{
    return table->n_lines == 0;
}

void table_print(struct table *table)
{
    fflush(stdout);
    scols_print_table(table->scols);
}
