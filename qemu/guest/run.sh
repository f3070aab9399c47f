# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode run: plays the demonstration, up to the first step that fails. The script writes its messages, "lab: ...", to the
# kernel's log, where they stand between the lines of the trace.

. /d2d/params

note() {
	echo "lab: $*" >/dev/kmsg
}

# failed REASON - notes the reason, and what the kernel has printed since the step began. Leaves out the trace, which
# d2d-vm prints anyway, and repeated lines: insmod tries to load a module twice, so the kernel complains twice.
failed() {
	dmesg | sed 's/^\[[^]]*\] //' | awk '/^lab: /{ output = "" } !/^lab: |: d2d: |taint/ && $0 != last { output = output $0 "\n" }
		{ last = $0 } END { printf "%s", output }' >/tmp/output
	note "FAILED: $1"
	while IFS= read -r line; do
		note "kernel: $line"
	done </tmp/output
	return 1
}

# play CMD... - runs a step, which must succeed
play() {
	note "$*"
	"$@" 2>/tmp/err || failed "$(cat /tmp/err)"
}

# unload_refused MODULE USER - tries to unload MODULE; the kernel must refuse it, because USER uses MODULE
unload_refused() {
	if rmmod "$1" 2>/tmp/err; then
		failed "rmmod $1 went through while $2 uses it"
	elif ! grep -q ': Resource temporarily unavailable$' /tmp/err; then
		failed "$(cat /tmp/err)"
	else
		note "rmmod $1: refused by the kernel ($(sed 's/.*: //' /tmp/err)), as $2 uses it"
	fi
}

# shellcheck disable=SC2086 # parameter lists
play insmod /lib/d2d/module_a.ko $A_PARAMS &&
	play insmod /lib/d2d/module_b.ko $B_PARAMS &&
	play sh -c 'echo 1 >/sys/kernel/debug/d2d-module_b/exercise' &&
	play sh -c 'echo 1 >/sys/kernel/debug/d2d-module_a/exercise' &&
	unload_refused module_a module_b &&
	play rmmod module_b &&
	play insmod /lib/d2d/module_b.ko $B_PARAMS &&
	play rmmod module_b &&
	play rmmod module_a
