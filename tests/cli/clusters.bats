#!/usr/bin/env bats
# two clusters in one database, whose nodes, jobs, users and accounts have the same names

bats_require_minimum_version 1.5.0

setup() {
    top_srcdir=${top_srcdir:-$PWD}
    PATH=${top_builddir:?}:$top_builddir/tests/fake:$PATH
    export TZ=UTC LC_ALL=C.UTF-8 CARBON_DATA=$top_srcdir/accounting/carbon
    unset SLURM_CONF SUDO_USER NO_COLOR SACCT_CARBON_FORMAT SLURM_TIME_FORMAT
    dir=$BATS_TEST_TMPDIR
    deliver=$dir/deliver
    aside=$deliver/quarantine
    mkdir "$deliver"
    conf alpha
    carbonctl init >"$dir/log" 2>&1
}

conf() { # CLUSTER: it is carbon.conf's from now on
    printf '%s\n' "ClusterName=$1" "Database=sqlite:$dir/carbon.db" "DeliverDir=$deliver" \
        'Zone=FR' 'PUE=1.2' "Inventory=$dir/inventory.conf" >"$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

need_sqlite3() {
    command -v sqlite3 >/dev/null || skip 'no sqlite3 command'
}

ingest() { # what it sets aside is no error here
    carbonctl ingest >"$dir/log" 2>&1 || [ $? -eq 3 ]
}

# make CLUSTER SEED STREAM [BATCHES]: deliver what node n1 of it counted; $counted_mj of it
make() {
    counted_mj=$(mkbatches "$deliver" 1 "${4:-8}" "$2" "$1" "$3" | awk '{ sum += $2 } END { print sum }')
}

# Streams 0x1000 of alpha and 0x2000 of beta; jobs 100 to 103 in both.
fill() {
    make alpha 1 4096
    alpha_mj=$counted_mj
    make beta 2 8192
    beta_mj=$counted_mj
    [ "$alpha_mj" -ne "$beta_mj" ]
}

beta_batch() { # SEQ
    echo "n1-0000000000002000-00000000000$1.batch"
}

balance_of() { # CLUSTER: millijoules that the audit has of its node
    carbonctl audit --json | python3 -c 'import json, sys
found = [b for b in json.load(sys.stdin)["balances"] if b["cluster"] == sys.argv[1]]
assert all(b["node"] == "n1" for b in found)
print(sum(b["counted_mj"] for b in found))' "$1"
}

@test 'two nodes of one name are two, to status and to the audit' {
    fill
    ingest
    run -0 carbonctl status --days 36500
    grep -qE '^alpha +n1 .* 8 +1 +0 +[0-9]+ +0$' <<<"$output"
    grep -qE '^beta +n1 .* 8 +1 +0 +[0-9]+ +0$' <<<"$output"
    run -0 carbonctl audit --verbose
    says 'the books balance'
    [[ $output != *A[0-9]* ]]
    grep -qE '^alpha +n1 +2026-09 ' <<<"$output"
    grep -qE '^beta +n1 +2026-09 ' <<<"$output"
    same "$alpha_mj" "$(balance_of alpha)"
    same "$beta_mj" "$(balance_of beta)"
}

# The number of a stream is drawn at random. Two nodes that drew the same count both, as long as
# their files do not lie in DeliverDir at once.
@test 'two nodes of one name and one stream count both' {
    make alpha 1 4096
    ingest
    alpha_mj=$counted_mj
    make beta 2 4096
    run -0 carbonctl ingest
    says 'loaded 8, duplicates 0, quarantined 0, left 0'
    run -0 carbonctl audit --verbose
    [[ $output != *A[0-9]* ]]
    same "$alpha_mj" "$(balance_of alpha)"
    same "$counted_mj" "$(balance_of beta)"
}

@test 'a lost batch is one of its cluster, and given up there alone' {
    fill
    rm "$deliver/$(beta_batch 3)" "$deliver"/n1-0000000000001000-000000000006.batch
    ingest
    run -1 carbonctl audit --verbose
    says 'A2 notes: cluster alpha, node n1, stream 0000000000001000: 1 batch missing before seq 7'
    says 'A2 notes: cluster beta, node n1, stream 0000000000002000: 1 batch missing before seq 4'
    says 'A2 fails: cluster beta, node n1, stream 0000000000002000, seq 4, '
    says '`carbonctl repair loss n1:0000000000002000 --cluster beta --reason TEXT` writes the loss off'
    run -0 carbonctl status --days 36500
    grep -qE '^beta +n1 .* 7 +1 +1 +[0-9]+ +0$' <<<"$output"

    run -1 carbonctl repair loss n1 --reason x
    says 'a node n1 is of cluster alpha and of cluster beta; say which by --cluster'
    run -1 carbonctl repair loss n1 --cluster gamma --reason x
    says 'no batch of node n1 of cluster gamma is in the books'
    run -1 carbonctl repair loss n1:0000000000002000 --cluster alpha --reason x
    says 'no batch of node n1 of cluster alpha, stream 0000000000002000 is in the books'
    [[ $(carbonctl audit) != *'given up'* ]]

    run -0 carbonctl repair loss n1 --cluster beta --reason 'a disk'
    says 'cluster beta, node n1, stream 0000000000002000, seq 3: given up (1 batch)'
    [[ $output != *alpha* ]]
    run -0 carbonctl repair loss n1 --cluster beta --reason 'a disk'
    says 'nothing is missing of node n1 of cluster beta, or all of it is given up already'
    run -1 carbonctl audit
    says 'A2 notes: cluster beta, node n1, stream 0000000000002000, seq 3: given up by '
    says 'A2 fails: cluster alpha, node n1, stream 0000000000001000, seq 7, '
    [[ $output != *'A2 fails: cluster beta'* ]]
    carbonctl repair loss n1:0000000000001000 --reason 'a disk' # of one cluster only: no riddle
    carbonctl audit
}

@test 'a changed row is of its cluster, with the batches of its hour' {
    need_sqlite3
    fill
    ingest
    sqlite3 "$dir/carbon.db" "UPDATE energy SET active_mj = active_mj + 1 WHERE rowid = (SELECT
        e.rowid FROM energy e JOIN node n ON n.node_key = e.node_key WHERE cluster = 'beta'
        ORDER BY hour_s LIMIT 1)"
    run -1 carbonctl audit --verbose
    same 1 "$(grep -cE '^A1 fails: cluster beta, node n1, hour 2026-09-21T14:00:00Z, ' <<<"$output")"
    same 1 "$(grep -c '^A1 ' <<<"$output")"
    says '    batches of that hour: seq 1 to 8 of stream 0000000000002000'$'\n'
    [[ $output != *'0000000000001000'* ]]
    says 'A6 fails: cluster beta, node n1, hour '
}

@test 'a dropped file is stated of the cluster that has its stream, or of none' {
    fill
    head -c 200 "$deliver/$(beta_batch 3)" >"$dir/torn"
    mv "$dir/torn" "$deliver/$(beta_batch 3)"
    echo text >"$deliver/n1-0000000000003000-000000000001.batch"
    ingest
    run -0 carbonctl quarantine drop "$(beta_batch 3)" --reason x
    says 'given up; audit and coverage state the loss'
    run -0 carbonctl quarantine drop n1-0000000000003000-000000000001.batch --reason x
    says 'clusters have nodes of one name, and the stream does not tell which it is of'
    [ ! -e "$aside/n1-0000000000003000-000000000001.batch" ]
    run -0 carbonctl audit
    same 1 "$(grep -c 'given up by' <<<"$output")"
    says 'A2 notes: cluster beta, node n1, stream 0000000000002000, seq 3: given up by '
}

@test 'sums made anew are those of each cluster' {
    need_sqlite3
    fill
    ingest
    sqlite3 "$dir/carbon.db" '.dump cluster_hour' '.dump job_hour' >"$dir/before"
    sqlite3 "$dir/carbon.db" 'DELETE FROM cluster_hour; DELETE FROM job_hour; DELETE FROM node_hour'
    carbonctl repair sums
    carbonctl audit
    diff "$dir/before" <(sqlite3 "$dir/carbon.db" '.dump cluster_hour' '.dump job_hour')
}

# --- reports -------------------------------------------------------------------------------------

# reported CLUSTER: millijoules that sreport-carbon has counted; its parts and accounts add up to it
reported() {
    sreport-carbon --month 2026-09 -M "$1" --json | python3 -c 'import json, sys
report = json.load(sys.stdin)
energy = report["energy"]
assert report["cluster"] == sys.argv[1]
jobs = energy["jobs_active_mj"] + energy["jobs_idle_mj"]
assert energy["counted_mj"] == jobs + energy["system_mj"] + energy["unallocated_mj"]
print(energy["counted_mj"])' "$1"
}

job_mj() { # CLUSTER JOB
    sacct-carbon -P -n -X -M "$1" -o energyraw "$2"
}

@test 'sreport-carbon has the energy of one cluster, and of its jobs' {
    fill
    ingest
    local cluster job sum
    for cluster in alpha beta; do
        sum=0
        for job in 100 101 102 103; do
            sum=$((sum + $(job_mj $cluster $job)))
        done
        same "$sum" "$(sreport-carbon --month 2026-09 -M $cluster --json | python3 -c 'import json, sys
energy = json.load(sys.stdin)["energy"]
print(energy["jobs_active_mj"] + energy["jobs_idle_mj"])')"
    done
    same "$alpha_mj" "$(reported alpha)"
    same "$beta_mj" "$(reported beta)"
    conf beta
    run -0 sreport-carbon --month 2026-09
    says 'of cluster beta in September 2026'
}

@test 'sacct-carbon shows jobs of its own cluster, and of several says which' {
    fill
    ingest
    same 'alpha|100|n1' "$(sacct-carbon -P -n -X -o cluster,jobid,nodelist 100)"
    same 'beta|100|n1' "$(sacct-carbon -P -n -X -o cluster,jobid,nodelist -M beta 100)"
    same $'alpha|100|n1\nbeta|100|n1' \
        "$(sacct-carbon -P -n -X -o cluster,jobid,nodelist -M all -N n1 100)"
    run -0 sacct-carbon 100
    says 'cluster alpha'
    [[ $output != *beta* ]]
    run -0 sacct-carbon -M all --json 100
    same 'alpha beta' "$(python3 -c 'import json, sys
print(*(job["cluster"] for job in json.load(sys.stdin)["jobs"]))' <<<"$output")"
    conf gamma # a login node of neither
    run -0 sacct-carbon -X 100
    grep -qE '^ *Cluster +JobID ' <<<"$output"
    grep -qE '^ *alpha +100 ' <<<"$output"
    grep -qE '^ *beta +100 ' <<<"$output"
    run -0 sacct-carbon --by=hour 100
    grep -qE '^ *beta +100 +2026-09-21' <<<"$output"
    run -0 sacct-carbon --explain 100
    says $'Cluster alpha\nJob 100'
    says $'Cluster beta\nJob 100'
    run -1 sacct-carbon --profile 100
    says 'or its cluster by -M'
    run -0 sacct-carbon -X -M beta 100 101 # of one: no column
    [[ $output != *Cluster* ]]
    run -0 sacct-carbon -p -X 100 # programs count fields
    [[ ${lines[0]} == 'JobID|JobName|'* ]]
}
