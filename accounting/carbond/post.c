#include "carbond/post.h"

#include <curl/curl.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFUSAL_SIZE 400 /* of carbond's words that are shown */

/* One message under way. */
struct talk {
    const struct post *post;
    CURL *curl;
    struct seal seal;
    char curl_error[CURL_ERROR_SIZE];
    uint32_t number;           /* of the next piece that is sent */
    bool sent_all;
    struct buf sending;        /* a frame, and how much of it is gone */
    size_t gone;
    struct piece_next expects; /* of the answer */
    struct frames frames;
    bool has_end;
    char refusal[REFUSAL_SIZE];
    int rc;                    /* what went wrong on our side, in err */
    struct error *err;
};

/* --- the request ------------------------------------------------------------------------------ */

static int seal_next(struct talk *talk)
{
    struct piece piece = { .what = talk->post->asks, .number = talk->number };
    int rc = talk->post->next(talk->post->context, &piece, talk->err);

    memcpy(piece.nonce, talk->expects.nonce, NONCE_SIZE);
    if (rc == 0)
        rc = seal_write(&talk->seal, &piece, &talk->sending, talk->err);
    talk->number++;
    talk->sent_all = strcmp(piece.kind, "end") == 0;
    return rc;
}

static size_t give(char *room, size_t size, size_t count, void *context)
{
    struct talk *talk = context;
    size_t len;

    if (talk->gone == talk->sending.len) {
        talk->sending.len = talk->gone = 0;
        if (!talk->sent_all)
            talk->rc = seal_next(talk);
        if (talk->rc < 0)
            return CURL_READFUNC_ABORT;
    }
    len = talk->sending.len - talk->gone;
    if (len > size * count)
        len = size * count;
    memcpy(room, talk->sending.data ? talk->sending.data + talk->gone : "", len);
    talk->gone += len;
    return len;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Whoever can seal as we ourselves do has no need to deceive us. */
static int check_author(uid_t uid, struct error *err)
{
    const struct passwd *service;

    if (uid == 0 || uid == geteuid())
        return 0;
    service = getpwnam(CARBOND_USER);
    if (service && service->pw_uid == uid)
        return 0;
    return error_set(err, -EACCES, "the answer is of uid %u, who is neither root nor "
                     CARBOND_USER " here: it is not believed", (unsigned)uid);
}

static int take_frame(void *context, const char *bytes, size_t len, struct error *err)
{
    struct talk *talk = context;
    struct sealed sealed;
    int rc = seal_read(&talk->seal, bytes, len, &sealed, err);

    if (rc < 0)
        return rc;
    if (!talk->seal.bare)
        rc = check_author(sealed.uid, err);
    if (rc == 0)
        rc = piece_expect(&talk->expects, &sealed.piece, err);
    if (rc == 0 && talk->has_end)
        rc = error_set(err, -EBADMSG, "a piece behind the last one");
    if (rc == 0) {
        talk->has_end = strcmp(sealed.piece.kind, "end") == 0;
        rc = talk->post->take(talk->post->context, &sealed.piece, err);
    }
    sealed_clear(&sealed);
    return rc;
}

/* The first line of it, as far as there is room. */
static void keep_refusal(struct talk *talk, const char *bytes, size_t len)
{
    const char *newline = memchr(bytes, '\n', len);
    size_t used = strlen(talk->refusal), left = sizeof(talk->refusal) - 1 - used;

    if (newline)
        len = (size_t)(newline - bytes);
    if (len > left)
        len = left;
    memcpy(talk->refusal + used, bytes, len); /* zeros are behind it */
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct talk *talk = context;
    size_t len = size * count;
    long status = 0;

    curl_easy_getinfo(talk->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        talk->rc = frames_add(&talk->frames, bytes, len, take_frame, talk, talk->err);
    else
        keep_refusal(talk, bytes, len);
    return talk->rc < 0 ? CURL_WRITEFUNC_ERROR : len;
}

/* --- both ------------------------------------------------------------------------------------- */

static void format_url(const struct address *to, const char *path, char *ret, size_t size)
{
    if (to->path[0])
        snprintf(ret, size, "http://localhost%s", path);
    else if (strchr(to->host, ':'))
        snprintf(ret, size, "http://[%s]:%s%s", to->host, to->port, path);
    else
        snprintf(ret, size, "http://%s:%s%s", to->host, to->port, path);
}

static int check_status(const struct talk *talk)
{
    long status = 0;

    curl_easy_getinfo(talk->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return 0;
    if (status == 503)
        return error_set(talk->err, -EAGAIN, "%s", talk->refusal[0] ? talk->refusal : "busy");
    return error_set(talk->err, status == 507 ? -ENOSPC : -EACCES, "%s (HTTP status %ld)",
                     talk->refusal[0] ? talk->refusal : "refused, without a word", status);
}

static int perform(struct talk *talk)
{
    CURLcode code = curl_easy_perform(talk->curl);
    long status = 0;

    curl_easy_getinfo(talk->curl, CURLINFO_RESPONSE_CODE, &status);
    if (talk->rc < 0)
        return talk->rc; /* err has it */
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(talk->err, -ETIMEDOUT, "no answer in time");
    if (status >= 400)
        return check_status(talk);
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)
        return error_set(talk->err, -ECONNREFUSED, "%s", talk->curl_error[0]
                         ? talk->curl_error : curl_easy_strerror(code));
    if (code != CURLE_OK || !talk->has_end)
        return error_set(talk->err, -EPIPE, "the answer broke off%s%s",
                         talk->curl_error[0] ? ": " : "", talk->curl_error);
    return check_status(talk);
}

static int set_up(struct talk *talk, const struct address *to, const char *path,
                  unsigned deadline_s)
{
    char url[sizeof(to->host) + 64];
    CURL *curl = curl_easy_init();

    if (!curl)
        return error_set(talk->err, -ENOMEM, "no memory for libcurl");
    talk->curl = curl;
    format_url(to, path, url, sizeof(url));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever http_proxy says */
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, talk->curl_error);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)POST_CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)deadline_s);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, talk);
    if (to->path[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, to->path);
    return 0;
}

int post_message(const struct post *post, struct error *err)
{
    struct talk talk = {
        .post = post, .err = err, .expects = { .what = post->answers },
        .seal = { post->to->path[0] != '\0', post->munge_socket, (uid_t)-1 },
    };
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    int rc = nonce_make(talk.expects.nonce);

    frames_init(&talk.frames);
    buf_init(&talk.sending);
    if (rc < 0)
        error_set_errno(err, rc, "no random number");
    else
        rc = set_up(&talk, post->to, post->path, post->deadline_s);
    headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    if (rc == 0 && !headers)
        rc = error_set(err, -ENOMEM, "no memory for libcurl");
    if (rc == 0) {
        curl_easy_setopt(talk.curl, CURLOPT_POST, 1L);
        curl_easy_setopt(talk.curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(talk.curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(talk.curl, CURLOPT_READDATA, &talk);
        rc = perform(&talk);
    }
    curl_easy_cleanup(talk.curl);
    curl_slist_free_all(headers);
    frames_free(&talk.frames);
    buf_free(&talk.sending);
    return rc;
}
