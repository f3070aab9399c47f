# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode alone: runs each case of the kselftests $case, PROGRAM[,PROGRAM...], in a new process and without a module. A
# case fails in this mode if it needs what another case leaves behind.

cd /kselftest/d2d || return 1
short_grace_periods
set_test_taint
modules=$(wc -l </proc/modules)
reported=0 failed=0

# report ok|"not ok" NAME - reports a case, and the output of a failed one. The output is indented, so that d2d-vm takes
# no line of it for a result
report() {
	reported=$((reported + 1))
	[ "$1" = ok ] || sed 's/^/#   /' /tmp/alone
	echo "$1 $reported $2"
	[ "$1" = ok ] || failed=1
}

# run_alone PROGRAM NAME - runs a case alone. Fails if the program fails, reports another case or none, or leaves a
# module loaded
run_alone() {
	# D2D_CASE is a shell pattern, so escape its special characters.
	pattern=$(echo "$2" | sed 's/[][*?\\]/\\&/g')
	D2D_CASE=$pattern timeout -s KILL 120 "./$1" >/tmp/alone 2>&1 || return
	[ "$(wc -l </proc/modules)" = "$modules" ] || return
	case $(grep -E '^(not )?ok ' /tmp/alone) in
	"ok 1 $2" | "ok 1 $2"*" # SKIP") ;;
	*) return 1 ;;
	esac
}

# shellcheck disable=SC2154 # set by init from the kernel's command line
{
	echo "TAP version 13"
	for program in $(echo "$case" | tr , ' '); do
		D2D_LIST=1 timeout -s KILL 120 "./$program" >/tmp/list 2>&1
		sed 's/^/#   /' /tmp/list >/tmp/alone
		grep -q '^case: ' /tmp/list || report "not ok" "$program: lists no case"
		grep '^no fresh: ' /tmp/list >/tmp/dependent
		while IFS= read -r line; do
			report "not ok" "$program: ${line#no fresh: }: the case does not begin with 'fresh'"
		done </tmp/dependent
		sed -n 's/^case: //p' /tmp/list >/tmp/cases
		while IFS= read -r name <&3; do
			if run_alone "$program" "$name"; then
				report ok "$program: $name"
				continue
			fi
			cut -d ' ' -f 1 /proc/modules >>/tmp/alone
			report "not ok" "$program: $name"
			# If the case has left a module, all later cases fail.
			[ "$(wc -l </proc/modules)" = "$modules" ] || break 2
		done 3</tmp/cases
	done
	echo "1..$reported"
} >"$KTAP"
return "$failed"
