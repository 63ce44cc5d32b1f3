#include "carbond/piece.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "core/parse.h"

#define DIGITS_MAX 6 /* of FRAME_MAX */

static const char *const whats[] = { "query", "answer", "batch", "receipt", NULL };

int nonce_make(char ret[NONCE_SIZE])
{
    unsigned char bytes[(NONCE_SIZE - 1) / 2];
    struct buf buf;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return errno ? -errno : -EIO;
    buf_init_fixed(&buf, ret, NONCE_SIZE);
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_printf(&buf, "%02x", bytes[i]);
    return 0;
}

void piece_write(struct buf *buf, const struct piece *piece)
{
    buf_printf(buf, "carbond 1 %s %s %" PRIu32 " %s\n", whats[piece->what], piece->nonce,
               piece->number, piece->kind);
    buf_add(buf, piece->data ? piece->data : "", piece->len);
}

/* The next word of a head that is being cut; NULL when there is none. */
static const char *cut(char **rest)
{
    const char *word = *rest ? strsep(rest, " ") : NULL;

    return word && *word ? word : NULL;
}

static int read_head(char *head, struct piece *ret)
{
    const char *name = cut(&head), *version = cut(&head), *what = cut(&head), *nonce = cut(&head);
    const char *number = cut(&head);
    size_t i = 0;

    if (!number || !head || strcmp(name, "carbond") != 0 || strcmp(version, "1") != 0)
        return -EBADMSG;
    while (whats[i] && strcmp(what, whats[i]) != 0)
        i++;
    if (!whats[i] || strlen(nonce) != NONCE_SIZE - 1 ||
        strspn(nonce, "0123456789abcdef") != NONCE_SIZE - 1 ||
        parse_u32(number, 0, UINT32_MAX, &ret->number) < 0 || *head == '\0' ||
        strlen(head) >= sizeof(ret->kind))
        return -EBADMSG;
    ret->what = (enum piece_what)i;
    memcpy(ret->nonce, nonce, NONCE_SIZE);
    memcpy(ret->kind, head, strlen(head) + 1);
    return 0;
}

int piece_read(const char *bytes, size_t len, struct piece *ret, struct error *err)
{
    const char *newline = memchr(bytes, '\n', len < PIECE_HEAD_MAX ? len : PIECE_HEAD_MAX);
    size_t head_len = newline ? (size_t)(newline - bytes) : 0;
    char head[PIECE_HEAD_MAX];

    *ret = (struct piece){ .number = 0 };
    memcpy(head, bytes, head_len);
    head[head_len] = '\0';
    if (!newline || strlen(head) != head_len || read_head(head, ret) < 0)
        return error_set(err, -EBADMSG, "this is no message of carbond's; has the other side "
                         "another version?");
    ret->data = newline + 1;
    ret->len = len - head_len - 1;
    if (ret->len > PIECE_DATA_MAX)
        return error_set(err, -EBADMSG, "a piece of %zu bytes; at most %u are sent", ret->len,
                         PIECE_DATA_MAX);
    return 0;
}

int piece_expect(struct piece_next *next, const struct piece *piece, struct error *err)
{
    if (next->nonce[0] == '\0')
        memcpy(next->nonce, piece->nonce, NONCE_SIZE);
    if (piece->what != next->what)
        return error_set(err, -EBADMSG, "a piece of a message of another kind (%s)",
                         whats[piece->what]);
    if (strcmp(piece->nonce, next->nonce) != 0)
        return error_set(err, -EBADMSG, "a piece of another message");
    if (piece->number != next->number)
        return error_set(err, -EBADMSG, "a piece out of its place: %" PRIu32 " instead of %" PRIu32,
                         piece->number, next->number);
    next->number++;
    return 0;
}

/* --- frames ----------------------------------------------------------------------------------- */

void frames_init(struct frames *frames)
{
    *frames = (struct frames){ .want = 0 };
    buf_init(&frames->buf);
}

void frames_free(struct frames *frames)
{
    buf_free(&frames->buf);
}

bool frames_are_whole(const struct frames *frames)
{
    return frames->buf.len == 0 && frames->want == 0;
}

void frame_write(struct buf *buf, const char *bytes, size_t len)
{
    buf_printf(buf, "%zu\n", len);
    buf_add(buf, bytes, len);
}

/* Up to the newline: how many bytes were taken. */
static int take_length(struct frames *frames, const char *bytes, size_t len, size_t *ret_used,
                       struct error *err)
{
    const char *newline = memchr(bytes, '\n', len);
    size_t used = newline ? (size_t)(newline - bytes) : len;
    uint32_t want;

    if (frames->buf.len + used > DIGITS_MAX)
        return error_set(err, -EBADMSG, "no length of a frame");
    buf_add(&frames->buf, bytes, used);
    *ret_used = used + (newline != NULL);
    if (!newline)
        return 0;
    if (frames->buf.len == 0 || parse_u32(frames->buf.data, 1, UINT32_MAX, &want) < 0)
        return error_set(err, -EBADMSG, "no length of a frame");
    if (want > FRAME_MAX)
        return error_set(err, -EFBIG, "a frame of %" PRIu32 " bytes; at most %d are taken", want,
                         FRAME_MAX);
    frames->want = want;
    frames->buf.len = 0;
    return 0;
}

int frames_add(struct frames *frames, const char *bytes, size_t len, frame_taker *take,
               void *context, struct error *err)
{
    int rc = 0;

    while (rc >= 0 && len > 0) {
        size_t used = 0, missing = frames->want - frames->buf.len;

        if (frames->want == 0) {
            rc = take_length(frames, bytes, len, &used, err);
            if (rc < 0)
                break;
        } else {
            used = len < missing ? len : missing;
            buf_add(&frames->buf, bytes, used);
        }
        bytes += used;
        len -= used;
        if (buf_failed(&frames->buf))
            return error_set(err, -ENOMEM, "no memory for a message");
        if (frames->want > 0 && frames->buf.len == frames->want) {
            rc = take(context, frames->buf.data, frames->want, err);
            frames->buf.len = 0;
            frames->want = 0;
        }
    }
    return rc < 0 ? rc : 0;
}
