#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Requests between drivers, in each execution context: sending, completing, pending, cancelling, timeouts, and drivers
# that unregister. request_lib.sh explains the actors.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/request_lib.sh
. ./request_lib.sh

trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT
begin 63
load pause_calls
load module_a contexts=4 completion=1 "timeout=$LONG_TIMEOUT"

# The receiver completes a request at once, or pends it. No actor has a context

fresh alice bob+
act "send r0 bob $CODE_ADD trace; wait r0; expect r0 output=42" &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:complete alice:completion &&
	trace | grep -q 'alice: d2d: .* step=completion req=r[0-9]* via=return status=0'
verdict "the receiver completes at once: the send returns the result"

fresh alice bob
act "send r0 bob; wait r0; lookup module_a; send r0 module_a $CODE_ADD value=9; wait r0; expect r0 output=10; read r0 8" && no_refusal
verdict "the sender sends a completed request again, to the owner: it gets the new output"

fresh alice bob
act "alloc r1 bob; on-dispatch alice refuse; send r1 alice; wait r1; expect r1 status=-$EPERM"
verdict "the receiver completes with an errno: the sender gets it"

fresh alice bob
act "send r0 bob $CODE_ADD routine trace; expect r0 output=42" &&
	act "send r0 bob $CODE_ADD routine value=1; expect r0 output=2; send r0 bob; wait r0" && no_refusal &&
	trace | grep -q 'alice: d2d: .* step=completion req=r[0-9]* via=routine status=0'
verdict "a completion routine gets the result and keeps the request: the sender can send it again"

fresh alice bob
act "on-completed alice free; send r0 bob $CODE_ADD routine value=2; expect r0 output=3" && no_refusal &&
	fails ESTALE act "send r0 bob" && only_refusal_is module_a stale-request
verdict "a completion routine lets the owner free the request: sending it again gets ESTALE"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND trace" &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:pend &&
	act "complete bob output=7; wait r0; expect r0 output=7" && cancelled_called bob 0
verdict "the receiver pends and completes later: a wait after that gets the result"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act_in_background "wait r0; expect r0 output=8" && background_sleeps &&
	act "complete bob output=8" && exit_in_time "$background"
verdict "the receiver pends and completes later: a sender that sleeps is woken"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND routine" && act "complete bob status=-$EIO; expect r0 status=-$EIO"
verdict "the receiver pends and completes later: the completion routine gets the result"

fresh alice bob
act "lookup module_a" && act_pends "send r0 module_a $CODE_PEND value=5" &&
	act "alloc r1 alice in=16; send r1 module_a $CODE_COMPLETE in=16 out=0 value=5; wait r1; expect r1" &&
	act "wait r0; expect r0 output=0; free r0; free r1" && no_refusal
verdict "the owner pends a request and completes it later: the sender gets the output"

# Timeout and cancellation

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND trace" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT" &&
	cancelled_called bob 1 && trace | grep -q "alice: d2d: .* step=cancel req=r[0-9]* from=bob status=-$ETIMEDOUT"
verdict "a wait times out: the request is cancelled with ETIMEDOUT, and the receiver's routine cancelled() is called"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "wait r0 timeout=1" &&
	fails ECANCELED act "complete bob status=-$EIO" && fails ECANCELED act "complete bob" && no_refusal &&
	act "expect r0 status=-$ETIMEDOUT"
verdict "the receiver completes after the timeout: it gets ECANCELED, and the sender's result does not change"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "complete bob output=3; wait r0 timeout=0; expect r0 output=3"
verdict "a wait with timeout 0 gets the result of a completed request"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND trace" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 1 && no_refusal && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender cancels: it gets ECANCELED, and the receiver's routine cancelled() is called"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 0 && fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "the sender cancels, and the receiver has not asked for its routine cancelled(): completing gets ECANCELED"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "set-cancel bob; cancel r0" && cancelled_called bob 1 &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "the receiver asks for its routine cancelled() after it has pended, and the sender cancels: the routine is called"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "cancel r0" && fails ECANCELED act "set-cancel bob" &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "the receiver asks for its routine cancelled() after the sender has cancelled: the receiver gets ECANCELED"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND" && act "cancel r0" && fails EALREADY act "cancel r0" &&
	cancelled_called bob 1 && fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "the sender cancels twice: the second time it gets EALREADY"

fresh alice bob
act "send r0 bob" && fails EALREADY act "cancel r0" && act "wait r0; expect r0 output=42"
verdict "the sender cancels a completed request: it gets EALREADY, and the result does not change"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND routine" && act "cancel r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 1 && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender cancels a request that has a completion routine: the routine gets ECANCELED"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND" && act "free r0" && cancelled_called bob 1 && no_refusal &&
	fails ESTALE act "wait r0" && only_refusal_is module_a stale-request && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender frees a pending request: the request is cancelled, and its handle is stale"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act_in_background "wait r0; expect r0 status=-$ECANCELED" && background_sleeps &&
	act "cancel r0" && exit_in_time "$background" && fails ECANCELED act "complete bob status=-$EIO"
verdict "one thread cancels a request while another waits for it: the wait ends with ECANCELED"

# Several threads and one request

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act_in_background "wait r0; expect r0 output=6" && background_sleeps &&
	one=$background && act_in_background "wait r0 timeout=60000; expect r0 output=6" && background_sleeps && two=$background &&
	act "complete bob output=6" && exit_in_time "$one" "$two" && no_refusal
verdict "two threads wait for a request: both get the result"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" &&
	act_in_background "wait r0; expect r0 status=-$ETIMEDOUT ended=timed-out" && background_sleeps &&
	act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT ended=timed-out" && exit_in_time "$background" &&
	fails ECANCELED act "complete bob" && no_refusal
verdict "two threads wait for a request, and one of the waits times out: both get ETIMEDOUT"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" &&
	act_in_background "wait r0; expect r0 status=-$ECANCELED ended=cancelled" && background_sleeps &&
	act "free r0" && exit_in_time "$background" && no_refusal && fails ECANCELED act "complete bob" && fails ESTALE act "wait r0" &&
	! grep -q alice "$REQUESTS"
verdict "a thread frees a request while another one waits for it: the wait gets ECANCELED"

# send_again_at_once - in each round, a thread waits for r0, the receiver completes r0, and the sender sends r0 again at
# once. This second send gets EBUSY if the waiting thread has not read the result yet. The status is another one in each
# round, so the test notices a wait that gets the result of another round. r0 has no output, because the waiting thread
# could not read it after the second send
send_again_at_once()
{
	for error in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		act_pends "send r0 bob $CODE_PEND out=0" && act_in_background "wait r0 timeout=60000; expect r0 status=-$error" && background_sleeps || return
		! act "complete bob status=-$error; send r0 bob $CODE_PEND out=0" || return
		if grep -q "^errno=$EINPROGRESS " "$NOTES"; then
			exit_in_time "$background" && act "cancel r0" && fails ECANCELED act "complete bob status=-$error" || return
		else
			grep -q "^errno=$EBUSY " "$NOTES" && exit_in_time "$background" || return
		fi
	done
}
fresh alice bob
act "on-dispatch bob pend" && send_again_at_once && refusals_are_only request-waited-for
verdict "a completed request is sent again while a thread waits for it: the thread gets the first result"

# Requests in each execution context. bob's dispatch routine never sleeps (bob+), carol's may

for place in task worker softirq hardirq; do
	case $place in
	task) in='' context=task ;;
	worker) in="in worker" context=task ;;
	*) in="in $place" context=$place ;;
	esac
	fresh alice bob+
	act "$in send r0 bob $CODE_ADD atomic trace; wait r0; expect r0 output=42" && took_step bob dispatch $context && took_step bob complete $context
	verdict "a request is sent in $place to a driver that never sleeps: it is dispatched and completed there"

	fresh alice carol
	may_pend "$in send r0 carol $CODE_ADD atomic trace" && act "wait r0; expect r0 output=42" && took_step carol dispatch task &&
		took_step alice call-driver $context
	verdict "a request is sent in $place to a driver that may sleep: it is dispatched in a task"

	fresh alice bob+
	act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND routine trace" &&
		act "$in complete bob output=7; expect r0 output=7" && took_step bob complete $context && took_step alice completion $context
	verdict "a request is completed in $place: the sender's completion routine runs there"

	fresh alice bob+
	act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $CODE_PEND" &&
		act "$in cancel r0; wait r0; expect r0 status=-$ECANCELED" && took_step bob cancel $context &&
		fails ECANCELED act "$in complete bob status=-$EIO"
	verdict "a request is cancelled in $place: the receiver's routine cancelled() runs there"

	fresh alice bob+ dave+
	act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND trace" && may_pend "$in forward bob dave $CODE_ADD back" &&
		act "wait r0; expect r0 output=42" && took_step dave dispatch $context && took_step bob completion $context
	verdict "a request is forwarded in $place: it is dispatched there, and the forwarder's routine returned() runs there"
done

# The result says what has ended the request (ended=), whatever the status is

while read -r error; do
	fresh alice bob
	act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && status=-$(number "$error") &&
		act "complete bob status=$status; wait r0; expect r0 status=$status ended=completed" && no_refusal
	verdict "the receiver completes with $error: ended=completed"
done <<EOT
ECANCELED
ETIMEDOUT
ESHUTDOWN
EIO
EOT

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED ended=cancelled"
verdict "the sender cancels: ended=cancelled"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT ended=timed-out"
verdict "the wait times out: ended=timed-out"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND routine" && act "unregister bob; expect r0 status=-$ECANCELED ended=left"
verdict "the receiver unregisters: ended=left"

fresh alice bob
act "on-dispatch bob omit-completion; send r0 bob; wait r0; expect r0 status=-$EIO ended=not-completed"
verdict "the receiver's dispatch routine returns 0 without completing: ended=not-completed"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-dispatch carol pend" && act_pends "send r0 bob $CODE_PEND" &&
	act "unregister carol; wait r0; expect r0 status=-$ECANCELED ended=left"
verdict "the receiver unregisters, and the forwarder passes that status up: ended=left"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob pend" && act_pends "send r0 bob $CODE_PEND" &&
	act "unregister carol; complete bob status=-$EIO; wait r0; expect r0 status=-$EIO ended=completed"
verdict "the receiver unregisters, and the forwarder completes with another status: ended=completed"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "complete bob output=2" &&
	act "in softirq wait r0; expect r0 output=2" && act "in hardirq wait r0; expect r0 output=2" &&
	act "in irqs-off wait r0; expect r0 output=2"
verdict "a wait for a completed request is allowed in atomic context"

# Drivers that unregister

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "unregister bob; wait r0; expect r0 status=-$ECANCELED" &&
	fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "a receiver unregisters with a request pending: the sender gets ECANCELED"

# fresh_unregistering - the process $sender is paused inside bob's dispatch routine, and the process $background has
# begun to unregister bob
fresh_unregistering()
{
	fresh alice bob
	act "alloc r1 alice; alloc r2 bob; on-dispatch bob pause" && pause task
	act_in_background "send r0 bob; wait r0; expect r0 status=-$ECANCELED"
	sender=$background
	await one_inside && act_in_background "unregister bob" && await fails ESHUTDOWN act "alloc r3 bob; free r3" && one_inside && reset_trace
}

fresh_unregistering && one_inside
verdict "a receiver unregisters while a thread is inside its dispatch routine: unregistering waits"
resume_and_await ${sender:+"$background" "$sender"}

fresh_unregistering && fails ESHUTDOWN act "send r1 bob" && only_refusal_is module_a target-is-leaving
verdict "target-is-leaving: a request is sent to a driver that is unregistering: ESHUTDOWN"
resume_and_await ${sender:+"$background" "$sender"}

fresh_unregistering && fails ESHUTDOWN act "send r2 alice" && only_refusal_is module_a driver-is-leaving
verdict "driver-is-leaving: a driver that is unregistering sends a request: ESHUTDOWN"
resume_and_await ${sender:+"$background" "$sender"}

fresh_unregistering && fails EALREADY act "unregister bob" && only_refusal_is module_a already-unregistering
verdict "already-unregistering: a driver is unregistered again while it is unregistering: EALREADY"
resume_and_await ${sender:+"$background" "$sender"}

fresh_unregistering
resume_and_await "$background" "$sender"
verdict "a receiver unregisters while a thread is inside its dispatch routine: unregistering ends when the routine returns"

fresh alice
pause handshake
load paused_peer deferred=1 && await one_inside && act "lookup paused_peer; send r0 paused_peer; wait r0; expect r0 output=42" && one_inside
verdict "a driver that has not completed its handshake serves requests"
resume
unload paused_peer

unload actor
unload pause_calls
unload module_a
ktap_finished
