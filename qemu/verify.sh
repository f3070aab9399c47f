#!/bin/bash
# Everything that test.sh and check.sh leave out, in parts: the kselftests on the sanitizer kernel, guests in
# which something goes wrong, what the lab refuses, peers that detach where they must not, the models of the
# protocol, a short torture, the debugger, the guard of the bench's figures, the comparison with the
# Windows version, the porting guide's example, and the mutants. The counts come last.
# Usage: verify.sh [PART]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"
. "$(dirname "$0")/parts.sh"
unset KERNEL CASE

# bench_check - what is compared, and that the comparison can fail, which needs its figures
bench_check() {
	counted "instructions against the recorded ones" "$LAB/bench-check.sh"
	counted "the guard of those instructions" "$LAB/tests/bench.sh"
	total
}
if [ "${1-}" = --bench-check ]; then
	bench_check
	exit
fi

# The longest first. The mutants come last: they are many, and use each CPU that is free.
part sanitizer env KERNEL=sanitizer "$LAB/vm.sh" test
part harness "$LAB/tests/harness.sh"
part sins "$LAB/tests/sins.sh"
part model "$LAB/enter.sh" selftests/model/run.sh
part torture "$LAB/torture.sh" 8
part refusals "$LAB/tests/refusals.sh"
part bench "$LAB/verify.sh" --bench-check
part gdb "$LAB/tests/gdb.sh"
part windows "$PROJECT/windows/compare/compare.sh"
part example "$LAB/example.sh"
part mutants "$LAB/mutants.sh"

if [ -n "${1-}" ]; then
	[ -n "${part_command[$1]-}" ] || die "there is no part '$1': PART is one of ${part_names[*]}"
	part_names=("$1")
fi
run_parts
