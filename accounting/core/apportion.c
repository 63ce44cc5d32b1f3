#include "core/apportion.h"

#include <stdlib.h>

struct part {
    uint64_t remainder;
    size_t index;
};

uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

/* Larger remainder first; the lower index wins a tie. */
static int compare_parts(const void *va, const void *vb)
{
    const struct part *a = va, *b = vb;

    if (a->remainder != b->remainder)
        return a->remainder > b->remainder ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

uint64_t apportion(uint64_t amount, const uint64_t *weights, size_t count, uint64_t *ret_shares)
{
    struct part few[64], *parts = few;
    uint64_t total = 0, left = amount;
    size_t with_rest = 0;

    for (size_t i = 0; i < count; i++) {
        total += weights[i];
        ret_shares[i] = 0;
    }
    if (total == 0)
        return amount;
    if (count > sizeof(few) / sizeof(few[0]))
        parts = malloc(count * sizeof(*parts));
    for (size_t i = 0; i < count; i++) {
        unsigned __int128 product = (unsigned __int128)amount * weights[i];

        ret_shares[i] = (uint64_t)(product / total);
        left -= ret_shares[i];
        if (product % total && parts)
            parts[with_rest++] = (struct part){ (uint64_t)(product % total), i };
    }
    /* fewer units are left than there are non-zero remainders */
    if (parts && left)
        qsort(parts, with_rest, sizeof(*parts), compare_parts);
    for (size_t i = 0; left > 0; i++) {
        size_t index = parts ? parts[i].index : i % count;

        if (weights[index]) {
            ret_shares[index]++;
            left--;
        }
    }
    if (parts != few)
        free(parts);
    return 0;
}
