/*
 * edge.h - what all marks share: open MarkDir, read the counters, write the file
 *
 *     if (edge_open(&edge, …) == 0) { fill in more of edge.mark; edge_close(&edge, …); }
 */
#ifndef CARBON_SPANK_EDGE_H
#define CARBON_SPANK_EDGE_H

#include "core/mark.h"
#include "spank/gather.h"
#include "spank/settings.h"

struct edge {
    int dir_fd;
    struct mark mark;
    size_t count;
    struct mark_reading readings[MARK_READINGS_MAX];
};

/*
 * Open MarkDir (mark_dir.h has the errors) and read the counters (zones: see gather.h), and set
 * edge, instant, node and boot id in edge->mark, whose other fields stay as the caller made them.
 * On failure err says what to do, and nothing is open.
 */
MUST_CHECK int edge_open(struct edge *edge, enum mark_edge which, const char *node,
                         const struct settings *settings, struct gather_zones *zones,
                         struct error *err);

/*
 * Write the mark into MarkDir, for root to read, by rename; close. Not synced: a mark outlives no
 * boot.
 */
MUST_CHECK int edge_close(struct edge *edge, struct error *err);

/* Close without a mark. */
void edge_drop(struct edge *edge);

#endif
