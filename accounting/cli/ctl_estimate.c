/*
 * carbonctl estimate: what work would emit before it runs, or did where nobody metered it
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/estimate.h"
#include "carbon/factor_table.h"
#include "carbon/intensity.h"
#include "cli/carbonctl.h"
#include "core/apportion.h"
#include "core/file.h"
#include "core/parse.h"
#include "report/format.h"

#define DIGITS 6            /* decimals that options take */
#define UNITS 1e6           /* 10^DIGITS */
#define NUMBER_MAX (UINT64_MAX / 2)
#define TABLE_SIZE_MAX (1u << 20)
#define UG_PER_KG 1e9
#define MJ_PER_KWH_D 3.6e9  /* millijoules */

/* What the input says and where it is from. */
struct estimate_run {
    struct estimate_input input;
    struct estimate result;
    bool has_zone;
    struct intensity intensity; /* with has_zone */
    char device_source[512], node_source[512];
    bool json;
};

enum { OPT_GPU_HOURS = 256, OPT_CORE_HOURS, OPT_GPUS, OPT_CORES, OPT_HOURS, OPT_WATTS, OPT_ENERGY,
       OPT_NODES, OPT_NODE_WATTS, OPT_DEVICES_PER_NODE, OPT_IDLE, OPT_INFRASTRUCTURE, OPT_ZONE,
       OPT_GCO2, OPT_PUE, OPT_DEVICE_KG, OPT_NODE_KG, OPT_LIFETIME, OPT_UTILISATION, OPT_JSON };

/* Options that are one number: where it goes. */
static const struct number_option {
    int code;
    size_t offset;
} number_options[] = {
#define NUMBER(code, field) { code, offsetof(struct estimate_input, field) }
    NUMBER(OPT_GPU_HOURS, device_hours), NUMBER(OPT_CORE_HOURS, device_hours),
    NUMBER(OPT_GPUS, devices), NUMBER(OPT_CORES, devices), NUMBER(OPT_HOURS, hours),
    NUMBER(OPT_WATTS, device_w), NUMBER(OPT_ENERGY, energy_kwh), NUMBER(OPT_NODES, nodes),
    NUMBER(OPT_NODE_WATTS, node_w), NUMBER(OPT_DEVICES_PER_NODE, devices_per_node),
    NUMBER(OPT_IDLE, idle_kw), NUMBER(OPT_INFRASTRUCTURE, infrastructure_kw), NUMBER(OPT_PUE, pue),
    NUMBER(OPT_GCO2, intensity_g_per_kwh), NUMBER(OPT_LIFETIME, lifetime_years),
    NUMBER(OPT_UTILISATION, utilisation),
#undef NUMBER
    { 0, 0 },
};

/* --- options ---------------------------------------------------------------------------------- */

static int read_number(const char *text, const char *name, double *ret, struct error *err)
{
    uint64_t units;

    if (parse_decimal(text, DIGITS, NUMBER_MAX, &units) < 0)
        return error_set(err, -EINVAL, "--%s \"%.40s\": write a number such as 2500 or 0.4, "
                         "with at most %d decimals", name, text, DIGITS);
    *ret = (double)units / UNITS;
    return 0;
}

static int find_factor(const char *component, struct range *ret_kg, char *ret_source, size_t size,
                       struct error *err)
{
    const struct embodied_factor *factor;
    struct factor_table table = { 0 };
    char path[PATH_MAX], *text = NULL;
    size_t len;
    int rc;

    table_path(EMBODIED_FILE, path);
    rc = file_read(AT_FDCWD, path, TABLE_SIZE_MAX, &text, &len, err);
    if (rc == 0)
        rc = factor_table_parse(text, path, &table, err);
    if (rc == 0 && !(factor = factor_table_find(&table, component)))
        rc = error_set(err, -ENOENT, "\"%.80s\" is no number of kg, and no component of %s: write "
                       "one as 127.6:150:273.4 (low:central:high) or as the table names it",
                       component, path);
    if (rc == 0) {
        *ret_kg = (struct range){ (double)factor->low_mg / 1e6, (double)factor->central_mg / 1e6,
                                  (double)factor->high_mg / 1e6 };
        snprintf(ret_source, size, "%s: %s", factor->component, factor->source);
    }
    factor_table_clear(&table);
    free(text);
    return rc;
}

/* "2500", "127.6:150:273.4" or the name of a component */
static int read_mass(const char *text, const char *name, struct range *ret_kg, char *ret_source,
                     size_t size, struct error *err)
{
    char copy[128], *first, *second;
    int rc;

    if (strspn(text, "0123456789.:") != strlen(text) || *text == '\0')
        return find_factor(text, ret_kg, ret_source, size, err);
    snprintf(copy, sizeof(copy), "%s", text);
    first = strchr(copy, ':');
    if (!first) {
        rc = read_number(text, name, &ret_kg->central, err);
        ret_kg->low = ret_kg->high = ret_kg->central;
        return rc;
    }
    *first++ = '\0';
    second = strchr(first, ':');
    if (!second)
        return error_set(err, -EINVAL, "--%s \"%.40s\": write kg, or low:central:high", name, text);
    *second++ = '\0';
    rc = read_number(copy, name, &ret_kg->low, err);
    if (rc == 0)
        rc = read_number(first, name, &ret_kg->central, err);
    if (rc == 0)
        rc = read_number(second, name, &ret_kg->high, err);
    if (rc == 0 && (ret_kg->low > ret_kg->central || ret_kg->central > ret_kg->high))
        rc = error_set(err, -EINVAL, "--%s \"%.40s\": low, central and high must rise", name, text);
    return rc;
}

static int read_zone(const char *zone, struct estimate_run *run, struct error *err)
{
    char path[PATH_MAX];
    int rc;

    table_path(INTENSITY_FILE, path);
    rc = intensity_find(path, zone, &run->intensity, err);
    if (rc < 0)
        return error_prefix(err, rc, "--zone");
    run->has_zone = run->input.has_intensity = true;
    run->input.intensity_g_per_kwh = (double)run->intensity.ug_per_kwh / 1e6;
    return 0;
}

static int take_number(int option, const char *name, struct estimate_run *run, struct error *err)
{
    struct estimate_input *input = &run->input;
    const struct number_option *number = number_options;

    while (number->code != option)
        number++;
    input->cores |= option == OPT_CORE_HOURS || option == OPT_CORES;
    input->has_energy |= option == OPT_ENERGY;
    if (option == OPT_GCO2) {
        if (run->has_zone)
            return error_set(err, -EINVAL, "--zone and --gco2 both say the intensity: leave one of "
                             "them out");
        input->has_intensity = true;
    }
    return read_number(optarg, name, (double *)((char *)input + number->offset), err);
}

static int take_option(int option, const char *name, struct estimate_run *run, struct error *err)
{
    if (option == OPT_JSON) {
        run->json = true;
        return 0;
    }
    if (option == OPT_ZONE)
        return run->input.has_intensity && !run->has_zone
                   ? error_set(err, -EINVAL, "--zone and --gco2 both say the intensity: leave one "
                               "of them out")
                   : read_zone(optarg, run, err);
    if (option == OPT_DEVICE_KG)
        return read_mass(optarg, name, &run->input.device_kg, run->device_source,
                         sizeof(run->device_source), err);
    if (option == OPT_NODE_KG)
        return read_mass(optarg, name, &run->input.node_kg, run->node_source,
                         sizeof(run->node_source), err);
    return take_number(option, name, run, err);
}

/* --- the card --------------------------------------------------------------------------------- */

/* A part's name and how it comes about. */
static void explain(const struct estimate_run *run, enum estimate_part part, struct buf *words)
{
    const struct estimate_input *input = &run->input;
    const struct estimate *estimate = &run->result;
    const char *device = input->cores ? "core" : "GPU";

    switch (part) {
    case PART_DYNAMIC:
        if (input->has_energy)
            buf_printf(words, "as given");
        else
            buf_printf(words, "%.10g %s-hours x %.10g W", estimate->device_hours, device,
                       input->device_w);
        break;
    case PART_NODES:
        buf_printf(words, "%.10g node-hours x %.10g W", estimate->node_hours, input->node_w);
        break;
    case PART_IDLE:
        buf_printf(words, "%.10g kW x %.10g h", input->idle_kw, estimate->hours);
        break;
    case PART_INFRASTRUCTURE:
        buf_printf(words, "%.10g kW x %.10g h", input->infrastructure_kw, estimate->hours);
        break;
    case PART_OVERHEAD:
        buf_printf(words, "PUE %.10g", input->pue);
        break;
    case PART_EMBODIED_NODES:
        buf_printf(words, "%.10g kg a node, %.10g node-hours", input->node_kg.central,
                   estimate->node_hours);
        break;
    case PART_EMBODIED_DEVICES:
        buf_printf(words, "%.10g kg a %s, %.10g %s-hours", input->device_kg.central, device,
                   estimate->device_hours, device);
        break;
    case PART_COUNT:
        break;
    }
}

static const char *part_title(const struct estimate_run *run, enum estimate_part part)
{
    static const char *const titles[] = { "dynamic", "nodes", "idle", "infrastructure", "overhead",
                                          "embodied nodes", "embodied GPUs" };

    return part == PART_EMBODIED_DEVICES && run->input.cores ? "embodied cores" : titles[part];
}

static bool is_shown(const struct estimate_run *run, enum estimate_part part, bool mass)
{
    if (mass)
        return run->result.mass_kg[part].central > 0;
    return part == PART_DYNAMIC || run->result.energy_kwh[part] > 0;
}

/* A line as a job's card has it. */
static void print_line(const char *title, const struct scale *scale, uint64_t ticks,
                       const char *words)
{
    char text[64];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    scale_write(&room, scale, ticks, true);
    plainf("  %-14s%11s ", title, text);
    plainf(*words ? "%-3s   %s\n" : "%s%s\n", scale->unit->name, words);
}

static void print_parts(const struct estimate_run *run, bool mass, const struct scale *scale,
                        const uint64_t *ticks, int from, int to)
{
    for (int part = from; part < to; part++) {
        struct buf words;

        if (!is_shown(run, (enum estimate_part)part, mass))
            continue;
        buf_init(&words);
        explain(run, (enum estimate_part)part, &words);
        print_line(part_title(run, (enum estimate_part)part), scale, ticks[part],
                   buf_failed(&words) ? "" : words.data);
        buf_free(&words);
    }
}

/* Amounts in the smallest unit: ticks of parts that add up to those of the sum. */
static uint64_t share_ticks(const struct scale *scale, const double *amounts, double sum,
                            uint64_t ticks[PART_COUNT])
{
    uint64_t weights[PART_COUNT], all = scale_ticks(scale, sum);

    for (int part = 0; part < PART_COUNT; part++)
        weights[part] = (uint64_t)(amounts[part] + 0.5);
    (void)apportion(all, weights, PART_COUNT, ticks);
    return all;
}

static void print_energy(const struct estimate_run *run)
{
    double amounts[PART_COUNT], sum = run->result.total_kwh * MJ_PER_KWH_D;
    struct scale scale = scale_of(energy_units, NULL, sum);
    uint64_t ticks[PART_COUNT], all;

    for (int part = 0; part < PART_COUNT; part++)
        amounts[part] = run->result.energy_kwh[part] * MJ_PER_KWH_D;
    all = share_ticks(&scale, amounts, sum, ticks);
    plainf("Energy\n");
    print_parts(run, false, &scale, ticks, 0, PART_OVERHEAD + 1);
    print_line("total", &scale, all, "");
}

/* " (10.7 to 21.5 t)", or nothing where there is no range. */
static void write_range(struct buf *buf, const char *before, const struct range *mass_kg,
                        const char *after)
{
    if (mass_kg->low >= mass_kg->high)
        return;
    buf_printf(buf, "%s", before);
    format_amount(buf, mass_kg->low * UG_PER_KG, mass_units, NULL);
    buf_printf(buf, " to ");
    format_amount(buf, mass_kg->high * UG_PER_KG, mass_units, NULL);
    buf_printf(buf, "%s", after);
}

static void print_embodied(const struct estimate_run *run, const struct scale *scale,
                           const uint64_t *ticks)
{
    struct range sum = estimate_embodied(&run->result);
    struct buf words;

    if (!run->result.has_embodied) {
        plainf("  embodied          unknown       write --node-kg or --device-kg\n");
        return;
    }
    print_parts(run, true, scale, ticks, PART_EMBODIED_NODES, PART_COUNT);
    buf_init(&words);
    buf_printf(&words, "making the hardware");
    write_range(&words, " (", &sum, ")");
    print_line("embodied", scale, ticks[PART_EMBODIED_NODES] + ticks[PART_EMBODIED_DEVICES],
               buf_failed(&words) ? "" : words.data);
    buf_free(&words);
}

static void print_total(const struct estimate_run *run, const struct scale *scale, uint64_t ticks)
{
    const struct estimate *estimate = &run->result;
    struct buf words;

    if (!estimate->has_operational || !estimate->has_embodied) {
        plainf("  total             unknown       more than what is known of it\n");
        return;
    }
    buf_init(&words);
    write_range(&words, "", &estimate->total_kg, ", by the estimates of embodied");
    print_line("total", scale, ticks, words.data && !buf_failed(&words) ? words.data : "");
    buf_free(&words);
}

static void print_mass(const struct estimate_run *run)
{
    const struct estimate *estimate = &run->result;
    double amounts[PART_COUNT], sum = estimate->total_kg.central * UG_PER_KG;
    struct scale scale = scale_of(mass_units, NULL, sum);
    uint64_t ticks[PART_COUNT], all, operational = 0;

    for (int part = 0; part < PART_COUNT; part++)
        amounts[part] = estimate->mass_kg[part].central * UG_PER_KG;
    all = share_ticks(&scale, amounts, sum, ticks);
    plainf("\nCarbon (%s)  estimated%s\n", format_locale_is_utf8() ? "CO\u2082e" : "CO2e",
           estimate->has_embodied ? ", embodied in planned mode" : "");
    print_parts(run, true, &scale, ticks, 0, PART_OVERHEAD + 1);
    for (int part = 0; part <= PART_OVERHEAD; part++)
        operational += ticks[part];
    if (estimate->has_operational)
        print_line("operational", &scale, operational, "all of running it: the lines above");
    else
        plainf("  operational       unknown       write --zone (such as FR) or --gco2\n");
    print_embodied(run, &scale, ticks);
    print_total(run, &scale, all);
}

static void print_method(const struct estimate_run *run)
{
    const struct estimate_input *input = &run->input;

    if (run->has_zone)
        plainf("  grid      zone %s (%s), %.10g g/kWh, annual value of %u, %s\n  source    %s\n",
               run->intensity.zone, run->intensity.name, input->intensity_g_per_kwh,
               run->intensity.year, run->intensity.basis, run->intensity.source);
    else if (input->has_intensity)
        plainf("  grid      %.10g g/kWh, as given\n", input->intensity_g_per_kwh);
    if (run->result.has_embodied)
        plainf("  hardware  kg x hours used / (%.10g years of 8760 h x %.10g expected "
               "utilisation)\n", input->lifetime_years, input->utilisation);
    if (run->node_source[0])
        plainf("            %s\n", run->node_source);
    if (run->device_source[0])
        plainf("            %s\n", run->device_source);
    plainf("\nQuality     an estimate: nothing was measured here\n");
}

static void print_card(const struct estimate_run *run)
{
    print_energy(run);
    print_mass(run);
    print_method(run);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *const part_keys[] = { "dynamic", "nodes", "idle", "infrastructure", "overhead",
                                         "embodied_nodes", "embodied_devices" };

static json_t *range_json(const struct range *range)
{
    return json_pack("{s:f, s:f, s:f}", "low_kg", range->low, "central_kg", range->central,
                     "high_kg", range->high);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *method_json(const struct estimate_run *run)
{
    const struct estimate_input *input = &run->input;

    return json_pack(
        "{s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "mode", "planned", "pue", input->pue,
        "intensity_g_per_kwh",
        input->has_intensity ? json_real(input->intensity_g_per_kwh) : json_null(), "zone",
        text_or_null(run->intensity.zone), "intensity_source", text_or_null(run->intensity.source),
        "lifetime_years", run->result.has_embodied ? json_real(input->lifetime_years) : json_null(),
        "utilisation", run->result.has_embodied ? json_real(input->utilisation) : json_null(),
        "embodied_source",
        json_pack("{s:o, s:o}", "nodes", text_or_null(run->node_source), "devices",
                  text_or_null(run->device_source)),
        "measured", 0);
}

static int print_json(const struct estimate_run *run)
{
    const struct estimate *estimate = &run->result;
    json_t *energy = json_object(), *mass = json_object(), *all;
    struct range operational, embodied;
    int rc = 0;

    for (int part = 0; part < PART_COUNT; part++) {
        bool known = part <= PART_OVERHEAD ? estimate->has_operational : estimate->has_embodied;

        if (part <= PART_OVERHEAD)
            rc |= json_object_set_new(energy, part_keys[part],
                                      json_real(estimate->energy_kwh[part]));
        rc |= json_object_set_new(mass, part_keys[part],
                                  known ? range_json(&estimate->mass_kg[part]) : json_null());
    }
    rc |= json_object_set_new(energy, "total", json_real(estimate->total_kwh));
    operational = estimate_operational(estimate);
    embodied = estimate_embodied(estimate);
    rc |= json_object_set_new(mass, "operational",
                              estimate->has_operational ? range_json(&operational) : json_null());
    rc |= json_object_set_new(mass, "embodied",
                              estimate->has_embodied ? range_json(&embodied) : json_null());
    rc |= json_object_set_new(mass, "total", estimate->has_operational && estimate->has_embodied
                                                 ? range_json(&estimate->total_kg) : json_null());
    all = json_pack("{s:s, s:o, s:f, s:f, s:o, s:o}", "format", "carbonctl-estimate-1", "method",
                    method_json(run), "device_hours", estimate->device_hours, "node_hours",
                    estimate->node_hours, "energy_kwh", energy, "co2e", mass);
    rc |= all ? json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : -1;
    json_decref(all);
    putchar('\n');
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static int estimate_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "gpu-hours", required_argument, NULL, OPT_GPU_HOURS },
        { "core-hours", required_argument, NULL, OPT_CORE_HOURS },
        { "gpus", required_argument, NULL, OPT_GPUS },
        { "cores", required_argument, NULL, OPT_CORES },
        { "hours", required_argument, NULL, OPT_HOURS },
        { "watts", required_argument, NULL, OPT_WATTS },
        { "energy-kwh", required_argument, NULL, OPT_ENERGY },
        { "nodes", required_argument, NULL, OPT_NODES },
        { "node-watts", required_argument, NULL, OPT_NODE_WATTS },
        { "devices-per-node", required_argument, NULL, OPT_DEVICES_PER_NODE },
        { "idle-kw", required_argument, NULL, OPT_IDLE },
        { "infrastructure-kw", required_argument, NULL, OPT_INFRASTRUCTURE },
        { "zone", required_argument, NULL, OPT_ZONE },
        { "gco2", required_argument, NULL, OPT_GCO2 },
        { "pue", required_argument, NULL, OPT_PUE },
        { "device-kg", required_argument, NULL, OPT_DEVICE_KG },
        { "node-kg", required_argument, NULL, OPT_NODE_KG },
        { "lifetime-years", required_argument, NULL, OPT_LIFETIME },
        { "utilisation", required_argument, NULL, OPT_UTILISATION },
        { "json", no_argument, NULL, OPT_JSON },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct estimate_run run = { .input = { .pue = 1, .utilisation = 1 } };
    struct error err = { "" };
    int option, rc = 0;

    setlocale(LC_CTYPE, "");
    while (rc == 0 && (option = next_option(command, argc, argv, options)) != -1) {
        const struct option *named = options;

        if (option < OPT_GPU_HOURS)
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        while (named->val != option)
            named++;
        rc = take_option(option, named->name, &run, &err);
    }
    if (rc == 0 && refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    if (rc == 0)
        rc = estimate_of(&run.input, &run.result, &err);
    if (rc < 0) {
        complain("estimate: %s", err.text);
        return EXIT_ERROR;
    }
    if (run.json)
        return print_json(&run) == 0 ? EXIT_FINE : EXIT_ERROR;
    print_card(&run);
    return EXIT_FINE;
}

const struct command command_estimate = {
    .name = "estimate",
    .usage = "--gpu-hours H --watts W [OPTIONS]",
    .summary = "what work would emit, or did where nobody metered it",
    .help =
        "  --gpu-hours H           GPUs times hours\n"
        "  --core-hours H          cores times hours, where there are no GPUs\n"
        "  --gpus N                GPUs at once: with --hours, GPU-hours; with --gpu-hours,\n"
        "                          the duration\n"
        "  --cores N               the same of cores\n"
        "  --hours H               duration\n"
        "  --watts W               mean power of one GPU or core\n"
        "  --energy-kwh E          energy at the machines, instead of hours and watts\n"
        "  --nodes N               nodes\n"
        "  --node-watts W          mean power of a node besides its GPUs\n"
        "  --devices-per-node N    GPUs or cores of a node: gives node-hours\n"
        "  --idle-kw KW            constant power of idle machines that is attributed to the\n"
        "                          work\n"
        "  --infrastructure-kw KW  the building's, where it was measured; then no --pue\n"
        "  --pue N                 facility energy over machine energy; default 1\n"
        "  --zone Z                grid zone of the shipped table\n"
        "  --gco2 N                grams of CO2e per kWh, instead of a zone\n"
        "  --device-kg KG          manufacture of one GPU or core: kg, low:central:high, or a\n"
        "                          component of embodied_factors.csv\n"
        "  --node-kg KG            the same of a node without its GPUs or cores\n"
        "  --lifetime-years Y      over which manufacture is spread\n"
        "  --utilisation U         share of the lifetime that is used, above 0 to 1; default 1\n"
        "  --json                  print JSON; full precision\n",
    .exec = estimate_exec,
};
