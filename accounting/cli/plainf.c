#include "config.h" /* vasprintf() */

#include "cli/plainf.h"

#include <stdlib.h>
#include <string.h>

#include "report/format.h"

/* Changes text. */
static void write_plain(struct buf *buf, char *text)
{
    while (text) {
        char *end = strpbrk(text, "\n\t"), kept = end ? *end : '\0';

        if (end)
            *end++ = '\0';
        format_text(buf, text, true, NULL);
        if (end)
            buf_add(buf, &kept, 1);
        text = end;
    }
}

int vfplainf(FILE *file, const char *fmt, va_list ap)
{
    struct buf buf;
    char *text;
    int len = -1;

    if (vasprintf(&text, fmt, ap) < 0)
        return -1;
    buf_init(&buf);
    write_plain(&buf, text);
    if (!buf_failed(&buf))
        len = (int)fwrite(buf.data ? buf.data : "", 1, buf.len, file);
    buf_free(&buf);
    free(text);
    return len;
}

int fplainf(FILE *file, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vfplainf(file, fmt, ap);
    va_end(ap);
    return len;
}

int plainf(const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vfplainf(stdout, fmt, ap);
    va_end(ap);
    return len;
}
