/* mark.h: what was read and is written again reads the same. */
#include <stdlib.h>
#include <string.h>

#include "core/mark.h"
#include "fuzz.h"

struct content {
    struct mark mark;
    struct mark_reading readings[MARK_READINGS_MAX];
    size_t count;
};

static int read_mark(char *text, struct content *ret)
{
    struct error err = { "" };
    int rc;

    memset(ret, 0, sizeof(*ret));
    rc = mark_read(text, &ret->mark, ret->readings, &ret->count, &err);
    return fuzz_failed(rc, &err) ? rc : 0;
}

static void check_same(const struct content *content)
{
    static struct content again;
    char name[MARK_NAME_SIZE];
    struct buf buf;

    mark_file_name(&content->mark, name);
    PROMISE(strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".mark") == 0);
    buf_init(&buf);
    mark_write(&buf, &content->mark, content->readings, content->count);
    PROMISE(!buf_failed(&buf));
    PROMISE(read_mark(buf.data, &again) == 0);
    PROMISE(memcmp(&content->mark, &again.mark, sizeof(again.mark)) == 0);
    PROMISE(content->count == again.count);
    PROMISE(memcmp(content->readings, again.readings, sizeof(again.readings)) == 0);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct content content;
    char *text = fuzz_text(data, size);

    if (read_mark(text, &content) == 0)
        check_same(&content);
    free(text);
    return 0;
}
