# sacct_fixture.sh - a small database for the tests of sacct-carbon: source it, sacct_fixture DIR
#
# Everything happens on 2026-11-20 from 10:00 UTC on, in millijoules that are easy to add up.
#   100      two nodes with GPUs, steps batch, extern, 0 and 1, a remainder: all of it measured
#   101      runs still, on one node; its energy has been delivered up to 10:20
#   102      two of its four nodes have reported; exit 1
#   110_1-4  an array; 110_3 failed
#   120      ran twice: its node rebooted, then it was requeued
#   130+0,1  heterogeneous
#   140      a gap of a fifth of its time, and no end mark
#   141      modelled; a name that means harm
#   142      no energy at all, and no exit status
#   150      has a SLUID; of the cluster "beta"

t0=1795168800 # 2026-11-20T10:00:00Z

# job KEY ID RESTARTS BEGIN_S END_S|NULL EXIT|NULL FLAGS NODE_COUNT [COLUMN=VALUE]...
job() {
    local key=$1 id=$2 restarts=$3 begin=$4 end=$5 exit=$6 flags=$7 nodes=$8
    shift 8
    echo "INSERT INTO job (job_key, cluster, job_id, restart_count, uid, gid, user_name, account,"
    echo " partition_name, qos, job_name, node_count, begin_s, end_s, exit_status, flags) VALUES"
    echo " ($key, 'alpha', $id, $restarts, 1001, 1001, 'alice', 'physics', 'main', 'normal',"
    echo " 'train', $nodes, $t0 + $begin, $t0 + $end, $exit, $flags);"
    for assignment; do
        echo "UPDATE job SET $assignment WHERE job_key = $key;"
    done
}

# on KEY JOB_KEY NODE BEGIN_S END_S|NULL SEEN_S CORES GPUS: an allocation
on() {
    echo "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref, begin_ns, end_ns,"
    echo " seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb, flags) VALUES"
    echo " ($1, $2, $3, '00000000000000a$3', $1, ($t0 + $4) * 1000000000,"
    echo " ($t0 + $5) * 1000000000, ($t0 + $6) * 1000000000, 1, $7, '0-3', $8, '0-3', 16000, 0);"
}

# step JOB_KEY STEP_ID ALLOCATION BEGIN_MS END_MS|NULL CPU_MS EXIT|NULL FLAGS
step() {
    echo "INSERT INTO step (job_key, step_id, allocation_key, begin_ns, end_ns, cpu_ns, seen_seq,"
    echo " exit_status, cores, gpus, gpu_list, flags) VALUES"
    echo " ($1, $2, $3, $t0 * 1000000000 + $4 * 1000000, $t0 * 1000000000 + $5 * 1000000,"
    echo " $6 * 1000000, 1, $7, 4, 0, '', $8);"
}

# energy NODE HOUR JOB_KEY STEP_ID COMPONENT QUALITY SENSOR ACTIVE_MJ IDLE_MJ METERED_MS ELAPSED_MS
energy() {
    echo "INSERT INTO energy VALUES ($1, $t0 + $2 * 3600, $3, $4, '$5', '$6', '$7', $8, $9,"
    echo " ${10}, ${11});"
}

# power JOB_KEY NODE MINUTE ENERGY_MJ SPAN_MS
power() {
    echo "INSERT INTO power VALUES ($1, $2, $t0 + $3 * 60, 'all', $4, $5);"
}

sacct_fixture_rows() {
    local batch=4294967291 extern=4294967292 node name task

    echo "PRAGMA application_id = 1130459746; PRAGMA user_version = 6; BEGIN;"
    for node in 1 2 3; do
        name=n$node
        echo "INSERT INTO node VALUES ($node, 'alpha', '$name', 2, 8, 4, 64000);"
    done
    echo "INSERT INTO node VALUES (4, 'beta', 'b1', 1, 4, 0, 32000);"

    # 100: 10:00:00 to 11:30:00, 3 600 000 J in all: 1 kWh
    job 1 100 0 0 5400 0 0 2
    for node in 1 2; do
        on $node 1 $node 0 5400 5400 4 2
        step 1 $extern $node 0 5400000 0 NULL 0
        step 1 $batch $node 100 5399900 60000 0 0
        step 1 0 $node 10000 1810000 7200000 0 0
        step 1 1 $node 1810000 5390000 3600000 0 0
        energy $node 0 1 0 cpu measured powercap 200000000 50000000 3600000 3600000
        energy $node 0 1 0 memory measured powercap 40000000 10000000 3600000 3600000
        energy $node 0 1 0 gpu measured nvml 600000000 100000000 7200000 7200000
        energy $node 0 1 1 cpu measured powercap 100000000 50000000 3580000 3580000
        energy $node 1 1 1 cpu measured powercap 100000000 50000000 3580000 3580000
        energy $node 1 1 1 gpu measured nvml 350000000 50000000 7160000 7160000
        energy $node 0 1 $batch cpu measured powercap 60000000 20000000 20000 20000
        energy $node 0 1 $extern cpu measured powercap 0 0 20000 20000
        energy $node 0 1 -1 cpu measured powercap 0 20000000 40000 40000
        power 1 $node 0 10000000 60000
        power 1 $node 1 30000000 60000
        power 1 $node 89 90000 100
    done

    # 101: 10:00:00, running, 20 minutes delivered
    job 2 101 0 0 NULL NULL 0 1 "user_name = 'bob'" "uid = 1002" "account = 'chemistry'"
    on 3 2 3 0 NULL 1200 4 0
    step 2 0 3 1000 NULL 1000000 NULL 0
    energy 3 0 2 0 cpu measured powercap 36000000 36000000 1200000 1200000
    power 2 3 5 3600000 60000

    # 102: two of four nodes
    job 3 102 0 3600 7200 256 0 4
    for node in 1 2; do
        on 1$node 3 $node 3600 7200 7200 8 0
        step 3 0 1$node 3600000 7200000 100 256 0
        energy $node 1 3 0 cpu measured powercap 18000000 0 3600000 3600000
        energy $node 1 3 0 memory measured powercap 1800000 0 3600000 3600000
    done

    # 110_1 to 110_4: the last task has the array's own number
    for task in 1 2 3 4; do
        job $((10 + task)) $((task == 4 ? 110 : 110 + task)) 0 $((60 * task)) $((60 * task + 10)) \
            $((task == 3 ? 9 : 0)) 0 1 'array_job_id = 110' "array_task_id = $task" \
            "job_name = 'sweep'"
        on 2$task $((10 + task)) 1 $((60 * task)) $((60 * task + 10)) $((60 * task + 10)) 1 0
        step $((10 + task)) $batch 2$task $((60000 * task)) $((60000 * task + 10000)) 9000 0 0
        energy 1 0 $((10 + task)) $batch cpu measured powercap ${task}00000 ${task}0000 10000 10000
    done

    # 120: its first run was lost with its node (flag 64), then it ran through
    job 21 120 0 0 600 NULL 64 1
    on 31 21 3 0 600 600 2 0
    energy 3 0 21 -1 cpu measured powercap 5000000 1000000 600000 600000
    job 22 120 1 1000 1600 0 0 1
    on 32 22 2 1000 1600 1600 2 0
    energy 2 0 22 -1 cpu measured powercap 7000000 2000000 600000 600000

    # 130+0 and 130+1
    for task in 0 1; do
        job $((31 + task)) $((130 + task)) 0 0 100 0 0 1 'het_job_id = 130' "het_offset = $task" \
            "qos = 'high'"
        on 4$task $((31 + task)) $((1 + task)) 0 100 100 2 0
        step $((31 + task)) 0 4$task 0 100000 100000 0 0
        energy $((1 + task)) 0 $((31 + task)) 0 cpu measured powercap 3600000 0 100000 100000
    done

    # 140: 200 of 1000 s are a gap; end_lost is flag 4
    job 41 140 0 0 1000 NULL 4 1
    on 51 41 1 0 1000 1000 2 0
    step 41 0 51 0 1000000 5000 NULL 4
    energy 1 0 41 0 cpu measured powercap 8000000 0 800000 800000
    energy 1 0 41 0 cpu gap powercap 0 0 0 200000

    # 141: modelled, and a name with an escape, a delimiter, a turn of direction and bad UTF-8
    job 42 141 0 0 100 0 0 1 "partition_name = 'gpu'" \
        "job_name = CAST(x'1b5b33316d7c61c3a9e280ae620aff' AS TEXT)"
    on 61 42 1 0 100 100 2 0
    step 42 0 61 0 100000 1000 0 0
    energy 1 0 42 0 cpu modelled model 1234567 1000 100000 100000

    # 142: known by its marks alone
    job 43 142 0 0 10 NULL 0 1 "user_name = NULL" "account = NULL" "job_name = NULL" \
        'node_count = NULL'
    on 71 43 1 0 10 10 0 0

    # 150: the number of another cluster's job, and a SLUID
    job 51 150 0 86400 86410 0 0 1 "cluster = 'beta'" "sluid = 's1f3k9w2x4y6z8'"
    on 81 51 4 86400 86410 86410 1 0
    energy 4 24 51 -1 cpu measured powercap 360000 0 10000 10000
    echo "COMMIT;"
}

# sacct_factors CONF: a factor set of this carbon.conf, dated so that golden files can name it
sacct_factors() {
    local books
    books=$(sed -n 's/^Database=sqlite://p' "$1")

    CARBON_DATA=${top_srcdir:-.}/accounting/carbon \
        "${top_builddir:?}/carbonctl" factors update --config "$1" > "$1.log" || cat "$1.log" >&2
    sqlite3 "$books" "UPDATE factor_set SET made_s = $t0"
}

# A database DIR/carbon.db with factor set 1, and DIR/carbon.conf that names it.
sacct_fixture() {
    local dir=$1 store=${top_srcdir:-.}/accounting/store

    { cat "$store"/schema-[0-9].sql; sacct_fixture_rows; cat "$store/sums.sql"; } |
        sqlite3 "$dir/carbon.db"
    printf '%s\n' 'ClusterName=alpha' 'Zone=FR' 'PUE=1.2' "Database=sqlite:$dir/carbon.db" \
        "Inventory=$dir/inventory.conf" > "$dir/carbon.conf"
    sacct_factors "$dir/carbon.conf"
}
