#include "cli/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 28

static bool is_optional(const struct cli_option *option)
{
    return option->argument && *option->argument == '[';
}

void cli_options_describe(const struct cli_option *table, struct cli_getopt *ret)
{
    size_t used = 0;

    ret->shorts[used++] = ':'; /* we write the messages ourselves */
    for (size_t i = 0; table[i].name; i++) {
        const struct cli_option *option = &table[i];

        ret->longs[i] = (struct option){
            option->name,
            !option->argument ? no_argument
            : is_optional(option) ? optional_argument : required_argument,
            NULL, option->code
        };
        ret->longs[i + 1] = (struct option){ 0 };
        if (option->code < 256)
            ret->shorts[used++] = (char)option->code;
        if (option->code < 256 && option->argument)
            ret->shorts[used++] = ':';
    }
    ret->shorts[used] = '\0';
}

int cli_options_refuse(const char *program, int code, char **argv, struct error *err)
{
    const char *word = argv[optind - 1];

    if (code == ':')
        return error_set(err, -EINVAL, "option %.40s needs an argument: %s --help", word, program);
    if (optopt > 0 && optopt < 256)
        return error_set(err, -EINVAL, "no option -%c: %s --help lists them", optopt, program);
    return error_set(err, -EINVAL, "option %.40s is not known, begins several, or takes no "
                     "argument: %s --help lists them", word, program);
}

int cli_options_walk(const struct cli_option *table, int argc, char **argv,
                     cli_option_taker *take, void *context, struct error *err)
{
    struct cli_getopt known;
    int code, rc = 0;

    cli_options_describe(table, &known);
    opterr = 0;
    optind = 0; /* from the start, whatever line was read before */
    while (rc == 0 && (code = getopt_long(argc, argv, known.shorts, known.longs, NULL)) != -1) {
        const struct cli_option *option = table;

        if (code == '?' || code == ':')
            return cli_options_refuse(argv[0], code, argv, err);
        while (option->code != code)
            option++;
        rc = take(context, option, option->argument ? optarg : NULL, err);
    }
    for (int i = optind; rc == 0 && i < argc; i++)
        rc = take(context, NULL, argv[i], err);
    return rc;
}

void cli_wrap(struct buf *buf, const char *text, size_t indent)
{
    size_t column = indent;

    for (const char *word = text; *word != '\0';) {
        size_t len = strcspn(word, " ");

        if (column > indent && column + 1 + len > 100) {
            buf_printf(buf, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_printf(buf, " ");
            column++;
        }
        buf_add(buf, word, len);
        column += len;
        word += len + (word[len] == ' ');
    }
    buf_printf(buf, "\n");
}

void cli_options_help(const struct cli_option *table, struct buf *buf)
{
    for (const struct cli_option *option = table; option->name; option++) {
        char left[64];
        int len = option->code < 256
            ? snprintf(left, sizeof(left), "  -%c, --%s", option->code, option->name)
            : snprintf(left, sizeof(left), "      --%s", option->name);

        if (option->argument)
            snprintf(left + len, sizeof(left) - (size_t)len, "%s%s",
                     is_optional(option) ? "" : "=", option->argument);
        buf_printf(buf, "%-*s", HELP_COLUMN, left);
        cli_wrap(buf, option->help, HELP_COLUMN);
    }
}

void cli_options_usage(const char *program, const struct cli_option *table, const char *operands,
                       struct buf *buf)
{
    struct buf words;

    buf_init(&words);
    for (const struct cli_option *option = table; option->name; option++) {
        if (option->code < 256)
            buf_printf(&words, "[-%c%s%s] ", option->code, option->argument ? " " : "",
                       option->argument ? option->argument : "");
        else
            buf_printf(&words, "[--%s%s%s] ", option->name,
                       option->argument && !is_optional(option) ? "=" : "",
                       option->argument ? option->argument : "");
    }
    buf_printf(&words, "%s", operands);
    buf_printf(buf, "Usage: %s ", program);
    cli_wrap(buf, words.data ? words.data : "", strlen("Usage:  ") + strlen(program));
    buf_free(&words);
}

int cli_check_delimiter(const char *text, struct error *err)
{
    if (*text == '\0')
        return error_set(err, -EINVAL, "--delimiter: write one character or more");
    if (strpbrk(text, "\\xuU0123456789abcdefABCDEF"))
        return error_set(err, -EINVAL, "--delimiter \"%.20s\": names are escaped as \\x1b and "
                         "\\u202e: write none of these characters", text);
    return 0;
}
