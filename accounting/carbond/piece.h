/*
 * piece.h - what carbond and those who ask it say to each other
 *
 * A message is a series of pieces, numbered from 0. A piece is one line of text, its head, and
 * bytes:
 *
 *     carbond 1 <what> <nonce> <number> <kind>
 *
 * On the network each piece is the payload of a MUNGE credential (seal.h), on the socket it goes as
 * it is. Either is a frame of the HTTP body: its length in decimal digits, a newline, and so many
 * bytes. What has arrived is bounded before it is kept, and all that is said of who sent a piece
 * and of its place in the message is inside of the seal.
 *
 *     what     from     pieces: kind and bytes
 *     query    client   0 "end": the question (question.h)
 *     answer   carbond  "err", "out", "html" and "csv NAME.csv" in any number, then "end": the exit
 *                       status
 *     batch    client   "name": a batch's file name; "part" in any number; "end": nothing
 *     receipt  carbond  0 "end": nothing; the batch is on carbond's disk
 */
#ifndef CARBON_CARBOND_PIECE_H
#define CARBON_CARBOND_PIECE_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

#define PIECE_DATA_MAX 65536
#define PIECE_HEAD_MAX 160
#define NONCE_SIZE 33
#define KIND_SIZE 64
/* A credential is its payload in base64, and less than a kilobyte. */
#define FRAME_MAX ((PIECE_DATA_MAX + PIECE_HEAD_MAX) / 3 * 4 + 1024)

enum piece_what { PIECE_QUERY, PIECE_ANSWER, PIECE_BATCH, PIECE_RECEIPT };

struct piece {
    enum piece_what what;
    char nonce[NONCE_SIZE]; /* 32 hexadecimal digits that the client drew; an answer repeats them */
    uint32_t number;
    char kind[KIND_SIZE];
    const char *data;
    size_t len;
};

/* 0, or -errno where the kernel has no random numbers. */
MUST_CHECK int nonce_make(char ret[NONCE_SIZE]);

void piece_write(struct buf *buf, const struct piece *piece);

/* Of len bytes that are followed by a NUL; ret->data points into them. -EBADMSG. */
MUST_CHECK int piece_read(const char *bytes, size_t len, struct piece *ret, struct error *err);

/*
 * Whether a piece is the next of a message: -EBADMSG when it is of another message, or not in its
 * place. next->nonce "" takes that of the first.
 */
struct piece_next {
    enum piece_what what;
    char nonce[NONCE_SIZE];
    uint32_t number;
};
MUST_CHECK int piece_expect(struct piece_next *next, const struct piece *piece, struct error *err);

/* --- frames ----------------------------------------------------------------------------------- */

struct frames {
    struct buf buf;  /* of the frame that is coming: its digits, then its bytes */
    size_t want;     /* bytes of it; 0: its length is not known yet */
};

void frames_init(struct frames *frames);
void frames_free(struct frames *frames);

/* bytes: NUL-terminated. What it returns below 0 ends frames_add(), which returns it. */
typedef int frame_taker(void *context, const char *bytes, size_t len, struct error *err);

/*
 * Take what has arrived, however it was cut, and hand each whole frame on. -EFBIG for a frame of
 * more than FRAME_MAX, -EBADMSG for what is none, -ENOMEM.
 */
MUST_CHECK int frames_add(struct frames *frames, const char *bytes, size_t len, frame_taker *take,
                          void *context, struct error *err);

/* Whether nothing is begun. */
bool frames_are_whole(const struct frames *frames);

void frame_write(struct buf *buf, const char *bytes, size_t len);

#endif
