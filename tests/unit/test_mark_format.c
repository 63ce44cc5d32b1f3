/* Format 1 of marks: stored files are read for ever, and its document names every field */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/mark.h"

static struct mark mark;
static struct mark_reading readings[MARK_READINGS_MAX];
static size_t count;

static char *read_source(const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[4096], *text;
    struct error err;
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
    if (file_read(AT_FDCWD, path, 1 << 20, &text, &len, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static void read_golden(const char *name)
{
    char *text = read_source(name);
    struct error err;

    if (mark_read(text, &mark, readings, &count, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    free(text);
}

static void assert_ids(const struct idset *set, const char *expected)
{
    char text[IDSET_TEXT_SIZE];

    idset_format(set, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void a_stored_step_end_is_read(void **state)
{
    (void)state;
    read_golden("tests/golden/mark-1-step-end.mark");
    assert_int_equal(mark.edge, MARK_STEP_END);
    assert_string_equal(mark.boot_id, "60ba7388-a11d-4d7f-92d1-be3487a72047");
    assert_int_equal(mark.boottime_ns, UINT64_C(2732334098882));
    assert_int_equal(mark.wall_ns, INT64_C(1795409519644705858));
    assert_string_equal(mark.node, "n1");
    assert_int_equal(mark.job_id, 1);
    assert_int_equal(mark.step_id, 0);
    assert_int_equal(mark.uid, 65534);
    assert_ids(&mark.job_cores, "0,4");
    assert_ids(&mark.step_cores, "0,4");
    assert_ids(&mark.step_gpus, "0");
    assert_int_equal(mark.memory_mb, 500);
    assert_string_equal(mark.cgroup, "cpuacct:/slurm_n1/uid_65534/job_1/step_0");
    assert_int_equal(mark.stepd_pid, 92);
    assert_int_equal(mark.stepd_start_ticks, 273215);
    assert_int_equal(mark.cpu_ns, 136924000);
    assert_int_equal(mark.exit_status, 768);
    assert_int_equal(count, 4);
    assert_string_equal(readings[3].source, "intel-rapl:1:0");
    assert_int_equal(readings[3].raw_uj, 2000);
}

static void a_stored_job_end_is_read(void **state)
{
    (void)state;
    read_golden("tests/golden/mark-1-job-end.mark");
    assert_int_equal(mark.edge, MARK_JOB_END);
    assert_string_equal(mark.cluster, "carbon");
    assert_string_equal(mark.sluid, "s0000000000001");
    assert_string_equal(mark.user, "nobody");
    assert_string_equal(mark.account, "physics");
    assert_string_equal(mark.partition, "main");
    assert_string_equal(mark.qos, "normal");
    assert_string_equal(mark.job_name, "my job = 100%");
    assert_int_equal(mark.array_task_id, 3);
    assert_int_equal(mark.het_job_id, 1);
    assert_int_equal(mark.node_count, 1);
    assert_int_equal(mark.cpu_count, 2);
    assert_ids(&mark.job_gpus, "0-1");
    assert_int_equal(mark.exit_status, 1280);
    assert_int_equal(count, 1);
    assert_int_equal(readings[0].raw_uj, UINT64_C(262143328850));
}

static void assert_documented(const char *document, const struct record_desc *desc)
{
    for (const struct record_field *field = desc->fields; field->key; field++) {
        char row[80];

        snprintf(row, sizeof(row), "\n| `%s` |", field->key);
        if (!strstr(document, row))
            fail_msg("docs/formats/mark-1.md has no row for %s", field->key);
    }
}

static void the_document_has_a_row_for_every_field(void **state)
{
    char *document = read_source("docs/formats/mark-1.md");

    (void)state;
    assert_documented(document, &mark_desc);
    assert_documented(document, &mark_reading_desc);
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_step_end_is_read),
        cmocka_unit_test(a_stored_job_end_is_read),
        cmocka_unit_test(the_document_has_a_row_for_every_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
