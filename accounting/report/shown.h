/*
 * shown.h - a period's masses as pages show them: text and HTML alike
 */
#ifndef CARBON_REPORT_SHOWN_H
#define CARBON_REPORT_SHOWN_H

#include "report/format.h"
#include "report/period_report.h"

/*
 * Ticks of a scale; all but `total` and `over` add up to those two together. Operation is rounded
 * by itself, so that scope 2, the trend, the parts and the balance say the same figure; so is that
 * of jobs, and their tables agree. Hardware, known least, is the rest: what jobs do not carry, or
 * in planned mode what they carry too much.
 */
struct shown_masses {
    uint64_t total;
    uint64_t jobs_operation, other_operation; /* other: system and unallocated */
    uint64_t used;                 /* embodied, of jobs */
    uint64_t unused;               /* with what is written off, and in planned mode unrecovered */
    uint64_t over;                 /* planned mode: in `used`, and more than accrued; <= used */
};
struct shown_masses shown_masses_of(const struct period_report *report, const struct scale *scale);

#endif
