#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the kselftests on the stock kernel, in two virtual machines side by side. With KERNEL or CASE, uses one machine
# and shows its KTAP.
# Usage: test.sh [--long]
#   --long  run the long programs, which this script leaves out otherwise, unless ARCH, KERNEL or CASE asks for them
# Environment:
#   ARCH, KERNEL  see vm.sh
#   PAIR          the folder of a pair outside of this tree: run only the test of this pair
#   CASE          PROGRAM, or PROGRAM:TEXT for the first case whose name contains TEXT, or "list" to list all cases
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"

# The programs of the first machine; the second machine runs all others but the long ones. Keep the times of both about
# equal.
first_programs=ticks.sh,many_events.sh,fuzz.sh,events.sh,versions.sh,reload.sh,unload.sh,peers.sh,two_owners.sh,state.sh,tracepoints.sh,sensor.sh,hostile.sh,lending.sh,unregistering.sh,owner_unload.sh
# These take a third of the time of all programs. `make test` should take people at most five minutes, so `make verify`
# runs them.
long_programs=all_pairs.sh,alarm.sh,forgotten_drivers.sh

known_program() {
	[[ $1 = *.sh && -e $PROJECT/selftests/$1 ]] || die "there is no test '$1' in selftests/"
}

if [ "${1-}" = --long ]; then
	D2D_NAME=long exec "$LAB/vm.sh" test "d2d.case=$long_programs"
elif [ -n "${PAIR-}" ]; then
	[ -z "${CASE-}" ] || die "with PAIR, make test takes no CASE"
	exec "$LAB/vm.sh" test d2d.case=pair
elif [ "${CASE-}" = list ]; then
	mapfile -t programs < <(sed -n '/^TEST_PROGS [:+]=/,/[^\\]$/p' "$PROJECT/selftests/Makefile" | grep -o '[a-z_]*\.sh')
	cd "$PROJECT/selftests"
	exec awk -f "$LAB/run/cases.awk" "${programs[@]}"
elif [ -n "${CASE-}" ]; then
	known_program "${CASE%%:*}"
	# The kernel's command line cannot carry blanks and quotes. "?" stands for any character, "*" for any text.
	exec "$LAB/vm.sh" test "d2d.case=${CASE//[^A-Za-z0-9._:*-]/?}"
elif [ -n "${D2D_KERNEL-}${KERNEL-}" ]; then
	exec "$LAB/vm.sh" test
fi
for program in ${first_programs//,/ } ${long_programs//,/ }; do
	known_program "$program"
done
arch_suffix=''
others=-$first_programs,$long_programs
if [ "$ARCH" != x86_64 ]; then
	arch_suffix=-$ARCH
	others=-$first_programs
fi
part "first-half$arch_suffix" env D2D_NAME=first "$LAB/vm.sh" test "d2d.case=$first_programs"
part "second-half$arch_suffix" env D2D_NAME=second "$LAB/vm.sh" test "d2d.case=$others"
run_parts
