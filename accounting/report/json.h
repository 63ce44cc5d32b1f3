/*
 * json.h - jobs as JSON, with units in the keys; null is what is not known
 */
#ifndef CARBON_REPORT_JSON_H
#define CARBON_REPORT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/budgets.h"
#include "report/parts.h"
#include "report/row.h"

struct json_options {
    enum parts_by by; /* rows of parts follow their job's own; there are none of steps then */
    bool compare;     /* with equivalences */
    bool has_budgets; /* with budgets: NULL where they cannot be told */
    const struct budget_uses *budgets;
};

/*
 * Append one document of the jobs that rows name, each with those of its steps or parts that rows
 * name too. Energy is integer millijoules as stored; derived kWh and grams are in full. The
 * same database gives the same bytes. -ENOMEM.
 */
MUST_CHECK int json_write(const struct row *rows, size_t count,
                          const struct json_options *options, const struct report_method *method,
                          struct buf *buf, struct error *err);

#endif
