/* gpu_metrics.h: whatever an AMD GPU's firmware may say. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sensors/gpu_metrics.h"

static void check(const struct gpu_metrics *metrics)
{
    uint64_t energy_uj = 0;

    PROMISE(metrics->has_energy || metrics->energy_units == 0);
    PROMISE(metrics->has_power ? metrics->power_w < UINT16_MAX : metrics->power_w == 0);
    PROMISE(metrics->has_partitions == (metrics->partitions > 0));
    PROMISE(metrics->in_processor == (metrics->format == 2 || metrics->format == 3));
    PROMISE(!metrics->in_processor || !metrics->has_energy);
    if (gpu_metrics_energy_uj(metrics->energy_units, &energy_uj) == 0)
        PROMISE(energy_uj / 16 <= metrics->energy_units); /* 15.26 uJ each */
    else
        PROMISE(metrics->energy_units > UINT64_MAX / 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gpu_metrics metrics, before;
    struct error err = { "" };
    uint8_t *bytes = malloc(size ? size : 1); /* of their exact size, for the sanitizer */
    int rc;

    PROMISE(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    memset(&metrics, 0x5a, sizeof(metrics));
    before = metrics;
    rc = gpu_metrics_parse(bytes, size, &metrics, &err);
    if (fuzz_failed(rc, &err))
        PROMISE(memcmp(&metrics, &before, sizeof(metrics)) == 0);
    else
        check(&metrics);
    free(bytes);
    return 0;
}
