#!/usr/bin/env bats
# the Debian packages: installed into a bare Debian, used there, removed again, in this order
#
# PACKAGES and TREE are as helper.bash has them. The installation of their dependencies is a test of
# these.
# shellcheck disable=SC2154

setup_file() {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    load helper
    open_tree
    local file
    for file in "${PACKAGES:?}"/slurm-carbon-*.deb; do
        [[ $file == *-dbgsym_* ]] || cp "$file" "$root/packages/$(basename "${file%%_*}").deb"
    done
    spank=$(basename "$root"/packages/slurm-carbon-spank-*.deb .deb)
    lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/slurm-wlm
    export spank lib
}

teardown_file() {
    load helper
    [ -z "${root-}" ] || close_tree
}

setup() {
    load helper
}

as_service() { # COMMAND...: as the services' user
    inside setpriv --reuid slurm-carbon --regid slurm-carbon --clear-groups "$@"
}

refute() { # COMMAND...: it fails (what is behind a `!`, bats does not see)
    if "$@"; then return 1; fi
}

place() { # PATH...: owner, mode and path of each
    (cd "$root" && stat -c '%U %a %n' "$@")
}

# What each package is for, and what it must hold whatever else: its files.
files_of() { # NAME: of the package slurm-carbon-NAME
    case $1 in
        spank) echo "$lib/spank_carbon.so"
            echo usr/share/man/man8/spank_carbon.8.gz
            echo "usr/share/doc/$spank/examples/carbon.conf" ;;
        node) echo usr/sbin/carbon-meterd
            echo usr/libexec/slurm-carbon/carbon-deliver
            echo usr/lib/systemd/system/carbon-meterd.service
            echo usr/lib/tmpfiles.d/slurm-carbon-node.conf
            echo usr/share/man/man8/carbon-meterd.8.gz ;;
        server) printf 'usr/lib/systemd/system/carbon-%s\n' ingest.service report.{service,timer} \
            backup.{service,timer}
            printf 'usr/libexec/slurm-carbon/%s\n' daily-backup monthly-report
            echo usr/lib/tmpfiles.d/slurm-carbon-server.conf ;;
        carbond) echo usr/sbin/carbond
            echo usr/lib/systemd/system/carbond.service
            echo usr/share/man/man8/carbond.8.gz ;;
        tools) printf 'usr/%s\n' bin/sacct-carbon bin/sreport-carbon sbin/carbonctl
            echo usr/lib/sysusers.d/slurm-carbon.conf
            printf 'usr/libexec/slurm-carbon/%s\n' carbon-ask task-epilog
            printf 'usr/share/slurm-carbon/%s.csv\n' grid_intensity embodied_factors equivalences
            printf 'usr/share/slurm-carbon/%s\n' grafana/slurm-carbon{,-postgresql}.json \
                prometheus/slurm-carbon.rules.yml
            printf 'usr/share/man/%s.gz\n' man1/s{acct,report}-carbon.1 man5/{carbon,inventory}.conf.5 \
                man8/carbonctl.8
            printf 'usr/share/doc/slurm-carbon-tools/examples/%s.conf.sample\n' carbon inventory ;;
        doc) printf 'usr/share/doc/slurm-carbon/%s\n' operations.md formats/batch-1.md \
            adr/0001-series-and-slices.md ;;
    esac
}

@test "lintian finds no error in them" {
    type -P lintian >/dev/null || skip 'no lintian here'
    # the address is that of whoever builds them
    run lintian --fail-on error --suppress-tags \
        bogus-mail-host,bogus-mail-host-in-debian-changelog "$PACKAGES"/*.changes
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a node: the plugin and the meter install, with all that they need" {
    inside apt-get update -qq
    inside apt-get install -y -qq --no-install-recommends -o APT::Sandbox::User=root \
        "/packages/$spank.deb" /packages/slurm-carbon-{node,tools}.deb
    inside dpkg-query -W slurm-carbon-node
    inside carbon-meterd --help | grep -q Usage
    inside sacct-carbon --help | grep -q Usage
    inside carbonctl config | grep -q '^MarkDir'
    inside carbonctl sensors | grep -q modelled
    # the user, and the directories that its daemon and the plugin need
    inside id slurm-carbon
    place run/slurm-carbon/"$(hostname -s)" var/spool/slurm-carbon
    [ "$(cd "$root" && stat -c '%a' run/slurm-carbon/*)" = 700 ]
    [ "$(inside stat -c '%U %a' /var/spool/slurm-carbon)" = 'slurm-carbon 750' ]
    [ -z "$(find "$root" -xdev -name '*.la' -path '*carbon*')" ]
}

@test "a management node: its services install, keep books, report and copy" {
    inside apt-get install -y -qq --no-install-recommends -o APT::Sandbox::User=root \
        /packages/slurm-carbon-{server,carbond,doc}.deb
    [ "$(inside stat -c '%U %G %a' /var/lib/slurm-carbon)" = 'slurm-carbon slurm-carbon 750' ]
    as_service carbonctl init
    as_service carbonctl audit
    as_service mkdir /var/lib/slurm-carbon/reports /var/lib/slurm-carbon/backup
    as_service /usr/libexec/slurm-carbon/monthly-report 2026-10
    as_service /usr/libexec/slurm-carbon/daily-backup
    [ -s "$root/var/lib/slurm-carbon/reports/2026-10.html" ]
    [ "$(find "$root/var/lib/slurm-carbon/backup" -name '*.db' | wc -l)" -eq 1 ]
    # as before the first start, for the tests that follow
    rm -r "$root"/var/lib/slurm-carbon/*
}

@test "every file is root's, where it belongs and no looser than 0755; each package has its own" {
    local name package path
    for name in spank node server carbond tools doc; do
        package=slurm-carbon-$name
        [ "$name" != spank ] || package=$spank
        # units were in /lib until bookworm
        inside dpkg-query -L "$package" | sed 's,^/,,; s,^lib/,usr/lib/,' | sort -u >"$BATS_TEST_TMPDIR/has"
        files_of "$name" | sort >"$BATS_TEST_TMPDIR/needs"
        echo "$package lacks:"
        comm -13 "$BATS_TEST_TMPDIR/has" "$BATS_TEST_TMPDIR/needs" | tee "$BATS_TEST_TMPDIR/lacks"
        [ ! -s "$BATS_TEST_TMPDIR/lacks" ]
        while IFS= read -r path; do
            case $(cd "$root" && stat -c '%F:%u:%g:%a' "$path") in
                'regular file:0:0:644' | 'regular file:0:0:755' | 'symbolic link:0:0:777') ;;
                'directory:0:0:755') ;;
                *) place "$path"; return 1 ;;
            esac
        done < <(grep . "$BATS_TEST_TMPDIR/has" | grep -vx .)
    done
    inside dpkg --verify slurm-carbon-node slurm-carbon-tools slurm-carbon-server slurm-carbon-carbond "$spank"
}

@test "nothing starts by being installed" {
    [ -z "$(find "$root"/etc/systemd "$root"/etc/rc?.d -name '*carbon*')" ]
    inside systemctl is-enabled carbon-meterd.service carbon-ingest.service carbon-report.timer \
        carbon-backup.timer carbon-reconcile.timer carbond.service >"$BATS_TEST_TMPDIR/enabled" || true
    [ "$(sort -u "$BATS_TEST_TMPDIR/enabled")" = disabled ]
    # and the one line that makes it: systemctl enable (--now where systemd runs)
    inside systemctl enable carbon-meterd
    [ -L "$root/etc/systemd/system/multi-user.target.wants/carbon-meterd.service" ]
    # which an upgrade leaves as it is
    inside dpkg -i /packages/slurm-carbon-node.deb
    [ "$(inside systemctl is-enabled carbon-meterd)" = enabled ]
}

@test "systemd as the first process: one command starts each service, sandboxed, and they work" {
    inside systemctl disable carbon-meterd
    cp "$BATS_TEST_DIRNAME/booted.sh" "$root"
    run "$BATS_TEST_DIRNAME/boot" "$root" /booted.sh
    echo "$output"
    [ "$status" -ne 125 ] || skip "${lines[-1]}"
    [ "$status" -eq 0 ]
    rm -r "$root"/var/spool/slurm-carbon/*
}

@test "its units are sound where they are installed, and manual pages are found" {
    local unit page
    for unit in carbon{-meterd,-ingest,-report,-backup,d}.service carbon-{report,backup}.timer; do
        run inside systemd-analyze verify --man=no "/usr/lib/systemd/system/$unit"
        echo "$output"
        [ "$status" -eq 0 ]
        refute grep -F carbon- <<<"$output"
    done
    for page in sacct-carbon sreport-carbon carbon.conf inventory.conf carbonctl carbon-meterd \
        carbond spank_carbon; do
        man -M "$root/usr/share/man" -w "$page"
    done
}

@test "what documents link to is installed as well" {
    local doc=$root/usr/share/doc/slurm-carbon file link
    for file in "$doc"/*.md "$doc"/*/*.md; do
        # README.md is of the source tree: its links begin there
        [ "${file##*/}" != README.md ] || continue
        while IFS= read -r link; do
            [ -e "${file%/*}/${link%%#*}" ] || [ -z "${link%%#*}" ] ||
                [[ $link =~ ^(https?:|mailto:|.*conf\.sample$|(\.\./)+(accounting|tests|scripts|plugin)/) ]] ||
                { echo "${file##*/}: $link"; return 1; }
        done < <(grep -o '](\([^)]*\))' "$file" | sed 's/^](//; s/)$//')
    done
}

srun_says() { # what Slurm's own program, which reads plugstack.conf, loads and says
    inside env LD_DEBUG=files srun --help 2>&1
}

@test "Slurm finds the plugin by the example's line; when it is gone, Slurm goes on without" {
    inside apt-get install -y -qq --no-install-recommends -o APT::Sandbox::User=root slurm-client
    printf '%s\n' ClusterName=t SlurmctldHost=localhost NodeName=n1 'PartitionName=p Nodes=n1' \
        >"$root/etc/slurm/slurm.conf"
    srun_says >"$BATS_TEST_TMPDIR/said"
    refute grep spank_carbon "$BATS_TEST_TMPDIR/said" # nobody has told it of it
    cp "$root/usr/share/doc/$spank/examples/carbon.conf" "$root/etc/slurm/plugstack.conf.d"
    srun_says >"$BATS_TEST_TMPDIR/said"
    grep "/$lib/spank_carbon.so.*dynamically loaded" "$BATS_TEST_TMPDIR/said"
    mv "$root/$lib/spank_carbon.so" "$root/removed.so"
    srun_says >"$BATS_TEST_TMPDIR/said"
    grep -q Usage "$BATS_TEST_TMPDIR/said"
    # which is what `optional` is for
    sed -i 's/^optional/required/' "$root/etc/slurm/plugstack.conf.d/carbon.conf"
    refute srun_says
    mv "$root/removed.so" "$root/$lib/spank_carbon.so"
    rm "$root/etc/slurm/plugstack.conf.d/carbon.conf"
}

@test "removal and purge leave the books, what is in no book yet, the user, and nothing else" {
    local undelivered=var/spool/slurm-carbon/n1/0123456789abcdef-0000000001.batch
    as_service mkdir "/${undelivered%/*}"
    as_service touch "/$undelivered" "/${undelivered%/*}/lock" "/${undelivered%/*}/status"
    inside apt-get purge -y -qq slurm-carbon-server slurm-carbon-node slurm-carbon-tools "$spank" \
        slurm-carbon-carbond slurm-carbon-doc
    find "$root" -xdev -iname '*carbon*' ! -path "$root/packages/*" ! -path "$root/etc/slurm/*" \
        ! -path "$root/var/lib/slurm-carbon*" ! -path "$root/var/spool/slurm-carbon*" |
        tee "$BATS_TEST_TMPDIR/strays"
    [ ! -s "$BATS_TEST_TMPDIR/strays" ]
    [ "$(cd "$root" && find var/spool/slurm-carbon -type f)" = "$undelivered" ]
    [ -s "$root/var/lib/slurm-carbon/carbon.db" ]
    [ ! -e "$root/run/slurm-carbon" ]
    inside id slurm-carbon
}
