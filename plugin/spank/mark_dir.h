/*
 * mark_dir.h - MarkDir, opened only where nothing can wait and nobody else can write
 */
#ifndef CARBON_SPANK_MARK_DIR_H
#define CARBON_SPANK_MARK_DIR_H

#include "core/error.h"

/*
 * MarkDir is left alone when it holds this many marks (nobody reads them: a page of memory each,
 * so 256 MiB), when its file system has less room than the reserve, which is for others, or when
 * someone put a file of this name there.
 */
#define MARK_DIR_MARKS_MAX 65536
#define MARK_DIR_RESERVE_BYTES (UINT64_C(1) << 20)
#define MARK_DIR_RESERVE_FILES 16
#define MARK_DIR_FULL_NAME "full"

/*
 * Open the directory; the descriptor, or a negative errno and what to do in err. Nothing outside
 * of tmpfs is touched: what path names is looked up in the table of mounts first (-EXDEV when it is
 * elsewhere; docs/adr/0011-marks-on-tmpfs.md). The directory and those above it must be no links
 * (-ELOOP, -ENOTDIR), belong to root or to this process's user, and be writable by nobody else but
 * for sticky ones above it (-EPERM). -ENOSPC when it is full, in the sense above.
 */
MUST_CHECK int mark_dir_open(const char *path, struct error *err);

#endif
