/*
 * budgets.h - what accounts have used of their budgets (inventory.conf), and what is left of them
 *
 * A budget is of an account with all below it (accounts of inventory.conf), for a calendar month or
 * year (UTC). Used is what their jobs come to, as sacct-carbon adds them up: emissions are their
 * total (operation with overhead, manufacture), energy is at the meter. Each calendar month's
 * manufacture is by the pools of that month. Nothing is enforced here.
 */
#ifndef CARBON_REPORT_BUDGETS_H
#define CARBON_REPORT_BUDGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/embodied.h"
#include "core/buf.h"
#include "core/error.h"
#include "report/json_doc.h"

struct basis;
struct store;

#define BUDGET_LABEL_SIZE 16

struct budget_use {
    const struct budget *budget; /* of the basis' inventory */
    char label[BUDGET_LABEL_SIZE]; /* "2026", "2026-10" */
    int64_t from_s, to_s, end_s; /* counted: [from_s, to_s) of the calendar's [from_s, end_s); to_s
                                    is where the books end, if that is earlier than was asked */
    bool is_known;               /* the account is of the tree, or had a job once */
    bool has_grams;              /* a zone is set */
    uint64_t energy_mj;          /* at the meter */
    uint64_t measured_mj, modelled_mj; /* of it */
    uint64_t metered_ms, elapsed_ms, gap_ms; /* coverage = metered / elapsed */
    uint64_t operational_mg;
    struct range_mg embodied;
    bool missing_embodied;       /* a part was on nodes of no known type: the sum lacks it */
    char *refusal;               /* why manufacture is unknown; NULL: it is known */
};
struct budget_uses {
    struct budget_use *uses;     /* in the order of the inventory's budgets */
    size_t count;
    bool has_books;              /* of the cluster; */
    int64_t books_from_s;        /* their first hour */
};

/*
 * Of every budget in force at to_s - 1 that jobs of one of `accounts` count in (their own and those
 * of accounts above; n_accounts 0: of every budget), and whose account the store's viewer may see,
 * what was used on the cluster from the begin of
 * its period up to to_s, a full hour. The basis must have the grid's hours from the begin of
 * to_s - 1's year on, and lives as long as the result. Of some accounts the rows of their own jobs
 * are read, of all the hours of all jobs; each month that share mode or IdlePolicy=spread needs, of
 * all jobs, as well. -ENOMEM, or the
 * database's error; budget_uses_clear() ends *ret, which is empty on failure.
 */
MUST_CHECK int budget_uses_read(struct store *store, const struct basis *basis,
                                const char *cluster, const char *const *accounts,
                                size_t n_accounts, int64_t to_s, struct budget_uses *ret,
                                struct error *err);
void budget_uses_clear(struct budget_uses *uses);
/* Does a period begin before the books do? What was used until then is in no figure. */
bool budget_uses_begin_late(const struct budget_uses *uses);

/* In the budget's own unit, milligrams or millijoules. */
uint64_t budget_amount(const struct budget *budget);
uint64_t budget_used(const struct budget_use *use); /* 0 where it is not known */
/* Is it? Emissions need a zone, and manufacture. */
bool budget_used_is_known(const struct budget_use *use);
/* May used be too low, as a part of manufacture is not known? */
bool budget_used_lacks(const struct budget_use *use);
/* Why it is not known, in words. */
const char *budget_why_unknown(const struct budget_use *use);

/* --- writers ---------------------------------------------------------------------------------- */

struct budgets_style {
    bool utf8, colour, headings;
};
/* A table of one line a budget, two blanks in front, and what must be said of it. Nothing of no
   budgets. */
MUST_CHECK int budgets_text(const struct budget_uses *uses, const struct budgets_style *style,
                            struct buf *buf, struct error *err);
/* The same in texts: "88.0 kg", "over by 1.20 kg", "unknown"; appended. */
void budget_write_amount(const struct budget_use *use, struct buf *buf);
void budget_write_used(const struct budget_use *use, struct buf *buf);
void budget_write_percent(const struct budget_use *use, struct buf *buf);
void budget_write_left(const struct budget_use *use, struct buf *buf);
/* An array of objects, docs/formats/sreport-carbon.schema.json */
json_t *budgets_json(struct json_doc *doc, const struct budget_uses *uses);

#endif
