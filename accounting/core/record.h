/*
 * record.h - the one line syntax of marks and batches
 *
 * A record is a line: a type, then key=value fields, separated by single spaces:
 *     step job_id=1234 step_id=0 cores=0-3 begin_wall_ns=1790000000000000000
 * In a value every byte that is not printable ASCII, and blank, '%' and '=', is written %XX.
 * Which fields a record has is said by one const table of struct record_field, from which it is
 * written, read and documented; the table names offsets into a plain C struct.
 *
 * Absence: an optional field that is absent is not written. A struct read from a line is zeroed
 * first, and bit `has` of its uint32_t mask (at `has_offset`) says which optional fields came.
 * Fields that share a bit come together or not at all.
 * Unknown keys are skipped, so that a newer writer can add fields; unknown record types are the
 * caller's matter. Libc only.
 */
#ifndef CARBON_CORE_RECORD_H
#define CARBON_CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

enum record_type {
    RECORD_U32,
    RECORD_U64,
    RECORD_I64,
    RECORD_HEX64, /* 16 hexadecimal digits */
    RECORD_TEXT,  /* char[size] */
    RECORD_IDSET, /* struct idset */
    RECORD_ENUM,  /* unsigned, written as one of names[] (NULL-terminated) */
};

struct record_field {
    const char *key;
    enum record_type type;
    size_t offset;
    size_t size;              /* of RECORD_TEXT, with the NUL */
    uint32_t has;             /* 0: required; else this bit of the has-mask */
    const char *const *names; /* of RECORD_ENUM */
};

struct record_desc {
    const char *type;                  /* the first word of the line */
    size_t struct_size;                /* of the C struct */
    size_t has_offset;                 /* of its uint32_t has-mask; any if no optional fields */
    const struct record_field *fields; /* ends with key NULL */
};

/* Append the line for *object, with its newline. Texts longer than their room cannot happen. */
void record_write(struct buf *buf, const struct record_desc *desc, const void *object);

/* Whether the line (NUL-terminated, without newline) is of that type. */
int record_is(const char *line, const struct record_desc *desc);

/*
 * Read a line into *ret_object. -EBADMSG, with the key and what is wrong in err, when a required
 * field, or one that belongs to a field that is there, is missing, a value is malformed, out of
 * range or too long, or a key comes twice; *ret_object is undefined then. The line is not changed.
 */
MUST_CHECK int record_read(const char *line, const struct record_desc *desc, void *ret_object,
                           struct error *err);

#endif
