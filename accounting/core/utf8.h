/*
 * utf8.h - which characters of a text that others wrote are safe to show
 *
 * Libc only, and no locale: the same for a terminal, a page and a log.
 */
#ifndef CARBON_CORE_UTF8_H
#define CARBON_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One character of UTF-8 (RFC 3629: no overlong forms, no surrogates): its bytes, or 0 for none. */
size_t utf8_decode(const char *text, uint32_t *ret_code);
/* The first byte that is of no character of UTF-8, or the NUL at the end. */
const char *utf8_find_bad(const char *text);
/* "?" for each such byte. */
void utf8_mend(char *text);
/* A control character, a mark of zero width, or one that turns the direction of writing. */
bool utf8_is_unsafe(uint32_t code);

#endif
