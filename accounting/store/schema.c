#include "store/store_sqlite.h"

/* schema-1.sql as a string, comments and all: `sqlite3 carbon.db .schema` then explains itself */
static const char schema_1[] =
#include "store/schema-1.inc"
    ;

const char *store_schema(int version)
{
    return version == 1 ? schema_1 : NULL;
}
