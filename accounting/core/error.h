/*
 * error.h - an error text that travels with a return code
 *
 * Every function of the project that can fail returns 0 or a negative errno and takes a
 * `struct error *err` last. The text says what was being done, to what, and what to do. err may
 * be NULL when nobody will read it. Libraries never print; programs do.
 */
#ifndef CARBON_CORE_ERROR_H
#define CARBON_CORE_ERROR_H

#include <stddef.h>

#define ERROR_TEXT_SIZE 512

struct error {
    char text[ERROR_TEXT_SIZE]; /* one or more sentences in one line */
};

/* For functions whose failure must not go unseen. */
#define MUST_CHECK __attribute__((warn_unused_result))

/*
 * Set the text and return `code` unchanged, so that a failure is one statement:
 *     return error_set(err, -EINVAL, "%s:%d: ...", file, line);
 * A text that does not fit is cut, never overrun. Control characters, marks that turn the direction
 * of writing, and bytes that are no UTF-8, all of which a file that is quoted may hold, become '?':
 * a text is one line wherever it is shown, and moves no terminal.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set(), with ": <strerror(-code)>" appended. code is a negative errno. */
int error_set_errno(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "<context>: " before the text that is there already, and return `code`. */
int error_prefix(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
