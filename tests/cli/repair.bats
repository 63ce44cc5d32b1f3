#!/usr/bin/env bats
# what an administrator repairs: quarantine, losses, sums, backups; and each killed at any instant

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    mkbatches=$top_builddir/tests/fake/mkbatches
    faults=$top_builddir/.libs/libfaults.so
    dir=$BATS_TEST_TMPDIR
    deliver=$dir/deliver
    aside=$deliver/quarantine
    mkdir "$deliver"
    printf 'Database=sqlite:%s\nDeliverDir=%s\n' "$dir/carbon.db" "$deliver" >"$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    unset SLURM_CONF SUDO_USER
    third=n1-0000000000001000-000000000003.batch # of mkbatches' first node
    "$carbonctl" init >"$dir/log" 2>&1
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

need_sqlite3() {
    command -v sqlite3 >/dev/null || skip "no sqlite3 command"
}

need_kills() {
    if grep -q '__asan_init' "$carbonctl"; then skip "a preload does not go with sanitizers"; fi
}

ingest() { # what it sets aside is no error here
    "$carbonctl" ingest >"$dir/log" 2>&1 || [ $? -eq 3 ]
}

counted() { # millijoules in the books
    "$carbonctl" audit --json | awk -F'[:,]' '/"counted_mj"/ { sum += $2 } END { print sum }'
}

# Two nodes; one batch is torn on its way, and lies in quarantine. $whole has it as it was.
fill_torn() {
    "$mkbatches" "$deliver" 2 8 >"$dir/truth"
    truth=$(awk '{ sum += $2 } END { print sum }' "$dir/truth")
    whole=$dir/$third
    mv "$deliver/$third" "$whole"
    head -c 200 "$whole" >"$deliver/$third"
    ingest
    [ -e "$aside/$third" ]
}

# --- quarantine ----------------------------------------------------------------------------------

@test "list shows what is in quarantine, as a table and as JSON" {
    run "$carbonctl" quarantine list
    [ "$status" -eq 0 ]
    [ "$output" = "nothing is in quarantine" ]
    fill_torn
    echo text >"$deliver/notes.batch"
    ingest
    run "$carbonctl" quarantine list
    [ "$status" -eq 0 ]
    grep -qE '^FILE +NODE +STREAM +SEQ +SINCE +REASON$' <<<"$output"
    grep -qE "^$third +n1 +0000000000001000 +3 +20[0-9T:-]+Z torn: " <<<"$output"
    grep -qE '^notes.batch +- +- +- +20' <<<"$output"
    run "$carbonctl" quarantine list --json
    [ "$status" -eq 0 ]
    python3 -c 'import json, sys
torn, text = json.load(sys.stdin)
assert torn["node"] == "n1" and torn["stream"] == "0000000000001000" and torn["seq"] == 3
assert torn["reason"].startswith("torn") and torn["since"].endswith("Z")
assert text["file"] == "notes.batch" and text["node"] is None and text["seq"] is None' <<<"$output"
}

@test "a name that nobody would want on his terminal is shown harmless" {
    "$mkbatches" "$deliver" 1 1 >/dev/null
    echo text >"$deliver/"$'a\e[31m\xff.batch'
    ingest
    run "$carbonctl" quarantine list
    [ "$status" -eq 0 ]
    says 'x1b[31m'
    [[ $output != *$'\e'* ]]
    run "$carbonctl" quarantine list --json
    [ "$status" -eq 0 ]
    python3 -m json.tool <<<"$output" >/dev/null
}

@test "what was mended is retried, loaded, and counted once" {
    fill_torn
    cp "$whole" "$aside/$third"
    run "$carbonctl" quarantine retry "$third"
    [ "$status" -eq 0 ]
    [ "$output" = "$third: back in DeliverDir, for the next round of \`carbonctl ingest\`" ]
    [ -e "$deliver/$third" ]
    [ "$(ls "$aside")" = "" ]
    run "$carbonctl" status
    says "0 files in quarantine"
    ingest
    [ "$(counted)" = "$truth" ]
    "$carbonctl" audit
}

@test "what is retried unmended comes back, with its reason" {
    fill_torn
    run "$carbonctl" quarantine retry --all
    [ "$status" -eq 0 ]
    run "$carbonctl" ingest
    [ "$status" -eq 3 ]
    says "$third: quarantined: torn"
    run "$carbonctl" quarantine list
    says "torn"
}

@test "a second file of a name is retried under the name that it came by" {
    fill_torn
    head -c 300 "$whole" >"$deliver/$third"
    ingest
    [ -e "$aside/$third.2" ]
    cp "$whole" "$aside/$third.2"
    run "$carbonctl" quarantine retry "$third.2"
    [ "$status" -eq 0 ]
    run "$carbonctl" quarantine retry "$third"
    [ "$status" -eq 1 ]
    says "$third: DeliverDir has a file of this name already; try again when"
    ingest
    run "$carbonctl" quarantine drop "$third" --reason "torn twice"
    [ "$status" -eq 0 ]
    says "removed; nothing is lost, as the books have a batch of this node, stream and seq"
    [ "$(counted)" = "$truth" ]
    "$carbonctl" audit
    [ "$(ls "$aside")" = "" ]
}

@test "a batch that is dropped is stated, who and why, and audit fails for it no more" {
    fill_torn
    run "$carbonctl" audit
    [ "$status" -eq 1 ]
    run "$carbonctl" quarantine drop "$third" --reason "torn by the share, ticket 12"
    [ "$status" -eq 0 ]
    [ "$output" = "$third: given up; audit and coverage state the loss" ]
    [ "$(ls "$aside")" = "" ]
    run "$carbonctl" audit
    [ "$status" -eq 0 ]
    says "A2 notes: cluster c, node n1, stream 0000000000001000, seq 3: given up by $(id -un) at 20"
    says ": torn by the share, ticket 12"
    grep -qE "^given up, and so in no figure: [0-9]+\.[0-9]{3} J$" <<<"$output"
    says "the books balance, but for that"
    run "$carbonctl" status --days 36500
    grep -qE '^[a-z]+ +n1 .* 7 +1 +0 +[0-9]+ +0$' <<<"$output" # nothing of it is missing
}

@test "sudo is named with who called it" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    fill_torn
    SUDO_USER=alice "$carbonctl" quarantine drop "$third" --reason "ticket 12"
    run "$carbonctl" audit
    says "given up by root (sudo by alice) at"
}

@test "a dropped batch that comes after all is counted, and its loss taken back" {
    fill_torn
    "$carbonctl" quarantine drop "$third" --reason "ticket 12"
    cp "$whole" "$deliver/"
    ingest
    [ "$(counted)" = "$truth" ]
    run "$carbonctl" audit
    [ "$status" -eq 0 ]
    says "the books balance"
    [[ $output != *"given up"* ]]
}

@test "names that are none of quarantine's are refused" {
    fill_torn
    ln -s /etc/passwd "$aside/link.batch"
    mkdir "$aside/folder.batch"
    local name
    for name in "../$third" "quarantine/$third" /etc/passwd .. . '' ".hidden.batch" \
        "$third.reason" $'a\nb.batch' $'\e[31m.batch'; do
        for command in retry drop; do
            run "$carbonctl" quarantine $command --reason=x "$name"
            [ "$command" = drop ] || run "$carbonctl" quarantine retry "$name"
            [ "$status" -eq 1 ]
            says "that is no name of a file in quarantine"
            [[ $output != *$'\e'* ]]
        done
    done
    for name in link.batch folder.batch; do
        run "$carbonctl" quarantine retry "$name"
        [ "$status" -eq 1 ]
        says "$name: no regular file, so no batch; remove it by hand"
        run "$carbonctl" quarantine drop "$name" --reason x
        [ "$status" -eq 1 ]
    done
    run "$carbonctl" quarantine retry absent.batch
    [ "$status" -eq 1 ]
    says "absent.batch: not in quarantine; \`carbonctl quarantine list\` says what is"
    [ -e "$aside/$third" ] && [ -L "$aside/link.batch" ] && [ -e /etc/passwd ]
}

@test "one name that is refused stops no other" {
    fill_torn
    run "$carbonctl" quarantine drop absent.batch "$third" --reason x
    [ "$status" -eq 1 ]
    says "$third: given up"
}

@test "what is missing on the command line is said" {
    local row
    for row in \
        "quarantine|quarantine: say what to do; carbonctl quarantine --help lists it" \
        "quarantine retry|quarantine retry: name the files, or say --all" \
        "quarantine retry --all x.batch|quarantine retry: name the files, or say --all" \
        "quarantine drop|quarantine drop: name the files" \
        "quarantine drop x.batch|quarantine drop: say why, by --reason TEXT: audit will show it" \
        "repair loss|repair loss: say which node's; see carbonctl repair loss --help" \
        "repair loss n1|repair loss: say why, by --reason TEXT: audit will show it" \
        "repair loss n1 n2 --reason x|repair loss: nothing is known to do with 'n2'" \
        "repair sums now|repair sums: nothing is known to do with 'now'" \
        "backup|backup: name the file; see carbonctl backup --help"; do
        # shellcheck disable=SC2086
        run "$carbonctl" ${row%%|*}
        [ "$status" -eq 1 ]
        says "carbonctl: ${row#*|}"
    done
    run "$carbonctl" repair loss n1 --reason $'two\nlines'
    [ "$status" -eq 1 ]
    says "--reason is one line of at most 200 bytes of text"
}

# --- losses and sums -----------------------------------------------------------------------------

@test "lost batches are written off, and what is lost later is an error again" {
    "$mkbatches" "$deliver" 2 12 >/dev/null
    mkdir "$dir/later"
    mv "$deliver"/n1-*-00000000000[89abc].batch "$dir/later"
    rm "$deliver"/n1-*-00000000000[34].batch
    ingest
    run "$carbonctl" repair loss n1 --reason "disk of n1 died"
    [ "$status" -eq 0 ]
    says "cluster c, node n1, stream 0000000000001000, seq 3 to 4: given up (2 batches)"
    run "$carbonctl" audit
    [ "$status" -eq 0 ]
    says "seq 3 to 4: given up by"
    says ": disk of n1 died"
    run "$carbonctl" repair loss n1:0000000000001000 --reason again
    [ "$status" -eq 0 ]
    says "nothing is missing of node n1, stream 0000000000001000, or all of it is given up already"
    rm "$dir"/later/*-000000000009.batch
    cp "$dir"/later/* "$deliver"
    ingest
    run "$carbonctl" audit
    [ "$status" -eq 1 ]
    says "1 batch missing before seq 10, from 2026-"
    run "$carbonctl" repair loss n7 --reason x
    [ "$status" -eq 1 ]
    says "no batch of node n7 is in the books; \`carbonctl status\` lists the nodes"
    run "$carbonctl" repair loss n1:ffffffffffffffff --reason x
    [ "$status" -eq 1 ]
}

@test "a loss that is written off lowers the coverage of jobs and of the month" {
    need_sqlite3
    fill_torn
    before=$(sqlite3 "$dir/carbon.db" 'SELECT SUM(metered_ms), SUM(elapsed_ms) FROM cluster_hour')
    "$carbonctl" quarantine drop "$third" --reason x
    after=$(sqlite3 "$dir/carbon.db" 'SELECT SUM(metered_ms), SUM(elapsed_ms) FROM cluster_hour')
    [ "${before%|*}" = "${after%|*}" ]
    [ "${after#*|}" -gt "${before#*|}" ]
    [ "$(sqlite3 "$dir/carbon.db" 'SELECT SUM(gap_ms) FROM job_hour')" -gt 0 ]
}

@test "audit --verbose names batches and remedy, and repair sums is one" {
    need_sqlite3
    "$mkbatches" "$deliver" 2 8 >/dev/null
    ingest
    sqlite3 "$dir/carbon.db" "UPDATE job_hour SET idle_mj = idle_mj + 1; DELETE FROM allocation_month"
    run "$carbonctl" audit
    [ "$status" -eq 1 ]
    says "--verbose says what to do about each"
    run "$carbonctl" audit --verbose
    [ "$status" -eq 1 ]
    says "what to do: run \`carbonctl repair sums\`, which makes all sums anew from their rows"
    run "$carbonctl" repair sums
    [ "$status" -eq 0 ]
    "$carbonctl" audit
    sqlite3 "$dir/carbon.db" "UPDATE energy SET active_mj = active_mj + 1 WHERE node_key = 2
        AND rowid = (SELECT rowid FROM energy WHERE node_key = 2 ORDER BY hour_s LIMIT 1)"
    run "$carbonctl" audit --verbose
    [ "$status" -eq 1 ]
    grep -qE '^A1 fails: cluster c, node n2, hour 2026-09-21T14:00:00Z, [a-z]+: .*: 1 mJ too much$' <<<"$output"
    grep -qE '^    batches of that hour: seq 1 to 8 of stream 0000000000001001$' <<<"$output"
    says "    what to do: its rows were changed or lost after they were loaded: restore a backup"
    run "$carbonctl" audit --json
    says '"batches"'
    says '"remedy": "its rows were changed'
}

# --- backup --------------------------------------------------------------------------------------

@test "a backup is a whole copy, as readable as the database, and is verified" {
    fill_torn
    umask 0
    run "$carbonctl" backup "$dir/copy.db"
    [ "$status" -eq 0 ]
    says "$dir/copy.db: sound, schema 6, 15 batches of 2 nodes, up to 2026-09-21T14:21:20Z"
    says "the books in it do not balance: 4 failures"
    [ "$(stat -c %a "$dir/copy.db")" = 640 ]
    [ ! -e "$dir/copy.db.tmp" ]
    "$carbonctl" quarantine drop "$third" --reason x
    run "$carbonctl" backup "$dir/copy.db" # in place of the older one
    [ "$status" -eq 0 ]
    says "the books in it balance"
    cmp <(sqlite3 "$dir/carbon.db" .dump) <(sqlite3 "$dir/copy.db" .dump)
    run "$carbonctl" backup --verify "$dir/copy.db"
    [ "$status" -eq 0 ]
    says "sound, schema 6, 15 batches"
}

@test "backup overwrites nothing but a backup, and never the database" {
    fill_torn
    echo precious >"$dir/notes"
    mkdir "$dir/folder"
    ln -s "$dir/notes" "$dir/link"
    ln "$dir/carbon.db" "$dir/same"
    for file in notes folder link; do
        run "$carbonctl" backup "$dir/$file"
        [ "$status" -eq 1 ]
        says "$dir/$file is there and is no backup of slurm-carbon; name another file, or remove it"
    done
    for file in carbon.db same; do
        run "$carbonctl" backup "$dir/$file"
        [ "$status" -eq 1 ]
        says "$dir/$file is the database itself; name another file"
    done
    [ "$(cat "$dir/notes")" = precious ]
    run "$carbonctl" backup "$dir/absent/copy.db"
    [ "$status" -eq 1 ]
    says "cannot create $dir/absent/copy.db.tmp, the copy of the database: No such file or directory"
}

@test "a damaged backup is found, and a damaged database makes none" {
    fill_torn
    "$carbonctl" backup "$dir/copy.db"
    size=$(stat -c %s "$dir/copy.db")
    head -c 4096 /dev/zero | tr '\0' '\245' |
        dd of="$dir/copy.db" bs=1 seek=$((size - 8192)) conv=notrunc 2>/dev/null
    run "$carbonctl" backup --verify "$dir/copy.db"
    [ "$status" -eq 1 ]
    cp "$dir/copy.db" "$dir/carbon.db"
    run "$carbonctl" backup "$dir/second.db"
    [ "$status" -eq 1 ]
    [ ! -e "$dir/second.db" ] && [ ! -e "$dir/second.db.tmp" ]
    run "$carbonctl" backup --verify "$dir/carbon.conf"
    [ "$status" -eq 1 ]
    says "$dir/carbon.conf is no backup of slurm-carbon; take another"
    run "$carbonctl" backup --verify "$dir/absent"
    [ "$status" -eq 1 ]
    says "cannot read $dir/absent: No such file or directory"
}

@test "a disk that is full gets no backup, and no part of one" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    fill_torn
    mkdir "$dir/small"
    mount -t tmpfs -o size=64k none "$dir/small" || skip "cannot mount"
    run "$carbonctl" backup "$dir/small/copy.db"
    left=$(ls -A "$dir/small")
    umount "$dir/small"
    [ "$status" -eq 1 ]
    says "make room on its disk"
    [ "$left" = "" ]
}

teardown() {
    [ -z "${watcher-}" ] || kill -KILL "$watcher" 2>/dev/null || true
}

@test "backups made while ingest loads hold whole batches" {
    "$mkbatches" "$dir" 2 200 >/dev/null
    "$carbonctl" ingest --watch >"$dir/log" 2>&1 3>&- &
    watcher=$!
    mv "$dir"/*.batch "$deliver"
    for n in 1 2 3 4 5; do
        "$carbonctl" backup "$dir/copy.$n.db" >"$dir/said"
        grep -qE "^the books in it balance$" "$dir/said"
    done
    for ((n = 0; n < 1200; n++)); do
        compgen -G "$deliver/*.batch" >/dev/null || break
        sleep 0.05
    done
    kill -TERM "$watcher"
    wait "$watcher"
    watcher=
    "$carbonctl" audit
}

# --- killed at any instant -----------------------------------------------------------------------

save() {
    rm -rf "$dir/saved"
    mkdir "$dir/saved"
    cp -a "$dir/carbon.db" "$deliver" "$dir/saved"
}

restore_saved() {
    rm -rf "$dir"/carbon.db* "$deliver"
    cp -a "$dir/saved/carbon.db" "$dir/saved/deliver" "$dir"
}

# killed_everywhere CHECK COMMAND...: a state as saved, COMMAND killed at its Nth change, CHECK
killed_everywhere() {
    local check=$1 rc=137
    shift
    n=0
    while [ "$rc" -eq 137 ]; do
        n=$((n + 1)) rc=0
        restore_saved
        FAULT=kill FAULT_AT=$n FAULT_BELOW=$dir LD_PRELOAD=$faults "$@" >/dev/null 2>&1 || rc=$?
        "$check" || { echo "killed at change $n"; cat "$dir/log"; return 1; }
    done
    [ "$rc" -eq 0 ]
    [ "$n" -gt 5 ] # the preload was at work
    echo "# killed at $((n - 1)) places" >&3
}

counted_once_after_retry() {
    [ -e "$aside/$third" ] || [ -e "$deliver/$third" ] || return 1
    { [ ! -e "$aside/$third" ] || [ ! -e "$deliver/$third" ]; } || return 1
    "$carbonctl" quarantine retry --all >"$dir/log" 2>&1 || return 1
    ingest
    "$carbonctl" audit >"$dir/log" 2>&1 || return 1
    [ "$(counted)" = "$truth" ] || return 1
    [ "$("$carbonctl" quarantine list)" = "nothing is in quarantine" ] || return 1
    [ "$(ls "$aside")" = "" ] || return 1
    "$carbonctl" status | grep -q " 0 files in quarantine"
}

@test "killed at any change to a file, retry leaves the batch in one place, and it counts once" {
    need_kills
    fill_torn
    cp "$whole" "$aside/$third"
    save
    killed_everywhere counted_once_after_retry "$carbonctl" quarantine retry --all
}

given_up_once() {
    if [ -e "$aside/$third" ]; then
        "$carbonctl" quarantine drop "$third" --reason x >"$dir/log" 2>&1 || return 1
    fi
    echo >"$deliver/wake.batch" # the next round of ingest tidies up
    ingest
    "$carbonctl" audit >"$dir/log" 2>&1 || return 1
    [ "$(grep -c ': given up by' "$dir/log")" -eq 1 ] || return 1
    "$carbonctl" status | grep -q " 1 files in quarantine"
}

@test "killed at any change to a file, drop is done or may be done again" {
    need_kills
    fill_torn
    save
    killed_everywhere given_up_once "$carbonctl" quarantine drop "$third" --reason x
}

balances_or_fails() {
    "$carbonctl" audit >"$dir/log" 2>&1 || "$carbonctl" repair loss n1 --reason x >"$dir/log" 2>&1
    "$carbonctl" audit >"$dir/log" 2>&1
}

@test "killed at any change to a file, a loss is written off whole or not at all" {
    need_kills
    fill_torn
    save
    killed_everywhere balances_or_fails "$carbonctl" repair loss n1 --reason x
}

whole_copy_or_the_old_one() {
    "$carbonctl" backup --verify "$dir/deliver/copy.db" >"$dir/log" 2>&1 || return 1
    "$carbonctl" backup "$dir/deliver/copy.db" >"$dir/log" 2>&1 || return 1
    [ ! -e "$dir/deliver/copy.db.tmp" ]
}

@test "killed at any change to a file, backup leaves the old copy or the new one, whole" {
    need_kills
    fill_torn
    "$carbonctl" backup "$deliver/copy.db"
    "$carbonctl" quarantine drop "$third" --reason x
    save
    killed_everywhere whole_copy_or_the_old_one "$carbonctl" backup "$deliver/copy.db"
}
