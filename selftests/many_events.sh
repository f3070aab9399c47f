#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Ten thousand named events at a time, and nothing left of them afterwards.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

A=torture_owner
B=torture_peer0
EVENTS=/sys/kernel/debug/d2d-$A/events
MANY=10000
# A debugging kernel takes ten times as long; KUnit makes as many there.
[ ! -e /sys/kernel/debug/kmemleak ] || MANY=1000
# kB that may be in other use than before
TOLERANCE=1000

b()
{
	./eventctl write "/sys/kernel/debug/d2d-$B/torture" "event $*" 2>"$NOTES"
}

# count - the events that b has made
count()
{
	find "$EVENTS" -name 'flood*' | wc -l
}

# free_memory - in kB, without what the caches hold
free_memory()
{
	echo 3 >/proc/sys/vm/drop_caches
	sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

start 3
mark
load $A contexts=1 && load $B && b flood 100 && b ebb
before=$(free_memory)
b flood $MANY && during=$(free_memory) && [ "$(count)" = $MANY ]
verdict "there can be $MANY events"

b ebb && [ "$(count)" = 0 ]
verdict "and they are closed again"

name="and their memory comes back"
if [ -e /sys/kernel/debug/kmemleak ]; then
	ktap_test_skip "$name: a debugging kernel keeps what is freed for a while; it looks for leaks itself"
else
	# What is freed after a grace period may take some time.
	tries=0
	until after=$(free_memory) && [ "$after" -gt $((before - TOLERANCE)) ]; do
		[ "$((tries += 1))" -lt 100 ] || break
	done
	[ "$after" -gt $((before - TOLERANCE)) ] && [ "$during" -lt $((before - TOLERANCE)) ]
	verdict "$name: $((before - during)) kB were in use, $((before - after)) are left"
fi
unload $B && unload $A
ktap_finished
