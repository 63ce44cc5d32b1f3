/*
 * gather.h - the facts of a mark that the node itself tells: counters, name, boot, this process
 */
#ifndef CARBON_SPANK_GATHER_H
#define CARBON_SPANK_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/mark.h"

/* The zones that count, kept between a step's two marks: its end need not list them again. */
struct gather_zones {
    bool listed; /* false at first */
    size_t count;
    char zone[MARK_READINGS_MAX][SOURCE_NAME_SIZE];
};

/*
 * Read the powercap counters below sensor_root that count (found at the first call, then kept in
 * *zones), and the clocks: mark->boottime_ns is half way between just before the
 * first and just after the last reading, so that the mark's instant is the readings'; wall_ns is
 * the wall clock at that instant. A counter that fails is left out. Returns how many were read.
 */
size_t gather_readings(const char *sensor_root, struct gather_zones *zones, struct mark *mark,
                       struct mark_reading ret_readings[MARK_READINGS_MAX]);

/* slurmd's name for this node, else the host name up to its first dot; "" when neither is known. */
void gather_node(char ret_node[NODE_NAME_SIZE]);

/* Fill stepd_pid and stepd_start_ticks with this process's, which tell it from a later namesake. */
void gather_stepd(struct mark *mark);

#endif
