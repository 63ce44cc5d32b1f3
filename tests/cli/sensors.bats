#!/usr/bin/env bats
# carbonctl sensors: what a node can measure, as tables and JSON, and captures of it

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    machines=${top_srcdir:?}/tests/machines
    dir=$BATS_TEST_TMPDIR
    root=$dir/root
    export SLURM_CARBON_CONF=$dir/carbon.conf SLURMD_NODENAME=n1 TMPDIR=$dir/tmp
    unset SLURM_CONF
    mkdir "$dir/tmp" "$root"
    printf 'SpoolDir=%s\nSensorRoot=%s\n' "$dir/spool" "$root" >"$SLURM_CARBON_CONF"
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

tree() { # a package with a counter, one without
    local cpu
    for cpu in 0 1; do
        mkdir -p "$root/sys/devices/system/cpu/cpu$cpu/topology"
        echo "$cpu" >"$root/sys/devices/system/cpu/cpu$cpu/topology/physical_package_id"
        echo 0 >"$root/sys/devices/system/cpu/cpu$cpu/topology/core_id"
        echo $((1 << cpu)) >"$root/sys/devices/system/cpu/cpu$cpu/topology/thread_siblings"
        echo $((1 << cpu)) >"$root/sys/devices/system/cpu/cpu$cpu/topology/core_siblings"
    done
    echo 0-1 >"$root/sys/devices/system/cpu/online"
    echo 0-1 >"$root/sys/devices/system/cpu/possible"
    zone=$root/sys/class/powercap/intel-rapl:0
    mkdir -p "$root/proc" "$zone"
    printf 'cpu0 100 0 0 0 0 0 0 0\ncpu1 100 0 0 0 0 0 0 0\n' >"$root/proc/stat"
    echo package-0 >"$zone/name"
    echo 262143328850 >"$zone/max_energy_range_uj"
    echo 1000000 >"$zone/energy_uj"
}

@test "what is used and what is not is shown, with the reasons" {
    tree
    run "$carbonctl" sensors --seconds 1
    [ "$status" -eq 0 ]
    says "Counters in use on n1: 2"
    [[ $output =~ intel-rapl:0\ +powercap\ +cpu\ +package\ 0\ +measured\ +0\.0 ]]
    [[ $output =~ modelled:1\ +modelled\ +cpu\ +package\ 1\ +modelled ]]
    [[ $output =~ modelled:0\ +powercap\ counts\ this\ package\ already ]]
    says "carbon-meterd, which does not run here (nothing in SpoolDir $dir/spool)"
}

@test "learned idle floors are those of the meter's status" {
    tree
    mkdir "$dir/spool"
    echo "counter: intel-rapl:0 sensor=powercap raw_uj=1 floor_w=55.250 floor=learned" \
        >"$dir/spool/status"
    run "$carbonctl" sensors --seconds 1
    says "55.2 learned"
    says "the last word of carbon-meterd"
    run "$carbonctl" sensors --seconds 1 --root "$root" # another node's: no floors of this one
    [[ $output != *learned* ]]
}

@test "JSON has the unit in every key, and null for what is unknown" {
    run "$carbonctl" sensors --json --root "$machines/skylake.capture"
    [ "$status" -eq 0 ]
    python3 - "$output" <<'EOF'
import json, sys
told = json.loads(sys.argv[1])
used = {c["source"]: c for c in told["used"]}
assert told["capture"] and told["power_span_ns"] == 10000000000, told
assert len(used) == 4, used
c = used["intel-rapl:0"]
assert c["power_uw"] == 142500000 and c["component"] == "cpu" and c["domain"] == 0, c
assert c["range_uj"] == 262143328911 and c["max_uw"] == 600000000, c
assert c["wraps_in_s"] == 1839 and c["wraps_in_at_least_s"] == 436, c
assert c["refresh_ns"] is None and c["read_ns"] is None and c["idle_floor_uw"] is None, c
assert used["intel-rapl:1"]["power_uw"] == 130000000  # over a wrap
assert {"source": "modelled:0", "reason": "powercap counts this package already"} \
    in told["left_out"], told["left_out"]
EOF
}

@test "a capture of a tree replays to the same, and leaves nothing behind" {
    tree
    run "$carbonctl" sensors --capture "$dir/n1.capture" --seconds 1
    [ "$status" -eq 0 ]
    says "It holds no serial numbers"
    [ "$(head -1 "$dir/n1.capture")" = "carbon-capture 1" ]
    [ "$(stat -c %a "$dir/n1.capture")" = 600 ]
    grep -qx "line sys/class/powercap/intel-rapl:0/energy_uj 1000000" "$dir/n1.capture"
    grep -q "^after_ns 1[0-9]\{9\}$" "$dir/n1.capture"
    run "$carbonctl" sensors --root "$dir/n1.capture"
    [ "$status" -eq 0 ]
    [[ $output =~ intel-rapl:0\ +powercap\ +cpu\ +package\ 0\ +measured\ +0\.0 ]]
    [[ $output =~ modelled:1 ]]
    "$carbonctl" sensors --root "$dir/n1.capture" --capture - >"$dir/again"
    diff <(grep -v '^#' "$dir/n1.capture") <(grep -v '^#' "$dir/again")
    [ -z "$(ls -A "$dir/tmp")" ]
}

@test "a capture that would leave its directory is refused" {
    printf 'carbon-capture 1\nline sys/a 1\nlink sys/b ../../etc\n' >"$dir/bad"
    run "$carbonctl" sensors --root "$dir/bad"
    [ "$status" -eq 1 ]
    says "carbonctl: sensors: $dir/bad:3: the link leads out of the capture"
    [ -z "$(ls -A "$dir/tmp")" ]
}

@test "mistakes are told with what to do" {
    local row
    for row in \
        "--seconds 0|--seconds 0 is no number of seconds; give 1 to 600" \
        "--json --capture x|--json and --capture exclude each other" \
        "--root $dir/none|--root takes a directory that holds sys/ and proc/" \
        "--root $dir/carbon.conf|its first line would be" \
        "--root $dir|no machine below $dir" \
        "--capture $dir/none/x|cannot write $dir/none/x" \
        "--capture x|there is nothing to capture below $root" \
        "now|nothing is known to do with"; do
        [[ $row == "--capture $dir"* ]] && tree
        [[ $row == "--capture x"* ]] && rm -r "${root:?}"/*
        # shellcheck disable=SC2086
        run "$carbonctl" sensors --seconds 1 ${row%%|*}
        [ "$status" -eq 1 ]
        says "${row#*|}"
    done
}

@test "a capture takes the place of a regular file alone, and of nothing else" {
    tree
    mkfifo "$dir/fifo"
    run "$carbonctl" sensors --seconds 1 --capture "$dir/fifo"
    [ "$status" -eq 1 ]
    says "cannot write $dir/fifo"
    says "is no regular file: name another"
    [ -p "$dir/fifo" ]
}
