# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode run: plays the demonstration, up to the first step that fails. The script writes its messages, "lab: ...", to the
# kernel's log, where they stand between the lines of the trace.

. /d2d/params

note() {
	echo "lab: $*" >/dev/kmsg
}

# failed REASON - notes the reason, and what the kernel has printed since the step began. It leaves out the trace, which
# is shown anyway, and repeated lines: insmod tries to load a module twice, so the kernel complains twice.
failed() {
	dmesg | sed 's/^\[[^]]*\] //' | awk '/^lab: /{ said = "" } !/^lab: |: d2d: |taint/ && $0 != last { said = said $0 "\n" }
		{ last = $0 } END { printf "%s", said }' >/tmp/said
	note "FAILED: $1"
	while IFS= read -r line; do
		note "kernel: $line"
	done </tmp/said
	return 1
}

# do_step CMD... - runs a step, which must succeed
do_step() {
	note "$*"
	"$@" 2>/tmp/err || failed "$(cat /tmp/err)"
}

# refused_step MODULE USER - tries to unload MODULE; the kernel must refuse it, because USER uses MODULE
refused_step() {
	if rmmod "$1" 2>/tmp/err; then
		failed "rmmod $1 went through while $2 uses it"
	elif ! grep -q ': Resource temporarily unavailable$' /tmp/err; then
		failed "$(cat /tmp/err)"
	else
		note "rmmod $1: refused by the kernel ($(sed 's/.*: //' /tmp/err)), as $2 uses it"
	fi
}

# shellcheck disable=SC2086 # parameter lists
do_step insmod /lib/d2d/module_a.ko $A_PARAMS &&
	do_step insmod /lib/d2d/module_b.ko $B_PARAMS &&
	do_step sh -c 'echo 1 >/sys/kernel/debug/d2d-module_b/exercise' &&
	do_step sh -c 'echo 1 >/sys/kernel/debug/d2d-module_a/exercise' &&
	refused_step module_a module_b &&
	do_step rmmod module_b &&
	do_step insmod /lib/d2d/module_b.ko $B_PARAMS &&
	do_step rmmod module_b &&
	do_step rmmod module_a
