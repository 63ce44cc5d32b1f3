/*
 * inventory.h - inventory.conf: what the cluster is made of, and what making it emitted
 *
 * Read with libconfuse from a text (the file's, or the factor set's copy):
 *
 *     node_type "gpu" {
 *         nodes = "g[001-048]"
 *         gpus = 8                    # default: as the nodes reported
 *         cores = 64
 *         core_watts = 3.5            # of an allocated core and GPU, for jobs that nobody metered
 *         gpu_watts = 280
 *         in_service = "2024-01-01"   # UTC; of every asset below that has none of its own
 *         asset "server" { class = GPU  kg = 2500 kg_low = 2500 kg_high = 2561
 *                          lifetime_years = 6  source = "…" }
 *         asset "A100" { class = GPU count = 8 factor = "GPU NVIDIA A100 SXM4 40GB"
 *                        lifetime_years = 6 }
 *     }
 *     shared "switches" { count = 12 kg = 280 … in_service = "2024-01-01" source = "…" }
 *     pue "2026" { from = "2026-01-01" to = "2027-01-01" value = 1.23 source = "…" }
 *     market "wind contract" { from = … to = … gco2e_per_kwh = 12.5 source = "…" }
 *     account "climate" { parent = "science" }
 *     budget "climate" { period = year kgco2e = 500 }
 *     budget "climate, by the month" { account = "climate" period = month kwh = 1200 … }
 *
 * An asset of a node type is one piece (or `count` of them) in each of its nodes, or in those of
 * its own `nodes`, which must be among the type's. kg is of one piece; `factor` names a row of
 * embodied_factors.csv for kg, low, high and source instead. An asset is in service as long as its
 * node type unless it says otherwise; it is retired with it at the latest. Of which pool a node's
 * assets are, carbon/embodied.h says. A period without `to` goes on. Times are UTC, a day or a full
 * hour: "2024-01-01", "2024-01-01T06:00Z". A budget is of calendar months or years (UTC), in force
 * for those that begin in [from, to); without from and to, for all.
 *
 * Every mistake is an error with file, line, field and remedy: overlapping hostlists of two types,
 * lifetime 0, low above central, a retirement before the begin of service, PUE below 1, overlapping
 * periods, an account that is its own ancestor, a factor that the table does not have, two budgets
 * of one account, period and unit for the same time. Keys are
 * matched without case, # and // begin comments; there are no includes, variables or functions.
 */
#ifndef CARBON_CARBON_INVENTORY_H
#define CARBON_CARBON_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/grid.h"
#include "core/error.h"
#include "core/hostlist.h"

enum asset_class { ASSET_GPU, ASSET_CPU, ASSET_SHARED, ASSET_CLASS_COUNT };
extern const char *const asset_class_names[]; /* "GPU", "CPU", "shared"; ends with NULL */

#define NEVER_S INT64_MAX
/* The most that all pieces may have emitted, high: 10^9 t. Sums of all of them fit an uint64_t. */
#define INVENTORY_MG_MAX UINT64_C(1000000000000000000)

struct asset {
    char name[96];
    unsigned class;              /* enum asset_class */
    struct hostlist nodes;       /* of a node type's asset, never empty; none of a shared one */
    uint32_t count;              /* pieces per node; of a shared one, in all */
    uint64_t low_mg, central_mg, high_mg; /* of one piece, made and delivered */
    uint64_t lifetime_h;         /* years x 8760, rounded to the hour */
    int64_t in_service_s, retired_s; /* NEVER_S: in service still; at full hours */
    char source[320];
    unsigned line;               /* of the file, for messages */
};

struct node_type {
    char name[64];
    struct hostlist nodes;
    uint32_t gpus, cores;        /* 0: not said, take what the nodes reported */
    uint64_t core_uw, gpu_uw;    /* mean power of an allocated one; 0: not said; for backfill */
    int64_t in_service_s, retired_s;
    struct asset *assets;
    size_t n_assets;
    unsigned line;
};

/* A node's name and the index of its type. */
struct inventory_node {
    const char *name; /* the hostlist's */
    int type;
};

struct market_period {
    int64_t from_s, to_s;
    uint64_t ug_per_kwh;
    char source[192];
};

struct account_parent {
    char account[64], parent[64];
};

/* What an account and those below it may use in each calendar month or year. */
struct budget {
    char account[64];
    bool is_yearly;              /* else monthly */
    uint64_t co2e_mg, energy_mj; /* one of the two; the other is 0 */
    int64_t from_s, to_s;        /* for periods that begin in [from_s, to_s); 0 and NEVER_S: all */
    unsigned line;
};

struct inventory {
    struct node_type *types;
    size_t n_types;
    struct inventory_node *nodes;  /* of all types, sorted by strcmp() */
    size_t n_nodes;
    struct asset *shared;
    size_t n_shared;
    struct pue_period *pues;     /* sorted */
    size_t n_pues;
    struct market_period *markets; /* sorted */
    size_t n_markets;
    struct account_parent *accounts; /* sorted by account */
    size_t n_accounts;
    struct budget *budgets; /* sorted by account, years first, from_s, emissions before energy */
    size_t n_budgets;
};

struct factor_table; /* carbon/factor_table.h */

/*
 * `name` is the file's, for messages. `table` serves `factor =`; NULL: there is none. An empty text
 * is an empty inventory. -EINVAL; -ENOMEM.
 */
MUST_CHECK int inventory_parse(const char *text, const char *name, const struct factor_table *table,
                               struct inventory *ret, struct error *err);
void inventory_clear(struct inventory *inventory);

/* Index of the type of a node, or -1; by bisection. */
int inventory_type_of(const struct inventory *inventory, const char *node);

/* The account above, or NULL: it stands at the top. By bisection. */
const char *inventory_parent_of(const struct inventory *inventory, const char *account);
/* Does an account section name it, as account or parent? */
bool inventory_has_account(const struct inventory *inventory, const char *account);
/* Is an account the other one, or anywhere below it? */
bool inventory_is_within(const struct inventory *inventory, const char *account,
                         const char *above);

/* First second of the budget's period that holds an instant, and of the period after it. */
int64_t budget_begin_s(const struct budget *budget, int64_t instant_s);
int64_t budget_next_s(const struct budget *budget, int64_t instant_s);

#endif
