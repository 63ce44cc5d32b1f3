#!/usr/bin/env bats
# what the services may do: their units, and that they work with no more than these give

setup() {
    units=${top_builddir:?}/scripts/systemd
    unset SLURM_CARBON_CONF SLURM_CONF JOURNAL_STREAM
    export LC_ALL=C.UTF-8 TZ=UTC
    # whoever copies this needs no more than `setup` and `sandbox`
    uid=54321 meterd=
}

teardown() {
    [ -z "${base:-}" ] || { end_meter KILL || true; rm -rf "$base"; }
}

needs_root() { [ "$(id -u)" -eq 0 ] || skip 'needs root'; }

needs() { # PROGRAM
    type -P "$1" >/dev/null || skip "no $1 here"
}

value() { # UNIT KEY: the words of that setting
    sed -n "s/^$2=//p" "$units/$1.service" | tr '\n' ' '
}

until_true() { # COMMAND...: within a minute
    local i
    for ((i = 0; i < 600; i++)); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    echo "in vain for a minute: $*"
    return 1
}

# --- the units ----------------------------------------------------------------------------------

exposure() { # UNIT TENTHS
    systemd-analyze security --no-pager --offline=true --threshold="$2" "$units/$1.service" | tail -n 1
}

@test "systemd-analyze security: carbon-meterd is exposed by 2.0 at most, the others by 1.5" {
    needs systemd-analyze
    systemd-analyze security --help | grep -q -- --offline || skip 'this systemd-analyze has no --offline'
    run exposure carbon-meterd 20
    echo "$output"
    [[ $output == *"Overall exposure level for carbon-meterd.service: "* ]]
    systemd-analyze security --offline=true --threshold=20 "$units/carbon-meterd.service" >/dev/null
    local unit
    for unit in carbon-ingest carbon-report carbon-backup carbon-reconcile \
        $([ ! -x "$top_builddir/carbond" ] || echo carbond); do
        systemd-analyze security --offline=true --threshold=15 "$units/$unit.service" >/dev/null
    done
}

@test "systemd-analyze verify finds nothing wrong with the units" {
    needs systemd-analyze
    local unit
    local source
    source=$(realpath "${top_srcdir:?}")/scripts/systemd
    cp "$source/carbon-reconcile.timer" "$BATS_TEST_TMPDIR"
    local units_here=(carbon-meterd carbon-ingest carbon-reconcile)
    [ ! -x "$top_builddir/carbond" ] || units_here+=(carbond)
    for unit in "${units_here[@]}"; do # as if the programs were installed
        sed "s|^ExecStart=[^ ]*/|ExecStart=$(realpath "$top_builddir")/|" "$units/$unit.service" \
            >"$BATS_TEST_TMPDIR/$unit.service"
    done
    for unit in carbon-report carbon-backup; do
        sed "s|^ExecStart=[^ ]*/|ExecStart=$source/|" "$units/$unit.service" \
            >"$BATS_TEST_TMPDIR/$unit.service"
        cp "$source/$unit.timer" "$BATS_TEST_TMPDIR"
    done
    run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/*.service "$BATS_TEST_TMPDIR"/*.timer
    echo "$output"
    [ "$status" -eq 0 ]
    ! grep -F -e carbon- -e carbond <<<"$output"
}

# --- what the kernel is asked -------------------------------------------------------------------

calls_of() { # WORD...: names of system calls, those of groups too
    local word
    for word in "$@"; do
        if [[ $word == @* ]]; then
            # shellcheck disable=SC2046
            calls_of $(systemd-analyze --no-pager syscall-filter "$word" | sed '/^ *#/d; 1d')
        else
            echo "$word"
        fi
    done
}

filter_of() { # UNIT: the calls that it lets through; each line adds to those before, or takes away
    local lines line calls=''
    mapfile -t lines < <(sed -n 's/^SystemCallFilter=//p' "$units/$1.service")
    for line in "${lines[@]}"; do
        # shellcheck disable=SC2086
        if [[ $line == '~'* ]]; then
            calls=$(comm -23 <(sort -u <<<"$calls") <(calls_of ${line#\~} | sort -u))
        else
            calls+=$'\n'$(calls_of $line)
        fi
    done
    sort -u <<<"$calls"
}

denied_of() { # UNIT TRACE: calls in strace's output that the unit does not let through
    # the first exec is setpriv's, which is no part of the service
    comm -13 <(filter_of "$1") <(awk '
        execs >= 2 && match($2, /^[a-z_0-9]+\(/) { print substr($2, 1, RLENGTH - 1) }
        $2 ~ /^execve\(/ { execs++ }' "$2" | sort -u)
}

# --- one node ---------------------------------------------------------------------------------

# A node with one RAPL counter that only root can read, and directories as tmpfiles.d makes them.
node() {
    local cpu
    base=$(mktemp -d)
    chmod 755 "$base"
    install -d "$base/bin" "$base/root/proc" "$base/root/cgroup" "$base/etc"
    install -d -m 700 "$base/run" "$base/run/n1"
    install -d "$base/prom" # of another package, root's
    install -d -m 750 -o $uid -g $uid "$base/spool" "$base/spool/deliver" "$base/lib"
    install "$top_builddir/carbon-meterd" "$top_builddir/carbonctl" "$base/bin"
    install "$top_builddir/sreport-carbon" "$top_srcdir/scripts/systemd/monthly-report" \
        "$top_srcdir/scripts/systemd/daily-backup" "$base/bin"
    cpu=$base/root/sys/devices/system/cpu
    install -d "$cpu/cpu0/topology" "$base/root/sys/class/powercap/intel-rapl:0"
    echo 0 >"$cpu/online"
    echo 0 >"$cpu/possible"
    for file in physical_package_id core_id; do echo 0 >"$cpu/cpu0/topology/$file"; done
    for file in thread_siblings core_siblings; do echo 1 >"$cpu/cpu0/topology/$file"; done
    echo 'cpu0 100 0 0 0 0 0 0 0' >"$base/root/proc/stat"
    zone=$base/root/sys/class/powercap/intel-rapl:0
    echo package-0 >"$zone/name"
    echo 262143328850 >"$zone/max_energy_range_uj"
    echo 1000000 >"$zone/energy_uj"
    chmod 0400 "$zone/energy_uj"
    cat >"$base/etc/carbon.conf" <<EOF
ClusterName=test
MarkDir=$base/run/n1
SpoolDir=$base/spool/n1
MetricsFile=$base/prom/n1.prom
DeliverDir=$base/spool/deliver
Database=sqlite:$base/lib/carbon.db
Inventory=$base/etc/inventory.conf
SensorRoot=$base/root
CgroupRoot=$base/root/cgroup
TickSeconds=0.1
DeliverSeconds=1
EOF
    chmod 644 "$base/etc/carbon.conf"
    export SLURM_CARBON_CONF=$base/etc/carbon.conf CARBON_DATA
    cp -r "${CARBON_DATA:-${top_srcdir:?}/accounting/carbon}" "$base/data"
    CARBON_DATA=$base/data
    # it looks at a process by ptrace(2), which the sandbox has none of
    export ASAN_OPTIONS=detect_leaks=0
}

# Run COMMAND as the unit would: its user, capabilities, read-only file systems, no network. The
# file systems that a unit's ReadWritePaths= names are here those given.
sandbox() { # UNIT WRITABLE... -- COMMAND...
    local unit=$1 writable=() caps ambient
    shift
    while [ "$1" != -- ]; do writable+=("$1"); shift; done
    shift
    caps=$(value "$unit" CapabilityBoundingSet | tr '[:upper:]' '[:lower:]')
    ambient=$(value "$unit" AmbientCapabilities | tr '[:upper:]' '[:lower:]')
    caps=$(sed 's/cap_/,+/g; s/ //g' <<<"$caps")
    ambient=$(sed 's/cap_/,+/g; s/ //g' <<<"$ambient")
    # shellcheck disable=SC2016
    exec unshare --mount --net --ipc --propagation private bash -c '
        set -e
        count=$1; shift
        for ((i = 0; i < count; i++)); do mount --bind "$1" "$1"; keep+=" $1 "; shift; done
        while read -r _ _ _ _ at _; do
            case $at/ in
                /proc/* | /sys/* | /dev/*) ;;
                *) [[ $keep == *" $at "* ]] || mount -o remount,bind,ro "$at" ;;
            esac
        done </proc/self/mountinfo
        exec "$@"
    ' sandbox ${#writable[@]} "${writable[@]}" ${trace:+strace -f -qq -e signal=none -o "$trace"} \
        setpriv --reuid $uid --regid $uid --clear-groups --no-new-privs \
        --inh-caps "-all$ambient" --ambient-caps "-all$ambient" --bounding-set "-all$caps" "$@"
}

meter() {
    sandbox carbon-meterd "$base/run" "$base/spool" "$base/prom" -- "$base/bin/carbon-meterd" --node n1
}

ctl() { # COMMAND...
    (sandbox carbon-ingest "$base/lib" "$base/spool" -- "$base/bin/carbonctl" "$@")
}

chore() { # UNIT PROGRAM DIRECTORY: what a timer runs, which may write in that directory alone
    install -d -m 750 -o $uid -g $uid "$3"
    (umask 0027
        export STATE_DIRECTORY=$3 PATH=$base/bin:$PATH
        sandbox "$1" "$3" -- "$base/bin/$2")
}

end_meter() { # SIGNAL
    local pid=$meterd
    meterd=
    [ -n "$pid" ] || return 0
    kill "-$1" "$(<"$base/spool/n1/lock")" # the meter itself: strace lets no signal through
    wait "$pid"
}

status_says() { grep -qs "$1" "$base/spool/n1/status"; }

# As the plugin leaves one, by root.
leave_mark() { # JOB
    local up name
    read -r up _ </proc/uptime
    up=$(printf '%s%s0000000' "${up%.*}" "${up#*.}")
    name=$(printf '%020d-%010d-ffffffff-job-begin.mark' "$up" "$1")
    cat >"$base/run/n1/.$name.tmp" <<EOF
carbon-mark 1
mark edge=job-begin boot_id=$(</proc/sys/kernel/random/boot_id) boottime_ns=$up wall_ns=$(date +%s%N) node=n1 cluster=test job_id=$1 uid=1 gid=1 user=alice job_cores=0 cpu_count=1
end
EOF
    chmod 600 "$base/run/n1/.$name.tmp"
    mv "$base/run/n1/.$name.tmp" "$base/run/n1/$name"
}

is_booked() { # JOB: in a batch that was delivered
    [ -z "$(ls "$base/run/n1")" ] && grep -qs "job_id=$1 " "$base"/spool/deliver/*.batch
}

meter_a_job() { # in the sandbox, from the mark to the books
    meter 3>&- >"$base/log" 2>&1 &
    meterd=$!
    until_true status_says "^counter: intel-rapl:0 sensor=powercap .*raw_uj=1000000"
    leave_mark 7
    echo 51000000 >"$zone/energy_uj"
    until_true is_booked 7
    until_true status_says "^counter: intel-rapl:0 .*raw_uj=51000000"
    end_meter TERM || { cat "$base/log"; return 1; }
}

@test "as their units have it, the meter reads what is root's and ingest books it" {
    needs_root
    node
    meter_a_job
    ! grep -E "not root's|hidden|MetricsFile" "$base/log"
    [ "$(stat -c '%a %u' "$base/prom/n1.prom")" = "644 $uid" ]
    ctl init
    run ctl ingest
    echo "$output"
    [[ $output =~ loaded\ [1-9][0-9]*,\ duplicates\ 0,\ quarantined\ 0,\ left\ 0 ]]
    [ "$("$base/bin/carbonctl" audit | tail -n 1)" = "the books balance" ]
    [ -z "$(ls "$base"/spool/deliver/*.batch 2>/dev/null)" ]

    # the sandbox is one
    run bash -c "$(declare -f sandbox value); uid=$uid units=$units; sandbox carbon-meterd '$base/run' -- touch '$base/etc/x'"
    [[ $output == *"Read-only file system"* ]]
    run ctl init --config /etc/shadow
    [ "$status" -ne 0 ]
    run "$base/bin/carbonctl" config
    # and without its capability the counter and the marks are out of reach
    run setpriv --reuid $uid --clear-groups cat "$zone/energy_uj"
    [[ $output == *"Permission denied"* ]]
}

@test "nobody else reads a reading, or writes anything" {
    needs_root
    node
    umask 000 # whoever starts them
    meter_a_job
    ctl init
    umask 022
    find "$base/run" "$base/spool" "$base/lib" \( -perm /027 -type f -o -perm /027 -type d \) \
        ! -perm 0640 ! -perm 0750 -printf '%m %p\n' >"$base/loose"
    cat "$base/loose"
    [ ! -s "$base/loose" ]
    # readings and marks are not even the group's
    [ "$(stat -c '%a %u' "$base/run/n1")" = '700 0' ]
    [ "$(stat -c '%a %u' "$base/spool/n1")" = "700 $uid" ]
    [ -z "$(find "$base/spool/n1" -type f -perm /077)" ]
    [ "$(stat -c '%a %u' "$base"/spool/deliver/*.batch | sort -u)" = "640 $uid" ]
    [ "$(stat -c '%a %u' "$base/lib/carbon.db")" = "640 $uid" ]
}

@test "the last month's report is made by who may only read the books" {
    needs_root
    node
    ctl init
    local month
    month=$(date -u -d "$(date -u +%Y-%m-15) -1 month" +%Y-%m)
    run chore carbon-report monthly-report "$base/lib/reports"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(ls -A "$base/lib/reports")" = "$month.html"$'\n'"$month.txt" ]
    grep -q "in $(LC_ALL=C date -d "$month-01" '+%B %Y')" "$base/lib/reports/$month.txt"
    grep -q '</html>' "$base/lib/reports/$month.html"
    [ "$(stat -c '%a %u' "$base/lib/reports"/* | sort -u)" = "640 $uid" ]
    # once more, and where it fails nothing of before is harmed
    chore carbon-report monthly-report "$base/lib/reports"
    rm "$base/lib/carbon.db"
    run chore carbon-report monthly-report "$base/lib/reports"
    [ "$status" -ne 0 ]
    [ "$(ls -A "$base/lib/reports")" = "$month.html"$'\n'"$month.txt" ]
    [ -s "$base/lib/reports/$month.txt" ]
}

@test "of the nightly backups the newest stay, and nothing else is removed" {
    needs_root
    node
    ctl init
    local dir=$base/lib/backup
    install -d -m 750 -o $uid -g $uid "$dir"
    touch "$dir"/carbon-2020-01-0{1,2,3,4}.db "$dir"/carbon-2020-01-0{1,2}.db.old "$dir/mine.db"
    export BACKUP_COPIES=3
    run chore carbon-backup daily-backup "$dir"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *": sound, "* ]]
    [ "$(stat -c '%a %u' "$dir/carbon-$(date +%F).db")" = "640 $uid" ]
    [ "$(cd "$dir" && echo *)" = "carbon-2020-01-01.db.old carbon-2020-01-02.db.old\
 carbon-2020-01-03.db carbon-2020-01-04.db carbon-$(date +%F).db mine.db" ]
    # a copy that fails costs none of the others
    rm "$base/lib/carbon.db"
    BACKUP_COPIES=1 run chore carbon-backup daily-backup "$dir"
    [ "$status" -ne 0 ]
    [ -e "$dir/carbon-2020-01-03.db" ]
    BACKUP_COPIES=none run chore carbon-backup daily-backup "$dir"
    [[ $output == *"BACKUP_COPIES=none is no number"* ]]
}

@test "they make no system call that their units forbid" {
    needs_root
    needs systemd-analyze
    needs strace
    strace -qq -o /dev/null true || skip 'strace may trace nothing here'
    node
    trace=$base/spool/trace.meterd
    meter_a_job
    trace=$base/spool/trace.ingest
    ctl init
    ctl ingest
    trace=$base/lib/reports/trace
    chore carbon-report monthly-report "$base/lib/reports"
    trace=$base/lib/backup/trace
    chore carbon-backup daily-backup "$base/lib/backup"
    trace=
    mv "$base/lib/reports/trace" "$base/spool/trace.report"
    mv "$base/lib/backup/trace" "$base/spool/trace.backup"
    local denied
    grep -q perf_event_open <(filter_of carbon-meterd) # it is a filter
    ! grep -q '^chown$' <(filter_of carbon-ingest)
    for unit in meterd ingest report backup; do
        denied=$(denied_of carbon-$unit "$base/spool/trace.$unit")
        echo "$unit: $denied"
        [ -z "$denied" ]
    done
}

# --- what is installed --------------------------------------------------------------------------

@test "nothing that is installed is setuid or setgid, or may be written by others" {
    local dest=$BATS_TEST_TMPDIR/dest
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$top_builddir" install "DESTDIR=$dest" >"$BATS_TEST_TMPDIR/log" 2>&1 ||
        { tail "$BATS_TEST_TMPDIR/log"; return 1; }
    [ -n "$(find "$dest" -name carbon-meterd -perm -111)" ]
    run find "$dest" \( -perm /6000 -o -perm /022 ! -type l \) -printf '%m %p\n'
    [ -z "$output" ] || { echo "$output"; return 1; }
}
