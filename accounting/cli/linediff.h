/*
 * linediff.h - which lines of a text differ from another's
 *
 * By the longest common subsequence of lines; of texts that differ in more than some thousand
 * lines, everything between the first and the last difference counts as replaced.
 */
#ifndef CARBON_CLI_LINEDIFF_H
#define CARBON_CLI_LINEDIFF_H

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

struct linediff {
    size_t removed, added; /* lines */
};

/*
 * Compare; NULL is a text without lines. Where out is not NULL, each line that differs is written
 * to it, removed ones as "<indent>-12: text", added ones as "<indent>+13: text", with the numbers
 * that they have in their own text. -ENOMEM.
 */
MUST_CHECK int linediff(const char *old, const char *new, const char *indent, struct buf *out,
                        struct linediff *ret, struct error *err);

/* Lines of a text; one without a newline at its end counts. */
size_t linediff_lines(const char *text);

#endif
