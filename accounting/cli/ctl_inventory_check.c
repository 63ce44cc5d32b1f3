/*
 * carbonctl inventory check: one pass over the nodes that ever reported, one over the inventory;
 * each thing found is a finding, gathered over the nodes that it is true of.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/inventory.h"
#include "cli/ctl_inventory.h"
#include "cli/plainf.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/hostlist.h"
#include "store/period.h"
#include "store/store.h"

#define TEXT_SIZE 320
#define DAY_LENGTH 10 /* of "2026-11-23" */

/* A node that reported. */
struct reported {
    char *name;
    int type; /* of the inventory, or -1 */
    uint32_t packages; /* 0: it never did, but jobs were backfilled on it */
    uint32_t gpus, cores;
};

/* What was found, and of which nodes. */
struct finding {
    const char *rule;
    bool missing;    /* figures are missing or wrong without it: exit status 1 */
    int type;        /* index of a node type, or -1 */
    const struct asset *asset; /* NULL: of none */
    const struct budget *budget; /* the same */
    uint32_t gpus, cores;      /* reported, where the rule is about them */
    const char **nodes;        /* names belong to the inventory or to `reported` */
    size_t n_nodes;
};

struct check {
    const struct conf *conf;
    struct inventory inventory;
    struct reported *reported;
    size_t n_reported;
    bool has_database;
    struct finding *findings;
    size_t n_findings;
    int64_t now_s;
    bool failed; /* out of memory */
};

static void *grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

/* --- findings --------------------------------------------------------------------------------- */

/* The finding of this rule and these circumstances, new or old; NULL without memory. */
static struct finding *finding_of(struct check *check, const struct finding *like)
{
    struct finding *findings;

    for (size_t i = check->n_findings; i > 0; i--) {
        struct finding *f = &check->findings[i - 1];

        if (f->rule == like->rule && f->type == like->type && f->asset == like->asset &&
            f->budget == like->budget && f->gpus == like->gpus && f->cores == like->cores)
            return f;
    }
    findings = grow(check->findings, check->n_findings, sizeof(*findings));
    if (!findings) {
        check->failed = true;
        return NULL;
    }
    check->findings = findings;
    findings[check->n_findings] = *like;
    return &findings[check->n_findings++];
}

static void find(struct check *check, const struct finding *like, const char *node)
{
    struct finding *finding = finding_of(check, like);
    const char **nodes;

    if (!finding || !node)
        return;
    nodes = grow(finding->nodes, finding->n_nodes, sizeof(*nodes));
    if (!nodes) {
        check->failed = true;
        return;
    }
    finding->nodes = nodes;
    finding->nodes[finding->n_nodes++] = node;
}

/* --- the rules -------------------------------------------------------------------------------- */

static const char unknown_node[] = "unknown_node", gpus_differ[] = "gpus_differ",
                  cores_differ[] = "cores_differ", gpus_unseen[] = "gpus_unseen",
                  gpus_unknown[] = "gpus_unknown", no_assets[] = "no_assets",
                  no_gpu_asset[] = "no_gpu_asset", never_reported[] = "never_reported",
                  amortised[] = "fully_amortised", unknown_account[] = "unknown_account";

static bool has_class(const struct node_type *type, enum asset_class class)
{
    for (size_t i = 0; i < type->n_assets; i++)
        if (type->assets[i].class == class)
            return true;
    return false;
}

static bool is_in_service(const struct check *check, int64_t begin_s, int64_t end_s)
{
    return begin_s <= check->now_s && check->now_s < end_s;
}

static void check_counts(struct check *check, const struct reported *node)
{
    const struct node_type *type = &check->inventory.types[node->type];
    struct finding like = { .type = node->type, .gpus = node->gpus, .cores = node->cores };
    bool gpu_asset = has_class(type, ASSET_GPU);

    like.cores = 0;
    like.missing = true;
    like.rule = gpus_differ;
    if (type->gpus && node->gpus && type->gpus != node->gpus)
        find(check, &like, node->name);
    like.rule = gpus_unknown;
    if (gpu_asset && !type->gpus && !node->gpus)
        find(check, &like, node->name);
    like.rule = no_gpu_asset;
    if (node->gpus && !type->gpus && !gpu_asset && has_class(type, ASSET_CPU))
        find(check, &like, node->name);
    like.missing = false;
    like.rule = gpus_unseen;
    if (type->gpus && !node->gpus && node->packages)
        find(check, &like, node->name);
    like.missing = true;
    like.gpus = 0;
    like.cores = node->cores;
    like.rule = cores_differ;
    if (type->cores && node->cores && type->cores != node->cores)
        find(check, &like, node->name);
}

static void check_reported(struct check *check)
{
    for (size_t i = 0; i < check->n_reported; i++) {
        const struct reported *node = &check->reported[i];
        const struct finding unknown = { .rule = unknown_node, .missing = true, .type = -1,
                                         .gpus = node->gpus, .cores = node->cores };

        if (node->type < 0)
            find(check, &unknown, node->name);
        else
            check_counts(check, node);
    }
}

static int compare_reported(const void *a, const void *b)
{
    return strcmp(((const struct reported *)a)->name, ((const struct reported *)b)->name);
}

static void check_asset(struct check *check, int type, const struct asset *asset)
{
    const struct finding like = { .rule = amortised, .type = type, .asset = asset };
    int64_t end_s = asset->in_service_s + (int64_t)asset->lifetime_h * 3600;

    if (is_in_service(check, asset->in_service_s, asset->retired_s) && end_s <= check->now_s)
        find(check, &like, NULL);
}

static void check_type(struct check *check, int index)
{
    const struct node_type *type = &check->inventory.types[index];
    const struct finding silent = { .rule = never_reported, .type = index };
    const struct finding bare = { .rule = no_assets, .missing = true, .type = index };
    const struct finding no_gpu = { .rule = no_gpu_asset, .missing = true, .type = index };

    if (type->n_assets == 0)
        find(check, &bare, NULL);
    if (type->gpus && has_class(type, ASSET_CPU) && !has_class(type, ASSET_GPU))
        find(check, &no_gpu, NULL);
    for (size_t i = 0; i < type->n_assets; i++)
        check_asset(check, index, &type->assets[i]);
    if (!check->has_database || !is_in_service(check, type->in_service_s, type->retired_s))
        return;
    for (size_t i = 0; i < type->nodes.count; i++) {
        const struct reported key = { .name = type->nodes.names[i] };

        if (check->n_reported == 0 || !bsearch(&key, check->reported, check->n_reported,
                                               sizeof(key), compare_reported))
            find(check, &silent, type->nodes.names[i]);
    }
}

static void check_all(struct check *check)
{
    check_reported(check);
    for (size_t i = 0; i < check->inventory.n_types; i++)
        check_type(check, (int)i);
    for (size_t i = 0; i < check->inventory.n_shared; i++)
        check_asset(check, -1, &check->inventory.shared[i]);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int take_node(void *arg, const struct period_node *node)
{
    struct check *check = arg;
    struct reported *all = grow(check->reported, check->n_reported, sizeof(*all));

    if (!all)
        return -ENOMEM;
    check->reported = all;
    all += check->n_reported;
    *all = (struct reported){ .name = strdup(node->name), .packages = node->packages,
                               .gpus = node->gpus,
                              .cores = node->cores,
                              .type = inventory_type_of(&check->inventory, node->name) };
    if (!all->name)
        return -ENOMEM;
    check->n_reported++;
    return 0;
}

/* A misspelled account would have a budget for ever, and use nothing of it. */
static int check_budgets(struct check *check, struct store *store, struct error *err)
{
    const struct inventory *inventory = &check->inventory;
    int known = 0;

    for (size_t i = 0; known >= 0 && i < inventory->n_budgets; i++) {
        const struct budget *budget = &inventory->budgets[i];
        const struct finding like = { .rule = unknown_account, .type = -1, .budget = budget };

        if (inventory_has_account(inventory, budget->account))
            continue;
        known = period_has_account(store, check->conf->cluster_name, budget->account, err);
        if (known == 0)
            find(check, &like, NULL);
    }
    return known < 0 ? known : 0;
}

/* Without a database there is still the file to check. */
static int read_nodes(struct check *check, struct error *err)
{
    struct store *store;
    int rc = store_open(check->conf->database, STORE_READ, NULL, &store, err);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    check->has_database = true;
    rc = period_nodes(store, check->conf->cluster_name, take_node, check, err);
    if (rc == 0)
        rc = check_budgets(check, store, err);
    store_close(store);
    if (check->n_reported > 0)
        qsort(check->reported, check->n_reported, sizeof(*check->reported), compare_reported);
    return rc;
}

static int read_inventory(struct check *check, struct error *err)
{
    struct factor_table table;
    char *text;
    int rc = load_embodied_factors(&table, err);

    if (rc < 0)
        return rc;
    rc = load_text(check->conf->inventory, &text, err);
    if (rc == -ENOENT)
        error_set(err, rc, "there is no %s; `carbonctl inventory discover`, run on one node of "
                  "each kind, writes what to put there", check->conf->inventory);
    if (rc == 0) {
        rc = inventory_parse(text, check->conf->inventory, &table, &check->inventory, err);
        free(text);
    }
    factor_table_clear(&table);
    return rc;
}

/* --- what is said of a finding ---------------------------------------------------------------- */

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void describe_type(const struct check *check, const struct finding *f, char *text)
{
    const struct node_type *type = &check->inventory.types[f->type];

    if (f->rule == gpus_differ)
        snprintf(text, TEXT_SIZE, "reported %" PRIu32 " GPU%s, node_type \"%s\" (line %u) says "
                 "%" PRIu32 "; correct gpus there, or move them to a type of their own", f->gpus,
                 plural(f->gpus), type->name, type->line, type->gpus);
    else if (f->rule == cores_differ)
        snprintf(text, TEXT_SIZE, "reported %" PRIu32 " core%s, node_type \"%s\" (line %u) says "
                 "%" PRIu32 "; correct cores there, or move them to a type of their own", f->cores,
                 plural(f->cores), type->name, type->line, type->cores);
    else if (f->rule == gpus_unknown)
        snprintf(text, TEXT_SIZE, "reported no GPUs, and node_type \"%s\" (line %u) has assets of "
                 "class GPU; say there how many there are: gpus = …", type->name, type->line);
    else if (f->rule == gpus_unseen)
        snprintf(text, TEXT_SIZE, "reported no GPUs, node_type \"%s\" (line %u) says %" PRIu32
                 "; that figure counts", type->name, type->line, type->gpus);
    else if (f->rule == no_gpu_asset)
        snprintf(text, TEXT_SIZE, "node_type \"%s\" (line %u) has GPUs but no asset of class GPU; "
                 "give its assets class = GPU, and the GPUs one of their own", type->name,
                 type->line);
    else if (f->rule == no_assets)
        snprintf(text, TEXT_SIZE, "node_type \"%s\" (line %u) has no assets: its jobs lack "
                 "embodied emissions; `carbonctl inventory discover` writes them", type->name,
                 type->line);
    else
        snprintf(text, TEXT_SIZE, "of node_type \"%s\" (line %u) and in service, but never "
                 "reported; start carbon-meterd there, or correct nodes", type->name, type->line);
}

static void describe(const struct check *check, const struct finding *f, char *text)
{
    char day[CLOCK_TEXT_SIZE];

    if (f->budget) {
        snprintf(text, TEXT_SIZE, "budget of account \"%s\" (line %u): no job had this account "
                 "yet, and no account section names it; is it spelled as in Slurm?",
                 f->budget->account, f->budget->line);
    } else if (f->asset) {
        clock_format_utc(f->asset->in_service_s + (int64_t)f->asset->lifetime_h * 3600, day);
        snprintf(text, TEXT_SIZE, "asset \"%s\" (line %u) is fully amortised since %.*s: it adds "
                 "nothing to jobs any more", f->asset->name, f->asset->line, DAY_LENGTH, day);
    } else if (f->rule == unknown_node) {
        snprintf(text, TEXT_SIZE, "%" PRIu32 " GPU%s and %" PRIu32 " core%s each, reported but are "
                 "of no node_type; add them to nodes of one", f->gpus, plural(f->gpus), f->cores,
                 plural(f->cores));
    } else {
        describe_type(check, f, text);
    }
}

/* --- printing --------------------------------------------------------------------------------- */

static size_t count_missing(const struct check *check)
{
    size_t missing = 0;

    for (size_t i = 0; i < check->n_findings; i++)
        missing += check->findings[i].missing;
    return missing;
}

static void print_summary(const struct check *check)
{
    const struct inventory *inventory = &check->inventory;

    plainf("%s: %zu node type%s with %zu nodes, %zu shared asset%s\n", check->conf->inventory,
           inventory->n_types, plural((uint32_t)inventory->n_types), inventory->n_nodes,
           inventory->n_shared, plural((uint32_t)inventory->n_shared));
    if (check->has_database)
        plainf("%s: %zu nodes of cluster %s ever reported\n", check->conf->database,
               check->n_reported, check->conf->cluster_name);
    else
        plainf("%s: not on this machine; only the file was checked\n", check->conf->database);
}

static bool print_finding(const struct check *check, struct finding *f)
{
    char text[TEXT_SIZE];
    struct buf nodes;
    bool failed;

    buf_init(&nodes);
    hostlist_fold(f->nodes, f->n_nodes, &nodes);
    describe(check, f, text);
    plainf("%s: ", f->missing ? "missing" : "note");
    if (f->n_nodes > 0)
        plainf("%s%s", nodes.data, f->rule == unknown_node ? ", with " : ": ");
    plainf("%s\n", text);
    failed = buf_failed(&nodes);
    buf_free(&nodes);
    return !failed;
}

static bool print_text(const struct check *check)
{
    size_t missing = count_missing(check);
    bool fine = true;

    print_summary(check);
    for (size_t i = 0; i < check->n_findings; i++)
        fine &= print_finding(check, &check->findings[i]);
    if (missing > 0)
        plainf("the inventory is not complete: %zu of %zu findings are something missing\n",
               missing, check->n_findings);
    else
        plainf("the inventory is complete\n");
    return fine;
}

static json_t *json_of_finding(const struct check *check, struct finding *f)
{
    char text[TEXT_SIZE];
    struct buf nodes;
    json_t *item;

    buf_init(&nodes);
    hostlist_fold(f->nodes, f->n_nodes, &nodes);
    describe(check, f, text);
    item = json_pack("{s:s, s:b, s:s?, s:s?, s:s?, s:s}", "rule", f->rule, "missing", f->missing,
                     "node_type", f->type < 0 ? NULL : check->inventory.types[f->type].name,
                     "asset", f->asset ? f->asset->name : NULL,
                     "nodes", f->n_nodes ? nodes.data : NULL, "text", text);
    buf_free(&nodes);
    return item;
}

static bool print_json(const struct check *check)
{
    json_t *list = json_array(), *all;
    bool fine = list != NULL;

    for (size_t i = 0; fine && i < check->n_findings; i++)
        fine = json_array_append_new(list, json_of_finding(check, &check->findings[i])) == 0;
    all = json_pack("{s:b, s:s, s:i, s:i, s:b, s:i, s:o}", "complete", count_missing(check) == 0,
                    "file", check->conf->inventory, "node_types", (int)check->inventory.n_types,
                    "nodes", (int)check->inventory.n_nodes, "database_read", check->has_database,
                    "nodes_reported", (int)check->n_reported, "findings", list);
    fine = fine && all && json_dumpf(all, stdout, JSON_INDENT(2)) == 0;
    putchar('\n');
    json_decref(all);
    return fine;
}

/* --- the command ------------------------------------------------------------------------------ */

static void clear(struct check *check)
{
    for (size_t i = 0; i < check->n_findings; i++)
        free(check->findings[i].nodes);
    for (size_t i = 0; i < check->n_reported; i++)
        free(check->reported[i].name);
    free(check->findings);
    free(check->reported);
    inventory_clear(&check->inventory);
}

static int run_check(const struct conf *conf, bool json)
{
    struct check check = { .conf = conf, .now_s = clock_wall_ns() / (int64_t)NS_PER_S };
    struct error err = { "" };
    int status = EXIT_ERROR;

    if (read_inventory(&check, &err) < 0 || read_nodes(&check, &err) < 0) {
        complain("inventory check: %s", err.text);
    } else {
        check_all(&check);
        if (check.failed || !(json ? print_json(&check) : print_text(&check)))
            complain("inventory check: out of memory");
        else
            status = count_missing(&check) ? EXIT_ERROR : EXIT_FINE;
    }
    clear(&check);
    return status;
}

static int check_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };

    return run_with_flag(command, argc, argv, options, run_check);
}

const struct command command_inventory_check = {
    .name = "inventory check",
    .usage = "[--json] [OPTIONS]",
    .summary = "compare inventory.conf with the nodes that reported",
    .help = "  --json             print JSON\n"
            "\n"
            "Exit status 1 when the file has a mistake or something in it is missing: a node that\n"
            "reported and is of no type, a number of GPUs or cores that differs, a type without\n"
            "assets, GPUs without an asset of class GPU. What is worth knowing (nodes that never\n"
            "reported, assets that are fully amortised, budgets of accounts that no job had) is a\n"
            "note, and the status 0.\n\n",
    .exec = check_exec,
};
