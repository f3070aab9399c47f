# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# act: lets the drivers of the module actor (peers/actor.c) send, receive, complete and cancel requests.
# Sourced by d2d_lib.sh.
# shellcheck disable=SC2034 # the programs use the variables
#
#   act "COMMAND[; COMMAND...]"
#
# runs the commands up to the first that fails. It fails then too, and the errno of that command is in
# $NOTES, so `fails ERRNO act "..."` checks it. In this example alice sends bob a request with the input
# 41, and bob completes it with the output 42:
#
#   fresh alice bob
#   act "on-dispatch bob answer; alloc r0 alice; send r0 bob $ADD; wait r0; expect r0 output=42"
#
# NAME is a driver: an actor since `register`, or a driver of another module since `lookup`. A request has
# a number for its sender, r0 to r7. Its receiver does not know the number: `complete` and its like
# are about the oldest request that NAME has pended. CODE is the control code.
#
# Drivers
#   reset                            unregisters all actors; no name and no request is known after that
#   register NAME [atomic]           registers a driver object, and looks it up; atomic: its dispatch
#                                    routine does not sleep (D2D_DISPATCH_ATOMIC). Wrong on purpose:
#                                    unknown-flag, no-routines, returned-outside, completed-outside,
#                                    cancelled-outside (the routine is not in a module's text)
#   unregister NAME
#   attach NAME, detach NAME         asks the owner for a context; gives it back
#   lookup NAME                      gets the handle for sending to it; name=null, handle=null
#   forge-handle NAME                makes up the handle that another module's driver got from
#                                    d2d_register(); detach and unregister then use it
# What a driver's routines do
#   on-dispatch NAME ROLE [TO [CODE]]
#       answer                       completes the request with its input + 1; so do all at first
#       refuse                       completes it with -EPERM
#       pend, pend-with-cancel       pends it; and asks to have `cancelled` called
#       forward, forward-back        sends it on to TO; and wants it back (`returned`)
#       hold                         stays inside until `hold none`, then answers; see hold()
#       ask                          waits for a request of its own, which it sends to TO
#       forget                       returns 0 and has not completed the request
#       bad-status                   completes it with the status 1
#       complete-twice, unregister, detach, read-too-much, write-too-much, write-bad-pointer
#   on-returned NAME ACTION          the request that it forwarded has come back
#       pass-up                      lets it go up with the same status; so do all at first
#       keep                         keeps it pending
#       forward-again                once more, to the same driver
#       hold                         stays inside until `hold none`
#       unregister, unregister-first, wait-for-r0
#                                    tries to unregister itself, or the driver that was registered
#                                    first, or to wait for r0
#   on-completed NAME ACTION         the request that it sent with a completion routine is over
#       keep, free, unregister       keeps the request, as all do at first; lets the owner free it;
#                                    tries to unregister itself
#   errno-inside NAME                fails with what the owner returned to the last of these tries
# The sender
#   alloc rN NAME [in=BYTES] [out=BYTES]
#                                    allocates a request of NAME; 8 bytes each; handle=null
#   alloc-until-refused NAME         allocates, fails with the refusal's errno, frees
#   send rN NAME [CODE] [OPTION...]  ADD is the default
#       routine, atomic, trace       the flags D2D_SEND_ROUTINE, D2D_SEND_ATOMIC, D2D_SEND_TRACE
#       value=N                      the input, 41 if nothing else is said
#       in=BYTES, out=BYTES          8 if nothing else is said
#       input=N, descriptor=N        the address of the input, or of struct d2d_send
#       bad-magic, bad-size, bad-major, bad-layout, unknown-function, unknown-flag, reserved,
#       stale-handle                 a field of struct d2d_send, or the handle, is wrong
#   send-and-cancel rN NAME CODE TIMES
#   wait rN [timeout=MS]             waits for the result; without a limit, or so long; result=null
#   expect rN [status=S] [output=N] [ended=HOW]
#                                    checks the result that a wait or the completion routine has
#                                    stored: without status it is 0, without output there is none.
#                                    HOW is completed, cancelled, timed-out, left or not-completed
#   cancel rN, free rN
#   read rN BYTES                    reads the output; buffer=null
# The receiver
#   complete NAME [status=S|output=N]
#                                    completes the oldest request that it has pended
#   complete-again NAME              completes the last one that it had, once more
#   set-cancel NAME                  asks to have `cancelled` called for the oldest one
#   forward NAME TO [CODE [back]]    sends the oldest one on; back: it wants it back
#
#   in PLACE COMMAND                 in a worker, in softirq or hardirq, or with irqs-off

# Codes of the pair's interface (d2d_pair.h) that the actors and other drivers serve. A driver completes ADD with
# its input plus 1, pends HOLD, and completes the HOLD of the same input when RELEASE comes.
ADD=0x222004
HOLD=0x222008
RELEASE=0x22200c

ACTOR=/sys/kernel/debug/d2d-actor/do
HELD=/sys/module/hold_calls/parameters

act()
{
	./kmod write "$ACTOR" "$*" 2>"$NOTES"
}

# act_meanwhile COMMAND... - as act, in a process of its own, which is $meanwhile
act_meanwhile()
{
	./kmod write "$ACTOR" "$*" 2>/dev/null &
	meanwhile=$!
}

# act_pends COMMAND... - whether the commands end with a send, and the receiver has pended the request
act_pends()
{
	fails EINPROGRESS act "$@"
}

# fresh NAME... - actors of these names that nothing has happened to; NAME+ is atomic. r0 is a request of the
# first one. The trace starts here.
fresh()
{
	commands=reset
	for actor; do
		case $actor in
		*+) commands="$commands; register ${actor%+} atomic" ;;
		*) commands="$commands; register $actor" ;;
		esac
	done
	loaded actor || load actor || return
	act "$commands; alloc r0 ${1%+}"
	mark
}

# hold PLACE - from now on, calls into drivers that the module hold_calls serves stay inside there: in an
# operation or dispatch routine (task, softirq or hardirq), or before a handshake is completed (handshake).
# hold none lets them go.
hold()
{
	echo "$1" >"$HELD/hold"
}

# one_inside - whether exactly one call is held, and no call was let go because it was held for too long
one_inside()
{
	[ "$(cat "$HELD/inside" "$HELD/late" | xargs)" = "1 0" ]
}
