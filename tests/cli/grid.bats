#!/usr/bin/env bats
# carbonctl grid: what is imported, what is refused and leaves nothing behind, what old sets still say

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    dir=$BATS_TEST_TMPDIR
    conf=$dir/carbon.conf
    printf '%s\n' ClusterName=c Zone=FR "Database=sqlite:$dir/carbon.db" \
        "Inventory=$dir/inventory.conf" >"$conf"
    export SLURM_CARBON_CONF=$conf
    unset SLURM_CONF
    cd "$dir" || return
    "$carbonctl" init >/dev/null
    first=$(sets)
    own=(--zone FR --basis lifecycle --scope generation --source "a site")
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

says_line() { # TEXT: a line of the output, whole
    grep -qxF -- "$1" <<<"$output" || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

sets() { # number of the newest
    "$carbonctl" grid list --json | sed -n 's/.*"factor_set": \([0-9]*\),.*/\1/p'
}

own_file() { # FILE GRAMS...: an hour each, from 2026-10-25T00:00Z on
    local file=$1 hour=0 grams
    shift
    echo "start_utc,end_utc,gco2e_per_kwh" >"$file"
    for grams; do
        printf '2026-10-25T%02d:00Z,2026-10-25T%02d:00Z,%s\n' $hour $((hour + 1)) "$grams" >>"$file"
        hour=$((hour + 1))
    done
}

maps_file() { # FILE ZONE: three hours of Electricity Maps
    local hour
    echo "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon \
intensity gCO₂eq/kWh (Life cycle),Data source,Data estimated,Data estimation method" >"$1"
    for hour in 00 01 02; do
        echo "2026-10-25 $hour:00:00,Land,Land,$2,1$hour,2$hour,x.org,true,A_METHOD" >>"$1"
    done
}

# All of what is stored; the same before and after what was refused.
rows() {
    "$carbonctl" grid list --json
    "$carbonctl" grid show FR --json || true
    "$carbonctl" grid show FR --basis direct --json || true
}

refuses() { # TEXT ARGUMENT...: an import that fails so, and leaves all as it was
    local text=$1 before
    shift
    before=$(rows)
    run "$carbonctl" grid import "$@"
    [ "$status" -eq 1 ]
    says_line "carbonctl: $text"
    [ "$(rows)" = "$before" ]
}

# --- what is imported ----------------------------------------------------------------------------

@test "an import is one new factor set, and is told in full" {
    own_file fr.csv 40 44.18 60
    run "$carbonctl" grid import fr.csv "${own[@]}"
    [ "$status" -eq 0 ]
    says_line "Read fr.csv as csv"
    grep -qE '^FR +lifecycle generation 2026-10-25T00:00:00Z 2026-10-25T03:00:00Z +3 +0 +0 h +40\.0 +48\.1 +60\.0$' <<<"$output"
    says_line "FR lifecycle, generation: used in reports"
    says_line "  source: a site"
    says_line "Factor set $((first + 1)) is in force: 3 intervals new, 0 there already, 0 replaced."
    [ "$(sets)" = $((first + 1)) ]
}

@test "the same import again changes nothing" {
    own_file fr.csv 40 50
    "$carbonctl" grid import fr.csv "${own[@]}"
    run "$carbonctl" grid import fr.csv "${own[@]}"
    [ "$status" -eq 0 ]
    says_line "Nothing new: factor set $((first + 1)) has all of it already."
    [ "$(sets)" = $((first + 1)) ]
}

@test "both columns of Electricity Maps become series, and only that of GridBasis is used" {
    maps_file fr.csv FR
    run "$carbonctl" grid import fr.csv
    [ "$status" -eq 0 ]
    says_line "Read fr.csv as electricitymaps"
    says_line "FR lifecycle, consumption: used in reports"
    says_line "FR direct, consumption: not used in reports while GridBasis=lifecycle"
    says_line "  source: Electricity Maps, data portal, ODbL"
    run "$carbonctl" grid show --basis direct -P
    says_line "2026-10-25T01:00:00Z|2026-10-25T02:00:00Z|101|estimated"
}

@test "figures of generation are not used beside those of consumption" {
    own_file fr.csv 40 50
    maps_file maps.csv FR
    "$carbonctl" grid import maps.csv
    run "$carbonctl" grid import fr.csv "${own[@]}"
    [ "$status" -eq 0 ]
    says_line "FR lifecycle, generation: not used in reports while there are figures of consumption"
    run "$carbonctl" grid list -P
    grep -qE '^FR\|lifecycle\|generation\|.*\|no: there are figures of consumption\|a site$' <<<"$output"
    grep -qE '^FR\|lifecycle\|consumption\|.*\|yes\|' <<<"$output"
}

@test "another zone than that of carbon.conf is kept, and said not to be used" {
    maps_file de.csv DE
    run "$carbonctl" grid import de.csv --zone de --basis lifecycle
    [ "$status" -eq 0 ]
    says_line "DE lifecycle, consumption: not used in reports while Zone=FR"
    run "$carbonctl" grid list
    says_line "No series of FR, lifecycle: reports use its annual value, 44.2 g/kWh (2024, lifecycle)."
}

@test "a part of a zone stands for it when that is asked for" {
    maps_file us.csv US-CAR-CPLE
    refuses 'zone "US-CAR-CPLE" has no annual value for the hours that are missing: --zone US takes its figures for all of US, and says so in their source' us.csv
    run "$carbonctl" grid import us.csv --zone US --source "Maps, ODbL"
    [ "$status" -eq 0 ]
    says_line "  source: Maps, ODbL (zone US-CAR-CPLE)"
}

@test "several files are one import" {
    own_file a.csv 40 50
    { echo "start_utc,end_utc,gco2e_per_kwh"; echo 2026-10-25T02:00Z,2026-10-25T03:00Z,60; } >b.csv
    run "$carbonctl" grid import b.csv a.csv "${own[@]}"
    [ "$status" -eq 0 ]
    says_line "Read 2 files as csv"
    [ "$(sets)" = $((first + 1)) ]
    [ "$("$carbonctl" grid show -P | wc -l)" = 4 ]
}

@test "a dry run tells all and writes nothing" {
    own_file fr.csv 40 50
    before=$(rows)
    run "$carbonctl" grid import fr.csv "${own[@]}" --dry-run
    [ "$status" -eq 0 ]
    says_line "Nothing was written (--dry-run). It would be factor set $((first + 1)): 2 intervals new, 0 there already, 0 replaced."
    [ "$(rows)" = "$before" ]
}

@test "other figures for the same hours need --replace, and the old set keeps the old ones" {
    own_file fr.csv 40 50
    "$carbonctl" grid import fr.csv "${own[@]}"
    own_file fr.csv 40 55
    refuses "zone FR, lifecycle, generation: 2026-10-25T01:00:00Z to 2026-10-25T02:00:00Z is in the database already, with other figures (50 g/kWh there, 55 g/kWh here); --replace takes the new ones from now on" fr.csv "${own[@]}"
    run "$carbonctl" grid import fr.csv "${own[@]}" --replace
    [ "$status" -eq 0 ]
    says_line "Factor set $((first + 2)) is in force: 1 interval new, 1 there already, 1 replaced."
    run "$carbonctl" grid show --set $((first + 1)) -P
    says_line "2026-10-25T01:00:00Z|2026-10-25T02:00:00Z|50|"
    run "$carbonctl" grid show -P
    says_line "2026-10-25T01:00:00Z|2026-10-25T02:00:00Z|55|"
}

@test "a gap that is allowed is counted, listed and shown" {
    { echo "start_utc,end_utc,gco2e_per_kwh"
      echo 2026-10-25T00:00Z,2026-10-25T01:00Z,40
      echo 2026-10-25T03:30Z,2026-10-25T04:00Z,50; } >fr.csv
    refuses "fr.csv:3: a gap of 2 h 30 min before this: no lifecycle value of FR from 2026-10-25T01:00:00Z to 2026-10-25T03:30:00Z: get what is missing, or give --allow-gaps: the gap then takes the annual value, and is flagged" fr.csv "${own[@]}"
    run "$carbonctl" grid import --allow-gaps fr.csv "${own[@]}"
    [ "$status" -eq 0 ]
    says "2 h 30 min"
    says_line "  the hours that are missing take the annual value of FR, and are flagged"
    run "$carbonctl" grid list -P
    says "|2|0|9000|44.18|2024|lifecycle|yes|a site"
    run "$carbonctl" grid show -P
    says_line "2026-10-25T01:00:00Z|2026-10-25T03:30:00Z||missing"
    run "$carbonctl" grid show
    grep -qE '^2026-10-25T01:00:00Z 2026-10-25T03:30:00Z +- missing *$' <<<"$output"
}

# --- what is refused -----------------------------------------------------------------------------

@test "a wrong file leaves nothing behind, wherever in it the mistake is" {
    own_file good.csv 40 50
    "$carbonctl" grid import good.csv "${own[@]}"
    own_file a.csv 41 -3
    refuses 'a.csv:3: gco2e_per_kwh: "-3": an average intensity lies between 0 and 2000 g/kWh: correct or remove it' a.csv "${own[@]}" --replace
    own_file a.csv 41 2001
    refuses 'a.csv:3: gco2e_per_kwh: "2001": an average intensity lies between 0 and 2000 g/kWh: correct or remove it' a.csv "${own[@]}" --replace
    own_file a.csv 41 42
    echo 2026-10-25T01:00Z,2026-10-25T02:00Z,43 >>a.csv
    refuses 'a.csv:4: a second lifecycle value of FR for 2026-10-25T01:00:00Z, after a.csv:3: remove one' a.csv "${own[@]}" --replace
    own_file a.csv 41 42
    echo 2026-10-25T01:30Z,2026-10-25T02:30Z,43 >>a.csv
    refuses 'a.csv:4: begins at 2026-10-25T01:30:00Z and overlaps a.csv:3, which lasts until 2026-10-25T02:00:00Z: correct or remove one' a.csv "${own[@]}" --replace
    own_file a.csv 41
    echo 2026-10-25T01:00,2026-10-25T02:00,43 >>a.csv
    refuses 'a.csv:3: start_utc: "2026-10-25T01:00": a time without an offset may be local: write 2026-10-25T01:00Z, or 2026-10-25T02:00+01:00' a.csv "${own[@]}" --replace
    own_file a.csv 41
    printf '2026-10-25T01:00Z,2026-' >>a.csv
    refuses 'a.csv:3: 2 fields where the header has 3: the file is cut off or damaged; fetch it again' a.csv "${own[@]}" --replace
    printf '{"data":[{"from":"2026-10-25T00:00Z",' >gb.json
    refuses 'gb.json:1: the JSON breaks off or is wrong at column 37: the file is cut off or damaged; fetch it again' gb.json
    : >empty.csv
    refuses 'empty.csv is empty: fetch it again' empty.csv
    refuses 'cannot read absent.csv: No such file or directory' absent.csv
}

@test "the last of several files being wrong refuses them all" {
    own_file a.csv 40 50
    own_file b.csv 40 -1
    refuses 'b.csv:3: gco2e_per_kwh: "-1": an average intensity lies between 0 and 2000 g/kWh: correct or remove it' a.csv b.csv "${own[@]}"
}

@test "the second series being wrong leaves nothing of the first" {
    maps_file fr.csv FR
    "$carbonctl" grid import fr.csv --basis direct
    sed -i 's/,100,/,77,/' fr.csv
    refuses "zone FR, direct, consumption: 2026-10-25T00:00:00Z to 2026-10-25T01:00:00Z is in the database already, with other figures (100 g/kWh there, 77 g/kWh here); --replace takes the new ones from now on" fr.csv
}

@test "a zone that was not asked for, or is in no table, is refused" {
    maps_file fr.csv FR
    refuses 'fr.csv:2: zone: "FR": --zone asks for DE: take a file of that zone, or leave --zone out' fr.csv --zone DE
    own_file a.csv 40
    run "$carbonctl" grid import a.csv --zone NOWHERE --basis direct --scope generation --source x
    [ "$status" -eq 1 ]
    says 'carbonctl: no zone "NOWHERE" in grid_intensity.csv; nearest: '
    [ "$(sets)" = "$first" ]
}

@test "marginal intensities are refused with the reason" {
    local reason="marginal intensities are refused: they say what one more kWh would emit, not what those used did (GHG Protocol Scope 2 asks for averages)"
    own_file a.csv 40
    refuses "grid import: --kind marginal: $reason" --kind marginal a.csv "${own[@]}"
    sed -i '1s/$/,marginal/; 2s/$/,1/' a.csv
    refuses "a.csv:1: \"marginal\": $reason; import a file of averages" a.csv "${own[@]}"
    own_file a.csv 40
    run "$carbonctl" grid import --kind average a.csv "${own[@]}"
    [ "$status" -eq 0 ]
}

@test "a mistake on the command line is named, with the way on" {
    local row
    for row in \
        "|grid: say what to do; carbonctl grid --help lists it" \
        "frob|grid: 'frob' is not known; carbonctl grid --help lists what is" \
        "import|grid import: name the files to import; see carbonctl grid import --help" \
        "import x --frob|grid import: option --frob is not known; see carbonctl grid import --help" \
        "import x --zone|grid import: --zone needs an argument; see carbonctl grid import --help" \
        "import x --basis y|grid import: --basis y: give lifecycle or direct" \
        "import x --scope y|grid import: --scope y: give consumption or generation" \
        "import x --kind y|grid import: --kind y: only average is taken" \
        "import x --format y|grid import: --format y is not known: give csv, electricitymaps, uk, eco2mix, or any to tell it from the content" \
        "list x|grid list: nothing is known to do with 'x'; see carbonctl grid list --help" \
        "list --set x|grid list: --set x is no number of a factor set; carbonctl factors list tells them" \
        "show -S x|grid show: time \"x\" is not understood: write 2026-11-23T04:06, 11/23, 04:06, today, noon, now-2days …" \
        "show -S 2026-10-02 -E 2026-10-01|grid show: -E is not after -S" \
        "show FR DE|grid show: nothing is known to do with 'DE'; see carbonctl grid show --help"; do
        # shellcheck disable=SC2086
        run "$carbonctl" grid ${row%%|*}
        [ "$status" -eq 1 ]
        says_line "carbonctl: ${row#*|}"
    done
}

# --- what is shown -------------------------------------------------------------------------------

@test "without any series, list says what reports use" {
    run "$carbonctl" grid list
    [ "$status" -eq 0 ]
    says_line "No series of FR, lifecycle: reports use its annual value, 44.2 g/kWh (2024, lifecycle)."
    sed -i '/^Zone=/d' "$conf"
    run "$carbonctl" grid list
    says_line "Zone is not set in carbon.conf: reports have no grams."
}

@test "show takes times as UTC, wherever it runs" {
    own_file fr.csv 40 44.18 60
    "$carbonctl" grid import fr.csv "${own[@]}"
    TZ=Asia/Tokyo run "$carbonctl" grid show -P -S 2026-10-25T01:00 -E 2026-10-25T02:00
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    says_line "2026-10-25T01:00:00Z|2026-10-25T02:00:00Z|44.18|"
}

@test "show says when there is nothing to show" {
    run "$carbonctl" grid show
    [ "$status" -eq 1 ]
    says_line "carbonctl: factor set $first has no lifecycle intensities of FR; carbonctl grid list tells what there is"
}

@test "list and show as JSON hold what was imported" {
    command -v jq >/dev/null || skip "no jq command"
    own_file fr.csv 40 44.18
    "$carbonctl" grid import fr.csv "${own[@]}"
    [ "$("$carbonctl" grid list --json | jq -c '.series[0]|[.zone,.source,.from,.intervals,.missing_s,.annual.g_per_kwh,.used]')" = \
        '["FR","a site","2026-10-25T00:00:00Z",2,0,44.18,true]' ]
    [ "$("$carbonctl" grid show --json | jq -c '.intervals[1]|[.from,.to,.g_per_kwh,.estimated]')" = \
        '["2026-10-25T01:00:00Z","2026-10-25T02:00:00Z",44.18,false]' ]
}

@test "a source that means harm is shown as text" {
    own_file fr.csv 40
    "$carbonctl" grid import fr.csv --zone FR --basis lifecycle --scope generation --source 'a|b‮c'
    run "$carbonctl" grid list -P
    grep -qF '|a\x7cb\u202ec' <<<"$output"
}
