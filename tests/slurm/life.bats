#!/usr/bin/env bats
# What a job's life in Slurm does to the books: whatever befalls it, each run is in them once, ends,
# and is the sum of its parts and what the counters of its node delivered.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    site_nodes=3 site_gpus=0 site_conf=(IdleWatts=50 DeliverSeconds=1)
    site_fakesys=(--noise=10 --command 'power * 0')
    site_cluster=(
        # A requeued job waits until its former credential has expired; two minutes otherwise.
        --slurm-conf 'AuthInfo=socket=RUN/munge/socket,cred_expire=5'
        --slurm-conf PreemptType=preempt/partition_prio --slurm-conf PreemptMode=REQUEUE
        --slurm-conf 'PartitionName=urgent Nodes=ALL PriorityTier=10'
        --prepare '. RUN/carbon/prepare && sed -i s/ConstrainRAMSpace=no/ConstrainRAMSpace=yes/ RUN/etc/cgroup.conf'
    )
    start_site
    for n in 1 2 3; do
        site_control "$(node $n)" 'power package-* 150
power dram-* 20'
    done
    # Slurm looks for jobs that are out of time every 30 s: this one waits for it during the others.
    OUT_OF_TIME=$(submit_work 3 "srun -n1 $(task 'touch "$SLURM_JOB_ID.step"; burn 1000')")
    export OUT_OF_TIME
    site_until 30 'its step runs' test -e "$site_run/work/$OUT_OF_TIME.step"
    site_exec scontrol update jobid="$OUT_OF_TIME" EndTime=now+1
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
    resume_nodes
}

# Slurm drains a node on which it could not end a step in time, and a busy machine is enough for that.
resume_nodes() {
    local drained
    for drained in $(site_exec sinfo -hN -t drained,draining,down,fail -o %N 2>/dev/null | sort -u); do
        site_exec scontrol update nodename="$drained" state=resume
    done
}

# --- jobs ---------------------------------------------------------------------------------------

# For job scripts: says that this run has begun, and keeps a CPU at work until let_go.
work='work() { touch "$SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0}.works"; until [ -e "$SLURM_JOB_ID.go" ]; do burn 0.1; done; }; '

# SCRIPT as one command in a job script.
task() {
    bash_script "$work$1" | sed 's/^exec //'
}

# A batch job that has a node to itself.
submit_work() { # NODE-NUMBER [OPTION]... SCRIPT
    submit --exclusive -w "$(node "$1")" "${@:2:$#-2}" "$(bash_script "$work${*: -1}")"
}

wait_works() { # JOB_ID [RESTARTS]
    site_until 60 "job $1 works" test -e "$site_run/work/$1.${2:-0}.works"
}

let_go() { # JOB_ID
    touch "$site_run/work/$1.go"
}

# --- books --------------------------------------------------------------------------------------

# Each of the jobs: once, over with all its steps, and the sum of these and its remainder.
assert_whole() { # JOB_ID [RUNS [CLUSTER]]
    local json which="job_id = $1 AND job.cluster = '${3:-carbon}'"
    local of="JOIN job USING (job_key) WHERE $which"
    same "runs of job $1 that are over" "$(value "SELECT count(*) FROM job WHERE $which
        AND end_s >= begin_s")" "${2:-1}"
    same "runs of job $1" "$(value "SELECT count(*) FROM job WHERE $which")" "${2:-1}"
    same "allocations of job $1 without an end" "$(value "SELECT count(*) FROM allocation $of
        AND (end_ns IS NULL OR end_ns < begin_ns)")" 0
    same "steps of job $1 outside of its time" "$(site_sql "SELECT step_id FROM step
        JOIN allocation AS a USING (allocation_key) JOIN job ON job.job_key = a.job_key
        WHERE $which AND (step.end_ns IS NULL OR step.end_ns < step.begin_ns
        OR step.begin_ns < a.begin_ns OR step.end_ns > a.end_ns)")" ''
    json=$(site_tool sacct-carbon --duplicates --clusters="${3:-carbon}" --json "$1")
    same "runs of job $1 that are the sum of their parts" "$(jq "[.jobs[] | select(.job_id == $1 and
        .energy.total_mj == ([.steps[].energy.total_mj] | add))] | length" <<<"$json")" "${2:-1}"
    same "energy of job $1, mJ" "$(jq "[.jobs[] | select(.job_id == $1) | .energy.total_mj] | add" <<<"$json")" \
        "$(value "SELECT sum(active_mj + idle_mj) FROM energy $of")"
}

LATE=3 # FLAG_BEGIN_LATE, FLAG_END_LATE of core/batch.h

# The job had the node to itself, and paid for all of it. Its edges are when the counters were read,
# to what a busy machine lets come in between: 0.2 s of 300 W. A mark that came after its interval
# was closed has a flag to say that its edge is not exact.
assert_paid() { # JOB_ID [NODE-NUMBER [RESTARTS]]
    local key from to
    read -r key from to < <(allocation_of "$@")
    [ "$(value "SELECT flags & $LATE FROM job WHERE job_key = $key")" = 0 ] || return 0
    near "packages of job $1, uJ" $(($(booked_mj "$key" cpu) * 1000)) \
        "$(truth_all "${2:-1}" "$from" "$to" "${packages[@]}")" 60000000
}

assert_sound() {
    same 'negative amounts' "$(value 'SELECT (SELECT count(*) FROM energy WHERE active_mj < 0 OR idle_mj < 0
        OR metered_ms < 0 OR elapsed_ms < metered_ms) + (SELECT count(*) FROM power WHERE energy_mj < 0 OR span_ms < 0)
        + (SELECT count(*) FROM step WHERE cpu_ns < 0)')" 0
    audit
}

restarts_of() { # JOB_ID
    site_sql "SELECT restart_count FROM job WHERE job_id = $1 ORDER BY job_key" | tr '\n' ' '
}

# Ids of a job's steps that srun began.
sruns_of() { # JOB_ID
    site_sql "SELECT step_id FROM step JOIN job USING (job_key) WHERE job_id = $1
        AND step_id < 4294967290 ORDER BY step_id" | tr '\n' ' '
}

exit_status_of() { # JOB_ID STEP_ID
    value "SELECT step.exit_status FROM step JOIN job USING (job_key) WHERE job_id = $1 AND step_id = $2"
}

BATCH=4294967291 # STEP_BATCH of core/mark.h

# --- ends that Slurm or its users bring about ---------------------------------------------------

@test "requeued and preempted jobs pay for each of their runs, and for nothing in between" {
    requeued=$(submit_work 1 --requeue "srun -n1 $(task work)")
    preempted=$(submit_work 2 --requeue work)
    wait_works "$requeued"
    wait_works "$preempted"
    site_exec scontrol requeue "$requeued"
    urgent=$(submit_work 2 --partition urgent 'burn 2')
    for id in "$requeued" "$preempted"; do
        wait_booked 1 "job_id = $id"
        let_go "$id"
    done
    wait_ingested "$urgent"
    for id in "$requeued" "$preempted"; do
        wait_booked 2 "job_id = $id"
        wait_job "$id"
        assert_whole "$id" 2
        same 'restarts' "$(restarts_of "$id")" '0 1 '
    done
    assert_whole "$urgent"
    for restarts in 0 1; do
        assert_paid "$requeued" 1 $restarts
        assert_paid "$preempted" 2 $restarts
    done
    assert_paid "$urgent" 2
    assert_sound
}

seen_until() { # JOB_ID NS
    [ "$(value "SELECT seen_ns FROM allocation JOIN job USING (job_key) WHERE job_id = $1")" -gt "$2" ]
}

@test "a suspended job goes on paying for the node that it holds, and uses no CPU time" {
    id=$(submit_work 1 "srun -n1 $(task work)")
    wait_works "$id"
    site_exec scontrol suspend "$id"
    site_until 30 'its processes are stopped' site_exec pgrep -r T -u alice >/dev/null
    from=$(date +%s%N)
    site_until 60 'it was metered while suspended' seen_until "$id" $((from + 3000000000))
    to=$(date +%s%N)
    let_go "$id"
    site_exec scontrol resume "$id"
    wait_ingested "$id"
    assert_whole "$id"
    assert_paid "$id"
    read -r span cpu < <(value "SELECT end_ns - begin_ns, cpu_ns FROM step JOIN job USING (job_key)
        WHERE job_id = $id AND step_id = 0" | tr '|' ' ')
    [ "$cpu" -gt 0 ]
    [ "$cpu" -le $((span - (to - from))) ]
    assert_sound
}

@test "a job that ran out of time is over when Slurm ended it" {
    id=$OUT_OF_TIME
    wait_ingested "$id"
    [[ "$(site_exec scontrol show job "$id")" = *JobState=TIMEOUT* ]]
    assert_whole "$id"
    assert_paid "$id" 3
    same 'exit status of its step' "$(exit_status_of "$id" 0)" 15
    assert_sound
}

@test "a step killed for want of memory is whole, and so is the job that survives it" {
    grep -q ConstrainRAMSpace=yes "$site_run/etc/cgroup.conf" || skip 'no cgroups to constrain memory by'
    id=$(submit_work 1 --mem=100 "srun -n1 $(task 'x=$(head -c 300M /dev/zero | tr "\0" x)'); burn 1")
    wait_ingested "$id"
    grep -qi 'oom' "$site_run/work/$id.out"
    assert_whole "$id"
    assert_paid "$id"
    same 'exit status of its step' "$(exit_status_of "$id" 0)" 9
    same 'exit status of its script' "$(exit_status_of "$id" $BATCH)" 0
    assert_sound
}

@test "steps and jobs killed by scancel are over when they are, whatever they do against it" {
    survivor=$(submit_work 1 "srun -n1 $(task work); burn 1")
    stubborn=$(submit_work 2 'trap "" TERM; work')
    wait_works "$survivor"
    wait_works "$stubborn"
    site_exec scancel -s KILL "$survivor.0"
    site_exec scancel "$stubborn"
    wait_ingested "$survivor" "$stubborn"
    assert_whole "$survivor"
    assert_whole "$stubborn"
    assert_paid "$survivor" 1
    assert_paid "$stubborn" 2
    same 'exit statuses' "$(exit_status_of "$survivor" 0) $(exit_status_of "$survivor" $BATCH)
$(exit_status_of "$stubborn" $BATCH)" '9 0
9'
    assert_sound
}

@test "a job and a step that never began are not in the books" {
    never=$(submit --begin=now+1hour true)
    site_exec scancel "$never"
    # The second srun waits for the cores of the first.
    script="srun -n8 $(task '[ $SLURM_PROCID != 0 ] || work') & first=\$!;"
    script+=' until [ -e $SLURM_JOB_ID.0.works ]; do sleep 0.1; done;'
    script+=' timeout -s KILL 1 srun -n8 touch never; touch $SLURM_JOB_ID.go; wait $first'
    id=$(submit_work 1 "$script")
    wait_ingested "$id"
    [ ! -e "$site_run/work/never" ]
    assert_whole "$id"
    assert_paid "$id"
    same 'its steps' "$(sruns_of "$id")" '0 '
    same 'jobs that never began' "$(value "SELECT count(*) FROM job WHERE job_id = $never")" 0
    assert_sound
}

# --- daemons of Slurm that go and come back -----------------------------------------------------

# They leave bats alone: it waits until the last holder of its descriptors is gone.
start_daemon() { # COMMAND...
    site_exec "$@" </dev/null >/dev/null 2>&1 3>&- 4>&-
}

is_gone() { # PATTERN
    ! site_exec pgrep -f "$1" >/dev/null
}

stop_daemon() { # SIGNAL PATTERN
    site_exec pkill "-$1" -f "$2"
    site_until 30 "$2 is gone" is_gone "$2"
}

slurmctld_answers() {
    site_exec scontrol ping | grep -q 'is UP'
}

start_slurmctld() { # [OPTION]...
    start_daemon slurmctld "$@"
    site_until 60 'slurmctld answers' slurmctld_answers
}

@test "steps outlive their slurmd, and a job ends without slurmctld" {
    id=$(submit_work 1 "srun -n1 $(task work); srun -n1 true")
    other=$(submit_work 2 work)
    wait_works "$id"
    wait_works "$other"
    stop_daemon KILL "^slurmd -D -N $(node 1)\$"
    start_daemon slurmd -N "$(node 1)"
    let_go "$id"
    wait_ingested "$id"

    stop_daemon TERM '^slurmctld'
    let_go "$other"
    site_until 60 'its script is over' step_is_over "$other" $BATCH
    same 'jobs that end when slurmctld is back' "$(value "SELECT count(*) FROM job
        WHERE job_id = $other AND end_s IS NULL")" 1
    start_slurmctld
    wait_ingested "$other"
    for n in 1 2; do
        assert_whole "$id"
        assert_paid "$id" $n
        id=$other
    done
    assert_sound
}

# Its node may have been drained over the step that slurmctld forgot.
next_is_booked() { # JOB_ID
    resume_nodes
    jobs_are_booked 2 "job_id = $1"
}

@test "a job whose slurmctld lost its memory ends, and the next of its id is another" {
    id=$(submit_work 1 work)
    wait_works "$id"
    stop_daemon KILL '^slurmctld'
    find "$site_run/state" -name 'job_state*' -delete
    echo "FirstJobId=$id" >>"$site_run/etc/slurm.conf"
    start_slurmctld -c
    wait_booked 1 "job_id = $id"
    again=$(submit_work 1 "srun -n1 $(task 'burn 1')")
    same 'id of the next' "$again" "$id"
    site_until 120 "the next job $id is in the books" next_is_booked "$id"
    wait_job "$id"
    assert_whole "$id" 2
    same 'restarts' "$(restarts_of "$id")" '0 0 '
    same 'steps of the one and the other' "$(site_sql "SELECT count(*) FROM step JOIN job USING (job_key)
        WHERE job_id = $id GROUP BY job_key ORDER BY job_key" | tr '\n' ' ')" '2 3 '
    assert_sound
}

# --- jobs of other forms ------------------------------------------------------------------------

@test "each component of a heterogeneous job pays for its own node" {
    id=$(site_exec --user alice -- salloc --account physics --exclusive -w "$(node 1)" : \
        --exclusive -w "$(node 2)" \
        sh -c "echo \$SLURM_JOB_ID; srun --het-group=0,1 $(task 'burn 2'); srun --het-group=1 true" 2>/dev/null)
    wait_job "$id"
    wait_booked 2 "het_job_id = $id"
    assert_whole "$id"
    assert_whole $((id + 1))
    assert_paid "$id" 1
    assert_paid $((id + 1)) 2
    same 'steps of the first' "$(sruns_of "$id")" '0 '
    same 'steps of the second' "$(sruns_of $((id + 1)))" '0 1 '
    assert_sound
}

@test "an allocation that nobody used is paid for by who held it" {
    id=$(site_exec --user alice -- salloc --account physics --exclusive -w "$(node 1)" \
        sh -c 'echo $SLURM_JOB_ID; sleep 2' 2>/dev/null)
    wait_ingested "$id"
    assert_whole "$id"
    same 'its steps' "$(sruns_of "$id")" ''
    assert_paid "$id"
    assert_sound
}

@test "after all this, nothing is open, and what was counted is the truth to the microjoule" {
    same 'jobs that are not over' "$(site_sql 'SELECT job_id FROM job WHERE end_s IS NULL')" ''
    same 'steps that are not over' "$(site_sql 'SELECT job_key, step_id FROM step WHERE end_ns IS NULL')" ''
    same 'quarantined' "$(value 'SELECT count(*) FROM quarantine')" 0
    for n in 1 2 3; do
        assert_counted_is_truth $n
    done
    assert_rows_are_totals
    audit
}

# --- two clusters -------------------------------------------------------------------------------

# In a subshell: a site of its own, whose books are this one's. Prints the id of its first job.
other_site() { # RUN
    site_books=$site_run site_run=$1 site_nodes=1 site_prefix=${site_prefix}o
    site_conf=(DeliverSeconds=1) site_cluster=(--slurm-conf ClusterName=other)
    trap site_down EXIT
    site_up && id=$(submit -n1 true) && wait_job "$id" && echo "$id" &&
        site_until 60 'its job is in the books' other_is_booked
}

other_is_booked() {
    site_run=$site_books jobs_are_booked 1 "cluster = 'other'"
}

@test "jobs of one id are two in the books of two clusters" {
    id=$(other_site "$(mktemp -d /run/slurm-carbon.XXXXXX)")
    same 'jobs of that id' "$(site_sql "SELECT cluster, end_s IS NOT NULL FROM job WHERE job_id = $id
        ORDER BY cluster" | tr '\n' ' ')" 'carbon|1 other|1 '
    assert_whole "$id" 1 other
    assert_sound
}
