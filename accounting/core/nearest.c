#include "core/nearest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define WIDTH_MAX 127

static int lower(char c)
{
    return tolower((unsigned char)c);
}

unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[WIDTH_MAX + 1]; /* to the first k letters of b, from those of a seen so far */
    size_t width = strnlen(b, WIDTH_MAX);

    for (size_t k = 0; k <= width; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t k = 1; k <= width; k++) {
            unsigned replaced = diagonal + (lower(a[i - 1]) != lower(b[k - 1]));
            unsigned other = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

            diagonal = row[k];
            row[k] = replaced < other ? replaced : other;
        }
    }
    return row[width];
}
