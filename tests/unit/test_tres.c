#include <string.h>

#include "unit.h"

#include "carbon/tres_model.h"
#include "core/tres.h"

static void counts_are_found_by_their_whole_name(void **state)
{
    static const struct {
        const char *list, *name;
        uint64_t count;
    } cases[] = {
        { "billing=8,cpu=8,energy=12,gres/gpu=2,mem=16G,node=1", "cpu", 8 },
        { "billing=8,cpu=8,energy=12,gres/gpu=2,mem=16G,node=1", "gres/gpu", 2 },
        { "billing=8,cpu=8,energy=12,gres/gpu=2,mem=16G,node=1", "node", 1 },
        { "gres/gpu:a100=4,gres/gpu=4", "gres/gpu", 4 },
        { "gres/gpu:a100=4", "gres/gpu", 0 },
        { "gres/gpumem=4", "gres/gpu", 0 },
        { "mem=16G", "mem", 16384 },
        { "mem=7.50G,cpu=1", "mem", 7168 },
        { "mem=512M", "mem", 512 },
        { "mem=2048K", "mem", 2 },
        { "mem=1T", "mem", 1048576 },
        { "energy=18446744073709551614", "energy", 0 },
        { "energy=9223372036854775807", "energy", INT64_MAX },
        { "energy=99999999999999999999999999999", "energy", 0 },
        { "mem=9223372036854775807E", "mem", 0 },
        { "mem=1.,cpu=3", "mem", 1 },
        { "cpu=", "cpu", 0 },
        { "cpu=x", "cpu", 0 },
        { "cpu=4x", "cpu", 0 },
        { "cpu=-4", "cpu", 0 },
        { "cpu", "cpu", 0 },
        { "", "cpu", 0 },
        { ",,cpu=1,,", "cpu", 1 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        ROW_HOLDS(i, tres_count(cases[i].list, cases[i].name) == cases[i].count);
}

static void cores_and_gpus_times_watts_times_time(void **state)
{
    /* docs/method.md: (4 x 4.24 + 2 x 168.75) W x 3600 s */
    struct tres_energy energy = tres_model(&tres_default_rates, 4, 2, 3600000);

    (void)state;
    assert_int_equal(tres_energy_mj(&energy), 1276056000);
    assert_int_equal(energy.active_mj[COMPONENT_CPU], 4 * 2760 * 3600);
    assert_int_equal(energy.idle_mj[COMPONENT_CPU], 4 * 1480 * 3600);
    assert_int_equal(energy.active_mj[COMPONENT_GPU], UINT64_C(2) * 131250 * 3600);
    assert_int_equal(energy.idle_mj[COMPONENT_GPU], 2 * 37500 * 3600);
    assert_int_equal(energy.active_mj[COMPONENT_MEMORY] + energy.active_mj[COMPONENT_OTHER], 0);
}

static void a_known_sum_is_divided_as_the_model_has_it_and_adds_up(void **state)
{
    static const uint64_t totals[] = { 0, 1, 2, 7, 720001000, UINT64_C(1) << 62 };

    (void)state;
    for (size_t i = 0; i < LENGTH(totals); i++) {
        struct tres_energy model = tres_model(&tres_default_rates, 3, 1, 777);
        struct tres_energy energy = tres_scale(&model, totals[i]);

        ROW_HOLDS(i, tres_energy_mj(&energy) == totals[i]);
        memset(&model, 0, sizeof(model));
        energy = tres_scale(&model, totals[i]);
        ROW_HOLDS(i, energy.active_mj[COMPONENT_OTHER] == totals[i]);
        ROW_HOLDS(i, tres_energy_mj(&energy) == totals[i]);
    }
}

static void what_cannot_be_is_doubted(void **state)
{
    static const struct {
        int64_t consumed_j;
        uint32_t nodes;
        uint64_t cpus, gpus, elapsed_ms;
        bool shared, doubted;
    } cases[] = {
        { -1, 1, 8, 0, 100000, false, true },
        { 0, 1, 8, 0, 100000, false, true },
        { 1000, 1, 8, 0, 100000, false, false },        /* 10 W */
        { 999, 1, 8, 0, 100000, false, true },
        { 59600, 1, 8, 0, 100000, false, false },       /* 500 W + 8 x 12 W */
        { 59700, 1, 8, 0, 100000, false, true },
        { 9000, 1, 8, 4, 100000, false, false },        /* 10 W + 4 x 20 W */
        { 8900, 1, 8, 4, 100000, false, true },
        { 539600, 1, 8, 4, 100000, false, false },      /* 596 W + 4 x 1200 W */
        { 539700, 1, 8, 4, 100000, false, true },
        { 2000, 2, 8, 0, 100000, false, false },
        { 1999, 2, 8, 0, 100000, false, true },
        { 6000, 1, 8, 0, 59999, false, true },
        { 6000, 1, 8, 0, 60000, false, false },
        { 6000, 1, 8, 0, 60000, true, true },
        { INT64_MAX, 1, 8, 0, 60000, false, true },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        ROW_HOLDS(i, !cases[i].doubted == !tres_doubt(cases[i].consumed_j, cases[i].nodes,
                                                      cases[i].cpus, cases[i].gpus,
                                                      cases[i].elapsed_ms, cases[i].shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_found_by_their_whole_name),
        cmocka_unit_test(cores_and_gpus_times_watts_times_time),
        cmocka_unit_test(a_known_sum_is_divided_as_the_model_has_it_and_adds_up),
        cmocka_unit_test(what_cannot_be_is_doubted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
