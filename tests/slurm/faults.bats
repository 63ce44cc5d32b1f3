#!/usr/bin/env bats
# What dies, dies in the midst of its work; the books balance all the same.
# shellcheck disable=SC2016,SC2034,SC2154

bats_require_minimum_version 1.5.0

END_LOST=4 # FLAG_END_LOST of core/batch.h

setup_file() {
    load helper
    site_nodes=2 site_gpus=0 site_conf=(IdleWatts=50 DeliverSeconds=1)
    site_fakesys=(--noise=10 --command 'power * 0')
    start_site
    for n in 1 2; do
        site_control "$(node $n)" 'power package-* 150
power dram-* 20'
    done
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

assert_job_is_truth() { # JOB_ID PERCENT
    local key from to
    read -r key from to < <(allocation_of "$1")
    near_percent 'packages, uJ' $(($(booked_mj "$key" cpu) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${packages[@]}")" "$2"
}

signal_stepd() { # SIGNAL JOB.STEP
    site_exec pkill "-$1" -f "^slurmstepd: \[${2/./[.]}\]"
}

@test "a meter killed in mid-step goes on when it is back, and the step is whole" {
    id=$(submit --exclusive -w "$(node 1)" "srun -n1 $(bash_script 'burn 7' | sed 's/^exec //')")
    sleep 2.5
    site_stop_meter "$(node 1)" KILL
    sleep 2
    site_start_meter "$(node 1)"
    wait_ingested "$id"
    assert_job_is_truth "$id" 0.5
    same 'flags' "$(value "SELECT flags FROM job WHERE job_id = $id")" 0
    audit
}

@test "a job that ran wholly while the meter was down is exact by its edges" {
    site_stop_meter "$(node 1)"
    id=$(submit --exclusive -w "$(node 1)" "srun -n1 $(bash_script 'burn 3' | sed 's/^exec //'); sleep 1")
    wait_job "$id"
    site_start_meter "$(node 1)"
    wait_ingested "$id"
    assert_job_is_truth "$id" 0.5
    same 'quality' "$(value "SELECT DISTINCT quality FROM energy JOIN job USING (job_key) WHERE job_id = $id")" measured
    audit
}

@test "a meter killed again and again loses and doubles nothing" {
    id=$(submit --array=1-8 -w "$(node 1)" "srun -n1 $(bash_script 'burn 0.5' | sed 's/^exec //')")
    for i in {1..12}; do
        sleep "0.$((RANDOM % 9))"
        site_stop_meter "$(node 1)" KILL
        site_start_meter "$(node 1)"
    done
    wait_job "$id"
    wait_booked 8 "array_job_id = $id"
    same 'batches left out of a stream' "$(site_sql 'SELECT stream FROM batch GROUP BY stream HAVING count(*) <> max(seq)')" ''
    audit
}

@test "a step whose slurmstepd was killed is closed and flagged" {
    id=$(submit -w "$(node 2)" 'srun -n1 sleep 100')
    site_until 10 'its step runs' signal_stepd 0 "$id.0"
    sleep 1
    signal_stepd KILL "$id.0"
    site_until 30 'the step is closed' step_is_over "$id" 0
    same 'end_lost of the step' "$(value "SELECT step.flags & $END_LOST FROM step JOIN job USING (job_key)
        WHERE job_id = $id AND step_id = 0")" $END_LOST
    site_exec scancel "$id"
    wait_ingested "$id"
    audit
}

@test "ingest killed again and again loads every batch once" {
    id=$(submit --array=1-12 'srun -n1 sleep 0.3')
    site_stop_ingest
    for i in {1..25}; do
        site_start_ingest
        sleep "0.0$((RANDOM % 10))"
        site_stop_ingest KILL
        sleep 0.2
    done
    site_start_ingest
    wait_job "$id"
    wait_booked 12 "array_job_id = $id"
    same 'batches left out of a stream' "$(site_sql 'SELECT stream FROM batch GROUP BY stream HAVING count(*) <> max(seq)')" ''
    same 'quarantined' "$(value 'SELECT count(*) FROM quarantine')" 0
    assert_rows_are_totals
    audit
}

@test "after all this, what was counted is the truth to the microjoule" {
    assert_counted_is_truth 1
    assert_counted_is_truth 2
    assert_rows_are_totals
    audit
}
