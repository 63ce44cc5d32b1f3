/* The ledger's rules, each in a case small enough to be computed by hand. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "ledger/ledger.h"

#define S UINT64_C(1000000000)
#define T0 (1000 * S)                    /* the window's begin */
#define HOUR_S INT64_C(1789999200)       /* the UTC hour in which it lies */
#define J UINT64_C(1000000)              /* uJ in a joule */
#define KWH (3600000 * J)                /* uJ in a kilowatt-hour */
#define OWN UINT32_MAX                   /* in place of a step id: the job's remainder */

static const uint16_t core_package[] = { 0, 0, 0, 0, 1, 1, 1, 1 };
static const struct ledger_node one_package = { 1, 4, 0, core_package, 8000 };
static const struct ledger_node two_packages = { 2, 8, 0, core_package, 8000 };

static struct ledger_counter counter_of(enum component component, uint32_t domain)
{
    struct ledger_counter counter = { .sensor = "test", .component = component, .domain = domain,
                                      .max_uw = 100000 * J };

    counter.source[0] = "cmgo"[component];
    counter.source[1] = (char)('0' + domain);
    return counter;
}

/* Everything that happens at T0 + at_s. */
static void tell_reading(struct ledger *ledger, uint64_t at_s, size_t counter, uint64_t raw_uj)
{
    assert_int_equal(ledger_clock(ledger, T0 + at_s * S,
                                  (int64_t)at_s * (int64_t)S + HOUR_S * (int64_t)S), 0);
    assert_int_equal(ledger_reading(ledger, T0 + at_s * S, counter, raw_uj), 0);
}

static void tell_job(struct ledger *ledger, uint64_t ref, const char *cores, const char *gpus)
{
    struct batch_job job = { .ref = ref, .job_id = (uint32_t)ref, .begin_boottime_ns = T0,
                             .has = JOB_HAS_CORES | JOB_HAS_GPUS };

    assert_int_equal(idset_parse(cores, &job.cores), 0);
    assert_int_equal(idset_parse(gpus, &job.gpus), 0);
    assert_int_equal(ledger_job_begin(ledger, &job), 0);
}

static void tell_step(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at_s,
                      const char *gpus)
{
    struct batch_step step = { .ref = ref, .step_id = step_id, .begin_boottime_ns = T0 + at_s * S,
                               .has = STEP_HAS_GPUS };

    assert_int_equal(idset_parse(gpus, &step.gpus), 0);
    assert_int_equal(ledger_step_begin(ledger, &step), 0);
}

static void tell_cpu(struct ledger *ledger, uint64_t ref, uint32_t step_id, uint64_t at_s,
                     uint64_t cpu_s)
{
    assert_int_equal(ledger_step_cpu(ledger, ref, step_id, T0 + at_s * S, cpu_s * S), 0);
}

static struct batch close_and_seal(struct ledger *ledger, uint64_t at_s)
{
    struct batch batch;
    struct error err;

    assert_int_equal(ledger_close(ledger, T0 + at_s * S), 0);
    assert_int_equal(ledger_seal(ledger, &batch), 0);
    if (batch_check(&batch, &err) < 0)
        fail_msg("%s", err.text);
    return batch;
}

/* What an owner was given of a component in all: active_uj, idle_uj. */
struct share {
    uint64_t active_uj, idle_uj;
};

static struct share share_of(const struct batch *batch, enum owner owner, uint64_t ref,
                             uint32_t step_id, enum component component)
{
    struct share share = { 0, 0 };

    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        if (row->owner != owner || row->component != component)
            continue;
        if ((row->has & ENERGY_HAS_REF && row->ref != ref) ||
            (row->has & ENERGY_HAS_STEP && row->step_id != step_id))
            continue;
        share.active_uj += row->active_uj;
        share.idle_uj += row->idle_uj;
    }
    return share;
}

static void assert_share(const struct batch *batch, enum owner owner, uint64_t ref,
                         uint32_t step_id, enum component component, uint64_t active_uj,
                         uint64_t idle_uj)
{
    struct share share = share_of(batch, owner, ref, step_id, component);

    assert_int_equal(share.active_uj, active_uj);
    assert_int_equal(share.idle_uj, idle_uj);
}

/* active + idle of a job, its steps and remainder, over all components. */
static uint64_t energy_of_job(const struct batch *batch, uint64_t ref)
{
    uint64_t energy_uj = 0;

    for (size_t i = 0; i < batch->n_energies; i++)
        if (batch->energies[i].has & ENERGY_HAS_REF && batch->energies[i].ref == ref)
            energy_uj += batch->energies[i].active_uj + batch->energies[i].idle_uj;
    return energy_uj;
}

static uint64_t energy_of_owner(const struct batch *batch, enum owner owner)
{
    uint64_t energy_uj = 0;

    for (size_t i = 0; i < batch->n_energies; i++)
        if (batch->energies[i].owner == owner)
            energy_uj += batch->energies[i].active_uj + batch->energies[i].idle_uj;
    return energy_uj;
}

/* --- rule 1 ---------------------------------------------------------------------------------- */

static void rule_1_a_gpu_goes_to_the_step_that_holds_it(void **state)
{
    struct ledger_node node = { 1, 4, 3, core_package, 8000 };
    struct ledger_counter counters[] = { counter_of(COMPONENT_GPU, 0), counter_of(COMPONENT_GPU, 1),
                                         counter_of(COMPONENT_GPU, 2) };
    struct ledger *ledger = ledger_new(&node, counters, 3, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 7, "0-1", "0-1");
    tell_step(ledger, 7, STEP_BATCH, 0, "0-1");
    tell_step(ledger, 7, 0, 0, "0");
    tell_step(ledger, 7, 1, 0, "0");
    tell_step(ledger, 7, STEP_EXTERN, 0, "0-1");
    for (size_t i = 0; i < 3; i++) {
        tell_reading(ledger, 0, i, 5);
        tell_reading(ledger, 10, i, 5 + (i + 1) * 101);
    }
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_STEP, 7, 0, COMPONENT_GPU, 51, 0);          /* 101, tie to step 0 */
    assert_share(&batch, OWNER_STEP, 7, 1, COMPONENT_GPU, 50, 0);
    assert_share(&batch, OWNER_STEP, 7, STEP_BATCH, COMPONENT_GPU, 202, 0); /* no srun step's */
    assert_share(&batch, OWNER_STEP, 7, STEP_EXTERN, COMPONENT_GPU, 0, 0);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_GPU, 303, 0);   /* free */
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_1_a_gpu_that_no_step_holds_is_the_jobs_remainder(void **state)
{
    struct ledger_node node = { 1, 4, 1, core_package, 8000 };
    struct ledger_counter counter = counter_of(COMPONENT_GPU, 0);
    struct ledger *ledger = ledger_new(&node, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 7, "0", "0");
    tell_step(ledger, 7, 0, 0, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 1000);
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_REMAINDER, 7, OWN, COMPONENT_GPU, 1000, 0);
    assert_share(&batch, OWNER_STEP, 7, 0, COMPONENT_GPU, 0, 0);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_1_a_device_beyond_the_jobs_is_refused_and_flagged(void **state)
{
    struct ledger_node node = { 1, 4, 2, core_package, 8000 };
    struct ledger_counter counter = counter_of(COMPONENT_GPU, 1);
    struct ledger *ledger = ledger_new(&node, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 7, "0", "0");
    tell_step(ledger, 7, 0, 0, "0-1");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 1000);
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_GPU, 1000, 0);
    assert_int_equal(batch.n_steps, 1);
    assert_int_equal(batch.steps[0].flags & FLAG_GPU_REFUSED, FLAG_GPU_REFUSED);
    assert_int_equal(idset_count(&batch.steps[0].gpus), 1);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- rule 2 ---------------------------------------------------------------------------------- */

static void rule_2_floor_by_cores_and_the_rest_by_cpu_time(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    ledger_floor(ledger, 0, 40 * J); /* 40 W */
    tell_job(ledger, 1, "0", "");
    tell_job(ledger, 2, "1-2", "");
    tell_step(ledger, 1, 0, 0, "");
    tell_step(ledger, 2, 0, 0, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 1000 * J);
    assert_int_equal(ledger_busy(ledger, T0, 0, 500 * S), 0);
    assert_int_equal(ledger_busy(ledger, T0 + 10 * S, 0, 530 * S), 0); /* 30 s */
    tell_cpu(ledger, 1, 0, 10, 10);
    tell_cpu(ledger, 2, 0, 10, 15);
    batch = close_and_seal(ledger, 10);
    /* idle 400 J over 4 cores; active 600 J as 10 : 15 : 5 */
    assert_share(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 200 * J, 100 * J);
    assert_share(&batch, OWNER_STEP, 2, 0, COMPONENT_CPU, 300 * J, 200 * J);
    assert_share(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 100 * J, 0);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_CPU, 0, 100 * J);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_2_the_floor_is_at_most_the_growth(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    ledger_floor(ledger, 0, 1000 * J);
    tell_job(ledger, 1, "0-3", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 77);
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_REMAINDER, 1, OWN, COMPONENT_CPU, 0, 77);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_2_a_job_pays_only_for_the_packages_that_it_has_cores_on(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0), counter_of(COMPONENT_CPU, 1),
                                         counter_of(COMPONENT_MEMORY, 1) };
    struct ledger *ledger = ledger_new(&two_packages, counters, 3, T0);
    struct batch batch;

    (void)state;
    ledger_floor(ledger, 1, 10 * J);
    tell_job(ledger, 1, "0-3", "");
    tell_step(ledger, 1, 0, 0, "");
    for (size_t i = 0; i < 3; i++) {
        tell_reading(ledger, 0, i, 0);
        tell_reading(ledger, 10, i, i == 0 ? 0 : 1000 * J); /* only package 1 used energy */
    }
    tell_cpu(ledger, 1, 0, 10, 40);
    batch = close_and_seal(ledger, 10);
    assert_int_equal(energy_of_job(&batch, 1), 0);
    assert_int_equal(energy_of_owner(&batch, OWNER_UNALLOCATED), 2000 * J);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_2_where_nobody_used_cpu_time_the_rest_goes_by_cores_too(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-2", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 400);
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_REMAINDER, 1, OWN, COMPONENT_CPU, 300, 0);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_CPU, 100, 0);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- rule 3 ---------------------------------------------------------------------------------- */

static void rule_3_memory_floor_by_allocated_memory(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_MEMORY, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch_job job = { .ref = 1, .job_id = 1, .begin_boottime_ns = T0, .memory_mb = 2000,
                             .has = JOB_HAS_CORES | JOB_HAS_MEMORY };
    struct batch batch;

    (void)state;
    ledger_floor(ledger, 0, 8 * J);
    idset_add(&job.cores, 0);
    assert_int_equal(ledger_job_begin(ledger, &job), 0);
    tell_step(ledger, 1, 0, 0, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 100 * J);
    tell_cpu(ledger, 1, 0, 10, 5);
    batch = close_and_seal(ledger, 10);
    /* 80 J of floor: 2000 of 8000 MB; the other 20 J to the only one who used CPU time */
    assert_share(&batch, OWNER_STEP, 1, 0, COMPONENT_MEMORY, 20 * J, 20 * J);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_MEMORY, 0, 60 * J);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- rule 4 ---------------------------------------------------------------------------------- */

static void rule_4_other_is_the_meter_less_its_parts_and_an_excess_is_carried(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0),
                                         counter_of(COMPONENT_OTHER, 0) };
    struct ledger *ledger = ledger_new(&one_package, counters, 2, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 0, 1, 0);
    tell_reading(ledger, 10, 0, 1000);
    tell_reading(ledger, 10, 1, 900); /* 100 more than the node drew */
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_REMAINDER, 1, OWN, COMPONENT_OTHER, 0, 0);
    assert_int_equal(batch.counters[1].debt_uj, 100);
    batch_clear(&batch);
    tell_reading(ledger, 20, 0, 2000);
    tell_reading(ledger, 20, 1, 2900); /* 2000 - 1000 - 100 */
    batch = close_and_seal(ledger, 20);
    assert_share(&batch, OWNER_REMAINDER, 1, OWN, COMPONENT_OTHER, 225, 0); /* one core of four */
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_OTHER, 675, 0);
    assert_int_equal(batch.counters[1].debt_uj, 0);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_4_parts_counted_while_the_meter_is_silent_are_owed(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0),
                                         counter_of(COMPONENT_OTHER, 0) };
    struct ledger *ledger = ledger_new(&one_package, counters, 2, T0);
    struct batch batch;

    (void)state;
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 0, 1, 0);
    tell_reading(ledger, 10, 0, 1000);
    batch = close_and_seal(ledger, 10); /* the meter said nothing */
    assert_int_equal(energy_of_owner(&batch, OWNER_UNALLOCATED), 1000);
    batch_clear(&batch);
    tell_reading(ledger, 20, 0, 2000);
    tell_reading(ledger, 20, 1, 2500);
    batch = close_and_seal(ledger, 20);
    /* the parts' 1000 of now, and 500 that are neither these nor those of before */
    assert_int_equal(energy_of_owner(&batch, OWNER_UNALLOCATED), 1500);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_4_a_job_without_a_gpu_beside_some_has_a_metered_nothing(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_GPU, 0),
                                         counter_of(COMPONENT_OTHER, 0) };
    struct ledger_node node = one_package;
    struct ledger *ledger;
    struct batch batch;
    size_t rows = 0;

    (void)state;
    node.gpus = 1;
    ledger = ledger_new(&node, counters, 2, T0);
    tell_job(ledger, 1, "0", "");
    for (size_t i = 0; i < 2; i++) {
        tell_reading(ledger, 0, i, 0);
        tell_reading(ledger, 10, i, 1000 * (i + 1));
    }
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_UNALLOCATED, 0, 0, COMPONENT_OTHER, 1000, 0);
    for (size_t i = 0; i < batch.n_energies; i++)
        if (batch.energies[i].owner == OWNER_REMAINDER) {
            rows++;
            assert_int_equal(batch.energies[i].component, COMPONENT_OTHER);
            assert_int_equal(batch.energies[i].active_uj + batch.energies[i].idle_uj, 0);
            assert_int_equal(batch.energies[i].metered_ns, 10 * NS_PER_S);
            assert_int_equal(batch.energies[i].elapsed_ns, 10 * NS_PER_S);
        }
    assert_int_equal(rows, 1);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- rule 5 ---------------------------------------------------------------------------------- */

static void rule_5_idle_energy_goes_to_srun_steps_and_to_batch_only_without_them(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    ledger_floor(ledger, 0, 1000 * J); /* all of it is idle */
    tell_job(ledger, 1, "0-3", "");
    tell_step(ledger, 1, STEP_EXTERN, 0, "");
    tell_step(ledger, 1, STEP_BATCH, 10, "");
    tell_step(ledger, 1, 0, 20, "");
    tell_step(ledger, 1, 1, 30, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 40, 0, 4000);
    batch = close_and_seal(ledger, 40);
    assert_share(&batch, OWNER_REMAINDER, 1, OWN, COMPONENT_CPU, 0, 1000);
    assert_share(&batch, OWNER_STEP, 1, STEP_EXTERN, COMPONENT_CPU, 0, 0);
    assert_share(&batch, OWNER_STEP, 1, STEP_BATCH, COMPONENT_CPU, 0, 1000);
    assert_share(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 0, 1500);
    assert_share(&batch, OWNER_STEP, 1, 1, COMPONENT_CPU, 0, 500);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void rule_5_active_energy_goes_by_cpu_time_to_every_kind_of_step(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-3", "");
    tell_step(ledger, 1, STEP_EXTERN, 0, "");
    tell_step(ledger, 1, STEP_BATCH, 0, "");
    tell_step(ledger, 1, 0, 0, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 1000);
    tell_cpu(ledger, 1, STEP_EXTERN, 10, 1);
    tell_cpu(ledger, 1, STEP_BATCH, 10, 2);
    tell_cpu(ledger, 1, 0, 10, 7);
    batch = close_and_seal(ledger, 10);
    assert_share(&batch, OWNER_STEP, 1, STEP_EXTERN, COMPONENT_CPU, 100, 0);
    assert_share(&batch, OWNER_STEP, 1, STEP_BATCH, COMPONENT_CPU, 200, 0);
    assert_share(&batch, OWNER_STEP, 1, 0, COMPONENT_CPU, 700, 0);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- rule 6 ---------------------------------------------------------------------------------- */

static void rule_6_ties_go_to_the_lowest_job_id_whatever_came_first(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 9, "2-3", "");
    tell_job(ledger, 3, "0-1", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 10, 0, 1001);
    batch = close_and_seal(ledger, 10);
    assert_int_equal(energy_of_job(&batch, 3), 501);
    assert_int_equal(energy_of_job(&batch, 9), 500);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- slices ---------------------------------------------------------------------------------- */

static void a_step_is_cut_out_at_its_marks_though_no_reading_was_taken_there(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-3", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 40, 0, 40000);
    tell_step(ledger, 1, 0, 10, "");
    assert_int_equal(ledger_step_end(ledger, 1, 0, T0 + 15 * S, 0, 0, NULL, 0), 0);
    batch = close_and_seal(ledger, 40);
    assert_int_equal(energy_of_owner(&batch, OWNER_STEP), 5000);
    assert_int_equal(energy_of_owner(&batch, OWNER_REMAINDER), 35000);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- readings -------------------------------------------------------------------------------- */

static void readings_that_cannot_be_believed(void **state)
{
    static const struct {
        uint64_t range_uj;
        uint64_t raws_uj[5]; /* at 0, 10, 20, 30, 40 s; at most 100 uJ each 10 s */
        uint64_t counted_uj;
    } rows[] = {
        { 0, { 1000, 1050, 1100, 1150, 1200 }, 200 },
        { 0, { 1000, 1050, 999000, 1150, 1200 }, 200 },    /* a spike */
        { 0, { 1000, 1050, 0, 1150, 1200 }, 200 },         /* a failed read that said 0 */
        { 0, { 1000, 1050, 0, 30, 60 }, 50 + 60 },         /* a reset: the interval is unknown */
        { 1000, { 900, 950, 0, 50, 100 }, 200 },           /* a wrap */
        { 1000, { 900, 999, 49, 99, 149 }, 249 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
        struct ledger *ledger;
        struct batch batch;

        counter.range_uj = rows[i].range_uj;
        counter.max_uw = 10;
        ledger = ledger_new(&one_package, &counter, 1, T0);
        for (uint64_t k = 0; k < 5; k++)
            tell_reading(ledger, 10 * k, 0, rows[i].raws_uj[k]);
        batch = close_and_seal(ledger, 40);
        ROW_HOLDS(i, batch.counters[0].counted_uj == rows[i].counted_uj);
        ROW_HOLDS(i, energy_of_owner(&batch, OWNER_UNALLOCATED) == rows[i].counted_uj);
        batch_clear(&batch);
        ledger_free(ledger);
    }
}

/* Two marks were left while a tick was busy reading: their readings are older than the tick's. */
static void readings_out_of_order_are_no_reset(void **state)
{
    static const struct {
        uint64_t raws_uj[6]; /* 10 ms apart, but the last 10 s later; the range is 1000 */
        uint64_t counted_uj;
    } rows[] = {
        { { 100, 110, 105, 108, 120, 220 }, 120 },
        { { 100, 110, 105, 105, 105, 220 }, 120 },
        { { 990, 3, 998, 999, 5, 105 }, 115 }, /* around a wrap */
        { { 100, 110, 20, 25, 30, 130 }, 10 + 110 }, /* too far back: a reset */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
        struct ledger *ledger;
        struct batch batch;

        counter.range_uj = 1000;
        counter.max_uw = 50; /* 10 uJ in 0.2 s */
        ledger = ledger_new(&one_package, &counter, 1, T0);
        for (uint64_t k = 0; k < 6; k++) {
            uint64_t at_ns = T0 + (k < 5 ? k * S / 100 : 10 * S);

            assert_int_equal(ledger_clock(ledger, at_ns, HOUR_S * (int64_t)S), 0);
            assert_int_equal(ledger_reading(ledger, at_ns, 0, rows[i].raws_uj[k]), 0);
        }
        batch = close_and_seal(ledger, 10);
        ROW_HOLDS(i, batch.counters[0].counted_uj == rows[i].counted_uj);
        batch_clear(&batch);
        ledger_free(ledger);
    }
}

static void time_before_the_first_reading_and_behind_the_last_is_a_gap(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    uint64_t metered_ns = 0, elapsed_ns = 0;
    struct batch batch;

    (void)state;
    tell_reading(ledger, 10, 0, 0);
    tell_reading(ledger, 20, 0, 100);
    assert_int_equal(ledger_ready(ledger, T0 + 50 * S, 100 * S), T0 + 20 * S);
    assert_int_equal(ledger_ready(ledger, T0 + 50 * S, 10 * S), T0 + 50 * S);
    batch = close_and_seal(ledger, 50);
    for (size_t i = 0; i < batch.n_energies; i++) {
        metered_ns += batch.energies[i].metered_ns;
        elapsed_ns += batch.energies[i].elapsed_ns;
        if (batch.energies[i].quality == QUALITY_GAP)
            assert_int_equal(batch.energies[i].active_uj + batch.energies[i].idle_uj, 0);
    }
    assert_int_equal(metered_ns, 10 * S);
    assert_int_equal(elapsed_ns, 50 * S);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- power ----------------------------------------------------------------------------------- */

static const struct batch_power *power_of(const struct batch *batch, uint64_t ref, int64_t minute,
                                          unsigned component)
{
    const struct batch_power *found = NULL;

    for (size_t i = 0; i < batch->n_powers; i++) {
        const struct batch_power *power = &batch->powers[i];

        assert_int_equal(power->has, POWER_HAS_COMPONENT);
        if (power->ref != ref || power->minute_s != HOUR_S + minute * 60 ||
            power->component != component)
            continue;
        assert_null(found);
        found = power;
    }
    return found;
}

static void power_is_by_minute_and_component(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0), counter_of(COMPONENT_CPU, 1),
                                         counter_of(COMPONENT_MEMORY, 0) };
    struct ledger *ledger = ledger_new(&two_packages, counters, 3, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-7", "");
    for (size_t i = 0; i < 3; i++)
        tell_reading(ledger, 0, i, 0);
    tell_reading(ledger, 60, 2, 6 * J);
    for (size_t i = 0; i < 3; i++)
        tell_reading(ledger, 90, i, i < 2 ? 900 * J : 6 * J);
    batch = close_and_seal(ledger, 90);
    assert_int_equal(power_of(&batch, 1, 0, COMPONENT_CPU)->energy_uj, 1200 * J); /* of both */
    assert_int_equal(power_of(&batch, 1, 0, COMPONENT_CPU)->span_ns, 60 * S);     /* counted once */
    assert_int_equal(power_of(&batch, 1, 1, COMPONENT_CPU)->energy_uj, 600 * J);
    assert_int_equal(power_of(&batch, 1, 1, COMPONENT_CPU)->span_ns, 30 * S);
    assert_int_equal(power_of(&batch, 1, 0, COMPONENT_MEMORY)->energy_uj, 6 * J);
    assert_int_equal(power_of(&batch, 1, 1, COMPONENT_MEMORY)->energy_uj, 0); /* metered: 0 W */
    assert_int_equal(power_of(&batch, 1, 1, COMPONENT_MEMORY)->span_ns, 30 * S);
    assert_int_equal(batch.n_powers, 4); /* none of GPUs, none of a node meter */
    batch_clear(&batch);
    ledger_free(ledger);
}

static void a_minute_not_metered_has_no_power_rather_than_none(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0),
                                         counter_of(COMPONENT_MEMORY, 0) };
    struct ledger *ledger = ledger_new(&one_package, counters, 2, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-3", "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 0, 1, 0);
    tell_reading(ledger, 40, 0, 400 * J); /* then nothing more */
    tell_reading(ledger, 120, 1, 120 * J);
    batch = close_and_seal(ledger, 120);
    assert_int_equal(power_of(&batch, 1, 0, COMPONENT_CPU)->energy_uj, 400 * J);
    assert_int_equal(power_of(&batch, 1, 0, COMPONENT_CPU)->span_ns, 40 * S); /* still 10 W */
    assert_null(power_of(&batch, 1, 1, COMPONENT_CPU));
    assert_int_equal(power_of(&batch, 1, 1, COMPONENT_MEMORY)->span_ns, 60 * S);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- marks ----------------------------------------------------------------------------------- */

static void marks_are_answered_as_the_header_says(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch_job job = { .ref = 1, .job_id = 1, .begin_boottime_ns = T0 };
    struct batch_step step = { .ref = 1, .step_id = 0, .begin_boottime_ns = T0 };

    (void)state;
    assert_int_equal(ledger_job_update(ledger, &job), -ENOENT);
    assert_int_equal(ledger_job_end(ledger, 1, T0, 0, NULL, 0), -ENOENT);
    assert_int_equal(ledger_step_begin(ledger, &step), -ENOENT);
    assert_int_equal(ledger_job_begin(ledger, &job), 0);
    assert_int_equal(ledger_job_begin(ledger, &job), -EEXIST);
    assert_int_equal(ledger_step_cpu(ledger, 1, 0, T0, 1), -ENOENT);
    assert_int_equal(ledger_step_end(ledger, 1, 0, T0, 0, 0, NULL, 0), -ENOENT);
    assert_int_equal(ledger_step_begin(ledger, &step), 0);
    assert_int_equal(ledger_step_begin(ledger, &step), -EEXIST);
    assert_int_equal(ledger_job_end(ledger, 1, T0 + S, 0, NULL, 0), 0);
    assert_int_equal(ledger_job_end(ledger, 1, T0 + S, 0, NULL, 0), -ENOENT);
    ledger_free(ledger);
    assert_null(ledger_free(NULL));
}

static void a_late_mark_is_clamped_and_flagged(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 30, 0, 30000);
    batch = close_and_seal(ledger, 10);
    assert_int_equal(energy_of_owner(&batch, OWNER_UNALLOCATED), 10000);
    batch_clear(&batch);
    tell_job(ledger, 1, "0-3", ""); /* since T0, heard of only now */
    assert_int_equal(ledger_job_end(ledger, 1, T0 + 20 * S, 0, NULL, 0), 0);
    batch = close_and_seal(ledger, 30);
    assert_int_equal(energy_of_job(&batch, 1), 10000);
    assert_int_equal(energy_of_owner(&batch, OWNER_UNALLOCATED), 10000);
    assert_int_equal(batch.jobs[0].begin_boottime_ns, T0);
    assert_int_equal(batch.jobs[0].flags, FLAG_BEGIN_LATE);
    batch_clear(&batch);
    ledger_free(ledger);
}

static void a_step_open_at_its_jobs_end_ends_with_it(void **state)
{
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0);
    struct batch batch;

    (void)state;
    tell_job(ledger, 1, "0-3", "");
    tell_step(ledger, 1, 0, 0, "");
    tell_reading(ledger, 0, 0, 0);
    tell_reading(ledger, 20, 0, 20000);
    assert_int_equal(ledger_job_end(ledger, 1, T0 + 10 * S, 5, NULL, 0), 0);
    batch = close_and_seal(ledger, 20);
    assert_int_equal(energy_of_owner(&batch, OWNER_STEP), 10000);
    assert_int_equal(batch.steps[0].end_boottime_ns, T0 + 10 * S);
    assert_true(batch.steps[0].flags & FLAG_END_LOST);
    batch_clear(&batch);
    batch = close_and_seal(ledger, 25);
    assert_int_equal(batch.n_jobs, 0); /* handed out: it has left */
    batch_clear(&batch);
    ledger_free(ledger);
}

/* --- resuming -------------------------------------------------------------------------------- */

static void a_counter_that_is_gone_stays_in_the_books(void **state)
{
    struct ledger_counter counters[] = { counter_of(COMPONENT_CPU, 0),
                                         counter_of(COMPONENT_MEMORY, 0) };
    struct ledger *ledger = ledger_new(&one_package, counters, 2, T0);
    struct batch first, second;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tell_reading(ledger, 0, i, 0);
        tell_reading(ledger, 10, i, 1000);
    }
    first = close_and_seal(ledger, 10);
    ledger_free(ledger);
    ledger = ledger_resume(&one_package, counters, 1, &first);
    assert_non_null(ledger);
    tell_reading(ledger, 20, 0, 1500);
    second = close_and_seal(ledger, 20);
    assert_int_equal(second.n_counters, 2);
    assert_int_equal(second.counters[0].counted_begin_uj, 1000);
    assert_int_equal(second.counters[0].counted_uj, 1500);
    assert_string_equal(second.counters[1].source, counters[1].source);
    assert_int_equal(second.counters[1].counted_begin_uj, 1000);
    assert_int_equal(second.counters[1].counted_uj, 1000);
    assert_int_equal(second.head.begin_boottime_ns, first.head.end_boottime_ns);
    assert_int_equal(second.head.begin_wall_ns, first.head.end_wall_ns);
    batch_clear(&first);
    batch_clear(&second);
    ledger_free(ledger);
}

/* --- the golden cases of docs/method --------------------------------------------------------- */

/* Case 2: a shared node of 8 devices, one hour, with a node meter and no idle floor. */
static void golden_case_2_shared_node(void **state)
{
    static const uint64_t gpu_wh[] = { 300, 300, 300, 300, 250, 250, 55, 55 };
    struct ledger_node node = { 1, 4, 8, core_package, 8000 };
    struct ledger_counter counters[10];
    struct ledger *ledger;
    struct batch batch;

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        counters[i] = counter_of(COMPONENT_GPU, i);
    counters[8] = counter_of(COMPONENT_CPU, 0);
    counters[9] = counter_of(COMPONENT_OTHER, 0);
    ledger = ledger_new(&node, counters, 10, T0);
    tell_job(ledger, 1, "0-1", "0-3");
    tell_job(ledger, 2, "2-3", "4-5");
    tell_step(ledger, 1, 0, 0, "0-3");
    tell_step(ledger, 2, 0, 0, "4-5");
    for (size_t i = 0; i < 10; i++) {
        tell_reading(ledger, 0, i, 0);
        tell_reading(ledger, 3600, i, (i < 8 ? gpu_wh[i] : i == 8 ? 360 : 4000) * KWH / 1000);
    }
    tell_cpu(ledger, 1, 0, 3600, 57600);
    tell_cpu(ledger, 2, 0, 3600, 28800);
    assert_int_equal(ledger_busy(ledger, T0, 0, 0), 0);
    assert_int_equal(ledger_busy(ledger, T0 + 3600 * S, 0, 90000 * S), 0);
    batch = close_and_seal(ledger, 3600);
    /* kWh: A 2.3454, B 1.0727, system 0.0144, unallocated 0.5675; a microjoule for each rounding */
    assert_in_range(energy_of_job(&batch, 1), 23454 * (KWH / 10000) - 700,
                    23454 * (KWH / 10000) + 700);
    assert_in_range(energy_of_job(&batch, 2), 10727 * (KWH / 10000) - 700,
                    10727 * (KWH / 10000) + 700);
    assert_in_range(energy_of_owner(&batch, OWNER_SYSTEM), 144 * (KWH / 10000) - 700,
                    144 * (KWH / 10000) + 700);
    assert_in_range(energy_of_owner(&batch, OWNER_UNALLOCATED), 5675 * (KWH / 10000) - 700,
                    5675 * (KWH / 10000) + 700);
    assert_int_equal(energy_of_job(&batch, 1) + energy_of_job(&batch, 2) +
                         energy_of_owner(&batch, OWNER_SYSTEM) +
                         energy_of_owner(&batch, OWNER_UNALLOCATED), 4 * KWH);
    batch_clear(&batch);
    ledger_free(ledger);
}

/* Case 7: a counter read at 10:40, 10:55, 11:10, 11:50 and 12:10, split at the hours' borders. */
static void golden_case_7_hour_border(void **state)
{
    static const struct {
        uint64_t minute, wh;
    } readings[] = { { 40, 0 }, { 55, 250 }, { 70, 550 }, { 110, 1150 }, { 130, 1550 } };
    /* 0.25 + 0.3 x 5/15; 0.3 x 10/15 + 0.6 + 0.4 x 10/20; 0.4 x 10/20 */
    static const uint64_t hours_wh[] = { 350, 1000, 200 };
    struct ledger_counter counter = counter_of(COMPONENT_CPU, 0);
    struct ledger *ledger = ledger_new(&one_package, &counter, 1, T0 + 40 * 60 * S);
    struct batch batch;

    (void)state;
    for (size_t i = 0; i < LENGTH(readings); i++)
        tell_reading(ledger, readings[i].minute * 60, 0, readings[i].wh * KWH / 1000);
    batch = close_and_seal(ledger, 130 * 60);
    assert_int_equal(batch.n_totals, LENGTH(hours_wh));
    for (size_t i = 0; i < LENGTH(hours_wh); i++) {
        assert_int_equal(batch.totals[i].hour_s, HOUR_S + (int64_t)i * 3600);
        assert_int_equal(batch.totals[i].counted_uj, hours_wh[i] * KWH / 1000);
    }
    batch_clear(&batch);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_a_gpu_goes_to_the_step_that_holds_it),
        cmocka_unit_test(rule_1_a_gpu_that_no_step_holds_is_the_jobs_remainder),
        cmocka_unit_test(rule_1_a_device_beyond_the_jobs_is_refused_and_flagged),
        cmocka_unit_test(rule_2_floor_by_cores_and_the_rest_by_cpu_time),
        cmocka_unit_test(rule_2_the_floor_is_at_most_the_growth),
        cmocka_unit_test(rule_2_a_job_pays_only_for_the_packages_that_it_has_cores_on),
        cmocka_unit_test(rule_2_where_nobody_used_cpu_time_the_rest_goes_by_cores_too),
        cmocka_unit_test(rule_3_memory_floor_by_allocated_memory),
        cmocka_unit_test(rule_4_other_is_the_meter_less_its_parts_and_an_excess_is_carried),
        cmocka_unit_test(rule_4_parts_counted_while_the_meter_is_silent_are_owed),
        cmocka_unit_test(rule_4_a_job_without_a_gpu_beside_some_has_a_metered_nothing),
        cmocka_unit_test(rule_5_idle_energy_goes_to_srun_steps_and_to_batch_only_without_them),
        cmocka_unit_test(rule_5_active_energy_goes_by_cpu_time_to_every_kind_of_step),
        cmocka_unit_test(rule_6_ties_go_to_the_lowest_job_id_whatever_came_first),
        cmocka_unit_test(a_step_is_cut_out_at_its_marks_though_no_reading_was_taken_there),
        cmocka_unit_test(readings_that_cannot_be_believed),
        cmocka_unit_test(readings_out_of_order_are_no_reset),
        cmocka_unit_test(time_before_the_first_reading_and_behind_the_last_is_a_gap),
        cmocka_unit_test(power_is_by_minute_and_component),
        cmocka_unit_test(a_minute_not_metered_has_no_power_rather_than_none),
        cmocka_unit_test(marks_are_answered_as_the_header_says),
        cmocka_unit_test(a_late_mark_is_clamped_and_flagged),
        cmocka_unit_test(a_step_open_at_its_jobs_end_ends_with_it),
        cmocka_unit_test(a_counter_that_is_gone_stays_in_the_books),
        cmocka_unit_test(golden_case_2_shared_node),
        cmocka_unit_test(golden_case_7_hour_border),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
