#!/usr/bin/env bats
# names that mean harm, from batches into the books, and from there to every output; and such
# arguments and variables. What they are, and how output is looked at, is in hostile_names.py.

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    command -v python3 >/dev/null || skip "no python3"
    export CARBON_DATA=$top_srcdir/accounting/carbon TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CONF SLURMD_NODENAME
    books=$(mktemp -d)
    export books
    local kind
    for kind in harm plain; do
        mkdir "$books/$kind"
        printf '%s\n' Zone=FR "Database=sqlite:$books/$kind.db" "DeliverDir=$books/$kind" \
            "SpoolDir=$books/$kind" KeepPowerDays=3650 ClusterName=c \
            "Inventory=$books/inventory.conf" >"$books/$kind.conf"
        python3 "$top_srcdir/tests/cli/hostile_names.py" deliver "$books/$kind" "$kind"
        SLURM_CARBON_CONF=$books/$kind.conf "$top_builddir/carbonctl" init >"$books/log"
        SLURM_CARBON_CONF=$books/$kind.conf "$top_builddir/carbonctl" ingest >"$books/log"
        grep -qx 'loaded 2, duplicates 0, quarantined 0, left 0' "$books/log"
    done
}

setup() {
    cluster='=3+4,"'\''<script>alert(1)<!-- -->|'
    export SLURM_CARBON_CONF=$books/harm.conf
    export PATH=$top_builddir:$PATH
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir kept
    kept=0
    first=1001 # job of hostile_names.py
}

teardown_file() {
    rm -rf "$books"
}

look() { # at FORM FILE...
    python3 "$top_srcdir/tests/cli/hostile_names.py" "$@"
}

# A command that ends well. Its output lies in out, and is looked at when the test ends.
fine() {
    "$@" >out 2>err || { printf '%q ' "$@" failed; cat err; return 1; }
    keep "$@"
}

# One that may not: but what it says is short.
bounded() {
    local status=0
    timeout 60 "$@" >out 2>err || status=$?
    keep "$@"
    if [ "$status" -gt 3 ] || [ "$(wc -c <err)" -gt 2048 ]; then
        printf '%.200q ' "$status" "$@"
        head -c 2048 err | cat -v
        return 1
    fi
}

keep() { # a copy of out and err, named after the command
    local name
    printf -v name '%.80q ' "$*"
    kept=$((kept + 1))
    cp out "kept/$kept ${name//\//_} out"
    cp err "kept/$kept ${name//\//_} err"
}

teardown() { # one look for all: nothing moves a terminal
    look text kept/*
}

sacct() {
    fine sacct-carbon -M all "$@"
}

sreport() {
    fine sreport-carbon --month 2026-10 -M "$cluster" "$@"
}

# --- the books -----------------------------------------------------------------------------------

@test 'tables and cards of sacct-carbon move no terminal' {
    local job
    sacct -a -S 2026-10-01
    sacct -a -S 2026-10-01 -o ALL
    sacct -a -S 2026-10-01 --by hour
    for job in $(seq $((first + 1)) $((first + 34))); do
        sacct "$job"
        sacct --explain "$job"
    done
    LC_ALL=C sacct "$((first + 3))"
}

@test 'a name is one field of one row, whatever the delimiter' {
    sacct -a -S 2026-10-01 -X -P -o ALL
    for field in User Account Partition QOS JobName; do look parsable out '|' "$field"; done
    for delimiter in , ';' ' ' $'\t' '=' '::' '%'; do
        sacct -a -S 2026-10-01 -X -P --delimiter "$delimiter" -o jobname,user,cluster,nodelist
        look parsable out "$delimiter" JobName
    done
    for delimiter in '\' x '=1' ''; do
        run -1 sacct-carbon -a -P --delimiter "$delimiter"
        [[ $output == *'--delimiter'*': write '* ]]
        run -1 sreport-carbon -P --delimiter "$delimiter"
        [[ $output == *'--delimiter'*': write '* ]]
    done
    for section in account user partition; do
        sreport -P --section "$section"
        look parsable out '|' "$section"
        sreport -P --section "$section" --delimiter ,
        look parsable out , "$section"
    done
    sreport -P --section job --top 100
    look parsable out '|' name
}

@test 'JSON has the names as they are, and nothing else that JSON has not' {
    sacct -a -S 2026-10-01 --json
    jq -e '[.jobs[].name] | index("=1+1") and index("\u001b[31mred\u001b[0m\u001b]0;title\u0007") and
           index("\u0001\b\u007f") and index("raw C1: \\x9b31m")' out
    jq -e --arg name "$cluster" 'all(.jobs[]; .cluster == $name)' out
    sreport --json --top 100
    jq -e '[.top_jobs[].name] | index("</title><script>alert(1)</script>")' out
    for job in $((first + 3)) $((first + 19)); do
        sacct --profile --json "$job"
        jq -e '.minutes | length == 2' out
    done
}

@test 'CSV has as many fields in each row, and nothing to calculate' {
    sreport --csv csv --top 100
    look csv csv/*.csv
    sacct --profile=csv "$((first + 3))"
    look csv out
    [ "$(wc -l <out)" -eq 3 ]
    fine carbonctl export -S 2026-10-01
    look csv out
    jobs=$(($(wc -l <out) - 1))
    [ "$jobs" -gt 20 ]
    fine carbonctl export -S 2026-10-01 --format jsonl
    jq -se --argjson n "$jobs" --arg cluster "$cluster" \
        'length == $n and all(.[]; .cluster == $cluster)' out
}

@test 'a page has the elements that it has with harmless names' {
    sreport --html harm.html
    SLURM_CARBON_CONF=$books/plain.conf fine sreport-carbon --month 2026-10 --html plain.html
    look html harm.html plain.html
}

@test 'a picture of power has no element but its own' {
    local job
    for job in $(seq $((first + 1)) $((first + 34))); do
        [ $(((job - first) % 3)) -ne 0 ] || continue # an array's
        sacct --profile=svg "$job"
        look svg out
    done
    sacct --profile=text "$((first + 4))"
}

@test 'what carbonctl says of such books moves no terminal' {
    local words
    for words in audit 'audit --verbose' status 'status --days 36500' 'factors list' 'grid show FR' \
                 config 'inventory check'; do
        # shellcheck disable=SC2086
        bounded carbonctl $words
    done
    fine carbonctl audit --json
    jq -e '.balanced and .balances[0].counted_mj == 35000000' out
    grep -F '\u001b' out && return 1
    # a hole in the chain of a node with a name like that is a finding, and so is its repair
    command -v sqlite3 >/dev/null || skip "no sqlite3 command"
    cp "$books/harm.db" holes.db
    sed "s|$books/harm.db|$PWD/holes.db|" "$books/harm.conf" >holes.conf
    sqlite3 holes.db 'UPDATE batch_component SET seq = 3; UPDATE batch SET seq = 3;
                      UPDATE node_total SET counted_mj = counted_mj + 1'
    bounded carbonctl --config "$PWD/holes.conf" audit --verbose
    grep -q '^A2 notes: cluster .*, node -n\\x9b31m\\u202e\\xff, stream ' out
    bounded carbonctl --config "$PWD/holes.conf" audit --json
    jq -e '.balanced | not' out
    bounded carbonctl --config "$PWD/holes.conf" repair loss --reason gone $'-n\xc2\x9b31m\xe2\x80\xae\xff'
    bounded carbonctl --config "$PWD/holes.conf" repair loss --reason gone -- \
        $'-n\xc2\x9b31m\xe2\x80\xae\xff'
    grep -q '^cluster .*, node -n\\x9b31m\\u202e\\xff, stream ' out
}

# --- what no book may take -----------------------------------------------------------------------

@test 'a batch whose names are none is set aside, with the reason' {
    mkdir deliver
    printf '%s\n' "Database=sqlite:$PWD/carbon.db" "DeliverDir=$PWD/deliver" >carbon.conf
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    fine carbonctl init
    look refused deliver >reasons
    bounded carbonctl ingest || true # it says a line of each
    grep -qx "loaded 0, duplicates 0, quarantined $(wc -l <reasons), left 0" out
    [ -z "$(find deliver -maxdepth 1 -type f)" ]
    [ "$(grep -c ': quarantined: ' err)" -eq "$(wc -l <reasons)" ]
    [ "$(awk '{ print length }' err | sort -n | tail -1)" -lt 1024 ]
    while read -r reason; do
        grep -qF "$reason" err || { echo "no reason: $reason"; cat err; return 1; }
    done <reasons
    fine carbonctl quarantine list
    [ "$(wc -l <out)" -eq $(($(wc -l <reasons) + 1)) ]
    grep -q '^\\x1b\[31mred.batch ' out
    fine carbonctl quarantine list --json
    jq -e --argjson n "$(wc -l <reasons)" 'length == $n and all(.[]; .reason | length > 8)' out
    bounded carbonctl quarantine retry --all
    bounded carbonctl quarantine drop --reason none $'\xc2\x9b31m.batch' $'\e[31mred.batch' -- -rf.batch
    bounded carbonctl status
    [ ! -e deliver/quarantine/-rf.batch ] || [ -e deliver/-rf.batch ]
}

# --- arguments and variables ---------------------------------------------------------------------

# Characters of each kind at once, a format, and one that is too long for all
harms=($'\e[31m\a\nb\rc\x7f \xc2\x9b31m \x9b31m\xff \xe2\x80\xaetxt' '%s%n%999999d'
       "$(printf '%065536d' 0)" '')

@test 'what sacct-carbon and sreport-carbon are asked is quoted in a line that moves no terminal' {
    local harm option
    for harm in "${harms[@]}"; do
        for option in -j -u -A -r -q -M -N -s -S -E -o --by --grid --gco2 --units --factor-set \
                      --config; do
            bounded sacct-carbon -v -a "$option" "$harm"
        done
        bounded sacct-carbon "--profile=$harm" 1
        for option in "$harm" "--$harm" "-$harm" "1.$harm" "1_[$harm]" "1+$harm"; do
            bounded sacct-carbon "$option"
        done
        for option in -S -E -M --mode --top --section --factor-set --config --month; do
            bounded sreport-carbon -v "$option" "$harm"
        done
        bounded sreport-carbon "$harm"
        bounded sreport-carbon "--$harm"
        bounded sreport-carbon --month 2026-10 -M "$cluster" --html "/dev/null/$harm/x"
        bounded sreport-carbon --month 2026-10 -M "$cluster" --csv "/dev/null/$harm"
    done
    run -1 sacct-carbon "$(printf '%065536d' 0)"
    [[ $output == *'that is no job id; write 123, '* ]]
}

@test 'so it is with carbonctl' {
    local harm words
    for harm in "${harms[@]}"; do
        for words in '' help 'help grid' init ingest 'ingest --wait' audit status 'status --days' prune \
                     factors 'factors show --set' 'factors show' grid 'grid show' 'grid import' \
                     'grid import --zone' inventory config sensors estimate 'estimate --zone' \
                     quarantine 'quarantine retry' 'quarantine drop --reason' \
                     'quarantine drop --reason x' repair 'repair loss --reason x' \
                     'repair loss n --reason' 'backup --verify' 'audit --config'; do
            # shellcheck disable=SC2086
            bounded carbonctl $words "$harm"
        done
        bounded carbonctl "--$harm"
        bounded carbonctl audit "--$harm"
    done
    run carbonctl "$(printf '%065536d' 0)"
    [ "$status" -eq 1 ]
    [[ $output == *'is not a command; carbonctl --help lists them' ]]
}

@test 'so it is with the environment' {
    local harm name command
    for harm in "${harms[@]}"; do
        for name in SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CARBON_CONF TZ NO_COLOR COLUMNS; do
            for command in "sacct-carbon -v -M all $((first + 3))" \
                           "sacct-carbon -M all --profile=svg $((first + 3))" \
                           'sreport-carbon -v --month 2026-10'; do
                # shellcheck disable=SC2086
                bounded env "$name=$harm" $command
            done
        done
        for name in SLURMD_NODENAME SLURM_CARBON_CONF SLURM_CONF CARBON_DATA; do
            for command in status config audit 'factors update --dry-run' sensors; do
                # shellcheck disable=SC2086
                bounded env "$name=$harm" carbonctl $command
            done
        done
    done
}
