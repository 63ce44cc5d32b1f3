#!/usr/bin/env bats
# Deliver=carbond://…: what nodes seal gets into the books by carbond, once, whatever breaks

bats_require_minimum_version 1.5.0

setup() {
    top_srcdir=${top_srcdir:-$PWD} top_builddir=${top_builddir:-$PWD/build}
    export TZ=UTC LC_ALL=C.UTF-8 CARBON_DATA=${CARBON_DATA:-$top_srcdir/accounting/carbon}
    unset SLURM_CONF JOURNAL_STREAM
    # shellcheck source=tests/cli/carbond_fixture.sh
    . "$top_srcdir/tests/cli/carbond_fixture.sh"
    carbonctl=$top_builddir/carbonctl faults=$top_builddir/.libs/libfaults.so
    make_place
    mkdir "$place/books" "$place/made"
    echo "Database=sqlite:$place/books/carbon.db" >"$place/books/carbon.conf"
    configure "$place/books"
    export SLURM_CARBON_CONF=$place/books/carbon.conf
    start_munge munge
    "$carbonctl" init
}

teardown() {
    ! mountpoint -q "$place/deliver" || umount "$place/deliver"
    fell_all
}

deliver() { # [ADDRESS]: all that is in made
    (cd "$place/made" && "$top_builddir/carbon-deliver" "${1:-127.0.0.1:$port}" \
        "$place/munge/socket" *.batch)
}

truth() { # what mkbatches counted, in millijoules
    awk '{ sum += $2 } END { print sum }' "$place/truth"
}

counted() { # what is in the books
    "$carbonctl" audit --json | awk -F'[:,]' '/"counted_mj"/ { sum += $2 } END { print sum }'
}

books_balance() {
    "$carbonctl" ingest >"$place/ingest" 2>&1 || { cat "$place/ingest"; return 1; }
    "$carbonctl" audit >"$place/audit" 2>&1 || { cat "$place/audit"; return 1; }
    [ "$(tail -n 1 "$place/audit")" = 'the books balance' ]
}

@test "batches arrive as they were, by the network and by the socket, as often as they come" {
    "$top_builddir/tests/fake/mkbatches" "$place/made" 3 5 >"$place/truth"
    start_carbond
    [ "$(deliver | wc -l)" -eq 15 ]
    diff -r "$place/made" "$place/deliver"
    [ "$(stat -c %a "$place"/deliver/*.batch | sort -u)" = 640 ]
    "$carbonctl" ingest
    [ "$(deliver "$place/sock" | wc -l)" -eq 15 ]
    run "$carbonctl" ingest
    [[ $output == *"loaded 0, duplicates 15, quarantined 0, left 0"* ]]
    books_balance
    [ "$(counted)" = "$(truth)" ]
    # one of several pieces, which carbond does not look into
    head -c 1000000 /dev/urandom >"$place/big"
    rm "$place"/made/*
    cp "$place/big" "$place/made/n1-00000000000000aa-000000000001.batch"
    deliver
    cmp "$place/big" "$place/deliver/n1-00000000000000aa-000000000001.batch"
}

@test "what is no batch's name, too large, or another user's gets nowhere" {
    start_carbond
    local name
    named() { # NAME
        { printf %s "$1" | piece batch 0 name | seal; : | piece batch 1 end | seal; } >"$place/m"
        run post /batches "$place/m"
        [[ $output == "no name of a batch"*400 ]]
    }
    for name in ../x-0123456789abcdef-0123456789ab.batch .x-0123456789abcdef-0123456789ab.batch \
        x-0123456789abcdef-0123456789ab.batch/ x-0123456789abcde-0123456789ab.batch x.batch \
        a/b-0123456789abcdef-0123456789ab.batch -0123456789abcdef-0123456789ab.batch \
        "$(printf 'x\n')-0123456789abcdef-0123456789aB.batch"; do
        named "$name"
    done
    [ -z "$(ls -A "$place/deliver" 2>/dev/null)" ]
    [ -z "$(ls "$place/none" 2>/dev/null)" ]
    # without its end, or with a piece that is missing, there is none
    printf %s n1-0123456789abcdef-0123456789ab.batch | piece batch 0 name | seal >"$place/head"
    { cat "$place/head"; echo text | piece batch 1 part | seal; } >"$place/m"
    run post /batches "$place/m"
    [[ $output == "the message broke off"*400 ]]
    printf %s n1-0123456789abcdef-0123456789ab.batch | piece batch 0 name | seal >"$place/head"
    { cat "$place/head"; echo text | piece batch 2 part | seal; } >"$place/m"
    run post /batches "$place/m"
    [[ $output == "a piece out of its place: 2 instead of 1"*400 ]]
    [ -z "$(ls -A "$place/deliver" 2>/dev/null)" ]
    # a file that grows beyond what a batch may be
    truncate -s 70000000 "$place/made/n1-0123456789abcdef-0123456789ab.batch"
    run deliver
    [ "$status" -ne 0 ]
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    rm "$place"/made/*
    "$top_builddir/tests/fake/mkbatches" "$place/made" 1 1 >"$place/truth"
    chmod -R a+rX "$place/made"
    cd "$place/made"
    run setpriv --reuid 54321 --regid 54321 --clear-groups "$top_builddir/carbon-deliver" \
        "$place/sock" '' *.batch
    [ "$status" -eq 1 ]
    [[ $output == *"uid 54321 may deliver no batches: root may, and uid 0"* ]]
    # pieces of two users
    printf %s n1-0123456789abcdef-0123456789ab.batch | piece batch 0 name | seal >"$place/m"
    echo text | piece batch 1 part >"$place/t"
    frame=$(setpriv --reuid 54321 --regid 54321 --clear-groups munge \
        --socket="$place/munge/socket" <"$place/t")
    printf '%s\n%s' ${#frame} "$frame" >>"$place/m"
    run post /batches "$place/m"
    [[ $output == "pieces of several users"*401 ]]
    [ -z "$(ls -A "$place/deliver" 2>/dev/null)" ]
}

@test "a full disk costs no batch: they stay with the node until there is room" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    mkdir -m 750 "$place/deliver"
    mount -t tmpfs -o size=64k,mode=750 carbond "$place/deliver" || skip 'nothing can be mounted here'
    "$top_builddir/tests/fake/mkbatches" "$place/made" 4 10 >"$place/truth"
    start_carbond
    run --separate-stderr deliver
    [ "$status" -eq 1 ]
    [[ $stderr == *"No space left on device (HTTP status 507)"* ]]
    [ "${#lines[@]}" -gt 3 ]
    [ "${#lines[@]}" -lt 40 ]
    # those that it said it had are whole, and there is nothing else
    [ "$(ls -A "$place/deliver" | wc -l)" -eq "${#lines[@]}" ]
    for line in "${lines[@]}"; do cmp "$place/made/$line" "$place/deliver/$line"; done
    local i
    for ((i = 0; i < 20; i++)); do # ingest makes room
        "$carbonctl" ingest >/dev/null
        if deliver >"$place/received" 2>/dev/null; then break; fi
        (cd "$place/made" && xargs rm -f <"$place/received") # as the node does
    done
    [ "$i" -lt 20 ]
    books_balance
    [ "$(counted)" = "$(truth)" ]
}

@test "killed at any change to DeliverDir, it leaves no part of a batch, and the books come out right" {
    if grep -q __asan_init "$top_builddir/carbond"; then skip 'a preload does not go with sanitizers'; fi
    "$top_builddir/tests/fake/mkbatches" "$place/made" 1 3 >"$place/truth"
    mkdir -m 750 "$place/deliver"
    local n=0 received line file
    # shellcheck disable=SC2034
    local faulty="env FAULT=kill FAULT_BELOW=$place/deliver FAULT_MIRROR=$place/mirror LD_PRELOAD=$faults FAULT_AT="
    while :; do
        n=$((n + 1))
        rm -rf "$place"/deliver/*.batch "$place/mirror"
        mkdir -p "$place/mirror/ino" "$place/mirror/tree"
        wrap="$faulty$n" start_carbond
        received=$(deliver 2>/dev/null || true)
        if [ "$(wc -w <<<"$received")" -eq 3 ]; then break; fi # it lived
        wait "$carbond" || true
        # what is there under a batch's name is whole, and all that was said to be there is
        for file in "$place"/deliver/*.batch; do
            [ ! -e "$file" ] || cmp "$file" "$place/made/${file##*/}"
        done
        for line in $received; do
            [ -e "$place/deliver/$line" ]
            cmp "$place/made/$line" "$place/mirror/tree/$line" # also if the power went now
        done
        start_carbond
        deliver >/dev/null
        diff <(cd "$place/made" && echo ./*) <(cd "$place/deliver" && echo ./*)
        end_carbond TERM
    done
    echo "killed at $((n - 1)) places"
    [ "$n" -gt 12 ] # the preload was at work
    echo "# killed at $((n - 1)) places" >&3
    end_carbond TERM
    # and what was left half written goes, when nobody can be at it any more
    [ -n "$(find "$place/deliver" -name '.carbond-*')" ]
    touch -d '1 hour ago' "$place"/deliver/.carbond-*
    start_carbond
    [ -z "$(find "$place/deliver" -name '.carbond-*')" ]
    books_balance
    [ "$(counted)" = "$(truth)" ]
}

# --- carbon-meterd --------------------------------------------------------------------------------

# A node of one package with a RAPL counter of 100 W, and its settings.
node() {
    local cpu=$place/root/sys/devices/system/cpu
    mkdir -p "$cpu/cpu0/topology" "$place/root/proc" "$place/root/cgroup"
    zone=$place/root/sys/class/powercap/intel-rapl:0
    mkdir -p "$zone"
    mkdir -m 700 "$place/marks"
    echo 0 | tee "$cpu/online" "$cpu/possible" "$cpu/cpu0/topology/"{physical_package_id,core_id} >/dev/null
    echo 1 | tee "$cpu/cpu0/topology/"{thread_siblings,core_siblings} >/dev/null
    echo 'cpu0 100 0 0 0 0 0 0 0' >"$place/root/proc/stat"
    echo package-0 >"$zone/name"
    echo 262143328850 >"$zone/max_energy_range_uj"
    echo 1000000 >"$zone/energy_uj"
    cat >"$place/node.conf" <<END
MarkDir=$place/marks
SpoolDir=$place/spool
Deliver=carbond://127.0.0.1:$port
DeliverDir=$place/none
MungeSocket=$place/munge/socket
SensorRoot=$place/root
CgroupRoot=$place/root/cgroup
TickSeconds=0.1
DeliverSeconds=1
END
    draw 3>&- &
    proxies+=($!)
}

draw() {
    local uj=1000000
    while sleep 0.1; do
        uj=$((uj + 10123457))
        echo $uj 1<>"$zone/energy_uj"
    done
}

start_meter() {
    "$top_builddir/carbon-meterd" --config "$place/node.conf" --node n1 3>&- 2>"$place/meter" &
    meter=$!
    proxies+=("$meter")
}

waiting() { # batches in the spool
    find "$place/spool" -name '*.batch' 2>/dev/null | wc -l
}

have_come() { # N
    [ "$(find "$place/deliver" -name '*.batch' 2>/dev/null | wc -l)" -ge "$1" ]
}

waits() { [ "$(waiting)" -ge "$1" ]; }
waits_no_more() { [ "$(waiting)" -le 1 ]; } # the newest is the meter's checkpoint

# Every batch that was sealed is in the books once: no number is missing.
no_batch_is_missing() {
    local last
    last=$(sqlite3 "$place/books/carbon.db" 'SELECT max(seq) FROM batch')
    [ "$last" -ge "$1" ]
    [ "$(sqlite3 "$place/books/carbon.db" 'SELECT count(DISTINCT seq), count(*) FROM batch')" = "$last|$last" ]
}

@test "carbon-meterd delivers by carbond, while carbond is killed again and again" {
    start_carbond
    node
    start_meter
    until_true have_come 2
    local i
    for ((i = 0; i < 12; i++)); do
        end_carbond KILL || true
        sleep 0.2
        start_carbond "$port"
        sleep 0.5
    done
    until_true waits_no_more
    kill "$meter"
    wait "$meter"
    cat "$place/meter"
    waits_no_more
    books_balance
    no_batch_is_missing 6
    grep -q "cannot deliver to carbond://127.0.0.1:$port" "$place/meter"
    run ! grep -q 'died' "$place/meter"
}

@test "without carbond the meter goes on, its spool keeps all, and later all comes" {
    start_carbond
    node
    end_carbond TERM
    start_meter
    until_true waits 4
    grep -q "cannot deliver to carbond://127.0.0.1:$port: .*onnect" "$place/meter"
    kill -0 "$meter"
    start_carbond "$port"
    until_true waits_no_more
    # one that answers, and never takes a thing
    end_carbond TERM
    socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" SYSTEM:'sleep 100' 3>&- 2>/dev/null &
    proxies+=($!)
    until_true waits 4
    kill "${proxies[-1]}"
    wait "${proxies[-1]}" || true
    start_carbond "$port"
    kill "$meter" # what is left it delivers at its end, in 5 s, or when it is started again
    wait "$meter"
    start_meter
    until_true waits_no_more
    kill "$meter"
    wait "$meter"
    books_balance
    no_batch_is_missing 8
    # carbon-deliver is not there
    SLURM_CARBON_LIBEXEC=$place/none start_meter
    is_said() { grep -q "$1" "$place/meter"; }
    until_true is_said "cannot start $place/none/carbon-deliver: No such file"
    kill "$meter"
    wait "$meter"
}

@test "the meter itself has nothing of the network" {
    local library
    for library in curl munge microhttpd; do
        ! ldd "$top_builddir/carbon-meterd" "$top_builddir/sacct-carbon" \
            "$top_builddir/sreport-carbon" "$top_builddir/carbonctl" | grep "lib$library"
        ! ldd "$top_builddir"/.libs/spank_carbon.so 2>/dev/null | grep "lib$library"
    done
    ldd "$top_builddir/carbon-deliver" | grep libcurl
}
