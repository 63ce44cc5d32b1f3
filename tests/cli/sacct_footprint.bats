# sacct-carbon: embodied emissions, parts in time, what if, equivalences, the whole calculation. On the
# database of sreport_fixture.sh, METHOD's tenth golden case in October 2026, and on BLOOM's training.

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export CARBON_DATA=$top_srcdir/accounting/carbon
    export TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CONF
    books=$(mktemp -d)
    export books SLURM_CARBON_CONF=$books/carbon.conf
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_books "$books"
    # the hour of 1 October 00:00 has a figure of its own, 100 g/kWh
    sqlite3 "$books/carbon.db" "INSERT INTO grid_series VALUES (1, 'FR', 'lifecycle', 'consumption',
        'a test'); INSERT INTO grid_intensity VALUES (1, $oct, $oct + 3600, 100000000, 0, 1, NULL)"
    sreport_factors "$books"
}

teardown_file() {
    rm -rf "$books"
}

sacct-carbon() {
    "$top_builddir/sacct-carbon" "$@"
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

field() { # FIELD JOB [OPTION]...
    sacct-carbon -X -P -n -o "$1" -j "$2" "${@:3}"
}

near() { # EXPECTED ACTUAL APART: numbers
    awk -v a="$1" -v b="$2" -v apart="$3" \
        'BEGIN { d = a - b; if (d < 0) d = -d; if (d > apart) { print a, b; exit 1 } }'
}

# settings DIR LINE...: the books of the fixture in DIR, with a factor set by these settings too
settings() {
    local dir=$1 line
    shift
    mkdir "$dir"
    sqlite3 "$books/carbon.db" ".clone $dir/carbon.db" > "$dir/log" 2>&1
    sqlite3 "$dir/carbon.db" 'PRAGMA application_id = 1130459746; PRAGMA user_version = 6'
    sed "s|$books|$dir|" "$books/carbon.conf" > "$dir/carbon.conf"
    for line; do
        sed -i "/^${line%%=*}=/d" "$dir/carbon.conf"
        echo "$line" >> "$dir/carbon.conf"
    done
    cp "$books/inventory.conf" "$dir/inventory.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    "$top_builddir/carbonctl" factors update > "$dir/log"
}

# --- embodied -------------------------------------------------------------------------------------

@test 'each job has the embodied emissions of the golden case' {
    local job mg
    while read -r job mg; do
        near "$mg" "$(field co2eembodiedraw "$job" | awk '{ printf "%.3f", $1 * 1000 }')" 1
    done <<'END'
101 27144537
102 22624972
103 10860077
104 3030592
105 1515296
END
}

@test 'each job is as in the report of its month' {
    "$top_builddir/sreport-carbon" --month 2026-10 --json > "$books/report.json"
    for job in 101 102 103 104 105; do
        read -r operational low central high < <(jq -r --arg job "$job" '.top_jobs[] |
            select(.job == $job).own.co2e |
            "\(.operational_mg) \(.embodied_low_mg) \(.embodied_mg) \(.embodied_high_mg)"' \
            "$books/report.json")
        near "$operational" "$(field co2eoperationalraw "$job" | awk '{ printf "%.3f", $1 * 1000 }')" 1.5
        near "$low" "$(field co2eembodiedlowraw "$job" | awk '{ printf "%.3f", $1 * 1000 }')" 1.5
        near "$central" "$(field co2eembodiedraw "$job" | awk '{ printf "%.3f", $1 * 1000 }')" 1.5
        near "$high" "$(field co2eembodiedhighraw "$job" | awk '{ printf "%.3f", $1 * 1000 }')" 1.5
    done
}

@test 'the parts of a card add up as shown, and its range has the total within' {
    local job
    for job in 101 102 103 104 105; do
        sacct-carbon -X "$job" | awk '
            /^  (active|idle|overhead) / && $3 ~ /g$/ { parts += $2; unit = $3 }
            /^  operational / { operational = $2 }
            /^  embodied / { embodied = $2; low = $(NF - 3); sub(/\(/, "", low); low += 0; high = $(NF - 1) }
            /^  total / && $3 ~ /^(mg|g|kg|t)$/ { total = $2; total_low = $4; total_high = $6 }
            function apart(a, b) { return (a - b) ^ 2 > 1e-12 }
            END { exit unit == "" || apart(parts, operational) ||
                       apart(operational + embodied, total) || low > embodied || embodied > high ||
                       apart(total_low, operational + low) || apart(total_high, operational + high) }'
    done
}

@test 'the card names mode, factor set and what is not in it' {
    sacct-carbon 101 > "$books/card"
    grep -qx 'Carbon (CO₂e)  by factor set 1 of 2026-11-01, embodied in capacity mode' "$books/card"
    grep -q '^  hardware  inventory.conf of the factor set; capacity mode: hours held / hours in service$' \
        "$books/card"
    grep -q '^  not included: idle energy that no job held; the making of hardware while no job held it$' \
        "$books/card"
    grep -q '1 of 375 h at the annual value' "$books/card" && false
    grep -q '374 of 375 h at the annual value$' "$books/card"
}

@test 'what the inventory does not know is unknown, not 0; in part it is flagged' {
    settings "$books/part"
    # job 106 holds c1 and a node of no type, 107 that node alone
    sqlite3 "$books/part/carbon.db" "INSERT INTO node VALUES (9, 'alpha', 'x9', 1, 4, 0, 1000);
        INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s, end_s, exit_status, flags)
            VALUES (6, 'alpha', 106, 0, 1790899200, 1790902800, 0, 0),
                   (7, 'alpha', 107, 0, 1790899200, 1790902800, 0, 0);
        INSERT INTO allocation SELECT 60 + n.node_key, 6, n.node_key, '00000000000000b1', 60 + n.node_key,
            1790899200000000000, 1790902800000000000, 1790902800000000000, 1, 4, '0-3', 0, '', 0, 0
            FROM node n WHERE node_key IN (3, 9);
        INSERT INTO allocation SELECT 79, 7, 9, '00000000000000b1', 79, begin_ns, end_ns, seen_ns, 1, 4,
            '0-3', 0, '', 0, 0 FROM allocation WHERE allocation_key = 69;
        INSERT INTO energy VALUES (9, 1790899200, 6, -1, 'cpu', 'measured', 'powercap', 3600000000, 0,
            3600000, 3600000), (9, 1790899200, 7, -1, 'cpu', 'measured', 'powercap', 3600000000, 0,
            3600000, 3600000)"
    same 'missing_embodied,annual_intensity' "$(field flags 106)"
    near 0.606118 "$(field co2eembodiedraw 106)" 0.001 # 4 of 95 232 core-hours of 14.430469 kg
    [[ $(sacct-carbon 106) == *'MISSING   the making of x9, for which inventory.conf has no asset of class GPU or CPU'* ]]
    same 'unknown|unknown|53.0 g' "$(field co2eembodied,co2etotal,co2eoperational 107)"
    [[ $(sacct-carbon 107) == *'embodied          unknown      inventory.conf has no asset of class GPU or CPU for x9 (factor set 1)'* ]]
    sacct-carbon --json 107 | jq -e '.jobs[0] | .embodied_co2e == null and .flags[0] == "missing_embodied"'
    [[ $(sacct-carbon -a -S 2026-10-01 -X) == *'; 1 of unknown embodied emissions, not in the sum; 1 partly on nodes of unknown embodied emissions'* ]]
}

@test 'an inventory that cannot be right leaves energy and operational emissions' {
    settings "$books/wrong"
    sed -i '0,/gpus = 8/s//gpus = 1/; 0,/2024-01-01/s//2026-10-15/' "$books/wrong/inventory.conf"
    "$top_builddir/carbonctl" factors update > "$books/log"
    run -0 sacct-carbon 101
    [[ $output == *'embodied          unknown      the job held 3000.0 GPU-hours of node_type "gpu" in the month of 2026-10, and its nodes had 408.0 in service: correct its nodes, gpus, in_service'* ]]
    [[ $output == *'operational '*'kg'* ]]
    same unknown "$(field co2eembodied 101)"
    run -0 sacct-carbon --explain 101
    [[ $output == *'3. Making the hardware (embodied): unknown: the job held'* ]]
}

@test 'a job without GPUs on a GPU node is told why it has no embodied part' {
    settings "$books/idle"
    sqlite3 "$books/idle/carbon.db" "UPDATE allocation SET gpus = 0 WHERE job_key = 3"
    same '0 g' "$(field co2eembodied 103)"
    [[ $(sacct-carbon 103) == *'GPU nodes are shared by GPU-hours, and it held no GPU'* ]]
}

# --- BLOOM ----------------------------------------------------------------------------------------

@test "BLOOM's training, as rows of a database, has the study's figures" {
    local dir=$books/bloom
    mkdir -p "$dir/spool"
    "$top_builddir/tests/fake/mkmonth" "$dir/spool" < "$top_srcdir/tests/data/bloom/bloom.spec"
    cp "$top_srcdir/tests/data/bloom/inventory.conf" "$dir"
    { cat "$top_srcdir/tests/data/bloom/carbon.conf"; echo "Database=sqlite:$dir/carbon.db"
      echo "Inventory=$dir/inventory.conf"; echo "DeliverDir=$dir/spool"; } > "$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    "$top_builddir/carbonctl" init > "$dir/log"
    "$top_builddir/carbonctl" ingest >> "$dir/log"
    IFS='|' read -r total active idle spread embodied < <(field \
        co2etotalraw,co2eactiveraw,co2eidleraw,co2espreadraw,co2eembodiedraw 176)
    near 50532450.877 "$total" 0.005
    near 24692172 "$active" 0.001
    near 14628825.859 "$(awk "BEGIN { printf \"%.3f\", $idle + $spread }")" 0.002
    near 11211453.017 "$embodied" 0.005
    sacct-carbon --compare 176 > "$dir/card"
    grep -q '^  spread               10.3 t    its part of idle energy that no job held$' "$dir/card"
    grep -q '^  total                50.5 t    50.0 to 60.8 t, by the estimates of embodied$' "$dir/card"
    grep -q '^Compared    the total 50.5 t CO₂e is as much as any one of$' "$dir/card"
    grep -A1 '^        45.4  flights London-New York, one economy seat' "$dir/card" |
        grep -q '^            *1112 kg each (2024, UK DESNZ'
    run ! grep -q 'not included' "$dir/card"
    sacct-carbon --explain 176 | redo
    # months add up to it
    sacct-carbon --by month -P -n -o co2etotalraw 176 | awk -v whole="$total" '
        { sum += $1 } END { exit NR != 5 || (sum - whole) ^ 2 > 1e-8 }'
}

# --- parts in time --------------------------------------------------------------------------------

@test 'hours, days and months of a job add up to it' {
    local by job fields=energyraw,co2eactiveraw,co2eidleraw,co2eoverheadraw,co2eembodiedlowraw,co2eembodiedraw,co2eembodiedhighraw,co2etotalraw
    settings "$books/mid"
    # g2 comes on 11 October: a day's own rate would be another than the month's. 102 goes on in November
    for by in hour day month; do
        for job in 101 102 103 104 105; do
            { field $fields "$job"; field $fields "$job" --by $by; } | awk -F'|' '
                NR == 1 { split($0, whole, "|"); next }
                { for (i = 1; i <= NF; i++) sum[i] += $i }
                END { if (sum[1] != whole[1] || NR < 2) exit 1
                      for (i = 2; i <= 8; i++) if ((sum[i] - whole[i]) ^ 2 > 1e-6) exit 1 }'
        done
    done
    same 375 "$(field period 101 --by hour | wc -l)"
    same $'2026-10-01T00:00Z\n2026-10-01T01:00Z' "$(field period 101 --by hour | head -2)"
    same 2026-10 "$(field period 101 --by month)"
}

@test 'all parts of a job come, also those of which nothing is known' {
    settings "$books/hole"
    sqlite3 "$books/hole/carbon.db" "DELETE FROM energy WHERE job_key = 1 AND
        hour_s >= 1790899200 AND hour_s < 1790985600" # 2 October
    same '2026-10-02|unknown|unknown|1.74 kg' "$(field period,energy,co2eoperational,co2eembodied 101 --by day | sed -n 2p)"
    same '2026-10-03|28.8 kWh' "$(field period,energy 101 --by day | sed -n 3p)"
}

@test 'local days have 23, 24 or 25 hours' {
    # 105 runs from 13 October 12:00 to 21 October 20:00 UTC; 102 from 11 to 24 October 00:33:45
    TZ=Europe/Paris field period,elapsed,energykwh 105 --by day > "$books/days"
    same '2026-10-13|10:00:00|12.0' "$(head -1 "$books/days")"
    same '2026-10-14|1-00:00:00|28.8' "$(sed -n 2p "$books/days")"
    settings "$books/clocks"
    # 25 October has 25 hours in Paris, 29 March 23
    sqlite3 "$books/clocks/carbon.db" "UPDATE energy SET hour_s = hour_s + 5 * 86400 + 1000000000 WHERE job_key = 5;
        UPDATE energy SET hour_s = hour_s - 1000000000 WHERE job_key = 5;
        UPDATE allocation SET begin_ns = begin_ns + 432000000000000, end_ns = end_ns + 432000000000000,
            seen_ns = seen_ns + 432000000000000 WHERE job_key = 5;
        UPDATE job SET begin_s = begin_s + 432000, end_s = end_s + 432000 WHERE job_key = 5"
    same '2026-10-25|1-01:00:00|30.0' \
        "$(TZ=Europe/Paris field period,elapsed,energykwh 105 --by day | sed -n 8p)"
    same '2026-10-25|1-00:00:00|28.8' "$(field period,elapsed,energykwh 105 --by day | sed -n 8p)"
    sqlite3 "$books/clocks/carbon.db" "UPDATE energy SET hour_s = hour_s - 210 * 86400 WHERE job_key = 5;
        UPDATE allocation SET begin_ns = begin_ns - 18144000000000000, end_ns = end_ns - 18144000000000000,
            seen_ns = seen_ns - 18144000000000000 WHERE job_key = 5;
        UPDATE job SET begin_s = begin_s - 18144000, end_s = end_s - 18144000 WHERE job_key = 5"
    same '2026-03-29|23:00:00|27.6' \
        "$(TZ=Europe/Paris field period,elapsed,energykwh 105 --by day | grep 03-29)"
    # an hour belongs to the day in which it begins, where days begin at half past
    TZ=Asia/Kolkata field energyraw 105 --by day | awk -v whole="$(field energyraw 105)" '
        { sum += $1 } END { exit sum != whole }'
}

@test 'a service that runs shows its days up to the last delivery' {
    settings "$books/service"
    sqlite3 "$books/service/carbon.db" "UPDATE job SET end_s = NULL, exit_status = NULL WHERE job_key = 4;
        UPDATE allocation SET end_ns = NULL WHERE job_key = 4"
    same '9|RUNNING' "$(field state 104 --by day | sort | uniq -c | awk '{ print $1 "|" $2 }')"
    same '2026-10-09|08:00:00|9.60' "$(field period,elapsed,energykwh 104 --by day | tail -1)"
    same '2026-10-09T00:00:00 Unknown' "$(field end 104 --by day | tail -2 | paste -sd' ')"
    [[ $(sacct-carbon --by day 104) == *'1 job: 240 kWh, '*'; 1 still running'* ]]
}

@test '--by as JSON has parts in each job' {
    sacct-carbon --json --by day 101 105 | jq -e '.by == "day" and (.jobs | length == 2) and
        (.jobs[0].parts | length == 16) and (.jobs[0] | has("steps") | not) and
        ([.jobs[] | .total_co2e.central_g - ([.parts[].total_co2e.central_g] | add) | fabs < 1e-6] | all) and
        .jobs[0].parts[0].period == "2026-10-01" and .jobs[0].parts[0].to_utc == "2026-10-02T00:00:00Z" and
        .jobs[0].parts[0].energy.cpu.total_mj == 103680000000'
}

@test '--by and steps exclude each other, and periods are hour, day or month' {
    run -1 sacct-carbon --by day 101.0
    [[ $output == *'--by is of whole jobs: name no step'* ]]
    run -1 sacct-carbon --by week 101
    [[ $output == *'--by: "week": write hour, day or month'* ]]
}

# --- what if --------------------------------------------------------------------------------------

@test '--gco2 changes operational emissions alone, and says WHAT IF everywhere' {
    same "$(field co2eembodiedraw 101)" "$(field co2eembodiedraw 101 --gco2 50 2> "$books/err")"
    grep -qx 'sacct-carbon: WHAT IF the grid emitted 50 g/kWh: not what was emitted' "$books/err"
    # 375 h of 1.2 kW, PUE 1.2
    near 27000 "$(field co2eoperationalraw 101 --gco2 50 2> "$books/err")" 0.001
    near 54000 "$(field co2eoperationalraw 101 --gco2 100 2> "$books/err")" 0.001
    same 0 "$(field co2eoperationalraw 101 --gco2 0 2> "$books/err")"
    [[ $(sacct-carbon --gco2 50.5 101) == *'  WHAT IF the grid emitted 50.5 g/kWh: not what the job emitted'* ]]
    [[ $(sacct-carbon --gco2 50 101 102) == *'WHAT IF the grid emitted 50 g/kWh: not what was emitted.'* ]]
    [[ $(sacct-carbon --explain --gco2 50 101) == *'WHAT IF the grid emitted 50 g/kWh'*'g/kWh: as given with --gco2'* ]]
    sacct-carbon --json --gco2 50 101 | jq -e '.method.what_if == "the grid emitted 50 g/kWh" and
        .method.zone == null and .method.intensity_g_per_kwh == 50'
    sacct-carbon --json 101 | jq -e '.method.what_if == null'
}

@test '--grid takes another zone of the factor set' {
    near 184712.4 "$(field co2eoperationalraw 101 --grid de 2> "$books/err")" 1
    grep -qx 'sacct-carbon: WHAT IF the grid were that of zone DE (Germany): not what was emitted' "$books/err"
    [[ $(sacct-carbon --grid DE 101) == *'WHAT IF the grid were that of zone DE (Germany)'* ]]
    run -1 sacct-carbon --grid XX 101
    [[ $output == *'--grid: '*'no zone "XX"'* ]]
}

@test 'what cannot be supposed is refused' {
    run -1 sacct-carbon --gco2 2001 101
    [[ $output == *'--gco2: "2001": write grams of CO2e per kWh, 0 to 2000'* ]]
    run -1 sacct-carbon --gco2 -5 101
    run -1 sacct-carbon --gco2 50 --grid DE 101
    [[ $output == *'--grid and --gco2 exclude each other'* ]]
    run -1 sacct-carbon --profile --gco2 50 101
}

@test '--gco2 gives grams where no zone is set' {
    settings "$books/nozone" 'Zone='
    same unknown "$(field co2eoperational 101)"
    near 27000 "$(field co2eoperationalraw 101 --gco2 50 2> "$books/err")" 0.001
}

@test 'without a zone, embodied emissions are told all the same' {
    settings "$books/nozone-card" 'Zone='
    sacct-carbon 101 > "$books/card"
    grep -q '^  operational  *unknown  *set Zone (such as Zone=FR)' "$books/card"
    grep -q '^  embodied  *27.1 kg  *its part of making the hardware' "$books/card"
    grep -qx '  total  *unknown  *more than the embodied emissions alone' "$books/card"
    [[ $(sacct-carbon --compare 101) == *'Compared    the embodied 27.1 kg'* ]]
    sacct-carbon -X --compare 101 102 > "$books/table"
    grep -qx '2 jobs: 825 kWh, 49.8 kg CO2e embodied (40.6 kg to 66.8 kg)' "$books/table"
    grep -q '^Operational unknown: set Zone' "$books/table"
    grep -qx 'Compared with nothing: the operational emissions are unknown.' "$books/table"
}

@test 'without a zone and an inventory, --compare says that there is nothing to compare' {
    settings "$books/nothing-card" 'Zone='
    : > "$books/nothing-card/inventory.conf"
    "$top_builddir/carbonctl" factors update > "$books/nothing-card/log"
    [[ $(sacct-carbon --compare 101) == *'Carbon      unknown: '*'Compared    with nothing: '* ]]
}

@test 'options that would change nothing are refused' {
    local row
    for row in '--format=jobid,period|write --by hour, day or month too' \
        '--json --noheader|--json has no header' '--json --units=kWh|leave out --units' \
        '--json --noconvert|leave out --units' '--explain --noheader|leave out -o, -n' \
        '--explain --units=kWh|leave out --units' '--explain --noconvert|leave out --units'; do
        # shellcheck disable=SC2086
        run -1 sacct-carbon ${row%%|*} 101
        [[ $output == *"${row#*|}"* ]] || { echo "$row: $output"; return 1; }
    done
    sacct-carbon --format=ALL -P 101 > "$books/all"
    sacct-carbon --format=jobid,period --by month -P 101 | grep -qx '101|2026-10'
}

# --- compared -------------------------------------------------------------------------------------

@test '--compare has every equivalence with factor, year and source; without it there is none' {
    same 5 "$(sacct-carbon --compare 101 | grep -c ' kg each (20[0-9][0-9], ')"
    run ! grep -q flights <(sacct-carbon 101)
    [[ $(sacct-carbon --compare 101 102) == *'Compared: all of it is as much as any one of'* ]]
    sacct-carbon --json --compare 101 | jq -e '.jobs[0] | .total_co2e.central_g as $g |
        .compared.of == "total" and (.compared.as_much_as | length == 5) and
        ([.compared.as_much_as[] | .count * .each_kg * 1000 - $g | fabs < 1e-6] | all)'
    run -1 sacct-carbon --compare -P 101
    [[ $output == *'--compare goes with a card, the default table or --json'* ]]
}

# --- the whole calculation ------------------------------------------------------------------------

# A reader with nothing but the printed lines: from joules, factors, kilograms and hours to the sums.
redo() {
    awk '
    function near(a, b) { return (a - b) ^ 2 <= (1e-9 * (a > 1 ? a : 1)) ^ 2 * 4 + 1e-14 }
    /^  20[0-9-]+T[0-9:]+Z 20[0-9-]+T[0-9:]+Z +[0-9]/ && $6 != "each" {
        active += $4 / 3600000 * $6; idle += $5 / 3600000 * $6
        overhead += ($4 + $5) / 3600000 * $6 * ($7 - 1); lines++
    }
    /^  20.* each hour.s +own / { active += $9; idle += $10; overhead += $11; lines++ }
    /^    spread g = / { spread += $4 * $7 / $9 }
    / pool$/ { own = all_shared = 0 }
    /^    .* in service.* \[[0-9]+\]$/ { is_shared = /, shared \[/ }
    / kg each x / {
        kg = $1 * $8 / $13
        if (is_shared) all_shared += kg; else own += kg
    }
    /^    the pool.s part of what is shared/ {
        for (i = 1; i <= NF; i++) if ($i == "x") own += all_shared * $(i + 1) / $(i + 3)
    }
    /^    embodied kg = / {
        of = $9; sub(/\(/, "", of); part = own * $7 / of
        if ($10 == "x") part /= $11
        embodied += part * 1000; months++
    }
    /^  active g / { bad += !near($4, active) }
    /^  idle g / { bad += !near($4, idle) }
    /^  overhead g / { bad += !near($4, overhead) }
    /^  spread g / { bad += !near($4, spread) }
    /^  embodied g / { bad += !near($4, embodied) }
    /^  total g / { total = $4 }
    END {
        if (!lines || !months || bad || !near(total, active + idle + overhead + spread + embodied)) {
            printf "%d lines, %d months, %d bad; %.9f %.9f %.9f %.9f %.9f = %.9f?\n", lines, months,
                bad, active, idle, overhead, spread, embodied, total
            exit 1
        }
    }'
}

@test 'the printed calculation can be redone, whatever the mode' {
    for job in 101 102 103 104 105; do
        sacct-carbon --explain "$job" | redo
        sacct-carbon --explain --by hour "$job" | redo
        sacct-carbon --explain --by day "$job" | redo
    done
    settings "$books/share" EmbodiedMode=share IdlePolicy=spread
    for job in 101 103 104; do sacct-carbon --explain "$job" | redo; done
    settings "$books/planned" EmbodiedMode=planned ExpectedUtilisation=0.7
    for job in 101 103 104; do sacct-carbon --explain "$job" | redo; done
}

@test 'the calculation names every factor with its source' {
    sacct-carbon --explain 101 > "$books/explained"
    same 2 "$(grep -c '^  2026-10-.* \[[0-9]\] \[[0-9]\]$' "$books/explained")"
    grep -q "^  \[1\] g/kWh: zone FR, the hour's own, lifecycle, consumption: a test$" "$books/explained"
    grep -q '^  \[3\] g/kWh: zone FR, annual value of 2024, lifecycle: Ember' "$books/explained"
    grep -q '^  \[2\] PUE 1.2: PUE of carbon.conf, as the factor set has it$' "$books/explained"
    grep -q '^  \[[0-9]\] asset "server": golden case 10$' "$books/explained"
    grep -q '^    switch: 1 in service, shared \[' "$books/explained"
}

@test 'hours that share their factors are one line, and --by hour shows each' {
    same 375 "$(sacct-carbon --explain --by hour 101 | grep -c '^  2026-10-.*\[2\]$')"
    sacct-carbon --explain --by day 101 > "$books/explained"
    grep -q -- '--by hour with --explain shows each' "$books/explained"
    # the first day has an hour of another source, and days name those of their hours too
    grep -qx "  sources of the hours' own factors: \[1\] \[2\] \[3\]" "$books/explained"
    same 2 "$(grep -c '^  \[[0-9]\] g/kWh: ' "$books/explained")"
    run -1 sacct-carbon --explain --json 101
    [[ $output == *'--explain is text for reading'* ]]
    run -1 sacct-carbon --explain 101.0
    [[ $output == *'--explain is of whole jobs: name no step'* ]]
    run -1 sacct-carbon --explain
    [[ $output == *'name the job: sacct-carbon --explain 123'* ]]
}
