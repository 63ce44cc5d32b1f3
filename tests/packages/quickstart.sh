# quickstart.sh - types what docs/quickstart.md tells to type, and looks at what comes of it: on a
# machine with Slurm that was started by tests/packages/boot, for quickstart.bats
set -euo pipefail
cd /packages # where the page has one go
export LC_ALL=C.UTF-8
said=/tmp/said

die() {
    echo "quickstart: $*"
    exit 1
}

within() { # SECONDS COMMAND...: until it is true
    local i
    for ((i = 0; i < $1; i++)); do
        if "${@:2}" >/dev/null 2>&1; then return 0; fi
        sleep 1
    done
    die "in vain for $1 s: ${*:2}"
}

as_alice() { runuser --whitelist-environment LC_ALL -l alice -c "$1"; }

# "# COMMAND" or "$ COMMAND"; what it prints is in $said as well.
type_line() {
    printf '%s\n' "$1"
    case $1 in
        '# '*) bash -c "${1:2}" ;;
        '$ '*) as_alice "${1:2}" ;;
    esac </dev/null >"$said" 2>&1 || { cat "$said"; die "that failed"; }
    cat "$said"
}

# What the page shows below a command is what it prints, as far as the first word of each line goes:
# figures, times and names are of that day. Prints of the page come by standard input.
looks_like_the_page() {
    local shown rest=1 at
    while read -r shown _; do
        [[ $shown && $shown != … ]] || continue
        at=$(awk -v rest="$rest" -v word="$shown" 'NR >= rest && $1 == word { print NR; exit }' "$said")
        [ -n "$at" ] || die "the page shows a line that begins with '$shown': this one prints none"
        rest=$((at + 1))
    done
}

# All commands of a section, in their order.
type_section() { # TITLE
    local line shown='' inside=no count=0 block
    block=$(sed -n "/^## $1\$/,/^## /p" /quickstart.md)
    while IFS= read -r line; do
        case $inside:$line in
            no:'```console') inside=yes ;;
            yes:'```') looks_like_the_page <<<"$shown"; shown='' inside=no ;;
            yes:'# '* | yes:'$ '*)
                [ -z "$shown" ] || looks_like_the_page <<<"$shown"
                shown='' count=$((count + 1))
                if [[ $line == *' sacct-carbon 1' ]]; then within 300 is_booked; fi
                type_line "$line" ;;
            yes:*) shown+=$line$'\n' ;;
        esac
    done <<<"$block"
    [ "$count" -gt 0 ] || die "no command in section '$1'"
    typed+=("$1")
}

node_is_idle() { [ -n "$(sinfo --noheader --states idle --responding)" ]; }

is_booked() { as_alice 'sacct-carbon 1' | grep -q COMPLETED; }

says() { grep -q -- "$1" "$said" || die "it does not say '$1'"; }

step_runs() { squeue --steps --noheader --format %i | grep -qx "$1"; }

state_of() { # JOB STATE [EXIT-CODE]
    scontrol show job "$1" | grep -q "JobState=$2 " && scontrol show job "$1" | grep -q "ExitCode=${3-}"
}

strays() { find / /run -xdev \( -iname '*carbon*' -o -path '*/slurm/inventory.conf' \) ! -path '/packages/*'; }

# scripts/check has typed the first section
typed=('The packages')
within 30 node_is_idle
type_section 'The node: a plugin and a meter'
within 30 node_is_idle
type_section 'The management node: the books'
# its report is one of the hour that runs
while [ "$(date +%-M)" -ge 56 ]; do sleep 1; done
type_section 'A first job'
[ "$(as_alice 'sacct-carbon -nPX -o EnergyRaw 1')" -gt 0 ]
type_section 'Is all well?'
says '^0 problems, '
# nothing is to be wished for, but for what a machine or a container may not have: counters, NTP
if grep '^warning' "$said" | grep -vE '^warning *(sensors|clock) '; then die 'there are other warnings'; fi
type_section 'The first report'
says '^  alice '

# a job that runs while all of it is removed, and that starts a step afterwards
job=$(as_alice "sbatch --parsable --wrap 'srun sleep 15 && srun hostname'")
within 30 step_runs "$job.0"
type_section 'Away with it'
state_of "$job" RUNNING || die 'the job was to run on'
[ -s /var/lib/slurm-carbon/carbon.db ] || die 'the books are gone'
[ "$(strays | grep -vE '^/(var/(lib|spool)/slurm-carbon|etc/slurm/(carbon|inventory).conf)')" = '' ] ||
    die "that is left: $(strays)"
within 60 state_of "$job" COMPLETED 0:0
[ "$(as_alice 'srun hostname')" = "$(hostname)" ]

type_section 'The books too'
[ "$(strays)" = '' ] || die "that is left: $(strays)"
if getent passwd slurm-carbon || getent group slurm-carbon; then die 'the user is left'; fi

sed -n 's/^## //p' /quickstart.md | diff - <(printf '%s\n' "${typed[@]}") || die 'that was not typed'
