#include "ledger/floor.h"

#include <errno.h>
#include <string.h>

#include "core/buf.h"

#define SUB_BUCKETS 16
#define LOWEST_OCTAVE 17 /* 2^17 uW = 0.131 W */

/* 2^(i/16) x 2^16, rounded */
static const uint32_t steps[SUB_BUCKETS + 1] = {
    65536, 68438, 71468, 74632, 77936, 81386, 84990, 88752,  92682,
    96785, 101070, 105545, 110218, 115098, 120194, 125515, 131072,
};

static unsigned bucket_of(uint64_t power_uw)
{
    unsigned octave, sub = 0;
    uint64_t scaled;

    if (power_uw < UINT64_C(1) << LOWEST_OCTAVE)
        return 0;
    octave = 63 - (unsigned)__builtin_clzll(power_uw);
    if (octave >= LOWEST_OCTAVE + FLOOR_BUCKETS / SUB_BUCKETS)
        return FLOOR_BUCKETS - 1;
    scaled = (power_uw << 16) >> octave;
    while (sub + 1 < SUB_BUCKETS && scaled >= steps[sub + 1])
        sub++;
    return (octave - LOWEST_OCTAVE) * SUB_BUCKETS + sub;
}

static uint64_t middle_of(unsigned bucket)
{
    unsigned octave = LOWEST_OCTAVE + bucket / SUB_BUCKETS, sub = bucket % SUB_BUCKETS;

    return ((uint64_t)(steps[sub] + steps[sub + 1]) << octave) >> 17;
}

static void fade(struct floor *floor)
{
    floor->total = 0;
    for (unsigned i = 0; i < FLOOR_BUCKETS; i++) {
        floor->counts[i] /= 2;
        floor->total += floor->counts[i];
    }
}

void floor_observe(struct floor *floor, uint64_t power_uw)
{
    if (floor->total >= FLOOR_FULL)
        fade(floor);
    floor->counts[bucket_of(power_uw)]++;
    floor->total++;
}

bool floor_value(const struct floor *floor, uint64_t *ret_uw)
{
    uint32_t below = 0, wanted = floor->total / 20 + 1;
    unsigned bucket = 0;

    if (floor->total < FLOOR_ENOUGH)
        return false;
    while (bucket + 1 < FLOOR_BUCKETS && (below += floor->counts[bucket]) < wanted)
        bucket++;
    *ret_uw = middle_of(bucket);
    return true;
}

void floor_format(const struct floor *floor, char *text, size_t size)
{
    struct buf buf;

    buf_init_fixed(&buf, text, size);
    for (unsigned i = 0; i < FLOOR_BUCKETS; i++)
        if (floor->counts[i])
            buf_printf(&buf, "%s%u:%u", buf.len ? "," : "", i, (unsigned)floor->counts[i]);
}

/* Digits at *p up to `max`; moves *p behind them. */
static int read_number(const char **p, unsigned max, unsigned *ret_number)
{
    unsigned number = 0;

    if (**p < '0' || **p > '9')
        return -EINVAL;
    while (**p >= '0' && **p <= '9') {
        number = number * 10 + (unsigned)(*(*p)++ - '0');
        if (number > max)
            return -EINVAL;
    }
    *ret_number = number;
    return 0;
}

int floor_parse(const char *text, struct floor *ret_floor)
{
    struct floor floor = { 0 };
    const char *p = text;

    while (*p) {
        unsigned bucket, count;

        if (read_number(&p, FLOOR_BUCKETS - 1, &bucket) < 0 || *p++ != ':' ||
            read_number(&p, FLOOR_FULL, &count) < 0 || floor.counts[bucket])
            return -EINVAL;
        floor.counts[bucket] = (uint16_t)count;
        floor.total += count;
        if (floor.total > FLOOR_FULL) /* nobody's: floor_format() might have no room for it */
            return -EINVAL;
        if (*p && (*p != ',' || !*++p))
            return -EINVAL;
    }
    *ret_floor = floor;
    return 0;
}
