#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Requests between drivers, in each execution context and across several modules. Drivers send, complete,
# pend, forward and cancel them, and waits for them time out. The owner refuses each wrong use with an
# errno and a reason. Drivers unregister while they have requests.
#
# act() tells the actors alice, bob and so on what to do; act.sh documents its commands. Each case
# begins with new actors (fresh). In most cases alice sends r0 to bob, who may forward it to carol, and
# carol to dave.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# The code at which relay_peer completes the request that it has pended
RELAY_COMPLETE=0x2223c0
# The code of the handshake; the owner refuses it from drivers
SHARE_CONTEXT=0x222003
UNKNOWN_CODE=0x223ffc
# An address that nothing is mapped at
BAD_POINTER=4096
REQUESTS=/sys/kernel/debug/d2d-module_a/state/requests

# meanwhile_sleeps - waits until the process of act_meanwhile sleeps in the kernel
meanwhile_sleeps()
{
	await grep -q '^State:.*D (disk sleep)' "/proc/$meanwhile/status"
}

has_exited()
{
	! kill -0 "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

# exit_in_time PID... - waits for these processes; fails if one hangs or exits with an error
exit_in_time()
{
	for pid; do
		await has_exited "$pid" && wait "$pid" || return
	done
}

# steps_are DRIVER:STEP... - whether the trace has these steps, in this order, and no other
steps_are()
{
	[ "$(trace | sed -nE 's/.*(^|[] ])([a-z_0-9]+): d2d: .* step=([a-z-]+).*/\2:\3/p' | xargs)" = "$*" ]
}

# refusals_are_only REASON - whether all refusals in the trace, if any, have this reason
refusals_are_only()
{
	! trace | grep step=refuse | grep -qv "reason=$1 "
}

no_refusal()
{
	! trace | grep -q step=refuse
}

# may_pend COMMAND... - as act; the last command sends or forwards a request. Succeeds both if the
# receiver has completed that request and if it is pending
may_pend()
{
	act "$@" || grep -q "^errno=$EINPROGRESS " "$NOTES"
}

# cancelled_called NAME TIMES - whether the owner has called NAME's cancelled routine TIMES times, and
# only for the request that NAME has pended
cancelled_called()
{
	[ "$(trace | grep -c "$1: d2d: .* step=cancel told=this")" = "$2" ] &&
		! trace | grep -q told=another
}

# got_back NAME STATUS TIMES - whether NAME's returned routine got a request with this status TIMES
# times
got_back()
{
	[ "$(trace | grep -c "$1: d2d: .* step=completion via=returned status=$2\$")" = "$3" ]
}

# took_step NAME STEP CONTEXT - whether a driver took this step exactly once, in this execution context
took_step()
{
	[ "$(trace | grep -c "$1: d2d: .* in=$3 step=$2 ")" = 1 ]
}

exercise()
{
	echo 1 >"/sys/kernel/debug/d2d-$1/exercise"
}

PEERS="module_b third_peer c_peer"

# each_peer COMMAND...
each_peer()
{
	for peer in $PEERS; do
		"$@" "$peer" || return
	done
}

# fresh_with_peers NAME... - as fresh; also brings about that module_a's peers are loaded
fresh_with_peers()
{
	each_peer needs
	fresh "$@"
}

# What a sender can do wrong. Each line is ERRNO REASON COMMAND. r0 is a request of alice that was
# never sent, r1 was never allocated, and r2 is a request of dave, whose driver object has no other
# routine than dispatch.
sender_faults()
{
	cat <<-EOT
	EBADMSG      bad-magic             send r0 bob $ADD bad-magic
	EMSGSIZE     bad-size              send r0 bob $ADD bad-size
	EPROTO       bad-major             send r0 bob $ADD bad-major
	EBADE        bad-layout            send r0 bob $ADD bad-layout
	EINVAL       unknown-function      send r0 bob $ADD unknown-function
	EINVAL       bad-flags             send r0 bob $ADD unknown-flag
	EINVAL       bad-flags             send r0 bob $ADD reserved
	EINVAL       reserved-code         send r0 bob $SHARE_CONTEXT
	EFAULT       bad-send-pointer      send r0 bob $ADD descriptor=null
	EFAULT       bad-send-pointer      send r0 bob $ADD descriptor=$BAD_POINTER
	EFAULT       bad-input-pointer     send r0 bob $ADD input=null
	EFAULT       bad-input-pointer     send r0 bob $ADD input=$BAD_POINTER
	EMSGSIZE     buffer-too-small      send r0 bob $ADD in=9
	EMSGSIZE     buffer-too-small      send r0 bob $ADD out=9
	ESTALE       stale-request         send r0 bob $ADD stale-handle
	ESTALE       stale-request         send r1 bob
	ESTALE       stale-target          send r0 nobody
	EINVAL       no-completion-routine send r2 bob $ADD routine
	EMSGSIZE     buffer-too-large      alloc r1 alice in=4097 out=0
	EMSGSIZE     buffer-too-large      alloc r1 alice in=0 out=4097
	ESTALE       stale-driver-handle   alloc r1 nobody
	EFAULT       no-handle             alloc r1 alice handle=null
	EAGAIN       too-many-requests     alloc-until-refused alice
	ENOENT       no-such-driver        lookup nobody
	EFAULT       no-name-or-handle     lookup bob name=null
	EFAULT       no-name-or-handle     lookup bob handle=null
	ENODATA      not-sent              wait r0
	ESTALE       stale-request         wait r1
	EFAULT       no-result             wait r0 result=null
	ESTALE       stale-request         cancel r1
	ESTALE       stale-request         free r1
	EMSGSIZE     nothing-to-read       read r0 1
	ESTALE       stale-request         read r1 8
	ESTALE       stale-request-handle  complete bob
	ESTALE       stale-request-handle  set-cancel bob
	ESTALE       stale-request-handle  forward bob alice
	ENOTUNIQ     name-taken            register alice
	EINVAL       bad-flags             register carol unknown-flag
	ENOEXEC      routine-outside-text  register carol returned-outside
	ENOEXEC      routine-outside-text  register carol completed-outside
	ENOEXEC      routine-outside-text  register carol cancelled-outside
	EOT
}

# What a receiver's dispatch routine can do wrong. Each line is ROLE STATUS REASON; the sender gets STATUS
receiver_faults()
{
	cat <<-EOT
	forget            EIO      not-completed
	bad-status        EIO      bad-status
	unregister        EDEADLK  unregister-from-inside
	detach            EDEADLK  detach-from-inside
	read-too-much     EMSGSIZE nothing-to-read
	write-too-much    EMSGSIZE output-too-long
	write-bad-pointer EFAULT   bad-output-pointer
	EOT
}

# Requests whose buffers do not have the size that the code needs, to drivers in Rust and in C. Each
# line is DRIVER OPTIONS-OF-SEND
wrong_sizes()
{
	for driver in module_a module_b c_peer; do
		echo "$driver $ADD in=4"
		echo "$driver $ADD in=16"
		echo "$driver $ADD out=4"
		echo "$driver $PEND out=4"
		echo "$driver $COMPLETE in=8 out=0"
	done
}

trap 'rm -f "$NOTES"; ! loaded pause_calls || pause none' EXIT
start $(($(sender_faults | wc -l) + $(receiver_faults | wc -l) + $(wrong_sizes | wc -l) + 135))
load pause_calls
load module_a contexts=4 completion=1

# Between drivers that have no context

fresh alice bob+
act "send r0 bob $ADD trace; wait r0; expect r0 output=42" &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:complete alice:completion &&
	trace | grep -q 'alice: d2d: .* step=completion req=r[0-9]* via=return status=0'
verdict "the receiver completes at once: the send returns the result"

fresh alice bob
act "send r0 bob; wait r0; lookup module_a; send r0 module_a $ADD value=9; wait r0; expect r0 output=10; read r0 8" && no_refusal
verdict "the sender sends a completed request again, to the owner: it gets the new output"

fresh alice bob
act "alloc r1 bob; on-dispatch alice refuse; send r1 alice; wait r1; expect r1 status=-$EPERM"
verdict "the receiver completes with an errno: the sender gets it"

fresh alice bob
act "send r0 bob $ADD routine trace; expect r0 output=42" &&
	act "send r0 bob $ADD routine value=1; expect r0 output=2; send r0 bob; wait r0" && no_refusal &&
	trace | grep -q 'alice: d2d: .* step=completion req=r[0-9]* via=routine status=0'
verdict "a completion routine gets the result and keeps the request: the sender can send it again"

fresh alice bob
act "on-completed alice free; send r0 bob $ADD routine value=2; expect r0 output=3" && no_refusal &&
	fails ESTALE act "send r0 bob" && only_refusal_is module_a stale-request
verdict "a completion routine lets the owner free the request: sending it again gets ESTALE"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND trace" &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:pend &&
	act "complete bob output=7; wait r0; expect r0 output=7" && cancelled_called bob 0
verdict "the receiver pends and completes later: a wait after that gets the result"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act_meanwhile "wait r0; expect r0 output=8" && meanwhile_sleeps &&
	act "complete bob output=8" && exit_in_time "$meanwhile"
verdict "the receiver pends and completes later: a sender that sleeps is woken"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND routine" && act "complete bob status=-$EIO; expect r0 status=-$EIO"
verdict "the receiver pends and completes later: the completion routine gets the result"

fresh alice bob
act "lookup module_a" && act_pends "send r0 module_a $PEND value=5" &&
	act "alloc r1 alice in=16; send r1 module_a $COMPLETE in=16 out=0 value=5; wait r1; expect r1" &&
	act "wait r0; expect r0 output=0; free r0; free r1" && no_refusal
verdict "the owner pends a request and completes it later: the sender gets the output"

# Timeout and cancellation

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND trace" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT" &&
	cancelled_called bob 1 && trace | grep -q "alice: d2d: .* step=cancel req=r[0-9]* from=bob status=-$ETIMEDOUT"
verdict "a wait times out: the request is cancelled with ETIMEDOUT, and the receiver's cancelled routine is called"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "wait r0 timeout=1" &&
	fails ECANCELED act "complete bob status=-$EIO" && fails ECANCELED act "complete bob" && no_refusal &&
	act "expect r0 status=-$ETIMEDOUT"
verdict "the receiver completes after the timeout: it gets ECANCELED, and the sender's result does not change"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "complete bob output=3; wait r0 timeout=0; expect r0 output=3"
verdict "a wait with timeout 0 gets the result of a completed request"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND trace" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 1 && no_refusal && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender cancels: it gets ECANCELED, and the receiver's cancelled routine is called"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 0 && fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "the sender cancels, and the receiver has not asked for its cancelled routine: the receiver gets ECANCELED when it completes"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "set-cancel bob; cancel r0" && cancelled_called bob 1 &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "the receiver asks for its cancelled routine after it has pended: cancelling calls it"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "cancel r0" && fails ECANCELED act "set-cancel bob" &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "the receiver asks for its cancelled routine after the sender has cancelled: the receiver gets ECANCELED"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND" && act "cancel r0" && fails EALREADY act "cancel r0" &&
	cancelled_called bob 1 && fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "the sender cancels twice: the second time it gets EALREADY"

fresh alice bob
act "send r0 bob" && fails EALREADY act "cancel r0" && act "wait r0; expect r0 output=42"
verdict "the sender cancels a completed request: it gets EALREADY, and the result does not change"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND routine" && act "cancel r0; expect r0 status=-$ECANCELED" &&
	cancelled_called bob 1 && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender cancels a request that has a completion routine: the routine gets ECANCELED"

fresh alice bob
act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND" && act "free r0" && cancelled_called bob 1 && no_refusal &&
	fails ESTALE act "wait r0" && only_refusal_is module_a stale-request && fails ECANCELED act "complete bob status=-$EIO"
verdict "the sender frees a pending request: the request is cancelled, and its handle is stale"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act_meanwhile "wait r0; expect r0 status=-$ECANCELED" && meanwhile_sleeps &&
	act "cancel r0" && exit_in_time "$meanwhile" && fails ECANCELED act "complete bob status=-$EIO"
verdict "one thread cancels a request while another waits for it: the wait ends with ECANCELED"

# Several threads and one request

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act_meanwhile "wait r0; expect r0 output=6" && meanwhile_sleeps &&
	one=$meanwhile && act_meanwhile "wait r0 timeout=60000; expect r0 output=6" && meanwhile_sleeps && two=$meanwhile &&
	act "complete bob output=6" && exit_in_time "$one" "$two" && no_refusal
verdict "two threads wait for a request: both get the result"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" &&
	act_meanwhile "wait r0; expect r0 status=-$ETIMEDOUT ended=timed-out" && meanwhile_sleeps &&
	act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT ended=timed-out" && exit_in_time "$meanwhile" &&
	fails ECANCELED act "complete bob" && no_refusal
verdict "two threads wait for a request, and one of the waits times out: both get ETIMEDOUT"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" &&
	act_meanwhile "wait r0; expect r0 status=-$ECANCELED ended=cancelled" && meanwhile_sleeps &&
	act "free r0" && exit_in_time "$meanwhile" && no_refusal && fails ECANCELED act "complete bob" && fails ESTALE act "wait r0" &&
	! grep -q alice "$REQUESTS"
verdict "a thread frees a request while another one waits for it: the wait gets ECANCELED, and the owner has no request of the sender"

# send_again_at_once - 20 times, the receiver completes r0 and the sender sends it again at once,
# while a thread waits for the first result. If that thread is awake but has not read the result
# yet, the owner refuses the send with EBUSY. Each round completes with a status of its own, to
# notice a wait that gets the result of a later round. r0 has no output, because the owner refuses
# to read the output of a request that was sent again.
send_again_at_once()
{
	for error in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		act_pends "send r0 bob $PEND out=0" && act_meanwhile "wait r0 timeout=60000; expect r0 status=-$error" && meanwhile_sleeps || return
		! act "complete bob status=-$error; send r0 bob $PEND out=0" || return
		if grep -q "^errno=$EINPROGRESS " "$NOTES"; then
			exit_in_time "$meanwhile" && act "cancel r0" && fails ECANCELED act "complete bob status=-$error" || return
		else
			grep -q "^errno=$EBUSY " "$NOTES" && exit_in_time "$meanwhile" || return
		fi
	done
}
fresh alice bob
act "on-dispatch bob pend" && send_again_at_once && refusals_are_only request-waited-for
verdict "a completed request is sent again while a thread waits for it: the thread gets the first result, and the send works or gets EBUSY"

# Refusals that take more than one command

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && fails EBUSY act "send r0 bob" && only_refusal_is module_a request-on-its-way
verdict "request-on-its-way: a pending request is sent again: EBUSY"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && fails EBUSY act "read r0 8" && only_refusal_is module_a request-on-its-way
verdict "request-on-its-way: the output of a pending request is read: EBUSY"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "complete bob output=1; wait r0" &&
	fails ESTALE act "complete-again bob" && only_refusal_is module_a stale-request-handle
verdict "stale-request-handle: a request is completed twice, the second time after the sender got the result: ESTALE"

fresh alice bob
act "on-dispatch bob complete-twice; send r0 bob; wait r0; expect r0" && fails ESTALE act "errno-inside bob" &&
	only_refusal_is module_a stale-request-handle
verdict "stale-request-handle: a request is completed twice inside the dispatch routine: ESTALE"

fresh alice bob
act "send r0 bob $ADD routine" && fails EINVAL act "wait r0" && only_refusal_is module_a has-completion-routine
verdict "has-completion-routine: a thread waits for a request that was sent with a completion routine: EINVAL"

fresh alice bob
act "send r0 bob; wait r0" && fails EFAULT act "read r0 8 buffer=null" && only_refusal_is module_a no-buffer
verdict "no-buffer: the output is read to a null pointer: EFAULT"

fresh alice bob
act "on-completed alice unregister; send r0 bob $ADD routine; expect r0 output=42" && fails EDEADLK act "errno-inside alice" &&
	only_refusal_is module_a unregister-from-inside
verdict "unregister-from-inside: a driver unregisters itself in its completion routine: EDEADLK"

fresh alice bob
act "register dave no-routines; on-dispatch dave forward-back bob; send r0 dave; wait r0; expect r0 status=-$EINVAL" &&
	only_refusal_is module_a no-return-routine
verdict "no-return-routine: a driver without a returned routine forwards a request and wants it back: EINVAL"

fresh alice bob
act "register dave no-routines; on-dispatch dave pend" && act_pends "send r0 dave" && fails EINVAL act "set-cancel dave" &&
	only_refusal_is module_a no-cancel-routine
verdict "no-cancel-routine: a driver without a cancelled routine asks to have it called: EINVAL"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-returned bob unregister; send r0 bob; wait r0; expect r0 output=42" &&
	fails EDEADLK act "errno-inside bob" && only_refusal_is module_a unregister-from-inside
verdict "unregister-from-inside: a driver unregisters itself in its returned routine: EDEADLK"

# Refusals from the tables

while read -r errno reason command; do
	fresh alice bob
	act "register dave no-routines; alloc r2 dave"
	start_trace
	fails "$errno" act "$command" && only_refusal_is module_a "$reason" && act "send r0 bob; wait r0; expect r0 output=42"
	verdict "$reason: $command fails with $errno"
done <<EOT
$(sender_faults)
EOT

while read -r role status reason; do
	fresh alice bob
	act "on-dispatch bob $role; send r0 bob; wait r0; expect r0 status=-$(number "$status")" && only_refusal_is module_a "$reason"
	verdict "$reason: the receiver's dispatch routine does $role, and the sender gets $status"
done <<EOT
$(receiver_faults)
EOT

# receiver_refused ROLE - bob does this, which is wrong, with r0
receiver_refused()
{
	act "on-dispatch bob $1; send r0 bob; wait r0"
}

fresh alice bob
receiver_refused forget && receiver_refused bad-status && receiver_refused unregister && receiver_refused detach &&
	receiver_refused read-too-much && receiver_refused write-too-much && receiver_refused write-bad-pointer &&
	act "on-dispatch bob answer; send r0 bob; wait r0; expect r0 output=42"
verdict "after each refusal of what a dispatch routine does, the request can be sent and completed"

# Requests to drivers that have contexts: module_a, its peers in Rust, and a peer in C

while read -r driver options; do
	fresh_with_peers alice
	act "alloc r1 alice in=16; lookup $driver; send r1 $driver $options; wait r1; expect r1 status=-$EMSGSIZE" &&
		! trace | grep -q request-dropped
	verdict "wrong-buffer-size: $driver completes code $options with EMSGSIZE"
done <<EOT
$(wrong_sizes)
EOT

for driver in module_a $PEERS; do
	fresh_with_peers alice
	act "lookup $driver; send r0 $driver $ADD; wait r0; expect r0 output=42; send r0 $driver $UNKNOWN_CODE; wait r0; expect r0 status=-$ENOTTY" &&
		no_refusal
	verdict "$driver completes a known code with 0, and an unknown one with ENOTTY"

	fresh_with_peers alice
	act "lookup $driver; alloc r1 alice in=16" && act_pends "send r0 $driver $PEND value=5" &&
		act "send r1 $driver $COMPLETE in=16 out=0 value=6; wait r1; expect r1 status=-$ENOENT" &&
		act "send r1 $driver $COMPLETE in=16 out=0 value=5; wait r1; expect r1; wait r0; expect r0 output=0" &&
		no_refusal
	verdict "$driver pends a request, and completes it when COMPLETE names it by its input; another input gets ENOENT"

	fresh_with_peers alice
	act "lookup $driver; alloc r1 alice in=16; send-and-cancel r0 $driver $PEND 40" &&
		act "send r1 $driver $COMPLETE in=16 out=0 value=5; wait r1; expect r1 status=-$ENOENT"
	verdict "$driver no longer has a request that its sender has cancelled: COMPLETE gets ENOENT"

	fresh_with_peers alice bob
	act "lookup $driver; alloc r1 alice in=16; alloc r2 bob" && act_pends "send r2 $driver $PEND value=5" && act "unregister bob" &&
		act "send r1 $driver $COMPLETE in=16 out=0 value=5; wait r1; expect r1 status=-$ENOENT"
	verdict "$driver no longer has a request whose sender has unregistered: COMPLETE gets ENOENT"
done

for driver in $PEERS; do
	fresh_with_peers alice
	act "lookup $driver" && act_pends "send r0 $driver $PEND trace" && unload "$driver" &&
		act "wait r0; expect r0 status=-$ECANCELED" && no_refusal &&
		load "$driver" && fails ESTALE act "send r0 $driver" && only_refusal_is module_a stale-target &&
		act "lookup $driver; send r0 $driver; wait r0; expect r0 output=42"
	verdict "$driver is unloaded with a request pending: the sender gets ECANCELED, and ESTALE when it sends to the reloaded $driver by the old handle"
done
each_peer needs_no

# Requests in each execution context. bob's dispatch routine never sleeps (bob+), carol's may.

for place in task worker softirq hardirq; do
	case $place in
	task) in='' context=task ;;
	worker) in="in worker" context=task ;;
	*) in="in $place" context=$place ;;
	esac
	fresh alice bob+
	act "$in send r0 bob $ADD atomic trace; wait r0; expect r0 output=42" && took_step bob dispatch $context && took_step bob complete $context
	verdict "a request is sent in $place to a driver that never sleeps: it is dispatched and completed there"

	fresh alice carol
	may_pend "$in send r0 carol $ADD atomic trace" && act "wait r0; expect r0 output=42" && took_step carol dispatch task &&
		took_step alice call-driver $context
	verdict "a request is sent in $place to a driver that may sleep: a task dispatches it"

	fresh alice bob+
	act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND routine trace" &&
		act "$in complete bob output=7; expect r0 output=7" && took_step bob complete $context && took_step alice completion $context
	verdict "a request is completed in $place: the sender's completion routine runs there"

	fresh alice bob+
	act "on-dispatch bob pend-with-cancel" && act_pends "send r0 bob $PEND" &&
		act "$in cancel r0; wait r0; expect r0 status=-$ECANCELED" && took_step bob cancel $context &&
		fails ECANCELED act "$in complete bob status=-$EIO"
	verdict "a request is cancelled in $place: the receiver's cancelled routine runs there"

	fresh alice bob+ dave+
	act "on-dispatch bob pend" && act_pends "send r0 bob $PEND trace" && may_pend "$in forward bob dave $ADD back" &&
		act "wait r0; expect r0 output=42" && took_step dave dispatch $context && took_step bob completion $context
	verdict "a request is forwarded in $place: it is dispatched there, and the forwarder's returned routine runs there"
done

# Chains of actors: each forwards to the next

fresh alice bob+ carol+ dave+ erin+
act "on-dispatch bob forward-back carol; on-dispatch carol forward-back dave; on-dispatch dave forward-back erin"
act "send r0 bob $ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:call-driver carol:dispatch \
		carol:call-driver dave:dispatch dave:call-driver erin:dispatch erin:complete \
		dave:completion carol:completion bob:completion alice:completion
verdict "three drivers forward a request and want it back: it comes back through each of them, in reverse order"

fresh alice bob+ carol+ dave+ erin+ frank+
act "on-dispatch bob forward-back carol; on-dispatch carol forward-back dave; on-dispatch dave forward-back erin"
act "on-dispatch erin forward-back frank; send r0 bob; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	got_back dave "-$E2BIG" 1 && got_back carol "-$E2BIG" 1 && got_back bob "-$E2BIG" 1
verdict "no-stack-location: the fourth driver that forwards a request gets E2BIG, completes the request with it, and the others get that status"

fresh alice bob+ carol+ dave+ erin+
act "on-dispatch bob forward-back carol; on-dispatch carol forward dave; on-dispatch dave forward erin"
act "send r0 bob $ADD; wait r0; expect r0 output=42" && got_back bob 0 1 && got_back carol 0 0 && got_back dave 0 0
verdict "of three drivers that forward a request only the first wants it back: only its returned routine is called"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol refuse; on-returned bob forward-again"
act "send r0 bob $ADD trace; wait r0; expect r0 status=-$EPERM" &&
	got_back bob "-$EPERM" 2 && [ "$(trace | grep -c 'carol: d2d: .* step=dispatch')" = 2 ]
verdict "a forwarder gets a request back and forwards it again: its returned routine is called a second time"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol refuse; on-returned bob pend"
act_pends "send r0 bob $ADD trace" && got_back bob "-$EPERM" 1 && act "complete bob output=9; wait r0; expect r0 output=9"
verdict "a forwarder gets a request back with EPERM, pends it, and completes it with 0: the sender gets 0 and the output"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel; on-returned bob pend"
act_pends "send r0 bob $PEND" && act "complete carol output=6" && got_back bob 0 1 &&
	act "set-cancel bob; cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called bob 1 &&
	fails ECANCELED act "complete bob status=-$EIO"
verdict "a forwarder gets a request back and pends it, and the sender cancels: the forwarder's cancelled routine is called"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called carol 1 &&
	got_back bob "-$ECANCELED" 1 && fails ECANCELED act "complete carol status=-$EIO"
verdict "the sender cancels a forwarded request: the receiver's cancelled routine is called, and the forwarder gets it back with ECANCELED"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $PEND" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT" && cancelled_called carol 1 &&
	got_back bob "-$ETIMEDOUT" 1 && fails ECANCELED act "complete carol status=-$EIO"
verdict "the wait for a forwarded request times out: the receiver's cancelled routine is called, and the forwarder gets it back with ETIMEDOUT"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $PEND" && act "unregister bob; wait r0; expect r0 status=-$ECANCELED" && cancelled_called carol 1 &&
	fails ECANCELED act "complete carol status=-$EIO"
verdict "the forwarder unregisters: the receiver's cancelled routine is called, and the sender gets ECANCELED"

fresh alice bob+ carol+
act "on-dispatch bob forward-back carol; on-returned bob pend; on-dispatch carol pend-with-cancel"
act_pends "send r0 bob $PEND" && act "unregister carol" && got_back bob "-$ECANCELED" 1 &&
	act "complete bob output=4; wait r0; expect r0 output=4"
verdict "the receiver unregisters: the forwarder gets the request back with ECANCELED, pends it, and completes it with 0"

fresh alice bob+ carol+
act "on-dispatch bob pend; unregister carol"
act_pends "send r0 bob $PEND" && fails ESTALE act "forward bob carol" && only_refusal_is module_a stale-target
verdict "stale-target: a request is forwarded to a driver that has unregistered: ESTALE"

# Chains of modules, in Rust and in C

# load_relay DRIVER [complete|nothing|pend] - loads relay_peer, which forwards its requests to DRIVER. When
# a request comes back, relay_peer completes it (default) or pends it. With nothing, it does not want
# requests back
load_relay()
{
	next=0
	for name in module_a module_b third_peer c_peer relay_peer bob; do
		[ "$name" != "$1" ] || break
		next=$((next + 1))
	done
	case ${2-complete} in
	complete) action=0 ;;
	nothing) action=1 ;;
	pend) action=2 ;;
	esac
	load relay_peer "next=$next" "then=$action"
}

# fresh_relay DRIVER [complete|nothing|pend] - as fresh_with_peers, for alice and bob, who does not sleep; and loads relay_peer
fresh_relay()
{
	needs_no relay_peer
	fresh_with_peers alice bob+
	load_relay "$@"
	start_trace
}

for driver in module_a module_b third_peer c_peer bob; do
	fresh_relay "$driver"
	act "lookup relay_peer; send r0 relay_peer $ADD trace; wait r0; expect r0 output=42" && no_refusal && got_back relay_peer 0 1 &&
		{
			[ "$driver" = bob ] ||
				trace | grep -q "$driver: d2d: .* step=complete"
		}
	verdict "relay_peer forwards alice's request to $driver: relay_peer gets it back, and alice gets the result"

	fresh_relay "$driver"
	case $driver in
	module_a) exercise module_a ;;
	bob) : ;;
	*)
		exercise module_a && refusals_are_only unknown-event && got_back relay_peer "-$ECANCELED" 4 &&
			trace | grep -q 'module_a: d2d: .* in=hardirq step=call-driver .*to=relay_peer' &&
			trace | grep -q "relay_peer: d2d: .* in=hardirq step=call-driver .*to=$driver"
		;;
	esac
	verdict "relay_peer forwards module_a's requests to $driver in each execution context: completed, pended and cancelled"
done

fresh_relay c_peer nothing
act "lookup relay_peer; send r0 relay_peer $ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver relay_peer:dispatch relay_peer:call-driver \
		c_peer:dispatch c_peer:complete alice:completion
verdict "relay_peer forwards a request to c_peer and does not want it back: alice gets the result directly"

fresh_relay module_b
act "lookup relay_peer; on-dispatch bob forward-back relay_peer; send r0 bob $ADD trace; wait r0; expect r0 output=42" && no_refusal &&
	steps_are alice:build-request alice:call-driver bob:dispatch bob:call-driver relay_peer:dispatch \
		relay_peer:call-driver module_b:dispatch module_b:complete relay_peer:completion \
		relay_peer:complete bob:completion alice:completion
verdict "bob forwards a request to relay_peer, which forwards it to module_b: both get it back"

fresh_relay third_peer pend
act "lookup relay_peer; alloc r1 alice" && act_pends "send r0 relay_peer $ADD trace" && got_back relay_peer 0 1 &&
	act "send r1 relay_peer $RELAY_COMPLETE in=0 out=0; wait r1; expect r1; wait r0; expect r0 output=42" && no_refusal
verdict "relay_peer gets a request back from third_peer, pends it, and completes it later: alice gets the output"

fresh_relay third_peer pend
act "lookup relay_peer; alloc r1 alice" && act_pends "send r0 relay_peer $ADD" &&
	act "cancel r0; wait r0; expect r0 status=-$ECANCELED" && cancelled_called relay_peer 1 &&
	act "send r1 relay_peer $RELAY_COMPLETE in=0 out=0; wait r1; expect r1 status=-$ENOENT" && no_refusal
verdict "relay_peer gets a request back from third_peer and pends it, and alice cancels it: relay_peer's cancelled routine is called"

fresh_relay third_peer pend
act "lookup relay_peer" && act_pends "send r0 relay_peer $ADD" && unload relay_peer &&
	act "wait r0; expect r0 status=-$ECANCELED" && no_refusal
verdict "relay_peer gets a request back from third_peer and pends it, and is unloaded: alice gets ECANCELED"

fresh_relay relay_peer nothing
act "lookup relay_peer; send r0 relay_peer $ADD trace; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=dispatch')" = 4 ]
verdict "no-stack-location: relay_peer forwards a request to itself: the fourth time it gets E2BIG"

fresh_relay relay_peer
act "lookup relay_peer; send r0 relay_peer $ADD trace; wait r0; expect r0 status=-$E2BIG" && only_refusal_is module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=completion .*via=returned')" = 3 ]
verdict "no-stack-location: relay_peer forwards a request to itself and wants it back: it gets it back three times, as going back takes no stack location"

needs_no relay_peer
each_peer needs_no

# The result names what ended a request (ended=), whatever its status is

while read -r error; do
	fresh alice bob
	act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && status=-$(number "$error") &&
		act "complete bob status=$status; wait r0; expect r0 status=$status ended=completed" && no_refusal
	verdict "the receiver completes with $error: ended=completed"
done <<EOT
ECANCELED
ETIMEDOUT
ESHUTDOWN
EIO
EOT

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "cancel r0; wait r0; expect r0 status=-$ECANCELED ended=cancelled"
verdict "the sender cancels: ended=cancelled"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "wait r0 timeout=1; expect r0 status=-$ETIMEDOUT ended=timed-out"
verdict "the wait times out: ended=timed-out"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND routine" && act "unregister bob; expect r0 status=-$ECANCELED ended=left"
verdict "the receiver unregisters: ended=left"

fresh alice bob
act "on-dispatch bob forget; send r0 bob; wait r0; expect r0 status=-$EIO ended=not-completed"
verdict "the receiver's dispatch routine returns 0 without completing: ended=not-completed"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-dispatch carol pend" && act_pends "send r0 bob $PEND" &&
	act "unregister carol; wait r0; expect r0 status=-$ECANCELED ended=left"
verdict "the receiver unregisters, and the forwarder passes that status up: ended=left"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob pend" && act_pends "send r0 bob $PEND" &&
	act "unregister carol; complete bob status=-$EIO; wait r0; expect r0 status=-$EIO ended=completed"
verdict "the receiver unregisters, and the forwarder completes with another status: ended=completed"

# A request is cancelled, or its sender unregisters, while the owner is giving it back to bob, who forwarded
# it to carol

# fresh_returning MS - makes carol complete r0, and pauses the process $completer inside bob's
# returned routine. The process $waiter waits for r0, for at most MS
fresh_returning()
{
	fresh alice bob carol
	act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob pause"
	pause task
	act_pends "send r0 bob $PEND" && act_meanwhile "wait r0 timeout=$1; expect r0 status=-$ECANCELED ended=cancelled" &&
		waiter=$meanwhile && meanwhile_sleeps && act_meanwhile "complete carol output=1" && completer=$meanwhile && await one_inside
}

# resume PID... - lets the paused routine and these processes come to their end
resume()
{
	pause none
	exit_in_time "$@"
}

# sender_unregisters - begins to unregister alice, in the process $meanwhile
sender_unregisters()
{
	act_meanwhile "unregister alice" && await fails ESHUTDOWN act "alloc r1 alice; free r1" && one_inside
}

for ms in 0xffffffff 60000; do
	fresh_returning "$ms" && sender_unregisters
	verdict "a request returns to its forwarder, its sender unregisters, and a thread waits for it up to $ms ms: unregistering waits"
	resume ${waiter:+"$meanwhile" "$waiter" "$completer"}

	fresh_returning "$ms" && sender_unregisters
	resume "$meanwhile" "$waiter" "$completer" && refusals_are_only driver-is-leaving && [ "$(cat "$REQUESTS")" = "" ]
	verdict "a request returns to its forwarder, its sender unregisters, and a thread waits for it up to $ms ms: when the routine returns, unregistering ends, and the wait gets ECANCELED"
done

fresh_returning 60000 && act "cancel r0" && fails EINPROGRESS act "wait r0 timeout=1" && one_inside &&
	fails EALREADY act "cancel r0" && no_refusal
verdict "a request returns to its forwarder and is cancelled: a wait whose limit passes gets EINPROGRESS, and cancelling again EALREADY"
resume ${waiter:+"$waiter" "$completer"}

fresh_returning 60000 && act "cancel r0"
resume "$waiter" "$completer" && act "wait r0; expect r0 status=-$ECANCELED ended=cancelled"
verdict "a request returns to its forwarder and is cancelled: a wait gets ECANCELED when the routine returns"

while read -r action reason; do
	fresh alice bob carol
	act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob $action" && act_pends "send r0 bob $PEND" &&
		act "complete carol output=5; wait r0; expect r0 output=5" &&
		fails EDEADLK act "errno-inside bob" && only_refusal_is module_a "$reason" && act "alloc r1 alice; free r1"
	verdict "$reason: the returned routine does $action, which would wait for that routine: EDEADLK"
done <<EOT
wait-for-r0 wait-from-inside
unregister-first unregister-from-inside
EOT

for place in softirq hardirq irqs-off; do
	fresh alice bob
	act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && fails EDEADLK act "in $place wait r0" &&
		only_refusal_is module_a wait-in-atomic-context && fails EDEADLK act "in $place wait r0 timeout=0"
	verdict "wait-in-atomic-context: a wait for a pending request in $place: EDEADLK"
done
for place in softirq hardirq irqs-off; do
	fresh alice bob carol
	act "alloc r1 alice; on-dispatch bob pend" && act_pends "send r0 bob $PEND" && fails EDEADLK act "in $place send r1 bob" &&
		only_refusal_is module_a send-in-atomic-context && fails EDEADLK act "in $place forward bob carol" && act "complete bob"
	verdict "send-in-atomic-context: one request is sent and one forwarded in $place without D2D_SEND_ATOMIC: EDEADLK, and the forwarder can still complete its request"
done

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "complete bob output=2" &&
	act "in softirq wait r0; expect r0 output=2" && act "in hardirq wait r0; expect r0 output=2" &&
	act "in irqs-off wait r0; expect r0 output=2"
verdict "a wait for a completed request is allowed in atomic context"

# Drivers that unregister

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $PEND" && act "unregister bob; wait r0; expect r0 status=-$ECANCELED" &&
	fails ECANCELED act "complete bob status=-$EIO" && no_refusal
verdict "a receiver unregisters with a request pending: the sender gets ECANCELED"

# fresh_unregistering - pauses the process $sender inside bob's dispatch routine, and unregisters
# bob in the process $meanwhile, which has to wait until $sender has returned
fresh_unregistering()
{
	fresh alice bob
	act "alloc r1 alice; alloc r2 bob; on-dispatch bob pause" && pause task
	act_meanwhile "send r0 bob; wait r0; expect r0 status=-$ECANCELED"
	sender=$meanwhile
	await one_inside && act_meanwhile "unregister bob" && await fails ESHUTDOWN act "alloc r3 bob; free r3" && one_inside && start_trace
}

fresh_unregistering && one_inside
verdict "a receiver unregisters while a thread is inside its dispatch routine: unregistering waits"
resume ${sender:+"$meanwhile" "$sender"}

fresh_unregistering && fails ESHUTDOWN act "send r1 bob" && only_refusal_is module_a target-is-leaving
verdict "target-is-leaving: a request is sent to a driver that is unregistering: ESHUTDOWN"
resume ${sender:+"$meanwhile" "$sender"}

fresh_unregistering && fails ESHUTDOWN act "send r2 alice" && only_refusal_is module_a driver-is-leaving
verdict "driver-is-leaving: a driver that is unregistering sends a request: ESHUTDOWN"
resume ${sender:+"$meanwhile" "$sender"}

fresh_unregistering && fails EALREADY act "unregister bob" && only_refusal_is module_a already-unregistering
verdict "already-unregistering: a driver is unregistered again while it is unregistering: EALREADY"
resume ${sender:+"$meanwhile" "$sender"}

fresh_unregistering
resume "$meanwhile" "$sender"
verdict "a receiver unregisters while a thread is inside its dispatch routine: unregistering ends when the routine returns, and the sender gets ECANCELED"

fresh alice
pause handshake
load paused_peer deferred=1 && await one_inside && act "lookup paused_peer; send r0 paused_peer; wait r0; expect r0 output=42" && one_inside
verdict "a driver that has not completed its handshake serves requests"
pause none
unload paused_peer

unload actor
unload pause_calls
unload module_a
ktap_finished
