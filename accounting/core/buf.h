/*
 * buf.h - text that grows, or fills a fixed room
 *
 * A fixed buffer (buf_init_fixed) never allocates: the plugin builds its marks in one. Either kind
 * remembers failure (no room, no memory), so that a writer checks once, at the end: buf_failed().
 */
#ifndef CARBON_CORE_BUF_H
#define CARBON_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;  /* always NUL-terminated once something was added */
    size_t len;  /* bytes, without the NUL */
    size_t size; /* bytes of room */
    bool fixed;
    bool failed;
};

void buf_init(struct buf *buf); /* growing; free with buf_free() */
void buf_init_fixed(struct buf *buf, char *room, size_t size);
void buf_add(struct buf *buf, const char *bytes, size_t len);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_failed(const struct buf *buf);
void buf_free(struct buf *buf); /* of a growing buffer; it can be used again after buf_init() */

#endif
