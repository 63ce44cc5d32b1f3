# profile_fixture.sh - jobs with power by component, on top of sacct_fixture.sh: profile_fixture DIR
#
#   200  two nodes, 90 minutes: processors work from minute 10 to 60, GPUs in waves; nothing was
#        metered in minutes 30 to 34, and n2 is missing in minutes 70 to 72
#   201  runs still, on n3: three minutes so far
#   202  began two days before minutes are kept; its peak was then
#   203  a name that means harm

# minutes JOB_KEY NODES FROM BEHIND COMPONENT MILLIWATTS: MILLIWATTS is SQL of the minute i
minutes() {
    echo "WITH RECURSIVE i (i) AS (SELECT $3 UNION ALL SELECT i + 1 FROM i WHERE i + 1 < $4)"
    echo "INSERT INTO power SELECT $1, node_key, $t0 + i * 60, '$5', ($6) * 60, 60000"
    echo " FROM i JOIN node ON node_key IN ($2);"
}

profile_fixture_rows() {
    echo "PRAGMA foreign_keys = ON; BEGIN;"
    job 60 200 0 0 5400 0 0 2
    for node in 1 2; do
        on 9$node 60 $node 0 5400 5400 4 2
        step 60 0 9$node 1200000 2400000 7200000 0 0
    done
    minutes 60 1,2 0 90 cpu 'CASE WHEN i BETWEEN 10 AND 59 THEN 140000 + i * 100 ELSE 45000 END'
    minutes 60 1,2 0 90 memory '12000 + i % 3 * 1000'
    minutes 60 1,2 0 90 gpu 'CASE WHEN i % 20 < 12 THEN 300000 ELSE 60000 END'
    echo "DELETE FROM power WHERE job_key = 60 AND minute_s BETWEEN $t0 + 1800 AND $t0 + 2040;"
    echo "DELETE FROM power WHERE job_key = 60 AND node_key = 2"
    echo " AND minute_s BETWEEN $t0 + 4200 AND $t0 + 4320;"

    job 61 201 0 0 NULL NULL 0 1
    on 93 61 3 0 NULL 170 4 0
    minutes 61 3 0 3 cpu '80000 - i * 10000'

    job 62 202 0 -172800 3600 0 0 1 'peak_mw = 987000' "peak_minute_s = $t0 - 90000" \
        'peak_span_ms = 60000'
    on 94 62 1 -172800 3600 3600 4 0
    minutes 62 1 0 60 all 50000
    echo "INSERT INTO meta VALUES ('power_kept_since_s', $t0);"

    job 63 203 0 0 60 0 0 1 "job_name = CAST(x'1b5b33316d3c62e280ae26' AS TEXT)"
    on 95 63 1 0 60 60 1 0
    minutes 63 1 0 1 cpu 1000
    echo "COMMIT;"
}

# A database DIR/carbon.db, and DIR/carbon.conf that names it.
profile_fixture() {
    sacct_fixture "$1"
    profile_fixture_rows | sqlite3 -bail "$1/carbon.db"
}
