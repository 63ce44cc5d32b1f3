/*
 * web.h - the HTML page of a period report, between its own files
 *
 * web.c puts the page together, web_figures.c decides what is shown (units, rounded amounts that
 * add up), web_plots.c draws, web_tables.c, web_times.c and web_books.c list, web_notes.c says what
 * the figures rest on, web_style.c holds the style sheet. "Electricity" is operational, "hardware"
 * embodied emissions.
 */
#ifndef CARBON_REPORT_WEB_H
#define CARBON_REPORT_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "report/format.h"
#include "report/period_report.h"

#define WEB_PARTS_MAX 8
#define WEB_PERIOD_SIZE 96

/* One part of the period's emissions (of its energy, where no zone is set), in the plot's order. */
struct web_part {
    const char *class;      /* of the style sheet: its colour and pattern */
    const char *name;       /* "Work of the jobs" */
    const char *term;       /* what METHOD calls it: "active" */
    const char *meaning;    /* one sentence */
    const char *phrase;     /* "… of every 100 kg came from electricity for the jobs' work" */
    bool is_hardware;
    uint64_t amount;        /* milligrams, or millijoules */
    uint64_t ticks;         /* of the page's scale */
    uint64_t percent;       /* the parts' add up to 100 */
};

/* Rounded amounts of one line of jobs, in ticks of a struct web_jobs. */
struct web_cells {
    uint64_t energy, electricity, hardware;
};

/* The jobs' totals, and the scales in which all groups of jobs are shown. */
struct web_jobs {
    struct scale energy, mass;
    struct web_cells total;
};

/* What the closing balance shows, in ticks of the page's mass scale. */
struct web_balance {
    uint64_t jobs_electricity, system, unallocated, jobs_hardware, free_hardware, written_off;
    uint64_t under, over;   /* planned mode: not recovered, recovered too much */
};

struct web_page {
    const struct period_report *report;
    struct buf *buf;
    bool grams;             /* a zone is set; else the page is about energy */
    bool hardware;          /* there is an inventory */
    char period[WEB_PERIOD_SIZE]; /* "October 2026", "October 2026, so far" */
    bool is_month;          /* a calendar month, all of it */

    struct scale mass, energy; /* of the cluster's totals */
    uint64_t total_ticks;
    uint64_t energy_ticks[5]; /* active, idle, system, unallocated, and counted: their sum */
    struct web_part parts[WEB_PARTS_MAX]; /* those that are not 0 */
    size_t n_parts;
    struct web_balance balance;
    uint64_t month[4];      /* as the trend tells apart: jobs, free, building, hardware */
    struct web_jobs jobs;
    size_t n_notes;         /* what a reader must know; written by web_notes() */
};

/* --- web_figures.c --------------------------------------------------------------------------- */

void web_figures(struct web_page *page); /* everything above n_notes, from report */
/* What the page is about, of one line of jobs: milligrams, or millijoules. */
uint64_t web_amount_of(const struct web_page *page, const struct amounts *amounts);
/* Rounded amounts of count lines that are all jobs, by largest remainder. False: no memory. */
bool web_share_out(const struct web_page *page, const struct report_line *lines, size_t count,
                   struct web_cells *cells);
/* With everything below, of accounts in tree order. */
void web_sum_trees(const struct report_line *lines, size_t count, const struct web_cells *own,
                   struct web_cells *trees);

/* "3 October 2026", "1 October 2026, 13:00"; "Oct 2026" */
void web_day(struct buf *buf, int64_t instant_s);
void web_month_short(struct buf *buf, int64_t instant_s);

/* Amount of milligrams with its unit; one of millijoules. */
void web_mass(struct buf *buf, double mg);
void web_energy(struct buf *buf, double mj);

#define WEB_UNIT_SIZE 32
/* "kg CO₂e", as columns are headed */
void web_mass_unit(char text[WEB_UNIT_SIZE], const struct scale *scale);
void web_row_end(struct buf *buf); /* of any table */

/* --- the rest --------------------------------------------------------------------------------- */

void web_parts_plot(const struct web_page *page);
void web_accounts_plot(const struct web_page *page);
void web_days_plot(const struct web_page *page);
void web_trend_plot(const struct web_page *page);
void web_swatch(struct buf *buf, const char *class);

void web_parts_table(const struct web_page *page);
void web_budgets(const struct web_page *page); /* there is one at least */
void web_tables(const struct web_page *page);
void web_days_table(const struct web_page *page);
void web_months_table(const struct web_page *page);
void web_protocol(const struct web_page *page);
void web_hardware(const struct web_page *page);
void web_balance_tables(const struct web_page *page);

/* Appends to `notes` <li> elements; sets n_notes. */
void web_notes(struct web_page *page, struct buf *notes);
void web_method(const struct web_page *page);

extern const char web_style[];
extern const char web_patterns[]; /* <svg> with what the style sheet fills with */

#endif
