#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every handshake has a timeout, however the owner learns of its completion. Drivers of the
# module actor leave it pending and complete it never, or late; held_peer does the latter
# from its worker, in Rust.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

CONTEXTS=/sys/kernel/debug/d2d-module_a/state/contexts
# As long as a handshake may take
LONG=600000
ROUNDS=100
# What the process that asked for a context has said
ASKED=$(mktemp)
trap 'rm -f "$NOTES" "$ASKED"' EXIT

# lines STEP - how many there are with this text
lines()
{
	trace | grep -c "$1"
}

# context_is STATE [NUMBER]
context_is()
{
	grep -q "^ctx=${2:-0} state=$1 " "$CONTEXTS" 2>/dev/null
}

# via COMPLETION - how the owner learns of a pended handshake
via()
{
	case $1 in
	0) echo "wait asked=return" ;;
	1) echo routine ;;
	2) echo wait ;;
	esac
}

# begin_with COMPLETION TIMEOUT - an owner with one context, and a driver that pends
begin_with()
{
	load hold_calls && load module_a "completion=$1" "timeout=$2" && load actor && mark &&
		act "register alice; on-dispatch alice pend"
}

# attach_fails COMPLETION - asks for a context, and is told that there is none yet, or that its time is
# over
attach_fails()
{
	if [ "$1" = 1 ]; then
		fails EINPROGRESS act "attach alice"
	else
		fails ETIMEDOUT act "attach alice"
	fi
}

# timed_out COMPLETION - whether the handshake times out soon enough, and the owner learns so exactly
# once
timed_out()
{
	await context_is abandoned && await has_learnt "$1" &&
		refused module_a not-completed-in-time && [ "$(lines step=completion)" = 1 ]
}

has_learnt()
{
	[ "$(lines "step=completion via=$(via "$1") status=-$ETIMEDOUT ctx=c0\$")" = 1 ]
}

# is_free - whether the context can be had
is_free()
{
	mark
	load module_b && [ "$(lines step=attached)" = 1 ] && unload module_b
}

# owner_goes - whether the owner is unloaded, and frees all
owner_goes()
{
	mark
	unload actor && unload module_a && ! loaded module_a && [ ! -e /sys/kernel/debug/d2d-module_a ] &&
		[ "$(lines "step=free ctx=c0\$")" = 1 ]
}

# pended_by_a_process - process $asking asks for the driver's context, and the driver pends
pended_by_a_process()
{
	./kmod write "$ACTOR" "attach alice" 2>"$ASKED" &
	asking=$!
	await context_is attaching
}

# cancelled COMPLETION - whether that process was told so
cancelled()
{
	! wait "$asking" && read -r said <"$ASKED" &&
		case $1 in
		1) [ "${said%% *}" = "errno=$EINPROGRESS" ] ;;
		*) [ "${said%% *}" = "errno=$ECANCELED" ] ;;
		esac
}

# one_is_held - whether a driver has got a request and keeps it
one_is_held()
{
	grep -q " phase=held " /sys/kernel/debug/d2d-module_a/state/requests
}

# come_and_go - attaches and detaches, over and over, while handshakes time out. On a slow kernel the time
# may be over before the dispatch routine returns.
come_and_go()
{
	./kmod race $ROUNDS "$ACTOR" "attach alice" "detach alice" "$EINPROGRESS" "$ETIMEDOUT" 2>"$NOTES"
}

start 18

for completion in 0 1 2; do
	begin_with $completion 50 && attach_fails $completion && timed_out $completion &&
		fails EBUSY load module_b && act "unregister alice" && is_free && owner_goes
	verdict "completion=$completion: one that is never completed keeps the context until the driver goes"
	unload_all

	begin_with $completion 50 && attach_fails $completion && timed_out $completion &&
		fails ESTALE act "complete alice status=-$EIO" && fails ESTALE act "complete-again alice" && is_free &&
		attach_fails $completion && await context_is abandoned && act "unregister alice" && owner_goes
	verdict "completion=$completion: one that is completed late is refused, and the context is free"
	unload_all

	begin_with $completion $LONG && pended_by_a_process && act "detach alice; unregister alice" &&
		cancelled $completion && fails ESTALE act "complete alice status=-$EIO" && is_free && owner_goes
	verdict "completion=$completion: its driver goes before its time is over, and so does the owner"
	unload_all

	begin_with $completion 50 && attach_fails $completion && timed_out $completion && act "detach alice" &&
		is_free && owner_goes
	verdict "completion=$completion: a driver detaches whose time is over"
	unload_all

	begin_with $completion $LONG && act "register bob; on-dispatch bob pend; on-dispatch alice ask bob" &&
		pended_by_a_process && await one_is_held && act "detach alice; unregister alice" &&
		cancelled 2 && act "unregister bob" && is_free && owner_goes
	verdict "completion=$completion: a driver detaches that waits, in its dispatch routine, for a request of its own"
	unload_all
done

load hold_calls && load module_a contexts=2 completion=1 timeout=5000 && load actor && load module_b deferred=1 &&
	await context_is attached && mark && act "register alice; on-dispatch alice pend" &&
	fails EINPROGRESS act "attach alice" && await context_is abandoned 1 &&
	refused module_a not-completed-in-time && context_is attached && unload module_b && owner_goes
verdict "one that was completed in time has no limit any more"
unload_all

begin_with 1 1 && come_and_go && act "unregister alice" && is_free && owner_goes
verdict "a driver detaches at the moment when its time is over"
unload_all

load hold_calls && hold handshake && load module_a completion=1 timeout=50 && mark && load held_peer deferred=1 &&
	await one_inside && timed_out 1 && hold none && await context_is free && is_free && unload held_peer &&
	unload module_a
verdict "a driver in Rust that completes late"
unload_all
ktap_finished
