#!/bin/bash
# What can be said about the sources without running them: formatting, lints and the
# lab's own unit tests. KTAP on stdout, the counts last.
. "$(dirname "$0")/lib.sh"

D2D_KERNEL=$(kernel_dir "${KERNEL-}")
D2D_ROOT=$("$LAB/root.sh")
export D2D_ROOT
need_cache
hold "$CACHE/lock/build-$(key "$PROJECT")"
quotes=$("$LAB/tools.sh" quotes)
exec "$LAB/enter.sh" "$LAB/check-inside.sh" "$D2D_KERNEL" "$quotes"
