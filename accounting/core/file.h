/*
 * file.h - whole files, read within bounds and written so that nobody ever sees half of one
 *
 * All descriptors are O_CLOEXEC; the last path component is never followed when it is a symbolic
 * link. Paths are relative to dirfd (or AT_FDCWD). Libc only.
 */
#ifndef CARBON_CORE_FILE_H
#define CARBON_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * Read at most size - 1 bytes of a small file into room and NUL-terminate. Returns 0 and the
 * length, or a negative errno; -EFBIG when the file is longer. For regular files and for /proc and
 * /sys. Works where O_NOFOLLOW would not: sysfs class entries are links, so links are followed.
 */
MUST_CHECK int file_read_small(int dirfd, const char *path, char *room, size_t size,
                               size_t *ret_len);

/*
 * The first line of a small file, without its newline: what an attribute in /sys is. As
 * file_read_small(), but -EBADMSG when the file is longer than room has.
 */
MUST_CHECK int file_read_line(int dirfd, const char *path, char *room, size_t size);

/* Whether a name is taken in a directory, by whatever. */
bool file_is_there(int dirfd, const char *name);

/*
 * Read a regular file of at most max_size bytes into malloc'ed memory, NUL-terminated; the caller
 * frees. -EFBIG beyond max_size, -ELOOP for a symbolic link, -EINVAL for what is no regular file.
 */
MUST_CHECK int file_read(int dirfd, const char *path, size_t max_size, char **ret_data,
                         size_t *ret_len, struct error *err);

/*
 * Write data under `name` by a temporary file (".<name>.tmp", exclusive), write and rename, in the
 * directory dirfd. With sync: fsync of the file before and of the directory after, so that a file
 * that is there is whole even after power loss. On failure nothing of `data` is left under either
 * name. dirfd is no O_PATH descriptor when sync is set.
 * mode is applied whatever the umask.
 */
MUST_CHECK int file_write_atomic(int dirfd, const char *name, const char *data, size_t len,
                                 mode_t mode, int sync);

#endif
