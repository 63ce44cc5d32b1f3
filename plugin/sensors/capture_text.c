#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/parse.h"
#include "sensors/capture.h"

#define HEX_BYTES 32 /* in a line */
#define AFTER_MAX_NS (UINT64_C(86400) * 1000000000)

/*
 * What the reading of a file may fail with, by the names that capture-1.md lists. A number would
 * mean another thing on another architecture.
 */
static const struct {
    const char *name;
    int code;
} failures[] = {
    { "EACCES", EACCES },   { "EPERM", EPERM },   { "EIO", EIO },         { "ENODATA", ENODATA },
    { "ENODEV", ENODEV },   { "ENXIO", ENXIO },   { "EBUSY", EBUSY },     { "EAGAIN", EAGAIN },
    { "EINVAL", EINVAL },   { "ENOENT", ENOENT }, { "EFBIG", EFBIG },     { "ENOSYS", ENOSYS },
    { "EOPNOTSUPP", EOPNOTSUPP },                 { "ETIMEDOUT", ETIMEDOUT },
};
#define FAILURES (sizeof(failures) / sizeof(failures[0]))

/* --- writing ---------------------------------------------------------------------------------- */

/* Blanks end a path in a record, so they and what cannot be seen are written %XX, as % itself. */
static void add_path(struct buf *buf, const char *path)
{
    for (; *path; path++)
        if ((unsigned char)*path > ' ' && (unsigned char)*path < 0x7f && *path != '%')
            buf_add(buf, path, 1);
        else
            buf_printf(buf, "%%%02X", (unsigned)(unsigned char)*path);
}

static bool is_text(const struct capture_record *record)
{
    for (size_t i = 0; i < record->len; i++) {
        unsigned char c = (unsigned char)record->data[i];

        if ((c < ' ' && c != '\n' && c != '\t') || c >= 0x7f)
            return false;
    }
    return true;
}

static void add_lines(struct buf *buf, const struct capture_record *record)
{
    const char *line = record->data, *end;

    buf_printf(buf, "\n");
    for (; *line; line = end + 1) {
        end = strchr(line, '\n');
        buf_printf(buf, "| %.*s\n", (int)(end - line), line);
    }
}

static void add_hex(struct buf *buf, const struct capture_record *record)
{
    for (size_t i = 0; i < record->len; i++)
        buf_printf(buf, "%s%02x", i % HEX_BYTES == 0 ? "\n:" : i % 4 == 0 ? " " : "",
                   (unsigned)(unsigned char)record->data[i]);
    buf_printf(buf, "\n");
}

static void add_head(struct buf *buf, const char *type, const struct capture_record *record)
{
    buf_printf(buf, "%s ", type);
    add_path(buf, record->path);
}

static void add_file(struct buf *buf, const struct capture_record *record)
{
    const char *end = strchr(record->data, '\n');

    if (!is_text(record)) {
        add_head(buf, "hex", record);
        add_hex(buf, record);
    } else if (!end) {
        add_head(buf, "bare", record);
        buf_printf(buf, " %s\n", record->data);
    } else if (end == record->data + record->len - 1) {
        add_head(buf, "line", record);
        buf_printf(buf, " %s", record->data);
    } else if (record->data[record->len - 1] == '\n') {
        add_head(buf, "text", record);
        add_lines(buf, record);
    } else { /* several lines, the last of them open */
        add_head(buf, "hex", record);
        add_hex(buf, record);
    }
}

static const char *failure_name(int code)
{
    for (size_t i = 0; i < FAILURES; i++)
        if (failures[i].code == -code)
            return failures[i].name;
    return "EIO";
}

static void add_record(struct buf *buf, const struct capture_record *record)
{
    switch (record->type) {
    case CAPTURE_DIR:
        add_head(buf, "dir", record);
        buf_printf(buf, "\n");
        return;
    case CAPTURE_LINK:
        add_head(buf, "link", record);
        buf_printf(buf, " ");
        add_path(buf, record->data);
        buf_printf(buf, "\n");
        return;
    case CAPTURE_UNREADABLE:
        add_head(buf, "unreadable", record);
        buf_printf(buf, " %s\n", failure_name(record->code));
        return;
    case CAPTURE_FILE:
        add_file(buf, record);
        return;
    }
}

void capture_format(const struct capture *capture, struct buf *buf)
{
    size_t instant = 0;

    buf_printf(buf, CAPTURE_FIRST_LINE "\n"
               "# What the sensors of slurm-carbon see of a node, by carbonctl " PACKAGE_VERSION
               "; docs/formats/capture-1.md\n");
    for (size_t i = 0; i < capture->n_records; i++) {
        while (instant + 1 < capture->n_instants && capture->instants[instant + 1].begin == i)
            buf_printf(buf, "\nafter_ns %" PRIu64 "\n", capture->instants[++instant].after_ns);
        add_record(buf, &capture->records[i]);
    }
    while (++instant < capture->n_instants)
        buf_printf(buf, "\nafter_ns %" PRIu64 "\n", capture->instants[instant].after_ns);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The lines of a text, in a copy of it. */
struct reader {
    const char *name;
    char *next, *end;
    unsigned line;
    struct capture *capture;
    struct error *err;
};

static int fail(const struct reader *reader, int code, const char *what, const char *remedy)
{
    return error_set(reader->err, code, "%s:%u: %s; %s", reader->name, reader->line, what, remedy);
}

static int mistake(const struct reader *reader, const char *what)
{
    return fail(reader, -EINVAL, what, "docs/formats/capture-1.md says what may stand here");
}

/* The next line, or NULL at the end; without a carriage return that some mail program put there. */
static char *next_line(struct reader *reader)
{
    char *line = reader->next, *end;

    if (line >= reader->end)
        return NULL;
    end = memchr(line, '\n', (size_t)(reader->end - line));
    if (!end)
        end = reader->end;
    *end = '\0';
    reader->next = end + 1;
    reader->line++;
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    return line;
}

/* Whether the next line goes on with a file: '|' and ':' lines belong to the record above them. */
static bool goes_on(const struct reader *reader, char mark)
{
    return reader->next < reader->end && *reader->next == mark;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* "%20" to a blank, in place. False for what is no escape, and for NUL. */
static bool decode(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '%') {
            int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);

            if (low < 0 || (high == 0 && low == 0))
                return false;
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return true;
}

static int add(struct reader *reader, enum capture_type type, const char *path, const char *data,
               size_t len)
{
    const char *why = "";
    int rc = capture_add(reader->capture, type, path, data, len, &why);

    if (rc == -EINVAL)
        return fail(reader, rc, why, "a capture stays within the directory it is laid out in, "
                    "which this one does not: do not use it");
    return rc < 0 ? fail(reader, rc, why, "carbonctl writes no such capture") : 0;
}

static int read_text(struct reader *reader, const char *path)
{
    char *to = reader->next, *data = to, *line;

    while (goes_on(reader, '|')) { /* the lines move together, over their marks */
        line = next_line(reader);
        line += line[1] == ' ' ? 2 : 1;
        memmove(to, line, strlen(line));
        to += strlen(line);
        *to++ = '\n';
    }
    return add(reader, CAPTURE_FILE, path, data, (size_t)(to - data));
}

static int read_hex(struct reader *reader, const char *path)
{
    char *to = reader->next, *data = to;

    while (goes_on(reader, ':')) {
        for (const char *at = next_line(reader) + 1; *at; at++) {
            int high, low;

            if (*at == ' ')
                continue;
            high = hex_digit(*at);
            low = high < 0 ? -1 : hex_digit(*++at);
            if (low < 0)
                return mistake(reader, "this is not made of pairs of hexadecimal digits");
            *to++ = (char)(high * 16 + low);
        }
    }
    return add(reader, CAPTURE_FILE, path, data, (size_t)(to - data));
}

static int read_line(struct reader *reader, const char *path, char *rest, bool has_end)
{
    size_t len = strlen(rest);

    if (has_end && len == 0) /* rest may be the end of the path itself */
        return add(reader, CAPTURE_FILE, path, "\n", 1);
    if (has_end) /* its own end was where the NUL is */
        rest[len++] = '\n';
    return add(reader, CAPTURE_FILE, path, rest, len);
}

static int read_unreadable(struct reader *reader, const char *path, const char *name)
{
    int rc;

    for (size_t i = 0; i < FAILURES; i++)
        if (strcmp(failures[i].name, name) == 0) {
            rc = add(reader, CAPTURE_UNREADABLE, path, "", 0);
            if (rc == 0)
                reader->capture->records[reader->capture->n_records - 1].code = -failures[i].code;
            return rc;
        }
    return mistake(reader, "no failure of this name is known");
}

static int read_after(struct reader *reader, const char *number)
{
    uint64_t after_ns;
    int rc = parse_u64(number, 1, AFTER_MAX_NS, &after_ns);

    if (rc == 0)
        rc = capture_begin_instant(reader->capture, after_ns);
    if (rc == -E2BIG)
        return mistake(reader, "there are too many instants");
    return rc < 0 ? mistake(reader, "after_ns needs nanoseconds since the first instant, more than "
                            "those of the instant before it") : 0;
}

static int read_cpus(struct reader *reader, char *words)
{
    const char *why = "";
    int rc = capture_add_cpus(reader->capture, words, &why);

    return rc < 0 ? mistake(reader, why) : 0;
}

static int read_path_record(struct reader *reader, const char *type, char *path)
{
    char *rest = strchr(path, ' ');

    if (rest)
        *rest++ = '\0';
    else
        rest = path + strlen(path);
    if (!decode(path))
        return mistake(reader, "the path has a % that is not followed by two hexadecimal digits");
    if (strcmp(type, "line") == 0)
        return read_line(reader, path, rest, true);
    if (strcmp(type, "bare") == 0)
        return read_line(reader, path, rest, false);
    if (strcmp(type, "unreadable") == 0)
        return read_unreadable(reader, path, rest);
    if (strcmp(type, "link") == 0)
        return decode(rest) ? add(reader, CAPTURE_LINK, path, rest, strlen(rest))
                            : mistake(reader, "the target has a % without hexadecimal digits");
    if (*rest)
        return mistake(reader, "nothing is known that could follow the path");
    if (strcmp(type, "dir") == 0)
        return add(reader, CAPTURE_DIR, path, "", 0);
    if (strcmp(type, "text") == 0)
        return read_text(reader, path);
    if (strcmp(type, "hex") == 0)
        return read_hex(reader, path);
    return mistake(reader, "this is no record of a capture");
}

static int read_record(struct reader *reader, char *line)
{
    char *rest = strchr(line, ' ');

    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (!rest)
        return mistake(reader, "this is no record of a capture");
    *rest++ = '\0';
    if (strcmp(line, "after_ns") == 0)
        return read_after(reader, rest);
    if (strcmp(line, "cpus") == 0)
        return read_cpus(reader, rest);
    return read_path_record(reader, line, rest);
}

static int read_all(struct reader *reader)
{
    char *line = next_line(reader);
    int rc = 0;

    if (!line || strcmp(line, CAPTURE_FIRST_LINE) != 0)
        return fail(reader, -EINVAL, "this is no capture that is known here",
                    "its first line would be \"" CAPTURE_FIRST_LINE "\"; `carbonctl sensors "
                    "--capture FILE` makes one");
    while (rc == 0 && (line = next_line(reader)) != NULL)
        rc = read_record(reader, line);
    return rc;
}

int capture_parse(const char *name, const char *text, size_t len, struct capture *ret_capture,
                  struct error *err)
{
    struct reader reader = { .name = name, .line = 0, .capture = ret_capture, .err = err };
    char *copy;
    int rc;

    if (len > CAPTURE_SIZE_MAX || memchr(text, '\0', len))
        return error_set(err, -EINVAL, "%s: this is no capture: it %s; `carbonctl sensors "
                         "--capture FILE` makes one", name,
                         len > CAPTURE_SIZE_MAX ? "is too long" : "has a NUL byte in it");
    copy = malloc(len + 1);
    if (!copy)
        return error_set_errno(err, -ENOMEM, "%s", name);
    memcpy(copy, text, len);
    copy[len] = '\0';
    reader.next = copy;
    reader.end = copy + len;
    capture_init(ret_capture);
    rc = read_all(&reader);
    free(copy);
    if (rc < 0)
        capture_clear(ret_capture);
    return rc;
}

int capture_load(const char *path, struct capture *ret_capture, struct error *err)
{
    size_t len;
    char *text;
    int rc = file_read(AT_FDCWD, path, CAPTURE_SIZE_MAX, &text, &len, err);

    if (rc < 0)
        return rc;
    rc = capture_parse(path, text, len, ret_capture, err);
    free(text);
    return rc;
}
