#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mark.h"

#define BOOT_ID "0f0e0d0c-0b0a-4908-8706-050403020100"

/* The stored form of format 1: what this text says must be read for ever. */
static const char golden[] =
    "carbon-mark 1\n"
    "mark edge=step-end boot_id=" BOOT_ID " boottime_ns=123456789012345"
    " wall_ns=1790000000000000001 node=n1 cluster=c%20one job_id=1234 step_id=0 uid=1000 gid=100"
    " user=alice account=proj array_job_id=1200 array_task_id=34 job_cores=0-3,8 step_cores=0-1"
    " job_gpus=0-1 step_gpus=1 memory_mb=4000 cgroup=unified:/job_1234/step_0 stepd_pid=4321"
    " stepd_start_ticks=99887766 cpu_ns=5000000001 exit_status=256\n"
    "reading source=intel-rapl:0 raw_uj=262143328850\n"
    "reading source=intel-rapl:0:0 raw_uj=0\n"
    "end\n";

static struct mark sample_mark(void)
{
    struct mark mark;

    memset(&mark, 0, sizeof(mark));
    mark.has = MARK_HAS_CLUSTER | MARK_HAS_STEP | MARK_HAS_UID | MARK_HAS_USER | MARK_HAS_ACCOUNT |
               MARK_HAS_ARRAY | MARK_HAS_JOB_CORES | MARK_HAS_STEP_CORES | MARK_HAS_JOB_GPUS |
               MARK_HAS_STEP_GPUS | MARK_HAS_MEMORY | MARK_HAS_CGROUP | MARK_HAS_STEPD |
               MARK_HAS_CPU | MARK_HAS_EXIT;
    mark.edge = MARK_STEP_END;
    memcpy(mark.boot_id, BOOT_ID, sizeof(BOOT_ID));
    mark.boottime_ns = UINT64_C(123456789012345);
    mark.wall_ns = INT64_C(1790000000000000001);
    memcpy(mark.node, "n1", 3);
    memcpy(mark.cluster, "c one", 6);
    mark.job_id = 1234;
    mark.uid = 1000;
    mark.gid = 100;
    memcpy(mark.user, "alice", 6);
    memcpy(mark.account, "proj", 5);
    mark.array_job_id = 1200;
    mark.array_task_id = 34;
    assert_int_equal(idset_parse("0-3,8", &mark.job_cores), 0);
    assert_int_equal(idset_parse("0-1", &mark.step_cores), 0);
    assert_int_equal(idset_parse("0-1", &mark.job_gpus), 0);
    assert_int_equal(idset_parse("1", &mark.step_gpus), 0);
    mark.memory_mb = 4000;
    memcpy(mark.cgroup, "unified:/job_1234/step_0", 25);
    mark.stepd_pid = 4321;
    mark.stepd_start_ticks = 99887766;
    mark.cpu_ns = UINT64_C(5000000001);
    mark.exit_status = 256;
    return mark;
}

static const struct mark_reading sample_readings[] = {
    { "intel-rapl:0", UINT64_C(262143328850) },
    { "intel-rapl:0:0", 0 },
};

static int read_copy(const char *text, size_t len, struct mark *mark, size_t *count,
                     struct error *err)
{
    struct mark_reading readings[MARK_READINGS_MAX];
    char *copy = malloc(len + 1); /* of the exact size: an overrun is seen by the sanitizer */
    int rc;

    assert_non_null(copy);
    memcpy(copy, text, len);
    copy[len] = '\0';
    rc = mark_read(copy, mark, readings, count, err);
    if (rc == 0 && *count == LENGTH(sample_readings)) {
        assert_string_equal(readings[0].source, sample_readings[0].source);
        assert_int_equal(readings[0].raw_uj, sample_readings[0].raw_uj);
        assert_string_equal(readings[1].source, sample_readings[1].source);
        assert_int_equal(readings[1].raw_uj, sample_readings[1].raw_uj);
    }
    free(copy);
    return rc;
}

static void a_mark_is_written_as_format_1_says(void **state)
{
    struct mark mark = sample_mark();
    struct buf buf;

    (void)state;
    buf_init(&buf);
    mark_write(&buf, &mark, sample_readings, LENGTH(sample_readings));
    assert_string_equal(buf.data, golden);
    buf_free(&buf);
}

static void a_stored_mark_of_format_1_is_read(void **state)
{
    struct mark mark, expected = sample_mark();
    struct error err;
    size_t count;

    (void)state;
    if (read_copy(golden, strlen(golden), &mark, &count, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(count, 2);
    assert_memory_equal(&mark, &expected, sizeof(mark));
}

static void a_mark_torn_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(golden); len++) {
        struct error err = { "" };
        struct mark mark;
        size_t count;

        assert_int_equal(read_copy(golden, len, &mark, &count, &err), -EBADMSG);
        assert_true(err.text[0] != '\0');
    }
}

static void foreign_texts_are_refused_with_the_reason(void **state)
{
    static const char required[] = "boot_id=b boottime_ns=1 wall_ns=1 node=n job_id=1";
    static const struct {
        const char *format; /* %s is `required` */
        const char *reason; /* NULL: it is read */
    } rows[] = {
        { "carbon-mark 1\nmark edge=job-begin %s\nend\n", NULL },
        { "carbon-mark 1\nmark edge=job-begin %s\nlater key=1\nend\n", NULL },
        { "carbon-mark 2\nmark edge=job-begin %s\nend\n", "not a mark of format 1" },
        { "carbon-batch 1\nmark edge=job-begin %s\nend\n", "not a mark of format 1" },
        { "carbon-mark 1\nmark edge=middle %s\nend\n", "edge=middle is malformed" },
        { "carbon-mark 1\nreading source=a raw_uj=1\nmark edge=job-begin %s\nend\n",
          "not a mark record" },
        { "carbon-mark 1\nmark edge=step-begin %s\nend\n", "without step_id" },
        { "carbon-mark 1\nmark edge=step-end %s\nend\n", "without step_id" },
        { "carbon-mark 1\nmark edge=job-begin %s\nreading source=a raw_uj=x\nend\n",
          "raw_uj=x is malformed" },
        { "carbon-mark 1\nmark edge=job-begin %s\nend\nmore\n", "after" },
        { "carbon-mark 1\nmark edge=job-begin %s\nend \n", "torn" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct error err = { "" };
        struct mark mark;
        char text[512];
        const char *at = strstr(rows[i].format, "%s");
        size_t count;
        int rc;

        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rows[i].format), rows[i].format,
                 required, at + 2);
        rc = read_copy(text, strlen(text), &mark, &count, &err);
        ROW_HOLDS(i, rc == (rows[i].reason ? -EBADMSG : 0));
        if (rows[i].reason && !strstr(err.text, rows[i].reason))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void more_readings_than_there_is_room_for_are_refused(void **state)
{
    struct mark_reading readings[MARK_READINGS_MAX + 1];
    struct mark mark = sample_mark();

    (void)state;
    memset(readings, 0, sizeof(readings));
    for (size_t extra = 0; extra < 2; extra++) {
        size_t count = 0;
        struct buf buf;
        int rc;

        buf_init(&buf);
        mark_write(&buf, &mark, readings, MARK_READINGS_MAX + extra);
        rc = read_copy(buf.data, buf.len, &mark, &count, NULL);
        assert_int_equal(rc, extra ? -EBADMSG : 0);
        assert_int_equal(count, extra ? 0 : MARK_READINGS_MAX);
        buf_free(&buf);
    }
}

static void names_sort_by_the_instant(void **state)
{
    char name[MARK_NAME_SIZE], later[MARK_NAME_SIZE];
    struct mark mark = sample_mark();

    (void)state;
    mark_file_name(&mark, name);
    assert_string_equal(name, "00000123456789012345-0000001234-00000000-step-end.mark");
    mark.boottime_ns = UINT64_MAX;
    mark.job_id = UINT32_MAX;
    mark.step_id = STEP_BATCH;
    mark.edge = MARK_STEP_BEGIN;
    mark_file_name(&mark, later);
    assert_string_equal(later, "18446744073709551615-4294967295-fffffffb-step-begin.mark");
    assert_true(strcmp(name, later) < 0);
    mark.has &= ~(uint32_t)MARK_HAS_STEP;
    mark.edge = MARK_JOB_BEGIN;
    mark_file_name(&mark, later);
    assert_string_equal(later, "18446744073709551615-4294967295-ffffffff-job-begin.mark");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_written_as_format_1_says),
        cmocka_unit_test(a_stored_mark_of_format_1_is_read),
        cmocka_unit_test(a_mark_torn_at_any_byte_is_refused),
        cmocka_unit_test(foreign_texts_are_refused_with_the_reason),
        cmocka_unit_test(more_readings_than_there_is_room_for_are_refused),
        cmocka_unit_test(names_sort_by_the_instant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
