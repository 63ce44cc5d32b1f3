/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is one file, fuzz_NAME.c, with LLVMFuzzerTestOneInput(): it hands any bytes to a parser
 * and ends the program where the parser does not do what its header promises. It is built in two
 * ways: `configure --enable-fuzzing` links it with libFuzzer (scripts/fuzz does it and runs it),
 * else replay.c hands it every file of corpus/NAME, as a test.
 */
#ifndef CARBON_TESTS_FUZZ_H
#define CARBON_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the program, with the words of the promise, when it is broken. */
#define PROMISE(condition) ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_broken(const char *file, int line, const char *promise);

/* Whether rc is a failure, which is negative and tells why: err->text was "" before. */
bool fuzz_failed(int rc, const struct error *err);

/* A copy with a NUL behind it; the caller frees. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The next line of a text, cut off it; "" when there is none left. */
char *fuzz_line(char **text);

#define FUZZ_PATH_SIZE 32
/* The path of a file in memory that holds these bytes until the next call; for functions that open
   files, and do not mind that it is a link. */
void fuzz_file(const void *data, size_t size, char ret_path[FUZZ_PATH_SIZE]);

#endif
