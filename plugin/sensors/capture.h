/*
 * capture.h - what sensors see of a node, as one text file that can be read, mailed and replayed
 *
 * A capture holds the files of /sys and /proc that the sensors look at, at one instant or more;
 * docs/formats/capture-1.md is its format. `carbonctl sensors --capture` makes one, and given a
 * capture `carbonctl sensors --root` and tests/machines lay it out in a directory for the sensors.
 *
 * Where it comes from is not trusted: a capture cannot name anything outside of the directory that
 * it is laid out in, and its sizes have bounds.
 */
#ifndef CARBON_SENSORS_CAPTURE_H
#define CARBON_SENSORS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

#define CAPTURE_FIRST_LINE "carbon-capture 1"
#define CAPTURE_SIZE_MAX (UINT64_C(16) << 20) /* a node of 1024 CPUs and 16 GPUs takes 2 MiB */
#define CAPTURE_FILE_MAX ((size_t)256 << 10)  /* proc/stat of 2048 CPUs */
#define CAPTURE_RECORDS_MAX 131072
#define CAPTURE_PATH_MAX 512  /* bytes */
#define CAPTURE_DEPTH_MAX 24  /* names in a path; PCI bridges make the longest */

enum capture_type {
    CAPTURE_DIR,
    CAPTURE_LINK,
    CAPTURE_FILE,
    CAPTURE_UNREADABLE, /* a file that is there and whose reading failed */
};

struct capture_record {
    enum capture_type type;
    char *path;      /* "sys/class/powercap": relative, of plain names */
    char *data;      /* of a file: what it holds; of a link: its target, NUL-terminated */
    size_t len;      /* of data */
    int code;        /* UNREADABLE: the negative errno */
    bool is_counter; /* while capturing: to be read again at the next instant */
};

/* Records of one instant follow those of the one before; the first has what is there at all. */
struct capture_instant {
    uint64_t after_ns; /* since the first */
    size_t begin;      /* its first record; it ends where the next instant begins */
};

#define CAPTURE_INSTANTS_MAX 16

struct capture {
    struct capture_record *records;
    size_t n_records, room;
    struct capture_instant instants[CAPTURE_INSTANTS_MAX]; /* [0].after_ns is 0 */
    size_t n_instants;
};

/* An empty capture, with its first instant begun. */
void capture_init(struct capture *capture);
void capture_clear(struct capture *capture);

/* --- making one ------------------------------------------------------------------------------ */

/*
 * Add what the table of capture_scan.c names and is there below root_fd. Serial numbers, host
 * names, processes and the like are not in the table; ids of devices are replaced by numbers that
 * mean nothing elsewhere. -E2BIG beyond the bounds, -ENOMEM.
 */
MUST_CHECK int capture_scan(int root_fd, struct capture *capture, struct error *err);

/* Begin another instant, and add to it the counters whose files changed. Errors as above. */
MUST_CHECK int capture_scan_again(int root_fd, uint64_t after_ns, struct capture *capture,
                                  struct error *err);

/* Records that could not be read, of the first instant. */
size_t capture_count_unreadable(const struct capture *capture);

/* Append the text of a capture. */
void capture_format(const struct capture *capture, struct buf *buf);

/* --- reading and laying out one -------------------------------------------------------------- */

/*
 * Parse a text into an empty capture. `name` is what messages call it: -EINVAL with
 * "name:line: what is wrong; what to do". *capture is empty after a failure.
 */
MUST_CHECK int capture_parse(const char *name, const char *text, size_t len,
                             struct capture *ret_capture, struct error *err);

/* The same of a file. Errors of file_read() besides. */
MUST_CHECK int capture_load(const char *path, struct capture *ret_capture, struct error *err);

/*
 * Write the records of an instant below dir_fd: an empty directory for the first instant, the same
 * directory for later ones. What is there already is never followed if it is a link.
 */
MUST_CHECK int capture_unpack(const struct capture *capture, size_t instant, int dir_fd,
                              struct error *err);

/* --- within capture*.c ------------------------------------------------------------------------ */

/*
 * Add a record; data is copied. -EINVAL for a path, or a link's target, that could lead out of the
 * directory, -E2BIG beyond the bounds, -ENOMEM; why in *ret_why unless that is NULL.
 */
MUST_CHECK int capture_add(struct capture *capture, enum capture_type type, const char *path,
                           const char *data, size_t len, const char **ret_why);

/* Begin an instant; -E2BIG when there are too many, -EINVAL when it is not later than the last. */
MUST_CHECK int capture_begin_instant(struct capture *capture, uint64_t after_ns);

/*
 * Add the files of CPUs and memory that `words` describe ("packages=2 cores=64 threads=2"):
 * docs/formats/capture-1.md, "cpus".
 */
MUST_CHECK int capture_add_cpus(struct capture *capture, char *words, const char **ret_why);

#endif
