/*
 * method.h - how energy and hardware become grams in a report of jobs, and how that is said
 */
#ifndef CARBON_REPORT_METHOD_H
#define CARBON_REPORT_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "report/basis.h"

struct report_method {
    const struct basis *basis; /* set.number 0: there is no factor set */
    const struct grid *grid;   /* the basis's; without has_intensity no grams are known */
    const char *remedy;        /* without intensity: what to do, "set Zone in carbon.conf" */
    const char *what_if;       /* "the grid were that of zone DE (Germany)"; NULL: it is not */
};

/* UTC hours with energy, and what was known of their grid: HOUR_* of carbon/grid.h. */
struct hour_counts {
    size_t hours, annual, estimated, other_basis;
};
void hour_counts_add(struct hour_counts *sum, const struct hour_counts *part);
void hour_counts_note(struct hour_counts *counts, unsigned flags); /* one hour more */

/*
 * Of a method that has an intensity: "zone FR (France), 44.2 g/kWh, annual value of 2024,
 * lifecycle", or, where hours differ, "zone FR (France), each hour's own, lifecycle, consumption;
 * 12 of 30 h at the annual value". mean_ug_per_kwh is named in front of the latter, unless it is 0.
 */
void method_write_grid(const struct report_method *method, const struct hour_counts *counts,
                       uint64_t mean_ug_per_kwh, bool utf8, struct buf *buf);
/* Whose figures they are, of the hours and of the years that stand in for missing ones. */
void method_write_source(const struct report_method *method, const struct hour_counts *counts,
                         bool utf8, struct buf *buf);
/* The single figure of the zone that serves for all of these hours; NULL where hours differ. */
const struct intensity *method_figure(const struct report_method *method,
                                      const struct hour_counts *counts);
/* "1.2", or "of each hour" where it differs in time. */
void method_write_pue(const struct report_method *method, struct buf *buf);
/* "factor set 4 of 2026-11-20" */
void method_write_set(const struct report_method *method, struct buf *buf);
/* What the mode does: "capacity mode: hours held / hours in service" */
void method_write_mode(const struct report_method *method, struct buf *buf);

/* What no row has in its total, in words that follow "not included:". Up to two; how many. */
#define NOT_INCLUDED_MAX 2
size_t method_not_included(const struct report_method *method,
                           const char *ret_words[NOT_INCLUDED_MAX]);
void method_write_not_included(const struct report_method *method, struct buf *buf);

/* Lines of what else emits `mass_g`, one for each equivalence of the set, begun with `indent`
   blanks: "45.4  flights London-New York, one economy seat", below it factor, year and source. */
void method_write_compared(const struct report_method *method, double mass_g, int indent, bool utf8,
                           struct buf *buf);

#endif
