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
            yes:'$ '* | yes:'# '*) compare; command=${line#??} ;;
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

@test 'docs/bloom.md: every command prints what the page says; README.md: what it shows of that job' {
    cp "${top_srcdir:?}"/tests/data/bloom/* "$BATS_TEST_TMPDIR"
    run_page "$top_srcdir/docs/bloom.md"
    export SLURM_CARBON_CONF=$BATS_TEST_TMPDIR/carbon.conf
    sacct-carbon --compare 176 >shown
    local line count=0
    while IFS= read -r line; do
        count=$((count + 1))
        # dates of factor sets differ, and a line may end in an ellipsis
        grep -F -- "${line%%…*}" shown >/dev/null || [[ $line == *'by factor set 1 of'* ]] ||
            { echo "not printed: $line"; false; }
    done < <(sed -n '/^\$ sacct-carbon --compare 176/,/^```/p' "$top_srcdir/README.md" | sed '1d;$d')
    [ "$count" -ge 10 ]
    count=0
    while IFS= read -r line; do
        count=$((count + 1))
        bash -ec "$line" >shown
        [ -s shown ]
    done < <(grep -o '`sacct-carbon [^`]* 176`' "$top_srcdir/README.md" | tr -d '`')
    [ "$count" -ge 4 ]
}

@test 'docs/users.md: every command prints what the page says' {
    local file
    for file in sacct profile users; do
        # shellcheck source=/dev/null
        . "${top_srcdir:?}/tests/cli/${file}_fixture.sh"
    done
    export CARBON_DATA=$top_srcdir/accounting/carbon
    users_fixture "$BATS_TEST_TMPDIR"
    export SLURM_CARBON_CONF=$BATS_TEST_TMPDIR/carbon.conf
    run_page "$top_srcdir/docs/users.md"
}

# Of README.md and docs/*.md: a command stands in a console block, behind a prompt, and is run by
# the pages above, by quickstart.bats, or by what docs_elsewhere.txt names. What is told of our
# programs in a sentence, `sacct-carbon --by day 176`, has only options that they have.
@test 'every command of the pages is run by a test, and every option that they name is one' {
    command -v python3 >/dev/null || skip 'no python3'
    cd "$top_srcdir"
    python3 - README.md docs/*.md <<'END'
import re, subprocess, sys

RUN_WHOLE = ('docs/quickstart.md', 'docs/bloom.md', 'docs/users.md')
OURS = r'(?:sacct-carbon|sreport-carbon|carbonctl|carbon-meterd|carbond)'
COMMAND = re.compile(r'^\s+(?:[$#] )?(?:' + OURS + r'|systemctl|apt|runuser|scripts/|s(?:batch|run|control)) ?\S')
complaints = []
pages = {page: open(page).read() for page in sys.argv[1:]}

def commands(page):
    "(command, number of the line) of its console blocks; what is nowhere in one is complained of"
    inside = found = False
    for number, line in enumerate(pages[page].split('\n'), 1):
        line_in_list = line.strip() if line.lstrip().startswith('```') else line
        if line_in_list.startswith('```'):
            inside = line_in_list == '```console'
            found = inside
        elif inside and re.match(r'^\s*[$#] ', line):
            found = True
            yield re.sub(r'^\s*[$#] ', '', line), number
        elif not inside and COMMAND.match(line) and line.startswith('    '):
            complaints.append(f'{page}:{number}: a command outside of a console block')

run = set()
for page in RUN_WHOLE:
    run |= {command for command, _ in commands(page)}
# but not the first section of it, which quickstart.sh leaves to scripts/check
run -= {'scripts/deps build packages', 'scripts/packages/build deb'}

elsewhere = {}
for line in open('tests/cli/docs_elsewhere.txt'):
    if line.startswith('#'):
        continue
    page, command, file, text = line.rstrip('\n').split(' | ')
    elsewhere[page, command] = False
    if text not in open(file).read():
        complaints.append(f'{file} has no "{text}" any more, which was to run: {command}')

total = 0
for page in pages:
    for command, number in commands(page):
        total += 1
        if command in run:
            continue
        for key in ((page, command), (page, '*')):
            if key in elsewhere:
                elsewhere[key] = True
                break
        else:
            complaints.append(f'{page}:{number}: run by nothing (docs_elsewhere.txt): {command}')
complaints += [f'docs_elsewhere.txt: {page} has not: {command}'
               for (page, command), used in elsewhere.items() if not used]

def help_of(words):
    return subprocess.run(words + ['--help'], capture_output=True, text=True).stdout

helps = {}
for page, text in pages.items():
    spans = re.findall(r'`(' + OURS + r'(?:\s[^`]*)?)`', text)
    spans += [command.split('|')[0] for command, _ in commands(page)
              if re.match(OURS + r'|scripts/', command)]
    for span in spans:
        words = span.split()
        of = words[:1]
        if words[0] == 'carbonctl':
            for word in words[1:3]:
                if re.fullmatch('[a-z][a-z-]*', word) and len(of) < 3 and help_of(of + [word]):
                    of.append(word)
            if len(words) > 1 and re.fullmatch('[a-z][a-z-]*', words[1]) and len(of) == 1:
                complaints.append(f'{page}: carbonctl has no such command: {span}')
        key = ' '.join(of)
        helps.setdefault(key, help_of(of))
        for option in re.findall(r'(?:^|\s)(--[a-z][a-z-]*)', span):
            if not re.search(re.escape(option) + r'\b(?!-)', helps[key]):
                complaints.append(f'{page}: {key} has no {option}: {span}')
print('\n'.join(dict.fromkeys(complaints)))
sys.exit(bool(complaints) or total < 60)
END
}

# Every message that is written in the sources of meterd, ingest and the database is in the page:
# of each, up to its first semicolon, the longest piece without a conversion.
@test 'docs/operations.md: every message of the daemons is in it' {
    command -v python3 >/dev/null || skip 'no python3'
    cd "$top_srcdir"
    python3 - docs/operations.md plugin/meter/*.c accounting/spool/*.c accounting/cli/ctl_ingest.c \
        accounting/carbond/*.c accounting/cli/ask.c accounting/core/address.c \
        accounting/store/{store,sqlite,postgres,lock,upgrade,copy,backup,loss,migrate}.c <<'END'
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
