#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the tests that neither `make test` nor `make check` runs. docs/testing.md explains the parts.
# Usage: verify.sh [PART|list]
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"
unset ARCH KERNEL CASE

# The longest part comes first. The mutants come last: they keep both CPUs busy without another part.
part sanitizer env KERNEL=sanitizer D2D_TIMEOUT=4800 "$LAB/vm.sh" test
part long "$LAB/test.sh" --long
part alone "$LAB/tests/alone.sh"
part harness "$LAB/tests/harness.sh"
part lockdep "$LAB/tests/lockdep.sh"
part lockdown "$LAB/tests/lockdown.sh"
part abi "$LAB/tests/abi.sh"
part model "$LAB/model.sh"
part torture "$LAB/torture.sh" 8
part cache-lines "$LAB/tests/cache-lines.sh"
part kernels "$LAB/kernels.sh" some
part strict "$LAB/tests/strict.sh"
part arm64 "$LAB/tests/arm64.sh"
part lab-errors "$LAB/tests/lab-errors.sh"
part bench "$LAB/bench-check.sh"
part install "$LAB/tests/install.sh"
part rust-headers "$LAB/tests/rust-headers.sh"
part windows "$PROJECT/windows/compare/compare.sh"
part windows-example "$LAB/windows-example.sh"
part mutants "$LAB/mutants.sh"
# This part runs only if PART names it: building the debug kernel takes 9.5 minutes.
[ -z "${1-}" ] || part gdb "$LAB/tests/gdb.sh"

if [ "${1-}" = list ]; then
	printf '%s\n' "${part_names[@]}"
	exit
elif [ -n "${1-}" ]; then
	[ -n "${part_command[$1]-}" ] || die "there is no part '$1': PART is one of ${part_names[*]}"
	part_names=("$1")
fi
run_parts
