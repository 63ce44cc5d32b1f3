#include "cli/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

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

bool table_add(struct table *table, const char *const *texts)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);

    for (size_t i = 0; line && i < table->n_columns; i++)
        if (scols_line_set_data(line, i, texts[i]) != 0)
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
