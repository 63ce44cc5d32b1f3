#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"

static void a_growing_buffer_keeps_every_byte(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf);
    for (int i = 0; i < 5000; i++) {
        buf_add(&buf, "ab\0", 3);
        buf_printf(&buf, "%d", i % 10);
        assert_int_equal(buf.len, (size_t)(i + 1) * 4);
        assert_int_equal(buf.data[buf.len], '\0');
    }
    for (size_t i = 0; i < 5000; i++) {
        assert_memory_equal(buf.data + i * 4, "ab\0", 3);
        assert_int_equal(buf.data[i * 4 + 3], '0' + (int)(i % 10));
    }
    assert_false(buf_failed(&buf));
    buf_free(&buf);
    assert_null(buf.data);
}

static void a_text_longer_than_the_first_room_grows_it_at_once(void **state)
{
    char *text = malloc(100001);
    struct buf buf;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    buf_init(&buf);
    buf_printf(&buf, "%s", text);
    assert_int_equal(buf.len, 100000);
    assert_string_equal(buf.data, text);
    buf_free(&buf);
    free(text);
}

static void a_fixed_buffer_never_writes_past_its_room(void **state)
{
    (void)state;
    for (size_t size = 1; size < 12; size++) {
        char room[16];
        struct buf buf;

        memset(room, '#', sizeof(room));
        buf_init_fixed(&buf, room, size);
        buf_add(&buf, "abc", 3);
        buf_printf(&buf, "%s", "defgh");
        for (size_t i = size; i < sizeof(room); i++)
            assert_int_equal(room[i], '#');
        assert_int_equal(buf_failed(&buf), size < 9);
        assert_ptr_equal(buf.data, room);
        assert_int_equal(strlen(room), buf.len);
        buf_free(&buf);
    }
}

static void failure_is_remembered_and_nothing_is_added_after_it(void **state)
{
    char room[4];
    struct buf buf;

    (void)state;
    buf_init_fixed(&buf, room, sizeof(room));
    buf_add(&buf, "ab", 2);
    buf_add(&buf, "cde", 3);
    buf_add(&buf, "f", 1);
    buf_printf(&buf, "g");
    assert_true(buf_failed(&buf));
    assert_string_equal(room, "ab");
}

static void an_absurd_length_fails_without_allocating(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf);
    buf_add(&buf, "a", 1);
    buf_add(&buf, "a", SIZE_MAX / 2);
    assert_true(buf_failed(&buf));
    assert_string_equal(buf.data, "a");
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growing_buffer_keeps_every_byte),
        cmocka_unit_test(a_text_longer_than_the_first_room_grows_it_at_once),
        cmocka_unit_test(a_fixed_buffer_never_writes_past_its_room),
        cmocka_unit_test(failure_is_remembered_and_nothing_is_added_after_it),
        cmocka_unit_test(an_absurd_length_fails_without_allocating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
