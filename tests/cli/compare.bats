#!/usr/bin/env bats
# carbonctl compare, on job 100 of sacct_fixture.sh: 10:00 to 11:30 UTC on two nodes with two GPUs and four cores each;
# 1.3 MJ of CPU, 0.1 of memory, 2.2 of GPUs. Rows are written by hand, with the columns of CodeCarbon 2.3.5 (header),
# of its repository at 0999d9c19705 of 2026 (header_3: output_methods/emissions_data.py), and fewer, as before 2.0 (header_1).

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
}

teardown_file() {
    rm -rf "$books"
}

setup() {
    header=timestamp,project_name,run_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,on_cloud,pue
    header_3=timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_utilization_percent,ram_utilization_percent,ram_used_gb,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,on_cloud,pue,wue
    header_1=timestamp,project_name,duration,emissions,energy_consumed,country_name,country_iso_code,region,on_cloud,cloud_provider,cloud_region
    csv=$BATS_TEST_TMPDIR/emissions.csv
}

# row [FIELD=VALUE]...: one of 2.3.5, of 4500 s up to 11:20; 42.5 W x 4500 s = 0.053125 kWh
row() {
    local timestamp=2026-11-20T11:20:00 run_id=9b2a43db-5992-46d8-ac23-3edc602667fc duration=4500.0
    local emissions=0.0242 cpu_power=42.5 ram_power=23.4375 cpu_energy=0.053125 gpu_energy=0.2655
    local ram_energy=0.029296875 energy_consumed=0.347921875 codecarbon_version=2.3.5 cpu_count=8
    local gpu_count=2 tracking_mode=machine pue=1.0 assignment
    for assignment; do
        local "${assignment?}"
    done
    echo "$timestamp,codecarbon,$run_id,$duration,$emissions,5.4e-06,$cpu_power,212.4,$ram_power,$cpu_energy,$gpu_energy,$ram_energy,$energy_consumed,France,FRA,,,,Linux-5.15,3.11.4,$codecarbon_version,$cpu_count,\"AMD EPYC, 7543\",$gpu_count,2 x NVIDIA A100,2.1,48.8,62.5,$tracking_mode,N,$pue"
}

file() { # ROW...
    printf '%s\n' "$header" "$@" >"$csv"
}

compare() {
    "$top_builddir/carbonctl" compare --job 100 "$csv" "$@"
}

near() { # WHAT EXPECTED ACTUAL
    awk -v what="$1" -v a="$2" -v b="$3" 'BEGIN { d = a - b; if (d < 0) d = -d
        if (d > 1e-9 || b == "null") { print what, "expected", a, "got", b; exit 1 } }'
}

reason() { # REASON FIELD: of out
    jq ".reasons[] | select(.reason == \"$1\") | .$2" "$BATS_TEST_TMPDIR/out"
}

json() {
    compare --json "$@" >"$BATS_TEST_TMPDIR/out"
    # the promise: reasons add up to the differences, of energy and of grams
    jq -e '([.reasons[].energy_kwh // 0] | add) - .difference_kwh | fabs < 1e-12' "$BATS_TEST_TMPDIR/out"
    jq -e '([.reasons[].co2e_g // 0] | add) - .difference_co2e_g | fabs < 1e-9' "$BATS_TEST_TMPDIR/out"
}

@test 'both figures, and reasons that add up, as in the golden file' {
    file "$(row)"
    (cd "$BATS_TEST_TMPDIR" && "$top_builddir/carbonctl" compare --job 100 emissions.csv) >"$BATS_TEST_TMPDIR/text"
    diff "$top_srcdir/tests/golden/compare.txt" "$BATS_TEST_TMPDIR/text"
}

@test 'each reason has its amount, worked out by hand' {
    file "$(row)"
    json
    # 1 kWh in all: a sixth of the time is missing, then one of two nodes
    near span 0.166666666667 "$(reason span energy_kwh)"
    near nodes 0.416666666667 "$(reason nodes energy_kwh)"
    # of one node in that time: CPU 1.3 MJ x 5/12 - 0.053125 kWh
    near cpu 0.097337962963 "$(reason cpu energy_kwh)"
    near memory -0.017722800926 "$(reason memory energy_kwh)"
    near 'not explained' -0.010870370370 "$(reason not_explained energy_kwh)"
    # a kWh at 24.2 g / 0.347921875 kWh
    near 'g of span' 11.592640829 "$(reason span co2e_g)"
    near pue 13.911168994 "$(reason pue co2e_g)" # 0.2 x 1 kWh of it
    near intensity -30.451013967 "$(reason intensity co2e_g)"
    [[ $(reason cpu words) == *'constant 42.5 W, its figure for a CPU that it does not know'* ]]
    [[ $(reason memory words) == *'by 3 W for 8 GB, no meter"' ]]
    [ "$(jq '[.reasons[].co2e_g | fabs] | . == (sort | reverse)' "$BATS_TEST_TMPDIR/out")" = true ]
}

@test 'reasons are those that the data show' {
    file "$(row cpu_power=181.26437 cpu_energy=0.2)"
    json
    [ -z "$(reason cpu words)" ]
    [[ $(reason not_explained words) == '"not explained: CPU, GPU"' ]]
    file "$(row cpu_power=181.26437 cpu_count=128)"
    json
    [[ $(reason cpu words) == *'the whole machine (128 CPUs), of which the job held 4 cores"' ]]
    file "$(row cpu_power=181.26437 cpu_count=128 tracking_mode=process)"
    json
    [ -z "$(reason cpu words)" ]
    file "$(row cpu_power=112.5 cpu_energy=0.140625 gpu_count=8)"
    json
    [[ $(reason cpu words) == *'constant 112.5 W, no meter"' ]]
    [[ $(reason gpu words) == *'counted 8, of which the job held 2"' ]]
    file "$(row gpu_count= gpu_energy=0)"
    json
    [[ $(reason gpu words) == *'counted 0 of the 2 that the job held"' ]]
    # its own parts do not make its total
    file "$(row energy_consumed=0.4)"
    json
    near 'not explained' -0.062948495370 "$(reason not_explained energy_kwh)"
    # it ran as long as the job, on a job of one node
    file "$(row timestamp=2026-11-20T11:30:00 duration=5400 cpu_energy=0.06375)"
    json
    [ -z "$(reason span words)" ]
}

@test 'its PUE is in its energies, and is taken out of them' {
    file "$(row pue=1.5 cpu_energy=0.0796875 energy_consumed=0.5)"
    json
    near CPU 0.053125 "$(jq .cpu_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    near total 0.333333333333 "$(jq .energy_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    near intensity 48.4 "$(jq .grid_intensity_g_per_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    near pue -14.52 "$(reason pue co2e_g)"
    [[ $(reason cpu words) == *'constant 42.5 W'* ]]
}

@test 'embodied emissions and spread idle energy are reasons of their own' {
    local conf=$BATS_TEST_TMPDIR/carbon.conf
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_books "$BATS_TEST_TMPDIR"
    sreport_factors "$BATS_TEST_TMPDIR"
    # job 101: 375 h of 1.2 kW on one node from 2026-10-01 on; its energy is all booked as CPU
    file "$(row timestamp=2026-10-16T15:00:00 duration=1350000 emissions=20 cpu_power=800.0 cpu_energy=300 \
        gpu_count=8 gpu_energy=0 ram_energy=0 energy_consumed=300 cpu_count=64)"
    "$top_builddir/carbonctl" compare -c "$conf" --job 101 --json "$csv" >"$BATS_TEST_TMPDIR/out"
    near energy 450 "$(jq .energy_kwh.slurm_carbon "$BATS_TEST_TMPDIR/out")"
    near cpu 10000 "$(reason cpu co2e_g)" # 150 kWh of 66.7 g
    near embodied 0 "$(jq '(.reasons[] | select(.reason == "embodied") | .co2e_g) - .embodied_co2e_g.slurm_carbon' "$BATS_TEST_TMPDIR/out")"
    near 'sum, g' 0 "$(jq '([.reasons[].co2e_g] | add) - (.total_co2e_g.slurm_carbon - 20000)' "$BATS_TEST_TMPDIR/out")"
    echo IdlePolicy=spread >>"$conf"
    sreport_factors "$BATS_TEST_TMPDIR"
    "$top_builddir/carbonctl" compare -c "$conf" --job 101 --json "$csv" >"$BATS_TEST_TMPDIR/out"
    [ "$(jq '[.reasons[] | select(.reason == "spread" and .co2e_g > 0)] | length' "$BATS_TEST_TMPDIR/out")" = 1 ]
    near 'sum, g' 0 "$(jq '([.reasons[].co2e_g] | add) - (.total_co2e_g.slurm_carbon - 20000)' "$BATS_TEST_TMPDIR/out")"
}

@test 'what it did not count at all has no intensity' {
    file "$(row emissions=0 cpu_energy=0 gpu_energy=0 ram_energy=0 energy_consumed=0 cpu_power=0)"
    json
    [[ $(jq .grid_intensity_g_per_kwh.codecarbon "$BATS_TEST_TMPDIR/out") == null ]]
    compare | grep -q 'not explained: CodeCarbon counted no energy'
}

@test 'a header of version 3, in another order of columns; one of version 1 is refused' {
    local fields
    fields=$(row codecarbon_version=3.0.4)
    # an experiment after the run, utilisation after the rate, water after the energy, wue at the end
    printf '%s\n' "$header_3" "$(sed -E 's/^([^,]*,[^,]*,[^,]*),/\1,5b0fa12a-3dd7,/; s/,5.4e-06,/&55.0,12.0,7.5,/; s/,France,/,1.5,France,/; s/$/,0.0/' <<<"$fields")" >"$csv"
    json
    near cpu 0.097337962963 "$(reason cpu energy_kwh)"
    [[ $(reason memory words) == *'by its guess of the DIMMs, no meter"' ]]
    { echo "pue,$header" | sed 's/,pue$//'; sed -E 's/(.*),([^,]*)$/\2,\1/' <<<"$fields"; } >"$csv"
    json
    near cpu 0.097337962963 "$(reason cpu energy_kwh)"
    printf '%s\n' "$header_1" '2026-11-20T11:20:00,codecarbon,10,0.1,0.2,France,FRA,,N,,' >"$csv"
    run ! compare
    [[ $output == *'emissions.csv:1: the header names no column run_id'* ]]
}

@test 'rows of one tracker: the last; that follow each other: their sum; at once: refused' {
    file "$(row timestamp=2026-11-20T10:40:00 duration=2100 cpu_energy=0.01)" "$(row)"
    json
    near cpu 0.053125 "$(jq .cpu_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    file "$(row timestamp=2026-11-20T10:30:00 duration=1500 run_id=aaaa cpu_energy=0.0177083)" \
        "$(row timestamp=2026-11-20T11:20:00 duration=3000 run_id=bbbb cpu_energy=0.0354167)"
    json
    near cpu 0.053125 "$(jq .cpu_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    near duration 4500 "$(jq .duration_s.codecarbon "$BATS_TEST_TMPDIR/out")"
    file "$(row run_id=aaaa)" "$(row run_id=bbbb cpu_energy=0.01)"
    run ! compare
    [[ $output == *'lines 2 and 3 are of trackers that ran at once'*'--run-id'* ]]
    json --run-id bb
    near cpu 0.01 "$(jq .cpu_kwh.codecarbon "$BATS_TEST_TMPDIR/out")"
    run ! compare --run-id cc
    [[ $output == *'no row whose run_id begins with cc'* ]]
}

@test 'a row outside of the job is named: left out, or refused when no other is inside' {
    file "$(row timestamp=2026-11-19T11:20:00 run_id=aaaa)" "$(row)"
    compare >"$BATS_TEST_TMPDIR/text" 2>"$BATS_TEST_TMPDIR/err"
    grep -q 'emissions.csv:2: of 2026-11-19T11:20:00, outside of the job: left out' "$BATS_TEST_TMPDIR/err"
    file "$(row timestamp=2026-11-19T11:20:00)"
    run ! compare
    [[ $output == *'emissions.csv:2: of 2026-11-19T10:05:00 to 2026-11-19T11:20:00, outside of job 100, 2026-11-20T10:00:00 to 2026-11-20T11:30:00'*TZ* ]]
    file "$(row)"
    TZ=Europe/Paris run ! compare # an hour earlier
    [[ $output == *'outside of job 100'* ]]
    file "$(row timestamp=2026-11-20T12:20:00)"
    TZ=Europe/Paris compare >"$BATS_TEST_TMPDIR/text"
    file "$(row timestamp=2026-11-20T13:20:00.123456+02:00)"
    compare >"$BATS_TEST_TMPDIR/text"
}

@test 'a job that runs, is unknown or not named' {
    local job said
    file "$(row)"
    while IFS='|' read -r job said; do
        run ! "$top_builddir/carbonctl" compare --job "$job" "$csv"
        [[ $output == *"$said"* && ${#lines[@]} = 1 ]] || { echo "$job: $output"; return 1; }
    done <<'END'
101|still runs
99|is unknown
1x|--job
END
    run ! "$top_builddir/carbonctl" compare "$csv"
    [[ $output == *'name one emissions.csv and its job'* ]]
    # both runs of a requeued job have rows
    file "$(row timestamp=2026-11-20T10:08:00 duration=300 run_id=aaaa)" \
        "$(row timestamp=2026-11-20T10:25:00 duration=300 run_id=bbbb)"
    run ! "$top_builddir/carbonctl" compare --job 120 "$csv"
    [[ $output == *'2 jobs or runs'*--run-id* ]]
    "$top_builddir/carbonctl" compare --job 120 --run-id bbbb --json "$csv" | jq -e '.energy_kwh.slurm_carbon == 0.0025'
}

@test 'bad files are refused with line, column and remedy, in one short line' {
    local said
    refused() { # WHAT IS SAID
        run ! compare
        [[ $output == *"$1"* && ${#lines[@]} = 1 && ${#output} -lt 1000 ]] ||
            { echo "expected $1, got $output"; return 1; }
    }
    : >"$csv"
    refused 'empty'
    echo "$header" >"$csv"
    refused 'no row below the header'
    file "$(row cpu_energy=much)"
    refused 'emissions.csv:2: cpu_energy: "much": CodeCarbon writes a number here'
    for said in nan inf 1e999 0x10 -1 1,5 '1 2'; do
        file "$(row cpu_energy="\"$said\"")"
        refused "emissions.csv:2: cpu_energy: \"$said\""
    done
    file "$(row duration=-1725969928.7)" # seen in the wild
    refused 'emissions.csv:2: duration: '
    file "$(row pue=0.5)"
    refused 'pue: "0.5": a PUE is 1 or more'
    for said in yesterday 2026-11-20 2026-13-20T11:20:00 2026-11-20T11:20:00+99:00; do
        file "$(row timestamp=$said)"
        refused "timestamp: \"$said\""
    done
    file "$(row)" 'a,b,c'
    refused 'emissions.csv:3: 3 fields where the header has 31'
    printf '%s\n%s\0\n' "$header" "$(row)" >"$csv"
    refused 'holds a NUL byte'
    file "$(row run_id="$(head -c 1000000 /dev/zero | tr '\0' x)" timestamp=bad)"
    refused 'timestamp'
    file "$(row cpu_energy="$(head -c 1000000 /dev/zero | tr '\0' 1)")"
    refused 'cpu_energy'
    file "$(row run_id="$(head -c 1000000 /dev/zero | tr '\0' x)" codecarbon_version=$'\e[31m')"
    compare >"$BATS_TEST_TMPDIR/text"
    [ "$(wc -c <"$BATS_TEST_TMPDIR/text")" -lt 4000 ]
    run ! grep -q $'\e' "$BATS_TEST_TMPDIR/text"
    rm "$csv"
    refused 'emissions.csv'
}

@test 'without a factor set energies are compared, and grams are not' {
    file "$(row)"
    cp "$books/carbon.db" "$BATS_TEST_TMPDIR/no-set.db"
    sqlite3 "$BATS_TEST_TMPDIR/no-set.db" 'DELETE FROM factor_document; DELETE FROM factor_set'
    sed "s|^Database=.*|Database=sqlite:$BATS_TEST_TMPDIR/no-set.db|" "$books/carbon.conf" >"$BATS_TEST_TMPDIR/carbon.conf"
    compare --json -c "$BATS_TEST_TMPDIR/carbon.conf" | jq -e '.difference_co2e_g == null and .reasons[0].reason == "nodes"
        and all(.reasons[]; .co2e_g == null)'
    compare -c "$BATS_TEST_TMPDIR/carbon.conf" | grep -q '^Grams of slurm-carbon are unknown'
}
