#include "core/hostlist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"

#define NAME_SIZE 256
#define DIGITS_MAX 18 /* of a number at a name's end … */
#define NUMBER_MAX UINT64_C(999999999999999999) /* … and in brackets: what is folded can be read */

/* --- from text to names ----------------------------------------------------------------------- */

static int push(struct hostlist *list, const char *name, struct error *err)
{
    char **names;

    if (list->count >= HOSTLIST_MAX)
        return error_set(err, -E2BIG, "more than %d nodes: name fewer", HOSTLIST_MAX);
    if ((list->count & (list->count - 1)) == 0) {
        names = realloc(list->names, (list->count ? list->count * 2 : 1) * sizeof(*names));
        if (!names)
            return error_set(err, -ENOMEM, "no memory for node names");
        list->names = names;
    }
    list->names[list->count] = strdup(name);
    if (!list->names[list->count])
        return error_set(err, -ENOMEM, "no memory for node names");
    list->count++;
    return 0;
}

static int too_long(struct error *err)
{
    return error_set(err, -EINVAL, "a node name longer than %d bytes", NAME_SIZE - 1);
}

/* Behind the first *len bytes of a name, in so many digits at least; nodes come by the thousand. */
static bool add_number(char name[NAME_SIZE], size_t *len, uint64_t number, size_t width)
{
    size_t digits = 1;

    for (uint64_t rest = number / 10; rest > 0; rest /= 10)
        digits++;
    if (digits < width)
        digits = width;
    if (digits >= NAME_SIZE - *len)
        return false;
    *len += digits;
    name[*len] = '\0';
    for (char *digit = name + *len; digits > 0; digits--, number /= 10)
        *--digit = (char)('0' + number % 10);
    return true;
}

static int expand_name(char name[NAME_SIZE], size_t len, const char *rest, struct hostlist *list,
                       struct error *err);

/* One "3" or "08-11" between brackets, item_len bytes at `item`; `rest` is behind the bracket. */
static int expand_range(char name[NAME_SIZE], size_t len, const char *item, size_t item_len,
                        const char *rest, struct hostlist *list, struct error *err)
{
    char first_text[NAME_SIZE];
    char *last_text;
    uint64_t first, last;
    size_t width;
    int rc = 0;

    if (item_len >= sizeof(first_text))
        return error_set(err, -EINVAL, "a number of %zu digits in a node name", item_len);
    memcpy(first_text, item, item_len);
    first_text[item_len] = '\0';
    last_text = strchr(first_text, '-');
    if (last_text)
        *last_text++ = '\0';
    width = strlen(first_text);
    if (parse_u64(first_text, 0, NUMBER_MAX, &first) < 0 ||
        parse_u64(last_text ? last_text : first_text, first, NUMBER_MAX, &last) < 0)
        return error_set(err, -EINVAL, "\"[%.*s]\": write numbers and rising ranges, such as "
                         "n[1-4,7]", (int)(item_len < 40 ? item_len : 40), item);
    for (uint64_t i = first; i <= last && rc == 0; i++) {
        size_t end = len;

        rc = add_number(name, &end, i, width) ? expand_name(name, end, rest, list, err)
                                              : too_long(err);
    }
    return rc;
}

/* All names that begin with the first len bytes of `name` and go on with `rest`, which may hold
   brackets. */
static int expand_name(char name[NAME_SIZE], size_t len, const char *rest, struct hostlist *list,
                       struct error *err)
{
    const char *open = strchr(rest, '[');
    const char *close = strchr(rest, ']');
    size_t head = open ? (size_t)(open - rest) : strlen(rest);
    int rc = 0;

    if (head >= NAME_SIZE - len)
        return too_long(err);
    memcpy(name + len, rest, head);
    len += head;
    name[len] = '\0';
    if (!open && !close)
        return push(list, name, err);
    if (!open || !close || close < open)
        return error_set(err, -EINVAL, "\"%.60s\": a bracket without its partner", rest);
    for (const char *item = open + 1; rc == 0 && item <= close;) {
        size_t item_len = strcspn(item, ",]");

        rc = expand_range(name, len, item, item_len, close + 1, list, err);
        item += item_len + 1;
    }
    return rc;
}

int hostlist_expand(const char *text, struct hostlist *list, struct error *err)
{
    char item[4096], name[NAME_SIZE];
    const char *end;
    int rc = 0;

    for (; rc == 0; text = end + 1) {
        int depth = 0;

        for (end = text; *end != '\0' && (*end != ',' || depth > 0); end++)
            depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
        if (end == text)
            return error_set(err, -EINVAL, "an empty node name: write names between commas");
        if ((size_t)(end - text) >= sizeof(item))
            return error_set(err, -EINVAL, "a node expression longer than %zu bytes",
                             sizeof(item) - 1);
        memcpy(item, text, (size_t)(end - text));
        item[end - text] = '\0';
        rc = expand_name(name, 0, item, list, err);
        if (*end == '\0')
            break;
    }
    return rc;
}

void hostlist_clear(struct hostlist *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct hostlist){ 0 };
}

/* --- from names to text ----------------------------------------------------------------------- */

/* Where the number at the name's end begins; at the NUL when there is none. */
static size_t number_at(const char *name)
{
    size_t len = strlen(name);
    size_t at = len;

    while (at > 0 && len - at < DIGITS_MAX && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    return at;
}

static uint64_t number_of(const char *name)
{
    uint64_t number = 0;

    if (parse_u64(name + number_at(name), 0, UINT64_MAX, &number) < 0)
        return 0; /* no digits there */
    return number;
}

static int compare_names(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t x_at = number_at(x), y_at = number_at(y);
    size_t shorter = x_at < y_at ? x_at : y_at;
    int order = strncmp(x, y, shorter);
    uint64_t x_number, y_number;

    if (order != 0)
        return order;
    if (x_at != y_at)
        return strcmp(x, y);
    if (strlen(x) != strlen(y) && (x[x_at] == '0' || y[y_at] == '0'))
        return strcmp(x, y);
    x_number = number_of(x);
    y_number = number_of(y);
    return x_number < y_number ? -1 : x_number > y_number;
}

/* Does b come right after a, with the same name in front and the same zeros? */
static bool follows(const char *a, const char *b)
{
    size_t at = number_at(a);
    bool padded = a[at] == '0' || b[at] == '0';

    return a[at] != '\0' && number_at(b) == at && strncmp(a, b, at) == 0 &&
           number_of(b) == number_of(a) + 1 && (!padded || strlen(a) == strlen(b));
}

/* May a and b stand in one pair of brackets? */
static bool same_stem(const char *a, const char *b)
{
    size_t at = number_at(a);

    return a[at] != '\0' && b[number_at(b)] != '\0' && number_at(b) == at &&
           strncmp(a, b, at) == 0;
}

void hostlist_fold(const char **names, size_t count, struct buf *buf)
{
    if (count > 1) /* of none, `names` may be NULL, which qsort() must not see */
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count;) {
        size_t stem = number_at(names[i]);
        size_t end = i + 1;

        while (end < count && same_stem(names[i], names[end]))
            end++;
        buf_printf(buf, "%s", i > 0 ? "," : "");
        if (end == i + 1) {
            buf_printf(buf, "%s", names[i++]);
            continue;
        }
        buf_printf(buf, "%.*s[", (int)stem, names[i]);
        for (size_t first = i; i < end; first = ++i) {
            while (i + 1 < end && follows(names[i], names[i + 1]))
                i++;
            buf_printf(buf, "%s%s", names[first] + stem, i > first ? "-" : "");
            buf_printf(buf, "%s%s", i > first ? names[i] + stem : "", i + 1 < end ? "," : "]");
        }
    }
}
