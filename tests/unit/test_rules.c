/* Which counters count: the table, and what sensors.c makes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "sensors/source.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the table --- */

static void test_what_counts_has_a_component_and_what_does_not_a_reason(void **state)
{
    const struct sensor_rule *rule;
    size_t index;

    (void)state;
    for (index = 0; (rule = rules_row(index)); index++) {
        assert_true(rule->part < PART_COUNT);
        if (rule->counts_as == RULE_NEVER) {
            assert_non_null(rule->why);
            assert_true(*rule->why != '\0');
            assert_true(strlen(rule->why) < sizeof(((struct sensor_left_out *)0)->reason));
        } else {
            assert_true(rule->counts_as >= 0 && rule->counts_as < COMPONENT_COUNT);
            assert_null(rule->why);
        }
    }
    assert_true(index > 10);
    assert_null(rules_row(index));
}

static void test_no_part_of_a_sensor_has_two_rows(void **state)
{
    const struct sensor_rule *rule;

    (void)state;
    for (size_t i = 0; (rule = rules_row(i)); i++)
        assert_ptr_equal(rules_find(rule->sensor, rule->part), rule);
    assert_null(rules_find("powercap", PART_GPU));
    assert_null(rules_find("nothing", PART_PACKAGE));
}

/* What a part may count as: a mistake here would add up what does not belong together. */
static void test_parts_count_as_what_they_are(void **state)
{
    static const int components[PART_COUNT] = {
        [PART_PACKAGE] = COMPONENT_CPU, [PART_DRAM] = COMPONENT_MEMORY,
        [PART_GPU] = COMPONENT_GPU,     [PART_MODULE] = COMPONENT_GPU,
        [PART_NODE] = COMPONENT_OTHER,  [PART_CORES] = RULE_NEVER,
        [PART_GRAPHICS] = RULE_NEVER,   [PART_IO] = RULE_NEVER,
        [PART_PLATFORM] = RULE_NEVER,
    };
    const struct sensor_rule *rule;

    (void)state;
    for (size_t i = 0; (rule = rules_row(i)); i++)
        assert_int_equal(rule->counts_as, components[rule->part]);
}

static int first_row(const char *sensor)
{
    const struct sensor_rule *rule;

    for (size_t i = 0; (rule = rules_row(i)); i++)
        if (strcmp(rule->sensor, sensor) == 0)
            return (int)i;
    return -1;
}

/* "auto" finds in the order of sensors_kind(), so that has to be the table's. */
static void test_kinds_have_rows_in_their_order(void **state)
{
    const char *kind;
    int last = -1;

    (void)state;
    for (size_t i = 0; (kind = sensors_kind(i)); i++) {
        int row = first_row(kind);

        assert_true(row > last);
        last = row;
    }
}

/* --- what sensors.c makes of it: counters of sources that do what they are told --- */

#define ROOM 8

static struct {
    int code;
    uint64_t raw_uj;
} told[ROOM];

static int told_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    const uint64_t index = slot->scratch[0];

    (void)sensors;
    if (told[index].code == 0)
        *ret_raw_uj = sensors_share(slot, told[index].raw_uj);
    return told[index].code;
}

static const struct sensor_source told_powercap = { .name = "powercap", .read = told_read };
static const struct sensor_source told_perf = { .name = "perf", .read = told_read };
static const struct sensor_source told_nvml = { .name = "nvml", .read = told_read };
static const struct sensor_source told_cray = { .name = "cray", .read = told_read };
static const struct sensor_source told_ipmi = { .name = "ipmi", .read = told_read };
static const struct sensor_source told_modelled = { .name = "modelled", .read = told_read };

static int setup(void **state)
{
    static struct sensors sensors;

    memset(&sensors, 0, sizeof(sensors));
    memset(told, 0, sizeof(told));
    sensors.states = calloc(ROOM, sizeof(*sensors.states));
    *state = &sensors;
    return sensors.states ? 0 : -1;
}

static int teardown(void **state)
{
    sensors_clear(*state);
    return 0;
}

#define MAX_UW UINT64_C(10000000)
static uint64_t range_uj; /* of what is offered */

static void offer(struct sensors *sensors, const struct sensor_source *source,
                  enum sensor_part part, unsigned domain, const char *name)
{
    struct sensor_slot slot = { .source = source, .part = part, .fd = -1 };

    slot.counter.domain = domain;
    slot.counter.max_uw = MAX_UW;
    slot.counter.range_uj = range_uj;
    slot.scratch[0] = sensors->n_slots;
    snprintf(slot.counter.source, sizeof(slot.counter.source), "%s", name);
    assert_int_equal(sensors_offer(sensors, &slot), 0);
}

static void test_first_counter_of_a_thing_counts_and_others_say_why_not(void **state)
{
    static const struct {
        const struct sensor_source *source;
        enum sensor_part part;
        unsigned domain;
        const char *why; /* NULL: it counts */
    } cases[] = {
        { &told_powercap, PART_PACKAGE, 0, NULL },
        { &told_powercap, PART_PACKAGE, 0, NULL }, /* another die of it: they add up */
        { &told_powercap, PART_PLATFORM, 0, "psys contains the packages" },
        { &told_perf, PART_PACKAGE, 0, "powercap counts this package already" },
        { &told_perf, PART_PACKAGE, 1, NULL },
        { &told_perf, PART_DRAM, 0, NULL },
        { &told_cray, PART_DRAM, 0, "perf counts this package already" },
        { &told_nvml, PART_GPU, 0, NULL },
        { &told_cray, PART_GPU, 0, "nvml counts this device already" },
        { &told_cray, PART_GPU, 1, NULL },
        { &told_modelled, PART_GPU, 1, "cray counts this device already" },
        { &told_cray, PART_NODE, 0, NULL },
        { &told_ipmi, PART_NODE, 0, "cray counts the node already" },
        { &told_ipmi, PART_GPU, 5, "no rule for it" },
    };
    struct sensors *sensors = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n_slots = sensors->n_slots, n_left_out = sensors->n_left_out;
        char name[16];

        snprintf(name, sizeof(name), "case:%zu", i);
        offer(sensors, cases[i].source, cases[i].part, cases[i].domain, name);
        assert_int_equal(sensors->n_slots, n_slots + (cases[i].why == NULL));
        assert_int_equal(sensors->n_left_out, n_left_out + (cases[i].why != NULL));
        if (!cases[i].why)
            continue;
        assert_string_equal(sensors->left_out[n_left_out].source, name);
        assert_string_equal(sensors->left_out[n_left_out].reason, cases[i].why);
    }
}

/* --- a module less what it contains --- */

static void take(struct sensors *sensors, uint64_t now_s)
{
    sensors_take(sensors, now_s * NS_PER_S, 0);
}

static void offer_module(struct sensors *sensors)
{
    struct sensor_slot module = { .source = &told_nvml, .part = PART_MODULE, .fd = -1,
                                  .scratch = { 2 } };

    offer(sensors, &told_powercap, PART_PACKAGE, 1, "package");
    offer(sensors, &told_powercap, PART_DRAM, 1, "dram");
    snprintf(module.counter.source, sizeof(module.counter.source), "module");
    module.package = 1;
    module.counter.max_uw = MAX_UW;
    assert_int_equal(sensors_offer(sensors, &module), 0);
}

static void test_module_counts_what_its_parts_do_not(void **state)
{
    static const struct {
        uint64_t package_uj, dram_uj, module_uj, rest_uj;
    } steps[] = {
        { 1000, 500, 90000, 0 },   /* the first look: what came before is nobody's */
        { 1100, 500, 90400, 300 }, /* 400 less 100 */
        { 1200, 550, 90400, 300 }, /* the module's is read a little late: not back, … */
        { 1200, 550, 90700, 450 }, /* … and made up */
        { 1200, 550, 90700, 450 },
        { 5000, 600, 91000, 450 }, /* parts far ahead: nothing negative … */
        { 5000, 600, 95000, 900 }, /* … 5000 less 4100: exact in the long run */
    };
    struct sensors *sensors = *state;

    offer_module(sensors);
    assert_int_equal(sensors->n_slots, 3);
    assert_true(sensors->slots[2].counter.fresh); /* it begins at 0 with each meter */
    for (size_t i = 0; i < COUNT(steps); i++) {
        told[0].raw_uj = steps[i].package_uj;
        told[1].raw_uj = steps[i].dram_uj;
        told[2].raw_uj = steps[i].module_uj;
        take(sensors, 1 + i);
        assert_int_equal(sensors_reading(sensors, 0)->raw_uj, steps[i].package_uj);
        assert_int_equal(sensors_reading(sensors, 2)->code, 0);
        assert_int_equal(sensors_reading(sensors, 2)->raw_uj, steps[i].rest_uj);
    }
}

static void test_difference_holds_over_a_wrap_of_its_parts_and_not_over_a_spike(void **state)
{
    struct sensors *sensors = *state;

    range_uj = 65536;
    offer_module(sensors);
    range_uj = 0;
    told[0].raw_uj = 65000;
    told[1].raw_uj = 0;
    told[2].raw_uj = 90000;
    take(sensors, 1);
    told[0].raw_uj = 464; /* 1000 further, over its range */
    told[2].raw_uj = 95000;
    take(sensors, 2);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 4000);
    told[2].raw_uj = UINT64_C(1) << 40; /* nothing draws as much */
    take(sensors, 3);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 0);
    told[2].raw_uj = 96000;
    take(sensors, 4);
    told[2].raw_uj = 96500;
    take(sensors, 5);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 500);
}

static void test_difference_begins_anew_with_either(void **state)
{
    struct sensors *sensors = *state;

    offer_module(sensors);
    told[0].raw_uj = 1000;
    told[2].raw_uj = 90000;
    take(sensors, 1);
    told[2].raw_uj = 95000;
    take(sensors, 2);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 5000);
    told[2].raw_uj = 100; /* its driver was loaded anew */
    take(sensors, 3);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 0);
    told[2].raw_uj = 400;
    take(sensors, 4);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 300);
    told[0].raw_uj = 7; /* so was the package's */
    take(sensors, 5);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 0);
}

static void test_module_without_its_parts_readings_has_none(void **state)
{
    struct sensors *sensors = *state;

    offer_module(sensors);
    told[0].raw_uj = 1000;
    told[2].raw_uj = 90000;
    take(sensors, 1);
    told[2].raw_uj = 90500;
    told[1].code = -EIO;
    take(sensors, 2);
    assert_int_equal(sensors_reading(sensors, 2)->code, -EIO);
    told[1].code = 0;
    told[0].raw_uj = 1100;
    take(sensors, 3);
    assert_int_equal(sensors_reading(sensors, 2)->code, 0);
    assert_int_equal(sensors_reading(sensors, 2)->raw_uj, 400); /* nothing of it was lost */
}

static void test_module_alone_is_counted_whole_and_its_parts_are_not(void **state)
{
    struct sensor_slot module = { .source = &told_nvml, .part = PART_MODULE, .fd = -1 };
    struct sensors *sensors = *state;

    snprintf(module.counter.source, sizeof(module.counter.source), "module");
    assert_int_equal(sensors_offer(sensors, &module), 0);
    assert_false(sensors->slots[0].counter.fresh);
    offer(sensors, &told_modelled, PART_PACKAGE, 0, "modelled:0");
    assert_int_equal(sensors->n_slots, 1);
    assert_string_equal(sensors->left_out[0].reason, "nvml counts the module that contains it");
    offer(sensors, &told_modelled, PART_PACKAGE, 1, "modelled:1");
    assert_int_equal(sensors->n_slots, 2);
    told[0].raw_uj = 90000;
    take(sensors, 1);
    assert_int_equal(sensors_reading(sensors, 0)->raw_uj, 90000);
}

static void test_shares_of_a_counter_never_add_up_to_more(void **state)
{
    struct sensor_slot slot = { .share = 1, .shares = 3 };

    (void)state;
    assert_int_equal(sensors_share(&slot, 100), 33);
    assert_int_equal(sensors_share(&slot, UINT64_MAX), UINT64_MAX / 3);
    slot.share = 3;
    assert_int_equal(sensors_share(&slot, UINT64_MAX), UINT64_MAX);
    slot.shares = 0;
    assert_int_equal(sensors_share(&slot, 100), 100);
}

/* --- standing still --- */

static void test_counter_that_stands_still_is_no_reading(void **state)
{
    const uint64_t stuck_s = SENSORS_STUCK_NS / NS_PER_S;
    struct sensors *sensors = *state;

    offer(sensors, &told_powercap, PART_PACKAGE, 0, "package");
    told[0].raw_uj = 5;
    take(sensors, 100);
    take(sensors, 100 + stuck_s - 1);
    assert_int_equal(sensors_reading(sensors, 0)->code, 0);
    take(sensors, 100 + stuck_s);
    assert_int_equal(sensors_reading(sensors, 0)->code, -ESTALE);
    take(sensors, 200 + stuck_s);
    assert_int_equal(sensors_reading(sensors, 0)->code, -ESTALE);
    told[0].raw_uj = 6;
    take(sensors, 201 + stuck_s);
    assert_int_equal(sensors_reading(sensors, 0)->code, 0);
    /* a failure in between says nothing of whether it moved */
    told[0].code = -EIO;
    take(sensors, 202 + 2 * stuck_s);
    assert_int_equal(sensors_reading(sensors, 0)->code, -EIO);
    told[0].code = 0;
    take(sensors, 203 + 2 * stuck_s);
    assert_int_equal(sensors_reading(sensors, 0)->code, -ESTALE);
}

static void test_model_may_stand_still(void **state)
{
    struct sensors *sensors = *state;

    offer(sensors, &told_modelled, PART_PACKAGE, 0, "modelled:0");
    sensors->slots[0].counter.quality = QUALITY_MODELLED;
    take(sensors, 100);
    take(sensors, 1000);
    assert_int_equal(sensors_reading(sensors, 0)->code, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts_has_a_component_and_what_does_not_a_reason),
        cmocka_unit_test(test_no_part_of_a_sensor_has_two_rows),
        cmocka_unit_test(test_parts_count_as_what_they_are),
        cmocka_unit_test(test_kinds_have_rows_in_their_order),
        TEST(test_first_counter_of_a_thing_counts_and_others_say_why_not),
        TEST(test_module_counts_what_its_parts_do_not),
        TEST(test_difference_holds_over_a_wrap_of_its_parts_and_not_over_a_spike),
        TEST(test_difference_begins_anew_with_either),
        TEST(test_module_without_its_parts_readings_has_none),
        TEST(test_module_alone_is_counted_whole_and_its_parts_are_not),
        cmocka_unit_test(test_shares_of_a_counter_never_add_up_to_more),
        TEST(test_counter_that_stands_still_is_no_reading),
        TEST(test_model_may_stand_still),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
