#!/bin/bash
# Boots guests to which something goes wrong, and expects each run to fail, and for the right
# reason; or to pass. For whatever has to be noticed: by the harness (tests/), by
# a kernel's debugging, by the tests (a mutant: a copy of the project with a fault in it,
# whose own expect.sh is called). KTAP on stdout, the counts last.
# Usage: expect.sh TABLE
#
# Each line of TABLE (- is standard input) is a boot:
#   KERNEL    stock, sanitizer or uml
#   SCENARIO  what the guest does: NAME/CASE is qemu/guest/NAME.sh with CASE in $case; NAME alone
#             will do; test is the kselftest collection, test/PROGRAM one of it,
#             test/PROGRAM:CASE one case of that, with "?" for each blank in its name, and
#             torture/N the torture for N seconds, torture/fuzz,N,SEED its fuzzer alone (uml)
#   SECONDS   after which a guest has hung
#   REASON    a regular expression (ERE) for the rest of the line, which one of d2d-vm's reasons for
#             the failure has to match from its beginning; if there is none, the run has to pass. A
#             kselftest or a torture ends when a test has failed that matches it.
# All modules are in the guest's /lib/d2d. If there is a file qemu/guest/CASE.reports, each of its
# lines has to be reported from the kernel's log. For example:
#   echo 'sanitizer harness/leak 90 result: leaks is [1-9]' | qemu/expect.sh -
# Environment: KERNEL (only these lines); see kernel_dir (lib.sh)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/jobs.sh"

lines=$(sed '/^#/d; /^$/d' -- "$1" | grep -E "^${KERNEL:-[^ ]+} ") ||
	die "no boot to expect anything of: $1 has no line${KERNEL:+ of the kernel $KERNEL}"
mapfile -t table <<<"$lines"
for line in "${table[@]}"; do
	read -r kernel scenario seconds _ <<<"$line"
	known_kernel "$kernel"
	[ -e "$LAB/guest/${scenario%%/*}.sh" ] || die "there is no scenario ${scenario%%/*}: $line"
	[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "the third column is a number of seconds: $line"
done

D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
vm=$("$LAB/root/tools.sh")
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/expect.XXXXXX")
trap 'rm -rf "$dir"' EXIT

declare -A kernels=()
for line in "${table[@]}"; do
	name=${line%% *}
	[ -z "${kernels[$name]-}" ] || continue
	kernels[$name]=$(kernel_dir "$name")
	D2D_KERNEL=${kernels[$name]} "$LAB/run/image.sh" "$dir/$name" --selftests
done

# boot KERNEL SCENARIO SECONDS REASON - one line; says what is wrong with it, or nothing
boot() {
	local kernel=$1 scenario=$2 seconds=$3 reason=$4 rc=0 said EXPECT='' stop=''
	# User-Mode Linux takes a comma in the path of its host directory for an option.
	local logs=$dir/$kernel/${scenario//[^A-Za-z0-9._\/-]/-} case='' image=vmlinux uml=()
	[ "${scenario%%/*}" = "$scenario" ] || case=${scenario#*/}
	[ ! -e "${kernels[$kernel]}/linux" ] || image=linux uml=(--uml)
	mkdir -p "$logs"
	. "${kernels[$kernel]}/kernel.env"
	case $scenario in
	test/*:*) EXPECT+=' modules=any' ;;
	esac
	case $scenario in
	test/* | torture/*) stop=$reason ;;
	esac
	said=$("$LAB/enter.sh" env D2D_TIMEOUT="$seconds" D2D_EXPECT="$EXPECT" D2D_STOP="$stop" "$vm" "${uml[@]}" "${scenario%%/*}" \
		"${kernels[$kernel]}/$image" "$dir/$kernel/initramfs.cpio" "$logs" "d2d.case=$case" 2>&1) || rc=$?
	if [ -z "$reason" ]; then
		[ "$rc" -eq 0 ] || echo "the run failed, it should pass: $said"
	elif [ "$rc" -ne 1 ]; then
		echo "d2d-vm ended with $rc, expected 1: $said"
	elif ! grep -qE "^FAIL: $reason" <<<"$said"; then
		echo "none of the reasons is '$reason': $said"
	elif [ -n "$case" ] && [ -e "$LAB/guest/$case.reports" ]; then
		while read -r text; do
			grep -qxF -e "FAIL: console: $text" -e "FAIL: dmesg: $text" <<<"$said" || echo "not found: $text"
		done <"$LAB/guest/$case.reports"
	fi
}

echo "TAP version 13"
echo "1..${#table[@]}"
for line in "${table[@]}"; do
	read -r kernel scenario seconds reason <<<"$line"
	job "$kernel $scenario" boot "$kernel" "$scenario" "$seconds" "$reason"
done
jobs_end
