/*
 * carbon-ask ADDRESS MUNGE_SOCKET WHY TOOL ARGUMENT... - a tool's command line, answered by carbond
 *
 * The tools become it (cli/ask.h). Files that the line names are written here, by who asked, and
 * nothing is printed before all has come: an answer that breaks off cannot pass for one.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "carbond/post.h"
#include "carbond/question.h"
#include "cli/output.h"
#include "cli/plainf.h"
#include "cli/screen.h"
#include "core/file.h"
#include "core/parse.h"
#include "report/format.h"

#define ATTEMPTS 10   /* where carbond is busy */
#define DEADLINE_S 180
#define CSV_MAX 32
#define ZONES "/zoneinfo/"

struct csv {
    char name[KIND_SIZE];
    struct buf text;
};

struct ask {
    const char *address, *munge_socket, *why, *tool;
    struct address to;
    struct question question;
    bool has_operands;
    const char *csv_dir, *html_file;
    struct buf text; /* the question, as JSON */
    struct buf out, err_out, html;
    struct csv csvs[CSV_MAX];
    size_t n_csvs;
    uint32_t status;
};

/* --- the question ----------------------------------------------------------------------------- */

/* Options in their long form, but those that name files of ours. */
static int take_word(void *context, const struct cli_option *option, const char *value,
                     struct error *err)
{
    struct ask *ask = context;
    struct buf word;
    int rc = 0;

    if (option && strcmp(option->name, "config") == 0)
        return 0;
    if (option && strcmp(option->name, "csv") == 0) {
        ask->csv_dir = value;
        return 0;
    }
    if (option && strcmp(option->name, "html") == 0 && strcmp(value, "-") != 0) {
        ask->html_file = value;
        return 0;
    }
    if (!option && !ask->has_operands)
        rc = question_add_argument(&ask->question, "--", err);
    ask->has_operands |= !option;
    buf_init(&word);
    buf_printf(&word, "%s%s%s%s", option ? "--" : "", option ? option->name : value,
               option && value ? "=" : "", option && value ? value : "");
    if (buf_failed(&word))
        rc = error_set(err, -ENOMEM, "no memory for the question");
    if (rc == 0)
        rc = question_add_argument(&ask->question, word.data, err);
    buf_free(&word);
    return rc;
}

/* A name of the zone that local time is of here, as the tz database has it; or "". */
static void find_zone(char ret[QUESTION_TEXT_SIZE])
{
    const char *named = getenv("TZ"), *below;
    char link[PATH_MAX] = "";
    ssize_t len;

    if (!named) {
        len = readlink("/etc/localtime", link, sizeof(link) - 1);
        named = len < 0 && errno == ENOENT ? "UTC" : link;
    } else {
        named += *named == ':';
        named = *named ? named : "UTC";
    }
    below = strstr(named, ZONES);
    if (below)
        named = below + strlen(ZONES);
    snprintf(ret, QUESTION_TEXT_SIZE, "%s", question_is_zone(named) ? named : "");
}

static int make_question(struct ask *ask, int argc, char **argv, struct error *err)
{
    const struct question_tool *tool = question_tool_find(ask->tool);
    const char *time_format = getenv("SLURM_TIME_FORMAT");
    int rc;

    if (!tool)
        return error_set(err, -EINVAL, "\"%.40s\" is no tool that carbond runs", ask->tool);
    rc = cli_options_walk(tool->options, argc, argv, take_word, ask, err);
    ask->question.tool = tool->name;
    ask->question.csv = ask->csv_dir != NULL;
    ask->question.html = ask->html_file != NULL;
    ask->question.colour = screen_has_colour();
    ask->question.utf8 = format_locale_is_utf8();
    ask->question.columns = screen_columns();
    find_zone(ask->question.zone);
    if (time_format && strlen(time_format) < QUESTION_TEXT_SIZE)
        snprintf(ask->question.time_format, QUESTION_TEXT_SIZE, "%s", time_format);
    ask->question.format = getenv("SACCT_CARBON_FORMAT");
    if (rc == 0)
        rc = question_write(&ask->question, &ask->text, err);
    ask->question.format = NULL; /* not ours to free */
    return rc;
}

static int next_piece(void *context, struct piece *piece, struct error *err)
{
    const struct ask *ask = context;

    (void)err;
    snprintf(piece->kind, sizeof(piece->kind), "end");
    piece->data = ask->text.data;
    piece->len = ask->text.len;
    return 0;
}

/* --- the answer ------------------------------------------------------------------------------- */

static struct buf *find_csv(struct ask *ask, const char *name)
{
    struct csv *csv;

    if (ask->n_csvs > 0 && strcmp(ask->csvs[ask->n_csvs - 1].name, name) == 0)
        return &ask->csvs[ask->n_csvs - 1].text;
    if (!ask->csv_dir || ask->n_csvs == CSV_MAX ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] != '.')
        return NULL;
    csv = &ask->csvs[ask->n_csvs++];
    snprintf(csv->name, sizeof(csv->name), "%s", name);
    buf_init(&csv->text);
    return &csv->text;
}

static int take_piece(void *context, const struct piece *piece, struct error *err)
{
    struct ask *ask = context;
    struct buf *buf = NULL;

    if (strcmp(piece->kind, "end") == 0)
        return parse_u32(piece->data, 0, 255, &ask->status) < 0
            ? error_set(err, -EBADMSG, "an answer without a status") : 0;
    if (strcmp(piece->kind, "out") == 0)
        buf = &ask->out;
    else if (strcmp(piece->kind, "err") == 0)
        buf = &ask->err_out;
    else if (strcmp(piece->kind, "html") == 0 && ask->html_file)
        buf = &ask->html;
    else if (strncmp(piece->kind, "csv ", 4) == 0)
        buf = find_csv(ask, piece->kind + 4);
    if (!buf)
        return error_set(err, -EBADMSG, "a part of an answer that nobody asked for: %s",
                         piece->kind);
    buf_add(buf, piece->data, piece->len);
    return buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the answer") : 0;
}

static int write_csvs(struct ask *ask, struct error *err)
{
    int rc = 0, dirfd;

    if (ask->n_csvs == 0)
        return 0;
    if (mkdir(ask->csv_dir, 0755) < 0 && errno != EEXIST)
        return error_set_errno(err, -errno, "--csv: cannot make the directory %s", ask->csv_dir);
    dirfd = open(ask->csv_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_set_errno(err, -errno, "--csv: cannot open the directory %s", ask->csv_dir);
    for (size_t i = 0; rc == 0 && i < ask->n_csvs; i++) {
        rc = file_write_atomic(dirfd, ask->csvs[i].name, ask->csvs[i].text.data,
                               ask->csvs[i].text.len, 0644, 0);
        if (rc < 0)
            error_set_errno(err, rc, "--csv: cannot write %s/%s", ask->csv_dir, ask->csvs[i].name);
    }
    close(dirfd);
    return rc;
}

/* As the tool itself would have: its words, its files, what it prints, and its exit status. */
static int deliver_answer(struct ask *ask, struct error *err)
{
    int rc;

    if (ask->err_out.len > 0)
        fwrite(ask->err_out.data, 1, ask->err_out.len, stderr);
    rc = write_csvs(ask, err);
    if (rc == 0 && ask->html.len > 0)
        rc = output_write("--html", ask->html_file, 0644, &ask->html, err);
    if (rc < 0 || ask->out.len == 0)
        return rc;
    if (fwrite(ask->out.data, 1, ask->out.len, stdout) == ask->out.len && fflush(stdout) == 0)
        return 0;
    err->text[0] = '\0'; /* a reader that went away (head) is no error worth a word */
    return errno == EPIPE ? -EPIPE : error_set_errno(err, -errno, "writing the report");
}

/* --- both ------------------------------------------------------------------------------------- */

static int ask_until_answered(struct ask *ask, struct error *err)
{
    const struct post post = {
        .to = &ask->to, .munge_socket = ask->munge_socket, .path = "/query",
        .asks = PIECE_QUERY, .answers = PIECE_ANSWER, .deadline_s = DEADLINE_S,
        .context = ask, .next = next_piece, .take = take_piece,
    };
    unsigned seed = (unsigned)getpid();
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < ATTEMPTS; i++) {
        const struct timespec pause = { .tv_nsec = rand_r(&seed) % 500000000 + 500000000 };

        if (i > 0)
            nanosleep(&pause, NULL);
        rc = post_message(&post, err);
    }
    return rc;
}

static void clear(struct ask *ask)
{
    question_clear(&ask->question);
    buf_free(&ask->text);
    buf_free(&ask->out);
    buf_free(&ask->err_out);
    buf_free(&ask->html);
    for (size_t i = 0; i < ask->n_csvs; i++)
        buf_free(&ask->csvs[i].text);
}

int main(int argc, char **argv)
{
    static struct ask ask;
    struct error err = { "" };
    int rc;

    if (argc < 5) {
        fplainf(stderr, "carbon-ask: sacct-carbon and sreport-carbon run this; see carbond(8)\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "");
    ask.address = argv[1];
    ask.munge_socket = argv[2];
    ask.why = argv[3];
    ask.tool = strrchr(argv[4], '/') ? strrchr(argv[4], '/') + 1 : argv[4];
    rc = address_parse(ask.address, &ask.to, &err);
    if (rc == 0)
        rc = make_question(&ask, argc - 4, argv + 4, &err);
    if (rc == 0)
        rc = ask_until_answered(&ask, &err);
    if (rc < 0)
        fplainf(stderr, "%s: error: %s%scarbond at %s: %s\n", ask.tool, ask.why,
                ask.why[0] ? "; and " : "", ask.address, err.text);
    else if ((rc = deliver_answer(&ask, &err)) < 0 && err.text[0])
        fplainf(stderr, "%s: error: %s\n", ask.tool, err.text);
    clear(&ask);
    return rc < 0 ? EXIT_FAILURE : (int)ask.status;
}
