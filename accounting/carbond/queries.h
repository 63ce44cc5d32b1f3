/*
 * queries.h - questions, each answered by the tool itself in a process of its own
 *
 * The tool runs with the viewer's restriction in its environment (cli/viewer.h), with limits of
 * memory and time, and into files: whoever reads an answer slowly holds a file, not a process.
 * Questions wait in turn for one of few places; nobody has more than half of them. Thread-safe.
 */
#ifndef CARBON_CARBOND_QUERIES_H
#define CARBON_CARBOND_QUERIES_H

#include <sys/types.h>

#include "carbond/question.h"

#define QUERIES_PER_UID 64      /* under way or waiting */
#define QUERY_WAIT_S 20         /* for a place; then "busy" */
#define QUERY_DEADLINE_S 60     /* of the tool, and of CPU time too */
#define QUERY_MEMORY_MAX (UINT64_C(4) << 30)
#define QUERY_ANSWER_MAX (UINT64_C(256) << 20) /* of each of its files */

struct queries;

struct queries_options {
    const char *tools_dir; /* where sacct-carbon and sreport-carbon are */
    const char *conf_path; /* "": none, the defaults serve */
    unsigned deadline_s;
    int stop_fd;           /* readable once all is to end */
};

struct queries *queries_new(const struct queries_options *options); /* NULL: no memory */
void queries_free(struct queries *queries);

/* A user's part in what is under way: from the question until its answer is gone. */
struct turn {
    uid_t uid;
    bool runs;
    struct turn *next;
};

/* -EAGAIN: this user has QUERIES_PER_UID already. */
MUST_CHECK int queries_enter(struct queries *queries, struct turn *turn, struct error *err);
void queries_leave(struct queries *queries, struct turn *turn);

struct answer_file {
    char kind[KIND_SIZE]; /* of its pieces */
    int fd;
};

#define ANSWER_FILES_MAX 24

struct answer {
    struct answer_file files[ANSWER_FILES_MAX];
    size_t n_files;
    int status; /* of the tool */
};

/*
 * Run the tool for the user of an entered turn. viewer: the text for SLURM_CARBON_VIEWER;
 * asker_fd: who closes this wants no answer any more. -EAGAIN: no place came free in time.
 * -ETIMEDOUT: it took too long and was ended. -EOVERFLOW: its answer is too large. -EPIPE: nobody
 * waits for it. -ESHUTDOWN: all ends. Then *ret holds nothing.
 */
MUST_CHECK int queries_run(struct queries *queries, struct turn *turn,
                           const struct question *question, const char *viewer, int asker_fd,
                           struct answer *ret, struct error *err);
void answer_clear(struct answer *answer);

#endif
