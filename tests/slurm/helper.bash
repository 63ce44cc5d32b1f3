# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154
# Helpers of the tests on a real Slurm. Each file has one site of its own (scripts/site), with
# simulated machines unless it says otherwise; the tests of a file run in order and share it.
#
#   BUILD   build folder, whose plugin was built for the Slurm in use; needs `make check TESTS=`
#   TREE    a Debian tree with that Slurm (scripts/cluster chroot); empty: this machine's

bats_require_minimum_version 1.5.0
top=$(realpath "$BATS_TEST_DIRNAME/../..")
# shellcheck source=scripts/site
. "$top/scripts/site"
[ -z "${SITE_RUN:-}" ] || site_load "$SITE_RUN"

# In setup_file. Settings of site_up may be set before.
start_site() {
    [ "$(id -u)" = 0 ] || skip 'needs root'
    site_build=${BUILD:?a build folder} site_tree=${TREE:-}
    # Other runs may be under way on this machine.
    site_prefix=t$(tr -dc "[:lower:]" </dev/urandom | head -c 4 || true)
    SITE_RUN=$(mktemp -d /run/slurm-carbon.XXXXXX)
    site_run=$SITE_RUN
    export SITE_RUN
    # Settings can name RUN before there is one.
    site_cluster=("${site_cluster[@]//RUN/$SITE_RUN}")
    site_up
    # The meters have read their counters for the first time.
    SITE_SINCE_NS=$("$site_build/tests/fake/fakesys" --now)
    export SITE_SINCE_NS
}

# In teardown_file. What a failed run left behind is shown where bats shows it.
stop_site() {
    [ -n "${SITE_RUN:-}" ] || return 0
    site_down
}

node() { # the name of node NUMBER
    echo "$site_prefix$1"
}

# A job of user alice, by sbatch; prints its id. The script comes last.
submit() { # [OPTION]... SCRIPT
    site_exec --user alice -- sbatch --parsable --chdir "$site_run/work" --account physics \
        --output "%j.out" "${@:1:$#-1}" --wrap "${*: -1}"
}

# A function for job scripts that keeps a CPU at work for SECONDS (may have decimals).
burn='burn() { local end=$((${EPOCHREALTIME/[.,]/} + $(printf %.0f "${1}e6"))); while ((${EPOCHREALTIME/[.,]/} < end)); do :; done; };'

bash_script() { # SCRIPT: as one command of sbatch --wrap or srun
    printf 'exec bash -c %q' "$burn $1"
}

# The one value of a query.
value() {
    local rows
    rows=$(site_sql "$1") || return
    [ "$(wc -l <<<"$rows")" = 1 ] || { echo "not one row: $1: $rows" >&2; return 1; }
    echo "$rows"
}

# Until COUNT jobs that are over meet CONDITION.
wait_booked() { # COUNT CONDITION
    site_until 60 "$1 jobs with $2 are in the books" jobs_are_booked "$@"
}

jobs_are_booked() {
    [ "$(site_sql "SELECT count(*) FROM job WHERE $2 AND end_s IS NOT NULL")" -ge "$1" ]
}

step_is_over() { # JOB_ID STEP_ID
    [ -n "$(site_sql "SELECT 1 FROM step JOIN job USING (job_key)
        WHERE job_id = $1 AND step_id = $2 AND end_ns IS NOT NULL")" ]
}

# Wall clock of the books to CLOCK_BOOTTIME, both in ns, by the stamps of a batch of that node.
boottime() { # NODE-NUMBER WALL_NS
    value "SELECT $2 - begin_wall_ns + begin_boottime_ns FROM batch JOIN node USING (node_key)
        WHERE name = '$(node "$1")' ORDER BY begin_wall_ns DESC LIMIT 1"
}

# Asserts |A - B| <= LIMIT, with what was compared.
near() { # WHAT A B LIMIT
    awk -v what="$1" -v a="$2" -v b="$3" -v limit="$4" 'BEGIN {
        d = a - b; if (d < 0) d = -d
        printf "%s: %s, expected %s, off by %.4g, allowed %.4g\n", what, a, b, d, limit
        exit !(d <= limit) }' >&2
}

# Asserts that A is within PERCENT of B.
near_percent() { # WHAT A B PERCENT
    near "$1 (allowed $4 %)" "$2" "$3" "$(awk -v b="$3" -v p="$4" 'BEGIN { print b * p / 100 }')"
}

same() { # WHAT A B
    [ "$2" = "$3" ] || { echo "$1: '$2', expected '$3'" >&2; return 1; }
}

audit() {
    local out
    out=$(site_tool carbonctl --config "$site_run/etc/carbon.conf" audit 2>&1) || { echo "$out" >&2; return 1; }
}

# --- the books ----------------------------------------------------------------------------------

# "JOB_KEY BEGIN_NS END_NS", in ns of CLOCK_BOOTTIME, of a job's (or a run's) allocation on a node.
allocation_of() { # JOB_ID [NODE-NUMBER [RESTARTS]]
    local key begin end
    IFS='|' read -r key begin end < <(value "SELECT job_key, begin_ns, end_ns FROM allocation
        JOIN job USING (job_key) JOIN node USING (node_key)
        WHERE job_id = $1 AND name = '$(node "${2:-1}")' ${3:+AND restart_count = $3}")
    echo "$key $(boottime "${2:-1}" "$begin") $(boottime "${2:-1}" "$end")"
}

# The same of a step.
step_of() { # JOB_ID STEP_ID
    local key begin end
    IFS='|' read -r key begin end < <(value "SELECT job_key, begin_ns, end_ns FROM step
        JOIN job USING (job_key) WHERE job_id = $1 AND step_id = $2")
    echo "$key $(boottime 1 "$begin") $(boottime 1 "$end")"
}

# Energy booked to a job (and one of its steps), in mJ.
booked_mj() { # JOB_KEY COMPONENT [active_mj|idle_mj|active_mj+idle_mj [STEP_ID]]
    value "SELECT COALESCE(sum(${3:-active_mj+idle_mj}), 0) FROM energy
        WHERE job_key = $1 AND component = '$2' ${4:+AND step_id = $4}"
}

# True energy of all domains of a pattern on a node, in uJ.
truth_all() { # NODE-NUMBER FROM TO DOMAIN...
    local domain total=0
    for domain in "${@:4}"; do
        total=$((total + $(truth "$(node "$1")" "$2" "$3" "$domain")))
    done
    echo "$total"
}

packages=(package-0 package-1)
drams=(dram-0 dram-1)

# The strongest statement: with the simulated power at 0 around the first reading and the last, the counters delivered exactly the true energy, and so must the books: to the microjoule
# as sealed, to the millijoule as stored. Ends the meter of that node.
assert_counted_is_truth() { # NODE-NUMBER
    local name component counted stored true_uj
    name=$(node "$1")
    site_control "$name" 'power * 0'
    sleep 3
    site_stop_meter "$name"
    site_until 30 'nothing lies undelivered' site_all_delivered
    for component in cpu memory; do
        case $component in
            cpu) true_uj=$(truth_all "$1" "$SITE_SINCE_NS" now "${packages[@]}") ;;
            memory) true_uj=$(truth_all "$1" "$SITE_SINCE_NS" now "${drams[@]}") ;;
        esac
        # Within a stream, amounts are cumulative.
        counted=$(value "SELECT sum(uj) FROM (SELECT max(end_uj) - min(begin_uj) AS uj
            FROM batch_component JOIN node USING (node_key)
            WHERE name = '$name' AND component = '$component' GROUP BY stream)")
        stored=$(value "SELECT sum(counted_mj) FROM node_total JOIN node USING (node_key)
            WHERE name = '$name' AND component = '$component'")
        same "$name $component, counted in uJ" "$counted" "$true_uj"
        # Each batch's mJ are rounded from the running total, so they never drift.
        near "$name $component, stored in mJ" "$stored" $(((true_uj + 500) / 1000)) 1
    done
}

site_all_delivered() {
    [ -z "$(find "$site_run"/carbon/deliver -name '*.batch' -print -quit)" ]
}

# Energy rows against totals, for every node, hour and component: no difference is allowed.
assert_rows_are_totals() {
    same 'differences between rows and totals' "$(site_sql "SELECT name, t.hour_s, t.component, counted_mj,
        sum(active_mj + idle_mj) FROM node_total t JOIN node USING (node_key)
        LEFT JOIN energy e USING (node_key, hour_s, component)
        GROUP BY t.node_key, t.hour_s, t.component
        HAVING counted_mj <> COALESCE(sum(active_mj + idle_mj), 0)")" ''
}
