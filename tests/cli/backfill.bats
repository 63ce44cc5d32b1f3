#!/usr/bin/env bats
# carbonctl backfill: jobs that nobody metered, from what sacct prints. tests/slurm/dbd.bats does it
# with a real slurmdbd. 1790000000 (2026-09-21 14:13:20 UTC) is when mkbatches' meters begin.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    PATH=${top_builddir:?}:$PATH
    export CARBON_DATA=$top_srcdir/accounting/carbon TZ=UTC
    unset SLURM_CONF SLURM_TIME_FORMAT SUDO_USER
    mkbatches=$(realpath "$top_builddir/tests/fake/mkbatches")
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' "Database=sqlite:$PWD/carbon.db" "DeliverDir=$PWD/deliver" "Inventory=$PWD/inventory.conf" \
        ClusterName=c KeepHourlyDays=32 Zone=FR >carbon.conf
    mkdir deliver
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    carbonctl init >/dev/null
}

# A file as sacct -P prints it; each argument is a line.
said() {
    printf '%s\n' 'JobIDRaw|Cluster|Start|End|State|Account|AllocTRES|NodeList|ConsumedEnergyRaw|JobName' "$@" >said
}

backfill() { # [OPTION]...
    carbonctl backfill --starttime uts1000000 --sacct-file said "$@"
}

of() { # SQL
    sqlite3 carbon.db "$1"
}

same() { # WHAT FOUND EXPECTED
    [ "$2" = "$3" ] || { printf '%s: found\n%s\nexpected\n%s\n' "$@"; return 1; }
}

mj_of() { # JOB_ID: millijoules in the books
    of "SELECT COALESCE(SUM(active_mj + idle_mj), 0) FROM energy JOIN job USING (job_key) WHERE job_id = $1"
}

empty() { # nothing of a job is left
    for table in energy node_total job_hour node_hour cluster_hour job allocation allocation_month backfill \
        backfill_component; do
        same "rows of $table" "$(of "SELECT COUNT(*) FROM $table")" 0
    done
}

audit() {
    carbonctl audit >audit || { cat audit; return 1; }
}

@test "ConsumedEnergy where it is plausible, to the millijoule and by the hour; else CPUs and GPUs by time" {
    said '7|c|1001000|1008200|COMPLETED|physics|cpu=9,energy=1,mem=16G,node=2|n[1-2]|720001|one' \
        '8|c|1010000|1013600|FAILED|physics|cpu=4,gres/gpu=2,mem=8G,node=1|n1||two'
    run -0 backfill
    [[ $output == *'booked: 2'*"ConsumedEnergy: 1, 0.200 kWh"*'AllocTRES: 1, 0.354 kWh'* ]]
    [[ $output == *'of no type in inventory.conf: 4.24 W a core (default), 169 W a GPU (default)'* ]]
    [[ $output == *'not taken of 1 run: slurmdbd has none'* ]]
    same 'energy of job 7' "$(mj_of 7)" 720001000
    same 'its nodes' "$(of 'SELECT name, a.cores, SUM(active_mj + idle_mj) FROM node JOIN allocation AS a USING (node_key)
        JOIN energy USING (node_key, job_key) JOIN job USING (job_key) WHERE job_id = 7 GROUP BY name')" \
        $'n1|5|360000500\nn2|4|360000500'
    # 1001000 is 1000 s before a full hour less 800: hours are full at 1000800, 1004400, 1008000
    same 'its hours' "$(of 'SELECT hour_s, active_mj + idle_mj FROM job_hour JOIN job USING (job_key) WHERE job_id = 7')" \
        $'1000800|340000472\n1004400|360000500\n1008000|20000028'
    # 4 x (2.76 + 1.48) W + 2 x (131.25 + 37.5) W for an hour
    same 'energy of job 8' "$(mj_of 8)" $(((4 * 4240 + 2 * 168750) * 3600))
    audit
    run -0 sacct-carbon -nXP -a -S uts1000000 -E uts1020000 -o JobID,State,Account,EnergyRaw,Modelled,Sensors,Flags
    echo "$output"
    [[ $output == *'7|COMPLETED|physics|720001000|100%|backfill:ConsumedEnergy|backfilled'* ]]
    [[ $output == *'8|FAILED|physics|1276056000|100%|backfill:TRES|backfilled'* ]]
    run -0 sacct-carbon 7
    [[ $output == *'100 % of the energy modelled (sensor: backfill:ConsumedEnergy)'*'note'*'nobody metered it'* ]]
}

@test "once is enough; a dry run changes nothing; what was booked can be taken back" {
    said '7|c|1001000|1008200|COMPLETED|physics|cpu=8,node=2|n[1-2]|720000|one'
    run -0 backfill --dry-run
    [[ $output == *'a dry run, nothing is booked'*'booked: 1'* ]]
    empty
    backfill
    of 'UPDATE job SET reconciled_s = 1' # it is of this second
    of .dump >before
    run -0 backfill
    [[ $output == *'booked: 0'*'left alone: 1 in the books already'* ]]
    of 'UPDATE job SET reconciled_s = 1'
    of .dump >after
    cmp before after
    run -0 carbonctl backfill --drop -S uts1000000 -E uts1001000
    [[ $output == *'taken back: 0 '* ]]
    run -0 carbonctl backfill --drop -S uts1001000
    [[ $output == *'taken back: 2 '* ]]
    empty
    audit
}

@test "ConsumedEnergy that cannot be is not taken, and it is said why" {
    said '1|c|1001000|1001059|COMPLETED||cpu=8|n1|20000|short' \
        '2|c|1002000|1003000|COMPLETED||cpu=8|n1|9999|less than 10 W' \
        '3|c|1003000|1004000|COMPLETED||cpu=8|n1|600000|more than 596 W' \
        '4|c|1004000|1005000|COMPLETED||cpu=8,gres/gpu=4|n1|89000|less than 10 W and 20 W a GPU' \
        '5|c|1005000|1006000|COMPLETED||cpu=8|n1|18446744073709551614|not known to Slurm' \
        '6|c|1006000|1007000|COMPLETED||cpu=4|n1|100000|shared' \
        '7|c|1006999|1008000|COMPLETED||cpu=4|n[1,3]|100000|shared for a second' \
        '8|c|1008000|1009000|COMPLETED||cpu=8|n1|100000|alone' \
        '9|c|1006000|1007000|COMPLETED||cpu=4|n2|100000|alone on another'
    run -0 backfill
    echo "$output"
    [[ $output == *'booked: 9'*'ConsumedEnergy: 2, '*'AllocTRES: 7, '* ]]
    for why in '1 run: too short to have been polled twice' '2 runs: too few watts' '1 run: too many watts' \
        '1 run: slurmdbd has none' "2 runs: others were on its nodes"; do
        [[ $output == *"not taken of $why"* ]] || { echo "not: $why"; false; }
    done
    same 'believed' "$(of "SELECT group_concat(job_id) FROM (SELECT job_id FROM backfill JOIN allocation USING (allocation_key)
        JOIN job USING (job_key) WHERE source = 'ConsumedEnergy' ORDER BY job_id)")" 8,9
    audit
}

@test "runs that cannot be booked are counted by the reason" {
    said '1|c|1001000|Unknown|RUNNING||cpu=8|n1||running' '2|c|Unknown|1001000|CANCELLED by 0||||None assigned|never' \
        '3|c|1001000|1001000|FAILED||cpu=8|n1||no time' '4|c|1001000|1001100|COMPLETED||cpu=8|||no nodes' \
        '5|other|1001000|1001100|COMPLETED||cpu=8|n1||of another cluster' \
        '6|c|900000|1001100|COMPLETED||cpu=8|n1||begun before' '7.batch|c|1001000|1001100|COMPLETED||cpu=8|n1||a step'
    run -0 backfill
    [[ $output == *'booked: 0'* ]]
    for why in 'not over yet' 'never began' 'over within a second' 'without a NodeList' \
        'of clusters that are not in this database'; do
        [[ $output == *"left alone: 1 $why"* ]] || { echo "not: $why"; false; }
    done
    empty
}

@test "time in which a node was metered is left alone: only what was before is booked" {
    "$mkbatches" deliver 1 8 >truth
    carbonctl ingest >/dev/null
    said '5000|c|1789996400|1790003600|COMPLETED||cpu=8,node=2|n[1-2]|720000|half of it on n1 was before'
    run -0 backfill
    [[ $output == *'booked: 1'* ]]
    same 'on n1, half of its half' "$(of "SELECT SUM(active_mj + idle_mj) FROM energy JOIN node USING (node_key)
        JOIN job USING (job_key) WHERE job_id = 5000 AND name = 'n1'")" 180000000
    same 'on n2' "$(of "SELECT SUM(active_mj + idle_mj) FROM energy JOIN node USING (node_key)
        JOIN job USING (job_key) WHERE job_id = 5000 AND name = 'n2'")" 360000000
    said '5001|c|1790000060|1790000120|COMPLETED||cpu=8|n1|7200|metered'
    run -0 backfill
    [[ $output == *'booked: 0'*'left alone: 1 on nodes that were metered then'* ]]
    audit
}

@test "what was metered and comes later takes its place, on the nodes that it is of" {
    "$mkbatches" deliver 2 8 >truth
    mkdir late
    mv deliver/n2-* late
    said '5000|c|1790000030|1790000330|COMPLETED|a|cpu=8,node=3|n[1-3]|90000|one'
    backfill
    same 'before' "$(mj_of 5000)" 90000000
    carbonctl ingest >/dev/null
    audit
    same 'n2 and n3' "$(mj_of 5000)" 60000000
    mv late/* deliver
    carbonctl ingest >/dev/null
    audit
    same 'n3' "$(mj_of 5000)" 30000000
    same 'flagged' "$(of 'SELECT flags & 128 FROM job WHERE job_id = 5000')" 128
    carbonctl backfill --drop -S uts1790000000 >/dev/null
    same 'gone' "$(of 'SELECT COUNT(*) FROM job WHERE job_id = 5000')" 0
    same 'counted' "$(of 'SELECT SUM(counted_mj) FROM node_total')" "$(awk '{ sum += $2 } END { print sum }' truth)"
    audit
}

@test "in whatever order batches and backfill come, the books balance and no joule is there twice" {
    mkdir all
    "$mkbatches" all 3 12 7 >truth
    truth=$(awk '{ sum += $2 } END { print sum }' truth)
    said '5000|c|1790000100|1790000400|COMPLETED|a|cpu=8,node=3|n[1-3]|90000|across' \
        '5001|c|1789999000|1790000200|COMPLETED|a|cpu=8,node=1|n2|90000|into it' \
        '5002|c|1790000600|1790003600|COMPLETED|a|cpu=8,node=1|n3|90000|out of it'
    for seed in 1 2 3 4 5 6; do
        rm -rf carbon.db* deliver && mkdir deliver
        carbonctl init >/dev/null
        find all -name '*.batch' | sort | shuf --random-source=<(yes $seed) >order
        head -n $((seed * 5)) order | xargs -I{} cp {} deliver
        carbonctl ingest >/dev/null || [ $? -eq 3 ]
        [ $((seed % 3)) -ne 0 ] || carbonctl prune >/dev/null
        backfill >/dev/null
        [ $((seed % 3)) -ne 1 ] || carbonctl prune >/dev/null
        # holes in the streams are no fault of backfill's, once they are filled
        xargs -I{} cp {} deliver <order
        carbonctl ingest >/dev/null || [ $? -eq 3 ]
        audit
        carbonctl prune >/dev/null
        audit
        same "metered, seed $seed" "$(of "SELECT SUM(active_mj + idle_mj) FROM energy WHERE sensor NOT LIKE 'backfill:%'")" \
            "$truth"
        same 'twice' "$(of 'SELECT COUNT(*) FROM backfill WHERE EXISTS (SELECT 1 FROM batch
            WHERE batch.node_key = backfill.node_key AND begin_wall_ns < end_ns AND end_wall_ns > begin_ns)')" 0
    done
}

@test "what a core and a GPU draw: inventory.conf first, then what was measured since" {
    cat >inventory.conf <<'CONF'
node_type "said" { nodes = "s[1-2]" cores = 64 core_watts = 2.5 gpu_watts = 200 in_service = "2020-01-01" }
node_type "met" { nodes = "m[1-2]" cores = 64 gpus = 4 in_service = "2020-01-01" }
CONF
    carbonctl factors update >/dev/null
    now=$(date +%s)
    hour=$((now / 3600 * 3600 - 36000))
    # 64 cores and 4 GPUs for 5 hours on each of two: 640 core hours and 40 GPU hours, measured; 2 CPUs a core
    for n in 1 2; do
        of "INSERT INTO node VALUES ($n, 'c', 'm$n', 2, 64, 4, 1000);
            INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s, end_s, alloc_tres, node_count)
                VALUES ($n, 'c', $n, 0, $hour, $hour + 18000, 'cpu=128,mem=1G,node=1', 1);
            INSERT INTO allocation VALUES ($n, $n, $n, '1', 1, ${hour}000000000, ${hour}000000000 + 18000000000000,
                0, 1, 64, '', 4, '', 0, 0);
            INSERT INTO energy VALUES ($n, $hour, $n, -1, 'cpu', 'measured', 's', 64 * 18000 * 2000, 64 * 18000 * 1000, 1, 1);
            INSERT INTO energy VALUES ($n, $hour, $n, -1, 'other', 'measured', 's', 0, 64 * 18000 * 500, 1, 1);
            INSERT INTO energy VALUES ($n, $hour, $n, -1, 'gpu', 'measured', 's', 4 * 18000 * 300000, 4 * 18000 * 50000, 1, 1)"
    done
    said '10|c|1001000|1004600|COMPLETED||cpu=8,gres/gpu=1|s1||said' '11|c|1001000|1004600|COMPLETED||cpu=8,gres/gpu=1|m2||met' \
        '12|c|1001000|1004600|COMPLETED||cpu=8|x1||of no type'
    run -0 backfill
    echo "$output"
    [[ $output == *'type said: 2.5 W a core (inventory.conf), 200 W a GPU (inventory.conf)'* ]]
    [[ $output == *'type met: 3.5 W a core (measured since), 350 W a GPU (measured since)'* ]]
    same 'by inventory.conf' "$(mj_of 10)" $(((8 * 2500 + 200000) * 3600))
    # 8 CPUs are 4 cores there
    same 'as measured' "$(mj_of 11)" $(((4 * 3500 + 350000) * 3600))
    same 'cores' "$(of 'SELECT cores FROM allocation JOIN job USING (job_key) WHERE job_id = 11')" 4
    printf 'node_type "a" { nodes = "s1" core_watts = "3,5" in_service = "2020-01-01" }\n' >inventory.conf
    run -1 carbonctl factors update
    [[ $output == *'inventory.conf:1: '*core_watts* ]]
}

@test "no more cores and GPUs are held than a node has, so that a report can be made" {
    cat >inventory.conf <<'CONF'
node_type "a" { nodes = "n[1-2]" cores = 8 gpus = 2 in_service = "1970-01-01"
    asset "node" { class = GPU kg = 1000 lifetime_years = 60 source = "test" } }
CONF
    carbonctl factors update >/dev/null
    # Slurm's CPUs are threads here, and how three GPUs lay on two nodes is not known
    said '1|c|1789992000|1790003600|COMPLETED||cpu=16,gres/gpu=3|n[1-2]||long' \
        '2|c|1789992000|1789999200|COMPLETED||cpu=8,gres/gpu=1|n1||beside it' \
        '3|c|1789999200|1790002800|COMPLETED||cpu=8,gres/gpu=1|n2||after that'
    backfill
    same 'held' "$(of 'SELECT job_id, name, a.cores, a.gpus FROM allocation AS a JOIN job USING (job_key)
        JOIN node USING (node_key) ORDER BY job_id, name')" \
        $'1|n1|8|2\n1|n2|8|1\n2|n1|0|0\n3|n2|0|1'
    run -0 carbonctl inventory check
    [[ $output != *'reported no GPUs'* ]]
    run -0 sreport-carbon --starttime uts1789992000 --endtime uts1790006400
    [[ $output == *'of 3 jobs nobody metered, or not wholly: as slurmdbd knows of them'* ]]
    sreport-carbon --starttime uts1789992000 --endtime uts1790006400 --json >json
    python3 -c 'import json; e = json.load(open("json"))["energy"]
assert e["backfilled_jobs"] == 3 and e["backfilled_jobs_mj"] == e["counted_mj"] == e["modelled_mj"], e'
    sreport-carbon --starttime uts1789992000 --endtime uts1790006400 --html page.html >/dev/null
    grep -q '3 jobs were not metered, or not wholly' page.html
    audit
}

@test "the audit finds backfilled energy that lost its row, or whose node was metered" {
    said '7|c|1001000|1008200|COMPLETED|physics|cpu=8,node=1|n1|720000|one'
    backfill
    cp carbon.db good.db
    of "INSERT INTO batch VALUES (1, '0000000000000001', 1, '00000000', 'b', '0', 0, 0, 1001000000000000, 1001060000000000, 0, 0, 0, NULL)"
    run -1 carbonctl audit --verbose
    [[ $output == *A9*'its node was metered then'*'carbonctl backfill --drop'* ]]
    cp good.db carbon.db
    of 'DELETE FROM backfill_component; DELETE FROM backfill'
    run -1 carbonctl audit
    [[ $output == *A3*A9*'its row of backfill is not there'* ]]
    cp good.db carbon.db
    of 'UPDATE backfill_component SET energy_mj = energy_mj + 1'
    run -1 carbonctl audit
    [[ $output == *A3* ]]
}

@test "what it cannot take is said, and nothing of it stays" {
    run -1 carbonctl backfill --sacct-file said
    [[ $output == *'--starttime is missing'* ]]
    run -1 carbonctl backfill -S never --sacct-file said
    [[ $output == *--starttime:* ]]
    run -1 backfill
    [[ $output == *'cannot open said'* ]]
    said '7|c|1001000|1008200|COMPLETED|physics|cpu=8,node=1|n1|720000|one' '8|c|1001000|1008200|COMPLETED||cpu=8|n[1-||broken'
    run -1 backfill
    [[ $output == *'said:3: '*NodeList* ]]
    empty
    said '7|c|1001000|1008200|COMPLETED|physics|cpu=8,node=1|n1|720000|one'
    run -1 carbonctl backfill -S uts1000000 --sacct-file <(cat said)
    [[ $output == *'it has to be a file'* ]]
    empty
}
