#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/batch.h"

#define HOUR INT64_C(1790000000 - 1790000000 % 3600)

/*
 * A small batch that balances: one package counter that grew by 100 uJ over two hours, a node
 * meter's 30 uJ beside it, one job with one step.
 */
static struct batch sample_batch(void)
{
    struct batch batch = { 0 };
    struct batch_counter cpu = { .source = "intel-rapl:0", .sensor = "powercap", .max_uw = 1,
                                 .range_uj = 262143328850, .has = COUNTER_HAS_RAW, .raw_uj = 42,
                                 .raw_boottime_ns = 2000, .seen_uj = 150,
                                 .counted_begin_uj = 50, .counted_uj = 150 };
    struct batch_counter meter = { .source = "bmc", .sensor = "ipmi", .counted_uj = 130,
                                   .component = COMPONENT_OTHER, .has = COUNTER_HAS_FLOOR };
    struct batch_package package = { .busy_ns = 7 };
    struct batch_job job = { .has = JOB_HAS_USER | JOB_HAS_CORES, .ref = 9, .job_id = 1234,
                             .user = "al ice", .begin_boottime_ns = 1000 };
    struct batch_step step = { .ref = 9, .step_id = STEP_BATCH, .has = STEP_HAS_END };
    struct batch_energy rows[] = {
        { .has = ENERGY_HAS_REF | ENERGY_HAS_STEP, .hour_s = HOUR, .owner = OWNER_STEP, .ref = 9,
          .step_id = STEP_BATCH, .sensor = "powercap", .active_uj = 30, .idle_uj = 10,
          .metered_ns = 5, .elapsed_ns = 5 },
        { .has = ENERGY_HAS_REF, .hour_s = HOUR, .owner = OWNER_REMAINDER, .ref = 9,
          .sensor = "powercap", .idle_uj = 20 },
        { .hour_s = HOUR + 3600, .owner = OWNER_SYSTEM, .sensor = "powercap", .active_uj = 25 },
        { .hour_s = HOUR + 3600, .owner = OWNER_UNALLOCATED, .sensor = "powercap", .idle_uj = 15 },
        { .hour_s = HOUR, .owner = OWNER_UNALLOCATED, .component = COMPONENT_OTHER,
          .quality = QUALITY_GAP, .sensor = "ipmi", .idle_uj = 30 },
    };
    struct batch_power power = { .has = POWER_HAS_COMPONENT, .minute_s = HOUR, .ref = 9,
                                 .component = COMPONENT_MEMORY, .energy_uj = 60, .span_ns = 60 };
    struct batch_total totals[] = {
        { .hour_s = HOUR, .counted_uj = 60 },
        { .hour_s = HOUR + 3600, .counted_uj = 40 },
        { .hour_s = HOUR, .component = COMPONENT_OTHER, .counted_uj = 30 },
    };
    struct batch_component components[] = {
        { .component = COMPONENT_CPU, .begin_uj = 50, .end_uj = 150 },
        { .component = COMPONENT_OTHER, .begin_uj = 0, .end_uj = 30 },
    };
    struct batch_consumed consumed = { .name = "a.mark" };
    struct batch_floor floor = { .source = "intel-rapl:0", .histogram = "1:2" };

    memcpy(batch.head.cluster, "c", 2);
    memcpy(batch.head.node, "n1", 3);
    memcpy(batch.head.boot_id, "b", 2);
    memcpy(batch.head.version, "0.1.0", 6);
    batch.head.stream = 0xabcdef;
    batch.head.seq = 1;
    batch.head.end_boottime_ns = 2000;
    batch.head.begin_wall_ns = -1;
    idset_add(&job.cores, 3);
#define PUSH(array, item) \
    assert_non_null(batch_push(&batch.array, &batch.n_##array, sizeof(item), &(item)))
    PUSH(counters, cpu);
    PUSH(counters, meter);
    PUSH(packages, package);
    PUSH(jobs, job);
    PUSH(steps, step);
    for (size_t i = 0; i < LENGTH(rows); i++)
        PUSH(energies, rows[i]);
    PUSH(powers, power);
    for (size_t i = 0; i < LENGTH(totals); i++)
        PUSH(totals, totals[i]);
    PUSH(components, components[0]);
    PUSH(components, components[1]);
    PUSH(consumed, consumed);
    PUSH(floors, floor);
#undef PUSH
    return batch;
}

/* The text of the sample, malloc'ed. */
static char *sample_text(size_t *ret_len)
{
    struct batch batch = sample_batch();
    struct buf buf;

    buf_init(&buf);
    batch_write(&buf, &batch);
    assert_false(buf_failed(&buf));
    batch_clear(&batch);
    *ret_len = buf.len;
    return buf.data;
}

static int read_copy(const char *text, size_t len, struct batch *batch, struct error *err)
{
    char *copy = malloc(len + 1);
    int rc;

    assert_non_null(copy);
    memcpy(copy, text, len);
    copy[len] = '\0';
    rc = batch_read(copy, len, batch, err);
    free(copy);
    return rc;
}

static void a_batch_comes_back_as_it_was(void **state)
{
    struct batch batch = sample_batch(), again;
    struct error err;
    size_t len;
    char *text = sample_text(&len);
    struct buf buf;

    (void)state;
    if (read_copy(text, len, &again, &err) < 0)
        fail_msg("%s", err.text);
#define SAME(array)                                                  \
    do {                                                             \
        assert_int_equal(again.n_##array, batch.n_##array);          \
        assert_memory_equal(again.array, batch.array,                \
                            batch.n_##array * sizeof(*batch.array)); \
    } while (0)
    assert_memory_equal(&again.head, &batch.head, sizeof(batch.head));
    SAME(counters);
    SAME(packages);
    SAME(jobs);
    SAME(steps);
    SAME(energies);
    SAME(powers);
    SAME(totals);
    SAME(components);
    SAME(consumed);
    SAME(floors);
#undef SAME
    buf_init(&buf);
    batch_write(&buf, &again);
    assert_string_equal(buf.data, text);
    buf_free(&buf);
    batch_clear(&again);
    batch_clear(&batch);
    free(text);
}

static void a_batch_altered_at_any_byte_is_refused(void **state)
{
    static const unsigned char flips[] = { 1, 0x20, 0x80, 0xff };
    size_t len;
    char *text = sample_text(&len);

    (void)state;
    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < LENGTH(flips); i++) {
            struct error err = { "" };
            struct batch batch;
            char good = text[at];

            text[at] = (char)(text[at] ^ flips[i]);
            assert_int_equal(read_copy(text, len, &batch, &err), -EBADMSG);
            assert_true(err.text[0] != '\0');
            assert_int_equal(batch.n_counters, 0);
            assert_null(batch.counters);
            text[at] = good;
        }
    }
    free(text);
}

static void a_batch_torn_at_any_byte_is_refused(void **state)
{
    size_t len;
    char *text = sample_text(&len);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        struct batch batch;

        assert_int_equal(read_copy(text, cut, &batch, NULL), -EBADMSG);
    }
    free(text);
}

static void text_before_or_after_a_batch_is_refused(void **state)
{
    static const char *const added[] = { "\n", "x", "x\n", "end 00000000\n" };
    size_t len;
    char *text = sample_text(&len);

    (void)state;
    for (size_t i = 0; i < LENGTH(added); i++) {
        struct batch batch;
        struct buf buf;

        buf_init(&buf);
        buf_printf(&buf, "%s%s", text, added[i]);
        ROW_HOLDS(i, read_copy(buf.data, buf.len, &batch, NULL) == -EBADMSG);
        buf_free(&buf);
        buf_init(&buf);
        buf_printf(&buf, "%s%s", added[i], text);
        ROW_HOLDS(i, read_copy(buf.data, buf.len, &batch, NULL) == -EBADMSG);
        buf_free(&buf);
    }
    free(text);
}

static void an_empty_batch_balances(void **state)
{
    struct batch batch = { 0 };

    (void)state;
    assert_int_equal(batch_check(&batch, NULL), 0);
    batch_clear(&batch);
}

static void rows_may_come_in_any_order(void **state)
{
    struct batch batch = sample_batch();
    struct batch_total total = batch.totals[0];
    struct batch_energy row = batch.energies[0];

    (void)state;
    batch.totals[0] = batch.totals[2];
    batch.totals[2] = total;
    batch.energies[0] = batch.energies[4];
    batch.energies[4] = row;
    assert_int_equal(batch_check(&batch, NULL), 0);
    batch_clear(&batch);
}

/* One change to the balanced sample for each way to break an invariant. */
static void b1_row_too_much(struct batch *b) { b->energies[0].active_uj++; }
static void b1_row_too_little(struct batch *b) { b->energies[3].idle_uj--; }
static void b1_row_in_another_hour(struct batch *b) { b->energies[2].hour_s = HOUR; }
static void b1_row_of_no_total(struct batch *b) { b->energies[0].hour_s += 7200; }
static void b1_row_of_another_component(struct batch *b)
{
    b->energies[0].component = COMPONENT_MEMORY;
}
static void b1_two_totals_of_an_hour(struct batch *b) { b->totals[1].hour_s = HOUR; }
static void b1_row_beyond_64_bits(struct batch *b) { b->energies[0].active_uj = UINT64_MAX; }
static void b1_total_without_rows(struct batch *b) { b->n_energies = 0; }
static void b2_component_too_much(struct batch *b) { b->components[0].end_uj++; }
static void b2_component_too_little(struct batch *b) { b->components[1].end_uj--; }
static void b2_component_missing(struct batch *b) { b->n_components = 1; }
static void b2_component_twice(struct batch *b)
{
    b->components[1].component = COMPONENT_CPU;
}
static void b2_component_backwards(struct batch *b)
{
    b->components[0].begin_uj = 150;
    b->components[0].end_uj = 50;
}
static void b2_totals_beyond_64_bits(struct batch *b)
{
    b->totals[0].counted_uj = UINT64_MAX;
    b->energies[0].active_uj = UINT64_MAX - 30;
}
static void b3_counter_too_much(struct batch *b) { b->counters[0].counted_uj++; }
static void b3_counter_too_little(struct batch *b) { b->counters[0].counted_begin_uj++; }
static void b3_counter_backwards(struct batch *b) { b->counters[0].counted_begin_uj = 151; }
static void b3_meter_backwards(struct batch *b) { b->counters[1].counted_begin_uj = 131; }
static void b3_counter_of_another_component(struct batch *b)
{
    b->counters[0].component = COMPONENT_GPU;
}
static void b4_job_missing(struct batch *b) { b->n_jobs = 0; }
static void b4_step_missing(struct batch *b) { b->n_steps = 0; }
static void b4_step_of_another_job(struct batch *b) { b->steps[0].ref = 8; }
static void b4_step_of_another_id(struct batch *b) { b->steps[0].step_id = 0; }
static void b4_step_without_id(struct batch *b) { b->energies[0].has = ENERGY_HAS_REF; }
static void b4_remainder_with_step(struct batch *b)
{
    b->energies[1].has = ENERGY_HAS_REF | ENERGY_HAS_STEP;
}
static void b4_remainder_without_job(struct batch *b) { b->energies[1].has = 0; }
static void b4_system_with_job(struct batch *b) { b->energies[2].has = ENERGY_HAS_REF; }
static void b4_power_of_no_job(struct batch *b) { b->powers[0].ref = 8; }

static void what_does_not_balance_is_refused_by_number(void **state)
{
    static const struct {
        void (*alter)(struct batch *batch);
        const char *reason;
    } rows[] = {
        { b1_row_too_much, "B1" },
        { b1_row_too_little, "B1: 1 uJ of cpu" },
        { b1_row_in_another_hour, "B1" },
        { b1_row_of_no_total, "B1" },
        { b1_row_of_another_component, "B1" },
        { b1_two_totals_of_an_hour, "B1: two totals of cpu" },
        { b1_row_beyond_64_bits, "64 bits" },
        { b1_total_without_rows, "B1" },
        { b2_component_too_much, "B2" },
        { b2_component_too_little, "B2" },
        { b2_component_missing, "B2" },
        { b2_component_twice, "B2" },
        { b2_component_backwards, "B2" },
        { b2_totals_beyond_64_bits, "64 bits" },
        { b3_counter_too_much, "B3: counters of cpu give 101 uJ, stated 100" },
        { b3_counter_too_little, "B3" },
        { b3_counter_backwards, "B3: counter intel-rapl:0 runs backwards" },
        { b3_meter_backwards, "B3: counter bmc runs backwards" },
        { b3_counter_of_another_component, "B3" },
        { b4_job_missing, "B4: a row names job reference 9" },
        { b4_step_missing, "B4: a row names step 4294967291" },
        { b4_step_of_another_job, "B4" },
        { b4_step_of_another_id, "B4" },
        { b4_step_without_id, "B4" },
        { b4_remainder_with_step, "B4" },
        { b4_remainder_without_job, "B4" },
        { b4_system_with_job, "B4" },
        { b4_power_of_no_job, "B4: power of job reference 8" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct batch batch = sample_batch(), again;
        struct error err = { "" };
        struct buf buf;

        ROW_HOLDS(i, batch_check(&batch, NULL) == 0);
        rows[i].alter(&batch);
        ROW_HOLDS(i, batch_check(&batch, &err) == -EBADMSG);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("row %zu: %s", i, err.text);
        /* and a reader refuses it although its CRC is right */
        buf_init(&buf);
        batch_write(&buf, &batch);
        ROW_HOLDS(i, read_copy(buf.data, buf.len, &again, NULL) == -EBADMSG);
        buf_free(&buf);
        batch_clear(&batch);
    }
}

static void the_name_says_node_stream_and_number(void **state)
{
    struct batch_head head = { .node = "n1", .stream = UINT64_C(0xabcdef), .seq = 255 };
    char name[BATCH_NAME_SIZE];

    (void)state;
    batch_file_name(&head, name);
    assert_string_equal(name, "n1-0000000000abcdef-0000000000ff.batch");
    memset(head.node, 'n', sizeof(head.node) - 1);
    head.stream = head.seq = UINT64_MAX;
    batch_file_name(&head, name);
    assert_true(strlen(name) + 1 < BATCH_NAME_SIZE);
    assert_string_equal(name + strlen(name) - 6, ".batch");
}

static void push_keeps_what_was_pushed(void **state)
{
    uint64_t *items = NULL;
    size_t count = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t *copy = batch_push(&items, &count, sizeof(i), &i);

        assert_non_null(copy);
        assert_int_equal(*copy, i);
        assert_int_equal(count, i + 1);
    }
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back_as_it_was),
        cmocka_unit_test(a_batch_altered_at_any_byte_is_refused),
        cmocka_unit_test(a_batch_torn_at_any_byte_is_refused),
        cmocka_unit_test(text_before_or_after_a_batch_is_refused),
        cmocka_unit_test(an_empty_batch_balances),
        cmocka_unit_test(rows_may_come_in_any_order),
        cmocka_unit_test(what_does_not_balance_is_refused_by_number),
        cmocka_unit_test(the_name_says_node_stream_and_number),
        cmocka_unit_test(push_keeps_what_was_pushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
