#include "carbon/operational.h"

#include <errno.h>
#include <stdlib.h>

int operational_of(uint64_t active_mj, uint64_t idle_mj, uint64_t pue_ppm,
                   uint64_t intensity_ug_per_kwh, struct operational *ret, struct error *err)
{
    double g_per_kwh = (double)intensity_ug_per_kwh / 1e6;
    double overhead;

    if (pue_ppm < PPM)
        return error_set(err, -ERANGE, "PUE is %.6g; it is at least 1 (facility energy over IT "
                         "energy): correct PUE in carbon.conf", (double)pue_ppm / (double)PPM);
    overhead = (double)(pue_ppm - PPM) / (double)PPM;
    ret->active_g = (double)active_mj / (double)MJ_PER_KWH * g_per_kwh;
    ret->idle_g = (double)idle_mj / (double)MJ_PER_KWH * g_per_kwh;
    ret->overhead_g = (ret->active_g + ret->idle_g) * overhead;
    ret->total_g = ret->active_g + ret->idle_g + ret->overhead_g;
    return 0;
}

void operational_add(struct operational_exact *sum, uint64_t active_mj, uint64_t idle_mj,
                     uint64_t pue_ppm, uint64_t intensity_ug_per_kwh)
{
    exact meter_ug_mj = ((exact)active_mj + idle_mj) * intensity_ug_per_kwh;

    sum->active += (exact)active_mj * intensity_ug_per_kwh * PPM;
    sum->idle += (exact)idle_mj * intensity_ug_per_kwh * PPM;
    sum->overhead += meter_ug_mj * (pue_ppm - PPM);
}

exact operational_sum(const struct operational_exact *sum)
{
    return sum->active + sum->idle + sum->overhead;
}

uint64_t exact_mg(exact amount)
{
    uint64_t whole_mg = (uint64_t)(amount / EXACT_PER_MG);

    return whole_mg + (amount % EXACT_PER_MG >= EXACT_PER_MG / 2);
}

double exact_g(exact amount)
{
    return (double)amount / ((double)EXACT_PER_MG * 1000);
}

#define FEW 64 /* that need no memory */

/*
 * Without the product, which may need 182 bits: long division in base 2, the bits of `amount` from
 * the top, after whole totals are taken out of the weight. Before each bit
 *
 *     weight * (bits so far) = quotient * total + remainder,    remainder < total, weight < total
 *
 * and a bit b turns the left side into 2 * itself + b * weight. Doubling both on the right and
 * adding b * weight keeps the equation; 2 * remainder + weight < 3 * total, so that total is taken
 * out at most twice. Nothing exceeds 3 * total, which fits in 128 bits for a total below 2^126.
 */
static uint64_t long_mul_div(uint64_t amount, exact weight, exact total, exact *ret_remainder)
{
    exact whole = weight >= total ? weight / total : 0, rest = weight - whole * total;
    exact remainder = 0;
    uint64_t quotient = 0;

    for (unsigned bit = 64; bit-- > 0;) {
        if (amount >> bit == 0)
            continue; /* zeros in front */
        quotient *= 2;
        remainder *= 2;
        if (amount >> bit & 1)
            remainder += rest;
        for (; remainder >= total; remainder -= total)
            quotient++;
    }
    *ret_remainder = remainder;
    return (uint64_t)(whole * amount) + quotient;
}

/*
 * A quotient below 2^48 is known to within one by doubles, and the remainder then modulo 2^128: it
 * is off by two totals at most, which leaves room for its sign.
 */
uint64_t exact_mul_div(uint64_t amount, exact weight, exact total, exact *ret_remainder)
{
    double estimate = (double)amount * ((double)weight / (double)total);
    uint64_t quotient;
    exact remainder;

    if (!(estimate < 0x1p48) || total >> 124)
        return long_mul_div(amount, weight, total, ret_remainder);
    quotient = (uint64_t)estimate;
    remainder = weight * amount - total * quotient;
    for (; remainder >> 127; remainder += total)
        quotient--;
    for (; remainder >= total; remainder -= total)
        quotient++;
    *ret_remainder = remainder;
    return quotient;
}

/* Larger remainder first; the lower index wins a tie. */
static bool comes_before(const exact *remainders, size_t a, size_t b)
{
    return remainders[a] != remainders[b] ? remainders[a] > remainders[b] : a < b;
}

/* Have the `first` indices that come first lie in front, in any order: Hoare's selection, with
   pivots that no order of theirs can be made for. */
static void bring_forward(const exact *remainders, size_t *order, size_t count, size_t first)
{
    uint64_t random = 1;
    size_t low = 0, high = count;

    while (low < first && first < high) {
        size_t i = low, j = high - 1, pivot;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        pivot = order[low + (size_t)(random >> 33) % (high - low)];
        while (i <= j) {
            while (comes_before(remainders, order[i], pivot))
                i++;
            while (comes_before(remainders, pivot, order[j]))
                j--;
            if (i < j) {
                size_t index = order[i];

                order[i] = order[j];
                order[j] = index;
            }
            if (i <= j) {
                i++;
                if (j-- == 0)
                    break;
            }
        }
        /* [low, j] come before [i, high); between them, if anything, the pivot */
        if (first <= j + 1)
            high = j + 1;
        else if (first >= i)
            low = i;
        else
            return;
    }
}

/* What raising each value once does not reach: single units to or from those that have any. */
static void spread(int64_t left, uint64_t *values, const exact *remainders, size_t count)
{
    int64_t before = 0;

    while (left != before) {
        before = left;
        for (size_t i = 0; i < count && left != 0; i++) {
            if (left > 0 && (values[i] > 0 || remainders[i] > 0)) {
                values[i]++;
                left--;
            } else if (left < 0 && values[i] > 0) {
                values[i]--;
                left++;
            }
        }
    }
}

/* Raise the values of those that come first among n; how many: all, if need be. */
static size_t raise_first(size_t left, uint64_t *values, const exact *remainders, size_t *order,
                          size_t n)
{
    bring_forward(remainders, order, n, left);
    n = n < left ? n : left;
    for (size_t i = 0; i < n; i++)
        values[order[i]]++;
    return n;
}

static size_t raise_few(size_t left, uint64_t *values, const exact *remainders, size_t count)
{
    size_t order[FEW], n = 0;

    for (size_t i = 0; i < count; i++)
        if (remainders[i] > 0)
            order[n++] = i;
    return raise_first(left, values, remainders, order, n);
}

#define BUCKETS 4096

/* How many remainders begin with which bits: a remainder's bucket is what the shift leaves of
   it, and 1. Those that are 0 are in none. */
static unsigned count_remainders(const exact *remainders, size_t count, size_t *buckets)
{
    exact any = 0;
    unsigned shift = 0;

    for (size_t i = 0; i < count; i++)
        any |= remainders[i];
    while (any >> shift >= BUCKETS)
        shift++;
    for (size_t i = 0; i < count; i++)
        buckets[(size_t)(remainders[i] >> shift) + 1] += remainders[i] > 0;
    return shift;
}

/* All of the higher buckets are raised; where the last bucket is shared, that one is searched.
   False: out of memory. */
static bool raise_many(size_t left, uint64_t *values, const exact *remainders, size_t count,
                       size_t *ret_raised)
{
    size_t buckets[BUCKETS + 1] = { 0 }, shared = BUCKETS, raised = 0, n = 0, *order;
    unsigned shift = count_remainders(remainders, count, buckets);

    while (shared > 0 && raised + buckets[shared] <= left)
        raised += buckets[shared--];
    order = malloc((buckets[shared] + 1) * sizeof(*order));
    if (!order)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t bucket = (size_t)(remainders[i] >> shift) + 1;

        if (remainders[i] > 0 && bucket > shared)
            values[i]++;
        else if (remainders[i] > 0 && bucket == shared)
            order[n++] = i;
    }
    *ret_raised = raised + raise_first(left - raised, values, remainders, order, n);
    free(order);
    return true;
}

bool exact_raise(uint64_t total, uint64_t *values, const exact *remainders, size_t count)
{
    uint64_t difference = total; /* modulo 2^64: in the end it is small, of either sign */
    size_t raised = 0;
    int64_t left;

    for (size_t i = 0; i < count; i++)
        difference -= values[i];
    left = (int64_t)difference;
    if (left > 0 && count <= FEW)
        raised = raise_few((size_t)left, values, remainders, count);
    else if (left > 0 && !raise_many((size_t)left, values, remainders, count, &raised))
        return false;
    spread(left - (int64_t)raised, values, remainders, count);
    return true;
}

uint64_t apportion_exact(uint64_t amount, const exact *weights, size_t count, uint64_t *ret_shares,
                         bool *ret_failed)
{
    exact few[FEW], *remainders = count > FEW ? malloc(count * sizeof(*remainders)) : few;
    exact total = 0;

    *ret_failed = !remainders;
    for (size_t i = 0; i < count; i++) {
        total += weights[i];
        ret_shares[i] = 0;
    }
    if (total == 0 || *ret_failed) {
        if (remainders != few)
            free(remainders);
        return amount;
    }
    for (size_t i = 0; i < count; i++)
        ret_shares[i] = exact_mul_div(amount, weights[i], total, &remainders[i]);
    *ret_failed = !exact_raise(amount, ret_shares, remainders, count);
    for (size_t i = 0; *ret_failed && i < count; i++)
        ret_shares[i] = 0;
    if (remainders != few)
        free(remainders);
    return *ret_failed ? amount : 0;
}
