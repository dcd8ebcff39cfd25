# shellcheck shell=bash
# Sourced: slow work side by side, each with a log of its own, and a line now and then that says how far it is.

job_names=() job_pids=() job_logs=()

jobs_in() { job_dir=$1; }

# job NAME CMD...: starts CMD; its output goes to a log that is shown when it fails.
job() {
    local name=$1; shift
    mkdir -p "$job_dir"
    local log; log=$job_dir/$(tr -cs 'A-Za-z0-9' '-' <<<"${name%% (*}" | sed 's/-$//').log
    say "$name: started"
    # A process group of its own, so that its compilers end with it.
    set -m
    # Without the lock of the bootstrap (9): what outlives a job would hold it.
    # It ends after what it runs has ended.
    ( set -euo pipefail; trap - EXIT INT; trap 'exit 143' TERM; "$@" ) >"$log" 2>&1 </dev/null 9>&- &
    set +m
    job_names+=("${name%% (*}") job_pids+=($!) job_logs+=("$log")
}

# Returns when they have ended: a job may have something to put back.
jobs_kill() {
    trap '' INT TERM
    local pid
    for pid in "${job_pids[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
    for pid in "${job_pids[@]}"; do wait "$pid" || true; done
}
trap jobs_kill EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What a job is at: the crates compiled so far, or the last thing that it said.
job_at() {
    local count; count=$(grep -c '^ *Compiling' "$1" || true)
    if [ "$count" -gt 0 ]; then
        printf '%s%d crates compiled' "$(sed -n 's/^crate: \(.*\)/\1, /p' "$1" | tail -n1)" "$count"
    else tr '\r' '\n' <"$1" | grep . | tail -n1 | cut -c1-70 || true; fi
}

# Waits for all jobs; the first that fails ends the others and the script.
jobs_wait() {
    local i rc ticks=0 left
    while [ ${#job_pids[@]} -gt 0 ]; do
        left=""
        for i in "${!job_pids[@]}"; do
            if kill -0 "${job_pids[i]}" 2>/dev/null; then
                left+="${left:+; }${job_names[i]} ($(job_at "${job_logs[i]}"))"
                continue
            fi
            rc=0; wait "${job_pids[i]}" || rc=$?
            local name=${job_names[i]} log=${job_logs[i]}
            # All three: the next job is put behind the last of each.
            unset "job_pids[i]" "job_names[i]" "job_logs[i]"
            if [ "$rc" != 0 ]; then
                printf '\n' >&2; tail -n 25 "$log" >&2
                die "$name: failed (exit $rc); the end of its log is above, all of it in $log"
            fi
            say "$name: done"
        done
        ticks=$((ticks + 1))
        [ -z "$left" ] || { [ $((ticks % 20)) != 0 ] || say "working: $left"; sleep 1; }
    done
}
