#include "config.h"

#include "carbon/emissions.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "carbon/csv_rows.h"
#include "core/timespec.h"

#define NUMBER_MAX 1e15     /* more than any figure of a row */
#define LOCAL_LEN 19        /* of "2026-11-20T11:25:00" */

enum { COL_TIMESTAMP, COL_RUN_ID, COL_DURATION, COL_EMISSIONS, COL_CPU_POWER, COL_RAM_POWER,
       COL_CPU_ENERGY, COL_GPU_ENERGY, COL_RAM_ENERGY, COL_ENERGY, COL_COUNTRY, COL_VERSION,
       COL_MODE, COL_CPU_COUNT, COL_GPU_COUNT, COL_PUE };
static const char *const columns[] = {
    "timestamp", "run_id", "duration", "emissions", "cpu_power", "ram_power", "cpu_energy",
    "gpu_energy", "ram_energy", "energy_consumed", "country_iso_code", "codecarbon_version",
    "tracking_mode", "?cpu_count", "?gpu_count", "?pue", NULL,
};

struct list {
    struct emissions_row *rows;
    size_t count;
};

/* As Python prints a float: "42.5", "5.62e-07", "0" */
static int take_number(const struct csv_row *row, size_t column, double *ret)
{
    const char *text = row->fields[column];
    double number;
    int len = 0;

    if (text[strspn(text, "0123456789.eE+-")] != '\0' || strlen(text) > 40 ||
        sscanf(text, "%lf%n", &number, &len) != 1 || text[len] != '\0' || !isfinite(number))
        return csv_bad_field(row, column, "CodeCarbon writes a number here");
    if (number < 0 || number > NUMBER_MAX)
        return csv_bad_field(row, column, "no such amount can be");
    *ret = number;
    return 0;
}

/* A number that may be missing, or empty. */
static int take_maybe(const struct csv_row *row, size_t column, double otherwise, double *ret)
{
    *ret = otherwise;
    return row->fields[column] && row->fields[column][0] ? take_number(row, column, ret) : 0;
}

/* Names are for people alone: cut where they are too long. */
static void take_name(const struct csv_row *row, size_t column, char *room, size_t size)
{
    snprintf(room, size, "%.*s", (int)size - 1, row->fields[column]);
}

/* "", "Z", "+01:00": false when it is none; *ret_s is what UTC lacks to it. */
static bool read_offset(const char *text, bool *ret_has, int64_t *ret_s)
{
    unsigned hours, minutes;
    int len = 0;
    char sign;

    *ret_has = text[0] != '\0';
    *ret_s = 0;
    if (!*ret_has || strcmp(text, "Z") == 0)
        return true;
    if (sscanf(text, "%c%2u:%2u%n", &sign, &hours, &minutes, &len) != 3 || text[len] != '\0' ||
        (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
        return false;
    *ret_s = (sign == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

static int take_timestamp(const struct csv_row *row, struct emissions_row *ret)
{
    const char *text = row->fields[COL_TIMESTAMP], *rest;
    static const char remedy[] = "write a time such as 2026-11-20T11:25:00";
    char local[LOCAL_LEN + 1];
    int64_t offset_s;
    bool has_offset;
    struct tm tm = { 0 };

    snprintf(local, sizeof(local), "%.*s", LOCAL_LEN, text);
    if (strlen(local) != LOCAL_LEN || local[10] != 'T' ||
        timespec_parse(local, 0, &ret->end_s, NULL) < 0)
        return csv_bad_field(row, COL_TIMESTAMP, remedy);
    rest = text + LOCAL_LEN;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!read_offset(rest, &has_offset, &offset_s))
        return csv_bad_field(row, COL_TIMESTAMP, remedy);
    if (has_offset) {
        strptime(local, "%Y-%m-%dT%H:%M:%S", &tm);
        ret->end_s = (int64_t)timegm(&tm) - offset_s;
    }
    take_name(row, COL_TIMESTAMP, ret->timestamp, sizeof(ret->timestamp));
    return 0;
}

static int take_numbers(const struct csv_row *row, struct emissions_row *ret)
{
    const struct {
        size_t column;
        double *number;
    } numbers[] = {
        { COL_DURATION, &ret->duration_s }, { COL_EMISSIONS, &ret->emissions_g },
        { COL_CPU_POWER, &ret->cpu_w },     { COL_RAM_POWER, &ret->memory_w },
        { COL_CPU_ENERGY, &ret->cpu_kwh },  { COL_GPU_ENERGY, &ret->gpu_kwh },
        { COL_RAM_ENERGY, &ret->memory_kwh }, { COL_ENERGY, &ret->total_kwh },
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(numbers) / sizeof(*numbers); i++)
        rc = take_number(row, numbers[i].column, numbers[i].number);
    if (rc == 0)
        rc = take_maybe(row, COL_CPU_COUNT, 0, &ret->cpu_count);
    if (rc == 0)
        rc = take_maybe(row, COL_GPU_COUNT, 0, &ret->gpu_count);
    if (rc == 0)
        rc = take_maybe(row, COL_PUE, 1, &ret->pue);
    if (rc == 0 && ret->pue < 1)
        rc = csv_bad_field(row, COL_PUE, "a PUE is 1 or more");
    if (rc == 0 && ret->duration_s <= 0)
        rc = csv_bad_field(row, COL_DURATION, "nothing lasts so long");
    return rc;
}

static int take_row(void *arg, const struct csv_row *row)
{
    struct list *list = arg;
    struct emissions_row one = { .line = row->line };
    struct emissions_row *grown;
    int rc = take_timestamp(row, &one);

    if (rc == 0)
        rc = take_numbers(row, &one);
    if (rc < 0)
        return rc;
    one.emissions_g *= 1000; /* kg in the file */
    one.cpu_kwh /= one.pue;
    one.gpu_kwh /= one.pue;
    one.memory_kwh /= one.pue;
    one.total_kwh /= one.pue;
    take_name(row, COL_RUN_ID, one.run_id, sizeof(one.run_id));
    take_name(row, COL_VERSION, one.version, sizeof(one.version));
    take_name(row, COL_COUNTRY, one.country, sizeof(one.country));
    take_name(row, COL_MODE, one.tracking_mode, sizeof(one.tracking_mode));
    grown = realloc(list->rows, (list->count + 1) * sizeof(*grown));
    if (!grown)
        return error_set(row->err, -ENOMEM, "%s: out of memory", row->name);
    list->rows = grown;
    grown[list->count++] = one;
    return 0;
}

int emissions_parse(const char *text, const char *name, struct emissions_row **ret,
                    size_t *ret_count, struct error *err)
{
    struct list list = { NULL, 0 };
    int rc = csv_rows(text, name, columns, take_row, &list, err);

    if (rc == 0 && list.count == 0)
        rc = error_set(err, -EBADMSG, "%s: no row below the header: CodeCarbon writes one when a "
                       "tracker stops", name);
    if (rc < 0) {
        free(list.rows);
        return rc;
    }
    *ret = list.rows;
    *ret_count = list.count;
    return 0;
}

void emissions_add(struct emissions_row *sum, const struct emissions_row *row)
{
    struct emissions_row before = *sum;
    double facility_kwh = before.total_kwh * before.pue + row->total_kwh * row->pue;

    *sum = *row;
    sum->duration_s += before.duration_s;
    sum->cpu_kwh += before.cpu_kwh;
    sum->memory_kwh += before.memory_kwh;
    sum->gpu_kwh += before.gpu_kwh;
    sum->total_kwh += before.total_kwh;
    sum->emissions_g += before.emissions_g;
    if (sum->total_kwh > 0)
        sum->pue = facility_kwh / sum->total_kwh;
}
