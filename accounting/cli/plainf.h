/*
 * plainf.h - printf() of what others may have named
 *
 * An account, a node, a file in DeliverDir or an argument can hold an escape sequence, and the
 * terminal that it is printed on is an administrator's. These print as their namesakes do, with
 * what would move a terminal escaped (report/format.h); newlines and tabs stay.
 */
#ifndef CARBON_CLI_PLAINF_H
#define CARBON_CLI_PLAINF_H

#include <stdarg.h>
#include <stdio.h>

/* All return the bytes printed; -1 without memory. */
int vfplainf(FILE *file, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
int fplainf(FILE *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int plainf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
