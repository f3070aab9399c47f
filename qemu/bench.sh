#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Measures the operations of the library, of its C twin, and of the kernel's alternatives. QEMU counts instructions.
# User-Mode Linux, on two real CPUs, measures nanoseconds, and so does QEMU where KVM works. The program of bench/
# checks each run (bench/main.rs), and writes docs/results.{md,svg,tsv}.
# Environment: KVER
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/bench/measure.sh"

out=$PROJECT/build/bench
export D2D_TIMEOUT=600
D2D_ICOUNT=y measure "$out/icount" stock '1 min'
D2D_ICOUNT=y D2D_NO_POINTS=y measure "$out/no-points" stock '1 min'
measure "$out/uml" uml '1 min'
instruments=("$out"/{icount,no-points,uml})
if "$LAB/enter.sh" "$("$LAB/root/tools.sh")" --has-kvm; then
	measure "$out/kvm" stock '1 min'
	instruments+=("$out/kvm")
fi
"$LAB/enter.sh" "$("$LAB/root/tools.sh" bench)" report "$PROJECT/docs" "${instruments[@]}"
