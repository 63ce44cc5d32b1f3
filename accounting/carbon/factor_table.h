/*
 * factor_table.h - embodied_factors.csv and equivalences.csv, as shipped or as a set has them
 */
#ifndef CARBON_CARBON_FACTOR_TABLE_H
#define CARBON_CARBON_FACTOR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define EMBODIED_FILE "embodied_factors.csv"
#define EQUIVALENCES_FILE "equivalences.csv"

/* One row of embodied_factors.csv: what making one `unit` of it emitted. */
struct embodied_factor {
    char component[96];  /* "GPU NVIDIA A100 SXM4 40GB" */
    char unit[16];       /* "gpu", "GB", "node" */
    uint64_t low_mg, central_mg, high_mg;
    uint32_t year;
    char source[320], evidence[24];
};

struct factor_table {
    struct embodied_factor *factors;
    size_t count;
};

/* Text of the CSV with its header; `name` for messages. -EBADMSG with file, line, column. */
MUST_CHECK int factor_table_parse(const char *text, const char *name, struct factor_table *ret,
                                  struct error *err);
void factor_table_clear(struct factor_table *table);
/* By component, without case; NULL: none. */
const struct embodied_factor *factor_table_find(const struct factor_table *table,
                                                const char *component);

/* One row of equivalences.csv: grams for one of something that people know. */
struct equivalence {
    char name[96];       /* "London-New York flights, one economy seat one way" */
    uint64_t mg;         /* of one */
    uint32_t year;       /* of the factor */
    char source[256];
};
struct equivalences {
    struct equivalence *rows;
    size_t count;
};
MUST_CHECK int equivalences_parse(const char *text, const char *name, struct equivalences *ret,
                                  struct error *err);
void equivalences_clear(struct equivalences *equivalences);

#endif
