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
# How often they are made again, and how many objects may be in other use after that: one for each
# forty events of all rounds
ROUNDS=8
TOLERANCE=$((ROUNDS * MANY / 40))

b()
{
	./eventctl write "/sys/kernel/debug/d2d-$B/torture" "event $*" 2>"$NOTES"
}

# count - the events that b has made
count()
{
	find "$EVENTS" -name 'flood*' | wc -l
}

# objects - those that the kernel's allocators have given out, without what the caches hold
objects()
{
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 ~ /^(kmalloc|dentry|inode_cache)/ { sum += $2 } END { print sum }' /proc/slabinfo
}

# settled - the same, when they do not become fewer any more: what is freed after a grace period
# takes some time
settled()
{
	least=$(objects) still=0
	while [ "$((still += 1))" -lt 50 ]; do
		now=$(objects)
		[ "$now" -ge "$least" ] || { least=$now && still=0; }
	done
	echo "$least"
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
	before=$(settled)
	left=$ROUNDS
	while [ "$left" -gt 0 ] && round; do
		left=$((left - 1))
	done
	after=$(settled)
	[ "$left" = 0 ] && [ "$after" -lt $((before + TOLERANCE)) ]
	verdict "$name: $ROUNDS times as many more, and $((after - before)) objects are in other use"
fi
unload $B && unload $A
ktap_finished
