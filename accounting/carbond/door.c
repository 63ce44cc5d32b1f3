#include "config.h"

#include "carbond/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carbond/intake.h"
#include "carbond/seal.h"
#include "cli/plainf.h"
#include "core/clock.h"

#if MHD_VERSION < 0x00097002
#define MHD_Result int
#endif

#define STACK_SIZE (1u << 20) /* jansson goes 2048 levels deep */
#define BUFFER_SIZE (32u << 10) /* of libmicrohttpd, for a connection's headers */
#define BLOCK_SIZE (64u << 10)  /* an answer goes in such */
#define DISCARD_MAX (1u << 20)  /* what is read after a refusal, so that it can be heard */
#define LOGGED_WORDS 100

/* --- connections ------------------------------------------------------------------------------ */

struct line {
    int fd;
    uint64_t deadline_ns;
    uid_t uid; /* of who is at the other end of a socket */
    gid_t gid;
    char peer[INET6_ADDRSTRLEN];
    struct line *next, **at;
};

struct door {
    const struct house *house;
    bool is_socket;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* of lines */
    struct line *lines;
};

static void give_time(struct door *door, struct line *line, unsigned seconds)
{
    pthread_mutex_lock(&door->lock);
    line->deadline_ns = clock_boottime_ns() + seconds * NS_PER_S;
    pthread_mutex_unlock(&door->lock);
}

static void name_peer(const struct sockaddr *address, struct line *line)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    snprintf(line->peer, sizeof(line->peer), "socket");
    line->uid = (uid_t)-1;
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                  line->peer, sizeof(line->peer));
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
                  line->peer, sizeof(line->peer));
    else if (getsockopt(line->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        line->uid = peer.uid;
        line->gid = peer.gid;
    }
}

static struct line *add_line(struct door *door, struct MHD_Connection *connection)
{
    struct line *line = calloc(1, sizeof(*line));
    const union MHD_ConnectionInfo *info;

    if (!line)
        return NULL;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    line->fd = info->connect_fd;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    name_peer(door->is_socket || !info ? NULL : info->client_addr, line);
    line->deadline_ns = clock_boottime_ns() + DOOR_ASK_S * NS_PER_S;
    pthread_mutex_lock(&door->lock);
    line->next = door->lines;
    line->at = &door->lines;
    if (line->next)
        line->next->at = &line->next;
    door->lines = line;
    pthread_mutex_unlock(&door->lock);
    return line;
}

static void remove_line(struct door *door, struct line *line)
{
    pthread_mutex_lock(&door->lock);
    *line->at = line->next;
    if (line->next)
        line->next->at = line->at;
    pthread_mutex_unlock(&door->lock);
    free(line);
}

/* What libmicrohttpd does for an address of the network. */
static void limit_user(struct door *door, const struct line *line)
{
    unsigned own = 0;

    pthread_mutex_lock(&door->lock);
    for (const struct line *other = door->lines; other; other = other->next)
        own += other->uid == line->uid;
    pthread_mutex_unlock(&door->lock);
    if (own > DOOR_PER_ADDRESS_MAX)
        shutdown(line->fd, SHUT_RDWR);
}

/* Its descriptor is closed after the line is removed, and so is the connection's own as long as
   the lock is held. */
static void on_connection(void *context, struct MHD_Connection *connection, void **line,
                          enum MHD_ConnectionNotificationCode what)
{
    struct door *door = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *line = add_line(door, connection);
        if (*line && door->is_socket)
            limit_user(door, *line);
    } else if (*line) {
        remove_line(door, *line);
    }
}

void door_sweep(struct door *door)
{
    uint64_t now = clock_boottime_ns();

    pthread_mutex_lock(&door->lock);
    for (const struct line *line = door->lines; line; line = line->next)
        if (now > line->deadline_ns)
            shutdown(line->fd, SHUT_RDWR);
    pthread_mutex_unlock(&door->lock);
}

/* --- a request -------------------------------------------------------------------------------- */

struct request {
    struct door *door;
    struct line *line;
    struct frames frames;
    struct piece_next expects;
    struct turn turn;          /* its uid is the asker's */
    gid_t gid;
    bool is_known, has_turn, has_end;
    struct question question;
    struct intake intake;
    size_t discarded;
    int rc;                    /* below 0: refused, and why is in err */
    struct error err;
    uint64_t begin_ns;
    struct answer answer;      /* what is being sent: file, piece, and the frame of it */
    size_t file;
    uint32_t number;
    struct buf sending;
    size_t gone, total;
    bool sent_end;
};

static struct seal seal_of(const struct request *request)
{
    return (struct seal){ request->door->is_socket, request->door->house->conf->munge_socket,
                          request->turn.uid };
}

/* One line of what was asked, by whom, and what became of it. */
static void say(const struct request *request, const char *outcome)
{
    const struct question *question = &request->question;
    char words[LOGGED_WORDS + 8] = "", who[32] = "nobody known";
    size_t used = 0;

    for (size_t i = 0; i < question->n_arguments && used < LOGGED_WORDS; i++)
        used += (size_t)snprintf(words + used, sizeof(words) - used, " %s", question->arguments[i]);
    if (used >= LOGGED_WORDS)
        snprintf(words + LOGGED_WORDS, sizeof(words) - LOGGED_WORDS, "...");
    if (request->is_known)
        snprintf(who, sizeof(who), "uid %u", (unsigned)request->turn.uid);
    fplainf(stderr, "carbond: %s, %s: %s%s: %s, %" PRIu64 " ms\n",
            request->line ? request->line->peer : "?", who,
            question->tool ? question->tool :
            request->intake.name[0] ? request->intake.name : "request",
            words, outcome, (clock_boottime_ns() - request->begin_ns) / 1000000);
}

static int take_query(struct request *request, const struct piece *piece)
{
    int rc = queries_enter(request->door->house->queries, &request->turn, &request->err);

    request->has_turn = rc == 0;
    if (rc == 0 && strcmp(piece->kind, "end") != 0)
        rc = error_set(&request->err, -EBADMSG, "a question is one piece");
    return rc == 0 ? question_read(piece->data, piece->len, &request->question, &request->err) : rc;
}

static int take_batch(struct request *request, const struct piece *piece)
{
    const struct conf *conf = request->door->house->conf;

    if (request->turn.uid != 0 && request->turn.uid != geteuid())
        return error_set(&request->err, -EPERM, "uid %u may deliver no batches: root may, and uid "
                         "%u, whom carbond runs as; give " CARBOND_USER " the same number on all "
                         "machines", (unsigned)request->turn.uid, (unsigned)geteuid());
    if (piece->number == 0) {
        give_time(request->door, request->line, DOOR_BATCH_S);
        if (strcmp(piece->kind, "name") != 0)
            return error_set(&request->err, -EBADMSG, "a batch without a name");
        return intake_begin(conf->deliver_dir, piece->data, piece->len, &request->intake,
                            &request->err);
    }
    return intake_add(&request->intake, piece->data, piece->len, &request->err);
}

/* The first piece says who asks; those behind it have to be his. */
static int take_frame(void *context, const char *bytes, size_t len, struct error *err)
{
    struct request *request = context;
    struct seal seal = seal_of(request);
    struct sealed sealed;
    int rc = seal_read(&seal, bytes, len, &sealed, err);

    if (rc < 0)
        return rc;
    if (request->door->is_socket) {
        sealed.uid = request->line->uid;
        sealed.gid = request->line->gid;
    }
    if (sealed.uid == (uid_t)-1)
        rc = error_set(err, -EACCES, "nobody can say whose this is");
    else if (request->is_known && sealed.uid != request->turn.uid)
        rc = error_set(err, -EACCES, "pieces of several users");
    if (rc == 0)
        rc = piece_expect(&request->expects, &sealed.piece, err);
    if (rc == 0 && request->has_end)
        rc = error_set(err, -EBADMSG, "a piece behind the last one");
    if (rc == 0) {
        request->turn.uid = sealed.uid;
        request->gid = sealed.gid;
        request->is_known = true;
        request->has_end = strcmp(sealed.piece.kind, "end") == 0;
        rc = request->expects.what == PIECE_QUERY ? take_query(request, &sealed.piece)
                                                  : take_batch(request, &sealed.piece);
    }
    sealed_clear(&sealed);
    return rc;
}

/* --- the answer ------------------------------------------------------------------------------- */

static unsigned status_of(int rc)
{
    switch (rc) {
    case -EACCES:
        return MHD_HTTP_UNAUTHORIZED;
    case -EPERM:
        return MHD_HTTP_FORBIDDEN;
    case -EBADMSG:
    case -EINVAL:
        return MHD_HTTP_BAD_REQUEST;
    case -EFBIG:
    case -E2BIG:
        return 413; /* whose name in libmicrohttpd changes */
    case -EAGAIN:
    case -ESHUTDOWN:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case -ETIMEDOUT:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    case -ENOSPC:
    case -EDQUOT:
        return MHD_HTTP_INSUFFICIENT_STORAGE;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    enum MHD_Result done;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return done;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned status,
                                  const char *text)
{
    char line[ERROR_TEXT_SIZE + 2];
    int len = snprintf(line, sizeof(line), "%s\n", text);

    return queue(connection, status, MHD_create_response_from_buffer((size_t)len, line,
                                                                     MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result refuse(struct request *request, struct MHD_Connection *connection)
{
    char outcome[ERROR_TEXT_SIZE + 16];

    snprintf(outcome, sizeof(outcome), "refused: %s", request->err.text);
    say(request, outcome);
    return reply_text(connection, status_of(request->rc), request->err.text);
}

/* The next piece of the answer into request->sending. */
static int seal_next(struct request *request)
{
    char data[PIECE_DATA_MAX], kind[KIND_SIZE] = "end";
    struct piece piece = { .what = PIECE_ANSWER, .number = request->number++, .data = data };
    struct seal seal = seal_of(request);
    ssize_t got = 0;

    while (got == 0 && request->file < request->answer.n_files) {
        const struct answer_file *file = &request->answer.files[request->file];

        got = read(file->fd, data, sizeof(data));
        snprintf(kind, sizeof(kind), "%s", file->kind);
        request->file += got == 0;
    }
    if (got < 0)
        return -errno;
    piece.len = (size_t)got;
    request->sent_end = got == 0;
    if (request->sent_end) {
        snprintf(kind, sizeof(kind), "end");
        piece.len = (size_t)snprintf(data, sizeof(data), "%d", request->answer.status);
    }
    memcpy(piece.nonce, request->expects.nonce, NONCE_SIZE);
    memcpy(piece.kind, kind, sizeof(kind));
    request->sending.len = request->gone = 0;
    return seal_write(&seal, &piece, &request->sending, &request->err);
}

static ssize_t give(void *context, uint64_t position, char *room, size_t size)
{
    struct request *request = context;
    size_t len;

    (void)position;
    if (request->gone == request->sending.len) {
        if (request->sent_end)
            return MHD_CONTENT_READER_END_OF_STREAM;
        request->rc = seal_next(request);
        if (request->rc < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    len = request->sending.len - request->gone;
    if (len > size)
        len = size;
    memcpy(room, request->sending.data + request->gone, len);
    request->gone += len;
    request->total += len;
    return (ssize_t)len;
}

static enum MHD_Result answer_query(struct request *request, struct MHD_Connection *connection)
{
    const struct house *house = request->door->house;
    char *viewer = NULL;

    give_time(request->door, request->line, QUERY_WAIT_S + QUERY_DEADLINE_S + DOOR_ASK_S);
    request->rc = roles_viewer(house->roles, house->conf, request->turn.uid, request->gid, &viewer,
                               &request->err);
    if (request->rc == 0)
        request->rc = queries_run(house->queries, &request->turn, &request->question, viewer,
                                  request->line->fd, &request->answer, &request->err);
    free(viewer);
    if (request->rc < 0)
        return refuse(request, connection);
    give_time(request->door, request->line, DOOR_ANSWER_S);
    return queue(connection, MHD_HTTP_OK,
                 MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, give, request,
                                                   NULL));
}

static enum MHD_Result answer_batch(struct request *request, struct MHD_Connection *connection)
{
    struct piece piece = { .what = PIECE_RECEIPT, .kind = "end" };
    struct seal seal = seal_of(request);

    memcpy(piece.nonce, request->expects.nonce, NONCE_SIZE);
    request->rc = intake_end(&request->intake, &request->err);
    if (request->rc == 0)
        request->rc = seal_write(&seal, &piece, &request->sending, &request->err);
    if (request->rc < 0)
        return refuse(request, connection);
    return queue(connection, MHD_HTTP_OK,
                 MHD_create_response_from_buffer(request->sending.len, request->sending.data,
                                                 MHD_RESPMEM_MUST_COPY));
}

/* --- libmicrohttpd ---------------------------------------------------------------------------- */

static struct line *line_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static enum MHD_Result begin(struct door *door, struct MHD_Connection *connection, const char *url,
                             const char *method, void **context)
{
    bool is_query = strcmp(url, "/query") == 0;
    struct request *request;

    if (strcmp(url, "/health") == 0 && strcmp(method, "GET") == 0)
        return reply_text(connection, MHD_HTTP_OK, "ok");
    if (!is_query && strcmp(url, "/batches") != 0)
        return reply_text(connection, MHD_HTTP_NOT_FOUND, "carbond has /query, /batches and "
                          "/health");
    if (strcmp(method, "POST") != 0)
        return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "POST it");
    request = calloc(1, sizeof(*request));
    if (!request)
        return MHD_NO;
    *request = (struct request){
        .door = door, .line = line_of(connection), .turn = { .uid = (uid_t)-1 },
        .expects = { .what = is_query ? PIECE_QUERY : PIECE_BATCH },
        .intake = { .dir_fd = -1, .fd = -1 }, .begin_ns = clock_boottime_ns(),
    };
    frames_init(&request->frames);
    buf_init(&request->sending);
    *context = request;
    return request->line ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **own)
{
    struct request *request = *own;

    (void)version;
    if (!request)
        return begin(context, connection, url, method, own);
    if (*size > 0) {
        if (request->rc < 0)
            request->discarded += *size;
        else
            request->rc = frames_add(&request->frames, data, *size, take_frame, request,
                                     &request->err);
        *size = 0;
        return request->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    if (request->rc == 0 && !request->has_end)
        request->rc = error_set(&request->err, -EBADMSG, "the message broke off");
    if (request->rc < 0)
        return refuse(request, connection);
    return request->expects.what == PIECE_QUERY ? answer_query(request, connection)
                                                : answer_batch(request, connection);
}

static void on_end(void *context, struct MHD_Connection *connection, void **own,
                   enum MHD_RequestTerminationCode code)
{
    struct request *request = *own;
    char outcome[64];

    (void)context;
    (void)connection;
    if (!request)
        return;
    if (request->answer.n_files > 0) {
        snprintf(outcome, sizeof(outcome), "status %d, %zu bytes%s", request->answer.status,
                 request->total, code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : ", broken off");
        say(request, request->rc < 0 ? request->err.text : outcome);
    } else if (request->rc == 0 && code != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        say(request, "broken off"); /* what was delivered is not told: nodes do it each minute */
    }
    if (request->has_turn)
        queries_leave(request->door->house->queries, &request->turn);
    intake_drop(&request->intake);
    answer_clear(&request->answer);
    question_clear(&request->question);
    frames_free(&request->frames);
    buf_free(&request->sending);
    free(request);
    *own = NULL;
}

struct door *door_open(const struct house *house, int listen_fd, bool is_socket)
{
    struct door *door = calloc(1, sizeof(*door));

    if (!door) {
        close(listen_fd);
        return NULL;
    }
    door->house = house;
    door->is_socket = is_socket;
    pthread_mutex_init(&door->lock, NULL);
    door->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0, NULL,
        NULL, on_request, door, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, door,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, door,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)DOOR_CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)(is_socket ? 0 : DOOR_PER_ADDRESS_MAX),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)DOOR_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)BUFFER_SIZE,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_END);
    if (door->daemon)
        return door;
    close(listen_fd);
    pthread_mutex_destroy(&door->lock);
    free(door);
    return NULL;
}

void door_close(struct door *door)
{
    if (!door)
        return;
    MHD_stop_daemon(door->daemon);
    pthread_mutex_destroy(&door->lock);
    free(door);
}
