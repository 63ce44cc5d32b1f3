#!/usr/bin/env bats
# carbonctl: what each command does, and what each mistake is told

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    dir=$BATS_TEST_TMPDIR
    conf=$dir/carbon.conf
    mkdir "$dir/deliver" "$dir/spool"
    cat >"$conf" <<EOF
ClusterName=c
Zone=FR
Database=sqlite:$dir/carbon.db
DeliverDir=$dir/deliver
SpoolDir=$dir/spool
EOF
    export SLURM_CARBON_CONF=$conf
    unset SLURM_CONF SLURMD_NODENAME
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

fill() {
    "$carbonctl" init
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 2 12
}

alter() { # SQL: behind carbonctl's back
    command -v sqlite3 >/dev/null || skip "no sqlite3 command"
    sqlite3 "$dir/carbon.db" "$1"
}

# --- the program ---------------------------------------------------------------------------------

@test "help lists every command, and each has its own" {
    run "$carbonctl" --help
    [ "$status" -eq 0 ]
    for command in init ingest audit status prune config factors grid sensors help; do
        [ "$("$carbonctl" help "$command")" = "$("$carbonctl" "$command" --help)" ]
        says "  $command "
        "$carbonctl" "$command" --help | grep -q "^Usage: carbonctl $command"
    done
    says "Exit status:"
}

@test "the version is printed" {
    run "$carbonctl" --version
    [ "$status" -eq 0 ]
    [[ $output =~ ^carbonctl\ [0-9]+\.[0-9]+ ]]
}

@test "a mistake on the command line is named, with the way to help" {
    local row
    for row in \
        "|give a command; carbonctl --help lists them" \
        "frob|'frob' is not a command; carbonctl --help lists them" \
        "--frob|option --frob is not known; see carbonctl --help" \
        "-x init|option -x is not known; see carbonctl --help" \
        "--config|option --config needs an argument; see carbonctl --help" \
        "init --frob|init: option --frob is not known; see carbonctl init --help" \
        "init now|init: nothing is known to do with 'now'; see carbonctl init --help" \
        "ingest --once --watch|ingest: --once and --watch exclude each other" \
        "audit --json=x|audit: option --json=x is not known; see carbonctl audit --help" \
        "status --days|status: --days needs an argument; see carbonctl status --help" \
        "status --days 0|status: --days 0 is no number of days; give 1 to 36500" \
        "status --days x|status: --days x is no number of days; give 1 to 36500" \
        "help me|help: 'me' is not a command; carbonctl --help lists them" \
        "help init now|help: 'now' is no part of carbonctl init; see carbonctl init --help" \
        "help grid list all|help: 'all' is no part of carbonctl grid list"; do
        # shellcheck disable=SC2086
        run "$carbonctl" ${row%%|*}
        [ "$status" -eq 1 ]
        says "carbonctl: ${row#*|}"
    done
}

@test "output that cannot be written is an error" {
    [ -e /dev/full ] || skip "no /dev/full"
    run bash -c "'$carbonctl' --help >/dev/full"
    [ "$status" -eq 1 ]
    says "carbonctl: cannot write"
}

# --- config --------------------------------------------------------------------------------------

@test "config shows each value and where it came from" {
    run "$carbonctl" config
    [ "$status" -eq 0 ]
    says "# $conf"
    grep -qE "^Zone=FR +# $conf:2$" <<<"$output"
    grep -qE "^PUE=1.2 +# default$" <<<"$output"
    grep -qE "^MarkDir=/run/slurm-carbon/[^ ]+ +# default$" <<<"$output"
}

@test "config says when slurm.conf gave the cluster's name, and which node %n is" {
    echo "ClusterName=Alpha" >"$dir/slurm.conf"
    echo "MarkDir=/m/%n" >"$conf"
    SLURMD_NODENAME=n7 run "$carbonctl" config
    [ "$status" -eq 0 ]
    grep -qE "^ClusterName=alpha +# $dir/slurm.conf$" <<<"$output"
    grep -qE "^MarkDir=/m/n7 +# $conf:1$" <<<"$output"
}

@test "what config prints is a carbon.conf" {
    "$carbonctl" config >"$dir/printed.conf"
    run "$carbonctl" config --config "$dir/printed.conf"
    [ "$status" -eq 0 ]
    grep -qE "^Zone=FR +# $dir/printed.conf:3$" <<<"$output"
}

@test "a mistake in carbon.conf stops every command, with file and line" {
    echo "Zon=DE" >>"$conf"
    for command in init ingest audit status config; do
        run "$carbonctl" "$command"
        [ "$status" -eq 1 ]
        says "carbonctl: $conf:6: Zon: no such key; did you mean Zone?"
    done
}

@test "a file named by --config must be there, before or after the command" {
    for order in "--config $dir/absent config" "config --config $dir/absent" "config -c $dir/absent"; do
        # shellcheck disable=SC2086
        run "$carbonctl" $order
        [ "$status" -eq 1 ]
        says "carbonctl: cannot read $dir/absent: No such file or directory"
    done
}

# --- init ----------------------------------------------------------------------------------------

@test "init creates the database once, for owner and group" {
    umask 0
    run "$carbonctl" init
    [ "$status" -eq 0 ]
    says "carbon.db created"
    [ "$(stat -c %a "$dir/carbon.db")" = 640 ]
    run "$carbonctl" init
    [ "$status" -eq 0 ]
    says "is there already"
}

@test "init refuses a directory that is not there, or open to everybody" {
    sed -i "s|^Database=.*|Database=sqlite:$dir/absent/x.db|" "$conf"
    run "$carbonctl" init
    [ "$status" -eq 1 ]
    says "cannot use the directory $dir/absent of the database; create it"
    mkdir -m 777 "$dir/absent"
    run "$carbonctl" init
    [ "$status" -eq 1 ]
    says "chmod go-w $dir/absent"
}

@test "init refuses a file of another kind and leaves it as it is" {
    echo "some text that is nobody's database" >"$dir/carbon.db"
    run "$carbonctl" init
    [ "$status" -eq 1 ]
    says "file is not a database"
    [ "$(cat "$dir/carbon.db")" = "some text that is nobody's database" ]
}

# --- ingest --------------------------------------------------------------------------------------

@test "without a database ingest and audit say how to make one" {
    for command in ingest audit; do
        run "$carbonctl" "$command"
        [ "$status" -eq 1 ]
        says "there is no database $dir/carbon.db; \`carbonctl init\` creates it"
    done
}

@test "ingest loads each batch once" {
    fill
    cp -r "$dir/deliver" "$dir/again"
    run "$carbonctl" ingest
    [ "$status" -eq 0 ]
    [ "$output" = "loaded 24, duplicates 0, quarantined 0, left 0" ]
    if compgen -G "$dir/deliver/*.batch"; then false; fi
    cp "$dir"/again/*.batch "$dir/deliver"
    run "$carbonctl" ingest --once
    [ "$status" -eq 0 ]
    [ "$output" = "loaded 0, duplicates 24, quarantined 0, left 0" ]
    "$carbonctl" audit
}

@test "ingest sets a bad file aside, says so, and loads the others" {
    fill
    echo garbage >"$dir/deliver/bad.batch"
    run "$carbonctl" ingest
    [ "$status" -eq 3 ]
    says "carbonctl: bad.batch: quarantined: torn: the last line is not \"end CRC32\""
    says "loaded 24, duplicates 0, quarantined 1, left 0"
    [ "$(cat "$dir/deliver/quarantine/bad.batch")" = garbage ]
    grep -q "torn" "$dir/deliver/quarantine/bad.batch.reason"
    run "$carbonctl" status
    says "1 files in quarantine"
}

@test "ingest without its directory says which one" {
    "$carbonctl" init
    rmdir "$dir/deliver"
    run "$carbonctl" ingest
    [ "$status" -eq 1 ]
    says "cannot open DeliverDir $dir/deliver: No such file or directory"
}

# --- writers, each in its turn --------------------------------------------------------------------

teardown() {
    [ -z "${watcher-}" ] || kill -KILL "$watcher" 2>/dev/null || true
}

eventually() { # COMMAND...
    for _ in $(seq 1200); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "in a minute not: $*"
    cat "$dir"/*.log
    return 1
}

start_watch() { # OPTION...
    "$carbonctl" ingest --watch "$@" >"$dir/watch.log" 2>&1 3>&- 9>&- &
    watcher=$!
    eventually grep -qs "ingest --watch" "$dir/carbon.db.ingest.lock"
}

end_watch() {
    kill -TERM "$watcher"
    wait "$watcher"
    watcher=
}

is_loaded() {
    eventually no_batch
}

no_batch() {
    ! compgen -G "$dir/deliver/*.batch" >/dev/null
}

hold_writer() { # as a writer does that takes long, on descriptor 9
    exec 9<>"$dir/carbon.db.lock"
    flock 9
    echo "carbonctl grid import, process 4711, since 2026-11-23T08:00:00Z" >&9
}

@test "watch loads what comes and ends on SIGTERM" {
    "$carbonctl" init
    start_watch
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 5
    is_loaded
    end_watch
    grep -q "^loaded 5, duplicates 0" "$dir/watch.log"
    "$carbonctl" audit
}

@test "every other writer gets its turn while watch runs" {
    "$carbonctl" init
    start_watch
    { echo "start_utc,end_utc,gco2e_per_kwh"
      echo "2026-11-20T10:00Z,2026-11-20T11:00Z,30"; } >"$dir/fr.csv"
    run "$carbonctl" grid import --zone FR --basis lifecycle --scope generation --source "a source" "$dir/fr.csv"
    echo "$output"
    [ "$status" -eq 0 ]
    says "Factor set 2 is in force"
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 5
    "$carbonctl" ingest
    "$carbonctl" prune
    "$carbonctl" factors update
    run "$carbonctl" init
    [ "$status" -eq 0 ]
    says "is there already, and as it should be"
    is_loaded
    end_watch
    "$carbonctl" audit
}

@test "an idle watch leaves the database alone" {
    "$carbonctl" init
    start_watch --wait 0
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 2
    is_loaded
    hold_writer # comes when the turn that loaded them has ended
    for _ in 1 2 3; do
        : >"$dir/deliver/not-of-a-batch" # wakes it
        sleep 0.3
    done
    end_watch
    [ "$(cat "$dir/watch.log")" = "loaded 2, duplicates 0, quarantined 0, left 0" ]
}

@test "a second watch is told who the first is, and comes up when that was killed" {
    "$carbonctl" init
    start_watch
    run "$carbonctl" ingest --watch
    [ "$status" -eq 1 ]
    says "carbon.db.ingest.lock is held by carbonctl ingest --watch, process $watcher, since "
    says "one service loads a database, so end that one first"
    kill -KILL "$watcher"
    wait "$watcher" || true
    : >"$dir/carbon.db.ingest.lock"
    start_watch
    end_watch
    [ ! -s "$dir/carbon.db.lock" ] # nobody holds it, and it names nobody
    [ ! -s "$dir/carbon.db.ingest.lock" ]
}

@test "a writer that the lock is not given to says who holds it and what to do" {
    "$carbonctl" init
    hold_writer
    for command in init ingest prune "factors update"; do
        # shellcheck disable=SC2086
        run "$carbonctl" $command --wait 0
        [ "$status" -eq 1 ]
        says "carbon.db.lock is held by carbonctl grid import, process 4711, since 2026"
        says "; one process writes at a time, so try again when that has ended, or end it"
    done
    run "$carbonctl" ingest --wait 1
    [ "$status" -eq 1 ]
    says "since 2026-11-23T08:00:00Z, and was not free for 1 s; one"
    [[ $output != *waiting* ]] # which is for a terminal
    run "$carbonctl" prune --wait soon
    says "prune: --wait soon is no number of seconds; give 0 to 86400"
}

@test "on a terminal it is said that a writer waits, and it goes on when it may" {
    command -v script >/dev/null || skip "no script command"
    "$carbonctl" init
    hold_writer
    script -qefc "$carbonctl prune" "$dir/terminal" >/dev/null 3>&- 9>&- &
    waiting=$!
    eventually grep -qs "waiting up to 30 s" "$dir/terminal"
    exec 9>&-
    wait "$waiting"
    grep -q "is being written by carbonctl grid import, process 4711" "$dir/terminal"
    grep -q "there is none" "$dir/terminal"
}

@test "watch waits for a writer that takes long, says it once, and then loads" {
    "$carbonctl" init
    hold_writer
    start_watch --wait 0
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 3
    eventually grep -q 4711 "$dir/watch.log"
    touch "$dir/deliver/1.batch" # a turn at once, in vain
    sleep 0.3
    exec 9>&-
    touch "$dir/deliver/2.batch"
    is_loaded
    end_watch
    [ "$(grep -c 4711 "$dir/watch.log")" -eq 1 ]
    grep -q "^loaded 3, duplicates 0, quarantined 2" "$dir/watch.log"
}

@test "watch ends when another made the database one that it does not know" {
    "$carbonctl" init
    start_watch
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 1
    is_loaded
    hold_writer # when the turn has ended
    version=$(alter 'PRAGMA user_version')
    alter "PRAGMA user_version = $((version + 1))"
    exec 9>&-
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 1 3
    rc=0
    wait "$watcher" || rc=$?
    watcher=
    [ "$rc" -eq 1 ]
    grep -q "has schema $((version + 1)), and this program knows up to $version" "$dir/watch.log"
    [ "$(find "$dir/deliver" -name '*.batch' | wc -l)" -eq 3 ]
}

# --- audit ---------------------------------------------------------------------------------------

@test "audit prints the balance per node and month" {
    fill
    "$carbonctl" ingest
    run "$carbonctl" audit --verbose
    [ "$status" -eq 0 ]
    grep -qE '^CLUSTER +NODE +MONTH +COUNTED J' <<<"$output"
    grep -qE '^c +n1 +2026-09 .* 0$' <<<"$output"
    grep -qE '^c +n2 +2026-09 .* 0$' <<<"$output"
    says "the books balance"
}

@test "audit of empty books says so" {
    "$carbonctl" init
    run "$carbonctl" audit
    [ "$status" -eq 0 ]
    says "the books are empty"
}

@test "audit fails when one millijoule is missing, and names where" {
    fill
    "$carbonctl" ingest
    alter "UPDATE energy SET active_mj = active_mj - 1 WHERE rowid = (SELECT MIN(rowid) FROM energy
           WHERE active_mj > 0 AND component = 'gpu' AND node_key = 2)"
    run "$carbonctl" audit
    [ "$status" -eq 1 ]
    grep -qE '^A1 fails: cluster c, node n2, hour 2026-09-21T1[45]:00:00Z, gpu: .*: 1 mJ missing$' <<<"$output"
    says "the books do not balance"
}

@test "audit says what a missing batch counted" {
    fill
    rm "$dir"/deliver/n1-*-000000000003.batch
    "$carbonctl" ingest
    run "$carbonctl" audit
    [ "$status" -eq 1 ]
    says "A2 notes: cluster c, node n1, stream 0000000000001000: 1 batch missing before seq 4"
    grep -qE '^A2 fails: cluster c, node n1, stream 0000000000001000, seq 4, .* mJ missing$' <<<"$output"
}

@test "audit --json is JSON with units in its keys" {
    fill
    "$carbonctl" ingest
    run "$carbonctl" audit --json
    [ "$status" -eq 0 ]
    says '"balanced": true'
    says '"counted_mj": '
    says '"difference_mj": 0'
    if command -v python3 >/dev/null; then python3 -m json.tool <<<"$output" >/dev/null; fi
}

# --- status --------------------------------------------------------------------------------------

@test "status shows each node's books, and works where there are none" {
    run "$carbonctl" status
    [ "$status" -eq 0 ]
    says "not on this machine"
    "$carbonctl" init
    run "$carbonctl" status
    says "no node has delivered yet"
    "$top_builddir/tests/fake/mkbatches" "$dir/deliver" 2 12
    rm "$dir"/deliver/n2-*-000000000005.batch
    "$carbonctl" ingest
    run "$carbonctl" status --days 36500
    [ "$status" -eq 0 ]
    grep -qE '^c +n1 +2026-09-21T14:25:20Z +.* 12 +1 +0 +0 +0$' <<<"$output"
    grep -qE '^c +n2 +2026-09-21T14:25:20Z +.* 11 +1 +1 +0 +0$' <<<"$output"
}

@test "status tells whether the meter lives, by its lock, and prints its own words" {
    printf 'version: 0.1.0\ntick_ms: 1000\n' >"$dir/spool/status"
    : >"$dir/spool/lock"
    run "$carbonctl" status
    says "not running; what follows is its last word"
    says "  tick_ms: 1000"
    exec 9>"$dir/spool/lock"
    flock 9
    run "$carbonctl" status
    says ": running"
    exec 9>&-
    rm -r "$dir/spool"
    run "$carbonctl" status
    [ "$status" -eq 0 ]
    says "this machine is not metered"
}

# --- prune ---------------------------------------------------------------------------------------

# Power of two jobs in 1970 (one record, two), and of the first of them now.
old_power() {
    fill
    "$carbonctl" ingest --once
    alter "DELETE FROM power; UPDATE job SET peak_mw = NULL;
        INSERT INTO power VALUES (1, 1, 60, 'cpu', 6000000, 60000), (2, 1, 60, 'cpu', 60, 60000),
            (2, 1, 60, 'memory', 60, 60000),
            (1, 1, strftime('%s', 'now') / 60 * 60, 'cpu', 3000, 60000)"
}

@test "prune deletes old power per minute; a dry run says how much that is" {
    old_power
    run "$carbonctl" prune --dry-run
    [ "$status" -eq 0 ]
    [[ ${lines[0]} =~ ^'power per minute before '20[0-9-]*T[0-9:]*'Z (KeepPowerDays=30): 3 records of 2 jobs would be deleted'$ ]]
    [[ ${lines[1]} =~ ^'energy by the hour before '20[0-9-]*'T00:00:00Z (KeepHourlyDays=400): there is none'$ ]]
    [ "$(alter 'SELECT COUNT(*) FROM power')" -eq 4 ]
    run "$carbonctl" prune
    [ "$status" -eq 0 ]
    says "3 records of 2 jobs deleted"
    [ "$(alter 'SELECT COUNT(*) FROM power')" -eq 1 ]
    [ "$(alter 'SELECT peak_mw, peak_minute_s FROM job WHERE job_key = 1')" = "100000|60" ]
    run "$carbonctl" prune
    says "there is none left"
    "$carbonctl" audit
}

@test "ingest prunes once a day" {
    old_power
    "$carbonctl" ingest --once
    [ "$(alter 'SELECT COUNT(*) FROM power')" -eq 4 ] # it did when the batches were loaded
    alter "UPDATE meta SET content = content - 86400 WHERE name = 'power_pruned_s'"
    "$carbonctl" ingest --once
    [ "$(alter 'SELECT COUNT(*) FROM power')" -eq 1 ]
}

@test "prune beside a writer says who will do it" {
    old_power
    exec 9<>"$dir/carbon.db.lock"
    flock 9
    run "$carbonctl" prune --wait 0
    [ "$status" -eq 1 ]
    says "\`carbonctl ingest\` itself prunes once a day"
    run "$carbonctl" prune --dry-run
    [ "$status" -eq 0 ]
}

# --- estimate ------------------------------------------------------------------------------------

@test "estimate: what is not known is unknown on the card and null in JSON" {
    run "$carbonctl" estimate --gpu-hours 10 --watts 100
    [ "$status" -eq 0 ]
    says '  operational       unknown'
    says '  embodied          unknown'
    says '  total             unknown'
    [ "$("$carbonctl" estimate --gpu-hours 10 --watts 100 --gco2 500 --json |
        jq -c '.co2e | [.operational.central_kg, .embodied, .total]')" = '[0.5,null,null]' ]
}

@test "estimate: a mistake names the option and what to write" {
    run "$carbonctl" estimate --gpu-hours 10 --watts 100 --pue 0.99
    [ "$status" -eq 1 ]
    says 'carbonctl: estimate: --pue 0.99: no building uses less than the machines in it; write 1 or more'
    run "$carbonctl" estimate --gpu-hours 10 --watts 100 --device-kg 5:4:6 --lifetime-years 5
    [ "$status" -eq 1 ]
    says '--device-kg "5:4:6": low, central and high must rise'
    run "$carbonctl" estimate --gpu-hours ten --watts 100
    [ "$status" -eq 1 ]
    says '--gpu-hours "ten": write a number'
}
