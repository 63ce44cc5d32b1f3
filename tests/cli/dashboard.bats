#!/usr/bin/env bats
# The Grafana dashboard: its figures are those of the report, on both databases, and Grafana takes it

from_s=1790812800 to_s=1793491200 # October 2026

setup_file() {
    export top_srcdir=${top_srcdir:-$PWD} top_builddir=${top_builddir:-$PWD/build}
    export TZ=UTC LC_ALL=C.UTF-8 dir=$BATS_FILE_TMPDIR
    export CARBON_DATA=$top_srcdir/accounting/carbon SLURM_CARBON_CONF=$BATS_FILE_TMPDIR/carbon.conf
    unset SLURM_CONF
    umask 022
    books
}

setup() {
    sqlite_board=$top_srcdir/scripts/grafana/slurm-carbon.json
    place=
    # shellcheck source=tests/cli/postgresql.sh
    . "$top_srcdir/tests/cli/postgresql.sh"
    postgresql_board=$top_builddir/scripts/grafana/slurm-carbon-postgresql.json
}

teardown() {
    remove_postgresql
}

look() { python3 "$top_srcdir/tests/cli/dashboard.py" "$@"; }

# A month of a cluster, with jobs over its borders, by ingest; then a part of it is made modelled and
# a part not covered, as the meters of the simulation never are. A node of before is silent in it,
# and so is another cluster.
books() {
    mkdir "$dir/deliver"
    "$top_builddir/tests/fake/mkmonth" "$dir/deliver" <<'END'
cluster alpha
period 2026-09-28T00:00:00Z 2026-11-02T00:00:00Z
node g[1-2] cores=64 gpus=8 cpu_w=120 memory_w=30 gpu_w=60 other_w=80 system_w=5
node c1 cores=128 cpu_w=200 memory_w=40 system_w=10
job id=1 nodes=g[1-2] cores=64 gpus=8 begin=2026-09-30T12:30:00Z end=2026-10-08T06:15:30Z cpu_w=200 gpu_w=250 user=alice account=climate partition=gpu name=train exit=0 uid=1001
job id=2 nodes=g1 cores=16 gpus=2 begin=2026-10-10T00:10:00Z end=2026-10-20T00:00:00Z cpu_w=50 gpu_w=150 user=bob account=physics partition=gpu name=fold exit=256 uid=1002
job id=3 nodes=c1 cores=100 begin=2026-10-05T00:00:00Z end=2026-10-29T07:00:00Z cpu_w=180 user=carol partition=cpu name=render exit=0 uid=1003
job id=4 nodes=g2 cores=8 gpus=1 begin=2026-10-31T20:00:00Z end=2026-11-01T04:00:00Z cpu_w=30 gpu_w=200 user=alice account=climate partition=gpu name=late exit=0 uid=1001
END
    "$top_builddir/tests/fake/mkmonth" "$dir/deliver" <<'END'
cluster alpha
period 2026-08-01T00:00:00Z 2026-08-03T00:00:00Z
node idle cores=8 cpu_w=50
END
    "$top_builddir/tests/fake/mkmonth" "$dir/deliver" <<'END'
cluster beta
period 2026-10-01T00:00:00Z 2026-10-03T00:00:00Z
node b1 cores=8 gpus=4 cpu_w=50 gpu_w=70
job id=1 nodes=b1 cores=8 gpus=4 begin=2026-10-01T12:30:00Z end=2026-10-02T06:15:30Z cpu_w=20 user=eve account=climate partition=gpu name=other exit=0 uid=1005
END
    printf '%s\n' ClusterName=alpha Zone=FR "Database=sqlite:$dir/carbon.db" "DeliverDir=$dir/deliver" \
        "Inventory=$dir/inventory.conf" >"$dir/carbon.conf"
    touch "$dir/inventory.conf"
    "$top_builddir/carbonctl" init >"$dir/log" 2>&1
    "$top_builddir/carbonctl" ingest
    sqlite3 "$dir/carbon.db" "UPDATE energy SET quality = 'modelled', sensor = 'modelled'
            WHERE component = 'memory' AND hour_s < $from_s + 864000;
        UPDATE energy SET metered_ms = metered_ms / 2 WHERE hour_s BETWEEN $from_s AND $from_s + 86399
            AND node_key = (SELECT node_key FROM node WHERE name = 'c1')"
    "$top_builddir/carbonctl" repair sums
    "$top_builddir/carbonctl" audit >"$dir/audit"
    "$top_builddir/sreport-carbon" --month 2026-10 --json >"$dir/report.json"
    "$top_builddir/sreport-carbon" -S 2026-10-01 -E 2026-10-02 --json >"$dir/day.json"
}

@test "its parts fit together, and the one for PostgreSQL is the same" {
    look whole "$sqlite_board"
    look whole "$postgresql_board"
    look same "$sqlite_board" "$postgresql_board"
}

@test "every panel shows what sreport-carbon says of the month" {
    look sqlite "$sqlite_board" "$dir/carbon.db" $from_s $to_s >"$BATS_TEST_TMPDIR/shown"
    look figures "$BATS_TEST_TMPDIR/shown" "$dir/report.json" "$dir/day.json"
    # and of the time up to which a node is booked, what status says
    local booked_s
    booked_s=$(jq '."Nodes, the least covered first"[1][0][3] / 1000' "$BATS_TEST_TMPDIR/shown")
    "$top_builddir/carbonctl" status | grep "^ *alpha *idle " |
        grep -q "$(date -u -d "@$booked_s" +%Y-%m-%dT%H:%M:%SZ)"
}

@test "a range without energy is empty, and not 0 %" {
    look sqlite "$sqlite_board" "$dir/carbon.db" 1000000 1003600 >"$BATS_TEST_TMPDIR/shown"
    [ "$(jq -c '[.Energy, .Covered, ."GPU-hours", ."Accounts that used most"] | map(.[1])' \
        "$BATS_TEST_TMPDIR/shown")" = '[[[null]],[[null]],[[null]],[]]' ]
}

# --- PostgreSQL -----------------------------------------------------------------------------------

# What is in SQLite, by the same schema.
copy_books() { # CONNECTION
    local table
    cat "$top_srcdir"/accounting/store/schema-[0-9].sql >"$BATS_TEST_TMPDIR/copy.sql"
    echo 'SET session_replication_role = replica;' >>"$BATS_TEST_TMPDIR/copy.sql"
    while read -r table; do
        sqlite3 -header -csv "$dir/carbon.db" "SELECT * FROM $table" >"$BATS_TEST_TMPDIR/$table.csv"
        [ -s "$BATS_TEST_TMPDIR/$table.csv" ] || continue
        printf '\\copy %s (%s) FROM %s CSV HEADER\n' "$table" \
            "$(head -n 1 "$BATS_TEST_TMPDIR/$table.csv")" "$BATS_TEST_TMPDIR/$table.csv"
    done < <(sqlite3 "$dir/carbon.db" "SELECT name FROM sqlite_master WHERE type = 'table'
        AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'factor_document'") >>"$BATS_TEST_TMPDIR/copy.sql"
    psql -X -q -v ON_ERROR_STOP=1 -f "$BATS_TEST_TMPDIR/copy.sql" "$1"
}

@test "PostgreSQL, with the same books, shows the same in every panel" {
    local connection
    start_postgresql
    connection="host=$place user=books dbname=postgres"
    copy_books "$connection"
    look sqlite "$sqlite_board" "$dir/carbon.db" $from_s $to_s >"$BATS_TEST_TMPDIR/sqlite"
    look postgresql "$postgresql_board" "$connection" $from_s $to_s >"$BATS_TEST_TMPDIR/postgresql"
    look alike "$BATS_TEST_TMPDIR/sqlite" "$BATS_TEST_TMPDIR/postgresql"
    look figures "$BATS_TEST_TMPDIR/postgresql" "$dir/report.json" "$dir/day.json"
}

# --- Grafana --------------------------------------------------------------------------------------

# The types of Grafana's own package, and a TypeScript to check by; scripts/check fetches both.
is_taken() { # BOARD: prints what is wrong
    look typescript "$1" >"$BATS_TEST_TMPDIR/board.ts"
    node "$schema/typescript/bin/tsc" --noEmit --strict --skipLibCheck --target es2022 \
        --module esnext --moduleResolution bundler "$BATS_TEST_TMPDIR/board.ts"
}

@test "Grafana's schema takes both, and would not take a mistake" {
    schema=$(realpath -m "$top_srcdir/build/grafana-schema/node_modules")
    [ -e "$schema/@grafana/schema" ] ||
        skip 'no @grafana/schema in build/grafana-schema: scripts/check fetches it by npm'
    type -P node >/dev/null || skip 'no node here'
    ln -s "$schema" "$BATS_TEST_TMPDIR/node_modules"
    is_taken "$sqlite_board"
    is_taken "$postgresql_board"
    local mistake
    for mistake in 's/"schemaVersion": 39/"schemaVersion": "39"/' 's/"placement": "bottom"/"placement": "below"/' \
        's/"mode": "absolute"/"mode": "absolut"/' 's/"drawStyle": "bars"/"drawStile": "bars"/' \
        's/"type": "datasource"/"type": "data source"/' 's/"timezone"/"time_zone"/'; do
        echo "$mistake"
        sed "$mistake" "$sqlite_board" >"$BATS_TEST_TMPDIR/mistaken.json"
        run is_taken "$BATS_TEST_TMPDIR/mistaken.json"
        [ "$status" -ne 0 ]
    done
}
