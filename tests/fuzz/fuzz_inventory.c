/* inventory.h (and conf_sections.h below it): what is taken keeps what the header says of it. */
#include <stdlib.h>
#include <string.h>

#include "carbon/factor_table.h"
#include "carbon/inventory.h"
#include "fuzz.h"

static const char factors_csv[] =
    "component,unit,kgco2e_per_unit,low_kgco2e_per_unit,high_kgco2e_per_unit,year,source,evidence\n"
    "GPU NVIDIA A100,gpu,150,120,180.5,2023,somebody,published\n"
    "HDD,disk,31.1,31.1,31.1,2021,somebody,published\n";

static const struct factor_table *factors(void)
{
    static struct factor_table table;
    struct error err = { "" };

    if (table.count == 0)
        PROMISE(factor_table_parse(factors_csv, "factors", &table, &err) == 0);
    return &table;
}

static void check_asset(const struct asset *asset)
{
    PROMISE(asset->name[0] != '\0' && asset->source[0] != '\0');
    PROMISE(asset->class < ASSET_CLASS_COUNT && asset->count > 0 && asset->lifetime_h > 0);
    PROMISE(asset->central_mg > 0 && asset->low_mg <= asset->central_mg &&
            asset->central_mg <= asset->high_mg);
    PROMISE(asset->in_service_s < asset->retired_s && asset->line > 0);
    PROMISE(asset->in_service_s % 3600 == 0);
    PROMISE(asset->retired_s == NEVER_S || asset->retired_s % 3600 == 0);
}

static void check_types(const struct inventory *inventory)
{
    size_t nodes = 0;

    for (size_t i = 0; i < inventory->n_types; i++) {
        const struct node_type *type = &inventory->types[i];

        PROMISE(type->nodes.count > 0 && type->line > 0);
        nodes += type->nodes.count;
        for (size_t k = 0; k < type->nodes.count; k++)
            PROMISE(inventory_type_of(inventory, type->nodes.names[k]) == (int)i);
        for (size_t k = 0; k < type->n_assets; k++) {
            check_asset(&type->assets[k]);
            PROMISE(type->assets[k].nodes.count > 0);
            for (size_t n = 0; n < type->assets[k].nodes.count; n++)
                PROMISE(inventory_type_of(inventory, type->assets[k].nodes.names[n]) == (int)i);
        }
    }
    PROMISE(nodes == inventory->n_nodes);
    for (size_t i = 1; i < inventory->n_nodes; i++)
        PROMISE(strcmp(inventory->nodes[i - 1].name, inventory->nodes[i].name) < 0);
    PROMISE(inventory_type_of(inventory, " none") == -1);
}

static void check_periods(const struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n_pues; i++) {
        const struct pue_period *period = &inventory->pues[i];

        PROMISE(period->from_s < period->to_s && period->pue_ppm >= 1000000);
        PROMISE(i == 0 || period[-1].to_s <= period->from_s);
    }
    for (size_t i = 0; i < inventory->n_markets; i++) {
        const struct market_period *period = &inventory->markets[i];

        PROMISE(period->from_s < period->to_s);
        PROMISE(i == 0 || period[-1].to_s <= period->from_s);
    }
}

static const char *parent_of(const struct inventory *inventory, const char *account)
{
    for (size_t i = 0; i < inventory->n_accounts; i++)
        if (strcmp(inventory->accounts[i].account, account) == 0)
            return inventory->accounts[i].parent;
    return NULL;
}

/* The way up from every account ends. */
static void check_accounts(const struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n_accounts; i++) {
        const char *account = inventory->accounts[i].account;
        size_t steps = 0;

        PROMISE(i == 0 || strcmp(inventory->accounts[i - 1].account, account) < 0);
        while ((account = parent_of(inventory, account)))
            PROMISE(steps++ <= inventory->n_accounts);
    }
}

/* Each has one unit and whole periods, and no other of its kind at the same time. */
static void check_budgets(const struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n_budgets; i++) {
        const struct budget *budget = &inventory->budgets[i];

        PROMISE(budget->account[0] != '\0' && budget->from_s < budget->to_s);
        PROMISE((budget->co2e_mg > 0) != (budget->energy_mj > 0));
        PROMISE(budget_begin_s(budget, budget->from_s) == budget->from_s);
        for (size_t j = 0; j < i; j++) {
            const struct budget *other = &inventory->budgets[j];

            PROMISE(strcmp(other->account, budget->account) != 0 ||
                    other->is_yearly != budget->is_yearly ||
                    (other->co2e_mg > 0) != (budget->co2e_mg > 0) ||
                    other->to_s <= budget->from_s || budget->to_s <= other->from_s);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct inventory inventory = { 0 };
    struct error err = { "" };
    int rc = inventory_parse(text, "inventory.conf", factors(), &inventory, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(strncmp(err.text, "inventory.conf:", 15) == 0);
    } else {
        check_types(&inventory);
        check_periods(&inventory);
        check_accounts(&inventory);
        check_budgets(&inventory);
        for (size_t i = 0; i < inventory.n_shared; i++)
            check_asset(&inventory.shared[i]);
    }
    inventory_clear(&inventory);
    free(text);
    return 0;
}
