#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A timer of ticker_peer puts and takes items in hardirq, while processes make both drivers put and take items. The
# queues are full most of the time. No item may be lost, the items of each producer must arrive in order, each refused
# put must be counted, and no put or take may allocate memory.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

TICKS=200
TRACING=/sys/kernel/tracing
FULL=$(mktemp)
trap 'rm -f "$NOTES" "$FULL"' EXIT

# tick - exchanges items until both this process and the timer have made TICKS exchanges
tick()
{
	exercise ticker_peer "$TICKS"
}

# tick_file_9 - as tick, through the open file 9: opening the device would allocate memory
tick_file_9()
{
	echo "$TICKS" >&9
}

# owner_rounds - makes module_a exercise ten times. For each exercise that finds the queue to the peer full, adds a line
# to $FULL
owner_rounds()
{
	round=0
	while [ "$round" -lt 10 ]; do
		if ! error=$(exercise module_a 2>&1); then
			case $error in
			*"No space left on device"*) echo full >>"$FULL" ;;
			*) return 1 ;;
			esac
		fi
		round=$((round + 1))
	done
}

in_parallel()
{
	pids=
	for command; do
		"$command" &
		pids="$pids $!"
	done
	failed=0
	for pid in $pids; do
		wait "$pid" || failed=1
	done
	return "$failed"
}

record()
{
	if [ "$1" = 1 ]; then
		echo 8192 >"$TRACING/buffer_size_kb"
		echo >"$TRACING/trace"
	fi
	echo "$1" >"$TRACING/options/stacktrace"
	for event in kmalloc kmem_cache_alloc; do
		echo "$1" >"$TRACING/events/kmem/$event/enable"
	done
}

# peer_allocated - succeeds if the peer made one of the recorded allocations. A stack begins with the innermost
# function. If a function of an interrupt comes before the peer's, the interrupt has made the allocation. sym-offset
# makes the kernel print the module of each function
peer_allocated()
{
	echo 1 >"$TRACING/options/sym-offset"
	awk '
		!/^ => / { interrupted = 0 }
		/^ => .*(interrupt|irq|sysvec)/ { interrupted = 1 }
		/\[ticker_peer\]/ && !interrupted { found = 1 }
		END { exit !found }' "$TRACING/trace"
	found=$?
	echo 0 >"$TRACING/options/sym-offset"
	return "$found"
}

# value KEY REGEX - prints the value of KEY in the last matching line of the kernel log
value()
{
	dmesg | awk -v start="$TRACE_START" -v key="$1" -v text="$2" '
		index($0, start) { value = "" }
		$0 ~ text {
			for (i = 1; i <= NF; i++) {
				split($i, field, "=")
				if (field[1] == key)
					value = field[2]
			}
		}
		END { print value }'
}

total()
{
	trace | sed -n "s/.*module_a: d2d: .* step=$1 queue=$2 ctx=c0 n=\([0-9]*\).*/\1/p" |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# fresh_run - the first call makes the timer and the processes work at the same time. $ran is 0 if all succeeded
fresh_run()
{
	[ -z "${ran-}" ] || return
	unload_if_loaded ticker_peer module_a
	reset_trace
	load module_a capacity=4 && load ticker_peer &&
		in_parallel tick tick owner_rounds owner_rounds && unload ticker_peer && unload module_a
	ran=$?
}

begin 5

# User-Mode Linux runs an interrupt on the stack of the interrupted code. So an allocation of an interrupt would look
# like one of the peer.
if [ -d "$TRACING/events/kmem" ] && ! grep -q "User Mode Linux" /proc/cpuinfo; then
	fresh_trace
	load module_a capacity=4
	load ticker_peer
	record 1
	exec 9>/dev/ticker_peer
	record 0
	peer_allocated
	seen=$?
	record 1
	in_parallel tick_file_9 tick_file_9
	ticked=$?
	record 0
	exec 9>&-
	[ "$seen" = 0 ] && [ "$ticked" = 0 ] && ! peer_allocated
	verdict "puts and takes do not allocate memory; opening the peer's device does, and is recorded"
else
	ktap_test_skip "puts and takes do not allocate: needs tracefs with the events of kmem, and a separate stack for interrupts"
fi

fresh_run
[ "$ran" = 0 ]
verdict "the peer's timer, processes of the peer and processes of module_a work at the same time: all succeed"

fresh_run
peer_line="ticker_peer: ticks="
[ "$(value disorder "$peer_line")" = 0 ] && [ "$(value timer "$peer_line")" -gt 0 ] && [ "$(value process "$peer_line")" -gt 0 ]
verdict "the timer and processes put items at the same time: the items of each producer arrive in order, without a gap"

# The queue must have counted each refused put. The peer prints the number of its own. Those of module_a are:
# - one for each line of $FULL.
# - up to two more: when the peer has detached, module_a puts two items for the next peer. $for_next of them had room.
fresh_run
peer_line="ticker_peer: queue=to_peer"
owner_line="step=drain ctx=c0 queue=to_peer"
for_next=$(value n "module_a: d2d: .* step=enqueue")
[ "$(value taken "$owner_line")" = "$(value taken "$peer_line")" ] &&
	[ "$(value put "$owner_line")" = $(($(value put "$peer_line") + $(total enqueue to_peer))) ] &&
	[ "$(value refused "$owner_line")" = $(($(value refused "$peer_line") + $(wc -l <"$FULL") + 2 - for_next)) ] &&
	[ "$(value refused "$peer_line")" -gt 0 ] &&
	[ "$(value put "$owner_line")" = $(($(value taken "$owner_line") + $(value left "$owner_line"))) ]
verdict "the queue to the peer is full at times: no item is lost, and each refused put is counted"

fresh_run
peer_line="ticker_peer: queue=to_owner"
owner_line="step=drain ctx=c0 queue=to_owner"
[ "$(value put "$owner_line")" = "$(value put "$peer_line")" ] &&
	[ "$(value refused "$owner_line")" = "$(value refused "$peer_line")" ] &&
	[ "$(value refused "$peer_line")" -gt 0 ] &&
	[ "$(value taken "$owner_line")" = "$(total dequeue to_owner)" ] &&
	[ "$(value put "$owner_line")" = $(($(value taken "$owner_line") + $(value left "$owner_line"))) ]
verdict "the queue to module_a is full at times: no item is lost, and each refused put is counted"
ktap_finished
