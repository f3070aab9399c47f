#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Thousands of named events exist at a time. When they are closed, all their memory is freed.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

OWNER=torture_owner
PEER=torture_peer0
EVENTS=/sys/kernel/debug/d2d-$OWNER/events
MANY=10000
# A kernel with kmemleak takes ten times as long.
[ ! -e /sys/kernel/debug/kmemleak ] || MANY=1000
# The last case creates and closes all events ROUNDS times. It fails if TOLERANCE more objects are in use afterwards:
# one for each 40 events. It tolerates fewer, because the rest of the system allocates objects, too.
ROUNDS=8
TOLERANCE=$((ROUNDS * MANY / 40))

peer()
{
	event_act "$PEER" "$@"
}

count()
{
	find "$EVENTS" -name 'many*' | wc -l
}

objects()
{
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 ~ /^(kmalloc|dentry|inode_cache)/ { sum += $2 } END { print sum }' /proc/slabinfo
}

# settled_objects - counts the objects until their number falls no more: RCU frees some only after a grace period. If a
# grace period takes longer than this function, $before is too high, and the case may miss a small leak
settled_objects()
{
	least=$(objects) still=0
	while [ "$((still += 1))" -lt 50 ]; do
		now=$(objects)
		[ "$now" -ge "$least" ] || { least=$now && still=0; }
	done
	echo "$least"
}

has_freed()
{
	after=$(objects)
	[ "$after" -lt $((before + TOLERANCE)) ]
}

round()
{
	peer create-many $MANY && peer close-many
}

fresh_no_events()
{
	load_unless_loaded $OWNER contexts=1
	load_unless_loaded $PEER
	[ "$(count)" = 0 ] || peer close-many
	reset_trace
}

fresh_many()
{
	[ "$(count)" = $MANY ] || { fresh_no_events && peer create-many $MANY; }
	reset_trace
}

begin 3

fresh_no_events
peer create-many $MANY && [ "$(count)" = $MANY ]
verdict "$MANY events exist at a time"

fresh_many
peer close-many && [ "$(count)" = 0 ]
verdict "all $MANY events are closed: none exists"

# Run two rounds first: in these, the allocators keep more and more pages of freed objects.
if [ -e /sys/kernel/debug/kmemleak ]; then
	ktap_test_skip "the memory of closed events is freed: a debugging kernel delays freeing, and kmemleak finds leaks there"
else
	fresh_no_events
	round && round
	before=$(settled_objects)
	left=$ROUNDS
	while [ "$left" -gt 0 ] && round; do
		left=$((left - 1))
	done
	# Leaked objects stay in use, so waiting does not hide a leak.
	[ "$left" = 0 ] && await has_freed
	freed=$?
	echo "# after $ROUNDS more rounds, $((after - before)) more objects are in use"
	[ "$freed" = 0 ]
	verdict "the memory of closed events is freed"
fi
unload $PEER && unload $OWNER
ktap_finished
