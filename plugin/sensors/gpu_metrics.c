#include "sensors/gpu_metrics.h"

#include <errno.h>

__extension__ typedef unsigned __int128 wide;

#define HEADER_SIZE 4
#define FORMAT_CARD 1
#define CONTENT_LIST 9 /* v1.9 */

/*
 * Where the fields are, in bytes, 0: nowhere. From drivers/gpu/drm/amd/include/kgd_pp_interface.h,
 * struct gpu_metrics_v1_0 to v1_8 with natural alignment. Of v1.6 there are three: short, with the
 * activity of its decoders, and with its partitions as kernels of today have it.
 */
static const struct layout {
    uint8_t content;
    uint16_t size;
    uint16_t energy_at, energy_size;
    uint16_t power_at; /* u16, watts */
    uint16_t partitions_at; /* u16 */
    bool unit_stated;
} layouts[] = {
    { 0, 80,   36, 4, 34, 0,   false },
    { 1, 96,   24, 8, 22, 0,   false },
    { 2, 104,  24, 8, 22, 0,   false },
    { 3, 120,  24, 8, 22, 0,   false },
    { 4, 288,  24, 8, 10, 0,   true },
    { 5, 360,  88, 8, 10, 0,   true },
    { 6, 312,  16, 8, 10, 0,   true },
    { 6, 384,  88, 8, 10, 0,   true },
    { 6, 1664, 16, 8, 10, 306, true },
    { 7, 2208, 24, 8, 10, 338, true },
    { 8, 3872, 24, 8, 10, 338, true },
};

#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static uint64_t get(const uint8_t *bytes, size_t at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = size; i > 0; i--)
        value = value << 8 | bytes[at + i - 1];
    return value;
}

/* False where the kernel left the field as it was: all ones. */
static bool take(const uint8_t *bytes, size_t at, size_t size, uint64_t *ret_value)
{
    *ret_value = get(bytes, at, size);
    return *ret_value != UINT64_MAX >> (64 - 8 * size);
}

static void take_power(struct gpu_metrics *metrics, const uint8_t *bytes, size_t at)
{
    uint64_t value;

    metrics->has_power = take(bytes, at, 2, &value);
    metrics->power_w = metrics->has_power ? (uint32_t)value : 0;
}

static void take_partitions(struct gpu_metrics *metrics, const uint8_t *bytes, size_t at)
{
    uint64_t value;

    metrics->has_partitions = take(bytes, at, 2, &value) && value > 0;
    metrics->partitions = metrics->has_partitions ? (uint32_t)value : 0;
}

static void take_energy(struct gpu_metrics *metrics, const uint8_t *bytes, size_t at, size_t size)
{
    metrics->has_energy = take(bytes, at, size, &metrics->energy_units);
    if (!metrics->has_energy)
        metrics->energy_units = 0;
}

static const struct layout *find_layout(unsigned content, size_t size)
{
    for (size_t i = 0; i < N_LAYOUTS; i++)
        if (layouts[i].content == content && layouts[i].size == size)
            return &layouts[i];
    return NULL;
}

static int parse_layout(const uint8_t *bytes, size_t size, struct gpu_metrics *metrics,
                        struct error *err)
{
    const struct layout *layout = find_layout(metrics->content, size);

    if (!layout)
        return error_set(err, -EPROTONOSUPPORT, "gpu_metrics v1.%u of %zu bytes is not known",
                         metrics->content, size);
    metrics->unit_stated = layout->unit_stated;
    take_energy(metrics, bytes, layout->energy_at, layout->energy_size);
    take_power(metrics, bytes, layout->power_at);
    if (layout->partitions_at)
        take_partitions(metrics, bytes, layout->partitions_at);
    return 0;
}

/*
 * v1.9: s32 count, then for each attribute a u64 (bits 24-31 unit, 20-23 type, 10-19 id, 0-9 number
 * of values) and its values, packed. AMDGPU_METRICS_ENC_ATTR of kgd_pp_interface.h and
 * DECLARE_SMU_METRICS_CLASS of smu_cmn.h, Linux 6.19.
 */
#define LIST_AT 8
#define ATTRIBUTE_SIZE 8
#define ID_POWER 3
#define ID_ENERGY 7
#define ID_PARTITIONS 38
#define TYPE_U16 2
#define TYPE_U64 6
#define UNIT_NONE 0
#define UNIT_WATT 3

struct attribute {
    unsigned unit, type, id, count;
    size_t at, size; /* of its values */
};

/* The attribute at `at`; false when it does not fit or is of no known type. */
static bool read_attribute(const uint8_t *bytes, size_t size, size_t at, struct attribute *ret)
{
    static const uint8_t type_size[] = { 1, 1, 2, 2, 4, 4, 8, 8 }; /* u8 s8 u16 s16 … s64 */
    uint64_t what;

    if (size - at < ATTRIBUTE_SIZE)
        return false;
    what = get(bytes, at, ATTRIBUTE_SIZE);
    ret->unit = what >> 24 & 0xff;
    ret->type = what >> 20 & 0xf;
    ret->id = what >> 10 & 0x3ff;
    ret->count = what & 0x3ff;
    ret->at = at + ATTRIBUTE_SIZE;
    if (what >> 32 != 0 || ret->type >= sizeof(type_size))
        return false;
    ret->size = (size_t)ret->count * type_size[ret->type];
    return size - ret->at >= ret->size;
}

static void take_attribute(const uint8_t *bytes, const struct attribute *attribute,
                           struct gpu_metrics *metrics)
{
    if (attribute->count != 1)
        return;
    /* "none" is how the kernel writes its unit of 2^-16 J; any other would be another quantity */
    if (attribute->id == ID_ENERGY && attribute->type == TYPE_U64 && attribute->unit == UNIT_NONE)
        take_energy(metrics, bytes, attribute->at, 8);
    else if (attribute->id == ID_POWER && attribute->type == TYPE_U16 &&
             attribute->unit == UNIT_WATT)
        take_power(metrics, bytes, attribute->at);
    else if (attribute->id == ID_PARTITIONS && attribute->type == TYPE_U16)
        take_partitions(metrics, bytes, attribute->at);
}

static int parse_list(const uint8_t *bytes, size_t size, struct gpu_metrics *metrics,
                      struct error *err)
{
    struct attribute attribute = { 0 };
    size_t at = LIST_AT;
    uint64_t count;

    if (size < LIST_AT)
        return error_set(err, -EBADMSG, "gpu_metrics v1.9 ends before its list");
    count = get(bytes, HEADER_SIZE, 4);
    for (uint64_t i = 0; i < count; i++) {
        if (!read_attribute(bytes, size, at, &attribute))
            return error_set(err, -EBADMSG, "gpu_metrics v1.9: attribute %ju of %ju at byte %zu "
                             "does not fit", (uintmax_t)i, (uintmax_t)count, at);
        take_attribute(bytes, &attribute, metrics);
        at = attribute.at + attribute.size;
    }
    if (at != size)
        return error_set(err, -EBADMSG, "gpu_metrics v1.9 has %zu bytes after its list", size - at);
    metrics->unit_stated = true;
    return 0;
}

int gpu_metrics_parse(const uint8_t *bytes, size_t size, struct gpu_metrics *ret_metrics,
                      struct error *err)
{
    struct gpu_metrics metrics = { 0 };
    size_t stated;
    int rc = 0;

    if (size < HEADER_SIZE)
        return error_set(err, -EBADMSG, "gpu_metrics has %zu bytes and no header", size);
    stated = (size_t)get(bytes, 0, 2);
    metrics.format = bytes[2];
    metrics.content = bytes[3];
    if (stated != size)
        return error_set(err, -EBADMSG, "gpu_metrics v%u.%u says %zu bytes and has %zu",
                         metrics.format, metrics.content, stated, size);
    metrics.in_processor = metrics.format == 2 || metrics.format == 3;
    if (metrics.format == FORMAT_CARD && metrics.content == CONTENT_LIST)
        rc = parse_list(bytes, size, &metrics, err);
    else if (metrics.format == FORMAT_CARD)
        rc = parse_layout(bytes, size, &metrics, err);
    else if (!metrics.in_processor)
        rc = error_set(err, -EPROTONOSUPPORT, "gpu_metrics v%u.%u is not known", metrics.format,
                       metrics.content);
    if (rc == 0)
        *ret_metrics = metrics;
    return rc;
}

int gpu_metrics_energy_uj(uint64_t units, uint64_t *ret_energy_uj)
{
    wide energy_uj = (wide)units * 15625 / 1024; /* 10^6 / 2^16 */

    if (energy_uj > UINT64_MAX)
        return -EBADMSG;
    *ret_energy_uj = (uint64_t)energy_uj;
    return 0;
}
