#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads drivers, and locks the kernel down. After that, root must still be able to use the devices, and a plain user
# those that are for everybody.
#
# Usage: lockdown.sh integrity|confidentiality
#
# The lockdown lasts until a reboot, and no program can load an unsigned module under it. So `make run_tests` leaves
# this program out.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

LEVEL=$1
SECURITY=/sys/kernel/security
DEV=/dev/d2d_test
USER=1000

fresh_locked()
{
	reset_trace
	if ! grep -qF "[$LEVEL]" $SECURITY/lockdown; then
		load module_a contexts=2 && load module_b && load device_peer variant=for-all && load metronome && load listener &&
			echo "$LEVEL" >$SECURITY/lockdown
	fi
}

has_calls_of_32_bits()
{
	grep -q '^flags.* lm ' /proc/cpuinfo
}

[ -e $SECURITY/lockdown ] || mount -t securityfs none $SECURITY
if ! grep -qF "[none]" $SECURITY/lockdown; then
	ktap_print_header
	ktap_skip_all "needs a kernel that supports lockdown and is not locked down yet"
	exit 4
fi

begin 8

fresh_locked && fails EPERM load sensor
verdict "an unsigned module is loaded: EPERM"

fresh_locked && devctl calls $DEV && devctl pend $DEV && devctl signals $DEV && devctl answers $DEV
verdict "root can use a device"

fresh_locked && devctl calls $DEV $USER && devctl pend $DEV $USER && devctl signals $DEV $USER && devctl answers $DEV $USER
verdict "a plain user can use a device that is for everybody"

if has_calls_of_32_bits; then
	fresh_locked && devctl compat $DEV && devctl compat $DEV $USER
	verdict "processes of 32 bits can use a device"
else
	ktap_test_skip "processes of 32 bits can use a device (needs x86-64)"
fi

fresh_locked && write_to /dev/metronome 1000 && [ "$(dd if=/dev/metronome bs=8 count=1 2>"$NOTES" | wc -c)" = 8 ] &&
	fails EACCES devctl open /dev/metronome $USER
verdict "root can use an owner's device, and a plain user cannot open it: EACCES"

fresh_locked && exercise module_b && write_to /dev/listener 1 && fails EINVAL write_to /dev/module_a word &&
	fails EACCES devctl open /dev/module_b $USER
verdict "root can control drivers, and a plain user cannot: EACCES"

fresh_locked && grep -q 'state=attached peer=module_b' /sys/kernel/debug/d2d-module_a/state/contexts &&
	grep -q module_b /sys/kernel/debug/d2d-module_a/state.json &&
	fails EPERM write_to /sys/kernel/debug/d2d-module_a/state/contexts 1
verdict "root can read an owner's state in debugfs, and cannot write there: EPERM"

fresh_locked && devctl removed $DEV && unload device_peer && [ ! -e $DEV ] && unload module_b && unload module_a && unload listener &&
	unload metronome && [ ! -e /dev/metronome ]
verdict "a device can be removed, and the drivers unloaded"
ktap_finished
