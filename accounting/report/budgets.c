#include "report/budgets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/operational.h"
#include "core/clock.h"
#include "report/period_work.h"
#include "store/store.h"
#include "store/viewer.h"

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for budgets");
}

/* Additive, so that accounts and times can be summed up before anything is rounded. */
struct sums {
    uint64_t energy_mj, measured_mj, modelled_mj, metered_ms, elapsed_ms, gap_ms;
    struct operational_exact operational;
    struct range_fine embodied; /* 2^-32 mg, and the next */
    exact spread;
    bool missing_embodied;
    char *refusal;              /* why manufacture is not known */
};

/* What was before the month, and the month: a year's budget is of both. */
enum { BEFORE_MONTH, IN_MONTH, SPANS };

/* An account that a budget counts, without those below it: read once, however many budgets do. */
struct account {
    const char *name;        /* the inventory's */
    struct sums sums[SPANS];
};

struct reading {
    struct store *store;
    const struct basis *basis;
    struct basis_months *months;
    struct period period;
    int64_t month_s;         /* in the period, or its begin */
    struct budget_uses *uses;
    struct account *accounts;
    size_t n_accounts;
    struct account *current; /* the one that is read, or NULL: by the keys of jobs */
    struct key_map account_of;
    struct period_use *held; /* by the current account */
    size_t n_held;
    char who[96];            /* held it, for messages */
};

/* --- energy ----------------------------------------------------------------------------------- */

static int take_hour(void *arg, const struct period_energy *energy)
{
    struct reading *reading = arg;
    size_t at = reading->current ? 0 : key_map_find(&reading->account_of, energy->key);
    struct account *account = reading->current;
    struct grid_hour hour;
    struct sums *sums;

    if (at == SIZE_MAX)
        return 0; /* of an account without a budget, or of another cluster */
    if (!account)
        account = &reading->accounts[at];
    sums = &account->sums[energy->hour_s < reading->month_s ? BEFORE_MONTH : IN_MONTH];
    (void)grid_hour(&reading->basis->grid, energy->hour_s, &hour); /* 0 where unknown */
    operational_add(&sums->operational, energy->active_mj, energy->idle_mj, hour.pue_ppm,
                    hour.ug_per_kwh);
    sums->energy_mj += energy->active_mj + energy->idle_mj;
    sums->measured_mj += energy->measured_mj;
    sums->modelled_mj += energy->modelled_mj;
    sums->metered_ms += energy->metered_ms;
    sums->elapsed_ms += energy->elapsed_ms;
    sums->gap_ms += energy->gap_ms;
    return 0;
}

static int take_job(void *arg, int64_t job_key)
{
    struct reading *reading = arg;

    return key_map_add(&reading->account_of, job_key, reading->n_accounts - 1, NULL);
}

/* All accounts in one pass over the hours of all jobs: the sums of job_hour are fewer rows. */
static int read_all_hours(struct reading *reading, struct error *err)
{
    size_t count = reading->n_accounts;
    int rc = 0;

    for (reading->n_accounts = 0; rc == 0 && reading->n_accounts < count;) {
        const char *name = reading->accounts[reading->n_accounts++].name;

        rc = period_jobs_of_account(reading->store, reading->period.cluster, name, take_job,
                                    reading, err);
    }
    reading->n_accounts = count;
    if (rc == -ENOMEM)
        return no_memory(err);
    reading->current = NULL;
    return rc < 0 ? rc : period_job_hours(reading->store, &reading->period, take_hour, reading,
                                          err);
}

static int read_hours_by_account(struct reading *reading, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < reading->n_accounts; i++) {
        reading->current = &reading->accounts[i];
        rc = period_hours_of_account(reading->store, &reading->period, reading->current->name,
                                     take_hour, reading, err);
    }
    return rc;
}

/* --- manufacture ------------------------------------------------------------------------------ */

static int take_use(void *arg, const struct period_use *use)
{
    struct reading *reading = arg;
    size_t count = reading->n_held;

    if ((count & (count - 1)) == 0) {
        struct period_use *held = realloc(reading->held, (count ? 2 * count : 1) * sizeof(*held));

        if (!held)
            return -ENOMEM;
        reading->held = held;
    }
    reading->held[reading->n_held++] = *use;
    return 0;
}

/* A job's part of a pool grows with what it held alone, so that an account passes for one job. */
static int add_embodied(struct reading *reading, struct account *account, int span,
                        struct error *err)
{
    int64_t from_s = span == BEFORE_MONTH ? reading->period.from_s : reading->month_s;
    int64_t to_s = span == BEFORE_MONTH ? reading->month_s : reading->period.to_s;
    struct sums *sums = &account->sums[span];
    struct job_embodied embodied = { .has = false };
    struct error refusal = { "" };
    int rc = basis_job_embodied(reading->months, reading->held, reading->n_held, from_s, to_s, NULL,
                                NULL, &embodied, &refusal);

    if (rc == -ERANGE || rc == -EINVAL) {
        sums->refusal = strdup(refusal.text);
        return sums->refusal ? 0 : no_memory(err);
    }
    sums->embodied = embodied.amount;
    sums->spread = embodied.spread;
    sums->missing_embodied = embodied.missing;
    return rc < 0 ? error_set(err, rc, "%s", refusal.text) : 0;
}

static int read_embodied(struct reading *reading, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < reading->n_accounts; i++) {
        struct account *account = &reading->accounts[i];
        bool is_named = viewer_sees_account(store_viewer(reading->store), account->name);

        snprintf(reading->who, sizeof(reading->who), "jobs of %s%s",
                 is_named ? "account " : "an account below it", is_named ? account->name : "");
        reading->n_held = 0;
        rc = period_uses_of_account(reading->store, &reading->period, account->name, take_use,
                                    reading, err);
        for (int span = 0; rc == 0 && span < SPANS; span++)
            rc = add_embodied(reading, account, span, err);
    }
    return rc == -ENOMEM ? no_memory(err) : rc;
}

/* --- which budgets, and which accounts -------------------------------------------------------- */

static bool is_wanted(const struct inventory *inventory, const struct budget *budget,
                      const char *const *accounts, size_t n_accounts, int64_t begin_s)
{
    bool wanted = n_accounts == 0;

    for (size_t i = 0; !wanted && i < n_accounts; i++)
        wanted = inventory_is_within(inventory, accounts[i], budget->account);
    return wanted && budget->from_s <= begin_s && begin_s < budget->to_s;
}

static void write_label(struct budget_use *use)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(use->from_s, text);
    snprintf(use->label, sizeof(use->label), "%.*s", use->budget->is_yearly ? 4 : 7, text);
}

static void choose_budgets(struct reading *reading, const char *const *accounts, size_t n_accounts,
                           int64_t to_s)
{
    const struct inventory *inventory = &reading->basis->inventory;

    reading->month_s = reading->period.from_s = clock_month_begin_s(to_s - 1);
    for (size_t i = 0; i < inventory->n_budgets; i++) {
        const struct budget *budget = &inventory->budgets[i];
        int64_t begin_s = budget_begin_s(budget, to_s - 1);
        struct budget_use *use = &reading->uses->uses[reading->uses->count];

        if (!is_wanted(inventory, budget, accounts, n_accounts, begin_s) ||
            !viewer_sees_account(store_viewer(reading->store), budget->account))
            continue;
        *use = (struct budget_use){ .budget = budget, .from_s = begin_s, .to_s = to_s,
                                    .end_s = budget_next_s(budget, to_s - 1),
                                    .has_grams = reading->basis->grid.has_intensity };
        write_label(use);
        reading->uses->count++;
        if (begin_s < reading->period.from_s)
            reading->period.from_s = begin_s;
    }
}

static void add_account(struct reading *reading, const char *name)
{
    for (size_t i = 0; i < reading->n_accounts; i++)
        if (strcmp(reading->accounts[i].name, name) == 0)
            return;
    reading->accounts[reading->n_accounts++] = (struct account){ .name = name };
}

/* Those that have a budget, and all below them. */
static int choose_accounts(struct reading *reading, struct error *err)
{
    const struct inventory *inventory = &reading->basis->inventory;
    const struct budget_uses *uses = reading->uses;

    reading->accounts = calloc(inventory->n_accounts + uses->count + 1, sizeof(struct account));
    if (!reading->accounts)
        return no_memory(err);
    for (size_t i = 0; i < uses->count; i++) {
        const char *above = uses->uses[i].budget->account;

        add_account(reading, above);
        for (size_t k = 0; k < inventory->n_accounts; k++)
            if (inventory_is_within(inventory, inventory->accounts[k].account, above))
                add_account(reading, inventory->accounts[k].account);
    }
    return 0;
}

/* --- sums ------------------------------------------------------------------------------------- */

static void add_sums(struct sums *sum, const struct sums *part)
{
    sum->energy_mj += part->energy_mj;
    sum->measured_mj += part->measured_mj;
    sum->modelled_mj += part->modelled_mj;
    sum->metered_ms += part->metered_ms;
    sum->elapsed_ms += part->elapsed_ms;
    sum->gap_ms += part->gap_ms;
    sum->operational.active += part->operational.active;
    sum->operational.idle += part->operational.idle;
    sum->operational.overhead += part->operational.overhead;
    range_fine_add(&sum->embodied, &part->embodied);
    sum->spread += part->spread;
    sum->missing_embodied |= part->missing_embodied;
    if (!sum->refusal)
        sum->refusal = part->refusal; /* lent */
}

/* Everything is rounded once, here. */
static void take_sums(struct budget_use *use, const struct sums *sum)
{
    const struct range_fine spread = { { sum->spread } };

    use->energy_mj = sum->energy_mj;
    use->measured_mj = sum->measured_mj;
    use->modelled_mj = sum->modelled_mj;
    use->metered_ms = sum->metered_ms;
    use->elapsed_ms = sum->elapsed_ms;
    use->gap_ms = sum->gap_ms;
    use->operational_mg = exact_mg(operational_sum(&sum->operational)) + range_fine_mg(&spread).low;
    use->embodied = range_fine_mg(&sum->embodied);
    use->missing_embodied = sum->missing_embodied;
}

static int sum_budget(struct reading *reading, struct budget_use *use, struct error *err)
{
    const struct inventory *inventory = &reading->basis->inventory;
    struct sums sum = { 0 };

    for (size_t i = 0; i < reading->n_accounts; i++) {
        const struct account *account = &reading->accounts[i];

        if (!inventory_is_within(inventory, account->name, use->budget->account))
            continue;
        for (int span = use->budget->is_yearly ? BEFORE_MONTH : IN_MONTH; span < SPANS; span++)
            add_sums(&sum, &account->sums[span]);
    }
    take_sums(use, &sum);
    use->refusal = sum.refusal ? strdup(sum.refusal) : NULL;
    return sum.refusal && !use->refusal ? no_memory(err) : 0;
}

static int check_account(struct reading *reading, struct budget_use *use, struct error *err)
{
    const char *account = use->budget->account;
    int known = inventory_has_account(&reading->basis->inventory, account);

    if (!known)
        known = period_has_account(reading->store, reading->period.cluster, account, err);
    use->is_known = known > 0;
    return known < 0 ? known : 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int read_accounts(struct reading *reading, bool all, struct error *err)
{
    int rc = choose_accounts(reading, err);

    if (rc == 0)
        rc = all ? read_all_hours(reading, err) : read_hours_by_account(reading, err);
    if (rc == 0)
        rc = read_embodied(reading, err);
    for (size_t i = 0; rc == 0 && i < reading->uses->count; i++) {
        rc = sum_budget(reading, &reading->uses->uses[i], err);
        if (rc == 0)
            rc = check_account(reading, &reading->uses->uses[i], err);
    }
    return rc;
}

static void reading_clear(struct reading *reading)
{
    for (size_t i = 0; i < reading->n_accounts; i++)
        for (int span = 0; span < SPANS; span++)
            free(reading->accounts[i].sums[span].refusal);
    free(reading->accounts);
    free(reading->held);
    key_map_clear(&reading->account_of);
    basis_months_free(reading->months);
}

/* What was used before the books begin, or has not been delivered yet, is in no figure. */
static int read_bounds(struct store *store, const char *cluster, struct budget_uses *uses,
                       struct error *err)
{
    int64_t last_s;
    int rc = period_bounds(store, cluster, &uses->has_books, &uses->books_from_s, &last_s, err);

    for (size_t i = 0; rc == 0 && uses->has_books && i < uses->count; i++) {
        struct budget_use *use = &uses->uses[i];

        if (last_s + WORK_HOUR_S < use->to_s)
            use->to_s = last_s + WORK_HOUR_S > use->from_s ? last_s + WORK_HOUR_S : use->from_s;
    }
    return rc;
}

int budget_uses_read(struct store *store, const struct basis *basis, const char *cluster,
                     const char *const *accounts, size_t n_accounts, int64_t to_s,
                     struct budget_uses *ret, struct error *err)
{
    struct budget_uses uses = { .uses = calloc(basis->inventory.n_budgets + 1,
                                               sizeof(*uses.uses)) };
    struct reading reading = { .store = store, .basis = basis, .uses = &uses,
                               .period = { .cluster = cluster, .to_s = to_s },
                               .months = basis_months_new(store, basis, cluster) };
    int rc = uses.uses && reading.months ? 0 : no_memory(err);

    *ret = (struct budget_uses){ .uses = NULL };
    if (rc == 0) {
        basis_months_name(reading.months, reading.who);
        choose_budgets(&reading, accounts, n_accounts, to_s);
    }
    if (rc == 0 && uses.count > 0)
        rc = read_accounts(&reading, n_accounts == 0, err);
    if (rc == 0)
        rc = read_bounds(store, cluster, &uses, err);
    reading_clear(&reading);
    if (rc < 0)
        budget_uses_clear(&uses);
    else
        *ret = uses;
    return rc;
}

void budget_uses_clear(struct budget_uses *uses)
{
    for (size_t i = 0; i < uses->count; i++)
        free(uses->uses[i].refusal);
    free(uses->uses);
    *uses = (struct budget_uses){ .uses = NULL };
}

bool budget_uses_begin_late(const struct budget_uses *uses)
{
    for (size_t i = 0; uses->has_books && i < uses->count; i++)
        if (uses->uses[i].from_s < uses->books_from_s)
            return true;
    return false;
}

/* --- what is left ----------------------------------------------------------------------------- */

uint64_t budget_amount(const struct budget *budget)
{
    return budget->energy_mj > 0 ? budget->energy_mj : budget->co2e_mg;
}

bool budget_used_is_known(const struct budget_use *use)
{
    return use->budget->energy_mj > 0 || (use->has_grams && !use->refusal);
}

uint64_t budget_used(const struct budget_use *use)
{
    if (!budget_used_is_known(use))
        return 0;
    return use->budget->energy_mj > 0 ? use->energy_mj
                                      : use->operational_mg + use->embodied.central;
}

bool budget_used_lacks(const struct budget_use *use)
{
    return use->budget->energy_mj == 0 && use->missing_embodied;
}

const char *budget_why_unknown(const struct budget_use *use)
{
    return !use->has_grams ? "no zone is set" : use->refusal ? use->refusal : "";
}
