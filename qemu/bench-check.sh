#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The *guard*: counts the instructions of each operation. Fails if an operation takes over 3 percent more than
# docs/results.tsv records. tests/guard.sh then shows that the guard can fail.
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
