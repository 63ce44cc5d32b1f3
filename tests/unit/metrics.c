#include "metrics.h"

#include <assert.h>
#include <string.h>

/*
 * The compiler places the fields: fields of one size stand together as they do in the kernel's
 * structures, and the places in the product's table are numbers, so each checks the other.
 */
struct header {
    uint16_t size;
    uint8_t format, content;
};

struct partition_0 {
    uint32_t busy[8];
    uint16_t jpeg[32], vcn[4];
    uint64_t busy_sum[8];
};

struct partition_1 {
    struct partition_0 first;
    uint64_t below_limit[8];
};

struct partition_2 {
    uint32_t busy[8];
    uint16_t jpeg[40], vcn[4];
    uint64_t busy_sum[8], below_limit[4][8];
};

struct v0 {
    struct header header;
    uint64_t clock_ns;
    uint16_t temperature[6], activity[3], power;
    uint32_t energy;
    uint16_t clocks[14];
    uint32_t throttle;
    uint16_t fan;
    uint8_t link[2];
};

struct v1 {
    struct header header;
    uint16_t temperature[6], activity[3], power;
    uint64_t energy, clock_ns;
    uint16_t clocks[14];
    uint32_t throttle;
    uint16_t fan, link[2], padding;
    uint32_t activity_sum[2];
    uint16_t hbm[4];
};

struct v2 {
    struct v1 first;
    uint64_t firmware_time;
};

struct v3 {
    struct v2 first;
    uint16_t voltage[3], padding;
    uint64_t throttle;
};

struct v4 {
    struct header header;
    uint16_t temperature[3], power, activity[2], vcn[4];
    uint64_t energy, clock_ns;
    uint32_t throttle, lock;
    uint16_t links[4];
    uint32_t activity_sum[2];
    uint64_t pcie[5], xgmi[16], firmware_time;
    uint16_t clocks[8 + 4 + 4 + 4 + 1], padding;
};

struct v5 {
    struct header header;
    uint16_t temperature[3], power, activity[2], vcn[4], jpeg[32];
    uint64_t energy, clock_ns;
    uint32_t throttle, lock;
    uint16_t links[4];
    uint32_t activity_sum[2];
    uint64_t pcie[5];
    uint32_t nak[2];
    uint64_t xgmi[16], firmware_time;
    uint16_t clocks[8 + 4 + 4 + 4 + 1], padding;
};

struct v6_busy {
    struct header header;
    uint16_t temperature[3], power, activity[2], vcn[4], jpeg[32];
    uint64_t energy, clock_ns;
    uint32_t residency[6], throttle, lock;
    uint16_t links[4];
    uint32_t activity_sum[2];
    uint64_t pcie[5];
    uint32_t nak[2];
    uint64_t xgmi[16], firmware_time;
    uint16_t clocks[8 + 4 + 4 + 4 + 1], padding;
};

struct v6_short {
    struct header header;
    uint16_t temperature[3], power, activity[2];
    uint64_t energy, clock_ns;
    uint32_t residency[6], lock;
    uint16_t links[4];
    uint32_t activity_sum[2];
    uint64_t pcie[5];
    uint32_t nak[2];
    uint64_t xgmi[16], firmware_time;
    uint16_t clocks[8 + 4 + 4 + 4 + 1], partitions;
};

struct v6 {
    struct v6_short first;
    struct partition_0 partition[8];
    uint32_t recovery;
};

struct v7_head {
    struct header header;
    uint16_t temperature[3], power, activity[2];
    uint64_t bandwidth, energy, clock_ns;
    uint32_t residency[6], lock;
    uint16_t links[4];
    uint32_t activity_sum[2];
    uint64_t pcie[5];
    uint32_t nak[2];
    uint64_t xgmi[16];
    uint16_t xgmi_status[8], padding;
    uint64_t firmware_time;
    uint16_t clocks[8 + 4 + 4 + 4 + 1], partitions;
};

struct v7 {
    struct v7_head first;
    struct partition_1 partition[8];
    uint32_t recovery;
};

struct v8 {
    struct v7_head first;
    struct partition_2 partition[8];
    uint32_t recovery;
};

#define AT(type, field) offsetof(struct type, field)

static const struct layout {
    unsigned content;
    size_t size, energy_at, energy_size, power_at, partitions_at;
} layouts[] = {
    {0, sizeof(struct v0), AT(v0, energy), 4, AT(v0, power), 0},
    {1, sizeof(struct v1), AT(v1, energy), 8, AT(v1, power), 0},
    {2, sizeof(struct v2), AT(v1, energy), 8, AT(v1, power), 0},
    {3, sizeof(struct v3), AT(v1, energy), 8, AT(v1, power), 0},
    {4, sizeof(struct v4), AT(v4, energy), 8, AT(v4, power), 0},
    {5, sizeof(struct v5), AT(v5, energy), 8, AT(v5, power), 0},
    {6, sizeof(struct v6_short), AT(v6_short, energy), 8, AT(v6_short, power), 0},
    {6, sizeof(struct v6_busy), AT(v6_busy, energy), 8, AT(v6_busy, power), 0},
    {6, sizeof(struct v6), AT(v6_short, energy), 8, AT(v6_short, power), AT(v6_short, partitions)},
    {7, sizeof(struct v7), AT(v7_head, energy), 8, AT(v7_head, power), AT(v7_head, partitions)},
    {8, sizeof(struct v8), AT(v7_head, energy), 8, AT(v7_head, power), AT(v7_head, partitions)},
};

size_t metrics_count(void)
{
    return sizeof(layouts) / sizeof(layouts[0]);
}

unsigned metrics_content(size_t layout)
{
    return layouts[layout].content;
}

size_t metrics_size(size_t layout)
{
    return layouts[layout].size;
}

int metrics_has_partitions(size_t layout)
{
    return layouts[layout].partitions_at > 0;
}

int metrics_is_narrow(size_t layout)
{
    return layouts[layout].energy_size == 4;
}

int metrics_states_unit(size_t layout)
{
    return layouts[layout].content >= 4;
}

size_t metrics_find(unsigned content)
{
    size_t found = 0;

    for (size_t i = 0; i < metrics_count(); i++)
        if (layouts[i].content == content)
            found = i;
    return found;
}

static void put(uint8_t *room, size_t at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        room[at + i] = (uint8_t)(value >> (8 * i));
}

size_t metrics_make_other(uint8_t room[METRICS_ROOM], unsigned format, unsigned content,
                          size_t size)
{
    memset(room, 0xff, METRICS_ROOM);
    put(room, 0, size, 2);
    room[2] = (uint8_t)format;
    room[3] = (uint8_t)content;
    return size;
}

size_t metrics_make(uint8_t room[METRICS_ROOM], size_t layout, const struct metrics_values *values)
{
    const struct layout *place = &layouts[layout];

    metrics_make_other(room, 1, place->content, place->size);
    put(room, place->energy_at, values->energy_units, place->energy_size);
    put(room, place->power_at, values->power_w, 2);
    if (place->partitions_at)
        put(room, place->partitions_at, values->partitions, 2);
    return place->size;
}

size_t metrics_list_begin(uint8_t room[METRICS_ROOM], uint32_t count)
{
    metrics_make_other(room, 1, 9, 8);
    put(room, 4, count, 4);
    return 8;
}

size_t metrics_list_add(uint8_t room[METRICS_ROOM], size_t size, unsigned unit, unsigned type,
                        unsigned id, unsigned count, uint64_t value)
{
    size_t value_size = (size_t)1 << (type / 2);

    put(room, size, (uint64_t)unit << 24 | type << 20 | id << 10 | count, 8);
    size += 8;
    for (unsigned i = 0; i < count; i++, size += value_size) {
        assert(size + value_size <= METRICS_ROOM);
        put(room, size, value, value_size);
    }
    return size;
}

size_t metrics_list_end(uint8_t room[METRICS_ROOM], size_t size)
{
    put(room, 0, size, 2);
    return size;
}

size_t metrics_list_make(uint8_t room[METRICS_ROOM], const struct metrics_values *values)
{
    size_t size = metrics_list_begin(room, 6);

    size = metrics_list_add(room, size, 2, 2, 0, 1, 42);                    /* hotspot */
    size = metrics_list_add(room, size, 3, 2, 3, 1, values->power_w);
    size = metrics_list_add(room, size, 0, 6, 7, 1, values->energy_units);
    size = metrics_list_add(room, size, 1, 2, 33, 8, 2100);                 /* clocks */
    size = metrics_list_add(room, size, 0, 2, 38, 1, values->partitions);
    size = metrics_list_add(room, size, 0, 6, 43, 8, 5);                    /* busy */
    return metrics_list_end(room, size);
}
