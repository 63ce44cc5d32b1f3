#!/usr/bin/env bats
# The store in PostgreSQL: the unit tests of what a store promises, on a real one, and the programs.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    "${top_builddir:?}/carbonctl" --version >/dev/null
    # shellcheck source=tests/cli/postgresql.sh
    . "${top_srcdir:?}/tests/cli/postgresql.sh"
    serve_tests
}

teardown_file() {
    # shellcheck source=tests/cli/postgresql.sh
    . "$top_srcdir/tests/cli/postgresql.sh"
    remove_postgresql
}

setup() {
    PATH=$(realpath "$top_builddir"):$PATH
    units=$(realpath "$top_builddir/tests/unit")
    mkbatches=$(realpath "$top_builddir/tests/fake/mkbatches")
    CARBON_DATA=$(realpath "$top_srcdir/accounting/carbon")
    top_srcdir=$(realpath "$top_srcdir")
    export CARBON_DATA top_srcdir TZ=UTC
    unset SLURM_CONF SLURM_TIME_FORMAT SUDO_USER
    # shellcheck source=tests/cli/postgresql.sh
    . "$top_srcdir/tests/cli/postgresql.sh"
    cd "$BATS_TEST_TMPDIR"
}

# A database of its own, and carbon.conf that names it.
site() {
    createdb "site$BATS_TEST_NUMBER"
    printf '%s\n' "Database=postgresql:///site$BATS_TEST_NUMBER" "DeliverDir=$PWD/deliver" \
        "Inventory=$PWD/inventory.conf" ClusterName=c Zone=FR >carbon.conf
    export SLURM_CARBON_CONF=$PWD/carbon.conf PGDATABASE=site$BATS_TEST_NUMBER
    mkdir deliver
}

of() { # SQL
    psql -qAtX -c "$1"
}

same() { # WHAT FOUND EXPECTED
    [ "$2" = "$3" ] || { printf '%s: found\n%s\nexpected\n%s\n' "$@"; return 1; }
}

counted() { # millijoules in the books
    carbonctl audit --json | awk -F'[:,]' '/"counted_mj"/ { sum += $2 } END { print sum }'
}

# --- the contract: what tests/unit asks of a store, whichever it is -------------------------------

promise() { # PROGRAM [ARGUMENT], by its path from "$units"
    BOOKS="postgresql:///postgres?application_name=unit" "$units/$1" "${@:2}" >log 2>&1 3>&- ||
        { tail -n 40 log; false; }
    ! grep -F '0 test(s) run' log
    grep 'SKIPPED' log || true
}

@test "the contract: loading in any order, requeues, reboots, months, sums" {
    promise test_load
}

@test "the contract: what the audit finds" {
    promise test_audit
}

@test "the contract: losses" {
    promise test_loss
}

@test "the contract: what is asked ahead" {
    promise test_ask
}

@test "the contract: factor sets" {
    promise test_factors
}

@test "the contract: reports read a period" {
    promise test_period
}

@test "the contract: profiles, pruning and peaks" {
    promise test_profile
    promise test_prune
    promise test_roll
    promise test_fold
}

@test "the contract: ingest" {
    promise test_ingest
}

# Some places, in about 20 s; with FAULTS_STRIDE=1 all, in about 10 min.
@test "the contract: ingest that fails, is killed or loses its server somewhere comes to the same books" {
    RESTART_SERVER="$postgresql -l $place/log -w -m immediate restart >/dev/null" \
        promise ../property/ingest_faults ${FAULTS_STRIDE:+"$FAULTS_STRIDE"}
    sed 's/^/#/' <(grep ' calls$' log) >&3
}

@test "power lies by month: partitions come before their month, and go when they are old and empty" {
    local this next
    this=power_$(date -u +%Y_%m) next=power_$(date -u -d "$(date -u +%Y-%m-01) +1 month" +%Y_%m)
    partitions() {
        of "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'power'::regclass
            ORDER BY relname COLLATE \"C\""
    }
    site
    carbonctl init
    same 'from the first' "$(partitions)" "$this"$'\n'"$next"$'\npower_rest'
    "$mkbatches" deliver 1 3
    carbonctl ingest
    of "CREATE TABLE power_2024_02 PARTITION OF power FOR VALUES FROM (1706745600) TO (1709251200);
        CREATE TABLE power_2024_03 PARTITION OF power FOR VALUES FROM (1709251200) TO (1711929600);
        INSERT INTO power SELECT 1, 1, 1709251200, 'cpu', 60000, 60000;
        INSERT INTO power SELECT 1, 1, $(date +%s) / 60 * 60, 'gpu', 60, 60000;
        DROP TABLE $next"
    same 'where a minute of now is' "$(of "SELECT COUNT(*) FROM $this")" 1
    # whoever reads is not disturbed, and nothing fails for it
    psql -qAtX -c 'BEGIN; SELECT COUNT(*) FROM power; SELECT pg_sleep(6)' >reader &
    sleep 1
    sed -i s/Zone=FR/KeepPowerDays=36/ carbon.conf
    carbonctl prune
    same 'a reader is there' "$(partitions)" power_2024_02$'\n'power_2024_03$'\n'"$this"$'\npower_rest'
    wait
    carbonctl prune
    same 'old and empty' "$(partitions)" "$this"$'\n'"$next"$'\npower_rest'
    same 'of now' "$(of "SELECT COUNT(*) FROM $this")" 1
    # minutes of a month that came before its partition stay where they are
    of "DROP TABLE $next; INSERT INTO power SELECT 1, 1, $(date -u -d "$(date -u +%Y-%m-01) +1 month" +%s), 'gpu', 60, 60000"
    carbonctl prune
    same 'one in the way' "$(partitions)" "$this"$'\npower_rest'
    carbonctl audit
}

# A distributed table takes no unique index without that column. The names are those of docs/scaling.md.
@test "the column to distribute a table by is in each of its unique indexes" {
    local doc=$top_srcdir/docs/scaling.md tables table column
    site
    carbonctl init
    for column in node_key job_key; do
        tables=$(tr '\n' ' ' <"$doc" | grep -oE "create_distributed_table\([^;]*'$column'\)[^;]*" | grep -oE "'[a-z_]+'" |
            tr -d "'" | grep -vx "$column")
        [ "$(wc -w <<<"$tables")" -eq "$([ $column = node_key ] && echo 7 || echo 1)" ]
        for table in $tables; do
            same "unique indexes of $table without $column" "$(psql -qtA -d "site$BATS_TEST_NUMBER" -c "
                SELECT indexrelid::regclass FROM pg_index WHERE indrelid = '$table'::regclass AND indisunique
                AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)
                    AND attname = '$column')")" ''
        done
    done
}

# --- the programs ---------------------------------------------------------------------------------

@test "from init to the report, with the figures that SQLite has" {
    site
    run -0 carbonctl init
    [[ $output == *'postgresql:///site'*'created'* ]]
    run -0 carbonctl init
    "$mkbatches" deliver 3 20 >truth
    cp -r deliver again
    carbonctl ingest
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
    cp again/* deliver
    carbonctl ingest
    same 'counted, delivered twice' "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
    carbonctl audit --verbose
    show() { # FILE
        sacct-carbon -a -P -S 2026-09-01 -E 2026-10-01 -o ALL 2>&1 | sed 's/|20[0-9T:-]*//g'
        sreport-carbon --month 2026-09 --json | grep -v '"made\|database\|generated'
        carbonctl export -S 2026-09-01 -E 2026-10-01
        carbonctl inventory check
    }
    show 2>&1 | sed "s|postgresql://[^ :]*|DATABASE|" >postgresql || true
    sed "s|^Database=.*|Database=sqlite:$PWD/carbon.db|" carbon.conf >sqlite.conf
    export SLURM_CARBON_CONF=$PWD/sqlite.conf
    carbonctl init >/dev/null
    cp again/* deliver
    carbonctl ingest
    show 2>&1 | sed "s|sqlite:[^ :]*|DATABASE|" >sqlite || true
    [ "$(wc -l <sqlite)" -gt 100 ]
    diff sqlite postgresql
}

@test "where the server has room for one connection alone, a report is read by that" {
    local report=(sreport-carbon --month 2026-09 --json)
    site
    "$mkbatches" deliver 3 8 >/dev/null
    carbonctl init >/dev/null
    carbonctl ingest >/dev/null
    of 'CREATE ROLE alone LOGIN CONNECTION LIMIT 1; GRANT SELECT ON ALL TABLES IN SCHEMA public TO alone'
    "${report[@]}" | grep -v generated >both
    PGUSER=alone "${report[@]}" 2>said | grep -v generated >one
    same said "$(cat said)" ''
    cmp both one
    grep -q '"jobs": [1-9]' one
    of 'DROP OWNED BY alone; DROP ROLE alone'
}

@test "a viewer is shown what SQLite shows him" {
    site
    carbonctl init >/dev/null
    "$mkbatches" deliver 3 20 >/dev/null
    cp -r deliver again
    carbonctl ingest >/dev/null
    owners="UPDATE job SET account = CASE job_id % 3 WHEN 0 THEN 'lab' WHEN 1 THEN 'it''s' END,
        user_name = CASE job_id % 4 WHEN 0 THEN 'alice' WHEN 1 THEN 'bob' END,
        uid = CASE job_id % 8 WHEN 0 THEN 1000 WHEN 2 THEN 1000 WHEN 3 THEN 1002 END"
    of "$owners"
    viewers=('uid=1000;user=alice' 'uid=1001;user=bob' 'uid=1002;account=lab' "uid=7;account=it%27s,lab" uid=9 all)
    show() {
        for SLURM_CARBON_VIEWER in "${viewers[@]}"; do
            export SLURM_CARBON_VIEWER
            echo "as $SLURM_CARBON_VIEWER"
            sacct-carbon -a -n -P -S 2026-09-01 -E 2026-10-01 -o JobID,User,Account,Energy
            sacct-carbon -n -P -S 2026-09-01 -E 2026-10-01 -o JobID -u alice,bob -A lab
            sreport-carbon --month 2026-09 -nP --section account,user,job 2>&1 | cut -d '|' -f 1-9
        done
        unset SLURM_CARBON_VIEWER
    }
    show >postgresql
    for viewer in "${viewers[@]}"; do
        echo "$viewer: $(SLURM_CARBON_VIEWER=$viewer sacct-carbon -a -nXP -S 2026-09-01 -E 2026-10-01 -o JobID | wc -l)"
    done | tee counts
    # by the rules, in SQL
    same 'jobs of alice' "$(grep -c . counts) $(sed -n 's/^uid=1000;user=alice: //p' counts)" "6 $(of "SELECT COUNT(*) FROM job
        WHERE uid = 1000 OR (uid IS NULL AND user_name = 'alice')")"
    same 'jobs of lab' "$(sed -n 's/^uid=1002;account=lab: //p' counts)" "$(of "SELECT COUNT(*) FROM job WHERE uid = 1002
        OR (account = 'lab' AND (uid IS NOT NULL OR user_name IS NOT NULL))")"
    same "jobs of it's" "$(sed -n 's/^uid=7;.*: //p' counts)" "$(of "SELECT COUNT(*) FROM job WHERE account IN ('lab', 'it''s')
        AND (uid IS NOT NULL OR user_name IS NOT NULL)")"
    sed -i "s|^Database=.*|Database=sqlite:$PWD/carbon.db|" carbon.conf
    carbonctl init >/dev/null
    cp again/* deliver
    carbonctl ingest >/dev/null
    sqlite3 carbon.db "$owners"
    show >sqlite
    diff sqlite postgresql
}

@test "slurmdbd's words, backfill and what gives way to it" {
    site
    carbonctl init >/dev/null
    "$mkbatches" deliver 2 8 >truth
    mkdir late
    mv deliver/n2-* late
    printf '%s\n' 'JobIDRaw|Cluster|Start|End|State|Account|AllocTRES|NodeList|ConsumedEnergyRaw|JobName' \
        $'5000|c|1790000030|1790000330|COMPLETED|a|cpu=8,node=3|n[1-3]|90000|caf\351' >said
    carbonctl backfill -S uts1000000 --sacct-file said
    carbonctl audit
    carbonctl ingest
    mv late/* deliver
    carbonctl ingest
    carbonctl audit
    same 'n3' "$(of 'SELECT SUM(active_mj + idle_mj) FROM energy JOIN job USING (job_key) WHERE job_id = 5000')" 30000000
    same 'a name that is no UTF-8' "$(of 'SELECT job_name FROM job WHERE job_id = 5000')" 'caf?'
    sed -i '2s/.*/100|c|1790000000|1790003600|COMPLETED|physics|cpu=4,node=1|n1|0|known/' said
    carbonctl reconcile -S uts1000000 --sacct-file said
    same 'account' "$(of 'SELECT account FROM job WHERE job_id = 100 LIMIT 1')" physics
    carbonctl backfill --drop -S uts1000000
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
}

@test "one writes at a time, and the others say who; readers go on" {
    site
    carbonctl init >/dev/null
    "$mkbatches" deliver 1 3 >/dev/null
    carbonctl ingest
    PGAPPNAME=somebody psql -qAtX -c 'SELECT pg_advisory_lock(1130459746, hashtext(current_schema()))' \
        -c 'SELECT pg_sleep(60)' >/dev/null &
    for _ in $(seq 100); do
        [ "$(of "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'")" = 0 ] || break
        sleep 0.1
    done
    run -1 carbonctl repair sums --wait 1
    [[ $output == *'is held by somebody, process '*'one process writes at a time'* ]]
    carbonctl audit >/dev/null
    sacct-carbon -a -S 2026-09-01 >/dev/null
    kill %1
}

@test "PostgreSQL that is killed in mid-load: nothing is lost, nothing counted twice" {
    site
    carbonctl init >/dev/null
    "$mkbatches" deliver 20 100 >truth
    carbonctl ingest --watch >log 2>&1 3>&- &
    for _ in 1 2 3; do
        sleep 0.7
        kill_postgresql
        run_postgresql
        if ! kill -0 %1 2>/dev/null; then # what systemd would do
            carbonctl ingest --watch >>log 2>&1 3>&- &
        fi
    done
    kill %% 2>/dev/null || true
    wait || true
    carbonctl ingest || [ $? -eq 3 ]
    same 'files that wait' "$(find deliver -name '*.batch' | wc -l)" 0
    carbonctl audit
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
}

# The two of a job's nodes that tell of it at once, and the two that end it at once, are of different
# loaders here: mkbatches gives all nodes jobs of the same ids.
@test "several that load at once: each batch once, and each job is one" {
    local loader
    site
    carbonctl init >/dev/null
    carbonctl ingest # the chores, which one does alone
    "$mkbatches" deliver 60 100 5 >truth # more than one of them takes by one commit
    for loader in 1 2 3; do
        carbonctl ingest >"log$loader" 2>&1 3>&- &
    done
    wait
    carbonctl ingest >log4 # of nodes that another had in hand when it ended
    cat log?
    same 'said of it' "$(grep -hv '^loaded' log?)" ''
    [ "$(grep -l 'loaded [1-9]' log[123] | wc -l)" -ge 2 ]
    same loaded "$(awk '{ sum += $2 } END { print sum }' log?)" 6000
    same 'files that wait' "$(find deliver -name '*.batch' | wc -l)" 0
    carbonctl audit
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"

    # the same as one alone comes to, but for the keys that rows were given
    "$mkbatches" deliver 60 100 5 >/dev/null
    PGDATABASE=postgres createdb alone
    sed 's|^Database=.*|Database=postgresql:///alone|' carbon.conf >alone.conf
    SLURM_CARBON_CONF=$PWD/alone.conf carbonctl init >/dev/null
    SLURM_CARBON_CONF=$PWD/alone.conf carbonctl ingest
    local jobs="SELECT job_id, restart_count, begin_s, end_s, flags, exit_status, (SELECT COUNT(*) FROM allocation
        WHERE allocation.job_key = job.job_key), (SELECT SUM(active_mj) FROM job_hour
        WHERE job_hour.job_key = job.job_key) FROM job ORDER BY 1, 2, 3, 4, 7, 8"
    same jobs "$(of "$jobs")" "$(PGDATABASE=alone of "$jobs")"
}

@test "several that load, killed at random: the books balance" {
    local loader round
    site
    carbonctl init >/dev/null
    "$mkbatches" deliver 40 40 6 >truth
    for round in 1 2 3 4; do
        for loader in 1 2 3; do
            timeout --foreground -s KILL "0.$((RANDOM % 8 + 1))" carbonctl ingest >/dev/null 2>&1 3>&- &
        done
        wait
    done
    carbonctl ingest
    same 'files that wait' "$(find deliver -name '*.batch' | wc -l)" 0
    carbonctl audit
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
}

@test "what is wrong is said with its remedy" {
    site
    run -1 carbonctl ingest
    [[ $output == *'there are no books in database postgresql:///'*'carbonctl init'* ]]
    carbonctl init >/dev/null
    run -1 carbonctl backup copy.db
    [[ $output == *pg_dump* ]]
    sed -i 's|^Database=.*|Database=postgresql:///nowhere|' carbon.conf
    run -1 carbonctl audit
    [[ $output == *'database "nowhere" does not exist'*'is PostgreSQL up'* ]]
    sed -i 's|^Database=.*|Database=postgres:///nowhere|' carbon.conf
    run -1 carbonctl audit
    [[ $output == *'carbon.conf:1: Database: '*'postgresql://HOST/DATABASE'* ]]
    sed -i 's|^Database=.*|Database=postgresql://me:secret@host/x|' carbon.conf
    run -1 carbonctl audit
    [[ $output == *'carbon.conf:1: Database: '*'no password'*.pgpass* ]]
    [[ $output != *secret* ]]
}
