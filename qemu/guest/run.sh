# shellcheck shell=sh
# Mode run: the demonstration. What the guest has to say stands between the trace lines
# in the kernel's log, as "lab: ...".

. /d2d/params

note() {
	echo "lab: $*" >/dev/kmsg
}

# do CMD... - a step that has to work
do_step() {
	note "$*"
	"$@" 2>/tmp/err && return
	note "FAILED: $(cat /tmp/err)"
	failed=1
}

failed=0
# shellcheck disable=SC2086 # parameter lists
{
	do_step insmod /lib/d2d/module_a.ko $A_PARAMS
	do_step insmod /lib/d2d/module_b.ko $B_PARAMS
	do_step sh -c 'echo 1 >/sys/kernel/debug/d2d-module_b/exercise'
	do_step sh -c 'echo 1 >/sys/kernel/debug/d2d-module_a/exercise'
	if rmmod module_a 2>/tmp/err; then
		note "FAILED: rmmod module_a went through while module_b uses it"
		failed=1
	else
		note "rmmod module_a: refused by the kernel ($(sed 's/.*: //' /tmp/err)), as module_b uses it"
	fi
	do_step rmmod module_b
	do_step insmod /lib/d2d/module_b.ko $B_PARAMS
	do_step rmmod module_b
	do_step rmmod module_a
}
return "$failed"
