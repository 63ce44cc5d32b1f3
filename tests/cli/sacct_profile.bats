# sacct-carbon --profile on the database of profile_fixture.sh

bats_require_minimum_version 1.5.0

setup_file() {
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    export top_srcdir top_builddir
    export TZ=UTC LC_ALL=C.UTF-8 COLUMNS=80
    unset NO_COLOR SACCT_CARBON_FORMAT SLURM_TIME_FORMAT SLURM_CONF
    books=$(mktemp -d)
    export books SLURM_CARBON_CONF=$books/carbon.conf
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
    # shellcheck source=tests/cli/profile_fixture.sh
    . "$top_srcdir/tests/cli/profile_fixture.sh"
    profile_fixture "$books"
}

teardown_file() {
    rm -rf "$books"
}

profile() {
    "$top_builddir/sacct-carbon" --profile "$@"
}

golden() { # NAME, then the output on standard input
    diff -u "$top_srcdir/tests/golden/$1" -
}

same() { # EXPECTED ACTUAL
    [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }
}

# --- drawn ----------------------------------------------------------------------------------------

@test 'a job is drawn by component, with gaps as gaps' {
    profile 200 | golden profile-200.txt
    profile 200 -N n1 -S 2026-11-20T10:20 -E 2026-11-20T10:50 | golden profile-200-n1.txt
}

@test 'a running job is drawn so far' {
    profile 201 | golden profile-201.txt
}

@test 'what is pruned is said, with the peak that was' {
    profile 202 | golden profile-202.txt
}

@test 'a drawing is ASCII where the locale is, and harmless' {
    LC_ALL=C profile 200 > "$books/ascii"
    run ! grep -P '[^\x20-\x7e]' "$books/ascii"
    profile 203 | head -1 | grep -qxF 'Job 203  \x1b[31m<b\u202e&  COMPLETED'
}

@test 'a drawing is as wide as the terminal, and no wider' {
    for width in 40 60 80 133 200; do
        COLUMNS=$width LC_ALL=C profile 200 -S 2026-11-20T10:00 > "$books/wide"
        same "" "$(awk -v w="$width" '/[|+]/ && length > w' "$books/wide")"
    done
}

@test 'the axis is of local time' {
    TZ=Asia/Kolkata profile 200 | grep -q ' 15:30 .* 16:00 '
}

@test 'a step is drawn as what its job drew in its time' {
    run -0 profile 200.0
    grep -q 'Time      2026-11-20 10:20:00 UTC to 2026-11-20 10:40:00 UTC, 20 min$' <<< "$output"
    grep -q 'minutes do not tell steps apart' <<< "$output"
}

@test 'the peak of the profile is the peak of the job' {
    local peak
    peak=$(profile 200 | sed -n 's/^total .*peak \(.* W\) at .*/\1/p')
    same "$peak" "$(CARBON_DATA=$top_srcdir/accounting/carbon \
        "$top_builddir/sacct-carbon" -P -n -X -o peakpower 200)"
}

# --- written --------------------------------------------------------------------------------------

@test 'as CSV every minute, node and component has a row with its units' {
    profile=$books/profile.csv
    "$top_builddir/sacct-carbon" --profile=csv 200 > "$profile"
    same 'minute_utc,node,component,power_w,span_s' "$(head -1 "$profile")"
    same '2026-11-20T10:00:00Z,n1,cpu,45.000,60.000' "$(sed -n 2p "$profile")"
    same $((90 * 2 * 3 - 5 * 2 * 3 - 3 * 3 + 1)) "$(wc -l < "$profile")"
    sort -c -s -t, -k1,2 <(tail -n +2 "$profile")
    "$top_builddir/sacct-carbon" --profile=csv 200 -N n2 | cut -d, -f2 | sort -u |
        diff - <(printf 'n2\nnode\n')
}

@test 'as SVG it is one picture that says what it shows' {
    "$top_builddir/sacct-carbon" --profile=svg 200 | golden profile-200.svg
    "$top_builddir/sacct-carbon" --profile=svg 203 > "$books/203.svg"
    grep -qF '<title id="title">Power of job 203 (\x1b[31m&lt;b\u202e&amp;)</title>' \
        "$books/203.svg"
    same 1 "$(grep -o 'http[s]*:' "$books/203.svg" | wc -l)" # the name space, which is not fetched
    command -v xmllint >/dev/null || skip "no xmllint: scripts/deps test installs it"
    xmllint --noout "$books/203.svg" "$top_srcdir/tests/golden/profile-200.svg"
}

@test 'as JSON too' {
    profile --json 201 | jq -e '.job_id == "201" and .running and (.minutes | length == 3) and
        .minutes[2] == { minute_utc: "2026-11-20T10:02:00Z", node: "n3", component: "cpu",
            power_mw: 60000, energy_mj: 3600000, span_ms: 60000 }'
    run -0 --separate-stderr profile --json 142
    jq -e '.minutes == []' <<<"$output"
    [[ $stderr == *'job 142: there is no power per minute of it: none was metered'* ]]
    run -0 --separate-stderr profile --profile=csv 142
    [ "$output" = 'minute_utc,node,component,power_w,span_s' ]
    [[ $stderr == *'job 142: there is no power per minute of it'* ]]
}

# --- mistakes -------------------------------------------------------------------------------------

@test 'what a profile cannot be of is said' {
    local mistake wants
    while IFS='|' read -r mistake wants; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr profile $mistake
        [[ $stderr == *"$wants"* ]] || { printf '%s: %s\n' "$mistake" "$stderr"; return 1; }
    done <<'END'
|--profile shows one job: name it
200 201|--profile shows one job: name no other beside it
110|these are 4: name one of them, such as 123_4
142|there is no power per minute of it: none was metered, or none is delivered yet
202 -E 2026-11-19T12:00|it is kept since 2026-11-20 10:00:00 UTC (KeepPowerDays in carbon.conf)
200 -P|write --profile=csv
200 -T|leave it out
200 --profile=png|--profile=png: write --profile
END
    run -2 profile 4711
}
