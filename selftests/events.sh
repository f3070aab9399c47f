#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Named events: what one driver sets, the other one waits for, in both directions, both
# kinds, and from each context. torture_owner and torture_peer0 do what they are told
# (torture/events.rs); slots of one are not those of the other.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

A=torture_owner
B=torture_peer0
EVENTS=/sys/kernel/debug/d2d-$A/events

# a COMMAND..., b COMMAND... - what module A or B is told; the errno goes to $NOTES
a()
{
	./eventctl write "/sys/kernel/debug/d2d-$A/torture" "event 0 $*" 2>"$NOTES"
}

b()
{
	./eventctl write "/sys/kernel/debug/d2d-$B/torture" "event $*" 2>"$NOTES"
}

# other NAME - the other one of a and b
other()
{
	[ "$1" = a ] && echo b || echo a
}

# driver NAME - of a or b
driver()
{
	[ "$1" = a ] && echo "$A" || echo "$B"
}

# field NAME KEY - what the file of an event says. Who reads on waits for the next set.
field()
{
	read -r line 2>/dev/null <"$EVENTS/$1" || return
	for word in $line; do
		[ "${word%%=*}" != "$2" ] || echo "${word#*=}"
	done
}

# settle NAME KEY VALUE - returns when the file of an event says so. Fails when it has been asked so
# often that something else must be wrong.
settle()
{
	tries=0
	until [ "$(field "$1" "$2")" = "$3" ]; do
		[ "$((tries += 1))" -lt 10000 ] || return 1
	done
}

# waited - the indices that waits have ended with, since the mark
waited()
{
	trace | sed -n 's/.*step=event-wait index=//p' | xargs
}

# all_of PID... - waits for all of them, and whether all succeeded
all_of()
{
	all=0
	for pid; do
		wait "$pid" || all=1
	done
	return "$all"
}

# sleeper NAME COMMAND... - a command in the background; its process is $pid
sleeper()
{
	who=$(driver "$1")
	context=
	[ "$1" = b ] || context="0 "
	shift
	./eventctl write "/sys/kernel/debug/d2d-$who/torture" "event $context$*" &
	pid=$!
}

# what event_sins does wrong: SIN ERRNO REASON, the last of which may be none
sins()
{
	cat <<-EOF
		no-name EFAULT bad-event-name-pointer
		unreadable-name EFAULT bad-event-name-pointer
		empty-name EINVAL bad-event-name
		bad-kind EINVAL bad-event-kind
		no-handle EFAULT bad-handle-pointer
		unknown-event ENOENT unknown-event
		unknown-driver ESTALE stale-driver-handle
		closed-twice ESTALE stale-event-handle
		set-when-closed ESTALE stale-event-handle
		reset-when-closed ESTALE stale-event-handle
		query-when-closed ESTALE stale-event-handle
		wait-when-closed ESTALE stale-event-handle
		ring-when-closed ENOTRECOVERABLE none
		event-twice EINVAL event-twice
		no-events EFAULT bad-events-pointer
		unreadable-events EFAULT bad-events-pointer
		bad-index EFAULT bad-index-pointer
		bad-flags EINVAL bad-wait-flags
		too-many EINVAL bad-event-count
		wait-under-lock EDEADLK wait-in-atomic-context
		timeout ETIMEDOUT none
		left-open ENOTRECOVERABLE none
	EOF
}

# both_kinds X - a driver creates, the other one opens; both kinds do what they are for
both_kinds()
{
	x=$1 y=$(other "$1")
	mark
	$x create 0 note 0 0 && $y open 0 note 0 &&
		$x create 1 sync 1 0 && $y open 1 sync 1 &&
		[ "$(field note kind)" = notification ] && [ "$(field sync kind)" = synchronization ] &&
		[ "$(trace | grep -c 'step=event-create')" = 2 ] && [ "$(trace | grep -c 'step=event-open')" = 2 ]
	verdict "$x creates, $y opens by name: they have the same events"

	fails ETIMEDOUT "$y" wait any 0 0 0 0 && "$x" set 0 0 0 && "$y" query 0 0 1 && "$y" wait any 0 0 0 0 &&
		"$x" wait any 0 - 0 0 && "$x" set 0 0 1 && "$y" reset 0 0 && "$x" query 0 0 0 &&
		fails ETIMEDOUT "$x" wait any 0 0 0 0
	verdict "$x sets a notification event: it stays so, until $y resets it"

	"$x" set 1 0 0 && "$x" set 1 0 1 && "$y" query 1 0 1 && "$y" query 1 0 1 && "$y" wait any 0 0 0 1 &&
		"$x" query 1 0 0 && fails ETIMEDOUT "$y" wait any 0 1 0 1
	verdict "$x sets a synchronization event twice: $y gets it once"

	mark
	sleeper "$y" wait any 0 - 0 0
	first=$pid
	sleeper "$y" wait any 0 - 0 0
	settle note waiters 2 && "$x" set 0 0 0 && all_of "$first" "$pid" && [ "$(waited)" = "0 0" ] &&
		[ "$(field note waiters)" = 0 ] && "$x" reset 0 0
	verdict "$x lets all go that wait in $y, by a notification event"

	mark
	sleeper "$y" wait any 0 - 0 1
	first=$pid
	settle sync waiters 1
	sleeper "$y" wait any 0 - 0 1
	settle sync waiters 2 && "$x" set 1 0 0 && wait "$first" && [ "$(field sync waiters)" = 1 ] &&
		[ "$(waited)" = 0 ] && "$x" query 1 0 0 && "$x" set 1 0 0 && wait "$pid" && "$x" query 1 0 0
	verdict "$x lets one at a time go that waits in $y, by a synchronization event, and the first one first"

	for slot in 0 1; do
		for place in 0 1 2 3; do
			"$x" set "$slot" "$place" 0 && "$y" query "$slot" "$place" 1 && "$x" reset "$slot" "$place" &&
				"$y" query "$slot" "$place" 0 && "$x" set "$slot" "$place" 0 &&
				"$y" wait any "$place" 0 0 "$slot" && "$y" reset "$slot" "$place" || return
		done
	done
	verdict "$x sets, resets and asks in each context, and takes there what is set"

	mark
	for place in 1 2 3; do
		sleeper "$y" wait any 0 - 0 1
		settle sync waiters 1 && "$x" set 1 "$place" 0 && wait "$pid" || return
	done
	verdict "$x wakes $y from a worker, from softirq and from hard interrupt"

	"$x" close 0 && "$x" close 1 && [ -e "$EVENTS/note" ] && "$y" set 0 0 0 && "$y" close 0 && "$y" close 1 &&
		[ ! -e "$EVENTS/note" ] && [ ! -e "$EVENTS/sync" ]
	verdict "an event is there until both have closed it"
}

# refuses ERRNO REASON COMMAND... - whether it fails with both, and leaves nothing
refuses()
{
	errno=$1 reason=$2
	shift 2
	mark
	fails "$errno" "$@" && refused "$A" "$reason"
}

start $((51 + $(sins | wc -l)))
mark
load "$A" contexts=1 && load "$B"
both_kinds a
both_kinds b

a create 0 up 0 1 && b create 0 up 0 0 && b query 0 0 1 && a create 1 down 1 0 && b create 1 down 1 1 &&
	b query 1 0 0
verdict "who creates an event first says whether it is set"

refuses EPROTOTYPE other-event-kind b create 2 up 1 0
verdict "an event of the other kind is not created"

refuses EPROTOTYPE other-event-kind b open 2 up 1
verdict "nor opened"

refuses ENOENT unknown-event b open 2 nowhere 0
verdict "one that is not there is not opened"

long=$(printf %063d 0)
refuses ENAMETOOLONG event-name-too-long b create 2 "${long}0" 0 0
verdict "a name of 64 bytes is too long"

b create 2 "$long" 0 0 && [ "$(field "$long" name)" = "$long" ] && b close 2
verdict "one of 63 is not"

for name in . .. a/b "$(printf 'a\001')" "$(printf '\303\244')"; do
	refuses EINVAL bad-event-name b create 2 "$name" 0 0 || break
done
verdict "names that are no file names are refused"

mark
for slot in 10 11 12; do
	a create $slot "any$slot" 1 0
	b open $slot "any$slot" 1
done
a set 12 0 0 && a set 11 0 0 && b wait any 0 - 0 10 11 12 && b wait any 0 - 0 12 11 10 && a set 10 0 0 &&
	b wait any 0 - 0 12 10 && [ "$(waited)" = "1 0 1" ]
verdict "of several events the first in the list is taken, and only that"

mark
sleeper b wait any 0 - 0 10 11 12
settle any12 waiters 1 && a set 11 3 0 && wait "$pid" && [ "$(waited)" = 1 ] && a query 11 0 0 &&
	[ "$(field any10 waiters) $(field any11 waiters) $(field any12 waiters)" = "0 0 0" ]
verdict "who waits for any gets the one that is set, and waits for no other then"

mark
sleeper b wait all 0 - 0 10 11 12
settle any12 waiters 1 && a set 10 0 0 && a set 12 2 0 && a query 10 0 1 && a query 12 0 1 &&
	[ "$(field any10 waiters)" = 1 ] && a set 11 3 0 && wait "$pid" &&
	a query 10 0 0 && a query 11 0 0 && a query 12 0 0
verdict "who waits for all takes them when all are set, and none before"

mark
a set 10 0 0 && sleeper b wait all 0 - 0 10 11 && settle any11 waiters 1 && b wait any 0 - 0 10 &&
	a set 11 0 0 && [ "$(field any11 waiters)" = 1 ] && a set 10 0 0 && wait "$pid" && a query 11 0 0
verdict "one that another has taken meanwhile is waited for again"

mark
for slot in $(seq 0 64); do
	b create "$slot" "many$slot" 1 0 || break
done
many=$(seq -s ' ' 0 63)
a open 2 many63 1 && sleeper b "wait any 0 - 0 $many" && settle many0 waiters 1 && a set 2 3 0 && wait "$pid" &&
	[ "$(waited)" = 63 ]
verdict "64 events can be waited for"

refuses EINVAL bad-event-count b "wait any 0 - 0 $many 64"
verdict "and no more"

refuses EINVAL bad-event-count b wait any 0 - 0
verdict "nor none"

refuses EINVAL event-twice b wait all 0 - 0 1 2 1
verdict "nor one of them twice"

pids=
for _ in $(seq 64); do
	sleeper b wait any 0 - 0 0
	pids="$pids $pid"
done
settle many0 waiters 64
refuses EAGAIN too-many-waits b wait any 0 - 0 1 0 && [ "$(field many1 waiters)" = 0 ]
verdict "64 can wait for an event, and no more"
for _ in $(seq 64); do
	b set 0 0 0
done
# shellcheck disable=SC2086 # a list
all_of $pids && b query 0 0 0
verdict "and 64 sets let 64 go"

for place in 2 3; do
	refuses EDEADLK wait-in-atomic-context b wait any $place - 0 0 || break
done
verdict "no wait in softirq or hard interrupt"

mark
sleeper b wait any 0 - 1 0
settle many0 waiters 1 && kill "$pid" && ! wait "$pid" && [ "$(field many0 waiters)" = 0 ]
verdict "a signal ends a wait that is interruptible"

fails ETIMEDOUT b wait any 0 5 0 0 1 && fails ETIMEDOUT b wait all 0 5 1 0 1 && [ "$(field many0 waiters)" = 0 ]
verdict "a timeout ends a wait"

a open 3 many0 1 && sleeper b wait any 0 - 0 0 && settle many0 waiters 1 && b close 1 && a close 3 &&
	[ "$(field many0 waiters)" = 1 ] && a open 3 many0 1 && b set 0 0 0 && wait "$pid"
verdict "a wait ends by its own handle only"

watched=$(./eventctl watch "$EVENTS/many4" "/sys/kernel/debug/d2d-$B/torture" \
	"event set 4 3 -" "event close 4" 2>&1)
verdict "a program watches an event by read, poll and epoll: $watched"

stalled=$(./eventctl stall "$EVENTS/many7" "/sys/kernel/debug/d2d-$B/torture" "event close 7" 2>&1)
if [ $? = 4 ]; then
	ktap_test_skip "an event is closed while a reader of its file stalls: needs userfaultfd"
else
	[ -z "$stalled" ] && [ ! -e "$EVENTS/many7" ]
	verdict "an event is closed while a reader of its file stalls $stalled"
fi

while read -r sin errno reason; do
	mark
	if [ "$reason" = none ]; then
		fails "$errno" load event_sins "sin=$sin" && ! trace | grep -q 'step=refuse'
	else
		fails "$errno" load event_sins "sin=$sin" && refused $A "$reason"
	fi && ! loaded event_sins && [ ! -e "$EVENTS/sin" ]
	verdict "a driver's $sin"
done <<EOF
$(sins)
EOF

# doorbell X - X takes from a queue that Y puts on
doorbell()
{
	x=$1 y=$(other "$1")
	mark
	"$x" create 0 bell 1 0 && "$x" doorbell 0 && "$y" put 5 0 && [ "$(field bell sets)" = 1 ] && "$y" put 3 3 &&
		[ "$(field bell sets)" = 1 ] && "$x" wait any 0 - 0 0 && "$x" query 0 0 0
	verdict "a queue rings $x when it gets an item, and not for each of them"

	"$x" take 8 && "$y" put 1 2 && [ "$(field bell sets)" = 2 ] && "$x" wait any 0 - 0 0 && "$x" take 8 &&
		"$y" put 1 3 && [ "$(field bell sets)" = 3 ] && "$x" wait any 0 0 0 0
	verdict "and again when it was empty, from each context"

	"$x" silent && "$x" take 8 && "$y" put 1 0 && [ "$(field bell sets)" = 3 ] && "$x" doorbell 0 &&
		[ "$(field bell sets)" = 4 ]
	verdict "one that is tied when there are items rings at once"

	mark
	"$x" close 0 && [ ! -e "$EVENTS/bell" ] && "$x" take 8 && "$y" put 1 0 && "$y" put 1 3 && "$x" take 8 &&
		! trace | grep -q 'step=refuse'
	verdict "one that is closed is silent"
}
doorbell a
doorbell b

mark
sleeper b wait any 0 - 1 5
settle many5 waiters 1
fails EAGAIN unload $B && kill "$pid" && ! wait "$pid" && [ -e "$EVENTS/many6" ] && unload $B &&
	[ ! -e "$EVENTS/many6" ] && [ -e "$EVENTS/many63" ] && [ "$(field down kind)" = synchronization ]
verdict "the events of a driver that is unloaded are closed, and no other"

mark
load $B && b open 0 down 1 && b query 0 0 0 && a close 1 && b query 0 0 0
verdict "the next one that is loaded finds the events of others"

mark
b create 1 fleeting 1 0 && exec 3<"$EVENTS/fleeting" && b set 1 0 0 && unload $B &&
	[ ! -e "$EVENTS/fleeting" ] && ! read -r line <&3 && fails EAGAIN unload $A
verdict "a file that is open keeps the owner, and nothing else"
exec 3<&-
unload $A
verdict "the owner leaves, whatever it has left open"
ktap_finished
