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

# Every message that is written in the sources of meterd, ingest and the database is in the page:
# of each, up to its first semicolon, the longest piece without a conversion.
@test 'docs/operations.md: every message of the daemons is in it' {
    command -v python3 >/dev/null || skip 'no python3'
    cd "$top_srcdir"
    python3 - docs/operations.md plugin/meter/*.c accounting/spool/*.c accounting/cli/ctl_ingest.c \
        accounting/store/{store,lock,upgrade,copy,backup,loss}.c <<'END'
import re, sys

CALL = re.compile(r'\b(?:log_line|say|complain|error_set|error_set_errno|error_prefix)\(')
TEXT = r'"(?:[^"\\]|\\.)*"'
MESSAGE = re.compile(TEXT + r'(?:\s*(?:PRI\w+\s*)?' + TEXT + ')*')

def arguments(source, begin):
    depth, quoted = 1, False
    for at in range(begin, len(source)):
        c = source[at]
        if c == '"' and source[at - 1] != '\\':
            quoted = not quoted
        elif not quoted:
            depth += (c == '(') - (c == ')')
            if depth == 0:
                return source[begin:at]

def piece(message):
    text = ''.join(part[1:-1] for part in re.findall(TEXT, message)).replace('\\"', '"')
    return max(re.split(r'%[-.*0-9]*[a-z]*', text.split(';')[0]), key=len).strip(' :,')

page = ' '.join(open(sys.argv[1]).read().split())
found, lacking = 0, []
for path in sys.argv[2:]:
    source = open(path).read()
    for call in CALL.finditer(source):
        for message in MESSAGE.finditer(arguments(source, call.end())):
            wanted = piece(message.group())
            found += len(wanted) >= 8
            if len(wanted) >= 8 and wanted not in page:
                lacking.append(f'{path}: {wanted}')
print('\n'.join(lacking))
sys.exit(bool(lacking) or found < 80)
END
}

@test 'docs/operations.md: the restore that it tells to type is one' {
    local dir=$BATS_TEST_TMPDIR
    mkdir "$dir/deliver" "$dir/backup" "$dir/lib"
    printf 'Database=sqlite:%s\nDeliverDir=%s\n' "$dir/lib/carbon.db" "$dir/deliver" >"$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    carbonctl init >"$dir/log" 2>&1
    mkbatches "$dir/deliver" 1 8 >/dev/null
    carbonctl ingest
    carbonctl backup "$dir/backup/carbon.db"
    mkbatches "$dir/deliver" 1 12 >/dev/null
    carbonctl ingest # what the backup lacks
    carbonctl audit >"$dir/before"
    head -c 100000 /dev/zero >"$dir/lib/carbon.db"
    sed -n '/^To restore/,/^The third/s/^\$ //p' "$top_srcdir/docs/operations.md" |
        sed "s|/var/lib/slurm-carbon|$dir/lib|g; s|/backup/|$dir/backup/|g" >"$dir/typed"
    [ "$(wc -l <"$dir/typed")" -eq 8 ]
    bash -e "$dir/typed"
    carbonctl audit | grep -q 'the books balance'
    [ "$(stat -c %a "$dir/lib/carbon.db")" = 640 ]
    mkbatches "$dir/deliver" 1 12 >/dev/null # the meters go on
    run carbonctl ingest
    [[ $output == *'loaded 4, duplicates 8, quarantined 0, left 0'* ]]
    diff <(carbonctl audit) "$dir/before"
}
