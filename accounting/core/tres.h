/*
 * tres.h - trackable resources as Slurm writes them: "cpu=4,gres/gpu=2,mem=16G,node=1"
 */
#ifndef CARBON_CORE_TRES_H
#define CARBON_CORE_TRES_H

#include <stdint.h>

/* How many of `name` a list has, memory in MiB; 0: it is not there, or no number. */
uint64_t tres_count(const char *list, const char *name);

#endif
