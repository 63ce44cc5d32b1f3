#!/usr/bin/env bats
# A site in small, on both stores: its books balance, and the benchmarks print what docs/performance.md
# and docs/scaling.md have of them. Whether a goal is met is not looked at.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    mksite=$(realpath "${top_builddir:?}/tests/fake/mksite")
    top_srcdir=$(realpath "${top_srcdir:?}")
    build=$(realpath "$top_builddir")
    grep -q 'define HAVE_LIBPQ 1' "$build/config.h" && store=both || store=sqlite
    cd "$BATS_TEST_TMPDIR" || return
}

# It ends by itself, with 0 or for a goal with 1.
bench() { # COMMAND...
    run "$@"
    echo "$output"
    [ "$status" -le 1 ]
}

@test "the site is the same for the same seed, and another for another" {
    for seed in 1 1 2; do
        mkdir site$((++n))
        "$mksite" "site$n" 20 2 1 "$seed" >"made$n"
    done
    cmp made1 made2
    diff -r site1 site2
    run ! diff -rq site1 site3
    [ "$(find site1/000 -name '*.batch' | wc -l)" -eq 20 ]
}

@test "scripts/bench-scale" {
    bench "$top_srcdir/scripts/bench-scale" --build "$build" --nodes 60 --minutes 2 --pace 3 \
        --store "$store"
    for name in sqlite postgresql; do
        [ "$store" = both ] || [ "$name" = sqlite ] || continue
        grep -q "^$name: as fast as goes" <<<"$output"
        grep -q "^$name: at the pace of life" <<<"$output"
    done
    [ "$(grep -c '^audit       the books balance$' <<<"$output")" -eq \
        "$(grep -c '^all ' <<<"$output")" ]
}

@test "scripts/bench-scale weighs an hour of the site" {
    bench "$top_srcdir/scripts/bench-scale" --build "$build" --nodes 10 --minutes 60 --pace 0 \
        --store sqlite
    grep -qE '^energy +[0-9]+ +[0-9.]+$' <<<"$output"
    grep -qE '^power .* of 30 days' <<<"$output"
}

@test "scripts/bench-report of a month, on every store" {
    bench "$top_srcdir/scripts/bench-report" --build "$build" --runs 1 --nodes 5 --jobs 500 --month \
        --store "$store"
    grep -qE '^sacct-carbon -u .* 500 jobs$' <<<"$output"
    [ "$store" = sqlite ] || grep -q '^database  *postgresql,' <<<"$output"
}
