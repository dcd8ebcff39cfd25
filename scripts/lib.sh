# shellcheck shell=bash
# Sourced by every script here: where the project is, which versions it wants, and how a script talks.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Tools that the bootstrap builds go to a folder of the project's own: `make clean` keeps them, and a person's own
# cargo-leptos of another version is left alone.
tools=${FAIRLEAD_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/fairlead/tools}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
command -v cargo >/dev/null || PATH=$cargo_home/bin:$PATH
PATH=$tools/bin:$PATH
export PATH

# What is built lies where the lab, the site and .cargo/config.toml expect it, whatever a person builds elsewhere.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
# shellcheck disable=SC2034 # used by the scripts that source this
target=target

# The version of a crate in Cargo.lock: wasm-bindgen's program must be exactly as old as its library.
locked() { awk -v crate="$1" '$1 == "name" && $3 == "\"" crate "\"" { getline; gsub(/"/, "", $3); print $3; exit }' Cargo.lock; }

# The browser for the tests.
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

began=$SECONDS
say() { printf '[%4ds] %s\n' $((SECONDS - began)) "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# section NAME CMD...: run it under a heading, and say how long it took.
section() {
    local name=$1 start=$SECONDS rc=0; shift
    printf '\n== %s\n' "$name"
    "$@" || rc=$?
    if [ "$rc" = 0 ]; then printf '== %s: ok, %d s\n' "$name" $((SECONDS - start))
    else printf '== %s: FAILED (exit %d), %d s\n' "$name" "$rc" $((SECONDS - start)); fi
    return "$rc"
}
