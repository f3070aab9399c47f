#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads the pair, hears some beats, and unloads both drivers while the timer runs. Prints KTAP. Needs root.
# Usage: test.sh [MODULES]
# MODULES is the folder with the modules; by default, the folder of this script.
# shellcheck disable=SC2317 # check() calls the functions

modules=${1:-$(dirname "$0")}
number=0
failed=0

# check NAME CMD... - reports a case, which passes if CMD succeeds
check()
{
	name=$1
	number=$((number + 1))
	shift
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

# tell DRIVER NUMBER - writes a number to the driver's device. Without -c, if the device does not exist, the shell would
# make a regular file of that name, and the device could not appear there later
tell()
{
	[ -c "/dev/$1" ] && echo "$2" >"/dev/$1"
}

# hear BEATS - waits until the listener has heard this number of further beats
hear()
{
	tell listener "$1"
}

# refuses PERIOD - whether the metronome refuses this period
refuses()
{
	[ -c /dev/metronome ] && ! tell metronome "$1" 2>/dev/null
}

echo "KTAP version 1"
echo "1..6"
check "the owner, metronome, is loaded" insmod "$modules/metronome.ko"
check "the peer, listener, is loaded" insmod "$modules/listener.ko"
check "20 beats of the owner's timer arrive" hear 20
check "a period that is too short is refused" refuses 1
check "the peer is unloaded while the timer runs" rmmod listener
check "the owner is unloaded" rmmod metronome
exit "$failed"
