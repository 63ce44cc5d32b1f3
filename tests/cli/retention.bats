#!/usr/bin/env bats
# What becomes fewer with age, on both kinds of database: energy by the hour is rolled up into days, and
# batches into runs, and no figure of a job, an account or a month is another for it. tests/unit/test_roll.c holds the
# rows against each other.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup_file() {
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
    PATH=${top_builddir:?}:$PATH
    export CARBON_DATA=$top_srcdir/accounting/carbon TZ=UTC
    unset SLURM_CONF SLURM_TIME_FORMAT SUDO_USER
    mkmonth=$(realpath "$top_builddir/tests/fake/mkmonth")
    cd "$BATS_TEST_TMPDIR"
    cat >inventory.conf <<'CONF'
node_type "a" { nodes = "n[1-3]" cores = 40 gpus = 4 in_service = "2024-01-01"
    asset "node" { class = GPU kg = 1500 lifetime_years = 5 source = "test" } }
budget "climate" { account = "climate" period = year kgco2e = 1000 from = "2025-01-01" }
CONF
    # a grid that is another every hour
    awk 'BEGIN { print "start_utc,end_utc,gco2e_per_kwh"
        for (h = 0; h < 89 * 24; h++) { t = 1738368000 + h * 3600
            print strftime("%Y-%m-%dT%H:%MZ", t, 1) "," strftime("%Y-%m-%dT%H:%MZ", t + 3600, 1) "," 20 + h * 37 % 400 } }' >grid.csv
}

# A site of its own, of whichever database: its configuration, and the factors.
site() { # NAME DATABASE
    mkdir "$1-deliver"
    printf '%s\n' "Database=$2" "DeliverDir=$PWD/$1-deliver" "Inventory=$PWD/inventory.conf" ClusterName=c \
        Zone=FR PUE=1.3 KeepHourlyDays=36500 KeepPowerDays=3650 >"$1.conf"
    use "$1"
    carbonctl init >/dev/null
    carbonctl grid import grid.csv --zone FR --basis lifecycle --scope generation --source 'a site' >/dev/null
}

keep_less() { # NAME
    sed -i "s/KeepHourlyDays=.*/KeepHourlyDays=32/; s/KeepPowerDays=.*/KeepPowerDays=30/" "$1.conf"
}

use() { # NAME
    export SLURM_CARBON_CONF=$PWD/$1.conf
}

# Three months of three nodes: jobs of hours, of days, over the end of a month, over several nodes.
make_batches() {
    "$mkmonth" "$1" <<'SPEC'
cluster c
period 2025-02-01T00:00:00Z 2025-05-01T00:00:00Z
node n[1-3] cores=40 gpus=4 cpu_w=70 memory_w=20 gpu_w=50 other_w=0 system_w=1
job id=1 nodes=n1 cores=40 gpus=4 begin=2025-02-03T07:20:00Z end=2025-02-03T19:40:00Z cpu_w=100 gpu_w=300 user=ann account=climate partition=p name=a exit=0 uid=1001
job id=2 nodes=n[2-3] cores=20 gpus=2 begin=2025-02-10T22:10:00Z end=2025-02-14T03:00:00Z cpu_w=90.5 gpu_w=211 user=bob account=physics partition=p name=b exit=0 uid=1002
job id=3 nodes=n[1-3] cores=10 gpus=1 begin=2025-02-27T10:00:00Z end=2025-03-03T11:11:11Z cpu_w=33.3 gpu_w=250 user=ann account=climate partition=p name=c exit=1 uid=1001
job id=4 nodes=n2 cores=20 gpus=0 begin=2025-02-11T01:00:00Z end=2025-02-11T01:30:00Z cpu_w=60 gpu_w=0 user=ann account=climate partition=p name=d exit=0 uid=1001
job id=5 nodes=n1 cores=40 gpus=4 begin=2025-04-29T00:30:00Z end=2025-04-30T23:00:00Z cpu_w=100 gpu_w=300 user=bob account=physics partition=p name=e exit=0 uid=1002
SPEC
}

# Everything that a person is shown of these months, but for when it was made and by which database.
figures() { # FILE
    for month in 02 03 04; do
        sreport-carbon --month 2025-$month --json
        sreport-carbon --month 2025-$month
    done >month
    sreport-carbon --starttime 2025-02-10T05:00:00 --endtime 2025-02-28T17:00:00 --json >part
    sacct-carbon -a -P -X -S 2025-02-01 -E 2025-05-01 -o ALL >jobs
    sacct-carbon -a -P -X -S 2025-02-11T03:00 -E 2025-02-28T09:00 -o ALL --clip >clipped 2>&1 || true
    sacct-carbon -j 1,2,3,4,5 --by day >days
    sacct-carbon -j 1,2,3,4,5 --json >cards
    carbonctl export -S 2025-02-01 -E 2025-05-01 >exported
    cat month part jobs clipped days cards exported | sed 's/\(sqlite\|postgresql\):[^ "]*/DATABASE/g' |
        grep -v '"\(made\|generated\|factor_set_made\)\|^Made\|rolled up' >"$1"
    [ "$(wc -l <"$1")" -gt 1000 ]
}

same_file() { # FILE FILE
    diff "$1" "$2" >difference || { head -40 difference; return 1; }
}

rows() { # TABLE
    case $(sed -n 's/^Database=//p' "$SLURM_CARBON_CONF") in
        sqlite:*) sqlite3 carbon.db "SELECT COUNT(*) FROM $1" ;;
        *) psql -qtA -d "rolled$BATS_TEST_NUMBER" -c "SELECT COUNT(*) FROM $1" ;;
    esac
}

# Figures of books that were never pruned are `whole`; of those that were, between batches, the same.
hold() { # DATABASE
    mkdir all
    make_batches all
    site whole "sqlite:$PWD/whole.db"
    cp all/* whole-deliver
    carbonctl ingest >/dev/null
    figures whole.figures

    site rolled "$1"
    find all -name '*.batch' | sort | awk 'NR % 3' | xargs -I{} cp {} rolled-deliver
    carbonctl ingest >/dev/null || [ $? -eq 3 ]
    before=$(rows energy) batches=$(rows batch)
    keep_less rolled
    run -0 carbonctl prune --dry-run
    [[ $output =~ 'energy by the hour before '20[0-9-]*'T00:00:00Z (KeepHourlyDays=32): '([0-9]+)' records would be rolled up into those of days' ]] ||
        { echo "$output"; false; }
    would=${BASH_REMATCH[1]}
    [[ $output =~ 'batches before '20[^\ ]*': '([0-9]+)' records would be joined to the one that follows' ]]
    would_join=${BASH_REMATCH[1]}
    [ "$(rows energy) $(rows batch)" = "$before $batches" ]
    run -0 carbonctl prune
    [[ $output == *": $would records were rolled up into those of days"*": $would_join records were joined to the one"* ]] ||
        { echo "$output"; false; }
    [ $((batches - would_join)) -eq "$(rows batch)" ]
    [ $((before / $(rows energy))) -ge 10 ]
    cp all/* rolled-deliver # those that were left out, and the others again
    run -0 carbonctl ingest
    [[ $output == *"loaded $(($(find all -name '*.batch' | wc -l) - batches)), duplicates $batches, quarantined 0"* ]] ||
        { echo "$output"; false; }
    carbonctl audit
    [ $((before / $(rows energy))) -ge 10 ] # they went into their days
    run -0 carbonctl prune
    [[ $output == *'energy by the hour '*': there is none left'* ]]
    [ "$(rows batch)" -eq 3 ] # a run of each node
    carbonctl audit
    figures rolled.figures
    same_file whole.figures rolled.figures
    run -0 carbonctl repair sums
    carbonctl audit
    figures rolled.figures
    same_file whole.figures rolled.figures
}

@test "no figure changes when old hours are rolled up, in SQLite" {
    hold "sqlite:$PWD/carbon.db"
}

@test "no figure changes when old hours are rolled up, in PostgreSQL" {
    createdb "rolled$BATS_TEST_NUMBER"
    hold "postgresql:///rolled$BATS_TEST_NUMBER"
}

@test "ingest rolls up once a day, before anyone asks" {
    site rolled "sqlite:$PWD/carbon.db"
    keep_less rolled
    make_batches rolled-deliver
    carbonctl ingest >/dev/null
    run -0 carbonctl prune --dry-run
    [[ $output == *'energy by the hour '*': there is none'* ]]
    [ "$(sqlite3 carbon.db 'SELECT COUNT(*) FROM energy WHERE hour_s % 86400 <> 0')" -eq 0 ]
    [ "$(sqlite3 carbon.db 'SELECT COUNT(*) FROM job_hour WHERE hour_s % 86400 <> 0')" -gt 100 ]
    # and the days of before are not read again
    [ "$(sqlite3 carbon.db 'SELECT COUNT(*) FROM batch')" -eq 3 ]
    sqlite3 carbon.db "UPDATE meta SET content = content - 86400 WHERE name = 'power_pruned_s'"
    carbonctl ingest >/dev/null
    carbonctl audit
}

@test "prune that is killed in between leaves books that balance, and no other figures" {
    local ms
    site rolled "sqlite:$PWD/carbon.db"
    make_batches rolled-deliver
    carbonctl ingest >/dev/null
    figures whole.figures
    keep_less rolled
    for ms in 008 012 016 020 024 028 032 036 040 050 060 080; do
        timeout --foreground -s KILL "0.$ms" carbonctl prune >/dev/null || true
        sqlite3 carbon.db 'SELECT 1 FROM meta' >/dev/null # who may write undoes what was begun
        carbonctl audit >/dev/null
    done
    carbonctl prune
    [ "$(rows batch)" -eq 3 ]
    [ "$(sqlite3 carbon.db 'SELECT COUNT(*) FROM energy WHERE hour_s % 86400 <> 0')" -eq 0 ]
    carbonctl audit
    figures rolled.figures
    same_file whole.figures rolled.figures
}
