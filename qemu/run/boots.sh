#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots a guest for each line of a table. If the line names a reason, the run must fail for this reason. Otherwise the
# run must pass.
# Usage: boots.sh TABLE
#
# Each line of TABLE (- is standard input) is a boot: KERNEL SCENARIO SECONDS [REASON]
#   KERNEL    stock, uml, sanitizer, debug or strict
#   SCENARIO  a mode and perhaps a case
#               MODE, MODE/CASE      a script of qemu/guest/, which finds CASE in $case
#               test                 all kselftests
#               test/PROGRAM,...     these kselftests
#               test/PROGRAM:TEXT    the first case of PROGRAM whose name contains TEXT, with "?" for each blank
#               torture/N            the torture for N seconds (uml)
#               torture/fuzz,N,SEED  only the fuzzer of the torture (uml)
#   SECONDS   the time after which the guest counts as hung
#   REASON    a regular expression for the beginning of a reason, which d2d-vm prints after "FAIL: ". The reason for
#             a failed test is "test: NAME". When a test fails for REASON, d2d-vm ends the run at once.
# The guest finds all modules in /lib/d2d. If a line names a REASON, and qemu/guest/CASE.expected exists, d2d-vm must
# also print each line of that file as a reason.
# Example:
#   echo 'sanitizer harness/leak 90 result: leaks is [1-9]' | qemu/run/boots.sh -
# Environment:
#   ARCH        arm64: boot machines of arm64, with the kernel "stock" only
#   KERNEL      boot only the lines of this kernel; see also kernel_dir (lib/lab.sh)
#   D2D_IMAGES  do not build, but boot the images that run/image.sh has written to D2D_IMAGES/KERNEL/
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
	# guest/init evaluates the kernel's command line as shell code.
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

# boot KERNEL SCENARIO SECONDS REASON - boots the guest of one line; prints what is wrong with the outcome
boot() {
	local kernel=$1 scenario=$2 seconds=$3 reason=$4 rc=0 output case='' stop='' plugin=''
	# In the option hostfs= of User-Mode Linux, a comma ends the path.
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
