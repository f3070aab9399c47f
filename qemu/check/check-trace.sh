#!/bin/bash
# The checks of the trace tool: clippy and its tests, a KTAP result each. Its formatting is checked
# with that of all other sources.
. "$(dirname "$0")/../lib.sh"

need_cache
log=$(mktemp)
trap 'rm -f "$log"' EXIT
. "$(dirname "$0")/../ktap.sh"

expect "clippy trace" "$LAB/root/cargo.sh" clippy --locked --all-targets -- -D warnings
expect "cargo test trace" "$LAB/root/cargo.sh" test --locked --release --no-fail-fast
mapfile -t verdicts < <(sed -nE 's/^test (.*) \.\.\. (ok|FAILED).*/\2 \1/p' "$log")
for verdict in "${verdicts[@]}"; do
	expect "trace ${verdict#* }" [ "${verdict%% *}" = ok ]
done
counts
