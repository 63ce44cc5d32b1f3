/*
 * cpuinfo.h - what proc/cpuinfo says of the first CPU
 */
#ifndef CARBON_SENSORS_CPUINFO_H
#define CARBON_SENSORS_CPUINFO_H

#include <stddef.h>

/*
 * The value of "model name", "cpu family", …, or "" when there is none (ARM has no model name).
 * Cut to its room.
 */
void cpuinfo_field(int root_fd, const char *key, char *ret_text, size_t size);

#endif
