#!/usr/bin/env bats
# carbonctl reconcile against a real slurmdbd with MariaDB.
# shellcheck disable=SC2016,SC2034,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    load helper
    site_nodes=2 site_gpus=0 site_conf=(DeliverSeconds=1)
    site_cluster=(--dbd --slurm-conf 'AuthInfo=socket=RUN/munge/socket,cred_expire=5')
    start_site
}

teardown_file() {
    load helper
    stop_site
}

setup() {
    load helper
}

# The Slurm of a tree has its sacct there.
reconcile() { # [OPTION]...
    mkdir -p "$site_run/bin"
    [ -z "$site_tree" ] || printf '#!/bin/sh\nexec chroot %s /usr/bin/sacct "$@"\n' "$site_tree" >"$site_run/bin/sacct"
    chmod -f +x "$site_run/bin/sacct" || true
    PATH="$site_run/bin:$PATH" site_tool carbonctl --config "$site_run/etc/carbon.conf" reconcile "$@"
}

change() { # SQL: behind carbonctl's back
    sqlite3 -bail -cmd '.timeout 10000' "$site_run/carbon/carbon.db" "$1"
}

# sacct's own word for it; the value of a field of a job.
dbd_says() { # FIELD JOB_ID
    site_exec sacct -nPXo "$1" -j "$2" | tail -n 1
}

# slurmctld tells it of each when it finds the time: of the end first, sometimes, and of when it was
# eligible seconds later. Until then sacct finds it by its id, not by its time.
known_to_dbd() { # JOB_ID [TASKS]
    [ "$(site_exec sacct -nPXo Eligible,End -j "$1" | grep -c '^[0-9].*|[0-9]')" -ge "${2:-1}" ]
}

@test "account, QOS, state, name and TRES of jobs are slurmdbd's, by one call of sacct" {
    done_id=$(submit --job-name 'train | me' true)
    failed_id=$(submit 'exit 3')
    cancelled_id=$(submit 'sleep 100')
    array_id=$(submit --array=1-3 true)
    site_until 60 'it runs' step_runs "$cancelled_id"
    site_exec scancel "$cancelled_id"
    wait_ingested "$done_id" "$failed_id" "$cancelled_id"
    wait_booked 3 "array_job_id = $array_id"
    for id in "$done_id" "$failed_id" "$cancelled_id"; do
        site_until 60 "slurmdbd knows the end of job $id" known_to_dbd "$id"
    done
    site_until 60 'slurmdbd knows the end of all tasks' known_to_dbd "$array_id" 3
    out=$(reconcile)
    echo "$out"
    [[ $out == *'joined to the books: 6'* ]]
    [[ $out != *'not in the books'* ]]
    for id in "$done_id" "$failed_id" "$cancelled_id"; do
        state=$(dbd_says State "$id")
        same "state, account, QOS and TRES of job $id" "$(value "SELECT state || '|' || account || '|' || qos
            || '|' || alloc_tres FROM job WHERE job_id = $id")" \
            "${state%% *}|$(dbd_says Account,QOS,AllocTRES "$id")"
        same "submit time of job $id" "$(value "SELECT submit_s FROM job WHERE job_id = $id")" \
            "$(site_exec env SLURM_TIME_FORMAT=%s sacct -nPXo Submit -j "$id")"
    done
    same 'name' "$(value "SELECT job_name FROM job WHERE job_id = $done_id")" 'train | me'
    same 'states' "$(site_sql "SELECT state FROM job WHERE job_id IN ($done_id, $failed_id, $cancelled_id)
        ORDER BY job_id" | tr '\n' ' ')" 'COMPLETED FAILED CANCELLED '
    same 'jobs to be asked for again' "$(value 'SELECT count(*) FROM job WHERE reconciled_s IS NULL')" 0
    same 'cancelled ones' "$(site_tool sacct-carbon -nXP -a -S now-1hour -s CA -o JobID)" "$cancelled_id"
    audit
}

step_runs() { # JOB_ID
    [ -n "$(site_exec squeue -h -t running -j "$1" -o %i)" ]
}

@test "a requeued job has a state for each of its runs" {
    id=$(submit --requeue 'touch "$SLURM_JOB_ID.$SLURM_RESTART_COUNT.works"; [ "$SLURM_RESTART_COUNT" = 1 ] || sleep 100')
    site_until 60 'it works' test -e "$site_run/work/$id..works"
    site_exec scontrol requeue "$id"
    wait_booked 2 "job_id = $id"
    wait_ingested "$id"
    site_until 60 'slurmdbd knows its end' known_to_dbd "$id"
    reconcile
    same 'states of the runs' "$(site_sql "SELECT restart_count || ' ' || state FROM job WHERE job_id = $id
        ORDER BY restart_count" | tr '\n' ' ')" '0 REQUEUED 1 COMPLETED '
}

@test "a job that the plugin did not see is named, and so is one that slurmdbd does not have" {
    id=$(submit true)
    wait_ingested "$id"
    site_until 60 'slurmdbd knows its end' known_to_dbd "$id"
    change "UPDATE job SET job_id = 4000000, reconciled_s = NULL WHERE job_id = $id;
        UPDATE job SET begin_s = begin_s - 7200, end_s = end_s - 7200 WHERE job_id = 4000000"
    out=$(reconcile)
    echo "$out"
    [[ $out == *'in the books, not known to slurmdbd (yet): 1'*'job 4000000'* ]]
    change "UPDATE job SET job_id = $id, begin_s = begin_s + 7200, end_s = end_s + 7200 WHERE job_id = 4000000"
    reconcile
    same 'state' "$(value "SELECT state FROM job WHERE job_id = $id")" COMPLETED
}

@test "carbonctl doctor finds nothing wrong here" {
    reconcile
    mkdir -p "$site_run/bin"
    [ -z "$site_tree" ] || printf '#!/bin/sh\nexec chroot %s /usr/bin/scontrol "$@"\n' "$site_tree" >"$site_run/bin/scontrol"
    chmod -f +x "$site_run/bin/scontrol" || true
    export PATH="$site_run/bin:$PATH"
    out=$(site_tool carbonctl --config "$site_run/etc/carbon.conf" doctor)
    echo "$out"
    [[ $out == *$'\n0 problems, '* ]]
    for what in Slurm PrologFlags plugin database ingest DeliverDir nodes audit reconcile; do
        grep -q "^well *$what " <<<"$out" || { echo "nothing of $what"; false; }
    done
}

@test "the user whom docs/admin.md makes an operator is one" {
    site_exec sacctmgr -i add user slurm-carbon account=root adminlevel=operator
    same 'level' "$(site_exec sacctmgr -nP show user slurm-carbon format=AdminLevel)" Operator
}

# The viewer that a user is, asked inside, with the users and the sacctmgr that are there.
viewer_of() { # VISIBILITY USER
    mkdir -p "$site_run/bin"
    [ -z "$site_tree" ] || printf '#!/bin/sh\nexec chroot %s /usr/bin/sacctmgr "$@"\n' "$site_tree" >"$site_run/bin/sacctmgr"
    chmod -f +x "$site_run/bin/sacctmgr" || true
    printf '%s\n' "Visibility=$1" >"$site_run/etc/visible.conf"
    PATH="$site_run/bin:$PATH" site_exec --host-root -- unshare --mount sh -c \
        'mount --bind "$0/etc/passwd" /etc/passwd && exec "$@"' "$site_run" \
        "$(realpath "$site_build/tests/fake/viewer_of")" "$site_run/etc/visible.conf" "$2"
}

as() { # VIEWER TOOL [OPTION]...
    site_exec --host-root -- env CARBON_DATA="$site_data" SLURM_CARBON_VIEWER="$1" \
        "$(realpath "$site_build/$2")" --config "$site_run/etc/carbon.conf" "${@:3}"
}

shown() { # VIEWER [OPTION]...: whose jobs sacct-carbon shows
    as "$1" sacct-carbon -a -nXP -S now-1hour -o User,Account "${@:2}" | sort -u | tr '\n' ' '
}

@test "who sees whose jobs under each Visibility, by slurmdbd" {
    site_exec sacctmgr -i add account optics parent=physics
    site_exec sacctmgr -i add user carol account=optics
    site_exec sacctmgr -i add coordinator account=physics names=bob
    site_exec sacctmgr -i modify user dave set adminlevel=operator
    [ "$((10#$(date +%M%S)))" -lt 5930 ] || sleep 40 # all in one hour
    of_alice=$(submit true)
    of_carol=$(site_exec --user carol -- sbatch --parsable --chdir "$site_run/work" --account optics --wrap true)
    of_dave=$(site_exec --user dave -- sbatch --parsable --chdir "$site_run/work" --account chemistry --wrap true)
    wait_ingested "$of_alice" "$of_carol" "$of_dave"
    everything='alice|physics carol|optics dave|chemistry '
    same 'without a viewer' "$(shown all -j "$of_alice,$of_carol,$of_dave")" "$everything"
    while read -r visibility user expected; do
        viewer=$(viewer_of "$visibility" "$user")
        echo "$visibility $user: $viewer"
        same "$user under $visibility" "$(shown "$viewer" -j "$of_alice,$of_carol,$of_dave" 2>/dev/null)" "${expected:+$expected }"
    done <<EOF
own alice alice|physics
own bob alice|physics carol|optics
own carol carol|optics
own dave $everything
own root $everything
account alice alice|physics
account bob alice|physics carol|optics
account carol carol|optics dave|chemistry
account dave $everything
all alice $everything
all bob $everything
EOF
    # what a coordinator's report names
    since=uts$(site_sql "SELECT begin_s / 3600 * 3600 FROM job WHERE job_id = $of_alice")
    report=$(as "$(viewer_of own bob)" sreport-carbon -S "$since" --json)
    [[ $report == *'"alice"'*'"others (not shown)"'* ]]
    [[ $report != *dave* && $report != *chemistry* ]]
    [[ $(as all sreport-carbon -S "$since" --json) == *'"dave"'* ]]
}

@test "jobs from before the plugin are booked from slurmdbd, once" {
    mkdir -p "$site_run/early"
    sed "s|^Database=.*|Database=sqlite:$site_run/early/carbon.db|" "$site_run/etc/carbon.conf" >"$site_run/early/carbon.conf"
    early() { PATH="$site_run/bin:$PATH" site_tool carbonctl --config "$site_run/early/carbon.conf" "$@"; }
    in_early() { sqlite3 "$site_run/early/carbon.db" "$1"; }
    id=$(submit --nodes=2 --ntasks=2 'sleep 3')
    wait_ingested "$id"
    site_until 60 'slurmdbd knows its end' known_to_dbd "$id"
    early init >/dev/null
    out=$(early backfill --starttime now-1hour)
    echo "$out"
    [[ $out == *'by AllocTRES: '* ]]
    same 'nodes of a job of two' "$(in_early "SELECT count(*) FROM backfill JOIN allocation USING (allocation_key)
        JOIN job USING (job_key) WHERE job_id = $id")" 2
    same 'its account, state and begin' "$(in_early "SELECT account, state, begin_s FROM job WHERE job_id = $id")" \
        "$(site_exec env SLURM_TIME_FORMAT=%s sacct -nPXo Account,State,Start -j "$id")"
    # 4.24 W a core, and the second that Slurm's times are cut at
    same 'its millijoules' "$(in_early "SELECT SUM(active_mj + idle_mj) FROM energy JOIN job USING (job_key)
        WHERE job_id = $id")" "$(site_exec sacct -nPXo ElapsedRaw,AllocCPUS -j "$id" | awk -F'|' '{ print $1 * $2 * 4240 }')"
    early audit
    out=$(early backfill --starttime now-1hour)
    [[ $out == *'booked: 0'* ]]
    # where the meter was, all of it is in the books
    out=$(PATH="$site_run/bin:$PATH" site_tool carbonctl --config "$site_run/etc/carbon.conf" backfill --starttime now-1hour)
    echo "$out"
    [[ $out == *'booked: 0'* ]]
    reconcile
    audit
}

@test "with slurmdbd down it says so, and the books are as they were" {
    site_exec pkill -TERM -f '^slurmdbd'
    change 'UPDATE job SET reconciled_s = NULL'
    run -1 --separate-stderr reconcile
    [[ $stderr == *'is slurmdbd up'* ]]
    run -0 --separate-stderr viewer_of account bob
    same 'a coordinator' "$output" "uid=$(site_exec id -u bob);user=bob"
    [[ $stderr == 'carbond: sacctmgr '*'until slurmdbd answers, users see their own jobs alone'* ]]
    same 'states' "$(value 'SELECT count(*) FROM job WHERE state IS NULL')" 0
}
