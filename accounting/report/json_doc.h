/*
 * json_doc.h - building JSON documents: one failure for all, and texts that are safe
 *
 * jansson's *_set_new functions take what they get, and NULL as failure: the document remembers,
 * and its writer checks once, at the end.
 */
#ifndef CARBON_REPORT_JSON_DOC_H
#define CARBON_REPORT_JSON_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "store/query.h"

struct json_doc {
    bool failed;
};

/* Take `content` as the object's `key`. */
void json_put(struct json_doc *doc, json_t *object, const char *key, json_t *content);
void json_put_integer(struct json_doc *doc, json_t *object, const char *key, uint64_t number);
void json_put_maybe(struct json_doc *doc, json_t *object, const char *key, struct maybe number);
/* NULL text is null. Foreign bytes that are no UTF-8 are escaped. NULL without memory. */
json_t *json_text(const char *text);
/* The same, as the object's `key`. */
void json_put_text(struct json_doc *doc, json_t *object, const char *key, const char *text);
/* "2026-11-23T04:06:00Z" */
void json_put_instant(struct json_doc *doc, json_t *object, const char *key, int64_t instant_s);
/* What the buf holds, which is freed. */
void json_put_buf(struct json_doc *doc, json_t *object, const char *key, struct buf *text);
/* Take an item for an array. */
void json_add(struct json_doc *doc, json_t *array, json_t *item);
/* A text, as json_put_text() has it. */
void json_add_text(struct json_doc *doc, json_t *array, const char *text);

/*
 * Append the document with a newline at its end, and free it. ASCII: no character that turns a
 * terminal's direction of writing gets out. buf or doc tells of failure.
 */
void json_doc_write(struct json_doc *doc, json_t *root, struct buf *buf);
/* The same on one line, for files that have a document a line. */
void json_doc_write_line(struct json_doc *doc, json_t *root, struct buf *buf);

#endif
