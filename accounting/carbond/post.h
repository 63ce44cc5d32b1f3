/*
 * post.h - one message to carbond, and its answer
 */
#ifndef CARBON_CARBOND_POST_H
#define CARBON_CARBOND_POST_H

#include "carbond/seal.h"
#include "core/address.h"

#define POST_CONNECT_S 5

struct post {
    const struct address *to;
    const char *munge_socket;    /* "": libmunge's own */
    const char *path;            /* "/query" */
    enum piece_what asks, answers;
    unsigned deadline_s;         /* of all of it */
    void *context;
    /* The next piece to send: its kind, data and len are to be set; "end" is the last one. */
    int (*next)(void *context, struct piece *piece, struct error *err);
    /* A piece of the answer, in order, "end" too. */
    int (*take)(void *context, const struct piece *piece, struct error *err);
};

/*
 * 0: carbond has answered, from its first piece to its last, under the seal of root, of the user
 * that carbond runs as, or of ourselves. -ECONNREFUSED: nobody answers there. -EAGAIN: it is busy;
 * try again in a second. -EACCES: it refused us, or the answer is not carbond's. -EPIPE: the answer
 * broke off. -ETIMEDOUT. Or what next() and take() returned.
 */
MUST_CHECK int post_message(const struct post *post, struct error *err);

#endif
