#include "cli/linediff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX ((size_t)16 << 20) /* of the table of lengths: 64 MiB at the most */

struct line {
    const char *text;
    size_t len;
};

struct lines {
    struct line *items;
    size_t count;
};

/* The comparison, narrowed to what is between the equal lines at both ends. */
struct middle {
    const struct line *old, *new;
    size_t n_old, n_new;
    size_t first; /* index of their first lines in both texts */
};

struct output {
    const char *indent;
    struct buf *buf; /* NULL: only counts */
    struct linediff *counts;
};

size_t linediff_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; count++) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return count;
}

static int split(const char *text, struct lines *ret)
{
    text = text ? text : "";
    ret->count = linediff_lines(text);
    ret->items = calloc(ret->count + 1, sizeof(*ret->items));
    if (!ret->items)
        return -ENOMEM;
    for (size_t i = 0; i < ret->count; i++) {
        ret->items[i] = (struct line){ text, strcspn(text, "\n") };
        text += ret->items[i].len + 1;
    }
    return 0;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static struct middle narrow(const struct lines *old, const struct lines *new)
{
    size_t first = 0, n_old = old->count, n_new = new->count;

    while (first < n_old && first < n_new && same(&old->items[first], &new->items[first]))
        first++;
    while (n_old > first && n_new > first && same(&old->items[n_old - 1], &new->items[n_new - 1])) {
        n_old--;
        n_new--;
    }
    return (struct middle){ old->items + first, new->items + first, n_old - first, n_new - first,
                            first };
}

static void put(const struct output *output, char sign, size_t number, const struct line *line)
{
    size_t *count = sign == '-' ? &output->counts->removed : &output->counts->added;

    (*count)++;
    if (output->buf)
        buf_printf(output->buf, "%s%c%zu: %.*s\n", output->indent, sign, number, (int)line->len,
                   line->text);
}

/*
 * length[i * width + j]: of the longest common subsequence of old lines from i on and new ones from
 * j on. NULL without memory.
 */
static uint32_t *lengths_of(const struct middle *middle)
{
    size_t width = middle->n_new + 1;
    uint32_t *length = calloc((middle->n_old + 1) * width, sizeof(*length));

    for (size_t i = middle->n_old; length && i-- > 0;) {
        for (size_t j = middle->n_new; j-- > 0;) {
            uint32_t *cell = &length[i * width + j];

            if (same(&middle->old[i], &middle->new[j]))
                *cell = cell[width + 1] + 1;
            else
                *cell = cell[width] >= cell[1] ? cell[width] : cell[1];
        }
    }
    return length;
}

static void walk(const struct middle *middle, const uint32_t *length, const struct output *output)
{
    size_t i = 0, j = 0, width = middle->n_new + 1;

    while (i < middle->n_old || j < middle->n_new) {
        bool both = i < middle->n_old && j < middle->n_new;

        if (both && length && same(&middle->old[i], &middle->new[j])) {
            i++;
            j++;
        } else if (i < middle->n_old &&
                   (!both || !length || length[(i + 1) * width + j] >= length[i * width + j + 1])) {
            put(output, '-', middle->first + i + 1, &middle->old[i]);
            i++;
        } else {
            put(output, '+', middle->first + j + 1, &middle->new[j]);
            j++;
        }
    }
}

static int compare(const struct lines *old, const struct lines *new, const struct output *output)
{
    struct middle middle = narrow(old, new);
    bool small = (middle.n_old + 1) <= CELLS_MAX / (middle.n_new + 1);
    uint32_t *length = small ? lengths_of(&middle) : NULL;

    if (small && !length)
        return -ENOMEM;
    walk(&middle, length, output);
    free(length);
    return output->buf && buf_failed(output->buf) ? -ENOMEM : 0;
}

int linediff(const char *old, const char *new, const char *indent, struct buf *out,
             struct linediff *ret, struct error *err)
{
    struct output output = { indent, out, ret };
    struct lines old_lines, new_lines = { 0 };
    int rc = split(old, &old_lines);

    *ret = (struct linediff){ 0 };
    if (rc == 0)
        rc = split(new, &new_lines);
    if (rc == 0)
        rc = compare(&old_lines, &new_lines, &output);
    free(old_lines.items);
    free(new_lines.items);
    return rc < 0 ? error_set(err, rc, "no memory to compare two texts") : 0;
}
