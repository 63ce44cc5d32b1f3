#include "carbond/question.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sacct_options.h"
#include "cli/sreport_options.h"

const struct question_tool question_tools[] = {
    { "sacct-carbon", sacct_option_table },
    { "sreport-carbon", sreport_option_table },
    { NULL, NULL },
};

const struct question_tool *question_tool_find(const char *name)
{
    for (const struct question_tool *tool = question_tools; tool->name; tool++)
        if (strcmp(tool->name, name) == 0)
            return tool;
    return NULL;
}

int question_add_argument(struct question *question, const char *text, struct error *err)
{
    char **grown;

    if (question->n_arguments == QUESTION_ARGUMENTS_MAX)
        return error_set(err, -E2BIG, "more than %d arguments: name fewer jobs at once",
                         QUESTION_ARGUMENTS_MAX);
    grown = realloc(question->arguments, (question->n_arguments + 2) * sizeof(*grown));
    if (!grown)
        return error_set(err, -ENOMEM, "no memory for the question");
    question->arguments = grown;
    grown[question->n_arguments + 1] = NULL;
    grown[question->n_arguments] = strdup(text);
    if (!grown[question->n_arguments])
        return error_set(err, -ENOMEM, "no memory for the question");
    question->n_arguments++;
    return 0;
}

void question_clear(struct question *question)
{
    for (size_t i = 0; i < question->n_arguments; i++)
        free(question->arguments[i]);
    free(question->arguments);
    free(question->format);
    *question = (struct question){ 0 };
}

/* --- writing ---------------------------------------------------------------------------------- */

static json_t *to_json(const struct question *question)
{
    json_t *arguments = json_array();

    for (size_t i = 0; i < question->n_arguments; i++)
        if (json_array_append_new(arguments, json_string(question->arguments[i])) < 0) {
            json_decref(arguments);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:b, s:b, s:b, s:b, s:i, s:s, s:s, s:s}",
                     "tool", question->tool, "arguments", arguments, "csv", question->csv,
                     "html", question->html, "colour", question->colour, "utf8", question->utf8,
                     "columns", (int)question->columns, "zone", question->zone,
                     "time_format", question->time_format,
                     "format", question->format ? question->format : "");
}

int question_write(const struct question *question, struct buf *buf, struct error *err)
{
    json_t *root = to_json(question);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    int rc = 0;

    if (!text)
        rc = error_set(err, -EINVAL, "an argument is no UTF-8, or there is no memory");
    else if (strlen(text) > PIECE_DATA_MAX)
        rc = error_set(err, -E2BIG, "a command line of %zu bytes is too long for carbond: name "
                       "fewer jobs at once", strlen(text));
    else
        buf_add(buf, text, strlen(text));
    free(text);
    json_decref(root);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int take_arguments(const json_t *arguments, struct question *ret, struct error *err)
{
    const json_t *argument;
    size_t i;
    int rc = 0;

    json_array_foreach(arguments, i, argument) {
        if (rc == 0 && !json_is_string(argument))
            rc = error_set(err, -EBADMSG, "an argument that is no text");
        if (rc == 0)
            rc = question_add_argument(ret, json_string_value(argument), err);
    }
    return rc;
}

/* What tzset(3) would open as a file of the server's is none of theirs. */
bool question_is_zone(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "_+-,./<>") == strlen(text) && text[0] != '/' && !strstr(text, "..");
}

static int take_text(const char *name, const char *text, char ret[QUESTION_TEXT_SIZE],
                     struct error *err)
{
    if (strlen(text) >= QUESTION_TEXT_SIZE)
        return error_set(err, -EBADMSG, "%s is longer than %d characters", name,
                         QUESTION_TEXT_SIZE - 1);
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

/* Options that name a file, or another carbon.conf: the client keeps them to itself. */
static int refuse_file(void *context, const struct cli_option *option, const char *value,
                       struct error *err)
{
    (void)context;
    if (!option || (strcmp(option->name, "config") != 0 && strcmp(option->name, "csv") != 0 &&
                    (strcmp(option->name, "html") != 0 || strcmp(value, "-") == 0)))
        return 0;
    return error_set(err, -EPERM, "--%s names a file, and carbond opens none for others",
                     option->name);
}

/* getopt(3) has one state for all. */
static int check_arguments(const struct question *question, struct error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const struct question_tool *tool = question_tool_find(question->tool);
    char **argv = calloc(question->n_arguments + 2, sizeof(*argv));
    int rc;

    if (!argv)
        return error_set(err, -ENOMEM, "no memory for the question");
    argv[0] = (char *)(uintptr_t)tool->name;
    for (size_t i = 0; i < question->n_arguments; i++)
        argv[i + 1] = question->arguments[i];
    pthread_mutex_lock(&lock);
    rc = cli_options_walk(tool->options, (int)question->n_arguments + 1, argv, refuse_file, NULL,
                          err);
    pthread_mutex_unlock(&lock);
    free(argv);
    return rc == -EINVAL ? 0 : rc; /* the tool itself says what is wrong with the line */
}

static int take_json(json_t *root, struct question *ret, struct error *err)
{
    const char *tool, *zone, *time_format, *format;
    int csv, html, colour, utf8, columns, rc;
    const json_t *arguments;
    json_error_t why;

    if (json_unpack_ex(root, &why, JSON_STRICT,
                       "{s:s, s:o, s:b, s:b, s:b, s:b, s:i, s:s, s:s, s:s}", "tool", &tool,
                       "arguments", &arguments, "csv", &csv, "html", &html, "colour", &colour,
                       "utf8", &utf8, "columns", &columns, "zone", &zone,
                       "time_format", &time_format, "format", &format) < 0)
        return error_set(err, -EBADMSG, "the question: %.200s", why.text);
    if (!question_tool_find(tool) || !json_is_array(arguments) || !question_is_zone(zone) ||
        columns < 0 || columns > SCREEN_COLUMNS_MAX)
        return error_set(err, -EBADMSG, "the question: no tool, no arguments, no width or no zone");
    ret->tool = question_tool_find(tool)->name;
    ret->csv = csv;
    ret->html = html;
    ret->colour = colour;
    ret->utf8 = utf8;
    ret->columns = (unsigned)columns;
    rc = take_text("TZ", zone, ret->zone, err);
    if (rc == 0)
        rc = take_text("SLURM_TIME_FORMAT", time_format, ret->time_format, err);
    if (rc == 0 && !(ret->format = strdup(format)))
        rc = error_set(err, -ENOMEM, "no memory for the question");
    if (rc == 0)
        rc = take_arguments(arguments, ret, err);
    return rc;
}

int question_read(const char *bytes, size_t len, struct question *ret, struct error *err)
{
    json_error_t why;
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    int rc;

    *ret = (struct question){ 0 };
    if (!root)
        return error_set(err, -EBADMSG, "the question: %.200s", why.text);
    rc = take_json(root, ret, err);
    json_decref(root);
    return rc < 0 ? rc : check_arguments(ret, err);
}
