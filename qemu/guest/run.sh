# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode run: plays the demonstration. If the host has put a pair into /lib/d2d (qemu/run/pair.sh), loads, uses and
# unloads that pair instead. Stops at the first step that fails. The script writes its messages, "lab: ...", to the
# kernel's log, where they stand between the lines of the trace.

. /d2d/params

note() {
	echo "lab: $*" >/dev/kmsg
}

# failed REASON - notes the reason, and what the kernel has printed since the step began. Leaves out the trace, because
# d2d-vm prints it anyway. Leaves out a line that equals the line before, because insmod tries to load a module twice,
# and the kernel complains each time.
failed() {
	dmesg | sed 's/^\[[^]]*\] //' | awk '/^lab: /{ output = "" } !/^lab: |: d2d: |taint/ && $0 != last { output = output $0 "\n" }
		{ last = $0 } END { printf "%s", output }' >/tmp/output
	note "FAILED: $1"
	while IFS= read -r line; do
		note "kernel: $line"
	done </tmp/output
	return 1
}

# succeeds CMD... - runs the command of a step, which must succeed
succeeds() {
	"$@" 2>/tmp/err || failed "$(cat /tmp/err)"
}

# run_step CMD... - notes a step and runs it; it must succeed
run_step() {
	note "$*"
	succeeds "$@"
}

# unload_refused MODULE USER - tries to unload MODULE; the kernel must refuse it, because USER uses MODULE
unload_refused() {
	if rmmod "$1" 2>/tmp/err; then
		failed "rmmod $1 succeeded although $2 uses it"
	elif ! grep -q ': Resource temporarily unavailable$' /tmp/err; then
		failed "$(cat /tmp/err)"
	else
		note "rmmod $1: refused by the kernel ($(sed 's/.*: //' /tmp/err)), because $2 uses it"
	fi
}

# write_to FILE TEXT - notes a step and writes to a file. Fails if there is no such file: the shell would create a
# regular one, even in /dev
write_to() {
	note "echo '$2' >$1"
	# shellcheck disable=SC2016 # expanded by the inner shell
	succeeds sh -c 'ls "$1" >/dev/null && echo "$2" >"$1"' sh "$1" "$2"
}

# read_from FILE - notes a step and reads from a file once
read_from() {
	note "dd if=$1 bs=4096 count=1"
	succeeds timeout 10 dd if="$1" of=/tmp/read bs=4096 count=1 &&
		note "$(wc -c </tmp/read) bytes were read"
}

# write_or_read NUMBER WHAT write FILE TEXT - makes the pair work by writing TEXT to FILE
# write_or_read NUMBER WHAT read FILE - makes the pair work by reading from FILE
# The function each_use (pair_lib.sh) makes one of these two calls for each line of the pair's file "use".
# write_or_read ignores NUMBER and WHAT. When a call has failed, the later calls do nothing
write_or_read() {
	[ -z "$stopped" ] || return
	case $3 in
	write) write_to "$4" "$5" ;;
	read) read_from "$4" ;;
	esac || stopped=y
}

# play_pair OWNER PEER... - loads the modules, makes them work, and unloads them
play_pair() {
	owner=$1
	shift
	# shellcheck disable=SC2086 # parameter lists
	run_step insmod "/lib/d2d/$owner.ko" $A_PARAMS || return
	for peer; do
		# shellcheck disable=SC2086 # parameter lists
		run_step insmod "/lib/d2d/$peer.ko" $B_PARAMS || return
	done
	stopped=
	each_use write_or_read
	[ -z "$stopped" ] && unload_refused "$owner" "$1" || return
	# shellcheck disable=SC2046 # words
	for module in $(backwards "$owner" "$@"); do
		run_step rmmod "$module" || return
	done
}

if [ -e /lib/d2d/pair_lib.sh ]; then
	. /lib/d2d/pair_lib.sh
	# shellcheck disable=SC2154,SC2086 # words, from pair_lib.sh
	play_pair $modules
	return
fi

# shellcheck disable=SC2086 # parameter lists
run_step insmod /lib/d2d/module_a.ko $A_PARAMS &&
	run_step insmod /lib/d2d/module_b.ko $B_PARAMS &&
	write_to /dev/module_b 1 &&
	write_to /dev/module_a 1 &&
	unload_refused module_a module_b &&
	run_step rmmod module_b &&
	run_step insmod /lib/d2d/module_b.ko $B_PARAMS &&
	run_step rmmod module_b &&
	run_step rmmod module_a
