/*
 * carbon-deliver ADDRESS MUNGE_SOCKET BATCH... - send batches of the current directory to carbond
 *
 * carbon-meterd runs it, in SpoolDir. Each name is printed once its batch is on carbond's disk, or
 * is here no longer; the first that cannot be sent ends it, with the reason on the error output.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "carbond/post.h"
#include "cli/plainf.h"
#include "core/batch.h"
#include "core/file.h"

#define ATTEMPTS 5 /* where carbond is busy */
#define DEADLINE_S 30 /* of one batch: carbon-meterd gives all together a minute */

struct sending {
    const char *name;
    char *text;
    size_t len, sent;
};

static int next_piece(void *context, struct piece *piece, struct error *err)
{
    struct sending *sending = context;
    size_t left = sending->len - sending->sent;
    bool is_first = piece->number == 0;

    (void)err;
    snprintf(piece->kind, sizeof(piece->kind), is_first ? "name" : left > 0 ? "part" : "end");
    piece->data = is_first ? sending->name : sending->text + sending->sent;
    piece->len = is_first ? strlen(sending->name) : left < PIECE_DATA_MAX ? left : PIECE_DATA_MAX;
    if (is_first)
        sending->sent = 0;
    else
        sending->sent += piece->len;
    return 0;
}

static int take_piece(void *context, const struct piece *piece, struct error *err)
{
    (void)context;
    if (strcmp(piece->kind, "end") == 0)
        return 0;
    return error_set(err, -EBADMSG, "a receipt of more than one piece");
}

static int send_one(const struct address *to, const char *munge_socket, const char *name,
                    struct error *err)
{
    struct sending sending = { .name = name };
    const struct post post = {
        .to = to, .munge_socket = munge_socket, .path = "/batches",
        .asks = PIECE_BATCH, .answers = PIECE_RECEIPT, .deadline_s = DEADLINE_S,
        .context = &sending, .next = next_piece, .take = take_piece,
    };
    const struct timespec second = { .tv_sec = 1 };
    int rc = file_read(AT_FDCWD, name, BATCH_SIZE_MAX, &sending.text, &sending.len, err);

    if (rc == -ENOENT)
        return 0; /* delivered by one that was killed, or dropped meanwhile */
    if (rc < 0)
        return rc;
    rc = -EAGAIN;
    for (int i = 0; rc == -EAGAIN && i < ATTEMPTS; i++) {
        if (i > 0)
            nanosleep(&second, NULL);
        sending.sent = 0;
        rc = post_message(&post, err);
    }
    free(sending.text);
    return rc;
}

int main(int argc, char **argv)
{
    struct error err = { "" };
    struct address to;
    int rc;

    if (argc < 4) {
        fplainf(stderr, "carbon-deliver: carbon-meterd runs this; see carbond(8)\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    rc = address_parse(argv[1], &to, &err);
    for (int i = 3; rc == 0 && i < argc; i++) {
        rc = send_one(&to, argv[2], argv[i], &err);
        if (rc == 0) {
            plainf("%s\n", argv[i]);
            fflush(stdout);
        }
    }
    if (rc < 0)
        fplainf(stderr, "%s\n", err.text);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
