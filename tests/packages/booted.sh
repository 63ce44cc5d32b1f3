# booted.sh - what is done and seen on a node, and management node, that has the packages installed
# and was started: by tests/packages/boot, for debian.bats
set -eux
booked=" $(hostname) .*  *0  *0  *0\$" # by carbonctl status: nothing missing, bad or dropped

until_true() { # COMMAND...: within half a minute
    local i - # its own set -x
    set +x
    for ((i = 0; i < 300; i++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "in vain for half a minute: $*"
    return 1
}

pid_of() { systemctl show --property MainPID --value "$1"; }

of_process() { # SERVICE KEY: what the kernel says of it
    sed -n "s/^$2:[[:blank:]]*//p" "/proc/$(pid_of "$1")/status"
}

says() { # PATTERN COMMAND...
    local pattern=$1
    shift
    "$@" | grep -q "$pattern"
}

drained() { # DIRECTORY: no batch is left in it
    if compgen -G "$1/*.batch" >/dev/null; then return 1; fi
}

as_service() { setpriv --reuid slurm-carbon --regid slurm-carbon --clear-groups "$@"; }

# tests, not what is shown to users
printf '%s\n' DeliverSeconds=1 TickSeconds=0.1 >/etc/slurm/carbon.conf

# directories are there from the start, whatever /run was
[ "$(stat -c '%U %a' "/run/slurm-carbon/$(hostname)")" = 'root 700' ]
[ "$(stat -c '%U %a' /var/spool/slurm-carbon)" = 'slurm-carbon 750' ]

systemctl enable --now carbon-meterd
as_service carbonctl init
systemctl enable --now carbon-ingest carbon-report.timer carbon-backup.timer carbon-reconcile.timer
for unit in carbon-meterd.service carbon-ingest.service carbon-{report,backup,reconcile}.timer; do
    [ "$(systemctl is-active "$unit")" = active ]
done

# from the meter to the books, each in its sandbox
until_true says "$booked" carbonctl status
says '^the books balance$' as_service carbonctl audit

# the sandbox is in force: CAP_DAC_OVERRIDE and CAP_PERFMON, and none
[ "$(of_process carbon-meterd CapEff)" = 0000004000000002 ]
[ "$(of_process carbon-meterd CapBnd)" = 0000004000000002 ]
[ "$(of_process carbon-ingest CapBnd)" = 0000000000000000 ]
for unit in carbon-meterd carbon-ingest; do
    pid=$(pid_of $unit)
    [ "$(of_process $unit NoNewPrivs)" = 1 ]
    [ "$(of_process $unit Seccomp)" = 2 ]
    [ "$(stat -c %U "/proc/$pid")" = slurm-carbon ]
    # a network without anything, and read-only file systems but for its own directories
    [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/1/ns/net)" ]
    awk '$5 == "/" { mode = $6 } END { exit mode !~ /^ro(,|$)/ }' "/proc/$pid/mountinfo"
    awk '$5 == "/var/spool/slurm-carbon" { mode = $6 } END { exit mode !~ /^rw(,|$)/ }' \
        "/proc/$pid/mountinfo"
done

# what timers run
systemctl start carbon-report carbon-backup
[ "$(stat -c '%U %a' /var/lib/slurm-carbon/reports)" = 'slurm-carbon 750' ]
[ "$(stat -c '%U %a' /var/lib/slurm-carbon/reports/*.html)" = 'slurm-carbon 640' ]
[ "$(stat -c '%U %G %a' /var/lib/slurm-carbon/backup/*.db)" = 'slurm-carbon slurm-carbon 640' ]
says '^the books in it balance$' carbonctl backup --verify /var/lib/slurm-carbon/backup/*.db

# an upgrade starts again what runs, and nothing else; the meter goes on with its stream
rm -f /usr/sbin/policy-rc.d # which the tree has, against services that start
meter=$(pid_of carbon-meterd)
systemctl stop carbon-ingest
dpkg -i /packages/slurm-carbon-{node,server,carbond}.deb
until_true says '^  start: resumed' carbonctl status
[ "$(pid_of carbon-meterd)" != "$meter" ]
[ "$(systemctl is-active carbon-ingest)" = inactive ]
systemctl start carbon-ingest
until_true says "$booked" carbonctl status
says '^the books balance$' as_service carbonctl audit

# a drop-in for DeliverDir on a share, as docs/admin.md has it
systemctl stop carbon-meterd
until_true drained /var/spool/slurm-carbon/deliver
systemctl stop carbon-ingest
install -d -m 750 -o slurm-carbon -g slurm-carbon /shared /shared/deliver
echo DeliverDir=/shared/deliver >>/etc/slurm/carbon.conf
for unit in carbon-meterd carbon-ingest; do
    mkdir "/etc/systemd/system/$unit.service.d"
    printf '%s\n' '[Service]' ReadWritePaths=/shared >"/etc/systemd/system/$unit.service.d/share.conf"
done
systemctl daemon-reload
systemctl start carbon-meterd
until_true says '\.batch$' ls /shared/deliver
systemctl stop carbon-meterd
systemctl start carbon-ingest
until_true drained /shared/deliver
says '^the books balance$' as_service carbonctl audit
rm -r /etc/systemd/system/carbon-*.service.d

# what docs/admin.md has for who installs without packages changes nothing here
systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
[ "$(stat -c '%U %a' /var/spool/slurm-carbon)" = 'slurm-carbon 750' ]

# carbond starts with one command, and answers on its socket who may not read the database; it needs
# no munged for that
systemctl enable --now carbond
until_true test -S /run/carbond/carbond.sock
says '^slurm-carbon' setpriv --reuid nobody --regid nogroup --clear-groups \
    sh -c 'sacct-carbon -aP -S now-1day && echo slurm-carbon'
says "well  *carbond .*answers" carbonctl doctor
[ "$(stat -c %U "/proc/$(pid_of carbond)")" = slurm-carbon ]

# removal stops what runs
systemctl start carbon-meterd
dpkg --remove slurm-carbon-carbond slurm-carbon-server slurm-carbon-node
for unit in carbond.service carbon-meterd.service carbon-ingest.service carbon-{report,backup,reconcile}.timer; do
    [ "$(systemctl is-active "$unit")" = inactive ]
done
[ -z "$(systemctl list-units --state active --plain --no-legend 'carbon*' || true)" ]
dpkg -i /packages/slurm-carbon-{node,server,carbond}.deb
[ -z "$(systemctl list-units --state active --plain --no-legend 'carbon*' || true)" ]
