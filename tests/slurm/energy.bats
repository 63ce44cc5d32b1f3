#!/usr/bin/env bats
# Energy of real jobs on simulated counters, held against what the counters truly delivered.
# shellcheck disable=SC2016,SC2017,SC2034,SC2154

bats_require_minimum_version 1.5.0

idle_w=50 # IdleWatts of a package

setup_file() {
    load helper
    site_nodes=1 site_gpus=0 site_conf=("IdleWatts=$idle_w" DeliverSeconds=1)
    # No power until the meter has read the counters: see assert_counted_is_truth. A package's
    # counter wraps in the midst of the first job.
    site_fakesys=(--noise=10 --command 'power * 0' --command 'near-wrap package-0 400')
    start_site
    site_control "$(node 1)" 'power package-0 150
power package-1 130
power dram-* 20'
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

@test "an exclusive job of 5 seconds is within 0.5 % of the truth" {
    id=$(submit --exclusive "$(bash_script 'burn 5')")
    wait_ingested "$id"
    read -r key from to < <(allocation_of "$id")
    [ $((to - from)) -ge 5000000000 ]
    near_percent 'packages, uJ' $(($(booked_mj "$key" cpu) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${packages[@]}")" 0.5
    near_percent 'DRAM, uJ' $(($(booked_mj "$key" memory) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${drams[@]}")" 0.5
}

@test "the profile of that job has its processors and its memory, and all of their energy" {
    local profile component
    id=$(site_sql 'SELECT MAX(job_id) FROM job WHERE end_s IS NOT NULL')
    read -r key _ < <(allocation_of "$id")
    profile=$(site_tool sacct-carbon --profile=csv "$id")
    for component in cpu memory; do
        near "$component, mJ" "$(booked_mj "$key" "$component")" "$(awk -F, -v c="$component" \
            '$3 == c { sum += $4 * $5 * 1000 } END { printf "%d", sum }' <<< "$profile")" 20
    done
    site_tool sacct-carbon --profile "$id" > "$BATS_TEST_TMPDIR/profile"
    for component in total processors memory; do
        grep -q "^$component .* average .* W, peak .* W at " "$BATS_TEST_TMPDIR/profile"
    done
}

@test "a step of 1 second is within 3 % of the truth" {
    # The step has all cores: what another package draws while the step has no core there is not its.
    # The sruns run beside the job: in a job script they are part of its batch step, which pays for
    # the CPU time that they use meanwhile, 10 ms of each on this test's first machine.
    site_exec --user alice -- salloc --exclusive bash -c "echo \$SLURM_JOB_ID; srun -n1 -c8 sleep 0.3
        srun -n1 -c8 $(bash_script 'burn 1' | sed 's/^exec //')" >"$BATS_TEST_TMPDIR/id"
    id=$(cat "$BATS_TEST_TMPDIR/id")
    wait_ingested "$id"
    read -r key from to < <(step_of "$id" 1)
    near_percent 'packages, uJ' $(($(booked_mj "$key" cpu active_mj+idle_mj 1) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${packages[@]}")" 3
}

@test "a step of 0.2 seconds is present, and no amount is negative" {
    id=$(site_exec --user alice -- srun --exclusive sh -c 'echo $SLURM_JOB_ID; sleep 0.2')
    wait_ingested "$id"
    read -r key from to < <(step_of "$id" 0)
    [ $((to - from)) -ge 200000000 ]
    [ $((to - from)) -lt 2000000000 ]
    [ "$(booked_mj "$key" cpu active_mj+idle_mj 0)" -gt 0 ]
    [ "$(value 'SELECT count(*) FROM energy WHERE active_mj < 0 OR idle_mj < 0')" = 0 ]
}

# Slurm is asked for the cores; what it gave is in the books, and is checked before use.
submit_on_socket() { # CORES SCRIPT
    submit -n1 -c"$1" --mem-per-cpu=1000 -B 1:"$1" --distribution=block:block "$(bash_script "$2")"
}

cores_of() { # JOB_ID
    value "SELECT core_list FROM allocation JOIN job USING (job_key) WHERE job_id = $1"
}

cpu_ns_of() { # JOB_ID
    value "SELECT sum(cpu_ns) FROM step JOIN job USING (job_key) WHERE job_id = $1"
}

# What socket SOCKET drew above its idle floor between two instants, in uJ.
rest_uj() { # SOCKET FROM TO
    echo $(($(truth "$(node 1)" "$2" "$3" "package-$1") - idle_w * ($3 - $2) / 1000))
}

later() { echo $(($1 > $2 ? $1 : $2)); }
earlier() { echo $(($1 < $2 ? $1 : $2)); }

@test "two jobs that share a socket split its floor by cores and the rest by CPU time" {
    a=$(submit_on_socket 2 'burn 6')
    b=$(submit_on_socket 2 'for i in {1..12}; do burn 0.15; sleep 0.35; done')
    wait_ingested "$a" "$b"
    same 'cores of both jobs' "$(cores_of "$a") $(cores_of "$b")" '0-1 2-3'
    read -r key_a from_a to_a < <(allocation_of "$a")
    read -r key_b from_b to_b < <(allocation_of "$b")

    near_percent 'idle of the one, mJ' "$(booked_mj "$key_a" cpu idle_mj)" \
        $((idle_w / 2 * (to_a - from_a) / 1000000)) 0.5
    near_percent 'idle of the other, mJ' "$(booked_mj "$key_b" cpu idle_mj)" \
        $((idle_w / 2 * (to_b - from_b) / 1000000)) 0.5

    # While both ran by CPU time, while one ran alone all to it. The ratio of their CPU times
    # varies within the common time, with other load of this machine: hence 3 %.
    from=$(later "$from_a" "$from_b") to=$(earlier "$to_a" "$to_b")
    common=$(rest_uj 0 "$from" "$to")
    alone_a=$(rest_uj 0 "$from_a" "$to_a") alone_a=$((alone_a - common))
    alone_b=$(rest_uj 0 "$from_b" "$to_b") alone_b=$((alone_b - common))
    cpu_a=$(cpu_ns_of "$a") cpu_b=$(cpu_ns_of "$b")
    share_a=$((common * (cpu_a / 1000000) / ((cpu_a + cpu_b) / 1000000) / 1000))
    near 'active of the one, mJ' "$(booked_mj "$key_a" cpu active_mj)" \
        $((share_a + alone_a / 1000)) $((common * 3 / 100 / 1000))
    near 'active of the other, mJ' "$(booked_mj "$key_b" cpu active_mj)" \
        $((common / 1000 - share_a + alone_b / 1000)) $((common * 3 / 100 / 1000))
}

@test "a job alone on the other socket pays for that socket only, and the system for what it used" {
    # Fills socket 0.
    filler=$(submit_on_socket 4 'sleep 7')
    # 2 CPUs of socket 1 are busy, with the job's and with the system's work.
    site_control "$(node 1)" 'busy 4-7 0.5'
    # Until now the simulated packages were idle while real jobs computed, which the ledger carries
    # as debt (rule 2, up to 0.1 s a core). Let the system pay it before the job begins.
    sleep 1
    c=$(submit_on_socket 2 'burn 4')
    wait_ingested "$filler" "$c"
    site_control "$(node 1)" 'busy 4-7 0'
    same 'cores of both jobs' "$(cores_of "$filler") $(cores_of "$c")" '0-3 4-5'
    read -r key from to < <(allocation_of "$c")
    near_percent 'idle, mJ' "$(booked_mj "$key" cpu idle_mj)" \
        $((idle_w / 2 * (to - from) / 1000000)) 0.5
    expected=$(($(rest_uj 1 "$from" "$to") * ($(cpu_ns_of "$c") / 1000000) / (2 * (to - from) / 1000000) / 1000))
    near_percent 'active, mJ' "$(booked_mj "$key" cpu active_mj)" "$expected" 3
    [ "$(value "SELECT sum(active_mj) FROM energy WHERE job_key = 0 AND step_id = -2 AND component = 'cpu'")" -gt 0 ]
}

@test "batch, extern and srun steps of a job add up to the job" {
    id=$(submit -n2 "srun -n1 sleep 1; srun -n2 $(bash_script 'burn 1' | sed 's/^exec //'); sleep 1")
    wait_ingested "$id"
    same steps "$(site_sql "SELECT step_id FROM step JOIN job USING (job_key) WHERE job_id = $id
        ORDER BY step_id" | tr '\n' ' ')" '0 1 4294967291 4294967292 '
    json=$(site_tool sacct-carbon --json "$id")
    total=$(jq '.jobs[0].energy.total_mj' <<<"$json")
    [ "$total" -gt 0 ]
    same 'sum of steps and remainder, mJ' "$(jq '[.jobs[0].steps[].energy.total_mj] | add' <<<"$json")" "$total"
    same 'what the books hold of the job, mJ' "$(value "SELECT sum(active_mj + idle_mj) FROM energy
        JOIN job USING (job_key) WHERE job_id = $id")" "$total"
}

@test "the rows of jobs, system and unallocated are the totals of the counters, to the millijoule" {
    assert_rows_are_totals
}

@test "what was counted is the truth, to the microjoule" {
    assert_counted_is_truth 1
    assert_rows_are_totals
    audit
}
