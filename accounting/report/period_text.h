/*
 * period_text.h - what the files of the plain-text report share
 */
#ifndef CARBON_REPORT_PERIOD_TEXT_H
#define CARBON_REPORT_PERIOD_TEXT_H

#include "report/cells.h"
#include "report/format.h"
#include "report/period_report.h"

#define PTEXT_LABEL 11 /* columns of "Period" and the like */

/* The report in the making. */
struct ptext {
    const struct period_report *report;
    const struct period_text_style *style;
    struct buf *buf;
    const char *co2e;      /* as the locale can write it */
    struct scale scale;    /* of the total */
    char mass_heading[32]; /* "t CO2e", of that scale */
    bool noted;            /* there was a warning */
    size_t hidden;         /* lines that the last table left out */
};

void ptext_bold(struct ptext *page, const char *text);
void ptext_title(struct ptext *page, const char *title); /* an empty line above, but at the top */
void ptext_foreign(struct ptext *page, const char *text);
void ptext_mass(struct ptext *page, uint64_t mg);
void ptext_ticks(struct cells *cells, const struct scale *scale, uint64_t ticks, bool something);
/* The same, of which a part may not be known: "unknown", or ">2.9". */
void ptext_known_ticks(struct cells *cells, const struct scale *scale, uint64_t ticks,
                       bool something, bool lacks);
void ptext_permille(struct cells *cells, uint64_t permille, bool something);
/* Is any mass known: of running, or of manufacture? */
bool ptext_knows_mass(const struct period_report *report);

/* Tables, in their order. */
struct ptext_section {
    const char *name;
    int (*write)(struct ptext *page, struct error *err);
};
extern const struct ptext_section ptext_sections[]; /* ends with name NULL */

#endif
