/*
 * grid_import.h: any text as a file of intensities, once as it is and once with what a file may
 * leave out told by options. What is taken is in order and within bounds, and is the same when it
 * is written in our own format and read again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/grid_import.h"
#include "core/buf.h"
#include "core/clock.h"
#include "fuzz.h"

static struct grid_import *read_text(const struct grid_import_options *options, const char *text,
                                     size_t size)
{
    struct grid_import *import = grid_import_new(options);
    enum grid_format format = GRID_FORMATS;
    struct error err = { "" };
    int rc;

    PROMISE(import);
    rc = grid_import_read(import, "grid", text, size, &format, &err);
    if (!fuzz_failed(rc, &err)) {
        PROMISE(format > GRID_ANY && format < GRID_FORMATS);
        rc = grid_import_end(import, &err);
    }
    return fuzz_failed(rc, &err) ? grid_import_free(import) : import;
}

static void check_series(const struct grid_import_series *series)
{
    size_t estimated = 0;
    int64_t missing_s = 0;

    PROMISE(series->count > 0 && series->zone[0] != '\0' && series->source[0] != '\0');
    for (size_t i = 0; i < series->count; i++) {
        const struct grid_interval *interval = &series->intervals[i];

        PROMISE(interval->begin_s < interval->end_s);
        PROMISE(interval->ug_per_kwh <= UG_PER_KWH_MAX);
        PROMISE(interval->ug_per_kwh >= series->min_ug && interval->ug_per_kwh <= series->max_ug);
        PROMISE(i == 0 || interval[-1].end_s <= interval->begin_s);
        missing_s += i == 0 ? 0 : interval->begin_s - interval[-1].end_s;
        estimated += interval->estimated;
    }
    PROMISE(estimated == series->estimated && missing_s == series->missing_s);
    PROMISE(series->min_ug <= series->mean_ug && series->mean_ug <= series->max_ug);
}

static void add_time(struct buf *buf, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    buf_printf(buf, "%s,", text);
}

static void write_own(struct buf *buf, const struct grid_import_series *series)
{
    buf_printf(buf, "start_utc,end_utc,gco2e_per_kwh,zone,basis,scope,estimated,source\n");
    for (size_t i = 0; i < series->count; i++) {
        const struct grid_interval *interval = &series->intervals[i];

        add_time(buf, interval->begin_s);
        add_time(buf, interval->end_s);
        buf_printf(buf, "%" PRIu64 ".%06" PRIu64 ",%s,%s,%s,%d,\"", interval->ug_per_kwh / 1000000,
                   interval->ug_per_kwh % 1000000, series->zone, series->basis, series->scope,
                   interval->estimated);
        for (const char *c = series->source; *c; c++)
            buf_printf(buf, *c == '"' ? "\"\"" : "%c", *c);
        buf_printf(buf, "\"\n");
    }
    PROMISE(!buf_failed(buf));
}

/* Offsets and ends of months lead out of the years that may be written, 1970 to 2199. */
static bool can_be_written(const struct grid_import_series *series)
{
    return series->intervals[0].begin_s >= 0 &&
           series->intervals[series->count - 1].end_s < INT64_C(7258118400);
}

static void check_same(const struct grid_import_series *series)
{
    const struct grid_import_options options = { .format = GRID_CSV, .allow_gaps = true };
    const struct grid_import_series *again;
    struct grid_import *import;
    struct buf buf;

    buf_init(&buf);
    write_own(&buf, series);
    import = read_text(&options, buf.data, buf.len);
    PROMISE(import && grid_import_count(import) == 1);
    again = grid_import_at(import, 0);
    PROMISE(again->count == series->count && again->mean_ug == series->mean_ug);
    PROMISE(strcmp(again->source, series->source) == 0);
    for (size_t i = 0; i < series->count; i++) {
        PROMISE(again->intervals[i].begin_s == series->intervals[i].begin_s);
        PROMISE(again->intervals[i].end_s == series->intervals[i].end_s);
        PROMISE(again->intervals[i].ug_per_kwh == series->intervals[i].ug_per_kwh);
        PROMISE(again->intervals[i].estimated == series->intervals[i].estimated);
    }
    grid_import_free(import);
    buf_free(&buf);
}

static void try_options(const struct grid_import_options *options, const char *text, size_t size)
{
    struct grid_import *import = read_text(options, text, size);

    for (size_t i = 0; import && i < grid_import_count(import); i++) {
        check_series(grid_import_at(import, i));
        if (can_be_written(grid_import_at(import, i)))
            check_same(grid_import_at(import, i));
    }
    grid_import_free(import);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct grid_import_options none;
    static const struct grid_import_options own = {
        .zone = "FR", .basis = "direct", .scope = "generation", .source = "a site",
        .allow_gaps = true,
    };
    char *text = fuzz_text(data, size);

    try_options(&none, text, size);
    try_options(&own, text, size);
    free(text);
    return 0;
}
