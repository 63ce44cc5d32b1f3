#!/usr/bin/env bats
# carbonctl migrate-store: all books from SQLite to PostgreSQL and back, or none.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    "${top_builddir:?}/carbonctl" --version >/dev/null
    command -v sqlite3 >/dev/null || skip 'no sqlite3 command'
    # shellcheck source=tests/cli/postgresql.sh
    . "${top_srcdir:?}/tests/cli/postgresql.sh"
    serve_tests
}

teardown_file() {
    # shellcheck source=tests/cli/postgresql.sh
    . "$top_srcdir/tests/cli/postgresql.sh"
    remove_postgresql
}

# A site on SQLite, and an empty database $to.
setup() {
    PATH=$(realpath "$top_builddir"):$PATH
    mkbatches=$(realpath "$top_builddir/tests/fake/mkbatches")
    faults=$(realpath "$top_builddir/.libs/libfaults.so")
    top_srcdir=$(realpath "$top_srcdir")
    export CARBON_DATA=$top_srcdir/accounting/carbon top_srcdir TZ=UTC
    unset SLURM_CONF SLURM_TIME_FORMAT SUDO_USER
    # shellcheck source=tests/cli/postgresql.sh
    . "$top_srcdir/tests/cli/postgresql.sh"
    cd "$BATS_TEST_TMPDIR"
    to=postgresql:///site$BATS_TEST_NUMBER
    createdb "site$BATS_TEST_NUMBER"
    export PGDATABASE=site$BATS_TEST_NUMBER
    mkdir deliver
    printf '%s\n' "Database=sqlite:$PWD/carbon.db" "DeliverDir=$PWD/deliver" \
        "Inventory=$PWD/inventory.conf" ClusterName=c Zone=FR \
        KeepPowerDays=3650 >carbon.conf
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    carbonctl init >/dev/null
}

teardown() {
    [ -z "${holder-}" ] || kill -KILL "$holder" 2>/dev/null || true
    ! mountpoint -q "$BATS_TEST_TMPDIR/small" || umount "$BATS_TEST_TMPDIR/small"
}

rows() { # FILE: all that moves
    sqlite3 "$1" .dump | grep -v "^INSERT INTO meta VALUES('moved_to',"
}

moved() { # FILE: where to
    sqlite3 "$1" "SELECT content FROM meta WHERE name = 'moved_to'"
}

of() { # SQL
    psql -qAtX -c "$1"
}

same() { # WHAT FOUND EXPECTED
    [ "$2" = "$3" ] || { printf '%s: found\n%s\nexpected\n%s\n' "$@"; return 1; }
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

conf_of() { # DATABASE: a carbon.conf that names it
    sed "s|^Database=.*|Database=$1|" carbon.conf >"other.conf"
    echo other.conf
}

counted() { # millijoules in the books
    carbonctl audit --json | awk -F'[:,]' '/"counted_mj"/ { sum += $2 } END { print sum }'
}

no_books() { # in PostgreSQL
    same 'tables' "$(of "SELECT COUNT(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")" 0
}

all_books() { # the same as in carbon.db, where that is
    rm -f all.db*
    carbonctl -c "$(conf_of "${1:-$to}")" migrate-store "sqlite:$PWD/all.db" >said
    cmp <(rows carbon.db) <(rows all.db)
}

# Something in every table: batches of two clusters, factor sets with an inventory and a grid, words
# of slurmdbd, a job that nobody metered, a loss, a file in quarantine, minutes pruned.
fill() {
    cat >inventory.conf <<'END'
node_type "cpu" {
    nodes = "n[1-3]"
    cores = 8
    in_service = "2024-01-01"
    asset "server" { class = CPU  kg = 1000  kg_low = 900  kg_high = 1200  lifetime_years = 5
        source = "a test" }
}
END
    carbonctl factors update >/dev/null
    printf '%s\n' start_utc,end_utc,gco2e_per_kwh \
        2026-09-21T00:00:00Z,2026-09-21T01:00:00Z,25 >grid.csv
    carbonctl grid import --zone FR --basis lifecycle --scope consumption --source test grid.csv \
        --allow-gaps >said 2>&1 || { cat said; return 1; }
    "$mkbatches" deliver 3 30 >truth
    "$mkbatches" deliver 2 10 7 d 9000 >>truth
    head -c 200 "$(find deliver -name 'n2-*1001-*3.batch' | head -n 1)" >torn
    mv torn "$(find deliver -name 'n2-*1001-*3.batch' | head -n 1)"
    echo notes >deliver/notes.batch
    carbonctl ingest >said 2>&1 || [ $? -eq 3 ]
    carbonctl quarantine drop "$(cd deliver/quarantine && ls n2-*.batch)" --reason 'torn' >said
    printf '%s\n' 'JobIDRaw|Cluster|Start|End|State|Account|AllocTRES|NodeList|ConsumedEnergyRaw|JobName' \
        '5000|c|1780000030|1780003330|COMPLETED|a|cpu=8,node=3|n[1-3]|90000|café' >said
    carbonctl backfill -S uts1000000 --sacct-file said >/dev/null
    printf '%s\n' 'JobIDRaw|JobID|Cluster|Submit|Start|End|State|User|Account|QOS|NNodes|AllocTRES|JobName' \
        '100|100|c|1789999000|1790000000|1790003600|COMPLETED|alice|physics|high|1|cpu=4,node=1|known' >said
    carbonctl reconcile -S uts1000000 --sacct-file said >/dev/null
    sqlite3 carbon.db "INSERT OR REPLACE INTO meta VALUES ('power_kept_since_s', '1000000')"
    carbonctl audit >said || { cat said; return 1; }
}

# What the programs print of books.
show() { # CONF
    sacct-carbon --config "$1" -a -P -S 2026-01-01 -E 2026-12-01 -o ALL
    sreport-carbon --config "$1" --month 2026-09 --json | grep -v '"generated'
    carbonctl export -c "$1" -S 2026-01-01 -E 2026-12-01
    carbonctl audit -c "$1"
    carbonctl factors -c "$1" list
    carbonctl quarantine -c "$1" list
}

# --- there and back -------------------------------------------------------------------------------

@test "there and back: every row of every table, and every figure" {
    fill
    for table in $(sqlite3 carbon.db "SELECT name FROM sqlite_master WHERE type = 'table'"); do
        [ "$(sqlite3 carbon.db "SELECT COUNT(*) > 0 FROM $table")" = 1 ] || { echo "nothing in $table"; false; }
    done
    sqlite3 carbon.db .dump >before
    total=0
    for table in $(sqlite3 carbon.db "SELECT name FROM sqlite_master WHERE type = 'table'"); do
        total=$((total + $(sqlite3 carbon.db "SELECT COUNT(*) FROM $table")))
    done
    run -0 carbonctl migrate-store "$to"
    says "now write Database=$to into $PWD/carbon.conf, start again what was stopped, and keep sqlite:$PWD/carbon.db"
    [[ $output != *UTF-8* && $output != *' before: '* ]]
    cmp before <(rows carbon.db)
    same 'moved to' "$(moved carbon.db)" "$to"
    same rows "$(sed -n '1s/.*: \([0-9]*\) rows of .*/\1/p' <<<"$output")" "$total"
    cp "$(conf_of "$to")" postgresql.conf
    mkdir back
    [ "$(id -u)" -ne 0 ] || chown nobody back
    run -0 carbonctl -c postgresql.conf migrate-store "sqlite:$PWD/back/carbon.db"
    same 'rows back' "$(sed -n '1s/.*: \([0-9]*\) rows of .*/\1/p' <<<"$output")" "$total"
    cmp before <(sqlite3 back/carbon.db .dump)
    same 'mode and owner' "$(stat -c '%a %u' back/carbon.db)" "640 $(stat -c %u back)"
    for mark in application_id user_version; do
        same "$mark" "$(sqlite3 back/carbon.db "PRAGMA $mark")" "$(sqlite3 carbon.db "PRAGMA $mark")"
    done
    show carbon.conf >sqlite
    [ "$(wc -l <sqlite)" -gt 150 ]
    show postgresql.conf | diff sqlite -
    show "$(conf_of "sqlite:$PWD/back/carbon.db")" | diff sqlite -
}

@test "loading goes on there, and what was loaded before is known" {
    "$mkbatches" deliver 3 40 >truth
    mkdir again late
    cp deliver/* again
    for file in deliver/*; do # the second half of each stream, and all of the third node
        [[ $file != *-0000000000[23]?.batch && $file != */n3-* ]] || mv "$file" late
    done
    carbonctl ingest
    carbonctl migrate-store "$to"
    cp "$(conf_of "$to")" carbon.conf
    cp again/* deliver
    carbonctl ingest >said
    grep -q 'duplicates [1-9]' said
    same waiting "$(find deliver -name '*.batch' | wc -l)" 0
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
    printf '%s\n' 'JobIDRaw|Cluster|Start|End|State|Account|AllocTRES|NodeList|ConsumedEnergyRaw|JobName' \
        '5000|c|1780000030|1780003330|COMPLETED|a|cpu=8,node=3|n[1-3]|90000|x' >said
    carbonctl backfill -S uts1000000 --sacct-file said
    echo 'PUE=1.5' >>carbon.conf
    carbonctl factors update
    carbonctl audit
}

@test "between two of a kind; another schema; what is beside the tables stays" {
    fill
    run -0 carbonctl migrate-store "sqlite:$PWD/second.db"
    cmp <(rows carbon.db) <(rows second.db)
    createdb "other$BATS_TEST_NUMBER"
    for database in "$PGDATABASE" "other$BATS_TEST_NUMBER"; do
        psql -qX -d "$database" -c 'CREATE SCHEMA carbon' -c 'CREATE TABLE public.node (x INTEGER)' \
            -c "ALTER DATABASE \"$database\" SET search_path = carbon"
    done
    run -0 carbonctl migrate-store "$to"
    says "sqlite:$PWD/carbon.db was moved to sqlite:$PWD/second.db before: what was loaded there since is not in it"
    carbonctl -c "$(conf_of "$to")" migrate-store "postgresql:///other$BATS_TEST_NUMBER"
    all_books "postgresql:///other$BATS_TEST_NUMBER"
    same 'public' "$(of "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'")" node
    same 'nodes' "$(of 'SELECT COUNT(*) FROM carbon.node')" "$(sqlite3 carbon.db 'SELECT COUNT(*) FROM node')"
}

@test "texts that are no UTF-8, or have a NUL, are told and kept as PostgreSQL can" {
    "$mkbatches" deliver 1 3 >/dev/null
    echo text >deliver/$'a\xff.batch'
    carbonctl ingest || [ $? -eq 3 ]
    sqlite3 carbon.db "UPDATE job SET job_name = CAST(x'636166e9' AS TEXT), account = CAST(x'610062' AS TEXT)
        WHERE job_key = 1"
    run -0 carbonctl migrate-store --dry-run "$to"
    says '3 texts are no UTF-8: "?" would be in place'
    run -0 carbonctl migrate-store "sqlite:$PWD/second.db"
    [[ $output != *UTF-8* ]]
    cmp <(rows carbon.db) <(rows second.db)
    run -0 carbonctl migrate-store "$to"
    says '3 texts are no UTF-8: "?" is in place'
    same 'name' "$(of 'SELECT job_name, account FROM job WHERE job_key = 1')" 'caf?|a'
    same 'file' "$(of 'SELECT file_name FROM quarantine')" 'a?.batch'
    # two that only such bytes tell apart
    sqlite3 carbon.db "INSERT INTO quarantine VALUES (CAST(x'61fe2e6261746368' AS TEXT), 'x', 1)"
    createdb "other$BATS_TEST_NUMBER"
    run -1 carbonctl migrate-store "postgresql:///other$BATS_TEST_NUMBER"
    says 'table quarantine has rows that are alike once bytes that are no UTF-8 are "?"; change or remove one'
}

# --- refusals -------------------------------------------------------------------------------------

@test "a dry run tells what would be moved, and leaves nothing" {
    fill
    run -0 carbonctl migrate-store --dry-run "$to"
    says 'would be moved there; the books balance'
    told=${output%%, would*}
    no_books
    run -0 carbonctl migrate-store --dry-run "sqlite:$PWD/new.db"
    [ ! -e new.db ] && [ ! -e new.db-journal ]
    run -0 carbonctl migrate-store "$to"
    same 'told' "${output%%, read*}" "$told"
}

@test "what cannot be done is refused with its remedy, and leaves nothing" {
    fill
    sqlite3 carbon.db .dump >before
    run -1 carbonctl migrate-store
    says 'name the database to move to'
    run -1 carbonctl migrate-store "sqlite:$PWD/carbon.db"
    says 'is the database in use; name another'
    run -1 carbonctl migrate-store mysql:///x
    says "'mysql:///x' is no database; give sqlite:/absolute/path or postgresql://HOST/DATABASE"
    run -1 carbonctl migrate-store postgresql://me:secret@host/x
    says '.pgpass'
    [[ $output != *secret* ]]
    run -1 carbonctl migrate-store postgresql:///nowhere
    says 'database "nowhere" does not exist'
    mkdir link
    ln -s "$PWD" link/here
    run -1 carbonctl migrate-store "sqlite:$PWD/link/here/carbon.db"
    says 'carbon.db.lock is held by carbonctl migrate-store, process '
    run -1 carbonctl migrate-store "sqlite:$PWD/absent/new.db"
    says "cannot use the directory $PWD/absent of the database"
    # books are there
    carbonctl -c "$(conf_of "sqlite:$PWD/second.db")" init >/dev/null
    carbonctl -c "$(conf_of "$to")" init >/dev/null
    for database in "sqlite:$PWD/second.db" "$to"; do
        run -1 carbonctl migrate-store "$database"
        says 'has books already; name one that has none'
    done
    echo precious >notes
    run -1 carbonctl migrate-store "sqlite:$PWD/notes"
    same 'notes' "$(cat notes)" precious
    # a service goes on loading
    carbonctl ingest --watch >log 2>&1 3>&- &
    holder=$!
    for _ in $(seq 100); do
        [ ! -s carbon.db.ingest.lock ] || break
        sleep 0.1
    done
    run -1 carbonctl migrate-store "sqlite:$PWD/new.db"
    says 'what would go on loading into the old database has to be stopped first'
    says 'carbonctl ingest --watch, process '
    kill "$holder"
    wait "$holder" || true
    # the books are wrong
    sqlite3 carbon.db 'UPDATE node_total SET counted_mj = counted_mj + 1 WHERE rowid = 1'
    run -1 carbonctl migrate-store "sqlite:$PWD/new.db"
    says 'do not balance, and so nothing was moved: '
    says 'first A1: '
    says '`carbonctl audit --verbose` says what to do about each'
    sqlite3 carbon.db 'UPDATE node_total SET counted_mj = counted_mj - 1 WHERE rowid = 1'
    sqlite3 carbon.db "UPDATE step SET cpu_ns = 'many' WHERE rowid = 1"
    run -1 carbonctl migrate-store "sqlite:$PWD/new.db"
    says "table step, column cpu_ns: 'many' is no integer"
    [ ! -e new.db ] && [ ! -e new.db-journal ]
}

# --- interrupted ----------------------------------------------------------------------------------

# Rows of energy are not taken by PostgreSQL until it is told to go on: the command stands there.
hold_energy() {
    psql -qX <<'SQL'
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
CREATE FUNCTION on_table() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('energy') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'held') THEN
        CREATE TRIGGER held BEFORE INSERT ON energy FOR EACH ROW EXECUTE FUNCTION hold();
    END IF;
END $$;
CREATE EVENT TRIGGER energy_held ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION on_table();
SQL
}

let_energy_go() {
    of 'DROP EVENT TRIGGER energy_held; DROP FUNCTION on_table; DROP FUNCTION hold'
}

begin_held() { # the command, in the background, up to there
    carbonctl migrate-store "$to" >log 2>&1 3>&- &
    holder=$!
    for _ in $(seq 300); do
        [ "$(of "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")" = 0 ] || return 0
        sleep 0.1
    done
    cat log
    return 1
}

nobody_there() { # the server has noticed that the client is gone
    of "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'carbonctl migrate-store'" >/dev/null
    for _ in $(seq 100); do
        [ "$(of "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'carbonctl migrate-store'
            AND datname = current_database()")" != 0 ] || return 0
        sleep 0.1
    done
    return 1
}

@test "in mid-copy others wait and readers go on; then it is killed, or the server" {
    fill
    sqlite3 carbon.db .dump >before
    hold_energy
    begin_held
    run -1 carbonctl repair sums --wait 0
    says 'is held by carbonctl migrate-store, process '
    run -1 carbonctl -c "$(conf_of "$to")" init --wait 0
    says 'is held by carbonctl migrate-store, process '
    run -1 carbonctl -c other.conf audit
    says 'there are no books in database'
    carbonctl audit >/dev/null
    sacct-carbon -a -S 2026-09-01 >/dev/null
    kill -KILL "$holder"
    wait "$holder" || true
    nobody_there
    no_books
    cmp before <(sqlite3 carbon.db .dump)
    begin_held
    kill_postgresql
    status=0
    wait "$holder" || status=$?
    holder=
    run_postgresql
    same 'status' "$status" 1
    grep -F 'table energy: database postgresql://' log
    no_books
    cmp before <(sqlite3 carbon.db .dump)
    let_energy_go
    run -0 carbonctl migrate-store "$to"
    carbonctl -c "$(conf_of "$to")" repair sums
    all_books
}

@test "killed at random moments, PostgreSQL has all books and carbon.db is marked, or none" {
    fill
    for moment in 0.02 0.07 0.13 0.2 0.3 0.4 0.5 0.6 0.8 1; do
        sqlite3 carbon.db "DELETE FROM meta WHERE name = 'moved_to'"
        run timeout --foreground -s KILL "$moment" carbonctl migrate-store "$to"
        nobody_there
        if [ "$status" -ne 0 ]; then
            if [ "$(of "SELECT to_regclass('meta')")" = '' ]; then
                no_books
                continue
            fi
        fi
        same 'moved to' "$(moved carbon.db)" "$to"
        all_books
        of "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    done
    carbonctl migrate-store "$to"
    all_books
}

@test "killed at any change to a file, a new file has all books and the old one is marked, or none" {
    if grep -q '__asan_init' "$(command -v carbonctl)"; then skip "a preload does not go with sanitizers"; fi
    "$mkbatches" deliver 2 10 >/dev/null
    carbonctl ingest
    sqlite3 carbon.db .dump >before
    mkdir new made
    mv carbon.db made
    n=-2 status=137 none=0 all=0
    while [ "$status" -eq 137 ]; do
        n=$((n + 3))
        rm -f new/* carbon.db*
        cp made/carbon.db .
        FAULT=kill FAULT_AT=$n FAULT_BELOW=$PWD LD_PRELOAD=$faults \
            run carbonctl migrate-store "sqlite:$PWD/new/carbon.db"
        [ "$status" -ne 137 ] || {
            run carbonctl audit -c "$(conf_of "sqlite:$PWD/new/carbon.db")"
            if [ "$status" -eq 0 ]; then
                all=$((all + 1))
                same 'moved to' "$(moved carbon.db)" "sqlite:$PWD/new/carbon.db"
                run -1 carbonctl ingest
                cmp before <(sqlite3 new/carbon.db .dump)
            else # the same command again
                none=$((none + 1))
                says 'new/carbon.db'
                carbonctl migrate-store "sqlite:$PWD/new/carbon.db"
                cmp before <(sqlite3 new/carbon.db .dump)
            fi
            status=137
        }
        cmp before <(rows carbon.db)
    done
    [ "$status" -eq 0 ]
    echo "# killed at $((none + all)) of $n places, $all of them behind the commit" >&3
    [ "$none" -gt 5 ] && [ "$all" -gt 0 ]
}

@test "a disk that is full gets none of the books, and all once there is room" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    fill
    mkdir small
    mount -t tmpfs -o size=200k,mode=755 none small || skip 'cannot mount'
    run -1 carbonctl migrate-store "sqlite:$PWD/small/carbon.db"
    says 'make room on its disk'
    [ ! -e small/carbon.db ] && [ ! -e small/carbon.db-journal ]
    mount -o remount,size=20m small
    carbonctl migrate-store "sqlite:$PWD/small/carbon.db"
    cmp <(rows carbon.db) <(rows small/carbon.db)
    umount small
}

@test "PostgreSQL whose disk is full has none of the books, and all once there is room" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    fill
    mkdir "$place/small"
    mount -t tmpfs -o size=40m none "$place/small" || skip 'cannot mount'
    mkdir "$place/small/space"
    chown nobody:nogroup "$place/small/space"
    of "CREATE TABLESPACE small LOCATION '$place/small/space'"
    createdb -D small small
    to=postgresql:///small
    PGDATABASE=small of 'CHECKPOINT'
    dd if=/dev/zero of="$place/small/other" bs=64k 2>/dev/null || true
    truncate -s -256K "$place/small/other"
    run carbonctl migrate-store "$to"
    failed=$status said=$output
    rm "$place/small/other"
    left=$(PGDATABASE=small of "SELECT to_regclass('meta')")
    run carbonctl migrate-store "$to"
    again=$status
    [ "$again" -ne 0 ] || all_books
    dropdb small
    of 'DROP TABLESPACE small'
    umount "$place/small"
    same 'status' "$failed" 1
    [[ $said == *'No space left on device'* ]]
    same 'left' "$left" ''
    same 'again' "$again" 0
}

# --- books that were moved ------------------------------------------------------------------------

# What is delivered while they move, and afterwards, to services that go on with the old database.
@test "services that run on load nothing into books that were moved, and nothing is lost" {
    local loader file loaders=()
    cp "$(conf_of "$to")" carbon.conf
    carbonctl init >/dev/null
    "$mkbatches" deliver 6 60 >truth
    mkdir late later
    for file in deliver/*; do
        [[ $file != *-0000000000[23]?.batch ]] || mv "$file" late
        [[ $file != *-00000000003?.batch ]] || mv "late/${file#*/}" later
    done
    for loader in 1 2; do
        timeout 60 carbonctl ingest --watch --wait 60 >"log$loader" 2>&1 3>&- &
        loaders+=($!)
    done
    for file in late/*; do
        mv "$file" deliver
        sleep 0.02
    done &
    for _ in $(seq 200); do
        [ "$(of 'SELECT COUNT(*) FROM batch')" -le 186 ] || break # some of those that come one by one
        sleep 0.1
    done
    carbonctl migrate-store --wait 60 "sqlite:$PWD/new.db"
    mv later/* deliver
    wait %% || true
    for loader in 0 1; do
        status=0
        wait "${loaders[$loader]}" || status=$?
        same 'status' "$status" 1
        grep -F "were moved, and nobody reads what is written here: write Database=sqlite:$PWD/new.db into carbon.conf and start this again" "log$((loader + 1))"
    done
    # what they loaded is what was moved
    carbonctl audit >old
    cp "$(conf_of "sqlite:$PWD/new.db")" new.conf
    carbonctl -c new.conf audit | diff old -
    left=$(find deliver -name '*.batch' | wc -l)
    [ "$left" -ge 78 ] && [ "$left" -lt 174 ] || { echo "$left are left"; false; }
    # whoever else would write, and the service started again
    for loader in 'ingest --watch' ingest init prune 'repair sums' 'factors update'; do
        # shellcheck disable=SC2086 # words of a command
        run -1 timeout 20 carbonctl $loader
        says "Database=sqlite:$PWD/new.db"
    done
    carbonctl -c new.conf ingest
    same waiting "$(find deliver -name '*.batch' | wc -l)" 0
    carbonctl -c new.conf audit
    cp new.conf carbon.conf
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
}

@test "a file that was moved takes nothing, is read, and can be moved again" {
    fill
    carbonctl migrate-store "$to"
    "$mkbatches" deliver 1 5 9 e 9500 >truth
    for writes in 'ingest --watch' ingest init prune 'repair sums' 'factors update' 'quarantine retry --all'; do
        # shellcheck disable=SC2086 # words of a command
        run -1 timeout 20 carbonctl $writes
        says "the books of $PWD/carbon.db were moved, and nobody reads what is written here: write Database=$to into"
    done
    carbonctl audit >/dev/null
    sacct-carbon -a -S 2026-09-01 >/dev/null
    run carbonctl doctor
    [[ $output == *"PROBLEM  database"*"the books of sqlite:$PWD/carbon.db were moved to $to"* ]]
    run -1 carbonctl -c "$(conf_of "$to")" migrate-store "sqlite:$PWD/carbon.db"
    says 'has books already'
    run -0 carbonctl migrate-store --dry-run "sqlite:$PWD/back.db"
    says "was moved to $to before: what was loaded there since is not in it"
    carbonctl -c other.conf migrate-store "sqlite:$PWD/back.db"
    cp "$(conf_of "sqlite:$PWD/back.db")" carbon.conf
    carbonctl ingest
    run carbonctl doctor
    [[ $output != *'were moved'* ]]
    carbonctl audit
}

# At the commit of the new books PostgreSQL runs this.
at_commit() { # STATEMENT of plpgsql
    psql -qX <<SQL
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
    \$\$ BEGIN $1; RETURN NULL; END \$\$;
CREATE FUNCTION on_table() RETURNS event_trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF to_regclass('node') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'late') THEN
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON node DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION at_commit();
    END IF;
END \$\$;
CREATE EVENT TRIGGER at_commit ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION on_table();
SQL
}

commit_freely() {
    of 'DROP EVENT TRIGGER at_commit; DROP FUNCTION on_table; DROP FUNCTION at_commit'
}

@test "between the mark and the commit: refused, it is taken back; killed, or with the server gone, it stays" {
    fill
    sqlite3 carbon.db .dump >before
    at_commit "RAISE EXCEPTION 'no books today'"
    run -1 carbonctl migrate-store "$to"
    says 'no books today'
    [[ $output != *'run this command again'* ]]
    no_books
    cmp before <(sqlite3 carbon.db .dump)
    carbonctl repair sums >/dev/null
    commit_freely
    at_commit 'PERFORM pg_sleep(600)'
    for struck in killed server; do
        sqlite3 carbon.db "DELETE FROM meta WHERE name = 'moved_to'"
        begin_held
        if [ $struck = killed ]; then
            kill -KILL "$holder"
            wait "$holder" || true
            nobody_there
        else
            kill_postgresql
            status=0
            wait "$holder" || status=$?
            run_postgresql
            same 'status' "$status" 1
            grep -F "run this command again: nobody can tell now whether the new database has the books, and until then $PWD/carbon.db may take no batches: database " log
        fi
        holder=
        no_books
        run -1 carbonctl ingest
        says "if there are none, run carbonctl migrate-store again"
    done
    commit_freely
    carbonctl migrate-store "$to"
    cmp before <(rows carbon.db)
    all_books
}

# --- the page -------------------------------------------------------------------------------------

@test "the commands that docs/admin.md tells to type" {
    "$mkbatches" deliver 2 10 >truth
    mkdir bin
    # the units' user and carbon.conf are these here
    printf '#!/bin/sh\n[ "$1" = -u ] && shift 3\nexec "$@"\n' >bin/runuser
    printf '#!/bin/sh\necho "$@" >>%s/units\n' "$PWD" >bin/systemctl
    chmod +x bin/*
    PATH=$PWD/bin:$PATH
    sed -n '/^### Moving there/,/^## /p' "$top_srcdir/docs/admin.md" |
        sed -n '/^```console/,/^```/s/^# //p' >typed
    [ "$(wc -l <typed)" -ge 8 ]
    carbonctl ingest
    while read -r line; do
        echo "$line"
        bash -ec "${line//\/etc\/slurm\/carbon.conf/$SLURM_CARBON_CONF}" >said 2>&1 || { cat said; false; }
    done <typed
    grep -q '^Database=postgresql:///carbon$' carbon.conf
    same 'units' "$(cat units)" $'stop carbon-ingest\nstart carbon-ingest'
    same counted "$(counted)" "$(awk '{ sum += $2 } END { print sum }' truth)"
}
