#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Named events. Two drivers set, reset and wait for events of both kinds, in both directions and in
# each execution context. Programs read and poll the files of events. A put on an empty queue rings the
# queue's doorbell. Setting an event starts the job that is the event's handler. Drivers are unloaded and
# loaded while events exist.
#
# a is the driver of torture_owner, and b the driver of torture_peer0; event_act.sh documents their
# commands.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

A=torture_owner
B=torture_peer0
EVENTS=/sys/kernel/debug/d2d-$A/events

# a COMMAND, b COMMAND - makes the driver a or b run the command; the errno goes to $NOTES
a()
{
	event_act "$A" "$@"
}

b()
{
	event_act "$B" "$@"
}

# other NAME - prints b for a, and a for b
other()
{
	[ "$1" = a ] && echo b || echo a
}

# driver NAME - prints the module of a or b
driver()
{
	[ "$1" = a ] && echo "$A" || echo "$B"
}

# field NAME KEY - prints a value from an event's file. Reads one line only: a second read would wait
# until the event is set again
field()
{
	read -r line 2>/dev/null <"$EVENTS/$1" || return
	for word in $line; do
		[ "${word%%=*}" != "$2" ] || echo "${word#*=}"
	done
}

# await_field NAME KEY VALUE - waits until an event's file has this value; gives up after 10000
# reads
await_field()
{
	tries=0
	until [ "$(field "$1" "$2")" = "$3" ]; do
		[ "$((tries += 1))" -lt 10000 ] || return 1
	done
}

# waited - prints the result of each wait since reset_trace: the index of the event that has ended the
# wait, in the list of events of that wait
waited()
{
	trace | sed -n 's/.*step=event-wait index=//p' | xargs
}

# act_in_background a|b COMMAND - as the function a or b, but in the background; $meanwhile is the
# process ID
act_in_background()
{
	module=$(driver "$1")
	shift
	event_act_meanwhile "$module" "$@"
}

# The faults of the module event_faults. Each line is FAULT ERRNO REASON: the module fails to load
# with ERRNO, and REASON is "none" if the owner logs no line. The owner refuses nothing in two of the faults:
# ring-when-closed (the module rings a doorbell by a stale handle) and not-closed (the module leaves its
# event open). For these, event_faults makes its init fail on purpose, with ENOTRECOVERABLE, after all its
# calls have returned as they should
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

# fresh_drivers - reloads both drivers. $own names the events that the drivers open when they are loaded
fresh_drivers()
{
	needs_no event_faults c_handler "$B" "$A"
	load "$A" contexts=1 && load "$B"
	own=$(ls "$EVENTS")
	reset_trace
}

# only_own_open - whether both drivers are loaded, and only the events $own are open
only_own_open()
{
	loaded "$B" && ! loaded event_faults && ! loaded c_handler && [ "$(ls "$EVENTS")" = "$own" ]
}

# fresh_pair [EVENTS] - makes sure that both drivers are loaded, and that only the events $own and those
# of the function open_EVENTS are open
fresh_pair()
{
	only_own_open || fresh_drivers
	[ $# = 0 ] || "open_$1"
	reset_trace
}

# open_kinds - $x creates an event of each kind, in its slots 0 and 1, and $y opens them
open_kinds()
{
	$x create 0 note notification && $y open 0 note notification &&
		$x create 1 sync synchronization && $y open 1 sync synchronization
}

# open_shared - both drivers create the same two events, in their slots 0 and 1
open_shared()
{
	a create 0 up notification set && b create 0 up notification &&
		a create 1 down synchronization && b create 1 down synchronization set
}

# open_three - both drivers have three events open, in their slots 10, 11 and 12
open_three()
{
	for slot in 10 11 12; do
		a create $slot "any$slot" synchronization && b open $slot "any$slot" synchronization || return
	done
}

# open_many - b has 65 events open, in its slots 0 to 64; $many are the first 64 of these
open_many()
{
	many=$(seq -s ' ' 0 63)
	for slot in $many 64; do
		b create "$slot" "many$slot" synchronization || return
	done
}

# works_everywhere SLOT - whether $x sets and resets its event in each execution context, and $y sees each change in the
# same execution context
works_everywhere()
{
	for place in task worker softirq hardirq; do
		"$x" set "$1" "in=$place" was=reset && "$y" query "$1" is=set "in=$place" && "$x" reset "$1" "in=$place" &&
			"$y" query "$1" is=reset "in=$place" && "$x" set "$1" "in=$place" was=reset &&
			"$y" wait any "$1" "in=$place" timeout=0 && "$y" reset "$1" "in=$place" || return
	done
}

# wakes_from PLACE - whether $x, by setting an event in this execution context, wakes a thread of $y that waits for it
wakes_from()
{
	act_in_background "$y" wait any 1
	await_field sync waiters 1 && "$x" set 1 "in=$1" was=reset && wait "$meanwhile"
}

# both_kinds a|b - cases: the given driver, x, creates and sets an event of each kind; the other driver,
# y, opens the events and waits for them
both_kinds()
{
	x=$1 y=$(other "$1")
	fresh_pair
	$x create 0 note notification && $y open 0 note notification &&
		$x create 1 sync synchronization && $y open 1 sync synchronization &&
		[ "$(field note kind)" = notification ] && [ "$(field sync kind)" = synchronization ] &&
		[ "$(trace | grep -c 'step=event-create')" = 2 ] && [ "$(trace | grep -c 'step=event-open')" = 2 ]
	verdict "$x creates an event of each kind, and $y opens both by name"

	fresh_pair kinds
	fails ETIMEDOUT "$y" wait any 0 timeout=0 && "$x" set 0 was=reset && "$y" query 0 is=set && "$y" wait any 0 timeout=0 &&
		"$x" wait any 0 && "$x" set 0 was=set && "$y" reset 0 && "$x" query 0 is=reset &&
		fails ETIMEDOUT "$x" wait any 0 timeout=0
	verdict "$x sets a notification event: it stays set through waits, until $y resets it"

	fresh_pair kinds
	"$x" set 1 was=reset && "$x" set 1 was=set && "$y" query 1 is=set && "$y" query 1 is=set && "$y" wait any 1 timeout=0 &&
		"$x" query 1 is=reset && fails ETIMEDOUT "$y" wait any 1 timeout=1
	verdict "$x sets a synchronization event twice: one wait of $y ends, and resets the event"

	fresh_pair kinds
	act_in_background "$y" wait any 0
	first=$meanwhile
	act_in_background "$y" wait any 0
	await_field note waiters 2 && "$x" set 0 was=reset && all_succeed "$first" "$meanwhile" && [ "$(waited)" = "0 0" ] &&
		[ "$(field note waiters)" = 0 ] && "$x" reset 0
	verdict "$x sets a notification event for which two threads of $y wait: both threads go on"

	fresh_pair kinds
	act_in_background "$y" wait any 1
	first=$meanwhile
	await_field sync waiters 1
	act_in_background "$y" wait any 1
	await_field sync waiters 2 && "$x" set 1 was=reset && wait "$first" && [ "$(field sync waiters)" = 1 ] &&
		[ "$(waited)" = 0 ] && "$x" query 1 is=reset && "$x" set 1 was=reset && wait "$meanwhile" && "$x" query 1 is=reset
	verdict "$x sets a synchronization event: of two threads of $y that wait, the first goes on"

	fresh_pair kinds
	works_everywhere 0 && works_everywhere 1
	verdict "$x sets and resets an event in each execution context: queries and waits of $y see the state there"

	fresh_pair kinds
	wakes_from worker && wakes_from softirq && wakes_from hardirq
	verdict "$x sets an event in a worker, in softirq and in hardirq: a thread of $y that waits for the event goes on"

	fresh_pair kinds
	"$x" close 0 && "$x" close 1 && [ -e "$EVENTS/note" ] && "$y" set 0 was=reset && "$y" close 0 && "$y" close 1 &&
		[ ! -e "$EVENTS/note" ] && [ ! -e "$EVENTS/sync" ]
	verdict "$x closes its events: they exist until $y has closed them too"
}

# refuses ERRNO REASON COMMAND... - whether the owner refuses the command with this errno, for this reason
refuses()
{
	errno=$1 reason=$2
	shift 2
	reset_trace
	fails "$errno" "$@" && only_refusal_is "$A" "$reason"
}

# refuse_bad_names - whether the owner refuses each name of an event that cannot be the name of a file
refuse_bad_names()
{
	for name in . .. a/b "$(printf 'a\001')" "$(printf '\303\244')"; do
		refuses EINVAL bad-event-name b create 2 "$name" notification || return
	done
}

begin $((71 + $(faults | wc -l)))
both_kinds a
both_kinds b

fresh_pair shared
b query 0 is=set && b query 1 is=reset
verdict "two drivers create the same event: the first decides whether it is set"

fresh_pair shared
refuses EPROTOTYPE other-event-kind b create 2 up synchronization
verdict "other-event-kind: an existing event is created with the other kind: EPROTOTYPE"

fresh_pair shared
refuses EPROTOTYPE other-event-kind b open 2 up synchronization
verdict "other-event-kind: an existing event is opened with the other kind: EPROTOTYPE"

fresh_pair
refuses ENOENT unknown-event b open 2 nowhere notification
verdict "unknown-event: an event that does not exist is opened: ENOENT"

long=$(printf %063d 0)
fresh_pair
refuses ENAMETOOLONG event-name-too-long b create 2 "${long}0" notification
verdict "event-name-too-long: an event is created with a name of 64 bytes: ENAMETOOLONG"

fresh_pair
b create 2 "$long" notification && [ "$(field "$long" name)" = "$long" ] && b close 2
verdict "an event is created with a name of 63 bytes: the event has the whole name"

fresh_pair
refuse_bad_names
verdict "bad-event-name: an event is created with a name that no file can have: EINVAL"

fresh_pair three
a set 12 was=reset && a set 11 was=reset && b wait any 10 11 12 && b wait any 12 11 10 && a set 10 was=reset &&
	b wait any 12 10 && [ "$(waited)" = "1 0 1" ]
verdict "a wait for any event returns the first in its list that is set, and resets no other"

fresh_pair three
act_in_background b wait any 10 11 12
await_field any12 waiters 1 && a set 11 in=hardirq was=reset && wait "$meanwhile" && [ "$(waited)" = 1 ] && a query 11 is=reset &&
	[ "$(field any10 waiters) $(field any11 waiters) $(field any12 waiters)" = "0 0 0" ]
verdict "a thread waits for any of three events, and one is set: the wait returns this event, and no event has a waiter after that"

fresh_pair three
act_in_background b wait all 10 11 12
await_field any12 waiters 1 && a set 10 was=reset && a set 12 in=softirq was=reset && a query 10 is=set && a query 12 is=set &&
	[ "$(field any10 waiters)" = 1 ] && a set 11 in=hardirq was=reset && wait "$meanwhile" &&
	a query 10 is=reset && a query 11 is=reset && a query 12 is=reset
verdict "a thread waits for all of three events: the wait resets none before all are set"

fresh_pair three
a set 10 was=reset && act_in_background b wait all 10 11 && await_field any11 waiters 1 && b wait any 10 &&
	a set 11 was=reset && [ "$(field any11 waiters)" = 1 ] && a set 10 was=reset && wait "$meanwhile" && a query 11 is=reset
verdict "a thread waits for all of two events, and a wait of another thread resets the first: the thread goes on when both are set"

fresh_pair many
a open 2 many63 synchronization && act_in_background b wait any "$many" && await_field many0 waiters 1 &&
	a set 2 in=hardirq was=reset && wait "$meanwhile" &&
	[ "$(waited)" = 63 ]
verdict "a wait for 64 events is allowed"

fresh_pair many
refuses EINVAL bad-event-count b wait any "$many" 64
verdict "bad-event-count: a wait for 65 events: EINVAL"

fresh_pair
refuses EINVAL bad-event-count b wait any
verdict "bad-event-count: a wait for no event: EINVAL"

fresh_pair three
refuses EINVAL event-twice b wait all 10 11 10
verdict "event-twice: a wait for the same event twice: EINVAL"

# fresh_crowd - 64 threads of b wait for an event, in the processes $pids
fresh_crowd()
{
	fresh_pair three
	pids=
	for _ in $(seq 64); do
		act_in_background b wait any 10
		pids="$pids $meanwhile"
	done
	await_field any10 waiters 64
}

# let_go - sets the event once for each process in $pids; whether the threads of all these processes go on
let_go()
{
	crowd=${pids-}
	pids=
	for pid in $crowd; do
		b set 10 was=reset
	done
	# shellcheck disable=SC2086 # a list
	all_succeed $crowd
}

fresh_crowd
refuses EAGAIN too-many-waits b wait any 11 10 && [ "$(field any11 waiters)" = 0 ]
verdict "too-many-waits: 64 threads wait for an event, and a 65th begins to wait: EAGAIN"
let_go

fresh_crowd
let_go && b query 10 is=reset
verdict "64 threads wait for a synchronization event: 64 sets let all of them go on"

fresh_pair three
refuses EDEADLK wait-in-atomic-context b wait any 10 in=softirq && refuses EDEADLK wait-in-atomic-context b wait any 10 in=hardirq
verdict "wait-in-atomic-context: a wait in softirq or hardirq: EDEADLK"

fresh_pair three
act_in_background b wait any 10 interruptible
await_field any10 waiters 1 && kill "$meanwhile" && ! wait "$meanwhile" && [ "$(field any10 waiters)" = 0 ]
verdict "a signal ends an interruptible wait"

fresh_pair three
fails ETIMEDOUT b wait any 10 11 timeout=5 && fails ETIMEDOUT b wait all 10 11 timeout=5 interruptible && [ "$(field any10 waiters)" = 0 ]
verdict "a wait for any event and a wait for all events time out with ETIMEDOUT"

fresh_pair three
act_in_background b wait any 10 && await_field any10 waiters 1 && b close 11 && a close 10 &&
	[ "$(field any10 waiters)" = 1 ] && a open 10 any10 synchronization && b set 10 was=reset && wait "$meanwhile"
verdict "a thread waits for an event, and other handles of the event are closed: the thread still waits, until the event is set"

fresh_pair
b create 4 watched synchronization
event_words "$B" set 4 in=hardirq
./eventctl watch "$EVENTS/watched" "/dev/$B" "$words" "event close 4" >"$NOTES" 2>&1
verdict "a program watches an event by read, poll and epoll: it sees that the event is set, and then closed"

# verdict_unless_skipped NAME - as verdict; if $skipped has a reason, reports the case as skipped
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

# stall - closes an event while a process that reads the event's file is stalled in a page fault; whether
# closing did not wait for the process. Sets $skipped if the kernel has no userfaultfd, which stalls the
# process
stall()
{
	./eventctl stall "$EVENTS/stalled" "/dev/$B" "event close 7" >"$NOTES" 2>&1
	case $? in
	4) skipped="needs userfaultfd" ;;
	*) [ ! -s "$NOTES" ] && [ ! -e "$EVENTS/stalled" ] ;;
	esac
}

skipped=
fresh_pair
b create 7 stalled synchronization
stall
verdict_unless_skipped "an event is closed while a process that reads its file is stalled: closing does not wait"

while read -r fault errno reason; do
	refused="gets $errno"
	[ "$errno" != ENOTRECOVERABLE ] || refused="is not refused, and leaves no event open"
	fresh_pair
	if [ "$reason" = none ]; then
		fails "$errno" load event_faults "fault=$fault" && ! trace | grep -q 'step=refuse'
	else
		fails "$errno" load event_faults "fault=$fault" && only_refusal_is $A "$reason"
	fi && ! loaded event_faults && [ ! -e "$EVENTS/fault" ]
	verdict "a driver with the fault $fault $refused"
done <<EOF
$(faults)
EOF

# fresh_doorbell - reloads both drivers, and makes the event bell the doorbell of the queue from which $x takes
fresh_doorbell()
{
	fresh_drivers
	"$x" create 0 bell synchronization && "$x" doorbell 0
}

# doorbell a|b - cases: the given driver, x, takes from a queue that has a doorbell; the other driver, y, puts on the
# queue
doorbell()
{
	x=$1 y=$(other "$1")
	fresh_doorbell
	"$y" put 5 && [ "$(field bell sets)" = 1 ] && "$y" put 3 in=hardirq &&
		[ "$(field bell sets)" = 1 ] && "$x" wait any 0 && "$x" query 0 is=reset
	verdict "$y puts items on an empty queue: the doorbell of $x rings once"

	fresh_doorbell
	"$y" put 1 in=softirq && [ "$(field bell sets)" = 1 ] && "$x" wait any 0 && "$x" take 8 &&
		"$y" put 1 in=hardirq && [ "$(field bell sets)" = 2 ] && "$x" wait any 0 timeout=0
	verdict "$y puts an item on an empty queue in softirq and in hardirq: the doorbell of $x rings each time"

	fresh_doorbell
	"$x" no-doorbell && "$y" put 1 && [ "$(field bell sets)" = 0 ] && "$x" doorbell 0 &&
		[ "$(field bell sets)" = 1 ]
	verdict "$x gives a doorbell to a queue that has items: the doorbell rings at once"

	fresh_doorbell
	"$x" close 0 && [ ! -e "$EVENTS/bell" ] && "$y" put 1 && "$y" put 1 in=hardirq && "$x" take 8 &&
		! trace | grep -q 'step=refuse'
	verdict "$x closes its doorbell's event: puts do not ring, and nothing is refused"
}
doorbell a
doorbell b

# fresh_handler KIND - opens two events: `armed`, of this kind, in slot 0 of $x and of $y; and `ran`, in slot 1 of $y
fresh_handler()
{
	fresh_pair
	"$x" create 0 armed "$1" && "$y" open 0 armed "$1" && "$y" create 1 ran notification
}

# runs COUNT - waits until the job of $y, which sets the event `ran`, has run COUNT times
runs()
{
	await_field ran sets "$1"
}

# runs_for_each_set STATE - makes a job of each kind, in turn, the handler of the event `armed` of $y. Then $x sets the
# event, once in each execution context. Whether the job runs once for each set, and the event is in STATE afterwards: set
# or reset. With "set", this function also sets the event before it adds the first job, so the event is already set when
# it gets each of the jobs, and each job must also run at once
runs_for_each_set()
{
	[ "$1" = reset ] || "$x" set 0 || return
	for job in worker softirq timer thread; do
		count=$(field ran sets)
		"$y" on-set 0 "$job" 1 && { [ "$1" = reset ] || runs "$((count += 1))"; } || return
		for place in task worker softirq hardirq; do
			"$x" set 0 "in=$place" && runs "$((count += 1))" && "$x" query 0 "is=$1" || return
		done
	done
}

# handlers a|b - cases: the given driver, y, has a job as the handler of an event that the other driver, x, sets
handlers()
{
	y=$1 x=$(other "$1")

	fresh_handler synchronization
	runs_for_each_set reset
	verdict "$x sets a synchronization event in each execution context: the job of $y takes it, and runs"

	fresh_handler notification
	runs_for_each_set set
	verdict "$x sets a notification event in each execution context: the job of $y runs each time, and the event stays set"

	fresh_handler synchronization
	"$x" set 0 && "$y" on-set 0 worker 1 && runs 1 && "$x" query 0 is=reset
	verdict "$x sets an event before $y gives it a job: the job runs at once"

	fresh_handler synchronization
	"$y" create 2 hold synchronization && "$y" on-set 0 worker 1 2 && "$x" set 0 && runs 1 && await_field hold waiters 1 &&
		"$x" set 0 in=hardirq && "$x" set 0 && "$y" set 2 && runs 2 && await_field hold waiters 1 && "$y" set 2
	verdict "$x sets an event twice while the job of $y runs: the job runs once more"

	fresh_handler synchronization
	"$y" on-set 0 worker 1 && "$y" no-on-set 0 && "$x" set 0 was=reset && "$x" set 0 was=set && "$y" wait any 0 timeout=0 &&
		"$y" on-set 0 worker 1 && "$x" set 0 was=reset && runs 1
	verdict "$y removes the job of an event: a set starts nothing, and the event stays set"

	fresh_handler synchronization
	"$y" on-set 0 worker 1 && "$y" close 0 && "$x" set 0 was=reset && "$x" query 0 is=set
	verdict "$y closes an event that has a job: a set starts nothing, and the event stays set"
}
handlers a
handlers b

# fresh_handler uses these.
y=b x=a

fresh_handler notification
a create 2 ran-a notification && a on-set 0 softirq 2 && b on-set 0 worker 1 && a set 0 && runs 1 && await_field ran-a sets 1
verdict "two drivers have a job for a notification event: each set starts both jobs"

fresh_handler synchronization
a create 2 ran-a notification && a on-set 0 softirq 2 && b on-set 0 worker 1 && a set 0 in=hardirq && await_field ran-a sets 1 &&
	a set 0 in=hardirq && runs 1 && [ "$(field ran-a sets)" = 1 ] && a set 0 && await_field ran-a sets 2 && [ "$(field ran sets)" = 1 ]
verdict "two drivers have a job for a synchronization event: each set starts one job, in turn"

fresh_handler synchronization
b create 2 hold synchronization && b on-set 0 worker 1 2 && a set 0 && await_field hold waiters 1 && a set 0 && unload $B &&
	a set 0 was=reset && a query 0 is=set
verdict "a driver is unloaded while its job runs and is due to run again: after that, setting the event starts nothing"

fresh_pair
b create 0 bell synchronization && b create 1 ran notification && b on-set 0 worker 1 && b doorbell 0 &&
	a put 5 in=hardirq && runs 1 && b query 0 is=reset && a put 3 && b take 8 && a put 1 in=softirq && runs 2
verdict "a doorbell has a job: the job runs when items arrive on the empty queue"

# fresh_c_handler [PARAMETER...] - reloads c_handler, a driver in C whose event `c-armed` has a handler. Driver a opens
# this event in its slot 0
fresh_c_handler()
{
	fresh_pair
	load c_handler "$@" && a open 0 c-armed synchronization
}

# c_handler_runs - whether each of four sets, one in each execution context, makes the work item of c_handler run once
c_handler_runs()
{
	count=0
	for place in task worker softirq hardirq; do
		a set 0 "in=$place" && await_field c-ran sets "$((count += 1))" && a query 0 is=reset || return
	done
	[ "$(field c-armed handlers) $(field c-armed failed)" = "1 0" ]
}

fresh_c_handler
c_handler_runs && unload c_handler && a set 0 was=reset && a query 0 is=set
verdict "an event is set in each execution context: the handler of a driver in C queues its work item each time"

fresh_c_handler fails=1
a set 0 was=reset && [ "$(field c-ran sets)" = 1 ] && a query 0 is=set && a set 0 in=hardirq was=set &&
	[ "$(field c-ran sets)" = 1 ] && [ "$(field c-armed handlers) $(field c-armed failed)" = "1 1" ] && unload c_handler
verdict "the handler of a driver in C fails: it is not called again, and the event stays set"

if [ "$(nproc)" -gt 1 ]; then
	fresh_c_handler leaves=1
	act_in_background a set 0 && await_field c-ran sets 1 && unload c_handler && wait "$meanwhile" &&
		! dmesg | grep -q 'c_handler: the handler runs after'
	verdict "a driver in C leaves while its handler runs: d2d_leave() waits for the handler"
else
	ktap_test_skip "a driver in C leaves while its handler runs: d2d_leave() waits for the handler (needs a second CPU)"
fi

fresh_pair shared
b create 5 waited synchronization && b create 6 other synchronization && act_in_background b wait any 5 interruptible &&
	await_field waited waiters 1
fails EAGAIN unload $B && kill "$meanwhile" && ! wait "$meanwhile" && [ -e "$EVENTS/other" ] && unload $B &&
	[ ! -e "$EVENTS/other" ] && [ -e "$EVENTS/up" ] && [ "$(field down kind)" = synchronization ]
verdict "a driver with events is unloaded: its events are closed, and events that others have open stay"

fresh_pair shared
unload $B && load $B && b open 0 down synchronization && b query 0 is=reset && a close 1 && b query 0 is=reset
verdict "a driver is loaded again and opens an event that the owner has kept open: the event stays when the owner closes it"

fresh_pair
b create 1 watched synchronization && read -r line <"$EVENTS/watched" && b close 1 && [ ! -e "$EVENTS/watched" ]
verdict "an event is closed after a program has read its file: the file is removed"

fresh_pair
b create 1 fleeting synchronization && exec 3<"$EVENTS/fleeting" && b set 1 was=reset && unload $B &&
	[ ! -e "$EVENTS/fleeting" ] && ! read -r line <&3 && fails EAGAIN unload $A
verdict "an event's file is open: the event can be closed and its driver unloaded; unloading the owner gets EAGAIN"
exec 3<&-

fresh_pair
a create 0 own notification && unload $B && unload $A
verdict "the owner can be unloaded while it has events open"
ktap_finished
