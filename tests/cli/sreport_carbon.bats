# sreport-carbon on the database of sreport_fixture.sh: October 2026, METHOD's tenth golden case.
# Every report made here is checked by `report`: identity and schema.

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export CARBON_DATA=$top_srcdir/accounting/carbon
    export TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SLURM_CONF SLURM_CARBON_CONF
    books=$(mktemp -d)
    export books
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_fixture "$books"
}

teardown_file() {
    rm -rf "$books"
}

setup() {
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    use "$books"
    out=$BATS_TEST_TMPDIR/report.json
}

use() { # DIR: its database from now on
    export SLURM_CARBON_CONF=$1/carbon.conf
}

# A copy of the books, to be changed: its directory in $dir
copy() {
    dir=$BATS_TEST_TMPDIR/books
    cp -r "$books" "$dir"
    sed -i "s|$books|$dir|" "$dir/carbon.conf"
    use "$dir"
}

sreport-carbon() {
    "$top_builddir/sreport-carbon" "$@"
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

# What must hold of every report, from the JSON alone; prints what does not.
closes='
def total: if . == null then 0 elif type == "object" then .central_mg else . end;
def parts: [.energy, .quality, .held, .co2e | to_entries[] | .value // 0] + [.jobs];
def add_up: reduce .[] as $a (null; if . == null then $a else [., $a] | transpose | map(add) end);
def same_as($whole): . == null or . == $whole;
. as $r
| (.energy | .counted_mj == .jobs_active_mj + .jobs_idle_mj + .system_mj + .unallocated_mj) as $P1
| (.co2e | [to_entries[] | select(.key != "total" and .key != "recovery_mg") | .value | total] | add)
    as $lines
| (.co2e.total == null or $lines - (.co2e.recovery_mg // 0) == .co2e.total.central_mg) as $P2
| (.jobs | parts) as $jobs
| ([.accounts, .users, .partitions, .states
    | [.[] | .own | parts] | add_up | same_as($jobs)] | all) as $P3
| ([.accounts[] | select(.parent == null) | .tree | parts] | add_up | same_as($jobs)) as $tree
| ([.days[].operational_mg | total] | add) as $days
| ([.node_types[].operational_mg | total] | add // 0) as $types
| (.scopes.scope2_location_mg | total) as $scope2
| (.co2e | [.jobs_operational_mg, .system_mg, .system_overhead_mg, .unallocated_mg,
    .unallocated_overhead_mg | total] | add) as $operational
| ([.node_types[].counted_mj] | add // 0) as $types_mj
| {P1: $P1, P2: $P2, P3: $P3, tree: $tree, days: ($days == $scope2), types: ($types == $scope2),
   scope2: ($operational == $scope2), energy: ($types_mj == .energy.counted_mj),
   assets: (.pools == null or ([.pools.GPU, .pools.CPU | .embodied.central_mg] | add)
       + (.pools.shared_without_pool | total) == ([.assets[].amortised.central_mg] | add // 0))}
| to_entries[] | select(.value | not) | .key'

# report STATUS OPTION...: make the report as JSON in $out, and hold it to what every report must be
report() {
    local expected=$1
    shift
    run "-$expected" --separate-stderr sreport-carbon --json "$@"
    printf '%s\n' "$output" > "$out"
    same '' "$(jq -r "$closes" "$out")"
    python3 -W ignore - "$top_srcdir/docs/formats/sreport-carbon.schema.json" "$out" <<'END'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator(schema).validate(json.load(open(sys.argv[2])))
END
}

get() { # FILTER: of the report
    jq -r "$1" "$out"
}

golden() { # NAME, then the output on standard input
    diff -u "$top_srcdir/tests/golden/$1" -
}

# --- figures --------------------------------------------------------------------------------------

@test 'the golden case comes out to the milligram: a node added mid-month, one fully amortised' {
    report 0 --month 2026-10
    same '27144537 22624972 10860077 3030592 1515296' \
        "$(get '[.top_jobs | sort_by(.job_id)[].own.co2e.embodied_mg] | join(" ")')"
    same 39592015 "$(get .co2e.unallocated_embodied.central_mg)" # 29707434 GPU + 9884581 CPU
    same 104767489 "$(get '[.pools.GPU, .pools.CPU | .embodied.central_mg] | add')"
    same 1 "$(get .warnings.fully_amortised_pieces)"
    same 3700000000 "$(get .scopes.scope2_market_mg,.scopes.scope3_category2_acquired_do_not_add.central_mg |
        tail -1)"
}

@test 'operation is energy times PUE times intensity' {
    report 0 --month 2026-10
    # 44.18 g/kWh, PUE 1.2
    same true "$(get '(.energy.counted_mj / 3600000000 * 44180 * 1.2 - .scopes.scope2_location_mg)
        | . < 1 and . > -1')"
    same 1.2 "$(get .method.pue.mean)"
    same 44.18 "$(get .method.grid.mean_intensity_g_per_kwh)"
}

@test 'every mode closes: share leaves nothing, planned says what it did not recover' {
    report 0 --month 2026-10 --mode share
    same 'share 0 null' "$(get '[.method.embodied_mode, .co2e.unallocated_embodied.central_mg,
        .co2e.recovery_mg | tostring] | join(" ")')"
    report 0 --month 2026-10 --mode planned
    same true "$(get '.co2e.recovery_mg < 0 and .method.expected_utilisation == 0.85')"
    run -0 sreport-carbon --month 2026-10 --mode planned
    says 'mode planned: jobs carry the hardware as if it were used as planned (85 %)'
    says 'embodied: unrecovered'
}

@test 'idle energy that nobody held is spread over the jobs of its pool, when the site says so' {
    copy
    report 0 --month 2026-10
    before=$(get '.co2e | .unallocated_mg + .unallocated_overhead_mg')
    echo 'IdlePolicy=spread' >> "$dir/carbon.conf"
    sreport_factors "$dir"
    report 0 --month 2026-10
    same "0 $before spread" "$(get '"\(.co2e.unallocated_mg) \(.jobs.co2e.spread_idle_mg) \(.method.idle_policy)"')"
    # K1 held two thirds of the core-hours, and gets two thirds of c1's
    same true "$(get '[.top_jobs[] | select(.job_id == 104 or .job_id == 105) | .own.co2e.spread_idle_mg]
        | sort | (.[1] - 2 * .[0]) | . <= 2 and . >= -2')"
}

@test 'a month without GPU-hours: nobody carries the GPU pool' {
    copy
    { echo 'DELETE FROM energy WHERE job_key <= 3; DELETE FROM allocation WHERE job_key <= 3;'
      echo 'DELETE FROM job WHERE job_key <= 3;'; } | sreport_sql "$dir"
    report 0 --month 2026-10
    same '0 2' "$(get '"\(.jobs.held.gpu_ms) \(.jobs.jobs)"')"
    same 90337020 "$(get '.co2e.unallocated_embodied.central_mg - 9884581')"
    report 0 --month 2026-10 --mode share
    same 90337020 "$(get .co2e.unallocated_embodied.central_mg)"
    run -0 sreport-carbon --month 2026-10
    [[ $output != *'GPU h'* ]]
}

@test 'a day without jobs reads right' {
    report 0 -S 2026-10-31 -E 2026-11-01
    same '0 0 24' "$(get '"\(.jobs.jobs) \(.accounts | length) \(.period.hours)"')"
    run -0 sreport-carbon -S 2026-10-31 -E 2026-11-01
    says 'no job in this period'
    says "= 0 jobs' operation"
}

@test 'a month without any energy says so, with status 2' {
    report 2 --month 2026-09
    same '0 2026-09' "$(get '"\(.energy.counted_mj) \(.trend[12].month_utc)"')"
    run -2 sreport-carbon --month 2026-09
    says 'none was recorded in this period'
    says 'of manufacture alone; of operation unknown: no energy was recorded; between'
    says 'Grid       FR (France), no energy to apply it to; PUE 1.2'
    says 'g1,c1: in service by inventory.conf' || says 'c1,g1: in service by inventory.conf'
}

@test 'nodes of no type are named and counted, and never a silent 0' {
    copy
    { echo "INSERT INTO node VALUES (4, 'alpha', 'x7', 1, 16, 0, 64000);"
      snode_hours 4 "$oct" 24
      sjob 6 4 "$oct" 7200 16 0 erin "'climate'" 0 0 odd; } | sreport_sql "$dir"
    report 0 --month 2026-10
    same 'x7 1 1' "$(get '"\(.warnings.unknown_nodes[0]) \(.jobs.missing_embodied_jobs) \([.node_types[] |
        select(.name == null)] | length)"')"
    same 0 "$(get '[.users[] | select(.name == "erin")][0].own.co2e.embodied_mg')"
    run -0 sreport-carbon --month 2026-10
    says 'x7: of no node type in inventory.conf, so their manufacture is missing here'
    says '1 job held nodes that no asset of class GPU or CPU is in'
    [[ $output =~ '(of no type)'.*unknown ]]
    # erin's job has no known manufacture, and sums that lack it say that they are more
    grep -Eq '^  erin +1 .* <1 +unknown +unknown ' <<<"$output"
    grep -Eq '^  all jobs +6 .* >[0-9.]+ +>[0-9.]+ +100$' <<<"$output"
    grep -Eq '^  106 +odd .* >0.1 +<0.1$' <<<"$output"
    grep -Eq '^  bob +1 [^>]*$' <<<"$output"
    sreport-carbon --month 2026-10 --html "$dir/page.html" > "$dir/text"
    grep -q 'erin</bdi></th>.*<td class="n">unknown</td><td class="n">unknown</td>' "$dir/page.html"
    grep -q 'odd</bdi>.*<td class="n">unknown</td><td class="n">&gt;0.1</td>' "$dir/page.html"
    same null "$(get '[.node_types[] | select(.name == null)][0].own_embodied')"
    report 3 --month 2026-10 --strict
}

@test 'more held than there was is an error with both figures, not a number' {
    copy
    sed -i '/"gpu" {/,/gpus/s/gpus = 8/gpus = 4/' "$dir/inventory.conf"
    sreport_factors "$dir"
    run -1 sreport-carbon --month 2026-10
    says 'node type "gpu": jobs held 4200.2 GPU-hours in the period, and its nodes had 2976.0 in service'
    says 'inventory.conf'
}

@test 'silent nodes and hours are counted' {
    copy
    echo "DELETE FROM energy WHERE node_key = 1 AND job_key = 0 AND hour_s >= $oct + 740 * 3600;
        DELETE FROM energy WHERE node_key = 2; DELETE FROM allocation WHERE node_key = 2;
        DELETE FROM job WHERE job_key = 2;" | sreport_sql "$dir"
    report 0 --month 2026-10
    same '508 g2' "$(get '"\(.warnings.silent_node_hours) \(.warnings.silent_nodes | join(","))"')"
    report 3 --month 2026-10 --strict
}

# --- factors --------------------------------------------------------------------------------------

hourly() { # FILE HOURS: FR's intensity from 1 October on, 30 and 70 g/kWh in turn
    local hour
    echo start_utc,end_utc,gco2e_per_kwh > "$1"
    for ((hour = 0; hour < $2; hour++)); do
        printf '%(%Y-%m-%dT%H:%MZ)T,%(%Y-%m-%dT%H:%MZ)T,%d\n' $((oct + hour * 3600)) \
            $((oct + hour * 3600 + 3600)) $((30 + hour % 2 * 40)) >> "$1"
    done
}

@test 'an hour without an intensity takes the annual value, and is counted' {
    copy
    hourly "$BATS_TEST_TMPDIR/fr.csv" 743
    "$top_builddir/carbonctl" grid import --zone FR --basis lifecycle --scope consumption \
        --source 'a test' "$BATS_TEST_TMPDIR/fr.csv" > /dev/null
    report 0 --month 2026-10
    same '1 744' "$(get '"\(.warnings.annual_value_hours) \(.warnings.hours_with_energy)"')"
    run -0 sreport-carbon --month 2026-10
    says '1 of 744 hours have no hourly intensity, and take the annual value'
    says 'by the hour, lifecycle, consumption'
}

@test 'an older factor set gives the old report again, byte for byte' {
    copy
    sreport-carbon --month 2026-10 --json > "$BATS_TEST_TMPDIR/before"
    sed -i 's/PUE=1.2/PUE=1.4/' "$dir/carbon.conf"
    run -0 sreport-carbon --month 2026-10
    says 'PUE is 1.4 in carbon.conf and 1.2 in factor set 1'
    sreport_factors "$dir"
    report 0 --month 2026-10
    same 1.4 "$(get .method.pue.mean)"
    sreport-carbon --month 2026-10 --json --factor-set 1 | cmp - "$BATS_TEST_TMPDIR/before"
    run -1 sreport-carbon --month 2026-10 --factor-set 9
    says 9
}

@test 'without inventory embodied emissions are unknown, not 0' {
    copy
    : > "$dir/inventory.conf"
    sreport_factors "$dir"
    report 0 --month 2026-10
    same 'null null null' "$(get '"\(.co2e.total) \(.jobs.co2e.embodied_mg) \(.pools)"')"
    run -0 sreport-carbon --month 2026-10
    says 'of operation alone; of manufacture unknown: no inventory'
    says 'Embodied   unknown: no inventory'
    [[ $output != *'embodied kg'* ]]
}

@test 'without a zone grams of operation are unknown, and without both all are' {
    copy
    sed -i '/^Zone/d' "$dir/carbon.conf"
    sreport_factors "$dir"
    report 0 --month 2026-10
    same 'null null 65175474' \
        "$(get '"\(.co2e.total) \(.jobs.co2e.operational_mg) \(.jobs.co2e.embodied_mg)"')"
    run -0 sreport-carbon --month 2026-10
    says 'of manufacture alone; of operation unknown: no zone is set'
    [[ $output =~ 'CO₂e       '[0-9.]+' kg of manufacture = '[0-9.]+' embodied used + ' ]]
    : > "$dir/inventory.conf"
    sreport_factors "$dir"
    report 0 --month 2026-10
    run -0 sreport-carbon --month 2026-10
    says 'Total      unknown: no zone is set for operation, and no inventory for manufacture'
    says 'MWh counted'
    report 3 --month 2026-10 --strict
}

@test 'a market factor is a second line of scope 2, and never hides the first' {
    copy
    run -0 sreport-carbon --month 2026-10
    says 'no market-based factor given: inventory.conf, market'
    echo 'market "wind" { from = "2026-01-01" to = "2027-01-01" gco2e_per_kwh = 10 source = "x" }' \
        >> "$dir/inventory.conf"
    sreport_factors "$dir"
    report 0 --month 2026-10
    same true "$(get '(.scopes | .scope2_market_mg * 4.418 - .scope2_location_mg) | . < 5 and . > -5')"
    same 204663947 "$(get .co2e.total.central_mg)"
}

# --- periods --------------------------------------------------------------------------------------

@test 'the last Sunday of October has 25 hours in Paris' {
    TZ=Europe/Paris report 0 -S 2026-10-25 -E 2026-10-26
    same '2026-10-24T22:00:00Z 2026-10-25T23:00:00Z 25' \
        "$(get '.period | "\(.from_utc) \(.to_utc) \(.hours)"')"
    TZ=Europe/Paris run -0 sreport-carbon -S 2026-10-25 -E 2026-10-26
    says '2026-10-24 22:00 to 2026-10-25 23:00 UTC, 25 h (all of it in UTC, not in your local time)'
}

@test 'parts of a month add up to it' {
    report 0 --month 2026-10
    get '[.energy.counted_mj, .jobs.held.gpu_ms, .jobs.held.core_ms] | tostring' > "$BATS_TEST_TMPDIR/whole"
    report 0 -S 2026-10-01 -E 2026-10-16T13:00
    cp "$out" "$BATS_TEST_TMPDIR/first"
    report 0 -S 2026-10-16T13:00 -E 2026-11-01
    same "$(cat "$BATS_TEST_TMPDIR/whole")" "$(jq -s '[[.[].energy.counted_mj], [.[].jobs.held.gpu_ms],
        [.[].jobs.held.core_ms]] | map(add) | tostring' -r "$BATS_TEST_TMPDIR/first" "$out")"
}

@test 'a period that goes on ends with the last delivered hour' {
    report 0 -S 2026-10-31
    same '2026-11-01T00:00:00Z true' "$(get '.period | "\(.to_utc) \(.so_far)"')"
    run -2 sreport-carbon --month 2199-01
    says 'nothing to report yet: no full hour since 2199-01-01T00:00:00Z has been delivered'
}

@test 'the hour that runs is left out, unless there is no other' {
    local hour_s=$(($(date +%s) / 3600 * 3600))
    copy
    sqlite3 "$dir/carbon.db" "INSERT INTO energy SELECT node_key, $hour_s, 0, -1, 'cpu', 'measured', 'powercap',
            0, 1000, 1000, 1000 FROM node LIMIT 1;
        INSERT INTO node_total SELECT node_key, $hour_s, 'cpu', 1000 FROM node LIMIT 1;"
    sqlite3 "$dir/carbon.db" <"$top_srcdir/accounting/store/sums.sql"
    report 0 -S "uts$hour_s"
    same "$hour_s true 1000" \
        "$(get '"\(.period.from_utc | fromdate) \(.period.so_far) \(.energy.counted_mj)"')"
    report 2 -S "uts$((hour_s - 3600))"
    same "$hour_s 0" "$(get '"\(.period.to_utc | fromdate) \(.energy.counted_mj)"')"
}

@test 'a time within an hour is refused, and says what to write' {
    run -1 sreport-carbon -S 2026-10-01T00:30 -E 2026-10-02
    says 'booked by the UTC hour'
    TZ=Asia/Kolkata run -1 sreport-carbon -S 2026-10-01 -E 2026-10-02
    says '2026-09-30T18:30:00Z'
    run -1 sreport-carbon -S 2026-10-02 -E 2026-10-01
    says 'not after --starttime'
}

@test 'the trend has 13 months, and each is what its own report says' {
    report 0 --month 2026-10
    same '13 2025-10 2026-10' "$(get '"\(.trend | length) \(.trend[0].month_utc) \(.trend[12].month_utc)"')"
    same true "$(get '.trend[12].total_mg == .co2e.total.central_mg')"
    september=$(get '.trend[11].embodied.central_mg')
    report 2 --month 2026-09
    same "$september" "$(get .co2e.total.central_mg)"
}

# --- forms ----------------------------------------------------------------------------------------

@test 'the text is what lies in tests/golden' {
    sreport-carbon --month 2026-10 | golden sreport-carbon.txt
    LC_ALL=C sreport-carbon --month 2026-10 > "$BATS_TEST_TMPDIR/ascii"
    run ! grep -P '[^\x00-\x7f]' "$BATS_TEST_TMPDIR/ascii"
}

@test 'the same database and factor set give the same bytes' {
    for form in --json -P '-p --delimiter=; -n' --section=day; do
        # shellcheck disable=SC2086
        same "$(sreport-carbon --month 2026-10 $form | sha256sum)" \
            "$(sreport-carbon --month 2026-10 $form | sha256sum)"
    done
}

@test 'tables in the text add up as they are shown' {
    sreport-carbon --month 2026-10 --section user -n > "$BATS_TEST_TMPDIR/users"
    awk '$1 == "all" { for (i = 3; i <= NF; i++) all[i - 1] = $i; next }
        { for (i = 2; i <= NF; i++) sum[i] += $i }
        END { for (i in all) if (sum[i] - all[i] > 0.001 || all[i] - sum[i] > 0.001) exit 1 }' \
        <(sed 1d "$BATS_TEST_TMPDIR/users")
}

@test 'fields are whole numbers under names with units, each line as long as its header' {
    run -0 sreport-carbon --month 2026-10 -P --section user
    same "$(head -1 <<<"$output" | tr -cd '|' | wc -c)" "$(tail -1 <<<"$output" | tr -cd '|' | wc -c)"
    says 'operational_mg'
    says 'alice|2|2070000000000|414000000000|'
    run -0 sreport-carbon --month 2026-10 -p --delimiter '::' --section state -n
    says 'FAILED::1::'
    [[ ${lines[0]} == *:: ]]
    # all sections, with an empty line between
    same 11 "$(sreport-carbon --month 2026-10 -P | awk 'BEGIN { RS = "" } END { print NR }')"
}

@test 'CSV files are as RFC 4180 has them, and no formula is among them' {
    run -0 sreport-carbon --month 2026-10 --csv "$BATS_TEST_TMPDIR/csv"
    same 'account asset budget day job partition state totals trend type user' \
        "$(cd "$BATS_TEST_TMPDIR/csv" && echo *.csv | sed 's/\.csv//g')"
    python3 - "$BATS_TEST_TMPDIR/csv" <<'END'
import csv, glob, sys
for path in glob.glob(sys.argv[1] + '/*.csv'):
    text = open(path, newline='').read()
    assert text.endswith('\r\n') and '\n' not in text.replace('\r\n', ''), path
    rows = list(csv.reader(text.splitlines(True)))
    assert len({len(row) for row in rows}) == 1, path
    assert not any(cell[:1] in '=+@-' for row in rows for cell in row if cell[:1]), path
jobs = list(csv.DictReader(open(sys.argv[1] + '/job.csv', newline='')))
assert [job['name'] for job in jobs if job['job_id'] == '105'] == ["'@sum,1"]
total = list(csv.DictReader(open(sys.argv[1] + '/totals.csv', newline='')))[0]
for name in 'account', 'user', 'partition', 'state':
    rows = list(csv.DictReader(open(sys.argv[1] + '/' + name + '.csv', newline='')))
    for key in rows[0]:
        if key in total and key.endswith(('_mg', '_mj', '_ms')):
            assert sum(int(row[key]) for row in rows) == int(total[key]), (name, key)
END
    run -1 sreport-carbon --month 2026-10 --csv /dev/null/x
    says '--csv: cannot make the directory'
}

@test 'a name that means harm stays text in every form' {
    run -0 sreport-carbon --month 2026-10 -P --section job
    says '|@sum,1|'
    run -0 sreport-carbon --month 2026-10 -P --section job --delimiter ,
    says '@sum\x2c1'
}

@test 'what is wrong on the command line is said with what to write' {
    run -1 sreport-carbon --month 2026-13
    says 'months go from 01 to 12'
    run -1 sreport-carbon --month 2026-10 -S 2026-10-01
    says 'exclude each other'
    run -1 sreport-carbon --section jobs
    says 'write totals, account, user, partition, type, state, job, day, trend, asset or budget'
    run -1 sreport-carbon --mode fair
    says 'write capacity, share or planned'
    run -1 sreport-carbon --json --section user
    says 'leave out --section'
    run -1 sreport-carbon --month 2026-10 -M gamma
    says 'cluster "gamma" is unknown'
    run -1 sreport-carbon cluster
    says 'takes options alone'
    run -1 sreport-carbon --top many
    says '--top'
}

@test 'help names every option once' {
    run -0 sreport-carbon --help
    while read -r option; do
        same 1 "$(grep -cE -- "^ +(-., )?$option( |=|$)" <<<"$output")"
    done < <(sreport-carbon --usage | grep -oE -- '--[a-z-]+' | sort -u)
    run -0 sreport-carbon -V
    says 'sreport-carbon (slurm-carbon) '
}

@test '--top names how many jobs' {
    report 0 --month 2026-10 --top 2
    same '101 102' "$(get '[.top_jobs[].job] | join(" ")')"
    report 0 --month 2026-10 --top 0
    same 0 "$(get '.top_jobs | length')"
}

@test 'nothing but the report is on standard error when it is no terminal' {
    run -0 --separate-stderr sreport-carbon --month 2026-10
    same '' "$stderr"
}
