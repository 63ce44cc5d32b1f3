#!/usr/bin/env bats
# The line at the end of a job's log: scripts/task-epilog as TaskEpilog.
# shellcheck disable=SC2016,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    if [ -z "$TREE" ]; then start_books; fi
}

start_books() {
    site_nodes=1 site_gpus=0 site_conf=(DeliverSeconds=1 Zone=FR PUE=1.2)
    site_cluster=(--slurm-conf TaskEpilog=RUN/carbon/epilog)
    start_site
    # As installed, but for where; and a site's own script with the place of carbon.conf.
    sed "s|@bindir@|$site_build|" "$top/scripts/task-epilog.in" >"$site_run/carbon/task-epilog"
    printf '#!/bin/sh\nexec %s %s\n' "$site_run/carbon/task-epilog" "$site_run/etc/carbon.conf" \
        >"$site_run/carbon/epilog"
    chmod 755 "$site_run"/carbon/{epilog,task-epilog}
    # Users may read these books.
    chmod a+rx "$site_run/carbon"
    chmod a+r "$site_run"/carbon/carbon.db*
}

teardown_file() {
    load helper
    if [ -z "$TREE" ]; then stop_site; fi
}

setup() {
    load helper
    [ -z "$TREE" ] || skip 'programs of this machine do not run in a tree'
}

log_of() { # JOB
    cat "$site_run/work/$1.out"
}

job_is_running_booked() { # JOB
    [ -n "$(site_sql "SELECT 1 FROM job_hour JOIN job USING (job_key)
        WHERE job_id = $1 AND end_s IS NULL AND active_mj + idle_mj > 0")" ]
}

exit_code() { # JOB
    site_exec scontrol show job "$1" | sed -n 's/.* ExitCode=//p'
}

@test "the line is the last of the log, with the figures of sacct-carbon at that moment" {
    # The books stand still from before the end until they were asked again.
    id=$(submit "$(bash_script "echo hello; while [ ! -e go ]; do burn 0.2; done; exit 3")")
    site_until 60 "job $id is in the books" job_is_running_booked "$id"
    site_stop_ingest
    touch "$site_run/work/go"
    wait_job "$id"
    log_of "$id" >&2
    IFS='|' read -r energy co2e coverage as_of < <(site_tool sacct-carbon --config "$site_run/etc/carbon.conf" \
        -X -n -P -j "$id" -o Energy,CO2eOperational,Coverage,AsOf)
    same 'the log' "$(log_of "$id")" "hello
slurm-carbon: job $id: $energy and $co2e CO2e (operational) so far, up to $as_of, coverage $coverage. In some minutes: sacct-carbon $id"
    [[ $energy == *[1-9]*J || $energy == *[1-9]*Wh ]]
    same 'exit code' "$(exit_code "$id")" 3:0
    site_start_ingest
    rm "$site_run/work/go"
}

@test "nothing of the job's environment leads astray, and srun's tasks say nothing" {
    evil=$site_run/work/evil
    mkdir "$evil"
    printf '#!/bin/sh\necho EVIL\n' | tee "$evil"/{sacct-carbon,env,timeout,read} >/dev/null
    chmod -R a+rx "$evil"
    # As from within an srun step, of which sbatch hands SLURM_STEP_ID on.
    id=$(submit --ntasks 2 --export "ALL,PATH=$evil:/usr/bin:/bin,SLURM_STEP_ID=0,SLURM_CARBON_CONF=$evil/none,SLURM_CONF=$evil/none.conf,SLURM_TIME_FORMAT=%n%n,SACCT_CARBON_FORMAT=EVIL,ENV=$evil/env,BASH_ENV=$evil/env" \
        "export SLURM_CONF=$site_run/etc/slurm.conf; srun -n2 true; burn() { :; }; exit 0")
    wait_job "$id"
    log_of "$id" >&2
    same 'lines' "$(log_of "$id" | wc -l)" 1
    log_of "$id" | grep -qE "^slurm-carbon: job $id: "
}

@test "a job of which nothing is in the books yet is told how to ask" {
    site_stop_ingest
    id=$(submit true)
    wait_job "$id"
    same 'the log' "$(log_of "$id")" \
        "slurm-carbon: job $id: its energy is not in the books yet. In some minutes: sacct-carbon $id"
    site_start_ingest
    wait_ingested "$id"
}

@test "the newest of an array, which has the array's own number, gets its own line" {
    id=$(submit --array=1-3 --output '%A_%a.out' true)
    wait_job "$id"
    for task in 1 2 3; do
        same "lines of task $task" "$(wc -l <"$site_run/work/${id}_$task.out")" 1
        grep -q '^slurm-carbon: job [0-9]*: ' "$site_run/work/${id}_$task.out"
    done
}

@test "a database that does not answer costs 5 seconds and no word" {
    site_stop_ingest
    # An exclusive lock, held by root for longer than a job may wait.
    site_exec --host-root -- sh -c '(echo "BEGIN EXCLUSIVE;"; sleep 20) | sqlite3 "$1"' sh "$site_run/carbon/carbon.db" &
    locker=$!
    sleep 1
    begin=$SECONDS
    id=$(submit 'echo hello; exit 5')
    wait_job "$id"
    took=$((SECONDS - begin))
    same 'the log' "$(log_of "$id")" hello
    same 'exit code' "$(exit_code "$id")" 5:0
    echo "took $took s" >&2
    [ "$took" -ge 4 ] && [ "$took" -le 12 ]
    wait "$locker"
}

@test "with the database gone a job's exit code and log are as without it" {
    for fate in gone unreadable broken; do
        case $fate in
            gone) mv "$site_run/carbon/carbon.db" "$site_run/carbon/kept.db" ;;
            unreadable) install -m 600 "$site_run/carbon/kept.db" "$site_run/carbon/carbon.db" ;;
            broken) echo garbage >"$site_run/carbon/carbon.db"; chmod 644 "$site_run/carbon/carbon.db" ;;
        esac
        id=$(submit 'echo hello; exit 4')
        wait_job "$id"
        same "the log, $fate" "$(log_of "$id")" hello
        same "exit code, $fate" "$(exit_code "$id")" 4:0
    done
}
