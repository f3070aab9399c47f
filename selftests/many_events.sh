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
# How often they are made again, and kB that may be in other use after that: what twice as many events
# take with their files, as the kernel may not have come to freeing those yet; for each of all, 200 bytes
ROUNDS=8
TOLERANCE=16000

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

# settled_memory - the same, when it does not become more any more: what is freed after a grace
# period takes some time
settled_memory()
{
	most=0 still=0
	while [ "$((still += 1))" -lt 50 ]; do
		now=$(free_memory)
		[ "$now" -le $((most + 100)) ] || { most=$now && still=0; }
	done
	echo "$most"
}

# round - makes them all and closes them
round()
{
	b flood $MANY && b ebb
}

start 3
mark
load $A contexts=1 && load $B && b flood $MANY && [ "$(count)" = $MANY ]
verdict "there can be $MANY events"

b ebb && [ "$(count)" = 0 ]
verdict "and they are closed again"

# The kernel keeps some pages for objects that it has had once. What is lost for each event would be
# lost for each round.
name="and their memory comes back"
if [ -e /sys/kernel/debug/kmemleak ]; then
	ktap_test_skip "$name: a debugging kernel keeps what is freed for a while; it looks for leaks itself"
else
	round && round
	before=$(settled_memory)
	left=$ROUNDS
	while [ "$left" -gt 0 ] && round; do
		left=$((left - 1))
	done
	after=$(settled_memory)
	[ "$left" = 0 ] && [ "$after" -gt $((before - TOLERANCE)) ]
	verdict "$name: $ROUNDS times as many more, and $((before - after)) kB are in other use"
fi
unload $B && unload $A
ktap_finished
