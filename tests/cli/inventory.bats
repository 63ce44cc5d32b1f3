#!/usr/bin/env bats
# carbonctl inventory: what discover makes of a node, and what check finds

setup() {
    # shellcheck source=tests/cli/sacct_fixture.sh
    source "${top_srcdir:?}/tests/cli/sacct_fixture.sh"
    carbonctl=${top_builddir:?}/carbonctl
    xml=$top_srcdir/tests/data/hwloc
    dir=$BATS_TEST_TMPDIR
    inventory=$dir/inventory.conf
    printf '%s\n' "ClusterName=alpha" "Database=sqlite:$dir/carbon.db" "Inventory=$inventory" \
        >"$dir/carbon.conf"
    export SLURM_CARBON_CONF=$dir/carbon.conf
    unset SLURM_CONF SLURMD_NODENAME
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

says_not() {
    [[ $output != *"$1"* ]] || { printf 'not expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

with_database() {
    command -v sqlite3 >/dev/null || skip "no sqlite3 command"
    sacct_fixture "$dir"
    sed -i '/^Inventory=/d' "$dir/carbon.conf"
    echo "Inventory=$inventory" >>"$dir/carbon.conf"
}

# Nodes n1, n2 and n3 of the fixture have 8 cores and 4 GPUs.
complete() {
    cat >"$inventory" <<'EOF'
node_type "gpu" {
    nodes = "n[1-3]"
    in_service = "2026-01-01"
    asset "server" { class = GPU  kg = 2500  lifetime_years = 6  source = "vendor" }
}
EOF
}

# --- discover ------------------------------------------------------------------------------------

@test "discover tells GPUs, packages, modules, cards and disks of a GPU node" {
    run "$carbonctl" inventory discover --xml "$xml/epyc-8xa100.xml"
    [ "$status" -eq 0 ]
    says '# Bill of materials of g001, for inventory.conf'
    says '# Found: 2 packages, 128 cores, 960 GB of memory, 8 GPUs.'
    says 'node_type "ProLiant XL675d Gen10 Plus" {'
    says '    nodes = "g001"  # CHECK'
    says '    gpus = 8'
    says '    cores = 128'
    says 'factor = "GPU NVIDIA A100 SXM4 80GB"  # 150 kg (127.6 to 567.7): '
    says 'class = GPU  count = 8  lifetime_years = 6'
    says 'factor = "CPU AMD EPYC 7543/7763 (Milan, 1064 mm2)"  # 30.1 kg (24 to 100): '
    says 'asset "memory module 64 GB" {
        class = GPU  count = 16  lifetime_years = 6
        kg = 118.403  kg_low = 64.504  kg_high = 230.5'
    says 'asset "SSD 3841 GB SAMSUNG MZWLJ3T8HBLS-00007" {
        class = GPU  count = 4  '
    says 'asset "NIC MT28908 Family [ConnectX-6]" {
        class = GPU  count = 4  '
    # two ports, one card; the mainboard's own ports and its console are not counted
    says 'asset "NIC MT2892 Family [ConnectX-6 Dx]" {
        class = GPU  count = 1  '
    says_not I350
    says_not ASPEED
    says '#   asset "node" { class = GPU  lifetime_years = 6  factor = "GPU node 8x A100 complete" }'
    says_not 'virtual machine'
    says_not 'HGX'
}

@test "discover of a CPU node knows disks that turn, and says what it assumes" {
    run "$carbonctl" inventory discover --xml "$xml/xeon-cpu.xml"
    [ "$status" -eq 0 ]
    says '0 GPUs'
    says_not 'class = GPU'
    says 'factor = "CPU generic"'
    says 'asset "memory module 16 GB" {
        class = CPU  count = 12  '
    says 'asset "HDD ST2000NX0253" {
        class = CPU  count = 1  '
    says 'asset "SSD 960 GB INTEL_SSDSC2KG96"'
    says '# taken as an SSD: it is not said whether it turns'
    says 'asset "NIC Omni-Path HFI'
    says 'factor = "Server Dell PowerEdge R740 PCF (non-use share)" }'
    says 'factor = "Server Lenovo ThinkSystem SR665 PCF (non-use share)" }'
}

@test "discover warns of a virtual machine and of devices that it did not see" {
    run "$carbonctl" inventory discover --xml "$xml/vm.xml"
    [ "$status" -eq 0 ]
    says '# CHECK: this is a virtual machine.'
    says '# CHECK: no devices were seen'
    says 'factor = "CPU generic"'
    says '# number and size of the modules are assumed'
}

@test "discover does not count a GPU's memory as modules" {
    run "$carbonctl" inventory discover --xml "$xml/gh200.xml"
    [ "$status" -eq 0 ]
    says '# Found: 1 package, 72 cores, 477 GB of memory, 1 GPU.'
    says 'asset "memory module 64 GB" {
        class = GPU  count = 8  '
    says 'factor = "GPU NVIDIA H100 SXM5 80GB (incl baseboard share)"'
    says 'asset "CPU" {'
}

@test "what discover prints is an inventory.conf" {
    local machine
    for machine in epyc-8xa100 xeon-cpu vm gh200; do
        "$carbonctl" inventory discover --xml "$xml/$machine.xml" --node "$machine"
    done >"$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "4 node types with 4 nodes, 0 shared assets"
    says "the inventory is complete"
}

@test "discover of this machine is an inventory.conf too, under the node's name" {
    SLURMD_NODENAME=own7 "$carbonctl" inventory discover >"$inventory"
    grep -q '^    nodes = "own7"' "$inventory"
    "$carbonctl" inventory check
}

@test "discover as JSON has whole milligrams that add up" {
    command -v jq >/dev/null || skip "no jq"
    "$carbonctl" inventory discover --xml "$xml/epyc-8xa100.xml" --json >"$dir/bill.json"
    jq -e '.node == "g001" and .gpus == 8 and .cores == 128 and .virtual_machine == false and
           .memory_modules_assumed == false and
           .sum.central_mg == ([.assets[] | .count * .central_mg] | add) and
           .sum.low_mg == ([.assets[] | .count * .low_mg] | add) and
           .sum.high_mg == ([.assets[] | .count * .high_mg] | add) and
           .whole_node_instead[0].factor == "GPU node 8x A100 complete"' "$dir/bill.json"
}

@test "discover: what lstopo writes of a node reads like the node itself" {
    command -v lstopo >/dev/null || skip 'no lstopo (Debian: hwloc-nox)'
    carbonctl=$(realpath "$carbonctl")
    cd "$dir"
    lstopo --of xml g001.xml
    "$carbonctl" inventory discover --xml g001.xml >there
    "$carbonctl" inventory discover >here
    grep '^# Found: ' here
    [ "$(grep '^# Found: ' there)" = "$(grep '^# Found: ' here)" ]
}

@test "discover says what is wrong with its XML or name" {
    run "$carbonctl" inventory discover --xml "$dir/absent.xml"
    [ "$status" -eq 1 ]
    says "carbonctl: inventory discover: cannot read $dir/absent.xml: No such file"
    head -c 3000 "$xml/xeon-cpu.xml" >"$dir/cut.xml"
    run "$carbonctl" inventory discover --xml "$dir/cut.xml"
    [ "$status" -eq 1 ]
    says "cut.xml is no"
    says 'lstopo --of xml FILE'
    run "$carbonctl" inventory discover --node 'a b'
    [ "$status" -eq 1 ]
    says '--node "a b" is no name of a node'
}

# --- check ---------------------------------------------------------------------------------------

@test "check of a complete inventory" {
    with_database
    complete
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "$inventory: 1 node type with 3 nodes, 0 shared assets"
    says "3 nodes of cluster alpha ever reported"
    says "the inventory is complete"
    says_not "missing:"
}

@test "check without a database looks at the file alone" {
    complete
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "not on this machine; only the file was checked"
    says_not "never reported"
}

@test "check without an inventory says how to make one" {
    run "$carbonctl" inventory check
    [ "$status" -eq 1 ]
    says "carbonctl: inventory check: there is no $inventory; \`carbonctl inventory discover\`"
}

@test "check tells a mistake in the file with its line" {
    complete
    sed -i 's/lifetime_years = 6/lifetime_years = 0/' "$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 1 ]
    says "carbonctl: inventory check: $inventory:4: asset \"server\": lifetime_years: \"0\": write"
}

@test "check names nodes that reported and are of no type, folded" {
    with_database
    complete
    sed -i 's/n\[1-3\]/n1/' "$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 1 ]
    says "missing: n[2-3], with 4 GPUs and 8 cores each, reported but are of no node_type; add them"
    says "the inventory is not complete: 1 of 1 findings are something missing"
}

@test "check names nodes that never reported, without failing" {
    with_database
    complete
    sed -i 's/n\[1-3\]/n[1-9]/' "$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "note: n[4-9]: of node_type \"gpu\" (line 1) and in service, but never reported"
}

@test "check names numbers that differ from what nodes reported" {
    with_database
    complete
    sed -i 's/in_service/gpus = 8 cores = 64 in_service/' "$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 1 ]
    says "missing: n[1-3]: reported 4 GPUs, node_type \"gpu\" (line 1) says 8; correct gpus"
    says "missing: n[1-3]: reported 8 cores, node_type \"gpu\" (line 1) says 64; correct cores"
}

@test "check names what has no assets, and GPUs without one" {
    with_database
    complete
    sed -i -e 's/n\[1-3\]/n[1-2]/' -e 's/class = GPU/class = CPU/' "$inventory"
    echo 'node_type "bare" { nodes = n3 in_service = 2026-01-01 }' >>"$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 1 ]
    says "missing: n[1-2]: node_type \"gpu\" (line 1) has GPUs but no asset of class GPU"
    says "missing: node_type \"bare\" (line 6) has no assets"
}

@test "check names assets past their lifetime, and none that is retired" {
    complete
    cat >>"$inventory" <<'EOF'
shared "old switch" { kg = 280 lifetime_years = 5 in_service = 2015-06-01 source = s }
shared "gone switch" { kg = 280 lifetime_years = 5 in_service = 2015-06-01 retired = 2021-01-01
                       source = s }
EOF
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "note: asset \"old switch\" (line 6) is fully amortised since 2020-05-30: it adds nothing"
    says_not "gone switch"
}

@test "a budget of an account that no job had and no section names is a note" {
    with_database
    complete
    printf '%s\n' 'account "ocean" { parent = "climate" }' \
        'budget "climate" { period = year kgco2e = 5 }' \
        'budget "typo" { account = "klimate" period = year kgco2e = 5 }' >>"$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "note: budget of account \"klimate\" (line $(wc -l <"$inventory")): no job had this account"
    says_not '"climate"'
    books=$(sed -n 's/^Database=sqlite://p' "$SLURM_CARBON_CONF")
    sqlite3 "$books" "INSERT INTO job (job_key, cluster, job_id, restart_count, account, begin_s)
        SELECT 77, cluster, 77, 0, 'klimate', 0 FROM node LIMIT 1"
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says_not klimate
}

@test "check as JSON" {
    command -v jq >/dev/null || skip "no jq"
    with_database
    complete
    sed -i 's/n\[1-3\]/n[1,8]/' "$inventory"
    run "$carbonctl" inventory check --json
    [ "$status" -eq 1 ]
    jq -e '.complete == false and .nodes_reported == 3 and
           (.findings | map([.rule, .missing, .nodes]) ==
            [["unknown_node", true, "n[2-3]"], ["never_reported", false, "n8"]])' <<<"$output"
}

# --- the command line ----------------------------------------------------------------------------

@test "inventory lists its parts, and says what it does not know" {
    run "$carbonctl" inventory --help
    [ "$status" -eq 0 ]
    says "inventory discover"
    says "inventory check"
    run "$carbonctl" inventory
    [ "$status" -eq 1 ]
    run "$carbonctl" inventory frob
    [ "$status" -eq 1 ]
    says "'frob' is not known"
    run "$carbonctl" inventory check --frob
    [ "$status" -eq 1 ]
    says "option --frob is not known; see carbonctl inventory check --help"
}

@test "the sample inventory is one" {
    cp "$top_srcdir/docs/inventory.conf.sample" "$inventory"
    run "$carbonctl" inventory check
    [ "$status" -eq 0 ]
    says "the inventory is complete"
}
