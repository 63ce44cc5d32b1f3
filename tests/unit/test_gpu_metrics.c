/* gpu_metrics: every layout, and bytes that are none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"
#include "sensors/gpu_metrics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ONES UINT64_MAX

static uint8_t room[METRICS_ROOM];

/* In memory of its exact size, so that a byte too far is seen by valgrind and sanitizers. */
static int parse(size_t size, struct gpu_metrics *ret_metrics, struct error *err)
{
    uint8_t *bytes = malloc(size ? size : 1);
    int rc;

    assert_non_null(bytes);
    memcpy(bytes, room, size);
    rc = gpu_metrics_parse(bytes, size, ret_metrics, err);
    free(bytes);
    return rc;
}

static void test_every_layout_gives_its_fields(void **state)
{
    const struct metrics_values values = {.energy_units = UINT64_C(0x123456789a), .power_w = 747,
                                          .partitions = 4};

    (void)state;
    for (size_t i = 0; i < metrics_count(); i++) {
        struct gpu_metrics metrics = {0};
        struct error err = {""};
        size_t size = metrics_make(room, i, &values);

        if (parse(size, &metrics, &err) != 0)
            fail_msg("layout %zu: %s", i, err.text);
        assert_int_equal(metrics.format, 1);
        assert_int_equal(metrics.content, metrics_content(i));
        assert_false(metrics.in_processor);
        assert_true(metrics.has_energy && metrics.has_power);
        assert_int_equal(metrics.energy_units,
                         metrics_is_narrow(i) ? 0x3456789a : UINT64_C(0x123456789a));
        assert_int_equal(metrics.power_w, 747);
        assert_int_equal(metrics.unit_stated, metrics_states_unit(i));
        assert_int_equal(metrics.has_partitions, metrics_has_partitions(i));
        assert_int_equal(metrics.partitions, metrics_has_partitions(i) ? 4 : 0);
    }
}

/* Places as numbers, from a real card's bytes: the header and the energy of v1.3 and of v1.7. */
static void test_known_bytes_are_read_as_they_are(void **state)
{
    struct gpu_metrics metrics;
    struct error err;

    (void)state;
    memset(room, 0xff, sizeof(room));
    memcpy(room, "\x78\x00\x01\x03", 4);
    memcpy(room + 22, "\x59\x00", 2);
    memcpy(room + 24, "\x15\x81\x2c\x1b\x01\x00\x00\x00", 8);
    assert_int_equal(parse(120, &metrics, &err), 0);
    assert_int_equal(metrics.power_w, 89);
    assert_int_equal(metrics.energy_units, UINT64_C(0x11b2c8115));
    memset(room, 0xff, sizeof(room));
    memcpy(room, "\xa0\x08\x01\x07", 4);
    memcpy(room + 10, "\xee\x02", 2);
    memcpy(room + 24, "\x01\x00\x00\x00\x00\x00\x00\x10", 8);
    memcpy(room + 338, "\x08\x00", 2);
    assert_int_equal(parse(2208, &metrics, &err), 0);
    assert_int_equal(metrics.power_w, 750);
    assert_int_equal(metrics.energy_units, UINT64_C(0x1000000000000001));
    assert_int_equal(metrics.partitions, 8);
}

static void test_all_ones_are_not_known(void **state)
{
    const struct metrics_values values = {ONES, 0xffff, 0xffff};

    (void)state;
    for (size_t i = 0; i <= metrics_count(); i++) {
        struct gpu_metrics metrics = {0};
        size_t size = i < metrics_count() ? metrics_make(room, i, &values)
                                          : metrics_list_make(room, &values);

        assert_int_equal(parse(size, &metrics, NULL), 0);
        assert_false(metrics.has_energy || metrics.has_power || metrics.has_partitions);
        assert_int_equal(metrics.energy_units, 0);
        assert_int_equal(metrics.power_w, 0);
        assert_int_equal(metrics.partitions, 0);
    }
}

/* 2^32 - 1 is a value where 64 bits are kept; 0 partitions are none. */
static void test_ones_are_of_the_fields_own_width(void **state)
{
    const struct metrics_values values = {UINT32_MAX, 0, 0};
    struct gpu_metrics metrics;

    (void)state;
    assert_int_equal(parse(metrics_make(room, metrics_find(8), &values), &metrics, NULL), 0);
    assert_true(metrics.has_energy && metrics.has_power && !metrics.has_partitions);
    assert_int_equal(metrics.energy_units, UINT32_MAX);
    assert_int_equal(parse(metrics_make(room, metrics_find(0), &values), &metrics, NULL), 0);
    assert_false(metrics.has_energy);
}

static void test_every_cut_and_every_other_size_is_refused(void **state)
{
    const struct metrics_values values = {1, 1, 1};

    (void)state;
    for (size_t i = 0; i < metrics_count(); i++) {
        size_t whole = metrics_make(room, i, &values);

        for (size_t size = 0; size < whole; size++) {
            struct gpu_metrics metrics = {.power_w = 12345};

            assert_int_equal(parse(size, &metrics, NULL), -EBADMSG);
            assert_int_equal(metrics.power_w, 12345);
        }
        assert_int_equal(parse(whole + 1, &(struct gpu_metrics){0}, NULL), -EBADMSG);
    }
}

static void test_unknown_layouts_are_refused_with_their_name(void **state)
{
    static const struct {
        unsigned format, content;
        size_t size;
        const char *text;
    } cases[] = {
        {1, 3, 128, "v1.3 of 128 bytes is not known"},
        {1, 6, 2208, "v1.6 of 2208 bytes"},
        {1, 8, 3360, "v1.8 of 3360 bytes"},
        {1, 10, 120, "v1.10 of 120 bytes is not known"},
        {1, 255, 4, "v1.255"},
        {0, 0, 120, "v0.0 is not known"},
        {4, 0, 264, "v4.0 is not known"},
        {255, 255, 4095, "v255.255"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gpu_metrics metrics;
        struct error err = {""};

        metrics_make_other(room, cases[i].format, cases[i].content, cases[i].size);
        assert_int_equal(parse(cases[i].size, &metrics, &err), -EPROTONOSUPPORT);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, err.text);
    }
}

static void test_processors_are_known_by_their_format(void **state)
{
    static const struct {
        unsigned format, content;
        size_t size;
    } cases[] = {{2, 0, 120}, {2, 1, 120}, {2, 2, 128}, {2, 3, 152}, {2, 4, 168}, {3, 0, 264},
                 {2, 9, 4}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gpu_metrics metrics;

        metrics_make_other(room, cases[i].format, cases[i].content, cases[i].size);
        assert_int_equal(parse(cases[i].size, &metrics, NULL), 0);
        assert_true(metrics.in_processor);
        assert_false(metrics.has_energy || metrics.has_power || metrics.has_partitions);
    }
}

/* --- v1.9, a list --- */

static void test_list_gives_its_attributes_wherever_they_are(void **state)
{
    const struct metrics_values values = {UINT64_C(0x123456789a), 194, 8};
    struct gpu_metrics metrics;
    struct error err = {""};

    (void)state;
    if (parse(metrics_list_make(room, &values), &metrics, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(metrics.content, 9);
    assert_true(metrics.unit_stated);
    assert_int_equal(metrics.energy_units, UINT64_C(0x123456789a));
    assert_int_equal(metrics.power_w, 194);
    assert_int_equal(metrics.partitions, 8);
    assert_int_equal(parse(metrics_list_end(room, metrics_list_begin(room, 0)), &metrics, NULL), 0);
    assert_false(metrics.has_energy);
}

/* Another unit, type or number of values is another quantity: not known. */
static void test_attribute_of_another_kind_is_not_the_energy(void **state)
{
    static const struct {
        unsigned unit, type, id, count;
    } cases[] = {{3, 6, 7, 1}, {0, 4, 7, 1}, {0, 7, 7, 1}, {0, 6, 7, 2}, {0, 6, 7, 0}, {0, 6, 8, 1},
                 {2, 2, 3, 1}, {3, 4, 3, 1}, {0, 4, 38, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gpu_metrics metrics;
        size_t size = metrics_list_begin(room, 1);

        size = metrics_list_add(room, size, cases[i].unit, cases[i].type, cases[i].id,
                                cases[i].count, 5);
        size = metrics_list_end(room, size);
        assert_int_equal(parse(size, &metrics, NULL), 0);
        assert_false(metrics.has_energy || metrics.has_power || metrics.has_partitions);
    }
}

static void test_list_that_does_not_fit_is_refused(void **state)
{
    const struct metrics_values values = {1, 2, 3};
    size_t whole = metrics_list_make(room, &values);
    struct gpu_metrics metrics;

    (void)state;
    for (size_t size = 4; size < whole; size++) { /* the header says what is there */
        room[0] = (uint8_t)size;
        room[1] = (uint8_t)(size >> 8);
        assert_int_equal(parse(size, &metrics, NULL), -EBADMSG);
    }
    metrics_list_make(room, &values);
    for (unsigned i = 4; i < 8; i++) { /* a count beyond, up to what an s32 takes for negative */
        room[i] = 0xff;
        assert_int_equal(parse(whole, &metrics, NULL), -EBADMSG);
    }
    metrics_list_make(room, &values);
    room[4] = 5; /* one fewer than there are */
    assert_int_equal(parse(whole, &metrics, NULL), -EBADMSG);
    metrics_list_make(room, &values);
    room[8 + 2] = 0xf0; /* no such type */
    assert_int_equal(parse(whole, &metrics, NULL), -EBADMSG);
    metrics_list_make(room, &values);
    room[8 + 7] = 1; /* bits that mean nothing yet */
    assert_int_equal(parse(whole, &metrics, NULL), -EBADMSG);
}

/* --- anything at all --- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void test_random_bytes_do_no_harm(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct gpu_metrics metrics;
        size_t size = next_random(&seed) % 300;

        for (size_t i = 0; i < size; i++)
            room[i] = (uint8_t)next_random(&seed);
        if (size >= 4 && round % 2) {
            room[0] = (uint8_t)size;
            room[1] = (uint8_t)(size >> 8);
            room[2] = 1;
            room[3] = 9;
        }
        if (size >= 16 && round % 4 == 1) /* a first attribute that may fit */
            memset(room + 5, 0, 11);
        (void)!parse(size, &metrics, NULL);
    }
}

/* --- units --- */

static void test_units_are_converted_exactly(void **state)
{
    static const struct {
        uint64_t units, energy_uj;
        int rc;
    } cases[] = {
        {0, 0, 0},
        {1, 15, 0},           /* 15.2587890625 */
        {2, 30, 0},           /* 30.5 */
        {65536, 1000000, 0},  /* 1 J */
        {1024, 15625, 0},
        {UINT64_C(4750896266), UINT64_C(72492923980), 0}, /* beyond 32 bits: 72.5 kJ */
        {UINT64_C(1208925819614629174), UINT64_C(18446744073709551605), 0},
        {UINT64_C(1208925819614629175), 0, -EBADMSG},
        {UINT64_MAX, 0, -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t energy_uj = 7;

        assert_int_equal(gpu_metrics_energy_uj(cases[i].units, &energy_uj), cases[i].rc);
        assert_int_equal(energy_uj, cases[i].rc == 0 ? cases[i].energy_uj : 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout_gives_its_fields),
        cmocka_unit_test(test_known_bytes_are_read_as_they_are),
        cmocka_unit_test(test_all_ones_are_not_known),
        cmocka_unit_test(test_ones_are_of_the_fields_own_width),
        cmocka_unit_test(test_every_cut_and_every_other_size_is_refused),
        cmocka_unit_test(test_unknown_layouts_are_refused_with_their_name),
        cmocka_unit_test(test_processors_are_known_by_their_format),
        cmocka_unit_test(test_list_gives_its_attributes_wherever_they_are),
        cmocka_unit_test(test_attribute_of_another_kind_is_not_the_energy),
        cmocka_unit_test(test_list_that_does_not_fit_is_refused),
        cmocka_unit_test(test_random_bytes_do_no_harm),
        cmocka_unit_test(test_units_are_converted_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
