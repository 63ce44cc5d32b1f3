#!/usr/bin/env bats
# GPUs of real jobs, by a simulated NVML, and a node's own meter, held against what they truly drew.
# shellcheck disable=SC2016,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    site_nodes=1 site_gpus=8 site_conf=(IdleWatts=20 DeliverSeconds=1)
    # No power until the meter has read the counters: see assert_counted_is_truth.
    site_fakesys=(--gpus 8 --node-meter --noise=10 --command 'power * 0')
    start_site
    site_control "$(node 1)" 'power package-* 60
power dram-* 8
power gpu-0 310
power gpu-1 320
power gpu-2 330
power gpu-3 340
power gpu-4 350
power gpu-5 360
power gpu-6 61
power gpu-7 62
power node 2700'
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

devices_of() { # JOB_ID: "0 1 …"
    local list part
    list=$(value "SELECT gpu_list FROM allocation JOIN job USING (job_key) WHERE job_id = $1")
    for part in ${list//,/ }; do seq "${part%-*}" "${part#*-}"; done | tr '\n' ' '
    echo
}

# The job's GPU energy is that of its devices, and of no other.
assert_gpu_energy() { # JOB_ID COUNT
    local devices key from to
    read -ra devices < <(devices_of "$1")
    same "devices of job $1" "${#devices[@]}" "$2"
    read -r key from to < <(allocation_of "$1")
    near_percent "GPUs of job $1, uJ" $(($(booked_mj "$key" gpu) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${devices[@]/#/gpu-}")" 0.5
}

@test "carbon-meterd counts all eight GPUs, by their UUIDs, and the node's meter" {
    local status
    status=$site_run/carbon/spool/$(node 1)/status
    site_until 10 'the meter says what it counts' grep -q '^counter: cray' "$status"
    same 'counters of GPUs' "$(grep -cE '^counter: nvml:GPU-[0-9a-f-]+ .* component=gpu' "$status")" 8
    same 'meters of the node' "$(grep -cE '^counter: cray:.* component=other' "$status")" 1
}

@test "each of three jobs that share the node has the energy of exactly its GPUs, within 0.5 %" {
    a=$(submit -n1 --mem=1000 --gpus-per-node=3 'sleep 8')
    b=$(submit -n1 --mem=1000 --gpus-per-node=1 'sleep 6')
    c=$(submit -n1 --mem=1000 --gpus-per-node=2 'sleep 7')
    wait_ingested "$a" "$b" "$c"
    assert_gpu_energy "$a" 3
    assert_gpu_energy "$b" 1
    assert_gpu_energy "$c" 2
    same 'devices of all three' "$({ devices_of "$a"; devices_of "$b"; devices_of "$c"; } |
        tr ' ' '\n' | sort -u | grep -c .)" 6
}

@test "a job without a GPU has none of their energy, though it shares the node" {
    id=$(submit -n1 --mem=1000 'sleep 3')
    wait_ingested "$id"
    read -r key _ < <(allocation_of "$id")
    same 'GPU energy, mJ' "$(booked_mj "$key" gpu)" 0
}

@test "inside a job each step has the energy of the device that it holds" {
    local gpus steps
    id=$(submit -n2 --mem=1000 --gpus-per-node=2 'for i in 1 2; do
        srun --exact -n1 --mem=200 --gpus-per-node=1 sleep 5 & done; wait')
    wait_ingested "$id"
    assert_gpu_energy "$id" 2
    steps=$(site_sql "SELECT count(DISTINCT gpu_list) FROM step JOIN job USING (job_key)
        WHERE job_id = $id AND step_id < 4294967290")
    same 'devices of its steps, each another' "$steps" 2
    for step in 0 1; do
        gpu=$(value "SELECT gpu_list FROM step JOIN job USING (job_key)
            WHERE job_id = $id AND step_id = $step")
        read -r key from to < <(step_of "$id" "$step")
        near_percent "GPU of step $step, uJ" \
            $(($(booked_mj "$key" gpu active_mj+idle_mj "$step") * 1000)) \
            "$(truth_all 1 "$from" "$to" "gpu-$gpu")" 1
    done
}

@test "a meter that is killed in the midst of a job loses nothing of its GPUs" {
    id=$(submit -n1 --mem=1000 --gpus-per-node=2 'sleep 8')
    sleep 3
    site_stop_meter "$(node 1)" KILL
    sleep 1.5
    site_start_meter "$(node 1)"
    wait_ingested "$id"
    assert_gpu_energy "$id" 2
}

# Seconds since the meter's last tick, by its status; it writes it with each batch, every second.
tick_age_s() {
    local tick
    tick=$(sed -n 's/^last_tick_utc: //p' "$site_run/carbon/spool/$(node 1)/status")
    echo $(($(date +%s) - $(date -d "$tick" +%s)))
}

@test "counters that take 5 seconds to answer hold up neither the meter nor a job's energy" {
    local oldest=0 age
    site_control "$(node 1)" 'slow gpu-0 5
slow package-0 5
slow node 5'
    id=$(submit -n1 --mem=1000 --gpus-per-node=2 'sleep 14')
    for _ in {1..12}; do
        sleep 1
        age=$(tick_age_s)
        [ "$age" -le "$oldest" ] || oldest=$age
    done
    site_control "$(node 1)" 'ok *'
    wait_ingested "$id"
    [ "$oldest" -le 3 ] || { echo "the meter did not tick for $oldest s"; false; }
    # When in its 5 s a reading was taken is not known: by half of that its instant is uncertain.
    read -ra devices < <(devices_of "$id")
    read -r key from to < <(allocation_of "$id")
    near_percent 'GPUs, uJ' $(($(booked_mj "$key" gpu) * 1000)) \
        "$(truth_all 1 "$from" "$to" "${devices[@]/#/gpu-}")" 12
}

@test "a job's card names its GPUs' energy, and where it was measured" {
    id=$(site_sql 'SELECT MAX(job_id) FROM job WHERE end_s IS NOT NULL')
    card=$(site_tool sacct-carbon "$id")
    grep -q '^  GPUs  ' <<<"$card"
    grep -q 'nvml' <<<"$card"
    grep -q '100 % of the energy measured' <<<"$card"
    grep -q 'rest of node' <<<"$card"
}

@test "the node's meter is told once: parts and rest are what it counted, within its 1 J steps" {
    local parts node
    parts=$(value "SELECT sum(counted_mj) FROM node_total WHERE component <> 'other'")
    site_control "$(node 1)" 'power * 0'
    assert_counted_is_truth 1
    node=$(truth_all 1 "$SITE_SINCE_NS" now node)
    [ "$parts" -gt 0 ]
    near_percent 'all components, mJ' "$(value 'SELECT sum(counted_mj) FROM node_total')" \
        $((node / 1000)) 0.5
    near 'GPUs, mJ' "$(value "SELECT sum(counted_mj) FROM node_total WHERE component = 'gpu'")" \
        $(($(truth_all 1 "$SITE_SINCE_NS" now gpu-{0..7}) / 1000)) 10
}

@test "the books balance" {
    assert_rows_are_totals
    audit
}
