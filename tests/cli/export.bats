#!/usr/bin/env bats
# carbonctl export, on the databases of sacct_fixture.sh and sreport_fixture.sh

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export CARBON_DATA=$top_srcdir/accounting/carbon
    export TZ=UTC LC_ALL=C.UTF-8
    unset SLURM_TIME_FORMAT SLURM_CONF SACCT_CARBON_FORMAT
    books=$(mktemp -d)
    export books SLURM_CARBON_CONF=$books/carbon.conf
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
    sacct_fixture "$books"
    # as reconcile would fill it in; both runs of 120
    sqlite3 "$books/carbon.db" "UPDATE job SET submit_s = $t0 - 60 WHERE job_id IN (100, 141);
        UPDATE job SET submit_s = $t0 - 50 + 700 * restart_count, state = 'TIMEOUT'
        WHERE job_id = 120"
    mkdir "$books/october"
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_books "$books/october"
    sreport_factors "$books/october"
}

teardown_file() {
    rm -rf "$books"
}

export_jobs() {
    "$top_builddir/carbonctl" export "$@"
}

all_jobs() {
    export_jobs -S 2026-11-20 -E 2026-11-23 "$@"
}

# column NAME FILE: of a CSV
column() {
    python3 - "$1" "$2" <<'END'
import csv, sys
for row in csv.DictReader(open(sys.argv[2], newline='', encoding='utf-8')):
    print(row[sys.argv[1]])
END
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

@test 'CSV as in the golden file' {
    all_jobs >"$BATS_TEST_TMPDIR/csv"
    diff "$top_srcdir/tests/golden/export.csv" "$BATS_TEST_TMPDIR/csv"
}

@test 'JSON, an object a line, as in the golden file; it has the fields of the CSV' {
    all_jobs --format jsonl >"$BATS_TEST_TMPDIR/jsonl"
    diff "$top_srcdir/tests/golden/export.jsonl" "$BATS_TEST_TMPDIR/jsonl"
    all_jobs | head -1 >"$BATS_TEST_TMPDIR/names"
    jq -r 'keys_unsorted | join(",")' "$BATS_TEST_TMPDIR/jsonl" | sort -u |
        diff "$BATS_TEST_TMPDIR/names" -
}

@test 'every field is described' {
    local name
    for name in $(all_jobs | head -1 | tr , ' '); do
        grep -q "^|.*\`$name\`.*|.*|" "$top_srcdir/docs/formats/export.md" ||
            { echo "no $name in docs/formats/export.md"; return 1; }
    done
}

@test 'the figures are those of sacct-carbon, embodied ones too' {
    local conf=$books/october/carbon.conf csv=$BATS_TEST_TMPDIR/csv raw=$BATS_TEST_TMPDIR/raw
    export_jobs --config "$conf" -S 2026-10-01 -E 2026-11-01 >"$csv"
    same 5 "$(column job_id "$csv" | wc -l)"
    "$top_builddir/sacct-carbon" --config "$conf" -a -D -X -P -n -S 2026-10-01 -E 2026-11-01 -o \
        JobIDRaw,EnergyRaw,CO2eActiveRaw,CO2eOverheadRaw,CO2eOperationalRaw,CO2eEmbodiedRaw,CO2eEmbodiedHighRaw,CO2eTotalRaw,StartRaw,EndRaw |
        sort >"$raw"
    run ! grep unknown "$raw"
    python3 - "$csv" <<'END' | sort | diff "$raw" -
import csv, sys
for row in csv.DictReader(open(sys.argv[1], newline='')):
    print('|'.join([row['job_id_raw'], str(round(float(row['energy_j']) * 1000))] +
                   [row[name] for name in ('active_co2e_g', 'overhead_co2e_g',
                    'operational_co2e_g', 'embodied_co2e_g', 'embodied_high_co2e_g',
                    'total_co2e_g', 'start_s', 'end_s')]))
END
}

@test 'a run belongs to the period that its end is in; what runs still is in none' {
    export_jobs -S 2026-11-20T11:30 -E 2026-11-20T12:00 >"$BATS_TEST_TMPDIR/csv"
    same 100 "$(column job_id "$BATS_TEST_TMPDIR/csv")" # it ends at 11:30, and 102 at 12:00
    export_jobs -S 2026-11-20T12:00 -E 2026-11-20T12:00:01 >"$BATS_TEST_TMPDIR/csv"
    same 102 "$(column job_id "$BATS_TEST_TMPDIR/csv")"
    all_jobs >"$BATS_TEST_TMPDIR/csv"
    same 0 "$(column job_id "$BATS_TEST_TMPDIR/csv" | grep -cx 101)"
    export_jobs -S 2020-01-01 -E 2021-01-01 >"$BATS_TEST_TMPDIR/csv"
    same 1 "$(wc -l <"$BATS_TEST_TMPDIR/csv")" # the header
}

# Chunks have 500 jobs; these begin at one time, so that only their keys tell them apart.
@test 'thousands of jobs: each once, in memory that does not grow' {
    local db=$BATS_TEST_TMPDIR/many.db csv=$BATS_TEST_TMPDIR/csv peak
    cp "$books/carbon.db" "$db"
    sqlite3 "$db" "INSERT INTO job (cluster, job_id, restart_count, job_name, begin_s, end_s)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6001)
        SELECT 'alpha', 10000 + i, 0, hex(randomblob(2000)), 1800000000, 1800000001 FROM n"
    sed "s|^Database=.*|Database=sqlite:$db|" "$books/carbon.conf" >"$BATS_TEST_TMPDIR/carbon.conf"
    "$top_builddir/carbonctl" export -c "$BATS_TEST_TMPDIR/carbon.conf" -S 2027-01-15T07:00 \
        -E 2027-01-16 >"$csv"
    seq 10001 16001 | diff - <(column job_id "$csv")
    # all of their names are 24 MB; AddressSanitizer needs more room than there is
    ! grep -q __asan_init "$top_builddir/carbonctl" || return 0
    peak=$( (ulimit -v 60000; "$top_builddir/carbonctl" export -c "$BATS_TEST_TMPDIR/carbon.conf" \
        -S 2027-01-15T07:00 -E 2027-01-16) | wc -l)
    same 6002 "$peak"
}

@test 'without a factor set energy is known, and grams are not' {
    cp "$books/carbon.db" "$BATS_TEST_TMPDIR/no-set.db"
    sqlite3 "$BATS_TEST_TMPDIR/no-set.db" 'DELETE FROM factor_document; DELETE FROM factor_set'
    sed "s|^Database=.*|Database=sqlite:$BATS_TEST_TMPDIR/no-set.db|" "$books/carbon.conf" \
        >"$BATS_TEST_TMPDIR/carbon.conf"
    export_jobs -c "$BATS_TEST_TMPDIR/carbon.conf" -S 2026-11-20 -E 2026-11-23 --format jsonl |
        jq -se 'length == 14 and .[0].energy_j == 3600000 and all(.[];
            .operational_co2e_g == null and .total_co2e_g == null and .factor_set == null)'
}

@test 'what cannot be is refused' {
    local case
    while IFS='|' read -r options case; do
        # shellcheck disable=SC2086
        run --separate-stderr export_jobs $options
        # shellcheck disable=SC2154 # run sets it
        [ "$status" = 1 ] && [ -z "$output" ] && [[ $stderr == *"$case"* ]] ||
            { echo "$options: $status $output $stderr"; return 1; }
    done <<'END'
--format xml|--format xml: write csv or jsonl
-S 2026-11-21 -E 2026-11-20|--endtime is before --starttime
-S yesteryear|--starttime
-E 25:61|--endtime
--set 0|--set: "0" is no number of a factor set
100|nothing is known to do with '100'
END
    run ! all_jobs --set 77
    [[ $output == *'there is no factor set 77'* && ${#lines[@]} = 1 ]]
}
