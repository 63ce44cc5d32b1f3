/*
 * audit_rules.h - what the rules of the audit share; private to accounting/store
 */
#ifndef CARBON_STORE_AUDIT_RULES_H
#define CARBON_STORE_AUDIT_RULES_H

#include "store/audit.h"
#include "store/db.h"

/* SQL: the node that a finding is about. Clusters in one database may have nodes of one name. */
#define AUDIT_NODE "COALESCE('cluster ' || node.cluster || ', node ' || node.name, 'node ?')"

struct audit {
    struct store *store;
    const struct audit_sink *sink;
    bool deep;
    struct error *err;
};

/* Hand out a finding, with the remedy of its rule. */
void audit_report(const struct audit *audit, const char *rule, bool fails, int64_t missing_mj,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A column's text; "" where there is none. */
const char *audit_text(struct stmt *row, int column);

/* Call `take` for every row of the statement. */
MUST_CHECK int audit_for_each(const struct audit *audit, const char *sql, void *state,
                              void (*take)(const struct audit *audit, struct stmt *row,
                                           void *state));

MUST_CHECK int audit_sums(const struct audit *audit);    /* A6, A10 */
MUST_CHECK int audit_months(const struct audit *audit);  /* A7 */
MUST_CHECK int audit_factors(const struct audit *audit); /* A8 */

#endif
