#include "core/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/clock.h"

const char *const component_names[] = { "cpu", "memory", "gpu", "other", NULL };
const char *const quality_names[] = { "measured", "modelled", "gap", NULL };
const char *const owner_names[] = { "step", "remainder", "system", "unallocated", NULL };
const char *const flag_names[] = { "begin_late",  "end_late",    "end_lost", "begin_lost",
                                   "gpu_refused", "no_cpu_time", "reboot",   "backfilled",
                                   NULL };

/* --- the tables ------------------------------------------------------------------------------ */

#define U32(s, m, bit) { #m, RECORD_U32, offsetof(struct s, m), 0, bit, NULL }
#define U64(s, m, bit) { #m, RECORD_U64, offsetof(struct s, m), 0, bit, NULL }
#define I64(s, m, bit) { #m, RECORD_I64, offsetof(struct s, m), 0, bit, NULL }
#define HEX(s, m, bit) { #m, RECORD_HEX64, offsetof(struct s, m), 0, bit, NULL }
#define IDS(s, m, bit) { #m, RECORD_IDSET, offsetof(struct s, m), 0, bit, NULL }
#define TEXT(s, m, bit) \
    { #m, RECORD_TEXT, offsetof(struct s, m), sizeof(((struct s *)0)->m), bit, NULL }
#define ENUM(s, m, names) ENUM_IF(s, m, 0, names)
#define ENUM_IF(s, m, bit, names) { #m, RECORD_ENUM, offsetof(struct s, m), 0, bit, names }
#define END { NULL, 0, 0, 0, 0, NULL }
#define DESC(word, s, fields) \
    const struct record_desc s##_desc = { word, sizeof(struct s), offsetof(struct s, has), fields }

static const struct record_field head_fields[] = {
    TEXT(batch_head, cluster, 0),
    TEXT(batch_head, node, 0),
    HEX(batch_head, stream, 0),
    U64(batch_head, seq, 0),
    TEXT(batch_head, boot_id, 0),
    TEXT(batch_head, version, 0),
    U64(batch_head, begin_boottime_ns, 0),
    U64(batch_head, end_boottime_ns, 0),
    I64(batch_head, begin_wall_ns, 0),
    I64(batch_head, end_wall_ns, 0),
    U32(batch_head, packages, 0),
    U32(batch_head, cores, 0),
    U32(batch_head, gpus, 0),
    U64(batch_head, memory_mb, 0),
    U64(batch_head, next_ref, 0),
    U64(batch_head, marks_bad, 0),
    U64(batch_head, batches_dropped, 0),
    END,
};
DESC("head", batch_head, head_fields);

static const struct record_field counter_fields[] = {
    TEXT(batch_counter, source, 0),
    TEXT(batch_counter, sensor, 0),
    ENUM(batch_counter, component, component_names),
    ENUM(batch_counter, quality, quality_names),
    U32(batch_counter, domain, 0),
    U64(batch_counter, range_uj, 0),
    U64(batch_counter, max_uw, 0),
    U64(batch_counter, floor_uw, COUNTER_HAS_FLOOR),
    U64(batch_counter, raw_uj, COUNTER_HAS_RAW),
    U64(batch_counter, raw_boottime_ns, COUNTER_HAS_RAW),
    U64(batch_counter, seen_uj, 0),
    U64(batch_counter, counted_begin_uj, 0),
    U64(batch_counter, counted_uj, 0),
    U64(batch_counter, counted_boottime_ns, COUNTER_HAS_RAW),
    U64(batch_counter, debt_uj, 0),
    U64(batch_counter, pending_uj, 0),
    END,
};
DESC("counter", batch_counter, counter_fields);

static const struct record_field package_fields[] = {
    U32(batch_package, package, 0),
    U64(batch_package, busy_ns, 0),
    U64(batch_package, job_debt_ns, 0),
    END,
};
DESC("package", batch_package, package_fields);

static const struct record_field job_fields[] = {
    U64(batch_job, ref, 0),
    U32(batch_job, job_id, 0),
    TEXT(batch_job, sluid, JOB_HAS_SLUID),
    U32(batch_job, uid, JOB_HAS_UID),
    U32(batch_job, gid, JOB_HAS_UID),
    TEXT(batch_job, user, JOB_HAS_USER),
    TEXT(batch_job, account, JOB_HAS_ACCOUNT),
    TEXT(batch_job, partition, JOB_HAS_PARTITION),
    TEXT(batch_job, qos, JOB_HAS_QOS),
    TEXT(batch_job, name, JOB_HAS_NAME),
    U32(batch_job, restart_count, JOB_HAS_RESTARTS),
    U32(batch_job, array_job_id, JOB_HAS_ARRAY),
    U32(batch_job, array_task_id, JOB_HAS_ARRAY),
    U32(batch_job, het_job_id, JOB_HAS_HET),
    U32(batch_job, het_offset, JOB_HAS_HET),
    U32(batch_job, node_count, JOB_HAS_NODES),
    U32(batch_job, cpu_count, JOB_HAS_CPUS),
    IDS(batch_job, cores, JOB_HAS_CORES),
    IDS(batch_job, gpus, JOB_HAS_GPUS),
    U64(batch_job, memory_mb, JOB_HAS_MEMORY),
    U64(batch_job, begin_boottime_ns, 0),
    I64(batch_job, begin_wall_ns, 0),
    U64(batch_job, end_boottime_ns, JOB_HAS_END),
    I64(batch_job, end_wall_ns, JOB_HAS_END),
    I64(batch_job, exit_status, JOB_HAS_EXIT),
    U32(batch_job, flags, 0),
    END,
};
DESC("job", batch_job, job_fields);

static const struct record_field step_fields[] = {
    U64(batch_step, ref, 0),
    U32(batch_step, step_id, 0),
    IDS(batch_step, cores, STEP_HAS_CORES),
    IDS(batch_step, gpus, STEP_HAS_GPUS),
    U64(batch_step, begin_boottime_ns, 0),
    I64(batch_step, begin_wall_ns, 0),
    U64(batch_step, end_boottime_ns, STEP_HAS_END),
    I64(batch_step, end_wall_ns, STEP_HAS_END),
    U64(batch_step, cpu_ns, 0),
    I64(batch_step, exit_status, STEP_HAS_EXIT),
    U32(batch_step, flags, 0),
    TEXT(batch_step, cgroup, STEP_HAS_CGROUP),
    U32(batch_step, stepd_pid, STEP_HAS_STEPD),
    U64(batch_step, stepd_start_ticks, STEP_HAS_STEPD),
    END,
};
DESC("step", batch_step, step_fields);

static const struct record_field energy_fields[] = {
    I64(batch_energy, hour_s, 0),
    ENUM(batch_energy, owner, owner_names),
    U64(batch_energy, ref, ENERGY_HAS_REF),
    U32(batch_energy, step_id, ENERGY_HAS_STEP),
    ENUM(batch_energy, component, component_names),
    ENUM(batch_energy, quality, quality_names),
    TEXT(batch_energy, sensor, 0),
    U64(batch_energy, active_uj, 0),
    U64(batch_energy, idle_uj, 0),
    U64(batch_energy, metered_ns, 0),
    U64(batch_energy, elapsed_ns, 0),
    END,
};
DESC("energy", batch_energy, energy_fields);

static const struct record_field power_fields[] = {
    I64(batch_power, minute_s, 0),
    U64(batch_power, ref, 0),
    ENUM_IF(batch_power, component, POWER_HAS_COMPONENT, component_names),
    U64(batch_power, energy_uj, 0),
    U64(batch_power, span_ns, 0),
    END,
};
DESC("power", batch_power, power_fields);

static const struct record_field total_fields[] = {
    I64(batch_total, hour_s, 0),
    ENUM(batch_total, component, component_names),
    U64(batch_total, counted_uj, 0),
    END,
};
DESC("total", batch_total, total_fields);

static const struct record_field component_fields[] = {
    ENUM(batch_component, component, component_names),
    U64(batch_component, begin_uj, 0),
    U64(batch_component, end_uj, 0),
    END,
};
DESC("component", batch_component, component_fields);

static const struct record_field consumed_fields[] = {
    TEXT(batch_consumed, name, 0),
    END,
};
DESC("consumed", batch_consumed, consumed_fields);

static const struct record_field floor_fields[] = {
    TEXT(batch_floor, source, 0),
    TEXT(batch_floor, histogram, 0),
    END,
};
DESC("floor", batch_floor, floor_fields);

/* The arrays of a batch, in the order in which they are written. */
static const struct {
    const struct record_desc *desc;
    size_t array, count;
} sections[] = {
#define SECTION(d, a) { &d, offsetof(struct batch, a), offsetof(struct batch, n_##a) }
    SECTION(batch_counter_desc, counters), SECTION(batch_package_desc, packages),
    SECTION(batch_job_desc, jobs),         SECTION(batch_step_desc, steps),
    SECTION(batch_energy_desc, energies),  SECTION(batch_power_desc, powers),
    SECTION(batch_total_desc, totals),     SECTION(batch_component_desc, components),
    SECTION(batch_consumed_desc, consumed), SECTION(batch_floor_desc, floors),
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* --- building -------------------------------------------------------------------------------- */

void *batch_push(void *array, size_t *count, size_t item_size, const void *item)
{
    void **items = array;
    char *grown = *items;

    /* room is doubled whenever the count reaches a power of two */
    if ((*count & (*count - 1)) == 0) {
        grown = realloc(*items, (*count ? *count * 2 : 1) * item_size);
        if (!grown)
            return NULL;
        *items = grown;
    }
    memcpy(grown + *count * item_size, item, item_size);
    return grown + (*count)++ * item_size;
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < SECTIONS; i++)
        free(*(void **)((char *)batch + sections[i].array));
    *batch = (struct batch){ 0 };
}

const struct batch_job *batch_find_job(const struct batch *batch, uint64_t ref)
{
    for (size_t i = 0; i < batch->n_jobs; i++)
        if (batch->jobs[i].ref == ref)
            return &batch->jobs[i];
    return NULL;
}

void batch_file_name(const struct batch_head *head, char ret_name[BATCH_NAME_SIZE])
{
    snprintf(ret_name, BATCH_NAME_SIZE, "%s-%016" PRIx64 "-%012" PRIx64 ".batch", head->node,
             head->stream, head->seq);
}

/* --- writing --------------------------------------------------------------------------------- */

static uint32_t text_crc32(const char *text, size_t len)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)text, (uInt)len);
}

void batch_write(struct buf *buf, const struct batch *batch)
{
    size_t start = buf->len;

    buf_printf(buf, "carbon-batch %d\n", BATCH_FORMAT);
    record_write(buf, &batch_head_desc, &batch->head);
    for (size_t i = 0; i < SECTIONS; i++) {
        const char *items = *(char *const *)((const char *)batch + sections[i].array);
        size_t count = *(const size_t *)((const char *)batch + sections[i].count);

        for (size_t k = 0; k < count; k++)
            record_write(buf, sections[i].desc, items + k * sections[i].desc->struct_size);
    }
    if (!buf_failed(buf))
        buf_printf(buf, "end %08" PRIx32 "\n", text_crc32(buf->data + start, buf->len - start));
}

/* --- reading --------------------------------------------------------------------------------- */

/* Find the last line, check it against the bytes before it, and cut it off. */
static int check_end(char *text, size_t len, struct error *err)
{
    char expected[16];
    size_t body;

    if (strlen(text) != len)
        return error_set(err, -EBADMSG, "torn: a NUL byte inside");
    if (len < 13 || text[len - 1] != '\n' || strncmp(text + len - 13, "end ", 4) != 0 ||
        (len > 13 && text[len - 14] != '\n'))
        return error_set(err, -EBADMSG, "torn: the last line is not \"end CRC32\"");
    body = len - 13;
    snprintf(expected, sizeof(expected), "%08" PRIx32, text_crc32(text, body));
    if (strncmp(text + len - 9, expected, 8) != 0)
        return error_set(err, -EBADMSG, "altered: its CRC is %.8s but its text gives %s",
                         text + len - 9, expected);
    text[body] = '\0';
    return 0;
}

/* One record line into the array that holds its type; unknown types are skipped. */
static int read_line(const char *line, struct batch *batch, struct error *err)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        const struct record_desc *desc = sections[i].desc;
        char *array = (char *)batch + sections[i].array;
        size_t *count = (size_t *)(void *)((char *)batch + sections[i].count);
        void *item;
        int rc;

        if (!record_is(line, desc))
            continue;
        item = malloc(desc->struct_size);
        rc = item ? record_read(line, desc, item, err) : -ENOMEM;
        if (rc == 0 && !batch_push(array, count, desc->struct_size, item))
            rc = -ENOMEM;
        free(item);
        return rc == -ENOMEM ? error_set(err, rc, "out of memory") : rc;
    }
    return 0;
}

static int read_lines(char *text, struct batch *batch, struct error *err)
{
    char *line, *rest = text;
    int number = 0, rc;

    while ((line = strsep(&rest, "\n")) != NULL) {
        number++;
        if (number == 1)
            rc = strcmp(line, "carbon-batch 1") == 0
                     ? 0
                     : error_set(err, -EBADMSG, "not a batch of format %d", BATCH_FORMAT);
        else if (number == 2)
            rc = record_read(line, &batch_head_desc, &batch->head, err);
        else
            rc = read_line(line, batch, err);
        if (rc < 0)
            return error_prefix(err, rc, "line %d", number);
    }
    return number >= 3 ? 0 : error_set(err, -EBADMSG, "torn: no head record");
}

int batch_read(char *text, size_t len, struct batch *ret_batch, struct error *err)
{
    int rc = check_end(text, len, err);

    *ret_batch = (struct batch){ 0 };
    if (rc == 0)
        rc = read_lines(text, ret_batch, err);
    if (rc == 0)
        rc = batch_check(ret_batch, err);
    if (rc < 0)
        batch_clear(ret_batch);
    return rc;
}

/* --- invariants ------------------------------------------------------------------------------ */

static int add_exactly(uint64_t *sum, uint64_t more, struct error *err)
{
    if (__builtin_add_overflow(*sum, more, sum))
        return error_set(err, -EBADMSG, "a sum of energies does not fit in 64 bits");
    return 0;
}

static int compare_totals(const void *va, const void *vb)
{
    const struct batch_total *a = va, *b = vb;

    if (a->component != b->component)
        return a->component < b->component ? -1 : 1;
    return a->hour_s < b->hour_s ? -1 : a->hour_s > b->hour_s;
}

/* B1: rows and totals meet in each (hour, component). `left` is the totals, sorted; it is spent. */
static int spend_rows(const struct batch *batch, struct batch_total *left, struct error *err)
{
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];
        struct batch_total key = { .hour_s = row->hour_s, .component = row->component };
        struct batch_total *total =
            bsearch(&key, left, batch->n_totals, sizeof(key), compare_totals);
        uint64_t sum = row->active_uj;
        int rc = add_exactly(&sum, row->idle_uj, err);

        if (rc < 0)
            return rc;
        if (sum > (total ? total->counted_uj : 0))
            return error_set(err, -EBADMSG,
                             "B1: the rows of %s in hour %" PRId64 " exceed its total",
                             component_names[row->component], row->hour_s);
        if (total)
            total->counted_uj -= sum;
    }
    for (size_t i = 0; i < batch->n_totals; i++)
        if (left[i].counted_uj)
            return error_set(err, -EBADMSG,
                             "B1: %" PRIu64 " uJ of %s in hour %" PRId64 " are in no row",
                             left[i].counted_uj, component_names[left[i].component],
                             left[i].hour_s);
    return 0;
}

static int check_rows(const struct batch *batch, struct error *err)
{
    struct batch_total *left = malloc((batch->n_totals + 1) * sizeof(*left));
    int rc = 0;

    if (!left)
        return error_set(err, -ENOMEM, "out of memory");
    if (batch->n_totals) {
        memcpy(left, batch->totals, batch->n_totals * sizeof(*left));
        qsort(left, batch->n_totals, sizeof(*left), compare_totals);
    }
    for (size_t i = 1; i < batch->n_totals && rc == 0; i++)
        if (compare_totals(&left[i - 1], &left[i]) == 0)
            rc = error_set(err, -EBADMSG, "B1: two totals of %s for hour %" PRId64,
                           component_names[left[i].component], left[i].hour_s);
    if (rc == 0)
        rc = spend_rows(batch, left, err);
    free(left);
    return rc;
}

/* B2 and B3 of one component. */
static int check_component(const struct batch *batch, unsigned component, struct error *err)
{
    uint64_t totals = 0, stated = 0, counters = 0;
    int rc = 0, found = 0;

    for (size_t i = 0; i < batch->n_totals && rc == 0; i++)
        if (batch->totals[i].component == component)
            rc = add_exactly(&totals, batch->totals[i].counted_uj, err);
    for (size_t i = 0; i < batch->n_components && rc == 0; i++) {
        const struct batch_component *c = &batch->components[i];

        if (c->component != component)
            continue;
        if (found++ || c->end_uj < c->begin_uj)
            return error_set(err, -EBADMSG, "B2: component %s runs backwards or comes twice",
                             component_names[component]);
        stated = c->end_uj - c->begin_uj;
    }
    for (size_t i = 0; i < batch->n_counters && rc == 0; i++) {
        const struct batch_counter *c = &batch->counters[i];

        if (c->counted_uj < c->counted_begin_uj)
            return error_set(err, -EBADMSG, "B3: counter %s runs backwards", c->source);
        if (c->component == component)
            rc = add_exactly(&counters, c->counted_uj - c->counted_begin_uj, err);
    }
    if (rc == 0 && totals != stated)
        rc = error_set(err, -EBADMSG, "B2: totals of %s are %" PRIu64 " uJ, stated %" PRIu64,
                       component_names[component], totals, stated);
    if (rc == 0 && component != COMPONENT_OTHER && counters != stated)
        rc = error_set(err, -EBADMSG, "B3: counters of %s give %" PRIu64 " uJ, stated %" PRIu64,
                       component_names[component], counters, stated);
    return rc;
}

static int has_step(const struct batch *batch, uint64_t ref, uint32_t step_id)
{
    for (size_t i = 0; i < batch->n_steps; i++)
        if (batch->steps[i].ref == ref && batch->steps[i].step_id == step_id)
            return 1;
    return 0;
}

/* B4 of one energy row. */
static int check_owner(const struct batch *batch, const struct batch_energy *row, struct error *err)
{
    int of_job = row->owner == OWNER_STEP || row->owner == OWNER_REMAINDER;

    if (of_job != !!(row->has & ENERGY_HAS_REF) ||
        (row->owner == OWNER_STEP) != !!(row->has & ENERGY_HAS_STEP))
        return error_set(err, -EBADMSG, "B4: a row of %s with the wrong keys",
                         owner_names[row->owner]);
    if (of_job && !batch_find_job(batch, row->ref))
        return error_set(err, -EBADMSG, "B4: a row names job reference %" PRIu64 ", not here",
                         row->ref);
    if (row->owner == OWNER_STEP && !has_step(batch, row->ref, row->step_id))
        return error_set(err, -EBADMSG, "B4: a row names step %" PRIu32 " of reference %" PRIu64
                         ", not here", row->step_id, row->ref);
    return 0;
}

/* A job's labels; of one that has no end, the batch's end is the later instant. */
static void mend_job(const struct batch_head *head, struct batch_job *job)
{
    bool ended = job->has & JOB_HAS_END;
    uint64_t later_ns = ended ? job->end_boottime_ns : head->end_boottime_ns;
    int64_t later_wall_ns = ended ? job->end_wall_ns : head->end_wall_ns;
    int64_t lasted_ns, mended_ns;

    if (job->begin_wall_ns < 0 || later_wall_ns < 0 || later_ns < job->begin_boottime_ns ||
        later_ns > INT64_MAX)
        return;
    lasted_ns = (int64_t)(later_ns - job->begin_boottime_ns);
    mended_ns = later_wall_ns > lasted_ns ? later_wall_ns - lasted_ns : 0;
    if (llabs(mended_ns - job->begin_wall_ns) > (int64_t)NS_PER_S)
        job->begin_wall_ns = mended_ns;
    if (ended && job->begin_wall_ns <= INT64_MAX - lasted_ns)
        job->end_wall_ns = job->begin_wall_ns + lasted_ns;
}

/* The label of an instant, by that of the job's begin. */
static void tell_from(const struct batch_job *job, uint64_t at_ns, int64_t *wall_ns)
{
    int64_t after_ns;

    if (job->begin_wall_ns < 0 || at_ns > INT64_MAX || job->begin_boottime_ns > INT64_MAX)
        return;
    after_ns = (int64_t)at_ns - (int64_t)job->begin_boottime_ns;
    if (after_ns <= INT64_MAX - job->begin_wall_ns)
        *wall_ns = job->begin_wall_ns + after_ns > 0 ? job->begin_wall_ns + after_ns : 0;
}

void batch_mend_labels(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_jobs; i++)
        mend_job(&batch->head, &batch->jobs[i]);
    for (size_t i = 0; i < batch->n_steps; i++) {
        struct batch_step *step = &batch->steps[i];
        const struct batch_job *job = batch_find_job(batch, step->ref);

        if (!job)
            continue;
        tell_from(job, step->begin_boottime_ns, &step->begin_wall_ns);
        if (step->has & STEP_HAS_END)
            tell_from(job, step->end_boottime_ns, &step->end_wall_ns);
    }
}

int batch_check(const struct batch *batch, struct error *err)
{
    int rc = check_rows(batch, err);

    for (unsigned component = 0; component < COMPONENT_COUNT && rc == 0; component++)
        rc = check_component(batch, component, err);
    for (size_t i = 0; i < batch->n_energies && rc == 0; i++)
        rc = check_owner(batch, &batch->energies[i], err);
    for (size_t i = 0; i < batch->n_powers && rc == 0; i++)
        if (!batch_find_job(batch, batch->powers[i].ref))
            rc = error_set(err, -EBADMSG, "B4: power of job reference %" PRIu64 ", not here",
                           batch->powers[i].ref);
    return rc;
}
