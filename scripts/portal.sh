# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # target comes from lib.sh, portal_url goes to the scripts that source this
# Sourced: the lab and the portal as the demo and the browser tests need them. What was started here is stopped here.
#
# Env: FAIRLEAD_PORT, where the portal listens (default 3000).
. scripts/lab.sh

portal_pid="" portal_port=${FAIRLEAD_PORT:-3000}

portal_port_is_free() {
    if (: >"/dev/tcp/127.0.0.1/$portal_port") 2>/dev/null; then
        die "something answers on port $portal_port already: stop it, or take another one with FAIRLEAD_PORT=3100"
    fi
}
# Asked now, before anything that takes long.
portal_port_is_free

# portal_start CONFIG LOG: returns when it is ready to serve, or says why it is not.
portal_start() {
    local config=$1 log=$2 listen tries
    listen=$(sed -n 's/^listen *= *"\(.*\)".*/\1/p' "$config")
    portal_url=$(sed -n 's/^public_url *= *"\(.*\)".*/\1/p' "$config")
    portal_port_is_free
    # A debug build's program is 16 MB: packed here once, in a moment, and not for each browser with an empty cache.
    local program
    for program in "$target"/site/pkg/*.wasm; do
        [ ! -f "$program" ] || [ -f "$program.gz" ] || gzip --fast --keep "$program"
    done
    # What cargo-leptos tells the server of where it put the site (see [workspace.metadata.leptos]).
    LEPTOS_OUTPUT_NAME=fairlead LEPTOS_SITE_ROOT=$target/site LEPTOS_SITE_PKG_DIR=pkg LEPTOS_HASH_FILES=true \
        setsid "$target/debug/fairlead" serve --config "$config" >"$log" 2>&1 </dev/null &
    portal_pid=$!
    for ((tries = 0; tries < 300; tries++)); do
        if ! kill -0 "$portal_pid" 2>/dev/null; then tail -n 25 "$log" >&2; die "the portal stopped; its log is above ($log)"; fi
        if curl --silent --fail --output /dev/null --max-time 2 "http://$listen/readyz"; then return 0; fi
        sleep 0.2
    done
    tail -n 25 "$log" >&2
    die "the portal was not ready after 60 s; the end of its log is above ($log)"
}

stop_all() {
    trap '' INT TERM
    if [ -n "$portal_pid" ]; then
        say "stopping the portal"
        kill -TERM "$portal_pid" 2>/dev/null || true
        wait "$portal_pid" 2>/dev/null || true
        portal_pid=""
    fi
    lab_stop
}
trap stop_all EXIT
