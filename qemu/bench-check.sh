#!/bin/bash
# The guard: measures the instructions of what the library offers, and compares them with those that `make
# bench` has recorded in docs/results.tsv. Growth of over 3 percent is red. KTAP on stdout, the counts
# last.
# Environment: KVER
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench/measure.sh"

dir=$PROJECT/build/bench-check/icount
D2D_TIMEOUT=1200 D2D_ICOUNT=y measure "$dir" stock '1 min'
"$LAB/enter.sh" "$("$LAB/root/tools.sh" bench)" guard "$PROJECT/docs/results.tsv" "$dir"
