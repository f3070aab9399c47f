#!/bin/bash
# The kselftests. Without arguments on the stock kernel, in two virtual machines side by side; with KERNEL
# or CASE in one, whose KTAP is shown. The counts come last.
# Environment: CASE, which is PROGRAM, or PROGRAM:TEXT for the first case whose name contains TEXT; KERNEL; see
# kernel_dir (lib.sh)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"
. "$(dirname "$0")/parts.sh"

# About half of the time that all programs take: emulation keeps one CPU busy. The other machine runs
# those that are not named here.
half=ticks.sh,many_events.sh,fuzz.sh,events.sh,versions.sh,comings_and_goings.sh,unload.sh,peers.sh,state.sh,tracepoints.sh,sensor.sh,hostile.sh

known_program() {
	[[ $1 = *.sh && -e $PROJECT/selftests/$1 ]] || die "there is no test '$1' in selftests/"
}

if [ -n "${CASE-}" ]; then
	known_program "${CASE%%:*}"
	# The kernel's command line has no blanks in a word; the guest takes "?" for any character.
	exec "$LAB/vm.sh" test "d2d.case=${CASE//[^A-Za-z0-9._:-]/?}"
elif [ -n "${D2D_KERNEL-}${KERNEL-}" ]; then
	exec "$LAB/vm.sh" test
fi
for program in ${half//,/ }; do
	known_program "$program"
done
part one-half env D2D_NAME=one "$LAB/vm.sh" test "d2d.case=$half"
part other-half env D2D_NAME=other "$LAB/vm.sh" test "d2d.case=-$half"
run_parts
