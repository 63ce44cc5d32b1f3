/* What an hour of random load teaches the meter of a node's idle floors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "meter/floors.h"

#define W UINT64_C(1000000)
#define FLOOR_UW (40 * W)
#define FULL_UW (240 * W)
#define CPUS 64
#define HOUR 3600
#define N_COUNTERS 3

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9e3779b97f4a7c15));

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* A package that counts without a wrap, its DRAM, whose counter does wrap, and a GPU. */
struct node {
    struct sensor_counter counters[N_COUNTERS];
    struct meter_counter states[N_COUNTERS];
    uint16_t core_package[1];
    uint32_t package_cpus[1];
    struct topology topology;
    struct ledger *ledger;
    struct floors *floors;
    uint64_t now, busy_ns, total_uj[N_COUNTERS], random;
    uint64_t load_permille; /* of the package; drawn anew at random moments */
    uint64_t gpu_ref; /* of the job that holds it; 0: none */
};

static void make_node(struct node *node, uint64_t seed)
{
    struct ledger_counter counters[N_COUNTERS] = { { .source = "package" } };
    struct ledger_node facts = { .packages = 1, .cores = 1, .gpus = 1, .memory_mb = 1000 };

    *node = (struct node){ .random = seed, .now = NS_PER_S };
    node->counters[0] = (struct sensor_counter){ .component = COMPONENT_CPU, .max_uw = 600 * W };
    node->counters[1] = (struct sensor_counter){
        .component = COMPONENT_MEMORY, .max_uw = 300 * W, .range_uj = 65713 * W };
    node->counters[2] = (struct sensor_counter){ .component = COMPONENT_GPU, .max_uw = 900 * W };
    for (size_t i = 0; i < N_COUNTERS; i++) {
        snprintf(node->counters[i].source, sizeof(node->counters[i].source), "c%zu", i);
        node->states[i] = (struct meter_counter){ .counter = &node->counters[i], .has_raw = true };
        memcpy(counters[i].source, node->counters[i].source, sizeof(counters[i].source));
        counters[i].component = node->counters[i].component;
        counters[i].max_uw = node->counters[i].max_uw;
    }
    node->package_cpus[0] = CPUS;
    node->topology = (struct topology){ .n_packages = 1, .n_cores = 1, .n_cpus = CPUS,
                                        .core_package = node->core_package,
                                        .package_cpus = node->package_cpus };
    facts.core_package = node->core_package;
    node->ledger = ledger_new(&facts, counters, N_COUNTERS, NS_PER_S);
    assert_non_null(node->ledger);
    assert_int_equal(floors_new(node->states, N_COUNTERS, &node->topology, 0, node->ledger,
                                &node->floors), 0);
}

static void free_node(struct node *node)
{
    floors_free(node->floors);
    ledger_free(node->ledger);
}

/* Most load comes in stretches of some seconds; between them the system does a little. */
static void draw_load(struct node *node)
{
    if (next_random(&node->random) % 8)
        return;
    node->load_permille = next_random(&node->random) % 3 ? next_random(&node->random) % 1000
                                                         : next_random(&node->random) % 10;
}

static void hold_gpu(struct node *node)
{
    struct batch_job job = { .has = JOB_HAS_GPUS, .ref = node->now, .job_id = 7,
                             .begin_boottime_ns = node->now };

    if (next_random(&node->random) % 60)
        return;
    idset_add(&job.gpus, 0);
    if (node->gpu_ref)
        assert_int_equal(ledger_job_end(node->ledger, node->gpu_ref, node->now, 0, NULL, 0), 0);
    else
        assert_int_equal(ledger_job_begin(node->ledger, &job), 0);
    node->gpu_ref = node->gpu_ref ? 0 : job.ref;
}

static void pass_second(struct node *node)
{
    uint64_t noise_permille = 970 + next_random(&node->random) % 61, power_uw[N_COUNTERS];

    draw_load(node);
    hold_gpu(node);
    power_uw[0] = FLOOR_UW + (FULL_UW - FLOOR_UW) * node->load_permille / 1000;
    power_uw[1] = 10 * W + 30 * W * node->load_permille / 1000;
    power_uw[2] = node->gpu_ref ? (60 + next_random(&node->random) % 640) * W : 55 * W;
    node->now += NS_PER_S;
    node->busy_ns += NS_PER_S * CPUS * node->load_permille / 1000;
    for (size_t i = 0; i < N_COUNTERS; i++) {
        uint64_t range_uj = node->counters[i].range_uj;

        node->total_uj[i] += power_uw[i] * noise_permille / 1000;
        node->states[i].raw_uj = range_uj ? node->total_uj[i] % range_uj : node->total_uj[i];
        node->states[i].read_ns = node->now;
    }
}

static void assert_near(const struct node *node, size_t index, uint64_t true_uw, uint64_t percent)
{
    uint64_t floor_uw = 0;
    bool learned = false;

    assert_true(floors_get(node->floors, index, &floor_uw, &learned));
    assert_true(learned);
    assert_in_range(floor_uw, true_uw * (100 - percent) / 100, true_uw * (100 + percent) / 100);
}

/* Looked at every second, as while marks come, and every fourth, as in between. */
static void test_an_hour_of_random_load_teaches_each_floor_to_10_percent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        int every = seed % 2 ? 1 : 4;
        struct node node;

        make_node(&node, seed);
        for (int s = 0; s < HOUR; s++) {
            pass_second(&node);
            if (s % every == 0)
                floors_tick(node.floors, node.now, &node.busy_ns);
        }
        assert_near(&node, 0, FLOOR_UW, 10);
        assert_near(&node, 1, 10 * W, 10);
        assert_near(&node, 2, 55 * W, 10);
        free_node(&node);
    }
}

/* Once found it stays: from the second hour on it moves by no more than a bucket. */
static void test_a_learned_floor_is_stable(void **state)
{
    struct node node;
    uint64_t first_uw, uw;
    bool learned;

    (void)state;
    make_node(&node, 99);
    for (int s = 0; s < HOUR; s++) {
        pass_second(&node);
        floors_tick(node.floors, node.now, &node.busy_ns);
    }
    assert_true(floors_get(node.floors, 0, &first_uw, &learned));
    for (int s = 0; s < 11 * HOUR; s++) {
        pass_second(&node);
        floors_tick(node.floors, node.now, &node.busy_ns);
        assert_true(floors_get(node.floors, 0, &uw, &learned));
        assert_in_range(uw, first_uw * 95 / 100, first_uw * 105 / 100);
    }
    free_node(&node);
}

/* A node that is never quiet shows no floor: then there is none, rather than a guess. */
static void test_what_is_never_quiet_has_no_floor(void **state)
{
    struct node node;
    uint64_t uw;
    bool learned;

    (void)state;
    make_node(&node, 5);
    for (int s = 0; s < HOUR; s++) {
        node.now += NS_PER_S;
        node.busy_ns += NS_PER_S * CPUS / 2;
        node.states[0].raw_uj += 140 * W;
        node.states[0].read_ns = node.now;
        floors_tick(node.floors, node.now, &node.busy_ns);
    }
    assert_false(floors_get(node.floors, 0, &uw, &learned));
    free_node(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_hour_of_random_load_teaches_each_floor_to_10_percent),
        cmocka_unit_test(test_a_learned_floor_is_stable),
        cmocka_unit_test(test_what_is_never_quiet_has_no_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
