/* Format 1 of batches: a stored file is read for ever, and its document names every field */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/batch.h"
#include "core/file.h"

static struct batch batch;

static char *read_source(const char *name, size_t *ret_len)
{
    const char *top = getenv("top_srcdir");
    char path[4096], *text;
    struct error err;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
    if (file_read(AT_FDCWD, path, 1 << 20, &text, ret_len, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static int read_golden(void **state)
{
    size_t len;
    char *text = read_source("tests/golden/batch-1.batch", &len);
    struct error err;

    (void)state;
    if (batch_read(text, len, &batch, &err) < 0)
        fail_msg("%s", err.text);
    free(text);
    return 0;
}

static int forget_golden(void **state)
{
    (void)state;
    batch_clear(&batch);
    return 0;
}

static void assert_ids(const struct idset *set, const char *expected)
{
    char text[IDSET_TEXT_SIZE];

    idset_format(set, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void the_head_is_read(void **state)
{
    char name[BATCH_NAME_SIZE];

    (void)state;
    batch_file_name(&batch.head, name);
    assert_string_equal(name, "n1-3d5aafe6feddf282-000000000011.batch");
    assert_string_equal(batch.head.cluster, "jade");
    assert_string_equal(batch.head.boot_id, "60ba7388-a11d-4d7f-92d1-be3487a72047");
    assert_string_equal(batch.head.version, "0.1.0");
    assert_int_equal(batch.head.begin_boottime_ns, UINT64_C(3385000000000));
    assert_int_equal(batch.head.end_boottime_ns, UINT64_C(3405000000000));
    assert_int_equal(batch.head.begin_wall_ns, INT64_C(1795413590000000000));
    assert_int_equal(batch.head.end_wall_ns, INT64_C(1795413610000000000));
    assert_int_equal(batch.head.packages, 2);
    assert_int_equal(batch.head.cores, 4);
    assert_int_equal(batch.head.gpus, 1);
    assert_int_equal(batch.head.memory_mb, 7812);
    assert_int_equal(batch.head.next_ref, 9);
    assert_int_equal(batch.head.marks_bad, 1);
    assert_int_equal(batch.head.batches_dropped, 2);
}

static void counters_are_read(void **state)
{
    const struct batch_counter *cpu = &batch.counters[0], *gpu = &batch.counters[3],
                               *node = &batch.counters[4];

    (void)state;
    assert_int_equal(batch.n_counters, 5);
    assert_string_equal(cpu->source, "intel-rapl:0");
    assert_string_equal(cpu->sensor, "powercap");
    assert_int_equal(cpu->has, COUNTER_HAS_RAW | COUNTER_HAS_FLOOR);
    assert_int_equal(cpu->range_uj, UINT64_C(262143328911));
    assert_int_equal(cpu->max_uw, 600000000);
    assert_int_equal(cpu->floor_uw, 30000000);
    assert_int_equal(cpu->raw_uj, 5000000);
    assert_int_equal(cpu->raw_boottime_ns, UINT64_C(3406000000000));
    assert_int_equal(cpu->seen_uj, UINT64_C(2600000077));
    assert_int_equal(cpu->counted_begin_uj, 1000000000);
    assert_int_equal(cpu->counted_uj, UINT64_C(2600000000));
    assert_int_equal(cpu->counted_boottime_ns, UINT64_C(3405000000000));
    assert_int_equal(gpu->has, 0); /* never read: absent, not 0 */
    assert_int_equal(gpu->component, COMPONENT_GPU);
    assert_int_equal(node->component, COMPONENT_OTHER);
    assert_int_equal(node->quality, QUALITY_MODELLED);
    assert_int_equal(node->debt_uj, 11);
    assert_int_equal(node->pending_uj, 12);
    assert_int_equal(batch.packages[1].busy_ns, UINT64_C(123450000001));
    assert_int_equal(batch.packages[1].job_debt_ns, 5);
}

static void jobs_are_read(void **state)
{
    const struct batch_job *job = batch_find_job(&batch, 7), *open = batch_find_job(&batch, 8);

    (void)state;
    assert_int_equal(batch.n_jobs, 2);
    assert_int_equal(job->has, (JOB_HAS_CPUS << 1) - 1);
    assert_int_equal(job->job_id, 1234);
    assert_string_equal(job->sluid, "s0000000000001");
    assert_int_equal(job->uid, 1000);
    assert_int_equal(job->gid, 100);
    assert_string_equal(job->user, "anne");
    assert_string_equal(job->account, "physics");
    assert_string_equal(job->partition, "main");
    assert_string_equal(job->qos, "normal");
    assert_string_equal(job->name, "my job = 100% r\xc3\xa9" "el");
    assert_int_equal(job->restart_count, 1);
    assert_int_equal(job->array_job_id, 1230);
    assert_int_equal(job->array_task_id, 4);
    assert_int_equal(job->het_job_id, 1200);
    assert_int_equal(job->het_offset, 1);
    assert_int_equal(job->node_count, 2);
    assert_int_equal(job->cpu_count, 4);
    assert_ids(&job->cores, "0-1");
    assert_ids(&job->gpus, "0");
    assert_int_equal(job->memory_mb, 2000);
    assert_int_equal(job->end_boottime_ns, UINT64_C(3404000000000));
    assert_int_equal(job->end_wall_ns, INT64_C(1795413609000000000));
    assert_int_equal(job->exit_status, 256);
    assert_int_equal(job->flags, FLAG_BEGIN_LATE);
    assert_int_equal(open->has, 0);
    assert_int_equal(open->begin_boottime_ns, UINT64_C(3390000000000));
    assert_int_equal(open->flags, FLAG_BEGIN_LOST);
}

static void steps_are_read(void **state)
{
    const struct batch_step *step = &batch.steps[0];

    (void)state;
    assert_int_equal(batch.n_steps, 2);
    assert_int_equal(step->has, (STEP_HAS_STEPD << 1) - 1);
    assert_int_equal(step->ref, 7);
    assert_int_equal(step->step_id, 0);
    assert_ids(&step->cores, "0");
    assert_ids(&step->gpus, "0");
    assert_int_equal(step->cpu_ns, UINT64_C(20000000000));
    assert_int_equal(step->exit_status, 256);
    assert_int_equal(step->flags, FLAG_END_LOST | FLAG_GPU_REFUSED);
    assert_string_equal(step->cgroup, "cpuacct:/slurm_n1/uid_1000/job_1234/step_0");
    assert_int_equal(step->stepd_pid, 4711);
    assert_int_equal(step->stepd_start_ticks, 338100);
    assert_int_equal(batch.steps[1].step_id, STEP_BATCH);
    assert_int_equal(batch.steps[1].flags, FLAG_NO_CPU_TIME);
}

static void amounts_are_read(void **state)
{
    const struct batch_energy *row = &batch.energies[0], *gap = &batch.energies[6];

    (void)state;
    assert_int_equal(batch.n_energies, 10);
    assert_int_equal(row->hour_s, INT64_C(1795410000));
    assert_int_equal(row->owner, OWNER_STEP);
    assert_int_equal(row->ref, 7);
    assert_int_equal(row->active_uj, 500000000);
    assert_int_equal(row->idle_uj, 100000000);
    assert_int_equal(row->metered_ns, UINT64_C(10000000000));
    assert_int_equal(row->elapsed_ns, UINT64_C(10000000000));
    assert_int_equal(batch.energies[2].owner, OWNER_REMAINDER);
    assert_int_equal(batch.energies[4].owner, OWNER_SYSTEM);
    assert_int_equal(gap->owner, OWNER_UNALLOCATED);
    assert_int_equal(gap->quality, QUALITY_GAP);
    assert_int_equal(gap->has, 0);
    assert_int_equal(batch.n_powers, 3);
    assert_int_equal(batch.powers[1].minute_s, INT64_C(1795413600));
    assert_int_equal(batch.powers[1].energy_uj, UINT64_C(4650000000));
    assert_int_equal(batch.powers[1].span_ns, UINT64_C(9000000000));
    assert_int_equal(batch.powers[1].has, 0);
    assert_int_equal(batch.n_totals, 5);
    assert_int_equal(batch.totals[1].counted_uj, 1200000000);
    assert_int_equal(batch.n_components, 4);
    assert_int_equal(batch.components[0].begin_uj, 1900000000);
    assert_int_equal(batch.components[0].end_uj, UINT64_C(4100000000));
    assert_string_equal(batch.consumed[0].name,
                        "00000003403000000000-0000001234-00000000-step-end.mark");
    assert_string_equal(batch.floors[0].source, "intel-rapl:0");
    assert_string_equal(batch.floors[0].histogram, "125:40,126:17");
}

/* The first meters wrote power without its component; later ones write as in this file. */
static void power_by_component_is_read(void **state)
{
    size_t len;
    char *text = read_source("tests/golden/batch-1-component.batch", &len);
    struct batch later;
    struct error err;

    (void)state;
    if (batch_read(text, len, &later, &err) < 0)
        fail_msg("%s", err.text);
    free(text);
    assert_int_equal(later.n_powers, 5);
    for (size_t i = 0; i < later.n_powers; i++)
        assert_int_equal(later.powers[i].has, POWER_HAS_COMPONENT);
    assert_int_equal(later.powers[0].component, COMPONENT_CPU);
    assert_int_equal(later.powers[2].component, COMPONENT_MEMORY);
    assert_int_equal(later.powers[3].component, COMPONENT_GPU);
    assert_int_equal(later.powers[3].energy_uj, UINT64_C(4000000000));
    batch_clear(&later);
}

/* Whatever one byte becomes, the file is refused. */
static void a_batch_altered_in_any_byte_is_refused(void **state)
{
    size_t len;
    char *golden = read_source("tests/golden/batch-1.batch", &len), *text = malloc(len + 1);

    (void)state;
    for (size_t at = 0; at < len; at++) {
        struct batch other;

        memcpy(text, golden, len + 1);
        text[at] ^= 1;
        ROW_HOLDS(at, batch_read(text, len, &other, NULL) == -EBADMSG);
    }
    free(text);
    free(golden);
}

/* The part of the document under "### `type`". */
static char *section_of(const char *document, const char *type)
{
    char heading[64];
    const char *begin, *end;

    snprintf(heading, sizeof(heading), "\n### `%s`", type);
    begin = strstr(document, heading);
    if (!begin)
        fail_msg("docs/formats/batch-1.md has no section for %s", type);
    end = strstr(begin + 4, "\n### ");
    return strndup(begin, end ? (size_t)(end - begin) : strlen(begin));
}

static void the_document_has_a_row_for_every_field(void **state)
{
    static const struct record_desc *const records[] = {
        &batch_head_desc, &batch_counter_desc, &batch_package_desc, &batch_job_desc,
        &batch_step_desc, &batch_energy_desc, &batch_power_desc, &batch_total_desc,
        &batch_component_desc, &batch_consumed_desc, &batch_floor_desc,
    };
    size_t len;
    char *document = read_source("docs/formats/batch-1.md", &len);

    (void)state;
    for (size_t i = 0; i < LENGTH(records); i++) {
        char *section = section_of(document, records[i]->type);

        for (const struct record_field *field = records[i]->fields; field->key; field++) {
            char row[80];

            snprintf(row, sizeof(row), "\n| `%s` | %s|", field->key, field->has ? "opt " : "");
            if (!strstr(section, row))
                fail_msg("docs/formats/batch-1.md: %s: no row \"%s\"", records[i]->type, row + 1);
        }
        free(section);
    }
    free(document);
}

int main(void)
{
#define OF_GOLDEN(test) cmocka_unit_test_setup_teardown(test, read_golden, forget_golden)
    const struct CMUnitTest tests[] = {
        OF_GOLDEN(the_head_is_read),
        OF_GOLDEN(counters_are_read),
        OF_GOLDEN(jobs_are_read),
        OF_GOLDEN(steps_are_read),
        OF_GOLDEN(amounts_are_read),
        cmocka_unit_test(power_by_component_is_read),
        cmocka_unit_test(a_batch_altered_in_any_byte_is_refused),
        cmocka_unit_test(the_document_has_a_row_for_every_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
