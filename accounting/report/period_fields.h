/*
 * period_fields.h - fields of struct amounts: one table from which JSON and the sections are fed
 */
#ifndef CARBON_REPORT_PERIOD_FIELDS_H
#define CARBON_REPORT_PERIOD_FIELDS_H

#include "report/period_report.h"

struct amounts_field {
    const char *name;  /* with its unit: "active_mg" */
    const char *group; /* of JSON: "energy" */
    uint64_t (*get)(const struct amounts *amounts);
    enum { FIELD_ALWAYS, FIELD_GRAMS, FIELD_EMBODIED, FIELD_BOTH } needs; /* else it is unknown */
};
extern const struct amounts_field amounts_fields[]; /* ends with name NULL */

/* Is a field of this kind known in this report? */
bool field_is_known(const struct period_report *report, int needs);

#endif
