/*
 * table.h - a table on the output, by libsmartcols
 */
#ifndef CARBON_CLI_TABLE_H
#define CARBON_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

struct table_column {
    const char *heading; /* NULL ends the list */
    bool right;          /* numbers */
};

/* NULL without memory. The columns must live as long as the table. */
struct table *table_new(const struct table_column *columns);
struct table *table_free(struct table *table); /* takes NULL, returns NULL */

/*
 * A line of as many texts as there are columns, anybody's: what would move a terminal is escaped
 * (report/format.h). False without memory.
 */
bool table_add(struct table *table, const char *const *texts);

bool table_is_empty(const struct table *table);
void table_print(struct table *table);

#endif
