#include "core/record.h"

#include <errno.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/idset.h"
#include "core/parse.h"

static const void *field_at(const struct record_field *field, const void *object)
{
    return (const char *)object + field->offset;
}

static void add_escaped(struct buf *buf, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        char escaped[3] = { '%', hex[*p >> 4], hex[*p & 15] };

        if (*p <= ' ' || *p >= 0x7f || *p == '%' || *p == '=')
            buf_add(buf, escaped, 3);
        else
            buf_add(buf, (const char *)p, 1);
    }
}

static void add_idset(struct buf *buf, const struct idset *set)
{
    char text[IDSET_TEXT_SIZE];

    idset_format(set, text, sizeof(text));
    buf_printf(buf, "%s", text);
}

static void add_value(struct buf *buf, const struct record_field *field, const void *object)
{
    const void *at = field_at(field, object);

    switch (field->type) {
    case RECORD_U32:
        buf_printf(buf, "%" PRIu32, *(const uint32_t *)at);
        break;
    case RECORD_U64:
        buf_printf(buf, "%" PRIu64, *(const uint64_t *)at);
        break;
    case RECORD_I64:
        buf_printf(buf, "%" PRId64, *(const int64_t *)at);
        break;
    case RECORD_HEX64:
        buf_printf(buf, "%016" PRIx64, *(const uint64_t *)at);
        break;
    case RECORD_TEXT:
        add_escaped(buf, at);
        break;
    case RECORD_IDSET:
        add_idset(buf, at);
        break;
    case RECORD_ENUM:
        buf_printf(buf, "%s", field->names[*(const unsigned *)at]);
        break;
    }
}

void record_write(struct buf *buf, const struct record_desc *desc, const void *object)
{
    uint32_t has = *(const uint32_t *)((const char *)object + desc->has_offset);

    buf_printf(buf, "%s", desc->type);
    for (const struct record_field *f = desc->fields; f->key; f++) {
        if (f->has && !(has & f->has))
            continue;
        buf_printf(buf, " %s=", f->key);
        add_value(buf, f, object);
    }
    buf_add(buf, "\n", 1);
}

int record_is(const char *line, const struct record_desc *desc)
{
    size_t len = strlen(desc->type);

    return strncmp(line, desc->type, len) == 0 && (line[len] == ' ' || line[len] == '\0');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Undo add_escaped() from text[0..len) into room[0..size). */
static int read_text(const char *text, size_t len, char *room, size_t size)
{
    size_t used = 0;

    if (len < size && !memchr(text, '%', len)) { /* as nearly all are */
        memcpy(room, text, len);
        room[len] = '\0';
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

            if (low < 0)
                return -EINVAL;
            c = high << 4 | low;
            i += 2;
        }
        if (c == '\0')
            return -EINVAL;
        if (used + 1 >= size)
            return -ERANGE;
        room[used++] = (char)c;
    }
    room[used] = '\0';
    return 0;
}

static int read_enum(const char *text, const char *const *names, unsigned *ret_value)
{
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_value = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_value(const struct record_field *field, const char *value, size_t len, void *object)
{
    char plain[IDSET_TEXT_SIZE];
    void *at = (char *)object + field->offset;
    int rc;

    if (field->type == RECORD_TEXT)
        return read_text(value, len, at, field->size);
    rc = read_text(value, len, plain, sizeof(plain));
    if (rc < 0)
        return rc;
    switch (field->type) {
    case RECORD_U32:
        return parse_u32(plain, 0, UINT32_MAX, at);
    case RECORD_U64:
        return parse_u64(plain, 0, UINT64_MAX, at);
    case RECORD_I64:
        return parse_i64(plain, INT64_MIN, INT64_MAX, at);
    case RECORD_HEX64:
        return parse_hex64(plain, at);
    case RECORD_IDSET:
        return idset_parse(plain, at);
    case RECORD_ENUM:
        return read_enum(plain, field->names, at);
    case RECORD_TEXT:
        break;
    }
    return -EINVAL;
}

static bool is_key(const struct record_field *field, const char *key, size_t len)
{
    return field->key && strncmp(field->key, key, len) == 0 && field->key[len] == '\0';
}

/* *index is where to look first: fields come in the order in which they are written. */
static const struct record_field *find_field(const struct record_desc *desc, const char *key,
                                             size_t len, unsigned *index)
{
    for (unsigned i = *index; desc->fields[i].key; i++) {
        *index = i;
        if (is_key(&desc->fields[i], key, len))
            return &desc->fields[i];
    }
    for (unsigned i = 0; desc->fields[i].key; i++) {
        *index = i;
        if (is_key(&desc->fields[i], key, len))
            return &desc->fields[i];
    }
    return NULL;
}

static int bad_value(const struct record_desc *desc, const struct record_field *field,
                     const char *value, size_t len, int rc, struct error *err)
{
    int shown = (int)(len < 60 ? len : 60);

    if (rc == -ERANGE && field->type == RECORD_TEXT)
        return error_set(err, -EBADMSG, "%s record: %s=%.*s is longer than %zu bytes", desc->type,
                         field->key, shown, value, field->size - 1);
    return error_set(err, -EBADMSG, "%s record: %s=%.*s is %s", desc->type, field->key, shown,
                     value, rc == -ERANGE ? "out of range" : "malformed");
}

/* One "key=value" of `len` bytes. */
static int read_field(const char *field_text, size_t len, const struct record_desc *desc,
                      void *object, uint64_t *seen, unsigned *index, struct error *err)
{
    const char *equals = memchr(field_text, '=', len);
    size_t key_len = equals ? (size_t)(equals - field_text) : len;
    const struct record_field *field;
    int rc;

    if (!equals || key_len == 0)
        return error_set(err, -EBADMSG, "%s record: '%.*s' is not key=value", desc->type,
                         (int)(len < 60 ? len : 60), field_text);
    field = find_field(desc, field_text, key_len, index);
    if (!field)
        return 0;
    if (*seen & UINT64_C(1) << *index)
        return error_set(err, -EBADMSG, "%s record: %s comes twice", desc->type, field->key);
    *seen |= UINT64_C(1) << *index;
    rc = read_value(field, equals + 1, len - key_len - 1, object);
    if (rc < 0)
        return bad_value(desc, field, equals + 1, len - key_len - 1, rc, err);
    if (field->has)
        *(uint32_t *)((char *)object + desc->has_offset) |= field->has;
    return 0;
}

/* Every required field came, and every one whose bit another field has set. */
static int check_missing(const struct record_desc *desc, const void *object, uint64_t seen,
                         struct error *err)
{
    uint32_t has = *(const uint32_t *)((const char *)object + desc->has_offset);

    for (unsigned i = 0; desc->fields[i].key; i++) {
        const struct record_field *field = &desc->fields[i];

        if ((!field->has || has & field->has) && !(seen & UINT64_C(1) << i))
            return error_set(err, -EBADMSG, "%s record: %s is missing", desc->type, field->key);
    }
    return 0;
}

int record_read(const char *line, const struct record_desc *desc, void *ret_object,
                struct error *err)
{
    uint64_t seen = 0;
    unsigned index = 0; /* of the field that was read last */
    const char *p;
    int rc;

    if (!record_is(line, desc))
        return error_set(err, -EBADMSG, "not a %s record", desc->type);
    memset(ret_object, 0, desc->struct_size);
    p = line + strlen(desc->type);
    while (*p == ' ') {
        size_t len = strcspn(++p, " ");

        rc = read_field(p, len, desc, ret_object, &seen, &index, err);
        if (rc < 0)
            return rc;
        p += len;
    }
    return check_missing(desc, ret_object, seen, err);
}
