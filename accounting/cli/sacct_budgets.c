#include "cli/sacct_budgets.h"

#include <errno.h>

#include "core/clock.h"

int sacct_budgets_read(struct store *store, int64_t factor_set, const char *cluster,
                       const struct hostlist *accounts, int64_t to_s, struct sacct_budgets *ret,
                       struct error *err)
{
    int64_t end_s = (to_s + S_PER_HOUR - 1) / S_PER_HOUR * S_PER_HOUR;
    int rc;

    *ret = (struct sacct_budgets){ .wanted = true };
    rc = basis_load(store, factor_set, NULL, clock_year_begin_s(end_s - 1), end_s, &ret->basis,
                    err);
    if (rc == -ENODATA && factor_set == 0) {
        ret->has = true;
        return 0;
    }
    if (rc < 0 || !cluster)
        return rc;
    ret->has = true;
    return budget_uses_read(store, &ret->basis, cluster, (const char *const *)accounts->names,
                            accounts->count, end_s, &ret->uses, err);
}

void sacct_budgets_clear(struct sacct_budgets *budgets)
{
    budget_uses_clear(&budgets->uses);
    basis_clear(&budgets->basis);
    *budgets = (struct sacct_budgets){ .wanted = false };
}

int sacct_budgets_write(const struct sacct_budgets *budgets, const struct budgets_style *style,
                        struct buf *buf, struct error *err)
{
    const char *gap = buf->len > 0 ? "\n" : "";

    if (budgets->wanted && !budgets->has && budgets->basis.inventory.n_budgets > 0)
        buf_printf(buf, "%sBudgets are of one cluster: name it with -M to see them.\n", gap);
    if (budgets->uses.count == 0)
        return 0;
    buf_printf(buf, style->colour ? "%s\033[1mBudgets\033[0m\n" : "%sBudgets\n", gap);
    return budgets_text(&budgets->uses, style, buf, err);
}
