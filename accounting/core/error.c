#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

/* In place: what was cut in the middle of a character, by a full buffer, is none either. */
static void make_plain(char *text)
{
    char *to = text;

    while (*text != '\0') {
        uint32_t code = 0;
        size_t len = utf8_decode(text, &code);

        if (len == 0 || utf8_is_unsafe(code)) {
            *to++ = '?';
            text += len > 0 ? len : 1;
            continue;
        }
        memmove(to, text, len);
        to += len;
        text += len;
    }
    *to = '\0';
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        make_plain(err->text);
    }
    return code;
}

int error_set_errno(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;
    size_t used;

    if (!err)
        return code;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    make_plain(err->text);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
    return code;
}

int error_prefix(struct error *err, int code, const char *fmt, ...)
{
    char before[ERROR_TEXT_SIZE / 3]; /* the older text carries the remedy: leave it the room */
    int room;
    struct error old;
    va_list ap;

    if (!err)
        return code;
    old = *err;
    va_start(ap, fmt);
    vsnprintf(before, sizeof(before), fmt, ap);
    va_end(ap);
    make_plain(before);
    room = (int)(sizeof(err->text) - strlen(before) - sizeof(": "));
    snprintf(err->text, sizeof(err->text), "%s: %.*s", before, room, old.text);
    make_plain(err->text);
    return code;
}
