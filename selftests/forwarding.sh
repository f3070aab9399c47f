#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Chains of actors, and of modules in Rust and in C, forward requests. A forwarder that gets a request back completes
# it, pends it or forwards it again.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/request_lib.sh
. ./request_lib.sh

# A request with this code makes relay_peer complete its pended request
CODE_RELAY_COMPLETE=0x2223c0

trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT
begin 33
load pause_calls
load module_a contexts=4 completion=1 "timeout=$LONG_TIMEOUT"

# Chains of actors

fresh alice bob+ carol+ dave+ erin+
act "on-dispatch bob forward-back carol; on-dispatch carol forward-back dave; on-dispatch dave forward-back erin"
act "send r0 bob $CODE_ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:call-driver carol:dispatch \
		carol:call-driver dave:dispatch dave:call-driver erin:dispatch erin:complete \
		dave:completion carol:completion bob:completion alice:completion
verdict "three drivers forward a request and want it back: it comes back through each of them, in reverse order"

fresh alice bob+ carol+ dave+ erin+ frank+
act "on-dispatch bob forward-back carol; on-dispatch carol forward-back dave; on-dispatch dave forward-back erin"
act "on-dispatch erin forward-back frank; send r0 bob; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	got_back dave "-$E2BIG" 1 && got_back carol "-$E2BIG" 1 && got_back bob "-$E2BIG" 1
verdict "no-stack-location: the fourth driver that forwards a request gets E2BIG, and the other drivers get this status"

fresh alice bob+ carol+ dave+ erin+
act "on-dispatch bob forward-back carol; on-dispatch carol forward dave; on-dispatch dave forward erin"
act "send r0 bob $CODE_ADD; wait r0; expect r0 output=42" && got_back bob 0 1 && got_back carol 0 0 && got_back dave 0 0
verdict "of three drivers that forward a request only the first wants it back: only its routine returned() is called"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol refuse; on-returned bob forward-again"
act "send r0 bob $CODE_ADD trace; wait r0; expect r0 status=-$EPERM" &&
	got_back bob "-$EPERM" 2 && [ "$(trace | grep -c 'carol: d2d: .* step=dispatch')" = 2 ]
verdict "a forwarder gets a request back and forwards it again: its routine returned() is called a second time"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol refuse; on-returned bob pend"
act_pends "send r0 bob $CODE_ADD trace" && got_back bob "-$EPERM" 1 && act "complete bob output=9; wait r0; expect r0 output=9"
verdict "a forwarder gets a request back with EPERM, pends it, and completes it with 0: the sender gets 0 and the output"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel; on-returned bob pend"
act_pends "send r0 bob $CODE_PEND" && act "complete carol output=6" && got_back bob 0 1 &&
	act "set-cancel bob; cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called bob 1 &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "a forwarder gets a request back and pends it, and the sender cancels: the forwarder's routine cancelled() is called"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $CODE_PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called carol 1 &&
	got_back bob "-$ECANCELED" 1 && fails ECANCELED act "complete carol status=-$EIO"
verdict "the sender cancels a forwarded request: the receiver's routine cancelled() is called, and the forwarder gets the request back with ECANCELED"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $CODE_PEND" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT" && cancelled_called carol 1 &&
	got_back bob "-$ETIMEDOUT" 1 && fails ECANCELED act "complete carol status=-$EIO"
verdict "the wait for a forwarded request times out: the receiver's routine cancelled() is called, and the forwarder gets the request back with ETIMEDOUT"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $CODE_PEND" && act "unregister bob; wait r0; expect r0 status=-$ECANCELED" && cancelled_called carol 1 &&
	fails ECANCELED act "complete carol status=-$EIO"
verdict "the forwarder unregisters: the receiver's routine cancelled() is called, and the sender gets ECANCELED"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-returned bob pend; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $CODE_PEND" && act "unregister carol" && got_back bob "-$ECANCELED" 1 &&
	act "complete bob output=4; wait r0; expect r0 output=4"
verdict "the receiver unregisters: the forwarder gets the request back with ECANCELED, pends it, and completes it with 0"

fresh alice bob+ carol+
act "on-dispatch bob pend; unregister carol"
act_pends "send r0 bob $CODE_PEND" && fails ESTALE act "forward bob carol" && only_refusal_is module_a stale-target
verdict "stale-target: a request is forwarded to a driver that has unregistered: ESTALE"

# Chains of modules

# fresh_relay DRIVER [complete|no-return|pend] - loads the drivers of fresh_with_peers, and relay_peer, which forwards
# its requests to DRIVER. relay_peer completes or pends what comes back, or wants nothing back (no-return)
fresh_relay()
{
	unload_if_loaded relay_peer
	fresh_with_peers alice bob+
	load relay_peer "next=$1" "then=${2-complete}"
	reset_trace
}

for driver in module_a module_b handle_peer c_peer bob; do
	fresh_relay "$driver"
	act "lookup relay_peer; send r0 relay_peer $CODE_ADD trace; wait r0; expect r0 output=42" && no_refusal && got_back relay_peer 0 1 &&
		{
			[ "$driver" = bob ] ||
				trace | grep -q "$driver: d2d: .* step=complete"
		}
	verdict "relay_peer forwards alice's request to $driver: relay_peer gets it back, and alice gets the result"

	# An actor does not serve the requests of module_a's exercise.
	[ "$driver" != bob ] || continue
	fresh_relay "$driver"
	case $driver in
	module_a) exercise module_a ;;
	*)
		exercise module_a && refusals_are_only unknown-event && got_back relay_peer "-$ECANCELED" 4 &&
			trace | grep -q 'module_a: d2d: .* in=hardirq step=call-driver .*to=relay_peer' &&
			trace | grep -q "relay_peer: d2d: .* in=hardirq step=call-driver .*to=$driver"
		;;
	esac
	verdict "relay_peer forwards module_a's requests to $driver in each execution context: module_a's exercise succeeds"
done

fresh_relay c_peer no-return
act "lookup relay_peer; send r0 relay_peer $CODE_ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver relay_peer:dispatch relay_peer:call-driver \
		c_peer:dispatch c_peer:complete alice:completion
verdict "relay_peer forwards a request to c_peer and does not want it back: alice gets the result directly"

fresh_relay module_b
act "lookup relay_peer; on-dispatch bob forward-back relay_peer; send r0 bob $CODE_ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:call-driver relay_peer:dispatch \
		relay_peer:call-driver module_b:dispatch module_b:complete relay_peer:completion \
		relay_peer:complete bob:completion alice:completion
verdict "bob forwards a request to relay_peer, which forwards it to module_b: relay_peer and then bob get it back"

fresh_relay handle_peer pend
act "lookup relay_peer; alloc r1 alice" && act_pends "send r0 relay_peer $CODE_ADD trace" && got_back relay_peer 0 1 &&
	act "send r1 relay_peer $CODE_RELAY_COMPLETE in=0 out=0; wait r1; expect r1; wait r0; expect r0 output=42" && no_refusal
verdict "relay_peer gets a request back from handle_peer, pends it, and completes it later: alice gets the output"

fresh_relay handle_peer pend
act "lookup relay_peer; alloc r1 alice" && act_pends "send r0 relay_peer $CODE_ADD" &&
	act "cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called relay_peer 1 &&
	act "send r1 relay_peer $CODE_RELAY_COMPLETE in=0 out=0; wait r1; expect r1 status=-$ENOENT" && no_refusal
verdict "relay_peer gets a request back from handle_peer and pends it, and alice cancels: relay_peer's routine cancelled() is called"

fresh_relay handle_peer pend
act "lookup relay_peer" && act_pends "send r0 relay_peer $CODE_ADD" && unload relay_peer &&
	act "wait r0; expect r0 status=-$ECANCELED" && no_refusal
verdict "relay_peer gets a request back from handle_peer and pends it, and is unloaded: alice gets ECANCELED"

fresh_relay relay_peer no-return
act "lookup relay_peer; send r0 relay_peer $CODE_ADD trace; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=dispatch')" = 4 ]
verdict "no-stack-location: relay_peer forwards a request to itself: the fourth time it gets E2BIG"

fresh_relay relay_peer
act "lookup relay_peer; send r0 relay_peer $CODE_ADD trace; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=completion .*via=returned')" = 3 ]
verdict "no-stack-location: relay_peer forwards a request to itself and wants it back: the fourth time it gets E2BIG"

unload_if_loaded relay_peer
each_peer unload_if_loaded

# Cases in which the request is cancelled, or alice unregisters, while bob's routine `returned` runs

# fresh_returning MS - bob forwards alice's request r0 to carol. The process $waiter waits for r0 for MS milliseconds
# (0xffffffff: no limit). The process $completer makes carol complete r0, and pauses inside bob's routine `returned`
fresh_returning()
{
	fresh alice bob carol
	act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob pause"
	pause task
	act_pends "send r0 bob $CODE_PEND" && act_in_background "wait r0 timeout=$1; expect r0 status=-$ECANCELED ended=cancelled" &&
		waiter=$background && background_sleeps && act_in_background "complete carol output=1" && completer=$background && await one_inside
}

# sender_unregisters - begins to unregister alice, in the process $background
sender_unregisters()
{
	act_in_background "unregister alice" && await fails ESHUTDOWN act "alloc r1 alice; free r1" && one_inside
}

for limit in "without a limit" "with a limit"; do
	case $limit in
	without*) ms=0xffffffff ;;
	*) ms=60000 ;;
	esac
	fresh_returning "$ms" && sender_unregisters
	verdict "a request returns to its forwarder, its sender unregisters, and a thread waits $limit: unregistering waits for the routine returned()"
	resume_and_await ${waiter:+"$background" "$waiter" "$completer"}

	fresh_returning "$ms" && sender_unregisters
	resume_and_await "$background" "$waiter" "$completer" && refusals_are_only driver-is-leaving && [ "$(cat "$REQUESTS")" = "" ]
	verdict "a request returns to its forwarder, its sender unregisters, and a thread waits $limit: unregistering ends with the routine returned(), and the wait gets ECANCELED"
done

fresh_returning 60000 && act "cancel r0" && fails EINPROGRESS act "wait r0 timeout=1" && one_inside &&
	fails EALREADY act "cancel r0" && no_refusal
verdict "a request returns to its forwarder and is cancelled: a wait whose limit passes gets EINPROGRESS, and a second cancellation EALREADY"
resume_and_await ${waiter:+"$waiter" "$completer"}

fresh_returning 60000 && act "cancel r0"
resume_and_await "$waiter" "$completer" && act "wait r0; expect r0 status=-$ECANCELED ended=cancelled"
verdict "a request returns to its forwarder and is cancelled: a wait gets ECANCELED when the routine returned() ends"

unload actor
unload pause_calls
unload module_a
ktap_finished
