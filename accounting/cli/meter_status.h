/*
 * meter_status.h - whether this node's carbon-meterd runs, and what it last said of itself
 */
#ifndef CARBON_CLI_METER_STATUS_H
#define CARBON_CLI_METER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define METER_STATUS_SIZE 65536

/* The meter holds SpoolDir/lock as long as it lives. 1 alive, 0 not, or a negative errno. */
MUST_CHECK int meter_is_alive(int spool_fd);

/* Its status, NUL-terminated. Errors of file_read_small(); -ENOENT: it has left none yet. */
MUST_CHECK int meter_read_status(int spool_fd, char text[METER_STATUS_SIZE]);

/*
 * Of a counter's line in a status, the idle floor in force and whether it was learned. False when
 * the counter is not in it or has no floor yet.
 */
bool meter_find_floor(const char *text, const char *source, uint64_t *ret_floor_uw,
                      bool *ret_learned);

#endif
