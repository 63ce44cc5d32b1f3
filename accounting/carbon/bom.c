#include "config.h"

#include "carbon/bom.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DIMMS_PER_PACKAGE 12 /* channels of the largest sockets of 2022 to 2025 */
#define PSUS_PER_NODE 2

/* --- formulas --------------------------------------------------------------------------------- */

#define MG_PER_CM2 UINT64_C(2200000) /* of DRAM or NAND die: 2.2 kg */

/* Milligrams of `gb` at a density in thousandths of GB per cm2, to the nearest. */
static uint64_t die_mg(uint64_t gb, uint64_t density_milli)
{
    return (MG_PER_CM2 * gb * 1000 + density_milli / 2) / density_milli;
}

struct bom_figure bom_dimm(uint64_t gb)
{
    const uint64_t fixed_mg = 5220000;
    const struct bom_figure figure = { fixed_mg + die_mg(gb, 2375), fixed_mg + die_mg(gb, 1244),
                                       fixed_mg + die_mg(gb, 625) };

    return figure;
}

struct bom_figure bom_ssd(uint64_t gb)
{
    const uint64_t fixed_mg = 6340000;
    const struct bom_figure figure = { fixed_mg + die_mg(gb, 128000), fixed_mg + die_mg(gb, 54900),
                                       fixed_mg + die_mg(gb, 16400) };

    return figure;
}

uint64_t bom_cpu_mg(uint64_t die_mm2)
{
    return 9140000 + 19700 * die_mm2;
}

/* --- counting --------------------------------------------------------------------------------- */

int bom_count(struct bom_parts *parts, const char *model, uint32_t count, uint64_t gb,
              enum bom_disk disk, struct error *err)
{
    struct bom_part part = { .count = count, .gb = gb, .disk = disk };

    snprintf(part.model, sizeof(part.model), "%s", model ? model : "");
    for (size_t i = 0; i < parts->count; i++) {
        struct bom_part *known = &parts->kinds[i];

        if (strcmp(known->model, part.model) == 0 && known->gb == gb && known->disk == disk) {
            known->count += count;
            return 0;
        }
    }
    if (parts->count == BOM_KINDS_MAX)
        return error_set(err, -E2BIG, "more than %d different kinds of one sort of device, such as "
                         "\"%s\": this is no single node; write its node_type by hand",
                         BOM_KINDS_MAX, part.model);
    parts->kinds[parts->count++] = part;
    return 0;
}

uint32_t bom_total(const struct bom_parts *parts)
{
    uint32_t total = 0;

    for (size_t i = 0; i < parts->count; i++)
        total += parts->kinds[i].count;
    return total;
}

void bom_assume_dimms(struct bom_hardware *hardware)
{
    uint64_t most = DIMMS_PER_PACKAGE * (uint64_t)(hardware->packages ? hardware->packages : 1);
    uint64_t gb = 4;

    hardware->dimms = (struct bom_parts){ .count = 0 };
    hardware->dimms_assumed = true;
    if (hardware->memory_gb == 0)
        return;
    while (gb < 256 && gb * most < hardware->memory_gb)
        gb *= 2;
    hardware->dimms.kinds[0] =
        (struct bom_part){ .gb = gb, .count = (uint32_t)((hardware->memory_gb + gb - 1) / gb) };
    hardware->dimms.count = 1;
}

/* --- which factor a model has ----------------------------------------------------------------- */

/* All words (up to the first NULL) must be in the model; the first rule that holds counts. */
struct rule {
    const char *words[3];
    const char *factor;
    const char *note;
};

#define WITH_BOARD "with its part of the 8-GPU board: add no board besides it"
#define NO_FIGURE "no figure of this model is known; the row is of accelerators in general"

static const struct rule gpu_rules[] = {
    { { "GH200" }, "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)",
      "the GPU of a GH200 is taken as an H100; its Grace CPU is a line of its own" },
    { { "GB200" }, "GPU NVIDIA B200 SXM6 180GB (incl baseboard share)", WITH_BOARD },
    { { "B200" }, "GPU NVIDIA B200 SXM6 180GB (incl baseboard share)", WITH_BOARD },
    { { "H200" }, "GPU NVIDIA H200 SXM 141GB (incl baseboard share)", WITH_BOARD },
    { { "H100", "PCI" }, "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)",
      "the figure is of the SXM5 module; none of the PCIe card is known" },
    { { "H100" }, "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)", WITH_BOARD },
    { { "A100", "PCI", "80" }, "GPU NVIDIA A100 SXM4 80GB",
      "the figure is of the SXM4 module; none of the PCIe card is known" },
    { { "A100", "80" }, "GPU NVIDIA A100 SXM4 80GB", NULL },
    { { "A100", "PCI" }, "GPU NVIDIA A100 PCIe 40GB", NULL },
    { { "A100" }, "GPU NVIDIA A100 SXM4 40GB", NULL },
    { { "V100" }, "GPU NVIDIA V100 SXM2", NULL },
    { { "P100" }, "GPU NVIDIA P100", NULL },
    { { "L4" }, "GPU NVIDIA L4", NULL },
    { { "MI250" }, "GPU AMD MI250X OAM 128GB",
      "one module holds two devices: halve the count where both were counted" },
    { { "MI300" }, "GPU AMD MI300X OAM 192GB (incl UBB share)", WITH_BOARD },
    { { NULL }, "GPU generic accelerator", NO_FIGURE },
};

static const struct rule cpu_rules[] = {
    { { "EPYC 7543" }, "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)", NULL },
    { { "EPYC 7763" }, "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)", NULL },
    { { "EPYC 9654" }, "CPU AMD EPYC 9654 (Genoa, 1261 mm2)", NULL },
    { { "Platinum 8480" }, "CPU Intel Xeon Platinum 8480+/8468 (SPR, 1908 mm2)", NULL },
    { { "Platinum 8468" }, "CPU Intel Xeon Platinum 8480+/8468 (SPR, 1908 mm2)", NULL },
    { { NULL }, "CPU generic", "no figure of this model is known; the row is of CPUs in general" },
};

/* EPYC 7002 "Rome" with all its dies: eight of 74 mm2 and one of 416 mm2 (AMD, by Hardwareluxx
   2019). The models with fewer dies are not told apart here: they get the range of any CPU. */
#define ROME_MM2 1008
static const char *const rome_models[] = { "EPYC 7742", "EPYC 7702", "EPYC 7662", "EPYC 7H12",
                                           "EPYC 7642", "EPYC 7552", NULL };

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Is `word` in the text, with neither a letter nor a digit before it, nor a digit after it? So
   that L4 is not in "L40", and A100 is in "A100X". */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = strcasestr(text, word); at; at = strcasestr(at + 1, word))
        if ((at == text || !is_word_byte(at[-1])) && !(at[len] >= '0' && at[len] <= '9'))
            return true;
    return false;
}

static const struct rule *find_rule(const struct rule *rules, const char *model)
{
    for (;; rules++) {
        bool holds = true;

        for (size_t i = 0; i < 3 && rules->words[i]; i++)
            holds &= has_word(model, rules->words[i]);
        if (holds)
            return rules;
    }
}

/* --- the bill --------------------------------------------------------------------------------- */

struct maker {
    const struct factor_table *table;
    struct bom *bom;
    struct error *err;
    bool failed;
};

/* Characters that a quoted text of inventory.conf cannot hold become blanks. */
static void make_plain(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f || strchr("\"'\\$#{}", *p))
            *p = ' ';
}

static bool name_is_taken(const struct bom *bom, const char *name)
{
    for (size_t i = 0; i < bom->count; i++)
        if (strcasecmp(bom->lines[i].name, name) == 0)
            return true;
    return false;
}

/* A new line called "<sort> <model>", with a number behind when that is taken. */
static struct bom_line *new_line(struct maker *maker, const char *sort, const char *model,
                                 uint32_t count)
{
    struct bom *bom = maker->bom;
    struct bom_line *line = &bom->lines[bom->count];
    char name[BOM_NAME_SIZE];

    snprintf(name, sizeof(name), "%s%s%.64s", sort, model[0] ? " " : "", model);
    make_plain(name);
    *line = (struct bom_line){ .count = count };
    snprintf(line->name, sizeof(line->name), "%s", name);
    for (unsigned i = 2; name_is_taken(bom, line->name); i++)
        snprintf(line->name, sizeof(line->name), "%.80s (%u)", name, i);
    bom->count++;
    return line;
}

static void add_to_sum(struct bom *bom, const struct bom_line *line)
{
    bom->sum.low_mg += line->one.low_mg * line->count;
    bom->sum.central_mg += line->one.central_mg * line->count;
    bom->sum.high_mg += line->one.high_mg * line->count;
}

static void add_factor(struct maker *maker, const char *sort, const char *model, uint32_t count,
                       const char *component, const char *note)
{
    const struct embodied_factor *factor = factor_table_find(maker->table, component);
    struct bom_line *line;

    if (maker->failed || count == 0)
        return;
    if (!factor) {
        maker->failed = true;
        error_set(maker->err, -ENOENT, "embodied_factors.csv has no row \"%s\"; use the table that "
                  "is shipped, or add the row", component);
        return;
    }
    line = new_line(maker, sort, model, count);
    snprintf(line->factor, sizeof(line->factor), "%s", factor->component);
    line->one =
        (struct bom_figure){ factor->low_mg, factor->central_mg, factor->high_mg };
    snprintf(line->source, sizeof(line->source), "%s", factor->source);
    line->note = note;
    add_to_sum(maker->bom, line);
}

static void add_figure(struct maker *maker, const char *sort, const char *model, uint32_t count,
                       const struct bom_figure *one, const char *source, const char *note)
{
    struct bom_line *line;

    if (maker->failed || count == 0)
        return;
    line = new_line(maker, sort, model, count);
    line->one = *one;
    snprintf(line->source, sizeof(line->source), "%s", source);
    line->note = note;
    add_to_sum(maker->bom, line);
}

static bool is_rome(const char *model)
{
    for (size_t i = 0; rome_models[i]; i++)
        if (has_word(model, rome_models[i]))
            return true;
    return false;
}

static void add_cpu(struct maker *maker, const struct bom_part *cpu)
{
    const struct embodied_factor *any = factor_table_find(maker->table, "CPU generic");
    const struct rule *rule = find_rule(cpu_rules, cpu->model);

    if (is_rome(cpu->model) && any) {
        const struct bom_figure one = { any->low_mg, bom_cpu_mg(ROME_MM2), any->high_mg };

        add_figure(maker, "CPU", cpu->model, cpu->count, &one,
                   "Boavizta formula 9.14 + 0.0197 x 1008 mm2 (AMD Rome: 8 x 74 + 416 mm2); low "
                   "and high of any CPU", NULL);
        return;
    }
    add_factor(maker, "CPU", cpu->model, cpu->count, rule->factor, rule->note);
}

static void add_dimm(struct maker *maker, const struct bom_part *dimm, bool assumed)
{
    const struct bom_figure one = bom_dimm(dimm->gb);
    char name[64], source[160];

    snprintf(name, sizeof(name), "memory module %llu GB", (unsigned long long)dimm->gb);
    snprintf(source, sizeof(source), "Boavizta formula 5.22 + 2.2 x %llu GB / 1.244 GB/cm2 (0.625 "
             "to 2.375)", (unsigned long long)dimm->gb);
    add_figure(maker, name, "", dimm->count, &one, source,
               assumed ? "number and size of the modules are assumed from the capacity; hwloc "
                         "counts them when it runs as root" : NULL);
}

static void add_disk(struct maker *maker, const struct bom_part *disk)
{
    const struct bom_figure one = bom_ssd(disk->gb);
    char name[64], source[160];

    if (disk->disk == BOM_HDD) {
        add_factor(maker, "HDD", disk->model, disk->count, "HDD", NULL);
        return;
    }
    snprintf(name, sizeof(name), "SSD %llu GB", (unsigned long long)disk->gb);
    snprintf(source, sizeof(source), "Boavizta formula 6.34 + 2.2 x %llu GB / 54.9 GB/cm2 (16.4 to "
             "128)", (unsigned long long)disk->gb);
    add_figure(maker, name, disk->model, disk->count, &one, source,
               disk->disk == BOM_DISK_UNKNOWN
                   ? "taken as an SSD: it is not said whether it turns; if it does, write "
                     "factor = \"HDD\" instead" : NULL);
}

int bom_make(const struct bom_hardware *hardware, const struct factor_table *table,
             struct bom *ret, struct error *err)
{
    struct maker maker = { .table = table, .bom = ret, .err = err };

    ret->count = 0;
    ret->sum = (struct bom_figure){ 0, 0, 0 };
    for (size_t i = 0; i < hardware->gpus.count; i++) {
        const struct bom_part *gpu = &hardware->gpus.kinds[i];
        const struct rule *rule = find_rule(gpu_rules, gpu->model);

        add_factor(&maker, "GPU", gpu->model, gpu->count, rule->factor, rule->note);
    }
    for (size_t i = 0; i < hardware->cpus.count; i++)
        add_cpu(&maker, &hardware->cpus.kinds[i]);
    for (size_t i = 0; i < hardware->dimms.count; i++)
        add_dimm(&maker, &hardware->dimms.kinds[i], hardware->dimms_assumed);
    for (size_t i = 0; i < hardware->disks.count; i++)
        add_disk(&maker, &hardware->disks.kinds[i]);
    for (size_t i = 0; i < hardware->nics.count; i++)
        add_factor(&maker, "NIC", hardware->nics.kinds[i].model, hardware->nics.kinds[i].count,
                   "NIC / SmartNIC", NULL);
    add_factor(&maker, "mainboard", "", 1, "Mainboard", NULL);
    add_factor(&maker, "power supply", "", PSUS_PER_NODE, "PSU",
               "two are assumed; the high figure is of one of 5 kg");
    add_factor(&maker, "chassis", "", 1, "Chassis rack server", NULL);
    add_factor(&maker, "assembly", "", 1, "Server assembly", NULL);
    return maker.failed ? -ENOENT : 0;
}

/* --- a node as a whole ------------------------------------------------------------------------ */

struct whole_rule {
    uint32_t gpus, packages; /* packages 0: any number */
    const char *word;        /* of a GPU's model; NULL: any */
    const char *component;
};

static const struct whole_rule whole_rules[] = {
    { 8, 0, "A100", "GPU node 8x A100 complete" },
    { 8, 0, "H100", "GPU node 8x H100/H200/MI300X complete" },
    { 8, 0, "H200", "GPU node 8x H100/H200/MI300X complete" },
    { 8, 0, "MI300X", "GPU node 8x H100/H200/MI300X complete" },
    { 4, 0, "V100", "Server Dell PowerEdge C4140 4-GPU PCF (manufacturing)" },
    { 0, 2, NULL, "HPC compute node 2-socket (ARCHER2)" },
    { 0, 2, NULL, "Server Dell PowerEdge R740 PCF (non-use share)" },
    { 0, 2, NULL, "Server Lenovo ThinkSystem SR665 PCF (non-use share)" },
    { 0, 0, NULL, "Server generic (whole, ADEME)" },
};

size_t bom_whole(const struct bom_hardware *hardware, const struct factor_table *table,
                 const struct embodied_factor *ret[BOM_WHOLE_MAX])
{
    uint32_t gpus = bom_total(&hardware->gpus);
    size_t count = 0;

    for (size_t i = 0; i < sizeof(whole_rules) / sizeof(whole_rules[0]); i++) {
        const struct whole_rule *rule = &whole_rules[i];
        const struct embodied_factor *factor = factor_table_find(table, rule->component);

        if (!factor || rule->gpus != gpus || count == BOM_WHOLE_MAX ||
            (rule->packages && rule->packages != hardware->packages) ||
            (rule->word && !has_word(hardware->gpus.kinds[0].model, rule->word)))
            continue;
        ret[count++] = factor;
    }
    return count;
}
