# sreport_fixture.sh - October 2026 of a small cluster: source it, sreport_fixture DIR
#
# METHOD's tenth golden case, as rows of a database: what each pool emitted and who carries it is
# known to the milligram. All hours have energy that is easy to add up.
#   g1       8 GPUs, 3700 kg, 6 years, since 2024
#   g2       the same, since 2026-10-11: a node added in the month
#   c1       128 cores, 1313 kg, 5 years since 2021-10-20: fully amortised on 2026-10-19
#   switch   280 kg, 6 years, since 2024: shared
#   1 J1     g1, 8 GPUs for 375 h        3000 GPU-h     alice, climate
#   2 J2     g2, 8 GPUs for 312.5625 h   2500.5 GPU-h   bob, physics, failed
#   3 J3     g1, 4 GPUs for 300.0625 h   1200.25 GPU-h  carol, no account, its node rebooted
#   4 K1     c1, 100 cores for 200 h     20 000 core-h  alice, climate
#   5 K2     c1, 50 cores for 200 h      10 000 core-h  dave, =cmd (a name that means harm)
# Nodes draw 100 W that nobody holds and 10 W of their own; a job draws 1000 W above 200 W idle.

oct=1790812800 # 2026-10-01T00:00:00Z
hour_mj=3600000 # of one watt

# sjob KEY NODE_KEY BEGIN_S SECONDS CORES GPUS USER ACCOUNT EXIT FLAGS NAME; ACCOUNT NULL: none
sjob() {
    echo "INSERT INTO job (job_key, cluster, job_id, restart_count, uid, gid, user_name, account,"
    echo " partition_name, qos, job_name, node_count, begin_s, end_s, exit_status, flags) VALUES"
    echo " ($1, 'alpha', 100 + $1, 0, 1000 + $1, 1000, '$7', $8, 'part' || $2, 'normal', '${11}', 1,"
    echo " $3, $3 + $4, $9, ${10});"
    echo "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref, begin_ns, end_ns,"
    echo " seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb, flags) VALUES"
    echo " ($1, $1, $2, '00000000000000a$2', $1, $3 * 1000000000, ($3 + $4) * 1000000000,"
    echo " ($3 + $4) * 1000000000, 1, $5, '0-3', $6, '0-3', 16000, 0);"
    # its energy, by hour: 1000 W active, 200 W idle, as long as it lived in each
    echo "INSERT INTO energy WITH RECURSIVE h (s) AS (SELECT $3 / 3600 * 3600 UNION ALL"
    echo " SELECT s + 3600 FROM h WHERE s + 3600 < $3 + $4)"
    echo " SELECT $2, s, $1, -1, 'cpu', 'measured', 'powercap', lived * 1000000, lived * 200000,"
    echo " lived * 1000, lived * 1000 FROM (SELECT s,"
    echo " MIN(s + 3600, $3 + $4) - MAX(s, $3) AS lived FROM h);"
}

# snode_hours NODE_KEY BEGIN_S HOURS: what nobody holds, and the node's own
snode_hours() {
    local owner watts
    for owner in -1:100 -2:10; do
        watts=${owner#*:}
        echo "INSERT INTO energy WITH RECURSIVE h (s) AS (SELECT $2 UNION ALL"
        echo " SELECT s + 3600 FROM h WHERE s + 3600 < $2 + $3 * 3600)"
        echo " SELECT $1, s, 0, ${owner%%:*}, 'cpu', 'measured', 'powercap', 0,"
        echo " $watts * $hour_mj, 3600000, 3600000 FROM h;"
    done
}

sreport_rows() {
    echo "INSERT INTO node VALUES (1, 'alpha', 'g1', 2, 64, 8, 512000);"
    echo "INSERT INTO node VALUES (2, 'alpha', 'g2', 2, 64, 8, 512000);"
    echo "INSERT INTO node VALUES (3, 'alpha', 'c1', 2, 128, 0, 256000);"
    snode_hours 1 $oct 744
    snode_hours 2 $((oct + 864000)) 504
    snode_hours 3 $oct 744
    sjob 1 1 $oct $((375 * 3600)) 64 8 alice "'climate'" 0 0 train
    sjob 2 2 $((oct + 864000)) 1125225 64 8 bob "'physics'" 256 0 fold
    sjob 3 1 $((oct + 400 * 3600)) 1080225 32 4 carol NULL NULL 64 render
    sjob 4 3 $oct $((200 * 3600)) 100 0 alice "'climate'" 0 0 prepare
    sjob 5 3 $((oct + 300 * 3600)) $((200 * 3600)) 50 0 dave "'=cmd'" 0 0 '@sum,1'
}

sreport_inventory() {
    cat <<'END'
node_type "gpu" {
    nodes = "g1"
    gpus = 8
    cores = 64
    in_service = "2024-01-01"
    asset "server" { class = GPU kg = 3700 kg_low = 3000 kg_high = 5000 lifetime_years = 6
                     source = "golden case 10" }
}
node_type "gpu-2026" {
    nodes = "g2"
    gpus = 8
    cores = 64
    in_service = "2026-10-11"
    asset "server" { class = GPU kg = 3700 kg_low = 3000 kg_high = 5000 lifetime_years = 6
                     source = "golden case 10" }
}
node_type "cpu" {
    nodes = "c1"
    cores = 128
    in_service = "2021-10-20"
    asset "server" { class = CPU kg = 1313 kg_low = 1000 kg_high = 2000 lifetime_years = 5
                     source = "golden case 10" }
}
shared "switch" {
    count = 1
    kg = 280
    kg_low = 280
    kg_high = 280
    lifetime_years = 6
    in_service = "2024-01-01"
    source = "golden case 10"
}
account "climate" { parent = "science" }
account "physics" { parent = "science" }
END
}

# SQL on standard input goes in; sums are made anew.
sreport_sql() { # DIR
    { echo 'BEGIN;'; cat; cat "${top_srcdir:-.}/accounting/store/sums.sql"
      echo 'DELETE FROM node_total;'
      echo 'INSERT INTO node_total SELECT node_key, hour_s, component, SUM(active_mj + idle_mj)'
      echo ' FROM energy GROUP BY node_key, hour_s, component;'
      cat "${top_srcdir:-.}/accounting/store/sums.sql"; echo 'COMMIT;'; } | sqlite3 "$1/carbon.db"
}

# A database DIR/carbon.db without factors, DIR/carbon.conf and DIR/inventory.conf
sreport_books() {
    local store=${top_srcdir:-.}/accounting/store

    { echo 'PRAGMA application_id = 1130459746; PRAGMA user_version = 6;'
      cat "$store"/schema-[0-9].sql; } | sqlite3 "$1/carbon.db"
    sreport_rows | sreport_sql "$1"
    printf '%s\n' 'ClusterName=alpha' 'Zone=FR' 'PUE=1.2' "Database=sqlite:$1/carbon.db" \
        "Inventory=$1/inventory.conf" > "$1/carbon.conf"
    sreport_inventory > "$1/inventory.conf"
}

# A new factor set, made at a time that does not change
sreport_factors() { # DIR
    SLURM_CARBON_CONF=$1/carbon.conf "${top_builddir:-build}/carbonctl" factors update > /dev/null
    sqlite3 "$1/carbon.db" "UPDATE factor_set SET made_s = $oct + 86400 * 31 + factor_set"
}

sreport_fixture() {
    sreport_books "$1"
    sreport_factors "$1"
}
