#!/usr/bin/env bats
# documentation: every command in it is run, and prints what the page says

setup() {
    PATH=${top_builddir:?}:$top_builddir/tests/fake:$PATH
    unset SLURM_CARBON_CONF SLURM_CONF
    export LC_ALL=C.UTF-8 TZ=UTC NO_COLOR=1
}

# run_page FILE: runs "$ command" lines of its console blocks in one directory, in order, and
# compares what they print (both streams) with the lines below each.
run_page() {
    local page=$1 line command='' expected='' inside=no count=0
    cd "$BATS_TEST_TMPDIR" || return 1
    while IFS= read -r line; do
        case $inside:$line in
            no:'```console') inside=yes ;;
            yes:'```') compare; inside=no ;;
            yes:'$ '*) compare; command=${line#??} ;;
            yes:*) expected+=$line$'\n' ;;
        esac
    done <"$page"
    [ "$count" -gt 0 ]
}

compare() {
    local found
    [ -n "$command" ] || return 0
    count=$((count + 1))
    found=$(bash -c "$command" 2>&1; echo .)
    found=${found%.}
    # the page has no blanks at the ends of lines
    if ! diff <(printf '%s' "$expected") <(printf '%s' "$found" | sed 's/ *$//'); then
        printf 'that is what "%s" prints, against the page\n' "$command"
        return 1
    fi
    command='' expected=''
}

@test 'docs/bloom.md: every command prints what the page says' {
    cp "${top_srcdir:?}"/tests/data/bloom/* "$BATS_TEST_TMPDIR"
    run_page "$top_srcdir/docs/bloom.md"
}
