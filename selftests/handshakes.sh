#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The timeout of handshakes, for each value of module_a's parameter "completion". The actor alice pends her handshake.
# Then she completes it in time or too late, detaches, or does nothing. In paused_peer, a driver in Rust, a work item
# completes the handshake too late.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

CONTEXTS=/sys/kernel/debug/d2d-module_a/state/contexts
# A timeout longer than any case, in milliseconds
LONG=600000
ROUNDS=100
# The errno that the process of attach_in_background() gets
ATTACH_ERRNO=$(mktemp)
trap 'rm -f "$NOTES" "$ATTACH_ERRNO"' EXIT

count_lines()
{
	trace | grep -c "$1"
}

context_is()
{
	grep -q "^ctx=${2:-0} state=$1 " "$CONTEXTS" 2>/dev/null
}

# via COMPLETION - prints the field via= of the line step=completion after a pended handshake: how the owner has learned
# of its end. asked=return: with completion=0, the owner waits only for a handshake that is pending when `dispatch`
# returns, as here
via()
{
	case $1 in
	0) echo "wait asked=return" ;;
	1) echo routine ;;
	2) echo wait ;;
	esac
}

# fresh_alice COMPLETION TIMEOUT - loads module_a with one context. The actor alice will pend her handshake
fresh_alice()
{
	load pause_calls && load module_a "completion=$1" "timeout=$2" && load actor && reset_trace &&
		act "register alice; on-dispatch alice pend"
}

# attach_times_out COMPLETION - attaches alice. With completion=1, d2d_attach() does not wait for the timeout
attach_times_out()
{
	if [ "$1" = 1 ]; then
		fails EINPROGRESS act "attach alice"
	else
		fails ETIMEDOUT act "attach alice"
	fi
}

# timed_out COMPLETION - waits until the handshake times out; succeeds if the trace has no other refusal or completion
timed_out()
{
	await context_is abandoned && await owner_knows "$1" &&
		only_refusal_is module_a not-completed-in-time && [ "$(count_lines step=completion)" = 1 ]
}

owner_knows()
{
	[ "$(count_lines "step=completion via=$(via "$1") status=-$ETIMEDOUT ctx=c0\$")" = 1 ]
}

module_b_can_attach()
{
	reset_trace
	load module_b && [ "$(count_lines step=attached)" = 1 ] && unload module_b && owner_is_idle
}

owner_unloads()
{
	reset_trace
	unload actor && unload module_a && ! loaded module_a && [ ! -e /sys/kernel/debug/d2d-module_a ] &&
		[ "$(count_lines "step=free ctx=c0\$")" = 1 ]
}

attach_in_background()
{
	./one_call write "$ACTOR" "attach alice" 2>"$ATTACH_ERRNO" &
	attaching=$!
	await context_is attaching
}

# background_attach_fails COMPLETION ERRNO - succeeds if the process $attaching got EINPROGRESS (with COMPLETION 1) or
# ERRNO (else). If the handshake was not pended, COMPLETION is "any"
background_attach_fails()
{
	! wait "$attaching" && read -r noted <"$ATTACH_ERRNO" &&
		case $1 in
		1) [ "${noted%% *}" = "errno=$EINPROGRESS" ] ;;
		*) [ "${noted%% *}" = "errno=$2" ] ;;
		esac
}

# one_is_held - succeeds if a driver holds a request other than a handshake (code 0x222003)
one_is_held()
{
	grep " phase=held " /sys/kernel/debug/d2d-module_a/state/requests | grep -qv " code=0x222003 "
}

# attach_and_detach_repeatedly - alice attaches and detaches $ROUNDS times. In each round, she waits longer before she
# detaches: at first, her handshake has not timed out yet; at last, it has. If her dispatch routine takes longer than
# the timeout, d2d_attach() gets ETIMEDOUT
attach_and_detach_repeatedly()
{
	./one_call race $ROUNDS "$ACTOR" "attach alice" "detach alice" "$EINPROGRESS" "$ETIMEDOUT" 2>"$NOTES"
}

begin 21

for completion in 0 1 2; do
	fresh_alice $completion 50 && attach_times_out $completion && timed_out $completion &&
		fails EBUSY load module_b && act "unregister alice" && module_b_can_attach && owner_unloads
	verdict "completion=$completion: a handshake is never completed: it times out, and unregistering the driver frees the context"
	unload_all

	fresh_alice $completion 50 && attach_times_out $completion && timed_out $completion &&
		fails ESTALE act "complete alice status=-$EIO" && fails ESTALE act "complete-again alice" && module_b_can_attach &&
		attach_times_out $completion && await context_is abandoned && act "unregister alice" && owner_unloads
	verdict "completion=$completion: a handshake is completed after its timeout: ESTALE, and the context is free"
	unload_all

	fresh_alice $completion $LONG && attach_in_background && act "detach alice; unregister alice" &&
		background_attach_fails $completion "$ECANCELED" && fails ESTALE act "complete alice status=-$EIO" && module_b_can_attach && owner_unloads
	verdict "completion=$completion: the driver detaches and the owner is unloaded before the timeout: the handshake ends with ECANCELED"
	unload_all

	fresh_alice $completion 50 && attach_times_out $completion && timed_out $completion && act "detach alice" &&
		module_b_can_attach && owner_unloads
	verdict "completion=$completion: the driver detaches after the timeout: the context is free"
	unload_all

	fresh_alice $completion $LONG && attach_in_background && act "complete alice status=-$EIO" &&
		background_attach_fails $completion "$EIO" && module_b_can_attach && act "unregister alice" && owner_unloads
	verdict "completion=$completion: the driver completes its handshake with an errno: d2d_complete() succeeds, and the context is free"
	unload_all

	# Alice does not pend this handshake. So the process $attaching gets ECANCELED, even with completion=1.
	fresh_alice $completion $LONG && act "register bob; on-dispatch bob pend; on-dispatch alice ask bob" &&
		attach_in_background && await one_is_held && act "detach alice; unregister alice" &&
		background_attach_fails any "$ECANCELED" && act "unregister bob" && module_b_can_attach && owner_unloads
	verdict "completion=$completion: the driver detaches while its dispatch routine waits for a request: request and handshake are cancelled"
	unload_all
done

fresh_trace
load pause_calls && load module_a contexts=2 completion=1 timeout=15000 && load actor && load module_b deferred=1 &&
	await context_is attached && reset_trace && act "register alice; on-dispatch alice pend" &&
	fails EINPROGRESS act "attach alice" && await context_is abandoned 1 &&
	only_refusal_is module_a not-completed-in-time && context_is attached && unload module_b && owner_unloads
verdict "the handshake of one driver times out: a driver that has completed its handshake in time stays attached"
unload_all

fresh_alice 1 1 && attach_and_detach_repeatedly && act "unregister alice" && module_b_can_attach && owner_unloads
verdict "a driver detaches at the moment of the timeout: the context is free"
unload_all

fresh_trace
load pause_calls && pause handshake && load module_a completion=1 timeout=50 && reset_trace && load paused_peer deferred=1 &&
	await one_inside && timed_out 1 && resume && await context_is free && module_b_can_attach && unload paused_peer &&
	unload module_a
verdict "a driver in Rust completes after the timeout: the context is free"
unload_all
ktap_finished
