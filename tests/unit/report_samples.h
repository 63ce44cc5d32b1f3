/*
 * report_samples.h - period reports made by hand, for tests of what writes them
 */
#ifndef CARBON_TESTS_REPORT_SAMPLES_H
#define CARBON_TESTS_REPORT_SAMPLES_H

#include "report/period_report.h"

#define SAMPLE_LINES 64
#define SAMPLE_TYPES 4
#define SAMPLE_DAYS 31
#define SAMPLE_TOP 10
#define SAMPLE_PARTS 8
#define SAMPLE_MONTHS 13
#define SAMPLE_BUDGETS 6

/* A report with room for all that it points to. Nothing needs to be freed. */
struct sample {
    struct period_report report;
    struct basis basis;
    struct report_line accounts[SAMPLE_LINES], users[SAMPLE_LINES], partitions[SAMPLE_LINES],
        states[SAMPLE_LINES];
    char names[SAMPLE_LINES][256];
    struct report_type types[SAMPLE_TYPES];
    struct report_day days[SAMPLE_DAYS];
    struct report_job top[SAMPLE_TOP];
    struct report_month trend[SAMPLE_MONTHS];
    struct node_type node_types[SAMPLE_TYPES];
    struct asset assets[SAMPLE_PARTS];
    struct asset_part parts[SAMPLE_PARTS];
    struct intensity annual[2];
    struct grid_interval interval;
    struct pue_period pue;
    char *unknown_names[40];
    struct budget budgets[SAMPLE_BUDGETS];
    struct budget_use budget_uses[SAMPLE_BUDGETS];
};

/* "month", "empty", …: each a case that a page must show well. Ends with NULL. */
extern const char *const sample_names[];

/* Fill *ret with the sample of that name; its books close (P1 to P3). */
void sample_make(const char *name, struct sample *ret);

#endif
