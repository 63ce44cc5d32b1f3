#!/usr/bin/env bats
# MetricsFile: what carbon-meterd leaves for Prometheus is what it sealed, and node_exporter takes it

setup() {
    dir=$BATS_TEST_TMPDIR root=$BATS_TEST_TMPDIR/root
    rules=${top_srcdir:?}/scripts/prometheus/slurm-carbon.rules.yml
    unset SLURM_CARBON_CONF SLURM_CONF JOURNAL_STREAM
    export LC_ALL=C.UTF-8 TZ=UTC
    pids=() fuse=''
}

teardown() {
    local pid
    end_fuse
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
}

is_unmounted() { ! grep -q " $dir/hung " /proc/mounts; }

end_fuse() {
    [ -n "$fuse" ] || return 0
    kill -CONT "$fuse"
    kill "$fuse"
    fuse=''
    until_true is_unmounted
}

needs() { # PROGRAM PACKAGE
    type -P "$1" >/dev/null || skip "no $1 here (Debian: $2)"
}

until_true() { # COMMAND...: within half a minute
    local i
    for ((i = 0; i < 300; i++)); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    echo "in vain for half a minute: $*"
    return 1
}

# A node of two packages: one with a RAPL counter, one that nothing counts.
node() {
    local cpu at
    for cpu in 0 1; do
        at=$root/sys/devices/system/cpu/cpu$cpu/topology
        mkdir -p "$at"
        echo "$cpu" >"$at/physical_package_id"
        echo 0 >"$at/core_id"
        echo $((1 << cpu)) >"$at/thread_siblings"
        echo $((1 << cpu)) >"$at/core_siblings"
    done
    echo 0-1 >"$root/sys/devices/system/cpu/online"
    echo 0-1 >"$root/sys/devices/system/cpu/possible"
    zone=$root/sys/class/powercap/intel-rapl:0
    mkdir -p "$root/proc" "$root/cgroup" "$zone" "$dir/prom"
    printf 'cpu0 100 0 0 0 0 0 0 0\ncpu1 100 0 0 0 0 0 0 0\n' >"$root/proc/stat"
    echo package-0 >"$zone/name"
    echo 262143328850 >"$zone/max_energy_range_uj"
    echo 100000000000 >"$zone/energy_uj"
    mkdir -m 700 "$dir/marks"
    cat >"$dir/carbon.conf" <<END
MarkDir=$dir/marks
SpoolDir=$dir/spool
DeliverDir=$dir/deliver
MetricsFile=$dir/${1:-prom}/slurm-%n.prom
SensorRoot=$root
CgroupRoot=$root/cgroup
TickSeconds=0.1
DeliverSeconds=2
END
}

# Package 0 draws 100 W or so.
draw() {
    local uj=100000000000
    while sleep 0.1; do
        uj=$((uj + 10123457))
        echo $uj 1<>"$zone/energy_uj" # in place, as the meter has it open
    done
}

# A job on package 0's core, as the plugin leaves it.
leave_job() {
    local up name
    read -r up _ </proc/uptime
    up=$(printf '%s%s0000000' "${up%.*}" "${up#*.}")
    name=$(printf '%020d-%010d-ffffffff-job-begin.mark' "$up" 7)
    cat >"$dir/marks/.$name.tmp" <<END
carbon-mark 1
mark edge=job-begin boot_id=$(</proc/sys/kernel/random/boot_id) boottime_ns=$up wall_ns=$(date +%s%N) node=n1 cluster=test job_id=7 uid=1 gid=1 user=alice account=physics job_cores=0 cpu_count=1
end
END
    chmod 600 "$dir/marks/.$name.tmp"
    mv "$dir/marks/.$name.tmp" "$dir/marks/$name"
}

start_meter() {
    "${top_builddir:?}/carbon-meterd" --config "$dir/carbon.conf" --node n1 3>&- >"$dir/log" 2>&1 &
    meterd=$!
    pids+=("$meterd")
}

has_sealed() { # N batches
    [ "$(find "$dir/deliver" -name '*.batch' 2>/dev/null | wc -l)" -ge "$1" ]
}

# A file of a node on which a job runs, and the meter that wrote it ended.
metered_node() {
    node
    draw 3>&- &
    pids+=($!)
    leave_job
    start_meter
    until_true test -s "$dir/prom/slurm-n1.prom"
    until_true has_sealed 2
    kill "$meterd"
    wait "$meterd"
}

# The sums of the batches that the file says it is of, as series of Prometheus; "=" between.
series_of_batches() {
    python3 - "$dir" <<'END'
import glob, re, sys
folder = sys.argv[1]
text = open(f'{folder}/prom/slurm-n1.prom').read()
count = int(re.search(r'^slurm_carbon_batches_sealed_total (\d+)$', text, re.M)[1])
assert count >= 1, text
uj, metered_ns = {}, {}
for name in sorted(glob.glob(f'{folder}/deliver/*.batch'))[:count]:
    for line in open(name):
        if not line.startswith('energy '):
            continue
        row = dict(word.split('=', 1) for word in line.split()[1:])
        share = {'step': 'jobs', 'remainder': 'jobs'}.get(row['owner'], row['owner'])
        key = row['component'], row['quality'], share
        uj[key] = uj.get(key, 0) + int(row['active_uj']) + int(row['idle_uj'])
        metered_ns[row['component']] = metered_ns.get(row['component'], 0) + int(row['metered_ns'])
assert uj['cpu', 'measured', 'jobs'] > 10 ** 7, uj
assert uj['cpu', 'modelled', 'unallocated'] > 10 ** 6, uj
for (component, quality, share), sum_uj in uj.items():
    if not sum_uj:
        continue # of a gap only where there is any
    print(f'slurm_carbon_energy_joules_total{{component="{component}",quality="{quality}",'
          f'share="{share}"}}={sum_uj / 1e6}')
for component, sum_ns in metered_ns.items():
    print(f'slurm_carbon_metered_seconds_total{{component="{component}"}}={sum_ns // 1000 / 1e6}')
END
}

@test "what is in the file is what the batches add up to, and of nobody" {
    metered_node
    local file=$dir/prom/slurm-n1.prom
    cat "$file"
    [ "$(stat -c %a "$file")" = 644 ]
    [ "$(ls -A "$dir/prom")" = slurm-n1.prom ]
    series_of_batches >"$dir/series"
    [ "$(wc -l <"$dir/series")" -ge 3 ]
    python3 - "$file" "$dir/series" <<'END'
import sys
found = dict(line.rsplit(' ', 1) for line in open(sys.argv[1]) if not line.startswith('#'))
for line in open(sys.argv[2]):
    series, value = line.rstrip().rsplit('=', 1)
    assert float(found[series]) == float(value), (series, found.get(series), value)
END
    ! grep -E 'alice|physics|job_id|user' "$file"
}

@test "promtool finds nothing to complain of" {
    needs promtool prometheus
    metered_node
    run promtool check metrics <"$dir/prom/slurm-n1.prom"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

is_scraped() { # METRIC
    curl -fsS --noproxy '*' "http://$address/metrics" 2>/dev/null >"$dir/scraped" &&
        grep -q "^$1" "$dir/scraped"
}

@test "node_exporter takes the file, and what is scraped from it is what the meter counted" {
    needs prometheus-node-exporter prometheus-node-exporter
    needs curl curl
    metered_node
    prometheus-node-exporter --collector.disable-defaults --collector.textfile \
        --collector.textfile.directory "$dir/prom" --web.listen-address 127.0.0.1:0 \
        3>&- >"$dir/exporter.log" 2>&1 &
    pids+=($!)
    until_true grep -q 'Listening on' "$dir/exporter.log"
    address=$(sed -n 's/.*Listening on.*address=\([0-9.:]*\).*/\1/p' "$dir/exporter.log")
    until_true is_scraped 'slurm_carbon_build_info'
    cat "$dir/exporter.log" "$dir/scraped"
    grep -qx 'node_textfile_scrape_error 0' "$dir/scraped"
    grep -q '^node_textfile_mtime_seconds{file=".*slurm-n1.prom"} ' "$dir/scraped"
    series_of_batches >"$dir/series"
    python3 - "$dir/scraped" "$dir/series" <<'END'
import sys
found = dict(line.rsplit(' ', 1) for line in open(sys.argv[1]) if not line.startswith('#'))
wanted = [line.rstrip().rsplit('=', 1) for line in open(sys.argv[2])]
assert len(wanted) >= 3
for series, value in wanted:
    assert float(found[series]) == float(value), (series, found.get(series), value)
END
}

@test "a directory that is not there is one line in the log, and costs no batch" {
    node away
    draw 3>&- &
    pids+=($!)
    start_meter
    until_true has_sealed 2
    until_true grep -q 'MetricsFile' "$dir/log"
    cat "$dir/log"
    [ "$(grep -c "cannot open the directory of MetricsFile $dir/away/slurm-n1.prom: No such" "$dir/log")" -eq 1 ]
    [ ! -e "$dir/away" ]
    kill "$meterd"
    wait "$meterd"
}

# A file system whose server stands still: whoever asks it for anything waits.
@test "a directory that hangs holds up a process of its own, and not the meter" {
    [ -x "${top_builddir:?}/tests/fake/fakesys" ] || skip 'no fakesys: libfuse3 was not there'
    [ -w /dev/fuse ] || skip 'no FUSE here'
    node hung/sys
    mkdir "$dir/hung" "$dir/state"
    "$top_builddir/tests/fake/fakesys" "$dir/hung" --state "$dir/state" -d 3>&-
    fuse=$(<"$dir/state/pid")
    kill -STOP "$fuse"
    draw 3>&- &
    pids+=($!)
    start_meter
    until_true has_sealed 4
    ! grep -q MetricsFile "$dir/log" || { cat "$dir/log"; false; } # it is given half a minute
    kill -CONT "$fuse"
    until_true grep -q 'cannot write MetricsFile' "$dir/log" # so it had waited; the tree is read-only
    kill "$meterd"
    wait "$meterd"
    end_fuse
}

@test "the example of alerts is one that Prometheus reads; a dead meter and a full share raise one" {
    needs promtool prometheus
    promtool check rules "$rules"
    cp "$rules" "$dir/rules.yml"
    cat >"$dir/test.yml" <<'END'
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'node_textfile_mtime_seconds{file="/x/slurm-carbon.prom",instance="dead"}', values: '0+0x60'}
      - {series: 'node_textfile_mtime_seconds{file="slurm-carbon.prom",instance="old"}', values: '0+0x60'}
      - {series: 'node_textfile_mtime_seconds{file="slurm-carbon.prom",instance="well"}', values: '0+60x60'}
      - {series: 'node_textfile_mtime_seconds{file="other.prom",instance="other"}', values: '0+0x60'}
      - {series: 'slurm_carbon_batches_waiting{instance="well"}', values: '0+1x60'}
      - {series: 'slurm_carbon_batches_sealed_total{instance="well"}', values: '0+1x60'}
    alert_rule_test:
      - {eval_time: 4m, alertname: CarbonMeterSilent}
      - eval_time: 6m
        alertname: CarbonMeterSilent
        exp_alerts:
          - exp_labels: {severity: warning, file: /x/slurm-carbon.prom, instance: dead}
            exp_annotations:
              summary: carbon-meterd on dead has written nothing for 6m 0s
              remedy: systemctl status carbon-meterd; then carbonctl doctor on that node
          - exp_labels: {severity: warning, file: slurm-carbon.prom, instance: old}
            exp_annotations:
              summary: carbon-meterd on old has written nothing for 6m 0s
              remedy: systemctl status carbon-meterd; then carbonctl doctor on that node
      - {eval_time: 50m, alertname: CarbonMeterSealsNothing}
      - {eval_time: 20m, alertname: CarbonBatchesWait}
      - eval_time: 40m
        alertname: CarbonBatchesWait
        exp_alerts:
          - exp_labels: {severity: warning, instance: well}
            exp_annotations:
              summary: 40 batches wait on well
              remedy: is the file system of DeliverDir there? Nothing is lost until SpoolMaxMB is full
END
    promtool test rules "$dir/test.yml"
}
