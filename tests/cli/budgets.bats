# Budgets of accounts: sreport-carbon and sacct-carbon -A, on the books of sreport_fixture.sh with
# jobs of an account "ocean", below climate, in September and over its end.

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export CARBON_DATA=$top_srcdir/accounting/carbon
    export TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SLURM_CONF SLURM_CARBON_CONF SACCT_CARBON_FORMAT SLURM_TIME_FORMAT
    books=$(mktemp -d)
    export books
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_books "$books"
    budgets >> "$books/inventory.conf"
    sreport_factors "$books"
}

teardown_file() {
    rm -rf "$books"
}

setup() {
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    export SLURM_CARBON_CONF=$books/carbon.conf
}

budgets() {
    cat <<'END'
account "ocean" { parent = "climate" }
budget "science" { period = year kgco2e = 120 to = "2027-01-01" }
budget "science from 2027 on" { account = "science" period = year kgco2e = 90 from = "2027-01-01" }
budget "climate" { period = month kgco2e = 50 }
budget "climate, energy" { account = "climate" period = year kwh = 1000 }
budget "ocean" { period = month kwh = 5 }
budget "chemistry" { period = year kgco2e = 10 }
END
}

# A copy of the books, to be changed: its directory in $dir
copy() {
    dir=$BATS_TEST_TMPDIR/books
    cp -r "$books" "$dir"
    sed -i "s|$books|$dir|" "$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
}

# The same with 20 cores of c1 from 21 September on and over the end of the month, for ocean.
copy_with_september() {
    copy
    { snode_hours 3 $((oct - 10 * 86400)) 240
      sjob 6 3 $((oct - 10 * 86400)) $((100 * 3600)) 20 0 erin "'ocean'" 0 0 tide
      sjob 7 3 $((oct - 36000)) 72000 20 0 erin "'ocean'" 0 0 ebb; } | sreport_sql "$dir"
}

sreport-carbon() {
    "$top_builddir/sreport-carbon" "$@"
}

sacct-carbon() {
    "$top_builddir/sacct-carbon" -a "$@"
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

# budget MONTH ACCOUNT PERIOD FILTER: of one budget in the month's report, which must fit its schema
budget() {
    sreport-carbon --month "$1" --json > "$BATS_TEST_TMPDIR/$1.json"
    python3 -W ignore - "$top_srcdir/docs/formats/sreport-carbon.schema.json" \
        "$BATS_TEST_TMPDIR/$1.json" <<'END'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator(schema).validate(json.load(open(sys.argv[2])))
END
    jq -r --arg account "$2" --arg period "$3" \
        ".budgets[] | select(.account == \$account and .period == \$period) | $4" \
        "$BATS_TEST_TMPDIR/$1.json"
}

# near A B TOLERANCE
near() {
    [ $(($1 - $2)) -le "$3" ] && [ $(($2 - $1)) -le "$3" ] ||
        { echo "$1 and $2 differ by more than $3"; return 1; }
}

# tree MONTH ACCOUNT KEY: what the report of a month says of an account with all below it
tree() {
    sreport-carbon --month "$1" --json |
        jq --arg account "$2" "[.accounts[] | select(.name == \$account) | .tree$3] | add // 0"
}

# --- figures --------------------------------------------------------------------------------------

@test "what docs/method.md calculates by hand comes out to the milligram" {
    same '36581040 30175130 66756170 -16756170 2484000000000' "$(budget 2026-10 climate 2026-10 \
        '"\(.used.operational_mg) \(.used.embodied_mg) \(.used.total_mg) \(.left_mg) \(.used.energy_mj)"')"
    same '3600000000000 1116000000000 null' "$(budget 2026-10 climate 2026 \
        '"\(.budget_mj) \(.left_mj) \(.left_mg)"')"
}

@test "a year's budget is used by the sum of its months, and those by the account and all below" {
    local account month mj mg
    copy_with_september
    for account in science climate; do
        mj=0 mg=0
        for month in 2026-08 2026-09 2026-10; do
            mj=$((mj + $(tree $month $account .energy.total_mj)))
            mg=$((mg + $(tree $month $account .co2e.total_mg)))
        done
        [ "$mj" -gt "$(tree 2026-10 $account .energy.total_mj)" ] # September counts
        case $account in
            science) near $mg "$(budget 2026-10 science 2026 .used.total_mg)" 8 ;;
            climate) same $mj "$(budget 2026-10 climate 2026 .used.energy_mj)" ;;
        esac
    done
    same $mj "$(tree 2026-09 climate .energy.total_mj | awk -v o="$(budget 2026-10 climate 2026-10 \
        .used.energy_mj)" '{ print $1 + o }')"
}

@test "each month counts its own part of a job that lived over its end" {
    copy_with_september
    for month in 2026-09 2026-10; do
        same "$(tree $month ocean .energy.total_mj)" \
            "$(budget $month ocean $month .used.energy_mj)"
        near "$(tree $month ocean .co2e.total_mg)" "$(budget $month ocean $month .used.total_mg)" 2
    done
    same 43200000000 "$(budget 2026-10 ocean 2026-10 .used.energy_mj)" # 10 h of 1200 W
}

@test "shares of what is used, and idle energy that is spread, are counted as the report does" {
    copy_with_september
    sed -i '1i EmbodiedMode=share\nIdlePolicy=spread' "$dir/carbon.conf"
    sreport_factors "$dir"
    for month in 2026-09 2026-10; do
        near "$(tree $month climate .co2e.total_mg)" \
            "$(budget $month climate $month .used.total_mg)" 6
        near "$(tree $month climate .co2e.operational_mg)" \
            "$(budget $month climate $month .used.operational_mg)" 6
    done
    # it is more than in capacity mode, and more than without what is spread
    [ "$(budget 2026-10 climate 2026-10 .used.total_mg)" -gt 80000000 ]
}

@test "sacct-carbon says what the report says" {
    copy_with_september
    sreport-carbon --month 2026-10 --json |
        jq -S '[.budgets[] | select(.account != "chemistry")]' > "$BATS_TEST_TMPDIR/report"
    sacct-carbon -A ocean -S 2026-10-01 -E 2026-11-01 --json |
        jq -S .budgets | diff "$BATS_TEST_TMPDIR/report" -
    # of the time asked for, and of all that delivered in it: the 20th from noon on is not in it
    same '2026-10-20T12:00:00Z' "$(sacct-carbon -A ocean -S 2026-10-20 -E 2026-10-20T11:30 --json |
        jq -r '.budgets[0].used_to_utc')"
}

@test "a job that runs counts as far as it was delivered" {
    local before after
    copy_with_september
    before=$(budget 2026-10 climate 2026-10 '[.used.energy_mj, .used.total_mg] | @csv')
    sqlite3 "$dir/carbon.db" 'UPDATE job SET end_s = NULL WHERE job_key = 1;
        UPDATE allocation SET end_ns = NULL WHERE job_key = 1'
    after=$(budget 2026-10 climate 2026-10 '[.used.energy_mj, .used.total_mg] | @csv')
    same "$before" "$after"
}

# --- what a reader must know ----------------------------------------------------------------------

@test "the table of the report, as it is read" {
    copy_with_september
    sreport-carbon --month 2026-10 --section budget | sed -n '/^Budgets/,$p' |
        diff -u "$top_srcdir/tests/golden/sreport-carbon-budget.txt" -
}

@test "the table under the jobs of an account, as it is read" {
    copy_with_september
    sacct-carbon -A ocean -S 2026-10-01 -E 2026-11-01 -X |
        diff -u "$top_srcdir/tests/golden/sacct-carbon-budgets.txt" -
}

@test "an account without jobs has used nothing, and one that nothing knows is told apart" {
    copy
    echo 'budget "physics" { period = month kgco2e = 1 }' >> "$dir/inventory.conf"
    sreport_factors "$dir"
    same '0 10000000 false' "$(budget 2026-10 chemistry 2026 \
        '"\(.used.total_mg) \(.left_mg) \(.account_is_known)"')"
    same '0 true' "$(budget 2026-09 physics 2026-09 '"\(.used.total_mg) \(.account_is_known)"')"
    same '0 true' "$(budget 2026-10 ocean 2026-10 '"\(.used.total_mg) \(.account_is_known)"')"
    run -0 sreport-carbon --month 2026-10 --section budget
    says 'chemistry: no job, and no account of inventory.conf, has this name'
    [[ $output != *'ocean: no job'* ]]
    # in the books alone, which is enough
    echo 'budget "=cmd" { period = month kgco2e = 1 }' >> "$dir/inventory.conf"
    sreport_factors "$dir"
    same true "$(budget 2026-10 '=cmd' 2026-10 .account_is_known)"
}

@test "a budget is of its own time" {
    copy_with_september
    same '120000000 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z' "$(budget 2026-10 science 2026 \
        '"\(.budget_mg) \(.from_utc) \(.end_utc)"')"
    { sjob 8 3 $((oct + 120 * 86400)) 36000 20 0 erin "'ocean'" 0 0 wave
      snode_hours 3 $((oct + 120 * 86400)) 10; } | sreport_sql "$dir"
    same '90000000 2027-01-01T00:00:00Z 43200000000' "$(budget 2027-01 science 2027 \
        '"\(.budget_mg) \(.from_utc) \(.used.energy_mj)"')"
    same '' "$(budget 2027-01 science 2026 .account)"
}

@test "what was not covered, was modelled, or is not known of manufacture, is said" {
    copy
    sqlite3 "$dir/carbon.db" "UPDATE energy SET metered_ms = metered_ms / 2, quality = 'modelled',
        sensor = 'model' WHERE job_key = 4" # K1
    echo 'SELECT 1;' | sreport_sql "$dir" > "$BATS_TEST_TMPDIR/void"
    run -0 sreport-carbon --month 2026-10 --section budget
    says 'what was drawn in time that is not covered is unknown, and in no figure: more was used'
    same '1620000000000 864000000000 true' "$(budget 2026-10 climate 2026-10 \
        '.quality | "\(.measured_mj) \(.modelled_mj) \(.metered_domain_ms < .elapsed_domain_ms)"')"
    sed -i 's/nodes = "c1"/nodes = "c9"/' "$dir/inventory.conf"
    sreport_factors "$dir"
    run -0 sreport-carbon --month 2026-10 --section budget
    says '>: a part of manufacture is not known (nodes of no node type): more was used'
    [[ $output =~ science\ +2026\ +120\ kg\ +\>[0-9]+\ kg\ +\>[0-9.]+\ +at\ most\ [0-9]+\ kg ]]
    same true "$(budget 2026-10 climate 2026-10 .used.missing_embodied)"
}

@test "without a zone emissions are unknown, and energy is not" {
    copy
    sed -i /^Zone/d "$dir/carbon.conf"
    sreport_factors "$dir"
    run -0 sreport-carbon --month 2026-10 --section budget
    says 'climate: emissions unknown: no zone is set'
    same 'null null no zone is set' "$(budget 2026-10 climate 2026-10 \
        '"\(.left_mg) \(.used.total_mg) \(.why_unknown)"')"
    same 1116000000000 "$(budget 2026-10 climate 2026 .left_mj)"
}

@test "what the books had in an earlier month and the inventory has not is unknown, and says why" {
    copy_with_september
    sed -i 's/in_service = "2021-10-20"/in_service = "2026-10-01"/' "$dir/inventory.conf"
    sreport_factors "$dir"
    run -0 sreport-carbon --month 2026-10 --section budget
    says 'science: emissions unknown: '
    says 'science: emissions unknown: jobs of account ocean held 2200.0 core-hours of node_type "cpu"'
    says 'in the month of 2026-09, and its nodes had 0.0 in service: correct its nodes, cores'
    same null "$(budget 2026-10 science 2026 .left_mg)"
    [ "$(budget 2026-10 climate 2026-10 .used.total_mg)" -gt 0 ] # October is not touched by it
}

# --- where they are shown -------------------------------------------------------------------------

@test "reports without budgets have no table of them, and say where they are written" {
    copy
    sed -i /^budget/d "$dir/inventory.conf"
    sreport_factors "$dir"
    run -0 sreport-carbon --month 2026-10
    [[ $output != *Budgets* ]]
    sreport-carbon --month 2026-10 --html "$dir/page.html" > "$dir/text"
    ! grep -q Budgets "$dir/page.html"
    run -0 sreport-carbon --month 2026-10 --section budget
    says 'none: inventory.conf, budget "..." { ... }'
    same '[]' "$(sreport-carbon --month 2026-10 --json | jq -c .budgets)"
    run -0 sacct-carbon -A climate -S 2026-10-01 -E 2026-11-01
    [[ $output != *Budgets* ]]
}

@test "sacct-carbon shows budgets where a reader looks at accounts, and no program stumbles" {
    local option
    for option in -n -P -p '-o JobID' '--gco2 20' '--grid DE'; do
        # shellcheck disable=SC2086 # options are words
        run -0 --separate-stderr sacct-carbon -A climate -S 2026-10-01 -E 2026-11-01 $option
        [[ $output != *Budgets* && $output != *budget* ]]
    done
    run -0 sacct-carbon -A chemistry -S 2026-10-01 -E 2026-11-01 # without jobs
    same Budgets "${lines[0]}"
    same 'chemistry 2026 10.0 kg 0 kg 0 10.0 kg - -' "$(tr -s " " <<<"${lines[2]}" | sed "s|^ ||")"
    run -0 sacct-carbon -S 2026-10-01 -E 2026-11-01
    [[ $output != *Budgets* ]]
    same false "$(sacct-carbon -S 2026-10-01 -E 2026-11-01 --json | jq 'has("budgets")')"
    # physics has none: that of science, above it, is what its jobs count in
    same science "$(sacct-carbon -A physics -S 2026-10-01 -E 2026-11-01 --json |
        jq -r '[.budgets[].account] | join(" ")')"
    run -0 sacct-carbon -A climate -S 2026-10-01 -E 2026-11-01 -M all
    says 'Budgets are of one cluster: name it with -M to see them.'
    same null "$(sacct-carbon -A climate -S 2026-10-01 -E 2026-11-01 -M all --json | jq .budgets)"
}

@test "CSV and fields have a line for each budget, and are as long as their header" {
    sreport-carbon --month 2026-10 --csv "$BATS_TEST_TMPDIR/csv" > "$BATS_TEST_TMPDIR/text"
    python3 - "$BATS_TEST_TMPDIR/csv/budget.csv" <<'END'
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert len(rows) == 6 and {len(row) for row in rows} == {22}, rows
lines = [dict(zip(rows[0], row)) for row in rows[1:]]
assert [line["account"] for line in lines] == ["chemistry", "climate", "climate", "ocean",
                                               "science"], lines
assert lines[2]["left_mg"] == "-16756170" and lines[2]["left_mj"] == "", lines[2]
assert lines[1]["left_mj"] == "1116000000000" and lines[1]["budget_mg"] == "", lines[1]
END
}

@test "the page has a table of budgets" {
    sreport-carbon --month 2026-10 --html "$BATS_TEST_TMPDIR/page.html" > "$BATS_TEST_TMPDIR/text"
    python3 - "$BATS_TEST_TMPDIR/page.html" <<'END'
import re, sys, xml.etree.ElementTree as tree
page = open(sys.argv[1], encoding="utf-8").read()
root = tree.fromstring(page.replace("<!DOCTYPE html>", ""))
table = [t for t in root.iter("table") if t.get("id") == "budget-list"][0]
rows = [["".join(cell.itertext()).strip() for cell in row] for row in table.iter("tr")]
assert rows[3][:5] == ["climate 2026-10", "50.0 kg", "66.8 kg", "133.5 %", "over by 16.8 kg"], rows
assert 'href="#budgets"' in page and "chemistry</bdi>: no job" in page
END
}

@test "the script of docs/inventory.md holds back accounts that are over, and sets others free" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    sed -n '/^#!\/bin\/sh/,/^```$/{/^```$/!p}' "$top_srcdir/docs/inventory.md" > "$bin/charge"
    grep -q 'sacctmgr -i modify' "$bin/charge"
    # shellcheck disable=SC2016 # for the scripts
    printf '#!/bin/sh\necho "$@" >> %q\n' "$bin/said" > "$bin/sacctmgr"
    printf '#!/bin/sh\necho 2026-10\n' > "$bin/date"
    chmod +x "$bin"/*
    PATH=$bin:$top_builddir:$PATH "$bin/charge"
    same '-i modify account where name=chemistry set GrpSubmitJobs=-1
-i modify account where name=climate set GrpSubmitJobs=0
-i modify account where name=ocean set GrpSubmitJobs=-1
-i modify account where name=science set GrpSubmitJobs=-1' "$(cat "$bin/said")"
}
