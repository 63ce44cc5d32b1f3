/* microjoules to millijoules: nothing is lost, nothing drifts */
#include "unit.h"

#include "fake_meter.h"
#include "store/millijoule.h"

static void assert_rows_meet_totals(const struct batch *batch, const struct millijoules *mj)
{
    for (size_t t = 0; t < batch->n_totals; t++) {
        uint64_t sum_mj = 0;

        for (size_t i = 0; i < batch->n_energies; i++)
            if (batch->energies[i].hour_s == batch->totals[t].hour_s &&
                batch->energies[i].component == batch->totals[t].component)
                sum_mj += mj->rows[i].active_mj + mj->rows[i].idle_mj;
        assert_int_equal(sum_mj, mj->totals_mj[t]);
    }
}

static void a_stream_is_off_by_less_than_a_millijoule_in_all(void **state)
{
    uint64_t sum_mj[COMPONENT_COUNT] = { 0 }, random = 7;
    struct fake_meter meter;

    (void)state;
    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    for (int i = 0; i < 500; i++) {
        struct millijoules mj;
        struct batch batch;

        fake_meter_random(&meter, &random, &batch);
        assert_int_equal(batch_check(&batch, NULL), 0);
        assert_int_equal(millijoules_of(&batch, &mj), 0);
        assert_rows_meet_totals(&batch, &mj);
        for (size_t t = 0; t < batch.n_totals; t++)
            sum_mj[batch.totals[t].component] += mj.totals_mj[t];
        for (unsigned c = 0; c < COMPONENT_COUNT; c++)
            assert_int_equal(sum_mj[c], meter.counted_uj[c] / 1000);
        millijoules_clear(&mj);
        batch_clear(&batch);
    }
}

/* 400 + 400 + 400 uJ, one batch each: the millijoule appears when the third completes it */
static void a_part_of_a_millijoule_waits_for_the_rest(void **state)
{
    static const uint64_t expected_mj[] = { 0, 0, 1, 0, 1 };
    struct fake_meter meter;

    (void)state;
    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    for (size_t i = 0; i < LENGTH(expected_mj); i++) {
        struct millijoules mj;
        struct batch batch;

        fake_meter_begin(&meter, 60, &batch);
        fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 300, 100);
        fake_meter_seal(&meter, &batch);
        assert_int_equal(millijoules_of(&batch, &mj), 0);
        ROW_HOLDS(i, mj.totals_mj[0] == expected_mj[i]);
        ROW_HOLDS(i, mj.rows[0].active_mj + mj.rows[0].idle_mj == expected_mj[i]);
        millijoules_clear(&mj);
        batch_clear(&batch);
    }
}

static void a_batch_without_energy_has_none(void **state)
{
    struct batch batch = { 0 };
    struct millijoules mj;

    (void)state;
    assert_int_equal(millijoules_of(&batch, &mj), 0);
    millijoules_clear(&mj);
    assert_null(mj.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_off_by_less_than_a_millijoule_in_all),
        cmocka_unit_test(a_part_of_a_millijoule_waits_for_the_rest),
        cmocka_unit_test(a_batch_without_energy_has_none),
    };

    return cmocka_run_group_tests_name("millijoule", tests, NULL, NULL);
}
