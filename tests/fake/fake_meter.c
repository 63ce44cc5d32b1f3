#include "fake_meter.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define NS INT64_C(1000000000)
#define HOUR_S 3600

static void need(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fake_meter: %s failed\n", what);
    abort();
}

static void *push(void *array, size_t *count, size_t size, const void *item)
{
    void *copy = batch_push(array, count, size, item);

    need(copy != NULL, "batch_push");
    return copy;
}

void fake_meter_init(struct fake_meter *meter, const char *node, uint64_t stream, int64_t wall_s)
{
    *meter = (struct fake_meter){ .stream = stream, .seq = 1, .wall_s = wall_s };
    snprintf(meter->cluster, sizeof(meter->cluster), "c");
    snprintf(meter->node, sizeof(meter->node), "%s", node);
    snprintf(meter->boot_id, sizeof(meter->boot_id), "boot-1");
}

void fake_meter_begin(const struct fake_meter *meter, int64_t seconds, struct batch *ret_batch)
{
    struct batch_head head = {
        .stream = meter->stream, .seq = meter->seq, .packages = 2, .cores = 8, .gpus = 4,
        .memory_mb = 4000, .next_ref = 1000,
        .begin_wall_ns = meter->wall_s * NS, .end_wall_ns = (meter->wall_s + seconds) * NS,
        .begin_boottime_ns = (uint64_t)(meter->wall_s - FAKE_BEGIN_S / 2) * NS_PER_S,
    };

    head.end_boottime_ns = head.begin_boottime_ns + (uint64_t)seconds * NS_PER_S;
    snprintf(head.cluster, sizeof(head.cluster), "%s", meter->cluster);
    snprintf(head.node, sizeof(head.node), "%s", meter->node);
    snprintf(head.boot_id, sizeof(head.boot_id), "%s", meter->boot_id);
    snprintf(head.version, sizeof(head.version), "0.1.0");
    *ret_batch = (struct batch){ .head = head };
}

struct batch_job *fake_meter_job(struct batch *batch, uint64_t ref, uint32_t job_id,
                                 int64_t begin_s)
{
    struct batch_job job = {
        .has = JOB_HAS_RESTARTS, .ref = ref, .job_id = job_id, .begin_wall_ns = begin_s * NS,
    };

    return push(&batch->jobs, &batch->n_jobs, sizeof(job), &job);
}

void fake_meter_end_job(struct batch_job *job, int64_t end_s)
{
    job->has |= JOB_HAS_END | JOB_HAS_EXIT;
    job->end_wall_ns = end_s * NS;
}

struct batch_step *fake_meter_step(struct batch *batch, uint64_t ref, uint32_t step_id,
                                   int64_t begin_s)
{
    struct batch_step step = { .ref = ref, .step_id = step_id, .begin_wall_ns = begin_s * NS };

    return push(&batch->steps, &batch->n_steps, sizeof(step), &step);
}

struct batch_energy *fake_meter_energy(struct batch *batch, enum owner owner, uint64_t ref,
                                       uint32_t step_id, enum component component,
                                       uint64_t active_uj, uint64_t idle_uj)
{
    int64_t begin_s = batch->head.begin_wall_ns / NS;
    struct batch_energy row = {
        .hour_s = begin_s - begin_s % HOUR_S, .owner = owner, .component = component,
        .sensor = "powercap", .active_uj = active_uj, .idle_uj = idle_uj,
        .metered_ns = (uint64_t)NS, .elapsed_ns = (uint64_t)NS,
    };

    if (owner == OWNER_STEP || owner == OWNER_REMAINDER) {
        row.has = ENERGY_HAS_REF;
        row.ref = ref;
    }
    if (owner == OWNER_STEP) {
        row.has |= ENERGY_HAS_STEP;
        row.step_id = step_id;
    }
    return push(&batch->energies, &batch->n_energies, sizeof(row), &row);
}

static struct batch_total *total_of(struct batch *batch, int64_t hour_s, unsigned component)
{
    struct batch_total total = { .hour_s = hour_s, .component = component };

    for (size_t i = 0; i < batch->n_totals; i++)
        if (batch->totals[i].hour_s == hour_s && batch->totals[i].component == component)
            return &batch->totals[i];
    return push(&batch->totals, &batch->n_totals, sizeof(total), &total);
}

/* Its node booted at half of FAKE_BEGIN_S, and its clock has been right since. */
static uint64_t boottime_of(int64_t wall_ns)
{
    return (uint64_t)(wall_ns - FAKE_BEGIN_S / 2 * NS);
}

static void set_boottimes(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_jobs; i++) {
        batch->jobs[i].begin_boottime_ns = boottime_of(batch->jobs[i].begin_wall_ns);
        if (batch->jobs[i].has & JOB_HAS_END)
            batch->jobs[i].end_boottime_ns = boottime_of(batch->jobs[i].end_wall_ns);
    }
    for (size_t i = 0; i < batch->n_steps; i++) {
        batch->steps[i].begin_boottime_ns = boottime_of(batch->steps[i].begin_wall_ns);
        if (batch->steps[i].has & STEP_HAS_END)
            batch->steps[i].end_boottime_ns = boottime_of(batch->steps[i].end_wall_ns);
    }
}

void fake_meter_seal(struct fake_meter *meter, struct batch *batch)
{
    uint64_t grown_uj[COMPONENT_COUNT] = { 0 };

    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        total_of(batch, row->hour_s, row->component)->counted_uj += row->active_uj + row->idle_uj;
        grown_uj[row->component] += row->active_uj + row->idle_uj;
    }
    for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
        struct batch_component component = { .component = i, .begin_uj = meter->counted_uj[i],
                                             .end_uj = meter->counted_uj[i] + grown_uj[i] };
        struct batch_counter counter = { .component = i, .sensor = "powercap",
                                         .counted_begin_uj = component.begin_uj,
                                         .counted_uj = component.end_uj };

        snprintf(counter.source, sizeof(counter.source), "counter-%u", i);
        push(&batch->components, &batch->n_components, sizeof(component), &component);
        push(&batch->counters, &batch->n_counters, sizeof(counter), &counter);
        meter->counted_uj[i] = component.end_uj;
    }
    set_boottimes(batch);
    meter->wall_s = batch->head.end_wall_ns / NS;
    meter->seq++;
}

char *fake_meter_text(const struct batch *batch, size_t *ret_len)
{
    struct buf buf;

    buf_init(&buf);
    batch_write(&buf, batch);
    need(!buf_failed(&buf), "batch_write");
    *ret_len = buf.len;
    return buf.data;
}

void fake_meter_deliver(const struct batch *batch, const char *dir, char room[BATCH_NAME_SIZE])
{
    size_t len;
    char *text = fake_meter_text(batch, &len);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    need(fd >= 0, "open");
    batch_file_name(&batch->head, room);
    need(file_write_atomic(fd, room, text, len, 0640, 0) == 0, "file_write_atomic");
    close(fd);
    free(text);
}

/* --- random batches -------------------------------------------------------------------------- */

uint64_t fake_random(uint64_t *state, uint64_t bound)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % bound;
}

static void random_energy(struct batch *batch, uint64_t *state, enum owner owner, uint64_t ref,
                          uint32_t step_id)
{
    struct batch_energy *row =
        fake_meter_energy(batch, owner, ref, step_id, (enum component)fake_random(state, 4),
                          fake_random(state, 3) ? fake_random(state, 5000000) : 0,
                          fake_random(state, 3) ? fake_random(state, 1500) : 0);

    row->quality = (unsigned)fake_random(state, QUALITY_COUNT);
    row->hour_s += HOUR_S * (int64_t)fake_random(state, 2);
    row->elapsed_ns = fake_random(state, 60) * (uint64_t)NS + 1;
    row->metered_ns = fake_random(state, row->elapsed_ns);
}

static void random_power(struct batch *batch, uint64_t *state, uint64_t ref,
                         enum component component)
{
    struct batch_power power = {
        .has = fake_random(state, 8) ? POWER_HAS_COMPONENT : 0, .component = component,
        .minute_s = batch->head.begin_wall_ns / NS / 60 * 60, .ref = ref,
        .energy_uj = fake_random(state, 9000000), .span_ns = fake_random(state, 60 * (uint64_t)NS),
    };

    push(&batch->powers, &batch->n_powers, sizeof(power), &power);
}

/* One job of the batch: it lives for eight batches of its stream, with its number as reference. */
static void random_job(const struct fake_meter *meter, struct batch *batch, uint64_t *state,
                       uint64_t number)
{
    uint64_t first_seq = number * 2 + 1, last_seq = first_seq + 7;
    int64_t begin_s = meter->wall_s - (int64_t)(meter->seq - first_seq) * 60;
    struct batch_job *job = fake_meter_job(batch, number, 100 + (uint32_t)number, begin_s);

    if (meter->seq == last_seq)
        fake_meter_end_job(job, begin_s + 450);
    for (uint32_t step = 0; step < 1 + number % 3; step++) {
        fake_meter_step(batch, number, step, begin_s)->cpu_ns = (meter->seq - first_seq) * 1000;
        random_energy(batch, state, OWNER_STEP, number, step);
        random_energy(batch, state, OWNER_STEP, number, step);
    }
    random_energy(batch, state, OWNER_REMAINDER, number, 0);
    random_power(batch, state, number, COMPONENT_CPU);
    random_power(batch, state, number, COMPONENT_MEMORY);
}

void fake_meter_random(struct fake_meter *meter, uint64_t *state, struct batch *ret_batch)
{
    fake_meter_begin(meter, 60, ret_batch);
    for (uint64_t number = meter->seq > 8 ? (meter->seq - 7) / 2 : 0; number * 2 + 1 <= meter->seq;
         number++)
        random_job(meter, ret_batch, state, number);
    for (unsigned i = 0; i < 4; i++) {
        random_energy(ret_batch, state, OWNER_SYSTEM, 0, 0);
        random_energy(ret_batch, state, OWNER_UNALLOCATED, 0, 0);
    }
    fake_meter_seal(meter, ret_batch);
}
