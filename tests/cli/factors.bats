#!/usr/bin/env bats
# carbonctl factors: sets are made by what differs, and an old one can be read for ever

setup() {
    carbonctl=${top_builddir:?}/carbonctl
    export CARBON_DATA=${top_srcdir:?}/accounting/carbon
    dir=$BATS_TEST_TMPDIR
    conf=$dir/carbon.conf
    mkdir "$dir/deliver"
    cat >"$conf" <<EOF
Zone=FR
PUE=1.2
Database=sqlite:$dir/carbon.db
DeliverDir=$dir/deliver
Inventory=$dir/inventory.conf
EOF
    export SLURM_CARBON_CONF=$conf
    unset SLURM_CONF SLURMD_NODENAME
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

inventory() { # KG [GPUS]
    cat >"$dir/inventory.conf" <<EOF
node_type "gpu" {
    nodes = "g[1-2]"
    gpus = ${2:-4}
    cores = 8
    in_service = "2026-01-01"
    asset "server" {
        class = GPU
        kg = $1
        kg_low = $1
        kg_high = $1
        lifetime_years = 5
        source = "a test"
    }
}
EOF
}

count() { # sets
    "$carbonctl" factors list | awk 'NR > 1' | wc -l
}

@test "init makes set 1, and none more when nothing differs" {
    run "$carbonctl" init
    [ "$status" -eq 0 ]
    says "Zone FR"
    says "PUE 1.2"
    says "$dir/inventory.conf is not there: embodied emissions are unknown without it"
    says "factor set 1 made"
    run "$carbonctl" init
    [ "$status" -eq 0 ]
    [[ $output != *made* ]]
    [ "$(count)" -eq 1 ]
}

@test "update takes what differs into a new set and says what it is" {
    "$carbonctl" init
    run "$carbonctl" factors update
    [ "$status" -eq 0 ]
    says "nothing differs from factor set 1"
    says "inventory.conf is not there"
    sed -i 's/1.2/1.3/' "$conf"
    inventory 2500
    run "$carbonctl" factors update --dry-run
    [ "$status" -eq 0 ]
    says "PUE 1.2 -> 1.3"
    says "inventory.conf: new, 14 lines"
    says "factor set 2 would be made"
    [ "$(count)" -eq 1 ]
    run "$carbonctl" factors update
    says "factor set 2 made"
    inventory 2600
    sed -i 's/FR/DE/' "$conf"
    run "$carbonctl" factors update
    [ "${lines[0]}" = 'Zone FR -> DE' ]
    [ "${lines[1]}" = 'inventory.conf: 3 lines added, 3 removed' ]
    [ "${lines[2]}" = 'factor set 3 made' ]
    : > "$dir/inventory.conf"
    run "$carbonctl" factors update
    says "inventory.conf: gone"
    says "inventory.conf is empty: embodied emissions are unknown without it"
    [ "$(count)" -eq 4 ]
}

@test "an inventory that is not there any more is not taken for one given up" {
    inventory 2500
    "$carbonctl" init
    mv "$dir/inventory.conf" "$dir/elsewhere"
    run "$carbonctl" factors update
    [ "$status" -eq 1 ]
    says "inventory.conf is not there, but factor set 1 has an inventory: put it back, or leave an"
    [ "$(count)" -eq 1 ]
    run "$carbonctl" ingest
    says "inventory.conf is not there, but factor set 1 has an inventory"
    [ "$(count)" -eq 1 ]
    mv "$dir/elsewhere" "$dir/inventory.conf"
    run "$carbonctl" factors update
    [ "$status" -eq 0 ]
    [ "$(count)" -eq 1 ]
}

@test "a document of an old set is printed as it was" {
    inventory 2500
    "$carbonctl" init
    cp "$dir/inventory.conf" "$dir/old"
    inventory 2600
    "$carbonctl" factors update
    "$carbonctl" factors show --set 1 inventory.conf | cmp - "$dir/old"
    "$carbonctl" factors show inventory.conf | cmp - "$dir/inventory.conf"
    "$carbonctl" factors show grid_intensity.csv | cmp - "$CARBON_DATA/grid_intensity.csv"
    [ "$("$carbonctl" factors show settings | head -2)" = $'Zone=FR\nPUE=1.2' ]
    run "$carbonctl" factors show --set 1
    says "Factor set 1, made "
    says "by carbonctl init"
    says "  PUE                  1.2"
    says "  inventory.conf       14 lines"
    says "none imported"
}

@test "diff shows each line that differs" {
    inventory 2500
    "$carbonctl" init
    inventory 2500 8
    echo 'EmbodiedMode=share' >>"$conf"
    "$carbonctl" factors update
    run "$carbonctl" factors diff 1 2
    [ "$status" -eq 0 ]
    [ "$output" = 'EmbodiedMode capacity -> share
inventory.conf: 1 line added, 1 removed
  -3:     gpus = 4
  +3:     gpus = 8' ]
    run "$carbonctl" factors diff 2 2
    [ "$output" = 'factor sets 2 and 2 do not differ' ]
}

@test "a broken file makes no set, and says where" {
    "$carbonctl" init
    inventory 0.0.1
    run "$carbonctl" factors update
    [ "$status" -eq 1 ]
    says "carbonctl: $dir/inventory.conf:8"
    rm "$dir/inventory.conf"
    sed -i 's/Zone=FR/Zone=France/' "$conf"
    run "$carbonctl" factors update
    [ "$status" -eq 1 ]
    says "carbonctl: Zone: no zone \"France\" in $CARBON_DATA/grid_intensity.csv; nearest: FR"
    mkdir "$dir/data"
    CARBON_DATA=$dir/data run "$carbonctl" factors update
    [ "$status" -eq 1 ]
    says "grid_intensity.csv is not there: it is installed with slurm-carbon"
    [ "$(count)" -eq 1 ]
}

@test "a broken inventory keeps init from making a set, not the database" {
    inventory 0.0.1
    run "$carbonctl" init
    [ "$status" -eq 1 ]
    says "inventory.conf:8"
    says "call carbonctl init again"
    run "$carbonctl" factors list
    [ "$status" -eq 1 ]
    says "no factor set yet: \`carbonctl factors update\` makes one"
    inventory 1
    "$carbonctl" init
    [ "$(count)" -eq 1 ]
}

@test "ingest takes changes into a set, and a broken file never stops it" {
    "$carbonctl" init
    sed -i 's/1.2/1.3/' "$conf"
    run "$carbonctl" ingest
    [ "$status" -eq 0 ]
    says "PUE 1.2 -> 1.3"
    says "factor set 2 made"
    says "loaded 0"
    inventory 0.0.1
    run "$carbonctl" ingest
    [ "$status" -eq 0 ]
    says "carbonctl: $dir/inventory.conf:8"
    says "still computed with the factors of before"
    says "loaded 0"
    [ "$(count)" -eq 2 ]
}

@test "ingest --watch sees a file that changes, and says a mistake in it once" {
    "$carbonctl" init
    "$carbonctl" ingest --watch >"$dir/out" 2>&1 &
    watcher=$!
    appears() { # TEXT
        for _ in $(seq 300); do
            grep -qF "$1" "$dir/out" && return 0
            touch "$dir/deliver/poke" && rm "$dir/deliver/poke" # a round at once
            sleep 0.1
        done
        cat "$dir/out"
        kill "$watcher"
        return 1
    }
    inventory 0.0.1
    appears "inventory.conf:8"
    inventory 1
    appears "factor set 2 made"
    sed -i 's/1.2/0.9/' "$conf"
    appears "carbon.conf cannot be used"
    sed -i 's/0.9/1.4/' "$conf"
    appears "PUE 1.2 -> 1.4"
    kill "$watcher"
    wait "$watcher"
    [ "$(grep -c 'inventory.conf:8' "$dir/out")" -eq 1 ]
    [ "$(grep -c 'cannot be used' "$dir/out")" -eq 1 ]
    [ "$(count)" -eq 3 ]
}

@test "list tells when and by what each set was made" {
    "$carbonctl" init
    sed -i 's/1.2/1.3/' "$conf"
    "$carbonctl" factors update
    run "$carbonctl" factors list
    [[ ${lines[1]} =~ ^\ +1\ 20[0-9-]+T[0-9:]+Z\ carbonctl\ init$ ]]
    [[ ${lines[2]} =~ ^\ +2\ 20[0-9-]+T[0-9:]+Z\ carbonctl\ factors\ update$ ]]
}

@test "mistakes are told with the way out" {
    local row
    "$carbonctl" init
    for row in \
        "|factors: say what to do; carbonctl factors --help lists it" \
        "frob|factors: 'frob' is not known" \
        "show --set x|factors show: x is no number of a factor set; carbonctl factors list has" \
        "show --set 7|there is no factor set 7: there are 1 to 1, listed by" \
        "show frob|factor set 1 has no document frob; carbonctl factors show --set 1 lists" \
        "diff 1|factors diff: give the numbers of two factor sets" \
        "diff 1 2|there is no factor set 2" \
        "diff 1 1 1|factors diff: nothing is known to do with '1'" \
        "list x|factors list: nothing is known to do with 'x'" \
        "update x|factors update: nothing is known to do with 'x'"; do
        # shellcheck disable=SC2086
        run "$carbonctl" factors ${row%%|*}
        [ "$status" -eq 1 ]
        says "carbonctl: ${row#*|}"
    done
}
