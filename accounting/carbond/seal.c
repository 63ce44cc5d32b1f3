#include "carbond/seal.h"

#include <errno.h>
#include <munge.h>
#include <stdlib.h>
#include <string.h>

/* --- MUNGE ------------------------------------------------------------------------------------ */

static int refuse(munge_err_t code, const struct seal *seal, struct error *err)
{
    switch (code) {
    case EMUNGE_SOCKET:
        return error_set(err, -ECONNREFUSED, "munged does not answer%s%s: is munge.service running "
                         "on this machine?", seal->munge_socket[0] ? " at " : "",
                         seal->munge_socket);
    case EMUNGE_CRED_EXPIRED:
        return error_set(err, -EACCES, "the credential is expired: the message was held up for "
                         "minutes, or the clocks of the two machines differ; have NTP keep them, "
                         "and try again");
    case EMUNGE_CRED_REWOUND:
        return error_set(err, -EACCES, "the credential is from the future: the clocks of the two "
                         "machines differ; have NTP keep them, and try again");
    case EMUNGE_CRED_REPLAYED:
        return error_set(err, -EACCES, "the credential was used before: each is good for one "
                         "message; try again");
    case EMUNGE_CRED_UNAUTHORIZED:
        return error_set(err, -EACCES, "the credential is for another user");
    case EMUNGE_NO_MEMORY:
        return error_set(err, -ENOMEM, "no memory for a credential");
    case EMUNGE_CRED_INVALID:
        return error_set(err, -EACCES, "the credential was changed, or made with another key: "
                         "munge.key has to be the same on all machines");
    default:
        return error_set(err, -EACCES, "no MUNGE credential: %s", munge_strerror(code));
    }
}

static int open_context(const struct seal *seal, munge_ctx_t *ret, struct error *err)
{
    munge_err_t code = EMUNGE_SUCCESS;

    *ret = munge_ctx_create();
    if (!*ret)
        return error_set(err, -ENOMEM, "no memory for a credential");
    if (seal->munge_socket[0])
        code = munge_ctx_set(*ret, MUNGE_OPT_SOCKET, seal->munge_socket);
    if (code == EMUNGE_SUCCESS && seal->only_uid != (uid_t)-1)
        code = munge_ctx_set(*ret, MUNGE_OPT_UID_RESTRICTION, seal->only_uid);
    if (code == EMUNGE_SUCCESS)
        return 0;
    munge_ctx_destroy(*ret);
    return refuse(code, seal, err);
}

static int encode(const struct seal *seal, const struct buf *payload, char **ret, struct error *err)
{
    munge_ctx_t context;
    munge_err_t code;
    int rc = open_context(seal, &context, err);

    if (rc < 0)
        return rc;
    code = munge_encode(ret, context, payload->data, (int)payload->len);
    munge_ctx_destroy(context);
    return code == EMUNGE_SUCCESS ? 0 : refuse(code, seal, err);
}

static int decode(const struct seal *seal, const char *credential, struct sealed *ret,
                  size_t *ret_len, struct error *err)
{
    munge_ctx_t context;
    munge_err_t code;
    void *payload = NULL;
    int len = 0, rc = open_context(seal, &context, err);

    if (rc < 0)
        return rc;
    code = munge_decode(credential, context, &payload, &len, &ret->uid, &ret->gid);
    munge_ctx_destroy(context);
    if (code == EMUNGE_SUCCESS && !payload)
        return error_set(err, -EBADMSG, "a credential without a message");
    if (code != EMUNGE_SUCCESS) {
        free(payload); /* there is one with some errors */
        return refuse(code, seal, err);
    }
    ret->payload = payload;
    *ret_len = (size_t)len;
    return 0;
}

/* --- pieces ----------------------------------------------------------------------------------- */

int seal_write(const struct seal *seal, const struct piece *piece, struct buf *buf,
               struct error *err)
{
    struct buf payload;
    char *credential = NULL;
    int rc = 0;

    buf_init(&payload);
    piece_write(&payload, piece);
    if (buf_failed(&payload))
        rc = error_set(err, -ENOMEM, "no memory for a message");
    else if (seal->bare)
        frame_write(buf, payload.data, payload.len);
    else
        rc = encode(seal, &payload, &credential, err);
    if (credential)
        frame_write(buf, credential, strlen(credential));
    if (rc == 0 && buf_failed(buf))
        rc = error_set(err, -ENOMEM, "no memory for a message");
    free(credential);
    buf_free(&payload);
    return rc;
}

int seal_read(const struct seal *seal, const char *bytes, size_t len, struct sealed *ret,
              struct error *err)
{
    size_t payload_len = len;
    int rc = 0;

    *ret = (struct sealed){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    if (!seal->bare && strlen(bytes) != len)
        return error_set(err, -EACCES, "no MUNGE credential");
    if (!seal->bare)
        rc = decode(seal, bytes, ret, &payload_len, err);
    else if (!(ret->payload = malloc(len + 1)))
        rc = error_set(err, -ENOMEM, "no memory for a message");
    else
        memcpy(ret->payload, bytes, len + 1);
    if (rc == 0)
        rc = piece_read(ret->payload, payload_len, &ret->piece, err);
    if (rc < 0)
        sealed_clear(ret);
    return rc;
}

void sealed_clear(struct sealed *sealed)
{
    free(sealed->payload);
    sealed->payload = NULL;
}
