#!/bin/bash
# All tests of the modules: the kselftests in a VM with the stock kernel and in one with the
# sanitizer kernel, a short torture, the models of the protocol, and the mutants; or the
# kselftests alone, with the kernel that KERNEL names. KTAP on stdout, a document for
# each; the counts of all last.
# Environment: KERNEL; see kernel_dir (lib.sh)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"

kselftests() {
	echo "# kernel: $1"
	KERNEL=$1 counted "kselftests, $1 kernel" "$LAB/vm.sh" test
}

if [ -n "${D2D_KERNEL-}${KERNEL-}" ]; then
	kselftests "${KERNEL:-stock}"
else
	kselftests stock
	kselftests sanitizer
	counted torture "$LAB/torture.sh" 8
	counted model "$LAB/enter.sh" selftests/model/run.sh
	counted mutants "$LAB/mutants.sh"
fi
total
