#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Measures the library, the C twin and the kernel's alternatives: instructions in QEMU; nanoseconds in User-Mode Linux
# and, if the host has KVM, in QEMU. d2d-bench (bench/main.rs) checks each run, and writes docs/results.{md,svg,tsv}.
# Environment: KVER
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/bench/run.sh"

out=$PROJECT/build/bench
export D2D_TIMEOUT=600
D2D_ICOUNT=y run_bench "$out/icount" stock '1 min'
D2D_ICOUNT=y D2D_NO_TRACEPOINTS=y run_bench "$out/no-tracepoints" stock '1 min'
run_bench "$out/uml" uml '1 min'
runs=("$out"/{icount,no-tracepoints,uml})
if "$LAB/enter.sh" "$("$LAB/root/tools.sh")" --has-kvm; then
	run_bench "$out/kvm" stock '1 min'
	runs+=("$out/kvm")
fi
"$LAB/enter.sh" "$("$LAB/root/tools.sh" bench)" report "$PROJECT/docs" "${runs[@]}"
