#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/idset.h"
#include "core/record.h"

enum { HAS_NOTE = 1 << 0, HAS_PAIR = 1 << 1, HAS_IDS = 1 << 2 };

struct sample {
    uint32_t has;
    uint32_t small;
    uint64_t big, hex;
    int64_t sign;
    char note[8];
    struct idset ids;
    uint32_t first, second;
    unsigned colour;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct record_field sample_fields[] = {
    { "small", RECORD_U32, offsetof(struct sample, small), 0, 0, NULL },
    { "big", RECORD_U64, offsetof(struct sample, big), 0, 0, NULL },
    { "hex", RECORD_HEX64, offsetof(struct sample, hex), 0, 0, NULL },
    { "sign", RECORD_I64, offsetof(struct sample, sign), 0, 0, NULL },
    { "colour", RECORD_ENUM, offsetof(struct sample, colour), 0, 0, colours },
    { "note", RECORD_TEXT, offsetof(struct sample, note), 8, HAS_NOTE, NULL },
    { "first", RECORD_U32, offsetof(struct sample, first), 0, HAS_PAIR, NULL },
    { "second", RECORD_U32, offsetof(struct sample, second), 0, HAS_PAIR, NULL },
    { "ids", RECORD_IDSET, offsetof(struct sample, ids), 0, HAS_IDS, NULL },
    { NULL, 0, 0, 0, 0, NULL },
};
static const struct record_desc sample_desc = { "sample", sizeof(struct sample),
                                                offsetof(struct sample, has), sample_fields };

#define REQUIRED "small=1 big=2 hex=0000000000000003 sign=-4 colour=green"

/* Write, check the text when one is given, read back, and compare the two structs byte for byte. */
static void round_trip(const struct sample *sample, const char *expected)
{
    struct sample again;
    struct error err;
    struct buf buf;

    buf_init(&buf);
    record_write(&buf, &sample_desc, sample);
    assert_false(buf_failed(&buf));
    if (expected)
        assert_string_equal(buf.data, expected);
    assert_ptr_equal(strchr(buf.data, '\n'), buf.data + buf.len - 1);
    buf.data[buf.len - 1] = '\0';
    memset(&again, 0xff, sizeof(again));
    if (record_read(buf.data, &sample_desc, &again, &err) < 0)
        fail_msg("%s: %s", buf.data, err.text);
    assert_memory_equal(sample, &again, sizeof(again));
    buf_free(&buf);
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct sample sample;

    (void)state;
    memset(&sample, 0, sizeof(sample));
    sample.small = 1;
    sample.big = 2;
    sample.hex = 3;
    sample.sign = -4;
    sample.colour = 1;
    round_trip(&sample, "sample " REQUIRED "\n");
    sample.small = UINT32_MAX;
    sample.big = sample.hex = UINT64_MAX;
    sample.sign = INT64_MIN;
    sample.has = HAS_NOTE | HAS_PAIR | HAS_IDS;
    memcpy(sample.note, "a b=%c", 7);
    sample.first = 5;
    assert_int_equal(idset_parse("0-3,8", &sample.ids), 0);
    round_trip(&sample, "sample small=4294967295 big=18446744073709551615 hex=ffffffffffffffff "
                        "sign=-9223372036854775808 colour=green note=a%20b%3D%25c first=5 "
                        "second=0 ids=0-3,8\n");
    sample.sign = INT64_MAX;
    memset(sample.note, 0, sizeof(sample.note)); /* present and empty is not absent */
    idset_clear(&sample.ids);
    round_trip(&sample, NULL);
}

static void every_byte_of_a_text_comes_back(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        struct sample sample;
        struct buf buf;

        memset(&sample, 0, sizeof(sample));
        sample.has = HAS_NOTE;
        sample.note[0] = 'x';
        sample.note[1] = (char)byte;
        sample.note[2] = 'y';
        round_trip(&sample, NULL);
        buf_init(&buf);
        record_write(&buf, &sample_desc, &sample);
        for (size_t i = 0; i + 1 < buf.len; i++)
            assert_in_range((unsigned char)buf.data[i], ' ', '~');
        buf_free(&buf);
    }
}

static void the_longest_idset_comes_back(void **state)
{
    struct sample sample;

    (void)state;
    memset(&sample, 0, sizeof(sample));
    sample.has = HAS_IDS;
    for (unsigned id = 0; id < IDSET_SIZE; id++)
        if (id % 3 != 0)
            idset_add(&sample.ids, id);
    round_trip(&sample, NULL);
}

static void lines_are_read_or_refused_with_the_reason(void **state)
{
    static const struct {
        const char *line;
        const char *reason; /* in the error's text; NULL: it is read */
    } rows[] = {
        { "sample " REQUIRED, NULL },
        { "sample colour=red small=1 sign=0 hex=0000000000000003 big=2", NULL },
        { "sample " REQUIRED " of_a_later_version=1", NULL },
        { "sample later=1 later=2 " REQUIRED, NULL },
        { "sample " REQUIRED " note=", NULL },
        { "sample " REQUIRED " note=1234567", NULL },
        { "sample " REQUIRED " note=12345678", "note=12345678 is longer than 7 bytes" },
        { "sample " REQUIRED " note=%", "malformed" },
        { "sample " REQUIRED " note=%4", "malformed" },
        { "sample " REQUIRED " note=%4g", "malformed" },
        { "sample " REQUIRED " note=%0a", "malformed" },
        { "sample " REQUIRED " note=%00", "malformed" },
        { "sample " REQUIRED " ids=0-", "ids=0- is malformed" },
        { "sample " REQUIRED " ids=2048", "ids=2048 is out of range" },
        { "sample " REQUIRED " small=1", "small comes twice" },
        { "sample " REQUIRED " note=a note=a", "note comes twice" },
        { "sample " REQUIRED " first=1", "second is missing" },
        { "sample " REQUIRED " second=1", "first is missing" },
        { "sample " REQUIRED " first=1 second=2", NULL },
        { "sample " REQUIRED " ", "not key=value" },
        { "sample  " REQUIRED, "not key=value" },
        { "sample " REQUIRED " word", "'word' is not key=value" },
        { "sample " REQUIRED " =1", "'=1' is not key=value" },
        { "sample", "small is missing" },
        { "sample small=1 big=2 hex=0000000000000003 sign=0", "colour is missing" },
        { "sample small=1 big=2 hex=0000000000000003 sign=0 colour=blue", "colour=blue is malf" },
        { "sample small=1 big=2 hex=0000000000000003 sign=0 colour=", "malformed" },
        { "sample small=1 big=2 hex=3 sign=0 colour=red", "hex=3 is malformed" },
        { "sample small=4294967296 big=2 hex=0000000000000003 sign=0 colour=red", "out of range" },
        { "sample small=-1 big=2 hex=0000000000000003 sign=0 colour=red", "small=-1 is malformed" },
        { "sample small= big=2 hex=0000000000000003 sign=0 colour=red", "small= is malformed" },
        { "sample small=1 big=18446744073709551616 hex=0000000000000003 sign=0 colour=red",
          "big=18446744073709551616 is out of range" },
        { "sampler " REQUIRED, "not a sample record" },
        { "sampl", "not a sample record" },
        { "", "not a sample record" },
        { " sample " REQUIRED, "not a sample record" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct error err = { "" };
        struct sample sample;
        int rc = record_read(rows[i].line, &sample_desc, &sample, &err);

        ROW_HOLDS(i, rc == (rows[i].reason ? -EBADMSG : 0));
        if (rows[i].reason && !strstr(err.text, rows[i].reason))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void a_line_cut_at_any_byte_is_refused_or_lacks_the_rest(void **state)
{
    static const char line[] = "sample " REQUIRED;

    (void)state;
    for (size_t len = 0; len < sizeof(line) - 1; len++) {
        char cut[sizeof(line)] = "";
        struct sample sample;

        memcpy(cut, line, len);
        assert_int_equal(record_read(cut, &sample_desc, &sample, NULL), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(every_byte_of_a_text_comes_back),
        cmocka_unit_test(the_longest_idset_comes_back),
        cmocka_unit_test(lines_are_read_or_refused_with_the_reason),
        cmocka_unit_test(a_line_cut_at_any_byte_is_refused_or_lacks_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
