# shellcheck shell=bash
# shellcheck disable=SC2154 # target comes from lib.sh
# Sourced: the lab as scripts need it. What was started here is stopped here.

# The program that lab_build made; it can stop the lab also while cargo is at work.
lab() { "$target/debug/lab" "$@"; }

# Not quiet: from nothing it takes minutes.
lab_build() { cargo build --locked --package lab; }

# Up when its description is written and its GitHub stand-in says that it is this checkout's.
lab_is_up() {
    local url holder
    [ -f "$target/lab/lab.json" ] || return 1
    url=$(node -p 'JSON.parse(fs.readFileSync(process.argv[1])).github.url' "$target/lab/lab.json")
    holder=$(curl --silent --max-time 2 "$url/_lab/") || return 1
    grep -qF "\"lab\":\"$(realpath "$target/lab")\"" <<<"$holder"
}

lab_started=""

# One that was up before stays up afterwards; `up` then only starts what has stopped since.
lab_up() {
    lab_build || return
    lab_is_up || lab_started=1
    lab up
}

# Stopped, not removed: what is deployed on the droplets is what the portal's history says, today and the next time.
lab_stop() {
    [ -n "$lab_started" ] || return 0
    trap '' INT TERM
    say "stopping the lab"
    lab stop
    lab_started=""
}

# The lab can be stopped and removed without a trace. Only for one that the calling script started, and where no demo has
# a history that would go with it.
lab_leaves_nothing() {
    if [ -z "$lab_started" ] || [ -d "$target/lab/portal" ]; then
        echo "skipped: the lab was up before, or has the history of a demo"
        return 0
    fi
    cargo nextest run "$@" --run-ignored only --test-threads 1 -E 'binary(down)'
}

trap lab_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
