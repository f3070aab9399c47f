#!/bin/bash
# What can be said about the sources without running them: formatting, lints and the
# lab's and the trace tool's own tests. KTAP on stdout, a document for each; the counts of all last.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"

D2D_KERNEL=$(kernel_dir "${KERNEL-stock}")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
need_cache
hold "$CACHE/lock/build-$(key "$PROJECT")"
quotes=$("$LAB/root/tools.sh" quotes)
counted "builds that are refused" "$LAB/enter.sh" "$LAB/tests/builds.sh" "$D2D_KERNEL"
counted "the sources" "$LAB/enter.sh" "$LAB/check/check-inside.sh" "$D2D_KERNEL" "$quotes"
counted "the trace tool" "$LAB/check/check-trace.sh"
total
