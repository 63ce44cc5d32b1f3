# sacct-carbon on the database of sacct_fixture.sh, where everything happens on 2026-11-20

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export CARBON_DATA=$top_srcdir/accounting/carbon
    export TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CONF
    books=$(mktemp -d)
    chmod 755 "$books" # for the test of somebody else's view
    export books SLURM_CARBON_CONF=$books/carbon.conf
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
    sacct_fixture "$books"
    # what was never taken into a set, and a set without a zone
    sqlite3 "$books/carbon.db" ".clone $books/no-set.db" > "$books/log" 2>&1
    sqlite3 "$books/no-set.db" "PRAGMA application_id = 1130459746; PRAGMA user_version = 6;
        DELETE FROM factor_document; DELETE FROM factor_set"
    cp "$books/no-set.db" "$books/no-zone.db"
    sed 's/carbon\.db/no-set.db/' "$books/carbon.conf" > "$books/no-set.conf"
    sed '/^Zone/d; s/carbon\.db/no-zone.db/' "$books/carbon.conf" > "$books/no-zone.conf"
    sacct_factors "$books/no-zone.conf"
    chmod a+r "$books"/*
}

setup() {
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
}

teardown_file() {
    rm -rf "$books"
}

sacct-carbon() {
    "$top_builddir/sacct-carbon" "$@"
}

# All jobs of the fixture, whenever the test runs
all() {
    sacct-carbon -a -S 2026-11-20 "$@"
}

# The same database gives the same bytes: what is printed is what lies in tests/golden.
golden() { # NAME, then the output on standard input
    diff -u "$top_srcdir/tests/golden/$1" -
}

# One field of one row, without header
field() { # FIELD JOB [OPTION]...
    sacct-carbon -P -n -o "$1" -j "$2" "${@:3}"
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

# --- the card -------------------------------------------------------------------------------------

@test 'one job gives a card' {
    sacct-carbon 100 | golden sacct-carbon-card.txt
    same "$(sacct-carbon 100)" "$(sacct-carbon -j 100)"
}

@test 'the card is ASCII where the locale is' {
    LC_ALL=C sacct-carbon 141 > "$books/card"
    run ! grep -P '[^\x00-\x7f]' "$books/card"
    grep -qx 'Carbon (CO2e)  by factor set 1 of 2026-11-20' "$books/card"
}

@test 'the card of a running job says as of when' {
    sacct-carbon 101 | golden sacct-carbon-card-running.txt
}

@test 'the card says how many nodes have reported' {
    sacct-carbon 102 | grep -q '; 2 of 4 nodes reported'
}

@test 'the card tells gaps, what was not metered, and flags in words' {
    sacct-carbon 140 | golden sacct-carbon-card-gap.txt
}

@test 'the card says that energy was modelled' {
    sacct-carbon 141 | grep -qx 'Quality     100 % of the energy modelled (sensor: model)'
}

@test 'unknown energy is unknown, not 0' {
    run -0 sacct-carbon 142
    [[ $output == *'Energy      unknown'* && $output == *'Carbon      unknown'* ]]
    [[ ! $output =~ [0-9]' '(J|Wh|W|g|mg)$'\n' ]]
    same unknown "$(field energyraw 142)"
    same unknown "$(field co2eraw 142)"
}

@test 'without Zone the card shows energy, and what to set for CO2e' {
    run -0 sacct-carbon --config "$books/no-zone.conf" 100
    [[ $output == *"Carbon      unknown: set Zone (such as Zone=FR) in $books/no-zone.conf, then \`carbonctl factors update\`"* ]]
    [[ $output == *'total                1.00 kWh'* ]]
    sed 's/^ClusterName.*/&\nZone=FR/' "$books/no-zone.conf" > "$books/later.conf"
    run -0 sacct-carbon --config "$books/later.conf" 100
    [[ $output == *"Carbon      unknown: no Zone in the factor set; \`carbonctl factors update\` takes that of $books/later.conf"* ]]
}

@test 'without a factor set the card shows energy, and how to make one' {
    run -0 sacct-carbon --config "$books/no-set.conf" 100
    [[ $output == *'Carbon      unknown: no factor set in the database; `carbonctl factors update` makes one'* ]]
    [[ $output == *'total                1.00 kWh'* ]]
    run -0 sacct-carbon --config "$books/no-set.conf" -a -S 2026-11-20
    [[ $output == *'CO2e unknown: no factor set in the database'* ]]
    run -0 sacct-carbon --config "$books/no-set.conf" --explain 100
    [[ $output == *'2. Idle energy that no job held: unknown: no factor set'* ]]
    jq -e '.method.factor_set == null and .jobs[0].operational_co2e == null' \
        <(sacct-carbon --config "$books/no-set.conf" --json 100)
    run -1 sacct-carbon --config "$books/no-set.conf" --factor-set 1 100
    [[ $output == *'no factor set yet'* ]]
}

@test 'grams are by the newest factor set, or by the one that is named' {
    sqlite3 "$books/carbon.db" ".clone $books/sets.db" > "$books/log" 2>&1
    sqlite3 "$books/sets.db" 'PRAGMA application_id = 1130459746; PRAGMA user_version = 6;'
    sed 's/carbon\.db/sets.db/; s/^Zone=.*/Zone=DE/; s/^PUE=.*/PUE=1/' "$books/carbon.conf" \
        > "$books/sets.conf"
    export SLURM_CARBON_CONF=$books/sets.conf
    # carbon.conf alone changes nothing, and -v says that it would
    same '53.016|FR|1.2' "$(field co2eraw,zone,pue 100 -X)"
    run -0 --separate-stderr sacct-carbon -v 100
    [[ $stderr == *'Zone is DE in carbon.conf and FR in factor set 1; PUE is 1 in carbon.conf and 1.2 in factor set 1; `carbonctl factors update`'* ]]
    sacct_factors "$books/sets.conf"
    same 'DE|1' "$(field zone,pue 100 -X)"
    run -0 --separate-stderr sacct-carbon -v 100
    [[ $stderr != *carbon.conf\ and* ]]
    same '53.016|FR|1.2' "$(field co2eraw,zone,pue 100 -X --factor-set 1)"
    same "$(SLURM_CARBON_CONF=$books/carbon.conf sacct-carbon --json 100)" \
        "$(sacct-carbon --json --factor-set=1 100)"
    run -1 sacct-carbon --factor-set 9 100
    [[ $output == *'there is no factor set 9: there are 1 to 2'* ]]
    run -1 sacct-carbon --factor-set x 100
    [[ $output == *'"x" is no number of a factor set'* ]]
}

# hourly: set 2 has 100 g/kWh for the hour from 10:00, and a PUE of 1.5 from 11:00 on
hourly() {
    sqlite3 "$books/carbon.db" ".clone $books/hourly.db" > "$books/log" 2>&1
    sqlite3 "$books/hourly.db" "PRAGMA application_id = 1130459746; PRAGMA user_version = 6;
        INSERT INTO grid_series VALUES (1, 'FR', 'lifecycle', 'consumption', 'a test');
        INSERT INTO grid_intensity VALUES (1, 1795168800, 1795172400, 100000000, 0, 1, NULL);"
    sed "s/carbon\.db/hourly.db/; s/inventory\.conf/hourly.inventory/" "$books/carbon.conf" \
        > "$books/hourly.conf"
    echo 'pue "late" { from = "2026-11-20T11:00Z" to = "2027-01-01" value = 1.5 source = "x" }' \
        > "$books/hourly.inventory"
    sacct_factors "$books/hourly.conf"
    export SLURM_CARBON_CONF=$books/hourly.conf
}

@test 'each hour counts with its own intensity and PUE' {
    hourly
    # 100: (2500 kJ x 1.2 x 100 g + 1100 kJ x 1.5 x 44.18 g) / 3600; means by energy
    same '103.58250|82.943889|1.291667' \
        "$(field co2eraw,intensity,pue 100 -X | awk -F'|' -v OFS='|' '{ $1 = sprintf("%.5f", $1) } 1')"
    # steps add up to it
    sacct-carbon -P -n -o jobidraw,co2eraw 100 | awk -F'|' '
        NR == 1 { job = $2; next } { sum += $2 } END { exit (job - sum) ^ 2 > 1e-12 }'
    run -0 sacct-carbon 100
    [[ $output == *"PUE of each hour x grid intensity, summed over UTC hours"* ]]
    [[ $output == *"zone FR (France), 82.9 g/kWh in the mean of each hour's own, lifecycle, consumption; 1 of 2 h at the annual value"* ]]
    [[ $output == *'a test; annual values: Ember'* ]]
    same 'missing_embodied,annual_intensity|1/2' "$(field flags,annualhours 100 -X)"
    sacct-carbon --json 100 | jq -e '.jobs[0] | .flags == ["missing_embodied", "annual_intensity"] and
        .operational_co2e.hours == { "with_energy": 2, "at_annual_value": 1, "estimated": 0,
            "of_another_basis": 0 }'
    [[ $output == *'cooling and losses of the building (PUE 1.291667)'* ]]
}

@test 'without inventory embodied emissions are unknown, not 0, and so is the total' {
    same 'unknown|unknown|unknown|unknown' \
        "$(field co2eembodiedraw,co2etotal,co2etotallow,co2etotalhighraw 100 -X)"
    sacct-carbon 100 > "$books/card"
    grep -q '^  embodied          unknown      no inventory (inventory.conf) in factor set 1$' "$books/card"
    grep -q '^  total             unknown ' "$books/card"
    all | grep -q '^Embodied unknown: no inventory (inventory.conf) in the factor set\.$'
    sacct-carbon --json 100 | jq -e '.jobs[0] | .embodied_co2e == null and .total_co2e == null and
        .embodied_unknown_because == "no inventory (inventory.conf) in factor set 1"'
}

@test '-X leaves the steps out of the card' {
    run ! grep -q Steps <(sacct-carbon -X 100)
    sacct-carbon 100 | grep -q '^Steps'
}

# --- tables ---------------------------------------------------------------------------------------

@test 'several jobs give a table, whose sum counts jobs alone' {
    all | golden sacct-carbon-table.txt
}

@test 'steps and remainder add up to their job, exactly' {
    all -P -n -o jobidraw,energyraw,activeenergyraw,idleenergyraw | awk -F'|' '
        $2 == "unknown" { next }
        $1 !~ /\./ { job = $1; for (i = 2; i <= 4; i++) sum[job, i] -= $i; jobs++; next }
        { for (i = 2; i <= 4; i++) sum[job, i] += $i; steps++ }
        END { for (k in sum) if (sum[k] != 0) { print k, sum[k]; bad = 1 }
              exit bad || jobs < 12 || steps < 12 }'
}

@test '-P puts delimiters between fields, -p one at the end too' {
    same '100|train|1000' "$(sacct-carbon -X -n -P -o jobid,jobname,energywh -j 100)"
    same '100|train|1000|' "$(sacct-carbon -X -n -p -o jobid,jobname,energywh -j 100)"
    same 'JobID;EnergyWh' "$(sacct-carbon -X -P --delimiter=';' -o jobid,energyw -j 100 | head -1)"
    run -1 sacct-carbon --delimiter=';' -j 100
}

@test 'a job name adds no field and sends nothing to the terminal' {
    same '141|\x1b[31m\x7caé\u202eb\x0a\xff|alice' "$(field jobid,jobname,user 141 -X)"
    for option in '' '-n' '-P' '--json' '-o jobname'; do
        # shellcheck disable=SC2086
        sacct-carbon -j 141 $option > "$books/out"
        run ! grep -qP '\x1b|\xff|\xe2\x80\xae' "$books/out"
    done
}

@test 'a value that is too long ends in +' {
    same 'CO+' "$(sacct-carbon -X -n -o state%3 -j 100)"
    same '100' "$(sacct-carbon -X -n -o jobid%3 -j 100)"
    same '\x1b[31m|aé\u20+' "$(sacct-carbon -X -n -o jobname -j 141)"
    same 'CO+' "$(sacct-carbon -X -n -P -o state%3 -j 100)"
    same 'COMPLETED' "$(sacct-carbon -X -n -P -o state -j 100)"
}

@test '%N is to the right, %-N to the left, and either N wide' {
    same '      alice|' "$(sacct-carbon -X -n -o user%11 -j 100)|"
    same 'alice       physics|' "$(sacct-carbon -X -n -o user%-11,account%-7 -j 100)|"
}

@test 'fields come from --format, else from SACCT_CARBON_FORMAT' {
    export SACCT_CARBON_FORMAT=jobid,user
    same '100|alice' "$(sacct-carbon -X -n -P -j 100)"
    same 'physics' "$(sacct-carbon -X -n -P -j 100 -o account)"
    SACCT_CARBON_FORMAT=nope run -1 sacct-carbon -a
    [[ $output == *SACCT_CARBON_FORMAT* ]]
}

@test '-o twice adds fields' {
    same '100|alice' "$(sacct-carbon -X -n -P -j 100 -o jobid -o user)"
}

@test 'pretty and raw are the same amount' {
    same '1.00 kWh|3600000000|3600000|1000|1.00' \
        "$(field energy,energyraw,energyj,energywh,energykwh 100 -X)"
    same '01:30:00|5400' "$(field elapsed,elapsedraw 100 -X)"
    same '667 W|667|666666' "$(field avgpower,avgpowerw,avgpowerraw 100 -X)"
    same '1.00 kW|1000|1000000' "$(field peakpower,peakpowerw,peakpowerraw 100 -X)"
    # 1 kWh x 1.2 x 44.18 g
    same '53.0 g|53.016' "$(field co2e,co2eraw 100 -X)"
}

@test 'a minute that the job hardly lived is no peak' {
    # the last minute's 100 ms at 900 W a node are below the peak, and would not count above it
    sqlite3 "$books/carbon.db" ".clone $books/peak.db" > "$books/log" 2>&1
    sqlite3 "$books/peak.db" "PRAGMA application_id = 1130459746; PRAGMA user_version = 6;
        UPDATE power SET energy_mj = 9000000 WHERE span_ms = 100"
    sed "s/carbon\.db/peak.db/" "$books/carbon.conf" > "$books/peak.conf"
    same '1000000' "$(field peakpowerraw 100 -X --config "$books/peak.conf")"
}

@test '--units chooses the unit of energy, --noconvert none' {
    same '3600 kJ' "$(field energy 100 -X --units=kJ)"
    same '3600000 J|53.0 g' "$(field energy,co2e 100 -X --noconvert)"
    same '0.118 g' "$(field co2e 140 -X --noconvert)"
    run -1 sacct-carbon --units=G -j 100
    run -1 sacct-carbon --units=J --noconvert -j 100
}

@test '-n leaves out header and summary' {
    same "$(all -n)" "$(all -n | grep -v JobID)"
    run ! grep -q 'Operational:' <(all -n)
}

# --- JSON -----------------------------------------------------------------------------------------

@test '--json has everything, with units in its keys' {
    sacct-carbon --json 100 | golden sacct-carbon.json
}

@test 'JSON is valid for every job, and what is unknown is null' {
    all --json > "$books/all.json"
    jq -e '.jobs | length == 13' "$books/all.json"
    jq -e '.jobs[] | select(.job_id == 142) | .energy == null and .operational_co2e == null
        and .name == null and .state == "UNKNOWN" and .power.average_mw == null' "$books/all.json"
    jq -e '.jobs[] | select(.job_id == 101) | .end_utc == null and .state == "RUNNING"
        and .as_of_utc == "2026-11-20T10:20:00Z"' "$books/all.json"
    jq -e '[.jobs[] | select(.energy) | .energy.total_mj == ([.steps[].energy.total_mj] | add)]
        | all' "$books/all.json"
}

@test 'JSON of unknown jobs is a document without jobs' {
    run -2 --separate-stderr sacct-carbon --json 999
    jq -e '.jobs == []' <<<"$output"
}

# --- which jobs -----------------------------------------------------------------------------------

ids() { # the rows' ids of these options, in one line
    sacct-carbon -P -n -o jobid "$@" | tr '\n' ' ' | sed 's/ $//'
}

@test 'every form of job id names what sacct would' {
    same '100 100.batch 100.extern 100.0 100.1 100.remainder' "$(ids -j 100)"
    same '100.0' "$(ids -j 100.0)"
    same '100.batch 100.1' "$(ids -j 100.batch,100.1)"
    same '100.extern' "$(ids 100.extern)"
    same '110_1 110_2 110_3 110_4' "$(ids -X 110)"
    same '110_2' "$(ids -X 110_2)"
    same '110_2 110_2.batch' "$(ids 112)"
    same '110_1 110_2 110_4' "$(ids -X '110_[1-2,4]')"
    same '110_3.batch' "$(ids 110_3.batch)"
    same '130+0 130+1' "$(ids -X 130)"
    same '130+1' "$(ids -X 130+1)"
    same '150' "$(ids -X -M all s1f3k9w2x4y6z8)"
    same '100 110_1' "$(ids -X 100 -j 110_1)"
}

@test 'raw ids are the numbers that Slurm counts by' {
    same '110' "$(sacct-carbon -X -P -n -o jobidraw 110_4)"
    same '112.batch' "$(sacct-carbon -P -n -o jobidraw 110_2.batch)"
}

@test 'a malformed id is an error that shows the forms' {
    run -1 sacct-carbon 12x
    [[ $output == *'123_[1-4]'* ]]
}

@test 'of the runs of a job the newest counts, with -D all' {
    same '9000000|1|COMPLETED' "$(field energyraw,restarts,state 120 -X)"
    same $'6000000|0|NODE_FAIL\n9000000|1|COMPLETED' "$(field energyraw,restarts,state 120 -X -D)"
}

@test '-u, -A, -r, -q, -N and -M choose jobs' {
    same '101' "$(ids -X -S 2026-11-20 -u bob)"
    same '101' "$(ids -X -S 2026-11-20 --uid=1002)"
    same '101' "$(ids -X -S 2026-11-20 -a -A chemistry)"
    same '141' "$(ids -X -S 2026-11-20 -a -r gpu)"
    same '130+0 130+1' "$(ids -X -S 2026-11-20 -a -q high)"
    same '100 102 120 130+1' "$(ids -X -S 2026-11-20 -a -N n2)"
    same '101 120' "$(ids -X -S 2026-11-20 -a -N 'n[3-9]')"
    same '150' "$(ids -X -S 2026-11-20 -a -M beta)"
    same '' "$(ids -X -S 2026-11-20 -a -M gamma)"
    same '101' "$(ids -X -S 2026-11-20 -a -A chemistry,physics -u bob,nobody)"
}

@test 'without -M it is the cluster of carbon.conf, where the database has it' {
    same '101' "$(ids -X -S 2026-11-21 -a)" # 150 ran then too
    sed 's/alpha/gamma/' "$books/carbon.conf" > "$books/gamma.conf"
    same '101 150' "$(ids -X -S 2026-11-21 -a --config "$books/gamma.conf")"
}

@test '-S and -E are a window, from midnight on where no job is named' {
    same '102' "$(ids -X -a -S 2026-11-20T11:45 -E 2026-11-20T12:30 -u alice)"
    same '101 120' "$(ids -X -a -S 2026-11-20T10:10 -E 2026-11-20T10:20 -N n3 -D)"
    same '101' "$(ids -X -a -S 2026-11-20T10:30 -u bob)"
    same '100' "$(ids -X -j 100)"
    same '' "$(ids -X -j 100 -S 2026-11-20T12:00 2>/dev/null)"
    run -1 sacct-carbon -a -S 2026-11-20 -E 2026-11-19
    run -1 sacct-carbon -a -S someday
    [[ $output == *'--starttime'*'now-2days'* ]]
}

@test '-s takes names and abbreviations of states that can be told' {
    same '102 110_3' "$(ids -X -a -S 2026-11-20 -s FAILED)"
    same '101 102 110_3' "$(ids -X -a -S 2026-11-20 -s r,f)"
    same '120' "$(ids -X -a -D -S 2026-11-20 -s NF)"
    run -1 sacct-carbon -a -s BROKEN
    [[ $output == *'"BROKEN" is no state'* ]]
    for state in CANCELLED CA TIMEOUT TO PENDING OUT_OF_MEMORY; do
        run -1 sacct-carbon -a -S 2026-11-20 -s $state
        [[ $output == *'cannot be told'* ]]
    done
}

@test '-T counts times and energy inside of the window' {
    same '2026-11-20T10:00:00|2026-11-20T11:00:00|3600|2500000000' \
        "$(field start,end,elapsedraw,energyraw 100 -X -T -S 2026-11-20T10:00 -E 2026-11-20T11:00)"
    same '2026-11-20T11:00:00|2026-11-20T11:30:00|1800|1100000000' \
        "$(field start,end,elapsedraw,energyraw 100 -X -T -S 2026-11-20T11:00)"
    run -1 sacct-carbon -T -a -S 2026-11-20T10:30
    [[ $output == *'full hours'* ]]
}

@test 'who is not root sees his own jobs, unless he asks' {
    if [ "$(id -u)" -eq 0 ]; then
        as_bob() { setpriv --reuid 1002 --regid 1002 --clear-groups "$top_builddir/sacct-carbon" "$@"; }
        as_bob --version > /dev/null 2>&1 || skip 'the build tree is closed to others'
        same '101' "$(as_bob -S 2026-11-20 -X -P -n -o jobid)"
        same '100' "$(as_bob -X -P -n -o jobid -j 100)"
        same "$(ids -X -a -S 2026-11-20)" \
            "$(as_bob -a -S 2026-11-20 -X -P -n -o jobid | tr '\n' ' ' | sed 's/ $//')"
        same "$(ids -X -a -S 2026-11-20)" "$(ids -X -S 2026-11-20)"
    else
        [ -n "$(ids -X -a -S 2026-11-20)" ]
        [ "$(ids -X -a -S 2026-11-20)" != "$(ids -X -S 2026-11-20)" ]
    fi
}

@test 'of a step that runs beside other jobs, others than the books own user see no energy yet' {
    [ "$(id -u)" -eq 0 ] || skip 'needs root, to be another user'
    as_bob() { setpriv --reuid 1002 --regid 1002 --clear-groups "$top_builddir/sacct-carbon" "$@"; }
    as_bob --version > /dev/null 2>&1 || skip 'the build tree is closed to others'
    cp "$books/carbon.db" "$books/shared.db"
    sqlite3 "$books/shared.db" "INSERT INTO allocation (allocation_key, job_key, node_key, stream, ref,
        begin_ns, seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb, flags) VALUES
        (9999, 1, 3, 'f', 1, 1, 1, 1, 1, '0', 0, '', 1, 0)"
    chmod a+r "$books/shared.db"
    sed 's/carbon\.db/shared.db/' "$books/carbon.conf" > "$books/shared.conf"
    local columns=(-P -n -o jobid,energyraw -j 101)
    export SLURM_CARBON_CONF=$books/shared.conf
    same $'101|72000000\n101.0|unknown' "$(as_bob "${columns[@]}")"
    [[ $(as_bob 101) =~ 0\ +19\ min\ 59\ s\ +unknown ]]
    same $'101|72000000\n101.0|72000000' "$(sacct-carbon "${columns[@]}")"
    SLURM_CARBON_CONF=$books/carbon.conf # alone on its node
    same $'101|72000000\n101.0|72000000' "$(as_bob "${columns[@]}")"
}

# --- times ----------------------------------------------------------------------------------------

@test 'SLURM_TIME_FORMAT and TZ say how times are written' {
    same '2026-11-20T10:00:00' "$(field start 100 -X)"
    same 1795168800 "$(SLURM_TIME_FORMAT=%s field start 100 -X)"
    same '2026-11-20T15:30:00' "$(TZ=XXX-5:30 field start 100 -X)"
    same 'Unknown|Unknown' "$(field end,endraw 101 -X)"
}

# --- exit and manners -----------------------------------------------------------------------------

@test 'exit 2 only when every named job is unknown' {
    run -2 sacct-carbon 999
    run -2 sacct-carbon 999 998.0
    run -2 sacct-carbon 100.7
    run -0 sacct-carbon 100 999
    [[ $output == *'job 999 is unknown'* ]]
    run -0 sacct-carbon -a -S 2027-01-01
}

@test '--strict exits with 3 for incomplete data' {
    run -0 sacct-carbon --strict 100
    run -3 sacct-carbon --strict 102
    run -3 sacct-carbon --strict 140
    run -3 sacct-carbon --strict 142
    run -3 sacct-carbon --strict -D 120
    run -3 sacct-carbon --strict --json 140
    run -0 sacct-carbon 140
    same 'no' "$(field complete 140 -X)"
    same 'yes' "$(field complete 100 -X)"
}

@test 'mistakes on the command line exit with 1 and say what to write' {
    for wrong in --foo -Z '-j' '-o nope' '-p -P' '--json -P' '--json -o jobid' '-N n[' '-u a,,b'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr sacct-carbon $wrong
        [[ -z $output && $stderr == 'sacct-carbon: error: '* ]]
    done
}

@test 'a database that is not there is an error that says what to do' {
    sed 's/carbon\.db/nowhere.db/' "$books/carbon.conf" > "$books/nowhere.conf"
    run -1 sacct-carbon --config "$books/nowhere.conf" 100
    [[ $output == *nowhere.db*carbonctl* ]]
    run -1 sacct-carbon --config /nonexistent/carbon.conf 100
    [[ $output == */nonexistent/carbon.conf* ]]
}

@test 'every option of --help is taken' {
    sacct-carbon --help > "$books/help"
    [ "$(grep -oE '^ .{5}--[a-z0-9]+' "$books/help" | wc -l)" -ge 30 ]
    while read -r option argument; do
        # a long option alone: unknown ones say "not known", those that want an argument say so
        run sacct-carbon "--$option" ${argument:+--}
        [[ $output != *'not known'* ]]
    done < <(sed -nE 's/^ .{5}--([a-z0-9]+)(=([A-Z]+))?.*/\1 \3/p' "$books/help")
}

@test '--helpformat lists the fields, and says what State means' {
    same "$(sacct-carbon -e)" "$(sacct-carbon --helpformat)"
    sacct-carbon -e | grep -A2 '^State ' | grep -q 'cancelled'
    sacct-carbon -a -P -o ALL -S 2026-11-20 | head -1 | tr '|' '\n' |
        diff - <(sacct-carbon -e | sed -nE 's/^([A-Za-z0-9]+) .*/\1/p')
}

@test '--version and --usage' {
    sacct-carbon -V | grep -q '^sacct-carbon (slurm-carbon) [0-9]'
    sacct-carbon --usage | grep -q '^Usage: sacct-carbon \[-j LIST\]'
}

@test '-v says on standard error what is read' {
    run -0 --separate-stderr sacct-carbon -v 100
    [[ $stderr == *"database: $books/carbon.db"* ]]
    same "$(sacct-carbon 100)" "$output"
}

@test 'colours are for terminals, and NO_COLOR takes them away' {
    run ! grep -q $'\033' <(sacct-carbon 100)
    tty() { TERM=xterm script -qec "$top_builddir/sacct-carbon 100" /dev/null; }
    tty | grep -q $'\033\[1m'
    run ! grep -q $'\033' <(NO_COLOR=1 tty)
}

@test 'a reader that goes away is no error worth a word, a full disk is' {
    all_away() { trap '' PIPE; all -D; }
    same '' "$( { all_away 2>&1 >&3 | cat; } 3> >(:) )"
    run -1 bash -c "'$top_builddir/sacct-carbon' 100 2>&1 > /dev/full"
    [[ $output == *'writing the report'* ]]
}

@test 'the same database gives the same bytes' {
    same "$(all --json | sha256sum)" "$(all --json | sha256sum)"
}
