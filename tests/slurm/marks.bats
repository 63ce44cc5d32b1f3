#!/usr/bin/env bats
# Every kind of job and step of a real Slurm is in the books with what Slurm gave it, and notices
# nothing of us, whatever state our directories are in.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    {
        site_nodes=2 site_gpus=4 site_conf=(DeliverSeconds=1)
        site_cluster=(
            # A terminal is not to be had here.
            --slurm-conf 'InteractiveStepOptions="--interactive /bin/sleep 1"'
            # A requeued job waits until its former credential has expired; two minutes otherwise.
            --slurm-conf 'AuthInfo=socket=RUN/munge/socket,cred_expire=5'
        )
    }
    start_site
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

# "node cores gpus user account partition" of each allocation of a job.
allocations_of() { # JOB_ID
    site_sql "SELECT name, a.cores, a.gpus, user_name, account, partition_name FROM allocation a
        JOIN job USING (job_key) JOIN node USING (node_key) WHERE job_id = $1 ORDER BY name" | tr '|' ' '
}

# Names of a job's steps on all nodes, sorted.
steps_of() { # JOB_ID
    site_sql "SELECT CASE step_id WHEN 4294967290 THEN 'interactive' WHEN 4294967291 THEN 'batch'
        WHEN 4294967292 THEN 'extern' ELSE step_id END FROM step JOIN job USING (job_key)
        WHERE job_id = $1 AND end_ns IS NOT NULL" | sort | tr '\n' ' '
}

@test "a batch job is in the books with its steps, node, cores, GPUs, user, account and partition" {
    id=$(submit -n2 --gpus=2 'srun -n2 true; srun -n1 true')
    wait_ingested "$id"
    same allocations "$(allocations_of "$id")" "$(node 1) 2 2 alice physics main"
    same steps "$(steps_of "$id")" '0 1 batch extern '
}

@test "an srun of two nodes is in the books on both" {
    id=$(site_exec --user carol -- srun -N2 -n2 --account chemistry --partition shared sh -c 'echo $SLURM_JOB_ID')
    id=${id%%$'\n'*}
    wait_ingested "$id"
    same allocations "$(allocations_of "$id")" "$(node 1) 1 0 carol chemistry shared
$(node 2) 1 0 carol chemistry shared"
    same steps "$(steps_of "$id")" '0 0 extern extern '
}

@test "an interactive job is in the books with its interactive step" {
    run site_exec --user alice -- salloc -n1 --account physics
    [ "$status" -eq 0 ]
    id=$(sed -n 's/.*Granted job allocation //p' <<<"$output")
    wait_ingested "$id"
    same steps "$(steps_of "$id")" 'extern interactive '
}

@test "each task of an array is in the books under its array" {
    id=$(submit --array=3-5 true)
    wait_job "$id"
    wait_booked 3 "array_job_id = $id"
    same tasks "$(site_sql "SELECT array_task_id FROM job WHERE array_job_id = $id ORDER BY 1" | tr '\n' ' ')" '3 4 5 '
}

@test "each component of a heterogeneous job is in the books under its leader" {
    id=$(site_exec --user alice -- srun -n1 sh -c 'echo $SLURM_JOB_ID' : -n2 true 2>/dev/null)
    wait_job "$id"
    wait_booked 2 "het_job_id = $id"
    same components "$(site_sql "SELECT het_offset, cores FROM job JOIN allocation USING (job_key)
        WHERE het_job_id = $id ORDER BY 1" | tr '\n' ' ')" '0|1 1|2 '
}

@test "two GPUs of four are in the books by number, and a step holds those it was given" {
    id=$(submit --gpus=2 'srun -n1 --gpus=1 sleep 1')
    wait_ingested "$id"
    read -r all < <(value "SELECT gpu_list FROM allocation JOIN job USING (job_key) WHERE job_id = $id")
    [[ $all =~ ^[0-3](-|,)[0-3]$ ]]
    same 'GPUs of step 0' "$(value "SELECT gpus FROM step JOIN job USING (job_key)
        WHERE job_id = $id AND step_id = 0")" 1
}

job_is_running() { # JOB_ID
    [ "$(site_exec squeue -h -j "$1" -o %T)" = RUNNING ]
}

@test "a requeued job is in the books twice, by its restarts" {
    id=$(submit --requeue 'sleep 2')
    site_until 10 'it runs' job_is_running "$id"
    site_exec scontrol requeue "$id"
    wait_booked 2 "job_id = $id"
    same restarts "$(site_sql "SELECT restart_count FROM job WHERE job_id = $id ORDER BY begin_s" | tr '\n' ' ')" '0 1 '
    wait_job "$id"
}

@test "a user's task holds no descriptor and no variable of ours" {
    run site_exec --user alice -- srun -n1 sh -c 'ls -l /proc/self/fd; cat /proc/self/maps; env | grep -v ^SLURM_'
    [ "$status" -eq 0 ]
    [ "$(grep -c -- ' -> ' <<<"$output")" -ge 3 ]
    run ! grep -E 'spank_carbon|/carbon/|CARBON|SPANK' <<<"$output"
}

@test "exit codes are those of the job" {
    run -42 site_exec --user alice -- srun -n1 sh -c 'exit 42'
    run -137 site_exec --user alice -- srun -n1 sh -c 'kill -9 $$'
    id=$(submit 'exit 3')
    wait_ingested "$id"
    [[ "$(site_exec scontrol show job "$id")" = *ExitCode=3:0* ]]
    # As wait(2) gives it.
    same 'exit status' "$(value "SELECT exit_status FROM job WHERE job_id = $id")" $((3 << 8))
}

# --- MarkDir in a bad state: the node's Slurm sees what is mounted over it -----------------------

job_on_node_2() {
    run -7 site_exec --user alice -- srun -w "$(node 2)" -n1 sh -c 'echo works; exit 7'
    [[ $output = *works* ]]
    site_until 10 'the node is idle' node_2_is_idle
}

node_2_is_idle() {
    [ "$(site_exec sinfo -h -N -p main -n "$(node 2)" -o %T)" = idle ]
}

mount_over_marks() { # OPTIONS
    site_exec mount -t tmpfs -o "$1" tmpfs "$site_run/carbon/marks/$(node 2)"
}

unmount_marks() {
    site_exec umount "$site_run/carbon/marks/$(node 2)"
}

@test "jobs run when MarkDir is read-only" {
    mount_over_marks ro,mode=755
    job_on_node_2
    unmount_marks
}

@test "jobs run when MarkDir is full" {
    mount_over_marks size=4k,nr_inodes=2,mode=755
    site_exec sh -c "head -c 4096 /dev/zero >$site_run/carbon/marks/$(node 2)/full" || true
    job_on_node_2
    unmount_marks
}

@test "jobs run when others may write to MarkDir, and nothing is written there" {
    mount_over_marks mode=1777
    job_on_node_2
    same 'marks' "$(site_exec ls "$site_run/carbon/marks/$(node 2)")" ''
    unmount_marks
}

@test "jobs run when MarkDir is missing" {
    site_exec mv "$site_run/carbon/marks/$(node 2)" "$site_run/carbon/marks/gone"
    job_on_node_2
    site_exec mv "$site_run/carbon/marks/gone" "$site_run/carbon/marks/$(node 2)"
}

@test "the books balance after all this" {
    assert_rows_are_totals
    audit
}
