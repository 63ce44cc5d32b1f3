#!/usr/bin/env bats
# carbonctl ingest, killed before each of its changes to any file in turn: nothing is lost or
# counted twice. libfaults.so does the killing: N = 1, 2, … until ingest lives to its end.

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    faults=$top_builddir/.libs/libfaults.so
    dir=$BATS_TEST_TMPDIR
    mkdir "$dir/made" "$dir/deliver"
    printf 'Database=sqlite:%s\nDeliverDir=%s\n' "$dir/carbon.db" "$dir/deliver" >"$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    if grep -q '__asan_init' "$carbonctl"; then skip "a preload does not go with sanitizers"; fi
    "$top_builddir/tests/fake/mkbatches" "$dir/made" 2 4 >"$dir/truth"
    echo garbage >"$dir/made/bad.batch"
    "$carbonctl" init
    cp "$dir/carbon.db" "$dir/empty.db"
}

counted() { # millijoules in the books
    "$carbonctl" audit --json | awk -F'[:,]' '/"counted_mj"/ { sum += $2 } END { print sum }'
}

fresh() {
    rm -rf "$dir"/carbon.db* "$dir/deliver"
    mkdir "$dir/deliver"
    cp "$dir/empty.db" "$dir/carbon.db"
    cp "$dir"/made/*.batch "$dir/deliver"
}

@test "killed at any change to a file, ingest goes on to the same books" {
    truth=$(awk '{ sum += $2 } END { print sum }' "$dir/truth")
    n=0 rc=137
    while [ "$rc" -eq 137 ]; do
        n=$((n + 1))
        fresh
        rc=0
        FAULT=kill FAULT_AT=$n FAULT_BELOW=$dir LD_PRELOAD=$faults "$carbonctl" ingest >/dev/null 2>&1 || rc=$?
        "$carbonctl" ingest >"$dir/log" 2>&1 || [ $? -eq 3 ]
        "$carbonctl" audit >"$dir/log" 2>&1 || { echo "killed at change $n"; cat "$dir/log"; false; }
        [ "$(counted)" = "$truth" ] || { echo "killed at change $n: $(counted) of $truth"; false; }
        ! compgen -G "$dir/deliver/*.batch" || { echo "killed at change $n: left"; false; }
        [ -e "$dir/deliver/quarantine/bad.batch" ]
    done
    [ "$rc" -eq 3 ] # it lived, and had set the bad file aside
    [ "$n" -gt 30 ] # the preload was at work
    echo "# killed at $((n - 1)) places" >&3
}

# A watch is killed while it works; where it lives until all is loaded, SIGTERM ends it.
watch_until_done() { # N; its exit status
    local watcher n
    : >"$dir/carbon.db.ingest.lock"
    FAULT=kill FAULT_AT=$1 FAULT_BELOW=$dir LD_PRELOAD=$faults "$carbonctl" ingest --watch >/dev/null 2>&1 3>&- &
    watcher=$!
    for ((n = 0; n < 1200; n++)); do
        kill -0 "$watcher" 2>/dev/null || break
        [ ! -s "$dir/carbon.db.ingest.lock" ] || compgen -G "$dir/deliver/*.batch" >/dev/null || break
        sleep 0.02
    done
    kill -TERM "$watcher" 2>/dev/null || true
    wait "$watcher"
}

# In steps of 7, since it does what ingest --once does; how it waits and locks is its own.
@test "a watch that is killed leaves no lock, and the next comes to the same books" {
    truth=$(awk '{ sum += $2 } END { print sum }' "$dir/truth")
    n=-6 rc=137
    while [ "$rc" -eq 137 ]; do
        n=$((n + 7))
        fresh
        rc=0
        watch_until_done "$n" 2>/dev/null || rc=$?
        watch_until_done 1000000 || { echo "killed at change $n: no watch after it"; false; }
        "$carbonctl" audit >"$dir/log" 2>&1 || { echo "killed at change $n"; cat "$dir/log"; false; }
        [ "$(counted)" = "$truth" ] || { echo "killed at change $n: $(counted) of $truth"; false; }
        [ -e "$dir/deliver/quarantine/bad.batch" ]
    done
    [ "$rc" -eq 0 ]
    [ "$n" -gt 30 ] # the preload was at work
    echo "# killed at $((n / 7)) places" >&3
}

@test "killed at any change to a file, init goes on to the same database" {
    n=0 rc=137
    while [ "$rc" -eq 137 ]; do
        n=$((n + 1))
        rm -f "$dir"/carbon.db*
        rc=0
        FAULT=kill FAULT_AT=$n FAULT_BELOW=$dir LD_PRELOAD=$faults "$carbonctl" init >/dev/null 2>&1 || rc=$?
        "$carbonctl" init || { echo "killed at change $n"; false; }
        "$carbonctl" audit
    done
    [ "$rc" -eq 0 ]
    [ "$n" -gt 5 ]
}

# The books of the batches as a slurm-carbon of schema 1 kept them.
make_schema_1() { # FILE
    fresh
    "$carbonctl" ingest >/dev/null 2>&1 || [ $? -eq 3 ]
    { cat "${top_srcdir:?}/accounting/store/schema-1.sql"
      echo "ATTACH '$dir/carbon.db' AS new;"
      cat "$top_srcdir/tests/fake/to_schema_1.sql"; } | sqlite3 "$1"
}

version() { # FILE
    sqlite3 "$1" 'PRAGMA user_version'
}

@test "killed at any change to a file, an upgrade leaves one schema or the other, and a whole copy" {
    make_schema_1 "$dir/schema-1.db"
    n=0 rc=137 was_1=0 was_new=0 newest=$(version "$dir/empty.db")
    while [ "$rc" -eq 137 ]; do
        n=$((n + 1))
        rm -f "$dir"/carbon.db*
        cp "$dir/schema-1.db" "$dir/carbon.db"
        rc=0
        FAULT=kill FAULT_AT=$n FAULT_BELOW=$dir LD_PRELOAD=$faults "$carbonctl" init >"$dir/log" 2>&1 || rc=$?
        case $(version "$dir/carbon.db") in
            1) was_1=$((was_1 + 1)) ;;
            "$newest") was_new=$((was_new + 1)); [ -e "$dir/carbon.db.schema-1.bak" ] ;;
            *) echo "killed at change $n: no schema"; false ;;
        esac
        for copy in "$dir"/carbon.db.schema-1.bak; do
            [ ! -e "$copy" ] || [ "$(sqlite3 "$copy" 'PRAGMA integrity_check')" = ok ]
        done
        "$carbonctl" init >"$dir/log" 2>&1 || { echo "killed at change $n"; cat "$dir/log"; false; }
        "$carbonctl" audit >"$dir/log" 2>&1 || { echo "killed at $n"; cat "$dir/log"; false; }
        [ "$(version "$dir/carbon.db")" = "$newest" ]
    done
    [ "$rc" -eq 0 ]
    [ "$was_1" -gt 10 ] && [ "$was_new" -gt 0 ]
    echo "# killed at $((n - 1)) places" >&3
}
