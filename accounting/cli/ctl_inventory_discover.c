#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl_inventory.h"
#include "cli/discover.h"
#include "core/buf.h"
#include "core/clock.h"

#define MG_PER_G UINT64_C(1000)
#define MG_PER_KG UINT64_C(1000000)
#define LIFETIME_YEARS 6 /* of the BLOOM study (Luccioni 2022); the file says to check it */
#define DAY_LENGTH 10    /* of "2026-11-23" */

struct found {
    const char *node; /* its name, or "node" */
    const char *from; /* the XML, or NULL: this machine */
    struct bom_hardware hardware;
    struct bom bom;
    const struct embodied_factor *whole[BOM_WHOLE_MAX];
    size_t n_whole;
};

/* --- as a part of inventory.conf -------------------------------------------------------------- */

/* Kilograms to the gram, without zeros behind: "61.812", "150". */
static void add_kg(struct buf *out, uint64_t mg)
{
    uint64_t g = (mg + MG_PER_G / 2) / MG_PER_G;
    char text[32];
    size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64, g / 1000, g % 1000);

    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    buf_printf(out, "%.*s", (int)len, text);
}

static void add_range(struct buf *out, uint64_t low_mg, uint64_t central_mg, uint64_t high_mg)
{
    add_kg(out, central_mg);
    buf_printf(out, " kg");
    if (low_mg == high_mg)
        return;
    buf_printf(out, " (");
    add_kg(out, low_mg);
    buf_printf(out, " to ");
    add_kg(out, high_mg);
    buf_printf(out, ")");
}

static uint64_t whole_kg(uint64_t mg)
{
    return (mg + MG_PER_KG / 2) / MG_PER_KG;
}

/* Texts of the hardware, without what would end the line or a quote. */
static void add_plain(struct buf *out, const char *text)
{
    for (; *text; text++) {
        bool plain = (unsigned char)*text >= ' ' && (unsigned char)*text < 0x7f &&
                     !strchr("\"'\\$#{}", *text);

        buf_printf(out, "%c", plain ? *text : ' ');
    }
}

static void add_head(struct buf *out, const struct found *found)
{
    const struct bom_hardware *hardware = &found->hardware;

    buf_printf(out, "# Bill of materials of ");
    add_plain(out, found->node);
    buf_printf(out, ", for inventory.conf; kg CO2e of one piece, made and delivered.\n"
               "# Found: %" PRIu32 " package%s, %" PRIu32 " cores, %" PRIu64 " GB of memory, %"
               PRIu32 " GPU%s.\n"
               "# Check `nodes` (all machines of this kind) and `in_service` (their first day, "
               "UTC).\n"
               "# The lifetime is %d years throughout, as in the BLOOM study; write yours where it "
               "differs.\n", hardware->packages, hardware->packages == 1 ? "" : "s",
               hardware->cores, hardware->memory_gb, bom_total(&hardware->gpus),
               bom_total(&hardware->gpus) == 1 ? "" : "s", LIFETIME_YEARS);
    if (hardware->virtual_machine)
        buf_printf(out, "# CHECK: this is a virtual machine. What it shows is not what was made: "
                   "describe its host.\n");
    if (!hardware->has_io)
        buf_printf(out, "# CHECK: no devices were seen: GPUs, network cards and disks are missing "
                   "below. Where there\n# are some, write the XML on the node, as root, with "
                   "`lstopo --of xml FILE`.\n");
}

static void add_asset(struct buf *out, const struct bom_line *line, const char *class)
{
    buf_printf(out, "    asset \"%s\" {\n        class = %s  count = %" PRIu32
               "  lifetime_years = %d\n", line->name, class, line->count, LIFETIME_YEARS);
    if (line->note)
        buf_printf(out, "        # %s\n", line->note);
    if (line->factor[0]) {
        buf_printf(out, "        factor = \"%s\"  # ", line->factor);
        add_range(out, line->one.low_mg, line->one.central_mg, line->one.high_mg);
        buf_printf(out, ": %s\n", line->source);
    } else {
        buf_printf(out, "        kg = ");
        add_kg(out, line->one.central_mg);
        buf_printf(out, "  kg_low = ");
        add_kg(out, line->one.low_mg);
        buf_printf(out, "  kg_high = ");
        add_kg(out, line->one.high_mg);
        buf_printf(out, "\n        source = \"%s\"\n", line->source);
    }
    buf_printf(out, "    }\n");
}

static void add_whole(struct buf *out, const struct found *found, const char *class)
{
    if (found->n_whole == 0)
        return;
    buf_printf(out, "# Figures of whole nodes of such a kind, each instead of all assets above, "
               "never besides them:\n");
    for (size_t i = 0; i < found->n_whole; i++) {
        const struct embodied_factor *factor = found->whole[i];

        buf_printf(out, "#   asset \"node\" { class = %s  lifetime_years = %d  factor = \"%s\" }\n"
                   "#     ", class, LIFETIME_YEARS, factor->component);
        add_range(out, factor->low_mg, factor->central_mg, factor->high_mg);
        buf_printf(out, ": %s\n", factor->source);
    }
}

static void add_node_type(struct buf *out, const struct found *found)
{
    const struct bom_hardware *hardware = &found->hardware;
    const char *class = hardware->gpus.count > 0 ? "GPU" : "CPU";
    char today[CLOCK_TEXT_SIZE];

    clock_format_utc(clock_wall_ns() / (int64_t)NS_PER_S, today);
    buf_printf(out, "node_type \"");
    add_plain(out, hardware->product[0] ? hardware->product : found->node);
    buf_printf(out, "\" {\n    nodes = \"");
    add_plain(out, found->node);
    buf_printf(out, "\"  # CHECK: such as \"n[001-128]\"\n");
    if (hardware->gpus.count > 0)
        buf_printf(out, "    gpus = %" PRIu32 "\n", bom_total(&hardware->gpus));
    buf_printf(out, "    cores = %" PRIu32 "\n    in_service = \"%.*s\"  # CHECK: this is "
               "today\n", hardware->cores, DAY_LENGTH, today);
    for (size_t i = 0; i < found->bom.count; i++)
        add_asset(out, &found->bom.lines[i], class);
    buf_printf(out, "}\n# Sum of a node: %" PRIu64 " kg CO2e, at least %" PRIu64 ", at most %"
               PRIu64 ".\n", whole_kg(found->bom.sum.central_mg),
               whole_kg(found->bom.sum.low_mg), whole_kg(found->bom.sum.high_mg));
    add_whole(out, found, class);
}

static int print_conf(const struct found *found, struct error *err)
{
    struct buf out;
    int rc = 0;

    buf_init(&out);
    add_head(&out, found);
    add_node_type(&out, found);
    if (buf_failed(&out))
        rc = error_set(err, -ENOMEM, "out of memory");
    else
        fputs(out.data, stdout);
    buf_free(&out);
    return rc;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    json_t *string = text && text[0] ? json_string(text) : NULL;

    return string ? string : json_null(); /* what is no UTF-8 is not known */
}

static json_t *json_of_line(const struct bom_line *line)
{
    return json_pack("{s:s, s:i, s:o, s:I, s:I, s:I, s:s, s:o}", "name", line->name, "count",
                     (int)line->count, "factor", text_or_null(line->factor), "low_mg",
                     (json_int_t)line->one.low_mg, "central_mg", (json_int_t)line->one.central_mg,
                     "high_mg", (json_int_t)line->one.high_mg, "source", line->source, "note",
                     text_or_null(line->note));
}

static json_t *json_of_whole(const struct embodied_factor *factor)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:s}", "factor", factor->component, "low_mg",
                     (json_int_t)factor->low_mg, "central_mg", (json_int_t)factor->central_mg,
                     "high_mg", (json_int_t)factor->high_mg, "source", factor->source);
}

static int print_json(const struct found *found, struct error *err)
{
    const struct bom_hardware *hardware = &found->hardware;
    const struct bom_figure *sum = &found->bom.sum;
    json_t *assets = json_array(), *whole = json_array(), *all;
    int rc = 0;

    for (size_t i = 0; i < found->bom.count; i++)
        rc |= json_array_append_new(assets, json_of_line(&found->bom.lines[i]));
    for (size_t i = 0; i < found->n_whole; i++)
        rc |= json_array_append_new(whole, json_of_whole(found->whole[i]));
    all = json_pack("{s:o, s:o, s:b, s:b, s:i, s:i, s:I, s:i, s:b, s:i, s:o, s:{s:I, s:I, s:I}, "
                    "s:o}", "node", text_or_null(found->node), "product",
                    text_or_null(hardware->product), "virtual_machine", hardware->virtual_machine,
                    "devices_seen", hardware->has_io, "packages", (int)hardware->packages, "cores",
                    (int)hardware->cores, "memory_gb", (json_int_t)hardware->memory_gb, "gpus",
                    (int)bom_total(&hardware->gpus), "memory_modules_assumed",
                    hardware->dimms_assumed, "lifetime_years", LIFETIME_YEARS, "assets", assets,
                    "sum", "low_mg", (json_int_t)sum->low_mg, "central_mg",
                    (json_int_t)sum->central_mg, "high_mg", (json_int_t)sum->high_mg,
                    "whole_node_instead", whole);
    if (rc != 0 || !all || json_dumpf(all, stdout, JSON_INDENT(2)) < 0)
        rc = error_set(err, -ENOMEM, "out of memory");
    else
        putchar('\n');
    json_decref(all);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static const char *name_of_node(const struct found *found, const char *named)
{
    if (named)
        return named;
    if (!found->from)
        return own_node_name();
    return found->hardware.host[0] ? found->hardware.host : "node";
}

static int discover(const char *xml, const char *node, bool json, struct error *err)
{
    static struct found found; /* a bill is too large for a stack */
    struct factor_table table;
    int rc = load_embodied_factors(&table, err);

    if (rc < 0)
        return rc;
    found = (struct found){ .from = xml };
    rc = discover_hardware(xml, &found.hardware, err);
    if (rc == 0)
        rc = bom_make(&found.hardware, &table, &found.bom, err);
    if (rc == 0) {
        found.node = name_of_node(&found, node);
        found.n_whole = bom_whole(&found.hardware, &table, found.whole);
        rc = json ? print_json(&found, err) : print_conf(&found, err);
    }
    factor_table_clear(&table);
    return rc;
}

static int discover_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "xml", required_argument, NULL, 'x' },
        { "node", required_argument, NULL, 'n' },
        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    const char *xml = NULL, *node = NULL;
    struct error err = { "" };
    bool json = false;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'x' && option != 'n' && option != 'j')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        if (option == 'x')
            xml = optarg;
        if (option == 'n')
            node = optarg;
        json |= option == 'j';
    }
    if (refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    if (node && (node[0] == '\0' || node[strcspn(node, " \t\"'\\$#{}=;/")] != '\0')) {
        complain("%s: --node \"%s\" is no name of a node; write it as slurm.conf does",
                 command->name, node);
        return EXIT_ERROR;
    }
    if (discover(xml, node, json, &err) < 0) {
        complain("%s: %s", command->name, err.text);
        return EXIT_ERROR;
    }
    return EXIT_FINE;
}

const struct command command_inventory_discover = {
    .name = "inventory discover",
    .usage = "[--xml FILE] [--node NAME] [--json] [OPTIONS]",
    .summary = "print a node's bill of materials, ready for inventory.conf",
    .help = "  --xml FILE         of another node: what `lstopo --of xml FILE` wrote there, as\n"
            "                     root (else memory modules are not counted but assumed)\n"
            "  --node NAME        its name (from the XML, or this machine's, unless told)\n"
            "  --json             print JSON; masses in milligrams of CO2e\n",
    .exec = discover_exec,
};
