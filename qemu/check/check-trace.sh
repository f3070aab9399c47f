#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the trace tool (trace/) with clippy, and runs its tests.
. "$(dirname "$0")/../lib/lab.sh"

need_cache
log=$(mktemp)
trap 'rm -f "$log"' EXIT
. "$(dirname "$0")/../lib/ktap.sh"
ktap_begin

expect "clippy finds no fault in trace/" "$LAB/root/cargo.sh" clippy --locked --all-targets -- -D warnings
expect "cargo test trace passes" "$LAB/root/cargo.sh" test --locked --release --no-fail-fast
mapfile -t verdicts < <(sed -nE 's/^test (.*) \.\.\. (ok|FAILED).*/\2 \1/p' "$log")
for verdict in "${verdicts[@]}"; do
	expect "trace ${verdict#* }" [ "${verdict%% *}" = ok ]
done
ktap_end
