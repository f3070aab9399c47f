#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the sources without loading a module.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"

D2D_KERNEL=$(kernel_dir "${KERNEL-stock}")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
hold_build
proofread=$("$LAB/root/tools.sh" proofread)
mutate=$("$LAB/root/tools.sh" mutate)
extra_root=$("$LAB/root/root-extra.sh")
# "sources" takes the longest, so it starts first.
part sources "$LAB/enter.sh" "$LAB/check/check-inside.sh" "$D2D_KERNEL" "$proofread" "$mutate" "$extra_root"
part trace-tool "$LAB/check/check-trace.sh"
part refused-builds "$LAB/enter.sh" "$LAB/tests/builds.sh" "$D2D_KERNEL"
part windows env D2D_ROOT="$extra_root" "$LAB/enter.sh" "$LAB/check/windows-cppcheck.sh"
run_parts
