/*
 * parse.h - strict numbers from text
 *
 * The whole string must be the number: no leading blanks, no sign where none is meant, nothing
 * after it. -EINVAL for text that is no number, -ERANGE for one outside min..max. Outputs are
 * untouched on failure.
 */
#ifndef CARBON_CORE_PARSE_H
#define CARBON_CORE_PARSE_H

#include <stdint.h>

#include "core/error.h"

MUST_CHECK int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
MUST_CHECK int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value);
MUST_CHECK int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value);

/*
 * A decimal such as "120", "0.5" or "1.20" to an integer in units of 10^-digits, exactly
 * (parse_decimal("1.2", 6, …) gives 1200000). More fractional digits than `digits` are -EINVAL;
 * no exponent, no sign.
 */
MUST_CHECK int parse_decimal(const char *text, unsigned digits, uint64_t max, uint64_t *ret_value);

/* A 16-digit lower-case hexadecimal number, as stream ids are written. */
MUST_CHECK int parse_hex64(const char *text, uint64_t *ret_value);

/*
 * The order of names that hold numbers: by bytes, but runs of digits by length first, so that
 * "cpu2" comes before "cpu10". As strcmp().
 */
int compare_numbered(const char *a, const char *b);

#endif
