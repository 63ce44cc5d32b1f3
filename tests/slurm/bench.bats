#!/usr/bin/env bats
# The benchmarks run, and print what docs/performance.md has of them; here as short as they can be,
# so that their figures mean nothing: whether a goal is met is not looked at.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    [ -z "${TREE-}" ] || skip "the benchmarks are of this machine's Slurm"
    cd "$BATS_TEST_DIRNAME/../.." || return
}

# It ends by itself, with 0 or for a goal with 1, and has printed a line that begins so.
bench() { # LINE COMMAND...
    local line=$1
    shift
    run "$@"
    echo "$output"
    [ "$status" -le 1 ]
    grep -qE "$line" <<<"$output"
}

@test "scripts/bench-meter" {
    bench '^cpu_s_per_hour=' scripts/bench-meter --build "$BUILD" --seconds 4 --steps 3
    bench '^cpu_s_per_hour=' scripts/bench-meter --build "$BUILD" --seconds 4 --steps 2 --gpus 2
    bench '^cpu_s_per_hour=' scripts/bench-meter --build "$BUILD" --seconds 4 --steps 2 --processes
}

@test "scripts/bench-query" {
    bench 'ratio' scripts/bench-query --build "$BUILD" --pairs 2 --jobs 100
}

@test "scripts/bench-report" {
    bench 'month' scripts/bench-report --build "$BUILD" --runs 1 --nodes 5 --jobs 500
}

@test "scripts/bench-step" {
    bench 'plugin / none' scripts/bench-step --build "$BUILD" --pairs 1 --only step --no-cgroup
}
