#!/bin/bash
# Measures what the library offers, its twin in C, and what the kernel has for the same purposes:
# instructions in QEMU, and nanoseconds on two real CPUs in User-Mode Linux and, where KVM works, in
# QEMU. Prints tables and writes docs/results.{md,svg,tsv} if all checks pass (bench/).
# Environment: KVER
. "$(dirname "$0")/lib.sh"
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
