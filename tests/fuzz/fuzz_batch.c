/*
 * batch.h: what batch_read() takes keeps B1 to B3 by a sum of our own, and is the same when it is
 * written and read again. An input is read as it is, and then with the end line that it would need,
 * since no fuzzer finds a CRC.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/batch.h"
#include "fuzz.h"

typedef unsigned __int128 wide;

static wide sum_rows(const struct batch *batch, unsigned component, int64_t hour_s)
{
    wide sum = 0;

    for (size_t i = 0; i < batch->n_energies; i++)
        if (batch->energies[i].component == component && batch->energies[i].hour_s == hour_s)
            sum += (wide)batch->energies[i].active_uj + batch->energies[i].idle_uj;
    return sum;
}

static wide sum_all_rows(const struct batch *batch, unsigned component)
{
    wide sum = 0;

    for (size_t i = 0; i < batch->n_energies; i++)
        if (batch->energies[i].component == component)
            sum += (wide)batch->energies[i].active_uj + batch->energies[i].idle_uj;
    return sum;
}

static void check_component(const struct batch *batch, unsigned component)
{
    wide totals = 0, stated = 0, counters = 0;

    for (size_t i = 0; i < batch->n_totals; i++) {
        const struct batch_total *total = &batch->totals[i];

        if (total->component != component)
            continue;
        PROMISE(sum_rows(batch, component, total->hour_s) == total->counted_uj); /* B1 */
        totals += total->counted_uj;
    }
    for (size_t i = 0; i < batch->n_components; i++)
        if (batch->components[i].component == component)
            stated += batch->components[i].end_uj - batch->components[i].begin_uj;
    for (size_t i = 0; i < batch->n_counters; i++)
        if (batch->counters[i].component == component)
            counters += batch->counters[i].counted_uj - batch->counters[i].counted_begin_uj;
    PROMISE(sum_all_rows(batch, component) == totals); /* B1: no row without a total */
    PROMISE(totals == stated); /* B2 */
    PROMISE(component == COMPONENT_OTHER || counters == stated); /* B3 */
}

static void check_owners(const struct batch *batch) /* B4 */
{
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        PROMISE(!(row->has & ENERGY_HAS_REF) || batch_find_job(batch, row->ref));
    }
    for (size_t i = 0; i < batch->n_powers; i++)
        PROMISE(batch_find_job(batch, batch->powers[i].ref));
}

static void check_same(const struct batch *batch)
{
    struct buf first, second;
    struct error err = { "" };
    struct batch again;
    char *text;

    buf_init(&first);
    buf_init(&second);
    batch_write(&first, batch);
    PROMISE(!buf_failed(&first));
    text = fuzz_text((const uint8_t *)first.data, first.len);
    PROMISE(batch_read(text, first.len, &again, &err) == 0);
    batch_write(&second, &again);
    PROMISE(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    batch_clear(&again);
    free(text);
    buf_free(&first);
    buf_free(&second);
}

static void try_text(const char *data, size_t size)
{
    char *text = fuzz_text((const uint8_t *)data, size);
    struct error err = { "" };
    struct batch batch;
    int rc = batch_read(text, size, &batch, &err);

    if (!fuzz_failed(rc, &err)) {
        for (unsigned i = 0; i < COMPONENT_COUNT; i++)
            check_component(&batch, i);
        check_owners(&batch);
        check_same(&batch);
    }
    batch_clear(&batch); /* empty after a failure */
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf buf;

    try_text((const char *)data, size);
    buf_init(&buf);
    buf_add(&buf, (const char *)data, size);
    if (size > 0 && data[size - 1] != '\n')
        buf_add(&buf, "\n", 1);
    buf_printf(&buf, "end %08" PRIx32 "\n",
               (uint32_t)crc32(0, (const Bytef *)buf.data, (uInt)buf.len));
    try_text(buf.data, buf.len);
    buf_free(&buf);
    return 0;
}
