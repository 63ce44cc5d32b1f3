/*
 * spank_carbon.c - the hooks that Slurm calls
 */
#include <slurm/spank.h>

#pragma GCC visibility push(default)
SPANK_PLUGIN(carbon, 1)
#pragma GCC visibility pop
