#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# waiting_peer is unloaded while it waits without a limit for an event or a request of its own. Unloading has to end the
# wait. unregistering.sh tests such waits of drivers in C.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

OWNER_FILES=/sys/kernel/debug/d2d-module_a

# load_waiting WHERE WHAT - WHERE is operation, deferred (the work item that completes the handshake), work or thread.
# WHAT is event, request or link (the end of the handshake)
load_waiting()
{
	load waiting_peer "waits_in=$1" "waits_for=$2"
}

# one_waits event|request - succeeds if the peer waits for this. The code 0x222003 is that of the handshake
one_waits()
{
	case $1 in
	event) waits_for waiting_peer.own module_a ;;
	request) grep ' phase=held ' "$OWNER_FILES/state/requests" | grep -qv ' code=0x222003 ' ;;
	esac
}

not_loaded()
{
	! loaded "$1"
}

# peer_unloads - unloads the peer in the background. Fails if this hangs
peer_unloads()
{
	./one_call unload waiting_peer 2>"$NOTES" &
	remover=$!
	await not_loaded waiting_peer && wait "$remover"
}

# wait_was_cancelled WHERE - succeeds if the wait in WHERE ended with ECANCELED. After a wait for a request, too, the
# peer traces the step event-wait
wait_was_cancelled()
{
	[ "$(trace | grep -c "step=event-wait by=$1 status=-$ECANCELED\$")" = 1 ] && ! trace | grep -q step=refuse
}

in_operation()
{
	load_waiting operation "$1" || return
	reset_trace
	exercise module_a 2>/dev/null &
	caller=$!
	await one_waits "$1" && peer_unloads && wait_was_cancelled operation || return
	! wait "$caller" && owner_is_idle
}

in_background()
{
	reset_trace
	load_waiting "$1" "$2" && await one_waits "$2" && peer_unloads && wait_was_cancelled "$1" && owner_is_idle
}

pends_again()
{
	[ "$(trace | grep -c "waiting_peer: .* step=pend ")" -ge 2 ]
}

has_thread()
{
	grep -qsx "$1" /proc/[0-9]*/comm
}

is_attached()
{
	trace | grep -q step=attached
}

# verdict_and_unload NAME - as verdict; then unloads the peer if a failed case has left it loaded
verdict_and_unload()
{
	verdict "$1"
	! loaded waiting_peer || unload waiting_peer
}

begin 13
# The timeout of a handshake must not end before a case does.
load module_a completion=1 timeout=600000

fresh_trace
in_operation event
verdict_and_unload "an operation waits for an event: unloading ends the wait"

fresh_trace
in_operation request
verdict_and_unload "an operation waits for a request: unloading ends the wait"

fresh_trace
in_background deferred event
verdict_and_unload "the work item of a pended handshake waits for an event: unloading ends the wait"

fresh_trace
in_background deferred request
verdict_and_unload "the work item of a pended handshake waits for a request: unloading ends the wait"

fresh_trace
in_background work event
verdict_and_unload "a work item waits for an event: unloading ends the wait"

fresh_trace
in_background work request
verdict_and_unload "a work item waits for a request: unloading ends the wait"

fresh_trace
in_background thread event
verdict_and_unload "a thread waits for an event: unloading ends the wait"

fresh_trace
in_background thread request
verdict_and_unload "a thread waits for a request: unloading ends the wait"

fresh_trace
load_waiting thread event && await one_waits event && has_thread waiting_thread && peer_unloads && ! has_thread waiting_thread
verdict_and_unload "a driver's thread has the name that the driver has given it, and no longer exists when the driver is unloaded"

fresh_trace
load_waiting deferred link && await is_attached && only_refusal_is waiting_peer settled-link-in-deferred &&
	trace | grep -q "step=event-wait by=deferred status=-$EDEADLK\$" && peer_unloads && owner_is_idle
verdict_and_unload "settled-link-in-deferred: the work item of a pended handshake waits for the end of this handshake: EDEADLK"

fresh_trace
load_waiting deferred again && await pends_again && peer_unloads && owner_is_idle
verdict_and_unload "the work item of a pended handshake pends the handshake again each time: unloading the peer ends this"

fresh_trace
unload module_a && load module_a completion=0 timeout=50
! load_waiting deferred again && pends_again && not_loaded waiting_peer && owner_is_idle
verdict_and_unload "the work item of a pended handshake pends the handshake again each time: loading the peer fails when the handshake times out"

fresh_trace
unload module_a && load module_a completion=1 timeout=50
find_module waiting_peer
# shellcheck disable=SC2046 # words
./one_call load "$path" $(in_numbers waiting_peer waits_in=deferred waits_for=event) settles=1 2>"$NOTES" &
loader=$!
await traced reason=not-completed-in-time && await one_waits event && kill "$loader" && await not_loaded waiting_peer &&
	! wait "$loader" && trace | grep -q "step=event-wait by=deferred status=-$ECANCELED\$" && owner_is_idle
verdict_and_unload "a driver waits in start() for the end of its handshake while the work item of this handshake waits for an event: a signal interrupts the loading of the peer"

unload module_a
ktap_finished
