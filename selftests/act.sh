# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# act: lets the drivers of the module actor (peers/actor.c) send, receive, complete and cancel requests.
# Sourced by d2d_lib.sh.
# shellcheck disable=SC2034 # the programs use the variables
#
#   act "COMMAND[; COMMAND...]"
#
# The commands run one after the other until one fails. Then act fails too, and $NOTES has the errno of that
# command, so that `fails ERRNO act "..."` can check it. In this example alice sends bob a request with the input
# 41, and bob completes it with the output 42:
#
#   fresh alice bob
#   act "on-dispatch bob answer; send r0 bob $ADD; wait r0; expect r0 output=42"
#
# NAME and TO are drivers: actors, once they are registered, or drivers of other modules, once they are looked up.
# rN is a request, from r0 to r7; only its sender knows it by this number. A receiver completes, forwards and so on
# the oldest request that it has pended. CODE is a control code. Some words make a mistake on purpose: name=null
# passes a null pointer for the name.
#
# Drivers
#   reset                            unregisters all actors; no name and no request is known after that
#   register NAME [atomic]           registers a driver object, and looks it up. atomic: its dispatch routine
#                                    does not sleep (D2D_DISPATCH_ATOMIC). no-routines: it has only the
#                                    dispatch routine. Mistakes: unknown-flag; returned-outside,
#                                    completed-outside, cancelled-outside (not in a module's text)
#   unregister NAME
#   attach NAME, detach NAME         asks the owner for a context; gives it back
#   lookup NAME                      gets the handle for sending to NAME. Mistakes: name=null, handle=null
#   forge-handle NAME                computes the handle that d2d_register() returned to another module for NAME, so
#                                    that detach and unregister can be tried on it
# What a driver's routines do
#   on-dispatch NAME ROLE [TO [CODE]]
#       answer                       completes the request with its input + 1 (default)
#       refuse                       completes it with -EPERM
#       pend                         pends it
#       pend-with-cancel             pends it, and asks the owner to call its cancelled routine
#       forward, forward-back        forwards it to TO, with CODE or the same code; and wants it back
#       hold                         stays inside until the script calls `hold none`, then answers
#       ask                          sends TO a request of its own, and waits for it; then completes
#       forget                       returns 0, and has not completed the request
#       bad-status                   completes it with the status 1
#       complete-twice, unregister, detach, read-too-much, write-too-much, write-bad-pointer
#                                    tries this, and completes the request with the errno
#   on-returned NAME ACTION          the request that it forwarded has come back
#       pass-up                      completes it with the same status (default)
#       keep                         keeps it pending
#       forward-again                forwards it to the same driver once more
#       hold                         stays inside until the script calls `hold none`
#       unregister, unregister-first, wait-for-r0
#                                    tries to unregister itself, or the driver that was registered
#                                    first, or to wait for r0
#   on-completed NAME ACTION         its completion routine is called
#       keep                         keeps the request (default)
#       free                         lets the owner free the request
#       unregister                   tries to unregister itself
#   errno-inside NAME                fails with the errno of the last of these tries inside a routine
# The sender
#   alloc rN NAME [in=BYTES] [out=BYTES]
#                                    allocates a request of NAME. The default is 8 bytes each. Mistake: handle=null
#   alloc-until-refused NAME         allocates, fails with the refusal's errno, frees
#   send rN TO [CODE] [OPTION...]    sends it. The default code is ADD
#       routine, atomic, trace       the flags D2D_SEND_ROUTINE, D2D_SEND_ATOMIC, D2D_SEND_TRACE
#       value=N                      the input; the default is 41
#       in=BYTES, out=BYTES          the default is 8 each
#       Mistakes: input=ADDRESS, descriptor=ADDRESS (of struct d2d_send), bad-magic, bad-size, bad-major,
#       bad-layout, unknown-function, unknown-flag, reserved, stale-handle
#   send-and-cancel rN TO CODE TIMES
#   wait rN [timeout=MS]             waits for the result, by default without a limit. Mistake: result=null
#   expect rN [status=S] [output=N] [ended=HOW]
#                                    checks the result that a wait or the completion routine has stored. The
#                                    default is status 0 and no output. HOW is completed, cancelled,
#                                    timed-out, left (the receiver has unregistered) or not-completed
#   cancel rN, free rN
#   read rN BYTES                    reads the output. Mistake: buffer=null
# The receiver
#   complete NAME [status=S|output=N]
#                                    completes the oldest request that NAME has pended
#   complete-again NAME              completes the last request that NAME had, once more
#   set-cancel NAME                  asks the owner to call NAME's cancelled routine for the oldest one
#   forward NAME TO [CODE [back]]    forwards the oldest one; back: NAME wants it back
#
#   in PLACE COMMAND                 runs one command in a worker, in softirq or hardirq, or with interrupts
#                                    disabled (irqs-off)

# Control codes of the pair's interface (d2d_pair.h). A driver of the pair completes ADD with its input plus 1, pends HOLD, and
# completes the pended HOLD that has the same input when it gets RELEASE. An actor does for each code what on-dispatch says.
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
