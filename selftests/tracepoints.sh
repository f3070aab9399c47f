#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each step of the trace has a tracepoint, with the text of its line in dmesg and with fields to filter by. Hot steps
# have a line only with the owner's parameter hot_lines=1.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/d2d_module_a
LINES=$(mktemp)
trap 'rm -f "$NOTES" "$LINES"; restore_tracing' EXIT

restore_tracing()
{
	[ ! -e "$TRACING/set_event" ] || {
		echo >"$TRACING/set_event"
		echo local >"$TRACING/trace_clock"
	}
}

clear_buffer()
{
	echo >"$TRACING/trace"
}

record()
{
	clear_buffer
	step=$EVENTS/d2d_$1
	[ $# = 1 ] || echo "$2" >"$step/filter"
	echo 1 >"$step/enable"
}

reset_tracepoints()
{
	echo 0 >"$EVENTS/enable"
	for step in "$EVENTS"/d2d_*; do
		echo 0 >"$step/filter"
	done
}

recorded()
{
	sed -nE 's/^.*: d2d_([a-z_]+): /\1 /p' "$TRACING/trace" | sed 's/ *$//'
}

has()
{
	recorded | grep -qxE -e "$1" && return
	{ echo "no '$1' in:" && recorded | tail -n 20; } >"$NOTES"
	return 1
}

only()
{
	[ -n "$(recorded)" ] && ! recorded | grep -vxE -e "$1" >"$NOTES"
}

# With the default clock, the file "trace" may show the steps of two CPUs in the wrong order.
keep_order()
{
	echo counter >"$TRACING/trace_clock"
}

fresh_tracepoints()
{
	for peer in module_b c_peer; do
		[ "$peer" = "${1-}" ] || unload_if_loaded "$peer"
	done
	unload_if_loaded actor pause_calls torture_peer0 torture_owner
	load_unless_loaded module_a hot_lines=0
	load_unless_loaded "${1-module_a}"
	reset_tracepoints
	keep_order
	clear_buffer
	reset_trace
}

# fresh_tracing - makes the kernel record module_a from the first step on
fresh_tracing()
{
	unload_all
	keep_order
	echo 65536 >"$TRACING/buffer_size_kb"
	echo ':mod:module_a' >"$TRACING/set_event"
	clear_buffer
	reset_trace
}

fresh_actors()
{
	fresh_tracepoints
	load pause_calls && load actor && act "register alice; register bob atomic; alloc r0 alice"
	for step in build_request call_driver dispatch complete completion pend cancel; do
		echo 'seq == 0' >"$EVENTS/d2d_$step/filter"
		echo 1 >"$EVENTS/d2d_$step/enable"
	done
	clear_buffer
	reset_trace
}

record_in_c()
{
	for step in enqueue dequeue op_call op_return; do
		echo 'seq == 0 && driver == "c_peer"' >"$EVENTS/d2d_$step/filter"
		echo 1 >"$EVENTS/d2d_$step/enable"
	done
	exercise c_peer
}

set_up
if [ ! -e "$TRACING/set_event" ]; then
	ktap_skip_all "needs tracefs, with events"
	exit 4
fi
ktap_set_plan 18

# The first fields of a step that has no line in dmesg. Such a step has the number 0
HEAD='seq=0 load=[0-9]+'

fresh_tracepoints
./trace_check --steps | tr - _ | sed 's/^/d2d_/' | sort >"$LINES"
find "$EVENTS"/d2d_* -prune | sed 's|.*/||' | sort | diff "$LINES" - >"$NOTES"
verdict "each step has a tracepoint, and there is no other"

fresh_tracepoints
load module_b && exercise module_b && unload module_b && ! recorded | grep . >"$NOTES"
verdict "all tracepoints are off: nothing is recorded"

fresh_tracing
load module_a completion=1 "timeout=$LONG_TIMEOUT" && load module_b deferred=1 && exercise module_b && exercise module_a &&
	fails EAGAIN unload module_a && unload module_b && fails ENOENT unload module_b &&
	trace | sed -E 's/^.*(^|[] ])([a-z_0-9]+): d2d: /driver=\2 /; s/ *$//' >"$LINES" &&
	recorded | sed 's/^[a-z_]* //' | grep -v ' seq=0 ' | diff "$LINES" - >"$NOTES" &&
	[ "$(wc -l <"$LINES")" -gt 300 ]
verdict "all tracepoints are on: they record the steps with the text and in the order of the lines in dmesg"

fresh_tracing
load module_a && [ "$(cat "$EVENTS/enable")" = 1 ] && unload module_a && [ ! -e "$EVENTS" ] && load module_a hot_lines=0 &&
	[ "$(cat "$EVENTS/enable")" = 0 ]
verdict "the owner is unloaded while tracepoints are on: when it is loaded again, all are off"

fresh_tracepoints module_b
record enqueue 'seq == 0'
exercise module_b
has "enqueue driver=module_b $HEAD in=hardirq step=enqueue queue=to_owner ctx=c0 n=1 depth=1" &&
	has "enqueue driver=module_a $HEAD in=softirq step=enqueue queue=to_peer ctx=c0 n=1 depth=1" &&
	only "enqueue .* $HEAD in=.*"
verdict "enqueue records each put, in each execution context"

fresh_tracepoints module_b
record dequeue 'driver == "module_a" && queue == "to_owner" && depth == 0 && seq == 0'
exercise module_b
only "dequeue driver=module_a $HEAD in=(task|softirq|hardirq) step=dequeue queue=to_owner ctx=c0 n=1 depth=0"
verdict "dequeue with a filter for driver, queue and depth records only what matches"

fresh_tracepoints module_b
record op_call 'seq == 0'
record op_return 'seq == 0 && op == "bounce"'
exercise module_a
has "op_call driver=module_a $HEAD in=hardirq step=op-call to=peer op=drain" &&
	has "op_call driver=module_b $HEAD in=hardirq step=op-call to=owner op=bounce" &&
	has "op_return driver=module_b $HEAD in=hardirq step=op-return from=owner op=bounce status=0" &&
	! recorded | grep 'step=op-return .*op=drain' >"$NOTES"
verdict "op_call and op_return record each call of an operation and its return, in both directions"

# op_call and op_return share one static key, which each of them alone must switch on.
fresh_tracepoints module_b
record op_return 'seq == 0'
exercise module_b
only "op_return .*"
verdict "op_return alone records each return and no call"

fresh_tracepoints module_b
record event_set 'seq == 0 && name == "module_a.turn"'
record event_wait 'seq == 0 && name == "module_a.turn"'
exercise module_b
has "event_set driver=module_a $HEAD in=hardirq step=event-set name=module_a.turn kind=synchronization handle=0x[0-9a-f]+" &&
	has "event_wait driver=module_b $HEAD in=task step=event-wait name=module_a.turn kind=synchronization handle=0x[0-9a-f]+ events=1 status=0" &&
	only "event_(set|wait) .* name=module_a.turn .*"
verdict "event_set and event_wait record that an event is set and that a wait for it returns"

fresh_tracepoints c_peer
record_in_c
has "enqueue driver=c_peer $HEAD in=hardirq step=enqueue queue=to_owner ctx=c0 n=1 depth=1" &&
	has "dequeue driver=c_peer $HEAD in=hardirq step=dequeue queue=to_peer ctx=c0 n=1 depth=0" &&
	has "op_call driver=c_peer $HEAD in=hardirq step=op-call to=owner op=drain" &&
	has "op_return driver=c_peer $HEAD in=hardirq step=op-return from=owner op=drain status=0"
verdict "enqueue, dequeue, op_call and op_return record the steps of a driver in C"

fresh_tracepoints c_peer
record_in_c
unload c_peer && loaded module_a && has "enqueue .*"
verdict "a driver in C is unloaded while tracepoints record its steps: the recorded steps stay"

fresh_tracepoints
record op_call
fails ENOTRECOVERABLE load bad_peer fault=unknown-field && ! trace | grep -q step=refuse &&
	has "op_call driver=bad_peer seq=[0-9]+ load=[0-9]+ in=task step=op-call [?]=1 queue=[?] name=two[?]lines"
verdict "an unknown field, an unreadable text and a line break in a text are recorded as ?"

fresh_actors
act "send r0 bob $CODE_ADD; wait r0; expect r0 output=42" &&
	[ "$(recorded | cut -d ' ' -f 1 | xargs)" = "build_request call_driver dispatch complete completion" ] &&
	has "build_request driver=alice $HEAD in=task step=build-request req=r[0-9]+ major=0x0f code=0x00222004 input=8 output=8" &&
	has "dispatch driver=bob $HEAD in=task step=dispatch req=r[0-9]+ major=0x0f code=0x00222004" &&
	has "completion driver=alice $HEAD in=task step=completion req=r[0-9]+ via=return status=0" &&
	! trace | grep . >"$NOTES"
verdict "the steps of a request that was sent without D2D_SEND_TRACE are recorded, and have no lines in dmesg"

fresh_actors
echo "status == -$ETIMEDOUT" >"$EVENTS/d2d_cancel/filter"
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "wait r0 timeout=1" &&
	has "pend driver=bob .* step=pend req=r[0-9]+ code=0x00222008" &&
	has "cancel driver=alice .* step=cancel req=r[0-9]+ from=bob status=-$ETIMEDOUT"
verdict "pend and cancel record that a request is pended and times out"

# The owner must switch on the static keys of a new peer, for the tracepoints that are on.
fresh_tracepoints
record enqueue 'seq == 0'
load module_b && exercise module_b &&
	has "enqueue driver=module_b $HEAD in=hardirq step=enqueue queue=to_owner ctx=c0 n=1 depth=1"
verdict "a peer is loaded while enqueue is on: its puts are recorded"

fresh_tracepoints module_b
load_unless_loaded other_a
load_unless_loaded other_b
record enqueue 'seq == 0'
echo 1 >"$TRACING/events/d2d_other_a/d2d_dequeue/enable"
exercise module_b && exercise other_b
has "enqueue driver=module_b .*" && has "dequeue driver=other_b .*" &&
	only "(enqueue driver=module_|dequeue driver=other_)[ab] .*"
as_expected=$?
echo 0 >"$TRACING/events/d2d_other_a/enable"
unload_if_loaded other_b other_a
[ "$as_expected" = 0 ]
verdict "two owners: each has tracepoints of its own, which record the steps of its own pair"

fresh_tracepoints
load_unless_loaded other_a
load_unless_loaded bridge
record enqueue 'seq == 0'
echo 1 >"$TRACING/events/d2d_other_a/d2d_op_call/enable"
exercise other_a
has "enqueue driver=bridge $HEAD in=hardirq step=enqueue queue=to_owner .*" &&
	has "op_call driver=bridge .* in=hardirq step=op-call to=owner op=bounce" &&
	only "(enqueue driver=(bridge|module_a)|op_call driver=(bridge|other_a)) .*"
as_expected=$?
unload_if_loaded bridge other_a
[ "$as_expected" = 0 ]
verdict "a peer of two owners: the tracepoints of each owner record what the module does as a peer of this owner"

fresh_trace
unload_all
EVENTS=$TRACING/events/d2d_torture_owner
load torture_owner && load torture_peer0
record doorbell
event_act torture_owner create 0 bell synchronization && event_act torture_owner doorbell 0 &&
	event_act torture_peer0 put 5 in=hardirq &&
	only "doorbell driver=torture_peer0 $HEAD in=hardirq step=doorbell queue=to_owner ctx=c0 handle=0x[0-9a-f]+"
verdict "doorbell records that a put rings the queue's doorbell"
unload torture_peer0
unload torture_owner
ktap_finished
