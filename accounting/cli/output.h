/*
 * output.h - a file that an option names, written whole or not at all
 */
#ifndef CARBON_CLI_OUTPUT_H
#define CARBON_CLI_OUTPUT_H

#include <sys/types.h>

#include "core/buf.h"
#include "core/error.h"

/*
 * Write the text into a regular file, new or in place of what it held, of mode. `option` begins
 * the messages ("--html"). -EINVAL for a path that names no file, or something that is no regular
 * file (a device would be replaced); else what the file system said.
 */
MUST_CHECK int output_write(const char *option, const char *path, mode_t mode,
                            const struct buf *text, struct error *err);

#endif
