#include "core/idset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS (IDSET_SIZE / 64)

void idset_clear(struct idset *set)
{
    memset(set, 0, sizeof(*set));
}

void idset_add(struct idset *set, unsigned id)
{
    if (id < IDSET_SIZE)
        set->bits[id / 64] |= UINT64_C(1) << (id % 64);
}

bool idset_has(const struct idset *set, unsigned id)
{
    return id < IDSET_SIZE && (set->bits[id / 64] >> (id % 64) & 1);
}

unsigned idset_count(const struct idset *set)
{
    unsigned count = 0;

    for (int i = 0; i < WORDS; i++)
        count += (unsigned)__builtin_popcountll(set->bits[i]);
    return count;
}

bool idset_is_empty(const struct idset *set)
{
    return idset_next(set, 0) < 0;
}

bool idset_equal(const struct idset *a, const struct idset *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int idset_next(const struct idset *set, unsigned from)
{
    for (unsigned word = from / 64; word < WORDS; word++) {
        uint64_t bits = set->bits[word];

        if (word == from / 64)
            bits &= ~UINT64_C(0) << (from % 64);
        if (bits)
            return (int)(word * 64) + __builtin_ctzll(bits);
    }
    return -1;
}

void idset_intersect(struct idset *set, const struct idset *other)
{
    for (int i = 0; i < WORDS; i++)
        set->bits[i] &= other->bits[i];
}

bool idset_is_subset(const struct idset *set, const struct idset *of)
{
    for (int i = 0; i < WORDS; i++)
        if (set->bits[i] & ~of->bits[i])
            return false;
    return true;
}

/* Digits at *p to an id; moves *p behind them. */
static int read_id(const char **p, unsigned *ret_id)
{
    unsigned id = 0;

    if (**p < '0' || **p > '9')
        return -EINVAL;
    while (**p >= '0' && **p <= '9') {
        id = id * 10 + (unsigned)(*(*p)++ - '0');
        if (id >= IDSET_SIZE)
            return -ERANGE;
    }
    *ret_id = id;
    return 0;
}

int idset_parse(const char *text, struct idset *ret_set)
{
    struct idset set;
    const char *p = text;
    unsigned first, last;
    int rc;

    idset_clear(&set);
    while (*p) {
        rc = read_id(&p, &first);
        last = first;
        if (rc == 0 && *p == '-') {
            p++;
            rc = read_id(&p, &last);
        }
        if (rc < 0)
            return rc;
        if (last < first || (*p && *p != ',') || (*p == ',' && !p[1]))
            return -EINVAL;
        for (unsigned id = first; id <= last; id++)
            idset_add(&set, id);
        if (*p == ',')
            p++;
    }
    *ret_set = set;
    return 0;
}

int idset_format(const struct idset *set, char *text, size_t size)
{
    size_t used = 0;
    int id = idset_next(set, 0);

    if (size)
        text[0] = '\0';
    while (id >= 0) {
        int last = id;

        while (idset_has(set, (unsigned)last + 1))
            last++;
        used += (size_t)snprintf(used < size ? text + used : NULL, used < size ? size - used : 0,
                                 last > id ? "%s%d-%d" : "%s%d", used ? "," : "", id, last);
        id = idset_next(set, (unsigned)last + 1);
    }
    return (int)used;
}
