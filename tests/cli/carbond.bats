#!/usr/bin/env bats
# carbond's answers to sacct-carbon and sreport-carbon: the same as without it, to the right people,
# and to nobody else, however many ask and however badly they behave

bats_require_minimum_version 1.5.0

setup() {
    top_srcdir=${top_srcdir:-$PWD} top_builddir=${top_builddir:-$PWD/build}
    export TZ=UTC LC_ALL=C.UTF-8 CARBON_DATA=${CARBON_DATA:-$top_srcdir/accounting/carbon}
    unset NO_COLOR CLICOLOR_FORCE COLUMNS SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CONF
    # shellcheck source=tests/cli/carbond_fixture.sh
    . "$top_srcdir/tests/cli/carbond_fixture.sh"
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
    make_place
    install -d "$place/books"
    export SLURM_CARBON_CONF=$place/books/carbon.conf
    start_munge munge
}

teardown() { fell_all; }

books_of_jobs() {
    sacct_fixture "$place/books"
    configure "$place/books"
    chmod a+r "$place"/books/*
}

sacct-carbon() { "$top_builddir/sacct-carbon" "$@"; }

# The command, run where the database is, by the network and by the socket: the same bytes, the same
# words and the same status.
same_everywhere() { # TOOL ARGUMENT...
    local way status
    for way in books/carbon tcp socket; do
        status=0
        "$top_builddir/$1" --config "$place/$way.conf" "${@:2}" >"$place/out.${way##*/}" \
            2>"$place/err.${way##*/}" || status=$?
        echo "$status" >>"$place/err.${way##*/}"
    done
    for way in tcp socket; do
        cmp "$place/out.carbon" "$place/out.$way" || { echo "$way: $*"; return 1; }
        diff -u "$place/err.carbon" "$place/err.$way" || { echo "$way: $*"; return 1; }
    done
}

@test "sacct-carbon says the same with carbond as without" {
    books_of_jobs
    start_carbond
    same_everywhere sacct-carbon 100
    grep -q 'Job 100' "$place/out.tcp"
    same_everywhere sacct-carbon -a -S 2026-11-20
    same_everywhere sacct-carbon -aX --json -S 2026-11-20
    same_everywhere sacct-carbon --explain 100
    same_everywhere sacct-carbon -j 100,101 -P --delimiter=';' -o JobID,EnergyJ%-30
    same_everywhere sacct-carbon 100 999
    [ "$(cat "$place/err.tcp")" = 'sacct-carbon: job 999 is unknown: none of its energy has been delivered to this database
0' ]
    same_everywhere sacct-carbon 999
    same_everywhere sacct-carbon --strict 140
    [ "$(tail -n 1 "$place/err.tcp")" -eq 3 ]
    same_everywhere sacct-carbon -j 100 --factor-set 77
    [ "$(tail -n 1 "$place/err.tcp")" -eq 1 ]
    # what the surroundings of who asks change
    TZ=Asia/Tokyo same_everywhere sacct-carbon 100
    grep -q 'JST' "$place/out.tcp"
    SLURM_TIME_FORMAT='%d.%m.' same_everywhere sacct-carbon -P -o Start -j 100
    grep -qx '20.11.' "$place/out.tcp"
    SACCT_CARBON_FORMAT=User same_everywhere sacct-carbon -P -j 100
    [ "$(head -n 1 "$place/out.tcp")" = User ]
    LC_ALL=C same_everywhere sacct-carbon 100
    ! LC_ALL=C grep -q $'[\x80-\xff]' "$place/out.tcp"
    CLICOLOR_FORCE=1 same_everywhere sacct-carbon -a -S 2026-11-20
    COLUMNS=60 same_everywhere sacct-carbon --profile 100
    # and what is in the environment of who asks, and is not of this, stays there
    SLURM_CARBON_LIBEXEC=$top_builddir LD_PRELOAD='' same_everywhere sacct-carbon 100
}

@test "sreport-carbon says the same with carbond as without, and writes its files here" {
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_fixture "$place/books"
    configure "$place/books"
    start_carbond
    same_everywhere sreport-carbon --month 2026-10
    grep -q 'October 2026' "$place/out.tcp"
    same_everywhere sreport-carbon --month 2026-10 --html -
    grep -q '</html>' "$place/out.tcp"
    same_everywhere sreport-carbon --month 2026-10 --json
    same_everywhere sreport-carbon --month 2026-10 -p --section account,job
    cd "$place"
    local way
    for way in books/carbon tcp socket; do
        "$top_builddir/sreport-carbon" -c "$place/$way.conf" --month 2026-10 --csv "csv.${way##*/}" \
            --html="page.${way##*/}" >"out.${way##*/}"
    done
    for way in tcp socket; do
        diff -r csv.carbon "csv.$way"
        cmp page.carbon "page.$way"
        cmp out.carbon "out.$way"
    done
    [ -s csv.tcp/totals.csv ]
    # written by who asks, where he may
    run "$top_builddir/sreport-carbon" -c "$place/tcp.conf" --month 2026-10 --html "$place/none/x"
    [ "$status" -eq 1 ]
    [[ $output == *"--html: cannot open the directory"* ]]
    # and nothing of it is left with carbond
    until_true nothing_left
}

nothing_left() { ! compgen -G '/tmp/carbond-*' >/dev/null; }

@test "where neither the database nor carbond can be had, both are named" {
    books_of_jobs
    run sacct-carbon --config "$place/socket.conf" 100
    [ "$status" -eq 1 ]
    [[ $output == *"$place/none/carbon.db"* ]]
    [[ $output == *"carbond at $place/sock: "* ]]
    sed '/^Carbond=/d' "$place/socket.conf" >"$place/bare.conf"
    run sacct-carbon --config "$place/bare.conf" 100
    [ "$status" -eq 1 ]
    [[ $output == *"$place/none/carbon.db"*"no carbond is there to ask (Carbond in carbon.conf)"* ]]
    SLURM_CARBON_LIBEXEC=$place/none run sacct-carbon --config "$place/socket.conf" 100
    [[ $output == *"$place/none/carbon-ask: No such file"* ]]
    # without munged
    start_carbond
    kill "${munges[0]}"
    wait "${munges[0]}" || true
    run sacct-carbon --config "$place/tcp.conf" 100
    [ "$status" -eq 1 ]
    [[ $output == *"munged does not answer at $place/munge/socket: is munge.service running"* ]]
    sacct-carbon --config "$place/socket.conf" 100 # needs none
}

@test "carbonctl doctor tries the whole way; an address that is none is refused" {
    books_of_jobs
    start_carbond
    for way in tcp socket; do
        run "$top_builddir/carbonctl" doctor --config "$place/$way.conf"
        grep -E '^well +carbond +.* answers$' <<<"$output"
    done
    end_carbond TERM
    run "$top_builddir/carbonctl" doctor --config "$place/tcp.conf"
    grep -E "^PROBLEM +carbond +127.0.0.1:$port: " <<<"$output"
    [[ $output == *"sacct-carbon: error: carbond at 127.0.0.1:$port: "* ]]
    local line
    while IFS='|' read -r line words; do
        echo "$line" >"$place/bad.conf"
        run "$top_builddir/carbonctl" config --config "$place/bad.conf"
        [ "$status" -ne 0 ]
        [[ $output == *"bad.conf:1: ${line%%=*}: $words"* ]] || { echo "$output"; return 1; }
    done <<END
Carbond=mgmt1:ssh|'ssh' is no port; give 1 to 65535, or leave it out for 6825
Carbond=mgmt1/x|'mgmt1/x' is no address; give HOST, HOST:PORT, [IPV6]:PORT, or the path of a socket
Carbond=[fd00::1|'[fd00::1' is no address
Carbond=mgmt1:99999|'99999' is no port
Deliver=mgmt1|'mgmt1' does not begin with carbond://; give carbond://HOST, or a directory as DeliverDir
Deliver=carbond://|'' is no address
END
    for line in Carbond=mgmt1 Carbond=mgmt-1.example.org:7000 'Carbond="[fd00::1]:7000"' \
        Carbond=10.1.0.1 Carbond=/run/x.sock Deliver=carbond://mgmt1:7; do
        echo "$line" >"$place/good.conf"
        "$top_builddir/carbonctl" config --config "$place/good.conf" >/dev/null
    done
}

# --- who asks -------------------------------------------------------------------------------------

@test "credentials that are forged, expired, used before or changed are refused, each in its words" {
    books_of_jobs
    start_munge other
    start_carbond
    question sacct-carbon 100 | piece query 0 end | seal >"$place/good"
    run post /query "$place/good"
    [[ $output == *$'\n200' ]]
    run post /query "$place/good"
    [[ $output == "the credential was used before: "*$'\n'401 ]]

    question sacct-carbon 100 | piece query 0 end | key=$place/other seal >"$place/forged"
    run post /query "$place/forged"
    [[ $output == "the credential was changed, or made with another key: "*$'\n'401 ]]

    question sacct-carbon 100 | piece query 0 end | seal --ttl=1 >"$place/expired"
    sleep 3
    run post /query "$place/expired"
    [[ $output == "the credential is expired: "*$'\n'401 ]]

    question sacct-carbon 100 | piece query 0 end | seal >"$place/changed"
    local at letter
    at=$(($(stat -c %s "$place/changed") / 2))
    letter=$(tail -c "+$((at + 1))" "$place/changed" | head -c 1)
    [ "$letter" = A ] && letter=B || letter=A
    printf %s $letter | dd of="$place/changed" bs=1 seek=$at conv=notrunc status=none
    run post /query "$place/changed"
    [[ $output == "the credential was changed, or made with another key: "*$'\n'401 ]]

    printf '5\nhello' >"$place/none"
    run post /query "$place/none"
    [[ $output == "no MUNGE credential: "*$'\n'401 ]]
    echo hello | seal >"$place/other.message"
    run post /query "$place/other.message"
    [[ $output == "this is no message of carbond's"*$'\n'400 ]]
    # for another user's eyes
    question sacct-carbon 100 | piece query 0 end | seal --restrict-uid=12345 >"$place/his"
    run post /query "$place/his"
    [[ $output == "the credential is for another user"*$'\n'401 ]]
    [ "$(grep -c ': refused: ' "$place/log")" -eq 7 ]
}

@test "messages whose pieces do not belong together are refused" {
    books_of_jobs
    start_carbond
    local q=$place/q
    question sacct-carbon 100 >"$q"
    piece query 1 end <"$q" | seal >"$place/m" # not the first
    run post /query "$place/m"
    [[ $output == "a piece out of its place: 1 instead of 0"*400 ]]
    piece batch 0 name <"$q" | seal >"$place/m" # of another kind
    run post /query "$place/m"
    [[ $output == "a piece of a message of another kind (batch)"*400 ]]
    piece answer 0 end <"$q" | seal >"$place/m" # what carbond itself said
    run post /query "$place/m"
    [[ $output == "a piece of a message of another kind (answer)"*400 ]]
    { piece query 0 part <"$q" | seal; } >"$place/m" # without its end
    run post /query "$place/m"
    [[ $output == "a question is one piece"*400 ]]
    : >"$place/m"
    run post /query "$place/m"
    [[ $output == "the message broke off"*400 ]]
    echo '{"tool": "sacct-carbon"}' | piece query 0 end | seal >"$place/m"
    run post /query "$place/m"
    [[ $output == "the question: "*400 ]]
    question carbonctl init | piece query 0 end | seal >"$place/m"
    run post /query "$place/m"
    [[ $output == "the question: no tool"*400 ]]
    head -c 60000 /dev/zero | tr '\0' '[' | piece query 0 end | seal >"$place/m" # how deep it goes
    run post /query "$place/m"
    [[ $output == "the question: "*400 ]]
    run curl -s -w '%{http_code}' "http://127.0.0.1:$port/query"
    [[ $output == *405 ]]
    run curl -s -w '%{http_code}' "http://127.0.0.1:$port/etc/passwd"
    [[ $output == *404 ]]
    [ "$(curl -s "http://127.0.0.1:$port/health")" = ok ]
}

@test "a question that names a file of carbond's is refused" {
    books_of_jobs
    start_carbond
    local n=0 line
    refused() { # TOOL ARGUMENT...
        question "$@" | piece query 0 end | seal >"$place/m"
        run post /query "$place/m"
        [[ $output == *"names a file, and carbond opens none for others"$'\n\n'403 ]] ||
            { echo "$*: $output"; return 1; }
    }
    refused sacct-carbon --config=/etc/passwd 100
    refused sacct-carbon --conf /etc/passwd 100
    refused sacct-carbon 100 --con=/etc/passwd
    refused sreport-carbon -c /etc/passwd
    refused sreport-carbon -nvc/etc/passwd
    refused sreport-carbon --csv "$place/csv"
    refused sreport-carbon --html="$place/page"
    refused sreport-carbon --month 2026-10 --ht "$place/page"
    [ ! -e "$place/csv" ] && [ ! -e "$place/page" ]
    # a zone is a name, and no file
    for line in /etc/passwd :/etc/passwd ../../etc/passwd; do
        question sacct-carbon 100 | jq -c --arg zone "$line" '.zone = $zone' | piece query 0 end |
            seal >"$place/m"
        run post /query "$place/m"
        [[ $output == "the question: "*400 ]]
    done
    # behind --, there are no options
    question sacct-carbon 100 -- --config=x | piece query 0 end | seal >"$place/m"
    run post /query "$place/m"
    [[ $output == *$'\n200' ]]
}

@test "another user is another user, on the network and on the socket" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    books_of_jobs
    start_carbond
    chmod 755 "$place"
    chmod 700 "$place/books"
    setpriv --reuid 54321 --regid 54321 --clear-groups "$top_builddir/sacct-carbon" \
        --config "$place/tcp.conf" -V
    for way in tcp socket; do
        run setpriv --reuid 54321 --regid 54321 --clear-groups "$top_builddir/sacct-carbon" \
            --config "$place/$way.conf" 100
        echo "$output"
    done
    grep -q '^carbond: 127.0.0.1, uid 54321: sacct-carbon' "$place/log"
    grep -q '^carbond: socket, uid 54321: sacct-carbon' "$place/log"
    # it may not say that it is somebody else: nobody but root is carbond
    SLURM_CARBON_VIEWER=all run sacct-carbon --config "$place/tcp.conf" 100
    [ "$status" -eq 1 ] # who says so is carbond's child, and asks nobody
}

@test "what is no answer of carbond's is not believed" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    books_of_jobs
    # the right key, and some user's
    wrap='setpriv --reuid 54321 --regid 54321 --clear-groups' # shellcheck disable=SC2034
    chmod 777 "$place"
    start_carbond
    run sacct-carbon --config "$place/tcp.conf" 100
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"the answer is of uid 54321, who is neither root nor slurm-carbon here"* ]]
    run ! grep -q kWh <<<"$output"
    end_carbond TERM
    wrap=
    # carbond's own answer to somebody else's question
    start_carbond
    question sacct-carbon 100 | piece query 0 end | seal >"$place/m"
    curl -s -i --data-binary "@$place/m" "http://127.0.0.1:$port/query" |
        sed '/^Transfer-Encoding/d' >"$place/recorded"
    start_proxy "cat '$place/recorded'; sleep 1"
    run sacct-carbon --config "$place/proxy.conf" 100
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"carbond at 127.0.0.1:"*": a piece of another message" ]]
    run ! grep -q kWh <<<"$output"
}

start_proxy() { # COMMAND of a shell, for each connection
    local at
    echo "$1" >"$place/proxy.sh"
    socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork "SYSTEM:sh $place/proxy.sh" 3>&- 2>"$place/proxy.log" &
    proxies+=($!)
    until_true grep -q 'listening on' "$place/proxy.log"
    at=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$place/proxy.log")
    sed "s/^Carbond=.*/Carbond=127.0.0.1:$at/" "$place/tcp.conf" >"$place/proxy.conf"
}

@test "an answer that breaks off is none" {
    books_of_jobs
    start_carbond
    local bytes
    start_proxy "socat -t 20 - TCP:127.0.0.1:$port"
    [ "$(sacct-carbon --config "$place/proxy.conf" 100)" = "$(sacct-carbon 100)" ]
    for bytes in 0 10 200 1000 2500; do
        echo "socat -t 20 - TCP:127.0.0.1:$port | head -c $bytes" >"$place/proxy.sh"
        run sacct-carbon --config "$place/proxy.conf" 100
        echo "$bytes: $output"
        [ "$status" -eq 1 ]
        [[ $output == *"the answer broke off"* ]]
        run ! grep -q kWh <<<"$output"
    done
}

# --- load and bad manners -------------------------------------------------------------------------

@test "a hundred ask at once, and each gets his own answer" {
    books_of_jobs
    start_carbond
    local i jobs=(100 102 120 140 141) pids=()
    for i in "${jobs[@]}"; do sacct-carbon "$i" >"$place/expected.$i"; done
    for ((i = 0; i < 100; i++)); do
        way=$([ $((i % 2)) -eq 0 ] && echo tcp || echo socket)
        sacct-carbon --config "$place/$way.conf" "${jobs[i % 5]}" >"$place/got.$i" 2>"$place/said.$i" 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || { cat "$place"/said.*; return 1; }; done
    for ((i = 0; i < 100; i++)); do
        cmp "$place/got.$i" "$place/expected.${jobs[i % 5]}"
    done
}

@test "those who are slow keep nobody from an answer, and are ended" {
    books_of_jobs
    start_carbond
    # an answer that no buffer of the kernel's takes
    question sacct-carbon -a -S 2026-11-20 -D --format=ALL >"$place/q"
    piece query 0 end <"$place/q" | seal >"$place/m"
    python3 "$top_srcdir/tests/cli/carbond_slow.py" "$port" "$place/m" >"$place/slow" 2>&1 3>&- &
    proxies+=($!)
    until_true grep -q 'all are here' "$place/slow"
    local i
    for ((i = 0; i < 5; i++)); do
        [ "$(sacct-carbon --config "$place/tcp.conf" 100)" = "$(sacct-carbon 100)" ]
    done
    until_true gone_or_not || { cat "$place/slow"; return 1; }
    [ "$(sacct-carbon --config "$place/tcp.conf" 100)" = "$(sacct-carbon 100)" ]
}

gone_or_not() { grep -q 'all are gone' "$place/slow"; }

peak_kb() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$carbond/status"; }

@test "one user of the socket cannot take it from the others" {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    books_of_jobs
    start_carbond
    # 600 connections that say nothing; 256 of them are his
    python3 - "$place/sock" 3>&- >"$place/held" <<'END' &
import os, socket, sys, time
os.setuid(54321)
lines = []
for i in range(600):
    lines.append(socket.socket(socket.AF_UNIX))
    lines[-1].connect(sys.argv[1]) # waits while many are before it
print('all are here', flush=True)
time.sleep(8)
END
    proxies+=($!)
    until_true grep -q 'all are here' "$place/held"
    [ "$(sacct-carbon --config "$place/socket.conf" 100)" = "$(sacct-carbon 100)" ]
}

@test "a request that is too large is refused, and takes no memory" {
    books_of_jobs
    start_carbond
    sacct-carbon --config "$place/tcp.conf" 100 >/dev/null
    local before after i
    before=$(peak_kb)
    { printf '80000\n'; head -c 50000000 /dev/zero; } >"$place/zeros"
    { printf '99999999\n'; head -c 500000 /dev/zero; } >"$place/huge"
    { printf '1234567890123456789\n'; head -c 500000 /dev/zero; } >"$place/long"
    for i in 1 2 3; do
        run post /query "$place/zeros"
        echo "$output"
        [[ $output == *"no MUNGE credential"*401 || $output == *000 ]]
        run post /batches "$place/zeros"
        [[ $output == *"no MUNGE credential"*401 || $output == *000 ]]
    done
    run post /query "$place/huge"
    [[ $output == "no length of a frame"*400 ]]
    run post /query "$place/long"
    [[ $output == "no length of a frame"*400 ]]
    printf '99999\n' >"$place/big"
    run post /query "$place/big"
    [[ $output == "a frame of 99999 bytes; at most "*413 ]]
    run curl -s -m 60 -o /dev/null -w '%{http_code}' -H "X: $(head -c 60000 /dev/zero | tr '\0' x)" \
        "http://127.0.0.1:$port/health"
    [[ $output == 4* ]]
    after=$(peak_kb)
    echo "peak: $before kB, then $after kB"
    [ $((after - before)) -lt 4000 ] || grep -q __asan_init "$top_builddir/carbond"
    # from this side, too
    run sacct-carbon --config "$place/tcp.conf" -j "$(seq -s , 100000 115000)"
    [ "$status" -eq 1 ]
    [[ $output == *"too long for carbond: name fewer jobs at once"* ]]
}

@test "a tool that takes too long, prints too much or dies is ended, and that is said" {
    books_of_jobs
    mkdir "$place/tools"
    printf '#!/bin/sh\necho $$ >%s\nsleep 300 & sleep 300\n' "$place/pid" >"$place/tools/sacct-carbon"
    printf '#!/bin/sh\nexec head -c 400000000 /dev/zero\n' >"$place/tools/sreport-carbon"
    chmod 755 "$place"/tools/*
    start_carbond 0 --tools "$place/tools" --deadline 1
    run sacct-carbon --config "$place/tcp.conf" 100
    [ "$status" -eq 1 ]
    [[ $output == *"sacct-carbon took longer than 1 s and was ended; ask for less at once"* ]]
    run ! kill -0 "$(<"$place/pid")" 2>/dev/null
    ! ps -o stat= -s "$(<"$place/pid")" | grep -v Z # nor what it had started
    end_carbond TERM
    start_carbond 0 --tools "$place/tools"
    run "$top_builddir/sreport-carbon" --config "$place/tcp.conf"
    [ "$status" -eq 1 ]
    [[ $output == *"the answer of sreport-carbon is larger than 256 MiB"* ]]
    printf '#!/bin/sh\nkill -SEGV $$\n' >"$place/tools/sacct-carbon"
    run sacct-carbon --config "$place/tcp.conf" 100
    [ "$status" -eq 139 ]
    rm "$place/tools/sacct-carbon"
    run sacct-carbon --config "$place/tcp.conf" 100
    [ "$status" -eq 1 ]
    [[ $output == *"cannot run $place/tools/sacct-carbon"* ]]
    # who goes away takes his tool with him
    printf '#!/bin/sh\necho $$ >%s\nexec sleep 300\n' "$place/pid2" >"$place/tools/sacct-carbon"
    chmod 755 "$place/tools/sacct-carbon"
    timeout 1 "$top_builddir/sacct-carbon" --config "$place/tcp.conf" 100 || [ $? -eq 124 ]
    is_ended() { ! kill -0 "$(<"$place/pid2")" 2>/dev/null; }
    until_true is_ended
}

@test "SIGTERM ends it at once, whatever is under way; a second carbond is told of the first" {
    books_of_jobs
    mkdir "$place/tools"
    printf '#!/bin/sh\necho $$ >%s\nexec sleep 300\n' "$place/pid" >"$place/tools/sacct-carbon"
    chmod 755 "$place/tools/sacct-carbon"
    start_carbond 0 --tools "$place/tools"
    run timeout 30 "$top_builddir/carbond" --socket "$place/sock" --listen 127.0.0.1:0
    [ "$status" -eq 1 ]
    [[ $output == *"another carbond listens on $place/sock"* ]]
    sacct-carbon --config "$place/socket.conf" 100 >"$place/out" 2>&1 3>&- &
    local asker=$!
    until_true test -s "$place/pid"
    exec 9<>"/dev/tcp/127.0.0.1/$port"
    end_carbond TERM
    exec 9>&-
    run ! kill -0 "$(<"$place/pid")" 2>/dev/null
    [ ! -e "$place/sock" ]
    ! wait "$asker"
    grep -q 'carbond at ' "$place/out"
    # a socket that one left which was killed is no other carbond
    start_carbond 0 --tools "$place/tools"
    end_carbond KILL || true
    [ -S "$place/sock" ]
    start_carbond 0 --tools "$top_builddir"
    sacct-carbon --config "$place/socket.conf" 100 >/dev/null
}
