/*
 * bom.h - a bill of materials: from what a node is made of to what making it emitted
 *
 * Formulas of Boavizta (BoaviztAPI 2.4.1, after UBA "Green Cloud Computing" 2021), in kg CO2e:
 *
 *     CPU   9.14 + 0.0197 per mm2 of die
 *     DIMM  5.22 + 2.2 x GB / density, density 1.244 GB/cm2 (0.625 to 2.375)
 *     SSD   6.34 + 2.2 x GB / density, density 54.9 GB/cm2 (16.4 to 128)
 *
 * High figures come from the low density. What embodied_factors.csv knows (GPUs, HDDs, mainboard,
 * chassis, power supplies, assembly, some CPUs) is named as a factor instead. Pure.
 */
#ifndef CARBON_CARBON_BOM_H
#define CARBON_CARBON_BOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carbon/factor_table.h"
#include "core/error.h"

#define BOM_KINDS_MAX 16 /* different models of one sort in a node; more is a mistake */
#define BOM_NAME_SIZE 96 /* as names of assets */

struct bom_figure {
    uint64_t low_mg, central_mg, high_mg;
};

/* --- what a node is made of ------------------------------------------------------------------- */

enum bom_disk { BOM_SSD, BOM_HDD, BOM_DISK_UNKNOWN };

struct bom_part {
    char model[128]; /* as the hardware calls itself; "" not known */
    uint32_t count;
    uint64_t gb;     /* of one: memory modules and disks */
    unsigned disk;   /* enum bom_disk */
};

struct bom_parts {
    struct bom_part kinds[BOM_KINDS_MAX];
    size_t count;
};

struct bom_hardware {
    char product[96], host[256]; /* "" not known */
    bool virtual_machine;
    bool has_io;                 /* false: devices were not looked at */
    bool dimms_assumed;          /* modules were not counted */
    uint32_t packages, cores;
    uint64_t memory_gb;          /* GiB, as modules are sold; without memory of GPUs */
    struct bom_parts cpus, dimms, gpus, nics, disks;
};

/*
 * Count one more (or `count` more) of a kind, together with those of the same model, size and sort.
 * -E2BIG with the remedy beyond BOM_KINDS_MAX.
 */
MUST_CHECK int bom_count(struct bom_parts *parts, const char *model, uint32_t count, uint64_t gb,
                         enum bom_disk disk, struct error *err);

/*
 * Modules that make up memory_gb where nobody counted them: the smallest of 4, 8, … 256 GB with
 * which at most twelve a package do. Sets dimms and dimms_assumed.
 */
void bom_assume_dimms(struct bom_hardware *hardware);

uint32_t bom_total(const struct bom_parts *parts); /* of all kinds */

/* --- the bill --------------------------------------------------------------------------------- */

struct bom_line {
    char name[BOM_NAME_SIZE];    /* plain text without quotes; unique in the bill */
    uint32_t count;
    char factor[BOM_NAME_SIZE];  /* row of the table; "": figure and source below are a formula's */
    struct bom_figure one;       /* of one piece */
    char source[320];
    const char *note;            /* what was assumed; NULL: nothing */
};

#define BOM_LINES_MAX (5 * BOM_KINDS_MAX + 8)

struct bom {
    struct bom_line lines[BOM_LINES_MAX];
    size_t count;
    struct bom_figure sum;       /* of the whole node */
};

/* -ENOENT when `table` lacks a row that the bill needs, naming it. */
MUST_CHECK int bom_make(const struct bom_hardware *hardware, const struct factor_table *table,
                        struct bom *ret, struct error *err);

#define BOM_WHOLE_MAX 8
/* Rows of the table that stand for such a node as a whole, instead of a bill; how many. */
size_t bom_whole(const struct bom_hardware *hardware, const struct factor_table *table,
                 const struct embodied_factor *ret[BOM_WHOLE_MAX]);

/* The formulas. */
struct bom_figure bom_dimm(uint64_t gb);
struct bom_figure bom_ssd(uint64_t gb);
uint64_t bom_cpu_mg(uint64_t die_mm2);

#endif
