#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Counts the instructions that each operation takes. Fails if an operation takes over 3 percent more than `make bench`
# has recorded in docs/results.tsv. This comparison is the *guard*; tests/guard.sh then shows that the guard can fail.
# Prints KTAP, and last a line of counts.
# Environment: KVER
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"
. "$(dirname "$0")/bench/run.sh"

dir=$PROJECT/build/bench-check/icount
D2D_TIMEOUT=1200 D2D_ICOUNT=y run_bench "$dir" stock '1 min'
tool=$("$LAB/root/tools.sh" bench)
part_now "instructions against the recorded ones" "$LAB/enter.sh" "$tool" guard "$PROJECT/docs/results.tsv" "$dir"
part_now "the guard can fail" "$LAB/tests/guard.sh"
total
