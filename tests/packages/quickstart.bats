#!/usr/bin/env bats
# docs/quickstart.md, word for word: into a Debian with a real Slurm of one node, started under its
# own systemd. quickstart.sh, inside, takes the commands out of the page and looks at what they do.
# shellcheck disable=SC2154

setup_file() {
    load helper
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    open_tree
}

teardown_file() {
    load helper
    [ -z "${root-}" ] || close_tree
}

setup() {
    load helper
}

# Slurm as it is on a machine that never heard of us; there is no network when the page is typed, so
# what the packages depend on is fetched before.
make_site() {
    local name file
    name=$(hostname -s)
    inside apt-get update -qq
    inside apt-get install -y -qq --no-install-recommends -o APT::Sandbox::User=root \
        systemd systemd-sysv dbus slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge
    for file in "${PACKAGES:?}"/slurm-carbon-*.deb; do
        [[ $file == *-dbgsym_* ]] || cp "$file" "$root/packages"
    done
    inside bash -c 'apt-get install -y -qq --download-only -o APT::Sandbox::User=root /packages/slurm-carbon-*.deb'
    # a terminal would ask
    echo 'APT::Get::Assume-Yes "true";' >"$root/etc/apt/apt.conf.d/90assume-yes"
    inside useradd --create-home --shell /bin/bash alice
    echo "127.0.0.1 localhost $name" >"$root/etc/hosts"
    # named, or slurmd looks for one and refuses a kernel that has both; nothing here asks for cgroups
    echo CgroupPlugin=cgroup/v1 >"$root/etc/slurm/cgroup.conf"
    printf '%s\n' ClusterName=tiny "SlurmctldHost=$name(127.0.0.1)" SlurmUser=slurm AuthType=auth/munge \
        StateSaveLocation=/var/lib/slurm/slurmctld SlurmdSpoolDir=/var/lib/slurm/slurmd \
        ProctrackType=proctrack/linuxproc MailProg=/bin/true ReturnToService=2 \
        "NodeName=$name NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN" 'PartitionName=main Nodes=ALL Default=YES' \
        >"$root/etc/slurm/slurm.conf"
    rm "$root/usr/sbin/policy-rc.d" # which kept services from starting here
    cp "$BATS_TEST_DIRNAME"/../../docs/quickstart.md "$BATS_TEST_DIRNAME/quickstart.sh" "$root"
}

@test "docs/quickstart.md, typed word for word, ends with a job, a report and nothing left behind" {
    make_site
    run "$BATS_TEST_DIRNAME/boot" "$root" /quickstart.sh 900
    echo "$output"
    [ "$status" -ne 125 ] || skip "${lines[-1]}"
    [ "$status" -eq 0 ]
}
