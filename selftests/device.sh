#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Character devices of drivers. device_peer has a device, which the program devctl uses. history_peer keeps records in
# the lookaside list that docs/porting-tables.md describes.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEV=/dev/d2d_test
CONTROL=/dev/d2d_commands
HISTORY=/dev/d2d_history

fresh_device()
{
	unload_if_loaded device_peer
	load_unless_loaded module_a contexts=1
	reset_trace
	load device_peer variant="${1-for-root}"
}

fresh_no_device()
{
	unload_if_loaded device_peer
	load_unless_loaded module_a contexts=1
	reset_trace
}

# refused VARIANT ERRNO REASON - succeeds if loading device_peer fails with one refusal and without a kernel warning
refused()
{
	fails "$2" load device_peer variant="$1" && [ ! -e "$DEV" ] && only_refusal_is device_peer "$3" "$2" &&
		[ -z "$(log_lines 'Call Trace|sysfs|kobject')" ]
}

# fresh_name_taken - loads device_peer, whose device has the name of c_sleeper's device; also loads c_sleeper's owner
fresh_name_taken()
{
	unload_if_loaded c_sleeper sleeper alarm
	fresh_device sleeper && load alarm
}

mode_is()
{
	stat -c %a "${2-$DEV}" >"$NOTES" && grep -qx "$1" "$NOTES"
}

has_opened()
{
	[ "$(readlink "/proc/$1/fd/9")" = "$DEV" ]
}

# keeps_the_module - succeeds if device_peer cannot be unloaded while a process has the device open
keeps_the_module()
{
	sleep 1000 9<"$DEV" &
	holder=$!
	await has_opened "$holder" || return
	# If the module was unloaded, do not kill the process: closing the file calls freed code.
	fails EAGAIN unload device_peer || return
	kill "$holder"
	wait "$holder"
	unload device_peer && [ ! -e "$DEV" ]
}

# cannot_open_while_loading - loads device_peer 20 times; each time, loading fails after the driver has made its device.
# Succeeds if a process could never open the device meanwhile
cannot_open_while_loading()
{
	(while [ ! -e "$NOTES.stop" ]; do ./devctl open "$DEV" 2>/dev/null && echo opened >"$NOTES.opened"; done) &
	opener=$!
	n=0
	while [ "$n" -lt 20 ]; do
		fails ENXIO load device_peer variant=fails || break
		n=$((n + 1))
	done
	: >"$NOTES.stop"
	wait "$opener"
	[ "$n" = 20 ] && [ ! -e "$NOTES.opened" ]
	result=$?
	rm -f "$NOTES.stop" "$NOTES.opened"
	return "$result"
}

# is_unloaded_while_used - unloads device_peer 10 times, while a process opens the device again and again
is_unloaded_while_used()
{
	n=0
	while [ "$n" -lt 10 ]; do
		load_unless_loaded device_peer || return
		: >"$NOTES.used"
		./devctl uses "$DEV" >"$NOTES.used" &
		user=$!
		{ await test -s "$NOTES.used" && await unload device_peer; } || kill "$user"
		wait "$user" || break
		n=$((n + 1))
	done
	rm -f "$NOTES.used"
	[ "$n" = 10 ]
}

fresh_metronome()
{
	unload_if_loaded listener metronome
	reset_trace
	load metronome
}

write_period()
{
	write_to /dev/metronome "$1"
}

beats_are_read()
{
	write_period 1000 && [ "$(dd if=/dev/metronome bs=8 count=2 2>"$NOTES" | wc -c)" = 16 ] &&
		fails EINVAL write_period 1 && unload metronome
}

fresh_history()
{
	unload_if_loaded history_peer
	fresh_no_device
	load history_peer
}

keep()
{
	for kept; do
		write_to "$HISTORY" "$kept" || return
	done
}

# records_are_given_back - succeeds if history_peer refuses a 9th record until one was read
records_are_given_back()
{
	keep 1 2 3 4 5 6 7 8 && fails ENOSPC keep 9 && [ "$(dd if="$HISTORY" bs=16 count=1 2>"$NOTES")" = 1 ] && keep 9 &&
		[ "$(tr '\n' ' ' <"$HISTORY")" = "2 3 4 5 6 7 8 9 " ] && [ -z "$(cat "$HISTORY")" ]
}

begin 23

fresh_device
devctl calls "$DEV"
verdict "calls of a process return results, and no errno that only the kernel knows"

fresh_device
devctl pend "$DEV"
verdict "a pending call is completed by a thread or by an interrupt, or is abandoned and gets ECANCELED"

fresh_device
devctl signals "$DEV"
verdict "a signal ends a pending call, and cancels it"

fresh_device
devctl answers "$DEV"
verdict "poll and epoll see the answer of a pending call, and closing the file cancels the call"

fresh_device
devctl removed "$DEV" && unload device_peer
verdict "the device is removed while it is open: calls get ENODEV, and poll reports a hangup"

fresh_device
keeps_the_module
verdict "an open file keeps the module loaded"

fresh_device
mode_is 600 && devctl open "$DEV" && fails EACCES devctl open "$DEV" 1000
verdict "by default only root can open a device"

fresh_device for-all
mode_is 666 && devctl open "$DEV" 1000
verdict "a driver can let everybody open its device"

fresh_device for-admins
mode_is 666 && devctl open "$DEV" && fails EPERM devctl open "$DEV" 1000
verdict "a driver can demand a capability of a process that opens its device"

fresh_device
mode_is 666 "$CONTROL" && devctl open "$CONTROL" && fails EPERM devctl open "$CONTROL" 1000
verdict "a driver decides who may open its control device"

fresh_device
write_to "$CONTROL" "1 rest"
verdict "a write to a control device is one command, also if the driver reads only a part of it"

fresh_no_device
refused twice EBUSY device-exists
verdict "a device whose name exists already is refused, with one line"

fresh_no_device
refused null EBUSY device-exists && reset_trace && refused tty EBUSY device-exists
verdict "a device with the name of the kernel's null or tty is refused, with one line"

fresh_name_taken
fails EBUSY load c_sleeper && only_refusal_is sleeper device-exists EBUSY && ! loaded c_sleeper &&
	[ -z "$(log_lines 'Call Trace|sysfs|kobject')" ] && unload device_peer && load c_sleeper && unload c_sleeper && unload alarm
verdict "a driver in C whose device's name exists already is refused, with one line, and can be loaded once the name is free"

fresh_no_device
refused bad-name EINVAL bad-device-name && reset_trace && refused bad-mode EINVAL bad-device-mode && reset_trace &&
	refused bad-capability EINVAL bad-device-capability
verdict "a device with a bad name, mode or capability is refused, with one line"

fresh_device nested
fails EDEADLK devctl open "$DEV" && [ "$(trace | grep -c 'reason=device-in-open')" = 2 ] && unload device_peer
verdict "a driver makes and removes a device inside its File::open: EDEADLK"

fresh_no_device
cannot_open_while_loading
verdict "a process cannot open the device of a module that is still loading"

fresh_device
is_unloaded_while_used
verdict "a process opens a device again and again: the device's module can be unloaded"

fresh_device
if grep -q '^flags.* lm ' /proc/cpuinfo && ! grep -q hostfs /proc/filesystems; then
	devctl compat "$DEV"
	verdict "a process of 32 bits can call ioctl"
else
	ktap_test_skip "a process of 32 bits can call ioctl (needs x86-64, not User-Mode Linux)"
fi

fresh_no_device
load device_peer && unload device_peer && load device_peer && devctl calls "$DEV" && unload device_peer
verdict "a device can be made again after its module was unloaded"

name="a driver that has leaked its jobs, a device and a pending call can be unloaded, and its device is removed"
if ! skips_leak "$name" "the driver never drops them"; then
	fresh_device
	devctl leak "$DEV" && [ -e /dev/d2d_leaked ] && unload device_peer && [ ! -e /dev/d2d_leaked ] &&
		load device_peer && devctl leak "$DEV" && unload device_peer && unload module_a
	verdict "$name"
fi

fresh_metronome
beats_are_read
verdict "a process reads from an owner's device how often the owner's timer has expired; a wrong period gets EINVAL"

fresh_history
records_are_given_back && records_are_given_back && keep 1 && unload history_peer
verdict "a driver takes preallocated records and gives them back, in hard interrupt: if none is left, a write gets ENOSPC"
unload_all
ktap_finished
