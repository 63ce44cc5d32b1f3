#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "carbon/estimate.h"

#define LIKE_BLOOM .device_hours = 1082990, .devices = 384, .device_w = 400

static void assert_mass(const struct estimate *estimate, enum estimate_part part, double mass_kg)
{
    double difference_kg = fabs(estimate->mass_kg[part].central - mass_kg);

    if (difference_kg >= 0.0005)
        fail_msg("part %d is %.6f kg, not %.3f", part, estimate->mass_kg[part].central, mass_kg);
}

static void blooms_training_is_the_papers(void **state)
{
    const struct estimate_input input = {
        LIKE_BLOOM, .devices_per_node = 8, .idle_kw = 27, .infrastructure_kw = 64, .pue = 1,
        .has_intensity = true,
        .intensity_g_per_kwh = 57, .node_kg = { 2500, 2500, 2500 }, .device_kg = { 150, 150, 150 },
        .lifetime_years = 6, .utilisation = 0.85,
    };
    struct estimate estimate;

    (void)state;
    assert_int_equal(estimate_of(&input, &estimate, NULL), 0);
    assert_mass(&estimate, PART_DYNAMIC, 24692.172);
    assert_true(fabs(estimate.energy_kwh[PART_DYNAMIC] - 433196) < 0.0005);
    assert_true(fabs(estimate.energy_kwh[PART_IDLE] + estimate.energy_kwh[PART_INFRASTRUCTURE] -
                     256646.068) < 0.0005);
    assert_true(fabs(estimate.mass_kg[PART_IDLE].central +
                     estimate.mass_kg[PART_INFRASTRUCTURE].central - 14628.826) < 0.0005);
    assert_mass(&estimate, PART_EMBODIED_NODES, 7575.306);
    assert_mass(&estimate, PART_EMBODIED_DEVICES, 3636.147);
    assert_true(fabs(estimate.total_kg.central - 50532.451) < 0.0005);
}

static void with_a_pue_instead_of_idle_power_it_is_the_papers_30_t(void **state)
{
    const struct estimate_input input = { LIKE_BLOOM, .pue = 1.2, .has_intensity = true,
                                          .intensity_g_per_kwh = 57 };
    struct estimate estimate;

    (void)state;
    assert_int_equal(estimate_of(&input, &estimate, NULL), 0);
    assert_true(fabs(estimate.total_kg.central - 29630.606) < 0.0005);
    assert_false(estimate.has_embodied);
}

static void a_range_of_manufacture_is_one_of_the_total(void **state)
{
    const struct estimate_input input = {
        .hours = 876, .devices = 8, .device_w = 100, .pue = 1, .has_intensity = true,
        .intensity_g_per_kwh = 0, .device_kg = { 100, 150, 300 }, .lifetime_years = 5,
        .utilisation = 1,
    };
    struct estimate estimate;

    (void)state;
    assert_int_equal(estimate_of(&input, &estimate, NULL), 0);
    assert_true(fabs(estimate.device_hours - 7008) < 1e-9);
    assert_true(fabs(estimate.total_kg.low - 16) < 1e-9);
    assert_true(fabs(estimate.total_kg.central - 24) < 1e-9);
    assert_true(fabs(estimate.total_kg.high - 48) < 1e-9);
}

static void without_an_intensity_only_the_energy_is_known(void **state)
{
    const struct estimate_input input = { .has_energy = true, .energy_kwh = 10, .pue = 1.5 };
    struct estimate estimate;

    (void)state;
    assert_int_equal(estimate_of(&input, &estimate, NULL), 0);
    assert_false(estimate.has_operational);
    assert_true(fabs(estimate.total_kwh - 15) < 1e-9);
}

static void what_is_missing_or_contradicts_is_said(void **state)
{
    static const struct {
        struct estimate_input input;
        const char *says;
    } cases[] = {
        { { .pue = 1 }, "no energy" },
        { { .pue = 1, .device_hours = 5 }, "no energy" },
        { { .pue = 0.99, .has_energy = true, .energy_kwh = 1 }, "--pue 0.99" },
        { { .pue = 1.2, .has_energy = true, .hours = 1, .infrastructure_kw = 1 },
          "count the building twice" },
        { { .pue = 1, .has_energy = true, .idle_kw = 1 }, "write --hours" },
        { { .pue = 1, .has_energy = true, .device_w = 1 }, "say the same thing twice" },
        { { .pue = 1, .hours = 1, .devices = 2, .device_hours = 3 }, "the same thing twice" },
        { { .pue = 1, .has_energy = true, .hours = 1, .node_w = 5 }, "--node-watts needs" },
        { { .pue = 1, .device_hours = 1, .device_w = 1, .device_kg = { 1, 1, 1 },
            .utilisation = 1 }, "--lifetime-years" },
        { { .pue = 1, .device_hours = 1, .device_w = 1, .device_kg = { 1, 1, 1 },
            .lifetime_years = 1, .utilisation = 1.01 }, "--utilisation 1.01" },
        { { .pue = 1, .device_hours = 1, .device_w = 1, .node_kg = { 1, 1, 1 },
            .lifetime_years = 1, .utilisation = 1 }, "--node-kg needs" },
        { { .pue = 1, .has_energy = true, .device_kg = { 1, 1, 1 }, .lifetime_years = 1,
            .utilisation = 1 }, "--device-kg needs" },
        { { .pue = 1, .has_energy = true, .utilisation = 85 }, "are of the manufacture" },
        { { .pue = 1, .has_energy = true, .lifetime_years = 6 }, "write --device-kg or --node-kg" },
        { { .pue = 1, .has_energy = true, .nodes = 2 }, "write --node-watts or --node-kg" },
        { { .pue = 1, .device_hours = 1, .device_w = 1, .devices_per_node = 8 },
          "write --node-watts or --node-kg" },
        { { .pue = 1, .has_energy = true, .device_hours = 5 }, "leave the hours out" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct estimate estimate = { .hours = -1 };
        struct error err = { "" };

        assert_int_equal(estimate_of(&cases[i].input, &estimate, &err), -EINVAL);
        if (!strstr(err.text, cases[i].says))
            fail_msg("case %zu says: %s", i, err.text);
        assert_true(estimate.hours < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blooms_training_is_the_papers),
        cmocka_unit_test(with_a_pue_instead_of_idle_power_it_is_the_papers_30_t),
        cmocka_unit_test(a_range_of_manufacture_is_one_of_the_total),
        cmocka_unit_test(without_an_intensity_only_the_energy_is_known),
        cmocka_unit_test(what_is_missing_or_contradicts_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
