/*
 * period_report.h - the cluster's emissions over a period: every figure of sreport-carbon
 *
 * Built once (period_report_build), then written by one of several writers: text, parsable, CSV,
 * JSON, HTML. Writers compute nothing that is not here. All masses are integer milligrams that add
 * up, energies integer millijoules, times milliseconds; only writers round.
 *
 *   P1  counted_mj = jobs active + idle + system + unallocated          (the books of energy)
 *   P2  total_mg = jobs operational + system + unallocated operational
 *                  + jobs embodied + unallocated embodied + written off - recovery (planned mode)
 *   P3  every grouping (account, user, …) adds up to the jobs' totals, each part by itself
 */
#ifndef CARBON_REPORT_PERIOD_REPORT_H
#define CARBON_REPORT_PERIOD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/basis.h"
#include "report/budgets.h"
#include "store/period.h"

struct viewer;

/* Energy and emissions of something. */
struct amounts {
    uint64_t jobs;
    uint64_t active_mj, idle_mj;
    uint64_t measured_mj, modelled_mj;
    uint64_t metered_ms, elapsed_ms, gap_ms; /* coverage = metered / elapsed */
    uint64_t gpu_ms, core_ms;   /* held: GPUs on nodes of the GPU pool, cores on others; on nodes of
                                   no known type too, which no pool counts */
    uint64_t active_mg, idle_mg, overhead_mg;
    uint64_t spread_mg;         /* unallocated idle energy with its overhead, IdlePolicy=spread */
    struct range_mg embodied;
    uint64_t missing_embodied;  /* jobs of which a part ran on nodes of no known type */
};
uint64_t amounts_operational_mg(const struct amounts *amounts); /* active, idle, overhead, spread */
uint64_t amounts_total_mg(const struct amounts *amounts);       /* with embodied, central */

/* One line of a grouping. */
struct report_line {
    char *name;      /* "" is shown as "(none)"; REPORT_OTHERS of a hidden line */
    bool hidden;     /* all that is not the viewer's to see: the last line, without a parent */
    char *parent;    /* of accounts: the parent's name; NULL: at the root */
    unsigned depth;  /* of accounts: 0 at the root */
    struct amounts own;  /* of itself */
    struct amounts tree; /* with everything below; as own where there is no tree */
};
struct report_group {
    struct report_line *lines; /* by total, greatest first, then name; accounts: tree order */
    size_t count;
};
#define REPORT_OTHERS "others (not shown)"
/* Lines that are not hidden: those in front. */
static inline size_t report_named_lines(const struct report_group *group)
{
    return group->count - (group->count > 0 && group->lines[group->count - 1].hidden);
}

/* A node type's side: nodes, not jobs. */
struct report_type {
    char *name;                   /* "" : nodes of no known type */
    unsigned pool;                /* enum pool_kind; POOL_COUNT: of none, as storage or login */
    uint64_t nodes;
    uint64_t counted_mj, active_mj, idle_mj, system_mj, unallocated_mj;
    uint64_t operational_mg;      /* of all four, with overhead */
    uint64_t used_ms, available_ms; /* device-milliseconds of its pool */
    bool has_embodied;            /* the inventory says what it is made of */
    struct range_mg embodied;     /* its own assets' amount, without shared ones */
};

const char *report_pool_name(unsigned pool); /* "GPU", "CPU", "none" */
/* Of which jobs the names are told: "alice (uid 1000) and of accounts a, b". Texts as they are. */
void report_write_viewer(const struct viewer *viewer, struct buf *buf);

struct report_job {
    struct period_job job;        /* texts owned by the report */
    char job_id[48];              /* as sacct-carbon writes it */
    const char *state;            /* "COMPLETED" */
    struct amounts amounts;
};

struct report_day {
    int64_t day_s;                /* 00:00 UTC */
    uint64_t counted_mj;
    uint64_t operational_mg;
    uint64_t ug_per_kwh;          /* mean weighted by energy; 0: no energy or no intensity */
    uint64_t annual_hours, hours; /* hours that took an annual value, hours with energy */
};

struct report_month {             /* of the trend */
    int64_t month_s;
    bool has;                     /* any energy, or any embodied */
    uint64_t counted_mj, measured_mj;
    uint64_t active_mg, idle_mg, overhead_mg; /* overhead of all four */
    uint64_t system_mg, unallocated_mg;       /* at the meter */
    struct range_mg embodied;     /* the pools, allocated or not, and write-offs */
    uint64_t total_mg;
};

struct report_acquired {
    const struct asset_part *part; /* of `embodied` */
};

struct period_report {
    struct period period;
    const struct basis *basis;
    bool so_far;                  /* cut at the last delivered hour: the month goes on */
    const struct viewer *viewer;  /* the store's: accounts, users, top and budgets name what he may
                                     see alone, all sums are of everything; NULL: all is named */
    bool has_grams;               /* a zone is set */
    uint64_t ug_per_kwh, pue_ppm; /* means weighted by energy; 0: no energy */

    /* totals */
    uint64_t counted_mj, active_mj, idle_mj, system_mj, unallocated_mj;
    uint64_t measured_mj, modelled_mj, metered_ms, elapsed_ms, gap_ms;
    struct amounts jobs;          /* all jobs */
    uint64_t system_mg, unallocated_mg; /* at the meter */
    uint64_t system_overhead_mg, unallocated_overhead_mg;
    struct range_mg unallocated_embodied; /* of the pools, and shared without a pool */
    int64_t recovery_mg;          /* planned mode: attributed minus pools */
    uint64_t total_mg;            /* of the cluster */
    struct range_mg total;        /* with embodied low, central, high */

    /* scope 2 and 3 */
    uint64_t scope2_location_mg;  /* all operational */
    bool has_market;              /* a market factor covers the whole period */
    uint64_t scope2_market_mg;
    struct embodied_period embodied; /* pools, write-offs, acquired, by asset */

    /* groupings of jobs */
    struct report_group accounts, users, partitions, states;
    struct report_type *types;
    size_t n_types;
    struct report_job *top;       /* by total, greatest first, then job_key */
    size_t n_top;
    struct report_day *days;
    size_t n_days;
    struct report_month *trend;   /* 13 months up to the one that holds the period's last hour */
    size_t n_trend;

    /* in the order of the inventory; of the periods that hold the report's last hour */
    struct budget_uses budgets;

    /* what a reader must know */
    uint64_t hours, annual_hours, estimated_hours, other_basis_hours; /* of those with energy */
    uint64_t nodes_silent_hours;  /* node-hours in service (inventory) without any energy row */
    struct hostlist unknown_nodes; /* reported or used, of no node type */
    struct hostlist silent_nodes;  /* in service by the inventory, never heard of in the period */
    uint64_t fully_amortised_pieces;
    uint64_t backfilled_jobs, backfilled_mj; /* jobs booked by carbonctl backfill, even in part */
};

struct period_report_options {
    size_t n_top;                 /* jobs; 10 by default */
    bool so_far;                  /* for the report's header */
    void (*progress)(void *arg, unsigned percent); /* NULL: silent */
    void *arg;
};

/*
 * Read and work out everything. The basis must have the grid's hours from 13 months before to_s
 * on, and lives as long as the report. P1 to P3 are checked: -EPROTO with both sides when one does
 * not hold. -ERANGE when more GPU- or core-hours were used than available, naming pool, figures and
 * what to look at; -EINVAL from embodied_period_of(); -ENOMEM.
 */
MUST_CHECK int period_report_build(struct store *store, const struct period *period,
                                   const struct basis *basis,
                                   const struct period_report_options *options,
                                   struct period_report *ret, struct error *err);
void period_report_clear(struct period_report *report);

/* Check P1 to P3 again: 0, or -EPROTO. Every test of a report calls it. */
MUST_CHECK int period_report_check(const struct period_report *report, struct error *err);

/* Writers: append to buf; -ENOMEM. Text as the terminal has it; the others are UTF-8. */
struct period_text_style {
    bool utf8, colour;
    bool head, headings;          /* the report's head, and those of its tables */
    const char *section;          /* only this one, whole; NULL: all, each but its greatest lines */
    bool says_utc;                /* local time is another: said beside the period */
};
MUST_CHECK int period_report_text(const struct period_report *report,
                                  const struct period_text_style *style, struct buf *buf,
                                  struct error *err);
/* One section ("totals", "account", "user", "partition", "type", "state", "job", "day", "trend",
   "asset", "budget"): whole numbers, units in the names of columns, empty where unknown. CSV quotes
   and ends lines as RFC 4180 says, and puts a ' before text that a spreadsheet would take for a
   formula. */
struct period_section_style {
    const char *delimiter;
    bool csv, header, trailing;   /* trailing: a delimiter at the end of each line too */
};
MUST_CHECK int period_report_section(const struct period_report *report, const char *section,
                                     const struct period_section_style *style, struct buf *buf,
                                     struct error *err);
extern const char *const period_report_sections[]; /* ends with NULL */
MUST_CHECK int period_report_json(const struct period_report *report, struct buf *buf,
                                  struct error *err);
MUST_CHECK int period_report_html(const struct period_report *report, struct buf *buf,
                                  struct error *err);

#endif
