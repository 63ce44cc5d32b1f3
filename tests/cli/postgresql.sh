# shellcheck shell=bash
# A server of PostgreSQL of a test's own below $place, by whoever it may run as; its socket is there
# too. $postgresql is its pg_ctl, with the place of its data.

start_postgresql() {
    local bin as=()
    bin=$(find /usr/lib/postgresql /usr/pgsql-* -path '*/bin/initdb' -printf '%h\n' 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$bin" ] || skip 'no PostgreSQL here (Debian: postgresql)'
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    place=$(mktemp -d /tmp/carbon-pg.XXXXXX) # a socket's path has to be short
    [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$place"
    "${as[@]}" "$bin/initdb" -D "$place/data" -U books -A trust --no-sync -E UTF8 >/dev/null
    postgresql="${as[*]} $bin/pg_ctl -D $place/data"
    run_postgresql -F
}

run_postgresql() { # [OPTION]
    # shellcheck disable=SC2086 # words of a command
    $postgresql -l "$place/log" -w -o "${1-} -k $place -c listen_addresses=''" start 3>&- >/dev/null
}

kill_postgresql() {
    # shellcheck disable=SC2086
    $postgresql -m immediate stop >/dev/null
}

# Whatever is there of it.
remove_postgresql() {
    [ -n "${place-}" ] || return 0
    kill_postgresql 2>/dev/null || true
    rm -rf "$place"
}

# For setup_file: a server that the commands of a file's tests find by themselves.
serve_tests() {
    grep -q 'define HAVE_LIBPQ 1' "${top_builddir:?}/config.h" || skip 'built without libpq'
    start_postgresql
    # libpq takes what a URI leaves out from these
    export place postgresql PGHOST=$place PGUSER=books PGDATABASE=postgres
    unset PGPASSWORD PGSERVICE PGPORT
}
