#include "report/json_doc.h"

#include <string.h>

#include "core/clock.h"
#include "report/format.h"

/* 15 digits: what a double surely holds. */
#define DEL 0x7f
#define FLAGS (JSON_REAL_PRECISION(15) | JSON_ENSURE_ASCII)

void json_put(struct json_doc *doc, json_t *object, const char *key, json_t *content)
{
    if (json_object_set_new(object, key, content) != 0)
        doc->failed = true;
}

void json_put_integer(struct json_doc *doc, json_t *object, const char *key, uint64_t number)
{
    json_put(doc, object, key, json_integer((json_int_t)number));
}

void json_put_maybe(struct json_doc *doc, json_t *object, const char *key, struct maybe number)
{
    json_put(doc, object, key, number.has ? json_integer(number.value) : json_null());
}

json_t *json_text(const char *text)
{
    json_t *string = text ? json_string(text) : json_null();
    struct buf clean;

    if (string)
        return string;
    buf_init(&clean);
    format_text(&clean, text, true, NULL);
    if (!buf_failed(&clean))
        string = json_string(clean.data ? clean.data : "");
    buf_free(&clean);
    return string;
}

void json_put_text(struct json_doc *doc, json_t *object, const char *key, const char *text)
{
    json_put(doc, object, key, json_text(text));
}

void json_add_text(struct json_doc *doc, json_t *array, const char *text)
{
    json_add(doc, array, json_text(text));
}

void json_put_instant(struct json_doc *doc, json_t *object, const char *key, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    json_put(doc, object, key, json_string(text));
}

void json_put_buf(struct json_doc *doc, json_t *object, const char *key, struct buf *text)
{
    json_put(doc, object, key, buf_failed(text) ? NULL : json_text(text->data ? text->data : ""));
    buf_free(text);
}

void json_add(struct json_doc *doc, json_t *array, json_t *item)
{
    if (json_array_append_new(array, item) != 0)
        doc->failed = true;
}

/* JSON lets DEL stand, and so does jansson; a terminal may take it for a key. */
static int append(const char *bytes, size_t len, void *data)
{
    for (const char *del; (del = memchr(bytes, DEL, len)); len -= 1) {
        buf_add(data, bytes, (size_t)(del - bytes));
        buf_printf(data, "\\u%04x", DEL);
        len -= (size_t)(del - bytes);
        bytes = del + 1;
    }
    buf_add(data, bytes, len);
    return 0;
}

static void write_root(struct json_doc *doc, json_t *root, size_t flags, struct buf *buf)
{
    if (!doc->failed && json_dump_callback(root, append, buf, flags) != 0)
        doc->failed = true;
    buf_printf(buf, "\n");
    json_decref(root);
}

void json_doc_write(struct json_doc *doc, json_t *root, struct buf *buf)
{
    write_root(doc, root, FLAGS | JSON_INDENT(2), buf);
}

void json_doc_write_line(struct json_doc *doc, json_t *root, struct buf *buf)
{
    write_root(doc, root, FLAGS | JSON_COMPACT, buf);
}
