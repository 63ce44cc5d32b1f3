#include "core/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    bool fits = true;
    uint64_t value = 0;
    const char *p;

    for (p = text; p && *p >= '0' && *p <= '9'; p++)
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
    if (p == text || *p)
        return -EINVAL;
    if (!fits || value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value)
{
    uint64_t value;
    int rc = parse_u64(text, min, max, &value);

    if (rc == 0)
        *ret_value = (uint32_t)value;
    return rc;
}

int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    int negative = text && *text == '-';
    uint64_t magnitude;
    int64_t value;
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    int rc = parse_u64(text ? text + negative : NULL, 0, most, &magnitude);

    if (rc < 0)
        return rc;
    /* -(magnitude - 1) - 1: the most negative number has no positive twin */
    value = negative && magnitude ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    if (value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int parse_decimal(const char *text, unsigned digits, uint64_t max, uint64_t *ret_value)
{
    char joined[40];
    const char *dot;
    size_t whole, fraction;

    if (!text || !*text)
        return -EINVAL;
    dot = strchr(text, '.');
    whole = dot ? (size_t)(dot - text) : strlen(text);
    fraction = dot ? strlen(dot + 1) : 0;
    if (whole == 0 || (dot && fraction == 0) || fraction > digits)
        return -EINVAL;
    if (whole + digits >= sizeof(joined))
        return -ERANGE;
    memcpy(joined, text, whole);
    if (fraction)
        memcpy(joined + whole, dot + 1, fraction);
    memset(joined + whole + fraction, '0', digits - fraction);
    joined[whole + digits] = '\0';
    return parse_u64(joined, 0, max, ret_value);
}

int parse_hex64(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *p;

    if (!text || strlen(text) != 16)
        return -EINVAL;
    for (p = text; *p; p++) {
        if (*p >= '0' && *p <= '9')
            value = value << 4 | (uint64_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            value = value << 4 | (uint64_t)(*p - 'a' + 10);
        else
            return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

static size_t count_digits(const char *text)
{
    size_t count = 0;

    while (text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

int compare_numbered(const char *a, const char *b)
{
    size_t digits_a, digits_b;

    while (*a && *a == *b)
        a++, b++;
    digits_a = count_digits(a);
    digits_b = count_digits(b);
    if (digits_a != digits_b)
        return digits_a < digits_b ? -1 : 1;
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}
