#!/usr/bin/env bats
# carbonctl doctor: each failure that it knows is provoked, and named with its remedy. Slurm is what
# a fake scontrol prints; tests/slurm/dbd.bats has it look at a real one.
# shellcheck disable=SC2016

setup() {
    PATH=${top_builddir:?}:$PATH
    export CARBON_DATA=${top_srcdir:?}/accounting/carbon TZ=UTC
    unset SLURM_CONF SLURMD_NODENAME
    cd "$BATS_TEST_TMPDIR" || return
    mkdir deliver bin
    marks=$(mktemp -d /dev/shm/carbon-doctor.XXXXXX)
    printf '%s\n' "Database=sqlite:$PWD/carbon.db" "DeliverDir=$PWD/deliver" "SpoolDir=$PWD/spool" \
        "MarkDir=$marks" "Inventory=$PWD/inventory.conf" KeepPowerDays=3650 ClusterName=c Zone=FR >carbon.conf
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    PATH=$PWD/bin:$PATH
    plugin=$(realpath "$top_builddir/plugin/spank/.libs/spank_carbon.so")
    version=$(built_for)
    [ "${version%%.*}" -ge 20 ]
    printf 'optional %s config=%s\n' "$plugin" "$PWD/carbon.conf" >plugstack.conf
    slurm "$version" Alloc,Contain
    printf '#!/bin/sh\necho yes\n' >bin/timedatectl
    # n1 is of two partitions; nodes that are off cannot deliver
    printf '%s\n' '#!/bin/sh' 'printf "%s\n" "n1 idle" "n1 idle" "n2 mixed" "n3 down*" "n4 powered_down" "n5 idle~"' >bin/sinfo
    chmod +x bin/timedatectl bin/sinfo
}

teardown() {
    rm -rf "$marks"
    [ -z "${watcher-}" ] || kill "$watcher" 2>/dev/null || true
}

# What the plugin says of itself, by the doctor.
built_for() {
    printf '#!/bin/sh\nprintf "SLURM_VERSION = 1.1.1\\nPlugStackConfig = %s\\n"\n' "$PWD/plugstack.conf" >bin/scontrol
    chmod +x bin/scontrol
    printf 'optional %s\n' "$plugin" >plugstack.conf
    carbonctl doctor | sed -n 's/.* was built for Slurm \([0-9.]*\), and this is 1.1.1$/\1.0/p'
}

slurm() { # VERSION PROLOG-FLAGS
    cat >bin/scontrol <<EOF
#!/bin/sh
cat <<'END'
Configuration data as of 2026-11-29T00:00:00
PluginDir               = /nowhere:$(dirname "$plugin")
PlugStackConfig         = $PWD/plugstack.conf
PrologFlags             = $2
SLURM_VERSION           = $1
END
EOF
    chmod +x bin/scontrol
}

books() { # a node whose batches are new
    carbonctl init >/dev/null 2>&1
    "$top_builddir/tests/fake/mkbatches" deliver 2 3 >/dev/null
    carbonctl ingest >/dev/null
    sqlite3 carbon.db "UPDATE job SET reconciled_s = 1;
        UPDATE batch SET begin_wall_ns = begin_wall_ns + d, end_wall_ns = end_wall_ns + d FROM
        (SELECT strftime('%s', 'now') * 1000000000 - max(end_wall_ns) AS d FROM batch)"
    carbonctl ingest --watch >/dev/null 2>&1 &
    watcher=$!
    for _ in $(seq 100); do
        if [ -e carbon.db.ingest.lock ]; then break; fi
        sleep 0.1
    done
    touch inventory.conf
}

meter() { # a spool with a meter that is alive, as far as its lock and its word tell
    mkdir spool
    touch spool/lock
    printf 'pid: 1\nlast_error: none\ncounter: p0 sensor=powercap quality=measured\n' >spool/status
    flock -o spool/lock sleep 100 3>&- &
    watcher_of_lock=$!
    sleep 0.2
}

doctor() { # STATUS
    run carbonctl doctor
    echo "$output"
    [ "$status" -eq "$1" ]
}

says() { # VERDICT WHAT TEXT [REMEDY]
    local lines
    lines=$(grep -A1 "^$1 *$2 " <<<"$output") || { echo "no $1 of $2"; return 1; }
    [[ $lines == *"$3"* ]] || { echo "not said of $2: $3"; return 1; }
    [[ $lines == *"${4-}"* ]] || { echo "no remedy of $2: $4"; return 1; }
}

@test "a site where all is well" {
    books
    meter
    doctor 0
    [[ $output == *$'\n0 problems, 0 warnings' ]]
    for what in carbon.conf clock Slurm PrologFlags plugstack.conf plugin meter "meter's word" sensors spool marks \
        database ingest DeliverDir nodes audit quarantine reconcile Zone inventory; do
        grep -q "^well *$what " <<<"$output" || { echo "nothing of $what"; false; }
    done
    kill "$watcher_of_lock"
}

@test "a machine that has nothing is told what is skipped" {
    rm bin/scontrol
    PATH=$top_builddir:/nonexistent run "$top_builddir/carbonctl" doctor
    [ "$status" -eq 0 ]
    says skipped Slurm 'scontrol is not in PATH' "ask where Slurm's commands are"
    says skipped meter 'this machine is not metered'
    says skipped database 'not on this machine'
}

@test "the clock that nothing keeps; nodes of Slurm's that never delivered" {
    books
    printf '#!/bin/sh\necho no\n' >bin/timedatectl
    printf '%s\n' '#!/bin/sh' 'printf "%s\n" "n1 idle" "n2 mixed" "n7 allocated" "n8 drained" "n8 drained"' >bin/sinfo
    doctor 1
    says warning clock 'not kept by NTP' chrony
    [[ $output == *'2 of 4 are up in Slurm, and never delivered: n7, n8'*'systemctl enable --now carbon-meterd'* ]]
    printf '#!/bin/sh\nexit 1\n' >bin/timedatectl
    doctor 1
    says skipped clock 'timedatectl failed'
}

@test "Slurm: slurmctld away, prologs, plugstack.conf, the plugin" {
    printf '#!/bin/sh\nexit 1\n' >bin/scontrol
    doctor 0
    says warning Slurm 'scontrol failed (status 1)' 'is slurmctld up?'
    slurm "$version" '(null)'
    doctor 1
    says PROBLEM PrologFlags 'without Contain' 'PrologFlags=Contain in slurm.conf'
    slurm 99.11.1 Contain
    doctor 1
    says PROBLEM plugin "was built for Slurm ${version%.*}, and this is 99.11.1" 'install the package'
    slurm "$version" Contain
    # of a site that never set PlugStackConfig it is said to be (null), and is beside slurm.conf
    sed -i "s|^PlugStackConfig .*|PlugStackConfig         = (null)\nSLURM_CONF              = $PWD/slurm.conf|" bin/scontrol
    doctor 0
    says well plugstack.conf "$PWD/plugstack.conf names it"
    slurm "$version" Contain
    echo '# optional spank_carbon.so' >plugstack.conf
    doctor 1
    says PROBLEM plugstack.conf 'does not name spank_carbon.so' 'add `optional spank_carbon.so'
    mkdir conf.d
    printf 'include %s/conf.d/*.conf\n' "$PWD" >plugstack.conf
    printf 'required spank_carbon.so\n' >conf.d/carbon.conf
    doctor 0
    says warning plugstack.conf 'it is ever away, jobs fail' 'say `optional`'
    says well plugin "$(dirname "$plugin")/spank_carbon.so"
    printf 'optional spank_carbon.so config=/etc/other.conf\n' >conf.d/carbon.conf
    doctor 0
    says warning plugstack.conf 'the plugin reads /etc/other.conf' 'the same file'
    printf 'optional /nowhere/spank_carbon.so\n' >conf.d/carbon.conf
    doctor 1
    says PROBLEM plugin "in none of PluginDir's" 'slurm-carbon-spank'
    printf 'optional %s/spank_carbon.so\n' "$PWD" >conf.d/carbon.conf
    echo 'no plugin' >spank_carbon.so
    doctor 0
    says warning plugin 'cannot be looked at' 'is it whole?'
}

@test "the meter: not running, silent, in error, without counters" {
    meter
    kill "$watcher_of_lock"
    wait "$watcher_of_lock" || true
    printf 'pid: 1\nlast_error: DeliverDir is away\ncounter: m0 quality=modelled\n' >spool/status
    doctor 1
    says PROBLEM meter 'carbon-meterd does not run' 'systemctl enable --now carbon-meterd'
    says warning "meter's word" 'its last error was: DeliverDir is away' operations.md
    says warning sensors 'all its figures are modelled' 'carbonctl sensors'
    printf 'pid: 1\nlast_error: none\n' >spool/status
    touch -d '1 hour ago' spool/status
    doctor 1
    says PROBLEM "meter's word" 'its status is 60 min old' 'sealed no batch since'
    says PROBLEM sensors 'nothing is measured here'
    rm spool/status
    doctor 1
    says warning "meter's word" 'it has left no status'
}

@test "the meter's directories: a spool that waits, marks that nobody reads or can be left" {
    meter
    touch -d '2 hours ago' spool/n1-0-1.batch spool/n1-0-2.batch
    (cd "$marks" && seq -f %g.mark 1001 | xargs touch)
    doctor 1
    says PROBLEM spool '2 batches wait in' 'is DeliverDir mounted'
    says PROBLEM marks '1001 marks lie unread' 'is carbon-meterd running'
    rm -r "$marks"
    doctor 1
    says PROBLEM marks 'No such file' 'carbon-meterd makes it'
    sed -i "s|^MarkDir=.*|MarkDir=$PWD/bin|" carbon.conf
    [ "$(stat -f -c %T bin)" != tmpfs ] || skip 'this folder is on a tmpfs itself'
    doctor 1
    says PROBLEM marks 'is not on a tmpfs' 'have MarkDir below /run'
    kill "$watcher_of_lock"
}

@test "the metrics file: not there, old, written" {
    meter
    [[ $(carbonctl doctor) != *MetricsFile* ]]
    echo "MetricsFile=$PWD/carbon.prom" >>carbon.conf
    doctor 0
    says warning metrics "MetricsFile $PWD/carbon.prom: No such file" 'ReadWritePaths?'
    touch -d '-10 min' carbon.prom
    doctor 0
    says warning metrics 'carbon.prom is 10 min old' "carbon-meterd's log says why"
    touch carbon.prom
    doctor 0
    says well metrics 'carbon.prom is written'
    kill "$watcher_of_lock"
}

@test "the books: no ingest, batches that wait, nodes that lack, are late, ahead or full" {
    books
    kill "$watcher"
    wait "$watcher" || true
    sqlite3 carbon.db "UPDATE batch SET end_wall_ns = end_wall_ns - 36000000000000 WHERE node_key = 1;
        UPDATE batch SET loaded_s = loaded_s - 600, marks_bad = 3, batches_dropped = 2 WHERE node_key = 2"
    touch -d '1 hour ago' deliver/n1-0000000000000001-000000000009.batch
    rm inventory.conf
    sed -i /Zone/d carbon.conf
    doctor 1
    says PROBLEM ingest 'nobody loads' 'systemctl enable --now carbon-ingest'
    says PROBLEM DeliverDir '1 batches wait in' 'log of carbon-ingest'
    [[ $output == *'1 of 2 delivered nothing for long: n1'* ]]
    [[ $output == *'1 of 2 had a full spool, and gave up batches: n2'*SpoolMaxMB* ]]
    [[ $output == *'1 of 2 found marks that are none: n2'* ]]
    [[ $output == *"1 of 2 have a clock that is ahead of this machine's: n2"*NTP* ]]
    says warning Zone 'no grid zone is set' 'set Zone'
    says warning inventory 'embodied emissions are unknown' 'inventory discover'
    rmdir deliver 2>/dev/null || rm -r deliver
    doctor 1
    says PROBLEM DeliverDir 'No such file' 'mount or make it'
}

@test "the books: what audit, quarantine and reconcile would say; a database that cannot be opened" {
    books
    sqlite3 -cmd '.timeout 20000' carbon.db "UPDATE node_total SET counted_mj = counted_mj + 1;
        DELETE FROM batch_component WHERE seq = 2; DELETE FROM batch WHERE seq = 2;
        INSERT INTO quarantine SELECT 'x.batch', 'torn', 1;
        UPDATE job SET reconciled_s = NULL, begin_s = strftime('%s', 'now') - 400000, end_s = strftime('%s', 'now') - 300000
        WHERE job_key = 1"
    doctor 1
    says PROBLEM audit 'the books do not balance' 'carbonctl audit --verbose'
    [[ $output == *'lack batches between those that came'* ]]
    says warning quarantine '1 files were set aside' 'carbonctl quarantine list'
    says warning reconcile "1 jobs of the last month have not slurmdbd's state" 'systemctl enable --now carbon-reconcile.timer'
    kill "$watcher"
    sqlite3 carbon.db 'PRAGMA user_version = 1000'
    doctor 1
    says PROBLEM database 'has schema 1000'
    rm carbon.db*
    carbonctl init >/dev/null 2>&1
    doctor 1
    says PROBLEM nodes 'no node has delivered yet' 'start carbon-meterd'
}
