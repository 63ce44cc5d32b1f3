/*
 * cpuinfo.h - what proc/cpuinfo says of the first CPU
 */
#ifndef CARBON_SENSORS_CPUINFO_H
#define CARBON_SENSORS_CPUINFO_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The value of "model name", "cpu family", …, or "" when there is none (ARM has no model name).
 * Cut to its room.
 */
void cpuinfo_field(int root_fd, const char *key, char *ret_text, size_t size);

/*
 * Whether it is a Sapphire or an Emerald Rapids (family 6, models 143 and 207), whose DRAM counts
 * in 61 uJ (SDM vol. 4, MSR 619h) where old kernels take the 15.3 uJ of the servers before.
 */
bool cpuinfo_is_rapids(int root_fd);

#endif
