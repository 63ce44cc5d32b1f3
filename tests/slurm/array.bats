#!/usr/bin/env bats
# A thousand tiny jobs; ARRAY_TASKS says how many.
# shellcheck disable=SC2016,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    site_nodes=4 site_gpus=0 site_conf=(DeliverSeconds=1)
    start_site
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

@test "a thousand array tasks of true: all are in the books, none twice" {
    tasks=${ARRAY_TASKS:-1000}
    id=$(submit --array="1-$tasks" --output /dev/null true)
    site_until "$((tasks * 6 / 10))" 'the array is over' site_jobs_over "$id"
    wait_booked "$tasks" "array_job_id = $id"
    same 'tasks, jobs, allocations, batch steps' "$(site_sql "
        SELECT count(DISTINCT array_task_id) FROM job WHERE array_job_id = $id;
        SELECT count(*) FROM job WHERE array_job_id = $id;
        SELECT count(*) FROM allocation JOIN job USING (job_key) WHERE array_job_id = $id;
        SELECT count(*) FROM step JOIN job USING (job_key) WHERE array_job_id = $id
            AND step_id = 4294967291 AND end_ns IS NOT NULL" | tr '\n' ' ')" "$tasks $tasks $tasks $tasks "
    same 'flagged' "$(value "SELECT count(*) FROM job WHERE array_job_id = $id AND flags <> 0")" 0
}

@test "the books balance after it" {
    assert_rows_are_totals
    audit
}
