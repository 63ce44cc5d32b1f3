#include "config.h" /* FNM_CASEFOLD */

#include "sensors/power_models.h"

#include <fnmatch.h>

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
