# shellcheck shell=bash
# A munged with a key of its own and a carbond, below $place, which is short, as a socket's path has
# to be. Source it, and fell_all in teardown.

until_true() { # COMMAND...: within half a minute
    local i
    for ((i = 0; i < 300; i++)); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    echo "in vain for half a minute: $*"
    return 1
}

make_place() {
    [ -x "${top_builddir:?}/carbond" ] || skip 'built without carbond'
    place=$(mktemp -d /tmp/carbond.XXXXXX)
    chmod 755 "$place"
    carbond='' munges=() proxies=()
    export SLURM_CARBON_LIBEXEC=$top_builddir
    # it looks at a process by ptrace(2), which is not to be had everywhere
    export ASAN_OPTIONS=detect_leaks=0
}

start_munge() { # NAME
    install -d -m 700 "$place/$1"
    (umask 077 && head -c 128 /dev/urandom >"$place/$1/key")
    munged --foreground --force --socket="$place/$1/socket" --key-file="$place/$1/key" \
        --pid-file="$place/$1/pid" --log-file="$place/$1/log" --seed-file="$place/$1/seed" 3>&- &
    munges+=($!)
    chmod 755 "$place/$1"
    until_true test -S "$place/$1/socket"
}

# The books' carbon.conf with the settings of carbond, and those of a machine that cannot read them.
configure() { # BOOKS
    cat >>"$1/carbon.conf" <<END
MungeSocket=$place/munge/socket
DeliverDir=$place/deliver
END
    sed "s|^Database=.*|Database=sqlite:$place/none/carbon.db|" "$1/carbon.conf" >"$place/socket.conf"
    cp "$place/socket.conf" "$place/tcp.conf"
    echo "Carbond=$place/sock" >>"$place/socket.conf"
}

# What is said of the port to listen on goes into tcp.conf.
start_carbond() { # [PORT [OPTION]...]
    local books_conf=${SLURM_CARBON_CONF:?}
    : >"$place/log"
    ${wrap-} "$top_builddir/carbond" --config "$books_conf" --listen "127.0.0.1:${1:-0}" \
        --socket "$place/sock" --tools "$top_builddir" "${@:2}" 3>&- 2>"$place/log" &
    carbond=$!
    until_true grep -q ' port ' "$place/log" || { cat "$place/log"; return 1; }
    port=$(sed -n 's/.* port //p' "$place/log")
    sed -i '/^Carbond=/d' "$place/tcp.conf"
    echo "Carbond=127.0.0.1:$port" >>"$place/tcp.conf"
}

end_carbond() { # SIGNAL: its exit status
    local pid=$carbond
    carbond=''
    kill "-$1" "$pid"
    wait "$pid"
}

fell_all() {
    local pid
    for pid in ${carbond:+"$carbond"} "${proxies[@]}" "${munges[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ -z "${place-}" ] || rm -rf "$place"
}

# --- requests by hand -----------------------------------------------------------------------------

nonce=0123456789abcdef0123456789abcdef

question() { # TOOL ARGUMENT...: as JSON
    jq -cn --args '{tool: $ARGS.positional[0], arguments: $ARGS.positional[1:], csv: false,
        html: false, colour: false, utf8: true, columns: 0, zone: "UTC", time_format: "",
        format: ""}' -- "$@"
}

piece() { # WHAT NUMBER KIND: its head; bytes are on standard input
    printf 'carbond 1 %s %s %s %s\n' "$1" "$nonce" "$2" "$3"
    cat
}

seal() { # [OPTION of munge]...: a frame of what is on standard input
    local credential
    credential=$(munge --socket="${key:-$place/munge}/socket" "$@")
    printf '%s\n%s' "${#credential}" "$credential"
}

post() { # PATH FILE: what is answered, and the status on a line of its own
    curl -s -m 60 -H Expect: -w '\n%{http_code}\n' --data-binary "@$2" "http://127.0.0.1:$port$1"
}
