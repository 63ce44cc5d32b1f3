#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

/* the files as strings, comments and all: `sqlite3 carbon.db .schema` then explains itself */
static const char schema_1[] =
#include "store/schema-1.inc"
    ;
static const char schema_2[] =
#include "store/schema-2.inc"
    ;
static const char schema_3[] =
#include "store/schema-3.inc"
    ;
static const char schema_4[] =
#include "store/schema-4.inc"
    ;
static const char schema_5[] =
#include "store/schema-5.inc"
    ;
static const char schema_6[] =
#include "store/schema-6.inc"
    ;
static const char sums[] =
#include "store/sums.inc"
    ;

static const char *const schemas[] = { NULL, schema_1, schema_2, schema_3,
                                       schema_4, schema_5, schema_6 };
_Static_assert(sizeof(schemas) / sizeof(schemas[0]) == STORE_SCHEMA_VERSION + 1,
               "each version has its file");

/* What the files call a table laid out by its key, and what SQLite does: one for the other. */
static const char plain_end[] = ");  -- clustered";
static const char sqlite_end[] = ") WITHOUT ROWID;";
_Static_assert(sizeof(plain_end) == sizeof(sqlite_end), "one fits in the place of the other");

const char *store_schema(int version)
{
    return version >= 1 && version <= STORE_SCHEMA_VERSION ? schemas[version] : NULL;
}

int store_apply_schema(struct store *store, int version, struct error *err)
{
    char *sql = strdup(store_schema(version));
    int rc;

    if (!sql)
        return error_set(err, -ENOMEM, "out of memory");
    for (char *end = sql; (end = strstr(end, plain_end)) != NULL; end += strlen(sqlite_end))
        memcpy(end, sqlite_end, strlen(sqlite_end));
    rc = store_exec(store, sql, err);
    free(sql);
    return rc;
}

int store_make_sums(struct store *store, struct error *err)
{
    return store_exec(store, sums, err);
}
