/*
 * apportion.h - split an integer amount exactly
 *
 * Largest remainder (Hamilton's method): share i is amount * weight[i] / total rounded down, and
 * the units left over go to the largest remainders, ties to the lowest index. The shares add up to
 * the amount exactly, and each is within one unit of its exact value.
 */
#ifndef CARBON_CORE_APPORTION_H
#define CARBON_CORE_APPORTION_H

#include <stddef.h>
#include <stdint.h>

/*
 * ret_shares[0..count) receives the split of `amount` (any integer unit) by `weights`. When all
 * weights are zero, or count is 0, nothing is handed out: shares are 0 and the return value, the
 * part not handed out, is `amount`; else it is 0. Exact for any uint64_t values whose weights sum
 * below 2^64. May allocate for count > 64 and aborts never: on allocation failure it falls back to
 * handing leftover units to the lowest indices.
 */
uint64_t apportion(uint64_t amount, const uint64_t *weights, size_t count, uint64_t *ret_shares);

/* floor(a * b / c) without overflow in between; c > 0. The result must fit in 64 bits. */
uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c);

#endif
