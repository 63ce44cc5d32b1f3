#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf)
{
    *buf = (struct buf){ 0 };
}

void buf_init_fixed(struct buf *buf, char *room, size_t size)
{
    *buf = (struct buf){ .data = room, .size = size, .fixed = true };
    room[0] = '\0';
}

/* Make room for `more` bytes and a NUL. */
static bool reserve(struct buf *buf, size_t more)
{
    size_t size = buf->size ? buf->size : 1024;
    char *data;

    if (buf->failed || more >= (size_t)-1 / 4 - buf->len)
        return !(buf->failed = true);
    if (buf->len + more < buf->size)
        return true;
    if (buf->fixed)
        return !(buf->failed = true);
    while (size <= buf->len + more)
        size *= 2;
    data = realloc(buf->data, size);
    if (!data)
        return !(buf->failed = true);
    buf->data = data;
    buf->size = size;
    return true;
}

void buf_add(struct buf *buf, const char *bytes, size_t len)
{
    if (!reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

/* Printed where it goes, and once more where there was no room. */
void buf_printf(struct buf *buf, const char *fmt, ...)
{
    size_t room = buf->size - buf->len;
    va_list ap;
    int len;

    if (buf->failed)
        return;
    va_start(ap, fmt);
    len = vsnprintf(room > 0 ? buf->data + buf->len : NULL, room, fmt, ap);
    va_end(ap);
    if (len >= 0 && (size_t)len < room) {
        buf->len += (size_t)len;
        return;
    }
    if (room > 0)
        buf->data[buf->len] = '\0';
    if (len < 0 || !reserve(buf, (size_t)len))
        return;
    va_start(ap, fmt);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)len;
}

bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}

void buf_free(struct buf *buf)
{
    if (!buf->fixed)
        free(buf->data);
    *buf = (struct buf){ 0 };
}
