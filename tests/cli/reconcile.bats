#!/usr/bin/env bats
# carbonctl reconcile: what sacct prints, into the books. tests/slurm/dbd.bats does it with a real
# slurmdbd; here are the cases that are hard to make there.
# shellcheck disable=SC2154


setup() {
    PATH=${top_builddir:?}:$PATH
    export CARBON_DATA=$top_srcdir/accounting/carbon TZ=UTC
    unset SLURM_CONF SLURM_TIME_FORMAT
    cd "$BATS_TEST_TMPDIR"
    cat >batch.sql <<'SQL'
DELETE FROM job; DELETE FROM allocation; DELETE FROM step;
INSERT INTO job (job_key, cluster, job_id, restart_count, account, begin_s, end_s, exit_status) VALUES
    (1, 'c', 7, 0, 'told-by-node', 1000000, 1003600, 15),
    (2, 'c', 8, 0, NULL, 1000100, 1000200, 0),
    (3, 'c', 8, 1, NULL, 1000400, 1000500, 0),
    (4, 'c', 9, 0, NULL, 1000000, NULL, NULL),
    (5, 'd', 7, 0, NULL, 1000000, 1003600, 0),
    (6, 'c', 99, 0, NULL, 1000000, 1000001, 0);
SQL
    printf 'Database=sqlite:%s/carbon.db\nDeliverDir=%s/deliver\nClusterName=c\nZone=FR\n' "$PWD" "$PWD" >carbon.conf
    mkdir deliver
    export SLURM_CARBON_CONF=$PWD/carbon.conf
    carbonctl init >/dev/null
    sqlite3 carbon.db <batch.sql
}

# A file as sacct -P prints it; each argument is a line.
said() {
    printf '%s\n' 'JobIDRaw|JobID|Cluster|Submit|Start|End|State|User|Account|QOS|NNodes|AllocTRES|JobName' "$@" >said
}

of() { # JOB_KEY COLUMNS
    sqlite3 carbon.db "SELECT $2 FROM job WHERE job_key = $1"
}

same() {
    [ "$2" = "$1" ] || { printf 'expected: %s\nfound:    %s\n' "$1" "$2"; return 1; }
}

@test "what slurmdbd says of a run is in the books, and is what is asked for" {
    said '7|7|c|999000|1000002|1003599|CANCELLED by 1000|alice|physics|high|2|cpu=8,node=2|a|b'
    run carbonctl reconcile --sacct-file said
    [ "$status" -eq 0 ]
    [[ $output == *'joined to the books: 1'* ]]
    same 'CANCELLED|999000|cpu=8,node=2|alice|physics|high|2|a|b' \
        "$(of 1 'state, submit_s, alloc_tres, user_name, account, qos, node_count, job_name')"
    same '|' "$(of 5 'state, account')"
    same '7|CANCELLED|1970-01-12T13:30:00|cpu=8,node=2|physics|a\x7cb' \
        "$(sacct-carbon -M c -n -X -P -o JobID,State,Submit,AllocTRES,Account,JobName 7)"
    same 7 "$(sacct-carbon -M c -n -X -P -a -S 1970-01-12 -E 1970-01-13 -s CA -o JobID)"
    run -1 sacct-carbon -M d -a -S 1970-01-12 -E 1970-01-13 -s CA
    [[ $output == *'CANCELLED cannot be told here'*'carbonctl reconcile'* ]]
}

@test "each run of a requeued job finds its own, whatever comes first" {
    said '8|8|c|1000350|1000398|1000501|COMPLETED|bob|x|q|1||second' \
        '8|8|c|1000000|1000099|1000201|REQUEUED|bob|x|q|1||first'
    carbonctl reconcile --sacct-file said
    same 'REQUEUED|first' "$(of 2 'state, job_name')"
    same 'COMPLETED|second' "$(of 3 'state, job_name')"
    # one that never came to its node does not take the place of the next
    sqlite3 carbon.db 'UPDATE job SET state = NULL, job_name = NULL, reconciled_s = NULL; DELETE FROM job WHERE job_key = 2'
    said '8|8|c|1000350|1000398|1000501|COMPLETED|bob|x|q|1||second' \
        '8|8|c|1000000|1000345|1000346|NODE_FAIL|bob|x|q|1||lost'
    carbonctl reconcile --sacct-file said
    same 'COMPLETED|second' "$(of 3 'state, job_name')"
}

@test "relations of arrays and heterogeneous jobs come from JobID" {
    said '8|5_3|c|1|1000100|1000200|COMPLETED|bob|x|q|1||n' '9|6+1|c|1|1000000|Unknown|RUNNING|bob|x|q|1||n' \
        '7|7_[1-4]|c|1|Unknown|Unknown|PENDING|bob|x|q|1||n'
    run carbonctl reconcile --sacct-file said
    [[ $output == *'joined to the books: 2'*'never began: 1'* ]]
    same '5|3||' "$(of 2 'array_job_id, array_task_id, het_job_id, het_offset')"
    same '||6|1' "$(of 4 'array_job_id, array_task_id, het_job_id, het_offset')"
    # it runs: it is asked for again
    same 'RUNNING|' "$(of 4 'state, reconciled_s')"
    [ -n "$(of 2 reconciled_s)" ]
}

@test "what only one of the two knows is named" {
    said '7|7|c|1|1000000|1003600|COMPLETED|a|x|q|1||n' '55|55|c|1|1000500|1000600|TIMEOUT|a|x|q|1||n' \
        '56|56|elsewhere|1|1000500|1000600|TIMEOUT|a|x|q|1||n'
    run carbonctl reconcile -S 1970-01-12 --sacct-file said
    [[ $output == *'known to slurmdbd, not in the books'*': 1'*'c job 55, begun 1970-01-12T13:55:00, TIMEOUT'* ]]
    [[ $output == *'of clusters that are not in this database: 1'* ]]
    [[ $output == *'in the books, not known to slurmdbd (yet): 4'*'c job 99, begun'* ]]
    # what began longer than 30 days ago is not asked for
    printf '#!/bin/sh\necho "$@" >asked; cat said\n' >sacct
    chmod +x sacct
    PATH=$PWD:$PATH run carbonctl reconcile
    [[ $output != *'job 99'* ]]
    sqlite3 carbon.db "UPDATE job SET begin_s = strftime('%s', 'now') - 86400, end_s = strftime('%s', 'now') WHERE job_key = 6"
    PATH=$PWD:$PATH run carbonctl reconcile
    [[ $output == *'in the books, not known to slurmdbd (yet): 1'*'c job 99, begun'* ]]
    grep -q -- "--starttime $(date -u -d "@$(($(of 6 begin_s) - 3600))" +%FT%T)" asked
}

@test "what a node says later does not undo what slurmdbd said" {
    local mk=$top_builddir/tests/fake/mkbatches
    "$mk" deliver 1 4 >/dev/null
    carbonctl ingest
    key=$(sqlite3 carbon.db 'SELECT max(job_key) FROM job')
    sqlite3 carbon.db "UPDATE job SET state = 'TIMEOUT', account = 'right' WHERE job_key > 6"
    "$mk" deliver 1 12 >/dev/null
    carbonctl ingest
    same 'TIMEOUT|right' "$(of "$key" 'state, account')"
}

@test "a file that is none says where, and changes nothing" {
    local row
    while IFS='#' read -r text message; do
        printf '%b' "$text" >said
        run carbonctl reconcile --sacct-file said
        [ "$status" -eq 1 ]
        [[ $output == *"$message"* ]] || { echo "$output; expected $message"; return 1; }
        same '|||||' "$(sqlite3 carbon.db 'SELECT group_concat(state, "") FROM job')|||||"
    done <<'END'
#said is empty
JobIDRaw|Cluster|Start|End\n1|c|1|2\n#said:1: no field State in the head line
JobIDRaw|Cluster|Start|End|State\n7|c|1000000|1003600\n#said:2: 4 fields, and 5 in the head line
JobIDRaw|Cluster|Start|End|State\n7|c|1000000|1003600|COMPLETED\nx|c|1000000|1|F\n#said:3: JobIDRaw 'x' is not a number
JobIDRaw|Cluster|Start|End|State\n7|c|soon|1003600|COMPLETED\n#said:2: Start 'soon' is not a time
JobIDRaw|Cluster|Start|End|State\n7||1000000|1003600|COMPLETED\n#said:2: Cluster is empty
END
    run carbonctl reconcile --sacct-file nothing
    [[ $output == *'cannot open nothing'* ]]
}

@test "without sacct, and when it fails, the way out is told" {
    PATH=$top_builddir:/nonexistent run "$top_builddir/carbonctl" reconcile
    [ "$status" -eq 1 ]
    [[ $output == *'sacct is not in PATH'*'--sacct-file'* ]]
    mkdir bin
    printf '#!/bin/sh\necho "sacct: error: Connection refused" >&2\nexit 1\n' >bin/sacct
    chmod +x bin/sacct
    PATH=$PWD/bin:$PATH run carbonctl reconcile
    [ "$status" -eq 1 ]
    [[ $output == *'Connection refused'*'sacct failed (status 1): is slurmdbd up'* ]]
}
