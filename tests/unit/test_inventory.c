#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "carbon/factor_table.h"
#include "carbon/inventory.h"

#define DAY_S INT64_C(86400)

/* 2026-01-01, 2026-09-16 and 2027-01-01, by date -u -d … +%s */
#define S_2026 INT64_C(1767225600)
#define S_2026_09_16 INT64_C(1789516800)
#define S_2027 INT64_C(1798761600)

static const char factors_text[] =
    "component,unit,kgco2e_per_unit,low_kgco2e_per_unit,high_kgco2e_per_unit,year,source,evidence\n"
    "GPU A100,gpu,150,127.6,273.4,2025,\"paper, and formula\",paper\n"
    "HDD,drive,31.11,15,50,2021,constant,lca\n";

static struct factor_table factors;

static int make_factors(void **state)
{
    (void)state;
    return factor_table_parse(factors_text, "factors.csv", &factors, NULL);
}

static int drop_factors(void **state)
{
    (void)state;
    factor_table_clear(&factors);
    return 0;
}

static void parse(const char *text, struct inventory *inventory)
{
    struct error err = { "" };

    if (inventory_parse(text, "inventory.conf", &factors, inventory, &err) != 0)
        fail_msg("%s", err.text);
}

static void every_field_is_read(void **state)
{
    static const char text[] =
        "# a cluster\n"
        "node_type \"gpu\" {\n"
        "    nodes = \"g[001-003]\"\n"
        "    gpus = 8\n"
        "    cores = 64\n"
        "    in_service = 2026-01-01   // UTC\n"
        "    retired = \"2027-01-01T00:00Z\"\n"
        "    asset \"server\" { class = GPU kg = 2500 kg_low = 2400.5 kg_high = 2561\n"
        "                     lifetime_years = 6 source = \"somebody, # 7\" }\n"
        "    asset 'A100' { class = gpu count = 8 factor = \"gpu a100\" lifetime_years = 4.5\n"
        "                   nodes = \"g003,g001\" in_service = \"2026-09-16T05:00Z\" }\n"
        "}\n"
        "/* two\n"
        "   lines */\n"
        "Node_Type \"cpu\" { Nodes = c1 IN_SERVICE = 1970-01-01 }\n"
        "shared \"switch\" { count = 12 kg = 280 lifetime_years = 6 in_service = 2026-01-01\n"
        "                  source = IBM }\n";
    struct inventory inventory;
    const struct node_type *type;
    const struct asset *asset;

    (void)state;
    parse(text, &inventory);
    assert_int_equal(inventory.n_types, 2);
    type = &inventory.types[0];
    assert_string_equal(type->name, "gpu");
    assert_int_equal(type->line, 2);
    assert_int_equal(type->nodes.count, 3);
    assert_int_equal(type->gpus, 8);
    assert_int_equal(type->cores, 64);
    assert_int_equal(type->in_service_s, S_2026);
    assert_int_equal(type->retired_s, S_2027);
    assert_int_equal(type->n_assets, 2);
    asset = &type->assets[0];
    assert_string_equal(asset->name, "server");
    assert_int_equal(asset->class, ASSET_GPU);
    assert_int_equal(asset->line, 8);
    assert_int_equal(asset->count, 1);
    assert_int_equal(asset->nodes.count, 3);
    assert_int_equal(asset->central_mg, 2500000000);
    assert_int_equal(asset->low_mg, 2400500000);
    assert_int_equal(asset->high_mg, 2561000000);
    assert_int_equal(asset->lifetime_h, 6 * 8760);
    assert_int_equal(asset->in_service_s, S_2026);
    assert_int_equal(asset->retired_s, S_2027);
    assert_string_equal(asset->source, "somebody, # 7");
    asset = &type->assets[1];
    assert_int_equal(asset->class, ASSET_GPU);
    assert_int_equal(asset->count, 8);
    assert_int_equal(asset->nodes.count, 2);
    assert_string_equal(asset->nodes.names[0], "g003");
    assert_int_equal(asset->central_mg, 150000000);
    assert_int_equal(asset->low_mg, 127600000);
    assert_int_equal(asset->high_mg, 273400000);
    assert_string_equal(asset->source, "paper, and formula");
    assert_int_equal(asset->lifetime_h, 39420);
    assert_int_equal(asset->in_service_s, S_2026_09_16 + 5 * 3600);
    type = &inventory.types[1];
    assert_int_equal(type->gpus, 0);
    assert_int_equal(type->in_service_s, 0);
    assert_int_equal(type->retired_s, NEVER_S);
    assert_int_equal(type->n_assets, 0);
    asset = &inventory.shared[0];
    assert_int_equal(inventory.n_shared, 1);
    assert_int_equal(asset->class, ASSET_SHARED);
    assert_int_equal(asset->count, 12);
    assert_int_equal(asset->low_mg, 280000000);
    assert_int_equal(asset->high_mg, 280000000);
    assert_int_equal(asset->nodes.count, 0);
    assert_int_equal(asset->retired_s, NEVER_S);
    inventory_clear(&inventory);
}

static void periods_and_accounts_come_sorted(void **state)
{
    static const char text[] =
        "pue \"late\" { from = 2026-09-16 value = 1.2 source = s }\n"
        "pue \"early\" { from = 2026-01-01 to = 2026-09-16 value = 1.234567 source = s }\n"
        "market \"b\" { from = 2026-09-16 to = 2027-01-01 gco2e_per_kwh = 0 source = wind }\n"
        "market \"a\" { from = 2026-01-01 to = 2026-09-16 gco2e_per_kwh = 12.5 source = sun }\n"
        "account \"physics\" { parent = science }\n"
        "account \"climate\" { parent = physics }\n";
    struct inventory inventory;

    (void)state;
    parse(text, &inventory);
    assert_int_equal(inventory.n_pues, 2);
    assert_int_equal(inventory.pues[0].pue_ppm, 1234567);
    assert_int_equal(inventory.pues[0].to_s, S_2026_09_16);
    assert_int_equal(inventory.pues[1].to_s, NEVER_S);
    assert_int_equal(inventory.n_markets, 2);
    assert_int_equal(inventory.markets[0].ug_per_kwh, 12500000);
    assert_string_equal(inventory.markets[1].source, "wind");
    assert_int_equal(inventory.n_accounts, 2);
    assert_string_equal(inventory.accounts[0].account, "climate");
    assert_string_equal(inventory.accounts[0].parent, "physics");
    inventory_clear(&inventory);
}

static void budgets_come_with_their_periods(void **state)
{
    static const char text[] =
        "budget \"physics\" { period = year kgco2e = 500.25 }\n"
        "budget \"climate 2027\" { account = climate period = Year kgco2e = 450\n"
        "                         from = 2027-01-01 }\n"
        "budget \"climate\" { period = YEAR kgco2e = 0.000001 to = 2027-01-01 }\n"
        "budget \"climate kWh\" { account = climate period = month kwh = 1000000000\n"
        "                        from = \"2026-01-01T00:00Z\" }\n"
        "budget \"climate by year, kWh\" { account = climate period = year kwh = 1.5 }\n";
    struct inventory inventory;
    const struct budget *b;

    (void)state;
    parse(text, &inventory);
    b = inventory.budgets;
    assert_int_equal(inventory.n_budgets, 5);
    assert_string_equal(b[0].account, "climate");
    ROW_HOLDS(0, b[0].is_yearly && b[0].co2e_mg == 1 && b[0].energy_mj == 0);
    ROW_HOLDS(0, b[0].from_s == 0 && b[0].to_s == S_2027 && b[0].line == 4);
    ROW_HOLDS(1, b[1].is_yearly && b[1].co2e_mg == 0 && b[1].energy_mj == 5400000000);
    ROW_HOLDS(2, b[2].is_yearly && b[2].co2e_mg == 450000000);
    ROW_HOLDS(2, b[2].from_s == S_2027 && b[2].to_s == NEVER_S);
    ROW_HOLDS(3, !b[3].is_yearly && b[3].energy_mj == UINT64_C(3600000000000000000));
    ROW_HOLDS(3, b[3].from_s == S_2026);
    assert_string_equal(b[4].account, "physics");
    assert_int_equal(b[4].co2e_mg, 500250000);
    /* 2026-09-16 lies in September and in 2026 */
    assert_int_equal(budget_begin_s(&b[4], S_2026_09_16), S_2026);
    assert_int_equal(budget_next_s(&b[4], S_2026_09_16), S_2027);
    assert_int_equal(budget_begin_s(&b[3], S_2026_09_16), S_2026_09_16 - 15 * DAY_S);
    assert_int_equal(budget_next_s(&b[3], S_2026_09_16), S_2026_09_16 + 15 * DAY_S);
    assert_int_equal(budget_begin_s(&b[4], S_2027 - 1), S_2026);
    assert_int_equal(budget_begin_s(&b[4], S_2027), S_2027);
    inventory_clear(&inventory);
}

static void an_account_is_within_all_above_it(void **state)
{
    static const char text[] = "account \"climate\" { parent = science }\n"
                               "account \"ocean\" { parent = climate }\n";
    static const struct {
        const char *account, *above;
        bool is_within;
    } rows[] = {
        { "ocean", "ocean", true }, { "ocean", "climate", true }, { "ocean", "science", true },
        { "climate", "ocean", false }, { "science", "climate", false }, { "x", "x", true },
        { "x", "science", false }, { "ocean", "x", false },
    };
    struct inventory inventory;

    (void)state;
    parse(text, &inventory);
    for (size_t i = 0; i < LENGTH(rows); i++)
        ROW_HOLDS(i, inventory_is_within(&inventory, rows[i].account, rows[i].above) ==
                     rows[i].is_within);
    assert_string_equal(inventory_parent_of(&inventory, "ocean"), "climate");
    assert_null(inventory_parent_of(&inventory, "science"));
    inventory_clear(&inventory);
}

static void an_empty_file_is_an_empty_inventory(void **state)
{
    static const char *const texts[] = { "", "\n", "# nothing yet", "/* nor here */" };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct inventory inventory;

        parse(texts[i], &inventory);
        ROW_HOLDS(i, inventory.n_types == 0 && inventory.n_shared == 0);
        ROW_HOLDS(i, inventory_type_of(&inventory, "n1") == -1);
        inventory_clear(&inventory);
    }
}

static void each_of_ten_thousand_nodes_finds_its_type(void **state)
{
    static const char text[] =
        "node_type \"a\" { nodes = \"n[00001-05000]\" in_service = 2026-01-01 }\n"
        "node_type \"b\" { nodes = \"n[05001-10000],x\" in_service = 2026-01-01 }";
    struct inventory inventory;

    (void)state;
    parse(text, &inventory);
    assert_int_equal(inventory.n_nodes, 10001);
    for (unsigned i = 0; i <= 10001; i++) {
        int expected = i == 0 || i > 10000 ? -1 : i > 5000;
        char node[16];

        snprintf(node, sizeof(node), "n%05u", i);
        ROW_HOLDS(i, inventory_type_of(&inventory, node) == expected);
    }
    assert_int_equal(inventory_type_of(&inventory, "x"), 1);
    assert_int_equal(inventory_type_of(&inventory, "n1"), -1);
    assert_int_equal(inventory_type_of(&inventory, ""), -1);
    inventory_clear(&inventory);
}

/* Shorter forms for what each row does not test. */
#define T "node_type \"t\" { nodes = n1 in_service = 2026-01-01 "
#define A T "asset \"a\" { class = GPU kg = 1 lifetime_years = 6 source = s "
#define P "pue \"p\" { from = 2026-01-01 "

static const struct {
    const char *text, *message;
} mistakes[] = {
    /* the shape of the file */
    { "node_typ \"t\" { }", "1: node_typ: no such section; did you mean node_type?" },
    { "\nnode_type { }", "2: 'node_type' has no title; write a name in quotes before the '{'" },
    { "node_type \"t\"\nnodes = x",
      "2: 'node_type' has no '{' after its title; write one" },
    { "account \"a\" {\n\"\" = b }",
      "2: an empty text where a key or a section begins; take the quotes out, or write its name" },
    { "\n''", "2: an empty text where a key or a section begins; take the quotes out, or write its "
      "name" },
    { "node_type \"t\" {\n\n", "1: this '{' is not closed; close the section with '}'" },
    { T "}\n}", "2: a '}' too many; take it out, or look for the '{' that it was to close" },
    { "node_type \"t\" {\n noodles = n1 }",
      "2: node_type \"t\": noodles: no such key here; did you mean nodes?" },
    { "node_type \"t\" {\n nodes n1 }", "2: 'nodes' has no '=' after it; write key = \"value\"" },
    { "node_type \"t\" {\n nodes = n1,n2 }",
      "2: ',' is not expected here; write key = \"value\", with quotes around a value that holds "
      "blanks or commas" },
    { "node_type \"t\" {\n nodes = }",
      "2: '}' is not expected here; write key = \"value\", with quotes around a value that holds "
      "blanks or commas" },
    { "node_type \"t\" { nodes = n1\n nodes = n2 }",
      "2: nodes: stands on line 1 already; keep one of the two" },
    { T "}\n\n" T "}", "3: node_type \"t\": there is one on line 1 already; give each a name of "
                       "its own" },
    { "node_type \"t\" {\n nodes = \"n1\n }", "2: a quote is not closed; close it on the same "
                                              "line" },
    { "node_type \"t\" { nodes = \"${HOME}\" }",
      "1: backslashes and ${…} have no meaning here; write the value itself" },
    { "node_type \"t\" { nodes = ${HOME} }",
      "1: backslashes and ${…} have no meaning here; write the value itself" },
    { "node_type \"t\" { nodes = \"a\\\"b\" }",
      "1: backslashes and ${…} have no meaning here; write the value itself" },
    { "shared \"s\" { source = http://x }",
      "1: a comment begins inside a word; put the value in quotes, or a blank before the comment" },
    { "\n/* x", "2: this comment does not end; close it with */" },
    { "\n\n# \xff", "3: a byte that is no UTF-8 text; write the file in UTF-8, without control "
                    "characters" },
    { "include(\"/etc/passwd\")", "1: include: no such section; there are node_type, shared, "
                                  "pue, market, account and budget" },
    /* node types */
    { "node_type \"\" { }", "1: node_type \"\": an empty title; give it a name" },
    { "node_type \"t\" { }", "1: node_type \"t\": nodes is missing; write nodes = \"n[001-128]\"" },
    { "node_type \"t\" { nodes = n1 }",
      "1: node_type \"t\": in_service is missing; write in_service = \"2024-01-01\"" },
    { "node_type \"t\" {\n nodes = \"n[1-\" }",
      "2: node_type \"t\": nodes: \"n[1-\": a bracket without its partner" },
    { "node_type \"t\" {\n nodes = \"\" }",
      "2: node_type \"t\": nodes: an empty node name: write names between commas" },
    { "node_type \"t\" {\n nodes = \"n1, n2\" }",
      "2: node_type \"t\": nodes: \" n2\" is no name of a node; write them as Slurm does, without "
      "blanks: \"n[001-128],login1\"" },
    { "node_type \"t\" {\n nodes = \"n[1-4],n3\" in_service = 2026-01-01 }",
      "2: node_type \"t\": nodes: n3 stands in it twice; name each node once" },
    { "node_type \"a\" { nodes = \"n[1-9]\" in_service = 2026-01-01 }\n"
      "node_type \"b\" {\n nodes = \"m1,n[7-12]\" in_service = 2026-01-01 }",
      "3: node_type \"b\": nodes: n[7-9]: in node_type \"a\" (line 1) already; a node is of one "
      "type, so take it out of one of the two" },
    { T "gpus = 0 }",
      "1: node_type \"t\": gpus: \"0\": write a whole number from 1 to 1024, or leave gpus out" },
    { T "cores = -1 }",
      "1: node_type \"t\": cores: \"-1\": write a whole number from 1 to 65536, or leave cores "
      "out" },
    { "node_type \"t\" { nodes = n1 in_service = 2026-02-29 }",
      "1: node_type \"t\": in_service: \"2026-02-29\": write a day of the calendar, or a full "
      "hour, in UTC, such as \"2024-01-01\" or \"2024-01-01T06:00Z\"" },
    { "node_type \"t\" { nodes = n1 in_service = \"2026-01-01T06:30Z\" }",
      "1: node_type \"t\": in_service: \"2026-01-01T06:30Z\": write a day of the calendar, or a "
      "full hour, in UTC, such as \"2024-01-01\" or \"2024-01-01T06:00Z\"" },
    { T "\nretired = 2026-01-01 }",
      "2: node_type \"t\": retired: retired before its service began; correct one of the two "
      "days" },
    /* assets */
    { T "asset \"a\" { } }", "1: asset \"a\": class is missing; write class = GPU, CPU or shared" },
    { T "asset \"a\" { class = TPU } }",
      "1: asset \"a\": class: \"TPU\": write GPU where the nodes' use is counted in GPU-hours, CPU "
      "where in core-hours, shared where jobs do not run" },
    { T "asset \"a\" { class = GPU } }",
      "1: asset \"a\": kg is missing; write kg = 2500 (of one piece, in kg CO2e), or a factor" },
    { T "asset \"a\" { class = GPU kg = 1 } }",
      "1: asset \"a\": source is missing; write source = \"who says so, and when\"" },
    { T "asset \"a\" { class = GPU kg = 1 source = s } }",
      "1: asset \"a\": lifetime_years is missing; write lifetime_years = 6" },
    { T "asset \"a\" { class = GPU kg = 1 source = s lifetime_years = 0 } }",
      "1: asset \"a\": lifetime_years: \"0\": write the years that it will serve, such as 6 or "
      "4.5, more than 0 and at most 100" },
    { T "asset \"a\" { class = GPU kg = 1 source = s lifetime_years = 101 } }",
      "1: asset \"a\": lifetime_years: \"101\": write the years that it will serve, such as 6 or "
      "4.5, more than 0 and at most 100" },
    { T "asset \"a\" { class = GPU kg = \"2,5\" } }",
      "1: asset \"a\": kg: \"2,5\": write kilograms of CO2e of one piece, such as 2500 or 33.98, "
      "at most 10000000" },
    { T "asset \"a\" { class = GPU kg = -3 } }",
      "1: asset \"a\": kg: \"-3\": write kilograms of CO2e of one piece, such as 2500 or 33.98, at "
      "most 10000000" },
    { T "asset \"a\" { class = GPU kg = 0 } }",
      "1: asset \"a\": kg: 0; nothing is made without emissions, so write what making one piece "
      "emitted" },
    { A "kg_low = 1.1 } }",
      "1: asset \"a\": kg_low: more than kg; it is the least that it may have been" },
    { A "kg_high = 0.9 } }",
      "1: asset \"a\": kg_high: less than kg; it is the most that it may have been" },
    { A "count = 0 } }",
      "1: asset \"a\": count: \"0\": write a whole number from 1 to 1000000, or leave count out" },
    { A "factor = HDD } }",
      "1: asset \"a\": kg: the row that `factor` names gives it; leave out one of the two" },
    { T "asset \"a\" { class = GPU factor = A100 } }",
      "1: asset \"a\": factor: \"A100\" is no component of embodied_factors.csv (nearest: \"GPU "
      "A100\"); write the name as it stands there, or give kg and source" },
    { A "nodes = n2 } }",
      "1: asset \"a\": nodes: n2 is no node of node_type \"t\"; name nodes of its own type only" },
    { A "in_service = 2027-01-01 retired = 2026-06-01 } }",
      "1: asset \"a\": retired: retired before its service began; correct one of the two days" },
    { T "retired = 2027-01-01 asset \"a\" { class = GPU kg = 1 lifetime_years = 6 source = s\n"
      "retired = 2027-01-02 } }",
      "2: asset \"a\": retired: later than its node_type is retired; where it serves on in other "
      "nodes, write it there as well, with that day as its in_service" },
    { A "}\nasset \"a\" { } }",
      "2: asset \"a\": there is one on line 1 already; give each a name of its own" },
    { A "count = 1000000 }\nasset \"b\" { class = GPU kg = 10000000 lifetime_years = 6 source = s "
      "count = 1000000 } }",
      "2: asset \"b\": with it all pieces together emitted more than a thousand million tonnes; "
      "correct its kg, count or nodes" },
    { "shared \"s\" { kg = 1 lifetime_years = 6 source = s }",
      "1: shared \"s\": in_service is missing; write in_service = \"2024-01-01\"" },
    { "shared \"s\" { nodes = n1 }",
      "1: shared \"s\": nodes: no such key here; there are count, kg, kg_low, kg_high, factor, "
      "lifetime_years, in_service, retired and source" },
    /* periods */
    { "pue \"p\" { value = 1.2 }", "1: pue \"p\": from is missing; write from = \"2026-01-01\"" },
    { P "value = 0.99 source = s }",
      "1: pue \"p\": value: \"0.99\": write a PUE from 1 (what the meters count is all that the "
      "building takes) to 10, such as 1.2" },
    { P "value = 1.2 }",
      "1: pue \"p\": source is missing; write source = \"who measured it, and how\"" },
    { "budget \"b\" { }", "1: budget \"b\": period is missing; write period = year" },
    { "budget \"b\" {\nperiod = week }", "2: budget \"b\": period: \"week\": write year or month" },
    { "budget \"b\" { period = year }",
      "1: budget \"b\": kgco2e or kwh is missing; write kgco2e = 500, or kwh = 12000" },
    { "budget \"b\" { period = year kgco2e = 5\nkwh = 5 }",
      "2: budget \"b\": kwh: beside kgco2e; a budget is of one of the two, so write another one "
      "for the other, with a title of its own and account = \"b\"" },
    { "budget \"b\" { period = year kgco2e = 0 }",
      "1: budget \"b\": kgco2e: \"0\": write kilograms of CO2e, above 0 and at most 1000000000, "
      "such as 500" },
    { "budget \"b\" { period = month kwh = 1000000001 }",
      "1: budget \"b\": kwh: \"1000000001\": write kilowatt-hours, above 0 and at most "
      "1000000000, such as 500" },
    { "budget \"b\" { period = year kgco2e = 5 from = 2026-02-01 }",
      "1: budget \"b\": from: not the first day of a year; a budget is of whole ones, so write the "
      "first day of one, such as \"2027-01-01\"" },
    { "budget \"b\" { period = month kgco2e = 5\nto = \"2026-02-01T01:00Z\" }",
      "2: budget \"b\": to: not the first day of a month; a budget is of whole ones, so write the "
      "first day of one, such as \"2027-03-01\"" },
    { "budget \"b\" { period = month kgco2e = 5 from = 2026-02-01 to = 2026-02-01 }",
      "1: budget \"b\": to: not after from; the last period ends before the day that `to` names, "
      "so write a later one, or leave `to` out while it goes on" },
    { "budget \"b\" { period = month kgco2e = 5 }\n"
      "budget \"other\" { account = b period = month kgco2e = 6 from = 2026-02-01 }",
      "2: budget \"other\": account \"b\" has a monthly budget in kgco2e of that time already "
      "(line 1); keep one of the two, or end one (to) where the other begins (from)" },
    { "budget \"b\" { account = \"\" }",
      "1: budget \"b\": account: empty; write account = \"an account\"" },
    { "budget \"b\" { parent = c }",
      "1: budget \"b\": parent: no such key here; there are account, period, kgco2e, kwh, from and "
      "to" },
    { P "to = 2026-01-01 value = 1.2 source = s }",
      "1: pue \"p\": to: not after from; the period ends before the day that `to` names, so write "
      "a later one, or leave `to` out while it goes on" },
    { P "value = 1.2 source = s }\npue \"q\" {\nfrom = 2026-02-01 value = 1.1 source = s }",
      "3: pue \"q\": from: its period overlaps that of another pue section; end one where the "
      "other begins" },
    { "market \"m\" { from = 2026-01-01 gco2e_per_kwh = 2001 source = s }",
      "1: market \"m\": gco2e_per_kwh: \"2001\": write grams of CO2e per kWh of the contract, from "
      "0 to 2000, such as 12.5" },
    { "market \"m\" { from = 2026-01-01 gco2e_per_kwh = 1 source = s }\n"
      "market \"n\" { from = 2025-01-01 gco2e_per_kwh = 1 source = s }",
      "2: market \"n\": from: its period overlaps that of another market section; end one where "
      "the other begins" },
    /* accounts */
    { "account \"a\" { }",
      "1: account \"a\": parent is missing; write parent = \"the account above\"" },
    { "account \"a\" { parent = a }",
      "1: account \"a\": parent: \"a\" is below \"a\" itself; an account cannot be its own "
      "ancestor" },
    { "account \"x\" { parent = a }\naccount \"a\" { parent = b }\naccount \"b\" { parent = c }\n"
      "account \"c\" { parent = a }",
      "2: account \"a\": parent: \"b\" is below \"a\" itself; an account cannot be its own "
      "ancestor" },
};

static void every_mistake_is_told_with_line_field_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(mistakes); i++) {
        struct inventory inventory = { .n_types = 77 };
        struct error err = { "" };
        char expected[ERROR_TEXT_SIZE];
        int rc = inventory_parse(mistakes[i].text, "inventory.conf", &factors, &inventory, &err);

        snprintf(expected, sizeof(expected), "inventory.conf:%s", mistakes[i].message);
        if (rc != -EINVAL || strcmp(err.text, expected) != 0)
            fail_msg("row %zu: %s\nexpected:\n%s\nfound %d:\n%s", i, mistakes[i].text, expected, rc,
                     err.text);
        assert_int_equal(inventory.n_types, 77);
    }
}

/* An editor that crashed, a full disk: what is left of the file is read or told of, never trusted
   by half. */
static void a_file_cut_anywhere_is_an_inventory_or_an_error(void **state)
{
    static const char whole[] =
        "node_type \"t\" { nodes = \"n[1-4]\" gpus = 8 /* eight */ in_service = 2026-01-01\n"
        "  asset 'a' { class = GPU kg = 10 lifetime_years = 6 source = \"s\" } } # end\n"
        "pue \"p\" { from = 2026-01-01 value = 1.2 source = \"é\" }\n";
    size_t fine = 0;

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        struct inventory inventory;
        struct error err = { "" };
        char *text = strndup(whole, len);
        int rc;

        assert_non_null(text);
        rc = inventory_parse(text, "inventory.conf", &factors, &inventory, &err);
        free(text);
        ROW_HOLDS(len, rc == 0 || (rc == -EINVAL && strncmp(err.text, "inventory.conf:", 15) == 0));
        if (rc == 0) {
            fine++;
            inventory_clear(&inventory);
        }
    }
    assert_true(fine > 0 && fine < sizeof(whole) / 2);
}

/* --- the tables ------------------------------------------------------------------------------- */

static char *read_shipped(const char *file)
{
    char path[4096], *text = calloc(1, 1 << 20);
    FILE *stream;

    snprintf(path, sizeof(path), "%s/%s", getenv("CARBON_DATA"), file);
    stream = fopen(path, "r");
    assert_non_null(stream);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, stream) > 0);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void the_shipped_factors_are_found_without_case(void **state)
{
    char *text = read_shipped("embodied_factors.csv");
    struct factor_table table;
    struct error err = { "" };
    const struct embodied_factor *factor;

    (void)state;
    if (factor_table_parse(text, "embodied_factors.csv", &table, &err) != 0)
        fail_msg("%s", err.text);
    factor = factor_table_find(&table, "gpu nvidia a100 sxm4 40gb");
    assert_non_null(factor);
    assert_int_equal(factor->central_mg, 150000000);
    assert_int_equal(factor->low_mg, 127600000);
    assert_int_equal(factor->high_mg, 273400000);
    assert_string_equal(factor->unit, "gpu");
    factor = factor_table_find(&table, "HDD capacity-based");
    assert_non_null(factor);
    assert_int_equal(factor->low_mg, 990);
    assert_null(factor_table_find(&table, "GPU"));
    factor_table_clear(&table);
    free(text);
}

static void fifty_tonnes_are_45_60_or_77_flights(void **state)
{
    static const struct {
        uint32_t year;
        uint64_t flights;
    } cases[] = { { 2024, 45 }, { 2022, 60 }, { 2026, 77 } };
    char *text = read_shipped("equivalences.csv");
    struct equivalences all;
    struct error err = { "" };

    (void)state;
    if (equivalences_parse(text, "equivalences.csv", &all, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        uint64_t flights = 0;

        for (size_t k = 0; k < all.count; k++)
            if (strstr(all.rows[k].name, "flights") && all.rows[k].year == cases[i].year)
                flights = (UINT64_C(50000000000) + all.rows[k].mg / 2) / all.rows[k].mg;
        ROW_HOLDS(i, flights == cases[i].flights);
    }
    equivalences_clear(&all);
    free(text);
}

#define HEAD \
    "component,unit,kgco2e_per_unit,low_kgco2e_per_unit,high_kgco2e_per_unit,year,source,evidence\n"

static void a_malformed_table_names_line_and_column(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "f.csv: empty; its first line names the columns" },
        { "component,unit\n",
          "f.csv:1: the header names no column kgco2e_per_unit; a table of this kind has it" },
        { "unit,unit\n", "f.csv:1: the header names unit twice; keep one of the two" },
        { HEAD "a,b,1,1,1,2020,s\n",
          "f.csv:2: 7 fields where the header has 8; quote a field that holds a comma" },
        { HEAD "a,b,1,1,1,2020,s,e,x\n",
          "f.csv:2: 9 fields where the header has 8; quote a field that holds a comma" },
        { HEAD "\na,b,1e3,1,1,2020,s,e\n",
          "f.csv:3: kgco2e_per_unit: \"1e3\": write kilograms, such as 44.18, up to 10000000" },
        { HEAD "a,b,1,2,3,2020,s,e\n",
          "f.csv:2: low_kgco2e_per_unit: \"2\": more than kgco2e_per_unit; low is the least it may "
          "be" },
        { HEAD "a,b,3,2,1,2020,s,e\n",
          "f.csv:2: high_kgco2e_per_unit: \"1\": less than kgco2e_per_unit; high is the most it "
          "may be" },
        { HEAD "a,b,0,0,1,2020,s,e\n",
          "f.csv:2: kgco2e_per_unit: \"0\": nothing is made without emissions; write what it is" },
        { HEAD "a,b,1,1,1,20,s,e\n", "f.csv:2: year: \"20\": write a year of four digits" },
        { HEAD "a,b,1,1,1,2020,,e\n", "f.csv:2: source: \"\": write something here" },
        { HEAD "a,b,1,1,1,2020,\"s\nt\",e\n",
          "f.csv:2: source: \"s?t\": a line end or control byte; write plain text" },
        { HEAD "a,b,1,1,1,2020,s,e\nA,b,1,1,1,2020,s,e\n",
          "f.csv:3: component: \"A\": stands above already; keep one of the two" },
        { HEAD "a,\"b,1\n", "f.csv:2: " },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct factor_table table = { .count = 77 };
        struct error err = { "" };
        int rc = factor_table_parse(cases[i].text, "f.csv", &table, &err);
        size_t len = strlen(cases[i].message);

        if (rc != -EBADMSG || strncmp(err.text, cases[i].message, len) != 0)
            fail_msg("row %zu: found %d: %s", i, rc, err.text);
        assert_int_equal(table.count, 77);
    }
}

static void the_line_counts_line_ends_inside_quotes(void **state)
{
    struct factor_table table;
    struct error err = { "" };

    (void)state;
    assert_int_equal(factor_table_parse("note," HEAD "\"x\ny\",a,b,1,1,1,2020,s,e\n,c,d,?,,,,,\n",
                                        "f.csv", &table, &err), -EBADMSG);
    assert_string_equal(err.text, "f.csv:4: kgco2e_per_unit: \"?\": write kilograms, such as "
                                  "44.18, up to 10000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(periods_and_accounts_come_sorted),
        cmocka_unit_test(budgets_come_with_their_periods),
        cmocka_unit_test(an_account_is_within_all_above_it),
        cmocka_unit_test(an_empty_file_is_an_empty_inventory),
        cmocka_unit_test(each_of_ten_thousand_nodes_finds_its_type),
        cmocka_unit_test(every_mistake_is_told_with_line_field_and_remedy),
        cmocka_unit_test(a_file_cut_anywhere_is_an_inventory_or_an_error),
        cmocka_unit_test(the_shipped_factors_are_found_without_case),
        cmocka_unit_test(fifty_tonnes_are_45_60_or_77_flights),
        cmocka_unit_test(a_malformed_table_names_line_and_column),
        cmocka_unit_test(the_line_counts_line_ends_inside_quotes),
    };

    return cmocka_run_group_tests(tests, make_factors, drop_factors);
}
