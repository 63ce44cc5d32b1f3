#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/carbonctl.h"
#include "cli/table.h"
#include "report/json_doc.h"
#include "store/audit.h"

#define FINDINGS_SHOWN 20 /* of each rule, without --verbose */
#define MJ_PER_J 1000

/* What one run of the audit gathers; both forms of output are made from it. */
struct gathered {
    bool verbose;
    unsigned findings, failures;
    char advice[320];    /* the remedy that was printed last */
    bool has_advice;     /* a finding has a remedy that was not printed */
    int64_t given_up_mj; /* written off: in no row, and no failure */
    struct shown {
        const char *rule;
        unsigned count;
    } shown[8];
    struct table *table;
    struct json_doc doc;
    json_t *balances, *list; /* of --json; else NULL */
    bool failed;             /* out of memory */
};

/* "1234.567": whole millijoules, so that whoever adds the columns up comes to the same. */
static void format_j(int64_t mj, char *text, size_t size)
{
    uint64_t positive_mj = mj < 0 ? -(uint64_t)mj : (uint64_t)mj;

    snprintf(text, size, "%s%" PRIu64 ".%03" PRIu64, mj < 0 ? "-" : "", positive_mj / MJ_PER_J,
             positive_mj % MJ_PER_J);
}

static void add_row(struct gathered *g, const struct audit_balance *b)
{
    const int64_t amounts_mj[] = { b->counted_mj,   b->active_mj, b->idle_mj,
                                   b->remainder_mj, b->system_mj, b->unallocated_mj };
    char month[16], joules[6][32], difference[32];
    const char *texts[10] = { b->cluster, b->node, month };

    snprintf(month, sizeof(month), "%04u-%02u", b->year, b->month);
    for (size_t i = 0; i < 6; i++) {
        format_j(amounts_mj[i], joules[i], sizeof(joules[i]));
        texts[3 + i] = joules[i];
    }
    snprintf(difference, sizeof(difference), "%" PRId64, b->difference_mj);
    texts[9] = difference;
    if (!table_add(g->table, texts))
        g->failed = true;
}

static void take_balance(void *arg, const struct audit_balance *b)
{
    const struct {
        const char *key;
        int64_t mj;
    } amounts[] = {
        { "counted_mj", b->counted_mj },     { "jobs_active_mj", b->active_mj },
        { "jobs_idle_mj", b->idle_mj },      { "remainder_mj", b->remainder_mj },
        { "system_mj", b->system_mj },       { "unallocated_mj", b->unallocated_mj },
        { "difference_mj", b->difference_mj },
    };
    struct gathered *g = arg;
    char month[16];
    json_t *item;

    if (!g->balances) {
        add_row(g, b);
        return;
    }
    snprintf(month, sizeof(month), "%04u-%02u", b->year, b->month);
    item = json_object();
    json_put_text(&g->doc, item, "cluster", b->cluster);
    json_put_text(&g->doc, item, "node", b->node);
    json_put_text(&g->doc, item, "month", month);
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        json_put(&g->doc, item, amounts[i].key, json_integer(amounts[i].mj));
    json_add(&g->doc, g->balances, item);
}

/* How many findings of this rule there were before. */
static unsigned count_rule(struct gathered *g, const char *rule)
{
    for (size_t i = 0; i < sizeof(g->shown) / sizeof(g->shown[0]); i++) {
        if (!g->shown[i].rule)
            g->shown[i].rule = rule;
        if (strcmp(g->shown[i].rule, rule) == 0)
            return g->shown[i].count++;
    }
    return 0;
}

/* A remedy that is that of the finding before is not said again. */
static void print_finding(struct gathered *g, const struct audit_finding *finding)
{
    plainf("%s %s: %s\n", finding->rule, finding->fails ? "fails" : "notes", finding->text);
    if (g->verbose && finding->batches[0])
        plainf("    batches of that hour: %s\n", finding->batches);
    if (g->verbose && finding->remedy[0] && strcmp(finding->remedy, g->advice) != 0) {
        plainf("    what to do: %s\n", finding->remedy);
        snprintf(g->advice, sizeof(g->advice), "%s", finding->remedy);
    }
}

static void take_finding(void *arg, const struct audit_finding *finding)
{
    struct gathered *g = arg;
    unsigned before = count_rule(g, finding->rule);
    json_t *item;

    g->findings++;
    g->failures += finding->fails;
    g->given_up_mj += finding->fails ? 0 : finding->missing_mj;
    g->has_advice |= finding->remedy[0] != '\0';
    if (!g->list) {
        if (g->verbose || before < FINDINGS_SHOWN)
            print_finding(g, finding);
        else if (before == FINDINGS_SHOWN)
            plainf("%s: more of these; --verbose prints all\n", finding->rule);
        return;
    }
    item = json_object();
    json_put_text(&g->doc, item, "rule", finding->rule);
    json_put(&g->doc, item, "fails", json_boolean(finding->fails));
    json_put(&g->doc, item, "missing_mj", json_integer(finding->missing_mj));
    json_put_text(&g->doc, item, "text", finding->text);
    json_put_text(&g->doc, item, "batches", finding->batches);
    json_put_text(&g->doc, item, "remedy", finding->remedy);
    json_add(&g->doc, g->list, item);
}

static void print_verdict(const struct gathered *g)
{
    char given_up[32];

    if (table_is_empty(g->table))
        plainf("the books are empty\n");
    else
        table_print(g->table);
    if (g->given_up_mj) {
        format_j(g->given_up_mj, given_up, sizeof(given_up));
        plainf("given up, and so in no figure: %s J\n", given_up);
    }
    if (g->failures)
        plainf("the books do not balance: %u of %u findings are failures%s\n", g->failures,
               g->findings, g->has_advice && !g->verbose ? "; --verbose says what to do about each"
                                                         : "");
    else
        plainf("the books balance%s\n", g->given_up_mj ? ", but for that" : "");
}

static int print_json(struct gathered *g)
{
    json_t *all = json_object();
    struct buf buf;

    json_put(&g->doc, all, "balanced", json_boolean(g->failures == 0));
    json_put_integer(&g->doc, all, "failures", g->failures);
    json_put(&g->doc, all, "given_up_mj", json_integer(g->given_up_mj));
    json_put(&g->doc, all, "balances", json_incref(g->balances));
    json_put(&g->doc, all, "findings", json_incref(g->list));
    buf_init(&buf);
    json_doc_write(&g->doc, all, &buf);
    if (!buf_failed(&buf) && !g->doc.failed)
        fwrite(buf.data, 1, buf.len, stdout);
    g->failed |= buf_failed(&buf) || g->doc.failed;
    buf_free(&buf);
    return g->failed ? -1 : 0;
}

static int run_audit(const struct conf *conf, struct gathered *g)
{
    const struct audit_sink sink = { g, take_balance, take_finding };
    struct error err = { "" };
    struct store *store;
    int rc = store_open(conf->database, STORE_READ, NULL, &store, &err);

    if (rc == 0) {
        rc = store_audit(store, g->verbose, &sink, &err);
        store_close(store);
    }
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    if (g->balances)
        g->failed |= print_json(g) < 0;
    else
        print_verdict(g);
    if (g->failed)
        complain("audit: out of memory");
    return g->failures || g->failed ? EXIT_ERROR : EXIT_FINE;
}

static int gather(const struct conf *conf, bool verbose, bool json)
{
    static const struct table_column columns[] = {
        { "CLUSTER", false },     { "NODE", false },         { "MONTH", false },
        { "COUNTED J", true },    { "JOBS ACTIVE J", true }, { "JOBS IDLE J", true },
        { "REMAINDER J", true },  { "SYSTEM J", true },      { "UNALLOCATED J", true },
        { "DIFFERENCE mJ", true }, { NULL, false },
    };
    struct gathered g = { .verbose = verbose, .table = table_new(columns) };
    int status = EXIT_ERROR;

    if (json) {
        g.balances = json_array();
        g.list = json_array();
    }
    if (!g.table || (json && (!g.balances || !g.list)))
        complain("audit: out of memory");
    else
        status = run_audit(conf, &g);
    table_free(g.table);
    json_decref(g.balances);
    json_decref(g.list);
    return status;
}

static int audit_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "verbose", no_argument, NULL, 'v' },
        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    bool verbose = false, json = false;
    struct conf conf;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'v' && option != 'j')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        verbose |= option == 'v';
        json |= option == 'j';
    }
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    return gather(&conf, verbose, json);
}

const struct command command_audit = {
    .name = "audit",
    .usage = "[--verbose] [--json] [OPTIONS]",
    .summary = "check that every joule counted is in the books exactly once",
    .help = "  --verbose          check the database file as well, print every finding, the\n"
            "                     batches of its hour, and what to do about it\n"
            "  --json             print JSON; amounts in millijoules\n",
    .exec = audit_exec,
};
