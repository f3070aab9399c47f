# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode run: plays the demonstration, or the pair that the host has put into /lib/d2d (qemu/run/pair.sh). Writes its
# messages, "lab: ...", to the kernel's log, between the lines of the trace.

. /d2d/params

note() {
	echo "lab: $*" >/dev/kmsg
}

# failed REASON - notes the reason, and what the kernel has printed since the step began, except for the trace. Leaves
# out a line that repeats the line before it: insmod tries to load a module twice
failed() {
	dmesg | sed 's/^\[[^]]*\] //' | awk '/^lab: /{ output = "" } !/^lab: |: d2d: |taint/ && $0 != last { output = output $0 "\n" }
		{ last = $0 } END { printf "%s", output }' >/tmp/output
	note "FAILED: $1"
	while IFS= read -r line; do
		note "kernel: $line"
	done </tmp/output
	return 1
}

succeeds() {
	"$@" 2>/tmp/err || failed "$(cat /tmp/err)"
}

run_step() {
	note "$*"
	succeeds "$@"
}

# unload_refused MODULE USER - tries to unload MODULE. The kernel must refuse this, because USER uses it
unload_refused() {
	if rmmod "$1" 2>/tmp/err; then
		failed "rmmod $1 succeeded although $2 uses it"
	elif ! grep -q ': Resource temporarily unavailable$' /tmp/err; then
		failed "$(cat /tmp/err)"
	else
		note "rmmod $1: refused by the kernel ($(sed 's/.*: //' /tmp/err)), because $2 uses it"
	fi
}

# write_to FILE TEXT - notes a step and writes to a file. The file must exist: the shell would create a missing one
write_to() {
	note "echo '$2' >$1"
	# shellcheck disable=SC2016 # expanded by the inner shell
	succeeds sh -c 'ls "$1" >/dev/null && echo "$2" >"$1"' sh "$1" "$2"
}

read_from() {
	note "dd if=$1 bs=4096 count=1"
	succeeds timeout 10 dd if="$1" of=/tmp/read bs=4096 count=1 &&
		note "$(wc -c </tmp/read) bytes were read"
}

# write_or_read NUMBER WHAT write FILE TEXT
# write_or_read NUMBER WHAT read FILE - makes the pair work. each_use (pair_lib.sh) calls it for each line of the file
# "use". After a failed call, later calls do nothing
write_or_read() {
	[ -z "$stopped" ] || return
	case $3 in
	write) write_to "$4" "$5" ;;
	read) read_from "$4" ;;
	esac || stopped=y
}

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
