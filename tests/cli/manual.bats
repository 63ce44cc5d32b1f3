#!/usr/bin/env bats
# what is said of options is the same everywhere: the program, --help, manual and completions

bats_require_minimum_version 1.5.0

setup_file() {
    local dir
    top_srcdir=${top_srcdir:-$PWD}
    top_builddir=${top_builddir:-$PWD/build}
    dir=$BATS_FILE_TMPDIR
    export top_srcdir top_builddir man=$top_srcdir/docs/man
    export completion=$top_srcdir/scripts/completion
    export PATH=$top_builddir:$PATH LC_ALL=C.UTF-8 TZ=UTC HOME=$dir
    unset SLURM_CARBON_CONF SLURM_CONF SACCT_CARBON_FORMAT
    list_commands >"$dir/commands"
    # --help of all, and its options one a line: "NAME SHORT ARGUMENT", "-" where there is none
    local words
    while read -ra words; do
        "${words[@]}" --help >"$dir/${words[*]}.help" || true
        options_of_help <"$dir/${words[*]}.help" >"$dir/${words[*]}.options"
    done <"$dir/commands"
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    export CARBON_DATA=$top_srcdir/accounting/carbon
}

# Every program, every command of carbonctl and every part of one.
list_commands() {
    local command
    printf '%s\n' sacct-carbon sreport-carbon carbon-meterd carbonctl
    [ ! -x "$top_builddir/carbond" ] || echo carbond
    carbonctl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | while read -r command; do
        echo "carbonctl $command"
        carbonctl "$command" --help | sed -n "s/^  \(carbonctl $command [a-z]*\) .*/\1/p"
    done
}

# Lines that begin with an option: "  -j, --jobs=LIST   help", "  --set N  help", "[=FORM]".
options_of_help() {
    local letter='(-([A-Za-z]), )?' argument='(\[?=([^] ]+)\]?| ([^ ]+))?'
    sed -nE "s/^ {2,6}$letter--([a-z0-9-]+)$argument( {2,}.*)?\$/\\3 -\\2 -\\4/p" |
        sed -E 's/ -([^ ]*) -[ =]?([^ ]*)$/ \1 \2/' | awk -F'[ ]' '{
            print $1, $2 == "" ? "-" : $2, $3 == "" ? "-" : $3 }' | sort
}

# The same of a manual page; of carbonctl.8 those of one .Ss, "OPTIONS" being the section.
options_of_page() { # FILE [PART]
    awk -v part="${2-}" '
        /^\.Sh / { at = substr($0, 5) }
        /^\.Ss / && at != "OPTIONS" { at = substr($0, 5) }
        /^\.It Fl / && (part == "" || at == part)' "$1" |
        sed -E 's/^\.It /  /; s/Fl -/--/g; s/Fl /-/g; s/ , /, /; s/ Ns = Ns (Ar|Cm) /=/
                s/ Ns Op = Ns Ar ([A-Z]+)/[=\1]/; s/ (Ar|Cm) / /' |
        options_of_help
}

page_of() { # PROGRAM
    ls "$man/$1".[1-8]
}

@test 'every command, and every part of one, answers --help on standard output' {
    local words
    [ "$(wc -l <commands)" -ge 30 ]
    while read -ra words; do
        echo "${words[*]}"
        run --separate-stderr "${words[@]}" --help
        [ "$status" -eq 0 ]
        [[ $output == 'Usage: '"${words[*]}"* ]]
        # shellcheck disable=SC2154 # run sets it
        [ -z "$stderr" ]
        grep -q '^help h -$' "${words[*]}.options"
    done <commands
}

# After run: no complaint about the option itself; its value may be refused.
is_taken() {
    ! grep -E 'option [^ ]+ is not known|no option|unrecognized|invalid option|an argument' \
        <<<"$output"
}

@test 'every option of --help is one that the program takes, with an argument or without' {
    local words name short argument
    while read -ra words; do
        while read -r name short argument; do
            case $argument in
                -) set -- "--$name" ;;
                *) set -- "--$name=1" ;;
            esac
            echo "${words[*]} $*"
            run "${words[@]}" "$@" --help </dev/null
            is_taken
            [ "$short" != - ] || continue
            [ "$argument" = - ] || set -- 1
            [ "$argument" != - ] || set --
            run "${words[@]}" "-$short" "$@" --help </dev/null
            is_taken
        done <"${words[*]}.options"
    done <commands
}

# Of the programs that have their options in one table, --help is made of it.
@test 'every option that carbonctl takes is in the --help of its command' {
    local file name found=0
    for file in "$top_srcdir"/accounting/cli/ctl_*.c; do
        sed -n 's/^ *\.name = "\(.*\)",$/carbonctl \1.options/p' "$file" >names
        while read -r name; do
            found=$((found + 1))
            echo "$file: $name"
            xargs -d '\n' grep -q "^$name " <names
        done < <(grep -oE '\{ "[a-z0-9-]+", (no|required|optional)_argument' "$file" |
            cut -d'"' -f2)
    done
    [ "$found" -gt 40 ]
}

@test 'manual: options are those of --help, with their letters and arguments' {
    local words
    while read -ra words; do
        echo "${words[*]}"
        case ${words[*]} in
            carbonctl) options_of_page "$man/carbonctl.8" OPTIONS >page ;;
            carbonctl\ *)
                grep -q "^\.Ss ${words[*]:1}$" "$man/carbonctl.8"
                # what every command takes is told once
                { options_of_page "$man/carbonctl.8" OPTIONS | grep -v '^version '
                  options_of_page "$man/carbonctl.8" "${words[*]:1}"; } | sort >page ;;
            *) options_of_page "$(page_of "${words[0]}")" >page ;;
        esac
        diff "${words[*]}.options" page
    done <commands
    # and no command that is gone
    diff <(sed -n '/^\.Sh COMMANDS/,/^\.Sh ENV/s/^\.Ss /carbonctl /p' "$man/carbonctl.8" | sort) \
        <(grep '^carbonctl ' commands | sort)
}

@test 'sacct-carbon.1: fields are those of --helpformat' {
    sacct-carbon --helpformat | sed -n 's/^\([^ ]\{1,\}\) .*/\1/p' | sort >fields
    [ "$(wc -l <fields)" -gt 80 ]
    diff fields <(sed -n '/^\.Sh FIELDS/,/^\.Sh ENV/s/^\.It Cm //p' "$man/sacct-carbon.1" |
        sed 's/ , /\n/g' | sort)
}

@test 'carbon.conf.5: keys and defaults are those of the table' {
    # the sample is held against the table by test_conf
    sed -n 's/^#\([A-Za-z]*=.*\)/\1/p' "$top_srcdir/docs/carbon.conf.sample" | sort >keys
    diff <(carbonctl config --config /dev/null | sed -n 's/^\([A-Za-z]*\)=.*/\1/p' | sort) \
        <(cut -d= -f1 keys)
    awk '
        function put() { if (key != "") print key "=" value }
        /^\.S[hs] / { put(); key = "" }
        /^\.It Cm [A-Za-z]+ Ns = / { put(); key = $3; value = "" }
        key == "" { next }
        wanted { value = $2; wanted = 0 }
        /^The default is$/ { wanted = 1 }
        /^The default is ./ { value = $4; sub(/\.$/, "", value) }' "$man/carbon.conf.5" | sort >page
    diff keys page
}

@test 'inventory.conf.5: keys are those of the table' {
    local kind
    for kind in node_type asset pue market account shared; do
        echo "$kind"
        awk -v begin="^static const char .const ${kind}_keys" '
            $0 ~ begin { on = 1 }
            on
            /};/ { on = 0 }' "$top_srcdir/accounting/carbon/inventory.c" |
            grep -o '"[a-z0-9_]*"' | tr -d '"' | sort >"$kind.keys"
        [ -s "$kind.keys" ]
        awk -v kind="$kind" '
            /^\.S[hs] / { at = substr($0, 5) }
            at == kind && /^\.It Cm / { print $3 }' "$man/inventory.conf.5" |
            grep -vx asset | sort >"$kind.page" || true
        # of shared it says how it differs from an asset
        [ "$kind" = shared ] || diff "$kind.keys" "$kind.page"
    done
    diff shared.keys <(grep -vxE 'class|nodes' asset.keys)
}

@test 'manual: pages are rendered without a warning' {
    local page
    command -v man >/dev/null || skip 'no man: scripts/deps test installs it'
    for page in "$man"/*; do
        echo "$page"
        run --separate-stderr env MANWIDTH=80 man --warnings=w -l "$page"
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        [[ $output == *NAME*DESCRIPTION* ]]
    done
}

@test 'manual: mandoc has nothing to say of the pages' {
    local page known='operating system explicitly|referenced manual not found|outdated mandoc.db'
    known+='|FIELDS instead of FILES'
    command -v mandoc >/dev/null || skip 'no mandoc: scripts/deps test installs it'
    for page in "$man"/*; do
        # what system they are of is said; which pages a machine has is its own affair
        run mandoc -T lint -W style "$page"
        run grep -vE "$known" <<<"$output"
        [ -z "$output" ]
    done
}

@test 'manual: what a page refers to is there, and every page is installed' {
    local page name section
    for page in "$man"/*; do
        grep -qF "docs/man/${page##*/}" "$top_srcdir/docs/local.mk"
        while read -r name section _; do
            case $name in # of slurm-carbon
                *carbon* | inventory.conf) [ -f "$man/$name.$section" ] ;;
            esac
        done < <(sed -n 's/^\.Xr //p' "$page")
    done
}

# --- completion -----------------------------------------------------------------------------------

# bash_completes WORD...: what is offered for the last word, in a bash of its own
bash_completes() {
    bash --norc --noprofile -c '
        . "$completion/bash/sacct-carbon"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        function=$(complete -p "$1") function=${function#*-F } function=${function%% *}
        "$function" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        [ "${#COMPREPLY[@]}" -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}" | sort' bash "$@"
}

fish_completes() { # LINE
    # shellcheck disable=SC2016 # fish's
    fish --no-config -c 'source $completion/fish/(string split " " -- $argv[1])[1].fish
        complete -C "$argv[1]"' "$1" | cut -f1 | sort
}

needs_fish() {
    command -v fish >/dev/null || skip 'no fish: scripts/deps test installs it'
}

needs_zsh() {
    command -v zsh >/dev/null || skip 'no zsh: scripts/deps test installs it'
}

zsh_completes() { # LINE...: an empty line ends what is offered for each
    zsh -f "$top_srcdir/tests/cli/complete.zsh" "$completion/zsh" "$@"
}

@test 'completion of bash: options are those of --help' {
    local words
    while read -ra words; do
        echo "${words[*]}"
        # with '=' where the option must have an argument
        diff <(awk '{ print "--" $1 ($3 ~ /^[A-Za-z]/ ? "=" : "") }' "${words[*]}.options" | sort) \
            <(bash_completes "${words[@]}" -- | sort)
    done <commands
}

@test 'completion of fish: options are those of --help' {
    local words
    needs_fish
    while read -ra words; do
        echo "${words[*]}"
        # an option whose argument may be left out is offered twice, with '=' and without
        diff <(awk '{ print "--" $1 } $2 != "-" { print "-" $2 } $3 ~ /^\[/ { print "--" $1 "=" }' \
                "${words[*]}.options" | sort) \
            <(fish_completes "${words[*]} -" | sort)
    done <commands
}

@test 'completion of zsh: options are those of --help' {
    local words lines count=0
    needs_zsh
    mapfile -t lines < <(sed 's/$/ --/' commands)
    zsh_completes "${lines[@]}" >zsh
    while read -ra words; do
        echo "${words[*]}"
        count=$((count + 1))
        diff <(sed 's/^\([^ ]*\) .*/--\1/' "${words[*]}.options" | sort) \
            <(awk -v RS= -v n=$count 'NR == n' zsh | sort)
    done <commands
}

# offers SHELL LINE: the same, for all three; words of LINE have single blanks between them
offers() {
    local words
    case $1 in
        bash)
            # as readline cuts it: '=' is a word of its own
            mapfile -t words < <(sed 's/=/\n=\n/; s/ /\n/g' <<<"$2")
            bash_completes "${words[@]}" ;;
        fish) fish_completes "$2" | sed 's/^--[a-z]*=//' ;;
        zsh) zsh_completes "$2" | sed '/^$/d' ;;
    esac
}

# The line, then all that is offered for it. Of a list zsh tells the last item only.
expectations() {
    cat <<'LINES'
carbonctl i|ingest init inventory
carbonctl gr|grid
carbonctl m|migrate-store
carbonctl grid |import list show
carbonctl help grid |import list show
carbonctl -c /dev/null repair |loss sums
carbonctl grid import --format |csv eco2mix electricitymaps uk
carbonctl grid show --basis=l|lifecycle
carbonctl factors show --set 3 g|grid_intensity.csv
carbonctl backup --verify data|data.db
sacct-carbon --by |day hour month
sacct-carbon --by=d|day
sacct-carbon --profile=|csv svg text
sacct-carbon --units=k|kJ kWh
sacct-carbon -s NODE|NODE_FAIL
sacct-carbon -o AvgP|AvgPower AvgPowerRaw AvgPowerW
sacct-carbon --config dat|data.db
sreport-carbon --mode |capacity planned share
sreport-carbon --section tr|trend
carbon-meterd --config dat|data.db
LINES
}

completes_values() { # SHELL
    local line words count=0
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work"
    touch data.db
    if [ "$1" = zsh ]; then # one for all lines, as it is slow to start
        mapfile -t words < <(expectations | cut -d'|' -f1)
        zsh_completes "${words[@]}" >../zsh
    fi
    while IFS='|' read -r line words; do
        echo "$1: $line"
        count=$((count + 1))
        if [ "$1" = zsh ]; then
            awk -v RS= -v n=$count 'NR == n' ../zsh >../found
        else
            offers "$1" "$line" >../found
        fi
        diff <(tr ' ' '\n' <<<"$words") ../found
    done < <(expectations)
    [ "$count" -gt 15 ]
}

@test 'completion of bash: commands, values, files' {
    completes_values bash
    [ "$(offers bash 'sacct-carbon -s RUNNING,FAI')" = RUNNING,FAILED ]
    offers bash 'sreport-carbon --month ' | grep -q "^$(date -u +%Y-%m)$"
}

@test 'completion of fish: commands, values, files' {
    needs_fish
    completes_values fish
    [ "$(offers fish 'sacct-carbon -s RUNNING,FAI')" = RUNNING,FAILED ]
    offers fish 'sreport-carbon --month ' | grep -q "^$(date -u +%Y-%m)$"
}

@test 'completion of zsh: commands, values, files' {
    needs_zsh
    completes_values zsh
    [ "$(offers zsh 'sacct-carbon -s RUNNING,FAI')" = FAILED ]
    offers zsh 'sreport-carbon --month ' | grep -q "^$(date -u +%Y-%m)$"
}

# The books of sacct_fixture.sh, as if they were of the last hours, and one's own.
books() {
    command -v sqlite3 >/dev/null || skip 'no sqlite3 command'
    # shellcheck source=tests/cli/sacct_fixture.sh
    . "$top_srcdir/tests/cli/sacct_fixture.sh"
    # shellcheck disable=SC2034 # sacct_fixture's
    t0=$((($(date +%s) / 3600 - 3) * 3600))
    sacct_fixture "$BATS_TEST_TMPDIR"
    # an account that would be a command
    sqlite3 "$BATS_TEST_TMPDIR/carbon.db" "UPDATE job SET uid = $(id -u);
        UPDATE job SET account = '\$(touch harm)' WHERE job_id = 120"
    export SLURM_CARBON_CONF=$BATS_TEST_TMPDIR/carbon.conf
}

completes_jobs() { # SHELL
    cd "$BATS_TEST_TMPDIR"
    sacct-carbon -n -X -P -o JobID -S now-7days | sort >jobs
    grep -qx 100 jobs
    grep -qx 110_3 jobs
    diff jobs <(offers "$1" 'sacct-carbon ' | sort)
    diff jobs <(offers "$1" 'sacct-carbon -j ' | sort)
    diff <(grep ^11 jobs) <(offers "$1" 'sacct-carbon --explain 11' | sort)
    [ "$(offers "$1" 'sacct-carbon --accounts phy')" = physics ]
    [ "$(offers "$1" 'sacct-carbon -M al' | xargs)" = 'all alpha' ]
    [ ! -e harm ]
    # books that cannot be read: nothing, and nothing said
    echo "Database=sqlite:$BATS_TEST_TMPDIR/none.db" >"$SLURM_CARBON_CONF"
    run --separate-stderr offers "$1" 'sacct-carbon '
    [ -z "$output" ]
    [ -z "$stderr" ]
}

@test "completion of bash: the user's jobs, from the books" {
    books
    # a name is typed as it stands, so none is offered that a shell would run
    sacct-carbon -n -X -P -o Account -S now-7days | grep -qF '$(touch'
    offers bash 'sacct-carbon -A ' >accounts
    cat accounts
    grep -qx physics accounts
    run ! grep -vx '[a-z]*' accounts
    completes_jobs bash
}

@test "completion of fish: the user's jobs, from the books" {
    needs_fish
    books
    completes_jobs fish
}

@test "completion of zsh: the user's jobs, from the books" {
    needs_zsh
    books
    completes_jobs zsh
}

# A program that never answers, as on a database whose disk hangs.
@test 'completion: books that do not answer are waited for a few seconds at most' {
    local shell begin
    printf '#!/bin/sh\nexec sleep 60\n' >"$BATS_TEST_TMPDIR/sacct-carbon"
    chmod +x "$BATS_TEST_TMPDIR/sacct-carbon"
    PATH=$BATS_TEST_TMPDIR:$PATH
    for shell in bash fish; do
        command -v "$shell" >/dev/null || continue
        begin=$(date +%s)
        run offers "$shell" 'sacct-carbon '
        [ -z "$output" ]
        [ "$(($(date +%s) - begin))" -lt 20 ]
    done
}

@test 'completion: each command has a file, and each file is right for its shell' {
    local file name
    bash -n "$completion/bash/sacct-carbon"
    for name in sacct-carbon sreport-carbon carbonctl carbon-meterd carbond; do
        grep -q "^complete -F [_a-z]* $name$" "$completion/bash/sacct-carbon"
        [ "$(head -n 1 "$completion/zsh/_$name")" = "#compdef $name" ]
        [ -f "$completion/fish/$name.fish" ]
    done
    needs_zsh
    for file in "$completion"/zsh/*; do zsh -n "$file"; done
    needs_fish
    for file in "$completion"/fish/*; do fish -n "$file"; done
}
