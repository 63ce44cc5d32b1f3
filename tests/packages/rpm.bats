#!/usr/bin/env bats
# the RPM packages: what each holds, asks for and runs; and that versions agree. They are built on
# a Debian, whose libraries they name, so that they are looked at and not installed.

setup() {
    top=${BATS_TEST_DIRNAME}/../..
    version=$(sed -n 's/^AC_INIT(\[slurm-carbon\], \[\(.*\)\])/\1/p' "$top/configure.ac")
    [ "${BATS_TEST_DESCRIPTION#versions}" = "$BATS_TEST_DESCRIPTION" ] || return 0
    [ "${BATS_TEST_DESCRIPTION#the recipe}" = "$BATS_TEST_DESCRIPTION" ] || return 0
    type -P rpm >/dev/null || skip 'no rpm here'
    spank=$(cd "${PACKAGES:?}" && echo slurm-carbon-spank-*.rpm)
    slurm=${spank#slurm-carbon-spank-} slurm=${slurm%%-*}
}

query() { # NAME ARGUMENT...: of the package slurm-carbon-NAME
    local name=$1
    shift
    rpm -qp "$@" "$PACKAGES/slurm-carbon-$name-$version"-*.rpm
}

refute() { # COMMAND...: it fails (what is behind a `!`, bats does not see)
    if "$@"; then return 1; fi
}

@test "versions agree: configure.ac, the spec and the Spack recipe" {
    grep -qx "Version: *${version//./\\.}" "$top/scripts/packages/slurm-carbon.spec"
    grep -q "version(\"$version\")" "$top/scripts/packages/spack/packages/slurm-carbon/package.py"
}

@test "the recipes of Spack are Python; Spack itself is not here to try them" {
    local recipe
    for recipe in "$top"/scripts/packages/spack/packages/*/package.py; do
        python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$recipe"
    done
}

@test "files: all that make install has, each in one package, the one that its use says" {
    local name file owner
    for name in "spank-$slurm" node server carbond tools doc; do
        query "$name" -l | grep -v -e /licenses/ -e /.build-id -e '^/usr/share/doc/slurm-carbon$' |
            sed "s/\$/ ${name%%-*}/"
    done | sort >"$BATS_TEST_TMPDIR/all"
    cat "$BATS_TEST_TMPDIR/all"
    [ -z "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/all" | uniq -d)" ]
    while read -r file owner; do
        case $file in
            /usr/lib64/slurm/spank_carbon.so) [ "$owner" = spank ] ;;
            */man8/spank_carbon.8* | */plugstack-carbon.conf | */slurm-carbon-spank-*)
                [ "$owner" = spank ] ;;
            *carbon-meterd* | */slurm-carbon-node.conf) [ "$owner" = node ] ;;
            /usr/libexec/slurm-carbon | */task-epilog | */carbon-ask) [ "$owner" = tools ] ;;
            */carbon-deliver) [ "$owner" = node ] ;;
            */carbon-ingest.service | */carbon-report.* | */carbon-backup.* | */carbon-reconcile.* | \
                */libexec/* | */slurm-carbon-server.conf) [ "$owner" = server ] ;;
            */sbin/carbond | */carbond.service | */carbond.8* | */completions/carbond | */_carbond | \
                */carbond.fish) [ "$owner" = carbond ] ;;
            */doc/slurm-carbon/*.sample) [ "$owner" = tools ] ;;
            */doc/slurm-carbon/*) [ "$owner" = doc ] ;;
            /usr/bin/* | /usr/sbin/carbonctl | */sysusers.d/* | /usr/share/*) [ "$owner" = tools ] ;;
            *) echo "$file is in $owner, and nowhere here"; false ;;
        esac || { echo "$file is in $owner"; return 1; }
    done <"$BATS_TEST_TMPDIR/all"
    for file in /usr/lib64/slurm/spank_carbon.so /usr/sbin/carbon-meterd /usr/bin/sacct-carbon \
        /usr/lib/systemd/system/carbon-{meterd,ingest}.service /usr/lib/sysusers.d/slurm-carbon.conf \
        /usr/lib/systemd/system/carbon-{report,backup}.{service,timer} /usr/sbin/carbonctl \
        /usr/libexec/slurm-carbon/{monthly-report,daily-backup,task-epilog} /usr/bin/sreport-carbon \
        /usr/sbin/carbond /usr/lib/systemd/system/carbond.service \
        /usr/libexec/slurm-carbon/carbon-{ask,deliver} \
        /usr/lib/tmpfiles.d/slurm-carbon-{node,server}.conf /usr/share/slurm-carbon/equivalences.csv \
        /usr/share/slurm-carbon/grafana/slurm-carbon{,-postgresql}.json \
        /usr/share/slurm-carbon/prometheus/slurm-carbon.rules.yml; do
        grep -q "^$file " "$BATS_TEST_TMPDIR/all" || { echo "no $file"; return 1; }
    done
}

@test "owners and modes: all is root's, and nobody else may write it" {
    local name
    for name in "spank-$slurm" node server carbond tools doc; do
        query "$name" --qf '[%{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMODES:octal} %{FILENAMES}\n]'
    done >"$BATS_TEST_TMPDIR/modes"
    refute grep -vE '^root root (0?100(644|755)|0?40755|120777) ' "$BATS_TEST_TMPDIR/modes"
}

@test "what they ask for: the plugin nothing but libc and its own Slurm" {
    query "spank-$slurm" --requires >"$BATS_TEST_TMPDIR/asks"
    cat "$BATS_TEST_TMPDIR/asks"
    grep -qx "slurm-slurmd >= $slurm" "$BATS_TEST_TMPDIR/asks"
    grep -q "^slurm-slurmd < ${slurm%.*}\.[0-9][0-9]$" "$BATS_TEST_TMPDIR/asks"
    refute grep -vE '^(slurm-slurmd [<>]|libc\.so|rpmlib\(|rtld\()' "$BATS_TEST_TMPDIR/asks"
    query node --requires | grep -q "^slurm-carbon-tools.* = $version-"
    query node --requires | grep -q '^libhwloc\.so'
    query server --requires | grep -q "^slurm-carbon-tools = $version-"
    query tools --requires | grep -q '^libsqlite3\.so'
    query carbond --requires | grep -q '^libmicrohttpd\.so'
    query carbond --requires | grep -q '^libmunge\.so'
    query "spank-$slurm" --provides | grep -q '^slurm-carbon-spank = '
}

@test "what they run: nothing is enabled or started, and no scriptlet is left unexpanded" {
    local name
    for name in "spank-$slurm" node server carbond tools doc; do
        query "$name" --scripts
    done >"$BATS_TEST_TMPDIR/scripts"
    cat "$BATS_TEST_TMPDIR/scripts"
    refute grep -E '%|systemctl[^|]* (start|enable|restart)' "$BATS_TEST_TMPDIR/scripts"
    grep -q 'preset carbon-meterd.service' "$BATS_TEST_TMPDIR/scripts"
    [ -z "$(query "spank-$slurm" --scripts)" ]
}
