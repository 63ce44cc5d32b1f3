/* carbond/piece.h and question.h: the first byte says how a stream of frames is cut, the rest is
   one; and the whole is a piece, and a question. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carbond/piece.h"
#include "carbond/question.h"
#include "fuzz.h"

/* What was handed on, each frame as it would be sent. */
static int keep(void *context, const char *bytes, size_t len, struct error *err)
{
    (void)err;
    PROMISE(len > 0 && len <= FRAME_MAX && bytes[len] == '\0');
    frame_write(context, bytes, len);
    return 0;
}

/* However it is cut, the same frames come, and what was kept is no more than one. */
static void try_frames(const char *bytes, size_t size, size_t cut)
{
    struct buf whole, cut_up;
    struct frames one, two;
    struct error err = { "" };
    int rc, rc_two = 0;

    buf_init(&whole);
    buf_init(&cut_up);
    frames_init(&one);
    frames_init(&two);
    rc = frames_add(&one, bytes, size, keep, &whole, &err);
    PROMISE(!fuzz_failed(rc, &err) || rc == -EFBIG || rc == -EBADMSG);
    err.text[0] = '\0';
    for (size_t at = 0; rc_two == 0 && at < size; at += cut)
        rc_two = frames_add(&two, bytes + at, size - at < cut ? size - at : cut, keep, &cut_up,
                            &err);
    PROMISE(rc == rc_two && whole.len == cut_up.len);
    PROMISE(whole.len == 0 || memcmp(whole.data, cut_up.data, whole.len) == 0);
    PROMISE(rc != 0 || frames_are_whole(&one) == frames_are_whole(&two));
    PROMISE(one.buf.size <= 4 * FRAME_MAX);
    frames_free(&one);
    frames_free(&two);
    buf_free(&whole);
    buf_free(&cut_up);
}

static void try_piece(const char *bytes, size_t size)
{
    struct error err = { "" };
    struct piece piece, again;
    struct piece_next next;
    struct buf buf;
    int rc = piece_read(bytes, size, &piece, &err);

    if (fuzz_failed(rc, &err))
        return;
    PROMISE(piece.len <= PIECE_DATA_MAX && piece.data + piece.len == bytes + size);
    next = (struct piece_next){ .what = piece.what, .number = piece.number };
    PROMISE(piece_expect(&next, &piece, &err) == 0 && strcmp(next.nonce, piece.nonce) == 0);
    PROMISE(piece_expect(&next, &piece, &err) == -EBADMSG);
    buf_init(&buf);
    piece_write(&buf, &piece);
    PROMISE(piece_read(buf.data, buf.len, &again, &err) == 0);
    PROMISE(again.what == piece.what && again.number == piece.number && again.len == piece.len &&
            strcmp(again.nonce, piece.nonce) == 0 && strcmp(again.kind, piece.kind) == 0);
    buf_free(&buf);
}

static int find_file(void *context, const struct cli_option *option, const char *value,
                     struct error *err)
{
    (void)context;
    (void)err;
    PROMISE(!option || (strcmp(option->name, "config") != 0 && strcmp(option->name, "csv") != 0 &&
                        (strcmp(option->name, "html") != 0 || strcmp(value, "-") == 0)));
    return 0;
}

/* What is taken is written as it was read, and names no file. */
static void try_question(const char *bytes, size_t size)
{
    struct question question, again;
    struct error err = { "" };
    struct buf buf;
    int rc = question_read(bytes, size, &question, &err);

    if (!fuzz_failed(rc, &err)) {
        char **argv = calloc(question.n_arguments + 2, sizeof(*argv));

        PROMISE(argv && question_is_zone(question.zone));
        argv[0] = (char *)(uintptr_t)question.tool;
        memcpy(argv + 1, question.arguments, question.n_arguments * sizeof(*argv));
        rc = cli_options_walk(question_tool_find(question.tool)->options,
                              (int)question.n_arguments + 1, argv, find_file, NULL, &err);
        PROMISE(rc == 0 || rc == -EINVAL);
        free(argv);
        buf_init(&buf);
        if (question_write(&question, &buf, &err) == 0) {
            PROMISE(question_read(buf.data, buf.len, &again, &err) == 0);
            PROMISE(again.n_arguments == question.n_arguments && again.tool == question.tool);
            question_clear(&again);
        }
        buf_free(&buf);
    }
    question_clear(&question);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    if (size > 0)
        try_frames(text + 1, size - 1, 1 + (data[0] & 31));
    try_piece(text, size);
    try_question(text, size);
    free(text);
    return 0;
}
