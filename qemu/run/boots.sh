#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots a guest for each line of a table. If the line names a reason, the run must fail for that reason; otherwise the
# run must pass. So a table can show that d2d-vm (tests/harness.sh), lockdep (tests/lockdep.sh) or the kselftests
# (mutants.sh) notice a fault. Prints KTAP, and last a line of counts. If a run that must pass fails, also prints the
# end of its console.
# Usage: boots.sh TABLE
#
# Each line of TABLE (- is standard input) is a boot: KERNEL SCENARIO SECONDS [REASON]
#   KERNEL    stock, uml, sanitizer, debug or strict
#   SCENARIO  a mode and perhaps a case
#               MODE, MODE/CASE      a script of qemu/guest/, which finds CASE in $case
#               test                 all kselftests
#               test/PROGRAM         one kselftest
#               test/PROGRAM:TEXT    the first case of PROGRAM whose name contains TEXT, with "?" for each blank
#               torture/N            the torture for N seconds (uml)
#               torture/fuzz,N,SEED  only the fuzzer of the torture (uml)
#   SECONDS   the limit after which the guest counts as hung
#   REASON    the rest of the line: an extended regular expression. When a run fails, d2d-vm prints each reason after
#             "FAIL: ", in a line of its own. REASON must match the beginning of one of these reasons. The reason for a
#             failed test is "test: NAME". When a test of the kselftests or of the torture fails, and REASON matches the
#             beginning of "test: NAME", d2d-vm ends the run at once.
# The guest finds all modules in /lib/d2d. If there is a file qemu/guest/CASE.expected, and the line names a REASON,
# d2d-vm must also print each line of that file as a reason.
# Example:
#   echo 'sanitizer harness/leak 90 result: leaks is [1-9]' | qemu/run/boots.sh -
# Environment:
#   ARCH        arm64: boot a virtual machine of arm64. Each line must then name the kernel "stock"
#   KERNEL      boot only the lines of this kernel; see also kernel_dir (lib/lab.sh)
#   D2D_IMAGES  a directory with the output of run/image.sh in KERNEL/, for each kernel of the table
. "$(dirname "$0")/../lib/lab.sh"
. "$(dirname "$0")/../lib/ktap.sh"

lines=$(sed '/^#/d; /^$/d' -- "$1" | grep -E "^${KERNEL:-[^ ]+} ") ||
	die "nothing to boot: $1 has no line${KERNEL:+ of the kernel $KERNEL}"
mapfile -t table <<<"$lines"
for line in "${table[@]}"; do
	read -r kernel scenario seconds _ <<<"$line"
	known_kernel "$kernel"
	known_mode "${scenario%%/*}"
	[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "the third column is a number of seconds: $line"
	# The scenario becomes a word of the kernel's command line, which guest/init evaluates as shell code.
	[[ $scenario != *[\'\"]* ]] || die "the second column has a quote: $line"
done

. "$(dirname "$0")/../lib/machine.sh"
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/boots.XXXXXX")
trap 'rm -rf "$dir"' EXIT

declare -A kernels=()
for line in "${table[@]}"; do
	name=${line%% *}
	[ -z "${kernels[$name]-}" ] || continue
	kernels[$name]=$(kernel_dir "$name")
	[ -n "${D2D_IMAGES-}" ] || D2D_KERNEL=${kernels[$name]} "$LAB/run/image.sh" "$dir/$name" --selftests
done

# boot KERNEL SCENARIO SECONDS REASON - boots the guest of one line, and prints what is wrong with the outcome
boot() {
	local kernel=$1 scenario=$2 seconds=$3 reason=$4 rc=0 output case='' stop='' plugin=''
	# Replace the commas of a scenario, because a comma ends the path in the option hostfs= of User-Mode Linux.
	local logs=$dir/$kernel/${scenario//[^A-Za-z0-9._\/-]/-}
	[ "${scenario%%/*}" = "$scenario" ] || case=${scenario#*/}
	mkdir -p "$logs"
	case $scenario in
	test/* | torture/*) stop=$reason ;;
	cache-lines) plugin=$("$LAB/root/tools.sh" cache-lines) ;;
	esac
	output=$(D2D_TIMEOUT=$seconds D2D_STOP_ON=$stop D2D_PLUGIN=$plugin run_machine "${kernels[$kernel]}" "${scenario%%/*}" \
		"${D2D_IMAGES:-$dir}/$kernel/initramfs.cpio" "$logs" "d2d.case=$case" 2>&1) || rc=$?
	if [ -z "$reason" ]; then
		[ "$rc" -eq 0 ] || {
			echo "the run failed, it should pass: $output"
			echo "the end of its console:"
			tail -n 60 "$logs/console.log" | tr -d '\r'
		}
	elif [ "$rc" -ne 1 ]; then
		echo "d2d-vm ended with $rc, expected 1: $output"
	elif ! grep -qE "^FAIL: ($reason)" <<<"$output"; then
		echo "d2d-vm gave no reason that matches '$reason': $output"
	elif [ -n "$case" ] && [ -e "$LAB/guest/$case.expected" ]; then
		while read -r text; do
			grep -qxF -e "FAIL: console: $text" -e "FAIL: dmesg: $text" <<<"$output" || echo "d2d-vm gave no reason with the text '$text'"
		done <"$LAB/guest/$case.expected"
	fi
}

arch_label=''
[ "$ARCH" = x86_64 ] || arch_label="$ARCH "
ktap_begin
for line in "${table[@]}"; do
	read -r kernel scenario seconds reason <<<"$line"
	expect_silence "$arch_label$kernel $scenario" boot "$kernel" "$scenario" "$seconds" "$reason"
done
ktap_end
