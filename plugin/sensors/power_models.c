#include "config.h" /* FNM_CASEFOLD */

#include "sensors/power_models.h"

#include <fnmatch.h>

#include "sensors/pci.h"

/*
 * Not in it: Arm's and Fujitsu's, for which the source has no measurements of its own (it takes an
 * EPYC's for Graviton). EPYC 9xx5 has the row of 9xx4: the source's mean of the fifth generation,
 * 3.7 to 9.0 W a thread, is that of small parts, several times what these draw.
 */
static const struct power_model rows[] = {
    { "AMD EPYC 7??1*", "EPYC 1st generation", 846788, 2604167 },
    { "AMD EPYC 7??2*", "EPYC 2nd generation", 474262, 1692962 },
    { "AMD EPYC 7??3*", "EPYC 3rd generation", 455625, 1957334 },
    { "AMD EPYC [89]??4*", "EPYC 4th generation", 739148, 2282155 },
    { "AMD EPYC 9??5*", "EPYC 5th generation, as the 4th", 739148, 2282155 },
    { "Intel(R) Xeon(R) CPU E5-[124]6?? v3*", "Haswell", 1857353, 5595384 },
    { "Intel(R) Xeon(R) CPU E5-[124]6??? v3*", "Haswell", 1857353, 5595384 },
    { "Intel(R) Xeon(R) CPU E5-[124]6?? v4*", "Broadwell", 712834, 3685328 },
    { "Intel(R) Xeon(R) CPU E5-[124]6??? v4*", "Broadwell", 712834, 3685328 },
    { "Intel(R) Xeon(R) [PGSB]* [34568]1??*", "Skylake", 612989, 4104170 },
    { "Intel(R) Xeon(R) [PGSB]* [345689]2??*", "Cascade Lake", 690298, 4063194 },
    { "Intel(R) Xeon(R) [PGSB]* [34568]3??*", "Ice Lake", 766797, 3758203 },
    { "Intel(R) Xeon(R) [PGSB]* [34568]4??*", "Sapphire Rapids", 1036286, 4160476 },
    { "Intel(R) Xeon(R) [PGSB]* [34568]5??*", "Emerald Rapids", 814010, 4482031 },
    { "Intel(R) Xeon(R) 6[579]??P*", "Granite Rapids", 581588, 2527471 },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct power_model *power_models_row(size_t index)
{
    return index < N_ROWS ? &rows[index] : NULL;
}

const struct power_model *power_models_find(const char *model_name)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (fnmatch(rows[i].pattern, model_name, FNM_CASEFOLD) == 0)
            return &rows[i];
    return NULL;
}

static const struct gpu_model gpu_rows[] = {
    { PCI_NVIDIA, 0x15f7, 250, 1, "P100 PCIe 12GB" }, /* PB-08248-001 */
    { PCI_NVIDIA, 0x15f8, 250, 1, "P100 PCIe 16GB" },
    { PCI_NVIDIA, 0x15f9, 300, 1, "P100 SXM2" },
    { PCI_NVIDIA, 0x1db1, 300, 1, "V100 SXM2 16GB" },
    { PCI_NVIDIA, 0x1db5, 300, 1, "V100 SXM2 32GB" },
    { PCI_NVIDIA, 0x1db4, 250, 1, "V100 PCIe 16GB" }, /* PB-08744-001 */
    { PCI_NVIDIA, 0x1db6, 250, 1, "V100 PCIe 32GB" },
    { PCI_NVIDIA, 0x1eb8, 70, 1, "T4" },
    { PCI_NVIDIA, 0x20b0, 400, 1, "A100 SXM4 40GB" },
    { PCI_NVIDIA, 0x20b2, 400, 1, "A100 SXM4 80GB" },
    { PCI_NVIDIA, 0x20b1, 250, 1, "A100 PCIe 40GB" }, /* PB-10137-001 */
    { PCI_NVIDIA, 0x20f1, 250, 1, "A100 PCIe 40GB" },
    { PCI_NVIDIA, 0x20b5, 300, 1, "A100 PCIe 80GB" }, /* PB-10577-001 */
    { PCI_NVIDIA, 0x20b7, 165, 1, "A30" },
    { PCI_NVIDIA, 0x2230, 300, 1, "RTX A6000" },
    { PCI_NVIDIA, 0x2235, 300, 1, "A40" }, /* PB-09976-001 */
    { PCI_NVIDIA, 0x2236, 150, 1, "A10" },
    { PCI_NVIDIA, 0x26b5, 300, 1, "L40" },
    { PCI_NVIDIA, 0x26b9, 350, 1, "L40S" },
    { PCI_NVIDIA, 0x27b8, 72, 1, "L4" },
    { PCI_NVIDIA, 0x2330, 700, 1, "H100 SXM5" },
    { PCI_NVIDIA, 0x2331, 350, 1, "H100 PCIe" }, /* PB-11133-001 */
    { PCI_NVIDIA, 0x2335, 700, 1, "H200 SXM" },
    { PCI_NVIDIA, 0x2342, 0, 1, "GH200" },
    { PCI_NVIDIA, 0x2343, 0, 1, "GH200" },
    { PCI_NVIDIA, 0x2345, 0, 1, "GH200" },
    { PCI_NVIDIA, 0x2348, 0, 1, "GH200" },
    { PCI_AMD, 0x738c, 300, 1, "Instinct MI100" },
    { PCI_AMD, 0x738e, 300, 1, "Instinct MI100" },
    { PCI_AMD, 0x740f, 300, 1, "Instinct MI210" },
    { PCI_AMD, 0x7408, 560, 2, "Instinct MI250X" }, /* 500 W, peak 560 W */
    { PCI_AMD, 0x740c, 560, 2, "Instinct MI250" },
    { PCI_AMD, 0x74a0, 0, 1, "Instinct MI300A" },
    { PCI_AMD, 0x74a1, 750, 1, "Instinct MI300X" },
    { PCI_INTEL, 0x0bd5, 600, 1, "Intel Max 1550" },
    { PCI_INTEL, 0x0bd6, 600, 1, "Intel Max 1550" },
    { PCI_INTEL, 0x0bd9, 300, 1, "Intel Max 1100" },
    { PCI_INTEL, 0x0bda, 300, 1, "Intel Max 1100" },
    { PCI_INTEL, 0x0bdb, 300, 1, "Intel Max 1100" },
};

const struct gpu_model *gpu_models_row(size_t index)
{
    return index < sizeof(gpu_rows) / sizeof(gpu_rows[0]) ? &gpu_rows[index] : NULL;
}

const struct gpu_model *gpu_models_find(uint16_t vendor, uint16_t device)
{
    const struct gpu_model *row;

    for (size_t i = 0; (row = gpu_models_row(i)); i++)
        if (row->vendor == vendor && row->device == device)
            return row;
    return NULL;
}
