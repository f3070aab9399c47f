#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Named events. By the commands of event_act.sh, the owner torture_owner and its peer torture_peer0 set events, reset
# them and wait for them. Programs read the files of events. Doorbells ring, and handlers start jobs.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

OWNER=torture_owner
PEER=torture_peer0
EVENTS=/sys/kernel/debug/d2d-$OWNER/events

owner()
{
	event_act "$OWNER" "$@"
}

peer()
{
	event_act "$PEER" "$@"
}

other()
{
	[ "$1" = owner ] && echo peer || echo owner
}

driver()
{
	[ "$1" = owner ] && echo "$OWNER" || echo "$PEER"
}

# field NAME KEY - prints the value of KEY in the event's file. Reads one line only: a second read waits until the event
# is set
field()
{
	read -r line 2>/dev/null <"$EVENTS/$1" || return
	for word in $line; do
		[ "${word%%=*}" != "$2" ] || echo "${word#*=}"
	done
}

await_field()
{
	tries=0
	until [ "$(field "$1" "$2")" = "$3" ]; do
		[ "$((tries += 1))" -lt 10000 ] || return 1
	done
}

# ended_by - prints, for each wait since reset_trace, the index of the event that ended the wait
ended_by()
{
	trace | sed -n 's/.*step=event-wait index=//p' | xargs
}

driver_in_background()
{
	module=$(driver "$1")
	shift
	event_act_in_background "$module" "$@"
}

# The faults of event_faults. Each line is FAULT ERRNO REASON: loading the module fails with ERRNO, because the owner
# refuses a call for REASON. With REASON "none", the owner refuses no call:
# - timeout: the module waits for an event that nobody sets.
# - ring-when-closed: the module rings a doorbell by a stale handle, which the owner ignores.
# - not-closed: the module leaves its event open.
# With ring-when-closed and not-closed, no call fails. So the module's init itself returns ENOTRECOVERABLE
faults()
{
	cat <<-EOF
		no-name EFAULT bad-event-name-pointer
		unreadable-name EFAULT bad-event-name-pointer
		empty-name EINVAL bad-event-name
		long-name-of-a-driver ENAMETOOLONG event-name-too-long
		bad-kind EINVAL bad-event-kind
		no-handle EFAULT bad-handle-pointer
		unknown-event ENOENT unknown-event
		unknown-driver ESTALE stale-driver-handle
		closed-twice ESTALE stale-event-handle
		set-when-closed ESTALE stale-event-handle
		reset-when-closed ESTALE stale-event-handle
		query-when-closed ESTALE stale-event-handle
		wait-when-closed ESTALE stale-event-handle
		on-set-when-closed ESTALE stale-event-handle
		ring-when-closed ENOTRECOVERABLE none
		event-twice EINVAL event-twice
		no-events EFAULT bad-events-pointer
		unreadable-events EFAULT bad-events-pointer
		bad-index EFAULT bad-index-pointer
		bad-flags EINVAL bad-wait-flags
		too-many EINVAL bad-event-count
		wait-under-lock EDEADLK wait-in-atomic-context
		handler-outside-text ENOEXEC handler-outside-text
		too-many-handlers EAGAIN too-many-handlers
		timeout ETIMEDOUT none
		not-closed ENOTRECOVERABLE none
	EOF
}

# fresh_drivers - reloads both drivers. $own names the events that they open when they are loaded
fresh_drivers()
{
	unload_if_loaded event_faults c_handler "$PEER" "$OWNER"
	load "$OWNER" contexts=1 && load "$PEER"
	own=$(ls "$EVENTS")
	reset_trace
}

only_own_open()
{
	loaded "$PEER" && ! loaded event_faults && ! loaded c_handler && [ "$(ls "$EVENTS")" = "$own" ]
}

# fresh_events [SET] - makes sure that both drivers are loaded, and that only the events $own are open. Calls open_SET
fresh_events()
{
	only_own_open || fresh_drivers
	[ $# = 0 ] || "open_$1"
	reset_trace
}

open_kinds()
{
	$setter create 0 note notification && $waiter open 0 note notification &&
		$setter create 1 sync synchronization && $waiter open 1 sync synchronization
}

open_shared()
{
	owner create 0 up notification set && peer create 0 up notification &&
		owner create 1 down synchronization && peer create 1 down synchronization set
}

open_three()
{
	for slot in 10 11 12; do
		owner create $slot "any$slot" synchronization && peer open $slot "any$slot" synchronization || return
	done
}

# open_many - the peer creates 65 events. $many has the slots of the first 64
open_many()
{
	many=$(seq -s ' ' 0 63)
	for slot in $many 64; do
		peer create "$slot" "many$slot" synchronization || return
	done
}

# works_everywhere SLOT - succeeds if $waiter sees, in each execution context, that $setter sets and resets the event
works_everywhere()
{
	for place in task worker softirq hardirq; do
		"$setter" set "$1" "in=$place" was=reset && "$waiter" query "$1" is=set "in=$place" && "$setter" reset "$1" "in=$place" &&
			"$waiter" query "$1" is=reset "in=$place" && "$setter" set "$1" "in=$place" was=reset &&
			"$waiter" wait any "$1" "in=$place" timeout=0 && "$waiter" reset "$1" "in=$place" || return
	done
}

wakes_from()
{
	driver_in_background "$waiter" wait any 1
	await_field sync waiters 1 && "$setter" set 1 "in=$1" was=reset && wait "$background"
}

# both_kinds owner|peer - cases in which $setter, the given driver, creates and sets an event of each kind. The other
# driver is $waiter
both_kinds()
{
	setter=$1 waiter=$(other "$1")
	fresh_events
	$setter create 0 note notification && $waiter open 0 note notification &&
		$setter create 1 sync synchronization && $waiter open 1 sync synchronization &&
		[ "$(field note kind)" = notification ] && [ "$(field sync kind)" = synchronization ] &&
		[ "$(trace | grep -c 'step=event-create')" = 2 ] && [ "$(trace | grep -c 'step=event-open')" = 2 ]
	verdict "the $setter creates an event of each kind, and the $waiter opens both by name"

	fresh_events kinds
	fails ETIMEDOUT "$waiter" wait any 0 timeout=0 && "$setter" set 0 was=reset && "$waiter" query 0 is=set && "$waiter" wait any 0 timeout=0 &&
		"$setter" wait any 0 && "$setter" set 0 was=set && "$waiter" reset 0 && "$setter" query 0 is=reset &&
		fails ETIMEDOUT "$setter" wait any 0 timeout=0
	verdict "the $setter sets a notification event: it stays set through waits, until the $waiter resets it"

	fresh_events kinds
	"$setter" set 1 was=reset && "$setter" set 1 was=set && "$waiter" query 1 is=set && "$waiter" query 1 is=set && "$waiter" wait any 1 timeout=0 &&
		"$setter" query 1 is=reset && fails ETIMEDOUT "$waiter" wait any 1 timeout=1
	verdict "the $setter sets a synchronization event twice: one wait of the $waiter ends, and resets the event"

	fresh_events kinds
	driver_in_background "$waiter" wait any 0
	first=$background
	driver_in_background "$waiter" wait any 0
	await_field note waiters 2 && "$setter" set 0 was=reset && all_succeed "$first" "$background" && [ "$(ended_by)" = "0 0" ] &&
		[ "$(field note waiters)" = 0 ] && "$setter" reset 0
	verdict "the $setter sets a notification event for which two threads of the $waiter wait: both threads go on"

	fresh_events kinds
	driver_in_background "$waiter" wait any 1
	first=$background
	await_field sync waiters 1
	driver_in_background "$waiter" wait any 1
	await_field sync waiters 2 && "$setter" set 1 was=reset && wait "$first" && [ "$(field sync waiters)" = 1 ] &&
		[ "$(ended_by)" = 0 ] && "$setter" query 1 is=reset && "$setter" set 1 was=reset && wait "$background" && "$setter" query 1 is=reset
	verdict "the $setter sets a synchronization event: of two threads of the $waiter that wait, the first goes on"

	fresh_events kinds
	works_everywhere 0 && works_everywhere 1
	verdict "the $setter sets and resets an event in each execution context: queries and waits of the $waiter see the state there"

	fresh_events kinds
	wakes_from worker && wakes_from softirq && wakes_from hardirq
	verdict "the $setter sets an event in a worker, in softirq and in hardirq: a thread of the $waiter that waits for the event goes on"

	fresh_events kinds
	"$setter" close 0 && "$setter" close 1 && [ -e "$EVENTS/note" ] && "$waiter" set 0 was=reset && "$waiter" close 0 && "$waiter" close 1 &&
		[ ! -e "$EVENTS/note" ] && [ ! -e "$EVENTS/sync" ]
	verdict "the $setter closes its events: they exist until the $waiter has closed them too"
}

refuses()
{
	errno=$1 reason=$2
	shift 2
	reset_trace
	fails "$errno" "$@" && only_refusal_is "$OWNER" "$reason"
}

refuse_bad_names()
{
	for name in . .. a/b "$(printf 'a\001')" "$(printf '\303\244')"; do
		refuses EINVAL bad-event-name peer create 2 "$name" notification || return
	done
}

begin $((71 + $(faults | wc -l)))
both_kinds owner
both_kinds peer

fresh_events shared
peer query 0 is=set && peer query 1 is=reset
verdict "two drivers create the same event: the first decides whether it is set"

fresh_events shared
refuses EPROTOTYPE other-event-kind peer create 2 up synchronization
verdict "other-event-kind: an existing event is created with the other kind: EPROTOTYPE"

fresh_events shared
refuses EPROTOTYPE other-event-kind peer open 2 up synchronization
verdict "other-event-kind: an existing event is opened with the other kind: EPROTOTYPE"

fresh_events
refuses ENOENT unknown-event peer open 2 nowhere notification
verdict "unknown-event: an event that does not exist is opened: ENOENT"

long=$(printf %063d 0)
fresh_events
refuses ENAMETOOLONG event-name-too-long peer create 2 "${long}0" notification
verdict "event-name-too-long: an event is created with a name of 64 bytes: ENAMETOOLONG"

fresh_events
peer create 2 "$long" notification && [ "$(field "$long" name)" = "$long" ] && peer close 2
verdict "an event is created with a name of 63 bytes: the event has the whole name"

fresh_events
refuse_bad_names
verdict "bad-event-name: an event is created with the name . or .., or with one that has a slash or is not printable: EINVAL"

fresh_events three
owner set 12 was=reset && owner set 11 was=reset && peer wait any 10 11 12 && peer wait any 12 11 10 && owner set 10 was=reset &&
	peer wait any 12 10 && [ "$(ended_by)" = "1 0 1" ]
verdict "a wait for any event returns the first in its list that is set, and resets no other"

fresh_events three
driver_in_background peer wait any 10 11 12
await_field any12 waiters 1 && owner set 11 in=hardirq was=reset && wait "$background" && [ "$(ended_by)" = 1 ] && owner query 11 is=reset &&
	[ "$(field any10 waiters) $(field any11 waiters) $(field any12 waiters)" = "0 0 0" ]
verdict "a thread waits for any of three events, and one is set: the wait returns this event, and no event has a waiter after that"

fresh_events three
driver_in_background peer wait all 10 11 12
await_field any12 waiters 1 && owner set 10 was=reset && owner set 12 in=softirq was=reset && owner query 10 is=set && owner query 12 is=set &&
	[ "$(field any10 waiters)" = 1 ] && owner set 11 in=hardirq was=reset && wait "$background" &&
	owner query 10 is=reset && owner query 11 is=reset && owner query 12 is=reset
verdict "a thread waits for all of three events: the wait resets none before all are set"

fresh_events three
owner set 10 was=reset && driver_in_background peer wait all 10 11 && await_field any11 waiters 1 && peer wait any 10 &&
	owner set 11 was=reset && [ "$(field any11 waiters)" = 1 ] && owner set 10 was=reset && wait "$background" && owner query 11 is=reset
verdict "a thread waits for all of two events, and another thread's wait resets one of them: the thread goes on when both are set"

fresh_events many
owner open 2 many63 synchronization && driver_in_background peer wait any "$many" && await_field many0 waiters 1 &&
	owner set 2 in=hardirq was=reset && wait "$background" &&
	[ "$(ended_by)" = 63 ]
verdict "a wait for 64 events is allowed"

fresh_events many
refuses EINVAL bad-event-count peer wait any "$many" 64
verdict "bad-event-count: a wait for 65 events: EINVAL"

fresh_events
refuses EINVAL bad-event-count peer wait any
verdict "bad-event-count: a wait for no event: EINVAL"

fresh_events three
refuses EINVAL event-twice peer wait all 10 11 10
verdict "event-twice: a wait for the same event twice: EINVAL"

# fresh_crowd - makes 64 threads of the peer wait for one event, in the processes $pids
fresh_crowd()
{
	fresh_events three
	pids=
	for _ in $(seq 64); do
		driver_in_background peer wait any 10
		pids="$pids $background"
	done
	await_field any10 waiters 64
}

let_go()
{
	crowd=${pids-}
	pids=
	for pid in $crowd; do
		peer set 10 was=reset
	done
	# shellcheck disable=SC2086 # a list
	all_succeed $crowd
}

fresh_crowd
refuses EAGAIN too-many-waits peer wait any 11 10 && [ "$(field any11 waiters)" = 0 ]
verdict "too-many-waits: 64 threads wait for an event, and a 65th begins to wait: EAGAIN"
let_go

fresh_crowd
let_go && peer query 10 is=reset
verdict "64 threads wait for a synchronization event: 64 sets let all of them go on"

fresh_events three
refuses EDEADLK wait-in-atomic-context peer wait any 10 in=softirq && refuses EDEADLK wait-in-atomic-context peer wait any 10 in=hardirq
verdict "wait-in-atomic-context: a wait in softirq or hardirq: EDEADLK"

fresh_events three
driver_in_background peer wait any 10 interruptible
await_field any10 waiters 1 && kill "$background" && ! wait "$background" && [ "$(field any10 waiters)" = 0 ]
verdict "a signal ends an interruptible wait"

fresh_events three
fails ETIMEDOUT peer wait any 10 11 timeout=5 && fails ETIMEDOUT peer wait all 10 11 timeout=5 interruptible && [ "$(field any10 waiters)" = 0 ]
verdict "a wait for any event and a wait for all events time out with ETIMEDOUT"

fresh_events three
driver_in_background peer wait any 10 && await_field any10 waiters 1 && peer close 11 && owner close 10 &&
	[ "$(field any10 waiters)" = 1 ] && owner open 10 any10 synchronization && peer set 10 was=reset && wait "$background"
verdict "a thread waits for an event, and other handles of the event are closed: the thread still waits, until the event is set"

fresh_events
peer create 4 watched synchronization
event_words "$PEER" set 4 in=hardirq
./eventctl watch "$EVENTS/watched" "/dev/$PEER" "$words" "event close 4" >"$NOTES" 2>&1
verdict "a program watches an event by read, poll and epoll: it sees that the event is set, and then closed"

verdict_unless_skipped()
{
	status=$?
	if [ -n "$skipped" ]; then
		ktap_test_skip "$1: $skipped"
	else
		[ "$status" = 0 ]
		verdict "$1"
	fi
}

# stall - succeeds if an event can be closed while a process that reads its file is stalled in a page fault
stall()
{
	./eventctl stall "$EVENTS/stalled" "/dev/$PEER" "event close 7" >"$NOTES" 2>&1
	case $? in
	4) skipped="needs userfaultfd" ;;
	*) [ ! -s "$NOTES" ] && [ ! -e "$EVENTS/stalled" ] ;;
	esac
}

skipped=
fresh_events
peer create 7 stalled synchronization
stall
verdict_unless_skipped "an event is closed while a process that reads its file is stalled: closing does not wait"

while read -r fault errno reason; do
	refused="gets $errno"
	[ "$errno" != ENOTRECOVERABLE ] || refused="is not refused, and leaves no event open"
	fresh_events
	if [ "$reason" = none ]; then
		fails "$errno" load event_faults "fault=$fault" && ! trace | grep -q 'step=refuse'
	else
		fails "$errno" load event_faults "fault=$fault" && only_refusal_is $OWNER "$reason"
	fi && ! loaded event_faults && [ ! -e "$EVENTS/fault" ]
	verdict "a driver with the fault $fault $refused"
done <<EOF
$(faults)
EOF

# fresh_doorbell - makes the event `bell` the doorbell of the queue from which $taker takes
fresh_doorbell()
{
	fresh_drivers
	"$taker" create 0 bell synchronization && "$taker" doorbell 0
}

# doorbell owner|peer - cases in which $taker, the given driver, has a doorbell. The other driver, $putter, puts
doorbell()
{
	taker=$1 putter=$(other "$1")
	fresh_doorbell
	"$putter" put 5 && [ "$(field bell sets)" = 1 ] && "$putter" put 3 in=hardirq &&
		[ "$(field bell sets)" = 1 ] && "$taker" wait any 0 && "$taker" query 0 is=reset
	verdict "the $putter puts items on an empty queue: the doorbell of the $taker rings once"

	fresh_doorbell
	"$putter" put 1 in=softirq && [ "$(field bell sets)" = 1 ] && "$taker" wait any 0 && "$taker" take 8 &&
		"$putter" put 1 in=hardirq && [ "$(field bell sets)" = 2 ] && "$taker" wait any 0 timeout=0
	verdict "the $putter puts an item on an empty queue in softirq and in hardirq: the doorbell of the $taker rings each time"

	fresh_doorbell
	"$taker" no-doorbell && "$putter" put 1 && [ "$(field bell sets)" = 0 ] && "$taker" doorbell 0 &&
		[ "$(field bell sets)" = 1 ]
	verdict "the $taker gives a doorbell to a queue that has items: the doorbell rings at once"

	fresh_doorbell
	"$taker" close 0 && [ ! -e "$EVENTS/bell" ] && "$putter" put 1 && "$putter" put 1 in=hardirq && "$taker" take 8 &&
		! trace | grep -q 'step=refuse'
	verdict "the $taker closes its doorbell's event: puts do not ring, and nothing is refused"
}
doorbell owner
doorbell peer

# fresh_handler KIND - opens `armed`, of this KIND, in slot 0 of $setter and $runner, and `ran` in slot 1 of $runner
fresh_handler()
{
	fresh_events
	"$setter" create 0 armed "$1" && "$runner" open 0 armed "$1" && "$runner" create 1 ran notification
}

# await_runs COUNT - waits until the job of $runner, which sets the event `ran`, has run COUNT times
await_runs()
{
	await_field ran sets "$1"
}

# runs_for_each_set STATE - one kind of job after the other becomes $runner's handler of `armed`. For each job, $setter
# sets `armed` in task context, a worker, softirq and hardirq. Succeeds if the job runs once for each set, and `armed`
# is in STATE after that:
# - reset: `armed` is a synchronization event, which the job takes.
# - set: `armed` is a notification event, and already set. So each job must also run when it becomes the handler
runs_for_each_set()
{
	[ "$1" = reset ] || "$setter" set 0 || return
	for job in worker softirq timer thread; do
		count=$(field ran sets)
		"$runner" on-set 0 "$job" 1 && { [ "$1" = reset ] || await_runs "$((count += 1))"; } || return
		for place in task worker softirq hardirq; do
			"$setter" set 0 "in=$place" && await_runs "$((count += 1))" && "$setter" query 0 "is=$1" || return
		done
	done
}

# handlers owner|peer - cases in which $runner, the given driver, has a job for an event. The other driver is $setter
handlers()
{
	runner=$1 setter=$(other "$1")

	fresh_handler synchronization
	runs_for_each_set reset
	verdict "the $setter sets a synchronization event in each execution context: the job of the $runner takes it, and runs"

	fresh_handler notification
	runs_for_each_set set
	verdict "the $setter sets a notification event in each execution context: the job of the $runner runs each time, and the event stays set"

	fresh_handler synchronization
	"$setter" set 0 && "$runner" on-set 0 worker 1 && await_runs 1 && "$setter" query 0 is=reset
	verdict "the $setter sets an event before the $runner gives it a job: the job runs at once"

	fresh_handler synchronization
	"$runner" create 2 hold synchronization && "$runner" on-set 0 worker 1 2 && "$setter" set 0 && await_runs 1 && await_field hold waiters 1 &&
		"$setter" set 0 in=hardirq && "$setter" set 0 && "$runner" set 2 && await_runs 2 && await_field hold waiters 1 && "$runner" set 2
	verdict "the $setter sets an event twice while the job of the $runner runs: the job runs once more"

	fresh_handler synchronization
	"$runner" on-set 0 worker 1 && "$runner" no-on-set 0 && "$setter" set 0 was=reset && "$setter" set 0 was=set && "$runner" wait any 0 timeout=0 &&
		"$runner" on-set 0 worker 1 && "$setter" set 0 was=reset && await_runs 1
	verdict "the $runner removes the job of an event: a set starts nothing, and the event stays set"

	fresh_handler synchronization
	"$runner" on-set 0 worker 1 && "$runner" close 0 && "$setter" set 0 was=reset && "$setter" query 0 is=set
	verdict "the $runner closes an event that has a job: a set starts nothing, and the event stays set"
}
handlers owner
handlers peer

runner=peer setter=owner

fresh_handler notification
owner create 2 ran-owner notification && owner on-set 0 softirq 2 && peer on-set 0 worker 1 && owner set 0 && await_runs 1 && await_field ran-owner sets 1
verdict "two drivers have a job for a notification event: each set starts both jobs"

fresh_handler synchronization
owner create 2 ran-owner notification && owner on-set 0 softirq 2 && peer on-set 0 worker 1 && owner set 0 in=hardirq && await_field ran-owner sets 1 &&
	owner set 0 in=hardirq && await_runs 1 && [ "$(field ran-owner sets)" = 1 ] && owner set 0 && await_field ran-owner sets 2 && [ "$(field ran sets)" = 1 ]
verdict "two drivers have a job for a synchronization event: each set starts one job, in turn"

fresh_handler synchronization
peer create 2 hold synchronization && peer on-set 0 worker 1 2 && owner set 0 && await_field hold waiters 1 && owner set 0 && unload $PEER &&
	owner set 0 was=reset && owner query 0 is=set
verdict "a driver is unloaded while its job runs and is due to run again: after that, setting the event starts nothing"

fresh_events
peer create 0 bell synchronization && peer create 1 ran notification && peer on-set 0 worker 1 && peer doorbell 0 &&
	owner put 5 in=hardirq && await_runs 1 && peer query 0 is=reset && owner put 3 && peer take 8 && owner put 1 in=softirq && await_runs 2
verdict "a doorbell has a job: the job runs when items arrive on the empty queue"

# fresh_c_handler [PARAM=VALUE...] - loads c_handler; its event `c-armed` has a handler. The owner opens `c-armed` in
# slot 0
fresh_c_handler()
{
	fresh_events
	load c_handler "$@" && owner open 0 c-armed synchronization
}

# c_handler_runs - succeeds if each set makes c_handler's work item run once
c_handler_runs()
{
	count=0
	for place in task worker softirq hardirq; do
		owner set 0 "in=$place" && await_field c-ran sets "$((count += 1))" && owner query 0 is=reset || return
	done
	[ "$(field c-armed handlers) $(field c-armed failed)" = "1 0" ]
}

fresh_c_handler
c_handler_runs && unload c_handler && owner set 0 was=reset && owner query 0 is=set
verdict "an event is set in each execution context: the handler of a driver in C queues its work item each time"

fresh_c_handler fails=1
owner set 0 was=reset && [ "$(field c-ran sets)" = 1 ] && owner query 0 is=set && owner set 0 in=hardirq was=set &&
	[ "$(field c-ran sets)" = 1 ] && [ "$(field c-armed handlers) $(field c-armed failed)" = "1 1" ] && unload c_handler
verdict "the handler of a driver in C fails: the library does not call it again, and the event stays set"

if [ "$(nproc)" -gt 1 ]; then
	fresh_c_handler leaves=1
	driver_in_background owner set 0 && await_field c-ran sets 1 && unload c_handler && wait "$background" &&
		! dmesg | grep -q 'c_handler: the handler runs after'
	verdict "a driver in C leaves while its handler runs: d2d_leave() waits for the handler"
else
	ktap_test_skip "a driver in C leaves while its handler runs: d2d_leave() waits for the handler (needs a second CPU)"
fi

fresh_events shared
peer create 5 waited synchronization && peer create 6 other synchronization && driver_in_background peer wait any 5 interruptible &&
	await_field waited waiters 1
fails EAGAIN unload $PEER && kill "$background" && ! wait "$background" && [ -e "$EVENTS/other" ] && unload $PEER &&
	[ ! -e "$EVENTS/other" ] && [ -e "$EVENTS/up" ] && [ "$(field down kind)" = synchronization ]
verdict "a driver with events is unloaded: its events are closed, and events that others have open stay"

fresh_events shared
unload $PEER && load $PEER && peer open 0 down synchronization && peer query 0 is=reset && owner close 1 && peer query 0 is=reset
verdict "a driver is loaded again and opens an event that the owner has kept open: the event stays when the owner closes it"

fresh_events
peer create 1 watched synchronization && read -r line <"$EVENTS/watched" && peer close 1 && [ ! -e "$EVENTS/watched" ]
verdict "an event is closed after a program has read its file: the file is removed"

fresh_events
peer create 1 fleeting synchronization && exec 3<"$EVENTS/fleeting" && peer set 1 was=reset && unload $PEER &&
	[ ! -e "$EVENTS/fleeting" ] && ! read -r line <&3 && fails EAGAIN unload $OWNER
verdict "an event's file is open: the event can be closed and its driver unloaded; unloading the owner gets EAGAIN"
exec 3<&-

fresh_events
owner create 0 own notification && unload $PEER && unload $OWNER
verdict "the owner can be unloaded while it has events open"
ktap_finished
