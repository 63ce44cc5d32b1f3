/*
 * seal.h - pieces under MUNGE: who sent them, and that nobody changed or read them on the way
 *
 * A credential says who encoded it, is encrypted with the key that all machines of the site share,
 * and is decoded once by one munged. Thread-safe.
 */
#ifndef CARBON_CARBOND_SEAL_H
#define CARBON_CARBOND_SEAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "carbond/piece.h"

struct seal {
    bool bare;                /* the socket: no credentials, the kernel says who it is */
    const char *munge_socket; /* "": libmunge's own */
    uid_t only_uid;           /* who alone may read what is sent; (uid_t)-1: any user */
};

/* Append the piece's frame. -EACCES … as seal_read(). */
MUST_CHECK int seal_write(const struct seal *seal, const struct piece *piece, struct buf *buf,
                          struct error *err);

/* A piece as it was received; its data points into payload. */
struct sealed {
    struct piece piece;
    char *payload;
    uid_t uid; /* who encoded it; (uid_t)-1 where it came bare */
    gid_t gid;
};

/*
 * Of a frame's bytes, which are followed by a NUL; to be ended by sealed_clear(). -EACCES: no
 * credential, or one that is expired, was used before, was made with another key or was changed,
 * each in its own words. -ECONNREFUSED: munged does not answer. -EBADMSG: not one of ours.
 */
MUST_CHECK int seal_read(const struct seal *seal, const char *bytes, size_t len, struct sealed *ret,
                         struct error *err);
void sealed_clear(struct sealed *sealed);

#endif
