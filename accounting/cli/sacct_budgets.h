/*
 * sacct_budgets.h - what is left of the budgets that the jobs of -A count in
 */
#ifndef CARBON_CLI_SACCT_BUDGETS_H
#define CARBON_CLI_SACCT_BUDGETS_H

#include "core/error.h"
#include "core/hostlist.h"
#include "report/basis.h"
#include "report/budgets.h"

/* With a basis of its own, whose grid's hours go back to the begin of the year. */
struct sacct_budgets {
    bool wanted;   /* accounts were asked for; else all below is empty */
    bool has;      /* one cluster was asked for; else budgets cannot be told */
    struct basis basis;
    struct budget_uses uses;
};

/*
 * Of the periods that hold the second before to_s, on `cluster` (NULL: of several, which is no
 * error). A database without a factor set has no budgets. sacct_budgets_clear() ends *ret, after
 * failure too.
 */
MUST_CHECK int sacct_budgets_read(struct store *store, int64_t factor_set, const char *cluster,
                                  const struct hostlist *accounts, int64_t to_s,
                                  struct sacct_budgets *ret, struct error *err);
void sacct_budgets_clear(struct sacct_budgets *budgets);

/* After a table of jobs: a title and the table; nothing where there are none. */
MUST_CHECK int sacct_budgets_write(const struct sacct_budgets *budgets,
                                   const struct budgets_style *style, struct buf *buf,
                                   struct error *err);

#endif
