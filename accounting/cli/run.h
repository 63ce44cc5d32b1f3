/*
 * run.h - one of Slurm's commands, and what it prints
 */
#ifndef CARBON_CLI_RUN_H
#define CARBON_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

/*
 * Run argv[0] of PATH to its end, with times in seconds since 1970, UTC, and words in English: what
 * it prints is in a temporary file, rewound, which the caller closes; its errors go to the error
 * output, unless `quiet`. -ENOENT when there is none, -ETIMEDOUT when it was ended after
 * deadline_s, -EFBIG when it printed more than most_bytes, -EIO when it failed. Any thread may.
 */
MUST_CHECK int run_command(const char *const argv[], unsigned deadline_s, uint64_t most_bytes,
                           bool quiet, FILE **ret_file, struct error *err);

#endif
