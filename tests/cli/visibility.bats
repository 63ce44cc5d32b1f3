#!/usr/bin/env bats
# Who sees what: sacct-carbon and sreport-carbon with a viewer, as carbond runs them. All that is not
# the viewer's to see has "zzhidden" or "77001" in its name or number, and neither may come out.
# shellcheck disable=SC2030,SC2031,SC2154,SC2164

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=$(realpath "${top_srcdir:-$PWD}")
    top_builddir=$(realpath "${top_builddir:-$PWD/build}")
    export top_srcdir top_builddir CARBON_DATA=$top_srcdir/accounting/carbon TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR SLURM_CONF SLURM_CARBON_CONF SLURM_CARBON_VIEWER SACCT_CARBON_FORMAT SLURM_TIME_FORMAT
    books=$(mktemp -d)
    export books
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    sreport_books "$books"
    accounts >>"$books/inventory.conf"
    hide | sreport_sql "$books"
    sreport_factors "$books"
}

teardown_file() {
    rm -rf "$books"
}

setup() {
    PATH=$top_builddir:$PATH
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "$top_srcdir/tests/cli/sreport_fixture.sh"
    export SLURM_CARBON_CONF=$books/carbon.conf
    own='uid=1001;user=alice'
    account='uid=1001;user=alice;account=climate'
    coordinator='uid=1005;user=dave;account=climate,science'
    cd "$BATS_TEST_TMPDIR"
}

accounts() {
    cat <<'EOF'
account "zzhidden-one" { parent = "science" }
account "zzhidden-unused" { parent = "zzhidden-one" }
budget "climate" { period = month kgco2e = 50 }
budget "zzhidden-one" { period = month kgco2e = 60 }
budget "zzhidden-unused" { period = year kwh = 70 }
budget "science" { period = year kgco2e = 1200 }
EOF
}

# alice has 1 and 4, and erin 6 in the same account. 2, 3 and 7 are others': of another user of
# another account; by name alone, without account; of nobody known, in her account.
hide() {
    sjob 6 3 $((oct + 550 * 3600)) $((50 * 3600)) 20 0 erin "'climate'" 0 0 tide
    sjob 7 3 $((oct + 620 * 3600)) $((50 * 3600)) 20 0 x "'climate'" 0 0 zzhidden-job7
    cat <<'EOF'
UPDATE job SET uid = 1001 WHERE user_name = 'alice';
UPDATE job SET uid = NULL WHERE job_key = 4;
UPDATE job SET job_id = 7700100 + job_key, job_name = 'zzhidden-job' || job_key, qos = 'zzhidden-qos',
    restart_count = 0 WHERE job_key IN (2, 3, 7);
UPDATE job SET user_name = 'zzhidden-user2', uid = 7700102, account = 'zzhidden-one',
    array_job_id = 7700190, array_task_id = 3, sluid = 's77001zz000000' WHERE job_key = 2;
UPDATE job SET user_name = 'zzhidden-user3', uid = NULL, het_job_id = 7700180, het_offset = 1 WHERE job_key = 3;
UPDATE job SET user_name = NULL, uid = NULL WHERE job_key = 7;
UPDATE job SET user_name = 'dave', uid = 1005, account = 'ocean' WHERE job_key = 5;
INSERT INTO power SELECT job_key, node_key, begin_ns / 60000000000 * 60, 'all', 7200000, 60000 FROM allocation;
EOF
}

as() { # VIEWER COMMAND...
    SLURM_CARBON_VIEWER=$1 "${@:2}"
}

marks() { # of what others must not see
    grep -aoE 'zzhidden[-a-z0-9]*|77001[0-9]*' "$@"
}

clean() { # FILE...
    if marks "$@"; then return 1; fi
}

same() { # WHAT FOUND EXPECTED
    [ "$2" = "$3" ] || { printf '%s: found\n%s\nexpected\n%s\n' "$@"; return 1; }
}

ids() { # VIEWER [OPTION]...
    as "$1" sacct-carbon -nXP -o JobID -S 2026-10-01 "${@:2}" | tr '\n' ' '
}

# --- which jobs -------------------------------------------------------------------------------------

@test 'own jobs, those of his accounts, all: and none of nobody known but for who sees all' {
    same own "$(ids "$own" -a)" '101 104 '
    same account "$(ids "$account" -a)" '101 104 106 '
    same coordinator "$(ids "$coordinator" -a)" '101 104 105 106 '
    same all "$(ids all -a)" '101 104 105 106 7700107 7700180+1 7700190_3 '
    same 'no viewer' "$(sacct-carbon -nXP -o JobID -S 2026-10-01 -a | tr '\n' ' ')" "$(ids all -a)"
    same 'a name is no one else' "$(ids 'uid=7;user=alice' -a)" '104 '
    same 'nor is a uid' "$(ids 'uid=1001;user=dave' -a)" '101 '
    same 'who has no account is in none' "$(ids 'uid=9' -a)" ''
}

@test 'without -u and -a they are of who asks, whoever runs the tool' {
    same own "$(ids "$own")" '101 '
    same all "$(ids 'all;uid=1001;user=alice')" '101 '
    same dave "$(ids 'all;uid=1005;user=dave')" '105 '
    same root "$(ids 'all;uid=0;user=root')" "$(ids all -a)"
}

# Typed names apart, the answer on both outputs, and the status.
answer() { # TYPED OPTION...
    local typed=$1 status=0
    shift
    as "$account" sacct-carbon "$@" >answer 2>&1 || status=$?
    answer=$(<answer)
    echo "${answer//"$typed"/TYPED}"
    echo "status $status"
}

@test 'what he may not see is as unknown as what is not there' {
    # hidden, and one that the books do not have
    pairs=(7700102 8800102  7700190_3 8800190_3  '7700190_[1-5]' '8800190_[1-5]'  7700180+1 8800180+1
        s77001zz000000 s88001zz000000  7700102.0 8800102.0  7700107 8800107)
    for form in '' '-P -D -v --strict -M all' --json --explain --profile=csv '--by day -o ALL'; do
        for ((i = 0; i < ${#pairs[@]}; i += 2)); do
            hidden=${pairs[i]} absent=${pairs[i + 1]}
            # shellcheck disable=SC2086 # words
            same "$form $hidden" "$(answer "$hidden" $form "$hidden")" "$(answer "$absent" $form "$absent")"
        done
        for pair in '-u zzhidden-user2:-u zzabsent-user2' '-u 7700102:-u 8800102' '-A zzhidden-one:-A zzabsent-one' \
            '-A zzhidden-unused:-A zzabsent-one' '-q zzhidden-qos:-q zzabsent-qos'; do
            hidden=${pair%:*} absent=${pair#*:}
            # shellcheck disable=SC2086
            same "$form $hidden" "$(answer "${hidden#* }" -a -S 2026-10-01 $form $hidden)" \
                "$(answer "${absent#* }" -a -S 2026-10-01 $form $absent)"
        done
    done
    # this would be so of a test that asked nothing
    [[ $(sacct-carbon 7700102) == *zzhidden-user2* ]]
    run -2 as "$account" sacct-carbon 7700102
    [[ $output == *'job 7700102 is unknown: none of its energy has been delivered'* ]]
}

# --- nothing of others comes out ----------------------------------------------------------------------

# Arguments that let all jobs through, for each option that takes one; "skip" of those that ask nothing.
# shellcheck disable=SC2054 # commas are theirs
declare -gA arguments=([jobs]=101,104,106 [user]=alice,erin,dave [uid]=1001 [accounts]=climate,science [partition]=part1,part2,part3
    [qos]=normal [clusters]=all [nodelist]='g[1-2],c1' [state]=CD,F,NF,R [starttime]=2026-09-30 [endtime]=2026-11-02
    [format]=ALL [delimiter]=';' [by]=day [grid]=DE [gco2]=100 [units]=kWh ['factor-set']=1
    [config]=skip [helpformat]=skip [version]=skip [help]=skip [usage]=skip)

@test 'sacct-carbon: no option brings out a name or number of another job' {
    mapfile -t options < <(sacct-carbon --help | sed -nE 's/^ .*--([a-z0-9-]+)(\[?=[A-Z]+\]?)?  .*/\1 \2/p')
    [ "${#options[@]}" -gt 30 ]
    base=(-S 2026-10-01 -E 2026-11-01)
    told=0
    for line in "${options[@]}"; do
        read -r option takes <<<"$line"
        argument=${arguments[$option]-}
        [ "$argument" != skip ] || continue
        [[ $takes != =* || -n $argument ]] || { echo "--$option is new: give it an argument here"; false; }
        for who in "$account" "$coordinator"; do
            for more in '' '-a --json' '-a -P -v -D' '-a --explain'; do
                # shellcheck disable=SC2086
                as "$who" sacct-carbon "${base[@]}" $more "--$option${argument:+=$argument}" >out 2>&1 || true
                clean out || { echo "of: $who: --$option $more"; false; }
            done
        done
        sacct-carbon "${base[@]}" -a -P -o ALL "--$option${argument:+=$argument}" >out 2>&1 || true
        ! grep -q zzhidden out || told=$((told + 1))
    done
    [ "$told" -gt 15 ] # without a viewer most do
}

@test 'sacct-carbon: one job says nothing of those beside it, by any mode' {
    for mode in capacity share planned; do
        for policy in separate spread; do
            mkdir -p "$mode$policy"
            cp "$books"/* "$mode$policy"
            sed -i "s|$books|$PWD/$mode$policy|" "$mode$policy/carbon.conf"
            printf '%s\n' "EmbodiedMode=$mode" "IdlePolicy=$policy" >>"$mode$policy/carbon.conf"
            export SLURM_CARBON_CONF=$PWD/$mode$policy/carbon.conf
            carbonctl factors update >/dev/null
            for id in 101 104 106; do
                for form in '' --explain --json --profile '--by hour'; do
                    # shellcheck disable=SC2086
                    as "$account" sacct-carbon $id $form >out 2>&1
                    clean out
                    # what is summed over all is as without a viewer
                    # shellcheck disable=SC2086
                    same "$mode $policy $id $form" "$(cat out)" "$(sacct-carbon $id $form 2>&1)"
                done
            done
        done
    done
}

@test 'sreport-carbon: no format and no section has a name or number of another job' {
    for who in "$own" "$account" "$coordinator"; do
        for form in '' --json '--html -' -P -n '--top 100' '--mode share --top 100' \
            --section={totals,account,user,partition,type,state,job,day,trend,asset,budget} '-P --section job' \
            '-S 2026-10-01 -E 2026-10-20' '-v --strict'; do
            [[ $form == -S* ]] || form="--month 2026-10 $form"
            # shellcheck disable=SC2086
            as "$who" sreport-carbon $form >out 2>&1 || [ $? -eq 3 ]
            clean out || { echo "of: $who: $form"; false; }
            [ -s out ]
        done
        as "$who" sreport-carbon --month 2026-10 --csv csv --html page.html >/dev/null
        clean csv/* page.html
    done
    # without a viewer they all do
    for form in '' --json '--html -' -P --section={account,user,job,budget}; do
        # shellcheck disable=SC2086
        sreport-carbon --month 2026-10 $form | marks >/dev/null
    done
}

# --- reports add up --------------------------------------------------------------------------------------

@test 'sreport-carbon: others are one line, and each table adds up to what it was' {
    sreport-carbon --month 2026-10 --json >whole.json
    for who in "$own" "$account" "$coordinator" uid=9; do
        as "$who" sreport-carbon --month 2026-10 --json >part.json
        python3 -W ignore - "$top_srcdir/docs/formats/sreport-carbon.schema.json" <<'EOF'
import json, jsonschema, sys
jsonschema.Draft7Validator(json.load(open(sys.argv[1]))).validate(json.load(open('part.json')))
EOF
        python3 - "$who" <<'EOF'
import json, sys
whole, part = json.load(open('whole.json')), json.load(open('part.json'))

def leaves(amounts):
    return [n for key in sorted(amounts) for n in
            (leaves(amounts[key]) if isinstance(amounts[key], dict) else [amounts[key]])]

def total(lines, what):
    return [sum(column) for column in zip(*(leaves(line[what]) for line in lines))]

for group in 'accounts', 'users', 'partitions', 'states':
    assert total(part[group], 'own') == leaves(whole['jobs']) == total(whole[group], 'own'), group
roots = [line for line in part['accounts'] if line['parent'] is None]
assert total(roots, 'tree') == leaves(whole['jobs'])
for same in ('jobs', 'energy', 'co2e', 'pools', 'partitions', 'states', 'node_types', 'days', 'trend', 'assets',
             'warnings', 'scopes'):
    assert part[same] == whole[same], same
for group in 'accounts', 'users':
    hidden = [line for line in part[group] if line.get('not_shown')]
    assert [line['name'] for line in hidden] == ['others (not shown)'] and hidden[0] is part[group][-1]
assert 'restricted_to' not in whole
names = {'uid=1001;user=alice': (['climate'], ['alice'], ['101', '104'], []),
         'uid=1001;user=alice;account=climate': (['climate'], ['alice', 'erin'], ['101', '104', '106'], ['climate']),
         'uid=1005;user=dave;account=climate,science':
             (['climate', 'ocean', 'science'], ['alice', 'dave', 'erin'], ['101', '104', '105', '106'],
              ['climate', 'science']),
         'uid=9': ([], [], [], [])}[sys.argv[1]]
found = ([line['name'] for line in part['accounts'][:-1]], [line['name'] for line in part['users'][:-1]],
         [job['job'] for job in part['top_jobs']], [use['account'] for use in part['budgets']])
assert tuple(map(sorted, found)) == names, found
EOF
    done
}

@test 'sreport-carbon says whom it was made for' {
    [[ $(as "$account" sreport-carbon --month 2026-10) == *'Shown      jobs of alice (uid 1001) and of account climate; those of others are in all sums, and not named'* ]]
    [[ $(as "$account" sreport-carbon --month 2026-10 --html -) == *'Only jobs of <bdi>alice (uid 1001) and of account climate</bdi> are named.'* ]]
    [[ $(as 'all;uid=1001;user=alice' sreport-carbon --month 2026-10) != *'Shown '* ]]
    # names are escaped, as everywhere
    as 'uid=5;user=%3Czz%3E%1B%5B1m' sreport-carbon --month 2026-10 --html - >page
    grep -qF '&lt;zz&gt;' page
    run -1 grep -F '<zz>' page
    run -0 as 'uid=5;user=%3Czz%3E%1B%5B1m' sreport-carbon --month 2026-10
    [[ $output != *$'\e'* ]]
}

@test 'budgets are those of his accounts, and count all that they count' {
    same 'of alice' "$(as "$own" sreport-carbon --month 2026-10 -nP --section budget)" ''
    same 'of alice, by account' "$(as "$account" sreport-carbon --month 2026-10 -nP --section budget | cut -d '|' -f 1)" climate
    same 'as without a viewer' "$(as "$account" sreport-carbon --month 2026-10 -nP --section budget)" \
        "$(sreport-carbon --month 2026-10 -nP --section budget | grep '^climate')"
    same 'of science' "$(as "$coordinator" sreport-carbon --month 2026-10 -nP --section budget | grep '^science')" \
        "$(sreport-carbon --month 2026-10 -nP --section budget | grep '^science')"
    budgets_of() { as "$1" sacct-carbon -a -S 2026-10-01 -E 2026-11-01 -A "$2" --json |
        python3 -c 'import json, sys; print(*[b["account"] for b in json.load(sys.stdin)["budgets"]])'; }
    same 'sacct-carbon, without account' "$(budgets_of "$own" climate)" ''
    same 'sacct-carbon, of it' "$(budgets_of "$account" climate)" climate
    same 'sacct-carbon, of that above too' "$(budgets_of "$coordinator" climate)" 'climate science'
}

# --- a viewer only restricts ----------------------------------------------------------------------------

@test 'a viewer that cannot be read shows nothing' {
    for text in '' x uid= 'uid=-1' 'uid=4294967295' 'uid=1;' ';uid=1' 'user=alice' 'uid=1;uid=2' 'uid=1;user=a b' \
        'uid=1;user=%61' 'uid=1;user=%' 'uid=1;user=%00' 'uid=1;account=' 'uid=1;account=a,' 'all;account=a' 'ALL' \
        'all all' $'uid=1\n'; do
        for tool in 'sacct-carbon -a -S 2026-10-01' 'sacct-carbon 101' 'sreport-carbon --month 2026-10'; do
            # shellcheck disable=SC2086
            run -1 --separate-stderr as "$text" $tool
            same "$tool as '$text'" "$output" ''
            [[ $stderr == *'error: SLURM_CARBON_VIEWER: '* ]]
        done
    done
}

@test 'energy of steps that run beside others is not for whom a viewer names, whoever runs the tool' {
    cp "$books"/* .
    sed -i "s|$books|$PWD|" carbon.conf
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    sqlite3 carbon.db "UPDATE job SET end_s = NULL WHERE job_key IN (1, 3);
        UPDATE allocation SET end_ns = NULL WHERE job_key IN (1, 3);
        UPDATE energy SET step_id = 0 WHERE job_key = 1;
        INSERT INTO step SELECT job_key, 0, allocation_key, begin_ns, NULL, 1, 0, NULL, 64, 8, '', 0 FROM allocation
            WHERE job_key = 1"
    step() { SLURM_CARBON_VIEWER=$1 sacct-carbon -nP -o Energy -j 101.0; }
    for who in "$own" "$account" 'all;uid=1001;user=alice'; do
        same "as $who" "$(step "$who")" unknown
    done
    [ "$(step all)" != unknown ]
}

# --- the store ------------------------------------------------------------------------------------------

# Whoever reads jobs in another place has to think of the viewer there.
@test 'jobs are read for the tools in these places alone' {
    cd "$top_srcdir/accounting/store"
    same 'in query.c, period.c and profile.c' "$(sed -n 's/.*\b\(FROM\|JOIN\) job\b.*/&/p' query.c period.c profile.c |
        sed 's/^ *//' | sort)" "$(sort <<'EOF'
" peak_minute_s, peak_span_ms FROM job WHERE 1 = 1";
#define OF_KEYS " FROM job WHERE cluster = ?1 AND job_key BETWEEN ?2 AND ?3 ORDER BY job_key"
" FROM job j JOIN allocation a ON a.job_key = j.job_key"
" FROM job j JOIN energy e ON e.job_key = j.job_key" \
"SELECT job_key FROM job WHERE account = ?2 AND cluster = ?1";
"SELECT 1 FROM job WHERE account = ?2 AND cluster = ?1 LIMIT 1";
EOF
    )"
    # and a struct of one is filled in by one function each, where the viewer is asked
    same 'in query.c' "$(grep -c 'read_job(stmt, job)' query.c)" 1
    same 'by query.c' "$(grep -c 'viewer_sees(store->viewer' query.c)" 1
    same 'by period.c' "$(grep -c 'viewer_sees(reading->store->viewer' period.c)" 1
    # the tools read by these files alone
    cd ../cli
    run -1 grep -nE 'include "store/(identity|reconcile|load|backfill|nodes|db)\.h"' sacct_*.c sreport_*.c ../report/*.c
}
