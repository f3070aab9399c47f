#!/bin/bash
# All tests of the modules: the kselftests in a VM with the stock kernel and in one with the
# sanitizer kernel; a short torture, what lockdep has to say of peers, the debugger, the models of
# the protocol, the comparison with the Windows version, the guard of the bench's figures, and the
# mutants; or the kselftests alone, with the kernel that KERNEL names.
# KTAP on stdout, a document for each; the counts of all last.
# Environment: KERNEL; see kernel_dir (lib.sh)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"

kselftests() {
	echo "# kernel: $1"
	KERNEL=$1 counted "kselftests, $1 kernel" "$LAB/vm.sh" test
}

# What runs beside the kselftests; says what it has counted
beside() {
	counted torture "$LAB/torture.sh" 8
	counted "peers that detach where they must not" "$LAB/tests/sins.sh"
	counted "the debugger" "$LAB/tests/gdb.sh"
	counted model "$LAB/enter.sh" selftests/model/run.sh
	counted "comparison with the Windows version" "$PROJECT/windows/compare/compare.sh"
	counted "the porting guide's example" "$LAB/example.sh"
	counted "instructions against the recorded ones" "$LAB/bench-check.sh"
	counted "the guard of those instructions" "$LAB/tests/bench.sh"
	counted mutants "$LAB/mutants.sh"
	total
}

if [ -n "${D2D_KERNEL-}${KERNEL-}" ]; then
	kselftests "${KERNEL-stock}"
else
	# Emulation keeps one CPU busy; these need what is left of the other.
	others=$(mktemp)
	trap 'rm -f "$others"' EXIT
	beside >"$others" 2>&1 &
	kselftests stock
	kselftests sanitizer
	wait $! || :
	counted "beside them" cat "$others"
fi
total
