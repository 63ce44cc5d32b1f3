#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "carbon/bom.h"

#define MG UINT64_C(1000000) /* in a kilogram */

static struct factor_table table;

static int read_table(void **state)
{
    char path[4096];
    char *text = calloc(1, 1 << 20);
    FILE *stream;
    int rc;

    (void)state;
    snprintf(path, sizeof(path), "%s/embodied_factors.csv", getenv("CARBON_DATA"));
    stream = fopen(path, "r");
    if (!text || !stream || fread(text, 1, (1 << 20) - 1, stream) == 0)
        return -1;
    fclose(stream);
    rc = factor_table_parse(text, path, &table, NULL);
    free(text);
    return rc;
}

static int clear_table(void **state)
{
    (void)state;
    factor_table_clear(&table);
    return 0;
}

/* By hand: 2.2 kg x 32 / 2.375 = 29.642105, / 1.244 = 56.591640, / 0.625 = 112.64 kg; and so on. */
static void the_formulas_give_what_a_pocket_calculator_does(void **state)
{
    static const struct {
        bool ssd;
        uint64_t gb, low_mg, central_mg, high_mg;
    } cases[] = {
        { false, 32, 34862105, 61811640, 117860000 },
        { false, 0, 5220000, 5220000, 5220000 },
        { true, 3840, 72340000, 160219781, 521461951 },
        { true, 960, 22840000, 44809945, 135120488 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct bom_figure figure = cases[i].ssd ? bom_ssd(cases[i].gb) : bom_dimm(cases[i].gb);

        ROW_HOLDS(i, figure.low_mg == cases[i].low_mg);
        ROW_HOLDS(i, figure.central_mg == cases[i].central_mg);
        ROW_HOLDS(i, figure.high_mg == cases[i].high_mg);
    }
    assert_int_equal(bom_cpu_mg(0), 9140000);
    assert_int_equal(bom_cpu_mg(1064), 30100800);
}

/* The CPU formula and the table's rows, which were worked out with it, tell the same. */
static void the_cpu_formula_gives_the_rows_of_the_table(void **state)
{
    static const struct {
        const char *component;
        uint64_t mm2;
    } cases[] = {
        { "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)", 1064 },
        { "CPU AMD EPYC 9654 (Genoa, 1261 mm2)", 1261 },
        { "CPU Intel Xeon Platinum 8480+/8468 (SPR, 1908 mm2)", 1908 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct embodied_factor *factor = factor_table_find(&table, cases[i].component);
        uint64_t mg = bom_cpu_mg(cases[i].mm2);

        assert_non_null(factor);
        /* the table has them to 0.01 kg */
        ROW_HOLDS(i, mg + 5000 >= factor->central_mg && factor->central_mg + 5000 >= mg);
    }
}

static void memory_is_made_of_likely_modules(void **state)
{
    static const struct {
        uint32_t packages;
        uint64_t memory_gb, gb;
        uint32_t count;
    } cases[] = {
        { 2, 504, 32, 16 }, { 2, 1008, 64, 16 }, { 1, 63, 8, 8 }, { 1, 5, 4, 2 },
        { 2, 755, 32, 24 }, { 0, 15, 4, 4 },     { 2, 8000, 256, 32 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct bom_hardware hardware = { .packages = cases[i].packages,
                                         .memory_gb = cases[i].memory_gb };

        bom_assume_dimms(&hardware);
        ROW_HOLDS(i, hardware.dimms_assumed && hardware.dimms.count == 1);
        ROW_HOLDS(i, hardware.dimms.kinds[0].gb == cases[i].gb);
        ROW_HOLDS(i, hardware.dimms.kinds[0].count == cases[i].count);
    }
}

static void no_memory_has_no_modules(void **state)
{
    struct bom_hardware hardware = { .packages = 1 };

    (void)state;
    bom_assume_dimms(&hardware);
    assert_int_equal(hardware.dimms.count, 0);
}

/* Make the bill of one device and find its line, the first. */
static void make_one(bool gpu, const char *model, struct bom *bom)
{
    struct bom_hardware hardware = { .packages = 1 };
    struct error err = { "" };

    assert_int_equal(bom_count(gpu ? &hardware.gpus : &hardware.cpus, model, 1, 0, BOM_SSD, NULL),
                     0);
    if (bom_make(&hardware, &table, bom, &err) != 0)
        fail_msg("%s", err.text);
}

static void each_model_gets_the_row_that_is_its_own(void **state)
{
    static const struct {
        bool gpu;
        const char *model, *factor;
    } cases[] = {
        { true, "NVIDIA A100-SXM4-40GB", "GPU NVIDIA A100 SXM4 40GB" },
        { true, "NVIDIA A100-SXM4-80GB", "GPU NVIDIA A100 SXM4 80GB" },
        { true, "NVIDIA A100-PCIE-40GB", "GPU NVIDIA A100 PCIe 40GB" },
        { true, "NVIDIA A100 80GB PCIe", "GPU NVIDIA A100 SXM4 80GB" },
        { true, "GA100 [A100 SXM4 40GB]", "GPU NVIDIA A100 SXM4 40GB" },
        { true, "NVIDIA H100 80GB HBM3", "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)" },
        { true, "NVIDIA H100 PCIe", "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)" },
        { true, "NVIDIA GH200 480GB", "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)" },
        { true, "NVIDIA H200", "GPU NVIDIA H200 SXM 141GB (incl baseboard share)" },
        { true, "NVIDIA B200", "GPU NVIDIA B200 SXM6 180GB (incl baseboard share)" },
        { true, "NVIDIA GB200", "GPU NVIDIA B200 SXM6 180GB (incl baseboard share)" },
        { true, "Tesla V100-SXM2-32GB", "GPU NVIDIA V100 SXM2" },
        { true, "Tesla P100-PCIE-16GB", "GPU NVIDIA P100" },
        { true, "NVIDIA L4", "GPU NVIDIA L4" },
        { true, "NVIDIA L40S", "GPU generic accelerator" },
        { true, "NVIDIA RTX A1000", "GPU generic accelerator" },
        { true, "AMD Instinct MI300X", "GPU AMD MI300X OAM 192GB (incl UBB share)" },
        { true, "AMD INSTINCT MI250X (MCM) OAM AC MBA", "GPU AMD MI250X OAM 128GB" },
        { true, "", "GPU generic accelerator" },
        { false, "AMD EPYC 7763 64-Core Processor",
          "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)" },
        { false, "AMD EPYC 7543P 32-Core Processor",
          "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)" },
        { false, "AMD EPYC 9654 96-Core Processor", "CPU AMD EPYC 9654 (Genoa, 1261 mm2)" },
        { false, "Intel(R) Xeon(R) Platinum 8480+",
          "CPU Intel Xeon Platinum 8480+/8468 (SPR, 1908 mm2)" },
        { false, "AMD EPYC 7742 64-Core Processor", "" },
        { false, "AMD EPYC 7313 16-Core Processor", "CPU generic" },
        { false, "", "CPU generic" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct bom bom;

        make_one(cases[i].gpu, cases[i].model, &bom);
        if (strcmp(bom.lines[0].factor, cases[i].factor) != 0)
            fail_msg("row %zu: %s: %s", i, cases[i].model, bom.lines[0].factor);
    }
}

/* 9.14 + 0.0197 x 1008 = 28.9976 kg */
static void a_rome_cpu_is_worked_out_from_its_dies(void **state)
{
    struct bom bom;

    (void)state;
    make_one(false, "AMD EPYC 7742 64-Core Processor", &bom);
    assert_int_equal(bom.lines[0].one.central_mg, 28997600);
    assert_int_equal(bom.lines[0].one.low_mg, 9140000);
    assert_int_equal(bom.lines[0].one.high_mg, 100 * MG);
    assert_non_null(strstr(bom.lines[0].source, "1008 mm2"));
}

static void the_sum_is_that_of_the_lines_and_each_name_is_its_own(void **state)
{
    struct bom_hardware hardware = { .packages = 2 };
    struct bom_figure sum = { 0, 0, 0 };
    static struct bom bom;

    (void)state;
    assert_int_equal(bom_count(&hardware.gpus, "NVIDIA A100-SXM4-40GB", 4, 0, BOM_SSD, NULL), 0);
    assert_int_equal(bom_count(&hardware.gpus, "NVIDIA A100-SXM4-40GB", 4, 0, BOM_SSD, NULL), 0);
    assert_int_equal(bom_count(&hardware.disks, "X \"y\" ${z}", 1, 100, BOM_SSD, NULL), 0);
    assert_int_equal(bom_count(&hardware.disks, "X \"y\" ${z}", 1, 100, BOM_DISK_UNKNOWN, NULL), 0);
    assert_int_equal(bom_count(&hardware.disks, "X", 1, 100, BOM_HDD, NULL), 0);
    assert_int_equal(bom_count(&hardware.nics, "a", 2, 0, BOM_SSD, NULL), 0);
    assert_int_equal(bom_make(&hardware, &table, &bom, NULL), 0);
    assert_int_equal(hardware.gpus.count, 1);
    assert_int_equal(bom.lines[0].count, 8);
    for (size_t i = 0; i < bom.count; i++) {
        const struct bom_line *line = &bom.lines[i];

        sum.low_mg += line->one.low_mg * line->count;
        sum.central_mg += line->one.central_mg * line->count;
        sum.high_mg += line->one.high_mg * line->count;
        ROW_HOLDS(i, line->name[strcspn(line->name, "\"$\\#{}")] == '\0');
        ROW_HOLDS(i, line->source[0] != '\0');
        for (size_t k = 0; k < i; k++)
            ROW_HOLDS(i, strcmp(bom.lines[k].name, line->name) != 0);
    }
    assert_int_equal(bom.sum.low_mg, sum.low_mg);
    assert_int_equal(bom.sum.central_mg, sum.central_mg);
    assert_int_equal(bom.sum.high_mg, sum.high_mg);
}

static void board_and_gpu_are_never_both_there(void **state)
{
    struct bom_hardware hardware = { .packages = 2 };
    static struct bom bom;

    (void)state;
    assert_int_equal(bom_count(&hardware.gpus, "NVIDIA H100 80GB HBM3", 8, 0, BOM_SSD, NULL), 0);
    assert_int_equal(bom_make(&hardware, &table, &bom, NULL), 0);
    for (size_t i = 0; i < bom.count; i++)
        ROW_HOLDS(i, strncmp(bom.lines[i].factor, "HGX", 3) != 0);
    assert_non_null(bom.lines[0].note);
    assert_non_null(strstr(bom.lines[0].note, "add no board"));
}

static void whole_nodes_of_the_kind_are_named(void **state)
{
    static const struct {
        const char *gpu;
        uint32_t gpus, packages;
        const char *first;
    } cases[] = {
        { "NVIDIA A100-SXM4-80GB", 8, 2, "GPU node 8x A100 complete" },
        { "NVIDIA A100-SXM4-80GB", 4, 2, NULL },
        { "NVIDIA H100 80GB HBM3", 8, 2, "GPU node 8x H100/H200/MI300X complete" },
        { "AMD Instinct MI300X", 8, 2, "GPU node 8x H100/H200/MI300X complete" },
        { NULL, 0, 2, "HPC compute node 2-socket (ARCHER2)" },
        { NULL, 0, 1, "Server generic (whole, ADEME)" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct bom_hardware hardware = { .packages = cases[i].packages };
        const struct embodied_factor *whole[BOM_WHOLE_MAX];
        size_t count;

        if (cases[i].gpu)
            assert_int_equal(bom_count(&hardware.gpus, cases[i].gpu, cases[i].gpus, 0, BOM_SSD,
                                       NULL), 0);
        count = bom_whole(&hardware, &table, whole);
        ROW_HOLDS(i, (count > 0) == (cases[i].first != NULL));
        ROW_HOLDS(i, count == 0 || strcmp(whole[0]->component, cases[i].first) == 0);
    }
}

static void a_table_without_a_row_is_told(void **state)
{
    struct bom_hardware hardware = { .packages = 1 };
    const struct factor_table empty = { NULL, 0 };
    struct error err = { "" };
    struct bom bom;

    (void)state;
    assert_int_equal(bom_make(&hardware, &empty, &bom, &err), -ENOENT);
    assert_string_equal(err.text, "embodied_factors.csv has no row \"Mainboard\"; use the table "
                                  "that is shipped, or add the row");
}

static void too_many_kinds_are_told(void **state)
{
    struct bom_parts parts = { .count = 0 };
    struct error err = { "" };
    char model[8];

    (void)state;
    for (int i = 0; i < BOM_KINDS_MAX; i++) {
        snprintf(model, sizeof(model), "m%d", i);
        assert_int_equal(bom_count(&parts, model, 1, 0, BOM_SSD, &err), 0);
    }
    assert_int_equal(bom_count(&parts, "m3", 2, 0, BOM_SSD, &err), 0);
    assert_int_equal(bom_total(&parts), BOM_KINDS_MAX + 2);
    assert_int_equal(bom_count(&parts, "one more", 1, 0, BOM_SSD, &err), -E2BIG);
    assert_non_null(strstr(err.text, "\"one more\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formulas_give_what_a_pocket_calculator_does),
        cmocka_unit_test(the_cpu_formula_gives_the_rows_of_the_table),
        cmocka_unit_test(memory_is_made_of_likely_modules),
        cmocka_unit_test(no_memory_has_no_modules),
        cmocka_unit_test(each_model_gets_the_row_that_is_its_own),
        cmocka_unit_test(a_rome_cpu_is_worked_out_from_its_dies),
        cmocka_unit_test(the_sum_is_that_of_the_lines_and_each_name_is_its_own),
        cmocka_unit_test(board_and_gpu_are_never_both_there),
        cmocka_unit_test(whole_nodes_of_the_kind_are_named),
        cmocka_unit_test(a_table_without_a_row_is_told),
        cmocka_unit_test(too_many_kinds_are_told),
    };

    return cmocka_run_group_tests(tests, read_table, clear_table);
}
