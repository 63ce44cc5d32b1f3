/* capture.h: a capture that is taken stays in its directory, and is the same when written again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sensors/capture.h"

static void check_record(const struct capture_record *record)
{
    PROMISE(record->path[0] != '/' && record->path[0] != '\0');
    PROMISE(strlen(record->path) <= CAPTURE_PATH_MAX && record->len <= CAPTURE_FILE_MAX);
    PROMISE(strncmp(record->path, "../", 3) != 0 && !strstr(record->path, "/../"));
    PROMISE(record->type != CAPTURE_LINK || record->data[0] != '/');
    PROMISE((record->type == CAPTURE_UNREADABLE) == (record->code < 0));
}

static void check_same(const struct capture *a, const struct capture *b)
{
    PROMISE(a->n_records == b->n_records && a->n_instants == b->n_instants);
    for (size_t i = 0; i < a->n_instants; i++)
        PROMISE(a->instants[i].after_ns == b->instants[i].after_ns &&
                a->instants[i].begin == b->instants[i].begin);
    for (size_t i = 0; i < a->n_records; i++) {
        const struct capture_record *x = &a->records[i], *y = &b->records[i];

        PROMISE(x->type == y->type && x->code == y->code && strcmp(x->path, y->path) == 0);
        PROMISE(x->len == y->len && memcmp(x->data, y->data, x->len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct capture capture, again;
    struct error err = { "" };
    struct buf buf;
    int rc;

    capture_init(&capture);
    capture_init(&again);
    buf_init(&buf);
    rc = capture_parse("capture", text, size, &capture, &err);
    if (fuzz_failed(rc, &err)) {
        PROMISE(capture.n_records == 0);
    } else {
        for (size_t i = 0; i < capture.n_records; i++)
            check_record(&capture.records[i]);
        capture_format(&capture, &buf);
        PROMISE(!buf_failed(&buf));
        PROMISE(capture_parse("again", buf.data, buf.len, &again, &err) == 0);
        check_same(&capture, &again);
    }
    buf_free(&buf);
    capture_clear(&capture);
    capture_clear(&again);
    free(text);
    return 0;
}
